"""What transformers are made of, as several libraries spell it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tests.conformance.graphs.making import Built, recipe, v1

_RNG = np.random.default_rng(11)
X = _RNG.normal(size=(2, 5, 12)).astype(np.float32) * 3 + 1
LAYERS = tf_keras.layers


def _weights(shape: Any, dtype: Any = None, **_: Any) -> Any:
    size = int(np.prod([int(n) for n in shape]))
    return tf.constant(np.sin(np.arange(1, size + 1) * 1.7).reshape([int(n) for n in shape]) * 0.6, tf.float32)


def _of(name: str, make: Callable[[Any], Any]) -> None:
    def build() -> Built:
        x = v1.placeholder(tf.float32, [None, 5, 12])
        return [x], [make(x)]

    build.__name__ = name
    recipe([[X], [X[:1]]], resources=True)(build)


def _moments(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, _weights([12]), _weights([12]) + 1.0, 1e-6)


def _centred(x: Any) -> Any:
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5) * (_weights([12]) + 1.0) + _weights([12])


def _negative(x: Any) -> Any:
    """As Keras 3 writes it."""
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    m = tf.math.rsqrt(variance + 1e-3) * (_weights([1, 1, 12]) + 1.0)
    return x * m + (-mean * m + _weights([1, 1, 12]))


def _other_axis(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, _weights([12]), _weights([12]) + 1.0, 1e-6)


def _other_mean(x: Any) -> Any:
    """Not a layer norm: the mean that is taken off is twice that of the variance."""
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean * 2.0, variance, _weights([12]), _weights([12]) + 1.0, 1e-6)


_EVEN = tf_keras.initializers.RandomUniform(-0.5, 0.5, seed=3)
_INIT: dict[str, Any] = {"gamma_initializer": _weights, "beta_initializer": _weights}

FORMS: dict[str, Callable[[Any], Any]] = {
    "layer_norm_of_moments": _moments,
    "layer_norm_centred": _centred,
    "layer_norm_of_keras_3": _negative,
    "layer_norm_of_keras": lambda x: LAYERS.LayerNormalization(epsilon=1e-6, **_INIT)(x),
    "layer_norm_of_keras_fused": lambda x: LAYERS.LayerNormalization(**_INIT)(x),
    "layer_norm_of_keras_without_scale": lambda x: LAYERS.LayerNormalization(scale=False)(x),
    "norm_over_another_axis": _other_axis,
    "norm_of_another_mean": _other_mean,
    "gelu_erf": lambda x: 0.5 * x * (1.0 + tf.math.erf(x / np.float32(np.sqrt(2.0)))),
    "gelu_erf_last": lambda x: x * (0.5 * (1.0 + tf.math.erf(x * np.float32(np.sqrt(0.5))))),
    "gelu_erfc": lambda x: tf.nn.gelu(x),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "gelu_tanh_of_products": lambda x: (
        0.5 * x * (1.0 + tf.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + 0.044715 * x * x * x)))
    ),
    "almost_gelu": lambda x: 0.5 * x * (1.0 + tf.math.erf(x / 2.0)),
    "almost_gelu_of_another": lambda x: 0.5 * x * (1.0 + tf.math.erf(tf.abs(x) / np.float32(np.sqrt(2.0)))),
    "dense": lambda x: LAYERS.Dense(7, kernel_initializer=_weights, bias_initializer=_weights)(x),
    "attention": lambda x: LAYERS.MultiHeadAttention(3, 4, kernel_initializer=_EVEN)(x, x),
}

for _name, _make in FORMS.items():
    _of(_name, _make)
