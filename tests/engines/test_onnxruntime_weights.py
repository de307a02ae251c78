"""Weights worked out before a session is made: turned, and with what is done to channels behind a convolution."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32
from cryograph.base.tensors import Array, Tensor
from cryograph.engines.onnxruntime.session import Session
from cryograph.engines.onnxruntime.values import OnnxGraph, OnnxNode, Value
from cryograph.engines.onnxruntime.weights import settle_weights

DRAWN = np.random.default_rng(4)
FILTER = DRAWN.standard_normal((3, 2, 4, 5)).astype(np.float32)  # H, W, I, O


def turned(*bias: str) -> list[OnnxNode]:
    """A convolution by the filter, as lowerings write it."""
    return [
        OnnxNode("Transpose", ["filter"], ["inputs_first"], {"perm": [2, 0, 1, 3]}),
        OnnxNode("Transpose", ["inputs_first"], ["turned"], {"perm": [3, 0, 1, 2]}),
        OnnxNode("Conv", ["x", "turned", *bias], ["convolved"]),
    ]


def channels(*shape: int) -> Array:
    return np.asarray(DRAWN.uniform(0.5, 2, shape), np.float32)


def graph(nodes: list[OnnxNode], outputs: list[str], **constants: Array) -> OnnxGraph:
    held = {"filter": FILTER, **constants}
    known = {"x": Value("x", FLOAT32, (None, 4, 7, 6)), **{name: Value(name, FLOAT32, None) for name in outputs}}
    tensors = {name: Tensor.of(array) for name, array in held.items()}
    return OnnxGraph(["x"], outputs, [*turned(*{"bias"} & held.keys()), *nodes], tensors, known)


def operators(settled: OnnxGraph) -> Counter[str]:
    return Counter(node.op for node in settled.nodes)


def expected(nodes: list[OnnxNode], x: Array, constants: dict[str, Array], wanted: str) -> Array:
    """The nodes one after the other, as numpy has them."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (2, 3))
    values = {"convolved": np.einsum("nihwab,abio->nohw", windows, FILTER.astype(np.float64)), **constants}
    for node in nodes:
        first, *others = (values[name] for name in node.inputs)
        if node.op == "BatchNormalization":
            scale, offset, mean, variance = (other[:, None, None] for other in others)
            values[node.outputs[0]] = (first - mean) / np.sqrt(variance + node.attrs["epsilon"]) * scale + offset
        else:
            apply = {"Mul": np.multiply, "Add": np.add, "Sub": np.subtract}[node.op]
            values[node.outputs[0]] = apply(first, others[0])
    return values[wanted]


NORM = [
    OnnxNode("Mul", ["convolved", "scale"], ["scaled"]),
    OnnxNode("Add", ["offset", "scaled"], ["shifted"]),
    OnnxNode("Sub", ["shifted", "all"], ["y"]),
]
NORM_CONSTANTS = {"scale": channels(5, 1, 1), "offset": channels(1, 5, 1, 1), "all": channels(1)}
BATCH = [
    OnnxNode("BatchNormalization", ["convolved", "scale", "offset", "mean", "variance"], ["y"], {"epsilon": 0.01}),
]
BATCH_CONSTANTS = {name: channels(5) for name in ("scale", "offset", "mean", "variance")}


@pytest.mark.parametrize(
    ("nodes", "constants"), [(NORM, NORM_CONSTANTS), (BATCH, BATCH_CONSTANTS), (NORM[:1], NORM_CONSTANTS)]
)
def test_what_is_done_to_channels_becomes_part_of_the_convolution(
    nodes: list[OnnxNode], constants: dict[str, Array]
) -> None:
    last = nodes[-1].outputs[0]
    made = graph(nodes, [last], **constants)
    assert operators(settle_weights(made)) == {"Conv": 1}
    x = DRAWN.standard_normal((2, 4, 7, 6)).astype(np.float32)
    (answer,) = Session(made)([x])
    np.testing.assert_allclose(answer, expected(nodes, x, constants, last), rtol=2e-5, atol=2e-5)


def test_the_bias_that_is_there_is_scaled_too() -> None:
    made = graph(NORM[:1], ["scaled"], scale=channels(5, 1, 1), bias=channels(5))
    settled = settle_weights(made)
    bias = made.constants["bias"].numpy() * made.constants["scale"].numpy().reshape(5)
    np.testing.assert_allclose(settled.constants[settled.nodes[0].inputs[2]].numpy(), bias, rtol=1e-6)


def test_what_others_read_stays() -> None:
    made = graph(NORM, ["y", "scaled"], **NORM_CONSTANTS)
    assert operators(settle_weights(made)) == {"Conv": 1, "Add": 1, "Sub": 1}
    made = graph(NORM, ["y", "convolved"], **NORM_CONSTANTS)
    assert operators(settle_weights(made)) == {"Conv": 1, "Mul": 1, "Add": 1, "Sub": 1}


@pytest.mark.parametrize("shape", [(5, 1), (6,), (2, 5, 1, 1), (1, 1, 5, 1, 1), (5, 6)])
def test_what_is_not_of_channels_stays(shape: tuple[int, ...]) -> None:
    made = graph([OnnxNode("Mul", ["convolved", "scale"], ["y"])], ["y"], scale=channels(*shape))
    assert operators(settle_weights(made)) == {"Conv": 1, "Mul": 1}


def test_a_subtraction_from_a_constant_stays() -> None:
    made = graph([OnnxNode("Sub", ["all", "convolved"], ["y"])], ["y"], all=channels(1))
    assert operators(settle_weights(made)) == {"Conv": 1, "Sub": 1}


def test_moved_constants_are_constants() -> None:
    nodes = [
        OnnxNode("Reshape", ["turned", "rows"], ["flat"]),
        OnnxNode("Transpose", ["flat"], ["columns"], {"perm": [1, 0]}),
        OnnxNode("Reshape", ["turned", "unknown"], ["guessed"]),
    ]
    rows, unknown = np.array([5, 24]), np.array([-1, 24])
    settled = settle_weights(graph(nodes, ["convolved", "columns", "guessed"], rows=rows, unknown=unknown))
    assert operators(settled) == {"Conv": 1, "Reshape": 1}
    np.testing.assert_array_equal(settled.constants["columns"].numpy(), FILTER.transpose(3, 2, 0, 1).reshape(5, 24).T)
    np.testing.assert_array_equal(settled.constants["turned"].numpy(), FILTER.transpose(3, 2, 0, 1))
