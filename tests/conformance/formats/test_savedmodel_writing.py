"""SavedModels made of what was none, opened by both of TensorFlow's loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.dtypes import FLOAT32
from cryograph.base.shapes import Shape
from cryograph.formats.checkpoint import Checkpoint
from cryograph.formats.load import load_document
from cryograph.formats.save import save_document
from cryograph.graph.document import Document, Signature, TensorSpec
from cryograph.transforms.join import join

v1 = tf.compat.v1

FED = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def spec(name: str, shape: Shape) -> TensorSpec:
    return TensorSpec.make(name, FLOAT32, shape)


def signed(document: Document) -> Document:
    signature = Signature.make(
        "serving_default", {"images": spec("x:0", (None, 4))}, {"scores": spec("y:0", (None, 3))}
    )
    document.signatures = {"serving_default": signature}
    return document


def answers_of_both_loaders(path: Path) -> list[Any]:
    loaded = tf.saved_model.load(str(path))
    found = [loaded.signatures["serving_default"](tf.constant(FED))["scores"].numpy()]
    with tf.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.load(session, ["serve"], str(path))
        signature = meta.signature_def["serving_default"]
        fed = {signature.inputs["images"].name: FED}
        found.append(session.run(signature.outputs["scores"].name, fed))
    return found


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("source", ["graph.pb", "model.meta"])
def test_a_graph_and_its_weights_are_served(tmp_path: Path, source: str, resource: bool) -> None:
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        with v1.variable_scope("layer", use_resource=resource):
            w = v1.get_variable("w", [4, 3], initializer=v1.random_normal_initializer(seed=1))
            b = v1.get_variable("b", initializer=np.arange(3, dtype=np.float32))
        y = tf.identity(tf.matmul(x, w) + b, name="y")
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, str(tmp_path / "model"))
        tf.io.write_graph(graph.as_graph_def(), str(tmp_path), "graph.pb", as_text=False)
        expected = session.run(y, {x: FED})
    document, _ = join(load_document(tmp_path / source), Checkpoint(prefix))
    save_document(signed(document), f"{tmp_path}/made/")
    for found in answers_of_both_loaders(tmp_path / "made"):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_frozen_graph_is_served(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        y = tf.matmul(x, tf.constant(np.arange(12, dtype=np.float32).reshape(4, 3)), name="y")
        expected = session.run(y, {x: FED})
        tf.io.write_graph(graph.as_graph_def(), str(tmp_path), "graph.pb", as_text=False)
    save_document(signed(load_document(tmp_path / "graph.pb")), f"{tmp_path}/made/")
    for found in answers_of_both_loaders(tmp_path / "made"):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    save_document(load_document(tmp_path / "made"), tmp_path / "text", format="saved_model_text")
    for found in answers_of_both_loaders(tmp_path / "text"):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_immutable_constants_say_what_packages_mean() -> None:
    """The attributes of ImmutableConst, which memory-mapped packages hold, are those that we read."""
    with tf.Graph().as_default():
        node = tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[2], memory_region_name="memmapped_package://a").op
    assert sorted(node.node_def.attr) == ["dtype", "memory_region_name", "shape"]
