"""Gradients of pools, and the gradients of those of the largest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import sizes_of
from .context import Context, Rule
from .elementwise import given, wide
from .windows import Windows, as_format, channels_last, explicit_pairs, padded, place, plan, spatial

CLOSE = 1e-5
"""How near to the largest a value of a volume must be to count as it."""


class _Pool:
    """Windows over an array with the channels last, and where each of their elements lies."""

    def __init__(
        self,
        shape: Sequence[int],
        ksize: Sequence[int],
        strides: Sequence[int],
        padding: bytes,
        data_format: bytes,
        explicit: Sequence[int] | None = None,
    ) -> None:
        rank = len(shape) - 2
        pairs = explicit_pairs(explicit, data_format, rank)
        steps = spatial(strides, data_format, rank)
        self.shape = tuple(shape)
        self.windows: Windows = plan(
            shape[1:-1], spatial(ksize, data_format, rank), steps, padding, explicit=pairs
        )  # fmt: skip
        self.inside = padded(np.ones((1, *shape[1:-1], 1), bool), self.windows.pairs, False)

    @property
    def out(self) -> tuple[int, ...]:
        """The shape of the pool's output."""
        return (self.shape[0], *self.windows.out, self.shape[-1])

    def must_match(self, *arrays: Array) -> None:
        """RunError for arrays that do not have the shape of the output."""
        for x in arrays:
            if x.shape != self.out:
                raise RunError(f"{list(x.shape)} (channels last) was given where the pool gives {list(self.out)}")

    def elements(self, *arrays: Array) -> Iterator[tuple[Any, ...]]:
        """For each element of the windows: its place, whether that is inside, and what arrays hold there."""
        around = [padded(x, self.windows.pairs) for x in arrays]
        for at in np.ndindex(*self.windows.sizes):
            where = place(self.windows, at)
            yield (where, self.inside[where], *(x[where] for x in around))

    def spread(self, dtype: Any) -> tuple[Array, Array]:
        """Zeros with room for the padding, and the part of them that is the array itself."""
        sizes = [n + a + b for n, (a, b) in zip(self.shape[1:-1], self.windows.pairs, strict=True)]
        room = np.zeros((self.shape[0], *sizes, self.shape[-1]), dtype)
        own = (slice(a, a + n) for n, (a, _) in zip(self.shape[1:-1], self.windows.pairs, strict=True))
        return room, room[(slice(None), *own)]


def _largest(pool: _Pool, x: Array) -> Array:
    """The number of the window's element that a pool takes: the first of the largest."""
    chosen = np.full(pool.out, -1)
    best = np.zeros(pool.out, x.dtype)
    for number, (_, inside, value) in enumerate(pool.elements(x)):
        better = inside & ((chosen < 0) | (best < value))  # NaN is kept when it comes first, else passed over
        chosen[better], best[better] = number, value[better]
    return chosen


def _max_grad(
    ctx: Context,
    x: Array,
    y: Array,
    gradient: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    explicit_paddings: list[int] | None = None,
    data_format: bytes = b"NHWC",
) -> Array:
    """Each gradient goes to the place that its window took."""
    last, back = channels_last(wide(x), data_format), channels_last(wide(gradient), data_format)
    _must_be(4, last, back, y)
    pool = _Pool(last.shape, ksize, strides, padding, data_format, explicit_paddings)
    pool.must_match(back, channels_last(y, data_format))
    chosen = _largest(pool, last)
    room, own = pool.spread(back.dtype)
    for number, (where, _) in enumerate(pool.elements()):
        room[where] += np.where(chosen == number, back, back.dtype.type(0))
    return given(ctx, as_format(own, data_format))


def _must_be(rank: int, *arrays: Array) -> None:
    if any(x.ndim != rank for x in arrays):
        raise RunError(f"tensors of {[x.ndim for x in arrays]} dimensions were given where {rank} are taken")


def _max_grad_v2(
    ctx: Context,
    x: Array,
    y: Array,
    gradient: Array,
    ksize: Array,
    strides: Array,
    *,
    padding: bytes,
    data_format: bytes = b"NHWC",
) -> Array:
    return _max_grad(
        ctx, x, y, gradient, ksize=ksize.tolist(), strides=strides.tolist(), padding=padding, data_format=data_format
    )


def _max_grad_grad(
    ctx: Context,
    x: Array,
    y: Array,
    gradient: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
) -> Array:
    """The gradient at the first place of each window that holds what the pool gave, 0 where none does."""
    return _picked(ctx, x, y, gradient, ksize, strides, padding, data_format, 4)


