"""Loops that become scans, and scans that become recurrent operators: which do, and what they give at the edges."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32, INT32
from cryograph.base.tensors import Tensor
from cryograph.engines.engines import fold, prepare
from cryograph.engines.onnxruntime.engine import lowered
from cryograph.engines.onnxruntime.values import OnnxNode
from cryograph.program.build import build_program
from cryograph.program.cells import find_cells
from cryograph.program.program import Program, Spec, Step
from cryograph.program.scans import SCAN, with_scans
from tests.support.graph_cases import GraphCase, read_graphs
from tests.support.op_cases import Array

CASES = {case.name: case for case in read_graphs("recurrent")}

KINDS: dict[str, list[list[str] | None]] = {
    # each scan's cells; None where it stays a loop
    "basic_lstm": [["LSTM"]],
    "lstm": [["LSTM"]],
    "lstm_of_another_activation": [["LSTM"]],
    "lstm_with_peepholes": [["LSTM"]],
    "lstm_with_a_clipped_state": [None],
    "lstm_with_a_projection": [None],
    "gru": [["GRU"]],
    "simple_rnn": [["RNN"]],
    "simple_rnn_of_relu": [["RNN"]],
    "several_cells": [["LSTM", "GRU", "RNN"]],
    "both_directions": [["LSTM"], ["GRU"]],
    "time_first_and_open": [["GRU"]],
    "a_given_first_state": [["LSTM"]],
    "a_given_first_state_and_lengths": [["LSTM"]],
    "keras_lstm": [["LSTM"]],
    "keras_lstm_last_only": [["LSTM"]],
    "keras_lstm_product_by_product": [["LSTM"]],
    "keras_lstm_hard": [["LSTM"]],
    "keras_lstm_without_bias": [["LSTM"]],
    "keras_lstm_backwards": [["LSTM"]],
    "keras_lstm_time_first": [["LSTM"]],
    "keras_gru": [["GRU"]],
    "keras_gru_reset_before": [["GRU"]],
    "keras_gru_product_by_product": [["GRU"]],
    "keras_gru_sliced": [["GRU"]],
    "keras_gru_hard": [["GRU"]],
    "keras_simple_rnn": [["RNN"]],
    "keras_stacked_cells": [["LSTM", "GRU"]],
    "keras_both_directions": [["LSTM"], ["LSTM"]],
    "keras_masked": [None, None],
    "a_map_over_rows": [None],
    "a_running_total": [],  # begins with turn 1
    "a_loop_that_ends_early": [None],
}


def program_of(case: GraphCase) -> Program:
    return build_program(case.document(), case.outputs, case.inputs, fold=fold)


def plain_name(case: str) -> str:
    return case.removesuffix("-tf1").removesuffix("-tf2").removesuffix("_with_lengths")


@pytest.mark.parametrize("name", CASES)
def test_a_loop_along_tensors_is_a_scan_of_known_cells(name: str) -> None:
    steps = with_scans(program_of(CASES[name])).steps
    listed = [step for step in steps if "While" in step.op or step.op.startswith("TensorList")]
    assert bool(listed) == (KINDS[plain_name(name)] == [])
    found = [step.attrs["cells"] for step in steps if step.op == SCAN]
    kinds = [None if cells is None else [cell.kind for cell in cells.cells] for cells in found]
    assert sorted(kinds, key=str) == sorted(KINDS[plain_name(name)], key=str)
    cut = "lengths" in name or "both_directions-" in name.removeprefix("keras_both_directions-")
    assert all((cells.lengths is not None) == cut for cells in found if cells is not None)


def ops_of(nodes: list[OnnxNode]) -> list[str]:
    inner = [value.nodes for node in nodes for value in node.attrs.values() if hasattr(value, "nodes")]
    return [*(node.op for node in nodes), *(op for each in inner for op in ops_of(each))]


@pytest.mark.parametrize("name", ["basic_lstm-tf1", "keras_lstm-tf2", "gru-tf2", "keras_gru-tf1", "simple_rnn-tf1"])
def test_one_operator_stands_for_the_loop(name: str) -> None:
    ops = ops_of(lowered(program_of(CASES[name])).nodes)
    assert "Loop" not in ops
    assert sum(op in ("GRU", "LSTM", "RNN") for op in ops) == 1


def runs(name: str, *feeds: Array) -> tuple[list[Array], list[Array]]:
    """What the fast engine gives, and the loop as it was written on numpy."""
    program = program_of(CASES[name])
    return prepare(program, "auto").run(feeds), prepare(program, "numpy").run(feeds)


EMPTY = [name for name in CASES if name.endswith("tf1") and KINDS[plain_name(name)] not in ([], [None])]


@pytest.mark.parametrize("name", [name for name in EMPTY if "time_first" not in name])
def test_an_empty_batch_ends_nothing(name: str) -> None:
    """ONNX Runtime would end the process."""
    feeds = [x[:0] for x in CASES[name].turns[0].feeds]
    for ours, theirs in zip(*runs(name, *feeds), strict=True):
        assert ours.shape == theirs.shape
        assert ours.size == 0


def test_no_turn_leaves_the_first_state() -> None:
    program = program_of(CASES["time_first_and_open-tf2"])
    out, state = prepare(program, "auto").run([np.ones((0, 2, 5), np.float32)])
    assert out.shape == (0, 2, 6)
    assert state.tolist() == np.zeros((2, 6)).tolist()


def test_a_sequence_of_no_elements_keeps_its_first_state() -> None:
    rng = np.random.default_rng(3)
    x, c, h = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 7, 5), (3, 5), (3, 5)))
    ours, theirs = runs("a_given_first_state_and_lengths-tf1", x, np.array([0, 4, 9], np.int32), c, h)
    for mine, plain in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, plain, atol=2e-6)
    assert ours[1][0].tolist() == c[0].tolist()


@pytest.mark.parametrize("other", ["x", None])
def test_a_body_that_only_grows_is_no_cell(other: str | None) -> None:
    """Each sum adds the one before to itself, or to x, thousands of times."""
    names = ["h", *(f"s{i}" for i in range(3000))]
    pairs = pairwise(names)
    steps = [Step(made, "AddV2", (name, other or name), (made,)) for name, made in pairs]
    steps.append(Step("y", "Tanh", (names[-1],), ("y",)))
    specs = {name: Spec(FLOAT32, (2, 3)) for name in (*names, "x", "y")} | {"i": Spec(INT32, ())}
    body = Program(("i", "h", "x"), ("y", "y"), tuple(steps), {}, specs)
    assert find_cells(body, 1, 1, frozenset()) is None


def test_weights_that_do_not_go_together_are_no_cell() -> None:
    steps = (
        Step("m", "MatMul", ("x", "w"), ("m",)),
        Step("r", "MatMul", ("h", "u"), ("r",)),
        Step("s", "AddV2", ("m", "r"), ("s",)),
        Step("b", "BiasAdd", ("s", "bias"), ("b",)),
        Step("y", "Tanh", ("b",), ("y",)),
    )
    specs = {name: Spec(FLOAT32, (2, 3)) for name in "xhmrsby"} | {"i": Spec(INT32, ())}
    for columns, known in ((3, ["RNN"]), (4, None)):
        arrays = {"w": np.ones((3, columns)), "u": np.ones((3, 3)), "bias": np.ones(3)}
        constants = {name: Tensor.of(array.astype(np.float32)) for name, array in arrays.items()}
        body = Program(("i", "h", "x"), ("y", "y"), steps, constants, specs)
        cells = find_cells(body, 1, 1, frozenset())
        assert (None if cells is None else [cell.kind for cell in cells.cells]) == known
