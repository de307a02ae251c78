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
from .forms import by_shape, narrowed
from .images import resize_bilinear
from .slices import mirror_pad
from .windows import FIRST, Windows, as_format, channels_last, explicit_pairs, plan, spatial


@dataclass(frozen=True, slots=True)
class Convolutions:
    """What an engine convolves with. Each function takes the context of its engine first."""

    convolve: Callable[[Any, Any, Any, Windows, int], Any]
    """(N, *out, O) from the input, the filters, how they move, and the number of groups."""
    for_input: Callable[[Any, Sequence[int], Any, Any, Windows, int], Any]
    """The gradient for an input of a shape, from the filters and the gradient for the output."""
    for_filters: Callable[[Any, Any, Sequence[int], Any, Windows, int], Any]
    """The gradient for filters of a shape, from the input and the gradient for the output."""

    def conv(
        self,
        ctx: Context,
        x: Any,
        filters: Any,
        *,
        strides: list[int],
        padding: bytes,
        data_format: bytes = b"NHWC",
        dilations: list[int],
        explicit_paddings: list[int] | None = None,
    ) -> Any:
        """Of any number of dimensions."""
        must_have(x, filters.ndim)
        last = channels_last(wide(x), data_format)
        windows = planned(last.shape, filters.shape[:-2], strides, padding, data_format, dilations, explicit_paddings)
        groups = groups_of(filters.shape, last.shape)
        return given(ctx, as_format(self.convolve(ctx, last, wide(filters), windows, groups), data_format))

    def conv_any(
        self,
        ctx: Context,
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
        made = self.conv(
            ctx, flat, filters, strides=strides, padding=padding, data_format=data_format, dilations=dilations,
            explicit_paddings=explicit_paddings,
        )  # fmt: skip
        return made.reshape(*lead, *made.shape[1:])

    def backprop(
        self,
        ctx: Context,
        sizes: Any,
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
        shape = last_shape(ctx.sizes(sizes), data_format, rank, gradient, filters.shape[-2])
        windows = planned(shape, filters.shape[:-2], strides, padding, data_format, dilations, explicit_paddings)
        back = channels_last(wide(gradient), data_format)
        must_match(back, windows, filters.shape[-1])
        groups = groups_of(filters.shape, shape)
        must_agree(shape, gradient)
        return given(ctx, as_format(self.for_input(ctx, shape, wide(filters), back, windows, groups), data_format))

    def filter_backprop(
        self,
        ctx: Context,
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
        shape = ctx.sizes(filter_sizes)
        must_have(x, len(shape))
        must_have(gradient, len(shape))
        last, back = channels_last(wide(x), data_format), channels_last(wide(gradient), data_format)
        windows = planned(last.shape, shape[:-2], strides, padding, data_format, dilations, explicit_paddings)
        must_match(back, windows, shape[-1])
        groups = groups_of(shape, last.shape)
        must_agree(last.shape, gradient)
        return given(ctx, self.for_filters(ctx, last, shape, back, windows, groups))

    def depthwise(
        self,
        ctx: Context,
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
        last = channels_last(wide(x), data_format)
        windows = planned(last.shape, filters.shape[:2], strides, padding, data_format, dilations, explicit_paddings)
        if filters.ndim != 4 or filters.shape[2] != last.shape[-1]:
            raise RunError(f"filters of the shape {list(filters.shape)} do not fit {last.shape[-1]} channels")
        weights = wide(filters).reshape(by_channel(filters.shape))
        return given(ctx, as_format(self.convolve(ctx, last, weights, windows, filters.shape[2]), data_format))

    def depthwise_backprop(
        self,
        ctx: Context,
        sizes: Any,
        filters: Any,
        gradient: Any,
        *,
        strides: list[int],
        padding: bytes,
        data_format: bytes = b"NHWC",
        dilations: list[int],
        explicit_paddings: list[int] | None = None,
    ) -> Any:
        """The gradient of a convolution by channel for its input."""
        shape = last_shape(ctx.sizes(sizes), data_format, 2, gradient, filters.shape[2])
        windows = planned(shape, filters.shape[:2], strides, padding, data_format, dilations, explicit_paddings)
        back = channels_last(wide(gradient), data_format)
        weights = wide(filters).reshape(by_channel(filters.shape))
        must_match(back, windows, weights.shape[-1])
        made = self.for_input(ctx, shape, weights, back, windows, filters.shape[2])
        return given(ctx, as_format(made, data_format))

    def depthwise_filter_backprop(
        self,
        ctx: Context,
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
        """(H, W, C, M) of a convolution by channel."""
        shape = ctx.sizes(filter_sizes)
        must_have(x, 4)
        must_have(gradient, 4)
        last, back = channels_last(wide(x), data_format), channels_last(wide(gradient), data_format)
        if len(shape) != 4 or shape[2] != last.shape[-1]:
            raise RunError(f"filters of the shape {list(shape)} do not fit an input of {list(last.shape)}")
        must_agree(last.shape, gradient)
        windows = planned(last.shape, shape[:2], strides, padding, data_format, dilations, explicit_paddings)
        flat = by_channel(shape)
        must_match(back, windows, flat[-1])
        return given(ctx, self.for_filters(ctx, last, flat, back, windows, shape[2]).reshape(shape))

    def padded_conv(
        self, ctx: Context, x: Any, paddings: Any, filters: Any, *, mode: bytes, strides: list[int], padding: bytes
    ) -> Any:
        """Of what has been mirrored at its edges."""
        must_have(x, 4)
        around = mirror_pad(ctx, x, paddings, mode=mode)
        return self.conv(ctx, around, filters, strides=strides, padding=padding, dilations=[])

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
        volumes = {"data_format": b"NDHWC"}
        input_3d = narrowed(self.backprop, "explicit_paddings", **volumes)
        filter_3d = narrowed(self.filter_backprop, "explicit_paddings", **volumes)
        return {
            "Conv": self.conv_any,
            "Conv2D": self.conv,
            "Conv2DBackpropFilter": self.filter_backprop,
            "Conv2DBackpropFilterV2": by_shape(self.filter_backprop, 1),
            "Conv2DBackpropInput": self.backprop,
            "Conv2DBackpropInputV2": by_shape(self.backprop, 0),
            "Conv3D": narrowed(self.conv, "explicit_paddings", **volumes),
            "Conv3DBackpropFilter": by_shape(narrowed(filter_3d, "data_format"), 1),
            "Conv3DBackpropFilterV2": filter_3d,
            "Conv3DBackpropInput": by_shape(narrowed(input_3d, "data_format"), 0),
            "Conv3DBackpropInputV2": input_3d,
            "DepthwiseConv2dNative": self.depthwise,
            "DepthwiseConv2dNativeBackpropFilter": self.depthwise_filter_backprop,
            "DepthwiseConv2dNativeBackpropInput": self.depthwise_backprop,
            "FusedPadConv2D": self.padded_conv,
            "FusedResizeAndPadConv2D": self.resized_conv,
        }


def planned(
    shape: Sequence[int],
    filter_sizes: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    data_format: bytes,
    dilations: Sequence[int],
    explicit: Sequence[int] | None,
) -> Windows:
    """How filters move over an input of a shape, channels last."""
    rank = len(shape) - 2
    steps, gaps = spatial(strides, data_format, rank), spatial(dilations, data_format, rank)
    return plan(shape[1:-1], filter_sizes, steps, padding, gaps, explicit_pairs(explicit, data_format, rank))


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
