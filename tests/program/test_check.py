"""Each rule of a valid program, broken once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, RESOURCE, dtype_of
from cryograph.base.tensors import Tensor
from cryograph.graph.attrs import AttrPlaceholder, FuncRef
from cryograph.program.check import complaints
from cryograph.program.program import Program, Spec, State, Step

ONE = Spec(FLOAT32, ())
NEG = Step("neg", "Neg", ("x:0",), ("neg:0",), {"T": FLOAT32})
GOOD = Program(("x:0",), ("neg:0",), (NEG,), {}, {"x:0": ONE, "neg:0": ONE})
TRUTH = Program(("x:0",), ("c:0",), (), {"c:0": Tensor.of(np.array(True))}, {"x:0": ONE, "c:0": Spec(BOOL, ())})


def with_step(step: Step, **specs: Spec) -> Program:
    made = dict.fromkeys(step.outputs, ONE)
    return replace(GOOD, steps=(NEG, step), specs={**GOOD.specs, **made, **specs})


def choice(**changes: Any) -> Program:
    bodies = {"then_branch": GOOD, "else_branch": GOOD, **changes}
    step = Step("if", "If", ("p:0", "x:0"), ("if:0",), {}, {k: v for k, v in bodies.items() if v is not None})
    program = with_step(step)
    return replace(program, inputs=("x:0", "p:0"), specs={**program.specs, "p:0": Spec(BOOL, ())})


def loop(cond: Program = TRUTH, body: Program = GOOD) -> Program:
    return with_step(Step("loop", "While", ("x:0",), ("loop:0",), {}, {"cond": cond, "body": body}))


WIDE = replace(GOOD, specs={"x:0": ONE, "neg:0": Spec(FLOAT32, (3,))})
WHOLE = replace(GOOD, specs={"x:0": ONE, "neg:0": Spec(INT32, ())})
CONSTANT = Tensor.of(np.float32(1))


@pytest.mark.parametrize("program", [GOOD, choice(), loop()])
def test_what_is_valid(program: Program) -> None:
    assert complaints(program) == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (with_step(replace(NEG, name="again")), "the value 'neg:0' is written twice"),
        (replace(GOOD, inputs=("x:0", "x:0")), "the value 'x:0' is written twice"),
        (replace(GOOD, inputs=()), "'neg' (Neg) reads 'x:0' before it is written"),
        (replace(GOOD, outputs=("y:0",)), "the result 'y:0' is never written"),
        (replace(GOOD, specs={"x:0": ONE}), "the value 'neg:0' has no spec"),
        (
            replace(GOOD, specs={"x:0": ONE, "neg:0": Spec(dtype_of("float32_ref"), ())}),
            "the value 'neg:0' is a reference (float32_ref)",
        ),
        (
            replace(GOOD, constants={"c:0": CONSTANT}, specs={**GOOD.specs, "c:0": Spec(INT32, ())}),
            "the constant 'c:0' is float32 (), but its spec says int32 ()",
        ),
        (choice(then_branch=None, else_branch=None), "'if' (If) has no bodies"),
        (
            choice(then_branch=replace(GOOD, inputs=())),
            "'then_branch' of 'if' (If) takes 0 values, where the step has 1",
        ),
        (choice(else_branch=WIDE), "'else_branch' of 'if' (If) gives 'neg:0' as (3,), where the step has ()"),
        (choice(else_branch=WHOLE), "'else_branch' of 'if' (If) gives 'neg:0' as int32, where the step has float32"),
        (loop(replace(TRUTH, outputs=("c:0", "c:0"))), "the condition of 'loop' gives 2 values"),
        (
            with_step(Step("loop", "While", ("x:0",), ("loop:0",), {}, {"body": GOOD})),
            "'loop' (While) has the bodies ['body'], where cond and body are due",
        ),
        (
            loop(body=replace(GOOD, state=(State("v", "x:0", "neg:0", None),))),
            "'body' of 'loop' (While) has state of its own",
        ),
        (
            with_step(Step("s", "Switch", ("x:0", "x:0"), ("s:0", "s:1"), {"T": FLOAT32})),
            "'s' is a Switch, which should",
        ),
        (
            with_step(Step("c", "Cast", ("x:0",), ("c:0",), {"DstT": AttrPlaceholder("T"), "Truncate": False})),
            "'c' (Cast): the attribute 'DstT' is a placeholder",
        ),
        (
            replace(choice(), steps=(NEG, replace(choice().steps[1], attrs={"then_branch": FuncRef("f")}))),
            "'if' (If): the attribute 'then_branch' names a function beside the bodies",
        ),
        (with_step(Step("m", "MatMul", ("x:0", "x:0"), ("m:0",), {"T": FLOAT32})), "'m' (MatMul) lacks the attribute"),
        (replace(GOOD, specs={**GOOD.specs, "x:0": Spec(RESOURCE, ())}), "'x:0' is a handle"),
        (
            choice(then_branch=replace(GOOD, outputs=("gone:0",))),
            "if/then_branch: the result 'gone:0' is never written",
        ),
    ],
)
def test_what_is_not(program: Program, words: str) -> None:
    found = complaints(program)
    assert any(complaint.startswith(words) for complaint in found), found
