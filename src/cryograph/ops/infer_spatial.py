"""Shapes of convolutions, pools, norms, resizing and whatever else slides over pictures."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.shapes import Shape
from .facts import (
    Call,
    Contradiction,
    Dim,
    Dims,
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


class Layout:
    """Where batch, channels and space stand in a `data_format` such as NHWC, NCDHW or NCHW_VECT_C."""

    def __init__(self, text: str, rank: int) -> None:
        text = text or ("NHWC" if rank == 4 else "NDHWC")
        if text in ("NCHW_VECT_C", "NHWC_VECT_W"):
            raise Contradiction(f"the format {text} is not one of a tensor of {rank} dimensions")
        if len(text) != rank:
            raise Contradiction(f"the format {text} does not fit {rank} dimensions")
        self.batch, self.channel = text.index("N"), text.index("C")
        self.space = [i for i, letter in enumerate(text) if letter not in "NC"]
        self.rank = rank

    def dims(self, batch: Dim, space: Sequence[Dim], channel: Dim) -> Dims:
        """A shape of its parts."""
        result: list[Dim] = [None] * self.rank
        result[self.batch], result[self.channel] = batch, channel
        for axis, size in zip(self.space, space, strict=True):
            result[axis] = size
        return tuple(result)


def layout_of(call: Call, rank: int) -> Layout:
    """The layout that the attribute `data_format` says; the channels last without one."""
    return Layout(call.text("data_format") if "data_format" in call.attrs else "", rank)


def window(size: Dim, kernel: Dim, stride: int, dilation: int, padding: str, around: tuple[int, int] = (0, 0)) -> Dim:
    """How often a window fits along one axis. `around` is the explicit padding before and after."""
    if stride < 1 or dilation < 1:
        raise Contradiction(f"the stride {stride} and the dilation {dilation} must be above 0")
    if size is None or (kernel is None and padding != "SAME"):
        return size if padding == "SAME" and stride == 1 else None
    if padding == "SAME":
        return ceil_div(size, stride)
    reach = ((kernel or 0) - 1) * dilation + 1
    if padding == "EXPLICIT":
        size += around[0] + around[1]
    room = size - reach + stride
    if room <= -stride:
        raise Contradiction(f"a window of {reach} does not fit the size {size}")
    return max(room, 0) // stride


def _explicit(call: Call, axes: Sequence[int]) -> list[tuple[int, int]]:
    if call.text("padding") != "EXPLICIT":
        return [(0, 0)] * len(axes)
    values = call.ints("explicit_paddings")
    return [(values[2 * axis], values[2 * axis + 1]) for axis in axes]


def _strides(call: Call, name: str, rank: int) -> list[int]:
    values = call.ints(name) if name in call.attrs else [1] * rank
    if len(values) != rank:
        raise Contradiction(f"{name} has {len(values)} values, where {rank} were expected")
    return values


def convolution(call: Call, rank: int, depthwise: bool = False) -> Shape:
    """The shape of a convolution of input 0 with the filter in input 1."""
    layout = layout_of(call, rank)
    shape = call.ranked(0, rank)
    order = call.text("filter_format") if "filter_format" in call.attrs else "HWIO"
    if order not in ("HWIO", "OIHW"):
        return layout.dims(shape[layout.batch], [None] * (rank - 2), (call.shape(1) or (None,))[0])
    kernel = call.ranked(1, rank)
    kernel = kernel if order == "HWIO" else (*kernel[2:], kernel[1], kernel[0])
    strides, dilations = _strides(call, "strides", rank), _strides(call, "dilations", rank)
    if depthwise:
        channels = mul(merge_dim(shape[layout.channel], kernel[-2]), kernel[-1])
    else:
        channels = kernel[-1]
        inside, taken = shape[layout.channel], kernel[-2]
        if inside is not None and taken and inside % taken:
            raise Contradiction(f"{inside} channels cannot be taken {taken} at a time")
    padding, around = call.text("padding"), _explicit(call, layout.space)
    space = [
        window(shape[axis], kernel[i], strides[axis], dilations[axis], padding, around[i])
        for i, axis in enumerate(layout.space)
    ]
    return layout.dims(shape[layout.batch], space, channels)


def _conv_2d(call: Call) -> Result:
    return [convolution(call, 4)]


def _conv_3d(call: Call) -> Result:
    return [convolution(call, 5)]


def _depthwise(call: Call) -> Result:
    return [convolution(call, 4, depthwise=True)]


def _conv(call: Call) -> Result:
    """The op `Conv` of 2023, for 2-D and 3-D, whose batch may have several dimensions."""
    shape, kernel = call.shape(0), call.shape(1)
    if shape is None or kernel is None:
        return [None]
    batches = call.integer("batch_dims")
    rank = len(kernel)
    if len(shape) != rank - 1 + batches:
        raise Contradiction(
            f"a filter of {rank} dimensions came for an input of {len(shape)} with {batches} batch dimensions"
        )
    channels_last = call.text("data_format") == "CHANNELS_LAST"
    first = batches if channels_last else batches + 1
    count = rank - 2
    strides, dilations = call.ints("strides"), call.ints("dilations")
    space = []
    explicit = call.ints("explicit_paddings")
    for i in range(count):
        axis = first + i
        position = axis - batches + 1
        around = (0, 0) if len(explicit) <= 2 * position + 1 else (explicit[2 * position], explicit[2 * position + 1])
        dilation = dilations[position] if len(dilations) > position else 1
        space.append(window(shape[axis], kernel[i], strides[position], dilation, call.text("padding"), around))
    channel = (kernel[-1],)
    return [(*shape[:batches], *(space if channels_last else ()), *channel, *(() if channels_last else space))]


def sized(index: int, rank: int) -> Rule:
    """The shape that the values of an input say, of `rank` dimensions: gradients."""

    def rule(call: Call) -> Result:
        return [merge(call.dims(index), (None,) * rank)]

    return rule


def _backprop_input(call: Call) -> Result:
    """The sizes are those of the picture, or its height and width alone."""
    sizes = call.dims(0)
    if sizes is None or len(sizes) != 2:
        return [merge_rank(sizes, 4)]
    layout = layout_of(call, 4)
    channel = call.ranked(1, 4)[2]
    return [layout.dims(call.ranked(2, 4)[layout.batch], sizes, channel)]


def formed(index: int, rank: int) -> Rule:
    """The shape of an input of `rank` dimensions: gradients."""

    def rule(call: Call) -> Result:
        return [call.ranked(index, rank)]

    return rule


def _pool(rank: int) -> Rule:
    def rule(call: Call) -> Result:
        if "data_format" in call.attrs and call.text("data_format") == "NCHW_VECT_C":
            return [_pool_vectors(call)]
        layout = layout_of(call, rank)
        shape = call.ranked(0, rank)
        sizes, strides = _strides(call, "ksize", rank), _strides(call, "strides", rank)
        padding, around = call.text("padding"), _explicit(call, range(rank))
        result = [window(shape[a], sizes[a], strides[a], 1, padding, around[a]) for a in range(rank)]
        if sizes[layout.channel] == 1 and strides[layout.channel] == 1:
            result[layout.channel] = shape[layout.channel]
        return [tuple(result)] * len(call.outputs)

    return rule


def _pool_vectors(call: Call) -> Shape:
    """Pooling in NCHW_VECT_C: channels lie four and four in a last dimension of their own."""
    shape = call.ranked(0, 5)
    sizes, strides, around = call.ints("ksize"), call.ints("strides"), _explicit(call, range(4))
    padding = call.text("padding")
    return (*(window(shape[a], sizes[a], strides[a], 1, padding, around[a]) for a in range(4)), shape[4])


def _pool_grad_grad(rank: int) -> Rule:
    def rule(call: Call) -> Result:
        return [merge(_pool(rank)(call)[0], call.ranked(1, rank))]  # type: ignore[arg-type]

    return rule


def _max_pool_v2(call: Call) -> Result:
    layout = layout_of(call, 4)
    shape = call.ranked(0, 4)
    sizes, strides = call.numbers(1), call.numbers(2)
    if sizes is None or strides is None:
        return [(None,) * 4]
    space = [window(shape[a], sizes[a], strides[a], 1, call.text("padding")) for a in layout.space]
    return [layout.dims(shape[layout.batch], space, shape[layout.channel])]


def _fractional_pool(call: Call) -> Result:
    shape = call.ranked(0, 4)
    ratios = call.attr("pooling_ratio")
    sizes = [None if size is None else int(size / ratio) for size, ratio in zip(shape, ratios, strict=True)]
    return [tuple(sizes), (add(sizes[1], 1),), (add(sizes[2], 1),)]


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


def _extract_patches(call: Call) -> Result:
    shape = call.ranked(0, 4)
    sizes, strides, rates = call.ints("ksizes"), call.ints("strides"), call.ints("rates")
    space = [window(shape[a], sizes[a], strides[a], rates[a], call.text("padding")) for a in (1, 2)]
    return [(shape[0], *space, mul(shape[3], sizes[1] * sizes[2]))]


def _extract_volumes(call: Call) -> Result:
    shape = call.ranked(0, 5)
    sizes, strides = call.ints("ksizes"), call.ints("strides")
    space = [window(shape[a], sizes[a], strides[a], 1, call.text("padding")) for a in (1, 2, 3)]
    return [(shape[0], *space, mul(shape[4], sizes[1] * sizes[2] * sizes[3]))]


def _dilation(call: Call) -> Result:
    shape, kernel = call.ranked(0, 4), call.ranked(1, 3)
    strides, rates = call.ints("strides"), call.ints("rates")
    space = [window(shape[a], kernel[a - 1], strides[a], rates[a], call.text("padding")) for a in (1, 2)]
    return [(shape[0], *space, merge_dim(shape[3], kernel[2]))]


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


def _pad_and_conv(call: Call) -> Result:
    resizes = call.op == "FusedResizeAndPadConv2D"
    shape, paddings, kernel = call.ranked(0, 4), call.inputs[2 if resizes else 1], call.ranked(3 if resizes else 2, 4)
    space: Sequence[Dim] = shape[1:3]
    if resizes:
        size = call.dims(1)
        space = size if size is not None and len(size) == 2 else (None, None)
    rows = [(None, None)] * 4 if paddings.value is None or paddings.value.shape != (4, 2) else paddings.value.tolist()
    whole = [add(size, add(*row)) for size, row in zip((shape[0], *space, shape[3]), rows, strict=True)]
    strides = call.ints("strides")
    space = [window(whole[a], kernel[a - 1], strides[a], 1, call.text("padding")) for a in (1, 2)]
    return [(whole[0], *space, kernel[3])]


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
    "AvgPool": _pool(4),
    "AvgPool3D": _pool(5),
    "AvgPool3DGrad": sized(0, 5),
    "AvgPoolGrad": sized(0, 4),
    "BatchNormWithGlobalNormalization": _global_norm,
    "BatchToSpace": _batch_to_space,
    "BatchToSpaceND": _batch_to_space_nd,
    "Conv": _conv,
    "Conv2D": _conv_2d,
    "Conv2DBackpropFilter": sized(1, 4),
    "Conv2DBackpropFilterV2": formed(1, 4),
    "Conv2DBackpropInput": _backprop_input,
    "Conv2DBackpropInputV2": formed(0, 4),
    "Conv3D": _conv_3d,
    "Conv3DBackpropFilter": formed(1, 5),
    "Conv3DBackpropFilterV2": sized(1, 5),
    "Conv3DBackpropInput": formed(0, 5),
    "Conv3DBackpropInputV2": sized(0, 5),
    "CropAndResize": _crop_and_resize,
    "CropAndResizeGradBoxes": like(2),
    "CropAndResizeGradImage": sized(3, 4),
    "DepthToSpace": _depth_to_space,
    "DepthwiseConv2dNative": _depthwise,
    "DepthwiseConv2dNativeBackpropFilter": sized(1, 4),
    "DepthwiseConv2dNativeBackpropInput": sized(0, 4),
    "Dilation2D": _dilation,
    "Dilation2DBackpropFilter": formed(1, 3),
    "Dilation2DBackpropInput": formed(0, 4),
    "DrawBoundingBoxes": _draw_boxes,
    "DrawBoundingBoxesV2": _draw_boxes,
    "ExtractGlimpse": _extract_glimpse,
    "ExtractGlimpseV2": _extract_glimpse,
    "ExtractImagePatches": _extract_patches,
    "ExtractVolumePatches": _extract_volumes,
    "FractionalAvgPool": _fractional_pool,
    "FractionalAvgPoolGrad": sized(0, 4),
    "FractionalMaxPool": _fractional_pool,
    "FractionalMaxPoolGrad": formed(0, 4),
    "FusedBatchNorm": _fused_batch_norm,
    "FusedBatchNormGrad": _fused_batch_norm_grad,
    "FusedBatchNormGradV2": _fused_batch_norm_grad,
    "FusedBatchNormGradV3": _fused_batch_norm_grad,
    "FusedBatchNormV2": _fused_batch_norm,
    "FusedBatchNormV3": _fused_batch_norm,
    "FusedPadConv2D": _pad_and_conv,
    "FusedResizeAndPadConv2D": _pad_and_conv,
    "ImageProjectiveTransform": _project_image,
    "ImageProjectiveTransformV2": _project_image,
    "ImageProjectiveTransformV3": _project_image,
    "LRN": of_rank(4),
    "LRNGrad": _lrn_grad,
    "MaxPool": _pool(4),
    "MaxPool3D": _pool(5),
    "MaxPool3DGrad": formed(0, 5),
    "MaxPool3DGradGrad": _pool_grad_grad(5),
    "MaxPoolGrad": formed(0, 4),
    "MaxPoolGradGrad": _pool_grad_grad(4),
    "MaxPoolGradGradV2": like(1),
    "MaxPoolGradGradWithArgmax": like(2),
    "MaxPoolGradV2": formed(0, 4),
    "MaxPoolGradWithArgmax": formed(0, 4),
    "MaxPoolV2": _max_pool_v2,
    "MaxPoolWithArgmax": _pool(4),
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
    "_FusedConv2D": _conv_2d,
    "_FusedConv3D": _conv_3d,
    "_FusedDepthwiseConv2dNative": _depthwise,
}
