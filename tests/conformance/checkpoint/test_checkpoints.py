"""Checkpoints of version 2 against TensorFlow, both ways: what it writes is read, and what is written is equal byte for
byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.errors import DamagedError
from cryograph.base.tensors import Tensor
from cryograph.formats.bundle_values import OpaqueTensor
from cryograph.formats.checkpoint import Checkpoint, save_checkpoint
from cryograph.formats.checkpoint_v2 import write_bundle
from cryograph.wire.table import BLOCK_SIZE

from .theirs import (
    BY_NAME,
    ODD,
    STORED,
    assert_same_files,
    files,
    random_tensors,
    restore_v2,
    save_v2,
    tensor_of,
    values,
)


def assert_read(read: Checkpoint, tensors: dict[str, Any]) -> None:
    assert sorted(read) == sorted(tensors)
    for name, value in tensors.items():
        found, expected = read[name].numpy(), np.asarray(value)
        assert found.shape == expected.shape
        if expected.dtype == object:
            assert found.tolist() == expected.tolist()
        else:
            assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())


@pytest.mark.parametrize(("count", "seed"), [(1, 0), (2, 4), (16, 5), (17, 1), (400, 2), (12000, 3)])
def test_the_same_tensors_give_the_same_bytes(tmp_path: Path, count: int, seed: int) -> None:
    """12,000 entries make an index of several blocks."""
    tensors = random_tensors(count, seed)
    save_v2(tmp_path / "theirs", tensors)
    save_checkpoint(tmp_path / "ours", tensors)
    assert_same_files(tmp_path / "ours", tmp_path / "theirs")
    if count == 12000:
        assert len(files(tmp_path / "theirs")[".index"]) > 2 * BLOCK_SIZE
    read = Checkpoint(tmp_path / "theirs")
    assert_read(read, tensors)
    assert read.verify().is_sound


@pytest.mark.parametrize("length", [*range(1, 40), *range(1000, 1040), 40_000])
def test_names_of_every_length(tmp_path: Path, length: int) -> None:
    """Restart points, shared prefixes and the index key behind the last name."""
    tensors = {f"{'n' * length}{i:x}{'/m' * (i % 3)}": np.float32(i) for i in range(70)}
    tensors["\U0010ffff" * 3] = np.float32(1)
    save_v2(tmp_path / "theirs", tensors)
    save_checkpoint(tmp_path / "ours", tensors)
    assert_same_files(tmp_path / "ours", tmp_path / "theirs")


@pytest.mark.parametrize("extra", range(-12, 12))
def test_an_index_that_ends_near_the_end_of_a_block(tmp_path: Path, extra: int) -> None:
    """Names are long, so that a few dozen entries fill a block to the byte."""
    tensors = {f"{i:03d}{'x' * 5000}": np.float32(i) for i in range(55)}
    save_v2(tmp_path / "probe", tensors)
    room = BLOCK_SIZE - len(files(tmp_path / "probe")[".index"])
    tensors["zz"] = np.float32(0)
    tensors[f"y{'y' * (room + extra)}"] = np.float32(0)
    save_v2(tmp_path / "theirs", tensors)
    save_checkpoint(tmp_path / "ours", tensors)
    assert_same_files(tmp_path / "ours", tmp_path / "theirs")
    assert_read(Checkpoint(tmp_path / "theirs"), tensors)


@pytest.mark.parametrize("dtype", [*STORED, *ODD])
@pytest.mark.parametrize("shape", [(), (0,), (3, 2), (2, 0, 3), (1000, 300)])
def test_every_dtype_is_read_and_written(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    kind = BY_NAME[dtype]
    value = values(np.random.default_rng(5), kind, (1000, 3) if dtype == "string" and len(shape) == 2 else shape)
    save_v2(tmp_path / "theirs", {"t": tensor_of(value, kind)})
    save_checkpoint(tmp_path / "ours", {"t": Tensor.of(value, kind)})
    assert_same_files(tmp_path / "ours", tmp_path / "theirs")
    read = Checkpoint(tmp_path / "theirs")["t"]
    assert (read.dtype.name, read.shape) == (dtype, value.shape)
    back = restore_v2(tmp_path / "ours", "t", kind)
    if kind.is_string:
        assert read.numpy().tolist() == value.tolist() == np.asarray(back.numpy(), object).tolist()
    else:
        assert read.numpy().tobytes() == value.tobytes()
        again = tmp_path / "again"
        save_v2(again, {"t": back})
        assert_same_files(again, tmp_path / "theirs")


def test_variants_are_carried_over_as_they_are(tmp_path: Path) -> None:
    handle = tf.raw_ops.EmptyTensorList(element_shape=[2], max_num_elements=3, element_dtype=tf.float32)
    handle = tf.raw_ops.TensorListPushBack(input_handle=handle, tensor=tf.constant([1.0, 2.0]))
    dataset = iter(tf.data.Dataset.range(10).shuffle(5, seed=3))
    next(dataset)
    tensors = {
        "optional": tf.raw_ops.OptionalFromValue(components=[tf.constant(b"x" * 300)]),
        "list": handle,
        "many": tf.stack([handle, handle, handle]),
        "plain": tf.constant([1.0]),
    }
    save_v2(tmp_path / "theirs", tensors)
    read = Checkpoint(tmp_path / "theirs")
    assert isinstance(read["many"], OpaqueTensor)
    assert read["many"].shape == (3,)
    assert read.verify().is_sound
    save_checkpoint(tmp_path / "ours", {name: read[name] for name in tensors})
    assert_same_files(tmp_path / "ours", tmp_path / "theirs")
    back = restore_v2(tmp_path / "ours", "list", BY_NAME["variant"])
    assert tf.raw_ops.TensorListGetItem(
        input_handle=back, index=0, element_shape=[2], element_dtype=tf.float32
    ).numpy().tolist() == [1.0, 2.0]
    data = tmp_path / "ours.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[20] ^= 1
    data.write_bytes(content)
    assert "'optional': a variant of" in Checkpoint(tmp_path / "ours").verify().problems[0]


def test_iterators_of_datasets_are_carried_over(tmp_path: Path) -> None:
    iterator = iter(tf.data.Dataset.range(10))
    assert next(iterator).numpy() == 0
    prefix = tf.train.Checkpoint(it=iterator).write(str(tmp_path / "theirs"))
    read = Checkpoint(prefix)
    assert read.verify().is_sound
    save_checkpoint(tmp_path / "ours", {name: read[name] for name in read.layout()[0]})
    fresh = iter(tf.data.Dataset.range(10))
    tf.train.Checkpoint(it=fresh).read(str(tmp_path / "ours")).assert_consumed()
    assert next(fresh).numpy() == 1


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
    assert_same_files(tmp_path / "ours", tmp_path / "theirs", 4)
    read = Checkpoint(tmp_path / "theirs")
    assert read.verify().is_sound
    assert len(read.shards) == 3
    assert_read(read, tensors)


def test_partitioned_tensors_across_shards(tmp_path: Path) -> None:
    """The entry of the whole tensor says the shard of its first slice, and slices are listed in order of the shards."""
    rng = np.random.default_rng(0)
    pieces = {
        "early": np.zeros(2, np.float32),
        "w 10 3 4,6:-": rng.random((6, 3)).astype(np.float32),
        "w 10 3 0,4:-": rng.random((4, 3)).astype(np.float32),
        "v 2 4 -:0,3": rng.random((2, 3)),
        "late": np.ones(2, np.int64),
        "v 2 4 -:3,1": rng.random((2, 1)),
    }
    keys = list(pieces)
    slices = {key: key for key in keys if " " in key}
    runs = [keys[:2], keys[2:4], keys[4:]]
    parts = []
    for number, run in enumerate(runs):
        parts.append(str(tmp_path / f"part-{number}"))
        save_v2(Path(parts[-1]), {key: pieces[key] for key in run}, slices)
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(tmp_path / "theirs"))
    write_bundle(str(tmp_path / "ours"), {key: Tensor.of(v) for key, v in pieces.items()}, runs, slices)
    assert_same_files(tmp_path / "ours", tmp_path / "theirs", 4)
    read = Checkpoint(tmp_path / "theirs")
    assert read.verify().is_sound
    assert np.array_equal(read["w"].numpy(), restore_v2(tmp_path / "ours", "w", BY_NAME["float32"]))
    assert b"".join(read["v"].chunks(8)) == bytes_of_v(tmp_path)


def bytes_of_v(tmp_path: Path) -> bytes:
    return np.asarray(restore_v2(tmp_path / "ours", "v", BY_NAME["float64"])).tobytes()


@pytest.mark.parametrize("spec", ["4 3 0,4:-", "4 3 0,4:0,3", "4 3 -:-", "4 3 1,2:0,3", "4 3 0,2:-"])
def test_slices_however_they_are_said(tmp_path: Path, spec: str) -> None:
    """A slice of all is an ordinary tensor."""
    size = {"0,4": 4, "-": 4, "1,2": 2, "0,2": 2}[spec.split(" ")[2].split(":")[0]]
    value = {f"t {spec}": np.arange(size * 3, dtype=np.float32).reshape(size, 3)}
    slices = {key: key for key in value}
    save_v2(tmp_path / "theirs", value, slices)
    save_checkpoint(tmp_path / "ours", value, slices=slices)
    assert_same_files(tmp_path / "ours", tmp_path / "theirs")
    read = Checkpoint(tmp_path / "theirs")
    if size == 4:
        assert read["t"].numpy().tolist() == next(iter(value.values())).tolist()
    else:
        with pytest.raises(DamagedError, match="do not cover"):
            read["t"].numpy()


def test_large_numbers_in_the_keys_of_slices(tmp_path: Path) -> None:
    """Numbers of 1 to 5 bytes in the order-preserving code."""
    starts = [0, 1, 63, 64, 65, 8191, 8192, (1 << 20) - 1, 1 << 20, 1 << 27, (1 << 31) - 2, 1 << 33, 1 << 40]
    pieces = {f"a\0b\xffé {1 << 41} 2 {s},1:-": np.full((1, 2), i, np.int8) for i, s in enumerate(starts)}
    slices = {key: key for key in pieces}
    save_v2(tmp_path / "theirs", pieces, slices)
    save_checkpoint(tmp_path / "ours", pieces, slices=slices)
    assert_same_files(tmp_path / "ours", tmp_path / "theirs")


def test_many_shards_of_our_own_are_read_by_tensorflow(tmp_path: Path) -> None:
    tensors = {f"w{i}": np.full((i + 1, 3), i, np.float32) for i in range(20)}
    save_checkpoint(tmp_path / "ours", tensors, shards=4)
    reader = tf.train.load_checkpoint(str(tmp_path / "ours"))
    assert len(list(tmp_path.glob("*.data-*-of-00004"))) == 4
    for name, value in tensors.items():
        assert np.array_equal(reader.get_tensor(name), value)


def test_damage_that_tensorflow_refuses_too(tmp_path: Path) -> None:
    """Overlapping slices, slices that are missing, and a flipped bit."""
    save_v2(
        tmp_path / "over",
        {"a": np.ones((3, 3)), "b": np.zeros((2, 3))},
        {"a": "t 4 3 0,3:-", "b": "t 4 3 2,2:-"},
    )
    with pytest.raises(tf.errors.OpError, match="Overlapping"):
        restore_v2(tmp_path / "over", "t", BY_NAME["float64"])
    with pytest.raises(DamagedError, match="overlap"):
        Checkpoint(tmp_path / "over")["t"].numpy()
    save_v2(tmp_path / "bit", {"t": np.ones(50)})
    path = tmp_path / "bit.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[100] ^= 4
    path.write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        restore_v2(tmp_path / "bit", "t", BY_NAME["float64"])
    with pytest.raises(DamagedError, match="checksum"):
        Checkpoint(tmp_path / "bit")["t"].numpy()
    with pytest.raises(DamagedError, match="checksum"):
        list(Checkpoint(tmp_path / "bit")["t"].chunks())
