"""Lowerings of lists of tensors: sequences, whose elements keep their own shapes and are not copied when one is set.

An element stands in its sequence with a first dimension of 1, so that putting all together needs no other shape. One
that was never set is zeros where its shape was said in full. Where it was not, a blank with a first dimension of 2
stands for it: whatever reads it fails at run time, and numpy, which then does the run, knows the answer or the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, VARIANT, DType
from ...base.shapes import Shape, compatible, known, merge
from ...program.program import Step
from .builder import Builder, Table
from .control import emitted
from .values import ELEMENT_TYPES, Items, OnnxGraph, Refusal, Value

LAST = int(np.iinfo(np.int64).max)

_SPLITTABLE = (FLOAT32, FLOAT64, INT32, INT64, BOOL)
"""What SplitToSequence takes."""


# --- what is known


def _said(shape: Value) -> tuple[Shape, bool]:
    """A shape as list ops take it: a vector with -1 for what is open, or a scalar -1. Whether it is known."""
    if shape.array is None:
        length = shape.size(0) if shape.shape is not None and len(shape.shape) == 1 else None
        return (None if length is None else (None,) * length), False
    if shape.array.ndim == 0:
        return None, True
    return tuple(None if size < 0 else int(size) for size in shape.array.tolist()), True


def _sure(shape: Value) -> tuple[Shape, bool]:
    """The same where rows are at hand, which must fit."""
    said, is_known = _said(shape)
    if not is_known:
        raise Refusal("what rows must fit is not known before the run")
    return said, is_known


def _items(x: Value, dtype: DType | None = None) -> Items:
    """What a list holds; Refusal when it was made elsewhere."""
    if x.items is None:
        raise Refusal("a list that ONNX Runtime did not make cannot be read there")
    if dtype is not None and dtype.base != x.items.dtype:
        raise Refusal(f"the list holds {x.items.dtype}, where {dtype.base} was expected")
    return x.items


def _merged(a: Shape, b: Shape) -> Shape:
    if not compatible(a, b):
        raise Refusal("the shape of the elements is said in two ways that do not fit")
    return merge(a, b)


def _asked(items: Items, shape: Value) -> Shape:
    """What is known of the elements' shape where they are read."""
    return _merged(items.shape, _said(shape)[0])


def _is_full(shape: Shape) -> bool:
    return shape is not None and None not in shape


# --- sequences


def _sequence(g: Builder, op: str, *inputs: Value, items: Items, **attrs: Any) -> Value:
    return g.ops(op, *inputs, dtypes=[VARIANT], shapes=[()], lists=[items], **attrs)[0]


def _empty_sequence(g: Builder, items: Items) -> Value:
    if items.dtype not in ELEMENT_TYPES:
        raise Refusal(f"lists of {items.dtype} have no form in ONNX")
    return _sequence(g, "SequenceEmpty", items=items, dtype=ELEMENT_TYPES[items.dtype])


def _parts(g: Builder, rows: Value, each: int, items: Items) -> Value:
    """A sequence of `each` rows an element."""
    if items.dtype in _SPLITTABLE:
        return _sequence(g, "SplitToSequence", rows, g.const(each, INT64), items=items, axis=0, keepdims=1)
    if each != 1:
        raise Refusal(f"lists of {items.dtype} whose elements' shape is not known have no form in ONNX")
    count = g.squeeze(g.sizes(rows, [0]), [0])

    def add(turn: Value, held: Value) -> Value:
        row = g.op("Gather", rows, g.unsqueeze(turn, [0]), axis=0)
        return _sequence(g, "SequenceInsert", held, row, items=items)

    return _repeated(g, count, _empty_sequence(g, items), add)


def _repeated(g: Builder, count: Value, held: Value, change: Callable[[Value, Value], Value]) -> Value:
    """A list changed so many times: a Loop."""
    turn, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())
    entries = [turn, go_on, replace(held, name=g.name())]
    body = emitted(g, lambda: [go_on, change(turn, entries[2])], entries)
    return g.ops(
        "Loop", count, g.const(True, BOOL), held, dtypes=[VARIANT], shapes=[()], lists=[held.items], body=body
    )[0]


