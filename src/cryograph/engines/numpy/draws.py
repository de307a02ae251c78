"""Random numbers drawn from Philox, bit for bit as TensorFlow's CPU kernels draw them.

A state is a key and a 128-bit counter; each turn of the counter gives four words of 32 bits. What is drawn is laid out
in groups: a turn gives four numbers of 32 bits or less, or two of 64. A number that may be thrown away and drawn again
(a truncated normal one) has 256 words kept for it, so that groups never wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context
from .random import generator_seeds, uniform

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_WORD = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_SCRAMBLE = 0x02461E293EC8F720
"""The key under which seeds are mixed."""
KEPT = 256
"""Words that are kept for a number which may be drawn again."""
MAX_COUNT = 1 << 32


@dataclass(frozen=True, slots=True)
class Philox:
    """A state: `key` of 64 bits, `counter` of 128."""

    key: int
    counter: int

    def words(self, start: int, count: int, step: int = 1) -> Array:
        """(count, 4) words of the turns `start`, `start + step` ... from here on."""
        moved = Philox(self.key, (self.counter + start) & ((1 << 128) - 1))
        return moved.at(np.arange(count, dtype=np.uint64) * np.uint64(step))

    def at(self, turns: Array) -> Array:
        """(n, 4) words of the turns that lie so far from here, as uint64."""
        count = len(turns)
        low, high = self.counter & 0xFFFFFFFFFFFFFFFF, self.counter >> 64
        lows = turns + np.uint64(low)  # wraps
        highs = np.full(count, high, np.uint64) + (lows < turns).astype(np.uint64)
        a, b, c, d = lows & _WORD, lows >> _SHIFT, highs & _WORD, highs >> _SHIFT
        key = [self.key & 0xFFFFFFFF, self.key >> 32]
        for _ in range(_ROUNDS):
            one, two = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
            a, b, c, d = (
                (two >> _SHIFT) ^ b ^ np.uint64(key[0]),
                two & _WORD,
                (one >> _SHIFT) ^ d ^ np.uint64(key[1]),
                one & _WORD,
            )
            key = [(k + w) & 0xFFFFFFFF for k, w in zip(key, _WEYL, strict=True)]
        return np.stack([a, b, c, d], -1).astype(np.uint32)


def of_seeds(seed: int, seed2: int) -> Philox:
    """The state that a stateful op begins with; another one each time when both seeds are 0. Where the op has run
    before, the turns that went by stand above the 64 bits of `seed2`."""
    first, second = generator_seeds(seed, seed2)
    return Philox(first & 0xFFFFFFFFFFFFFFFF, (second & 0xFFFFFFFFFFFFFFFF) << 64 | max(second >> 64, 0))


def of_pair(seed: Array) -> Philox:
    """The state of a stateless op's two seeds, mixed."""
    if seed.shape != (2,):
        raise RunError(f"a seed is two numbers, not {list(seed.shape)}")
    low, high = (int(n) & 0xFFFFFFFFFFFFFFFF for n in seed)
    mixed = [int(n) for n in Philox(_SCRAMBLE, low | high << 64).words(0, 1)[0]]
    return Philox(mixed[0] | mixed[1] << 32, (mixed[2] | mixed[3] << 32) << 64)


def of_key(key: Array, counter: Array, alg: Array) -> Philox:
    """The state that key and counter say; the other generators have no kernel on CPUs."""
    if int(alg) not in (1, 3):
        raise RunError(f"the algorithm {int(alg)} has no kernel on CPUs; 1 (Philox) and 3 (any) have")
    if key.shape != (1,) or counter.ndim != 1 or counter.size < 2:
        raise RunError(
            f"a key of 1 and a counter of 2 numbers were expected, not {list(key.shape)} {list(counter.shape)}"
        )
    return Philox(int(key[0]), int(counter[0]) | int(counter[1]) << 64)


def sizes_of_shape(shape: Array) -> list[int]:
    """A shape that is drawn; RunError when it is none or too large."""
    sizes = [int(n) for n in shape.reshape(-1)]
    if shape.ndim != 1 or min(sizes, default=0) < 0 or prod(sizes) > MAX_COUNT:
        raise RunError(f"{sizes} is no shape to fill")
    return sizes


