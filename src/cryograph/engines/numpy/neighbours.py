"""Ops of clustering and of sampled losses: the nearest centres, and candidates that are true classes by accident."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule


def _nearest(ctx: Context, points: Array, centers: Array, k: Array) -> tuple[Array, Array]:
    """For each point the nearest centres and their squared distances, the nearest first."""
    if points.ndim != 2 or centers.ndim != 2 or points.shape[1] != centers.shape[1]:
        raise RunError(f"points of {list(points.shape)} and centres of {list(centers.shape)} do not lie in one space")
    if k.ndim or int(k) < 0 or not len(centers):
        raise RunError(f"{k.tolist()} of {len(centers)} centres were asked for")
    count = min(int(k), len(centers))
    squares = np.square(points).sum(1)[:, None] - 2 * points @ centers.T + np.square(centers).sum(1)
    order = np.argsort(squares, 1, kind="stable")[:, :count]
    return order.astype(np.int64), np.maximum(np.take_along_axis(squares, order, 1), 0).astype(np.float32)


def _accidental(
    ctx: Context, classes: Array, candidates: Array, *, num_true: int, seed: int = 0, seed2: int = 0
) -> tuple[Array, Array, Array]:
    """Where a sampled candidate is a true class of a row: the row, the candidate's place, and the lowest weight."""
    if classes.ndim != 2 or classes.shape[1] != num_true or candidates.ndim != 1:
        raise RunError(f"rows of {num_true} classes and candidates were expected, not {list(classes.shape)}")
    place = {candidate: n for n, candidate in enumerate(candidates.tolist())}
    hits = [(row, place[c]) for row, of in enumerate(classes.tolist()) for c in of if c in place]
    rows = np.array([row for row, _ in hits], np.int32)
    return rows, np.array([n for _, n in hits], np.int64), np.full(len(hits), -np.finfo(np.float32).max, np.float32)


RULES: dict[str, Rule] = {
    "ComputeAccidentalHits": _accidental,
    "NearestNeighbors": _nearest,
}
