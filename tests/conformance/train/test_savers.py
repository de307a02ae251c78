"""Checkpoints of sessions beside those of TensorFlow's Saver, in every form that it writes."""

from __future__ import annotations

import time
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
def test_shards_and_versions_are_those_of_the_saver(folder: Path, version: int, sharded: bool) -> None:
    """Files and the `checkpoint` file byte for byte, while old ones are removed; TensorFlow restores them."""
    both = Both(folder, False, True, write_version=version, sharded=sharded, max_to_keep=2)
    for step in (1, 2, 3):
        if step > 1:
            with both.graph.as_default():
                both.saver.save(both.theirs, str(folder / "theirs" / "model"), step)
        written = both.ours.save(folder / "ours" / "model", step, max_to_keep=2)
    both.ours.save(folder / "ours" / "beside", write_meta_graph=False)
    both.ours.save(folder / "ours" / "model", 3, max_to_keep=2)
    ours, theirs = files(folder / "ours"), files(folder / "theirs")
    beside = [name for name in ours if name.startswith("beside")]
    assert len(beside) == {(1, False): 1, (1, True): 2, (2, False): 2, (2, True): 3}[version, sharded]
    assert ours.keys() - set(beside) == theirs.keys()
    for name in theirs:
        assert ours[name] == theirs[name], name
    assert len(list((folder / "ours").glob("*.meta"))) == 2
    latest = tf.train.latest_checkpoint(str(folder / "ours"))
    assert latest == cg.latest_checkpoint(folder / "ours") == written
    expected = both.theirs.run(both.variables)
    with both.graph.as_default():
        both.theirs.run(both.variables["a"].assign(tf.zeros([2, 2])))
        both.saver.restore(both.theirs, written)
    for name, value in both.theirs.run(both.variables).items():
        assert value.tolist() == expected[name].tolist()
    both.ours.assign("a", np.zeros((2, 2), np.float32))
    both.ours.restore(folder / "theirs")
    both.compare()


@pytest.mark.parametrize("hours", [[0.5] * 8, [1.9, 0.2, 1.1, 0.8, 0.1, 0.1, 3.5, 0.4, 0.4], [2.5, 0.1, 0.1, 0.1, 0.1]])
def test_those_of_each_hour_are_kept_for_good(
    folder: Path, hours: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1e9]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    both = Both(folder, True, max_to_keep=2, keep_checkpoint_every_n_hours=1)
    how: dict[str, Any] = {"max_to_keep": 2, "keep_checkpoint_every_n_hours": 1, "write_meta_graph": False}
    both.ours.save(folder / "ours" / "model", 1, **how)
    for step, passed in enumerate(hours, 2):
        clock[0] += passed * 3600 + 1
        both.ours.save(folder / "ours" / "model", step, **how)
        with both.graph.as_default():
            both.saver.save(both.theirs, str(folder / "theirs" / "model"), step, write_meta_graph=False)
    ours, theirs = files(folder / "ours"), files(folder / "theirs")
    assert ours.keys() == theirs.keys()
    assert ours["checkpoint"] == theirs["checkpoint"]


def test_what_others_saved_stays(folder: Path) -> None:
    """TensorFlow's Saver removes only what it has written itself, and lists only that."""
    both = Both(folder, True)
    for step in range(2, 8):
        with both.graph.as_default():
            both.saver.save(both.theirs, str(folder / "theirs" / "model"), step)
    before = files(folder / "theirs").keys()
    both.ours.save(folder / "theirs" / "model", 8, max_to_keep=1)
    state = (folder / "theirs" / "checkpoint").read_bytes()
    assert before < files(folder / "theirs").keys()
    with both.graph.as_default():
        fresh = v1.train.Saver(v1.global_variables(), save_relative_paths=True, max_to_keep=1)
        fresh.save(both.theirs, str(folder / "theirs" / "model"), 8)
    assert (folder / "theirs" / "checkpoint").read_bytes() == state


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
