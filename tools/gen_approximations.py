"""Writes `engines/onnxruntime/approximations.py`: the polynomials by which special functions are lowered to ONNX.

    python tools/gen_approximations.py            write the file
    python tools/gen_approximations.py --check    exit 1 when it is not what SciPy's functions give, to 12 digits

Each is the interpolation of a function of SciPy's at Chebyshev's points of an interval, with as few terms as keep it
within 1e-13 of the function, in powers of the place in the interval (-1 to 1).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy import special

Array = np.ndarray[Any, Any]
PATH = Path(__file__).parents[1] / "src" / "cryograph" / "engines" / "onnxruntime" / "approximations.py"

HEAD = '''"""Polynomials for functions which ONNX Runtime has no kernels for. Made by `tools/gen_approximations.py`.

Each is an interval, and the coefficients in powers of the place in it (-1 to 1), the constant first; the tool says of
which function.
"""

from __future__ import annotations

Polynomial = tuple[float, float, tuple[float, ...]]
"""From, to, coefficients."""

POLYNOMIALS: dict[str, Polynomial] = {
'''


def _root_of(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """f(sqrt(u)) / sqrt(u), for odd functions; the slope at 0."""

    def quotient(u: Array) -> Array:
        x = np.sqrt(np.maximum(u, 1e-18))
        return function(x) / x

    return quotient


def _erfinv_ratio(w: Array) -> Array:
    """erfinv(y) / y, where w = -log(1 - y * y)."""
    y = np.sqrt(-np.expm1(-np.maximum(w, 1e-14)))
    return np.asarray(special.erfinv(y) / y)


def _erfinv_of_root(s: Array) -> Array:
    """erfinv(y), where s * s = -log(1 - y * y), from the little that is missing from 1."""
    rest = np.exp(-s * s)
    return np.asarray(special.erfcinv(rest / (1 + np.sqrt(1 - rest))))


def _fresnel(part: str) -> Callable[[Array], Array]:
    """What multiplies 1 / (pi x), or 1 / (pi^2 x^3), in the waves of Fresnel's integrals, of t = 1 / x^2.
    Near 0, where nothing is left of the difference that it is, it is its asymptotic series."""

    def function(t: Array) -> Array:
        x = 1 / np.sqrt(np.maximum(t, 0.01))
        s, c = special.fresnel(x)
        angle = np.pi / 2 * np.fmod(x * x, 4)
        u = (t / np.pi) ** 2
        if part == "f":
            near = ((0.5 - s) * np.cos(angle) - (0.5 - c) * np.sin(angle)) * np.pi * x
            return np.where(t > 0.01, near, 1 - u * (3 - u * (105 - u * 10395)))
        near = ((0.5 - c) * np.cos(angle) + (0.5 - s) * np.sin(angle)) * np.pi**2 * x**3
        return np.where(t > 0.01, near, 1 - u * (15 - u * (945 - u * 135135)))

    return function


def _fresnel_series(part: int, power: int) -> Callable[[Array], Array]:
    def function(u: Array) -> Array:
        x = np.sqrt(np.sqrt(np.maximum(u, 1e-16)))
        return np.asarray(special.fresnel(x)[part] / x**power)

    return function


def _of_square(function: Callable[[Array], Array], odd: bool = False) -> Callable[[Array], Array]:
    """f(sqrt(u)), or f(sqrt(u)) / sqrt(u) of odd functions."""

    def made(u: Array) -> Array:
        x = np.sqrt(np.maximum(u, 1e-18))
        return np.asarray(function(x) / x if odd else function(x))

    return made


def _bessel_wave(order: int, part: str) -> Callable[[Array], Array]:
    """What multiplies the two waves of which Bessel functions are made beyond 8, of u = (8 / x)^2: P, and Q times x.
    Near 0, where the waves themselves lose their digits, these are their asymptotic series (A&S 9.2.9)."""
    m = 4.0 * order * order

    def function(u: Array) -> Array:
        x = 8 / np.sqrt(np.maximum(u, 1e-3))
        angle = x - np.pi / 2 * order - np.pi / 4
        j, y = (special.j1, special.y1) if order else (special.j0, special.y0)
        size = np.sqrt(np.pi * x / 2)
        cos, sin = np.cos(angle), np.sin(angle)
        w = u / (64.0 * 64)  # (1 / (8 x))^2
        if part == "p":
            near = (j(x) * cos + y(x) * sin) * size
            terms = [1.0]
            for k in (2, 4, 6, 8):
                odd = [(2 * i - 1) ** 2 for i in (k - 1, k)]
                terms.append(-terms[-1] * (m - odd[0]) * (m - odd[1]) / (k * (k - 1)))
        else:
            near = (y(x) * cos - j(x) * sin) * size * x
            terms = [(m - 1) / 8]
            for k in (3, 5, 7, 9):
                odd = [(2 * i - 1) ** 2 for i in (k - 1, k)]
                terms.append(-terms[-1] * (m - odd[0]) * (m - odd[1]) / (k * (k - 1)))
        far = np.polynomial.polynomial.polyval(w, terms)
        return np.where(u > 0.04, near, far)

    return function


def _log_rest(order: int, sign: int) -> Callable[[Array], Array]:
    """What is left of Bessel's Y (sign -1) or K beside its logarithm (and its pole), of x^2, before the factor in
    front; over x for the order 1 (A&S 9.1.11, 9.6.11)."""

    def function(u: Array) -> Array:
        total, term = np.zeros_like(u), np.ones_like(u)
        for k in range(40):
            digammas = special.digamma(k + 1) + order * special.digamma(k + 2)
            total = total + digammas * term
            term = term * sign * u / 4 / ((k + 1) * (k + 1 + order))
        return total

    return function


def _of_inverse(function: Callable[[Array], Array], by: float, power: float) -> Callable[[Array], Array]:
    """f(x) x^power, of t = by / x."""

    def made(t: Array) -> Array:
        x = by / np.maximum(t, 1e-12)
        return np.asarray(function(x) * x**power)

    return made


def _ei_rest(x: Array) -> Array:
    """What is left of Ei beside its logarithm and Euler's constant, over x (A&S 5.1.10)."""
    total, term = np.zeros_like(x), np.ones_like(x)
    for k in range(1, 60):
        term = term / k
        total = total + term / k
        term = term * x
    return total


