"""The rules of convolutions and of their gradients, over what an engine convolves with.

An engine gives functions of arrays with the channels last, (N, *space, C), and of filters (*sizes, C / groups, O). What
ops say of data formats, paddings and groups, and what they refuse, is worked out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from ...base.errors import RunError
from .context import Context, Rule
from .elementwise import given, wide
from .forms import by_shape, gathered, narrowed
from .images import resize_bilinear
from .slices import mirror_pad
from .windows import FIRST, Windows, as_format, channels_last, explicit_pairs, plan, spatial


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """How filters move: the attributes of most of these ops."""

    strides: list[int]
    padding: bytes
    data_format: bytes = b"NHWC"
    dilations: list[int]
    explicit_paddings: list[int] | None = None

    def over(self, shape: Sequence[int], filter_sizes: Sequence[int]) -> Windows:
        """Over an input of a shape, channels last."""
        rank = len(shape) - 2
        steps, gaps = spatial(self.strides, self.data_format, rank), spatial(self.dilations, self.data_format, rank)
        pairs = explicit_pairs(self.explicit_paddings, self.data_format, rank)
        return plan(shape[1:-1], filter_sizes, steps, self.padding, gaps, pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedMoves(Moves):
    """Those of the newest op. `groups` follows from the shapes."""

    data_format: bytes = b"CHANNELS_LAST"
    batch_dims: int = 1
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Convolutions:
    """What an engine convolves with. Each function takes the context of its engine first."""

    convolve: Callable[[Any, Any, Any, Windows, int], Any]
    """(N, *out, O) from the input, the filters, how they move, and the number of groups."""
    for_input: Callable[[Any, Sequence[int], Any, Any, Windows, int], Any]
    """The gradient for an input of a shape, from the filters and the gradient for the output."""
    for_filters: Callable[[Any, Any, Sequence[int], Any, Windows, int], Any]
    """The gradient for filters of a shape, from the input and the gradient for the output."""

    def conv(self, ctx: Context, x: Any, filters: Any, how: Moves) -> Any:
        """Of any number of dimensions."""
        must_have(x, filters.ndim)
        last = channels_last(wide(x), how.data_format)
        windows = how.over(last.shape, filters.shape[:-2])
        groups = groups_of(filters.shape, last.shape)
        return given(ctx, as_format(self.convolve(ctx, last, wide(filters), windows, groups), how.data_format))

    def conv_any(self, ctx: Context, x: Any, filters: Any, how: BatchedMoves) -> Any:
        """Of two or three dimensions, with several batch dimensions."""
        lead = x.shape[: how.batch_dims]
        made = self.conv(ctx, x.reshape(prod(lead), *x.shape[how.batch_dims :]), filters, how)
        return made.reshape(*lead, *made.shape[1:])

    def backprop(self, ctx: Context, sizes: Any, filters: Any, gradient: Any, how: Moves) -> Any:
        """The gradient of a convolution for its input, which is what a transposed convolution gives."""
        rank = filters.ndim - 2
        must_have(gradient, rank + 2)
        shape = last_shape(ctx.sizes(sizes), how.data_format, rank, gradient, filters.shape[-2])
        windows = how.over(shape, filters.shape[:-2])
        back = channels_last(wide(gradient), how.data_format)
        must_match(back, windows, filters.shape[-1])
        groups = groups_of(filters.shape, shape)
        must_agree(shape, gradient)
        return given(ctx, as_format(self.for_input(ctx, shape, wide(filters), back, windows, groups), how.data_format))

    def filter_backprop(self, ctx: Context, x: Any, filter_sizes: Any, gradient: Any, how: Moves) -> Any:
        """(*sizes, C / groups, O)."""
        shape = ctx.sizes(filter_sizes)
        must_have(x, len(shape))
        must_have(gradient, len(shape))
        last, back = channels_last(wide(x), how.data_format), channels_last(wide(gradient), how.data_format)
        windows = how.over(last.shape, shape[:-2])
        must_match(back, windows, shape[-1])
        groups = groups_of(shape, last.shape)
        must_agree(last.shape, gradient)
        return given(ctx, self.for_filters(ctx, last, shape, back, windows, groups))

    def depthwise(self, ctx: Context, x: Any, filters: Any, how: Moves) -> Any:
        """Each channel with its own filters (H, W, C, M): output channel c * M + m."""
        must_have(x, 4)
        last = channels_last(wide(x), how.data_format)
        windows = how.over(last.shape, filters.shape[:2])
        if filters.ndim != 4 or filters.shape[2] != last.shape[-1]:
            raise RunError(f"filters of the shape {list(filters.shape)} do not fit {last.shape[-1]} channels")
        weights = wide(filters).reshape(by_channel(filters.shape))
        return given(ctx, as_format(self.convolve(ctx, last, weights, windows, filters.shape[2]), how.data_format))

    def depthwise_backprop(self, ctx: Context, sizes: Any, filters: Any, gradient: Any, how: Moves) -> Any:
        """The gradient of a convolution by channel for its input."""
        shape = last_shape(ctx.sizes(sizes), how.data_format, 2, gradient, filters.shape[2])
        windows = how.over(shape, filters.shape[:2])
        back = channels_last(wide(gradient), how.data_format)
        weights = wide(filters).reshape(by_channel(filters.shape))
        must_match(back, windows, weights.shape[-1])
        made = self.for_input(ctx, shape, weights, back, windows, filters.shape[2])
        return given(ctx, as_format(made, how.data_format))

    def depthwise_filter_backprop(self, ctx: Context, x: Any, filter_sizes: Any, gradient: Any, how: Moves) -> Any:
        """(H, W, C, M) of a convolution by channel."""
        shape = ctx.sizes(filter_sizes)
        must_have(x, 4)
        must_have(gradient, 4)
        last, back = channels_last(wide(x), how.data_format), channels_last(wide(gradient), how.data_format)
        if len(shape) != 4 or shape[2] != last.shape[-1]:
            raise RunError(f"filters of the shape {list(shape)} do not fit an input of {list(last.shape)}")
        must_agree(last.shape, gradient)
        windows = how.over(last.shape, shape[:2])
        flat = by_channel(shape)
        must_match(back, windows, flat[-1])
        return given(ctx, self.for_filters(ctx, last, flat, back, windows, shape[2]).reshape(shape))

    def padded_conv(
        self, ctx: Context, x: Any, paddings: Any, filters: Any, *, mode: bytes, strides: list[int], padding: bytes
    ) -> Any:
        """Of what has been mirrored at its edges."""
        must_have(x, 4)
        around = mirror_pad(ctx, x, paddings, mode=mode)
        return self.conv(ctx, around, filters, Moves(strides=strides, padding=padding, dilations=[]))

    def resized_conv(
        self,
        ctx: Context,
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
        """Of what has been resized, and mirrored at its edges then."""
        must_have(x, 4)
        held = resize_bilinear(ctx, x, size, resize_align_corners, False)
        return self.padded_conv(ctx, held, paddings, filters, mode=mode, strides=strides, padding=padding)

    def rules(self) -> dict[str, Rule]:
        """By op. Volumes have no explicit paddings, and those of the first version no data format."""

        def moved(rule: Rule, kind: type = Moves) -> Rule:
            return gathered(rule, kind)

        def volumes(rule: Rule, *left_out: str) -> Rule:
            return narrowed(moved(rule), "explicit_paddings", *left_out, data_format=b"NDHWC")

        return {
            "Conv": moved(self.conv_any, BatchedMoves),
            "Conv2D": moved(self.conv),
            "Conv2DBackpropFilter": moved(self.filter_backprop),
            "Conv2DBackpropFilterV2": by_shape(moved(self.filter_backprop), 1),
            "Conv2DBackpropInput": moved(self.backprop),
            "Conv2DBackpropInputV2": by_shape(moved(self.backprop), 0),
            "Conv3D": volumes(self.conv),
            "Conv3DBackpropFilter": by_shape(volumes(self.filter_backprop, "data_format"), 1),
            "Conv3DBackpropFilterV2": volumes(self.filter_backprop),
            "Conv3DBackpropInput": by_shape(volumes(self.backprop, "data_format"), 0),
            "Conv3DBackpropInputV2": volumes(self.backprop),
            "DepthwiseConv2dNative": moved(self.depthwise),
            "DepthwiseConv2dNativeBackpropFilter": moved(self.depthwise_filter_backprop),
            "DepthwiseConv2dNativeBackpropInput": moved(self.depthwise_backprop),
            "FusedPadConv2D": self.padded_conv,
            "FusedResizeAndPadConv2D": self.resized_conv,
        }


def groups_of(filters: Sequence[int], shape: Sequence[int]) -> int:
    """The number of groups that follows from the shapes; RunError where there is none."""
    inner, outer = filters[-2:]
    groups = shape[-1] // inner if inner else 1
    if inner * groups != shape[-1] or groups < 1 or outer % groups:
        raise RunError(f"filters of the shape {list(filters)} do not fit an input of {shape[-1]} channels")
    return groups


def by_channel(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of filters (H, W, C, M) as those of C groups."""
    return (*shape[:2], 1, shape[2] * shape[3])


