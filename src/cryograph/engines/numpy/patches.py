"""Patches of pictures and volumes, and morphology."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given, wide
from .windows import padded, plan, spatial, view


def _image_patches(
    ctx: Context, images: Array, *, ksizes: list[int], strides: list[int], rates: list[int], padding: bytes
) -> Array:
    """(N, *out, windows * C): each window laid out in one vector."""
    rank = images.ndim - 2
    sizes, steps, gaps = (spatial(values, b"NHWC", rank) for values in (ksizes, strides, rates))
    windows = plan(images.shape[1:-1], sizes, steps, padding, gaps)
    laid = view(np.ascontiguousarray(padded(images, windows.pairs)), windows)
    return laid.reshape(*laid.shape[: 1 + rank], -1)


def _volume_patches(ctx: Context, x: Array, *, ksizes: list[int], strides: list[int], padding: bytes) -> Array:
    return _image_patches(ctx, x, ksizes=ksizes, strides=strides, rates=[1] * x.ndim, padding=padding)


def _dilation(ctx: Context, x: Array, filters: Array, *, strides: list[int], rates: list[int], padding: bytes) -> Array:
    """The largest sum of a window and the filter (H, W, C)."""
    if filters.ndim != 3 or x.ndim != 4 or filters.shape[-1] != x.shape[-1]:
        raise RunError(f"filters of the shape {list(filters.shape)} do not fit {list(x.shape)}")
    values, weights = wide(x), wide(filters)
    windows = plan(x.shape[1:-1], filters.shape[:2], spatial(strides, b"NHWC", 2), padding, spatial(rates, b"NHWC", 2))
    kind = values.dtype
    least = -np.inf if kind.kind == "f" else np.iinfo(kind).min
    laid = view(np.ascontiguousarray(padded(values, windows.pairs, least)), windows)
    if kind.kind != "f":  # what lies outside must stay the smallest
        inside = view(np.ascontiguousarray(padded(np.ones(x.shape, bool), windows.pairs, False)), windows)
        return given(ctx, np.where(inside, laid + weights, least).max((3, 4)))
    return given(ctx, (laid + weights).max((3, 4)))


RULES: dict[str, Rule] = {
    "Dilation2D": _dilation,
    "ExtractImagePatches": _image_patches,
    "ExtractVolumePatches": _volume_patches,
}
