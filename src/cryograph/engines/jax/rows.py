"""Lists of tensors as one array: what loops of a compiled program hand from turn to turn.

Outside of loops a list is a `TensorList` like the reference engine's, whose items may be unknown values. A loop that
carries lists needs them in a form that no turn changes:

1. A list that keeps its length is an array (length, *shape).
2. A list that grows or shrinks by as many elements in every turn has an array with room for all of them, and a length
   that the program works out; the number of turns must be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from ...base.dtypes import DType
from ...base.errors import RunError
from ...base.shapes import Shape, show
from ..numpy.lists import TensorList, boxed, merged
from .context import JaxContext, NeedsValue


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A list as an array of rows. `length` is a number where it is known (all rows count then), else a scalar of the
    program: rows from there on are room."""

    dtype: DType
    shape: Shape
    items: Any
    length: Any
    limit: int = -1

    @property
    def is_fixed(self) -> bool:
        """Whether the length is known."""
        return isinstance(self.length, int)

    @property
    def size(self) -> int:
        """The length; NeedsValue when only the program knows it."""
        if not isinstance(self.length, int):
            raise NeedsValue("the length of a list must be known before the program is compiled")
        return self.length


def register(jax: Any) -> None:
    """Lets JAX hand lists on; once for each process."""
    jax.tree_util.register_pytree_node(Rows, _flatten, _unflatten)


def _flatten(rows: Rows) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    if rows.is_fixed:
        return (rows.items,), (rows.dtype, rows.shape, rows.limit, rows.length)
    return (rows.items, rows.length), (rows.dtype, rows.shape, rows.limit, None)


def _unflatten(held: tuple[Any, ...], leaves: tuple[Any, ...]) -> Rows:
    dtype, shape, limit, length = held
    return Rows(dtype, shape, leaves[0], leaves[1] if length is None else length, limit)


def list_of(value: Any) -> TensorList | Rows:
    """The list behind a value; RunError when it is none."""
    if isinstance(value, Rows):
        return value
    held = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype == object else None
    if not isinstance(held, TensorList):
        raise RunError("a list of tensors was expected")
    return held


def is_list(value: Any) -> bool:
    """Whether a value is a list."""
    if not isinstance(value, np.ndarray):
        return isinstance(value, Rows)
    return value.dtype == object and value.ndim == 0 and isinstance(value.item(), TensorList)


def as_rows(ctx: JaxContext, held: TensorList | Rows, shape: tuple[int, ...] | None = None) -> Rows:
    """A list as rows; `shape` is that of an element where the list does not say. NeedsValue where nobody does."""
    if isinstance(held, Rows):
        return held
    if any(map(is_list, held.items)):
        raise NeedsValue("a list of lists is no array")
    shapes = {item.shape for item in held.items if item is not None}
    if shape is None and not shapes and held.shape is not None and None not in held.shape:
        shape = tuple(size or 0 for size in held.shape)
    if shape is not None:
        shapes.add(shape)
    if len(shapes) != 1 or held.dtype.numpy is None or held.dtype.is_string:
        raise NeedsValue(f"a list of elements of {' and '.join(map(str, shapes)) or show(held.shape)} is no array")
    (found,) = shapes
    if not held.items:
        items = ctx.xp.zeros((0, *found), held.dtype.numpy)
    elif all(item is None for item in held.items):
        items = ctx.xp.zeros((len(held.items), *found), held.dtype.numpy)
    else:
        items = ctx.xp.stack([ctx.xp.zeros(found, held.dtype.numpy) if i is None else i for i in held.items])
    return Rows(held.dtype, held.shape, items, len(held.items), held.limit)


def element_shape(value: Any) -> tuple[int, ...] | None:
    """The shape of the elements of a list, where one of them tells."""
    held = list_of(value)
    if isinstance(held, Rows):
        return tuple(held.items.shape[1:])
    shapes = [item.shape for item in held.items if item is not None and not is_list(item)]
    if shapes:
        return tuple(shapes[0])
    return None if held.shape is None or None in held.shape else tuple(size or 0 for size in held.shape)


def count_of(value: Any) -> int:
    """The number of elements of a list; NeedsValue where only the program knows it."""
    held = list_of(value)
    return held.size if isinstance(held, Rows) else len(held.items)


def with_room(ctx: JaxContext, rows: Rows, growth: int, turns: int) -> Rows:
    """Rows with a length that the program works out, and room for what turns add."""
    room = max(0, growth) * turns
    pairs = [(0, room), *[(0, 0)] * (rows.items.ndim - 1)]
    items = ctx.xp.pad(ctx.xp.asarray(rows.items), pairs)
    return replace(rows, items=items, length=ctx.xp.asarray(rows.size, np.int32))


def without_room(rows: Rows, length: int) -> Rows:
    """Rows whose length is known again."""
    return replace(rows, items=rows.items[:length], length=length)


def tree(ctx: JaxContext, value: Any) -> Any:
    """A value in the form in which JAX's control flow hands it on."""
    if is_list(value):
        return as_rows(ctx, list_of(value))
    if isinstance(value, np.ndarray) and value.dtype == object:
        raise NeedsValue("strings cannot go through a compiled loop or branch")
    return ctx.xp.asarray(value)


def sum_of_lists(ctx: JaxContext, values: Sequence[Any]) -> Any:
    """Element by element; an element that was never set counts as zeros."""
    lists = [list_of(value) for value in values]
    if len({count_of(value) for value in values}) > 1:
        raise RunError("lists of several lengths cannot be added")
    plain = [held for held in lists if isinstance(held, TensorList)]
    if len(plain) == len(lists):
        return boxed(reduce(_added, plain))
    shape = next(shape for shape in map(element_shape, values) if shape is not None)
    rows = [as_rows(ctx, held, shape) for held in lists]
    items = rows[0].items
    for other in rows[1:]:
        items = items + other.items
    return replace(rows[0], items=items)


def _added(a: TensorList, b: TensorList) -> TensorList:
    pairs = zip(a.items, b.items, strict=True)
    items = tuple(y if x is None else x if y is None else x + y for x, y in pairs)
    return replace(a, shape=merged(a.shape, b.shape), items=items)


def zeros_of_list(ctx: JaxContext, value: Any) -> Any:
    """A list of zeros of the same shapes."""
    held = list_of(value)
    if isinstance(held, Rows):
        return replace(held, items=ctx.xp.zeros_like(held.items))
    return boxed(replace(held, items=tuple(None if i is None else ctx.xp.zeros_like(i) for i in held.items)))
