"""Pools: the largest or the mean of each window, one axis after the other where that is the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .choosing import index_dtype
from .context import Context, Rule
from .elementwise import given, wide
from .reductions import finite_limits
from .windows import FIRST, Windows, as_format, channels_last, explicit_pairs, padded, plan, spatial, view


def _least(dtype: np.dtype[Any]) -> Any:
    return -np.inf if dtype.kind == "f" else finite_limits(dtype)[0]


def _along(function: Any, x: Array, axis: int, size: int, stride: int, out: int) -> Array:
    """Each run of `size` elements of an axis brought together by a ufunc."""
    moved = np.moveaxis(x, axis, 0)
    made = moved[: (out - 1) * stride + 1 : stride].copy() if out else moved[:0].copy()
    for i in range(1, size):
        if out:
            function(made, moved[i : i + (out - 1) * stride + 1 : stride], out=made)
    return np.moveaxis(made, 0, axis)


def _windowed(function: Any, x: Array, windows: Windows) -> Array:
    for axis, (size, stride, out) in enumerate(zip(windows.sizes, windows.strides, windows.out, strict=True)):
        x = _along(function, x, axis + 1, size, stride, out)
    return x


def _planned(
    last: Array, ksize: Sequence[int], strides: Sequence[int], padding: bytes, data_format: bytes, explicit: list[int]
) -> Windows:
    rank = last.ndim - 2
    steps = spatial(strides, data_format, rank)
    return plan(last.shape[1:-1], spatial(ksize, data_format, rank), steps, padding, None,
                explicit_pairs(explicit, data_format, rank))  # fmt: skip


def _max(
    ctx: Context, x: Array, ksize: Sequence[int], strides: Sequence[int], padding: bytes, data_format: bytes,
    explicit: list[int] | None = None,
) -> Array:  # fmt: skip
    last = channels_last(wide(x), data_format)
    channels = 1 if data_format in FIRST else -1
    if ksize[channels] != 1:
        return given(ctx, as_format(_over_channels(last, ksize, strides, channels), data_format))
    windows = _planned(last, ksize, strides, padding, data_format, explicit or [])
    made = _windowed(np.maximum, padded(last, windows.pairs, _least(last.dtype)), windows)
    return given(ctx, as_format(made, data_format))


def _over_channels(last: Array, ksize: Sequence[int], strides: Sequence[int], channels: int) -> Array:
    """The largest of groups of channels that stand side by side."""
    size = ksize[channels]
    if sorted(ksize) != [1, 1, 1, size] or strides[channels] != size or last.shape[-1] % size:
        raise RunError(f"windows of {list(ksize)} over {last.shape[-1]} channels do not divide them")
    return np.asarray(last.reshape(*last.shape[:-1], last.shape[-1] // size, size).max(-1))


def _average(
    ctx: Context, x: Array, ksize: Sequence[int], strides: Sequence[int], padding: bytes, data_format: bytes
) -> Array:
    """The mean of what of a window lies inside of the array."""
    last = channels_last(wide(x), data_format)
    windows = _planned(last, ksize, strides, padding, data_format, [])
    sums = _windowed(np.add, padded(last, windows.pairs), windows)
    ones = np.ones((1, *last.shape[1:-1], 1), sums.dtype)
    counts = _windowed(np.add, padded(ones, windows.pairs), windows)
    return given(ctx, as_format(sums / counts, data_format))


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
    return _max(ctx, x, ksize, strides, padding, data_format, explicit_paddings)


def _max_pool_v2(
    ctx: Context, x: Array, ksize: Array, strides: Array, *, padding: bytes, data_format: bytes = b"NHWC"
) -> Array:
    return _max(ctx, x, ksize.tolist(), strides.tolist(), padding, data_format)


def _max_pool_3d(
    ctx: Context, x: Array, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NDHWC"
) -> Array:
    return _max(ctx, x, ksize, strides, padding, data_format)


def _avg_pool(
    ctx: Context, x: Array, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NHWC"
) -> Array:
    return _average(ctx, x, ksize, strides, padding, data_format)


def _avg_pool_3d(
    ctx: Context, x: Array, *, ksize: list[int], strides: list[int], padding: bytes, data_format: bytes = b"NDHWC"
) -> Array:
    return _average(ctx, x, ksize, strides, padding, data_format)


def _max_pool_with_argmax(
    ctx: Context,
    x: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    include_batch_in_index: bool = False,
) -> tuple[Array, Array]:
    """The largest of each window, the first of equal ones, and its place in the flat input."""
    windows = _planned(x, ksize, strides, padding, b"NHWC", [])
    n, h, w, c = x.shape
    places = np.arange(n * h * w * c).reshape(x.shape)
    if not include_batch_in_index:
        places = places - (np.arange(n) * h * w * c).reshape(-1, 1, 1, 1)
    least = _least(wide(x).dtype)
    values = view(np.ascontiguousarray(padded(wide(x), windows.pairs, least)), windows)
    where = view(np.ascontiguousarray(padded(places, windows.pairs, -1)), windows)
    shape = (*values.shape[:3], -1, c)
    flat, flat_where = values.reshape(shape), where.reshape(shape)
    # A padded place is never chosen, not even among values as small as its own.
    best = np.where(flat_where >= 0, flat, least).argmax(3)
    first_inside = (flat_where >= 0).argmax(3)
    picked = np.take_along_axis(flat_where, best[..., None, :], 3)[..., 0, :]
    best = np.where(picked >= 0, best, first_inside)[..., None, :]
    largest = np.take_along_axis(flat, best, 3)[..., 0, :]
    return given(ctx, largest), np.take_along_axis(flat_where, best, 3)[..., 0, :].astype(index_dtype(ctx))


RULES: dict[str, Rule] = {
    "AvgPool": _avg_pool,
    "AvgPool3D": _avg_pool_3d,
    "MaxPool": _max_pool,
    "MaxPool3D": _max_pool_3d,
    "MaxPoolV2": _max_pool_v2,
    "MaxPoolWithArgmax": _max_pool_with_argmax,
}
