"""Lowerings of the gradients that graphs for training and saliency hold, beside those of losses, windows, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, INT64, UINT8
from ...base.shapes import is_known, known
from ...base.tensors import Array
from ...program.program import Step
from .builder import SMALL, Builder, Table
from .elementwise import floats_only
from .slices import reversed_along
from .values import Refusal, Value
from .windows import Layout, layout_of


def broadcast_gradient_args(g: Builder, step: Step, a: Value, b: Value) -> list[Value]:
    """The axes at which either shape has 1; none when they are the same."""
    lengths = [x.size(0) for x in (a, b)]
    if None in lengths:
        raise Refusal("the ranks are not known")
    rank = max(length or 0 for length in lengths)
    if not rank:
        return [g.const(np.zeros(0), a.dtype)] * 2
    made = []
    for x, length in zip((a, b), lengths, strict=True):
        ones = g.const(np.ones(rank - (length or 0)), a.dtype)
        made.append(g.concat([ones, x], 0, (rank,)) if ones.size(0) else x)
    flags = [g.binary("Equal", x, g.const(1, a.dtype), BOOL) for x in made]
    if lengths[0] == lengths[1]:
        equal = g.cast(g.binary("Equal", made[0], made[1], BOOL), UINT8)
        apart = g.unary("Not", g.cast(g.op("ReduceMin", equal, g.ints([0]), keepdims=1, shape=(1,)), BOOL))
        flags = [g.binary("And", flag, apart, BOOL) for flag in flags]
    found = [g.op("NonZero", flag, dtype=INT64, shape=(1, None)) for flag in flags]
    return [g.cast(g.reshape(x, [-1]), a.dtype) for x in found]


def concat_offset(g: Builder, step: Step, axis: Value, *shapes: Value) -> list[Value]:
    """Where each part of a concatenation begins: the sizes before it along the axis, 0 along all others."""
    length = shapes[0].size(0)
    if length is None:
        raise Refusal("the rank is not known")
    (where,) = g.axes(axis, length)
    along = g.const(np.arange(length) == where, shapes[0].dtype)
    made = [g.const(np.zeros(length), shapes[0].dtype)]
    for shape in shapes[:-1]:
        made.append(g.binary("Add", made[-1], g.binary("Mul", shape, along)))
    return made


# --- elementwise


def elu_grad(g: Builder, step: Step, dy: Value, y: Value) -> Value:
    floats_only(y, step.op)
    below = g.binary("Less", y, g.like(0, y), BOOL)
    return g.where(below, g.binary("Mul", dy, g.binary("Add", y, g.like(1, y))), dy, dy.shape)


SCALE, SCALE_ALPHA = 1.0507009873554804934, 1.7580993408473768599


def selu_grad(g: Builder, step: Step, dy: Value, y: Value) -> Value:
    floats_only(y, step.op)
    below = g.binary("Less", y, g.like(0, y), BOOL)
    curved = g.binary("Mul", dy, g.binary("Add", y, g.like(SCALE_ALPHA, y)))
    return g.where(below, curved, g.binary("Mul", dy, g.like(SCALE, y)), dy.shape)


def softsign_grad(g: Builder, step: Step, dy: Value, x: Value) -> Value:
    floats_only(x, step.op)
    grown = g.binary("Add", g.unary("Abs", x), g.like(1, x))
    return g.binary("Div", dy, g.binary("Mul", grown, grown))


def leaky_relu_grad(g: Builder, step: Step, dy: Value, x: Value, *, alpha: float = 0.2) -> Value:
    floats_only(x, step.op)
    above = g.binary("Greater", x, g.like(0, x), BOOL)
    return g.where(above, dy, g.binary("Mul", dy, g.like(alpha, x)), dy.shape)


def bias_add_grad(g: Builder, step: Step, dy: Value, *, data_format: bytes = b"NHWC") -> Value:
    """Summed over all but the channels."""
    if dy.dtype == INT64 or dy.rank < 2:
        raise Refusal(f"{step.op} on {dy.dtype} of rank {dy.rank} has no lowering to ONNX")
    channel = dy.rank - 1 if data_format == b"NHWC" else 1
    rest = [axis for axis in range(dy.rank) if axis != channel]
    return g.op("ReduceSum", dy, g.ints(rest), keepdims=0, shape=(dy.size(channel),))


# --- norms


def _channels(g: Builder, layout: Layout, x: Value) -> Value:
    """A vector, one number a channel, as it broadcasts."""
    return x if layout.channels_last else g.unsqueeze(x, list(range(1, layout.n + 1)))


def fused_batch_norm_grad(
    g: Builder,
    step: Step,
    dy: Value,
    x: Value,
    scale: Value,
    mean: Value,
    variance: Value,
    *saved: Value,
    epsilon: float = 1e-4,
    data_format: bytes = b"NHWC",
    is_training: bool = True,
) -> list[Value | None]:
    """Gradients for x, scale and offset. In training mean and variance depend on x, too."""
    layout = layout_of(data_format, x.rank - 2)
    if x.dtype != FLOAT32:
        raise Refusal(f"{step.op} has a lowering for float32 only")
    axes = g.ints([axis for axis in range(x.rank) if axis != layout.channel])
    channels = (x.size(layout.channel),)

    def summed(value: Value) -> Value:
        return g.op("ReduceSum", value, axes, keepdims=0, shape=channels)

    grown = g.binary("Add", variance, g.const(epsilon, FLOAT32))
    deviation = g.unary("Reciprocal", g.unary("Sqrt", grown))
    centred = g.binary("Sub", x, _channels(g, layout, mean))
    offset_grad = summed(dy)
    pull = summed(g.binary("Mul", dy, centred))
    scale_grad = g.binary("Mul", pull, deviation)
    factor = _channels(g, layout, g.binary("Mul", scale, deviation))
    if is_training:
        size = g.op("Size", x, dtype=INT64, shape=())
        many = g.cast(g.binary("Div", size, g.squeeze(g.sizes(x, [layout.channel]), [0])), FLOAT32)
        drawn = g.binary("Div", g.binary("Mul", g.binary("Mul", deviation, deviation), pull), many)
        level = g.binary("Div", offset_grad, many)
        moved = g.binary("Sub", dy, _channels(g, layout, level))
        moved = g.binary("Sub", moved, g.binary("Mul", centred, _channels(g, layout, drawn)))
    else:
        moved = dy
    made = g.binary("Mul", moved, factor)
    nothing = g.const(np.zeros(0), FLOAT32)
    return [Value(made.name, made.dtype, x.shape), scale_grad, offset_grad, nothing, nothing]


def global_norm_grad(
    g: Builder,
    step: Step,
    x: Value,
    mean: Value,
    variance: Value,
    gamma: Value,
    dy: Value,
    *,
    variance_epsilon: float,
    scale_after_normalization: bool,
) -> list[Value | None]:
    """Gradients for input, mean, variance, offset and scale."""
    floats_only(x, step.op)
    axes = g.ints(list(range(x.rank - 1)))
    channels = (x.size(x.rank - 1),)
    grown = g.binary("Add", variance, g.like(variance_epsilon, x))
    deviation = g.unary("Reciprocal", g.unary("Sqrt", grown))
    factor = g.binary("Mul", deviation, gamma) if scale_after_normalization else deviation
    offset_grad = g.op("ReduceSum", dy, axes, keepdims=0, shape=channels)
    moved = g.op("ReduceSum", g.binary("Mul", dy, g.binary("Sub", x, mean)), axes, keepdims=0, shape=channels)
    zero = g.binary("Sub", gamma, gamma)
    scale_grad = g.binary("Mul", moved, deviation) if scale_after_normalization else zero
    bent = g.binary("Div", g.binary("Mul", factor, g.like(-0.5, x)), grown)
    return [
        g.binary("Mul", dy, factor),
        g.unary("Neg", g.binary("Mul", offset_grad, factor)),
        g.binary("Mul", moved, bent),
        offset_grad,
        scale_grad,
    ]


def lrn_grad(
    g: Builder,
    step: Step,
    dy: Value,
    x: Value,
    y: Value,
    *,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
) -> Value:
    """Sums over neighbouring channels are products with a matrix of ones around the diagonal."""
    channels = x.size(x.rank - 1)
    if x.dtype != FLOAT32 or channels is None:
        raise Refusal(f"{step.op} has a lowering for float32 with a known number of channels")
    places = np.arange(channels)
    near = g.const(np.abs(places[:, None] - places) <= depth_radius, FLOAT32)
    sums = g.op("MatMul", g.binary("Mul", x, x), near, shape=x.shape)
    norm = g.binary("Add", g.binary("Mul", sums, g.const(alpha, FLOAT32)), g.const(bias, FLOAT32))
    others = g.op("MatMul", g.binary("Div", g.binary("Mul", dy, y), norm), near, shape=x.shape)
    scaled = g.binary("Mul", dy, g.binary("Pow", norm, g.const(-beta, FLOAT32)))
    drawn = g.binary("Mul", g.binary("Mul", x, others), g.const(2 * alpha * beta, FLOAT32))
    made = g.binary("Sub", scaled, drawn)
    return Value(made.name, made.dtype, x.shape)


# --- slices


def _places(g: Builder, shape: Sequence[int], begin: Value, end: Value, strides: Value, masks: Sequence[int]) -> Array:
    """The flat places of what a strided slice takes from a tensor of a shape, in the shape of the slice."""
    count = int(np.prod(shape))
    if count > SMALL:
        raise Refusal(f"a slice of {count} elements is not put back element by element")
    starts, stops, steps = (g.fixed(x, "a bound of the slice").tolist() for x in (begin, end, strides))
    begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask = masks
    index: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        if ellipsis_mask >> i & 1:
            index.append(Ellipsis)
        elif new_axis_mask >> i & 1:
            index.append(None)
        elif shrink_axis_mask >> i & 1:
            index.append(start)
        else:
            index.append(slice(None if begin_mask >> i & 1 else start, None if end_mask >> i & 1 else stop, step))
    found: Array = np.arange(count).reshape(shape)[tuple(index)]
    return found


def strided_slice_grad(
    g: Builder,
    step: Step,
    shape: Value,
    begin: Value,
    end: Value,
    strides: Value,
    dy: Value,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Value:
    """Zeros of the shape, with the gradient in the places of the slice."""
    sizes = g.fixed_ints(shape, "the shape")
    masks = (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    zeros = g.const(np.zeros(int(np.prod(sizes)), dy.dtype.numpy), dy.dtype)
    return _put(g, zeros, sizes, _places(g, sizes, begin, end, strides, masks), dy)


def strided_slice_update(
    g: Builder,
    step: Step,
    x: Value,
    begin: Value,
    end: Value,
    strides: Value,
    value: Value,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Value:
    """What a slice takes, replaced."""
    sizes = list(known(x.shape, "x")) if is_known(x.shape) else None
    if sizes is None:
        raise Refusal("a slice is replaced only in a tensor of a known shape")
    masks = (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    return _put(g, g.reshape(x, [-1]), sizes, _places(g, sizes, begin, end, strides, masks), value)


def _put(g: Builder, flat: Value, sizes: Sequence[int], places: Array, value: Value) -> Value:
    if not places.size:
        return g.reshape(flat, sizes)
    if value.shape != places.shape:
        value = g.op("Expand", value, g.ints(places.shape), shape=places.shape)
    made = g.op("ScatterElements", flat, g.const(places.reshape(-1), INT64), g.reshape(value, [-1]), axis=0)
    return g.reshape(made, sizes)


def mirror_pad_grad(g: Builder, step: Step, dy: Value, paddings: Value, *, mode: bytes) -> Value:
    """Along each axis what was mirrored at either end is turned around and added to where it came from."""
    skip = int(mode == b"REFLECT")
    made = dy
    for axis, (before, after) in enumerate(g.fixed(paddings, "paddings").reshape(-1, 2).tolist()):
        size = made.size(axis)
        if size is None:
            raise Refusal("the gradient of a mirrored padding needs known sizes")
        length = size - before - after
        if not before and not after:
            continue
        total = g.slice(made, g.ints([before]), g.ints([before + length]), [axis])
        for start, many in ((0, before), (before + length, after)):
            if many:
                part = reversed_along(g, g.slice(made, g.ints([start]), g.ints([start + many]), [axis]), axis)
                at = skip if start == 0 else length - skip - many
                pads = [0] * (2 * made.rank)
                pads[axis], pads[axis + made.rank] = at, length - at - many
                total = g.op("Add", total, g.op("Pad", part, g.ints(pads), mode="constant"))
        made = Value(total.name, total.dtype, tuple(length if i == axis else n for i, n in enumerate(made.shape or ())))
    return made


def inplace_sub(g: Builder, step: Step, x: Value, index: Value, updates: Value) -> Value:
    found = g.fixed(index, "the rows to write").reshape(-1)
    if len(set(found.tolist())) < found.size:
        raise Refusal("a row is written twice")
    places = g.unsqueeze(g.int64(index), [1])
    return g.op("ScatterND", x, places, g.unary("Neg", updates), reduction="add", shape=x.shape)


LOWERINGS: Table = {
    "BatchNormWithGlobalNormalizationGrad": global_norm_grad,
    "BiasAddGrad": bias_add_grad,
    "BroadcastGradientArgs": broadcast_gradient_args,
    "ConcatOffset": concat_offset,
    "EluGrad": elu_grad,
    "FusedBatchNormGrad": fused_batch_norm_grad,
    "FusedBatchNormGradV2": fused_batch_norm_grad,
    "FusedBatchNormGradV3": fused_batch_norm_grad,
    "InplaceSub": inplace_sub,
    "LRNGrad": lrn_grad,
    "LeakyReluGrad": leaky_relu_grad,
    "MirrorPadGrad": mirror_pad_grad,
    "SeluGrad": selu_grad,
    "SoftsignGrad": softsign_grad,
    "StridedSliceGrad": strided_slice_grad,
    "TensorStridedSliceUpdate": strided_slice_update,
}
