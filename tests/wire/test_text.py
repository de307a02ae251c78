"""The text form: what is read and printed, and the errors with their lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryograph.base.errors import Error, FormatError, LimitError, UnsupportedError
from cryograph.base.files import open_file
from cryograph.base.tensors import Tensor
from cryograph.wire import messages as pb
from cryograph.wire.emit import whole_message
from cryograph.wire.tensor_proto import proto_of, tensor_of
from cryograph.wire.text import parse_text, print_small, print_text, read_text

TEXT = r"""node {
  name: "c"
  op: "Const"
  attr {
    key: "dtype"
    value {
      type: DT_FLOAT
    }
  }
  attr {
    key: "value"
    value {
      tensor {
        dtype: DT_FLOAT
        tensor_shape {
          dim {
            size: 2
          }
        }
        float_val: 0.1
        float_val: 1e-10
      }
    }
  }
}
node {
  name: "\303\251"
  op: "NoOp"
}
versions {
  producer: 21
}
"""


def test_text_is_read_and_printed() -> None:
    message, table = parse_text(TEXT, pb.GraphDef)
    assert table == {}
    assert message.node[1].name == "é"
    values = tensor_of(message.node[0].attr["value"].tensor, table).numpy()
    np.testing.assert_array_equal(values, np.array([0.1, 1e-10], np.float32))
    assert parse_text(print_text(message, table), pb.GraphDef)[0] == message
    assert parse_text(TEXT.encode(), pb.GraphDef)[0] == message
    assert print_small(message) == print_text(message, table)


def test_big_tensors_are_printed_whole_and_read_into_the_table(tmp_path: Path) -> None:
    node = pb.NodeDef(name="c", op="Const")
    value, table = proto_of(Tensor.of(np.arange(3000, dtype=np.float32)))
    node.attr["value"].tensor.CopyFrom(value)
    graph = pb.GraphDef(node=[node])
    (tmp_path / "graph.pbtxt").write_text(print_text(graph, table), "utf-8")
    message, tensors = read_text(open_file(tmp_path / "graph.pbtxt"), pb.GraphDef)
    assert len(tensors) == 1
    assert whole_message(message, tensors) == whole_message(graph, table)


def test_an_any_is_spelled_out_under_their_name() -> None:
    meta = pb.MetaGraphDef()
    meta.meta_info_def.any_info.type_url = "type.googleapis.com/tensorflow.VariableDef"
    meta.meta_info_def.any_info.value = pb.VariableDef(variable_name="w:0").SerializeToString()
    other = meta.collection_def["c"].any_list.value.add(type_url="type.googleapis.com/my.Own", value=b"\x08\x01")
    text = print_text(meta, {})
    assert '[type.googleapis.com/tensorflow.VariableDef] {\n      variable_name: "w:0"' in text
    assert f'type_url: "{other.type_url}"' in text
    assert parse_text(text, pb.MetaGraphDef)[0].SerializeToString() == meta.SerializeToString()


def test_unknown_fields_are_not_dropped_unasked() -> None:
    graph = pb.GraphDef(node=[pb.NodeDef.FromString(b"\x0a\x01n\xa2\x06\x03abc")])
    with pytest.raises(UnsupportedError, match=r"The GraphDef has fields of a newer or other TensorFlow \(6 bytes\)"):
        print_text(graph, {})
    assert print_text(graph, {}, drop_unknown=True) == 'node {\n  name: "n"\n}\n'


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            'node {\n  name: "x"\n  colour: 3\n}\n',
            FormatError,
            (
                'g.pbtxt, line 3, column 3: not a GraphDef in text form: Message type "NodeDef" has no field named'
                ' "colour".'
            ),
        ),
        ("node {\n", FormatError, 'g.pbtxt, line 1, column 6: not a GraphDef in text form: Expected "}".'),
        (
            b"node {\n  name: '\xff'\n}",
            FormatError,
            "g.pbtxt, line 2: this is not text in UTF-8, so not a GraphDef in text form.",
        ),
        (
            "versions {\n producer: 99999999999\n}",
            FormatError,
            (
                "g.pbtxt, line 2, column 12: not a GraphDef in text form: ' producer: 99999999999': Value out of range:"
                " 99999999999."
            ),
        ),
        (
            "node { attr { key: 'v' value { i: 1 s: 'x' } } }",
            FormatError,
            (
                'g.pbtxt, line 1, column 37: not a GraphDef in text form: Field "s" is specified along with field "i",'
                ' another member of oneof "value" for message type "AttrValue".'
            ),
        ),
    ],
)
def test_errors_say_the_line(text: str | bytes, error: type[Error], message: str) -> None:
    with pytest.raises(error) as raised:
        parse_text(text, pb.GraphDef, "g.pbtxt")
    assert str(raised.value) == message


def test_long_lines_are_not_repeated_in_errors() -> None:
    text = 'node { name: "' + "x" * 10_000 + '" nme: 3 versions: DT }'
    with pytest.raises(FormatError) as raised:
        parse_text(text, pb.GraphDef, "g.pbtxt")
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("depth", [60, 150, 2000])
def test_text_that_is_nested_too_deep(depth: int) -> None:
    with pytest.raises(LimitError, match="deep in each other"):
        parse_text("list_value { values { " * depth + "} }" * depth, pb.StructuredValue)
