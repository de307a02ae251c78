"""Lowerings of numbers as small integers with a scale and a zero point, for all of a tensor or for each slice of it.

Scales are constants, as they are in all graphs that hold them.
"""

from __future__ import annotations

import numpy as np

from ...base.dtypes import FLOAT32, FLOAT64, INT32, INT64, DType
from ...base.tensors import Array
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value, plain

_INT32 = (-(2**31), 2**31 - 1)


def _laid(g: Builder, x: Value, part: Value, axis: int) -> Value:
    """Scales or zero points so that they are broadcast along the axis."""
    rank = x.rank
    if not -1 <= axis < rank:
        raise Refusal(f"the axis {axis} is not one of {rank} dimensions")
    if axis < 0:
        if part.shape != ():
            raise Refusal("one scale and one zero point are taken for all numbers")
        return part
    if part.rank != 1 or part.size(0) is None or part.size(0) != x.size(axis):
        raise Refusal("scales or zero points are not known to fit the axis")
    return g.unsqueeze(part, list(range(1, rank - axis)))


def _scales(g: Builder, x: Value) -> Array:
    found = g.fixed(x, "the scales")
    if (found <= 0).any() or not np.isfinite(found).all():
        raise Refusal("a scale is not a positive number")
    return found


def _within(g: Builder, x: Value, low: float, high: float) -> Value:
    return g.op("Min", g.op("Max", x, g.like(low, x), shape=x.shape), g.like(high, x), shape=x.shape)


def quantize(
    g: Builder,
    step: Step,
    x: Value,
    scales: Value,
    zero_points: Value,
    *,
    Tout: DType,
    quantization_axis: int = -1,
    quantization_min_val: int,
    quantization_max_val: int,
) -> Value:
    _scales(g, scales)
    scale, zero = (_laid(g, x, part, quantization_axis) for part in (scales, zero_points))
    scaled = g.op("Div", x, scale, shape=x.shape)
    up = g.unary("Floor", g.op("Add", scaled, g.const(0.5, FLOAT32), shape=x.shape))
    whole = g.op("Add", up, g.cast(zero, FLOAT32), shape=x.shape)
    ends = (float(np.float32(n)) for n in (quantization_min_val, quantization_max_val))
    return g.cast(g.cast(_within(g, whole, *ends), INT64), plain(Tout))


def dequantize(
    g: Builder,
    step: Step,
    x: Value,
    scales: Value,
    zero_points: Value,
    *,
    quantization_axis: int = -1,
    quantization_min_val: int,
    quantization_max_val: int,
) -> Value:
    """The difference wraps, as TensorFlow's does."""
    _scales(g, scales)
    scale, zero = (_laid(g, x, part, quantization_axis) for part in (scales, zero_points))
    moved = g.op("Sub", g.int64(x), g.int64(zero), shape=x.shape)
    return g.op("Mul", g.cast(g.cast(moved, INT32), FLOAT32), scale, shape=x.shape)


def requantize(
    g: Builder,
    step: Step,
    x: Value,
    input_scales: Value,
    input_zero_points: Value,
    output_scales: Value,
    output_zero_points: Value,
    *,
    Tout: DType,
    input_quantization_axis: int = -1,
    input_quantization_min_val: int,
    input_quantization_max_val: int,
    output_quantization_axis: int = -1,
    output_quantization_min_val: int,
    output_quantization_max_val: int,
) -> Value:
    """From one scale to another, in fixed point with 31 bits behind the point. The limits of the input do nothing."""
    from ..numpy.uniform_quantisation import multiplier

    axes = input_quantization_axis, output_quantization_axis
    if min(axes) >= 0 and axes[0] != axes[1]:
        raise Refusal(f"the axes of the input, {axes[0]}, and of the output, {axes[1]}, are not the same")
    scale, new_scale = (
        g.fixed(_laid(g, x, g.const(_scales(g, part), FLOAT64), axis), "the scales")
        for part, axis in zip((input_scales, output_scales), axes, strict=True)
    )
    zero, new_zero = (
        _laid(g, x, part, axis) for part, axis in zip((input_zero_points, output_zero_points), axes, strict=True)
    )
    factor, shift = multiplier(np.asarray(scale / new_scale))
    unit = np.int64(1) << (31 - shift)
    moved = g.int64(g.cast(g.op("Sub", g.int64(x), g.int64(zero), shape=x.shape), INT32))
    added = g.op("Add", g.op("Mul", moved, g.const(factor, INT64)), g.const(unit >> 1, INT64), shape=x.shape)
    rest = g.op("Mod", added, g.const(unit, INT64), shape=x.shape)
    made = g.op("Div", g.op("Sub", added, rest, shape=x.shape), g.const(unit, INT64), shape=x.shape)
    placed = g.op("Add", _within(g, made, *_INT32), g.int64(new_zero), shape=x.shape)
    wrapped = g.int64(g.cast(placed, INT32))
    return g.cast(_within(g, wrapped, output_quantization_min_val, output_quantization_max_val), plain(Tout))


LOWERINGS: Table = {
    "UniformDequantize": dequantize,
    "UniformQuantize": quantize,
    "UniformRequantize": requantize,
}
