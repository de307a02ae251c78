"""The lowering of the decoder that takes the best label of each moment."""

from __future__ import annotations

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value


def greedy(
    g: Builder, step: Step, scores: Value, lengths: Value, *, merge_repeated: bool = False, blank_index: int = -1
) -> list[Value]:
    """Scores (time, batch, classes) -> the labels that are no blanks as a sparse matrix (indices, values, shape), and
    minus the sum of the best scores."""
    moments, batch, classes = scores.size(0), scores.size(1), scores.size(2)
    if scores.dtype not in (FLOAT32, FLOAT64) or not batch or not classes or not moments:
        raise Refusal("decoding needs floats of known sizes")
    blank = blank_index % classes
    path = g.transpose(g.op("ArgMax", scores, dtype=INT64, axis=2, keepdims=0, shape=(moments, batch)), [1, 0])
    shape = (batch, moments)
    turn = g.const([list(range(moments))], INT64)
    counts = g.unsqueeze(g.int64(lengths), [1])
    inside = g.op("Less", turn, counts, dtype=BOOL, shape=shape)
    kept = g.unary("Not", g.op("Equal", path, g.const(blank, INT64), dtype=BOOL, shape=shape))
    kept = g.op("And", kept, inside, shape=shape)
    if merge_repeated and moments > 1:
        parts = [g.slice(path, g.ints([a]), g.ints([b]), [1]) for a, b in ((1, moments), (0, moments - 1))]
        changed = g.unary("Not", g.op("Equal", *parts, dtype=BOOL, shape=(batch, moments - 1)))
        first = g.const([[True]] * batch, BOOL)
        kept = g.op("And", kept, g.op("Concat", first, changed, axis=1, shape=shape), shape=shape)
    found = g.transpose(g.op("NonZero", kept, dtype=INT64, shape=(2, None)), [1, 0])
    numbers = g.cast(kept, INT64)
    place = g.op("CumSum", numbers, g.const(1, INT64), exclusive=1, shape=shape)
    at = g.unsqueeze(g.op("GatherND", place, found, shape=(None,)), [1])
    row = g.slice(found, g.ints([0]), g.ints([1]), [1])
    indices = g.op("Concat", row, at, axis=1, shape=(None, 2))
    values = g.op("GatherND", path, found, shape=(None,))
    each = g.op("ReduceSum", numbers, g.ints([1]), keepdims=0, shape=(batch,))
    longest = g.op("ReduceMax", each, g.ints([0]), keepdims=1, shape=(1,))
    best = g.transpose(g.op("ReduceMax", scores, g.ints([2]), keepdims=0, shape=(moments, batch)), [1, 0])
    counted = g.where(inside, best, g.like(0, best), shape)
    total = g.op("ReduceSum", counted, g.ints([1]), keepdims=1, shape=(batch, 1))
    return [indices, values, g.concat([g.ints([batch]), longest], 0, (2,)), g.unary("Neg", total)]


LOWERINGS: Table = {"CTCGreedyDecoder": greedy}
