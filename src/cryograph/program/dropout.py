"""Dropout that drops nothing: with a rate of 0 its random mask is known, and neither mask nor numbers are needed.

1. `uniform >= c` with c <= 0 is always true, as uniform numbers lie in [0, 1); `floor(c + uniform)` with c = 1 is 1.
2. Such a mask chooses (Select), or multiplies (after a Cast, or as the floor itself): the chosen or multiplied tensor
   is the answer.

A rate that is fed stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .program import Program, Step

_PASSED_OVER = frozenset(
    {"RandomUniform", "GreaterEqual", "Cast", "Floor", "Add", "AddV2", "Mul", "Shape", "ZerosLike", "Fill", "Sub"}
)
"""Ops that only made masks, and go when nothing needs them any more."""


def without_dropout(program: Program) -> Program:
    """The program without dropout whose rate is 0, bodies included."""
    steps = tuple(_inside(step) for step in program.steps)
    makers = {name: step for step in steps for name in step.outputs}
    if not any(step.op == "RandomUniform" for step in steps):
        return (
            program if all(a is b for a, b in zip(steps, program.steps, strict=True)) else replace(program, steps=steps)
        )
    finder = _Finder(program, makers)
    same: dict[str, str] = {}
    kept = []
    for step in steps:
        step = replace(step, inputs=tuple(same.get(name, name) for name in step.inputs)) if same else step
        answer = finder.answer(step)
        if answer is None:
            kept.append(step)
        else:
            same[step.outputs[0]] = same.get(answer, answer)
    if not same:
        return replace(program, steps=steps)
    outputs = tuple(same.get(name, name) for name in program.outputs)
    state = tuple(replace(s, result=same.get(s.result, s.result)) for s in program.state)
    needed = {*outputs, *(s.result for s in state)}
    alive = []
    for step in reversed(kept):
        if step.op in _PASSED_OVER and not needed & set(step.outputs):
            continue
        needed.update(step.inputs)
        alive.append(step)
    return replace(program, outputs=outputs, steps=tuple(reversed(alive)), state=state)


def _inside(step: Step) -> Step:
    if not step.bodies:
        return step
    bodies = {name: without_dropout(body) for name, body in step.bodies.items()}
    return replace(step, bodies=bodies) if any(bodies[n] is not step.bodies[n] for n in bodies) else step


class _Finder:
    def __init__(self, program: Program, makers: Mapping[str, Step]) -> None:
        self._program = program
        self._makers = makers

    def answer(self, step: Step) -> str | None:
        """The input that a step gives unchanged, when the other is a mask that is always on; None for other steps."""
        if step.op in ("Select", "SelectV2") and self._is_true(step.inputs[0]):
            return self._of_same_shape(step, step.inputs[1])
        if step.op == "Mul":
            for value, mask in (step.inputs, step.inputs[::-1]):
                if self._is_one(mask):
                    return self._of_same_shape(step, value)
        return None

    def _of_same_shape(self, step: Step, value: str) -> str | None:
        """`value`, unless the mask would make it larger: a mask has the shape of what it drops."""
        made, given = self._program.specs[step.outputs[0]], self._program.specs[value]
        if made.shape is None or given.shape is None:
            return value if made.shape is given.shape else None
        return value if len(made.shape) == len(given.shape) else None

    def _is_true(self, name: str) -> bool:
        maker = self._makers.get(name)
        if maker is None or maker.op != "GreaterEqual" or not self._is_uniform(maker.inputs[0]):
            return False
        limit = self._scalar(maker.inputs[1])
        return limit is not None and limit <= 0

    def _is_one(self, name: str) -> bool:
        maker = self._makers.get(name)
        if maker is None:
            return False
        if maker.op == "Cast":
            return self._is_true(maker.inputs[0])
        inner = self._makers.get(maker.inputs[0]) if maker.op == "Floor" else None
        if inner is None or inner.op not in ("Add", "AddV2"):
            return False
        a, b = inner.inputs
        return (self._scalar(a) == 1 and self._is_uniform(b)) or (self._scalar(b) == 1 and self._is_uniform(a))

    def _is_uniform(self, name: str) -> bool:
        """Whether numbers lie in [0, 1): uniform ones, also times 1 and plus 0 as older writers left them."""
        maker = self._makers.get(name)
        if maker is None:
            return False
        if maker.op == "RandomUniform":
            return True
        neutral = {"Mul": 1.0, "Add": 0.0, "AddV2": 0.0}.get(maker.op)
        if neutral is None:
            return False
        a, b = maker.inputs
        return (self._scalar(b) == neutral and self._is_uniform(a)) or (
            self._scalar(a) == neutral and self._is_uniform(b)
        )

    def _scalar(self, name: str) -> float | None:
        tensor = self._program.constants.get(name)
        if tensor is None or tensor.shape != () or not tensor.dtype.is_floating:
            return None
        return float(tensor.numpy())
