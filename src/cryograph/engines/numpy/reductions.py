"""Ops that reduce over axes: sums, means, extremes, logic, positions; and running sums."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import ml_dtypes
import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .casts import float_to_integer
from .context import Context, Rule
from .elementwise import given, wide

Reduction = Callable[[Any, Any, tuple[int, ...], bool], Any]
"""`reduction(xp, x, axes, keepdims)`."""

ACCUMULATORS = {np.dtype(np.float32): np.dtype(np.float64), np.dtype(np.complex64): np.dtype(np.complex128)}
"""In what sums are added up, where it is not their own kind: the order of adding then does not matter."""


def finite_limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The smallest and the largest finite number of a kind."""
    info: Any = np.iinfo(dtype) if dtype.kind in "iu" else ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
    return info.min, info.max


def axis_of(axis: Any, rank: int) -> int:
    """An axis counted from the front; RunError for one that there is not."""
    at = int(np.asarray(axis).reshape(-1)[0]) if np.size(axis) else rank
    if not -rank <= at < rank:
        raise RunError(f"the axis {at} is not one of {rank} dimensions")
    return at + rank if at < 0 else at


def axes(x: Array, indices: Array) -> tuple[int, ...]:
    """The axes that a reduction names; RunError for one that there is not or that is named twice."""
    found = tuple(axis_of(axis, x.ndim) for axis in np.asarray(indices).reshape(-1))
    if len(set(found)) < len(found):
        raise RunError(f"the axes {list(found)} name one dimension twice")
    return found


def reducing(function: Reduction) -> Rule:
    """The rule of `function(xp, x, axes, keepdims)`."""

    def rule(ctx: Context, x: Any, indices: Any, *, keep_dims: bool = False) -> Any:
        return given(ctx, function(ctx.xp, wide(x), axes(x, ctx.known(indices)), keep_dims))

    return rule


def total(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The sum, in the kind of x, added up in a wider one where there is one."""
    return xp.sum(x, axis=axis, keepdims=keepdims, dtype=ACCUMULATORS.get(x.dtype, x.dtype)).astype(x.dtype)


def _prod(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    return xp.prod(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


def _widely(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    return xp.sum(x, axis=axis, keepdims=keepdims, dtype=ACCUMULATORS.get(x.dtype, x.dtype))


def mean_by(added: Reduction) -> Reduction:
    """The mean of what is added up so."""

    def apply(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        count, sums = prod(x.shape[a] for a in axis), added(xp, x, axis, keepdims)
        if count == 0:
            return xp.full_like(sums, np.nan) if x.dtype.kind == "f" else sums
        if x.dtype.kind not in "iu":
            return sums / sums.dtype.type(count)
        divisor = np.asarray(count).astype(x.dtype)
        quotient = sums // divisor  # towards zero
        return quotient + ((quotient < 0) & (quotient * divisor != sums)).astype(quotient.dtype)

    return apply


def _extreme(name: str, lowest: bool) -> Reduction:
    def apply(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        if prod(x.shape[a] for a in axis):
            return getattr(xp, name)(x, axis=axis, keepdims=keepdims)
        if x.dtype.kind == "f":
            start: Any = -np.inf if lowest else np.inf
        else:
            start = finite_limits(x.dtype)[0 if lowest else 1]
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims, initial=start)

    return apply


def norm_by(added: Reduction) -> Reduction:
    """The root of the sum of squares that is added up so."""

    def apply(xp: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        if x.dtype.kind in "iu":  # the sum of squares wraps before its root is taken
            squares = xp.sum(x * x, axis=axis, keepdims=keepdims, dtype=x.dtype)
            return float_to_integer(xp, xp.sqrt(squares.astype(np.float64)), x.dtype)
        return xp.sqrt(added(xp, xp.square(xp.abs(x)), axis, keepdims))

    return apply


def _arg(name: str, worst: float) -> Rule:
    """The first place of the largest or smallest; NaN is neither."""

    def rule(ctx: Context, x: Any, dimension: Any) -> Any:
        at = axis_of(ctx.known(dimension), x.ndim)
        if x.shape[at] == 0:
            raise RunError(f"the dimension {at} to look along is empty")
        values = wide(x)
        if values.dtype.kind == "f":
            values = ctx.xp.where(ctx.xp.isnan(values), np.asarray(worst, values.dtype), values)
        return given(ctx, getattr(ctx.xp, name)(values, axis=at))

    return rule


def _logic(name: str) -> Reduction:
    return lambda xp, x, axis, keepdims: getattr(xp, name)(x, axis=axis, keepdims=keepdims)


def _cumulative(function: Any, start: Any) -> Rule:
    """Running sums of any kind along an axis; `exclusive` leaves out the element itself, `reverse` starts at the end.

    `start(dtype)` is what nothing adds up to.
    """

    def rule(ctx: Context, x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False) -> Array:
        at = axis_of(axis, x.ndim)
        values = np.moveaxis(wide(x), at, 0)
        if reverse:
            values = values[::-1]
        adding = values.astype(ACCUMULATORS.get(values.dtype, values.dtype), copy=False)
        if len(values):
            made = function.accumulate(adding, 0, dtype=adding.dtype)
            if exclusive:
                made = np.concatenate([np.full_like(made[:1], start), made[:-1]])
            values = made
        if reverse:
            values = values[::-1]
        return given(ctx, np.moveaxis(values, 0, at))

    return rule


SHARED: dict[str, Rule] = {
    "All": reducing(_logic("all")),
    "Any": reducing(_logic("any")),
    "ArgMax": _arg("argmax", -np.inf),
    "ArgMin": _arg("argmin", np.inf),
    "Max": reducing(_extreme("max", True)),
    "Min": reducing(_extreme("min", False)),
    "Prod": reducing(_prod),
}
"""Rules that compute with any array namespace."""

RULES: dict[str, Rule] = {
    **SHARED,
    "Cumprod": _cumulative(np.multiply, 1),
    "Cumsum": _cumulative(np.add, 0),
    "CumulativeLogsumexp": _cumulative(np.logaddexp, -np.inf),
    "EuclideanNorm": reducing(norm_by(total)),
    "Mean": reducing(mean_by(_widely)),
    "Sum": reducing(total),
}
