"""How often numbers come: in sparse and ragged tensors, as dense counts or as sparse ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .ragged import check_splits, row_ids


def _counted(
    rows: Array, values: Array, weights: Array, count: int, size: int, binary: bool, dtype: Any, is_flat: bool
) -> Array:
    """Rows of counts, or of sums of weights; numbers of `size` and more are left out."""
    if (values < 0).any():
        raise RunError("what is counted must not be negative")
    if weights.size and weights.size != values.size:
        raise RunError(f"{weights.size} weights were given for {values.size} numbers")
    keep = values < size
    out = np.zeros((count, size), dtype)
    places = rows[keep], values[keep]
    if binary:
        out[places] = 1
    else:
        np.add.at(out, places, weights.reshape(-1)[keep] if weights.size else dtype.type(1))
    return out[0] if is_flat else out


def _size_of(size: Array) -> int:
    if size.size != 1 or int(size.reshape(-1)[0]) < 0:
        raise RunError(f"the number of bins is {size.tolist()}")
    return int(size.reshape(-1)[0])


def _sparse_bincount(
    ctx: Context,
    indices: Array,
    values: Array,
    shape: Array,
    size: Array,
    weights: Array,
    *,
    binary_output: bool = False,
) -> Array:
    bins = _size_of(size)
    if indices.ndim != 2 or len(indices) != len(values) or len(shape) not in (1, 2):
        raise RunError(f"indices of {list(indices.shape)} and {len(values)} values are no sparse vector or matrix")
    is_flat = len(shape) == 1
    rows = np.zeros(len(values), np.int64) if is_flat else indices[:, 0]
    count = 1 if is_flat else int(shape[0])
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise RunError(f"a row is not in [0, {count})")
    return _counted(rows, values, weights, count, bins, binary_output, ctx.dtype, is_flat)


def _ragged_bincount(
    ctx: Context, splits: Array, values: Array, size: Array, weights: Array, *, binary_output: bool = False
) -> Array:
    check_splits(splits, len(values))
    bins = _size_of(size)
    return _counted(row_ids(splits), values, weights, len(splits) - 1, bins, binary_output, ctx.dtype, False)


def _as_sparse(
    ctx: Context,
    rows: Array | None,
    values: Array,
    weights: Array,
    count: int,
    minlength: int,
    maxlength: int,
    binary: bool,
) -> tuple[Array, Array, Array]:
    """What is counted as a sparse vector, or with rows as a sparse matrix; numbers of `maxlength` and more are left
    out, and its last size is at least `minlength`."""
    if weights.size and weights.size != values.size:
        raise RunError(f"{weights.size} weights were given for {values.size} numbers")
    if (values < 0).any():
        raise RunError("what is counted must not be negative")
    keep = values < maxlength if maxlength >= 0 else np.ones(values.shape, bool)
    kept, of = values[keep].astype(np.int64), (np.zeros(len(values), np.int64) if rows is None else rows)[keep]
    given = weights.reshape(-1)[keep] if weights.size else np.ones(len(kept), ctx.output_dtypes[1].numpy)
    pairs, inverse = np.unique(np.stack([of, kept], -1), axis=0, return_inverse=True)
    held = ctx.output_dtypes[1].numpy
    made = np.zeros(len(pairs), held)
    if binary:
        made[...] = 1
    else:
        np.add.at(made, inverse.reshape(-1), given)
    width = maxlength if maxlength >= 0 else max(minlength, int(kept.max()) + 1 if len(kept) else 0)
    if rows is None:
        return pairs[:, 1:], made, np.array([width], np.int64)
    return pairs, made, np.array([count, width], np.int64)


def _dense_count(
    ctx: Context, values: Array, weights: Array, *, minlength: int = -1, maxlength: int = -1, binary_output: bool
) -> tuple[Array, Array, Array]:
    if values.ndim not in (1, 2):
        raise RunError(f"vectors and matrices are counted, not {list(values.shape)}")
    rows = None if values.ndim == 1 else np.repeat(np.arange(len(values)), values.shape[1])
    flat = values.reshape(-1)
    return _as_sparse(ctx, rows, flat, weights, len(values), minlength, maxlength, binary_output)


def _sparse_count(
    ctx: Context,
    indices: Array,
    values: Array,
    shape: Array,
    weights: Array,
    *,
    minlength: int = -1,
    maxlength: int = -1,
    binary_output: bool,
) -> tuple[Array, Array, Array]:
    if indices.ndim != 2 or len(indices) != len(values) or len(shape) not in (1, 2):
        raise RunError(f"indices of {list(indices.shape)} and {len(values)} values are no sparse vector or matrix")
    rows = None if len(shape) == 1 else indices[:, 0]
    count = int(shape[0])
    if rows is not None and len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise RunError(f"a row is not in [0, {count})")
    return _as_sparse(ctx, rows, values, weights, count, minlength, maxlength, binary_output)


def _ragged_count(
    ctx: Context,
    splits: Array,
    values: Array,
    weights: Array,
    *,
    minlength: int = -1,
    maxlength: int = -1,
    binary_output: bool,
) -> tuple[Array, Array, Array]:
    check_splits(splits, len(values))
    return _as_sparse(ctx, row_ids(splits), values, weights, len(splits) - 1, minlength, maxlength, binary_output)


RULES: dict[str, Rule] = {
    "DenseCountSparseOutput": _dense_count,
    "RaggedBincount": _ragged_bincount,
    "RaggedCountSparseOutput": _ragged_count,
    "SparseBincount": _sparse_bincount,
    "SparseCountSparseOutput": _sparse_count,
}
