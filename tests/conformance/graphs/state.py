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


WORDS = ("add", "sub", "mul", "div", "min", "max", "update")
ROWS = [2, 0, 2]
UPDATES = [[2.0, -3.0], [0.5, 4.0], [5.0, 0.25]]


@recipe([[ROWS, UPDATES], [[1, 1, 1], UPDATES]], resources=(False, True))
def rows_scattered_into() -> Built:
    rows, updates = v1.placeholder(tf.int32, [None]), v1.placeholder(tf.float32, [None, 2])
    outputs = []
    for word in WORDS:
        v = v1.get_variable(word, initializer=[[1.0, 2.0], [3.0, 4.0], [-5.0, 6.0]])
        outputs.append(getattr(v1, f"scatter_{word}")(v, rows, updates) + 0.0)
    return [rows, updates], outputs


@recipe([[[1, 3], 7], [[0, 0], -3]], resources=(False, True))
def one_number_scattered_into_integers() -> Built:
    rows, update = v1.placeholder(tf.int64, [2]), v1.placeholder(tf.int32, [])
    outputs = []
    for word in WORDS:
        v = v1.get_variable(word, initializer=[10, -20, 30, -41])
        outputs.append(getattr(v1, f"scatter_{word}")(v, rows, update) + 0)
    return [rows, update], outputs


@recipe([[[[3]], [[1.0, 2.0]]]], resources=(False, True))
def rows_out_of_range() -> Built:
    rows, updates = v1.placeholder(tf.int32, [None, 1]), v1.placeholder(tf.float32, [None, 2])
    v = v1.get_variable("v", initializer=[[1.0, 2.0], [3.0, 4.0]])
    return [rows, updates], [v1.scatter_nd_update(v, rows, updates) + 0.0]


@recipe([[[[0, 1], [2, 0], [0, 1]], [2.0, 3.0, 5.0]]], resources=(False, True))
def places_scattered_into() -> Built:
    places, updates = v1.placeholder(tf.int32, [None, 2]), v1.placeholder(tf.float32, [None])
    outputs = []
    for word in ("add", "sub", "update"):
        v = v1.get_variable(word, initializer=[[1.0, 2.0], [3.0, 4.0], [-5.0, 6.0]])
        outputs.append(getattr(v1, f"scatter_nd_{word}")(v, places, updates) + 0.0)
    for word in ("min", "max"):
        v = v1.get_variable(word, initializer=[[1.0, 2.0], [3.0, 4.0], [-5.0, 6.0]])
        if hasattr(v, "scatter_nd_min"):
            outputs.append(getattr(v, f"scatter_nd_{word}")(places, updates) + 0.0)
    return [places, updates], outputs


@recipe([[[7.0, 8.0]], [[-1.0, 0.5]]], resources=(False, True))
def slices_assigned() -> Built:
    values = v1.placeholder(tf.float32, [2])
    v = v1.get_variable("v", initializer=[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    first = v[1].assign(values)
    with tf.control_dependencies([first]):
        second = v[::2, 0].assign(values * 10.0)
    with tf.control_dependencies([second]):
        return [values], [v.read_value() + 0.0]


@recipe([[], [], [], []], resources=(False, True))
def a_counter_with_a_limit() -> Built:
    v = v1.get_variable("v", initializer=1)
    return [], [v.count_up_to(4) + 0]


@recipe([[[1, 1, 0]]], resources=True)
def rows_and_shapes_of_a_resource() -> Built:
    from tensorflow.python.ops import gen_resource_variable_ops as ops

    rows = v1.placeholder(tf.int32, [None])
    v = v1.get_variable("v", initializer=[[1.0, 2.0], [3.0, 4.0]])
    picked = ops.resource_gather_nd(v.handle, rows[:, None], dtype=tf.float32)
    return [rows], [v.sparse_read(rows), picked, ops.variable_shape(v.handle), ops.var_is_initialized_op(v.handle)]


@recipe([[2.0]])
def references_of_2016() -> Built:
    from tensorflow.python.ops import gen_state_ops as ops

    x = v1.placeholder(tf.float32, [])
    v = v1.get_variable("v", initializer=[1.0, 2.0])
    known = v1.is_variable_initialized(v)
    temporary = ops.temporary_variable(shape=[2], dtype=tf.float32, var_name="t")
    filled = v1.assign(temporary, [3.0, 4.0])
    added = v1.assign_add(filled, tf.fill([2], x))
    return [x], [known, ops.destroy_temporary_variable(added, var_name="t"), v * x]


@recipe([[1.0], [2.5]], resources=True)
def handles_that_are_given_up() -> Built:
    from tensorflow.python.ops import gen_resource_variable_ops as ops

    x = v1.placeholder(tf.float32, [])
    v = v1.get_variable("v", initializer=1.0)
    ops.disable_copy_on_read(v.handle)
    with tf.control_dependencies([ops.disable_copy_on_read(v.handle)]):
        added = v.assign_add(x)
    return [x], [added + 0.0]


@recipe([[1.5]])
def references_handed_on() -> Built:
    from tensorflow.python.ops import gen_array_ops

    x = v1.placeholder(tf.float32, [])
    v = v1.get_variable("v", initializer=[1.0, 2.0])
    same = gen_array_ops.ref_identity(v._ref())
    with tf.control_dependencies([v1.assign_add(v, tf.fill([2], x))]):
        return [x], [same * x, v.read_value() + 0.0]


@recipe([[[b"b", b"z"]]])
def a_table_that_the_run_fills() -> Built:
    from tensorflow.python.ops import gen_lookup_ops as lookup

    keys = v1.placeholder(tf.string, [None])
    table = lookup.hash_table_v2(tf.string, tf.int64, shared_name="filled")
    filled = lookup.initialize_table_v2(table, tf.constant(["a", "b"]), tf.constant([5, 7], tf.int64))
    with tf.control_dependencies([filled]):
        return [keys], [lookup.lookup_table_find_v2(table, keys, tf.constant(-1, tf.int64))]
