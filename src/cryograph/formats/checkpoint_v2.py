"""Checkpoint V2: PREFIX.index, a sorted string table, and PREFIX.data-00000-of-00001 ..., the bytes of the tensors.

PREFIX.index
    key ""      BundleHeaderProto: the number of shards, the byte order, the version
    key NAME    BundleEntryProto: dtype, shape, shard, offset and size in it, masked CRC-32C of those bytes
    a partitioned tensor's entry has `slices` and no bytes; each slice has an entry of its own (see `slices`)
PREFIX.data-SSSSS-of-NNNNN
    the tensors' bytes one after the other, row-major, little-endian, in the order in which they were saved; strings
    and variants as `bundle_values` says

Entries are in the order of their keys. Source: TensorFlow's tensor_bundle.h; what is written is equal byte for byte.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO

from ..base.dtypes import DTYPES, DType
from ..base.errors import DamagedError, FileError, InputError, UnsupportedError
from ..base.files import File, atomic_write, is_file, is_remote, join, list_dir, open_file, remove_file
from ..base.shapes import element_count, show
from ..base.tensors import Tensor
from ..graph.attrs import shape_proto
from ..wire import messages as pb
from ..wire.crc import crc32c, mask, unmask
from ..wire.table import Table, TableWriter
from .bundle_values import OpaqueTensor, decode_strings, encoded_strings
from .parsing import parse, whole_shape
from .partitioned import Part, PartitionedTensor
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
    """A V2 checkpoint that is open for reading. `entries` are in the order of their keys, slices left out.

    Opening reads the index alone. DamagedError, with the file and the place, when it does not add up; UnsupportedError
    for a checkpoint of a big-endian machine or a later version of the format.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.index = open_file(index_path(prefix))
        self.entries: dict[str, pb.BundleEntryProto] = {}
        self.slices: dict[bytes, pb.BundleEntryProto] = {}
        self._shards: dict[int, File] = {}
        header: pb.BundleHeaderProto | None = None
        for key, value in Table(self.index):
            if not key:
                header = parse(pb.BundleHeaderProto, value, self.index.name)
            elif key.startswith(b"\0"):
                self.slices[key] = parse(pb.BundleEntryProto, value, self.index.name, key)
            else:
                self.entries[key.decode("utf-8", "surrogateescape")] = parse(
                    pb.BundleEntryProto, value, self.index.name, key
                )
        if header is None:
            raise DamagedError(f"{self.index.name}: has no header; it is not the index of a checkpoint of version 2.")
        self.header = header
        self._check_header()

    def _check_header(self) -> None:
        header, name = self.header, self.index.name
        if header.endianness != pb.BundleHeaderProto.Endianness.Value("LITTLE"):
            raise UnsupportedError(
                f"{name}: written on a big-endian machine; only little-endian checkpoints are read. Restore and save it"
                " with TensorFlow on any little-endian machine."
            )
        if not 0 < header.num_shards <= MAX_SHARDS:
            raise DamagedError(f"{name}: claims {header.num_shards} data files; 1 to {MAX_SHARDS} are possible.")
        if header.version.min_consumer > VERSION or VERSION in header.version.bad_consumers:
            raise UnsupportedError(
                f"{name}: asks for a reader of version {header.version.min_consumer} of the format; this one is of"
                f" version {VERSION}."
            )

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

    def tensor(self, name: str) -> Tensor:
        """The tensor of an entry; values stay in the data file. A partitioned one is put together when asked for."""
        entry, where = self.entries[name], self.where(name)
        dtype, shape = _dtype(entry, where), whole_shape(entry.shape, where)
        if not entry.slices:
            return self._stored(entry, dtype, shape, where)
        if not dtype.itemsize and not dtype.is_string:
            raise UnsupportedError(f"{where}: partitioned tensors of the dtype {dtype} cannot be put together.")
        parts = [self._part(name, TensorSlice.of(proto), dtype, shape) for proto in entry.slices]
        stored = sum(tensor.nbytes for _, tensor in parts)
        there = sum(self.shard(number).size for number in {self.slices[key].shard_id for key in self._keys(name)})
        if stored > there:
            raise DamagedError(f"{where}: its slices have {stored} bytes, but their data files have {there}.")
        return PartitionedTensor(dtype, shape, parts, where)

    def _keys(self, name: str) -> list[bytes]:
        """The keys of the slices of an entry."""
        return [TensorSlice.of(proto).key(name) for proto in self.entries[name].slices]

    def _part(self, name: str, part: TensorSlice, dtype: DType, shape: tuple[int, ...]) -> Part:
        where = self.where(name)
        box = part.box(shape, where)
        entry = self.slices.get(part.key(name))
        if entry is None:
            raise DamagedError(f"{where}: its slice {part} of {len(self.entries[name].slices)} is missing.")
        sizes = part.sizes(shape)
        if _dtype(entry, where) != dtype or whole_shape(entry.shape, where) != sizes:
            came = f"{_dtype(entry, where)} {show(whole_shape(entry.shape, where))}"
            raise DamagedError(f"{where}: its slice {part} is {came}; {dtype} {show(sizes)} was expected.")
        return box, self._stored(entry, dtype, sizes, f"{where}, slice {part}")

    def _stored(self, entry: pb.BundleEntryProto, dtype: DType, shape: tuple[int, ...], where: str) -> Tensor:
        file = self.shard(entry.shard_id)
        if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > file.size:
            raise DamagedError(
                f"{where}: lies at {entry.offset} with {entry.size} bytes, but {file.name} has {file.size}."
                " The data file is cut short or belongs to another index."
            )
        span = file.span(entry.offset, entry.size)
        if dtype.itemsize:
            expected = element_count(shape) * dtype.itemsize
            if entry.size != expected:
                raise DamagedError(f"{where}: {dtype} {show(shape)} takes {expected} bytes, but {entry.size} are said.")
            return Tensor.mapped(dtype, shape, span, _crc_check(entry.crc32c, f"{where} in {file.name}"))
        if not dtype.is_string:
            return OpaqueTensor(dtype, shape, span, entry.crc32c, where)
        count = element_count(shape)
        if count > entry.size:
            raise DamagedError(f"{where}: {count} strings cannot be held by {entry.size} bytes.")
        return Tensor.lazy(dtype, shape, partial(decode_strings, span, shape, entry.crc32c, where))

    def layout(self) -> list[list[str]]:
        """The names whose values lie in each data file, in the order of their bytes; partitioned ones where their first
        part lies."""
        runs: list[list[tuple[int, str]]] = [[] for _ in range(self.header.num_shards)]
        for name, entry in self.entries.items():
            first = next((self.slices[key] for key in self._keys(name) if key in self.slices), entry)
            if 0 <= first.shard_id < len(runs):
                runs[first.shard_id].append((first.offset, name))
        # Empty tensors share their offset with what follows; saved in the order of names is the best guess.
        return [[name for _, name in sorted(run, key=lambda item: item[0])] for run in runs]

    def complaints(self) -> Iterator[str]:
        """What is wrong with the checkpoint as a whole: data files that are missing or too short, slices that belong to
        no tensor, entries that share bytes."""
        ends: dict[int, int] = {}
        spans: list[tuple[int, int, int, str]] = []
        known = {key for name, entry in self.entries.items() if entry.slices for key in self._keys(name)}
        stored = [(name, entry) for name, entry in self.entries.items() if not entry.slices]
        for key, entry in self.slices.items():
            if key not in known:
                yield f"{self.index.name}: the slice {key[:80]!r} belongs to no tensor"
            stored.append((repr(key[:80]), entry))
        for name, entry in stored:
            if entry.size:
                spans.append((entry.shard_id, entry.offset, entry.offset + entry.size, name))
                ends[entry.shard_id] = max(ends.get(entry.shard_id, 0), entry.offset + entry.size)
        for number, path in enumerate(self.shards):
            if not is_file(path):
                yield f"{path} is missing"
            elif ends.get(number, 0) > self.shard(number).size:
                yield f"{path} has {self.shard(number).size} bytes, but its tensors end at {ends[number]}"
        spans.sort()
        reached, owner = (-1, 0), ""
        for shard, start, end, name in spans:
            if shard == reached[0] and start < reached[1]:
                yield f"{self.index.name}: {owner!r} and {name!r} share bytes of data file {shard}"
            if (shard, end) > reached:
                reached, owner = (shard, end), name

    @property
    def is_whole(self) -> bool:
        """Whether all data files are there and have at least the bytes that the index speaks of; no value is read."""
        needed = dict.fromkeys(range(self.header.num_shards), 0)
        for entry in (*self.entries.values(), *self.slices.values()):
            needed[entry.shard_id] = max(needed.get(entry.shard_id, 0), entry.offset + entry.size)
        return all(
            0 <= number < self.header.num_shards
            and is_file(shard_path(self.prefix, number, self.header.num_shards))
            and self.shard(number).size >= size
            for number, size in needed.items()
        )


