"""Each lowering to ONNX against TensorFlow's kernel: with known sizes, and with sizes that are known only at run time.

A case is an op, its inputs and attributes. Inputs of which a lowering needs the values stand in `fixed`. The word in
`sizes` says which of the two ways must be lowered: "any" (both), "known", or "" (neither: the numpy engine runs it).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context, execute

from cryograph.base.dtypes import DType, dtype_of
from cryograph.base.errors import Error
from cryograph.base.tensors import Tensor
from cryograph.engines.onnxruntime.lower import Lowering
from cryograph.engines.onnxruntime.lowerings import LOWERINGS
from cryograph.engines.onnxruntime.passes import improve
from cryograph.engines.onnxruntime.session import Session
from cryograph.ops.signatures import default_attrs, number_of_outputs, output_types, signature
from cryograph.program.program import Program, Spec, Step

from . import numpy_cases, onnxruntime_cases, onnxruntime_shape_cases
from .onnxruntime_cases import Lowered

CASES = [*onnxruntime_cases.CASES, *onnxruntime_shape_cases.CASES]


def ask_tensorflow(case: Lowered) -> list[np.ndarray[Any, Any]]:
    """TensorFlow's answer, eagerly; arguments and attributes go by the names of the op itself."""
    attrs = attrs_of(case)
    flat: list[Any] = []
    for name, value in attrs.items():
        if isinstance(value, DType):
            value = value.number
        elif isinstance(value, list):
            value = [item.number if isinstance(item, DType) else item for item in value]
        flat += [name, value]
    inputs = [tf.constant(x) for x in case.inputs]
    made = execute.execute(case.op, number_of_outputs(case.op, attrs), inputs, tuple(flat), context.context())
    return [part.numpy() for part in made]


def attrs_of(case: Lowered) -> dict[str, Any]:
    """Attributes as a program holds them."""
    given = {k: v.encode() if isinstance(v, str) else v for k, v in case.attrs.items()}
    known = signature(case.op)
    assert known is not None
    attrs = {**default_attrs(case.op), **given}
    position = 0
    for arg in known.inputs:
        if arg.number_attr:
            later = len(known.inputs) - known.inputs.index(arg) - 1
            attrs[arg.number_attr] = len(case.inputs) - position - later
        count = attrs[arg.number_attr] if arg.number_attr else 1
        if arg.type_attr:
            attrs[arg.type_attr] = dtype_of(case.inputs[position].dtype)
        if arg.type_list_attr:
            attrs[arg.type_list_attr] = [dtype_of(x.dtype) for x in case.inputs]
        position += count
    return attrs


def program_of(case: Lowered, answers: list[np.ndarray[Any, Any]], known_sizes: bool) -> Program:
    """A program of one step."""
    attrs = attrs_of(case)
    names = [f"in{i}:0" for i in range(len(case.inputs))]
    results = [f"out:{i}" for i in range(number_of_outputs(case.op, attrs))]
    constants = {names[i]: Tensor.of(case.inputs[i]) for i in case.fixed}
    specs: dict[str, Spec] = {}
    for name, array in zip(names, case.inputs, strict=True):
        is_open = not known_sizes and name not in constants
        specs[name] = Spec(dtype_of(array.dtype), tuple(None if is_open else size for size in array.shape))
    types = output_types(case.op, attrs)
    for name, answer, dtype in zip(results, answers, types, strict=True):
        specs[name] = Spec(dtype, answer.shape if known_sizes else (None,) * answer.ndim)
    wanted = [results[i] for i in case.outputs] if case.outputs is not None else results
    step = Step("out", case.op, tuple(names), tuple(results), attrs)
    fed = [name for name in names if name not in constants]
    return Program(tuple(fed), tuple(wanted), (step,), constants, specs)


def identify(case: Lowered) -> str:
    said = ",".join(f"{k}={v}" for k, v in case.attrs.items())
    kind = case.inputs[0].dtype.name if case.inputs else ""
    return f"{case.op}-{kind}-{said}"[:100].replace(" ", "")


@pytest.mark.parametrize("known_sizes", [True, False], ids=["known", "open"])
@pytest.mark.parametrize("case", CASES, ids=identify)
def test_answers_are_tensorflows(case: Lowered, known_sizes: bool) -> None:
    answers = ask_tensorflow(case)
    program = program_of(case, answers, known_sizes)
    lowering = Lowering(program)
    expected = case.sizes == "any" or (case.sizes == "known" and known_sizes)
    fed = [case.inputs[i] for i in range(len(case.inputs)) if i not in case.fixed]
    if not expected:
        # What is only known at run time may also be refused there, but never be answered wrongly.
        if not lowering.refusals:
            with pytest.raises(Error):
                Session(improve(lowering.whole()))(fed)
        return
    assert lowering.refusals == {}
    got = Session(improve(lowering.whole()))(fed)
    compare(case, got, answers if case.outputs is None else [answers[i] for i in case.outputs])


@pytest.mark.parametrize("known_sizes", [True, False], ids=["known", "open"])
@pytest.mark.parametrize("case", numpy_cases.CASES, ids=identify)
def test_what_is_not_refused_is_right(case: Lowered, known_sizes: bool) -> None:
    answers = ask_tensorflow(case)
    lowering = Lowering(program_of(case, answers, known_sizes))
    if lowering.refusals:
        return
    fed = [case.inputs[i] for i in range(len(case.inputs)) if i not in case.fixed]
    try:
        got = Session(improve(lowering.whole()))(fed)
    except Error:
        assert not known_sizes  # what only the run can tell
        return
    compare(case, got, answers if case.outputs is None else [answers[i] for i in case.outputs])


