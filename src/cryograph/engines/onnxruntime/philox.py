"""TensorFlow's generator Philox in ONNX's operators, and what is drawn from its words: see the reference's `draws`.

Words of 32 bits are held in uint64 numbers, or in int64 ones where the runtime is too old to multiply the others; they
wrap alike, and only shifts need to be asked of uint64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...base.dtypes import FLOAT32, FLOAT64, INT64, DType, dtype_of
from ...base.tensors import Array
from .builder import Builder
from .kernels import supports
from .rows import arange, count_of
from .values import Refusal, Value

UINT64 = dtype_of("uint64")
FLOAT16, BFLOAT16 = dtype_of("float16"), dtype_of("bfloat16")
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_WORD = 0xFFFFFFFF
_SCRAMBLE = 0x02461E293EC8F720
"""The key under which seeds are mixed."""


@dataclass(frozen=True, slots=True)
class State:
    """Two words of the key and four of the counter, the low ones first. `fresh`: the low two of the counter are 0."""

    key: Value
    counter: Value
    fresh: bool


def work() -> DType:
    """In what dtype words are multiplied."""
    return UINT64 if supports("Mul", [UINT64, UINT64], UINT64) and supports("Add", [UINT64, UINT64], UINT64) else INT64


def words(g: Builder, *values: int) -> Value:
    """Known words."""
    return known(g, np.array(values, np.uint64))


def known(g: Builder, values: Array) -> Value:
    """Known words, of whatever shape."""
    return g.const(values if work() == UINT64 else values.view(np.int64), work())


def high_word(g: Builder, x: Value) -> Value:
    """The upper word of 64 bits."""
    by = g.const(np.array(32, np.uint64), UINT64)
    return g.cast(g.op("BitShift", g.cast(x, UINT64), by, shape=x.shape, direction="RIGHT"), work())


def masked(g: Builder, x: Value, mask: int = _WORD) -> Value:
    """Some bits of numbers, the lower word when nothing else is said."""
    return g.op("BitwiseAnd", x, words(g, mask), shape=x.shape)


def joined(g: Builder, lower: Value, upper: Value) -> Value:
    """Two words as 64 bits."""
    return g.op("Add", lower, g.op("Mul", upper, words(g, 1 << 32), shape=upper.shape), shape=lower.shape)


def part(g: Builder, x: Value, low: int, high: int) -> Value:
    """Some of the words of a key or a counter."""
    cut = g.slice(x, g.ints([low]), g.ints([high]), [0])
    return Value(cut.name, x.dtype, (high - low,))


def of_seeds(g: Builder, seed: int, seed2: int) -> State:
    """The state that a stateful op with seeds begins with."""
    parts = [number >> shift & _WORD for number in (seed, seed2) for shift in (0, 32)]
    return State(words(g, *parts[:2]), words(g, 0, 0, *parts[2:]), True)


def of_pair(g: Builder, seed: Value) -> State:
    """The state of a stateless op's two seeds, mixed."""
    wide = g.unsqueeze(g.cast(seed, work()), [1])
    halves = g.concat([masked(g, wide), high_word(g, wide)], 1, (2, 2))  # a row for each seed
    key = words(g, _SCRAMBLE & _WORD, _SCRAMBLE >> 32)
    sides = [g.op("Gather", halves, g.ints([place]), axis=1, shape=(2, 1)) for place in (0, 1)]
    mixed = g.reshape(_mixed(g, key, *sides), [4])
    return State(part(g, mixed, 0, 2), g.concat([words(g, 0, 0), part(g, mixed, 2, 4)], 0, (4,)), True)


def of_key(g: Builder, key: Value, counter: Value, alg: Value) -> State:
    """The state that key and counter say."""
    if int(g.fixed(alg, "the algorithm")) not in (1, 3):
        raise Refusal("the algorithm has no kernel on CPUs")
    held = g.cast(key, work())
    turn = g.unsqueeze(part(g, g.cast(counter, work()), 0, 2), [1])
    whole_turn = g.reshape(g.concat([masked(g, turn), high_word(g, turn)], 1, (2, 2)), [4])
    return State(g.concat([masked(g, held), high_word(g, held)], 0, (2,)), whole_turn, False)


def _mixed(g: Builder, key: Value, a: Value, b: Value) -> Value:
    """Ten rounds over four words each (n, 4), given as the first and third (2, n), and the second and fourth. The
    runtime is quick along a last dimension that is long.

    A round changes the order of the words of both; so do multipliers and keys from one round to the next.
    """
    order = np.array([[0, 1] if turn % 2 else [1, 0] for turn in range(_ROUNDS)])
    steps = np.arange(_ROUNDS, dtype=np.uint64)[:, None] * np.array(_WEYL, np.uint64)[order]
    spread = g.op("Gather", key, g.const(order.reshape(-1, 1), INT64), axis=0, shape=(2 * _ROUNDS, 1))
    moved = g.op("Add", spread, known(g, steps.reshape(-1, 1)), shape=(2 * _ROUNDS, 1))
    kinds, pairs = [moved.dtype] * _ROUNDS, [(2, 1)] * _ROUNDS
    keys = g.ops("Split", masked(g, moved), dtypes=kinds, shapes=pairs, axis=0, num_outputs=_ROUNDS)
    multipliers = [known(g, np.array(pair, np.uint64)[:, None]) for pair in (_MULTIPLIERS, _MULTIPLIERS[::-1])]
    other = g.ints([1, 0])
    for turn in range(_ROUNDS):
        product = g.op("Mul", a, multipliers[turn % 2], shape=a.shape)
        crossed = g.op("Gather", b, other, axis=0, shape=b.shape)
        other_half = g.op("BitwiseXor", crossed, keys[turn], shape=b.shape)
        mixed = g.op("BitwiseXor", other_half, high_word(g, product), shape=a.shape)
        a, b = mixed, masked(g, product)
    both = g.concat([g.unsqueeze(side, [1]) for side in (a, b)], 1, (2, 2, None))
    return g.transpose(g.reshape(both, [4, -1]), [1, 0])


