"""Lowerings of sparse tensors, as indices (n, rank), values (n) and a shape. Whether indices rise is not checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType, dtype_of
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .rows import all_hold, columns, count_of, indices_at, places_in, stable_order, tallied
from .values import Refusal, Value, limits

_UNSIGNED = dtype_of("uint64")
_JOINED: dict[DType, DType] = {
    **{dtype: dtype for dtype in (FLOAT32, FLOAT64, INT32, INT64)},
    **{dtype_of(name): INT64 for name in ("int8", "int16", "uint8", "uint16", "uint32")},
    dtype_of("float16"): FLOAT32,
}
"""In what dtype numbers are joined: ScatterND joins four, and integers that wrap there wrap back."""


def rank_of(indices: Value, shape: Value) -> int:
    """The number of dimensions; Refusal when it is not known."""
    said = indices.shape[1] if indices.shape is not None and len(indices.shape) == 2 else None
    found = said if said is not None else shape.size(0)
    if found is None or not found:
        raise Refusal("the rank of a sparse tensor is not known, or 0")
    return found


def joinable(g: Builder, x: Value, wraps: bool = False) -> Value:
    """Numbers in a dtype that ScatterND joins; for sums and products those of 64 bits without a sign, too."""
    if wraps and x.dtype == _UNSIGNED:
        return g.cast(x, INT64)
    if x.dtype not in _JOINED:
        raise Refusal(f"ONNX Runtime joins no numbers of {x.dtype}")
    return g.cast(x, _JOINED[x.dtype])


def join(g: Builder, x: Value, places: Value, count: Value, reduction: str, start: float) -> Value:
    """Numbers (n) joined by their places (n) into `count` (a vector of one int64), which begin with `start`."""
    first = g.op("Expand", g.like(start, x), count, shape=(None,))
    return g.op("ScatterND", first, g.unsqueeze(places, [1]), x, reduction=reduction, shape=(None,))


def distinct(g: Builder, places: Value) -> tuple[Value, Value, Value]:
    """Places in rising order, each once; for each that came which of these it is; how often each came."""
    found = g.ops("Unique", places, dtypes=[INT64] * 4, shapes=[(None,), (None,), (None,), (None,)], sorted=1)
    return found[0], found[2], found[3]


def _rows(g: Builder, x: Value, order: Value) -> Value:
    return g.op("Gather", x, order, axis=0, shape=(None, *(x.shape or ())[1:]))


def _kept(g: Builder, x: Value, keep: Value) -> Value:
    return g.op("Compress", x, keep, axis=0, shape=(None, *(x.shape or ())[1:]))


def _in_order(g: Builder, indices: Value, values: Value, sizes: Value, rank: int) -> list[Value | None]:
    order, _ = stable_order(g, places_in(g, indices, sizes, rank))
    return [_rows(g, indices, order), _rows(g, values, order)]


def reorder(g: Builder, step: Step, indices: Value, values: Value, shape: Value) -> list[Value | None]:
    return _in_order(g, indices, values, shape, rank_of(indices, shape))


def reshape(g: Builder, step: Step, indices: Value, shape: Value, new_shape: Value) -> list[Value | None]:
    """The same elements, counted through another shape; one size of it may be -1."""
    rank, many = rank_of(indices, shape), new_shape.size(0)
    if many is None or not many:
        raise Refusal("the rank that a sparse tensor gets is not known, or 0")
    count = g.op("ReduceProd", shape, g.ints([0]), keepdims=1, shape=(1,))
    open_ = g.binary("Equal", new_shape, g.ints([-1]), BOOL)
    known = g.op("ReduceProd", g.where(open_, g.ints([1]), new_shape, (many,)), g.ints([0]), keepdims=1, shape=(1,))
    rest = g.op("Div", count, g.op("Max", known, g.ints([1]), shape=(1,)), shape=(1,))
    sizes = g.where(open_, rest, new_shape, (many,))
    whole = g.op("ReduceProd", sizes, keepdims=0, shape=())
    same = g.binary("Equal", whole, g.reshape(count, []), BOOL)
    sizes = g.behind(sizes, g.must(same, "the numbers of elements of the two shapes differ"))
    return [columns(g, indices_at(g, places_in(g, indices, shape, rank), sizes, many)), sizes]


def slice_(
    g: Builder, step: Step, indices: Value, values: Value, shape: Value, start: Value, size: Value
) -> list[Value | None]:
    """What lies in a box, counted from its corner; the box is cut at the tensor's end."""
    ends = g.binary("Min", g.binary("Add", start, size), shape)
    inside = g.binary(
        "And",
        g.binary("GreaterOrEqual", indices, start, BOOL),
        g.binary("Less", indices, ends, BOOL),
        BOOL,
    )
    outside = g.op("ReduceSum", g.cast(g.unary("Not", inside), INT64), g.ints([1]), keepdims=0, shape=(None,))
    keep = g.binary("Equal", outside, g.ints([0]), BOOL)
    moved = g.op("Sub", _kept(g, indices, keep), start, shape=(None, *(indices.shape or ())[1:]))
    return [moved, _kept(g, values, keep), g.binary("Max", g.binary("Sub", ends, start), g.ints([0]))]


