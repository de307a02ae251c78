"""Conditionals and loops of TF1 (Switch, Merge, Enter, Exit) against TensorFlow's executor."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_keras.src.legacy_tf_layers.normalization import batch_normalization

from cryograph.base.errors import UnsupportedError
from cryograph.program.program import Program

from .oracle import Question

v1 = tf.compat.v1


def ops(program: Program) -> list[str]:
    return [step.op for step in program.steps]


def flag_and_x() -> tuple[Any, Any]:
    return v1.placeholder(tf.bool, [], "flag"), v1.placeholder(tf.float32, [None], "x")


X = np.array([1.0, -2.0, 3.0], np.float32)
BOTH = ([True, X], [False, X])


def test_a_conditional() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        return [flag, x], [v1.cond(flag, lambda: x * 2.0, lambda: tf.exp(x))]

    program = Question(make).check(*BOTH)
    assert ops(program) == ["If"]
    assert [s.op for s in program.steps[0].bodies["then_branch"].steps] == ["Mul"]
    assert program.specs[program.outputs[0]].shape == (None,)


def test_branches_of_constants_and_of_what_they_take() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        a, b, c = v1.cond(flag, lambda: (tf.constant(1.0), x, flag), lambda: (tf.constant(2.0), -x, tf.constant(False)))
        return [flag, x], [a, b, c]

    program = Question(make).check(*BOTH)
    assert ops(program) == ["If"]
    assert len(program.steps[0].outputs) == 3


def test_unread_results_of_a_conditional_are_not_computed() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        _, b = v1.cond(flag, lambda: (tf.exp(x), x * 3.0), lambda: (tf.sin(x), -x))
        return [flag, x], [b]

    program = Question(make).check(*BOTH)
    bodies = program.steps[0].bodies
    assert [[s.op for s in body.steps] for body in bodies.values()] == [["Mul"], ["Neg"]]


def test_conditionals_in_conditionals() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        other = v1.placeholder(tf.bool, [], "other")

        def inner(a: Any) -> Any:
            return v1.cond(other, lambda: a + 1.0, lambda: v1.cond(flag, lambda: a * 5.0, lambda: a - x))

        y = v1.cond(flag, lambda: inner(x * 2.0), lambda: inner(-x))
        return [flag, x, other], [y]

    questions = [[p, X, q] for p in (True, False) for q in (True, False)]
    program = Question(make).check(*questions)
    assert ops(program) == ["If"]
    inner = program.steps[0].bodies["then_branch"].steps[-1]
    assert inner.op == "If"
    # The innermost predicate is the outermost one: no choice is left there.
    assert all(s.op != "If" for body in inner.bodies.values() for s in body.steps)


def test_conditionals_that_need_each_other() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        first = v1.cond(flag, lambda: x * 2.0, lambda: x + 1.0)
        second = v1.cond(flag, lambda: first - 3.0, lambda: tf.exp(first))
        third = v1.cond(flag, lambda: second * first, lambda: second + first)
        return [flag, x], [third, second]

    program = Question(make).check(*BOTH)
    assert ops(program) == ["If"] * 3


def test_case_with_many_branches() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [])

        def branch(i: float) -> Any:
            return x < i, lambda: x * i + 1.0

        pairs = [branch(float(i)) for i in range(5)]
        return [x], [v1.case(pairs, default=lambda: -x)]

    Question(make).check(*([v] for v in (-1.0, 0.5, 1.5, 2.5, 3.5, 7.0)))


def test_switch_case() -> None:
    def make() -> Any:
        n = v1.placeholder(tf.int32, [])
        return [n], [tf.switch_case(n, [lambda: tf.constant(3), lambda: n * 2, lambda: n - 7])]

    Question(make).check(*([v] for v in (0, 1, 2, 3, -1)))
    Question(make, 2).check(*([v] for v in (0, 1, 2, 3, -1)))


def test_a_known_predicate_leaves_its_branch() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        training = v1.placeholder_with_default(False, [], "training")
        queue = v1.FIFOQueue(3, [tf.float32], [[3]])
        y = v1.cond(tf.logical_and(training, True), lambda: x + queue.dequeue(), lambda: x * 2.0)
        return [x], [y]

    program = Question(make).check([X])
    assert ops(program) == ["Mul"]


def test_batch_norm_under_a_flag() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [None, 4, 4, 3], "x")
        training = v1.placeholder(tf.bool, [], "training")
        h = x
        warnings.simplefilter("ignore")  # old layers say that they are old
        for _ in range(3):
            h = batch_normalization(h, training=training, fused=False) * 2.0 + 1.0
        h = batch_normalization(h, training=training, fused=True)
        return [x, training], [h]

    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    for resources in (False, True):
        with warnings.catch_warnings():
            question = Question(make, resources=resources)
        question.check([x, True], [x, False], tolerance=2e-5)


def test_assertions_of_tf1() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [], "x")
        with tf.control_dependencies([v1.Assert(x > 0, ["x is", x])]):
            y = x * 2.0
        return [x], [y]

    question = Question(make)
    program = question.check([2.0])
    assert ops(program).count("If") == 1
    from cryograph.base.errors import RunError

    from .oracle import run

    with pytest.raises(RunError, match="x is"):
        run(program, [-2.0])


def test_a_merge_whose_branches_lost_their_guards() -> None:
    """What optimizers leave: a branch that is a constant without control edges."""

    def make() -> Any:
        flag, x = flag_and_x()
        y = v1.cond(flag, lambda: x * 2.0, lambda: tf.constant([9.0]))
        return [flag, x], [y]

    question = Question(make)
    for node in question.document.graph:
        if node.op == "Const":
            node.inputs = []
    question.check(*BOTH)


def test_the_number_of_the_chosen_branch() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        no, yes = v1.raw_ops.Switch(data=x, pred=flag)
        merged = v1.raw_ops.Merge(inputs=[-no, yes * 2.0])
        return [flag, x], [merged.output, merged.value_index]

    Question(make).check(*BOTH)


def test_what_is_only_sometimes_there_is_refused() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        v1.cond(flag, lambda: tf.exp(x, name="inside"), lambda: x)
        return [flag, x], [x]

    question = Question(make)
    with pytest.raises(
        UnsupportedError, match=r"cond/inside:0 is computed only when flag:0 is true; ask for what the Merge"
    ):
        question.program(["cond/inside:0"])


def test_gradients_of_a_conditional() -> None:
    """A second conditional takes what the first one computed inside."""

    def make() -> Any:
        flag, x = flag_and_x()
        y = v1.cond(flag, lambda: tf.exp(x * 3.0), lambda: tf.square(x))
        return [flag, x], [v1.gradients(y, x)[0], y]

    Question(make).check(*BOTH)


def test_variables_in_branches() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        v = v1.get_variable("v", initializer=tf.constant([1.0, 2.0, 3.0]))
        w = v1.get_variable("w", initializer=tf.constant([4.0, 5.0, 6.0]))
        return [flag, x], [v1.cond(flag, lambda: x * v, lambda: x + w)]

    for resources in (False, True):
        program = Question(make, resources=resources).check(*BOTH)
        assert program.state == ()
        assert program.constants == {}  # they stand in the branches


# Loops


def test_a_loop() -> None:
    def make() -> Any:
        x, n = v1.placeholder(tf.float32, [None]), v1.placeholder(tf.int32, [])
        i, y = v1.while_loop(lambda i, v: i < n, lambda i, v: (i + 1, v * x + 1.0), [0, x])
        return [x, n], [y, i]

    program = Question(make).check([X, 3], [X, 0], [X, 1])
    assert ops(program) == ["While"]
    assert program.specs[program.outputs[0]].shape == (None,)


def test_loops_in_loops() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [])

        def outer(i: Any, v: Any) -> Any:
            inner = v1.while_loop(lambda j, _: j < i, lambda j, u: (j + 1, u + x * tf.cast(j, tf.float32)), [0, v])
            return i + 1, inner[1] * 1.5

        return [x], v1.while_loop(lambda i, _: i < 4, outer, [0, x])

    Question(make).check([1.0], [-2.5])


def test_loops_in_conditionals_and_the_reverse() -> None:
    def make() -> Any:
        flag, x = flag_and_x()

        def halve() -> Any:
            return v1.while_loop(
                lambda i, v: tf.logical_and(i < 20, tf.reduce_max(tf.abs(v)) > 0.5),
                lambda i, v: (i + 1, v * 0.5),
                [0, x],
            )

        steps, y = v1.cond(flag, halve, lambda: (tf.constant(-1), -x))

        def body(i: Any, v: Any) -> Any:
            return i + 1, v1.cond(tf.equal(i % 2, 1), lambda: v + tf.cast(i, tf.float32), lambda: tf.sin(v))

        z = v1.while_loop(lambda i, _: i < 5, body, [0, x])[1]
        return [flag, x], [steps, y, z]

    Question(make).check(*BOTH)


def test_a_loop_whose_shapes_grow() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [2, 1])
        y = v1.while_loop(
            lambda i, _: i < 3,
            lambda i, v: (i + 1, tf.concat([v, v[:, :1] + 1.0], 1)),
            [0, x],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None])],
        )[1]
        return [x], [y]

    program = Question(make).check([np.ones((2, 1))])
    assert program.specs[program.outputs[0]].shape == (2, None)


def test_a_loop_that_never_runs_or_hands_on() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [])
        i, a, b = v1.while_loop(lambda i, a, b: i < 0, lambda i, a, b: (i + 1, b, a), [0, x, -x])
        j, c, d = v1.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, b, a), [0, x, -x])
        return [x], [i, a, b, j, c, d]

    Question(make).check([3.0])


def test_variables_in_loops() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [3])
        v = v1.get_variable("v", initializer=tf.constant([1.0, 2.0, 3.0]))
        return [x], [v1.while_loop(lambda i, _: i < 3, lambda i, u: (i + 1, u * v), [0, x])[1]]

    for resources in (False, True):
        program = Question(make, resources=resources).check([X])
        assert program.state == ()


def test_the_inside_of_a_loop_is_refused() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [])
        v1.while_loop(lambda i, _: i < 3, lambda i, u: (i + 1, tf.exp(u, name="inside")), [0, x])
        return [x], [x]

    with pytest.raises(UnsupportedError, match="while/inside:0 is inside of a loop"):
        Question(make).program(["while/inside:0"])


def test_assertions_in_a_loop() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [])

        def body(i: Any, u: Any) -> Any:
            with tf.control_dependencies([v1.Assert(u < 20.0, ["too large:", u])]):
                return i + 1, u * 2.0

        return [x], [v1.while_loop(lambda i, _: i < 3, body, [0, x])[1]]

    from cryograph.base.errors import RunError

    from .oracle import run

    program = Question(make).check([2.0])
    with pytest.raises(RunError, match="too large"):
        run(program, [15.0])


def test_old_control_flow_inside_of_functions() -> None:
    def make() -> Any:
        flag, x = flag_and_x()
        body = lambda i, v: (i + 1, v1.cond(flag, lambda: v * 2.0, lambda: v + 1.0))  # noqa: E731

        def both(a: Any) -> Any:
            return v1.while_loop(lambda i, _: i < 3, body, [0, a])[1]

        from tensorflow.python.framework import function

        @function.Defun(tf.float32, tf.bool)
        def defun(a: Any, p: Any) -> Any:
            return v1.while_loop(
                lambda i, _: i < 2, lambda i, v: (i + 1, v1.cond(p, lambda: v * 2.0, lambda: v + 1.0)), [0, a]
            )[1]

        return [flag, x], [both(x), defun(x, flag) + defun(x * 2.0, flag)]

    Question(make).check(*BOTH)
