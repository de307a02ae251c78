"""Recurrent layers as libraries lay them out: cells of TF1 in dynamic_rnn, layers of Keras, and loops like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.rnn import legacy_cells as cells

from tests.conformance.graphs.making import Built, recipe, v1

_RNG = np.random.default_rng(5)
X = _RNG.normal(size=(3, 7, 5)).astype(np.float32)
LENGTHS = np.array([3, 7, 1], np.int32)
WHOLE = [[X], [X[:1]]]
CUT = [[X, LENGTHS], [X, [0, 2, 5]], [X, [0, 0, 0]]]
LAYERS = tf_keras.layers


def _weights(shape: Any, dtype: Any = None, partition_info: Any = None, **_: Any) -> Any:
    """Numbers of all sizes, the same ones each time."""
    size = int(np.prod([int(n) for n in shape]))
    return tf.constant(np.sin(np.arange(1, size + 1) * 1.7).reshape([int(n) for n in shape]) * 0.4, tf.float32)


def _unrolled(cell: Any, x: Any, lengths: Any = None, **how: Any) -> list[Any]:
    with v1.variable_scope("rnn", initializer=_weights):
        out, state = v1.nn.dynamic_rnn(cell, x, dtype=tf.float32, sequence_length=lengths, **how)
    return [out, *tf.nest.flatten(state)]


# Each cell of several adds what ONNX Runtime's sigmoid and tanh differ by.
SEVERAL = 5e-6


def _of_cells(name: str, make: Callable[[], Any]) -> None:
    """A cell over whole sequences, and over sequences of several lengths."""

    def whole() -> Built:
        x = v1.placeholder(tf.float32, [None, 7, 5])
        return [x], _unrolled(make(), x)

    def cut() -> Built:
        x, lengths = v1.placeholder(tf.float32, [None, 7, 5]), v1.placeholder(tf.int32, [None])
        return [x, lengths], _unrolled(make(), x, lengths)

    whole.__name__, cut.__name__ = name, f"{name}_with_lengths"
    tolerance = SEVERAL if make is _several else 2e-6
    recipe(WHOLE, generations=(1, 2), tolerance=tolerance)(whole)
    recipe(CUT, generations=(1, 2), tolerance=tolerance)(cut)


def _several() -> Any:
    return cells.MultiRNNCell([cells.BasicLSTMCell(6), cells.GRUCell(4), cells.BasicRNNCell(3)])


CELLS: dict[str, Callable[[], Any]] = {
    "basic_lstm": lambda: cells.BasicLSTMCell(6),
    "lstm": lambda: cells.LSTMCell(6, forget_bias=0.5),
    "lstm_of_another_activation": lambda: cells.BasicLSTMCell(6, activation=tf.nn.softsign),
    "lstm_with_peepholes": lambda: cells.LSTMCell(6, use_peepholes=True),
    "lstm_with_a_clipped_state": lambda: cells.LSTMCell(6, cell_clip=0.3),
    "lstm_with_a_projection": lambda: cells.LSTMCell(6, num_proj=4),
    "gru": lambda: cells.GRUCell(6),
    "simple_rnn": lambda: cells.BasicRNNCell(6),
    "simple_rnn_of_relu": lambda: cells.BasicRNNCell(6, activation=tf.nn.relu),
    "several_cells": _several,
}

for _name, _make in CELLS.items():
    _of_cells(_name, _make)


@recipe(CUT, generations=(1, 2))
def both_directions() -> Built:
    x, lengths = v1.placeholder(tf.float32, [None, 7, 5]), v1.placeholder(tf.int32, [None])
    with v1.variable_scope("rnn", initializer=_weights):
        out, state = v1.nn.bidirectional_dynamic_rnn(
            cells.BasicLSTMCell(6), cells.GRUCell(4), x, sequence_length=lengths, dtype=tf.float32
        )
    return [x, lengths], [tf.concat(out, -1), *tf.nest.flatten(state)]


@recipe([[X.transpose(1, 0, 2)], [X[:, :1].transpose(1, 0, 2)]], generations=(1, 2))
def time_first_and_open() -> Built:
    x = v1.placeholder(tf.float32, [None, None, 5])
    return [x], _unrolled(cells.GRUCell(6), x, time_major=True)


@recipe([[X, X[:, 0, :], X[:, 1, :]]], generations=(1, 2))
def a_given_first_state() -> Built:
    x, c, h = (v1.placeholder(tf.float32, [None, *shape]) for shape in ((7, 5), (5,), (5,)))
    with v1.variable_scope("rnn", initializer=_weights):
        out, state = v1.nn.dynamic_rnn(
            cells.BasicLSTMCell(5), x, initial_state=cells.LSTMStateTuple(c, h), dtype=tf.float32
        )
    return [x, c, h], [out, *state]


@recipe([[X, LENGTHS, X[:, 0, :], X[:, 1, :]]], generations=(1, 2))
def a_given_first_state_and_lengths() -> Built:
    x, c, h = (v1.placeholder(tf.float32, [None, *shape]) for shape in ((7, 5), (5,), (5,)))
    lengths = v1.placeholder(tf.int32, [None])
    with v1.variable_scope("rnn", initializer=_weights):
        out, state = v1.nn.dynamic_rnn(
            cells.BasicLSTMCell(5), x, lengths, initial_state=cells.LSTMStateTuple(c, h), dtype=tf.float32
        )
    return [x, lengths, c, h], [out, *state]


def _of_layers(name: str, make: Callable[[], Any]) -> None:
    """A layer of Keras. Those that give only the last element write row 0 in each turn, which arrays of TF1 refuse."""

    def build() -> Built:
        x = v1.placeholder(tf.float32, [None, 7, 5])
        with tf_keras.utils.custom_object_scope({"_weights": _weights}):  # Bidirectional makes its layers anew
            out = make()(x)
        return [x], [tf.identity(part) for part in tf.nest.flatten(out)]

    build.__name__ = name
    generations = (1, 2) if name in KEEPING_ALL else (2,)
    recipe(WHOLE, generations=generations, resources=True)(build)


INIT: dict[str, Any] = {"kernel_initializer": _weights, "recurrent_initializer": _weights, "bias_initializer": _weights}

KERAS: dict[str, Callable[[], Any]] = {
    "keras_lstm": lambda: LAYERS.LSTM(6, return_sequences=True, return_state=True, **INIT),
    "keras_lstm_last_only": lambda: LAYERS.LSTM(6, **INIT),
    "keras_lstm_product_by_product": lambda: LAYERS.LSTM(6, implementation=1, recurrent_activation="softsign", **INIT),
    "keras_lstm_hard": lambda: LAYERS.LSTM(6, recurrent_activation="hard_sigmoid", **INIT),
    "keras_lstm_without_bias": lambda: LAYERS.LSTM(
        6, use_bias=False, kernel_initializer=_weights, recurrent_initializer=_weights
    ),
    "keras_lstm_backwards": lambda: LAYERS.LSTM(6, go_backwards=True, return_sequences=True, **INIT),
    "keras_lstm_time_first": lambda: LAYERS.LSTM(6, time_major=True, return_sequences=True, **INIT),
    "keras_gru": lambda: LAYERS.GRU(6, return_sequences=True, return_state=True, **INIT),
    "keras_gru_reset_before": lambda: LAYERS.GRU(6, reset_after=False, return_sequences=True, **INIT),
    "keras_gru_product_by_product": lambda: LAYERS.GRU(6, implementation=1, reset_after=True, **INIT),
    "keras_gru_hard": lambda: LAYERS.GRU(
        6, recurrent_activation="hard_sigmoid", activation="relu", reset_after=False, return_sequences=True, **INIT
    ),
    "keras_simple_rnn": lambda: LAYERS.SimpleRNN(6, return_sequences=True, **INIT),
    "keras_stacked_cells": lambda: LAYERS.RNN([LAYERS.LSTMCell(6, **INIT), LAYERS.GRUCell(4, **INIT)]),
    "keras_both_directions": lambda: LAYERS.Bidirectional(LAYERS.LSTM(6, return_sequences=True, **INIT)),
}

KEEPING_ALL = {name for name, make in KERAS.items() if make().return_sequences}

for _name, _make in KERAS.items():
    _of_layers(_name, _make)


class _SlicedGru(LAYERS.AbstractRNNCell):  # type: ignore[misc]
    """A cell as Keras 3 has it: the recurrent product is sliced."""

    state_size = output_size = 6

    def call(self, x: Any, states: Any) -> Any:
        h = states[0]
        gates = tf.split(tf.nn.bias_add(x @ _weights([5, 18]), _weights([18])), 3, -1)
        inner = h @ _weights([6, 18]) + _weights([18]) * 0.5
        z, r = tf.sigmoid(gates[0] + inner[:, :6]), tf.sigmoid(gates[1] + inner[:, 6:12])
        h = z * h + (1 - z) * tf.tanh(gates[2] + r * inner[:, 12:])
        return h, [h]


_of_layers("keras_gru_sliced", lambda: LAYERS.RNN(_SlicedGru()))


@recipe([[np.where(np.arange(7)[None, :, None] < LENGTHS[:, None, None], X, 0)]], generations=(2,), resources=True)
def keras_masked() -> Built:
    x = v1.placeholder(tf.float32, [None, 7, 5])
    mask = tf.reduce_any(tf.not_equal(x, 0), -1)
    return [x], [LAYERS.LSTM(6, return_sequences=True, **INIT)(x, mask=mask), LAYERS.GRU(6, **INIT)(x, mask=mask)]


@recipe([[X]], generations=(1, 2))
def a_map_over_rows() -> Built:
    x = v1.placeholder(tf.float32, [None, 7, 5])
    return [x], [tf.map_fn(lambda row: tf.reduce_sum(row, 0) * 2.0, x)]


@recipe([[X]], generations=(1, 2))
def a_running_total() -> Built:
    x = v1.placeholder(tf.float32, [None, 7, 5])
    steps = tf.transpose(x, [1, 0, 2])
    return [x], [
        tf.scan(lambda total, row: total * 0.5 + row, steps),
        tf.foldl(lambda a, b: a * 0.9 + tf.sin(b), steps),
    ]


@recipe([[X, 3], [X, 7], [X, 0]], generations=(1, 2))
def a_loop_that_ends_early() -> Built:
    """The rows behind the last turn are zeros."""
    x, turns = v1.placeholder(tf.float32, [3, 7, 5]), v1.placeholder(tf.int32, [])
    rows = tf.TensorArray(tf.float32, 7, element_shape=[3, 5], clear_after_read=False).unstack(
        tf.transpose(x, [1, 0, 2])
    )
    made = tf.TensorArray(tf.float32, 7, element_shape=[3, 5])

    def body(i: Any, state: Any, out: Any) -> Any:
        state = tf.tanh(state + rows.read(i))
        return i + 1, state, out.write(i, state * 2.0)

    start = (0, tf.zeros([3, 5]), made)
    end, state, out = tf.while_loop(lambda i, *_: i < turns, body, start)
    return [x, turns], [end, state, out.stack()]
