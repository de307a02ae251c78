"""The engine `onnxruntime`: runs whole programs by ONNX Runtime, and says which steps it cannot take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...program.program import Program
from ...program.scans import with_scans
from ..engine import Runner, Unsupported, cannot_take
from .lower import Lowering
from .passes import improve
from .session import Session, SessionSettings
from .values import OnnxGraph


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """ONNX Runtime on the CPU, in the model's own precision."""

    name: str = "onnxruntime"
    settings: SessionSettings = field(default_factory=SessionSettings)

    def missing(self, program: Program) -> list[Unsupported]:
        """The steps that have no lowering; empty when the whole program can run here."""
        return unsupported(Lowering(with_scans(program)))

    def prepare(self, program: Program) -> Runner:
        """A session over the whole program; UnsupportedError when a step has no lowering."""
        lowering = Lowering(with_scans(program))
        lacking = unsupported(lowering)
        if lacking:
            raise cannot_take("ONNX Runtime cannot", lacking, program, 'engine="auto" runs these on numpy.')
        return Session(improve(lowering.whole()), self.settings)


def unsupported(lowering: Lowering) -> list[Unsupported]:
    """The steps of a lowering that were refused, with the reasons."""
    return [Unsupported(lowering.program.steps[index], reason) for index, reason in lowering.refusals.items()]


def lowered(program: Program) -> OnnxGraph:
    """The graph of a whole program, with all passes done: what is run, and what is saved as `.onnx`."""
    return improve(Lowering(with_scans(program)).whole())


def pieces(lowering: Lowering, steps: Sequence[int], inputs: Sequence[str], outputs: Sequence[str]) -> Session:
    """A session over some steps of a program."""
    return Session(improve(lowering.graph(steps, inputs, outputs)))
