"""Operators that ONNX Runtime has for float32 only, in doubles: formulas in those that it has for both.

The builder falls back on them where a kernel lacks, so lowerings need not know which kernels there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ...base.dtypes import BOOL
from .approximations import POLYNOMIALS
from .builder import Builder
from .values import Value

Formula = Callable[..., Value]
"""Takes the builder, the inputs, and the operator's attributes by name."""


def horner(g: Builder, name: str, x: Value) -> Value:
    """One of the polynomials at `x`, which must lie in its interval."""
    low, high, coefficients = POLYNOMIALS[name]
    half = (high - low) / 2
    place = scaled(g, x, 1 / half, -(low + high) / 2 / half)
    made = g.like(coefficients[-1], x)
    for c in coefficients[-2::-1]:
        made = plus(g, g.binary("Mul", made, place), c)
    return made


def scaled(g: Builder, x: Value, factor: float, more: float = 0.0) -> Value:
    """Factor x + more"""
    made = x if factor == 1 else g.binary("Mul", x, g.like(factor, x))
    return plus(g, made, more) if more else made


def plus(g: Builder, x: Value, more: float) -> Value:
    return g.binary("Add", x, g.like(more, x))


def times(g: Builder, x: Value, y: Value) -> Value:
    return g.binary("Mul", x, y)


def less(g: Builder, x: Value, limit: float) -> Value:
    return g.binary("Less", x, g.like(limit, x), BOOL)


def equals(g: Builder, x: Value, number: float) -> Value:
    return g.binary("Equal", x, g.like(number, x), BOOL)


def within(g: Builder, x: Value, low: float, high: float) -> Value:
    """`x`, or the nearer end of an interval."""
    return g.op("Clip", x, g.like(low, x), g.like(high, x), shape=x.shape)


def choose(g: Builder, condition: Value, yes: Value, no: Value) -> Value:
    return g.where(condition, yes, no, condition.shape)


def signed(g: Builder, size: Value, like: Value) -> Value:
    """A size with the sign of another value; of a zero that value itself, NaN where it is NaN."""
    made = choose(g, less(g, like, 0), g.unary("Neg", size), size)
    return choose(g, g.binary("Greater", g.unary("Abs", like), g.like(0, like), BOOL), made, like)


# --- formulas


def atan(g: Builder, x: Value) -> Value:
    """Of 1 / |x| beyond 1, and turned by an eighth beyond tan(pi / 8), which leaves little for the polynomial."""
    size = g.unary("Abs", x)
    large = g.binary("Greater", size, g.like(1, x), BOOL)
    small = choose(g, large, g.unary("Reciprocal", size), size)
    middle = g.binary("Greater", small, g.like(math.sqrt(2) - 1, x), BOOL)
    turned = g.binary("Div", plus(g, small, -1), plus(g, small, 1))
    t = choose(g, middle, turned, small)
    square = within(g, times(g, t, t), *POLYNOMIALS["atan"][:2])
    made = times(g, t, horner(g, "atan", square))
    made = choose(g, middle, plus(g, made, math.pi / 4), made)
    made = choose(g, large, g.binary("Sub", g.like(math.pi / 2, x), made), made)
    return signed(g, made, x)


def asin(g: Builder, x: Value) -> Value:
    """atan(x / sqrt(1 - x^2))"""
    other = g.unary("Sqrt", times(g, _one_minus(g, x), plus(g, x, 1)))
    return atan(g, g.binary("Div", x, other))


def acos(g: Builder, x: Value) -> Value:
    """2 atan(sqrt((1 - x) / (1 + x)))"""
    return scaled(g, atan(g, g.unary("Sqrt", g.binary("Div", _one_minus(g, x), plus(g, x, 1)))), 2)


def _one_minus(g: Builder, x: Value) -> Value:
    return g.binary("Sub", g.like(1, x), x)


def log1p(g: Builder, x: Value) -> Value:
    """log(u) x / (u - 1) for u = 1 + x as it is rounded: the error of the logarithm is that of the quotient."""
    u = plus(g, x, 1)
    made = g.binary("Div", times(g, g.unary("Log", u), x), plus(g, u, -1))
    return choose(g, equals(g, u, 1), x, choose(g, equals(g, u, math.inf), u, made))


def expm1(g: Builder, x: Value) -> Value:
    """(u - 1) x / log(u) for u = exp(x) as it is rounded."""
    u = g.unary("Exp", x)
    made = g.binary("Div", times(g, plus(g, u, -1), x), g.unary("Log", u))
    ends = g.binary("Or", less(g, u, 1e-17), equals(g, u, math.inf))
    return choose(g, equals(g, u, 1), x, choose(g, ends, plus(g, u, -1), made))


