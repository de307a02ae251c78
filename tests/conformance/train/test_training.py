"""Training graphs of TensorFlow's, trained further by sessions of ours and of TensorFlow's from the same checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import cryograph as cg
from tests.conformance.program.oracle import behaviour

from .graphs import GRAPHS, Graph, Trained, v1

STEPS = 100


class Theirs:
    """A graph of TensorFlow's with its checkpoint, `model-0` and `model-0.meta`."""

    def __init__(self, graph: Graph, folder: Path) -> None:
        self.folder = folder
        with behaviour(graph.generation, graph.resources), tf.Graph().as_default() as self.graph:
            v1.set_random_seed(11)
            self.trained: Trained = graph.build(graph.minimize)
            self.init = v1.global_variables_initializer()
            self.saver = v1.train.Saver(v1.global_variables(), save_relative_paths=True)
            self.variables = {v.op.name: v for v in v1.global_variables()}
            with self.session() as session:
                session.run(self.init)
                self.firsts = session.run(self.variables)
                self.prefix = self.saver.save(session, str(folder / "model"), 0)

    def session(self) -> Any:
        return v1.Session(
            graph=self.graph, config=v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        )

    def named(self, step: int) -> dict[str, Any]:
        return {tensor.name: value for tensor, value in self.trained.feeds(step).items()}

    @property
    def train(self) -> str:
        train = self.trained.train
        return (train.op if isinstance(train, tf.Tensor) else train).name


def close(ours: Any, theirs: Any, what: str, tolerance: float = 1e-4) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    scale = float(np.abs(theirs).max()) if theirs.size else 0.0
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale + 1e-7, err_msg=what)


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_training_goes_on(graph: Graph, tmp_path: Path) -> None:
    theirs = Theirs(graph, tmp_path)
    fetched = [theirs.trained.loss.name, theirs.train]
    with theirs.session() as session, cg.load(f"{theirs.prefix}.meta").session("numpy") as ours:
        theirs.saver.restore(session, theirs.prefix)
        run = [theirs.graph.get_tensor_by_name(fetched[0]), theirs.graph.get_operation_by_name(fetched[1])]
        for step in range(STEPS):
            feeds = theirs.named(step)
            close(ours.run(fetched, feeds)[0], session.run(run, feeds)[0], f"loss of step {step}")
        values = session.run(theirs.variables)
        for name, value in values.items():
            close(ours.value(name), value, name, 1e-3)
        saved = ours.save(tmp_path / "ours", global_step=theirs_step(theirs))
        loss = ours.run(fetched[0], theirs.named(STEPS)) if graph.name != "pictures" else None
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{saved}.meta").restore(session, saved)
        for variable in v1.global_variables():
            close(session.run(variable), values[variable.op.name], variable.op.name, 1e-3)
        after = session.run([fetched[0], theirs.graph.get_operation_by_name(fetched[1]).name], theirs.named(STEPS))[0]
        if loss is not None:
            close(loss, after, "the loss after saving")


def theirs_step(theirs: Theirs) -> str | None:
    return "global_step" if "global_step" in theirs.variables else None


@pytest.mark.parametrize(
    "graph", [g for g in GRAPHS if g.name in ("sgd", "pictures", "sequences", "words_adam")], ids=str
)
def test_initialisers_draw_the_same_numbers(graph: Graph, tmp_path: Path) -> None:
    theirs = Theirs(graph, tmp_path)
    model = cg.load(f"{theirs.prefix}.meta")
    bare = cg.Model(model.graph, "graph", variables={n: v.with_tensor(None) for n, v in model.variables.items()})
    with bare.session("numpy") as ours:
        ours.run(theirs.init.name)
        for name, value in theirs.firsts.items():
            close(ours.value(name), value, name, 2e-6)
