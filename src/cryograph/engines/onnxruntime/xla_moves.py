"""Lowerings of XLA's sorts, of sizes that are found in a run, of dimensions that are put in, and of shorter floats."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64
from ...program.program import Step
from .builder import Builder, Table
from .values import BFLOAT16, FLOAT16, Refusal, Value
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


# --- shorter floats


_FORMATS = {BFLOAT16: (8, 7), FLOAT16: (5, 10), FLOAT32: (8, 23), FLOAT64: (11, 52)}
"""Bits of exponent and mantissa."""


def reduce_precision(g: Builder, step: Step, x: Value, *, exponent_bits: int, mantissa_bits: int) -> Value:
    """As a float with fewer bits would hold it: halves to even, too large ones infinite, too small ones zero.

    By multiples of the last bit that is kept, a power of two; all of it is exact in doubles.
    """
    if x.dtype not in _FORMATS or exponent_bits < 1 or mantissa_bits < 0:
        raise Refusal(f"floats of {exponent_bits} and {mantissa_bits} bits cannot be")
    exponents, digits = _FORMATS[x.dtype]
    wide = g.cast(x, FLOAT64)
    size = g.unary("Abs", wide)
    made = size
    if mantissa_bits < digits:
        made = _rounded(g, size, 2 - (1 << (exponents - 1)), (1 << (exponents - 1)) - 1, mantissa_bits)
    if exponent_bits < exponents:
        bias = (1 << (exponent_bits - 1)) - 1
        large = g.binary("GreaterOrEqual", made, g.const(2.0 ** (bias + 1), FLOAT64), BOOL)
        small = g.binary("Less", made, g.const(2.0 ** (1 - bias), FLOAT64), BOOL)
        made = g.where(large, g.const(np.inf, FLOAT64), g.where(small, g.const(0, FLOAT64), made, x.shape), x.shape)
    # The sign of what is zero, too: of 1 / x, which is infinite there.
    negative = g.binary("Less", g.binary("Div", g.const(1, FLOAT64), wide), g.const(0, FLOAT64), BOOL)
    negative = g.binary("Or", negative, g.binary("Less", wide, g.const(0, FLOAT64), BOOL), BOOL)
    signed = g.where(negative, g.unary("Neg", made), made, x.shape)
    return g.cast(g.where(g.unary("IsNaN", wide, BOOL), wide, signed, x.shape), x.dtype)


def _rounded(g: Builder, size: Value, lowest: int, bias: int, digits: int) -> Value:
    """Numbers that are not negative, rounded to so many digits behind the first; `lowest` is the exponent of the
    smallest normal one."""
    exponents = np.arange(lowest, bias + 1)
    finite = g.unary("Not", g.binary("Or", g.unary("IsInf", size, BOOL), g.unary("IsNaN", size, BOOL), BOOL))
    held = g.where(finite, size, g.const(0, FLOAT64), size.shape)
    guess = g.binary("Div", g.unary("Log", g.op("Max", held, g.const(2.0**lowest, FLOAT64), shape=size.shape)),
                     g.const(np.log(2.0), FLOAT64))  # fmt: skip
    last = g.const(len(exponents) - 1, INT64)
    place = g.cast(g.binary("Sub", g.unary("Floor", guess), g.const(lowest, FLOAT64)), INT64)
    place = g.op("Max", g.op("Min", place, last, shape=size.shape), g.const(0, INT64), shape=size.shape)
    table = g.const(2.0 ** exponents.astype(np.float64), FLOAT64)
    # The logarithm may be off by one beside a power of two.
    power = g.op("Gather", table, place, axis=0, shape=size.shape)
    low = g.cast(g.binary("Less", held, power, BOOL), INT64)
    above = g.binary("GreaterOrEqual", g.binary("Mul", held, g.const(0.5, FLOAT64)), power, BOOL)
    place = g.binary("Add", g.binary("Sub", place, low), g.cast(above, INT64))
    place = g.op("Max", g.op("Min", place, last, shape=size.shape), g.const(0, INT64), shape=size.shape)
    unit = g.op("Gather", g.const(2.0 ** (exponents - digits).astype(np.float64), FLOAT64), place, axis=0,
                shape=size.shape)  # fmt: skip
    steps = g.binary("Div", held, unit)
    whole = g.unary("Round", steps)
    if not digits:
        # The bit before the first that goes is the last one of the exponent, which counts from 1 for normal numbers.
        half = g.binary("Equal", steps, g.const(1.5, FLOAT64), BOOL)
        odd = g.binary("Equal", g.binary("Mod", place, g.const(2, INT64)), g.const(0, INT64), BOOL)
        tie = g.where(odd, g.const(2, FLOAT64), g.const(1, FLOAT64), size.shape)
        whole = g.where(half, tie, whole, size.shape)
    return g.where(finite, g.binary("Mul", whole, unit), size, size.shape)


LOWERINGS: Table = {
    "XlaBroadcastHelper": broadcast_helper,
    "XlaKeyValueSort": key_value_sort,
    "XlaReducePrecision": reduce_precision,
    "XlaSetDynamicDimensionSize": set_size,
    "XlaSort": sort,
}
