"""Rows reduced by the number of their group, and counts. How many groups there are must be known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from ..numpy.reductions import finite_limits
from ..numpy.segments import bounds
from .context import JaxContext, check, known, number


def _grouped(ctx: JaxContext, how: str, data: Any, ids: Any, count: int, start: Any) -> Any:
    """(count, ...): rows with one id brought together; ids outside of [0, count) are left out."""
    out = ctx.xp.full((count, *data.shape[1:]), start, data.dtype)
    if not data.size or not out.size:
        return out
    outside = ctx.xp.where((ids >= 0) & (ids < count), ids, count)
    return getattr(out.at[outside], how)(data, mode="drop")


def _count(ctx: JaxContext, data: Any, ids: Any, num_segments: Any) -> int:
    """How many groups ids that rise name."""
    if ids.ndim != 1 or data.ndim < 1 or len(ids) != len(data):
        raise RunError(f"ids of the shape {list(ids.shape)} do not tell rows of {list(data.shape)} apart")
    check(ids[1:] < ids[:-1], "segment ids are not increasing")
    check(ids < 0, "a segment id is negative")
    if num_segments is None:
        held = known(ids, "the ids that say how many segments there are")
        return int(held[-1]) + 1 if held.size else 0
    count = number(num_segments, "the number of segments")
    check(ids >= count, f"a segment id is not below the number of segments, {count}")
    return count


def _starts(how: str) -> Callable[[np.dtype[Any]], Any]:
    def start(dtype: np.dtype[Any]) -> Any:
        if how in ("add", "multiply"):
            return 0 if how == "add" else 1
        if dtype.kind == "f" or dtype.name == "bfloat16":
            return -np.inf if how == "max" else np.inf
        return finite_limits(dtype)[0 if how == "max" else 1]

    return start


def _segment(how: str) -> Rule:
    """Groups of ids that rise; those without rows give 0, or 1 for products."""

    def rule(ctx: JaxContext, data: Any, ids: Any, num_segments: Any = None) -> Any:
        count = _count(ctx, data, ids, num_segments)
        values = wide(data)
        made = _grouped(ctx, how, values, ids, count, _starts(how)(values.dtype))
        if how in ("max", "min"):
            sizes = ctx.xp.zeros(count, np.int32).at[ids].add(1).reshape(-1, *(1,) * (made.ndim - 1))
            made = ctx.xp.where(sizes > 0, made, ctx.xp.zeros((), made.dtype))
        return given(ctx, made)

    return rule


def _average(ctx: JaxContext, data: Any, ids: Any, count: int, power: float) -> Any:
    """Sums of groups, over their sizes to a power: 0 a sum, 1 a mean, a half the sum over the root of the size."""
    sums = _grouped(ctx, "add", data, ids, count, 0)
    if power:
        kind = np.float64 if sums.dtype.kind in "iu" or sums.dtype.itemsize >= 8 else np.float32
        sizes = ctx.xp.maximum(_grouped(ctx, "add", ctx.xp.ones(len(ids), kind), ids, count, 0), 1)
        divisor = (sizes**power).reshape(-1, *(1,) * (sums.ndim - 1))
        sums = ctx.xp.trunc(sums / divisor) if sums.dtype.kind in "iu" else sums / divisor
    return given(ctx, sums)


def _segment_mean(ctx: JaxContext, data: Any, ids: Any) -> Any:
    return _average(ctx, wide(data), ids, _count(ctx, data, ids, None), 1.0)


def _unsorted(how: str) -> Rule:
    """Groups of ids in any order; rows of negative ids are left out. Groups without rows hold the limit of the kind."""

    def rule(ctx: JaxContext, data: Any, ids: Any, num_segments: Any) -> Any:
        if data.shape[: ids.ndim] != ids.shape:
            raise RunError(f"ids of the shape {list(ids.shape)} are no head of {list(data.shape)}")
        count = number(num_segments, "the number of segments")
        if count < 0:
            raise RunError(f"the number of segments, {count}, is negative")
        check(ids >= count, f"a segment id is not in [0, {count})")
        values = wide(data)
        flat = values.reshape(ids.size, *data.shape[ids.ndim :])
        if how in ("add", "multiply"):
            start: Any = 0 if how == "add" else 1
        else:
            start = np.asarray(finite_limits(data.dtype)[0 if how == "max" else 1], data.dtype).astype(values.dtype)
        return given(ctx, _grouped(ctx, how, flat, ids.reshape(-1), count, start))

    return rule


def _sparse(power: float) -> Rule:
    """Rows of `data` that `indices` name, reduced by groups of ids that rise."""

    def rule(ctx: JaxContext, data: Any, indices: Any, ids: Any, num_segments: Any = None) -> Any:
        if indices.shape != ids.shape:
            raise RunError(f"{indices.size} indices and {ids.size} ids were given")
        check((indices < 0) | (indices >= len(data)), f"an index is not in [0, {len(data)})")
        count = _count(ctx, ids, ids, num_segments)
        rows = ctx.xp.take(ctx.xp.asarray(wide(data)), ctx.xp.asarray(indices), 0, mode="clip")
        return _average(ctx, rows, ids, count, power)

    return rule


def _bincount(ctx: JaxContext, values: Any, size: Any, weights: Any) -> Any:
    return _counted(ctx, values.reshape(1, -1), number(size), weights.reshape(1, -1), False).reshape(-1)


def _counted(ctx: JaxContext, rows: Any, count: int, weights: Any, binary: bool) -> Any:
    """How often, or with what weight, each row holds each number below `count`."""
    check(rows < 0, "a value to count is negative")
    xp = ctx.xp
    added = xp.ones(rows.shape, ctx.dtype) if binary or not weights.size else weights.reshape(rows.shape)
    lines = np.arange(rows.shape[0])[:, None]
    places = xp.where(rows < 0, count, rows)
    made = xp.zeros((rows.shape[0], count), ctx.dtype).at[lines, places].add(added.astype(ctx.dtype), mode="drop")
    return xp.minimum(made, 1) if binary else made


def _dense_bincount(ctx: JaxContext, values: Any, size: Any, weights: Any, *, binary_output: bool = False) -> Any:
    count = number(size, "the size")
    if count < 0:
        raise RunError(f"the size {count} is negative")
    made = _counted(ctx, ctx.xp.atleast_2d(values), count, weights, binary_output)
    return made.reshape(*values.shape[:-1], count)


def _bucketize(ctx: JaxContext, x: Any, *, boundaries: list[float]) -> Any:
    bounds = np.array(boundaries, np.float32)
    kind = np.result_type(bounds.dtype, np.float64 if x.dtype.itemsize > 2 and x.dtype != np.float32 else x.dtype)
    return ctx.xp.searchsorted(bounds.astype(kind), x.astype(kind), side="right").astype(np.int32)


def _histogram(ctx: JaxContext, values: Any, value_range: Any, nbins: Any) -> Any:
    count = number(nbins, "the number of bins")
    low, high = value_range[0], value_range[1]
    if count <= 0:
        raise RunError(f"{count} bins make no histogram")
    check(low >= high, "a range that is empty makes no histogram")
    step = (high.astype(np.float64) - low.astype(np.float64)) / count
    places = ((ctx.xp.maximum(wide(values).reshape(-1), low) - low) / step).astype(np.int64)
    return ctx.xp.zeros(count, ctx.dtype).at[ctx.xp.minimum(places, count - 1)].add(1)


def _sparse_gradient(power: float) -> Rule:
    """A gradient for each of the rows that the indices of a sparse reduction could name."""

    def rule(ctx: JaxContext, gradient: Any, indices: Any, ids: Any, output_dim0: Any) -> Any:
        if indices.ndim != 1 or indices.shape != ids.shape:
            raise RunError(f"indices of {list(indices.shape)} and ids of {list(ids.shape)} were given")
        if output_dim0.ndim or gradient.ndim < 1:
            raise RunError(f"{list(output_dim0.shape)} rows and gradients of {list(gradient.shape)} were given")
        count, groups = number(output_dim0, "the number of rows"), len(gradient)
        if count < 0:
            raise RunError(f"the number of rows, {count}, is negative")
        made = ctx.xp.zeros((count, *gradient.shape[1:]), wide(gradient).dtype)
        if not count or not ids.size:
            return given(ctx, made)
        check((ids < 0) | (ids >= groups), f"a segment id is not in [0, {groups})")
        check((indices < 0) | (indices >= count), f"an index is not in [0, {count})")
        sizes = ctx.xp.maximum(_grouped(ctx, "add", ctx.xp.ones(len(ids), np.float64), ids, groups, 0), 1)
        scale = wide((sizes**-power).astype(gradient.dtype))[ids].reshape(-1, *(1,) * (gradient.ndim - 1))
        return given(ctx, made.at[ctx.xp.asarray(indices)].add(wide(ctx.xp.asarray(gradient))[ids] * scale))

    return rule


def _searched(ctx: JaxContext, rows: Any, values: Any, side: str) -> Any:
    look = ctx.jax.vmap(lambda among, wanted: ctx.xp.searchsorted(among, wanted, side=side))
    return look(ctx.xp.asarray(rows), ctx.xp.asarray(values))


RULES: dict[str, Rule] = {
    **bounds(_searched),
    "Bincount": _bincount,
    "Bucketize": _bucketize,
    "DenseBincount": _dense_bincount,
    "HistogramFixedWidth": _histogram,
    "SegmentMax": _segment("max"),
    "SegmentMaxV2": _unsorted("max"),
    "SegmentMean": _segment_mean,
    "SegmentMin": _segment("min"),
    "SegmentMinV2": _unsorted("min"),
    "SegmentProd": _segment("multiply"),
    "SegmentProdV2": _unsorted("multiply"),
    "SegmentSum": _segment("add"),
    "SegmentSumV2": _unsorted("add"),
    "SparseSegmentMean": _sparse(1.0),
    "SparseSegmentMeanGrad": _sparse_gradient(1.0),
    "SparseSegmentMeanWithNumSegments": _sparse(1.0),
    "SparseSegmentSqrtN": _sparse(0.5),
    "SparseSegmentSqrtNGrad": _sparse_gradient(0.5),
    "SparseSegmentSqrtNWithNumSegments": _sparse(0.5),
    "SparseSegmentSum": _sparse(0.0),
    "SparseSegmentSumGrad": _sparse_gradient(0.0),
    "SparseSegmentSumWithNumSegments": _sparse(0.0),
    "UnsortedSegmentMax": _unsorted("max"),
    "UnsortedSegmentMin": _unsorted("min"),
    "UnsortedSegmentProd": _unsorted("multiply"),
    "UnsortedSegmentSum": _unsorted("add"),
}
