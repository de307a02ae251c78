"""Pools and their gradients by `lax.reduce_window`, patches and morphology."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from ..numpy.pool_grads import CLOSE, _must_be
from ..numpy.reductions import finite_limits
from ..numpy.windows import FIRST, Windows, as_format, channels_last, explicit_pairs, padded, place, plan, spatial
from .context import JaxContext, check, sizes


def _planned(
    shape: Sequence[int],
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    data_format: bytes,
    explicit: Sequence[int] | None = None,
) -> Windows:
    rank = len(shape) - 2
    steps = spatial(strides, data_format, rank)
    return plan(shape[1:-1], spatial(ksize, data_format, rank), steps, padding, None,
                explicit_pairs(explicit, data_format, rank))  # fmt: skip


def _least(dtype: np.dtype[Any]) -> Any:
    return -np.inf if dtype.kind == "f" else finite_limits(dtype)[0]


def _reduced(ctx: JaxContext, x: Any, how: Any, start: Any, windows: Windows) -> Any:
    """Each window brought together; windows that stick out on the right of what there is count what they hold."""
    shape = (x.shape[0], *windows.out, x.shape[-1])
    if not prod(shape):
        return ctx.xp.zeros(shape, x.dtype)
    pairs = []
    for n, w, s, o, (a, _) in zip(
        x.shape[1:-1], windows.sizes, windows.strides, windows.out, windows.pairs, strict=True
    ):
        pairs.append((a, (o - 1) * s + w - n - a))
    sizes_, steps = (1, *windows.sizes, 1), (1, *windows.strides, 1)
    return ctx.lax.reduce_window(x, np.asarray(start, x.dtype), how, sizes_, steps, [(0, 0), *pairs, (0, 0)])


def _max(
    ctx: JaxContext, x: Any, ksize: Sequence[int], strides: Sequence[int], padding: bytes, data_format: bytes,
    explicit: list[int] | None = None,
) -> Any:  # fmt: skip
    inside = channels_last(wide(x), data_format)
    channels = 1 if data_format in FIRST else -1
    if ksize[channels] != 1:
        return given(ctx, as_format(_over_channels(inside, ksize, strides, channels), data_format))
    windows = _planned(inside.shape, ksize, strides, padding, data_format, explicit)
    made = _reduced(ctx, inside, ctx.lax.max, _least(inside.dtype), windows)
    return given(ctx, as_format(made, data_format))


def _over_channels(inside: Any, ksize: Sequence[int], strides: Sequence[int], channels: int) -> Any:
    """The largest of groups of channels that stand side by side."""
    size = ksize[channels]
    if sorted(ksize) != [1, 1, 1, size] or strides[channels] != size or inside.shape[-1] % size:
        raise RunError(f"windows of {list(ksize)} over {inside.shape[-1]} channels do not divide them")
    return inside.reshape(*inside.shape[:-1], inside.shape[-1] // size, size).max(-1)


def _counts(shape: Sequence[int], windows: Windows, dtype: Any) -> Any:
    """(1, *out, 1): how many elements of each window lie inside."""
    inside = padded(np.ones((1, *shape[1:-1], 1), bool), windows.pairs, False)
    return sum((inside[place(windows, at)].astype(dtype) for at in np.ndindex(*windows.sizes)), np.zeros((), dtype))


def _average(
    ctx: JaxContext, x: Any, ksize: Sequence[int], strides: Sequence[int], padding: bytes, data_format: bytes
) -> Any:
    """The mean of what of a window lies inside of the array."""
    inside = channels_last(wide(x), data_format)
    windows = _planned(inside.shape, ksize, strides, padding, data_format)
    sums = _reduced(ctx, inside, ctx.lax.add, 0, windows)
    return given(ctx, as_format(sums / _counts(inside.shape, windows, sums.dtype), data_format))


def _max_pool(
    ctx: JaxContext,
    x: Any,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
    explicit_paddings: list[int] | None = None,
) -> Any:
    return _max(ctx, x, ksize, strides, padding, data_format, explicit_paddings)


def _max_pool_v2(
    ctx: JaxContext, x: Any, ksize: Any, strides: Any, *, padding: bytes, data_format: bytes = b"NHWC"
) -> Any:
    return _max(ctx, x, sizes(ksize), sizes(strides), padding, data_format)


def _max_pool_3d(
    ctx: JaxContext, x: Any, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NDHWC"
) -> Any:
    return _max(ctx, x, ksize, strides, padding, data_format)


def _avg_pool(
    ctx: JaxContext, x: Any, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NHWC"
) -> Any:
    return _average(ctx, x, ksize, strides, padding, data_format)


def _avg_pool_3d(
    ctx: JaxContext, x: Any, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NDHWC"
) -> Any:
    return _average(ctx, x, ksize, strides, padding, data_format)


def around(ctx: JaxContext, x: Any, windows: Windows, value: Any = 0) -> Any:
    """(N, *sizes, C) with something around the sizes."""
    if not any(a or b for a, b in windows.pairs):
        return ctx.xp.asarray(x)
    pairs = [(0, 0, 0), *((a, b, 0) for a, b in windows.pairs), (0, 0, 0)]
    return ctx.lax.pad(x, ctx.xp.asarray(value, x.dtype), pairs)


class _Pool:
    """Windows over an array with the channels last, and where each of their elements lies."""

    def __init__(self, ctx: JaxContext, shape: Sequence[int], windows: Windows) -> None:
        self.ctx = ctx
        self.shape = tuple(shape)
        self.windows = windows
        self.inside = padded(np.ones((1, *shape[1:-1], 1), bool), windows.pairs, False)
        self.out = (shape[0], *windows.out, shape[-1])

    def must_match(self, *arrays: Any) -> None:
        for x in arrays:
            if x.shape != self.out:
                raise RunError(f"{list(x.shape)} (channels last) was given where the pool gives {list(self.out)}")

    def elements(self, *arrays: Any) -> Iterator[tuple[Any, ...]]:
        """For each element of the windows: its place, whether that is inside, and what arrays hold there."""
        held = [around(self.ctx, x, self.windows) for x in arrays]
        for at in np.ndindex(*self.windows.sizes):
            where = place(self.windows, at)
            yield (where, self.inside[where], *(x[where] for x in held))

    def spread(self, parts: Iterator[Any]) -> Any:
        """What each element of the windows gives, added up where it lies in the array. Pads are added, as XLA makes one
        pass of them; to scatter would take one for each element."""
        total = None
        for at, part in zip(np.ndindex(*self.windows.sizes), parts, strict=True):
            pairs = []
            for p, d, s, o, n, (a, _) in zip(
                at, self.windows.dilations, self.windows.strides, self.windows.out, self.shape[1:-1],
                self.windows.pairs, strict=True,
            ):  # fmt: skip
                start = p * d - a
                pairs.append((start, n - (start + (o - 1) * s + 1), s - 1))
            zero = self.ctx.xp.zeros((), part.dtype)
            laid = self.ctx.lax.pad(part, zero, [(0, 0, 0), *pairs, (0, 0, 0)])
            total = laid if total is None else total + laid
        return total


def _max_grad(
    ctx: JaxContext,
    x: Any,
    y: Any,
    gradient: Any,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    explicit_paddings: list[int] | None = None,
    data_format: bytes = b"NHWC",
) -> Any:
    """Each gradient goes to the place that its window took, the first of the largest."""
    inside, back = channels_last(wide(x), data_format), channels_last(wide(gradient), data_format)
    _must_be(4, inside, back, y)
    windows = _planned(inside.shape, ksize, strides, padding, data_format, explicit_paddings)
    pool = _Pool(ctx, inside.shape, windows)
    pool.must_match(back, channels_last(y, data_format))
    if not back.size:
        return ctx.xp.zeros(x.shape, ctx.dtype)
    xp = ctx.xp
    chosen, best = xp.full(pool.out, -1, np.int32), xp.zeros(pool.out, inside.dtype)
    for number, (_, within, value) in enumerate(pool.elements(inside)):
        better = within & ((chosen < 0) | (best < value))  # NaN is kept when it comes first, else passed over
        chosen, best = xp.where(better, np.int32(number), chosen), xp.where(better, value, best)
    count = prod(windows.sizes)
    parts = (xp.where(chosen == number, back, xp.zeros((), back.dtype)) for number in range(count))
    return given(ctx, as_format(pool.spread(parts), data_format))


def _max_grad_v2(
    ctx: JaxContext, x: Any, y: Any, gradient: Any, ksize: Any, strides: Any, *, padding: bytes,
    data_format: bytes = b"NHWC",
) -> Any:  # fmt: skip
    return _max_grad(
        ctx, x, y, gradient, ksize=list(sizes(ksize)), strides=list(sizes(strides)), padding=padding,
        data_format=data_format,
    )  # fmt: skip


def _picked(
    ctx: JaxContext,
    x: Any,
    y: Any,
    gradient: Any,
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    data_format: bytes,
    rank: int,
) -> Any:
    """The gradient at the first place of each window that holds what the pool gave, 0 where none does."""
    _must_be(rank, x, y, gradient)
    inside, out, back = (channels_last(array, data_format) for array in (x, y, gradient))
    if back.shape != inside.shape:
        raise RunError(f"a gradient of {list(back.shape)} was given for an input of {list(inside.shape)}")
    pool = _Pool(ctx, inside.shape, _planned(inside.shape, ksize, strides, padding, data_format))
    pool.must_match(out)
    made, found = ctx.xp.zeros(pool.out, back.dtype), ctx.xp.zeros(pool.out, bool)
    for _, within, value, part in pool.elements(inside, back):
        hit = within & (value == out) & ~found
        made = ctx.xp.where(hit, part, made)
        found = found | hit
    return given(ctx, as_format(made, data_format))


def _max_grad_grad(
    ctx: JaxContext, x: Any, y: Any, gradient: Any, *, ksize: list[int], strides: list[int], padding: bytes,
    data_format: bytes = b"NHWC",
) -> Any:  # fmt: skip
    return _picked(ctx, x, y, gradient, ksize, strides, padding, data_format, 4)


def _max_grad_grad_v2(
    ctx: JaxContext, x: Any, y: Any, gradient: Any, ksize: Any, strides: Any, *, padding: bytes,
    data_format: bytes = b"NHWC",
) -> Any:  # fmt: skip
    return _picked(ctx, x, y, gradient, sizes(ksize), sizes(strides), padding, data_format, 4)


def _max_grad_grad_3d(
    ctx: JaxContext, x: Any, y: Any, gradient: Any, *, ksize: list[int], strides: list[int], padding: bytes,
    data_format: bytes = b"NDHWC",
) -> Any:  # fmt: skip
    return _picked(ctx, x, y, gradient, ksize, strides, padding, data_format, 5)


def _max_grad_3d(
    ctx: JaxContext, x: Any, y: Any, gradient: Any, *, ksize: list[int], strides: list[int], padding: bytes,
    data_format: bytes = b"NDHWC",
) -> Any:  # fmt: skip
    """Unlike in pictures, every place that holds the largest gets the whole gradient."""
    _must_be(5, x, y, gradient)
    inside, out, back = (channels_last(wide(array), data_format) for array in (x, y, gradient))
    pool = _Pool(ctx, inside.shape, _planned(inside.shape, ksize, strides, padding, data_format))
    pool.must_match(out, back)
    if not back.size:
        return ctx.xp.zeros(x.shape, ctx.dtype)
    parts = (
        ctx.xp.where(within & (ctx.xp.abs(value - out) < CLOSE), back, ctx.xp.zeros((), back.dtype))
        for _, within, value in pool.elements(inside)
    )
    return given(ctx, as_format(pool.spread(parts), data_format))


def _average_grad(
    ctx: JaxContext, input_sizes: Any, gradient: Any, *, ksize: list[int], strides: list[int], padding: bytes,
    data_format: bytes = b"NHWC",
) -> Any:  # fmt: skip
    """Each gradient in equal parts to what of its window lies inside."""
    shape = sizes(input_sizes)
    _must_be(len(shape), gradient)
    turned = (shape[0], *shape[2:], shape[1]) if data_format in FIRST else shape
    windows = _planned(turned, ksize, strides, padding, data_format)
    pool = _Pool(ctx, turned, windows)
    back = channels_last(wide(gradient), data_format)
    pool.must_match(back)
    if not back.size:
        return ctx.xp.zeros(shape, ctx.dtype)
    part = back * (1 / _counts(turned, windows, back.dtype)).astype(back.dtype)
    zeros = ctx.jax.ShapeDtypeStruct(turned, back.dtype)
    made = ctx.jax.linear_transpose(lambda x: _reduced(ctx, x, ctx.lax.add, 0, windows), zeros)(part)[0]
    return given(ctx, as_format(made, data_format))


def _average_grad_3d(
    ctx: JaxContext, input_sizes: Any, gradient: Any, *, ksize: list[int], strides: list[int], padding: bytes,
    data_format: bytes = b"NDHWC",
) -> Any:  # fmt: skip
    return _average_grad(
        ctx, input_sizes, gradient, ksize=ksize, strides=strides, padding=padding, data_format=data_format
    )


def _max_pool_with_argmax(
    ctx: JaxContext, x: Any, *, ksize: list[int], strides: list[int], padding: bytes,
    include_batch_in_index: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """The largest of each window, the first of equal ones, and its place in the flat input."""
    xp = ctx.xp
    pool = _Pool(ctx, x.shape, _planned(x.shape, ksize, strides, padding, b"NHWC"))
    n, h, w, c = x.shape
    places = np.arange(n * h * w * c).reshape(x.shape)
    if not include_batch_in_index:
        places = places - (np.arange(n) * h * w * c).reshape(-1, 1, 1, 1)
    best, chosen = xp.zeros(pool.out, wide(x).dtype), xp.full(pool.out, -1)
    for _, within, value, number in pool.elements(wide(x), places):
        better = within & ((chosen < 0) | (value > best) | (xp.isnan(value) & ~xp.isnan(best)))
        best, chosen = xp.where(better, value, best), xp.where(better, number, chosen)
    return given(ctx, best), chosen.astype(ctx.kind(1))


def _flat_places(ctx: JaxContext, x: Any, argmax: Any, include_batch: bool) -> Any:
    each = prod(x.shape[1:])
    places = argmax.astype(np.int64)
    if not include_batch:
        places = places + (np.arange(len(places)) * each).reshape(-1, *[1] * (argmax.ndim - 1))
    check((places < 0) | (places >= x.size), f"a place is outside of the {x.size} elements of the input")
    return places


def _max_grad_with_argmax(
    ctx: JaxContext, x: Any, gradient: Any, argmax: Any, *, ksize: list[int], strides: list[int], padding: bytes,
    include_batch_in_index: bool = False,
) -> Any:  # fmt: skip
    _Pool(ctx, x.shape, _planned(x.shape, ksize, strides, padding, b"NHWC")).must_match(gradient, argmax)
    places = _flat_places(ctx, x, argmax, include_batch_in_index).reshape(-1)
    made = ctx.xp.zeros(x.size, wide(gradient).dtype).at[places].add(wide(gradient).reshape(-1), mode="drop")
    return given(ctx, made.reshape(x.shape))


def _max_grad_grad_with_argmax(
    ctx: JaxContext, x: Any, gradient: Any, argmax: Any, *, ksize: list[int], strides: list[int], padding: bytes,
    include_batch_in_index: bool = False,
) -> Any:  # fmt: skip
    _Pool(ctx, x.shape, _planned(x.shape, ksize, strides, padding, b"NHWC")).must_match(argmax)
    if gradient.shape != x.shape:
        raise RunError(f"a gradient of {list(gradient.shape)} was given for an input of {list(x.shape)}")
    flat = ctx.xp.asarray(gradient).reshape(-1)
    return given(ctx, flat[_flat_places(ctx, x, argmax, include_batch_in_index)])


def _laid(ctx: JaxContext, x: Any, windows: Windows, value: Any = 0) -> Any:
    """(N, *out, windows, C): each window laid out."""
    held = around(ctx, x, windows, value)
    return ctx.xp.stack([held[place(windows, at)] for at in np.ndindex(*windows.sizes)], -2)


def _image_patches(
    ctx: JaxContext, images: Any, *, ksizes: list[int], strides: list[int], rates: list[int], padding: bytes
) -> Any:
    rank = images.ndim - 2
    sizes_, steps, gaps = (spatial(values, b"NHWC", rank) for values in (ksizes, strides, rates))
    windows = plan(images.shape[1:-1], sizes_, steps, padding, gaps)
    shape = (images.shape[0], *windows.out, prod(windows.sizes) * images.shape[-1])
    if not prod(shape):
        return ctx.xp.zeros(shape, images.dtype)
    return _laid(ctx, images, windows).reshape(shape)


def _volume_patches(ctx: JaxContext, x: Any, *, ksizes: list[int], strides: list[int], padding: bytes) -> Any:
    return _image_patches(ctx, x, ksizes=ksizes, strides=strides, rates=[1] * x.ndim, padding=padding)


def _dilation(ctx: JaxContext, x: Any, filters: Any, *, strides: list[int], rates: list[int], padding: bytes) -> Any:
    """The largest sum of a window and the filter (H, W, C)."""
    if filters.ndim != 3 or x.ndim != 4 or filters.shape[-1] != x.shape[-1]:
        raise RunError(f"filters of the shape {list(filters.shape)} do not fit {list(x.shape)}")
    values, weights = wide(x), wide(filters)
    windows = plan(x.shape[1:-1], filters.shape[:2], spatial(strides, b"NHWC", 2), padding, spatial(rates, b"NHWC", 2))
    least = np.asarray(_least(values.dtype), values.dtype)
    pool = _Pool(ctx, x.shape, windows)
    made = ctx.xp.full(pool.out, least, values.dtype)
    for at, (_, within, value) in zip(np.ndindex(*windows.sizes), pool.elements(values), strict=True):
        made = ctx.xp.maximum(made, ctx.xp.where(within, value + weights[at], least))
    return given(ctx, made)


RULES: dict[str, Rule] = {
    "AvgPool": _avg_pool,
    "AvgPool3D": _avg_pool_3d,
    "AvgPool3DGrad": _average_grad_3d,
    "AvgPoolGrad": _average_grad,
    "Dilation2D": _dilation,
    "ExtractImagePatches": _image_patches,
    "ExtractVolumePatches": _volume_patches,
    "MaxPool": _max_pool,
    "MaxPool3D": _max_pool_3d,
    "MaxPool3DGrad": _max_grad_3d,
    "MaxPool3DGradGrad": _max_grad_grad_3d,
    "MaxPoolGrad": _max_grad,
    "MaxPoolGradGrad": _max_grad_grad,
    "MaxPoolGradGradV2": _max_grad_grad_v2,
    "MaxPoolGradGradWithArgmax": _max_grad_grad_with_argmax,
    "MaxPoolGradV2": _max_grad_v2,
    "MaxPoolGradWithArgmax": _max_grad_with_argmax,
    "MaxPoolV2": _max_pool_v2,
    "MaxPoolWithArgmax": _max_pool_with_argmax,
}
