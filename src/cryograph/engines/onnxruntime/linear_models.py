"""The lowering of a step of TensorFlow's own solver for linear models."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import FLOAT32
from ...program.program import Step
from .builder import Builder, Table
from .values import Value


def shrink(g: Builder, step: Step, *weights: Value, l1: float, l2: float) -> list[Value]:
    """Weights moved towards 0 by l1 / l2, and no further."""
    with np.errstate(all="ignore"):
        by = g.const(np.divide(np.float32(l1), np.float32(l2)), FLOAT32)
    zero = g.const(0, FLOAT32)
    made = []
    for x in weights:
        left = g.op("Max", g.op("Sub", g.unary("Abs", x), by, shape=x.shape), zero, shape=x.shape)
        made.append(g.op("Mul", g.unary("Sign", x), left, shape=x.shape))
    return made


LOWERINGS: Table = {"SdcaShrinkL1": shrink}
