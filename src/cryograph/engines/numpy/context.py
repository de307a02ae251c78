"""What a rule sees of the step that it computes, beside inputs and attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ...base.dtypes import DType
from ...base.errors import RunError
from ...base.tensors import Array
from ...program.program import Step

RunBody = Callable[[str, Sequence[Array]], list[Array]]
"""Runs one of the step's bodies by its name."""


@dataclass(frozen=True, slots=True)
class Context:
    """One step. `xp` is the array namespace that rules compute with; `output_dtypes` are those that the program
    says."""

    xp: Any
    step: Step
    output_dtypes: tuple[DType, ...]
    run_body: RunBody

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy dtype of the first output."""
        return self.kind(0)

    def kind(self, output: int) -> np.dtype[Any]:
        """The numpy dtype of an output."""
        held = self.output_dtypes[output].numpy
        return np.dtype(object) if held is None else held

    def written(self, out: Any, index: Any, values: Any) -> Any:
        """An array that nobody else holds, with values put into some of its places."""
        out[index] = values
        return out

    def derived_as(self, value: Any, like: Any) -> Any:
        """A value whose derivatives, where somebody asks for them, are those of another."""
        return value

    def check(self, fails: Any, message: str) -> None:
        """RunError where a condition holds anywhere."""
        if np.any(fails):
            raise RunError(message)

    def sizes(self, x: Any) -> tuple[int, ...]:
        """The numbers of an array of any shape, which say how large something is."""
        return tuple(int(n) for n in self.known(x).reshape(-1))

    def known(self, x: Any) -> Array:
        """The value of an input that says how something is computed."""
        found: Array = x
        return found


Rule = Callable[..., Any]
"""`rule(ctx, *inputs, **attributes)`: one array, or a tuple of them. Its keyword-only parameters are exactly the
attributes that it takes."""


@cache
def parameters(rule: Rule) -> frozenset[str]:
    """The attributes that a rule takes: its keyword-only parameters."""
    found = inspect.signature(rule).parameters.values()
    return frozenset(p.name for p in found if p.kind is p.KEYWORD_ONLY)
