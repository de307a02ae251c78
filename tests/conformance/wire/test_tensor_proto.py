"""TensorProtos against TensorFlow: its C++ decoder (ParseTensor), its writers, and its reading of what we write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from cryograph.base.dtypes import DTYPES, DType
from cryograph.base.errors import DamagedError, FormatError, LimitError
from cryograph.base.tensors import Tensor
from cryograph.wire import messages as pb
from cryograph.wire.emit import message_bytes
from cryograph.wire.tensor_proto import THRESHOLD, proto_of, tensor_of

HELD = [d for d in DTYPES.values() if d.numpy is not None and not d.is_ref]
NARROW = {29, 30, 31, 32}
INTS = [d for d in HELD if d.number in {3, 4, 5, 6, 11, 12, 13, 15, 16, 17} | NARROW]
LISTS = {
    1: "float_val",
    2: "double_val",
    8: "scomplex_val",
    9: "int64_val",
    10: "bool_val",
    14: "half_val",
    18: "dcomplex_val",
    19: "half_val",
    22: "uint32_val",
    23: "uint64_val",
}
FLOAT8 = (24, 25, 26, 27, 28, 33)


def proto(dtype: int, shape: tuple[int, ...], **values: Any) -> tensor_pb2.TensorProto:
    made = tensor_pb2.TensorProto(dtype=dtype, **values)
    made.tensor_shape.SetInParent()
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


def theirs(message: tensor_pb2.TensorProto) -> np.ndarray[Any, Any]:
    values = tf.io.parse_tensor(message.SerializeToString(), message.dtype).numpy()
    return np.array(values, object) if isinstance(values, bytes) else values


def ours(message: tensor_pb2.TensorProto) -> np.ndarray[Any, Any]:
    return tensor_of(pb.TensorProto.FromString(message.SerializeToString()), {}).numpy()


def same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], dtype: DType) -> None:
    assert a.shape == b.shape
    if dtype.number in NARROW:  # the upper bits of the byte mean nothing
        np.testing.assert_array_equal(a.astype(np.int32), b.astype(np.int32))
    elif dtype.is_string:
        assert a.tolist() == b.tolist()
    else:
        assert a.tobytes() == b.tobytes()


def some(dtype: DType, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Values of a dtype, with a little of everything that its width can hold."""
    count = int(np.prod(shape))
    random = np.random.default_rng(dtype.number * 1000 + count)
    if dtype.is_string:
        flat = np.empty(count, object)
        flat[:] = [random.bytes(int(random.integers(0, 9))) + b"\0" for _ in range(count)]
        return flat.reshape(shape)
    if dtype.name == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if dtype.number in NARROW:
        return random.integers(0, 2, shape).astype(dtype.numpy)
    if dtype.number == 33:
        return np.frombuffer(random.integers(0, 16, count).astype(np.uint8).tobytes(), dtype.numpy).reshape(shape)
    values = np.frombuffer(random.bytes(count * dtype.itemsize), dtype.numpy).copy()
    if dtype.is_floating or dtype.is_complex:  # lists go through Python's floats, which keep one kind of NaN
        with np.errstate(invalid="ignore"):
            values[np.isnan(values)] = 1
    return values.reshape(shape)


# --- reading


def cases() -> list[tuple[str, tensor_pb2.TensorProto]]:
    found = []
    for d in INTS:
        found += [
            (f"{d}, values wider than the dtype", proto(d.number, (8,), int_val=[1, -1, 7, 300, 70000, -129, 9, -9])),
            (f"{d}, short list", proto(d.number, (2, 2), int_val=[1, 2])),
            (f"{d}, long list", proto(d.number, (2,), int_val=[1, 2, 3])),
            (f"{d}, no values", proto(d.number, (2,))),
            (f"{d}, content", proto(d.number, (12,), tensor_content=bytes(range(0, 240, 20)) * d.itemsize)),
        ]
    for number, field in LISTS.items():
        d = DTYPES[number]
        found += [
            (f"{d}, short list", proto(number, (4,), **{field: [1, 0, 1]})),
            (f"{d}, long list", proto(number, (1,), **{field: [1, 0, 1]})),
            (f"{d}, scalar", proto(number, (), **{field: [1]})),
            (f"{d}, no values", proto(number, (2,))),
            (f"{d}, no elements", proto(number, (0, 3), **{field: [1, 0, 1]})),
            (f"{d}, content wins", proto(number, (2,), tensor_content=b"\1" * 2 * d.itemsize, **{field: [1, 0]})),
            (f"{d}, content of no elements", proto(number, (0,), tensor_content=b"\1\2\3")),
        ]
    for number in FLOAT8:
        d = DTYPES[number]
        found += [
            (f"{d}, short list", proto(number, (4,), float8_val=b"\1\2")),
            (f"{d}, long list", proto(number, (1,), float8_val=b"\1\2")),
            (f"{d}, no values", proto(number, (2,))),
            (f"{d}, content", proto(number, (2,), tensor_content=b"\x03\x04")),
        ]
    found += [
        ("half, more than 16 bits", proto(19, (3,), half_val=[70000, -1, 15360])),
        ("bfloat16, more than 16 bits", proto(14, (3,), half_val=[70000, -1, 15360])),
        ("string, short list", proto(7, (3,), string_val=[b"a", b"b"])),
        ("string, long list", proto(7, (1,), string_val=[b"a", b"b"])),
        ("string, no values", proto(7, (2,))),
        ("string, content", proto(7, (2,), tensor_content=b"\1\2abc")),
        ("the list of another dtype", proto(1, (2,), int_val=[1, 2])),
        ("the list ends with minus zero", proto(1, (3,), float_val=[1, -0.0])),
        ("infinities", proto(2, (3,), double_val=[float("inf"), float("-inf")])),
    ]
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda c: c[0])
def test_values_are_those_of_the_kernels(case: tuple[str, tensor_pb2.TensorProto]) -> None:
    same(ours(case[1]), theirs(case[1]), DTYPES[case[1].dtype])