def concat(g: Builder, step: Step, *parts: Value, concat_dim: int) -> list[Value | None]:
    """One behind the other along an axis, in order."""
    count = len(parts) // 3
    shapes = parts[2 * count :]
    rank = rank_of(parts[0], shapes[0])
    at = concat_dim % rank
    here = g.const(np.arange(rank) == at, BOOL)
    start: Value = g.ints([0])
    moved = []
    for indices, shape in zip(parts[:count], shapes, strict=True):
        moved.append(g.binary("Add", indices, g.where(here, start, g.ints([0]), (rank,))))
        start = g.binary("Add", start, g.slice(shape, g.ints([at]), g.ints([at + 1]), [0]))
    sizes = g.where(here, start, shapes[0], (rank,))
    indices = g.concat(moved, 0, (None, rank))
    return [*_in_order(g, indices, g.concat(parts[count : 2 * count], 0, (None,)), sizes, rank), sizes]


def fill_empty_rows(
    g: Builder, step: Step, indices: Value, values: Value, shape: Value, default: Value
) -> list[Value | None]:
    """Each row without elements gets one; gives also which rows were empty, and where each element went."""
    rank = rank_of(indices, shape)
    count = g.slice(shape, g.ints([0]), g.ints([1]), [0])
    rows = g.op("Gather", indices, g.const(0, INT64), axis=1, shape=(None,))
    empty = g.binary("Equal", tallied(g, rows, count), g.ints([0]), BOOL)
    fresh = g.transpose(g.op("NonZero", empty, dtype=INT64, shape=(1, None)), [1, 0])
    if rank > 1:
        zeros = g.op("Expand", g.const(0, INT64), g.concat([count_of(g, fresh), g.ints([rank - 1])], 0))
        fresh = g.concat([fresh, zeros], 1, (None, rank))
    everything = g.concat([indices, fresh], 0, (None, rank))
    order, back = stable_order(g, g.op("Gather", everything, g.const(0, INT64), axis=1, shape=(None,)))
    fill = g.op("Expand", default, count_of(g, fresh), shape=(None,))
    reverse = g.slice(back, g.ints([0]), count_of(g, indices), [0])
    return [_rows(g, everything, order), _rows(g, g.concat([values, fill], 0, (None,)), order), empty, reverse]


def fill_empty_rows_grad(g: Builder, step: Step, reverse: Value, gradient: Value) -> list[Value | None]:
    """For the elements that were there, and for the default: the sum of the others."""
    taken = tallied(g, reverse, count_of(g, gradient))
    others = _kept(g, gradient, g.binary("Equal", taken, g.ints([0]), BOOL))
    left = g.op("ReduceSum", joinable(g, others), g.ints([0]), keepdims=0, shape=())
    return [g.op("Gather", gradient, reverse, axis=0, shape=(None,)), g.cast(left, gradient.dtype)]


