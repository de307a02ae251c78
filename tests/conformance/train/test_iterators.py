"""Graphs with input pipelines: sessions of ours give the elements that TensorFlow's give, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import cryograph as cg
from cryograph.base.errors import OutOfRangeError, RunError, UnsupportedError
from tests.conformance.program.oracle import behaviour, document_of

from .graphs import v1

Dataset = v1.data.Dataset
ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)


def words() -> Any:
    return Dataset.from_tensor_slices([b"a", b"bcd", b"", b"ef"])


def looked_up() -> Any:
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a", "ef"], [7, 8], value_dtype=tf.int64), -1
    )
    return words().map(table.lookup)


def captured() -> Any:
    scale = tf.constant([2, 3], tf.int64)
    return Dataset.range(3).map(lambda n: n * scale)


def noise(x: Any) -> Any:
    return tf.cast(x, tf.float32) + v1.random_uniform([2], seed=5)


MADE: dict[str, Callable[[], Any]] = {
    "tensors": lambda: Dataset.from_tensors((ROWS, {"a": 3})),
    "slices": lambda: Dataset.from_tensor_slices({"x": ROWS, "y": np.arange(7)}),
    "strings": words,
    "range": lambda: Dataset.range(2, 20, 5),
    "repeat": lambda: Dataset.range(3).repeat(2),
    "batch": lambda: Dataset.from_tensor_slices((ROWS, np.arange(7))).batch(3),
    "batch_drop": lambda: Dataset.range(7).batch(3, drop_remainder=True),
    "padded_batch": lambda: Dataset.range(6).map(lambda n: tf.fill([n], n)).padded_batch(4, [None]),
    "padded_more": lambda: (
        Dataset.range(4).map(lambda n: tf.fill([n], n)).padded_batch(2, [5], tf.constant(-1, tf.int64))
    ),
    "shuffle": lambda: Dataset.range(20).shuffle(6, seed=3),
    "shuffle_all": lambda: Dataset.range(10).shuffle(100, seed=3),
    "shuffle_the_same": lambda: Dataset.range(8).shuffle(4, seed=3, reshuffle_each_iteration=False).repeat(3),
    "shuffle_then_repeat": lambda: Dataset.range(8).shuffle(5, seed=3).repeat(3),
    "repeat_then_shuffle": lambda: Dataset.range(5).repeat(3).shuffle(4, seed=9),
    "shuffle_in_between": lambda: Dataset.range(8).shuffle(5, seed=3).map(lambda n: n * 2).repeat(2).batch(3),
    "map": lambda: Dataset.from_tensor_slices((ROWS, np.arange(7))).map(lambda x, n: (x * 2, {"n": n - 1, "s": x[0]})),
    "map_parallel": lambda: Dataset.range(9).map(lambda n: n * n, num_parallel_calls=4).prefetch(2),
    "map_captured": captured,
    "map_and_batch": lambda: Dataset.range(9).apply(tf.data.experimental.map_and_batch(lambda n: n + 1, 4)),
    "lookup": looked_up,
    "noise": lambda: Dataset.range(5).map(noise),
    "flat_map": lambda: Dataset.range(1, 5).flat_map(lambda n: Dataset.range(n).map(lambda m: m * n)),
    "interleave": lambda: Dataset.range(1, 7).interleave(lambda n: Dataset.range(n * 10, n * 11), 3, 2),
    "filter": lambda: Dataset.range(12).filter(lambda n: tf.equal(n % 3, 1)),
    "take_skip": lambda: Dataset.range(12).skip(3).take(5),
    "zip": lambda: Dataset.zip((Dataset.range(3), words())),
    "concatenate": lambda: Dataset.range(3).concatenate(Dataset.range(9, 11)),
    "cache": lambda: Dataset.range(4).cache().repeat(2),
    "unbatch": lambda: Dataset.range(7).batch(3).unbatch(),
    "shard": lambda: Dataset.range(11).shard(3, 1),
}


CAPTURING = ("lookup", "noise", "map_captured")
"""What TensorFlow makes no iterator of one shot of."""
CASES = [("initializable", name) for name in MADE] + [("one_shot", name) for name in MADE if name not in CAPTURING]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_elements_are_tensorflows(name: str, kind: str) -> None:
    with behaviour(1, True), tf.Graph().as_default() as graph:
        v1.set_random_seed(7)
        dataset = MADE[name]()
        iterator = getattr(v1.data, f"make_{kind}_iterator")(dataset)
        fetched = tf.nest.flatten(iterator.get_next())
        names = [tensor.name for tensor in fetched]
        with v1.Session(graph=graph) as theirs, session_of(graph) as ours:
            theirs.run(v1.tables_initializer())
            for _ in range(2 if kind == "initializable" else 1):
                if kind == "initializable":
                    theirs.run(iterator.initializer)
                    ours.run(iterator.initializer.name)
                while True:
                    try:
                        expected = theirs.run(fetched)
                    except tf.errors.OutOfRangeError:
                        break
                    for a, b in zip(ours.run(names), expected, strict=True):
                        assert np.asarray(a).dtype == np.asarray(b).dtype
                        assert np.asarray(a).tolist() == np.asarray(b).tolist()
                for _ in range(2):
                    with pytest.raises(OutOfRangeError, match="has come to its end"):
                        ours.run(names)


def session_of(graph: Any) -> cg.Session:
    document = document_of(graph.as_graph_def())
    return cg.Model(document.graph, "graph", variables=document.variables).session("numpy")


def test_a_graph_is_trained_from_its_own_pipeline(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with behaviour(1, False), tf.Graph().as_default() as graph:
        v1.set_random_seed(7)
        all_x, all_y = v1.placeholder(tf.float32, [None, 3], "x"), v1.placeholder(tf.float32, [None], "y")
        dataset = Dataset.from_tensor_slices((all_x, all_y)).shuffle(50, seed=1).repeat().batch(8)
        iterator = v1.data.make_initializable_iterator(dataset)
        x, y = iterator.get_next()
        w = v1.get_variable("w", [3], initializer=tf.zeros_initializer())
        loss = tf.reduce_mean(tf.square(tf.linalg.matvec(x, w) - y), name="loss")
        train = v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
        init = tf.group(v1.global_variables_initializer(), iterator.initializer)
        rows = rng.normal(size=(50, 3)).astype("f")
        feeds = {"x:0": rows, "y:0": rows @ np.array([1, -2, 3], np.float32)}
        with v1.Session(graph=graph) as theirs, session_of(graph) as ours:
            ours.run("^w/Assign")
            with pytest.raises(RunError, match=r"has not begun: run 'MakeIterator' first"):
                ours.run("loss")
            theirs.run(init, feeds)
            ours.run(init.name, feeds)
            for _ in range(30):
                expected = theirs.run([loss, train])[0]
                np.testing.assert_allclose(ours.run(["loss", f"^{train.name}"])[0], expected, rtol=1e-4, atol=1e-6)
            fed = {x.name: rows[:4], y.name: feeds["y:0"][:4]}
            np.testing.assert_allclose(ours.run("loss", fed), theirs.run(loss, fed), rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(
                ours.run("loss", {x.name: rows[:8]}), theirs.run(loss, {x.name: rows[:8]}), rtol=1e-4
            )


def test_what_reads_files_is_refused(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        lines = v1.data.TextLineDataset(str(tmp_path / "lines.txt"))
        element = v1.data.make_one_shot_iterator(lines).get_next()
        with session_of(graph) as ours:
            with pytest.raises(UnsupportedError, match=r"TextLineDataset.*Feed what the iterator would give"):
                ours.run(element.name)
            assert ours.run(element.name, {element.name: "line"}) == b"line"
