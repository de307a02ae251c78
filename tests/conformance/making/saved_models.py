"""SavedModels of TensorFlow 2: several signatures, tables, assets, control flow, nested functions, Keras layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from ..recipes import Case
from .common import Array, freeze

Signatures = dict[str, Any]


def ask(folder: Path, questions: dict[str, dict[str, Array]]) -> dict[str, Case]:
    """Loads a SavedModel anew and puts a question to each signature."""
    signatures = tf.saved_model.load(str(folder)).signatures
    cases = {}
    for name, inputs in questions.items():
        answers = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        cases[name] = Case(inputs, {key: np.asarray(answer) for key, answer in sorted(answers.items())})
    return cases


def weights(random: np.random.Generator, *shape: int) -> Array:
    """Weights whose sums neither vanish nor explode."""
    return random.normal(0, shape[0] ** -0.5, shape).astype(np.float32)


class _Many(tf.Module):
    """A text scorer and a small dense network in one module."""

    def __init__(self, words: Path) -> None:
        super().__init__()
        random = np.random.default_rng(1)
        self.words = tf.saved_model.Asset(str(words))
        index = tf.lookup.TextFileInitializer(
            self.words, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self.ids = tf.lookup.StaticVocabularyTable(index, 3)
        labels = tf.lookup.KeyValueTensorInitializer(
            tf.constant([0, 1, 2], tf.int64), tf.constant(["bad", "fair", "good"])
        )
        self.labels = tf.lookup.StaticHashTable(labels, "?")
        self.embedding = tf.Variable(weights(random, 11, 6), name="embedding")
        self.w = tf.Variable(5 * weights(random, 6, 3), name="w")
        self.b = tf.Variable(tf.zeros([3]), name="b")
        self.layers = [tf.Variable(weights(random, 6, 6), name=f"layer_{i}") for i in range(3)]
        self.scale = {"fast": tf.Variable(0.5, name="fast"), "slow": tf.Variable(2.0, name="slow")}
        self.calls = tf.Variable(0, dtype=tf.int64, trainable=False, name="calls")
        self.frozen_name = tf.Variable(b"first version", name="version")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
    def score(self, texts: Any) -> Signatures:
        words = tf.strings.split(tf.strings.lower(texts))
        vectors = tf.gather(self.embedding, self.ids.lookup(words.flat_values))
        means = tf.math.segment_mean(vectors, words.value_rowids())
        logits = tf.matmul(means, self.w) + self.b
        best = tf.argmax(logits, 1)
        return {"logits": logits, "label": self.labels.lookup(best), "best": best}

    @tf.function(
        input_signature=[tf.TensorSpec([None, 6], tf.float32, name="x"), tf.TensorSpec([], tf.bool, name="fast")]
    )
    def dense(self, x: Any, fast: Any) -> Signatures:
        factor = tf.cond(fast, lambda: self.scale["fast"] * 1.0, lambda: self.scale["slow"] * 1.0)
        return {"y": self._deep(x) * factor, "factor": factor}

    @tf.function
    def _deep(self, x: Any) -> Any:
        for layer in self.layers:
            x = self._layer(x, layer)
        return x

    @tf.function
    def _layer(self, x: Any, layer: Any) -> Any:
        return tf.nn.elu(tf.matmul(x, layer)) + 0.1 * x

    @tf.function(input_signature=[])
    def count(self) -> Signatures:
        return {"calls": self.calls.assign_add(2), "version": self.frozen_name.read_value()}


def many_signatures(out: Path) -> dict[str, Case]:
    """`saved_model/`: the signatures `serving_default`, `score`, `dense`, `count`; tables, an asset, string and int64
    variables, variables in a list and in a dict, passed to nested functions."""
    words = out / "words.txt"
    words.write_text("a\nfilm\nis\ngood\nbad\nvery\nnot\nthe\n")
    module = _Many(words)
    signatures = {"serving_default": module.score, "score": module.score, "dense": module.dense, "count": module.count}
    tf.saved_model.save(module, str(out / "saved_model"), signatures=signatures)
    texts = np.array([b"A very GOOD film", b"bad unknown words", b"not"], dtype=object)
    x = np.random.default_rng(2).normal(size=(4, 6)).astype(np.float32)
    return ask(
        out / "saved_model",
        {
            "serving_default": {"texts": texts},
            "score": {"texts": texts},
            "dense": {"x": x, "fast": np.array(False)},
            "count": {},
        },
    )


class _Flow(tf.Module):
    """Variables that travel into the branches and bodies of If, While and Case."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(4)
        self.w = tf.Variable(weights(random, 4, 4), name="w")
        self.u = tf.Variable(weights(random, 4, 4), name="u")
        self.bias = tf.Variable(weights(random, 4), name="bias")
        self.total = tf.Variable(tf.zeros([4]), trainable=False, name="total")

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 4], tf.float32, name="x"),
            tf.TensorSpec([], tf.int32, name="steps"),
            tf.TensorSpec([], tf.int32, name="kind"),
        ]
    )
    def run(self, x: Any, steps: Any, kind: Any) -> Signatures:
        def body(i: Any, h: Any) -> Any:
            h = tf.cond(tf.equal(i % 2, 0), lambda: self._step(h, self.w), lambda: self._step(h, self.u) - h * 0.1)
            return i + 1, h

        _, h = tf.while_loop(lambda i, _: i < steps, body, [0, x], maximum_iterations=50)
        chosen = tf.switch_case(
            kind, {0: lambda: h + self.bias, 1: lambda: tf.matmul(h, self.w), 2: lambda: -h}, default=lambda: h * 3.0
        )
        collected = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[None, 4])
        state = x
        for i in tf.range(steps):
            state = tf.tanh(tf.matmul(state, self.u)) + x
            if i % 2 == 0:
                collected = collected.write(collected.size(), state)
        return {"h": h, "chosen": chosen, "stacked": collected.stack(), "steps": steps * 2}

    @tf.function
    def _step(self, h: Any, matrix: Any) -> Any:
        return tf.tanh(tf.matmul(h, matrix) + self.bias)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def accumulate(self, x: Any) -> Signatures:
        for i in tf.range(tf.shape(x)[0]):
            if tf.reduce_sum(x[i]) > 0.0:
                self.total.assign_add(x[i])
            else:
                self.total.assign_sub(0.5 * x[i])
        return {"total": self.total.read_value(), "mean": self._mean(x)}

    @tf.function(autograph=False)
    def _mean(self, x: Any) -> Any:
        @tf.custom_gradient
        def doubled(value: Any) -> Any:
            return value * 2.0, lambda upstream: upstream * 2.0

        return tf.reduce_mean(doubled(x) @ self.w, 0)


