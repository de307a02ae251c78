"""Inference against TensorFlow's own: at least as much is known, and nothing contradicts what TensorFlow knows.

Single ops are drawn and written by hand; whole graphs are those of the recipes. Where TensorFlow takes a graph of one
op that contradicts itself, running it must fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.dtypes import dtype_of
from cryograph.base.files import open_file
from cryograph.base.shapes import Shape, compatible
from cryograph.graph.graph import Graph
from cryograph.graph.node import Node
from cryograph.ops import infer_rules
from cryograph.ops.inference import Fact, infer
from cryograph.ops.signatures import op_names, signature
from cryograph.wire import messages as pb
from cryograph.wire.scan import read_message
from tests.conformance.recipes import Made
from tests.ops.graphs import constant, graph, placeholder

from .inference_by_hand import by_hand
from .inference_cases import drawn

v1 = tf.compat.v1
DRAWS = 30

NOT_ASKED = {
    "MapDefun": "takes a function",
    "OneShotIterator": "takes a function that makes a data set",
    "SymbolicGradient": "takes a function",
    **dict.fromkeys(("XlaReduce", "XlaVariadicReduce", "XlaVariadicReduceV2"), "takes a function"),
    **dict.fromkeys(("XlaReduceWindow", "XlaScatter", "XlaSelectAndScatter", "XlaVariadicSort"), "takes a function"),
}
"""Ops that no graph of one node can hold, and why."""

# Drawing hits arguments with which TensorFlow 2.21 ends the process (a failed CHECK); these are asked by hand only.
BY_HAND_ONLY = {"SplitV", "RaggedGather"}
WRONG_THERE = {
    "DenseBincount": "of a scalar it says (), its kernel gives a vector of `size`",
    "ExtractVolumePatches": "of an unknown rank it says 4 dimensions; there are 5",
    "FFTND": "its shape function ignores fft_length",
    "FractionalAvgPool": "it says one element less for the sequences than its kernel gives",
    "FractionalMaxPool": "it says one element less for the sequences than its kernel gives",
    "GatherV2": "with a negative batch_dims and an unknown axis it counts the dimensions wrongly",
    "IFFTND": "its shape function ignores fft_length",
    "IRFFTND": "its shape function ignores fft_length",
    "MatrixSetDiagV2": "with an unknown k it takes the diagonals for a single one",
    "MatrixSetDiagV3": "with an unknown k it takes the diagonals for a single one",
    "OneHot": "it does not look whether the axis is in range",
    "RFFTND": "its shape function ignores fft_length",
}
"""Ops for which TensorFlow's static shape is not that of its own answer; what is right is asserted below."""


def imported(made: Graph) -> tf.Graph:
    proto, _ = made.to_proto()
    with tf.Graph().as_default() as found:
        tf.import_graph_def(v1.GraphDef.FromString(proto.SerializeToString()), name="")
    return found


def static(tensor: tf.Tensor) -> Shape:
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


def complaint(fact: Fact, tensor: tf.Tensor) -> str:
    """What is wrong with a fact in the light of TensorFlow's tensor; empty when nothing is."""
    theirs, ours = static(tensor), fact.shape
    if fact.dtype is None or fact.dtype.number != tensor.dtype.as_datatype_enum:
        return f"{tensor.name}: dtype {fact.dtype}, TensorFlow says {tensor.dtype}"
    less = theirs is not None and (
        ours is None or any(t is not None and o is None for t, o in zip(theirs, ours, strict=False))
    )
    if less or not compatible(ours, theirs):
        return f"{tensor.op.type} {tensor.name}: {ours}, TensorFlow says {theirs}"
    return ""


def words(made: Graph) -> str:
    return ", ".join(f"{n.op}({', '.join(n.inputs)}) {dict(n.attrs)}" for n in made)[:900]


def compare(op: str, made: Graph) -> list[str] | None:
    """What is wrong with our inference of a graph of one op; None when TensorFlow refuses the graph."""
    try:
        theirs = imported(made)
    except (ValueError, tf.errors.OpError):
        return None
    inference = infer(made)
    tensors = theirs.get_operation_by_name("op").outputs
    try:
        for tensor in tensors:
            static(tensor)
    except ValueError:  # "Dimension -2 must be >= 0": its own shape makes no sense
        return None
    facts = inference.outputs("op")
    if len(facts) != len(tensors):
        return [f"{len(facts)} outputs, TensorFlow has {len(tensors)}: {words(made)}"]
    found = [text for fact, tensor in zip(facts, tensors, strict=True) if (text := complaint(fact, tensor))]
    if found and "op" in inference.contradictions and refuses_to_run(theirs):
        return []
    return [f"{text} | {words(made)} | {inference.contradictions.get('op')}" for text in found]


def plainly() -> v1.ConfigProto:
    """Without what TensorFlow does to graphs before it runs them: it would take away what is asked for."""
    config = v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    return config


