"""Lowerings of convolutions: plain, grouped, depthwise, in two and three dimensions; how one is transposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...base.dtypes import INT64
from ...base.shapes import is_known
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .values import Refusal, Value
from .windows import DATA_FORMATS, Layout, Window, layout_of, window_of

Convolved = Callable[[Builder, Value, Value, Window], Value]


def _kernel(w: Value, n: int) -> list[int]:
    """The spatial sizes of a filter (*spatial, I, O); Refusal when they are not known."""
    if w.shape is None or len(w.shape) != n + 2:
        raise Refusal("the shape of the filter is not known")
    sizes = [size for size in w.shape[:n] if size is not None]
    if len(sizes) != n:
        raise Refusal("the spatial sizes of the filter are not known")
    return sizes


def _groups(x: Value, w: Value, layout: Layout) -> int:
    """How many groups a convolution has: channels of the input by channels that a filter takes."""
    channels, taken = x.size(layout.channel), w.size(layout.n)
    if channels is None or taken is None or channels == taken:
        return 1
    if taken == 0 or channels % taken:
        raise Refusal(f"{channels} channels do not divide into groups of {taken}")
    return channels // taken


def filters_first(g: Builder, w: Value, n: int) -> Value:
    """(*spatial, I, O) as (O, I, *spatial). In two moves of one axis each, which the runtime is 5 times faster at; it
    turns weights once, when the session is made."""
    inputs_first = g.transpose(w, [n, *range(n), n + 1])
    return g.transpose(inputs_first, [n + 1, *range(n + 1)])


def convolve(g: Builder, x: Value, w: Value, window: Window) -> Value:
    """A convolution by the filter (*spatial, I / groups, O)."""
    layout = window.layout
    kernel = _kernel(w, layout.n)
    attrs = window.attrs(x, kernel)
    group = _groups(x, w, layout)
    if group != 1:
        attrs["group"] = group
    taken = filters_first(g, w, layout.n)
    return layout.leave(g, g.op("Conv", layout.enter(g, x), taken, kernel_shape=kernel, **attrs))


def depthwise(g: Builder, x: Value, w: Value, window: Window) -> Value:
    """By the filter (H, W, C, M): channel c of the input gives channels c * M to c * M + M - 1."""
    kernel = _kernel(w, 2)
    channels, multiplier = w.size(2), w.size(3)
    if channels is None or multiplier is None:
        raise Refusal("the shape of the filter is not known")
    attrs = window.attrs(x, kernel)
    first = g.transpose(w, [2, 3, 0, 1])
    taken = g.reshape(first, [channels * multiplier, 1, *kernel])
    entered = window.layout.enter(g, x)
    return window.layout.leave(g, g.op("Conv", entered, taken, kernel_shape=kernel, group=channels, **attrs))


def _plain(n: int, convolved: Convolved = convolve) -> Lowering:
    """The lowering for `n` spatial dimensions."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        w: Value,
        *,
        strides: list[int],
        padding: bytes,
        explicit_paddings: Sequence[int] = (),
        data_format: bytes = DATA_FORMATS[n],
        dilations: Sequence[int] = (1,),
    ) -> Value:
        return convolved(g, x, w, window_of(layout_of(data_format, n), strides, padding, explicit_paddings, dilations))

    return lower


