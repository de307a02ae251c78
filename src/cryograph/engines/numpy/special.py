"""Special functions of real arrays, in float64, from numpy alone: erf and its kin, the gamma function and its kin.

Errors are some units in the last place of float64, far below what float32 can hold. Numbers in the text stand for the
pages of Abramowitz and Stegun (A&S); coefficients that no formula names were computed with forty digits for this file.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from ...base.tensors import Array

# Chebyshev coefficients in y = 2 t - 1, t = 2 / (2 + x), of log(erfc(x) exp(x^2) / t) for x >= 0.
_ERFC = (
    *(-1.3026537197817094342, 0.6419697923564902603, 0.019476473204185836312, -0.0095615147868086316419),
    *(-0.0009465953444820368663, 0.00036683949785276145187, 0.000042523324806907771645, -0.000020278578112534243154),
    *(-1.6242900046470255134e-6, 1.3036558355805232018e-6, 1.5626441722066143202e-8, -8.5238095914926542549e-8),
    *(6.5290544390988515199e-9, 5.0593434955514689185e-9, -9.9136415649303306365e-10, -2.2736512229318360842e-10),
    *(9.6467911020155290614e-11, 2.3940380830390924219e-12, -6.8860275264975313619e-12, 8.9448792730905083667e-13),
    *(3.1309213993431722647e-13, -1.1270822361369361126e-13, 3.8109052553966530345e-16, 7.1060976135888546031e-15),
    *(-1.523028201437095602e-15, -9.4574945732533647002e-17, 1.2102371894164836345e-16),
)
_FEW = 15  # of them suffice for float32
_ERF = tuple((-1) ** n / (factorial(n) * (2 * n + 1)) for n in range(14))  # A&S 7.1.5
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)  # A&S 6.1.40
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_STEPS = 2000  # the most terms of a series or a continued fraction
_TINY = 1e-300


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    total: Array = np.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = np.asarray(total * x + c)
    return total


def _chebyshev(coefficients: tuple[float, ...], y: Array) -> Array:
    """Clenshaw's sum, in which the first coefficient counts half."""
    before, last = np.zeros_like(y), np.zeros_like(y)
    for c in reversed(coefficients[1:]):
        before, last = last, 2 * y * last - before + c
    return np.asarray(y * last - before + coefficients[0] / 2)


def erfc(x: Any) -> Array:
    """1 - erf(x), exact in the tail as well."""
    v = np.asarray(x, np.float64)
    size = np.abs(v)
    t = 2 / (2 + np.minimum(size, 1e8))
    known = _ERFC[:_FEW] if np.asarray(x).dtype.itemsize <= 4 else _ERFC
    found = t * np.exp(-size * size + _chebyshev(known, 2 * t - 1))
    return np.asarray(np.where(v < 0, 2 - found, found))


def erf(x: Any) -> Array:
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    v = np.asarray(x, np.float64)
    near = 2 / np.sqrt(np.pi) * v * _polynomial(_ERF, np.minimum(v * v, 0.25))
    return np.where(np.abs(v) < 0.5, near, 1 - erfc(x))


def ndtri(p: Any) -> Array:
    """The x below which a standard normal number lies with probability p; by Newton's method on log p in the lower
    half, the upper half by symmetry."""
    v = np.asarray(p, np.float64)
    low = np.where(v > 0.5, 1 - v, v)
    target = np.log(np.where(low > 0, low, 0.5))
    x = -np.sqrt(np.maximum(-2 * target - np.log(np.maximum(-4 * np.pi * target, 1.0)), 0))
    for _ in range(30):
        below = 0.5 * erfc(-x / np.sqrt(2))
        slope = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) / below
        step = (np.log(below) - target) / slope
        x = x - np.clip(step, -1, 1)
        if not np.any(np.abs(step) > 1e-14 * (1 + np.abs(x))):
            break
    x = np.where(v > 0.5, -x, x)
    ends = np.where(v == 0, -np.inf, np.where(v == 1, np.inf, np.nan))
    return np.where((v > 0) & (v < 1), x, ends)


