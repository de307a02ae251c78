"""The engine onnxruntime: what it refuses and why, that weights are not copied, and that calls may be many at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32, INT32, STRING, dtype_of
from cryograph.base.errors import RunError, UnsupportedError
from cryograph.base.files import open_file
from cryograph.base.tensors import Tensor
from cryograph.engines.numpy.rules import RULES
from cryograph.engines.onnxruntime import kernels, lowerings
from cryograph.engines.onnxruntime.complexes import FORMULAS
from cryograph.engines.onnxruntime.engine import OnnxRuntime, lowered
from cryograph.engines.onnxruntime.left_out import LEFT_OUT
from cryograph.engines.onnxruntime.lower import NO_MEANING, Lowering, keyword_only
from cryograph.engines.onnxruntime.lowerings import FAMILIES, LOWERINGS, family
from cryograph.engines.onnxruntime.pairing import MOVED, WHOLE
from cryograph.engines.onnxruntime.session import Session, shared
from cryograph.ops.signatures import signature
from cryograph.program.build import build_program
from cryograph.program.program import Program, Spec, Step
from cryograph.program.scans import SCAN
from tests.support.small_graphs import const, document_of, ints, node, placeholder

RNG = np.random.default_rng(7)
WEIGHTS = RNG.normal(size=(3, 3, 3, 8)).astype(np.float32)

CONVOLUTION = document_of(
    placeholder("x", (None, 8, 8, 3)),
    const("w", WEIGHTS),
    const("b", np.arange(8.0)),
    node("conv", "Conv2D", "x", "w", T=FLOAT32, strides=[1, 2, 2, 1], padding="SAME"),
    node("bias", "BiasAdd", "conv", "b", T=FLOAT32),
    node("relu", "Relu", "bias", T=FLOAT32),
    ints("axes", [1, 2]),
    node("mean", "Mean", "relu", "axes", T=FLOAT32, Tidx=INT32, keep_dims=False),
)


def by_hand(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The mean of the rectified convolution, window by window; SAME pads one row and column at the end."""
    padded = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))).astype(np.float64)
    rows = [
        np.einsum("nhwc,hwco->no", padded[:, i : i + 3, j : j + 3], WEIGHTS.astype(np.float64))
        for i in range(0, 8, 2)
        for j in range(0, 8, 2)
    ]
    return np.maximum(np.stack(rows) + np.arange(8.0), 0).mean(0)


def test_a_convolution_runs() -> None:
    run = OnnxRuntime().prepare(build_program(CONVOLUTION, ["mean"]))
    x = RNG.normal(size=(2, 8, 8, 3)).astype(np.float32)
    (answer,) = run([x])
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, by_hand(x), rtol=1e-5)
    # What comes out is an array as any other.
    answer += 1


