from __future__ import annotations

import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32, INT32, INT64, STRING, VARIANT, dtype_of
from cryograph.base.errors import FormatError, GraphError, UnknownNameError
from cryograph.base.tensors import Tensor
from cryograph.graph.attrs import AttrPlaceholder, FuncRef
from cryograph.graph.node import Node
from cryograph.ops import legacy, signatures
from cryograph.ops.notation import ArgSpec, AttrSpec, format_signature, parse_signature
from cryograph.wire import messages as pb


def test_a_signature_says_what_the_op_takes_and_gives() -> None:
    conv = signatures.signature("Conv2D")
    assert conv is not None
    assert conv.inputs == (ArgSpec("input", type_attr="T"), ArgSpec("filter", type_attr="T"))
    assert conv.outputs == (ArgSpec("output", type_attr="T"),)
    assert conv.attrs["padding"] == AttrSpec("padding", "string", allowed=(b"SAME", b"VALID", b"EXPLICIT"))
    assert conv.attrs["dilations"] == AttrSpec("dilations", "list(int)", True, (1, 1, 1, 1))
    assert not conv.is_stateful


def test_flags() -> None:
    said = {name: signatures.signature(name) for name in ("Assign", "AddN", "RandomUniform", "TensorArrayV2", "AddV2")}
    assert all(said.values())
    assert said["Assign"].allows_uninitialized_input
    assert said["AddN"].is_aggregate
    assert said["AddN"].is_commutative
    assert said["RandomUniform"].is_stateful
    assert said["TensorArrayV2"].deprecated == 26
    assert said["AddV2"].deprecated == 0


def test_all_lines_parse_and_are_written_back_the_same() -> None:
    names = signatures.op_names()
    assert len(names) == 1910
    lines = signatures.registered_lines()
    assert list(lines) == names
    assert [n for n in names if format_signature(parse_signature(lines[n])) != lines[n]] == []


def test_all_legacy_lines_parse_and_are_written_back_the_same() -> None:
    held = legacy.legacy_lines()
    assert [x for lines in held.values() for x in lines if format_signature(parse_signature(x)) != x] == []
    assert [name for name in held if signatures.signature(name) is None] == []


@pytest.mark.parametrize(
    "op",
    [
        "Resampler", "GatherTree", "Addons>Resampler", "FusedConv2DBiasActivation", "TRTEngineOp", "ZeroInitializer",
        "ImageProjectiveTransform", "BlockLSTM", "BlockLSTMV2", "LSTMBlockCell", "GRUBlockCell",
        "BatchNormWithGlobalNormalization", "TensorArray", "TensorArrayV2", "TensorArrayReadV2", "TensorArrayPack",
    ],
)  # fmt: skip
def test_ops_of_old_files_are_known(op: str) -> None:
    assert signatures.signature(op) is not None


def test_every_declared_name_refers_to_a_declared_attribute() -> None:
    wrong = []
    for op in [*signatures.op_names(), *signatures.op_names(legacy=True)]:
        known = signatures.signature(op)
        for arg in (*known.inputs, *known.outputs):
            kinds = {arg.type_attr: "type", arg.number_attr: "int", arg.type_list_attr: "list(type)"}
            kinds.pop("", None)
            if any(name not in known.attrs or known.attrs[name].kind != kind for name, kind in kinds.items()):
                wrong.append((op, arg.name))
            if (arg.dtype is not None) + bool(arg.type_attr) + bool(arg.type_list_attr) != 1:
                wrong.append((op, arg.name))
    assert wrong == []


def test_unknown_op() -> None:
    assert signatures.signature("Conv2d") is None
    assert signatures.default_attrs("Conv2d") == {}
    with pytest.raises(UnknownNameError, match=r"'Conv2d'.*Conv2D"):
        signatures.output_types("Conv2d", {})


def test_types_follow_the_attributes() -> None:
    assert signatures.output_types("MatMul", {"T": FLOAT32}) == [FLOAT32]
    assert signatures.output_types("ArgMax", {"T": FLOAT32}) == [INT64]  # by default
    assert signatures.output_types("ArgMax", {"T": FLOAT32, "output_type": INT32}) == [INT32]
    assert signatures.input_types("Pack", {"N": 3, "T": INT32}) == [INT32] * 3
    assert signatures.output_types("Split", {"num_split": 2, "T": FLOAT32}) == [FLOAT32, FLOAT32]
    assert signatures.output_types("If", {"Tcond": INT32, "Tin": [], "Tout": [INT64, STRING]}) == [INT64, STRING]
    assert signatures.number_of_outputs("IdentityN", {"T": [FLOAT32, INT32, STRING]}) == 3
    assert signatures.number_of_inputs("ConcatV2", {"N": 4, "T": FLOAT32}) == 5
    assert signatures.output_types("NoOp", {}) == []


def test_references_are_told_apart() -> None:
    assert signatures.output_types("VariableV2", {"dtype": FLOAT32, "shape": ()}) == [FLOAT32.as_ref]
    assert signatures.input_types("Assign", {"T": FLOAT32}) == [FLOAT32.as_ref, FLOAT32]
    assert signatures.output_types("RefSwitch", {"T": INT32}) == [INT32.as_ref, INT32.as_ref]
    assert signatures.output_types("TensorArrayV2", {"dtype": FLOAT32}) == [STRING]
    assert signatures.output_types("TensorListReserve", {"element_dtype": FLOAT32, "shape_type": INT32}) == [VARIANT]


