"""Every recorded graph (tests/engines/golden/graphs) on every engine, turn by turn, against TensorFlow's answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryograph.base.errors import Error
from cryograph.engines.engines import fold, prepare
from cryograph.engines.onnxruntime.engine import OnnxRuntime
from cryograph.program.build import build_program
from cryograph.program.check import complaints
from cryograph.program.program import Program, State
from tests.support.graph_cases import GraphCase, families, read_graphs
from tests.support.op_cases import Array, assert_alike

CASES = {f"{family}/{case.name}": case for family in families() for case in read_graphs(family)}
GENERATORS = {case.name for case in read_graphs("generators")}
"""Cases whose random ops go on from turn to turn, as they do where all state is kept."""


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("name", CASES)
def test_the_answers_are_tensorflows(name: str, engine: str) -> None:
    case = CASES[name]
    if all(turn.answers is None for turn in case.turns):
        with pytest.raises(Error):
            run_turns(case, engine)
        return
    run_turns(case, engine)


def first_value(kept: State, program: Program) -> Array:
    """What state holds when the first turn begins; what has no value is written before it is read."""
    if kept.initial is not None:
        return kept.initial.numpy()
    spec = program.specs[kept.value]
    return np.zeros([size or 0 for size in spec.shape or ()], spec.dtype.numpy)


def program_of(case: GraphCase) -> Program:
    """The program of a recorded graph."""
    keeps = case.name in GENERATORS
    return build_program(case.document(), case.outputs, case.inputs, fold=fold, all_state=keeps)


TABLES = [
    name
    for name, case in CASES.items()
    if any(op.startswith("LookupTable") for op in case.ops()) and any(turn.answers is not None for turn in case.turns)
]


@pytest.mark.parametrize("name", TABLES)
def test_onnx_runtime_looks_up_in_tables(name: str) -> None:
    case = CASES[name]
    program = program_of(case)
    lacking = {item.step.op for item in OnnxRuntime().missing(program)}
    assert not any(op.startswith("LookupTable") for op in lacking), lacking
    if not lacking:
        run_turns(case, "onnxruntime")


FAMILIES_WHOLE = ("mapped/", "optimizers/", "random_state/", "xla_functions/", "xla_odd_functions/")
CASES_WHOLE = (
    *("dead_ends/references_through_a_switch", "old_functions/weights_shrink", "state/a_counter_with_a_limit-refs"),
    *(
        "state/a_counter_with_a_limit-resources",
        "state/rows_scattered_into-refs",
        "state/rows_scattered_into-resources",
    ),
)
WHOLE = [
    name
    for name in CASES
    if name in CASES_WHOLE
    or (name.startswith(FAMILIES_WHOLE) and not name.endswith(("-narrow", "binomials_of_a_state")))
]
"""Cases of ops that have no cases of their own, or only narrow ones."""


@pytest.mark.parametrize("name", WHOLE)
def test_onnx_runtime_takes_all_steps(name: str) -> None:
    case = real_part(CASES[name])
    assert [(item.step.op, item.reason) for item in OnnxRuntime().missing(program_of(case))] == []
    run_turns(case, "onnxruntime")


def real_part(case: GraphCase) -> GraphCase:
    """The case without the outputs that are complex."""
    kept = [at for at, answer in enumerate(case.turns[0].answers or ()) if answer.dtype.kind != "c"]
    turns = [replace(turn, answers=turn.answers and [turn.answers[at] for at in kept], after={}) for turn in case.turns]
    return replace(case, outputs=[case.outputs[at] for at in kept], turns=turns)


def run_turns(case: GraphCase, engine: str) -> None:
    """Runs all turns, the state of one going into the next."""
    program = program_of(case)
    assert complaints(program) == []
    runner = prepare(program, engine).run
    state = [first_value(kept, program) for kept in program.state]
    for turn in case.turns:
        if turn.answers is None and any(t.answers is not None for t in case.turns):
            with pytest.raises(Error):
                runner([*turn.feeds, *state])
            continue
        made = runner([*turn.feeds, *state])
        for ours, theirs in zip(made, turn.answers or (), strict=False):
            assert_alike(np.asarray(ours), theirs, case.tolerance)
        state = list(made[len(case.outputs) :])
        for kept, value in zip(program.state, state, strict=True):
            if kept.name in turn.after:
                assert_alike(np.asarray(value), turn.after[kept.name], case.tolerance)
