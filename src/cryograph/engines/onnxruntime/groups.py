"""Lowerings of ops that join rows in groups whose numbers rise; that these do is checked while it runs."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT64, INT32, INT64
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .faults import QUOTIENT_OF_NOTHING, must_be_right
from .rows import all_hold, count_of, most, tallied, vector
from .sparse import joinable
from .values import Refusal, Value, limits


def _rising(g: Builder, ids: Value, num_segments: Value | None) -> tuple[Value, Value]:
    """The numbers of groups, and how many groups there are (a vector of one int64)."""
    if ids.rank != 1:
        raise Refusal("the numbers of groups are a vector")
    found = g.int64(ids)
    if found.array is None:
        before = g.concat([g.ints([0]), g.slice(found, g.ints([0]), g.ints([-1]), [0])], 0, (None,))
        # Of nothing there is one before too many.
        before = g.slice(before, g.ints([0]), count_of(g, found), [0])
        rise = g.op("GreaterOrEqual", found, before, dtype=BOOL, shape=ids.shape)
        found = g.behind(found, g.must(all_hold(g, rise), "the numbers of groups do not rise from 0"))
    elif (np.diff(found.array) < 0).any() or (found.array < 0).any():
        raise Refusal("segment_ids do not rise from 0")
    if num_segments is not None:
        return found, vector(g, num_segments)
    if found.array is not None:
        return found, g.ints([int(found.array[-1]) + 1 if found.array.size else 0])
    return found, most(g, g.op("Add", found, g.ints([1]), shape=ids.shape))


def _joined(g: Builder, x: Value, ids: Value, count: Value, reduction: str, start: float) -> Value:
    sizes = count if x.rank == 1 else g.concat([count, g.sizes(x, range(1, x.rank))], 0)
    many = None if count.array is None else int(count.array[0])
    shape = (many, *(x.shape or ())[1:])
    first = g.op("Expand", g.like(start, x), sizes, shape=shape)
    return g.op("ScatterND", first, g.unsqueeze(ids, [1]), x, reduction=reduction, shape=shape)


def _along(g: Builder, x: Value, rank: int) -> Value:
    """A number for each group, broadcast to its rows."""
    return g.unsqueeze(x, range(1, rank))


def _segment(reduction: str, start: float = 0, zero: bool = True) -> Lowering:
    """Groups without rows give 0, or 1 for products; of extremes without `zero` the other end of the dtype."""

    def lower(g: Builder, step: Step, x: Value, ids: Value, num_segments: Value | None = None) -> Value:
        rows = joinable(g, x, wraps=reduction in ("add", "mul"))
        found, count = _rising(g, ids, num_segments)
        ends = (np.inf, -np.inf) if rows.dtype.is_floating else limits(rows.dtype)[::-1]
        begin = {"min": ends[0], "max": ends[1]}.get(reduction, start)
        made = _joined(g, rows, found, count, reduction, begin)
        if reduction in ("min", "max"):
            empty = g.binary("Equal", tallied(g, found, count), g.ints([0]), BOOL)
            nothing = 0 if zero else limits(x.dtype)[reduction == "min"]
            made = g.where(_along(g, empty, x.rank), g.const(nothing, made.dtype), made, made.shape)
        return g.cast(made, x.dtype)

    return lower


def _average(g: Builder, step: Step, x: Value, ids: Value, power: float, num_segments: Value | None) -> Value:
    """Sums of groups, over their sizes to a power: 0 a sum, 1 a mean, a half the sum over the root of the size."""
    rows = joinable(g, x, wraps=not power)
    found, count = _rising(g, ids, num_segments)
    sums = _joined(g, rows, found, count, "add", 0)
    if power:
        if ids.array is not None and not ids.array.size:
            must_be_right(QUOTIENT_OF_NOTHING)
        sizes = g.op("Max", tallied(g, found, count), g.ints([1]), shape=(None,))
        if power != 1:
            if not rows.dtype.is_floating:
                raise Refusal(f"{step.op} on {x.dtype} has no lowering to ONNX")
            sizes = g.unary("Sqrt", g.cast(sizes, FLOAT64))
        sums = g.op("Div", sums, _along(g, g.cast(sizes, rows.dtype), x.rank), shape=sums.shape)
    return g.cast(sums, x.dtype)


def segment_mean(g: Builder, step: Step, x: Value, ids: Value) -> Value:
    return _average(g, step, x, ids, 1.0, None)


def _sparse(power: float) -> Lowering:
    """Rows that indices name, then as above."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        indices: Value,
        ids: Value,
        num_segments: Value | None = None,
        *,
        sparse_gradient: bool = False,
    ) -> Value:
        index = indices if indices.dtype in (INT32, INT64) else g.int64(indices)
        shape = None if x.shape is None or indices.shape is None else (*indices.shape, *x.shape[1:])
        rows = g.op("Gather", x, index, axis=0, shape=shape)
        return _average(g, step, rows, ids, power, num_segments)

    return lower


LOWERINGS: Table = {
    "SegmentMax": _segment("max"),
    "SegmentMaxV2": _segment("max", zero=False),
    "SegmentMean": segment_mean,
    "SegmentMin": _segment("min"),
    "SegmentMinV2": _segment("min", zero=False),
    "SegmentProd": _segment("mul", 1),
    "SegmentProdV2": _segment("mul", 1),
    "SegmentSum": _segment("add"),
    "SegmentSumV2": _segment("add"),
    "SparseSegmentMean": _sparse(1.0),
    "SparseSegmentMeanWithNumSegments": _sparse(1.0),
    "SparseSegmentSqrtN": _sparse(0.5),
    "SparseSegmentSqrtNWithNumSegments": _sparse(0.5),
    "SparseSegmentSum": _sparse(0.0),
    "SparseSegmentSumWithNumSegments": _sparse(0.0),
}
