"""Rounding to the steps of a quantised range without leaving floats, and what gradients make of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from .context import JaxContext

F = np.float32


def _nudged(xp: Any, low: Any, high: Any, num_bits: int, narrow_range: bool) -> tuple[Any, Any, Any]:
    """The range moved so that zero is one of its steps: its ends, and the size of a step."""
    if not 2 <= num_bits <= 16:
        raise RunError(f"num_bits is {num_bits}; it must lie between 2 and 16")
    first, last = F(narrow_range), F((1 << num_bits) - 1)
    step = (high - low) / (last - first)
    zero = first - low / step
    zero = xp.where(zero < first, first, xp.where(zero > last, last, xp.floor(xp.abs(zero) + F(0.5)) * xp.sign(zero)))
    return (first - zero) * step, (last - zero) * step, step


def _rounded(ctx: JaxContext, x: Any, low: Any, high: Any, num_bits: int, narrow_range: bool) -> Any:
    """Each number at the nearest step; a range from 0 to 0 gives zeros. Derivatives pass inside of the range."""
    xp, stop = ctx.xp, ctx.lax.stop_gradient
    least, most, step = _nudged(xp, low, high, num_bits, narrow_range)
    inverse = F(1) / step
    zero = xp.floor(-least * inverse + F(0.5))
    clipped = xp.clip(x, least, most)
    made = xp.floor((clipped - least) * inverse - zero + F(0.5)) * step
    passed = stop(made) + (clipped - stop(clipped))
    return xp.where((low == 0) & (high == 0), F(0), passed)


def _args(
    ctx: JaxContext, x: Any, *, min: float = -6.0, max: float = 6.0, num_bits: int = 8, narrow_range: bool = False
) -> Any:
    if min >= max:
        raise RunError(f"the range from {min} to {max} is empty")
    return _rounded(ctx, x, np.array(min, F), np.array(max, F), num_bits, narrow_range)


def _vars(ctx: JaxContext, x: Any, low: Any, high: Any, *, num_bits: int = 8, narrow_range: bool = False) -> Any:
    if low.ndim or high.ndim:
        raise RunError("the ends of the range must be single numbers")
    return _rounded(ctx, x, low, high, num_bits, narrow_range)


def _per_channel(ctx: JaxContext, x: Any, low: Any, high: Any, *, num_bits: int = 8, narrow_range: bool = False) -> Any:
    if not x.ndim or low.shape != x.shape[-1:] or high.shape != x.shape[-1:]:
        raise RunError(f"ranges of {list(low.shape)} and {list(high.shape)} do not fit channels of {list(x.shape)}")
    return _rounded(ctx, x, low, high, num_bits, narrow_range)


def _args_gradient(
    ctx: JaxContext,
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
    least, most, _ = _nudged(np, np.array(min, F), np.array(max, F), num_bits, narrow_range)
    return ctx.xp.where((x >= least) & (x <= most), gradient, F(0))


def _gradients(
    ctx: JaxContext, gradient: Any, x: Any, low: Any, high: Any, num_bits: int, narrow_range: bool, axes: Any
) -> tuple[Any, Any, Any]:
    """For the numbers inside of the range, and for its ends, which those outside were moved to."""
    if gradient.shape != x.shape:
        raise RunError(f"a gradient of {list(gradient.shape)} was given for {list(x.shape)}")
    xp = ctx.xp
    least, most, _ = _nudged(xp, low, high, num_bits, narrow_range)
    empty = (low == 0) & (high == 0)
    below, above = (x < least) & ~empty, (x > most) & ~empty
    ends = [xp.where(out, gradient, F(0)).sum(axes, dtype=F) for out in (below, above)]
    return xp.where(below | above, F(0), gradient), ends[0], ends[1]


def _vars_gradient(
    ctx: JaxContext, gradient: Any, x: Any, low: Any, high: Any, *, num_bits: int = 8, narrow_range: bool = False
) -> tuple[Any, Any, Any]:
    return _gradients(ctx, gradient, x, low, high, num_bits, narrow_range, None)


def _per_channel_gradient(
    ctx: JaxContext, gradient: Any, x: Any, low: Any, high: Any, *, num_bits: int = 8, narrow_range: bool = False
) -> tuple[Any, Any, Any]:
    return _gradients(ctx, gradient, x, low, high, num_bits, narrow_range, tuple(range(x.ndim - 1)))


RULES: dict[str, Rule] = {
    "FakeQuantWithMinMaxArgs": _args,
    "FakeQuantWithMinMaxArgsGradient": _args_gradient,
    "FakeQuantWithMinMaxVars": _vars,
    "FakeQuantWithMinMaxVarsGradient": _vars_gradient,
    "FakeQuantWithMinMaxVarsPerChannel": _per_channel,
    "FakeQuantWithMinMaxVarsPerChannelGradient": _per_channel_gradient,
}
