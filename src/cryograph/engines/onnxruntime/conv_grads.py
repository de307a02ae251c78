"""Lowerings of the gradients of convolutions: for their filters, and for their input."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...base.shapes import known
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .conv import transposed
from .values import Refusal, Value
from .windows import DATA_FORMATS, Window, layout_of, window_of


def _filter_grad(g: Builder, x: Value, shape: Sequence[int], dy: Value, window: Window, groups: int) -> Value:
    """(O, C / groups, *sizes) of an input and a gradient, as the convolution of the one by the other.

    The batch is what is summed over: it takes the place of the channels, and the channels of a group that of the
    batch. Strides and dilations change places, too.
    """
    layout, steps, gaps = window.layout, window.strides, window.dilations
    n = layout.n
    space = [x.size(axis) for axis in layout.spatial]
    out = [dy.size(axis) for axis in layout.spatial]
    channels, outer = x.size(layout.channel), dy.size(layout.channel)
    if None in space or None in out or channels is None or outer is None or 0 in (*space, *out, channels, outer):
        raise Refusal("the gradient of a filter needs known sizes")
    if channels % groups:
        raise Refusal(f"{channels} channels do not divide into {groups} groups")
    inner = channels // groups
    spans = window.spans(shape)
    begins, ends = window.pads([s or 0 for s in space], shape)
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


def _of_filter(n: int, shape_of: Callable[[Builder, Value], Sequence[int]]) -> Lowering:
    """The lowering for `n` spatial dimensions: (H, W, C / groups, O). The second input tells the shape."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        like: Value,
        dy: Value,
        *,
        strides: list[int],
        padding: bytes,
        explicit_paddings: Sequence[int] = (),
        data_format: bytes = DATA_FORMATS[n],
        dilations: Sequence[int] = (1,),
    ) -> Value:
        window = window_of(layout_of(data_format, n), strides, padding, explicit_paddings, dilations)
        shape = shape_of(g, like)
        if x.size(0) == 0:
            raise Refusal("a sum over no pictures has no form in ONNX")
        channels = x.size(window.layout.channel)
        if channels is None or len(shape) != n + 2 or not shape[n] or channels % shape[n]:
            raise Refusal("the filters do not fit the input")
        made = _filter_grad(g, x, shape[:n], dy, window, channels // shape[n])
        return g.transpose(made, [*range(2, n + 2), 0, 1])

    return lower


def _sizes(g: Builder, sizes: Value) -> Sequence[int]:
    return g.fixed_ints(sizes, "the sizes of the filter")


def _shape(g: Builder, w: Value) -> Sequence[int]:
    return known(w.shape, "the filter")


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
    dilations: Sequence[int] = (1,),
) -> Value:
    """(H, W, C, M): as many groups as channels."""
    window = window_of(layout_of(data_format, 2), strides, padding, explicit_paddings, dilations)
    shape = _sizes(g, sizes)
    if x.size(0) == 0 or x.size(window.layout.channel) != shape[2]:
        raise Refusal("the filters do not fit the input")
    made = _filter_grad(g, x, shape[:2], dy, window, shape[2])  # (1, C * M, H, W)
    return g.transpose(g.reshape(made, [shape[2], shape[3], *shape[:2]]), [2, 3, 0, 1])


# --- for the input


def _of_input(n: int, turn: Callable[[Builder, Value, Value, Value, Window], Value]) -> Lowering:
    """The lowering for `n` spatial dimensions. Filter (H, W, channels of the result, channels of `dy`)."""

    def lower(
        g: Builder,
        step: Step,
        like: Value,
        w: Value,
        dy: Value,
        *,
        strides: list[int],
        padding: bytes,
        explicit_paddings: Sequence[int] = (),
        data_format: bytes = DATA_FORMATS[n],
        dilations: Sequence[int] = (1,),
    ) -> Value:
        window = window_of(layout_of(data_format, n), strides, padding, explicit_paddings, dilations)
        return turn(g, like, w, dy, window)

    return lower


def _by_shape(g: Builder, x: Value, w: Value, dy: Value, window: Window) -> Value:
    """The input in place of its sizes."""
    return transposed(g, g.shape_of(x), w, dy, window)


def _depthwise(g: Builder, sizes: Value, w: Value, dy: Value, window: Window) -> Value:
    """Filter (H, W, C, M): turned into the filters (H, W, 1, C * M) of a convolution in groups."""
    shape = known(w.shape, "the filter")
    wide = g.reshape(w, [*shape[:2], 1, shape[2] * shape[3]])
    return transposed(g, sizes, wide, dy, window, shape[2])


LOWERINGS: Table = {
    "Conv2DBackpropFilter": _of_filter(2, _sizes),
    "Conv2DBackpropFilterV2": _of_filter(2, _shape),
    "Conv2DBackpropInput": _of_input(2, transposed),
    "Conv2DBackpropInputV2": _of_input(2, _by_shape),
    "Conv3DBackpropFilter": _of_filter(3, _shape),
    "Conv3DBackpropFilterV2": _of_filter(3, _sizes),
    "Conv3DBackpropInput": _of_input(3, _by_shape),
    "Conv3DBackpropInputV2": _of_input(3, transposed),
    "DepthwiseConv2dNativeBackpropFilter": depthwise_filter,
    "DepthwiseConv2dNativeBackpropInput": _of_input(2, _depthwise),
}
