"""XLA's ops that move numbers: pads, slices at places that are worked out, gathers, sorts.

Source: the operation semantics of XLA (openxla.org) and TensorFlow's kernels for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from ...wire.xla_numbers import GatherNumbers, gather_numbers
from .context import Context, Rule
from .elementwise import wide


def sizes_of(x: Array) -> list[int]:
    """The numbers of a vector."""
    if x.ndim != 1:
        raise RunError(f"a vector was expected, not {list(x.shape)}")
    return [int(n) for n in x]


def pad_general(x: Array, value: Any, low: list[int], high: list[int], inside: list[int]) -> Array:
    """With a value before, behind and between the elements; negative numbers cut elements off."""
    if not len(low) == len(high) == len(inside) == x.ndim or any(n < 0 for n in inside):
        raise RunError(f"paddings of {low}, {high} and {inside} do not fit {list(x.shape)}")
    spread = tuple(n + max(n - 1, 0) * gap for n, gap in zip(x.shape, inside, strict=True))
    if any(inside):
        held = np.full(spread, value, x.dtype)
        held[tuple(slice(None, None, gap + 1) for gap in inside)] = x
    else:
        held = x
    made = np.full([max(n + a + b, 0) for n, a, b in zip(spread, low, high, strict=True)], value, x.dtype)
    into, of = [], []
    for n, total, a in zip(spread, made.shape, low, strict=True):
        first, last = max(-a, 0), min(n, total - a)
        of.append(slice(first, max(last, first)))
        into.append(slice(first + a, max(last, first) + a))
    made[tuple(into)] = held[tuple(of)]
    return made


def _pad(ctx: Context, x: Array, value: Array, low: Array, high: Array, inside: Array) -> Array:
    return pad_general(x, value[()], sizes_of(low), sizes_of(high), sizes_of(inside))


def _box(x: Array, starts: Array, sizes: list[int]) -> tuple[slice, ...]:
    """A part of x, moved so that it lies inside."""
    if (
        starts.shape != (x.ndim,)
        or len(sizes) != x.ndim
        or any(not 0 <= s <= n for s, n in zip(sizes, x.shape, strict=True))
    ):
        raise RunError(f"a part of {sizes} at {starts.tolist()} was asked for of {list(x.shape)}")
    first = [min(max(int(at), 0), n - s) for at, n, s in zip(starts, x.shape, sizes, strict=True)]
    return tuple(slice(at, at + s) for at, s in zip(first, sizes, strict=True))


def _dynamic_slice(ctx: Context, x: Array, starts: Array, sizes: Array) -> Array:
    return x[_box(x, starts, sizes_of(sizes))]


def _dynamic_update_slice(ctx: Context, x: Array, update: Array, starts: Array) -> Array:
    made = x.copy()
    made[_box(x, starts, list(update.shape))] = update
    return made


def starts_of(indices: Array, shape: tuple[int, ...], numbers: GatherNumbers) -> Array:
    """(*batch, rank): where each slice begins in an operand of a shape, before it is moved inside."""
    if numbers.index_vector == indices.ndim:
        indices = indices[..., None]
    if not 0 <= numbers.index_vector < indices.ndim or indices.shape[numbers.index_vector] != len(numbers.counted):
        raise RunError(f"indices of {list(indices.shape)} do not count {len(numbers.counted)} dimensions")
    moved = np.moveaxis(indices, numbers.index_vector, -1).astype(np.int64)
    made = np.zeros((*moved.shape[:-1], len(shape)), np.int64)
    for place, axis in enumerate(numbers.counted):
        made[..., axis] = moved[..., place]
    for axis, other in zip(numbers.operand_batch, numbers.indices_batch, strict=True):
        along = other - (other > numbers.index_vector)
        steps = np.arange(moved.shape[along])
        made[..., axis] = steps.reshape([-1 if at == along else 1 for at in range(moved.ndim - 1)])
    return made


def places_of(starts: Array, sizes: list[int]) -> tuple[Array, ...]:
    """Index arrays of (*batch, *sizes), one a dimension of the operand."""
    rank, lead = len(sizes), starts.ndim - 1
    found = []
    for axis, size in enumerate(sizes):
        offset = np.arange(size).reshape([-1 if at == axis else 1 for at in range(rank)])
        found.append(starts[..., axis].reshape(*starts.shape[:-1], *(1,) * rank) + offset)
    return tuple(np.broadcast_arrays(*found)) if lead or rank else ()


def _gather(
    ctx: Context,
    operand: Array,
    indices: Array,
    slice_sizes: Array,
    *,
    dimension_numbers: bytes,
    indices_are_sorted: bool,
) -> Array:
    """A slice for each vector of indices, moved so that it lies inside."""
    numbers, sizes = gather_numbers(dimension_numbers), sizes_of(slice_sizes)
    if len(sizes) != operand.ndim or any(not 0 <= s <= n for s, n in zip(sizes, operand.shape, strict=True)):
        raise RunError(f"slices of {sizes} do not fit {list(operand.shape)}")
    starts = starts_of(indices, operand.shape, numbers)
    starts = np.clip(starts, 0, np.array(operand.shape) - np.array(sizes))
    found = operand[places_of(starts, sizes)]
    lead = starts.ndim - 1
    dropped = {*numbers.without, *numbers.operand_batch}
    found = found.reshape(*found.shape[:lead], *(s for axis, s in enumerate(sizes) if axis not in dropped))
    rest = [at for at in range(found.ndim) if at not in numbers.windows]
    if len(rest) != lead:
        raise RunError(f"{len(numbers.windows)} dimensions of windows do not fit slices of {sizes}")
    order = np.empty(found.ndim, int)
    order[rest] = np.arange(lead)
    order[numbers.windows] = np.arange(lead, found.ndim)
    return found.transpose(order)


def _key(x: Array) -> Array:
    """What is sorted by: numbers, with those that are none behind them."""
    return wide(x)


def _sort(ctx: Context, x: Array) -> Array:
    if not x.ndim:
        raise RunError("a single number cannot be sorted")
    return np.take_along_axis(x, np.argsort(_key(x), -1, kind="stable"), -1)


def _key_value_sort(ctx: Context, keys: Array, values: Array) -> tuple[Array, Array]:
    if not keys.ndim or keys.shape != values.shape:
        raise RunError(f"keys of {list(keys.shape)} do not go with values of {list(values.shape)}")
    order = np.argsort(_key(keys), -1, kind="stable")
    return np.take_along_axis(keys, order, -1), np.take_along_axis(values, order, -1)


def _same(ctx: Context, *values: Array) -> Any:
    return values if len(ctx.output_dtypes) > 1 else values[0]


def _first(ctx: Context, x: Array, *_: Array) -> Array:
    return x


def _sharding(ctx: Context, x: Array, *, sharding: bytes = b"", unspecified_dims: list[int] | None = None) -> Array:
    """How a tensor is spread over devices does not change it."""
    return x


def _set_size(ctx: Context, x: Array, axis: Array, size: Array) -> Array:
    """The first elements along a dimension: as many as are really there."""
    at, count = int(axis), int(size)
    if not 0 <= at < x.ndim or not 0 <= count <= x.shape[at]:
        raise RunError(f"the size {count} of the dimension {at} does not fit {list(x.shape)}")
    return x[(slice(None),) * at + (slice(count),)]


def _broadcast_helper(ctx: Context, left: Array, right: Array, dims: Array) -> tuple[Array, Array]:
    """The tensor with fewer dimensions gets those of the other; `dims` says where its own ones go."""
    axes = sizes_of(dims)
    if not axes:
        if left.ndim != right.ndim and left.ndim and right.ndim:
            raise RunError(f"{list(left.shape)} and {list(right.shape)} need dimensions to be named")
        return left, right
    small, large = (left, right) if left.ndim <= right.ndim else (right, left)
    if len(axes) != small.ndim or left.ndim == right.ndim or any(not 0 <= axis < large.ndim for axis in axes):
        raise RunError(f"the dimensions {axes} do not put {list(small.shape)} into {list(large.shape)}")
    laid = [1] * large.ndim
    for axis, size in zip(axes, small.shape, strict=True):
        laid[axis] = size
    made = small.reshape(laid)
    return (made, large) if small is left else (large, made)


RULES: dict[str, Rule] = {
    "XlaBroadcastHelper": _broadcast_helper,
    "XlaDynamicSlice": _dynamic_slice,
    "XlaDynamicUpdateSlice": _dynamic_update_slice,
    "XlaGather": _gather,
    "XlaKeyValueSort": _key_value_sort,
    "XlaOptimizationBarrier": _same,
    "XlaPad": _pad,
    "XlaRemoveDynamicDimensionSize": _first,
    "XlaSetBound": _first,
    "XlaSetDynamicDimensionSize": _set_size,
    "XlaSharding": _sharding,
    "XlaSort": _sort,
}
