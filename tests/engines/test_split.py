"""The engine auto: how a program is cut into pieces, what each piece takes and gives, and that answers stay."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, STRING, dtype_of
from cryograph.base.errors import Error, RunError, UnknownNameError, UnsupportedError
from cryograph.base.tensors import Tensor
from cryograph.engines import engines
from cryograph.engines.numpy.engine import Numpy
from cryograph.engines.onnxruntime.left_out import LEFT_OUT
from cryograph.engines.onnxruntime.lower import Lowering
from cryograph.engines.split import PIECE, SMALL, Auto, Piece, _Plan
from cryograph.program.build import build_program
from cryograph.program.program import Program, Spec, State, Step
from tests.support.small_graphs import const, document_of, ints, node, placeholder

# An op that only numpy runs (its lowering is taken away), and one that ONNX Runtime is worth waking for.
SLOW, FAST = "BesselJ0", "MatMul"
WIDE = 64


@pytest.fixture(autouse=True)
def without_a_lowering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEFT_OUT, SLOW, "is left out here")


class Chain:
    """Programs in few words: `chain.add("MatMul", "a", "b")` gives the name of a (64, 64) result."""

    def __init__(self, *inputs: str) -> None:
        self.inputs = inputs
        self.steps: list[Step] = []
        self.constants: dict[str, Tensor] = {}
        self.specs = {name: Spec(FLOAT32, (WIDE, WIDE)) for name in inputs}

    def add(self, op: str, *inputs: str, shape: Any = (WIDE, WIDE), dtype: Any = FLOAT32, **attrs: Any) -> str:
        name = f"v{len(self.steps)}"
        self.steps.append(Step(f"step{len(self.steps)}", op, inputs, (name,), attrs))
        self.specs[name] = Spec(dtype, shape)
        return name

    def program(self, *outputs: str) -> Program:
        return Program(self.inputs, outputs, tuple(self.steps), self.constants, self.specs)


def levels(program: Program) -> list[int]:
    plan = _Plan(program, Lowering(program))
    plan.pieces()
    return plan.levels


def test_a_piece_is_as_large_as_it_can_be() -> None:
    chain = Chain("x")
    a = chain.add(FAST, "x", "x")
    slow = chain.add(SLOW, a)
    b = chain.add(FAST, a, a)
    c = chain.add("Relu", b)
    late = chain.add(FAST, c, slow)
    beside = chain.add(FAST, "x", "x")
    program = chain.program(late, beside)
    # x alone decides nothing; a, b, c and what stands beside are one piece; what needs `slow` is another.
    assert levels(program) == [1, 2, 1, 1, 3, 1]
    plan = _Plan(program, Lowering(program))
    pieces = plan.pieces()
    assert pieces == {1: [0, 2, 3, 5], 3: [4]}
    assert plan.seams([0, 2, 3, 5]) == (("x",), ("v0", "v3", "v5"))
    assert plan.seams([4]) == (("v3", "v1"), ("v4",))


def test_cheap_steps_go_with_their_neighbours() -> None:
    chain = Chain("x")
    slow = chain.add(SLOW, "x")
    shape = chain.add("Shape", slow, shape=(2,), dtype=INT32)
    alone = chain.add("Cast", shape, shape=(2,), dtype=FLOAT32, DstT=FLOAT32)
    assert levels(chain.program(alone)) == [0, 0, 0]

    chain = Chain("x", "n")
    chain.specs["n"] = Spec(FLOAT32, (2,))
    cheap = chain.add("Neg", "n", shape=(2,))  # goes into the piece that reads it
    wide = chain.add("Tile", "x", "n2")
    chain.constants["n2"] = Tensor.of(np.asarray([1, 1], np.int32))
    chain.specs["n2"] = Spec(INT32, (2,))
    product = chain.add(FAST, wide, "x")
    scaled = chain.add("Sum", product, "n2", shape=(), keep_dims=False)
    joined = chain.add("Mul", scaled, cheap, shape=(2,))
    slow = chain.add(SLOW, joined, shape=(2,))
    assert levels(chain.program(slow)) == [1, 1, 1, 1, 1, 2]


def test_what_is_not_worth_a_session_stays_on_numpy() -> None:
    chain = Chain("x")
    slow = chain.add(SLOW, "x", shape=(40, 40))
    middle = chain.add("Neg", slow, shape=(40, 40))
    end = chain.add(SLOW, middle, shape=(40, 40))
    assert SMALL < 40 * 40
    assert levels(chain.program(end)) == [0, 0, 0]
    big = Chain("x")
    big.specs["x"] = Spec(FLOAT32, (400, 400))
    first = big.add(SLOW, "x", shape=(400, 400))
    second = big.add("Neg", first, shape=(400, 400))
    third = big.add(SLOW, second, shape=(400, 400))
    assert levels(big.program(third)) == [0, 1, 2]


def test_planning_takes_linear_time() -> None:
    def spent(count: int) -> float:
        chain = Chain("x")
        value = "x"
        for i in range(count):
            value = chain.add(SLOW if i % 4 == 0 else "Neg", value)
        lowering = Lowering(chain.program(value))
        best = []
        for _ in range(3):
            start = time.perf_counter()
            _Plan(chain.program(value), lowering).pieces()
            best.append(time.perf_counter() - start)
        return min(best)

    spent(100)
    assert spent(16_000) < 40 * spent(1_600) + 0.05


def mixed() -> Any:
    weights = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)
    return document_of(
        placeholder("x", (None, 8, 8, 3)),
        const("w", weights),
        node("conv", "Conv2D", "x", "w", T=FLOAT32, strides=[1, 1, 1, 1], padding="SAME"),
        node("relu", "Relu", "conv", T=FLOAT32),
        node("gamma", "BesselJ0", "relu", T=FLOAT32),
        node("conv2", "Conv2D", "gamma2", "w2", T=FLOAT32, strides=[1, 2, 2, 1], padding="VALID"),
        const("w2", weights[:, :, :2].repeat(2, 2)),
        const("one", 1.5),
        node("gamma2", "Minimum", "gamma", "one", T=FLOAT32),
        ints("axes", [1, 2]),
        node("mean", "Mean", "conv2", "axes", T=FLOAT32, Tidx=INT32, keep_dims=False),
    )


def test_two_engines_give_the_answer_of_one() -> None:
    program = build_program(mixed(), ["mean", "relu"])
    prepared = Auto().split(program)
    assert prepared.pieces == (
        "onnxruntime: 2 steps",
        "onnxruntime: 3 steps",
        "numpy: 1 steps (BesselJ0)",
    )
    x = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype(np.float32)
    for mine, theirs in zip(prepared.run([x]), Numpy().prepare(program)([x]), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_a_whole_program_is_one_session() -> None:
    document = document_of(placeholder("x", (2,)), node("y", "Neg", "x", T=FLOAT32))
    prepared = Auto().split(build_program(document, ["y"]))
    assert prepared.pieces == ("onnxruntime: all 1 steps",)
    assert isinstance(prepared.run, Piece)
    assert Auto().missing(build_program(document, ["y"])) == []


def loop(body_op: str) -> Program:
    """Ten rounds of a product and an op, then a sum."""
    cell = Chain("i", "x")
    cell.specs["i"] = Spec(INT32, ())
    cell.constants["one"] = Tensor.of(np.asarray(1, np.int32))
    cell.specs["one"] = Spec(INT32, ())
    following = cell.add("Add", "i", "one", shape=(), dtype=INT32)
    turned = cell.add(body_op, cell.add("Tanh", cell.add(FAST, "x", "x")))
    test = Chain("i", "x")
    test.specs["i"] = Spec(INT32, ())
    test.constants["ten"] = Tensor.of(np.asarray(10, np.int32))
    test.specs["ten"] = Spec(INT32, ())
    go = test.add("Less", "i", "ten", shape=(), dtype=BOOL)
    outer = Chain("x")
    outer.constants["zero"] = Tensor.of(np.asarray(0, np.int32))
    outer.specs["zero"] = Spec(INT32, ())
    bodies = {"cond": test.program(go), "body": cell.program(following, turned)}
    step = Step("loop", "While", ("zero", "x"), ("count", "out"), {"parallel_iterations": 10}, bodies)
    outer.steps.append(step)
    outer.specs.update({"count": Spec(INT32, ()), "out": Spec(FLOAT32, (WIDE, WIDE))})
    end = outer.add("Relu", "out")
    return outer.program(end, "count")


@pytest.mark.parametrize("op", ["Neg", SLOW])
def test_loops_of_either_kind_of_body(op: str) -> None:
    program = loop(op)
    prepared = Auto().split(program)
    x = np.random.default_rng(2).normal(size=(WIDE, WIDE)).astype(np.float32) / 10
    mine, count = prepared.run([x])
    theirs, _ = Numpy().prepare(program)([x])
    assert count == 10
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    if op == SLOW:
        assert "loop/body: onnxruntime: 2 steps" in prepared.pieces
    else:
        assert prepared.pieces == ("onnxruntime: all 2 steps",)


@pytest.mark.parametrize("op", ["Neg", SLOW])
def test_state_comes_in_and_goes_out(op: str) -> None:
    chain = Chain("x")
    chain.specs["v"] = Spec(FLOAT32, (WIDE, WIDE))
    after = chain.add("Add", "v", chain.add(op, chain.add(FAST, "x", "v")))
    chain.add("Neg", after)
    program = replace(chain.program("v3"), state=(State("v", "v", after, None),))
    x, v = np.random.default_rng(3).uniform(0.1, 0.2, (2, WIDE, WIDE)).astype(np.float32)
    for mine, theirs in zip(Auto().prepare(program)([x, v]), Numpy().prepare(program)([x, v]), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_what_no_engine_takes_is_said_before_the_run() -> None:
    chain = Chain("x")
    end = chain.add("NoSuchOp", chain.add(FAST, "x", "x"))
    program = chain.program(end)
    (item,) = Auto().missing(program)
    assert item.step.op == "NoSuchOp"
    with pytest.raises(UnsupportedError, match=r"step1 \(NoSuchOp\): .*feed what they give: inputs=\['v1'\]"):
        Auto().prepare(program)


def test_what_the_runtime_finds_at_fault_numpy_explains() -> None:
    chain = Chain("x")
    chain.specs["i"] = Spec(INT32, (None,))
    chain.specs["axis"] = Spec(INT32, ())
    chain.constants["axis"] = Tensor.of(np.asarray(0, np.int32))
    chain.inputs = ("x", "i")
    end = chain.add("GatherV2", "x", "i", "axis", shape=(None, WIDE), batch_dims=0)
    run = Auto().prepare(chain.program(end))
    x = np.ones((WIDE, WIDE), np.float32)
    assert run([x, np.asarray([1, 2], np.int32)])[0].shape == (2, WIDE)
    with pytest.raises(Error, match="step0"):
        run([x, np.asarray([WIDE], np.int32)])


def test_steps_on_strings_stay_on_numpy() -> None:
    chain = Chain("x")
    text = chain.add("AsString", "x", dtype=STRING)
    ends = chain.add("StringJoin", text, text, dtype=STRING, N=2)
    product = chain.add(FAST, "x", "x")
    prepared = Auto().split(chain.program(ends, product))
    assert prepared.pieces == ("onnxruntime: 1 steps", "numpy: 2 steps (AsString, StringJoin)")
    words = Chain("x")
    words.specs["x"] = Spec(STRING, (WIDE,))
    end = words.add("StringUpper", words.add("StringLower", "x", dtype=STRING), dtype=STRING)
    assert Auto().split(words.program(end)).pieces == ("numpy: 2 steps (StringLower, StringUpper)",)


def test_a_fault_that_numpy_cannot_explain_is_the_runtimes() -> None:
    chain = Chain("x")
    end = chain.add("NoSuchOp", "x")

    def fail(arrays: Any) -> Any:
        raise RunError("ONNX Runtime failed: because")

    with pytest.raises(RunError, match="because"):
        Piece(chain.program(end), fail)([np.ones(1)])  # type: ignore[arg-type]


def test_engines_by_name() -> None:
    assert set(engines.ENGINES) == {"auto", "numpy", "onnxruntime", "openvino", "jax", "fastest"}
    for name in engines.ENGINES:
        assert engines.engine(name).name == name
    with pytest.raises(UnknownNameError, match=r"There is no engine 'tpu'\. Choices: auto, numpy, onnxruntime"):
        engines.engine("tpu")
    document = document_of(placeholder("x", (2,)), node("y", "Neg", "x", T=FLOAT32))
    program = build_program(document, ["y"])
    for name in ("auto", "numpy", "onnxruntime"):
        prepared = engines.prepare(program, name)
        assert prepared.run([np.asarray([1, -2], np.float32)])[0].tolist() == [-1, 2]
        assert prepared.pieces[0].endswith("all 1 steps")


def test_support_by_name() -> None:
    found = engines.support(["Conv2D", "Eig", "NoSuchOp", PIECE])
    assert found == {"Conv2D": "onnxruntime", "Eig": "numpy", "NoSuchOp": "none", PIECE: "none"}
    assert dtype_of("float32") is FLOAT32


def test_matrices_of_many_numbers_go_to_numpy() -> None:
    """LAPACK is far ahead of a loop, and little ones are not worth the way."""
    for size, pieces in ((WIDE, 2), (6, 1)):
        chain = Chain("x")
        chain.specs["x"] = Spec(FLOAT32, (size, size))
        shape = (size, size)
        a = chain.add(FAST, "x", "x", shape=shape)
        inverse = chain.add("MatrixInverse", a, shape=shape)
        program = chain.program(chain.add(FAST, inverse, "x", shape=shape))
        made = Auto().split(program)
        assert sum(words.startswith("onnxruntime") for words in made.pieces) == pieces
        assert ("numpy: 1 steps (MatrixInverse)" in made.pieces) == (size == WIDE)
        x = np.eye(size, dtype=np.float32) * 2
        np.testing.assert_allclose(made.run([x])[0], x / 4)
        with pytest.raises(RunError, match="not invertible"):
            made.run([x * 0])


@pytest.mark.parametrize(
    ("shape", "engine"), [((20000,), "numpy"), ((20000, 64), "onnxruntime"), ((None, 2), "onnxruntime")]
)
def test_many_rows_of_few_numbers_are_joined_on_numpy(shape: Any, engine: str) -> None:
    chain = Chain("x", "ids")
    chain.specs["x"] = Spec(FLOAT32, shape)
    chain.specs["ids"] = Spec(INT32, shape[:1])
    program = chain.program(chain.add("SegmentSum", "x", "ids", shape=(None, *shape[1:])))
    made = Auto().split(program)
    assert [words.partition(":")[0] for words in made.pieces] == [engine]


def test_what_one_call_of_numpy_does_stays_there_when_it_is_large() -> None:
    for shape, engine in (((10, 10), "onnxruntime"), ((200, 200), "numpy")):
        chain = Chain("x", "y")
        chain.specs["x"] = chain.specs["y"] = Spec(FLOAT32, shape)
        program = chain.program(chain.add("NextAfter", "x", "y", shape=shape))
        assert [words.partition(":")[0] for words in Auto().split(program).pieces] == [engine]
