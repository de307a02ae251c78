"""A compiled model as a callable: feeds by name, by position or by a signature's names; answers by the names asked
for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..base.errors import InputError, UnknownNameError, nearest
from ..base.feeding import Slot, fitted
from ..base.tensors import Array
from ..engines.engine import Runner
from ..program.program import Program, State


def from_the_start(run: Runner, program: Program) -> Runner:
    """A runner without state of one with: each call begins with the values that the model holds, and what it writes is
    seen by itself only. A session is what remembers."""
    if not program.state:
        return run
    count = len(program.outputs)

    def first(state: State) -> Array:
        if state.initial is not None:
            return state.initial.numpy()
        spec = program.specs[state.value]  # it is written before it is read
        return np.zeros([size or 0 for size in spec.shape or ()], spec.dtype.numpy)

    def begun(feeds: Sequence[Array]) -> list[Array]:
        return run([*feeds, *map(first, program.state)])[:count]

    return begun


class Predictor:
    """What `Model.compile` gives. `inputs` and `outputs` tell what goes in and comes out, in order.

    Call it with one dict (`predict({"input:0": x})`), with arrays in the order of `inputs`, or with keywords (a
    signature's names). The answer is a dict by the names under which the outputs were asked for. Strings go in as
    str, bytes or numpy strings of any kind and come out as object arrays of bytes. Calls from several threads are safe.
    `run` is the bare runner: arrays of exactly the right kind in the order of `inputs`, answers in that of `outputs`.
    """

    __slots__ = ("_by_name", "inputs", "outputs", "pieces", "run")

    def __init__(
        self, run: Runner, inputs: Sequence[Slot], outputs: Sequence[Slot], pieces: tuple[str, ...] = ()
    ) -> None:
        self.run = run
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.pieces = pieces
        self._by_name: dict[str, int] = {}
        for index, slot in enumerate(self.inputs):
            for name in (slot.tensor, slot.tensor.removesuffix(":0"), slot.name):
                self._by_name[name] = index

    def __call__(self, *args: Any, **named: ArrayLike) -> dict[str, Array]:
        """Runs the model; InputError for feeds that are missing, too many, or of the wrong dtype or shape."""
        feeds: dict[str, Any] = {}
        if len(args) == 1 and isinstance(args[0], Mapping):
            feeds.update(args[0])
            args = ()
        feeds.update(named)
        values: list[Array | None] = [None] * len(self.inputs)
        if len(args) > len(values):
            raise InputError(f"{len(args)} inputs were given; the model takes {self._signature()}.")
        for index, value in enumerate(args):
            values[index] = fitted(value, self.inputs[index])
        for name, value in feeds.items():
            index = self.index(name)
            if values[index] is not None:
                raise InputError(f"The input {self.inputs[index].name!r} was given twice.")
            values[index] = fitted(value, self.inputs[index])
        absent = [slot.name for slot, value in zip(self.inputs, values, strict=True) if value is None]
        if absent:
            raise InputError(f"No value was given for {', '.join(absent)}; the model takes {self._signature()}.")
        answers = self.run([value for value in values if value is not None])
        return {slot.name: answer for slot, answer in zip(self.outputs, answers, strict=True)}

    def _signature(self) -> str:
        return "; ".join(map(str, self.inputs)) or "no inputs"

    def index(self, name: str) -> int:
        """The place of an input among `inputs`; UnknownNameError with the nearest names."""
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name.get(str(name).removeprefix("import/"))
        if found is None:
            raise UnknownNameError(
                f"The model has no input {name!r}." + nearest(str(name), [s.name for s in self.inputs])
            )
        return found

    def __repr__(self) -> str:
        return f"<Predictor ({self._signature()}) -> ({'; '.join(map(str, self.outputs))})>"
