"""Retraining on real pictures, from what TensorFlow's own example wrote; TensorFlow runs the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

import cryograph as cg

from ..packages import fetch

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of scikit-learn's two photographs, and two of its handwritten digits: a folder each."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, photograph in zip(("temple", "flower"), load_sample_images().images, strict=True):
        (root / name).mkdir()
        for number in range(60):
            side = int(rng.integers(120, 260))
            top, left = (int(rng.integers(0, size - side)) for size in photograph.shape[:2])
            crop = photograph[top : top + side, left : left + side]
            Image.fromarray(crop).save(root / name / f"{number}.jpg", quality=90)
    digits = load_digits()
    for digit in (0, 1):
        (root / f"digit {digit}").mkdir()
        for number, image in enumerate(digits.images[digits.target == digit][:60]):
            pixels = Image.fromarray((image * 15.9).astype(np.uint8)).resize((96, 96)).convert("RGB")
            pixels.save(root / f"digit {digit}" / f"{number}.png")
    return root


def test_a_mobilenet_learns_new_classes_and_tensorflow_runs_it(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYOGRAPH_CACHE", str(tmp_path / "cache"))
    made = cg.retrain(fetch("nudity", "retrained_graph.pb"), pictures, validation=15, test=25)
    assert made.accuracy[2] is not None
    assert made.accuracy[2] > 0.95
    made.save(tmp_path / "new.pb", checkpoint=True)
    graph = v1.GraphDef.FromString((tmp_path / "new.pb").read_bytes())
    paths = [sorted((pictures / label).iterdir())[0] for label in made.labels]
    with v1.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph, name="")
        scores = []
        for path in paths:
            pixels = tf.cast(tf.image.decode_image(path.read_bytes(), channels=3), tf.float32)
            scaled = v1.image.resize_bilinear(pixels[None], [224, 224])
            scores.append(session.run("final_result:0", {"input:0": session.run((scaled - 127.5) / 127.5)})[0])
    assert [made.labels[int(row.argmax())] for row in scores] == list(made.labels)
    np.testing.assert_allclose(cg.Classifier(tmp_path / "new.pb").scores(paths), scores, atol=1e-5)
    with v1.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(tmp_path / "new-0.meta")).restore(session, str(tmp_path / "new-0"))
        again = session.run("final_result:0", {"input:0": np.zeros((1, 224, 224, 3), np.float32)})
    with v1.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph, name="")
        first = session.run("final_result:0", {"input:0": np.zeros((1, 224, 224, 3), np.float32)})
    np.testing.assert_allclose(again, first, rtol=1e-6)
