"""Graphs as TensorFlow 1 wrote them: ref variables, Switch and Merge, queues, V1 and V2 checkpoints, `.meta`, `.pbtxt`.

Each process that runs a recipe of this file is set back to the behaviour of TF1 (see `old`). Weights are drawn from
seeds or trained for a few steps on scikit-learn's digits.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_nn_ops

from ..recipes import Case
from .common import Array

v1 = tf.compat.v1
Recipe = Callable[[Path], dict[str, Case]]


def old(recipe: Recipe) -> Recipe:
    """The recipe with TF1's behaviour and a fresh, seeded graph."""

    @functools.wraps(recipe)
    def run(out: Path) -> dict[str, Case]:
        v1.disable_v2_behavior()
        v1.disable_resource_variables()
        v1.disable_control_flow_v2()
        with tf.Graph().as_default():
            v1.set_random_seed(1234)
            return recipe(out)

    return run


def session() -> v1.Session:
    """A session in which sums come out the same each time."""
    return v1.Session(config=v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1))


def digits() -> tuple[Array, Array]:
    """scikit-learn's handwritten digits as `(1797, 784)` pictures of 28 pixels, 0 to 1, and their classes."""
    from sklearn.datasets import load_digits

    small = load_digits()
    pictures = np.kron(small.images, np.ones((3, 3)))
    return np.pad(pictures / 16, ((0, 0), (2, 2), (2, 2))).reshape(-1, 784).astype(np.float32), small.target


def dense(x: Any, units: int, name: str, activation: Any = None) -> Any:
    """A dense layer with ref variables."""
    with v1.variable_scope(name):
        inputs = int(x.shape[-1])
        w = v1.get_variable(
            "weights", [inputs, units], initializer=v1.truncated_normal_initializer(stddev=inputs**-0.5)
        )
        b = v1.get_variable("biases", [units], initializer=v1.constant_initializer(0.1))
        y = v1.nn.xw_plus_b(x, w, b)
        return activation(y) if activation else y


def conv(x: Any, filters: int, size: int, name: str) -> Any:
    """A 2-D convolution with ReLU and ref variables."""
    with v1.variable_scope(name):
        channels = int(x.shape[-1])
        spread = (size * size * channels / 2) ** -0.5
        w = v1.get_variable(
            "weights", [size, size, channels, filters], initializer=v1.truncated_normal_initializer(stddev=spread)
        )
        b = v1.get_variable("biases", [filters], initializer=v1.constant_initializer(0.1))
        return tf.nn.relu(v1.nn.bias_add(v1.nn.conv2d(x, w, [1, 1, 1, 1], "SAME"), b))


