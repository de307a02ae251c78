"""Asks TensorFlow's kernels directly, by the op's own name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context, execute
from tensorflow.python.framework import kernels

from cryograph.base.dtypes import dtype_of
from cryograph.ops.signatures import input_types, number_of_outputs, signature
from tests.support.op_cases import Array, Case, Refused, attrs_of

from . import cudnn
from .asking import compiled, fed, held, one_node, plain
from .rewritten import ask_rewritten


def kernel_types() -> Iterator[str]:
    """A line for each attribute of each op that its CPU kernels tell apart: op, attribute, dtypes."""
    found: dict[tuple[str, str], set[str]] = {}
    for kernel in kernels.get_all_registered_kernels().kernel:
        if kernel.device_type == "CPU" and not kernel.label:
            for constraint in kernel.constraint:
                numbers = constraint.allowed_values.list.type
                found.setdefault((kernel.op, constraint.name), set()).update(dtype_of(n).name for n in numbers)
    for (op, attr), types in sorted(found.items()):
        known = signature(op)
        spec = known.attrs.get(attr) if known is not None else None
        if spec is not None and spec.kind in ("type", "list(type)"):
            held = types if spec.allowed is None else types & {dtype.name for dtype in spec.allowed}
            yield " ".join([op, attr, *sorted(held - {"resource", "variant"})])


def ask(case: Case) -> list[Array] | Refused:
    """TensorFlow's answer to one case."""
    if case.turned:
        return _ask_turned(case)
    if case.op in ASKED_BY:
        return ASKED_BY[case.op](case)
    if case.op.startswith("Xla"):
        return compiled(case)
    return _ask_kernel(case)


def _ask_kernel(case: Case) -> list[Array] | Refused:
    """The answer of the op's own kernel, or of that of the op which is asked in its place."""
    if case.asked_as:
        asked = signature(case.asked_as)
        declared = {} if asked is None else asked.attrs
        late = [np.asarray(value, np.int32) for name, value in case.attrs.items() if name not in declared]  # now inputs
        kept = {name: value for name, value in case.attrs.items() if name in declared}
        return ask(Case(case.asked_as, (*_sizes_for_tensors(case), *late), kept))
    attrs = attrs_of(case)
    if attrs.get("seed") or attrs.get("seed2"):  # a kernel that is kept would go on where the last case ended
        known = signature(case.op)
        removed_in = known.deprecated if known is not None else 0
        return _ask_old_graph(case, removed_in - 1 if removed_in else tf.version.GRAPH_DEF_VERSION)
    flat = [item for name, value in attrs.items() for item in (name, plain(value))]
    types = input_types(case.op, attrs)
    inputs = [fed(x, dtype) for x, dtype in zip(case.inputs, types, strict=True)]
    try:
        made = execute.execute(case.op, number_of_outputs(case.op, attrs), inputs, tuple(flat), context.context())
    except tf.errors.OpError as error:
        removed = re.search(r"has been removed in version (\d+)", str(error))
        if removed:
            return _ask_old_graph(case, int(removed[1]) - 1)
        return Refused(str(error))
    return [held(part) for part in made]


def _sizes_for_tensors(case: Case) -> list[Array]:
    """The inputs, with the sizes of those of which the op that is asked wants no more."""
    ours, theirs = signature(case.op), signature(case.asked_as)
    assert ours is not None
    assert theirs is not None
    pairs = zip_longest(case.inputs, ours.inputs, theirs.inputs[: len(case.inputs)])
    return [np.asarray(x.shape, np.int32) if b and b.name == f"{a.name}_sizes" else x for x, a, b in pairs]


def _grad_grad_of_largest(case: Case) -> list[Array] | Refused:
    """Without the places, which are those of the largest; they are found anew."""
    x, gradient, _ = case.inputs
    attrs = {name: value for name, value in case.attrs.items() if name != "include_batch_in_index"}
    made = ask(Case("MaxPool", (x,), attrs))
    assert not isinstance(made, Refused), made.message
    return ask(Case("MaxPoolGradGrad", (x, made[0], gradient), attrs))


def _transform_of_last(case: Case) -> list[Array] | Refused:
    """With the chosen dimensions moved to the end, cut off, and back again."""
    x, lengths, axes = case.inputs
    order = [axis for axis in range(x.ndim) if axis not in axes % x.ndim] + (axes % x.ndim).tolist()
    x = x.transpose(order)
    op = case.op.replace("ND", f"{len(axes)}D" if len(axes) > 1 else "")
    if op.startswith(("FFT", "IFFT")):
        made = ask(Case(op, (np.ascontiguousarray(x[(..., *map(slice, lengths))]),)))
    else:
        made = ask(Case(op, (np.ascontiguousarray(x), lengths), case.attrs))
    return made if isinstance(made, Refused) else [made[0].transpose(np.argsort(order))]


