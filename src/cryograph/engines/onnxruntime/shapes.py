"""Lowerings of ops that ask for shapes, change them, or make tensors of a shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64, DType
from ...base.shapes import Shape, is_known, known
from ...program.program import Step
from . import lists
from .builder import Builder, Lowering, Table
from .steps import sure
from .values import Refusal, Value


def fixed_shape(x: Value) -> Shape:
    """The shape that a value says when it is a constant vector of sizes; None otherwise."""
    if x.array is None:
        return None
    return tuple(int(size) if size >= 0 else None for size in x.array.reshape(-1))


def reshape(g: Builder, step: Step, x: Value, shape: Value) -> Value:
    if shape.array is not None:
        target = g.fixed_ints(shape, "the shape")
        if 0 in target and -1 in target:
            raise Refusal("a shape with a size of 0 and an open one has no form in ONNX")
        return g.reshape(x, target)
    result = g.shapes[0] if g.shapes else None
    if result is not None and result.count(None) <= 1 and 0 not in result:
        # One size is open at most: it follows from the others, and nothing need be computed of shapes.
        return g.reshape(x, [-1 if size is None else size for size in result])
    return g.reshape_to(x, g.int64(shape))


def shape(g: Builder, step: Step, x: Value, *, out_type: DType = INT32) -> Value:
    return g.shape_of(x, out_type)


def shape_n(g: Builder, step: Step, *inputs: Value, out_type: DType = INT32) -> list[Value]:
    return [g.shape_of(x, out_type) for x in inputs]


def size(g: Builder, step: Step, x: Value, *, out_type: DType = INT32) -> Value:
    if is_known(x.shape):
        return g.const(int(np.prod(known(x.shape, "x"), dtype=np.int64)), out_type)
    return g.cast(g.op("Size", x, dtype=INT64, shape=()), out_type)


def rank(g: Builder, step: Step, x: Value) -> Value:
    return g.const(x.rank, INT32)


def expand_dims(g: Builder, step: Step, x: Value, dim: Value) -> Value:
    return g.unsqueeze(x, g.axes(dim, x.rank + 1, "dim"))


def squeeze(g: Builder, step: Step, x: Value, *, squeeze_dims: Sequence[int] = ()) -> Value:
    if squeeze_dims:
        rank_ = x.rank
        return g.squeeze(x, sorted({axis % rank_ for axis in squeeze_dims}))
    if x.shape is None or any(size is None for size in x.shape):
        raise Refusal("a squeeze of all dimensions of size 1 needs a known shape")
    return g.squeeze(x, [axis for axis, size in enumerate(x.shape) if size == 1])


def transpose(g: Builder, step: Step, x: Value, perm: Value) -> Value:
    order = g.axes(perm, x.rank, "perm")
    if sorted(order) != list(range(x.rank)):
        raise Refusal(f"perm {order} is no permutation")
    return g.transpose(x, order)


def broadcast_to(g: Builder, step: Step, x: Value, shape: Value) -> Value:
    return g.op("Expand", x, g.int64(shape), shape=fixed_shape(shape))


def fill(g: Builder, step: Step, dims: Value, value: Value) -> Value:
    if dims.array is not None and value.array is not None and np.prod(dims.array, dtype=np.float64) <= 1024:
        return g.const(np.full(tuple(g.fixed_ints(dims, "dims")), value.array), value.dtype)
    return g.op("Expand", value, g.int64(dims), shape=fixed_shape(dims))


def _full_like(number: int) -> Lowering:
    def lower(g: Builder, step: Step, x: Value) -> Value:
        if x.items is not None and not number:
            return lists.zeros(g, x)
        sizes = g.shape_of(x)
        if sizes.array is not None and np.prod(sizes.array, dtype=np.float64) <= 1024:
            return g.const(np.full(tuple(g.fixed_ints(sizes, "x")), number), x.dtype)
        return g.op("Expand", g.like(number, x), sizes, shape=x.shape)

    return lower


def range_(g: Builder, step: Step, start: Value, limit: Value, delta: Value) -> Value:
    arrays = (start.array, limit.array, delta.array)
    if start.dtype in (INT32, INT64) and arrays[0] is not None and arrays[1] is not None and arrays[2] is not None:
        made = [int(a) for a in arrays if a is not None]
        if made[2] and len(span := range(made[0], made[1], made[2])) <= 1024:
            return g.const(np.asarray(span), start.dtype)
    if start.dtype.is_floating:
        return _float_range(g, start, limit, delta)
    return g.op("Range", start, limit, delta, shape=(None,))


def _float_range(g: Builder, start: Value, limit: Value, delta: Value) -> Value:
    """The first, and a whole number of steps from there."""
    way = g.op("Sub", limit, start, shape=())
    against = g.op("Less", g.op("Mul", way, delta, shape=()), g.like(0, way), dtype=BOOL, shape=())
    wrong = g.op("Or", against, g.op("Equal", delta, g.like(0, delta), dtype=BOOL, shape=()), shape=())
    turns = g.op("Ceil", g.op("Abs", g.op("Div", sure(g, way, wrong), delta, shape=()), shape=()), shape=())
    numbers = g.op("Range", g.const(0, INT64), g.cast(turns, INT64), g.const(1, INT64), shape=(None,))
    return g.binary("Add", start, g.binary("Mul", g.cast(numbers, start.dtype), delta))


def identity(g: Builder, step: Step, x: Value) -> Value:
    return x


def identity_n(g: Builder, step: Step, *inputs: Value) -> list[Value]:
    return list(inputs)


def placeholder_with_default(g: Builder, step: Step, x: Value, *, shape: Shape = None) -> Value:
    return x


def ensure_shape(g: Builder, step: Step, x: Value, *, shape: Shape = None) -> Value:
    """Nothing to do where the shape is known to fit; a check at run time has no form in ONNX."""
    if shape is None:
        return x
    if x.shape is None or len(x.shape) != len(shape):
        raise Refusal("the shape that is to be ensured is not known before the run")
    for have, want in zip(x.shape, shape, strict=True):
        if want is not None and have != want:
            raise Refusal("the shape that is to be ensured is not known before the run")
    return x


def no_op(g: Builder, step: Step) -> None:
    return None


LOWERINGS: Table = {
    "BroadcastTo": broadcast_to,
    "EnsureShape": ensure_shape,
    "ExpandDims": expand_dims,
    "Fill": fill,
    "Identity": identity,
    "IdentityN": identity_n,
    "NoOp": no_op,
    "OnesLike": _full_like(1),
    "PlaceholderWithDefault": placeholder_with_default,
    "PreventGradient": identity,
    "Range": range_,
    "Rank": rank,
    "Reshape": reshape,
    "Shape": shape,
    "ShapeN": shape_n,
    "Size": size,
    "Snapshot": identity,
    "Squeeze": squeeze,
    "StopGradient": identity,
    "Transpose": transpose,
    "ZerosLike": _full_like(0),
}
