"""Ops that ask for shapes, change them, join, split, fill and turn around."""

from __future__ import annotations

from math import ceil, prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .lists import zeros_like
from .reductions import axes, axis_of


def sizes_of(x: Array) -> tuple[int, ...]:
    """The numbers of an array of any shape."""
    return tuple(int(v) for v in np.asarray(x).reshape(-1))


def shape_of(x: Array) -> tuple[int, ...]:
    """A shape that an input holds; RunError for negative sizes."""
    sizes = sizes_of(x)
    if any(size < 0 for size in sizes):
        raise RunError(f"{list(sizes)} is no shape: a size is negative")
    return sizes


def nothing(dtype: np.dtype[Any]) -> Any:
    """0, False or the empty string."""
    return b"" if dtype.kind == "O" else dtype.type(0)


def _same(ctx: Context, x: Array) -> Array:
    return x


def _same_all(ctx: Context, *inputs: Array) -> tuple[Array, ...]:
    return inputs


def _reshape(ctx: Context, tensor: Array, shape: Array) -> Array:
    sizes = list(sizes_of(shape))
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes):
        raise RunError(f"{sizes} is no shape: one size may be -1, none less")
    if -1 in sizes:
        known, have = prod(size for size in sizes if size != -1), tensor.size
        if known == 0 and have == 0:  # the other sizes must still make a whole
            known, have = prod(size for size in sizes if size > 0), prod(size for size in tensor.shape if size)
        if known == 0 or have % known:
            raise RunError(f"{tensor.size} elements do not fit into the shape {sizes}")
        sizes[sizes.index(-1)] = have // known
    if prod(sizes) != tensor.size:
        raise RunError(f"{tensor.size} elements do not fit into the shape {sizes}")
    return tensor.reshape(sizes)


def _shape(ctx: Context, x: Array) -> Array:
    return np.array(x.shape, ctx.dtype)


def _shape_n(ctx: Context, *inputs: Array) -> tuple[Array, ...]:
    return tuple(np.array(x.shape, ctx.dtype) for x in inputs)


def _size(ctx: Context, x: Array) -> Array:
    return np.array(x.size, ctx.dtype)


def _rank(ctx: Context, x: Array) -> Array:
    return np.array(x.ndim, np.int32)


def _transpose(ctx: Context, x: Array, perm: Array) -> Array:
    order = sizes_of(perm)
    if sorted(axis_of(p, x.ndim) for p in order) != list(range(x.ndim)):
        raise RunError(f"{list(order)} is no order of {x.ndim} dimensions")
    return x.transpose(order)


def _conjugate_transpose(ctx: Context, x: Array, perm: Array) -> Array:
    return _transpose(ctx, ctx.xp.conj(x), perm)


def _expand_dims(ctx: Context, x: Array, axis: Array) -> Array:
    at = axis_of(axis, x.ndim + 1)
    return x.reshape(*x.shape[:at], 1, *x.shape[at:])


def _squeeze(ctx: Context, x: Array, *, squeeze_dims: list[int]) -> Array:
    gone = axes(x, np.array(squeeze_dims)) if squeeze_dims else [i for i, n in enumerate(x.shape) if n == 1]
    if any(x.shape[i] != 1 for i in gone):
        raise RunError(f"the dimensions {list(gone)} of the shape {list(x.shape)} are not all of size 1")
    return x.reshape([n for i, n in enumerate(x.shape) if i not in gone])


def _ensure_shape(ctx: Context, x: Array, *, shape: tuple[int | None, ...] | None) -> Array:
    if shape is not None and (
        len(shape) != x.ndim or any(a is not None and a != b for a, b in zip(shape, x.shape, strict=True))
    ):
        raise RunError(f"a tensor of the shape {list(x.shape)} is not of the shape {list(shape)}")
    return x


def _concat(ctx: Context, axis: Array, values: tuple[Array, ...]) -> Array:
    return np.asarray(ctx.xp.concatenate(values, axis_of(axis, values[0].ndim)))


def _concat_v2(ctx: Context, *inputs: Array) -> Array:
    return _concat(ctx, inputs[-1], inputs[:-1])


def _concat_v1(ctx: Context, *inputs: Array) -> Array:
    return _concat(ctx, inputs[0], inputs[1:])


