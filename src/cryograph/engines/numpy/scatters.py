"""Ops that change part of a variable. In a program they take its value and give the new one first."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .indexing import put
from .slices import RULES as SLICES


def _divided(value: Array, updates: Array) -> Array:
    if value.dtype.kind in "iu":
        if (updates == 0).any():
            raise RunError("an integer was divided by 0")
        return np.asarray(np.trunc(value / updates), value.dtype) if value.dtype.kind == "i" else value // updates
    return np.asarray(value / updates)


def _rows(function: Any) -> Rule:
    """Whole rows by number; several updates of one row come one after the other."""

    def rule(ctx: Context, value: Array, indices: Array, updates: Array) -> Array:
        rest = value.shape[1:]
        if updates.ndim and updates.shape != indices.shape + rest:
            raise RunError(
                f"updates of {list(updates.shape)} do not fit rows {list(indices.shape)} of {list(value.shape)}"
            )
        spread = np.broadcast_to(updates, indices.shape + rest)
        if indices.size and (indices.min() < 0 or indices.max() >= len(value)):
            bad = indices[(indices < 0) | (indices >= len(value))].reshape(-1)[0]
            raise RunError(f"the index {bad} is not in [0, {len(value)})")
        out = value.copy()
        if function is _divided:
            for row, update in zip(indices.reshape(-1), spread.reshape(-1, *rest), strict=True):
                out[row] = _divided(out[row], update)
            return out
        return put(function, out, indices.reshape(-1, 1), spread.reshape(-1, *rest))

    return rule


def _places(function: Any) -> Rule:
    """By full or partial positions."""

    def rule(ctx: Context, value: Array, indices: Array, updates: Array, *, bad_indices_policy: bytes = b"") -> Array:
        return put(function, value.copy(), indices, updates, bad_indices_policy)

    return rule


def _count_up(ctx: Context, value: Array, *, limit: int) -> tuple[Array, Array]:
    """One more, and what it was."""
    if value.ndim:
        raise RunError(f"a counter is a single number, not {list(value.shape)}")
    if int(value) >= limit:
        raise RunError(f"the counter has reached its limit of {limit}")
    return np.asarray(value + value.dtype.type(1)), value


_REDUCTIONS: dict[str, Any] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divided,
    "Min": np.minimum,
    "Max": np.maximum,
    "Update": None,
}

RULES: dict[str, Rule] = {
    **{f"Scatter{word}": _rows(function) for word, function in _REDUCTIONS.items()},
    **{f"ResourceScatter{word}": _rows(function) for word, function in _REDUCTIONS.items()},
    **{f"ScatterNd{word}": _places(_REDUCTIONS[word]) for word in ("Add", "Sub", "Min", "Max", "Update")},
    **{f"ResourceScatterNd{word}": _places(_REDUCTIONS[word]) for word in ("Add", "Sub", "Min", "Max", "Update")},
    "CountUpTo": _count_up,
    "ResourceCountUpTo": _count_up,
    "ResourceStridedSliceAssign": SLICES["TensorStridedSliceUpdate"],
    "StridedSliceAssign": SLICES["TensorStridedSliceUpdate"],
}
