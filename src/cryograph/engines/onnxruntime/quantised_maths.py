"""Lowerings of arithmetic on numbers that are small integers with a range: products, sums and pools, of integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64, UINT8, DType, dtype_of
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .conv import filters_first
from .fused_quantised import signed_conv
from .shapes import reshape
from .steps import (
    add,
    div,
    f32,
    level,
    meaning,
    mul,
    same,
    scalar,
    sub,
    sure,
    to_float,
    to_quantised,
    within,
)
from .values import Refusal, Value, limits, plain
from .windows import Window, layout_of, window_of

INT8 = dtype_of("int8")


class Ranged(NamedTuple):
    """Numbers as small integers, and the ends of their range."""

    value: Value
    low: Value
    high: Value
    kind: DType


def _two(g: Builder, x: Value, y: Value, ends: Sequence[Value], kinds: tuple[DType, DType]) -> tuple[Ranged, Ranged]:
    """Two tensors, with the ends of the one's range and then those of the other's."""
    low_x, high_x, low_y, high_y = (scalar(g, end) for end in ends)
    return Ranged(x, low_x, high_x, kinds[0]), Ranged(y, low_y, high_y, kinds[1])


def _zero(g: Builder, x: Ranged) -> Value:
    """The step (int64) that means zero."""
    return level(g, f32(g, 0), x.low, x.high, x.kind)


def _held_zero(g: Builder, x: Ranged) -> Value:
    """The same in the dtype, as kernels take it; the run fails where it lies outside."""
    zero = _zero(g, x)
    wrong = g.unary("Not", same(g, zero, within(g, zero, x.kind)), BOOL)
    return g.cast(sure(g, zero, wrong), plain(x.kind))


def _product_range(g: Builder, a: Ranged, b: Ranged, dtype: DType) -> list[Value]:
    steps = []
    for factor in (a, b):
        lowest, highest = limits(factor.kind)
        steps.append(div(g, sub(g, factor.high, factor.low), f32(g, highest - lowest)))
    step = mul(g, steps[0], steps[1])
    return [mul(g, step, f32(g, end)) for end in limits(dtype)]


def conv2d(
    g: Builder,
    step: Step,
    x: Value,
    w: Value,
    min_x: Value,
    max_x: Value,
    min_w: Value,
    max_w: Value,
    *,
    Tinput: DType,
    Tfilter: DType,
    out_type: DType,
    strides: list[int],
    padding: bytes,
    dilations: Sequence[int] = (1, 1, 1, 1),
) -> list[Value]:
    """What is added around the picture means zero."""
    if plain(Tfilter) == INT8:
        how = {"strides": strides, "padding": padding, "dilations": dilations}
        signed: list[Value] = signed_conv(g, step, x, w, min_x, max_x, min_w, max_w, out_type=out_type, **how)
        return signed
    if plain(Tfilter) != UINT8:
        raise Refusal(f"{step.op} of {Tfilter} filters has no lowering to ONNX")
    if plain(out_type) != INT32 or list(dilations) != [1, 1, 1, 1] or strides[1] != strides[2]:
        raise Refusal(f"{step.op} with these strides, dilations or this result has no lowering to ONNX")
    layout = layout_of(b"NHWC", 2)
    if w.shape is None or None in w.shape or x.size(3) != w.shape[2]:
        raise Refusal("the shape of the filter is not known")
    kernel = [size or 0 for size in w.shape[:2]]
    attrs = window_of(layout, strides, padding).attrs(x, kernel)
    a, b = _two(g, x, w, (min_x, max_x, min_w, max_w), (Tinput, Tfilter))
    zeros = [_held_zero(g, a), _held_zero(g, b)]
    made = g.op(
        "ConvInteger", layout.enter(g, x), filters_first(g, w, 2), *zeros, dtype=INT32, kernel_shape=kernel, **attrs
    )
    return [layout.leave(g, made), *_product_range(g, a, b, out_type)]


def matmul(
    g: Builder,
    step: Step,
    a: Value,
    b: Value,
    min_a: Value,
    max_a: Value,
    min_b: Value,
    max_b: Value,
    *,
    T1: DType,
    T2: DType,
    Toutput: DType,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> list[Value]:
    if plain(Toutput) != INT32 or a.rank != 2 or b.rank != 2:
        raise Refusal(f"{step.op} to {Toutput} has no lowering to ONNX")
    left = g.transpose(a, [1, 0]) if transpose_a else a
    right = g.transpose(b, [1, 0]) if transpose_b else b
    x, y = _two(g, left, right, (min_a, max_a, min_b, max_b), (T1, T2))
    zeros = [_held_zero(g, x), _held_zero(g, y)]
    made = g.op("MatMulInteger", left, right, *zeros, dtype=INT32, shape=(left.size(0), right.size(1)))
    return [made, *_product_range(g, x, y, Toutput)]


def _of_two(made: Callable[[Builder, Ranged, Ranged, DType], list[Value]]) -> Lowering:
    """The lowering of what is worked out element by element."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        y: Value,
        min_x: Value,
        max_x: Value,
        min_y: Value,
        max_y: Value,
        *,
        T1: DType,
        T2: DType,
        Toutput: DType,
    ) -> list[Value]:
        return made(g, *_two(g, x, y, (min_x, max_x, min_y, max_y), (T1, T2)), Toutput)

    return lower


