"""Asks TensorFlow and a program of ours the same question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util, resource_variables_toggle

from cryograph.base.tensors import Tensor
from cryograph.engines.numpy.engine import Numpy
from cryograph.graph.document import Document
from cryograph.graph.graph import Graph
from cryograph.graph.variables import find_variables
from cryograph.program.build import build_program
from cryograph.program.check import complaints
from cryograph.program.program import Program, Step
from cryograph.wire import messages as pb

v1 = tf.compat.v1
Array = np.ndarray[Any, Any]


@contextmanager
def behaviour(generation: int, resources: bool = False) -> Iterator[None]:
    """Graphs are built with the control flow of TF1 (generation 1) or TF2; put back at the end."""
    before = control_flow_util.ENABLE_CONTROL_FLOW_V2, resource_variables_toggle._DEFAULT_USE_RESOURCE
    control_flow_util.ENABLE_CONTROL_FLOW_V2 = generation == 2
    resource_variables_toggle._DEFAULT_USE_RESOURCE = resources
    try:
        yield
    finally:
        control_flow_util.ENABLE_CONTROL_FLOW_V2, resource_variables_toggle._DEFAULT_USE_RESOURCE = before


def document_of(graph_def: Any, values: Mapping[str, Array] | None = None) -> Document:
    """A document of TensorFlow's GraphDef, and of its variables' values."""
    proto = pb.GraphDef()
    proto.ParseFromString(graph_def.SerializeToString())
    graph = Graph.of(proto, {})
    variables = find_variables(graph, {})
    for name, value in (values or {}).items():
        variables[name] = variables[name].with_tensor(Tensor.of(value))
    return Document(graph, "graph", variables=variables)


def fold(step: Step, inputs: Sequence[Array]) -> list[Array]:
    """One step on the reference engine."""
    from cryograph.base.dtypes import dtype_of
    from cryograph.program.program import Spec

    specs = {name: Spec(dtype_of(x.dtype), x.shape) for name, x in zip(step.inputs, inputs, strict=True)}
    known = {name: Spec(dtype_of("float32"), None) for name in step.outputs}
    program = Program(step.inputs, step.outputs, (step,), {}, {**known, **specs})
    return Numpy().prepare(program)(list(inputs))


def run(program: Program, feeds: Sequence[Any]) -> list[Array]:
    """The outputs of a program, then its state, by the reference engine. The program must be valid."""
    assert complaints(program) == []
    state = [s.initial.numpy() for s in program.state if s.initial is not None]
    given = [np.asarray(x, program.specs[name].dtype.numpy) for x, name in zip(feeds, program.inputs, strict=True)]
    return Numpy().prepare(program)([*given, *state])


class Question:
    """A graph of TensorFlow's and its answers.

    `make` builds the graph and gives its placeholders and its outputs.
    """

    def __init__(
        self,
        make: Callable[[], tuple[Sequence[Any], Sequence[Any]]],
        generation: int = 1,
        resources: bool = False,
    ) -> None:
        with behaviour(generation, resources), tf.Graph().as_default() as self.graph:
            v1.set_random_seed(7)
            inputs, outputs = make()
            self.inputs = [t.name for t in inputs]
            self.outputs = [t.name for t in outputs]
            self.session = v1.Session(graph=self.graph)
            self.session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            self.variables = {v.op.name: v for v in v1.global_variables()}
        self.document = document_of(self.graph.as_graph_def(), self.values())

    def values(self) -> dict[str, Array]:
        """What the variables hold now."""
        found = self.session.run(self.variables) if self.variables else {}
        return dict(found)

    def ask(self, *feeds: Any) -> list[Array]:
        """TensorFlow's answers."""
        answers: list[Array] = self.session.run(self.outputs, dict(zip(self.inputs, feeds, strict=True)))
        return answers

    def program(self, outputs: Sequence[str] | None = None, **options: Any) -> Program:
        """Our program for the same."""
        return build_program(self.document, outputs or self.outputs, self.inputs, **options)

    def check(self, *questions: Sequence[Any], tolerance: float = 1e-6) -> Program:
        """Asks both and compares, with folding and without; gives the program."""
        for options in ({}, {"fold": fold}):
            program = self.program(**options)
            for feeds in questions:
                expected = self.ask(*feeds)
                got = run(program, feeds)
                for name, a, b in zip(self.outputs, expected, got, strict=False):
                    a = np.asarray(a)
                    assert a.shape == b.shape, name
                    assert a.dtype == b.dtype, name
                    if a.dtype.kind in "fc":
                        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance, err_msg=name)
                    else:
                        np.testing.assert_array_equal(b, a, err_msg=name)
        return program
