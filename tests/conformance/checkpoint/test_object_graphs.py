"""Checkpoints of TF2 objects against TensorFlow: attribute paths, slot variables, tables, and the same bytes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from cryograph.formats.checkpoint import Checkpoint, save_checkpoint

from .theirs import assert_same_files

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


class Layer(tf.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.ones([2, 3]) * value, name="kernel")


class Root(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [Layer(1.0), Layer(2.0)]
        self.by_name = {"head": Layer(3.0)}
        self.again = self.layers[0]
        self.step = tf.Variable(3)


def test_attribute_paths(tmp_path: Path) -> None:
    prefix = tf.train.Checkpoint(model=Root()).save(str(tmp_path / "ckpt"))
    read = Checkpoint(prefix)
    paths = read.object_paths
    # The shortest way: again.kernel, not layers.0.kernel.
    assert paths[f"model/again/kernel{VALUE}"] == "model.again.kernel"
    assert paths[f"model/layers/1/kernel{VALUE}"] == "model.layers.1.kernel"
    assert paths[f"model/by_name/head/kernel{VALUE}"] == "model.by_name.head.kernel"
    assert paths[f"save_counter{VALUE}"] == "save_counter"
    assert set(paths) == set(read) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    assert read.object_graph is not None
    assert Checkpoint(tmp_path)["model/step/.ATTRIBUTES/VARIABLE_VALUE"].numpy() == 3


def test_the_same_objects_give_the_same_bytes(tmp_path: Path) -> None:
    """The object graph stands behind the last tensor."""
    prefix = tf.train.Checkpoint(model=Root()).save(str(tmp_path / "ckpt"))
    read = Checkpoint(prefix)
    assert read.layout()[0][-1] == "_CHECKPOINTABLE_OBJECT_GRAPH"
    assert read.object_graph is not None
    tensors = {name: read[name] for name in read.layout()[0][:-1]}
    stored = read["_CHECKPOINTABLE_OBJECT_GRAPH"].numpy().item()
    save_checkpoint(tmp_path / "ours", tensors, object_graph=stored)
    assert_same_files(tmp_path / "ours", Path(prefix))
    save_checkpoint(tmp_path / "parsed", tensors, object_graph=read.object_graph)
    assert Checkpoint(tmp_path / "parsed").object_paths == read.object_paths


def test_tensorflow_restores_ours(tmp_path: Path) -> None:
    prefix = tf.train.Checkpoint(model=Root()).save(str(tmp_path / "ckpt"))
    read = Checkpoint(prefix)
    changed = {n: read[n].numpy() + 1 for n in read if n.endswith(VALUE)}
    ours = save_checkpoint(tmp_path / "ours", changed, shards=2, object_graph=read.object_graph)
    fresh = Root()
    tf.train.Checkpoint(model=fresh).restore(ours).assert_consumed()
    assert fresh.layers[1].kernel.numpy().tolist() == [[3.0] * 3] * 2
    assert fresh.step.numpy() == 4
    assert [name for name, _ in tf.train.list_variables(ours)] == sorted([*changed, "_CHECKPOINTABLE_OBJECT_GRAPH"])


@pytest.mark.parametrize("optimizer", ["legacy", "new"])
def test_slot_variables_of_optimizers(tmp_path: Path, optimizer: str) -> None:
    model = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(3,)), tf_keras.layers.Dense(1)])
    adam = (tf_keras.optimizers.legacy if optimizer == "legacy" else tf_keras.optimizers).Adam()
    model.compile(adam, "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    prefix = tf.train.Checkpoint(model=model, optimizer=adam).save(str(tmp_path / "ckpt"))
    read = Checkpoint(prefix)
    paths = read.object_paths
    assert set(paths) >= set(read) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    if optimizer == "legacy":
        slots = [path for path in paths.values() if "get_slot" in path]
        assert len(slots) == 8
        assert any(path.endswith(".kernel, 'm')") for path in slots)
        assert all(path.startswith(("optimizer.get_slot(", "model.optimizer.get_slot(")) for path in slots)
    tensors = {name: read[name] for name in read.layout()[0]}
    save_checkpoint(tmp_path / "ours", tensors)
    assert_same_files(tmp_path / "ours", Path(prefix))


def test_lookup_tables(tmp_path: Path) -> None:
    root = tf.Module()
    root.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    root.table.insert(tf.constant(["a", "b"]), tf.constant([1, 2], tf.int64))
    read = Checkpoint(tf.train.Checkpoint(root).save(str(tmp_path / "ckpt")))
    keys = [name for name in read if name.startswith("table")]
    assert sorted(keys) == ["table/.ATTRIBUTES/table-keys", "table/.ATTRIBUTES/table-values"]
    assert {read.object_paths[key] for key in keys} == {"table"}


def test_a_saved_model_s_variables(tmp_path: Path) -> None:
    root = Root()
    tf.saved_model.save(root, str(tmp_path / "saved"))
    read = Checkpoint(tmp_path / "saved" / "variables" / "variables")
    assert read.object_paths[f"by_name/head/kernel{VALUE}"] == "by_name.head.kernel"
    assert read.verify().is_sound
    assert Checkpoint(tmp_path / "saved").prefix == read.prefix
