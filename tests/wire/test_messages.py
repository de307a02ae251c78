"""The message classes: names, laziness, unknown fields, and that they stand beside other protobuf code."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from cryograph.base.dtypes import DTYPES
from cryograph.wire import messages as pb


def test_names_are_messages_enums_and_values() -> None:
    assert pb.DT_FLOAT == 1
    assert pb.DataType.Name(101) == "DT_FLOAT_REF"
    assert pb.SaverDef.V2 == 2
    assert pb.GraphDef.DESCRIPTOR.full_name == "cryograph.wire.GraphDef"
    assert pb.Any.DESCRIPTOR.full_name == "google.protobuf.Any"
    assert pb.AttrValue.ListValue.DESCRIPTOR.full_name == "cryograph.wire.AttrValue.ListValue"
    assert pb.TrackableObjectGraph.TrackableObject.ObjectReference(node_id=3).node_id == 3
    assert {"GraphDef", "SavedModel", "DT_INT2", "BoolValue", "Example"} <= set(pb.names())
    assert set(pb.names()) <= set(dir(pb))
    with pytest.raises(AttributeError, match="no attribute 'GraphDeff'"):
        pb.GraphDeff  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError):
        pb._nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_enum_is_the_table_of_dtypes() -> None:
    assert {value.number: value.name for value in pb.DataType.DESCRIPTOR.values} == {
        number: dtype.enum_name for number, dtype in DTYPES.items()
    }


def test_a_name_is_one_class() -> None:
    node = pb.GraphDef().node.add()
    assert type(node) is pb.NodeDef
    assert type(node.attr["x"].list) is pb.AttrValue.ListValue
    assert type(pb.CollectionDef().any_list.value.add()) is pb.Any


def test_round_trip_keeps_unknown_fields_and_proto2_presence() -> None:
    unknown = bytes.fromhex("a2 06 02 68 69")  # field 100: "hi"
    node = pb.NodeDef.FromString(pb.NodeDef(name="n").SerializeToString() + unknown)
    assert node.SerializeToString() == pb.NodeDef(name="n").SerializeToString() + unknown
    copy = pb.NodeDef()
    copy.CopyFrom(node)
    assert copy.SerializeToString() == node.SerializeToString()
    value = pb.AttrValue.FromString(bytes.fromhex("30 8f 4e"))  # an enum value that we do not know: type 9999
    assert value.type == 9999
    assert value.SerializeToString() == bytes.fromhex("30 8f 4e")
    line = pb.GraphDebugInfo.FileLineCol(line=0)
    assert line.HasField("line")
    assert not line.HasField("col")


def test_our_own_field_is_far_from_theirs() -> None:
    field = pb.TensorProto.DESCRIPTOR.fields_by_name["cryograph_tensor"]
    assert field.number == 536870001
    assert pb.TensorProto(cryograph_tensor=2**64 - 1).ByteSize() == 13


def test_nothing_is_loaded_before_the_first_name() -> None:
    script = (
        "import sys, cryograph.wire.messages as pb; early = 'google.protobuf.descriptor_pool' in sys.modules;"
        "pb.GraphDef; print(early, 'google.protobuf.descriptor_pool' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]


def test_many_threads_get_one_pool() -> None:
    script = """
import sys, threading
sys.setswitchinterval(1e-6)
from cryograph.wire import messages as pb
start, found = threading.Barrier(8), []
def ask():
    start.wait()
    found.append(pb.NodeDef)
threads = [threading.Thread(target=ask) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(found) == 8 and len(set(found)) == 1, found
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
    assert threading.active_count() >= 1


def test_classes_of_the_same_names_in_the_default_pool_do_not_matter() -> None:
    """What `import tensorflow` does, in small: a `tensorflow.TensorProto` and an Any in the default pool."""
    script = """
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
if {first}:
    from cryograph.wire import messages as pb
    pb.TensorProto
file = descriptor_pb2.FileDescriptorProto(name="tensorflow/core/framework/tensor.proto", package="tensorflow")
file.message_type.add(name="TensorProto").field.add(name="dtype", number=1, type=13, label=1)
descriptor_pool.Default().Add(file) if hasattr(descriptor_pool.Default(), "Add") else descriptor_pool.Default(
    ).AddSerializedFile(file.SerializeToString())
theirs = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName("tensorflow.TensorProto"))
from cryograph.wire import messages as pb
assert pb.TensorProto is not theirs and pb.Any is not any_pb2.Any
ours = pb.TensorProto.FromString(theirs(dtype=3).SerializeToString())
assert ours.dtype == pb.DT_INT32
"""
    for first in (True, False):
        subprocess.run([sys.executable, "-c", script.format(first=first)], check=True)
