"""Checkpoint V2: PREFIX.index, a sorted string table, and PREFIX.data-00000-of-00001 ..., the bytes of the tensors.

PREFIX.index
    key ""      BundleHeaderProto: the number of shards, the byte order, the version
    key NAME    BundleEntryProto: dtype, shape, shard, offset and size in it, masked CRC-32C of those bytes
    a partitioned tensor's entry has `slices` and no bytes; each slice has an entry of its own (see `slices`)
PREFIX.data-SSSSS-of-NNNNN
    the tensors' bytes one after the other, row-major, little-endian, in the order in which they were saved
    strings     varint lengths of all, masked CRC-32C of the lengths (each as 4 bytes, 8 where a length needs more),
    then
                the strings; the entry's CRC is over the lengths (as before), their masked CRC and the strings

Entries are in the order of their keys. Source: TensorFlow's tensor_bundle.h; what is written is equal byte for byte.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from google.protobuf.message import DecodeError

from ..base.dtypes import DTYPES, DType
from ..base.errors import DamagedError, FileError, InputError, UnsupportedError
from ..base.files import File, Span, atomic_write, is_file, open_file
from ..base.shapes import element_count, show
from ..base.tensors import Array, Tensor
from ..graph.attrs import shape_of, shape_proto
from ..wire import messages as pb
from ..wire.crc import crc32c, mask, unmask
from ..wire.table import Table, TableWriter
from ..wire.varint import varint
from .slices import TensorSlice

VERSION = 1
MAX_SHARDS = 99_999
"""The most that the five digits of a shard's name can count."""


def index_path(prefix: str) -> str:
    """The path of the index."""
    return f"{prefix}.index"


def shard_path(prefix: str, shard: int, count: int) -> str:
    """The path of one data file."""
    return f"{prefix}.data-{shard:05d}-of-{count:05d}"


class Bundle:
    """A V2 checkpoint that is open for reading. `entries` are in the order of their keys, slices left out."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.index = open_file(index_path(prefix))
        self.entries: dict[str, pb.BundleEntryProto] = {}
        self.slices: dict[bytes, pb.BundleEntryProto] = {}
        self.header = pb.BundleHeaderProto()
        self._shards: dict[int, File] = {}
        for key, value in Table(self.index):
            self._take(key, value)
        if not 0 < self.header.num_shards <= MAX_SHARDS:
            raise DamagedError(f"{self.index.name}: claims {self.header.num_shards} data files.")
        if self.header.endianness != pb.BundleHeaderProto.Endianness.Value("LITTLE"):
            raise UnsupportedError(f"{self.index.name}: written on a big-endian machine; such data is not read.")
        if self.header.version.min_consumer > VERSION:
            raise UnsupportedError(
                f"{self.index.name}: asks for a reader of version {self.header.version.min_consumer}."
            )

    def _take(self, key: bytes, value: bytes) -> None:
        try:
            if not key:
                self.header.ParseFromString(value)
                return
            entry = pb.BundleEntryProto.FromString(value)
        except DecodeError as error:
            raise DamagedError(f"{self.index.name}: the entry {key[:80]!r} cannot be read.") from error
        if key.startswith(b"\0"):
            self.slices[key] = entry
            return
        try:
            self.entries[key.decode()] = entry
        except UnicodeDecodeError:
            self.entries[key.decode("utf-8", "surrogateescape")] = entry

    @property
    def shards(self) -> list[str]:
        """The paths of the data files."""
        count = self.header.num_shards
        return [shard_path(self.prefix, shard, count) for shard in range(count)]

    def shard(self, number: int) -> File:
        """One data file, opened once; FileError when it is missing."""
        if number not in self._shards:
            count = self.header.num_shards
            if not 0 <= number < count:
                raise DamagedError(f"{self.index.name}: an entry lies in data file {number} of {count}.")
            path = shard_path(self.prefix, number, count)
            if not is_file(path):
                raise FileError(f"{path} is missing; the checkpoint {self.prefix} has {count} data files.")
            self._shards[number] = open_file(path)
        return self._shards[number]

    def where(self, name: str) -> str:
        """How errors call an entry."""
        return f"{self.index.name}: {name!r}"

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an entry."""
        return _whole_shape(self.entries[name], self.where(name))

    def tensor(self, name: str) -> Tensor:
        """The tensor of an entry; values stay in the data file. A partitioned one is put together when asked for."""
        entry = self.entries[name]
        where, shape = self.where(name), self.shape(name)
        dtype = _dtype(entry, where)
        if not entry.slices:
            return self._stored(entry, dtype, shape, where)
        parts = []
        for proto in entry.slices:
            part = TensorSlice.of(proto)
            box = part.box(shape, where)
            key = part.key(name)
            if key not in self.slices:
                raise DamagedError(f"{where}: one of its {len(entry.slices)} slices is missing.")
            sizes = tuple(b.stop - b.start for b in box)
            parts.append((box, self._stored(self.slices[key], dtype, sizes, where)))
        if sum(element_count(t.shape) for _, t in parts) < element_count(shape):
            raise DamagedError(f"{where}: its slices do not cover the shape {show(shape)}.")

        def assembled() -> Array:
            whole: Array = np.zeros(shape, dtype.numpy) if dtype.numpy is not None else np.empty(shape, object)
            for box, tensor in parts:
                whole[box] = tensor.numpy()
            return whole

        return Tensor.lazy(dtype, shape, assembled)

    def _stored(self, entry: pb.BundleEntryProto, dtype: DType, shape: tuple[int, ...], where: str) -> Tensor:
        if entry.offset < 0 or entry.size < 0:
            raise DamagedError(f"{where}: has the offset {entry.offset} and the size {entry.size}.")
        span = self.shard(entry.shard_id).span(entry.offset, entry.size)
        if dtype.itemsize:
            return Tensor.mapped(dtype, shape, span, _checked(entry.crc32c, f"{where} in {span.file.name}"))
        if dtype.is_string:
            count = element_count(shape)
            if count > entry.size:
                raise DamagedError(f"{where}: {show(shape)} strings cannot be held by {entry.size} bytes.")
            return Tensor.lazy(dtype, shape, lambda: decode_strings(span, shape, entry.crc32c, where))
        return OpaqueTensor(dtype, shape, span)


