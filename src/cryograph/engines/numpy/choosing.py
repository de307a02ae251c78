"""Ops that choose elements by their value or rank: where, unique, differences of lists, largest ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import wide


def index_dtype(ctx: Context, output: int = 1) -> np.dtype[Any]:
    """The numpy dtype of a later output."""
    held = ctx.output_dtypes[output].numpy
    return np.dtype(np.int32) if held is None else held


def _where(ctx: Context, condition: Array) -> Array:
    if condition.ndim == 0:
        raise RunError("a single number has no places; an array was expected")
    return np.argwhere(condition != 0).astype(np.int64).reshape(-1, condition.ndim)


def _distinct(x: Array) -> tuple[Array, Array]:
    """For a vector the places at which each value comes first, in order, and the rank of each element's value."""
    _, first, inverse = np.unique(wide(x), return_index=True, return_inverse=True, equal_nan=False)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.reshape(-1)]


def _unique(ctx: Context, x: Array) -> tuple[Array, Array]:
    if x.ndim != 1:
        raise RunError(f"a tensor of {x.ndim} dimensions was given where a vector is expected")
    first, rank = _distinct(x)
    return x[first], rank.astype(index_dtype(ctx))


def _with_counts(ctx: Context, values: Array, inverse: Array) -> tuple[Array, Array, Array]:
    count = len(values) if not inverse.size else int(inverse.max()) + 1
    return values, inverse, np.bincount(inverse, minlength=count).astype(index_dtype(ctx, 2))


def _unique_with_counts(ctx: Context, x: Array) -> tuple[Array, Array, Array]:
    return _with_counts(ctx, *_unique(ctx, x))


def _unique_v2(ctx: Context, x: Array, axis: Array) -> tuple[Array, Array]:
    """The distinct slices along an axis, those of a vector where none is named."""
    if axis.size == 0:
        return _unique(ctx, x)
    at = int(axis.reshape(-1)[0])
    if not -x.ndim <= at < x.ndim:
        raise RunError(f"the axis {at} is not one of {x.ndim} dimensions")
    rows = np.moveaxis(x, at, 0)
    keys = [row.tobytes() if row.dtype.kind != "O" else tuple(row.reshape(-1).tolist()) for row in rows]
    seen: dict[Any, int] = {}
    ranks = [seen.setdefault(key, len(seen)) for key in keys]
    first = [ranks.index(rank) for rank in range(len(seen))]
    return np.take(x, np.array(first, np.int64), at), np.array(ranks, index_dtype(ctx))


def _unique_with_counts_v2(ctx: Context, x: Array, axis: Array) -> tuple[Array, Array, Array]:
    return _with_counts(ctx, *_unique_v2(ctx, x, axis))


def _list_diff(ctx: Context, x: Array, y: Array) -> tuple[Array, Array]:
    """What of x is not in y, with its places."""
    places = np.flatnonzero(~np.isin(wide(x), wide(y)))
    return x[places], places.astype(index_dtype(ctx))


def _invert_permutation(ctx: Context, x: Array) -> Array:
    if not np.array_equal(np.sort(x), np.arange(x.size)):
        raise RunError(f"{x.tolist()[:20]} is no order of {x.size} elements")
    out = np.empty_like(x)
    out[x] = np.arange(len(x), dtype=x.dtype)
    return out


def _top_k(values: Array, k: int, dtype: Any) -> tuple[Array, Array]:
    """The largest, equal ones in the order of their indices."""
    if values.ndim == 0 or not 0 <= k <= values.shape[-1]:
        raise RunError(f"the {k} largest were asked for of the shape {list(values.shape)}")
    backward = np.argsort(wide(values)[..., ::-1], -1, kind="stable")[..., ::-1]
    best = values.shape[-1] - 1 - backward[..., :k]
    return np.take_along_axis(values, best, -1), best.astype(dtype)


def _top_k_v1(ctx: Context, x: Array, *, k: int, sorted: bool = True) -> tuple[Array, Array]:
    return _top_k(x, k, np.int32)


def _top_k_v2(ctx: Context, x: Array, k: Array, *, sorted: bool = True) -> tuple[Array, Array]:
    return _top_k(x, int(k), index_dtype(ctx))


def _approx_top_k(
    ctx: Context,
    x: Array,
    *,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    is_max_k: bool = True,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Array, Array]:
    """The largest (or smallest) along a dimension, none of them missed, as TensorFlow has it on processors."""
    if not -x.ndim <= reduction_dimension < x.ndim:
        raise RunError(f"the dimension {reduction_dimension} is not one of {x.ndim}")
    rows = np.moveaxis(x, reduction_dimension, -1)
    _, best = _top_k(rows if is_max_k else -rows, k, np.int32)
    made = np.take_along_axis(rows, best, -1)
    return np.moveaxis(made, -1, reduction_dimension), np.moveaxis(best, -1, reduction_dimension)


def _in_top_k(ctx: Context, predictions: Array, targets: Array, k: Array) -> Array:
    """Whether fewer than k classes have a larger score than the target. A score that is not finite forbids an answer,
    unless more than k larger ones came before it."""
    if predictions.ndim != 2 or targets.shape != predictions.shape[:1]:
        raise RunError(f"targets of {list(targets.shape)} do not fit predictions of {list(predictions.shape)}")
    count = int(k)
    good = (targets >= 0) & (targets < predictions.shape[1])
    mine = predictions[np.arange(len(targets)), np.where(good, targets, 0)]
    larger = predictions > mine[:, None]
    before: Array = np.cumsum(larger, 1) - larger
    unclear = np.any(~np.isfinite(predictions) & (before <= count), 1)
    return np.asarray(good & np.isfinite(mine) & ~unclear & (larger.sum(1) < count))


def _in_top_k_v1(ctx: Context, predictions: Array, targets: Array, *, k: int) -> Array:
    return _in_top_k(ctx, predictions, targets, np.array(k))


def _nth_element(ctx: Context, x: Array, n: Array, *, reverse: bool = False) -> Array:
    at = int(n)
    if x.ndim == 0 or not 0 <= at < x.shape[-1]:
        raise RunError(f"the element {at} was asked for of the shape {list(x.shape)}")
    at = x.shape[-1] - 1 - at if reverse else at
    return np.asarray(np.partition(wide(x), at, -1)[..., at]).astype(ctx.dtype)


RULES: dict[str, Rule] = {
    "ApproxTopK": _approx_top_k,
    "InTopK": _in_top_k_v1,
    "InTopKV2": _in_top_k,
    "InvertPermutation": _invert_permutation,
    "ListDiff": _list_diff,
    "NthElement": _nth_element,
    "TopK": _top_k_v1,
    "TopKV2": _top_k_v2,
    "Unique": _unique,
    "UniqueV2": _unique_v2,
    "UniqueWithCounts": _unique_with_counts,
    "UniqueWithCountsV2": _unique_with_counts_v2,
    "Where": _where,
}
