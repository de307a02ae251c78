"""Arithmetic and functions of single elements, where JAX needs another form than numpy.

Where a function has a kink, the derivative there is TensorFlow's: 0 of a rectifier at 0, all of it to the first of two
equal operands of a maximum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import RULES as PLAIN
from ..numpy.elementwise import binary, given, unary, wide
from .context import JaxContext, check
from .rows import is_list, sum_of_lists

Function = Callable[..., Any]


def special(name: str) -> Rule:
    """A function of jax.scipy.special."""

    def rule(ctx: JaxContext, *inputs: Any) -> Any:
        return given(ctx, getattr(ctx.jax.scipy.special, name)(*(wide(x) for x in inputs)))

    return rule


def _lgamma(ctx: JaxContext, x: Any) -> Any:
    """In float64: near its zeros float32 has too few digits."""
    return given(ctx, ctx.jax.scipy.special.gammaln(x.astype(np.float64)))


def _incomplete(name: str) -> Rule:
    """An incomplete gamma function, which there is not for a = 0."""

    def rule(ctx: JaxContext, a: Any, x: Any) -> Any:
        made = getattr(ctx.jax.scipy.special, name)(wide(a), wide(x))
        return given(ctx, ctx.xp.where(a == 0, np.nan, made))

    return rule


def _whole(x: Any) -> bool:
    return x.dtype.kind in "iu"


def _no_zero(xp: Any, y: Any) -> None:
    if _whole(y):
        check(y == 0, "Integer division by zero")


def _truncated(xp: Any, x: Any, y: Any) -> Any:
    if not _whole(x):
        return xp.trunc(xp.true_divide(x, y))
    _no_zero(xp, y)
    quotient = xp.floor_divide(x, y)
    return quotient + ((quotient < 0) & (quotient * y != x)).astype(quotient.dtype)


def _divide(xp: Any, x: Any, y: Any) -> Any:
    return _truncated(xp, x, y) if _whole(x) else xp.true_divide(x, y)


def _floor_div(xp: Any, x: Any, y: Any) -> Any:
    if not _whole(x):
        return xp.floor(xp.true_divide(x, y))
    _no_zero(xp, y)
    return xp.floor_divide(x, y)


def _floor_mod(xp: Any, x: Any, y: Any) -> Any:
    if _whole(x):
        _no_zero(xp, y)
        return xp.mod(x, y)
    rest = xp.fmod(x, y)
    return xp.where((rest != 0) & ((y < 0) != (rest < 0)), rest + y, rest)


def _mod(xp: Any, x: Any, y: Any) -> Any:
    _no_zero(xp, y)
    return xp.fmod(x, y)


def _pow(xp: Any, x: Any, y: Any) -> Any:
    if not _whole(x):
        return xp.power(x, y)
    check(y < 0, "Integers to negative integer powers are not allowed")
    return xp.power(x, y)


def _zero_where_x(function: Function) -> Function:
    """A function that is 0 where x is 0, whatever y is; so are its derivatives."""

    def apply(xp: Any, x: Any, y: Any) -> Any:
        x, y = xp.broadcast_arrays(x, y)
        zero = x == 0
        return xp.where(zero, xp.zeros((), x.dtype), function(xp, x, xp.where(zero, xp.ones((), y.dtype), y)))

    return apply


def _larger(xp: Any, x: Any, y: Any) -> Any:
    x, y = xp.broadcast_arrays(x, y)
    return xp.where((x >= y) | (x != x), x, y)


def _smaller(xp: Any, x: Any, y: Any) -> Any:
    x, y = xp.broadcast_arrays(x, y)
    return xp.where((x <= y) | (x != x), x, y)


def _clip(ctx: JaxContext, t: Any, low: Any, high: Any) -> Any:
    for bound in (low, high):
        if bound.ndim and bound.shape != t.shape:
            raise RunError(f"a bound of the shape {list(bound.shape)} is neither one number nor of the values' shape")
    x, least, most = wide(t), wide(low), wide(high)
    if t.dtype.kind == "c":
        parts = (
            ctx.xp.minimum(ctx.xp.maximum(getattr(x, part), getattr(least, part)), getattr(most, part))
            for part in ("real", "imag")
        )
        real, imaginary = parts
        return given(ctx, real + 1j * imaginary)
    raised = ctx.xp.where(x < least, least, x)
    return given(ctx, ctx.xp.where(raised > most, most, raised))


def _size(xp: Any, x: Any) -> Any:
    """What has an infinite part is infinite, even beside no number."""
    endless = xp.isinf(x.real) | xp.isinf(x.imag)
    return xp.where(endless, xp.asarray(np.inf, x.real.dtype), xp.abs(xp.where(endless, xp.ones((), x.dtype), x)))


def _add_n(ctx: JaxContext, *inputs: Any) -> Any:
    return sum_of_lists(ctx, inputs) if is_list(inputs[0]) else PLAIN["AddN"](ctx, *inputs)


def _popcount(ctx: JaxContext, x: Any) -> Any:
    return ctx.lax.population_count(x).astype(np.uint8)


def _relu(xp: Any, x: Any) -> Any:
    return xp.where(x <= 0, xp.zeros((), x.dtype), x)


def _relu6(xp: Any, x: Any) -> Any:
    return xp.where(x >= 6, xp.asarray(6, x.dtype), _relu(xp, x))


def _next_after(ctx: JaxContext, x: Any, y: Any) -> Any:
    return ctx.xp.nextafter(x, y)


def _polygamma(ctx: JaxContext, n: Any, x: Any) -> Any:
    xp, sp = ctx.xp, ctx.jax.scipy.special
    order = xp.maximum(n, 1)
    made = xp.where(n == 0, sp.digamma(x), (-1.0) ** (n + 1) * xp.exp(sp.gammaln(n + 1)) * sp.zeta(order + 1, x))
    return given(ctx, xp.where((n < 0) | (n != xp.floor(n)), np.nan, made))


def _check_numerics(ctx: JaxContext, tensor: Any, *, message: bytes) -> Any:
    check(~ctx.xp.isfinite(tensor), f"{message.decode('utf-8', 'replace')} : Tensor had Inf or NaN values")
    return tensor


RULES: dict[str, Rule] = {
    "AccumulateNV2": _add_n,
    "Add": binary("add"),
    "AddN": _add_n,
    "CheckNumerics": _check_numerics,
    "CheckNumericsV2": _check_numerics,
    "ClipByValue": _clip,
    "ComplexAbs": unary(_size),
    "Digamma": special("digamma"),
    "Div": binary(_divide),
    "Erf": special("erf"),
    "Erfc": special("erfc"),
    "Erfinv": special("erfinv"),
    "FloorDiv": binary(_floor_div),
    "FloorMod": binary(_floor_mod),
    "Igamma": _incomplete("gammainc"),
    "Igammac": _incomplete("gammaincc"),
    "Lgamma": _lgamma,
    "Maximum": binary(_larger),
    "Minimum": binary(_smaller),
    "Mod": binary(_mod),
    "Ndtri": special("ndtri"),
    "NextAfter": _next_after,
    "Polygamma": _polygamma,
    "PopulationCount": _popcount,
    "Pow": binary(_pow),
    "Relu": unary(_relu),
    "Relu6": unary(_relu6),
    "TruncateDiv": binary(_truncated),
    "TruncateMod": binary(_mod),
    "Xdivy": binary(_zero_where_x(lambda xp, x, y: x / y)),
    "Xlog1py": binary(_zero_where_x(lambda xp, x, y: x * xp.log1p(y))),
    "Xlogy": binary(_zero_where_x(lambda xp, x, y: x * xp.log(y))),
    "Zeta": special("zeta"),
}