class OpaqueTensor(Tensor):
    """A tensor whose values are kept as bytes and not decoded (variant)."""

    __slots__ = ("bytes",)

    def __init__(self, dtype: DType, shape: tuple[int, ...], span: Span) -> None:
        super().__init__(dtype, shape)
        self.bytes = span


def _dtype(entry: pb.BundleEntryProto, where: str) -> DType:
    dtype = DTYPES.get(entry.dtype)
    if dtype is None or dtype.number == 0:
        raise DamagedError(f"{where}: has the unknown dtype {entry.dtype}.")
    return dtype.base


def _whole_shape(entry: pb.BundleEntryProto, where: str) -> tuple[int, ...]:
    shape = shape_of(entry.shape)
    if shape is None or None in shape:
        raise DamagedError(f"{where}: has the shape {show(shape)}; stored tensors have a whole one.")
    return tuple(size for size in shape if size is not None)


def _checked(stored: int, where: str) -> Any:
    """A check of streamed bytes against a masked checksum."""

    def check(pieces: Iterator[bytes]) -> Iterator[bytes]:
        crc = 0
        for piece in pieces:
            crc = crc32c(piece, crc)
            yield piece
        if crc != unmask(stored):
            raise DamagedError(f"{where}: the bytes fail their checksum; the file is damaged.")

    return check


def decode_strings(span: Span, shape: tuple[int, ...], stored: int, where: str) -> Array:
    """An object array of the strings in a span; DamagedError when lengths or checksums do not fit."""
    data = span.read()
    count = element_count(shape)
    lengths: list[int] = []
    position = 0
    for _ in range(count):
        value = shift = 0
        while True:
            if position >= len(data) or shift > 63:
                raise DamagedError(f"{where}: the lengths of its strings do not add up.")
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(value)
    if position + 4 + sum(lengths) != len(data):
        raise DamagedError(f"{where}: {sum(lengths)} bytes of strings are said, {len(data) - position - 4} are there.")
    crc = crc32c(_length_bytes(lengths))
    if crc != unmask(struct.unpack_from("<I", data, position)[0]):
        raise DamagedError(f"{where}: the lengths of its strings fail their checksum.")
    if crc32c(data[position:], crc) != unmask(stored):
        raise DamagedError(f"{where}: the bytes fail their checksum; the file is damaged.")
    position += 4
    items = np.empty(count, dtype=object)
    for index, length in enumerate(lengths):
        items[index] = data[position : position + length]
        position += length
    return items.reshape(shape)


