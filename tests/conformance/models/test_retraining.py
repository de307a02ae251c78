"""Retraining on real pictures, from what TensorFlow's own example wrote; TensorFlow runs the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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


# --- what else a base may be


def filters(*shape: int) -> Any:
    return (np.random.default_rng(sum(shape)).normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)


def checkpoint(folder: Path) -> Path:
    """A graph of 2016 with its training, switches of dropout and batch norm, and a checkpoint."""
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 32, 32, 3], "image")
        training, keep = v1.placeholder(tf.bool, [], "is_training"), v1.placeholder(tf.float32, [], "keep_prob")
        layer = v1.get_variable("conv/weights", initializer=filters(5, 5, 3, 24), use_resource=False)
        y = tf.nn.conv2d(x, layer, 2, "SAME")
        scale, offset = (v1.get_variable(f"norm/{n}", initializer=np.full(24, v, "f")) for n, v in (("g", 1), ("b", 0)))
        mean, variance = (
            v1.get_variable(f"norm/{n}", initializer=np.full(24, v, "f")) for n, v in (("m", 0), ("v", 1))
        )
        seen = tf.nn.moments(y, [0, 1, 2])
        kept = v1.cond(training, lambda: seen, lambda: (tf.identity(mean), tf.identity(variance)))
        y = tf.nn.relu(tf.nn.batch_normalization(y, *kept, offset, scale, 1e-3))
        y = v1.nn.dropout(tf.reduce_mean(y, [1, 2]), keep_prob=keep)
        head = v1.get_variable("head/weights", initializer=filters(24, 7), use_resource=False)
        logits = tf.matmul(y, head, name="logits")
        tf.nn.softmax(logits, name="answer")
        loss = v1.losses.sparse_softmax_cross_entropy(v1.placeholder(tf.int64, [None], "label"), logits)
        v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss, name="train")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "model"), global_step=7)
    return folder


class Small(tf.Module):
    """A network with variables, whose signature takes pixels of 0 to 255."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = tf.Variable(filters(5, 5, 3, 24)), tf.Variable(filters(24, 7))

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32, "image")])
    def serve(self, image: Any) -> dict[str, Any]:
        y = tf.nn.relu(tf.nn.conv2d(image / 127.5 - 1.0, self.conv, 2, "SAME"))
        return {"scores": tf.nn.softmax(tf.matmul(tf.reduce_mean(y, [1, 2]), self.head))}


def saved_model(folder: Path) -> Path:
    model = Small()
    tf.saved_model.save(model, str(folder), signatures=model.serve)
    return folder


def frozen(folder: Path, pixels: Callable[[], Any]) -> Path:
    """A frozen graph on pictures (N, H, W, 3) of -1 ... 1."""
    with v1.Graph().as_default() as graph:
        y = tf.nn.relu(tf.nn.conv2d(pixels(), tf.constant(filters(5, 5, 3, 24)), 2, "SAME"))
        tf.nn.softmax(tf.matmul(tf.reduce_mean(y, [1, 2]), tf.constant(filters(24, 7))), name="answer")
    (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "graph.pb"


def encoded(folder: Path) -> Path:
    def pixels() -> Any:
        data = v1.placeholder(tf.string, [], "DecodeJpeg/contents")
        decoded = tf.cast(tf.image.decode_jpeg(data, channels=3), tf.float32)
        return v1.image.resize_bilinear(decoded[None], [32, 32]) / 127.5 - 1.0

    return frozen(folder, pixels)


def bytes_of_pixels(folder: Path) -> Path:
    return frozen(folder, lambda: tf.cast(v1.placeholder(tf.uint8, [1, 32, 32, 3], "image"), tf.float32) / 127.5 - 1.0)


BASES: Mapping[str, Callable[[Path], Path]] = {
    f.__name__: f for f in (checkpoint, saved_model, encoded, bytes_of_pixels)
}


@pytest.mark.parametrize("kind", BASES)
def test_any_model_is_a_base_and_tensorflow_feeds_the_result_pictures_alone(
    kind: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYOGRAPH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "base").mkdir()
    made = cg.retrain(BASES[kind](tmp_path / "base"), pictures, validation=15, test=25)
    assert made.accuracy[2] is not None
    assert made.accuracy[2] > 0.8
    made.save(tmp_path / "new.pb")
    graph = v1.GraphDef.FromString((tmp_path / "new.pb").read_bytes())
    assert [f"{n.name}:0" for n in graph.node if n.op == "Placeholder"] == [made.input.tensor]
    paths = [sorted((pictures / label).iterdir())[0] for label in made.labels]
    scores = []
    with v1.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph, name="")
        for path in paths:
            fed: Any = path.read_bytes()
            if not made.input.encoded:
                decoded = tf.cast(tf.image.decode_image(fed, channels=3), tf.float32)
                scaled = v1.image.resize_bilinear(decoded[None], [32, 32])
                fed = session.run((scaled - list(made.input.mean)) / list(made.input.std))
                fed = np.rint(fed).astype(np.uint8) if kind == "bytes_of_pixels" else fed
            scores.append(session.run("final_result:0", {made.input.tensor: fed})[0])
    np.testing.assert_allclose(cg.Classifier(tmp_path / "new.pb").scores(paths), scores, atol=1e-5)
