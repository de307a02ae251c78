"""The engine `openvino` on whole models, against TensorFlow's answers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32, STRING, dtype_of
from cryograph.base.errors import UnsupportedError
from tests.support.small_graphs import document_of, node, placeholder


@pytest.mark.parametrize("name", ["keras/mobilenet_v2", "keras/resnet50"])
def test_answers_are_tensorflows(make: Any, name: str) -> None:
    made = make(name)
    model = cg.load(made.path("frozen.pb"))
    (x,), (expected,) = made.inputs.values(), made.outputs.values()
    predict = model.compile(engine="openvino")
    answer = next(iter(predict(x).values()))
    assert np.abs(answer - expected).max() <= 1e-5
    assert np.array_equal(next(iter(predict(x).values())), answer)


def test_a_step_without_a_lowering_is_named() -> None:
    graph = document_of(placeholder("x", (2, 2)), node("a", "Eig", "x", T=FLOAT32, Tout=dtype_of("complex64")))
    with pytest.raises(UnsupportedError, match=r"a \(Eig\)"):
        cg.Model.of(graph).compile("a", engine="openvino")


def test_strings_are_refused() -> None:
    graph = document_of(placeholder("x", (2,), STRING), node("a", "StringLower", "x"))
    with pytest.raises(UnsupportedError, match="holds strings, which OpenVINO does not take"):
        cg.Model.of(graph).compile("a", engine="openvino")


def test_nobody_is_told_of_the_import() -> None:
    code = """
import sys
from cryograph.engines.openvino.engine import _package
package = _package()
assert "openvino_telemetry" not in sys.modules, "OpenVINO has loaded its telemetry"
assert package.Core and sys.modules["openvino"] is package
"""
    subprocess.run([sys.executable, "-c", code], check=True)
