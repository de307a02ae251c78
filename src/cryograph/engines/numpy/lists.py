"""Lists of tensors, which loops fill and read: values that flow. Each is a scalar of dtype variant.

An operation gives a new list that shares the tensors of the old one; nothing but references is copied. An element that
was reserved and never set is None, and reads as zeros once its shape is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...base.dtypes import DType
from ...base.errors import RunError
from ...base.shapes import Shape, show
from ...base.tensors import Array
from ...ops.facts import Contradiction, merge
from .context import Context, Rule

MAX_ITEMS = 1 << 28
"""The most elements of a list that is reserved or scattered to."""


@dataclass(frozen=True, slots=True, eq=False)
class TensorList:
    """Tensors of one dtype. `shape` is what is known of each one's shape; `limit` the most of them, -1 for any."""

    dtype: DType
    shape: Shape
    items: tuple[Array | None, ...]
    limit: int = -1

    def __add__(self, other: TensorList | Array) -> TensorList:
        """Element by element: what AddN means for lists, as gradients need it."""
        added = other if isinstance(other, TensorList) else list_of(other)
        if len(self.items) != len(added.items) or self.dtype != added.dtype:
            raise RunError("lists of several lengths or dtypes cannot be added")
        pairs = zip(self.items, added.items, strict=True)
        shape = merged(self.shape, added.shape)
        return replace(
            self, shape=shape, items=tuple(b if a is None else a if b is None else _sum(a, b) for a, b in pairs)
        )

    def zeros(self) -> TensorList:
        """A list of zeros of the same shapes: what ZerosLike means for lists."""
        return replace(self, items=tuple(None if item is None else zeros_like(item, self.dtype) for item in self.items))


def _sum(a: Array, b: Array) -> Array:
    return np.asarray(a + b, a.dtype)


def zeros_like(item: Array, dtype: DType) -> Array:
    """Zeros of a shape; for variants, what is zero for each."""
    if dtype.numpy is not None:
        return _zeros(dtype, item.shape)
    made = np.empty(item.shape, object)
    for place in np.ndindex(item.shape):
        made[place] = list_of(item[(*place, ...)]).zeros()
    return made


def boxed(value: object) -> Array:
    """A scalar variant."""
    box = np.empty((), object)
    box[()] = value
    return box


def list_of(handle: Array, dtype: DType | None = None) -> TensorList:
    """The list behind a scalar variant; RunError when it is none, or one of another dtype."""
    held = handle.item() if handle.ndim == 0 else handle
    if not isinstance(held, TensorList):
        raise RunError("a list of tensors was expected")
    if dtype is not None and dtype.base != held.dtype:
        raise RunError(f"the list holds {held.dtype}, where {dtype.base} was expected")
    return held


def shape_of(tensor: Array) -> Shape:
    """The shape that a tensor says, -1 for what is not known."""
    if tensor.ndim == 0:
        if tensor.item() != -1:
            raise RunError(f"a shape that is a scalar must be -1, not {tensor.item()}")
        return None
    if tensor.ndim > 1:
        raise RunError(f"a shape is a vector, but {show(tensor.shape)} came")
    sizes = tensor.tolist()
    if any(size < -1 for size in sizes):
        raise RunError(f"a shape has a size below -1: {sizes}")
    return tuple(None if size == -1 else size for size in sizes)


def merged(*shapes: Shape) -> Shape:
    """All that is known of one shape; RunError when they differ."""
    found: Shape = None
    for shape in shapes:
        try:
            found = merge(found, shape)
        except Contradiction as error:
            raise RunError(f"elements of a list: {error}") from error
    return found


def must_fit(shape: Shape, size: tuple[int, ...], what: str) -> None:
    """RunError for what a list of elements of a shape cannot hold."""
    try:
        merge(shape, size)
    except Contradiction as error:
        raise RunError(f"{what} of shape {show(size)} does not fit a list of {show(shape)}") from error


def _scalar(tensor: Array, name: str) -> int:
    if tensor.ndim and tensor.shape != (1,):
        raise RunError(f"{name} must be a scalar, not of shape {show(tensor.shape)}")
    return int(tensor.reshape(()))


