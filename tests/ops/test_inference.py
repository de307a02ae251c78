from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, INT64, RESOURCE, VARIANT
from cryograph.base.errors import GraphError, UnknownNameError
from cryograph.base.shapes import Shape
from cryograph.base.tensors import Tensor
from cryograph.graph.attrs import FuncRef
from cryograph.graph.graph import Function, Graph
from cryograph.graph.node import Node
from cryograph.ops import infer_rules
from cryograph.ops.infer_values import VALUES
from cryograph.ops.inference import CALLING, infer
from cryograph.ops.signatures import signature
from cryograph.wire import messages as pb

from .graphs import constant, graph, placeholder, single


def shape_of(op: str, inputs: list[str], **attrs: Any) -> Shape:
    return infer(single(op, inputs, attrs)).shape("op:0")


def function(name: str, inputs: dict[str, Any], outputs: dict[str, Any], nodes: list[Node], **returns: str) -> Function:
    proto = pb.FunctionDef()
    proto.signature.name = name
    for side, args in ((proto.signature.input_arg, inputs), (proto.signature.output_arg, outputs)):
        for arg, dtype in args.items():
            side.add(name=arg, type=dtype.number)
    for result, tensor in returns.items():
        proto.ret[result] = tensor
    return Function(proto, nodes)


# The tables


def test_each_op_stands_in_one_family() -> None:
    seen: dict[str, str] = {}
    for family in infer_rules.FAMILIES:
        for op in family.INFER:
            assert op not in seen, f"{op} stands in {seen.get(op)} and {family.__name__}"
            seen[op] = family.__name__
    assert len(seen) > 700


def test_tables_name_ops_that_exist() -> None:
    assert [op for op in (*infer_rules.INFER, *VALUES, *CALLING) if signature(op) is None] == []


def test_calling_ops_have_no_rule_of_their_own() -> None:
    assert set(CALLING) & set(infer_rules.INFER) == set()


# Single ops


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "expected"),
    [
        ("AddV2", ["float32[?,1,3]", "float32[4,1]"], {"T": FLOAT32}, (None, 4, 3)),
        ("MatMul", ["float32[?,3]", "float32[5,3]"], {"T": FLOAT32, "transpose_b": True}, (None, 5)),
        ("Reshape", ["float32[?,4,2]", "int32=[-1,8]"], {"T": FLOAT32}, (None, 8)),
        ("Reshape", ["float32[3,4,2]", "int32=[-1,8]"], {"T": FLOAT32}, (3, 8)),
        ("Reshape", ["float32", "int32~[null,8]"], {"T": FLOAT32}, (None, 8)),
        ("Reshape", ["float32[0,4]", "int32=[0,-1]"], {"T": FLOAT32}, (0, None)),
        ("Tile", ["float32[?,2]", "int32=[0,3]"], {"T": FLOAT32}, (0, 6)),
        ("Mean", ["float32[?,7,7,64]", "int32=[1,-2]"], {"T": FLOAT32, "keep_dims": True}, (None, 1, 1, 64)),
        ("Range", ["int32=0", "int32=10", "int32=3"], {"Tidx": INT32}, (4,)),
        ("Range", ["int32=10", "int32=0", "int32=-4"], {"Tidx": INT32}, (3,)),
        ("Range", ["float32=0", "float32=1", "float32=0.1"], {"Tidx": FLOAT32}, (10,)),
        ("Einsum", ["float32[?,3,4]", "float32[4,5]"],
         {"T": FLOAT32, "N": 2, "equation": "b...c,cd->b...d"}, (None, 3, 5)),
        ("Where", ["bool=[[true,false],[true,true]]"], {"T": BOOL}, (3, 2)),
        ("Conv2D", ["float32[?,28,?,3]", "float32[5,5,3,8]"],
         {"T": FLOAT32, "strides": [1, 2, 2, 1], "padding": "VALID"}, (None, 12, None, 8)),
        ("Conv2D", ["float32[?,3,28,28]", "float32[5,5,3,8]"],
         {"T": FLOAT32, "strides": [1, 1, 2, 2], "padding": "SAME", "data_format": "NCHW"}, (None, 8, 14, 14)),
        ("NoSuchOpAnywhere", ["float32[2]"], {}, None),
    ],
)  # fmt: skip
def test_shapes(op: str, inputs: list[str], attrs: dict[str, Any], expected: Shape) -> None:
    made = single(op, inputs, attrs)
    if expected is None:
        assert list(infer(made).outputs("op")) == []
        return
    inference = infer(made)
    assert inference.shape("op:0") == expected
    assert inference.shape("op") == expected
    assert not inference.contradictions


