"""Lowerings of counts, and of the places of numbers among others. Rows are joined in groups by `groups`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .values import Refusal, Value

_JOINED = (FLOAT32, FLOAT64, INT32, INT64)
"""What ScatterND joins."""


def scattered(g: Builder, x: Value, index: Value, count: int, reduction: str, start: float) -> Value:
    """Rows of `x` joined by `index` (int64 vector) into `count` rows, which begin with `start`."""
    rows = g.sizes(x, range(1, x.rank)) if x.rank > 1 else None
    shape = g.ints([count]) if rows is None else g.concat([g.ints([count]), rows], 0)
    known = (count, *(x.shape or ())[1:])
    first = g.op("Expand", g.like(start, x), shape, shape=known)
    return g.op("ScatterND", first, g.unsqueeze(index, [1]), x, reduction=reduction, shape=known)


def _counted(g: Builder, values: Value, size: Value, weights: Value, dtype: DType, binary: bool) -> Value:
    """How often each number below `size` comes, or the sum of its weights; larger ones are left out."""
    (count,) = g.fixed_ints(size, "the number of bins")
    if weights.shape is None or dtype not in _JOINED or 0 in weights.shape != (0,):
        raise Refusal("counts need weights of a known shape in a dtype that ONNX Runtime joins")
    flat = g.reshape(g.int64(values), [-1])
    placed = g.where(g.binary("Less", flat, g.ints([count]), BOOL), flat, g.ints([count]), flat.shape)
    if weights.shape == (0,) or binary:
        summed = g.op("Expand", g.const(1, dtype), g.op("Shape", flat, dtype=INT64, shape=(1,)), shape=flat.shape)
    else:
        summed = g.reshape(weights, [-1])
    reduction = "none" if binary else "add"
    made = scattered(g, Value(summed.name, summed.dtype, (None,), summed.tensor), placed, count + 1, reduction, 0)
    cut = g.slice(made, g.ints([0]), g.ints([count]), [0])
    return Value(cut.name, cut.dtype, (count,))


def _counted_rows(g: Builder, values: Value, size: Value, weights: Value, binary: bool) -> Value:
    """The same of each row, whose numbers are moved to bins of their own."""
    (count,) = g.fixed_ints(size, "the number of bins")
    rows = values.size(0)
    if not rows or count < 0:
        raise Refusal("counts of rows need a known number of rows")
    held = g.int64(values)
    top = g.const(count, INT64)
    bins = g.where(g.binary("Less", held, top, BOOL), held, top, values.shape)
    first = g.const((np.arange(rows) * (count + 1)).reshape(-1, 1), INT64)
    placed = g.binary("Add", bins, first)
    whole = g.const(rows * (count + 1), INT64)
    made = _counted(g, Value(placed.name, INT64, values.shape, placed.tensor), whole, weights, weights.dtype, binary)
    table = g.reshape(made, [rows, count + 1])
    cut = g.slice(table, g.ints([0]), g.ints([count]), [1])
    return Value(cut.name, cut.dtype, (rows, count))


def bincount(g: Builder, step: Step, values: Value, size: Value, weights: Value) -> Value:
    return _counted(g, values, size, weights, weights.dtype, False)


def dense_bincount(
    g: Builder, step: Step, values: Value, size: Value, weights: Value, *, binary_output: bool = False
) -> Value:
    if values.rank == 2:
        return _counted_rows(g, values, size, weights, binary_output)
    if values.rank != 1:
        raise Refusal(f"{step.op} takes vectors and matrices")
    return _counted(g, values, size, weights, weights.dtype, binary_output)


def _places(g: Builder, below: Callable[[Value, Value], Value], among: Value, wanted: Value, axis: int) -> Value:
    """How many of `among`, along its new last axis, come before what is wanted."""
    hits = g.cast(below(among, g.unsqueeze(wanted, [axis])), INT64)
    return g.op("ReduceSum", hits, g.ints([axis]), keepdims=0, shape=wanted.shape)


def _less(g: Builder) -> Callable[[Value, Value], Value]:
    return lambda a, b: g.binary("Less", a, b, BOOL)


def _not_greater(g: Builder) -> Callable[[Value, Value], Value]:
    return lambda a, b: g.unary("Not", g.binary("Less", b, a, BOOL))


def bucketize(g: Builder, step: Step, x: Value, *, boundaries: list[float] = []) -> Value:  # noqa: B006
    """The number of boundaries that are not greater. TensorFlow compares in float32, doubles too."""
    x = x if x.dtype == FLOAT64 else g.cast(x, FLOAT32)
    limits = g.const(np.asarray(boundaries, np.float32), x.dtype)
    return g.cast(_places(g, _not_greater(g), limits, x, x.rank), INT32)


def histogram(
    g: Builder, step: Step, values: Value, value_range: Value, nbins: Value, *, dtype: DType = INT32
) -> Value:
    """How many numbers lie in each bin; those outside of the range in the first and the last one."""
    low, high = (float(end) for end in g.fixed(value_range, "the range"))
    (count,) = g.fixed_ints(nbins, "the number of bins")
    if count <= 0 or low >= high or values.dtype not in _JOINED:
        raise Refusal(f"{count} bins from {low} to {high} make no histogram of {values.dtype}")
    flat = g.reshape(values, [-1])
    start = g.const(np.asarray(low).astype(values.dtype.numpy or np.float32), values.dtype)
    inside = g.op("Sub", g.op("Max", flat, start, shape=(None,)), start, shape=(None,))
    kind = values.dtype if values.dtype.is_floating else FLOAT64
    placed = g.op("Div", g.cast(inside, kind), g.const((high - low) / count, kind), shape=(None,))
    places = g.op("Min", g.cast(placed, INT64), g.const(count - 1, INT64), shape=(None,))
    ones = g.op("Expand", g.const(1, INT64), g.op("Shape", places, dtype=INT64, shape=(1,)), shape=(None,))
    return g.cast(scattered(g, ones, Value(places.name, INT64, (None,)), count, "add", 0), dtype)


def _bound(compare: Callable[[Builder], Callable[[Value, Value], Value]]) -> Lowering:
    def lower(g: Builder, step: Step, rows: Value, wanted: Value, *, out_type: DType = INT32) -> Value:
        if rows.rank != 2 or wanted.rank != 2:
            raise Refusal(f"{step.op} has a form in ONNX for matrices only")
        return g.cast(_places(g, compare(g), g.unsqueeze(rows, [1]), wanted, 2), out_type)

    return lower


LOWERINGS: Table = {
    "Bincount": bincount,
    "Bucketize": bucketize,
    "DenseBincount": dense_bincount,
    "HistogramFixedWidth": histogram,
    "LowerBound": _bound(_less),
    "UpperBound": _bound(_not_greater),
}
