"""Lowerings of rounding to the steps of a quantised range, mostly for ranges that are constants.

What depends on a constant range alone is worked out here, in float32 as TensorFlow does it.
"""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64
from ...base.tensors import Array
from ...program.program import Step
from .builder import Builder, Table
from .steps import sure
from .values import Refusal, Value

F = np.float32


def _nudged(x: Value, low: Array, high: Array, num_bits: int, narrow_range: bool) -> tuple[Array, Array, Array, Array]:
    """The ends of a constant range and its step, once zero is one of its steps; and where it is empty."""
    from ..numpy.fake_quantisation import nudged

    if x.dtype != FLOAT32 or not 2 <= num_bits <= 16 or (low > high).any():
        raise Refusal("the range or the dtype makes no sense")
    empty = (low == 0) & (high == 0)
    return *nudged(np, low, np.where(empty, F(1), high), num_bits, narrow_range), empty


def _fake(g: Builder, x: Value, low: Array, high: Array, num_bits: int, narrow_range: bool) -> Value:
    least, most, step, empty = _nudged(x, low, high, num_bits, narrow_range)
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
    """To the nearest step and back. Without a range that is given it is that of the numbers."""
    if x.dtype not in (FLOAT32, FLOAT64) or not signed_input < num_bits < 63 or not -1 <= axis < x.rank:
        raise Refusal(f"{step.op} on {x.dtype} with {num_bits} bits has no lowering to ONNX")
    after = [] if axis < 0 else list(range(1, x.rank - axis))
    if range_given:
        if low.array is not None and high.array is not None and (low.array > high.array).any():
            raise Refusal("the range is empty")
        if axis < 0 and (low.shape != () or high.shape != ()):
            raise Refusal("the ends of the range are no single numbers")
        if axis >= 0 and (low.array is None or high.array is None):
            raise Refusal("ranges along an axis must be constants")
        ends = [g.cast(low, x.dtype), g.cast(high, x.dtype)]
        if axis < 0:
            ends[0] = sure(g, ends[0], g.binary("Less", ends[1], ends[0], BOOL))
    else:
        if x.shape is None or not all(x.shape):
            raise Refusal("the range of numbers that may be none is not known")
        others = g.ints([n for n in range(x.rank) if n != axis])
        shape = () if axis < 0 else (x.size(axis),)
        ends = [g.op(op, x, others, keepdims=0, shape=shape) for op in ("ReduceMin", "ReduceMax")]
    spread = [g.unsqueeze(end, after) for end in ends]
    least, most, scale, size = _steps(g, spread[0], spread[1], signed_input, num_bits, narrow_range)
    bounded = g.binary("Max", g.binary("Min", x, most), least) if range_given else x
    scaled = g.binary("Mul", bounded, scale)
    if round_mode == b"HALF_TO_EVEN":
        rounded = g.unary("Round", scaled)
    else:
        rounded = g.unary("Floor", g.binary("Add", scaled, g.like(0.5, x)))
    made = g.binary("Mul", rounded, size)
    return Value(made.name, made.dtype, x.shape)


def _steps(
    g: Builder, low: Value, high: Value, signed: bool, num_bits: int, narrow: bool
) -> tuple[Value, Value, Value, Value]:
    """The ends of a range that is symmetric around zero in steps, the number of steps in 1, and the size of a step."""
    first = (-(1 << (num_bits - 1)) + narrow) if signed else 0
    last = (1 << (num_bits - 1)) - 1 if signed else (1 << num_bits) - 1
    zero, most = g.like(0, low), g.like(float(np.finfo(low.dtype.numpy or np.float32).max), low)
    scales = []
    for bound, end in ((g.like(first, low), low), (g.like(last, low), high)):
        fits = g.binary("Greater", g.binary("Mul", bound, end), zero, BOOL)
        scales.append(g.where(fits, g.binary("Div", bound, end), most, end.shape))
    from_low = g.binary("Less", scales[0], scales[1], BOOL)
    scale = g.where(from_low, scales[0], scales[1], low.shape)
    by_low = g.binary("Div", low, g.like(first or 1, low))
    size = g.where(from_low, by_low, g.binary("Div", high, g.like(last, low)), low.shape)
    least = g.where(from_low, low, g.binary("Mul", g.like(first, low), size), low.shape)
    return least, g.where(from_low, g.binary("Mul", g.like(last, low), size), high, low.shape), scale, size


