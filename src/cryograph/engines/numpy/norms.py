"""Batch norms of every age and local response normalisation, on arrays of any namespace."""

from __future__ import annotations

from typing import Any

import numpy as np

from .context import Context, Rule
from .elementwise import given, wide
from .windows import as_format, channels_last

VECTORS = 6
"""Outputs of the newest fused batch norm; older ones have fewer."""


def _fused(
    ctx: Context,
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
    last = channels_last(wide(x), data_format)
    axis = tuple(range(last.ndim - 1))
    if is_training:
        count = last.size // max(1, last.shape[-1])
        batch_mean = last.mean(axis, dtype=np.float32)
        batch_variance = xp.square(last - batch_mean).mean(axis, dtype=np.float32)
        unbiased = batch_variance * np.float32(count / max(1, count - 1))
        factor = np.float32(exponential_avg_factor)
        if exponential_avg_factor == 1.0:
            out_mean, out_variance = batch_mean, unbiased
        else:
            out_mean = (1 - factor) * mean + factor * batch_mean
            out_variance = (1 - factor) * variance + factor * unbiased
        saved = (batch_mean, batch_variance)
        used_mean, used_variance = batch_mean, batch_variance
    else:
        used_mean, used_variance = mean, variance
        out_mean, out_variance, saved = mean, variance, (mean, variance)
    factor_of_x = scale / xp.sqrt(used_variance + np.float32(epsilon))
    made = (last - used_mean) * factor_of_x + offset
    vectors = [out_mean, out_variance, *saved, np.zeros((0,), np.float32)]
    return (
        given(ctx, as_format(made, data_format)),
        *(v.astype(np.float32, copy=False) for v in vectors[: len(ctx.output_dtypes) - 1]),
    )


def _global(
    ctx: Context,
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


def _lrn(
    ctx: Context, x: Any, *, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5
) -> Any:
    values = wide(x)
    sums = window_sums(ctx, ctx.xp.square(values), depth_radius)
    return given(ctx, values / (np.float32(bias) + np.float32(alpha) * sums) ** np.float32(beta))


def window_sums(ctx: Context, x: Any, radius: int) -> Any:
    """Sums along the last axis over all places that are no further away than a radius."""
    count = x.shape[-1]
    near = min(radius, max(0, count - 1))
    around = ctx.xp.pad(x, [(0, 0)] * (x.ndim - 1) + [(near, near)])
    return sum((around[..., i : i + count] for i in range(1, 2 * near + 1)), around[..., :count])


RULES: dict[str, Rule] = {
    "BatchNormWithGlobalNormalization": _global,
    "FusedBatchNorm": _fused,
    "FusedBatchNormV2": _fused,
    "FusedBatchNormV3": _fused,
    "LRN": _lrn,
}
