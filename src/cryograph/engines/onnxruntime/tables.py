"""Lowerings of lookups in tables, which have become keys (N) and values (N, ...): see the reference engine's `tables`.

A place in a table that a graph holds is found by LabelEncoder, which hashes. Of keys that are known only when it runs
the place is the first one of the same key among keys and what is wanted, as Unique tells it.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, STRING, DType, dtype_of
from ...base.tensors import Array, Tensor
from ...program.program import Step
from .builder import Builder, Table, check_text
from .rows import arange, count_of
from .values import Refusal, Value

_KEYS: dict[DType, DType] = {
    BOOL: INT64,
    FLOAT32: FLOAT32,
    FLOAT64: FLOAT64,
    INT32: INT64,
    INT64: INT64,
    STRING: STRING,
    dtype_of("int8"): INT64,
    dtype_of("int16"): INT64,
    dtype_of("uint8"): INT64,
    dtype_of("uint16"): INT64,
    dtype_of("uint32"): INT64,
}
"""In what dtype keys are compared."""


def _comparable(g: Builder, x: Value) -> Value:
    if x.dtype not in _KEYS:
        raise Refusal(f"keys of {x.dtype} have no form in ONNX")
    return g.cast(x, _KEYS[x.dtype])


def _listed(g: Builder, keys: Value, table: Value) -> Value:
    """Keys one behind the other; those that are vectors as rows of a matrix."""
    found = _comparable(g, keys)
    sizes = (table.shape or ())[1:]
    if None in sizes or 0 in sizes:
        raise Refusal("keys that are vectors need a known size")
    return g.reshape(found, [-1, prod(size or 0 for size in sizes)] if sizes else [-1])


def _places(g: Builder, keys: Value, wanted: Value) -> Value:
    """The place of each wanted key in the table, of whatever rank; its length for what is not there."""
    outer = None if wanted.shape is None else wanted.shape[: len(wanted.shape) - keys.rank + 1]
    if keys.rank == 1 and keys.array is not None:
        return _of_known(g, _comparable(g, keys).array, _comparable(g, wanted))
    first = _first(g, _listed(g, keys, keys), _listed(g, wanted, keys))
    size = count_of(g, keys)
    mine = g.op("Min", g.slice(first, size, g.ints([1 << 62]), [0]), size, shape=(None,))
    sizes = g.shape_of(wanted)
    if keys.rank > 1:
        sizes = g.slice(sizes, g.ints([0]), g.ints([1 - keys.rank]), [0])
    return g.reshape_to(mine, sizes, outer)


def _of_known(g: Builder, keys: Array | None, asked: Value) -> Value:
    """Places among constant keys."""
    if keys is None:
        raise Refusal("a table is too large to be held by a graph")
    count = len(keys)
    if keys.dtype == np.int64 and np.array_equal(keys, np.arange(count)):
        low = g.binary("Less", asked, g.const(0, INT64), BOOL)
        high = g.binary("Min", asked, g.const(count, INT64))
        return g.where(low, g.const(count, INT64), high, asked.shape)
    held = Tensor.of(keys, asked.dtype)
    check_text(held)
    return g.learning(
        "LabelEncoder",
        asked,
        dtype=INT64,
        shape=asked.shape,
        keys_tensor=held,
        values_tensor=Tensor.of(np.arange(count)),
        default_tensor=Tensor.of(np.array([count])),
    )


def _first(g: Builder, a: Value, b: Value) -> Value:
    """For each element of two lists of keys, one behind the other, the place of the first that is the same."""
    both = g.concat([a, b], 0, (None, *(a.shape or ())[1:]))
    _, firsts, inverse, _ = _unique(g, both)
    return g.op("Gather", firsts, inverse, axis=0, shape=(None,))


def _unique(g: Builder, x: Value) -> list[Value]:
    """In the order in which they came first: the elements, their first places, of each its number, how often."""
    axis = 0 if x.rank > 1 else None
    shapes = [(None, *(x.shape or ())[1:]), (None,), (None,), (None,)]
    return g.ops("Unique", x, dtypes=[x.dtype, INT64, INT64, INT64], shapes=shapes, sorted=0, axis=axis)


def find(g: Builder, step: Step, keys: Value, values: Value, wanted: Value, default: Value) -> Value:
    """`values[i]` where `keys[i]` is wanted; the default elsewhere, which stands behind the values."""
    if default.rank != values.rank - 1 or default.shape != (values.shape or ())[1:]:
        raise Refusal("a default that is not known to have the shape of a value has no form in ONNX")
    rank = wanted.rank - keys.rank + 1
    outer = (wanted.shape or ())[:rank]
    if keys.size(0) == 0:
        sizes = g.sizes(wanted, range(rank))
        if values.rank > 1:
            sizes = g.concat([sizes, g.sizes(values, range(1, values.rank))], 0)
        return g.op("Expand", default, sizes, shape=(*outer, *(values.shape or ())[1:]))
    places = _places(g, keys, wanted)
    all_values = g.concat([values, g.unsqueeze(default, [0])], 0, (None, *(values.shape or ())[1:]))
    return g.op("Gather", all_values, places, axis=0, shape=(*outer, *(values.shape or ())[1:]))


def insert(g: Builder, step: Step, keys: Value, values: Value, added: Value, given: Value) -> list[Value | None]:
    """Later ones win; keys stand where they came first."""
    rest = g.sizes(values, range(1, values.rank)) if values.rank > 1 else None
    shape = g.ints([-1]) if rest is None else g.concat([g.ints([-1]), rest], 0)
    fresh = g.reshape_to(given, shape, (None, *(values.shape or ())[1:]))
    inner = (keys.shape or ())[1:]
    fresh_keys = g.reshape_to(added, g.concat([g.ints([-1]), g.sizes(keys, range(1, keys.rank))], 0), (None, *inner))
    all_keys = g.concat([keys, fresh_keys], 0, (None, *inner))
    all_values = g.concat([values, fresh], 0, (None, *(values.shape or ())[1:]))
    _, firsts, inverse, _ = _unique(g, _listed(g, all_keys, keys))
    zeros = g.op("Expand", g.const(0, INT64), count_of(g, firsts), shape=(None,))
    numbers = arange(g, count_of(g, all_keys))
    lasts = g.op("ScatterND", zeros, g.unsqueeze(inverse, [1]), numbers, reduction="max", shape=(None,))
    return [
        g.op("Gather", all_keys, firsts, axis=0, shape=(None, *inner)),
        g.op("Gather", all_values, lasts, axis=0, shape=(None, *(values.shape or ())[1:])),
    ]


def import_(g: Builder, step: Step, keys: Value, values: Value, added: Value, given: Value) -> list[Value | None]:
    """What is imported takes the place of all that was there."""
    none = [g.slice(x, g.ints([0]), g.ints([0]), [0]) for x in (keys, values)]
    cut = [Value(x.name, x.dtype, (0, *(old.shape or ())[1:])) for x, old in zip(none, (keys, values), strict=True)]
    return insert(g, step, cut[0], cut[1], added, given)


def remove(g: Builder, step: Step, keys: Value, values: Value, gone: Value) -> list[Value | None]:
    """Without keys; what was not there changes nothing."""
    unwanted = _listed(g, gone, keys)
    first = _first(g, unwanted, _listed(g, keys, keys))
    size = count_of(g, unwanted)
    kept = g.binary("GreaterOrEqual", g.slice(first, size, g.ints([1 << 62]), [0]), g.reshape(size, []), BOOL)
    return [g.op("Compress", x, kept, axis=0, shape=(None, *(x.shape or ())[1:])) for x in (keys, values)]


def size_(g: Builder, step: Step, keys: Value, values: Value) -> Value:
    return g.reshape(count_of(g, keys), [])


def export(g: Builder, step: Step, keys: Value, values: Value) -> list[Value | None]:
    return [keys, values]


LOWERINGS: Table = {
    "LookupTableExportV2": export,
    "LookupTableFindV2": find,
    "LookupTableImportV2": import_,
    "LookupTableInsertV2": insert,
    "LookupTableRemoveV2": remove,
    "LookupTableSizeV2": size_,
}