def quantize_and_dequantize_v1(
    g: Builder,
    step: Step,
    x: Value,
    *,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    input_min: float = 0.0,
    input_max: float = 0.0,
) -> Value:
    ends = g.const(input_min, FLOAT32), g.const(input_max, FLOAT32)
    return quantize_and_dequantize(
        g, step, x, *ends, signed_input=signed_input, num_bits=num_bits, range_given=range_given
    )


def quantize_and_dequantize_v3(
    g: Builder,
    step: Step,
    x: Value,
    low: Value,
    high: Value,
    num_bits: Value,
    *,
    signed_input: bool = True,
    range_given: bool = True,
    narrow_range: bool = False,
    axis: int = -1,
) -> Value:
    return quantize_and_dequantize(
        g,
        step,
        x,
        low,
        high,
        signed_input=signed_input,
        num_bits=g.fixed_ints(num_bits, "the number of bits")[0],
        range_given=range_given,
        narrow_range=narrow_range,
        axis=axis,
    )


# --- gradients


def _outside(g: Builder, x: Value, low: Array, high: Array, num_bits: int, narrow_range: bool) -> tuple[Value, Value]:
    """Which numbers lie below and above a range that is a constant; none of an empty one."""
    least, most, _, empty = _nudged(x, low, high, num_bits, narrow_range)
    least, most = np.where(empty, F(-np.inf), least), np.where(empty, F(np.inf), most)
    return (
        g.binary("Less", x, g.const(least, FLOAT32), BOOL),
        g.binary("Greater", x, g.const(most, FLOAT32), BOOL),
    )


def args_gradient(
    g: Builder,
    step: Step,
    gradient: Value,
    x: Value,
    *,
    min: float = -6.0,
    max: float = 6.0,
    num_bits: int = 8,
    narrow_range: bool = False,
) -> Value:
    if min >= max:
        raise Refusal(f"the range from {min} to {max} is empty")
    below, above = _outside(g, x, np.array(min, F), np.array(max, F), num_bits, narrow_range)
    inside = g.unary("Not", g.binary("Or", below, above, BOOL))
    # A number that is none lies nowhere.
    inside = g.binary("And", inside, g.unary("Not", g.unary("IsNaN", x, BOOL)), BOOL)
    return g.where(inside, gradient, g.like(0, gradient), x.shape)


def variables_gradient(
    g: Builder,
    step: Step,
    gradient: Value,
    x: Value,
    low: Value,
    high: Value,
    *,
    num_bits: int = 8,
    narrow_range: bool = False,
) -> list[Value]:
    """For the numbers inside of the range, and for its ends, which those outside were moved to."""
    ends = g.fixed(low, "the lower end of the range"), g.fixed(high, "the upper end of the range")
    below, above = _outside(g, x, *ends, num_bits, narrow_range)
    zero = g.like(0, gradient)
    made = [g.where(g.binary("Or", below, above, BOOL), zero, gradient, x.shape)]
    axes = list(range(x.rank - ends[0].ndim))
    for out in (below, above):
        held = g.where(out, gradient, zero, x.shape)
        made.append(g.op("ReduceSum", held, g.ints(axes), keepdims=0, shape=ends[0].shape) if axes else held)
    return made


LOWERINGS: Table = {
    "FakeQuantWithMinMaxArgs": args,
    "FakeQuantWithMinMaxArgsGradient": args_gradient,
    "FakeQuantWithMinMaxVars": variables,
    "FakeQuantWithMinMaxVarsGradient": variables_gradient,
    "FakeQuantWithMinMaxVarsPerChannel": variables,
    "FakeQuantWithMinMaxVarsPerChannelGradient": variables_gradient,
    "QuantizeAndDequantize": quantize_and_dequantize_v1,
    "QuantizeAndDequantizeV2": quantize_and_dequantize,
    "QuantizeAndDequantizeV3": quantize_and_dequantize_v3,
    "QuantizeAndDequantizeV4": quantize_and_dequantize,
}
