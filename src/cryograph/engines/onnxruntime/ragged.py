"""Lowerings of ragged tensors: splits of rows from the outside in, and flat values. Splits are not checked."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT64, INT64, DType
from ...program.program import Step
from .builder import Builder, Table
from .rows import (
    all_hold,
    arange,
    columns,
    count_of,
    lengths_of,
    most,
    offsets_in,
    rows_of,
    splits_of,
    stable_order,
    starts_of,
    tallied,
    vector,
)
from .values import Refusal, Value


def range_(
    g: Builder, step: Step, starts: Value, limits: Value, deltas: Value, *, Tsplits: DType = INT64
) -> list[Value | None]:
    """A row of numbers from each start to below its limit."""
    if any(x.rank > 1 for x in (starts, limits, deltas)):
        raise Refusal("ranges are made of numbers and vectors of them")
    dtype = starts.dtype
    wide = FLOAT64 if dtype.is_floating else INT64
    first, last, pace = (g.cast(x, wide) for x in (starts, limits, deltas))
    zero = g.const(0, wide)
    if deltas.array is None:
        moves = g.unary("Not", g.binary("Equal", pace, zero, BOOL))
        pace = g.behind(pace, g.must(all_hold(g, moves), "a delta is 0"))
    elif not deltas.array.all():
        raise Refusal("a delta is 0")
    spread = g.binary("Sub", last, first)
    onward = g.binary("Greater", pace, zero, BOOL)
    if wide == FLOAT64:
        counts = g.cast(g.unary("Ceil", g.binary("Div", spread, pace)), INT64)
    else:
        size = g.unary("Abs", pace)
        counts = g.binary(
            "Div", g.binary("Sub", g.binary("Add", g.unary("Abs", spread), size), g.const(1, INT64)), size
        )
    right = g.binary("Equal", onward, g.binary("Greater", spread, zero, BOOL), BOOL)
    counts = g.where(right, g.op("Max", counts, g.const(0, INT64), shape=counts.shape), g.const(0, INT64))
    lengths = g.reshape(counts, [-1])
    splits = splits_of(g, Value(lengths.name, INT64, (None,), lengths.tensor))
    rows = rows_of(g, splits)
    offsets = offsets_in(g, rows, starts_of(g, splits))
    begins, paces = (_of_rows(g, x, lengths, rows) for x in (starts, deltas))
    made = g.op("Add", begins, g.op("Mul", g.cast(offsets, dtype), paces, shape=(None,)), shape=(None,))
    return [g.cast(splits, Tsplits), made]


def _of_rows(g: Builder, x: Value, lengths: Value, rows: Value) -> Value:
    """The number of the row of each element."""
    each = g.op("Expand", x, count_of(g, lengths), shape=(None,)) if x.rank == 0 else x
    return g.op("Gather", each, rows, axis=0, shape=(None,))


def gather(
    g: Builder, step: Step, *inputs: Value, PARAMS_RAGGED_RANK: int, OUTPUT_RAGGED_RANK: int
) -> list[Value | None]:
    """Rows by number. The dimensions of the indices become rows of one length each."""
    splits, values, indices = list(inputs[:-2]), inputs[-2], inputs[-1]
    if not splits or len(splits) != PARAMS_RAGGED_RANK:
        raise Refusal("a ragged tensor has one partition at least")
    dtype = splits[0].dtype
    made: list[Value | None] = []
    sizes = g.shape_of(indices)
    for axis in range(1, indices.rank):
        outer, inner = (g.op("ReduceProd", g.slice(sizes, g.ints([a]), g.ints([b]), [0]), keepdims=1, shape=(1,))
                        for a, b in ((0, axis), (axis, axis + 1)))  # fmt: skip
        numbers = arange(g, g.op("Add", outer, g.ints([1]), shape=(1,)))
        made.append(g.cast(g.op("Mul", numbers, inner, shape=(None,)), dtype))
    wanted = g.reshape(g.int64(indices), [-1])
    rows = g.op("Sub", count_of(g, splits[0]), g.ints([1]), shape=(1,))
    inside = g.binary(
        "And", g.binary("GreaterOrEqual", wanted, g.ints([0]), BOOL), g.binary("Less", wanted, rows, BOOL), BOOL
    )
    picked = g.behind(wanted, g.must(all_hold(g, inside), "a number of a row is out of range"))
    picked = Value(picked.name, INT64, (None,), picked.tensor)
    for part in splits:
        bounds = g.int64(part)
        starts = g.op("Gather", starts_of(g, bounds), picked, axis=0, shape=(None,))
        ends = splits_of(g, g.op("Gather", lengths_of(g, bounds), picked, axis=0, shape=(None,)))
        made.append(g.cast(ends, dtype))
        of = rows_of(g, ends)
        begins = g.op("Gather", starts, of, axis=0, shape=(None,))
        picked = g.op("Add", begins, offsets_in(g, of, starts_of(g, ends)), shape=(None,))
    return [*made, g.op("Gather", values, picked, axis=0, shape=(None, *(values.shape or ())[1:]))]


def to_sparse(g: Builder, step: Step, *inputs: Value) -> list[Value | None]:
    """Each element with its place in all rows, and the longest of these as the shape."""
    splits, values = list(inputs[:-1]), inputs[-1]
    inner = (values.shape or (None,))[1:]
    if not splits or None in inner or values.shape is None:
        raise Refusal("values need known sizes, and a ragged tensor has one partition at least")
    outermost = lengths_of(g, g.int64(splits[0]))
    places = [arange(g, count_of(g, outermost))]
    sizes = [count_of(g, outermost)]
    for part in splits:
        bounds = g.int64(part)
        rows = rows_of(g, bounds)
        places = [g.op("Gather", place, rows, axis=0, shape=(None,)) for place in places]
        places.append(offsets_in(g, rows, starts_of(g, bounds)))
        sizes.append(most(g, lengths_of(g, bounds)))
    indices = columns(g, places)
    known = [size or 0 for size in inner]
    if inner:
        each = int(np.prod(known))
        rest = np.indices(known).reshape(len(known), each).T
        wide = g.op("Expand", g.unsqueeze(indices, [1]), g.ints([1, each, 1]), shape=(None, each, len(places)))
        shape = g.concat([count_of(g, indices), g.ints([each, len(known)])], 0)
        tail = g.op("Expand", g.const(rest[None], INT64), shape, shape=(None, each, len(known)))
        joined = g.concat([wide, tail], 2, (None, each, len(places) + len(known)))
        size = g.concat(
            [g.op("Mul", count_of(g, indices), g.ints([each]), shape=(1,)), g.ints([len(places) + len(known)])], 0
        )
        indices = g.reshape_to(joined, size, (None, len(places) + len(known)))
    return [indices, g.reshape(values, [-1]), g.concat([*sizes, g.ints(known)] if known else sizes, 0)]


def to_tensor(
    g: Builder,
    step: Step,
    shape: Value,
    values: Value,
    default: Value,
    *partitions: Value,
    row_partition_types: list[bytes],
) -> Value:
    """Rows side by side, filled up with the default and cut where a size is given."""
    kinds, parts = list(row_partition_types), [g.int64(part) for part in partitions]
    if kinds and kinds[0] == b"FIRST_DIM_SIZE":
        count = vector(g, parts.pop(0))
        kinds.pop(0)
    elif kinds and kinds[0] == b"ROW_SPLITS":
        count = count_of(g, lengths_of(g, parts[0]))
    else:
        raise Refusal("the first partition is none")
    asked = None if shape.rank == 0 else g.fixed_ints(shape, "the shape")
    places: list[Value] = []
    sizes = [count]
    rows_above = count
    for kind, part in zip(kinds, parts, strict=True):
        if kind == b"ROW_SPLITS":
            rows, starts, lengths = rows_of(g, part), starts_of(g, part), lengths_of(g, part)
        elif kind == b"VALUE_ROWIDS":
            rows, lengths = part, tallied(g, part, rows_above)
            starts = starts_of(g, splits_of(g, lengths))
        else:
            raise Refusal(f"a partition cannot be {kind.decode()}")
        offsets = offsets_in(g, rows, starts)
        places = [g.op("Gather", place, rows, axis=0, shape=(None,)) for place in places] or [rows]
        places.append(offsets)
        rows_above = count_of(g, offsets)
        sizes.append(most(g, lengths))
    rank = len(places)
    inner = (values.shape or ())[1:]
    if values.rank > 1:
        sizes.append(g.sizes(values, range(1, values.rank)))
    whole = g.concat(sizes, 0)
    if asked is None or all(size < 0 for size in asked):
        if default.rank > values.rank - 1:
            raise Refusal("the default is no value")
        out = g.op("Expand", default, whole, shape=(None,) * rank + inner)
        return g.op("ScatterND", out, columns(g, places), values, shape=(None,) * rank + inner)
    if len(asked) != rank + len(inner) or any(a >= 0 and a != b for a, b in zip(asked[rank:], inner, strict=True)):
        raise Refusal(f"the shape {asked} does not fit")
    said = g.where(g.const([size < 0 for size in asked], BOOL), whole, g.ints(asked), (len(asked),))
    known = tuple(None if size < 0 else size for size in asked[:rank]) + inner
    out = g.op("Expand", default, said, shape=known)
    kept: Value | None = None
    for place, size in zip(places, asked, strict=False):
        if size >= 0:
            here = g.binary("Less", place, g.ints([size]), BOOL)
            kept = here if kept is None else g.binary("And", kept, here, BOOL)
    if kept is None:
        return g.op("ScatterND", out, columns(g, places), values, shape=known)
    index = g.op("Compress", columns(g, places), kept, axis=0, shape=(None, rank))
    return g.op("ScatterND", out, index, g.op("Compress", values, kept, axis=0, shape=(None, *inner)), shape=known)


def fill_empty_rows(
    g: Builder, step: Step, rows: Value, values: Value, nrows: Value, default: Value
) -> list[Value | None]:
    """Each row without elements gets one; gives also which rows were empty, and where each element went."""
    count = vector(g, nrows)
    empty = g.binary("Equal", tallied(g, rows, count), g.ints([0]), BOOL)
    fresh = g.reshape(g.op("NonZero", empty, dtype=INT64, shape=(1, None)), [-1])
    order, reverse = stable_order(g, g.concat([rows, fresh], 0, (None,)))
    fill = g.op("Expand", default, count_of(g, fresh), shape=(None,))
    made = [
        g.op("Gather", g.concat(pair, 0, (None,)), order, axis=0, shape=(None,))
        for pair in ([rows, fresh], [values, fill])
    ]
    back = g.slice(reverse, g.ints([0]), count_of(g, rows), [0])
    return [made[0], made[1], empty, Value(back.name, INT64, (None,))]


LOWERINGS: Table = {
    "RaggedFillEmptyRows": fill_empty_rows,
    "RaggedGather": gather,
    "RaggedRange": range_,
    "RaggedTensorToSparse": to_sparse,
    "RaggedTensorToTensor": to_tensor,
}
