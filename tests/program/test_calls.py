"""Functions: inlined with their names, nested, with templates, captured handles and effects; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, RESOURCE, STRING
from cryograph.base.errors import GraphError, LimitError, MissingWeightsError, UnsupportedError
from cryograph.graph.attrs import AttrPlaceholder, FuncRef
from cryograph.graph.graph import Function
from cryograph.graph.node import Node
from cryograph.program import calls
from cryograph.program.build import build_program
from tests.support.small_graphs import const, document_of, function, handle, ints, node, placeholder
from tests.support.tiny_engine import AssertionFailed, run

X = placeholder("x", (None,))


def call(name: str, callee: str, *inputs: str, outputs: int = 1, op: str = "PartitionedCall") -> Node:
    data = [i for i in inputs if not i.startswith("^")]
    return node(name, op, *inputs, f=FuncRef(callee), Tin=[FLOAT32] * len(data), Tout=[FLOAT32] * outputs)


SQUARE = function("square", {"a": FLOAT32}, {"b": ("mul:z:0", FLOAT32)}, [node("mul", "Mul", "a", "a", T=FLOAT32)])
TWICE = function(
    "twice",
    {"a": FLOAT32},
    {"b": ("second:output:0", FLOAT32), "c": ("a", FLOAT32)},
    [call("first", "square", "a"), call("second", "square", "first:output:0")],
)


def test_a_call_becomes_its_body_under_its_name() -> None:
    program = build_program(document_of(X, SQUARE, call("y", "square", "x")), ["y"])
    assert [(s.name, s.op, s.outputs) for s in program.steps] == [("y/mul", "Mul", ("y/mul:0",))]
    np.testing.assert_array_equal(run(program, np.array([3.0], np.float32))[0], [9.0])


def test_calls_nest_and_hand_arguments_through() -> None:
    document = document_of(
        X, SQUARE, TWICE, call("y", "twice", "x", outputs=2), node("z", "AddV2", "y", "y:1", T=FLOAT32)
    )
    program = build_program(document, ["z", "y:1"])
    assert [s.name for s in program.steps] == ["y/first/mul", "y/second/mul", "z"]
    answers = run(program, np.array([2.0], np.float32))
    assert [a.tolist() for a in answers] == [[18.0], [2.0]]


def test_a_call_by_the_function_s_name() -> None:
    document = document_of(X, SQUARE, node("y", "square", "x"), node("z", "Neg", "y", T=FLOAT32))
    assert run(build_program(document, ["z"]), np.array([3.0], np.float32))[0].tolist() == [-9.0]


def test_a_template_takes_the_caller_s_attributes() -> None:
    template = function(
        "cast",
        {"a": FLOAT32},
        {"b": ("cast:y:0", INT32)},
        [Node.make("cast", "Cast", ["a"], {"SrcT": FLOAT32, "DstT": AttrPlaceholder("to"), "Truncate": False})],
    )
    document = document_of(X, template, node("y", "cast", "x", to=INT32))
    program = build_program(document, ["y"])
    assert program.specs[program.outputs[0]].dtype == INT32
    assert run(program, np.array([3.7], np.float32))[0].tolist() == [3]
    document = document_of(X, template, node("y", "cast", "x"))
    with pytest.raises(GraphError, match="'cast': 'cast' needs the attribute 'to' of its caller"):
        build_program(document, ["y"])


def test_names_that_are_taken_already_are_made_unique() -> None:
    document = document_of(
        X,
        SQUARE,
        call("y", "square", "x"),
        node("y/mul", "Neg", "x", T=FLOAT32),
        node("z", "AddV2", "y", "y/mul", T=FLOAT32),
    )
    program = build_program(document, ["z"])
    assert run(program, np.array([3.0], np.float32))[0].tolist() == [6.0]


def test_an_argument_may_be_called_like_a_node() -> None:
    odd = function("odd", {"a": FLOAT32}, {"b": ("a:y:0", FLOAT32)}, [node("a", "Neg", "a", T=FLOAT32)])
    program = build_program(document_of(X, odd, call("y", "odd", "x")), ["y"])
    assert run(program, np.array([3.0], np.float32))[0].tolist() == [-3.0]


def test_outputs_of_several_arguments_are_counted() -> None:
    body = [
        ints("axis", 0),
        node("split", "Split", "axis:output:0", "a", T=FLOAT32, num_split=2),
        node("unique", "Unique", "split:output:1", T=FLOAT32, out_idx=INT32),
        node("pair", "AddV2", "split:output:1", "unique:y:0", T=FLOAT32),
    ]
    parts = function("parts", {"a": FLOAT32}, {"b": ("unique:idx:0", INT32), "c": ("pair:z:0", FLOAT32)}, body)
    program = build_program(document_of(X, parts, call("y", "parts", "x", outputs=2)), ["y:0", "y:1"])
    assert program.outputs == ("y/unique:1", "y/pair:0")
    assert program.steps[0].outputs == ("y/split:0", "y/split:1")
    assert "y/split:1" in program.steps[-1].inputs


def test_captured_variables_reach_their_readers() -> None:
    dense = function(
        "dense",
        {"a": FLOAT32, "w": RESOURCE, "b": RESOURCE},
        {"y": ("biased:z:0", FLOAT32)},
        [
            node("w/read", "ReadVariableOp", "w", dtype=FLOAT32),
            node("b/read", "ReadVariableOp", "handed:output:0", dtype=FLOAT32),
            node("handed", "Identity", "b", T=RESOURCE),
            node("mul", "Mul", "a", "w/read:value:0", T=FLOAT32),
            node("biased", "AddV2", "mul:z:0", "b/read:value:0", T=FLOAT32),
        ],
    )
    outer = function(
        "outer",
        {"a": FLOAT32, "w": RESOURCE, "b": RESOURCE},
        {"y": ("inner:output:0", FLOAT32)},
        [
            node(
                "inner",
                "StatefulPartitionedCall",
                "a",
                "w",
                "b",
                f=FuncRef("dense"),
                Tin=[FLOAT32, RESOURCE, RESOURCE],
                Tout=[FLOAT32],
            )
        ],
    )
    nodes = [X, handle("v/w"), handle("v/b"), dense, outer]
    final = node(
        "y",
        "StatefulPartitionedCall",
        "x",
        "v/w",
        "v/b",
        f=FuncRef("outer"),
        Tin=[FLOAT32, RESOURCE, RESOURCE],
        Tout=[FLOAT32],
    )
    document = document_of(*nodes, final, values={"v/w": 3.0, "v/b": 1.0})
    program = build_program(document, ["y"])
    assert sorted(program.constants) == ["v/b:0", "v/w:0"]
    assert run(program, np.array([2.0], np.float32))[0].tolist() == [7.0]
    with pytest.raises(MissingWeightsError) as caught:
        build_program(document_of(*nodes, final, values={"v/w": 3.0}), ["y"])
    assert (
        str(caught.value)
        == "The outputs need a variable that has no value: v/b. Give their checkpoint with weights= (--weights)."
    )


CHECKED = function(
    "checked",
    {"a": FLOAT32},
    {"b": ("neg:y:0", FLOAT32)},
    [
        const("zero", 0.0),
        node("ok", "Greater", "a", "zero:output:0", T=FLOAT32),
        const("words", np.array(b"not positive", object)),
        node("assert", "Assert", "ok:z:0", "words:output:0", T=[STRING], summarize=3),
        node("neg", "Neg", "a", T=FLOAT32),
    ],
    control_results=["assert"],
)


def test_what_acts_in_a_function_is_run_with_it() -> None:
    document = document_of(
        placeholder("x", ()),
        CHECKED,
        call("y", "checked", "x", op="StatefulPartitionedCall"),
        node("z", "Neg", "x", "^y", T=FLOAT32),
    )
    for output in ("y", "z"):
        program = build_program(document, [output])
        assert sorted(s.op for s in program.steps) == ["Assert", "Greater", "Neg"]
        run(program, np.float32(2))
        with pytest.raises(AssertionFailed):
            run(program, np.float32(-2))


def test_a_body_of_an_if_has_its_own_names() -> None:
    def branch(name: str, op: str) -> Function:
        return function(name, {"a": FLOAT32}, {"b": ("node:y:0", FLOAT32)}, [node("node", op, "a", T=FLOAT32)])

    document = document_of(
        placeholder("p", (), BOOL), X, branch("yes", "Neg"), branch("no", "Square"),
        node("y", "If", "p", "x", then_branch=FuncRef("yes"), else_branch=FuncRef("no"), Tin=[FLOAT32], Tout=[FLOAT32]),
    )  # fmt: skip
    program = build_program(document, ["y"])
    (step,) = program.steps
    assert step.bodies["then_branch"].steps[0].name == "y/node"
    assert "then_branch" not in step.attrs
    x = np.array([3.0], np.float32)
    assert run(program, True, x)[0].tolist() == [-3.0]
    assert run(program, False, x)[0].tolist() == [9.0]


def test_functions_that_are_not_there() -> None:
    with pytest.raises(
        GraphError, match=r"'y' \(PartitionedCall\) calls the function 'cube', which is not in the library"
    ):
        build_program(document_of(X, SQUARE, call("y", "cube", "x")), ["y"])
    with pytest.raises(GraphError, match=r"gives 2 arguments to 'square', which takes 1"):
        build_program(document_of(X, SQUARE, call("y", "square", "x", "x")), ["y"])
    with pytest.raises(GraphError, match="does not say in 'f'"):
        build_program(document_of(X, node("y", "PartitionedCall", "x", Tin=[FLOAT32], Tout=[FLOAT32])), ["y"])


def test_recursion_is_refused() -> None:
    f = function("f", {"a": FLOAT32}, {"b": ("c:output:0", FLOAT32)}, [call("c", "g", "a")])
    g = function("g", {"a": FLOAT32}, {"b": ("c:output:0", FLOAT32)}, [call("c", "f", "a")])
    with pytest.raises(UnsupportedError, match=r"calls itself \(f -> g -> f\); recursion cannot be run"):
        build_program(document_of(X, f, g, call("y", "f", "x")), ["y"])


def test_depth_and_growth_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [SQUARE, *(_doubling(f"f{i}", f"f{i - 1}" if i else "square") for i in range(120))]
    with pytest.raises(LimitError, match="more than 100 deep"):
        build_program(document_of(X, *chain, call("y", "f119", "x")), ["y"])
    monkeypatch.setattr(calls, "MAX_OPS", 10_000)
    with pytest.raises(LimitError, match="more than 10000 ops"):
        build_program(document_of(X, *chain, call("y", "f40", "x")), ["y"])


def _doubling(name: str, callee: str) -> Function:
    body = [call("first", callee, "a"), call("second", callee, "first:output:0")]
    return function(name, {"a": FLOAT32}, {"b": ("second:output:0", FLOAT32)}, body)


def test_the_gradient_of_a_function_is_refused() -> None:
    document = document_of(
        X, SQUARE, node("y", "SymbolicGradient", "x", "x", f=FuncRef("square"), Tin=[FLOAT32] * 2, Tout=[FLOAT32])
    )
    with pytest.raises(
        UnsupportedError, match=r"'y' \(SymbolicGradient\) is the gradient of the function 'square', for"
    ):
        build_program(document, ["y"])
