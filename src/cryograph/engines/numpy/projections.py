"""Pictures seen through projective transforms, and regions proposed from scores and moved anchors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .boxes import intersections, suppress
from .context import Context, Rule

F = np.float32


def _reflected(places: Array, size: int) -> Array:
    """[dcba|abcd|dcba]"""
    if size <= 1:
        return np.zeros_like(places)
    whole = F(2 * size)
    below = whole * np.trunc(-places / whole) + places
    below = np.where(below < -size, below + whole, -below - 1)
    above = places - whole * np.trunc(places / whole)
    above = np.where(above >= size, whole - above - 1, above)
    return _nearest(np.where(places < 0, below, np.where(places > size - 1, above, places)), size)


def _wrapped(places: Array, size: int) -> Array:
    """[abcd|abcd|abcd]"""
    if size <= 1:
        return np.zeros_like(places)
    below = places + size * (np.trunc(-places / F(size - 1)) + 1)
    above = places - size * np.trunc(places / F(size - 1))
    return _nearest(np.where(places < 0, below, np.where(places > size - 1, above, places)), size)


def _nearest(places: Array, size: int) -> Array:
    return np.asarray(np.clip(places, 0, max(size - 1, 0)), F)


FILLS: dict[bytes, Callable[[Array, int], Array]] = {
    b"CONSTANT": lambda places, size: places,
    b"NEAREST": _nearest,
    b"REFLECT": _reflected,
    b"WRAP": _wrapped,
}
"""Where in a picture of some size places are looked up that may be outside."""


def _transform_v2(
    ctx: Context,
    images: Array,
    transforms: Array,
    output_shape: Array,
    *,
    interpolation: bytes,
    fill_mode: bytes = b"CONSTANT",
) -> Array:
    return _transform_v3(
        ctx, images, transforms, output_shape, np.array(0, F), interpolation=interpolation, fill_mode=fill_mode
    )


def _transform_v3(
    ctx: Context,
    images: Array,
    transforms: Array,
    output_shape: Array,
    fill_value: Array,
    *,
    interpolation: bytes,
    fill_mode: bytes = b"CONSTANT",
) -> Array:
    """The place (x, y) of the output shows the place ((a x + b y + c) / k, (d x + e y + f) / k) of the picture, where
    k = g x + h y + 1, of the eight numbers a to h of a transform."""
    if images.ndim != 4 or transforms.ndim != 2 or transforms.shape[1:] != (8,) or output_shape.shape != (2,):
        raise RunError(f"transforms of the shape {list(transforms.shape)} were given for {list(images.shape)}")
    if len(transforms) not in (1, len(images)) or output_shape.min() <= 0 or fill_value.shape:
        raise RunError(f"{len(transforms)} transforms to {output_shape.tolist()} were given for {len(images)} pictures")
    if fill_mode not in FILLS or interpolation not in (b"NEAREST", b"BILINEAR"):
        raise RunError(f"the fill mode {fill_mode!r} or the interpolation {interpolation!r} is none that there is")
    height, width = images.shape[1:3]
    a, b, c, d, e, f, g, h = (transforms.astype(F)[:, i, None, None] for i in range(8))
    y, x = (grid.astype(F)[None] for grid in np.mgrid[0 : output_shape[0], 0 : output_shape[1]])
    scale = g * x + h * y + F(1)
    shape = (len(images), *scale.shape[1:])
    columns = np.broadcast_to(FILLS[fill_mode]((a * x + b * y + c) / scale, width), shape)
    rows = np.broadcast_to(FILLS[fill_mode]((d * x + e * y + f) / scale, height), shape)
    seen = (scale != 0) & (columns > -1) & (columns < width) & (rows > -1) & (rows < height)
    rows, columns = np.where(seen, rows, 0), np.where(seen, columns, 0)
    outside = images.dtype.type(fill_value)

    def at(row: Array, column: Array) -> Array:
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        items = np.arange(len(images)).reshape(-1, 1, 1)
        found = images[items, np.clip(row, 0, height - 1).astype(int), np.clip(column, 0, width - 1).astype(int)]
        return np.asarray(np.where(inside[..., None], found, outside))

    if interpolation == b"NEAREST":
        made = at(*(np.copysign(np.floor(abs(places) + F(0.5)), places) for places in (rows, columns)))
    else:
        top, left = np.floor(rows), np.floor(columns)
        down, right = (rows - top)[..., None], (columns - left)[..., None]
        upper, lower = (
            (1 - right) * at(row, left).astype(F) + right * at(row, left + 1).astype(F) for row in (top, top + 1)
        )
        made = ((1 - down) * upper + down * lower).astype(images.dtype)
    return np.asarray(np.where(seen[..., None], made, outside)).astype(images.dtype, copy=False)


LARGEST_STEP = F(np.log(1000 / 16))
"""What logarithms of widths and heights are cut off at."""


def _proposals(
    ctx: Context,
    scores: Array,
    deltas: Array,
    image_info: Array,
    anchors: Array,
    nms_threshold: Array,
    pre_nms_topn: Array,
    min_size: Array,
    *,
    post_nms_topn: int = 300,
) -> tuple[Array, Array]:
    """The best boxes (y1, x1, y2, x2) of each picture, and their scores, filled up with zeros.

    Anchors (H, W, A * 4) are moved by deltas of the same layout: centres by parts of their size, sizes by logarithms.
    """
    if scores.ndim != 4 or anchors.size != 4 * scores[0].size or deltas.size != 4 * scores.size:
        raise RunError(f"scores of {list(scores.shape)} do not fit anchors of {list(anchors.shape)}")
    if not 0 <= float(nms_threshold) <= 1 or int(pre_nms_topn) <= 0 or post_nms_topn <= 0:
        raise RunError(f"the overlap {float(nms_threshold)} or a limit makes no sense")
    boxes = np.zeros((len(scores), post_nms_topn, 4), F)
    chances = np.zeros((len(scores), post_nms_topn), F)
    for item, (score, delta, info) in enumerate(zip(scores.astype(F), deltas.astype(F), image_info, strict=True)):
        order = np.argsort(-score.ravel(), kind="stable")[: int(pre_nms_topn)]
        moved = _moved(anchors.astype(F).reshape(-1, 4)[order], delta.reshape(-1, 4)[order], info[:2])
        large = (moved[:, 2:] - moved[:, :2]).min(-1) >= min_size * info[2]
        held, values = moved[large], score.ravel()[order][large]
        kept, _ = suppress(intersections(held), values, post_nms_topn, float(nms_threshold))
        boxes[item, : len(kept)], chances[item, : len(kept)] = held[kept], values[kept]
    return boxes, chances


def _moved(anchors: Array, deltas: Array, space: Array) -> Array:
    size = anchors[:, 2:] - anchors[:, :2]
    centre = anchors[:, :2] + F(0.5) * size + size * deltas[:, :2]
    half = F(0.5) * size * np.exp(np.minimum(deltas[:, 2:], LARGEST_STEP))
    return np.asarray(np.clip(np.concatenate([centre - half, centre + half], -1), 0, np.tile(space, 2)), F)


RULES: dict[str, Rule] = {
    "GenerateBoundingBoxProposals": _proposals,
    "ImageProjectiveTransformV2": _transform_v2,
    "ImageProjectiveTransformV3": _transform_v3,
}
