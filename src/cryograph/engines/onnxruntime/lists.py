"""Lowerings of lists of tensors: how they are made, changed, added up and read. `sequences.py` says what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64, VARIANT, DType
from ...base.shapes import Shape, known
from ...program.program import Step
from .builder import Builder, Table
from .control import emitted
from .sequences import (
    LAST,
    SPLITTABLE,
    asked_shape,
    blank_of,
    blanks_of,
    element_of,
    empty_sequence,
    fitting,
    in_parts,
    is_blank,
    is_full,
    items_of,
    merged,
    not_below,
    place_of,
    repeated,
    said_shape,
    sequence_op,
    sure_shape,
    taken,
)
from .values import ELEMENT_TYPES, Items, OnnxGraph, Refusal, Value

# --- making lists


def reserve(g: Builder, step: Step, shape: Value, count: Value, *, element_dtype: DType) -> Value:
    said, is_known = said_shape(shape)
    items = Items(element_dtype.base, said, is_known)
    if count.array is not None and g.fixed_ints(count, "num_elements") == [0]:
        return empty_sequence(g, items)
    return blanks_of(g, g.int64(count), items)


def empty(g: Builder, step: Step, shape: Value, most: Value, *, element_dtype: DType) -> Value:
    said, is_known = said_shape(shape)
    limit = g.int64(most if most.shape == () else g.reshape(most, []))
    number = limit.name if limit.array is None else int(limit.array)
    return empty_sequence(g, Items(element_dtype.base, said, is_known, number))


def from_tensor(g: Builder, step: Step, x: Value, shape: Value, *, element_dtype: DType) -> Value:
    said, is_known = sure_shape(shape)
    return in_parts(g, _rows(g, x, said), 1, Items(element_dtype.base, said, is_known))


def _rows(g: Builder, x: Value, shape: Shape) -> Value:
    """A tensor whose rows must have this shape."""
    if x.rank == 0:
        raise Refusal("a scalar has no rows")
    return fitting(g, x, None if shape is None else (None, *shape))


def _origins(g: Builder, indices: Value, count: Value) -> Value:
    """For each of `count` places (a vector of one number) the last row that goes there; -1 for none."""
    m = indices.size(0)
    if m is not None:
        numbers = g.const(np.arange(m), INT64)
    else:
        many = g.squeeze(g.sizes(indices, [0]), [0])
        numbers = g.op("Range", g.const(0, INT64), many, g.const(1, INT64), shape=(None,))
    none = g.op("Expand", g.const(-1, INT64), count, shape=(None,))
    index = g.int64(indices)
    safe = not_below(g, index)
    return g.op("ScatterElements", none, safe, numbers, axis=0, reduction="max", shape=(None,))


def _scattered(g: Builder, x: Value, indices: Value, count: Value, items: Items, fills: bool) -> Value:
    """Rows put in places; where none goes zeros, when the elements' shape is known and nothing else was there."""
    if indices.rank != 1:
        raise Refusal("the indices are no vector")
    x = _rows(g, x, items.shape)
    origin = _origins(g, indices, count)
    rest = (x.shape or ())[1:]
    if fills and is_full(items.shape):
        zeros = g.const(np.zeros((1, *known(items.shape, "an element"))), items.dtype)
        rows = g.op("Concat", x, zeros, axis=0, shape=(None, *rest))
        none = g.binary("Less", origin, g.const(0, INT64), BOOL)
        origin = g.where(none, g.sizes(x, [0]), origin, (None,))
    else:
        rows, origin = x, not_below(g, origin)  # what gets no row is out of range
    return in_parts(g, g.op("Gather", rows, origin, axis=0, shape=(None, *rest)), 1, items)


