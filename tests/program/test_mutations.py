"""Graphs that were changed at random: a valid program, or an error of ours; never anything else."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, RESOURCE, STRING
from cryograph.base.errors import Error
from cryograph.graph.attrs import FuncRef
from cryograph.graph.document import Document
from cryograph.graph.graph import Graph
from cryograph.program.build import build_program
from cryograph.program.check import complaints
from tests.program import test_structure
from tests.support.small_graphs import const, document_of, function, handle, ints, node, placeholder
from tests.support.tiny_engine import fold

OPS = [
    *("Switch", "RefSwitch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "Identity", "IdentityN", "NoOp"),
    *("Assign", "AssignVariableOp", "ReadVariableOp", "VarHandleOp", "VariableV2", "ResourceApplyAdam", "ApplyAdam"),
    *("If", "While", "Case", "PartitionedCall", "MapDefun", "_SwitchN", "TensorArrayV3", "TensorArrayWriteV3"),
    *("HashTableV2", "LookupTableFindV2", "Const", "Placeholder", "Assert", "Cast", "CustomOp", "branch"),
]
VALUES: list[Any] = [3, -1, b"x", 2.5, True, None, (1, None), [1, 2], [b"a"], FLOAT32, INT32, [RESOURCE], FuncRef("f")]


def functional() -> Document:
    """Functions, branches, a loop, variables and a table, all at once."""
    arguments = {"i": INT32, "x": FLOAT32, "v": RESOURCE}
    body = function(
        "body",
        arguments,
        {"a": ("next:z:0", INT32), "b": ("read:value:0", FLOAT32), "c": ("v", RESOURCE)},
        [
            node("add", "AssignAddVariableOp", "v", "x", dtype=FLOAT32),
            node("read", "ReadVariableOp", "v", "^add", dtype=FLOAT32),
            ints("one", 1),
            node("next", "AddV2", "i", "one:output:0", T=INT32),
        ],
        control_results=["add"],
    )
    less = [ints("three", 3), node("less", "Less", "i", "three:output:0", T=INT32)]
    cond = function("cond", arguments, {"go": ("less:z:0", BOOL)}, less)
    branch = function("branch", {"x": FLOAT32}, {"y": ("neg:y:0", FLOAT32)}, [node("neg", "Neg", "x", T=FLOAT32)])
    refs = {"then_branch": FuncRef("branch"), "else_branch": FuncRef("branch")}
    return document_of(
        placeholder("x", ()),
        placeholder("p", (), BOOL),
        placeholder("text", (None,), STRING),
        ints("zero", 0),
        handle("v"),
        node(
            "loop", "While", "zero", "x", "v", cond=FuncRef("cond"), body=FuncRef("body"), T=[INT32, FLOAT32, RESOURCE]
        ),
        node("if", "If", "p", "loop:1", **refs, Tcond=BOOL, Tin=[FLOAT32], Tout=[FLOAT32]),
        node("call", "PartitionedCall", "if", f=FuncRef("branch"), Tin=[FLOAT32], Tout=[FLOAT32]),
        node("table", "HashTableV2", key_dtype=STRING, value_dtype=FLOAT32, shared_name="t"),
        const("keys", [b"a", b"b"], dtype=object),
        const("values", [1.0, 2.0]),
        node("init", "InitializeTableV2", "table", "keys", "values", Tkey=STRING, Tval=FLOAT32),
        const("unknown", 0.0),
        node("found", "LookupTableFindV2", "table", "text", "unknown", Tin=STRING, Tout=FLOAT32),
        node("result", "AddV2", "found", "call", T=FLOAT32),
        *(body, cond, branch),
        values={"v": 1.0},
    )


def old(rng: random.Random) -> Document:
    flow = test_structure.Graph()
    names = [flow.placeholder("x"), flow.placeholder("y")]
    expr = test_structure.expression(random.Random(rng.randrange(1 << 20)), 3, 2)
    result = test_structure.meaning(expr, list(names), flow)
    return document_of(*flow.nodes, node("result", "Identity", result, T=FLOAT32))


def mutated(document: Document, rng: random.Random) -> Document:
    graph: Graph = document.graph.copy()
    for _ in range(rng.choice([1, 1, 2, 5])):
        body = rng.choice(list(graph.bodies()))
        if not body.nodes:
            continue
        changed = rng.choice(list(body.nodes.values()))
        inputs, attrs = list(changed.inputs), list(changed.attrs)
        kind = rng.randrange(8)
        if kind == 0:
            changed.op = rng.choice(OPS)
        elif kind == 1 and inputs:
            inputs[rng.randrange(len(inputs))] = rng.choice(list(body.nodes)) + rng.choice(["", ":1", ":7", ":z:0"])
            changed.inputs = inputs
        elif kind == 2 and inputs:
            del inputs[rng.randrange(len(inputs))]
            changed.inputs = inputs
        elif kind == 3:
            changed.inputs = [*inputs, "^" + rng.choice(list(body.nodes))]
        elif kind == 4 and attrs:
            del changed.attrs[rng.choice(attrs)]
        elif kind == 5 and attrs:
            changed.attrs[rng.choice(attrs)] = rng.choice(VALUES)
        elif kind == 6:
            del body.nodes[changed.name]
        elif kind == 7 and graph.functions:
            signature = rng.choice(list(graph.functions.values())).proto.signature
            arguments = rng.choice([signature.input_arg, signature.output_arg])
            if arguments:
                del arguments[rng.randrange(len(arguments))]
    return dataclasses.replace(document, graph=graph)


@settings(max_examples=150)
@given(st.integers(0, 1 << 40))
def test_no_foreign_errors(seed: int) -> None:
    rng = random.Random(seed)
    document = mutated(functional() if rng.random() < 0.5 else old(rng), rng)
    try:
        program = build_program(document, ["result"], None, rng.choice([None, fold]), all_state=rng.random() < 0.2)
    except Error:
        return
    assert complaints(program) == []
