"""Lowerings of ops that go by the bits of floats, which ONNX does not show: by powers of two, exact in doubles."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...program.program import Step
from .builder import Builder, Table, broadcast
from .values import BFLOAT16, FLOAT16, Refusal, Value

_FORMATS = {BFLOAT16: (8, 7), FLOAT16: (5, 10), FLOAT32: (8, 23), FLOAT64: (11, 52)}
"""Bits of exponent and mantissa."""


def reduce_precision(g: Builder, step: Step, x: Value, *, exponent_bits: int, mantissa_bits: int) -> Value:
    """As a float with fewer bits would hold it: halves to even, too large ones infinite, too small ones zero.

    By multiples of the last bit that is kept, a power of two; all of it is exact in doubles.
    """
    if x.dtype not in _FORMATS or exponent_bits < 1 or mantissa_bits < 0:
        raise Refusal(f"floats of {exponent_bits} and {mantissa_bits} bits cannot be")
    exponents, digits = _FORMATS[x.dtype]
    wide = g.cast(x, FLOAT64)
    size = g.unary("Abs", wide)
    made = size
    if mantissa_bits < digits:
        made = _rounded(g, size, 2 - (1 << (exponents - 1)), (1 << (exponents - 1)) - 1, mantissa_bits)
    if exponent_bits < exponents:
        bias = (1 << (exponent_bits - 1)) - 1
        large = g.binary("GreaterOrEqual", made, g.const(2.0 ** (bias + 1), FLOAT64), BOOL)
        small = g.binary("Less", made, g.const(2.0 ** (1 - bias), FLOAT64), BOOL)
        made = g.where(large, g.const(np.inf, FLOAT64), g.where(small, g.const(0, FLOAT64), made, x.shape), x.shape)
    # The sign of what is zero, too: of 1 / x, which is infinite there.
    negative = g.binary("Less", g.binary("Div", g.const(1, FLOAT64), wide), g.const(0, FLOAT64), BOOL)
    negative = g.binary("Or", negative, g.binary("Less", wide, g.const(0, FLOAT64), BOOL), BOOL)
    signed = g.where(negative, g.unary("Neg", made), made, x.shape)
    return g.cast(g.where(g.unary("IsNaN", wide, BOOL), wide, signed, x.shape), x.dtype)


def _exponent(g: Builder, held: Value, lowest: int, bias: int) -> Value:
    """Which power of two, from 2^lowest on, is the largest one up to each number; the first for those below it."""
    exponents = np.arange(lowest, bias + 1)
    guess = g.binary("Div", g.unary("Log", g.op("Max", held, g.const(2.0**lowest, FLOAT64), shape=held.shape)),
                     g.const(np.log(2.0), FLOAT64))  # fmt: skip
    last = g.const(len(exponents) - 1, INT64)
    place = g.cast(g.binary("Sub", g.unary("Floor", guess), g.const(lowest, FLOAT64)), INT64)
    place = g.op("Max", g.op("Min", place, last, shape=held.shape), g.const(0, INT64), shape=held.shape)
    table = g.const(2.0 ** exponents.astype(np.float64), FLOAT64)
    # The logarithm may be off by one beside a power of two.
    power = g.op("Gather", table, place, axis=0, shape=held.shape)
    low = g.cast(g.binary("Less", held, power, BOOL), INT64)
    above = g.binary("GreaterOrEqual", g.binary("Mul", held, g.const(0.5, FLOAT64)), power, BOOL)
    place = g.binary("Add", g.binary("Sub", place, low), g.cast(above, INT64))
    return g.op("Max", g.op("Min", place, last, shape=held.shape), g.const(0, INT64), shape=held.shape)


def _rounded(g: Builder, size: Value, lowest: int, bias: int, digits: int) -> Value:
    """Numbers that are not negative, rounded to so many digits behind the first; `lowest` is the exponent of the
    smallest normal one."""
    exponents = np.arange(lowest, bias + 1)
    finite = g.unary("Not", g.binary("Or", g.unary("IsInf", size, BOOL), g.unary("IsNaN", size, BOOL), BOOL))
    held = g.where(finite, size, g.const(0, FLOAT64), size.shape)
    place = _exponent(g, held, lowest, bias)
    unit = g.op("Gather", g.const(2.0 ** (exponents - digits).astype(np.float64), FLOAT64), place, axis=0,
                shape=size.shape)  # fmt: skip
    steps = g.binary("Div", held, unit)
    whole = g.unary("Round", steps)
    if not digits:
        # The bit before the first that goes is the last one of the exponent, which counts from 1 for normal numbers.
        half = g.binary("Equal", steps, g.const(1.5, FLOAT64), BOOL)
        odd = g.binary("Equal", g.binary("Mod", place, g.const(2, INT64)), g.const(0, INT64), BOOL)
        tie = g.where(odd, g.const(2, FLOAT64), g.const(1, FLOAT64), size.shape)
        whole = g.where(half, tie, whole, size.shape)
    return g.where(finite, g.binary("Mul", whole, unit), size, size.shape)


def next_after(g: Builder, step: Step, x: Value, y: Value) -> Value:
    """The next float from `x` towards `y`."""
    if x.dtype not in (FLOAT32, FLOAT64):
        raise Refusal(f"{step.op} of {x.dtype} has no lowering to ONNX")
    exponents, digits = _FORMATS[x.dtype]
    lowest, bias = 2 - (1 << (exponents - 1)), (1 << (exponents - 1)) - 1
    shape = broadcast(x.shape, y.shape)
    start, aim = g.cast(x, FLOAT64), g.cast(y, FLOAT64)
    zero = g.const(0, FLOAT64)
    size = g.unary("Abs", start)
    finite = g.unary("Not", g.binary("Or", g.unary("IsInf", size, BOOL), g.unary("IsNaN", size, BOOL), BOOL))
    held = g.where(finite, size, zero, size.shape)
    place = _exponent(g, held, lowest, bias)
    powers = 2.0 ** np.arange(lowest, bias + 1).astype(np.float64)
    power = g.op("Gather", g.const(powers, FLOAT64), place, axis=0, shape=size.shape)
    above = g.op("Gather", g.const(powers * 2.0**-digits, FLOAT64), place, axis=0, shape=size.shape)
    # Below a power of two floats lie closer, but for the smallest one that has all its digits.
    at_power = g.op("And", g.op("Equal", held, power, dtype=BOOL, shape=size.shape),
                    g.op("Greater", place, g.const(0, INT64), dtype=BOOL, shape=size.shape), dtype=BOOL,
                    shape=size.shape)  # fmt: skip
    below = g.where(at_power, g.op("Mul", above, g.const(0.5, FLOAT64), shape=size.shape), above, size.shape)
    up = g.op("Greater", aim, start, dtype=BOOL, shape=shape)
    outward = g.op("Equal", up, g.op("GreaterOrEqual", start, zero, dtype=BOOL, shape=x.shape), dtype=BOOL, shape=shape)
    outward = g.op("Or", outward, g.op("Equal", start, zero, dtype=BOOL, shape=x.shape), dtype=BOOL, shape=shape)
    by = g.where(outward, above, below, shape)
    moved = g.where(up, g.op("Add", start, by, shape=shape), g.op("Sub", start, by, shape=shape), shape)
    # From an infinity to the largest number.
    largest = g.const((2 - 2.0**-digits) * 2.0**bias, FLOAT64)
    inward = g.where(g.op("Greater", start, zero, dtype=BOOL, shape=x.shape), largest, g.unary("Neg", largest), x.shape)
    moved = g.where(g.unary("IsInf", start, BOOL), inward, moved, shape)
    same = g.op("Equal", start, aim, dtype=BOOL, shape=shape)
    number = g.op("Add", g.op("Mul", start, zero), g.op("Mul", aim, zero))
    none = g.op("Or", g.unary("IsNaN", start, BOOL), g.unary("IsNaN", aim, BOOL), dtype=BOOL, shape=shape)
    made = g.where(none, number, g.where(same, aim, moved, shape), shape)
    return g.cast(Value(made.name, FLOAT64, shape), x.dtype)


LOWERINGS: Table = {
    "NextAfter": next_after,
    "XlaReducePrecision": reduce_precision,
}
