"""Lowerings of Bessel functions, Dawson's integral, the exponential integral and the dilogarithm: by polynomials near
0 and far from it, in doubles. Formulas are those of Abramowitz and Stegun, chapters 5, 7, 9 and 27."""

from __future__ import annotations

import math
from collections.abc import Callable

from ...base.dtypes import BOOL, FLOAT64
from ...program.program import Step
from .builder import Builder, Table
from .doubles import choose, equals, horner, less, plus, scaled, signed, times, within
from .special import in_doubles
from .values import Value

Function = Callable[[Builder, Value], Value]


def _near(g: Builder, size: Value, end: float) -> Value:
    """The square of what lies below an end."""
    held = within(g, size, 0, end)
    return times(g, held, held)


def _oscillating(g: Builder, size: Value, order: int) -> tuple[Value, Value]:
    """J and Y of an order beyond 8."""
    large = g.op("Max", size, g.like(8, size), shape=size.shape)
    inverse = g.unary("Reciprocal", large)
    u = scaled(g, times(g, inverse, inverse), 64.0)
    p, q = horner(g, f"j{order}_p", u), times(g, horner(g, f"j{order}_q", u), inverse)
    angle = plus(g, large, -(math.pi / 4 + order * math.pi / 2))
    sin, cos = g.unary("Sin", angle), g.unary("Cos", angle)
    scale = g.unary("Sqrt", scaled(g, inverse, 2 / math.pi))
    j = times(g, scale, g.binary("Sub", times(g, p, cos), times(g, q, sin)))
    return j, times(g, scale, g.binary("Add", times(g, p, sin), times(g, q, cos)))


def _endless(g: Builder, x: Value, made: Value, at_end: float) -> Value:
    return choose(g, g.unary("IsInf", x, BOOL), g.like(at_end, x), made)


def _j(order: int) -> Function:
    def function(g: Builder, x: Value) -> Value:
        size = g.unary("Abs", x)
        near = horner(g, f"j{order}", _near(g, size, 8))
        if order:
            near = times(g, near, size)
        made = choose(g, less(g, size, 8), near, _oscillating(g, size, order)[0])
        made = signed(g, made, x) if order else made
        return _endless(g, x, made, math.nan)

    return function


def _y(order: int) -> Function:
    """Of numbers above 0; minus infinity below."""

    def function(g: Builder, x: Value) -> Value:
        above = g.binary("Greater", x, g.like(0, x), BOOL)
        size = choose(g, above, x, g.like(1, x))
        u = _near(g, size, 8)
        log = scaled(g, g.unary("Log", scaled(g, size, 0.5)), 2 / math.pi)
        j, rest = horner(g, f"j{order}", u), horner(g, f"y{order}", u)
        if order:
            body = g.binary("Sub", times(g, log, j), scaled(g, rest, 1 / (2 * math.pi)))
            near = g.binary("Sub", times(g, body, size), scaled(g, g.unary("Reciprocal", size), 2 / math.pi))
        else:
            near = g.binary("Sub", times(g, log, j), scaled(g, rest, 2 / math.pi))
        made = choose(g, less(g, size, 8), near, _oscillating(g, size, order)[1])
        made = _endless(g, x, made, math.nan)
        return choose(g, above, made, g.like(-math.inf, x))

    return function


def _k(order: int, is_scaled: bool) -> Function:
    """Of numbers above 0; infinity there and below. Scaled ones are times exp(x)."""

    def function(g: Builder, x: Value) -> Value:
        above = g.binary("Greater", x, g.like(0, x), BOOL)
        size = choose(g, above, x, g.like(1, x))
        held = within(g, size, 0, 2)
        u = times(g, held, held)
        grown = times(g, horner(g, f"i{order}e", held), g.unary("Exp", held))
        log = g.unary("Log", scaled(g, size, 0.5))
        rest = horner(g, f"k{order}", u)
        if order:
            body = g.binary("Sub", times(g, log, grown), scaled(g, rest, 0.25))
            near = g.binary("Add", times(g, body, held), g.unary("Reciprocal", size))
        else:
            near = g.binary("Sub", rest, times(g, log, grown))
        large = g.op("Max", size, g.like(2, x), shape=x.shape)
        far = g.binary("Div", horner(g, f"k{order}_far", g.binary("Div", g.like(2, x), large)), g.unary("Sqrt", large))
        if is_scaled:
            near = times(g, near, g.unary("Exp", held))
        else:
            far = times(g, far, g.unary("Exp", g.unary("Neg", large)))
        made = choose(g, less(g, size, 2), near, far)
        made = _endless(g, x, made, 0.0)
        return choose(g, above, made, g.like(math.inf, x))

    return function


