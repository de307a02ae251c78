"""The lowering of XLA's random bits, Philox's and ThreeFry's: see the reference's `xla_random`."""

from __future__ import annotations

from math import prod

import numpy as np

from ...base.dtypes import DType
from ...program.program import Step
from .builder import Builder, Table
from .philox import State, draw, first, high_word, joined, known, masked, part, whole, words, work
from .values import Refusal, Value

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_PHILOX, _THREEFRY, _ANY = 1, 2, 3
"""TensorFlow's numbers of the generators."""


def bits(
    g: Builder, step: Step, algorithm: Value, initial_state: Value, shape: Value, *, dtype: DType
) -> list[Value]:  # fmt: skip
    """The state afterwards, and whole numbers of all their bits."""
    (kind,) = g.fixed_ints(algorithm, "the algorithm")
    sizes = g.fixed_ints(shape, "the shape")
    length = initial_state.size(0)
    is_philox = kind == _PHILOX or (kind == _ANY and length == 3)
    if kind not in (_PHILOX, _THREEFRY, _ANY) or length != 2 + is_philox or min([0, *sizes]) < 0:
        raise Refusal(f"the generator {kind} does not go with a state of {length}")
    if not prod(sizes):
        return [initial_state, g.const(np.zeros(sizes), dtype)]
    state = g.cast(initial_state, work())
    halves = [_halves(g, part(g, state, place, place + 1)) for place in range(length)]
    if is_philox:
        turns = -(-prod(sizes) * max(dtype.itemsize // 4, 1) // 4)
        counter = [*halves[1], *halves[2]]
        held = State(g.concat(halves[0], 0, (2,)), g.concat(counter, 0, (4,)), False)
        each = 2 if dtype.itemsize == 8 else 4
        flat = first(g, whole(g, draw(g, held, g.ints([prod(sizes)]), each), dtype), g.ints([prod(sizes)]))
        made = g.reshape(flat, sizes)
    else:
        counter = halves[1]
        made, turns = _threefry_of_shape(g, halves[0], counter, sizes, dtype)
    after = _moved(g, counter, turns)
    parts = [joined(g, after[place], after[place + 1]) for place in range(0, len(after), 2)]
    whole_state = g.concat([part(g, state, 0, 1), *parts], 0, (length,))
    return [g.cast(whole_state, initial_state.dtype), made]


def _halves(g: Builder, number: Value) -> list[Value]:
    """The words of 64 bits, the low one first."""
    return [masked(g, number), high_word(g, number)]


def _moved(g: Builder, counter: list[Value], turns: int) -> list[Value]:
    """The words of a counter that has moved on."""
    made, carried = [], words(g, turns)
    for word in counter:
        total = g.op("Add", word, carried, shape=(1,))
        made.append(masked(g, total))
        carried = high_word(g, total)
    return made


def _threefry(g: Builder, key: list[Value], counter: list[Value], turns: int) -> list[Value]:
    """Both words (n, 1) of so many turns, in 20 rounds."""
    parity = g.op("BitwiseXor", *key, shape=(1,))
    keys = [*key, g.op("BitwiseXor", parity, words(g, _PARITY), shape=(1,))]
    shape = (turns, 1)
    low = g.op("Add", known(g, np.arange(turns, dtype=np.uint64)[:, None]), counter[0], shape=shape)
    high = g.op("Add", high_word(g, low), counter[1], shape=shape)
    a, b = (masked(g, g.op("Add", side, key[at], shape=shape)) for at, side in enumerate((masked(g, low), high)))
    for turn in range(5):
        for by in _ROTATIONS[turn % 2]:
            a = masked(g, g.op("Add", a, b, shape=shape))
            moved = g.op("Mul", b, words(g, 1 << by), shape=shape)
            turned = g.op("Add", masked(g, moved), high_word(g, moved), shape=shape)
            b = g.op("BitwiseXor", a, turned, shape=shape)
        a = masked(g, g.op("Add", a, keys[(turn + 1) % 3], shape=shape))
        step = g.op("Add", keys[(turn + 2) % 3], words(g, turn + 1), shape=(1,))
        b = masked(g, g.op("Add", b, step, shape=shape))
    return [a, b]


def _threefry_of_shape(
    g: Builder, key: list[Value], counter: list[Value], sizes: list[int], dtype: DType
) -> tuple[Value, int]:
    """Numbers and turns. The two words of a turn are neighbours along the first dimension of even size, or else along
    the largest one, of which the last number is left out then."""
    is_wide = dtype.itemsize == 8
    if is_wide or not sizes:
        turns = prod(sizes)
        low, high = _threefry(g, key, counter, turns)
        return g.cast(g.reshape(joined(g, low, high) if is_wide else low, sizes), dtype), turns
    axis = next((at for at, size in enumerate(sizes) if size % 2 == 0), sizes.index(max(sizes)))
    half = [*sizes[:axis], (sizes[axis] + 1) // 2, *sizes[axis + 1 :]]
    turns, rank = prod(half), len(sizes)
    laid = g.reshape(g.concat(_threefry(g, key, counter, turns), 1, (turns, 2)), [*half, 2])
    turned = g.transpose(laid, [*range(axis + 1), rank, *range(axis + 1, rank)])
    both = g.cast(g.reshape(turned, [*half[:axis], 2 * half[axis], *half[axis + 1 :]]), dtype)
    cut = g.slice(both, g.ints([0]), g.ints([sizes[axis]]), [axis])
    return Value(cut.name, dtype, tuple(sizes)), turns


LOWERINGS: Table = {"XlaRngBitGenerator": bits}