def test_named_outputs_become_numbers() -> None:
    attrs = {
        "num_sparse": 2, "sparse_types": [INT64, STRING], "Tdense": [FLOAT32], "ragged_value_types": [INT64],
        "ragged_split_types": [INT64], "dense_shapes": [(2,)],
    }  # fmt: skip
    ranges = signatures.output_arg_ranges("ParseExampleV2", attrs)
    assert ranges["sparse_indices"] == range(2)
    assert ranges["sparse_values"][1] == 3
    assert ranges["dense_values"] == range(6, 7)
    assert ranges["ragged_row_splits"][0] == 8
    assert signatures.number_of_outputs("ParseExampleV2", attrs) == 9
    assert signatures.input_arg_ranges("ParseExampleV2", attrs)["dense_defaults"] == range(5, 6)


@pytest.mark.parametrize(
    ("op", "attrs", "message"),
    [
        ("MatMul", {}, "MatMul: the attribute 'T' is missing, and it has no default."),
        ("MatMul", {"T": 3}, "MatMul: the attribute 'T' is 3, where a dtype was expected."),
        ("MatMul", {"T": AttrPlaceholder("T")}, "MatMul: the attribute 'T' is a placeholder for 'T', where a dtype"),
        ("Split", {"T": FLOAT32, "num_split": -1}, "'num_split' is -1, where a number from 0 to 1048576 was expected."),
        ("Split", {"T": FLOAT32, "num_split": 10**18}, "where a number from 0 to 1048576 was expected."),
        ("IdentityN", {"T": FLOAT32}, "IdentityN: the attribute 'T' is float32, where a list of dtypes was expected."),
    ],
)
def test_attributes_that_say_nothing(op: str, attrs: dict[str, object], message: str) -> None:
    with pytest.raises(GraphError) as caught:
        signatures.output_types(op, attrs)
    assert message in str(caught.value)


def test_defaults_are_python_values_and_fresh() -> None:
    assert signatures.default_attrs("Conv2D") == {
        "use_cudnn_on_gpu": True,
        "explicit_paddings": [],
        "data_format": b"NHWC",
        "dilations": [1, 1, 1, 1],
    }
    signatures.default_attrs("Conv2D")["dilations"].append(2)
    assert signatures.default_attrs("Conv2D")["dilations"] == [1, 1, 1, 1]
    assert signatures.default_attrs("Placeholder") == {"shape": None}
    assert signatures.default_attrs("FusedBatchNormV3")["epsilon"] == float(np.float32(1e-4))
    assert signatures.default_attrs("PrintV2")["end"] == b"\n"
    assert signatures.default_attrs("TRTEngineOp")["segment_func"] == FuncRef("")
    colour = signatures.default_attrs("ImageSummary")["bad_color"]
    assert isinstance(colour, Tensor)
    assert colour.dtype == dtype_of("uint8")
    assert colour.numpy().tolist() == [255, 0, 0, 255]


def test_a_node_gets_the_form_that_it_was_written_for() -> None:
    new = Node.make("n", "TensorListStack", ["l", "shape"], {"element_dtype": FLOAT32, "num_elements": -1})
    old = Node.make("n", "TensorListStack", ["l", "^wait"], {"element_dtype": FLOAT32, "num_elements": -1})
    assert [arg.name for arg in signatures.signature_of(new).inputs] == ["input_handle", "element_shape"]
    assert [arg.name for arg in signatures.signature_of(old).inputs] == ["input_handle"]
    pool = Node.make("n", "MaxPoolWithArgmax", ["x"], {"ksize": [1] * 4, "strides": [1] * 4, "padding": "SAME"})
    assert signatures.output_types(signatures.signature_of(pool), pool.attrs) == [FLOAT32, INT64]
    tree = Node.make("n", "GatherTree", ["a", "b", "c"], {"T": INT32})
    assert len(signatures.signature_of(tree).inputs) == 3
    odd = Node.make("n", "GatherTree", ["a"], {"T": INT32})
    assert signatures.signature_of(odd) == signatures.signature("GatherTree")
    assert signatures.signature_of(Node.make("n", "my_function_12", ["a"])) is None


def test_the_signature_of_a_function() -> None:
    proto = pb.OpDef(name="f", is_stateful=True, control_output=["done"])
    proto.input_arg.add(name="x", type=1)
    proto.output_arg.add(name="y", type_attr="T")
    proto.attr.add(name="T", type="type")
    known = signatures.of_op_def(proto)
    assert known.inputs == (ArgSpec("x", FLOAT32),)
    assert known.control_outputs == ("done",)
    assert known.is_stateful
    assert signatures.output_types(known, {"T": INT32}) == [INT32]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("MatMul", "This is not the signature of an op: 'MatMul'"),
        ("Op(x) -> ()", "This is not an argument of an op: 'x'"),
        ("Op() -> () {a}", "This is not an attribute of an op: 'a'"),
        ("Op() -> () quick", "In the signature of Op: 'quick' is not one of stateful"),
    ],
)
def test_lines_that_do_not_follow_the_notation(line: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_signature(line)
    assert message in str(caught.value)


@pytest.mark.big
def test_the_table_is_small_and_quick() -> None:
    path = Path(signatures.__file__).with_name("signatures.bin")
    assert path.stat().st_size < 64_000
    assert len(zlib.decompress(path.read_bytes())) < 512_000
    signatures.registered_lines.cache_clear()
    start = time.process_time()
    signatures.registered_lines()
    assert time.process_time() - start < 1  # about 2 ms on an idle machine
    signatures.signature("Conv2D")
    start = time.process_time()
    for _ in range(1000):
        signatures.signature("Conv2D")
    assert time.process_time() - start < 1  # about 1 us each
