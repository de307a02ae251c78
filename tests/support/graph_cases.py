"""Graph cases: a graph of TensorFlow's, what its variables held, and turns of questions and answers.

They prove what no op shows alone: state, tables, lists, control flow, functions. `tools/gen_graphs.py` records them
from the recipes in tests/conformance/graphs into tests/engines/golden/graphs, one file a family, see golden.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cryograph.base.files import MemoryFile
from cryograph.base.tensors import Tensor
from cryograph.graph.document import Document
from cryograph.graph.graph import Graph
from cryograph.graph.variables import find_variables
from cryograph.wire import messages as pb
from tests.support.golden import GOLDEN, read_answers, write_answers
from tests.support.op_cases import Array

GRAPHS = GOLDEN / "graphs"


@dataclass(frozen=True)
class Turn:
    """One run: what was fed, what TensorFlow answered (None: it refused), and the variables' values afterwards."""

    feeds: Sequence[Array]
    answers: Sequence[Array] | None
    after: Mapping[str, Array]


@dataclass(frozen=True)
class GraphCase:
    """A graph with everything to run it again without TensorFlow.

    `inputs` and `outputs` are names of tensors, `assets` files by the names in the graph. Turns run one after the other
    on the same state.
    """

    name: str
    graph: bytes
    inputs: Sequence[str]
    outputs: Sequence[str]
    variables: Mapping[str, Array]
    turns: Sequence[Turn]
    tolerance: float
    assets: Mapping[str, bytes] = field(default_factory=dict)

    def proto(self) -> pb.GraphDef:
        """The graph."""
        return pb.GraphDef.FromString(self.graph)

    def ops(self) -> set[str]:
        """All ops of the graph and of its functions."""
        proto = self.proto()
        nodes = [*proto.node, *(node for function in proto.library.function for node in function.node_def)]
        return {node.op for node in nodes}

    def document(self) -> Document:
        """The graph with its variables' values."""
        graph = Graph.of(self.proto(), {})
        variables = find_variables(graph, {})
        for name, value in self.variables.items():
            variables[name] = variables[name].with_tensor(Tensor.of(value))
        assets = {name: MemoryFile(data, name).span() for name, data in self.assets.items()}
        return Document(graph, self.name, variables=variables, assets=assets)


def families() -> list[str]:
    """The names of all recorded files."""
    return sorted(path.stem for path in GRAPHS.glob("*.bin"))


def _text(value: bytes) -> Array:
    held = np.empty((), object)
    held[()] = value
    return held


def write_graphs(path: Path, cases: Sequence[GraphCase]) -> None:
    """Writes one family."""
    entries: dict[str, list[Array] | None] = {}
    for case in cases:
        turns = []
        arrays = [*case.variables.values()]
        for turn in case.turns:
            turns.append([len(turn.feeds), None if turn.answers is None else len(turn.answers), list(turn.after)])
            arrays += [*turn.feeds, *(turn.answers or ()), *turn.after.values()]
        arrays += map(_text, case.assets.values())
        meta = [list(case.inputs), list(case.outputs), list(case.variables), turns, case.tolerance]
        meta += [list(case.assets)] if case.assets else []
        entries[case.name] = [_text(json.dumps(meta).encode()), _text(case.graph), *arrays]
    write_answers(path, entries)


def read_graphs(family: str) -> list[GraphCase]:
    """Reads one family."""
    cases = []
    for name, held in read_answers(GRAPHS / f"{family}.bin").items():
        assert held is not None
        inputs, outputs, variables, counted, tolerance, *files = json.loads(held[0].item())
        rest = iter(held[2:])
        values = dict(zip(variables, rest, strict=False)) if variables else {}
        turns = _turns(counted, rest)
        assets = {asset: next(rest).item() for asset in (files[0] if files else ())}
        cases.append(GraphCase(name, held[1].item(), inputs, outputs, values, turns, tolerance, assets))
    return cases


def _turns(counted: Sequence[Any], rest: Iterator[Array]) -> list[Turn]:
    turns = []
    for feeds, answers, after in counted:
        fed = [next(rest) for _ in range(feeds)]
        said = None if answers is None else [next(rest) for _ in range(answers)]
        turns.append(Turn(fed, said, {name: next(rest) for name in after}))
    return turns