def refuses_to_run(graph: tf.Graph) -> bool:
    feeds: dict[Any, Any] = {}
    for op in graph.get_operations():
        if op.type == "Placeholder":
            (tensor,) = op.outputs
            shape = [2 if size is None else size for size in ((2, 2) if static(tensor) is None else static(tensor))]
            filled = b"a" if tensor.dtype == tf.string else 1
            feeds[tensor] = np.full(shape, filled, object if tensor.dtype == tf.string else tensor.dtype.as_numpy_dtype)
    try:
        with v1.Session(graph=graph, config=plainly()) as session:
            session.run(graph.get_operation_by_name("op").outputs, feeds)
    except (tf.errors.OpError, ValueError, TypeError):
        return True
    return False


def registered(family: Any) -> list[str]:
    known = set(op_names())
    return [op for op in family.INFER if op in known and signature(op).outputs]


@pytest.fixture(scope="module")
def taken() -> set[str]:
    """The ops of which TensorFlow took at least one case; filled by the tests that follow."""
    return set()


@pytest.mark.parametrize("family", infer_rules.FAMILIES, ids=lambda family: family.__name__.rpartition("infer_")[2])
def test_drawn_ops(family: Any, taken: set[str]) -> None:
    wrong: list[str] = []
    for op in registered(family):
        if op in BY_HAND_ONLY:
            continue
        for seed in range(DRAWS):
            made = drawn(op, seed)
            if made is None:
                break
            found = compare(op, made)
            if found is not None:
                taken.add(op)
                wrong += found if op not in WRONG_THERE else []
    assert wrong == [], "\n".join(wrong[:20])


def test_ops_by_hand(taken: set[str]) -> None:
    wrong: list[str] = []
    for op, made in by_hand():
        found = compare(op, made)
        assert found is not None, f"TensorFlow refuses {words(made)}"
        taken.add(op)
        wrong += found
    assert wrong == [], "\n".join(wrong)


def test_every_rule_was_compared(taken: set[str]) -> None:
    """Few draws are made here; what they missed is drawn until TensorFlow takes one."""
    for op in sorted({op for family in infer_rules.FAMILIES for op in registered(family)} - taken - set(NOT_ASKED)):
        for seed in range(DRAWS, 600):
            made = None if op in BY_HAND_ONLY else drawn(op, seed)
            if made is None:
                break
            found = compare(op, made)
            if found is not None:
                assert found == []
                taken.add(op)
                break
    missed = {op for family in infer_rules.FAMILIES for op in registered(family)} - taken
    assert sorted(missed) == sorted(NOT_ASKED)


def answered(op: str, attrs: dict[str, Any], *inputs: Any) -> list[tuple[int, ...]]:
    """The shapes of what TensorFlow's kernel gives."""
    outputs = getattr(tf.raw_ops, op)(**dict(zip((a.name for a in signature(op).inputs), inputs, strict=True)), **attrs)
    return [tuple(o.shape) for o in (outputs if isinstance(outputs, tuple) else (outputs,))]


@pytest.mark.parametrize(
    ("op", "attrs", "inputs"),
    [
        ("DenseBincount", {}, [np.int32(2), np.int32(5), np.zeros([0], np.float32)]),
        ("ExtractVolumePatches", {"ksizes": [1, 2, 2, 2, 1], "strides": [1, 1, 2, 1, 1], "padding": "VALID"},
         [np.ones([2, 4, 5, 6, 3], np.float32)]),
        ("FractionalAvgPool", {"pooling_ratio": [1.0, 1.44, 1.73, 1.0]}, [np.ones([2, 9, 8, 3], np.float32)]),
        ("FractionalMaxPool", {"pooling_ratio": [1.0, 1.44, 1.73, 1.0]}, [np.ones([2, 9, 8, 3], np.float32)]),
        ("GatherV2", {"batch_dims": -1}, [np.ones([3, 4], np.float32), np.zeros([3, 2], np.int32), np.int32(1)]),
        ("OneHot", {"axis": 0}, [np.zeros([3, 2], np.int32), np.int32(4), np.float32(1), np.float32(0)]),
    ],
)  # fmt: skip
def test_where_tensorflow_contradicts_itself_its_answer_is_right(
    op: str, attrs: dict[str, Any], inputs: list[Any]
) -> None:
    nodes = []
    for index, value in enumerate(inputs):
        dtype = dtype_of(np.asarray(value).dtype)
        if np.size(value) < 9:
            nodes += [constant(f"in{index}", value, dtype)]
        else:
            nodes += [placeholder(f"in{index}", dtype, np.shape(value))]
    types = {
        arg.type_attr: dtype_of(np.asarray(value).dtype)
        for arg, value in zip(signature(op).inputs, inputs, strict=True)
        if arg.type_attr
    }
    made = graph(*nodes, Node.make("op", op, [n.name for n in nodes], {**types, **attrs}))
    assert [fact.shape for fact in infer(made).outputs("op")] == answered(op, attrs, *inputs)


# Whole graphs


def read(path: Path) -> Graph:
    proto, table = read_message(open_file(path), pb.GraphDef)
    return Graph.of(proto, table)