def _blank(items: Items) -> tuple[int, tuple[int, ...]]:
    """How many rows an element that is not set has, and their shape."""
    if _is_full(items.shape):
        return 1, known(items.shape, "an element")
    return 2, tuple(1 if size is None else size for size in items.shape or ())


def _blanks(g: Builder, count: Value, items: Items) -> Value:
    """A list of so many elements that are not set (a scalar)."""
    if items.dtype not in ELEMENT_TYPES:
        raise Refusal(f"lists of {items.dtype} have no form in ONNX")
    each, shape = _blank(items)
    if 0 in shape and each == 2:
        raise Refusal("lists of elements without numbers, whose shape is not known, have no form in ONNX")
    total = g.op("Mul", g.reshape(count, [1]), g.ints([each]), shape=(1,)) if each > 1 else g.reshape(count, [1])
    sizes = g.concat([total, g.ints(shape)], 0) if shape else total
    zeros = g.op("Expand", g.const(0, items.dtype), sizes, shape=(None, *shape))
    return _parts(g, zeros, each, items)


def _place(g: Builder, index: Value) -> Value:
    """An index as a scalar; one below 0, which would count from the end, becomes one that is out of range."""
    if index.array is not None:
        (place,) = g.fixed_ints(index, "the index")
        return g.const(place if place >= 0 else LAST, INT64)
    scalar = index if index.shape == () else g.reshape(index, [])
    return _not_below(g, g.int64(scalar))


def _not_below(g: Builder, x: Value) -> Value:
    return g.binary("BitwiseAnd", x, g.const(LAST, INT64))


def _element(g: Builder, item: Value, items: Items) -> Value:
    """An element as it stands in a sequence."""
    return g.unsqueeze(_fitting(g, item, items.shape), [0])


def _fitting(g: Builder, x: Value, shape: Shape) -> Value:
    """`x`, which must have this shape. What is not sure before the run is asked of a Reshape, which fails there."""
    if not compatible(shape, x.shape):
        raise Refusal("an element does not fit its list")
    if shape is None:
        return x
    if x.shape is None:
        raise Refusal("an element of unknown rank may not fit its list")
    unsure = [here is None and size is not None for here, size in zip(x.shape, shape, strict=True)]
    if not any(unsure):
        return x
    if sum(unsure) == 1 and all(here or open_ for here, open_ in zip(x.shape, unsure, strict=True)):
        return g.reshape(x, known(merge(x.shape, shape), "an element"))
    sizes = g.shape_of(x)
    apart = g.binary("Sub", sizes, g.ints([size or 0 for size in shape]))
    wrong = g.binary("Mul", apart, g.ints([int(size is not None) for size in shape]))
    # Larger than it is, wherever it does not fit.
    asked = g.binary("Add", sizes, g.binary("Mul", wrong, wrong))
    return g.reshape_to(x, asked, merge(x.shape, shape))


def _taken(g: Builder, held: Value, place: Value, asked: Value) -> Value:
    """An element; zeros of the shape that is asked for, when it was never set."""
    items = _items(held)
    shape = _asked(items, asked)
    wide = None if shape is None else (1, *shape)
    found = g.ops("SequenceAt", held, place, dtypes=[items.dtype], shapes=[wide])[0]
    if (_is_full(items.shape) and items.said) or (asked.array is not None and not _is_full(_said(asked)[0])):
        made = g.squeeze(found, [0])
    else:
        nothing = emitted(g, lambda: [g.op("Expand", g.const(0, items.dtype), g.int64(asked))])
        flag = _is_blank(g, found)
        other = emitted(g, lambda: [g.squeeze(found, [0])])
        made = g.ops("If", flag, dtypes=[items.dtype], then_branch=nothing, else_branch=other)[0]
    return Value(made.name, made.dtype, shape)


# --- making lists


def reserve(g: Builder, step: Step, shape: Value, count: Value, *, element_dtype: DType) -> Value:
    said, is_known = _said(shape)
    items = Items(element_dtype.base, said, is_known)
    if count.array is not None and g.fixed_ints(count, "num_elements") == [0]:
        return _empty_sequence(g, items)
    return _blanks(g, g.int64(count), items)


