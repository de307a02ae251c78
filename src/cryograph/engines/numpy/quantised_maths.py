"""Arithmetic on numbers that are small integers with a range: products, sums, pools, norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import shape_of
from .context import Context, Rule
from .convolutions import convolve
from .fused_quantised import signed_conv
from .quantised import F, level, limits, meaning, one, product_range, to_float, to_quantised, within
from .windows import padded, plan, view

Ranged = tuple[Array, Array, Array]
"""Numbers, and the floats that their lowest and their highest mean."""


def _ranged(made: Array, low: Any, high: Any) -> Ranged:
    return made, np.array(low, F), np.array(high, F)


def _ends(*ends: Array) -> list[Any]:
    return [one(end, "an end of a range") for end in ends]


def _from_zero(x: Array, low: Any, high: Any) -> Array:
    """Steps away from the step that means zero, as int64."""
    return x.astype(np.int64) - level(0.0, low, high, x.dtype)


def _conv2d(
    ctx: Context,
    x: Array,
    filters: Array,
    min_input: Array,
    max_input: Array,
    min_filter: Array,
    max_filter: Array,
    *,
    strides: list[int],
    padding: bytes,
    dilations: list[int],
) -> Ranged:
    """What is added around the picture means zero."""
    if filters.dtype == np.int8:
        how = {"strides": strides, "padding": padding, "dilations": dilations}
        signed: Ranged = signed_conv(ctx, x, filters, min_input, max_input, min_filter, max_filter, **how)
        return signed
    ends = _ends(min_input, max_input, min_filter, max_filter)
    if x.ndim != 4 or filters.ndim != 4 or x.shape[3] != filters.shape[2]:
        raise RunError(f"filters of {list(filters.shape)} do not fit pictures of {list(x.shape)}")
    if list(dilations) != [1, 1, 1, 1] or strides[1] != strides[2] or strides[0] != 1 or strides[3] != 1:
        raise RunError(f"the strides {strides} or the dilations {dilations} are not supported by the op")
    windows = plan(x.shape[1:3], filters.shape[:2], strides[1:3], padding)
    # Sums of products of bytes are exact in doubles, and the product of matrices is fast there.
    made = convolve(
        _from_zero(x, *ends[:2]).astype(np.float64), _from_zero(filters, *ends[2:]).astype(np.float64), windows
    )
    ranges = product_range((ends[0], ends[1], x.dtype), (ends[2], ends[3], filters.dtype), ctx.dtype)
    return _ranged(made.astype(np.int64).astype(ctx.dtype), *ranges)


def _matmul(
    ctx: Context,
    a: Array,
    b: Array,
    min_a: Array,
    max_a: Array,
    min_b: Array,
    max_b: Array,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> Ranged:
    ends = _ends(min_a, max_a, min_b, max_b)
    if a.ndim != 2 or b.ndim != 2:
        raise RunError(f"matrices were expected, not {list(a.shape)} and {list(b.shape)}")
    left, right = _from_zero(a, *ends[:2]), _from_zero(b, *ends[2:])
    left, right = left.T if transpose_a else left, right.T if transpose_b else right
    if left.shape[1] != right.shape[0]:
        raise RunError(f"matrices of {list(left.shape)} and {list(right.shape)} have no product")
    made = (left.astype(np.float64) @ right.astype(np.float64)).astype(np.int64)
    return _ranged(
        made.astype(ctx.dtype), *product_range((ends[0], ends[1], a.dtype), (ends[2], ends[3], b.dtype), ctx.dtype)
    )


def _mul(ctx: Context, x: Array, y: Array, min_x: Array, max_x: Array, min_y: Array, max_y: Array) -> Ranged:
    ends = _ends(min_x, max_x, min_y, max_y)
    made = _from_zero(x, *ends[:2]) * _from_zero(y, *ends[2:])
    ranges = product_range((ends[0], ends[1], x.dtype), (ends[2], ends[3], y.dtype), ctx.dtype)
    return _ranged(made.astype(ctx.dtype), *ranges)


def sum_range(ends: list[Any], bits: int) -> tuple[Any, Any]:
    """A range for sums: wider than that of the parts by some bits, and the same on both sides of zero."""
    high = F(max(abs(float(end)) for end in ends)) * F(1 << bits)
    return -high, high


def _add(ctx: Context, x: Array, y: Array, min_x: Array, max_x: Array, min_y: Array, max_y: Array) -> Ranged:
    """Both in the steps of the sum's range: that of the lowest number, and a whole number of steps for each further.
    A single number gets its own step."""
    ends = _ends(min_x, max_x, min_y, max_y)
    low, high = sum_range(ends, 14)
    total: Any = 0
    alone = 0 if x.size == 1 else 1 if y.size == 1 else None
    for number, (part, least, most) in enumerate(((x, *ends[:2]), (y, *ends[2:]))):
        if number == alone:
            own = level(meaning(part.reshape(()), least, most, part.dtype), low, high, np.int32)
            total = total + np.full(part.shape, within(own, np.int32), np.int32)
            continue
        first, second = (level(meaning(np.array(n), least, most, part.dtype), low, high, np.int32) for n in (0, 1))
        moved = first + part.astype(np.int64) * (second - first)
        total = total + np.clip(moved, *limits(np.int32)).astype(np.int32)
    return _ranged(np.asarray(total, ctx.dtype), low, high)


def _bias_add(
    ctx: Context, x: Array, bias: Array, min_x: Array, max_x: Array, min_bias: Array, max_bias: Array
) -> Ranged:
    ends = _ends(min_x, max_x, min_bias, max_bias)
    if x.ndim < 2 or bias.shape != x.shape[-1:]:
        raise RunError(f"biases of {list(bias.shape)} do not fit {list(x.shape)}")
    low, high = sum_range(ends, 17)
    zero = within(level(0.0, low, high, np.int32), np.int32)
    parts = [to_quantised(to_float(part, *r), low, high, np.int32) for part, r in ((x, ends[:2]), (bias, ends[2:]))]
    total = parts[0].astype(np.int64) + parts[1].astype(np.int64) + zero
    return _ranged(total.astype(ctx.dtype), low, high)


def _bounded(most: float | None) -> Rule:
    def rule(ctx: Context, x: Array, low: Array, high: Array) -> Ranged:
        return _cut(x, most, *_ends(low, high))

    return rule


def _bounded_by(ctx: Context, x: Array, most: Array, low: Array, high: Array) -> Ranged:
    return _cut(x, float(one(most, "the largest value")), *_ends(low, high))


def _cut(x: Array, most: float | None, low: Any, high: Any) -> Ranged:
    made = np.maximum(x, x.dtype.type(within(level(0.0, low, high, x.dtype), x.dtype)))
    if most is not None:
        made = np.minimum(made, x.dtype.type(within(level(most, low, high, x.dtype), x.dtype)))
    return _ranged(made, low, high)


def _reshape(ctx: Context, x: Array, shape: Array, low: Array, high: Array) -> Ranged:
    least, most = _ends(low, high)
    sizes = list(shape_of(shape)) if (shape >= 0).all() else [int(n) for n in shape]
    try:
        return _ranged(x.reshape(sizes), least, most)
    except ValueError as error:
        raise RunError(f"{list(x.shape)} cannot be laid out as {sizes}") from error


def _concat(ctx: Context, axis: Array, *parts: Array) -> Ranged:
    count = len(parts) // 3
    values, lows, highs = parts[:count], _ends(*parts[count : 2 * count]), _ends(*parts[2 * count :])
    low, high = min(lows), max(highs)
    if limits(values[0].dtype)[0] < 0:
        high = max(abs(low), abs(high))
        low = -high
    at = int(axis)
    if not 0 <= at < values[0].ndim:
        raise RunError(f"the axis {at} is not one of {values[0].ndim} dimensions")
    moved = [
        x if (a, b) == (low, high) else to_quantised(to_float(x, a, b), low, high, x.dtype)
        for x, a, b in zip(values, lows, highs, strict=True)
    ]
    return _ranged(np.concatenate(moved, at), low, high)


def _pooled(reduce: Callable[[Array, Array], Array], filler: Callable[[Any], int]) -> Rule:
    def rule(
        ctx: Context, x: Array, low: Array, high: Array, *, ksize: list[int], strides: list[int], padding: bytes
    ) -> Ranged:
        least, most = _ends(low, high)
        if x.ndim != 4 or ksize[0] != 1 or ksize[3] != 1 or strides[0] != 1 or strides[3] != 1:
            raise RunError(f"windows of {ksize} that move by {strides} do not fit pictures of {list(x.shape)}")
        windows = plan(x.shape[1:3], ksize[1:3], strides[1:3], padding)
        wide = x.astype(np.int64)
        around = padded(wide - filler(x.dtype), windows.pairs) + filler(x.dtype)
        inside = padded(np.ones_like(wide), windows.pairs)
        laid, counted = (view(np.ascontiguousarray(part), windows) for part in (around, inside))
        return _ranged(reduce(laid, counted).astype(ctx.dtype), least, most)

    return rule


def _average(laid: Array, counted: Array) -> Array:
    """Towards zero."""
    sums, counts = laid.sum((3, 4)), counted.sum((3, 4))
    return np.asarray(np.trunc(sums / counts))


def _instance_norm(
    ctx: Context,
    x: Array,
    x_min: Array,
    x_max: Array,
    *,
    output_range_given: bool = False,
    given_y_min: float = 0.0,
    given_y_max: float = 0.0,
    variance_epsilon: float = 1e-5,
    min_separation: float = 1e-3,
) -> Ranged:
    low, high = _ends(x_min, x_max)
    if x.ndim != 4 or not low < high:
        raise RunError(f"pictures in a range are normed, not {list(x.shape)} from {low} to {high}")
    scale = (high - low) / F(255)
    wide = x.astype(F)
    centred = wide - wide.mean((1, 2), keepdims=True, dtype=np.float64).astype(F)
    variance = np.square(scale * centred).mean((1, 2), keepdims=True, dtype=np.float64).astype(F)
    normed = scale * centred * (F(1) / np.sqrt(variance + F(variance_epsilon)))
    least, most = (F(given_y_min), F(given_y_max)) if output_range_given else (normed.min(), normed.max())
    if most - least < F(min_separation):
        most = least + F(min_separation)
    return _ranged(to_quantised(normed, least, most, x.dtype), least, most)


def _means(x: Array, low: Array, high: Array) -> Array:
    least, most = _ends(low, high)
    return meaning(x, least, most, x.dtype)


def _batch_norm(
    ctx: Context,
    x: Array,
    x_min: Array,
    x_max: Array,
    mean: Array,
    mean_min: Array,
    mean_max: Array,
    variance: Array,
    variance_min: Array,
    variance_max: Array,
    beta: Array,
    beta_min: Array,
    beta_max: Array,
    gamma: Array,
    gamma_min: Array,
    gamma_max: Array,
    *,
    variance_epsilon: float,
    scale_after_normalization: bool,
) -> Ranged:
    """In fixed point, with a range of a million on both sides of zero."""
    if x.ndim != 4 or any(part.shape != x.shape[3:] for part in (mean, variance, beta, gamma)):
        raise RunError(f"statistics of {list(mean.shape)} do not fit pictures of {list(x.shape)}")
    low, high = F(-(1 << 20)), F(1 << 20)
    given = ((mean, mean_min, mean_max), (variance, variance_min, variance_max), (beta, beta_min, beta_max),
             (gamma, gamma_min, gamma_max))  # fmt: skip
    m, v, b, g = (_means(part, least, most) for part, least, most in given)
    scale = F(1) / np.sqrt(v + F(variance_epsilon))
    if scale_after_normalization:
        scale = scale * g
    offset = (-m * scale) + b

    def placed(numbers: Any) -> Array:
        return np.array([within(level(n, low, high, np.int32), np.int32) for n in np.ravel(numbers)], np.int32)

    first, shift = placed(scale), placed(offset)
    (unit,) = placed(F(1)).tolist()
    table = placed(_means(np.arange(256).astype(x.dtype), x_min, x_max))  # of bytes there are but 256
    with np.errstate(over="ignore"):
        product = table[x] * first  # wraps at 32 bits, as TensorFlow's does
        made = np.trunc(product / unit).astype(np.int64).astype(np.int32) + shift
    return _ranged(made.astype(ctx.dtype), low, high)


RULES: dict[str, Rule] = {
    "QuantizedAdd": _add,
    "QuantizedAvgPool": _pooled(_average, lambda dtype: 0),
    "QuantizedBatchNormWithGlobalNormalization": _batch_norm,
    "QuantizedBiasAdd": _bias_add,
    "QuantizedConcat": _concat,
    "QuantizedConv2D": _conv2d,
    "QuantizedInstanceNorm": _instance_norm,
    "QuantizedMatMul": _matmul,
    "QuantizedMaxPool": _pooled(lambda laid, _: laid.max((3, 4)), lambda dtype: limits(dtype)[0]),
    "QuantizedMul": _mul,
    "QuantizedRelu": _bounded(None),
    "QuantizedRelu6": _bounded(6.0),
    "QuantizedReluX": _bounded_by,
    "QuantizedReshape": _reshape,
}
