"""Division, shifts and casts of integers, by kernels that end the process or wrap where TensorFlow does otherwise."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64, DType, dtype_of
from ...base.shapes import Shape
from .builder import Builder, broadcast
from .values import Refusal, Value

UINT32, UINT64 = dtype_of("uint32"), dtype_of("uint64")


def _is_signed(dtype: DType) -> bool:
    return bool(np.iinfo(dtype.numpy or np.int32).min)


def _divisor(g: Builder, y: Value) -> tuple[Value, Value | None]:
    """A divisor that does no harm, and where it was -1. The run fails where one is 0: numpy has the words for it."""
    if y.array is not None:
        if (y.array == 0).any():
            raise Refusal("an integer is divided by 0")
        if not (y.array == -1).any():
            return y, None
    none = g.binary("Equal", y, g.like(0, y), BOOL)
    if y.shape == ():
        some = none
    else:
        count = g.op("ReduceSum", g.cast(none, INT64), keepdims=0, shape=())
        some = g.op("Greater", count, g.const(0, INT64), dtype=BOOL, shape=())
    place = g.where(some, g.const(1 << 40, INT64), g.const(0, INT64), ())
    one = g.op("Gather", g.const([1], y.dtype), place, axis=0, shape=())
    if not _is_signed(y.dtype):
        return g.where(none, one, y, y.shape), None
    minus = g.binary("Equal", y, g.like(-1, y), BOOL)
    return g.where(g.binary("Or", none, minus, BOOL), one, y, y.shape), minus


def quotient(g: Builder, x: Value, y: Value) -> Value:
    """Towards zero."""
    divisor, minus = _divisor(g, y)
    made = g.binary("Div", x, divisor)
    return made if minus is None else g.where(minus, g.unary("Neg", x), made, made.shape)


def rest(g: Builder, x: Value, y: Value, like_divisor: bool) -> Value:
    """What a division leaves, with the sign of the divisor or of the number that is divided."""
    divisor, _ = _divisor(g, y)
    return g.op("Mod", x, divisor, fmod=int(not like_divisor), shape=broadcast(x.shape, y.shape))


def floor_quotient(g: Builder, x: Value, y: Value) -> Value:
    """Towards minus infinity: one less where something is left that has another sign than the divisor."""
    if y.array is not None and (y.array > 0).all() and x.dtype == INT32:
        number, divisor = g.int64(x), g.int64(y)  # x - floor_mod(x, y), which divides without a rest, has room there
        return g.cast(g.binary("Div", g.binary("Sub", number, g.binary("Mod", number, divisor)), divisor), INT32)
    made, left = quotient(g, x, y), rest(g, x, y, False)
    if not _is_signed(x.dtype):
        return made
    zero = g.like(0, x)
    some = g.unary("Not", g.binary("Equal", left, zero, BOOL))
    apart = g.binary("Xor", g.binary("Less", left, zero, BOOL), g.binary("Less", y, zero, BOOL))
    return g.binary("Sub", made, g.cast(g.binary("And", some, apart, BOOL), x.dtype))


def shifted(g: Builder, x: Value, y: Value, direction: str) -> Value:
    """By counts that are first brought into the width of the kind. A number with a sign is shifted without it."""
    bits = x.dtype.itemsize * 8
    plain = x.dtype if not _is_signed(x.dtype) else dtype_of(f"uint{bits}")
    count = g.binary("Min", g.binary("Max", g.int64(y), g.const(0, INT64)), g.const(bits - 1, INT64))
    by = g.cast(count, plain)
    shape: Shape = broadcast(x.shape, y.shape)
    if plain == x.dtype:
        return g.op("BitShift", x, by, direction=direction, shape=shape)
    if direction == "LEFT":
        return g.cast(g.op("BitShift", g.cast(x, plain), by, direction=direction, shape=shape), x.dtype)
    sign = g.where(g.binary("Less", x, g.like(0, x), BOOL), g.like(-1, x), g.like(0, x), x.shape)
    positive = g.cast(g.binary("BitwiseXor", x, sign), plain)
    made = g.op("BitShift", positive, by, direction=direction, shape=shape)
    return g.binary("BitwiseXor", g.cast(made, x.dtype), sign)


# --- casts


def from_float(g: Builder, x: Value, dtype: DType) -> Value:
    """As x86 converts one number at a time: NaN and what does not fit become the smallest int32 or int64, of which
    narrow kinds take the low bits; kinds without a sign go through int64."""
    if dtype == UINT64:
        low = _held(g, x, INT64)
        high = _held(g, g.op("Sub", x, g.like(2.0**63, x), shape=x.shape), INT64)
        below = g.binary("Less", low, g.const(0, INT64), BOOL)
        return g.cast(g.where(below, g.binary("BitwiseOr", low, high), low, x.shape), dtype)
    return g.cast(_held(g, x, INT64 if dtype.itemsize == 8 or dtype == UINT32 else INT32), dtype)


def _held(g: Builder, x: Value, through: DType) -> Value:
    least = float(np.iinfo(through.numpy or np.int64).min)
    above = g.binary("GreaterOrEqual", x, g.like(least, x), BOOL)
    fits = g.binary("And", above, g.binary("Less", x, g.like(-least, x), BOOL), BOOL)
    return g.cast(g.where(fits, x, g.like(least, x), x.shape), through)
