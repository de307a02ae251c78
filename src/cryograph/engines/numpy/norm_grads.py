"""Gradients of batch norms and of local response normalisation, on arrays of any namespace."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from .context import Context, Rule
from .elementwise import given, wide
from .norms import window_sums
from .windows import as_format, channels_last

F = np.float32


def _fused_grad(
    ctx: Context,
    gradient: Any,
    x: Any,
    scale: Any,
    mean: Any,
    variance: Any,
    *saved: Any,
    epsilon: float = 1e-4,
    data_format: bytes = b"NHWC",
    is_training: bool = True,
) -> tuple[Any, ...]:
    """Gradients for x, scale and offset. In training mean and variance depend on x, too. What a GPU saved is not read;
    the last two outputs are empty, as their gradients are those of averages that nobody uses."""
    if gradient.shape != x.shape:
        raise RunError(f"a gradient of {list(gradient.shape)} was given for an input of {list(x.shape)}")
    back, last = channels_last(wide(gradient), data_format), channels_last(wide(x), data_format)
    axis = tuple(range(last.ndim - 1))
    deviation = 1 / ctx.xp.sqrt(variance + F(epsilon))
    centred = last - mean
    offset_grad = back.sum(axis, dtype=F)
    scale_grad = (back * (centred * deviation)).sum(axis, dtype=F)
    if is_training:
        count = F(max(1, last.size // max(1, last.shape[-1])))
        pull = ctx.xp.square(deviation) * (back * centred).sum(axis, dtype=F) / count
        x_grad = scale * deviation * (back - offset_grad / count - centred * pull)
    else:
        x_grad = back * (deviation * scale)
    nothing = np.zeros(0, F)
    return given(ctx, as_format(x_grad, data_format)), scale_grad, offset_grad, nothing, nothing


def _global_grad(
    ctx: Context,
    t: Any,
    m: Any,
    v: Any,
    gamma: Any,
    backprop: Any,
    *,
    variance_epsilon: float,
    scale_after_normalization: bool,
) -> tuple[Any, ...]:
    """Gradients for input, mean, variance, offset and scale."""
    if backprop.shape != t.shape:
        raise RunError(f"a gradient of {list(backprop.shape)} was given for an input of {list(t.shape)}")
    back, variance = wide(backprop), wide(v) + wide(np.asarray(variance_epsilon, v.dtype))
    deviation = 1 / ctx.xp.sqrt(variance)
    factor = wide(gamma) if scale_after_normalization else ctx.xp.ones_like(wide(gamma))
    axis = tuple(range(t.ndim - 1))
    offset_grad = back.sum(axis)
    moved = (back * (wide(t) - wide(m))).sum(axis)
    scale_grad = moved * deviation if scale_after_normalization else ctx.xp.zeros_like(moved)
    variance_grad = moved * (deviation * -0.5 / variance) * factor
    made = (back * (deviation * factor), -offset_grad * deviation * factor, variance_grad, offset_grad, scale_grad)
    return tuple(given(ctx, part) for part in made)


def _lrn_grad(
    ctx: Context,
    gradient: Any,
    x: Any,
    y: Any,
    *,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
) -> Any:
    if not gradient.shape == x.shape == y.shape or x.ndim != 4:
        raise RunError(f"{list(gradient.shape)}, {list(x.shape)} and {list(y.shape)} are not of one picture's shape")
    back, values, out = wide(gradient), wide(x), wide(y)
    norm = F(bias) + F(alpha) * window_sums(ctx, ctx.xp.square(values), depth_radius)
    others = window_sums(ctx, back * out / norm, depth_radius)
    return given(ctx, back * norm ** F(-beta) - F(2 * alpha * beta) * values * others)


RULES: dict[str, Rule] = {
    "BatchNormWithGlobalNormalizationGrad": _global_grad,
    "FusedBatchNormGrad": _fused_grad,
    "FusedBatchNormGradV2": _fused_grad,
    "FusedBatchNormGradV3": _fused_grad,
    "LRNGrad": _lrn_grad,
}