def test_shape_chains_resolve() -> None:
    """X (?, 7, 7, 64) -> Shape -> StridedSlice [:1] -> Pack with a product -> Reshape."""
    scalar_slice = {"T": INT32, "Index": INT32, "shrink_axis_mask": 1}
    made = graph(
        placeholder("x", FLOAT32, (None, 7, 7, 64)),
        Node.make("shape", "Shape", ["x"], {"T": FLOAT32}),
        *[constant(f"c{i}", [i], INT32) for i in range(5)],
        constant("axes", [0], INT32),
        Node.make("batch", "StridedSlice", ["shape", "c0", "c1", "c1"], scalar_slice),
        Node.make("rest", "StridedSlice", ["shape", "c1", "c4", "c1"], {"T": INT32, "Index": INT32}),
        Node.make("flat", "Prod", ["rest", "axes"], {"T": INT32}),
        Node.make("target", "Pack", ["batch", "flat"], {"T": INT32, "N": 2}),
        Node.make("y", "Reshape", ["x", "target"], {"T": FLOAT32}),
    )
    inference = infer(made)
    assert inference.shape("y") == (None, 3136)
    assert inference.value("rest").tolist() == [7, 7, 64]
    assert inference.value("flat") == 3136
    assert inference.value("shape") is None
    assert inference.fact("shape").value.tolist() == [None, 7, 7, 64]
    assert inference.fact("target").value.tolist() == [None, 3136]
    fed = infer(made, {"x": (5, 2, 2, 64)})
    assert fed.shape("y") == (5, 256)
    assert fed.value("target").tolist() == [5, 256]
    assert fed.value("target").dtype == np.int32


def test_a_feed_replaces_what_the_graph_says() -> None:
    made = single("Relu", ["float32[1,10]"], {"T": FLOAT32})
    assert infer(made, {"in0:0": (None, 4)}).shape("op") == (None, 4)
    assert infer(made, {"in0": None}).shape("op") is None
    assert infer(made, {"op": (2, 2)}).shape("op") == (2, 2)
    with pytest.raises(UnknownNameError, match="no node 'in1'"):
        infer(made, {"in1": (2,)})


def test_a_fed_constant_has_no_value() -> None:
    made = single("Reshape", ["float32[6]", "int32=[2,3]"], {"T": FLOAT32})
    assert infer(made).shape("op") == (2, 3)
    assert infer(made, {"in1": (2,)}).shape("op") == (None, None)


def test_wrong_output_shapes_are_not_believed() -> None:
    made = single("Relu", ["float32[?,3]"], {"T": FLOAT32, "_output_shapes": [(7, 7)]})
    assert infer(made).shape("op") == (None, 3)


def test_a_contradiction_is_told_and_nothing_more_is_known() -> None:
    made = single("MatMul", ["float32[2,3]", "float32[4,5]"], {"T": FLOAT32})
    inference = infer(made)
    assert inference.shape("op") is None
    assert inference.dtype("op") == FLOAT32
    assert inference.contradictions["op"] == "the sizes 3 and 4 should be equal"


@pytest.mark.parametrize(
    ("op", "inputs", "attrs"),
    [
        (
            "Fill",
            ["int64=[1000000000000000000,1000000000000000000]", "float32=1.0"],
            {"T": FLOAT32, "index_type": INT64},
        ),
        ("Range", ["int64=0", "int64=9000000000000000000", "int64=1"], {"Tidx": INT64}),
        ("Tile", ["int32=[1,2]", "int32=[2000000000]"], {"T": INT32}),
        ("Conv2D", ["float32[1,9,9,1]", "float32[3,3,1,1]"], {"T": FLOAT32, "strides": [], "padding": "SAME"}),
        ("Conv2D", ["float32[1,9,9,1]", "float32[3,3,1,1]"], {"T": FLOAT32, "strides": [0] * 4, "padding": "SAME"}),
        ("Conv2D", ["float32[1,9,9,1]", "float32[3,3,1,1]"], {"T": FLOAT32, "strides": "wrong", "padding": 3}),
        ("Split", ["int32=0", "float32[4]"], {"T": FLOAT32, "num_split": 0}),
        ("Pad", ["float32[2,2]", "int32=[[-9,0],[0,0]]"], {"T": FLOAT32}),
        ("StridedSlice", ["int32=[1,2,3]", "int32=[0]", "int32=[2]", "int32=[0]"], {"T": INT32, "Index": INT32}),
        ("FloorDiv", ["int32=[1]", "int32=[0]"], {"T": INT32}),
        ("ConcatV2", [], {"T": INT32, "N": 0}),
        ("Switch", [], {"T": INT32}),
        ("Einsum", ["float32[2]"], {"T": FLOAT32, "N": 1, "equation": "(((->"}),
    ],
)
def test_nonsense_is_never_an_error(op: str, inputs: list[str], attrs: dict[str, Any]) -> None:
    start = time.process_time()
    inference = infer(single(op, inputs, attrs))
    for fact in inference.outputs("op"):
        assert fact.value is None or fact.value.size <= 4096
    assert time.process_time() - start < 1


