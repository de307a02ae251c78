"""Lists of tensors as ONNX's sequences, whose elements keep their own shapes and are not copied when one is set.

An element stands in its sequence with a first dimension of 1, so that putting all together needs no other shape. One
that was never set is zeros where its shape was said in full. Where it was not, a blank with a first dimension of 2
stands for it: whatever reads it fails at run time, and numpy, which then does the run, knows the answer or the error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, VARIANT, DType
from ...base.shapes import Shape, compatible, known, merge
from .builder import Builder
from .control import emitted
from .kernels import supports
from .values import ELEMENT_TYPES, Items, Refusal, Value

LAST = int(np.iinfo(np.int64).max)

SPLITTABLE = (FLOAT32, FLOAT64, INT32, INT64, BOOL)
"""What SplitToSequence takes."""


# --- what is known


def said_shape(shape: Value) -> tuple[Shape, bool]:
    """A shape as list ops take it: a vector with -1 for what is open, or a scalar -1. Whether it is known."""
    if shape.array is None:
        length = shape.size(0) if shape.shape is not None and len(shape.shape) == 1 else None
        return (None if length is None else (None,) * length), False
    if shape.array.ndim == 0:
        return None, True
    return tuple(None if size < 0 else int(size) for size in shape.array.tolist()), True


def sure_shape(shape: Value) -> tuple[Shape, bool]:
    """The same where rows are at hand, which must fit."""
    said, is_known = said_shape(shape)
    if not is_known:
        raise Refusal("what rows must fit is not known before the run")
    return said, is_known


def items_of(x: Value, dtype: DType | None = None) -> Items:
    """What a list holds; Refusal when it was made elsewhere."""
    if x.items is None:
        raise Refusal("a list that ONNX Runtime did not make cannot be read there")
    if dtype is not None and dtype.base != x.items.dtype:
        raise Refusal(f"the list holds {x.items.dtype}, where {dtype.base} was expected")
    return x.items


def merged(a: Shape, b: Shape) -> Shape:
    """What two sayings of the elements' shape tell together."""
    if not compatible(a, b):
        raise Refusal("the shape of the elements is said in two ways that do not fit")
    return merge(a, b)


def asked_shape(items: Items, shape: Value) -> Shape:
    """What is known of the elements' shape where they are read."""
    return merged(items.shape, said_shape(shape)[0])


def is_full(shape: Shape) -> bool:
    """Whether every size is known."""
    return shape is not None and None not in shape


# --- sequences


def sequence_op(g: Builder, op: str, *inputs: Value, items: Items, **attrs: Any) -> Value:
    return g.ops(op, *inputs, dtypes=[VARIANT], shapes=[()], lists=[items], **attrs)[0]


def empty_sequence(g: Builder, items: Items) -> Value:
    if items.dtype not in ELEMENT_TYPES:
        raise Refusal(f"lists of {items.dtype} have no form in ONNX")
    return sequence_op(g, "SequenceEmpty", items=items, dtype=ELEMENT_TYPES[items.dtype])


def in_parts(g: Builder, rows: Value, each: int, items: Items) -> Value:
    """A sequence of `each` rows an element."""
    if items.dtype in SPLITTABLE and supports("SplitToSequence", [items.dtype, INT64], None):
        return sequence_op(g, "SplitToSequence", rows, g.const(each, INT64), items=items, axis=0, keepdims=1)
    if each != 1:
        raise Refusal(f"lists of {items.dtype} whose elements' shape is not known have no form in ONNX")
    count = g.squeeze(g.sizes(rows, [0]), [0])

    def add(turn: Value, held: Value) -> Value:
        row = g.op("Gather", rows, g.unsqueeze(turn, [0]), axis=0)
        return sequence_op(g, "SequenceInsert", held, row, items=items)

    return repeated(g, count, empty_sequence(g, items), add)


def repeated(g: Builder, count: Value, held: Value, change: Callable[[Value, Value], Value]) -> Value:
    """A list changed so many times: a Loop."""
    turn, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())
    entries = [turn, go_on, replace(held, name=g.name())]
    body = emitted(g, lambda: [go_on, change(turn, entries[2])], entries)
    return g.ops(
        "Loop", count, g.const(True, BOOL), held, dtypes=[VARIANT], shapes=[()], lists=[held.items], body=body
    )[0]


def blank_of(items: Items) -> tuple[int, tuple[int, ...]]:
    """How many rows an element that is not set has, and their shape."""
    if is_full(items.shape):
        return 1, known(items.shape, "an element")
    return 2, tuple(1 if size is None else size for size in items.shape or ())


def blanks_of(g: Builder, count: Value, items: Items) -> Value:
    """A list of so many elements that are not set (a scalar)."""
    if items.dtype not in ELEMENT_TYPES:
        raise Refusal(f"lists of {items.dtype} have no form in ONNX")
    each, shape = blank_of(items)
    if 0 in shape and each == 2:
        raise Refusal("lists of elements without numbers, whose shape is not known, have no form in ONNX")
    total = g.op("Mul", g.reshape(count, [1]), g.ints([each]), shape=(1,)) if each > 1 else g.reshape(count, [1])
    sizes = g.concat([total, g.ints(shape)], 0) if shape else total
    zeros = g.op("Expand", g.const(0, items.dtype), sizes, shape=(None, *shape))
    return in_parts(g, zeros, each, items)


def place_of(g: Builder, index: Value) -> Value:
    """An index as a scalar; one below 0, which would count from the end, becomes one that is out of range."""
    if index.array is not None:
        (place,) = g.fixed_ints(index, "the index")
        return g.const(place if place >= 0 else LAST, INT64)
    scalar = index if index.shape == () else g.reshape(index, [])
    return not_below(g, g.int64(scalar))


def not_below(g: Builder, x: Value) -> Value:
    return g.binary("BitwiseAnd", x, g.const(LAST, INT64))


def element_of(g: Builder, item: Value, items: Items) -> Value:
    """An element as it stands in a sequence."""
    return g.unsqueeze(fitting(g, item, items.shape), [0])


def fitting(g: Builder, x: Value, shape: Shape) -> Value:
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


def is_blank(g: Builder, x: Value) -> Value:
    """Whether what stands in a sequence is an element that was not set."""
    rows = g.op("Shape", x, dtype=INT64, shape=(1,), start=0, end=1)
    return g.squeeze(g.binary("Equal", rows, g.ints([2]), BOOL), [0])


def taken(g: Builder, held: Value, place: Value, asked: Value) -> Value:
    """An element; zeros of the shape that is asked for, when it was never set."""
    items = items_of(held)
    shape = asked_shape(items, asked)
    wide = None if shape is None else (1, *shape)
    found = g.ops("SequenceAt", held, place, dtypes=[items.dtype], shapes=[wide])[0]
    if (is_full(items.shape) and items.said) or (asked.array is not None and not is_full(said_shape(asked)[0])):
        made = g.squeeze(found, [0])
    else:
        nothing = emitted(g, lambda: [g.op("Expand", g.const(0, items.dtype), g.int64(asked))])
        flag = is_blank(g, found)
        other = emitted(g, lambda: [g.squeeze(found, [0])])
        made = g.ops("If", flag, dtypes=[items.dtype], then_branch=nothing, else_branch=other)[0]
    return Value(made.name, made.dtype, shape)
