"""Models as .onnx files: what is written, run by ONNX Runtime itself, answers as we do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32
from cryograph.base.errors import UnsupportedError
from cryograph.engines.onnxruntime import file
from tests.support.small_graphs import const, document_of, node, placeholder

DEMO = Path(cg.__file__).parent / "data" / "demo"


@pytest.fixture
def model() -> cg.Model:
    return cg.load(DEMO / "graph.pbtxt", weights=DEMO / "digits-3000").freeze("probabilities")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).random((3, 8, 8, 1)).astype(np.float32)


def run(path: Path, **feeds: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {name.replace("__", ":"): value for name, value in feeds.items()})


def test_a_file_that_any_reader_takes(model: cg.Model, image: np.ndarray, tmp_path: Path) -> None:
    cg.save(model, tmp_path / "model.onnx")
    read = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(read, full_check=True)
    assert [port.name for port in read.graph.input] == ["image:0"]
    assert [port.name for port in read.graph.output] == ["probabilities:0"]
    assert read.opset_import[0].version >= 18
    expected = model.compile("probabilities")(image)["probabilities"]
    np.testing.assert_allclose(run(tmp_path / "model.onnx", image__0=image)[0], expected, rtol=1e-6)


def test_weights_past_the_limit_lie_beside(
    model: cg.Model, image: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "MAX_MESSAGE", 100)
    cg.save(model, tmp_path / "model.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    expected = model.compile("probabilities")(image)["probabilities"]
    np.testing.assert_allclose(run(tmp_path / "model.onnx", image__0=image)[0], expected, rtol=1e-6)


def test_outputs_that_are_inputs_or_constants(tmp_path: Path) -> None:
    graph = document_of(placeholder("x", (2,)), const("c", [1.0, 2.0, 3.0]), node("y", "Neg", "x", T=FLOAT32))
    cg.Model.of(graph).save_onnx(tmp_path / "m.onnx", ["x", "c", "y"])
    made = run(tmp_path / "m.onnx", x__0=np.array([1, -2], np.float32))
    assert [m.tolist() for m in made] == [[1, -2], [1, 2, 3], [-1, 2]]


def test_what_stands_in_the_way_is_listed_and_nothing_written(tmp_path: Path) -> None:
    root = "MatrixSquareRoot"
    graph = document_of(placeholder("x", (2, 2)), node("a", root, "x", T=FLOAT32), node("b", root, "a", T=FLOAT32))
    with pytest.raises(UnsupportedError, match=rf"2 of 2 steps cannot be written.*\n  a \({root}\).*\n  b \(") as e:
        cg.Model.of(graph).save_onnx(tmp_path / "m.onnx", "b")
    assert "nothing was written" in str(e.value)
    assert list(tmp_path.iterdir()) == []
