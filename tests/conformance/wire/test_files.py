"""Whole files against TensorFlow: what it writes is read and written again with the same bytes, and it reads ours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from cryograph.base.errors import FormatError, UnsupportedError
from cryograph.base.files import MemoryFile, open_file
from cryograph.base.tensors import Tensor
from cryograph.wire import messages as pb
from cryograph.wire.emit import message_bytes, message_size, write_message
from cryograph.wire.scan import read_message
from cryograph.wire.tensor_proto import StoredTensor, proto_of, tensor_of
from cryograph.wire.text import parse_text, print_text, read_text

v1 = tf.compat.v1
RANDOM = np.random.default_rng(2016)
WEIGHTS = RANDOM.standard_normal((64, 80)).astype(np.float32)
WORDS = np.array([f"word {i}" for i in range(2000)], object)


def again(data: bytes, kind: Any) -> tuple[Any, dict[int, Tensor], bytes]:
    """The message, its tensors, and what they give when they are written."""
    message, table = read_message(MemoryFile(data, "there"), kind)
    out = io.BytesIO()
    assert write_message(out, message, table) == message_size(message, table) == len(out.getvalue())
    assert message_bytes(message, table) == out.getvalue()
    return message, table, out.getvalue()


def list_tensor(values: Any) -> tensor_pb2.TensorProto:
    """A TensorProto with its values in a list, as tools that edit graphs leave them."""
    made = tensor_pb2.TensorProto(dtype=1, float_val=values.ravel())
    made.tensor_shape.CopyFrom(tf.TensorShape(values.shape).as_proto())
    return made


@pytest.fixture(scope="module")
def graph_def() -> v1.GraphDef:
    """Constants in nodes, in lists of tensors, in attributes of functions and in their bodies, of several dtypes."""

    @tf.function
    def body(x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, WEIGHTS) + tf.cast(tf.size(tf.constant(WORDS)), tf.float32)

    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 64], name="x")
        tf.identity(body(x), name="y")
        tf.constant(WEIGHTS.astype(np.complex64), name="complex")
        tf.constant(WEIGHTS > 0, name="bools")
        tf.constant(WORDS, name="words")
        tf.constant(WEIGHTS.astype(tf.bfloat16.as_numpy_dtype), name="bfloat16")
        tf.constant(3, name="three")
    made = graph.as_graph_def(add_shapes=True)
    listed = made.node.add(name="listed", op="Const")
    listed.attr["dtype"].type = 1
    listed.attr["value"].tensor.CopyFrom(list_tensor(WEIGHTS))
    many = made.node.add(name="many", op="Unheard")
    many.attr["tensors"].list.tensor.extend([tf.make_tensor_proto(WEIGHTS), tf.make_tensor_proto(1.0)])
    many.attr["f"].func.name = "f"
    many.attr["f"].func.attr["t"].tensor.CopyFrom(tf.make_tensor_proto(WEIGHTS[::-1]))
    many.attr["g"].list.func.add(name="g").attr["t"].tensor.CopyFrom(list_tensor(WEIGHTS.T))
    return made


def test_graphs_come_back_byte_for_byte(graph_def: v1.GraphDef) -> None:
    data = graph_def.SerializeToString(deterministic=True)
    message, table, written = again(data, pb.GraphDef)
    assert written == data
    assert v1.GraphDef.FromString(written) == graph_def
    assert len(table) == 4 + 1 + 3 + 2
    assert message.ByteSize() < len(data) / 5
    found = {node.name: node for node in message.node}
    weights = tensor_of(found["many"].attr["tensors"].list.tensor[0], table)
    assert isinstance(weights, StoredTensor)
    np.testing.assert_array_equal(weights.numpy(), WEIGHTS)
    listed = tensor_of(found["listed"].attr["value"].tensor, table)
    assert listed.content is not None
    np.testing.assert_array_equal(listed.numpy(), WEIGHTS)
    np.testing.assert_array_equal(tensor_of(found["bools"].attr["value"].tensor, table).numpy(), WEIGHTS > 0)
    assert tensor_of(found["words"].attr["value"].tensor, table).numpy().tolist() == [w.encode() for w in WORDS]
    inner = [n for f in message.library.function for n in f.node_def if n.attr["value"].tensor.cryograph_tensor]
    assert len(inner) == 2
    nested = found["many"].attr["g"].list.func[0].attr["t"].tensor
    np.testing.assert_array_equal(tensor_of(nested, table).numpy(), WEIGHTS.T)


def test_graphs_of_writers_without_order_mean_the_same(graph_def: v1.GraphDef) -> None:
    assert v1.GraphDef.FromString(again(graph_def.SerializeToString(), pb.GraphDef)[2]) == graph_def


def test_tensors_put_in_are_run(graph_def: v1.GraphDef) -> None:
    """New values in the place of old ones, next to others that stay in the file."""
    message, table, _ = again(graph_def.SerializeToString(), pb.GraphDef)
    del message.node[-1]
    new, added = proto_of(Tensor.of(WEIGHTS * 2))
    (inner,) = (
        n
        for f in message.library.function
        for n in f.node_def
        if n.op == "Const" and n.attr["dtype"].type == 1 and n.attr["value"].tensor.cryograph_tensor
    )
    inner.attr["value"].tensor.CopyFrom(new)
    data = message_bytes(message, {**table, **added})
    x = RANDOM.standard_normal((3, 64)).astype(np.float32)
    with tf.Graph().as_default(), v1.Session() as session:
        y, listed = tf.import_graph_def(v1.GraphDef.FromString(data), return_elements=["y:0", "listed:0"])
        got, still = session.run([y, listed], {"import/x:0": x})
    np.testing.assert_allclose(got, x @ (WEIGHTS * 2) + len(WORDS), rtol=1e-4)
    np.testing.assert_array_equal(still, WEIGHTS)


def test_constants_that_grappler_has_packed() -> None:
    """Lists that are shorter than the shape, as TensorFlow's own optimizer writes them."""
    from tensorflow.python.grappler import tf_optimizer

    values = np.concatenate([np.arange(3000), np.full(7000, 7)]).astype(np.float32)
    with tf.Graph().as_default() as graph:
        c = tf.constant(values, name="c")
        fetch = tf.identity(c[0] + v1.placeholder(tf.float32, [], name="x"), name="y")
        tf.identity(tf.fill([5000], 3.0) + v1.placeholder(tf.float32, [5000], name="z"), name="filled")
        graph.add_to_collection("train_op", fetch)
        graph.add_to_collection("train_op", graph.get_tensor_by_name("filled:0"))
        meta = v1.train.export_meta_graph(graph=graph)
    config = v1.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1
    optimized = tf_optimizer.OptimizeGraph(config, meta)
    data = optimized.SerializeToString(deterministic=True)
    message, table, written = again(data, pb.GraphDef)
    assert written == data
    short = []
    for theirs, ours in zip(optimized.node, message.node, strict=True):
        if theirs.op == "Const":
            value = theirs.attr["value"].tensor
            tensor = tensor_of(ours.attr["value"].tensor, table)
            np.testing.assert_array_equal(tensor.numpy(), tf.make_ndarray(value))
            short.append(0 < len(value.float_val) < tensor.numpy().size)
    assert any(short)


