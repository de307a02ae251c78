"""Ops that move elements: shapes, slices, joins, splits, fills and rearrangements."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule


def _same(ctx: Context, x: Array) -> Array:
    return x


def _same_all(ctx: Context, *inputs: Array) -> tuple[Array, ...]:
    return inputs


def sizes_of(x: Array) -> tuple[int, ...]:
    return tuple(int(v) for v in np.asarray(x).reshape(-1))


def _reshape(ctx: Context, tensor: Array, shape: Array) -> Array:
    sizes = list(sizes_of(shape))
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes):
        raise RunError(f"{sizes} is no shape: one size may be -1, none less")
    if -1 in sizes:
        known = int(np.prod([s for s in sizes if s != -1], dtype=np.int64))
        if known == 0 or tensor.size % known:
            raise RunError(f"{tensor.size} elements do not fit into the shape {sizes}")
        sizes[sizes.index(-1)] = tensor.size // known
    if int(np.prod(sizes, dtype=np.int64)) != tensor.size:
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
    return x.transpose(sizes_of(perm))


def _conjugate_transpose(ctx: Context, x: Array, perm: Array) -> Array:
    return np.conj(x).transpose(sizes_of(perm))


def _expand_dims(ctx: Context, x: Array, axis: Array) -> Array:
    at = int(np.asarray(axis).reshape(-1)[0])
    if not -x.ndim - 1 <= at <= x.ndim:
        raise RunError(f"the axis {at} is outside of [{-x.ndim - 1}, {x.ndim}]")
    return np.expand_dims(x, at)


def _squeeze(ctx: Context, x: Array, *, squeeze_dims: list[int]) -> Array:
    return x.squeeze(tuple(squeeze_dims) if squeeze_dims else tuple(i for i, n in enumerate(x.shape) if n == 1))


def _concat(axis: int, values: tuple[Array, ...]) -> Array:
    return np.concatenate(values, axis)


def _concat_v2(ctx: Context, *inputs: Array) -> Array:
    return _concat(int(inputs[-1]), inputs[:-1])


def _concat_v1(ctx: Context, *inputs: Array) -> Array:
    return _concat(int(inputs[0]), inputs[1:])


def _concat_offset(ctx: Context, axis: Array, *shapes: Array) -> tuple[Array, ...]:
    found, start = [], 0
    for shape in shapes:
        offset = np.zeros_like(shape)
        offset[int(axis)] = start
        found.append(offset)
        start += int(shape[int(axis)])
    return tuple(found)


def _pack(ctx: Context, *values: Array, axis: int = 0) -> Array:
    return np.stack(values, axis)


def _unpack(ctx: Context, value: Array, *, num: int, axis: int = 0) -> tuple[Array, ...]:
    if value.shape[axis] != num:
        raise RunError(f"the size {value.shape[axis]} of the axis {axis} is not {num}")
    return tuple(np.moveaxis(value, axis, 0))


def _split(ctx: Context, axis: Array, value: Array, *, num_split: int) -> tuple[Array, ...]:
    size = value.shape[int(axis)]
    if size % num_split:
        raise RunError(f"the size {size} cannot be split into {num_split} equal parts")
    return tuple(np.split(value, num_split, int(axis)))


def _split_v(ctx: Context, value: Array, sizes: Array, axis: Array) -> tuple[Array, ...]:
    lengths = list(sizes_of(sizes))
    total = value.shape[int(axis)]
    if -1 in lengths:
        lengths[lengths.index(-1)] = total - sum(n for n in lengths if n != -1)
    if sum(lengths) != total or min(lengths, default=0) < 0:
        raise RunError(f"the sizes {lengths} do not make up {total}")
    return tuple(np.split(value, np.cumsum(lengths)[:-1], int(axis)))


def _slice(ctx: Context, x: Array, begin: Array, size: Array) -> Array:
    box = []
    for start, length, total in zip(sizes_of(begin), sizes_of(size), x.shape, strict=True):
        stop = total if length == -1 else start + length
        if not 0 <= start <= stop <= total:
            raise RunError(f"the slice from {start} of {length} sticks out of the size {total}")
        box.append(slice(start, stop))
    return x[tuple(box)]


def strided_index(
    ndim: int,
    begin: tuple[int, ...],
    end: tuple[int, ...],
    strides: tuple[int, ...],
    begin_mask: int,
    end_mask: int,
    ellipsis_mask: int,
    new_axis_mask: int,
    shrink_axis_mask: int,
) -> tuple[Any, ...]:
    """The numpy index that StridedSlice means: bits of the masks speak of positions in `begin`."""
    index: list[Any] = []
    used = sum(1 for i in range(len(begin)) if not (new_axis_mask >> i & 1 or ellipsis_mask >> i & 1))
    for i, (start, stop, step) in enumerate(zip(begin, end, strides, strict=True)):
        if ellipsis_mask >> i & 1:
            index += [slice(None)] * max(0, ndim - used)
        elif new_axis_mask >> i & 1:
            index.append(None)
        elif shrink_axis_mask >> i & 1:
            index.append(start)
        else:
            if step == 0:
                raise RunError("a stride is 0")
            index.append(_bounded(begin_mask >> i & 1, end_mask >> i & 1, start, stop, step))
    return tuple(index)


def _bounded(open_start: int, open_stop: int, start: int, stop: int, step: int) -> slice:
    return slice(None if open_start else start, None if open_stop else stop, step)


def _strided_slice(
    ctx: Context,
    x: Array,
    begin: Array,
    end: Array,
    strides: Array,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Array:
    masks = (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    index = strided_index(x.ndim, sizes_of(begin), sizes_of(end), sizes_of(strides), *masks)
    return np.asarray(x[_clamped(index, x.shape)])


def _clamped(index: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Numpy reads a negative end below -size as 0 for positive steps, as TensorFlow does, but as 'nothing left' for
    negative ones where TensorFlow means 'to the first'."""
    found: list[Any] = []
    axis = 0
    for part in index:
        if part is None:
            found.append(None)
            continue
        if isinstance(part, slice) and part.stop is not None and part.step is not None and part.step < 0:
            stop = part.stop + shape[axis] if part.stop < 0 else part.stop
            part = slice(part.start, None if stop < 0 else stop, part.step)
        found.append(part)
        axis += 1
    return tuple(found)


