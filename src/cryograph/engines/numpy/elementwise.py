"""Ops on single elements: arithmetic, functions, comparisons, logic, bits, casts, activations.

Results have the dtype that the op declares. Integers wrap; division of integers by zero is an error, as in TensorFlow.
float16 and bfloat16 compute in float32 and are rounded once, which is what TensorFlow's CPU kernels give.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule

NARROW = frozenset({"float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"})


def wide(x: Array) -> Array:
    """Narrow floats as float32; anything else as it is."""
    return x.astype(np.float32) if x.dtype.name in NARROW else x


def _unary(function: Callable[[Any], Any]) -> Rule:
    def rule(ctx: Context, x: Array) -> Array:
        return np.asarray(function(wide(x))).astype(ctx.dtype, copy=False)

    return rule


def _binary(function: Callable[[Any, Any], Any]) -> Rule:
    def rule(ctx: Context, x: Array, y: Array) -> Array:
        return np.asarray(function(wide(x), wide(y))).astype(ctx.dtype, copy=False)

    return rule


def _compare(function: Callable[[Any, Any], Any]) -> Rule:
    def rule(ctx: Context, x: Array, y: Array) -> Array:
        return np.asarray(function(x, y), dtype=bool)

    return rule


def _equal(ctx: Context, x: Array, y: Array, *, incompatible_shape_error: bool = True) -> Array:
    return _equality(x, y, incompatible_shape_error, np.equal, False)


def _not_equal(ctx: Context, x: Array, y: Array, *, incompatible_shape_error: bool = True) -> Array:
    return _equality(x, y, incompatible_shape_error, np.not_equal, True)


def _equality(x: Array, y: Array, strict: bool, function: Callable[..., Any], unequal: bool) -> Array:
    if not strict:
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            return np.array(unequal)
    return np.asarray(function(x, y), dtype=bool)


def _no_zero(y: Array) -> None:
    if y.dtype.kind in "iu" and not np.all(y):
        raise RunError("Integer division by zero")


def _divide(ctx: Context, x: Array, y: Array) -> Array:
    """Div: truncates for integers."""
    return _truncate_div(ctx, x, y) if x.dtype.kind in "iu" else _real_div(ctx, x, y)


def _real_div(ctx: Context, x: Array, y: Array) -> Array:
    return np.asarray(np.true_divide(wide(x), wide(y))).astype(ctx.dtype, copy=False)


def _truncate_div(ctx: Context, x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu":
        _no_zero(y)
        quotient = np.floor_divide(x, y)
        return np.asarray(quotient + ((quotient < 0) & (quotient * y != x))).astype(ctx.dtype, copy=False)
    return np.asarray(np.trunc(np.true_divide(wide(x), wide(y)))).astype(ctx.dtype, copy=False)


def _floor_div(ctx: Context, x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu":
        _no_zero(y)
        return np.asarray(np.floor_divide(x, y)).astype(ctx.dtype, copy=False)
    return np.asarray(np.floor(np.true_divide(wide(x), wide(y)))).astype(ctx.dtype, copy=False)


def _floor_mod(ctx: Context, x: Array, y: Array) -> Array:
    _no_zero(y)
    if x.dtype.kind in "iu":
        return np.asarray(np.mod(x, y)).astype(ctx.dtype, copy=False)
    a, b = wide(x), wide(y)
    rest = np.fmod(a, b)
    return np.asarray(np.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest)).astype(ctx.dtype, copy=False)


def _mod(ctx: Context, x: Array, y: Array) -> Array:
    _no_zero(y)
    return np.asarray(np.fmod(wide(x), wide(y))).astype(ctx.dtype, copy=False)


def _zero_where(zero: Callable[[Any, Any], Any], function: Callable[[Any, Any], Any]) -> Rule:
    """A function that is 0 where `zero` says, whatever the operands."""

    def rule(ctx: Context, x: Array, y: Array) -> Array:
        a, b = np.broadcast_arrays(wide(x), wide(y))
        return np.asarray(np.where(zero(a, b), np.zeros((), a.dtype), function(a, b))).astype(ctx.dtype, copy=False)

    return rule


def _pow(x: Any, y: Any) -> Any:
    if x.dtype.kind in "iu" and np.any(y < 0):
        raise RunError("Integers to negative integer powers are not allowed")
    return np.power(x, y)


def _sign(x: Any) -> Any:
    if x.dtype.kind == "c":
        size = np.abs(x)
        return np.where(size == 0, 0, x / np.where(size == 0, 1, size))
    return np.sign(x)


def _round(x: Any) -> Any:
    # TensorFlow's kernel gives 0 for integers; its Python function never asks the kernel for them.
    return np.zeros_like(x) if x.dtype.kind in "iu" else np.rint(x)


def _reciprocal(x: Any) -> Any:
    if x.dtype.kind in "iu":
        _no_zero(x)
        return np.where(np.abs(x) == 1, x, 0)
    return 1 / x


_erf_all = np.vectorize(math.erf, otypes=[np.float64])
_erfc_all = np.vectorize(math.erfc, otypes=[np.float64])
_lgamma_all = np.vectorize(
    lambda v: math.inf if math.isinf(v) or (v <= 0 and v == int(v)) else math.lgamma(v), otypes=[np.float64]
)


def _by_math(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of the standard library, in float64; NaN stays NaN."""

    def apply(x: Any) -> Any:
        flat = np.asarray(x, np.float64)
        if flat.size == 0:
            return flat
        return np.where(np.isnan(flat), np.nan, function(np.where(np.isnan(flat), 1.0, flat)))

    return apply