def _count(tensor: Array, name: str) -> int:
    count = _scalar(tensor, name)
    if not 0 <= count <= MAX_ITEMS:
        raise RunError(f"{name} is {count}, where a number from 0 to {MAX_ITEMS} was expected")
    return count


def _filled(held: TensorList, shape: Shape, items: Sequence[Array | None]) -> list[Array]:
    """The items, zeros in place of those that were never set."""
    if all(item is not None for item in items):
        return [item for item in items if item is not None]
    if shape is None or None in shape:  # others may tell
        shape = merged(shape, *(item.shape for item in held.items if item is not None))
    if shape is None or None in shape:
        raise RunError(f"an element was never set, and only {show(shape)} is known of its shape")
    blank = _zeros(held.dtype, tuple(size or 0 for size in shape))
    return [blank if item is None else item for item in items]


def _zeros(dtype: DType, shape: tuple[int, ...]) -> Array:
    if dtype.is_string:
        made = np.empty(shape, object)
        made.fill(b"")
        return made
    return np.zeros(shape, object if dtype.numpy is None else dtype.numpy)


def rows(tensor: Array) -> tuple[Array, ...]:
    """The parts of a tensor along its first axis, scalars as arrays."""
    return tuple(tensor[index, ...] for index in range(len(tensor)))


def _empty(ctx: Context, element_shape: Array, max_num_elements: Array, *, element_dtype: DType) -> Array:
    if max_num_elements.ndim:
        raise RunError(f"max_num_elements must be a scalar, not of shape {show(max_num_elements.shape)}")
    return boxed(TensorList(element_dtype.base, shape_of(element_shape), (), int(max_num_elements)))


def _reserve(ctx: Context, element_shape: Array, num_elements: Array, *, element_dtype: DType) -> Array:
    count = _count(num_elements, "num_elements")
    return boxed(TensorList(element_dtype.base, shape_of(element_shape), (None,) * count))


def _from_tensor(ctx: Context, tensor: Array, element_shape: Array, *, element_dtype: DType) -> Array:
    if tensor.ndim == 0:
        raise RunError("a list is made of a tensor of at least one dimension, but a scalar came")
    shape = shape_of(element_shape)
    must_fit(shape, tensor.shape[1:], "rows")
    return boxed(TensorList(element_dtype.base, shape, rows(tensor)))


def _length(ctx: Context, handle: Array) -> Array:
    return np.array(len(list_of(handle).items), np.int32)


def _element_shape(ctx: Context, handle: Array) -> Array:
    shape = list_of(handle).shape
    return np.array(-1 if shape is None else [-1 if size is None else size for size in shape], ctx.dtype)


def pushed(held: TensorList, tensor: Array) -> TensorList:
    """The list with one more element."""
    must_fit(held.shape, tensor.shape, "an element")
    if 0 <= held.limit <= len(held.items):
        raise RunError(f"the list is full: it may have {held.limit} elements")
    return replace(held, items=(*held.items, tensor))


def _push_back(ctx: Context, handle: Array, tensor: Array, *, element_dtype: DType) -> Array:
    return boxed(pushed(list_of(handle, element_dtype), tensor))


def _push_back_batch(ctx: Context, handles: Array, tensor: Array, *, element_dtype: DType) -> Array:
    if handles.shape != tensor.shape[: handles.ndim] or tensor.ndim <= 0:
        raise RunError(f"{show(tensor.shape)} does not begin with the shape of the lists, {show(handles.shape)}")
    made = np.empty(handles.shape, object)
    for place in np.ndindex(handles.shape):
        made[place] = pushed(list_of(handles[(*place, ...)], element_dtype), tensor[(*place, ...)])
    return made


def _pop_back(ctx: Context, handle: Array, element_shape: Array, *, element_dtype: DType) -> tuple[Array, Array]:
    held = list_of(handle, element_dtype)
    if not held.items:
        raise RunError("nothing can be taken from an empty list")
    shape = merged(shape_of(element_shape), held.shape)
    return boxed(replace(held, items=held.items[:-1])), _filled(held, shape, held.items[-1:])[0]


def _resize(ctx: Context, handle: Array, size: Array) -> Array:
    held = list_of(handle)
    return boxed(replace(held, items=resized(held.items, _count(size, "size"))))


def resized(items: tuple[Array | None, ...], count: int) -> tuple[Array | None, ...]:
    """The first `count` items, with elements that are not set where there are fewer."""
    return items[:count] + (None,) * (count - len(items))


