"""Lowerings of the gradients of convolutions for their filters, and of those for their input of the rarer kinds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.shapes import known
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .conv import conv2d_backprop_input, conv3d_backprop_input, transposed
from .values import Refusal, Value
from .windows import Layout, layout_of, pads_of


def _filter_grad(
    g: Builder,
    x: Value,
    shape: Sequence[int],
    dy: Value,
    layout: Layout,
    groups: int,
    strides: Sequence[int],
    padding: bytes,
    explicit: Sequence[int],
    dilations: Sequence[int],
) -> Value:
    """(O, C / groups, *sizes) of an input and a gradient, as the convolution of the one by the other.

    The batch is what is summed over: it takes the place of the channels, and the channels of a group that of the
    batch. Strides and dilations change places, too.
    """
    n = layout.n
    steps, gaps = layout.pick(strides, "strides"), layout.pick(dilations, "dilations")
    space = [x.size(axis) for axis in layout.spatial]
    out = [dy.size(axis) for axis in layout.spatial]
    channels, outer = x.size(layout.channel), dy.size(layout.channel)
    if None in space or None in out or channels is None or outer is None or 0 in (*space, *out, channels, outer):
        raise Refusal("the gradient of a filter needs known sizes")
    if channels % groups:
        raise Refusal(f"{channels} channels do not divide into {groups} groups")
    inner = channels // groups
    spans = [(k - 1) * d + 1 for k, d in zip(shape, gaps, strict=True)]
    begins, ends = pads_of(layout, [s or 0 for s in space], spans, steps, padding, explicit)
    # Just as much as the windows reach, so that the answer has the filter's sizes.
    reach = [((o or 0) - 1) * s + span for o, s, span in zip(out, steps, spans, strict=True)]
    over = [(i or 0) + a + b - r for i, a, b, r in zip(space, begins, ends, reach, strict=True)]
    if any(o < 0 for o in over):
        raise Refusal("the gradient is longer than the input reaches")
    entered = layout.enter(g, x)
    first = g.ints([0] * n)
    cut = [min(o, b) for o, b in zip(over, ends, strict=True)]
    ends = [b - c for b, c in zip(ends, cut, strict=True)]
    rest = [o - c for o, c in zip(over, cut, strict=True)]
    if any(rest):
        stops = g.ints([(i or 0) - r for i, r in zip(space, rest, strict=True)])
        entered = g.slice(entered, first, stops, list(range(2, n + 2)))
        space = [(i or 0) - r for i, r in zip(space, rest, strict=True)]
    order = list(range(2, n + 2))
    if groups == 1:
        taken = g.transpose(Value(entered.name, x.dtype, (x.size(0), channels, *space)), [1, 0, *order])
    else:
        sizes = [groups, inner, *(s or 0 for s in space)]
        split = g.reshape(entered, [-1, *sizes])
        moved = g.transpose(split, [2, 1, 0, *(axis + 1 for axis in order)])
        batch = x.size(0)
        if batch is None:
            raise Refusal("the gradient of filters in groups needs a known batch")
        taken = g.reshape(moved, [inner, groups * batch, *(s or 0 for s in space)])
    weights = g.transpose(layout.enter(g, dy), [1, 0, *order])
    made = g.op(
        "Conv",
        taken,
        weights,
        strides=gaps,
        dilations=steps,
        pads=[*begins, *ends],
        group=groups,
        kernel_shape=[o or 0 for o in out],
    )
    return Value(made.name, made.dtype, (inner, outer, *shape))


def _backprop_filter(
    g: Builder,
    x: Value,
    shape: Sequence[int],
    dy: Value,
    layout: Layout,
    strides: Sequence[int],
    padding: bytes,
    explicit: Sequence[int],
    dilations: Sequence[int],
) -> Value:
    n = layout.n
    if x.size(0) == 0:
        raise Refusal("a sum over no pictures has no form in ONNX")
    channels = x.size(layout.channel)
    if channels is None or len(shape) != n + 2 or not shape[n] or channels % shape[n]:
        raise Refusal("the filters do not fit the input")
    groups = channels // shape[n]
    made = _filter_grad(g, x, shape[:n], dy, layout, groups, strides, padding, explicit, dilations)
    return g.transpose(made, [*range(2, n + 2), 0, 1])


def conv2d_filter(
    g: Builder,
    step: Step,
    x: Value,
    sizes: Value,
    dy: Value,
    *,
    strides: list[int],
    padding: bytes,
    explicit_paddings: Sequence[int] = (),
    data_format: bytes = b"NHWC",
    dilations: Sequence[int] = (1, 1, 1, 1),
) -> Value:
    """(H, W, C / groups, O)"""
    shape = g.fixed_ints(sizes, "the sizes of the filter")
    return _backprop_filter(g, x, shape, dy, layout_of(data_format, 2), strides, padding, explicit_paddings, dilations)


def conv2d_filter_v2(
    g: Builder,
    step: Step,
    x: Value,
    w: Value,
    dy: Value,
    *,
    strides: list[int],
    padding: bytes,
    explicit_paddings: Sequence[int] = (),
    data_format: bytes = b"NHWC",
    dilations: Sequence[int] = (1, 1, 1, 1),
) -> Value:
    """The same, of a filter in place of its sizes."""
    shape = known(w.shape, "the filter")
    return _backprop_filter(g, x, shape, dy, layout_of(data_format, 2), strides, padding, explicit_paddings, dilations)


def conv3d_filter_v2(
    g: Builder,
    step: Step,
    x: Value,
    sizes: Value,
    dy: Value,
    *,
    strides: list[int],
    padding: bytes,
    data_format: bytes = b"NDHWC",
    dilations: Sequence[int] = (1, 1, 1, 1, 1),
) -> Value:
    """(D, H, W, C / groups, O)"""
    shape = g.fixed_ints(sizes, "the sizes of the filter")
    return _backprop_filter(g, x, shape, dy, layout_of(data_format, 3), strides, padding, (), dilations)


def conv3d_filter(
    g: Builder,
    step: Step,
    x: Value,
    w: Value,
    dy: Value,
    *,
    strides: list[int],
    padding: bytes,
    dilations: Sequence[int] = (1, 1, 1, 1, 1),
) -> Value:
    shape = known(w.shape, "the filter")
    return _backprop_filter(g, x, shape, dy, layout_of(b"NDHWC", 3), strides, padding, (), dilations)


def depthwise_filter(
    g: Builder,
    step: Step,
    x: Value,
    sizes: Value,
    dy: Value,
    *,
    strides: list[int],
    padding: bytes,
    explicit_paddings: Sequence[int] = (),
    data_format: bytes = b"NHWC",
    dilations: Sequence[int] = (1, 1, 1, 1),
) -> Value:
    """(H, W, C, M): as many groups as channels."""
    layout = layout_of(data_format, 2)
    shape = g.fixed_ints(sizes, "the sizes of the filter")
    if x.size(0) == 0 or x.size(layout.channel) != shape[2]:
        raise Refusal("the filters do not fit the input")
    made = _filter_grad(
        g, x, shape[:2], dy, layout, shape[2], strides, padding, explicit_paddings, dilations
    )  # (1, C * M, H, W)
    return g.transpose(g.reshape(made, [shape[2], shape[3], *shape[:2]]), [2, 3, 0, 1])


def depthwise_input(
    g: Builder,
    step: Step,
    sizes: Value,
    w: Value,
    dy: Value,
    *,
    strides: list[int],
    padding: bytes,
    explicit_paddings: Sequence[int] = (),
    data_format: bytes = b"NHWC",
    dilations: Sequence[int] = (1, 1, 1, 1),
) -> Value:
    """Filter (H, W, C, M): turned into the filters (H, W, 1, C * M) of a convolution in groups."""
    shape = known(w.shape, "the filter")
    wide = g.reshape(w, [*shape[:2], 1, shape[2] * shape[3]])
    layout = layout_of(data_format, 2)
    return transposed(g, sizes, wide, dy, layout, strides, padding, explicit_paddings, dilations, shape[2])


def conv2d_input_v2(
    g: Builder,
    step: Step,
    x: Value,
    w: Value,
    dy: Value,
    *,
    strides: list[int],
    padding: bytes,
    explicit_paddings: Sequence[int] = (),
    data_format: bytes = b"NHWC",
    dilations: Sequence[int] = (1, 1, 1, 1),
) -> Value:
    """The input in place of its sizes."""
    return conv2d_backprop_input(
        g,
        step,
        g.shape_of(x),
        w,
        dy,
        strides=strides,
        padding=padding,
        explicit_paddings=explicit_paddings,
        data_format=data_format,
        dilations=dilations,
    )


def conv3d_input(
    g: Builder,
    step: Step,
    x: Value,
    w: Value,
    dy: Value,
    *,
    strides: list[int],
    padding: bytes,
    dilations: Sequence[int] = (1, 1, 1, 1, 1),
) -> Value:
    return conv3d_backprop_input(g, step, g.shape_of(x), w, dy, strides=strides, padding=padding, dilations=dilations)


def _average_grad(n: int) -> Lowering:
    """The lowering for `n` spatial dimensions: each gradient in equal parts to what of its window lies inside.

    That is a transposed convolution by ones, of one channel, as channels do not mix.
    """

    def lower(
        g: Builder,
        step: Step,
        sizes: Value,
        dy: Value,
        *,
        ksize: list[int],
        strides: list[int],
        padding: bytes,
        data_format: bytes = b"NHWC" if n == 2 else b"NDHWC",
    ) -> Value:
        layout = layout_of(data_format, n)
        shape = g.fixed_ints(sizes, "the shape of the input")
        space = [shape[axis] for axis in layout.spatial]
        out = [dy.size(axis) for axis in layout.spatial]
        window, steps = layout.pick(ksize, "ksize"), layout.pick(strides, "strides")
        if None in out or 0 in (*out, *shape):
            raise Refusal("the gradient of a pool needs known sizes")
        begins, _ = pads_of(layout, space, window, steps, padding, ())
        counts = np.ones([1])
        for size, o, k, s, a in zip(space, out, window, steps, begins, strict=True):
            starts = np.arange(o or 0) * s - a
            inside = np.minimum(starts + k, size) - np.maximum(starts, 0)
            counts = counts[..., None] * inside
        part = g.binary("Mul", layout.enter(g, dy), g.const(1 / counts, dy.dtype))
        flat = g.reshape(part, [-1, 1, *(o or 0 for o in out)])
        ones = g.const(np.ones([*window, 1, 1]), dy.dtype)
        target = g.ints([1, 1, *space])
        first = Layout(n, channels_last=False)
        made = transposed(g, target, ones, flat, first, [1, 1, *steps], padding, (), [1] * (n + 2))
        return layout.leave(g, g.reshape(made, [shape[0], shape[layout.channel], *space]))

    return lower


LOWERINGS: Table = {
    "AvgPool3DGrad": _average_grad(3),
    "AvgPoolGrad": _average_grad(2),
    "Conv2DBackpropFilter": conv2d_filter,
    "Conv2DBackpropFilterV2": conv2d_filter_v2,
    "Conv2DBackpropInputV2": conv2d_input_v2,
    "Conv3DBackpropFilter": conv3d_filter,
    "Conv3DBackpropFilterV2": conv3d_filter_v2,
    "Conv3DBackpropInput": conv3d_input,
    "DepthwiseConv2dNativeBackpropFilter": depthwise_filter,
    "DepthwiseConv2dNativeBackpropInput": depthwise_input,
}
