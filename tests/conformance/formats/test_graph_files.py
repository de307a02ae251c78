"""Graphs, MetaGraphs and SavedModels against TensorFlow, both ways."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from cryograph.api.model import Model, load
from cryograph.formats.load import load_document
from cryograph.formats.save import save_document

v1 = tf.compat.v1


def training_graph() -> Any:
    """Ref variables, every kind of collection, a cond, a while loop, queues, a saver."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    with v1.variable_scope("layer", use_resource=False):
        w = v1.get_variable("w", [4, 3], initializer=v1.random_normal_initializer(seed=1))
        b = v1.get_variable("b", initializer=np.zeros(3, np.float32))
        big = v1.get_variable("big", initializer=np.arange(5000, dtype=np.float32), trainable=False)
    y = tf.nn.softmax(tf.matmul(x, w) + b, name="y")
    v1.disable_control_flow_v2()
    v1.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.constant(0)], name="loop")
    v1.cond(tf.reduce_sum(x) > 0, lambda: y, lambda: -y)
    v1.enable_control_flow_v2()
    tf.reduce_sum(big, name="total")
    step = v1.train.get_or_create_global_step()
    v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(tf.square(y)), step, name="train")
    v1.add_to_collection("ints", 3)
    v1.add_to_collection("floats", 0.5)
    v1.add_to_collection("names", y)
    v1.add_to_collection("texts", b"text")
    return x, y


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A training graph saved in every way that TF1 has."""
    directory = tmp_path_factory.mktemp("trained")
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x, y = training_graph()
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver()
        prefix = saver.save(session, str(directory / "model"), global_step=7)
        tf.io.write_graph(graph.as_graph_def(), str(directory), "graph.pbtxt")
        tf.io.write_graph(graph.as_graph_def(), str(directory), "graph.pb", as_text=False)
        v1.train.export_meta_graph(str(directory / "text.meta"), as_text=True, saver_def=saver.saver_def)
        graph_def = graph.as_graph_def()
        v1.saved_model.simple_save(session, str(directory / "saved"), {"images": x}, {"scores": y})
        fed = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
        answers = session.run("y:0", {x: fed})
    return {"dir": directory, "prefix": prefix, "fed": fed, "answers": answers, "graph_def": graph_def}


def deterministic(proto: Any) -> bytes:
    return bytes(proto.SerializeToString(deterministic=True))


def test_graphs_read_and_written_unchanged(trained: dict[str, Any], tmp_path: Path) -> None:
    source = tmp_path / "source.pb"
    source.write_bytes(deterministic(trained["graph_def"]))
    save_document(load_document(source), tmp_path / "copy.pb")
    assert filecmp.cmp(source, tmp_path / "copy.pb", shallow=False)
    # The text form says the same, in TensorFlow's own words.
    text = trained["dir"] / "graph.pbtxt"
    save_document(load_document(text), tmp_path / "copy.pbtxt")
    assert text_format.Parse((tmp_path / "copy.pbtxt").read_text(), v1.GraphDef()) == trained["graph_def"]
    save_document(load_document(text), tmp_path / "from_text.pb")
    assert v1.GraphDef.FromString((tmp_path / "from_text.pb").read_bytes()) == trained["graph_def"]
    save_document(load_document(source), tmp_path / "from_binary.pbtxt")
    assert text_format.Parse((tmp_path / "from_binary.pbtxt").read_text(), v1.GraphDef()) == trained["graph_def"]


@pytest.mark.parametrize(
    "member", ["model-7.meta", "model-7", "model-7.index", "model-7.data-00000-of-00001", "", "checkpoint"]
)
def test_any_member_of_a_checkpoint_opens_all_of_it(trained: dict[str, Any], member: str) -> None:
    model = load(trained["dir"] / member if member else trained["dir"])
    assert model.missing == []
    assert model.kind == ("model_dir" if not member else "meta_graph")
    assert set(model.variables) == {"layer/w", "layer/b", "layer/big", "global_step"}
    assert model.variables["layer/w"].trainable
    assert not model.variables["layer/big"].trainable
    assert model.variables["layer/big"].tensor is not None
    assert model.variables["layer/big"].tensor.numpy().tolist() == list(range(5000))


def test_collections_are_told(trained: dict[str, Any]) -> None:
    model = load(trained["prefix"])
    found = {name: (c.kind, c.values) for name, c in model.collections.items()}
    assert found["ints"] == ("int64_list", [3])
    assert found["floats"] == ("float_list", [0.5])
    assert found["names"] == ("node_list", ["y:0"])
    assert found["texts"] == ("bytes_list", [b"text"])
    assert found["train_op"] == ("node_list", ["train"])
    assert found["while_context"][0] == found["cond_context"][0] == found["variables"][0] == "bytes_list"


def test_metagraphs_read_and_written_unchanged(trained: dict[str, Any], tmp_path: Path) -> None:
    for source in ("model-7.meta", "text.meta"):
        document = load_document(trained["dir"] / source)
        save_document(document, tmp_path / "copy.meta")
        theirs = v1.MetaGraphDef()
        data = (trained["dir"] / source).read_bytes()
        text_format.Parse(data, theirs) if source == "text.meta" else theirs.ParseFromString(data)
        assert deterministic(theirs) == (tmp_path / "copy.meta").read_bytes()
        save_document(document, tmp_path / "copy.txt", format="meta_text")
        assert text_format.Parse((tmp_path / "copy.txt").read_text(), v1.MetaGraphDef()) == theirs


def test_a_meta_and_its_checkpoint_are_restored_by_tensorflow(trained: dict[str, Any], tmp_path: Path) -> None:
    load(trained["prefix"]).save(tmp_path / "ours.meta")
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "ours.data-00000-of-00001", "ours.index", "ours.meta"]
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(str(tmp_path / "ours.meta"))
        saver.restore(session, tf.train.latest_checkpoint(str(tmp_path)))
        answers = session.run("y:0", {"x:0": trained["fed"]})
        session.run("train", {"x:0": trained["fed"]})
    assert np.array_equal(answers, trained["answers"])


def test_a_graph_tells_what_it_lacks(trained: dict[str, Any]) -> None:
    model = load(trained["dir"] / "graph.pb")
    assert len(model.missing) == 1
    assert "4 of 4 variables without a value" in model.missing[0]
    assert "model-7" in model.missing[0]
    joined = load(trained["dir"] / "graph.pb", weights=trained["prefix"])
    assert joined.missing == []
    weights = load(trained["prefix"] + ".index")
    assert weights.has_graph


def saved_models(directory: Path, trained: dict[str, Any]) -> dict[str, Path]:
    class Module(tf.Module):
        def __init__(self) -> None:
            self.kernel = tf.Variable(tf.random.stateless_normal([4, 3], [1, 2]), name="kernel")
            self.parts = [tf.Variable(tf.ones([3]), name="kernel"), tf.Variable(2.0, trainable=False)]
            vocabulary = directory / "vocabulary.txt"
            vocabulary.write_text("a\nb\nc\n")
            start = tf.lookup.TextFileInitializer(
                str(vocabulary),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            )
            self.table = tf.lookup.StaticHashTable(start, -1)

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def call(self, x: Any) -> Any:
            return {"y": (x @ self.kernel + self.parts[0]) * self.parts[1]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
        def look_up(self, words: Any) -> Any:
            return {"ids": self.table.lookup(words)}

    module = Module()
    tf.saved_model.save(module, str(directory / "tf2"), {"serving_default": module.call, "look_up": module.look_up})
    return {"tf1": trained["dir"] / "saved", "tf2": directory / "tf2"}


@pytest.mark.parametrize("age", ["tf1", "tf2"])
def test_savedmodels_read_and_written_unchanged(trained: dict[str, Any], tmp_path: Path, age: str) -> None:
    source = saved_models(tmp_path, trained)[age]
    model = load(source)
    assert model.missing == []
    assert load(source / "saved_model.pb").variables.keys() == model.variables.keys()
    model.save(tmp_path / "copy", format="saved_model")
    for folder, _, names in os.walk(source):
        for name in names:
            theirs = Path(folder) / name
            ours = tmp_path / "copy" / theirs.relative_to(source)
            if name == "saved_model.pb" and age == "tf1":
                # TF1's builder does not sort its maps.
                from tensorflow.core.protobuf import saved_model_pb2

                expected = saved_model_pb2.SavedModel.FromString(theirs.read_bytes())
                assert deterministic(expected) == ours.read_bytes()
            else:
                assert filecmp.cmp(theirs, ours, shallow=False), name
    model.save(tmp_path / "text", format="saved_model_text")
    again = load(tmp_path / "text")
    assert list(again.signatures) == list(model.signatures)
    assert all(v.tensor is not None for v in again.variables.values())


def test_tf2_variables_find_their_values_though_names_repeat(trained: dict[str, Any], tmp_path: Path) -> None:
    model = load(saved_models(tmp_path, trained)["tf2"])
    by_key = {v.key: v.tensor for v in model.variables.values() if v.tensor is not None}
    assert by_key["parts/0/.ATTRIBUTES/VARIABLE_VALUE"].numpy().tolist() == [1, 1, 1]  # type: ignore[union-attr]
    assert by_key["parts/1/.ATTRIBUTES/VARIABLE_VALUE"].numpy() == 2.0  # type: ignore[union-attr]
    assert by_key["kernel/.ATTRIBUTES/VARIABLE_VALUE"].shape == (4, 3)  # type: ignore[union-attr]
    assert list(model.assets) == ["vocabulary.txt"]
    assert "fingerprint.pb" in model.extras


def test_a_metagraph_becomes_a_savedmodel_that_both_loaders_open(trained: dict[str, Any], tmp_path: Path) -> None:
    source = load(trained["dir"] / "saved")
    model = Model.of(load(trained["prefix"]))
    model.signatures = dict(source.signatures)
    model.save(f"{tmp_path}/made/")
    assert_served(tmp_path / "made", trained)
    assert_restored(tmp_path / "made", trained)


def assert_served(path: Path, trained: dict[str, Any]) -> None:
    loaded = tf.saved_model.load(str(path))
    answers = loaded.signatures["serving_default"](tf.constant(trained["fed"]))
    np.testing.assert_allclose(answers["scores"].numpy(), trained["answers"], atol=1e-6)


def assert_restored(path: Path, trained: dict[str, Any]) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.load(session, ["serve"], str(path))
        name = meta.signature_def["serving_default"].outputs["scores"].name
        answers = session.run(name, {meta.signature_def["serving_default"].inputs["images"].name: trained["fed"]})
    np.testing.assert_allclose(answers, trained["answers"], atol=1e-6)


def test_several_tag_sets_are_kept(tmp_path: Path) -> None:
    builder = v1.saved_model.Builder(str(tmp_path / "many"))
    for number, tags in enumerate((["train"], ["serve"], ["serve", "gpu"])):
        with tf.Graph().as_default(), v1.Session() as session:
            v1.get_variable("w", initializer=np.ones(3, np.float32), use_resource=True)
            tf.constant(number, name=f"graph_{number}")
            session.run(v1.global_variables_initializer())
            builder.add_meta_graph_and_variables(session, tags) if number == 0 else builder.add_meta_graph(tags)
    builder.save()
    assert "graph_1" in load(tmp_path / "many").graph
    assert "graph_0" in load(tmp_path / "many", tags=["train"]).graph
    model = load(tmp_path / "many", tags=["gpu", "serve"])
    assert "graph_2" in model.graph
    with pytest.raises(Exception, match=r"has no MetaGraph of the tags tpu. There are: train; serve; serve, gpu"):
        load(tmp_path / "many", tags=["tpu"])
    model.save(f"{tmp_path}/copy/")
    again = load(tmp_path / "copy", tags=["train"])
    assert {again.tags, *(sibling.tags for sibling in again.siblings)} == {("train",), ("serve",), ("serve", "gpu")}
