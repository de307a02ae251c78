"""Image classifiers of keras.applications: frozen, as a TF2 SavedModel, and as a TF1 graph with its checkpoint.

Weights are drawn from a fixed seed, never downloaded. The batch-norm statistics are those of photographs that went
through the network, then disturbed, so that they matter and activations neither die nor explode.

| file               | what                                                                                       |
|--------------------|--------------------------------------------------------------------------------------------|
| `frozen.pb`        | one GraphDef, `x:0` to `Identity:0`, variables as constants                                |
| `saved_model/`     | a SavedModel with the signature `serving_default`: `x` to `output_0`                       |
| `tf1/model.ckpt-1` | TF1 with resource variables (tf_keras): `.meta`, V2 checkpoint, `checkpoint`, `graph.pb`;  |
|                    | `x:0` to `probabilities:0`                                                                 |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from ..recipes import Case
from .common import freeze, photographs

v1 = tf.compat.v1


def mobilenet_v2(out: Path) -> dict[str, Case]:
    """MobileNetV2, 224 pixels, 14 MB."""
    return _make(out, "MobileNetV2", 224)


def inception_v3(out: Path) -> dict[str, Case]:
    """Inception V3, 299 pixels, 95 MB."""
    return _make(out, "InceptionV3", 299)


def resnet50(out: Path) -> dict[str, Case]:
    """ResNet50, 224 pixels, 102 MB."""
    return _make(out, "ResNet50", 224)


def efficientnet_b0(out: Path) -> dict[str, Case]:
    """EfficientNetB0, 224 pixels, 21 MB."""
    return _make(out, "EfficientNetB0", 224)


def _make(out: Path, name: str, size: int) -> dict[str, Case]:
    keras.utils.set_random_seed(20160407)
    model = getattr(keras.applications, name)(weights=None)
    pictures = photographs(size)
    settle(model, pictures)
    signature = [tf.TensorSpec([None, size, size, 3], tf.float32, name="x")]

    def call(x: Any) -> Any:
        return model(x, training=False)

    function = tf.function(call, input_signature=signature).get_concrete_function()
    frozen = freeze(function, out / "frozen.pb")
    answers = np.asarray(frozen(tf.constant(pictures))[0])
    module = tf.Module()
    module.model = model
    module.call = tf.function(lambda x: {"output_0": call(x)}, input_signature=signature)
    tf.saved_model.save(module, str(out / "saved_model"), signatures={"serving_default": module.call})
    first = _as_tf1(out / "tf1", name, model.get_weights(), size, pictures)
    np.testing.assert_allclose(first, answers, atol=1e-4)
    return {
        "": Case({"x:0": pictures}, {"Identity:0": answers}),
        "serving_default": Case({"x": pictures}, {"output_0": answers}),
        "tf1": Case({"x:0": pictures}, {"probabilities:0": first}),
    }


def settle(model: Any, pictures: Any) -> None:
    """Gives batch norms random scales and offsets and the statistics of pictures, and the last layer lively answers."""
    random = np.random.default_rng(7)
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    for layer in norms:
        if layer.scale:
            layer.gamma.assign(random.uniform(0.6, 1.4, layer.gamma.shape).astype(np.float32))
        layer.beta.assign(random.normal(0.1, 0.2, layer.beta.shape).astype(np.float32))
        layer.momentum = 0.0
    noise = np.clip(random.normal(0, 0.5, (6, *pictures.shape[1:])), -1, 1).astype(np.float32)
    model(np.concatenate([pictures, noise, pictures[:, ::-1], pictures[:, :, ::-1]]), training=True)
    for layer in norms:
        mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
        layer.moving_mean.assign(mean + random.normal(0, 0.05, mean.shape) * np.sqrt(variance))
        layer.moving_variance.assign(variance * random.uniform(0.8, 1.25, variance.shape) + 1e-4)
    head = model.layers[-1]
    features = keras.Model(model.input, head.input)(pictures, training=False)
    logits = np.asarray(features) @ np.asarray(head.kernel)
    mean = logits.mean(0)
    scale = 1.2 / (logits - mean).std()
    head.kernel.assign(np.asarray(head.kernel) * scale)
    head.bias.assign(random.normal(0, 0.5, mean.shape) - scale * mean)


def _as_tf1(folder: Path, name: str, weights: list[Any], size: int, pictures: Any) -> Any:
    folder.mkdir()
    with tf.Graph().as_default(), v1.Session() as session:
        v1.keras.backend.set_session(session)
        x = v1.placeholder(tf.float32, [None, size, size, 3], name="x")
        model = getattr(tf_keras.applications, name)(weights=None, input_tensor=x)
        probabilities = tf.identity(model.output, name="probabilities")
        session.run(v1.global_variables_initializer())
        model.set_weights(weights)
        saver = v1.train.Saver()
        saver.save(session, str(folder / "model.ckpt"), global_step=1)
        tf.io.write_graph(session.graph_def, str(folder), "graph.pb", as_text=False)
        return session.run(probabilities, {x: pictures})