def _picked(
    ctx: Context,
    x: Array,
    y: Array,
    gradient: Array,
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    data_format: bytes,
    rank: int,
) -> Array:
    _must_be(rank, x, y, gradient)
    last, out, back = (channels_last(array, data_format) for array in (x, y, gradient))
    if back.shape != last.shape:
        raise RunError(f"a gradient of {list(back.shape)} was given for an input of {list(last.shape)}")
    pool = _Pool(last.shape, ksize, strides, padding, data_format)
    pool.must_match(out)
    made, found = np.zeros(pool.out, back.dtype), np.zeros(pool.out, bool)
    for _, inside, value, part in pool.elements(last, back):
        hit = inside & (value == out) & ~found
        made[hit] = part[hit]
        found |= hit
    return given(ctx, as_format(made, data_format))


def _max_grad_grad_v2(
    ctx: Context,
    x: Array,
    y: Array,
    gradient: Array,
    ksize: Array,
    strides: Array,
    *,
    padding: bytes,
    data_format: bytes = b"NHWC",
) -> Array:
    return _picked(ctx, x, y, gradient, ksize.tolist(), strides.tolist(), padding, data_format, 4)


def _max_grad_grad_3d(
    ctx: Context,
    x: Array,
    y: Array,
    gradient: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
) -> Array:
    return _picked(ctx, x, y, gradient, ksize, strides, padding, data_format, 5)


def _max_grad_3d(
    ctx: Context,
    x: Array,
    y: Array,
    gradient: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
) -> Array:
    """Unlike in pictures, every place that holds the largest gets the whole gradient."""
    _must_be(5, x, y, gradient)
    last, out, back = (channels_last(wide(array), data_format) for array in (x, y, gradient))
    pool = _Pool(last.shape, ksize, strides, padding, data_format)
    pool.must_match(out, back)
    room, own = pool.spread(back.dtype)
    for where, inside, value in pool.elements(last):
        room[where] += np.where(inside & (abs(value - out) < CLOSE), back, back.dtype.type(0))
    return given(ctx, as_format(own, data_format))


def _average_grad(
    ctx: Context,
    sizes: Array,
    gradient: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NHWC",
) -> Array:
    """Each gradient in equal parts to what of its window lies inside."""
    shape = sizes_of(sizes)
    _must_be(len(shape), gradient)
    pool = _Pool(channels_last(np.empty(shape, bool), data_format).shape, ksize, strides, padding, data_format)
    back = channels_last(wide(gradient), data_format)
    pool.must_match(back)
    counts = sum((inside.astype(back.dtype) for _, inside in pool.elements()), np.zeros((), back.dtype))
    part = back * (1 / counts).astype(back.dtype) if back.size else back
    room, own = pool.spread(back.dtype)
    for where, inside in pool.elements():
        room[where] += np.where(inside, part, back.dtype.type(0))
    return given(ctx, as_format(own, data_format))


def _average_grad_3d(
    ctx: Context,
    sizes: Array,
    gradient: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
) -> Array:
    return _average_grad(ctx, sizes, gradient, ksize=ksize, strides=strides, padding=padding, data_format=data_format)


def _flat_places(x: Array, argmax: Array, include_batch: bool) -> Array:
    """Places in all of x from those that a pool told; RunError for those that are outside."""
    each = prod(x.shape[1:])
    places = argmax.astype(np.int64)
    if not include_batch:
        places = places + (np.arange(len(places)) * each).reshape(-1, *[1] * (argmax.ndim - 1))
    if places.size and (places.min() < 0 or places.max() >= x.size):
        raise RunError(f"a place is outside of the {x.size} elements of the input")
    return places


def _max_grad_with_argmax(
    ctx: Context,
    x: Array,
    gradient: Array,
    argmax: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    include_batch_in_index: bool = False,
) -> Array:
    _Pool(x.shape, ksize, strides, padding, b"NHWC").must_match(gradient, argmax)
    made = np.zeros(x.size, wide(gradient).dtype)
    np.add.at(made, _flat_places(x, argmax, include_batch_in_index).ravel(), wide(gradient).ravel())
    return given(ctx, made.reshape(x.shape))


def _max_grad_grad_with_argmax(
    ctx: Context,
    x: Array,
    gradient: Array,
    argmax: Array,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    include_batch_in_index: bool = False,
) -> Array:
    _Pool(x.shape, ksize, strides, padding, b"NHWC").must_match(argmax)
    if gradient.shape != x.shape:
        raise RunError(f"a gradient of {list(gradient.shape)} was given for an input of {list(x.shape)}")
    return given(ctx, gradient.ravel()[_flat_places(x, argmax, include_batch_in_index)])


RULES: dict[str, Rule] = {
    "AvgPool3DGrad": _average_grad_3d,
    "AvgPoolGrad": _average_grad,
    "MaxPool3DGrad": _max_grad_3d,
    "MaxPool3DGradGrad": _max_grad_grad_3d,
    "MaxPoolGrad": _max_grad,
    "MaxPoolGradGrad": _max_grad_grad,
    "MaxPoolGradGradV2": _max_grad_grad_v2,
    "MaxPoolGradGradWithArgmax": _max_grad_grad_with_argmax,
    "MaxPoolGradV2": _max_grad_v2,
    "MaxPoolGradWithArgmax": _max_grad_with_argmax,
}
