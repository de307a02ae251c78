"""Ops of clustering and of sampled losses: the nearest centres, points to begin with, candidates hit by accident."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import Philox
from .random import uniform
from .streams import Reader

MAX_RETRIES = 1 << 16
"""How often a point may be drawn again."""
_ALL = (1 << 64) - 1


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


def _chain(ctx: Context, distances: Array, seed: Array) -> Array:
    """The last state of a Markov chain over all points, which moves to a point that is further away, and to a nearer
    one by the chance of their distances (Bachem et al. 2016)."""
    if distances.ndim != 1 or not len(distances) or seed.ndim:
        raise RunError(f"distances of some points were expected, not {list(distances.shape)}, and one seed")
    turns = -(-(len(distances) - 1) // 4)
    drawn = uniform(Philox(int(seed) & _ALL, 0).words(0, turns), np.dtype(np.float32))
    at = 0
    for place, chance in enumerate(drawn[: len(distances) - 1], 1):
        if distances[place] > chance * distances[at]:
            at = place
    return np.array(at, np.int64)


def _seeding(ctx: Context, points: Array, num_to_sample: Array, seed: Array, num_retries_per_sample: Array) -> Array:
    """Points that lie apart: each by the chance of its squared distance from those before, the best of some tries
    (Arthur and Vassilvitskii 2007)."""
    if points.ndim != 2 or num_to_sample.ndim or seed.ndim or num_retries_per_sample.ndim:
        raise RunError(f"points of {list(points.shape)} were given, or a number, seed or retries that are not single")
    wanted, retries = int(num_to_sample), int(num_retries_per_sample)
    if not 0 < wanted <= len(points):
        raise RunError(f"{wanted} of {len(points)} points were asked for")
    if retries < 0:
        retries = 2 + int(np.log(wanted))
    if retries > MAX_RETRIES:
        raise RunError(f"{retries} retries were asked for; {MAX_RETRIES} are the most")
    halves = np.float32(0.5) * np.square(points).sum(1)
    reader = Reader(Philox(int(seed) & _ALL, 0))
    near = np.full(len(points), np.inf, np.float32)
    taken: dict[int, None] = {}
    for _ in range(wanted):
        sums = np.cumsum(near)
        best, least, chosen = near, np.float32(np.inf), 0
        for _ in range(1 + retries):
            place = _apart(reader, sums, taken)
            nearer = np.minimum(near, halves - points @ points[place] + halves[place])
            if retries == 0 or nearer.sum() < least:
                best, least, chosen = nearer, nearer.sum(), place
        near = best
        taken[chosen] = None
    return points[list(taken)]


def _apart(reader: Reader, sums: Array, taken: Collection[int]) -> int:
    """A point that is not taken yet, by the sums of the distances."""
    count = len(sums)
    if not taken:
        return reader.below(count, 64)
    for _ in range(MAX_RETRIES):
        place = reader.below(count, 64) if not sums[-1] > 0 else _place(reader, sums)
        if place not in taken:
            return place
    raise RunError(f"no point apart from the {len(taken)} that are taken was found in {MAX_RETRIES} tries")


def _place(reader: Reader, sums: Array) -> int:
    return min(int(np.searchsorted(sums, reader.unit() * sums[-1], side="right")), len(sums) - 1)


RULES: dict[str, Rule] = {
    "ComputeAccidentalHits": _accidental,
    "KMC2ChainInitialization": _chain,
    "KmeansPlusPlusInitialization": _seeding,
    "NearestNeighbors": _nearest,
}
