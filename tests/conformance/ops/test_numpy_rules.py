"""Each rule of the reference engine against TensorFlow's kernel."""

from __future__ import annotations

import pytest

from cryograph.base.errors import Error
from cryograph.engines.numpy.engine import Numpy

from . import (
    cases_arrays,
    cases_elementwise,
    cases_indexing,
    cases_pictures,
    cases_products,
    cases_reductions,
    cases_windows,
)
from .harness import Case, Refused, ask, assert_alike, feeds_of, program_of, wanted_of
from .numpy_cases import CASES as NUMPY_CASES
from .test_onnxruntime_lowerings import CASES as LOWERED_CASES


def is_refused(case: Case) -> bool:
    """TensorFlow's kernel answers averages over channels with an empty tensor; ours refuses them."""
    return case.op == "AvgPool" and case.attrs["ksize"][-1] != 1


SHARED = [
    Case(c.op, c.inputs, c.attrs, c.tolerance, c.outputs, c.fixed)
    for c in [*LOWERED_CASES, *NUMPY_CASES]
    if not is_refused(c)
]
FAMILIES = (
    *(cases_arrays, cases_elementwise, cases_indexing, cases_pictures, cases_products, cases_reductions),
    *(cases_windows,),
)
ALL = [*(case for family in FAMILIES for case in family.CASES), *SHARED]


@pytest.mark.parametrize("case", ALL, ids=lambda c: c.id)
def test_the_answer_is_that_of_tensorflow(case: Case) -> None:
    expected = ask(case)
    if case.refused:
        assert isinstance(expected, Refused)
        with pytest.raises(Error):
            Numpy().prepare(program_of(case))(feeds_of(case))
        return
    assert not isinstance(expected, Refused), expected
    found = Numpy().prepare(program_of(case, expected))(feeds_of(case))
    wanted = wanted_of(case, expected)
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert_alike(ours, theirs, case.tolerance)
