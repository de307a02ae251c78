"""Loops over lists and arrays, in every form that programs have had: cells of recurrent nets, maps, scans, decoders."""

from __future__ import annotations

import warnings

import numpy as np
import tensorflow as tf
from tf_keras.src.layers.rnn import legacy_cells as cells

from tests.conformance.graphs.making import Built, recipe, v1

X = np.random.default_rng(3).normal(size=(2, 3, 4)).astype(np.float32)
BOTH = (1, 2)


@recipe([[X[0]], [X[0, :1]]], generations=BOTH)
def the_gradient_of_a_map() -> Built:
    x = v1.placeholder(tf.float32, [None, 4])
    y = tf.map_fn(lambda row: tf.reduce_sum(row * row) * row, x)
    return [x], [y, *tf.gradients(y, x)]


@recipe([[X[0]]], generations=BOTH)
def the_gradient_of_a_scan() -> Built:
    x = v1.placeholder(tf.float32, [None, 4])
    y = tf.scan(lambda a, row: tf.tanh(a * 0.5 + row), x)
    z = tf.foldl(lambda a, row: a * row + 1.0, x)
    return [x], [y, z, *tf.gradients([tf.reduce_sum(y * y), tf.reduce_sum(z)], x)]


@recipe([[X[0]]])
def the_gradient_of_an_array() -> Built:
    x = v1.placeholder(tf.float32, [3, 4])
    array = tf.TensorArray(tf.float32, 3, clear_after_read=False).unstack(x)
    second = array.read(1) * array.read(2) + array.read(1)
    joined = tf.TensorArray(tf.float32, 2, infer_shape=False).split(x * 2.0, [1, 2]).concat()
    gathered = array.gather([2, 0])
    loss = tf.reduce_sum(second * second) + tf.reduce_sum(joined**3) + tf.reduce_sum(gathered * 5.0)
    return [x], [second, joined, *tf.gradients(loss, x)]


@recipe([[X, [3, 1]]], generations=BOTH, resources=True, tolerance=1e-5)
def the_gradient_of_a_recurrent_net() -> Built:
    x, lengths = v1.placeholder(tf.float32, [None, None, 4]), v1.placeholder(tf.int32, [None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cell = cells.BasicLSTMCell(3)
        y, state = v1.nn.dynamic_rnn(cell, x, lengths, dtype=tf.float32)
    loss = tf.reduce_sum(y * y) + tf.reduce_sum(state.c)
    return [x, lengths], [y, loss, *tf.gradients(loss, [x, *v1.trainable_variables()])]
