"""Lowerings of numbers as small integers with a range beside them: into that form, out of it, between ranges."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType, dtype_of
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .steps import (
    add,
    clipped,
    div,
    f32,
    f64,
    floored,
    level,
    meaning,
    mul,
    rounded,
    same,
    scalar,
    sub,
    sure,
    to_float,
    to_quantised,
    within,
)
from .values import Refusal, Value, limits, plain

UINT8 = dtype_of("uint8")


def _range(g: Builder, x: Value, low: Value, high: Value, axis: int) -> tuple[Value, Value]:
    """The ends of a range for all numbers, or as they broadcast along an axis."""
    if axis < 0:
        return scalar(g, low), scalar(g, high)
    rank = x.rank
    if axis >= rank or low.size(0) != x.size(axis) or high.size(0) != x.size(axis) or x.size(axis) is None:
        raise Refusal("the ends of the range do not fit the axis")
    after = list(range(1, rank - axis))
    return g.unsqueeze(low, after), g.unsqueeze(high, after)


def quantize(
    g: Builder,
    step: Step,
    x: Value,
    min_range: Value,
    max_range: Value,
    *,
    T: DType,
    mode: bytes = b"MIN_COMBINED",
    round_mode: bytes = b"HALF_AWAY_FROM_ZERO",
    narrow_range: bool = False,
    axis: int = -1,
    ensure_minimum_range: float = 0.01,
) -> list[Value]:
    """Into steps of a range, which is widened to hold zero and not to be too narrow."""
    if (mode != b"SCALED" and round_mode == b"HALF_TO_EVEN") or (axis >= 0 and mode == b"MIN_FIRST"):
        raise Refusal(f"the mode {mode.decode()} does not go with the round mode or an axis")
    low, high = _range(g, x, min_range, max_range, axis)
    if axis < 0:
        low = sure(g, low, g.binary("Less", high, low, BOOL))
    elif low.array is None or high.array is None or (high.array < low.array).any():
        raise Refusal("ranges along an axis must be constants that are not empty")
    zero = f32(g, 0)
    least = g.binary("Min", zero, low)
    widest = g.binary("Max", f32(g, 1), g.binary("Max", g.unary("Abs", low), g.unary("Abs", high)))
    epsilon = mul(g, widest, f32(g, ensure_minimum_range))
    most = g.binary("Max", zero, g.binary("Max", high, add(g, least, epsilon)))
    if mode == b"MIN_FIRST":
        made = to_quantised(g, x, least, most, T)
    elif mode == b"SCALED":
        made, least, most = _scaled(g, x, least, most, T, round_mode, narrow_range)
    else:
        made = _combined(g, x, least, most, T)
    ends = [g.reshape(end, [-1]) if axis >= 0 else end for end in (least, most)]
    return [Value(made.name, made.dtype, x.shape), *ends]


def _scaled(
    g: Builder, x: Value, low: Value, high: Value, dtype: DType, round_mode: bytes, narrow: bool
) -> tuple[Value, Value, Value]:
    lowest, highest = limits(dtype)
    first, last = f32(g, lowest + narrow), f32(g, highest)
    scales = []
    for bound, end in ((first, low), (last, high)):
        fits = g.binary("Greater", mul(g, bound, end), f32(g, 0), BOOL)
        shape = end.shape
        scales.append(g.where(fits, div(g, bound, end), f32(g, float(np.finfo(np.float32).max)), shape))
    scale = g.binary("Min", scales[0], scales[1])
    low, high = div(g, first, scale), div(g, last, scale)
    scaled = mul(g, g.binary("Min", g.binary("Max", x, low), high), scale)
    placed = g.unary("Round", scaled) if round_mode == b"HALF_TO_EVEN" else rounded(g, scaled)
    return _cast(g, placed, dtype), low, high


def _combined(g: Builder, x: Value, low: Value, high: Value, dtype: DType) -> Value:
    lowest, highest = limits(dtype)
    scale = div(g, f32(g, highest - lowest), sub(g, high, low))
    bounded = g.binary("Min", g.binary("Max", x, low), high)
    moved = mul(g, sub(g, bounded, low), scale)
    if lowest < 0:
        return _cast(g, rounded(g, sub(g, moved, f32(g, (highest - lowest + 1) / 2))), dtype)
    return _cast(g, add(g, moved, f32(g, 0.5)), dtype)


def _cast(g: Builder, x: Value, dtype: DType) -> Value:
    """Towards zero; what 32 bits cannot hold becomes their lowest number, as processors have it."""
    lowest, highest = limits(dtype)
    wide = floored(g, g.cast(x, FLOAT64))
    if plain(dtype) == INT32:
        over = g.binary("Greater", wide, f64(g, highest), BOOL)
        wide = g.where(over, f64(g, lowest), wide, wide.shape)
    return g.cast(g.cast(clipped(g, wide, lowest, highest), INT64), plain(dtype))


def dequantize(
    g: Builder,
    step: Step,
    x: Value,
    min_range: Value,
    max_range: Value,
    *,
    T: DType,
    dtype: DType = FLOAT32,
    mode: bytes = b"MIN_COMBINED",
    narrow_range: bool = False,
    axis: int = -1,
) -> Value:
    """What quantised numbers mean."""
    if dtype != FLOAT32 or (axis >= 0 and mode == b"MIN_FIRST"):
        raise Refusal(f"{step.op} to {dtype} in the mode {mode.decode()} has no lowering to ONNX")
    low, high = _range(g, x, min_range, max_range, axis)
    lowest, highest = limits(T)
    if mode == b"MIN_FIRST":
        made = to_float(g, x, low, high, T)
    elif mode == b"SCALED":
        scale = div(g, high, f32(g, highest))
        if lowest:
            scale = g.binary("Max", div(g, low, f32(g, lowest + narrow_range)), scale)
        found = g.cast(x, FLOAT32)
        if axis < 0 and plain(T) == INT32:  # TensorFlow takes a detour there, in which the largest number overflows
            over = g.binary("GreaterOrEqual", found, f32(g, 2.0**31), BOOL)
            found = g.where(over, f32(g, -(2.0**31)), found, found.shape)
        made = mul(g, found, scale)
    else:
        half = np.float32((np.float32(highest) - np.float32(lowest) + np.float32(1)) / 2) if lowest else 0.0
        scale = div(g, sub(g, high, low), f32(g, float(np.float32(highest) - np.float32(lowest))))
        made = add(g, mul(g, add(g, g.cast(x, FLOAT32), f32(g, float(half))), scale), low)
    return Value(made.name, made.dtype, x.shape)


# --- between ranges


def _shifted(g: Builder, x: Value, bits: int) -> Value:
    """An int64 shifted to the right, its sign kept."""
    unit = g.const(1 << bits, INT64)
    return div(g, sub(g, x, g.binary("Mod", x, unit)), unit)


def requantised(
    g: Builder, x: Value, low: Value, high: Value, new_low: Value, new_high: Value, kind: DType, dtype: DType
) -> Value:
    """From one range to another. From 32 to 8 bits this is fixed-point arithmetic with 16 bits behind the point."""
    if plain(kind) != INT32 or plain(dtype) != UINT8:
        return to_quantised(g, to_float(g, x, low, high, kind), new_low, new_high, dtype)
    spread, new_spread = sub(g, high, low), sub(g, new_high, new_low)
    none = same(g, new_spread, f32(g, 0))
    wide = g.cast(g.where(none, f32(g, 1), new_spread, ()), FLOAT64)
    zero = g.const(0, INT64)

    def whole(number: Value) -> Value:
        return g.where(none, zero, g.cast(number, INT64), ())

    factor = whole(div(g, mul(g, f64(g, 255.0 * (1 << 16)), g.cast(spread, FLOAT64)), wide))
    middle = g.cast(mul(g, g.cast(add(g, low, high), FLOAT64), f64(g, 0.5)), FLOAT32)
    each = g.cast(div(g, f64(g, 255.0), wide), FLOAT32)
    offset = whole(mul(g, mul(g, middle, each), f32(g, 1 << 16)))
    first = mul(g, g.cast(new_low, FLOAT64), f64(g, 255.0))
    start = whole(div(g, mul(g, f64(g, 1 << 16), first), wide))
    moved = _shifted(g, mul(g, g.int64(x), factor), 32)
    placed = add(g, moved, add(g, sub(g, offset, start), g.const(1 << 15, INT64)))
    return g.cast(clipped(g, _shifted(g, placed, 16), 0, 255), UINT8)


def requantize(
    g: Builder,
    step: Step,
    x: Value,
    low: Value,
    high: Value,
    new_low: Value,
    new_high: Value,
    *,
    Tinput: DType,
    out_type: DType,
) -> list[Value]:
    ends = [scalar(g, end) for end in (low, high, new_low, new_high)]
    above = g.binary("Greater", ends[2], f32(g, 0), BOOL)
    ends[2] = sure(g, ends[2], g.binary("Or", above, g.binary("Less", ends[3], ends[2], BOOL), BOOL))
    made = requantised(g, x, ends[0], ends[1], ends[2], ends[3], Tinput, out_type)
    return [Value(made.name, made.dtype, x.shape), ends[2], ends[3]]


def _used_range(g: Builder, x: Value, low: Value, high: Value, kind: DType) -> tuple[Value, Value]:
    """The smallest range that holds all numbers, and whose lower end is not above zero."""
    if x.shape is None or 0 in x.shape:
        raise Refusal("the range of numbers that may be none is not known")
    if None in x.shape:
        none = same(g, g.op("Size", x, dtype=INT64, shape=()), g.const(0, INT64))
        low = sure(g, low, none)
    axes = g.ints(list(range(x.rank)))
    least, most = (
        meaning(g, g.op(op, x, axes, keepdims=0, shape=()), low, high, kind) for op in ("ReduceMin", "ReduceMax")
    )
    return g.binary("Min", f32(g, 0), least), most


def requantization_range(g: Builder, step: Step, x: Value, low: Value, high: Value, *, Tinput: DType) -> list[Value]:
    return list(_used_range(g, x, scalar(g, low), scalar(g, high), Tinput))


def shrink(g: Builder, step: Step, x: Value, low: Value, high: Value, *, Tinput: DType, out_type: DType) -> list[Value]:
    """To the range that the numbers use."""
    ends = scalar(g, low), scalar(g, high)
    least, most = _used_range(g, x, ends[0], ends[1], Tinput)
    made = requantised(g, x, ends[0], ends[1], least, most, Tinput, out_type)
    return [Value(made.name, made.dtype, x.shape), least, most]


def bounded(most: float | None) -> Lowering:
    """The lowering of an activation: not below zero, nor above a number."""

    def lower(
        g: Builder, step: Step, x: Value, low: Value, high: Value, *, Tinput: DType, out_type: DType
    ) -> list[Value]:
        top = None if most is None else f32(g, most)
        return _cut(g, x, top, scalar(g, low), scalar(g, high), Tinput)

    return lower


def bounded_by(
    g: Builder, step: Step, x: Value, most: Value, low: Value, high: Value, *, Tinput: DType, out_type: DType
) -> list[Value]:
    return _cut(g, x, scalar(g, most), scalar(g, low), scalar(g, high), Tinput)


def _cut(g: Builder, x: Value, most: Value | None, low: Value, high: Value, kind: DType) -> list[Value]:
    made = g.int64(x)
    made = g.binary("Max", made, within(g, level(g, f32(g, 0), low, high, kind), kind))
    if most is not None:
        made = g.binary("Min", made, within(g, level(g, most, low, high, kind), kind))
    cut = g.cast(made, x.dtype)
    return [Value(cut.name, cut.dtype, x.shape), low, high]


LOWERINGS: Table = {
    "Dequantize": dequantize,
    "QuantizeDownAndShrinkRange": shrink,
    "QuantizeV2": quantize,
    "QuantizedRelu": bounded(None),
    "QuantizedRelu6": bounded(6.0),
    "QuantizedReluX": bounded_by,
    "RequantizationRange": requantization_range,
    "Requantize": requantize,
}