def test_many_threads_share_one_runner() -> None:
    run = OnnxRuntime().prepare(build_program(CONVOLUTION, ["mean"]))
    inputs = [RNG.normal(size=(1, 8, 8, 3)).astype(np.float32) for _ in range(8)]
    wanted = [run([x])[0] for x in inputs]
    wrong: list[int] = []

    def work(index: int) -> None:
        for _ in range(30):
            if not np.array_equal(run([inputs[index]])[0], wanted[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_inputs_and_constants_may_be_outputs() -> None:
    document = document_of(placeholder("x", (2,)), const("c", [1.0, 2.0]), node("y", "Add", "x", "c", T=FLOAT32))
    run = OnnxRuntime().prepare(build_program(document, ["x", "y", "c", "y"]))
    x = np.asarray([3, 4], np.float32)
    first, total, constant, again = run([x])
    assert first is x
    assert total.tolist() == again.tolist() == [4, 6]
    assert constant.tolist() == [1, 2]
    only = OnnxRuntime().prepare(build_program(document, ["c"], ["x"]))
    assert only([x])[0].tolist() == [1, 2]


def test_strings_only_pass_through() -> None:
    document = document_of(
        placeholder("s", (None,), STRING),
        node("t", "Identity", "s", T=STRING),
        placeholder("x", (None,)),
        node("y", "Neg", "x", T=FLOAT32),
    )
    run = OnnxRuntime().prepare(build_program(document, ["t", "y"]))
    words = np.asarray([b"a", b"\xff"], object)
    got, y = run([words, np.ones(2, np.float32)])
    assert got is words
    assert y.tolist() == [-1, -1]


def test_weights_stay_in_the_mapped_file(tmp_path: Path) -> None:
    values = RNG.normal(size=(64, 32)).astype(np.float32)
    path = tmp_path / "weights"
    path.write_bytes(b"odd" + values.tobytes())  # an offset at which no float is aligned
    tensor = Tensor.mapped(FLOAT32, (64, 32), open_file(path).span(3, values.nbytes))
    assert np.shares_memory(shared(tensor), tensor.numpy())
    program = Program(
        ("x:0",),
        ("y:0",),
        (Step("y", "MatMul", ("x:0", "w:0"), ("y:0",), {"transpose_a": False, "transpose_b": False}),),
        {"w:0": tensor},
        {"x:0": Spec(FLOAT32, (None, 64)), "w:0": Spec(FLOAT32, (64, 32)), "y:0": Spec(FLOAT32, (None, 32))},
    )
    x = RNG.normal(size=(3, 64)).astype(np.float32)
    np.testing.assert_allclose(OnnxRuntime().prepare(program)([x])[0], x @ values, rtol=1e-4, atol=1e-5)


def test_what_is_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEFT_OUT, "BesselJ0", "is left out here")
    document = document_of(
        placeholder("x", (None, 4, 4, 3)),
        node("a", "BesselJ0", "x", T=FLOAT32),
        node("b", "AvgPool", "a", T=FLOAT32, ksize=[1, 1, 1, 3], strides=[1, 1, 1, 3], padding="VALID"),
        node("c", "Relu", "b", T=FLOAT32),
    )
    program = build_program(document, ["c"])
    assert [(item.step.name, item.reason) for item in OnnxRuntime().missing(program)] == [
        ("a", "BesselJ0 is left out here"),
        ("b", "ksize [1, 1, 1, 3] goes over batch or channels"),
    ]
    with pytest.raises(UnsupportedError) as caught:
        OnnxRuntime().prepare(program)
    assert str(caught.value) == (
        "ONNX Runtime cannot take 2 of 3 steps: a (BesselJ0): BesselJ0 is left out here;"
        " b (AvgPool): ksize [1, 1, 1, 3] goes over batch or channels."
        ' engine="auto" runs these on numpy.'
    )


def refusal(op: str, inputs: dict[str, Spec], output: Spec, **attrs: Any) -> str:
    specs = {**inputs, "out:0": output}
    program = Program(tuple(inputs), ("out:0",), (Step("out", op, tuple(inputs), ("out:0",), attrs),), {}, specs)
    return Lowering(program).refusals.get(0, "")


def test_reasons_of_refusals() -> None:
    number, unknown = Spec(FLOAT32, (2, 3)), Spec(FLOAT32, None)
    complex_ = Spec(dtype_of("complex64"), (2,))
    four = Spec(dtype_of("int4"), (2,))
    assert refusal("Relu", {"x:0": number}, number) == ""
    assert refusal("Relu", {"x:0": number}, number, T=FLOAT32, _class=[b"loc:@x"]) == ""
    assert (
        refusal("Relu", {"x:0": number}, number, novel=3) == "the attribute novel = 3 of Relu has no lowering to ONNX"
    )
    assert refusal("Tan", {"x:0": complex_}, complex_) == "Tan of complex numbers has no lowering to ONNX"
    assert refusal("Neg", {"x:0": four}, four) == "ONNX Runtime does not take the dtype int4 here"
    boolean = Spec(dtype_of("bool"), (2,))
    assert refusal("Neg", {"x:0": boolean}, boolean) == "ONNX Runtime has no kernel for Neg on bool"
    pick = {"x:0": unknown, "dim:0": Spec(INT32, ())}
    assert refusal("ExpandDims", pick, unknown) == "the rank of an input is not known"
    pick = {"x:0": number, "dim:0": Spec(INT32, ())}
    assert refusal("ExpandDims", pick, unknown) == "dim is not a constant"
    assert refusal("Foo", {"x:0": number}, number) == "Foo has no lowering to ONNX"


def test_what_only_the_run_finds_is_a_run_error() -> None:
    run = OnnxRuntime().prepare(build_program(CONVOLUTION, ["mean"]))
    with pytest.raises(RunError, match="ONNX Runtime failed"):
        run([np.ones((1, 8, 8, 4), np.float32)])


def test_a_model_that_the_runtime_refuses_is_an_error_of_ours() -> None:
    graph = lowered(build_program(CONVOLUTION, ["mean"]))
    graph.nodes[0].op = "Unheard"
    with pytest.raises(UnsupportedError, match="ONNX Runtime does not take the lowered program"):
        Session(graph)


def test_an_op_has_one_family_and_a_file_is_one() -> None:
    assert sum(len(family(name).LOWERINGS) for name in FAMILIES) == len(LOWERINGS)
    folder = Path(lowerings.__file__).parent
    with_a_table = {path.stem for path in folder.glob("*.py") if "\nLOWERINGS: Table" in path.read_text("utf-8")}
    assert sorted(FAMILIES) == sorted(with_a_table)


def test_families_are_imported_when_they_are_needed() -> None:
    code = (
        "import sys; from cryograph.engines.onnxruntime.lowerings import LOWERINGS\n"
        "assert 'Conv2D' in LOWERINGS and 'cryograph.engines.onnxruntime.ctc_losses' not in sys.modules\n"
        "assert 'NoSuchOp' not in LOWERINGS and 'cryograph.engines.onnxruntime.ctc_losses' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_why_an_op_is_left_out_is_said_of_ops_that_numpy_alone_has() -> None:
    assert not LEFT_OUT.keys() & LOWERINGS.keys()
    assert LEFT_OUT.keys() <= RULES.keys()
    assert sorted(RULES.keys() - LOWERINGS.keys() - LEFT_OUT.keys()) == []


def test_each_op_on_complex_numbers_has_one_way_and_a_lowering() -> None:
    ways = (WHOLE, MOVED.keys(), FORMULAS.keys())
    named = [op for way in ways for op in way]
    assert len(set(named)) == len(named)
    assert set(named) <= LOWERINGS.keys()


@pytest.mark.parametrize("op", sorted(LOWERINGS.keys() - {SCAN}))  # which is ours
def test_a_lowering_takes_what_its_op_declares(op: str) -> None:
    known = signature(op)
    assert known is not None
    code = LOWERINGS[op].__code__
    named = keyword_only(LOWERINGS[op])
    # Rules that serve several ages of an op, or all its numbers of dimensions, name what only some of these have.
    kin = {name for name, rule in LOWERINGS.items() if rule.__code__ is code}
    declared = {name for each in kin for name in (signature(each) or known).attrs}
    assert named <= declared
    required = {name for name, spec in known.attrs.items() if not spec.has_default}
    types = {arg.type_attr for arg in (*known.inputs, *known.outputs)}
    numbers = {arg.number_attr for arg in (*known.inputs, *known.outputs)}
    lists = {arg.type_list_attr for arg in (*known.inputs, *known.outputs)}
    assert required <= named | types | numbers | lists | NO_MEANING


def test_kernels_are_those_of_the_runtime_here() -> None:
    assert kernels.supports("Conv", [FLOAT32, FLOAT32], FLOAT32)
    assert not kernels.supports("Conv", [dtype_of("int8"), dtype_of("int8")], dtype_of("int8"))
    assert not kernels.supports("NoSuchOperator", [FLOAT32], FLOAT32)
    assert kernels.supports("Gelu", [FLOAT32], FLOAT32, "com.microsoft")
