"""Training graphs as TensorFlow builds them: what is trained, on what, with which optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.rnn import legacy_cells as cells

v1 = tf.compat.v1
Array = np.ndarray[Any, Any]
Minimize = Callable[[Any], Any]
"""Gives the operation that makes a loss smaller."""


@dataclass(frozen=True)
class Trained:
    """A graph: its loss, its train operation, and the feeds of a step."""

    loss: Any
    train: Any
    feeds: Callable[[int], dict[Any, Array]]


def step_of() -> Any:
    return v1.train.get_or_create_global_step()


def with_rate(rate: float | Callable[[Any], Any], make: Callable[..., Any], **how: Any) -> Minimize:
    """A step of an optimizer of TF1, whose rate may be a schedule of the global step."""

    def minimize(loss: Any) -> Any:
        step = step_of()
        optimizer = make(rate(step) if callable(rate) else rate, **how)
        return optimizer.minimize(loss, global_step=step)

    return minimize


def by_keras(make: Callable[..., Any], *args: Any, **how: Any) -> Minimize:
    """A step of an optimizer of Keras."""

    def minimize(loss: Any) -> Any:
        wanted = v1.trainable_variables()
        step = step_of()
        applied = make(*args, **how).apply_gradients(zip(v1.gradients(loss, wanted), wanted, strict=True))
        with tf.control_dependencies([applied] if applied is not None else []):
            return v1.assign_add(step, 1)

    return minimize


def by_sign(op: str) -> Minimize:
    """AddSign and PowerSign, for which TensorFlow has ops and contrib had the optimizers."""

    def minimize(loss: Any) -> Any:
        done = []
        for variable in v1.trainable_variables():
            slot = v1.get_variable(f"{variable.op.name}/m", initializer=tf.zeros(variable.shape), trainable=False)
            word = "alpha" if op == "AddSign" else "logbase"
            said = {"lr": 1e-3, word: 1.0, "sign_decay": 0.9, "beta": 0.8}
            (gradient,) = v1.gradients(loss, [variable])
            if hasattr(variable, "handle"):
                raw = getattr(tf.raw_ops, f"ResourceApply{op}")
                done.append(raw(var=variable.handle, m=slot.handle, grad=gradient, **said))
            else:
                raw = getattr(tf.raw_ops, f"Apply{op}")
                done.append(raw(var=variable._ref(), m=slot._ref(), grad=gradient, **said).op)
        with tf.control_dependencies(done):
            return v1.assign_add(step_of(), 1)

    return minimize


def averaged(minimize: Minimize) -> Minimize:
    """A step that keeps moving averages of what is trained, too."""

    def both(loss: Any) -> Any:
        train = minimize(loss)
        average = v1.train.ExponentialMovingAverage(0.9, step_of())
        with tf.control_dependencies([train]):
            return average.apply(v1.trainable_variables())

    return both


def numbers(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def perceptron(minimize: Minimize) -> Trained:
    """Two dense layers."""
    x, y = v1.placeholder(tf.float32, [None, 6], "x"), v1.placeholder(tf.int64, [None], "y")
    hidden = x
    for name, units in (("first", 8), ("second", 4)):
        w = v1.get_variable(f"{name}/w", [hidden.shape[-1], units], initializer=v1.truncated_normal_initializer(0, 0.4))
        b = v1.get_variable(f"{name}/b", [units], initializer=v1.random_uniform_initializer(-0.1, 0.1))
        hidden = v1.nn.xw_plus_b(hidden if name == "first" else tf.tanh(hidden), w, b)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, hidden), name="loss")

    def feeds(step: int) -> dict[Any, Array]:
        rows = numbers(16, 6, seed=step)
        return {x: rows, y: (rows[:, 0] > 0) * 2 + (rows[:, 1] > rows[:, 2])}

    return Trained(loss, minimize(loss), feeds)


def pictures(minimize: Minimize) -> Trained:
    """Convolutions, pools, batch norm, local response normalization and dropout."""
    x, y = v1.placeholder(tf.float32, [None, 12, 12, 3], "x"), v1.placeholder(tf.int64, [None], "y")
    kernel = v1.get_variable("conv1/kernel", [3, 3, 3, 8], initializer=v1.truncated_normal_initializer(0, 0.3))
    net = tf.nn.conv2d(x, kernel, 1, "SAME")
    layer = tf_keras.layers.BatchNormalization(fused=True, momentum=0.9)
    net = layer(net, training=True)
    updates = layer.updates or v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    net = tf.nn.max_pool2d(tf.nn.relu(net), 2, 2, "SAME")
    net = tf.nn.local_response_normalization(net, 2, 1.0, 1e-2, 0.75)
    kernel = v1.get_variable("conv2/kernel", [3, 3, 8, 6], initializer=v1.glorot_uniform_initializer())
    bias = v1.get_variable("conv2/bias", [6], initializer=tf.zeros_initializer())
    net = tf.nn.avg_pool2d(tf.nn.elu(tf.nn.bias_add(tf.nn.conv2d(net, kernel, 2, "VALID"), bias)), 2, 1, "SAME")
    net = v1.nn.dropout(net, keep_prob=0.7)
    flat = tf.reshape(net, [-1, 2 * 2 * 6])
    w = v1.get_variable("dense/w", [24, 5], initializer=v1.random_normal_initializer(0, 0.2))
    logits = tf.matmul(v1.nn.dropout(flat, rate=0.25), w)
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(y, 5), logits))
    loss = tf.add(loss, 1e-3 * tf.nn.l2_loss(w), name="loss")
    with tf.control_dependencies(updates):
        train = minimize(loss)

    def feeds(step: int) -> dict[Any, Array]:
        labels = np.random.default_rng(step).integers(0, 5, 8)
        return {x: numbers(8, 12, 12, 3, seed=step) + labels[:, None, None, None] * 0.2, y: labels}

    return Trained(loss, train, feeds)


def sequences(minimize: Minimize) -> Trained:
    """An LSTM over sequences of several lengths, its gradients a loop with stacks or lists."""
    x = v1.placeholder(tf.float32, [None, 7, 4], "x")
    lengths, y = v1.placeholder(tf.int32, [None], "lengths"), v1.placeholder(tf.float32, [None], "y")
    with v1.variable_scope("rnn", initializer=v1.random_uniform_initializer(-0.3, 0.3)):
        with warnings.catch_warnings(action="ignore"):  # it is the cell of 2016 that is wanted
            cell = cells.LSTMCell(6, use_peepholes=True)
            out, state = v1.nn.dynamic_rnn(cell, x, lengths, dtype=tf.float32)
        w = v1.get_variable("w", [6, 1])
    guess = tf.squeeze(tf.matmul(state.h, w), 1) + tf.reduce_mean(out, [1, 2])
    loss = tf.reduce_mean(tf.square(guess - y), name="loss")

    def minimize_clipped(loss: Any) -> Any:
        return minimize(loss)

    def feeds(step: int) -> dict[Any, Array]:
        rows = numbers(5, 7, 4, seed=step)
        counts = np.random.default_rng(step).integers(1, 8, 5).astype(np.int32)
        return {x: rows, lengths: counts, y: np.array([r[:n].sum() for r, n in zip(rows, counts, strict=True)]) / 5}

    return Trained(loss, minimize_clipped(loss), feeds)


def clipped(rate: float) -> Minimize:
    """Gradients cut at a global norm, applied by hand."""

    def minimize(loss: Any) -> Any:
        wanted = v1.trainable_variables()
        gradients, _ = tf.clip_by_global_norm(v1.gradients(loss, wanted), 0.5)
        optimizer = v1.train.AdamOptimizer(rate)
        return optimizer.apply_gradients(zip(gradients, wanted, strict=True), global_step=step_of())

    return minimize


def words(minimize: Minimize) -> Trained:
    """Embeddings, whose gradients are rows."""
    ids, y = v1.placeholder(tf.int64, [None, 3], "ids"), v1.placeholder(tf.float32, [None], "y")
    table = v1.get_variable("table", [20, 4], initializer=v1.random_uniform_initializer(-1, 1))
    other = v1.get_variable("other", [20], initializer=v1.random_uniform_initializer(-1, 1))
    found = tf.reduce_sum(tf.nn.embedding_lookup(table, ids), [1, 2]) + tf.reduce_sum(tf.gather(other, ids), 1)
    loss = tf.reduce_mean(tf.square(tf.tanh(0.3 * found) - y), name="loss")

    def feeds(step: int) -> dict[Any, Array]:
        rows = np.random.default_rng(step).integers(0, 20, (6, 3))
        return {ids: rows, y: np.tanh(rows.mean(1) - 10).astype(np.float32)}

    return Trained(loss, minimize(loss), feeds)


def loop(minimize: Minimize) -> Trained:
    """A while loop with a conditional in it, differentiated."""
    x, n = v1.placeholder(tf.float32, [None, 3], "x"), v1.placeholder(tf.int32, [], "n")
    w = v1.get_variable("w", [3, 3], initializer=v1.random_uniform_initializer(-0.5, 0.5))
    b = v1.get_variable("b", [3], initializer=tf.zeros_initializer())

    def body(i: Any, value: Any) -> Any:
        after = v1.cond(tf.equal(i % 2, 0), lambda: tf.tanh(tf.matmul(value, w)), lambda: value + b)
        return i + 1, after

    end = v1.while_loop(lambda i, _: i < n, body, [0, x])[1]
    loss = tf.reduce_mean(tf.square(end - x), name="loss")

    def feeds(step: int) -> dict[Any, Array]:
        return {x: numbers(4, 3, seed=step), n: np.array(2 + step % 4, np.int32)}

    return Trained(loss, minimize(loss), feeds)


@dataclass(frozen=True)
class Graph:
    """How a graph is built: by which function, with which optimizer, in which generation of TensorFlow's ways."""

    name: str
    build: Callable[[Minimize], Trained]
    minimize: Minimize
    generation: int = 1
    resources: bool = False

    def __str__(self) -> str:
        kinds = "resources" if self.resources else "refs"
        return f"{self.name}-tf{self.generation}-{kinds}"


