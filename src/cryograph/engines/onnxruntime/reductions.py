"""Lowerings of reductions along axes, running sums, positions of extremes and sorting."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT64, INT32, INT64, UINT8, DType
from ...base.shapes import Shape, element_count, is_known, known
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .elementwise import floats_only
from .faults import NORM_OF_NO_AXES, TOP_OF_NOTHING, is_right, must_be_right
from .values import Refusal, Value
from .whole import from_float, quotient


def _reduced(x: Value, axes: list[int] | None, keep: bool) -> Shape:
    if x.shape is None:
        return None
    gone = set(range(len(x.shape))) if axes is None else set(axes)
    if keep:
        return tuple(1 if i in gone else size for i, size in enumerate(x.shape))
    return tuple(size for i, size in enumerate(x.shape) if i not in gone)


def reduced(g: Builder, op: str, x: Value, axes: Value, keep: bool) -> Value:
    """One of ONNX's reductions along axes that are constants; of all axes when there are none to name."""
    found: list[int] | None
    if axes.array is None:
        if (x.shape is not None and 0 in x.shape) or op in ("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd"):
            raise Refusal("the axes of a reduction are not constants")
        shape = (None,) * len(x.shape) if keep and x.shape is not None else None
        return g.op(op, x, g.int64(axes), keepdims=int(keep), noop_with_empty_axes=1, shape=shape)
    if x.shape is None:
        raw = g.fixed_ints(axes, "the axes")
        if any(axis < 0 for axis in raw):
            return _reduce(g, op, x, raw, None, keep)
        found = raw
    else:
        found = sorted(set(g.axes(axes, len(x.shape), "the axes")))
    if not found:
        return x
    return _reduce(g, op, x, found, _reduced(x, found, keep), keep)


def _reduce(g: Builder, op: str, x: Value, axes: list[int], shape: Shape, keep: bool) -> Value:
    if x.shape is not None and 0 in x.shape and op in ("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd"):
        return _of_nothing(g, op, x, shape)
    made = g.op(op, x, g.ints(axes), keepdims=int(keep), shape=shape)
    if op != "ReduceMean" or (x.shape is not None and all(x.shape[axis] for axis in axes)):
        return made
    # The runtime has 0 for the mean of nothing: zero divided by the number of elements is NaN there, and 0 elsewhere.
    count = g.op("ReduceProd", g.sizes(x, axes), g.ints([0]), dtype=INT64, keepdims=0, shape=())
    return g.op("Add", made, g.op("Div", g.like(0, x), g.cast(count, x.dtype), shape=()), shape=shape)


def _of_nothing(g: Builder, op: str, x: Value, shape: Shape) -> Value:
    """A reduction of no elements, to which ONNX Runtime has its own answers."""
    if not is_known(shape) or (op == "ReduceMean" and not x.dtype.is_floating):
        raise Refusal("a reduction of nothing has its own answer in ONNX Runtime")
    if x.dtype.is_floating:
        ends = (-np.inf, np.inf)
    else:
        info = np.iinfo(x.dtype.numpy or np.int32)
        ends = (info.min, info.max)
    fill = {"ReduceMax": ends[0], "ReduceMin": ends[1], "ReduceMean": np.nan, "ReduceProd": 1}[op]
    return g.const(np.full(known(shape, "the result"), fill, x.dtype.numpy), x.dtype)


def _plain(op: str) -> Lowering:
    def lower(g: Builder, step: Step, x: Value, axes: Value, *, keep_dims: bool = False) -> Value:
        return reduced(g, op, x, axes, keep_dims)

    return lower


def _counted(op: str) -> Lowering:
    """Sums and products. Those of int64 pass through float64 in the runtime: exact as long as they count sizes."""

    def lower(g: Builder, step: Step, x: Value, axes: Value, *, keep_dims: bool = False) -> Value:
        if x.dtype == INT64 and not (is_known(x.shape) and element_count(known(x.shape, "x")) <= _SIZES):
            raise Refusal(f"{step.op} of many int64 loses digits in ONNX Runtime")
        return reduced(g, op, x, axes, keep_dims)

    return lower


_SIZES = 256
"""Elements up to which int64 are taken for the sizes of something."""


def mean(g: Builder, step: Step, x: Value, axes: Value, *, keep_dims: bool = False) -> Value:
    if x.dtype.is_integer:
        return _integer_mean(g, x, axes, keep_dims)
    floats_only(x, step.op)
    return reduced(g, "ReduceMean", x, axes, keep_dims)


def _wrapped_sum(g: Builder, x: Value, axes: Value, keep: bool) -> Value:
    """The sum of integers of up to 32 bits, of which that of 64 bits holds the lower ones."""
    if x.dtype.itemsize > 4:
        raise Refusal(f"sums of many {x.dtype} lose digits in ONNX Runtime")
    return g.cast(reduced(g, "ReduceSum", g.int64(x), axes, keep), x.dtype)


def _integer_mean(g: Builder, x: Value, axes: Value, keep: bool) -> Value:
    """Sum and number of elements, as far as the dtype holds them, divided towards zero."""
    sizes = [x.size(axis) for axis in sorted(set(g.axes(axes, x.rank, "the axes")))]
    if None in sizes:
        raise Refusal("the mean of integers needs known sizes")
    count = int(np.prod([size or 0 for size in sizes]))
    held = int(np.asarray(count).astype(x.dtype.numpy or np.int32))
    total = _wrapped_sum(g, x, axes, keep)
    if not count:
        return total
    return g.cast(quotient(g, g.int64(total), g.const(held, INT64)), x.dtype)