def control_flow(out: Path) -> dict[str, Case]:
    """`saved_model/`: If, While, Case and nested functions that capture variables; state that is read and assigned in a
    loop; `frozen.pb` of the signature `run` with If and While kept."""
    module = _Flow()
    tf.saved_model.save(
        module, str(out / "saved_model"), signatures={"run": module.run, "accumulate": module.accumulate}
    )
    x = np.random.default_rng(6).normal(size=(3, 4)).astype(np.float32)
    cases = {}
    for kind in range(4):
        question = {"x": x, "steps": np.int32(3 + kind), "kind": np.int32(kind)}
        cases[f"run {kind}"] = ask(out / "saved_model", {"run": question})["run"]
    frozen = freeze(module.run.get_concrete_function(), out / "frozen.pb")
    names = [tensor.name for tensor in frozen.outputs]
    answers = frozen(tf.constant(x), tf.constant(4), tf.constant(1))
    feeds = {"x:0": x, "steps:0": np.int32(4), "kind:0": np.int32(1)}
    cases["frozen"] = Case(feeds, dict(zip(names, map(np.asarray, answers), strict=True)))
    cases["accumulate"] = ask(out / "saved_model", {"accumulate": {"x": x}})["accumulate"]
    return cases


def dtypes(out: Path) -> dict[str, Case]:
    """`saved_model/` and `ckpt-1`: a variable of each dtype that TensorFlow lets be one, scalars and empty ones too.

    The case `variables` holds their values by the key in the checkpoint (bfloat16 and float8 as float32).
    """
    random = np.random.default_rng(12)
    module = tf.Module()
    module.parts = {}
    floats = ["float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2"]
    integers = ["int4", "uint4", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
    for name in [*floats, *integers, "bool", "complex64", "complex128", "string", "scalar", "empty"]:
        if name == "string":
            value = tf.constant([[b"a", b""], [bytes(range(256)), "größe".encode()]])
        elif name == "bool":
            value = tf.constant(random.random((5,)) > 0.5)
        elif name.startswith("complex"):
            value = tf.constant(random.normal(size=(2, 3)) + 1j * random.normal(size=(2, 3)), name)
        elif name == "scalar":
            value = tf.constant(2.5)
        elif name == "empty":
            value = tf.zeros([0, 3])
        else:
            numbers = random.normal(0, 3, (3, 4)) if name in floats else random.integers(0, 7, (3, 4))
            value = tf.cast(tf.constant(numbers), name)
        module.parts[name] = tf.Variable(value, name=name)
    module.call = tf.function(
        lambda x: {"y": x * module.parts["float32"] + module.parts["scalar"]},
        input_signature=[tf.TensorSpec([3, 4], tf.float32, name="x")],
    )
    tf.saved_model.save(module, str(out / "saved_model"), signatures={"serving_default": module.call})
    tf.train.Checkpoint(module=module, step=tf.Variable(7, dtype=tf.int64)).save(str(out / "ckpt"))
    values = {}
    for name, variable in module.parts.items():
        small = name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4")
        value = tf.cast(variable, tf.float32 if name in floats else tf.int8) if small else variable
        if name != "string":
            values[f"parts/{name}"] = np.asarray(value)
    x = random.normal(size=(3, 4)).astype(np.float32)
    return {**ask(out / "saved_model", {"serving_default": {"x": x}}), "variables": Case({}, values)}


def keras_text(out: Path) -> dict[str, Case]:
    """`saved_model/`: Keras 3, text to classes: TextVectorization, embedding, bidirectional LSTM, GRU, attention."""
    keras.utils.set_random_seed(5)
    texts = ["the cat sat on the mat", "a dog ran over the hill", "rain, rain, go away!", "the hill is green"]
    vectorize = keras.layers.TextVectorization(max_tokens=30, output_sequence_length=7)
    vectorize.adapt(tf.constant(texts))
    inputs = keras.Input((), dtype="string", name="text")
    x = keras.layers.Embedding(30, 12)(vectorize(inputs))
    x = keras.layers.Bidirectional(keras.layers.LSTM(8, return_sequences=True))(x)
    x = keras.layers.LayerNormalization()(x + keras.layers.MultiHeadAttention(2, 6)(x, x))
    x = keras.layers.GRU(10)(x)
    outputs = keras.layers.Dense(4, activation="softmax", kernel_initializer="random_normal")(x)
    model = keras.Model(inputs, outputs)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.4 * keras.random.normal(variable.shape, seed=3))
    model.export(str(out / "saved_model"), verbose=False)
    question = np.array([b"the cat ran away", b"green rain on unknown words", b"", b"mat"], dtype=object)
    return ask(out / "saved_model", {"serving_default": {"text": question}})


