"""Classifiers beside what TensorFlow's own examples do with the same files: decode, scale, run, read the scores."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

import cryograph as cg

from ..packages import fetch
from ..recipes import make

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The photographs of scikit-learn, as a JPEG, a PNG and a BMP."""
    folder = tmp_path_factory.mktemp("photographs")
    paths = []
    for number, pixels in enumerate(load_sample_images().images):
        for kind in ("JPEG", "PNG", "BMP"):
            paths.append(folder / f"{number}.{kind.lower()}")
            Image.fromarray(pixels).save(paths[-1], kind)
    return paths


def run(graph: Any, feeds: dict[str, Any], output: str) -> Any:
    with v1.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph, name="")
        return session.run(output, feeds)


def test_a_retrained_mobilenet_as_label_image_runs_it(photographs: list[Path]) -> None:
    path = fetch("nudity", "retrained_graph.pb")
    graph = v1.GraphDef.FromString(path.read_bytes())
    classifier = cg.Classifier(path)
    expected = []
    for photograph in photographs:
        decoded = tf.image.decode_image(photograph.read_bytes(), channels=3)
        scaled = v1.image.resize_bilinear(tf.cast(decoded, tf.float32)[None], [224, 224])
        expected.append(run(graph, {"input:0": ((scaled - 127.5) / 127.5).numpy()}, "final_result:0")[0])
    np.testing.assert_allclose(classifier.scores(photographs), expected, atol=1e-5)


def test_a_browser_model_that_scales_pixels_on(photographs: list[Path]) -> None:
    made = make("real/nsfwjs")
    graph = v1.GraphDef.FromString(made.path("frozen.pb").read_bytes())
    classifier = cg.Classifier(made.path("model"), ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"])
    assert "pixels divided by 255: the graph goes on from 0 ... 1 itself" in classifier.reasons
    expected = []
    for photograph in photographs:
        decoded = tf.image.decode_image(photograph.read_bytes(), channels=3)
        scaled = v1.image.resize_bilinear(tf.cast(decoded, tf.float32)[None], [224, 224])
        expected.append(run(graph, {"input:0": (scaled / 255).numpy()}, "Identity:0")[0])
    np.testing.assert_allclose(classifier.scores(photographs), expected, atol=1e-5)
    assert {found.classes[0].label for found in classifier.classify_all(photographs)} == {"Neutral"}


def test_a_graph_that_decodes(photographs: list[Path], tmp_path: Path) -> None:
    with v1.Graph().as_default() as graph:
        contents = v1.placeholder(tf.string, [], "DecodeJpeg/contents")
        pixels = tf.cast(tf.image.decode_jpeg(contents, channels=3), tf.float32)
        scaled = v1.image.resize_bilinear(pixels[None], [32, 32])
        weights = np.random.default_rng(0).normal(size=(32 * 32 * 3, 5)).astype(np.float32) * 0.02
        tf.nn.softmax(tf.matmul(tf.reshape(scaled / 255.0, [1, -1]), weights), name="final_result")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    classifier = cg.Classifier(path)
    taken = [p for p in photographs if p.suffix in (".jpeg", ".png")]
    feeds = [{"DecodeJpeg/contents:0": p.read_bytes()} for p in taken]
    expected = [run(graph.as_graph_def(), feed, "final_result:0")[0] for feed in feeds]
    np.testing.assert_allclose(classifier.scores(taken), expected, rtol=1e-5)


class Serving(tf.Module):
    """As models are exported for a server: a batch of encoded pictures, decoded one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(np.random.default_rng(1).normal(size=(16 * 16 * 3, 4)).astype(np.float32) * 0.05)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve(self, image_bytes: Any) -> dict[str, Any]:
        def one(data: Any) -> Any:
            return tf.image.resize(tf.image.decode_jpeg(data, channels=3), [16, 16]) / 255.0

        pixels = tf.map_fn(one, image_bytes, fn_output_signature=tf.TensorSpec([16, 16, 3], tf.float32))
        return {"scores": tf.nn.softmax(tf.matmul(tf.reshape(pixels, [-1, 16 * 16 * 3]), self.weights))}


class Pixels(tf.Module):
    """A network that scales pixels itself and gives logits."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 20, 30, 3], tf.float32, "image")])
    def serve(self, image: Any) -> dict[str, Any]:
        return {"logits": tf.matmul(tf.reduce_mean(image / 127.5 - 1.0, [1, 2]), self.weights)}


def test_a_saved_model_that_takes_encoded_pictures(photographs: list[Path], tmp_path: Path) -> None:
    model = Serving()
    tf.saved_model.save(model, str(tmp_path), signatures=model.serve)
    taken = [p for p in photographs if p.suffix in (".jpeg", ".png")]
    expected = model.serve(tf.constant([p.read_bytes() for p in taken]))["scores"]
    np.testing.assert_allclose(cg.Classifier(tmp_path).scores(taken), expected, rtol=1e-5)


def test_a_saved_model_that_takes_pixels(photographs: list[Path], tmp_path: Path) -> None:
    model = Pixels()
    tf.saved_model.save(model, str(tmp_path), signatures=model.serve)
    decoded = [tf.cast(tf.image.decode_image(p.read_bytes(), channels=3), tf.float32) for p in photographs]
    batch = tf.concat([v1.image.resize_bilinear(pixels[None], [20, 30]) for pixels in decoded], 0)
    classifier = cg.Classifier(tmp_path)
    assert (classifier.input.mean, classifier.input.std) == ((0.0,), (1.0,)), classifier.reasons
    np.testing.assert_allclose(classifier.scores(photographs), tf.nn.softmax(model.serve(batch)["logits"]), rtol=1e-5)


def test_a_picture_of_bytes_and_a_picture_of_pixels_are_the_same(photographs: list[Path]) -> None:
    classifier = cg.Classifier(fetch("nudity", "retrained_graph.pb"))
    png = next(p for p in photographs if p.suffix == ".png")
    with Image.open(io.BytesIO(png.read_bytes())) as image:
        pixels = np.asarray(image)
    np.testing.assert_array_equal(classifier.scores([png]), classifier.scores([pixels]))
