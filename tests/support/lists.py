"""Rules for lists of tensors, until the reference engine has its own: a list is a numpy object scalar around one."""

from __future__ import annotations

from typing import Any

import numpy as np

from cryograph.engines.numpy.engine import Numpy

Array = np.ndarray[Any, Any]


def wrap(items: list[Any]) -> Array:
    box = np.empty((), object)
    box[()] = items
    return box


def zeros(items: list[Any], shape: Array, dtype: Any) -> list[Any]:
    known = [i for i in items if i is not None]
    like = known[0].shape if known else tuple(shape)
    return [np.zeros(like, dtype) if i is None else i for i in items]


def reserve(ctx: Any, shape: Array, count: Array) -> Array:
    return wrap([None] * int(count))


def set_item(ctx: Any, box: Array, index: Array, item: Array, *, resize_if_index_out_of_bounds: bool = False) -> Array:
    items = list(box.item())
    if resize_if_index_out_of_bounds:
        items += [None] * (int(index) + 1 - len(items))
    items[int(index)] = item
    return wrap(items)


def get_item(ctx: Any, box: Array, index: Array, shape: Array) -> Array:
    return zeros(box.item(), shape, ctx.output_dtypes[0].numpy)[int(index)]


def gather(ctx: Any, box: Array, indices: Array, shape: Array) -> Array:
    items = zeros(box.item(), shape, ctx.output_dtypes[0].numpy)
    return np.stack([items[i] for i in indices])


def scatter(ctx: Any, box: Array, tensor: Array, indices: Array) -> Array:
    items = list(box.item())
    items += [None] * (int(max(indices, default=-1)) + 1 - len(items))
    for i, item in zip(indices, tensor, strict=True):
        items[int(i)] = item
    return wrap(items)


def concat(ctx: Any, box: Array, shape: Array, leading: Array) -> Any:
    items = zeros(box.item(), shape, ctx.output_dtypes[0].numpy)
    return np.concatenate(items), np.array([len(i) for i in items], np.int64)


def split(ctx: Any, tensor: Array, shape: Array, lengths: Array) -> Array:
    return wrap(np.split(tensor, np.cumsum(lengths)[:-1]))


def stack(ctx: Any, box: Array, shape: Array, *, num_elements: int = -1) -> Array:
    return np.stack(zeros(box.item(), shape, ctx.output_dtypes[0].numpy))


def from_tensor(ctx: Any, tensor: Array, shape: Array) -> Array:
    return wrap(list(tensor))


RULES: dict[str, Any] = {
    "TensorListConcatV2": concat,
    "TensorListFromTensor": from_tensor,
    "TensorListGather": gather,
    "TensorListGetItem": get_item,
    "TensorListLength": lambda ctx, box: np.array(len(box.item()), np.int32),
    "TensorListReserve": reserve,
    "TensorListScatterIntoExistingList": scatter,
    "TensorListSetItem": set_item,
    "TensorListSplit": split,
    "TensorListStack": stack,
}


def prepare(program: Any) -> Any:
    """The program on the reference engine with these rules where it has none."""
    return Numpy(RULES).prepare(program)
