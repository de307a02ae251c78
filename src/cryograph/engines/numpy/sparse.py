"""Sparse tensors, as indices (n, rank), values (n) and a shape: their order, shape, parts and empty rows."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule

Sparse = tuple[Array, Array, Array]


def check(indices: Array, values: Array, shape: Array) -> None:
    """RunError unless the three parts of a sparse tensor fit each other."""
    if indices.ndim != 2 or values.ndim != 1 or shape.ndim != 1:
        raise RunError(f"indices of {list(indices.shape)} and values of {list(values.shape)} are no sparse tensor")
    if indices.shape[0] != values.shape[0] or indices.shape[1] != shape.shape[0]:
        raise RunError(f"{indices.shape[0]} indices of rank {indices.shape[1]} do not fit {values.shape[0]} values")


def flat(indices: Array, shape: Array) -> Array:
    """Each place as one number, counted through the shape; RunError for a place outside."""
    if indices.size and ((indices < 0) | (indices >= shape)).any():
        bad = indices[((indices < 0) | (indices >= shape)).any(1)][0]
        raise RunError(f"the index {bad.tolist()} does not lie in the shape {shape.tolist()}")
    strides = np.append(np.cumprod(shape[:0:-1])[::-1], 1)[: len(shape)].astype(np.int64)
    return np.asarray(indices @ strides, np.int64)


def unflat(places: Array, shape: Array) -> Array:
    """Indices of places that are counted through a shape."""
    strides = np.append(np.cumprod(shape[:0:-1])[::-1], 1)[: len(shape)].astype(np.int64)
    return np.asarray(places[:, None] // np.maximum(strides, 1) % np.maximum(shape, 1), np.int64)


def _reorder(ctx: Context, indices: Array, values: Array, shape: Array) -> tuple[Array, Array]:
    """By rows."""
    check(indices, values, shape)
    order = np.lexsort(indices.T[::-1]) if indices.size else np.arange(len(indices))
    return indices[order], values[order]


def _reshape(ctx: Context, indices: Array, shape: Array, new_shape: Array) -> tuple[Array, Array]:
    """The same elements, counted through another shape; one size of it may be -1."""
    if indices.ndim != 2 or shape.ndim != 1 or new_shape.ndim != 1 or indices.shape[1] != len(shape):
        raise RunError(f"indices of {list(indices.shape)} do not fit the shape {shape.tolist()}")
    sizes = [int(n) for n in new_shape]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise RunError(f"the shape {sizes} must have one -1 at most, and no other negative size")
    count = prod(int(n) for n in shape)
    if -1 in sizes:
        rest = prod(n for n in sizes if n != -1)
        if rest == 0 or count % rest:
            raise RunError(f"a tensor of {count} elements cannot be given the shape {sizes}")
        sizes[sizes.index(-1)] = count // rest
    if prod(sizes) != count:
        raise RunError(f"a tensor of {count} elements cannot be given the shape {sizes}")
    made = np.array(sizes, np.int64)
    return unflat(flat(indices, shape), made) if len(indices) else np.zeros((0, len(sizes)), np.int64), made


def _slice(ctx: Context, indices: Array, values: Array, shape: Array, start: Array, size: Array) -> Sparse:
    """What lies in a box, counted from its corner; the box is cut at the tensor's end."""
    check(indices, values, shape)
    if start.shape != shape.shape or size.shape != shape.shape or (size < 0).any():
        raise RunError(f"a box from {start.tolist()} of {size.tolist()} does not fit {shape.tolist()}")
    ends = np.minimum(start + size, shape)
    inside = ((indices >= start) & (indices < ends)).all(1)
    sizes = np.maximum(ends - start, 0)
    return indices[inside] - start, values[inside], sizes.astype(np.int64)


def _taken(gradient: Array, among: Array, wanted: Array) -> Array:
    """The gradients of rows of indices, as they stand among others; zero for those that do not."""
    both = np.unique(np.concatenate([among, wanted]), axis=0, return_inverse=True)[1].reshape(-1)
    places = np.full(len(both), -1)
    places[both[: len(among)]] = np.arange(len(among))
    found = places[both[len(among) :]]
    taken = gradient[np.maximum(found, 0)] if len(gradient) else np.zeros(len(found), gradient.dtype)
    return np.where(found >= 0, taken, gradient.dtype.type(0))


def _slice_grad(ctx: Context, gradient: Array, indices: Array, start: Array, made: Array) -> Array:
    """The gradient of the values that the slice kept; zero for the others."""
    check(made, gradient, start)
    if indices.ndim != 2 or indices.shape[1] != len(start):
        raise RunError(f"indices of {list(indices.shape)} do not fit a start of {len(start)} dimensions")
    return _taken(gradient, made + start, indices)


def _split(
    ctx: Context, axis: Array, indices: Array, values: Array, shape: Array, *, num_split: int
) -> tuple[Array, ...]:
    """Parts of equal length along an axis; the first ones are longer by one where the length does not divide."""
    at = int(axis) % len(shape) if len(shape) else 0
    length = int(shape[at])
    if not -len(shape) <= int(axis) < len(shape) or not 1 <= num_split <= length:
        raise RunError(f"{num_split} parts along the axis {int(axis)} of {shape.tolist()} cannot be made")
    each, more = divmod(length, num_split)
    bounds = np.cumsum([0, *[each + (n < more) for n in range(num_split)]])
    found: list[Sparse] = []
    for low, high in pairwise(bounds):
        inside = (indices[:, at] >= low) & (indices[:, at] < high)
        moved, sizes = indices[inside].copy(), shape.copy()
        moved[:, at] -= low
        sizes[at] = high - low
        found.append((moved, values[inside], sizes))
    return tuple(part[n] for n in range(3) for part in found)


