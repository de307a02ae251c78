"""Every fact of the table against TensorFlow's registry, and the generator's `--check`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, op_def_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.framework import op_def_registry, tensor_util

from cryograph.base.dtypes import DType
from cryograph.base.tensors import Tensor
from cryograph.graph.attrs import decode_attr
from cryograph.ops import signatures
from cryograph.wire import messages as pb

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def registry() -> dict[str, op_def_pb2.OpDef]:
    listed = op_def_pb2.OpList()
    listed.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return {op.name: op for op in listed.op}


def args(declared: Any) -> list[tuple[Any, ...]]:
    return [(a.name, a.type, a.type_attr, a.number_attr, a.type_list_attr, a.is_ref) for a in declared]


def plain(value: Any) -> Any:
    """What an AttrValue of TensorFlow says, without any code of ours."""
    kind = value.WhichOneof("value")
    if kind == "list":
        for field in ("s", "i", "f", "b", "type", "shape", "tensor", "func"):
            items = getattr(value.list, field)
            if items:
                return [plain(attr_value_pb2.AttrValue(**{field: item})) for item in items]
        return []
    item = getattr(value, kind)
    if kind == "shape":
        return tf.TensorShape(item).as_list() if not item.unknown_rank else None
    if kind == "tensor":
        return (item.dtype, tensor_util.MakeNdarray(item).tolist())
    return item.name if kind == "func" else item


def ours(value: Any) -> Any:
    if isinstance(value, DType):
        return value.number
    if isinstance(value, Tensor):
        return (value.dtype.number, np.asarray(value).tolist())
    return [ours(item) for item in value] if isinstance(value, tuple | list) else value


def test_every_registered_op_is_said_as_tensorflow_says_it(registry: dict[str, op_def_pb2.OpDef]) -> None:
    assert sorted(registry) == signatures.op_names()
    assert len(registry) > 1900
    for name, op in registry.items():
        known = signatures.signature(name)
        assert known is not None
        for said, declared in ((known.inputs, op.input_arg), (known.outputs, op.output_arg)):
            numbers = [
                (a.name, a.dtype.number if a.dtype else 0, a.type_attr, a.number_attr, a.type_list_attr, a.is_ref)
                for a in said
            ]
            assert numbers == args(declared), name
        assert list(known.attrs) == [a.name for a in op.attr], name
        for attr in op.attr:
            spec = known.attrs[attr.name]
            where = f"{name}.{attr.name}"
            assert spec.kind == attr.type, where
            assert spec.minimum == (attr.minimum if attr.has_minimum else None), where
            assert spec.has_default == attr.HasField("default_value"), where
            if spec.has_default:
                assert ours(spec.default) == plain(attr.default_value), where
            assert (spec.allowed is not None) == attr.HasField("allowed_values"), where
            if spec.allowed is not None:
                assert ours(spec.allowed) == plain(attr.allowed_values), where
        flags = (op.is_stateful, op.is_commutative, op.is_aggregate, op.is_distributed_communication)
        assert (known.is_stateful, known.is_commutative, known.is_aggregate, known.is_distributed) == flags, name
        assert known.allows_uninitialized_input == op.allows_uninitialized_input, name
        assert known.deprecated == op.deprecation.version, name


def test_the_dtypes_of_real_nodes_are_those_that_tensorflow_gives_them() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 8], name="x")
        variable = tf.compat.v1.get_variable("w", [8, 3], use_resource=False)
        tf.compat.v1.assign(variable, tf.ones([8, 3]))
        tf.split(tf.matmul(x, variable), 3, axis=1)
        tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * 2.0), [0, x])
        tf.unique_with_counts(tf.constant([1, 2, 2]), out_idx=tf.int64)
        tf.io.parse_example(
            tf.compat.v1.placeholder(tf.string, [None]),
            {"a": tf.io.VarLenFeature(tf.int64), "b": tf.io.FixedLenFeature([2], tf.float32)},
        )
        tf.compat.v1.tables_initializer()
        queue = tf.queue.FIFOQueue(3, [tf.int32, tf.string], [(), (2,)])
        queue.dequeue_many(2)
        tf.function(lambda a: (a + 1.0, tf.strings.as_string(a)))(x)
    checked = 0
    for op in graph.get_operations():
        if signatures.signature(op.type) is None:
            assert op.type.startswith("__inference"), op.type
            continue
        attrs = {spec: value for spec in signatures.signature(op.type).attrs if (value := _attr(op, spec)) is not None}
        assert [t.number for t in signatures.output_types(op.type, attrs)] == [
            t.dtype._type_enum for t in op.outputs
        ], op.type
        assert [t.number % 100 for t in signatures.input_types(op.type, attrs)] == [
            t.dtype.as_datatype_enum % 100 for t in op.inputs
        ], op.type
        checked += 1
    assert checked > 25


def _attr(op: tf.Operation, name: str) -> Any:
    value = op.node_def.attr.get(name)
    return None if value is None else decode_attr(pb.AttrValue.FromString(value.SerializeToString()), {})


def test_names_of_outputs_stand_for_the_numbers_that_tensorflow_gives_them() -> None:
    for name in ("TopKV2", "FusedBatchNormV3", "Unique", "SparseFillEmptyRows"):
        declared = [arg.name for arg in op_def_registry.get(name).output_arg]
        attrs = {"T": DType(1, "float32", "DT_FLOAT", None)}
        ranges = signatures.output_arg_ranges(name, attrs)
        assert list(ranges) == declared
        assert [list(r) for r in ranges.values()] == [[i] for i in range(len(declared))]


def test_the_generator_finds_the_file_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "gen_signatures.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holds all" in done.stdout
