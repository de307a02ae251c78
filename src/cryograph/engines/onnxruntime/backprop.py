"""Lowerings of the gradients that graphs for training and saliency hold, beside those of losses."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, INT64, UINT8
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value


def broadcast_gradient_args(g: Builder, step: Step, a: Value, b: Value) -> list[Value]:
    """The axes at which either shape has 1; none when they are the same."""
    lengths = [x.size(0) for x in (a, b)]
    if None in lengths:
        raise Refusal("the ranks are not known")
    rank = max(length or 0 for length in lengths)
    if not rank:
        return [g.const(np.zeros(0), a.dtype)] * 2
    made = []
    for x, length in zip((a, b), lengths, strict=True):
        ones = g.const(np.ones(rank - (length or 0)), a.dtype)
        made.append(g.concat([ones, x], 0, (rank,)) if ones.size(0) else x)
    flags = [g.binary("Equal", x, g.const(1, a.dtype), BOOL) for x in made]
    if lengths[0] == lengths[1]:
        equal = g.cast(g.binary("Equal", made[0], made[1], BOOL), UINT8)
        apart = g.unary("Not", g.cast(g.op("ReduceMin", equal, g.ints([0]), keepdims=1, shape=(1,)), BOOL))
        flags = [g.binary("And", flag, apart, BOOL) for flag in flags]
    found = [g.op("NonZero", flag, dtype=INT64, shape=(1, None)) for flag in flags]
    return [g.cast(g.reshape(x, [-1]), a.dtype) for x in found]


LOWERINGS: Table = {
    "BroadcastGradientArgs": broadcast_gradient_args,
}
