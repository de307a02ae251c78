"""Lowerings of ops that choose elements, deal them out, put them together, or place them in a tensor."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType
from ...base.shapes import Shape
from ...program.program import Step
from .builder import Builder, Lowering, Table, int_dtype
from .segments import scattered
from .values import Refusal, Value


def list_diff(g: Builder, step: Step, x: Value, y: Value, *, out_idx: DType = INT32) -> list[Value | None]:
    """What of x is not in y, with its places."""
    same = g.binary("Equal", g.unsqueeze(x, [1]), g.unsqueeze(y, [0]), BOOL)
    hits = g.op("ReduceSum", g.cast(same, INT64), g.ints([1]), keepdims=0, shape=x.shape)
    found = g.op("NonZero", g.binary("Equal", hits, g.ints([0]), BOOL), dtype=INT64, shape=(1, None))
    places = g.reshape(found, [-1])
    return [g.op("Gather", x, places, axis=0, shape=(None,)), g.cast(places, out_idx)]


def unique_with_counts_v2(
    g: Builder, step: Step, x: Value, axis: Value, *, out_idx: DType = INT32
) -> list[Value | None]:
    """In the order of first appearance; along an axis where one is named."""
    said = g.fixed_ints(axis, "the axis")
    if not said and x.rank != 1:
        raise Refusal("UniqueV2 without an axis takes vectors")
    if x.dtype.is_floating:
        raise Refusal("ONNX Runtime loses numbers beside a NaN")
    along = said[0] % x.rank if said else None
    length = x.shape[along or 0] if x.shape is not None else None
    if length == 0:
        raise Refusal("there is nothing to choose from")
    shapes: list[Shape] = [None, (None,), (length,), (None,)]
    found = g.ops("Unique", x, dtypes=[x.dtype, INT64, INT64, INT64], shapes=shapes, sorted=0, axis=along)
    return [found[0], *(g.cast(part, out_idx) for part in found[2:])]


def unique_v2(g: Builder, step: Step, x: Value, axis: Value, *, out_idx: DType = INT32) -> list[Value | None]:
    return unique_with_counts_v2(g, step, x, axis, out_idx=out_idx)[:2]


def dynamic_partition(
    g: Builder, step: Step, x: Value, partitions: Value, *, num_partitions: int
) -> list[Value | None]:
    """One Compress for each part."""
    rank = partitions.rank
    if not rank:
        raise Refusal("a partition by one number has no form in ONNX")
    rest = (x.shape or ())[rank:]
    if any(size is None for size in rest):
        raise Refusal("DynamicPartition needs known sizes of the rows")
    sizes = [size or 0 for size in rest]
    rows = x if rank == 1 else g.reshape(x, [-1, *sizes]) if 0 not in sizes else None
    if rows is None:
        raise Refusal("rows without elements have no form in ONNX")
    ids = partitions if rank == 1 else g.reshape(partitions, [-1])
    made: list[Value | None] = []
    for number in range(num_partitions):
        mask = g.binary("Equal", ids, g.const(number, ids.dtype), BOOL)
        made.append(g.op("Compress", rows, mask, axis=0, shape=(None, *rest)))
    return made


def dynamic_stitch(g: Builder, step: Step, *inputs: Value) -> Value:
    """The rows of all parts, put where constant indices say: the last one that names a place wins."""
    half = len(inputs) // 2
    if any(part.array is None for part in inputs[:half]):
        if all(0 in (part.shape or ()) for part in inputs[:half]):
            raise Refusal("there is nothing to put together")
        return _stitched(g, step, inputs[:half], inputs[half:])
    places = [g.fixed(part, "the indices of a part") for part in inputs[:half]]
    if not sum(place.size for place in places):
        raise Refusal("there is nothing to put together")
    rows: list[Value] = []
    for place, part in zip(places, inputs[half:], strict=True):
        rest = (part.shape or ())[place.ndim :]
        if any(size is None for size in rest) or part.shape is None:
            raise Refusal(f"{step.op} needs known sizes of the rows")
        rows.append(g.reshape(part, [place.size, *(size or 0 for size in rest)]))
    flat = np.concatenate([place.reshape(-1) for place in places])
    count = int(flat.max()) + 1
    origin = np.full(count, -1)
    origin[flat] = np.arange(flat.size)
    if (origin < 0).any():
        raise Refusal("a place gets no row")
    rest = (rows[0].shape or ())[1:]
    return g.op("Gather", g.concat(rows, 0, (flat.size, *rest)), g.const(origin, INT64), axis=0, shape=(count, *rest))


def _stitched(g: Builder, step: Step, indices: Sequence[Value], parts: Sequence[Value]) -> Value:
    """The same where the indices are found in the run, which fails when a place gets no row."""
    rest = (parts[0].shape or ())[indices[0].rank :]
    if parts[0].shape is None or None in rest or 0 in rest:
        raise Refusal(f"{step.op} needs known sizes of the rows")
    sizes = [size or 0 for size in rest]
    places = g.concat([g.reshape(g.int64(index), [-1]) for index in indices], 0, (None,))
    rows = g.concat([g.reshape(part, [-1, *sizes]) for part in parts], 0, (None, *rest))
    last = g.op("ReduceMax", places, g.ints([0]), keepdims=1, shape=(1,))
    many = g.squeeze(g.op("Shape", places, dtype=INT64, shape=(1,)), [0])
    numbers = g.op("Range", g.const(0, INT64), many, g.const(1, INT64), shape=(None,))
    none = g.op("Expand", g.const(-1, INT64), g.op("Add", last, g.ints([1]), shape=(1,)), shape=(None,))
    far = g.const(np.iinfo(np.int64).max, INT64)  # what is below 0 is out of range then
    held = g.op("BitwiseAnd", places, far, shape=places.shape)
    origin = g.op("ScatterElements", none, held, numbers, axis=0, reduction="max", shape=(None,))
    return g.op("Gather", rows, g.op("BitwiseAnd", origin, far, shape=(None,)), axis=0, shape=(None, *rest))


def sparse_to_dense(
    g: Builder,
    step: Step,
    indices: Value,
    shape: Value,
    values: Value,
    default: Value,
    *,
    validate_indices: bool = True,
) -> Value:
    """With checks only constants are taken, which are checked here; TensorFlow wants them sorted and each once."""
    sizes = g.fixed_ints(shape, "output_shape")
    if indices.rank > 2 or (indices.rank < 2 and len(sizes) != 1):
        raise Refusal("sparse_indices are no matrix")
    if validate_indices:
        found = g.fixed(indices, "sparse_indices").reshape(-1, len(sizes))
        flat = [tuple(row) for row in found.tolist()]
        if any(a >= b for a, b in itertools.pairwise(flat)):
            raise Refusal("sparse_indices do not rise")
    if not sizes or indices.shape is None or None in indices.shape:
        raise Refusal("sparse_indices have no known shape")
    count = indices.shape[0] if indices.rank else 1
    rows = g.reshape(g.int64(indices), [count or 0, len(sizes)])
    dense = g.op("Expand", default, g.ints(sizes), shape=tuple(sizes))
    updates = values if values.rank else g.op("Expand", values, g.ints([count or 0]), shape=(count,))
    return g.op("ScatterND", dense, rows, updates, shape=tuple(sizes))


def sparse_times_dense(
    g: Builder,
    step: Step,
    indices: Value,
    values: Value,
    shape: Value,
    b: Value,
    *,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
) -> Value:
    """Each entry picks a row of `b` and is added, times its value, to a row of the answer."""
    sizes = g.fixed_ints(shape, "a_shape")
    if values.dtype not in (FLOAT32, FLOAT64) or b.rank != 2 or len(sizes) != 2:
        raise Refusal(f"{step.op} on {values.dtype} of rank {b.rank} has no lowering to ONNX")
    count = values.size(0)
    right = g.transpose(b, [1, 0]) if adjoint_b else b
    entries = g.ops("Split", g.int64(indices), dtypes=[INT64, INT64], shapes=[(count, 1)] * 2, axis=1, num_outputs=2)
    to, of = entries[::-1] if adjoint_a else entries
    picked = g.op("Gather", right, g.reshape(of, [-1]), axis=0, shape=(count, right.size(1)))
    scaled = g.binary("Mul", picked, g.unsqueeze(values, [1]))
    return scattered(
        g,
        Value(scaled.name, scaled.dtype, (count, right.size(1))),
        g.reshape(to, [-1]),
        sizes[int(adjoint_a)],
        "add",
        0,
    )


def unravel_index(g: Builder, step: Step, indices: Value, dims: Value) -> Value:
    sizes = g.fixed_ints(dims, "dims")
    if not int_dtype(indices) or indices.rank > 1 or min(sizes, default=0) <= 0:
        raise Refusal("UnravelIndex has a form in ONNX for vectors of int32 or int64")
    strides = np.append(np.cumprod(sizes[:0:-1])[::-1], 1)
    places = g.unsqueeze(indices, [0])
    shape = (len(sizes),) if not indices.rank else (len(sizes), 1)
    over = g.binary("Div", places, g.const(strides.reshape(shape), indices.dtype))
    return g.binary("Mod", over, g.const(np.asarray(sizes).reshape(shape), indices.dtype))


def broadcast_args(g: Builder, step: Step, a: Value, b: Value) -> Value:
    """The sizes of two shapes broadcast: the other's where one has 1."""
    lengths = [x.size(0) for x in (a, b)]
    if None in lengths:
        raise Refusal("the ranks are not known")
    rank = max(length or 0 for length in lengths)
    ones = [g.const(np.ones(rank - (length or 0), np.int64), a.dtype) for length in lengths]
    a, b = (g.concat([one, x], 0, (rank,)) if one.size(0) else x for one, x in zip(ones, (a, b), strict=True))
    return g.where(g.binary("Equal", a, g.const(1, a.dtype), BOOL), b, a, (rank,))