def _length_bytes(lengths: Sequence[int]) -> bytes:
    return b"".join(struct.pack("<I" if n < 1 << 32 else "<Q", n) for n in lengths)


def string_pieces(tensor: Tensor) -> Iterator[bytes]:
    """The stored form of a tensor of strings; the CRC is that of `_length_bytes` and all but the first piece."""
    items = [bytes(item) for item in tensor.numpy().reshape(-1)]
    lengths = [len(item) for item in items]
    yield b"".join(varint(n) for n in lengths)
    yield struct.pack("<I", mask(crc32c(_length_bytes(lengths))))
    yield from items


@dataclass(slots=True)
class _Shard:
    """One data file that is being written."""

    out: IO[bytes]
    number: int
    offset: int = 0


def write_bundle(
    prefix: str, tensors: Mapping[str, Tensor], shards: Sequence[Sequence[str]], slices: Mapping[str, str] | None = None
) -> None:
    """Writes a V2 checkpoint. `shards` lists the names that go into each data file, in order; `slices` gives for a
    key of `tensors` that holds a part of a partitioned tensor `NAME spec` (see `slices`). All files are whole before
    the index takes its name, so that a reader never finds a checkpoint that is not."""
    entries: dict[bytes, pb.BundleEntryProto] = {}
    with contextlib.ExitStack() as files:
        # The index is entered first and so takes its name last.
        index = files.enter_context(atomic_write(index_path(prefix)))
        for number, names in enumerate(shards):
            shard = _Shard(files.enter_context(atomic_write(shard_path(prefix, number, len(shards)))), number)
            for name in names:
                spec = (slices or {}).get(name)
                _add(entries, shard, name, tensors[name], spec)
        header = pb.BundleHeaderProto(num_shards=len(shards))
        header.version.producer = VERSION
        writer = TableWriter(index.write)
        writer.add(b"", header.SerializeToString(deterministic=True))
        for key in sorted(entries):
            writer.add(key, entries[key].SerializeToString(deterministic=True))
        writer.finish()


def _add(entries: dict[bytes, pb.BundleEntryProto], shard: _Shard, name: str, tensor: Tensor, spec: str | None) -> None:
    entry = _store(shard, tensor, name)
    key = name.encode("utf-8", "surrogateescape")
    if spec is not None:
        full_name, _, rest = spec.partition(" ")
        shape, part = TensorSlice.parse(rest)
        whole = entries.setdefault(full_name.encode(), pb.BundleEntryProto(dtype=tensor.dtype.number))
        whole.shape.CopyFrom(shape_proto(shape))
        whole.slices.append(part.to_proto())
        key = part.key(full_name)
    if not key:
        raise InputError("A tensor needs a name; the empty one is that of the checkpoint's header.")
    if key in entries:
        raise InputError(f"Two tensors are called {name!r}.")
    entries[key] = entry


def _store(shard: _Shard, tensor: Tensor, name: str) -> pb.BundleEntryProto:
    entry = pb.BundleEntryProto(dtype=tensor.dtype.number, shard_id=shard.number, offset=shard.offset)
    entry.shape.CopyFrom(shape_proto(tensor.shape))
    crc = size = 0
    if isinstance(tensor, OpaqueTensor):
        raise UnsupportedError(
            f"{name!r} is a {tensor.dtype}; such values are kept where they are and not written anew."
        )
    if tensor.dtype.is_string:
        crc = crc32c(_length_bytes([len(item) for item in tensor.numpy().reshape(-1)]))
        for number, piece in enumerate(string_pieces(tensor)):
            crc = crc32c(piece, crc) if number else crc
            size += len(piece)
            shard.out.write(piece)
    else:
        for chunk in tensor.chunks():
            crc = crc32c(chunk, crc)
            size += len(chunk)
            shard.out.write(chunk)
    entry.size, entry.crc32c = size, mask(crc)
    shard.offset += size
    return entry


def remove_bundle(prefix: str) -> None:
    """Removes the files of a checkpoint, the index first, so that what is left is never taken for whole."""
    bundle = Bundle(prefix)
    for path in (index_path(prefix), *bundle.shards):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
