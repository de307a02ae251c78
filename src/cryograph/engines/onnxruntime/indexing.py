"""Lowerings of ops that read and write by index."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType
from ...base.shapes import Shape, known
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .values import Refusal, Value, limits


def _gathered(x: Value, indices: Value, axis: int) -> Shape:
    if x.shape is None or indices.shape is None:
        return None
    return (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _index(g: Builder, indices: Value) -> Value:
    return indices if indices.dtype in (INT32, INT64) else g.int64(indices)


def gather(g: Builder, step: Step, x: Value, indices: Value, *, validate_indices: bool = True) -> Value:
    return g.op("Gather", x, _index(g, indices), axis=0, shape=_gathered(x, indices, 0))


def gather_v2(g: Builder, step: Step, x: Value, indices: Value, axis: Value, *, batch_dims: int = 0) -> Value:
    """With batch dimensions the indices are turned into full positions for GatherND along them."""
    (where,) = g.fixed_ints(axis, "the axis")
    if where < 0:
        where %= x.rank
    batch = batch_dims if batch_dims >= 0 else batch_dims + indices.rank
    if not batch:
        return g.op("Gather", x, _index(g, indices), axis=where, shape=_gathered(x, indices, where))
    # (B..., between..., axis, rest...) -> (B..., axis, between..., rest...), gathered, and the index dimensions back.
    rank = x.rank
    between = list(range(batch, where))
    moved = g.transpose(x, [*range(batch), where, *between, *range(where + 1, rank)])
    positions = g.unsqueeze(g.int64(indices), [indices.rank])
    made = g.op("GatherND", moved, positions, batch_dims=batch)
    count = indices.rank - batch
    order = [
        *range(batch),
        *range(batch + count, batch + count + len(between)),
        *range(batch, batch + count),
        *range(batch + count + len(between), count + rank - 1),
    ]
    return g.transpose(made, order)


def gather_nd(g: Builder, step: Step, x: Value, indices: Value, *, bad_indices_policy: bytes = b"") -> Value:
    if bad_indices_policy not in (b"", b"DEFAULT", b"ERROR"):
        raise Refusal(f"bad_indices_policy {bad_indices_policy!r} has no form in ONNX")
    depth = None if indices.shape is None else indices.shape[-1]
    if depth is None:
        raise Refusal("GatherNd needs indices of a known length")
    if not depth:  # each of them is the whole
        if x.shape is None or None in x.shape or indices.shape is None or None in indices.shape:
            raise Refusal("GatherNd by no index needs known shapes")
        whole = (*(size or 0 for size in indices.shape[:-1]), *known(x.shape, "x"))
        return g.op("Expand", x, g.ints(whole), shape=whole)
    shape = None
    if x.shape is not None and indices.shape is not None:
        shape = (*indices.shape[:-1], *x.shape[depth:])
    return g.op("GatherND", x, g.int64(indices), shape=shape)


def one_hot(g: Builder, step: Step, indices: Value, depth: Value, on: Value, off: Value, *, axis: int = -1) -> Value:
    """A comparison with 0 .. depth - 1, as an index out of range is nowhere in TensorFlow and wraps in ONNX."""
    rank = indices.rank
    where = rank if axis == -1 else axis
    (count,) = g.fixed_ints(depth, "the depth")
    ids = g.const(np.arange(count).reshape([count if i == where else 1 for i in range(rank + 1)]), indices.dtype)
    hit = g.binary("Equal", g.unsqueeze(indices, [where]), ids, BOOL)
    return g.where(hit, on, off, hit.shape)


def where(g: Builder, step: Step, x: Value) -> Value:
    """The positions of what is not zero, one a row."""
    rank = x.rank
    if rank == 0:
        raise Refusal("the positions in a scalar have no form in ONNX")
    flags = x if x.dtype == BOOL else g.cast(x, BOOL)
    found = g.op("NonZero", flags, dtype=INT64, shape=(rank, None))
    return g.transpose(found, [1, 0])


def _scatter_into(reduction: str) -> Lowering:
    def lower(
        g: Builder, step: Step, x: Value, indices: Value, updates: Value, *, bad_indices_policy: bytes = b""
    ) -> Value:
        check_policy(bad_indices_policy)
        _check_depth(indices)
        if reduction != "none":
            check_wide(x)
        return g.op("ScatterND", x, g.int64(indices), updates, reduction=reduction, shape=x.shape)

    return lower


def check_policy(policy: bytes) -> None:
    """Refusal when indices that are out of range are to be ignored."""
    if policy not in (b"", b"DEFAULT", b"ERROR"):
        raise Refusal(f"bad_indices_policy {policy!r} has no form in ONNX")


def check_wide(x: Value) -> None:
    """Refusal for what ScatterND does not join."""
    if x.dtype not in (FLOAT32, FLOAT64, INT32, INT64):
        raise Refusal(f"ONNX Runtime joins no updates of {x.dtype}")


def _check_depth(indices: Value) -> None:
    if indices.shape is None or not indices.shape or not indices.shape[-1]:
        raise Refusal("a scatter needs indices of a known length that is not 0")


def _negated(update: Callable[..., Value]) -> Lowering:
    def lower(
        g: Builder, step: Step, x: Value, indices: Value, updates: Value, *, bad_indices_policy: bytes = b""
    ) -> Value:
        return update(g, step, x, indices, g.unary("Neg", updates), bad_indices_policy=bad_indices_policy)

    return lower


def scatter_nd(
    g: Builder, step: Step, indices: Value, updates: Value, shape: Value, *, bad_indices_policy: bytes = b""
) -> Value:
    """Updates of the same place add up."""
    check_policy(bad_indices_policy)
    _check_depth(indices)
    check_wide(updates)
    known = None if shape.array is None else tuple(g.fixed_ints(shape, "the shape"))
    zeros = g.op("Expand", g.like(0, updates), g.int64(shape), shape=known)
    return g.op("ScatterND", zeros, g.int64(indices), updates, reduction="add", shape=known)


def invert_permutation(g: Builder, step: Step, x: Value) -> Value:
    """Each number's place, scattered to where the number says."""
    count = x.size(0)
    if count is None:
        raise Refusal("a permutation needs a known length")
    places = g.const(np.arange(count), x.dtype)
    return g.op("ScatterElements", places, g.int64(x), places, axis=0, shape=x.shape)


