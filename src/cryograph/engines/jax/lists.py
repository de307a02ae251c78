"""Ops of lists of tensors, whether a list is held item by item or as rows of one array (see `rows`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...base.dtypes import DType
from ...base.errors import RunError
from ...base.shapes import Shape, show
from ..numpy.context import Rule
from ..numpy.lists import MAX_ITEMS, TensorList, boxed, merged, must_fit, resized
from ..numpy.lists import shape_of as shape_said
from .context import JaxContext, check, is_known, known, number
from .rows import Rows, as_rows, is_list, list_of


def _held(handle: Any, dtype: DType) -> TensorList | Rows:
    held = list_of(handle)
    if dtype.base != held.dtype:
        raise RunError(f"the list holds {held.dtype}, where {dtype.base} was expected")
    return held


def _shape(tensor: Any) -> Shape:
    return shape_said(known(tensor, "the shape of elements"))


def _empty(ctx: JaxContext, element_shape: Any, max_num_elements: Any, *, element_dtype: DType) -> Any:
    return boxed(TensorList(element_dtype.base, _shape(element_shape), (), number(max_num_elements)))


def _reserve(ctx: JaxContext, element_shape: Any, num_elements: Any, *, element_dtype: DType) -> Any:
    count = number(num_elements, "the number of elements")
    if not 0 <= count <= MAX_ITEMS:
        raise RunError(f"num_elements is {count}, where a number from 0 to {MAX_ITEMS} was expected")
    return boxed(TensorList(element_dtype.base, _shape(element_shape), (None,) * count))


def _from_tensor(ctx: JaxContext, tensor: Any, element_shape: Any, *, element_dtype: DType) -> Any:
    if tensor.ndim == 0:
        raise RunError("a list is made of a tensor of at least one dimension, but a scalar came")
    shape = _shape(element_shape)
    must_fit(shape, tensor.shape[1:], "rows")
    return Rows(element_dtype.base, shape, tensor, tensor.shape[0])


def _length(ctx: JaxContext, handle: Any) -> Any:
    held = list_of(handle)
    if isinstance(held, TensorList):
        return np.array(len(held.items), np.int32)
    return np.array(held.length, np.int32) if held.is_fixed else held.length


def _element_shape(ctx: JaxContext, handle: Any) -> Any:
    shape = list_of(handle).shape
    return np.array(-1 if shape is None else [-1 if size is None else size for size in shape], ctx.dtype)


def _push_back(ctx: JaxContext, handle: Any, tensor: Any, *, element_dtype: DType) -> Any:
    held = _held(handle, element_dtype)
    must_fit(held.shape, () if is_list(tensor) else tensor.shape, "an element")  # a list of lists holds scalars
    if isinstance(held, TensorList):
        if 0 <= held.limit <= len(held.items):
            raise RunError(f"the list is full: it may have {held.limit} elements")
        return boxed(replace(held, items=(*held.items, tensor)))
    if held.is_fixed:
        if 0 <= held.limit <= held.length:
            raise RunError(f"the list is full: it may have {held.limit} elements")
        items = ctx.xp.concatenate([held.items, tensor[None]])
        return replace(held, items=items, length=held.length + 1)
    if held.limit >= 0:
        check(held.length >= held.limit, f"the list is full: it may have {held.limit} elements")
    return replace(held, items=held.items.at[held.length].set(tensor), length=held.length + 1)


def _pop_back(ctx: JaxContext, handle: Any, element_shape: Any, *, element_dtype: DType) -> tuple[Any, Any]:
    held = _held(handle, element_dtype)
    if isinstance(held, TensorList):
        if not held.items:
            raise RunError("nothing can be taken from an empty list")
        item = held.items[-1]
        last = _blank(ctx, held, _shape(element_shape)) if item is None else item
        return boxed(replace(held, items=held.items[:-1])), last
    if held.is_fixed:
        if not held.length:
            raise RunError("nothing can be taken from an empty list")
        return replace(held, items=held.items[:-1], length=held.length - 1), held.items[-1]
    check(held.length <= 0, "nothing can be taken from an empty list")
    length = held.length - 1
    return replace(held, length=length), ctx.lax.dynamic_index_in_dim(held.items, length, 0, keepdims=False)


def _blank(ctx: JaxContext, held: TensorList, shape: Shape) -> Any:
    """Zeros in the place of an element that was never set."""
    found = merged(held.shape, shape)
    if found is None or None in found:
        found = merged(found, *(item.shape for item in held.items if item is not None))
    if found is None or None in found:
        raise RunError(f"an element was never set, and only {show(found)} is known of its shape")
    return np.zeros(tuple(size or 0 for size in found), held.dtype.numpy)


def _resize(ctx: JaxContext, handle: Any, size: Any) -> Any:
    held, count = list_of(handle), number(size, "the size of a list")
    if isinstance(held, TensorList):
        return boxed(replace(held, items=resized(held.items, count)))
    return _resized_rows(ctx, held, count)


def _resized_rows(ctx: JaxContext, held: Rows, count: int) -> Rows:
    added = max(0, count - held.size)
    items = ctx.xp.pad(ctx.xp.asarray(held.items), [(0, added), *[(0, 0)] * (held.items.ndim - 1)])
    return replace(held, items=items[:count], length=count)


def _checked_place(count: int, place: int) -> int:
    if not 0 <= place < count:
        raise RunError(f"there is no element {place} in a list of {count}")
    return place


def _check_places(rows: Rows, places: Any) -> None:
    check((places < 0) | (places >= rows.length), "an index is not that of an element of the list")


def _get_item(ctx: JaxContext, handle: Any, index: Any, element_shape: Any, *, element_dtype: DType) -> Any:
    held = _held(handle, element_dtype)
    if isinstance(held, TensorList) and is_known(index):
        item = held.items[_checked_place(len(held.items), number(index))]
        return _blank(ctx, held, _shape(element_shape)) if item is None else item
    rows = as_rows(ctx, held)
    if is_known(index) and rows.is_fixed:
        return rows.items[_checked_place(rows.size, number(index))]
    _check_places(rows, index)
    return ctx.lax.dynamic_index_in_dim(ctx.xp.asarray(rows.items), index.reshape(()), 0, keepdims=False)


def _set_item(
    ctx: JaxContext,
    handle: Any,
    index: Any,
    item: Any,
    *,
    element_dtype: DType,
    resize_if_index_out_of_bounds: bool = False,
) -> Any:
    held = _held(handle, element_dtype)
    must_fit(held.shape, item.shape, "an element")
    if isinstance(held, TensorList) and is_known(index):
        place, items = number(index), held.items
        if resize_if_index_out_of_bounds and len(items) <= place < MAX_ITEMS:
            items = resized(items, place + 1)
        _checked_place(len(items), place)
        return boxed(replace(held, items=(*items[:place], item, *items[place + 1 :])))
    if resize_if_index_out_of_bounds:
        known(index, "the place of an element in a list that grows")
    rows = as_rows(ctx, held, tuple(item.shape))
    if is_known(index) and rows.is_fixed:
        place = number(index)
        if resize_if_index_out_of_bounds and rows.size <= place < MAX_ITEMS:
            rows = _resized_rows(ctx, rows, place + 1)
        _checked_place(rows.size, place)
    else:
        _check_places(rows, index)
    return replace(rows, items=ctx.xp.asarray(rows.items).at[index].set(item))


def _joined(ctx: JaxContext, held: TensorList | Rows, shape: Shape, items: Sequence[Any] | None = None) -> Any:
    """Items as one tensor with a new first axis."""
    if isinstance(held, Rows):
        merged(shape, held.items.shape[1:])
        return held.items[: held.size]
    chosen = held.items if items is None else items
    if not chosen:
        if shape is None or None in shape:
            raise RunError(f"no elements, and only {show(shape)} is known of their shape")
        return np.zeros((0, *(size or 0 for size in shape)), held.dtype.numpy)
    filled = [_blank(ctx, held, shape) if item is None else item for item in chosen]
    merged(shape, *(item.shape for item in filled))
    return ctx.xp.stack(filled)


def _stack(ctx: JaxContext, handle: Any, element_shape: Any, *, element_dtype: DType, num_elements: int = -1) -> Any:
    held = _held(handle, element_dtype)
    count = held.size if isinstance(held, Rows) else len(held.items)
    if num_elements not in (-1, count):
        raise RunError(f"the list has {count} elements, where {num_elements} were expected")
    return _joined(ctx, held, merged(_shape(element_shape), held.shape))


def _gather(ctx: JaxContext, handle: Any, indices: Any, element_shape: Any, *, element_dtype: DType) -> Any:
    held = _held(handle, element_dtype)
    if isinstance(held, TensorList) and is_known(indices):
        places = [_checked_place(len(held.items), int(i)) for i in known(indices).reshape(-1)]
        return _joined(ctx, held, merged(_shape(element_shape), held.shape), [held.items[i] for i in places])
    rows = as_rows(ctx, held)
    _check_places(rows, indices)
    return ctx.xp.take(ctx.xp.asarray(rows.items), ctx.xp.asarray(indices).reshape(-1), 0, mode="clip")


def _scattered(
    ctx: JaxContext, dtype: DType, shape: Shape, old: TensorList | Rows | None, tensor: Any, indices: Any, count: int
) -> Any:
    if tensor.ndim == 0 or indices.ndim != 1 or indices.shape[0] != tensor.shape[0]:
        raise RunError(f"rows of {show(tensor.shape)} cannot be put to indices of shape {show(indices.shape)}")
    must_fit(shape, tensor.shape[1:], "rows")
    if is_known(indices):
        places = [int(i) for i in known(indices)]
        if places and not 0 <= min(places) <= max(places) < MAX_ITEMS:
            raise RunError(f"an index is out of range: {places[:10]}")
        if count not in (-1, max(count, max(places, default=-1) + 1)):
            raise RunError(f"an index is out of range for {count} elements: {places[:10]}")
        whole = max(count, max(places, default=-1) + 1)
        if places == list(range(whole)):
            return Rows(dtype, shape, tensor, whole)
        if old is None or isinstance(old, TensorList):
            items = list(resized(old.items if old is not None else (), whole))
            for place, number_ in zip(places, range(tensor.shape[0]), strict=True):
                items[place] = tensor[number_]
            return boxed(TensorList(dtype, shape, tuple(items)))
    start = TensorList(dtype, shape, (None,) * max(count, 0)) if old is None else old
    rows = as_rows(ctx, start, tuple(tensor.shape[1:]))
    _check_places(rows, indices)
    return replace(rows, items=ctx.xp.asarray(rows.items).at[indices].set(tensor, mode="drop"))


def _scatter(
    ctx: JaxContext, tensor: Any, indices: Any, element_shape: Any, num_elements: Any = None, *, element_dtype: DType
) -> Any:
    count = -1 if num_elements is None else number(num_elements)
    if count < -1 or count > MAX_ITEMS:
        raise RunError(f"num_elements is {count}, where -1 or a number of elements was expected")
    if count == -1:
        known(indices, "the indices that say how long a list is")
    return _scattered(ctx, element_dtype.base, _shape(element_shape), None, tensor, indices, count)


def _scatter_into(ctx: JaxContext, handle: Any, tensor: Any, indices: Any, *, element_dtype: DType) -> Any:
    held = _held(handle, element_dtype)
    count = held.size if isinstance(held, Rows) else len(held.items)
    places = known(indices, "the indices that say how long a list is")
    count = max(count, int(places.max(initial=-1)) + 1)
    if isinstance(held, Rows):
        held = _resized_rows(ctx, held, count)
    return _scattered(ctx, held.dtype, held.shape, held, tensor, indices, count)


def _split(ctx: JaxContext, tensor: Any, element_shape: Any, lengths: Any, *, element_dtype: DType) -> Any:
    shape, parts = _shape(element_shape), known(lengths, "the lengths of parts")
    if tensor.ndim == 0 or parts.ndim != 1:
        raise RunError(f"a tensor of {show(tensor.shape)} cannot be split by lengths of {show(parts.shape)}")
    if (parts < 0).any() or int(parts.sum()) != tensor.shape[0]:
        raise RunError(f"the lengths {parts.tolist()[:10]} do not add up to the {tensor.shape[0]} rows")
    if shape is not None:
        must_fit(shape[1:], tensor.shape[1:], "rows")
    ends = np.cumsum(parts).tolist()
    items = tuple(tensor[end - int(n) : end] for end, n in zip(ends, parts, strict=True))
    return boxed(TensorList(element_dtype.base, shape, items))


def _concatenated(ctx: JaxContext, held: TensorList | Rows, shape: Shape, leading_dims: Any = None) -> tuple[Any, Any]:
    """All elements one after the other, and the length of each."""
    if isinstance(held, Rows):
        if held.items.ndim < 2:
            raise RunError("scalars cannot be joined along their first axis; their list can be stacked")
        count, each = held.size, held.items.shape[1]
        return held.items.reshape(count * each, *held.items.shape[2:]), np.full(count, each, np.int64)
    if shape is None or (held.items and None in shape[1:]):
        shape = merged(shape, *((None, *i.shape[1:]) for i in held.items if i is not None and i.ndim))
    if any(item is not None and item.ndim == 0 for item in held.items) or shape == ():
        raise RunError("scalars cannot be joined along their first axis; their list can be stacked")
    if shape is None or None in shape[1:]:
        raise RunError(f"only {show(shape)} is known of the shape of the elements, of which none was set")
    rest = tuple(size or 0 for size in shape[1:])
    merged(rest, *(item.shape[1:] for item in held.items if item is not None))
    said = None if leading_dims is None else known(leading_dims)
    items = []
    for index, item in enumerate(held.items):
        if item is None:
            told = said is not None and said.ndim == 1 and index < len(said)
            first = int(said[index]) if told and said is not None else shape[0]
            if first is None or first < 0:
                raise RunError(f"element {index} was never set, and its length is not known")
            item = np.zeros((first, *rest), held.dtype.numpy)
        items.append(item)
    lengths = np.array([item.shape[0] for item in items], np.int64)
    return ctx.xp.concatenate([np.zeros((0, *rest), held.dtype.numpy), *items]), lengths


def _concat(ctx: JaxContext, handle: Any, *, element_dtype: DType, element_shape: Shape = None) -> tuple[Any, Any]:
    held = _held(handle, element_dtype)
    said = element_shape if isinstance(element_shape, tuple) else None
    return _concatenated(ctx, held, merged(held.shape, said))


def _concat_v2(
    ctx: JaxContext, handle: Any, element_shape: Any, leading_dims: Any, *, element_dtype: DType
) -> tuple[Any, Any]:
    held = _held(handle, element_dtype)
    return _concatenated(ctx, held, merged(held.shape, _shape(element_shape)), leading_dims)


RULES: dict[str, Rule] = {
    "EmptyTensorList": _empty,
    "TensorListConcat": _concat,
    "TensorListConcatV2": _concat_v2,
    "TensorListElementShape": _element_shape,
    "TensorListFromTensor": _from_tensor,
    "TensorListGather": _gather,
    "TensorListGetItem": _get_item,
    "TensorListLength": _length,
    "TensorListPopBack": _pop_back,
    "TensorListPushBack": _push_back,
    "TensorListReserve": _reserve,
    "TensorListResize": _resize,
    "TensorListScatter": _scatter,
    "TensorListScatterIntoExistingList": _scatter_into,
    "TensorListScatterV2": _scatter,
    "TensorListSetItem": _set_item,
    "TensorListSplit": _split,
    "TensorListStack": _stack,
}
