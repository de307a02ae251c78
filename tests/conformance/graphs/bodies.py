"""Graphs with branches and loops of both generations."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.conformance.graphs.making import Built, recipe, v1


@recipe([[True, 3.0], [False, -2.0]], generations=(1, 2))
def a_condition() -> Built:
    flag, x = v1.placeholder(tf.bool, []), v1.placeholder(tf.float32, [])
    y = tf.cond(flag, lambda: (x * 2.0, tf.constant(1)), lambda: (x - 1.0, tf.constant(2)))
    return [flag, x], list(y)


@recipe([[5], [0], [1]], generations=(1, 2))
def a_loop_with_a_condition_inside() -> Built:
    n = v1.placeholder(tf.int32, [])

    def body(i: Any, even: Any, odd: Any) -> Any:
        return (i + 1, *tf.cond(tf.equal(i % 2, 0), lambda: (even + i, odd), lambda: (even, odd * (i + 1))))

    return [n], list(tf.while_loop(lambda i, *_: i < n, body, (0, 0, 1)))


@recipe([[0, 1.5], [1, 1.5], [2, 1.5], [7, 1.5], [-1, 1.5]], generations=(1, 2))
def a_choice() -> Built:
    which, x = v1.placeholder(tf.int32, []), v1.placeholder(tf.float32, [])
    y = tf.switch_case(which, [lambda: x + 1.0, lambda: x * 10.0, lambda: -x])
    return [which, x], [y]


@recipe([[0, 2.0], [1, 3.0], [2, 1.0]], generations=(1, 2), resources=True)
def writes_in_a_choice_a_branch_and_a_loop() -> Built:
    which, x = v1.placeholder(tf.int32, []), v1.placeholder(tf.float32, [])
    v = v1.get_variable("v", initializer=1.0)
    chosen = tf.switch_case(which, [lambda: v.assign_add(x), lambda: v.assign(x), lambda: v.assign_sub(1.0)])
    with tf.control_dependencies([chosen]):
        kept = tf.cond(x > 1.5, lambda: v.assign_add(10.0), lambda: v + 0.0)

    def body(i: Any, total: Any) -> Any:
        with tf.control_dependencies([v.assign_add(total)]):
            return i + 1, total + v.read_value()

    with tf.control_dependencies([kept]):
        _, total = tf.while_loop(lambda i, _: i < 3, body, (0, x))
    with tf.control_dependencies([total]):
        return [which, x], [chosen, kept, total, v.read_value()]