def transposed(g: Builder, sizes: Value, w: Value, y: Value, window: Window, group: int = 1) -> Value:
    """The gradient of a convolution for its input, of the shape `sizes`: what is called a transposed convolution.

    Everything that the filters reach is computed ("full": stride * (in - 1) + span, longer by stride - 1 zeros), of
    which SAME and VALID keep `out` from `(full - out) // 2` or 0. With known sizes ONNX's `pads` cut, else a Slice.
    """
    layout, steps, spread = window.layout, window.strides, window.dilations
    n = layout.n
    kernel = _kernel(w, n)
    channels, taken = y.size(layout.channel), w.size(n + 1)
    if channels is not None and taken is not None and channels != taken:
        raise Refusal(f"the filter takes {taken} channels, {channels} come")
    result = sizes.array
    inner_channels = w.size(n)
    if result is not None and inner_channels and len(result) == n + 2 and result[layout.channel] != inner_channels:
        if result[layout.channel] % inner_channels:
            raise Refusal(f"{result[layout.channel]} channels do not divide into groups of {inner_channels}")
        group = int(result[layout.channel]) // inner_channels
    attrs: dict[str, Any] = {"strides": steps, "kernel_shape": kernel, "group": group}
    if any(d != 1 for d in spread):
        attrs["dilations"] = spread
    spans = window.spans(kernel)
    filters = filters_first(g, w, n)
    entered = layout.enter(g, y)
    inner = [y.size(axis) for axis in layout.spatial]
    outer: list[int | None]
    if result is not None and len(result) in (n, n + 2):
        outer = [int(result[axis]) for axis in layout.spatial] if len(result) == n + 2 else [int(r) for r in result]
    else:
        outer = [None] * n
    if None not in inner and None not in outer:
        before, after, extra = [], [], []
        for i in range(n):
            full = (inner[i] or 0) * steps[i] - steps[i] + spans[i]
            out = outer[i] or 0
            start = _start(window, i, full, out)
            before.append(start)
            after.append(max(full - start - out, 0))
            extra.append(max(start + out - full, 0))
            if extra[-1] >= max(steps[i], spread[i]):
                raise Refusal(f"an output of {out} is longer than the input reaches")
        attrs |= {"pads": [*before, *after], "output_padding": extra}
        return layout.leave(g, g.op("ConvTranspose", entered, filters, **attrs))
    if window.padding == b"EXPLICIT":
        raise Refusal("a transposed convolution with explicit padding needs known sizes")
    attrs["output_padding"] = [s - 1 for s in steps]
    made = g.op("ConvTranspose", entered, filters, **attrs)
    if sizes.shape is not None and is_known(sizes.shape) and sizes.shape[0] == n:
        out_sizes = g.int64(sizes)
    else:
        out_sizes = g.op("Gather", g.int64(sizes), g.ints(list(layout.spatial)), axis=0)
    axes = list(range(2, n + 2))
    if window.padding == b"VALID":
        return layout.leave(g, g.slice(made, g.ints([0] * n), out_sizes, axes))
    # (in - 1) * stride + span is what the operator gave, less stride - 1.
    given = g.op("Gather", g.op("Shape", made, dtype=INT64), g.ints(axes), axis=0)
    full_sizes = g.op("Sub", given, g.ints([s - 1 for s in steps]))
    surplus = g.op("Max", g.op("Sub", full_sizes, out_sizes), g.ints([0]))
    starts = g.op("Div", surplus, g.ints([2]))
    return layout.leave(g, g.slice(made, starts, g.op("Add", starts, out_sizes), axes))


def _start(window: Window, i: int, full: int, out: int) -> int:
    """How much of the full result is cut at the beginning of spatial dimension `i`."""
    if window.padding == b"EXPLICIT":
        return int(window.explicit[2 * window.layout.spatial[i]])
    return max(full - out, 0) // 2 if window.padding == b"SAME" else 0


