"""Sets, which are the elements along the last dimension of dense or sparse tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import InputError, RunError
from ...base.tensors import Array
from .context import Context, Rule
from .sparse import check, flat, unflat

Sets = dict[int, set[Any]]
"""By the number of the group."""

_OPERATIONS: dict[bytes, Callable[[set[Any], set[Any]], set[Any]]] = {
    b"a-b": lambda a, b: a - b,
    b"b-a": lambda a, b: b - a,
    b"intersection": lambda a, b: a & b,
    b"union": lambda a, b: a | b,
}


def _of_dense(x: Array) -> tuple[Sets, Array]:
    if x.ndim < 2:
        raise RunError(f"sets lie along the last of two or more dimensions, not in {list(x.shape)}")
    rows = x.reshape(-1, x.shape[-1])
    return {n: set(row.tolist()) for n, row in enumerate(rows)}, np.array(x.shape[:-1], np.int64)


def _of_sparse(indices: Array, values: Array, shape: Array, validates: bool) -> tuple[Sets, Array]:
    check(indices, values, shape)
    if len(shape) < 2:
        raise RunError(f"sets lie along the last of two or more dimensions, not in {shape.tolist()}")
    if validates:
        places = flat(indices, shape)
        if (np.diff(places) <= 0).any():
            raise RunError("the indices of a set do not rise")
    groups = flat(indices[:, :-1], shape[:-1])
    found: Sets = {}
    for group, value in zip(groups.tolist(), values.tolist(), strict=True):
        found.setdefault(group, set()).add(value)
    return found, shape[:-1]


def _joined(ctx: Context, a: tuple[Sets, Array], b: tuple[Sets, Array], operation: bytes) -> tuple[Array, ...]:
    """The results of all groups as a sparse tensor, each in rising order."""
    function = _OPERATIONS.get(operation)
    if function is None:
        raise InputError(f"there is no set operation {operation.decode()!r}, but a-b, b-a, intersection and union")
    if not np.array_equal(a[1], b[1]):
        raise RunError(f"sets in groups of {a[1].tolist()} and of {b[1].tolist()} do not fit each other")
    rows: list[tuple[int, int]] = []
    values: list[Any] = []
    longest = 0
    for group in sorted(a[0].keys() | b[0].keys()):
        made = sorted(function(a[0].get(group, set()), b[0].get(group, set())))
        rows += ((group, n) for n in range(len(made)))
        values += made
        longest = max(longest, len(made))
    held = ctx.output_dtypes[1].numpy
    flat_values = np.array(values, dtype=held) if held is not None else np.array(values, dtype=object)
    places = np.array(rows, np.int64).reshape(-1, 2)
    indices = np.concatenate([unflat(places[:, 0], a[1]), places[:, 1:]], 1)
    return indices, flat_values, np.array([*a[1].tolist(), longest], np.int64)


def _dense_dense(
    ctx: Context, a: Array, b: Array, *, set_operation: bytes, validate_indices: bool = True
) -> tuple[Array, ...]:
    return _joined(ctx, _of_dense(a), _of_dense(b), set_operation)


def _dense_sparse(
    ctx: Context,
    a: Array,
    indices: Array,
    values: Array,
    shape: Array,
    *,
    set_operation: bytes,
    validate_indices: bool = True,
) -> tuple[Array, ...]:
    return _joined(ctx, _of_dense(a), _of_sparse(indices, values, shape, validate_indices), set_operation)


def _sparse_sparse(
    ctx: Context,
    ai: Array,
    av: Array,
    ashape: Array,
    bi: Array,
    bv: Array,
    bshape: Array,
    *,
    set_operation: bytes,
    validate_indices: bool = True,
) -> tuple[Array, ...]:
    sides = _of_sparse(ai, av, ashape, validate_indices), _of_sparse(bi, bv, bshape, validate_indices)
    return _joined(ctx, *sides, set_operation)


def _size(ctx: Context, indices: Array, values: Array, shape: Array, *, validate_indices: bool = True) -> Array:
    """How many distinct elements each set has."""
    found, groups = _of_sparse(indices, values, shape, validate_indices)
    out = np.zeros(int(np.prod(groups)), np.int32)
    for group, members in found.items():
        out[group] = len(members)
    return out.reshape([int(n) for n in groups])


RULES: dict[str, Rule] = {
    "DenseToDenseSetOperation": _dense_dense,
    "DenseToSparseSetOperation": _dense_sparse,
    "SetSize": _size,
    "SparseToSparseSetOperation": _sparse_sparse,
}
