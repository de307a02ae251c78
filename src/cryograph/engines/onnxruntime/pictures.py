"""Lowerings of contrast, of convolutions of padded pictures, of dilations, and of suppression within classes."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64
from ...program.program import Step
from .builder import Builder, Table
from .conv import convolve
from .images import resize_bilinear
from .slices import mirror_pad
from .values import Refusal, Value
from .windows import layout_of, window_of


def adjust_contrast_v1(g: Builder, step: Step, x: Value, factor: Value, low: Value, high: Value) -> Value:
    """Away from the mean of each channel, within two values."""
    made = g.cast(x, FLOAT32)
    rank = x.rank
    mean = g.op("ReduceMean", made, g.ints([rank - 3, rank - 2]), keepdims=1)
    grown = g.op("Add", g.op("Mul", g.op("Sub", made, mean), factor), mean, shape=x.shape)
    return g.op("Min", g.op("Max", grown, low, shape=x.shape), high, shape=x.shape)


def pad_conv(
    g: Builder,
    step: Step,
    x: Value,
    paddings: Value,
    w: Value,
    *,
    mode: bytes,
    strides: list[int],
    padding: bytes,
) -> Value:
    pairs = g.fixed(paddings, "paddings").reshape(-1, 2)
    padded = mirror_pad(g, step, x, paddings, mode=mode) if pairs.any() else x
    shape = None
    if x.shape is not None:
        shape = tuple(None if n is None else n + int(sum(p)) for n, p in zip(x.shape, pairs.tolist(), strict=True))
    held = Value(padded.name, x.dtype, shape, padded.tensor)
    return convolve(g, held, w, window_of(layout_of(b"NHWC", 2), strides, padding))


def resize_pad_conv(
    g: Builder,
    step: Step,
    x: Value,
    size: Value,
    paddings: Value,
    w: Value,
    *,
    resize_align_corners: bool = False,
    mode: bytes,
    strides: list[int],
    padding: bytes,
) -> Value:
    resized = resize_bilinear(g, step, x, size, align_corners=resize_align_corners)
    target = g.fixed_ints(size, "the size")
    held = Value(resized.name, FLOAT32, (x.size(0), *target, x.size(3)), resized.tensor)
    return pad_conv(g, step, held, paddings, w, mode=mode, strides=strides, padding=padding)


MAX_WINDOW = 64
"""Elements of a filter up to which each gets a sum of its own."""


def dilation(
    g: Builder, step: Step, x: Value, w: Value, *, strides: list[int], rates: list[int], padding: bytes
) -> Value:
    """The largest sum of a window and the filter (H, W, C): one sum for each element of the filter."""
    layout = layout_of(b"NHWC", 2)
    if x.dtype not in (FLOAT32, FLOAT64) or w.shape is None or None in w.shape or len(w.shape) != 3:
        raise Refusal(f"{step.op} on {x.dtype} has no lowering to ONNX")
    height, width = x.size(1), x.size(2)
    if x.rank != 4 or not height or not width:
        raise Refusal(f"{step.op} needs a known height and width")
    sizes = [size or 0 for size in w.shape[:2]]
    window = window_of(layout, strides, padding, dilations=rates)
    steps, gaps = window.strides, window.dilations
    if not 0 < sizes[0] * sizes[1] <= MAX_WINDOW:
        raise Refusal(f"a dilation by a filter of {sizes} has no lowering to ONNX")
    spans = window.spans(sizes)
    begins, ends = window.pads((height, width), sizes)
    padded = x
    if any(begins) or any(ends):
        pads = g.ints([0, *begins, 0, 0, *ends, 0])
        padded = g.op("Pad", x, pads, g.like(-np.inf, x), mode="constant")
    out = [
        (n + a + b - span) // s + 1
        for n, a, b, span, s in zip((height, width), begins, ends, spans, steps, strict=True)
    ]
    if min(out) <= 0:
        raise Refusal("the filter does not fit the picture")
    shape = (x.size(0), *out, x.size(3))
    made: Value | None = None
    for row in range(sizes[0]):
        for column in range(sizes[1]):
            at = [row * gaps[0], column * gaps[1]]
            stops = [a + (o - 1) * s + 1 for a, o, s in zip(at, out, steps, strict=True)]
            part = g.slice(padded, g.ints(at), g.ints(stops), [1, 2], g.ints(steps))
            line = g.op("Gather", w, g.const(row, INT64), axis=0, shape=w.shape[1:])
            weight = g.op("Gather", line, g.const(column, INT64), axis=0, shape=w.shape[2:])
            total = g.op("Add", part, weight, shape=shape)
            made = total if made is None else g.op("Max", made, total, shape=shape)
    if made is None:
        raise Refusal("the filter has no elements")
    return made


def combined_suppression(
    g: Builder,
    step: Step,
    boxes: Value,
    scores: Value,
    per_class: Value,
    total: Value,
    iou: Value,
    threshold: Value,
    *,
    pad_per_class: bool = False,
    clip_boxes: bool = True,
) -> list[Value]:
    """Suppression within each class; what is kept keeps its score in a table (batch, class, box) of which the best are
    taken."""
    if boxes.dtype != FLOAT32 or boxes.rank != 4 or scores.rank != 3:
        raise Refusal("ONNX Runtime suppresses boxes of float32 only")
    batch, count, classes, own = boxes.size(0), boxes.size(1), scores.size(2), boxes.size(2)
    if not batch or not count or not classes or own not in (1, classes):
        raise Refusal("suppression in classes needs known sizes")
    (most,), (wanted,) = g.fixed_ints(per_class, "the most of a class"), g.fixed_ints(total, "the most in all")
    if most <= 0 or wanted <= 0:
        raise Refusal("the limits are not positive")
    size = min(wanted, most * classes) if pad_per_class else wanted
    turned = g.transpose(scores, [0, 2, 1])  # (batch, class, box)
    shape = (batch, classes, count)
    if own == 1:
        wide, rows = g.reshape(boxes, [batch, count, 4]), turned
    else:
        wide = g.reshape(g.transpose(boxes, [0, 2, 1, 3]), [batch * classes, count, 4])
        rows = g.reshape(turned, [batch * classes, 1, count])
    limits = [g.reshape(value, [1]) for value in (iou, threshold)]
    found = g.op("NonMaxSuppression", wide, rows, g.ints([most]), *limits, dtype=INT64, shape=(None, 3))
    nothing = g.const(np.full(rows.shape or shape, -np.inf, np.float32), FLOAT32)
    kept = g.op("ScatterND", nothing, found, g.op("GatherND", rows, found, shape=(None,)), shape=rows.shape)
    flat = g.reshape(kept, [batch, classes * count])
    lacking = size - classes * count
    if lacking > 0:
        pads = g.ints([0, 0, 0, lacking])
        flat = g.op("Pad", flat, pads, g.const(-np.inf, FLOAT32), mode="constant", shape=(batch, size))
    best, places = g.ops(
        "TopK", flat, g.ints([size]), dtypes=[FLOAT32, INT64], shapes=[(batch, size)] * 2, axis=-1, largest=1, sorted=1
    )
    real = g.binary("Greater", best, g.const(-np.inf, FLOAT32), BOOL)
    held = g.where(real, places, g.const(0, INT64), (batch, size))
    many = g.const(count, INT64)
    label, number = g.binary("Div", held, many), g.binary("Mod", held, many)
    first = g.const(np.repeat(np.arange(batch)[:, None], size, 1), INT64)
    third = g.const(np.zeros((batch, size)), INT64) if own == 1 else label
    index = g.op("Concat", *(g.unsqueeze(part, [2]) for part in (first, number, third)), axis=2)
    taken = g.op("GatherND", boxes, index, shape=(batch, size, 4))
    if clip_boxes:
        taken = g.op("Clip", taken, g.const(0, FLOAT32), g.const(1, FLOAT32), shape=taken.shape)
    zero = g.const(0, FLOAT32)
    counted = g.op("ReduceSum", g.cast(real, INT64), g.ints([1]), keepdims=0, shape=(batch,))
    return [
        g.where(g.unsqueeze(real, [2]), taken, zero, (batch, size, 4)),
        g.where(real, best, zero, (batch, size)),
        g.where(real, g.cast(label, FLOAT32), zero, (batch, size)),
        g.cast(counted, INT32),
    ]


LOWERINGS: Table = {
    "AdjustContrast": adjust_contrast_v1,
    "CombinedNonMaxSuppression": combined_suppression,
    "Dilation2D": dilation,
    "FusedPadConv2D": pad_conv,
    "FusedResizeAndPadConv2D": resize_pad_conv,
}