def whole_graphs(make: Callable[[str], Made]) -> Iterator[Path]:
    for name in ("mobilenet_v2", "inception_v3", "resnet50"):
        yield make(f"keras/{name}").path("frozen.pb")
        yield make(f"keras/{name}").path("tf1", "graph.pb")
    for name in ("mnist", "batch_norms", "loops", "resource_variables"):
        yield make(f"2016/{name}").path("graph.pb")
        yield make(f"2016/{name}").path("frozen.pb")
    yield make("2016/queues").path("graph.pb")
    yield make("2016/tables").path("frozen.pb")
    yield make("tf2/control_flow").path("frozen.pb")


def test_whole_graphs_are_known_as_well_as_tensorflow_knows_them(make: Callable[[str], Made]) -> None:
    tensors = 0
    for path in whole_graphs(make):
        inference = infer(read(path))
        graph_def = v1.GraphDef.FromString(path.read_bytes())
        with tf.Graph().as_default() as theirs:
            tf.import_graph_def(graph_def, name="")
        found = [t for op in theirs.get_operations() for t in op.outputs]
        wrong = [text for tensor in found if (text := complaint(inference.fact(tensor.name), tensor))]
        assert wrong == [], f"{path}: " + "\n".join(wrong[:10])
        assert not inference.contradictions, path
        tensors += len(found)
    assert tensors > 20_000


@pytest.mark.parametrize("name", ["keras/mobilenet_v2", "2016/mnist", "2016/tables"])
def test_what_runs_has_the_shapes_that_were_inferred(
    name: str, make: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(name)
    monkeypatch.chdir(made.folder)  # where the assets lie
    path = made.path("frozen.pb")
    case = made.cases.get("frozen", made.case)
    inference = infer(read(path), {tensor: np.shape(value) for tensor, value in case.inputs.items()})
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as theirs:
        tf.import_graph_def(graph_def, name="")
    wanted = [
        t
        for op in theirs.get_operations()
        for t in op.outputs
        if op.type not in ("Const", "Placeholder", "LoopCond") and t.dtype not in (tf.resource, tf.variant)
        if not t.dtype._is_ref_dtype and t.name.partition(":")[0] not in ("init_tables",)
    ]
    with v1.Session(graph=theirs, config=plainly()) as session:
        if name == "2016/tables":
            session.run("init_tables", {})
        values = session.run(wanted, dict(case.inputs))
    known = 0
    for tensor, value in zip(wanted, values, strict=True):
        shape = inference.shape(tensor.name)
        assert compatible(shape, np.shape(value)), f"{tensor.name} ({tensor.op.type}): {shape}, but {np.shape(value)}"
        known += shape == np.shape(value)
        carried = inference.value(tensor.name)
        if carried is not None:
            np.testing.assert_array_equal(carried, value, err_msg=tensor.name)
    assert known > 0.9 * len(wanted)


@pytest.mark.parametrize("name", ["2016/loops", "tf2/control_flow"])
def test_loops_answer_with_the_shapes_that_were_inferred(name: str, make: Callable[[str], Made]) -> None:
    made = make(name)
    case = made.cases.get("frozen", made.case)
    inference = infer(read(made.path("frozen.pb")), {t: np.shape(v) for t, v in case.inputs.items()})
    assert not inference.contradictions
    for tensor, value in case.outputs.items():
        shape = inference.shape(tensor)
        assert compatible(shape, value.shape), (tensor, shape, value.shape)
        assert shape is not None, tensor


def test_saved_models_are_known_through_their_functions(make: Callable[[str], Made]) -> None:
    """The results of each signature, in the graph that the loader would call."""
    for name, signatures in (("tf2/many_signatures", ("score", "dense")), ("keras/resnet50", ("serving_default",))):
        made = make(name)
        proto, table = read_message(open_file(made.path("saved_model", "saved_model.pb")), pb.SavedModel)
        meta = proto.meta_graphs[0]
        loaded = Graph.of(meta.graph_def, table)
        for key in signatures:
            case, spec = made.cases[key], meta.signature_def[key]
            inference = infer(loaded, {spec.inputs[k].name: np.shape(v) for k, v in case.inputs.items()})
            assert not inference.contradictions
            for output, value in case.outputs.items():
                shape = inference.shape(spec.outputs[output].name)
                assert compatible(shape, value.shape), (name, key, output, shape, value.shape)
                if key != "score":
                    assert shape == value.shape, (name, key, output)


def test_wrong_output_shapes_of_musicnn_do_no_harm(fetch: Callable[..., Path], make: Callable[[str], Made]) -> None:
    for name, case in make("real/musicnn").cases.items():
        proto, table = read_message(open_file(fetch("musicnn") / "musicnn" / name / ".meta"), pb.MetaGraphDef)
        loaded = Graph.of(proto.graph_def, table)
        assert infer(loaded).shape("model/Sigmoid:0") == (None, 50)
        fed = infer(loaded, {tensor: np.shape(value) for tensor, value in case.inputs.items()})
        assert fed.shape("model/Sigmoid:0") == case.outputs["model/Sigmoid:0"].shape
        assert not fed.contradictions
