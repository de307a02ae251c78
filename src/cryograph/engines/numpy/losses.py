"""Softmax, its logarithm, and the losses that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given, wide
from .reductions import total


def softmax(xp: Any, x: Any) -> Any:
    """exp(x) over its sum along the last axis."""
    made = xp.exp(x - xp.max(x, axis=-1, keepdims=True, initial=-np.inf))
    return made / xp.sum(made, axis=-1, keepdims=True)


def log_softmax(xp: Any, x: Any) -> Any:
    """The logarithm of the softmax, without the detour."""
    shifted = x - xp.max(x, axis=-1, keepdims=True, initial=-np.inf)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def _last_axis(function: Callable[[Any, Any], Any]) -> Rule:
    def rule(ctx: Context, logits: Array) -> Array:
        return given(ctx, function(ctx.xp, wide(logits)))

    return rule


def _l2_loss(ctx: Context, t: Array) -> Array:
    values = wide(t)
    return given(ctx, total(ctx.xp, values * values, tuple(range(t.ndim)), False) / 2)


def _cross_entropy(ctx: Context, features: Array, labels: Array) -> tuple[Array, Array]:
    """The loss of each row, and its gradient for the features."""
    xp = ctx.xp
    x, y = xp.broadcast_arrays(wide(features), wide(labels))
    logarithm = log_softmax(xp, x)
    loss = -xp.sum(xp.where(y == 0, 0, y * logarithm), axis=-1)
    return given(ctx, loss), given(ctx, xp.exp(logarithm) - y)


def _sparse_cross_entropy(ctx: Context, features: Array, labels: Array) -> tuple[Array, Array]:
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise RunError(f"labels of the shape {list(labels.shape)} do not fit logits of {list(features.shape)}")
    if labels.size and (labels.min() < 0 or labels.max() >= features.shape[-1]):
        raise RunError(f"a label is outside of [0, {features.shape[-1]})")
    hot = (labels[:, None] == np.arange(features.shape[-1])).astype(np.float32)
    return _cross_entropy(ctx, features, hot)


RULES: dict[str, Rule] = {
    "L2Loss": _l2_loss,
    "LogSoftmax": _last_axis(log_softmax),
    "Softmax": _last_axis(softmax),
    "SoftmaxCrossEntropyWithLogits": _cross_entropy,
    "SparseSoftmaxCrossEntropyWithLogits": _sparse_cross_entropy,
}
