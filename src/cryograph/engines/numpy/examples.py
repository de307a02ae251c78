"""Examples (tf.Example messages) taken apart into dense, sparse and ragged tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from ...base.dtypes import DType
from ...base.errors import RunError
from ...base.shapes import Shape
from ...base.tensors import Array
from ...wire import messages as pb
from .context import Context, Rule

_LISTS = {"float32": "float_list", "int64": "int64_list", "string": "bytes_list"}


@dataclass(frozen=True, slots=True)
class Dense:
    """A feature of a fixed shape, or with None in front of any length; `default` stands for one that is not there."""

    key: str
    dtype: DType
    shape: Shape
    default: Array


@dataclass(frozen=True, slots=True)
class Listed:
    """A feature of any length, which becomes a sparse or a ragged tensor."""

    key: str
    dtype: DType


Features = Mapping[str, Any]


def parsed(serialized: bytes, name: str) -> Features:
    """The features of one example."""
    message = pb.Example()
    try:
        message.ParseFromString(serialized)
    except DecodeError as error:
        raise RunError(f"{name} is not an Example message: {error}") from error
    return message.features.feature


def items(features: Features, key: str, dtype: DType, name: str) -> list[Any] | None:
    """The values of one feature; None when it is not there. RunError when it has another kind."""
    if key not in features:
        return None
    feature = features[key]
    kind = feature.WhichOneof("kind")
    if kind is None:
        return None
    if kind != _LISTS.get(dtype.name):
        raise RunError(f"{name}: the feature {key!r} is a {kind}, not of {dtype}")
    return list(getattr(feature, kind).value)


def array(values: Sequence[Any], dtype: DType) -> Array:
    """Values of one dtype."""
    if dtype.numpy is None or dtype.is_string:
        made = np.empty(len(values), object)
        made[:] = list(values)
        return made
    return np.array(values, dtype.numpy)


def _dense(examples: Sequence[Features], names: Sequence[str], asked: Dense) -> Array:
    shape = asked.shape or ()
    rows = [items(features, asked.key, asked.dtype, name) for features, name in zip(examples, names, strict=True)]
    if shape and shape[0] is None:
        each = prod(size or 0 for size in shape[1:])
        for row, name in zip(rows, names, strict=True):
            if row is not None and (each == 0 or len(row) % each):
                raise RunError(f"{name}: the feature {asked.key!r} has {len(row)} values, not a multiple of {each}")
        longest = max((len(row) for row in rows if row is not None), default=0)
        out = np.empty((len(rows), longest), array([], asked.dtype).dtype)
        out[...] = asked.default.reshape(-1)[0] if asked.default.size else _nothing(asked.dtype)
        for n, row in enumerate(rows):
            if row:
                out[n, : len(row)] = array(row, asked.dtype)
        return out.reshape(len(rows), longest // each if each else 0, *(size or 0 for size in shape[1:]))
    sizes = [size or 0 for size in shape]
    count = prod(sizes)
    if asked.default.size and list(asked.default.shape) != sizes:
        raise RunError(f"the default of {asked.key!r} has the shape {list(asked.default.shape)}, not {sizes}")
    made = []
    for row, name in zip(rows, names, strict=True):
        if row is None:
            if asked.default.size != count or not (asked.default.size or count == 0):
                raise RunError(f"{name}: the feature {asked.key!r} ({asked.dtype}) is required and is not there")
            made.append(asked.default.reshape(-1))
        elif len(row) != count:
            raise RunError(f"{name}: the feature {asked.key!r} has {len(row)} values; the shape {sizes} takes {count}")
        else:
            made.append(array(row, asked.dtype))
    flat = np.concatenate(made) if made else array([], asked.dtype)
    return flat.reshape(len(rows), *sizes)


def _nothing(dtype: DType) -> Any:
    return b"" if dtype.is_string else 0


def _listed(examples: Sequence[Features], names: Sequence[str], asked: Listed) -> list[list[Any]]:
    pairs = zip(examples, names, strict=True)
    return [items(features, asked.key, asked.dtype, name) or [] for features, name in pairs]


def sparse_of(rows: Sequence[Sequence[Any]], dtype: DType, is_batch: bool) -> tuple[Array, Array, Array]:
    """Rows as a sparse matrix; of one example alone a sparse vector."""
    lengths = [len(row) for row in rows]
    columns = np.concatenate([np.arange(n) for n in lengths]) if rows else np.zeros(0)
    indices = np.stack([np.repeat(np.arange(len(rows)), lengths), columns], -1).astype(np.int64)
    values = array([value for row in rows for value in row], dtype)
    shape = np.array([len(rows), max(lengths, default=0)], np.int64)
    return (indices, values, shape) if is_batch else (indices[:, 1:], values, shape[1:])


def parse(
    serialized: Array,
    names: Array,
    sparse: Sequence[Listed],
    dense: Sequence[Dense],
    ragged: Sequence[Listed],
    split_dtypes: Sequence[Any],
) -> tuple[Array, ...]:
    """All tensors, in the order of the op's outputs."""
    is_batch = serialized.ndim > 0
    if serialized.ndim > 1:
        raise RunError(f"a vector of examples or a single one was expected, not {list(serialized.shape)}")
    texts = serialized.reshape(-1).tolist()
    if names.size not in (0, len(texts)):
        raise RunError(f"{names.size} names were given for {len(texts)} examples")
    called = [n.decode("utf-8", "replace") for n in names.reshape(-1).tolist()]
    called = called or [f"example {n}" for n in range(len(texts))]
    examples = [parsed(text, name) for text, name in zip(texts, called, strict=True)]
    found = [sparse_of(_listed(examples, called, asked), asked.dtype, is_batch) for asked in sparse]
    tensors = [_dense(examples, called, asked) for asked in dense]
    rows = [_listed(examples, called, asked) for asked in ragged]
    flat = [
        array([value for row in each for value in row], asked.dtype) for each, asked in zip(rows, ragged, strict=True)
    ]
    splits = [
        np.append(0, np.cumsum([len(row) for row in each])).astype(dtype) if is_batch else np.zeros(0, dtype)
        for each, dtype in zip(rows, split_dtypes, strict=True)
    ]
    return (
        *(part[n] for n in range(3) for part in found),
        *(tensor if is_batch else tensor[0] for tensor in tensors),
        *flat,
        *splits,
    )