def _together(g: Builder, step: Step, indices: Sequence[Value], shape: Value) -> tuple[list[Value], Value, int]:
    """The places of two sparse tensors, those of both in one, and the rank."""
    rank = rank_of(indices[0], shape)
    places = [places_in(g, each, shape, rank) for each in indices]
    return places, g.concat(places, 0, (None,)), rank


def add(
    g: Builder, step: Step, ai: Value, av: Value, ashape: Value, bi: Value, bv: Value, bshape: Value, threshold: Value
) -> list[Value | None]:
    """What stands at the same place is added; such a sum is left out where its size is below the threshold."""
    _, both, rank = _together(g, step, [ai, bi], ashape)
    found, inverse, counts = distinct(g, both)
    numbers = joinable(g, g.concat([av, bv], 0, (None,)))
    sums = g.cast(join(g, numbers, inverse, count_of(g, found), "add", 0), av.dtype)
    alone = g.binary("Equal", counts, g.ints([1]), BOOL)
    sizes = g.unary("Abs", joinable(g, sums))
    large = g.binary("GreaterOrEqual", sizes, g.cast(threshold, sizes.dtype), BOOL)
    keep = g.binary("Or", alone, large, BOOL)
    return [columns(g, indices_at(g, _kept(g, found, keep), ashape, rank)), _kept(g, sums, keep), ashape]


def _extreme(op: str) -> Lowering:
    """Of two sparse tensors, zero standing for what one of them lacks."""

    def lower(
        g: Builder, step: Step, ai: Value, av: Value, ashape: Value, bi: Value, bv: Value, bshape: Value
    ) -> list[Value | None]:
        _, both, rank = _together(g, step, [ai, bi], ashape)
        found, inverse, _ = distinct(g, both)
        count = count_of(g, ai)
        sides = []
        for values, low, high in ((av, g.ints([0]), count), (bv, count, g.ints([1 << 62]))):
            places = g.slice(inverse, low, high, [0])
            sides.append(
                join(g, joinable(g, values), Value(places.name, INT64, (None,)), count_of(g, found), "none", 0)
            )
        made = g.cast(g.op(op, *sides, shape=(None,)), av.dtype)
        return [columns(g, indices_at(g, found, ashape, rank)), made]

    return lower


def dense_add(g: Builder, step: Step, indices: Value, values: Value, shape: Value, b: Value) -> Value:
    sides = [joinable(g, x, wraps=True) for x in (b, values)]
    made = g.op("ScatterND", sides[0], g.int64(indices), sides[1], reduction="add", shape=b.shape)
    return g.cast(made, b.dtype)


def _with_dense(op: str) -> Lowering:
    """At the places of the sparse tensor, with a dense one that is broadcast to it."""

    def lower(g: Builder, step: Step, indices: Value, values: Value, shape: Value, dense: Value) -> Value:
        rank = rank_of(indices, shape)
        if dense.rank > rank:
            raise Refusal("a tensor of more dimensions is broadcast to a sparse one")
        spread = g.op("Expand", dense, shape, shape=(None,) * rank)
        here = g.op("GatherND", spread, indices, shape=values.shape)
        if op == "Div" and not values.dtype.is_floating:
            none = g.unary("Not", g.binary("Equal", here, g.like(0, here), BOOL))
            here = g.behind(here, g.must(all_hold(g, none), "an integer was divided by 0"))
        return g.binary(op, values, here)

    return lower


