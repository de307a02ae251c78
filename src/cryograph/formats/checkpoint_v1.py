"""Checkpoint V1: one sorted string table of SavedTensorSlices messages.

key ""        `meta`: for every tensor its name, shape, dtype and slices
other keys    one slice each (see `slices`; a whole tensor is the slice of all of it): `data`, with the values in the
typed
              list of its dtype, as TensorFlow's writer leaves them

Source: TensorFlow's saved_tensor_slice.proto and tensor_slice_writer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from google.protobuf.message import DecodeError

from ..base.dtypes import DTYPES, DType
from ..base.errors import DamagedError, InputError, LimitError
from ..base.files import Path, atomic_write, open_file
from ..base.shapes import element_count, show
from ..base.tensors import Array, Tensor
from ..graph.attrs import shape_of, shape_proto
from ..wire import messages as pb
from ..wire.table import Table, TableWriter
from ..wire.tensor_proto import tensor_of
from .slices import FULL, TensorSlice

MAX_SLICE_BYTES = (1 << 31) - 1
"""A slice is one protobuf message, which cannot be larger."""

# dtype -> typed list of a TensorProto
LISTS: dict[str, str] = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int_val",
    "uint8": "int_val",
    "int16": "int_val",
    "int8": "int_val",
    "uint16": "int_val",
    "quint8": "int_val",
    "qint8": "int_val",
    "qint32": "int_val",
    "qint16": "int_val",
    "quint16": "int_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "string": "string_val",
}


class SliceTable:
    """A V1 checkpoint that is open for reading. Values are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.file = open_file(path)
        self._values: dict[bytes, bytes] = {}
        meta: pb.SavedTensorSlices | None = None
        for key, value in Table(self.file):
            if key:
                self._values[key] = value
                continue
            try:
                meta = pb.SavedTensorSlices.FromString(value)
            except DecodeError as error:
                raise DamagedError(f"{self.file.name}: its list of tensors cannot be read.") from error
        if meta is None:
            raise DamagedError(
                f"{self.file.name}: a table without a list of tensors; it is no checkpoint of version 1."
            )
        self.entries = {tensor.name: tensor for tensor in meta.meta.tensor}

    def where(self, name: str) -> str:
        """How errors call an entry."""
        return f"{self.file.name}: {name!r}"

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor."""
        shape = shape_of(self.entries[name].shape)
        if shape is None or None in shape:
            raise DamagedError(f"{self.where(name)}: has the shape {show(shape)}; stored tensors have a whole one.")
        return tuple(size for size in shape if size is not None)

    def tensor(self, name: str) -> Tensor:
        """A tensor, put together from its slices when its values are asked for."""
        entry, where, shape = self.entries[name], self.where(name), self.shape(name)
        dtype = DTYPES.get(entry.type)
        if dtype is None or dtype.numpy is None:
            raise DamagedError(f"{where}: has the dtype {entry.type}, which a checkpoint of version 1 cannot hold.")
        slices = [TensorSlice.of(proto) for proto in entry.slice] or [_all_of(shape)]
        found = [(part.box(shape, where), self._values.get(part.key(name))) for part in slices]
        missing = sum(value is None for _, value in found)
        if missing:
            raise DamagedError(f"{where}: {missing} of its {len(found)} slices are missing.")
        base = dtype.base

        def assembled() -> Array:
            covered = sum(element_count([b.stop - b.start for b in box]) for box, _ in found)
            if covered < element_count(shape):
                raise DamagedError(f"{where}: its slices do not cover the shape {show(shape)}.")
            parts = [(box, _values(data or b"", base, box, where)) for box, data in found]
            if len(parts) == 1 and parts[0][1].shape == shape:
                return parts[0][1]
            whole: Array = np.zeros(shape, base.numpy)
            for box, values in parts:
                whole[box] = values
            return whole

        return Tensor.lazy(base, shape, assembled)


def _all_of(shape: tuple[int, ...]) -> TensorSlice:
    return TensorSlice((0,) * len(shape), (FULL,) * len(shape))


def _values(data: bytes, dtype: DType, box: tuple[slice, ...], where: str) -> Array:
    try:
        saved = pb.SavedTensorSlices.FromString(data)
    except DecodeError as error:
        raise DamagedError(f"{where}: a slice cannot be read.") from error
    sizes = [b.stop - b.start for b in box]
    proto = pb.TensorProto()
    proto.CopyFrom(saved.data.data)
    proto.dtype = dtype.number
    proto.tensor_shape.CopyFrom(shape_proto(tuple(sizes)))
    field = LISTS.get(dtype.name)
    stored = len(getattr(proto, field)) if field else 0
    if dtype.is_complex:
        stored //= 2
    if not proto.tensor_content and stored != element_count(sizes):
        raise DamagedError(f"{where}: a slice of {element_count(sizes)} elements holds {stored}.")
    return tensor_of(proto, {}).numpy()


def write_slice_table(path: Path, tensors: Mapping[str, Tensor], slices: Mapping[str, str] | None = None) -> None:
    """Writes a V1 checkpoint. `slices` gives for a key that holds a part of a partitioned tensor `NAME spec`.

    LimitError for a tensor of 2 GiB or more, InputError for a dtype that the format cannot hold.
    """
    metas: dict[str, pb.SavedSliceMeta] = {}
    values: dict[bytes, pb.SavedTensorSlices] = {}
    for key, tensor in tensors.items():
        if tensor.nbytes > MAX_SLICE_BYTES:
            raise LimitError(
                f"{key!r} has {tensor.nbytes} bytes; checkpoints of version 1 hold less than 2 GiB a tensor."
            )
        name, _, rest = (slices or {}).get(key, key).partition(" ")
        shape, part = TensorSlice.parse(rest) if rest else (tensor.shape, _all_of(tensor.shape))
        meta = metas.setdefault(name, pb.SavedSliceMeta(name=name, type=tensor.dtype.number))
        meta.shape.CopyFrom(shape_proto(shape))
        meta.slice.append(part.to_proto())
        saved = pb.SavedTensorSlices()
        saved.data.name = name
        saved.data.slice.CopyFrom(part.to_proto())
        _fill(saved.data.data, tensor, key)
        values[part.key(name)] = saved
    head = pb.SavedTensorSlices()
    head.meta.tensor.extend(metas.values())
    head.meta.versions.producer = 1
    with atomic_write(path) as out:
        writer = TableWriter(out.write)
        writer.add(b"", head.SerializeToString(deterministic=True))
        for table_key in sorted(values):
            writer.add(table_key, values[table_key].SerializeToString(deterministic=True))
        writer.finish()


def _fill(proto: pb.TensorProto, tensor: Tensor, key: str) -> None:
    field = LISTS.get(tensor.dtype.name)
    if field is None:
        raise InputError(f"{key!r} is {tensor.dtype}, which checkpoints of version 1 cannot hold; write version 2.")
    array = tensor.numpy().reshape(-1)
    if tensor.dtype.is_complex:
        array = array.view(array.real.dtype)
    elif field == "half_val":
        array = array.view(np.uint16)
    getattr(proto, field).extend(array.tolist())
