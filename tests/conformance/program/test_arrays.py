"""TensorArrays of TF1, in and out of loops, as lists that flow."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import tensorflow as tf
from tf_keras.src.layers.rnn import legacy_cells

from .oracle import Question

v1 = tf.compat.v1
X = np.random.default_rng(3).normal(size=(2, 4, 5)).astype(np.float32)


def test_dynamic_rnn() -> None:
    def make() -> Any:
        x, lengths = v1.placeholder(tf.float32, [None, None, 5]), v1.placeholder(tf.int32, [None])
        warnings.simplefilter("ignore")  # old cells say that they are old
        cell = legacy_cells.BasicLSTMCell(7, name="cell")
        outputs, state = v1.nn.dynamic_rnn(cell, x, lengths, dtype=tf.float32)
        return [x, lengths], [outputs, state.c]

    with warnings.catch_warnings():
        question = Question(make)
    program = question.check([X, [4, 2]], [X[:, :1], [1, 0]], tolerance=1e-5)
    loop = next(s for s in program.steps if s.op == "While")
    assert not any("TensorArray" in s.op for s in program.steps)
    assert any(s.op == "TensorListSetItem" for s in loop.bodies["body"].steps)
    # The weights stand in the body: nothing carries them from turn to turn.
    assert any(tensor.shape == (12, 28) for tensor in loop.bodies["body"].constants.values())


def test_map_and_scan() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [None, None, 5])
        mapped = v1.map_fn(lambda row: tf.reduce_max(row, 0) - tf.reduce_min(row, 0), x)
        scanned = v1.scan(lambda a, row: a * 0.5 + row, tf.transpose(x, [1, 0, 2]))
        return [x], [mapped, scanned, tf.foldl(lambda a, row: a + row, x)]

    Question(make).check([X], [X[:1]])


def test_every_op_of_an_array() -> None:
    def make() -> Any:
        x, n = v1.placeholder(tf.float32, [6, 2]), v1.placeholder(tf.int32, [])
        array = tf.TensorArray(tf.float32, 3, infer_shape=False, element_shape=[None, 2], clear_after_read=False)
        array = array.split(x, [1, 2, 3])
        whole = array.concat()
        other = tf.TensorArray(tf.float32, 2, dynamic_size=True, clear_after_read=False).write(n, x[0])
        other = other.write(0, x[1])
        third = tf.TensorArray(tf.float32, 4, element_shape=[2], clear_after_read=False).scatter([3, 1, 0, 2], x[:4])
        return [x, n], [whole, array.size(), other.size(), other.read(n), third.stack(), third.gather([2, 0])]

    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    Question(make).check([x, 1], [x, 5])


def test_an_array_in_a_conditional() -> None:
    def make() -> Any:
        flag, x = v1.placeholder(tf.bool, []), v1.placeholder(tf.float32, [3, 2])
        array = tf.TensorArray(tf.float32, 4).scatter([0, 1, 3], x)
        flow = v1.cond(flag, lambda: array.write(2, x[0] * 9.0).flow, lambda: array.write(2, x[1]).flow)
        from tensorflow.python.ops import tensor_array_ops

        chosen = tensor_array_ops.build_ta_with_new_flow(array, flow)
        return [flag, x], [chosen.stack()]

    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    Question(make).check([True, x], [False, x])


def test_gradients_of_arrays() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [None, 5])
        y = v1.map_fn(lambda row: row * tf.reduce_sum(row), x)
        return [x], [v1.gradients(y, x)[0]]

    Question(make).check([X[0]], [X[0, :1]])
