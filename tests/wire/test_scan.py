"""Reading messages with their tensors left in the file: what comes out, what it costs, and what damage does."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from google.protobuf.message import DecodeError

from cryograph.base.errors import DamagedError, Error, FormatError
from cryograph.base.files import MemoryFile, open_file
from cryograph.wire import messages as pb
from cryograph.wire.emit import message_bytes, message_size
from cryograph.wire.scan import kind_of, read_message
from cryograph.wire.tensor_proto import THRESHOLD, StoredTensor, tensor_of
from cryograph.wire.varint import varint
from tests.support.wire_messages import VALUES, const, graph_bytes, read, record, tensor

# --- what comes out


def places() -> list[tuple[str, Any]]:
    """One message for each place in which a tensor can lie."""
    node = const("c", tensor())
    graph = pb.GraphDef(node=[pb.NodeDef(name="before"), node, pb.NodeDef(name="after")])
    function = pb.FunctionDef(signature=pb.OpDef(name="f"), node_def=[node])
    function.attr["a"].tensor.CopyFrom(tensor())
    function.arg_attr[3].attr["b"].tensor.CopyFrom(tensor())
    default = pb.OpDef(name="op", attr=[pb.OpDef.AttrDef(name="d", default_value=pb.AttrValue(tensor=tensor()))])
    listed = pb.NodeDef(name="list")
    listed.attr["l"].list.tensor.extend([tensor(), tensor()])
    called = pb.NodeDef(name="func")
    called.attr["f"].func.attr["x"].func.attr["y"].tensor.CopyFrom(tensor())
    meta = pb.MetaGraphDef(graph_def=graph)
    meta.signature_def["s"].defaults["x"].CopyFrom(tensor())
    meta.meta_info_def.stripped_op_list.op.append(default)
    structure = pb.StructuredValue()
    structure.dict_value.fields["k"].list_value.values.add().numpy_value.CopyFrom(tensor())
    meta.object_graph_def.concrete_functions["f"].output_signature.CopyFrom(structure)
    return [
        ("a node", graph),
        ("a function", pb.GraphDef(library=pb.FunctionDefLibrary(function=[function]))),
        ("the default of an op", pb.OpList(op=[default])),
        ("a list of tensors", pb.GraphDef(node=[listed])),
        ("a call within a call", pb.GraphDef(node=[called])),
        ("a MetaGraphDef", meta),
        ("a SavedModel", pb.SavedModel(meta_graphs=[meta, meta])),
        ("a structure", structure),
        ("a V1 checkpoint", pb.SavedTensorSlices(data=pb.SavedSlice(name="w", data=tensor()))),
    ]


@pytest.mark.parametrize("place", places(), ids=lambda p: p[0])
def test_tensors_stay_in_the_file_wherever_they_are(place: tuple[str, Any]) -> None:
    whole = place[1]
    data = whole.SerializeToString(deterministic=True)
    message, table = read(data, type(whole))
    count = data.count(VALUES.tobytes())
    assert len(table) == count >= 1
    assert message.ByteSize() < len(data) - count * (VALUES.nbytes - 20)
    for entry in table.values():
        assert isinstance(entry, StoredTensor)
        assert entry.shape == (40, 50)
        assert entry.content is not None
        np.testing.assert_array_equal(entry.numpy(), VALUES)
    assert message_bytes(message, table) == data
    assert message_size(message, table) == len(data)


def test_small_tensors_stay_in_the_message() -> None:
    data = graph_bytes(tensor(VALUES[:2]))
    message, table = read(data)
    assert table == {}
    assert message.SerializeToString(deterministic=True) == data


def test_the_skeleton_says_dtype_shape_and_version() -> None:
    proto = tensor()
    proto.version_number = 7
    proto.tensor_shape.dim[1].name = "named"
    message, table = read(graph_bytes(proto))
    skeleton = message.node[0].attr["value"].tensor
    ((key, entry),) = table.items()
    assert skeleton.cryograph_tensor == key
    assert skeleton.version_number == 7
    assert skeleton.tensor_shape == proto.tensor_shape
    assert tensor_of(skeleton, table) is entry


def test_a_part_of_a_file_is_a_source() -> None:
    data = graph_bytes(tensor())
    file = MemoryFile(b"before" + data + b"\xff" * 9, "model.pb")
    message, table = read_message(file.span(6, len(data)), pb.GraphDef)
    (entry,) = table.values()
    np.testing.assert_array_equal(entry.numpy(), VALUES)
    assert message_bytes(message, table) == data
    with pytest.raises(DamagedError, match=r"model\.pb: at byte 6, .* but the record around it ends after"):
        read_message(file.span(6, len(data) - 1), pb.GraphDef)


def test_two_readings_share_no_numbers() -> None:
    data = graph_bytes(tensor(), tensor())
    first, second = read(data)[1], read(data)[1]
    assert len({*first, *second}) == 4


@pytest.mark.parametrize(
    ("dtype", "fields", "is_view"),
    [
        (1, {"float_val": VALUES.ravel().tolist()}, True),
        (2, {"double_val": VALUES.ravel().tolist()}, True),
        (8, {"scomplex_val": np.repeat(VALUES.ravel(), 2).tolist()}, True),
        (18, {"dcomplex_val": np.repeat(VALUES.ravel(), 2).tolist()}, True),
        (1, {"float_val": VALUES.ravel()[:1999].tolist()}, False),
        (3, {"int_val": [2**31 - 1] * 2000}, False),
        (9, {"int64_val": [-1] * 2000}, False),
        (10, {"bool_val": [True] * 1999 + [False], "int_val": [2**31 - 1] * 500}, False),
        (7, {"string_val": [b"text"] * 2000}, False),
        (1, {"float_val": [1.0], "double_val": [1.0] * 2000}, False),
    ],
)
def test_lists_are_views_where_they_are_runs_of_raw_values(dtype: int, fields: dict[str, Any], is_view: bool) -> None:
    proto = tensor(**fields)
    proto.dtype = dtype
    data = graph_bytes(proto)
    message, table = read(data)
    (entry,) = table.values()
    assert (entry.content is not None) == is_view
    assert entry.dtype.number == dtype
    np.testing.assert_array_equal(entry.numpy(), tensor_of(proto, {}).numpy())
    assert message_bytes(message, table) == data


def test_a_view_of_a_file_copies_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.pb"
    path.write_bytes(graph_bytes(tensor()))
    (entry,) = read_message(open_file(path), pb.GraphDef)[1].values()
    values = entry.numpy()
    assert not values.flags.owndata
    assert not values.flags.writeable
    np.testing.assert_array_equal(values, VALUES)


def test_odd_but_lawful_writers() -> None:
    """Lists one value a record, values before the dtype, parts of a message in two records, groups, long varints."""
    single = b"".join(bytes([5 << 3 | 5]) + v.tobytes() for v in VALUES.ravel())
    head = pb.TensorProto(dtype=1, tensor_shape=tensor().tensor_shape).SerializeToString()
    content = record(4, VALUES.tobytes())
    group = bytes([50 << 3 & 0x7F | 0x80 | 3, 50 >> 4]) + b"\x08\x01" + bytes([50 << 3 & 0x7F | 0x80 | 4, 50 >> 4])
    shape = tensor().tensor_shape
    halves = [pb.TensorProto(tensor_shape=pb.TensorShapeProto(dim=[dim])).SerializeToString() for dim in shape.dim]
    long_length = bytes([4 << 3 | 2]) + b"\xc0\xbe\x80\x00" + VALUES.tobytes()  # 8000 in four bytes
    assert len(varint(VALUES.nbytes)) == 2
    for body in (
        head + single,
        content + head,
        head + content + group,
        head + group + content,
        head[:2] + halves[0] + halves[1] + content,
        head + record(4, b"short") + content,
        head + content + record(99, b"unknown"),
        head + long_length,
    ):
        data = record(1, record(1, b"c") + record(5, record(1, b"value") + record(2, record(8, body))))
        message, table = read(data)
        expected = pb.GraphDef.FromString(data).node[0].attr["value"].tensor
        np.testing.assert_array_equal(tensor_of(expected, {}).numpy(), VALUES)
        (entry,) = table.values()
        np.testing.assert_array_equal(entry.numpy(), VALUES)
        assert body in message_bytes(message, table)


def test_shapes_that_no_tensor_has_stay_in_the_message() -> None:
    for change in ("unknown_rank", "negative", "rank"):
        proto = tensor()
        if change == "unknown_rank":
            del proto.tensor_shape.dim[:]
            proto.tensor_shape.unknown_rank = True
        elif change == "negative":
            proto.tensor_shape.dim[0].size = -1
        else:
            proto.tensor_shape.dim.extend([pb.TensorShapeProto.Dim(size=1)] * 300)
        whole = pb.GraphDef(node=[const("c", proto)])
        message, table = read(whole.SerializeToString())
        assert table == {}
        assert message == whole
        with pytest.raises(FormatError, match="where a wholly known one"):
            tensor_of(message.node[0].attr["value"].tensor, table)


def test_resources_and_variants_are_kept() -> None:
    for number, field in ((20, "resource_handle_val"), (21, "variant_val"), (999, "string_val")):
        proto = pb.TensorProto(dtype=number, tensor_shape=pb.TensorShapeProto())
        if field == "string_val":
            proto.string_val.append(bytes(5000))
        else:
            value = getattr(proto, field).add()
            setattr(value, "name" if number == 20 else "type_name", "n" * 5000)
        whole = pb.GraphDef(node=[const("c", proto)])
        message, table = read(whole.SerializeToString())
        (entry,) = table.values()
        assert entry.dtype.number == number
        with pytest.raises(Error, match="no values that can be shown"):
            entry.numpy()
        assert pb.GraphDef.FromString(message_bytes(message, table)) == whole


def test_the_table_of_fields_follows_the_descriptors() -> None:
    graph = kind_of("cryograph.wire.GraphDef")
    assert {number: inner.name for number, inner in graph.fields.items()} == {1: "NodeDef", 2: "FunctionDefLibrary"}
    assert set(graph.fields[1].fields) == {5}
    assert graph.fields[1].fields[5].fields[2].fields[8].is_tensor
    assert kind_of("cryograph.wire.BundleEntryProto").fields == {}
    assert kind_of("cryograph.wire.TensorProto").fields == {}


# --- every message that protobuf can make

names = st.text(alphabet="abcé/:", max_size=12)
small_arrays = st.integers(0, 3000).map(lambda n: np.arange(n, dtype=np.float32))


@st.composite
def attr_values(draw: st.DrawFn, depth: int = 2) -> pb.AttrValue:
    kind = draw(st.sampled_from(["i", "s", "f", "tensor", "tensor", "shape", "list", "func"]))
    value = pb.AttrValue()
    if kind == "i":
        value.i = draw(st.integers(-(2**63), 2**63 - 1))
    elif kind == "s":
        value.s = draw(st.binary(max_size=40)) * draw(st.sampled_from([1, 500]))
    elif kind == "f":
        value.f = draw(st.floats(width=32))
    elif kind == "tensor" or depth == 0:
        array = draw(small_arrays)
        if draw(st.booleans()):
            value.tensor.CopyFrom(tensor(array))
        else:
            value.tensor.CopyFrom(tensor(array, float_val=array.tolist()))
    elif kind == "shape":
        value.shape.dim.add().size = draw(st.integers(-1, 9))
    elif kind == "list":
        value.list.tensor.extend(tensor(a) for a in draw(st.lists(small_arrays, max_size=3)))
        value.list.s.extend(draw(st.lists(st.binary(max_size=30), max_size=3)))
    else:
        value.func.name = draw(names)
        for name in draw(st.lists(names, max_size=2)):
            value.func.attr[name].CopyFrom(draw(attr_values(depth - 1)))
    return value


@st.composite
def nodes(draw: st.DrawFn) -> pb.NodeDef:
    node = pb.NodeDef(name=draw(names), op=draw(names), input=draw(st.lists(names, max_size=3)))
    for name in draw(st.lists(names, max_size=3)):
        node.attr[name].CopyFrom(draw(attr_values()))
    node.MergeFromString(
        draw(st.sampled_from([b"", b"\xa2\x06\x03\x01\x02\x03", b"\xa5\x06abcd", b"\xa3\x06\xa4\x06"]))
    )
    return node


@st.composite
def graphs(draw: st.DrawFn) -> pb.GraphDef:
    graph = pb.GraphDef(node=draw(st.lists(nodes(), max_size=4)))
    for body in draw(st.lists(st.lists(nodes(), max_size=2), max_size=2)):
        graph.library.function.add(signature=pb.OpDef(name="f"), node_def=body)
    return graph


@hypothesis.given(graphs())
def test_any_graph_comes_back(graph: pb.GraphDef) -> None:
    data = graph.SerializeToString(deterministic=True)
    message, table = read(data)
    assert message_bytes(message, table) == data
    assert all(entry.record.length > THRESHOLD for entry in table.values())


@hypothesis.given(graphs(), st.randoms(use_true_random=False))
def test_mutations_are_read_or_refused_with_an_error_of_ours(graph: pb.GraphDef, chance: random.Random) -> None:
    data = bytearray(graph.SerializeToString(deterministic=True))
    for _ in range(chance.randint(1, 4)):
        if data:
            place = chance.randrange(min(len(data), chance.choice([40, len(data)])) or 1)
            if chance.random() < 0.7:
                data[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
            else:
                del data[place : place + chance.randint(1, 9)]
    try:
        message, table = read(bytes(data))
    except Error:
        with pytest.raises((DecodeError, UnicodeDecodeError)):
            pb.GraphDef.FromString(bytes(data))
        return
    assert message_size(message, table) == len(message_bytes(message, table))
    for entry in table.values():
        with contextlib.suppress(Error):
            entry.numpy()
