"""Lowerings of the loss of connectionist temporal classification: all sequences at once, moment by moment.

See the reference's `ctc`. A row of places stands for each sequence: a blank, its first label, a blank ... Two loops
give the logarithms of the chances of all ways to a place, and of those from there to the end. Sequences and labels that
make no sense end the run, and numpy says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...program.program import Step
from .builder import Builder, Table
from .control import repeated, walked
from .rows import all_hold, count_of
from .values import Refusal, Value


@dataclass(frozen=True, slots=True)
class _Labels:
    """Labels (B, L), of which the first `counts` (B, 1) of each row count, and how many were `given` (B, 1)."""

    values: Value
    counts: Value
    given: Value


def _less(g: Builder, a: Value, b: Value) -> Value:
    return g.op("Less", a, b, dtype=BOOL, shape=(None, None))


def _and(g: Builder, a: Value, b: Value) -> Value:
    return g.op("And", a, b, dtype=BOOL, shape=(None, None))


def _numbers(g: Builder, count: Value) -> Value:
    """0, 1 ... below a count (a vector of one number), as a row."""
    made = g.op("Range", g.const(0, INT64), g.reshape(count, []), g.const(1, INT64), shape=(None,))
    return g.unsqueeze(made, [0])


def _packed(g: Builder, values: Value, kept: Value) -> Value:
    """(B, L): those of each row that are kept, moved to its front; the rest is -1."""
    place = g.op("CumSum", g.cast(kept, INT64), g.const(1, INT64), exclusive=1, shape=(None, None))
    width = g.sizes(values, [1])
    aim = g.where(kept, place, width, (None, None))
    longer = g.concat([g.sizes(values, [0]), g.op("Add", width, g.ints([1]), shape=(1,))], 0, (2,))
    empty = g.op("Expand", g.const(-1, INT64), longer, shape=(None, None))
    made = g.op("ScatterElements", empty, aim, values, axis=1, shape=(None, None))
    return Value(g.slice(made, g.ints([0]), g.ints([-1]), [1]).name, INT64, (None, None))


def _dense(g: Builder, indices: Value, values: Value, batch: Value, classes: Value, collapse: bool) -> _Labels:
    """Labels of a sparse matrix in rows, repeated ones and blanks at the end left out."""
    count = count_of(g, values)
    row = g.slice(indices, g.ints([0]), g.ints([1]), [1])
    wide = g.concat([batch, count], 0, (2,))
    own = g.op("Equal", g.transpose(Value(row.name, INT64, (None, 1)), [1, 0]), g.transpose(_numbers(g, batch), [1, 0]),
               dtype=BOOL, shape=(None, None))  # fmt: skip
    given = g.op("ReduceSum", g.cast(own, INT64), g.ints([1]), keepdims=1, shape=(None, 1))
    spread = g.op("Expand", g.unsqueeze(g.int64(values), [0]), wide, shape=(None, None))
    packed = _packed(g, spread, own)
    most = g.op("ReduceMax", given, g.ints([0, 1]), keepdims=0, shape=())
    packed = Value(g.slice(packed, g.ints([0]), g.reshape(most, [1]), [1]).name, INT64, (None, None))
    inside = _less(g, _numbers(g, g.sizes(packed, [1])), given)
    if collapse:
        before = g.op("Concat", g.op("Expand", g.const(-2, INT64), g.concat([batch, g.ints([1])], 0, (2,))),
                      g.slice(packed, g.ints([0]), g.ints([-1]), [1]), axis=1, shape=(None, None))  # fmt: skip
        fresh = g.unary("Not", g.op("Equal", packed, before, dtype=BOOL, shape=(None, None)))
        inside = _and(g, inside, fresh)
    is_blank = g.op("GreaterOrEqual", packed, g.op("Sub", classes, g.ints([1]), shape=(1,)), dtype=BOOL,
                    shape=(None, None))  # fmt: skip
    said = _and(g, inside, g.unary("Not", is_blank))
    counts = g.op("ReduceSum", g.cast(said, INT64), g.ints([1]), keepdims=1, shape=(None, 1))
    # Before the last label that is said there is no blank: as many are kept up to there.
    ranks = g.op("CumSum", g.cast(inside, INT64), g.const(1, INT64), shape=(None, None))
    furthest = g.op("ReduceMax", g.where(said, ranks, g.const(0, INT64), (None, None)), g.ints([1]), keepdims=1,
                    shape=(None, 1))  # fmt: skip
    negative = _and(g, inside, _less(g, packed, g.const(0, INT64)))
    right = g.op("And", all_hold(g, g.op("Equal", furthest, counts, dtype=BOOL, shape=(None, 1))),
                 all_hold(g, g.unary("Not", negative)), shape=())  # fmt: skip
    labels = g.behind(_packed(g, packed, said), g.must(right, "a label is negative or follows a blank"))
    return _Labels(Value(labels.name, INT64, (None, None)), counts, given)


def _joined(g: Builder, a: Value, b: Value) -> Value:
    """The logarithm of the sum of two chances whose logarithms are given; the smaller one's share in float32."""
    shape = a.shape
    high, low = g.op("Max", a, b, shape=shape), g.op("Min", a, b, shape=shape)
    share = g.cast(g.unary("Exp", g.cast(g.cast(g.op("Sub", low, high, shape=shape), FLOAT32), FLOAT64)), FLOAT32)
    more = g.unary("Log", g.op("Add", g.cast(share, FLOAT64), g.const(1, FLOAT64), shape=shape))
    made = g.op("Add", high, g.cast(more, a.dtype), shape=shape)
    return g.where(g.op("Equal", low, g.like(-np.inf, low), dtype=BOOL, shape=shape), high, made, shape)


