"""Parts of pictures (N, H, W, C): boxes scaled to one size, and glimpses."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .images import target_size

F = np.float32


def crops(each: Callable[[Any, Callable[[Any, Any], Any], Any, Any], Any]) -> Rule:
    """The rule of boxes cut out of pictures; `each(ctx, crop, boxes, pictures)` cuts each box out of its picture."""

    def rule(
        ctx: Context,
        image: Any,
        boxes: Any,
        box_index: Any,
        crop_size: Any,
        *,
        method: bytes = b"bilinear",
        extrapolation_value: float = 0.0,
    ) -> Any:
        """Boxes are (y1, x1, y2, x2) in units of the picture; places outside of it get the extrapolation value."""
        height, width = target_size(image, ctx.known(crop_size))
        if boxes.ndim != 2 or boxes.shape[1] != 4 or box_index.shape != boxes.shape[:1]:
            raise RunError(f"{list(box_index.shape)} pictures were named for boxes of the shape {list(boxes.shape)}")
        count, rows, columns, depth = image.shape
        ctx.check((box_index < 0) | (box_index >= count), f"a box is of a picture that is not in [0, {count})")
        if not len(boxes):
            return ctx.xp.zeros((0, height, width, depth), F)
        xp, pictures = ctx.xp, ctx.xp.asarray(image)

        def crop(box: Any, source: Any) -> Any:
            y, x = box_places(box[0], box[2], rows, height), box_places(box[1], box[3], columns, width)
            inside = ((y >= 0) & (y <= rows - 1))[:, None] & ((x >= 0) & (x <= columns - 1))[None, :]
            y, x = xp.clip(y, 0, rows - 1), xp.clip(x, 0, columns - 1)
            picture = pictures[source].astype(F)
            if method == b"nearest":
                made = picture[xp.floor(y + F(0.5)).astype(int)][:, xp.floor(x + F(0.5)).astype(int)]
            else:
                made = _mix(xp, _mix(xp, picture, x, 1), y, 0)
            return xp.where(inside[..., None], made, F(extrapolation_value))

        return each(ctx, crop, boxes, box_index)

    return rule


def box_places(start: Any, stop: Any, size: int, count: int) -> Any:
    """Where in an axis of a picture the places of a crop lie."""
    if count > 1:
        step = (stop - start) * F(size - 1) / F(count - 1)
        return start * F(size - 1) + np.arange(count, dtype=F) * step
    return (F(0.5) * (start + stop) * F(size - 1)).reshape(1)


def _mix(xp: Any, values: Any, places: Any, axis: int) -> Any:
    low, high = xp.floor(places).astype(int), xp.ceil(places).astype(int)
    part = (places - low).reshape([-1 if i == axis else 1 for i in range(values.ndim)]).astype(F)
    first = xp.take(values, low, axis)
    return first + (xp.take(values, high, axis) - first) * part


def _glimpse(newest: bool) -> Rule:
    """Windows of one size around places; what lies outside of a picture is noise, or 0.

    The first version takes half a window off in every case, the second only of places that are normalised and counted
    from the middle.
    """

    def rule(
        ctx: Context,
        images: Array,
        size: Array,
        offsets: Array,
        *,
        centered: bool = True,
        normalized: bool = True,
        uniform_noise: bool = True,
        noise: bytes = b"uniform",
    ) -> Array:
        height, width = target_size(images, size)
        if offsets.shape != (len(images), 2):
            raise RunError(f"places of the shape {list(offsets.shape)} were given for {len(images)} pictures")
        space = np.array(images.shape[1:3], F)
        window = np.array([height, width], F)
        starts = offsets.astype(F)
        if normalized:
            starts = starts * space
        if centered:
            starts = starts / F(2) + space / F(2) if normalized or not newest else starts + space / F(2)
        if not newest or (normalized and centered):
            starts = starts - window / F(2)
        corners = np.trunc(starts).astype(int)
        cut = [_cut(image, at, height, width, noise, uniform_noise) for image, at in zip(images, corners, strict=True)]
        return np.stack(cut) if cut else np.zeros((0, height, width, images.shape[-1]), F)

    return rule


def _cut(image: Array, corner: Array, height: int, width: int, noise: bytes, uniform: bool) -> Array:
    shape = (height, width, image.shape[-1])
    rows, columns = np.arange(corner[0], corner[0] + height), np.arange(corner[1], corner[1] + width)
    inside = ((rows >= 0) & (rows < image.shape[0]))[:, None] & ((columns >= 0) & (columns < image.shape[1]))
    made = image[np.clip(rows, 0, image.shape[0] - 1)][:, np.clip(columns, 0, image.shape[1] - 1)]
    if inside.all():
        return np.asarray(made)
    around = np.zeros(shape, F)
    if noise != b"zero":
        rng = np.random.default_rng(secrets.randbits(128))
        if noise == b"gaussian" or not uniform:
            around = rng.normal(image.mean((0, 1)), image.std((0, 1)), shape).astype(F)
        else:
            around = rng.uniform(image.min((0, 1)), image.max((0, 1)), shape).astype(F)
    return np.asarray(np.where(inside[..., None], made, around))


RULES: dict[str, Rule] = {
    "CropAndResize": crops(lambda ctx, crop, *given: np.stack([crop(*each) for each in zip(*given, strict=True)])),
    "ExtractGlimpse": _glimpse(False),
    "ExtractGlimpseV2": _glimpse(True),
}