def _logic(op: str) -> Lowering:
    """All is the least, Any the greatest of the flags as numbers."""

    def lower(g: Builder, step: Step, x: Value, axes: Value, *, keep_dims: bool = False) -> Value:
        made = reduced(g, op, g.cast(x, UINT8), axes, keep_dims)
        return g.cast(made, BOOL)

    return lower


def norm(g: Builder, step: Step, x: Value, axes: Value, *, keep_dims: bool = False) -> Value:
    if x.dtype.is_integer:
        squares = g.op("Mul", x, x, shape=x.shape)
        return from_float(g, g.unary("Sqrt", g.cast(_wrapped_sum(g, squares, axes, keep_dims), FLOAT64)), x.dtype)
    floats_only(x, step.op)
    made = reduced(g, "ReduceL2", x, axes, keep_dims)
    if made is x or (axes.array is None and not is_right(NORM_OF_NO_AXES)):
        return g.unary("Abs", made)
    return made


def _arg(op: str) -> Lowering:
    """Of equal ones the first, as in TensorFlow."""

    def lower(g: Builder, step: Step, x: Value, axis: Value, *, output_type: DType = INT64) -> Value:
        (where,) = g.axes(axis, x.rank)
        made = g.op(op, x, dtype=INT64, axis=where, keepdims=0, shape=_reduced(x, [where], False))
        return g.cast(made, output_type)

    return lower


def sorted_top(g: Builder, x: Value, k: Value, largest: bool, is_sorted: bool = True) -> list[Value]:
    """The k greatest or least along the last axis, and their places. Of equal ones the lower index first, in both."""
    if x.shape is None or not all(x.shape[:-1]):
        must_be_right(TOP_OF_NOTHING)
    count = None if k.array is None else int(k.array.reshape(-1)[0])
    shape = None if x.shape is None else (*x.shape[:-1], count)
    many = g.reshape(g.int64(k), [1]) if k.shape != (1,) else g.int64(k)
    return g.ops(
        "TopK",
        x,
        many,
        dtypes=[x.dtype, INT64],
        shapes=[shape, shape],
        axis=-1,
        largest=int(largest),
        sorted=int(is_sorted),
    )


def top_k_v2(
    g: Builder, step: Step, x: Value, k: Value, *, sorted: bool = True, index_type: DType = INT32
) -> list[Value | None]:
    values, places = sorted_top(g, x, k, True, sorted)
    return [values, g.cast(places, index_type)]


def top_k(g: Builder, step: Step, x: Value, *, k: int, sorted: bool = True) -> list[Value | None]:
    return top_k_v2(g, step, x, g.const(k, INT32), sorted=sorted)


def in_top_k_v2(g: Builder, step: Step, predictions: Value, targets: Value, k: Value) -> Value:
    """Whether fewer than k classes are strictly above the target's. A target that is no class is not in, nor is one
    in a row with a score that is not finite."""
    shape = targets.shape
    index, classes = g.int64(targets), g.sizes(predictions, [1])
    lowest, last = g.ints([0]), g.op("Sub", classes, g.ints([1]))
    inside = g.op("Max", g.op("Min", index, last, shape=shape), lowest, shape=shape)
    score = g.op("GatherElements", predictions, g.unsqueeze(inside, [1]), axis=1, shape=(predictions.size(0), 1))
    above = g.cast(g.op("Greater", predictions, score, dtype=BOOL, shape=predictions.shape), INT64)
    count = g.op("ReduceSum", above, g.ints([1]), keepdims=0, shape=shape)
    few = g.op("Less", count, g.int64(k), dtype=BOOL, shape=shape)
    zeros = g.op("Sub", predictions, predictions, shape=predictions.shape)
    flags = g.cast(g.op("Equal", zeros, g.like(0, score), dtype=BOOL, shape=predictions.shape), UINT8)
    finite = g.cast(g.op("ReduceMin", flags, g.ints([1]), keepdims=0, shape=shape), BOOL)
    valid = g.op("Equal", inside, index, dtype=BOOL, shape=shape)
    return g.op("And", g.op("And", few, finite, shape=shape), valid, shape=shape)


def in_top_k(g: Builder, step: Step, predictions: Value, targets: Value, *, k: int) -> Value:
    return in_top_k_v2(g, step, predictions, targets, g.const(k, INT64))


def cumsum(g: Builder, step: Step, x: Value, axis: Value, *, exclusive: bool = False, reverse: bool = False) -> Value:
    return g.op("CumSum", x, axis, exclusive=int(exclusive), reverse=int(reverse), shape=x.shape)


LOWERINGS: Table = {
    "All": _logic("ReduceMin"),
    "Any": _logic("ReduceMax"),
    "ArgMax": _arg("ArgMax"),
    "ArgMin": _arg("ArgMin"),
    "Cumsum": cumsum,
    "EuclideanNorm": norm,
    "InTopK": in_top_k,
    "InTopKV2": in_top_k_v2,
    "Max": _plain("ReduceMax"),
    "Mean": mean,
    "Min": _plain("ReduceMin"),
    "Prod": _counted("ReduceProd"),
    "Sum": _counted("ReduceSum"),
    "TopK": top_k,
    "TopKV2": top_k_v2,
}
