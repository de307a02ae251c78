"""Pictures of small integers with a range, resized in fixed point.

Source: quantized_resize_bilinear_op.cc, in its form for processors without NEON.
"""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .images import sources, target_size
from .quantised import F

_POINTS = {"int32": 30, "uint8": 7}
"""By dtype: the bits behind the point."""


def _towards_zero(x: Array, divisor: int) -> Array:
    """A whole quotient, as C has it."""
    return np.asarray(np.sign(x) * (np.abs(x) // divisor))


def _resize(
    ctx: Context,
    images: Array,
    size: Array,
    low: Array,
    high: Array,
    *,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
) -> tuple[Array, Array, Array]:
    """The range stays as it is."""
    if low.ndim or high.ndim:
        raise RunError(f"the ends of a range must be single numbers, not {list(low.shape)} and {list(high.shape)}")
    height, width = target_size(images, size)
    if (height, width) == images.shape[1:3]:
        return images, low, high
    (top, bottom, y), (left, right, x) = (
        between(images.shape[axis], target, align_corners, half_pixel_centers)
        for axis, target in ((1, height), (2, width))
    )
    corners = [np.take(np.take(images, row, 1), column, 2) for row in (top, bottom) for column in (left, right)]
    x, y = x.reshape(1, 1, -1, 1), y.reshape(1, -1, 1, 1)
    if images.dtype == np.float32:
        upper = corners[0] + (corners[1] - corners[0]) * x
        lower = corners[2] + (corners[3] - corners[2]) * x
        return np.asarray(upper + (lower - upper) * y, F), low, high
    one = 1 << _POINTS[images.dtype.name]
    # TensorFlow's type of 32 bits becomes a float32 on its way to 64 bits.
    first, second, third, fourth = (corner.astype(F).astype(np.int64) for corner in corners)
    whole_x, whole_y = ((part * F(one)).astype(np.int64) for part in (x, y))
    upper = first * one + (second - first) * whole_x
    lower = third * one + (fourth - third) * whole_x
    found = upper + _towards_zero(lower - upper, one) * whole_y
    return _towards_zero(found + one // 2, one).astype(np.int32).astype(images.dtype), low, high


def between(size: int, target: int, align_corners: bool, half_pixel: bool) -> tuple[Array, Array, Array]:
    """The two pixels between which each place lies, and how far it is from the first."""
    places = sources(size, target, align_corners, half_pixel)
    floor = np.floor(places)
    upper = np.minimum(np.ceil(places).astype(np.int64), size - 1)
    return np.minimum(np.maximum(floor.astype(np.int64), 0), upper), upper, np.asarray(places - floor, F)


RULES: dict[str, Rule] = {
    "QuantizedResizeBilinear": _resize,
}