@pytest.fixture(scope="module")
def meta_graph() -> meta_graph_pb2.MetaGraphDef:
    """A MetaGraphDef of 2016 with a loop, a condition, a queue runner and a big constant."""
    with tf.Graph().as_default() as graph:
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.float32, [None, 64], name="x")
        w = v1.get_variable("w", initializer=WEIGHTS, use_resource=False)
        looped = v1.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a + tf.matmul(x, w)), (0, tf.matmul(x, w)))
        v1.cond(tf.reduce_sum(looped[1]) > 0, lambda: tf.constant(1.0), lambda: tf.constant(2.0))
        v1.train.Saver()
        queue = v1.train.string_input_producer(["a", "b"])
        graph.add_to_collection("numbers", 5)
        graph.add_to_collection("reals", 0.1)
        graph.add_to_collection("names", queue.name)
        made = v1.train.export_meta_graph(graph=graph, clear_devices=True)
    v1.enable_control_flow_v2()
    return made


def test_meta_graphs_come_back_byte_for_byte(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    data = meta_graph.SerializeToString(deterministic=True)
    message, table, written = again(data, pb.MetaGraphDef)
    assert written == data
    assert len(table) == 1
    assert {c.WhichOneof("kind") for c in message.collection_def.values()} >= {"bytes_list", "int64_list", "float_list"}
    unordered = again(meta_graph.SerializeToString(), pb.MetaGraphDef)[2]
    assert meta_graph_pb2.MetaGraphDef.FromString(unordered) == meta_graph
    context = pb.WhileContextDef.FromString(message.collection_def["while_context"].bytes_list.value[0])
    assert context.parallel_iterations == 10
    runner = pb.QueueRunnerDef.FromString(message.collection_def["queue_runners"].bytes_list.value[0])
    assert runner.queue_closed_exception_types == [pb.OUT_OF_RANGE]


def test_saved_models_come_back_byte_for_byte(tmp_path: Path) -> None:
    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(WEIGHTS)
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(WORDS, np.arange(len(WORDS))), default_value=-1
            )

        @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32)])
        def __call__(self, x: Any) -> Any:
            return {"y": tf.matmul(x, self.w) + tf.constant(WEIGHTS[0] * np.ones((100, 1), np.float32))[0]}

    module = Module()
    path = tmp_path / "model"
    tf.saved_model.save(module, path, signatures=module.__call__)
    file = open_file(path / "saved_model.pb")
    data = (path / "saved_model.pb").read_bytes()
    message, table = read_message(file, pb.SavedModel)
    assert len(table) >= 2
    out = io.BytesIO()
    write_message(out, message, table)
    assert out.getvalue() == data
    fingerprint = pb.FingerprintDef.FromString((path / "fingerprint.pb").read_bytes())
    assert fingerprint.saved_model_checksum
    (path / "saved_model.pb").write_bytes(out.getvalue())
    np.testing.assert_allclose(
        tf.saved_model.load(path)(tf.ones([1, 64]))["y"], module(tf.ones([1, 64]))["y"], rtol=1e-5
    )
    theirs = saved_model_pb2.SavedModel.FromString(data)
    assert print_text(message, table) == text_format.MessageToString(theirs)
    parsed, _ = parse_text(text_format.MessageToString(theirs), pb.SavedModel)
    assert saved_model_pb2.SavedModel.FromString(message_bytes(parsed, _)) == theirs


