"""Largest elements and orders. Ops whose result is as large as values say are left to other engines."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from .context import JaxContext, check, known, number


def _top_k(ctx: JaxContext, values: Any, k: int, dtype: Any) -> tuple[Any, Any]:
    """The largest, equal ones in the order of their indices."""
    if values.ndim == 0 or not 0 <= k <= values.shape[-1]:
        raise RunError(f"the {k} largest were asked for of the shape {list(values.shape)}")
    xp = ctx.xp
    size = values.shape[-1]
    backward = size - 1 - xp.argsort(wide(values)[..., ::-1], axis=-1, stable=True)[..., ::-1]
    best = backward[..., :k]
    return xp.take_along_axis(xp.asarray(values), best, -1), best.astype(dtype)


def _top_k_v1(ctx: JaxContext, x: Any, *, k: int, sorted: bool = True) -> tuple[Any, Any]:
    return _top_k(ctx, x, k, np.int32)


def _top_k_v2(ctx: JaxContext, x: Any, k: Any, *, sorted: bool = True) -> tuple[Any, Any]:
    return _top_k(ctx, x, number(k, "how many are asked for"), ctx.kind(1))


def _in_top_k(ctx: JaxContext, predictions: Any, targets: Any, k: Any) -> Any:
    """Whether fewer than k classes have a larger score than the target; see the reference engine."""
    if predictions.ndim != 2 or targets.shape != predictions.shape[:1]:
        raise RunError(f"targets of {list(targets.shape)} do not fit predictions of {list(predictions.shape)}")
    xp = ctx.xp
    scores = xp.asarray(predictions)
    good = (targets >= 0) & (targets < scores.shape[1])
    mine = scores[np.arange(len(targets)), xp.where(good, targets, 0)]
    larger = scores > mine[:, None]
    before = xp.cumsum(larger, 1) - larger
    unclear = xp.any(~xp.isfinite(scores) & (before <= k), 1)
    return good & xp.isfinite(mine) & ~unclear & (larger.sum(1) < k)


def _in_top_k_v1(ctx: JaxContext, predictions: Any, targets: Any, *, k: int) -> Any:
    return _in_top_k(ctx, predictions, targets, np.array(k))


def _nth_element(ctx: JaxContext, x: Any, n: Any, *, reverse: bool = False) -> Any:
    at = number(n)
    if x.ndim == 0 or not 0 <= at < x.shape[-1]:
        raise RunError(f"the element {at} was asked for of the shape {list(x.shape)}")
    at = x.shape[-1] - 1 - at if reverse else at
    return given(ctx, ctx.xp.sort(wide(x), axis=-1)[..., at])


def _invert_permutation(ctx: JaxContext, x: Any) -> Any:
    check(ctx.xp.sort(ctx.xp.asarray(x)) != np.arange(x.size), f"no order of {x.size} elements was given")
    return ctx.xp.zeros_like(x).at[x].set(np.arange(x.size, dtype=x.dtype))


def _where(ctx: JaxContext, condition: Any) -> Any:
    held = known(condition, "what says how many places there are")
    if held.ndim == 0:
        raise RunError("a single number has no places; an array was expected")
    return np.argwhere(held != 0).astype(np.int64).reshape(-1, held.ndim)


RULES: dict[str, Rule] = {
    "InTopK": _in_top_k_v1,
    "InTopKV2": _in_top_k,
    "InvertPermutation": _invert_permutation,
    "NthElement": _nth_element,
    "TopK": _top_k_v1,
    "TopKV2": _top_k_v2,
    "Where": _where,
}
