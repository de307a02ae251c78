"""Numbers as small integers with a scale and a zero point, for all of a tensor or for each slice along an axis."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule

F = np.float32
_INT32 = (-(2**31), 2**31 - 1)


def _laid(x: Array, part: Array, axis: int, what: str) -> Array:
    """Scales or zero points so that they are broadcast along the axis."""
    if not -1 <= axis < x.ndim:
        raise RunError(f"the axis {axis} is not one of {x.ndim} dimensions")
    if axis < 0:
        if part.ndim:
            raise RunError(f"the {what} must be one number, not {list(part.shape)}")
        return part
    if part.shape != x.shape[axis : axis + 1]:
        raise RunError(f"{list(part.shape)} {what}s do not fit the axis {axis} of {list(x.shape)}")
    return part.reshape(-1, *(1,) * (x.ndim - 1 - axis))


def _check(scales: Array) -> None:
    if (scales <= 0).any() or not np.isfinite(scales).all():
        raise RunError("a scale is not a positive number")


def _quantize(
    ctx: Context,
    x: Array,
    scales: Array,
    zero_points: Array,
    *,
    quantization_axis: int = -1,
    quantization_min_val: int,
    quantization_max_val: int,
) -> Array:
    _check(scales)
    scale, zero = _laid(x, scales, quantization_axis, "scale"), _laid(x, zero_points, quantization_axis, "zero point")
    scaled = x / scale
    whole = np.floor(scaled + F(0.5)) + zero.astype(F)
    return (
        np.asarray(np.clip(whole, F(quantization_min_val), F(quantization_max_val))).astype(np.int64).astype(ctx.dtype)
    )


def _dequantize(
    ctx: Context,
    x: Array,
    scales: Array,
    zero_points: Array,
    *,
    quantization_axis: int = -1,
    quantization_min_val: int,
    quantization_max_val: int,
) -> Array:
    _check(scales)
    scale, zero = _laid(x, scales, quantization_axis, "scale"), _laid(x, zero_points, quantization_axis, "zero point")
    return np.asarray((x.astype(np.int32) - zero.astype(np.int32)).astype(F) * scale, F)  # wraps, as TensorFlow's does


def _requantize(
    ctx: Context,
    x: Array,
    input_scales: Array,
    input_zero_points: Array,
    output_scales: Array,
    output_zero_points: Array,
    *,
    input_quantization_axis: int = -1,
    input_quantization_min_val: int,
    input_quantization_max_val: int,
    output_quantization_axis: int = -1,
    output_quantization_min_val: int,
    output_quantization_max_val: int,
) -> Array:
    """From one scale to another, in fixed point with 31 bits behind the point. The limits of the input do nothing."""
    axes = input_quantization_axis, output_quantization_axis
    if min(axes) >= 0 and axes[0] != axes[1]:
        raise RunError(f"the axes of the input, {axes[0]}, and of the output, {axes[1]}, are not the same")
    _check(input_scales)
    _check(output_scales)
    scale, zero = (_laid(x, part, axes[0], what) for part, what in ((input_scales, "scale"),
                   (input_zero_points, "zero point")))  # fmt: skip
    new_scale, new_zero = (_laid(x, part, axes[1], what) for part, what in ((output_scales, "scale"),
                           (output_zero_points, "zero point")))  # fmt: skip
    factor, shift = multiplier(scale.astype(np.float64) / new_scale)
    moved = (x.astype(np.int32) - zero.astype(np.int32)).astype(np.int64)  # wraps at 32 bits
    behind = 31 - shift
    made = np.clip((moved * factor + (np.int64(1) << (behind - 1))) >> behind, *_INT32)
    placed = (made + new_zero).astype(np.int32)
    return np.asarray(np.clip(placed, output_quantization_min_val, output_quantization_max_val), ctx.dtype)


def multiplier(ratio: Array) -> tuple[Array, Array]:
    """A positive number as a factor of 31 bits and a power of two."""
    part, shift = np.frexp(ratio)
    factor = np.floor(part * 2.0**31 + 0.5).astype(np.int64)
    full = factor == 1 << 31
    factor, shift = np.where(full, factor // 2, factor), (shift + full).astype(np.int64)
    factor, shift = np.where(shift < -31, 0, factor), np.where(shift < -31, 0, shift)
    return np.where(shift > 30, (1 << 31) - 1, factor), np.minimum(shift, 30)


RULES: dict[str, Rule] = {
    "UniformDequantize": _dequantize,
    "UniformQuantize": _quantize,
    "UniformRequantize": _requantize,
}
