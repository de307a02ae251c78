"""Lowerings of random ops without a seed, whose numbers are nobody's to name. Seeded ones: see `seeded`."""

from __future__ import annotations

from typing import Any

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .faults import TOP_OF_NOTHING, must_be_right
from .shapes import fixed_shape
from .steps import sure
from .values import Refusal, Value


def _drawn(op: str, **attrs: Any) -> Lowering:
    def lower(g: Builder, step: Step, shape: Value, *, dtype: DType, seed: int = 0, seed2: int = 0) -> Value:
        _unseeded(seed, seed2)
        if dtype not in (FLOAT32, FLOAT64):
            raise Refusal(f"random numbers of {dtype} have no form in ONNX")
        known = fixed_shape(shape)
        like = g.op("Expand", g.const(0, dtype), g.int64(shape), shape=known)
        return g.op(op, like, dtype=dtype, shape=known, **attrs)

    return lower


def _unseeded(seed: int, seed2: int) -> None:
    if seed or seed2:
        raise Refusal("a random op with a seed gives TensorFlow's own numbers, which ONNX Runtime does not have")


def multinomial(
    g: Builder,
    step: Step,
    logits: Value,
    count: Value,
    *,
    seed: int = 0,
    seed2: int = 0,
    output_dtype: DType = INT64,
) -> Value:
    """(batch, classes) -> (batch, count) numbers of classes."""
    _unseeded(seed, seed2)
    (many,) = g.fixed_ints(count, "the number of samples")
    if many < 1 or logits.rank != 2:
        raise Refusal("classes are drawn of a matrix, at least once")
    shape = (logits.size(0), many)
    made = g.op("Multinomial", g.cast(logits, FLOAT32), dtype=INT32, shape=shape, sample_size=many)
    return g.cast(made, output_dtype)


def uniform_int(
    g: Builder, step: Step, shape: Value, low: Value, high: Value, *, seed: int = 0, seed2: int = 0
) -> Value:
    """From `low` to below `high`: a double in [0, 1) has digits enough for 32 bits."""
    _unseeded(seed, seed2)
    if low.dtype != INT32:
        raise Refusal(f"whole random numbers of {low.dtype} have no form in ONNX")
    known = fixed_shape(shape)
    like = g.op("Expand", g.const(0, FLOAT64), g.int64(shape), shape=known)
    part = g.op("RandomUniformLike", like, shape=known, low=0.0, high=1.0)
    span = g.cast(sure(g, g.op("Sub", g.int64(high), g.int64(low), shape=()), _not_below(g, low, high)), FLOAT64)
    steps = g.op("Floor", g.op("Mul", part, span, shape=known), shape=known)
    last = g.op("Sub", span, g.const(1, FLOAT64), shape=())
    drawn = g.cast(g.op("Min", steps, last, shape=known), INT64)
    return g.cast(g.op("Add", drawn, g.int64(low), shape=known), INT32)


def _not_below(g: Builder, low: Value, high: Value) -> Value:
    return g.op("GreaterOrEqual", low, high, dtype=BOOL, shape=())


def shuffle(g: Builder, step: Step, x: Value, *, seed: int = 0, seed2: int = 0) -> Value:
    """The rows in the order of random numbers."""
    _unseeded(seed, seed2)
    if not x.rank:
        return x
    rows = g.sizes(x, [0])
    if not x.size(0):
        must_be_right(TOP_OF_NOTHING)
    like = g.op("Expand", g.const(0, FLOAT64), rows, shape=(x.size(0),))
    keys = g.op("RandomUniformLike", like, shape=like.shape, low=0.0, high=1.0)
    _, order = g.ops("TopK", keys, rows, dtypes=[FLOAT64, INT64], shapes=[like.shape] * 2, axis=0)
    return g.op("Gather", x, order, axis=0, shape=x.shape)


UNSEEDED: Table = {
    "Multinomial": multinomial,
    "RandomShuffle": shuffle,
    "RandomStandardNormal": _drawn("RandomNormalLike", mean=0.0, scale=1.0),
    "RandomUniform": _drawn("RandomUniformLike", low=0.0, high=1.0),
    "RandomUniformInt": uniform_int,
}
