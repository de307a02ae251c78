"""Functions and control flow of TF2: calls, captures, If, While, Case, tables and variables inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.formats.load import load_document
from cryograph.program.build import build_program
from cryograph.program.program import Program

from .oracle import Question, fold, run

v1 = tf.compat.v1
X = np.array([1.0, -2.0, 3.0], np.float32)


def ops(program: Program) -> list[str]:
    return [step.op for step in program.steps]


def test_conditionals_loops_and_cases() -> None:
    def make() -> Any:
        flag, x, n = v1.placeholder(tf.bool, []), v1.placeholder(tf.float32, [None]), v1.placeholder(tf.int32, [])
        y = tf.cond(flag, lambda: tf.cond(n > 1, lambda: x * 2.0, lambda: x + 1.0), lambda: tf.exp(x))
        i, z = tf.while_loop(
            lambda i, v: i < n, lambda i, v: (i + 1, tf.cond(flag, lambda: v * 1.5, lambda: v - y)), [0, x]
        )
        w = tf.switch_case(n, [lambda: y, lambda: z, lambda: y + z])
        return [flag, x, n], [y, i, z, w]

    questions = [[p, X, n] for p in (True, False) for n in (0, 1, 3)]
    program = Question(make, 2).check(*questions)
    assert ops(program) == ["If", "While", "StatelessCase"] or set(ops(program)) >= {"StatelessIf", "StatelessWhile"}


def test_a_loop_s_counter_is_dropped_where_nobody_needs_it() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [None])
        return [x], [tf.while_loop(lambda v: tf.reduce_sum(v) < 100.0, lambda v: v * 2.0 + 5.0, [x])[0]]

    program = Question(make, 2).check([X])
    (loop,) = (s for s in program.steps if s.op.endswith("While"))
    assert len(loop.inputs) == 1


def test_what_a_loop_does_not_change_stands_in_its_bodies() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [None])
        w = v1.get_variable("w", initializer=[1.0, 2.0, 3.0])
        c = tf.constant([0.5, 0.25, 1.0])
        return [x], [tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * w + c), [0, x])[1]]

    program = Question(make, 2, resources=True).check([X])
    (loop,) = (s for s in program.steps if s.op.endswith("While"))
    assert len(loop.inputs) == 2
    assert len(loop.bodies["body"].constants) >= 2


class Module(tf.Module):
    """A model with nested functions, captured variables, a table, and state."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        self.w = tf.Variable(random.normal(size=(3, 3)), dtype=tf.float32, name="w")
        self.b = tf.Variable(random.normal(size=3), dtype=tf.float32, name="b")
        self.total = tf.Variable(0.0, name="total")
        fill = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, 2.0])
        self.table = tf.lookup.StaticHashTable(fill, -1.0)

    @tf.function(autograph=False)
    def layer(self, x: Any) -> Any:
        return tf.nn.relu(tf.matmul(x, self.w) + self.b)

    @tf.function(autograph=False)
    def twice(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: self.layer(self.layer(x)), lambda: self.layer(x) - self.b)

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([None], tf.string)]
    )
    def serve(self, x: Any, names: Any) -> Any:
        y = self.twice(x)
        y = tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, self.layer(v)), [0, y])[1]
        return {"y": y, "found": self.table.lookup(names), "row": tf.gather(self.w, [0, 2])}

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.float32)])
    def accumulate(self, x: Any) -> Any:
        tf.debugging.assert_less(x, 100.0)
        self.total.assign_add(x)
        tf.cond(x > 10.0, lambda: self.total.assign(0.0), lambda: self.total)
        return {"total": self.total * 2.0}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Module, Path]:
    module = Module()
    path = tmp_path_factory.mktemp("saved")
    tf.saved_model.save(module, str(path), {"serving_default": module.serve, "accumulate": module.accumulate})
    return module, path


def test_a_saved_model(saved: tuple[Module, Path]) -> None:
    from cryograph.api.model import load

    module, path = saved
    document = load(path)
    signature = document.signature("serving_default")
    outputs = {key: spec.tensor for key, spec in signature.outputs.items()}
    inputs = [signature.inputs[key].tensor for key in ("x", "names")]
    names = np.array([b"b", b"c"], object)
    for folding in (None, fold):
        program = build_program(document, list(outputs.values()), inputs, folding)
        assert program.state == ()
        for x in (np.ones((2, 3), np.float32), -np.ones((1, 3), np.float32)):
            expected = module.serve(tf.constant(x), tf.constant(names))
            for key, answer in zip(outputs, run(program, [x, names]), strict=True):
                np.testing.assert_allclose(answer, expected[key].numpy(), rtol=1e-5, atol=1e-6)
    assert all("/" in step.name for step in program.steps)


def test_state_of_a_saved_model(saved: tuple[Module, Path]) -> None:
    from cryograph.api.model import load
    from cryograph.base.errors import RunError
    from cryograph.engines.numpy.engine import Numpy

    module, path = saved
    document = load(path)
    signature = document.signature("accumulate")
    program = build_program(document, [signature.outputs["total"].tensor], [signature.inputs["x"].tensor])
    runner = Numpy().prepare(program)
    state = [s.initial.numpy() for s in program.state if s.initial is not None]
    assert len(state) == 1
    for x in (1.0, 2.5, 20.0, 3.0):
        expected = module.accumulate(tf.constant(x))["total"].numpy()
        answer, *state = runner([np.float32(x), *state])
        assert answer == expected
        assert state[0] == module.total.numpy()
    with pytest.raises(RunError, match="assertion failed"):
        runner([np.float32(200.0), *state])


def test_functions_with_attributes_of_their_own() -> None:
    """Functions that old graphs call by name."""
    from tensorflow.python.framework import function

    def make() -> Any:
        x = v1.placeholder(tf.float32, [None])

        @function.Defun(tf.float32, func_name="halve")
        def halve(a: Any) -> Any:
            return a / 2.0

        @function.Defun(tf.float32, tf.float32, func_name="both")
        def both(a: Any, b: Any) -> Any:
            return halve(a) + b, tf.concat([a, b], 0), tf.split(b, 3)[1]

        return [x], [*both(x, x * 3.0), halve(halve(x))]

    program = Question(make).check([X])
    assert any(step.name.startswith("both/halve") for step in program.steps)


def test_a_lowered_case_of_a_frozen_function(tmp_path: Path) -> None:
    """What TensorFlow's own freezing makes of switch_case: _SwitchN, and Merges that wait for dead branches."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    v = tf.Variable([1.0, 2.0, 3.0])

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([3], tf.float32), tf.TensorSpec([], tf.int32)])
    def choose(x: Any, n: Any) -> Any:
        return tf.switch_case(n, [lambda: x + v, lambda: x * v, lambda: -x, lambda: x * 0.5])

    frozen = convert_variables_to_constants_v2(choose.get_concrete_function())
    (tmp_path / "frozen.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())
    document = load_document(tmp_path / "frozen.pb")
    assert any(node.op in ("_SwitchN", "Case", "StatelessCase") for node in document.graph)
    program = build_program(document, ["Identity"], ["x", "n"])
    for n in (0, 1, 2, 3, 4, -1):
        (answer,) = run(program, [X, n])
        np.testing.assert_allclose(answer, choose(X, n).numpy())