def _shifted(g: Builder, x: Value, by: int) -> Value:
    """Moved to the right (or left) along the places, with chances of zero coming in."""
    pads = [0, max(by, 0), 0, max(-by, 0)]
    longer = g.op("Pad", x, g.ints(pads), g.like(-np.inf, x), mode="constant")
    made = g.slice(longer, g.ints([max(-by, 0)]), g.ints([1 << 60 if by < 0 else -by]), [1])
    return Value(made.name, x.dtype, (None, None))


def _ways(
    g: Builder, logs: Value, full: Value, blank: Value, merge: bool, counts: Value, lengths: Value
) -> tuple[Value, Value]:
    """(T, B, S) twice: the logarithms of the chances of all ways to a place, and from there to the end. `logs` are the
    logarithms of the chances of what stands at the places, `lengths` the moments of each sequence."""
    shape, minus = (None, None), g.like(-np.inf, logs)
    place = _numbers(g, g.sizes(full, [1]))
    places = g.op("Add", g.op("Mul", counts, g.ints([2]), shape=(None, 1)), g.ints([1]), shape=(None, 1))
    no_blank = g.unary("Not", g.op("Equal", full, blank, dtype=BOOL, shape=shape))
    earlier = g.op("Pad", full, g.ints([0, 2, 0, 0]), g.const(-1, INT64), mode="constant")
    earlier = g.slice(earlier, g.ints([0]), g.ints([-2]), [1])
    skips = _and(g, no_blank, g.op("GreaterOrEqual", place, g.const(2, INT64), dtype=BOOL, shape=shape))
    if merge:
        skips = _and(g, skips, g.unary("Not", g.op("Equal", full, earlier, dtype=BOOL, shape=shape)))
    leaps = g.op("Pad", g.cast(skips, INT64), g.ints([0, 0, 0, 2]), g.const(0, INT64), mode="constant")
    may_leap = g.cast(Value(g.slice(leaps, g.ints([2]), g.ints([1 << 60]), [1]).name, INT64, shape), BOOL)
    nothing = g.op("Expand", minus, g.shape_of(full), shape=shape)

    def stays(x: Value) -> Value:
        return x if merge else g.where(no_blank, minus, x, shape)

    def window(moment: Value) -> Value:
        left = g.op("Mul", g.op("Sub", lengths, moment, shape=(None, 1)), g.ints([2]), shape=(None, 1))
        first = g.op("Sub", places, left, shape=(None, 1))
        last = g.op("Mul", g.op("Add", moment, g.ints([1]), shape=(1,)), g.ints([2]), shape=(1,))
        reached = _and(g, g.op("GreaterOrEqual", place, first, dtype=BOOL, shape=shape), _less(g, place, last))
        return _and(g, reached, _less(g, place, places))

    def at(moment: Value) -> Value:
        return g.op("Gather", logs, moment, axis=0, shape=shape)

    def ahead(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        last = held[0]
        found = _joined(g, stays(last), _shifted(g, last, 1))
        found = _joined(g, found, g.where(skips, _shifted(g, last, 2), minus, shape))
        made = g.where(window(turn), g.op("Add", at(turn), found, shape=shape), minus, shape)
        starts = _and(g, _less(g, place, g.const(2, INT64)), _less(g, place, places))
        first = g.where(starts, at(turn), minus, shape)
        begins = g.op("Equal", turn, g.const(0, INT64), dtype=BOOL, shape=())
        return None, [g.where(begins, first, made, shape)] * 2

    moments = g.sizes(logs, [0])
    final = g.op("Sub", lengths, g.ints([1]), shape=(None, 1))
    ends = g.op("GreaterOrEqual", place, g.op("Sub", places, g.ints([2]), shape=(None, 1)), dtype=BOOL, shape=shape)
    ends = g.where(_and(g, ends, _less(g, place, places)), g.like(0, logs), minus, shape)

    def back(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        moment = g.op("Sub", g.op("Sub", g.reshape(moments, []), turn, shape=()), g.const(1, INT64), shape=())
        following = g.op("Min", g.op("Add", moment, g.const(1, INT64), shape=()),
                         g.op("Sub", g.reshape(moments, []), g.const(1, INT64), shape=()), shape=())  # fmt: skip
        follows = g.op("Add", held[0], at(following), shape=shape)
        found = _joined(g, stays(follows), _shifted(g, follows, -1))
        found = _joined(g, found, g.where(may_leap, _shifted(g, follows, -2), minus, shape))
        made = g.where(window(moment), found, minus, shape)
        is_last = g.op("Equal", moment, final, dtype=BOOL, shape=(None, 1))
        is_before = g.op("Less", moment, final, dtype=BOOL, shape=(None, 1))
        return None, [g.where(is_last, ends, g.where(is_before, made, minus, shape), shape)] * 2

    count = g.reshape(moments, [])
    _, (forward,) = walked(g, count, [nothing], ahead, [(logs.dtype, shape)])
    _, (backward,) = walked(g, count, [nothing], back, [(logs.dtype, shape)])
    turned = g.slice(backward, g.ints([-1]), g.ints([-(1 << 62)]), [0], g.ints([-1]))
    return forward, Value(turned.name, logs.dtype, (None, None, None))


def _chances(g: Builder, scores: Value) -> Value:
    highest = g.op("ReduceMax", scores, g.ints([2]), keepdims=1)
    powers = g.unary("Exp", g.op("Sub", scores, highest, shape=scores.shape))
    return g.op("Div", powers, g.op("ReduceSum", powers, g.ints([2]), keepdims=1), shape=scores.shape)


def loss(
    g: Builder,
    step: Step,
    scores: Value,
    indices: Value,
    values: Value,
    lengths: Value,
    *,
    preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False,
) -> list[Value]:
    """The losses (B), and their gradients for the scores (T, B, C). The last class is the blank."""
    if scores.dtype not in (FLOAT32, FLOAT64) or scores.rank != 3 or 0 in (scores.shape or ()):
        raise Refusal("a loss of sequences needs floats of moments, sequences and classes")
    if values.shape == (0,):
        raise Refusal("sequences without labels have no loss")
    moments, batch, classes = (g.sizes(scores, [axis]) for axis in range(3))
    wide, flat, each = (None, None, None), (None, None), (None, 1)
    labels = _dense(g, indices, values, batch, classes, preprocess_collapse_repeated)
    blank = g.op("Sub", classes, g.ints([1]), shape=(1,))
    duration = g.unsqueeze(g.int64(lengths), [1])
    fits = g.unary("Not", g.op("Less", duration, labels.given, dtype=BOOL, shape=each))
    right = [
        g.op("GreaterOrEqual", duration, g.const(0, INT64), dtype=BOOL, shape=each),
        g.op("LessOrEqual", duration, moments, dtype=BOOL, shape=each),
        g.op("Greater", labels.given, g.const(0, INT64), dtype=BOOL, shape=each),
    ]
    if not ignore_longer_outputs_than_inputs:
        right.append(fits)
    flags = all_hold(g, g.op("Concat", *right, axis=1, shape=flat))
    there = g.op("Equal", g.op("ReduceSum", labels.given, keepdims=0, shape=()), g.reshape(count_of(g, values), []),
                 dtype=BOOL, shape=())  # fmt: skip
    sure = g.must(g.op("And", flags, there, shape=()), "labels do not fit into the moments of their sequences")
    duration = Value(g.behind(duration, sure).name, INT64, each)
    taken = _and(g, fits, g.op("Greater", duration, g.const(0, INT64), dtype=BOOL, shape=each))

    # Behind the labels of a row there are blanks.
    said = _less(g, _numbers(g, g.sizes(labels.values, [1])), labels.counts)
    filled = g.unsqueeze(g.where(said, labels.values, blank, flat), [2])
    pairs = g.op("Concat", g.op("Expand", blank, g.shape_of(filled)), filled, axis=2, shape=wide)
    laid = g.reshape_to(pairs, g.concat([batch, g.ints([-1])], 0, (2,)), flat)
    full = g.op("Pad", laid, g.ints([0, 0, 0, 1]), g.reshape(blank, []), mode="constant")
    full = Value(full.name, INT64, flat)

    chances = _chances(g, scores)
    logs = g.cast(g.unary("Log", g.cast(chances, FLOAT64)), scores.dtype)
    paths = g.op("Expand", g.unsqueeze(full, [0]), g.concat([moments, g.op("Shape", full, dtype=INT64, shape=(2,))], 0),
                 shape=wide)  # fmt: skip
    said_logs = g.op("GatherElements", logs, paths, axis=2, shape=wide)
    ahead, back = _ways(g, said_logs, full, blank, ctc_merge_repeated, labels.counts, duration)
    through = g.op("Add", ahead, back, shape=wide)
    total, sums = _gathered(g, through, full, scores)
    lost = g.op("Equal", total, g.like(-np.inf, total), dtype=BOOL, shape=each)
    held = g.where(lost, g.like(0, total), total, each)
    share = g.unary("Exp", g.cast(g.cast(g.op("Sub", sums, held, shape=scores.shape), FLOAT32), FLOAT64))
    share = g.cast(g.cast(share, FLOAT32), scores.dtype)
    gradient = g.op("Sub", chances, share, shape=scores.shape)
    moment = g.op("Range", g.const(0, INT64), g.reshape(moments, []), g.const(1, INT64), shape=(None,))
    inside = g.op("Less", g.unsqueeze(moment, [1, 2]), duration, dtype=BOOL, shape=wide)
    inside = g.op("And", inside, taken, dtype=BOOL, shape=wide)
    found = g.where(inside, gradient, g.like(0, scores), scores.shape)
    cost = g.where(taken, g.unary("Neg", g.cast(total, scores.dtype)), g.like(0, scores), each)
    return [g.squeeze(cost, [1]), found]


def _gathered(g: Builder, through: Value, full: Value, scores: Value) -> tuple[Value, Value]:
    """The logarithms of the chance of all ways (B, 1), and of those that say a label at a moment (T, B, C). Place after
    place, as TensorFlow rounds them: an exponential makes of the last digits of a large logarithm a visible part."""
    minus = g.like(-np.inf, through)
    nothing = g.op("Expand", minus, g.shape_of(scores), shape=scores.shape)
    begin = g.op("Expand", minus, g.concat([g.sizes(scores, [1]), g.ints([1])], 0, (2,)), shape=(None, 1))

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        here = g.unsqueeze(g.op("Gather", through, turn, axis=2, shape=(None, None)), [2])
        now = g.op("Gather", here, g.const(0, INT64), axis=0, shape=(None, 1))
        label = g.unsqueeze(g.op("Gather", full, turn, axis=1, shape=(None,)), [1])
        at = g.op("Expand", label, g.op("Shape", here, dtype=INT64, shape=(3,)), shape=(None, None, 1))
        old = g.op("GatherElements", held[1], at, axis=2, shape=(None, None, 1))
        made = g.op("ScatterElements", held[1], at, _joined(g, old, here), axis=2, shape=scores.shape)
        return None, [_joined(g, held[0], now), made]

    count = g.reshape(g.sizes(full, [1]), [])
    total, sums = repeated(g, count, [begin, nothing], change)
    return total, sums


def loss_v2(
    g: Builder,
    step: Step,
    scores: Value,
    indices: Value,
    values: Value,
    lengths: Value,
    *,
    preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False,
) -> list[Value]:
    """The first class is the blank."""
    costs, gradient = loss(
        g,
        step,
        _turned(g, scores, 1),
        indices,
        g.binary("Sub", g.int64(values), g.const(1, INT64)),
        lengths,
        preprocess_collapse_repeated=preprocess_collapse_repeated,
        ctc_merge_repeated=ctc_merge_repeated,
        ignore_longer_outputs_than_inputs=ignore_longer_outputs_than_inputs,
    )
    return [costs, _turned(g, gradient, -1)]


def _turned(g: Builder, x: Value, by: int) -> Value:
    """The classes moved to the left, those that leave coming in at the other end."""
    parts = [g.slice(x, g.ints([a]), g.ints([b]), [2]) for a, b in ((by, 1 << 60), (0, by))]
    return g.op("Concat", *parts, axis=2, shape=x.shape)


LOWERINGS: Table = {"CTCLoss": loss, "CTCLossV2": loss_v2}
