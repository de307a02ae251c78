"""Checkpoint V1: one sorted string table of SavedTensorSlices messages, or several of a sharded checkpoint.

key ""        `meta`: for every tensor its name, shape, dtype and slices
other keys    one slice each (see `slices`; a whole tensor is the slice of all of it): `data`, with the values in the
              typed list of its dtype, without dtype and shape, as TensorFlow's writer leaves them
sharded       PREFIX-00000-of-00002, PREFIX-00001-of-00002: each such a table of its own. TensorFlow calls the whole
              PREFIX-?????-of-00002, and so do we

Lists of float32, float64 and complex numbers are runs of raw values and stay in the file; the others are varints and
are decoded when they are asked for. Source: TensorFlow's saved_tensor_slice.proto and tensor_slice_writer.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..base.dtypes import DTYPES, DType
from ..base.errors import DamagedError, FileError, InputError, LimitError, UnsupportedError
from ..base.files import CHUNK, Path, Span, atomic_write, is_file, open_file, remove_file
from ..base.shapes import element_count, show
from ..base.tensors import Array, Tensor
from ..graph.attrs import shape_proto
from ..wire import messages as pb
from ..wire.records import BYTES, VARINT, Walker
from ..wire.table import Table, TableWriter, Value
from ..wire.tensor_proto import MAX_PARSED, tensor_of
from ..wire.varint import varint
from .parsing import parse, whole_shape
from .partitioned import Part, PartitionedTensor
from .slices import FULL, TensorSlice

VERSION = 1
MAX_SHARDS = 99_999
"""The most that the five digits of a shard's name can count."""

SHARDED = re.compile(r"(?P<base>.*)-\?{5}-of-(?P<count>\d{5})", re.DOTALL)
"""The name of a sharded checkpoint."""
SHARD = re.compile(r"(?P<base>.*)-\d{5}-of-(?P<count>\d{5})", re.DOTALL)
"""The name of one file of it."""

# dtype -> the list of a TensorProto, its field number, and whether it is a run of raw values
LISTS: dict[str, tuple[str, int, bool]] = {
    "float32": ("float_val", 5, True),
    "float64": ("double_val", 6, True),
    "complex64": ("scomplex_val", 9, True),
    "complex128": ("dcomplex_val", 12, True),
    **dict.fromkeys(("int32", "uint8", "int16", "int8", "uint16", "quint8", "qint8", "qint32"), ("int_val", 7, False)),
    "int64": ("int64_val", 10, False),
    "bool": ("bool_val", 11, False),
    "float16": ("half_val", 13, False),
    "string": ("string_val", 8, False),
}


def shard_paths(prefix: str) -> list[str]:
    """The files of a V1 checkpoint: one, or those that a name such as `model-?????-of-00002` means."""
    sharded = SHARDED.fullmatch(prefix)
    if sharded is None:
        return [prefix]
    count = int(sharded["count"])
    return [f"{sharded['base']}-{number:05d}-of-{count:05d}" for number in range(count)]


def meta_path(prefix: str) -> str:
    """The path of the graph that TensorFlow writes beside a checkpoint of either version."""
    sharded = SHARDED.fullmatch(prefix)
    return f"{sharded['base'] if sharded else prefix}.meta"


@dataclass(slots=True)
class _Entry:
    """One tensor: what the tables say of it, and in which of them each of its slices lies."""

    dtype: int
    shape: pb.TensorShapeProto
    slices: list[tuple[TensorSlice, Table]] = field(default_factory=list)


