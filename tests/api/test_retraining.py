"""Retraining a small network: how pictures are split, where it is cut, what is learnt, what is written and refused."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cryograph as cg
from cryograph.api.confusion import RIGHT, WRONG, Confusion
from cryograph.api.finetuning import Finetuning, finetune
from cryograph.api.model import Model
from cryograph.api.retraining import check_target
from cryograph.base import images
from cryograph.base.dtypes import BOOL, FLOAT32, INT32
from cryograph.base.errors import FileError, InputError, UnknownNameError
from cryograph.base.images import lettering
from cryograph.cli.main import call
from cryograph.ops.bottlenecks import find_bottleneck
from cryograph.ops.picture_inputs import PictureInput
from cryograph.train.distortions import Distortion
from cryograph.train.labelled import BUCKETS, find_labelled, part_of
from cryograph.train.softmax_head import HeadSettings, fit_head
from tests.support.small_graphs import const, document_of, ints, node, placeholder

CLASSES = {"bark": (120, 80, 40), "leaf": (40, 150, 50), "sky": (90, 140, 220)}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYOGRAPH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Forty noisy pictures of each of three colours."""
    rng = np.random.default_rng(0)
    root = tmp_path / "pictures"
    for name, colour in CLASSES.items():
        (root / name).mkdir(parents=True)
        for number in range(40):
            pixels = np.clip(rng.normal(colour, 40, (20, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def network(batch: int | None = None, classes: int = 5) -> Model:
    """A convolution, a mean over the picture, and a last layer for other classes."""
    rng = np.random.default_rng(1)
    return Model.of(
        document_of(
            placeholder("x", (batch, 8, 8, 3)),
            const("conv/weights", rng.normal(size=(3, 3, 3, 16)).astype(np.float32)),
            node("conv", "Conv2D", "x", "conv/weights", T=FLOAT32, strides=[1] * 4, padding=b"SAME"),
            node("relu", "Relu", "conv", T=FLOAT32),
            ints("axes", [1, 2]),
            node("features", "Mean", "relu", "axes", T=FLOAT32, Tidx=INT32, keep_dims=False),
            const("old/weights", rng.normal(size=(16, classes)).astype(np.float32)),
            node("old/product", "MatMul", "features", "old/weights", T=FLOAT32),
            const("old/biases", np.zeros(classes, np.float32)),
            node("old/logits", "BiasAdd", "old/product", "old/biases", T=FLOAT32, data_format=b"NHWC"),
            node("old/chances", "Softmax", "old/logits", T=FLOAT32),
        )
    )


def test_a_network_learns_other_classes(pictures: Path, tmp_path: Path) -> None:
    made = cg.retrain(network(), pictures, validation=20, test=20)
    assert made.labels == ("bark", "leaf", "sky")
    assert sum(made.counts) == 120
    assert made.accuracy[2] is not None
    assert made.accuracy[2] > 0.95
    assert sum(map(sum, made.confusion.counts)) == made.counts[2]
    assert "old/weights" not in made.model.graph
    assert any("features are features:0 (16 numbers): what the last layer old/product" in r for r in made.reasons)
    written = made.save(tmp_path / "new.pb", checkpoint=True)
    assert [Path(w).name for w in written] == [
        *("new.pb", "new_labels.txt", "new_confusion.png", "new-0", "new-0.meta"),
    ]
    classifier = cg.Classifier(tmp_path / "new.pb", tmp_path / "new_labels.txt")
    paths = [p for name in CLASSES for p in sorted((pictures / name).iterdir())]
    found = [one.classes[0].label for one in classifier.classify_all(paths)]
    assert np.mean([path.parent.name == label for path, label in zip(paths, found, strict=True)]) > 0.95
    assert [Path(w).name for w in made.save(f"{tmp_path}/saved/")] == [
        *("saved", "saved_labels.txt", "saved_confusion.png"),
    ]
    check_target(f"{tmp_path}/saved/")
    assert cg.Classifier(tmp_path / "saved").labels == list(CLASSES)
    again = cg.load(tmp_path / "new-0.meta")
    x = np.random.default_rng(2).normal(size=(4, 8, 8, 3)).astype(np.float32)
    before, after = (m.compile("final_result")(x)["final_result"] for m in (made.model, again))
    np.testing.assert_allclose(after, before, rtol=1e-6)
    assert sorted(again.variables) == sorted(made.heads)
    with Image.open(tmp_path / "new_confusion.png") as image:
        assert image.size[0] > 3 * 44


def test_the_same_pictures_give_the_same_model_and_features_are_kept(pictures: Path) -> None:
    first, second = (cg.retrain(network(), pictures) for _ in range(2))
    assert "features of 120 pictures were worked out, of 0 they were at hand" in first.reasons
    assert "features of 0 pictures were worked out, of 120 they were at hand" in second.reasons
    assert first.epochs == second.epochs
    third = cg.retrain(network(), pictures, image_mean=[0.0], image_std=[255.0])
    assert "features of 120 pictures were worked out, of 0 they were at hand" in third.reasons


def test_features_are_kept_up_to_a_limit(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were not used for longest are gone: of another network, and then of pictures of this one."""
    cache = tmp_path / "cache" / "bottlenecks"

    def kept() -> dict[str, list[Path]]:
        return {folder.name: list(folder.iterdir()) for folder in cache.iterdir()}

    cg.retrain(network(), pictures)
    (files,) = kept().values()
    size = sum(file.stat().st_size for file in files)
    monkeypatch.setenv("CRYOGRAPH_CACHE_LIMIT", str(3 * size // 2))
    cg.retrain(network(), pictures, image_mean=[0.0], image_std=[255.0])
    (left,) = kept().values()
    assert sum(file.stat().st_size for file in left) <= 3 * size // 2
    assert 60 <= len(set(left) - set(files)) <= 120
    again = cg.retrain(network(), pictures, image_mean=[0.0], image_std=[255.0])
    assert "features of 0 pictures were worked out, of 120 they were at hand" in again.reasons
    monkeypatch.setenv("CRYOGRAPH_CACHE_LIMIT", "0")
    cg.retrain(network(), pictures, image_mean=[1.0], image_std=[255.0])
    assert kept() == {}
    monkeypatch.setenv("CRYOGRAPH_CACHE_LIMIT", "much")
    with pytest.raises(InputError, match="CRYOGRAPH_CACHE_LIMIT is 'much'; a number of bytes was expected"):
        cg.retrain(network(), pictures)


@pytest.mark.parametrize("batch", [1, 7])
def test_a_network_of_a_fixed_batch(batch: int, pictures: Path) -> None:
    free, fixed = (cg.retrain(network(n), pictures, cached=False) for n in (None, batch))
    np.testing.assert_allclose([e.loss for e in free.epochs], [e.loss for e in fixed.epochs], rtol=1e-4)


def test_features_that_are_still_pictures_are_pooled(pictures: Path) -> None:
    made, pooled = (cg.retrain(network(), pictures, bottleneck=name) for name in (None, "relu"))
    assert pooled.epochs[-1].loss == pytest.approx(made.epochs[-1].loss, rel=1e-4)
    x = np.random.default_rng(2).normal(size=(2, 8, 8, 3)).astype(np.float32)
    a, b = (m.model.compile("final_result")(x)["final_result"] for m in (made, pooled))
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_changed_copies_are_learnt_too(pictures: Path) -> None:
    done: dict[str, int] = {}

    def watch(what: str, now: int, total: int) -> None:
        done[what] = done.get(what, 0) + now
        assert done[what] <= total

    distortion = Distortion(flip=True, crop=20, scale=20, brightness=20)
    made = cg.retrain(network(), pictures, distortion=distortion, copies=2, watch=watch)
    assert done["copies"] == 2 * done["train"] == 2 * made.counts[0]
    assert done["epochs"] == len(made.epochs)
    with pytest.raises(InputError, match="2 copies of each picture were to be learnt from, but nothing changes them"):
        cg.retrain(network(), pictures, copies=2)
    assert made.accuracy[1] is not None
    assert made.accuracy[1] > 0.9


@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("layers", [1, ("conv/*",)])
def test_further_layers_are_trained(layers: int | tuple[str, ...], batch: int | None, pictures: Path) -> None:
    plain = cg.retrain(network(batch), pictures)
    made = cg.retrain(network(batch), pictures, finetuning=Finetuning(layers, epochs=3, learning_rate=1e-3))
    assert made.heads == ("conv/weights", *plain.heads)
    assert len(made.finetuned) == 3
    assert made.finetuned[-1]["loss"] < plain.epochs[-1].loss
    old, new = (m.graph.nodes["conv/weights"].attr("value").numpy() for m in (network(), made.model))
    assert 0 < abs(old - new).max() < 0.1
    assert made.accuracy[2] is not None
    assert made.accuracy[2] > 0.9
    assert "trained further: conv/weights" in made.reasons


def normed(form: str) -> Model:
    """The network with biases and a batch norm behind its convolution: of one op, of ops, or of ops without scale and
    offset."""
    rng = np.random.default_rng(3)
    vectors = {
        "bias": rng.normal(size=16),
        "gamma": rng.uniform(0.5, 1.5, 16),
        "beta": rng.normal(size=16),
        "m": rng.normal(size=16),
        "v": rng.uniform(0.5, 1.5, 16),
    }
    held = [const(f"bn/{name}", value.astype(np.float32)) for name, value in vectors.items()]
    held.append(node("sum", "BiasAdd", "conv", "bn/bias", T=FLOAT32, data_format=b"NHWC"))
    if form == "one op":
        ports = ["sum", "bn/gamma", "bn/beta", "mean", "bn/v"]
        held += [
            node("mean", "Identity", "bn/m", T=FLOAT32),
            node("bn", "FusedBatchNormV3", *ports, T=FLOAT32, U=FLOAT32, is_training=False, epsilon=1e-3),
        ]
    else:
        whole = form == "ops"
        held += [
            const("bn/epsilon", np.float32(1e-3)),
            node("bn/sum", "AddV2", "bn/v", "bn/epsilon", T=FLOAT32),
            node("bn/root", "Rsqrt", "bn/sum", T=FLOAT32),
            node("bn/scale", "Mul", "bn/root", "bn/gamma", T=FLOAT32),
            node("bn/turned", "Neg", "bn/m", T=FLOAT32),
        ]
        scale = "bn/scale" if whole else "bn/root"
        held += [
            node("bn/x", "Mul", "sum", scale, T=FLOAT32),
            node("bn/mean", "Mul", "bn/m" if whole else "bn/turned", scale, T=FLOAT32),
            node("bn/offset", "Sub", "bn/beta", "bn/mean", T=FLOAT32),
            node("bn", "AddV2", "bn/x", "bn/offset" if whole else "bn/mean", T=FLOAT32),
        ]
    plain = [n for n in network().graph if n.name != "relu"]
    return Model.of(document_of(*plain, *held, node("relu", "Relu", "bn", T=FLOAT32)))


TRAINED = {
    "one op": {"conv/weights", "bn/bias", "bn/gamma", "bn/beta"},
    "ops": {"conv/weights", "bn/bias", "bn/gamma", "bn/beta"},
    "ops without scale and offset": {"conv/weights", "bn/bias"},
}


@pytest.mark.parametrize("layers", [1, ("*",)])
@pytest.mark.parametrize("form", TRAINED)
def test_what_batch_norms_keep_up_is_not_trained(form: str, layers: int | tuple[str, ...], pictures: Path) -> None:
    made = cg.retrain(normed(form), pictures, finetuning=Finetuning(layers, epochs=1, learning_rate=1e-3))
    assert set(made.heads[:-2]) == TRAINED[form]
    old, new = (
        {n.name: n.attr("value").numpy() for n in m.graph if n.op == "Const"} for m in (normed(form), made.model)
    )
    changed = {name for name in old if name in new and not np.array_equal(old[name], new[name])}
    assert changed == TRAINED[form]


def test_what_is_named_in_full_is_trained_all_the_same(pictures: Path) -> None:
    made = cg.retrain(normed("ops"), pictures, finetuning=Finetuning(("bn/v", "bn/epsilon"), epochs=1))
    assert set(made.heads[:-2]) == {"bn/v", "bn/epsilon"}
    with pytest.raises(UnknownNameError, match="bn/epsilon is no weight that is trained; name it in full"):
        cg.retrain(normed("ops"), pictures, finetuning=Finetuning(("bn/eps*",), epochs=1))


def test_layers_that_are_not_there() -> None:
    def tuned(layers: int | tuple[str, ...]) -> None:
        target = PictureInput("x:0", False, None, (8, 8), 3, FLOAT32)
        finetune(network(), "old/logits:0", [], "features:0", target, {}, Finetuning(layers))

    with pytest.raises(InputError, match="2 layers were to be trained further; the network has 1 before its last"):
        tuned(2)
    with pytest.raises(UnknownNameError, match="No weight is called 'convolution'"):
        tuned(("convolution",))


def test_distortions() -> None:
    pixels = np.arange(10 * 12 * 3, dtype=np.uint8).reshape(10, 12, 3)
    draw = np.random.default_rng(0)
    assert not Distortion()
    np.testing.assert_array_equal(Distortion().of(pixels, draw), pixels)
    mirrored = [Distortion(flip=True).of(pixels, draw)[0, 0, 0] != 0 for _ in range(50)]
    assert 10 < sum(mirrored) < 40
    assert Distortion(crop=25).of(pixels, draw).shape == (8, 10, 3)
    dark = [Distortion(brightness=50).of(np.full((1, 1, 3), 100, np.uint8), draw).max() for _ in range(100)]
    assert min(dark) >= 50
    assert 120 < max(dark) <= 150
    with pytest.raises(InputError, match="crop is 100 %"):
        Distortion(crop=100)


def test_a_part_depends_on_the_name_only() -> None:
    names = [f"IMG_{number}.jpg" for number in range(4000)]
    parts = [part_of(name, 10, 20) for name in names]
    shares = [parts.count(part) / len(names) for part in ("train", "validation", "test")]
    np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.02)
    assert len({part_of(f"x_nohash_{n}.jpg", 10, 20) for n in range(50)}) == 1
    assert BUCKETS == 134217727


def test_names_need_be_no_text(pictures: Path, tmp_path: Path) -> None:
    """Names of files are bytes; labels are lines of text."""
    os.rename(pictures / "sky", os.fsencode(pictures) + b"/s\xffky\nblue")
    os.rename(pictures / "leaf" / "0.png", os.fsencode(pictures) + b"/leaf/\xfe.png")
    made = cg.retrain(network(), pictures)
    assert made.labels == ("bark", "leaf", "s\ufffdky blue")
    made.save(tmp_path / "new.pb")
    assert cg.Classifier(tmp_path / "new.pb").labels == list(made.labels)


def test_what_cannot_be_learnt_from_is_said(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is no directory"):
        find_labelled(tmp_path / "none")
    with pytest.raises(InputError, match="sky has no folder with pictures; at least two"):
        find_labelled(pictures / "sky")
    (tmp_path / "one" / "sky").mkdir(parents=True)
    (tmp_path / "one" / "sky" / "0.png").write_bytes((pictures / "sky" / "0.png").read_bytes())
    with pytest.raises(InputError, match="has one folder with pictures, sky; at least two"):
        find_labelled(tmp_path / "one")
    with pytest.raises(InputError, match="60 % for validation and 40 % for the test leave nothing"):
        find_labelled(pictures, 60, 40)
    few = tmp_path / "few"
    for name in CLASSES:
        (few / name).mkdir(parents=True)
        for number in range(4):
            (few / name / f"{number}.png").write_bytes((pictures / name / f"{number}.png").read_bytes())
    assert any("has 4 pictures only" in warning for warning in find_labelled(few).warnings)
    (few / "sky" / "0.png").write_bytes(b"no picture")
    (few / "sky" / "._0.png").write_bytes(b"what macOS writes beside files")
    (few / "nested" / "inner").mkdir(parents=True)
    (few / "nested" / "inner" / "0.png").write_bytes((pictures / "sky" / "0.png").read_bytes())
    (few / ".hidden").mkdir()
    made = cg.retrain(network(), few)
    assert sum(made.counts) == 11
    assert [w for w in made.warnings if "left out" in w] == [
        "nested is left out: no picture lies directly in it",
        f"left out: {few / 'sky' / '0.png'} is not a picture that can be read: its format is not known.",
    ]
    (few / "put aside").mkdir()
    name = next(f"{n}.png" for n in range(99) if part_of(f"{n}.png", 10, 10) == "test")
    (few / "put aside" / name).write_bytes((pictures / "sky" / "0.png").read_bytes())
    with pytest.raises(InputError, match="put aside has one picture; the split by names leaves none to train on"):
        find_labelled(few)
    (few / "put aside" / name).unlink()
    for number in range(4):
        (few / "sky" / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"No picture of sky to learn from can be read: .*sky.\d\.png is"):
        cg.retrain(network(), few)


def test_a_network_without_a_last_layer_is_not_guessed() -> None:
    graph = document_of(placeholder("x", (None, 8, 8, 3)), node("y", "Relu", "x", T=FLOAT32))
    with pytest.raises(InputError, match="No last layer"):
        find_bottleneck(graph, "y:0")
    assert find_bottleneck(graph, "y:0", "y")[:3] == ("y:0", 4, 3)
    with pytest.raises(InputError, match=r"old/biases:0 has the shape \(5,\)"):
        find_bottleneck(network(), "old/chances:0", "old/biases")


def test_last_layers_of_other_forms() -> None:
    """Classes that are pooled behind a convolution, weights in parts, and biases that come first."""
    pooled = document_of(
        placeholder("x", (None, 8, 8, 3)),
        const("w", np.ones((1, 1, 3, 5), np.float32)),
        node("conv", "Conv2D", "x", "w", T=FLOAT32, strides=[1] * 4, padding=b"SAME"),
        ints("axes", [1, 2]),
        node("mean", "Mean", "conv", "axes", T=FLOAT32, Tidx=INT32, keep_dims=False),
        node("y", "Softmax", "mean", T=FLOAT32),
    )
    assert find_bottleneck(pooled, "y:0")[:3] == ("x:0", 4, 3)
    with pytest.raises(InputError, match="No last layer"):
        find_bottleneck(pooled, "mean:0")  # without a softmax it may be features that are pooled
    parts = document_of(
        placeholder("x", (None, 6)),
        *(const(f"part_{i}", np.ones((3, 5), np.float32)) for i in range(2)),
        ints("axis", 0),
        node("w", "ConcatV2", "part_0", "part_1", "axis", T=FLOAT32, Tidx=INT32, N=2),
        node("product", "MatMul", "x", "w", T=FLOAT32),
        const("biases", np.zeros(5, np.float32)),
        node("y", "AddV2", "biases", "product", T=FLOAT32),
    )
    assert find_bottleneck(parts, "y:0")[:3] == ("x:0", 2, 6)
    folded = document_of(
        placeholder("x", (None, 6)),
        node("w", "Const", "^x", dtype=FLOAT32, value=np.ones((6, 5), np.float32)),
        node("product", "MatMul", "x", "w", T=FLOAT32),
        node("y", "Softmax", "product", T=FLOAT32),
    )
    assert find_bottleneck(folded, "y:0")[:3] == ("x:0", 2, 6)
    fused = document_of(
        placeholder("x", (None, 6)),
        *(const("w", np.ones((6, 5), np.float32)), const("b", np.ones(5, np.float32))),
        node("product", "_FusedMatMul", "x", "w", "b", T=FLOAT32, num_args=1, fused_ops=[b"BiasAdd"]),
        node("y", "Softmax", "product", T=FLOAT32),
    )
    assert find_bottleneck(fused, "y:0")[:3] == ("x:0", 2, 6)
    planes = document_of(
        placeholder("x", (None, 3, 8, 8)),
        const("w", np.ones((1, 1, 3, 5), np.float32)),
        node("y", "Conv2D", "x", "w", T=FLOAT32, strides=[1] * 4, padding=b"SAME", data_format=b"NCHW"),
    )
    with pytest.raises(InputError, match="has a plane for each feature"):
        find_bottleneck(planes, "y:0")


def test_a_head_is_softmax_regression() -> None:
    """At its end there is nothing to be gained: the gradient is small."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)) * [1, 10, 0.1, 3] + 5
    labels = (x @ rng.normal(size=(4, 3)) + 20 * rng.normal(size=(300, 3))).argmax(1)
    head = fit_head(x, labels, 3, settings=HeadSettings(epochs=3000, batch=300, patience=3000))
    errors = head.scores(x)
    errors[np.arange(300), labels] -= 1
    scaled = (x - x.mean(0)) / x.std(0)
    gradient = scaled.T @ errors / 300 + 1e-4 * head.weights * x.std(0)[:, None]
    assert abs(gradient).max() < 1e-3
    assert abs(errors.mean(0)).max() < 1e-3
    with pytest.raises(InputError, match="not finite"):
        fit_head(np.array([[np.nan]]), np.array([0]), 2)
    with pytest.raises(InputError, match="no pictures to train on"):
        fit_head(np.zeros((0, 3)), np.zeros(0, np.int64), 2)


def test_confusion_as_text() -> None:
    confusion = Confusion.of(["a", "long"], np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert str(confusion) == "      a  long\na     1     1\nlong  0     1"
    many = [f"class {number:02}" for number in range(39)] + ["a label that is longer than a line of a table"]
    lines = str(Confusion.of(many, np.arange(40), np.r_[39, 1:40])).splitlines()
    assert lines[:2] == [
        "class 00                  0 of 1; 1 a label that is longe...",
        "class 01                  1 of 1",
    ]
    assert len(lines) == 40


@pytest.mark.parametrize("count", [2, 40, 120, 1000])
def test_confusion_as_a_picture(count: int) -> None:
    """Cells shrink, numbers and then names are left out; what is right and what is wrong have colours of their own."""
    labels = [f"class {number}" for number in range(count - 1)] + ["a label " * 40]
    answers = np.arange(count)
    answers[0] = 1
    with Image.open(io.BytesIO(Confusion.of(labels, np.arange(count), answers).to_png())) as image:
        assert image.size[0] < 4200
        pixels = np.asarray(image)
    blue, orange = ((pixels == colour).all(-1).sum() for colour in (RIGHT, WRONG))
    assert blue > (count - 1) * 10
    assert 10 < orange < 44 * 44


def test_labels_are_drawn_with_the_fonts_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lettering(["plain"])[1] == ["plain"]
    monkeypatch.setattr(images, "FONTS", ("no such font.ttf",))
    assert lettering(["Äpfel, größer", "花"])[1] == ["Apfel, grosser", "?"]
    assert Confusion.of(["Äpfel", "花"], np.array([0]), np.array([1])).to_png().startswith(b"\x89PNG")


def with_switches() -> Model:
    """A network that drops features while it trains, as placeholders tell it."""
    drop = [
        placeholder("dropout/keep_prob", ()),
        node("kept", "RealDiv", "features", "dropout/keep_prob", T=FLOAT32),
        *(placeholder("is_training", (), BOOL), node("noise", "ZerosLike", "kept", T=FLOAT32)),
        node("dropped", "Select", "is_training", "noise", "kept", T=FLOAT32),
    ]
    made = document_of(*network().graph, *drop)
    made.graph.nodes["old/product"].inputs = ("dropped", "old/weights")
    return Model.of(made)


@pytest.mark.parametrize("finetuning", [None, Finetuning(1, epochs=1)])
def test_a_new_model_wants_nothing_but_pictures(finetuning: Finetuning | None, pictures: Path) -> None:
    made = cg.retrain(with_switches(), pictures, finetuning=finetuning)
    assert "the new model has defaults for dropout/keep_prob:0, is_training:0, which need not be fed" in made.reasons
    x = np.random.default_rng(2).normal(size=(4, 8, 8, 3)).astype(np.float32)
    predict = made.model.compile("final_result", "x")
    np.testing.assert_allclose(predict(x)["final_result"].sum(1), 1, rtol=1e-6)
    still = made.model.compile("final_result", ["x", "dropout/keep_prob"])
    assert abs(still({"x": x, "dropout/keep_prob": 0.5})["final_result"] - predict(x)["final_result"]).max() > 1e-3


REFUSED_TARGETS = {
    "-o {0}/none/new.pb": "none does not exist; the new model was to be written there",
    "-o {0}/new.npz": "no model fits into this format",
    "-o {0}/new": "does not tell the format",
    "-o {0}/new.pb --final-name a:0": "'a:0' is no name for a node",
    "-o {0}/new.pb --old-output features --bottleneck nope": "The graph has no node 'nope'",
    "-o {0}/new.pb --seed -1": "-1 is not in the range",
    "-o {0}/new.pb --learning-rate nan": "learning_rate is nan",
    "-o {0}/new.pb --learning-rate 0": "learning_rate is 0",
    "-o {0}/new.pb --finetune 1 --finetune-rate nan": "learning_rate is nan",
    "-o {0}/new.pb --validation nan": "nan % for validation",
    "-o {0}/new.pb --mean 1,2": "mean has 2 numbers",
    "-o {0}/new.pb --std 0": "std is 0; finite numbers were expected",
    "-o {0}/new.pb --size 9": "x:0 takes pictures of (?, 8, 8, 3), not of 9 x 9 pixels",
    "-o {0}/new.pb --size 0": "A picture cannot be 0 x 0 pixels",
}


def test_nothing_is_left_where_not_all_can_be_written(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cg.retrain(network(), pictures)
    folder = tmp_path / "out"
    folder.mkdir()

    def full(self: Model, path: Path, format: str | None = None) -> None:
        raise FileError(f"{path} cannot be written: no space is left.")

    monkeypatch.setattr(Model, "save", full)
    with pytest.raises(FileError, match="no space"):
        made.save(folder / "new.pb")
    assert list(folder.iterdir()) == []


def test_ctrl_c_leaves_features_that_are_whole_and_nothing_else(pictures: Path, tmp_path: Path) -> None:
    network().save(tmp_path / "old.pb")
    (tmp_path / "out").mkdir()
    new, cache = tmp_path / "out" / "new.pb", tmp_path / "cache"
    hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{hear}; from cryograph.cli import main; main()"
    arguments = ["retrain", str(tmp_path / "old.pb"), "--images", str(pictures), "-o", str(new)]
    command = [sys.executable, "-c", code, *arguments, "--flip", "--copies", "1000"]
    process = subprocess.Popen(command, stdout=-1, stderr=-1)
    while len(list(cache.rglob("*.npy"))) < 20:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.decode().lstrip() == "cryograph: stopped; nothing half-written is left.\n"
    assert list(new.parent.iterdir()) == []
    kept = [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert all(np.load(path).shape == (16,) for path in kept)
    made = cg.retrain(tmp_path / "old.pb", pictures)
    assert f"of {len(kept)} they were at hand" in made.reasons[-1]


def test_the_command(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network().save(tmp_path / "old.pb")
    new = tmp_path / "new.pb"
    arguments = ["retrain", str(tmp_path / "old.pb"), "--images", str(pictures), "-o", str(new), "--flip"]
    assert call(arguments) == 0
    text = capsys.readouterr().out
    assert "3 classes, 120 pictures" in text
    assert f"Written: {new}, {tmp_path / 'new_labels.txt'}, {tmp_path / 'new_confusion.png'}" in text
    assert call([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["labels"] == ["bark", "leaf", "sky"]
    assert "Written" in captured.err
    for arguments_of, said in REFUSED_TARGETS.items():
        assert call([*arguments[:4], *arguments_of.format(tmp_path).split()]) == 2
        assert said in capsys.readouterr().err
    demo = Path(cg.__file__).parent / "data" / "demo"
    joined = ["retrain", str(demo / "graph.pbtxt"), "--weights", str(demo / "digits-3000"), *arguments[2:]]
    assert call(joined) == 0
    assert "features are " in capsys.readouterr().out
    assert call([*arguments, "--bottleneck", "nope"]) == 2
    assert "The graph has no node 'nope'" in capsys.readouterr().err
