"""The lowering of pictures of small integers resized in fixed point: see the reference's `quantised_images`."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import FLOAT32, INT32, INT64, UINT8
from ...base.tensors import Array
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value, plain

_POINTS = {INT32: 30, UINT8: 7}
"""By dtype: the bits behind the point."""


def _towards_zero(g: Builder, x: Value, divisor: int) -> Value:
    """A whole quotient, as C has it."""
    size = g.op("Div", g.unary("Abs", x), g.const(divisor, INT64), shape=x.shape)
    return g.op("Mul", g.unary("Sign", x), size, shape=x.shape)


def resize(
    g: Builder,
    step: Step,
    images: Value,
    size: Value,
    low: Value,
    high: Value,
    *,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
) -> list[Value]:
    """The range stays as it is."""
    from ..numpy.quantised_images import between

    target = g.fixed_ints(size, "the size of pictures")
    space = (images.shape or ())[1:3]
    kind = plain(images.dtype)
    if images.rank != 4 or None in space or 0 in (images.shape or ()) or len(target) != 2 or min(target) < 1:
        raise Refusal("pictures of known sizes are taken")
    if low.shape != () or high.shape != () or kind not in (*_POINTS, FLOAT32):
        raise Refusal(f"{step.op} of {images.dtype} has no lowering to ONNX")
    if tuple(target) == space:
        return [images, low, high]
    (top, bottom, y), (left, right, x) = (
        between(known or 0, wanted, align_corners, half_pixel_centers)
        for known, wanted in zip(space, target, strict=True)
    )
    shape = (images.size(0), *target, images.size(3))

    def corner(rows: Array, columns: Array) -> Value:
        taken = g.op("Gather", images, g.const(rows, INT64), axis=1, shape=(shape[0], target[0], space[1], shape[3]))
        return g.op("Gather", taken, g.const(columns, INT64), axis=2, shape=shape)

    corners = [corner(row, column) for row in (top, bottom) for column in (left, right)]
    x, y = x.reshape(1, 1, -1, 1), y.reshape(1, -1, 1, 1)

    def do(op: str, a: Value, b: Value) -> Value:
        return g.op(op, a, b, shape=shape)

    if kind == FLOAT32:
        across, along = g.const(x, FLOAT32), g.const(y, FLOAT32)
        upper, lower = (
            do("Add", first, do("Mul", do("Sub", second, first), across))
            for first, second in (corners[:2], corners[2:])
        )
        return [do("Add", upper, do("Mul", do("Sub", lower, upper), along)), low, high]
    one = 1 << _POINTS[kind]
    # TensorFlow's type of 32 bits becomes a float32 on its way to 64 bits.
    held = [g.cast(g.cast(part, FLOAT32), INT64) for part in corners]
    across, along = (g.const((part * np.float32(one)).astype(np.int64), INT64) for part in (x, y))
    upper, lower = (
        do("Add", do("Mul", first, g.const(one, INT64)), do("Mul", do("Sub", second, first), across))
        for first, second in (held[:2], held[2:])
    )
    found = do("Add", upper, do("Mul", _towards_zero(g, do("Sub", lower, upper), one), along))
    made = _towards_zero(g, do("Add", found, g.const(one // 2, INT64)), one)
    return [g.cast(g.cast(made, INT32), images.dtype), low, high]


LOWERINGS: Table = {"QuantizedResizeBilinear": resize}
