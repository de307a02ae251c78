"""Lowerings of sets along the last dimension, and of counts of numbers in sparse and ragged tensors."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, INT64, STRING, UINT8, DType, dtype_of
from ...program.program import Step
from .builder import Builder, Table
from .rows import (
    all_hold,
    arange,
    columns,
    count_of,
    indices_at,
    lengths_of,
    most,
    offsets_in,
    places_in,
    rows_of,
    splits_of,
    starts_of,
    tallied,
)
from .sparse import distinct, join, joinable, rank_of
from .values import Refusal, Value

_ELEMENTS = (INT64, UINT8, STRING, *map(dtype_of, ("int8", "int16", "int32", "uint16")))

Sets = tuple[Value, Value, Value, int]
"""The group of each element, the elements, the sizes of what groups count through, and how many sizes these are."""


def _of_dense(g: Builder, x: Value) -> Sets:
    rank = x.rank
    if rank < 2:
        raise Refusal("sets lie along the last of two or more dimensions")
    outer = g.sizes(x, range(rank - 1))
    last = g.sizes(x, [rank - 1])
    groups = g.op("ReduceProd", outer, g.ints([0]), keepdims=1, shape=(1,))
    numbers = g.unsqueeze(arange(g, groups), [1])
    wide = g.op("Expand", numbers, g.concat([g.ints([1]), last], 0), shape=(None, None))
    return g.reshape(wide, [-1]), g.reshape(x, [-1]), outer, rank - 1


def _of_sparse(g: Builder, indices: Value, values: Value, shape: Value) -> Sets:
    rank = rank_of(indices, shape)
    if rank < 2:
        raise Refusal("sets lie along the last of two or more dimensions")
    outer = g.slice(shape, g.ints([0]), g.ints([rank - 1]), [0])
    return places_in(g, indices, outer, rank - 1), values, outer, rank - 1


def _sorted(g: Builder, groups: Value, elements: Value) -> tuple[Value, Value, Value, Value]:
    """Groups and numbers of the distinct elements, group by group; which of these each is; the elements by number."""
    if elements.dtype not in _ELEMENTS:
        raise Refusal(f"sets of {elements.dtype} have no form in ONNX")
    held = elements if elements.dtype == STRING else g.cast(elements, INT64)
    found = g.ops("Unique", held, dtypes=[held.dtype, INT64, INT64, INT64], shapes=[(None,)] * 4, sorted=1)
    size = g.op("Max", count_of(g, found[0]), g.ints([1]), shape=(1,))
    keys = g.op("Add", g.op("Mul", groups, size, shape=(None,)), found[2], shape=(None,))
    each, inverse, _ = distinct(g, keys)
    return (
        g.op("Div", each, size, shape=(None,)),
        g.op("Mod", each, size, shape=(None,)),
        inverse,
        g.cast(found[0], elements.dtype),
    )


def _joined(g: Builder, a: Sets, b: Sets, operation: bytes) -> list[Value | None]:
    """The results of all groups as a sparse tensor, each in rising order."""
    outer, rank = a[2], a[3]
    if a[3] != b[3]:
        raise Refusal("the groups of two sets do not fit each other")
    same = all_hold(g, g.binary("Equal", outer, b[2], BOOL))
    groups = g.concat([a[0], b[0]], 0, (None,))
    groups = g.behind(groups, g.must(same, "the groups of two sets do not fit each other"))
    row, number, inverse, names = _sorted(g, groups, g.concat([a[1], b[1]], 0, (None,)))
    count, first = count_of(g, row), count_of(g, a[0])
    mine = tallied(g, _part(g, inverse, g.ints([0]), first), count)
    theirs = tallied(g, _part(g, inverse, first, g.ints([1 << 62])), count)
    in_a, in_b = (g.binary("Greater", hits, g.ints([0]), BOOL) for hits in (mine, theirs))
    if operation == b"a-b":
        keep = g.unary("Not", in_b)
    elif operation == b"b-a":
        keep = g.unary("Not", in_a)
    elif operation == b"intersection":
        keep = g.binary("And", in_a, in_b, BOOL)
    elif operation == b"union":
        keep = g.binary("Or", in_a, in_b, BOOL)
    else:
        raise Refusal(f"there is no set operation {operation.decode()!r}")
    row, number = (g.op("Compress", x, keep, axis=0, shape=(None,)) for x in (row, number))
    sizes = tallied(g, row, g.op("ReduceProd", outer, g.ints([0]), keepdims=1, shape=(1,)))
    offsets = offsets_in(g, row, starts_of(g, splits_of(g, sizes)))
    indices = columns(g, [*indices_at(g, row, outer, rank), offsets])
    longest = most(g, sizes)
    return [indices, g.op("Gather", names, number, axis=0, shape=(None,)), g.concat([outer, longest], 0, (rank + 1,))]


def _part(g: Builder, x: Value, low: Value, high: Value) -> Value:
    return Value(g.slice(x, low, high, [0]).name, x.dtype, (None,))


def dense_dense(
    g: Builder, step: Step, a: Value, b: Value, *, set_operation: bytes, validate_indices: bool = True
) -> list[Value | None]:
    return _joined(g, _of_dense(g, a), _of_dense(g, b), set_operation)


def dense_sparse(
    g: Builder, step: Step, a: Value, indices: Value, values: Value, shape: Value,
    *, set_operation: bytes, validate_indices: bool = True,
) -> list[Value | None]:  # fmt: skip
    return _joined(g, _of_dense(g, a), _of_sparse(g, indices, values, shape), set_operation)


def sparse_sparse(
    g: Builder, step: Step, ai: Value, av: Value, ashape: Value, bi: Value, bv: Value, bshape: Value,
    *, set_operation: bytes, validate_indices: bool = True,
) -> list[Value | None]:  # fmt: skip
    return _joined(g, _of_sparse(g, ai, av, ashape), _of_sparse(g, bi, bv, bshape), set_operation)


def size(
    g: Builder, step: Step, indices: Value, values: Value, shape: Value, *, validate_indices: bool = True
) -> Value:
    """How many distinct elements each set has."""
    groups, elements, outer, rank = _of_sparse(g, indices, values, shape)
    row, _, _, _ = _sorted(g, groups, elements)
    sizes = tallied(g, row, g.op("ReduceProd", outer, g.ints([0]), keepdims=1, shape=(1,)))
    return g.cast(g.reshape_to(sizes, outer, (None,) * rank), dtype_of("int32"))


# --- counts


def _binned(
    g: Builder, rows: Value | None, values: Value, weights: Value, count: Value, size: Value, binary: bool, dtype: DType
) -> Value:
    """Rows of counts, or of sums of weights (of one row without `rows`); numbers of `size` and more are left out."""
    if weights.shape is None or (weights.shape != (0,) and 0 in weights.shape) or None in weights.shape[1:]:
        raise Refusal("counts need weights of a known shape")
    if weights.shape == (None,):
        raise Refusal("counts need to know whether there are weights")
    (bins,) = g.fixed_ints(size, "the number of bins")
    flat = g.reshape(g.int64(values), [-1])
    right = g.must(all_hold(g, g.binary("GreaterOrEqual", flat, g.ints([0]), BOOL)), "what is counted is negative")
    flat = g.behind(flat, right)
    inside = g.binary("Less", flat, g.ints([bins]), BOOL)
    place = flat if rows is None else g.binary("Add", g.binary("Mul", rows, g.ints([bins])), flat)
    whole = g.op("Mul", count, g.ints([bins]), shape=(1,))
    kept = g.op("Compress", place, inside, axis=0, shape=(None,))
    if weights.shape == (0,) or binary:
        hits = tallied(g, kept, whole)
        made = g.op("Min", hits, g.ints([1]), shape=(None,)) if binary else hits
    else:
        given = g.op("Compress", g.reshape(joinable(g, weights), [-1]), inside, axis=0, shape=(None,))
        made = join(g, given, kept, whole, "add", 0)
    made = g.cast(made, dtype)
    if rows is None:
        return Value(made.name, dtype, (bins,))
    return g.reshape_to(made, g.concat([count, g.ints([bins])], 0), (None, bins))


def sparse_bincount(
    g: Builder, step: Step, indices: Value, values: Value, shape: Value, size: Value, weights: Value,
    *, binary_output: bool = False,
) -> Value:  # fmt: skip
    rank = rank_of(indices, shape)
    if rank > 2:
        raise Refusal("vectors and matrices are counted")
    rows = None if rank == 1 else g.op("Gather", indices, g.const(0, INT64), axis=1, shape=(None,))
    count = g.ints([1]) if rank == 1 else g.slice(shape, g.ints([0]), g.ints([1]), [0])
    return _binned(g, rows, values, weights, count, size, binary_output, weights.dtype)


def ragged_bincount(
    g: Builder, step: Step, splits: Value, values: Value, size: Value, weights: Value, *, binary_output: bool = False
) -> Value:
    bounds = g.int64(splits)
    count = count_of(g, lengths_of(g, bounds))
    return _binned(g, rows_of(g, bounds), values, weights, count, size, binary_output, weights.dtype)


def _as_sparse(
    g: Builder, rows: Value | None, values: Value, weights: Value, count: Value, least: int, end: int, binary: bool
) -> list[Value | None]:
    """What is counted as a sparse vector, or with rows as a sparse matrix; numbers of `end` and more are left out, and
    its last size is at least `least`."""
    if weights.shape is None or None in weights.shape:
        raise Refusal("counts need weights of a known shape")
    flat = g.reshape(g.int64(values), [-1])
    right = g.must(all_hold(g, g.binary("GreaterOrEqual", flat, g.ints([0]), BOOL)), "what is counted is negative")
    flat = g.behind(flat, right)
    keep = g.binary("Less", flat, g.ints([end if end >= 0 else np.iinfo(np.int64).max]), BOOL)
    kept = g.op("Compress", flat, keep, axis=0, shape=(None,))
    above = g.op("ReduceMax", g.concat([kept, g.ints([-1])], 0, (None,)), g.ints([0]), keepdims=1, shape=(1,))
    above = g.op("Add", above, g.ints([1]), shape=(1,))
    width = g.ints([end]) if end >= 0 else g.op("Max", above, g.ints([least]), shape=(1,))
    key = kept
    if rows is not None:
        of = g.op("Compress", rows, keep, axis=0, shape=(None,))
        key = g.op("Add", g.op("Mul", of, width, shape=(None,)), kept, shape=(None,))
    found, inverse, hits = distinct(g, key)
    dtype = weights.dtype
    if binary:
        made = g.cast(g.op("Min", hits, g.ints([1]), shape=(None,)), dtype)
    elif 0 in weights.shape:
        made = g.cast(hits, dtype)
    else:
        given = g.op("Compress", g.reshape(joinable(g, weights), [-1]), keep, axis=0, shape=(None,))
        made = g.cast(join(g, given, inverse, count_of(g, found), "add", 0), dtype)
    if rows is None:
        return [g.unsqueeze(found, [1]), made, width]
    return [columns(g, indices_at(g, found, g.concat([count, width], 0), 2)), made, g.concat([count, width], 0)]


def dense_count(
    g: Builder, step: Step, values: Value, weights: Value, *, minlength: int = -1, maxlength: int = -1,
    binary_output: bool,
) -> list[Value | None]:  # fmt: skip
    if values.rank not in (1, 2):
        raise Refusal("vectors and matrices are counted")
    count = count_of(g, values)
    rows = None
    if values.rank == 2:
        wide = g.op("Expand", g.unsqueeze(arange(g, count), [1]), g.shape_of(values), shape=(None, None))
        rows = g.reshape(wide, [-1])
    return _as_sparse(g, rows, values, weights, count, minlength, maxlength, binary_output)


def sparse_count(
    g: Builder, step: Step, indices: Value, values: Value, shape: Value, weights: Value,
    *, minlength: int = -1, maxlength: int = -1, binary_output: bool,
) -> list[Value | None]:  # fmt: skip
    rank = rank_of(indices, shape)
    if rank > 2:
        raise Refusal("vectors and matrices are counted")
    rows = None if rank == 1 else g.op("Gather", indices, g.const(0, INT64), axis=1, shape=(None,))
    count = g.slice(shape, g.ints([0]), g.ints([1]), [0])
    return _as_sparse(g, rows, values, weights, count, minlength, maxlength, binary_output)


def ragged_count(
    g: Builder, step: Step, splits: Value, values: Value, weights: Value,
    *, minlength: int = -1, maxlength: int = -1, binary_output: bool,
) -> list[Value | None]:  # fmt: skip
    bounds = g.int64(splits)
    count = count_of(g, lengths_of(g, bounds))
    return _as_sparse(g, rows_of(g, bounds), values, weights, count, minlength, maxlength, binary_output)


LOWERINGS: Table = {
    "DenseCountSparseOutput": dense_count,
    "DenseToDenseSetOperation": dense_dense,
    "DenseToSparseSetOperation": dense_sparse,
    "RaggedBincount": ragged_bincount,
    "RaggedCountSparseOutput": ragged_count,
    "SetSize": size,
    "SparseBincount": sparse_bincount,
    "SparseCountSparseOutput": sparse_count,
    "SparseToSparseSetOperation": sparse_sparse,
}
