"""Random numbers of many outputs side by side, each from words of its own.

TensorFlow keeps 256 turns of its generator for each output of these distributions, so that one which throws numbers
away and draws again does not move the others, and the answers do not depend on how the work is shared out. The two
doubles that a turn gives are used from the last one on.
"""

from __future__ import annotations

import numpy as np

from ...base.tensors import Array
from .draws import KEPT, Philox, box_muller
from .random import uniform

_DOUBLE = np.dtype(np.float64)


def turns_of(state: Philox, outputs: Array, turn: int | Array, kept: int | Array = KEPT) -> Array:
    """(n, 4) words: one turn of each of some outputs, the one after `turn` others of its `kept` ones."""
    return state.at(outputs.astype(np.uint64) * np.asarray(kept, np.uint64) + np.asarray(turn, np.uint64))


def doubles_of(words: Array) -> Array:
    """(n, 2) doubles in [0, 1) of turns, in the order in which they are used."""
    return uniform(words, _DOUBLE).reshape(-1, 2)[:, ::-1]


class Streams:
    """The doubles of some outputs, uniform and normal ones, each kept until used. `rows` are places among `outputs`."""

    def __init__(self, state: Philox, outputs: Array) -> None:
        self._state = state
        self._outputs = outputs
        self._turn = np.zeros(len(outputs), np.uint64)
        self._kept = {kind: np.zeros((len(outputs), 2)) for kind in ("uniform", "normal")}
        self._left = {kind: np.zeros(len(outputs), np.int64) for kind in ("uniform", "normal")}

    def uniform(self, rows: Array) -> Array:
        """The next number in [0, 1) of each of these rows."""
        return self._next("uniform", rows)

    def normal(self, rows: Array) -> Array:
        """The next number of mean 0 and deviation 1 of each of these rows."""
        return self._next("normal", rows)

    def _next(self, kind: str, rows: Array) -> Array:
        kept, left = self._kept[kind], self._left[kind]
        empty = rows[left[rows] == 0]
        if len(empty):
            words = turns_of(self._state, self._outputs[empty], self._turn[empty])
            self._turn[empty] += np.uint64(1)
            made = uniform(words, _DOUBLE) if kind == "uniform" else box_muller(words, _DOUBLE)
            kept[empty] = made.reshape(len(empty), 2)
            left[empty] = 2
        left[rows] -= 1
        return np.asarray(kept[rows, left[rows]])


_TURNS = 64  # that a reader works out at a time


class Reader:
    """The words of a generator one behind the other, for what draws as it goes along."""

    def __init__(self, state: Philox) -> None:
        self._state = state
        self._turn = 0
        self._words: list[int] = []

    def word(self) -> int:
        """32 bits."""
        if not self._words:
            self._words = self._state.words(self._turn, _TURNS).reshape(-1)[::-1].tolist()
            self._turn += _TURNS
        return self._words.pop()

    def unit(self) -> np.float32:
        """A float32 in [0, 1)."""
        return np.float32(uniform(np.array([self.word()], np.uint32), np.dtype(np.float32))[0])

    def below(self, limit: int, bits: int = 32) -> int:
        """A whole number below `limit`; those that would favour small ones are drawn again."""
        while True:
            drawn = self.word() if bits == 32 else self.word() | self.word() << 32
            if drawn >= first_fair(limit, bits):
                return drawn % limit


def first_fair(limit: int, bits: int) -> int:
    """The first number of so many bits that may be drawn, so that the rests below `limit` are equally likely."""
    return 0 if limit & (limit - 1) == 0 else ((1 << bits) - 1) % limit + 1
