"""Batch norms of every age, local response normalisation, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from ..numpy.windows import as_format, channels_last
from .context import JaxContext

F = np.float32


def _fused(
    ctx: JaxContext,
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any,
    variance: Any,
    *,
    epsilon: float = 1e-4,
    exponential_avg_factor: float = 1.0,
    data_format: bytes = b"NHWC",
    is_training: bool = True,
) -> tuple[Any, ...]:
    """Normalises; in training by the batch's own mean and variance, whose averages are the second and third output
    (there with the unbiased variance)."""
    xp = ctx.xp
    inside = channels_last(wide(x), data_format)
    axis = tuple(range(inside.ndim - 1))
    if is_training:
        count = inside.size // max(1, inside.shape[-1])
        used_mean = inside.mean(axis, dtype=F)
        used_variance = xp.square(inside - used_mean).mean(axis, dtype=F)
        unbiased = used_variance * F(count / max(1, count - 1))
        factor = F(exponential_avg_factor)
        if exponential_avg_factor == 1.0:
            out_mean, out_variance = used_mean, unbiased
        else:
            out_mean = (1 - factor) * mean + factor * used_mean
            out_variance = (1 - factor) * variance + factor * unbiased
    else:
        used_mean, used_variance, out_mean, out_variance = mean, variance, mean, variance
    factor_of_x = scale / xp.sqrt(used_variance + F(epsilon))
    made = (inside - used_mean) * factor_of_x + offset
    vectors = [out_mean, out_variance, used_mean, used_variance, np.zeros((0,), F)]
    return (
        given(ctx, as_format(made, data_format)),
        *(v.astype(F) for v in vectors[: len(ctx.output_dtypes) - 1]),
    )


def _global(
    ctx: JaxContext,
    t: Any,
    m: Any,
    v: Any,
    beta: Any,
    gamma: Any,
    *,
    variance_epsilon: float,
    scale_after_normalization: bool,
) -> Any:
    factor = 1 / ctx.xp.sqrt(v + np.asarray(variance_epsilon, v.dtype))
    if scale_after_normalization:
        factor = factor * gamma
    return given(ctx, (t - m) * factor + beta)


def window_sums(ctx: JaxContext, x: Any, radius: int) -> Any:
    """Sums along the last axis over all places that are no further away than a radius."""
    size = (1,) * (x.ndim - 1) + (2 * radius + 1,)
    pairs = [(0, 0)] * (x.ndim - 1) + [(radius, radius)]
    return ctx.lax.reduce_window(x, np.zeros((), x.dtype), ctx.lax.add, size, (1,) * x.ndim, pairs)


def _lrn(
    ctx: JaxContext, x: Any, *, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5
) -> Any:
    values = wide(x)
    sums = window_sums(ctx, ctx.xp.square(values), depth_radius)
    return given(ctx, values / (F(bias) + F(alpha) * sums) ** F(beta))


def _fused_grad(
    ctx: JaxContext,
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
    """Gradients for x, scale and offset; the last two outputs are empty."""
    if gradient.shape != x.shape:
        raise RunError(f"a gradient of {list(gradient.shape)} was given for an input of {list(x.shape)}")
    xp = ctx.xp
    back, inside = channels_last(wide(gradient), data_format), channels_last(wide(x), data_format)
    axis = tuple(range(inside.ndim - 1))
    deviation = 1 / xp.sqrt(variance + F(epsilon))
    centred = inside - mean
    offset_grad = back.sum(axis, dtype=F)
    scale_grad = (back * (centred * deviation)).sum(axis, dtype=F)
    if is_training:
        count = F(max(1, inside.size // max(1, inside.shape[-1])))
        pull = xp.square(deviation) * (back * centred).sum(axis, dtype=F) / count
        x_grad = scale * deviation * (back - offset_grad / count - centred * pull)
    else:
        x_grad = back * (deviation * scale)
    nothing = np.zeros(0, F)
    return given(ctx, as_format(x_grad, data_format)), scale_grad, offset_grad, nothing, nothing


def _global_grad(
    ctx: JaxContext,
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
    xp = ctx.xp
    back, variance = wide(backprop), wide(v) + wide(np.asarray(variance_epsilon, v.dtype))
    deviation = 1 / xp.sqrt(variance)
    factor = wide(gamma) if scale_after_normalization else xp.ones_like(wide(gamma))
    axis = tuple(range(t.ndim - 1))
    offset_grad = back.sum(axis)
    moved = (back * (wide(t) - wide(m))).sum(axis)
    scale_grad = moved * deviation if scale_after_normalization else xp.zeros_like(moved)
    variance_grad = moved * (deviation * -0.5 / variance) * factor
    made = (back * (deviation * factor), -offset_grad * deviation * factor, variance_grad, offset_grad, scale_grad)
    return tuple(given(ctx, part) for part in made)


def _lrn_grad(
    ctx: JaxContext,
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
    "BatchNormWithGlobalNormalization": _global,
    "BatchNormWithGlobalNormalizationGrad": _global_grad,
    "FusedBatchNorm": _fused,
    "FusedBatchNormGrad": _fused_grad,
    "FusedBatchNormGradV2": _fused_grad,
    "FusedBatchNormGradV3": _fused_grad,
    "FusedBatchNormV2": _fused,
    "FusedBatchNormV3": _fused,
    "LRN": _lrn,
    "LRNGrad": _lrn_grad,
}