def classifier(pictures: Any, keep: Any) -> Any:
    """Two convolutions, dropout, and ten logits: TensorFlow's MNIST tutorial."""
    x = tf.reshape(pictures, [-1, 28, 28, 1])
    x = v1.nn.max_pool(conv(x, 8, 5, "conv1"), [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    x = v1.nn.max_pool(conv(x, 16, 5, "conv2"), [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    x = dense(tf.reshape(x, [-1, 7 * 7 * 16]), 64, "fc1", tf.nn.relu)
    return dense(v1.nn.dropout(x, keep, name="dropout"), 10, "fc2")


@old
def mnist(out: Path) -> dict[str, Case]:
    """The tutorial's training graph: placeholders, dropout, Adam, summaries, accuracy, a Saver; 60 steps.

    `model.ckpt-20`, `-40`, `-60` (V2) with `.meta` and `checkpoint`; `v1.ckpt` (V1); `graph.pb`, `graph.pbtxt`;
    `frozen.pb` by TensorFlow's own freezing.
    """
    x = v1.placeholder(tf.float32, [None, 784], name="x")
    labels = v1.placeholder(tf.int64, [None], name="labels")
    keep = v1.placeholder_with_default(1.0, [], name="keep_prob")
    logits = tf.identity(classifier(x, keep), name="logits")
    probabilities = tf.nn.softmax(logits, name="probabilities")
    loss = tf.reduce_mean(v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits), name="loss")
    right = tf.equal(tf.argmax(logits, 1), labels)
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32), name="accuracy")
    step = v1.train.get_or_create_global_step()
    rate = v1.train.exponential_decay(3e-3, step, 50, 0.9, staircase=True)
    train = v1.train.AdamOptimizer(rate).minimize(loss, step, name="train")
    v1.summary.scalar("loss", loss)
    v1.summary.histogram("logits", logits)
    v1.summary.image("pictures", tf.reshape(x, [-1, 28, 28, 1]), 2)
    v1.summary.merge_all()
    average = tf.train.ExponentialMovingAverage(0.9, step)
    with tf.control_dependencies([train]):
        train = tf.group(average.apply(v1.trainable_variables()), name="train_and_average")
    v1.add_to_collection("inputs", x)
    v1.add_to_collection("outputs", probabilities)
    v1.global_variables_initializer()
    saver = v1.train.Saver(max_to_keep=3)
    pictures, classes = digits()
    random = np.random.default_rng(0)
    feeds = {x: pictures[:16], labels: classes[:16]}
    with session() as s:
        s.run("init")
        for number in range(1, 61):
            chosen = random.integers(0, 1500, 50)
            s.run(train, {x: pictures[chosen], labels: classes[chosen], keep: 0.7})
            if number % 20 == 0:
                saver.save(s, str(out / "model.ckpt"), global_step=step)
        v1.train.Saver(write_version=v1.train.SaverDef.V1).save(
            s, str(out / "v1.ckpt"), write_meta_graph=False, latest_filename="checkpoint_v1"
        )
        tf.io.write_graph(s.graph_def, str(out), "graph.pb", as_text=False)
        tf.io.write_graph(s.graph_def, str(out), "graph.pbtxt", as_text=True)
        frozen = v1.graph_util.convert_variables_to_constants(s, s.graph_def, ["probabilities", "logits"])
        (out / "frozen.pb").write_bytes(frozen.SerializeToString(deterministic=True))
        answers = s.run([probabilities, logits, loss, accuracy], feeds)
    assert answers[3] > 0.7, answers[3]
    names = ["probabilities:0", "logits:0", "loss:0", "accuracy:0"]
    case = Case({t.name: value for t, value in feeds.items()}, dict(zip(names, answers, strict=True)))
    return {"": Case({"x:0": pictures[:16]}, {n: case.outputs[n] for n in names[:2]}), "loss": case}


@old
def queues(out: Path) -> dict[str, Case]:
    """A classifier behind an input pipeline: file names, a TFRecord reader, Example parsing, decoding, two queues.

    Cut at `batch:0` to run it. `model.ckpt-5` with `.meta`; `digits.tfrecord`; `graph.pb`.
    """
    pictures, classes = digits()
    with tf.io.TFRecordWriter(str(out / "digits.tfrecord")) as writer:
        for picture, label in zip(pictures[:200], classes[:200], strict=True):
            raw = (picture * 255).astype(np.uint8).tobytes()
            feature = {
                "picture": tf.train.Feature(bytes_list=tf.train.BytesList(value=[raw])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    names = v1.train.string_input_producer(["digits.tfrecord"], seed=1)
    _, record = v1.TFRecordReader().read(names)
    parsed = v1.parse_single_example(
        record, {"picture": v1.FixedLenFeature([], tf.string), "label": v1.FixedLenFeature([], tf.int64)}
    )
    decoded = tf.reshape(v1.decode_raw(parsed["picture"], tf.uint8), [784])
    picture = tf.cast(decoded, tf.float32) / 255.0
    batch, labels = v1.train.shuffle_batch([picture, parsed["label"]], 32, 500, 100, seed=2)
    batch = tf.identity(batch, name="batch")
    x, label = v1.train.batch([batch, labels], 1, enqueue_many=False, name="prefetch")
    logits = tf.identity(classifier(tf.reshape(x, [-1, 784]), 0.9), name="logits")
    loss = tf.reduce_mean(
        v1.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.reshape(label, [-1]), logits=logits), name="loss"
    )
    v1.train.MomentumOptimizer(0.01, 0.9).minimize(loss, v1.train.get_or_create_global_step(), name="train")
    # What serving needs, with names of its own: the same variables on a placeholder.
    v1.get_variable_scope().reuse_variables()
    fed = v1.placeholder(tf.float32, [None, 784], name="serve/x")
    tf.nn.softmax(classifier(fed, v1.placeholder_with_default(1.0, [], name="serve/keep")), name="serve/probabilities")
    saver = v1.train.Saver()
    with session() as s:
        s.run(v1.global_variables_initializer())
        saver.save(s, str(out / "model.ckpt"), global_step=5)
        tf.io.write_graph(s.graph_def, str(out), "graph.pb", as_text=False)
        answer = s.run("serve/probabilities:0", {fed: pictures[:8]})
        # Dropout is left of the answer at the cut, so the cut is below it: the convolutions.
        cut = s.run("fc1/Relu:0", {x: pictures[None, :32]})
    return {
        "": Case({"serve/x:0": pictures[:8]}, {"serve/probabilities:0": answer}),
        "cut": Case({x.name: pictures[None, :32]}, {"fc1/Relu:0": cut}),
    }


@old
def batch_norms(out: Path) -> dict[str, Case]:
    """Batch norm of every age, one after the other on one picture; `model.ckpt`, `.meta`, `frozen.pb`, `graph.pb`.

    BatchNormWithGlobalNormalization (GraphDef version 8), the decomposed form, FusedBatchNorm V1 to V3 in NHWC,
    layers.batch_normalization with a training placeholder (`tf.cond`) and its moving-average updates.
    """
    x = v1.placeholder(tf.float32, [None, 12, 12, 4], name="x")
    training = v1.placeholder_with_default(False, [], name="training")

    def numbers(name: str, low: float, high: float) -> Any:
        return v1.get_variable(name, [4], initializer=v1.random_uniform_initializer(low, high))

    def statistics(name: str) -> list[Any]:
        with v1.variable_scope(name):
            return [
                numbers("mean", -0.5, 0.5),
                numbers("variance", 0.5, 2),
                numbers("beta", -1, 1),
                numbers("gamma", 0.5, 2),
            ]

    mean, variance, beta, gamma = statistics("decomposed")
    y = tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3, name="decomposed/norm")
    mean, variance, beta, gamma = statistics("bare")
    y = tf.nn.batch_normalization(tf.nn.relu(y), mean, variance, None, None, 1e-3, name="bare/norm")
    mean, variance, beta, gamma = statistics("fused")
    y = gen_nn_ops._fused_batch_norm(
        y, gamma, beta, mean, variance, epsilon=1e-3, is_training=False, name="fused/norm"
    ).y
    mean, variance, beta, gamma = statistics("fused2")
    y = gen_nn_ops.fused_batch_norm_v2(
        y, gamma, beta, mean, variance, epsilon=0.01, is_training=False, name="fused2/norm"
    ).y
    y = conv(y, 4, 3, "conv")
    y = v1.layers.batch_normalization(y, training=training, name="layer", fused=True, epsilon=2e-3, momentum=0.9)
    y = v1.layers.batch_normalization(y, training=training, name="plain", fused=False)
    mean, variance, beta, gamma = statistics("global")
    joined = tf.identity(tf.tanh(y), name="joined")
    with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
        tf.no_op("update")
    saver = v1.train.Saver()
    with session() as s:
        s.run(v1.global_variables_initializer())
        random = np.random.default_rng(4)
        for _ in range(10):
            s.run("update", {x: random.normal(0.5, 2, (8, 12, 12, 4)), training: True})
        saver.save(s, str(out / "model.ckpt"))
        tf.io.write_graph(s.graph_def, str(out), "graph.pb", as_text=False)
        frozen = v1.graph_util.convert_variables_to_constants(
            s, s.graph_def, ["joined", *(f"global/{n}/read" for n in ("mean", "variance", "beta", "gamma"))]
        )
        value = random.normal(0.5, 2, (3, 12, 12, 4)).astype(np.float32)
        answer = s.run(joined, {x: value})
    # The oldest op is refused by GraphDefs of version 9 and later, so it is put into a frozen graph of version 8.
    last = frozen.node.add(name="result", op="BatchNormWithGlobalNormalization")
    last.input.extend(["joined", *(f"global/{n}/read" for n in ("mean", "variance", "beta", "gamma"))])
    last.attr["T"].type = 1
    last.attr["variance_epsilon"].f = 1e-3
    last.attr["scale_after_normalization"].b = True
    frozen.versions.producer = 8
    (out / "frozen.pb").write_bytes(frozen.SerializeToString(deterministic=True))
    with tf.Graph().as_default():
        tf.import_graph_def(frozen, name="")
        with session() as s:
            result = s.run("result:0", {"x:0": value})
    return {
        "": Case({"x:0": value}, {"joined:0": answer}),
        "frozen": Case({"x:0": value}, {"result:0": result, "joined:0": answer}),
    }


@old
def partitioned(out: Path) -> dict[str, Case]:
    """Variables in parts: an embedding of 10 rows in 3, a matrix in 2 by columns; `model.ckpt-7`, `.meta`, `v1.ckpt`.

    The checkpoint holds slices of `embedding` and `matrix`.
    """
    ids = v1.placeholder(tf.int32, [None], name="ids")
    with v1.variable_scope("net", partitioner=v1.fixed_size_partitioner(3)):
        table = v1.get_variable("embedding", [10, 6], initializer=v1.random_normal_initializer())
    with v1.variable_scope("net", partitioner=v1.fixed_size_partitioner(2, axis=1)):
        matrix = v1.get_variable("matrix", [6, 5], initializer=v1.random_normal_initializer())
    vectors = tf.nn.embedding_lookup(table, ids, name="vectors")
    result = tf.identity(tf.matmul(vectors, tf.convert_to_tensor(matrix)), name="result")
    saver = v1.train.Saver()
    with session() as s:
        s.run(v1.global_variables_initializer())
        saver.save(s, str(out / "model.ckpt"), global_step=7)
        v1.train.Saver(write_version=v1.train.SaverDef.V1).save(
            s, str(out / "v1.ckpt"), write_meta_graph=False, latest_filename="checkpoint_v1"
        )
        whole = {
            "net/embedding": np.concatenate(s.run(list(table))),
            "net/matrix": np.concatenate(s.run(list(matrix)), 1),
        }
        values = np.array([0, 9, 4, 4, 7], np.int32)
        answer = s.run([result, vectors], {ids: values})
    return {
        "": Case({"ids:0": values}, {"result:0": answer[0], vectors.name: answer[1]}),
        "variables": Case({}, whole),
    }


@old
def tables(out: Path) -> dict[str, Case]:
    """Hash tables of both ages: HashTable (ref) and HashTableV2, from tensors and from `words.txt`, and back to words.

    `model.ckpt`, `.meta` with the table initialisers as a collection, `words.txt` as an asset, `frozen.pb`.
    """
    from tensorflow.python.ops import gen_lookup_ops as lookup

    words = ["the", "cat", "sat", "on", "mat", "größe"]
    os.chdir(out)  # the path in the graph is a relative one: the asset lies beside the graph
    Path("words.txt").write_text("\n".join(words) + "\n", "utf-8")
    asset = tf.constant("words.txt", name="words_file")
    v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
    text = v1.placeholder(tf.string, [None], name="text")
    from_file = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        ),
        2,
    )
    ids = tf.identity(from_file.lookup(text), name="ids")
    weights = v1.get_variable("weights", [8, 3], initializer=v1.random_normal_initializer())
    vectors = tf.identity(tf.nn.embedding_lookup(weights, ids), name="vectors")
    # As of 2016: a reference to a table, initialised from tensors.
    back = lookup.hash_table(tf.int64, tf.string, shared_name="back", name="back")
    filled = lookup.initialize_table(
        back, tf.constant([0, 1, 2], tf.int64), tf.constant([b"first", b"second", b"third"]), name="back_init"
    )
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, filled)
    best = tf.argmax(vectors, 1, name="best")
    names = tf.identity(lookup.lookup_table_find(back, best, tf.constant(b"?"), name="find"), name="names")
    lookup.lookup_table_size(back, name="size")
    v1.tables_initializer(name="init_tables")
    saver = v1.train.Saver()
    with session() as s:
        s.run([v1.global_variables_initializer(), "init_tables"])
        saver.save(s, str(out / "model.ckpt"))
        frozen = v1.graph_util.convert_variables_to_constants(
            s, s.graph_def, ["names", "vectors", "ids", "init_tables"]
        )
        (out / "frozen.pb").write_bytes(frozen.SerializeToString(deterministic=True))
        value = np.array([b"cat", b"mat", b"dog", "größe".encode(), b"the", b""], dtype=object)
        fetched = [names, vectors, ids]
        answers = s.run(fetched, {text: value})
    return {"": Case({"text:0": value}, dict(zip([t.name for t in fetched], answers, strict=True)))}