def empty(g: Builder, step: Step, shape: Value, most: Value, *, element_dtype: DType) -> Value:
    said, is_known = _said(shape)
    limit = g.int64(most if most.shape == () else g.reshape(most, []))
    number = limit.name if limit.array is None else int(limit.array)
    return _empty_sequence(g, Items(element_dtype.base, said, is_known, number))


def from_tensor(g: Builder, step: Step, x: Value, shape: Value, *, element_dtype: DType) -> Value:
    said, is_known = _sure(shape)
    return _parts(g, _rows(g, x, said), 1, Items(element_dtype.base, said, is_known))


def _rows(g: Builder, x: Value, shape: Shape) -> Value:
    """A tensor whose rows must have this shape."""
    if x.rank == 0:
        raise Refusal("a scalar has no rows")
    return _fitting(g, x, None if shape is None else (None, *shape))


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
    safe = _not_below(g, index)
    return g.op("ScatterElements", none, safe, numbers, axis=0, reduction="max", shape=(None,))


def _scattered(g: Builder, x: Value, indices: Value, count: Value, items: Items, fills: bool) -> Value:
    """Rows put in places; where none goes zeros, when the elements' shape is known and nothing else was there."""
    if indices.rank != 1:
        raise Refusal("the indices are no vector")
    x = _rows(g, x, items.shape)
    origin = _origins(g, indices, count)
    rest = (x.shape or ())[1:]
    if fills and _is_full(items.shape):
        zeros = g.const(np.zeros((1, *known(items.shape, "an element"))), items.dtype)
        rows = g.op("Concat", x, zeros, axis=0, shape=(None, *rest))
        none = g.binary("Less", origin, g.const(0, INT64), BOOL)
        origin = g.where(none, g.sizes(x, [0]), origin, (None,))
    else:
        rows, origin = x, _not_below(g, origin)  # what gets no row is out of range
    return _parts(g, g.op("Gather", rows, origin, axis=0, shape=(None, *rest)), 1, items)


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
    said, is_known = _sure(shape)
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
    return _scattered(g, x, indices, g.reshape(_count(g, held), [1]), _items(held, element_dtype), False)


def split(g: Builder, step: Step, x: Value, shape: Value, lengths: Value, *, element_dtype: DType) -> Value:
    said, is_known = _sure(shape)
    items = Items(element_dtype.base, said, is_known)
    if items.dtype not in _SPLITTABLE or x.rank == 0 or lengths.rank != 1:
        raise Refusal(f"a tensor of {items.dtype} is not split by such lengths in ONNX")
    x = _rows(g, x, None if said is None else said[1:])
    return _sequence(g, "SplitToSequence", g.unsqueeze(x, [0]), lengths, items=items, axis=1, keepdims=1)


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
    items, place = _items(held, element_dtype), _place(g, index)
    element = _element(g, item, items)
    if not resize_if_index_out_of_bounds:
        rest = _sequence(g, "SequenceErase", held, place, items=items)
        return _sequence(g, "SequenceInsert", rest, element, place, items=items)
    inside = g.binary("Less", place, _count(g, held), BOOL)
    then = emitted(g, lambda: [_sequence(g, "SequenceErase", held, place, items=items)])
    other = emitted(g, lambda: [held])
    rest = g.ops("If", inside, dtypes=[VARIANT], shapes=[()], lists=[items], then_branch=then, else_branch=other)[0]
    return _sequence(g, "SequenceInsert", rest, element, place, items=items)


def push_back(g: Builder, step: Step, held: Value, item: Value, *, element_dtype: DType) -> Value:
    items = _items(held, element_dtype)
    element = _element(g, item, items)
    if isinstance(items.limit, int) and items.limit < 0:
        return _sequence(g, "SequenceInsert", held, element, items=items)
    count = _count(g, held)
    limit = g.const(items.limit, INT64) if isinstance(items.limit, int) else Value(items.limit, INT64, ())
    has_room = g.binary("Less", count, limit, BOOL)
    if isinstance(items.limit, str):
        has_room = g.binary("Or", has_room, g.binary("Less", limit, g.const(0, INT64), BOOL), BOOL)
    place = g.where(has_room, count, g.const(LAST, INT64), ())
    return _sequence(g, "SequenceInsert", held, element, place, items=items)


