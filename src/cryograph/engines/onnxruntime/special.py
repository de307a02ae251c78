"""Lowerings of special functions: computed in doubles by series, recurrences and polynomials, rounded at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ...base.dtypes import BOOL, FLOAT64
from ...program.program import Step
from .builder import Builder, Table
from .doubles import choose, equals, horner, less, plus, scaled, signed, times, within
from .values import Refusal, Value

Function = Callable[[Builder, Value], Value]
Unary = Callable[[Builder, Step, Value], Value]


def in_doubles(function: Function) -> Unary:
    """A function of one float; NaN stays NaN."""

    def lower(g: Builder, step: Step, x: Value) -> Value:
        if not x.dtype.is_floating:
            raise Refusal(f"{step.op} on {x.dtype} has no lowering to ONNX")
        wide = g.cast(x, FLOAT64)
        made = function(g, wide)
        return g.cast(choose(g, g.unary("IsNaN", wide, BOOL), wide, made), x.dtype)

    return lower


# --- the gamma function's logarithm and its derivative

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
"""B(2k) / (2k (2k - 1)), by the Bernoulli numbers."""

_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
"""B(2k) / 2k"""

_SHIFT = 10
"""The series are used from here on; smaller numbers are shifted by as much."""


def _series(g: Builder, coefficients: Sequence[float], x: Value) -> Value:
    """A polynomial in powers of `x`, the constant first."""
    made = g.like(coefficients[-1], x)
    for c in coefficients[-2::-1]:
        made = plus(g, times(g, made, x), c)
    return made


def _reflected(g: Builder, x: Value) -> tuple[Value, Value, Value]:
    """Whether `x` lies below 0, what then takes its place (1 - x), and its distance from the nearest integer."""
    below = less(g, x, 0)
    place = choose(g, below, g.binary("Sub", g.like(1, x), x), x)
    return below, place, g.binary("Sub", x, g.unary("Round", x))


def lgamma(g: Builder, x: Value) -> Value:
    """Stirling's series; below 0 from log(pi / |sin(pi x)|) - lgamma(1 - x)."""
    below, z, rest = _reflected(g, x)
    small = less(g, z, _SHIFT)
    product = z
    for k in range(1, _SHIFT):
        product = times(g, product, plus(g, z, k))
    far = choose(g, small, plus(g, z, _SHIFT), z)
    inverse = g.unary("Reciprocal", far)
    tail = times(g, inverse, _series(g, _STIRLING, times(g, inverse, inverse)))
    log = g.unary("Log", far)
    body = g.binary("Sub", times(g, far, plus(g, log, -1)), scaled(g, log, 0.5))
    made = g.binary("Add", plus(g, body, 0.5 * math.log(2 * math.pi)), tail)
    made = choose(g, small, g.binary("Sub", made, g.unary("Log", product)), made)
    wave = g.unary("Abs", g.unary("Sin", scaled(g, rest, math.pi)))
    mirrored = g.binary("Sub", g.unary("Log", g.binary("Div", g.like(math.pi, x), wave)), made)
    made = choose(g, below, mirrored, made)
    return choose(g, g.unary("IsInf", x, BOOL), g.unary("Abs", x), made)


def digamma(g: Builder, x: Value) -> Value:
    """The derivative of Stirling's series; below 0 from digamma(1 - x) - pi / tan(pi x). NaN at the poles."""
    below, z, rest = _reflected(g, x)
    small = less(g, z, _SHIFT)
    shifted = g.unary("Reciprocal", z)
    for k in range(1, _SHIFT):
        shifted = g.binary("Add", shifted, g.unary("Reciprocal", plus(g, z, k)))
    far = choose(g, small, plus(g, z, _SHIFT), z)
    inverse = g.unary("Reciprocal", far)
    square = times(g, inverse, inverse)
    tail = g.binary("Add", scaled(g, inverse, 0.5), times(g, square, _series(g, _DIGAMMA, square)))
    made = g.binary("Sub", g.unary("Log", far), tail)
    made = choose(g, small, g.binary("Sub", made, shifted), made)
    angle = scaled(g, rest, math.pi)
    turn = g.binary("Div", scaled(g, g.unary("Cos", angle), math.pi), g.unary("Sin", angle))
    made = choose(g, below, g.binary("Sub", made, turn), made)
    pole = g.binary("And", equals(g, rest, 0), g.binary("LessOrEqual", x, g.like(0, x), BOOL))
    return choose(g, pole, g.like(math.nan, x), made)


# --- the normal distribution


