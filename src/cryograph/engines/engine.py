"""What an engine is: it says what it cannot take, and turns the rest into a callable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..base.errors import UnsupportedError
from ..base.tensors import Array
from ..ops.care import error_for
from ..program.program import Program, Step

Runner = Callable[[Sequence[Array]], list[Array]]
"""Takes the values of `program.inputs` in order, then those of `program.state`; gives `program.outputs`, then the
state's results. Strings are object arrays of bytes."""

LISTED = 5
"""Steps that an error names."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """One step that an engine cannot take, and why in words (op, attribute, value, what is supported)."""

    step: Step
    reason: str


def cannot_take(who: str, lacking: Sequence[Unsupported], program: Program, way_out: str = "") -> UnsupportedError:
    """The error of whoever cannot take some steps of a program: which, why, and the way out."""
    listed = "; ".join(f"{item.step.name} ({item.step.op}): {item.reason}" for item in lacking[:LISTED])
    more = f"; and {len(lacking) - LISTED} more" if len(lacking) > LISTED else ""
    kind = error_for(item.step.op for item in lacking)
    count = f"{len(lacking)} of {len(program.steps)} steps"
    return kind(f"{who} take {count}: {listed}{more}.{way_out and ' '}{way_out}")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program ready to run, and in words which engine runs what."""

    run: Runner
    pieces: tuple[str, ...] = ()


class Trainer(Protocol):
    """Trains state of a program, step by step."""

    def step(self, feeds: Sequence[Array], seeds: Array) -> list[Any]:
        """One step; gives the outputs before it."""
        ...

    def look(self, feeds: Sequence[Array], seeds: Array) -> list[Array]:
        """The outputs; nothing is trained."""
        ...

    @property
    def state(self) -> list[Array]:
        """The values of all state."""
        ...

    @property
    def kept(self) -> list[Array]:
        """What the optimizer keeps."""
        ...

    def restore(self, state: Sequence[Array], kept: Sequence[Array]) -> None:
        """Goes on from values that a former run left."""
        ...


class Engine(Protocol):
    """An engine, as users name it in `engine="..."`."""

    @property
    def name(self) -> str:
        """What users write."""
        ...

    def missing(self, program: Program) -> list[Unsupported]:
        """The steps that this engine cannot take, bodies included; empty when it can run the whole program."""
        ...

    def prepare(self, program: Program) -> Runner:
        """A callable that runs the program; UnsupportedError when `missing` is not empty."""
        ...
