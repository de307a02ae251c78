"""Convolutions and their gradients, with the channels last."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.convolutions import _last_shape, must_have, must_match
from ..numpy.elementwise import given, wide
from ..numpy.windows import FIRST, Windows, explicit_pairs, plan, spatial
from .arrays import mirror_pad
from .context import JaxContext, sizes
from .pictures import resized_bilinear
from .sliding import convolve, for_filters, for_input


def last(ctx: JaxContext, x: Any, data_format: bytes) -> Any:
    """The array with the channels last."""
    return ctx.xp.moveaxis(x, 1, -1) if data_format in FIRST else x


def as_format(ctx: JaxContext, x: Any, data_format: bytes) -> Any:
    """A channels-last array in the op's own order."""
    return ctx.xp.moveaxis(x, -1, 1) if data_format in FIRST else x


def _groups(shape: Sequence[int], channels: int) -> int:
    inner, outer = shape[-2:]
    groups = channels // inner if inner else 1
    if inner * groups != channels or groups < 1 or outer % groups:
        raise RunError(f"filters of the shape {list(shape)} do not fit an input of {channels} channels")
    return groups


def _windows(
    shape: Sequence[int],
    filter_sizes: Sequence[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes,
    dilations: list[int],
    explicit: list[int] | None,
) -> Windows:
    rank = len(shape) - 2
    steps, gaps = spatial(strides, data_format, rank), spatial(dilations, data_format, rank)
    return plan(shape[1:-1], filter_sizes, steps, padding, gaps, explicit_pairs(explicit, data_format, rank))


def _conv(
    ctx: JaxContext,
    x: Any,
    filters: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Any:
    must_have(x, filters.ndim)
    inside = last(ctx, wide(x), data_format)
    windows = _windows(inside.shape, filters.shape[:-2], strides, padding, data_format, dilations, explicit_paddings)
    groups = _groups(filters.shape, inside.shape[-1])
    return given(ctx, as_format(ctx, convolve(ctx, inside, wide(filters), windows, groups), data_format))


def _conv3d(
    ctx: JaxContext,
    x: Any,
    filters: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
    dilations: list[int],
) -> Any:
    return _conv(ctx, x, filters, strides=strides, padding=padding, data_format=data_format, dilations=dilations)


def _conv_any(
    ctx: JaxContext,
    x: Any,
    filters: Any,
    *,
    strides: list[int],
    padding: bytes,
    explicit_paddings: list[int] | None = None,
    data_format: bytes = b"CHANNELS_LAST",
    dilations: list[int],
    batch_dims: int = 1,
    groups: int = 1,
) -> Any:
    """Of two or three dimensions, with several batch dimensions. `groups` follows from the shapes."""
    lead = x.shape[:batch_dims]
    flat = x.reshape(prod(lead), *x.shape[batch_dims:])
    made = _conv(
        ctx, flat, filters, strides=strides, padding=padding, data_format=data_format, dilations=dilations,
        explicit_paddings=explicit_paddings,
    )  # fmt: skip
    return made.reshape(*lead, *made.shape[1:])


def _depthwise(
    ctx: JaxContext,
    x: Any,
    filters: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Any:
    """Each channel with its own filters (H, W, C, M): output channel c * M + m."""
    must_have(x, 4)
    inside = last(ctx, wide(x), data_format)
    windows = _windows(inside.shape, filters.shape[:2], strides, padding, data_format, dilations, explicit_paddings)
    if filters.ndim != 4 or filters.shape[2] != inside.shape[-1]:
        raise RunError(f"filters of the shape {list(filters.shape)} do not fit {inside.shape[-1]} channels")
    h, w, c, m = filters.shape
    made = convolve(ctx, inside, wide(filters).reshape(h, w, 1, c * m), windows, c)
    return given(ctx, as_format(ctx, made, data_format))


def _backprop(
    ctx: JaxContext,
    input_sizes: Any,
    filters: Any,
    gradient: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Any:
    """The gradient of a convolution for its input, which is what a transposed convolution gives."""
    rank = filters.ndim - 2
    must_have(gradient, rank + 2)
    shape = _last_shape(sizes(input_sizes), data_format, rank, gradient, filters.shape[-2])
    windows = _windows(shape, filters.shape[:-2], strides, padding, data_format, dilations, explicit_paddings)
    back = last(ctx, wide(gradient), data_format)
    must_match(back, windows, filters.shape[-1])
    groups = _groups(filters.shape, shape[-1])
    if shape[0] != gradient.shape[0]:
        raise RunError(f"a gradient of {gradient.shape[0]} items was given for an input of {list(shape)}")
    return given(ctx, as_format(ctx, for_input(ctx, shape, wide(filters), back, windows, groups), data_format))


def _backprop_v2(
    ctx: JaxContext,
    x: Any,
    filters: Any,
    gradient: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Any:
    """Given the input itself, of which only the shape matters."""
    return _backprop(
        ctx, np.array(x.shape), filters, gradient, strides=strides, padding=padding, data_format=data_format,
        dilations=dilations, explicit_paddings=explicit_paddings,
    )  # fmt: skip


def _backprop_3d(
    ctx: JaxContext,
    input_sizes: Any,
    filters: Any,
    gradient: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
    dilations: list[int],
) -> Any:
    return _backprop(
        ctx, input_sizes, filters, gradient, strides=strides, padding=padding, data_format=data_format,
        dilations=dilations,
    )  # fmt: skip


def _backprop_3d_v1(
    ctx: JaxContext, x: Any, filters: Any, gradient: Any, *, strides: list[int], padding: bytes, dilations: list[int]
) -> Any:
    shape = np.array(x.shape)
    return _backprop_3d(ctx, shape, filters, gradient, strides=strides, padding=padding, dilations=dilations)


def _filter_backprop(
    ctx: JaxContext,
    x: Any,
    filter_sizes: Any,
    gradient: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Any:
    """(*sizes, C / groups, O)."""
    shape = sizes(filter_sizes)
    must_have(x, len(shape))
    must_have(gradient, len(shape))
    inside, back = last(ctx, wide(x), data_format), last(ctx, wide(gradient), data_format)
    windows = _windows(inside.shape, shape[:-2], strides, padding, data_format, dilations, explicit_paddings)
    must_match(back, windows, shape[-1])
    groups = _groups(shape, inside.shape[-1])
    if len(x) != len(gradient):
        raise RunError(f"a gradient of {len(gradient)} items was given for an input of {list(inside.shape)}")
    return given(ctx, for_filters(ctx, inside, shape, back, windows, groups))


def _filter_backprop_v2(
    ctx: JaxContext,
    x: Any,
    filters: Any,
    gradient: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Any:
    """Given the filters themselves, of which only the shape matters."""
    return _filter_backprop(
        ctx, x, np.array(filters.shape), gradient, strides=strides, padding=padding, data_format=data_format,
        dilations=dilations, explicit_paddings=explicit_paddings,
    )  # fmt: skip


def _filter_backprop_3d(
    ctx: JaxContext,
    x: Any,
    filter_sizes: Any,
    gradient: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
    dilations: list[int],
) -> Any:
    return _filter_backprop(
        ctx, x, filter_sizes, gradient, strides=strides, padding=padding, data_format=data_format, dilations=dilations
    )


def _filter_backprop_3d_v1(
    ctx: JaxContext, x: Any, filters: Any, gradient: Any, *, strides: list[int], padding: bytes, dilations: list[int]
) -> Any:
    shape = np.array(filters.shape)
    return _filter_backprop_3d(ctx, x, shape, gradient, strides=strides, padding=padding, dilations=dilations)


def _depthwise_backprop(
    ctx: JaxContext,
    input_sizes: Any,
    filters: Any,
    gradient: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Any:
    shape = _last_shape(sizes(input_sizes), data_format, 2, gradient, filters.shape[2])
    back = last(ctx, wide(gradient), data_format)
    windows = _windows(shape, filters.shape[:2], strides, padding, data_format, dilations, explicit_paddings)
    h, w, c, m = filters.shape
    must_match(back, windows, c * m)
    made = for_input(ctx, shape, wide(filters).reshape(h, w, 1, c * m), back, windows, c)
    return given(ctx, as_format(ctx, made, data_format))


def _depthwise_filter_backprop(
    ctx: JaxContext,
    x: Any,
    filter_sizes: Any,
    gradient: Any,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Any:
    shape = sizes(filter_sizes)
    must_have(x, 4)
    must_have(gradient, 4)
    inside, back = last(ctx, wide(x), data_format), last(ctx, wide(gradient), data_format)
    if len(shape) != 4 or shape[2] != inside.shape[-1] or len(x) != len(gradient):
        raise RunError(f"filters of the shape {list(shape)} do not fit an input of {list(inside.shape)}")
    windows = _windows(inside.shape, shape[:2], strides, padding, data_format, dilations, explicit_paddings)
    h, w, c, m = shape
    must_match(back, windows, c * m)
    return given(ctx, for_filters(ctx, inside, (h, w, 1, c * m), back, windows, c).reshape(shape))


def _pad_conv(
    ctx: JaxContext, x: Any, paddings: Any, filters: Any, *, mode: bytes, strides: list[int], padding: bytes
) -> Any:
    must_have(x, 4)
    made = mirror_pad(ctx, x, paddings, mode=mode)
    return _conv(ctx, made, filters, strides=strides, padding=padding, dilations=[])


def _resize_pad_conv(
    ctx: JaxContext,
    x: Any,
    size: Any,
    paddings: Any,
    filters: Any,
    *,
    resize_align_corners: bool = False,
    mode: bytes,
    strides: list[int],
    padding: bytes,
) -> Any:
    must_have(x, 4)
    made = mirror_pad(ctx, resized_bilinear(ctx, x, size, resize_align_corners, False), paddings, mode=mode)
    return _conv(ctx, made, filters, strides=strides, padding=padding, dilations=[])


RULES: dict[str, Rule] = {
    "Conv": _conv_any,
    "Conv2D": _conv,
    "Conv2DBackpropFilter": _filter_backprop,
    "Conv2DBackpropFilterV2": _filter_backprop_v2,
    "Conv2DBackpropInput": _backprop,
    "Conv2DBackpropInputV2": _backprop_v2,
    "Conv3D": _conv3d,
    "Conv3DBackpropFilter": _filter_backprop_3d_v1,
    "Conv3DBackpropFilterV2": _filter_backprop_3d,
    "Conv3DBackpropInput": _backprop_3d_v1,
    "Conv3DBackpropInputV2": _backprop_3d,
    "DepthwiseConv2dNative": _depthwise,
    "DepthwiseConv2dNativeBackpropFilter": _depthwise_filter_backprop,
    "DepthwiseConv2dNativeBackpropInput": _depthwise_backprop,
    "FusedPadConv2D": _pad_conv,
    "FusedResizeAndPadConv2D": _resize_pad_conv,
}
