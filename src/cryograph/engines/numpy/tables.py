"""Lookups in tables, which have become two inputs: keys of shape (N, *key shape) and values of shape (N, *value shape).

Keys that are vectors are those of dense tables. Contents stand in the order in which keys came first.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from ...base.errors import RunError
from ...base.shapes import show
from ...base.tensors import Array
from .context import Context, Rule


def _hashed(keys: Array, rank: int) -> list[Hashable]:
    """Keys of `rank` dimensions each as Python values; a vector is told by the text of its contents."""
    if rank == 0:
        flat: list[Hashable] = keys.reshape(-1).tolist()
        return flat
    if keys.dtype == object:
        return [tuple(key.reshape(-1).tolist()) for key in keys.reshape(-1, *keys.shape[keys.ndim - rank :])]
    size = int(np.prod(keys.shape[keys.ndim - rank :]))
    rows = np.ascontiguousarray(keys).reshape(-1, size)
    return [row.tobytes() for row in rows]


def _outer(keys: Array, wanted: Array) -> tuple[int, ...]:
    """The shape of `wanted` without that of one key; RunError when its keys are of another shape."""
    rank = keys.ndim - 1
    if wanted.ndim < rank or wanted.shape[wanted.ndim - rank :] != keys.shape[1:]:
        raise RunError(f"the table has keys of shape {show(keys.shape[1:])}, but {show(wanted.shape)} came")
    return wanted.shape[: wanted.ndim - rank]


def _require_kind(held: Array, given: Array, what: str) -> None:
    if held.dtype != given.dtype:
        raise RunError(f"the table has {what} of dtype {held.dtype}, but {given.dtype} came")


def _find(ctx: Context, keys: Array, values: Array, wanted: Array, default: Array) -> Array:
    """`values[i]` where `keys[i]` is wanted; the default elsewhere."""
    _require_kind(keys, wanted, "keys")
    _require_kind(values, default, "values")
    outer = _outer(keys, wanted)
    shape = outer + values.shape[1:]
    if default.shape not in (values.shape[1:], shape):
        raise RunError(
            f"the default has shape {show(default.shape)}, where that of one value, {show(values.shape[1:])}, is due"
        )
    held = {key: index for index, key in enumerate(_hashed(keys, keys.ndim - 1))}
    found = np.array([held.get(key, -1) for key in _hashed(wanted, keys.ndim - 1)], np.int64).reshape(outer)
    if len(keys) == 0:
        return np.array(np.broadcast_to(default, shape))
    missing = (found < 0).reshape(outer + (1,) * (values.ndim - 1))
    return np.where(missing, default, values[np.maximum(found, 0)]).astype(values.dtype, copy=False)


def _insert(ctx: Context, keys: Array, values: Array, added: Array, given: Array) -> tuple[Array, Array]:
    """Keys and values of a table after `added` have got the values `given`; later ones win."""
    _require_kind(keys, added, "keys")
    _require_kind(values, given, "values")
    outer = _outer(keys, added)
    if given.shape != outer + values.shape[1:]:
        raise RunError(f"{show(given.shape)} are not values of shape {show(values.shape[1:])} for {show(outer)} keys")
    all_keys = np.concatenate([keys, added.reshape(-1, *keys.shape[1:])])
    all_values = np.concatenate([values, given.reshape(-1, *values.shape[1:])])
    names = _hashed(all_keys, keys.ndim - 1)
    last = {name: index for index, name in enumerate(names)}  # in the order of the first, at the place of the last
    if len(last) == len(names):
        return all_keys, all_values
    chosen = list(last.values())
    return all_keys[chosen], all_values[chosen]


def _import(ctx: Context, keys: Array, values: Array, added: Array, given: Array) -> tuple[Array, Array]:
    return _insert(ctx, keys[:0], values[:0], added, given)


def _remove(ctx: Context, keys: Array, values: Array, gone: Array) -> tuple[Array, Array]:
    _require_kind(keys, gone, "keys")
    _outer(keys, gone)
    unwanted = set(_hashed(gone, keys.ndim - 1))
    kept = [index for index, key in enumerate(_hashed(keys, keys.ndim - 1)) if key not in unwanted]
    return keys[kept], values[kept]


def _size(ctx: Context, keys: Array, values: Array) -> Array:
    return np.array(len(keys), np.int64)


def _export(ctx: Context, keys: Array, values: Array) -> tuple[Array, Array]:
    return keys, values


RULES: dict[str, Rule] = {
    "LookupTableExportV2": _export,
    "LookupTableFindV2": _find,
    "LookupTableImportV2": _import,
    "LookupTableInsertV2": _insert,
    "LookupTableRemoveV2": _remove,
    "LookupTableSizeV2": _size,
}
