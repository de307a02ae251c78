"""Lowerings of pools: average and maximum, in two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.dtypes import INT64, DType
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .values import Refusal, Value
from .windows import DATA_FORMATS, Layout, layout_of, window_of


def _pool(
    g: Builder,
    op: str,
    x: Value,
    layout: Layout,
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    explicit: Sequence[int] = (),
) -> Value:
    kernel = layout.pick(ksize, "ksize")
    attrs = window_of(layout, strides, padding, explicit).pool_attrs(x, kernel)
    if op == "AveragePool":
        attrs["count_include_pad"] = 0  # TensorFlow's average leaves padding out
    return layout.leave(g, g.op(op, layout.enter(g, x), kernel_shape=kernel, **attrs))


def _average(n: int) -> Lowering:
    """For `n` spatial dimensions: (N, H, W, C) or (N, D, H, W, C)."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        *,
        ksize: list[int],
        strides: list[int],
        padding: bytes,
        data_format: bytes = DATA_FORMATS[n],
    ) -> Value:
        return _pool(g, "AveragePool", x, layout_of(data_format, n), ksize, strides, padding)

    return lower


def _largest(n: int) -> Lowering:
    def lower(
        g: Builder,
        step: Step,
        x: Value,
        *,
        ksize: list[int],
        strides: list[int],
        padding: bytes,
        explicit_paddings: Sequence[int] = (),
        data_format: bytes = DATA_FORMATS[n],
    ) -> Value:
        return _pool(g, "MaxPool", x, layout_of(data_format, n), ksize, strides, padding, explicit_paddings)

    return lower


def max_pool_v2(
    g: Builder,
    step: Step,
    x: Value,
    ksize: Value,
    strides: Value,
    *,
    padding: bytes,
    data_format: bytes = b"NHWC",
) -> Value:
    """(N, H, W, C); window and strides are constant inputs."""
    window, steps = g.fixed_ints(ksize, "ksize"), g.fixed_ints(strides, "strides")
    return _pool(g, "MaxPool", x, layout_of(data_format, 2), window, steps, padding)


def max_pool_with_argmax(
    g: Builder,
    step: Step,
    x: Value,
    *,
    ksize: list[int],
    strides: list[int],
    padding: bytes,
    Targmax: DType = INT64,
    include_batch_in_index: bool = False,
) -> list[Value | None]:
    """(N, H, W, C). ONNX counts positions in (N, C, H, W); ours go through (y * W + x) * C + c."""
    layout = layout_of(b"NHWC", 2)
    if x.shape is None or None in x.shape[1:]:
        raise Refusal("positions of maxima need a known height, width and number of channels")
    _, height, width, channels = (size or 0 for size in x.shape)
    kernel = layout.pick(ksize, "ksize")
    attrs = window_of(layout, strides, padding).attrs(x, kernel)
    best, position = g.ops("MaxPool", layout.enter(g, x), dtypes=[x.dtype, INT64], kernel_shape=kernel, **attrs)
    plane = g.const(height * width, INT64)
    place = g.op("Mod", position, plane)
    index = g.op("Div", position, plane)  # n * C + c
    many = g.const(channels, INT64)
    channel = g.op("Mod", index, many)
    flat = g.op("Add", g.op("Mul", place, many), channel)
    if include_batch_in_index:
        batch = g.op("Div", index, many)
        flat = g.op("Add", flat, g.op("Mul", batch, g.const(height * width * channels, INT64)))
    return [layout.leave(g, best), g.cast(layout.leave(g, flat), Targmax)]


LOWERINGS: Table = {
    "AvgPool": _average(2),
    "AvgPool3D": _average(3),
    "MaxPool": _largest(2),
    "MaxPool3D": _largest(3),
    "MaxPoolV2": max_pool_v2,
    "MaxPoolWithArgmax": max_pool_with_argmax,
}
