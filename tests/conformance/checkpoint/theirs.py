"""What the tests of checkpoints share: TensorFlow's writers, and tensors of every dtype to write."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cryograph.base.dtypes import DTYPES, DType
from cryograph.wire import messages as pb

v1 = tf.compat.v1

STORED = [
    "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool",
    "bfloat16", "uint16", "complex128", "float16", "uint32", "uint64", "float8_e5m2", "float8_e4m3fn",
]  # fmt: skip
ODD = [
    "qint8", "quint8", "qint32", "qint16", "quint16", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz",
    "int4", "uint4", "int2", "uint2", "float4_e2m1fn",
]  # fmt: skip
"""What TensorFlow saves, but tf.constant does not make of an array."""
OLD = [
    "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool", "qint8", "quint8",
    "qint32", "uint16", "complex128", "float16",
]  # fmt: skip
"""What SaveSlices takes."""

BY_NAME: dict[str, DType] = {d.name: d for d in DTYPES.values()}


def tensor_of(value: Any, dtype: DType) -> tf.Tensor:
    """A tensor of any dtype, through a TensorProto."""
    array = np.asarray(value, dtype.numpy)
    proto = pb.TensorProto(dtype=dtype.number)
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if dtype.is_string:
        proto.string_val.extend(array.reshape(-1).tolist())
    else:
        proto.tensor_content = array.tobytes()
    return tf.raw_ops.ParseTensor(serialized=proto.SerializeToString(), out_type=dtype.number)


def bytes_of(tensor: Any) -> bytes:
    """The raw values of a tensor of any dtype, as TensorFlow itself writes them."""
    return np.asarray(tensor).tobytes()


def save_v2(prefix: Path, tensors: Mapping[str, Any], slices: Mapping[str, str] | None = None) -> None:
    """TensorFlow's own writer. Keys with a slice are `NAME spec`."""
    names = [(slices or {}).get(key, key).partition(" ")[0] for key in tensors]
    specs = [(slices or {}).get(key, "").partition(" ")[2] for key in tensors]
    values = [value if isinstance(value, tf.Tensor) else tf.constant(value) for value in tensors.values()]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=specs, tensors=values)


def save_v1(path: Path, names: Sequence[str], specs: Sequence[str], values: Sequence[tuple[Any, DType]]) -> None:
    """TensorFlow's writer of version 1, in a graph of its own."""
    with tf.Graph().as_default(), v1.Session() as session:
        held = [tensor_of(value, dtype) for value, dtype in values]
        session.run(tf.raw_ops.SaveSlices(filename=str(path), tensor_names=names, shapes_and_slices=specs, data=held))


def restore_v1(path: Path, name: str, dtype: DType, spec: str = "") -> Any:
    """TensorFlow's reader of version 1."""
    with tf.Graph().as_default(), v1.Session() as session:
        return session.run(
            tf.raw_ops.RestoreSlice(file_pattern=str(path), tensor_name=name, shape_and_slice=spec, dt=dtype.number)
        )


def restore_v2(prefix: Path, name: str, dtype: DType, spec: str = "") -> Any:
    """TensorFlow's reader of version 2."""
    return tf.raw_ops.RestoreV2(
        prefix=str(prefix), tensor_names=[name], shape_and_slices=[spec], dtypes=[dtype.number]
    )[0]


def files(prefix: Path) -> dict[str, bytes]:
    """The files of a checkpoint of version 2 by what follows the prefix."""
    return {
        p.name.removeprefix(prefix.name): p.read_bytes()
        for p in sorted(prefix.parent.iterdir())
        if p.name.startswith(f"{prefix.name}.") and p.suffix != ".meta"
    }


def assert_same_files(ours: Path, theirs: Path, count: int = 2) -> None:
    """The files of two checkpoints are equal byte for byte."""
    one, other = files(ours), files(theirs)
    assert len(other) == count
    assert one.keys() == other.keys()
    for name in other:
        assert one[name] == other[name], name


def values(rng: np.random.Generator, dtype: DType, shape: tuple[int, ...]) -> Any:
    """Random values of a dtype and shape; strings of lengths that take one varint byte or two."""
    if dtype.is_string:
        items = np.empty(shape, object)
        for index in np.ndindex(*shape):
            items[index] = rng.bytes(int(rng.choice([0, 1, 127, 128, 300])))
        return items
    if dtype.name == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    spread = (rng.random(shape) * 200 - 100) * (1 + 1j if dtype.is_complex else 1)
    if dtype.name.startswith(("uint", "quint")):
        spread = np.abs(spread)
    if dtype.name.lstrip("u") in ("int4", "int2"):
        spread = np.abs(spread) % 2
    return np.asarray(spread).astype(dtype.numpy)


def random_tensors(count: int, seed: int) -> dict[str, Any]:
    """Names that share prefixes in every way, and values of every shape and dtype."""
    rng, pick = np.random.default_rng(seed), random.Random(seed)
    parts = ["conv", "dense", "block", "é", "a" * 40, "w", "_", ".ATTRIBUTES", "\x01", "\U0001f600"]
    tensors: dict[str, Any] = {}
    for number in range(count):
        name = "/".join(pick.choice(parts) + str(pick.randint(0, 20)) for _ in range(pick.randint(1, 6))) + f"/{number}"
        dtype = BY_NAME[pick.choice(STORED)]
        shape = tuple(pick.randint(0, 4) for _ in range(pick.randint(0, 3)))
        tensors[name] = values(rng, dtype, shape)
    return tensors
