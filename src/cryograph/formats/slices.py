"""Slices of tensors: how partitioned variables are written in checkpoints.

A spec in a graph reads "10 20 0,5:-": the full shape, then for each dimension `start,length` or `-` for all of it. In a
table the key of a slice's values is order-preserving: 0x00, the name, the rank, and start and length of each dimension
(0 and -1 for all of it). Source: TensorFlow's ordered_code and tensor_slice; checked byte by byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..base.errors import DamagedError, InputError
from ..base.shapes import show
from ..wire import messages as pb

FULL = -1
"""The length that stands for a whole dimension."""


Box = tuple[slice, ...]
"""A slice as numpy indices, starts and stops given."""


@dataclass(frozen=True, slots=True)
class TensorSlice:
    """A box in a tensor: starts and lengths, FULL where a dimension is taken whole."""

    starts: tuple[int, ...]
    lengths: tuple[int, ...]

    def __str__(self) -> str:
        pairs = zip(self.starts, self.lengths, strict=True)
        return ":".join("-" if length == FULL else f"{start},{length}" for start, length in pairs)

    @staticmethod
    def of(proto: pb.TensorSliceProto) -> TensorSlice:
        """What a TensorSliceProto says."""
        starts = tuple(e.start for e in proto.extent)
        return TensorSlice(starts, tuple(e.length if e.HasField("length") else FULL for e in proto.extent))

    @staticmethod
    def parse(spec: str) -> tuple[tuple[int, ...], TensorSlice]:
        """The full shape and the slice of a spec; InputError when it does not read as one."""
        *sizes, parts = spec.split(" ")
        try:
            shape = tuple(int(size) for size in sizes)
            pairs = [(0, FULL) if p == "-" else (int(p.split(",")[0]), int(p.split(",")[1])) for p in parts.split(":")]
        except (ValueError, IndexError):
            raise InputError(f"{spec!r} is not a slice; '10 20 0,5:-' is one.") from None
        if len(pairs) != len(shape):
            raise InputError(f"{spec!r} has {len(shape)} sizes and {len(pairs)} extents; they must be as many.")
        if any(size < 0 for size in shape) or any(n != FULL and (start < 0 or n < 1) for start, n in pairs):
            raise InputError(f"{spec!r} is not a slice: sizes and starts are at least 0, lengths at least 1.")
        return shape, TensorSlice(tuple(s for s, _ in pairs), tuple(n for _, n in pairs))

    def to_proto(self) -> pb.TensorSliceProto:
        """A TensorSliceProto."""
        proto = pb.TensorSliceProto()
        for start, length in zip(self.starts, self.lengths, strict=True):
            extent = proto.extent.add()
            if length != FULL:
                extent.start, extent.length = start, length
        return proto

    def box(self, shape: Sequence[int], where: str) -> Box:
        """The slice as numpy indices into a tensor of `shape`; DamagedError when it sticks out."""
        if len(shape) != len(self.starts):
            raise DamagedError(f"{where}: a slice of {len(self.starts)} dimensions in the shape {show(tuple(shape))}.")
        found = []
        for start, length, size in zip(self.starts, self.lengths, shape, strict=True):
            stop = size if length == FULL else start + length
            if start < 0 or stop > size or stop < start:
                raise DamagedError(f"{where}: its slice {self} sticks out of the shape {show(tuple(shape))}.")
            found.append(slice(start, stop))
        return tuple(found)

    def is_all_of(self, shape: Sequence[int]) -> bool:
        """Whether the slice takes all of a tensor of `shape`, in whatever way it says so."""
        return all(n in (FULL, size) for n, size in zip(self.lengths, shape, strict=True))

    def sizes(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the slice of a tensor of `shape`."""
        return tuple(size if n == FULL else n for n, size in zip(self.lengths, shape, strict=True))

    def key(self, name: str) -> bytes:
        """The key of this slice of the tensor `name` in a table."""
        out = _number(0) + _string(name.encode("utf-8", "surrogateescape")) + _number(len(self.starts))
        for start, length in zip(self.starts, self.lengths, strict=True):
            out += _signed(start) + _signed(length)
        return out


def _number(value: int) -> bytes:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(data)]) + data


def _string(data: bytes) -> bytes:
    escaped = {0x00: b"\x00\xff", 0xFF: b"\xff\x00"}
    return b"".join(escaped.get(byte, bytes([byte])) for byte in data) + b"\x00\x01"


def _signed(value: int) -> bytes:
    """Two's complement in n bytes whose upper bits, flipped, count the bytes: 7n - 1 bits of value."""
    magnitude = value if value >= 0 else ~value
    size = 1
    while magnitude >> (7 * size - 1):
        size += 1
    header = ((1 << size) - 1) << (8 * size - size)
    return ((value & ((1 << 8 * size) - 1)) ^ header).to_bytes(size, "big")
