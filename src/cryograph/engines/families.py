"""A table by name of op whose parts stand in the files of a folder, which are imported when they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


class Families(Mapping[str, T]):
    """The tables called `table` of the files `names` of a package as one. Files are imported in their order until one
    has what is asked for: all of an engine's take 0.1 s, and most models need the first few."""

    def __init__(self, package: str, names: Sequence[str], table: str) -> None:
        self._package = package
        self._table = table
        self._found: dict[str, T] = {}
        self._left = list(reversed(names))
        self._lock = RLock()  # a family may ask for what another one has while it is imported

    def family(self, name: str) -> ModuleType:
        """The file of a family, imported."""
        return import_module(f".{name}", self._package)

    def _import_next(self) -> None:
        with self._lock:
            if self._left:
                self._found.update(getattr(self.family(self._left[-1]), self._table))
                self._left.pop()

    def __getitem__(self, op: str) -> T:
        while op not in self._found:
            if not self._left:
                raise KeyError(op)
            self._import_next()
        return self._found[op]

    def __iter__(self) -> Iterator[str]:
        while self._left:
            self._import_next()
        return iter(self._found)

    def __len__(self) -> int:
        return sum(1 for _ in self)