def erfinv(y: Any) -> Array:
    """The x of which y is the erf. Small ones by Newton's method on erf itself, which keeps their digits."""
    v = np.asarray(y, np.float64)
    inside = np.abs(v) < 0.5
    small = np.where(inside, v, 0.0)
    x = small * (np.sqrt(np.pi) / 2)
    for _ in range(6):
        x = x - (erf(x) - small) * (np.sqrt(np.pi) / 2) * np.exp(x * x)
    upper = -ndtri((1 - np.abs(np.where(inside, 0.6, v))) / 2) / np.sqrt(2)
    return np.asarray(np.where(inside, x, np.sign(v) * upper))


def lgamma(x: Any) -> Array:
    """The logarithm of |gamma(x)|: Stirling's series from 10 up, recurrence below, reflection for negative numbers."""
    v = np.asarray(x, np.float64)
    pole = (v <= 0) & (v == np.floor(v))
    y = np.where(v < 0.5, 1 - v, v)
    shift, product = y, np.ones_like(y)
    for _ in range(10):
        small = shift < 10
        product = np.where(small, product * shift, product)
        shift = np.where(small, shift + 1, shift)
    inverse = 1 / shift
    value = (shift - 0.5) * np.log(shift) - shift + 0.5 * np.log(2 * np.pi)
    value = value + inverse * _polynomial(_STIRLING, inverse * inverse) - np.log(product)
    reflected = np.log(np.pi / np.abs(np.sin(np.pi * np.where(pole, 0.5, v)))) - value
    value = np.where(v < 0.5, reflected, value)
    return np.where(np.isnan(v), np.nan, np.where(pole | np.isinf(v), np.inf, value))


def digamma(x: Any) -> Array:
    """The derivative of lgamma: recurrence up to 10, then the asymptotic series (A&S 6.3.18)."""
    v = np.asarray(x, np.float64)
    negative = v <= 0
    pole = negative & (v == np.floor(v))
    y = np.where(negative, 1 - v, v)
    shift = np.zeros_like(y)
    for _ in range(10):
        small = y < 10
        shift += np.where(small, 1 / y, 0)
        y = np.where(small, y + 1, y)
    inverse = 1 / (y * y)
    terms = tuple(b / (2 * n + 2) for n, b in enumerate(_BERNOULLI[:8]))
    value = np.log(y) - 0.5 / y - inverse * _polynomial(terms, inverse) - shift
    value = np.where(negative, value - np.pi / np.tan(np.pi * np.where(pole, 0.5, v)), value)
    return np.where(pole, np.nan, value)


def _lower_series(a: Array, x: Array) -> Array:
    """The sum of x^n / ((a + 1) ... (a + n)): A&S 6.5.29."""
    term, total, at = np.ones_like(x), np.ones_like(x), a.copy()
    for _ in range(_STEPS):
        at = at + 1
        term = term * x / at
        total = total + term
        if not np.any(np.abs(term) > np.abs(total) * 1e-17):
            break
    return total


def _upper_fraction(a: Array, x: Array) -> Array:
    """The continued fraction of the upper gamma function over x^a exp(-x) (A&S 6.5.31), by Lentz's method."""
    b = x + 1 - a
    c = np.full_like(x, 1 / _TINY)
    d = 1 / np.where(b == 0, _TINY, b)
    found = d.copy()
    for n in range(1, _STEPS):
        term = -n * (n - a)
        b = b + 2
        d = 1 / _nonzero(term * d + b)
        c = _nonzero(b + term / c)
        found = found * d * c
        if not np.any(np.abs(d * c - 1) > 1e-16):
            break
    return found


def _nonzero(x: Array) -> Array:
    return np.where(np.abs(x) < _TINY, _TINY, x)


def _incomplete(a: Any, x: Any) -> tuple[Array, Array]:
    """P(a, x) and Q(a, x) = 1 - P(a, x), the smaller of the two exact."""
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    good = (a > 0) & (x >= 0) & np.isfinite(a) & np.isfinite(x)
    by_series = (x <= 1) | (x <= a)
    plain_a, plain_x = np.where(good, a, 1.0), np.where(good, x, 1.0)
    front = np.exp(plain_a * np.log(np.maximum(plain_x, _TINY)) - plain_x - lgamma(plain_a))
    lower = front * _lower_series(plain_a, np.where(by_series, plain_x, 0.0)) / plain_a
    upper = front * _upper_fraction(np.where(by_series, 1.0, plain_a), np.where(by_series, 2.0, plain_x))
    p = np.where(by_series, lower, 1 - upper)
    q = np.where(by_series, 1 - lower, upper)
    p, q = np.where(good & (x == 0), 0.0, p), np.where(good & (x == 0), 1.0, q)
    ends = (a > 0) & np.isposinf(x) & np.isfinite(a)
    p, q = np.where(ends, 1.0, np.where(good, p, np.nan)), np.where(ends, 0.0, np.where(good, q, np.nan))
    return p, q


