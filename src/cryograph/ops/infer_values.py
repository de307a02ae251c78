"""Values of small tensors, computed while shapes are inferred: what shapes are made of.

Only what comes out bit for bit as TensorFlow computes it: anything of integers, and of floats what rounds once.

A rule here takes the same `Call` as a rule of inference, after the shapes of its outputs were found wholly known and
small, and gives an array for each output, or None. Ops that only arrange elements take values that are known in part
(object arrays with None); so do sums, differences, products and quotients of integers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..base.tensors import Array
from .facts import MAX_VALUES, Call, Fact, normal_axis
from .infer_indexing import strided_entries

Values = Sequence[Array | None]
ValueRule = Callable[[Call], Values]


def _loose(fact: Fact) -> Array | None:
    """The value; for integers of known shape all None where nothing is known of it."""
    if fact.value is not None:
        return fact.value
    shape = fact.shape
    if fact.dtype is None or not fact.dtype.is_integer or shape is None:
        return None
    sizes = [size for size in shape if size is not None]
    if len(sizes) < len(shape) or prod(sizes) > MAX_VALUES:
        return None
    return np.full(sizes, None, dtype=object)


def _arranged(function: Callable[..., Any], count: int = 1) -> ValueRule:
    """A rule for an op that moves elements of its first `count` inputs (all of them for 0)."""

    def rule(call: Call) -> Values:
        facts = call.inputs[:count] if count else call.inputs
        arrays = [_loose(fact) for fact in facts]
        if any(array is None for array in arrays):
            return ()
        result = function(call, *arrays)
        return result if isinstance(result, list | tuple) else [result]

    return rule


def _as_rows(arrays: Sequence[Array]) -> list[Array]:
    """Arrays that may stand in one: all of objects when one of them is."""
    return [a.astype(object) for a in arrays] if any(a.dtype == object for a in arrays) else list(arrays)


def _reshape(call: Call, value: Array) -> Array | None:
    target = call.numbers(1)
    return None if target is None else value.reshape(target)


def _squeeze(call: Call, value: Array) -> Array:
    axes = tuple(normal_axis(axis, value.ndim) for axis in call.ints("squeeze_dims"))
    return np.squeeze(value, axes or None)


def _expand(call: Call, value: Array) -> Array | None:
    axis = call.scalar(1)
    return None if axis is None else np.expand_dims(value, axis)


def _pack(call: Call, *values: Array) -> Array:
    return np.stack(_as_rows(values), call.integer("axis"))


def _unpack(call: Call, value: Array) -> list[Array]:
    return list(np.moveaxis(value, call.integer("axis"), 0))


def _concat(call: Call) -> Values:
    last = call.op == "ConcatV2"
    axis = call.scalar(len(call.inputs) - 1 if last else 0)
    arrays = [_loose(fact) for fact in (call.inputs[:-1] if last else call.inputs[1:])]
    known = [array for array in arrays if array is not None]
    return () if axis is None or len(known) < len(arrays) else [np.concatenate(_as_rows(known), axis)]


def _split(call: Call) -> Values:
    value, axis = _loose(call.inputs[1]), call.scalar(0)
    return () if value is None or axis is None else np.split(value, len(call.outputs), axis)


def _split_v(call: Call) -> Values:
    value, sizes, axis = _loose(call.inputs[0]), call.numbers(1), call.scalar(2)
    if value is None or sizes is None or axis is None:
        return ()
    rest = value.shape[axis] - sum(size for size in sizes if size >= 0)
    ends = np.cumsum([rest if size < 0 else size for size in sizes])
    return np.split(value, ends[:-1], axis)


def _strided(call: Call, value: Array) -> Array | None:
    index: list[Any] = []
    for kind, _, begin, end, stride in strided_entries(call, value.ndim):
        if kind == "unknown" or (kind == "index" and begin is None):
            return None
        index.append(np.newaxis if kind == "new" else begin if kind == "index" else slice(begin, end, stride))
    return np.asarray(value[tuple(index)])


def _slice(call: Call, value: Array) -> Array | None:
    begins, sizes = call.numbers(1), call.numbers(2)
    if begins is None or sizes is None:
        return None
    return value[tuple(slice(b, None if s == -1 else b + s) for b, s in zip(begins, sizes, strict=True))]


def _gather(call: Call, value: Array) -> Array | None:
    indices = call.value(1)
    axis = call.scalar(2) if call.op == "GatherV2" else 0
    if indices is None or axis is None or (call.op == "GatherV2" and call.integer("batch_dims")):
        return None
    if indices.size and (indices.min() < 0 or indices.max() >= value.shape[axis]):
        return None
    return np.take(value, indices, axis)


def _transpose(call: Call, value: Array) -> Array | None:
    order = call.numbers(1)
    return None if order is None else np.transpose(value, order)


def _tile(call: Call, value: Array) -> Array | None:
    repeats = call.numbers(1)
    return None if repeats is None else np.tile(value, repeats)


def _fill(call: Call) -> Values:
    dims, value = call.numbers(0), _loose(call.inputs[1])
    return () if dims is None or value is None else [np.full(dims, value.item(), dtype=value.dtype)]


def _broadcast_to(call: Call, value: Array) -> Array | None:
    dims = call.numbers(1)
    return None if dims is None else np.broadcast_to(value, dims)


def _reverse(call: Call, value: Array) -> Array | None:
    axes = call.numbers(1)
    return None if axes is None else np.flip(value, tuple(axes))


def _pad(call: Call, value: Array) -> Array | None:
    edges = call.value(1)
    fill = call.value(2) if call.op == "PadV2" else np.zeros(())
    if edges is None or fill is None:
        return None
    return np.pad(value, edges, constant_values=fill.item() if value.dtype != object else int(fill.item()))


def _cast(call: Call, value: Array) -> Array | None:
    target = call.outputs[0].base.numpy
    if target is None or value.dtype == object:
        return value
    if value.dtype.kind == "f" and target.kind in "iu":
        limits = np.iinfo(target)
        if not np.all(np.isfinite(value)) or np.any(value < limits.min) or np.any(value > limits.max):
            return None
    return value.astype(target)


# Arithmetic


def _partly(function: Callable[[Any, Any], Any]) -> Callable[[Array, Array], Array]:
    def one(a: Any, b: Any) -> Any:
        return None if a is None or b is None else function(a, b)

    ufunc = np.frompyfunc(one, 2, 1)
    return lambda a, b: np.asarray(ufunc(a, b), dtype=object)


def _binary(known: Callable[[Array, Array], Any], partial: Callable[[Any, Any], Any] | None = None) -> ValueRule:
    """A rule for two inputs: numpy's function, and Python's for integers known in part."""
    partly = None if partial is None else _partly(partial)

    def rule(call: Call) -> Values:
        a, b = call.inputs[0].value, call.inputs[1].value
        if a is None or b is None:
            return ()
        if a.dtype != object and b.dtype != object:
            return [np.asarray(known(a, b))]
        return () if partly is None else [partly(a, b)]

    return rule


def _whole(function: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """Division: nothing is known where TensorFlow stops with an error."""

    def divide(a: Array, b: Array) -> Array:
        if b.dtype.kind in "iu" and not np.all(b):
            raise ZeroDivisionError
        return function(a, b)

    return divide


def _truncated(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        quotient = np.abs(a) // np.abs(b)
        return np.where((a < 0) != (b < 0), -quotient, quotient).astype(a.dtype)
    return np.asarray(a / b)


def _unary(function: Callable[[Array], Any]) -> ValueRule:
    def rule(call: Call) -> Values:
        value = call.value(0)
        return () if value is None else [np.asarray(function(value))]

    return rule


def _negated(call: Call, value: Array) -> Array:
    if value.dtype != object:
        return -value
    return np.asarray(np.frompyfunc(lambda item: None if item is None else -item, 1, 1)(value), dtype=object)


def _reduction(function: Callable[..., Any], floats: bool = True) -> ValueRule:
    """A rule for a reduction; sums of floats depend on their order and are left out."""

    def rule(call: Call) -> Values:
        value, axes = call.value(0), call.numbers(1)
        if value is None or axes is None or (value.dtype.kind not in "iub" and not floats):
            return ()
        where = tuple(sorted({normal_axis(axis, value.ndim) for axis in axes}))
        result = function(value, axis=where, keepdims=call.flag("keep_dims"))
        return [np.asarray(result).astype(value.dtype)]

    return rule


def _select(call: Call) -> Values:
    condition, a, b = call.value(0), _loose(call.inputs[1]), _loose(call.inputs[2])
    if condition is None or a is None or b is None:
        return ()
    if call.op == "Select" and condition.ndim == 1 and a.ndim > 1:
        condition = condition.reshape(-1, *[1] * (a.ndim - 1))
    a, b = _as_rows([a, b])
    return [np.where(condition, a, b)]


def _range(call: Call) -> Values:
    values = [call.value(i) for i in range(3)]
    if any(value is None for value in values):
        return ()
    start, limit, delta = (value.reshape(-1)[0] for value in values if value is not None)
    return [np.arange(int(start), int(limit), int(delta))] if start.dtype.kind in "iu" else ()


def _like(fill: int) -> ValueRule:
    def rule(call: Call) -> Values:
        shape = call.shape(0)
        dtype = call.outputs[0].base.numpy
        if shape is None or dtype is None or call.outputs[0].is_string:
            return ()
        return [np.full([size for size in shape if size is not None], fill, dtype)]

    return rule


def _cumsum(call: Call, value: Array) -> Array | None:
    axis = call.scalar(1)
    if axis is None or value.dtype.kind not in "iu" or call.flag("exclusive") or call.flag("reverse"):
        return None
    return np.cumsum(value, axis).astype(value.dtype)


def _scatter_nd(call: Call) -> Values:
    indices, updates, shape = call.value(0), call.value(1), call.numbers(2)
    if indices is None or updates is None or shape is None or (indices.size and indices.min() < 0):
        return ()
    result = np.zeros(shape, updates.dtype)
    np.add.at(result, tuple(np.moveaxis(indices, -1, 0)), updates)
    return [result]


def _stitch(call: Call) -> Values:
    count = len(call.inputs) // 2
    indices = [call.value(i) for i in range(count)]
    data = [_loose(call.inputs[count + i]) for i in range(count)]
    if any(v is None for v in (*indices, *data)):
        return ()
    rows = _as_rows([d for d in data if d is not None])
    flat = [i.reshape(-1) for i in indices if i is not None]
    size = max((int(i.max()) for i in flat if i.size), default=-1) + 1
    rest = rows[0].shape[indices[0].ndim :] if indices[0] is not None else ()
    result = np.zeros((size, *rest), rows[0].dtype)
    seen = np.zeros(size, bool)
    for index, row in zip(flat, rows, strict=True):
        result[index] = row.reshape(-1, *rest)
        seen[index] = True
    return [result] if seen.all() else ()


def _invert(call: Call, value: Array) -> Array | None:
    if value.dtype == object or sorted(value.tolist()) != list(range(value.size)):
        return None
    return np.argsort(value).astype(value.dtype)


def _one_hot(call: Call) -> Values:
    indices, depth, on, off = (call.value(i) for i in range(4))
    if indices is None or depth is None or on is None or off is None or call.integer("axis") != -1:
        return ()
    return [np.where(indices[..., None] == np.arange(int(depth)), on, off)]


def _concat_offset(call: Call) -> Values:
    axis, shapes = call.scalar(0), [call.value(i) for i in range(1, len(call.inputs))]
    if axis is None or any(shape is None for shape in shapes):
        return ()
    found, total = [], 0
    for shape in shapes:
        if shape is not None:
            offset = np.zeros_like(shape)
            offset[axis] = total
            total += int(shape[axis])
            found.append(offset)
    return found


def _clip(call: Call) -> Values:
    values = [call.value(i) for i in range(3)]
    return () if any(v is None for v in values) else [np.clip(*(v for v in values if v is not None))]


def _add_n(call: Call, *values: Array) -> Array:
    total = values[0]
    for value in values[1:]:
        total = _partly(operator.add)(total, value) if object in (total.dtype, value.dtype) else total + value
    return total


VALUES: dict[str, ValueRule] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add, operator.add),
    "AddN": _arranged(_add_n, 0),
    "AddV2": _binary(np.add, operator.add),
    "All": _reduction(np.all),
    "Any": _reduction(np.any),
    "BitwiseAnd": _binary(np.bitwise_and),
    "BitwiseOr": _binary(np.bitwise_or),
    "BitwiseXor": _binary(np.bitwise_xor),
    "BroadcastTo": _arranged(_broadcast_to),
    "Cast": _arranged(_cast),
    "Ceil": _unary(np.ceil),
    "ClipByValue": _clip,
    "Concat": _concat,
    "ConcatOffset": _concat_offset,
    "ConcatV2": _concat,
    "Cumsum": _arranged(_cumsum),
    "Div": _binary(_whole(_truncated)),
    "DynamicStitch": _stitch,
    "Equal": _binary(np.equal),
    "ExpandDims": _arranged(_expand),
    "Fill": _fill,
    "Floor": _unary(np.floor),
    "FloorDiv": _binary(_whole(np.floor_divide), operator.floordiv),
    "FloorMod": _binary(_whole(np.mod), operator.mod),
    "Gather": _arranged(_gather),
    "GatherV2": _arranged(_gather),
    "Greater": _binary(np.greater),
    "GreaterEqual": _binary(np.greater_equal),
    "InvertPermutation": _arranged(_invert),
    "LeftShift": _binary(np.left_shift),
    "Less": _binary(np.less),
    "LessEqual": _binary(np.less_equal),
    "LogicalAnd": _binary(np.logical_and),
    "LogicalNot": _unary(np.logical_not),
    "LogicalOr": _binary(np.logical_or),
    "Max": _reduction(np.max),
    "Maximum": _binary(np.maximum, max),
    "Min": _reduction(np.min),
    "Minimum": _binary(np.minimum, min),
    "Mul": _binary(np.multiply, operator.mul),
    "Neg": _arranged(_negated),
    "NotEqual": _binary(np.not_equal),
    "OneHot": _one_hot,
    "OnesLike": _like(1),
    "Pack": _arranged(_pack, 0),
    "Pad": _arranged(_pad),
    "PadV2": _arranged(_pad),
    "ParallelDynamicStitch": _stitch,
    "Prod": _reduction(np.prod, floats=False),
    "Range": _range,
    "RealDiv": _binary(_whole(np.true_divide)),
    "Reshape": _arranged(_reshape),
    "ReverseV2": _arranged(_reverse),
    "RightShift": _binary(np.right_shift),
    "Rint": _unary(np.rint),
    "Round": _unary(np.rint),
    "ScatterNd": _scatter_nd,
    "Select": _select,
    "SelectV2": _select,
    "Sign": _unary(np.sign),
    "Slice": _arranged(_slice),
    "Split": _split,
    "SplitV": _split_v,
    "Sqrt": _unary(np.sqrt),
    "Square": _unary(np.square),
    "Squeeze": _arranged(_squeeze),
    "StridedSlice": _arranged(_strided),
    "Sub": _binary(np.subtract, operator.sub),
    "Sum": _reduction(np.sum, floats=False),
    "Tile": _arranged(_tile),
    "Transpose": _arranged(_transpose),
    "TruncateDiv": _binary(_whole(_truncated)),
    "Unpack": _arranged(_unpack),
    "ZerosLike": _like(0),
}
