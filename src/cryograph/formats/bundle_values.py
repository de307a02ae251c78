"""How a V2 checkpoint stores what has no fixed size: strings and variants.

strings     varint: the length of each; 4 bytes: masked CRC-32C of the lengths; then the strings' bytes. Checksums are
            over the lengths as integers of 4 bytes (8 for a length that needs more), that of the entry then over the
            4 bytes and the strings
variants    for each: varint: length; a serialized VariantTensorDataProto; 4 bytes: masked CRC-32C of all up to there,
            lengths as integers of 8 bytes. The entry's is that of everything

Variants hold objects of TensorFlow (lists of tensors, iterators): they are kept as bytes, not decoded.
Source: TensorFlow's tensor_bundle.cc.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from ..base.dtypes import DType
from ..base.errors import DamagedError
from ..base.files import CHUNK, Span
from ..base.shapes import element_count
from ..base.tensors import Array, Tensor
from ..wire.crc import crc32c, masked_bytes, unmask
from ..wire.varint import MAX_VARINT, read_varint, varint


class OpaqueTensor(Tensor):
    """A tensor whose values are kept as the bytes of a V2 checkpoint and not decoded: variants."""

    __slots__ = ("crc", "span", "where")

    def __init__(self, dtype: DType, shape: tuple[int, ...], span: Span, crc: int, where: str) -> None:
        """`crc` is the masked checksum of the bytes, `where` how errors call the tensor."""
        super().__init__(dtype, shape)
        self.span = span
        self.crc = crc
        self.where = where

    def stored(self) -> Iterator[bytes]:
        """The bytes as they are stored, in pieces; DamagedError when they fail their checksums."""
        count = element_count(self.shape)
        if count > self.span.length:
            raise DamagedError(f"{self.where}: {count} variants cannot be held by {self.span.length} bytes.")
        crc = position = 0
        for _ in range(count):
            head = self.span.sub(position, min(MAX_VARINT, self.span.length - position)).read()
            try:
                length, at = read_varint(head, 0)
            except DamagedError as error:
                raise DamagedError(f"{self.where}: the lengths of its variants do not add up.") from error
            if position + at + length + 4 > self.span.length:
                raise DamagedError(f"{self.where}: a variant of {length} bytes sticks out of it.")
            yield head[:at]
            crc = crc32c(struct.pack("<Q", length), crc)
            for piece in self.span.sub(position + at, length).chunks():
                crc = crc32c(piece, crc)
                yield piece
            position += at + length + 4
            stored = self.span.sub(position - 4, 4).read()
            if stored != masked_bytes(crc):
                raise DamagedError(f"{self.where}: a variant of {length} bytes fails its checksum.")
            yield stored
            crc = crc32c(stored, crc)
        if position != self.span.length:
            raise DamagedError(f"{self.where}: its variants have {position} bytes, {self.span.length} are there.")
        if crc != unmask(self.crc):
            raise DamagedError(f"{self.where}: the bytes fail their checksum; the file is damaged.")


def decode_strings(span: Span, shape: tuple[int, ...], stored: int, where: str) -> Array:
    """An object array of the strings in a span; `stored` is their masked checksum.

    DamagedError when lengths or checksums do not fit.
    """
    data = span.read()
    lengths, position = _lengths(data, element_count(shape), where)
    total = sum(lengths)
    if position + 4 + total != len(data):
        there = max(0, len(data) - position - 4)
        raise DamagedError(f"{where}: {total} bytes of strings are said, {there} are there.")
    crc = crc32c(_packed(lengths))
    if data[position : position + 4] != masked_bytes(crc):
        raise DamagedError(f"{where}: the lengths of its strings fail their checksum.")
    if crc32c(memoryview(data)[position:], crc) != unmask(stored):
        raise DamagedError(f"{where}: the bytes fail their checksum; the file is damaged.")
    position += 4
    items = np.empty(len(lengths), dtype=object)
    for index, length in enumerate(lengths):
        items[index] = data[position : position + length]
        position += length
    return items.reshape(shape)


def _lengths(data: bytes, count: int, where: str) -> tuple[list[int], int]:
    """`count` varints and the position behind them."""
    short = data[:count]
    if len(short) == count and (not count or max(short) < 0x80):  # the usual case: strings of less than 128 bytes
        return list(short), count
    lengths: list[int] = []
    position = 0
    try:
        for _ in range(count):
            length, position = read_varint(data, position)
            lengths.append(length)
    except DamagedError as error:
        raise DamagedError(f"{where}: the lengths of its strings do not add up.") from error
    return lengths, position


def _packed(lengths: list[int]) -> bytes:
    """Lengths as the integers whose checksum is stored."""
    if max(lengths, default=0) < 1 << 32:
        return np.array(lengths, "<u4").tobytes()
    return b"".join(struct.pack("<I" if n < 1 << 32 else "<Q", n) for n in lengths)


def encoded_strings(tensor: Tensor) -> Iterator[tuple[bytes, int]]:
    """The stored form of a tensor of strings in pieces, each with the checksum of all up to there."""
    items = [bytes(item) for item in tensor.numpy().reshape(-1)]
    lengths = [len(item) for item in items]
    crc = crc32c(_packed(lengths))
    yield b"".join(map(varint, lengths)), crc
    piece = bytearray(masked_bytes(crc))
    for item in items:
        piece += item
        if len(piece) >= CHUNK:
            crc = crc32c(bytes(piece), crc)
            yield bytes(piece), crc
            piece.clear()
    crc = crc32c(bytes(piece), crc)
    yield bytes(piece), crc