def _concat(ctx: Context, *parts: Array, concat_dim: int) -> Sparse:
    """One behind the other along an axis, in order."""
    count = len(parts) // 3
    shapes = parts[2 * count :]
    rank = len(shapes[0])
    at = concat_dim + rank if concat_dim < 0 else concat_dim
    if not 0 <= at < rank:
        raise RunError(f"the axis {concat_dim} is not one of {rank} dimensions")
    for shape in shapes:
        if len(shape) != rank or any(a != b for n, (a, b) in enumerate(zip(shape, shapes[0], strict=True)) if n != at):
            raise RunError(f"{shape.tolist()} and {shapes[0].tolist()} do not fit each other along the axis {at}")
    moved, start = [], 0
    for indices, shape in zip(parts[:count], shapes, strict=True):
        shifted = indices.copy()
        shifted[:, at] += start
        moved.append(shifted)
        start += int(shape[at])
    indices, values = np.concatenate(moved), np.concatenate(parts[count : 2 * count])
    order = np.lexsort(indices.T[::-1]) if indices.size else np.arange(len(indices))
    sizes = shapes[0].copy()
    sizes[at] = start
    return indices[order], values[order], sizes


def _fill_empty_rows(
    ctx: Context, indices: Array, values: Array, shape: Array, default: Array
) -> tuple[Array, Array, Array, Array]:
    """Each row without elements gets one; gives also which rows were empty, and where each element went."""
    check(indices, values, shape)
    if default.ndim or not len(shape):
        raise RunError("the default is a single number, and the tensor has rows")
    count = int(shape[0])
    rows = indices[:, 0]
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise RunError(f"the row {rows[(rows < 0) | (rows >= count)][0]} is not in [0, {count})")
    if not count:
        return indices, values, np.zeros(0, bool), np.zeros(0, np.int64)
    filled = np.bincount(rows, minlength=count)
    empty = filled == 0
    new = np.zeros((int(empty.sum()), indices.shape[1]), np.int64)
    new[:, 0] = np.flatnonzero(empty)
    everything = np.concatenate([indices, new])
    order = np.argsort(everything[:, 0], kind="stable")
    fill = np.empty(len(new), values.dtype)
    fill[...] = default[()]
    reverse = np.empty(len(order), np.int64)
    reverse[order] = np.arange(len(order))
    return everything[order], np.concatenate([values, fill])[order], empty, reverse[: len(indices)]


def fill_empty_rows_grad(ctx: Context, reverse: Array, gradient: Array) -> tuple[Array, Array]:
    """For the elements that were there, and for the default: the sum of the others."""
    if reverse.ndim != 1 or gradient.ndim != 1:
        raise RunError(f"a map of {list(reverse.shape)} and gradients of {list(gradient.shape)} are no vectors")
    if reverse.size and (reverse.min() < 0 or reverse.max() >= len(gradient)):
        raise RunError("an element of the map is out of range")
    taken = np.zeros(len(gradient), bool)
    taken[reverse] = True
    return gradient[reverse], np.asarray(gradient[~taken].sum(dtype=gradient.dtype), gradient.dtype)


def _add(
    ctx: Context, ai: Array, av: Array, ashape: Array, bi: Array, bv: Array, bshape: Array, threshold: Array
) -> Sparse:
    """What stands at the same place is added; such a sum is left out where its size is below the threshold."""
    check(ai, av, ashape)
    check(bi, bv, bshape)
    if not np.array_equal(ashape, bshape):
        raise RunError(f"{ashape.tolist()} and {bshape.tolist()} cannot be added")
    places = np.concatenate([flat(ai, ashape), flat(bi, bshape)])
    values = np.concatenate([av, bv])
    order = np.argsort(places, kind="stable")
    distinct, first = np.unique(places[order], return_index=True)
    sums = np.add.reduceat(values[order], first) if len(distinct) else values
    paired = np.diff(np.append(first, len(order))) > 1
    keep = ~paired | (np.abs(sums) >= threshold)
    return unflat(distinct[keep], ashape), sums[keep].astype(ctx.output_dtypes[1].numpy), ashape


def _add_grad(ctx: Context, gradient: Array, ai: Array, bi: Array, si: Array) -> tuple[Array, Array]:
    """The gradient of a sum for each of its parts, zero where the sum was left out."""
    if any(part.ndim != 2 or part.shape[1] != si.shape[-1] for part in (ai, bi, si)) or gradient.shape != si.shape[:1]:
        raise RunError(f"indices of {[list(part.shape) for part in (ai, bi, si)]} do not fit {len(gradient)} gradients")
    return _taken(gradient, si, ai), _taken(gradient, si, bi)


RULES: dict[str, Rule] = {
    "SparseAdd": _add,
    "SparseAddGrad": _add_grad,
    "SparseConcat": _concat,
    "SparseFillEmptyRows": _fill_empty_rows,
    "SparseFillEmptyRowsGrad": fill_empty_rows_grad,
    "SparseReorder": _reorder,
    "SparseReshape": _reshape,
    "SparseSlice": _slice,
    "SparseSliceGrad": _slice_grad,
    "SparseSplit": _split,
}