def scatter(
    g: Builder,
    step: Step,
    x: Value,
    indices: Value,
    shape: Value,
    count: Value | None = None,
    *,
    element_dtype: DType,
) -> Value:
    """A new list, as long as is said, or as the greatest index wants."""
    said, is_known = sure_shape(shape)
    items = Items(element_dtype.base, said, is_known)
    wanted = g.ints([-1]) if count is None else g.reshape(g.int64(count), [1])
    if wanted.array is not None and int(wanted.array[0]) >= 0:
        return _scattered(g, x, indices, wanted, items, True)
    highest = g.op("ReduceMax", g.int64(indices), g.ints([0]), keepdims=1, shape=(1,))
    reached = g.op("Add", highest, g.ints([1]), shape=(1,))
    if wanted.array is None:
        is_open = g.binary("Less", wanted, g.ints([0]), BOOL)
        reached = g.where(is_open, reached, wanted, (1,))
    return _scattered(g, x, indices, reached, items, True)


def scatter_into(g: Builder, step: Step, held: Value, x: Value, indices: Value, *, element_dtype: DType) -> Value:
    """When all elements get a row; numpy does the run in which some keep what they had."""
    return _scattered(g, x, indices, g.reshape(_count(g, held), [1]), items_of(held, element_dtype), False)


def split(g: Builder, step: Step, x: Value, shape: Value, lengths: Value, *, element_dtype: DType) -> Value:
    said, is_known = sure_shape(shape)
    items = Items(element_dtype.base, said, is_known)
    if items.dtype not in SPLITTABLE or x.rank == 0 or lengths.rank != 1:
        raise Refusal(f"a tensor of {items.dtype} is not split by such lengths in ONNX")
    x = _rows(g, x, None if said is None else said[1:])
    return sequence_op(g, "SplitToSequence", g.unsqueeze(x, [0]), lengths, items=items, axis=1, keepdims=1)


# --- changing lists


def set_item(
    g: Builder,
    step: Step,
    held: Value,
    index: Value,
    item: Value,
    *,
    element_dtype: DType,
    resize_if_index_out_of_bounds: bool = False,
) -> Value:
    """Out with the old, in with the new. A list that grows may do so by one; numpy does the run in which it jumps."""
    items, place = items_of(held, element_dtype), place_of(g, index)
    element = element_of(g, item, items)
    if not resize_if_index_out_of_bounds:
        rest = sequence_op(g, "SequenceErase", held, place, items=items)
        return sequence_op(g, "SequenceInsert", rest, element, place, items=items)
    inside = g.binary("Less", place, _count(g, held), BOOL)
    then = emitted(g, lambda: [sequence_op(g, "SequenceErase", held, place, items=items)])
    other = emitted(g, lambda: [held])
    rest = g.ops("If", inside, dtypes=[VARIANT], shapes=[()], lists=[items], then_branch=then, else_branch=other)[0]
    return sequence_op(g, "SequenceInsert", rest, element, place, items=items)


def push_back(g: Builder, step: Step, held: Value, item: Value, *, element_dtype: DType) -> Value:
    items = items_of(held, element_dtype)
    element = element_of(g, item, items)
    if isinstance(items.limit, int) and items.limit < 0:
        return sequence_op(g, "SequenceInsert", held, element, items=items)
    count = _count(g, held)
    limit = g.const(items.limit, INT64) if isinstance(items.limit, int) else Value(items.limit, INT64, ())
    has_room = g.binary("Less", count, limit, BOOL)
    if isinstance(items.limit, str):
        has_room = g.binary("Or", has_room, g.binary("Less", limit, g.const(0, INT64), BOOL), BOOL)
    place = g.where(has_room, count, g.const(LAST, INT64), ())
    return sequence_op(g, "SequenceInsert", held, element, place, items=items)


def pop_back(g: Builder, step: Step, held: Value, shape: Value, *, element_dtype: DType) -> list[Value]:
    items = items_of(held, element_dtype)
    last = taken(g, held, g.const(-1, INT64), shape)
    return [sequence_op(g, "SequenceErase", held, items=items), last]


