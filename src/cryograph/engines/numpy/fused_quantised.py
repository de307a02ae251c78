"""Convolutions and products of small integers with what follows them: bias, a summand, ReLU, a new range.

Intel's tools rewrite quantised graphs into these ops. Filters are 8 bits with a sign; a range stands for the same steps
on both sides of zero, so that zero means zero. Source: mkl_conv_ops.cc, mkl_qmatmul_op.cc,
mkl_requantize_per_channel_op.cc. TensorFlow 2.21 multiplies numbers of two units (biases of products in the mode
MIN_FIRST) and gives all channels the unit of the first (sums of 32 bits); the rules here do what the ops are described
to do, and what TensorFlow did before it took oneDNN 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .convolutions import convolve
from .quantised import D, F, limits, one
from .windows import explicit_pairs, padded, plan, spatial, view

Ranged = tuple[Array, Array, Array]


@dataclass(frozen=True, slots=True)
class _After:
    """What follows the sum of products."""

    bias: bool = False
    summand: bool = False
    relu: bool = False
    requantize: bool = False


def _steps(dtype: Any) -> int:
    """The steps between zero and the end of a range."""
    return limits(dtype)[1]


def _reach(low: Array, high: Array) -> Array:
    """The end of a range that is the same on both sides of zero."""
    if low.shape != high.shape or low.ndim > 1:
        raise RunError(f"the ends of ranges have the shapes {list(low.shape)} and {list(high.shape)}")
    return np.maximum(np.abs(low), np.abs(high))


def _sum_range(a: tuple[Array, Array, Any], b: tuple[Array, Array, Any]) -> tuple[Array, Array]:
    """What the ends of 32 bits mean after a product of two ranges; one a channel where that of the filter is."""
    levels = [(high - low) / F(_steps(dtype) * (2 if dtype == np.int8 else 1)) for low, high, dtype in (a, b)]
    lowest, highest = limits(np.int32)
    return np.asarray(levels[0] * levels[1] * F(lowest), F), np.asarray(levels[0] * levels[1] * F(highest), F)


def _rounded(x: Array, dtype: np.dtype[Any]) -> Array:
    """To the nearest number that a dtype holds, halves to the even one."""
    return np.clip(np.rint(x), *limits(dtype)).astype(dtype)


def _windows(
    x: Array, filters: Array, strides: list[int], padding: bytes, dilations: list[int], around: list[int]
) -> Any:
    if x.ndim != 4 or filters.ndim != 4:
        raise RunError(f"filters of {list(filters.shape)} do not fit pictures of {list(x.shape)}")
    steps, gaps = spatial(strides, b"NHWC", 2), spatial(dilations, b"NHWC", 2)
    pairs = explicit_pairs(around, b"NHWC", 2)
    return plan(x.shape[1:3], filters.shape[:2], steps, b"EXPLICIT" if pairs else padding, gaps, pairs)


def _sums(x: Array, filters: Array, windows: Any, depthwise: bool) -> Array:
    """Exact, as doubles."""
    wide, weights = x.astype(D), filters.astype(D)
    if not depthwise:
        return convolve(wide, weights, windows)
    if filters.shape[2] != x.shape[3]:
        raise RunError(f"filters of {list(filters.shape)} do not fit {x.shape[3]} channels")
    laid = view(np.ascontiguousarray(padded(wide, windows.pairs)), windows)
    return np.asarray(np.einsum("nhwijc,ijcm->nhwcm", laid, weights)).reshape(*laid.shape[:3], -1)


def _finished(
    sums: Array, unit: Array, bias: Array | None, summand: Array | None, relu: bool, reach: Any, dtype: np.dtype[Any]
) -> Array:
    """Sums of products in steps of `unit`, with what follows them, in the steps of 32 bits or of a new range.

    A bias, or summand, of 32 bits has the same steps; of floats it has none.
    """
    made = sums
    for part in (bias, summand):
        if part is not None:
            made = made + (part if part.dtype == np.int32 else part.astype(D) / unit)
    if relu:
        made = np.maximum(made, 0)
    if reach is None:
        return _rounded(made, dtype)
    return _rounded(made * (unit * _steps(dtype) / D(reach)), dtype)


def _check_channels(count: int, *parts: Array) -> None:
    for part in parts:
        if part.ndim and part.shape != (count,):
            raise RunError(f"{list(part.shape)} numbers were given for {count} channels")


def _convolved(after: _After, depthwise: bool, inputs: tuple[Array, ...], how: tuple[Any, ...], dtype: Any) -> Ranged:
    given = list(inputs)
    x, filters = given[:2]
    bias = given[2] if after.bias else None
    low, high, filter_low, filter_high = given[2 + after.bias : 6 + after.bias]
    rest = given[6 + after.bias :]
    sums = _sums(x, filters, _windows(x, filters, *how), depthwise)
    filter_reach = _reach(filter_low, filter_high).astype(D)
    _check_channels(sums.shape[-1], filter_reach, *([] if bias is None else [bias.reshape(-1)]))
    ends = one(low, "the lower end of a range"), one(high, "the upper end of a range")
    unit = _reach(*map(np.asarray, ends)).astype(D) / _steps(x.dtype) * (filter_reach / _steps(filters.dtype))
    if not after.requantize:
        summand = rest[0] if after.summand else None
        made = _finished(sums, unit, bias, summand, after.relu, None, np.dtype(np.int32))
        return made, *_sum_range((low, high, x.dtype), (filter_low, filter_high, filters.dtype))
    new_low, new_high = (one(end, "an end of the new range") for end in rest[:2])
    summand = None
    if after.summand:
        summand = rest[2].astype(D) * (D(_reach(*map(np.asarray, rest[3:5]))) / _steps(rest[2].dtype))
    reach = max(abs(new_low), abs(new_high))
    made = _finished(sums, unit, bias, summand, after.relu, reach, np.dtype(dtype))
    return made, np.asarray(new_low, F), np.asarray(new_high, F)


def _conv(depthwise: bool = False, **after: bool) -> Rule:
    then = _After(**after)

    def rule(
        ctx: Context,
        *inputs: Array,
        strides: list[int],
        padding: bytes,
        dilations: list[int],
        padding_list: list[int] | None = None,
    ) -> Ranged:
        return _convolved(then, depthwise, inputs, (strides, padding, dilations, padding_list or []), ctx.dtype)

    return rule


def _plain_conv(depthwise: bool = False, bias: bool = False) -> Rule:
    then = _After(bias=bias)

    def rule(ctx: Context, *inputs: Array, strides: list[int], padding: bytes, dilations: list[int]) -> Ranged:
        return _convolved(then, depthwise, inputs, (strides, padding, dilations, []), ctx.dtype)

    return rule


signed_conv: Rule = _plain_conv()
"""QuantizedConv2D with filters that have a sign, which TensorFlow leaves to oneDNN."""


def _product(
    inputs: tuple[Array, ...], flip_a: bool, flip_b: bool, mode: bytes, relu: bool, dtype: Any
) -> tuple[Array, tuple[Array, Array]]:
    """The sums in their new steps, and what the ends of 32 bits mean.

    In the mode MIN_FIRST the lowest number stands for the lower end of the range and not for zero; a bias of floats
    makes up for it, and one of 32 bits has done so before.
    """
    a, b, bias, low, high, filter_low, filter_high = inputs[:7]
    if a.ndim != 2 or b.ndim != 2:
        raise RunError(f"matrices were expected, not {list(a.shape)} and {list(b.shape)}")
    left, right = (a.T if flip_a else a).astype(D), (b.T if flip_b else b).astype(D)
    if left.shape[1] != right.shape[0]:
        raise RunError(f"matrices of {list(left.shape)} and {list(right.shape)} have no product")
    if bias.shape != right.shape[1:]:
        raise RunError(f"biases of {list(bias.shape)} do not fit {right.shape[1]} columns")
    ends = [one(end, "an end of a range") for end in inputs[3:]]
    weight = D(max(abs(ends[2]), abs(ends[3]))) / _steps(b.dtype)
    first = mode == b"MIN_FIRST"
    unit = (D(ends[1]) - D(ends[0]) if first else D(max(abs(ends[0]), abs(ends[1])))) / _steps(a.dtype) * weight
    sums = left @ right
    if first and bias.dtype != np.int32:
        sums = sums + right.sum(0) * (D(ends[0]) * weight / unit)
    ranges = _sum_range((low, high, a.dtype), (filter_low, filter_high, b.dtype))
    if dtype == np.float32:
        real = (sums + (bias if bias.dtype == np.int32 else bias.astype(D) / unit)) * unit
        return real.astype(F), ranges
    reach = max(abs(ends[4]), abs(ends[5])) if len(ends) > 4 else None
    return _finished(sums, np.asarray(unit), bias, None, relu, reach, np.dtype(dtype)), ranges


def _matmul(relu: bool = False) -> Rule:
    def rule(
        ctx: Context,
        *inputs: Array,
        transpose_a: bool = False,
        transpose_b: bool = False,
        input_quant_mode: bytes = b"MIN_FIRST",
    ) -> Any:
        made, ranges = _product(inputs, transpose_a, transpose_b, input_quant_mode, relu, ctx.dtype)
        if ctx.dtype == np.float32:
            return made
        if len(inputs) > 7:
            ranges = np.asarray(one(inputs[7], "an end"), F), np.asarray(one(inputs[8], "an end"), F)
        return made, *ranges

    return rule


def _requantize(ctx: Context, x: Array, low: Array, high: Array, new_low: Array, new_high: Array) -> Ranged:
    """From 32 bits in a range for each channel to 8 bits in one range."""
    if low.shape != high.shape or x.ndim != 4:
        raise RunError(f"ranges of {list(low.shape)} and {list(high.shape)} do not fit {list(x.shape)}")
    ends = one(new_low, "the lower end of the range"), one(new_high, "the upper end of the range")
    if ctx.dtype == np.int8 and not ends[0] < 0:
        raise RunError(f"the lower end of a range for numbers with a sign is {ends[0]}, which is not below zero")
    _check_channels(x.shape[-1], low.reshape(-1))
    reach = F(max(abs(ends[0]), abs(ends[1])))
    scales = F(_steps(ctx.dtype)) * (_reach(low.reshape(-1), high.reshape(-1)) / reach / F(2.0**31))
    return _rounded(x.astype(F) * scales, ctx.dtype), np.asarray(ends[0], F), np.asarray(ends[1], F)


def _range_per_channel(
    ctx: Context, x: Array, low: Array, high: Array, *, clip_value_max: float
) -> tuple[Array, Array]:
    """The range that the numbers of all channels use, the same on both sides of zero, or from zero up."""
    if x.ndim != 4 or not x.size or low.shape != x.shape[3:] or high.shape != x.shape[3:]:
        raise RunError(f"ranges of {list(low.shape)} and {list(high.shape)} do not fit {list(x.shape)}")
    # TensorFlow's type of 32 bits becomes a float32 on its way; the lowest number has no opposite.
    ends = (reduce((0, 1, 2)).astype(F).astype(np.int64).astype(np.int32) for reduce in (x.min, x.max))
    least, most = map(np.abs, ends)
    largest = np.maximum(least, most).astype(F)
    used = (_reach(low, high) * largest / F(2.0**31)).max()
    end = F(min(max(used, np.finfo(F).tiny), F(clip_value_max)))
    return np.asarray(F(0) if x.min() >= 0 else -end, F), np.asarray(end, F)


RULES: dict[str, Rule] = {
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
    "RequantizationRangePerChannel": _range_per_channel,
    "RequantizePerChannel": _requantize,
}
