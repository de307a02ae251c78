"""Numbers as small integers with a scale and a zero point, for all of a tensor or for each slice along an axis."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule

F = np.float32


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


RULES: dict[str, Rule] = {
    "UniformDequantize": _dequantize,
    "UniformQuantize": _quantize,
}