def _ei_far(by: float) -> Callable[[Array], Array]:
    """Ei(x) x exp(-x), of t = by / x; its asymptotic series where that has all digits."""

    def function(t: Array) -> Array:
        x = by / np.maximum(t, 1e-12)
        series = np.ones_like(x)
        term = np.ones_like(x)
        for k in range(1, 25):
            term = term * k / x
            series = series + term
        near = np.minimum(x, 60.0)
        return np.where(x < 55, special.expi(near) * near * np.exp(-near), series)

    return function


FUNCTIONS: dict[str, tuple[float, float, Callable[[Array], Array], float]] = {
    # name: from, to, function, how near it must come
    "atan": (0, 0.1716, _root_of(np.arctan), 4e-15),
    "dawsn": (0, 6.25, _of_square(special.dawsn, odd=True), 1e-13),  # of x^2, x up to 2.5
    "dawsn_far": (0, 1, _of_inverse(special.dawsn, 4.5, 1), 1e-12),  # of 4.5 / x
    "dawsn_middle": (2.5, 4.5, special.dawsn, 1e-13),
    "ei": (0, 6, _ei_rest, 1e-12),
    "ei_end": (0, 1, _ei_far(24), 1e-11),  # of 24 / x
    "ei_far": (0.25, 1, _ei_far(6), 1e-12),  # of 6 / x
    "erf": (0, 1, _root_of(special.erf), 4e-15),
    "erfcx": (0.1, 0.4, lambda r: special.erfcx(1 / r - 1.5), 1e-14),  # of 1 / (x + 1.5), x from 1 to 8.5
    "erfinv_near": (0, 6.25, _erfinv_ratio, 1e-13),
    "erfinv_root": (2.5, 5, _erfinv_of_root, 1e-13),
    "erfinv_far": (5, 9.5, _erfinv_of_root, 1e-13),
    "erfinv_end": (9.5, 27, _erfinv_of_root, 1e-10),
    "fresnel_c": (0, 6.5536, _fresnel_series(1, 1), 1e-13),  # of x^4, x up to 1.6
    "fresnel_f": (0, 0.390625, _fresnel("f"), 1e-11),  # of 1 / x^2
    "fresnel_g": (0, 0.390625, _fresnel("g"), 1e-10),
    "fresnel_s": (0, 6.5536, _fresnel_series(0, 3), 1e-13),
    "i0e": (0, 8, special.i0e, 1e-14),
    "i0e_far": (0, 1, lambda t: special.i0e(8 / np.maximum(t, 1e-9)) * np.sqrt(8 / np.maximum(t, 1e-9)), 1e-10),
    "i1e": (0, 8, lambda x: special.i1e(np.maximum(x, 1e-12)) / np.maximum(x, 1e-12), 1e-12),
    "i1e_far": (0, 1, lambda t: special.i1e(8 / np.maximum(t, 1e-9)) * np.sqrt(8 / np.maximum(t, 1e-9)), 1e-10),
    "j0": (0, 64, _of_square(special.j0), 1e-13),  # of x^2
    "j0_p": (0, 1, _bessel_wave(0, "p"), 1e-12),  # of (8 / x)^2
    "j0_q": (0, 1, _bessel_wave(0, "q"), 1e-11),
    "j1": (0, 64, _of_square(special.j1, odd=True), 1e-13),
    "j1_p": (0, 1, _bessel_wave(1, "p"), 1e-12),
    "j1_q": (0, 1, _bessel_wave(1, "q"), 1e-11),
    "k0": (0, 4, _log_rest(0, 1), 1e-13),  # of x^2
    "k0_far": (0, 1, _of_inverse(special.k0e, 2, 0.5), 1e-12),  # of 2 / x
    "k1": (0, 4, _log_rest(1, 1), 1e-13),
    "k1_far": (0, 1, _of_inverse(special.k1e, 2, 0.5), 1e-12),
    "sinh": (0, 1, _root_of(np.sinh), 1e-15),
    "spence": (0.5, 1.5, special.spence, 1e-13),
    "y0": (0, 64, _log_rest(0, -1), 1e-13),
    "y1": (0, 64, _log_rest(1, -1), 1e-13),
}


