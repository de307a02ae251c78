"""What a rule of the JAX engine sees of its step, and what it may ask about a value.

A value is a numpy array where it is known while a program is traced (shapes, what follows from them, small constants),
and JAX's array where it is not. Rules compute with `ctx.xp` (jax.numpy) and `ctx.lax`; none imports jax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from ...program.program import Program
from ..numpy.context import Context


class NeedsValue(RunError):
    """A rule needs the value of what is only known when the program runs. `inputs` are those of the step."""

    def __init__(self, message: str, inputs: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.inputs = inputs


@dataclass(frozen=True, slots=True)
class JaxContext(Context):
    """One step, with the package in which it is computed."""

    jax: Any
    seeds: Any
    """Random words of this run, (4,) uint32, for ops that draw without a seed."""
    unknown: tuple[type[Exception], ...]
    """The errors with which JAX says that a value is not known yet."""

    @property
    def lax(self) -> Any:
        """The operations of XLA."""
        return self.jax.lax

    def known(self, x: Any) -> Array:
        """The value of an input; NeedsValue where a trace does not know it."""
        return known(x, "what says how it is computed")

    def written(self, out: Any, index: Any, values: Any) -> Any:
        """An array with values put into some of its places."""
        return self.xp.asarray(out).at[index].set(values)

    def derived_as(self, value: Any, like: Any) -> Any:
        """A value whose derivatives are those of another."""
        stop = self.lax.stop_gradient
        return stop(value) + (like - stop(like))

    def check(self, fails: Any, message: str) -> None:
        """RunError where a condition holds anywhere: at once where it is known, else behind the run."""
        check(fails, message)

    def body(self, name: str) -> Program:
        """One of the step's bodies."""
        return self.step.bodies[name]


def is_known(x: Any) -> bool:
    """Whether the value can be looked at now."""
    return isinstance(x, np.ndarray | np.generic) or _concrete(x) is not None


def _concrete(x: Any) -> Any:
    """The number behind what JAX follows, where there is one: derivatives may be taken of what is not compiled."""
    while hasattr(x, "_trace"):
        x = getattr(x, "primal", None)
    return x


def known(x: Any, what: str = "an input") -> Array:
    """The value as a numpy array; NeedsValue where a trace does not know it."""
    if isinstance(x, np.ndarray):
        return x
    held = _concrete(x)
    if held is None:
        raise NeedsValue(f"{what} must be known before the program is compiled")
    return np.asarray(held)


def sizes(x: Any, what: str = "a shape") -> tuple[int, ...]:
    """The numbers of an array of any shape."""
    return tuple(int(n) for n in known(x, what).reshape(-1))


def number(x: Any, what: str = "a number") -> int:
    """A single number."""
    return int(known(x, what).reshape(()))


class Checks:
    """What a program that is compiled finds wrong while it runs, as nobody can be told before it ends.

    `code` is a value of the program: the number of the first check that failed, 0 when all is well. What a number means
    stands in `messages`, from 1 on.
    """

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self.code: Any = np.int32(0)
        self.messages: dict[str, int] = {}
        self.steps: list[str] = []
        self.depth = 0
        """How many traces lie around the present one, which may never be run."""

    def note(self, fails: Any, message: str) -> None:
        """A check of the step that is being traced."""
        number = self.messages.setdefault(": ".join([*self.steps, message]), len(self.messages) + 1)
        self.join(self._xp.where(self._xp.any(fails), np.int32(number), np.int32(0)))

    def join(self, code: Any) -> None:
        """What was found later; what was found first stays."""
        is_first = isinstance(self.code, np.generic)
        self.code = code if is_first else self._xp.where(self.code == 0, code, self.code)


_CHECKS: ContextVar[Checks | None] = ContextVar("_CHECKS", default=None)
"""Those of the trace that is made now. Functions of plain arrays check, too, to which no context is handed."""


@contextmanager
def checking(xp: Any) -> Iterator[Checks]:
    """Collects the checks of what is traced inside."""
    held = Checks(xp)
    token = _CHECKS.set(held)
    try:
        yield held
    finally:
        _CHECKS.reset(token)


@contextmanager
def at_step(where: str) -> Iterator[None]:
    """Says of the checks inside to which step they belong."""
    held = _CHECKS.get()
    if held is None:
        yield
        return
    held.steps.append(where)
    try:
        yield
    finally:
        held.steps.pop()


def apart(function: Callable[[], Any]) -> tuple[Any, Any]:
    """What a function gives, and the number of the check that failed in it. Bodies of loops and branches, and what is
    differentiated, are traces of their own: a value of them reaches the others only where it is handed out."""
    held = _CHECKS.get()
    if held is None:
        return function(), np.int32(0)
    before, held.code = held.code, np.int32(0)
    held.depth += 1
    try:
        return function(), held.code
    finally:
        held.code = before
        held.depth -= 1


def join(code: Any) -> None:
    """Takes up what `apart` found, where it has been handed out."""
    held = _CHECKS.get()
    if held is not None:
        held.join(code)


def check(fails: Any, message: str) -> None:
    """RunError where a condition is known to hold. A compiled program finds out whether it does while it runs, as it
    does of a branch whether it is taken, and the error is raised behind the run."""
    held = _CHECKS.get()
    if is_known(fails):
        if not np.any(known(fails)):
            return
        if held is None or not held.depth:
            raise RunError(message)
    if held is not None:
        held.note(fails, message)
