"""Each rule of the reference engine against TensorFlow's kernel."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.engines.numpy.engine import Numpy

from .numpy_cases import CASES as NUMPY_CASES
from .onnxruntime_cases import Lowered
from .test_onnxruntime_lowerings import CASES, ask_tensorflow, program_of


def is_refused(case: Lowered) -> bool:
    """TensorFlow's kernel answers averages over channels with an empty tensor; ours refuses them."""
    return case.op == "AvgPool" and case.attrs["ksize"][-1] != 1


ALL = [case for case in [*CASES, *NUMPY_CASES] if not is_refused(case)]


@pytest.mark.parametrize("case", ALL, ids=lambda c: c.op)
def test_the_answer_is_that_of_tensorflow(case: Lowered) -> None:
    expected = ask_tensorflow(case)
    program = program_of(case, expected, known_sizes=True)
    fed = [array for i, array in enumerate(case.inputs) if i not in case.fixed]
    found = Numpy().prepare(program)(fed)
    wanted = [expected[i] for i in case.outputs] if case.outputs is not None else expected
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert_alike(ours, theirs, case.tolerance)


def assert_alike(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    """Equal for integers, strings and truth; floats within `tolerance` of the largest magnitude."""
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if theirs.dtype.kind not in "fc" and theirs.dtype.name not in ("bfloat16",):
        assert ours.tolist() == theirs.tolist()
        return
    wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
    a, b = ours.astype(wide), theirs.astype(wide)
    finite = np.isfinite(b)
    assert np.array_equal(a[~finite], b[~finite], equal_nan=True)
    if not finite.any():
        return
    # A narrow float is rounded once; one unit in its last place is the best that two roundings can agree to.
    unit = {"float16": 2.0**-10, "bfloat16": 2.0**-7}.get(theirs.dtype.name, 0.0)
    scale = max(float(np.abs(b[finite]).max()), 1e-30)
    assert float(np.abs(a[finite] - b[finite]).max()) <= max(tolerance, unit) * scale
