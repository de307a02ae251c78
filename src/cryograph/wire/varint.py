"""Varints: integers of 1 to 10 bytes, seven bits a byte, low bits first, the high bit set on all but the last byte."""

from __future__ import annotations

from ..base.errors import DamagedError

MAX_VARINT = 10
"""Bytes in the longest varint: 64 bits."""


def read_varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """The varint at `position` and the position behind it; DamagedError when it does not end."""
    value = shift = 0
    for byte in data[position : position + MAX_VARINT]:
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
    raise DamagedError(f"the number at byte {position - shift // 7} does not end")


def varint(value: int) -> bytes:
    """The bytes of an integer of 0 to 2**64 - 1."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_size(value: int) -> int:
    """How many bytes `varint(value)` has."""
    return max(1, (value.bit_length() + 6) // 7)
