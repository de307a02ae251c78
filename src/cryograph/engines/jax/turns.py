"""How often a loop turns, where that follows from what is known: counters that begin with numbers and count to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...base.errors import Error, RunError
from ...base.tensors import Array
from ...ops.signatures import output_types
from ...program.program import Program, Step
from ..numpy.context import Context, parameters
from ..numpy.rules import RULES

MAX_TURNS = 1 << 20
"""The most turns that are counted."""


def known_turns(step: Step, inputs: Sequence[Any]) -> int | None:
    """The number of turns of a While; None where values that are not known decide, or where it does not end soon."""
    cond, body = step.bodies["cond"], step.bodies["body"]
    places = _deciding(cond, body)
    kept = {i for i in places if body.outputs[i] == body.inputs[i]}
    if any(not isinstance(inputs[i], np.ndarray) for i in places):
        return None
    values = {i: inputs[i] for i in places}
    conditions = _needed(cond, cond.outputs)
    changes = _needed(body, [body.outputs[i] for i in places if i not in kept])
    if any(s.bodies or s.op not in RULES for s in (*conditions, *changes)):
        return None
    try:
        with np.errstate(all="ignore"):
            for turn in range(MAX_TURNS):
                (found,) = _worked_out(cond, conditions, values, cond.outputs)
                if found.ndim or not found.item():
                    return None if found.ndim else turn
                made = _worked_out(body, changes, values, [body.outputs[i] for i in sorted(places)])
                values = dict(zip(sorted(places), made, strict=True))
    except (Error, ValueError, TypeError, IndexError):
        return None
    return None


def _deciding(cond: Program, body: Program) -> set[int]:
    """The places of the loop's values from which the condition follows, turn by turn."""
    places: set[int] = set()
    found = _places(cond, cond.outputs)
    while found - places:
        places |= found
        found = _places(body, [body.outputs[i] for i in places])
    return places


def _places(program: Program, outputs: Sequence[str]) -> set[int]:
    needed = set(outputs)
    for step in _needed(program, outputs):
        needed.update(step.inputs)
    return {i for i, name in enumerate(program.inputs) if name in needed}


def _needed(program: Program, outputs: Sequence[str]) -> list[Step]:
    """The steps that outputs follow from, in order."""
    wanted, found = set(outputs), []
    for step in reversed(program.steps):
        if wanted.intersection(step.outputs):
            wanted.update(step.inputs)
            found.append(step)
    return found[::-1]


def _worked_out(
    program: Program, steps: Sequence[Step], values: Mapping[int, Array], outputs: Sequence[str]
) -> list[Array]:
    held: dict[str, Any] = {program.inputs[i]: value for i, value in values.items()}
    for step in steps:
        given = [held[n] if n in held else program.constants[n].numpy() for n in step.inputs]
        dtypes = tuple(dtype.base for dtype in output_types(step.op, step.attrs))
        rule = RULES[step.op]
        taken = {name: value for name, value in step.attrs.items() if name in parameters(rule)}
        made = rule(Context(np, step, dtypes, _no_bodies), *given, **taken)
        held.update(zip(step.outputs, made if isinstance(made, tuple) else (made,), strict=False))
    return [np.asarray(held[n] if n in held else program.constants[n].numpy()) for n in outputs]


def _no_bodies(name: str, values: Sequence[Array]) -> list[Array]:
    raise RunError(f"the body {name} is not run here")
