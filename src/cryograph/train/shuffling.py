"""The order in which TensorFlow's shuffled datasets give their elements: a buffer, and random numbers of Philox."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ..base.errors import RunError
from ..base.tensors import Array
from ..engines.numpy.draws import Philox, of_seeds

Element = tuple[Array, ...]
Start = Callable[[], Iterator[Element]]
"""Begins a dataset anew and gives its elements."""

MAX_EPOCHS = 3
"""Epochs that may lie in one buffer."""
BLOCK = 64
"""Turns of the generator that are worked out at once."""


class Numbers:
    """Random numbers of 32 bits, one after the other, from two seeds; others each time when both are 0."""

    def __init__(self, seed: int, seed2: int) -> None:
        if not seed and not seed2:
            seed, seed2 = secrets.randbits(63), secrets.randbits(63)
        self._state: Philox = of_seeds(seed, seed2)
        self._turn = 0
        self._left: Iterator[int] = iter(())

    def next(self) -> int:
        """The next one."""
        number = next(self._left, None)
        if number is None:
            words = self._state.words(self._turn, BLOCK).reshape(-1)
            self._turn += BLOCK
            self._left = iter(words.tolist())
            number = next(self._left)
        return int(number)


def shuffled(start: Start, size: int, numbers: Numbers, count: int = 1) -> Iterator[Element]:
    """The elements of `count` epochs (-1: for ever). Each is drawn from a buffer of `size`, from the part of it that
    belongs to the first epoch that is still in it."""
    if size < 1:
        raise RunError(f"a buffer of {size} elements cannot be shuffled")
    buffer: dict[int, Element] = {}
    epochs: deque[list[int]] = deque([[0, 0]])
    source: Iterator[Element] | None = start()
    epoch, first = 0, True
    while True:
        while source is not None and len(buffer) < size and len(epochs) <= MAX_EPOCHS:
            element: Any = None
            while count < 0 or epoch < count:
                element = next(source, None)
                if element is not None:
                    first = False
                    break
                if first and count < 0:
                    return  # an empty dataset, repeated for ever, is empty
                epoch += 1
                end = epochs[-1][1]
                epochs.append([end, end])
                source = start()
            if element is None:
                source = None
            else:
                buffer[epochs[-1][1]] = element
                epochs[-1][1] += 1
        while epochs and epochs[0][0] == epochs[0][1] and len(epochs) > 1:
            epochs.popleft()
        low, high = epochs[0]
        if low == high:
            return
        place = low + numbers.next() % (high - low)
        chosen = buffer[place]
        buffer[place] = buffer[low]
        del buffer[low]
        epochs[0][0] += 1
        yield chosen
