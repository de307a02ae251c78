"""Gradients of convolutions for their filters, and the newest forms that are given tensors in place of sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import sizes_of
from .context import Context, Rule
from .convolutions import conv_backprop, must_have, must_match
from .elementwise import given, wide
from .windows import Windows, channels_last, explicit_pairs, padded, place, plan, spatial


def _planned(
    last: Array,
    sizes: Sequence[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes,
    dilations: list[int],
    explicit: list[int] | None,
) -> Windows:
    rank = last.ndim - 2
    steps, gaps = spatial(strides, data_format, rank), spatial(dilations, data_format, rank)
    return plan(last.shape[1:-1], sizes, steps, padding, gaps, explicit_pairs(explicit, data_format, rank))


def _filter_backprop(
    ctx: Context,
    x: Array,
    filter_sizes: Array,
    gradient: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Array:
    """(*sizes, C / groups, O): what each element of the filters was multiplied with, times the gradient there."""
    shape = sizes_of(filter_sizes)
    must_have(x, len(shape))
    must_have(gradient, len(shape))
    last = channels_last(wide(x), data_format)
    back = np.ascontiguousarray(channels_last(wide(gradient), data_format))
    windows = _planned(last, shape[:-2], strides, padding, data_format, dilations, explicit_paddings)
    must_match(back, windows, shape[-1])
    inner, outer = shape[-2:]
    groups = last.shape[-1] // inner if inner else 1
    if inner * groups != last.shape[-1] or groups < 1 or outer % groups or len(x) != len(gradient):
        raise RunError(f"filters of the shape {list(shape)} do not fit an input of {list(last.shape)}")
    around = padded(last, windows.pairs)
    each = outer // groups
    made = np.zeros(shape, last.dtype)
    for at in np.ndindex(*windows.sizes):
        met = around[place(windows, at)].reshape(-1, groups, inner)
        made[at] = np.einsum("ngi,ngo->igo", met, back.reshape(-1, groups, each), optimize=True).reshape(inner, outer)
    return given(ctx, made)


def _filter_backprop_v2(
    ctx: Context,
    x: Array,
    filters: Array,
    gradient: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Array:
    """Given the filters themselves, of which only the shape matters."""
    return _filter_backprop(
        ctx, x, np.array(filters.shape), gradient, strides=strides, padding=padding, data_format=data_format,
        dilations=dilations, explicit_paddings=explicit_paddings,
    )  # fmt: skip


def _input_backprop_v2(
    ctx: Context,
    x: Array,
    filters: Array,
    gradient: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Array:
    """Given the input itself, of which only the shape matters."""
    return conv_backprop(
        ctx, np.array(x.shape), filters, gradient, strides=strides, padding=padding, data_format=data_format,
        dilations=dilations, explicit_paddings=explicit_paddings,
    )  # fmt: skip


def _filter_backprop_3d(
    ctx: Context,
    x: Array,
    filter_sizes: Array,
    gradient: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
    dilations: list[int],
) -> Array:
    return _filter_backprop(
        ctx, x, filter_sizes, gradient, strides=strides, padding=padding, data_format=data_format, dilations=dilations
    )


def _filter_backprop_3d_v1(
    ctx: Context, x: Array, filters: Array, gradient: Array, *, strides: list[int], padding: bytes, dilations: list[int]
) -> Array:
    sizes = np.array(filters.shape)
    return _filter_backprop_3d(ctx, x, sizes, gradient, strides=strides, padding=padding, dilations=dilations)


def _depthwise_filter_backprop(
    ctx: Context,
    x: Array,
    filter_sizes: Array,
    gradient: Array,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    dilations: list[int],
    explicit_paddings: list[int] | None = None,
) -> Array:
    """(H, W, C, M) of a convolution by channel."""
    shape = sizes_of(filter_sizes)
    must_have(x, 4)
    must_have(gradient, 4)
    last, back = channels_last(wide(x), data_format), channels_last(wide(gradient), data_format)
    if len(shape) != 4 or shape[2] != last.shape[-1] or len(x) != len(gradient):
        raise RunError(f"filters of the shape {list(shape)} do not fit an input of {list(last.shape)}")
    windows = _planned(last, shape[:2], strides, padding, data_format, dilations, explicit_paddings)
    must_match(back, windows, shape[2] * shape[3])
    around = padded(last, windows.pairs)
    split = back.reshape(*back.shape[:-1], *shape[2:])
    made = np.zeros(shape, last.dtype)
    for at in np.ndindex(*windows.sizes):
        made[at] = np.einsum("nhwc,nhwcm->cm", around[place(windows, at)], split)
    return given(ctx, made)


RULES: dict[str, Rule] = {
    "Conv2DBackpropFilter": _filter_backprop,
    "Conv2DBackpropFilterV2": _filter_backprop_v2,
    "Conv2DBackpropInputV2": _input_backprop_v2,
    "Conv3DBackpropFilter": _filter_backprop_3d_v1,
    "Conv3DBackpropFilterV2": _filter_backprop_3d,
    "DepthwiseConv2dNativeBackpropFilter": _depthwise_filter_backprop,
}