def keras2(out: Path) -> dict[str, Case]:
    """Keras 2 (tf_keras): a small convolutional network as `saved_model/` (with `keras_metadata.pb`), `model.h5`,
    `weights.h5`, `model.keras`, and `ckpt` (a TF2 checkpoint with the optimizer's slots)."""
    tf_keras.utils.set_random_seed(3)
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Conv2D(6, 3, padding="same", input_shape=(16, 16, 3), name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(max_value=6.0),
            layers.DepthwiseConv2D(3, strides=2, padding="same", name="depthwise"),
            layers.SeparableConv2D(8, 3, activation="swish", name="separable"),
            layers.SpatialDropout2D(0.2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax", name="head"),
        ]
    )
    model.compile(tf_keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    random = np.random.default_rng(3)
    x = random.normal(size=(32, 16, 16, 3)).astype(np.float32)
    model.fit(x, np.digitize(x.mean((1, 2, 3)), [-0.05, -0.02, 0.02, 0.05]), epochs=3, verbose=0, shuffle=False)
    model.save(str(out / "saved_model"), save_format="tf")
    model.save(str(out / "model.h5"))
    model.save(str(out / "model.keras"))
    model.save_weights(str(out / "weights.h5"))
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(out / "ckpt"))
    cases = ask(out / "saved_model", {"serving_default": {"conv_input": x[:3]}})
    return {**cases, "weights": Case({}, {w.name: w.numpy() for w in model.weights})}
