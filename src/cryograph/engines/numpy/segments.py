"""Ops that reduce rows by the number of their group, and those that count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given, wide
from .reductions import ACCUMULATORS, finite_limits

_EMPTY = {np.add: 0, np.multiply: 1}


def grouped(function: Any, data: Array, ids: Array, count: int, empty: Any) -> Array:
    """(count, ...): rows of `data` with one id reduced to one, in their order; `empty` where there are none.

    Ids outside of [0, count) are left out.
    """
    out = np.full((count, *data.shape[1:]), empty, data.dtype)
    keep = (ids >= 0) & (ids < count)
    if not np.all(keep):
        ids, data = ids[keep], data[keep]
    if not ids.size or not out.size:
        return out
    if np.any(ids[1:] < ids[:-1]):
        order = np.argsort(ids, kind="stable")
        ids, data = ids[order], data[order]
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    adding = data.astype(ACCUMULATORS.get(data.dtype, data.dtype), copy=False)
    out[ids[starts]] = function.reduceat(adding, starts, 0, dtype=adding.dtype)
    return out


def _sorted_ids(data: Array, ids: Array, num_segments: Array | None) -> int:
    """The number of groups of ids that rise; RunError when they do not, or do not fit the data."""
    if ids.ndim != 1 or data.ndim < 1 or len(ids) != len(data):
        raise RunError(f"ids of the shape {list(ids.shape)} do not tell rows of {list(data.shape)} apart")
    if np.any(ids[1:] < ids[:-1]):
        raise RunError("segment ids are not increasing")
    if ids.size and ids[0] < 0:
        raise RunError(f"the segment id {ids[0]} is negative")
    found = int(ids[-1]) + 1 if ids.size else 0
    if num_segments is None:
        return found
    if found > int(num_segments):
        raise RunError(f"the segment id {found - 1} is not below the number of segments, {int(num_segments)}")
    return int(num_segments)


def _segment(function: Any) -> Rule:
    """Groups of ids that rise; those without rows give 0, or 1 for products."""

    def rule(ctx: Context, data: Array, ids: Array, num_segments: Array | None = None) -> Array:
        count = _sorted_ids(data, ids, num_segments)
        empty = _EMPTY.get(function, 0)
        return grouped(function, wide(data), ids, count, empty).astype(ctx.dtype, copy=False)

    return rule


def _segment_mean(ctx: Context, data: Array, ids: Array) -> Array:
    return _average(ctx, wide(data), ids, _sorted_ids(data, ids, None), 1.0)


def _average(ctx: Context, data: Array, ids: Array, count: int, power: float) -> Array:
    """Sums of groups, over their sizes to a power: 0 a sum, 1 a mean, a half the sum over the root of the size."""
    sums = grouped(np.add, data, ids, count, 0)
    if power:
        sizes = np.maximum(np.bincount(ids, minlength=count), 1).astype(np.float64)
        divisor = (sizes**power).reshape(-1, *(1,) * (sums.ndim - 1))
        if sums.dtype.kind == "i":  # towards zero
            sums = np.trunc(sums / divisor)
        else:
            sums = sums / (divisor.astype(sums.dtype) if sums.dtype.kind == "f" else divisor)
    return np.asarray(sums).astype(ctx.dtype, copy=False)


def _unsorted(function: Any, empty: Any) -> Rule:
    """Groups of ids in any order; rows of negative ids are left out. `empty(dtype)` stands for groups without rows."""

    def rule(ctx: Context, data: Array, ids: Array, num_segments: Array) -> Array:
        if data.shape[: ids.ndim] != ids.shape:
            raise RunError(f"ids of the shape {list(ids.shape)} are no head of {list(data.shape)}")
        count = int(num_segments)
        if count < 0:
            raise RunError(f"the number of segments, {count}, is negative")
        if ids.size and ids.max() >= count:
            raise RunError(f"the segment id {ids.max()} is not in [0, {count})")
        flat = wide(data).reshape(ids.size, *data.shape[ids.ndim :])
        start = np.asarray(empty(data.dtype), data.dtype)
        return grouped(function, flat, ids.reshape(-1), count, start).astype(ctx.dtype, copy=False)

    return rule


def _sparse(power: float) -> Rule:
    """Rows of `data` that `indices` name, reduced by groups of ids that rise."""

    def rule(ctx: Context, data: Array, indices: Array, ids: Array, num_segments: Array | None = None) -> Array:
        if indices.shape != ids.shape:
            raise RunError(f"{indices.size} indices and {ids.size} ids were given")
        if indices.size and (indices.min() < 0 or indices.max() >= len(data)):
            raise RunError(f"an index is not in [0, {len(data)})")
        count = _sorted_ids(ids, ids, num_segments)
        return _average(ctx, wide(data[indices]), ids, count, power)

    return rule


def _bincount(ctx: Context, values: Array, size: Array, weights: Array) -> Array:
    flat, count = _countable(values).reshape(-1), int(size)
    keep = flat < count
    summed = weights.reshape(-1)[keep] if weights.size else None
    return np.bincount(flat[keep], summed, minlength=count).astype(ctx.dtype)


def _countable(values: Array) -> Array:
    if values.size and values.min() < 0:
        raise RunError("a value to count is negative")
    return values


def _dense_bincount(ctx: Context, values: Array, size: Array, weights: Array, *, binary_output: bool = False) -> Array:
    """Bincount of a vector, or of each row of a matrix; values that are too large are left out."""
    rows = np.atleast_2d(_countable(values))
    count = int(size)
    if count < 0:
        raise RunError(f"the size {count} is negative")
    keep = rows < count
    places = (np.arange(len(rows))[:, None] * count + rows)[keep]
    summed = weights.reshape(rows.shape)[keep] if weights.size and not binary_output else None
    made = np.bincount(places, summed, minlength=len(rows) * count).reshape(len(rows), count)
    if binary_output:
        made = np.minimum(made, 1)
    return made.astype(ctx.dtype).reshape(*values.shape[:-1], count)


def _bucketize(ctx: Context, x: Array, *, boundaries: list[float]) -> Array:
    return np.searchsorted(np.array(boundaries, np.float32), x, side="right").astype(np.int32)


def _histogram(ctx: Context, values: Array, value_range: Array, nbins: Array) -> Array:
    low, high = (float(v) for v in value_range)
    count = int(nbins)
    if count <= 0 or low >= high:
        raise RunError(f"{count} bins from {low} to {high} make no histogram")
    step = (high - low) / count
    places = ((np.maximum(wide(values).reshape(-1), values.dtype.type(low)) - values.dtype.type(low)) / step).astype(
        int
    )
    return np.bincount(np.minimum(places, count - 1), minlength=count).astype(ctx.dtype)


def bounds(searched: Callable[[Any, Any, Any, str], Any]) -> dict[str, Rule]:
    """The rules of where values could be put in; `searched(ctx, rows, values, side)` looks in each row."""

    def bound(side: str) -> Rule:
        def rule(ctx: Context, sorted_inputs: Any, values: Any) -> Any:
            """For each row the places at which values could be put in and keep the row sorted."""
            if sorted_inputs.ndim != 2 or values.ndim != 2 or len(sorted_inputs) != len(values):
                raise RunError(f"rows of {list(values.shape)} are looked for in {list(sorted_inputs.shape)}")
            return given(ctx, searched(ctx, wide(sorted_inputs), wide(values), side))

        return rule

    return {"LowerBound": bound("left"), "UpperBound": bound("right")}


def _searched(ctx: Context, rows: Array, values: Array, side: Any) -> Array:
    found = np.empty(values.shape, np.int64)
    for row, (among, wanted) in enumerate(zip(rows, values, strict=True)):
        found[row] = np.searchsorted(among, wanted, side=side)
    return found


def _lowest(dtype: np.dtype[Any]) -> Any:
    return finite_limits(dtype)[0]


def _highest(dtype: np.dtype[Any]) -> Any:
    return finite_limits(dtype)[1]


RULES: dict[str, Rule] = {
    **bounds(_searched),
    "Bincount": _bincount,
    "Bucketize": _bucketize,
    "DenseBincount": _dense_bincount,
    "HistogramFixedWidth": _histogram,
    "SegmentMax": _segment(np.maximum),
    "SegmentMaxV2": _unsorted(np.maximum, _lowest),
    "SegmentMean": _segment_mean,
    "SegmentMin": _segment(np.minimum),
    "SegmentMinV2": _unsorted(np.minimum, _highest),
    "SegmentProd": _segment(np.multiply),
    "SegmentProdV2": _unsorted(np.multiply, lambda dtype: 1),
    "SegmentSum": _segment(np.add),
    "SegmentSumV2": _unsorted(np.add, lambda dtype: 0),
    "SparseSegmentMean": _sparse(1.0),
    "SparseSegmentMeanWithNumSegments": _sparse(1.0),
    "SparseSegmentSqrtN": _sparse(0.5),
    "SparseSegmentSqrtNWithNumSegments": _sparse(0.5),
    "SparseSegmentSum": _sparse(0.0),
    "SparseSegmentSumWithNumSegments": _sparse(0.0),
    "UnsortedSegmentMax": _unsorted(np.maximum, _lowest),
    "UnsortedSegmentMin": _unsorted(np.minimum, _highest),
    "UnsortedSegmentProd": _unsorted(np.multiply, lambda dtype: 1),
    "UnsortedSegmentSum": _unsorted(np.add, lambda dtype: 0),
}
