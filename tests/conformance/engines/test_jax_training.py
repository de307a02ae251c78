"""Training on the engine `jax` beside TensorFlow: losses of 100 steps of graphs' own train ops, and gradients that no
file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_keras.src.layers.rnn import legacy_cells as cells

import cryograph as cg

v1 = tf.compat.v1
STEPS = 100


def weights(name: str, *shape: int) -> Any:
    return v1.get_variable(name, shape, initializer=v1.truncated_normal_initializer(stddev=0.1))


def cnn() -> tuple[Any, Callable[[int], dict[str, Any]]]:
    """Two convolutions with pools and a batch norm."""
    x, y = v1.placeholder(tf.float32, [None, 12, 12, 1], name="x"), v1.placeholder(tf.int64, [None], name="y")
    hidden = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, weights("a", 3, 3, 1, 8), 1, "SAME")), 2, 2, "SAME")
    hidden, _, _ = v1.nn.fused_batch_norm(hidden, weights("scale", 8) + 1, weights("offset", 8))
    hidden = tf.nn.avg_pool2d(tf.nn.elu(tf.nn.conv2d(hidden, weights("b", 3, 3, 8, 16), 2, "VALID")), 2, 1, "SAME")
    logits = tf.reshape(hidden, [-1, 2 * 2 * 16]) @ weights("out", 64, 5) + weights("bias", 5)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    v1.train.MomentumOptimizer(0.05, 0.9, use_nesterov=True).minimize(tf.reduce_mean(losses, name="loss"), name="train")

    def feeds(step: int) -> dict[str, Any]:
        rng = np.random.default_rng(step)
        y = rng.integers(0, 5, 16)
        x = rng.uniform(0, 1, (16, 12, 12, 1)).astype(np.float32)
        x += (np.arange(12) // 3 == y[:, None])[:, :, None, None]
        # A quarter of the classes is wrong, so that no loss becomes so small that it is a few roundings.
        return {"x:0": x, "y:0": np.where(rng.uniform(size=16) < 0.25, (y + 1) % 5, y)}

    return losses, feeds


def lstm() -> tuple[Any, Callable[[int], dict[str, Any]]]:
    """A dynamic_rnn with lengths, clipped gradients and Adam."""
    x = v1.placeholder(tf.float32, [None, 7, 3], name="x")
    lengths, y = v1.placeholder(tf.int32, [None], name="lengths"), v1.placeholder(tf.float32, [None, 1], name="y")
    cell = cells.LSTMCell(10)
    outputs, state = v1.nn.dynamic_rnn(cell, x, sequence_length=lengths, dtype=tf.float32)
    answer = state.h @ weights("out", 10, 1)
    loss = tf.reduce_mean(tf.square(answer - y), name="loss")
    optimizer = v1.train.AdamOptimizer(0.01)
    pairs = optimizer.compute_gradients(loss)
    clipped, _ = tf.clip_by_global_norm([slope for slope, _ in pairs], 1.0)
    optimizer.apply_gradients(zip(clipped, [variable for _, variable in pairs], strict=True), name="train")

    def feeds(step: int) -> dict[str, Any]:
        rng = np.random.default_rng(step)
        x = rng.uniform(-1, 1, (8, 7, 3)).astype(np.float32)
        return {"x:0": x, "lengths:0": rng.integers(1, 8, 8).astype(np.int32), "y:0": x.sum((1, 2))[:, None] / 5}

    return outputs, feeds


def embedding() -> tuple[Any, Callable[[int], dict[str, Any]]]:
    """Rows of a table that are picked by number, with a rate that falls."""
    words, y = v1.placeholder(tf.int32, [None, 4], name="words"), v1.placeholder(tf.float32, [None, 1], name="y")
    picked = tf.nn.embedding_lookup(weights("table", 20, 6), words)
    answer = tf.reduce_mean(picked, 1) @ weights("out", 6, 1)
    loss = tf.reduce_mean(tf.square(answer - y), name="loss")
    step = v1.train.get_or_create_global_step()
    rate = v1.train.exponential_decay(0.5, step, 10, 0.9)
    v1.train.GradientDescentOptimizer(rate).minimize(loss, global_step=step, name="train")

    def feeds(step: int) -> dict[str, Any]:
        words = np.random.default_rng(step).integers(0, 20, (16, 4)).astype(np.int32)
        return {"words:0": words, "y:0": (words.mean(1, keepdims=True) / 10 - 1).astype(np.float32)}

    return picked, feeds


@pytest.mark.filterwarnings("ignore:.*rnn_cell:UserWarning")
@pytest.mark.parametrize("build", [cnn, lstm, embedding])
@pytest.mark.parametrize("resource", [False, True])
def test_losses_are_tensorflows(build: Any, resource: bool, tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.variable_scope("", use_resource=resource):
        v1.set_random_seed(3)
        _, feeds = build()
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
            theirs = [session.run(["loss:0", "train"], feeds(step))[0] for step in range(STEPS)]
    ours = cg.load(tmp_path / "model.ckpt.meta").session(engine="jax")
    found = [ours.run(["loss:0", "train"], feeds(step))[0] for step in range(STEPS)]
    np.testing.assert_allclose(found, theirs, rtol=1e-4)
    assert found[-1] < found[0]


def convolutional() -> Any:
    keras = tf.keras
    x = keras.Input((16, 16, 3), name="x")
    made = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    made = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(made))
    for width in (8, 8):  # inverted residuals, as MobileNetV2 has them
        inner = keras.layers.Conv2D(24, 1, use_bias=False)(made)
        inner = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(inner))
        inner = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(inner)
        inner = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(inner))
        inner = keras.layers.BatchNormalization()(keras.layers.Conv2D(width, 1, use_bias=False)(inner))
        made = keras.layers.Add()([made, inner])
    made = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPool2D(3, 2, padding="same")(made))
    return keras.Model(x, keras.layers.Dense(5, activation="softmax")(made))


def transformer() -> Any:
    keras = tf.keras
    x = keras.Input((6, 8), name="x")
    attended = keras.layers.MultiHeadAttention(2, 4)(x, x)
    made = keras.layers.LayerNormalization()(x + attended)
    inner = keras.layers.Dense(8)(keras.layers.Dense(16, activation="gelu")(made))
    return keras.Model(x, keras.layers.LayerNormalization()(made + inner))


def recurrent() -> Any:
    keras = tf.keras
    x = keras.Input((5, 4), name="x")
    return keras.Model(x, keras.layers.GRU(6)(keras.layers.LSTM(7, return_sequences=True)(x)))


@pytest.mark.parametrize("build", [convolutional, transformer, recurrent])
def test_gradients_are_tensorflows(build: Any, tmp_path: Path) -> None:
    tf.keras.utils.set_random_seed(5)
    net = build()
    x = np.random.default_rng(1).uniform(-1, 1, (4, *net.input_shape[1:])).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, *net.input_shape[1:]], tf.float32)])
    def loss(x: Any) -> Any:
        return {"loss": tf.reduce_sum(tf.square(net(x, training=False)))}

    with tf.GradientTape() as tape:
        value = loss(tf.constant(x))["loss"]
    kernels = net.trainable_variables
    theirs = tape.gradient(value, kernels)
    module = tf.Module()
    module.net, module.loss = net, loss
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=loss)
    model = cg.load(tmp_path / "saved")
    signature = model.signature("serving_default")
    wanted, given = signature.outputs["loss"].tensor, signature.inputs["x"].tensor
    found, slopes = model.grad(wanted, "*", given)({given: x})
    assert float(found) == pytest.approx(float(value), rel=1e-5)
    ours = list(slopes.values())
    assert ours
    largest = max(float(np.abs(slope).max()) for slope in theirs)
    for slope in theirs:
        expected = np.asarray(slope)
        scale = max(float(np.abs(expected).max()), largest / 100)  # that of a key's bias is 0 but for rounding
        near = [s for s in ours if s.shape == expected.shape and np.abs(s - expected).max() <= 1e-4 * scale]
        assert near, f"no gradient is that of {expected.shape}"
