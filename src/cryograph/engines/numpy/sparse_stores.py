"""Stores of sparse tensors: numbers, the tensors under them as three strings each, and the next number (see
program/stores)."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .records import read_rows, serialize_many, serialize_sparse


def _grown(numbers: Array, tensors: Array, following: Array, rows: Array) -> tuple[Array, Array, Array]:
    """The store with more rows, in the order in which they get their numbers."""
    new = np.arange(len(rows)) + following
    return np.append(numbers, new), np.concatenate([tensors, rows]), following + np.int64(len(rows))


def _add(
    ctx: Context, numbers: Array, tensors: Array, following: Array, indices: Array, values: Array, shape: Array
) -> tuple[Array, ...]:
    row = serialize_sparse(ctx, indices, values, shape)
    return (*_grown(numbers, tensors, following, row[None]), following)


def _add_many(
    ctx: Context, numbers: Array, tensors: Array, following: Array, indices: Array, values: Array, shape: Array
) -> tuple[Array, ...]:
    """Rows that hold something get their numbers first, then those that are empty."""
    rows = serialize_many(ctx, indices, values, shape)
    is_empty = ~np.isin(np.arange(len(rows)), indices[:, 0])
    order = np.argsort(is_empty, kind="stable")
    handles = np.empty(len(rows), np.int64)
    handles[order] = np.arange(len(rows)) + following
    return (*_grown(numbers, tensors, following, rows[order]), handles)


def _take_many(ctx: Context, numbers: Array, tensors: Array, following: Array, handles: Array) -> tuple[Array, ...]:
    if handles.ndim != 1:
        raise RunError(f"a vector of numbers was expected, not {list(handles.shape)}")
    places = {number: place for place, number in enumerate(numbers.tolist())}
    wanted = handles.tolist()
    lost = [number for number in wanted if number not in places]
    if lost or len(set(wanted)) < len(wanted):
        raise RunError(f"the store has no sparse tensor {lost[0]}" if lost else "a sparse tensor is taken twice")
    taken = [places[number] for number in wanted]
    found = read_rows(tensors[taken], ctx.output_dtypes[4])
    kept = np.ones(len(numbers), bool)
    kept[taken] = False
    return (numbers[kept], tensors[kept], following, *found)


RULES: dict[str, Rule] = {
    "AddManySparseToTensorsMap": _add_many,
    "AddSparseToTensorsMap": _add,
    "TakeManySparseFromTensorsMap": _take_many,
}