def _inplace(reduction: str) -> Lowering:
    def lower(g: Builder, step: Step, x: Value, index: Value, updates: Value) -> Value:
        if reduction == "add" and x.dtype not in (FLOAT32, FLOAT64, INT32, INT64):
            raise Refusal(f"ONNX Runtime joins no updates of {x.dtype}")
        found = g.fixed(index, "the rows to write").reshape(-1)
        if len(set(found.tolist())) < found.size:
            raise Refusal("a row is written twice")
        places = g.unsqueeze(g.int64(index), [1])
        return g.op("ScatterND", x, places, updates, reduction=reduction, shape=x.shape)

    return lower


def lin_space(g: Builder, step: Step, start: Value, stop: Value, num: Value) -> Value:
    """From the first to the last, which is met exactly; worked out in doubles as the reference does."""
    (count,) = g.fixed_ints(num, "the number of points")
    if count < 1 or start.dtype not in (FLOAT32, FLOAT64):
        raise Refusal(f"LinSpace of {count} points of {start.dtype} has no lowering to ONNX")
    first, last = g.cast(start, FLOAT64), g.cast(stop, FLOAT64)
    step_ = g.binary("Div", g.binary("Sub", last, first), g.const(max(count - 1, 1), FLOAT64))
    made = g.binary("Add", first, g.binary("Mul", g.const(np.arange(count), FLOAT64), step_))
    if count > 1:
        made = g.where(g.const(np.arange(count) == count - 1, BOOL), last, made, (count,))
    return g.cast(Value(made.name, FLOAT64, (count,), made.tensor), start.dtype)


LOWERINGS: Table = {
    "BroadcastArgs": broadcast_args,
    "DynamicPartition": dynamic_partition,
    "DynamicStitch": dynamic_stitch,
    "InplaceAdd": _inplace("add"),
    "InplaceUpdate": _inplace("none"),
    "LinSpace": lin_space,
    "ListDiff": list_diff,
    "ParallelDynamicStitch": dynamic_stitch,
    "SparseTensorDenseMatMul": sparse_times_dense,
    "SparseToDense": sparse_to_dense,
    "UniqueV2": unique_v2,
    "UniqueWithCountsV2": unique_with_counts_v2,
    "UnravelIndex": unravel_index,
}
