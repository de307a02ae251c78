"""Steps of TensorFlow's own solver for linear models that need no solver."""

from __future__ import annotations

import numpy as np

from ...base.tensors import Array
from .context import Context, Rule


def _shrink(ctx: Context, *weights: Array, l1: float, l2: float) -> tuple[Array, ...]:
    """Weights moved towards 0 by l1 / l2, and no further."""
    by = np.float32(np.divide(np.float32(l1), np.float32(l2)))
    return tuple(np.sign(w) * np.maximum(np.abs(w) - by, np.float32(0)) for w in weights)


RULES: dict[str, Rule] = {
    "SdcaShrinkL1": _shrink,
}
