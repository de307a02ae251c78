"""Convolutions of any number of dimensions, plain, grouped, by channel and transposed, and their gradients.

A plain one lays out blocks of windows and multiplies each by the filters as one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ...base.tensors import Array
from .context import Context, Rule
from .convolution_forms import Convolutions, groups_of
from .windows import Windows, padded, place, view

_CACHED = 1 << 15
"""Elements of a sum that is built up step by step: they stay in the processor's cache."""

BLOCK = 1 << 20
"""Elements of windows that are laid out at a time: what a cache holds."""


def convolve(x: Array, filters: Array, windows: Windows) -> Array:
    """(N, *out, O) from x (N, *space, C) and filters (*sizes, C / groups, O)."""
    groups = groups_of(filters.shape, x.shape)
    around = padded(x, windows.pairs)
    if groups == 1:
        return _product(around, filters, windows)
    if filters.shape[-2] == 1:
        return _by_channel(around, filters, windows)
    parts = [
        _product(a, b, windows)
        for a, b in zip(np.split(around, groups, -1), np.split(filters, groups, -1), strict=True)
    ]
    return np.concatenate(parts, -1)


def _product(x: Array, filters: Array, windows: Windows) -> Array:
    matrix = filters.reshape(-1, filters.shape[-1])
    depth, rank = len(matrix), len(windows.sizes)
    made = np.zeros((x.shape[0], *windows.out, filters.shape[-1]), np.result_type(x, filters))
    if not made.size or not depth:
        return made
    if all(w == 1 for w in windows.sizes):
        return np.asarray(x[place(windows, [0] * rank)] @ matrix)
    laid = view(np.ascontiguousarray(x), windows)
    rows = max(1, BLOCK // (depth * prod(windows.out[1:])))
    for item in range(len(laid)):
        for start in range(0, windows.out[0], rows):
            block = laid[item, start : start + rows].reshape(-1, depth)
            np.matmul(block, matrix, out=made[item, start : start + rows].reshape(-1, filters.shape[-1]))
    return made


def _by_channel(x: Array, filters: Array, windows: Windows) -> Array:
    """Of filters (*sizes, 1, O) that see one channel each."""
    laid = view(np.ascontiguousarray(x), windows)
    weights = filters.reshape(*windows.sizes, x.shape[-1], filters.shape[-1] // x.shape[-1])
    if weights.shape[-1] == 1:
        return _weighted(laid, weights[..., 0])
    rank = len(windows.sizes)
    out, sizes = list(range(1, rank + 1)), list(range(rank + 1, 2 * rank + 1))
    c, m = 2 * rank + 1, 2 * rank + 2
    made = np.einsum(laid, [0, *out, *sizes, c], weights, [*sizes, c, m], [0, *out, c, m])
    return np.asarray(made.reshape(*made.shape[:-2], filters.shape[-1]))


def _weighted(laid: Array, weights: Array) -> Array:
    """Windows (N, *out, *sizes, C) times weights (*sizes, C), summed over each window, a few rows at a time: what is
    summed stays in the processor's cache."""
    rank = weights.ndim - 1
    made = np.zeros((*laid.shape[: 1 + rank], laid.shape[-1]), laid.dtype)
    rows = max(1, _CACHED // max(1, made[:, :1].size))
    for start in range(0, made.shape[1], rows):
        block = made[:, start : start + rows]
        product = np.empty_like(block)
        for at in np.ndindex(*weights.shape[:-1]):
            seen = (slice(None), slice(start, start + rows), *[slice(None)] * (rank - 1), *at)
            np.multiply(laid[seen], weights[at], out=product)
            block += product
    return made


def _for_input(
    ctx: Context, shape: Sequence[int], filters: Array, gradient: Array, windows: Windows, groups: int
) -> Array:
    """Each element of the filters gives its part to the places that it saw."""
    sizes = (n + a + b for n, (a, b) in zip(shape[1:-1], windows.pairs, strict=True))
    made = np.zeros((shape[0], *sizes, shape[-1]), gradient.dtype)
    back, weights = (np.split(np.ascontiguousarray(v), groups, -1) for v in (gradient, filters))
    inner = filters.shape[-2]
    split = gradient.reshape(*gradient.shape[:-1], groups, gradient.shape[-1] // groups)
    for at in np.ndindex(*windows.sizes):
        target = made[place(windows, at)]
        if inner == 1 and groups > 1:
            target += np.einsum("...cm,cm->...c", split, filters[at].reshape(groups, -1))
            continue
        for g in range(groups):
            target[..., g * inner : (g + 1) * inner] += back[g] @ weights[g][at].T
    inside = (slice(a, a + n) for n, (a, _) in zip(shape[1:-1], windows.pairs, strict=True))
    return made[(slice(None), *inside)]


def _for_filters(ctx: Context, x: Array, shape: Sequence[int], gradient: Array, windows: Windows, groups: int) -> Array:
    """What each element of the filters was multiplied with, times the gradient there."""
    around, inner = padded(x, windows.pairs), shape[-2]
    back = np.ascontiguousarray(gradient).reshape(*gradient.shape[:-1], groups, shape[-1] // groups)
    flat, lead = back.reshape(-1, groups, back.shape[-1]), list(range(2, x.ndim + 1))
    made = np.zeros(shape, x.dtype)
    for at in np.ndindex(*windows.sizes):
        met = around[place(windows, at)]
        if inner == 1 and groups > 1:
            made[at] = np.einsum(met, [*lead, 0], back, [*lead, 0, 1], [0, 1]).reshape(1, -1)
            continue
        split = met.reshape(-1, groups, inner)
        made[at] = np.einsum("ngi,ngo->igo", split, flat, optimize=True).reshape(inner, -1)
    return made


RULES: dict[str, Rule] = Convolutions(
    convolve=lambda ctx, x, filters, windows, groups: convolve(x, filters, windows),
    for_input=_for_input,
    for_filters=_for_filters,
).rules()