def _proposals(case: Case) -> list[Array] | Refused:
    """Box by box from the definition; TensorFlow's own ops choose the best and drop those that overlap."""
    scores, deltas, infos, anchors, overlap, before, least = case.inputs
    after = case.attrs["post_nms_topn"]
    if not 0 <= overlap <= 1 or before <= 0 or after <= 0:
        return Refused("a limit is out of range")
    boxes, chances = np.zeros((len(scores), after, 4), np.float32), np.zeros((len(scores), after), np.float32)
    for item, (height, width, scale) in enumerate(infos[:, :3]):
        values, order = tf.math.top_k(scores[item].ravel(), min(int(before), scores[item].size))
        held = []
        for value, number in zip(values.numpy(), order.numpy(), strict=True):
            top, left, bottom, right = anchors.reshape(-1, 4)[number]
            dy, dx, dh, dw = deltas[item].reshape(-1, 4)[number]
            middle = top + (bottom - top) * (0.5 + dy), left + (right - left) * (0.5 + dx)
            tall, broad = (bottom - top) * np.exp(min(dh, np.log(62.5))), (right - left) * np.exp(min(dw, np.log(62.5)))
            y1, y2 = np.clip([middle[0] - tall / 2, middle[0] + tall / 2], 0, height)
            x1, x2 = np.clip([middle[1] - broad / 2, middle[1] + broad / 2], 0, width)
            if min(y2 - y1, x2 - x1) >= least * scale:
                held.append((y1, x1, y2, x2, value))
        found = np.asarray(held, np.float32).reshape(-1, 5)
        kept = tf.image.non_max_suppression(found[:, :4], found[:, 4], after, float(overlap)).numpy()
        boxes[item, : len(kept)], chances[item, : len(kept)] = found[kept, :4], found[kept, 4]
    return [boxes, chances]


def _blank_last(case: Case) -> list[Array] | Refused:
    """CTCLoss takes the last class for the blank, CTCLossV2 the first."""
    scores, indices, values, lengths = case.inputs
    made = ask(Case("CTCLoss", (np.roll(scores, -1, -1), indices, values - 1, lengths), case.attrs))
    return made if isinstance(made, Refused) else [made[0], np.roll(made[1], 1, -1)]


def _relu_of_six(case: Case) -> list[Array] | Refused:
    """Up to 6, with the range in other units; those are taken that lose no digits."""
    x, most, low, high = case.inputs
    unit = np.float32(6) / most
    made = ask(Case("QuantizedRelu6", (x, low * unit, high * unit), case.attrs))
    return made if isinstance(made, Refused) else [made[0], made[1] / unit, made[2] / unit]


def _norm_in_parts(case: Case) -> list[Array] | Refused:
    """The kernel takes no tensor that is added, nor no activation; then the parts are asked one after the other."""
    if len(case.inputs) == 5 and case.attrs["activation_mode"] == "Relu":
        return _ask_kernel(case)
    attrs = {name: value for name, value in case.attrs.items() if name not in ("activation_mode", "num_side_inputs")}
    made = ask(Case("FusedBatchNormV3", case.inputs[:5], attrs))
    if isinstance(made, Refused):
        return made
    total = tf.add_n([tf.constant(part) for part in (made[0], *case.inputs[5:])])
    return [(tf.nn.relu(total) if case.attrs["activation_mode"] == "Relu" else total).numpy(), *made[1:]]


def _approx_top_k(case: Case) -> list[Array] | Refused:
    """The kernel takes the largest along the last dimension only, the compiler all."""
    if case.attrs.get("reduction_dimension", -1) == -1 and case.attrs.get("is_max_k", True):
        return _ask_kernel(case)
    return compiled(case)


CUDNN_BUFFERS = (
    *("CudnnRNNParamsSize", "CudnnRNNParamsToCanonical", "CudnnRNNParamsToCanonicalV2"),
    *("CudnnRNNCanonicalToParams", "CudnnRNNCanonicalToParamsV2"),
)

