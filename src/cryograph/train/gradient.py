"""Gradients that a file does not hold: of any float of a model, by its variables or by any of its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from numpy.typing import ArrayLike

from ..base.errors import InputError, MissingWeightsError, UnknownNameError, nearest
from ..base.feeding import Slot, fitted
from ..base.tensors import Array, Tensor
from ..engines.engines import differentiate, fold
from ..graph.document import Document
from ..graph.node import tensor_name
from ..program.build import build_program
from ..program.program import Program


class Gradient:
    """What `Model.grad` gives: a callable from inputs to the loss and its derivatives, by the names of what it is
    differentiated by.

        loss, slopes = model.grad("loss", "*kernel")({"x": x, "y": y})
        slopes["dense/kernel"]
    """

    def __init__(
        self, document: Document, loss: str, wrt: Sequence[str] | str, inputs: Sequence[str] | str | None = None
    ) -> None:
        given = None if inputs is None else [inputs] if isinstance(inputs, str) else list(inputs)
        program = build_program(document, [loss], given, fold, all_state=True)
        chosen = _chosen(program, [wrt] if isinstance(wrt, str) else list(wrt))
        lacking = [s.name for s in program.state if s.initial is None]
        if lacking:
            raise MissingWeightsError(f"These variables have no value: {', '.join(lacking[:5])}. Join a checkpoint.")
        self.wrt = tuple(chosen)
        self.inputs = tuple(_slot(program, value) for value in program.inputs)
        self._state = [s.initial for s in program.state]
        self._names = [s.name for s in program.state]
        self._run = differentiate(program, list(chosen.values()))

    def __call__(
        self, feeds: Mapping[str, ArrayLike | Tensor], variables: Mapping[str, ArrayLike | Tensor] | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """The loss, and the derivatives of its sum. `variables` are values in the place of those that the model
        holds. InputError for feeds that do not fit."""
        held = dict(variables or {})
        unknown = [name for name in held if name not in self._names]
        if unknown:
            raise UnknownNameError(f"The loss reads no variable {unknown[0]!r}." + nearest(unknown[0], self._names))
        state = [
            fitted(held[name], Slot(name, name, tensor.dtype, tensor.shape)) if name in held else tensor.numpy()
            for name, tensor in zip(self._names, self._state, strict=True)
            if tensor is not None
        ]
        results, slopes = self._run([*fed(feeds, self.inputs), *state])
        return results[0], dict(zip(self.wrt, slopes, strict=True))


def fed(feeds: Mapping[str, ArrayLike | Tensor], slots: Sequence[Slot]) -> list[Array]:
    """Arrays in the order of the slots; InputError for those that are missing or too many. A name may do without its
    `:0`."""
    given = {tensor_name(name): value for name, value in feeds.items()}
    missing = [slot.name for slot in slots if slot.tensor not in given]
    more = [name for name in given if name not in {slot.tensor for slot in slots}]
    if missing or more:
        words = f"The inputs are {', '.join(map(str, slots)) or 'none'};"
        raise InputError(f"{words} {'missing: ' + ', '.join(missing) if missing else 'not one: ' + ', '.join(more)}.")
    return [fitted(given[slot.tensor], slot) for slot in slots]


def _slot(program: Program, value: str) -> Slot:
    spec = program.specs[value]
    return Slot(value.removesuffix(":0"), value, spec.dtype, spec.shape)


def matching(names: Sequence[str], globs: Sequence[str]) -> list[str]:
    """The names that globs choose; UnknownNameError for a glob that chooses nothing."""
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            raise UnknownNameError(f"Nothing is called {glob!r}." + nearest(glob, names))
    return [name for name in names if any(fnmatchcase(name, glob) for glob in globs)]


def _chosen(program: Program, globs: Sequence[str]) -> dict[str, str]:
    """By name the values that are differentiated by: variables first; tensors where a glob names no variable."""
    variables = {state.name: state.value for state in program.state if _is_float(program, state.value)}
    own = {state.value for state in program.state}
    tensors = {name: name for name in program.specs if name not in own and _is_float(program, name)}
    tensors.update({name.removesuffix(":0"): name for name in tensors if name.endswith(":0")})
    found: dict[str, str] = {}
    for glob in globs:
        among: dict[str, Any] = variables if any(fnmatchcase(name, glob) for name in variables) else tensors
        if among is tensors and not any(fnmatchcase(name, glob) for name in tensors):
            raise UnknownNameError(
                f"The loss follows from no variable and no float tensor {glob!r}."
                + nearest(glob, [*variables, *(name for name in tensors if ":" not in name)])
            )
        for name in matching(list(among), [glob]):
            if among[name] not in found.values():
                found[name] = among[name]
    return found


def _is_float(program: Program, value: str) -> bool:
    held = program.specs[value].dtype.numpy
    return held is not None and (held.kind == "f" or held.name == "bfloat16")
