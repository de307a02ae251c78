"""Pools: the largest or the mean of each window, one axis after the other where that is the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...base.tensors import Array
from .context import Context, Rule
from .pool_forms import Pools, least
from .windows import Windows, padded, place


def _along(function: Any, x: Array, axis: int, size: int, stride: int, out: int) -> Array:
    """Each run of `size` elements of an axis brought together by a ufunc."""
    moved = np.moveaxis(x, axis, 0)
    made = moved[: (out - 1) * stride + 1 : stride].copy() if out else moved[:0].copy()
    for i in range(1, size):
        if out:
            function(made, moved[i : i + (out - 1) * stride + 1 : stride], out=made)
    return np.moveaxis(made, 0, axis)


def _windowed(function: Any, x: Array, windows: Windows) -> Array:
    for axis, (size, stride, out) in enumerate(zip(windows.sizes, windows.strides, windows.out, strict=True)):
        x = _along(function, x, axis + 1, size, stride, out)
    return x


def _spread(ctx: Context, shape: Sequence[int], windows: Windows, parts: Iterable[Array], dtype: Any) -> Array:
    sizes = [n + a + b for n, (a, b) in zip(shape[1:-1], windows.pairs, strict=True)]
    room = np.zeros((shape[0], *sizes, shape[-1]), dtype)
    for at, part in zip(np.ndindex(*windows.sizes), parts, strict=True):
        room[place(windows, at)] += part
    own = (slice(a, a + n) for n, (a, _) in zip(shape[1:-1], windows.pairs, strict=True))
    return room[(slice(None), *own)]


def _unsummed(ctx: Context, shape: Sequence[int], windows: Windows, part: Array) -> Array:
    return _spread(ctx, shape, windows, (part for _ in np.ndindex(*windows.sizes)), part.dtype)


def _scattered(ctx: Context, size: int, places: Array, values: Array) -> Array:
    made = np.zeros(size, values.dtype)
    np.add.at(made, places, values)
    return made


POOLS = Pools(
    around=lambda ctx, x, windows: padded(x, windows.pairs),
    largest=lambda ctx, x, windows: _windowed(np.maximum, padded(x, windows.pairs, least(x.dtype)), windows),
    summed=lambda ctx, x, windows: _windowed(np.add, padded(x, windows.pairs), windows),
    spread=_spread,
    unsummed=_unsummed,
    scattered=_scattered,
)
"""How the reference engine brings windows together."""

RULES: dict[str, Rule] = POOLS.rules()
