"""Lowerings of random ops whose numbers are TensorFlow's own, bit for bit, as a seed or a key names them.

Ops of seeds in their attributes give what TensorFlow draws in the first run of a session, as on numpy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType, dtype_of
from ...base.shapes import Shape
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .philox import (
    UINT64,
    State,
    draw,
    first,
    groups_of,
    joined,
    normal,
    of_key,
    of_pair,
    of_seeds,
    part,
    per_turn,
    turns,
    uniform,
    whole,
    words,
)
from .random import UNSEEDED, uniform_int
from .random import multinomial as unseeded_multinomial
from .random import shuffle as unseeded_shuffle
from .rows import arange
from .shapes import fixed_shape
from .values import Refusal, Value

KEPT = 256
"""Words that are kept for a number which may be drawn again."""
TRIES = 4
"""Turns of which four truncated numbers are chosen: that they do not suffice has a chance of 2e-15."""

Make = Callable[[Builder, State, Value, DType], Value]


def shaped(g: Builder, make: Make, state: State, shape: Value, dtype: DType) -> Value:
    """Numbers of a distribution in a shape."""
    sizes = g.int64(shape)
    count = g.op("ReduceProd", sizes, g.ints([0]), keepdims=1, shape=(1,))
    known: Shape = fixed_shape(shape)
    if known is not None:
        count = g.ints([int(np.prod([size or 0 for size in known], dtype=np.int64))])
    elif shape.size(0) == 0:
        count = g.ints([1])
    made = g.cast(first(g, make(g, state, count, dtype), count), dtype)
    return g.reshape_to(made, sizes, known)


def uniform_numbers(g: Builder, state: State, count: Value, dtype: DType) -> Value:
    return uniform(g, draw(g, state, count, per_turn(dtype)), dtype)


def normal_numbers(g: Builder, state: State, count: Value, dtype: DType) -> Value:
    return normal(g, draw(g, state, count, per_turn(dtype)), dtype)


def full_numbers(g: Builder, state: State, count: Value, dtype: DType) -> Value:
    return whole(g, draw(g, state, count, per_turn(dtype)), dtype)


def truncated_numbers(g: Builder, state: State, count: Value, dtype: DType) -> Value:
    """Each group (of one turn's numbers) takes the first that are within two deviations of some turns of its own."""
    each = per_turn(dtype)
    groups = groups_of(g, count, each)
    begins = g.op("Mul", arange(g, groups), g.ints([each * KEPT // 4]), shape=(None,))
    tries = TRIES * 4 // each
    every = g.op("Add", g.unsqueeze(begins, [1]), g.const(np.arange(tries)[None], INT64), shape=(None, tries))
    made = normal(g, turns(g, state, Value(g.reshape(every, [-1]).name, INT64, (None,))), dtype)
    drawn = g.reshape(made, [-1, tries * (2 if each == 2 else 4)])
    good = g.op("Less", g.unary("Abs", drawn), g.like(2, drawn), dtype=BOOL, shape=(None, None))
    rank = g.op("CumSum", g.cast(good, INT64), g.const(1, INT64), shape=(None, None))
    chosen = []
    for place in range(1, each + 1):
        hit = g.binary("And", good, g.op("Equal", rank, g.const(place, INT64), dtype=BOOL, shape=(None, None)), BOOL)
        at = g.op("ArgMax", g.cast(hit, INT32), dtype=INT64, axis=1, keepdims=1, shape=(None, 1))
        chosen.append(g.op("GatherElements", drawn, at, axis=1, shape=(None, 1)))
    return g.concat(chosen, 1, (None, each))


def between(g: Builder, state: State, shape: Value, low: Value, high: Value) -> Value:
    """Integers from `low` to below `high`: the rest of a division, a little uneven for large ranges."""
    unsigned = UINT64 if low.dtype.itemsize == 8 else dtype_of("uint32")
    if low.array is None or high.array is None:
        right = g.op("Less", low, high, dtype=BOOL, shape=())
        low = g.behind(low, g.must(right, "a range is empty"))
    elif low.array >= high.array:
        raise Refusal("a range is empty")
    span = g.op("Sub", g.cast(high, INT64), g.cast(low, INT64), shape=())
    if low.dtype.itemsize < 8:
        span = g.op("BitwiseAnd", span, g.const(0xFFFFFFFF, INT64), shape=())

    def make(g: Builder, state: State, count: Value, dtype: DType) -> Value:
        drawn = whole(g, draw(g, state, count, per_turn(dtype)), unsigned)
        rest = g.op("Mod", drawn, g.cast(span, unsigned), shape=(None,))
        return g.op("Add", g.cast(rest, dtype), low, shape=(None,))

    return shaped(g, make, state, shape, low.dtype)


def _of_key(make: Make) -> Lowering:
    def lower(
        g: Builder, step: Step, shape: Value, key: Value, counter: Value, alg: Value, *, dtype: DType = FLOAT32
    ) -> Value:
        return shaped(g, make, of_key(g, key, counter, alg), shape, dtype)

    return lower


def _of_pair(make: Make) -> Lowering:
    def lower(g: Builder, step: Step, shape: Value, seed: Value, *, dtype: DType = FLOAT32) -> Value:
        return shaped(g, make, of_pair(g, seed), shape, dtype)

    return lower


def _of_attributes(make: Make, unseeded: Lowering | None = None) -> Lowering:
    def lower(g: Builder, step: Step, shape: Value, *, dtype: DType, seed: int = 0, seed2: int = 0) -> Value:
        if seed or seed2:
            return shaped(g, make, of_seeds(g, seed, seed2), shape, dtype)
        if unseeded is None:
            raise Refusal("truncated normal numbers that no seed names have no form in ONNX")
        made: Value = unseeded(g, step, shape, dtype=dtype)
        return made

    return lower


def int_of_key(
    g: Builder, step: Step, shape: Value, key: Value, counter: Value, alg: Value, low: Value, high: Value
) -> Value:
    return between(g, of_key(g, key, counter, alg), shape, low, high)


def int_of_pair(g: Builder, step: Step, shape: Value, seed: Value, low: Value, high: Value) -> Value:
    return between(g, of_pair(g, seed), shape, low, high)


def int_of_attributes(
    g: Builder, step: Step, shape: Value, low: Value, high: Value, *, seed: int = 0, seed2: int = 0
) -> Value:
    if not seed and not seed2:
        return uniform_int(g, step, shape, low, high)
    return between(g, of_seeds(g, seed, seed2), shape, low, high)


def key_counter(g: Builder, step: Step, seed: Value) -> list[Value | None]:
    state = of_pair(g, seed)
    key = joined(g, part(g, state.key, 0, 1), part(g, state.key, 1, 2))
    upper = joined(g, part(g, state.counter, 2, 3), part(g, state.counter, 3, 4))
    return [g.cast(key, UINT64), g.cast(g.concat([words(g, 0), upper], 0, (2,)), UINT64)]


def algorithm(g: Builder, step: Step) -> Value:
    """Philox."""
    return g.const(1, INT32)


def key_counter_algorithm(g: Builder, step: Step, seed: Value) -> list[Value | None]:
    return [*key_counter(g, step, seed), algorithm(g, step)]


def shuffle(g: Builder, step: Step, x: Value, *, seed: int = 0, seed2: int = 0) -> Value:
    """The order that the reference engine works out."""
    from ..numpy.engine import fold

    if not seed and not seed2:
        return unseeded_shuffle(g, step, x)
    if x.rank == 0:
        return x
    count = x.size(0)
    if count is None:
        raise Refusal("a shuffle with a seed needs a known length")
    asked = Step("", step.op, ("x",), ("y",), {**step.attrs, "T": INT64})
    return g.op("Gather", x, g.const(fold(asked, [np.arange(count)])[0], INT64), axis=0, shape=x.shape)


def _choices(g: Builder, state: State, logits: Value, num_samples: Value, dtype: DType) -> Value:
    """For each row classes by their chances, which are given as logarithms."""
    (count,) = g.fixed_ints(num_samples, "the number of samples")
    rows, classes = logits.size(0), logits.size(1)
    if rows is None or not classes or count < 0:
        raise Refusal("logits of a known shape are sampled")
    points = uniform(g, draw(g, state, g.ints([rows * count]), 2), FLOAT64)
    at = g.reshape(first(g, points, g.ints([rows * count])), [rows, count, 1])
    scores = g.cast(logits, FLOAT64)
    finite = g.unary("Not", g.binary("Or", g.unary("IsInf", scores, BOOL), g.unary("IsNaN", scores, BOOL), BOOL))
    lowest = g.const(np.finfo(np.float64).min, FLOAT64)
    bounded = g.where(finite, scores, lowest, logits.shape)
    highest = g.op("ReduceMax", bounded, g.ints([1]), keepdims=1, shape=(rows, 1))
    chances = g.unary("Exp", g.op("Sub", bounded, highest, shape=logits.shape))
    chances = g.where(finite, chances, g.const(0, FLOAT64), logits.shape)
    sums = g.op("CumSum", chances, g.const(1, INT64), shape=logits.shape)
    total = g.op("Gather", sums, g.ints([classes - 1]), axis=1, shape=(rows, 1))
    aim = g.op("Mul", at, g.unsqueeze(total, [2]), shape=(rows, count, 1))
    below = g.op("LessOrEqual", g.unsqueeze(sums, [1]), aim, dtype=BOOL, shape=(rows, count, classes))
    found = g.op("ReduceSum", g.cast(below, INT64), g.ints([2]), keepdims=0, shape=(rows, count))
    return g.cast(found, dtype)


def multinomial(
    g: Builder, step: Step, logits: Value, num_samples: Value,
    *, output_dtype: DType = INT64, seed: int = 0, seed2: int = 0,
) -> Value:  # fmt: skip
    if not seed and not seed2:
        return unseeded_multinomial(g, step, logits, num_samples, output_dtype=output_dtype)
    return _choices(g, of_seeds(g, seed, seed2), logits, num_samples, output_dtype)


def stateless_multinomial(
    g: Builder, step: Step, logits: Value, num_samples: Value, seed: Value, *, output_dtype: DType = INT64
) -> Value:
    return _choices(g, of_pair(g, seed), logits, num_samples, output_dtype)


LOWERINGS: Table = {
    "Multinomial": multinomial,
    "RandomShuffle": shuffle,
    "RandomStandardNormal": _of_attributes(normal_numbers, UNSEEDED["RandomStandardNormal"]),
    "RandomUniform": _of_attributes(uniform_numbers, UNSEEDED["RandomUniform"]),
    "RandomUniformInt": int_of_attributes,
    "StatelessMultinomial": stateless_multinomial,
    "StatelessRandomGetAlg": algorithm,
    "StatelessRandomGetKeyCounter": key_counter,
    "StatelessRandomGetKeyCounterAlg": key_counter_algorithm,
    "StatelessRandomNormal": _of_pair(normal_numbers),
    "StatelessRandomNormalV2": _of_key(normal_numbers),
    "StatelessRandomUniform": _of_pair(uniform_numbers),
    "StatelessRandomUniformFullInt": _of_pair(full_numbers),
    "StatelessRandomUniformFullIntV2": _of_key(full_numbers),
    "StatelessRandomUniformInt": int_of_pair,
    "StatelessRandomUniformIntV2": int_of_key,
    "StatelessRandomUniformV2": _of_key(uniform_numbers),
    "StatelessTruncatedNormal": _of_pair(truncated_numbers),
    "StatelessTruncatedNormalV2": _of_key(truncated_numbers),
    "TruncatedNormal": _of_attributes(truncated_numbers),
}
