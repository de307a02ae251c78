"""What cuDNN's recurrent layers compute, asked of Keras's layers on a processor with the same weights.

The buffer of weights is put together by Keras's own function and compared with the one that a case holds, so that the
order of its parts is Keras's and not ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tf_keras import layers as keras
from tf_keras.src.layers.rnn import gru_lstm_utils

from tests.support.op_cases import Array, Case, Refused

GATES = {"gru": 3, "lstm": 4, "rnn_relu": 1, "rnn_tanh": 1}
OF_KERAS = {"gru": [1, 0, 2], "lstm": [0, 1, 2, 3], "rnn_relu": [0], "rnn_tanh": [0]}
"""Gates in the order of Keras's kernels, by their number in the buffer."""


def parts(case: Case, layers: int, units: int, inputs: int) -> tuple[list[Array], list[Array]]:
    """Matrices (units, inputs) and biases in the buffer's order, each full of other numbers."""
    mode, both = case.attrs.get("rnn_mode", "lstm"), case.attrs.get("direction") == "bidirectional"
    gates = GATES[mode]
    shapes = [
        (units, units if n >= gates else inputs if layer == 0 else units * (1 + both))
        for layer in range(layers)
        for _ in range(1 + both)
        for n in range(2 * gates)
    ]
    sizes = [a * b for a, b in shapes]
    buffer = next(x for x in case.inputs if x.ndim == 1 and x.dtype.kind == "f")
    if buffer.size != sum(sizes) + units * len(sizes):
        raise ValueError(f"{buffer.size} weights do not fill the layers")
    ends = np.cumsum([*sizes, *[units] * len(sizes)])
    found = np.split(buffer, ends[:-1])
    matrices = [part.reshape(shape) for part, shape in zip(found, shapes, strict=False)]
    biases = found[len(sizes) :]
    laid = gru_lstm_utils.canonical_to_params(
        [tf.transpose(x) for x in matrices], biases, tf.constant([-1]), transpose_weights=True
    )
    assert np.array_equal(laid.numpy(), buffer)
    return matrices, biases


def _layer(mode: str, units: int, weights: list[Array], dtype: Any) -> Any:
    """A layer of Keras's with the weights of one layer and direction: matrices in, matrices back, biases twice."""
    count = GATES[mode]
    order = OF_KERAS[mode]
    into, back, first, second = ([weights[n * count + gate] for gate in order] for n in range(4))
    kernels = [np.concatenate([w.T for w in part], 1) for part in (into, back)]
    biases = [np.concatenate(part) for part in (first, second)]
    how = {"return_sequences": True, "return_state": True, "dtype": dtype}
    if mode == "lstm":
        return keras.LSTM(units, **how), [*kernels, biases[0] + biases[1]]
    if mode == "gru":
        return keras.GRU(units, reset_after=True, **how), [*kernels, np.stack(biases)]
    return keras.SimpleRNN(units, activation=mode[4:], **how), [*kernels, biases[0] + biases[1]]


def ask_layers(case: Case) -> list[Array] | Refused:
    """CudnnRNN, CudnnRNNV2 and CudnnRNNV3: results and states; what is kept for the way back is left empty."""
    try:
        return _layers(case)
    except (ValueError, tf.errors.OpError) as error:  # Keras refuses it
        return Refused(str(error))


def _layers(case: Case) -> list[Array]:
    x, h, c, _, *rest = case.inputs
    values, ends, _, _ = _run(case, *map(tf.constant, (x, h, c)), rest[0] if rest else None)
    cells = ends[1] if case.attrs.get("rnn_mode", "lstm") == "lstm" else np.zeros((), x.dtype)
    kept = [np.zeros(0, x.dtype), np.zeros(0, np.int8)]
    return [np.asarray(values), np.asarray(ends[0]), np.asarray(cells), *kept[: 1 if case.op == "CudnnRNN" else 2]]


