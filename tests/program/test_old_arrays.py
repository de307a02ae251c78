"""TensorArrays of TensorFlow before 1.0: a graph of V3 ops, written with those of V1 and V2, gives the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.engines.engines import fold, prepare
from cryograph.graph.document import Document
from cryograph.graph.graph import Graph
from cryograph.program.build import build_program
from cryograph.wire import messages as pb
from tests.support.graph_cases import read_graphs
from tests.support.op_cases import assert_alike

CASES = {case.name: case for case in read_graphs("loops")}


def older(graph: pb.GraphDef, version: str) -> pb.GraphDef:
    """The graph with the array ops of another version, whose first one has no flow."""
    made = pb.GraphDef()
    made.CopyFrom(graph)
    arrays = {node.name for node in made.node if node.op == "TensorArrayV3"}
    for node in made.node:
        if node.op.startswith("TensorArray"):
            node.op = node.op.removesuffix("V3") + version
            node.attr.pop("identical_element_shapes", None)
        for place, text in enumerate(node.input):
            name, _, index = text.partition(":")
            if name in arrays and index == "1":
                node.input[place] = f"{name}/flow"
    for name in arrays:
        flow = made.node.add(name=f"{name}/flow", op="Const")
        flow.attr["dtype"].type = 1
        flow.attr["value"].tensor.dtype = 1
        flow.attr["value"].tensor.float_val.append(0.0)
    return made


@pytest.mark.parametrize("version", ["", "V2", "V3"])
@pytest.mark.parametrize(
    "name", ["the_gradient_of_an_array", "the_gradient_of_a_map-tf1", "the_gradient_of_a_scan-tf1"]
)
def test_the_answers_are_those_of_v3(name: str, version: str) -> None:
    case = CASES[name]
    graph = case.proto() if version == "V3" else older(case.proto(), version)
    document = Document(Graph.of(graph, {}), name)
    program = build_program(document, case.outputs, case.inputs, fold=fold)
    assert not program.state
    for turn in case.turns:
        for ours, theirs in zip(prepare(program, "numpy").run(turn.feeds), turn.answers or (), strict=True):
            assert_alike(np.asarray(ours), theirs, case.tolerance)
