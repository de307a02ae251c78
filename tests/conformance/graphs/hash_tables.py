"""Graphs that look up, insert and remove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


STATIC = [
    *((tf.string, value) for value in (tf.int64, tf.string, tf.float32, tf.int32, tf.bool, tf.float64)),
    *((tf.int64, value) for value in (tf.string, tf.int64, tf.float32, tf.float64, tf.int32)),
    *((tf.int32, value) for value in (tf.int32, tf.float32, tf.float64, tf.string)),
]
"""Key and value dtypes of HashTable's kernels."""

MUTABLE = [
    *((tf.string, value) for value in (tf.int64, tf.bool, tf.float32, tf.int32)),
    *((tf.int64, value) for value in (tf.string, tf.float64, tf.float32, tf.int32, tf.int64)),
    *((tf.int32, value) for value in (tf.int32, tf.float32, tf.float64)),
]
"""Key and value dtypes of MutableHashTable's kernels."""


def _cast(x: Any, dtype: Any) -> Any:
    return tf.as_string(x) if dtype == tf.string else tf.cast(x, dtype)


def _constant(numbers: list[int], dtype: Any) -> Any:
    return tf.constant(
        [b"%d" % n for n in numbers] if dtype == tf.string else numbers, dtype if dtype != tf.bool else None
    )


@recipe([[[1, 5, 0, 2]], [[]]])
def static_tables_of_every_dtype() -> Built:
    asked, found = v1.placeholder(tf.int32, [None]), []
    for key, value in STATIC:
        given = tf.cast(_constant([7, 0, 9], value), value)
        initializer = tf.lookup.KeyValueTensorInitializer(_constant([0, 1, 2], key), given)
        table = tf.lookup.StaticHashTable(initializer, tf.cast(_constant([1], value), value)[0])
        wanted = tf.gather(_constant([0, 1, 2, 3, 4, 5], key), asked)
        found += [table.lookup(wanted), table.lookup(wanted[:, None]), table.size()]
    return [asked], found


@recipe([[[1, 5, 0, 2]], [[3, 3]]])
def mutable_tables_of_every_dtype() -> Built:
    asked, found = v1.placeholder(tf.int32, [None]), []
    for number, (key, value) in enumerate(MUTABLE):
        table = ops.mutable_hash_table_v2(key, value, shared_name=f"m{number}")
        wanted = tf.gather(_constant([0, 1, 2, 3, 4, 5], key), asked)
        default = tf.cast(_constant([1], value), value)[0]
        values = tf.gather(tf.cast(_constant([7, 0, 9, 4, 3, 2], value), value), asked)
        before = ops.lookup_table_find_v2(table, wanted, default)
        with tf.control_dependencies([before]):
            insert = ops.lookup_table_insert_v2(table, wanted[:2], values[:2])
        with tf.control_dependencies([insert]):
            found += [before, ops.lookup_table_find_v2(table, wanted, default), ops.lookup_table_size_v2(table)]
    return [asked], found


@recipe([[[1, 2], [[1.0, 2.0], [3.0, 4.0]]], [[7, 7], [[5.0, 6.0], [7.0, 8.0]]], [[1, 2], [[1.0, 2.0]]]])
def a_table_of_vectors() -> Built:
    keys, values = v1.placeholder(tf.int64, [None]), v1.placeholder(tf.float32, [None, None])
    table = ops.mutable_hash_table_of_tensors_v2(tf.int64, tf.float32, value_shape=[2], shared_name="v")
    with tf.control_dependencies([ops.lookup_table_insert_v2(table, keys, values)]):
        found = ops.lookup_table_find_v2(table, tf.constant([[1, 7], [3, 2]], tf.int64), [-1.0, -2.0])
        exported = ops.lookup_table_export_v2(table, tf.int64, tf.float32)
    return [keys, values], [found, tf.reduce_sum(exported[1], 0), tf.reduce_sum(exported[0])]


@recipe([[[[1, 2], [3, 4]], [5, 6]], [[[3, 4], [9, 9]], [7, 8]]])
def a_dense_table_of_vectors_as_keys() -> Built:
    keys, values = v1.placeholder(tf.int64, [None, 2]), v1.placeholder(tf.int64, [None])
    table = ops.mutable_dense_hash_table_v2(
        tf.constant([0, 0], tf.int64), tf.constant([-1, -1], tf.int64), tf.int64, shared_name="d"
    )
    wanted = tf.constant([[1, 2], [3, 4], [7, 7]], tf.int64)
    before = ops.lookup_table_find_v2(table, wanted, tf.constant(-5, tf.int64))
    with tf.control_dependencies([before]):
        insert = ops.lookup_table_insert_v2(table, keys, values)
    with tf.control_dependencies([insert]):
        found = ops.lookup_table_find_v2(table, wanted, tf.constant(-5, tf.int64))
        size = ops.lookup_table_size_v2(table)
    with tf.control_dependencies([found, size]):
        remove = ops.lookup_table_remove_v2(table, wanted[:1])
    with tf.control_dependencies([remove]):
        left = ops.lookup_table_find_v2(table, wanted, tf.constant(-5, tf.int64))
    return [keys, values], [before, found, size, left]


@recipe([[[b"a", b"b"], [[1.0], [2.0]]], [[b"b", b"c"], [[3.0], [4.0]]]])
def a_dense_table_of_strings() -> Built:
    keys, values = v1.placeholder(tf.string, [None]), v1.placeholder(tf.float32, [None, 1])
    table = ops.mutable_dense_hash_table_v2(b"", b"gone", tf.float32, value_shape=[1], shared_name="s")
    size = ops.lookup_table_size_v2(table)
    with tf.control_dependencies([size]):
        insert = ops.lookup_table_insert_v2(table, keys, values)
    with tf.control_dependencies([insert]):
        found = ops.lookup_table_find_v2(table, tf.constant([b"c", b"b"]), [0.5])
    return [keys, values], [size, found]