class SliceTables:
    """A V1 checkpoint that is open for reading: the lists of tensors are read at once, values when they are asked for.

    FileError when a file is missing; DamagedError, with the file and the place, when it does not add up.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.shards = shard_paths(prefix)
        self.tables: list[Table] = []
        entries: dict[str, _Entry] = {}
        for path in self.shards:
            if len(self.shards) > 1 and not is_file(path):
                raise FileError(f"{path} is missing; the checkpoint {prefix} has {len(self.shards)} files.")
            table = Table(open_file(path))
            self.tables.append(table)
            for meta in _meta(table).tensor:
                entry = entries.setdefault(meta.name, _Entry(meta.type, meta.shape))
                if entry.dtype != meta.type or entry.shape != meta.shape:
                    raise DamagedError(f"{path}: {meta.name!r} is said to have several dtypes or shapes.")
                entry.slices += [(TensorSlice.of(proto), table) for proto in meta.slice]
        self.entries = dict(sorted(entries.items()))

    def where(self, name: str) -> str:
        """How errors call an entry."""
        return f"{self.prefix}: {name!r}"

    def tensor(self, name: str) -> Tensor:
        """A tensor; one of several slices is put together when its values are asked for."""
        entry, where = self.entries[name], self.where(name)
        dtype = DTYPES.get(entry.dtype)
        if dtype is None or dtype.base.name not in LISTS:
            known = entry.dtype if dtype is None else dtype
            raise DamagedError(f"{where}: has the dtype {known}, which a checkpoint of version 1 cannot hold.")
        shape = whole_shape(entry.shape, where)
        slices = entry.slices or [(all_of(shape), table) for table in self.tables]
        parts = [self._part(name, part, table, dtype.base, shape) for part, table in slices]
        if len(parts) == 1 and parts[0][1].shape == shape:
            return parts[0][1]
        return PartitionedTensor(dtype.base, shape, parts, where)

    def _part(self, name: str, part: TensorSlice, table: Table, dtype: DType, shape: tuple[int, ...]) -> Part:
        where = f"{table.file.name}: {name!r}, slice {part}"
        box = part.box(shape, where)
        value = table.find(part.key(name))
        if value is None:
            raise DamagedError(f"{where}: its values are missing.")
        return box, _values(table, value, dtype, part.sizes(shape), where)

    def complaints(self) -> Iterator[str]:
        """What is wrong with the tables as a whole: blocks that fail their checksums."""
        for table in self.tables:
            try:
                table.check_all()
            except DamagedError as error:
                yield str(error)


def _meta(table: Table) -> pb.SavedTensorSliceMeta:
    name = table.file.name
    value = table.find(b"")
    if value is None:
        raise DamagedError(f"{name}: a table without a list of tensors; it is no checkpoint of version 1.")
    if value.span.length > MAX_PARSED:
        raise LimitError(f"{name}: its list of tensors has {value.span.length} bytes, more than protobuf can read.")
    table.check(value.block)
    meta = parse(pb.SavedTensorSlices, value.span.read(), name).meta
    if meta.versions.min_consumer > VERSION or VERSION in meta.versions.bad_consumers:
        raise UnsupportedError(
            f"{name}: asks for a reader of version {meta.versions.min_consumer} of the format; this one is of version"
            f" {VERSION}."
        )
    return meta


def all_of(shape: tuple[int, ...]) -> TensorSlice:
    """The slice that is a whole tensor."""
    return TensorSlice((0,) * len(shape), (FULL,) * len(shape))


# --- the values of a slice


def _values(table: Table, value: Value, dtype: DType, shape: tuple[int, ...], where: str) -> Tensor:
    """The tensor of a slice: where its values lie as they are, or what decodes them."""
    _, number, is_raw = LISTS[dtype.name]
    run = _run(value.span, number) if is_raw else None
    if run is None:
        return Tensor.lazy(dtype, shape, partial(_decoded, table, value, dtype, shape, where))
    expected = element_count(shape) * dtype.itemsize
    if run.length != expected:
        raise DamagedError(f"{where}: {dtype} {show(shape)} takes {expected} bytes, but {run.length} are there.")
    return Tensor.mapped(dtype, shape, run, _block_check(table, value.block))


def _block_check(table: Table, block: int) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    """A check of streamed bytes by the checksum of the block in which they lie."""

    def check(pieces: Iterator[bytes]) -> Iterator[bytes]:
        table.check(block)
        yield from pieces

    return check


def _run(span: Span, number: int) -> Span | None:
    """Where the values of a slice lie in one run; None when they do not, and protobuf has to read them."""
    walker = Walker(span.file)
    start, end = span.offset, span.offset + span.length
    for name, wanted in (("SavedTensorSlices", 2), ("SavedSlice", 3)):
        found = [(body, stop) for n, wire, _, body, stop, _ in walker.records(start, end, name) if n == wanted]
        if len(found) != 1:
            return None
        start, end = found[0]
    run: Span | None = None
    for n, wire, _, body, stop, _ in walker.records(start, end, "TensorProto"):
        if (n, wire) in ((1, VARINT), (2, BYTES), (3, VARINT)):  # dtype, shape and version, which are not used
            continue
        if run is not None or (n, wire) != (number, BYTES):
            return None
        run = Span(span.file, body, stop - body)
    return run


def _decoded(table: Table, value: Value, dtype: DType, shape: tuple[int, ...], where: str) -> Array:
    table.check(value.block)
    if value.span.length > MAX_PARSED:
        raise LimitError(f"{where}: has {value.span.length} bytes, more than protobuf can read.")
    proto = parse(pb.SavedTensorSlices, value.span.read(), where).data.data
    listed = len(getattr(proto, LISTS[dtype.name][0])) // (2 if dtype.is_complex else 1)
    if not proto.tensor_content and listed != element_count(shape):
        raise DamagedError(f"{where}: a slice of {element_count(shape)} elements holds {listed}.")
    proto.dtype = dtype.number
    proto.tensor_shape.CopyFrom(shape_proto(shape))
    return tensor_of(proto, {}).numpy()


# --- writing


def write_slice_tables(
    prefix: Path,
    tensors: Mapping[str, Tensor],
    shards: Sequence[Sequence[str]],
    slices: Mapping[str, str] | None = None,
) -> str:
    """Writes a V1 checkpoint and gives its name. `shards` lists the names that go into each file; `slices` gives for a
    key that holds a part of a partitioned tensor `NAME spec`.

    LimitError for a tensor of 2 GiB or more, InputError for a dtype that the format cannot hold.
    """
    name = str(prefix) if len(shards) == 1 else f"{prefix}-?????-of-{len(shards):05d}"
    paths = shard_paths(name)
    with contextlib.ExitStack() as files:
        # The first file takes its name last, and one that stands there goes first: a reader needs all of them.
        for path, keys in zip(paths, shards, strict=True):
            out = files.enter_context(atomic_write(path))
            _write_table(TableWriter(out.write), {key: tensors[key] for key in keys}, slices or {})
        if len(paths) > 1:
            remove_file(paths[0])
    return name


def _write_table(writer: TableWriter, tensors: Mapping[str, Tensor], slices: Mapping[str, str]) -> None:
    metas: dict[str, pb.SavedSliceMeta] = {}
    values: dict[bytes, tuple[bytes, Tensor]] = {}
    parts = {key: slices[key].partition(" ") if key in slices else (key, "", "") for key in tensors}
    for key in sorted(tensors, key=lambda key: parts[key][0].encode()):
        tensor = tensors[key]
        if tensor.dtype.name not in LISTS:
            raise InputError(f"{key!r} is {tensor.dtype}, which checkpoints of version 1 cannot hold; write version 2.")
        name, _, spec = parts[key]
        shape, part = TensorSlice.parse(spec) if spec else (tensor.shape, all_of(tensor.shape))
        if not name:
            raise InputError("A tensor needs a name; the empty one is that of the checkpoint's list of tensors.")
        if part.sizes(shape) != tensor.shape:
            raise InputError(
                f"{key!r} is a slice of the shape {show(part.sizes(shape))}, but its values have {show(tensor.shape)}."
            )
        meta = metas.setdefault(name, pb.SavedSliceMeta(name=name, type=tensor.dtype.number, shape=shape_proto(shape)))
        if meta.type != tensor.dtype.number or meta.shape != shape_proto(shape) or part.key(name) in values:
            raise InputError(f"{key!r} does not fit what else is saved as {name!r}.")
        meta.slice.append(part.to_proto())
        saved = pb.SavedSlice(name=name, slice=part.to_proto())
        values[part.key(name)] = saved.SerializeToString(deterministic=True), tensor
    head = pb.SavedTensorSlices()
    head.meta.tensor.extend(metas.values())
    head.meta.versions.producer = VERSION
    writer.add(b"", head.SerializeToString(deterministic=True))
    for table_key in sorted(values):
        size, pieces = _encoded(*values[table_key])
        writer.add_stream(table_key, size, pieces)
    writer.finish()


def _encoded(head: bytes, tensor: Tensor) -> tuple[int, Iterator[bytes | memoryview]]:
    """A serialized SavedTensorSlices of a SavedSlice's other fields and its values: its size, and its bytes as a
    stream. LimitError when it is more than a protobuf message may have."""
    _, number, is_raw = LISTS[tensor.dtype.name]
    tag = bytes([number << 3 | BYTES])
    values: Callable[[], Iterator[bytes | memoryview]]
    if tensor.dtype.is_string:
        values = partial(_strings, tensor, tag)
        length = sum(map(len, values()))
        lead = b""
    else:
        values = tensor.chunks if is_raw else partial(_varints, tensor)
        length = tensor.nbytes if is_raw else sum(map(len, values()))
        lead = tag + varint(length) if length else b""
    inner = len(lead) + length
    middle = head + b"\x1a" + varint(inner)
    lead = b"\x12" + varint(len(middle) + inner) + middle + lead
    if len(lead) + length > MAX_PARSED:
        raise LimitError(
            f"A tensor of {tensor.dtype} {show(tensor.shape)} takes {len(lead) + length} bytes; in a checkpoint of"
            f" version 1 at most {MAX_PARSED} are possible. Write version 2."
        )

    def pieces() -> Iterator[bytes | memoryview]:
        yield lead
        yield from values()

    return len(lead) + length, pieces()


def _strings(tensor: Tensor, tag: bytes) -> Iterator[bytes]:
    for item in tensor.numpy().flat:
        yield tag + varint(len(item)) + item


def _varints(tensor: Tensor) -> Iterator[bytes]:
    """The values of integers, booleans and half floats as varints; negative ones in ten bytes, as protobuf has them."""
    flat = tensor.numpy().reshape(-1)
    count = CHUNK // 16
    for start in range(0, len(flat), count):
        part = flat[start : start + count]
        numbers = part.view(np.uint16) if tensor.dtype.name == "float16" else part
        yield _packed(numbers.astype(np.int64).view(np.uint64))


def _packed(numbers: Array) -> bytes:
    limits = np.array([1 << 7 * k for k in range(1, 10)], np.uint64)
    widths = np.searchsorted(limits, numbers, side="right") + 1
    starts = np.cumsum(widths) - widths
    out = np.zeros(int(widths.sum()), np.uint8)
    for k in range(int(widths.max(initial=0))):
        has = widths > k
        low = (numbers[has] >> np.uint64(7 * k)).astype(np.uint8) & 0x7F
        out[starts[has] + k] = low | np.where(widths[has] > k + 1, 0x80, 0).astype(np.uint8)
    return out.tobytes()
