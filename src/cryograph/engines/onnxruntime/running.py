"""Lowerings of running products and of running sums of exponentials: in rounds that reach twice as far each time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.dtypes import BOOL
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .elementwise import floats_only, log1p
from .slices import reversed_along
from .values import Refusal, Value

Join = Callable[[Builder, Step, Value, Value], Value]

MAX_LENGTH = 1 << 16
"""Elements along the axis up to which sixteen rounds do."""


def _moved(g: Builder, x: Value, axis: int, by: int, size: int, fill: float) -> Value:
    """`x` moved along an axis, what comes in being `fill`."""
    kept = g.slice(x, g.ints([0]), g.ints([size - by]), [axis])
    pads = [by if i == axis else 0 for i in range(2 * x.rank)]
    return g.op("Pad", kept, g.ints(pads), g.like(fill, x), mode="constant", shape=x.shape)


def _running(join: Join, fill: float) -> Lowering:
    def lower(
        g: Builder, step: Step, x: Value, axis: Value, *, exclusive: bool = False, reverse: bool = False
    ) -> Value:
        (where,) = g.axes(axis, x.rank)
        size = x.size(where)
        if size is None or size > MAX_LENGTH:
            raise Refusal(f"{step.op} along {size} elements has no lowering to ONNX")
        if not size:
            return x
        made = reversed_along(g, x, where) if reverse else x
        if exclusive:
            made = _moved(g, made, where, 1, size, fill)
        by = 1
        while by < size:
            made = join(g, step, made, _moved(g, made, where, by, size, fill))
            by *= 2
        return reversed_along(g, made, where) if reverse else Value(made.name, made.dtype, x.shape)

    return lower


def _product(g: Builder, step: Step, x: Value, y: Value) -> Value:
    return g.op("Mul", x, y, shape=x.shape)


def _log_sum(g: Builder, step: Step, x: Value, y: Value) -> Value:
    """The larger, and log(1 + exp(-distance)). Two that are equal, infinite ones too, have no distance."""
    floats_only(x, step.op)
    same = g.op("Equal", x, y, dtype=BOOL, shape=x.shape)
    apart = g.where(same, g.like(0, x), g.op("Sub", x, y, shape=x.shape), x.shape)
    near = log1p(g, step, g.unary("Exp", g.unary("Neg", g.unary("Abs", apart))))
    return g.op("Add", g.op("Max", x, y, shape=x.shape), near, shape=x.shape)


LOWERINGS: Table = {
    "Cumprod": _running(_product, 1),
    "CumulativeLogsumexp": _running(_log_sum, -np.inf),
}
