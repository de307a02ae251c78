"""Models whose speed is measured, beside the classifiers: recurrent, attending, detecting.

| recipe          | `frozen.pb`, from `x:0`                                                                            |
|-----------------|----------------------------------------------------------------------------------------------------|
| speed/lstm      | two Keras LSTM layers of 256 units over 64 steps of 128 features, 10 classes                       |
| speed/encoder   | a transformer encoder of 6 layers, 384 wide, 6 heads, 128 tokens, exact GELU, norm after each part |
| speed/detection | MobileNetV2 at 224 pixels with a box head of 588 anchors and non-max suppression of 20 boxes       |

Weights are drawn from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ..recipes import Case
from .common import freeze, photographs

layers = tf_keras.layers


def _draw(model: Any) -> None:
    """Weights that keep activations lively: no bias is 0, no scale is 1."""
    random = np.random.default_rng(20)
    for weight in model.weights:
        shape = weight.shape
        if len(shape) > 1:
            value = random.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape)
        else:
            value = random.normal(1.0 if "gamma" in weight.name or "variance" in weight.name else 0.0, 0.1, shape)
        weight.assign(value.astype(np.float32))


def _write(out: Path, call: Callable[..., Any], shape: Sequence[int | None], x: Any) -> dict[str, Case]:
    function = tf.function(call, input_signature=[tf.TensorSpec(shape, tf.float32, name="x")]).get_concrete_function()
    frozen = freeze(function, out / "frozen.pb")
    answers = [np.asarray(part) for part in frozen(tf.constant(x))]
    names = [tensor.name for tensor in frozen.outputs]
    return {"": Case({"x:0": x}, dict(zip(names, answers, strict=True)))}


def lstm(out: Path) -> dict[str, Case]:
    """Two LSTM layers."""
    model = tf_keras.Sequential(
        [tf_keras.Input((64, 128)), layers.LSTM(256, return_sequences=True), layers.LSTM(256), layers.Dense(10)]
    )
    _draw(model)
    x = np.random.default_rng(0).normal(size=(2, 64, 128)).astype(np.float32)
    return _write(out, lambda x: model(x, training=False), [None, 64, 128], x)


def encoder(out: Path) -> dict[str, Case]:
    """Six layers of attention and of a two-layer perceptron."""
    wide, heads, tokens = 384, 6, 128
    x = tokens_in = tf_keras.Input((tokens, wide))
    for _ in range(6):
        attended = layers.MultiHeadAttention(heads, wide // heads)(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(x + attended)
        hidden = layers.Activation(lambda h: tf.nn.gelu(h, approximate=False))(layers.Dense(4 * wide)(x))
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dense(wide)(hidden))
    model = tf_keras.Model(tokens_in, x)
    _draw(model)
    x = np.random.default_rng(0).normal(size=(2, tokens, wide)).astype(np.float32)
    return _write(out, lambda x: model(x, training=False), [None, tokens, wide], x)


def detection(out: Path) -> dict[str, Case]:
    """Boxes from centres and sizes around a grid of anchors, and the best of them."""
    backbone = tf_keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
    features = backbone.get_layer("block_13_expand_relu").output  # 14 by 14
    classes = layers.Conv2D(3, 3, padding="same", activation="sigmoid")(features)
    offsets = layers.Conv2D(12, 3, padding="same")(features)
    model = tf_keras.Model(backbone.input, [classes, offsets])
    _draw(model)
    rows, columns = np.meshgrid(np.arange(14), np.arange(14), indexing="ij")
    centres = ((np.stack([rows, columns], -1)[:, :, None] + 0.5) / 14).repeat(3, 2).reshape(-1, 2).astype(np.float32)
    sizes = np.tile(np.array([[0.1, 0.1], [0.2, 0.3], [0.4, 0.25]], np.float32), (196, 1))

    def call(x: Any) -> Any:
        scores, moved = model(x, training=False)
        scores = tf.reshape(scores[0], [-1])
        moved = tf.reshape(moved[0], [-1, 4])
        middle = centres + tf.tanh(moved[:, :2]) * sizes
        half = 0.5 * sizes * tf.exp(tf.clip_by_value(moved[:, 2:], -1.0, 1.0))
        boxes = tf.concat([middle - half, middle + half], -1)
        chosen = tf.image.non_max_suppression(boxes, scores, 20, iou_threshold=0.5, score_threshold=0.1)
        return tf.gather(boxes, chosen), tf.gather(scores, chosen)

    return _write(out, call, [1, 224, 224, 3], photographs(224)[:1])
