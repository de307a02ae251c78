"""Patches of pictures and volumes, and morphology."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given, wide
from .windows import Windows, padded, plan, spatial, view


def patches(laid: Callable[[Any, Any, Windows], Any]) -> dict[str, Rule]:
    """The rules of patches; `laid(ctx, x, windows)` gives each window, (N, *out, *sizes, C)."""

    def image_patches(
        ctx: Context, images: Any, *, ksizes: list[int], strides: list[int], rates: list[int], padding: bytes
    ) -> Any:
        """(N, *out, windows * C): each window laid out in one vector."""
        rank = images.ndim - 2
        sizes, steps, gaps = (spatial(values, b"NHWC", rank) for values in (ksizes, strides, rates))
        windows = plan(images.shape[1:-1], sizes, steps, padding, gaps)
        shape = (images.shape[0], *windows.out, prod(windows.sizes) * images.shape[-1])
        return laid(ctx, images, windows).reshape(shape) if prod(shape) else ctx.xp.zeros(shape, images.dtype)

    def volume_patches(ctx: Context, x: Any, *, ksizes: list[int], strides: list[int], padding: bytes) -> Any:
        return image_patches(ctx, x, ksizes=ksizes, strides=strides, rates=[1] * x.ndim, padding=padding)

    return {"ExtractImagePatches": image_patches, "ExtractVolumePatches": volume_patches}


def dilated(x: Any, filters: Any, strides: list[int], rates: list[int], padding: bytes) -> Windows:
    """The windows of filters (H, W, C) over pictures; RunError where they do not fit."""
    if filters.ndim != 3 or x.ndim != 4 or filters.shape[-1] != x.shape[-1]:
        raise RunError(f"filters of the shape {list(filters.shape)} do not fit {list(x.shape)}")
    steps, gaps = spatial(strides, b"NHWC", 2), spatial(rates, b"NHWC", 2)
    return plan(x.shape[1:-1], filters.shape[:2], steps, padding, gaps)


def _dilation(ctx: Context, x: Array, filters: Array, *, strides: list[int], rates: list[int], padding: bytes) -> Array:
    """The largest sum of a window and the filter (H, W, C)."""
    windows, values, weights = dilated(x, filters, strides, rates, padding), wide(x), wide(filters)
    kind = values.dtype
    least = -np.inf if kind.kind == "f" else np.iinfo(kind).min
    laid = view(np.ascontiguousarray(padded(values, windows.pairs, least)), windows)
    if kind.kind != "f":  # what lies outside must stay the smallest
        inside = view(np.ascontiguousarray(padded(np.ones(x.shape, bool), windows.pairs, False)), windows)
        return given(ctx, np.where(inside, laid + weights, least).max((3, 4)))
    return given(ctx, (laid + weights).max((3, 4)))


RULES: dict[str, Rule] = {
    "Dilation2D": _dilation,
    **patches(lambda ctx, x, windows: view(np.ascontiguousarray(padded(x, windows.pairs)), windows)),
}
