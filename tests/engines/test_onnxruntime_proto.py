"""The ONNX messages that we write: ONNX's own field numbers, valid by its checker, every kind of attribute."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.checker
import onnx.onnx_ml_pb2 as theirs
import pytest

from cryograph.base.dtypes import FLOAT32, INT64, STRING
from cryograph.base.tensors import Tensor
from cryograph.engines.onnxruntime.engine import lowered
from cryograph.engines.onnxruntime.kernels import _registry as kernels_of
from cryograph.engines.onnxruntime.proto import INLINE, IR_VERSIONS, model_proto
from cryograph.engines.onnxruntime.values import ELEMENT_TYPES, LEARNING, OPSET, TEXT_OPSET, OnnxGraph, OnnxNode, Value
from cryograph.program.build import build_program
from cryograph.program.program import Program, Spec, Step
from cryograph.wire import onnx_messages as ours
from tests.support.small_graphs import const, document_of, node, placeholder


@pytest.mark.parametrize("name", ours.names())
def test_fields_are_those_of_onnx(name: str) -> None:
    check(getattr(ours, name).DESCRIPTOR, theirs.DESCRIPTOR.message_types_by_name[name])


def repeated(field: Any) -> bool:
    """Protobuf before 6.31 has the label only; later ones warn of it."""
    return bool(field.is_repeated) if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED


def packed(field: Any) -> bool:
    """Protobuf before 5 has the option only, which both schemas state where it is on."""
    return bool(field.is_packed) if hasattr(field, "is_packed") else field.GetOptions().packed


def check(mine: Any, other: Any) -> None:
    for field in mine.fields:
        twin = other.fields_by_name[field.name]
        assert (field.number, field.type, repeated(field)) == (twin.number, twin.type, repeated(twin))
        assert packed(field) == packed(twin)
        assert (field.containing_oneof is None) == (twin.containing_oneof is None)
    for enum in mine.enum_types:
        values = {value.name: value.number for value in other.enum_types_by_name[enum.name].values}
        assert {value.name: value.number for value in enum.values}.items() <= values.items()
    for nested in mine.nested_types:
        check(nested, other.nested_types_by_name[nested.name])


def test_element_types_are_those_of_onnx() -> None:
    for dtype, number in ELEMENT_TYPES.items():
        name = onnx.TensorProto.DataType.Name(number).lower()
        assert {"float": "float32", "double": "float64"}.get(name, name) == dtype.name


def reread(model: Any) -> Any:
    return onnx.ModelProto.FromString(model.SerializeToString())


def test_a_lowered_model_is_valid() -> None:
    weights = np.random.default_rng(1).normal(size=(3, 3, 3, 8)).astype(np.float32)
    document = document_of(
        placeholder("x", (None, 8, 8, 3)),
        const("w", weights),
        const("b", np.arange(8.0)),
        node("conv", "Conv2D", "x", "w", T=FLOAT32, strides=[1, 2, 2, 1], padding="SAME"),
        node("bias", "BiasAdd", "conv", "b", T=FLOAT32),
    )
    model, external = model_proto(lowered(build_program(document, ["bias"])))
    assert list(external) == ["w:0"]
    assert external["w:0"].nbytes > INLINE
    for initializer in model.graph.initializer:
        if initializer.name in external:
            assert initializer.data_location == ours.TensorProto.EXTERNAL
            del initializer.external_data[:]
            initializer.data_location = ours.TensorProto.DEFAULT
            initializer.raw_data = b"".join(bytes(piece) for piece in external[initializer.name].chunks())
    other = reread(model)
    onnx.checker.check_model(other, full_check=True)
    assert other.ir_version == IR_VERSIONS[OPSET]
    assert [(entry.domain, entry.version) for entry in other.opset_import] == [("", OPSET)]
    assert [value.name for value in other.graph.input] == ["x:0"]
    sizes = other.graph.input[0].type.tensor_type.shape.dim
    assert [size.dim_value if size.HasField("dim_value") else None for size in sizes] == [None, 8, 8, 3]


def test_a_model_of_strings_has_the_operator_set_that_came_with_them() -> None:
    words = np.array([b"a", "é".encode(), b"c\0d"], object)
    program = Program(
        ("x:0",),
        ("places:0",),
        (
            Step("join", "StringJoin", ("x:0", "end:0"), ("joined:0",), {"N": 2, "separator": b"-"}),
            Step("find", "LookupTableFindV2", ("keys:0", "values:0", "joined:0", "none:0"), ("places:0",), {}),
        ),
        {
            "keys:0": Tensor.of(words),
            "values:0": Tensor.of(np.array([7, 8, 9])),
            "none:0": Tensor.of(np.array(-1)),
            "end:0": Tensor.of(np.array(b"", object)),
        },
        {"x:0": Spec(STRING, (None,)), "joined:0": Spec(STRING, (None,)), "places:0": Spec(INT64, (None,))},
    )
    model, external = model_proto(lowered(program))
    assert not external
    other = reread(model)
    onnx.checker.check_model(other, full_check=True)
    assert other.ir_version == IR_VERSIONS[TEXT_OPSET]
    assert [(entry.domain, entry.version) for entry in other.opset_import] == [("", TEXT_OPSET), (LEARNING, 4)]


def test_the_higher_operator_set_has_all_kernels_of_ours() -> None:
    changed = {"DFT", "GridSample"}  # which say otherwise there what they do; no lowering uses them
    for key, kernels in kernels_of(OPSET).items():
        if not key[0] and key[1] not in changed:
            higher = [kernel.type_constraints for kernel in kernels_of(TEXT_OPSET)[key]]
            for kernel in kernels:
                kinds = kernel.type_constraints.items()
                assert any(all(set(types) <= set(h.get(name, types)) for name, types in kinds) for h in higher), key


def test_every_kind_of_attribute() -> None:
    body = OnnxGraph([], ["y"], [OnnxNode("Identity", ["x"], ["y"])], {}, {"y": Value("y", FLOAT32, None)})
    attrs = {
        "int": 3,
        "flag": True,
        "float": 0.5,
        "numpy_float": np.float32(0.25),
        "text": "asymmetric",
        "bytes": b"raw",
        "ints": [1, 2],
        "none": [],
        "floats": [0.5, 2.0],
        "words": ["a", "b"],
        "tensor": Tensor.of(np.asarray([1, 2], np.int64)),
        "graph": body,
    }
    graph = OnnxGraph(
        ["x"],
        ["z"],
        [OnnxNode("Op", ["x"], ["z"], attrs, "com.microsoft")],
        {},
        {"x": Value("x", FLOAT32, ()), "z": Value("z", FLOAT32, (1, None))},
    )
    model, external = model_proto(graph)
    assert external == {}
    other = reread(model)
    (made,) = other.graph.node
    assert made.domain == "com.microsoft"
    assert {(entry.domain, entry.version) for entry in other.opset_import} == {("", OPSET), ("com.microsoft", 1)}
    said = {a.name: onnx.helper.get_attribute_value(a) for a in made.attribute}
    assert said["int"] == 3
    assert said["flag"] == 1
    assert said["float"] == 0.5
    assert said["numpy_float"] == 0.25
    assert said["text"] == b"asymmetric"
    assert said["bytes"] == b"raw"
    assert list(said["ints"]) == [1, 2]
    assert list(said["none"]) == []
    assert list(said["floats"]) == [0.5, 2.0]
    assert list(said["words"]) == [b"a", b"b"]
    assert onnx.numpy_helper.to_array(said["tensor"]).tolist() == [1, 2]
    assert said["graph"].node[0].op_type == "Identity"
    assert not said["graph"].output[0].type.tensor_type.HasField("shape")


def test_the_same_program_gives_the_same_bytes() -> None:
    document = document_of(placeholder("x", (2,)), const("c", [1.0, 2.0]), node("y", "Add", "x", "c", T=FLOAT32))
    made = [model_proto(lowered(build_program(document, ["y"])))[0].SerializeToString() for _ in range(2)]
    assert made[0] == made[1]


def test_unknown_sizes_of_inputs_have_names_of_their_own() -> None:
    graph = document_of(
        placeholder("x", (None, 3)), placeholder("y", (None, None)), node("sum", "AddV2", "x", "y", T=FLOAT32)
    )
    model, _ = model_proto(lowered(build_program(graph, ["sum"])))
    named = {
        given.name: [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim]
        for given in model.graph.input
    }
    (x, first), (y, second) = named.items()
    assert first == [f"{x}[0]", 3]
    assert second == [f"{y}[0]", f"{y}[1]"]