def _keys(keys: Array) -> list[str]:
    return [key.decode("utf-8", "surrogateescape") for key in keys.reshape(-1).tolist()]


def _words(keys: Sequence[bytes]) -> list[str]:
    return [key.decode("utf-8", "surrogateescape") for key in keys]


def _denses(
    keys: Sequence[str], dtypes: Sequence[DType], shapes: Sequence[Shape], defaults: Sequence[Array]
) -> list[Dense]:
    return [Dense(*each) for each in zip(keys, dtypes, shapes, defaults, strict=True)]


def _parse_example(
    ctx: Context, serialized: Array, names: Array, *inputs: Array, Nsparse: int, Ndense: int, dense_shapes: list[Shape]
) -> tuple[Array, ...]:
    sparse_keys = [key.item().decode("utf-8", "surrogateescape") for key in inputs[:Nsparse]]
    dense_keys = [key.item().decode("utf-8", "surrogateescape") for key in inputs[Nsparse : Nsparse + Ndense]]
    outputs = ctx.output_dtypes
    sparse = [Listed(*each) for each in zip(sparse_keys, outputs[Nsparse : 2 * Nsparse], strict=True)]
    dense = _denses(dense_keys, outputs[3 * Nsparse :], dense_shapes, inputs[Nsparse + Ndense :])
    return parse(serialized, names, sparse, dense, (), ())


def _parse_example_v2(
    ctx: Context,
    serialized: Array,
    names: Array,
    sparse_keys: Array,
    dense_keys: Array,
    ragged_keys: Array,
    *defaults: Array,
    num_sparse: int,
    dense_shapes: list[Shape],
) -> tuple[Array, ...]:
    outputs = ctx.output_dtypes
    first, second = 3 * num_sparse, 3 * num_sparse + len(defaults)
    count = ragged_keys.size
    sparse = [Listed(*each) for each in zip(_keys(sparse_keys), outputs[num_sparse : 2 * num_sparse], strict=True)]
    dense = _denses(_keys(dense_keys), outputs[first:second], dense_shapes, defaults)
    ragged = [Listed(*each) for each in zip(_keys(ragged_keys), outputs[second : second + count], strict=True)]
    return parse(serialized, names, sparse, dense, ragged, [dtype.numpy for dtype in outputs[second + count :]])


def _parse_single(
    ctx: Context,
    serialized: Array,
    *defaults: Array,
    num_sparse: int,
    sparse_keys: list[bytes],
    dense_keys: list[bytes],
    dense_shapes: list[Shape],
) -> tuple[Array, ...]:
    if serialized.ndim:
        raise RunError(f"a single example was expected, not {list(serialized.shape)}")
    outputs = ctx.output_dtypes
    sparse = [Listed(*each) for each in zip(_words(sparse_keys), outputs[num_sparse : 2 * num_sparse], strict=True)]
    dense = _denses(_words(dense_keys), outputs[3 * num_sparse :], dense_shapes, defaults)
    return parse(serialized, np.zeros(0, object), sparse, dense, (), ())


RULES: dict[str, Rule] = {
    "ParseExample": _parse_example,
    "ParseExampleV2": _parse_example_v2,
    "ParseSingleExample": _parse_single,
}