def _digamma(x: Any) -> Any:
    """The derivative of lgamma: recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.18)."""
    x = np.asarray(x, np.float64)
    negative = x <= 0
    pole = negative & (x == np.floor(x))
    y = np.where(negative, 1 - x, x)
    shift = np.zeros_like(y)
    for _ in range(10):
        small = y < 10
        shift += np.where(small, 1 / y, 0)
        y = np.where(small, y + 1, y)
    inverse = 1 / (y * y)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))))
    value = np.log(y) - 0.5 / y - series - shift
    value = np.where(negative, value - np.pi / np.tan(np.pi * np.where(pole, 0.5, x)), value)
    return np.where(pole, np.nan, value)


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)) if x.dtype.kind != "c" else 1 / (1 + np.exp(-x))


def _softplus(x: Any) -> Any:
    return np.logaddexp(x, np.zeros((), x.dtype))


SELU_SCALE = 1.0507009873554804934193349852946
SELU_SCALE_ALPHA = 1.7580993408473768599402175208123


def _leaky_relu(ctx: Context, features: Array, *, alpha: float = 0.2) -> Array:
    x = wide(features)
    return np.where(x > 0, x, x * np.asarray(alpha, x.dtype)).astype(ctx.dtype, copy=False)


def _relu(x: Any) -> Any:
    return np.where(np.isnan(x), x, np.maximum(x, np.zeros((), x.dtype))) if x.dtype.kind == "f" else np.maximum(x, 0)


def _approximate_equal(ctx: Context, x: Array, y: Array, *, tolerance: float = 1e-5) -> Array:
    return np.asarray(np.abs(x - y) < np.asarray(tolerance, x.dtype))


def _cast(ctx: Context, x: Array, *, Truncate: bool = False) -> Array:
    target = ctx.dtype
    if x.dtype == target:
        return x
    if target.kind == "b":
        return np.asarray(x != 0)
    if Truncate and x.dtype.kind == "f" and target.name in ("bfloat16", "float16", "float32"):
        return _truncated(x, target)
    if x.dtype.kind == "c" and target.kind != "c":
        x = x.real
    if target.kind in "iu" and (x.dtype.kind == "f" or x.dtype.name in NARROW):
        return _float_to_integer(wide(x), target)
    return x.astype(target)


