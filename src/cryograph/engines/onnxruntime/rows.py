"""What lowerings of ragged and sparse tensors share: splits, the row of each element, its place in the row."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.dtypes import BOOL, INT64
from .builder import Builder
from .values import Value


def count_of(g: Builder, x: Value) -> Value:
    """How many rows there are, as a vector of one int64."""
    return g.sizes(x, [0])


def scalar(g: Builder, x: Value) -> Value:
    """A vector of one element as a scalar, any other scalar as it is."""
    return x if x.shape == () else g.reshape(x, [])


def vector(g: Builder, x: Value) -> Value:
    """A scalar as an int64 vector of one element."""
    return g.reshape(g.int64(x), [1])


def arange(g: Builder, count: Value) -> Value:
    """0, 1 ... up to below a count (a vector of one int64)."""
    zero, one = g.const(0, INT64), g.const(1, INT64)
    return g.op("Range", zero, scalar(g, count), one, shape=(None,))


def running_sums(g: Builder, x: Value) -> Value:
    """The sum of all numbers up to each."""
    return g.op("CumSum", x, g.const(0, INT64), shape=(None,))


def splits_of(g: Builder, lengths: Value) -> Value:
    """Splits of rows of these lengths."""
    return g.concat([g.ints([0]), running_sums(g, lengths)], 0, (None,))


def starts_of(g: Builder, splits: Value) -> Value:
    """Where each row begins."""
    return _flat(g.slice(splits, g.ints([0]), g.ints([-1]), [0]))


def ends_of(g: Builder, splits: Value) -> Value:
    """Where each row ends."""
    return _flat(g.slice(splits, g.ints([1]), g.ints([1 << 62]), [0]))


def lengths_of(g: Builder, splits: Value) -> Value:
    """How long each row is."""
    return g.op("Sub", ends_of(g, splits), starts_of(g, splits), shape=(None,))


def last_of(g: Builder, splits: Value) -> Value:
    """The last of the splits, which is how many elements there are, as a vector of one number."""
    made = g.slice(splits, g.ints([-1]), g.ints([1 << 62]), [0])
    return Value(made.name, made.dtype, (1,), made.tensor)


def rows_of(g: Builder, splits: Value) -> Value:
    """The row of each element: how many rows end before it or where it stands."""
    total = last_of(g, splits)
    ends = ends_of(g, splits)
    hits = tallied(g, ends, g.op("Add", total, g.ints([1]), shape=(1,)))
    return _flat(g.slice(running_sums(g, hits), g.ints([0]), total, [0]))


def tallied(g: Builder, places: Value, count: Value) -> Value:
    """How often each of the numbers below a count (a vector of one int64) comes among places."""
    ones = g.op("Expand", g.const(1, INT64), g.op("Shape", places, dtype=INT64, shape=(1,)), shape=(None,))
    zeros = g.op("Expand", g.const(0, INT64), count, shape=(None,))
    return g.op("ScatterND", zeros, g.unsqueeze(places, [1]), ones, reduction="add", shape=(None,))


def offsets_in(g: Builder, rows: Value, starts: Value) -> Value:
    """The place of each element in its row, for elements that stand row after row."""
    begins = g.op("Gather", starts, rows, axis=0, shape=(None,))
    return g.op("Sub", arange(g, count_of(g, rows)), begins, shape=(None,))


def most(g: Builder, x: Value) -> Value:
    """The largest of some numbers that are not negative, 0 where there are none, as a vector of one int64."""
    return g.op("ReduceMax", g.concat([x, g.ints([0])], 0, (None,)), g.ints([0]), keepdims=1, shape=(1,))


def columns(g: Builder, parts: Sequence[Value]) -> Value:
    """Vectors side by side, as int64 indices (n, parts)."""
    wide = [g.unsqueeze(part, [1]) for part in parts]
    return g.concat(wide, 1, (None, len(parts)))


def total(g: Builder, flags: Value) -> Value:
    """How many flags hold, as a scalar."""
    return g.op("ReduceSum", g.cast(flags, INT64), keepdims=0, shape=())


def all_hold(g: Builder, flags: Value) -> Value:
    """Whether all flags hold, as a scalar."""
    return g.op("Equal", total(g, g.unary("Not", flags)), g.const(0, INT64), dtype=BOOL, shape=())


def places_in(g: Builder, indices: Value, sizes: Value, rank: int) -> Value:
    """Indices (n, rank) as numbers (n) that count through a shape (an int64 vector of `rank` sizes)."""
    made = g.op("Expand", g.const(0, INT64), count_of(g, indices), shape=(None,))
    for axis in range(rank):
        size = g.slice(sizes, g.ints([axis]), g.ints([axis + 1]), [0])
        column = _flat(g.op("Gather", indices, g.const(axis, INT64), axis=1, shape=(None,)))
        made = g.op("Add", g.op("Mul", made, size, shape=(None,)), column, shape=(None,))
    return made


def indices_at(g: Builder, places: Value, sizes: Value, rank: int) -> list[Value]:
    """The columns of indices of places that count through a shape."""
    found: list[Value] = []
    for axis in range(rank - 1, -1, -1):
        size = g.op("Max", g.slice(sizes, g.ints([axis]), g.ints([axis + 1]), [0]), g.ints([1]), shape=(1,))
        if axis == 0:
            found.append(places)
            break
        found.append(g.op("Mod", places, size, shape=(None,)))
        places = g.op("Div", places, size, shape=(None,))
    return found[::-1]


def stable_order(g: Builder, keys: Value) -> tuple[Value, Value]:
    """The places of keys (int64) by size, and the inverse of that; equal ones stay as they stood, by TopK."""
    count = count_of(g, keys)
    _, order = g.ops("TopK", keys, count, dtypes=[INT64, INT64], shapes=[(None,)] * 2, axis=0, largest=0, sorted=1)
    zeros = g.op("Expand", g.const(0, INT64), count, shape=(None,))
    back = g.op("ScatterND", zeros, g.unsqueeze(order, [1]), arange(g, count), reduction="none", shape=(None,))
    return order, back


def in_turns(g: Builder, places: Value) -> tuple[Value, Value]:
    """For each place (int64 vector) the turn in which it is dealt with, so that none comes twice in a turn and equal
    ones in their order; and how many turns there are, as a scalar."""
    order, back = stable_order(g, places)
    ranked = g.op("Gather", places, order, axis=0, shape=(None,))
    below = g.slice(ranked, g.ints([0]), g.ints([-1]), [0])
    after = g.slice(ranked, g.ints([1]), g.ints([1 << 62]), [0])
    other = g.unary("Not", g.op("Equal", below, after, dtype=BOOL, shape=(None,)))
    head = g.slice(ranked, g.ints([0]), g.ints([1]), [0])
    begins = g.concat([g.op("Equal", head, head, dtype=BOOL, shape=(None,)), other], 0, (None,))
    group = g.op("Sub", running_sums(g, g.cast(begins, INT64)), g.const(1, INT64), shape=(None,))
    starts = g.squeeze(g.op("NonZero", begins, dtype=INT64, shape=(1, None)), [0])
    own = g.op("Gather", starts, group, axis=0, shape=(None,))
    rank = g.op("Sub", arange(g, count_of(g, places)), own, shape=(None,))
    last = g.op("ReduceMax", g.concat([rank, g.ints([-1])], 0, (None,)), keepdims=0, shape=())
    turns = g.op("Add", last, g.const(1, INT64), shape=())
    return g.op("Gather", rank, back, axis=0, shape=(None,)), turns


def _flat(x: Value) -> Value:
    return Value(x.name, x.dtype, (None,), x.tensor)
