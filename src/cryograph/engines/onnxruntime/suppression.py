"""Lowerings of suppression that ONNX has no operator for: soft, where scores fall with the overlap, and by overlaps
that are given. A Loop takes the best box that is left, and puts the others down."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, INT32, INT64
from ...program.program import Step
from .builder import Builder, Table
from .control import walked
from .values import Refusal, Value

Overlap = Callable[[Value], Value]
"""From the number of a box (int64 scalar) to its overlap with all (N)."""
_ALL = (None,)


def _intersections(g: Builder, boxes: Value) -> Overlap:
    """Intersection over union of boxes (N, 4), corners in any order; 0 where an area is 0."""
    one, two = (g.slice(boxes, g.ints([at]), g.ints([at + 2]), [1]) for at in (0, 2))
    low, high = (g.op(op, one, two, shape=(None, 2)) for op in ("Min", "Max"))
    areas = _product(g, g.op("Sub", high, low, shape=(None, 2)))
    real = g.op("Greater", areas, g.const(0, FLOAT32), dtype=BOOL, shape=_ALL)

    def overlap(best: Value) -> Value:
        own = [g.op("Gather", x, best, axis=0, shape=(2,)) for x in (low, high)]
        sides = g.op("Sub", g.op("Min", own[1], high, shape=(None, 2)), g.op("Max", own[0], low, shape=(None, 2)),
                     shape=(None, 2))  # fmt: skip
        shared = _product(g, g.op("Max", sides, g.const(0, FLOAT32), shape=(None, 2)))
        both = g.op("Add", g.op("Gather", areas, best, axis=0, shape=()), areas, shape=_ALL)
        union = g.op("Sub", both, shared, shape=_ALL)
        none = g.op("Equal", union, g.const(0, FLOAT32), dtype=BOOL, shape=_ALL)
        part = g.op("Div", shared, g.where(none, g.const(1, FLOAT32), union, _ALL), shape=_ALL)
        counts = g.op("And", real, g.op("Gather", real, best, axis=0, shape=()), dtype=BOOL, shape=_ALL)
        return g.where(counts, part, g.const(0, FLOAT32), _ALL)

    return overlap


def _product(g: Builder, x: Value) -> Value:
    """(N) of pairs (N, 2)."""
    parts = [g.op("Gather", x, g.const(at, INT64), axis=1, shape=_ALL) for at in (0, 1)]
    return g.op("Mul", *parts, shape=_ALL)


def _suppressed(
    g: Builder, overlap: Overlap, scores: Value, most: Value, iou: Value, threshold: Value, sigma: float
) -> tuple[Value, Value]:
    """Numbers (int64) and scores of the boxes that are kept, best first."""
    minus, zero = g.const(-np.inf, FLOAT32), g.const(0, INT64)
    above = g.op("Greater", scores, threshold, dtype=BOOL, shape=_ALL)
    waiting = g.cast(above, FLOAT32)
    number = g.op("Range", zero, g.squeeze(g.sizes(scores, [0]), [0]), g.const(1, INT64), shape=_ALL)
    some = g.op("Concat", above, g.const([False], BOOL), axis=0, shape=_ALL)
    first = g.cast(g.op("ReduceMax", g.cast(some, INT64), keepdims=0, shape=()), BOOL)

    def change(turn: Value, held: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        current, open_ = held[0], g.cast(held[1], BOOL)
        best = g.op("ArgMax", g.where(open_, current, minus, _ALL), dtype=INT64, axis=0, keepdims=0, shape=())
        score = g.op("Gather", current, best, axis=0, shape=())
        shared = overlap(best)
        others = g.unary("Not", g.op("Equal", number, best, dtype=BOOL, shape=_ALL))
        left = g.op("And", open_, others, dtype=BOOL, shape=_ALL)
        if sigma > 0:
            fall = g.op("Mul", g.op("Mul", g.const(-0.5 / sigma, FLOAT32), shared, shape=_ALL), shared, shape=_ALL)
            lower = g.op("Mul", current, g.unary("Exp", fall), shape=_ALL)
            current = g.where(left, lower, current, _ALL)
            stays = g.op("Greater", current, threshold, dtype=BOOL, shape=_ALL)
        else:
            stays = g.unary("Not", g.op("Greater", shared, iou, dtype=BOOL, shape=_ALL))
        left = g.op("And", left, stays, dtype=BOOL, shape=_ALL)
        more = g.cast(g.op("ReduceMax", g.cast(left, INT64), keepdims=0, shape=()), BOOL)
        return more, [current, g.cast(left, FLOAT32), score, best]

    rows = [(FLOAT32, ()), (INT64, ())]
    _, (kept_scores, kept) = walked(g, g.reshape(g.int64(most), []), [scores, waiting], change, rows, first)
    return kept, kept_scores


def soft(
    g: Builder,
    boxes: Value,
    scores: Value,
    most: Value,
    iou: Value,
    threshold: Value,
    sigma: float,
    padded: bool,
) -> list[Value]:
    """Numbers and scores of the boxes kept, filled up with zeros if so wished, and how many are real."""
    if boxes.rank != 2 or boxes.size(1) != 4 or scores.rank != 1 or 0 in (boxes.shape or ()):
        raise Refusal("boxes of 4 corners and as many scores are taken")
    wide = [g.cast(x, FLOAT32) for x in (scores, iou, threshold)]
    kept, values = _suppressed(g, _intersections(g, g.cast(boxes, FLOAT32)), wide[0], most, wide[1], wide[2], sigma)
    count = g.op("Size", kept, dtype=INT64, shape=())
    numbers, values = g.cast(kept, INT32), g.cast(values, scores.dtype)
    if padded:
        lacking = g.op("Sub", g.reshape(g.int64(most), [1]), g.unsqueeze(count, [0]), shape=(1,))
        pads = g.concat([g.ints([0]), lacking], 0, (2,))
        numbers, values = (g.op("Pad", x, pads, mode="constant", shape=_ALL) for x in (numbers, values))
    return [numbers, values, g.cast(count, INT32)]


def with_overlaps(
    g: Builder, step: Step, overlaps: Value, scores: Value, most: Value, overlap_threshold: Value, threshold: Value
) -> Value:
    """(N, N) overlaps: the column of a box says how far others lie in it."""
    if overlaps.rank != 2 or scores.rank != 1 or None in (overlaps.shape or ()) or 0 in (overlaps.shape or ()):
        raise Refusal("overlaps of a known number of boxes are taken")
    if overlaps.shape != (scores.size(0), scores.size(0)):
        raise Refusal("there are not as many overlaps as boxes")

    def overlap(best: Value) -> Value:
        return g.op("Gather", overlaps, best, axis=1, shape=_ALL)

    return g.cast(_suppressed(g, overlap, scores, most, overlap_threshold, threshold, 0.0)[0], INT32)


LOWERINGS: Table = {"NonMaxSuppressionWithOverlaps": with_overlaps}
