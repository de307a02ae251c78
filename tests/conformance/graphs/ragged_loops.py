"""Graphs that go through the rows of ragged tensors."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.ops import gen_ragged_conversion_ops as ops

from tests.conformance.graphs.making import Built, recipe, v1

WORDS = [[b"to be or", b"", b"not to be that is"]]


@recipe([WORDS, [[b""]]], generations=(2,))
def words_of_lines() -> Built:
    x = v1.placeholder(tf.string, [None])
    words = tf.strings.split(x)
    lengths = tf.map_fn(tf.strings.length, words, fn_output_signature=tf.RaggedTensorSpec([None], tf.int32))
    return [x], [lengths.flat_values, lengths.row_splits, words.to_tensor("?"), words.row_lengths()]


@recipe([[[0, 2, 2, 5], [1.0, 2.0, 3.0, 4.0, 5.0]]], generations=(2,))
def rows_there_and_back() -> Built:
    splits, values = v1.placeholder(tf.int64, [None]), v1.placeholder(tf.float32, [None])
    rows = ops.ragged_tensor_to_variant([splits], values, batched_input=True)
    whole = ops.ragged_tensor_to_variant([splits], values, batched_input=False)
    outputs = []
    for encoded, rank in ((rows, 0), (tf.reshape(rows, [1, 3]), 0), (tf.gather(rows, [2, 0]), 0)):
        out = encoded.shape.rank
        made = ops.ragged_tensor_from_variant(encoded, rank, out, tf.float32, tf.int64)
        outputs += [*made.output_nested_splits, made.output_dense_values]
    for encoded, out in ((whole, 1), (tf.stack([whole, whole]), 2)):
        made = ops.ragged_tensor_from_variant(encoded, 1, out, tf.float32, tf.int64)
        outputs += [*made.output_nested_splits, made.output_dense_values]
    return [splits, values], outputs
