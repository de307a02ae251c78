"""Reading messages with their tensors left in the file: what comes out, what it costs, and what damage does."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from google.protobuf.message import DecodeError

from cryograph.base.errors import DamagedError, Error, FormatError, LimitError
from cryograph.base.files import File, MemoryFile, open_file
from cryograph.wire import messages as pb
from cryograph.wire.emit import message_bytes, message_size
from cryograph.wire.records import MAX_NESTING
from cryograph.wire.scan import kind_of, read_message
from cryograph.wire.tensor_proto import THRESHOLD, StoredTensor, tensor_of
from cryograph.wire.varint import varint

VALUES = np.arange(2000, dtype=np.float32).reshape(40, 50)


def tensor(values: np.ndarray[Any, Any] = VALUES, **fields: Any) -> pb.TensorProto:
    shape = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size) for size in values.shape])
    return pb.TensorProto(dtype=1, tensor_shape=shape, **(fields or {"tensor_content": values.tobytes()}))


def const(name: str, value: pb.TensorProto) -> pb.NodeDef:
    node = pb.NodeDef(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(value)
    node.attr["dtype"].type = 1
    return node


def record(number: int, body: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def graph_bytes(*values: pb.TensorProto) -> bytes:
    """A GraphDef with a constant of each value."""
    graph = pb.GraphDef(node=[const(f"c{number}", value) for number, value in enumerate(values)])
    return graph.SerializeToString(deterministic=True)


def read(data: bytes, kind: Any = pb.GraphDef) -> tuple[Any, dict[int, Any]]:
    return read_message(MemoryFile(data, "model.pb"), kind)


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


# --- damage


def test_a_file_cut_anywhere() -> None:
    graph = pb.GraphDef(node=[const("c", tensor()), const("d", tensor(VALUES[:1]))])
    data = graph.SerializeToString(deterministic=True)
    whole = {0, len(data)}
    end = 0
    for node in graph.node:
        end += len(record(1, node.SerializeToString()))
        whole.add(end)
    for size in [*range(200), *range(len(data) // 2, len(data), 97), *range(len(data) - 300, len(data) + 1)]:
        if size in whole:
            read(data[:size])
            continue
        with pytest.raises(DamagedError, match=r"^model\.pb: at byte \d+, .*(cut short or damaged|does not end)"):
            read(data[:size])


@pytest.mark.parametrize(
    ("data", "kind", "error", "message"),
    [
        (
            b"\x0a\xff\xff\xff\xff\x0f" + bytes(5000),
            pb.GraphDef,
            DamagedError,
            (
                "at byte 0, the field GraphDef.node says that it takes 4294967295 bytes, but the file ends after"
                " 5000. The file is cut short or damaged."
            ),
        ),
        (
            record(1, record(5, record(2, b"\x42\xff\x7f" + bytes(5000)))),
            pb.GraphDef,
            DamagedError,
            (
                "at byte 9, the field AttrValue.tensor says that it takes 16383 bytes, but the file ends after"
                " 5000. The file is cut short or damaged."
            ),
        ),
        (
            record(1, record(5, record(2, b"\x42\xff\x7f" + bytes(5000)))) + record(1, b""),
            pb.GraphDef,
            DamagedError,
            (
                "at byte 9, the field AttrValue.tensor says that it takes 16383 bytes, but the record around it"
                " ends after 5000. The file is cut short or damaged."
            ),
        ),
        (
            b"\x0a" + b"\xff" * 50,
            pb.GraphDef,
            DamagedError,
            "at byte 1, in GraphDef, a number does not end: it has more than 10 bytes.",
        ),
        (
            b"\x80",
            pb.GraphDef,
            DamagedError,
            "at byte 0, in GraphDef, a number does not end: the record ends inside of it.",
        ),
        (
            b"\x00\x01",
            pb.GraphDef,
            DamagedError,
            (
                "at byte 0, where a field of GraphDef should begin, stands the key 0, which is none (field 0,"
                " wire type 0)."
            ),
        ),
        (
            b"\x0e\x01",
            pb.GraphDef,
            DamagedError,
            (
                "at byte 0, where a field of GraphDef should begin, stands the key 14, which is none (field 1,"
                " wire type 6)."
            ),
        ),
        (
            b"\x0c",
            pb.GraphDef,
            DamagedError,
            (
                "at byte 0, where a field of GraphDef should begin, stands the key 12, which is none (field 1,"
                " wire type 4)."
            ),
        ),
        (b"\x4b\x08\x01", pb.GraphDef, DamagedError, "the group 9 in GraphDef does not end before byte 3."),
        (
            b"\x4b\x54",
            pb.GraphDef,
            DamagedError,
            (
                "at byte 1, where a field of GraphDef should begin, stands the key 84, which is none (field 10,"
                " wire type 4)."
            ),
        ),
        (
            b"\x4b" * 300,
            pb.GraphDef,
            LimitError,
            ("at byte 101, messages lie more than 100 deep in each other, which no reader of protobuf accepts."),
        ),
        (
            record(1, record(1, b"n\xff")),
            pb.GraphDef,
            DamagedError,
            "at byte 5, in NodeDef.name, stands text that is not UTF-8.",
        ),
        (
            record(1, record(1, b"name") + b"\x12\x05ab"),
            pb.GraphDef,
            DamagedError,
            (
                "at byte 8, the field NodeDef.op says that it takes 5 bytes, but the file ends after 2. The file"
                " is cut short or damaged."
            ),
        ),
        (
            record(1, record(5, record(2, record(8, record(5, b"abc"))))),
            pb.GraphDef,
            DamagedError,
            "at byte 8, TensorProto.float_val has 3 bytes, which are not numbers of 4 bytes.",
        ),
        (
            record(1, record(5, record(2, record(8, record(7, b"\x81"))))),
            pb.GraphDef,
            DamagedError,
            "at byte 11, the last number in TensorProto.int_val does not end.",
        ),
        (
            record(2, record(1, b"\x0a\xff")),
            pb.MetaGraphDef,
            DamagedError,
            "at byte 5, in NodeDef, a number does not end: the record ends inside of it.",
        ),
    ],
)
def test_damage_is_told_with_its_place(data: bytes, kind: Any, error: type[Error], message: str) -> None:
    with pytest.raises(error) as raised:
        read(data, kind)
    assert str(raised.value) == f"model.pb: {message}"


def test_messages_within_messages_without_end() -> None:
    for count in (5, MAX_NESTING, 20_000):
        body = record(8, tensor().SerializeToString())
        for _ in range(count):
            body = record(10, record(2, record(1, b"k") + record(2, body)))
            if len(body) > 1 << 20:
                break
        data = record(1, record(5, record(1, b"k") + record(2, body)))
        if count == 5:
            message, table = read(data)
            assert len(table) == 1
            assert message_bytes(message, table) == data
        else:
            with pytest.raises(LimitError, match="more than 100 deep"):
                read(data)
    small = b""
    for _ in range(200):
        small = record(10, record(2, record(2, small)))
    with pytest.raises(LimitError, match="more than 100 deep"):
        read(record(1, record(5, record(2, small))))


def test_a_lying_shape_is_an_error_when_values_are_asked_for() -> None:
    for fields, error, match in (
        ({"tensor_content": bytes(8000)}, DamagedError, "4000000000000000000 bytes, but its tensor_content has 8000"),
        ({"float_val": [1.0] * 2000}, LimitError, "lists 2000 values; repeated ones may take 2147483648 bytes"),
    ):
        proto = tensor(**fields)
        proto.tensor_shape.dim[0].size = proto.tensor_shape.dim[1].size = 10**9
        data = graph_bytes(proto)
        message, table = read(data)
        (entry,) = table.values()
        assert entry.shape == (10**9, 10**9)
        with pytest.raises(error, match=match):
            entry.numpy()
        assert message_bytes(message, table) == data


def test_a_dtype_said_twice_is_found_when_values_are_asked_for() -> None:
    body = tensor(string_val=[b"x" * 100] * 50)
    body.dtype = 7
    late = body.SerializeToString() + pb.TensorProto(dtype=9).SerializeToString()
    data = record(1, record(5, record(1, b"v") + record(2, record(8, late))))
    (entry,) = read(data)[1].values()
    with pytest.raises(DamagedError, match=r"says its dtype and shape twice: string \(40, 50\), then int64"):
        entry.numpy()


def test_a_number_of_the_table_in_a_file_points_nowhere() -> None:
    data = graph_bytes(pb.TensorProto(dtype=1, cryograph_tensor=12345))
    message, table = read(data)
    with pytest.raises(FormatError, match="stands for the tensor 12345 of a table that does not have it"):
        tensor_of(message.node[0].attr["value"].tensor, table)


# --- cost


class Counting(File):
    """A file of any size that is zeros but for its beginning, and counts what is read."""

    def __init__(self, head: bytes, size: int, tail: bytes = b"") -> None:
        self.name, self.size, self.head, self.tail = "big.pb", size, head, tail
        self.read_bytes = self.reads = 0

    def _read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        self.read_bytes += length
        data = bytearray(length)
        for start, part in ((0, self.head), (self.size - len(self.tail), self.tail)):
            first, last = max(offset, start), min(offset + length, start + len(part))
            if first < last:
                data[first - offset : last - offset] = part[first - start : last - start]
        return bytes(data)

    def _view(self, offset: int, length: int) -> memoryview:
        raise AssertionError("opening must not map the file")


def big_file(nbytes: int) -> Counting:
    """A GraphDef with one constant of `nbytes` between two nodes."""
    shape = pb.TensorProto(dtype=1, tensor_shape=pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=nbytes // 4)]))
    head, inside = b"", nbytes
    for number, before in (
        (4, shape.SerializeToString()),  # TensorProto.tensor_content
        (8, b""),  # AttrValue.tensor
        (2, record(1, b"value")),  # the value of the map's entry
        (5, record(1, b"c")),  # NodeDef.attr
        (1, record(1, record(1, b"first"))),  # GraphDef.node
    ):
        head = before + varint(number << 3 | 2) + varint(inside) + head
        inside = nbytes + len(head)
    last = record(1, record(1, b"last"))
    return Counting(head, inside + len(last), last)


def test_a_file_of_more_than_two_gigabytes_opens_by_small_reads() -> None:
    file = big_file(5 << 30)
    message, table = read_message(file, pb.GraphDef)
    assert [node.name for node in message.node] == ["first", "c", "last"]
    (entry,) = table.values()
    assert entry.nbytes == 5 << 30
    assert entry.content == file.span(len(file.head), 5 << 30)
    assert file.reads <= 3
    assert file.read_bytes < 64 << 10
    assert message_size(message, table) == file.size


def test_more_than_protobuf_can_read_is_refused_before_it_is_read() -> None:
    file = Counting(varint(99 << 3 | 2) + varint(3 << 30), 0)
    file.size = len(file.head) + (3 << 30)
    with pytest.raises(LimitError, match=r"big\.pb holds more than 2147483647 bytes besides its tensors"):
        read_message(file, pb.GraphDef)
    assert file.read_bytes < 64 << 10


MEASURE = """
import resource, sys, time
from cryograph.base.files import open_file
from cryograph.wire import messages as pb
from cryograph.wire.scan import read_message
pb.GraphDef
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
before = resident()
start = time.perf_counter()
message, table = read_message(open_file(sys.argv[1]), pb.GraphDef)
print(time.perf_counter() - start, resident() - before, len(message.node), len(table))
"""


def measure(path: Path) -> tuple[float, int, int, int]:
    """What the first opening in a process takes: seconds and growth of resident memory in bytes, the best of seven
    processes; and the counts of nodes and tensors."""
    runs = []
    for _ in range(7):
        run = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
        runs.append(run.stdout.split())
    return min(float(r[0]) for r in runs), min(int(r[1]) for r in runs), int(runs[0][2]), int(runs[0][3])


@pytest.mark.big
def test_a_hundred_megabytes_open_in_thirty_milliseconds(tmp_path: Path) -> None:
    values = np.arange(84_000, dtype=np.float32).reshape(84, 1000)
    with open(tmp_path / "frozen.pb", "wb") as out:
        for number in range(300):
            graph = pb.GraphDef(node=[const(f"scope/block_{number}/weights", tensor(values))])
            for index in range(5):
                node = graph.node.add(name=f"scope/block_{number}/op_{index}", op="Conv2D", input=["a", "b"])
                node.attr["strides"].list.i.extend([1, 2, 2, 1])
            out.write(graph.SerializeToString())
    seconds, grown, count, tensors = measure(tmp_path / "frozen.pb")
    assert (count, tensors) == (1800, 300)
    assert seconds <= 0.030
    assert grown <= 20 << 20


@pytest.mark.big
def test_a_hundred_thousand_nodes_take_at_most_eleven_times_ten_thousand(tmp_path: Path) -> None:
    took = {}
    for count in (10_000, 100_000):
        with open(tmp_path / f"{count}.pb", "wb") as out:
            for number in range(count // 2):
                graph = pb.GraphDef(node=[const(f"scope/block_{number}/weights", tensor(VALUES[:1, :4]))])
                node = graph.node.add(name=f"scope/block_{number}/op", op="Conv2D", input=["a", "b"])
                node.attr["strides"].list.i.extend([1, 2, 2, 1])
                out.write(graph.SerializeToString())
        took[count] = measure(tmp_path / f"{count}.pb")
        assert took[count][2:] == (count, 0)
    assert took[100_000][0] <= 11 * took[10_000][0]
