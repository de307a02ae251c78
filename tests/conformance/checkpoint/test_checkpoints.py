"""Checkpoints against TensorFlow, both ways: what it writes is read, and what is written is equal byte for byte."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.dtypes import DTYPES
from cryograph.base.tensors import Tensor
from cryograph.formats.checkpoint import Checkpoint, latest_checkpoint, save_checkpoint
from cryograph.formats.checkpoint_v2 import write_bundle
from cryograph.formats.state import read_state, write_state

v1 = tf.compat.v1

STORED = [
    "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool",
    "bfloat16", "uint16", "complex128", "float16", "uint32", "uint64", "float8_e5m2", "float8_e4m3fn",
]  # fmt: skip


def save_v2(prefix: Path, tensors: Mapping[str, Any], slices: Mapping[str, str] | None = None) -> None:
    """TensorFlow's own writer. Keys with a slice are `NAME spec`."""
    names = [(slices or {}).get(key, key).partition(" ")[0] for key in tensors]
    specs = [(slices or {}).get(key, key).partition(" ")[2] for key in tensors]
    values = [tf.constant(value) for value in tensors.values()]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=specs, tensors=values)


def files(prefix: Path) -> dict[str, bytes]:
    return {
        p.name.removeprefix(prefix.name): p.read_bytes()
        for p in prefix.parent.iterdir()
        if p.name.startswith(f"{prefix.name}.") and p.suffix != ".meta"
    }


def random_tensors(count: int, seed: int) -> dict[str, Any]:
    """Names that share prefixes in every way, and values of every shape and dtype."""
    rng, pick = np.random.default_rng(seed), random.Random(seed)
    parts = ["conv", "dense", "block", "é", "a" * 40, "w", "_", ".ATTRIBUTES", "\x01"]
    tensors: dict[str, Any] = {}
    for number in range(count):
        name = "/".join(pick.choice(parts) + str(pick.randint(0, 20)) for _ in range(pick.randint(1, 6))) + f"/{number}"
        dtype = DTYPES_BY_NAME[pick.choice(STORED)]
        shape = tuple(pick.randint(0, 4) for _ in range(pick.randint(0, 3)))
        tensors[name] = values(rng, dtype, shape)
    return tensors


DTYPES_BY_NAME = {d.name: d for d in DTYPES.values()}


def values(rng: np.random.Generator, dtype: Any, shape: tuple[int, ...]) -> Any:
    if dtype.is_string:
        items = np.empty(shape, object)
        for index in np.ndindex(*shape):
            items[index] = rng.bytes(int(rng.choice([0, 1, 127, 128, 300])))
        return items
    return (rng.standard_normal(shape) * 3).astype(dtype.numpy) if dtype.name != "bool" else rng.random(shape) < 0.5


