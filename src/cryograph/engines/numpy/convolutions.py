"""Convolutions of any number of dimensions, plain, grouped, by channel and transposed.

A plain one lays out blocks of windows and multiplies each by the filters as one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import sizes_of
from .context import Context, Rule
from .elementwise import given, wide
from .images import resize_bilinear
from .slices import mirrored, pairs_of
from .windows import FIRST, Windows, as_format, channels_last, explicit_pairs, padded, place, plan, spatial, view

_CACHED = 1 << 15
"""Elements of a sum that is built up step by step: they stay in the processor's cache."""

BLOCK = 1 << 20
"""Elements of windows that are laid out at a time: what a cache holds."""


def convolve(x: Array, filters: Array, windows: Windows) -> Array:
    """(N, *out, O) from x (N, *space, C) and filters (*sizes, C / groups, O)."""
    inner, outer = filters.shape[-2:]
    groups = x.shape[-1] // inner if inner else 1
    if inner * groups != x.shape[-1] or groups < 1 or outer % groups:
        raise RunError(f"filters of the shape {list(filters.shape)} do not fit an input of {x.shape[-1]} channels")
    around = padded(x, windows.pairs)
    if groups == 1:
        return _product(around, filters, windows)
    each = outer // groups
    parts = [
        _product(around[..., g * inner : (g + 1) * inner], filters[..., g * each : (g + 1) * each], windows)
        for g in range(groups)
    ]
    return np.concatenate(parts, -1)


