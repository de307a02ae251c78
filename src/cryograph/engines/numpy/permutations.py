"""Ops that put things into a random order: rows, and indices one by one without the order being written down."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import Philox, of_key, of_seeds

MAX_ROUNDS = 64  # the cipher's constant has no more bits
_LEAST_BITS = 16
_SMALL = np.uint64(_LEAST_BITS // 2)
_CONSTANT = 0xFFFFFFFC
_BITS_OF_ROUNDS = 0x7369F885192C0EF5
_ONE, _TWO = np.uint64(1), np.uint64(2)


def _shuffled(state: Philox, value: Array) -> Array:
    """Each element changes places with a later one, or with itself (Fisher and Yates)."""
    if value.ndim == 0 or len(value) < 2 or value.size < 2:
        return value
    count = len(value)
    words = state.words(0, -(-count // 4)).reshape(-1)
    order = np.arange(count)
    for place, step in enumerate((words[: count - 1] % np.arange(count, 1, -1)).tolist()):
        order[place], order[place + step] = order[place + step], order[place]
    return value[order]


def _shuffle(ctx: Context, value: Array, *, seed: int = 0, seed2: int = 0) -> Array:
    return _shuffled(of_seeds(seed, seed2), value)


def _stateless_shuffle(ctx: Context, value: Array, key: Array, counter: Array, alg: Array) -> Array:
    return _shuffled(of_key(key, counter, alg), value)


class _Simon:
    """The block cipher Simon (Beaulieu et al. 2013) with blocks of any even number of bits, one for each index."""

    def __init__(self, keys: Array, half: Array, rounds: int) -> None:
        """`keys` (n, 3), `half` the bits of half a block."""
        self._half = half
        self._mask = (_ONE << half) - _ONE
        self._keys = [column & self._mask for column in keys.T]
        bits = np.uint64(_BITS_OF_ROUNDS) & self._mask
        for n in range(3, rounds):
            bit = bits >> np.uint64(n - 3) & _ONE
            last = self._keys[-1]
            mixed = np.uint64(_CONSTANT) & self._mask ^ bit ^ self._keys[n - 3]
            self._keys.append(mixed ^ self._turned(last, -3) ^ self._turned(last, -4))

    def _turned(self, x: Array, by: int) -> Array:
        """Rotated to the left."""
        left = np.uint64(by) if by > 0 else self._half - np.uint64(-by)
        return np.asarray(x << left & self._mask | x >> (self._half - left))

    def _mixed(self, x: Array) -> Array:
        return self._turned(x, 1) & self._turned(x, 8) ^ self._turned(x, 2)

    def encipher(self, x: Array) -> Array:
        """The block that stands for a block."""
        left, right = x >> self._half & self._mask, x & self._mask
        for one, two in zip(self._keys[0::2], self._keys[1::2], strict=True):
            left = left ^ self._mixed(right) ^ one
            right = right ^ self._mixed(left) ^ two
        return np.asarray(left << self._half | right)


def _index_shuffle(ctx: Context, index: Array, seed: Array, max_index: Array, *, rounds: int = 4) -> Array:
    """Where an index stands in an order of all up to the largest: enciphered until it is no larger than that."""
    single = index.ndim == 0 and seed.ndim == 1 and max_index.ndim == 0
    count = max(index.size, max_index.size, seed.size // 3)
    fits = index.shape in ((), (count,)) and max_index.shape in ((), (count,)) and seed.shape in ((3,), (count, 3))
    if not fits:
        raise RunError(
            f"index, seed and largest index of {[list(x.shape) for x in (index, seed, max_index)]} do not fit"
        )
    if not 4 <= rounds <= MAX_ROUNDS or rounds % 2:
        raise RunError(f"{rounds} rounds were asked for; an even number from 4 to {MAX_ROUNDS} is taken")
    if count and ((index < 0).any() or (index > max_index).any()):
        raise RunError(f"an index of {index.reshape(-1)[:20].tolist()} is below 0 or above the largest one")
    made = np.broadcast_to(index, count).astype(np.uint64)
    most = np.broadcast_to(max_index, count).astype(np.uint64)
    keys = np.broadcast_to(seed, (count, 3)).astype(np.uint64) & np.uint64(0xFFFFFFFF)
    bits = np.ceil(np.log2(np.maximum(most, _ONE).astype(np.float64))).astype(np.uint64)
    half = np.clip(bits + bits % _TWO, _LEAST_BITS, 64).astype(np.uint64) // _TWO
    made[most == 0] = 0
    for key in np.unique(keys[(most > 0) & (half == _SMALL)], axis=0):
        rows = np.flatnonzero((most > 0) & (half == _SMALL) & (keys == key).all(1))
        made[rows] = _walked(key, rounds, made[rows], most[rows])
    open_ = np.flatnonzero(half > _SMALL)
    while len(open_):  # at least one of four blocks is an index
        made[open_] = _Simon(keys[open_], half[open_], rounds).encipher(made[open_])
        open_ = open_[made[open_] > most[open_]]
    return made.astype(ctx.dtype).reshape(() if single else (count,))


def _walked(key: Array, rounds: int, index: Array, most: Array) -> list[int]:
    """Indices among few, by a table of all blocks: most of the blocks that are met on the way are none of them."""
    cipher = _Simon(key[None], np.array([_SMALL]), rounds)
    table = cipher.encipher(np.arange(1 << _LEAST_BITS, dtype=np.uint64)).tolist()
    found = []
    for at, limit in zip(index.tolist(), most.tolist(), strict=True):
        at = table[at % len(table)]
        while at > limit:
            at = table[at]
        found.append(at)
    return found


RULES: dict[str, Rule] = {
    "RandomIndexShuffle": _index_shuffle,
    "RandomShuffle": _shuffle,
    "StatelessShuffle": _stateless_shuffle,
}
