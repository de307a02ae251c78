"""Graphs that write variables and read them, in an order that control dependencies say."""

from __future__ import annotations

import tensorflow as tf

from tests.conformance.graphs.making import Built, recipe, v1


@recipe([[2.0], [3.0], [-1.0]], resources=(False, True))
def writes_between_reads() -> Built:
    x = v1.placeholder(tf.float32, [])
    v = v1.get_variable("v", initializer=1.0)
    before = v.read_value()
    with tf.control_dependencies([before]):
        added = v.assign_add(x)
    with tf.control_dependencies([added]):
        between = v.read_value() * 10.0
    with tf.control_dependencies([between]):
        less = v.assign_sub(0.5)
    with tf.control_dependencies([less]):
        after = v.read_value() + 0.0
    return [x], [before, between, after]