def _dtype(entry: pb.BundleEntryProto, where: str) -> DType:
    dtype = DTYPES.get(entry.dtype)
    if dtype is None or dtype.number == 0:
        raise DamagedError(f"{where}: has the unknown dtype {entry.dtype}.")
    return dtype.base


def _crc_check(stored: int, where: str) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    """A check of streamed bytes against a masked checksum."""

    def check(pieces: Iterator[bytes]) -> Iterator[bytes]:
        crc = 0
        for piece in pieces:
            crc = crc32c(piece, crc)
            yield piece
        if crc != unmask(stored):
            raise DamagedError(f"{where}: the bytes fail their checksum; the file is damaged.")

    return check


# --- writing


@dataclass(slots=True)
class _Shard:
    """One data file that is being written."""

    out: IO[bytes]
    number: int
    offset: int = 0

    def write(self, data: bytes | memoryview) -> None:
        self.out.write(data)
        self.offset += len(data)


def write_bundle(
    prefix: str, tensors: Mapping[str, Tensor], shards: Sequence[Sequence[str]], slices: Mapping[str, str] | None = None
) -> None:
    """Writes a V2 checkpoint. `shards` lists the names that go into each data file, in order; `slices` gives for a
    key of `tensors` that holds a part of a partitioned tensor `NAME spec` (see `slices`).

    All files are whole and on disk before the first takes its name, and the index takes its name last. One that stands
    at that name is removed first, as it would not fit the new data files: so a reader finds the old checkpoint, none,
    or the new one, and never a mixture. InputError for names that are empty, given twice or whose slices differ in
    dtype or shape.
    """
    entries: dict[bytes, pb.BundleEntryProto] = {}
    with contextlib.ExitStack() as files:
        # The index is entered first and so takes its name last.
        index = files.enter_context(atomic_write(index_path(prefix)))
        for number, names in enumerate(shards):
            shard = _Shard(files.enter_context(atomic_write(shard_path(prefix, number, len(shards)))), number)
            for name in names:
                _add(entries, shard, name, tensors[name], (slices or {}).get(name))
            _to_disk(prefix, shard.out)
        header = pb.BundleHeaderProto(num_shards=len(shards))
        header.version.producer = VERSION
        writer = TableWriter(index.write)
        writer.add(b"", header.SerializeToString(deterministic=True))
        for key in sorted(entries):
            writer.add(key, entries[key].SerializeToString(deterministic=True))
        writer.finish()
        _to_disk(prefix, index)
        if is_file(index_path(prefix)):
            remove_file(index_path(prefix))
    remove_other_shards(prefix, len(shards))


