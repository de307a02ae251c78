"""Graphs that call functions: nested, with captures and resources, through Defun's own nodes, on several devices."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import function as old_function

from tests.conformance.graphs.making import Built, recipe, v1


@recipe([[[1.0, -2.0]], [[0.5]]])
def calls_within_calls() -> Built:
    x = v1.placeholder(tf.float32, [None])

    @tf.function
    def inner(a: Any, b: Any) -> Any:
        return a * b + 1.0, tf.reduce_sum(b)

    @tf.function
    def outer(a: Any) -> Any:
        first, total = inner(a, a + 1.0)
        again, _ = inner(first, first)
        return again + total

    return [x], [outer(x), outer(x * 2.0)]


@recipe([[3.0], [-1.0]], resources=True)
def a_function_that_writes_a_variable() -> Built:
    x = v1.placeholder(tf.float32, [])
    v = v1.get_variable("v", initializer=[1.0, 2.0])

    @tf.function
    def add(a: Any) -> Any:
        before = v.read_value()
        v.assign_add(tf.fill([2], a))
        return before * a, v.read_value()

    before, after = add(x)
    with tf.control_dependencies([after]):
        return [x], [before, after, v.read_value() * 1.0]


@recipe([[2.0, 3.0]])
def a_defun_of_2016() -> Built:
    x, y = v1.placeholder(tf.float32, []), v1.placeholder(tf.float32, [])

    @old_function.Defun(tf.float32, tf.float32, func_name="Hypotenuse")
    def hypotenuse(a: Any, b: Any) -> Any:
        return tf.sqrt(a * a + b * b), a - b

    length, difference = hypotenuse(x, y)
    return [x, y], [length, difference]


@recipe([[1.5], [-0.25]])
def the_gradient_of_a_function() -> Built:
    x = v1.placeholder(tf.float32, [])

    @tf.function
    def smooth(a: Any) -> Any:
        return tf.tanh(a) * tf.exp(-a * a)

    (slope,) = tf.gradients(smooth(x), x)
    return [x], [slope]


@recipe([[[0.5, 2.0]]])
def a_gradient_written_by_hand() -> Built:
    x = v1.placeholder(tf.float32, [None])

    @tf.custom_gradient
    def clipped(a: Any) -> Any:
        return tf.clip_by_value(a, 0.0, 1.0), lambda dy: dy * 0.5

    (slope,) = tf.gradients(clipped(x * 2.0), x)
    return [x], [clipped(x), slope]


@recipe([[[[1.0, 2.0], [3.0, 4.0]]]], generations=(1, 2))
def functions_over_elements() -> Built:
    x = v1.placeholder(tf.float32, [None, 2])
    mapped = tf.map_fn(lambda row: tf.reduce_sum(row * row), x)
    folded = tf.foldl(lambda a, row: a * 0.5 + row, x)
    running = tf.scan(lambda a, row: a + row, x)
    return [x], [mapped, folded, running]


@recipe([[[1, 2, 3, 4]]])
def a_vectorized_map() -> Built:
    x = v1.placeholder(tf.int32, [4])
    return [x], [tf.vectorized_map(lambda n: n * n + 1, x)]


@recipe([[5.0]])
def a_branch_by_device() -> Built:
    from tensorflow.python.ops import gen_functional_ops

    x = v1.placeholder(tf.float32, [])
    index = gen_functional_ops.device_index(device_names=["GPU", "CPU"])
    return [x], [tf.switch_case(index, [lambda: x * 2.0, lambda: x * 3.0])]


@recipe([[2.0]])
def statements_that_autograph_turned() -> Built:
    x = v1.placeholder(tf.float32, [])

    @tf.function
    def collatz(a: Any) -> Any:
        steps = 0
        while a < 100.0:
            if tf.math.floormod(a, 2.0) > 0.5:
                a = 3.0 * a + 1.0
            else:
                a = a * 1.75
            steps += 1
            if steps > 20:
                break
        return a, steps

    assert not context.executing_eagerly()
    return [x], list(collatz(x))


@recipe([[True, 2.0], [False, 3.0]], generations=(1, 2))
def the_gradient_of_a_condition() -> Built:
    flag, x = v1.placeholder(tf.bool, []), v1.placeholder(tf.float32, [])
    y = tf.cond(flag, lambda: tf.exp(x) * tf.sin(x), lambda: tf.stop_gradient(x) * x * x)
    (slope,) = tf.gradients(y, x)
    return [flag, x], [y, slope]


@recipe([[3, 1.5], [0, 2.0]], generations=(1, 2))
def the_gradient_of_a_loop() -> Built:
    n, x = v1.placeholder(tf.int32, []), v1.placeholder(tf.float32, [])
    _, y = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, tf.sin(a) * x), (0, x * 0.5))
    (slope,) = tf.gradients(y, x)
    return [n, x], [y, slope]
