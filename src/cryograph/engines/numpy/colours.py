"""Colours of pictures, the last dimension being red, green and blue: contrast, saturation, hue; on arrays
of any namespace."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from .context import Context, Rule
from .elementwise import given, wide


def _three(images: Any, rank: int = 1) -> Any:
    if images.ndim < rank or images.shape[-1] != 3:
        raise RunError(f"pictures of the shape {list(images.shape)} have no three channels")
    return wide(images)


def _adjust_contrast(ctx: Context, images: Any, factor: Any) -> Any:
    """The distance from the mean of each channel of each picture, multiplied."""
    if images.ndim < 3 or factor.ndim:
        raise RunError(f"pictures of {images.ndim} dimensions and a factor of {factor.ndim} were given")
    values = wide(images)
    mean = values.mean((-3, -2), keepdims=True, dtype=np.float64).astype(np.float32)
    return given(ctx, (values - mean) * factor + mean)


def _adjust_contrast_v1(ctx: Context, images: Any, factor: Any, min_value: Any, max_value: Any) -> Any:
    """The first version cuts the result off at two values."""
    values = images.astype(np.float32)
    if images.ndim < 3 or factor.ndim or min_value.ndim or max_value.ndim:
        raise RunError(f"pictures of {images.ndim} dimensions and a factor of {factor.ndim} were given")
    mean = values.mean((-3, -2), keepdims=True, dtype=np.float64).astype(np.float32)
    return given(ctx, ctx.xp.clip((values - mean) * factor + mean, min_value, max_value))


def to_hsv(xp: Any, rgb: Any) -> tuple[Any, Any, Any]:
    """Hue, saturation and value, each from 0 to 1; hue 0 is red, and what has no colour has it too."""
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
    r = xp.clip(xp.abs(angle - 3) - 1, 0, 1)
    g = xp.clip(2 - xp.abs(angle - 2), 0, 1)
    b = xp.clip(2 - xp.abs(angle - 4), 0, 1)
    return xp.stack([(1 + s * (part - 1)) * v for part in (r, g, b)], -1)


def _rgb_to_hsv(ctx: Context, images: Any) -> Any:
    return given(ctx, ctx.xp.stack(to_hsv(ctx.xp, _three(images)), -1))


def _hsv_to_rgb(ctx: Context, images: Any) -> Any:
    hsv = _three(images)
    return given(ctx, to_rgb(ctx.xp, *(hsv[..., i] for i in range(3))))


def _adjust_saturation(ctx: Context, images: Any, scale: Any) -> Any:
    h, s, v = to_hsv(ctx.xp, _three(images, 3))
    return given(ctx, to_rgb(ctx.xp, h, ctx.xp.clip(s * scale, 0, 1), v))


def _adjust_hue(ctx: Context, images: Any, delta: Any) -> Any:
    h, s, v = to_hsv(ctx.xp, _three(images, 3))
    return given(ctx, to_rgb(ctx.xp, ctx.xp.mod(h + delta, 1), s, v))


RULES: dict[str, Rule] = {
    "AdjustContrast": _adjust_contrast_v1,
    "AdjustContrastv2": _adjust_contrast,
    "AdjustHue": _adjust_hue,
    "AdjustSaturation": _adjust_saturation,
    "HSVToRGB": _hsv_to_rgb,
    "RGBToHSV": _rgb_to_hsv,
}
