"""Arithmetic of sparse tensors: with dense ones, along axes, and with each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import sizes_of
from .context import Context, Rule
from .elementwise import wide
from .sparse import check, flat, unflat


def _times_dense(
    ctx: Context,
    indices: Array,
    values: Array,
    shape: Array,
    b: Array,
    *,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
) -> Array:
    """Each element picks a row of b and adds it, times its value, to a row of the answer."""
    if shape.shape != (2,) or b.ndim != 2:
        raise RunError(f"a matrix of {shape.tolist()} and one of {list(b.shape)} have no product")
    flat(indices, shape)
    right = wide(b.conj().T if adjoint_b else b)
    to, of = (1, 0) if adjoint_a else (0, 1)
    if int(shape[of]) != len(right):
        raise RunError(f"matrices of {shape.tolist()} and {list(b.shape)} do not fit each other")
    scaled = wide(values.conj() if adjoint_a else values)[:, None] * right[indices[:, of]]
    out = np.zeros((int(shape[to]), right.shape[1]), scaled.dtype)
    np.add.at(out, indices[:, to], scaled)
    return out.astype(ctx.dtype)


def _dense_add(ctx: Context, indices: Array, values: Array, shape: Array, b: Array) -> Array:
    if list(b.shape) != shape.tolist():
        raise RunError(f"{shape.tolist()} and {list(b.shape)} cannot be added")
    flat(indices.astype(np.int64), shape.astype(np.int64))
    out = b.copy()
    np.add.at(out, tuple(indices.T), values)
    return out


def _with_dense(function: Any) -> Rule:
    """At the places of the sparse tensor, with a dense one that is broadcast to it."""

    def rule(ctx: Context, indices: Array, values: Array, shape: Array, dense: Array) -> Array:
        check(indices, values, shape)
        flat(indices, shape)
        if dense.ndim > len(shape):
            raise RunError(f"a tensor of {list(dense.shape)} cannot be broadcast to {shape.tolist()}")
        try:
            spread = np.broadcast_to(dense, sizes_of(shape))
        except ValueError as error:
            raise RunError(f"a tensor of {list(dense.shape)} cannot be broadcast to {shape.tolist()}") from error
        made = function(wide(values), wide(spread[tuple(indices.T)]))
        return np.asarray(made).astype(ctx.dtype)

    return rule


def _divided(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        if (b == 0).any():
            raise RunError("an integer was divided by 0")
        return np.trunc(a / b)
    return np.asarray(a / b)


def _groups(indices: Array, shape: Array, axes: Array) -> tuple[Array, Array, list[int]]:
    """For each element the group that a reduction puts it in, the shape of what is left, and the axes that are kept."""
    rank = len(shape)
    found = {int(axis) % rank for axis in axes.reshape(-1)} if rank else set()
    if any(not -rank <= int(axis) < rank for axis in axes.reshape(-1)):
        raise RunError(f"an axis of {axes.reshape(-1).tolist()} is not one of {rank} dimensions")
    kept = [n for n in range(rank) if n not in found]
    left = shape[kept]
    return flat(indices[:, kept], left) if kept else np.zeros(len(indices), np.int64), left, kept


def _reduced(function: Any, start: Any, to_sparse: bool) -> Rule:
    """Along axes; what has no elements is zero in a dense answer, and is not there in a sparse one."""

    def rule(ctx: Context, indices: Array, values: Array, shape: Array, axes: Array, *, keep_dims: bool = False) -> Any:
        check(indices, values, shape)
        flat(indices, shape)
        place, left, kept = _groups(indices, shape, axes)
        distinct, inverse = np.unique(place, return_inverse=True)
        work = wide(values)
        made = np.full(len(distinct), start(work.dtype), work.dtype)
        function.at(made, inverse, work)
        made = made.astype(values.dtype)
        if not to_sparse:
            out = np.zeros(int(np.prod(left)) if len(left) else 1, values.dtype)
            out[distinct] = made
            sizes = [int(n) if d in kept else 1 for d, n in enumerate(shape)] if keep_dims else [int(n) for n in left]
            return out.reshape(sizes)
        rows = unflat(distinct, left) if len(left) else np.zeros((len(distinct), 0), np.int64)
        if not keep_dims:
            return rows, made, left.astype(np.int64)
        full = np.zeros((len(rows), len(shape)), np.int64)
        full[:, kept] = rows
        return full, made, np.array([int(n) if d in kept else 1 for d, n in enumerate(shape)], np.int64)

    return rule


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _softmax(ctx: Context, indices: Array, values: Array, shape: Array) -> Array:
    """Over the elements of each row along the last axis."""
    check(indices, values, shape)
    if len(shape) < 2:
        raise RunError(f"a tensor of {shape.tolist()} has no rows")
    rows = flat(indices[:, :-1], shape[:-1])
    _, inverse = np.unique(rows, return_inverse=True)
    work = wide(values)
    highest = np.full(len(work), -np.inf, work.dtype)
    np.maximum.at(highest, inverse, work)
    grown = np.exp(work - highest[inverse])
    total = np.zeros(len(work), work.dtype)
    np.add.at(total, inverse, grown)
    return np.asarray(grown / total[inverse]).astype(values.dtype)


def _extreme(function: Any) -> Rule:
    """Of two sparse tensors, zero standing for what one of them lacks."""

    def rule(
        ctx: Context, ai: Array, av: Array, ashape: Array, bi: Array, bv: Array, bshape: Array
    ) -> tuple[Array, Array]:
        check(ai, av, ashape)
        check(bi, bv, bshape)
        if not np.array_equal(ashape, bshape):
            raise RunError(f"{ashape.tolist()} and {bshape.tolist()} are two shapes")
        a, b = flat(ai, ashape), flat(bi, bshape)
        places = np.union1d(a, b)
        sides = []
        for where, values in ((a, av), (b, bv)):
            side = np.zeros(len(places), values.dtype)
            side[np.searchsorted(places, where)] = values
            sides.append(side)
        return unflat(places, ashape), np.asarray(function(*sides), av.dtype)

    return rule


RULES: dict[str, Rule] = {
    "SparseDenseCwiseAdd": _with_dense(np.add),
    "SparseDenseCwiseDiv": _with_dense(_divided),
    "SparseDenseCwiseMul": _with_dense(np.multiply),
    "SparseReduceMax": _reduced(np.maximum, _lowest, False),
    "SparseReduceMaxSparse": _reduced(np.maximum, _lowest, True),
    "SparseReduceSum": _reduced(np.add, lambda dtype: 0, False),
    "SparseReduceSumSparse": _reduced(np.add, lambda dtype: 0, True),
    "SparseSoftmax": _softmax,
    "SparseSparseMaximum": _extreme(np.maximum),
    "SparseSparseMinimum": _extreme(np.minimum),
    "SparseTensorDenseAdd": _dense_add,
    "SparseTensorDenseMatMul": _times_dense,
}
