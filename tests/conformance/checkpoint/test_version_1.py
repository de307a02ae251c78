"""Checkpoints of version 1 and what savers write, against TensorFlow, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.tensors import Tensor
from cryograph.formats.checkpoint import Checkpoint, latest_checkpoint, save_checkpoint
from cryograph.wire.table import BLOCK_SIZE

from .theirs import BY_NAME, OLD, assert_same_files, restore_v1, save_v1, v1, values


@pytest.mark.parametrize("dtype", OLD)
@pytest.mark.parametrize("shape", [(), (0, 3), (3, 2), (300, 200)])
def test_every_dtype_is_read_and_written(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    kind = BY_NAME[dtype]
    value = values(np.random.default_rng(6), kind, shape)
    save_v1(tmp_path / "theirs", ["t"], [""], [(value, kind)])
    save_checkpoint(tmp_path / "ours", {"t": Tensor.of(value, kind)}, version=1)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    read = Checkpoint(tmp_path / "theirs")
    assert (read.version, read["t"].dtype, read["t"].shape) == (1, kind, shape)
    assert (read["t"].content is not None) == (
        dtype in ("float32", "float64", "complex64", "complex128") and 0 not in shape
    )
    assert read["t"].numpy().tolist() == value.tolist()
    assert read.verify().is_sound
    if shape != (0, 3):  # its reader finds no values for a tensor without elements
        assert np.asarray(restore_v1(tmp_path / "ours", "t", kind)).tolist() == value.tolist()


def random_old(count: int, seed: int) -> dict[str, tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    found = {}
    for number in range(count):
        kind = BY_NAME[OLD[int(rng.integers(len(OLD)))]]
        shape = tuple(int(n) for n in rng.integers(0, 6, size=int(rng.integers(0, 4))))
        found[f"{'scope/' * int(rng.integers(1, 4))}{'é' * int(rng.integers(0, 2))}v{number}"] = (
            values(rng, kind, shape),
            kind,
        )
    return found


@pytest.mark.parametrize("count", [1, 20, 300, 6000])
def test_many_tensors_give_the_same_bytes(tmp_path: Path, count: int) -> None:
    tensors = random_old(count, count)
    save_v1(tmp_path / "theirs", list(tensors), [""] * count, list(tensors.values()))
    save_checkpoint(tmp_path / "ours", {n: Tensor.of(*pair) for n, pair in tensors.items()}, version=1)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    read = Checkpoint(tmp_path / "theirs")
    assert list(read) == sorted(tensors, key=lambda name: name)
    for name, (value, _) in tensors.items():
        assert read[name].numpy().tolist() == value.tolist()
    if count == 6000:
        assert (tmp_path / "theirs").stat().st_size > 3 * BLOCK_SIZE


@pytest.mark.parametrize("bytes_near", range(-40, 40, 4))
def test_values_that_end_near_the_end_of_a_block(tmp_path: Path, bytes_near: int) -> None:
    rng = np.random.default_rng(1)
    tensors = {
        "a": rng.random((BLOCK_SIZE - 160 + bytes_near) // 4).astype(np.float32),
        "b": rng.random(10).astype(np.float32),
        "c": rng.random(BLOCK_SIZE).astype(np.float32),
        "d": rng.integers(-5, 5, BLOCK_SIZE),
        "e": np.float32(3),
    }
    pairs = [(value, BY_NAME[np.asarray(value).dtype.name]) for value in tensors.values()]
    save_v1(tmp_path / "theirs", list(tensors), [""] * 5, pairs)
    save_checkpoint(tmp_path / "ours", tensors, version=1)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    read = Checkpoint(tmp_path / "theirs")
    for name, value in tensors.items():
        assert np.array_equal(read[name].numpy(), value)
    assert b"".join(read["c"].chunks()) == tensors["c"].tobytes()


def test_slices(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    whole = rng.random((7, 5))
    pieces = {"w 7 5 0,3:-": whole[:3], "w 7 5 3,4:0,2": whole[3:, :2], "w 7 5 3,4:2,3": whole[3:, 2:]}
    pairs = [(value, BY_NAME["float64"]) for value in pieces.values()]
    save_v1(tmp_path / "theirs", ["w"] * 3, [key.partition(" ")[2] for key in pieces], pairs)
    save_checkpoint(tmp_path / "ours", pieces, version=1, slices={key: key for key in pieces})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    read = Checkpoint(tmp_path / "theirs")["w"]
    assert np.array_equal(read.numpy(), whole)
    assert b"".join(Checkpoint(tmp_path / "theirs")["w"].chunks(16)) == whole.tobytes()
    part = restore_v1(tmp_path / "ours", "w", BY_NAME["float64"], "7 5 2,3:1,3")
    assert np.array_equal(part, whole[2:5, 1:4])


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_partitioned_variables_of_a_saver(tmp_path: Path, version: int, axis: int) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("scope", use_resource=False):
            start = v1.random_normal_initializer(seed=3)
            limit = {0: 4 * 140 * 2, 1: 64 * 20, 2: 10 * 70 * 4}[axis]
            w = v1.get_variable(
                "w", [10, 70, 4], partitioner=v1.variable_axis_size_partitioner(limit, axis=axis), initializer=start
            )
            v1.get_variable("b", initializer=np.arange(5, dtype=np.int64))
        session.run(v1.global_variables_initializer())
        whole = np.concatenate([session.run(part) for part in w], axis=axis)
        saver = v1.train.Saver(write_version=version)
        prefix = Path(saver.save(session, str(tmp_path / "theirs"), global_step=5))
        parts = {f"scope/w {p._save_slice_info.spec}": session.run(p) for p in w}
    assert len(parts) > 3
    read = Checkpoint(prefix)
    assert (read.version, list(read)) == (version, ["scope/b", "scope/w"])
    for size in (16, 100, 4096, 1 << 20):
        assert b"".join(Checkpoint(prefix)["scope/w"].chunks(size)) == whole.tobytes()
    assert np.array_equal(read["scope/w"].numpy(), whole)
    assert read["scope/b"].numpy().tolist() == [0, 1, 2, 3, 4]
    assert read.verify().is_sound
    held = {"scope/b": np.arange(5, dtype=np.int64), **parts}
    save_checkpoint(tmp_path / "ours", held, version=version, slices={key: key for key in parts})
    if version == 1:
        assert (tmp_path / "ours").read_bytes() == prefix.read_bytes()
    else:
        assert_same_files(tmp_path / "ours", prefix)


@pytest.mark.parametrize("version", [1, 2])
def test_sharded_savers(tmp_path: Path, version: int) -> None:
    config = v1.ConfigProto(device_count={"CPU": 3})
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    with tf.Graph().as_default(), v1.Session(config=config) as session:
        sources = {}
        for number in range(3):
            with tf.device(f"/cpu:{number}"):
                for name in "xy":
                    value = np.full((4, 2), number + len(sources) / 8, np.float32)
                    v1.get_variable(f"{name}{number}", initializer=value, use_resource=False)
                    sources[f"{name}{number}"] = value
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(sharded=True, write_version=version)
        saved = saver.save(session, str(theirs / "m"), global_step=3)
        read = Checkpoint(saved)
        assert read.version == version
        assert len(read.shards) == 3
        runs = [["x0", "y0"], ["x1", "y1"], ["x2", "y2"]]
        assert {name: read[name].numpy().tolist() for name in read} == {n: v.tolist() for n, v in sources.items()}
        assert read.verify().is_sound
        # The same, by whatever name.
        bare = str(theirs / "m-3")
        members = [bare, f"{bare}.meta", str(theirs), str(theirs / "checkpoint"), *read.shards]
        assert {Checkpoint(member).prefix for member in members} == {read.prefix} == {saved}
        assert latest_checkpoint(theirs) == tf.train.latest_checkpoint(str(theirs)) == saved
        # Ours is restored by the saver.
        padded = {name: sources[name] for run in runs for name in run}
        prefix = save_checkpoint(ours / "m-3", padded, shards=3, version=version)
        assert Path(prefix).name == Path(saved).name
        for number, run in enumerate(runs):
            again = Checkpoint(prefix)
            assert all(np.array_equal(again[n].numpy(), sources[n]) for n in run), number
        session.run([v.assign(v * 0) for v in v1.global_variables()])
        saver.restore(session, prefix)
        assert np.array_equal(session.run("y2:0"), sources["y2"])
        if version == 1:
            assert [Path(p).read_bytes() for p in again.shards] == [Path(p).read_bytes() for p in read.shards]