def _erfinv_size(g: Builder, w: Value, y: Value) -> Value:
    """|erfinv(y)| for w = -log(1 - y * y)."""
    near = times(g, g.unary("Abs", y), horner(g, "erfinv_near", within(g, w, 0, 6.25)))
    root = g.unary("Sqrt", w)
    made = horner(g, "erfinv_end", within(g, root, 9.5, 27))
    for name, low, high in (("erfinv_far", 5, 9.5), ("erfinv_root", 2.5, 5)):
        made = choose(g, less(g, root, high), horner(g, name, within(g, root, low, high)), made)
    return choose(g, less(g, w, 6.25), near, made)


def erfinv(g: Builder, x: Value) -> Value:
    """Endless at 1 and -1, and nothing beyond."""
    rest = times(g, g.binary("Sub", g.like(1, x), x), plus(g, x, 1))
    w = g.unary("Neg", g.unary("Log", rest))
    made = choose(g, equals(g, rest, 0), g.like(math.inf, x), _erfinv_size(g, w, x))
    return signed(g, choose(g, less(g, rest, 0), g.like(math.nan, x), made), x)


def ndtri(g: Builder, p: Value) -> Value:
    """sqrt(2) erfinv(2 p - 1), with what is missing from 1 worked out from p itself."""
    rest = times(g, p, g.binary("Sub", g.like(1, p), p))
    y = plus(g, scaled(g, p, 2), -1)
    w = g.unary("Neg", plus(g, g.unary("Log", rest), math.log(4)))
    made = choose(g, equals(g, rest, 0), g.like(math.inf, p), _erfinv_size(g, w, y))
    made = choose(g, less(g, rest, 0), g.like(math.nan, p), made)
    return signed(g, scaled(g, made, math.sqrt(2)), y)


# --- Bessel functions


def _bessel(order: int) -> Function:
    """Of imaginary arguments, of order 0 or 1, times exp(-|x|)."""

    def function(g: Builder, x: Value) -> Value:
        size = g.unary("Abs", x)
        near = horner(g, f"i{order}e", within(g, size, 0, 8))
        if order:
            near = times(g, near, size)
        large = g.op("Max", size, g.like(8, x), shape=x.shape)
        place = g.binary("Div", g.like(8, x), large)
        far = g.binary("Div", horner(g, f"i{order}e_far", place), g.unary("Sqrt", large))
        made = choose(g, less(g, size, 8), near, far)
        return signed(g, made, x) if order else made

    return function


def _grown(order: int) -> Unary:
    """Not scaled; what is endless in the dtype itself is so, as in TensorFlow."""
    scaled_down = in_doubles(_bessel(order))

    def lower(g: Builder, step: Step, x: Value) -> Value:
        return times(g, scaled_down(g, step, x), g.unary("Exp", g.unary("Abs", x)))

    return lower


# --- Fresnel's integrals


def _fresnel(part: str) -> Function:
    """Power series up to 1.6, and beyond two waves that die down."""

    def function(g: Builder, x: Value) -> Value:
        size = g.unary("Abs", x)
        square = times(g, size, size)
        fourth = within(g, times(g, square, square), 0, 6.5536)
        power = size if part == "c" else times(g, square, size)
        near = times(g, power, horner(g, f"fresnel_{part}", fourth))
        large = within(g, size, 1.6, 1e15)
        inverse = g.unary("Reciprocal", large)
        t = within(g, times(g, inverse, inverse), 0, 0.390625)
        f = times(g, horner(g, "fresnel_f", t), scaled(g, inverse, 1 / math.pi))
        cube = times(g, t, scaled(g, inverse, 1 / math.pi**2))
        h = times(g, horner(g, "fresnel_g", t), cube)
        # Whole turns, of which the square of a large number has many, are taken off before pi comes in.
        turns = times(g, large, large)
        angle = scaled(g, g.op("Mod", turns, g.like(4, x), fmod=1, shape=x.shape), math.pi / 2)
        sin, cos = g.unary("Sin", angle), g.unary("Cos", angle)
        if part == "s":
            wave = g.unary("Neg", g.binary("Add", times(g, f, cos), times(g, h, sin)))
        else:
            wave = g.binary("Sub", times(g, f, sin), times(g, h, cos))
        return signed(g, choose(g, less(g, size, 1.6), near, plus(g, wave, 0.5)), x)

    return function


LOWERINGS: Table = {
    "BesselI0": _grown(0),
    "BesselI0e": in_doubles(_bessel(0)),
    "BesselI1": _grown(1),
    "BesselI1e": in_doubles(_bessel(1)),
    "Digamma": in_doubles(digamma),
    "Erfinv": in_doubles(erfinv),
    "FresnelCos": in_doubles(_fresnel("c")),
    "FresnelSin": in_doubles(_fresnel("s")),
    "Lgamma": in_doubles(lgamma),
    "Ndtri": in_doubles(ndtri),
}
