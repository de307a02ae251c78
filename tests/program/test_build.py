"""Plain graphs: names, feeds, placeholders, what is left out, what is known, and that nothing hangs on size."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, INT64, STRING
from cryograph.base.errors import GraphError, InputError, UnknownNameError
from cryograph.graph.node import Node
from cryograph.program import fold as folding
from cryograph.program.build import build_program
from cryograph.program.program import Step
from tests.support.small_graphs import const, document_of, ints, node, placeholder
from tests.support.tiny_engine import fold, run

DENSE = document_of(
    placeholder("x", (None, 2)),
    const("w", [[1.0, 2.0], [3.0, 4.0]]),
    const("b", [1.0, -1.0]),
    node("w/read", "Identity", "w", T=FLOAT32),
    node("matmul", "MatMul", "x", "w/read", T=FLOAT32),
    node("add", "Add", "matmul", "b", T=FLOAT32),
    node("relu", "Relu", "add", T=FLOAT32),
    node("output", "Identity", "relu", T=FLOAT32),
    node("unused", "CustomOp", "relu"),
)


def ops(program: object) -> list[str]:
    return [step.op for step in program.steps]  # type: ignore[attr-defined]


def test_a_graph_runs() -> None:
    program = build_program(DENSE, ["output"])
    assert program.inputs == ("x:0",)
    assert ops(program) == ["MatMul", "Add", "Relu"]
    assert program.steps[0] == Step(
        "matmul",
        "MatMul",
        ("x:0", "w:0"),
        ("matmul:0",),
        {"T": FLOAT32, "transpose_a": False, "transpose_b": False, "grad_a": False, "grad_b": False},
    )
    assert program.specs["relu:0"].shape == (None, 2)
    assert program.specs["relu:0"].dtype == FLOAT32
    (answer,) = run(program, np.array([[1.0, 1.0]], np.float32))
    np.testing.assert_array_equal(answer, [[5.0, 5.0]])


def test_weights_are_not_copied() -> None:
    program = build_program(DENSE, ["output"])
    again = build_program(DENSE, ["output"])
    assert DENSE.graph.nodes["w"].attr("value").shape == program.constants["w:0"].shape
    assert program.constants["w:0"].dtype == again.constants["w:0"].dtype


def test_outputs_keep_order_and_count() -> None:
    program = build_program(DENSE, ["relu", "add:0", "output", "x", "w"])
    assert program.outputs == ("relu:0", "add:0", "relu:0", "x:0", "w:0")
    x = np.array([[0.0, 1.0]], np.float32)
    answers = run(program, x)
    assert len(answers) == 5
    np.testing.assert_array_equal(answers[3], x)


@pytest.mark.parametrize("fed", ["matmul", "matmul:0", "add", "relu", "output"])
def test_any_tensor_can_be_fed(fed: str) -> None:
    program = build_program(DENSE, ["output"], [fed])
    given = np.array([[3.0, -4.0]], np.float32)
    (answer,) = run(program, given)
    expected = given + np.float32([1.0, -1.0]) if fed.startswith("matmul") else given
    np.testing.assert_array_equal(answer, np.maximum(expected, 0) if fed in ("matmul", "matmul:0", "add") else expected)
    assert program.specs[program.inputs[0]].shape == (None, 2)


def test_one_output_of_a_node_fed_another_computed() -> None:
    document = document_of(
        placeholder("x", (4,)),
        ints("axis", 0),
        node("split", "Split", "axis", "x", T=FLOAT32, num_split=2),
        node("sum", "AddV2", "split", "split:1", T=FLOAT32),
    )
    program = build_program(document, ["sum"], ["x", "split:0"])
    answer = run(program, np.array([1, 2, 3, 4], np.float32), np.array([10, 20], np.float32))[0]
    np.testing.assert_array_equal(answer, [13, 24])
    assert program.inputs == ("x:0", "split:0")
    assert program.steps[0].name == "split"


def test_an_input_that_outputs_do_not_need_stays_an_input() -> None:
    program = build_program(DENSE, ["output"], ["relu", "x"])
    assert program.inputs == ("relu:0", "x:0")


def test_inputs_in_file_order() -> None:
    document = document_of(
        placeholder("a", ()), placeholder("b", ()), placeholder("c", ()),
        node("s", "Sub", "c", "a", T=FLOAT32), node("y", "Mul", "s", "b", T=FLOAT32),
    )  # fmt: skip
    assert build_program(document, ["y"]).inputs == ("a:0", "b:0", "c:0")


def test_a_placeholder_that_is_not_fed() -> None:
    document = document_of(
        placeholder("x", (2,)), placeholder("keep", ()), placeholder("other"), node("y", "Mul", "x", "keep", T=FLOAT32)
    )
    with pytest.raises(InputError) as caught:
        build_program(document, ["y"], ["x"])
    assert str(caught.value) == (
        "The outputs need a placeholder that is not fed: keep (float32 ()). Name it among the inputs, or name inputs "
        "that lie between there and the outputs."
    )
    with pytest.raises(InputError, match=r"placeholders that are not fed: x .*, keep"):
        build_program(document, ["y"], ["other"])


def test_a_default_is_taken_when_nothing_is_fed() -> None:
    document = document_of(
        const("half", 0.5),
        Node.make("rate", "PlaceholderWithDefault", ["half"], {"dtype": FLOAT32, "shape": ()}),
        placeholder("x", (2,)),
        node("y", "Mul", "x", "rate", T=FLOAT32),
    )
    x = np.array([2.0, 4.0], np.float32)
    program = build_program(document, ["y"])
    assert program.inputs == ("x:0",)
    np.testing.assert_array_equal(run(program, x)[0], [1.0, 2.0])
    program = build_program(document, ["y"], ["x", "rate"])
    np.testing.assert_array_equal(run(program, x, np.float32(3))[0], [6.0, 12.0])


def test_a_pipeline_is_to_be_fed() -> None:
    document = document_of(
        node("queue", "FIFOQueueV2", component_types=[FLOAT32, INT32]),
        node("queue_Dequeue", "QueueDequeueV2", "queue", component_types=[FLOAT32, INT32]),
        node("y", "Neg", "queue_Dequeue", T=FLOAT32),
    )
    with pytest.raises(InputError) as caught:
        build_program(document, ["y"])
    assert str(caught.value) == (
        "The outputs come from an input pipeline, which cannot be run: queue_Dequeue:0. Feed what it would give: "
        "inputs=['queue_Dequeue:0']."
    )
    program = build_program(document, ["y"], ["queue_Dequeue:0"])
    np.testing.assert_array_equal(run(program, np.float32(3))[0], -3)


def test_names_that_are_not_there() -> None:
    with pytest.raises(UnknownNameError, match=r"no node 'outputs'.*output"):
        build_program(DENSE, ["outputs"])
    with pytest.raises(UnknownNameError, match=r"relu:1 does not exist: 'relu' \(Relu\) has 1 output\."):
        build_program(DENSE, ["relu:1"])
    with pytest.raises(UnknownNameError, match=r"relu:1 does not exist"):
        build_program(DENSE, ["output"], ["relu:1"])
    with pytest.raises(UnknownNameError, match="no node 'y'"):
        build_program(DENSE, ["output"], ["y"])
    with pytest.raises(InputError, match="given twice: x:0"):
        build_program(DENSE, ["output"], ["x", "x:0"])
    with pytest.raises(InputError, match="control input"):
        build_program(DENSE, ["^output"])
    with pytest.raises(InputError, match="At least one output, or a target, must be given"):
        build_program(DENSE, [])


def test_an_edge_from_nowhere() -> None:
    document = document_of(node("y", "Neg", "gone", T=FLOAT32))
    with pytest.raises(GraphError, match="'y' takes 'gone', which is not there"):
        build_program(document, ["y"])
    document = document_of(const("c", 1.0), node("y", "Neg", "c", "^gone", T=FLOAT32))
    with pytest.raises(GraphError, match="'gone', which is not there"):
        build_program(document, ["y"])


def test_a_cycle() -> None:
    document = document_of(node("a", "Neg", "b", T=FLOAT32), node("b", "Neg", "a", T=FLOAT32))
    with pytest.raises(GraphError, match="cycle outside of any loop"):
        build_program(document, ["a"])


def test_an_unknown_op_is_a_step() -> None:
    program = build_program(DENSE, ["unused:1"])
    assert program.steps[-1].op == "CustomOp"
    assert program.steps[-1].outputs == ("unused:0", "unused:1")
    assert program.specs["unused:0"].dtype.name == "invalid"


def test_control_edges_to_pure_nodes_drop_and_asserts_stay() -> None:
    document = document_of(
        placeholder("x", ()),
        const("zero", 0.0),
        node("sub", "Sub", "x", "zero", T=FLOAT32),
        node("ok", "Greater", "x", "zero", T=FLOAT32),
        const("words", np.array(b"must be positive", object), dtype=object),
        node("assert", "Assert", "ok", "words", "x", T=[STRING, FLOAT32], summarize=3),
        node("wait", "NoOp", "^assert", "^sub"),
        node("y", "Neg", "x", "^wait", T=FLOAT32),
    )
    program = build_program(document, ["y"])
    assert sorted(ops(program)) == ["Assert", "Greater", "Neg"]
    np.testing.assert_array_equal(run(program, np.float32(2))[0], -2)
    with pytest.raises(Exception, match="must be positive"):
        run(program, np.float32(-2))


def test_an_assert_that_holds_is_gone() -> None:
    document = document_of(
        placeholder("x", ()), const("true", True), node("assert", "Assert", "true", "x", T=[FLOAT32], summarize=3),
        node("y", "Neg", "x", "^assert", T=FLOAT32),
    )  # fmt: skip
    assert ops(build_program(document, ["y"])) == ["Neg"]


def test_check_numerics_stays_and_print_goes() -> None:
    document = document_of(
        placeholder("x", ()),
        node("checked", "CheckNumerics", "x", T=FLOAT32, message="bad"),
        node("printed", "Print", "checked", "x", T=FLOAT32, U=[FLOAT32], message="x = "),
        node("stopped", "StopGradient", "printed", T=FLOAT32),
        node("both", "IdentityN", "stopped", "x", T=[FLOAT32, FLOAT32]),
        node("y", "Neg", "both", T=FLOAT32),
    )
    assert ops(build_program(document, ["y"])) == ["CheckNumerics", "Neg"]


def test_constants_are_folded_and_known_shapes_too() -> None:
    document = document_of(
        placeholder("x", (None, 4, 6)),
        node("shape", "Shape", "x", T=FLOAT32, out_type=INT32),
        ints("one", [1]), ints("three", [3]), ints("unit", [1]),
        node("tail", "StridedSlice", "shape", "one", "three", "unit", T=INT32, Index=INT32),
        ints("axis", [0]),
        node("size", "Sum", "tail", "axis", T=INT32, Tidx=INT32, keep_dims=True),
        ints("batch", [-1]), ints("zero", 0),
        node("target", "ConcatV2", "batch", "size", "zero", N=2, T=INT32, Tidx=INT32),
        const("gamma", [4.0] * 10), const("eps", 0.0),
        node("var", "AddV2", "gamma", "eps", T=FLOAT32),
        node("square", "Softmax", "var", T=FLOAT32),
        node("scale", "Rsqrt", "square", T=FLOAT32),
        node("y", "Mul", "x", "x", T=FLOAT32),
        node("flat", "Reshape", "scale", "target", T=FLOAT32, Tshape=INT32),
    )  # fmt: skip
    program = build_program(document, ["flat"], fold=fold)
    assert program.steps == ()
    np.testing.assert_allclose(run(program)[0], [[10**0.5] * 10], rtol=1e-6)
    without = build_program(document, ["flat"])
    assert ops(without) == ["Softmax", "Rsqrt", "Reshape"]


def test_what_blows_up_is_not_folded() -> None:
    document = document_of(
        ints("dims", [1 << 20]), const("value", 1.0), node("y", "Fill", "dims", "value", T=FLOAT32, index_type=INT32)
    )
    assert ops(build_program(document, ["y"], fold=fold)) == ["Fill"]


def test_folding_is_bounded_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "FOLDED_TOTAL", 200_000)
    doublings = [
        node(f"t{n}", "ConcatV2", f"t{n - 1}", f"t{n - 1}", "axis", T=FLOAT32, Tidx=INT32, N=2) for n in range(1, 9)
    ]
    document = document_of(const("t0", np.ones(5000)), ints("axis", 0), *doublings)
    program = build_program(document, ["t8"], fold=fold)
    assert 0 < len(program.steps) < 8, ops(program)
    assert sum(tensor.nbytes for tensor in program.constants.values()) < 300_000


def test_random_steps_are_not_folded() -> None:
    document = document_of(
        ints("dims", [2]),
        const("seed", np.array([1, 2], np.int64)),
        node("a", "RandomUniform", "dims", T=INT32, dtype=FLOAT32),
        node("b", "StatelessRandomUniform", "dims", "seed", T=INT32, dtype=FLOAT32, Tseed=INT64),
        node("y", "Add", "a", "b", T=FLOAT32),
    )
    assert ops(build_program(document, ["y"], fold=fold)) == ["RandomUniform", "StatelessRandomUniform", "Add"]


def test_a_cast_to_the_same_dtype_goes() -> None:
    document = document_of(placeholder("x", ()), node("y", "Cast", "x", SrcT=FLOAT32, DstT=FLOAT32))
    program = build_program(document, ["y"])
    assert program.steps == ()
    assert program.outputs == ("x:0",)


def test_reference_attributes_and_notes_are_gone() -> None:
    document = document_of(
        placeholder("x", (2,), BOOL),
        node("y", "LogicalNot", "x", _output_shapes=[(7, 7)], _class=[b"loc:@x"]),
    )
    program = build_program(document, ["y"])
    assert program.steps[0].attrs == {}
    assert program.specs["y:0"].shape == (2,)


@pytest.mark.big
def test_large_and_deep_graphs_build_in_seconds() -> None:
    deep = [placeholder("n0", (2,))] + [node(f"n{i}", "Neg", f"n{i - 1}", T=FLOAT32) for i in range(1, 50_001)]
    document = document_of(*deep)
    start = time.process_time()
    program = build_program(document, ["n50000"])
    assert len(program.steps) == 50_000
    wide = [placeholder("x", (2,)), const("c", [1.0, 2.0])]
    for i in range(50_000):
        wide += [node(f"a{i}", "AddV2", "x", "c", T=FLOAT32), node(f"b{i}", "Relu", f"a{i}", T=FLOAT32)]
    wide.append(node("y", "AddN", *[f"b{i}" for i in range(50_000)], N=50_000, T=FLOAT32))
    document = document_of(*wide)
    program = build_program(document, ["y"])
    assert len(program.steps) == 100_001
    assert time.process_time() - start < 30