def numbers_a_turn(dtype: np.dtype[Any]) -> int:
    """How many numbers a turn gives."""
    return 2 if dtype.itemsize == 8 else 4


def draw_uniform(state: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """Floats in [0, 1)."""
    return uniform(state.words(0, -(-count // numbers_a_turn(dtype))), dtype)[:count]


def whole(state: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """Integers of all their bits, as unsigned words."""
    words = state.words(0, -(-count // numbers_a_turn(dtype))).reshape(-1)
    if dtype.itemsize == 8:
        wide = words.astype(np.uint64)
        words = wide[0::2] | wide[1::2] << _SHIFT
    return words[:count]


def between(state: Philox, count: int, low: Array, high: Array) -> Array:
    """Integers from `low` to below `high`: the rest of a division, a little uneven for large ranges."""
    if low.ndim or high.ndim:
        raise RunError("the ends of the range must be single numbers")
    if count and low >= high:
        raise RunError(f"the range from {low} to {high} is empty")
    words = whole(state, count, low.dtype)
    span = words.dtype.type((int(high) - int(low)) & (0xFFFFFFFFFFFFFFFF if low.dtype.itemsize == 8 else 0xFFFFFFFF))
    return np.asarray((words % span).astype(low.dtype) + low) if count else words.astype(low.dtype)


def _pairs(first: Array, second: Array, dtype: Any) -> tuple[Array, Array]:
    """Two normal numbers of each two uniform ones (Box and Muller 1958); functions are rounded to `dtype` once."""
    kept = np.maximum(first, dtype(1.0e-7)).astype(np.float64)
    angle = (2.0 * np.pi * second.astype(np.float64)).astype(dtype).astype(np.float64)
    size = np.sqrt(dtype(-2.0) * np.log(kept).astype(dtype))
    return np.sin(angle).astype(dtype) * size, np.cos(angle).astype(dtype) * size


def draw_normal(state: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """Numbers of mean 0 and deviation 1; narrow ones are worked out in float32."""
    return box_muller(state.words(0, -(-count // numbers_a_turn(dtype))), dtype)[:count]


def box_muller(words: Array, dtype: np.dtype[Any]) -> Array:
    """The normal numbers of turns, flat; narrow ones are worked out in float32."""
    wide = np.float64 if dtype == np.float64 else np.float32
    flat = uniform(words, np.dtype(wide)).reshape(-1, 2)
    return np.stack(_pairs(flat[:, 0], flat[:, 1], wide), -1).reshape(-1).astype(dtype)


def draw_truncated(state: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """Normal numbers, drawn again while they are not within two deviations."""
    each = numbers_a_turn(dtype)
    groups = -(-count // each)
    made = np.zeros((groups, each), np.float64 if dtype == np.float64 else np.float32)
    filled = np.zeros(groups, np.int64)
    open_ = np.arange(groups)
    turn = 0
    per_group = each * KEPT // 4
    while len(open_):
        words = state.at(open_.astype(np.uint64) * np.uint64(per_group) + np.uint64(turn))
        flat = uniform(words, np.dtype(made.dtype)).reshape(len(open_), -1, 2)
        for pair in range(flat.shape[1]):
            for candidate in _pairs(flat[:, pair, 0], flat[:, pair, 1], made.dtype.type):
                good = (np.abs(candidate) < 2) & (filled[open_] < each)
                rows = open_[good]
                made[rows, filled[rows]] = candidate[good]
                filled[rows] += 1
        open_ = open_[filled[open_] < each]
        turn += 1
    return made.reshape(-1)[:count].astype(dtype)


def drawn(ctx: Context, make: Any, state: Philox, shape: Array) -> Array:
    """Numbers of a distribution in a shape."""
    sizes = sizes_of_shape(shape)
    return np.asarray(make(state, prod(sizes), ctx.dtype)).reshape(sizes)
