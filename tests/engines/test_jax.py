"""The engine `jax`: a case of each of its ops and every twelfth recorded graph, compiled, against TensorFlow's answers.

All of them run in tests/conformance/engines/test_jax.py: to compile each of 12,000 programs takes minutes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import BOOL, FLOAT32, INT32, INT64, STRING
from cryograph.base.errors import Error, MissingExtraError, RunError, UnsupportedError
from cryograph.engines.engines import engine, fold, prepare, trainer
from cryograph.engines.jax import engine as jax_engine
from cryograph.engines.jax.engine import Compiled, Jax
from cryograph.engines.jax.rules import RULES
from cryograph.engines.numpy.rules import RULES as PLAIN
from cryograph.graph.attrs import FuncRef
from cryograph.graph.graph import Function
from cryograph.graph.node import Node
from cryograph.program.build import build_program
from cryograph.train.session import Session
from tests.engines import test_graph_cases as graphs
from tests.engines.test_op_cases import cases, run_all
from tests.support.golden import digest
from tests.support.op_cases import Array, Case, assert_answers, feeds_of, program_of
from tests.support.small_graphs import const, document_of, function, handle, ints, node, placeholder

ROUNDED = {
    "FakeQuantWithMinMaxArgs": 0.01,
    "FakeQuantWithMinMaxVars": 0.01,
    "FakeQuantWithMinMaxVarsPerChannel": 0.01,
}
"""Ops whose answer may be one step of a quantised range beside TensorFlow's, where a number lies between two: XLA adds
up what TensorFlow rounds."""

UNTOLD = {
    "maps_of_several_tensors": "strings go through the loop",
}
"""Recorded graphs of which turns ask for what a compiled program cannot do."""


def check_jax(case: Case, answers: list[Array] | None) -> None:
    """A compiled case answers as TensorFlow, and refuses what it refuses."""
    case = replace(case, fixed=(), tolerance=max(case.tolerance, ROUNDED.get(case.op, 0.0)))
    if answers is None:
        with pytest.raises(Error):
            Jax().prepare(program_of(case))(feeds_of(case))
        return
    assert_answers(case, Jax().prepare(program_of(case, answers))(feeds_of(case)), answers)


@pytest.mark.parametrize("op", sorted(RULES.keys() & cases().keys()))
def test_a_case_of_each_op(op: str) -> None:
    listed = [case for case, answers in cases()[op] if answers is not None]
    chosen = digest(listed[len(listed) // 2])
    run_all(op, lambda case, answers: check_jax(case, answers) if digest(case) == chosen else None)


def test_every_rule_is_one_of_the_reference_engine() -> None:
    assert sorted(op for op in RULES if op not in PLAIN and not op.startswith("cryograph.")) == []


def runs_on_jax(name: str) -> bool:
    """Whether a recorded graph can be asked of the engine."""
    case = graphs.CASES[name]
    if any(word in name for word in UNTOLD) or all(turn.answers is None for turn in case.turns):
        return False
    return not engine("jax").missing(graphs.program_of(case))


@pytest.mark.parametrize("name", list(graphs.CASES)[::12])
def test_recorded_graphs(name: str) -> None:
    if runs_on_jax(name):
        graphs.run_turns(graphs.CASES[name], "jax")


def test_whole_numbers_and_doubles_stay_what_they_are() -> None:
    graph = document_of(placeholder("x", (None,), INT64), node("y", "AddV2", "x", "x", T=INT64))
    program = build_program(graph, ["y:0"], fold=fold)
    (answer,) = prepare(program, "jax").run([np.array([2**40], np.int64)])
    assert answer.dtype == np.int64
    assert answer.tolist() == [2**41]


def test_a_shape_that_is_fed_makes_a_program_of_its_own() -> None:
    graph = document_of(
        placeholder("x", (None,), FLOAT32),
        placeholder("shape", (2,), INT32),
        node("y", "Reshape", "x", "shape", T=FLOAT32, Tshape=INT32),
    )
    run = Compiled(build_program(graph, ["y:0"], ["x:0", "shape:0"], fold=fold))
    x = np.arange(6, dtype=np.float32)
    assert run([x, np.array([2, 3], np.int32)])[0].shape == (2, 3)
    assert run([x, np.array([3, -1], np.int32)])[0].shape == (3, 2)


def test_what_a_program_finds_out_itself_is_run_step_by_step() -> None:
    graph = document_of(placeholder("x", (None,), FLOAT32), node("y", "Where", "x", T=FLOAT32))
    run = Compiled(build_program(graph, ["y:0"], fold=fold))
    assert run([np.array([0, 3, 0, 2], np.float32)])[0].tolist() == [[1], [3]]


def test_a_slice_that_ends_where_the_program_finds_is_never_the_whole() -> None:
    graph = document_of(
        placeholder("x", (4,), FLOAT32),
        const("begin", np.array([0], np.int32)),
        const("step", np.array([1], np.int32)),
        node("last", "ArgMax", "x", "axis", T=FLOAT32, Tidx=INT32, output_type=INT32),
        const("axis", np.array(0, np.int32)),
        node("end", "Pack", "last", T=INT32, N=1),
        node("y", "StridedSlice", "x", "begin", "end", "step", T=FLOAT32, Index=INT32, begin_mask=1),
    )
    run = Compiled(build_program(graph, ["y:0"], fold=fold))
    assert run([np.array([1, 2, 7, 3], np.float32)])[0].tolist() == [1, 2]


def test_no_more_programs_are_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_engine, "MAX_COMPILED", 3)
    graph = document_of(placeholder("x", (None,), FLOAT32), node("y", "Neg", "x", T=FLOAT32))
    run = Compiled(build_program(graph, ["y:0"], fold=fold))
    for size in range(6):
        assert run([np.ones(size, np.float32)])[0].shape == (size,)
    assert len(run._made) == 3


def test_a_step_without_a_rule_is_named() -> None:
    graph = document_of(placeholder("x", (2,), STRING), node("a", "StringLower", "x"))
    with pytest.raises(UnsupportedError, match=r"a \(StringLower\)"):
        cg.Model.of(graph).compile("a", engine="jax")


def test_shapes_that_do_not_fit_are_told_with_the_node() -> None:
    graph = document_of(
        placeholder("x", (None, 2), FLOAT32),
        const("w", np.ones((3, 2), np.float32)),
        node("y", "MatMul", "x", "w", T=FLOAT32),
    )
    predict = cg.Model.of(graph).compile("y", engine="jax")
    with pytest.raises(RunError, match=r"'y' \(MatMul\)"):
        predict(np.ones((1, 2), np.float32))


def test_the_error_without_the_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    graph = document_of(placeholder("x", (2,), FLOAT32), node("y", "Neg", "x", T=FLOAT32))
    with pytest.raises(MissingExtraError, match=r"pip install 'cryograph\[jax\]'"):
        cg.Model.of(graph).compile("y", engine="jax")


def test_a_session_trains_on_it() -> None:
    demo = Path(cg.__file__).parent / "data" / "demo"
    rng = np.random.default_rng(0)
    feeds = {"image": rng.random((8, 8, 8, 1)), "label": rng.integers(0, 10, 8), "dropout_rate": 0.3}
    losses = {}
    for name in ("jax", "numpy"):
        with cg.load(demo / "graph.pbtxt", weights=demo / "digits-3000").session(name) as s:
            losses[name] = [s.run(["training/loss", "train"], feeds)[0] for _ in range(10)]
    np.testing.assert_allclose(losses["jax"], losses["numpy"], rtol=1e-4)


GOING_ON = [name for name in graphs.CASES if name.startswith("generators/")]


@pytest.mark.parametrize("name", [*GOING_ON, "random_state/ops_on_a_state"])
def test_generators_go_on(name: str) -> None:
    graphs.run_turns(graphs.CASES[name], "jax")


def test_numbers_without_seeds_are_others_each_time() -> None:
    """What the reference engine draws for a compiled program, whose inputs may not be good."""
    graph = document_of(
        placeholder("rate", (3,), FLOAT32),
        ints("shape", [4]),
        node("y", "RandomPoissonV2", "shape", "rate", S=INT32, R=FLOAT32, dtype=INT64, seed=0, seed2=0),
        placeholder("true", (1, 1), INT64),
        node("learned", "LearnedUnigramCandidateSampler", "true", num_true=1, num_sampled=9, unique=False,
             range_max=1000, seed=0, seed2=0),
    )  # fmt: skip
    model = cg.Model.of(graph)
    for run in (model.compile(["y", "learned"], engine="jax"), model.session(engine="jax")):
        feeds = {"rate": np.full(3, 1e6, np.float32), "true": np.array([[3]])}
        made = [run.run(["y", "learned"], feeds) if isinstance(run, Session) else [*run(feeds).values()] for _ in "ab"]
        for a, b in zip(*made, strict=True):
            assert a.shape == b.shape
            assert a.dtype == b.dtype == np.int64
            assert not np.array_equal(a, b)
    with model.session(engine="jax") as s, pytest.raises(RunError, match=r"'learned' \(LearnedUnigram"):
        s.run("learned", {"true": [[1000]]})


def test_what_tensorflow_refuses_a_compiled_program_refuses() -> None:
    """All refusals that are recorded; the inputs are fed."""
    for op in sorted(RULES.keys() & cases().keys()):
        run_all(op, lambda case, answers: check_jax(case, answers) if answers is None else None)


def failing(where: str) -> cg.Model:
    """A variable is counted up by 1, and what a table has at `i` is looked up: by itself, in a branch, in a loop or in
    both kinds of loops."""
    numbers = const("numbers", np.arange(10, dtype=np.float32))
    look = [node("look", "GatherV2", "table", "i", "zero:output:0", Taxis=INT32, Tindices=INT32, Tparams=FLOAT32)]
    zero = ints("zero", 0)
    same = {"table": FLOAT32, "i": INT32}
    steps: list[Node | Function] = []
    if where == "plain":
        steps = [
            zero,
            node("y", "GatherV2", "numbers", "i", "zero", Taxis=INT32, Tindices=INT32, Tparams=FLOAT32),
        ]
    elif where == "branch":
        parts = [
            function("yes", same, {"out": ("look:output:0", FLOAT32)}, [zero, *look]),
            function("no", same, {"out": ("zero:output:0", FLOAT32)}, [const("zero", np.float32(0))]),
        ]
        types = {"Tcond": BOOL, "Tin": [FLOAT32, INT32], "Tout": [FLOAT32]}
        branches = {"then_branch": FuncRef("yes"), "else_branch": FuncRef("no")}
        steps = [
            ints("five", 5),
            node("large", "Greater", "i", "five", T=INT32),
            node("y", "StatelessIf", "large", "numbers", "i", **types, **branches),
            *parts,
        ]
    elif where == "condition":
        arguments = {"turn": INT32, "sum": FLOAT32, **same}
        more = [node("next", "AddV2", "turn", "one:output:0", T=INT32)]
        results = {"a": ("next:z:0", INT32), "b": ("sum", FLOAT32), "c": ("table", FLOAT32), "d": ("i", INT32)}
        small = [
            zero,
            ints("three", 3),
            node("on", "AddV2", "i", "turn", T=INT32),
            node("look", "GatherV2", "table", "on:z:0", "zero:output:0", Taxis=INT32, Tindices=INT32, Tparams=FLOAT32),
            node("few", "Less", "turn", "three:output:0", T=INT32),
            node("some", "GreaterEqual", "look:output:0", "sum", T=FLOAT32),
            node("both", "LogicalAnd", "few:z:0", "some:z:0"),
        ]
        steps = [
            function("body", arguments, results, [ints("one", 1), *more]),
            function("cond", arguments, {"go": ("both:z:0", BOOL)}, small),
            ints("zero", 0),
            const("nothing", np.float32(0)),
            node("loop", "StatelessWhile", "zero", "nothing", "numbers", "i",
                 T=list(arguments.values()), cond=FuncRef("cond"), body=FuncRef("body")),
            node("y", "Identity", "loop:0", T=INT32),
        ]  # fmt: skip
    else:
        arguments = {"turn": INT32, "sum": FLOAT32, "count": INT32, **same}
        more = [
            node("next", "AddV2", "turn", "one:output:0", T=INT32),
            node("total", "AddV2", "sum", "look:output:0", T=FLOAT32),
        ]
        results = {"a": ("next:z:0", INT32), "b": ("total:z:0", FLOAT32), "c": ("count", INT32)}
        results |= {"d": ("table", FLOAT32), "e": ("i", INT32)}
        steps = [
            function("body", arguments, results, [zero, ints("one", 1), *look, *more]),
            function("cond", arguments, {"go": ("less:z:0", BOOL)}, [node("less", "Less", "turn", "count", T=INT32)]),
            ints("zero", 0),
            const("nothing", np.float32(0)),
            *([ints("count", 3)] if where == "known turns" else [placeholder("count", (), INT32)]),
            node(
                "loop",
                "StatelessWhile",
                "zero",
                "nothing",
                "count",
                "numbers",
                "i",
                T=list(arguments.values()),
                cond=FuncRef("cond"),
                body=FuncRef("body"),
            ),
            node("y", "Identity", "loop:1", T=FLOAT32),
        ]
    return cg.Model.of(
        document_of(
            numbers,
            placeholder("i", (), INT32),
            *steps,
            handle("v", shape=()),
            const("one_more", np.float32(1)),
            node("add", "AssignAddVariableOp", "v", "one_more", dtype=FLOAT32),
            values={"v": np.float32(0)},
        )
    )


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("plain", r"^node 'y' \(GatherV2\): an index is not in \[0, 10\)\.$"),
        ("branch", r"^node 'y' \(StatelessIf\): node 'y/look' \(GatherV2\): an index"),
        ("known turns", r"^node 'loop' \(StatelessWhile\): node 'loop/look' \(GatherV2\): an index"),
        ("unknown turns", r"^node 'loop' \(StatelessWhile\): node 'loop/look' \(GatherV2\): an index"),
        ("condition", r"^node 'loop' \(StatelessWhile\): node 'loop/look' \(GatherV2\): an index"),
    ],
)
def test_a_run_that_fails_writes_nothing(where: str, said: str) -> None:
    with failing(where).session(engine="jax") as s:
        more = {"count": 3} if where == "unknown turns" else {}
        for turn in (1, 2):
            expected = {"plain": 7, "branch": 7, "condition": 3}.get(where, 21)
            assert s.run(["y", "add"], {"i": 6 if where == "condition" else 7, **more})[0] == expected
            for wrong in (10, 1000, *([7, 9] if where == "condition" else [])):
                with pytest.raises(RunError, match=said):
                    s.run(["y", "add"], {"i": wrong, **more})
            assert s.value("v") == turn


def test_assertions_and_numbers_are_checked() -> None:
    graph = document_of(
        placeholder("x", (None,), FLOAT32),
        ints("axis", 0),
        const("limit", np.float32(1)),
        node("largest", "Max", "x", "axis", T=FLOAT32, Tidx=INT32),
        node("small", "LessEqual", "largest", "limit", T=FLOAT32),
        const("words", np.array(b"too large:", object)),
        node("assert", "Assert", "small", "words", "largest", T=[STRING, FLOAT32]),
        node("checked", "CheckNumerics", "x", "^assert", T=FLOAT32, message=b"bad"),
        node("y", "Neg", "checked", T=FLOAT32),
    )
    with cg.Model.of(graph).session(engine="jax") as s:
        assert s.run("y", {"x": [0.5, 1]}).tolist() == [-0.5, -1]
        with pytest.raises(RunError, match=r"node 'assert' \(Assert\): the assertion failed: \[b'too large:'\]"):
            s.run("y", {"x": [0.5, 2]})
        with pytest.raises(RunError, match=r"node 'checked' \(CheckNumerics\): bad : Tensor had Inf or NaN"):
            s.run("y", {"x": [-np.inf, 0]})


def test_what_is_differentiated_and_trained_is_checked() -> None:
    model = cg.Model.of(
        document_of(
            placeholder("label", (None,), INT64),
            handle("w", shape=(2, 3)),
            node("logits", "ReadVariableOp", "w", dtype=FLOAT32),
            node("each", "SparseSoftmaxCrossEntropyWithLogits", "logits", "label", T=FLOAT32, Tlabels=INT64),
            ints("axis", [0]),
            node("loss", "Mean", "each", "axis", T=FLOAT32, Tidx=INT32),
            values={"w": np.zeros((2, 3))},
        )
    )
    slopes = model.grad("loss", "w")
    assert slopes({"label": [0, 1]})[1]["w"].shape == (2, 3)
    said = r"node 'each' \(SparseSoftmaxCrossEntropyWithLogits\): a label is outside of \[0, 3\)"
    with pytest.raises(RunError, match=said):
        slopes({"label": [0, 3]})
    program = build_program(model, ["loss"], fold=fold, all_state=True)
    work = trainer(program, [0], 0.1, [np.zeros((2, 3), np.float32)])
    seeds = np.zeros(4, np.uint32)
    first = work.step([np.array([0, 1])], seeds)[0]
    for _ in range(2):
        before = work.state[0]
        with pytest.raises(RunError, match=said):
            work.step([np.array([-1, 1])], seeds)
        assert np.array_equal(work.state[0], before)
        assert work.step([np.array([0, 1])], seeds)[0] < first


def test_old_state_that_somebody_holds_is_not_written_over() -> None:
    graph = document_of(
        handle("v", shape=(5000,)),
        placeholder("x", (), FLOAT32),
        node("add", "AssignAddVariableOp", "v", "x", dtype=FLOAT32),
        node("y", "ReadVariableOp", "v", "^add", dtype=FLOAT32),
        values={"v": np.zeros(5000)},
    )
    session = cg.Model.of(graph).session(engine="jax")
    held = []
    for turn in range(6):
        session.run("^add", {"x": np.float32(1)})
        held.append(session._store.read(["v"])[0][10:20] if turn % 2 else session.value("v"))
    assert [float(value[0]) for value in held] == [1, 2, 3, 4, 5, 6]