def test_a_placeholder_of_old_of_shape_nothing_is_unknown() -> None:
    made = graph(placeholder("x", FLOAT32, ()))
    assert infer(made).shape("x") == ()
    made.proto.versions.producer = 21
    assert infer(made).shape("x") is None


def test_variables_hand_their_shapes_on() -> None:
    made = single("ReadVariableOp", ["var:float32[3,?]"], {"dtype": FLOAT32})
    assert infer(made).shape("op") == (3, None)
    ref = single("Identity", ["&float32[3,4]"], {"T": FLOAT32})
    assert infer(ref).dtype("in0") == FLOAT32.as_ref
    assert infer(ref).shape("op") == (3, 4)


def test_lists_and_arrays_know_their_elements() -> None:
    got = single("TensorListStack", ["list:float32[?,2]", "int32=-1"], {"element_dtype": FLOAT32, "num_elements": 4})
    assert infer(got).shape("op") == (4, None, 2)
    read = single("TensorArrayReadV3", ["array:float32[5]", "int32=0", "float32=0"], {"dtype": FLOAT32})
    assert infer(read).shape("op") == (5,)


# Functions


def test_functions_are_looked_into_and_outputs_found_by_name() -> None:
    split = function(
        "halves",
        {"v": FLOAT32},
        {"low": FLOAT32, "all": FLOAT32},
        [
            constant("axis", 1, INT32),
            Node.make("parts", "Split", ["axis:output:0", "v"], {"T": FLOAT32, "num_split": 2}),
            Node.make("top", "TopKV2", ["parts:output:1", "k:output:0"], {"T": FLOAT32}),
            constant("k", 3, INT32),
        ],
        low="top:values:0",
        all="parts:output:0",
    )
    attrs = {"Tin": [FLOAT32], "Tout": [FLOAT32, FLOAT32], "f": FuncRef("halves")}
    made = graph(
        placeholder("x", FLOAT32, (None, 8)),
        Node.make("call", "StatefulPartitionedCall", ["x"], attrs),
        Node.make("direct", "halves", ["x"], {}),
    )
    made.add_function(split)
    inference = infer(made)
    assert inference.shape("call:0") == (None, 3)
    assert inference.shape("call:1") == (None, 4)
    assert inference.shape("direct:1") == (None, 4)
    assert infer(made, {"x": (2, 20)}).shape("call:1") == (2, 10)
    inside = infer(made, {"v": (6, 2)}, function="halves")
    assert inside.shape("parts:output:1") == (6, 1)
    assert inside.shape("top:indices:0") == (6, 3)
    assert inside.dtype("v") == FLOAT32


def test_branches_are_joined_and_a_known_condition_chooses() -> None:
    then = function("then", {"v": FLOAT32}, {"r": FLOAT32}, [], r="v")
    other = function(
        "other",
        {"v": FLOAT32},
        {"r": FLOAT32},
        [constant("n", [2, 1], INT32), Node.make("t", "Tile", ["v", "n:output:0"], {"T": FLOAT32})],
        r="t:output:0",
    )
    attrs = {
        "Tcond": BOOL, "Tin": [FLOAT32], "Tout": [FLOAT32],
        "then_branch": FuncRef("then"), "else_branch": FuncRef("other"),
    }  # fmt: skip

    def made(condition: Node) -> Graph:
        body = graph(condition, placeholder("x", FLOAT32, (3, 4)), Node.make("y", "If", ["c", "x"], attrs))
        body.add_function(then)
        body.add_function(other)
        return body

    assert infer(made(placeholder("c", BOOL, ()))).shape("y") == (None, 4)
    assert infer(made(constant("c", True, BOOL))).shape("y") == (3, 4)
    assert infer(made(constant("c", False, BOOL))).shape("y") == (6, 4)


