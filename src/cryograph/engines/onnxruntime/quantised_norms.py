"""The lowering of a batch norm of quantised numbers, in fixed point: see the reference's `quantised_maths`."""

from __future__ import annotations

from ...base.dtypes import INT32, INT64, UINT8, DType
from ...program.program import Step
from .builder import Builder, Table
from .steps import add, div, f32, level, meaning, mul, scalar, within
from .values import Refusal, Value, plain

_END = 1 << 20
"""The range is a million on both sides of zero."""


def batch_norm(
    g: Builder,
    step: Step,
    x: Value,
    x_min: Value,
    x_max: Value,
    mean: Value,
    mean_min: Value,
    mean_max: Value,
    variance: Value,
    variance_min: Value,
    variance_max: Value,
    beta: Value,
    beta_min: Value,
    beta_max: Value,
    gamma: Value,
    gamma_min: Value,
    gamma_max: Value,
    *,
    Tinput: DType,
    out_type: DType,
    variance_epsilon: float,
    scale_after_normalization: bool,
) -> list[Value]:
    if x.rank != 4 or plain(Tinput) != UINT8 or plain(out_type) != INT32:
        raise Refusal(f"{step.op} of {Tinput} has no lowering to ONNX")
    low, high = f32(g, -_END), f32(g, _END)
    given = ((mean, mean_min, mean_max), (variance, variance_min, variance_max), (beta, beta_min, beta_max),
             (gamma, gamma_min, gamma_max))  # fmt: skip
    m, v, b, s = (meaning(g, part, scalar(g, least), scalar(g, most), Tinput) for part, least, most in given)
    scale = div(g, f32(g, 1), g.unary("Sqrt", add(g, v, f32(g, variance_epsilon))))
    if scale_after_normalization:
        scale = mul(g, scale, s)
    offset = add(g, mul(g, g.unary("Neg", m), scale), b)

    def placed(number: Value) -> Value:
        return within(g, level(g, number, low, high, INT32), INT32)

    def wrapped(number: Value) -> Value:
        """The lower 32 bits, which are what TensorFlow's products keep."""
        return g.int64(g.cast(number, INT32))

    first, shift, unit = placed(scale), placed(offset), placed(f32(g, 1))
    steps = placed(meaning(g, x, scalar(g, x_min), scalar(g, x_max), Tinput))
    product = wrapped(mul(g, Value(steps.name, INT64, x.shape), first))
    # Towards zero.
    size = g.op("Div", g.unary("Abs", product), g.unary("Abs", unit), shape=x.shape)
    over = mul(g, g.unary("Sign", mul(g, product, g.unary("Sign", unit))), size)
    made = wrapped(add(g, over, shift))
    return [g.cast(Value(made.name, INT64, x.shape), INT32), low, high]


LOWERINGS: Table = {"QuantizedBatchNormWithGlobalNormalization": batch_norm}
