"""Every op case on every engine, against what TensorFlow answered (tests/engines/golden).

A test is an op on an engine; it runs all cases of the op and lists those that fail.

For ONNX Runtime inputs of which a lowering needs the values stand in a case's `fixed`; the word in `sizes` says which
of the two ways must be lowered: "any" (with open sizes too), "known", or "" (neither: the numpy engine may run it). All
cases are also tried with every input but the first as a constant and as a value: what is not refused must be right.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import __version__ as protobuf_version

from cryograph.base.errors import Error
from cryograph.engines.numpy import rules
from cryograph.engines.numpy.engine import Numpy
from cryograph.engines.numpy.rules import FAMILIES, RULES
from cryograph.engines.onnxruntime.faults import version
from cryograph.engines.onnxruntime.lower import Lowering
from cryograph.engines.onnxruntime.lowerings import LOWERINGS
from cryograph.engines.onnxruntime.passes import improve
from cryograph.engines.onnxruntime.session import Session
from cryograph.ops.signatures import default_attrs
from cryograph.program.generators import DRAW, LEARN
from tests.support import graph_cases
from tests.support.golden import answers_of, cases_of, digest, families
from tests.support.op_cases import Array, Case, assert_answers, feeds_of, program_of


@cache
def cases() -> dict[str, list[tuple[Case, list[Array] | None]]]:
    """By op: each case with TensorFlow's answers, None where it refused."""
    found: dict[str, list[tuple[Case, list[Array] | None]]] = {}
    for family in families():
        answers = answers_of(family)
        for case in cases_of(family):
            if digest(case) in answers:  # else test_every_case_has_an_answer fails
                found.setdefault(case.op, []).append((case, answers[digest(case)]))
    return found


def run_all(op: str, check: Callable[[Case, list[Array] | None], None]) -> None:
    """Runs a check on all cases of an op, and fails with a list of those that fail."""
    wrong = []
    for case, answers in cases()[op]:
        try:
            check(case, answers)
        except (AssertionError, Error) as error:
            wrong.append(f"{case.id}: {error}")
    assert not wrong, f"{len(wrong)} of {len(cases()[op])} cases of {op} fail\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("family", families())
def test_every_case_has_an_answer(family: str) -> None:
    digests = {digest(case) for case in cases_of(family)}
    assert digests == answers_of(family).keys(), f"run tools/gen_golden.py {family}"


@pytest.mark.parametrize("op", sorted(cases()))
def test_numpy(op: str) -> None:
    run_all(op, check_numpy)


def check_numpy(case: Case, answers: list[Array] | None) -> None:
    """The reference engine answers as TensorFlow, and refuses what it refuses."""
    if answers is None or is_unread(case):
        with pytest.raises(Error):
            Numpy().prepare(program_of(case))(feeds_of(case))
        return
    case = replace(case, fixed=())
    assert_answers(case, Numpy().prepare(program_of(case, answers))(feeds_of(case)), answers)


def is_unread(case: Case) -> bool:
    """Whether the protobuf that is installed refuses a text whose groups are called by the names of their fields."""
    texts = case.inputs[0] if case.op == "DecodeProtoV2" else np.zeros(0)
    return int(protobuf_version.partition(".")[0]) < 5 and any(b" g {" in text for text in texts.reshape(-1).tolist())


def test_every_rule_has_a_case() -> None:
    in_graphs = {
        op for family in graph_cases.families() for case in graph_cases.read_graphs(family) for op in case.ops()
    }
    only_in_programs = {DRAW, LEARN}  # what they stand for is in the graphs `generators`
    assert sorted(RULES.keys() - cases().keys() - in_graphs - only_in_programs) == []


def test_every_family_is_listed_once_and_no_op_twice() -> None:
    folder = Path(rules.__file__).parent
    with_a_table = {path.stem for path in folder.glob("*.py") if "\nRULES: " in path.read_text("utf-8")}
    assert sorted(FAMILIES) == sorted(with_a_table - {"rules"})
    listed = [op for name in FAMILIES for op in rules.family(name).RULES]
    assert len(listed) == len(set(listed)) == len(RULES)


def test_own_rules_come_first() -> None:
    both = rules.RulesOver({"Add": len, "Mine": len})  # type: ignore[dict-item]
    assert both["Add"] is both["Mine"] is len
    assert both["Mul"] is RULES["Mul"]
    assert both.keys() == RULES.keys() | {"Mine"}
    assert len(both) == len(RULES) + 1
    assert both.get("NoSuchOp") is None