def _while(body: list[Node], returns: dict[str, str]) -> Graph:
    types = {"i": INT32, "a": FLOAT32, "fixed": INT32}
    out = {"i_out": INT32, "a_out": FLOAT32, "fixed_out": INT32}
    step = function("step", types, out, body, **returns)
    test = function("test", types, {"go": BOOL}, [constant("go", True, BOOL)], go="go:output:0")
    attrs = {"T": list(types.values()), "cond": FuncRef("test"), "body": FuncRef("step")}
    made = graph(
        constant("zero", 0, INT32),
        placeholder("x", FLOAT32, (1, 4)),
        constant("target", [8, 8], INT32),
        Node.make("loop", "While", ["zero", "x", "target"], attrs),
    )
    made.add_function(step)
    made.add_function(test)
    return made


def test_a_loop_forgets_what_changes_and_keeps_what_stays() -> None:
    grow = [
        constant("one", 1, INT32),
        Node.make("next", "AddV2", ["i", "one:output:0"], {"T": INT32}),
        Node.make("both", "ConcatV2", ["a", "a", "axis:output:0"], {"T": FLOAT32, "N": 2}),
        constant("axis", 0, INT32),
    ]
    inference = infer(_while(grow, {"i_out": "next:z:0", "a_out": "both:output:0", "fixed_out": "fixed"}))
    assert inference.shape("loop:0") == ()
    assert inference.value("loop:0") is None
    assert inference.shape("loop:1") == (None, 4)
    assert inference.value("loop:2").tolist() == [8, 8]


def test_a_counted_loop() -> None:
    body = [
        constant("axis", 0, INT32),
        Node.make("both", "ConcatV2", ["a", "a", "axis:output:0"], {"T": FLOAT32, "N": 2}),
    ]
    step = function("step", {"i": INT32, "a": FLOAT32}, {"out": FLOAT32}, body, out="both:output:0")
    made = single("For", ["int32=0", "int32=3", "int32=1", "float32[1,4]"], {"T": [FLOAT32], "body": FuncRef("step")})
    made.add_function(step)
    assert infer(made).shape("op") == (None, 4)


def test_a_loop_of_tf1_runs_to_its_fixed_point() -> None:
    frame = {"T": FLOAT32, "frame_name": "f"}
    made = graph(
        placeholder("x", FLOAT32, (2, 1)),
        constant("axis", 1, INT32),
        Node.make("enter", "Enter", ["x"], frame),
        Node.make("merge", "Merge", ["enter", "next"], {"T": FLOAT32, "N": 2}),
        Node.make("rank", "Rank", ["merge"], {"T": FLOAT32}),
        Node.make("go", "Less", ["rank", "rank"], {"T": INT32}),
        Node.make("cond", "LoopCond", ["go"]),
        Node.make("switch", "Switch", ["merge", "cond"], {"T": FLOAT32}),
        Node.make("wider", "ConcatV2", ["switch:1", "switch:1", "axis"], {"T": FLOAT32, "N": 2}),
        Node.make("next", "NextIteration", ["wider"], {"T": FLOAT32}),
        Node.make("exit", "Exit", ["switch"], {"T": FLOAT32}),
    )
    inference = infer(made)
    assert inference.shape("exit") == (2, None)
    assert inference.shape("merge") == (2, None)
    assert inference.shape("merge:1") == ()


def test_a_loop_around_a_list_keeps_the_shape_of_its_elements() -> None:
    types = {"h": VARIANT}
    step = function(
        "step", types, {"h_out": VARIANT},
        [constant("i", 0, INT32), constant("item", np.zeros((2, 5)), FLOAT32),
         Node.make("set", "TensorListSetItem", ["h", "i:output:0", "item:output:0"], {"element_dtype": FLOAT32})],
        h_out="set:output_handle:0",
    )  # fmt: skip
    test = function("test", types, {"go": BOOL}, [constant("go", True, BOOL)], go="go:output:0")
    made = single("While", ["list:float32[2,5]"], {"T": [VARIANT], "cond": FuncRef("test"), "body": FuncRef("step")})
    made.add_function(step)
    made.add_function(test)
    made.add(constant("any", -1, INT32))
    made.add(Node.make("all", "TensorListStack", ["op", "any"], {"element_dtype": FLOAT32, "num_elements": -1}))
    assert infer(made).shape("all") == (None, 2, 5)


