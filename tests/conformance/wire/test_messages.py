"""Our schema against TensorFlow's descriptors: every field, both ways, and both in one process."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import descriptor_pool

from cryograph.wire import messages as pb

# Where TensorFlow declares what we have; importing a module puts its messages into the default pool.
MODULES = (
    "core.example.example_pb2",
    "core.framework.full_type_pb2",
    "core.framework.graph_pb2",
    "core.framework.op_def_pb2",
    "core.framework.tensor_slice_pb2",
    "core.framework.types_pb2",
    "core.framework.variable_pb2",
    "core.protobuf.composite_tensor_variant_pb2",
    "core.protobuf.control_flow_pb2",
    "core.protobuf.fingerprint_pb2",
    "core.protobuf.meta_graph_pb2",
    "core.protobuf.queue_runner_pb2",
    "core.protobuf.saved_model_pb2",
    "core.protobuf.saver_pb2",
    "core.protobuf.struct_pb2",
    "core.protobuf.tensor_bundle_pb2",
    "core.protobuf.trackable_object_graph_pb2",
    "core.util.memmapped_file_system_pb2",
    "core.util.saved_tensor_slice_pb2",
    "python.training.checkpoint_state_pb2",
)
OURS_ALONE = {("TensorProto", "cryograph_tensor")}


@pytest.fixture(scope="module")
def theirs() -> Any:
    for module in MODULES:
        importlib.import_module(f"tensorflow.{module}")
    return descriptor_pool.Default()


def descriptors() -> Iterator[Any]:
    """Every message of ours, nested ones too."""

    def walk(descriptor: Any) -> Iterator[Any]:
        yield descriptor
        for nested in descriptor.nested_types:
            yield from walk(nested)

    for name in pb.names():
        descriptor = getattr(getattr(pb, name), "DESCRIPTOR", None)
        if hasattr(descriptor, "fields_by_name"):
            yield from walk(descriptor)


def enums() -> Iterator[Any]:
    for name in pb.names():
        descriptor = getattr(getattr(pb, name), "DESCRIPTOR", None)
        if hasattr(descriptor, "values_by_name"):
            yield descriptor
    for message in descriptors():
        yield from message.enum_types


def bare(full_name: str) -> str:
    return full_name.removeprefix("cryograph.wire.").removeprefix("tensorflow.")


def fields(descriptor: Any) -> dict[str, tuple[Any, ...]]:
    return {
        field.name: (
            field.number,
            field.type,
            field.is_repeated if hasattr(field, "is_repeated") else field.label,
            field.is_packed if hasattr(field, "is_packed") else None,
            field.has_presence,
            bare(field.message_type.full_name) if field.message_type else None,
            bare(field.enum_type.full_name) if field.enum_type else None,
            field.containing_oneof.name if field.containing_oneof else None,
        )
        for field in descriptor.fields
    }


def test_messages_are_tensorflows(theirs: Any) -> None:
    compared = 0
    for ours in descriptors():
        name = ours.full_name
        same = theirs.FindMessageTypeByName(name if name.startswith("google.") else f"tensorflow.{bare(name)}")
        mine = {key: value for key, value in fields(ours).items() if (ours.name, key) not in OURS_ALONE}
        assert mine == fields(same), name
        assert {n.name for n in ours.nested_types} == {n.name for n in same.nested_types}, name
        assert {e.name for e in ours.enum_types} == {e.name for e in same.enum_types}, name
        assert [o.name for o in ours.oneofs] == [o.name for o in same.oneofs], name
        assert bool(ours.GetOptions().map_entry) == bool(same.GetOptions().map_entry), name
        compared += 1
    assert compared > 100


def test_enums_are_tensorflows(theirs: Any) -> None:
    compared = 0
    for ours in enums():
        same = theirs.FindEnumTypeByName(f"tensorflow.{bare(ours.full_name)}")
        assert {v.name: v.number for v in ours.values} == {v.name: v.number for v in same.values}, ours.full_name
        compared += 1
    assert compared >= 8


def test_nothing_of_tensorflows_files_is_missing(theirs: Any) -> None:
    """Whatever stands in the files that hold a message of ours is ours as well."""
    files = {}
    for ours in descriptors():
        if not ours.full_name.startswith("google."):
            file = theirs.FindMessageTypeByName(f"tensorflow.{bare(ours.full_name)}").file
            files[file.name] = file
    assert len(files) > 25
    missing = [
        name
        for file in files.values()
        for name in [*file.message_types_by_name, *file.enum_types_by_name]
        if name not in pb.names()
    ]
    assert missing == []


@pytest.mark.parametrize("order", ["tensorflow first", "cryograph first"])
def test_one_process_holds_both(order: str) -> None:
    imports = ["import tensorflow as tf", "from cryograph.wire import messages as pb; pb.GraphDef"]
    if order == "cryograph first":
        imports.reverse()
    script = "\n".join(
        [
            *imports,
            "theirs = tf.make_tensor_proto([1.0, 2.0])",
            "ours = pb.TensorProto.FromString(theirs.SerializeToString())",
            "assert ours.dtype == pb.DT_FLOAT and ours.tensor_content == theirs.tensor_content",
            "assert str(ours) == str(theirs)",
        ]
    )
    subprocess.run([sys.executable, "-c", script], check=True)
