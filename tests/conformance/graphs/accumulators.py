"""Accumulators of gradients, run after run: filled, counted, taken, and too old gradients left out."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.conformance.graphs.making import Built, recipe, v1


def _built(reduction: str, shape: Any) -> Built:
    x, step = v1.placeholder(tf.float32, [2]), v1.placeholder(tf.int64, [])
    held = v1.ConditionalAccumulator(tf.float32, shape=shape, reduction_type=reduction)
    before = held.num_accumulated()
    with tf.control_dependencies([before]):
        first = held.apply_grad(x, local_step=step)
    with tf.control_dependencies([first]):
        second = held.apply_grad(x * 3.0, local_step=7)
    with tf.control_dependencies([second]):
        filled = held.num_accumulated()
    with tf.control_dependencies([filled]):
        taken = held.take_grad(1)
    with tf.control_dependencies([taken]):
        last = held.apply_grad(x, local_step=9)
    with tf.control_dependencies([last]):
        return [x, step], [before, filled, taken, held.num_accumulated()]


TURNS = [[[1.0, 2.0], 0], [[3.0, -1.0], 1], [[0.5, 0.25], 1], [[2.0, 2.0], 9]]


@recipe(TURNS)
def means() -> Built:
    return _built("MEAN", [2])


@recipe(TURNS)
def totals_of_no_known_shape() -> Built:
    return _built("SUM", None)


@recipe([[[2.0, 4.0]]])
def a_step_that_is_set() -> Built:
    x = v1.placeholder(tf.float32, [2])
    held = v1.ConditionalAccumulator(tf.float32, shape=[2], shared_name="shared")
    with tf.control_dependencies([held.set_global_step(5)]):
        old = held.apply_grad(x, local_step=4)
    with tf.control_dependencies([old]):
        fresh = held.apply_grad(x, local_step=5)
    with tf.control_dependencies([fresh]):
        count = held.num_accumulated()
    with tf.control_dependencies([count]):
        return [x], [count, held.take_grad(1)]