def acosh(g: Builder, x: Value) -> Value:
    """log1p(y + sqrt(y (y + 2))) for y = x - 1; twice x is all that counts where its square is too large."""
    y = plus(g, x, -1)
    near = log1p(g, g.binary("Add", y, g.unary("Sqrt", times(g, y, plus(g, y, 2)))))
    far = plus(g, g.unary("Log", x), math.log(2))
    return choose(g, less(g, x, 1), g.like(math.nan, x), choose(g, less(g, x, 1e8), near, far))


def asinh(g: Builder, x: Value) -> Value:
    """log1p(y + y^2 / (1 + sqrt(1 + y^2))) for y = |x|"""
    y = g.unary("Abs", x)
    square = times(g, y, y)
    near = g.binary("Add", y, g.binary("Div", square, plus(g, g.unary("Sqrt", plus(g, square, 1)), 1)))
    far = plus(g, g.unary("Log", y), math.log(2))
    return signed(g, choose(g, less(g, y, 1e8), log1p(g, near), far), x)


def atanh(g: Builder, x: Value) -> Value:
    """log1p(2 y / (1 - y)) / 2 for y = |x|"""
    y = g.unary("Abs", x)
    made = scaled(g, log1p(g, g.binary("Div", scaled(g, y, 2), _one_minus(g, y))), 0.5)
    return signed(g, made, x)


def sinh(g: Builder, x: Value) -> Value:
    """Half the difference of two exponentials; near 0 the polynomial. Half the exponent is squared where that of the
    whole is too large."""
    size = g.unary("Abs", x)
    square = within(g, times(g, x, x), 0, 1)
    near = times(g, x, horner(g, "sinh", square))
    root = g.unary("Exp", scaled(g, size, 0.5))
    large = times(g, scaled(g, root, 0.5), root)
    far = g.binary("Sub", large, scaled(g, g.unary("Exp", g.unary("Neg", size)), 0.5))
    return choose(g, less(g, size, 1), near, signed(g, far, x))


def cosh(g: Builder, x: Value) -> Value:
    size = g.unary("Abs", x)
    root = g.unary("Exp", scaled(g, size, 0.5))
    small = scaled(g, g.unary("Exp", g.unary("Neg", size)), 0.5)
    return g.binary("Add", times(g, scaled(g, root, 0.5), root), small)


def cos(g: Builder, x: Value) -> Value:
    half = g.unary("Sin", scaled(g, x, 0.5))
    return g.binary("Sub", g.like(1, x), scaled(g, times(g, half, half), 2))


def tan(g: Builder, x: Value) -> Value:
    return g.binary("Div", g.unary("Sin", x), g.unary("Cos", x))


def erf(g: Builder, x: Value) -> Value:
    """1 - exp(-x^2) erfcx(|x|) from 1 on, and beyond 6 the 1 that it is rounded to."""
    size = within(g, g.unary("Abs", x), 0, 6.5)
    square = times(g, size, size)
    near = times(g, size, horner(g, "erf", within(g, square, 0, 1)))
    place = within(g, g.unary("Reciprocal", plus(g, size, 1.5)), *POLYNOMIALS["erfcx"][:2])
    rest = times(g, g.unary("Exp", g.unary("Neg", square)), horner(g, "erfcx", place))
    made = choose(g, less(g, size, 1), near, g.binary("Sub", g.like(1, x), rest))
    return signed(g, made, x)


def elu(g: Builder, x: Value, *, alpha: float = 1.0) -> Value:
    below = scaled(g, expm1(g, g.binary("Min", x, g.like(0, x))), alpha)
    return choose(g, less(g, x, 0), below, x)


def selu(g: Builder, x: Value, *, alpha: float, gamma: float) -> Value:
    return scaled(g, elu(g, x, alpha=alpha), gamma)


def leaky_relu(g: Builder, x: Value, *, alpha: float = 0.01) -> Value:
    return choose(g, less(g, x, 0), scaled(g, x, alpha), x)


def softplus(g: Builder, x: Value) -> Value:
    """max(x, 0) + log1p(exp(-|x|))"""
    small = g.unary("Exp", g.unary("Neg", g.unary("Abs", x)))
    above = choose(g, less(g, x, 0), g.like(0, x), x)
    return g.binary("Add", above, log1p(g, small))


def softsign(g: Builder, x: Value) -> Value:
    return g.binary("Div", x, plus(g, g.unary("Abs", x), 1))


FORMULAS: Mapping[str, Formula] = {
    "Acos": acos,
    "Acosh": acosh,
    "Asin": asin,
    "Asinh": asinh,
    "Atan": atan,
    "Atanh": atanh,
    "Cos": cos,
    "Cosh": cosh,
    "Elu": elu,
    "Erf": erf,
    "LeakyRelu": leaky_relu,
    "Selu": selu,
    "Sinh": sinh,
    "Softplus": softplus,
    "Softsign": softsign,
    "Tan": tan,
}
