"""Pools and their gradients: the reference engine's rules over `lax.reduce_window`; patches and morphology."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from ..numpy.patches import dilated, patches
from ..numpy.pool_forms import Pools, least
from ..numpy.windows import Windows, place
from .context import JaxContext

MOST_ELEMENTS = 64
"""Elements of a window up to which the derivative of its largest is a step for each."""


def _reduced(ctx: JaxContext, x: Any, how: Any, start: Any, windows: Windows) -> Any:
    """Each window brought together; windows that stick out on the right of what there is count what they hold."""
    shape = (x.shape[0], *windows.out, x.shape[-1])
    if not prod(shape):
        return ctx.xp.zeros(shape, x.dtype)
    pairs = []
    for n, w, s, o, (a, _) in zip(
        x.shape[1:-1], windows.sizes, windows.strides, windows.out, windows.pairs, strict=True
    ):
        pairs.append((a, (o - 1) * s + w - n - a))
    sizes, steps = (1, *windows.sizes, 1), (1, *windows.strides, 1)
    return ctx.lax.reduce_window(x, np.asarray(start, x.dtype), how, sizes, steps, [(0, 0), *pairs, (0, 0)])


def _largest(ctx: JaxContext, x: Any, windows: Windows) -> Any:
    """The largest of each window. XLA's own derivative of it takes twenty times as long as the rule of the gradient."""

    def reduced(x: Any) -> Any:
        return _reduced(ctx, x, ctx.lax.max, least(x.dtype), windows)

    def backward(x: Any, gradient: Any) -> tuple[Any]:
        return (POOLS.to_largest(ctx, x, gradient, windows),)

    if prod(windows.sizes) > MOST_ELEMENTS or x.dtype.kind != "f":
        return reduced(x)
    made = ctx.jax.custom_vjp(reduced)
    made.defvjp(lambda x: (reduced(x), x), backward)
    return made(x)


def _summed(ctx: JaxContext, x: Any, windows: Windows) -> Any:
    return _reduced(ctx, x, ctx.lax.add, 0, windows)


def _unsummed(ctx: JaxContext, shape: Sequence[int], windows: Windows, part: Any) -> Any:
    if not part.size:
        return ctx.xp.zeros(shape, part.dtype)
    zeros = ctx.jax.ShapeDtypeStruct(tuple(shape), part.dtype)
    return ctx.jax.linear_transpose(lambda x: _summed(ctx, x, windows), zeros)(part)[0]


def around(ctx: JaxContext, x: Any, windows: Windows) -> Any:
    """(N, *sizes, C) with zeros around the sizes."""
    if not any(a or b for a, b in windows.pairs):
        return ctx.xp.asarray(x)
    pairs = [(0, 0, 0), *((a, b, 0) for a, b in windows.pairs), (0, 0, 0)]
    return ctx.lax.pad(x, ctx.xp.zeros((), x.dtype), pairs)


def _spread(ctx: JaxContext, shape: Sequence[int], windows: Windows, parts: Iterable[Any], dtype: Any) -> Any:
    """Pads are added, as XLA makes one pass of them; to scatter would take one for each element."""
    total = ctx.xp.zeros(shape, dtype)
    for at, part in zip(np.ndindex(*windows.sizes), parts, strict=True):
        if not part.size:
            return total
        pairs = []
        for p, d, s, o, n, (a, _) in zip(
            at, windows.dilations, windows.strides, windows.out, shape[1:-1], windows.pairs, strict=True
        ):
            start = p * d - a
            pairs.append((start, n - (start + (o - 1) * s + 1), s - 1))
        total = total + ctx.lax.pad(part, ctx.xp.zeros((), dtype), [(0, 0, 0), *pairs, (0, 0, 0)])
    return total


POOLS = Pools(
    around=around,
    largest=_largest,
    summed=_summed,
    spread=_spread,
    unsummed=_unsummed,
    scattered=lambda ctx, size, places, values: ctx.xp.zeros(size, values.dtype).at[places].add(values, mode="drop"),
)
"""How JAX brings windows together."""


def _laid(ctx: JaxContext, x: Any, windows: Windows) -> Any:
    """(N, *out, windows, C): each window laid out."""
    held = around(ctx, x, windows)
    return ctx.xp.stack([held[place(windows, at)] for at in np.ndindex(*windows.sizes)], -2)


def _dilation(ctx: JaxContext, x: Any, filters: Any, *, strides: list[int], rates: list[int], padding: bytes) -> Any:
    """The largest sum of a window and the filter (H, W, C)."""
    windows, values, weights = dilated(x, filters, strides, rates, padding), wide(x), wide(filters)
    smallest = np.asarray(least(values.dtype), values.dtype)
    made = ctx.xp.full((x.shape[0], *windows.out, x.shape[-1]), smallest, values.dtype)
    elements = zip(np.ndindex(*windows.sizes), POOLS.elements(ctx, windows, values), strict=True)
    for at, (within, value) in elements:
        made = ctx.xp.maximum(made, ctx.xp.where(within, value + weights[at], smallest))
    return given(ctx, made)


RULES: dict[str, Rule] = {
    **POOLS.rules(),
    **POOLS.gradients(),
    **patches(_laid),
    "Dilation2D": _dilation,
}
