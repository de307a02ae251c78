"""Rounding to the steps of a quantised range without leaving floats: what training for small machines puts into graphs.

All of it is float32 arithmetic in TensorFlow's order, as one rounding more moves a number by a whole step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given

F = np.float32


def nudged(xp: Any, low: Any, high: Any, num_bits: int, narrow_range: bool) -> tuple[Any, Any, Any]:
    """The range moved so that zero is one of its steps: its ends, and the size of a step."""
    if not 2 <= num_bits <= 16:
        raise RunError(f"num_bits is {num_bits}; it must lie between 2 and 16")
    first, last = F(narrow_range), F((1 << num_bits) - 1)
    step = (high - low) / (last - first)
    zero = first - low / step
    zero = xp.where(zero < first, first, xp.where(zero > last, last, xp.floor(xp.abs(zero) + F(0.5)) * xp.sign(zero)))
    return (first - zero) * step, (last - zero) * step, step


def _fake_quantised(ctx: Context, x: Any, low: Any, high: Any, num_bits: int, narrow_range: bool) -> Any:
    """Each number at the nearest step; a range from 0 to 0 gives zeros. Derivatives pass inside of the range."""
    xp = ctx.xp
    least, most, step = nudged(xp, low, high, num_bits, narrow_range)
    inverse = F(1) / step
    zero = xp.floor(-least * inverse + F(0.5))
    clipped = xp.clip(x, least, most)
    made = xp.floor((clipped - least) * inverse - zero + F(0.5)) * step
    return xp.where((low == 0) & (high == 0), F(0), ctx.derived_as(made, clipped))


def _range_of(low: Array, high: Array) -> None:
    if (low > high).any():
        raise RunError(f"the range from {low} to {high} is empty")


def _args(
    ctx: Context, x: Any, *, min: float = -6.0, max: float = 6.0, num_bits: int = 8, narrow_range: bool = False
) -> Any:
    if min >= max:
        raise RunError(f"the range from {min} to {max} is empty")
    return _fake_quantised(ctx, x, np.array(min, F), np.array(max, F), num_bits, narrow_range)


def _vars(ctx: Context, x: Any, low: Any, high: Any, *, num_bits: int = 8, narrow_range: bool = False) -> Any:
    if low.ndim or high.ndim:
        raise RunError("the ends of the range must be single numbers")
    return _fake_quantised(ctx, x, low, high, num_bits, narrow_range)


def _per_channel(ctx: Context, x: Any, low: Any, high: Any, *, num_bits: int = 8, narrow_range: bool = False) -> Any:
    if not x.ndim or low.shape != x.shape[-1:] or high.shape != x.shape[-1:]:
        raise RunError(f"ranges of {list(low.shape)} and {list(high.shape)} do not fit channels of {list(x.shape)}")
    return _fake_quantised(ctx, x, low, high, num_bits, narrow_range)


def _args_gradient(
    ctx: Context,
    gradient: Any,
    x: Any,
    *,
    min: float = -6.0,
    max: float = 6.0,
    num_bits: int = 8,
    narrow_range: bool = False,
) -> Any:
    if gradient.shape != x.shape:
        raise RunError(f"a gradient of {list(gradient.shape)} was given for {list(x.shape)}")
    least, most, _ = nudged(np, np.array(min, F), np.array(max, F), num_bits, narrow_range)
    return ctx.xp.where((x >= least) & (x <= most), gradient, F(0))


def _gradients(
    ctx: Context, gradient: Any, x: Any, low: Any, high: Any, num_bits: int, narrow_range: bool, axes: Any
) -> tuple[Any, Any, Any]:
    """For the numbers inside of the range, and for its ends, which those outside were moved to."""
    if gradient.shape != x.shape:
        raise RunError(f"a gradient of {list(gradient.shape)} was given for {list(x.shape)}")
    xp = ctx.xp
    least, most, _ = nudged(xp, low, high, num_bits, narrow_range)
    empty = (low == 0) & (high == 0)
    below, above = (x < least) & ~empty, (x > most) & ~empty
    ends = [xp.where(out, gradient, F(0)).sum(axes, dtype=F) for out in (below, above)]
    return xp.where(below | above, F(0), gradient), ends[0], ends[1]


def _vars_gradient(
    ctx: Context, gradient: Any, x: Any, low: Any, high: Any, *, num_bits: int = 8, narrow_range: bool = False
) -> tuple[Any, Any, Any]:
    return _gradients(ctx, gradient, x, low, high, num_bits, narrow_range, None)


def _per_channel_gradient(
    ctx: Context, gradient: Any, x: Any, low: Any, high: Any, *, num_bits: int = 8, narrow_range: bool = False
) -> tuple[Any, Any, Any]:
    return _gradients(ctx, gradient, x, low, high, num_bits, narrow_range, tuple(range(x.ndim - 1)))


def steps(low: Array, high: Array, signed: bool, num_bits: int, narrow: bool) -> tuple[Array, Array, Array, Array]:
    """The ends of a range that is symmetric around zero in steps, the number of steps in 1, and the size of a step."""
    kind = low.dtype.type
    first = kind((-(1 << (num_bits - 1)) + narrow) if signed else 0)
    last = kind((1 << (num_bits - 1)) - 1 if signed else (1 << num_bits) - 1)
    most = np.finfo(kind).max
    by_low = np.where(first * low > 0, first / low, most)
    by_high = np.where(last * high > 0, last / high, most)
    from_low = by_low < by_high
    scale = np.where(from_low, by_low, by_high)
    size = np.where(from_low, low / (first if first else kind(1)), high / last)
    return np.where(from_low, low, first * size), np.where(from_low, last * size, high), scale, size


def _quantised_and_back(
    x: Array,
    low: Array,
    high: Array,
    signed_input: bool,
    num_bits: int,
    range_given: bool,
    round_mode: bytes,
    narrow_range: bool,
    axis: int,
) -> Array:
    """To the nearest step and back. Without a range that is given it is that of the numbers."""
    most = 63 if signed_input else 62
    if not (signed_input < num_bits <= most):
        raise RunError(f"num_bits is {num_bits}, which is out of range")
    if not -1 <= axis < x.ndim:
        raise RunError(f"the axis {axis} is not one of {x.ndim} dimensions")
    wide = x.astype(F) if x.dtype.itemsize < 4 else x
    lay = (-1, *(1,) * (x.ndim - 1 - axis)) if axis >= 0 else ()
    others = tuple(n for n in range(x.ndim) if n != axis) if axis >= 0 else None
    if range_given:
        low, high = (
            end.astype(wide.dtype).reshape(lay) if axis >= 0 else end.astype(wide.dtype) for end in (low, high)
        )
        if (low > high).any():
            raise RunError("the lower end of the range is above the upper one")
    else:
        if not x.size:
            return x
        low, high = (np.asarray(f(wide, axis=others)).reshape(lay) for f in (np.min, np.max))
    least, most_, scale, size = steps(low, high, signed_input, num_bits, narrow_range)
    scaled = np.clip(wide, least, most_) * scale if range_given else wide * scale
    rounded = np.rint(scaled) if round_mode == b"HALF_TO_EVEN" else np.floor(scaled + wide.dtype.type(0.5))
    return np.asarray(rounded * size)


def _quantize_and_dequantize(
    ctx: Context,
    x: Array,
    low: Array,
    high: Array,
    *,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    round_mode: bytes = b"HALF_TO_EVEN",
    narrow_range: bool = False,
    axis: int = -1,
) -> Array:
    if range_given and (low.ndim or high.ndim):  # TensorFlow has ranges for channels in V3 only
        raise RunError("the ends of the range must be single numbers")
    made = _quantised_and_back(x, low, high, signed_input, num_bits, range_given, round_mode, narrow_range, axis)
    return given(ctx, made)


def _quantize_and_dequantize_v3(
    ctx: Context,
    x: Array,
    low: Array,
    high: Array,
    num_bits: Array,
    *,
    signed_input: bool = True,
    range_given: bool = True,
    narrow_range: bool = False,
    axis: int = -1,
) -> Array:
    bits = int(num_bits)
    return given(
        ctx, _quantised_and_back(x, low, high, signed_input, bits, range_given, b"HALF_TO_EVEN", narrow_range, axis)
    )


def _quantize_and_dequantize_v1(
    ctx: Context,
    x: Array,
    *,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    input_min: float = 0.0,
    input_max: float = 0.0,
) -> Array:
    low, high = np.array(input_min, F), np.array(input_max, F)
    return given(
        ctx, _quantised_and_back(x, low, high, signed_input, num_bits, range_given, b"HALF_TO_EVEN", False, -1)
    )


SHARED: dict[str, Rule] = {
    "FakeQuantWithMinMaxArgs": _args,
    "FakeQuantWithMinMaxArgsGradient": _args_gradient,
    "FakeQuantWithMinMaxVars": _vars,
    "FakeQuantWithMinMaxVarsGradient": _vars_gradient,
    "FakeQuantWithMinMaxVarsPerChannel": _per_channel,
    "FakeQuantWithMinMaxVarsPerChannelGradient": _per_channel_gradient,
}
"""Rules that compute with any array namespace."""

RULES: dict[str, Rule] = {
    **SHARED,
    "QuantizeAndDequantize": _quantize_and_dequantize_v1,
    "QuantizeAndDequantizeV2": _quantize_and_dequantize,
    "QuantizeAndDequantizeV3": _quantize_and_dequantize_v3,
    "QuantizeAndDequantizeV4": _quantize_and_dequantize,
}
