"""Convolutions and pools of any number of dimensions: windows as a strided view, then one matrix product or reduction.

Padding: VALID none; SAME so that the output has ceil(size / stride) elements, the odd one at the end; EXPLICIT as
given. Sizes are in channels-last order inside; channels-first arrays are viewed as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import wide

BLOCK = 1 << 24
"""Elements of windows that are laid out at a time."""

Pairs = list[tuple[int, int]]


def channels_last(x: Array, data_format: bytes) -> Array:
    """A view with the channels last."""
    if data_format in (b"NHWC", b"NDHWC", b"NWC"):
        return x
    if data_format in (b"NCHW", b"NCDHW", b"NCW"):
        return np.moveaxis(x, 1, -1)
    raise RunError(f"the data format {data_format.decode()} is not supported")


def as_format(x: Array, data_format: bytes) -> Array:
    """A channels-last array in the op's own order."""
    return np.moveaxis(x, -1, 1) if data_format in (b"NCHW", b"NCDHW", b"NCW") else x


def spatial(values: Sequence[int], data_format: bytes) -> list[int]:
    """The entries of an attribute that speak of height, width ..."""
    if not values:
        return []
    return list(values[2:] if data_format.startswith(b"NC") else values[1:-1])


def paddings(
    padding: bytes, sizes: Sequence[int], windows: Sequence[int], strides: Sequence[int], explicit: Sequence[int]
) -> Pairs:
    """How much is added before and after each spatial size; `windows` are the sizes of dilated windows."""
    if padding == b"VALID":
        return [(0, 0)] * len(sizes)
    if padding == b"SAME":
        found = []
        for size, window, stride in zip(sizes, windows, strides, strict=True):
            total = max((-(-size // stride) - 1) * stride + window - size, 0)
            found.append((total // 2, total - total // 2))
        return found
    if padding == b"EXPLICIT":
        return [(explicit[2 * i], explicit[2 * i + 1]) for i in range(len(sizes))]
    raise RunError(f"the padding {padding.decode()} is not supported")


def _explicit(explicit: Sequence[int], data_format: bytes) -> list[int]:
    if not explicit:
        return []
    return list(explicit[4:] if data_format.startswith(b"NC") else explicit[2:-2])


def view_of_windows(x: Array, windows: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Array:
    """(N, *out, C, *windows) as a view of the padded x (N, *sizes, C)."""
    spans = [(w - 1) * d + 1 for w, d in zip(windows, dilations, strict=True)]
    rank = len(windows)
    if any(size < span for size, span in zip(x.shape[1:-1], spans, strict=True)):
        out = [max(0, (n - s) // t + 1) for n, s, t in zip(x.shape[1:-1], spans, strides, strict=True)]
        return np.zeros((x.shape[0], *out, x.shape[-1], *windows), x.dtype)
    view = np.lib.stride_tricks.sliding_window_view(x, spans, axis=tuple(range(1, rank + 1)))
    outer = tuple(slice(None, None, stride) for stride in strides)
    inner = tuple(slice(None, None, dilation) for dilation in dilations)
    found: Array = view[(slice(None), *outer, slice(None), *inner)]
    return found


def _padded(x: Array, pairs: Pairs, value: Any = 0) -> Array:
    if not any(a or b for a, b in pairs):
        return x
    return np.pad(x, [(0, 0), *pairs, (0, 0)], constant_values=value)


def convolve(x: Array, filters: Array, strides: Sequence[int], dilations: Sequence[int], pairs: Pairs) -> Array:
    """(N, *out, O) from x (N, *sizes, C) and filters (*windows, C / groups, O)."""
    windows, (inner, outer) = filters.shape[:-2], filters.shape[-2:]
    groups = x.shape[-1] // inner if inner else 1
    if inner * groups != x.shape[-1] or outer % max(groups, 1):
        raise RunError(f"filters of {inner} channels do not fit an input of {x.shape[-1]}")
    padded = _padded(x, pairs)
    if groups > 1:
        parts = [
            _product(padded[..., g * inner : (g + 1) * inner], part, windows, strides, dilations)
            for g, part in enumerate(np.split(filters, groups, -1))
        ]
        return np.concatenate(parts, -1)
    return _product(padded, filters, windows, strides, dilations)


def _product(
    x: Array, filters: Array, windows: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Array:
    if all(w == 1 for w in windows):
        taken = x[(slice(None), *(slice(None, None, s) for s in strides))]
        return taken @ filters.reshape(filters.shape[-2:])
    view = view_of_windows(x, windows, strides, dilations)
    n, out = view.shape[0], view.shape[1 : 1 + len(windows)]
    depth = prod(windows) * x.shape[-1]
    # The view has (C, *windows) at the end, filters have (*windows, C): the filters are the smaller to turn.
    matrix = np.ascontiguousarray(np.moveaxis(filters, -2, 0)).reshape(depth, filters.shape[-1])
    made = np.empty((n, *out, filters.shape[-1]), np.result_type(x, filters))
    rows = max(1, BLOCK // max(1, depth * prod(out[1:])))
    for item in range(n):
        for start in range(0, out[0], rows):
            block = view[item, start : start + rows]
            made[item, start : start + rows] = (
                block.reshape(-1, depth).dot(matrix).reshape(*block.shape[: len(windows)], filters.shape[-1])
            )
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
    last = channels_last(wide(x), data_format)
    steps, gaps = spatial(strides, data_format), spatial(dilations, data_format) or [1] * (x.ndim - 2)
    spans = [(w - 1) * d + 1 for w, d in zip(filters.shape[:-2], gaps, strict=True)]
    pairs = paddings(padding, last.shape[1:-1], spans, steps, _explicit(explicit_paddings or [], data_format))
    made = convolve(last, wide(filters), steps, gaps, pairs)
    return as_format(made, data_format).astype(ctx.dtype, copy=False)


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
    last = channels_last(wide(x), data_format)
    steps, gaps = spatial(strides, data_format), spatial(dilations, data_format) or [1, 1]
    windows, multiplier = filters.shape[:2], filters.shape[3]
    spans = [(w - 1) * d + 1 for w, d in zip(windows, gaps, strict=True)]
    pairs = paddings(padding, last.shape[1:-1], spans, steps, _explicit(explicit_paddings or [], data_format))
    padded = _padded(last, pairs)
    out = [max(0, (n - s) // t + 1) for n, s, t in zip(padded.shape[1:-1], spans, steps, strict=True)]
    weights = wide(filters)
    made = np.zeros((last.shape[0], *out, last.shape[-1], multiplier), weights.dtype)
    for i in range(windows[0]):  # as many passes as the window has places: few, and each is one product
        for j in range(windows[1]):
            rows = slice(i * gaps[0], i * gaps[0] + (out[0] - 1) * steps[0] + 1, steps[0])
            columns = slice(j * gaps[1], j * gaps[1] + (out[1] - 1) * steps[1] + 1, steps[1])
            made += padded[:, rows, columns, :, None] * weights[i, j]
    return as_format(made.reshape(*made.shape[:-2], -1), data_format).astype(ctx.dtype, copy=False)


def transposed_convolution(
    sizes: Sequence[int],
    filters: Array,
    gradient: Array,
    strides: Sequence[int],
    dilations: Sequence[int],
    pairs: Pairs,
) -> Array:
    """What a convolution would have taken in: (N, *sizes, C) from filters (*windows, C, O) and gradient (N, *out,
    O)."""
    windows = filters.shape[:-2]
    padded = [size + a + b for size, (a, b) in zip(sizes, pairs, strict=True)]
    groups = gradient.shape[-1] // filters.shape[-1] if filters.shape[-1] else 1
    made = np.zeros((gradient.shape[0], *padded, filters.shape[-2] * max(groups, 1)), np.result_type(filters, gradient))
    for place in np.ndindex(*windows):
        box = tuple(
            slice(p * d, p * d + (n - 1) * s + 1, s)
            for p, d, n, s in zip(place, dilations, gradient.shape[1:-1], strides, strict=True)
        )
        made[(slice(None), *box)] += gradient @ filters[place].T
    inside = tuple(slice(a, a + size) for size, (a, _) in zip(sizes, pairs, strict=True))
    return made[(slice(None), *inside)]


def _conv_backprop(
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
    shape = [int(n) for n in sizes]
    if len(shape) == filters.ndim - 2:  # only the spatial sizes were given
        inner = shape
    else:
        inner = shape[2:] if data_format.startswith(b"NC") else shape[1:-1]
    last = channels_last(wide(gradient), data_format)
    steps, gaps = spatial(strides, data_format), spatial(dilations, data_format) or [1] * len(inner)
    spans = [(w - 1) * d + 1 for w, d in zip(filters.shape[:-2], gaps, strict=True)]
    pairs = paddings(padding, inner, spans, steps, _explicit(explicit_paddings or [], data_format))
    made = transposed_convolution(inner, wide(filters), last, steps, gaps, pairs)
    return as_format(made, data_format).astype(ctx.dtype, copy=False)


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
    return _conv_backprop(
        ctx, sizes, filters, gradient, strides=strides, padding=padding, data_format=data_format, dilations=dilations
    )


def _pool(
    ctx: Context, x: Array, ksize: Sequence[int], strides: Sequence[int], padding: bytes, data_format: bytes,
    explicit: Sequence[int], is_max: bool,
) -> Array:  # fmt: skip
    last = channels_last(x, data_format)
    over_channels = ksize[1] if data_format.startswith(b"NC") else ksize[-1]
    if over_channels != 1:
        if not is_max:
            raise RunError("averages over channels are not taken; TensorFlow has no kernel for them either")
        return np.asarray(last.reshape(*last.shape[:-1], last.shape[-1] // over_channels, over_channels).max(-1))
    windows, steps = spatial(ksize, data_format), spatial(strides, data_format)
    pairs = paddings(padding, last.shape[1:-1], windows, steps, _explicit(explicit, data_format))
    ones = [1] * len(windows)
    axis = tuple(range(-len(windows), 0))
    if is_max:
        lowest = -np.inf if last.dtype.kind == "f" or last.dtype.name == "bfloat16" else np.iinfo(last.dtype).min
        made = view_of_windows(_padded(last, pairs, lowest), windows, steps, ones).max(axis)
    else:
        total = view_of_windows(_padded(wide(last), pairs), windows, steps, ones).sum(axis)
        inside = _padded(np.ones((1, *last.shape[1:-1], 1), total.dtype), pairs)
        made = total / view_of_windows(inside, windows, steps, ones).sum(axis)
    return as_format(made, data_format).astype(ctx.dtype, copy=False)


def _max_pool(
    ctx: Context,
    x: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    explicit_paddings: list[int] | None = None,
) -> Array:
    return _pool(ctx, x, ksize, strides, padding, data_format, explicit_paddings or [], True)


def _max_pool_v2(
    ctx: Context, x: Array, ksize: Array, strides: Array, *, padding: bytes, data_format: bytes = b"NHWC"
) -> Array:
    return _pool(ctx, x, [int(k) for k in ksize], [int(s) for s in strides], padding, data_format, [], True)


def _avg_pool(
    ctx: Context, x: Array, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NHWC"
) -> Array:
    return _pool(ctx, x, ksize, strides, padding, data_format, [], False)


def _max_pool_3d(
    ctx: Context, x: Array, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NDHWC"
) -> Array:
    return _pool(ctx, x, ksize, strides, padding, data_format, [], True)


def _avg_pool_3d(
    ctx: Context, x: Array, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NDHWC"
) -> Array:
    return _pool(ctx, x, ksize, strides, padding, data_format, [], False)


def _max_pool_with_argmax(
    ctx: Context,
    x: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    include_batch_in_index: bool = False,
) -> tuple[Array, Array]:
    """The largest of each window and its place in the flat input."""
    windows, steps = ksize[1:3], strides[1:3]
    pairs = paddings(padding, x.shape[1:-1], windows, steps, [])
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    n, h, w, c = x.shape
    places = np.arange(n * h * w * c).reshape(x.shape)
    if not include_batch_in_index:
        places = places - (np.arange(n) * h * w * c).reshape(-1, 1, 1, 1)
    values = view_of_windows(_padded(x, pairs, lowest), windows, steps, [1, 1])
    where = view_of_windows(_padded(places, pairs, -1), windows, steps, [1, 1])
    flat, flat_where = values.reshape(*values.shape[:4], -1), where.reshape(*where.shape[:4], -1)
    inside = np.where(flat_where >= 0, flat, lowest)
    best = inside.argmax(-1)[..., None]
    first_inside = (flat_where >= 0).argmax(-1)[..., None]
    best = np.where(np.take_along_axis(flat_where, best, -1) >= 0, best, first_inside)
    index_dtype = ctx.output_dtypes[1].numpy
    return (
        np.take_along_axis(flat, best, -1)[..., 0],
        np.take_along_axis(flat_where, best, -1)[..., 0].astype(index_dtype),
    )


RULES: dict[str, Rule] = {
    "AvgPool": _avg_pool,
    "AvgPool3D": _avg_pool_3d,
    "Conv2D": _conv,
    "Conv2DBackpropInput": _conv_backprop,
    "Conv3D": _conv3d,
    "Conv3DBackpropInputV2": _conv3d_backprop,
    "DepthwiseConv2dNative": _depthwise,
    "MaxPool": _max_pool,
    "MaxPool3D": _max_pool_3d,
    "MaxPoolV2": _max_pool_v2,
    "MaxPoolWithArgmax": _max_pool_with_argmax,
}
