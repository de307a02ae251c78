"""What transformers are made of, found in graphs that spell it out, and left alone where something is another."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32, FLOAT64
from cryograph.base.tensors import Tensor
from cryograph.engines.engines import fold, prepare
from cryograph.engines.onnxruntime.engine import OnnxRuntime, lowered
from cryograph.engines.onnxruntime.faults import ATTENTION_BIAS, is_right
from cryograph.program.build import build_program
from cryograph.program.program import Program, Spec, Step
from tests.support.graph_cases import read_graphs
from tests.support.op_cases import Array

CASES = {case.name: case for case in read_graphs("transformers")}

FOUND = {
    "layer_norm_of_moments": ["LayerNormalization"],
    "layer_norm_centred": ["LayerNormalization"],
    "layer_norm_of_keras_3": ["Squeeze", "Squeeze", "LayerNormalization"],
    "layer_norm_of_keras": ["LayerNormalization"],
    "layer_norm_of_keras_fused": ["LayerNormalization"],
    "gelu_erf": ["Gelu"],
    "gelu_erf_last": ["Gelu"],
    "gelu_erfc": ["Gelu"],
    "gelu_tanh": ["FastGelu"],
    "gelu_tanh_of_products": ["FastGelu"],
    "dense": ["MatMul", "Add"],
}
"""All that is left of a graph."""

LEFT = ["norm_over_another_axis", "norm_of_another_mean", "almost_gelu", "almost_gelu_of_another"]


@pytest.mark.parametrize("name", FOUND)
def test_it_is_one_operator(name: str) -> None:
    case = CASES[name]
    graph = lowered(build_program(case.document(), case.outputs, case.inputs, fold=fold))
    assert [node.op for node in graph.nodes] == FOUND[name]


@pytest.mark.parametrize("name", LEFT)
def test_what_only_looks_like_it_is_left(name: str) -> None:
    case = CASES[name]
    graph = lowered(build_program(case.document(), case.outputs, case.inputs, fold=fold))
    assert not {"LayerNormalization", "Gelu", "FastGelu"} & {node.op for node in graph.nodes}


MASKED = ("_causal", "_masked", "_of_bert")
"""What is left as it is for runtimes that add masks wrongly."""


@pytest.mark.parametrize(
    ("name", "products"),
    [("", 4), ("_of_wide_values", 4), ("_causal", 4), ("_masked", 4), ("_of_bert", 3)],
)
def test_attention_is_one_operator(name: str, products: int) -> None:
    case = CASES[f"attention{name}"]
    graph = lowered(build_program(case.document(), case.outputs, case.inputs, fold=fold))
    ops = [node.op for node in graph.nodes]
    if name in MASKED and not is_right(ATTENTION_BIAS):
        assert "MultiHeadAttention" not in ops
        return
    assert ops.count("MultiHeadAttention") == 1
    assert ops.count("MatMul") == products  # of queries, keys, values and the output
    assert not {"Einsum", "Softmax", "Transpose"} & set(ops)


def test_attention_with_one_batch_of_queries_is_left() -> None:
    case = CASES["attention_of_one_query"]
    graph = lowered(build_program(case.document(), case.outputs, case.inputs, fold=fold))
    assert "MultiHeadAttention" not in {node.op for node in graph.nodes}


def test_the_runtime_has_no_gelu_of_doubles() -> None:
    half, one, root = (Tensor.of(np.array(x)) for x in (0.5, 1.0, np.sqrt(0.5)))
    steps = [
        Step(*parts, {"T": FLOAT64})
        for parts in (
            ("m", "Mul", ("x", "root"), ("m",)),
            ("e", "Erf", ("m",), ("e",)),
            ("p", "AddV2", ("e", "one"), ("p",)),
            ("h", "Mul", ("x", "half"), ("h",)),
            ("y", "Mul", ("h", "p"), ("y",)),
        )
    ]
    specs = {name: Spec(FLOAT64, (3,)) for name in "xmephy"} | {n: Spec(FLOAT64, ()) for n in ("half", "one", "root")}
    program = Program(("x",), ("y",), tuple(steps), {"half": half, "one": one, "root": root}, specs)
    x = np.array([-1.0, 0.5, 2.0])
    (auto,), (plain,) = prepare(program, "auto").run([x]), prepare(program, "numpy").run([x])
    np.testing.assert_allclose(auto, plain, rtol=1e-12)


SIZES = dict(zip("abcdefg", (2, 3, 4, 5, 6, 7, 8), strict=True))
EINSUMS = [
    "abc,cde->abde",
    "aecd,abcd->acbe",
    "acbe,aecd->abcd",
    "abcd,cde->abe",
    "ab,bc->ac",
    "ab,bc->ca",
    "ab,cb->ac",
    "abc,abd->acd",
    "ab,ab->a",
    "ab,ab->",
    "a,b->ab",
    "ab,b->a",
    "abc,bcd->ad",
    "abc,bcd->da",
    "abcd,bcde->ae",
    "abc,acd->abd",
    "abc,adc->bad",
    "ab,cd->abcd",
    "b,abc->ac",
    "abc,c->ab",
    "bacd,bae->aced",
    "ab,bcd->cad",
    "cb,bac->ca",
    "ab,bc->a",
]


@pytest.mark.parametrize("unknown", ["", "a", "abc"])
@pytest.mark.parametrize("equation", EINSUMS)
def test_an_einsum_of_two_factors(equation: str, unknown: str) -> None:
    """As what is known of shapes decides the form, sizes are told or not."""
    left, right = equation.split("->")[0].split(",")
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=[SIZES[c] for c in term]).astype(np.float32) for term in (left, right))
    told = [tuple(None if c in unknown else SIZES[c] for c in term) for term in (left, right)]
    for constants in ({}, {"y": Tensor.of(y)}):
        given: list[Array] = [x] if constants else [x, y]
        specs = {
            "x": Spec(FLOAT32, told[0]),
            "y": Spec(FLOAT32, y.shape if constants else told[1]),
            "z": Spec(FLOAT32, None),
        }
        step = Step("z", "Einsum", ("x", "y"), ("z",), {"equation": equation.encode(), "N": 2})
        program = Program(("x", "y")[: len(given)], ("z",), (step,), constants, specs)
        (made,) = OnnxRuntime().prepare(program)(given)
        expected = np.einsum(equation, x, y)
        assert made.shape == expected.shape
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_an_einsum_that_broadcasts() -> None:
    """A letter may be of size 1 in one factor."""
    x, y = np.ones((1, 3, 4), np.float32), np.full((2, 4, 5), 2, np.float32)
    specs = {"x": Spec(FLOAT32, x.shape), "y": Spec(FLOAT32, y.shape), "z": Spec(FLOAT32, (2, 3, 5))}
    step = Step("z", "Einsum", ("x", "y"), ("z",), {"equation": b"abc,acd->abd", "N": 2})
    program = Program(("x", "y"), ("z",), (step,), {}, specs)
    (made,), (plain,) = prepare(program, "auto").run([x, y]), prepare(program, "numpy").run([x, y])
    np.testing.assert_array_equal(made, plain)