def _product(g: Builder, x: Ranged, y: Ranged, dtype: DType) -> list[Value]:
    factors = [sub(g, g.int64(each.value), _zero(g, each)) for each in (x, y)]
    return [g.cast(mul(g, *factors), plain(dtype)), *_product_range(g, x, y, dtype)]


def _sum_range(g: Builder, x: Ranged, y: Ranged, bits: int) -> tuple[Value, Value]:
    """A range for sums: wider than that of the parts by some bits, and the same on both sides of zero."""
    widest = g.unary("Abs", x.low)
    for end in (x.high, y.low, y.high):
        widest = g.binary("Max", widest, g.unary("Abs", end))
    high = mul(g, widest, f32(g, 1 << bits))
    return g.unary("Neg", high), high


def _total(g: Builder, x: Ranged, y: Ranged, dtype: DType) -> list[Value]:
    """Both in the steps of the sum's range: that of the lowest number, and a whole number of steps for each further.
    A single number gets its own step."""
    low, high = _sum_range(g, x, y, 14)
    shapes = x.value.shape, y.value.shape
    if any(shape is None or None in shape for shape in shapes):
        raise Refusal("a sum of quantised numbers needs known shapes")
    sizes = [int(np.prod([size or 0 for size in shape or ()])) for shape in shapes]
    alone = sizes.index(1) if 1 in sizes else None
    parts = []
    for number, (part, least, most, kind) in enumerate((x, y)):
        if number == alone:
            parts.append(within(g, level(g, meaning(g, part, least, most, kind), low, high, INT32), INT32))
            continue
        first, second = (level(g, meaning(g, g.const(n, INT64), least, most, kind), low, high, INT32) for n in (0, 1))
        moved = add(g, first, mul(g, g.int64(part), sub(g, second, first)))
        parts.append(within(g, moved, INT32))
    return [g.cast(add(g, parts[0], parts[1]), plain(dtype)), low, high]


def bias_add(
    g: Builder,
    step: Step,
    x: Value,
    bias: Value,
    min_x: Value,
    max_x: Value,
    min_bias: Value,
    max_bias: Value,
    *,
    T1: DType,
    T2: DType,
    out_type: DType,
) -> list[Value]:
    a, b = _two(g, x, bias, (min_x, max_x, min_bias, max_bias), (T1, T2))
    low, high = _sum_range(g, a, b, 17)
    zero = within(g, level(g, f32(g, 0), low, high, INT32), INT32)
    parts = [
        g.int64(to_quantised(g, to_float(g, part, least, most, kind), low, high, INT32))
        for part, least, most, kind in (a, b)
    ]
    made = g.cast(add(g, add(g, parts[0], parts[1]), zero), plain(out_type))
    return [Value(made.name, made.dtype, x.shape), low, high]