def last_shape(sizes: Sequence[int], data_format: bytes, rank: int, gradient: Any, channels: int) -> tuple[int, ...]:
    """The shape of a convolution's input, channels last, from all its sizes or the spatial ones."""
    if len(sizes) == rank:
        return (gradient.shape[0], *sizes, channels)
    if len(sizes) != rank + 2:
        raise RunError(f"{list(sizes)} are not the sizes of an input of {rank + 2} dimensions")
    return (sizes[0], *sizes[2:], sizes[1]) if data_format in FIRST else tuple(sizes)


def must_have(x: Any, rank: int) -> None:
    """RunError for an array of another number of dimensions."""
    if x.ndim != rank:
        raise RunError(f"a tensor of {x.ndim} dimensions was given where {rank} are taken")


def must_match(gradient: Any, windows: Windows, channels: int) -> None:
    """RunError for a gradient (channels last) that has not the shape of the output."""
    if gradient.shape[1:] != (*windows.out, channels):
        raise RunError(
            f"a gradient of {list(gradient.shape[1:])} (channels last) was given; "
            f"the convolution gives {[*windows.out, channels]}"
        )


def must_agree(shape: Sequence[int], gradient: Any) -> None:
    """RunError for a gradient of another number of items."""
    if shape[0] != gradient.shape[0]:
        raise RunError(f"a gradient of {gradient.shape[0]} items was given for an input of {list(shape)}")
