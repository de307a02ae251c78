"""Lowerings of normalisations: batch norm of every age, local response normalisation, L2 loss."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import FLOAT32, INT64
from ...program.program import Step
from .builder import Builder, Table
from .conv import activated
from .values import Refusal, Value
from .windows import layout_of


def _spatial_dims(data_format: bytes) -> int:
    return 3 if b"D" in data_format else 2


def fused_batch_norm(
    g: Builder,
    step: Step,
    x: Value,
    scale: Value,
    offset: Value,
    mean: Value,
    variance: Value,
    *,
    epsilon: float = 0.0001,
    exponential_avg_factor: float = 1.0,
    data_format: bytes = b"NHWC",
    is_training: bool = True,
) -> list[Value | None]:
    """At inference ONNX's BatchNormalization, which the runtime folds into a convolution before it; in training the
    moments of the batch. Reserved outputs are those of TensorFlow's CPU kernel."""
    layout = layout_of(data_format, _spatial_dims(data_format))
    eps = float(np.float32(epsilon))
    nothing = g.const(np.zeros(0), FLOAT32)
    if not is_training:
        entered = layout.enter(g, x)
        made = g.op("BatchNormalization", entered, scale, offset, mean, variance, epsilon=eps, shape=entered.shape)
        return [layout.leave(g, made), mean, variance, mean, variance, nothing]
    if x.dtype != FLOAT32:
        raise Refusal("batch norm in training has a lowering for float32 only")
    axes = [axis for axis in range(layout.n + 2) if axis != layout.channel]
    wide = list(range(1, layout.n + 1))
    channels = (x.size(layout.channel),)

    def spread(vector: Value) -> Value:
        return vector if layout.channels_last else g.unsqueeze(vector, wide)

    batch_mean = g.op("ReduceMean", x, g.ints(axes), keepdims=0, shape=channels)
    centred = g.binary("Sub", x, spread(batch_mean))
    square = g.op("Mul", centred, centred, shape=x.shape)
    batch_variance = g.op("ReduceMean", square, g.ints(axes), keepdims=0, shape=channels)
    root = g.unary("Sqrt", g.binary("Add", batch_variance, g.like(eps, x)))
    factor = g.binary("Div", scale, root)
    made = g.binary("Add", g.binary("Mul", centred, spread(factor)), spread(offset))
    # The running variance is that of a sample: n / (n - 1), and at least one element less does not divide by zero.
    count = g.cast(g.op("ReduceProd", g.sizes(x, axes), g.ints([0]), dtype=INT64, keepdims=0), FLOAT32)
    rest = g.op("Max", g.op("Sub", count, g.like(1, x)), g.like(1, x))
    sample_variance = g.binary("Mul", batch_variance, g.op("Div", count, rest))
    new_mean, new_variance = batch_mean, sample_variance
    if exponential_avg_factor != 1.0:
        keep, take = g.like(1 - exponential_avg_factor, x), g.like(exponential_avg_factor, x)
        new_mean = g.binary("Add", g.binary("Mul", mean, keep), g.binary("Mul", batch_mean, take))
        new_variance = g.binary("Add", g.binary("Mul", variance, keep), g.binary("Mul", sample_variance, take))
    return [made, new_mean, new_variance, batch_mean, batch_variance, nothing]


def fused_batch_norm_ex(
    g: Builder,
    step: Step,
    x: Value,
    scale: Value,
    offset: Value,
    mean: Value,
    variance: Value,
    *side_input: Value,
    epsilon: float = 0.0001,
    exponential_avg_factor: float = 1.0,
    activation_mode: bytes = b"Identity",
    data_format: bytes = b"NHWC",
    is_training: bool = True,
) -> list[Value | None]:
    """A batch norm, a sum, an activation, which grappler writes as one."""
    made, *rest = fused_batch_norm(
        g, step, x, scale, offset, mean, variance, epsilon=epsilon, exponential_avg_factor=exponential_avg_factor,
        data_format=data_format, is_training=is_training,
    )  # fmt: skip
    if made is None:
        raise Refusal("a batch norm gives what it norms")
    for part in side_input:
        made = g.op("Add", made, part, shape=x.shape)
    if activation_mode != b"Identity":
        made = activated(g, made, activation_mode)
    return [made, *rest]


def batch_norm_global(
    g: Builder,
    step: Step,
    x: Value,
    mean: Value,
    variance: Value,
    beta: Value,
    gamma: Value,
    *,
    variance_epsilon: float,
    scale_after_normalization: bool,
) -> Value:
    """The op of 2015: (N, H, W, C), scaled by gamma only when asked for."""
    layout = layout_of(b"NHWC", 2)
    if not scale_after_normalization:
        size = mean.size(0)
        if size is None:
            raise Refusal("the number of channels is not known")
        gamma = g.const(np.ones(size), x.dtype)
    made = g.op(
        "BatchNormalization",
        layout.enter(g, x),
        gamma,
        beta,
        mean,
        variance,
        epsilon=float(np.float32(variance_epsilon)),
    )
    return layout.leave(g, made)


def lrn(
    g: Builder,
    step: Step,
    x: Value,
    *,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
) -> Value:
    """ONNX divides alpha by the size of the window, TensorFlow does not."""
    layout = layout_of(b"NHWC", 2)
    size = 2 * depth_radius + 1
    entered = layout.enter(g, x)
    made = g.op("LRN", entered, size=size, bias=float(bias), alpha=float(alpha) * size, beta=float(beta))
    return layout.leave(g, made)


def l2_loss(g: Builder, step: Step, x: Value) -> Value:
    """Half the sum of squares."""
    squares = g.op("Mul", x, x, shape=x.shape)
    return g.op("Mul", g.op("ReduceSum", squares, keepdims=0, shape=()), g.like(0.5, x), shape=())


LOWERINGS: Table = {
    "BatchNormWithGlobalNormalization": batch_norm_global,
    "FusedBatchNorm": fused_batch_norm,
    "FusedBatchNormV2": fused_batch_norm,
    "FusedBatchNormV3": fused_batch_norm,
    "L2Loss": l2_loss,
    "LRN": lrn,
    "_FusedBatchNormEx": fused_batch_norm_ex,
}
