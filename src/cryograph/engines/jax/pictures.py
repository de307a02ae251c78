"""Scaled and cropped pictures, their gradients, and colours.

Where a scaled picture takes its pixels from follows from sizes alone, and is worked out by the reference engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from ..numpy.image_grads import _back, laid_weights, linear_weights
from ..numpy.images import cubic_weights, nearest_places, sources, spans, target_size
from .context import JaxContext, check, known

F = np.float32


def _target(images: Any, size: Any) -> tuple[int, int]:
    return target_size(images, known(size, "the size to scale to"))


def _across(values: int, axis: int) -> list[int]:
    return [values if i == axis else 1 for i in range(4)]


def resized_bilinear(ctx: JaxContext, images: Any, size: Any, align_corners: bool, half_pixel_centers: bool) -> Any:
    """Pictures of another size, in float32 (in float64 for float64)."""
    height, width = _target(images, size)
    values = images if images.dtype == np.float64 else images.astype(F)
    for axis, target in ((2, width), (1, height)):
        size_in = values.shape[axis]
        if size_in == target and not half_pixel_centers:
            continue
        places = sources(size_in, target, align_corners, half_pixel_centers)
        below = np.floor(places)
        low = np.clip(below, 0, size_in - 1).astype(np.int64)
        high = np.clip(np.ceil(places), 0, size_in - 1).astype(np.int64)
        part = (places - below).reshape(_across(-1, axis))
        first = ctx.xp.take(values, low, axis)
        values = first + (ctx.xp.take(values, high, axis) - first) * part
    return values


def _bilinear(
    ctx: JaxContext, images: Any, size: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    return given(ctx, resized_bilinear(ctx, images, size, align_corners, half_pixel_centers))


def _nearest(
    ctx: JaxContext, images: Any, size: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    height, width = _target(images, size)
    for axis, target in ((1, height), (2, width)):
        places = nearest_places(images.shape[axis], target, align_corners, half_pixel_centers)
        images = ctx.xp.take(images, places, axis)
    return images


def _bicubic(
    ctx: JaxContext, images: Any, size: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    height, width = _target(images, size)
    values = images.astype(F)
    for axis, target in ((1, height), (2, width)):
        size_in = values.shape[axis]
        places = sources(size_in, target, align_corners, half_pixel_centers)
        indices, weights = cubic_weights(places, size_in, half_pixel_centers)
        parts = [ctx.xp.take(values, indices[:, i], axis) * weights[:, i].reshape(_across(-1, axis)) for i in range(4)]
        values = parts[0] + parts[1] + parts[2] + parts[3]
    return given(ctx, values)


def weighted(ctx: JaxContext, values: Any, weights: Any, axis: int) -> Any:
    """Each place of an axis as a weighted sum over that axis: weights (out, in)."""
    return ctx.xp.moveaxis(ctx.xp.tensordot(values, weights, (axis, 1)), -1, axis)


def _area(ctx: JaxContext, images: Any, size: Any, *, align_corners: bool = False) -> Any:
    """The mean over the area of the input that a place of the output covers."""
    height, width = _target(images, size)
    values = wide(images).astype(F)
    for axis, target in ((1, height), (2, width)):
        size_in = values.shape[axis]
        aligned = align_corners and target > 1
        scale = F(F(size_in - 1) / F(target - 1)) if aligned else F(F(size_in) / F(target))
        places = np.arange(target, dtype=F)[:, None]
        start, stop = places * scale, (places + 1) * scale
        end = int(np.ceil(stop).max())
        pixels = np.arange(max(end, size_in))
        parts = np.clip(np.minimum(pixels + 1, stop) - np.maximum(pixels, start), 0, None) / scale
        if end > size_in:  # what sticks out counts for the last element
            parts[:, size_in - 1] += parts[:, size_in:].sum(1)
        values = weighted(ctx, values, parts[:, :size_in].astype(F), axis)
    return given(ctx, values)


def _scale_and_translate(
    ctx: JaxContext,
    images: Any,
    size: Any,
    scale: Any,
    translation: Any,
    *,
    kernel_type: bytes = b"lanczos3",
    antialias: bool = True,
) -> Any:
    by, shift = known(scale), known(translation)
    if not np.all(by > 0):
        raise RunError(f"the scales {by.tolist()} are not positive")
    values = images.astype(F)
    for i, target in enumerate(_target(images, size)):
        weights = spans(kernel_type, values.shape[i + 1], target, float(by[i]), float(shift[i]), antialias)
        values = weighted(ctx, values, weights, i + 1)
    return values


def _bilinear_grad(
    ctx: JaxContext, grads: Any, original: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    _back(grads, original)
    made = grads
    for axis in (1, 2):
        size_in, size_out = original.shape[axis], grads.shape[axis]
        places = sources(size_in, size_out, align_corners, half_pixel_centers)
        made = weighted(ctx, made, linear_weights(places, size_in).T, axis)
    return given(ctx, made)


def _bicubic_grad(
    ctx: JaxContext, grads: Any, original: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    _back(grads, original)
    made = grads
    for axis in (1, 2):
        size_in, size_out = original.shape[axis], grads.shape[axis]
        places = sources(size_in, size_out, align_corners, half_pixel_centers)
        made = weighted(ctx, made, laid_weights(*cubic_weights(places, size_in, half_pixel_centers), size_in).T, axis)
    return given(ctx, made)


def _nearest_grad(
    ctx: JaxContext, grads: Any, size: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    height, width = _target(grads, size)
    made = ctx.xp.zeros((len(grads), height, width, grads.shape[-1]), wide(grads).dtype)
    rows, columns = (
        nearest_places(into, n, align_corners, half_pixel_centers)
        for into, n in zip((height, width), grads.shape[1:3], strict=True)
    )
    return given(ctx, made.at[:, rows[:, None], columns].add(wide(grads)))


def _scale_and_translate_grad(
    ctx: JaxContext,
    grads: Any,
    original: Any,
    scale: Any,
    translation: Any,
    *,
    kernel_type: bytes = b"lanczos3",
    antialias: bool = True,
) -> Any:
    _back(grads, original)
    by, shift = known(scale), known(translation)
    if not np.all(by > 0):
        raise RunError(f"the scales {by.tolist()} are not positive")
    made = grads
    for i in (0, 1):
        size_in, size_out = original.shape[i + 1], grads.shape[i + 1]
        weights = spans(kernel_type, size_in, size_out, float(by[i]), float(shift[i]), antialias)
        made = weighted(ctx, made, weights.T, i + 1)
    return given(ctx, made)


def _crop_and_resize(
    ctx: JaxContext,
    image: Any,
    boxes: Any,
    box_index: Any,
    crop_size: Any,
    *,
    method: bytes = b"bilinear",
    extrapolation_value: float = 0.0,
) -> Any:
    """Boxes are (y1, x1, y2, x2) in units of the picture; places outside of it get the extrapolation value."""
    height, width = _target(image, crop_size)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or box_index.shape != boxes.shape[:1]:
        raise RunError(f"{list(box_index.shape)} pictures were named for boxes of the shape {list(boxes.shape)}")
    check((box_index < 0) | (box_index >= len(image)), f"a box is of a picture that is not in [0, {len(image)})")
    xp = ctx.xp
    pictures = xp.asarray(image).astype(F)
    _, rows, columns, _ = image.shape

    def places(start: Any, stop: Any, size: int, count: int) -> Any:
        if count > 1:
            step = (stop - start) * F(size - 1) / F(count - 1)
            return start * F(size - 1) + np.arange(count, dtype=F) * step
        return (F(0.5) * (start + stop) * F(size - 1)).reshape(1)

    def mix(values: Any, at: Any, axis: int) -> Any:
        low, high = xp.floor(at).astype(np.int32), xp.ceil(at).astype(np.int32)
        part = (at - low).reshape([-1 if i == axis else 1 for i in range(3)]).astype(F)
        first = xp.take(values, low, axis)
        return first + (xp.take(values, high, axis) - first) * part

    def crop(box: Any, source: Any) -> Any:
        y, x = places(box[0], box[2], rows, height), places(box[1], box[3], columns, width)
        inside = ((y >= 0) & (y <= rows - 1))[:, None] & ((x >= 0) & (x <= columns - 1))[None, :]
        y, x = xp.clip(y, 0, rows - 1), xp.clip(x, 0, columns - 1)
        picture = pictures[source]
        if method == b"nearest":
            made = picture[xp.floor(y + F(0.5)).astype(np.int32)][:, xp.floor(x + F(0.5)).astype(np.int32)]
        else:
            made = mix(mix(picture, x, 1), y, 0)
        return xp.where(inside[..., None], made, F(extrapolation_value))

    if not len(boxes):
        return xp.zeros((0, height, width, image.shape[-1]), F)
    return ctx.jax.vmap(crop)(xp.asarray(boxes), xp.asarray(box_index))


def _three(images: Any, rank: int = 1) -> Any:
    if images.ndim < rank or images.shape[-1] != 3:
        raise RunError(f"pictures of the shape {list(images.shape)} have no three channels")
    return wide(images)


def _contrast(ctx: JaxContext, images: Any, factor: Any) -> Any:
    values = images.astype(F)
    mean = values.mean((-3, -2), keepdims=True)
    return (values - mean) * factor + mean


def _adjust_contrast(ctx: JaxContext, images: Any, factor: Any) -> Any:
    if images.ndim < 3 or factor.ndim:
        raise RunError(f"pictures of {images.ndim} dimensions and a factor of {factor.ndim} were given")
    return given(ctx, _contrast(ctx, images, factor))


def _adjust_contrast_v1(ctx: JaxContext, images: Any, factor: Any, min_value: Any, max_value: Any) -> Any:
    if images.ndim < 3 or factor.ndim or min_value.ndim or max_value.ndim:
        raise RunError(f"pictures of {images.ndim} dimensions and a factor of {factor.ndim} were given")
    return given(ctx, ctx.xp.clip(_contrast(ctx, images, factor), min_value, max_value))


def to_hsv(xp: Any, rgb: Any) -> tuple[Any, Any, Any]:
    """Hue, saturation and value, each from 0 to 1."""
    r, g, b = (rgb[..., i] for i in range(3))
    value = rgb.max(-1)
    spread = value - rgb.min(-1)
    safe = xp.where(spread == 0, 1, spread)
    hue = xp.where(value == r, (g - b) / safe, xp.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe)) / 6
    hue = xp.where(spread == 0, 0, xp.where(hue < 0, hue + 1, hue))
    return hue, xp.where(value > 0, spread / xp.where(value > 0, value, 1), 0), value


def to_rgb(xp: Any, h: Any, s: Any, v: Any) -> Any:
    """The inverse of `to_hsv`."""
    angle = h * 6
    parts = (
        xp.clip(xp.abs(angle - 3) - 1, 0, 1),
        xp.clip(2 - xp.abs(angle - 2), 0, 1),
        xp.clip(2 - xp.abs(angle - 4), 0, 1),
    )
    return xp.stack([(1 + s * (part - 1)) * v for part in parts], -1)


def _rgb_to_hsv(ctx: JaxContext, images: Any) -> Any:
    return given(ctx, ctx.xp.stack(to_hsv(ctx.xp, _three(images)), -1))


def _hsv_to_rgb(ctx: JaxContext, images: Any) -> Any:
    hsv = _three(images)
    return given(ctx, to_rgb(ctx.xp, *(hsv[..., i] for i in range(3))))


def _adjust_saturation(ctx: JaxContext, images: Any, scale: Any) -> Any:
    h, s, v = to_hsv(ctx.xp, _three(images, 3))
    return given(ctx, to_rgb(ctx.xp, h, ctx.xp.clip(s * scale, 0, 1), v))


def _adjust_hue(ctx: JaxContext, images: Any, delta: Any) -> Any:
    h, s, v = to_hsv(ctx.xp, _three(images, 3))
    return given(ctx, to_rgb(ctx.xp, ctx.xp.mod(h + delta, 1), s, v))


RULES: dict[str, Rule] = {
    "AdjustContrast": _adjust_contrast_v1,
    "AdjustContrastv2": _adjust_contrast,
    "AdjustHue": _adjust_hue,
    "AdjustSaturation": _adjust_saturation,
    "CropAndResize": _crop_and_resize,
    "HSVToRGB": _hsv_to_rgb,
    "RGBToHSV": _rgb_to_hsv,
    "ResizeArea": _area,
    "ResizeBicubic": _bicubic,
    "ResizeBicubicGrad": _bicubic_grad,
    "ResizeBilinear": _bilinear,
    "ResizeBilinearGrad": _bilinear_grad,
    "ResizeNearestNeighbor": _nearest,
    "ResizeNearestNeighborGrad": _nearest_grad,
    "ScaleAndTranslate": _scale_and_translate,
    "ScaleAndTranslateGrad": _scale_and_translate_grad,
}
