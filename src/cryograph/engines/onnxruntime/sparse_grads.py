"""Lowerings of gradients of sparse tensors, and of rows that indices name; and of sparse tensors cut into parts."""

from __future__ import annotations

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .rows import arange, count_of, places_in, scalar, tallied, vector
from .sparse import rank_of
from .values import Refusal, Value

# --- rows


def _parts(
    g: Builder, gradient: Value, indices: Value, ids: Value, rows: Value, power: float
) -> tuple[Value, Value, Value]:
    """(N, ...): what each index adds to its row; the indices; and the number of rows as a vector of one int64."""
    if gradient.dtype not in (FLOAT32, FLOAT64) or not gradient.rank or indices.rank != 1 or ids.rank != 1:
        raise Refusal("gradients of rows have a lowering for floats of known ranks only")
    count = vector(g, rows)
    named, groups = g.int64(indices), g.int64(ids)
    wrong = [
        g.op("Less", part, g.const(0, INT64), dtype=BOOL, shape=(None,)) for part in (named, groups)
    ] + [
        g.op("GreaterOrEqual", named, count, dtype=BOOL, shape=(None,)),
        g.op("GreaterOrEqual", groups, count_of(g, gradient), dtype=BOOL, shape=(None,)),
    ]  # fmt: skip
    bad = g.op("ReduceSum", g.cast(g.op("Concat", *wrong, axis=0, shape=(None,)), INT64), keepdims=0, shape=())
    right = g.op("Equal", bad, g.const(0, INT64), dtype=BOOL, shape=())
    groups = Value(g.behind(groups, g.must(right, "an index or a segment id is out of range")).name, INT64, (None,))
    sizes = g.op("Max", tallied(g, groups, count_of(g, gradient)), g.const(1, INT64), shape=(None,))
    wide = g.cast(sizes, FLOAT64)
    if power == 0.5:
        wide = g.unary("Sqrt", wide)
    shape = (None, *(gradient.shape or ())[1:])
    made = g.op("Gather", gradient, groups, axis=0, shape=shape)
    if power:
        scale = g.cast(g.op("Div", g.const(1, FLOAT64), wide, shape=(None,)), gradient.dtype)
        each = g.op("Gather", scale, groups, axis=0, shape=(None,))
        made = g.op("Mul", made, g.unsqueeze(each, list(range(1, gradient.rank))), shape=shape)
    return made, named, count


def _summed(g: Builder, parts: Value, places: Value, count: Value) -> Value:
    rank = parts.rank
    shape = g.concat([count, g.sizes(parts, range(1, rank))], 0, (rank,)) if rank > 1 else count
    known = (None, *(parts.shape or ())[1:])
    zeros = g.op("Expand", g.like(0, parts), shape, shape=known)
    return g.op("ScatterND", zeros, g.unsqueeze(places, [1]), parts, reduction="add", shape=known)


def _to_rows(power: float) -> Lowering:
    """A gradient for each of the rows that could be named."""

    def lower(g: Builder, step: Step, gradient: Value, indices: Value, ids: Value, rows: Value) -> Value:
        parts, places, count = _parts(g, gradient, indices, ids, rows, power)
        return _summed(g, parts, places, count)

    return lower


def _to_named_rows(power: float) -> Lowering:
    """A gradient for each of the rows that were named, and their indices, which rise."""

    def lower(g: Builder, step: Step, gradient: Value, indices: Value, ids: Value, rows: Value) -> list[Value]:
        parts, places, _ = _parts(g, gradient, indices, ids, rows, power)
        found = g.ops("Unique", places, dtypes=[INT64] * 4, shapes=[(None,)] * 4, sorted=1)
        return [_summed(g, parts, found[2], count_of(g, found[0])), g.cast(found[0], indices.dtype)]

    return lower


# --- sparse tensors


