"""Lowerings of the gradients of pools: of the largest by the places that the runtime's own pool tells, of averages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .conv import transposed
from .faults import POOLED_PLACES, must_be_right
from .values import Refusal, Value, limits
from .windows import DATA_FORMATS, Layout, Window, layout_of, window_of

Use = Callable[[Builder, Window, Sequence[int], Value, Value, Value], Value]


def _pooled(g: Builder, x: Value, window: Window, ksize: Sequence[int]) -> tuple[Value, Value, dict[str, Any]]:
    """The largest of each window, (N, C, *out), where among all elements the first of them is, and the window as the
    runtime has it. The number of pictures may be unknown."""
    if x.dtype not in (FLOAT32, FLOAT64) or x.shape is None or None in x.shape[1:] or 0 in x.shape:
        raise Refusal("the places of the largest need floats of a known shape")
    layout = window.layout
    kernel = layout.pick(ksize, "ksize")
    attrs = window.pool_attrs(x, kernel)
    if any(attrs.get("pads", [])):
        must_be_right(POOLED_PLACES)
    attrs["kernel_shape"] = kernel
    # The runtime names no place in a window that is all NaN or minus infinity.
    least = np.nextafter(np.asarray(limits(x.dtype)[0], x.dtype.numpy), 0)
    some = g.binary("Greater", x, g.like(float(least), x), BOOL)
    held = g.where(some, x, g.like(float(least), x), x.shape)
    best, position = g.ops("MaxPool", layout.enter(g, held), dtypes=[x.dtype, INT64], **attrs)
    return best, position, attrs


def _places(g: Builder, x: Value, window: Window, ksize: Sequence[int]) -> tuple[Value, Value]:
    """The largest of each window, and where in its plane the first of them is: (N, C, *out)."""
    best, position, _ = _pooled(g, x, window, ksize)
    return window.layout.leave(g, best), g.binary("Mod", position, g.const(_plane(x, window.layout), INT64))


def _plane(x: Value, layout: Layout) -> int:
    return int(np.prod([x.size(axis) or 0 for axis in layout.spatial]))


def _whole(g: Builder, layout: Layout, flat: Value, like: Value) -> Value:
    """(N * C, space) in the shape of a value."""
    space = [like.size(axis) or 0 for axis in layout.spatial]
    many = like.size(0)
    shape = [-1 if many is None else many, like.size(layout.channel) or 0, *space]
    return layout.leave(g, g.reshape(flat, shape))


def _spread(g: Builder, window: Window, ksize: Sequence[int], x: Value, y: Value, dy: Value) -> Value:
    """Each gradient added to the place that its window took; put there, where windows do not overlap."""
    layout, kernel = window.layout, window.layout.pick(ksize, "ksize")
    is_apart = all(stride >= size for stride, size in zip(window.strides, kernel, strict=True))
    if is_apart and x.dtype == FLOAT32 and window.padding != b"EXPLICIT":
        _, position, attrs = _pooled(g, x, window, ksize)
        first = layout.enter(g, x)
        made = g.op("MaxUnpool", layout.enter(g, dy), position, g.shape_of(first), shape=first.shape, **attrs)
        return layout.leave(g, made)
    _, places = _places(g, x, window, ksize)
    planes = _planes(g, layout, x)
    zeros = g.op("Expand", g.const(0, dy.dtype), g.shape_of(planes), shape=planes.shape)
    if dy.shape is None or None in dy.shape[1:]:
        raise Refusal("the shape of the pool's output is not known")
    index = g.reshape(places, [-1, _plane(dy, layout)])
    made = g.op("ScatterElements", zeros, index, _planes(g, layout, dy), axis=1, reduction="add", shape=planes.shape)
    return _whole(g, layout, made, x)


def _planes(g: Builder, layout: Layout, x: Value) -> Value:
    """(N * C, space)."""
    return g.reshape(layout.enter(g, x), [-1, _plane(x, layout)])


def _pick(g: Builder, window: Window, ksize: Sequence[int], x: Value, y: Value, grad: Value) -> Value:
    """The gradient at the place that each window took; 0 where that is not what the pool is said to have given."""
    if x.shape is None or None in x.shape:
        raise Refusal("the places of the largest need floats of a known shape")
    layout = window.layout
    best, places = _places(g, x, window, ksize)
    many = (x.size(0) or 0) * (x.size(layout.channel) or 0)
    made = g.op("GatherElements", _planes(g, layout, grad), g.reshape(places, [many, -1]), axis=1)
    if g.shapes[0] is None or None in g.shapes[0]:
        raise Refusal("the shape of the pool's output is not known")
    picked = _whole(g, layout, made, Value("", x.dtype, g.shapes[0]))
    return g.where(g.binary("Equal", best, y, BOOL), picked, g.like(0, grad), g.shapes[0])


def _of_windows(n: int, use: Use) -> Lowering:
    """The lowering for `n` spatial dimensions: of the gradient, or of the gradient of that."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        y: Value,
        grad: Value,
        *,
        ksize: list[int],
        strides: list[int],
        padding: bytes,
        explicit_paddings: Sequence[int] = (),
        data_format: bytes = DATA_FORMATS[n],
    ) -> Value:
        window = window_of(layout_of(data_format, n), strides, padding, explicit_paddings)
        return use(g, window, ksize, x, y, grad)

    return lower


