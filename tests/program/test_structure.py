"""TF1's control flow, hand-made: random nests of conditionals and loops against Python, and what no pass may accept."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryograph.base.dtypes import BOOL, FLOAT32, INT32
from cryograph.base.errors import Error, GraphError, LimitError, UnsupportedError
from cryograph.graph.node import Node
from cryograph.program.build import build_program
from cryograph.program.program import Program
from tests.support.old_flow import Flow
from tests.support.small_graphs import const, document_of, ints, node, placeholder
from tests.support.tiny_engine import AssertionFailed, fold, run

Expr = tuple[Any, ...]


def expression(rng: random.Random, depth: int, names: int) -> Expr:
    """A random expression over `names` variables."""
    kinds = ["var"] * 2 + ["const"] + (["op"] * 3 + ["cond"] * 3 + ["pair"] * 2 + ["loop"] * 3 if depth > 0 else [])
    kind = rng.choice(kinds)
    if kind == "var":
        return "var", rng.randrange(names)
    if kind == "const":
        return "const", rng.choice([-1.5, 0.25, 2.0])
    below = [expression(rng, depth - 1, names) for _ in range(4)]
    if kind == "op":
        return "op", rng.choice(["Add", "Sub", "Mul", "Maximum"]), below[0], below[1]
    if kind == "cond":
        return "cond", below[0], below[1], below[2], below[3]
    if kind == "pair":  # two results of one conditional, which meet again
        more = [expression(rng, depth - 1, names) for _ in range(2)]
        return "pair", below[0], below[1], below[2], below[3], *more
    inner = [expression(rng, depth - 1, names + 2) for _ in range(2)]
    return "loop", rng.randrange(4), below[0], below[1], *inner


class Python:
    """What expressions mean."""

    def const(self, value: float) -> Any:
        return np.float32(value)

    def op(self, op: str, a: Any, b: Any) -> Any:
        return np.float32({"Add": a + b, "Sub": a - b, "Mul": np.tanh(a) * b, "Maximum": max(a, b)}[op])

    def less(self, a: Any, b: Any) -> Any:
        return a < b

    def cond(self, p: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        return then() if p else otherwise()

    def loop(self, turns: int, body: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
        for _ in range(turns):
            a, b = body(a, b)
        return a, b


class Graph(Flow):
    """How they are written as a graph. Values of loops are pulled to -1..1, so that nothing overflows."""

    def op2(self, op: str, a: str, b: str) -> str:
        return self.op(op, self.op("Tanh", a) if op == "Mul" else a, b)

    def less(self, a: str, b: str) -> str:
        return self.op("Less", a, b, result=BOOL)

    def turns(self, turns: int, body: Callable[[Any, Any], Any], a: str, b: str) -> Any:
        def go(values: Sequence[str]) -> Sequence[str]:
            return [self.op("Add", values[0], self.const(1, INT32)), *body(values[1], values[2])]

        def goes_on(values: Sequence[str]) -> str:
            return self.op("Less", values[0], self.const(turns, INT32), result=BOOL)

        return self.loop(goes_on, go, [self.const(0, INT32), a, b])[1:]


def meaning(expr: Expr, names: list[Any], on: Any) -> Any:
    """An expression on either of the two."""
    kind, *rest = expr
    graph = isinstance(on, Graph)
    if kind == "var":
        return names[rest[0]]
    if kind == "const":
        return on.const(rest[0])
    if kind == "op":
        a, b = (meaning(e, names, on) for e in rest[1:])
        return on.op2(rest[0], a, b) if graph else on.op(rest[0], a, b)
    if kind == "cond":
        p = on.less(meaning(rest[0], names, on), meaning(rest[1], names, on))
        branches = [lambda e=e: [meaning(e, names, on)] for e in rest[2:]]
        return on.cond(p, *branches)[0]
    if kind == "pair":
        p = on.less(meaning(rest[0], names, on), meaning(rest[1], names, on))
        a, b = on.cond(
            p,
            lambda: [meaning(rest[2], names, on), meaning(rest[3], names, on)],
            lambda: [meaning(rest[4], names, on), meaning(rest[5], names, on)],
        )
        again = on.cond(p, lambda: [a], lambda: [b])[0]
        return on.op2("Sub", again, b) if graph else on.op("Sub", again, b)
    turns, a, b, *inner = rest

    def body(x: Any, y: Any) -> Any:
        made = [meaning(e, [*names, x, y], on) for e in inner]
        one = on.const(1.0)
        return [on.op2("Mul", value, one) if graph else on.op("Mul", value, one) for value in made]

    first = [meaning(e, names, on) for e in (a, b)]
    found = on.turns(turns, body, *first) if graph else on.loop(turns, body, *first)
    return found[0]


def programs(seed: int, depth: int) -> tuple[Program, Program, Expr]:
    expr = expression(random.Random(seed), depth, 2)
    flow = Graph()
    names = [flow.placeholder("x"), flow.placeholder("y")]
    result = meaning(expr, list(names), flow)
    flow.nodes.append(Node.make("result", "Identity", [result], {"T": FLOAT32}))
    document = document_of(*flow.nodes)
    return build_program(document, ["result"], names), build_program(document, ["result"], names, fold), expr


@given(st.integers(0, 1 << 30), st.integers(1, 4))
def test_random_nests_mean_what_they_say(seed: int, depth: int) -> None:
    plain, with_folding, expr = programs(seed, depth)
    for x, y in ((0.5, -1.25), (-2.0, 3.0), (1.0, 1.0)):
        expected = meaning(expr, [np.float32(x), np.float32(y)], Python())
        for program in (plain, with_folding):
            (answer,) = run(program, np.float32(x), np.float32(y))
            np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)


def test_one_conditional_becomes_one_if() -> None:
    flow = Graph()
    x, y = flow.placeholder("x"), flow.placeholder("y")
    a, b = flow.cond(
        flow.less(x, y), lambda: [flow.op("Neg", x), flow.const(3.0)], lambda: [flow.op("Exp", y), flow.op("Neg", y)]
    )
    program = build_program(document_of(*flow.nodes), [a, b], [x, y])
    assert [s.op for s in program.steps] == ["Less", "If"]
    step = program.steps[1]
    assert (step.attrs["Tcond"], step.attrs["Tin"], step.attrs["Tout"]) == (BOOL, [FLOAT32] * 2, [FLOAT32] * 2)
    assert [s.op for s in step.bodies["then_branch"].steps] == ["Neg"]
    assert [v.item() for v in run(program, np.float32(1), np.float32(2))] == [-1.0, 3.0]


def test_one_loop_becomes_one_while() -> None:
    flow = Graph()
    x, y = flow.placeholder("x"), flow.placeholder("y")
    a, b = flow.turns(3, lambda a, b: [flow.op("Add", a, y), b], x, y)
    program = build_program(document_of(*flow.nodes), [a, b], [x, y])
    (step,) = program.steps
    assert step.op == "While"
    assert step.attrs["T"] == [program.specs[v].dtype for v in step.inputs]
    assert step.attrs["parallel_iterations"] == 10
    assert program.outputs[1] == "y:0"  # the loop does not change it
    assert [v.item() for v in run(program, np.float32(1), np.float32(2))] == [7.0, 2.0]


def test_a_loop_nobody_reads_is_gone() -> None:
    flow = Graph()
    x = flow.placeholder("x")
    a, _ = flow.turns(3, lambda a, b: [flow.op("Neg", a), b], x, x)
    flow.nodes.append(Node.make("y", "Neg", [x, f"^{a}"], {"T": FLOAT32}))
    assert [s.op for s in build_program(document_of(*flow.nodes), ["y"]).steps] == ["Neg"]


def test_nests_that_are_too_deep() -> None:
    flow = Graph()
    x = flow.placeholder("x")

    def deeper(level: int) -> list[str]:
        if level == 0:
            return [flow.op("Neg", x)]
        limit = flow.op("Add", x, flow.const(float(level)))
        return flow.cond(flow.less(x, limit), lambda: deeper(level - 1), lambda: [flow.op("Exp", x)])

    (result,) = deeper(101)
    with pytest.raises(LimitError, match="in each other more than 100 deep"):
        build_program(document_of(*flow.nodes), [result])


PRED = placeholder("p", (), BOOL)
X = placeholder("x", ())


def switch(name: str, data: str = "x", predicate: str = "p") -> Node:
    return node(name, "Switch", data, predicate, T=FLOAT32)


def merge(name: str, *inputs: str) -> Node:
    return node(name, "Merge", *inputs, T=FLOAT32, N=len(inputs))


def test_a_merge_without_a_switch() -> None:
    document = document_of(X, PRED, const("a", 1.0), const("b", 2.0), merge("m", "a", "b"))
    with pytest.raises(UnsupportedError) as caught:
        build_program(document, ["m"])
    assert str(caught.value) == (
        "'m' (Merge) takes whichever of its inputs comes first; no Switch tells which one that is: a:0, b:0"
    )


def test_a_value_that_is_never_computed() -> None:
    document = document_of(X, const("no", False), switch("s", "x", "no"), node("y", "Neg", "s:1", T=FLOAT32))
    with pytest.raises(UnsupportedError, match="y:0 is never computed: it is in a branch that the graph's constants"):
        build_program(document, ["y"])


def test_a_branch_that_both_outcomes_rule_out() -> None:
    document = document_of(
        X, PRED, switch("s"), node("q", "Identity", "p", T=BOOL), switch("t", "s:1", "q"),
        node("dead", "Neg", "t", T=FLOAT32), merge("m", "dead", "t:1"), merge("y", "s", "m"),
    )  # fmt: skip
    program = build_program(document, ["y"], ["p", "x"])
    for p in (True, False):
        assert run(program, p, np.float32(3))[0] == 3.0


def test_effects_of_branches_without_results() -> None:
    """A conditional of Assert alone, which nothing merges."""
    document = document_of(
        X, PRED, switch("s"), const("no", False),
        node("assert", "Assert", "no", "s:1", T=[FLOAT32], summarize=3),
        node("both", "NoOp", "^assert"),
        node("y", "Neg", "x", T=FLOAT32),
    )  # fmt: skip
    program = build_program(document, ["y"], ["p", "x"], targets=["both"])
    assert sorted(s.op for s in program.steps) == ["If", "Neg"]
    assert run(program, False, np.float32(3)) == [-3.0]
    with pytest.raises(AssertionFailed):
        run(program, True, np.float32(3))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([node("e", "Enter", "x", T=FLOAT32, frame_name="f"), node("y", "Exit", "e", T=FLOAT32)], "has 0 conditions"),
        ([node("y", "Exit", "x", T=FLOAT32)], "leaves a loop, but what it takes is not in one"),
        ([switch("y", "x", "nothing")], "'y' takes 'nothing'"),
        ([node("y", "Switch", "x", T=FLOAT32)], "'y': Switch has 1 inputs, where its attributes ask for 2"),
    ],
)
def test_broken_control_flow(parts: list[Node], words: str) -> None:
    loop = [node("z", "Enter", "x", T=FLOAT32, frame_name="g")] if "Exit" in parts[-1].op and len(parts) == 1 else []
    outputs = ["y", *(n.name for n in loop)]
    with pytest.raises(Error, match=words):
        build_program(document_of(X, *loop, *parts), outputs)


def test_a_loop_that_is_not_closed() -> None:
    document = document_of(
        X, ints("n", 3), node("e", "Enter", "x", T=FLOAT32, frame_name="f"),
        merge("m", "e", "next"), node("less", "Less", "m", "m", T=FLOAT32), node("c", "LoopCond", "less"),
        switch("s", "m", "c"), node("next", "Neg", "s:1", T=FLOAT32), node("y", "Exit", "s", T=FLOAT32),
    )  # fmt: skip
    with pytest.raises(GraphError, match="cycle outside of any loop"):
        build_program(document, ["y"])