def _pairs(paddings: Array) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in np.asarray(paddings).reshape(-1, 2)]


def _pad(ctx: Context, x: Array, paddings: Array, value: Array | None = None) -> Array:
    filler: Any = value if value is not None else (b"" if x.dtype.kind == "O" else 0)
    pairs = _pairs(paddings)
    out = np.full([n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True)], filler, x.dtype)
    out[tuple(slice(a, a + n) for n, (a, _) in zip(x.shape, pairs, strict=True))] = x
    return out


def _mirror_pad(ctx: Context, x: Array, paddings: Array, *, mode: bytes) -> Array:
    return np.pad(x, _pairs(paddings), mode="reflect" if mode == b"REFLECT" else "symmetric")


def _tile(ctx: Context, x: Array, multiples: Array) -> Array:
    return np.tile(x, sizes_of(multiples)) if x.ndim else x


def _fill(ctx: Context, dims: Array, value: Array) -> Array:
    return np.full(sizes_of(dims), value, value.dtype)


def _range(ctx: Context, start: Array, limit: Array, delta: Array) -> Array:
    if delta == 0:
        raise RunError("the step of a range is 0")
    if ctx.dtype.kind in "iu":
        return np.arange(int(start), int(limit), int(delta), dtype=ctx.dtype)
    count = max(
        0, int(np.ceil(np.abs((float(limit) - float(start)) / float(delta)))) if (limit - start) * delta > 0 else 0
    )
    return np.asarray((start + np.arange(count).astype(ctx.dtype) * delta).astype(ctx.dtype))


def _lin_space(ctx: Context, start: Array, stop: Array, num: Array) -> Array:
    count = int(num)
    if count <= 0:
        raise RunError(f"{count} points were asked for; at least one is needed")
    if count == 1:
        return np.array([start], ctx.dtype)
    step = (stop - start) / ctx.dtype.type(count - 1)
    made = (start + step * np.arange(count).astype(ctx.dtype)).astype(ctx.dtype)
    made[-1] = stop
    return np.asarray(made)


def _broadcast_to(ctx: Context, x: Array, shape: Array) -> Array:
    return np.broadcast_to(x, sizes_of(shape))


