"""Cases of floats with fewer bits: halves between two of them, the smallest ones, and what rounds up to infinity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, case

FORMATS = ((5, 10), (8, 7), (8, 0), (5, 0), (4, 3), (2, 1), (1, 0), (8, 22), (11, 51), (11, 1))


def edges(kind: str) -> Array:
    """Powers of two from the smallest to the largest, and what lies a half, a bit more and a bit less above them."""
    digits, lowest, highest = {"float32": (23, -149, 127), "float64": (52, -1074, 1023), "float16": (10, -24, 15),
                               "bfloat16": (7, -133, 127)}[kind]  # fmt: skip
    exponents = np.unique(np.linspace(lowest, highest, 40).round().astype(int).tolist() + list(range(-9, 9)))
    powers = np.ldexp(1.0, exponents)
    parts = 1 + np.array([0, 0.5, 0.25, 0.75, 2.0**-4, 3 * 2.0**-4, 2.0**-digits, 0.5 + 2.0**-digits, 1 - 2.0**-digits])
    both = (powers[:, None] * parts).reshape(-1)
    found = np.concatenate([both, -both, [0.0, -0.0, np.inf, -np.inf, np.nan]])
    return found.astype(dtype_of(kind).numpy or np.float32)


def shorter() -> Iterator[Case]:
    for kind in ("float16", "bfloat16", "float32", "float64"):
        for exponent, mantissa in FORMATS:
            yield case("XlaReducePrecision", edges(kind), exponent_bits=exponent, mantissa_bits=mantissa, sizes="any")
    yield case("XlaReducePrecision", np.float32(1.2345), exponent_bits=5, mantissa_bits=3, sizes="any")
    yield case("XlaReducePrecision", np.zeros((0, 3), np.float32), exponent_bits=5, mantissa_bits=3, sizes="any")


CASES: list[Case] = [*shorter()]
