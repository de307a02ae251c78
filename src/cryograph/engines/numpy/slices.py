"""Slices and pads: parts of arrays, and arrays with something around them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import nothing, sizes_of
from .context import Context, Rule
from .forms import gathered


def _slice(ctx: Context, x: Array, begin: Array, size: Array) -> Array:
    starts, lengths = sizes_of(begin), sizes_of(size)
    if not len(starts) == len(lengths) == x.ndim:
        raise RunError(f"a slice of {len(starts)} starts and {len(lengths)} sizes does not fit {x.ndim} dimensions")
    box = []
    for start, length, size_in in zip(starts, lengths, x.shape, strict=True):
        stop = size_in if length == -1 else start + length
        if not 0 <= start <= stop <= size_in:
            raise RunError(f"the slice from {start} of {length} sticks out of the size {size_in}")
        box.append(slice(start, stop))
    return x[tuple(box)]


class Masks(NamedTuple):
    """Their bits speak of positions in `begin`; where several speak of one, ellipsis comes before new axis, and that
    before shrink."""

    begin_mask: int = 0
    end_mask: int = 0
    ellipsis_mask: int = 0
    new_axis_mask: int = 0
    shrink_axis_mask: int = 0


def strided_index(
    ctx: Context, shape: tuple[int, ...], begin: Any, end: Any, strides: Any, masks: Masks
) -> tuple[Any, ...]:
    """The numpy index that StridedSlice means."""
    starts, stops, steps = ctx.sizes(begin), ctx.sizes(end), ctx.sizes(strides)
    if not len(starts) == len(stops) == len(steps):
        raise RunError(f"{len(starts)} starts, {len(stops)} ends and {len(steps)} strides were given")
    open_start, open_stop, ellipsis, new_axis, shrink = masks
    kinds = ["..." if ellipsis >> i & 1 else "new" if new_axis >> i & 1 else "" for i in range(len(starts))]
    if kinds.count("...") > 1:
        raise RunError("a slice has several ellipses")
    used = kinds.count("")
    if used > len(shape):
        raise RunError(f"{used} dimensions are sliced of {len(shape)}")
    index: list[Any] = []
    axis = 0
    for i, kind in enumerate(kinds):
        if kind == "...":
            index += [slice(None)] * (len(shape) - used)
            axis += len(shape) - used
        elif kind == "new":
            index.append(None)
        else:
            if shrink >> i & 1:
                index.append(_place(starts[i], steps[i], bool(open_start >> i & 1), shape[axis]))
            else:
                bounds = (None if open_start >> i & 1 else starts[i], None if open_stop >> i & 1 else stops[i])
                index.append(_interval(*bounds, steps[i], shape[axis]))
            axis += 1
    return tuple(index)


def _place(start: int, step: int, is_open: bool, size: int) -> int:
    if step <= 0:
        raise RunError(f"the stride {step} of a single place is not 1")
    place = 0 if is_open else start + size if start < 0 else start
    if not 0 <= place < size:
        raise RunError(f"the place {start} is not in the size {size}")
    return place


def _interval(start: int | None, stop: int | None, step: int, size: int) -> slice:
    """A slice whose bounds numpy reads as TensorFlow does: a negative end before the first element is none for numpy
    when the stride is negative."""
    if step == 0:
        raise RunError("a stride is 0")
    if step < 0 and stop is not None:
        stop = stop + size if stop < 0 else stop
        stop = None if stop < 0 else stop
    return slice(start, stop, step)


def _strided_slice(ctx: Context, x: Array, begin: Array, end: Array, strides: Array, masks: Masks) -> Array:
    found = x[strided_index(ctx, x.shape, begin, end, strides, masks)]
    return found if isinstance(found, np.ndarray) else _scalar(found, x.dtype)


def _scalar(value: Any, dtype: np.dtype[Any]) -> Array:
    made = np.empty((), dtype)
    made[()] = value
    return made


def _put(ctx: Context, target: Any, index: tuple[Any, ...], value: Any) -> Any:
    room = np.broadcast_to(np.zeros((), bool), target.shape)[index].shape
    if room != value.shape:
        raise RunError(f"a value of the shape {list(value.shape)} does not fill {list(room)}")
    return ctx.written(target, index, value)


def _strided_slice_grad(ctx: Context, shape: Any, begin: Any, end: Any, strides: Any, dy: Any, masks: Masks) -> Any:
    """Zeros of the shape, with `dy` where the slice took from."""
    sizes = ctx.sizes(shape)
    out = ctx.xp.full(sizes, nothing(dy.dtype), dy.dtype)
    return _put(ctx, out, strided_index(ctx, sizes, begin, end, strides, masks), dy)


def _strided_slice_update(ctx: Context, x: Any, begin: Any, end: Any, strides: Any, value: Any, masks: Masks) -> Any:
    return _put(ctx, x.copy(), strided_index(ctx, x.shape, begin, end, strides, masks), value)


def pairs_of(paddings: Array, rank: int) -> list[tuple[int, int]]:
    """How much is added before and after each dimension; RunError when it is not one pair for each of `rank`."""
    if paddings.shape != (rank, 2):
        raise RunError(f"paddings of the shape {list(paddings.shape)} were given for {rank} dimensions")
    pairs = [(int(a), int(b)) for a, b in paddings]
    if any(a < 0 or b < 0 for a, b in pairs):
        raise RunError(f"the paddings {pairs} are negative")
    return pairs


def _pad(ctx: Context, x: Array, paddings: Array, value: Array | None = None) -> Array:
    pairs = pairs_of(paddings, x.ndim)
    filler = nothing(x.dtype) if value is None else value
    out = np.full([n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True)], filler, x.dtype)
    out[tuple(slice(a, a + n) for n, (a, _) in zip(x.shape, pairs, strict=True))] = x
    return out


def mirror_pad(ctx: Context, x: Any, paddings: Any, *, mode: bytes) -> Any:
    """REFLECT leaves the edge itself out, SYMMETRIC doubles it."""
    for axis, (before, after) in enumerate(pairs_of(ctx.known(paddings), x.ndim)):
        places = mirrored(x.shape[axis], before, after, mode)
        x = ctx.xp.take(x, places, axis) if before or after else x
    return x


def mirrored(size: int, before: int, after: int, mode: bytes) -> Array:
    """Where each element of a padded dimension comes from."""
    skip = 1 if mode == b"REFLECT" else 0
    if max(before, after) > max(0, size - skip):
        raise RunError(f"the paddings {before} and {after} are too large for {mode.decode()} of the size {size}")
    inner = np.arange(size)
    return np.concatenate([inner[skip : skip + before][::-1], inner, inner[::-1][skip : skip + after]])


def _mirror_pad_grad(ctx: Context, x: Array, paddings: Array, *, mode: bytes) -> Array:
    """Adds what was mirrored to what it was mirrored from."""
    for axis, (before, after) in enumerate(pairs_of(paddings, x.ndim)):
        places = mirrored(x.shape[axis] - before - after, before, after, mode)
        turned = np.moveaxis(x, axis, 0)
        out = np.zeros((x.shape[axis] - before - after, *turned.shape[1:]), x.dtype)
        np.add.at(out, places, turned)
        x = np.moveaxis(out, 0, axis)
    return x


RULES: dict[str, Rule] = {
    "MirrorPad": mirror_pad,
    "MirrorPadGrad": _mirror_pad_grad,
    "Pad": _pad,
    "PadV2": _pad,
    "Slice": _slice,
    "StridedSlice": gathered(_strided_slice, Masks),
    "StridedSliceGrad": gathered(_strided_slice_grad, Masks),
    "TensorStridedSliceUpdate": gathered(_strided_slice_update, Masks),
}