def _broadcast_args(ctx: Context, a: Array, b: Array) -> Array:
    return np.array(np.broadcast_shapes(sizes_of(a), sizes_of(b)), ctx.dtype)


def _reverse(ctx: Context, x: Array, dims: Array) -> Array:
    return np.flip(x, tuple(np.flatnonzero(dims)))


def _reverse_v2(ctx: Context, x: Array, axis: Array) -> Array:
    return np.flip(x, sizes_of(axis)) if axis.size else x


def _reverse_sequence(ctx: Context, x: Array, lengths: Array, *, seq_dim: int, batch_dim: int = 0) -> Array:
    moved = np.moveaxis(x, (batch_dim, seq_dim), (0, 1))
    out = moved.copy()
    for row, length in enumerate(sizes_of(lengths)):
        out[row, :length] = moved[row, :length][::-1]
    return np.moveaxis(out, (0, 1), (batch_dim, seq_dim))


def _roll(ctx: Context, x: Array, shift: Array, axis: Array) -> Array:
    return np.roll(x, sizes_of(shift), sizes_of(axis))


def _blocks(x: Array, size: int, data_format: bytes, to_depth: bool) -> Array:
    if data_format not in (b"NHWC", b"NCHW"):
        raise RunError(f"the data format {data_format.decode()} is not supported")
    if data_format == b"NCHW":
        x = x.transpose(0, 2, 3, 1)
    n, h, w, c = x.shape
    if to_depth:
        made = x.reshape(n, h // size, size, w // size, size, c).transpose(0, 1, 3, 2, 4, 5)
        made = made.reshape(n, h // size, w // size, size * size * c)
    else:
        inner = c // (size * size)
        made = x.reshape(n, h, w, size, size, inner).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * size, w * size, inner)
    return made.transpose(0, 3, 1, 2) if data_format == b"NCHW" else made


def _space_to_depth(ctx: Context, x: Array, *, block_size: int, data_format: bytes = b"NHWC") -> Array:
    return _blocks(x, block_size, data_format, True)


def _depth_to_space(ctx: Context, x: Array, *, block_size: int, data_format: bytes = b"NHWC") -> Array:
    return _blocks(x, block_size, data_format, False)


def _space_to_batch_nd(ctx: Context, x: Array, block_shape: Array, paddings: Array) -> Array:
    block, pairs = sizes_of(block_shape), _pairs(paddings)
    rest = x.ndim - 1 - len(block)
    padded = np.pad(x, [(0, 0), *pairs, *[(0, 0)] * rest])
    shape = [padded.shape[0]]
    for size, b in zip(padded.shape[1:], block, strict=False):
        if size % b:
            raise RunError(f"the padded size {size} is not a multiple of the block {b}")
        shape += [size // b, b]
    m = len(block)
    made = padded.reshape(*shape, *padded.shape[1 + m :])
    order = [*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m + 1, 2), *range(2 * m + 1, made.ndim)]
    sizes = [s // b for s, b in zip(padded.shape[1:], block, strict=False)]
    return made.transpose(order).reshape(x.shape[0] * int(np.prod(block)), *sizes, *padded.shape[1 + m :])


def _batch_to_space_nd(ctx: Context, x: Array, block_shape: Array, crops: Array) -> Array:
    block, pairs = sizes_of(block_shape), _pairs(crops)
    m = len(block)
    batch = x.shape[0] // int(np.prod(block))
    made = x.reshape(*block, batch, *x.shape[1:])
    order = [m]
    for i in range(m):
        order += [m + 1 + i, i]
    order += range(2 * m + 1, made.ndim)
    made = made.transpose(order).reshape(
        batch, *(s * b for s, b in zip(x.shape[1:], block, strict=False)), *x.shape[1 + m :]
    )
    return made[(slice(None), *(slice(a, made.shape[1 + i] - b) for i, (a, b) in enumerate(pairs)))]


def _space_to_batch(ctx: Context, x: Array, paddings: Array, *, block_size: int) -> Array:
    return _space_to_batch_nd(ctx, x, np.array([block_size] * 2), paddings)


def _batch_to_space(ctx: Context, x: Array, crops: Array, *, block_size: int) -> Array:
    return _batch_to_space_nd(ctx, x, np.array([block_size] * 2), crops)


def _band_part(ctx: Context, x: Array, lower: Array, upper: Array) -> Array:
    rows, columns = x.shape[-2:]
    below = np.arange(rows)[:, None] - np.arange(columns)
    keep = ((int(lower) < 0) | (below <= int(lower))) & ((int(upper) < 0) | (-below <= int(upper)))
    return np.where(keep, x, np.zeros((), x.dtype))


def _diag(ctx: Context, x: Array) -> Array:
    return np.diag(x.reshape(-1)).reshape(x.shape + x.shape)


def _diag_part(ctx: Context, x: Array) -> Array:
    shape = x.shape[: x.ndim // 2]
    size = int(np.prod(shape))
    return np.diagonal(x.reshape(size, size)).reshape(shape)


def _matrix_diag(ctx: Context, x: Array) -> Array:
    return np.asarray(x[..., None] * np.eye(x.shape[-1], dtype=x.dtype))


def _matrix_diag_part(ctx: Context, x: Array) -> Array:
    return np.diagonal(x, axis1=-2, axis2=-1)


def _ensure_shape(ctx: Context, x: Array, *, shape: tuple[int | None, ...] | None) -> Array:
    if shape is not None and (
        len(shape) != x.ndim or any(a is not None and a != b for a, b in zip(shape, x.shape, strict=True))
    ):
        raise RunError(f"a tensor of the shape {list(x.shape)} is not of the shape {list(shape)}")
    return x


def _zeros_like(ctx: Context, x: Array) -> Array:
    return np.full(x.shape, b"", object) if x.dtype.kind == "O" else np.zeros_like(x)


def _ones_like(ctx: Context, x: Array) -> Array:
    return np.ones_like(x)


def _linear_cumulative(function: Any, start: int) -> Rule:
    def rule(ctx: Context, x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False) -> Array:
        at = int(axis)
        values = np.flip(x, at) if reverse else x
        made = function.accumulate(values, at, dtype=x.dtype) if x.shape[at] else values
        if exclusive and x.shape[at]:
            first = np.full_like(np.take(made, [0], at), start)
            made = np.concatenate([first, np.take(made, range(x.shape[at] - 1), at)], at)
        return np.flip(made, at) if reverse else made

    return rule


def _cumulative_logsumexp(
    ctx: Context, x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False
) -> Array:
    at = int(axis)
    values = np.flip(x, at) if reverse else x
    made = np.logaddexp.accumulate(values, at)
    if exclusive:
        first = np.full_like(np.take(made, [0], at), np.finfo(x.dtype).min)
        made = np.concatenate([first, np.take(made, range(x.shape[at] - 1), at)], at)
    return np.flip(made, at) if reverse else made


RULES: dict[str, Rule] = {
    "BatchToSpace": _batch_to_space,
    "BatchToSpaceND": _batch_to_space_nd,
    "BroadcastArgs": _broadcast_args,
    "BroadcastTo": _broadcast_to,
    "Concat": _concat_v1,
    "ConcatOffset": _concat_offset,
    "ConcatV2": _concat_v2,
    "ConjugateTranspose": _conjugate_transpose,
    "Cumprod": _linear_cumulative(np.multiply, 1),
    "Cumsum": _linear_cumulative(np.add, 0),
    "CumulativeLogsumexp": _cumulative_logsumexp,
    "DebugGradientIdentity": _same,
    "DeepCopy": lambda ctx, x: x.copy(),
    "DepthToSpace": _depth_to_space,
    "Diag": _diag,
    "DiagPart": _diag_part,
    "EnsureShape": _ensure_shape,
    "ExpandDims": _expand_dims,
    "Fill": _fill,
    "Identity": _same,
    "IdentityN": _same_all,
    "LinSpace": _lin_space,
    "MatrixBandPart": _band_part,
    "MatrixDiag": _matrix_diag,
    "MatrixDiagPart": _matrix_diag_part,
    "MirrorPad": _mirror_pad,
    "OnesLike": _ones_like,
    "Pack": _pack,
    "Pad": _pad,
    "PadV2": _pad,
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
    "Slice": _slice,
    "Snapshot": _same,
    "SpaceToBatch": _space_to_batch,
    "SpaceToBatchND": _space_to_batch_nd,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "SplitV": _split_v,
    "Squeeze": _squeeze,
    "StopGradient": _same,
    "StridedSlice": _strided_slice,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unpack": _unpack,
    "ZerosLike": _zeros_like,
}