def pop_back(g: Builder, step: Step, held: Value, shape: Value, *, element_dtype: DType) -> list[Value]:
    items = _items(held, element_dtype)
    last = _taken(g, held, g.const(-1, INT64), shape)
    return [_sequence(g, "SequenceErase", held, items=items), last]


def resize(g: Builder, step: Step, held: Value, size: Value) -> Value:
    """Elements that are not set behind it, or the last ones away."""
    items = _items(held)
    if items.dtype not in ELEMENT_TYPES:
        raise Refusal(f"lists of {items.dtype} have no form in ONNX")
    each, shape = _blank(items)
    blank = g.const(np.zeros((each, *shape)), items.dtype)
    wanted = g.int64(size if size.shape == () else g.reshape(size, []))
    here = _count(g, held)
    zero = g.const(0, INT64)
    lacking = g.op("Max", g.binary("Sub", wanted, here), zero, shape=())
    surplus = g.op("Max", g.binary("Sub", here, wanted), zero, shape=())
    grown = _repeated(g, lacking, held, lambda _, x: _sequence(g, "SequenceInsert", x, blank, items=items))
    return _repeated(g, surplus, grown, lambda _, x: _sequence(g, "SequenceErase", x, items=items))


# --- gradients of loops


def zeros(g: Builder, held: Value) -> Value:
    """Zeros of the shapes that the elements have."""
    items = _items(held)

    def add(turn: Value, made: Value) -> Value:
        item = g.ops("SequenceAt", held, turn, dtypes=[items.dtype])[0]
        nothing = g.op("Expand", g.const(0, items.dtype), g.op("Shape", item, dtype=INT64))
        return _sequence(g, "SequenceInsert", made, nothing, items=items)

    return _repeated(g, _count(g, held), _empty_sequence(g, items), add)


def _is_blank(g: Builder, x: Value) -> Value:
    """Whether what stands in a sequence is an element that was not set."""
    rows = g.op("Shape", x, dtype=INT64, shape=(1,), start=0, end=1)
    return g.squeeze(g.binary("Equal", rows, g.ints([2]), BOOL), [0])


def _either(g: Builder, flag: Value, yes: Sequence[Value], no: OnnxGraph, items: Items) -> list[Value]:
    return g.ops("If", flag, dtypes=[items.dtype], then_branch=emitted(g, lambda: yes), else_branch=no)


def added(g: Builder, a: Value, b: Value) -> Value:
    """Element by element. One that was never set is left out of the sum."""
    items, other = _items(a), _items(b)
    if items.dtype != other.dtype:
        raise Refusal("lists of several dtypes have no sum")
    a_shape = items.shape
    if items.shape != other.shape:
        items = replace(items, shape=_merged(items.shape, other.shape), said=False)
    count, same = _count(g, a), _count(g, b)
    place = g.where(g.binary("Equal", count, same, BOOL), g.const(0, INT64), g.const(1 << 40, INT64), ())

    def add(turn: Value, made: Value) -> Value:
        one = g.ops("SequenceAt", a, g.binary("Add", turn, place), dtypes=[items.dtype])[0]
        two = g.ops("SequenceAt", b, turn, dtypes=[items.dtype])[0]
        if sure:
            return _sequence(g, "SequenceInsert", made, g.op("Add", one, two), items=items)
        both = emitted(g, lambda: [g.op("Add", one, two)])
        rest = emitted(g, lambda: _either(g, _is_blank(g, two), [one], both, items))
        total = _either(g, _is_blank(g, one), [two], rest, items)[0]
        return _sequence(g, "SequenceInsert", made, total, items=items)

    sure = _is_full(a_shape) and _is_full(other.shape)
    return _repeated(g, count, _empty_sequence(g, items), add)


# --- reading lists


def _count(g: Builder, held: Value) -> Value:
    _items(held)
    return g.ops("SequenceLength", held, dtypes=[INT64], shapes=[()])[0]


def length(g: Builder, step: Step, held: Value) -> Value:
    return g.cast(_count(g, held), INT32)


def element_shape(g: Builder, step: Step, held: Value, *, shape_type: DType) -> Value:
    items = _items(held)
    if not items.said:
        raise Refusal("what was said of the elements' shape is not known before the run")
    sizes = -1 if items.shape is None else [-1 if size is None else size for size in items.shape]
    return g.const(sizes, shape_type)


