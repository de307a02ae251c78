"""What lowerings of quantised numbers share: steps of a range, in float32 and doubles in TensorFlow's order.

A tensor of 8, 16 or 32 bits comes with the two floats that its lowest and its highest number mean. Ranges may be values
of the graph. See `engines/numpy/quantised.py` for the formulas.
"""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64, DType
from .builder import Builder
from .values import Value, limits, plain

F = np.float32


def scalar(g: Builder, x: Value) -> Value:
    """The only number of a tensor."""
    return x if x.shape == () else g.reshape(x, [])


def f32(g: Builder, value: float) -> Value:
    """A float32 constant, rounded once."""
    return g.const(F(value), FLOAT32)


def f64(g: Builder, value: float) -> Value:
    """A double constant."""
    return g.const(value, FLOAT64)


def add(g: Builder, x: Value, y: Value) -> Value:
    return g.binary("Add", x, y)


def sub(g: Builder, x: Value, y: Value) -> Value:
    return g.binary("Sub", x, y)


def mul(g: Builder, x: Value, y: Value) -> Value:
    return g.binary("Mul", x, y)


def div(g: Builder, x: Value, y: Value) -> Value:
    return g.binary("Div", x, y)


def same(g: Builder, x: Value, y: Value) -> Value:
    """Whether numbers are equal."""
    return g.binary("Equal", x, y, BOOL)


def chosen(g: Builder, flag: Value, yes: Value, no: Value) -> Value:
    """`yes` where a flag holds, `no` elsewhere."""
    shape = g.binary("Add", yes, no).shape if yes.shape is None else yes.shape if yes.shape else no.shape
    return g.where(flag, yes, no, shape)


def sure(g: Builder, x: Value, wrong: Value) -> Value:
    """A scalar, picked so that the run fails where a flag says that it is wrong: numpy has the words for it."""
    place = g.where(wrong, g.const(1 << 40, INT64), g.const(0, INT64), ())
    return g.op("Gather", g.reshape(x, [1]), place, axis=0, shape=())


def floored(g: Builder, x: Value) -> Value:
    """Towards zero."""
    return mul(g, g.unary("Sign", x), g.unary("Floor", g.unary("Abs", x)))


def rounded(g: Builder, x: Value) -> Value:
    """To the nearest integer, halves away from zero."""
    size = g.unary("Abs", x)
    whole = g.unary("Floor", size)
    up = g.cast(g.binary("GreaterOrEqual", sub(g, size, whole), g.like(0.5, x), BOOL), x.dtype)
    return mul(g, g.unary("Sign", x), add(g, whole, up))


def clipped(g: Builder, x: Value, low: float, high: float) -> Value:
    """Within bounds."""
    return g.binary("Min", g.binary("Max", x, g.like(low, x)), g.like(high, x))


def to_float(g: Builder, x: Value, low: Value, high: Value, dtype: DType) -> Value:
    """What quantised numbers mean, as float32; the range is moved so that zero is one of its steps."""
    lowest, highest = limits(dtype)
    spread = sub(g, g.cast(high, FLOAT64), g.cast(low, FLOAT64))
    scale = g.cast(div(g, spread, f64(g, highest - lowest)), FLOAT32)
    moved = mul(g, rounded(g, div(g, low, scale)), scale)
    start = g.where(same(g, low, high), low, moved, ())
    first = sub(g, start, mul(g, f32(g, lowest), scale))
    return add(g, first, mul(g, g.cast(x, FLOAT32), scale))


def to_quantised(g: Builder, x: Value, low: Value, high: Value, dtype: DType) -> Value:
    """Floats in steps of a range, the ends of which are met."""
    lowest, highest = limits(dtype)
    spread = g.cast(sub(g, high, low), FLOAT64)
    scale = g.cast(div(g, f64(g, highest - lowest), spread), FLOAT32)
    scale = g.where(same(g, low, high), f32(g, 0), scale, ())
    start = sub(g, rounded(g, mul(g, low, scale)), f32(g, lowest))
    placed = sub(g, rounded(g, mul(g, x, scale)), start)
    bounds = max(F(lowest), F(-2147483648.0)), min(F(highest), F(2147483520.0))
    return g.cast(g.cast(clipped(g, placed, float(bounds[0]), float(bounds[1])), INT64), plain(dtype))


def _stretched(g: Builder, spread: Value, count: int) -> Value:
    """A range as so many steps have it that one more would end.

    The runtime leaves out a product with what is nearly 1; that with 1 + 2 ** -32 is this sum, bit for bit.
    """
    if count == 1 << 32:
        return add(g, spread, mul(g, spread, f64(g, 2.0**-32)))
    return mul(g, spread, f64(g, count / (count - 1.0)))


def level(g: Builder, x: Value, low: Value, high: Value, dtype: DType) -> Value:
    """The steps (int64) at which floats lie, outside of the dtype too."""
    lowest, highest = limits(dtype)
    count = highest - lowest + 1
    spread = g.cast(sub(g, high, low), FLOAT64)
    scale = div(g, f64(g, count), _stretched(g, spread, count))
    here = rounded(g, mul(g, g.cast(x, FLOAT64), scale))
    found = sub(g, here, rounded(g, mul(g, g.cast(low, FLOAT64), scale)))
    made = add(g, g.cast(found, INT64), g.const(lowest, INT64))
    return g.where(same(g, low, high), g.const(lowest, INT64), made, made.shape)


def within(g: Builder, x: Value, dtype: DType) -> Value:
    """The nearest numbers that a dtype holds, as int64."""
    lowest, highest = limits(dtype)
    return clipped(g, x, lowest, highest)


def meaning(g: Builder, x: Value, low: Value, high: Value, dtype: DType) -> Value:
    """What quantised numbers mean, worked out in doubles, as float32."""
    lowest, highest = limits(dtype)
    count = highest - lowest + 1
    spread = g.cast(sub(g, high, low), FLOAT64)
    scale = div(g, _stretched(g, spread, count), f64(g, count))
    single = g.cast(scale, FLOAT32)
    start = g.cast(mul(g, rounded(g, div(g, low, single)), single), FLOAT64)
    steps = sub(g, g.cast(x, FLOAT64), f64(g, lowest))
    made = g.cast(add(g, start, mul(g, steps, scale)), FLOAT32)
    return g.where(same(g, low, high), low, made, made.shape)
