"""The rules of pools and of their gradients, over how an engine brings windows together.

Inside, arrays have the channels last, (N, *space, C), and what a pool gives is (N, *out, C).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from .context import Context, Rule
from .elementwise import given, wide
from .forms import by_tensors, narrowed
from .reductions import finite_limits
from .windows import FIRST, Windows, as_format, channels_last, explicit_pairs, padded, place, plan, spatial

CLOSE = 1e-5
"""How near to the largest a value of a volume must be to count as it."""


@dataclass(frozen=True, slots=True)
class Pools:
    """How an engine brings windows together. Each function takes the context of its engine first."""

    around: Callable[[Any, Any, Windows], Any]
    """(N, *space, C) with zeros around the space."""
    largest: Callable[[Any, Any, Windows], Any]
    """The largest of each window."""
    summed: Callable[[Any, Any, Windows], Any]
    """The sum of each window."""
    spread: Callable[[Any, Sequence[int], Windows, Iterable[Any], Any], Any]
    """What each element of the windows gives, added up where it lies in an array of a shape and a dtype."""
    unsummed: Callable[[Any, Sequence[int], Windows, Any], Any]
    """What each window gives to all of its elements, added up in an array of a shape."""
    scattered: Callable[[Any, int, Any, Any], Any]
    """A vector of a size with values added up at places."""

    def max(
        self,
        ctx: Context,
        x: Any,
        *,
        ksize: list[int],
        strides: list[int],
        padding: bytes,
        data_format: bytes = b"NHWC",
        explicit_paddings: list[int] | None = None,
    ) -> Any:
        """The largest of each window, or of groups of channels that stand side by side."""
        last = channels_last(wide(x), data_format)
        channels = 1 if data_format in FIRST else -1
        if ksize[channels] != 1:
            return given(ctx, as_format(_over_channels(last, ksize, strides, channels), data_format))
        windows = planned(last.shape, ksize, strides, padding, data_format, explicit_paddings)
        return given(ctx, as_format(self.largest(ctx, last, windows), data_format))

    def average(
        self, ctx: Context, x: Any, *, ksize: list[int], strides: list[int], padding: bytes,
        data_format: bytes = b"NHWC",
    ) -> Any:  # fmt: skip
        """The mean of what of a window lies inside of the array."""
        last = channels_last(wide(x), data_format)
        windows = planned(last.shape, ksize, strides, padding, data_format)
        sums = self.summed(ctx, last, windows)
        return given(ctx, as_format(sums / _counts(last.shape, windows, sums.dtype), data_format))

    def max_with_argmax(
        self, ctx: Context, x: Any, *, ksize: list[int], strides: list[int], padding: bytes,
        include_batch_in_index: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        """The largest of each window, the first of equal ones, and its place in the flat input."""
        xp, windows = ctx.xp, planned(x.shape, ksize, strides, padding, b"NHWC")
        out, (n, h, w, c) = _out(x.shape, windows), x.shape
        places = np.arange(n * h * w * c).reshape(x.shape)
        if not include_batch_in_index:
            places = places - (np.arange(n) * h * w * c).reshape(-1, 1, 1, 1)
        values = wide(x)
        best, chosen = xp.zeros(out, values.dtype), xp.full(out, -1)
        for within, value, number in self.elements(ctx, windows, values, places):
            better = within & ((chosen < 0) | (value > best) | ((value != value) & (best == best)))
            best, chosen = xp.where(better, value, best), xp.where(better, number, chosen)
        return given(ctx, best), chosen.astype(ctx.kind(1))

    def max_grad(
        self,
        ctx: Context,
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
        """Each gradient goes to the place that its window took."""
        last, back = channels_last(wide(x), data_format), channels_last(wide(gradient), data_format)
        _must_be(4, last, back, y)
        windows = planned(last.shape, ksize, strides, padding, data_format, explicit_paddings)
        _must_match(last.shape, windows, back, channels_last(y, data_format))
        return given(ctx, as_format(self.to_largest(ctx, last, back, windows), data_format))

    def to_largest(self, ctx: Context, x: Any, gradient: Any, windows: Windows) -> Any:
        """The gradient for x: to the first of the largest of each window."""
        xp, out = ctx.xp, _out(x.shape, windows)
        chosen, best = xp.full(out, -1, np.int32), xp.zeros(out, x.dtype)
        for number, (within, value) in enumerate(self.elements(ctx, windows, x)):
            better = within & ((chosen < 0) | (best < value))  # NaN is kept when it comes first, else passed over
            chosen, best = xp.where(better, np.int32(number), chosen), xp.where(better, value, best)
        nothing = np.zeros((), gradient.dtype)
        parts = (xp.where(chosen == number, gradient, nothing) for number in range(prod(windows.sizes)))
        return self.spread(ctx, x.shape, windows, parts, gradient.dtype)

    def max_grad_3d(
        self, ctx: Context, x: Any, y: Any, gradient: Any, *, ksize: list[int], strides: list[int], padding: bytes,
        data_format: bytes = b"NDHWC",
    ) -> Any:  # fmt: skip
        """Unlike in pictures, every place that holds the largest gets the whole gradient."""
        _must_be(5, x, y, gradient)
        last, out, back = (channels_last(wide(array), data_format) for array in (x, y, gradient))
        windows = planned(last.shape, ksize, strides, padding, data_format)
        _must_match(last.shape, windows, out, back)
        nothing = np.zeros((), back.dtype)
        parts = (
            ctx.xp.where(within & (abs(value - out) < CLOSE), back, nothing)
            for within, value in self.elements(ctx, windows, last)
        )
        return given(ctx, as_format(self.spread(ctx, last.shape, windows, parts, back.dtype), data_format))

    def max_grad_grad(
        self, ctx: Context, x: Any, y: Any, gradient: Any, *, ksize: list[int], strides: list[int], padding: bytes,
        data_format: bytes = b"NHWC",
    ) -> Any:  # fmt: skip
        """The gradient at the first place of each window that holds what the pool gave, 0 where none does."""
        _must_be(5 if data_format in (b"NDHWC", b"NCDHW") else 4, x, y, gradient)
        last, out, back = (channels_last(array, data_format) for array in (x, y, gradient))
        if back.shape != last.shape:
            raise RunError(f"a gradient of {list(back.shape)} was given for an input of {list(last.shape)}")
        windows = planned(last.shape, ksize, strides, padding, data_format)
        _must_match(last.shape, windows, out)
        made, found = ctx.xp.zeros(out.shape, back.dtype), ctx.xp.zeros(out.shape, bool)
        for within, value, part in self.elements(ctx, windows, last, back):
            hit = within & (value == out) & ~found
            made, found = ctx.xp.where(hit, part, made), found | hit
        return given(ctx, as_format(made, data_format))

    def average_grad(
        self, ctx: Context, sizes: Any, gradient: Any, *, ksize: list[int], strides: list[int], padding: bytes,
        data_format: bytes = b"NHWC",
    ) -> Any:  # fmt: skip
        """Each gradient in equal parts to what of its window lies inside."""
        shape = ctx.sizes(sizes)
        _must_be(len(shape), gradient)
        last = (shape[0], *shape[2:], shape[1]) if data_format in FIRST else shape
        windows = planned(last, ksize, strides, padding, data_format)
        back = channels_last(wide(gradient), data_format)
        _must_match(last, windows, back)
        part = back * (1 / _counts(last, windows, back.dtype)).astype(back.dtype) if back.size else back
        return given(ctx, as_format(self.unsummed(ctx, last, windows, part), data_format))

    def max_grad_with_argmax(
        self, ctx: Context, x: Any, gradient: Any, argmax: Any, *, ksize: list[int], strides: list[int],
        padding: bytes, include_batch_in_index: bool = False,
    ) -> Any:  # fmt: skip
        """Each gradient goes to the place that the pool told."""
        _must_match(x.shape, planned(x.shape, ksize, strides, padding, b"NHWC"), gradient, argmax)
        places = _flat_places(ctx, x, argmax, include_batch_in_index).reshape(-1)
        made = self.scattered(ctx, prod(x.shape), places, wide(gradient).reshape(-1))
        return given(ctx, made.reshape(x.shape))

    def max_grad_grad_with_argmax(
        self, ctx: Context, x: Any, gradient: Any, argmax: Any, *, ksize: list[int], strides: list[int],
        padding: bytes, include_batch_in_index: bool = False,
    ) -> Any:  # fmt: skip
        """The gradient at the places that the pool told."""
        _must_match(x.shape, planned(x.shape, ksize, strides, padding, b"NHWC"), argmax)
        if gradient.shape != x.shape:
            raise RunError(f"a gradient of {list(gradient.shape)} was given for an input of {list(x.shape)}")
        places = _flat_places(ctx, x, argmax, include_batch_in_index)
        return given(ctx, ctx.xp.take(gradient.reshape(-1), places) if argmax.size else argmax)

    def elements(self, ctx: Context, windows: Windows, *arrays: Any) -> Iterator[tuple[Any, ...]]:
        """For each element of the windows: whether it is inside, and what arrays hold there."""
        held = [self.around(ctx, x, windows) for x in arrays]
        inside = padded(np.ones((1, *arrays[0].shape[1:-1], 1), bool), windows.pairs, False)
        for at in np.ndindex(*windows.sizes):
            where = place(windows, at)
            yield (inside[where], *(x[where] for x in held))

    def rules(self) -> dict[str, Rule]:
        """Pools by op."""
        return {
            "AvgPool": self.average,
            "AvgPool3D": narrowed(self.average, data_format=b"NDHWC"),
            "MaxPool": self.max,
            "MaxPool3D": narrowed(self.max, "explicit_paddings", data_format=b"NDHWC"),
            "MaxPoolV2": by_tensors(narrowed(self.max, "explicit_paddings"), "ksize", "strides"),
            "MaxPoolWithArgmax": self.max_with_argmax,
        }

    def gradients(self) -> dict[str, Rule]:
        """Their gradients, and the gradients of those of the largest, by op."""
        return {
            "AvgPool3DGrad": narrowed(self.average_grad, data_format=b"NDHWC"),
            "AvgPoolGrad": self.average_grad,
            "MaxPool3DGrad": self.max_grad_3d,
            "MaxPool3DGradGrad": narrowed(self.max_grad_grad, data_format=b"NDHWC"),
            "MaxPoolGrad": self.max_grad,
            "MaxPoolGradGrad": self.max_grad_grad,
            "MaxPoolGradGradV2": by_tensors(self.max_grad_grad, "ksize", "strides"),
            "MaxPoolGradGradWithArgmax": self.max_grad_grad_with_argmax,
            "MaxPoolGradV2": by_tensors(narrowed(self.max_grad, "explicit_paddings"), "ksize", "strides"),
            "MaxPoolGradWithArgmax": self.max_grad_with_argmax,
        }


def planned(
    shape: Sequence[int],
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    data_format: bytes,
    explicit: Sequence[int] | None = None,
) -> Windows:
    """The windows of a pool over an input of a shape, channels last."""
    rank = len(shape) - 2
    sizes, steps = spatial(ksize, data_format, rank), spatial(strides, data_format, rank)
    return plan(shape[1:-1], sizes, steps, padding, None, explicit_pairs(explicit, data_format, rank))


def least(dtype: np.dtype[Any]) -> Any:
    """What no number is less than."""
    return -np.inf if dtype.kind == "f" else finite_limits(dtype)[0]


def _out(shape: Sequence[int], windows: Windows) -> tuple[int, ...]:
    return (shape[0], *windows.out, shape[-1])


def _over_channels(last: Any, ksize: Sequence[int], strides: Sequence[int], channels: int) -> Any:
    size = ksize[channels]
    if sorted(ksize) != [1, 1, 1, size] or strides[channels] != size or last.shape[-1] % size:
        raise RunError(f"windows of {list(ksize)} over {last.shape[-1]} channels do not divide them")
    return last.reshape(*last.shape[:-1], last.shape[-1] // size, size).max(-1)


def _counts(shape: Sequence[int], windows: Windows, dtype: Any) -> Any:
    """(1, *out, 1): how many elements of each window lie inside."""
    made = np.ones((1,), dtype)
    for n, size, step, (before, _), count in zip(
        shape[1:-1], windows.sizes, windows.strides, windows.pairs, windows.out, strict=True
    ):
        starts = np.arange(count) * step - before
        held = np.minimum(starts + size, n) - np.maximum(starts, 0)
        made = made[..., None] * held.astype(dtype)
    return made[..., None]


def _must_be(rank: int, *arrays: Any) -> None:
    if any(x.ndim != rank for x in arrays):
        raise RunError(f"tensors of {[x.ndim for x in arrays]} dimensions were given where {rank} are taken")


def _must_match(shape: Sequence[int], windows: Windows, *arrays: Any) -> None:
    out = _out(shape, windows)
    for x in arrays:
        if x.shape != out:
            raise RunError(f"{list(x.shape)} (channels last) was given where the pool gives {list(out)}")


def _flat_places(ctx: Context, x: Any, argmax: Any, include_batch: bool) -> Any:
    """Places in all of x from those that a pool told; RunError for those that are outside."""
    places, size = argmax.astype(np.int64), prod(x.shape)
    if not include_batch:
        places = places + (np.arange(len(places)) * prod(x.shape[1:])).reshape(-1, *[1] * (argmax.ndim - 1))
    ctx.check((places < 0) | (places >= size), f"a place is outside of the {size} elements of the input")
    return places
