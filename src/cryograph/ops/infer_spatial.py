"""Shapes of norms, of resizing and of what else is done to pictures, of losses over classes."""

from __future__ import annotations

from ..base.shapes import Shape
from .facts import (
    Call,
    Contradiction,
    Dim,
    Rule,
    add,
    broadcast,
    ceil_div,
    merge,
    merge_dim,
    merge_rank,
    mul,
    normal_axis,
    times,
)
from .infer_common import Result, like, of_rank
from .infer_windows import Layout, layout_of


def _fused_batch_norm(call: Call) -> Result:
    rank = 5 if "data_format" in call.attrs and len(call.text("data_format")) == 5 else 4
    layout = layout_of(call, rank)
    shape = call.ranked(0, rank)
    channel = shape[layout.channel]
    for i in range(1, 3 if call.flag("is_training") else 5):
        size = call.ranked(i, 1)[0]
        channel = merge_dim(channel, None if size == 0 else size)
    result = tuple(channel if i == layout.channel else size for i, size in enumerate(shape))
    return [result, (channel,), (channel,), (channel,), (channel,), None][: len(call.outputs)]


def _fused_batch_norm_grad(call: Call) -> Result:
    rank = 5 if len(call.text("data_format")) == 5 else 4
    layout = layout_of(call, rank)
    shape = merge(call.ranked(0, rank), call.ranked(1, rank)) or ()
    channel = shape[layout.channel]
    for i in (2, 3, 4):
        channel = merge_dim(channel, call.ranked(i, 1)[0])
    result = tuple(channel if i == layout.channel else size for i, size in enumerate(shape))
    return [result, (channel,), (channel,), (0,), (0,)]


def _global_norm(call: Call) -> Result:
    shape = call.ranked(0, 4)
    channel = shape[3]
    for i in range(1, 5):
        channel = merge_dim(channel, call.ranked(i, 1)[0])
    return [(*shape[:3], channel)]


def _global_norm_grad(call: Call) -> Result:
    """Gradients for the input, and for mean, variance, offset and scale."""
    shape = merge(call.ranked(0, 4), call.ranked(4, 4)) or (None,) * 4
    channel = shape[3]
    for i in range(1, 4):
        channel = merge_dim(channel, call.ranked(i, 1)[0])
    return [(*shape[:3], channel), *[(channel,)] * 4]


def _resize(call: Call) -> Result:
    shape = call.ranked(0, 4)
    size = call.dims(1)
    height, width = size if size is not None and len(size) == 2 else (None, None)
    return [(shape[0], height, width, shape[3])] + [()] * (len(call.outputs) - 1)


def _resize_grad(call: Call) -> Result:
    grads, size = call.ranked(0, 4), call.dims(1)
    height, width = size if size is not None and len(size) == 2 else (None, None)
    return [(grads[0], height, width, grads[3])]


def _scale_and_translate_grad(call: Call) -> Result:
    return [call.shape(1)]


def _crop_and_resize(call: Call) -> Result:
    image, boxes, count = call.ranked(0, 4), call.ranked(1, 2), call.ranked(2, 1)
    size = call.dims(3)
    height, width = size if size is not None and len(size) == 2 else (None, None)
    return [(merge_dim(boxes[0], count[0]), height, width, image[3])]


def _extract_glimpse(call: Call) -> Result:
    shape, offsets = call.ranked(0, 4), call.ranked(2, 2)
    size = call.dims(1)
    height, width = size if size is not None and len(size) == 2 else (None, None)
    return [(merge_dim(shape[0], offsets[0]), height, width, shape[3])]


def _divided(size: Dim, by: int) -> Dim:
    if size is not None and size % by:
        raise Contradiction(f"the size {size} cannot be divided by {by}")
    return None if size is None else size // by


def _depth_to_space(call: Call) -> Result:
    return _blocks(call, into_space=True)


def _space_to_depth(call: Call) -> Result:
    return _blocks(call, into_space=False)


def _blocks(call: Call, into_space: bool) -> Result:
    block = call.integer("block_size")
    text = call.text("data_format")
    if text == "NCHW_VECT_C":
        shape = call.ranked(0, 5)
        depth = _divided(shape[1], block * block) if into_space else mul(shape[1], block * block)
        space = [mul(size, block) if into_space else _divided(size, block) for size in shape[2:4]]
        return [(shape[0], depth, *space, 4)]
    layout = Layout(text, 4)
    shape = call.ranked(0, 4)
    channel = shape[layout.channel]
    channel = _divided(channel, block * block) if into_space else mul(channel, block * block)
    space = [mul(shape[a], block) if into_space else _divided(shape[a], block) for a in layout.space]
    return [layout.dims(shape[layout.batch], space, channel)]


def _space_to_batch_nd(call: Call) -> Result:
    return [_batched(call, call.dims(1), 2, into_batch=True)]


def _batch_to_space_nd(call: Call) -> Result:
    return [_batched(call, call.dims(1), 2, into_batch=False)]


def _space_to_batch(call: Call) -> Result:
    return [_batched(call, (call.integer("block_size"),) * 2, 1, into_batch=True)]


def _batch_to_space(call: Call) -> Result:
    return [_batched(call, (call.integer("block_size"),) * 2, 1, into_batch=False)]