def _parallel_concat(ctx: Context, *values: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(ctx.xp.concatenate(values, 0))


def _concat_offset(ctx: Context, axis: Array, *shapes: Array) -> tuple[Array, ...]:
    at = axis_of(axis, shapes[0].size)
    found, start = [], 0
    for shape in shapes:
        offset = np.zeros_like(shape)
        offset[at] = start
        found.append(offset)
        start += int(shape[at])
    return tuple(found)


def _pack(ctx: Context, *values: Array, axis: int = 0) -> Array:
    return np.asarray(ctx.xp.stack(values, axis_of(axis, values[0].ndim + 1)))


def _unpack(ctx: Context, value: Array, *, num: int, axis: int = 0) -> tuple[Array, ...]:
    at = axis_of(axis, value.ndim)
    if value.shape[at] != num:
        raise RunError(f"the size {value.shape[at]} of the axis {at} is not {num}")
    return tuple(np.moveaxis(value, at, 0)[i, ...] for i in range(num))


def _split(ctx: Context, axis: Array, value: Array, *, num_split: int) -> tuple[Array, ...]:
    at = axis_of(axis, value.ndim)
    if value.shape[at] % num_split:
        raise RunError(f"the size {value.shape[at]} cannot be split into {num_split} equal parts")
    return _parts(value, [value.shape[at] // num_split] * num_split, at)


def _split_v(ctx: Context, value: Array, sizes: Array, axis: Array) -> tuple[Array, ...]:
    at = axis_of(axis, value.ndim)
    lengths, whole = list(sizes_of(sizes)), value.shape[at]
    if lengths.count(-1) == 1:
        lengths[lengths.index(-1)] = whole - sum(n for n in lengths if n != -1)
    if sum(lengths) != whole or min(lengths, default=0) < 0:
        raise RunError(f"the sizes {lengths} do not make up {whole}")
    return _parts(value, lengths, at)


def _parts(value: Array, lengths: list[int], axis: int) -> tuple[Array, ...]:
    found, start = [], 0
    for length in lengths:
        found.append(value[(*(slice(None),) * axis, slice(start, start + length))])
        start += length
    return tuple(found)


def _tile(ctx: Context, x: Array, multiples: Array) -> Array:
    times = shape_of(multiples)
    if len(times) != x.ndim:
        raise RunError(f"{len(times)} multiples were given for {x.ndim} dimensions")
    return np.asarray(ctx.xp.tile(x, times)) if times else x


def _fill(ctx: Context, dims: Array, value: Array) -> Array:
    if value.ndim:
        raise RunError(f"a value of the shape {list(value.shape)} fills nothing; a single one was expected")
    return np.full(shape_of(dims), value, value.dtype)


def _empty(ctx: Context, shape: Array, *, init: bool = False) -> Array:
    return np.full(shape_of(shape), nothing(ctx.dtype), ctx.dtype)


def _range(ctx: Context, start: Array, limit: Array, delta: Array) -> Array:
    if delta == 0:
        raise RunError("the step of a range is 0")
    if (delta > 0 and start > limit) or (delta < 0 and start < limit):
        raise RunError(f"the step {delta} does not lead from {start} to {limit}")
    if ctx.dtype.kind in "iu":
        return np.arange(int(start), int(limit), int(delta)).astype(ctx.dtype)
    kind: Any = np.float64 if ctx.dtype == np.float64 else np.float32
    first, step = start.astype(kind), delta.astype(kind)
    count = ceil(abs((limit.astype(kind) - first) / step))
    return np.asarray(first + np.arange(count).astype(kind) * step).astype(ctx.dtype)


def _lin_space(ctx: Context, start: Array, stop: Array, num: Array) -> Array:
    count = int(num)
    if count <= 0:
        raise RunError(f"{count} points were asked for; at least one is needed")
    first, last = float(start), float(stop)
    made = first + np.arange(count) * ((last - first) / max(count - 1, 1))
    if count > 1:
        made[-1] = last
    return made.astype(ctx.dtype)


def _broadcast_to(ctx: Context, x: Array, shape: Array) -> Array:
    return np.asarray(ctx.xp.broadcast_to(x, shape_of(shape)))


def _broadcast_args(ctx: Context, a: Array, b: Array) -> Array:
    return np.array(np.broadcast_shapes(sizes_of(a), sizes_of(b)), ctx.dtype)


def _broadcast_gradient_args(ctx: Context, a: Array, b: Array) -> tuple[Array, Array]:
    """Over which axes a gradient of the broadcast shape is summed to have the shape of either operand."""
    first, second = sizes_of(a), sizes_of(b)
    rank = len(np.broadcast_shapes(first, second))
    long = [(*(1,) * (rank - len(sizes)), *sizes) for sizes in (first, second)]
    if long[0] == long[1] and first == second:
        return np.zeros(0, ctx.dtype), np.zeros(0, ctx.dtype)
    found = [[i for i, n in enumerate(sizes) if n == 1] for sizes in long]
    return np.array(found[0], ctx.dtype), np.array(found[1], ctx.dtype)


def _reverse(ctx: Context, x: Array, dims: Array) -> Array:
    return np.asarray(ctx.xp.flip(x, tuple(int(i) for i in np.flatnonzero(dims))))


def _reverse_v2(ctx: Context, x: Array, axis: Array) -> Array:
    return np.asarray(ctx.xp.flip(x, axes(x, axis)))


def _reverse_sequence(ctx: Context, x: Array, lengths: Array, *, seq_dim: int, batch_dim: int = 0) -> Array:
    """Along `seq_dim` the first `lengths[b]` elements of each item b turned around."""
    seq, batch = axis_of(seq_dim, x.ndim), axis_of(batch_dim, x.ndim)
    counts = np.array(sizes_of(lengths), np.int64)
    if len(counts) != x.shape[batch] or seq == batch:
        raise RunError(f"{len(counts)} lengths were given for {x.shape[batch]} items")
    if counts.size and (counts.min() < 0 or counts.max() > x.shape[seq]):
        raise RunError(f"a length is not in [0, {x.shape[seq]}]")
    moved = np.moveaxis(x, (batch, seq), (0, 1))
    steps = np.arange(x.shape[seq])
    places = np.where(steps < counts[:, None], counts[:, None] - 1 - steps, steps)
    return np.moveaxis(moved[np.arange(len(counts))[:, None], places], (0, 1), (batch, seq))


def _roll(ctx: Context, x: Array, shift: Array, axis: Array) -> Array:
    return np.asarray(ctx.xp.roll(x, sizes_of(shift), tuple(axis_of(a, x.ndim) for a in sizes_of(axis))))


def _zeros_like(ctx: Context, x: Array) -> Array:
    if ctx.output_dtypes[0].numpy is None:
        return zeros_like(x, ctx.output_dtypes[0])
    return np.full(x.shape, nothing(x.dtype), x.dtype)


def _ones_like(ctx: Context, x: Array) -> Array:
    return np.ones_like(x)


RULES: dict[str, Rule] = {
    "BroadcastArgs": _broadcast_args,
    "BroadcastGradientArgs": _broadcast_gradient_args,
    "BroadcastTo": _broadcast_to,
    "Concat": _concat_v1,
    "ConcatOffset": _concat_offset,
    "ConcatV2": _concat_v2,
    "ConjugateTranspose": _conjugate_transpose,
    "DebugGradientIdentity": _same,
    "DeepCopy": _same,
    "Empty": _empty,
    "EnsureShape": _ensure_shape,
    "ExpandDims": _expand_dims,
    "Fill": _fill,
    "GuaranteeConst": _same,
    "Identity": _same,
    "IdentityN": _same_all,
    "LinSpace": _lin_space,
    "OnesLike": _ones_like,
    "Pack": _pack,
    "ParallelConcat": _parallel_concat,
    "PlaceholderWithDefault": _same,
    "PreventGradient": _same,
    "Range": _range,
    "Rank": _rank,
    "Reshape": _reshape,
    "Reverse": _reverse,
    "ReverseSequence": _reverse_sequence,
    "ReverseV2": _reverse_v2,
    "Roll": _roll,
    "Shape": _shape,
    "ShapeN": _shape_n,
    "Size": _size,
    "Snapshot": _same,
    "Split": _split,
    "SplitV": _split_v,
    "Squeeze": _squeeze,
    "StopGradient": _same,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unpack": _unpack,
    "ZerosLike": _zeros_like,
}
