"""Colours of pictures, the last dimension being red, green and blue: contrast, saturation, hue."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given, wide


def _three(images: Array, rank: int = 1) -> Array:
    if images.ndim < rank or images.shape[-1] != 3:
        raise RunError(f"pictures of the shape {list(images.shape)} have no three channels")
    return wide(images)


def _adjust_contrast(ctx: Context, images: Array, factor: Array) -> Array:
    """The distance from the mean of each channel of each picture, multiplied."""
    if images.ndim < 3 or factor.ndim:
        raise RunError(f"pictures of {images.ndim} dimensions and a factor of {factor.ndim} were given")
    values = wide(images)
    mean = values.mean((-3, -2), keepdims=True, dtype=np.float64).astype(np.float32)
    return given(ctx, (values - mean) * factor + mean)


def _adjust_contrast_v1(ctx: Context, images: Array, factor: Array, min_value: Array, max_value: Array) -> Array:
    """The first version cuts the result off at two values."""
    values = images.astype(np.float32)
    if images.ndim < 3 or factor.ndim or min_value.ndim or max_value.ndim:
        raise RunError(f"pictures of {images.ndim} dimensions and a factor of {factor.ndim} were given")
    mean = values.mean((-3, -2), keepdims=True, dtype=np.float64).astype(np.float32)
    return given(ctx, np.clip((values - mean) * factor + mean, min_value, max_value))


def to_hsv(rgb: Array) -> Array:
    """Hue, saturation and value, each from 0 to 1; hue 0 is red, and what has no colour has it too."""
    r, g, b = (rgb[..., i] for i in range(3))
    value = rgb.max(-1)
    spread = value - rgb.min(-1)
    safe = np.where(spread == 0, 1, spread)
    hue = np.where(value == r, (g - b) / safe, np.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe)) / 6
    hue = np.where(spread == 0, 0, np.where(hue < 0, hue + 1, hue))
    saturation = np.where(value > 0, spread / np.where(value > 0, value, 1), 0)
    return np.stack([hue, saturation, value], -1)


def to_rgb(hsv: Array) -> Array:
    """The inverse of `to_hsv`."""
    h, s, v = (hsv[..., i] for i in range(3))
    angle = h * 6
    r = np.clip(np.abs(angle - 3) - 1, 0, 1)
    g = np.clip(2 - np.abs(angle - 2), 0, 1)
    b = np.clip(2 - np.abs(angle - 4), 0, 1)
    return np.stack([(1 + s * (part - 1)) * v for part in (r, g, b)], -1)


def _rgb_to_hsv(ctx: Context, images: Array) -> Array:
    return given(ctx, to_hsv(_three(images)))


def _hsv_to_rgb(ctx: Context, images: Array) -> Array:
    return given(ctx, to_rgb(_three(images)))


def _adjust_saturation(ctx: Context, images: Array, scale: Array) -> Array:
    hsv = to_hsv(_three(images, 3))
    hsv[..., 1] = np.clip(hsv[..., 1] * scale, 0, 1)
    return given(ctx, to_rgb(hsv))


def _adjust_hue(ctx: Context, images: Array, delta: Array) -> Array:
    hsv = to_hsv(_three(images, 3))
    hsv[..., 0] = np.mod(hsv[..., 0] + delta, 1)
    return given(ctx, to_rgb(hsv))


RULES: dict[str, Rule] = {
    "AdjustContrast": _adjust_contrast_v1,
    "AdjustContrastv2": _adjust_contrast,
    "AdjustHue": _adjust_hue,
    "AdjustSaturation": _adjust_saturation,
    "HSVToRGB": _hsv_to_rgb,
    "RGBToHSV": _rgb_to_hsv,
}
