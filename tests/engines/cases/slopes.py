"""Gradients of activations where they are not finite, or what they belong to is not a number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Case, case, dtype_of, kernel_types

GRADIENTS = (np.inf, np.nan, -np.inf, 1.0, np.inf, np.inf, -2.0, 3.0)
AT = (-1.0, -1.0, 0.0, np.nan, 1.0, 7.0, 6.0, -np.inf)


def _cases() -> Iterator[Case]:
    for op in ("ReluGrad", "Relu6Grad"):
        for name in kernel_types(op):
            dtype = dtype_of(name)
            if dtype.is_floating:
                slopes, at = (np.array(values * 3).astype(dtype.numpy) for values in (GRADIENTS, AT))
                yield case(op, slopes, at)


CASES: list[Case] = list(_cases())
