"""Gradients of sums, means and sums over roots of rows that indices name, group by group.

Source: segment_reduction_ops_impl.h.
"""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import wide


def _given(gradient: Array, indices: Array, ids: Array, rows: Array, power: float) -> tuple[Array, int]:
    """(N, ...): what each index adds to its row, and the number of rows; RunError where they do not fit."""
    if indices.ndim != 1 or indices.shape != ids.shape:
        raise RunError(f"indices of {list(indices.shape)} and ids of {list(ids.shape)} were given")
    if rows.ndim or gradient.ndim < 1:
        raise RunError(f"{list(rows.shape)} rows and gradients of {list(gradient.shape)} were given")
    count, groups = int(rows), len(gradient)
    if count < 0:
        raise RunError(f"the number of rows, {count}, is negative")
    if not count or not ids.size:
        return np.zeros((0, *gradient.shape[1:]), wide(gradient).dtype), count
    if ids.min() < 0 or ids.max() >= groups:
        raise RunError(f"a segment id is not in [0, {groups})")
    if indices.min() < 0 or indices.max() >= count:
        raise RunError(f"an index is not in [0, {count})")
    sizes = np.maximum(np.bincount(ids, minlength=groups), 1).astype(np.float64)
    scale = wide((sizes**-power).astype(gradient.dtype))
    return wide(gradient)[ids] * scale[ids].reshape(-1, *(1,) * (gradient.ndim - 1)), count


def _to_rows(power: float) -> Rule:
    """A gradient for each of the rows that could be named."""

    def rule(ctx: Context, gradient: Array, indices: Array, ids: Array, output_dim0: Array) -> Array:
        parts, count = _given(gradient, indices, ids, output_dim0, power)
        made = np.zeros((count, *gradient.shape[1:]), parts.dtype)
        if len(parts):
            np.add.at(made, indices, parts)
        return made.astype(ctx.dtype, copy=False)

    return rule


def _to_named_rows(power: float) -> Rule:
    """A gradient for each of the rows that were named, and their indices, which rise."""

    def rule(ctx: Context, gradient: Array, indices: Array, ids: Array, dense_dim0: Array) -> tuple[Array, Array]:
        parts, count = _given(gradient, indices, ids, dense_dim0, power)
        if not count:
            indices = indices[:0]
        found, places = np.unique(indices, return_inverse=True)
        made = np.zeros((len(found), *gradient.shape[1:]), parts.dtype)
        if len(parts):
            np.add.at(made, places.reshape(-1), parts)
        return made.astype(ctx.dtype, copy=False), found

    return rule


RULES: dict[str, Rule] = {
    "SparseSegmentMeanGrad": _to_rows(1.0),
    "SparseSegmentMeanGradV2": _to_named_rows(1.0),
    "SparseSegmentSqrtNGrad": _to_rows(0.5),
    "SparseSegmentSqrtNGradV2": _to_named_rows(0.5),
    "SparseSegmentSumGrad": _to_rows(0.0),
    "SparseSegmentSumGradV2": _to_named_rows(0.0),
}
