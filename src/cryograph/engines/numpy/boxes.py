"""Non-maximum suppression, all versions, and boxes drawn into pictures.

Boxes come by falling score, equal ones in their order; each is kept unless it overlaps one that was kept by more than
a threshold.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule

F = np.float32
Overlap = Callable[[int, Array], Array]
"""The overlaps of a box with others, by their numbers."""


def intersections(boxes: Array) -> Overlap:
    """Intersection over union of boxes (N, 4), corners in any order; 0 where an area is 0."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    areas = np.prod(high - low, axis=1)

    def overlap(one: int, others: Array) -> Array:
        shared = np.prod(np.maximum(np.minimum(high[one], high[others]) - np.maximum(low[one], low[others]), 0), axis=1)
        union = areas[one] + areas[others] - shared
        return np.where((areas[one] > 0) & (areas[others] > 0), shared / np.where(union == 0, 1, union), F(0))

    return overlap


def suppress(
    overlap: Overlap, scores: Array, limit: int, iou: float, threshold: float = -np.inf, sigma: float = 0.0
) -> tuple[list[int], list[float]]:
    """Numbers and scores of the boxes that are kept. With `sigma` scores fall with overlap, however large that is, and
    no box is cut off for it."""
    current = scores.astype(F)
    waiting = current > F(threshold)
    order = np.argsort(-current, kind="stable")
    kept: list[int] = []
    kept_scores: list[float] = []
    while len(kept) < limit:
        order = order[waiting[order]]
        if not order.size:
            break
        best = int(order[0]) if sigma == 0 else int(np.flatnonzero(waiting)[np.argmax(current[waiting])])
        kept.append(best)
        kept_scores.append(float(current[best]))
        waiting[best] = False
        rivals = order[waiting[order]]
        shared = overlap(best, rivals)
        if sigma > 0:
            current[rivals] *= np.exp(F(-0.5 / sigma) * shared * shared)
            waiting[rivals] = current[rivals] > F(threshold)
        else:
            waiting[rivals[shared > F(iou)]] = False
    return kept, kept_scores


def _checked(boxes: Array, scores: Array, iou: float) -> Overlap:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise RunError(f"scores of the shape {list(scores.shape)} do not fit boxes of {list(boxes.shape)}")
    if not 0 <= iou <= 1:
        raise RunError(f"the threshold {iou} of the overlap is not in [0, 1]")
    return intersections(boxes.astype(F))


def _numbers(kept: list[int], limit: int, fill: bool = False) -> Array:
    return np.array(kept + [0] * (limit - len(kept) if fill else 0), np.int32)


def _v1(ctx: Context, boxes: Array, scores: Array, limit: Array, *, iou_threshold: float = 0.5) -> Array:
    return _v2(ctx, boxes, scores, limit, np.array(iou_threshold))


def _v2(ctx: Context, boxes: Array, scores: Array, limit: Array, iou: Array) -> Array:
    return _numbers(suppress(_checked(boxes, scores, float(iou)), scores, int(limit), float(iou))[0], 0)


def _v3(ctx: Context, boxes: Array, scores: Array, limit: Array, iou: Array, threshold: Array) -> Array:
    overlap = _checked(boxes, scores, float(iou))
    return _numbers(suppress(overlap, scores, int(limit), float(iou), float(threshold))[0], 0)


def _v4(
    ctx: Context,
    boxes: Array,
    scores: Array,
    limit: Array,
    iou: Array,
    threshold: Array,
    *,
    pad_to_max_output_size: bool = False,
) -> tuple[Array, Array]:
    overlap = _checked(boxes, scores, float(iou))
    kept = suppress(overlap, scores, int(limit), float(iou), float(threshold))[0]
    return _numbers(kept, int(limit), pad_to_max_output_size), np.array(len(kept), np.int32)


def _v5(
    ctx: Context,
    boxes: Array,
    scores: Array,
    limit: Array,
    iou: Array,
    threshold: Array,
    sigma: Array,
    *,
    pad_to_max_output_size: bool = False,
) -> tuple[Array, Array, Array]:
    overlap = _checked(boxes, scores, float(iou))
    kept, values = suppress(overlap, scores, int(limit), float(iou), float(threshold), float(sigma))
    filled = values + [0.0] * (int(limit) - len(kept) if pad_to_max_output_size else 0)
    count = np.array(len(kept), np.int32)
    return _numbers(kept, int(limit), pad_to_max_output_size), np.array(filled, ctx.output_dtypes[1].numpy), count