def _run(case: Case, x: Any, h: Any, c: Any, lengths: Array | None) -> tuple[Any, list[Any], list[Any], list[Any]]:
    """Results, the states at the end, the layers, and the matrices and biases that they were given."""
    mode = case.attrs.get("rnn_mode", "lstm")
    turn = not case.attrs.get("time_major", True)

    def turned(part: Any) -> Any:
        return tf.transpose(part, [1, 0, 2])

    x = x if turn else turned(x)
    h, c = (turned(part) if turn and part.shape.rank == 3 else part for part in (h, c))
    if lengths is None:
        lengths = np.full(x.shape[0], x.shape[1], np.int32)
    both = 2 if case.attrs.get("direction") == "bidirectional" else 1
    layers, units = h.shape[0] // both, h.shape[2]
    count = GATES[mode]
    matrices, biases = parts(case, layers, units, x.shape[2])
    values, ends, used = x, [], []
    for layer in range(layers):
        made = []
        for side in range(both):
            number = layer * both + side
            at = slice(2 * count * number, 2 * count * (number + 1))
            made_layer, weights = _layer(mode, units, [*matrices[at], *biases[at]], x.dtype.name)
            read = tf.reverse_sequence(values, lengths, seq_axis=1, batch_axis=0) if side else values
            made_layer.build(read.shape)
            made_layer.set_weights(weights)
            used.append(made_layer)
            start = [h[number], c[number]] if mode == "lstm" else [h[number]]
            mask = tf.sequence_mask(lengths, x.shape[1])
            out, *last = made_layer(read, mask=mask, initial_state=start)
            out = tf.where(mask[..., None], out, tf.zeros_like(out))
            made.append(tf.reverse_sequence(out, lengths, seq_axis=1, batch_axis=0) if side else out)
            ends.append(last)
        values = tf.concat(made, -1)
    states = [tf.stack([end[n] for end in ends]) for n in range(len(ends[0]))]
    return (values if turn else turned(values)), [turned(s) if turn else s for s in states], used, [matrices, biases]


def ask_gradients(case: Case) -> list[Array] | Refused:
    """CudnnRNNBackprop and its kin: Keras's layers, differentiated by TensorFlow."""
    x, h, c, _, *rest = case.inputs
    lengths = rest.pop(0) if case.op == "CudnnRNNBackpropV3" else None
    sent = rest[3:6]
    mode = case.attrs.get("rnn_mode", "lstm")
    given = [tf.constant(part) for part in (x, h, c)]
    try:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(given)
            values, ends, used, _ = _run(case, *given, lengths)
            loss = sum(tf.reduce_sum(a * b) for a, b in zip([values, *ends], sent, strict=False))
    except (ValueError, tf.errors.OpError) as error:
        return Refused(str(error))
    found = [tape.gradient(loss, part) for part in given]
    matrices, biases = [], []
    back = np.argsort(OF_KERAS[mode])
    for layer in used:
        kernel, recurrent, bias = (g.numpy() for g in tape.gradient(loss, layer.trainable_weights))
        for part in (kernel, recurrent):
            gates = np.split(part, GATES[mode], 1)
            matrices += [gates[n].T.reshape(-1) for n in back]
        for part in bias if mode == "gru" else (bias, bias):
            gates = np.split(part, GATES[mode])
            biases += [gates[n] for n in back]
    into_c = found[2].numpy() if mode == "lstm" else np.zeros(c.shape, c.dtype)
    return [found[0].numpy(), found[1].numpy(), into_c, np.concatenate([*matrices, *biases])]


def ask_weights(case: Case) -> list[Array] | Refused:
    """The size of the buffer, what is in it, and what is put into it."""
    layers, units, inputs = (int(x) for x in case.inputs[:3])
    given = case.inputs[3:]
    if case.op == "CudnnRNNParamsSize":
        mode = case.attrs.get("rnn_mode", "lstm")
        both = case.attrs.get("direction") == "bidirectional"
        total = 0
        for layer in range(layers):  # of layers of Keras's, which have but one bias in an LSTM
            width = inputs if layer == 0 else units * (1 + both)
            made = {"gru": keras.GRU, "lstm": keras.LSTM}.get(mode, keras.SimpleRNN)(units)
            made.build((None, None, width))
            kernels = [w for w in made.weights if "kernel" in w.name]
            matrices = sum(int(np.prod(w.shape)) for w in kernels)
            total += (matrices + 2 * GATES[mode] * units) * (1 + both)
        return [np.array([total], np.int32)]
    if "ToCanonical" in case.op:
        matrices, biases = parts(case, layers, units, inputs)
        return [*matrices, *biases]
    half = len(given) // 2
    weights = [tf.transpose(x) for x in given[:half]]
    made = gru_lstm_utils.canonical_to_params(weights, given[half:], tf.constant([-1]), transpose_weights=True)
    return [made.numpy()]
