"""Reductions over axes and running sums. Sums of float32 are added up in float32, in XLA's order."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from ..numpy.reductions import axes, axis_of, finite_limits
from .arrays import float_to_integer
from .context import JaxContext, known

Reduction = Callable[[Any, Any, tuple[int, ...], bool], Any]


def _reduce(function: Reduction) -> Rule:
    def rule(ctx: JaxContext, x: Any, indices: Any, *, keep_dims: bool = False) -> Any:
        return given(ctx, function(ctx.xp, wide(x), axes(x, known(indices, "an axis")), keep_dims))

    return rule


def total(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The sum, in the kind of x."""
    return xp.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


def _mean(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    count = prod(x.shape[a] for a in axis)
    added = total(xp, x, axis, keepdims)
    if count == 0:
        return xp.full_like(added, np.nan) if x.dtype.kind == "f" else added
    if x.dtype.kind not in "iu":
        return added / added.dtype.type(count)
    divisor = np.asarray(count).astype(x.dtype)
    quotient = added // divisor
    return quotient + ((quotient < 0) & (quotient * divisor != added)).astype(quotient.dtype)


def _prod(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    return xp.prod(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


def _extreme(name: str, lowest: bool) -> Reduction:
    def apply(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        if x.dtype.kind == "f":
            start: Any = -np.inf if lowest else np.inf
        else:
            start = finite_limits(x.dtype)[0 if lowest else 1]
        if prod(x.shape[a] for a in axis):
            return getattr(xp, name)(x, axis=axis, keepdims=keepdims)
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims, initial=start)

    return apply


def _norm(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    if x.dtype.kind in "iu":
        squares = xp.sum(x * x, axis=axis, keepdims=keepdims, dtype=x.dtype)
        return float_to_integer(xp, xp.sqrt(squares.astype(np.float64)), x.dtype)
    return xp.sqrt(total(xp, xp.square(xp.abs(x)), axis, keepdims))


def _logic(name: str) -> Reduction:
    return lambda xp, x, axis, keepdims: getattr(xp, name)(x, axis=axis, keepdims=keepdims)


def _arg(name: str, worst: float) -> Rule:
    """The first place of the largest or smallest; NaN is neither."""

    def rule(ctx: JaxContext, x: Any, dimension: Any) -> Any:
        at = axis_of(known(dimension, "an axis"), x.ndim)
        if x.shape[at] == 0:
            raise RunError(f"the dimension {at} to look along is empty")
        values = wide(x)
        if values.dtype.kind == "f":
            values = ctx.xp.where(ctx.xp.isnan(values), np.asarray(worst, values.dtype), values)
        return given(ctx, getattr(ctx.xp, name)(values, axis=at))

    return rule


def _cumulative(function: str, start: Any) -> Rule:
    """Running sums along an axis; `exclusive` leaves out the element itself, `reverse` starts at the end."""

    def rule(ctx: JaxContext, x: Any, axis: Any, *, exclusive: bool = False, reverse: bool = False) -> Any:
        at = axis_of(known(axis, "an axis"), x.ndim)
        values = wide(x)
        if not values.size:
            return given(ctx, values)
        made = getattr(ctx.lax, function)(ctx.xp.asarray(values), axis=at, reverse=reverse)
        if exclusive:
            first, last = (1, made.shape[at]) if reverse else (0, made.shape[at] - 1)
            pairs = [(0, 0)] * made.ndim
            pairs[at] = (0, 1) if reverse else (1, 0)
            made = ctx.xp.pad(ctx.lax.slice_in_dim(made, first, last, axis=at), pairs, constant_values=start)
        return given(ctx, made)

    return rule


def _l2_loss(ctx: JaxContext, t: Any) -> Any:
    values = wide(t)
    return given(ctx, ctx.xp.sum(values * values, dtype=values.dtype) / 2)


def _bias_add_grad(ctx: JaxContext, gradient: Any, *, data_format: bytes = b"NHWC") -> Any:
    axis = 1 if data_format == b"NCHW" else gradient.ndim - 1
    return given(ctx, total(ctx.xp, wide(gradient), tuple(i for i in range(gradient.ndim) if i != axis), False))


RULES: dict[str, Rule] = {
    "All": _reduce(_logic("all")),
    "Any": _reduce(_logic("any")),
    "ArgMax": _arg("argmax", -np.inf),
    "ArgMin": _arg("argmin", np.inf),
    "BiasAddGrad": _bias_add_grad,
    "Cumprod": _cumulative("cumprod", 1),
    "Cumsum": _cumulative("cumsum", 0),
    "CumulativeLogsumexp": _cumulative("cumlogsumexp", -np.inf),
    "EuclideanNorm": _reduce(_norm),
    "L2Loss": _l2_loss,
    "Max": _reduce(_extreme("max", True)),
    "Mean": _reduce(_mean),
    "Min": _reduce(_extreme("min", False)),
    "Prod": _reduce(_prod),
    "Sum": _reduce(total),
}
