"""Functions mapped over rows, of numbers throughout."""

from __future__ import annotations

import tensorflow as tf

from .making import Built, recipe, v1

raw = tf.raw_ops
ROWS = [[1.0, -2.0], [3.0, 4.0], [5.0, 6.5]]


@recipe([[ROWS, [3, -1, 2], 2.0], [ROWS[:1], [7], 0.5], [[[0.0, 0.0]] * 2, [1, 1, 1], 1.0]])
def numbers_over_rows() -> Built:
    x, n, y = v1.placeholder(tf.float32, [None, 2]), v1.placeholder(tf.int32, [None]), v1.placeholder(tf.float32, [])
    specs = tf.TensorSpec([2], tf.float32), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)
    each = tf.function(lambda row, k, by: (row * by, tf.reduce_sum(row), k + 1, tf.stack([k, k * k])))
    made = raw.MapDefun(
        arguments=[x, n],
        captured_inputs=[y],
        output_types=[tf.float32, tf.float32, tf.int32, tf.int32],
        output_shapes=[[2], [], [], [2]],
        f=each.get_concrete_function(*specs),
    )
    return [x, n, y], list(made)
