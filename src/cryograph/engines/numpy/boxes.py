"""Non-maximum suppression, all versions: boxes by falling score, each kept unless it overlaps one that was kept."""

from __future__ import annotations

import numpy as np

from ...base.tensors import Array
from .context import Context, Rule


def overlaps(box: Array, boxes: Array) -> Array:
    """The intersection over union of a box (4,) with boxes (N, 4); corners in any order; 0 where an area is 0."""
    low, high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    lows, highs = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    shared = np.prod(np.maximum(np.minimum(high, highs) - np.maximum(low, lows), 0), axis=1)
    area, areas = np.prod(high - low), np.prod(highs - lows, axis=1)
    union = area + areas - shared
    found = np.where((area > 0) & (areas > 0), shared / np.where(union == 0, 1, union), 0)
    return np.asarray(found, np.float32)


def suppress(
    boxes: Array, scores: Array, limit: int, iou: float, threshold: float = -np.inf, sigma: float = 0.0
) -> tuple[list[int], list[np.floating]]:
    """Indices and scores of the boxes that are kept. With `sigma` scores fall with overlap instead of being cut off."""
    current = scores.astype(np.float32).copy()
    waiting = current > threshold
    kept: list[int] = []
    kept_scores: list[np.floating] = []
    while len(kept) < limit and waiting.any():
        best = int(np.flatnonzero(waiting)[np.argmax(current[waiting])])
        kept.append(best)
        kept_scores.append(current[best])
        waiting[best] = False
        rivals = np.flatnonzero(waiting)
        shared = overlaps(boxes[best].astype(np.float32), boxes[rivals].astype(np.float32))
        if sigma > 0:
            weights = np.exp(np.float32(-0.5 / sigma) * shared * shared)
            current[rivals] = np.where(shared <= iou, current[rivals] * weights, 0)
            waiting[rivals] = current[rivals] > threshold
            waiting[rivals[shared > iou]] = False
        else:
            waiting[rivals[shared > iou]] = False
    return kept, kept_scores


def _v1(ctx: Context, boxes: Array, scores: Array, limit: Array, *, iou_threshold: float = 0.5) -> Array:
    return np.array(suppress(boxes, scores, int(limit), iou_threshold)[0], np.int32)


def _v2(ctx: Context, boxes: Array, scores: Array, limit: Array, iou: Array) -> Array:
    return np.array(suppress(boxes, scores, int(limit), float(iou))[0], np.int32)


def _v3(ctx: Context, boxes: Array, scores: Array, limit: Array, iou: Array, threshold: Array) -> Array:
    return np.array(suppress(boxes, scores, int(limit), float(iou), float(threshold))[0], np.int32)


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
    kept = suppress(boxes, scores, int(limit), float(iou), float(threshold))[0]
    return _filled(kept, int(limit), pad_to_max_output_size), np.array(len(kept), np.int32)


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
    kept, values = suppress(boxes, scores, int(limit), float(iou), float(threshold), float(sigma))
    found = np.array(values, ctx.output_dtypes[1].numpy)
    if pad_to_max_output_size:
        found = np.pad(found, (0, int(limit) - len(found)))
    return _filled(kept, int(limit), pad_to_max_output_size), found, np.array(len(kept), np.int32)


def _filled(kept: list[int], limit: int, fill: bool) -> Array:
    return np.pad(np.array(kept, np.int32), (0, limit - len(kept) if fill else 0))


RULES: dict[str, Rule] = {
    "NonMaxSuppression": _v1,
    "NonMaxSuppressionV2": _v2,
    "NonMaxSuppressionV3": _v3,
    "NonMaxSuppressionV4": _v4,
    "NonMaxSuppressionV5": _v5,
}
