"""Sessions of SavedModels and MetaGraphs: what is initialised as they start, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import cryograph as cg
from cryograph.base.errors import MissingWeightsError
from tests.conformance.program.oracle import behaviour

from .graphs import v1


@pytest.mark.parametrize("resources", [False, True])
def test_the_main_op_of_a_saved_model_is_run(tmp_path: Path, resources: bool) -> None:
    words = tmp_path / "words.txt"
    words.write_text("red\ngreen\nblue\n")
    with behaviour(1, resources), tf.Graph().as_default():
        text = v1.placeholder(tf.string, [None], "text")
        start = tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        table = tf.lookup.StaticHashTable(start, -1)
        weights = v1.get_variable("weights", initializer=[1.0, 2.0, 3.0])
        seen = v1.get_variable("seen", initializer=0, collections=[v1.GraphKeys.LOCAL_VARIABLES], trainable=False)
        found = tf.gather(weights, tf.maximum(table.lookup(text), 0), name="found")
        count = v1.assign_add(seen, tf.size(text), name="count")
        with v1.Session() as session:
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            v1.saved_model.simple_save(
                session,
                str(tmp_path / "model"),
                {"text": text},
                {"found": found},
                legacy_init_op=tf.group(v1.local_variables_initializer(), v1.tables_initializer()),
            )
    with cg.load(tmp_path / "model").session() as ours:
        for _ in range(2):
            assert ours.run(found.name, {text.name: ["blue", "green", "?"]}).tolist() == [3, 2, 1]
        ours.run(count.op.name, {text.name: ["blue", "green", "?"]})
        assert ours.value("seen") == 3
    with (
        cg.load(tmp_path / "model").session(initialize=False) as ours,
        pytest.raises(MissingWeightsError, match="'seen'"),
    ):
        ours.run(count.op.name, {text.name: ["blue"]})


def test_a_bare_meta_graph_waits_for_its_initialisers(tmp_path: Path) -> None:
    with behaviour(1, False), tf.Graph().as_default() as graph:
        v = v1.get_variable("v", initializer=[1.0, 2.0])
        shadow = v1.get_variable("shadow", initializer=v1.get_variable("w", initializer=4.0).initialized_value() * 2.0)
        average = v1.train.ExponentialMovingAverage(0.5)
        with tf.control_dependencies([average.apply([v])]):
            train = v1.assign_add(v, [1.0, 1.0]).op
        init = v1.global_variables_initializer()
        left = v1.report_uninitialized_variables()
        known = v1.is_variable_initialized(v)
        v1.train.export_meta_graph(str(tmp_path / "bare.meta"))
        with v1.Session(graph=graph) as theirs, cg.load(tmp_path / "bare.meta").session() as ours:
            assert sorted(ours.run(left.name)) == sorted(theirs.run(left))
            assert ours.run(known.name) == theirs.run(known) == False  # noqa: E712 # of numpy
            with pytest.raises(tf.errors.FailedPreconditionError):
                theirs.run(train)
            with pytest.raises(MissingWeightsError):
                ours.run(train.name)
            theirs.run(init)
            ours.run(init.name)
            assert ours.run(left.name).tolist() == theirs.run(left).tolist() == []
            assert ours.run(known.name)
            assert ours.run(shadow.name) == theirs.run(shadow) == 8
            for _ in range(3):
                theirs.run(train)
                ours.run(train.name)
            for variable in v1.global_variables():
                np.testing.assert_allclose(ours.run(variable.name), theirs.run(variable), rtol=1e-6)


class Trainer(tf.Module):
    """A model of TF2 that saves its step of training."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(tf.ones([3, 1]))
        self.count = tf.Variable(0, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None, 1])])
    def step(self, x: Any, y: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.matmul(x, self.w) - y))
        gradient = tape.gradient(loss, self.w)
        for turn in tf.range(3):
            self.w.assign_sub(0.05 / (1.0 + tf.cast(turn, tf.float32)) * gradient)
        self.count.assign_add(1)
        return {"loss": loss}

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def guess(self, x: Any) -> dict[str, Any]:
        return {"guess": tf.matmul(x, self.w)}


def test_a_step_that_tf2_saved_is_run(tmp_path: Path) -> None:
    theirs = Trainer()
    tf.saved_model.save(theirs, str(tmp_path), signatures={"step": theirs.step, "guess": theirs.guess})
    model = cg.load(tmp_path)
    step, guess = model.signature("step"), model.signature("guess")
    rng = np.random.default_rng(0)
    with model.session("numpy") as ours:
        for _ in range(5):
            x, y = rng.normal(size=(4, 3)).astype("f"), rng.normal(size=(4, 1)).astype("f")
            feeds = {step.inputs["x"].tensor: x, step.inputs["y"].tensor: y}
            loss = ours.run(step.outputs["loss"].tensor, feeds)
            np.testing.assert_allclose(loss, theirs.step(x, y)["loss"], rtol=1e-5)
            answer = ours.run(guess.outputs["guess"].tensor, {guess.inputs["x"].tensor: x})
            np.testing.assert_allclose(answer, theirs.guess(x)["guess"], rtol=1e-5)
        path = ours.save(tmp_path / "ours" / "model", write_meta_graph=False)
    fresh = Trainer()
    tf.train.Checkpoint(w=fresh.w, count=fresh.count).restore(path).expect_partial()
    np.testing.assert_allclose(fresh.w, theirs.w, rtol=1e-5)
    assert int(fresh.count) == 5


class Words(tf.Module):
    """A table of TF2 that its checkpoint holds."""

    def __init__(self) -> None:
        super().__init__()
        self.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        self.seen = tf.Variable(0, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def find(self, words: Any) -> dict[str, Any]:
        return {"found": self.table.lookup(words)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def add(self, words: Any) -> dict[str, Any]:
        self.table.insert(words, tf.cast(tf.strings.length(words), tf.int64))
        return {"size": self.table.size()}


def test_a_table_of_a_checkpoint_is_restored(tmp_path: Path) -> None:
    theirs = Words()
    theirs.table.insert(["a", "b"], tf.constant([7, 8], tf.int64))
    tf.saved_model.save(theirs, str(tmp_path), signatures={"find": theirs.find, "add": theirs.add})
    model = cg.load(tmp_path)
    find, add = model.signature("find"), model.signature("add")
    words = {find.inputs["words"].tensor: ["b", "three", "a"]}
    with model.session("numpy") as ours:
        assert ours.run(find.outputs["found"].tensor, words).tolist() == [8, -1, 7]
        assert ours.run(add.outputs["size"].tensor, {add.inputs["words"].tensor: ["three"]}) == 3
        assert ours.run(find.outputs["found"].tensor, words).tolist() == [8, 5, 7]
