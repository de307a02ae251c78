"""Scaling of pictures (N, H, W, C) as TensorFlow's kernels do it, on arrays of any namespace.

Where a place of the output takes its pixels from follows from sizes alone, and is worked out by numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given, wide

F = np.float32


def target_size(images: Any, size: Array) -> tuple[int, int]:
    """Height and width to scale to; RunError when they, or the pictures, are none."""
    if images.ndim != 4 or size.shape != (2,):
        raise RunError(f"pictures of {images.ndim} dimensions and a size of the shape {list(size.shape)} were given")
    height, width = (int(n) for n in size)
    if height <= 0 or width <= 0 or 0 in images.shape[1:3]:
        raise RunError(f"{images.shape[1]} x {images.shape[2]} cannot be scaled to {height} x {width}")
    return height, width


def _scale(size_in: int, size_out: int, align_corners: bool) -> np.float32:
    if align_corners and size_out > 1:
        return F(F(size_in - 1) / F(size_out - 1))
    return F(F(size_in) / F(size_out))


def sources(size_in: int, size_out: int, align_corners: bool, half_pixel: bool) -> Array:
    """For each place in the output the place in the input, as float32."""
    scale = _scale(size_in, size_out, align_corners)
    places = np.arange(size_out, dtype=F)
    if half_pixel:
        return (places + F(0.5)) * scale - F(0.5)
    return places * scale


def resize_bilinear(ctx: Context, images: Any, size: Any, align_corners: bool, half_pixel_centers: bool) -> Any:
    """Pictures of another size, in float32 (in float64 for float64)."""
    height, width = target_size(images, ctx.known(size))
    values = images if images.dtype == np.float64 else images.astype(F)
    # Rows last: TensorFlow mixes the columns of the two rows first.
    for axis, target in ((2, width), (1, height)):
        size_in = values.shape[axis]
        if size_in == target and not half_pixel_centers:
            continue
        places = sources(size_in, target, align_corners, half_pixel_centers)
        below = np.floor(places)
        low = np.clip(below, 0, size_in - 1).astype(np.int64)
        high = np.clip(np.ceil(places), 0, size_in - 1).astype(np.int64)
        part = (places - below).reshape(_across(axis))
        first = ctx.xp.take(values, low, axis)
        values = first + (ctx.xp.take(values, high, axis) - first) * part
    return values


def _across(axis: int) -> list[int]:
    return [-1 if i == axis else 1 for i in range(4)]


def _bilinear(
    ctx: Context, images: Any, size: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    return given(ctx, resize_bilinear(ctx, images, size, align_corners, half_pixel_centers))


def _nearest(
    ctx: Context, images: Any, size: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    height, width = target_size(images, ctx.known(size))
    for axis, target in ((1, height), (2, width)):
        places = nearest_places(images.shape[axis], target, align_corners, half_pixel_centers)
        images = ctx.xp.take(images, places, axis)
    return images


def nearest_places(size_in: int, size_out: int, align_corners: bool, half_pixel: bool) -> Array:
    """For each place in the output the nearest in the input."""
    places = np.arange(size_out, dtype=F)
    scale = _scale(size_in, size_out, align_corners)
    if half_pixel:
        places = places + F(0.5)
    found = places * scale
    if align_corners:
        found = found + F(0.5)
    return np.asarray(np.clip(np.floor(found), 0, size_in - 1), np.int64)


TABLE = 1024
"""Steps in which TensorFlow tabulates the cubic's coefficients."""


def cubic_weights(places: Array, size_in: int, half_pixel: bool) -> tuple[Array, Array]:
    """Four indices and weights for each place: Keys' cubic with a = -0.5 (half-pixel) or -0.75."""
    a = -0.5 if half_pixel else -0.75
    low = np.floor(places).astype(np.int64)
    offset = np.rint((places - low).astype(F) * TABLE) / TABLE
    t = np.stack([1 + offset, offset, 1 - offset, 2 - offset], -1).astype(F)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    weights = np.where(t <= 1, near, far).astype(F)
    indices = low[:, None] + np.arange(-1, 3)
    if half_pixel:
        weights = np.where((indices >= 0) & (indices < size_in), weights, 0)
        weights = weights / weights.sum(-1, keepdims=True)
    return np.clip(indices, 0, size_in - 1), weights.astype(F)