def igamma(a: Any, x: Any) -> Array:
    """The lower incomplete gamma function, over the gamma function."""
    return _incomplete(a, x)[0]


def igammac(a: Any, x: Any) -> Array:
    """The upper incomplete gamma function, over the gamma function."""
    return _incomplete(a, x)[1]


def _incomplete_slope(a: Any, x: Any) -> tuple[Array, Array]:
    """dP(a, x) / da over x^a exp(-x) / gamma(a), and the logarithm of that divisor.

    The derivative of the series, or of the fraction, is the imaginary part of its value a tiny imaginary step away,
    in which no digits cancel.
    """
    step = 1e-30
    by_series = (x <= 1) | (x <= a + 6 * np.sqrt(a))
    series = _lower_series(a + 1j * step, np.where(by_series, x, 0.0) + 0j) / (a + 1j * step)
    fraction = _upper_fraction(np.where(by_series, 1.0, a) + 1j * step, np.where(by_series, 2.0, x) + 0j)
    found = np.where(by_series, series, -fraction)
    slope = found.imag / step + found.real * (np.log(x) - digamma(a))
    return slope, a * np.log(x) - x - lgamma(a)


def _sloped(a: Any, x: Any) -> tuple[Array, Array, Array, Array]:
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    good = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    return np.where(good, a, 1.0), np.where(good, x, 1.0), good, (a > 0) & (x == 0)


def igamma_grad_a(a: Any, x: Any) -> Array:
    """The derivative of igamma by a."""
    plain_a, plain_x, good, at_zero = _sloped(a, x)
    slope, front = _incomplete_slope(plain_a, plain_x)
    return np.where(good, slope * np.exp(front), np.where(at_zero, 0.0, np.nan))


def random_gamma_grad(a: Any, sample: Any) -> Array:
    """How a sample of the gamma distribution moves with a, its probability held: - (dP / da) / (dP / dx)."""
    plain_a, plain_x, good, at_zero = _sloped(a, sample)
    slope, _ = _incomplete_slope(plain_a, plain_x)
    return np.where(good, -slope * plain_x, np.where(at_zero, 0.0, np.nan))


def zeta(x: Any, q: Any) -> Array:
    """Hurwitz's zeta function, the sum of (q + n)^-x over n >= 0, by Euler's and Maclaurin's formula (A&S 23.2.9)."""
    x, q = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(q, np.float64))
    total, at = np.zeros_like(x), q.copy()
    for _ in range(20):
        total = total + at**-x
        at = at + 1
    total = total + at ** (1 - x) / np.where(x == 1, np.nan, x - 1) + 0.5 * at**-x
    factor, power = x.copy(), at ** (-x - 1)
    for n, b in enumerate(_BERNOULLI):
        total = total + b / factorial(2 * n + 2) * factor * power
        factor = factor * (x + 2 * n + 1) * (x + 2 * n + 2)
        power = power / (at * at)
    pole = (q <= 0) & (q == np.floor(q))
    whole = x == np.floor(x)
    total = np.where(pole, np.where(whole & (x > 0) & (np.mod(x, 2) == 0), np.inf, np.nan), total)
    total = np.where((q < 0) & ~pole & ~whole, np.nan, total)
    return np.where(x == 1, np.inf, np.where(x < 1, np.nan, total))


def polygamma(n: Any, x: Any) -> Array:
    """The n-th derivative of digamma, n a whole number."""
    n, x = np.broadcast_arrays(np.asarray(n, np.float64), np.asarray(x, np.float64))
    sign = np.where(np.mod(n, 2) == 0, -1.0, 1.0)
    high = sign * np.exp(lgamma(n + 1)) * zeta(np.where(n == 0, 2.0, n + 1), x)
    bad = (n < 0) | (n != np.floor(n))
    return np.where(bad, np.nan, np.where(n == 0, digamma(x), high))
