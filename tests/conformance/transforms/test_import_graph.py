"""`import_graph` against TensorFlow's `import_graph_def`: the same nodes, inputs, attributes and names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.errors import Error, UnknownNameError
from cryograph.graph.graph import Graph
from cryograph.transforms.import_graph import GRAPH_DEF_VERSION, import_graph
from cryograph.wire import messages as pb

v1 = tf.compat.v1


def ours(graph_def: Any) -> Graph:
    return Graph.of(pb.GraphDef.FromString(graph_def.SerializeToString()), {})


def source() -> Any:
    """Colocation, control inputs, a function, a cond, string and list attributes, and a device."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        w = v1.Variable(np.ones((3, 2), np.float32), name="w", use_resource=False)
        with tf.device("/cpu:0"), v1.control_dependencies([w.initializer]):
            y = tf.matmul(x, w, name="y")
        with v1.colocate_with(w.op):
            tf.identity(y, name="z")
        tf.split(y, 2, axis=1, name="parts")

        @tf.function
        def square(a: Any) -> Any:
            return a * a

        tf.identity(square(y), name="squared")
        v1.cond(tf.reduce_sum(y) > 0, lambda: y + 1, lambda: y - 1)
    return graph.as_graph_def()


def minimal(graph_def: Any) -> Any:
    """The same without any attribute that the op has a default for, as an old writer left it."""
    for node in graph_def.node:
        for name in ("use_locking", "transpose_a", "transpose_b", "container", "validate_shape", "grad_a", "grad_b"):
            if name in node.attr:
                del node.attr[name]
    return graph_def


@pytest.mark.parametrize("name", ["", "import", "a/b", "deep/"])
@pytest.mark.parametrize("maker", [source, lambda: minimal(source())], ids=["full", "minimal"])
def test_the_same_graph_comes_out(name: str, maker: Any) -> None:
    graph_def = maker()
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name=name)
    result, _ = import_graph(ours(graph_def), Graph(), name=name)
    assert_equal(result, graph.as_graph_def())


def assert_equal(result: Graph, expected: Any) -> None:
    want = {node.name: node for node in expected.node}
    assert list(result.nodes) == list(want) or set(result.nodes) == set(want)
    for node in result:
        theirs = want[node.name]
        assert node.op == theirs.op
        # TensorFlow keeps no order among control inputs.
        assert [i for i in node.inputs if i[0] != "^"] == [i for i in theirs.input if i[0] != "^"], node.name
        assert {i for i in node.inputs if i[0] == "^"} == {i for i in theirs.input if i[0] == "^"}, node.name
        attrs = {k: v.SerializeToString(deterministic=True) for k, v in node.proto.attr.items()}
        expected_attrs = {k: v.SerializeToString(deterministic=True) for k, v in theirs.attr.items()}
        attrs.pop("_output_shapes", None), expected_attrs.pop("_output_shapes", None)
        assert attrs == expected_attrs, node.name


def test_a_taken_prefix_is_made_unique_as_tensorflow_does() -> None:
    graph_def = source()
    into = Graph()
    with tf.Graph().as_default() as graph:
        for _ in range(3):
            tf.import_graph_def(graph_def)
            into, _ = import_graph(ours(graph_def), into, name="import")
    assert_equal(into, graph.as_graph_def())


def test_taken_names_are_made_unique_as_tensorflow_does() -> None:
    graph_def = source()
    into = Graph()
    with tf.Graph().as_default() as graph:
        for _ in range(3):
            tf.import_graph_def(graph_def, name="")
            into, _ = import_graph(ours(graph_def), into)
    assert_equal(into, graph.as_graph_def())


def test_the_version_is_that_of_the_oracle() -> None:
    assert GRAPH_DEF_VERSION == tf.version.GRAPH_DEF_VERSION


def v1_placeholder(name: str) -> Any:
    with tf.Graph().as_default() as graph:
        v1.placeholder(tf.float32, name=name)
    return graph.as_graph_def()


@pytest.mark.parametrize("key", ["x", "x:0", "y:0", "parts:1"])
def test_inputs_are_mapped(key: str) -> None:
    graph_def = source()
    with tf.Graph().as_default() as consumer_graph:
        tf.import_graph_def(graph_def, name="")
        part = consumer_graph.get_tensor_by_name("parts:1")
        tf.identity(part, name="after")
    graph_def = consumer_graph.as_graph_def()
    with tf.Graph().as_default() as graph:
        fed = v1.placeholder(tf.float32, name="fed")
        tf.import_graph_def(graph_def, name="in", input_map={key: fed})
    result, _ = import_graph(ours(graph_def), ours(v1_placeholder("fed")), name="in", input_map={key: "fed:0"})
    assert_equal(result, graph.as_graph_def())


def test_control_inputs_are_mapped() -> None:
    """TensorFlow's Python function takes tensors only, its C interface maps control inputs too."""
    graph_def = source()
    result, _ = import_graph(ours(graph_def), ours(v1_placeholder("fed")), name="in", input_map={"^w/Assign": "^fed"})
    assert result.nodes["in/y"].control_inputs == ["fed"]
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(v1.GraphDef.FromString(result.to_proto()[0].SerializeToString()), name="")
    assert [op.name for op in graph.get_operation_by_name("in/y").control_inputs] == ["fed"]


def test_elements_are_returned() -> None:
    graph_def = source()
    with tf.Graph().as_default():
        theirs = tf.import_graph_def(graph_def, name="p", return_elements=["y", "parts:1"])
    _, names = import_graph(ours(graph_def), Graph(), name="p", return_elements=["y", "parts:1"])
    assert names == [element.name for element in theirs]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"return_elements": ["nope"]}, UnknownNameError, "has no 'nope' to return"),
        ({"input_map": {"nope:0": "fed:0"}}, UnknownNameError, "which the imported graph does not have"),
        ({"input_map": {"x:0": "gone:0"}}, UnknownNameError, "The graph has no node 'gone'"),
    ],
)
def test_what_tensorflow_refuses_is_refused(options: dict[str, Any], error: type[Error], message: str) -> None:
    graph_def = source()
    with tf.Graph().as_default(), pytest.raises((ValueError, TypeError)):  # noqa: PT012
        v1.placeholder(tf.float32, name="fed")
        tf.import_graph_def(graph_def, name="in", **options)
    with pytest.raises(error, match=message):
        import_graph(ours(graph_def), ours(v1_placeholder("fed")), name="in", **options)


def test_functions_of_one_name_and_another_body_are_told_apart() -> None:
    def graph_with(factor: float) -> Any:
        with tf.Graph().as_default() as graph:

            @tf.function
            def scaled(a: Any) -> Any:
                return a * factor

            concrete = scaled.get_concrete_function(tf.TensorSpec([], tf.float32))
            tf.identity(concrete(v1.placeholder(tf.float32, [], name="x")), name="y")
        text = str(graph.as_graph_def()).replace(concrete.name.decode(), "scaled")
        from google.protobuf import text_format

        return text_format.Parse(text, v1.GraphDef())

    first, second = graph_with(2.0), graph_with(3.0)
    both, _ = import_graph(ours(first), Graph(), name="a")
    both, _ = import_graph(ours(second), both, name="b")
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(v1.GraphDef.FromString(both.to_proto()[0].SerializeToString()), name="")
        with v1.Session(graph=graph) as session:
            answers = session.run(["a/y:0", "b/y:0"], {"a/x:0": 5.0, "b/x:0": 5.0})
    assert answers == [10.0, 15.0]
