"""Whole numbers read as others of the same bits, by shifts and masks of unsigned ones."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import INT64, DType, dtype_of
from .builder import Builder
from .values import Refusal, Value

UINT64 = dtype_of("uint64")


def recast(g: Builder, x: Value, dtype: DType) -> Value:
    """The same bits in an integer dtype of another width; the parts of a number lie along the last dimension, the low
    one first."""
    ours, theirs = x.dtype.itemsize, dtype.itemsize
    if ours > theirs:
        count = ours // theirs
        shape = None if x.shape is None else (*x.shape, count)
        wide = g.unsqueeze(g.cast(x, UINT64), [x.rank])
        moved = g.op("BitShift", wide, _shifts(g, theirs, count), direction="RIGHT", shape=shape)
        return g.cast(g.op("BitwiseAnd", moved, g.const((1 << 8 * theirs) - 1, UINT64), shape=shape), dtype)
    count = theirs // ours
    if x.rank == 0 or x.size(x.rank - 1) != count:
        raise Refusal(f"{count} parts of a number do not lie along the last dimension")
    parts = g.op("BitwiseAnd", g.cast(x, UINT64), g.const((1 << 8 * ours) - 1, UINT64), shape=x.shape)
    placed = g.op("BitShift", parts, _shifts(g, ours, count), direction="LEFT", shape=x.shape)
    shape = (x.shape or ())[:-1]
    made, *rest = (g.op("Gather", placed, g.const(i, INT64), axis=x.rank - 1, shape=shape) for i in range(count))
    for part in rest:
        made = g.op("BitwiseOr", made, part, shape=shape)
    return g.cast(made, dtype)


def _shifts(g: Builder, size: int, count: int) -> Value:
    return g.const(np.arange(count, dtype=np.uint64) * np.uint64(8 * size), UINT64)
