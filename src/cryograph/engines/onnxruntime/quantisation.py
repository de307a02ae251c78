"""Lowerings of rounding to the steps of a quantised range, for ranges that are constants.

What depends on the range alone is worked out here, in float32 as TensorFlow does it.
"""

from __future__ import annotations

import numpy as np

from ...base.dtypes import FLOAT32, FLOAT64
from ...base.tensors import Array
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value

F = np.float32


def _fake(g: Builder, x: Value, low: Array, high: Array, num_bits: int, narrow_range: bool) -> Value:
    from ..numpy.fake_quantisation import nudged

    if x.dtype != FLOAT32 or not 2 <= num_bits <= 16 or (low > high).any():
        raise Refusal("the range or the dtype makes no sense")
    empty = (low == 0) & (high == 0)
    least, most, step = nudged(low, np.where(empty, F(1), high), num_bits, narrow_range)
    inverse = F(1) / step
    zero = np.floor(-least * inverse + F(0.5))
    bounded = g.binary("Max", g.binary("Min", x, g.const(most, FLOAT32)), g.const(least, FLOAT32))
    shifted = g.binary("Mul", g.binary("Sub", bounded, g.const(least, FLOAT32)), g.const(inverse, FLOAT32))
    placed = g.binary("Add", g.binary("Sub", shifted, g.const(zero, FLOAT32)), g.const(0.5, FLOAT32))
    made = g.binary("Mul", g.unary("Floor", placed), g.const(np.where(empty, F(0), step), FLOAT32))
    return Value(made.name, made.dtype, x.shape)


def args(
    g: Builder,
    step: Step,
    x: Value,
    *,
    min: float = -6.0,
    max: float = 6.0,
    num_bits: int = 8,
    narrow_range: bool = False,
) -> Value:
    if min >= max:
        raise Refusal(f"the range from {min} to {max} is empty")
    return _fake(g, x, np.array(min, F), np.array(max, F), num_bits, narrow_range)


def variables(
    g: Builder, step: Step, x: Value, low: Value, high: Value, *, num_bits: int = 8, narrow_range: bool = False
) -> Value:
    """For one range, or one for each channel."""
    ends = g.fixed(low, "the lower end of the range"), g.fixed(high, "the upper end of the range")
    channels = () if step.op.endswith("Vars") else (x.size(x.rank - 1),) if x.rank else None
    if any(end.shape != channels for end in ends):
        raise Refusal("the ends of the range do not fit the channels")
    return _fake(g, x, *ends, num_bits, narrow_range)


def quantize_and_dequantize(
    g: Builder,
    step: Step,
    x: Value,
    low: Value,
    high: Value,
    *,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    round_mode: bytes = b"HALF_TO_EVEN",
    narrow_range: bool = False,
    axis: int = -1,
) -> Value:
    """To the nearest step and back, within a range that is a constant."""
    from ..numpy.fake_quantisation import steps

    if not range_given or axis != -1 or x.dtype not in (FLOAT32, FLOAT64) or not signed_input < num_bits < 63:
        raise Refusal(f"{step.op} goes to ONNX only with a range that is given for all numbers")
    ends = g.fixed(low, "the lower end of the range"), g.fixed(high, "the upper end of the range")
    if any(end.ndim for end in ends) or ends[0] > ends[1]:
        raise Refusal("the range is empty")
    with np.errstate(all="ignore"):
        least, most, scale, size = steps(*ends, signed_input, num_bits, narrow_range)
    bounded = g.binary("Max", g.binary("Min", x, g.const(most, x.dtype)), g.const(least, x.dtype))
    scaled = g.binary("Mul", bounded, g.const(scale, x.dtype))
    if round_mode == b"HALF_TO_EVEN":
        rounded = g.unary("Round", scaled)
    else:
        rounded = g.unary("Floor", g.binary("Add", scaled, g.like(0.5, x)))
    made = g.binary("Mul", rounded, g.const(size, x.dtype))
    return Value(made.name, made.dtype, x.shape)


LOWERINGS: Table = {
    "FakeQuantWithMinMaxArgs": args,
    "FakeQuantWithMinMaxVars": variables,
    "FakeQuantWithMinMaxVarsPerChannel": variables,
    "QuantizeAndDequantizeV2": quantize_and_dequantize,
    "QuantizeAndDequantizeV4": quantize_and_dequantize,
}
