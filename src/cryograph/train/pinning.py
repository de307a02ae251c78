"""Runs whose state stays the same for a while, with that state as constants.

An engine makes more of weights that it knows: it packs them, folds norms into them, lays them out. So when one kind of
run has taken as long, on the same values, as it took to make it ready, it is made ready once more with the values as
constants. This is used as long as the values are the same arrays, and costs at most about what was spent before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..base.errors import UnsupportedError
from ..base.tensors import Array, Tensor
from ..engines.engine import Runner
from ..engines.engines import prepare
from ..program.program import Program, Spec

PACKING = frozenset({"auto", "fastest", "onnxruntime", "openvino"})
"""The engines that make more of constants."""


@dataclass(frozen=True, slots=True)
class _Pinned:
    """A runner, and the values that it holds."""

    held: tuple[Array, ...]
    run: Runner


class Pinning:
    """Runs one kind of run. `names` are the last inputs of the program: what is only read of the state. `run` is its
    runner, and `cost` how many seconds it took to make that."""

    def __init__(self, program: Program, names: Sequence[str], engine: str, run: Runner, cost: float) -> None:
        self._program = program
        self._names = tuple(names)
        self._engine = engine
        self._run = run
        self._cost = cost
        self._pinned: _Pinned | None = None
        self._last: tuple[Array, ...] = ()
        self._spent = 0.0
        self._lock = threading.Lock()

    def run(self, feeds: Sequence[Array], state: Sequence[Array]) -> list[Array]:
        """The answers to feeds, on the state: what is only read, then what is written too."""
        count = len(self._names)
        pinned = self._pinned
        if pinned is not None and _same(pinned.held, state):
            return pinned.run([*feeds, *state[count:]])
        start = time.perf_counter()
        answers = self._run([*feeds, *state])
        self._note(tuple(state[:count]), time.perf_counter() - start)
        return answers

    def _note(self, held: tuple[Array, ...], seconds: float) -> None:
        """Adds up what is spent on the same values, and makes them constants when it is enough."""
        if not self._lock.acquire(blocking=False):
            return  # another thread does it
        try:
            if not _same(self._last, held):
                self._last, self._spent, self._pinned = held, 0.0, None
            self._spent += seconds
            if self._spent >= self._cost:
                self._pin(held)
        finally:
            self._lock.release()

    def _pin(self, held: tuple[Array, ...]) -> None:
        program, count = self._program, len(self._names)
        start = time.perf_counter()
        tensors = {
            name: Tensor.of(value, program.specs[name].dtype) for name, value in zip(self._names, held, strict=True)
        }
        known = {name: Spec(program.specs[name].dtype, tensor.shape) for name, tensor in tensors.items()}
        fixed = replace(
            program,
            inputs=program.inputs[: len(program.inputs) - count],
            constants={**program.constants, **tensors},
            specs={**program.specs, **known},
        )
        try:
            self._pinned = _Pinned(held, prepare(fixed, self._engine).run)
        except UnsupportedError:
            self._cost = float("inf")  # constants do not suit the engine
            return
        self._spent = 0.0
        self._cost = max(self._cost, time.perf_counter() - start)


def _same(held: Sequence[Array], state: Sequence[Array]) -> bool:
    """Whether the values are the same arrays; those of a store never change."""
    return bool(held) and all(a is b for a, b in zip(held, state, strict=False))
