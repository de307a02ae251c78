"""Shapes of quantised ops, and of ops that hold a whole recurrent cell or layer."""

from __future__ import annotations

from ..base.shapes import Shape
from .facts import Call, Contradiction, Dim, Rule, broadcast, merge_dim, mul, normal_axis
from .infer_arrays import concatenated, reshaped
from .infer_common import Result, every, fixed, like, same_as_input
from .infer_windows import convolution, window

# Quantised: the tensor, then the smallest and largest number that it stands for


def _with_range(shape: Shape, call: Call) -> Result:
    return [shape, (), ()][: len(call.outputs)]


def _quantized_unary(call: Call) -> Result:
    return _with_range(call.shape(0), call)


def _quantized_binary(call: Call) -> Result:
    return _with_range(broadcast(call.shape(0), call.shape(1)), call)


def _quantized_bias(call: Call) -> Result:
    shape, bias = call.shape(0), call.ranked(1, 1)[0]
    if shape is not None and shape:
        shape = (*shape[:-1], merge_dim(shape[-1], bias))
    return _with_range(shape, call)


def _quantized_conv(call: Call) -> Result:
    return [convolution(call, 4), *_filter_range(call)]


def _quantized_depthwise(call: Call) -> Result:
    return [convolution(call, 4, depthwise=True), *_filter_range(call)]


def _filter_range(call: Call) -> list[Shape]:
    """The range of the result: one, or one a channel where that of the filter is told so."""
    if "Requantize" in call.op or call.op == "QuantizedConv2D":
        return [(), ()]
    largest = call.shape(6 if "WithBias" in call.op else 5)
    if largest is not None and len(largest) > 1:
        raise Contradiction("the range of a filter is a scalar or a vector")
    return [largest, largest]


def _quantized_norm(call: Call) -> Result:
    shape = call.ranked(0, 4)
    channel = shape[3]
    for i in (3, 6, 9, 12):
        channel = merge_dim(channel, call.ranked(i, 1)[0])
    return _with_range((*shape[:3], channel), call)


def _quantized_pool(call: Call) -> Result:
    shape = call.ranked(0, 4)
    sizes, strides, padding = call.ints("ksize"), call.ints("strides"), call.text("padding")
    return _with_range(tuple(window(shape[a], sizes[a], strides[a], 1, padding) for a in range(4)), call)


def _quantized_concat(call: Call) -> Result:
    count = (len(call.inputs) - 1) // 3
    return _with_range(concatenated([call.shape(1 + i) for i in range(count)], call.scalar(0)), call)


def _quantized_concat_v2(call: Call) -> Result:
    count = (len(call.inputs) - 1) // 3
    return _with_range(concatenated([call.shape(i) for i in range(count)], call.scalar(count)), call)


def _quantized_reshape(call: Call) -> Result:
    fact = call.inputs[1]
    wanted = fact.value.tolist() if fact.value is not None and fact.value.ndim == 1 else call.dims(1)
    return _with_range(reshaped(call.shape(0), wanted), call)


def _quantized_resize(call: Call) -> Result:
    shape = call.ranked(0, 4)
    size = call.dims(1)
    height, width = size if size is not None and len(size) == 2 else (None, None)
    return _with_range((shape[0], height, width, shape[3]), call)


def _quantized_matmul(call: Call) -> Result:
    a, b = call.ranked(0, 2), call.ranked(1, 2)
    rows, inner = (a[1], a[0]) if call.flag("transpose_a") else a
    other, columns = (b[1], b[0]) if call.flag("transpose_b") else b
    merge_dim(inner, other)
    return _with_range((rows, columns), call)


def _quantize(call: Call) -> Result:
    shape = call.shape(0)
    axis = call.integer("axis")
    if axis == -1:
        return [shape, (), ()]
    if shape is None:
        return [None, (None,), (None,)]
    depth = shape[normal_axis(axis, len(shape))]
    return [shape, (depth,), (depth,)]


def _range_per_channel(call: Call) -> Result:
    return [(), ()]


# Recurrent


def _lstm_cell(call: Call) -> Result:
    x, state = call.ranked(0, 2), call.ranked(1, 2)
    return [(merge_dim(x[0], state[0]), state[1])] * len(call.outputs)


def _lstm_block(call: Call) -> Result:
    x, bias = call.ranked(1, 3), call.ranked(8, 1)[0]
    units: Dim = None if bias is None else bias // 4
    return [(x[0], x[1], units)] * len(call.outputs)


def _lstm_block_grad(call: Call) -> Result:
    return [call.ranked(i, rank) for i, rank in enumerate((3, 2, 2, 2, 1, 1, 1, 1), 1)]


def _lstm_cell_grad(call: Call) -> Result:
    """For the state before, for the sums of the four gates, and for the peepholes."""
    x, state = call.ranked(0, 2), call.ranked(1, 2)
    batch, units = merge_dim(x[0], state[0]), state[1]
    return [(batch, units), (batch, mul(units, 4)), *[(units,)] * 3]