def _reduced(reduction: str, to_sparse: bool) -> Lowering:
    """Along axes; what has no elements is zero in a dense answer, and is not there in a sparse one."""

    def lower(
        g: Builder, step: Step, indices: Value, values: Value, shape: Value, axes: Value, *, keep_dims: bool = False
    ) -> Value | list[Value | None]:
        rank = rank_of(indices, shape)
        gone = set(g.axes(axes, rank, "the axes"))
        kept = [axis for axis in range(rank) if axis not in gone]
        sizes = g.op("Gather", shape, g.ints(kept), axis=0, shape=(len(kept),))
        if kept:
            left = g.op("Gather", indices, g.ints(kept), axis=1, shape=(None, len(kept)))
            places = places_in(g, left, sizes, len(kept))
        else:
            places = g.op("Expand", g.const(0, INT64), count_of(g, indices), shape=(None,))
        numbers = joinable(g, values, wraps=reduction == "add")
        start = 0.0 if reduction == "add" else -np.inf if numbers.dtype.is_floating else float(limits(numbers.dtype)[0])
        mask = g.const(np.isin(np.arange(rank), kept), BOOL)
        said = g.where(mask, shape, g.ints([1]), (rank,)) if keep_dims else sizes
        if not to_sparse:
            count = g.op("ReduceProd", sizes, g.ints([0]), keepdims=1, shape=(1,)) if kept else g.ints([1])
            made = join(g, numbers, places, count, reduction, start)
            if reduction != "add":
                none = g.binary("Equal", tallied(g, places, count), g.ints([0]), BOOL)
                made = g.where(none, g.like(0, made), made, (None,))
            ranks = rank if keep_dims else len(kept)
            return g.reshape_to(g.cast(made, values.dtype), said, (None,) * ranks)
        found, inverse, _ = distinct(g, places)
        made = g.cast(join(g, numbers, inverse, count_of(g, found), reduction, start), values.dtype)
        if not kept and not keep_dims:
            raise Refusal("a sparse scalar has no form in ONNX")
        rows = dict(zip(kept, indices_at(g, found, sizes, len(kept)), strict=True)) if kept else {}
        zeros = g.op("Expand", g.const(0, INT64), count_of(g, found), shape=(None,))
        wanted = range(rank) if keep_dims else kept
        return [columns(g, [rows.get(axis, zeros) for axis in wanted]), made, said]

    return lower


def softmax(g: Builder, step: Step, indices: Value, values: Value, shape: Value) -> Value:
    """Over the elements of each row along the last axis."""
    rank = rank_of(indices, shape)
    if rank < 2:
        raise Refusal("a vector has no rows")
    rows = places_in(g, indices, shape, rank - 1)
    found, inverse, _ = distinct(g, rows)
    numbers, count = joinable(g, values), count_of(g, found)
    highest = join(g, numbers, inverse, count, "max", -np.inf)
    grown = g.unary("Exp", g.op("Sub", numbers, _rows(g, highest, inverse), shape=(None,)))
    sums = join(g, grown, inverse, count, "add", 0)
    return g.cast(g.op("Div", grown, _rows(g, sums, inverse), shape=values.shape), values.dtype)


LOWERINGS: Table = {
    "RaggedFillEmptyRowsGrad": fill_empty_rows_grad,
    "SparseAdd": add,
    "SparseConcat": concat,
    "SparseDenseCwiseAdd": _with_dense("Add"),
    "SparseDenseCwiseDiv": _with_dense("Div"),
    "SparseDenseCwiseMul": _with_dense("Mul"),
    "SparseFillEmptyRows": fill_empty_rows,
    "SparseFillEmptyRowsGrad": fill_empty_rows_grad,
    "SparseReduceMax": _reduced("max", False),
    "SparseReduceMaxSparse": _reduced("max", True),
    "SparseReduceSum": _reduced("add", False),
    "SparseReduceSumSparse": _reduced("add", True),
    "SparseReorder": reorder,
    "SparseReshape": reshape,
    "SparseSlice": slice_,
    "SparseSoftmax": softmax,
    "SparseSparseMaximum": _extreme("Max"),
    "SparseSparseMinimum": _extreme("Min"),
    "SparseTensorDenseAdd": dense_add,
}
