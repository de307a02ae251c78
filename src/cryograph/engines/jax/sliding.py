"""What computes a convolution and its gradients: XLA's own convolution, or what is faster than that on a CPU.

1. Large filters over many channels: products of spectra (`spectral.py`).
2. Each output sees one channel of the input (depthwise, or a picture of one channel): XLA's convolution takes up to 80
   times as long as the sum of the input moved by each element of the filter, which is one loop over the output.
3. Gradients for filters of groups: XLA's convolution takes up to 30 times as long as one convolution for each group.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..numpy.windows import Windows, place
from . import spectral
from .context import JaxContext

LAYOUTS = {
    1: ("NWC", "WIO", "NWC"),
    2: ("NHWC", "HWIO", "NHWC"),
    3: ("NDHWC", "DHWIO", "NDHWC"),
}
MOST_MOVES = 64
"""Elements of a filter up to which the input is moved by each: every one makes the program longer."""
MOST_GROUPS = 64
"""Groups up to which each has a convolution of its own."""


def convolve(ctx: JaxContext, x: Any, filters: Any, windows: Windows, groups: int) -> Any:
    """(N, *out, O) from x (N, *space, C) and filters (*sizes, C / groups, O)."""
    shape = (x.shape[0], *windows.out, filters.shape[-1])
    if not prod(shape) or not prod(filters.shape):
        return ctx.xp.zeros(shape, x.dtype)
    one_channel = groups == 1 and _moves(ctx, filters.shape, windows)
    if not one_channel and not _apart(ctx, filters.shape, windows, groups):
        return _linear(ctx, x, filters, windows, groups)

    def forward(x: Any, filters: Any) -> tuple[Any, tuple[Any, Any]]:
        return made(x, filters), (x, filters)

    def backward(kept: tuple[Any, Any], gradient: Any) -> tuple[Any, Any]:
        x, filters = kept
        mine = for_input(ctx, x.shape, filters, gradient, windows, groups)
        return mine, for_filters(ctx, x, filters.shape, gradient, windows, groups)

    made = ctx.jax.custom_vjp(lambda x, filters: (_moved if one_channel else _linear)(ctx, x, filters, windows, groups))
    made.defvjp(forward, backward)
    return made(x, filters)


def for_input(ctx: JaxContext, shape: Sequence[int], filters: Any, gradient: Any, windows: Windows, groups: int) -> Any:
    """The gradient for the input: what a convolution's transpose gives."""
    if not prod(gradient.shape) or not prod(filters.shape):
        return ctx.xp.zeros(shape, gradient.dtype)

    def function(x: Any) -> Any:
        return _linear(ctx, x, filters, windows, groups)

    return ctx.jax.linear_transpose(function, ctx.jax.ShapeDtypeStruct(tuple(shape), gradient.dtype))(gradient)[0]


def for_filters(ctx: JaxContext, x: Any, shape: Sequence[int], gradient: Any, windows: Windows, groups: int) -> Any:
    """The gradient for the filters."""
    if not prod(gradient.shape) or not prod(x.shape):
        return ctx.xp.zeros(shape, gradient.dtype)
    if _apart(ctx, shape, windows, groups):
        of_group = (*shape[:-1], shape[-1] // groups)
        pairs = zip(ctx.xp.split(x, groups, -1), ctx.xp.split(gradient, groups, -1), strict=True)
        return ctx.xp.concatenate([for_filters(ctx, a, of_group, b, windows, 1) for a, b in pairs], -1)

    def function(filters: Any) -> Any:
        return _linear(ctx, x, filters, windows, groups)

    return ctx.jax.linear_transpose(function, ctx.jax.ShapeDtypeStruct(tuple(shape), gradient.dtype))(gradient)[0]


def _linear(ctx: JaxContext, x: Any, filters: Any, windows: Windows, groups: int) -> Any:
    """The convolution in a form whose transposes are as fast as they can be."""
    if groups == 1 and spectral.pays(ctx, x, filters.shape, windows):
        return spectral.convolve(ctx, x, filters, windows)
    if groups > 1 and _moves(ctx, filters.shape, windows):
        return _moved(ctx, x, filters, windows, groups)
    return ctx.lax.conv_general_dilated(
        x,
        filters,
        windows.strides,
        windows.pairs,
        rhs_dilation=windows.dilations,
        dimension_numbers=LAYOUTS[len(windows.sizes)],
        feature_group_count=groups,
    )


def _on_cpu(ctx: JaxContext) -> bool:
    return bool(ctx.jax.default_backend() == "cpu")


def _moves(ctx: JaxContext, shape: Sequence[int], windows: Windows) -> bool:
    """Whether filters of the shape see one channel, and have few elements."""
    return shape[-2] == 1 and prod(windows.sizes) <= MOST_MOVES and _on_cpu(ctx)


def _apart(ctx: JaxContext, shape: Sequence[int], windows: Windows, groups: int) -> bool:
    """Whether each group is to have a gradient of its own for filters of the shape."""
    return 1 < groups <= MOST_GROUPS and _on_cpu(ctx) and not _moves(ctx, shape, windows)


def _moved(ctx: JaxContext, x: Any, filters: Any, windows: Windows, groups: int) -> Any:
    """The sum over the elements of filters (*sizes, 1, O) of each with what it sees."""
    around = ctx.lax.pad(x, ctx.xp.zeros((), x.dtype), [(0, 0, 0), *((a, b, 0) for a, b in windows.pairs), (0, 0, 0)])
    times = filters.shape[-1] // groups
    held = around if times == 1 else ctx.xp.repeat(around, times, -1)
    return sum(held[place(windows, at)] * filters[at][0] for at in np.ndindex(*windows.sizes))
