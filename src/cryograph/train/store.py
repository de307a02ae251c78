"""What a session holds: the values of variables, of tables and of random generators, by the names of the state.

A value is an array that nobody changes any more: what is written is a new one. So whoever reads takes the arrays as
they are at one moment, and is not disturbed by writers.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ..base.tensors import Array, Tensor


class Store:
    """The values by name, None where there is none yet. Calls from several threads are safe; who reads and then writes
    what follows from it holds `writing` meanwhile."""

    def __init__(self) -> None:
        self._values: dict[str, Array | Tensor | None] = {}
        self._lock = threading.Lock()
        self.writing = threading.RLock()
        self.empty: frozenset[str] = frozenset()

    def begin(self, firsts: Mapping[str, Tensor | None]) -> None:
        """Notes names that are met for the first time, with their first values."""
        with self._lock:
            for name, tensor in firsts.items():
                self._values.setdefault(name, tensor)
            self._note()

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def holds(self, name: str) -> bool:
        """Whether there is a value."""
        return self._values.get(name) is not None

    def read(self, names: Sequence[str]) -> list[Any]:
        """The values of one moment: arrays, or None."""
        with self._lock:
            found = [self._values[name] for name in names]
            for place, value in enumerate(found):
                if isinstance(value, Tensor):  # of the model's file, read when it is first needed
                    found[place] = self._values[names[place]] = value.numpy()
        return found

    def write(self, names: Sequence[str], values: Sequence[Array]) -> None:
        """New values, all at once."""
        for value in values:
            value.flags.writeable = False
        with self._lock:
            self._values.update(zip(names, values, strict=True))
            if not self.empty.isdisjoint(names):
                self._note()

    def forget(self, prefix: str) -> None:
        """Lets go of the values whose names begin so."""
        with self._lock:
            for name in [name for name in self._values if name.startswith(prefix)]:
                del self._values[name]
            self._note()

    def _note(self) -> None:
        self.empty = frozenset(name for name, value in self._values.items() if value is None)