@pytest.mark.parametrize(
    "broken",
    [
        *(proto(n, (2,), tensor_content=b"\1\1\1") for n in (1, 2, 3, 9, 10, 14, 18)),
        proto(10, (4,), tensor_content=b"\0\1\2\xff"),
        proto(7, (2,), tensor_content=b"\1\2ab"),
        proto(7, (2,), tensor_content=b"\1\2abcd"),
        proto(7, (3,), tensor_content=b"\1"),
        proto(1, (-1,), float_val=[1]),
        proto(1, (10**9, 10**9), float_val=[1]),
        proto(1, (2**40, 2**40), float_val=[1]),
        proto(1, (0, 2**40, 2**40), float_val=[1]),
    ],
)
def test_what_the_kernels_refuse_is_an_error(broken: tensor_pb2.TensorProto) -> None:
    with pytest.raises(tf.errors.OpError):
        theirs(broken)
    with pytest.raises((DamagedError, FormatError, LimitError)):
        ours(broken)


SERIALIZED = {10, 18, 8, 2, 1, 14, 19, 3, 6, 4, 5, 17, 22, 9, 23, 7}


@pytest.mark.parametrize("number", sorted(SERIALIZED))
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (40, 50)])
def test_what_cpp_writes_is_read(number: int, shape: tuple[int, ...]) -> None:
    values = some(DTYPES[number], shape)
    data = tf.io.serialize_tensor(tf.constant(values, DTYPES[number].name, shape)).numpy()
    message = pb.TensorProto.FromString(data)
    same(tensor_of(message, {}).numpy(), values, DTYPES[number])
    back, table = proto_of(tensor_of(message, {}))
    assert message_bytes(back, table) == data


# --- writing


@pytest.mark.parametrize("dtype", HELD, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (5,), (2, 3), (0,), (2, 0), (3000,)], ids=str)
def test_small_tensors_are_written_as_make_tensor_proto_does(dtype: DType, shape: tuple[int, ...]) -> None:
    values = some(dtype, shape)
    theirs_of = tf.dtypes.as_dtype(dtype.number)
    given = values.astype(theirs_of.as_numpy_dtype) if dtype.is_quantized else values
    message, table = proto_of(Tensor.of(values, dtype))
    data = message_bytes(message, table)
    if dtype.number in {26, 27, 28} and values.size < 2:
        with pytest.raises(TypeError):  # TensorFlow's writer does not know lists of these, its C++ reader does
            tf.make_tensor_proto(given, theirs_of)
    else:
        expected = tf.make_tensor_proto(given, theirs_of)
        if not table or expected.tensor_content or dtype.is_string:
            assert data == expected.SerializeToString(deterministic=True)
        else:  # lists in Python; raw in C++, and here once they are big
            assert dtype.is_complex or dtype.number == 17
            same(ours(expected), values, dtype)
    assert bool(table) == (max(dtype.itemsize * values.size, len(data) * dtype.is_string) > THRESHOLD)
    same(theirs(tensor_pb2.TensorProto.FromString(data)), values, dtype)
    if message.tensor_content or dtype.number not in {26, 27, 28}:  # make_ndarray knows no lists of these
        made = tf.make_ndarray(tensor_pb2.TensorProto.FromString(data))
        same(made.astype(dtype.numpy) if dtype.is_quantized else made, values, dtype)


def test_table_tensors_in_graphs_are_understood() -> None:
    """Big tensors of every dtype, written by us, run by TensorFlow."""
    graph = pb.GraphDef()
    graph.versions.producer = 2129
    tables: dict[int, Tensor] = {}
    values = {}
    for dtype in HELD:
        name = f"c_{dtype}"
        values[name] = some(dtype, (71, 83))
        node = graph.node.add(name=name, op="Const")
        node.attr["dtype"].type = dtype.number
        message, table = proto_of(Tensor.of(values[name], dtype))
        assert table
        node.attr["value"].tensor.CopyFrom(message)
        tables.update(table)
    data = message_bytes(graph, tables)
    with tf.Graph().as_default() as theirs_graph:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(data), name="")
    for dtype in HELD:
        name = f"c_{dtype}"
        proto_there = theirs_graph.get_operation_by_name(name).get_attr("value")
        same(theirs(proto_there), values[name], dtype)
