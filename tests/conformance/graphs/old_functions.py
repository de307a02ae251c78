"""Functions of TF1: called elsewhere, mapped, in For, with a gradient of their own; loops over references."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework import function
from tensorflow.python.ops import functional_ops
from tensorflow.python.ops import gen_control_flow_ops as flow

from .making import Built, recipe, v1

raw = tf.raw_ops


@recipe([[2.0], [-1.5]])
def called_on_a_device() -> Built:
    x = v1.placeholder(tf.float32, [])

    @function.Defun(tf.float32, tf.float32, func_name="scaled")
    def scaled(a: Any, b: Any) -> Any:
        return a * b, a + 1.0

    target = "/job:localhost/replica:0/task:0/device:CPU:0"
    return [x], list(raw.RemoteCall(target=target, args=[x, 3.0], Tout=[tf.float32, tf.float32], f=scaled))


def _with_gradient() -> Any:
    @function.Defun(tf.float32, tf.float32, func_name="back")
    def back(x: Any, dy: Any) -> Any:
        return dy * x * 7.0  # not the derivative, so that it is told from that

    @function.Defun(tf.float32, grad_func=back, func_name="front")
    def front(x: Any) -> Any:
        return x * x

    return front


@recipe([[[1.0, -2.0]], [[0.5]]])
def a_gradient_of_its_own() -> Built:
    x = v1.placeholder(tf.float32, [None])
    y = _with_gradient()(x) * 3.0
    return [x], [y, *v1.gradients(y, [x])]


@recipe([[0, 5, 2, 1.0], [5, 0, -1, 2.0], [3, 3, 1, 1.0], [3, 3, 0, 1.0], [0, 5, -1, 1.0], [0, 5, 0, 1.0]])
def a_loop_over_numbers() -> Built:
    ends = [v1.placeholder(tf.int32, []) for _ in range(3)]
    x = v1.placeholder(tf.float32, [])

    @function.Defun(tf.int32, tf.float32, tf.int32, func_name="turn")
    def turn(i: Any, a: Any, n: Any) -> Any:
        return a * 2.0 + tf.cast(i, tf.float32), n + 1

    return [*ends, x], functional_ops.For(*ends, [x, tf.constant(0)], turn)


@recipe([[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], 2.0], [[[1.0, 2.0]], 0.5]])
def mapped_over_rows() -> Built:
    x, y = v1.placeholder(tf.float32, [None, 2]), v1.placeholder(tf.float32, [])
    specs = tf.TensorSpec([2], tf.float32), tf.TensorSpec([], tf.float32)
    each = tf.function(lambda row, by: (row * by, tf.reduce_sum(row), tf.strings.as_string(row))).get_concrete_function
    made = raw.MapDefun(
        arguments=[x],
        captured_inputs=[y],
        output_types=[tf.float32, tf.float32, tf.string],
        output_shapes=[[2], [], [2]],
        f=each(*specs),
    )
    return [x, y], list(made)


@recipe([[3], [0], [2]])
def a_loop_over_a_reference() -> Built:
    """A frame into which a reference comes, and from which it goes: what is added in each turn stays."""
    turns = v1.placeholder(tf.int32, [])
    variable = v1.get_variable("v", initializer=1.0, use_resource=False)
    enter = flow.ref_enter(variable._ref(), frame_name="f")
    most = flow.enter(turns, frame_name="f", is_constant=True)
    one = flow.enter(tf.constant(1), frame_name="f", is_constant=True)
    start = flow.enter(tf.constant(0), frame_name="f")
    number, held = flow.merge([start, start])[0], flow.ref_merge([enter, enter])[0]
    condition = flow.loop_cond(tf.less(number, most))
    left, goes_on = flow.switch(number, condition)
    after, inside = flow.ref_switch(held, condition)
    added = raw.AssignAdd(ref=inside, value=tf.cast(goes_on + one, tf.float32))
    back = flow.ref_next_iteration(added)
    with tf.control_dependencies([added]):
        following = flow.next_iteration(goes_on + one)
    number.op._update_input(1, following)
    held.op._update_input(1, back)
    return [turns], [flow.ref_exit(after) + 0.0, flow._exit(left)]


@recipe([[[1.0, -0.3]], [[0.0, 0.2]]])
def weights_shrink() -> Built:
    x = v1.placeholder(tf.float32, [2])
    first = v1.get_variable("first", initializer=[1.0, -2.0], use_resource=False)
    second = v1.get_variable("second", initializer=[[0.25], [-3.0], [0.5]], use_resource=False)
    added = v1.assign_add(first, x)
    with tf.control_dependencies([added]):
        shrink = raw.SdcaShrinkL1(weights=[first._ref(), second._ref()], l1=0.5, l2=2.0)
    with tf.control_dependencies([shrink]):
        return [x], [first.read_value(), second.read_value()]
