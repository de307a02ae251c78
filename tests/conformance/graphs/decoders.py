"""Loops that no scan is: decoders, lists that are written out of order or in a branch; gradients of a net of
pictures. ONNX Runtime takes each of them whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.conformance.graphs.making import Built, recipe, v1

R = np.random.default_rng(11)
TABLE = R.normal(size=(7, 5)).astype(np.float32)
STATE = R.normal(size=(3, 5)).astype(np.float32)
W = R.normal(size=(10, 5)).astype(np.float32)
OUT = R.normal(size=(5, 7)).astype(np.float32)
BOTH = (1, 2)


@recipe([[STATE, 6], [STATE[:1], 3], [STATE, 0]], generations=BOTH, tolerance=1e-5)
def the_likeliest_words() -> Built:
    """Word by word until all rows have ended, or enough were said."""
    state, most = v1.placeholder(tf.float32, [None, 5]), v1.placeholder(tf.int32, [])
    rows = tf.shape(state)[0]
    words = tf.TensorArray(tf.int64, 0, dynamic_size=True, element_shape=[None])
    sums = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[None, 7])

    def body(i: Any, state: Any, last: Any, done: Any, words: Any, sums: Any) -> Any:
        joined = tf.concat([tf.gather(TABLE, last), state], 1)
        state = tf.tanh(tf.matmul(joined, W))
        scores = tf.nn.log_softmax(tf.matmul(state, OUT))
        last = tf.where(done, tf.zeros_like(last), tf.argmax(scores, 1))
        return i + 1, state, last, done | tf.equal(last, 2), words.write(i, last), sums.write(i, scores)

    start = (0, state, tf.ones([rows], tf.int64), tf.zeros([rows], tf.bool), words, sums)
    end = tf.while_loop(
        lambda i, state, last, done, *_: (i < most) & ~tf.reduce_all(done), body, start,
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 5]), tf.TensorShape([None]), tf.TensorShape([None]),
                          tf.TensorShape(None), tf.TensorShape(None)),
    )  # fmt: skip
    said = tf.cond(end[0] > 0, lambda: tf.transpose(end[4].stack()), lambda: tf.zeros([rows, 0], tf.int64))
    return [state, most], [said, end[1], end[0]]


@recipe([[STATE, 4], [STATE, 1]], generations=BOTH, tolerance=1e-5)
def written_from_behind() -> Built:
    """From the last element to the first, each out of the one after it."""
    x, n = v1.placeholder(tf.float32, [3, 5]), v1.placeholder(tf.int32, [])
    array = tf.TensorArray(tf.float32, n + 1, element_shape=[3, 5], clear_after_read=False).write(n, x)

    def body(i: Any, array: Any) -> Any:
        return i - 1, array.write(i, tf.sin(array.read(i + 1)) * 2.0)

    _, array = tf.while_loop(lambda i, _: i >= 0, body, (n - 1, array))
    return [x, n], [array.stack(), array.gather([0, n])]


@recipe([[[3, 0, 5, 0, 2]], [[0, 0]], [[1]]], generations=BOTH)
def written_where_it_matters() -> Built:
    """A branch writes, or does not; what was not written is zero."""
    numbers = v1.placeholder(tf.int32, [None])
    count = tf.size(numbers)
    array = tf.TensorArray(tf.int32, count, element_shape=[2])
    seen = tf.TensorArray(tf.bool, count, element_shape=[])

    def body(i: Any, total: Any, array: Any, seen: Any) -> Any:
        n = numbers[i]
        array = tf.cond(n > 0, lambda: array.write(i, tf.stack([n, total])), lambda: array)
        return i + 1, total + n, array, seen.write(i, tf.equal(n, 0))

    _, total, array, seen = tf.while_loop(lambda i, *_: i < count, body, (0, 0, array, seen))
    return [numbers], [total, array.stack(), seen.stack()]


@recipe([[R.integers(0, 256, (3, 4, 5, 3)).astype(np.uint8)], [np.zeros((1, 2, 2, 3), np.uint8)]], generations=BOTH)
def pictures_one_by_one() -> Built:
    x = v1.placeholder(tf.uint8, [None, None, None, 3])

    def one(picture: Any) -> Any:
        scaled = tf.cast(picture, tf.float32) / 255.0
        bright = tf.reduce_mean(scaled) > 0.3
        turned = tf.cond(bright, lambda: tf.reverse(scaled, [1]), lambda: 1.0 - scaled)
        return turned, picture[::-1], bright

    return [x], list(tf.map_fn(one, x, fn_output_signature=(tf.float32, tf.uint8, tf.bool)))


@recipe([[R.normal(size=(2, 8, 8, 3)).astype(np.float32)]], tolerance=2e-5)
def what_a_net_looks_at() -> Built:
    """A small net of pictures, and the gradients of its loss for the picture and for all that it learns."""
    x = v1.placeholder(tf.float32, [2, 8, 8, 3])
    rng = np.random.default_rng(5)
    learnt = [tf.constant(rng.normal(size=shape).astype(np.float32) * 0.3) for shape in
              ((3, 3, 3, 4), (4,), (3, 3, 4, 1), (4,), (4,), (16, 5), (5,))]  # fmt: skip
    w, b, deep, scale, offset, dense, last = learnt
    y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME"), b))
    y = tf.nn.depthwise_conv2d(y, deep, [1, 1, 1, 1], "SAME")
    y, *_ = v1.nn.fused_batch_norm(y, scale, offset, is_training=True)
    y = tf.nn.max_pool2d(tf.nn.elu(y), 2, 2, "SAME")
    y = tf.nn.avg_pool2d(tf.nn.selu(y), 3, 2, "SAME")
    y = tf.matmul(tf.reshape(y, [2, 16]), dense) + last
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 4], logits=y))
    return [x], [loss, *tf.gradients(loss, [x, *learnt])]