def resize(g: Builder, step: Step, held: Value, size: Value) -> Value:
    """Elements that are not set behind it, or the last ones away."""
    items = items_of(held)
    if items.dtype not in ELEMENT_TYPES:
        raise Refusal(f"lists of {items.dtype} have no form in ONNX")
    each, shape = blank_of(items)
    blank = g.const(np.zeros((each, *shape)), items.dtype)
    wanted = g.int64(size if size.shape == () else g.reshape(size, []))
    here = _count(g, held)
    zero = g.const(0, INT64)
    lacking = g.op("Max", g.binary("Sub", wanted, here), zero, shape=())
    surplus = g.op("Max", g.binary("Sub", here, wanted), zero, shape=())
    grown = repeated(g, lacking, held, lambda _, x: sequence_op(g, "SequenceInsert", x, blank, items=items))
    return repeated(g, surplus, grown, lambda _, x: sequence_op(g, "SequenceErase", x, items=items))


# --- gradients of loops


def zeros(g: Builder, held: Value) -> Value:
    """Zeros of the shapes that the elements have."""
    items = items_of(held)

    def add(turn: Value, made: Value) -> Value:
        item = g.ops("SequenceAt", held, turn, dtypes=[items.dtype])[0]
        nothing = g.op("Expand", g.const(0, items.dtype), g.op("Shape", item, dtype=INT64))
        return sequence_op(g, "SequenceInsert", made, nothing, items=items)

    return repeated(g, _count(g, held), empty_sequence(g, items), add)


def _either(g: Builder, flag: Value, yes: Sequence[Value], no: OnnxGraph, items: Items) -> list[Value]:
    return g.ops("If", flag, dtypes=[items.dtype], then_branch=emitted(g, lambda: yes), else_branch=no)


def added(g: Builder, a: Value, b: Value) -> Value:
    """Element by element. One that was never set is left out of the sum."""
    items, other = items_of(a), items_of(b)
    if items.dtype != other.dtype:
        raise Refusal("lists of several dtypes have no sum")
    a_shape = items.shape
    if items.shape != other.shape:
        items = replace(items, shape=merged(items.shape, other.shape), said=False)
    count, same = _count(g, a), _count(g, b)
    place = g.where(g.binary("Equal", count, same, BOOL), g.const(0, INT64), g.const(1 << 40, INT64), ())

    def add(turn: Value, made: Value) -> Value:
        one = g.ops("SequenceAt", a, g.binary("Add", turn, place), dtypes=[items.dtype])[0]
        two = g.ops("SequenceAt", b, turn, dtypes=[items.dtype])[0]
        if sure:
            return sequence_op(g, "SequenceInsert", made, g.op("Add", one, two), items=items)
        both = emitted(g, lambda: [g.op("Add", one, two)])
        rest = emitted(g, lambda: _either(g, is_blank(g, two), [one], both, items))
        total = _either(g, is_blank(g, one), [two], rest, items)[0]
        return sequence_op(g, "SequenceInsert", made, total, items=items)

    sure = is_full(a_shape) and is_full(other.shape)
    return repeated(g, count, empty_sequence(g, items), add)


# --- reading lists


def _count(g: Builder, held: Value) -> Value:
    items_of(held)
    return g.ops("SequenceLength", held, dtypes=[INT64], shapes=[()])[0]


def length(g: Builder, step: Step, held: Value) -> Value:
    return g.cast(_count(g, held), INT32)


def element_shape(g: Builder, step: Step, held: Value, *, shape_type: DType) -> Value:
    items = items_of(held)
    if not items.said:
        raise Refusal("what was said of the elements' shape is not known before the run")
    sizes = -1 if items.shape is None else [-1 if size is None else size for size in items.shape]
    return g.const(sizes, shape_type)


def get_item(g: Builder, step: Step, held: Value, index: Value, shape: Value, *, element_dtype: DType) -> Value:
    items_of(held, element_dtype)
    return taken(g, held, place_of(g, index), shape)


def _joined(g: Builder, held: Value, axis: int, front: Shape) -> Value:
    """All parts of a sequence along an axis, behind nothing: a sequence of none cannot be joined."""
    items = items_of(held)
    if is_full(front):
        nothing = g.const(np.zeros(known(front, "nothing")), items.dtype)
        held = sequence_op(g, "SequenceInsert", held, nothing, g.const(0, INT64), items=items)
    return g.ops("ConcatFromSequence", held, dtypes=[items.dtype], axis=axis, new_axis=0)[0]


