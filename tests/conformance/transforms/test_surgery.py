"""Cutting and cleaning graphs: TensorFlow imports the results and answers the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.api.model import Model, load
from cryograph.base.errors import GraphError, MissingWeightsError, UnknownNameError
from cryograph.ops.validity import complaints

from ..recipes import make

v1 = tf.compat.v1


def ask(path: Path, outputs: list[str], feeds: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        return [np.asarray(a) for a in session.run(outputs, feeds)]


@pytest.fixture(scope="module")
def trained() -> Model:
    return load(make("2016/mnist").folder)


CHANGES: dict[str, Callable[[Model], Model]] = {
    "extract": lambda m: m.extract("probabilities"),
    "strip_training": lambda m: m.strip_training("probabilities"),
    "strip_unused": lambda m: m.strip_unused("probabilities"),
    "remove_device": Model.remove_device,
    "strip_default_attrs": Model.strip_default_attrs,
    "sort_by_execution_order": Model.sort_by_execution_order,
    "reshape": lambda m: m.reshape({"x": (None, 784)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_graphs_answer_the_same(trained: Model, tmp_path: Path, name: str) -> None:
    changed = CHANGES[name](trained).freeze("probabilities")
    assert complaints(changed) == []
    changed.save(tmp_path / "changed.pb")
    case = make("2016/mnist").case
    (answer,) = ask(tmp_path / "changed.pb", ["probabilities:0"], case.inputs)
    np.testing.assert_allclose(answer, case.outputs["probabilities:0"], atol=1e-6)


def test_what_is_stripped_is_gone(trained: Model) -> None:
    plain = trained.strip_training("probabilities")
    assert not any("Random" in node.op for node in plain.graph)
    assert not any(
        node.op == "Identity" and not node.control_inputs and "read" not in node.name for node in plain.graph
    )
    assert len(plain.graph) < len(trained.extract("probabilities").graph)
    assert all(not node.device for node in trained.remove_device().graph)
    attrs = sum(len(node.attrs) for node in trained.graph)
    assert sum(len(node.attrs) for node in trained.strip_default_attrs().graph) < attrs


def test_order_is_that_of_execution(trained: Model) -> None:
    seen: set[str] = set()
    for node in trained.sort_by_execution_order().graph:
        if node.op != "Merge":
            assert all(i.lstrip("^").partition(":")[0] in seen for i in node.inputs), node
        seen.add(node.name)


def test_queues_become_placeholders() -> None:
    made = make("2016/queues")
    model = load(made.path("model.ckpt-5.meta"))
    plain = model.strip_training("fc1/Relu")
    assert not any("Queue" in node.op for node in plain.graph)
    assert "Placeholder" in {node.op for node in plain.graph}


def test_renamed_models_are_restored_and_answer_the_same(trained: Model, tmp_path: Path) -> None:
    renamed = trained.rename(lambda name: f"net/{name}")
    assert all(name.startswith("net/") for name in renamed.graph.nodes)
    renamed.save(tmp_path / "renamed.meta")
    case = make("2016/mnist").case
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(str(tmp_path / "renamed.meta"))
        saver.restore(session, str(tmp_path / "renamed"))
        answer = session.run("net/probabilities:0", {f"net/{k}": v for k, v in case.inputs.items()})
    np.testing.assert_allclose(answer, case.outputs["probabilities:0"], atol=1e-6)
    assert os.path.exists(tmp_path / "checkpoint")
    one = trained.rename({"probabilities": "scores"})
    assert "scores" in one.graph
    assert "probabilities" not in one.graph
    with pytest.raises(UnknownNameError, match=r"no node 'probabilitie'"):
        trained.rename({"probabilitie": "scores"})
    with pytest.raises(GraphError, match="Two nodes would be called 'logits'"):
        trained.rename({"probabilities": "logits"})


def test_a_graph_is_cut_at_any_tensor(trained: Model, tmp_path: Path) -> None:
    part = trained.freeze("probabilities").extract("probabilities", inputs=["logits"])
    assert {n.op for n in part.graph} <= {"Placeholder", "Softmax", "Identity"}
    part.save(tmp_path / "part.pb")
    logits = np.random.default_rng(0).standard_normal((4, 10)).astype(np.float32)
    (answer,) = ask(tmp_path / "part.pb", ["probabilities:0"], {"logits:0": logits})
    np.testing.assert_allclose(part.compile("probabilities")(logits)["probabilities"], answer, atol=1e-6)


def test_freezing_asks_only_for_what_the_outputs_reach() -> None:
    """The optimizer's slots have no values, and are not needed."""
    made = make("2016/mnist")
    graph = load(made.path("graph.pb"))
    with pytest.raises(MissingWeightsError, match="have no value"):
        graph.freeze("probabilities")
    reached = graph.extract("probabilities").variables
    assert len(reached) < len(graph.variables)
    joined, report = graph.join(made.path("model.ckpt-60"), include=list(reached))
    assert set(report.restored) == set(reached)
    assert joined.missing
    assert not joined.freeze("probabilities").variables


def test_frozen_batch_norms_are_what_tensorflow_imports(tmp_path: Path) -> None:
    """Moving averages are written by ops that outputs wait for; RefSwitch stands in their conditionals."""
    made = make("2016/batch_norms")
    model = load(made.path("model.ckpt.meta"))
    frozen = model.freeze(list(made.cases[""].outputs))
    assert complaints(frozen) == []
    assert not {n.op for n in frozen.graph} & {"RefSwitch", "AssignSub", "VariableV2", "Assign"}
    frozen.save(tmp_path / "frozen.pb")
    answers = ask(tmp_path / "frozen.pb", list(made.cases[""].outputs), made.cases[""].inputs)
    for answer, expected in zip(answers, made.cases[""].outputs.values(), strict=True):
        np.testing.assert_allclose(answer, expected, atol=1e-5)
