"""Lists of tensors on ONNX Runtime: which recorded graphs run there as a whole, and what numpy does once more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, VARIANT
from cryograph.base.errors import Error, RunError
from cryograph.base.tensors import Tensor
from cryograph.engines.engines import fold
from cryograph.engines.onnxruntime import lists
from cryograph.engines.onnxruntime.engine import OnnxRuntime
from cryograph.engines.onnxruntime.left_out import LEFT_OUT
from cryograph.engines.onnxruntime.lower import Lowering
from cryograph.engines.split import Auto, _Plan
from cryograph.program.build import build_program
from cryograph.program.program import Program, Spec, Step
from cryograph.program.scans import with_scans
from tests.support.graph_cases import GraphCase, families, read_graphs
from tests.support.op_cases import Array, assert_alike

CASES = {f"{family}/{case.name}": case for family in families() for case in read_graphs(family)}


def ops_of(program: Program) -> set[str]:
    found = {step.op for step in program.steps}
    return found.union(*(ops_of(body) for step in program.steps for body in step.bodies.values()))


def built(case: GraphCase) -> Program:
    return with_scans(build_program(case.document(), case.outputs, case.inputs, fold=fold))


FAMILIES = ("decoders", "functions", "lists", "loops", "recurrent")


def held_by_lists() -> dict[str, tuple[GraphCase, Program]]:
    """The recorded graphs with lists that ONNX Runtime takes whole."""
    found = {}
    for name, case in CASES.items():
        if name.partition("/")[0] in FAMILIES and case.turns[0].answers is not None:
            program = built(case)
            if ops_of(program) & lists.LOWERINGS.keys() and not Lowering(program).refusals:
                found[name] = (case, program)
    return found


HELD = held_by_lists()


def test_most_recorded_lists_are_taken_whole() -> None:
    assert len(HELD) >= 35
    proved = set().union(*(ops_of(program) for _, program in HELD.values()))
    assert lists.LOWERINGS.keys() - proved == set()


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("decoders/")])
def test_decoders_are_taken_whole(name: str) -> None:
    assert Lowering(built(CASES[name])).refusals == {}


@pytest.mark.parametrize("name", HELD)
def test_the_answers_are_tensorflows(name: str) -> None:
    case, program = HELD[name]
    runner = OnnxRuntime().prepare(program)
    state: list[Array] = [kept.initial.numpy() for kept in program.state if kept.initial is not None]
    for turn in case.turns:
        try:
            made = runner([*turn.feeds, *state])
        except RunError:  # numpy answers, or refuses
            assert turn.answers is None or name in AGAIN
            continue
        assert turn.answers is not None
        for ours, theirs in zip(made, turn.answers, strict=False):
            assert_alike(np.asarray(ours), theirs, case.tolerance)
        state = list(made[len(case.outputs) :])


AGAIN = {
    "lists/an_element_beyond_the_end",
    "lists/concatenated_with_elements_that_are_not_set",
    "lists/scattered",
    "lists/scattered_into_a_list",
    "loops/an_array_without_gradients",
}
"""Graphs with a turn that numpy must do once more."""


class Lines:
    """Programs over lists in few words."""

    def __init__(self, **inputs: tuple[Any, Any]) -> None:
        self.inputs = tuple(inputs)
        self.steps: list[Step] = []
        self.constants: dict[str, Tensor] = {}
        self.specs = {name: Spec(dtype, shape) for name, (dtype, shape) in inputs.items()}

    def const(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = Tensor.of(np.asarray(value, np.int32))
        self.specs[name] = Spec(INT32, self.constants[name].shape)
        return name

    def add(self, op: str, *inputs: str, dtype: Any = VARIANT, shape: Any = (), **attrs: Any) -> str:
        name = f"v{len(self.steps)}"
        self.steps.append(Step(f"step{len(self.steps)}", op, inputs, (name,), attrs))
        self.specs[name] = Spec(dtype, shape)
        return name

    def program(self, *outputs: str) -> Program:
        return Program(self.inputs, outputs, tuple(self.steps), self.constants, self.specs)


def row(numbers: list[int]) -> Array:
    return np.array(numbers, np.float32)


def reserved(shape: Any, **inputs: tuple[Any, Any]) -> tuple[Lines, str]:
    lines = Lines(i=(INT32, ()), x=(FLOAT32, (None,)), **inputs)
    made = lines.add("TensorListReserve", lines.const(shape), lines.const(3), element_dtype=FLOAT32)
    return lines, lines.add("TensorListSetItem", made, "i", "x", element_dtype=FLOAT32)


def stacked(shape: Any) -> Program:
    lines, made = reserved(shape)
    attrs = {"element_dtype": FLOAT32, "num_elements": -1}
    return lines.program(
        lines.add("TensorListStack", made, lines.const(-1), dtype=FLOAT32, shape=(None, None), **attrs)
    )


def test_what_was_never_set_is_zeros_where_the_shape_is_said() -> None:
    made = OnnxRuntime().prepare(stacked([2]))([np.array(1, np.int32), row([5, 6])])
    assert made[0].tolist() == [[0, 0], [5, 6], [0, 0]]


@pytest.mark.parametrize("shape", [[-1], -1])
def test_numpy_answers_where_others_must_tell_the_shape(shape: Any) -> None:
    program, feeds = stacked(shape), [np.array(1, np.int32), row([5, 6])]
    with pytest.raises(RunError):
        OnnxRuntime().prepare(program)(feeds)
    assert Auto().prepare(program)(feeds)[0].tolist() == [[0, 0], [5, 6], [0, 0]]


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(Error, match="there is no element"):
        Auto().prepare(stacked([2]))([np.array(index, np.int32), row([5, 6])])


def test_an_element_of_another_shape_is_refused() -> None:
    with pytest.raises(Error, match="does not fit"):
        Auto().prepare(stacked([2]))([np.array(0, np.int32), row([5, 6, 7])])


def test_no_list_flows_between_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEFT_OUT, "BesselJ0", "is left out here")  # numpy runs it then
    lines, made = reserved([2], y=(FLOAT32, (2,)))
    late = lines.add("BesselJ0", "y", dtype=FLOAT32, shape=(2,))
    made = lines.add("TensorListSetItem", made, lines.const(2), late, element_dtype=FLOAT32)
    attrs = {"element_dtype": FLOAT32, "num_elements": -1}
    rows = lines.add("TensorListStack", made, lines.const(-1), dtype=FLOAT32, shape=(None, 2), **attrs)
    program = lines.program(rows)
    plan = _Plan(program, Lowering(program))
    plan.pieces()
    assert len({plan.levels[index] for index, step in enumerate(program.steps) if step.op != "BesselJ0"}) == 1
    feeds = [np.array(0, np.int32), row([5, 6]), row([1, 2])]
    assert Auto().prepare(program)(feeds)[0].round().tolist() == [[5, 6], [0, 0], [1, 0]]


def test_a_list_does_not_leave() -> None:
    lines, made = reserved([2])
    assert Lowering(lines.program(made)).refusals == {1: "a list of tensors leaves the program"}


def test_branches_and_lists() -> None:
    """A list that one of two branches makes longer."""
    lines = Lines(flag=(BOOL, ()), x=(FLOAT32, (2,)))
    empty = lines.add("EmptyTensorList", lines.const([2]), lines.const(-1), element_dtype=FLOAT32)
    step = Step("push", "TensorListPushBack", ("l", "x"), ("m",), {"element_dtype": FLOAT32})
    specs = {"l": Spec(VARIANT, ()), "x": Spec(FLOAT32, (2,)), "m": Spec(VARIANT, ())}
    then = Program(("l", "x"), ("m",), (step,), {}, specs)
    other = Program(("l", "x"), ("l",), (), {}, specs)
    made = "if"
    bodies = {"then_branch": then, "else_branch": other}
    lines.steps.append(Step("if", "If", ("flag", empty, "x"), (made,), {}, bodies))
    lines.specs[made] = Spec(VARIANT, ())
    attrs = {"element_dtype": FLOAT32, "num_elements": -1}
    rows = lines.add("TensorListStack", made, lines.const([2]), dtype=FLOAT32, shape=(None, 2), **attrs)
    runner = OnnxRuntime().prepare(lines.program(rows))
    assert runner([np.array(True), row([5, 6])])[0].tolist() == [[5, 6]]
    assert runner([np.array(False), row([5, 6])])[0].shape == (0, 2)