def test_handles_travel_into_functions() -> None:
    read = function(
        "read", {"h": RESOURCE}, {"r": FLOAT32},
        [Node.make("value", "ReadVariableOp", ["h"], {"dtype": FLOAT32})], r="value:value:0",
    )  # fmt: skip
    attrs = {"Tin": [RESOURCE], "Tout": [FLOAT32], "f": FuncRef("read")}
    made = single("PartitionedCall", ["var:float32[9]"], attrs)
    made.add_function(read)
    assert infer(made).shape("op") == (9,)


# Bounds


def test_functions_that_call_themselves_end() -> None:
    again = {"Tin": [FLOAT32], "Tout": [FLOAT32], "f": FuncRef("loop")}
    endless = function(
        "loop", {"v": FLOAT32}, {"r": FLOAT32}, [Node.make("c", "PartitionedCall", ["v"], again)], r="c:output:0"
    )  # fmt: skip
    made = single("PartitionedCall", ["float32[2]"], again)
    made.add_function(endless)
    assert infer(made).shape("op") is None
    assert infer(made).dtype("op") == FLOAT32


def test_functions_that_double_at_each_level_end() -> None:
    made = single("PartitionedCall", ["float32[2]"], {"Tin": [FLOAT32], "Tout": [FLOAT32], "f": FuncRef("f0")})
    for level in range(50):
        attrs = {"Tin": [FLOAT32], "Tout": [FLOAT32], "f": FuncRef(f"f{level + 1}")}
        nodes = [
            Node.make("a", "PartitionedCall", ["v"], attrs),
            constant("n", [1], INT32),
            Node.make("t", "ConcatV2", ["a:output:0", "v", "z:output:0"], {"T": FLOAT32, "N": 2}),
            constant("z", 0, INT32),
            Node.make("b", "PartitionedCall", ["t:output:0"], attrs),
        ]
        made.add_function(function(f"f{level}", {"v": FLOAT32}, {"r": FLOAT32}, nodes, r="b:output:0"))
    made.add_function(function("f50", {"v": FLOAT32}, {"r": FLOAT32}, [], r="v"))
    start = time.process_time()
    assert infer(made).dtype("op") == FLOAT32
    assert time.process_time() - start < 20


def test_deep_calls_end() -> None:
    made = single("PartitionedCall", ["float32[2]"], {"Tin": [FLOAT32], "Tout": [FLOAT32], "f": FuncRef("f0")})
    for level in range(300):
        attrs = {"Tin": [FLOAT32], "Tout": [FLOAT32], "f": FuncRef(f"f{level + 1}")}
        call = [Node.make("c", "PartitionedCall", ["v"], attrs)]
        made.add_function(function(f"f{level}", {"v": FLOAT32}, {"r": FLOAT32}, call, r="c:output:0"))
    assert infer(made).dtype("op") == FLOAT32


def test_a_cycle_outside_of_loops_is_an_error() -> None:
    made = graph(Node.make("a", "Relu", ["b"], {"T": FLOAT32}), Node.make("b", "Relu", ["a"], {"T": FLOAT32}))
    with pytest.raises(GraphError, match="cycle outside of any loop"):
        infer(made)


def test_time_grows_with_the_number_of_nodes() -> None:
    def chain(count: int) -> Graph:
        relus = [Node.make(f"r{i}", "Relu", [f"r{i - 1}" if i else "x"], {"T": FLOAT32}) for i in range(count)]
        return graph(placeholder("x", FLOAT32, (None, 3)), *relus)

    def seconds(count: int) -> float:
        made = chain(count)
        start = time.process_time()
        assert infer(made).shape(f"r{count - 1}") == (None, 3)
        return time.process_time() - start

    seconds(100)
    assert seconds(20_000) < 25 * seconds(2_000) + 0.2


def test_big_constants_are_not_loaded() -> None:
    loaded: list[bool] = []

    def load() -> np.ndarray[Any, Any]:
        loaded.append(True)
        return np.zeros((1000, 1000), np.float32)

    node = Node.make("w", "Const", (), {"dtype": FLOAT32, "value": Tensor.lazy(FLOAT32, (1000, 1000), load)})
    assert infer(graph(node)).shape("w") == (1000, 1000)
    assert loaded == []
