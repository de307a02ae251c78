"""Sums over axes and running sums. Sums of float32 are added up in float32, in XLA's order."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from ..numpy.reductions import axis_of, mean_by, norm_by, reducing
from .context import JaxContext, known


def total(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The sum, in the kind of x."""
    return xp.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


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
    "BiasAddGrad": _bias_add_grad,
    "Cumprod": _cumulative("cumprod", 1),
    "Cumsum": _cumulative("cumsum", 0),
    "CumulativeLogsumexp": _cumulative("cumlogsumexp", -np.inf),
    "EuclideanNorm": reducing(norm_by(total)),
    "L2Loss": _l2_loss,
    "Mean": reducing(mean_by(total)),
    "Sum": reducing(total),
}
