"""Writing messages with their tensors: sizes, streams, order, and what must not be written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from google.protobuf.message import EncodeError

from cryograph.base.dtypes import DTYPES
from cryograph.base.errors import FormatError, LimitError
from cryograph.base.files import CHUNK, MemoryFile, Span, atomic_write, open_file
from cryograph.base.tensors import Tensor
from cryograph.wire import messages as pb
from cryograph.wire.emit import message_bytes, message_size, whole_message, write_message
from cryograph.wire.scan import read_message
from cryograph.wire.tensor_proto import KEY_TAG, TensorTable, proto_of


def const(name: str, values: Any) -> tuple[pb.NodeDef, TensorTable]:
    node = pb.NodeDef(name=name, op="Const")
    value, table = proto_of(values if isinstance(values, Tensor) else Tensor.of(values))
    node.attr["value"].tensor.CopyFrom(value)
    return node, table


class Counter:
    """Counts what is written and how large the largest piece was."""

    def __init__(self) -> None:
        self.size = self.largest = 0
        self.head = b""

    def write(self, data: bytes | memoryview) -> None:
        self.size += len(data)
        self.largest = max(self.largest, len(data))
        if len(self.head) < 200:
            self.head += bytes(data[:200])


def test_tensors_of_several_tables_and_depths() -> None:
    """New ones, mapped ones, and those of two files, beside each other and inside functions."""
    values = np.arange(3000.0)
    first, table = const("first", values)
    inner, inner_table = const("inner", Tensor.mapped(DTYPES[2], (3000,), MemoryFile(values.tobytes()).span()))
    graph = pb.GraphDef(node=[first, pb.NodeDef(name="between")])
    graph.library.function.add(signature=pb.OpDef(name="f"), node_def=[inner])
    graph.versions.producer = 5
    tables = {**table, **inner_table}
    data = message_bytes(graph, tables)
    assert data.count(values.tobytes()) == 2
    parsed = pb.GraphDef.FromString(data)
    assert parsed.node[0].attr["value"].tensor.tensor_content == values.tobytes()
    assert parsed.library.function[0].node_def[0].attr["value"].tensor.tensor_content == values.tobytes()
    assert parsed.versions.producer == 5
    assert KEY_TAG not in data
    assert whole_message(graph, tables) == parsed

    read, read_table = read_message(MemoryFile(data), pb.GraphDef)
    other, other_table = read_message(MemoryFile(data), pb.GraphDef)
    read.node.extend(other.node)
    more, more_table = const("more", np.ones(5000, np.int16))
    read.node.append(more)
    data = message_bytes(read, {**read_table, **other_table, **more_table})
    assert data.count(values.tobytes()) == 3
    assert [n.name for n in pb.GraphDef.FromString(data).node] == ["first", "between", "first", "between", "more"]


def test_maps_are_written_in_the_order_of_their_keys() -> None:
    names = [f"attr{i}" for i in range(50)]
    made = []
    for order in (names, names[::-1]):
        node, table = const("n", np.zeros(3000))
        for name in order:
            node.attr[name].i = 1
        made.append(message_bytes(node, table))
    assert made[0] == made[1]


def test_a_message_that_is_a_tensor() -> None:
    values = np.arange(5000, dtype=np.int64)
    message, table = proto_of(Tensor.of(values))
    assert pb.TensorProto.FromString(message_bytes(message, table)).tensor_content == values.tobytes()
    small = pb.TensorProto(dtype=1, float_val=[1])
    assert message_bytes(small, {}) == small.SerializeToString()


def test_text_that_looks_like_our_field_is_text() -> None:
    """The search for the field finds these bytes in names and values too; only the walk decides."""
    looks = KEY_TAG + b"12345678"
    node, table = const("n", np.zeros(3000))
    node.attr["s"].s = looks
    node.attr["value2"].tensor.CopyFrom(pb.TensorProto(dtype=7, string_val=[looks]))
    node.input.append("x")
    data = message_bytes(node, table)
    parsed = pb.NodeDef.FromString(data)
    assert parsed.attr["s"].s == looks
    assert parsed.attr["value2"].tensor.string_val == [looks]
    assert len(parsed.attr["value"].tensor.tensor_content) == 24_000
    assert message_bytes(parsed, {}) == data


def test_a_number_without_its_tensor_is_not_written() -> None:
    node, _ = const("n", np.zeros(3000))
    out = Counter()
    with pytest.raises(FormatError, match=r"stands for the tensor .* of a table that does not have it"):
        write_message(out, node, {})
    assert out.size == 0


def test_a_tensor_that_gives_other_bytes_than_it_said() -> None:
    class Wrong(Tensor):
        def chunks(self, size: int = CHUNK) -> Any:
            yield b"short"

    node, table = const("n", Wrong(DTYPES[1], (2000,), array=np.zeros(2000, np.float32)))
    with pytest.raises(FormatError, match=r"gave .* while it was written"):
        write_message(Counter(), node, table)


def test_a_message_that_protobuf_cannot_hold() -> None:
    """Two gigabytes outside of the table; here only what protobuf does then."""

    class TooBig:
        DESCRIPTOR = pb.GraphDef.DESCRIPTOR

        def SerializeToString(self, deterministic: bool) -> bytes:
            raise EncodeError("Failed to serialize proto")

    with pytest.raises(
        LimitError, match=r"The GraphDef cannot be serialized.* 2147483647 bytes .* Failed to serialize"
    ):
        message_bytes(cast(Any, TooBig()), {})


def test_strings_are_streamed_too() -> None:
    words = np.array([b"word %d" % i * 20 for i in range(30_000)], object)
    node, table = const("words", words)
    assert len(table) == 1
    out = Counter()
    assert write_message(out, node, table) == out.size == message_size(node, table)
    assert out.largest < 2 * CHUNK < out.size
    assert pb.NodeDef.FromString(message_bytes(node, table)).attr["value"].tensor.string_val == words.tolist()


def test_reading_and_writing_a_file(tmp_path: Path) -> None:
    node, table = const("n", np.arange(100_000.0))
    with atomic_write(tmp_path / "a.pb") as out:
        write_message(out, pb.GraphDef(node=[node]), table)
    message, tensors = read_message(open_file(tmp_path / "a.pb"), pb.GraphDef)
    with atomic_write(tmp_path / "a.pb") as out:  # over the file that the tensors lie in
        write_message(out, message, tensors)
    message, tensors = read_message(open_file(tmp_path / "a.pb"), pb.GraphDef)
    (tensor,) = tensors.values()
    np.testing.assert_array_equal(tensor.numpy(), np.arange(100_000.0))


@pytest.mark.big
def test_more_than_two_gigabytes_are_streamed(tmp_path: Path) -> None:
    """Three tensors of 1 GiB in a file with holes: read, written into nothing, and nothing large is held."""
    with open(tmp_path / "zeros", "wb") as zeros:
        zeros.truncate(1 << 30)
    span = open_file(tmp_path / "zeros").span()
    graph, table = pb.GraphDef(), {}
    for number in range(3):
        node, added = const(f"n{number}", Tensor.mapped(DTYPES[1], (1 << 14, 1 << 14), Span(span.file, 0, 1 << 30)))
        graph.node.append(node)
        table.update(added)
    out = Counter()
    assert write_message(out, graph, table) == out.size == message_size(graph, table) > 3 << 30
    assert out.largest <= CHUNK
    assert out.head[:1] == b"\x0a"
    with pytest.raises(LimitError, match="protobuf can hold 2147483647"):
        whole_message(graph, table)


def test_write_message_takes_any_sink() -> None:
    node, table = const("n", np.zeros(3000))
    out = io.BytesIO()
    write_message(out, node, table)
    assert out.getvalue() == message_bytes(node, table)
