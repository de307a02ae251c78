"""Handles: where they may go, what is a constant and what is state, and what is told when something is missing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, INT64, RESOURCE, STRING
from cryograph.base.errors import MissingWeightsError, UnsupportedError
from cryograph.base.files import MemoryFile, Span
from cryograph.graph.attrs import FuncRef
from cryograph.graph.document import Document
from cryograph.graph.node import Node
from cryograph.program.build import build_program
from tests.support.old_flow import Flow
from tests.support.small_graphs import const, document_of, function, handle, ints, node, placeholder
from tests.support.tiny_engine import run

X = placeholder("x", ())


def variable(name: str, shape: Any = ()) -> Node:
    return Node.make(name, "VariableV2", (), {"dtype": FLOAT32, "shape": shape, "container": "", "shared_name": ""})


def test_references_are_constants_where_nothing_writes() -> None:
    document = document_of(
        X, variable("v"), node("v/read", "Identity", "v", T=FLOAT32), node("y", "Mul", "x", "v/read", T=FLOAT32),
        node("z", "AddV2", "y", "v", T=FLOAT32), values={"v": 3.0},
    )  # fmt: skip
    program = build_program(document, ["z", "v"])
    assert program.state == ()
    assert list(program.constants) == ["v:0"]
    assert [a.item() for a in run(program, np.float32(2))] == [9.0, 3.0]


def test_resource_reads_of_every_kind() -> None:
    document = document_of(
        handle("v", shape=(3, 2)),
        node("read", "ReadVariableOp", "v", dtype=FLOAT32),
        placeholder("ids", (None,), INT32),
        node("rows", "ResourceGather", "v", "ids", dtype=FLOAT32, Tindices=INT32),
        node("shape", "VariableShape", "v", out_type=INT64),
        node("is", "VarIsInitializedOp", "v"),
        values={"v": np.arange(6).reshape(3, 2)},
    )
    program = build_program(document, ["read", "rows", "shape", "is", "v"])
    assert [s.op for s in program.steps] == ["GatherV2"]
    answers = run(program, np.array([2, 0], np.int32))
    assert answers[1].tolist() == [[4, 5], [0, 1]]
    assert (answers[2].tolist(), answers[2].dtype, answers[3].item()) == ([3, 2], np.int64, True)
    assert answers[4].shape == (3, 2)


def test_two_handles_of_one_shared_name() -> None:
    document = document_of(
        handle("a", shared_name="v"), handle("b", shared_name="v"),
        node("y", "ReadVariableOp", "a", dtype=FLOAT32), node("z", "ReadVariableOp", "b", dtype=FLOAT32),
        values={"v": 3.0},
    )  # fmt: skip
    program = build_program(document, ["y", "z"])
    assert len(program.constants) == 1
    assert [a.item() for a in run(program)] == [3.0, 3.0]


def test_handles_through_loops_and_conditionals() -> None:
    flow = Flow()
    flow.nodes.append(handle("v"))
    flow.dtypes["v"] = RESOURCE
    p, x = flow.placeholder("p", BOOL), flow.placeholder("x")

    def read() -> str:
        taken = flow.take("v")
        return flow._node("ReadVariableOp", [taken], [FLOAT32], dtype=FLOAT32)[0]

    def body(values: Any) -> Any:
        return [
            flow.op("Add", values[0], flow.const(1, INT32)),
            flow.cond(p, lambda: [flow.op("Mul", values[1], read())], lambda: [flow.op("Add", values[1], read())])[0],
        ]

    def goes_on(values: Any) -> str:
        return flow.op("Less", values[0], flow.const(3, INT32), result=BOOL)

    result = flow.loop(goes_on, body, [flow.const(0, INT32), x])[1]
    document = document_of(*flow.nodes, values={"v": 2.0})
    program = build_program(document, [result], ["p", "x"])
    assert program.state == ()
    assert [run(program, p, np.float32(1))[0].item() for p in (True, False)] == [8.0, 7.0]


def test_writes_in_loops_are_state() -> None:
    add = [
        node("add", "AssignAddVariableOp", "v", "x", dtype=FLOAT32),
        node("read", "ReadVariableOp", "v", "^add", dtype=FLOAT32),
        ints("one", 1),
        node("next", "AddV2", "i", "one:output:0", T=INT32),
    ]
    arguments = {"i": INT32, "x": FLOAT32, "v": RESOURCE}
    results = {"a": ("next:z:0", INT32), "b": ("read:value:0", FLOAT32), "c": ("v", RESOURCE)}
    body = function("body", arguments, results, add, control_results=["add"])
    cond = function(
        "cond", arguments, {"go": ("less:z:0", BOOL)},
        [ints("three", 3), node("less", "Less", "i", "three:output:0", T=INT32)],
    )  # fmt: skip
    loop = node(
        "loop", "While", "zero", "x", "v",
        cond=FuncRef("cond"), body=FuncRef("body"), T=[INT32, FLOAT32, RESOURCE],
    )  # fmt: skip
    end = node("end", "ReadVariableOp", "v", "^loop", dtype=FLOAT32)
    document = document_of(X, ints("zero", 0), handle("v"), loop, end, body, cond, values={"v": 1.0})
    program = build_program(document, ["loop:1", "end"])
    (state,) = program.state
    assert (state.name, state.value) == ("v", "v:0")
    assert [a.item() for a in run(program, np.float32(2))] == [12.0, 12.0, 12.0]
    (step,) = program.steps
    assert len(step.inputs) == 3
    assert RESOURCE not in step.attrs["T"]


def test_state_wanted_of_all() -> None:
    document = document_of(X, variable("v"), node("y", "Mul", "x", "v", T=FLOAT32))
    program = build_program(document, ["y"], all_state=True)
    assert [(s.name, s.initial) for s in program.state] == [("v", None)]
    assert run(program, np.float32(2), state=[np.float32(3)])[0] == 6.0


def test_handles_that_cannot_be_followed() -> None:
    document = document_of(X, handle("v"), node("y", "CustomOp", "v", "x"), values={"v": 1.0})
    with pytest.raises(UnsupportedError) as caught:
        build_program(document, ["y"])
    assert str(caught.value) == (
        "'y' (CustomOp) takes the handle of the variable 'v' as input 0; what it does with it is not known."
    )
    then = function("then", {"a": RESOURCE, "b": RESOURCE}, {"r": ("a", RESOURCE)}, [])
    other = function("other", {"a": RESOURCE, "b": RESOURCE}, {"r": ("b", RESOURCE)}, [])
    chosen = node(
        "chosen", "If", "p", "v", "w", then_branch=FuncRef("then"), else_branch=FuncRef("other"),
        Tcond=BOOL, Tin=[RESOURCE] * 2, Tout=[RESOURCE],
    )  # fmt: skip
    read = node("y", "ReadVariableOp", "chosen", dtype=FLOAT32)
    p = placeholder("p", (), BOOL)
    document = document_of(p, handle("v"), handle("w"), then, other, chosen, read, values={"v": 1.0, "w": 2.0})
    with pytest.raises(UnsupportedError, match="gives now one variable or table, now another"):
        build_program(document, ["y"])


def test_a_branch_that_is_ruled_out_needs_no_weights() -> None:
    document = document_of(
        X, variable("v"), const("training", False),
        node("s", "Switch", "x", "training", T=FLOAT32), node("t", "RefSwitch", "v", "training", T=FLOAT32),
        node("a", "Mul", "s:1", "t:1", T=FLOAT32), node("b", "Neg", "s", T=FLOAT32),
        node("y", "Merge", "b", "a", T=FLOAT32, N=2),
    )  # fmt: skip
    assert [s.op for s in build_program(document, ["y"]).steps] == ["Neg"]


def test_many_missing_variables_are_told_at_once() -> None:
    names = [f"layer_{i}/w" for i in range(8)]
    total = node("y", "AddN", *names, T=FLOAT32, N=8)
    document = document_of(*[variable(name) for name in names], total, values={"layer_3/w": 1.0})
    document = dataclasses.replace(document, nearby=("model.ckpt-7",))
    with pytest.raises(MissingWeightsError) as caught:
        build_program(document, ["y"])
    assert str(caught.value) == (
        "The outputs need 7 variables that have no value: layer_0/w, layer_1/w, layer_2/w, layer_4/w, layer_5/w, .... "
        "Give their checkpoint with weights= (--weights). Beside the graph: model.ckpt-7."
    )


# Tables


def tables(*more: Node, assets: dict[str, bytes] | None = None) -> Document:
    document = document_of(
        placeholder("text", (None,), STRING),
        node("table", "HashTableV2", key_dtype=STRING, value_dtype=INT64, shared_name="words", container=""),
        const("unknown", np.array(-1, np.int64)),
        node("ids", "LookupTableFindV2", "table", "text", "unknown", Tin=STRING, Tout=INT64),
        node("size", "LookupTableSizeV2", "table"),
        *more,
    )
    spans = {name: Span(MemoryFile(data, name), 0, len(data)) for name, data in (assets or {}).items()}
    return dataclasses.replace(document, assets=spans)


TEXT = np.array([b"cat", b"dog"], object)


def test_a_table_from_tensors() -> None:
    document = tables(
        const("k", np.array([b"the", b"cat"], object)), const("v", np.array([7, 8], np.int64)),
        node("init", "InitializeTableV2", "table", "k", "v", Tkey=STRING, Tval=INT64),
    )  # fmt: skip
    program = build_program(document, ["ids", "size"])
    assert run(program, TEXT)[0].tolist() == [8, -1]
    assert run(program, TEXT)[1].item() == 2
    (find,) = (s for s in program.steps if s.op == "LookupTableFindV2")
    assert [program.specs[v].dtype for v in find.inputs] == [STRING, INT64, STRING, INT64]
    program = build_program(document, ["ids"], targets=["init"])
    assert [s.name for s in program.state] == ["words/keys", "words/values"]


def test_a_table_from_an_asset() -> None:
    fill = node(
        "init", "InitializeTableFromTextFileV2", "table", "file",
        key_index=-2, value_index=-1, vocab_size=-1, delimiter="\t",
    )  # fmt: skip
    document = tables(const("file", np.array(b"words.txt", object)), fill, assets={"words.txt": b"the\ncat\nsat\n"})
    assert run(build_program(document, ["ids"]), TEXT)[0].tolist() == [1, -1]
    with pytest.raises(MissingWeightsError) as caught:
        build_program(dataclasses.replace(document, assets={}), ["ids"])
    assert str(caught.value) == (
        "The outputs look something up in 'words', a lookup table that 'init' fills with a vocabulary file that is not "
        "among the model's assets."
    )


def test_the_handle_of_a_table_is_no_answer() -> None:
    with pytest.raises(UnsupportedError, match="table:0 is the handle of the table 'words', not a tensor"):
        build_program(tables(), ["table"])