def _stacked(g: Builder, held: Value, shape: Shape, count: int) -> Value:
    """(n, ...). The number of rows is checked where blanks, which have two, may be among them."""
    items = items_of(held)
    made = _joined(g, held, 0, None if shape is None else (0, *shape))
    rows = count if count > 0 else None
    if shape is None:
        sizes = g.slice(g.op("Shape", made, dtype=INT64, shape=(None,)), g.ints([1]), g.ints([LAST]), [0])
        return g.reshape_to(made, g.concat([g.reshape(_count(g, held), [1]), sizes], 0))
    result = (rows, *shape)
    if rows is not None or not items.said or not is_full(items.shape):
        first = g.ints([count]) if rows is not None else g.reshape(_count(g, held), [1])
        if 0 in shape:
            made = g.reshape_to(made, g.concat([first, g.ints([size or 0 for size in shape])], 0), result)
        else:
            made = g.op("Reshape", made, g.concat([first, g.ints([0] * len(shape))], 0) if shape else first)
    return Value(made.name, made.dtype, result)


def stack(g: Builder, step: Step, held: Value, shape: Value, *, element_dtype: DType, num_elements: int = -1) -> Value:
    return _stacked(g, held, asked_shape(items_of(held, element_dtype), shape), num_elements)


def gather(g: Builder, step: Step, held: Value, indices: Value, shape: Value, *, element_dtype: DType) -> Value:
    """Of all elements together; numpy does the run in which some are not set."""
    rows = _stacked(g, held, asked_shape(items_of(held, element_dtype), shape), -1)
    flat = indices if indices.shape is not None and len(indices.shape) == 1 else g.reshape(indices, [-1])
    known = None if rows.shape is None else (flat.size(0), *rows.shape[1:])
    return g.op("Gather", rows, not_below(g, g.int64(flat)), axis=0, shape=known)


def _concatenated(g: Builder, held: Value, shape: Shape) -> list[Value]:
    """All elements along their first axis, and the length of each."""
    items = items_of(held)
    if shape == ():
        raise Refusal("scalars cannot be joined along their first axis")
    rest = None if shape is None else shape[1:]
    made = _joined(g, held, 1, None if rest is None else (1, 0, *rest))
    whole = g.squeeze(made, [0])
    return [Value(whole.name, items.dtype, None if rest is None else (None, *rest)), _lengths(g, held)]


def _lengths(g: Builder, held: Value) -> Value:
    items = items_of(held)
    turn, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())

    def size() -> Value:
        item = g.ops("SequenceAt", held, turn, dtypes=[items.dtype])[0]
        return g.op("Gather", g.op("Shape", item, dtype=INT64, shape=(None,)), g.const(1, INT64), axis=0, shape=())

    body = emitted(g, lambda: [go_on, size()], [turn, go_on])
    return g.op("Loop", _count(g, held), g.const(True, BOOL), dtype=INT64, shape=(None,), body=body)


def concat(
    g: Builder, step: Step, held: Value, *, element_dtype: DType, element_shape: Shape = None
) -> Sequence[Value]:
    items = items_of(held, element_dtype)
    return _concatenated(g, held, merged(items.shape, element_shape if isinstance(element_shape, tuple) else None))


def concat_v2(
    g: Builder, step: Step, held: Value, shape: Value, leading_dims: Value, *, element_dtype: DType
) -> Sequence[Value]:
    return _concatenated(g, held, asked_shape(items_of(held, element_dtype), shape))


LOWERINGS: Table = {
    "EmptyTensorList": empty,
    "TensorListConcat": concat,
    "TensorListConcatV2": concat_v2,
    "TensorListElementShape": element_shape,
    "TensorListFromTensor": from_tensor,
    "TensorListGather": gather,
    "TensorListGetItem": get_item,
    "TensorListLength": length,
    "TensorListPopBack": pop_back,
    "TensorListPushBack": push_back,
    "TensorListReserve": reserve,
    "TensorListResize": resize,
    "TensorListScatter": scatter,
    "TensorListScatterIntoExistingList": scatter_into,
    "TensorListScatterV2": scatter,
    "TensorListSetItem": set_item,
    "TensorListSplit": split,
    "TensorListStack": stack,
}
