"""Variables of the first version of TensorFlow, and handles that are destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import gen_state_ops, state_ops

from .making import Built, recipe, v1


@contextmanager
def first_variables() -> Iterator[None]:
    """Variables are made of the op of 2015."""
    before = state_ops.variable_op_v2

    def variable(shape: Any, dtype: Any, name: str = "Variable", container: str = "", shared_name: str = "") -> Any:
        return gen_state_ops.variable(shape, dtype, name=name, container=container, shared_name=shared_name)

    state_ops.variable_op_v2 = variable
    try:
        yield
    finally:
        state_ops.variable_op_v2 = before


@recipe([[[1.0, 2.0]], [[0.5, -1.0]]])
def read_and_add() -> Built:
    x = v1.placeholder(tf.float32, [2])
    with first_variables():
        total = v1.get_variable("total", initializer=[1.0, -1.0], use_resource=False)
        count = v1.get_variable("count", initializer=3, use_resource=False)
    before = total * 2.0
    with tf.control_dependencies([before]):
        after = v1.assign_add(total, x)
        with tf.control_dependencies([v1.assign_sub(count, 1)]):
            return [x], [before, after, count.read_value()]


@recipe([[[1], [[9.0, 9.0]]], [[0], [[7.0, 8.0]]]])
def scatter_into_rows() -> Built:
    places, rows = v1.placeholder(tf.int32, [None]), v1.placeholder(tf.float32, [None, 2])
    with first_variables():
        table = v1.get_variable("table", initializer=[[1.0, 2.0], [3.0, 4.0]], use_resource=False)
    with tf.control_dependencies([v1.scatter_update(table, places, rows)]):
        return [places, rows], [tf.gather(table, [1, 0]), tf.identity(table)]


@recipe([[3.0], [5.0]])
def a_handle_is_destroyed() -> Built:
    x = v1.placeholder(tf.float32, [])
    raw = tf.raw_ops
    handle = raw.VarHandleOp(dtype=tf.float32, shape=[], shared_name="passing")
    with tf.control_dependencies([raw.AssignVariableOp(resource=handle, value=x)]):
        read = raw.ReadVariableOp(resource=handle, dtype=tf.float32)
    with tf.control_dependencies([read]):
        gone = raw.DestroyResourceOp(resource=handle, ignore_lookup_error=True)
    with tf.control_dependencies([gone]):
        return [x], [read + 1.0]