def _bicubic(
    ctx: Context, images: Any, size: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    height, width = target_size(images, ctx.known(size))
    values = images.astype(F)
    for axis, target in ((1, height), (2, width)):
        size_in = values.shape[axis]
        places = sources(size_in, target, align_corners, half_pixel_centers)
        indices, weights = cubic_weights(places, size_in, half_pixel_centers)
        made = 0
        for i in range(4):
            made = made + ctx.xp.take(values, indices[:, i], axis) * weights[:, i].reshape(_across(axis))
        values = made
    return given(ctx, values)


def weighted(ctx: Context, values: Any, weights: Array, axis: int) -> Any:
    """Each place of an axis as a weighted sum over that axis: weights (out, in)."""
    return ctx.xp.moveaxis(ctx.xp.tensordot(values, weights, (axis, 1)), -1, axis)


def _area(ctx: Context, images: Any, size: Any, *, align_corners: bool = False) -> Any:
    """The mean over the area of the input that a place of the output covers."""
    height, width = target_size(images, ctx.known(size))
    values = wide(images).astype(F)
    for axis, target in ((1, height), (2, width)):
        values = weighted(ctx, values, area_weights(values.shape[axis], target, align_corners), axis)
    return given(ctx, values)


def area_weights(size_in: int, size_out: int, align_corners: bool) -> Array:
    """Weights (out, in): how much of each element a place of the output covers."""
    scale = _scale(size_in, size_out, align_corners)
    places = np.arange(size_out, dtype=F)[:, None]
    start, stop = places * scale, (places + 1) * scale
    last = int(np.ceil(stop).max())
    covered = np.arange(max(last, size_in))
    parts = np.clip(np.minimum(covered + 1, stop) - np.maximum(covered, start), 0, None) / scale
    if last > size_in:  # what sticks out counts for the last element
        parts[:, size_in - 1] += parts[:, size_in:].sum(1)
    return np.asarray(parts[:, :size_in], F)


def _lanczos(radius: float) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        safe = np.pi * np.maximum(x, 1e-3)
        inner = radius * np.sin(safe) * np.sin(safe / radius) / (safe * safe)
        return np.asarray(np.where(x > radius, 0, np.where(x <= 1e-3, 1, inner)))

    return kernel


def _gaussian(x: Array) -> Array:
    return np.asarray(np.where(x < 1.5, np.exp(-x * x / (2 * 0.5 * 0.5)), 0))


def _keys(x: Array) -> Array:
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.asarray(np.where(x >= 2, 0, np.where(x >= 1, far, (1.5 * x - 2.5) * x * x + 1)))


def _mitchell(x: Array) -> Array:
    far = ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9
    return np.asarray(np.where(x >= 2, 0, np.where(x >= 1, far, (7 / 6 * x - 2) * x * x + 8 / 9)))


_KERNELS: dict[bytes, tuple[float, Callable[[Array], Array]]] = {
    b"lanczos1": (1.0, _lanczos(1.0)),
    b"lanczos3": (3.0, _lanczos(3.0)),
    b"lanczos5": (5.0, _lanczos(5.0)),
    b"gaussian": (1.5, _gaussian),
    b"box": (1.0, lambda x: np.where(x < 0.5, 1.0, np.where(x == 0.5, 0.5, 0.0))),
    b"triangle": (1.0, lambda x: np.maximum(1 - x, 0)),
    b"keyscubic": (2.0, _keys),
    b"mitchellcubic": (2.0, _mitchell),
}


def spans(kind: bytes, size_in: int, size_out: int, scale: float, shift: float, antialias: bool) -> Array:
    """Weights (out, in) of a scaled and moved axis; none where the source lies outside."""
    if kind not in _KERNELS:
        raise RunError(f"the kernel {kind!r} is not one of {', '.join(k.decode() for k in _KERNELS)}")
    radius, kernel = _KERNELS[kind]
    # In float32, as TensorFlow: a pixel right on the edge of a kernel that is not 0 there is in or out by its rounding.
    inverse = F(1 / scale)
    wider = max(inverse, F(1)) if antialias else F(1)
    sample = (np.arange(size_out, dtype=F) + F(0.5)) * inverse - inverse * F(shift)
    places = np.arange(size_in, dtype=F) + F(0.5)
    weights = kernel(np.abs((places - sample[:, None]) * (F(1) / wider)).astype(np.float64))
    reach = F(radius) * wider
    start = np.clip(np.ceil(sample - reach - F(0.5)), 0, size_in - 1)[:, None]
    stop = np.clip(np.floor(sample + reach - F(0.5)), 0, size_in - 1)[:, None]
    index = np.arange(size_in)
    weights = np.where((index >= start) & (index <= stop), weights, 0)
    sums = weights.sum(1, keepdims=True)
    weights = np.where(np.abs(sums) > 1e-35, weights / np.where(sums == 0, 1, sums), 0)
    return np.asarray(np.where(((sample < 0) | (sample > size_in))[:, None], 0, weights), F)


def _scale_and_translate(
    ctx: Context,
    images: Any,
    size: Any,
    scale: Any,
    translation: Any,
    *,
    kernel_type: bytes = b"lanczos3",
    antialias: bool = True,
) -> Any:
    targets, values = target_size(images, ctx.known(size)), images.astype(F)
    for axis, target, (by, shift) in zip((1, 2), targets, moves(ctx, scale, translation), strict=True):
        values = weighted(ctx, values, spans(kernel_type, values.shape[axis], target, by, shift, antialias), axis)
    return values


def moves(ctx: Context, scale: Any, translation: Any) -> list[tuple[float, float]]:
    """Scale and translation of each axis; RunError for a scale that is not positive."""
    by, shift = ctx.known(scale), ctx.known(translation)
    if not np.all(by > 0):
        raise RunError(f"the scales {by.tolist()} are not positive")
    return [(float(a), float(b)) for a, b in zip(by, shift, strict=True)]


RULES: dict[str, Rule] = {
    "ResizeArea": _area,
    "ResizeBicubic": _bicubic,
    "ResizeBilinear": _bilinear,
    "ResizeNearestNeighbor": _nearest,
    "ScaleAndTranslate": _scale_and_translate,
}
