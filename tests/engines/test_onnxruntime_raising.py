"""Transposes that are raised through scaling and shifting, to the input of a model."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32, UINT8
from cryograph.base.tensors import Tensor
from cryograph.engines.engines import prepare
from cryograph.engines.onnxruntime.engine import lowered
from cryograph.program.program import Program, Spec, Step
from tests.support.op_cases import Array

IMAGE = (None, 6, 7, 3)
CONSTANTS: dict[str, Array] = {
    "scale": np.array(0.5, np.float32),
    "mean": np.array([1, 2, 3], np.float32),
    "deviation": np.array([[[[2.0, 0.5, 4.0]]]], np.float32),
    "filters": np.arange(3 * 3 * 3 * 2, dtype=np.float32).reshape(3, 3, 3, 2) / 50,
    "position": np.arange(7 * 3, dtype=np.float32).reshape(7, 3),
}
SCALED = [
    ("f", "Cast", ("x",)),
    ("m", "Mul", ("f", "scale")),
    ("s", "Sub", ("m", "mean")),
    ("d", "RealDiv", ("s", "deviation")),
]


def program(steps: list[tuple[str, str, tuple[str, ...]]], last: str, *outputs: str) -> Program:
    how = {"strides": [1, 1, 1, 1], "padding": b"VALID", "data_format": b"NHWC", "dilations": [1, 1, 1, 1]}
    made = [Step(out, op, inputs, (out,), {"DstT": FLOAT32} if op == "Cast" else {}) for out, op, inputs in steps]
    made.append(Step("y", "Conv2D", (last, "filters"), ("y",), how))
    specs = {out: Spec(FLOAT32, IMAGE) for out, _, _ in steps} | {"x": Spec(UINT8, IMAGE)}
    specs |= {name: Spec(FLOAT32, array.shape) for name, array in CONSTANTS.items()} | {"y": Spec(FLOAT32, None)}
    constants = {name: Tensor.of(array) for name, array in CONSTANTS.items()}
    return Program(("x",), ("y", *outputs), tuple(made), constants, specs)


def assert_same_answers(asked: Program) -> None:
    x = np.random.default_rng(0).integers(0, 255, (2, 6, 7, 3)).astype(np.uint8)
    for ours, plain in zip(prepare(asked, "auto").run([x]), prepare(asked, "numpy").run([x]), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-4)


def moving_ops(asked: Program) -> list[str]:
    """Operators in running order, those that bring weights into place left out."""
    graph = lowered(asked)
    placed: set[str] = set(graph.constants)
    found = []
    for node in graph.nodes:
        if set(node.inputs) <= placed:
            placed.update(node.outputs)
        else:
            found.append(node.op)
    return found


def test_the_transpose_comes_first() -> None:
    asked = program(SCALED, "d")
    assert moving_ops(asked) == ["Transpose", "Cast", "Mul", "Sub", "Div", "Conv", "Transpose"]
    assert_same_answers(asked)


def test_constants_on_the_left() -> None:
    asked = program([("f", "Cast", ("x",)), ("s", "Sub", ("mean", "f")), ("d", "RealDiv", ("scale", "s"))], "s")
    assert moving_ops(asked) == ["Transpose", "Cast", "Sub", "Conv", "Transpose"]
    assert_same_answers(asked)


@pytest.mark.parametrize("shared", ["m", "s", "d"])
def test_what_others_read_is_not_changed(shared: str) -> None:
    asked = program(SCALED, "d", shared)
    assert moving_ops(asked)[0] != "Transpose"
    assert_same_answers(asked)


def test_what_scales_by_one_number_stays_before() -> None:
    assert moving_ops(program(SCALED[:2], "m")) == ["Cast", "Mul", "Transpose", "Conv", "Transpose"]


def test_a_constant_of_several_dimensions_stays() -> None:
    asked = program([*SCALED, ("p", "AddV2", ("d", "position"))], "p")
    assert moving_ops(asked)[-3:] == ["Transpose", "Conv", "Transpose"]
    assert_same_answers(asked)