def unique_with_counts(g: Builder, step: Step, x: Value, *, out_idx: DType = INT32) -> list[Value | None]:
    """In the order of first appearance."""
    if x.dtype.is_floating:
        raise Refusal("ONNX Runtime loses numbers beside a NaN")
    found = g.ops(
        "Unique", x, dtypes=[x.dtype, INT64, INT64, INT64], shapes=[(None,), (None,), x.shape, (None,)], sorted=0
    )
    return [found[0], g.cast(found[2], out_idx), g.cast(found[3], out_idx)]


def unique(g: Builder, step: Step, x: Value, *, out_idx: DType = INT32) -> list[Value | None]:
    return unique_with_counts(g, step, x, out_idx=out_idx)[:2]


def matrix_band_part(g: Builder, step: Step, x: Value, lower: Value, upper: Value) -> Value:
    """Negative numbers of diagonals keep all of that side."""
    (below,), (above,) = g.fixed_ints(lower, "num_lower"), g.fixed_ints(upper, "num_upper")
    made = x
    if below >= 0:
        made = g.op("Trilu", made, g.const(-below, INT64), upper=1, shape=x.shape)
    if above >= 0:
        made = g.op("Trilu", made, g.const(above, INT64), upper=0, shape=x.shape)
    return made


def _segment(reduction: str, start: Callable[[DType], float]) -> Lowering:
    """Rows joined by the number that each has; rows with a negative number are left out by TensorFlow."""

    def lower(g: Builder, step: Step, x: Value, ids: Value, count: Value) -> Value:
        if ids.rank != 1:
            rest = (x.shape or ())[ids.rank :]
            if None in rest or 0 in rest or x.shape is None:
                raise Refusal("segments of ids of several dimensions need rows of known sizes")
            ids = g.reshape(ids, [-1])
            x = g.reshape(x, [-1, *(size or 0 for size in rest)])
        check_wide(x)
        (many,) = g.fixed_ints(count, "num_segments")
        rows = g.sizes(x, range(1, x.rank)) if x.rank > 1 else None
        # One row more takes what has no place.
        shape = g.ints([many + 1]) if rows is None else g.concat([g.ints([many + 1]), rows], 0)
        known = (many, *(x.shape or ())[1:])
        first = g.op("Expand", g.like(start(x.dtype), x), shape)
        index = g.int64(ids)
        placed = g.where(
            g.op("Less", index, g.ints([0]), dtype=BOOL, shape=ids.shape), g.ints([many]), index, ids.shape
        )
        made = g.op("ScatterND", first, g.unsqueeze(placed, [1]), x, reduction=reduction)
        cut = g.slice(made, g.ints([0]), g.ints([many]), [0])
        return Value(cut.name, cut.dtype, known)

    return lower


_add, _max, _min = _scatter_into("add"), _scatter_into("max"), _scatter_into("min")

LOWERINGS: Table = {
    "Gather": gather,
    "GatherNd": gather_nd,
    "GatherV2": gather_v2,
    "InvertPermutation": invert_permutation,
    "BatchMatrixBandPart": matrix_band_part,
    "MatrixBandPart": matrix_band_part,
    "OneHot": one_hot,
    "ScatterNd": scatter_nd,
    "ScatterNdNonAliasingAdd": _add,
    "TensorScatterAdd": _add,
    "TensorScatterMax": _max,
    "TensorScatterMin": _min,
    "TensorScatterSub": _negated(_add),
    "TensorScatterUpdate": _scatter_into("none"),
    "Unique": unique,
    "UniqueWithCounts": unique_with_counts,
    "UnsortedSegmentMax": _segment("max", lambda dtype: limits(dtype)[0]),
    "UnsortedSegmentMin": _segment("min", lambda dtype: limits(dtype)[1]),
    "UnsortedSegmentProd": _segment("mul", lambda dtype: 1),
    "UnsortedSegmentSum": _segment("add", lambda dtype: 0),
    "Where": where,
}