def _taken(g: Builder, gradient: Value, owned: Value, wanted: Value, rank: int) -> Value:
    """The gradient of each wanted index among the owned ones; zero where it is none of them."""
    both = g.op("Concat", owned, wanted, axis=0, shape=(None, rank))
    most = g.op("ReduceMax", g.op("Concat", both, g.const([[0] * rank], INT64), axis=0, shape=(None, rank)),
                g.ints([0]), keepdims=0, shape=(rank,))  # fmt: skip
    places = places_in(g, both, g.op("Add", most, g.const(1, INT64), shape=(rank,)), rank)
    found = g.ops("Unique", places, dtypes=[INT64] * 4, shapes=[(None,)] * 4, sorted=1)
    many = count_of(g, owned)
    first = g.slice(found[2], g.ints([0]), many, [0])
    rest = g.slice(found[2], many, g.ints([1 << 62]), [0])
    nowhere = g.op("Expand", many, count_of(g, found[0]), shape=(None,))
    table = g.op("ScatterND", nowhere, g.unsqueeze(Value(first.name, INT64, (None,)), [1]), arange(g, many),
                 reduction="none", shape=(None,))  # fmt: skip
    at = g.op("Gather", table, Value(rest.name, INT64, (None,)), axis=0, shape=(None,))
    longer = g.concat([gradient, g.const([0], gradient.dtype)], 0, (None,))
    return g.op("Gather", longer, at, axis=0, shape=(wanted.size(0),))


def _vector(*values: Value) -> None:
    if any(value.rank != 1 for value in values):
        raise Refusal("gradients of sparse values are vectors")


def add_grad(g: Builder, step: Step, gradient: Value, ai: Value, bi: Value, si: Value) -> list[Value]:
    """The gradient of a sum for each of its parts, zero where the sum was left out."""
    _vector(gradient)
    rank = rank_of(ai, si)
    return [_taken(g, gradient, si, part, rank) for part in (ai, bi)]


def slice_grad(g: Builder, step: Step, gradient: Value, indices: Value, start: Value, made: Value) -> Value:
    """The gradient of the values that the slice kept; zero for the others."""
    _vector(gradient, start)
    moved = g.op("Add", made, start, shape=made.shape)
    return _taken(g, gradient, moved, indices, rank_of(indices, start))


def split(
    g: Builder, step: Step, axis: Value, indices: Value, values: Value, shape: Value, *, num_split: int
) -> list[Value]:
    """Parts of equal length along an axis; the first ones are longer by one where the length does not divide."""
    rank = rank_of(indices, shape)
    (at,) = g.fixed_ints(axis, "the axis")
    if not -rank <= at < rank or num_split < 1:
        raise Refusal(f"{num_split} parts along the axis {at} cannot be made")
    at %= rank
    length = scalar(g, g.slice(shape, g.ints([at]), g.ints([at + 1]), [0]))
    enough = g.op("GreaterOrEqual", length, g.const(num_split, INT64), dtype=BOOL, shape=())
    length = g.behind(length, g.must(enough, "a sparse tensor is cut into more parts than it has rows"))
    each = g.op("Div", length, g.const(num_split, INT64), shape=())
    more = g.op("Mod", length, g.const(num_split, INT64), shape=())
    column = g.op("Gather", indices, g.const(at, INT64), axis=1, shape=(None,))
    here = [int(i == at) for i in range(rank)]
    found: list[list[Value]] = [[], [], []]
    for number in range(num_split):
        low, high = (
            g.op("Add", g.op("Mul", each, g.const(n, INT64), shape=()), g.op("Min", more, g.const(n, INT64), shape=()),
                 shape=())
            for n in (number, number + 1)
        )  # fmt: skip
        inside = g.op("And", g.op("GreaterOrEqual", column, low, dtype=BOOL, shape=(None,)),
                      g.op("Less", column, high, dtype=BOOL, shape=(None,)), dtype=BOOL, shape=(None,))  # fmt: skip
        kept = g.op("Compress", indices, inside, axis=0, shape=(None, rank))
        moved = g.op("Sub", kept, g.op("Mul", g.const(here, INT64), low, shape=(rank,)), shape=(None, rank))
        span = g.op("Sub", g.op("Sub", high, low, shape=()), length, shape=())
        sizes = g.op("Add", shape, g.op("Mul", g.const(here, INT64), span, shape=(rank,)), shape=(rank,))
        for part, value in zip(found, (moved, g.op("Compress", values, inside, axis=0, shape=(None,)), sizes),
                               strict=True):  # fmt: skip
            part.append(value)
    return [value for part in found for value in part]


LOWERINGS: Table = {
    "SparseAddGrad": add_grad,
    "SparseSegmentMeanGrad": _to_rows(1.0),
    "SparseSegmentMeanGradV2": _to_named_rows(1.0),
    "SparseSegmentSqrtNGrad": _to_rows(0.5),
    "SparseSegmentSqrtNGradV2": _to_named_rows(0.5),
    "SparseSegmentSumGrad": _to_rows(0.0),
    "SparseSegmentSumGradV2": _to_named_rows(0.0),
    "SparseSliceGrad": slice_grad,
    "SparseSplit": split,
}
