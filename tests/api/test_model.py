"""The public API on the demo: loading, joining, freezing, cutting, compiling, comparing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.errors import InputError, MissingWeightsError, UnknownNameError

DEMO = Path(cg.__file__).parent / "data" / "demo"


@pytest.fixture
def model() -> cg.Model:
    return cg.load(DEMO / "graph.pbtxt", weights=DEMO / "digits-3000")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).random((3, 8, 8, 1)).astype(np.float32)


def test_verbs_give_new_models(model: cg.Model) -> None:
    nodes, variables = list(model.graph.nodes), dict(model.variables)
    frozen = model.freeze("probabilities")
    thawed = frozen.unfreeze()
    part = frozen.extract("logits")
    assert all(type(m) is cg.Model for m in (frozen, thawed, part))
    assert (list(model.graph.nodes), model.variables) == (nodes, variables)
    assert not frozen.variables
    assert "probabilities" not in part.graph


def test_weights_are_not_copied_on_the_way(model: cg.Model, tmp_path: Path) -> None:
    frozen = model.freeze("probabilities")
    value = frozen.graph.nodes["hidden/weights"].attr("value")
    assert value is model.variables["hidden/weights"].tensor
    assert value.content is not None
    frozen.save(tmp_path / "f.pb")
    again = cg.load(tmp_path / "f.pb").graph.nodes["hidden/weights"].attr("value")
    assert not again.is_loaded
    assert np.array_equal(again.numpy(), value.numpy())


def test_feeds_go_in_by_name_position_and_keyword(model: cg.Model, image: np.ndarray) -> None:
    predict = model.compile("probabilities")
    assert [str(s) for s in predict.inputs] == ["image:0: float32 (?, 8, 8, 1)"]
    first = predict({"image:0": image})["probabilities"]
    for answer in (predict({"image": image}), predict(image), predict(image=image), predict(image.astype(np.float64))):
        assert np.array_equal(answer["probabilities"], first)
    assert list(predict({"import/image:0": image})) == ["probabilities"]


def test_answers_are_keyed_as_they_were_asked_for(model: cg.Model, image: np.ndarray) -> None:
    answers = model.compile(["probabilities:0", "logits"])(image)
    assert list(answers) == ["probabilities:0", "logits"]
    exponents = np.exp(answers["logits"] - answers["logits"].max(1, keepdims=True))
    np.testing.assert_allclose(answers["probabilities:0"], exponents / exponents.sum(1, keepdims=True), atol=1e-5)


def test_any_tensor_can_be_fed(model: cg.Model) -> None:
    predict = model.compile("logits", inputs=["flat"])
    assert predict(np.zeros((2, 96), np.float32))["logits"].shape == (2, 10)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "No value was given for image:0"),
        ({"image": np.zeros((8, 8, 1))}, r"A batch is expected: add a first dimension"),
        ({"image": np.zeros((1, 1, 8, 8))}, r"The channels come last here"),
        ({"image": np.array(["a"])}, r"is float32, but an array of <U1 was given"),
        ({"imge": np.zeros((1, 8, 8, 1))}, r"has no input 'imge'\. There is: image:0"),
    ],
)
def test_feeds_are_checked(model: cg.Model, feeds: dict, message: str) -> None:
    with pytest.raises(cg.Error, match=message):
        model.compile("probabilities")(feeds)


def test_names_are_checked_before_anything_runs(model: cg.Model) -> None:
    with pytest.raises(UnknownNameError, match=r"has no node 'probabilites'\. Nearest: probabilities\."):
        model.compile("probabilites")
    with pytest.raises(UnknownNameError, match="There is no engine 'gpu'"):
        model.compile("probabilities", engine="gpu")
    with pytest.raises(MissingWeightsError, match=r"conv1/weights"):
        cg.load(DEMO / "graph.pbtxt").compile("probabilities")
    with pytest.raises(UnknownNameError, match=r"has no signature 'serve'"):
        model.compile(signature="serve")


def test_outputs_may_be_left_out_when_one_stands_out(model: cg.Model, image: np.ndarray) -> None:
    assert list(model.compile()(image)) == ["probabilities:0"]
    assert "probabilities" in model.freeze().graph


def test_outputs_that_do_not_stand_out_are_listed() -> None:
    graph = cg.Graph()
    for name in ("x", "y"):
        graph.add(cg.Node.make(name, "Placeholder", attrs={"dtype": cg.Tensor.of([1.0]).dtype, "shape": ()}))
        graph.add(cg.Node.make(f"{name}/out", "Neg", [name], {"T": cg.Tensor.of([1.0]).dtype}))
    with pytest.raises(InputError, match=r"Which outputs\?(.|\n)*x/out:0(.|\n)*y/out:0"):
        cg.Model(graph, "graph").freeze()


def test_joining_reports_and_maps_names(tmp_path: Path) -> None:
    weights = {name: t.numpy() for name, t in cg.Checkpoint(DEMO).items()}
    renamed = {name.replace("conv1/", "first/"): v for name, v in weights.items() if not name.startswith("final/")}
    cg.save_checkpoint(tmp_path / "renamed", {**renamed, "more": np.zeros(2)})
    model = cg.load(DEMO / "graph.pbtxt")
    joined, report = model.join(tmp_path / "renamed", name_map={"conv1/*": "first/*"})
    assert report.restored["conv1/weights"] == "first/weights"
    assert set(report.missing) == {f"final/{n}" for n in ("weights", "weights/Momentum", "biases", "biases/Momentum")}
    assert report.extra == ("more",)
    assert "4 of 17 variables without a value" in joined.missing[0]
    with pytest.raises(MissingWeightsError, match="has no values for final/"):
        model.join(tmp_path / "renamed", name_map={"conv1/*": "first/*"}, partial=False)
    _only, report = model.join(DEMO, include=["conv*"])
    assert set(report.restored) == {n for n in weights if n.startswith("conv")}
    cg.save_checkpoint(tmp_path / "wrong", {"conv1/weights": np.zeros((2, 2), np.float32)})
    with pytest.raises(
        InputError, match=r"conv1/weights is float32 \(3, 3, 1, 12\), but conv1/weights in the checkpoint"
    ):
        model.join(tmp_path / "wrong")
    cg.save_checkpoint(tmp_path / "other", {"a": np.zeros(1), "b": np.zeros(1)})
    with pytest.raises(
        InputError, match=r"None of the 17 variables of the graph .* is in .* It belongs to another graph"
    ):
        model.join(tmp_path / "other")


def test_a_graph_under_a_scope_finds_its_weights(tmp_path: Path, image: np.ndarray) -> None:
    source = cg.load(DEMO / "graph.pbtxt")
    graph, names = cg.import_graph(source, into=cg.Graph(), name="tower/a", return_elements=["probabilities:0"])
    scoped = cg.Model(graph, "graph")
    scoped.save(tmp_path / "scoped.pb")
    model = cg.load(tmp_path / "scoped.pb", weights=DEMO)
    assert names == ["tower/a/probabilities:0"]
    assert model.missing == []
    plain = cg.load(DEMO).compile("probabilities")(image)["probabilities"]
    np.testing.assert_allclose(model.compile(names)(image)[names[0]], plain, atol=1e-6)


def test_a_saved_model_made_of_a_graph_has_a_signature(model: cg.Model, tmp_path: Path, image: np.ndarray) -> None:
    model.save(f"{tmp_path}/saved/")
    served = cg.load(tmp_path / "saved")
    assert list(served.signatures) == ["serving_default"]
    predict = served.compile()
    assert ([s.name for s in predict.inputs], [s.name for s in predict.outputs]) == (["image"], ["probabilities"])
    expected = model.compile("probabilities")(image)["probabilities"]
    np.testing.assert_allclose(predict(image=image)["probabilities"], expected, atol=1e-6)


def test_engines_agree(model: cg.Model, image: np.ndarray) -> None:
    answers = [
        model.compile("probabilities", engine=e)(image)["probabilities"] for e in ("auto", "numpy", "onnxruntime")
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)
    assert np.array_equal(answers[0], answers[2])


@pytest.mark.parametrize("shape", [[5, 8, 8, 1], (5, 8, 8, 1), np.array([5, 8, 8, 1])], ids=["list", "tuple", "array"])
def test_another_shape_is_known_everywhere(model: cg.Model, shape: object, tmp_path: Path) -> None:
    model.freeze("probabilities").save(tmp_path / "served", "saved_model")
    changed = cg.load(tmp_path / "served").reshape({"image": shape})  # type: ignore[dict-item]
    predict = changed.compile()
    assert [str(s) for s in predict.inputs] == ["image: float32 (5, 8, 8, 1)"]
    with pytest.raises(InputError, match=r"\(5, 8, 8, 1\)"):
        predict(np.zeros((3, 8, 8, 1), np.float32))
    changed.save(tmp_path / "reshaped", "saved_model")
    signature = cg.load(tmp_path / "reshaped").signatures["serving_default"]
    assert [spec.shape for spec in signature.inputs.values()] == [(5, 8, 8, 1)]
    assert [spec.shape for spec in signature.outputs.values()] == [(5, 10)]


def test_unknown_sizes_are_none_or_minus_one(model: cg.Model) -> None:
    for sizes in ([None, 8, 8, 1], [-1, 8, 8, 1]):
        assert model.reshape({"image": sizes}).graph.nodes["image"].attr("shape") == (None, 8, 8, 1)
    assert model.reshape({"image": None}).graph.nodes["image"].attr("shape") is None


@pytest.mark.parametrize("sizes", ["8", [8.0, 8], [-2, 8], 8, [[8]]], ids=str)
def test_what_is_no_shape_is_said(model: cg.Model, sizes: object) -> None:
    with pytest.raises(InputError, match="is not a shape for 'image': sizes are whole numbers from 0, or None"):
        model.reshape({"image": sizes})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="only placeholders can be given another shape"):
        model.reshape({"logits": [None, 10]})