def _product(x: Array, filters: Array, windows: Windows) -> Array:
    matrix = filters.reshape(-1, filters.shape[-1])
    depth, rank = len(matrix), len(windows.sizes)
    made = np.zeros((x.shape[0], *windows.out, filters.shape[-1]), np.result_type(x, filters))
    if not made.size or not depth:
        return made
    if all(w == 1 for w in windows.sizes):
        return np.asarray(x[place(windows, [0] * rank)] @ matrix)
    laid = view(np.ascontiguousarray(x), windows)
    rows = max(1, BLOCK // (depth * prod(windows.out[1:])))
    for item in range(len(laid)):
        for start in range(0, windows.out[0], rows):
            block = laid[item, start : start + rows].reshape(-1, depth)
            np.matmul(block, matrix, out=made[item, start : start + rows].reshape(-1, filters.shape[-1]))
    return made


def _conv(
    ctx: Context,
    x: Array,
    filters: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Array:
    rank = filters.ndim - 2
    must_have(x, rank + 2)
    last = channels_last(wide(x), data_format)
    steps, gaps = spatial(strides, data_format, rank), spatial(dilations, data_format, rank)
    pairs = explicit_pairs(explicit_paddings, data_format, rank)
    windows = plan(last.shape[1:-1], filters.shape[:-2], steps, padding, gaps, pairs)
    return given(ctx, as_format(convolve(last, wide(filters), windows), data_format))


def must_have(x: Array, rank: int) -> None:
    if x.ndim != rank:
        raise RunError(f"a tensor of {x.ndim} dimensions was given where {rank} are taken")


def _conv3d(
    ctx: Context,
    x: Array,
    filters: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
    dilations: list[int],
) -> Array:
    return _conv(ctx, x, filters, strides=strides, padding=padding, data_format=data_format, dilations=dilations)


def _conv_any(
    ctx: Context,
    x: Array,
    filters: Array,
    *,
    strides: list[int],
    padding: bytes,
    explicit_paddings: list[int] | None = None,
    data_format: bytes = b"CHANNELS_LAST",
    dilations: list[int],
    batch_dims: int = 1,
    groups: int = 1,
) -> Array:
    """Of two or three dimensions, with several batch dimensions. `groups` follows from the shapes."""
    lead = x.shape[:batch_dims]
    flat = x.reshape(prod(lead), *x.shape[batch_dims:])
    made = _conv(
        ctx, flat, filters, strides=strides, padding=padding, data_format=data_format, dilations=dilations,
        explicit_paddings=explicit_paddings,
    )  # fmt: skip
    return made.reshape(*lead, *made.shape[1:])


def _by_channel(
    shape: Sequence[int],
    filters: Array,
    strides: list[int],
    padding: bytes,
    data_format: bytes,
    dilations: list[int],
    explicit: list[int] | None,
) -> Windows:
    steps, gaps = spatial(strides, data_format, 2), spatial(dilations, data_format, 2)
    return plan(shape[1:-1], filters.shape[:2], steps, padding, gaps, explicit_pairs(explicit, data_format, 2))


def _depthwise(
    ctx: Context,
    x: Array,
    filters: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Array:
    """Each channel with its own filters (H, W, C, M): output channel c * M + m."""
    must_have(x, 4)
    last = channels_last(wide(x), data_format)
    windows = _by_channel(last.shape, filters, strides, padding, data_format, dilations, explicit_paddings)
    if filters.ndim != 4 or filters.shape[2] != last.shape[-1]:
        raise RunError(f"filters of the shape {list(filters.shape)} do not fit {last.shape[-1]} channels")
    weights = wide(filters)
    laid = view(np.ascontiguousarray(padded(last, windows.pairs)), windows)
    if filters.shape[3] == 1:
        made = _weighted(laid, weights[..., 0])
    else:
        made = np.einsum("nhwijc,ijcm->nhwcm", laid, weights).reshape(*laid.shape[:3], -1)
    return given(ctx, as_format(made, data_format))


def _weighted(laid: Array, weights: Array) -> Array:
    """Windows (N, H, W, I, J, C) times weights (I, J, C), summed over each window, a few rows at a time: what is summed
    stays in the processor's cache."""
    made = np.zeros((*laid.shape[:3], laid.shape[-1]), laid.dtype)
    rows = max(1, _CACHED // max(1, made[:, :1].size))
    for start in range(0, made.shape[1], rows):
        block = made[:, start : start + rows]
        product = np.empty_like(block)
        for i, j in np.ndindex(*weights.shape[:2]):
            np.multiply(laid[:, start : start + rows, :, i, j], weights[i, j], out=product)
            block += product
    return made


def _depthwise_backprop(
    ctx: Context,
    sizes: Array,
    filters: Array,
    gradient: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Array:
    """The gradient of a convolution by channel for its input."""
    shape = _last_shape(sizes_of(sizes), data_format, 2, gradient, filters.shape[2])
    last = channels_last(wide(gradient), data_format)
    windows = _by_channel(shape, filters, strides, padding, data_format, dilations, explicit_paddings)
    must_match(last, windows, filters.shape[2] * filters.shape[3])
    weights = wide(filters)
    split = last.reshape(*last.shape[:-1], *filters.shape[2:])
    made = np.zeros((shape[0], *(n + a + b for n, (a, b) in zip(shape[1:-1], windows.pairs, strict=True)), shape[-1]),
                    last.dtype)  # fmt: skip
    for at in np.ndindex(*windows.sizes):
        made[place(windows, at)] += np.einsum("nhwcm,cm->nhwc", split, weights[at])
    return given(ctx, as_format(_unpadded(made, windows, shape), data_format))


def _last_shape(
    sizes: tuple[int, ...], data_format: bytes, rank: int, gradient: Array, channels: int
) -> tuple[int, ...]:
    """The shape of a convolution's input, channels last, from all its sizes or the spatial ones."""
    if len(sizes) == rank:
        return (gradient.shape[0], *sizes, channels)
    if len(sizes) != rank + 2:
        raise RunError(f"{list(sizes)} are not the sizes of an input of {rank + 2} dimensions")
    return (sizes[0], *sizes[2:], sizes[1]) if data_format in FIRST else sizes


def must_match(gradient: Array, windows: Windows, channels: int) -> None:
    if gradient.shape[1:] != (*windows.out, channels):
        raise RunError(
            f"a gradient of {list(gradient.shape[1:])} (channels last) was given; "
            f"the convolution gives {[*windows.out, channels]}"
        )


def _unpadded(x: Array, windows: Windows, shape: Sequence[int]) -> Array:
    inside = (slice(a, a + n) for n, (a, _) in zip(shape[1:-1], windows.pairs, strict=True))
    return x[(slice(None), *inside)]


def conv_backprop(
    ctx: Context,
    sizes: Array,
    filters: Array,
    gradient: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Array:
    """The gradient of a convolution for its input, which is what a transposed convolution gives."""
    rank = filters.ndim - 2
    must_have(gradient, rank + 2)
    shape = _last_shape(sizes_of(sizes), data_format, rank, gradient, filters.shape[-2])
    steps, gaps = spatial(strides, data_format, rank), spatial(dilations, data_format, rank)
    pairs = explicit_pairs(explicit_paddings, data_format, rank)
    windows = plan(shape[1:-1], filters.shape[:-2], steps, padding, gaps, pairs)
    last = np.ascontiguousarray(channels_last(wide(gradient), data_format))
    must_match(last, windows, filters.shape[-1])
    inner, outer = filters.shape[-2:]
    groups = shape[-1] // inner if inner else 1
    if inner * groups != shape[-1] or groups < 1 or outer % groups or shape[0] != gradient.shape[0]:
        raise RunError(f"filters of the shape {list(filters.shape)} do not fit an input of {list(shape)}")
    made = np.zeros((shape[0], *(n + a + b for n, (a, b) in zip(shape[1:-1], windows.pairs, strict=True)), shape[-1]),
                    last.dtype)  # fmt: skip
    weights, each = wide(filters), outer // groups
    for at in np.ndindex(*windows.sizes):
        target = made[place(windows, at)]
        for g in range(groups):
            part = last[..., g * each : (g + 1) * each] @ weights[at][:, g * each : (g + 1) * each].T
            target[..., g * inner : (g + 1) * inner] += part
    return given(ctx, as_format(_unpadded(made, windows, shape), data_format))


def _conv3d_backprop(
    ctx: Context,
    sizes: Array,
    filters: Array,
    gradient: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
    dilations: list[int],
) -> Array:
    return conv_backprop(
        ctx, sizes, filters, gradient, strides=strides, padding=padding, data_format=data_format, dilations=dilations
    )


def _conv3d_backprop_v1(
    ctx: Context, x: Array, filters: Array, gradient: Array, *, strides: list[int], padding: bytes, dilations: list[int]
) -> Array:
    """The first version is given the input itself, of which only the shape matters."""
    sizes = np.array(x.shape)
    return _conv3d_backprop(ctx, sizes, filters, gradient, strides=strides, padding=padding, dilations=dilations)


def _mirror_padded(x: Array, paddings: Array, mode: bytes) -> Array:
    places = [mirrored(n, a, b, mode) for n, (a, b) in zip(x.shape, pairs_of(paddings, x.ndim), strict=True)]
    return np.asarray(x[np.ix_(*places)])


def _pad_conv(
    ctx: Context, x: Array, paddings: Array, filters: Array, *, mode: bytes, strides: list[int], padding: bytes
) -> Array:
    must_have(x, 4)
    made = _mirror_padded(x, paddings, mode)
    return _conv(ctx, made, filters, strides=strides, padding=padding, dilations=[])


def _resize_pad_conv(
    ctx: Context,
    x: Array,
    size: Array,
    paddings: Array,
    filters: Array,
    *,
    resize_align_corners: bool = False,
    mode: bytes,
    strides: list[int],
    padding: bytes,
) -> Array:
    must_have(x, 4)
    made = _mirror_padded(resize_bilinear(x, size, resize_align_corners, False), paddings, mode)
    return _conv(ctx, made, filters, strides=strides, padding=padding, dilations=[])


RULES: dict[str, Rule] = {
    "Conv": _conv_any,
    "Conv2D": _conv,
    "Conv2DBackpropInput": conv_backprop,
    "Conv3D": _conv3d,
    "Conv3DBackpropInput": _conv3d_backprop_v1,
    "Conv3DBackpropInputV2": _conv3d_backprop,
    "DepthwiseConv2dNative": _depthwise,
    "DepthwiseConv2dNativeBackpropInput": _depthwise_backprop,
    "FusedPadConv2D": _pad_conv,
    "FusedResizeAndPadConv2D": _resize_pad_conv,
}
