"""Sparse tensors that are kept under numbers and taken again in batches."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from .making import Built, recipe, v1

raw = tf.raw_ops
ROWS: list[list[Any]] = [
    [[[0, 0], [0, 2], [2, 1]], [1.0, 2.0, 3.0], [3, 4]],
    [[[1, 1]], [5.0], [2, 3]],
    [[[0, 0]], [7.0], [1, 1]],
]


def _fed(dtype: tf.DType = tf.float32) -> list[Any]:
    return [v1.placeholder(tf.int64, [None, None]), v1.placeholder(dtype, [None]), v1.placeholder(tf.int64, [None])]


@recipe(ROWS)
def rows_come_back() -> Built:
    fed = _fed()
    handles = raw.AddManySparseToTensorsMap(
        sparse_indices=fed[0], sparse_values=fed[1], sparse_shape=fed[2], shared_name="rows"
    )
    taken = raw.TakeManySparseFromTensorsMap(sparse_handles=tf.identity(handles), dtype=tf.float32, shared_name="rows")
    return fed, [handles, *taken]


@recipe([[[[0, 0], [1, 2]], [b"a", b"long"], [2, 3]], [[[1, 1]], [b""], [2, 3]]])
def rows_of_strings_in_another_order() -> Built:
    fed = _fed(tf.string)
    handles = raw.AddManySparseToTensorsMap(
        sparse_indices=fed[0], sparse_values=fed[1], sparse_shape=fed[2], name="adding"
    )
    taken = raw.TakeManySparseFromTensorsMap(
        sparse_handles=tf.reverse(handles, [0]), dtype=tf.string, shared_name="adding"
    )
    return fed, list(taken)


@recipe([[[[0], [2]], [1, 2], [3]], [[[1]], [9], [2]]])
def vectors_one_by_one() -> Built:
    fed = _fed(tf.int32)
    first = raw.AddSparseToTensorsMap(
        sparse_indices=fed[0], sparse_values=fed[1], sparse_shape=fed[2], shared_name="one"
    )
    with tf.control_dependencies([first]):
        second = raw.AddSparseToTensorsMap(
            sparse_indices=[[4]], sparse_values=[8], sparse_shape=tf.constant([6], tf.int64), shared_name="one"
        )
    other = raw.AddSparseToTensorsMap(
        sparse_indices=[[0]], sparse_values=[3], sparse_shape=tf.constant([1], tf.int64), shared_name="other"
    )
    handles = tf.stack([second, first])
    taken = raw.TakeManySparseFromTensorsMap(sparse_handles=handles, dtype=tf.int32, shared_name="one")
    rest = raw.TakeManySparseFromTensorsMap(sparse_handles=other[None], dtype=tf.int32, shared_name="other")
    return fed, [first, second, *taken, *rest]


@recipe([[[0]], [[0]], [[1]]])
def what_is_taken_is_gone() -> Built:
    asked = v1.placeholder(tf.int64, [None])
    handle = raw.AddSparseToTensorsMap(
        sparse_indices=[[0]], sparse_values=[3], sparse_shape=tf.constant([1], tf.int64), shared_name="gone"
    )
    with tf.control_dependencies([handle]):
        taken = raw.TakeManySparseFromTensorsMap(sparse_handles=asked, dtype=tf.int32, shared_name="gone")
    return [asked], list(taken)
