"""Numbers as small integers with a range beside them: into that form, out of it, and from one range to another.

A tensor of 8, 16 or 32 bits comes with the two floats that its lowest and its highest number mean. The arithmetic is
float32 in TensorFlow's order, as one rounding more moves a number by a whole step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given

F, D = np.float32, np.float64


def limits(dtype: Any) -> tuple[int, int]:
    """The lowest and the highest number."""
    found = np.iinfo(dtype)
    return int(found.min), int(found.max)


def rounded(x: Any) -> Any:
    """To the nearest integer, halves away from zero."""
    whole = np.trunc(x)
    return whole + np.where(np.abs(x - whole) >= 0.5, np.sign(x), x.dtype.type(0))


def to_float(x: Array, low: Any, high: Any) -> Array:
    """What quantised numbers mean, as float32; the range is moved so that zero is one of its steps."""
    low, high = F(low), F(high)
    lowest, highest = limits(x.dtype)
    scale = F((D(high) - D(low)) / (highest - lowest))
    start = low if low == high else F(rounded(F(low / scale)) * scale)
    return np.asarray((start - F(lowest) * scale) + x.astype(F) * scale)


def to_quantised(x: Array, low: Any, high: Any, dtype: Any) -> Array:
    """Floats in steps of a range, the ends of which are met."""
    low, high = F(low), F(high)
    lowest, highest = limits(dtype)
    scale = F(0) if low == high else F((highest - lowest) / D(high - low))
    start = rounded(F(low * scale)) - F(lowest)
    bounds = max(F(lowest), F(-2147483648.0)), min(F(highest), F(2147483520.0))
    return np.asarray(np.clip(rounded(x * scale) - start, *bounds)).astype(np.int64).astype(dtype)


def level(x: Any, low: Any, high: Any, dtype: Any) -> int:
    """The step at which a float lies, outside of the dtype too."""
    low, high = F(low), F(high)
    lowest, highest = limits(dtype)
    if low == high:
        return lowest
    count = highest - lowest + 1
    scale = count / (D(high - low) * (count / (count - 1.0)))
    return int(rounded(D(D(x) * scale)) - rounded(D(D(low) * scale))) + lowest


def within(value: int, dtype: Any) -> int:
    """The nearest number that a dtype holds."""
    lowest, highest = limits(dtype)
    return min(max(value, lowest), highest)


def product_range(a: tuple[Any, Any, Any], b: tuple[Any, Any, Any], dtype: Any) -> tuple[Any, Any]:
    """The range of products of two quantised tensors, each given by low, high and dtype."""
    steps = [(F(high) - F(low)) / F(limits(kind)[1] - limits(kind)[0]) for low, high, kind in (a, b)]
    step = F(steps[0] * steps[1])
    lowest, highest = limits(dtype)
    return step * F(lowest), step * F(highest)


def one(x: Array, what: str) -> Any:
    """The only number of a tensor."""
    if x.size != 1:
        raise RunError(f"{what} must be one number, not {list(x.shape)}")
    return x.reshape(())[()]


def _ends(low: Array, high: Array) -> tuple[Any, Any]:
    return one(low, "the lower end of a range"), one(high, "the upper end of a range")


def _quantize(
    ctx: Context,
    x: Array,
    min_range: Array,
    max_range: Array,
    *,
    mode: bytes = b"MIN_COMBINED",
    round_mode: bytes = b"HALF_AWAY_FROM_ZERO",
    narrow_range: bool = False,
    axis: int = -1,
    ensure_minimum_range: float = 0.01,
) -> tuple[Array, Array, Array]:
    """Into steps of a range, which is widened to hold zero and not to be too narrow."""
    if mode != b"SCALED" and round_mode == b"HALF_TO_EVEN":
        raise RunError("the round mode HALF_TO_EVEN goes with the mode SCALED only")
    if not -1 <= axis < x.ndim:
        raise RunError(f"the axis {axis} is not one of {x.ndim} dimensions")
    count = x.shape[axis] if axis >= 0 else 1
    if min_range.size != count or max_range.size != count:
        raise RunError(f"ranges of {min_range.size} and {max_range.size} were given where {count} are taken")
    shape = (-1, *(1,) * (x.ndim - 1 - axis)) if axis >= 0 else ()
    low, high = (end.astype(F).reshape(shape) for end in (min_range, max_range))
    if (high < low).any():
        raise RunError("the upper end of the range is below the lower one")
    if axis >= 0 and mode == b"MIN_FIRST":
        raise RunError("the mode MIN_FIRST takes no axis")
    least = np.minimum(F(0), low)
    epsilon = np.maximum(F(1), np.maximum(np.abs(low), np.abs(high))) * F(ensure_minimum_range)
    most = np.maximum(F(0), np.maximum(high, least + epsilon))
    made, least, most = _placed(x, least, most, ctx.dtype, mode, round_mode, narrow_range)
    ends = [np.asarray(end.reshape(-1) if axis >= 0 else end.reshape(()), F) for end in (least, most)]
    return made, ends[0], ends[1]


def _placed(
    x: Array, low: Any, high: Any, dtype: Any, mode: bytes, round_mode: bytes, narrow: bool
) -> tuple[Array, Any, Any]:
    lowest, highest = limits(dtype)
    if mode == b"MIN_FIRST":
        return to_quantised(x, low, high, dtype), low, high
    if mode == b"SCALED":
        first = F(lowest + narrow)
        largest = np.finfo(F).max
        by_low = np.where(first * low > 0, first / low, largest)
        by_high = np.where(F(highest) * high > 0, F(highest) / high, largest)
        scale = np.minimum(by_low, by_high)
        low, high = first / scale, F(highest) / scale
        scaled = np.clip(x, low, high) * scale
        return _cast(np.rint(scaled) if round_mode == b"HALF_TO_EVEN" else rounded(scaled), dtype), low, high
    scale = F(highest - lowest) / (high - low)
    moved = (np.clip(x, low, high) - low) * scale
    if lowest < 0:
        return _cast(rounded(moved - F((highest - lowest + 1) / 2)), dtype), low, high
    return _cast(moved + F(0.5), dtype), low, high


def _cast(x: Array, dtype: Any) -> Array:
    """Towards zero; what 32 bits cannot hold becomes their lowest number, as processors have it."""
    lowest, highest = limits(dtype)
    wide = np.trunc(x.astype(D))
    if np.dtype(dtype) == np.int32:
        wide = np.where((wide < lowest) | (wide > highest), lowest, wide)
    return np.clip(wide, lowest, highest).astype(dtype)


def _dequantize(
    ctx: Context,
    x: Array,
    min_range: Array,
    max_range: Array,
    *,
    mode: bytes = b"MIN_COMBINED",
    narrow_range: bool = False,
    axis: int = -1,
) -> Array:
    """What quantised numbers mean."""
    if not -1 <= axis < x.ndim:
        raise RunError(f"the axis {axis} is not one of {x.ndim} dimensions")
    count = x.shape[axis] if axis >= 0 else 1
    if min_range.size != count or max_range.size != count:
        raise RunError(f"ranges of {min_range.size} and {max_range.size} were given where {count} are taken")
    if ctx.dtype != np.float32 and mode != b"MIN_COMBINED":
        raise RunError(f"bfloat16 comes of the mode MIN_COMBINED only, not of {mode.decode()}")
    if mode == b"MIN_FIRST":
        if count != 1:
            raise RunError("the mode MIN_FIRST takes no axis")
        return to_float(x, *_ends(min_range, max_range))
    shape = (-1, *(1,) * (x.ndim - 1 - axis)) if axis >= 0 else ()
    low, high = (end.astype(F).reshape(shape) for end in (min_range, max_range))
    lowest, highest = limits(x.dtype)
    if mode == b"SCALED":
        scale = high / F(highest)
        if lowest:
            scale = np.maximum(low / F(lowest + narrow_range), scale)
        found = x.astype(F)
        if axis < 0:  # TensorFlow takes a detour by 32 bits there, in which the largest number overflows
            found = np.where(found >= 2.0**31, F(-(2.0**31)), found)
        return given(ctx, found * scale)
    half = F((F(highest) - F(lowest) + F(1)) / 2) if lowest else F(0)
    scale = (high - low) / (F(highest) - F(lowest))
    return given(ctx, ((x.astype(F) + half) * scale) + low)


def requantised(x: Array, low: Any, high: Any, new_low: Any, new_high: Any, dtype: Any) -> Array:
    """From one range to another. From 32 to 8 bits this is fixed-point arithmetic with 16 bits behind the point."""
    low, high, new_low, new_high = F(low), F(high), F(new_low), F(new_high)
    if x.dtype != np.int32 or np.dtype(dtype) != np.uint8:
        return to_quantised(to_float(x, low, high), new_low, new_high, dtype)
    spread, new_spread = F(high - low), F(new_high - new_low)
    if new_spread == 0:
        factor = offset = start = 0
    else:
        factor = int(255.0 * (1 << 16) * D(spread) / D(new_spread))
        offset = int(F(F(D(low + high) / 2.0) * F(255.0 / D(new_spread))) * F(1 << 16))
        start = int((1 << 16) * (D(new_low) * 255.0) / D(new_spread))
    moved = ((x.astype(np.int64) * factor) >> 32) + (offset - start + (1 << 15))
    return np.asarray(np.clip(moved >> 16, 0, 255), np.uint8)


def _requantize(
    ctx: Context, x: Array, low: Array, high: Array, new_low: Array, new_high: Array
) -> tuple[Array, Array, Array]:
    old, new = _ends(low, high), _ends(new_low, new_high)
    if not new[0] <= 0:
        raise RunError(f"the lower end of the new range is {new[0]}; it must not be above 0")
    if not new[1] >= new[0]:
        raise RunError(f"the new range from {new[0]} to {new[1]} is empty")
    return requantised(x, *old, *new, ctx.dtype), np.array(new[0], F), np.array(new[1], F)


def used_range(x: Array, low: Any, high: Any) -> tuple[Array, Array]:
    """The smallest range that holds all numbers, and whose lower end is not above zero."""
    lowest, highest = limits(x.dtype)
    least, most = (int(x.min()), int(x.max())) if x.size else (highest, lowest)
    return np.minimum(F(0), meaning(np.array(least), low, high, x.dtype)), meaning(np.array(most), low, high, x.dtype)


def meaning(x: Array, low: Any, high: Any, dtype: Any) -> Array:
    """What quantised numbers mean, worked out in doubles."""
    low, high = F(low), F(high)
    if low == high:
        return np.full(np.shape(x), low)
    lowest, highest = limits(dtype)
    count = highest - lowest + 1
    scale = D(high - low) * (count / (count - 1.0)) / count
    start = D(rounded(F(low / F(scale))) * F(scale))
    return np.asarray(start + (np.asarray(x, D) - lowest) * scale, F)


def _requantization_range(ctx: Context, x: Array, low: Array, high: Array) -> tuple[Array, Array]:
    least, most = used_range(x, *_ends(low, high))
    return np.asarray(least, F), np.asarray(most, F)


def _shrink(ctx: Context, x: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """To the range that the numbers use."""
    ends = _ends(low, high)
    least, most = used_range(x, *ends)
    return requantised(x, *ends, least, most, ctx.dtype), np.asarray(least, F), np.asarray(most, F)


RULES: dict[str, Rule] = {
    "Dequantize": _dequantize,
    "QuantizeDownAndShrinkRange": _shrink,
    "QuantizeV2": _quantize,
    "RequantizationRange": _requantization_range,
    "Requantize": _requantize,
}
