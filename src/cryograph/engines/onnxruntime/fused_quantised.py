"""Lowerings of convolutions and products of small integers with what follows them: see the reference's
`fused_quantised`.

Sums are whole numbers, by the runtime's kernels for bytes where it has them and in doubles where not; what follows is
worked out in doubles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .conv import filters_first
from .kernels import supports
from .steps import add, div, f32, f64, mul, scalar, sub
from .values import Refusal, Value, limits, plain
from .windows import layout_of, window_of


@dataclass(frozen=True, slots=True)
class _After:
    """What follows the sum of products."""

    bias: bool = False
    summand: bool = False
    relu: bool = False
    requantize: bool = False


def _steps(x: Value) -> int:
    """The steps between zero and the end of a range."""
    return int(limits(x.dtype)[1])


def _reach(g: Builder, low: Value, high: Value) -> Value:
    """The end of a range that is the same on both sides of zero."""
    return g.binary("Max", g.unary("Abs", low), g.unary("Abs", high))


def _ends(g: Builder, low: Value, high: Value) -> tuple[Value, Value]:
    """Of all numbers, or one a channel."""
    if low.shape is None or high.shape != low.shape or len(low.shape) > 1:
        raise Refusal("the ends of a range are not known to be of one shape")
    return low, high


def _level(g: Builder, low: Value, high: Value, x: Value) -> Value:
    count = _steps(x) * (2 if limits(x.dtype)[0] else 1)
    return div(g, sub(g, high, low), f32(g, count))


def _sum_range(g: Builder, one: Value, other: Value) -> list[Value]:
    """What the ends of 32 bits mean after a product of two levels."""
    step = mul(g, one, other)
    return [mul(g, step, f32(g, end)) for end in limits(INT32)]


def _rounded(g: Builder, x: Value, dtype: DType) -> Value:
    """To the nearest number that a dtype holds, halves to the even one."""
    low, high = limits(dtype)
    held = g.op("Min", g.op("Max", g.unary("Round", x), g.like(low, x), shape=x.shape), g.like(high, x), shape=x.shape)
    return g.cast(g.cast(held, INT64), plain(dtype))


def _finished(
    g: Builder,
    sums: Value,
    unit: Value,
    bias: Value | None,
    summand: Value | None,
    relu: bool,
    reach: Value | None,
    dtype: DType,
) -> Value:
    """Sums of products in steps of `unit`, with what follows them, in the steps of 32 bits or of a new range.

    A bias, or summand, of 32 bits has the same steps; of floats it has none.
    """
    made = sums
    for part in (bias, summand):
        if part is not None:
            wide = g.cast(part, FLOAT64)
            made = add(g, made, wide if part.dtype == INT32 else div(g, wide, unit))
    if relu:
        made = g.op("Max", made, f64(g, 0), shape=made.shape)
    if reach is not None:
        factor = div(g, mul(g, unit, f64(g, limits(dtype)[1])), g.cast(reach, FLOAT64))
        made = mul(g, made, factor)
    return _rounded(g, Value(made.name, FLOAT64, sums.shape), dtype)


def _sums(g: Builder, x: Value, w: Value, how: Sequence[Sequence[int] | bytes], depthwise: bool) -> Value:
    """Exact, as doubles, with the channels last."""
    strides, padding, dilations, around = how
    layout = layout_of(b"NHWC", 2)
    if w.shape is None or None in w.shape or w.rank != 4 or x.rank != 4 or x.size(3) != w.shape[2]:
        raise Refusal("the shape of the filter is not known, or does not fit")
    if any(around):
        padding = b"EXPLICIT"
    window = window_of(layout, list(strides), bytes(padding), [int(n) for n in around], list(dilations))
    kernel, channels = [size or 0 for size in w.shape[:2]], w.shape[2] or 0
    attrs = {**window.attrs(x, kernel), "kernel_shape": kernel}
    if depthwise:
        attrs["group"] = channels
        taken = g.reshape(g.transpose(w, [2, 3, 0, 1]), [channels * (w.shape[3] or 0), 1, *kernel])
    else:
        taken = filters_first(g, w, 2)
    entered = layout.enter(g, x)
    kinds = [x.dtype, w.dtype, x.dtype, w.dtype]
    if supports("ConvInteger", kinds, INT32):
        zeros = [g.const(0, kind) for kind in kinds[2:]]
        made = g.cast(g.op("ConvInteger", entered, taken, *zeros, dtype=INT32, **attrs), FLOAT64)
    else:
        made = g.op("Conv", g.cast(entered, FLOAT64), g.cast(taken, FLOAT64), **attrs)
    return layout.leave(g, made)


def _convolved(
    g: Builder,
    after: _After,
    depthwise: bool,
    inputs: Sequence[Value],
    how: Sequence[Sequence[int] | bytes],
    dtype: DType,
) -> list[Value]:
    x, w = inputs[:2]
    if not limits(w.dtype)[0]:
        raise Refusal("filters without a sign have a lowering to ONNX in a plain convolution only")
    bias = inputs[2] if after.bias else None
    ends = inputs[2 + after.bias : 6 + after.bias]
    rest = inputs[6 + after.bias :]
    low, high = scalar(g, ends[0]), scalar(g, ends[1])
    filter_low, filter_high = _ends(g, ends[2], ends[3])
    sums = _sums(g, x, w, how, depthwise)
    reach = g.cast(_reach(g, filter_low, filter_high), FLOAT64)
    one = div(g, g.cast(_reach(g, low, high), FLOAT64), f64(g, _steps(x)))
    unit = mul(g, one, div(g, reach, f64(g, _steps(w))))
    if not after.requantize:
        summand = rest[0] if after.summand else None
        made = _finished(g, sums, unit, bias, summand, after.relu, None, INT32)
        return [made, *_sum_range(g, _level(g, low, high, x), _level(g, filter_low, filter_high, w))]
    new = scalar(g, rest[0]), scalar(g, rest[1])
    summand = None
    if after.summand:
        level = g.cast(_reach(g, scalar(g, rest[3]), scalar(g, rest[4])), FLOAT64)
        summand = mul(g, g.cast(rest[2], FLOAT64), div(g, level, f64(g, _steps(rest[2]))))
    made = _finished(g, sums, unit, bias, summand, after.relu, _reach(g, *new), dtype)
    return [made, *new]


def _conv(depthwise: bool = False, **after: bool) -> Lowering:
    then = _After(**after)

    def lower(
        g: Builder,
        step: Step,
        *inputs: Value,
        out_type: DType,
        strides: list[int],
        padding: bytes,
        dilations: Sequence[int] = (1, 1, 1, 1),
        padding_list: Sequence[int] = (),
    ) -> list[Value]:
        how = (strides, padding, dilations, padding_list)
        return _convolved(g, then, depthwise, inputs, how, out_type)

    return lower


def _plain_conv(depthwise: bool = False, bias: bool = False) -> Lowering:
    then = _After(bias=bias)

    def lower(
        g: Builder,
        step: Step,
        *inputs: Value,
        out_type: DType,
        strides: list[int],
        padding: bytes,
        dilations: Sequence[int] = (1, 1, 1, 1),
    ) -> list[Value]:
        return _convolved(g, then, depthwise, inputs, (strides, padding, dilations, ()), out_type)

    return lower


# --- products of matrices


def _product(
    g: Builder, inputs: Sequence[Value], flips: Sequence[bool], mode: bytes, relu: bool, dtype: DType
) -> list[Value]:
    """In the mode MIN_FIRST the lowest number stands for the lower end of the range and not for zero; a bias of floats
    makes up for it, and one of 32 bits has done so before."""
    a, b, bias = inputs[:3]
    if a.rank != 2 or b.rank != 2 or bias.rank != 1:
        raise Refusal("matrices and a vector of biases are taken")
    ends = [scalar(g, end) for end in inputs[3:]]
    left, right = (g.transpose(x, [1, 0]) if flip else x for x, flip in zip((a, b), flips, strict=True))
    shape = (left.size(0), right.size(1))
    kinds = [a.dtype, b.dtype, a.dtype, b.dtype]
    if supports("MatMulInteger", kinds, INT32):
        zeros = [g.const(0, kind) for kind in kinds[2:]]
        sums = g.cast(g.op("MatMulInteger", left, right, *zeros, dtype=INT32, shape=shape), FLOAT64)
    else:
        sums = g.op("MatMul", g.cast(left, FLOAT64), g.cast(right, FLOAT64), shape=shape)
    weight = div(g, g.cast(_reach(g, ends[2], ends[3]), FLOAT64), f64(g, _steps(b)))
    first = mode == b"MIN_FIRST"
    low, high = (g.cast(end, FLOAT64) for end in ends[:2])
    spread = sub(g, high, low) if first else g.cast(_reach(g, ends[0], ends[1]), FLOAT64)
    unit = mul(g, div(g, spread, f64(g, _steps(a))), weight)
    if first and bias.dtype != INT32:
        columns = g.op("ReduceSum", g.cast(right, FLOAT64), g.ints([0]), keepdims=0, shape=(right.size(1),))
        sums = g.op("Add", sums, mul(g, columns, div(g, mul(g, low, weight), unit)), shape=shape)
    if dtype == FLOAT32:
        wide = g.cast(bias, FLOAT64)
        real = mul(g, add(g, sums, wide if bias.dtype == INT32 else div(g, wide, unit)), unit)
        return [g.cast(Value(real.name, FLOAT64, shape), FLOAT32)]
    reach = _reach(g, ends[4], ends[5]) if len(ends) > 4 else None
    made = _finished(g, sums, unit, bias, None, relu, reach, dtype)
    if len(ends) > 4:
        return [made, ends[4], ends[5]]
    return [made, *_sum_range(g, _level(g, ends[0], ends[1], a), _level(g, ends[2], ends[3], b))]


def _matmul(relu: bool = False) -> Lowering:
    def lower(
        g: Builder,
        step: Step,
        *inputs: Value,
        Toutput: DType,
        transpose_a: bool = False,
        transpose_b: bool = False,
        input_quant_mode: bytes = b"MIN_FIRST",
    ) -> list[Value]:
        return _product(g, inputs, (transpose_a, transpose_b), input_quant_mode, relu, Toutput)

    return lower


# --- ranges of channels


def requantize(
    g: Builder, step: Step, x: Value, low: Value, high: Value, new_low: Value, new_high: Value, *, out_type: DType
) -> list[Value]:
    """From 32 bits in a range for each channel to 8 bits in one range."""
    if x.rank != 4:
        raise Refusal("pictures (N, H, W, C) are taken")
    _ends(g, low, high)
    ends = [scalar(g, new_low), scalar(g, new_high)]
    if limits(out_type)[0]:
        below = g.op("Less", ends[0], f32(g, 0), dtype=BOOL, shape=())
        ends[0] = g.behind(ends[0], g.must(below, "the lower end of a range with a sign is not below zero"))
    reach = _reach(g, *ends)
    parts = div(g, div(g, _reach(g, low, high), reach), f32(g, 2.0**31))
    scales = mul(g, f32(g, limits(out_type)[1]), parts)
    made = mul(g, g.cast(x, FLOAT32), scales)
    return [_rounded(g, Value(made.name, FLOAT32, x.shape), out_type), *ends]


def range_per_channel(
    g: Builder, step: Step, x: Value, low: Value, high: Value, *, clip_value_max: float
) -> list[Value]:
    """The range that the numbers of all channels use, the same on both sides of zero, or from zero up."""
    if x.rank != 4 or x.shape is None or None in x.shape or 0 in x.shape or low.rank != 1 or high.rank != 1:
        raise Refusal("numbers of a known shape are taken")
    channels = (x.size(3),)
    sizes = []
    for op in ("ReduceMin", "ReduceMax"):
        found = g.op(op, x, g.ints([0, 1, 2]), keepdims=0, shape=channels)
        # TensorFlow's type of 32 bits becomes a float32 on its way; the lowest number has no opposite.
        wide = g.cast(g.cast(found, FLOAT32), INT64)
        wrapped = g.where(g.op("Equal", wide, g.const(1 << 31, INT64), dtype=BOOL, shape=channels),
                          g.const(-(1 << 31), INT64), wide, channels)  # fmt: skip
        size = g.unary("Abs", wrapped)
        lowest = g.op("Equal", size, g.const(1 << 31, INT64), dtype=BOOL, shape=channels)
        sizes.append(g.where(lowest, wrapped, size, channels))
    largest = g.cast(g.op("Max", *sizes, shape=channels), FLOAT32)
    used = div(g, mul(g, _reach(g, low, high), largest), f32(g, 2.0**31))
    most = g.op("ReduceMax", used, keepdims=0, shape=())
    end = g.binary("Min", g.binary("Max", most, f32(g, float(np.finfo(np.float32).tiny))), f32(g, clip_value_max))
    least = g.op("ReduceMin", x, keepdims=0, shape=())
    above = g.op("GreaterOrEqual", least, g.like(0, least), dtype=BOOL, shape=())
    return [g.where(above, f32(g, 0), g.unary("Neg", end), ()), end]


signed_conv: Lowering = _plain_conv()
"""QuantizedConv2D with filters that have a sign."""

LOWERINGS: Table = {
    "QuantizedConv2DAndRelu": _conv(relu=True),
    "QuantizedConv2DAndReluAndRequantize": _conv(relu=True, requantize=True),
    "QuantizedConv2DAndRequantize": _conv(requantize=True),
    "QuantizedConv2DPerChannel": signed_conv,
    "QuantizedConv2DWithBias": _conv(bias=True),
    "QuantizedConv2DWithBiasAndRelu": _conv(bias=True, relu=True),
    "QuantizedConv2DWithBiasAndReluAndRequantize": _conv(bias=True, relu=True, requantize=True),
    "QuantizedConv2DWithBiasAndRequantize": _conv(bias=True, requantize=True),
    "QuantizedConv2DWithBiasSignedSumAndReluAndRequantize": _conv(bias=True, summand=True, relu=True, requantize=True),
    "QuantizedConv2DWithBiasSumAndRelu": _conv(bias=True, summand=True, relu=True),
    "QuantizedConv2DWithBiasSumAndReluAndRequantize": _conv(bias=True, summand=True, relu=True, requantize=True),
    "QuantizedDepthwiseConv2D": _plain_conv(depthwise=True),
    "QuantizedDepthwiseConv2DWithBias": _plain_conv(depthwise=True, bias=True),
    "QuantizedDepthwiseConv2DWithBiasAndRelu": _conv(depthwise=True, bias=True, relu=True),
    "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize": _conv(
        depthwise=True, bias=True, relu=True, requantize=True
    ),
    "QuantizedMatMulWithBias": _matmul(),
    "QuantizedMatMulWithBiasAndDequantize": _matmul(),
    "QuantizedMatMulWithBiasAndRelu": _matmul(relu=True),
    "QuantizedMatMulWithBiasAndReluAndRequantize": _matmul(relu=True),
    "QuantizedMatMulWithBiasAndRequantize": _matmul(),
    "RequantizationRangePerChannel": range_per_channel,
    "RequantizePerChannel": requantize,
}
