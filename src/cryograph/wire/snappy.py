"""Decoding of Snappy blocks, which some old tables use.

Layout: varint: bytes when decoded; then elements. The low two bits of an element's first byte tell its kind: 0 a
literal (length - 1 in the upper six bits, or in 1 to 4 following bytes for 60 to 63), 1 to 3 a copy of earlier output
(its length and the distance to it). Source: format_description.txt of Snappy.
"""

from __future__ import annotations

from ..base.errors import DamagedError, LimitError

MAX_DECODED = 1 << 25
"""Bytes that one block may have when decoded. Blocks have some 256 KiB; those of checkpoints are not compressed."""


def decompress(data: bytes, where: str) -> bytes:
    """The decoded bytes; DamagedError (which says `where`) when they do not add up."""
    size, position = _length(data, where)
    if size > MAX_DECODED:
        raise LimitError(f"{where}: claims {size} bytes when decompressed; at most {MAX_DECODED} are allowed.")
    out = bytearray()
    while position < len(data):
        tag = data[position]
        position += 1
        kind = tag & 3
        if kind == 0:
            length = (tag >> 2) + 1
            if length > 60:
                extra = length - 60
                length = int.from_bytes(data[position : position + extra], "little") + 1
                position += extra
            literal = data[position : position + length]
            if len(literal) != length:
                raise DamagedError(f"{where}: compressed data is cut short.")
            out += literal
            position += length
        else:
            length, distance, position = _copy(data, tag, kind, position)
            if not 0 < distance <= len(out):
                raise DamagedError(f"{where}: compressed data refers to what is not there.")
            if len(out) + length > size:
                raise DamagedError(f"{where}: compressed data is longer than it says.")
            for _ in range(length) if distance < length else ():
                out.append(out[-distance])
            if distance >= length:
                start = len(out) - distance
                out += out[start : start + length]
        if len(out) > size:
            raise DamagedError(f"{where}: compressed data is longer than it says.")
    if len(out) != size:
        raise DamagedError(f"{where}: compressed data has {len(out)} bytes, {size} were said.")
    return bytes(out)


def _length(data: bytes, where: str) -> tuple[int, int]:
    value = shift = 0
    for position, byte in enumerate(data[:5]):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    raise DamagedError(f"{where}: compressed data does not begin with its length.")


def _copy(data: bytes, tag: int, kind: int, position: int) -> tuple[int, int, int]:
    if kind == 1:
        low = data[position] if position < len(data) else 0
        return ((tag >> 2) & 7) + 4, (tag >> 5) << 8 | low, position + 1
    width = 2 if kind == 2 else 4
    return (tag >> 2) + 1, int.from_bytes(data[position : position + width], "little"), position + width
