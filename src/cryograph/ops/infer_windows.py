"""Shapes of what slides a window: convolutions, pools, patches, dilations, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.shapes import Shape
from .facts import Call, Contradiction, Dim, Dims, Rule, add, ceil_div, merge, merge_dim, merge_rank, mul
from .infer_common import Result


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


INFER: dict[str, Rule] = {
    "AvgPool": _pool(4),
    "AvgPool3D": _pool(5),
    "AvgPool3DGrad": sized(0, 5),
    "AvgPoolGrad": sized(0, 4),
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
    "CropAndResizeGradImage": sized(3, 4),
    "DepthwiseConv2dNative": _depthwise,
    "DepthwiseConv2dNativeBackpropFilter": sized(1, 4),
    "DepthwiseConv2dNativeBackpropInput": sized(0, 4),
    "Dilation2D": _dilation,
    "Dilation2DBackpropFilter": formed(1, 3),
    "Dilation2DBackpropInput": formed(0, 4),
    "ExtractImagePatches": _extract_patches,
    "ExtractVolumePatches": _extract_volumes,
    "FractionalAvgPool": _fractional_pool,
    "FractionalAvgPoolGrad": sized(0, 4),
    "FractionalMaxPool": _fractional_pool,
    "FractionalMaxPoolGrad": formed(0, 4),
    "FusedPadConv2D": _pad_and_conv,
    "FusedResizeAndPadConv2D": _pad_and_conv,
    "MaxPool": _pool(4),
    "MaxPool3D": _pool(5),
    "MaxPool3DGrad": formed(0, 5),
    "MaxPool3DGradGrad": _pool_grad_grad(5),
    "MaxPoolGrad": formed(0, 4),
    "MaxPoolGradGrad": _pool_grad_grad(4),
    "MaxPoolGradV2": formed(0, 4),
    "MaxPoolGradWithArgmax": formed(0, 4),
    "MaxPoolV2": _max_pool_v2,
    "MaxPoolWithArgmax": _pool(4),
    "_FusedConv2D": _conv_2d,
    "_FusedConv3D": _conv_3d,
    "_FusedDepthwiseConv2dNative": _depthwise,
}