def _to_disk(prefix: str, out: IO[bytes]) -> None:
    """Flushes a file, so that between two renames there is no waiting for the disk."""
    if not is_remote(prefix):
        out.flush()
        os.fsync(out.fileno())


def remove_other_shards(prefix: str, count: int) -> None:
    """Removes the data files of a former checkpoint of that prefix that had another number of them."""
    base = re.split(r"[/\\]", prefix)[-1]
    directory = prefix[: len(prefix) - len(base)] or "."
    data_file = re.compile(rf"{re.escape(base)}\.data-\d{{5}}-of-(\d{{5}})")
    for name in list_dir(directory):
        found = data_file.fullmatch(name)
        if found is not None and int(found.group(1)) != count:
            remove_file(join(directory, name))


def _add(entries: dict[bytes, pb.BundleEntryProto], shard: _Shard, name: str, tensor: Tensor, spec: str | None) -> None:
    key = name.encode("utf-8", "surrogateescape")
    if spec is not None:
        full_name, _, rest = spec.partition(" ")
        shape, part = TensorSlice.parse(rest)
        key = full_name.encode("utf-8", "surrogateescape")
        if part.sizes(shape) != tensor.shape:
            raise InputError(
                f"{spec!r} is a slice of the shape {show(part.sizes(shape))}, but its values have {show(tensor.shape)}."
            )
        if key and not part.is_all_of(shape):
            _add_slice(entries, key, shard.number, pb.BundleEntryProto(dtype=tensor.dtype.number), shape, part, spec)
            key = part.key(full_name)
    if not key:
        raise InputError("A tensor needs a name; the empty one is that of the checkpoint's header.")
    if key in entries:
        raise InputError(f"Two tensors are called {name!r}.")
    entries[key] = _store(shard, tensor, name)


def _add_slice(
    entries: dict[bytes, pb.BundleEntryProto],
    key: bytes,
    shard: int,
    fresh: pb.BundleEntryProto,
    shape: tuple[int, ...],
    part: TensorSlice,
    spec: str,
) -> None:
    """Notes a slice in the entry of its whole tensor, which says the data file of the first one."""
    fresh.shape.CopyFrom(shape_proto(shape))
    if key not in entries:
        fresh.shard_id = shard
        entries[key] = fresh
    whole = entries[key]
    if whole is not fresh and not (whole.slices and whole.dtype == fresh.dtype and whole.shape == fresh.shape):
        raise InputError(f"The slice {spec!r} does not fit what else is saved under its name.")
    whole.slices.append(part.to_proto())


def _store(shard: _Shard, tensor: Tensor, name: str) -> pb.BundleEntryProto:
    """Writes the values of a tensor and gives its entry."""
    entry = pb.BundleEntryProto(dtype=tensor.dtype.number, shard_id=shard.number, offset=shard.offset)
    entry.shape.CopyFrom(shape_proto(tensor.shape))
    crc = 0
    if isinstance(tensor, OpaqueTensor):
        for stored in tensor.stored():
            shard.write(stored)
        crc = unmask(tensor.crc)
    elif tensor.dtype.is_string:
        for piece, crc_so_far in encoded_strings(tensor):
            shard.write(piece)
            crc = crc_so_far
    elif tensor.dtype.itemsize:
        for chunk in tensor.chunks():
            crc = crc32c(chunk, crc)
            shard.write(chunk)
    else:
        raise InputError(f"{name!r} is a {tensor.dtype}, whose values cannot be saved.")
    entry.size, entry.crc32c = shard.offset - entry.offset, mask(crc)
    return entry