def turns(g: Builder, state: State, numbers: Value) -> Value:
    """The words (n, 4) of these turns of the counter (n int64 numbers below 2^31)."""
    count = count_of(g, numbers)
    turn = g.cast(numbers, work())
    counter = [part(g, state.counter, place, place + 1) for place in range(4)]
    if state.fresh:
        third = g.op("Expand", counter[2], count, shape=(None,))
        a = _beside(g, [turn, third])
        return _mixed(g, state.key, a, g.unsqueeze(g.concat([counter[1], counter[3]], 0, (2,)), [1]))
    carried = g.op("Add", turn, counter[0], shape=(None,))
    made = [masked(g, carried)]
    for word in counter[1:]:
        carried = g.op("Add", high_word(g, carried), word, shape=(None,))
        made.append(masked(g, carried))
    return _mixed(g, state.key, _beside(g, made[0::2]), _beside(g, made[1::2]))


def _beside(g: Builder, parts: Sequence[Value]) -> Value:
    return g.concat([g.unsqueeze(each, [0]) for each in parts], 0, (len(parts), None))


def draw(g: Builder, state: State, count: Value, each: int) -> Value:
    """Words, four a turn, for `count` numbers (a vector of one int64) of which a turn gives `each`; some more."""
    return turns(g, state, arange(g, groups_of(g, count, each)))


def groups_of(g: Builder, count: Value, each: int) -> Value:
    """How many turns `count` numbers take; one at least, as an older runtime cannot count nothing."""
    needed = g.op("Div", g.op("Add", count, g.ints([each - 1]), shape=(1,)), g.ints([each]), shape=(1,))
    return g.op("Max", needed, g.ints([1]), shape=(1,))


def first(g: Builder, x: Value, count: Value) -> Value:
    """The first numbers, laid out flat."""
    flat = g.reshape(x, [-1])
    return Value(g.slice(flat, g.ints([0]), count, [0]).name, x.dtype, (None,))


def per_turn(dtype: DType) -> int:
    """How many numbers a turn gives."""
    return 2 if dtype.itemsize == 8 else 4


def _halves(g: Builder, drawn: Value) -> tuple[Value, Value]:
    pairs = g.reshape(drawn, [-1, 2])
    made = [g.op("Gather", pairs, g.const(place, INT64), axis=1, shape=(None,)) for place in (0, 1)]
    return made[0], made[1]


def whole(g: Builder, drawn: Value, dtype: DType) -> Value:
    """Numbers of all their bits, in the dtype."""
    if dtype.itemsize == 8:
        lower, upper = _halves(g, drawn)
        return g.cast(joined(g, lower, upper), dtype)
    return g.cast(g.reshape(drawn, [-1]), dtype)


def uniform(g: Builder, drawn: Value, dtype: DType) -> Value:
    """Numbers in [0, 1): of the bits of the mantissa, which a float holds exactly."""
    if dtype == FLOAT64:
        upper, lower = _halves(g, drawn)
        bits = joined(g, lower, masked(g, upper, 0xFFFFF))
        return g.op("Mul", g.cast(bits, FLOAT64), g.const(2.0**-52, FLOAT64), shape=(None,))
    size = {FLOAT32: 23, FLOAT16: 10, BFLOAT16: 7}[dtype]
    bits = masked(g, g.reshape(drawn, [-1]), (1 << size) - 1)
    made = g.op("Mul", g.cast(bits, FLOAT32), g.const(2.0**-size, FLOAT32), shape=(None,))
    return g.cast(made, dtype)


def normal(g: Builder, drawn: Value, dtype: DType) -> Value:
    """Numbers of mean 0 and deviation 1 (n, 2), two of each two uniform ones; narrow ones in float32."""
    wide = FLOAT64 if dtype == FLOAT64 else FLOAT32
    pairs = g.reshape(uniform(g, drawn, wide), [-1, 2])
    one, two = (g.op("Gather", pairs, g.const(place, INT64), axis=1, shape=(None,)) for place in (0, 1))
    kept = g.op("Max", one, g.const(1.0e-7, wide), shape=(None,))
    angle = g.cast(g.op("Mul", g.cast(two, FLOAT64), g.const(2 * np.pi, FLOAT64), shape=(None,)), wide)
    size = g.unary("Sqrt", g.op("Mul", g.unary("Log", kept), g.const(-2.0, wide), shape=(None,)))
    sides = [g.op("Mul", g.unary(op, angle), size, shape=(None,)) for op in ("Sin", "Cos")]
    return g.concat([g.unsqueeze(side, [1]) for side in sides], 1, (None, 2))