def _get_item(ctx: Context, handle: Array, index: Array, element_shape: Array, *, element_dtype: DType) -> Array:
    held = list_of(handle, element_dtype)
    place = _place(held, _scalar(index, "index"))
    item = held.items[place]
    if item is not None:
        return item
    return _filled(held, merged(shape_of(element_shape), held.shape), (item,))[0]


def _place(held: TensorList, index: int) -> int:
    if not 0 <= index < len(held.items):
        raise RunError(f"there is no element {index} in a list of {len(held.items)}")
    return index


def _set_item(
    ctx: Context,
    handle: Array,
    index: Array,
    item: Array,
    *,
    element_dtype: DType,
    resize_if_index_out_of_bounds: bool = False,
) -> Array:
    held, place = list_of(handle, element_dtype), _scalar(index, "index")
    must_fit(held.shape, item.shape, "an element")
    items = held.items
    if resize_if_index_out_of_bounds and len(items) <= place < MAX_ITEMS:
        items = resized(items, place + 1)
        held = replace(held, items=items)
    _place(held, place)
    return boxed(replace(held, items=(*items[:place], item, *items[place + 1 :])))


def _joined(held: TensorList, shape: Shape, items: Sequence[Array | None]) -> Array:
    """Items as one tensor with a new first axis."""
    if not items:
        if shape is None or None in shape:
            raise RunError(f"no elements, and only {show(shape)} is known of their shape")
        return _zeros(held.dtype, (0, *(size or 0 for size in shape)))
    filled = _filled(held, shape, items)
    merged(shape, *(item.shape for item in filled))
    return np.stack(filled)


def _stack(ctx: Context, handle: Array, element_shape: Array, *, element_dtype: DType, num_elements: int = -1) -> Array:
    held = list_of(handle, element_dtype)
    if num_elements not in (-1, len(held.items)):
        raise RunError(f"the list has {len(held.items)} elements, where {num_elements} were expected")
    return _joined(held, merged(shape_of(element_shape), held.shape), held.items)


def _gather(ctx: Context, handle: Array, indices: Array, element_shape: Array, *, element_dtype: DType) -> Array:
    held = list_of(handle, element_dtype)
    items = [held.items[_place(held, index)] for index in indices.reshape(-1).tolist()]
    return _joined(held, merged(shape_of(element_shape), held.shape), items)


def _scattered(items: tuple[Array | None, ...], tensor: Array, indices: Array) -> tuple[Array | None, ...]:
    if tensor.ndim == 0 or indices.ndim != 1 or len(indices) != len(tensor):
        raise RunError(f"rows of {show(tensor.shape)} cannot be put to indices of shape {show(indices.shape)}")
    if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < MAX_ITEMS:
        raise RunError(f"an index is out of range: {indices.tolist()[:10]}")
    made = list(resized(items, max(len(items), int(indices.max(initial=-1)) + 1)))
    for place, row in zip(indices.tolist(), rows(tensor), strict=True):
        made[place] = row
    return tuple(made)


def _scatter(
    ctx: Context,
    tensor: Array,
    indices: Array,
    element_shape: Array,
    num_elements: Array | None = None,
    *,
    element_dtype: DType,
) -> Array:
    count = -1 if num_elements is None else _scalar(num_elements, "num_elements")
    if count < -1 or count > MAX_ITEMS:
        raise RunError(f"num_elements is {count}, where -1 or a number of elements was expected")
    shape = shape_of(element_shape)
    items = _scattered((None,) * max(count, 0), tensor, indices)
    if count not in (-1, len(items)):
        raise RunError(f"an index is out of range for {count} elements: {indices.tolist()[:10]}")
    must_fit(shape, tensor.shape[1:], "rows")
    return boxed(TensorList(element_dtype.base, shape, items))


def _scatter_into(ctx: Context, handle: Array, tensor: Array, indices: Array, *, element_dtype: DType) -> Array:
    held = list_of(handle, element_dtype)
    items = _scattered(held.items, tensor, indices)
    must_fit(held.shape, tensor.shape[1:], "rows")
    return boxed(replace(held, items=items))


