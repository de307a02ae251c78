"""Lowerings of functions of two numbers around the gamma function: incomplete gammas, zeta, polygamma; in doubles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import factorial

from ...base.dtypes import BOOL, FLOAT64, INT64
from ...program.program import Step
from .builder import Builder, Table
from .control import repeated
from .doubles import choose, equals, less, plus, scaled, times
from .special import digamma, lgamma
from .values import Refusal, Value

STEPS = 10_000
"""Terms after which a series that does not end is left."""

TINY = 1e-300

_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)

Binary = Callable[[Builder, Step, Value, Value], Value]


def _both(g: Builder, step: Step, a: Value, x: Value) -> tuple[Value, Value]:
    """Both in doubles, and of one shape."""
    if not x.dtype.is_floating:
        raise Refusal(f"{step.op} on {x.dtype} has no lowering to ONNX")
    shape = g.shapes[0] if g.shapes else None
    wide = [g.cast(value, FLOAT64) for value in (a, x)]
    if a.shape is not None and a.shape == x.shape:
        return wide[0], wide[1]
    sizes = [g.shape_of(value) for value in wide]
    return g.op("Expand", wide[0], sizes[1], shape=shape), g.op("Expand", wide[1], sizes[0], shape=shape)


def _any(g: Builder, flags: Value) -> Value:
    """Whether one holds, as a scalar."""
    count = g.op("ReduceSum", g.cast(g.reshape(flags, [-1]), INT64), keepdims=0, shape=())
    return g.binary("Greater", count, g.const(0, INT64), BOOL)


def _series(g: Builder, a: Value, x: Value) -> Value:
    """The sum of x^n / ((a + 1) ... (a + n)): A&S 6.5.29."""
    ones = g.binary("Add", times(g, g.like(0, x), x), g.like(1, x))

    def change(turn: Value, held: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        at, term, total = held
        at = plus(g, at, 1)
        term = times(g, term, g.binary("Div", x, at))
        total = g.binary("Add", total, term)
        return _any(g, g.binary("Greater", term, scaled(g, total, 1e-17), BOOL)), [at, term, total]

    return repeated(g, g.const(STEPS, INT64), [a, ones, ones], change)[2]


def _nonzero(g: Builder, x: Value) -> Value:
    return choose(g, less(g, g.unary("Abs", x), TINY), g.like(TINY, x), x)


def _fraction(g: Builder, a: Value, x: Value) -> Value:
    """The continued fraction of the upper gamma function over x^a exp(-x) (A&S 6.5.31), by Lentz's method."""
    b = plus(g, g.binary("Sub", x, a), 1)
    c = plus(g, times(g, g.like(0, x), x), 1 / TINY)
    d = g.unary("Reciprocal", _nonzero(g, b))

    def change(turn: Value, held: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        b, c, d, found = held
        n = plus(g, g.cast(turn, FLOAT64), 1)
        term = times(g, n, g.binary("Sub", a, n))
        b = plus(g, b, 2)
        d = g.unary("Reciprocal", _nonzero(g, g.binary("Add", times(g, term, d), b)))
        c = _nonzero(g, g.binary("Add", b, g.binary("Div", term, c)))
        step = times(g, d, c)
        moves = g.binary("Greater", g.unary("Abs", plus(g, step, -1)), g.like(1e-16, step), BOOL)
        return _any(g, moves), [b, c, d, times(g, found, step)]

    return repeated(g, g.const(STEPS, INT64), [b, c, d, d], change)[3]


def _incomplete(upper: bool) -> Binary:
    """Up to x = a the series of the lower part, beyond it the fraction of the upper one."""

    def lower(g: Builder, step: Step, a: Value, x: Value) -> Value:
        dtype = x.dtype
        a, x = _both(g, step, a, x)
        zero = g.like(0, x)
        finite = g.binary("And", less(g, a, math.inf), less(g, x, math.inf))
        inside = g.binary("And", g.binary("Greater", a, zero, BOOL), g.binary("GreaterOrEqual", x, zero, BOOL))
        good = g.binary("And", finite, inside)
        one = g.like(1, x)
        a_, x_ = choose(g, good, a, one), choose(g, good, x, one)
        by_series = g.binary("Or", g.binary("LessOrEqual", x_, one, BOOL), g.binary("LessOrEqual", x_, a_, BOOL))
        power = times(g, a_, g.unary("Log", choose(g, less(g, x_, TINY), g.like(TINY, x), x_)))
        front = g.unary("Exp", g.binary("Sub", g.binary("Sub", power, x_), lgamma(g, a_)))
        low = g.binary("Div", times(g, front, _series(g, a_, choose(g, by_series, x_, zero))), a_)
        two = g.like(2, x)
        high = times(g, front, _fraction(g, choose(g, by_series, one, a_), choose(g, by_series, two, x_)))
        if upper:
            made = choose(g, by_series, g.binary("Sub", one, low), high)
        else:
            made = choose(g, by_series, low, g.binary("Sub", one, high))
        made = choose(g, equals(g, x_, 0), one if upper else zero, made)
        ends = g.binary("And", g.binary("And", g.binary("Greater", a, zero, BOOL), less(g, a, math.inf)),
                        equals(g, x, math.inf))  # fmt: skip
        made = choose(g, good, made, choose(g, ends, zero if upper else one, g.like(math.nan, x)))
        return g.cast(made, dtype)

    return lower


def _whole(g: Builder, x: Value) -> Value:
    return g.binary("Equal", x, g.unary("Floor", x), BOOL)


def _even(g: Builder, x: Value) -> Value:
    return _whole(g, scaled(g, x, 0.5))


def _zeta(g: Builder, x: Value, q: Value) -> Value:
    """Hurwitz's zeta function by Euler's and Maclaurin's formula (A&S 23.2.9), after twenty terms."""
    negative = g.unary("Neg", x)
    total = g.binary("Pow", q, negative)
    for k in range(1, 20):
        total = g.binary("Add", total, g.binary("Pow", plus(g, q, k), negative))
    at = plus(g, q, 20)
    end = g.binary("Pow", at, negative)
    total = g.binary("Add", total, g.binary("Div", times(g, end, at), plus(g, x, -1)))
    total = g.binary("Add", total, scaled(g, end, 0.5))
    factor, power = x, g.binary("Div", end, at)
    square = times(g, at, at)
    for n, b in enumerate(_BERNOULLI):
        total = g.binary("Add", total, scaled(g, times(g, factor, power), b / factorial(2 * n + 2)))
        factor = times(g, times(g, factor, plus(g, x, 2 * n + 1)), plus(g, x, 2 * n + 2))
        power = g.binary("Div", power, square)
    nan, inf = g.like(math.nan, x), g.like(math.inf, x)
    whole = _whole(g, x)
    pole = g.binary("And", g.binary("LessOrEqual", q, g.like(0, x), BOOL), _whole(g, q))
    total = choose(g, pole, choose(g, _even(g, x), inf, nan), total)
    lost = g.binary("And", g.binary("And", less(g, q, 0), g.unary("Not", pole)), g.unary("Not", whole))
    total = choose(g, lost, nan, total)
    return choose(g, equals(g, x, 1), inf, choose(g, less(g, x, 1), nan, total))


def zeta(g: Builder, step: Step, x: Value, q: Value) -> Value:
    dtype = x.dtype
    return g.cast(_zeta(g, *_both(g, step, x, q)), dtype)


def polygamma(g: Builder, step: Step, n: Value, x: Value) -> Value:
    """(-1)^(n + 1) n! zeta(n + 1, x); digamma itself for n = 0."""
    dtype = x.dtype
    n, x = _both(g, step, n, x)
    first = equals(g, n, 0)
    size = times(
        g, g.unary("Exp", lgamma(g, plus(g, n, 1))), _zeta(g, choose(g, first, g.like(2, x), plus(g, n, 1)), x)
    )
    made = choose(g, first, digamma(g, x), choose(g, _even(g, n), g.unary("Neg", size), size))
    bad = g.binary("Or", less(g, n, 0), g.unary("Not", _whole(g, n)))
    return g.cast(choose(g, bad, g.like(math.nan, x), made), dtype)


LOWERINGS: Table = {
    "Igamma": _incomplete(upper=False),
    "Igammac": _incomplete(upper=True),
    "Polygamma": polygamma,
    "Zeta": zeta,
}