train, schedules, keras = v1.train, v1.train, tf_keras.optimizers.legacy

OPTIMIZERS: dict[str, Minimize] = {
    "sgd": with_rate(0.5, train.GradientDescentOptimizer),
    "momentum": with_rate(0.05, train.MomentumOptimizer, momentum=0.9),
    "nesterov": with_rate(0.05, train.MomentumOptimizer, momentum=0.9, use_nesterov=True),
    "adam": with_rate(0.01, train.AdamOptimizer),
    "rmsprop": with_rate(0.01, train.RMSPropOptimizer, momentum=0.5),
    "centered_rmsprop": with_rate(0.01, train.RMSPropOptimizer, centered=True),
    "adagrad": with_rate(0.1, train.AdagradOptimizer),
    "adadelta": with_rate(1.0, train.AdadeltaOptimizer),
    "ftrl": with_rate(0.1, train.FtrlOptimizer, l1_regularization_strength=1e-3, l2_regularization_strength=1e-3),
    "proximal_adagrad": with_rate(0.1, train.ProximalAdagradOptimizer, l1_regularization_strength=1e-3),
    "proximal_sgd": with_rate(0.5, train.ProximalGradientDescentOptimizer, l2_regularization_strength=1e-3),
}

KERAS: dict[str, Minimize] = {
    "keras_sgd": by_keras(keras.SGD, 0.05, momentum=0.9, nesterov=True),
    "keras_adam": by_keras(keras.Adam, 0.01),
    "keras_amsgrad": by_keras(keras.Adam, 0.01, amsgrad=True),
    "keras_adamax": by_keras(keras.Adamax, 0.01),
    "keras_nadam": by_keras(keras.Nadam, 0.01),
    "keras_rmsprop": by_keras(keras.RMSprop, 0.01, centered=True),
    "keras_ftrl": by_keras(keras.Ftrl, 0.1, l2_shrinkage_regularization_strength=1e-3),
    "keras_adagrad": by_keras(keras.Adagrad, 0.1),
    "keras_adadelta": by_keras(keras.Adadelta, 1.0),
}

SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "exponential": lambda step: v1.train.exponential_decay(0.5, step, 10, 0.8, staircase=True),
    "piecewise": lambda step: v1.train.piecewise_constant(step, [20, 50], [0.5, 0.2, 0.1]),
    "polynomial": lambda step: v1.train.polynomial_decay(0.5, step, 60, 0.01, power=2.0, cycle=True),
    "inverse_time": lambda step: v1.train.inverse_time_decay(0.5, step, 10, 0.5),
    "natural_exp": lambda step: v1.train.natural_exp_decay(0.5, step, 10, 0.1),
    "cosine": lambda step: v1.train.cosine_decay_restarts(0.5, step, 20),
    "linear_cosine": lambda step: v1.train.linear_cosine_decay(0.5, step, 100),
}


def graphs() -> Iterator[Graph]:
    for resources in (False, True):
        for name, minimize in OPTIMIZERS.items():
            yield Graph(name, perceptron, minimize, resources=resources)
        for op in ("AddSign", "PowerSign"):
            yield Graph(op, perceptron, by_sign(op), resources=resources)
        for name in ("sgd", "momentum", "adam", "rmsprop", "centered_rmsprop", "adagrad", "adadelta", "ftrl"):
            yield Graph(f"words_{name}", words, OPTIMIZERS[name], resources=resources)
        yield Graph("pictures", pictures, with_rate(3e-3, train.MomentumOptimizer, momentum=0.9), resources=resources)
        yield Graph("averages", perceptron, averaged(OPTIMIZERS["momentum"]), resources=resources)
        yield Graph("loop", loop, OPTIMIZERS["sgd"], resources=resources)
        yield Graph("sequences", sequences, clipped(0.02), resources=resources)
    yield Graph("adagrad_da", perceptron, adagrad_da())
    for name, rate in SCHEDULES.items():
        yield Graph(name, perceptron, with_rate(rate, train.GradientDescentOptimizer))
    for name, minimize in KERAS.items():
        yield Graph(name, perceptron, minimize, 2, True)
        yield Graph(f"words_{name}", words, minimize, 2, True)
    yield Graph("loop", loop, OPTIMIZERS["adam"], 2, True)
    yield Graph("sequences", sequences, clipped(0.02), 2, True)


def adagrad_da() -> Minimize:
    def minimize(loss: Any) -> Any:
        step = step_of()
        return v1.train.AdagradDAOptimizer(0.1, step, l1_regularization_strength=1e-3).minimize(loss, global_step=step)

    return minimize


GRAPHS = list(graphs())
