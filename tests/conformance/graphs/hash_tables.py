"""Graphs that look up, insert and remove."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.ops import gen_lookup_ops as ops

from tests.conformance.graphs.making import Built, recipe, v1


@recipe([[[b"a", b"z", b"c"]], [[b""]]])
def a_table_of_constants() -> Built:
    keys = v1.placeholder(tf.string, [None])
    initializer = tf.lookup.KeyValueTensorInitializer(["a", "b", "c"], tf.constant([1, 2, 3], tf.int64))
    table = tf.lookup.StaticHashTable(initializer, -1)
    return [keys], [table.lookup(keys), table.size()]


@recipe([[[1, 2], [10.0, 20.0]], [[5, 1], [50.0, -1.0]]])
def insert_find_remove_and_export() -> Built:
    keys, values = v1.placeholder(tf.int64, [None]), v1.placeholder(tf.float32, [None])
    table = ops.mutable_hash_table_v2(tf.int64, tf.float32, shared_name="t")
    insert = ops.lookup_table_insert_v2(table, keys, values)
    with tf.control_dependencies([insert]):
        found = ops.lookup_table_find_v2(table, tf.constant([1, 2, 5], tf.int64), 0.5)
        size = ops.lookup_table_size_v2(table)
    with tf.control_dependencies([found, size]):
        remove = ops.lookup_table_remove_v2(table, tf.constant([2, 77], tf.int64))
    with tf.control_dependencies([remove]):
        left = ops.lookup_table_size_v2(table)
        exported = ops.lookup_table_export_v2(table, tf.int64, tf.float32)
    with tf.control_dependencies(list(exported)):
        total = tf.reduce_sum(exported[0]), tf.reduce_sum(exported[1])
    return [keys, values], [found, size, left, *total]
