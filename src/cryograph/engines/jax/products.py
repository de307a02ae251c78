"""Softmaxes and their losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from .context import JaxContext, check


def _softmax(ctx: JaxContext, logits: Any) -> Any:
    return given(ctx, ctx.jax.nn.softmax(wide(logits), axis=-1) if logits.size else wide(logits))


def _log_softmax(ctx: JaxContext, logits: Any) -> Any:
    return given(ctx, ctx.jax.nn.log_softmax(wide(logits), axis=-1) if logits.size else wide(logits))


def _cross_entropy(ctx: JaxContext, features: Any, labels: Any) -> tuple[Any, Any]:
    """The loss of each row, and its gradient for the features."""
    xp = ctx.xp
    x, y = xp.broadcast_arrays(wide(features), wide(labels))
    if not x.size:
        return xp.zeros(x.shape[:-1], ctx.dtype), xp.zeros(x.shape, ctx.dtype)
    logarithm = ctx.jax.nn.log_softmax(x, axis=-1)
    loss = -xp.sum(xp.where(y == 0, 0, y * logarithm), axis=-1)
    return given(ctx, loss), given(ctx, xp.exp(logarithm) - y)


def _sparse_cross_entropy(ctx: JaxContext, features: Any, labels: Any) -> tuple[Any, Any]:
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise RunError(f"labels of the shape {list(labels.shape)} do not fit logits of {list(features.shape)}")
    count = features.shape[-1]
    check((labels < 0) | (labels >= count), f"a label is outside of [0, {count})")
    hot = (labels[:, None] == np.arange(count)).astype(np.float32)
    return _cross_entropy(ctx, features, hot)


RULES: dict[str, Rule] = {
    "LogSoftmax": _log_softmax,
    "Softmax": _softmax,
    "SoftmaxCrossEntropyWithLogits": _cross_entropy,
    "SparseSoftmaxCrossEntropyWithLogits": _sparse_cross_entropy,
}
