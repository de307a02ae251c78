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


def _bert(x: Any) -> Any:
    """As BERT of 2018 writes it: reshaped, transposed, a product with a factor behind it, a mask that is added."""
    batch = tf.shape(x)[0]
    flat = tf.reshape(x, [-1, 12])

    def heads(shift: float) -> Any:
        made = tf.matmul(flat, _weights([12, 12]) + shift) + _weights([12])
        return tf.transpose(tf.reshape(made, [batch, 5, 3, 4]), [0, 2, 1, 3])

    mask = tf.cast(tf.reduce_sum(x, -1) > 2.0, tf.float32)[:, None, None, :]
    scores = tf.matmul(heads(0.1), heads(0.2), transpose_b=True) * 0.5 + (1.0 - mask) * -10000.0
    context = tf.matmul(tf.nn.softmax(scores), heads(0.3))
    return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, 12])


def _of_one_query(x: Any) -> Any:
    """Not for the kernel: the queries are the same for all of a batch, and are broadcast."""
    queries = tf.reshape(tf.matmul(tf.reduce_mean(x, 0), _weights([12, 12])), [1, 5, 3, 4])
    keys = tf.reshape(tf.matmul(tf.reshape(x, [-1, 12]), _weights([12, 12])), [-1, 5, 3, 4])
    scores = tf.matmul(tf.transpose(queries, [0, 2, 1, 3]), tf.transpose(keys, [0, 2, 3, 1])) / 2.0
    context = tf.matmul(tf.nn.softmax(scores), tf.transpose(keys, [0, 2, 1, 3]))
    return tf.transpose(context, [0, 2, 1, 3])


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
    "attention_of_wide_values": lambda x: LAYERS.MultiHeadAttention(3, 4, 6, kernel_initializer=_EVEN)(x, x),
    "attention_causal": lambda x: LAYERS.MultiHeadAttention(3, 4, kernel_initializer=_EVEN)(x, x, use_causal_mask=True),
    "attention_masked": lambda x: LAYERS.MultiHeadAttention(3, 4, kernel_initializer=_EVEN)(
        x, x, attention_mask=(tf.reduce_sum(x, -1) > 2.0)[:, None, :]
    ),
    "attention_of_bert": _bert,
    "attention_of_one_query": _of_one_query,
}

for _name, _make in FORMS.items():
    _of(_name, _make)
