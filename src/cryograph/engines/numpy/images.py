"""Scaling of pictures (N, H, W, C) as TensorFlow's kernels do it, and what is near: crops, contrast, colour."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from ..resampling import cubic, linear, nearest, scale
from .context import Context, Rule
from .elementwise import wide


def _checked(images: Array, size: Array) -> tuple[int, int]:
    height, width = (int(n) for n in size)
    if height <= 0 or width <= 0:
        raise RunError(f"the size {height} x {width} to scale to is not positive")
    return height, width


def _bilinear(
    ctx: Context, images: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Array:
    return resize_bilinear(images, size, align_corners, half_pixel_centers).astype(ctx.dtype, copy=False)


def resize_bilinear(images: Array, size: Array, align_corners: bool, half_pixel_centers: bool) -> Array:
    """Pictures (N, H, W, C) of another size, in float32."""
    height, width = _checked(images, size)
    values = images.astype(np.float32)
    for axis, target in ((1, height), (2, width)):
        total = values.shape[axis]
        if total == target and not half_pixel_centers:
            continue
        low, high, part = linear(total, target, align_corners, half_pixel_centers)
        shape = [1] * values.ndim
        shape[axis] = -1
        first, second = np.take(values, low, axis), np.take(values, high, axis)
        values = first + (second - first) * part.reshape(shape)
    return values


def _nearest(
    ctx: Context, images: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Array:
    height, width = _checked(images, size)
    for axis, target in ((1, height), (2, width)):
        images = np.take(images, nearest(images.shape[axis], target, align_corners, half_pixel_centers), axis)
    return images


def _bicubic(
    ctx: Context, images: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Array:
    height, width = _checked(images, size)
    values = images.astype(np.float32)
    for axis, target in ((1, height), (2, width)):
        indices, weights = cubic(values.shape[axis], target, align_corners, half_pixel_centers)
        taken = np.take(values, indices, axis)  # (..., target, 4, ...)
        shape = [1] * taken.ndim
        shape[axis], shape[axis + 1] = weights.shape
        values = (taken * weights.reshape(shape)).sum(axis + 1, dtype=np.float32)
    return values.astype(ctx.dtype, copy=False)


def _area(ctx: Context, images: Array, size: Array, *, align_corners: bool = False) -> Array:
    height, width = _checked(images, size)
    values = images.astype(np.float32)
    for axis, target in ((1, height), (2, width)):
        total = values.shape[axis]
        step = scale(total, target, align_corners)
        weights = np.zeros((target, total), np.float32)
        for place in range(target):
            start, stop = np.float32(place) * step, np.float32(place + 1) * step
            for source in range(int(np.floor(start)), int(np.ceil(stop))):
                part = min(float(source + 1), float(stop)) - max(float(source), float(start))
                weights[place, min(max(source, 0), total - 1)] += part / step
        values = np.moveaxis(np.tensordot(values, weights, (axis, 1)), -1, axis)
    return np.ascontiguousarray(values).astype(ctx.dtype, copy=False)


def _crop_and_resize(
    ctx: Context,
    image: Array,
    boxes: Array,
    box_index: Array,
    crop_size: Array,
    *,
    method: bytes = b"bilinear",
    extrapolation_value: float = 0.0,
) -> Array:
    height, width = _checked(image, crop_size)
    _, rows, columns, depth = image.shape
    out = np.full((len(boxes), height, width, depth), extrapolation_value, np.float32)
    for number, (box, source) in enumerate(zip(boxes, box_index, strict=True)):
        if not 0 <= source < len(image):
            raise RunError(f"the box {number} is of picture {int(source)}, and there are {len(image)}")
        y = _crop_places(box[0], box[2], rows, height)
        x = _crop_places(box[1], box[3], columns, width)
        inside = ((y >= 0) & (y <= rows - 1))[:, None] & ((x >= 0) & (x <= columns - 1))[None, :]
        picture = image[source].astype(np.float32)
        if method == b"nearest":
            yi, xi = np.clip(np.round(y), 0, rows - 1).astype(int), np.clip(np.round(x), 0, columns - 1).astype(int)
            made = picture[yi][:, xi]
        else:
            made = _mix(_mix(picture, np.clip(y, 0, rows - 1), 0), np.clip(x, 0, columns - 1), 1)
        out[number] = np.where(inside[..., None], made, np.float32(extrapolation_value))
    return out


def _crop_places(start: np.float32, stop: np.float32, size: int, count: int) -> Array:
    if count > 1:
        step = (stop - start) * np.float32(size - 1) / np.float32(count - 1)
        return (start * np.float32(size - 1) + np.arange(count, dtype=np.float32) * step).astype(np.float32)
    return np.array([np.float32(0.5) * (start + stop) * np.float32(size - 1)], np.float32)


def _mix(values: Array, places: Array, axis: int) -> Array:
    low = np.floor(places).astype(int)
    high = np.ceil(places).astype(int)
    part = (places - low).reshape([-1 if i == axis else 1 for i in range(values.ndim)]).astype(np.float32)
    first = np.take(values, low, axis)
    return np.asarray(first + (np.take(values, high, axis) - first) * part)


def _adjust_contrast(ctx: Context, images: Array, factor: Array) -> Array:
    values = wide(images)
    mean = values.mean((-3, -2), keepdims=True, dtype=np.float32)
    return np.asarray((values - mean) * factor + mean).astype(ctx.dtype)


def _rgb_to_hsv(ctx: Context, images: Array) -> Array:
    r, g, b = (images[..., i] for i in range(3))
    value, low = images.max(-1), images.min(-1)
    spread = value - low
    safe = np.where(spread == 0, 1, spread)
    hue = np.where(value == r, (g - b) / safe, np.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe)) / 6
    hue = np.where(spread == 0, 0, np.where(hue < 0, hue + 1, hue))
    saturation = np.where(value > 0, spread / np.where(value > 0, value, 1), 0)
    return np.stack([hue, saturation, value], -1).astype(ctx.dtype)


def _hsv_to_rgb(ctx: Context, images: Array) -> Array:
    h, s, v = (images[..., i] for i in range(3))
    angle = h * 6
    r = np.clip(np.abs(angle - 3) - 1, 0, 1)
    g = np.clip(2 - np.abs(angle - 2), 0, 1)
    b = np.clip(2 - np.abs(angle - 4), 0, 1)
    return np.stack([(1 + s * (part - 1)) * v for part in (r, g, b)], -1).astype(ctx.dtype)


RULES: dict[str, Rule] = {
    "AdjustContrastv2": _adjust_contrast,
    "CropAndResize": _crop_and_resize,
    "HSVToRGB": _hsv_to_rgb,
    "RGBToHSV": _rgb_to_hsv,
    "ResizeArea": _area,
    "ResizeBicubic": _bicubic,
    "ResizeBilinear": _bilinear,
    "ResizeNearestNeighbor": _nearest,
}