def _float_to_integer(x: Array, target: np.dtype[Any]) -> Array:
    """As x86 converts: NaN and what does not fit become the smallest int32 or int64, of which narrow kinds take the low
    bits; unsigned kinds go through int64."""
    through = np.int64 if target.itemsize == 8 or target.kind == "u" else np.int32
    info = np.iinfo(through)
    fits = (x >= float(info.min)) & (x < float(info.max))
    return np.where(fits, x, float(info.min)).astype(through).astype(target)


def _truncated(x: Array, target: np.dtype[Any]) -> Array:
    """The nearest value of the narrower kind that is not farther from zero."""
    rounded = x.astype(target)
    beyond = np.abs(rounded.astype(x.dtype)) > np.abs(x)
    bits = rounded.view(np.dtype(f"u{target.itemsize}"))
    return np.where(beyond, bits - bits.dtype.type(1), bits).astype(bits.dtype).view(target)


def _bitcast(ctx: Context, x: Array) -> Array:
    target = ctx.dtype
    if target.itemsize == x.dtype.itemsize:
        return x.view(target)
    data = np.ascontiguousarray(x)
    if target.itemsize < x.dtype.itemsize:
        return data.reshape(*x.shape, 1).view(target)
    return data.view(target).reshape(x.shape[:-1])


def _clip(ctx: Context, t: Array, low: Array, high: Array) -> Array:
    return np.minimum(np.maximum(t, low), high).astype(ctx.dtype, copy=False)


def _select(ctx: Context, condition: Array, x: Array, y: Array) -> Array:
    """Select: a vector condition chooses rows."""
    if condition.ndim == 1 and x.ndim > 1:
        condition = condition.reshape(-1, *(1,) * (x.ndim - 1))
    return np.where(condition, x, y)


def _select_v2(ctx: Context, condition: Array, x: Array, y: Array) -> Array:
    return np.where(condition, x, y)


def _add_n(ctx: Context, *inputs: Array) -> Array:
    total = wide(inputs[0])
    for item in inputs[1:]:
        total = total + wide(item)
    return np.asarray(total).astype(ctx.dtype, copy=False)


def _add_strings(ctx: Context, x: Array, y: Array) -> Array:
    if x.dtype.kind == "O":
        return np.asarray(x + y, dtype=object)
    return np.asarray(np.add(wide(x), wide(y))).astype(ctx.dtype, copy=False)


