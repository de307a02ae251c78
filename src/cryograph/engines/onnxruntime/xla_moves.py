"""Lowerings of XLA's sorts, of sizes that are found in a run, and of dimensions that are put in."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value
from .xla import sizes_of


def sorted_places(g: Builder, keys: Value) -> Value:
    """The places of keys along the last dimension by size, equal ones as they stand, what is no number at the end."""
    axis, count = keys.rank - 1, g.sizes(keys, [keys.rank - 1])
    held, shapes = keys, [keys.shape] * 2
    if keys.dtype.is_floating:
        none = g.unary("IsNaN", keys, BOOL)
        held = g.where(none, g.like(np.inf, keys), keys, keys.shape)
    kinds = [keys.dtype, INT64]
    order = g.ops("TopK", held, count, dtypes=kinds, shapes=shapes, axis=axis, largest=0, sorted=1)[1]
    if not keys.dtype.is_floating:
        return order
    moved = g.op("GatherElements", g.cast(none, INT32), order, axis=axis, shape=keys.shape)
    last = g.ops("TopK", moved, count, dtypes=[INT32, INT64], shapes=shapes, axis=axis, largest=0, sorted=1)[1]
    return g.op("GatherElements", order, last, axis=axis, shape=keys.shape)


def _taken(g: Builder, x: Value, places: Value) -> Value:
    return g.op("GatherElements", x, places, axis=x.rank - 1, shape=x.shape)


def sort(g: Builder, step: Step, x: Value) -> Value:
    if not x.rank or 0 in sizes_of(x, step.op):
        raise Refusal("a sort needs something to be sorted")
    return _taken(g, x, sorted_places(g, x))


def key_value_sort(g: Builder, step: Step, keys: Value, values: Value) -> list[Value]:
    if not keys.rank or 0 in sizes_of(keys, step.op) or keys.shape != values.shape:
        raise Refusal("a sort needs keys and as many values")
    places = sorted_places(g, keys)
    return [_taken(g, keys, places), _taken(g, values, places)]


def set_size(g: Builder, step: Step, x: Value, axis: Value, size: Value) -> Value:
    """The first elements along a dimension: as many as are really there."""
    (at,) = g.fixed_ints(axis, "the dimension")
    whole = x.size(at) if 0 <= at < x.rank else None
    if whole is None:
        raise Refusal(f"the dimension {at} is not one of known size")
    count = g.int64(size)
    right = g.op("And", g.op("LessOrEqual", count, g.const(whole, INT64), dtype=BOOL, shape=()),
                 g.op("GreaterOrEqual", count, g.const(0, INT64), dtype=BOOL, shape=()), shape=())  # fmt: skip
    sure = g.behind(count, g.must(right, "a size of a dimension is larger than it"))
    made = g.slice(x, g.ints([0]), g.reshape(sure, [1]), [at])
    return Value(made.name, x.dtype, tuple(None if i == at else n for i, n in enumerate(x.shape or ())))


def broadcast_helper(g: Builder, step: Step, left: Value, right: Value, dims: Value) -> list[Value]:
    """The tensor with fewer dimensions gets those of the other; `dims` says where its own ones go."""
    axes = g.fixed_ints(dims, "the dimensions")
    if not axes:
        if left.rank != right.rank and left.rank and right.rank:
            raise Refusal("dimensions need to be named")
        return [left, right]
    small, large = (left, right) if left.rank <= right.rank else (right, left)
    wrong = any(not 0 <= axis < large.rank for axis in axes) or sorted(set(axes)) != axes
    if len(axes) != small.rank or left.rank == right.rank or wrong:
        raise Refusal(f"the dimensions {axes} do not put {small.rank} into {large.rank}")
    made = g.unsqueeze(small, [axis for axis in range(large.rank) if axis not in axes])
    return [made, large] if small is left else [large, made]


LOWERINGS: Table = {
    "XlaBroadcastHelper": broadcast_helper,
    "XlaKeyValueSort": key_value_sort,
    "XlaSetDynamicDimensionSize": set_size,
    "XlaSort": sort,
}
