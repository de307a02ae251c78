"""Loops and conditionals that stand in each other, with their gradients, which take up what branches and turns left."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.conformance.graphs.making import Built, recipe, v1

X = np.random.default_rng(5).normal(size=(2, 3)).astype(np.float32)
SIGNS = ([X], [-X], [X * [[1], [-1]]], [np.abs(X)], [-np.abs(X)])
BOTH = (1, 2)


def _input() -> Any:
    return v1.placeholder(tf.float32, [None, 3])


def _turns(x: Any, count: int, turn: Any) -> Any:
    return v1.while_loop(lambda i, _: i < count, lambda i, a: (i + 1, turn(a)), [0, x])[1]


@recipe(SIGNS, generations=BOTH)
def a_loop_in_a_branch() -> Built:
    x = _input()
    y = v1.cond(tf.reduce_sum(x) > 0, lambda: _turns(x, 3, tf.sin), lambda: x * x)
    return [x], [y, *tf.gradients(y, x)]


@recipe(SIGNS, generations=BOTH)
def a_loop_in_a_branch_of_a_branch() -> Built:
    x = _input()
    y = v1.cond(
        tf.reduce_sum(x) > 0,
        lambda: v1.cond(x[0, 0] > 0.1, lambda: _turns(x, 3, lambda a: tf.tanh(a) * x), lambda: tf.exp(x)),
        lambda: v1.cond(x[0, 0] > 0.2, lambda: x * x, lambda: _turns(x, 2, tf.sin)),
    )
    return [x], [y, *tf.gradients(y, x)]


@recipe(SIGNS, generations=BOTH)
def branches_of_branches_in_a_loop() -> Built:
    x = _input()

    def turn(a: Any) -> Any:
        inner = lambda: v1.cond(a[0, 1] > 0, lambda: tf.sin(a) * x, lambda: tf.tanh(a))  # noqa: E731
        return v1.case([(tf.reduce_sum(a) > 1, inner), (tf.reduce_sum(a) > -1, lambda: a * 0.5 + x)], default=inner)

    y = _turns(x, 3, turn)
    return [x], [y, *tf.gradients(y, x)]


@recipe(SIGNS, generations=BOTH)
def a_predicate_from_outside() -> Built:
    x = _input()
    inner = x[0, 0] > 0
    y = v1.cond(
        tf.reduce_sum(x) > 0,
        lambda: v1.cond(inner, lambda: _turns(tf.nn.softmax(x) * x, 2, tf.sin), lambda: tf.exp(x)) * x,
        lambda: tf.tanh(x),
    )
    return [x], [y, *tf.gradients(y, x)]


@recipe(SIGNS, generations=BOTH)
def loops_in_branches_in_loops() -> Built:
    x = _input()

    def turn(a: Any) -> Any:
        return v1.cond(
            tf.reduce_sum(a) > 0,
            lambda: v1.cond(a[0, 0] > 0, lambda: _turns(a, 2, lambda b: tf.sin(b) + a), lambda: a * x),
            lambda: _turns(a, 2, tf.tanh),
        )

    y = _turns(x, 2, turn)
    return [x], [y, *tf.gradients(y, x)]


@recipe([[X], [X[0]]], generations=BOTH)
def a_loop_in_a_loop() -> Built:
    x = v1.placeholder(tf.float32, None)
    y = _turns(x, 3, lambda a: _turns(a, 2, lambda b: tf.sin(b) + a))
    return [x], [y, *tf.gradients(y, x)]


@recipe([[np.concatenate([X, -X])]], generations=BOTH)
def rows_that_grow() -> Built:
    x = v1.placeholder(tf.float32, [None, 3])
    rows = tf.TensorArray(tf.float32, 3, infer_shape=False)
    filled = v1.while_loop(lambda i, _: i < 3, lambda i, t: (i + 1, t.write(i, x[: i + 1])), [0, rows])[1]
    return [x], [filled.concat()]


@recipe(SIGNS, generations=BOTH)
def arrays_in_branches() -> Built:
    x = _input()
    y = v1.cond(
        tf.reduce_sum(x) > 0,
        lambda: v1.map_fn(lambda row: tf.sin(row) * row, x),
        lambda: v1.scan(lambda a, row: tf.tanh(a * row), x),
    )
    return [x], [y, *tf.gradients(y, x)]


@recipe(SIGNS, generations=BOTH)
def arrays_in_branches_of_branches() -> Built:
    x = _input()

    def written() -> Any:
        rows = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        end = v1.while_loop(lambda i, *_: i < 3, lambda i, a, t: (i + 1, tf.sin(a), t.write(i, a * x)), [0, x, rows])
        return tf.reduce_sum(end[2].stack(), 0)

    y = v1.cond(
        tf.reduce_sum(x) > 0,
        lambda: v1.cond(x[0, 0] > 0.1, written, lambda: v1.map_fn(tf.exp, x)) * x,
        lambda: v1.case([(x[0, 0] > 0.2, lambda: v1.map_fn(tf.tanh, x))], default=written),
    )
    return [x], [y, *tf.gradients(y, x)]


@recipe(SIGNS, generations=BOTH)
def arrays_in_a_loop() -> Built:
    x = _input()

    def turn(a: Any) -> Any:
        rows = tf.TensorArray(tf.float32, 2, clear_after_read=False).unstack(tf.sin(a))
        return rows.gather([1, 0]) * x + rows.read(0)

    y = _turns(x[:2], 3, turn)
    return [x], [y, *tf.gradients(y, x)]