@pytest.mark.parametrize(("count", "seed"), [(1, 0), (17, 1), (400, 2), (12000, 3)])
def test_the_same_tensors_give_the_same_bytes(tmp_path: Path, count: int, seed: int) -> None:
    """12,000 entries make an index of several blocks."""
    tensors = random_tensors(count, seed)
    save_v2(tmp_path / "theirs", tensors)
    save_checkpoint(tmp_path / "ours", tensors)
    ours, theirs = files(tmp_path / "ours"), files(tmp_path / "theirs")
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert ours[name] == theirs[name], name
    if count == 12000:
        assert len(theirs[".index"]) > 2 << 18


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("shape", [(), (0,), (3, 2), (2, 0, 3), (1000, 300)])
def test_every_dtype_is_read_and_written(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    if dtype == "string" and len(shape) == 2 and shape[0] == 1000:
        shape = (1000, 3)
    value = values(np.random.default_rng(5), DTYPES_BY_NAME[dtype], shape)
    save_v2(tmp_path / "theirs", {"t": value})
    save_checkpoint(tmp_path / "ours", {"t": value})
    assert files(tmp_path / "ours").values() != files(tmp_path / "nothing").values()
    assert sorted(files(tmp_path / "ours").items()) == sorted(files(tmp_path / "theirs").items())
    read = Checkpoint(tmp_path / "theirs")["t"]
    assert (read.dtype.name, read.shape) == (dtype, np.asarray(value).shape)
    assert read.numpy().tobytes() == np.asarray(value).tobytes() or dtype == "string"
    if dtype == "string":
        assert read.numpy().tolist() == np.asarray(value).tolist()
    theirs = tf.raw_ops.RestoreV2(
        prefix=str(tmp_path / "ours"), tensor_names=["t"], shape_and_slices=[""], dtypes=[DTYPES_BY_NAME[dtype].number]
    )[0]
    assert np.asarray(theirs.numpy()).tolist() == np.asarray(value).tolist() or np.isnan(value.astype(float)).any()


@pytest.mark.parametrize("name", ["int4", "uint4"])
def test_small_integers_take_a_byte_each_as_in_tensorflow(tmp_path: Path, name: str) -> None:
    value = np.array([1, 2, 3, 7], getattr(ml_dtypes, name))
    proto = tf.make_tensor_proto(value)
    tensor = tf.raw_ops.ParseTensor(serialized=proto.SerializeToString(), out_type=proto.dtype)
    tf.raw_ops.SaveV2(prefix=str(tmp_path / "theirs"), tensor_names=["t"], shape_and_slices=[""], tensors=[tensor])
    save_checkpoint(tmp_path / "ours", {"t": value})
    assert sorted(files(tmp_path / "ours").items()) == sorted(files(tmp_path / "theirs").items())
    assert Checkpoint(tmp_path / "theirs")["t"].numpy().tolist() == [1, 2, 3, 7]


def test_shards_are_merged_as_tensorflow_merges_them(tmp_path: Path) -> None:
    tensors = random_tensors(200, 7)
    names = list(tensors)
    runs = [names[:50], names[50:51], names[51:]]
    parts = []
    for number, run in enumerate(runs):
        parts.append(str(tmp_path / f"part-{number:05d}-of-00003"))
        save_v2(Path(parts[-1]), {name: tensors[name] for name in run})
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(tmp_path / "theirs"))
    write_bundle(str(tmp_path / "ours"), {n: Tensor.of(v) for n, v in tensors.items()}, runs)
    ours, theirs = files(tmp_path / "ours"), files(tmp_path / "theirs")
    assert sorted(ours) == sorted(theirs)
    assert len(theirs) == 4
    for name in theirs:
        assert ours[name] == theirs[name], name
    read = Checkpoint(tmp_path / "theirs")
    assert read.verify().is_sound
    assert len(read.shards) == 3
    for name, value in tensors.items():
        assert read[name].numpy().tolist() == np.asarray(value).tolist() or np.isnan(np.asarray(value, complex)).any()


def test_many_shards_of_our_own_are_read_by_tensorflow(tmp_path: Path) -> None:
    tensors = {f"w{i}": np.full((i + 1, 3), i, np.float32) for i in range(20)}
    save_checkpoint(tmp_path / "ours", tensors, shards=4)
    reader = tf.train.load_checkpoint(str(tmp_path / "ours"))
    assert len(list(tmp_path.glob("*.data-*-of-00004"))) == 4
    for name, value in tensors.items():
        assert np.array_equal(reader.get_tensor(name), value)


@pytest.mark.parametrize("version", [1, 2])
def test_partitioned_variables_of_a_saver(tmp_path: Path, version: int) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("scope", use_resource=False):
            start = v1.random_normal_initializer(seed=3)
            w = v1.get_variable(
                "w", [10, 70, 2], partitioner=v1.variable_axis_size_partitioner(64 * 20, axis=1), initializer=start
            )
            v1.get_variable("b", initializer=np.arange(5, dtype=np.int64))
        session.run(v1.global_variables_initializer())
        whole = np.concatenate([session.run(part) for part in w], axis=1)
        saver = v1.train.Saver(write_version=version)
        prefix = Path(saver.save(session, str(tmp_path / "theirs"), global_step=5))
        parts = {f"scope/w {p._save_slice_info.spec}": session.run(p) for p in w}
    assert len(parts) > 3
    read = Checkpoint(prefix)
    assert (read.version, list(read)) == (version, ["scope/b", "scope/w"])
    assert np.array_equal(read["scope/w"].numpy(), whole)
    assert read["scope/b"].numpy().tolist() == [0, 1, 2, 3, 4]
    assert read.verify().is_sound
    held = {"scope/b": np.arange(5, dtype=np.int64), **parts}
    save_checkpoint(tmp_path / "ours", held, version=version, slices={key: key for key in parts})
    if version == 1:
        assert (tmp_path / "ours").read_bytes() == prefix.read_bytes()
    else:
        assert sorted(files(tmp_path / "ours").items()) == sorted(files(prefix).items()), prefix


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float64", "int32", "uint8", "int8", "int16", "int64", "bool", "complex64", "float16", "string"],
)
def test_version_1_both_ways(tmp_path: Path, dtype: str) -> None:
    kind = DTYPES_BY_NAME[dtype]
    value = values(np.random.default_rng(6), kind, (3, 2))
    with tf.Graph().as_default(), v1.Session() as session:
        save = v1.raw_ops.SaveSlices if hasattr(v1, "raw_ops") else tf.raw_ops.SaveSlices
        if dtype == "string":  # SaveSlices has no strings in any version; our own are read by us
            save_checkpoint(tmp_path / "ours", {"t": value}, version=1)
            assert Checkpoint(tmp_path / "ours")["t"].numpy().tolist() == value.tolist()
            return
        session.run(
            save(
                filename=str(tmp_path / "theirs"), tensor_names=["t"], shapes_and_slices=[""], data=[tf.constant(value)]
            )
        )
        save_checkpoint(tmp_path / "ours", {"t": value}, version=1)
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
        read = Checkpoint(tmp_path / "theirs")
        assert read.version == 1
        assert np.array_equal(read["t"].numpy(), value)
        if dtype in ("complex64", "float16"):
            return  # its reader of old files does not take them
        back = session.run(tf.raw_ops.Restore(file_pattern=str(tmp_path / "ours"), tensor_name="t", dt=kind.number))
    assert np.array_equal(back, value)