def lstm_cell(units: int, name: str) -> Any:
    """BasicLSTMCell in the variables and ops of TF1."""
    from tf_keras.src.layers.rnn import legacy_cells

    return legacy_cells.BasicLSTMCell(units, name=name)


@old
def loops(out: Path) -> dict[str, Case]:
    """TF1 control flow: dynamic_rnn with lengths, both directions, while loops inside a cond and the reverse, map_fn,
    scan, case, a variable read and changed in a loop; `model.ckpt`, `.meta`, `frozen.pb`, `graph.pb`.
    """
    x = v1.placeholder(tf.float32, [None, None, 5], name="x")
    lengths = v1.placeholder(tf.int32, [None], name="lengths")
    flag = v1.placeholder_with_default(True, [], name="flag")
    with v1.variable_scope("rnn_net", initializer=v1.random_uniform_initializer(-0.4, 0.4)):
        forward, state = v1.nn.dynamic_rnn(lstm_cell(7, "basic_lstm_cell"), x, lengths, dtype=tf.float32)
        both, _ = v1.nn.bidirectional_dynamic_rnn(
            lstm_cell(4, "forward"), lstm_cell(4, "backward"), x, lengths, dtype=tf.float32, time_major=False
        )
    outputs = {"outputs": forward, "state_c": state.c, "both": tf.concat(both, 2)}

    total = tf.reduce_sum(x, [1, 2])

    def halve(value: Any) -> Any:
        return v1.while_loop(
            lambda i, v: tf.logical_and(i < 20, tf.reduce_max(tf.abs(v)) > 0.5),
            lambda i, v: (i + 1, v * 0.5),
            [0, value],
        )

    steps, halved = v1.cond(flag, lambda: halve(total), lambda: (tf.constant(-1), -total))
    outputs["steps"], outputs["halved"] = steps, halved

    def body(i: Any, values: Any) -> Any:
        odd = tf.equal(i % 2, 1)
        return i + 1, v1.cond(odd, lambda: values + tf.cast(i, tf.float32), lambda: tf.sin(values))

    outputs["alternating"] = v1.while_loop(lambda i, _: i < 5, body, [0, total], parallel_iterations=3)[1]

    def outer(i: Any, values: Any) -> Any:
        inner = v1.while_loop(lambda j, _: j < i, lambda j, v: (j + 1, v * 1.1 + tf.cast(j, tf.float32)), [0, values])
        return i + 1, inner[1]

    outputs["nested"] = v1.while_loop(lambda i, _: i < 4, outer, [0, total])[1]
    outputs["mapped"] = v1.map_fn(lambda row: tf.reduce_max(row, 0) - tf.reduce_min(row, 0), x)
    outputs["scanned"] = v1.scan(lambda a, row: a * 0.5 + row, tf.transpose(x, [1, 0, 2]))
    grown = v1.while_loop(
        lambda i, _: i < 3,
        lambda i, v: (i + 1, tf.concat([v, v[:, :1] + 1.0], 1)),
        [0, x[:, 0, :2]],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None])],
    )[1]
    outputs["grown"] = grown
    outputs["chosen"] = v1.case(
        [(steps > 15, lambda: total * 2.0), (steps > 3, lambda: total * 3.0)],
        default=lambda: total * 5.0,
        exclusive=False,
    )
    factor = v1.get_variable("factor", [], initializer=v1.constant_initializer(1.5))
    outputs["scaled"] = v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * factor), [0, total])[1]
    outputs = {name: tf.identity(value, name=name) for name, value in outputs.items()}
    saver = v1.train.Saver()
    with session() as s:
        s.run(v1.global_variables_initializer())
        saver.save(s, str(out / "model.ckpt"))
        tf.io.write_graph(s.graph_def, str(out), "graph.pb", as_text=False)
        frozen = v1.graph_util.convert_variables_to_constants(s, s.graph_def, list(outputs))
        (out / "frozen.pb").write_bytes(frozen.SerializeToString(deterministic=True))
        random = np.random.default_rng(9)
        feeds = {x: random.normal(0.3, 1, (4, 6, 5)).astype(np.float32), lengths: np.array([6, 2, 0, 4], np.int32)}
        cases = {}
        for key, value in (("", True), ("flag off", False)):
            answers = s.run(list(outputs.values()), {**feeds, flag: value})
            given = {**{t.name: v for t, v in feeds.items()}, "flag:0": np.array(value)}
            cases[key] = Case(given, dict(zip((t.name for t in outputs.values()), answers, strict=True)))
    return cases


