"""Maps of tensors, optional values and composites: what flows as scalars of dtype variant beside lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError

from ...base.errors import RunError
from ...base.shapes import Shape, show
from ...base.tensors import Array
from ...ops.facts import Contradiction, merge
from ...wire import messages as pb
from ...wire.varint import read_varint
from .context import Context, Rule
from .lists import boxed

Key = tuple[str, tuple[int, ...], object]


@dataclass(frozen=True, slots=True, eq=False)
class TensorMap:
    """Tensors by tensors: each key's contents lead to the key and to its value, in the order in which they came."""

    entries: dict[Key, tuple[Array, Array]]


@dataclass(frozen=True, slots=True, eq=False)
class Optional:
    """The tensors of a value that may be missing (None)."""

    components: tuple[Array, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """The tensors of a composite one, such as a ragged tensor; `kind` is the number of its TypeSpecClass."""

    kind: int
    components: tuple[Array, ...]


def _map(handle: Array) -> TensorMap:
    held = handle.item() if handle.ndim == 0 else None
    if not isinstance(held, TensorMap):
        raise RunError("a map of tensors was expected")
    return held


def _key(tensor: Array) -> Key:
    """What tells keys apart: dtype, shape and contents."""
    return tensor.dtype.str, tensor.shape, tuple(tensor.reshape(-1).tolist())


def _empty(ctx: Context) -> Array:
    return boxed(TensorMap({}))


def _size(ctx: Context, handle: Array) -> Array:
    return np.array(len(_map(handle).entries), np.int32)


def _insert(ctx: Context, handle: Array, key: Array, value: Array) -> Array:
    return boxed(TensorMap({**_map(handle).entries, _key(key): (key, value)}))


def _lookup(ctx: Context, handle: Array, key: Array) -> Array:
    found = _map(handle).entries.get(_key(key))
    if found is None:
        raise RunError(f"the map has no key {key.tolist()}")
    return found[1]


def _has_key(ctx: Context, handle: Array, key: Array) -> Array:
    return np.array(_key(key) in _map(handle).entries)


def _erase(ctx: Context, handle: Array, key: Array) -> Array:
    entries, gone = _map(handle).entries, _key(key)
    if gone not in entries:
        raise RunError(f"the map has no key {key.tolist()}")
    return boxed(TensorMap({name: entry for name, entry in entries.items() if name != gone}))


def _stack_keys(ctx: Context, handle: Array) -> Array:
    keys = [key for key, _ in _map(handle).entries.values()]
    if not keys:
        raise RunError("the map is empty: it has no keys to be stacked")
    if any(key.dtype != ctx.dtype for key in keys):
        raise RunError(f"not all keys of the map are {ctx.output_dtypes[0]}")
    if any(key.shape != keys[0].shape for key in keys):
        raise RunError("the keys of the map have several shapes")
    return np.stack(keys)


def _optional(handle: Array) -> Optional:
    held = handle.item() if handle.ndim == 0 else None
    if not isinstance(held, Optional):
        raise RunError("an optional value was expected")
    return held


def _none(ctx: Context) -> Array:
    return boxed(Optional(None))


def _from_value(ctx: Context, *components: Array) -> Array:
    return boxed(Optional(components))


def _has_value(ctx: Context, handle: Array) -> Array:
    return np.array(_optional(handle).components is not None)


def _get_value(ctx: Context, handle: Array, *, output_shapes: list[Shape]) -> tuple[Array, ...]:
    components = _optional(handle).components
    if components is None:
        raise RunError("the optional value is missing")
    if len(components) != len(ctx.output_dtypes):
        raise RunError(f"the optional value has {len(components)} tensors, where {len(ctx.output_dtypes)} are expected")
    for tensor, dtype, shape in zip(components, ctx.output_dtypes, output_shapes, strict=True):
        if dtype.numpy is not None and tensor.dtype != dtype.numpy:
            raise RunError(f"the optional value holds {tensor.dtype}, where {dtype} is expected")
        try:
            merge(shape if isinstance(shape, tuple) else None, tensor.shape)
        except Contradiction as error:
            raise RunError(f"the optional value has shape {show(tensor.shape)}: {error}") from error
    return components


def _kind(metadata: bytes) -> int:
    """The TypeSpecClass in a CompositeTensorVariantMetadata, whose one field (1) is a TypeSpecProto."""
    if metadata[:1] != b"\x0a":
        return 0
    size, start = read_varint(metadata, 1)
    try:
        return int(pb.TypeSpecProto.FromString(metadata[start : start + size]).type_spec_class)
    except DecodeError as error:
        raise RunError(f"the attribute 'metadata' is no TypeSpecProto: {error}") from error


def _composite(ctx: Context, *components: Array, metadata: bytes) -> Array:
    return boxed(Composite(_kind(metadata), components))


def _components(ctx: Context, encoded: Array, *, metadata: bytes) -> tuple[Array, ...]:
    held = encoded.item() if encoded.ndim == 0 else None
    if not isinstance(held, Composite):
        raise RunError("a composite tensor was expected")
    if held.kind != _kind(metadata):
        raise RunError("a composite tensor of another kind was expected")
    dtypes = [dtype.numpy or np.dtype(object) for dtype in ctx.output_dtypes]
    if [tensor.dtype for tensor in held.components] != dtypes:
        raise RunError(f"the composite tensor has other components than {', '.join(map(str, ctx.output_dtypes))}")
    return held.components


RULES: dict[str, Rule] = {
    "CompositeTensorVariantFromComponents": _composite,
    "CompositeTensorVariantToComponents": _components,
    "EmptyTensorMap": _empty,
    "OptionalFromValue": _from_value,
    "OptionalGetValue": _get_value,
    "OptionalHasValue": _has_value,
    "OptionalNone": _none,
    "TensorMapErase": _erase,
    "TensorMapHasKey": _has_key,
    "TensorMapInsert": _insert,
    "TensorMapLookup": _lookup,
    "TensorMapSize": _size,
    "TensorMapStackKeys": _stack_keys,
}