FUSED_QUANTISED = (
    *("QuantizedConv2DAndRelu", "QuantizedConv2DAndReluAndRequantize", "QuantizedConv2DAndRequantize"),
    *("QuantizedConv2DPerChannel", "QuantizedConv2DWithBias", "QuantizedConv2DWithBiasAndRelu"),
    *("QuantizedConv2DWithBiasAndReluAndRequantize", "QuantizedConv2DWithBiasAndRequantize"),
    *("QuantizedConv2DWithBiasSignedSumAndReluAndRequantize", "QuantizedConv2DWithBiasSumAndRelu"),
    *("QuantizedConv2DWithBiasSumAndReluAndRequantize", "QuantizedDepthwiseConv2D"),
    *("QuantizedDepthwiseConv2DWithBias", "QuantizedDepthwiseConv2DWithBiasAndRelu"),
    *("QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize", "QuantizedMatMulWithBias"),
    *("QuantizedMatMulWithBiasAndDequantize", "QuantizedMatMulWithBiasAndRelu"),
    *("QuantizedMatMulWithBiasAndReluAndRequantize", "QuantizedMatMulWithBiasAndRequantize"),
)
"""Ops that TensorFlow runs as others, which its graph pass makes of them."""

ASKED_BY: dict[str, Callable[[Case], list[Array] | Refused]] = {
    "ApproxTopK": _approx_top_k,
    "CTCLossV2": _blank_last,
    **dict.fromkeys(("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"), cudnn.ask_layers),
    **dict.fromkeys(("CudnnRNNBackprop", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3"), cudnn.ask_gradients),
    **dict.fromkeys(CUDNN_BUFFERS, cudnn.ask_weights),
    "FFTND": _transform_of_last,
    "GenerateBoundingBoxProposals": _proposals,
    "IFFTND": _transform_of_last,
    "IRFFTND": _transform_of_last,
    "MaxPoolGradGradWithArgmax": _grad_grad_of_largest,
    "QuantizedReluX": _relu_of_six,
    "RFFTND": _transform_of_last,
    "QuantizedConv2D": lambda case: (ask_rewritten if case.inputs[1].dtype == np.int8 else _ask_kernel)(case),
    "_FusedBatchNormEx": _norm_in_parts,
    **dict.fromkeys(FUSED_QUANTISED, ask_rewritten),
}
"""Ops without a CPU kernel, and how others are asked for the same answer."""


def _ask_old_graph(case: Case, version: int) -> list[Array] | Refused:
    """An op that newer graphs may not hold is asked in a graph of its time."""
    attrs = attrs_of(case)
    types = input_types(case.op, attrs)
    proto = one_node(case, attrs, types)
    proto.versions.producer = version
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(proto.SerializeToString()), name="")
        fed = {f"in{number}:0": array for number, array in enumerate(case.inputs)}
        try:
            made = session.run([f"out:{n}" for n in range(number_of_outputs(case.op, attrs))], fed)
        except tf.errors.OpError as error:
            return Refused(str(error))
    return [np.asarray(part) for part in made]


_SPATIAL_LISTS = ("strides", "ksize", "dilations")


def _channels_last(values: Sequence[Any]) -> list[Any]:
    return [values[0], *values[2:], values[1]]


def _ask_turned(case: Case) -> list[Array] | Refused:
    """A case with the channels first is asked with the channels last, and the answer turned back."""
    rank = next(x.ndim for x in case.inputs if x.ndim > 3)
    to_last, to_first = [0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]
    attrs: dict[str, Any] = {**case.attrs, "data_format": "NDHWC" if rank == 5 else "NHWC"}
    for name in _SPATIAL_LISTS:
        if name in attrs:
            attrs[name] = _channels_last(attrs[name])
    if attrs.get("explicit_paddings"):
        pairs = [attrs["explicit_paddings"][2 * i : 2 * i + 2] for i in range(rank)]
        attrs["explicit_paddings"] = [p for pair in _channels_last(pairs) for p in pair]
    filters = {"Conv2D": 1, "Conv3D": 1, "DepthwiseConv2dNative": 1, "Conv2DBackpropInput": 1,
               "Conv3DBackpropInputV2": 1, "DepthwiseConv2dNativeBackpropInput": 1}.get(case.op)  # fmt: skip
    inputs = [x.transpose(to_last) if x.ndim == rank and i != filters else x for i, x in enumerate(case.inputs)]
    if case.op.startswith("MaxPool") and len(inputs) == 3 and inputs[1].ndim == 1:  # ksize and strides are inputs
        inputs[1:] = [np.asarray(_channels_last(list(x)), x.dtype) for x in inputs[1:]]
    if "BackpropInput" in case.op and len(inputs[0]) == rank:
        inputs[0] = np.asarray(_channels_last(list(inputs[0])), inputs[0].dtype)
    answers = ask(Case(case.op, tuple(inputs), attrs))
    if isinstance(answers, Refused):
        return answers
    return [answer.transpose(to_first) if answer.ndim == rank else answer for answer in answers]
