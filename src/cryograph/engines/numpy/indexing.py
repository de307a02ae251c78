"""Ops that pick and put elements by index: gathers, scatters, one-hot, stitches and partitions."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...base.errors import InputError, RunError
from ...base.tensors import Array
from .arrays import nothing, shape_of, sizes_of
from .context import Context, Rule
from .reductions import axis_of

IGNORE = b"IGNORE"


def _gather(params: Array, indices: Array, axis: Array | int, batch_dims: int) -> Array:
    at = axis_of(axis, params.ndim)
    batch = batch_dims + indices.ndim if batch_dims < 0 else batch_dims
    if not 0 <= batch <= min(at, indices.ndim) or params.shape[:batch] != indices.shape[:batch]:
        raise RunError(f"{batch_dims} batch dimensions of {list(params.shape)} and {list(indices.shape)} do not agree")
    size = params.shape[at]
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        bad = indices[(indices < 0) | (indices >= size)].reshape(-1)[0]
        raise RunError(f"the index {bad} is not in [0, {size})")
    if batch == 0:
        return np.asarray(np.take(params, indices, at), params.dtype)
    # (B, X, size, Y) and (B, I) give (B, X, I, Y), where B, X, I, Y may be several dimensions each.
    lead, outer, inner = params.shape[:batch], params.shape[batch:at], params.shape[at + 1 :]
    flat = params.reshape(prod(lead), prod(outer), size, prod(inner))
    wanted = indices.reshape(prod(lead), prod(indices.shape[batch:]))
    made = flat[np.arange(len(flat))[:, None], :, wanted].swapaxes(1, 2)
    return made.reshape(*lead, *outer, *indices.shape[batch:], *inner)


def _gather_v1(ctx: Context, params: Array, indices: Array) -> Array:
    return _gather(params, indices, 0, 0)


def _gather_v2(ctx: Context, params: Array, indices: Array, axis: Array, *, batch_dims: int = 0) -> Array:
    return _gather(params, indices, axis, batch_dims)


def _places(indices: Array, shape: tuple[int, ...], policy: bytes) -> tuple[tuple[Array, ...], Array | None]:
    """The numpy index of rows of indices, and which rows are to be kept (None: all)."""
    if policy not in (b"", b"DEFAULT", b"ERROR", IGNORE):
        raise InputError(f"the policy {policy!r} for wrong indices is not one of DEFAULT, ERROR, IGNORE")
    if indices.ndim < 1 or indices.shape[-1] > len(shape):
        raise RunError(f"indices of the shape {list(indices.shape)} do not fit the shape {list(shape)}")
    limits = np.array(shape[: indices.shape[-1]], indices.dtype)
    bad = np.any((indices < 0) | (indices >= limits), -1)
    keep = None
    if np.any(bad):
        if policy != IGNORE:
            row = indices[bad].reshape(-1, indices.shape[-1])[0]
            raise RunError(f"the index {row.tolist()} does not lie in the shape {list(shape)}")
        keep = ~bad
        indices = np.where(bad[..., None], 0, indices)
    return tuple(np.moveaxis(indices, -1, 0)), keep


def _gather_nd(ctx: Context, params: Array, indices: Array, *, bad_indices_policy: bytes = b"") -> Array:
    places, keep = _places(indices, params.shape, bad_indices_policy)
    if not places:
        return np.broadcast_to(params, indices.shape[:-1] + params.shape)
    if params.size == 0 and indices.size:
        return np.zeros(indices.shape[:-1] + params.shape[len(places) :], params.dtype)
    found = np.asarray(params[places])
    if keep is not None:
        found[~keep] = nothing(params.dtype)
    return found


def put(function: Any, out: Array, indices: Array, updates: Array, policy: bytes = b"") -> Array:
    """Puts updates into `out`, or brings them together with what is there by `function`."""
    places, keep = _places(indices, out.shape, policy)
    if updates.shape != indices.shape[:-1] + out.shape[len(places) :]:
        raise RunError(f"updates of {list(updates.shape)} do not fit indices of {list(indices.shape)}")
    if keep is not None:
        places, updates = tuple(place[keep] for place in places), updates[keep]
    if function is None:
        out[places] = updates
    else:
        function.at(out, places, updates)
    return out


def _scatter_nd(
    ctx: Context, indices: Array, updates: Array, shape: Array, *, bad_indices_policy: bytes = b""
) -> Array:
    out = np.full(shape_of(shape), nothing(updates.dtype), updates.dtype)
    if not updates.size:
        return out
    return put(np.add, out, indices, updates, bad_indices_policy)


def _tensor_scatter(function: Any) -> Rule:
    def rule(ctx: Context, tensor: Array, indices: Array, updates: Array, *, bad_indices_policy: bytes = b"") -> Array:
        return put(function, tensor.copy(), indices, updates, bad_indices_policy)

    return rule


def _in_place(function: Any) -> Rule:
    """Whole rows put or added; a copy is made, as values of a program never change."""

    def rule(ctx: Context, x: Array, i: Array, v: Array) -> Array:
        return put(function, x.copy(), i.reshape(-1, 1), v.reshape(i.size, *x.shape[1:]))

    return rule


def _sparse_to_dense(
    ctx: Context, indices: Array, shape: Array, values: Array, default: Array, *, validate_indices: bool = True
) -> Array:
    """`values` at `indices` (rows of indices, a vector or one number), the default elsewhere."""
    sizes = shape_of(shape)
    places = indices.reshape(-1, 1) if indices.ndim < 2 else indices
    if places.shape[1] != len(sizes):
        raise RunError(f"indices of {places.shape[1]} numbers do not fit the shape {list(sizes)}")
    if validate_indices and len(places) > 1:
        flat = np.ravel_multi_index(_places(places, sizes, b"")[0], sizes)
        if np.any(flat[1:] <= flat[:-1]):
            raise RunError("the indices do not rise, or one comes twice")
    out = np.full(sizes, default, ctx.dtype)
    return put(None, out, places, np.broadcast_to(values.reshape(-1), (len(places),)))


def _one_hot(ctx: Context, indices: Array, depth: Array, on: Array, off: Array, *, axis: int = -1) -> Array:
    if int(depth) < 0:
        raise RunError(f"the depth {int(depth)} is negative")
    at = axis_of(axis, indices.ndim + 1)
    hot = np.expand_dims(indices, at) == np.arange(int(depth)).reshape(-1, *(1,) * (indices.ndim - at))
    return np.asarray(np.where(hot, on, off)).astype(ctx.dtype, copy=False)


def _dynamic_stitch(ctx: Context, *inputs: Array) -> Array:
    """Data put together at indices; of what goes to one place the last stays."""
    half = len(inputs) // 2
    indices, data = inputs[:half], inputs[half:]
    size = max((int(i.max()) + 1 for i in indices if i.size), default=0)
    tail = data[0].shape[indices[0].ndim :]
    out = np.full((size, *tail), nothing(ctx.dtype), ctx.dtype)
    for index, values in zip(indices, data, strict=True):
        if values.shape != index.shape + tail:
            raise RunError(f"data of the shape {list(values.shape)} does not fit indices of {list(index.shape)}")
        if index.size and index.min() < 0:
            raise RunError(f"the index {index.min()} is negative")
        out[index.reshape(-1)] = values.reshape(index.size, *tail)
    return out


def _dynamic_partition(ctx: Context, data: Array, partitions: Array, *, num_partitions: int) -> tuple[Array, ...]:
    if data.shape[: partitions.ndim] != partitions.shape:
        raise RunError(f"the shape {list(partitions.shape)} of the partitions is no head of {list(data.shape)}")
    if partitions.size and (partitions.min() < 0 or partitions.max() >= num_partitions):
        raise RunError(f"a partition is not in [0, {num_partitions})")
    flat = data.reshape(partitions.size, *data.shape[partitions.ndim :])
    return tuple(flat[partitions.reshape(-1) == i] for i in range(num_partitions))


def _unravel_index(ctx: Context, indices: Array, dims: Array) -> Array:
    sizes = sizes_of(dims)
    if indices.size and (indices.min() < 0 or indices.max() >= prod(sizes)):
        raise RunError(f"an index is not in the shape {list(sizes)}")
    return np.asarray(np.stack(np.unravel_index(indices, sizes)).astype(ctx.dtype))


RULES: dict[str, Rule] = {
    "DynamicPartition": _dynamic_partition,
    "DynamicStitch": _dynamic_stitch,
    "Gather": _gather_v1,
    "GatherNd": _gather_nd,
    "GatherV2": _gather_v2,
    "InplaceAdd": _in_place(np.add),
    "InplaceSub": _in_place(np.subtract),
    "InplaceUpdate": _in_place(None),
    "OneHot": _one_hot,
    "ParallelDynamicStitch": _dynamic_stitch,
    "ScatterNd": _scatter_nd,
    "ScatterNdNonAliasingAdd": _tensor_scatter(np.add),
    "SparseToDense": _sparse_to_dense,
    "TensorScatterAdd": _tensor_scatter(np.add),
    "TensorScatterMax": _tensor_scatter(np.maximum),
    "TensorScatterMin": _tensor_scatter(np.minimum),
    "TensorScatterSub": _tensor_scatter(np.subtract),
    "TensorScatterUpdate": _tensor_scatter(None),
    "UnravelIndex": _unravel_index,
}
