"""Ops that reduce: sums, means, extremes, logic, positions, segments, softmax and losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import wide


def axes(x: Array, indices: Array) -> tuple[int, ...]:
    """The axes that a reduction names, each once; RunError for one that there is not."""
    found = []
    for axis in np.asarray(indices).reshape(-1):
        at = int(axis) + x.ndim if axis < 0 else int(axis)
        if not 0 <= at < x.ndim:
            raise RunError(f"the axis {int(axis)} is not one of {x.ndim} dimensions")
        if at not in found:
            found.append(at)
    return tuple(found)


def _reduce(function: Callable[..., Any]) -> Rule:
    def rule(ctx: Context, x: Array, indices: Array, *, keep_dims: bool = False) -> Array:
        made = function(wide(x), axis=axes(x, indices), keepdims=keep_dims)
        return np.asarray(made).astype(ctx.dtype, copy=False)

    return rule


def _sum(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


def _prod(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(np.prod(x, axis=axis, keepdims=keepdims, dtype=x.dtype))


def _mean(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    count = int(np.prod([x.shape[a] for a in axis], dtype=np.int64))
    total = np.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)
    if x.dtype.kind in "iu":
        if count == 0:
            return total
        quotient = total // x.dtype.type(count)
        return np.asarray(quotient + ((quotient < 0) & (quotient * x.dtype.type(count) != total)))
    return np.asarray(total / x.dtype.type(count)) if count else np.full_like(total, np.nan)


def _max(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return np.asarray(np.max(x, axis=axis, keepdims=keepdims, initial=lowest))


def _min(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    highest = np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    return np.asarray(np.min(x, axis=axis, keepdims=keepdims, initial=highest))


def _norm(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(np.sqrt(np.sum(np.square(np.abs(x)), axis=axis, keepdims=keepdims)))


def _arg(function: Callable[..., Any]) -> Rule:
    def rule(ctx: Context, x: Array, dimension: Array) -> Array:
        at = axes(x, dimension)[0]
        if x.shape[at] == 0:
            raise RunError(f"the dimension {at} to look along is empty")
        return np.asarray(function(wide(x), axis=at)).astype(ctx.dtype)

    return rule


def _softmax(x: Array) -> Array:
    shifted = np.exp(x - np.max(x, axis=-1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / np.sum(shifted, axis=-1, keepdims=True))


def _log_softmax(x: Array) -> Array:
    shifted = x - np.max(x, axis=-1, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def _last_axis(function: Callable[[Array], Array]) -> Rule:
    def rule(ctx: Context, logits: Array) -> Array:
        return function(wide(logits)).astype(ctx.dtype, copy=False)

    return rule


def _l2_loss(ctx: Context, t: Array) -> Array:
    return np.asarray(np.sum(np.square(wide(t))) / 2).astype(ctx.dtype)


def _cross_entropy(ctx: Context, features: Array, labels: Array) -> tuple[Array, Array]:
    x, y = np.broadcast_arrays(wide(features), wide(labels))
    log_probability = _log_softmax(x)
    loss = -np.sum(np.where(y == 0, 0, y * log_probability), axis=-1)
    return loss.astype(ctx.dtype), (np.exp(log_probability) - y).astype(ctx.dtype)


def _sparse_cross_entropy(ctx: Context, features: Array, labels: Array) -> tuple[Array, Array]:
    if labels.size and (labels.min() < 0 or labels.max() >= features.shape[-1]):
        raise RunError(f"a label is outside of [0, {features.shape[-1]})")
    hot = np.zeros(features.shape, np.float32)
    hot[np.arange(len(labels)), labels] = 1
    return _cross_entropy(ctx, features, hot)


def _segment(function: Any, empty: Any, mean: bool = False) -> Rule:
    """Segments of sorted ids; ids that do not occur give `empty`."""

    def rule(ctx: Context, data: Array, ids: Array, *rest: Array) -> Array:
        count = int(rest[0]) if rest else (int(ids.reshape(-1)[-1]) + 1 if ids.size else 0)
        flat = data.reshape(-1, *data.shape[ids.ndim :])
        flat_ids = ids.reshape(-1)
        start = empty(data.dtype) if callable(empty) else empty
        out = np.full((count, *flat.shape[1:]), start, data.dtype)
        keep = (flat_ids >= 0) & (flat_ids < count)
        function.at(out, flat_ids[keep], flat[keep])
        if mean:
            sizes = np.bincount(flat_ids[keep], minlength=count).reshape(-1, *(1,) * (out.ndim - 1))
            out = (out / np.maximum(sizes, 1).astype(data.dtype)).astype(data.dtype)
        if not rest and not mean and callable(empty):  # SegmentMax and its like give 0 for ids that do not occur
            absent = np.bincount(flat_ids[keep], minlength=count) == 0
            out[absent] = 0
        return out

    return rule


def _lowest(dtype: np.dtype[Any]) -> Any:
    return np.finfo(dtype).min if dtype.kind == "f" else np.iinfo(dtype).min


def _highest(dtype: np.dtype[Any]) -> Any:
    return np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max


def _bincount(ctx: Context, values: Array, size: Array, weights: Array) -> Array:
    flat, count = values.reshape(-1), int(size)
    keep = flat < count
    if flat.size and flat.min() < 0:
        raise RunError("a value to count is negative")
    given = weights.reshape(-1)[keep] if weights.size else None
    return np.bincount(flat[keep], given, minlength=count).astype(ctx.dtype)


RULES: dict[str, Rule] = {
    "All": _reduce(np.all),
    "Any": _reduce(np.any),
    "ArgMax": _arg(np.argmax),
    "ArgMin": _arg(np.argmin),
    "Bincount": _bincount,
    "EuclideanNorm": _reduce(_norm),
    "L2Loss": _l2_loss,
    "LogSoftmax": _last_axis(_log_softmax),
    "Max": _reduce(_max),
    "Mean": _reduce(_mean),
    "Min": _reduce(_min),
    "Prod": _reduce(_prod),
    "SegmentMax": _segment(np.maximum, _lowest),
    "SegmentMean": _segment(np.add, 0, mean=True),
    "SegmentMin": _segment(np.minimum, _highest),
    "SegmentProd": _segment(np.multiply, 1),
    "SegmentSum": _segment(np.add, 0),
    "Softmax": _last_axis(_softmax),
    "SoftmaxCrossEntropyWithLogits": _cross_entropy,
    "SparseSoftmaxCrossEntropyWithLogits": _sparse_cross_entropy,
    "Sum": _reduce(_sum),
    "UnsortedSegmentMax": _segment(np.maximum, _lowest),
    "UnsortedSegmentMin": _segment(np.minimum, _highest),
    "UnsortedSegmentProd": _segment(np.multiply, 1),
    "UnsortedSegmentSum": _segment(np.add, 0),
}
