"""Lowerings of ops on pictures: resizing, and moving between space, depth and batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base.dtypes import FLOAT32, INT32, INT64, UINT8
from ...base.tensors import Array
from ...program.program import Step
from ..resampling import cubic, linear, nearest, positions
from .builder import Builder, Table
from .seen import crops
from .suppression import soft
from .values import Refusal, Value
from .windows import layout_of

COORDINATE_ERROR = 3e-7
"""How far the runtime's positions may lie from TensorFlow's before weights are computed here."""


# --- resizing


def _runtime_positions(size: int, out: int, align_corners: bool, half_pixel: bool) -> Array:
    """The same as ONNX Runtime computes it."""
    places = np.arange(out, dtype=np.float32)
    if align_corners:
        return places * np.float32(size - 1) / np.float32(out - 1) if out > 1 else places * 0
    scale = np.float32(out) / np.float32(size)
    return (places + np.float32(0.5)) / scale - np.float32(0.5) if half_pixel else places / scale


def _mode(align_corners: bool, half_pixel: bool) -> str:
    return "align_corners" if align_corners else "half_pixel" if half_pixel else "asymmetric"


def _target(g: Builder, size: Value) -> list[int] | None:
    return None if size.array is None else g.fixed_ints(size, "the size")


def _resize(g: Builder, x: Value, size: Value, **attrs: Any) -> Value:
    sizes = g.concat([g.sizes(x, [0]), g.reshape(g.int64(size), [2]), g.sizes(x, [3])], 0)
    return g.op("Resize", x, _NONE, _NONE, sizes, **attrs)


_NONE = Value("", FLOAT32)


def resize_bilinear(
    g: Builder, step: Step, x: Value, size: Value, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Value:
    """(N, H, W, C), always to float32. 1. positions agree: Resize; 2. known sizes: weighted rows, then columns."""
    x = g.cast(x, FLOAT32)
    out = _target(g, size)
    known = out is not None and x.shape is not None and None not in x.shape[1:3]
    if not known or out is None or x.shape is None:
        if x.rank != 4:
            raise Refusal("a picture needs 4 dimensions")
        return _resize(
            g, x, size, mode="linear", coordinate_transformation_mode=_mode(align_corners, half_pixel_centers)
        )
    sides = [(x.shape[1] or 0, out[0]), (x.shape[2] or 0, out[1])]
    if 0 in sides[0] or 0 in sides[1]:
        raise Refusal("an empty picture cannot be resized here")
    if all(a == b for a, b in sides):
        return x
    apart = max(
        float(
            np.abs(
                positions(a, b, align_corners, half_pixel_centers)
                - _runtime_positions(a, b, align_corners, half_pixel_centers)
            ).max()
        )
        for a, b in sides
    )
    if apart <= COORDINATE_ERROR:  # 1
        return _resize(
            g, x, size, mode="linear", coordinate_transformation_mode=_mode(align_corners, half_pixel_centers)
        )
    made = x  # 2
    for axis, (a, b) in zip((2, 1), reversed(sides), strict=True):
        if a == b:
            continue
        low, high, share = linear(a, b, align_corners, half_pixel_centers)
        weight = share.reshape([b if i == axis else 1 for i in range(4)])
        first = g.op("Gather", made, g.const(low, INT64), axis=axis)
        second = g.op("Gather", made, g.const(high, INT64), axis=axis)
        step_ = g.op("Mul", g.op("Sub", second, first), g.const(weight, FLOAT32))
        made = g.op("Add", first, step_)
    return made


def resize_nearest(
    g: Builder, step: Step, x: Value, size: Value, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Value:
    """(N, H, W, C). Rows and columns are picked by numbers computed as TensorFlow computes them."""
    if x.rank != 4 or x.shape is None:
        raise Refusal("a picture needs 4 dimensions")
    out = _target(g, size)
    made = x
    for i, axis in enumerate((1, 2)):
        here = x.shape[axis]
        if out is not None and here is not None:
            picked = nearest(here, out[i], align_corners, half_pixel_centers)
            if not np.array_equal(picked, np.arange(here)):
                made = g.op("Gather", made, g.const(picked, INT64), axis=axis)
            continue
        if align_corners:
            raise Refusal("resizing by corners needs known sizes")
        length = g.slice(g.int64(size), g.ints([i]), g.ints([i + 1]), [0])
        count = g.sizes(x, [axis])
        scale = g.op("Div", g.cast(count, FLOAT32), g.cast(length, FLOAT32))
        places = g.op("Range", g.const(0, INT64), g.squeeze(length, [0]), g.const(1, INT64), shape=(None,))
        moved = g.cast(places, FLOAT32)
        if half_pixel_centers:
            moved = g.op("Add", moved, g.const(0.5, FLOAT32))
        index = g.cast(g.op("Floor", g.op("Mul", moved, scale)), INT64)
        last = g.op("Sub", count, g.ints([1]))
        made = g.op("Gather", made, g.op("Min", index, last), axis=axis)
    return _upscaled(g, x, made, out, align_corners, half_pixel_centers)


def _upscaled(
    g: Builder, x: Value, picked: Value, out: list[int] | None, align_corners: bool, half_pixel: bool
) -> Value:
    """The runtime's Resize in place of two Gathers where it picks the same: whole factors, which it is fast at."""
    shape = x.shape
    if out is None or shape is None or align_corners or x.dtype not in (FLOAT32, INT32):
        return picked
    for here, there in zip(shape[1:3], out, strict=True):
        if not here or there % here:
            return picked
        if not np.array_equal(nearest(here, there, False, half_pixel), np.arange(there) // (there // here)):
            return picked
    if picked.name == x.name:
        return x
    del g.nodes[-sum(a != b for a, b in zip(shape[1:3], out, strict=True)) :]
    factors = [1.0, out[0] / (shape[1] or 1), out[1] / (shape[2] or 1), 1.0]
    return g.op(
        "Resize",
        x,
        _NONE,
        g.const(factors, FLOAT32),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def resize_bicubic(
    g: Builder, step: Step, x: Value, size: Value, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Value:
    """(N, H, W, C), always to float32: of each row, then of each column, four weighted pixels."""
    made = g.cast(x, FLOAT32)
    out = _target(g, size)
    if out is None or x.shape is None or len(x.shape) != 4 or None in x.shape[1:3] or 0 in x.shape[1:3]:
        raise Refusal("bicubic resizing needs known sizes")
    for axis, target in ((2, out[1]), (1, out[0])):
        indices, weights = cubic(x.shape[axis] or 1, target, align_corners, half_pixel_centers)
        wide = [target if i == axis else 1 for i in range(4)]
        parts = []
        for tap in range(4):
            picked = g.op("Gather", made, g.const(indices[:, tap], INT64), axis=axis)
            parts.append(g.op("Mul", picked, g.const(weights[:, tap].reshape(wide), FLOAT32)))
        made = g.op("Sum", *parts)
    return made


def crop_and_resize(
    g: Builder,
    step: Step,
    x: Value,
    boxes: Value,
    numbers: Value,
    size: Value,
    *,
    method: bytes = b"bilinear",
    extrapolation_value: float = 0.0,
) -> Value:
    """(N, H, W, C), boxes (B, 4) as shares of height and width."""
    if method != b"bilinear" or x.dtype not in (FLOAT32, UINT8):
        return crops(g, x, boxes, numbers, size, method, extrapolation_value)
    entered = g.transpose(g.cast(x, FLOAT32), [0, 3, 1, 2])
    made = g.microsoft(
        "CropAndResize",
        entered,
        boxes,
        numbers,
        size,
        mode="bilinear",
        extrapolation_value=float(np.float32(extrapolation_value)),
        shape=(boxes.size(0), x.size(3), None, None),
    )
    return g.transpose(made, [0, 2, 3, 1])


def adjust_contrast(g: Builder, step: Step, x: Value, factor: Value) -> Value:
    """(..., H, W, C): away from the mean of each channel."""
    rank = x.rank
    mean = g.op("ReduceMean", x, g.ints([rank - 3, rank - 2]), keepdims=1)
    return g.op("Add", g.op("Mul", g.op("Sub", x, mean), factor), mean, shape=x.shape)


# --- space, depth and batch


def depth_to_space(g: Builder, step: Step, x: Value, *, block_size: int, data_format: bytes = b"NHWC") -> Value:
    layout = layout_of(data_format, 2)
    return layout.leave(g, g.op("DepthToSpace", layout.enter(g, x), blocksize=block_size, mode="DCR"))


def space_to_depth(g: Builder, step: Step, x: Value, *, block_size: int, data_format: bytes = b"NHWC") -> Value:
    layout = layout_of(data_format, 2)
    return layout.leave(g, g.op("SpaceToDepth", layout.enter(g, x), blocksize=block_size))


Size = int | Value


def _sizes(g: Builder, x: Value) -> list[Size]:
    """The sizes of all dimensions: numbers where known, else int64 vectors of one item."""
    return [size if size is not None else g.sizes(x, [axis]) for axis, size in enumerate(x.shape or ())]


def _times(g: Builder, a: Size, b: int) -> Size:
    return a * b if isinstance(a, int) else g.op("Mul", a, g.ints([b]))


def _over(g: Builder, a: Size, b: int) -> Size:
    return a // b if isinstance(a, int) else g.op("Div", a, g.ints([b]))


def _shaped(g: Builder, x: Value, sizes: Sequence[Size]) -> Value:
    if all(isinstance(size, int) for size in sizes):
        return g.reshape(x, [size for size in sizes if isinstance(size, int)])
    parts = [g.ints([size]) if isinstance(size, int) else size for size in sizes]
    shape = tuple(size if isinstance(size, int) else None for size in sizes)
    return g.reshape_to(x, g.concat(parts, 0), shape)


def space_to_batch_nd(g: Builder, step: Step, x: Value, block_shape: Value, paddings: Value) -> Value:
    """Pad, cut each dimension into (size / block, block), bring the blocks to the front."""
    return _space_to_batch(g, x, g.fixed_ints(block_shape, "block_shape"), g.fixed(paddings, "paddings"))


def space_to_batch(g: Builder, step: Step, x: Value, paddings: Value, *, block_size: int) -> Value:
    return _space_to_batch(g, x, [block_size, block_size], g.fixed(paddings, "paddings"))


def _space_to_batch(g: Builder, x: Value, block: list[int], pads: Array) -> Value:
    count, rank = len(block), x.rank
    if pads.any():
        before = [0, *(int(p) for p in pads[:, 0]), *[0] * (rank - count - 1)]
        after = [0, *(int(p) for p in pads[:, 1]), *[0] * (rank - count - 1)]
        grown = [
            None if size is None else size + b + a for size, b, a in zip(x.shape or (), before, after, strict=True)
        ]
        x = g.op("Pad", x, g.ints([*before, *after]), mode="constant", shape=tuple(grown))
    sizes = _sizes(g, x)
    cut: list[Size] = [sizes[0]]
    for i, b in enumerate(block):
        size = sizes[i + 1]
        if isinstance(size, int) and size % b:
            raise Refusal(f"a dimension of {size} does not divide into blocks of {b}")
        cut += [_over(g, size, b), b]
    cut += sizes[count + 1 :]
    order = [*range(2, 2 * count + 1, 2), 0, *range(1, 2 * count, 2), *range(2 * count + 1, rank + count)]
    moved = g.transpose(_shaped(g, x, cut), order)
    ends: list[Size] = [_times(g, sizes[0], int(np.prod(block)))]
    ends += [cut[2 * i + 1] for i in range(count)] + sizes[count + 1 :]
    return _shaped(g, moved, ends)


def batch_to_space_nd(g: Builder, step: Step, x: Value, block_shape: Value, crops: Value) -> Value:
    """The reverse: blocks from the front of the batch between the dimensions, then cut."""
    return _batch_to_space(g, x, g.fixed_ints(block_shape, "block_shape"), g.fixed(crops, "crops"))


def batch_to_space(g: Builder, step: Step, x: Value, crops: Value, *, block_size: int) -> Value:
    return _batch_to_space(g, x, [block_size, block_size], g.fixed(crops, "crops"))


def _batch_to_space(g: Builder, x: Value, block: list[int], crops: Array) -> Value:
    count, rank = len(block), x.rank
    sizes = _sizes(g, x)
    batch = _over(g, sizes[0], int(np.prod(block)))
    order = [count]
    for i in range(count):
        order += [count + 1 + i, i]
    order += range(2 * count + 1, rank + count)
    moved = g.transpose(_shaped(g, x, [*block, batch, *sizes[1:]]), order)
    ends: list[Size] = [batch, *(_times(g, sizes[i + 1], b) for i, b in enumerate(block)), *sizes[count + 1 :]]
    made = _shaped(g, moved, ends)
    if not crops.any():
        return made
    starts = [int(c) for c in crops[:, 0]]
    stops = [-int(c) or np.iinfo(np.int64).max for c in crops[:, 1]]
    return g.slice(made, g.ints(starts), g.ints(stops), list(range(1, count + 1)))


def non_max_suppression(
    g: Builder,
    boxes: Value,
    scores: Value,
    most: Value,
    overlap: Value | None,
    threshold: Value | None,
) -> Value:
    """The numbers of the boxes kept, best first, as int32."""
    if boxes.dtype != FLOAT32 or scores.dtype != FLOAT32:
        raise Refusal("ONNX Runtime suppresses boxes of float32 only")
    wide = g.unsqueeze(boxes, [0])
    rows = g.unsqueeze(g.unsqueeze(scores, [0]), [0])
    inputs = [wide, rows, g.reshape(g.int64(most), [1])]
    inputs.append(_NONE if overlap is None else g.reshape(overlap, [1]))
    inputs.append(_NONE if threshold is None else g.reshape(threshold, [1]))
    found = g.op("NonMaxSuppression", *inputs, dtype=INT64, shape=(None, 3), center_point_box=0)
    return g.cast(g.op("Gather", found, g.const(2, INT64), axis=1, shape=(None,)), INT32)


def non_max_suppression_v1(
    g: Builder, step: Step, boxes: Value, scores: Value, most: Value, *, iou_threshold: float = 0.5
) -> Value:
    return non_max_suppression(g, boxes, scores, most, g.const(iou_threshold, FLOAT32), None)


def non_max_suppression_v2(g: Builder, step: Step, boxes: Value, scores: Value, most: Value, overlap: Value) -> Value:
    return non_max_suppression(g, boxes, scores, most, overlap, None)


def non_max_suppression_v3(
    g: Builder, step: Step, boxes: Value, scores: Value, most: Value, overlap: Value, threshold: Value
) -> Value:
    return non_max_suppression(g, boxes, scores, most, overlap, threshold)


def non_max_suppression_v4(
    g: Builder,
    step: Step,
    boxes: Value,
    scores: Value,
    most: Value,
    overlap: Value,
    threshold: Value,
    *,
    pad_to_max_output_size: bool = False,
) -> list[Value]:
    """Padded with zeros to the most boxes when asked for; the second output counts those that are real."""
    found = non_max_suppression(g, boxes, scores, most, overlap, threshold)
    count = g.op("Size", found, dtype=INT64, shape=())
    if pad_to_max_output_size:
        lacking = g.op("Sub", g.reshape(g.int64(most), [1]), g.unsqueeze(count, [0]))
        found = g.op("Pad", found, g.concat([g.ints([0]), lacking], 0), mode="constant")
    return [found, g.cast(count, INT32)]


def non_max_suppression_v5(
    g: Builder,
    step: Step,
    boxes: Value,
    scores: Value,
    most: Value,
    overlap: Value,
    threshold: Value,
    sigma: Value,
    *,
    pad_to_max_output_size: bool = False,
) -> list[Value]:
    """Numbers and scores of the boxes kept, and how many are real."""
    by = float(g.fixed(sigma, "soft_nms_sigma"))
    if by:
        return soft(g, boxes, scores, most, overlap, threshold, by, pad_to_max_output_size)
    found = non_max_suppression(g, boxes, scores, most, overlap, threshold)
    kept = g.op("Gather", scores, found, axis=0, shape=(None,))
    count = g.op("Size", found, dtype=INT64, shape=())
    if pad_to_max_output_size:
        lacking = g.op("Sub", g.reshape(g.int64(most), [1]), g.unsqueeze(count, [0]))
        pads = g.concat([g.ints([0]), lacking], 0)
        found, kept = g.op("Pad", found, pads, mode="constant"), g.op("Pad", kept, pads, mode="constant")
    return [found, kept, g.cast(count, INT32)]


LOWERINGS: Table = {
    "AdjustContrastv2": adjust_contrast,
    "BatchToSpace": batch_to_space,
    "BatchToSpaceND": batch_to_space_nd,
    "CropAndResize": crop_and_resize,
    "DepthToSpace": depth_to_space,
    "NonMaxSuppression": non_max_suppression_v1,
    "NonMaxSuppressionV2": non_max_suppression_v2,
    "NonMaxSuppressionV3": non_max_suppression_v3,
    "NonMaxSuppressionV4": non_max_suppression_v4,
    "NonMaxSuppressionV5": non_max_suppression_v5,
    "ResizeBicubic": resize_bicubic,
    "ResizeBilinear": resize_bilinear,
    "ResizeNearestNeighbor": resize_nearest,
    "SpaceToBatch": space_to_batch,
    "SpaceToBatchND": space_to_batch_nd,
    "SpaceToDepth": space_to_depth,
}