def _shift(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(x: Any, y: Any) -> Any:
        return function(x, np.clip(y, 0, x.dtype.itemsize * 8 - 1))

    return apply


def _popcount(ctx: Context, x: Array) -> Array:
    return np.asarray(np.bitwise_count(x.view(np.dtype(f"u{x.dtype.itemsize}"))).astype(np.uint8))


def _relu_grad(ctx: Context, gradients: Array, features: Array) -> Array:
    return np.where(features > 0, gradients, np.zeros((), gradients.dtype))


def _angle(x: Any) -> Any:
    return np.angle(x)


RULES: dict[str, Rule] = {
    "Abs": _unary(np.abs),
    "Acos": _unary(np.arccos),
    "Acosh": _unary(np.arccosh),
    "Add": _add_strings,
    "AddN": _add_n,
    "AddV2": _binary(np.add),
    "AccumulateNV2": _add_n,
    "Angle": _unary(_angle),
    "ApproximateEqual": _approximate_equal,
    "Asin": _unary(np.arcsin),
    "Asinh": _unary(np.arcsinh),
    "Atan": _unary(np.arctan),
    "Atan2": _binary(np.arctan2),
    "Atanh": _unary(np.arctanh),
    "Bitcast": _bitcast,
    "BitwiseAnd": _binary(np.bitwise_and),
    "BitwiseOr": _binary(np.bitwise_or),
    "BitwiseXor": _binary(np.bitwise_xor),
    "Cast": _cast,
    "Ceil": _unary(np.ceil),
    "ClipByValue": _clip,
    "Complex": _binary(lambda re, im: re + 1j * im),
    "ComplexAbs": _unary(np.abs),
    "Conj": _unary(np.conj),
    "Cos": _unary(np.cos),
    "Cosh": _unary(np.cosh),
    "Digamma": _unary(_digamma),
    "Div": _divide,
    "DivNoNan": _zero_where(lambda x, y: y == 0, lambda x, y: x / np.where(y == 0, 1, y)),
    "Elu": _unary(lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x)),
    "Equal": _equal,
    "Erf": _unary(_by_math(_erf_all)),
    "Erfc": _unary(_by_math(_erfc_all)),
    "Exp": _unary(np.exp),
    "Expm1": _unary(np.expm1),
    "Floor": _unary(np.floor),
    "FloorDiv": _floor_div,
    "FloorMod": _floor_mod,
    "Greater": _compare(np.greater),
    "GreaterEqual": _compare(np.greater_equal),
    "Imag": _unary(np.imag),
    "Inv": _unary(_reciprocal),
    "Invert": _unary(np.invert),
    "IsFinite": _unary(np.isfinite),
    "IsInf": _unary(np.isinf),
    "IsNan": _unary(np.isnan),
    "LeakyRelu": _leaky_relu,
    "LeftShift": _binary(_shift(np.left_shift)),
    "Less": _compare(np.less),
    "LessEqual": _compare(np.less_equal),
    "Lgamma": _unary(_by_math(_lgamma_all)),
    "Log": _unary(np.log),
    "Log1p": _unary(np.log1p),
    "LogicalAnd": _compare(np.logical_and),
    "LogicalNot": lambda ctx, x: np.logical_not(x),
    "LogicalOr": _compare(np.logical_or),
    "Maximum": _binary(np.maximum),
    "Minimum": _binary(np.minimum),
    "Mod": _mod,
    "Mul": _binary(np.multiply),
    "MulNoNan": _zero_where(lambda x, y: y == 0, np.multiply),
    "Neg": _unary(np.negative),
    "NextAfter": _binary(np.nextafter),
    "NotEqual": _not_equal,
    "PopulationCount": _popcount,
    "Pow": _binary(_pow),
    "Real": _unary(np.real),
    "RealDiv": _real_div,
    "Reciprocal": _unary(_reciprocal),
    "Relu": _unary(_relu),
    "Relu6": _unary(lambda x: np.where(np.isnan(x), x, np.clip(x, 0, 6)) if x.dtype.kind == "f" else np.clip(x, 0, 6)),
    "ReluGrad": _relu_grad,
    "RightShift": _binary(_shift(np.right_shift)),
    "Rint": _unary(np.rint),
    "Round": _unary(_round),
    "Rsqrt": _unary(lambda x: 1 / np.sqrt(x)),
    "Select": _select,
    "SelectV2": _select_v2,
    "Selu": _unary(lambda x: np.where(x < 0, SELU_SCALE_ALPHA * np.expm1(np.minimum(x, 0)), SELU_SCALE * x)),
    "Sigmoid": _unary(_sigmoid),
    "Sign": _unary(_sign),
    "Sin": _unary(np.sin),
    "Sinh": _unary(np.sinh),
    "Softplus": _unary(_softplus),
    "Softsign": _unary(lambda x: x / (1 + np.abs(x))),
    "Sqrt": _unary(np.sqrt),
    "Square": _unary(np.square),
    "SquaredDifference": _binary(lambda x, y: np.conj(x - y) * (x - y)),
    "Sub": _binary(np.subtract),
    "Tan": _unary(np.tan),
    "Tanh": _unary(np.tanh),
    "TruncateDiv": _truncate_div,
    "TruncateMod": _mod,
    "Xdivy": _zero_where(lambda x, y: x == 0, lambda x, y: x / y),
    "Xlog1py": _zero_where(lambda x, y: x == 0, lambda x, y: x * np.log1p(y)),
    "Xlogy": _zero_where(lambda x, y: x == 0, lambda x, y: x * np.log(y)),
}
