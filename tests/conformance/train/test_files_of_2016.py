"""Training graphs as the files of 2016 hold them: trained further by a session, and by TensorFlow, from one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import cryograph as cg
from cryograph.base.errors import InputError
from tests.conformance.recipes import make

from .graphs import v1
from .test_training import close

FILES: dict[str, tuple[str, str, str, tuple[str, str], dict[str, Any]]] = {
    "2016/mnist": ("model.ckpt-60.meta", "loss:0", "train_and_average", ("x:0", "labels:0"), {"keep_prob:0": 0.6}),
    "2016/queues": ("model.ckpt-5.meta", "loss:0", "train", ("prefetch:0", "prefetch:1"), {}),
}
"""Recipe -> the MetaGraph, the loss, the train operation, what is fed pictures and labels, and what else is fed."""


@pytest.mark.parametrize("name", FILES)
def test_training_goes_on(name: str, tmp_path: Path) -> None:
    meta, loss, train, (pictures, labels), more = FILES[name]
    path = str(make(name).path(meta))
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as theirs:
        saver = v1.train.import_meta_graph(path)
        saver.restore(theirs, path.removesuffix(".meta"))
        operation = graph.get_operation_by_name(train)
        variables = {v.op.name: v for v in v1.global_variables()}
        fed = [graph.get_tensor_by_name(tensor) for tensor in (pictures, labels)]
        shapes = [[size or 16 for size in tensor.shape] for tensor in fed]
        with cg.load(path).session("numpy") as ours:
            for step in range(20):
                rng = np.random.default_rng(step)
                feeds = {pictures: rng.random(shapes[0]).astype(fed[0].dtype.as_numpy_dtype), **more}
                feeds[labels] = rng.integers(0, 10, shapes[1]).astype(fed[1].dtype.as_numpy_dtype)
                expected = theirs.run([loss, operation], feeds)[0]
                close(ours.run([loss, f"^{train}"], feeds)[0], expected, f"loss of step {step}")
            for variable, value in theirs.run(variables).items():
                close(ours.value(variable), value, variable, 1e-3)
            saved = ours.save(tmp_path / "model", "global_step" if "global_step" in variables else 7)
            saver.restore(theirs, saved)
            for variable, value in theirs.run(variables).items():
                assert np.array_equal(ours.value(variable), value)


def test_a_queue_is_named_with_the_tensor_to_feed() -> None:
    path = make("2016/queues").path("model.ckpt-5.meta")
    with cg.load(path).session() as s, pytest.raises(InputError, match=r"input pipeline.*inputs=\['prefetch:0'"):
        s.run("train")