@old
def model_dir(out: Path) -> dict[str, Case]:
    """What an Estimator leaves behind: `graph.pbtxt`, `model.ckpt-0` and `-30` with `.meta`, `checkpoint`, events."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    y = v1.placeholder(tf.float32, [None, 1], name="y")
    result = tf.identity(dense(dense(x, 8, "hidden", tf.nn.tanh), 1, "output"), name="result")
    loss = v1.losses.mean_squared_error(y, result)
    train = v1.train.AdagradOptimizer(0.3).minimize(loss, v1.train.get_or_create_global_step())
    v1.summary.scalar("loss", loss)
    random = np.random.default_rng(2)
    values = random.normal(size=(64, 4)).astype(np.float32)
    wanted = np.sin(values.sum(1, keepdims=True)).astype(np.float32)
    with v1.train.MonitoredTrainingSession(
        checkpoint_dir=str(out), save_checkpoint_steps=30, save_summaries_steps=10, log_step_count_steps=None
    ) as s:
        for _ in range(30):
            s.run(train, {x: values, y: wanted})
        answer = s.run_step_fn(lambda step_context: step_context.session.run(result, {x: values[:5]}))
    return {"": Case({"x:0": values[:5]}, {"result:0": answer})}


@old
def saved_model(out: Path) -> dict[str, Case]:
    """A TF1 SavedModel with ref variables: the tag sets `serve` and `serve,train`, three signatures, an asset, a table.

    `binary/` holds `saved_model.pb`, `text/` the same as `saved_model.pbtxt`.
    """
    words = out / "classes.txt"
    words.write_text("zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n")
    x = v1.placeholder(tf.float32, [None, 784], name="x")
    keep = v1.placeholder_with_default(1.0, [], name="keep")
    logits = tf.identity(classifier(x, keep), name="logits")
    asset = tf.constant(str(words), name="classes_file")
    v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            asset, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE
        ),
        "?",
    )
    scores, best = tf.nn.top_k(tf.nn.softmax(logits), 3, name="top")
    names = tf.identity(table.lookup(tf.cast(best, tf.int64)), name="names")
    info = v1.saved_model.build_tensor_info

    def signature(inputs: dict[str, Any], outputs: dict[str, Any], method: str) -> Any:
        built = ({name: info(tensor) for name, tensor in side.items()} for side in (inputs, outputs))
        return v1.saved_model.build_signature_def(*built, method)

    signatures = {
        "serving_default": signature({"x": x}, {"scores": scores, "names": names}, "tensorflow/serving/predict"),
        "classify": signature({"inputs": x}, {"classes": names, "scores": scores}, "tensorflow/serving/classify"),
        "logits": signature({"x": x, "keep": keep}, {"logits": logits}, "tensorflow/serving/predict"),
    }
    pictures, _ = digits()
    with session() as s:
        s.run([v1.global_variables_initializer(), v1.tables_initializer()])
        for folder, as_text in (("binary", False), ("text", True)):
            builder = v1.saved_model.Builder(str(out / folder))
            builder.add_meta_graph_and_variables(
                s, ["serve"], signatures, assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
                main_op=v1.tables_initializer(name=f"main_{folder}"), strip_default_attrs=True,
            )  # fmt: skip
            builder.add_meta_graph(["serve", "train"], {"logits": signatures["logits"]})
            builder.save(as_text=as_text)
            v1.get_default_graph().clear_collection("saved_model_main_op")
        answers = s.run([scores, names, logits], {x: pictures[:6]})
    return {
        "serving_default": Case({"x": pictures[:6]}, {"scores": answers[0], "names": answers[1]}),
        "classify": Case({"inputs": pictures[:6]}, {"classes": answers[1], "scores": answers[0]}),
        "logits": Case({"x": pictures[:6], "keep": np.float32(1)}, {"logits": answers[2]}),
    }


@old
def resource_variables(out: Path) -> dict[str, Case]:
    """The same training graph as TF1.15 wrote it with resource variables; `model.ckpt-1`, `.meta`, `frozen.pb`."""
    v1.enable_resource_variables()
    x = v1.placeholder(tf.float32, [None, 6], name="x")
    y = v1.placeholder(tf.float32, [None, 2], name="y")
    result = tf.identity(dense(dense(x, 9, "a", tf.nn.relu), 2, "b"), name="result")
    table = v1.get_variable("table", [5, 2], initializer=v1.random_normal_initializer())
    ids = v1.placeholder(tf.int64, [None], name="ids")
    joined = tf.add(result, tf.nn.embedding_lookup(table, ids), name="joined")
    loss = v1.losses.mean_squared_error(y, joined)
    v1.train.RMSPropOptimizer(0.01, momentum=0.5).minimize(loss, v1.train.get_or_create_global_step(), name="train")
    saver = v1.train.Saver()
    random = np.random.default_rng(8)
    values = random.normal(size=(5, 6)).astype(np.float32)
    with session() as s:
        s.run(v1.global_variables_initializer())
        s.run("train", {x: values, y: values[:, :2], ids: [0, 1, 2, 3, 4]})
        saver.save(s, str(out / "model.ckpt"), global_step=1)
        tf.io.write_graph(s.graph_def, str(out), "graph.pb", as_text=False)
        frozen = v1.graph_util.convert_variables_to_constants(s, s.graph_def, ["joined"])
        (out / "frozen.pb").write_bytes(frozen.SerializeToString(deterministic=True))
        feeds = {x: values, ids: np.array([4, 0, 0, 2, 3])}
        answer = s.run(joined, feeds)
    return {"": Case({t.name: v for t, v in feeds.items()}, {"joined:0": answer})}
