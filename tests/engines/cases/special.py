"""Cases of Bessel functions, integrals without a closed form, and gradients of the gamma distribution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Case, case, floats, kernel_types, refusal

BESSEL = ("I0", "I0e", "I1", "I1e", "J0", "J1", "K0", "K0e", "K1", "K1e", "Y0", "Y1")
OTHERS = ("Dawsn", "Expint", "FresnelCos", "FresnelSin", "Spence")
ENDS = np.array([0.0, -0.0, np.inf, -np.inf, np.nan])


def functions() -> Iterator[Case]:
    for op in (*(f"Bessel{name}" for name in BESSEL), *OTHERS):
        for kind in kernel_types(op):
            x = floats(3, 7, low=0.05, high=9, dtype=kind)
            yield case(op, x)
            yield case(op, -x)
            yield case(op, floats(8, low=1e-3, high=0.2, dtype=kind))
            yield case(op, floats(8, low=8, high=25, dtype=kind))
            yield case(op, ENDS.astype(kind))
            yield case(op, np.array([-1, 1, 2], kind))
            yield case(op, np.zeros((0, 2), kind))
            yield case(op, np.array(1.5, kind))


def incomplete_beta() -> Iterator[Case]:
    for kind in kernel_types("Betainc"):
        a, b, x = (floats(4, 5, seed=i, low=0.1, high=high, dtype=kind) for i, high in enumerate((9, 9, 1)))
        yield case("Betainc", a, b, x)
        yield case("Betainc", a, np.array(2.5, kind), x)
        yield case("Betainc", np.array(0.5, kind), np.array(2.5, kind), x)
        yield case("Betainc", a, b, np.array(0.3, kind))
        yield case("Betainc", *np.array([[1, 2, 3, 0, -1, 2, 2, 2], [2, 1, 4, 1, 1, -1, 3, 3]], kind),
                   np.array([0, 1, 0.5, 0.5, 0.5, 0.5, -0.1, 1.1], kind))  # fmt: skip
        yield case("Betainc", *(np.zeros(0, kind),) * 3)
        yield refusal("Betainc", a, b[:1], x)


def gamma_gradients() -> Iterator[Case]:
    for op in ("IgammaGradA", "RandomGammaGrad"):
        for kind in kernel_types(op):
            a = floats(6, 6, low=0.1, high=12, dtype=kind)
            yield case(op, a, floats(6, 6, seed=1, low=0.05, high=15, dtype=kind))
            yield case(op, a[:1], floats(6, 1, seed=1, low=0.05, high=15, dtype=kind))
            yield case(op, np.array([0.01, 0.2, 60, 90, 3], kind), np.array([0.3, 1e-3, 55, 120, 25], kind))
            yield case(op, np.array([1, 0, -1, np.nan, 2, 2], kind), np.array([0, 1, 1, 1, np.nan, -1], kind))
            yield case(op, np.zeros((0, 1), kind), np.ones(3, kind))


CASES: list[Case] = [*functions(), *incomplete_beta(), *gamma_gradients()]