def _of_windows_v2(use: Use) -> Lowering:
    def lower(
        g: Builder,
        step: Step,
        x: Value,
        y: Value,
        grad: Value,
        ksize: Value,
        strides: Value,
        *,
        padding: bytes,
        data_format: bytes = b"NHWC",
    ) -> Value:
        layout = layout_of(data_format, 2)
        sizes, steps = g.fixed_ints(ksize, "ksize"), g.fixed_ints(strides, "strides")
        return use(g, window_of(layout, steps, padding), sizes, x, y, grad)

    return lower


def _by_argmax(use: Callable[[Builder, Value, Value, Value], Value]) -> Lowering:
    """With the places that MaxPoolWithArgmax gave: (y * W + x) * C + c, the picture counted or not."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        grad: Value,
        argmax: Value,
        *,
        ksize: list[int],
        strides: list[int],
        padding: bytes,
        include_batch_in_index: bool = False,
    ) -> Value:
        if x.shape is None or None in x.shape or 0 in x.shape or x.dtype not in (FLOAT32, FLOAT64):
            raise Refusal("the places of the largest need floats of a known shape")
        flat = g.reshape(g.int64(argmax), [x.shape[0] or 0, -1])
        each = int(np.prod([size or 0 for size in x.shape[1:]]))
        if include_batch_in_index:
            flat = g.binary("Mod", flat, g.const(each, INT64))
        return use(g, x, flat, grad)

    return lower


def _spread_flat(g: Builder, x: Value, places: Value, grad: Value) -> Value:
    shape = [size or 0 for size in x.shape or ()]
    zeros = g.op("Expand", g.const(0, grad.dtype), g.ints([shape[0], int(np.prod(shape[1:]))]))
    rows = g.reshape(grad, [shape[0], -1])
    return g.reshape(g.op("ScatterElements", zeros, places, rows, axis=1, reduction="add"), shape)


def _pick_flat(g: Builder, x: Value, places: Value, grad: Value) -> Value:
    shape = g.shapes[0]
    if shape is None or None in shape:
        raise Refusal("the shape of the pool's output is not known")
    rows = g.reshape(grad, [x.size(0) or 0, -1])
    return g.reshape(g.op("GatherElements", rows, places, axis=1), [size or 0 for size in shape])


# --- of averages


def _average(n: int) -> Lowering:
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
        data_format: bytes = DATA_FORMATS[n],
    ) -> Value:
        window = window_of(layout_of(data_format, n), strides, padding)
        layout, kernel = window.layout, window.layout.pick(ksize, "ksize")
        shape = g.fixed_ints(sizes, "the shape of the input")
        space = [shape[axis] for axis in layout.spatial]
        out = [dy.size(axis) or 0 for axis in layout.spatial]
        if 0 in (*out, *shape):
            raise Refusal("the gradient of a pool needs known sizes")
        counts = window.counts(space, kernel, out)
        part = g.binary("Mul", layout.enter(g, dy), g.const(1 / counts, dy.dtype))
        flat = g.reshape(part, [-1, 1, *out])
        ones = g.const(np.ones([*kernel, 1, 1]), dy.dtype)
        made = transposed(g, g.ints([1, 1, *space]), ones, flat, replace(window, layout=Layout(n, channels_last=False)))
        return layout.leave(g, g.reshape(made, [shape[0], shape[layout.channel], *space]))

    return lower


LOWERINGS: Table = {
    "AvgPool3DGrad": _average(3),
    "AvgPoolGrad": _average(2),
    "MaxPool3DGradGrad": _of_windows(3, _pick),
    "MaxPoolGrad": _of_windows(2, _spread),
    "MaxPoolGradGrad": _of_windows(2, _pick),
    "MaxPoolGradGradV2": _of_windows_v2(_pick),
    "MaxPoolGradGradWithArgmax": _by_argmax(_pick_flat),
    "MaxPoolGradV2": _of_windows_v2(_spread),
    "MaxPoolGradWithArgmax": _by_argmax(_spread_flat),
}
