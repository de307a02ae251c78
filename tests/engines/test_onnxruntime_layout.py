"""Sinking transposes: every rule keeps the answers, and takes the transpose past its op."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, INT64, DType
from cryograph.base.tensors import Tensor
from cryograph.engines.onnxruntime.layout import RULES, inverse, sink_transposes
from cryograph.engines.onnxruntime.passes import improve, sweep
from cryograph.engines.onnxruntime.session import Session
from cryograph.engines.onnxruntime.values import OnnxGraph, OnnxNode, Value

SHAPE = (2, 3, 4, 5)
LAST = [0, 2, 3, 1]
FIRST = [0, 3, 1, 2]


class Sketch:
    """Builds a light graph by hand: `sketch.op("Relu", "x")` gives the name of the result."""

    def __init__(self, inputs: dict[str, tuple[DType, tuple[int | None, ...]]]) -> None:
        self.inputs = list(inputs)
        self.nodes: list[OnnxNode] = []
        self.constants: dict[str, Tensor] = {}
        self.known = {name: Value(name, dtype, shape) for name, (dtype, shape) in inputs.items()}

    def const(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = Tensor.of(np.asarray(values, dtype))
        tensor = self.constants[name]
        self.known[name] = Value(name, tensor.dtype, tensor.shape, tensor)
        return name

    def op(self, op: str, *inputs: str, count: int = 1, domain: str = "", **attrs: Any) -> str:
        names = [f"{op.lower()}{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(count)]
        self.nodes.append(OnnxNode(op, list(inputs), names, attrs, domain))
        return names[0]

    def last(self, x: str, rank: int = 4) -> str:
        """From channels first to last."""
        made = self.op("Transpose", x, perm=[0, *range(2, rank), 1])
        known = self.known.get(x)
        if known is not None and known.shape is not None:
            shape = (known.shape[0], *known.shape[2:], known.shape[1])
            self.known[made] = Value(made, known.dtype, shape)
        return made

    def graph(self, outputs: dict[str, tuple[DType, int]]) -> OnnxGraph:
        for name, (dtype, rank) in outputs.items():
            self.known.setdefault(name, Value(name, dtype, (None,) * rank))
        return OnnxGraph(self.inputs, list(outputs), self.nodes, dict(self.constants), dict(self.known))


def copied(graph: OnnxGraph) -> OnnxGraph:
    nodes = [OnnxNode(n.op, list(n.inputs), list(n.outputs), dict(n.attrs), n.domain) for n in graph.nodes]
    return OnnxGraph(list(graph.inputs), list(graph.outputs), nodes, dict(graph.constants), dict(graph.known))


def ops(graph: OnnxGraph) -> list[str]:
    return [node.op for node in graph.nodes]


def same_answers(graph: OnnxGraph, *arrays: np.ndarray[Any, Any]) -> OnnxGraph:
    plain = Session(copied(graph))(arrays)
    better = improve(copied(graph))
    for a, b in zip(plain, Session(better)(arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
        assert a.dtype == b.dtype
    return better


def picture(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(0.1, 0.9, shape).astype(np.float32)


ROW = np.arange(1, 4)

# op: inputs after the view (arrays are constants), attributes, rank and dtype of the result
ALONG: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "ReduceMean": ([np.asarray([1, 2])], {"keepdims": 0}, 2),
    "ReduceSum": ([np.asarray([1, -2])], {"keepdims": 1}, 4),
    "ReduceMax": ([np.asarray([1])], {"keepdims": 0}, 3),
    "ReduceMin": ([np.asarray([-1])], {"keepdims": 0}, 3),
    "ReduceProd": ([np.asarray([0])], {"keepdims": 0}, 3),
    "ReduceL1": ([np.asarray([2])], {"keepdims": 1}, 4),
    "ReduceL2": ([np.asarray([2])], {"keepdims": 1}, 4),
    "ReduceLogSumExp": ([np.asarray([2])], {"keepdims": 0}, 3),
    "ReduceSumSquare": ([np.asarray([0, 3])], {"keepdims": 0}, 2),
    "ArgMax": ([], {"axis": 3, "keepdims": 0}, 3),
    "ArgMin": ([], {"axis": -2, "keepdims": 1}, 4),
    "Gather": ([np.asarray(1)], {"axis": 3}, 3),
    "LogSoftmax": ([], {"axis": 3}, 4),
    "Pad": ([np.asarray([0, 1, 2, 0, 0, 3, 0, 1])], {"mode": "constant"}, 4),
    "Reshape": ([np.asarray([2, -1])], {"allowzero": 0}, 2),
    "Resize": (["", "", np.asarray([2, 8, 10, 3])], {"mode": "nearest", "nearest_mode": "floor"}, 4),
    "Shape": ([], {}, 1),
    "Slice": ([np.asarray([1, 0]), np.asarray([3, 2]), np.asarray([2, -1])], {}, 4),
    "Softmax": ([], {"axis": -1}, 4),
    "Split": ([np.asarray([1, 2])], {"axis": 3}, 4),
    "Tile": ([np.asarray([1, 2, 1, 3])], {}, 4),
    "Unsqueeze": ([np.asarray([1, 5])], {}, 6),
}
BESIDE = {"Concat", "Squeeze", "Clip", "Cast", "PRelu", "Where", "BitShift", "BitwiseNot", "Not", "Sum"}
TWO = (
    *("Add", "Div", "Max", "Min", "Mod", "Mul", "Pow", "Sub"),
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
    *("And", "Or", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor"),
)


def test_every_rule_is_tried() -> None:
    alone = {name for name in RULES if name not in ALONG and name not in TWO and name not in BESIDE}
    assert alone == set(ONE)


ONE = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf"),
    *("Exp", "Floor", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Neg"),
    *(
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
    ),
)


@pytest.mark.parametrize("op", ONE)
def test_elementwise_ops_of_one_input(op: str) -> None:
    sketch = Sketch({"x": (FLOAT32, SHAPE)})
    out = sketch.op(op, sketch.last("x"))
    better = same_answers(
        sketch.graph({out: (BOOL if op.startswith("Is") else FLOAT32, 4)}), picture() + (op == "Acosh")
    )
    assert ops(better) == [op, "Transpose"]


@pytest.mark.parametrize("op", TWO)
@pytest.mark.parametrize("other", [(5,), (4, 5, 3), (1, 1, 3), (1, 4, 1, 1), ()])
def test_elementwise_ops_of_two_inputs(op: str, other: tuple[int, ...]) -> None:
    other = tuple({5: 3, 4: 4}.get(s, s) for s in other) if len(other) == 1 else other
    kind: Any = np.float32
    if op in ("And", "Or", "Xor"):
        kind = np.bool_
    elif op.startswith("Bitwise"):
        kind = np.int32
    dtype = {np.float32: FLOAT32, np.bool_: BOOL, np.int32: INT32}[kind]
    sketch = Sketch({"x": (dtype, SHAPE)})
    attrs = {"fmod": 1} if op == "Mod" else {}
    out = sketch.op(op, sketch.last("x"), sketch.const(picture(other, 1) * 3, kind), **attrs)
    better = same_answers(
        sketch.graph(
            {out: (BOOL if op in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual") else dtype, 4)}
        ),
        (picture() * 5).astype(kind),
    )
    assert ops(better) == [op, "Transpose"]


@pytest.mark.parametrize("op", ALONG)
def test_ops_along_axes(op: str) -> None:
    inputs, attrs, rank = ALONG[op]
    shape = (2, 3, 1, 1) if op == "Reshape" else SHAPE
    sketch = Sketch({"x": (FLOAT32, shape)})
    count = 2 if op == "Split" else 1
    consts = [i if isinstance(i, str) else sketch.const(i, np.int64) for i in inputs]
    out = sketch.op(op, sketch.last("x"), *consts, count=count, **attrs)
    dtype = INT64 if op in ("ArgMax", "ArgMin", "Shape") else FLOAT32
    outputs = {out: (dtype, rank)}
    if count == 2:
        outputs[f"{out}_1"] = (dtype, rank)
    better = same_answers(sketch.graph(outputs), picture(shape))
    made = ops(better)
    assert op in made
    assert "Transpose" not in made[: made.index(op)]


def test_concat_and_squeeze_and_clip_and_the_rest() -> None:
    sketch = Sketch({"x": (FLOAT32, SHAPE), "y": (FLOAT32, (2, 6, 4, 5)), "z": (FLOAT32, (2, 4, 5, 2))})
    joined = sketch.op("Concat", sketch.last("x"), sketch.last("y"), "z", axis=-1)
    bounded = sketch.op("Clip", joined, sketch.const(0.2), sketch.const(0.7))
    sloped = sketch.op("PRelu", bounded, sketch.const(np.arange(11)))
    cast = sketch.op("Cast", sloped, to=6)
    turned = sketch.op("Cast", sketch.op("Not", sketch.op("Cast", cast, to=9)), to=12)
    shifted = sketch.op("BitwiseNot", sketch.op("BitShift", turned, sketch.const(2, np.uint32), direction="LEFT"))
    number = sketch.op("Cast", shifted, to=1)
    summed = sketch.op("Sum", number, sloped, sloped)
    chosen = sketch.op("Where", sketch.op("Greater", summed, sketch.const(0.5)), summed, sketch.const(np.arange(11)))
    end = sketch.op("Transpose", chosen, perm=FIRST)
    better = same_answers(
        sketch.graph({end: (FLOAT32, 4)}), picture(), picture((2, 6, 4, 5), 1), picture((2, 4, 5, 2), 2)
    )
    assert ops(better).count("Transpose") == 1  # that of z

    sketch = Sketch({"x": (FLOAT32, (2, 3, 1, 1))})
    out = sketch.op("Squeeze", sketch.last("x"), sketch.const([1, 2], np.int64))
    assert ops(same_answers(sketch.graph({out: (FLOAT32, 2)}), picture((2, 3, 1, 1)))) == ["Squeeze"]


def test_a_convolution_network_keeps_one_transpose_at_each_end() -> None:
    rng = np.random.default_rng(3)
    sketch = Sketch({"x": (FLOAT32, (None, 8, 8, 3))})

    def layer(x: str, channels: int) -> str:
        weights = sketch.const(rng.normal(size=(4, channels, 3, 3)))
        made = sketch.op("Conv", sketch.op("Transpose", x, perm=FIRST), weights, pads=[1, 1, 1, 1])
        biased = sketch.op("Add", sketch.op("Transpose", made, perm=LAST), sketch.const(rng.normal(size=4)))
        out = sketch.op("Relu", biased)
        for name in (biased, out):
            sketch.known[name] = Value(name, FLOAT32, (None, 8, 8, 4))
        return out

    first = layer("x", 3)
    second = layer(first, 4)
    added = sketch.op("Add", first, second)
    sketch.known[added] = Value(added, FLOAT32, (None, 8, 8, 4))
    last = layer(added, 4)
    better = same_answers(sketch.graph({last: (FLOAT32, 4)}), picture((2, 8, 8, 3)))
    assert ops(better).count("Transpose") == 2
    assert ops(better)[0] == "Transpose"
    assert ops(better)[-1] == "Transpose"


def test_views_of_views_vanish_and_outputs_are_real() -> None:
    sketch = Sketch({"x": (FLOAT32, SHAPE)})
    once = sketch.last("x")
    twice = sketch.op("Transpose", once, perm=FIRST)
    graph = sketch.graph({twice: (FLOAT32, 4), once: (FLOAT32, 4)})
    better = same_answers(graph, picture())
    assert ops(better) == ["Transpose"]
    assert better.outputs[0] == "x"


def test_a_transpose_of_a_weight_stays_for_the_runtime_to_fold() -> None:
    sketch = Sketch({"x": (FLOAT32, (1, 3))})
    out = sketch.op("MatMul", "x", sketch.op("Transpose", sketch.const(np.ones((5, 3))), perm=[1, 0]))
    assert ops(same_answers(sketch.graph({out: (FLOAT32, 2)}), picture((1, 3)))) == ["Transpose", "MatMul"]


def test_loops_see_what_was_a_view() -> None:
    sketch = Sketch({"x": (FLOAT32, SHAPE), "flag": (BOOL, ())})
    turned = sketch.last("x")
    bodies = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        inner = f"{op}_inside"
        double = OnnxNode("Transpose", [inner], [f"{inner}_t"], {"perm": FIRST})
        again = OnnxNode("Transpose", [f"{inner}_t"], [f"{inner}_u"], {"perm": LAST})
        known = {f"{inner}_u": Value(f"{inner}_u", FLOAT32, (None,) * 4), inner: Value(inner, FLOAT32, (None,) * 4)}
        bodies[name] = OnnxGraph([], [f"{inner}_u"], [OnnxNode(op, [turned], [inner]), double, again], {}, {**known})
    out = sketch.op("If", "flag", **bodies)
    graph = sketch.graph({out: (FLOAT32, 4)})
    better = improve(graph)
    x = picture()
    (got,) = Session(better)([x, np.asarray(False)])
    np.testing.assert_array_equal(got, -x.transpose(LAST))


def test_inverse_and_sweep() -> None:
    assert inverse((0, 2, 3, 1)) == (0, 3, 1, 2)
    sketch = Sketch({"x": (FLOAT32, SHAPE)})
    kept = sketch.op("Relu", "x")
    sketch.op("Neg", sketch.op("Abs", "x"))
    assert ops(sweep(sketch.graph({kept: (FLOAT32, 4)}))) == ["Relu"]
    assert ops(sink_transposes(sketch.graph({kept: (FLOAT32, 4)}))) == ["Relu", "Abs", "Neg"]


@pytest.mark.parametrize("perm", [[1, 2, 3, 0], [0, 2, 1, 3], [0, 3, 1, 2], [0, 3, 2, 1]])
def test_pictures_are_scaled_where_their_rows_and_columns_are_neighbours(perm: list[int]) -> None:
    sketch = Sketch({"x": (FLOAT32, SHAPE)})
    turned = sketch.op("Transpose", "x", perm=perm)
    sizes = [SHAPE[axis] for axis in perm]
    target = sketch.const([*sizes[:2], 2 * sizes[2], sizes[3]], np.int64)
    scaled = sketch.op("Resize", turned, "", "", target, mode="linear", coordinate_transformation_mode="half_pixel")
    better = same_answers(sketch.graph({scaled: (FLOAT32, 4)}), picture())
    is_moved = better.nodes[0].op == "Resize"
    assert is_moved == (set(perm[2:]) in ({1, 2}, {2, 3}))
