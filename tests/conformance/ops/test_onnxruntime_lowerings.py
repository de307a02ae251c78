"""Each lowering to ONNX against TensorFlow's kernel: with known sizes, and with sizes that are known only at run time.

Inputs of which a lowering needs the values stand in a case's `fixed`. The word in `sizes` says which of the two ways
must be lowered: "any" (both), "known", or "" (neither: the numpy engine runs it). The cases of the reference engine run
too, with every input but the first as a constant and as a value: what is not refused must be right.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.base.errors import Error
from cryograph.engines.onnxruntime.lower import Lowering
from cryograph.engines.onnxruntime.lowerings import LOWERINGS
from cryograph.engines.onnxruntime.passes import improve
from cryograph.engines.onnxruntime.session import Session
from cryograph.ops.signatures import default_attrs

from . import numpy_cases, onnxruntime_cases, onnxruntime_shape_cases
from .harness import Array, Case, Refused, ask, assert_alike, feeds_of, program_of, wanted_of

CASES = [*onnxruntime_cases.CASES, *onnxruntime_shape_cases.CASES]


def answers_to(case: Case) -> list[Array]:
    answers = ask(case)
    assert not isinstance(answers, Refused), answers
    return answers


def compare(case: Case, got: list[Array], answers: list[Array]) -> None:
    wanted = wanted_of(case, answers)
    assert len(got) == len(wanted)
    for mine, theirs in zip(got, wanted, strict=True):
        assert_alike(mine, theirs, case.tolerance)


@pytest.mark.parametrize("known_sizes", [True, False], ids=["known", "open"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_answers_are_tensorflows(case: Case, known_sizes: bool) -> None:
    answers = answers_to(case)
    lowering = Lowering(program_of(case, answers, known_sizes))
    expected = case.sizes == "any" or (case.sizes == "known" and known_sizes)
    if not expected:
        # What is only known at run time may also be refused there, but never be answered wrongly.
        if not lowering.refusals:
            with pytest.raises(Error):
                Session(improve(lowering.whole()))(feeds_of(case))
        return
    assert lowering.refusals == {}
    compare(case, Session(improve(lowering.whole()))(feeds_of(case)), answers)


# Where ONNX Runtime answers otherwise, and no lowering can know it before the run.
def differs(case: Case) -> bool:
    x = case.inputs[0]
    if case.op in ("Max", "Min"):
        return x.dtype.kind == "f" and bool(np.isnan(x).any())  # the runtime's extremes leave NaN out
    if case.op == "Mean":
        return x.size == 0  # its mean of nothing is 0
    return case.op == "Sum" and x.dtype == np.int32 and abs(x.sum(dtype=np.int64)) >= 2**31  # it does not wrap


def reference_cases() -> list[Case]:
    """All cases that are written for the reference engine, as far as ONNX Runtime has a lowering for the op."""
    found = list(numpy_cases.CASES)
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name.startswith("cases_"):
            found += importlib.import_module(f"{__package__}.{module.name}").CASES
    return [case for case in found if case.op in LOWERINGS and not case.refused and not differs(case)]


@pytest.mark.parametrize("case", reference_cases(), ids=lambda c: c.id)
def test_what_is_not_refused_is_right(case: Case) -> None:
    answers = ask(case)
    if isinstance(answers, Refused):
        return  # the reference engine's own test says whether it should be
    if case.op == "ResizeBilinear":
        # The place of a pixel is worked out in another order; its rounding grows with the size of the picture.
        case = replace(case, tolerance=max(case.tolerance, 5e-5))
    later = tuple(range(1, len(case.inputs)))
    ways = [((), True), ((), False), (later, True), (later, False)] if later else [((), True), ((), False)]
    for fixed, known_sizes in ways:
        asked = replace(case, fixed=fixed)
        lowering = Lowering(program_of(asked, answers, known_sizes))
        if lowering.refusals:
            continue
        try:
            got = Session(improve(lowering.whole()))(feeds_of(asked))
        except Error:
            assert not known_sizes or not fixed, "a refusal that could have been known before the run"
            continue
        compare(asked, got, answers)


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


@pytest.mark.parametrize("case", BY_FORMAT, ids=lambda c: c.id)
def test_channels_first_is_the_same_turned(case: Case) -> None:
    answers = answers_to(case)
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
    compare(turned, got, expected)


def run_alone(case: Case, answers: list[Array]) -> list[Array]:
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
    case = Case(
        "BatchNormWithGlobalNormalization",
        (x, mean, variance, beta, gamma),
        {"variance_epsilon": 0.001, "scale_after_normalization": scaled},
    )
    compare(case, run_alone(case, [fused]), [fused])


def test_top_k_of_2015_is_the_second_one() -> None:
    # TensorFlow 2.21 does not run it any more.
    x = np.asarray([[3, 1, 3, 1], [2, 2, 2, 2]], np.float32)
    case = Case("TopK", (x,), {"k": 3})
    answers = [part.numpy() for part in tf.math.top_k(x, 3)]
    compare(case, run_alone(case, answers), answers)


def test_accumulate_is_a_sum() -> None:
    # TensorFlow rewrites it before it runs.
    x = np.asarray([[3, 1], [2, 2]], np.float32)
    case = Case("AccumulateNV2", (x, x), {"shape": [2, 2]})
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
