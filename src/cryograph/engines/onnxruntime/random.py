"""Lowerings of random ops without a seed, whose numbers are nobody's to name. Seeded ones run on numpy, bit for bit."""

from __future__ import annotations

from typing import Any

from ...base.dtypes import FLOAT32, FLOAT64, DType
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .shapes import fixed_shape
from .values import Refusal, Value


def _drawn(op: str, **attrs: Any) -> Lowering:
    def lower(g: Builder, step: Step, shape: Value, *, dtype: DType, seed: int = 0, seed2: int = 0) -> Value:
        if seed or seed2:
            raise Refusal("a random op with a seed gives TensorFlow's own numbers, which ONNX Runtime does not have")
        if dtype not in (FLOAT32, FLOAT64):
            raise Refusal(f"random numbers of {dtype} have no form in ONNX")
        known = fixed_shape(shape)
        like = g.op("Expand", g.const(0, dtype), g.int64(shape), shape=known)
        return g.op(op, like, dtype=dtype, shape=known, **attrs)

    return lower


LOWERINGS: Table = {
    "RandomStandardNormal": _drawn("RandomNormalLike", mean=0.0, scale=1.0),
    "RandomUniform": _drawn("RandomUniformLike", low=0.0, high=1.0),
}
