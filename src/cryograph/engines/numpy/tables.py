"""Lookups in tables whose keys and values have become inputs, and the strings that go with them."""

from __future__ import annotations

import numpy as np

from ...base.tensors import Array
from .context import Context, Rule


def _find(ctx: Context, keys: Array, values: Array, wanted: Array, default: Array) -> Array:
    """`values[i]` where `keys[i]` is wanted; the default elsewhere."""
    held = {key: index for index, key in enumerate(keys.tolist())}
    found = np.array([held.get(key, -1) for key in wanted.reshape(-1).tolist()], np.int64)
    shape = wanted.shape + values.shape[1:]
    if len(keys) == 0:
        return np.broadcast_to(default, shape)
    made = np.take(values, np.maximum(found, 0), 0)
    missing = (found < 0).reshape(-1, *(1,) * (values.ndim - 1))
    return np.where(missing, default, made).reshape(shape).astype(values.dtype, copy=False)


def _size(ctx: Context, keys: Array, values: Array) -> Array:
    return np.array(len(keys), np.int64)


def _export(ctx: Context, keys: Array, values: Array) -> tuple[Array, Array]:
    return keys, values


def _insert(ctx: Context, keys: Array, values: Array, added: Array, given: Array) -> tuple[Array, Array]:
    """Keys and values of a table after `added` have got the values `given`; later ones win."""
    held: dict[object, object] = dict(zip(keys.tolist(), values, strict=True))
    flat = given.reshape(-1, *values.shape[1:])
    held.update(zip(added.reshape(-1).tolist(), flat, strict=True))
    return _pair(held, keys, values)


def _remove(ctx: Context, keys: Array, values: Array, gone: Array) -> tuple[Array, Array]:
    held: dict[object, object] = dict(zip(keys.tolist(), values, strict=True))
    for key in gone.reshape(-1).tolist():
        held.pop(key, None)
    return _pair(held, keys, values)


def _pair(held: dict[object, object], keys: Array, values: Array) -> tuple[Array, Array]:
    new_keys = np.empty(len(held), keys.dtype)
    new_keys[:] = list(held)
    new_values = np.empty((len(held), *values.shape[1:]), values.dtype)
    for index, value in enumerate(held.values()):
        new_values[index] = value
    return new_keys, new_values


RULES: dict[str, Rule] = {
    "LookupTableExportV2": _export,
    "LookupTableFindV2": _find,
    "LookupTableInsertV2": _insert,
    "LookupTableRemoveV2": _remove,
    "LookupTableSizeV2": _size,
}
