"""Lowerings of random numbers whose state is a variable: see the reference's `random_state`. The new state comes
first."""

from __future__ import annotations

from ...base.dtypes import FLOAT32, INT64, DType
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .philox import State, high_word, joined, masked, part, work
from .seeded import KEPT, Make, between, full_numbers, normal_numbers, shaped, truncated_numbers, uniform_numbers
from .values import Refusal, Value


def _halves(g: Builder, number: Value) -> list[Value]:
    """The words of 64 bits, the low one first."""
    return [masked(g, number), high_word(g, number)]


def _generator(g: Builder, state: Value, algorithm: Value) -> State:
    """The generator of a state of three numbers: two of the counter, then the key."""
    if int(g.fixed(algorithm, "the algorithm")) not in (1, 3):
        raise Refusal("the algorithm has no kernel on CPUs")
    if state.rank != 1 or state.dtype != INT64 or state.size(0) not in (None, 3):
        raise Refusal("a state is three numbers")
    held = g.cast(state, work())
    words = [word for place in range(3) for word in _halves(g, part(g, held, place, place + 1))]
    return State(g.concat(words[4:], 0, (2,)), g.concat(words[:4], 0, (4,)), False)


def _skipped(g: Builder, state: Value, count: Value) -> Value:
    """The state after so many numbers (a vector of one int64), for each of which 256 turns are kept."""
    held = g.cast(state, work())
    words = [word for place in range(2) for word in _halves(g, part(g, held, place, place + 1))]
    by = _halves(g, g.cast(count, work()))
    # 256 turns: eight bits more, of which the upper ones go to the next word.
    moved = [g.op("Mul", word, g.cast(g.ints([KEPT]), work()), shape=(1,)) for word in by]
    added = [masked(g, moved[0]), g.op("Add", high_word(g, moved[0]), masked(g, moved[1]), shape=(1,)),
             high_word(g, moved[1]), None]  # fmt: skip
    made: list[Value] = []
    carried: Value | None = None
    for word, more in zip(words, added, strict=True):
        total = word
        for each in (more, carried):
            total = total if each is None else g.op("Add", total, each, shape=(1,))
        made.append(masked(g, total))
        carried = high_word(g, total)
    counter = [g.cast(joined(g, made[at], made[at + 1]), INT64) for at in (0, 2)]
    rest = g.slice(state, g.ints([2]), g.ints([1 << 62]), [0])
    return g.concat([*counter, rest], 0, state.shape)


def _count(g: Builder, shape: Value) -> Value:
    return g.op("ReduceProd", g.int64(shape), g.ints([0]), keepdims=1, shape=(1,))


def _drawn(make: Make) -> Lowering:
    def lower(
        g: Builder, step: Step, state: Value, algorithm: Value, shape: Value, *, dtype: DType = FLOAT32
    ) -> list[Value]:
        made = shaped(g, make, _generator(g, state, algorithm), shape, dtype)
        return [_skipped(g, state, _count(g, shape)), made]

    return lower


def uniform_int(
    g: Builder, step: Step, state: Value, algorithm: Value, shape: Value, low: Value, high: Value
) -> list[Value]:
    made = between(g, _generator(g, state, algorithm), shape, low, high)
    return [_skipped(g, state, _count(g, shape)), made]


def skip(g: Builder, step: Step, state: Value, algorithm: Value, delta: Value) -> Value:
    _generator(g, state, algorithm)
    return _skipped(g, state, g.reshape(g.int64(delta), [1]))


def read_and_skip(g: Builder, step: Step, state: Value, algorithm: Value, delta: Value) -> list[Value]:
    return [skip(g, step, state, algorithm, delta), state]


LOWERINGS: Table = {
    "RngReadAndSkip": read_and_skip,
    "RngSkip": skip,
    "StatefulStandardNormalV2": _drawn(normal_numbers),
    "StatefulTruncatedNormal": _drawn(truncated_numbers),
    "StatefulUniform": _drawn(uniform_numbers),
    "StatefulUniformFullInt": _drawn(full_numbers),
    "StatefulUniformInt": uniform_int,
}