def _fused(convolved: Convolved) -> Lowering:
    """What optimizers of graphs write: a convolution, then BiasAdd or FusedBatchNorm, then an activation."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        w: Value,
        *args: Value,
        strides: list[int],
        padding: bytes,
        explicit_paddings: Sequence[int] = (),
        data_format: bytes = b"NHWC",
        filter_format: bytes = b"HWIO",
        dilations: Sequence[int] = (1,),
        fused_ops: Sequence[bytes] = (),
        epsilon: float = 0.0001,
        leakyrelu_alpha: float = 0.2,
        num_args: int = 0,
        num_host_args: int = 0,
    ) -> Value:
        if filter_format != b"HWIO" or num_host_args:
            raise Refusal("only filters in the order HWIO have a lowering to ONNX")
        window = window_of(layout_of(data_format, 2), strides, padding, explicit_paddings, dilations)
        made = convolved(g, x, w, window)
        return fused_tail(g, made, args, fused_ops, window.layout, epsilon, leakyrelu_alpha)

    return lower


def fused_tail(
    g: Builder,
    made: Value,
    args: Sequence[Value],
    fused_ops: Sequence[bytes],
    layout: Layout | None,
    epsilon: float,
    leakyrelu_alpha: float,
) -> Value:
    """What grappler fuses behind a convolution or product: bias or batch norm, a sum, an activation."""
    left = list(args)
    for name in fused_ops:
        takes = {b"BiasAdd": 1, b"Add": 1, b"FusedBatchNorm": 4}.get(name, 0)
        if len(left) < takes:
            raise Refusal(f"the fused ops take more than the {len(args)} values that are given")
        given, left = left[:takes], left[takes:]
        if name == b"BiasAdd":
            bias = given[0]
            if layout is not None and not layout.channels_last:
                bias = g.unsqueeze(bias, [1, 2])
            made = g.binary("Add", made, bias)
        elif name == b"Add":
            made = g.binary("Add", made, given[0])
        elif name == b"FusedBatchNorm" and layout is not None:
            entered = layout.enter(g, made)
            made = layout.leave(g, g.op("BatchNormalization", entered, *given, epsilon=float(epsilon)))
        elif name == b"LeakyRelu":
            made = g.unary("LeakyRelu", made, alpha=float(np.float32(leakyrelu_alpha)))
        else:
            made = activated(g, made, name)
    return made


def activated(g: Builder, x: Value, name: bytes) -> Value:
    """An activation without numbers of its own."""
    if name in (b"Elu", b"Relu", b"Sigmoid", b"Tanh"):
        return g.unary(name.decode(), x)
    if name == b"Relu6":
        return g.op("Clip", x, g.like(0, x), g.like(6, x), shape=x.shape)
    if name == b"GeluExact":
        inner = g.unary("Erf", g.binary("Div", x, g.like(np.sqrt(2), x)))
        return g.binary("Mul", g.binary("Mul", x, g.like(0.5, x)), g.binary("Add", inner, g.like(1, x)))
    if name == b"GeluApproximate":
        cube = g.binary("Mul", g.binary("Mul", x, x), x)
        bent = g.binary("Add", x, g.binary("Mul", cube, g.like(0.044715, x)))
        inner = g.unary("Tanh", g.binary("Mul", bent, g.like(np.sqrt(2 / np.pi), x)))
        return g.binary("Mul", g.binary("Mul", x, g.like(0.5, x)), g.binary("Add", inner, g.like(1, x)))
    raise Refusal(f"the fused op {name.decode('utf-8', 'replace')} has no lowering to ONNX")


def any_conv(
    g: Builder,
    step: Step,
    x: Value,
    w: Value,
    *,
    strides: list[int],
    padding: bytes,
    explicit_paddings: Sequence[int] = (),
    data_format: bytes = b"CHANNELS_LAST",
    dilations: Sequence[int] = (1,),
    batch_dims: int = 1,
    groups: int = 1,
) -> Value:
    """Of two or three dimensions, with several batch dimensions. `groups` follows from the shapes."""
    n = w.rank - 2
    if n not in DATA_FORMATS or batch_dims < 1 or x.rank != batch_dims + n + 1:
        raise Refusal(f"a convolution of {n} dimensions has no lowering to ONNX here")
    layout = Layout(n, data_format == b"CHANNELS_LAST")
    window = window_of(layout, strides, padding, explicit_paddings, list(dilations) or [1])
    if batch_dims == 1:
        return convolve(g, x, w, window)
    rest = (x.shape or ())[batch_dims:]
    lead = g.sizes(x, range(batch_dims))
    flat = g.reshape_to(x, g.concat([g.ints([-1]), g.sizes(x, range(batch_dims, x.rank))], 0, (n + 2,)), (None, *rest))
    made = convolve(g, flat, w, window)
    after = g.slice(g.op("Shape", made, dtype=INT64, shape=(n + 2,)), g.ints([1]), g.ints([1 << 62]), [0])
    shape = g.shapes[0] if g.shapes else None
    return g.reshape_to(made, g.concat([lead, after], 0, (x.rank,)), shape)


LOWERINGS: Table = {
    "Conv": any_conv,
    "Conv2D": _plain(2),
    "Conv3D": _plain(3),
    "DepthwiseConv2dNative": _plain(2, depthwise),
    "_FusedConv2D": _fused(convolve),
    "_FusedDepthwiseConv2dNative": _fused(depthwise),
}
