"""What rules that take handles may ask of the walk that applies them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ..base.tensors import Tensor
from .draft import Op
from .holders import Holder, Part


class Scope(Protocol):
    """What rules may ask of the walk that applies them."""

    def value(self, part: Part) -> str:
        """The present value of a part."""

    def read(self, holder: Holder, op: Op) -> str:
        """The present value of a variable that an op takes as a value; GraphError for another handle."""

    def write(self, part: Part, value: str) -> None:
        """The part has this value from now on."""

    def begin(self, part: Part, value: str) -> None:
        """A part that comes into being here, and is no state of the program, has this first value."""

    def has_value(self, part: Part) -> bool:
        """Whether a part has been given a value."""

    def constant(self, key: str, tensor: Tensor) -> str:
        """A value that is a constant."""

    def emit(self, op: Op, op_name: str, inputs: Sequence[str], attrs: Mapping[str, Any], count: int = 1) -> list[str]:
        """Adds an op in the place of `op` and gives its outputs."""

    def rename(self, op: Op, output: int, value: str) -> None:
        """An output of `op` is this value."""

    def refer(self, op: Op, output: int, holder: Holder) -> None:
        """An output of `op` is a reference to this."""


Rule = Callable[[Scope, Op, Sequence[str], Holder], None]
"""Applies an op whose first input is the handle of `holder`; the inputs are given by their present names."""
