"""TensorArrays of TensorFlow before 1.0, in graphs of the versions that still had their ops."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from .making import Built, recipe, v1

LAST = {"": 15, "V2": 25}
"""The last version of GraphDef with the array ops of a version."""


class Nodes:
    """Writes the nodes of a graph of an older version, which no function makes any more."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.graph = v1.GraphDef()
        self.graph.versions.producer = LAST[version]
        self.names: dict[str, int] = {}

    def add(self, op: str, *inputs: str, **attrs: Any) -> str:
        """A node and its name."""
        number = self.names[op] = self.names.get(op, 0) + 1
        node = self.graph.node.add(name=f"{op.lower()}_{number}", op=op, input=inputs)
        for name, value in attrs.items():
            if isinstance(value, tf.DType):
                node.attr[name].type = value.as_datatype_enum
            elif isinstance(value, bool):
                node.attr[name].b = value
            elif isinstance(value, list):
                node.attr[name].shape.CopyFrom(tf.TensorShape(value).as_proto())
            elif isinstance(value, str):
                node.attr[name].s = value.encode()
            else:
                node.attr[name].tensor.CopyFrom(tf.make_tensor_proto(value))
        return node.name

    def array(self, name: str, *inputs: str, **attrs: Any) -> str:
        """An op of the version's arrays."""
        return self.add(f"TensorArray{name}{self.version}", *inputs, **attrs)

    def constant(self, value: Any, dtype: Any = np.int32) -> str:
        """A constant."""
        held = np.asarray(value, dtype)
        return self.add("Const", dtype=tf.as_dtype(held.dtype), value=held)

    def fed(self, dtype: tf.DType = tf.float32) -> str:
        """A placeholder."""
        return self.add("Placeholder", dtype=dtype)

    def new(self, size: str, dtype: tf.DType = tf.float32, **attrs: Any) -> tuple[str, str]:
        """An array, and the number from which its flow begins."""
        said = {"clear_after_read": False, "tensor_array_name": "", **attrs}
        return self.array("", size, dtype=dtype, **said), self.constant(0, np.float32)

    def built(self, inputs: list[str], outputs: list[str]) -> Built:
        """The graph, put into the one that is being made."""
        tf.import_graph_def(self.graph, name="")
        named = tf.compat.v1.get_default_graph().get_tensor_by_name
        return [named(f"{name}:0") for name in inputs], [named(n if ":" in n else f"{n}:0") for n in outputs]


def _written(nodes: Nodes, array: str, flow: str, values: list[str], dtype: tf.DType = tf.float32) -> str:
    for index, value in enumerate(values):
        flow = nodes.array("Write", array, nodes.constant(index), value, flow, T=dtype)
    return flow


def _concat(version: str) -> Built:
    nodes = Nodes(version)
    x, y = nodes.fed(), nodes.fed()
    array, flow = nodes.new(nodes.constant(2))
    flow = _written(nodes, array, flow, [x, y])
    whole = nodes.array("Concat", array, flow, dtype=tf.float32)
    second = nodes.array("Read", array, nodes.constant(1), flow, dtype=tf.float32)
    return nodes.built([x, y], [whole, f"{whole}:1", second, nodes.array("Size", array, flow)])


def _split(version: str) -> Built:
    nodes = Nodes(version)
    x, lengths = nodes.fed(), nodes.fed(tf.int64)
    array, flow = nodes.new(nodes.constant(3))
    flow = nodes.array("Split", array, x, lengths, flow, T=tf.float32)
    parts = [nodes.array("Read", array, nodes.constant(n), flow, dtype=tf.float32) for n in (2, 0)]
    whole = nodes.array("Concat", array, flow, dtype=tf.float32)
    return nodes.built([x, lengths], [*parts, whole, f"{whole}:1"])


def _packed(version: str) -> Built:
    nodes = Nodes(version)
    x = nodes.fed(tf.int32)
    array, flow = nodes.new(nodes.constant(3), tf.int32)
    if version:
        flow = nodes.array("Scatter", array, nodes.constant([2, 0, 1]), x, flow, T=tf.int32)
        whole = nodes.array("Gather", array, nodes.constant([1, 0, 2]), flow, dtype=tf.int32)
    else:
        flow = nodes.add("TensorArrayUnpack", array, x, flow, T=tf.int32)
        whole = nodes.add("TensorArrayPack", array, flow, dtype=tf.int32)
    return nodes.built([x], [whole, nodes.array("Size", array, flow)])


def _growing(version: str) -> Built:
    nodes = Nodes(version)
    x = nodes.fed()
    array, flow = nodes.new(nodes.constant(0), dynamic_size=True)
    flow = _written(nodes, array, flow, [x, x, x])
    whole = nodes.array("Concat", array, flow, dtype=tf.float32)
    return nodes.built([x], [nodes.array("Size", array, flow), whole])


def _gradient(version: str) -> Built:
    nodes = Nodes(version)
    x, dy = nodes.fed(), nodes.fed()
    array, flow = nodes.new(nodes.constant(2))
    flow = _written(nodes, array, flow, [x, x])
    grad = nodes.array("Grad", array, flow, source="g")
    back = nodes.array("Write", grad, nodes.constant(0), dy, flow, T=tf.float32)
    back = nodes.array("Write", grad, nodes.constant(1), x, back, T=tf.float32)
    found = [nodes.array("Read", grad, nodes.constant(n), back, dtype=tf.float32) for n in (0, 1)]
    return nodes.built([x, dy], found)


TURNS: dict[Any, list[list[Any]]] = {
    _concat: [[[1.0, 2.0], [3.0]], [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]], [[1.0], [[2.0]]]],
    _split: [[[1.0, 2.0, 3.0, 4.0], [1, 0, 3]], [[[1.0], [2.0]], [1, 1, 0]], [[1.0], [1, 1, 1]]],
    _packed: [[[5, 6, 7]], [[[1, 2], [3, 4], [5, 6]]]],
    _growing: [[[1.0, 2.0]], [[[1.0]]]],
    _gradient: [[[1.0, 2.0], [3.0, 4.0]]],
}

for _build, _turns in TURNS.items():
    for _version in LAST:

        @recipe(_turns, name=f"{_build.__name__.strip('_')}-{_version or 'V1'}")
        def build(make: Any = _build, version: str = _version) -> Built:
            made: Built = make(version)
            return made
