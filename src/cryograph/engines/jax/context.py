"""What a rule of the JAX engine sees of its step, and what it may ask about a value.

A value is a numpy array where it is known while a program is traced (shapes, what follows from them, small constants),
and JAX's array where it is not. Rules compute with `ctx.xp` (jax.numpy) and `ctx.lax`; none imports jax.
"""

from __future__ import annotations

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

    def kind(self, output: int) -> np.dtype[Any]:
        """The numpy dtype of an output."""
        held = self.output_dtypes[output].numpy
        return np.dtype(object) if held is None else held

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


def check(fails: Any, message: str) -> None:
    """RunError where a condition is known to hold. In a compiled program nobody can be told, and it goes on."""
    if is_known(fails) and bool(np.any(known(fails))):
        raise RunError(message)
