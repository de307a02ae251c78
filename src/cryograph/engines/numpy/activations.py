"""Activation functions and their gradients."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import binary, given, unary, wide

SELU_SCALE = 1.0507009873554804934193349852946
SELU_SCALE_ALPHA = 1.7580993408473768599402175208123
_BITS = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}
"""Bits of the fraction of each kind."""


def sigmoid(xp: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        return 1 / (1 + xp.exp(-x))
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(ctx: Context, x: Array) -> Array:
    """log(1 + exp(x)), which is exp(x) or x where the other term is lost in the kind; the bound is TensorFlow's."""
    xp, v = ctx.xp, wide(x)
    bound = -(-_BITS[x.dtype.name] * log(2) + 2)
    large, small = v > bound, v < -bound
    e = xp.exp(xp.where(large, 0, v))
    return given(ctx, xp.where(large, v, xp.where(small, e, xp.log1p(e))))


def _relu(xp: Any, x: Any) -> Any:
    return xp.where(x < 0, xp.zeros((), x.dtype), x)


def _relu6(xp: Any, x: Any) -> Any:
    return xp.where(x > 6, xp.asarray(6, x.dtype), _relu(xp, x))


def _elu(xp: Any, x: Any) -> Any:
    return xp.where(x < 0, xp.expm1(xp.minimum(x, 0)), x)


def _selu(xp: Any, x: Any) -> Any:
    return xp.where(x < 0, SELU_SCALE_ALPHA * xp.expm1(xp.minimum(x, 0)), SELU_SCALE * x)


def _leaky_relu(ctx: Context, features: Array, *, alpha: float = 0.2) -> Array:
    x = wide(features)
    return given(ctx, ctx.xp.where(x > 0, x, x * np.asarray(alpha, x.dtype)))


def _leaky_relu_grad(ctx: Context, gradients: Array, features: Array, *, alpha: float = 0.2) -> Array:
    dy = wide(gradients)
    return given(ctx, ctx.xp.where(features > 0, dy, dy * np.asarray(alpha, dy.dtype)))


def _relu_grad(xp: Any, dy: Any, x: Any) -> Any:
    """A product with 1 or 0: a gradient that is not finite is seen everywhere. Said so that no compiler chooses."""
    return xp.where(x > 0, dy, dy * 0)


def _relu6_grad(xp: Any, dy: Any, x: Any) -> Any:
    return xp.where((x > 0) & (x < 6), dy, dy * 0)


def _elu_grad(xp: Any, dy: Any, y: Any) -> Any:
    return xp.where(y < 0, dy * (y + 1), dy)


def _selu_grad(xp: Any, dy: Any, y: Any) -> Any:
    return xp.where(y < 0, dy * (y + SELU_SCALE_ALPHA), dy * SELU_SCALE)


def _softsign_grad(xp: Any, dy: Any, x: Any) -> Any:
    return dy / xp.square(1 + xp.abs(x))


RULES: dict[str, Rule] = {
    "Elu": unary(_elu),
    "EluGrad": binary(_elu_grad),
    "InvGrad": binary(lambda xp, y, dy: -dy * xp.conj(y) * xp.conj(y)),
    "LeakyRelu": _leaky_relu,
    "LeakyReluGrad": _leaky_relu_grad,
    "ReciprocalGrad": binary(lambda xp, y, dy: -dy * xp.conj(y) * xp.conj(y)),
    "Relu": unary(_relu),
    "Relu6": unary(_relu6),
    "Relu6Grad": binary(_relu6_grad),
    "ReluGrad": binary(_relu_grad),
    "RsqrtGrad": binary(lambda xp, y, dy: -0.5 * dy * xp.conj(y) ** 3),
    "Selu": unary(_selu),
    "SeluGrad": binary(_selu_grad),
    "Sigmoid": unary(sigmoid),
    "SigmoidGrad": binary(lambda xp, y, dy: dy * y * (1 - y)),
    "Softplus": _softplus,
    "SoftplusGrad": binary(lambda xp, dy, x: dy / (1 + xp.exp(-x))),
    "Softsign": unary(lambda xp, x: x / (1 + xp.abs(x))),
    "SoftsignGrad": binary(_softsign_grad),
    "SqrtGrad": binary(lambda xp, y, dy: 0.5 * dy / xp.conj(y)),
    "Tanh": unary("tanh"),
    "TanhGrad": binary(lambda xp, y, dy: dy * (1 - y * y)),
}
