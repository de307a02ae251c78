"""Graphs of TensorFlow's with queues, readers, staging areas and iterators in front: the error names the tensors at
which to cut, and what is fed there gives TensorFlow's answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.ops import data_flow_ops

import cryograph as cg
from cryograph.base.errors import InputError
from cryograph.graph.document import Document
from cryograph.graph.graph import Graph
from cryograph.wire import messages as pb
from tests.support.op_cases import assert_alike

v1 = tf.compat.v1
X, N = np.array([[1.0, -2.0], [0.5, 4.0]], np.float32), np.array([3, 4], np.int32)


def fifo() -> Any:
    return v1.FIFOQueue(10, [tf.float32, tf.int32], [[2], []])


def shuffled() -> Any:
    return v1.RandomShuffleQueue(10, 2, [tf.float32, tf.int32], [[2], []])


def padded() -> Any:
    return v1.PaddingFIFOQueue(10, [tf.float32, tf.int32], [[None], []])


def prioritised() -> Any:
    return v1.PriorityQueue(10, [tf.float32, tf.int32], [[2], []])


def of_iterator(make: Callable[[Any], Any]) -> Any:
    dataset = tf.data.Dataset.from_tensor_slices((X, N)).map(lambda x, n: (x * 2.0, n + 1)).batch(2)
    return make(dataset).get_next()


def staged() -> Any:
    area = data_flow_ops.StagingArea([tf.float32, tf.int32], [[2, 2], [2]])
    area.put([tf.constant(X), tf.constant(N)])
    return area.get()


def staged_by_key() -> Any:
    area = data_flow_ops.MapStagingArea([tf.float32, tf.int32], [[2, 2], [2]])
    area.put(tf.constant(1, tf.int64), [tf.constant(X), tf.constant(N)], [0, 1])
    return area.get(tf.constant(1, tf.int64))[1]


def read_from_files() -> Any:
    names = v1.train.string_input_producer(["a.csv"])
    _, line = v1.TextLineReader().read(names)
    return line


def batched() -> Any:
    return v1.train.batch([tf.constant([1.0, 2.0]), tf.constant(3)], 2)


def shuffled_in_batches() -> Any:
    return v1.train.shuffle_batch([tf.constant([1.0, 2.0]), tf.constant(3)], 2, 10, 1)


def in_a_function() -> Any:
    iterator = v1.data.make_initializable_iterator(tf.data.Dataset.from_tensor_slices((X, N)).batch(2))

    @tf.function
    def following() -> Any:
        x, n = iterator.get_next()
        return x, n

    return following()


def optional() -> Any:
    iterator = v1.data.make_initializable_iterator(tf.data.Dataset.from_tensor_slices((X, N)).batch(2))
    return iterator.get_next_as_optional().get_value()


PAIRS: dict[str, Callable[[], Any]] = {
    "FIFOQueue": lambda: fifo().dequeue_many(2),
    "FIFOQueue, up to": lambda: fifo().dequeue_up_to(2),
    "RandomShuffleQueue": lambda: shuffled().dequeue_many(2),
    "PaddingFIFOQueue": lambda: padded().dequeue_many(2),
    "PriorityQueue": lambda: prioritised().dequeue_many(2)[1:],
    "Iterator": lambda: of_iterator(v1.data.make_initializable_iterator),
    "OneShotIterator": lambda: of_iterator(v1.data.make_one_shot_iterator),
    "Optional": optional,
    "StagingArea": staged,
    "MapStagingArea": staged_by_key,
    "train.batch": batched,
    "train.shuffle_batch": shuffled_in_batches,
    "function": in_a_function,
}
"""What gives X and N."""


def model_of(graph: tf.Graph) -> cg.Model:
    proto = pb.GraphDef.FromString(graph.as_graph_def().SerializeToString())
    return cg.Model.of(Document(Graph.of(proto, {}), "graph"))


def named_cuts(model: cg.Model, outputs: list[str]) -> list[str]:
    """The inputs that the error tells to feed."""
    with pytest.raises(InputError, match="input pipeline") as raised:
        model.compile(outputs)
    found = re.search(r"inputs=\[(.*?)\]", str(raised.value))
    assert found, raised.value
    return [name.strip("' ") for name in found[1].split(",")]


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_pairs(kind: str, engine: str) -> None:
    with tf.Graph().as_default() as graph:
        x, n = PAIRS[kind]()
        result = tf.nn.relu(x) * tf.cast(n, tf.float32)[:, None] + 1.0
        cuts = {t.name: value for t, value in ((x, X), (n, N))}
        with v1.Session(graph=graph) as session:
            expected = session.run(result, cuts)
        model = model_of(graph)
    assert sorted(named_cuts(model, [result.name])) == sorted(cuts)
    predict = model.compile([result.name], inputs=list(cuts), engine=engine)
    assert_alike(predict(cuts)[result.name], expected)


def test_single_elements() -> None:
    for make in (fifo, padded):
        with tf.Graph().as_default() as graph:
            x, n = make().dequeue()
            result = x * tf.cast(n, tf.float32)
            model = model_of(graph)
        assert sorted(named_cuts(model, [result.name])) == sorted([x.name, n.name])
        answer = model.compile([result.name], inputs=[x.name, n.name])({x.name: X[0], n.name: 3})
        assert_alike(answer[result.name], X[0] * 3)


def test_lines_of_files() -> None:
    with tf.Graph().as_default() as graph:
        line = read_from_files()
        result = tf.stack(v1.decode_csv(line, [[0.0], [0.0]]))
        model = model_of(graph)
    assert named_cuts(model, [result.name]) == [line.name]
    answer = model.compile([result.name], inputs=[line.name])({line.name: "1.5,2"})
    assert_alike(answer[result.name], np.array([1.5, 2], np.float32))


def test_old_queues() -> None:
    """Queues of the first version, whose handles are references to strings."""
    raw = tf.raw_ops
    makers: list[Callable[[], Any]] = [
        lambda: raw.FIFOQueue(component_types=[tf.float32, tf.int32], shapes=[[2], []]),
        lambda: raw.RandomShuffleQueue(component_types=[tf.float32, tf.int32], shapes=[[2], []]),
        lambda: raw.PaddingFIFOQueue(component_types=[tf.float32, tf.int32], shapes=[[None], []]),
    ]
    for make in makers:
        with tf.Graph().as_default() as graph:
            x, n = raw.QueueDequeueMany(handle=make(), n=2, component_types=[tf.float32, tf.int32])
            result = x * tf.cast(n, tf.float32)[:, None]
            model = model_of(graph)
        assert sorted(named_cuts(model, [result.name])) == sorted([x.name, n.name])
        answer = model.compile([result.name], inputs=[x.name, n.name])({x.name: X, n.name: N})
        assert_alike(answer[result.name], X * N[:, None].astype(np.float32))