def compare(case: Lowered, got: list[np.ndarray[Any, Any]], wanted: list[np.ndarray[Any, Any]]) -> None:
    assert len(got) == len(wanted)
    for mine, theirs in zip(got, wanted, strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.shape == theirs.shape
        if theirs.dtype.kind == "f":
            finite = theirs[np.isfinite(theirs)]
            scale = float(np.abs(finite).max()) if finite.size else 1.0
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=case.tolerance * max(scale, 1e-30))
        else:
            np.testing.assert_array_equal(mine, theirs)


# The kernels of TensorFlow want the channels last on the CPU; with them first the answer must be the same, turned.
BY_FORMAT = [
    case
    for case in CASES
    if case.sizes
    and "data_format" in default_attrs(case.op)
    and case.inputs[0].ndim > 3
    and "data_format" not in case.attrs
]


def channels_first(values: list[Any], n: int) -> list[Any]:
    """A list with one item for each of batch, spatial dimensions and channels, turned."""
    return [values[0], values[n + 1], *values[1 : n + 1]]


@pytest.mark.parametrize("case", BY_FORMAT, ids=identify)
def test_channels_first_is_the_same_turned(case: Lowered) -> None:
    answers = ask_tensorflow(case)
    n = (case.inputs[2] if "Backprop" in case.op else case.inputs[0]).ndim - 2
    order = [0, n + 1, *range(1, n + 1)]
    inputs = list(case.inputs)
    if "Backprop" in case.op:
        inputs[0], inputs[2] = np.asarray(channels_first(list(inputs[0]), n), np.int32), inputs[2].transpose(order)
    else:
        inputs[0] = inputs[0].transpose(order)
        if case.op == "MaxPoolV2":
            inputs[1:] = [np.asarray(channels_first(list(x), n), np.int32) for x in inputs[1:]]
    attrs: dict[str, Any] = {**case.attrs, "data_format": "NCDHW" if n == 3 else "NCHW"}
    for name in ("strides", "ksize", "dilations"):
        if name in attrs:
            attrs[name] = channels_first(attrs[name], n)
    if "explicit_paddings" in attrs:
        pairs = [attrs["explicit_paddings"][2 * i : 2 * i + 2] for i in range(n + 2)]
        attrs["explicit_paddings"] = [p for pair in channels_first(pairs, n) for p in pair]
    turned = replace(case, inputs=tuple(inputs), attrs=attrs)
    expected = [answer.transpose(order) if answer.ndim == n + 2 else answer for answer in answers]
    lowering = Lowering(program_of(turned, expected, known_sizes=True))
    assert lowering.refusals == {}
    got = Session(improve(lowering.whole()))(
        [np.ascontiguousarray(x) for i, x in enumerate(inputs) if i not in case.fixed]
    )
    compare(turned, got, expected if case.outputs is None else [expected[i] for i in case.outputs])


def run_alone(case: Lowered, answers: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    lowering = Lowering(program_of(case, answers, known_sizes=True))
    assert lowering.refusals == {}
    return Session(improve(lowering.whole()))(list(case.inputs))


@pytest.mark.parametrize("scaled", [True, False])
def test_batch_norm_of_2015_is_the_fused_one(scaled: bool) -> None:
    # TensorFlow 2.21 has no kernel for it on the CPU.
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, (2, 4, 5, 3)).astype(np.float32)
    mean, beta, gamma = rng.uniform(-1, 1, (3, 3)).astype(np.float32)
    variance = rng.uniform(0.2, 1, 3).astype(np.float32)
    fused = tf.raw_ops.FusedBatchNorm(
        x=x,
        scale=gamma if scaled else np.ones(3, np.float32),
        offset=beta,
        mean=mean,
        variance=variance,
        epsilon=0.001,
        is_training=False,
    ).y.numpy()
    case = Lowered(
        "BatchNormWithGlobalNormalization",
        (x, mean, variance, beta, gamma),
        {"variance_epsilon": 0.001, "scale_after_normalization": scaled},
    )
    compare(case, run_alone(case, [fused]), [fused])


def test_top_k_of_2015_is_the_second_one() -> None:
    # TensorFlow 2.21 does not run it any more.
    x = np.asarray([[3, 1, 3, 1], [2, 2, 2, 2]], np.float32)
    case = Lowered("TopK", (x,), {"k": 3})
    answers = [part.numpy() for part in tf.math.top_k(x, 3)]
    compare(case, run_alone(case, answers), answers)


def test_accumulate_is_a_sum() -> None:
    # TensorFlow rewrites it before it runs.
    x = np.asarray([[3, 1], [2, 2]], np.float32)
    case = Lowered("AccumulateNV2", (x, x), {"shape": [2, 2]})
    compare(case, run_alone(case, [x]), [x + x])


def test_every_lowering_has_a_case() -> None:
    # Bodies and fused ops are tried in graphs (tests/conformance/engines), those above have no kernel.
    elsewhere = {
        "Case",
        "If",
        "StatelessCase",
        "StatelessIf",
        "StatelessWhile",
        "While",
        "_FusedConv2D",
        "_FusedMatMul",
    }
    alone = {
        "AccumulateNV2",
        "BatchNormWithGlobalNormalization",
        "NoOp",
        "RandomStandardNormal",
        "RandomUniform",
        "TopK",
    }
    assert {case.op for case in CASES if case.sizes} == set(LOWERINGS) - elsewhere - alone
