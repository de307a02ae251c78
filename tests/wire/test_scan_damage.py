"""Reading messages that are damaged or lie: one error each, with its place, and no more memory than the file."""

from __future__ import annotations

from typing import Any

import pytest

from cryograph.base.errors import DamagedError, Error, FormatError, LimitError
from cryograph.wire import messages as pb
from cryograph.wire.emit import message_bytes
from cryograph.wire.records import MAX_NESTING
from cryograph.wire.tensor_proto import tensor_of
from tests.support.wire_messages import VALUES, const, graph_bytes, read, record, tensor


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
        (
            record(2, b"\x0a") + record(2, b"more"),
            pb.MetaGraphDef,
            DamagedError,
            (
                "at byte 2, the field GraphDef.node says that it takes 18 bytes, but the record around it ends after 0."
                " The file is cut short or damaged."
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
