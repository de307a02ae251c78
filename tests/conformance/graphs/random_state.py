"""Graphs whose random numbers come from a variable."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.ops import gen_stateful_random_ops as ops

from tests.conformance.graphs.making import Built, recipe, v1


@recipe([[], [], []], resources=True, tolerance=2e-6)
def a_generator_of_tf2() -> Built:
    generator = tf.random.Generator.from_seed(7)
    first = generator.uniform([5])
    with tf.control_dependencies([first]):
        second = generator.normal([2, 3])
    with tf.control_dependencies([second]):
        third = generator.truncated_normal([9])
    with tf.control_dependencies([third]):
        fourth = generator.uniform([4], 3, 90, dtype=tf.int32)
    return [], [first, second, third, fourth]


@recipe([[], []], resources=True, tolerance=2e-6)
def ops_on_a_state() -> Built:
    state = v1.get_variable("state", initializer=tf.constant([5, -7, 1 << 40], tf.int64))
    handle, alg = state.handle, tf.constant(1, tf.int64)
    outputs = [ops.stateful_uniform(handle, alg, [5], dtype=tf.float32)]
    for make in (
        lambda: ops.stateful_uniform(handle, alg, [3], dtype=tf.float64),
        lambda: ops.stateful_standard_normal_v2(handle, alg, [6], dtype=tf.float32),
        lambda: ops.stateful_truncated_normal(handle, alg, [7], dtype=tf.float32),
        lambda: ops.stateful_uniform_int(handle, alg, [5], tf.constant(-3), tf.constant(1000)),
        lambda: ops.stateful_uniform_full_int(handle, alg, [3], dtype=tf.uint64),
        lambda: ops.rng_read_and_skip(handle, tf.constant(1), tf.constant(11, tf.uint64)),
    ):
        with tf.control_dependencies([outputs[-1]]):
            outputs.append(make())
    with tf.control_dependencies([outputs[-1]]):
        skip = ops.rng_skip(handle, alg, tf.constant(3, tf.int64))
    with tf.control_dependencies([skip]):
        return [], [*outputs, state.read_value()]


@recipe([[], []], resources=True, tolerance=2e-6)
def binomials_of_a_state() -> Built:
    state = v1.get_variable("state", initializer=tf.constant([5, -7, 1 << 40], tf.int64))
    handle, alg = state.handle, tf.constant(1, tf.int64)
    # As the first op on a variable, TensorFlow's binomial kernel loses the new state: it writes it into the constant
    # that the variable began with. Another op comes first.
    outputs = [ops.stateful_uniform(handle, alg, [2], dtype=tf.float32)]
    for shape, counts, chances, kind in (
        ([5, 2], [3.0, 400.0], [0.25], tf.int64),
        ([2, 3, 1], [7.0], 0.5, tf.float32),
        ([4], 90.0, 0.75, tf.int32),
    ):
        with tf.control_dependencies(outputs[-1:]):
            parameters = tf.constant(counts), tf.constant(chances)
            outputs.append(ops.stateful_random_binomial(handle, alg, shape, *parameters, dtype=kind))
    with tf.control_dependencies(outputs[-1:]):
        return [], [*outputs, state.read_value()]