def polynomial(low: float, high: float, function: Callable[[Array], Array], near: float) -> list[float]:
    """The coefficients of the shortest that is near enough, measured relative to the largest value."""
    middle, half = (low + high) / 2, (high - low) / 2
    places = np.linspace(-1, 1, 2001)
    wanted = function(middle + half * places)
    best: tuple[float, list[float]] = (np.inf, [])
    for degree in range(4, 36):
        points = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
        made = chebyshev.cheb2poly(chebyshev.chebfit(points, function(middle + half * points), degree))
        far = np.abs(np.polynomial.polynomial.polyval(places, made) - wanted).max() / np.abs(wanted).max()
        if far < best[0]:
            best = (far, [float(c) for c in made])
        if far <= near:
            break
    print(len(best[1]) - 1, best[0], file=sys.stderr)
    return best[1]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        held: Any = importlib.import_module("cryograph.engines.onnxruntime.approximations")
        wrong = [name for name in FUNCTIONS if not _is_near(name, held.POLYNOMIALS.get(name))]
        for name in wrong:
            print(f"{PATH.name}: {name} is not near its function")
        return 1 if wrong or held.POLYNOMIALS.keys() != FUNCTIONS.keys() else 0
    lines = [HEAD]
    for name, (low, high, function, near) in FUNCTIONS.items():
        print(name, end=" ", file=sys.stderr)
        lines.append(f'    "{name}": (\n        {float(low)!r},\n        {float(high)!r},\n        (\n')
        lines += _rows(polynomial(low, high, function, near))
        lines.append("        ),\n    ),\n")
    PATH.write_text("".join([*lines, "}\n"]))
    return 0


def _rows(coefficients: list[float]) -> list[str]:
    """Four to a line, as the formatter leaves them."""
    rows = [coefficients[at : at + 4] for at in range(0, len(coefficients), 4)]
    return [
        f"            *({', '.join(map(repr, row))}),\n" if len(row) > 1 else f"            {row[0]!r},\n"
        for row in rows
    ]


def _is_near(name: str, held: tuple[float, float, tuple[float, ...]] | None) -> bool:
    low, high, function, near = FUNCTIONS[name]
    if held is None or held[:2] != (low, high):
        return False
    places = np.linspace(-1, 1, 201)
    wanted = function((low + high) / 2 + (high - low) / 2 * places)
    made = np.polynomial.polynomial.polyval(places, held[2])
    return bool(np.abs(made - wanted).max() <= max(10 * near, 1e-12) * np.abs(wanted).max())


if __name__ == "__main__":
    sys.exit(main())
