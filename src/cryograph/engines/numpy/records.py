"""Tensors written as messages (TensorProto) in strings, and read back; sparse ones as three of them."""

from __future__ import annotations

from math import prod

import numpy as np
from google.protobuf.message import DecodeError

from ...base.dtypes import INT64, STRING, DType, dtype_of
from ...base.errors import Error, RunError
from ...base.tensors import Array
from ...wire import messages as pb
from ...wire.tensor_proto import tensor_of
from ...wire.varint import read_varint, varint
from .context import Context, Rule
from .sparse import check


def written(x: Array, dtype: DType, packs_strings: bool = False) -> bytes:
    """A tensor as TensorFlow writes it: plain content; strings one by one, or packed: all lengths, then all bytes."""
    proto = pb.TensorProto(dtype=dtype.number)
    proto.tensor_shape.SetInParent()
    for size in x.shape:
        proto.tensor_shape.dim.add(size=size)
    if dtype.is_string and packs_strings:
        items = x.reshape(-1).tolist()
        proto.tensor_content = b"".join([*(varint(len(item)) for item in items), *items])
    elif dtype.is_string:
        proto.string_val.extend(x.reshape(-1).tolist())
    elif x.size:
        proto.tensor_content = np.ascontiguousarray(x).tobytes()
    return proto.SerializeToString(deterministic=True)


def read(text: bytes, dtype: DType | None) -> Array:
    """The tensor of a message; RunError when it is none, or of another dtype."""
    try:
        proto = pb.TensorProto.FromString(text)
        if proto.dtype == STRING.number and proto.tensor_content:
            _unpack(proto)
        tensor = tensor_of(proto, {})
        found = tensor.numpy()
    except (DecodeError, Error) as error:
        raise RunError(f"the string is no tensor: {error}") from error
    if dtype is not None and tensor.dtype != dtype:
        raise RunError(f"the string holds a tensor of {tensor.dtype}, where one of {dtype} was expected")
    return found


def _unpack(proto: pb.TensorProto) -> None:
    """Puts packed strings one by one; RunError when they do not fill the content."""
    data, place = proto.tensor_content, 0
    sizes = []
    for _ in range(min(prod(dim.size for dim in proto.tensor_shape.dim), len(data))):
        size, place = read_varint(data, place)
        sizes.append(size)
    if place + sum(sizes) != len(data):
        raise RunError("the packed strings do not fill their content")
    for size in sizes:
        proto.string_val.append(data[place : place + size])
        place += size
    proto.ClearField("tensor_content")


def _string(value: bytes) -> Array:
    held = np.empty((), object)
    held[()] = value
    return held


def _parse(ctx: Context, serialized: Array) -> Array:
    if serialized.ndim:
        raise RunError(f"one string was expected, not {list(serialized.shape)}")
    return read(serialized.item(), ctx.output_dtypes[0])


def _dtype_of_input(ctx: Context) -> DType | None:
    found = ctx.step.attrs.get("T")
    return found if isinstance(found, DType) else None


def _serialize(ctx: Context, x: Array) -> Array:
    return _string(written(x, _dtype_of_input(ctx) or dtype_of(x.dtype)))


def _row(indices: Array, values: Array, shape: Array, dtype: DType) -> list[bytes]:
    return [written(indices, INT64), written(values, dtype, packs_strings=True), written(shape, INT64)]


def _strings(rows: list[list[bytes]]) -> Array:
    made = np.empty((len(rows), 3), object)
    for n, row in enumerate(rows):
        made[n] = row
    return made


def serialize_sparse(ctx: Context, indices: Array, values: Array, shape: Array) -> Array:
    """Three strings for a sparse tensor."""
    check(indices, values, shape)
    return np.asarray(_strings([_row(indices, values, shape, _dtype_of_input(ctx) or dtype_of(values.dtype))])[0])


def serialize_many(ctx: Context, indices: Array, values: Array, shape: Array) -> Array:
    """A row of strings for each element along the first dimension, which the rows then lack."""
    check(indices, values, shape)
    if len(shape) < 2:
        raise RunError(f"a tensor of {shape.tolist()} has no rows")
    dtype = _dtype_of_input(ctx) or dtype_of(values.dtype)
    count = int(shape[0])
    if len(indices) and (indices[:, 0].min() < 0 or indices[:, 0].max() >= count):
        raise RunError(f"a row is not in [0, {count})")
    rows = []
    for n in range(count):
        inside = indices[:, 0] == n
        rows.append(_row(indices[inside, 1:], values[inside], shape[1:], dtype))
    return _strings(rows)


def read_rows(texts: Array, dtype: DType | None) -> tuple[Array, Array, Array]:
    """Sparse tensors of one rank as one, a dimension in front counting them; the largest sizes win."""
    parts = [(read(row[0], INT64), read(row[1], dtype), read(row[2], INT64)) for row in texts]
    for indices, values, shape in parts:
        check(indices, values, shape)
    if not parts or len({len(shape) for _, _, shape in parts}) != 1:
        raise RunError("sparse tensors of one rank were expected")
    numbered = [np.concatenate([np.full((len(i), 1), n, np.int64), i], 1) for n, (i, _, _) in enumerate(parts)]
    sizes = np.max([shape for _, _, shape in parts], 0)
    values = np.concatenate([values for _, values, _ in parts])
    return np.concatenate(numbered), values, np.append(len(parts), sizes).astype(np.int64)


def _deserialize_many(ctx: Context, texts: Array) -> tuple[Array, Array, Array]:
    if texts.ndim != 2 or texts.shape[1] != 3:
        raise RunError(f"rows of three strings were expected, not {list(texts.shape)}")
    return read_rows(texts, ctx.output_dtypes[1])


def _deserialize(ctx: Context, texts: Array) -> tuple[Array, Array, Array]:
    """Of one tensor itself; of several with their dimensions in front."""
    if not texts.ndim or texts.shape[-1] != 3:
        raise RunError(f"three strings were expected, not {list(texts.shape)}")
    if texts.ndim == 1:
        indices, values = read(texts[0], INT64), read(texts[1], ctx.output_dtypes[1])
        shape = read(texts[2], INT64)
        check(indices, values, shape)
        return indices, values, shape
    lead = texts.shape[:-1]
    indices, values, shape = read_rows(texts.reshape(-1, 3), ctx.output_dtypes[1])
    places = np.stack(np.unravel_index(indices[:, 0], lead), -1)
    return np.concatenate([places, indices[:, 1:]], 1), values, np.append(lead, shape[1:]).astype(np.int64)


RULES: dict[str, Rule] = {
    "DeserializeManySparse": _deserialize_many,
    "DeserializeSparse": _deserialize,
    "ParseTensor": _parse,
    "SerializeManySparse": serialize_many,
    "SerializeSparse": serialize_sparse,
    "SerializeTensor": _serialize,
}