def test_families_are_imported_when_they_are_needed() -> None:
    code = (
        "import sys; from cryograph.engines.numpy.rules import RULES\n"
        "assert 'Add' in RULES and 'cryograph.engines.numpy.ctc' not in sys.modules\n"
        "from cryograph.engines.numpy.engine import Numpy; Numpy({'Mine': len}).missing\n"
        "assert 'cryograph.engines.numpy.ctc' not in sys.modules\n"
        "assert 'NoSuchOp' not in RULES and 'cryograph.engines.numpy.ctc' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("op", sorted(cases().keys() & LOWERINGS.keys()))
def test_onnxruntime(op: str) -> None:
    run_all(op, check_lowered)


def lowered_answers(case: Case, answers: list[Array], known_sizes: bool) -> list[Array] | dict[int, str]:
    """What ONNX Runtime makes of a case, or why steps cannot be lowered."""
    lowering = Lowering(program_of(case, answers, known_sizes))
    if lowering.refusals:
        return {name: str(reason) for name, reason in lowering.refusals.items()}
    return Session(improve(lowering.whole()))(feeds_of(case))


def check_lowered(case: Case, answers: list[Array] | None) -> None:
    """What must be lowered is; whatever is, is right."""
    if answers is None or differs(case):
        return
    if case.sizes:
        for known_sizes in (True, False) if case.sizes == "any" else (True,):
            made = lowered_answers(case, answers, known_sizes)
            if is_fault(made):
                return
            assert isinstance(made, list), made
            assert_answers(case, made, answers)
        for turned, expected in channels_first(case, answers):
            made = lowered_answers(turned, expected, known_sizes=True)
            assert isinstance(made, list), f"channels first: {made}"
            assert_answers(turned, made, expected)
    if case.op == "ResizeBilinear":
        # The place of a pixel is worked out in another order; its rounding grows with the size of the picture.
        case = replace(case, tolerance=max(case.tolerance, 5e-5))
    for fixed in ways_to_fix(case):
        for known_sizes in (True, False):
            asked = replace(case, fixed=fixed)
            try:
                made = lowered_answers(asked, answers, known_sizes)
            except Error:
                is_text = any(x.dtype == object for x in case.inputs)  # what is no text is told when it comes
                if not known_sizes or not fixed or is_text or version() < (1, 32):
                    continue  # numpy takes over
                raise AssertionError("a refusal that could have been known before the run") from None
            if isinstance(made, list):
                assert_answers(asked, made, answers)


LARGE = frozenset(
    {
        *("CTCLoss", "Fingerprint", "RaggedCross", "SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2"),
        *("SparseCross", "StatelessSampleDistortedBoundingBox", "StringToHashBucket", "StringToHashBucketFast"),
        "StringToHashBucketStrong",
    }
)
"""Ops of whose graphs the runtime takes a tenth of a second to make a session; their constants change nothing."""


def ways_to_fix(case: Case) -> set[tuple[int, ...]]:
    """Which inputs may be constants: none, all but the first, those of integers, those that the case names."""
    if case.op in LARGE:
        return {case.fixed}
    later = tuple(range(1, len(case.inputs)))
    integers = tuple(number for number, x in enumerate(case.inputs) if x.dtype.kind in "iu")
    return {(), later, integers, case.fixed}


def is_fault(made: list[Array] | dict[int, str]) -> bool:
    """Whether the runtime that is installed is too old for a case."""
    return isinstance(made, dict) and any("before" in reason and "is installed" in reason for reason in made.values())


def differs(case: Case) -> bool:
    """Where ONNX Runtime answers otherwise, and no lowering can know it before the run."""
    x = case.inputs[0] if case.inputs else np.zeros(1)
    if version() < (1, 28):
        if case.op in ("Erf", "Erfc", "Sqrt", "Rsqrt") and x.dtype.kind in "fV" and not np.isfinite(x).all():
            return True  # what is no number
        if case.op in ("All", "Min") and not x.size:
            return True
    if case.op in ("Max", "Min"):
        return x.dtype.kind == "f" and bool(np.isnan(x).any())  # the runtime's extremes leave NaN out
    if case.op in ("MaxPoolGrad", "MaxPoolGradV2"):
        return bool(np.isnan(x).any())  # TensorFlow takes a NaN that comes first in its window
    if case.op == "Mean":
        return x.size == 0  # its mean of nothing is 0
    return case.op == "Sum" and x.dtype == np.int32 and bool(abs(x.sum(dtype=np.int64)) >= 2**31)  # it does not wrap


def channels_first(case: Case, answers: list[Array]) -> Iterator[tuple[Case, list[Array]]]:
    """The same with the channels first, which TensorFlow's CPU kernels do not take; the answer must be turned, too."""
    if "data_format" not in default_attrs(case.op) or "data_format" in case.attrs or case.inputs[0].ndim <= 3:
        return
    n = (case.inputs[2] if "Backprop" in case.op else case.inputs[0]).ndim - 2
    order = [0, n + 1, *range(1, n + 1)]

    def turn(values: list[Any]) -> list[Any]:
        return [values[0], values[n + 1], *values[1 : n + 1]]

    inputs = list(case.inputs)
    if "Backprop" in case.op:
        inputs[0], inputs[2] = np.asarray(turn(list(inputs[0])), np.int32), inputs[2].transpose(order)
    else:
        inputs[0] = inputs[0].transpose(order)
        if case.op == "MaxPoolV2":
            inputs[1:] = [np.asarray(turn(list(x)), np.int32) for x in inputs[1:]]
    attrs: dict[str, Any] = {**case.attrs, "data_format": "NCDHW" if n == 3 else "NCHW"}
    for name in ("strides", "ksize", "dilations"):
        if name in attrs:
            attrs[name] = turn(attrs[name])
    if "explicit_paddings" in attrs:
        pairs = [attrs["explicit_paddings"][2 * i : 2 * i + 2] for i in range(n + 2)]
        attrs["explicit_paddings"] = [p for pair in turn(pairs) for p in pair]
    expected = [answer.transpose(order) if answer.ndim == n + 2 else answer for answer in answers]
    yield replace(case, inputs=tuple(map(np.ascontiguousarray, inputs)), attrs=attrs), expected