def _batched(call: Call, blocks: Shape, edges_at: int, into_batch: bool) -> Shape:
    shape = call.shape(0) if call.op.endswith("ND") else call.ranked(0, 4)
    if blocks is None and call.inputs[1].shape is not None and len(call.inputs[1].shape) == 1:
        blocks = None if call.inputs[1].shape[0] is None else (None,) * call.inputs[1].shape[0]
    if shape is None:
        return None
    if blocks is None:
        return (None,) * len(shape)
    if len(shape) < len(blocks) + 1:
        raise Contradiction(f"{len(blocks)} block sizes came for {len(shape)} dimensions")
    edges = call.inputs[edges_at].value
    rows = [(None, None)] * len(blocks) if edges is None or edges.shape != (len(blocks), 2) else edges.tolist()
    total = times(blocks)
    space: list[Dim] = []
    for size, block, (before, after) in zip(shape[1:], blocks, rows, strict=False):
        edge = add(before, after)
        if into_batch:
            padded = add(size, edge)
            space.append(None if padded is None or block is None else _divided(padded, block))
        else:
            grown = mul(size, block)
            space.append(None if grown is None or edge is None else grown - edge)
    batch = mul(shape[0], total) if into_batch else None if total is None else _divided(shape[0], total)
    return (batch, *space, *shape[1 + len(blocks) :])


def _draw_boxes(call: Call) -> Result:
    return [call.at_least(0, 3)]


def _resampler(call: Call) -> Result:
    data, warp = call.at_least(0, 1), call.at_least(1, 1)
    return [None if data is None or warp is None else (*warp[:-1], data[-1])]


def _project_image(call: Call) -> Result:
    shape = call.ranked(0, 4)
    if len(call.inputs) < 3:
        return [shape]
    size = call.dims(2)
    height, width = size if size is not None and len(size) == 2 else (None, None)
    return [(shape[0], height, width, shape[3])]


def _lrn_grad(call: Call) -> Result:
    return [merge(merge(call.ranked(0, 4), call.ranked(1, 4)), call.ranked(2, 4))]


def _correlation(call: Call) -> Result:
    shape = merge(call.ranked(0, 4), call.ranked(1, 4)) or ()
    layout = Layout(call.text("data_format"), 4)
    reach = call.integer("max_displacement") // call.integer("stride_2")
    border = call.integer("max_displacement") + (call.integer("kernel_size") - 1) // 2
    lost, stride = 2 * (call.integer("pad") - border), call.integer("stride_1")
    space = [None if shape[a] is None else ceil_div((shape[a] or 0) + lost, stride) for a in layout.space]
    return [(shape[layout.batch], (2 * reach + 1) ** 2, *space)]


def _softmax_cross_entropy(call: Call) -> Result:
    shapes = [(None, None) if fact.shape is None else fact.shape for fact in call.inputs]
    shape = merge_rank(broadcast(*shapes), 2)
    return [shape[:1], shape]


def _sparse_cross_entropy(call: Call) -> Result:
    features, labels = call.ranked(0, 2), call.ranked(1, 1)
    rows = merge_dim(features[0], labels[0])
    return [(rows,), (rows, features[1])]


def _reduce_axis(call: Call) -> Result:
    """ArgMax: the input without one dimension."""
    shape, axis = call.shape(0), call.scalar(1)
    if shape is None:
        return [None]
    if axis is None:
        return [(None,) * max(0, len(shape) - 1)]
    axis = normal_axis(axis, len(shape)) if shape else 0
    return [shape[:axis] + shape[axis + 1 :]]


INFER: dict[str, Rule] = {
    "Addons>CorrelationCost": _correlation,
    "Addons>Resampler": _resampler,
    "Addons>ResamplerGrad": like(0, 1),
    "ArgMax": _reduce_axis,
    "ArgMin": _reduce_axis,
    "BatchNormWithGlobalNormalization": _global_norm,
    "BatchNormWithGlobalNormalizationGrad": _global_norm_grad,
    "BatchToSpace": _batch_to_space,
    "BatchToSpaceND": _batch_to_space_nd,
    "CropAndResize": _crop_and_resize,
    "CropAndResizeGradBoxes": like(2),
    "DepthToSpace": _depth_to_space,
    "DrawBoundingBoxes": _draw_boxes,
    "DrawBoundingBoxesV2": _draw_boxes,
    "ExtractGlimpse": _extract_glimpse,
    "ExtractGlimpseV2": _extract_glimpse,
    "FusedBatchNorm": _fused_batch_norm,
    "FusedBatchNormGrad": _fused_batch_norm_grad,
    "FusedBatchNormGradV2": _fused_batch_norm_grad,
    "FusedBatchNormGradV3": _fused_batch_norm_grad,
    "FusedBatchNormV2": _fused_batch_norm,
    "FusedBatchNormV3": _fused_batch_norm,
    "ImageProjectiveTransform": _project_image,
    "ImageProjectiveTransformV2": _project_image,
    "ImageProjectiveTransformV3": _project_image,
    "LRN": of_rank(4),
    "LRNGrad": _lrn_grad,
    "MaxPoolGradGradV2": like(1),
    "MaxPoolGradGradWithArgmax": like(2),
    "Resampler": _resampler,
    "ResamplerGrad": like(0, 1),
    "ResizeArea": _resize,
    "ResizeBicubic": _resize,
    "ResizeBicubicGrad": like(1),
    "ResizeBilinear": _resize,
    "ResizeBilinearGrad": like(1),
    "ResizeNearestNeighbor": _resize,
    "ResizeNearestNeighborGrad": _resize_grad,
    "ScaleAndTranslate": _resize,
    "ScaleAndTranslateGrad": _scale_and_translate_grad,
    "SoftmaxCrossEntropyWithLogits": _softmax_cross_entropy,
    "SpaceToBatch": _space_to_batch,
    "SpaceToBatchND": _space_to_batch_nd,
    "SpaceToDepth": _space_to_depth,
    "SparseSoftmaxCrossEntropyWithLogits": _sparse_cross_entropy,
    "_FusedBatchNormEx": _fused_batch_norm,
}