def _with_overlaps(
    ctx: Context, overlaps: Array, scores: Array, limit: Array, overlap_threshold: Array, threshold: Array
) -> Array:
    if overlaps.shape != scores.shape * 2:
        raise RunError(f"overlaps of the shape {list(overlaps.shape)} do not fit {scores.size} scores")
    kept = suppress(lambda one, others: overlaps[others, one], scores, int(limit), float(overlap_threshold),
                    float(threshold))[0]  # fmt: skip
    return _numbers(kept, 0)


def _combined(
    ctx: Context,
    boxes: Array,
    scores: Array,
    per_class: Array,
    total: Array,
    iou: Array,
    threshold: Array,
    *,
    pad_per_class: bool = False,
    clip_boxes: bool = True,
) -> tuple[Array, Array, Array, Array]:
    """Suppression within each class of each item; the best of all classes are kept, filled up with zeros."""
    if boxes.ndim != 4 or scores.ndim != 3 or boxes.shape[2] not in (1, scores.shape[2]):
        raise RunError(f"scores of the shape {list(scores.shape)} do not fit boxes of {list(boxes.shape)}")
    if int(per_class) <= 0 or int(total) <= 0 or not 0 <= float(iou) <= 1:
        raise RunError(f"{int(per_class)} a class, {int(total)} in all and the overlap {float(iou)} are no limits")
    batch, classes = len(boxes), scores.shape[2]
    size = min(int(total), int(per_class) * classes) if pad_per_class else int(total)
    found = (np.zeros((batch, size, 4), F), np.zeros((batch, size), F), np.zeros((batch, size), F))
    valid = np.zeros(batch, np.int32)
    for item in range(batch):
        kept: list[tuple[float, int, int]] = []
        for c in range(classes):
            own = boxes[item, :, min(c, boxes.shape[2] - 1)]
            best = suppress(intersections(own), scores[item, :, c], int(per_class), float(iou), float(threshold))
            kept += [(score, c, number) for number, score in zip(*best, strict=True)]
        kept.sort(key=lambda entry: -entry[0])
        valid[item] = len(kept[:size])
        for place, (score, c, number) in enumerate(kept[:size]):
            box = boxes[item, number, min(c, boxes.shape[2] - 1)]
            found[0][item, place] = np.clip(box, 0, 1) if clip_boxes else box
            found[1][item, place], found[2][item, place] = score, c
    return (*found, valid)


# Yellow, blue, red, lime, purple, olive, maroon, navy, aqua, fuchsia.
COLOURS = np.array(
    [
        *([1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1]),
        *([0.5, 0.5, 0, 1], [0.5, 0, 0, 1], [0, 0, 0.5, 1], [0, 1, 1, 1], [1, 0, 1, 1]),
    ],
    F,
)


def _draw(ctx: Context, images: Array, boxes: Array, colors: Array | None = None) -> Array:
    """Lines one pixel wide; boxes take the colours in turn. Without colours of its own a picture of one channel gets
    white lines."""
    depth = images.shape[-1]
    table = colors.astype(F) if colors is not None and colors.size else COLOURS if depth > 1 else np.ones((1, 1), F)
    if images.ndim != 4 or boxes.shape[:1] + boxes.shape[2:] != (len(images), 4) or table.shape[-1] < depth:
        raise RunError(f"boxes of the shape {list(boxes.shape)} do not fit pictures of {list(images.shape)}")
    out = images.copy()
    height, width = images.shape[1:3]
    for item in range(len(images)):
        for number, box in enumerate(boxes[item].astype(F)):
            _outline(out[item], box, table[number % len(table), :depth].astype(images.dtype), height, width)
    return out


def _outline(picture: Array, box: Array, colour: Array, height: int, width: int) -> None:
    low_y, low_x, high_y, high_x = (int(v) for v in np.trunc(box * np.array([height - 1, width - 1] * 2, F)))
    if low_y > high_y or low_x > high_x or low_y >= height or high_y < 0 or low_x >= width or high_x < 0:
        return
    rows = slice(max(low_y, 0), min(high_y, height - 1) + 1)
    columns = slice(max(low_x, 0), min(high_x, width - 1) + 1)
    for row in (low_y, high_y):
        if 0 <= row < height:
            picture[row, columns] = colour
    for column in (low_x, high_x):
        if 0 <= column < width:
            picture[rows, column] = colour


RULES: dict[str, Rule] = {
    "CombinedNonMaxSuppression": _combined,
    "DrawBoundingBoxes": _draw,
    "DrawBoundingBoxesV2": _draw,
    "NonMaxSuppression": _v1,
    "NonMaxSuppressionV2": _v2,
    "NonMaxSuppressionV3": _v3,
    "NonMaxSuppressionV4": _v4,
    "NonMaxSuppressionV5": _v5,
    "NonMaxSuppressionWithOverlaps": _with_overlaps,
}