def test_object_graphs_tell_attribute_paths(tmp_path: Path) -> None:
    class Layer(tf.Module):
        def __init__(self) -> None:
            self.kernel = tf.Variable(tf.ones([2, 3]), name="kernel")

    root = tf.Module()
    root.layers = [Layer(), Layer()]
    root.step = tf.Variable(3)
    prefix = tf.train.Checkpoint(model=root).save(str(tmp_path / "ckpt"))
    read = Checkpoint(prefix)
    assert read.object_paths["model/layers/1/kernel/.ATTRIBUTES/VARIABLE_VALUE"] == "model.layers.1.kernel"
    assert read.object_paths["model/step/.ATTRIBUTES/VARIABLE_VALUE"] == "model.step"
    assert read.object_graph is not None
    # The same tensors in the same order of bytes, object graph included, give the same files.
    tensors = {name: read[name] for name in read.layout()[0]}
    save_checkpoint(tmp_path / "ours", tensors)
    assert sorted(files(tmp_path / "ours").items()) == sorted(files(Path(prefix)).items())


def test_state_files_are_those_of_tensorflow(tmp_path: Path) -> None:
    for name in ("a-1", "a-2"):
        save_checkpoint(tmp_path / name, {"w": np.zeros(1)})
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for relative in (True, False):
        every = [str(tmp_path / n) for n in ("a-1", "a-2")]
        for directory in (ours, theirs, tmp_path):
            directory.mkdir(exist_ok=True)
        tf.compat.v1.train.update_checkpoint_state(
            str(tmp_path), every[1], every, all_model_checkpoint_timestamps=[1.5, 2.5], last_preserved_timestamp=0.5
        )
        theirs_text = (tmp_path / "checkpoint").read_text()
        from tensorflow.python.checkpoint.checkpoint_management import update_checkpoint_state_internal

        if relative:
            update_checkpoint_state_internal(
                str(tmp_path),
                every[1],
                every,
                save_relative_paths=True,
                all_model_checkpoint_timestamps=[1.5, 2.5],
                last_preserved_timestamp=0.5,
            )
            theirs_text = (tmp_path / "checkpoint").read_text()
            write_state(tmp_path, every[1], every, [1.5, 2.5], 0.5)
            assert (tmp_path / "checkpoint").read_text() == theirs_text
        state = read_state(tmp_path)
        assert state is not None
        assert list(state.all_model_checkpoint_paths) == every
        assert latest_checkpoint(tmp_path) == tf.train.latest_checkpoint(str(tmp_path)) == every[1]


def test_a_moved_directory_is_still_found(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    save_checkpoint(old / "m-7", {"w": np.ones(2)})
    tf.compat.v1.train.update_checkpoint_state(str(old), str(old / "m-7"))
    assert str(old) in (old / "checkpoint").read_text() or "m-7" in (old / "checkpoint").read_text()
    old.rename(tmp_path / "new")
    assert latest_checkpoint(tmp_path / "new") == str(tmp_path / "new" / "m-7")
    assert Checkpoint(tmp_path / "new")["w"].numpy().tolist() == [1, 1]