def dawson(g: Builder, x: Value) -> Value:
    size = g.unary("Abs", x)
    near = times(g, horner(g, "dawsn", _near(g, size, 2.5)), size)
    middle = horner(g, "dawsn_middle", within(g, size, 2.5, 4.5))
    large = g.op("Max", size, g.like(4.5, x), shape=x.shape)
    place = g.binary("Div", g.like(4.5, x), large)
    far = g.binary("Div", horner(g, "dawsn_far", place), large)
    made = choose(g, less(g, size, 2.5), near, choose(g, less(g, size, 4.5), middle, far))
    return signed(g, made, x)


def exponential_integral(g: Builder, x: Value) -> Value:
    """Of numbers above 0; not a number below and at infinity, as in TensorFlow."""
    above = g.binary("Greater", x, g.like(0, x), BOOL)
    size = choose(g, above, x, g.like(1, x))
    held = within(g, size, 0, 6)
    near = plus(g, g.binary("Add", times(g, horner(g, "ei", held), held), g.unary("Log", size)), 0.5772156649015329)
    far = size
    for name, by, end in (("ei_far", 6.0, 24.0), ("ei_end", 24.0, None)):
        large = g.op("Max", size, g.like(by, x), shape=x.shape)
        if end is not None:
            large = g.op("Min", large, g.like(end, x), shape=x.shape)
        part = horner(g, name, g.binary("Div", g.like(by, x), large))
        # Half of the power twice, of which the whole may be too large where the quotient is not.
        half = g.unary("Exp", scaled(g, large, 0.5))
        piece = times(g, times(g, g.binary("Div", part, large), half), half)
        far = piece if end is not None else choose(g, less(g, size, by), far, piece)
    made = choose(g, less(g, size, 6), near, far)
    none = g.binary("Or", less(g, x, 0), g.unary("IsInf", x, BOOL), BOOL)
    made = choose(g, none, g.like(math.nan, x), made)
    return choose(g, equals(g, x, 0), g.like(-math.inf, x), made)


def dilogarithm(g: Builder, x: Value) -> Value:
    """Spence's function, of 1 / x beyond 1.5 and of 1 - x below 0.5; not a number below 0."""
    large, small = g.binary("Greater", x, g.like(1.5, x), BOOL), less(g, x, 0.5)
    held = g.op("Max", x, g.like(0, x), shape=x.shape)
    inverse = g.unary("Reciprocal", g.op("Max", held, g.like(1, x), shape=x.shape))
    place = choose(g, large, inverse, choose(g, small, g.binary("Sub", g.like(1, x), held), held))
    # 1 / x may lie below 0.5 itself.
    low = less(g, place, 0.5)
    inner = choose(g, low, g.binary("Sub", g.like(1, x), place), place)
    made = horner(g, "spence", within(g, inner, 0.5, 1.5))
    made = choose(g, low, g.binary("Sub", _reflected(g, place), made), made)
    log = g.unary("Log", choose(g, large, held, g.like(1, x)))
    beyond = g.binary("Sub", scaled(g, times(g, log, log), -0.5), made)
    below = g.binary("Sub", _reflected(g, held), made)
    made = choose(g, large, beyond, choose(g, small, below, made))
    return _endless(g, x, choose(g, less(g, x, 0), g.like(math.nan, x), made), math.nan)


def _reflected(g: Builder, x: Value) -> Value:
    """pi^2 / 6 - log(x) log(1 - x), for x from 0 to below 1."""
    inside = within(g, x, 1e-300, 0.5)
    logs = times(g, g.unary("Log", inside), g.unary("Log", g.binary("Sub", g.like(1, x), inside)))
    return g.binary("Sub", g.like(math.pi**2 / 6, x), logs)


def y1(g: Builder, step: Step, x: Value) -> Value:
    """Not a number at 0 in float32 and float16, where TensorFlow multiplies 0 by an infinity."""
    made = in_doubles(_y(1))(g, step, x)
    return made if x.dtype == FLOAT64 else choose(g, equals(g, x, 0), g.like(math.nan, x), made)


LOWERINGS: Table = {
    "BesselJ0": in_doubles(_j(0)),
    "BesselJ1": in_doubles(_j(1)),
    "BesselK0": in_doubles(_k(0, False)),
    "BesselK0e": in_doubles(_k(0, True)),
    "BesselK1": in_doubles(_k(1, False)),
    "BesselK1e": in_doubles(_k(1, True)),
    "BesselY0": in_doubles(_y(0)),
    "BesselY1": y1,
    "Dawsn": in_doubles(dawson),
    "Expint": in_doubles(exponential_integral),
    "Spence": in_doubles(dilogarithm),
}