def get_item(g: Builder, step: Step, held: Value, index: Value, shape: Value, *, element_dtype: DType) -> Value:
    _items(held, element_dtype)
    return _taken(g, held, _place(g, index), shape)


def _joined(g: Builder, held: Value, axis: int, front: Shape) -> Value:
    """All parts of a sequence along an axis, behind nothing: a sequence of none cannot be joined."""
    items = _items(held)
    if _is_full(front):
        nothing = g.const(np.zeros(known(front, "nothing")), items.dtype)
        held = _sequence(g, "SequenceInsert", held, nothing, g.const(0, INT64), items=items)
    return g.ops("ConcatFromSequence", held, dtypes=[items.dtype], axis=axis, new_axis=0)[0]


def _stacked(g: Builder, held: Value, shape: Shape, count: int) -> Value:
    """(n, ...). The number of rows is checked where blanks, which have two, may be among them."""
    items = _items(held)
    made = _joined(g, held, 0, None if shape is None else (0, *shape))
    rows = count if count > 0 else None
    if shape is None:
        sizes = g.slice(g.op("Shape", made, dtype=INT64, shape=(None,)), g.ints([1]), g.ints([LAST]), [0])
        return g.reshape_to(made, g.concat([g.reshape(_count(g, held), [1]), sizes], 0))
    result = (rows, *shape)
    if rows is not None or not items.said or not _is_full(items.shape):
        first = g.ints([count]) if rows is not None else g.reshape(_count(g, held), [1])
        if 0 in shape:
            made = g.reshape_to(made, g.concat([first, g.ints([size or 0 for size in shape])], 0), result)
        else:
            made = g.op("Reshape", made, g.concat([first, g.ints([0] * len(shape))], 0) if shape else first)
    return Value(made.name, made.dtype, result)


def stack(g: Builder, step: Step, held: Value, shape: Value, *, element_dtype: DType, num_elements: int = -1) -> Value:
    return _stacked(g, held, _asked(_items(held, element_dtype), shape), num_elements)


def gather(g: Builder, step: Step, held: Value, indices: Value, shape: Value, *, element_dtype: DType) -> Value:
    """Of all elements together; numpy does the run in which some are not set."""
    rows = _stacked(g, held, _asked(_items(held, element_dtype), shape), -1)
    flat = indices if indices.shape is not None and len(indices.shape) == 1 else g.reshape(indices, [-1])
    known = None if rows.shape is None else (flat.size(0), *rows.shape[1:])
    return g.op("Gather", rows, _not_below(g, g.int64(flat)), axis=0, shape=known)


def _concatenated(g: Builder, held: Value, shape: Shape) -> list[Value]:
    """All elements along their first axis, and the length of each."""
    items = _items(held)
    if shape == ():
        raise Refusal("scalars cannot be joined along their first axis")
    rest = None if shape is None else shape[1:]
    made = _joined(g, held, 1, None if rest is None else (1, 0, *rest))
    whole = g.squeeze(made, [0])
    return [Value(whole.name, items.dtype, None if rest is None else (None, *rest)), _lengths(g, held)]


def _lengths(g: Builder, held: Value) -> Value:
    items = _items(held)
    turn, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())

    def size() -> Value:
        item = g.ops("SequenceAt", held, turn, dtypes=[items.dtype])[0]
        return g.op("Gather", g.op("Shape", item, dtype=INT64, shape=(None,)), g.const(1, INT64), axis=0, shape=())

    body = emitted(g, lambda: [go_on, size()], [turn, go_on])
    return g.op("Loop", _count(g, held), g.const(True, BOOL), dtype=INT64, shape=(None,), body=body)


def concat(
    g: Builder, step: Step, held: Value, *, element_dtype: DType, element_shape: Shape = None
) -> Sequence[Value]:
    items = _items(held, element_dtype)
    return _concatenated(g, held, _merged(items.shape, element_shape if isinstance(element_shape, tuple) else None))


def concat_v2(
    g: Builder, step: Step, held: Value, shape: Value, leading_dims: Value, *, element_dtype: DType
) -> Sequence[Value]:
    return _concatenated(g, held, _asked(_items(held, element_dtype), shape))


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
