"""Checkpoints of sessions beside those of TensorFlow's Saver, in every form that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.checkpoint import checkpoint_management

import cryograph as cg
from cryograph.base.errors import RefusedError
from tests.conformance.program.oracle import behaviour

from .graphs import v1


def build(resources: bool, partitioned: bool = False) -> dict[str, Any]:
    """Some variables; of two devices, so that sharded savers write two shards."""
    with v1.device("/cpu:0"):
        v1.get_variable("a", initializer=[[1.0, 2.0], [3.0, 4.0]])
        v1.get_variable("step", initializer=tf.constant(5, tf.int64), trainable=False)
    with v1.device("/job:localhost/cpu:0"):
        v1.get_variable("words", initializer=tf.constant(["x", "yz"]), use_resource=resources)
        if partitioned:
            v1.get_variable(
                "parts",
                [5, 3],
                initializer=v1.random_uniform_initializer(seed=3),
                partitioner=v1.fixed_size_partitioner(2),
            )
    return {v.op.name: v for v in v1.global_variables()}


class Both:
    """One graph, with a session of each."""

    def __init__(self, folder: Path, resources: bool, partitioned: bool = False, **how: Any) -> None:
        with behaviour(1, resources), tf.Graph().as_default() as self.graph:
            self.variables = build(resources, partitioned)
            self.saver = v1.train.Saver(v1.global_variables(), save_relative_paths=True, **how)
            self.theirs = v1.Session(graph=self.graph)
            self.theirs.run(v1.global_variables_initializer())
            self.prefix = self.saver.save(self.theirs, str(folder / "theirs" / "model"), 1)
            self.meta = checkpoint_management.meta_graph_filename(self.prefix)
            self.ours = cg.load(self.meta, weights=self.prefix).session("numpy")

    def compare(self) -> None:
        for name, value in self.theirs.run(self.variables).items():
            assert np.asarray(self.ours.value(name)).tolist() == value.tolist()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "theirs").mkdir()
    return tmp_path


def files(folder: Path, but: str = ".meta") -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.endswith(but)}


@pytest.mark.parametrize("partitioned", [False, True])
@pytest.mark.parametrize("resources", [False, True])
def test_the_same_files_are_written(folder: Path, resources: bool, partitioned: bool) -> None:
    both = Both(folder, resources, partitioned)
    both.compare()
    assert both.ours.save(folder / "ours" / "model", 1) == str(folder / "ours" / "model-1")
    ours, theirs = files(folder / "ours"), files(folder / "theirs")
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - {"checkpoint"}:
        assert ours[name] == theirs[name], name
    state = v1.train.get_checkpoint_state(str(folder / "ours"))
    assert state.model_checkpoint_path == str(folder / "ours" / "model-1")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(folder / "ours" / "model-1.meta")).restore(session, str(folder / "ours/model-1"))
        for variable in v1.global_variables():
            value = session.run(variable)
            assert value.tolist() == both.theirs.run(both.variables[variable.op.name]).tolist()


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("resources", [False, True])
def test_ops_of_savers_save_and_restore(folder: Path, resources: bool, version: int, sharded: bool) -> None:
    both = Both(folder, resources, True, write_version=version, sharded=sharded)
    names = both.saver.saver_def
    path = str(folder / "fed" / "model")
    (folder / "fed").mkdir()
    written = both.ours.run(names.save_tensor_name, {names.filename_tensor_name: path})
    assert written.decode().startswith(path)
    expected = both.theirs.run(both.variables)
    with both.graph.as_default():
        for variable in both.variables.values():
            both.theirs.run(variable.assign(tf.zeros_like(variable)) if variable.dtype != tf.string else [])
    both.theirs.run(names.restore_op_name, {names.filename_tensor_name: written.decode()})
    for name, value in both.theirs.run(both.variables).items():
        assert value.tolist() == expected[name].tolist()
    both.ours.assign("a", np.zeros((2, 2), np.float32))
    for given in (written.decode(), both.prefix):
        both.ours.run(names.restore_op_name, {names.filename_tensor_name: given})
        both.compare()
    with pytest.raises(RefusedError):
        both.ours.run(names.restore_op_name)
    both.ours.assign("a", np.zeros((2, 2), np.float32))
    both.ours.restore(both.prefix)
    both.compare()


def test_the_same_checkpoints_are_kept(folder: Path) -> None:
    both = Both(folder, True, max_to_keep=2)
    for step in range(1, 5):
        with both.graph.as_default():
            both.saver.save(both.theirs, str(folder / "theirs" / "model"), step)
        both.ours.save(folder / "ours" / "model", step, max_to_keep=2)
    assert sorted(p.name for p in (folder / "ours").iterdir()) == sorted(p.name for p in (folder / "theirs").iterdir())
    states = [v1.train.get_checkpoint_state(str(folder / name)) for name in ("ours", "theirs")]
    ours, theirs = ([Path(p).name for p in state.all_model_checkpoint_paths] for state in states)
    assert ours == theirs == ["model-3", "model-4"]


def test_tables_are_saved_with_the_variables(folder: Path) -> None:
    with behaviour(1, True), tf.Graph().as_default():
        table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1, name="table")
        keys = v1.placeholder(tf.string, [None], "keys")
        inserted = table.insert(keys, tf.strings.to_number(keys, tf.int64), name="insert")
        found = tf.identity(table.lookup(keys), "found")
        v1.get_variable("a", initializer=1.0)
        v1.add_to_collection(v1.GraphKeys.SAVEABLE_OBJECTS, _saveable(table))
        saver = v1.train.Saver()
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(inserted, {keys: ["7", "8"]})
            prefix = saver.save(session, str(folder / "theirs" / "model"))
            with cg.load(f"{prefix}.meta").session("numpy") as ours:
                assert ours.run(found.name, {keys.name: ["8", "9"]}).tolist() == [8, -1]
                ours.restore(prefix)
                assert ours.run(found.name, {keys.name: ["8", "9"]}).tolist() == [8, -1]
                ours.run(inserted.name, {keys.name: ["9"]})
                path = ours.save(folder / "ours" / "model")
            saver.restore(session, path)
            assert session.run(found, {keys: ["9", "7", "1"]}).tolist() == [9, 7, -1]


def _saveable(table: Any) -> Any:
    from tensorflow.python.training.saving.saveable_object_util import saveable_objects_for_op

    return next(iter(saveable_objects_for_op(table, table.name)))