def reshaped(g: Builder, step: Step, x: Value, shape: Value, low: Value, high: Value) -> list[Value]:
    return [reshape(g, step, x, shape), scalar(g, low), scalar(g, high)]


def concat(g: Builder, step: Step, axis: Value, *parts: Value, T: DType) -> list[Value]:
    """In the range that holds those of all parts; for numbers with a sign it is the same on both sides of zero."""
    count = len(parts) // 3
    values = parts[:count]
    lows, highs = ([scalar(g, end) for end in ends] for ends in (parts[count : 2 * count], parts[2 * count :]))
    low, high = lows[0], highs[0]
    for other_low, other_high in zip(lows[1:], highs[1:], strict=True):
        low, high = g.binary("Min", low, other_low), g.binary("Max", high, other_high)
    if limits(T)[0] < 0:
        high = g.binary("Max", g.unary("Abs", low), g.unary("Abs", high))
        low = g.unary("Neg", high)
    moved = []
    for x, a, b in zip(values, lows, highs, strict=True):
        stays = g.binary("And", same(g, a, low), same(g, b, high), BOOL)
        placed = to_quantised(g, to_float(g, x, a, b, T), low, high, T)
        moved.append(g.cast(g.where(stays, g.int64(x), g.int64(placed), x.shape), x.dtype))
    (where,) = g.axes(axis, values[0].rank)
    return [g.op("Concat", *moved, axis=where), low, high]


def _pool(pooled: Callable[[Builder, Value, Window, list[int]], Value]) -> Lowering:
    """The lowering of a pool, which keeps the range."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        low: Value,
        high: Value,
        *,
        ksize: list[int],
        strides: list[int],
        padding: bytes,
    ) -> list[Value]:
        if x.rank != 4 or x.shape is None or 0 in x.shape or x.dtype not in (UINT8, INT8):
            raise Refusal("a pool of quantised numbers takes bytes, four dimensions of them")
        layout = layout_of(b"NHWC", 2)
        made = pooled(g, x, window_of(layout, strides, padding), layout.pick(ksize, "ksize"))
        return [layout.leave(g, made), scalar(g, low), scalar(g, high)]

    return lower


def _largest(g: Builder, x: Value, window: Window, kernel: list[int]) -> Value:
    return g.op("MaxPool", window.layout.enter(g, x), kernel_shape=kernel, **window.attrs(x, kernel))


def _average(g: Builder, x: Value, window: Window, kernel: list[int]) -> Value:
    """Sums as a convolution by ones, of one channel, over how many numbers are inside; towards zero."""
    layout, steps = window.layout, window.strides
    if x.shape is None or None in x.shape:
        raise Refusal("an average of quantised numbers needs a known shape")
    space = [x.size(axis) or 0 for axis in layout.spatial]
    begins, ends = window.pads(space, kernel)
    out = [(n + a + b - k) // s + 1 for n, a, b, k, s in zip(space, begins, ends, kernel, steps, strict=True)]
    flat = g.reshape(layout.enter(g, x), [-1, 1, *space])
    ones = g.const(np.ones((1, 1, *kernel)), x.dtype)
    sums = g.op("ConvInteger", flat, ones, dtype=INT32, kernel_shape=kernel, strides=steps, pads=[*begins, *ends])
    over = g.op("Div", sums, g.const(window.counts(space, kernel, out), INT32))
    return g.reshape(g.cast(over, x.dtype), [x.size(0) or 0, x.size(3) or 0, *out])


LOWERINGS: Table = {
    "QuantizedAdd": _of_two(_total),
    "QuantizedAvgPool": _pool(_average),
    "QuantizedBiasAdd": bias_add,
    "QuantizedConcat": concat,
    "QuantizedConv2D": conv2d,
    "QuantizedMatMul": matmul,
    "QuantizedMaxPool": _pool(_largest),
    "QuantizedMul": _of_two(_product),
    "QuantizedReshape": reshaped,
}
