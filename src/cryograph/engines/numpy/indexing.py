"""Ops that pick elements by index or by rank: gathers, scatters, one-hot, unique, top-k, partitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import InputError, RunError
from ...base.tensors import Array
from .arrays import sizes_of
from .context import Context, Rule


def _gather(params: Array, indices: Array, axis: int, batch_dims: int) -> Array:
    axis = axis + params.ndim if axis < 0 else axis
    batch_dims = batch_dims + indices.ndim if batch_dims < 0 else batch_dims
    size = params.shape[axis]
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        bad = indices[(indices < 0) | (indices >= size)].reshape(-1)[0]
        raise RunError(f"the index {bad} is not in [0, {size})")
    if batch_dims == 0:
        return np.take(params, indices, axis)
    batch = params.shape[:batch_dims]
    flat_params = params.reshape(-1, *params.shape[batch_dims:])
    flat_indices = indices.reshape(-1, *indices.shape[batch_dims:])
    rows = [np.take(p, i, axis - batch_dims) for p, i in zip(flat_params, flat_indices, strict=True)]
    shape = params.shape[batch_dims:axis] + indices.shape[batch_dims:] + params.shape[axis + 1 :]
    made = np.stack(rows) if rows else np.empty((0, *shape), params.dtype)
    return made.reshape(*batch, *shape)


def _gather_v1(ctx: Context, params: Array, indices: Array) -> Array:
    return _gather(params, indices, 0, 0)


def _gather_v2(ctx: Context, params: Array, indices: Array, axis: Array, *, batch_dims: int = 0) -> Array:
    return _gather(params, indices, int(axis), batch_dims)


def _checked(indices: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
    limits = np.array(shape[: indices.shape[-1]], indices.dtype)
    bad = (indices < 0) | (indices >= limits)
    if np.any(bad):
        row = indices[np.any(bad, -1)].reshape(-1, indices.shape[-1])[0]
        raise RunError(f"the index {row.tolist()} does not lie in the shape {list(shape)}")
    return tuple(np.moveaxis(indices, -1, 0))


def _gather_nd(ctx: Context, params: Array, indices: Array, *, bad_indices_policy: bytes = b"") -> Array:
    if bad_indices_policy not in (b"", b"DEFAULT", b"ERROR"):
        raise InputError(f"the policy {bad_indices_policy!r} for wrong indices is not known")
    if indices.shape[-1] == 0:
        return np.broadcast_to(params, indices.shape[:-1] + params.shape).copy()
    return np.asarray(params[_checked(indices, params.shape)])


def _scatter_nd(ctx: Context, indices: Array, updates: Array, shape: Array) -> Array:
    out = (
        np.zeros(sizes_of(shape), updates.dtype) if updates.dtype.kind != "O" else np.full(sizes_of(shape), b"", object)
    )
    np.add.at(out, _checked(indices, out.shape), updates)
    return out


def _tensor_scatter(function: Any) -> Rule:
    def rule(ctx: Context, tensor: Array, indices: Array, updates: Array) -> Array:
        out = tensor.copy()
        at = _checked(indices, out.shape)
        if function is None:
            out[at] = updates
        else:
            function.at(out, at, updates)
        return out

    return rule


def _one_hot(ctx: Context, indices: Array, depth: Array, on: Array, off: Array, *, axis: int = -1) -> Array:
    hot = indices[..., None] == np.arange(int(depth), dtype=indices.dtype)
    made = np.where(hot, on, off).astype(on.dtype)
    return np.moveaxis(made, -1, axis) if axis not in (-1, indices.ndim) else made


def _where(ctx: Context, condition: Array) -> Array:
    return np.argwhere(condition != 0).astype(np.int64).reshape(-1, condition.ndim)


def _unique(ctx: Context, x: Array) -> tuple[Array, Array]:
    values, first, inverse = np.unique(x, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return values[order], rank[inverse.reshape(-1)].astype(_index_dtype(ctx))


def _index_dtype(ctx: Context) -> Any:
    return ctx.output_dtypes[1].numpy


def _unique_with_counts(ctx: Context, x: Array) -> tuple[Array, Array, Array]:
    values, inverse = _unique(ctx, x)
    return values, inverse, np.bincount(inverse, minlength=len(values)).astype(inverse.dtype)


def _invert_permutation(ctx: Context, x: Array) -> Array:
    out = np.empty_like(x)
    out[x] = np.arange(len(x), dtype=x.dtype)
    return out


def _top_k(values: Array, k: int, index_dtype: Any) -> tuple[Array, Array]:
    """The largest, equal ones in the order of their indices."""
    if k > values.shape[-1]:
        raise RunError(f"{k} of {values.shape[-1]} elements were asked for")
    order = np.argsort(
        -values if values.dtype.kind == "i" and values.dtype.itemsize > 1 else _descending(values), -1, kind="stable"
    )
    best = order[..., :k]
    return np.take_along_axis(values, best, -1), best.astype(index_dtype)


def _descending(values: Array) -> Array:
    return -values.astype(np.float64) if values.dtype.kind != "u" else values.max(initial=0) - values


def _top_k_v1(ctx: Context, x: Array, *, k: int, sorted: bool = True) -> tuple[Array, Array]:
    return _top_k(x, k, np.int32)


def _top_k_v2(ctx: Context, x: Array, k: Array, *, sorted: bool = True) -> tuple[Array, Array]:
    return _top_k(x, int(k), _index_dtype(ctx))


def _in_top_k(ctx: Context, predictions: Array, targets: Array, k: Array) -> Array:
    rows = np.arange(len(targets))
    good = (targets >= 0) & (targets < predictions.shape[1])
    mine = predictions[rows, np.where(good, targets, 0)]
    return np.asarray(good & np.isfinite(mine) & ((predictions > mine[:, None]).sum(1) < int(k)))


def _in_top_k_v1(ctx: Context, predictions: Array, targets: Array, *, k: int) -> Array:
    return _in_top_k(ctx, predictions, targets, np.array(k))


def _dynamic_stitch(ctx: Context, *inputs: Array) -> Array:
    half = len(inputs) // 2
    indices, data = inputs[:half], inputs[half:]
    size = max((int(i.max()) + 1 for i in indices if i.size), default=0)
    tail = data[0].shape[indices[0].ndim :]
    out = np.zeros((size, *tail), data[0].dtype)
    for index, values in zip(indices, data, strict=True):
        out[index.reshape(-1)] = values.reshape(-1, *tail)
    return out


def _dynamic_partition(ctx: Context, data: Array, partitions: Array, *, num_partitions: int) -> tuple[Array, ...]:
    flat = data.reshape(-1, *data.shape[partitions.ndim :])
    return tuple(flat[partitions.reshape(-1) == i] for i in range(num_partitions))


RULES: dict[str, Rule] = {
    "DynamicPartition": _dynamic_partition,
    "DynamicStitch": _dynamic_stitch,
    "Gather": _gather_v1,
    "GatherNd": _gather_nd,
    "GatherV2": _gather_v2,
    "InTopK": _in_top_k_v1,
    "InTopKV2": _in_top_k,
    "InvertPermutation": _invert_permutation,
    "OneHot": _one_hot,
    "ParallelDynamicStitch": _dynamic_stitch,
    "ScatterNd": _scatter_nd,
    "TensorScatterAdd": _tensor_scatter(np.add),
    "TensorScatterMax": _tensor_scatter(np.maximum),
    "TensorScatterMin": _tensor_scatter(np.minimum),
    "TensorScatterSub": _tensor_scatter(np.subtract),
    "TensorScatterUpdate": _tensor_scatter(None),
    "TopK": _top_k_v1,
    "TopKV2": _top_k_v2,
    "Unique": _unique,
    "UniqueWithCounts": _unique_with_counts,
    "Where": _where,
}