def test_text_is_theirs(graph_def: v1.GraphDef, meta_graph: Any, tmp_path: Path) -> None:
    tf.io.write_graph(graph_def, str(tmp_path), "graph.pbtxt", as_text=True)
    written = (tmp_path / "graph.pbtxt").read_text("utf-8")
    message, table, _ = again(graph_def.SerializeToString(), pb.GraphDef)
    assert print_text(message, table) == written == text_format.MessageToString(graph_def)
    assert str(pb.GraphDef.FromString(graph_def.SerializeToString())) == str(graph_def)
    parsed, tensors = read_text(open_file(tmp_path / "graph.pbtxt"), pb.GraphDef)
    assert len(tensors) == len(table)
    assert message_bytes(parsed, tensors) == graph_def.SerializeToString(deterministic=True)
    assert text_format.Parse(print_text(message, table), v1.GraphDef()) == graph_def

    meta, meta_table = read_message(MemoryFile(meta_graph.SerializeToString()), pb.MetaGraphDef)
    assert print_text(meta, meta_table) == text_format.MessageToString(meta_graph)
    parsed_meta, parsed_table = parse_text(text_format.MessageToString(meta_graph), pb.MetaGraphDef)
    assert message_bytes(parsed_meta, parsed_table) == meta_graph.SerializeToString(deterministic=True)


def test_messages_in_any_are_spelled_out_as_theirs() -> None:
    theirs = meta_graph_pb2.MetaGraphDef()
    theirs.meta_info_def.any_info.Pack(tf.make_tensor_proto([1, 2]))
    theirs.collection_def["any"].any_list.value.add().Pack(v1.GraphDef(version=3))
    ours = pb.MetaGraphDef.FromString(theirs.SerializeToString())
    text = print_text(ours, {})
    assert "[type.googleapis.com/tensorflow.TensorProto]" in text
    assert text == text_format.MessageToString(theirs)
    assert parse_text(text, pb.MetaGraphDef)[0] == ours


def test_text_that_is_refused_by_both() -> None:
    for text in ["node { nme: 'x' }", "node { name: 'x'", "versions { producer: 1.5 }", "node { op: x }"]:
        with pytest.raises(text_format.ParseError):
            text_format.Parse(text, v1.GraphDef())
        with pytest.raises(FormatError, match="line 1"):
            parse_text(text, pb.GraphDef, "graph.pbtxt")


def test_fields_of_a_later_tensorflow_survive() -> None:
    """A reader and writer between two programs that know more than it does."""
    later = bytes.fromhex("8a 3f 03 61 62 63")  # field 1009: "abc"
    tensor = tf.make_tensor_proto(WEIGHTS).SerializeToString() + later
    node = pb.NodeDef(name="n", op="Const").SerializeToString() + later
    attr = pb.NodeDef()
    attr.attr["value"].tensor.MergeFromString(tensor)
    node += attr.SerializeToString()
    graph = pb.GraphDef()
    graph.node.add().MergeFromString(node)
    graph.MergeFromString(later)
    data = graph.SerializeToString(deterministic=True)
    assert data.count(later) == 3
    message, table, written = again(data, pb.GraphDef)
    assert len(table) == 1
    assert written == data
    assert v1.GraphDef.FromString(written).SerializeToString(deterministic=True) == data
    with pytest.raises(UnsupportedError, match="text form cannot hold"):
        print_text(message, table)
    assert print_text(message, table, drop_unknown=True) == text_format.MessageToString(v1.GraphDef.FromString(data))
