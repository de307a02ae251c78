"""Lowerings of ops that change part of a variable. In a program they take its value and give the new one first."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...program.program import Step
from .backprop import strided_slice_update
from .builder import Builder, Lowering, Table
from .indexing import check_policy, check_wide
from .values import Refusal, Value

LAST = int(np.iinfo(np.int64).max)


def _from_zero(g: Builder, indices: Value) -> Value:
    """Indices of which none counts from the end: one below 0 becomes one that is out of range."""
    if indices.array is not None and not (indices.array < 0).any():
        return g.int64(indices)
    return g.binary("BitwiseAnd", g.int64(indices), g.const(LAST, INT64))


def _scatter(g: Builder, value: Value, places: Value, updates: Value, reduction: str, negated: bool) -> Value:
    if reduction != "none":
        check_wide(value)
    given = g.unary("Neg", updates) if negated else updates
    return g.op("ScatterND", value, places, given, reduction=reduction, shape=value.shape)


def _rows(reduction: str, negated: bool = False) -> Lowering:
    """Whole rows by number; one update may stand for all."""

    def lower(g: Builder, step: Step, value: Value, indices: Value, updates: Value) -> Value:
        if indices.shape is None or updates.shape is None or value.shape is None:
            raise Refusal("rows of unknown shape have no form in ONNX")
        rest = value.shape[1:]
        if None in rest:
            raise Refusal("rows of unknown sizes have no form in ONNX")
        sizes = [size or 0 for size in rest]
        places = g.reshape(_from_zero(g, indices), [-1, 1])
        if not updates.shape:
            count = g.op("Size", indices, dtype=INT64, shape=())
            wide = g.concat([g.reshape(count, [1]), *([g.ints(sizes)] if sizes else [])], 0)
            rows = g.op("Expand", updates, wide, shape=(None, *rest))
        elif 0 in sizes:
            return value
        else:
            rows = g.reshape(updates, [-1, *sizes])
        return _scatter(g, value, places, rows, reduction, negated)

    return lower


def _positions(reduction: str, negated: bool = False) -> Lowering:
    """By full or partial positions."""

    def lower(
        g: Builder, step: Step, value: Value, indices: Value, updates: Value, *, bad_indices_policy: bytes = b""
    ) -> Value:
        check_policy(bad_indices_policy)
        if indices.shape is None or not indices.shape or not indices.shape[-1]:
            raise Refusal("a scatter needs indices of a known length that is not 0")
        return _scatter(g, value, _from_zero(g, indices), updates, reduction, negated)

    return lower


def divided(g: Builder, step: Step, value: Value, indices: Value, updates: Value) -> Value:
    """Rows by number over what divides them, the product of all where several name one row."""
    if value.dtype not in (FLOAT32, FLOAT64):
        raise Refusal(f"{step.op} of {value.dtype} has no lowering to ONNX")
    ones = g.op("Expand", g.like(1, value), g.shape_of(value), shape=value.shape)
    by: Value = _rows("mul")(g, step, ones, indices, updates)
    return g.op("Div", value, by, shape=value.shape)


def count_up(g: Builder, step: Step, value: Value, *, limit: int) -> list[Value]:
    """One more, and what it was."""
    if value.shape != ():
        raise Refusal("a counter is a single number")
    right = g.op("Less", value, g.like(limit, value), dtype=BOOL, shape=())
    sure = g.behind(value, g.must(right, "the counter has reached its limit"))
    return [g.op("Add", sure, g.like(1, value), shape=()), sure]


_KINDS: dict[str, tuple[str, bool]] = {
    "Add": ("add", False),
    "Max": ("max", False),
    "Min": ("min", False),
    "Mul": ("mul", False),
    "Sub": ("add", True),
    "Update": ("none", False),
}
_PLACED = ("Add", "Max", "Min", "Sub", "Update")

LOWERINGS: Table = {
    **{f"ResourceScatter{word}": _rows(*kind) for word, kind in _KINDS.items()},
    **{f"ResourceScatterNd{word}": _positions(*_KINDS[word]) for word in _PLACED},
    **{f"Scatter{word}": _rows(*kind) for word, kind in _KINDS.items()},
    **{f"ScatterNd{word}": _positions(*_KINDS[word]) for word in _PLACED},
    "CountUpTo": count_up,
    "ResourceCountUpTo": count_up,
    "ResourceScatterDiv": divided,
    "ResourceStridedSliceAssign": strided_slice_update,
    "ScatterDiv": divided,
    "StridedSliceAssign": strided_slice_update,
}