def _split(ctx: Context, tensor: Array, element_shape: Array, lengths: Array, *, element_dtype: DType) -> Array:
    shape = shape_of(element_shape)
    if tensor.ndim == 0 or lengths.ndim != 1:
        raise RunError(f"a tensor of {show(tensor.shape)} cannot be split by lengths of {show(lengths.shape)}")
    if (lengths < 0).any() or int(lengths.sum()) != len(tensor):
        raise RunError(f"the lengths {lengths.tolist()[:10]} do not add up to the {len(tensor)} rows")
    if shape is not None:
        must_fit(shape[1:], tensor.shape[1:], "rows")
    parts = np.split(tensor, np.cumsum(lengths)[:-1]) if len(lengths) else []
    return boxed(TensorList(element_dtype.base, shape, tuple(parts)))


def _concatenated(held: TensorList, shape: Shape, leading_dims: Array | None = None) -> tuple[Array, Array]:
    """All elements one after the other, and the length of each."""
    if shape is None or (held.items and None in shape[1:]):
        shape = merged(shape, *((None, *i.shape[1:]) for i in held.items if i is not None and i.ndim))
    if any(item is not None and item.ndim == 0 for item in held.items) or shape == ():
        raise RunError("scalars cannot be joined along their first axis; their list can be stacked")
    if shape is None or None in shape[1:]:
        raise RunError(f"only {show(shape)} is known of the shape of the elements, of which none was set")
    rest = tuple(size or 0 for size in shape[1:])
    merged(rest, *(item.shape[1:] for item in held.items if item is not None))
    items: list[Array] = []
    for index, item in enumerate(held.items):
        if item is None:
            told = leading_dims is not None and leading_dims.ndim == 1 and index < len(leading_dims)
            first = int(leading_dims[index]) if told and leading_dims is not None else shape[0]
            if first is None or first < 0:
                raise RunError(f"element {index} was never set, and its length is not known")
            item = _zeros(held.dtype, (first, *rest))
        items.append(item)
    lengths = np.array([len(item) for item in items], np.int64)
    return np.concatenate([_zeros(held.dtype, (0, *rest)), *items]), lengths


def _concat(ctx: Context, handle: Array, *, element_dtype: DType, element_shape: Shape = None) -> tuple[Array, Array]:
    held = list_of(handle, element_dtype)
    return _concatenated(held, merged(held.shape, element_shape if isinstance(element_shape, tuple) else None))


def _concat_v2(
    ctx: Context, handle: Array, element_shape: Array, leading_dims: Array, *, element_dtype: DType
) -> tuple[Array, Array]:
    held = list_of(handle, element_dtype)
    return _concatenated(held, merged(held.shape, shape_of(element_shape)), leading_dims)


def _concat_lists(ctx: Context, a: Array, b: Array, *, element_dtype: DType) -> Array:
    if a.shape != b.shape:
        raise RunError(f"lists of shapes {show(a.shape)} and {show(b.shape)} cannot be joined")
    made = np.empty(a.shape, object)
    for place in np.ndindex(a.shape):
        made[place] = _both(*(list_of(x[(*place, ...)], element_dtype) for x in (a, b)))
    return made


def _both(a: TensorList, b: TensorList) -> TensorList:
    if a.shape != b.shape:
        raise RunError(f"lists of {show(a.shape)} and of {show(b.shape)} cannot be joined")
    return replace(a, items=a.items + b.items)


RULES: dict[str, Rule] = {
    "EmptyTensorList": _empty,
    "TensorListConcat": _concat,
    "TensorListConcatLists": _concat_lists,
    "TensorListConcatV2": _concat_v2,
    "TensorListElementShape": _element_shape,
    "TensorListFromTensor": _from_tensor,
    "TensorListGather": _gather,
    "TensorListGetItem": _get_item,
    "TensorListLength": _length,
    "TensorListPopBack": _pop_back,
    "TensorListPushBack": _push_back,
    "TensorListPushBackBatch": _push_back_batch,
    "TensorListReserve": _reserve,
    "TensorListResize": _resize,
    "TensorListScatter": _scatter,
    "TensorListScatterIntoExistingList": _scatter_into,
    "TensorListScatterV2": _scatter,
    "TensorListSetItem": _set_item,
    "TensorListSplit": _split,
    "TensorListStack": _stack,
}