def _gru_cell_grad(call: Call) -> Result:
    x, state, weights = call.ranked(0, 2), call.ranked(1, 2), call.ranked(2, 2)
    batch, both = merge_dim(x[0], state[0]), merge_dim(weights[1], mul(state[1], 2))
    return [x, (batch, state[1]), (batch, state[1]), (batch, both)]


def _gru_cell(call: Call) -> Result:
    x, state = call.ranked(0, 2), call.ranked(1, 2)
    gates = (merge_dim(x[0], state[0]), state[1])
    return [gates] * 4


def _cudnn_rnn(call: Call) -> Result:
    x, hidden = call.ranked(0, 3), call.ranked(1, 3)
    both = 2 if call.text("direction") == "bidirectional" else 1
    time_major = "time_major" not in call.attrs or call.flag("time_major")
    steps, batch = (x[0], x[1]) if time_major else (x[1], x[0])
    units = hidden[2]
    first, second = (steps, batch) if time_major else (batch, steps)
    is_lstm = call.text("rnn_mode") == "lstm"
    cell: Shape = call.shape(2) if call.op == "CudnnRNNV3" and is_lstm else hidden if is_lstm else ()
    return [(first, second, mul(units, both)), hidden, cell, None, None][: len(call.outputs)]


_SAME = (
    "QuantizedRelu QuantizedRelu6 QuantizedReluX QuantizedInstanceNorm QuantizeDownAndShrinkRange Requantize"
    " RequantizePerChannel"
)
_CONVOLUTIONS = (
    "QuantizedConv2D QuantizedConv2DPerChannel QuantizedConv2DAndRelu QuantizedConv2DAndReluAndRequantize"
    " QuantizedConv2DAndRequantize QuantizedConv2DWithBias QuantizedConv2DWithBiasAndRelu"
    " QuantizedConv2DWithBiasSumAndRelu"
    " QuantizedConv2DWithBiasAndReluAndRequantize"
    " QuantizedConv2DWithBiasAndRequantize QuantizedConv2DWithBiasSignedSumAndReluAndRequantize"
    " QuantizedConv2DWithBiasSumAndReluAndRequantize"
)
_DEPTHWISE = (
    "QuantizedDepthwiseConv2D QuantizedDepthwiseConv2DWithBias QuantizedDepthwiseConv2DWithBiasAndRelu"
    " QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize"
)
_PRODUCTS = (
    "QuantizedMatMul QuantizedMatMulWithBias QuantizedMatMulWithBiasAndDequantize QuantizedMatMulWithBiasAndRelu"
    " QuantizedMatMulWithBiasAndReluAndRequantize QuantizedMatMulWithBiasAndRequantize"
)

INFER: dict[str, Rule] = {
    **every(_quantized_unary, _SAME),
    **every(_quantized_conv, _CONVOLUTIONS),
    **every(_quantized_depthwise, _DEPTHWISE),
    **every(_quantized_matmul, _PRODUCTS),
    "BlockLSTM": _lstm_block,
    "BlockLSTMGrad": _lstm_block_grad,
    "BlockLSTMGradV2": _lstm_block_grad,
    "BlockLSTMV2": _lstm_block,
    "CudnnRNN": _cudnn_rnn,
    "CudnnRNNBackprop": like(0, 1, 2, 3),
    "CudnnRNNBackpropV2": like(0, 1, 2, 3),
    "CudnnRNNBackpropV3": like(0, 1, 2, 3),
    "CudnnRNNParamsSize": fixed((1,)),
    "CudnnRNNV2": _cudnn_rnn,
    "CudnnRNNV3": _cudnn_rnn,
    "Dequantize": same_as_input,
    "GRUBlockCell": _gru_cell,
    "GRUBlockCellGrad": _gru_cell_grad,
    "LSTMBlockCell": _lstm_cell,
    "LSTMBlockCellGrad": _lstm_cell_grad,
    "QuantizeV2": _quantize,
    "QuantizedAdd": _quantized_binary,
    "QuantizedAvgPool": _quantized_pool,
    "QuantizedBatchNormWithGlobalNormalization": _quantized_norm,
    "QuantizedBiasAdd": _quantized_bias,
    "QuantizedConcat": _quantized_concat,
    "QuantizedConcatV2": _quantized_concat_v2,
    "QuantizedMaxPool": _quantized_pool,
    "QuantizedMul": _quantized_binary,
    "QuantizedReshape": _quantized_reshape,
    "QuantizedResizeBilinear": _quantized_resize,
    "RequantizationRange": _range_per_channel,
    "RequantizationRangePerChannel": _range_per_channel,
    "UniformDequantize": like(0),
    "UniformQuantize": like(0),
    "UniformRequantize": like(0),
}
