"""Asks the ops of which TensorFlow's graph pass for oneDNN makes others: in a session, with constant filters.

Where TensorFlow 2.21 does not answer what such an op is described to do, it is asked in a way in which it does: channel
by channel where each has a range of its own (it gives all the unit of the first), and by plain arithmetic for products
with biases of floats (it adds numbers of two units there) and for summands of floats (at which it fails).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from cryograph.base.dtypes import DType, dtype_of
from cryograph.ops.signatures import input_types
from tests.support.op_cases import Array, Case, Refused, attrs_of

from .asking import imported

F = np.float32
WIDTHS = {"qint8": np.int8, "quint8": np.uint8, "qint32": np.int32}


def _placed(array: Array, dtype: DType, is_open: bool) -> tuple[Any, Array]:
    kind = tf.dtypes.as_dtype(dtype.number)
    laid = array.view(kind.as_numpy_dtype) if kind.is_quantized else array
    return (tf.compat.v1.placeholder(kind, laid.shape) if is_open else tf.constant(laid, kind)), laid


def ask_rewritten(case: Case) -> list[Array] | Refused:
    """The answer of one op in a session; its first input is fed, the others are constants."""
    if case.op.startswith("QuantizedMatMul") and case.inputs[2].dtype == F:
        return _meaning_of_product(case)
    if case.op == "QuantizedConv2DWithBiasSumAndRelu":
        return _meaning_of_sum(case)
    if "Conv2D" in case.op and _filter_ends(case)[0].ndim and not case.op.endswith("Requantize"):
        return _by_channels(case)
    types = input_types(case.op, attrs_of(case))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        first, fed = _placed(case.inputs[0], types[0], True)
        given = [first, *(_placed(x, dtype, False)[0] for x, dtype in zip(case.inputs[1:], types[1:], strict=True))]
        feeds = {first: fed}
        if case.op.endswith("SumAndReluAndRequantize"):
            given[9], place, summand = _made_by_onednn(case.inputs[9])
            feeds[place] = summand
        try:
            made = session.run(imported(case, given), feeds)
        except (tf.errors.OpError, ValueError) as error:
            return Refused(str(error))
    return [np.asarray(part).view(WIDTHS[part.dtype.names[0]]) if part.dtype.names else part for part in made]


def _filter_ends(case: Case) -> tuple[Array, Array]:
    at = 4 + ("WithBias" in case.op)
    return case.inputs[at], case.inputs[at + 1]


def _by_channels(case: Case) -> list[Array] | Refused:
    """Each channel of the result on its own."""
    filters, at = case.inputs[1], 4 + ("WithBias" in case.op)
    depthwise = "Depthwise" in case.op
    parts = []
    for channel in range(len(case.inputs[at])):
        inputs = list(case.inputs)
        if depthwise:
            source, number = divmod(channel, filters.shape[3])
            inputs[0] = np.ascontiguousarray(inputs[0][..., source : source + 1])
            inputs[1] = np.ascontiguousarray(filters[:, :, source : source + 1, number : number + 1])
        else:
            inputs[1] = np.ascontiguousarray(filters[..., channel : channel + 1])
        if "WithBias" in case.op:
            inputs[2] = inputs[2][channel : channel + 1]
        inputs[at : at + 2] = [part[channel] for part in inputs[at : at + 2]]
        made = ask_rewritten(replace(case, inputs=tuple(map(np.asarray, inputs))))
        if isinstance(made, Refused):
            return made
        parts.append(made)
    values, lows, highs = zip(*parts, strict=True)
    return [np.concatenate(values, -1), np.stack(lows), np.stack(highs)]


def _made_by_onednn(summand: Array) -> tuple[Any, Any, Array]:
    """A summand must come of another op of oneDNN: of a convolution that changes nothing."""
    kind = "qint8" if summand.dtype == np.int8 else "quint8"
    channels = summand.shape[-1]
    one = np.diag(np.full(channels, 127, np.int8)).reshape(1, 1, channels, channels)
    named = {"Tinput": dtype_of(kind), "Tfilter": dtype_of("qint8"), "out_type": dtype_of(kind)}
    attrs: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "VALID", **named, "Tbias": dtype_of("float32")}
    ends = [F(-1) if kind == "qint8" else F(0), F(1), F(-1), F(1), F(-1) if kind == "qint8" else F(0), F(1)]
    op = "QuantizedConv2DWithBiasAndRequantize" if kind == "qint8" else "QuantizedConv2DWithBiasAndReluAndRequantize"
    case = Case(op, (summand, one, np.zeros(channels, F), *map(np.asarray, ends)), attrs)
    types = input_types(op, attrs_of(case))
    first, fed = _placed(summand, types[0], True)
    given = [first, *(_placed(x, dtype, False)[0] for x, dtype in zip(case.inputs[1:], types[1:], strict=True))]
    return imported(case, given)[0], first, fed


def _meaning_of_sum(case: Case) -> list[Array] | Refused:
    """With float64 numbers: TensorFlow 2.21 ends the process when it is given a summand of floats."""
    x, filters, bias, low, high, filter_low, filter_high, summand = case.inputs
    how = {name: case.attrs[name] for name in ("strides", "padding")}
    products = tf.nn.conv2d(tf.cast(x, tf.float64), tf.cast(filters, tf.float64), **how)
    reach = np.maximum(abs(filter_low), abs(filter_high)).astype(np.float64)
    unit = max(abs(float(low)), abs(float(high))) / 255 * (reach / 127)
    made = tf.nn.relu(products + (tf.cast(bias, tf.float64) + tf.cast(summand, tf.float64)) / unit)
    largest = (high - low) / F(255) * ((filter_high - filter_low) / F(254)) * F(2.0**31)
    return [tf.round(made).numpy().astype(np.int32), np.asarray(-largest), np.asarray(largest)]


def _meaning_of_product(case: Case) -> list[Array] | Refused:
    """With float64 numbers: what the small integers mean, multiplied, and written in the new steps."""
    a, b, bias, *ends = case.inputs
    if any(end.ndim for end in ends) or bias.shape != b.shape[not case.attrs.get("transpose_b", False) :][:1]:
        return Refused("the shapes do not fit")
    low, high, filter_low, filter_high = (float(end) for end in ends[:4])
    weight = max(abs(filter_low), abs(filter_high)) / 127
    first = case.attrs.get("input_quant_mode", "MIN_FIRST") == "MIN_FIRST"
    step = (high - low if first else max(abs(low), abs(high))) / 255
    left = tf.cast(a, tf.float64) * step + (low if first else 0.0)
    flips = {name: case.attrs.get(name, False) for name in ("transpose_a", "transpose_b")}
    try:
        real = tf.matmul(left, tf.cast(b, tf.float64) * weight, **flips) + tf.cast(bias, tf.float64)
    except tf.errors.OpError as error:
        return Refused(str(error))
    if "Relu" in case.op:
        real = tf.nn.relu(real)
    if case.op.endswith("Dequantize"):
        return [tf.cast(real, tf.float32).numpy()]
    if len(ends) > 4:
        steps = 255 / max(abs(float(ends[4])), abs(float(ends[5])))
        return [np.clip(tf.round(real * steps).numpy(), 0, 255).astype(np.uint8), ends[4], ends[5]]
    largest = (F(high) - F(low)) / F(255) * ((F(filter_high) - F(filter_low)) / F(254)) * F(2.0**31)
    return [tf.round(real / (step * weight)).numpy().astype(np.int32), np.asarray(-largest), np.asarray(largest)]
