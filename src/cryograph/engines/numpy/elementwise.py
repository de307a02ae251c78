"""Arithmetic, functions, comparisons, logic and bits on single elements.

Results have the dtype that the op declares. Integers wrap; division of integers by zero is an error, as in TensorFlow.
float16 and bfloat16 compute in float32 and are rounded once, which is what TensorFlow's CPU kernels give. Functions
take the array namespace first, so that another engine may compute with its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from . import special
from .context import Context, Rule

NARROW = frozenset({"float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"})

Function = Callable[..., Any]
"""`function(xp, x)` or `function(xp, x, y)`."""


def wide(x: Array) -> Array:
    """Narrow floats as float32; anything else as it is."""
    return x.astype(np.float32) if x.dtype.name in NARROW else x


def given(ctx: Context, made: Any) -> Array:
    """A result in the dtype that the op declares."""
    found: Array = ctx.xp.asarray(made).astype(ctx.dtype, copy=False)
    return found


def unary(function: Function | str) -> Rule:
    """The rule of a function of one array; a word names a function of the array namespace."""

    def rule(ctx: Context, x: Array) -> Array:
        call = getattr(ctx.xp, function) if isinstance(function, str) else None
        return given(ctx, function(ctx.xp, wide(x)) if callable(function) else call(wide(x)))  # type: ignore[misc]

    return rule


def binary(function: Function | str) -> Rule:
    """The rule of a function of two arrays that are broadcast."""

    def rule(ctx: Context, x: Array, y: Array) -> Array:
        if isinstance(function, str):
            return given(ctx, getattr(ctx.xp, function)(wide(x), wide(y)))
        return given(ctx, function(ctx.xp, wide(x), wide(y)))

    return rule


def by_special(function: Callable[..., Array]) -> Rule:
    """The rule of a function of numpy arrays alone."""

    def rule(ctx: Context, *inputs: Array) -> Array:
        return function(*(wide(x) for x in inputs)).astype(ctx.dtype, copy=False)

    return rule


def _is_whole(x: Any) -> bool:
    return x.dtype.kind in "iu"


def _no_zero(y: Any) -> None:
    if _is_whole(y) and not np.all(y):
        raise RunError("Integer division by zero")


def _add_strings(ctx: Context, x: Array, y: Array) -> Array:
    if x.dtype.kind == "O":
        return np.asarray(x + y, dtype=object)
    return given(ctx, ctx.xp.add(wide(x), wide(y)))


def _add_n(ctx: Context, *inputs: Array) -> Array:
    if any(item.shape != inputs[0].shape for item in inputs):
        raise RunError("the inputs of a sum of equals have several shapes")
    total = wide(inputs[0])
    for item in inputs[1:]:
        total = total + wide(item)
    return given(ctx, total)


def _accumulate_n(ctx: Context, *inputs: Array) -> Array:
    return _add_n(ctx, *inputs)


def _divide(xp: Any, x: Any, y: Any) -> Any:
    return _truncate_div(xp, x, y) if _is_whole(x) else xp.true_divide(x, y)


def _truncate_div(xp: Any, x: Any, y: Any) -> Any:
    if not _is_whole(x):
        return xp.trunc(xp.true_divide(x, y))
    _no_zero(y)
    quotient = xp.floor_divide(x, y)
    return quotient + ((quotient < 0) & (quotient * y != x))


def _floor_div(xp: Any, x: Any, y: Any) -> Any:
    if not _is_whole(x):
        return xp.floor(xp.true_divide(x, y))
    _no_zero(y)
    return xp.floor_divide(x, y)


def _floor_mod(xp: Any, x: Any, y: Any) -> Any:
    if _is_whole(x):
        _no_zero(y)
        return xp.mod(x, y)
    rest = xp.fmod(x, y)
    return xp.where((rest != 0) & ((y < 0) != (rest < 0)), rest + y, rest)


def _mod(xp: Any, x: Any, y: Any) -> Any:
    _no_zero(y)
    return xp.fmod(x, y)


def _zero_where(zero: Function, function: Function) -> Function:
    """A function that is 0 where `zero` says, whatever the operands."""

    def apply(xp: Any, x: Any, y: Any) -> Any:
        x, y = xp.broadcast_arrays(x, y)
        return xp.where(zero(xp, x, y), xp.zeros((), x.dtype), function(xp, x, y))

    return apply


def _pow(xp: Any, x: Any, y: Any) -> Any:
    if _is_whole(x) and np.any(y < 0):
        raise RunError("Integers to negative integer powers are not allowed")
    return xp.power(x, y)


def _sign(xp: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        size = xp.abs(x)
        return xp.where(size == 0, 0, x / xp.where(size == 0, 1, size))
    return xp.sign(x)


def _round(xp: Any, x: Any) -> Any:
    # TensorFlow's kernel gives 0 for integers; its Python function never asks the kernel for them.
    return xp.zeros_like(x) if _is_whole(x) else xp.rint(x)


def _square_of_difference(xp: Any, x: Any, y: Any) -> Any:
    difference = x - y
    return xp.conj(difference) * difference if difference.dtype.kind == "c" else difference * difference


def _equality(function: str, unequal: bool) -> Rule:
    def rule(ctx: Context, x: Any, y: Any, *, incompatible_shape_error: bool = True) -> Any:
        if not incompatible_shape_error:
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                return np.array(unequal)
        return given(ctx, getattr(ctx.xp, function)(x, y))

    return rule


def _approximate_equal(ctx: Context, x: Any, y: Any, *, tolerance: float = 1e-5) -> Any:
    a, b = wide(x), wide(y)
    limit = np.asarray(tolerance, a.dtype)
    # The difference of numbers without a sign wraps in TensorFlow as well.
    return given(ctx, a - b < limit if a.dtype.kind == "u" else ctx.xp.abs(a - b) < limit)


def _shift(function: str) -> Function:
    """Shifts by a count that is first brought into the width of the kind."""

    def apply(xp: Any, x: Any, y: Any) -> Any:
        return getattr(xp, function)(x, xp.clip(y, 0, x.dtype.itemsize * 8 - 1).astype(x.dtype))

    return apply


_BITS_OF_BYTES = np.array([bin(n).count("1") for n in range(256)], np.uint8)


def _popcount(ctx: Context, x: Array) -> Array:
    data = np.ascontiguousarray(x)
    return np.asarray(_BITS_OF_BYTES[data.reshape(*x.shape, 1).view(np.uint8)].sum(-1, dtype=np.uint8))


def _clip(ctx: Context, t: Array, low: Array, high: Array) -> Array:
    for bound in (low, high):
        if bound.ndim and bound.shape != t.shape:
            raise RunError(f"a bound of the shape {list(bound.shape)} is neither one number nor of the values' shape")
    if t.dtype.kind == "c":  # part by part
        real, imaginary = (_within(ctx.xp, *(getattr(x, part) for x in (t, low, high))) for part in ("real", "imag"))
        return given(ctx, real + 1j * imaginary)
    return given(ctx, _within(ctx.xp, wide(t), wide(low), wide(high)))


def _within(xp: Any, x: Any, low: Any, high: Any) -> Any:
    return xp.minimum(xp.maximum(x, low), high)


def _select(ctx: Context, condition: Any, x: Any, y: Any) -> Any:
    """Select: a vector condition chooses rows, a single one everything; nothing else is broadcast."""
    if x.shape != y.shape:
        raise RunError(f"the shapes {list(x.shape)} and {list(y.shape)} of the two choices differ")
    if condition.shape != x.shape and condition.ndim:
        if condition.ndim != 1 or condition.shape != x.shape[:1]:
            raise RunError(f"a condition of the shape {list(condition.shape)} cannot choose from {list(x.shape)}")
        condition = condition.reshape(-1, *(1,) * (x.ndim - 1))
    return ctx.xp.where(condition, x, y)


def _select_v2(ctx: Context, condition: Any, x: Any, y: Any) -> Any:
    return ctx.xp.where(condition, x, y)


RULES: dict[str, Rule] = {
    "Abs": unary("abs"),
    "AccumulateNV2": _accumulate_n,
    "Acos": unary("arccos"),
    "Acosh": unary("arccosh"),
    "Add": _add_strings,
    "AddN": _add_n,
    "AddV2": binary("add"),
    "Angle": unary("angle"),
    "ApproximateEqual": _approximate_equal,
    "Asin": unary("arcsin"),
    "Asinh": unary("arcsinh"),
    "Atan": unary("arctan"),
    "Atan2": binary("arctan2"),
    "Atanh": unary("arctanh"),
    "BitwiseAnd": binary("bitwise_and"),
    "BitwiseOr": binary("bitwise_or"),
    "BitwiseXor": binary("bitwise_xor"),
    "Ceil": unary("ceil"),
    "ClipByValue": _clip,
    "Complex": binary(lambda xp, re, im: re + 1j * im),
    "ComplexAbs": unary("abs"),
    "Conj": unary("conj"),
    "Cos": unary("cos"),
    "Cosh": unary("cosh"),
    "Digamma": by_special(special.digamma),
    "Div": binary(_divide),
    "DivNoNan": binary(_zero_where(lambda xp, x, y: y == 0, lambda xp, x, y: x / xp.where(y == 0, 1, y))),
    "Equal": _equality("equal", False),
    "Erf": by_special(special.erf),
    "Erfc": by_special(special.erfc),
    "Erfinv": by_special(special.erfinv),
    "Exp": unary("exp"),
    "Expm1": unary("expm1"),
    "Floor": unary("floor"),
    "FloorDiv": binary(_floor_div),
    "FloorMod": binary(_floor_mod),
    "Greater": binary("greater"),
    "GreaterEqual": binary("greater_equal"),
    "Igamma": by_special(special.igamma),
    "Igammac": by_special(special.igammac),
    "Imag": unary("imag"),
    "Inv": unary(lambda xp, x: 1 / x),
    "Invert": unary("invert"),
    "IsFinite": unary("isfinite"),
    "IsInf": unary("isinf"),
    "IsNan": unary("isnan"),
    "LeftShift": binary(_shift("left_shift")),
    "Less": binary("less"),
    "LessEqual": binary("less_equal"),
    "Lgamma": by_special(special.lgamma),
    "Log": unary("log"),
    "Log1p": unary("log1p"),
    "LogicalAnd": binary("logical_and"),
    "LogicalNot": unary("logical_not"),
    "LogicalOr": binary("logical_or"),
    "Maximum": binary("maximum"),
    "Minimum": binary("minimum"),
    "Mod": binary(_mod),
    "Mul": binary("multiply"),
    "MulNoNan": binary(_zero_where(lambda xp, x, y: y == 0, lambda xp, x, y: xp.multiply(x, y))),
    "Ndtri": by_special(special.ndtri),
    "Neg": unary("negative"),
    "NextAfter": binary("nextafter"),
    "NotEqual": _equality("not_equal", True),
    "Polygamma": by_special(special.polygamma),
    "PopulationCount": _popcount,
    "Pow": binary(_pow),
    "Real": unary("real"),
    "RealDiv": binary("true_divide"),
    "Reciprocal": unary(lambda xp, x: 1 / x),
    "RightShift": binary(_shift("right_shift")),
    "Rint": unary("rint"),
    "Round": unary(_round),
    "Rsqrt": unary(lambda xp, x: 1 / xp.sqrt(x)),
    "Select": _select,
    "SelectV2": _select_v2,
    "Sign": unary(_sign),
    "Sin": unary("sin"),
    "Sinh": unary("sinh"),
    "Sqrt": unary("sqrt"),
    "Square": unary("square"),
    "SquaredDifference": binary(_square_of_difference),
    "Sub": binary("subtract"),
    "Tan": unary("tan"),
    "TruncateDiv": binary(_truncate_div),
    "TruncateMod": binary(_mod),
    "Xdivy": binary(_zero_where(lambda xp, x, y: x == 0, lambda xp, x, y: x / y)),
    "Xlog1py": binary(_zero_where(lambda xp, x, y: x == 0, lambda xp, x, y: x * xp.log1p(y))),
    "Xlogy": binary(_zero_where(lambda xp, x, y: x == 0, lambda xp, x, y: x * xp.log(y))),
    "Zeta": by_special(special.zeta),
}
