"""Switch and Merge as graphs of 2016 have them: dead tensors, merges that tell which, branches of branches."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_library
from tensorflow.python.ops import control_flow_ops, gen_control_flow_ops

from tests.conformance.graphs.making import Built, recipe, v1

BOTH = ([True, 2.0], [False, 3.0])


def _inputs() -> tuple[Any, Any]:
    return v1.placeholder(tf.bool, []), v1.placeholder(tf.float32, [])


@recipe(BOTH)
def which_came() -> Built:
    flag, x = _inputs()
    no, yes = control_flow_ops.switch(x, flag)
    made, which = control_flow_ops.merge([no * 2.0, tf.sqrt(yes)])
    return [flag, x], [made, which]


@recipe(BOTH)
def what_is_dead_beyond_one_op() -> Built:
    flag, x = _inputs()
    no, yes = control_flow_ops.switch(x, flag)
    both = no + tf.sin(no), tf.stack([yes, x]), x * 2.0
    made, _ = control_flow_ops.merge([tf.reduce_sum(both[1]), both[0]])
    return [flag, x], [made + both[2]]


@recipe([[True, True, 2.0], [True, False, 2.0], [False, True, 2.0], [False, False, 2.0]])
def a_switch_behind_a_switch() -> Built:
    first, second = v1.placeholder(tf.bool, []), v1.placeholder(tf.bool, [])
    x = v1.placeholder(tf.float32, [])
    no, yes = control_flow_ops.switch(x, first)
    yes_no, yes_yes = control_flow_ops.switch(yes, second)
    inner, _ = control_flow_ops.merge([yes_no + 1.0, yes_yes * 10.0])
    made, which = control_flow_ops.merge([no - 1.0, inner])
    return [first, second, x], [made, which]


@recipe([[0, 2.0], [1, 2.0], [2, 2.0]])
def a_switch_with_many_ways() -> Built:
    which, x = v1.placeholder(tf.int32, []), v1.placeholder(tf.float32, [])
    ways = op_def_library.apply_op("_SwitchN", data=x, output_index=which, num_outs=3, name="ways")
    made, index = control_flow_ops.merge([way * float(n) for n, way in enumerate(ways, 1)])
    return [which, x], [made, index]


@recipe(BOTH, resources=(False, True))
def a_write_in_one_branch() -> Built:
    flag, x = _inputs()
    v = v1.get_variable("v", initializer=1.0)
    changed = v1.cond(flag, lambda: tf.identity(v1.assign_add(v, x)), lambda: tf.constant(-1.0))
    with tf.control_dependencies([changed]):
        return [flag, x], [changed, v.read_value() * 2.0]


@recipe(BOTH)
def a_dead_control_edge() -> Built:
    flag, x = _inputs()
    no, yes = control_flow_ops.switch(x, flag)
    with tf.control_dependencies([yes]):
        late = tf.constant(5.0) * 1.0
    made, _ = control_flow_ops.merge([no, late])
    return [flag, x], [made]


@recipe([[True, -2.0], [False, -2.0], [False, 2.0]])
def an_assertion_in_a_branch() -> Built:
    flag, x = _inputs()

    def checked() -> Any:
        with tf.control_dependencies([v1.Assert(x > 0.0, [x, "is not positive"])]):
            return x * 1.5

    return [flag, x], [v1.cond(flag, lambda: x - 1.0, checked)]


@recipe([[True, 3.0], [False, 3.0]], resources=(False,))
def references_through_a_switch() -> Built:
    flag, x = _inputs()
    v, w = v1.get_variable("v", initializer=1.0), v1.get_variable("w", initializer=10.0)
    no, yes = gen_control_flow_ops.ref_switch(v._ref(), flag)
    made, which = gen_control_flow_ops.ref_merge([no, yes])
    chosen = gen_control_flow_ops.ref_select(tf.cast(flag, tf.int32), [v._ref(), w._ref()])
    with tf.control_dependencies([made, chosen]):
        return [flag, x], [made * x, which, chosen + x]