@recipe([[[1, 2], [3, 4]], [[5, 5], [6, 7]]])
def an_import_replaces_the_contents() -> Built:
    keys, values = v1.placeholder(tf.int64, [None]), v1.placeholder(tf.int64, [None])
    table = ops.mutable_hash_table_v2(tf.int64, tf.int64, shared_name="i")
    size = ops.lookup_table_size_v2(table)
    with tf.control_dependencies([size]):
        filled = ops.lookup_table_import_v2(table, keys, values)
    with tf.control_dependencies([filled]):
        found = ops.lookup_table_find_v2(table, tf.constant([1, 2, 5], tf.int64), tf.constant(0, tf.int64))
        after = ops.lookup_table_size_v2(table)
    return [keys, values], [size, found, after]


@recipe([[3], [2]], generations=(1, 2))
def a_table_in_a_loop_and_a_branch() -> Built:
    count = v1.placeholder(tf.int64, [])
    table = ops.mutable_hash_table_v2(tf.int64, tf.int64, shared_name="l")

    def body(i: Any) -> Any:
        seen = ops.lookup_table_find_v2(table, i, tf.constant(100, tf.int64))
        with tf.control_dependencies([ops.lookup_table_insert_v2(table, i, seen + i)]):
            return i + 1

    (end,) = tf.while_loop(lambda i: i < count, body, [tf.constant(0, tf.int64)])
    with tf.control_dependencies([end]):
        changed = tf.cond(count > 2, lambda: _removed(table, end), lambda: end)
    with tf.control_dependencies([changed]):
        found = ops.lookup_table_find_v2(table, tf.constant([0, 1, 2], tf.int64), tf.constant(-1, tf.int64))
    return [count], [changed, found]


def _removed(table: Any, end: Any) -> Any:
    with tf.control_dependencies([ops.lookup_table_remove_v2(table, tf.constant([1], tf.int64))]):
        return end * 2


@recipe([[[1, 2]], [[2, 5]]])
def old_tables() -> Built:
    asked = v1.placeholder(tf.int64, [None])
    table = ops.hash_table(tf.int64, tf.string, shared_name="o")
    fill = ops.initialize_table(table, tf.constant([1, 3], tf.int64), tf.constant([b"one", b"three"]))
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, fill)
    other = ops.mutable_hash_table(tf.int64, tf.int64, shared_name="p")
    with tf.control_dependencies([ops.lookup_table_insert(other, asked, asked * 2)]):
        doubled = ops.lookup_table_find(other, asked + 1, tf.constant(-1, tf.int64))
        size = ops.lookup_table_size(other)
        keys, values = ops.lookup_table_export(other, tf.int64, tf.int64)
    return [asked], [
        *(ops.lookup_table_find(table, asked, b"?"), ops.lookup_table_size(table)),
        *(doubled, size, tf.sort(keys), tf.sort(values)),
    ]


@recipe([[[1, 2]], [[2, 5]]])
def old_tables_of_vectors() -> Built:
    asked = v1.placeholder(tf.int64, [2])
    pairs = ops.mutable_hash_table_of_tensors(tf.int64, tf.float32, value_shape=[2], shared_name="q")
    with tf.control_dependencies([ops.lookup_table_import(pairs, asked, [[1.0, 2.0], [3.0, 4.0]])]):
        read = ops.lookup_table_find(pairs, asked + 1, [0.5, 0.25])
        size = ops.lookup_table_size(pairs)
    return [asked], [read, size]


@recipe([[[1, 2]]])
def tables_without_a_name() -> Built:
    asked, found = v1.placeholder(tf.int64, [2]), []
    empty, deleted = tf.constant(0, tf.int64), tf.constant(-1, tf.int64)
    for table in (
        ops.anonymous_mutable_hash_table(tf.int64, tf.int64),
        ops.anonymous_mutable_dense_hash_table(empty, deleted, tf.int64),
    ):
        with tf.control_dependencies([ops.lookup_table_insert_v2(table, asked, asked * 3)]):
            found.append(ops.lookup_table_find_v2(table, asked + 1, tf.constant(-7, tf.int64)))
    pairs = ops.anonymous_mutable_hash_table_of_tensors(tf.int64, tf.int64, value_shape=[2])
    with tf.control_dependencies([ops.lookup_table_insert_v2(pairs, asked, tf.stack([asked, asked + 3]))]):
        found.append(ops.lookup_table_find_v2(pairs, asked + 1, tf.constant([-7, 7], tf.int64)))
    return [asked], found


REFUSED: dict[str, Callable[[Any], Any]] = {
    "a_table_that_is_not_filled": lambda x: ops.lookup_table_find_v2(
        ops.hash_table_v2(tf.int64, tf.int64), x, tf.constant(0, tf.int64)
    ),
    "a_default_of_another_shape": lambda x: ops.lookup_table_find_v2(
        ops.mutable_hash_table_of_tensors_v2(tf.int64, tf.float32, value_shape=[2]), x, [1.0]
    ),
}


def _refused(name: str, made: Callable[[Any], Any]) -> None:
    def build() -> Built:
        x = v1.placeholder(tf.int64, [4])
        return [x], [made(x)]

    build.__name__ = name
    recipe([[[1, 1, 2, 3]]])(build)


for _name, _made in REFUSED.items():
    _refused(_name, _made)
