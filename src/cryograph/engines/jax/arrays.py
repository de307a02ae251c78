"""Shapes, parts and joins of arrays. What speaks of shapes must be known when a program is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy import arrays as plain
from ..numpy import layouts, slices
from ..numpy.casts import float_to_integer
from ..numpy.context import Rule
from ..numpy.elementwise import NARROW, wide
from ..numpy.forms import gathered, of_signature
from ..numpy.reductions import axes, axis_of
from ..numpy.slices import Masks, mirror_pad, mirrored, pairs_of, strided_index
from .context import JaxContext, check, is_known, known, number, sizes
from .rows import is_list, zeros_of_list


def with_known(rule: Rule, *places: int) -> Rule:
    """A rule of the reference engine that needs the values of some inputs, by their places."""

    def adapted(ctx: JaxContext, *inputs: Any, **attrs: Any) -> Any:
        held = list(inputs)
        for place in places:
            if -len(held) <= place < len(held):
                held[place] = known(held[place])
        return rule(ctx, *held, **attrs)

    return of_signature(adapted, rule)


def _concat(ctx: JaxContext, axis: Any, values: tuple[Any, ...]) -> Any:
    return ctx.xp.concatenate(values, axis_of(known(axis, "an axis"), values[0].ndim))


def _concat_v2(ctx: JaxContext, *inputs: Any) -> Any:
    return _concat(ctx, inputs[-1], inputs[:-1])


def _concat_v1(ctx: JaxContext, *inputs: Any) -> Any:
    return _concat(ctx, inputs[0], inputs[1:])


def _parallel_concat(ctx: JaxContext, *values: Any, shape: tuple[int, ...]) -> Any:
    return ctx.xp.concatenate(values, 0)


def _pack(ctx: JaxContext, *values: Any, axis: int = 0) -> Any:
    return ctx.xp.stack(values, axis_of(axis, values[0].ndim + 1))


def _unpack(ctx: JaxContext, value: Any, *, num: int, axis: int = 0) -> tuple[Any, ...]:
    at = axis_of(axis, value.ndim)
    if value.shape[at] != num:
        raise RunError(f"the size {value.shape[at]} of the axis {at} is not {num}")
    return tuple(ctx.lax.index_in_dim(value, i, at, keepdims=False) for i in range(num))


def _tile(ctx: JaxContext, x: Any, multiples: Any) -> Any:
    times = plain.shape_of(known(multiples))
    if len(times) != x.ndim:
        raise RunError(f"{len(times)} multiples were given for {x.ndim} dimensions")
    return ctx.xp.tile(x, times) if times else x


def _fill(ctx: JaxContext, dims: Any, value: Any) -> Any:
    if value.ndim:
        raise RunError(f"a value of the shape {list(value.shape)} fills nothing; a single one was expected")
    return ctx.xp.broadcast_to(value, plain.shape_of(known(dims)))


def _range(ctx: JaxContext, start: Any, limit: Any, delta: Any) -> Any:
    return plain.RULES["Range"](ctx, known(start), known(limit), known(delta))


def _lin_space(ctx: JaxContext, start: Any, stop: Any, num: Any) -> Any:
    count = number(num)
    if count <= 0:
        raise RunError(f"{count} points were asked for; at least one is needed")
    first, last = start.astype(np.float64), stop.astype(np.float64)
    made = ctx.xp.asarray(first + np.arange(count) * ((last - first) / max(count - 1, 1)))
    if count > 1:
        made = made.at[-1].set(last)
    return made.astype(ctx.dtype)


def _broadcast_to(ctx: JaxContext, x: Any, shape: Any) -> Any:
    return ctx.xp.broadcast_to(x, plain.shape_of(known(shape)))


def _reverse(ctx: JaxContext, x: Any, dims: Any) -> Any:
    return ctx.xp.flip(x, tuple(int(i) for i in np.flatnonzero(known(dims))))


def _reverse_v2(ctx: JaxContext, x: Any, axis: Any) -> Any:
    return ctx.xp.flip(x, axes(x, known(axis)))


def _reverse_sequence(ctx: JaxContext, x: Any, lengths: Any, *, seq_dim: int, batch_dim: int = 0) -> Any:
    xp = ctx.xp
    seq, batch = axis_of(seq_dim, x.ndim), axis_of(batch_dim, x.ndim)
    if lengths.shape != (x.shape[batch],) or seq == batch:
        raise RunError(f"{list(lengths.shape)} lengths were given for {x.shape[batch]} items")
    check((lengths < 0) | (lengths > x.shape[seq]), f"a length is not in [0, {x.shape[seq]}]")
    moved = xp.moveaxis(x, (batch, seq), (0, 1))
    steps = np.arange(x.shape[seq])
    counts = xp.asarray(lengths)[:, None]
    places = xp.where(steps < counts, counts - 1 - steps, steps)
    return xp.moveaxis(moved[np.arange(x.shape[batch])[:, None], places], (0, 1), (batch, seq))


def _roll(ctx: JaxContext, x: Any, shift: Any, axis: Any) -> Any:
    at = tuple(axis_of(a, x.ndim) for a in sizes(axis))
    if is_known(shift):
        return ctx.xp.roll(x, sizes(shift), at)
    for number_, place in enumerate(at):
        x = ctx.xp.roll(x, shift.reshape(-1)[number_], place)
    return x


def _zeros_like(ctx: JaxContext, x: Any) -> Any:
    if is_list(x):
        return zeros_of_list(ctx, x)
    return ctx.xp.zeros_like(x)


def _ones_like(ctx: JaxContext, x: Any) -> Any:
    return ctx.xp.ones_like(x)


def _stopped(ctx: JaxContext, x: Any) -> Any:
    return ctx.lax.stop_gradient(x)


def _slice(ctx: JaxContext, x: Any, begin: Any, size: Any) -> Any:
    """Starts may be worked out by the program; sizes not, as they are shapes."""
    if is_known(begin):
        return slices.RULES["Slice"](ctx, x, known(begin), known(size))
    lengths = sizes(size)
    if not begin.size == len(lengths) == x.ndim:
        raise RunError(f"a slice of {begin.size} starts and {len(lengths)} sizes does not fit {x.ndim} dimensions")
    if -1 in lengths:
        known(begin, "where a slice begins that goes to the end")
    limits = np.array(x.shape, np.int64) - np.array(lengths, np.int64)
    check((begin < 0) | (begin > limits), f"a slice of {list(lengths)} does not lie in {list(x.shape)}")
    return ctx.lax.dynamic_slice(x, [begin[i] for i in range(x.ndim)], lengths)


def _strided_slice(ctx: JaxContext, x: Any, begin: Any, end: Any, strides: Any, masks: Masks) -> Any:
    if is_known(begin) and is_known(end):
        return x[strided_index(ctx, x.shape, begin, end, strides, masks)]
    return _single_places(ctx, x, begin, end, known(strides), masks)


def _single_places(ctx: JaxContext, x: Any, begin: Any, end: Any, strides: Any, masks: Masks) -> Any:
    """`x[i, :, j]` with places that the program works out: all dimensions are taken whole or at one place."""
    open_start, open_stop, ellipsis, new_axis, shrink = masks
    count, axis = len(strides), 0
    for i in range(count):
        single, whole = bool(shrink >> i & 1), bool(open_start >> i & open_stop >> i & 1)
        if ellipsis >> i & 1 or new_axis >> i & 1 or not (single or (whole and strides[i] == 1)):
            known(begin, "where a slice begins")
            known(end, "where a slice ends")
        if single:
            place = ctx.xp.asarray(begin)[i]
            place = ctx.xp.where(place < 0, place + x.shape[axis], place)
            check((place < 0) | (place >= x.shape[axis]), f"the place {i} of a slice is not in [0, {x.shape[axis]})")
            x = ctx.lax.dynamic_index_in_dim(x, place, axis, keepdims=False)
        else:
            axis += 1
    return x


def _pad(ctx: JaxContext, x: Any, paddings: Any, value: Any = None) -> Any:
    pairs = pairs_of(known(paddings), x.ndim)
    filler = np.zeros((), x.dtype) if value is None else value
    return ctx.lax.pad(x, ctx.xp.asarray(filler).reshape(()), [(a, b, 0) for a, b in pairs])


def _mirror_pad_grad(ctx: JaxContext, x: Any, paddings: Any, *, mode: bytes) -> Any:
    for axis, (before, after) in enumerate(pairs_of(known(paddings), x.ndim)):
        size = x.shape[axis] - before - after
        turned = ctx.xp.moveaxis(x, axis, 0)
        out = ctx.xp.zeros((size, *turned.shape[1:]), x.dtype)
        x = ctx.xp.moveaxis(out.at[mirrored(size, before, after, mode)].add(turned), 0, axis)
    return x


def _cast(ctx: JaxContext, x: Any, *, Truncate: bool = False) -> Any:
    """Between any two kinds, as the reference engine does it."""
    xp, target = ctx.xp, ctx.dtype
    if x.dtype == target:
        return x
    if target.kind == "b":
        return x != 0
    is_float = x.dtype.kind == "f" or x.dtype.name in NARROW
    if Truncate and is_float and target.name in ("bfloat16", "float16", "float32"):
        rounded = x.astype(target)
        bits = ctx.lax.bitcast_convert_type(rounded, np.dtype(f"u{target.itemsize}"))
        beyond = xp.abs(rounded.astype(x.dtype)) > xp.abs(x)
        return ctx.lax.bitcast_convert_type(xp.where(beyond, bits - bits.dtype.type(1), bits), target)
    if x.dtype.kind == "c" and target.kind != "c":
        x = x.real
        is_float = True
    if target.kind in "iu" and is_float:
        return float_to_integer(xp, wide(x), target)
    return x.astype(target)


def _bitcast(ctx: JaxContext, x: Any) -> Any:
    target = ctx.dtype
    if target.itemsize > x.dtype.itemsize and (not x.ndim or x.shape[-1] * x.dtype.itemsize != target.itemsize):
        raise RunError(f"the last size of {list(x.shape)} {x.dtype} does not make one {target}")
    if "c" in (x.dtype.kind, target.kind):
        return _bitcast_complex(ctx, x, target)
    return ctx.lax.bitcast_convert_type(x, target)


def _bitcast_complex(ctx: JaxContext, x: Any, target: np.dtype[Any]) -> Any:
    """XLA does not look at complex numbers as bits: they go through their two parts."""
    if x.dtype == target:
        return x
    if x.dtype.kind == "c":
        x = ctx.xp.stack([x.real, x.imag], -1)
        if target.itemsize > x.dtype.itemsize:  # both parts make one number
            return ctx.lax.bitcast_convert_type(x, target)
        made = x if x.dtype == target else ctx.lax.bitcast_convert_type(x, target)
        return made if made.ndim == x.ndim else made.reshape(*x.shape[:-1], -1)
    part = np.dtype(f"f{target.itemsize // 2}")
    if x.dtype.itemsize < part.itemsize:
        x = x.reshape(*x.shape[:-1], 2, x.shape[-1] // 2)
    made = x if x.dtype == part else ctx.lax.bitcast_convert_type(x, part)
    return made[..., 0] + 1j * made[..., 1]


def _vec_permute(ctx: JaxContext, x: Any, *, src_format: bytes = b"NHWC", dst_format: bytes = b"NCHW") -> Any:
    order = layouts.RULES["DataFormatVecPermute"](
        ctx, np.arange(len(x)) if x.ndim == 1 else np.stack([np.arange(len(x))] * x.shape[-1], -1),
        src_format=src_format, dst_format=dst_format,
    )  # fmt: skip
    return x[order if order.ndim == 1 else order[:, 0]]


def _dim_map(ctx: JaxContext, x: Any, *, src_format: bytes = b"NHWC", dst_format: bytes = b"NCHW") -> Any:
    places = layouts.RULES["DataFormatDimMap"](
        ctx, np.arange(len(src_format)).astype(x.dtype), src_format=src_format, dst_format=dst_format
    )
    return ctx.xp.asarray(places)[x % len(src_format)]


def _to_bool(ctx: JaxContext, x: Any) -> Any:
    return x != 0 if x.ndim == 0 else np.array(x.size > 0)


RULES: dict[str, Rule] = {
    "Bitcast": _bitcast,
    "BroadcastArgs": with_known(plain.RULES["BroadcastArgs"], 0, 1),
    "BroadcastGradientArgs": with_known(plain.RULES["BroadcastGradientArgs"], 0, 1),
    "BroadcastTo": _broadcast_to,
    "Cast": _cast,
    "Concat": _concat_v1,
    "ConcatV2": _concat_v2,
    "ConjugateTranspose": with_known(plain.RULES["ConjugateTranspose"], 1),
    "DataFormatDimMap": _dim_map,
    "DataFormatVecPermute": _vec_permute,
    "Empty": with_known(plain.RULES["Empty"], 0),
    "ExpandDims": with_known(plain.RULES["ExpandDims"], 1),
    "Fill": _fill,
    "LinSpace": _lin_space,
    "MirrorPad": mirror_pad,
    "MirrorPadGrad": _mirror_pad_grad,
    "OnesLike": _ones_like,
    "Pack": _pack,
    "Pad": _pad,
    "PadV2": _pad,
    "ParallelConcat": _parallel_concat,
    "Range": _range,
    "Reshape": with_known(plain.RULES["Reshape"], 1),
    "Reverse": _reverse,
    "ReverseSequence": _reverse_sequence,
    "ReverseV2": _reverse_v2,
    "ResourceStridedSliceAssign": slices.RULES["TensorStridedSliceUpdate"],
    "Roll": _roll,
    "Slice": _slice,
    "Split": with_known(plain.RULES["Split"], 0),
    "SplitV": with_known(plain.RULES["SplitV"], 1, 2),
    "StopGradient": _stopped,
    "StridedSlice": gathered(_strided_slice, Masks),
    "StridedSliceAssign": slices.RULES["TensorStridedSliceUpdate"],
    "StridedSliceGrad": slices.RULES["StridedSliceGrad"],
    "TensorStridedSliceUpdate": slices.RULES["TensorStridedSliceUpdate"],
    "Tile": _tile,
    "ToBool": _to_bool,
    "Transpose": with_known(plain.RULES["Transpose"], 1),
    "Unpack": _unpack,
    "ZerosLike": _zeros_like,
}
