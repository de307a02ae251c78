"""Lowerings of losses, and of the gradients of elementwise ops that graphs for training hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.dtypes import BOOL
from ...program.program import Step
from .builder import Builder, Table
from .elementwise import floats_only
from .values import Refusal, Value

Pair = Callable[[Builder, Step, Value, Value], Value]


def _formula(make: Callable[[Builder, Value, Value], Value]) -> Pair:
    def lower(g: Builder, step: Step, x: Value, y: Value) -> Value:
        floats_only(x, step.op)
        return make(g, x, y)

    return lower


def _one_minus(g: Builder, x: Value) -> Value:
    return g.binary("Sub", g.like(1, x), x)


def _sigmoid_grad(g: Builder, y: Value, dy: Value) -> Value:
    return g.binary("Mul", g.binary("Mul", dy, y), _one_minus(g, y))


def _tanh_grad(g: Builder, y: Value, dy: Value) -> Value:
    return g.binary("Mul", dy, _one_minus(g, g.binary("Mul", y, y)))


def _sqrt_grad(g: Builder, y: Value, dy: Value) -> Value:
    return g.binary("Div", g.binary("Mul", g.like(0.5, y), dy), y)


def _rsqrt_grad(g: Builder, y: Value, dy: Value) -> Value:
    cube = g.binary("Mul", g.binary("Mul", y, y), y)
    return g.binary("Mul", g.binary("Mul", g.like(-0.5, y), dy), cube)


def _reciprocal_grad(g: Builder, y: Value, dy: Value) -> Value:
    return g.binary("Mul", g.unary("Neg", dy), g.binary("Mul", y, y))


def _softplus_grad(g: Builder, dy: Value, x: Value) -> Value:
    grown = g.binary("Add", g.like(1, x), g.unary("Exp", g.unary("Neg", x)))
    return g.binary("Div", dy, grown)


def relu_grad(g: Builder, step: Step, dy: Value, x: Value) -> Value:
    return _where(g, g.binary("Greater", x, g.like(0, x), BOOL), dy)


def relu6_grad(g: Builder, step: Step, dy: Value, x: Value) -> Value:
    inside = g.binary("And", g.binary("Greater", x, g.like(0, x), BOOL), g.binary("Less", x, g.like(6, x), BOOL), BOOL)
    return _where(g, inside, dy)


def _where(g: Builder, inside: Value, dy: Value) -> Value:
    """A product as TensorFlow has it, which the runtime works out in a third of the time that it needs to choose."""
    if dy.dtype.is_floating:
        return g.binary("Mul", dy, g.cast(inside, dy.dtype))
    return g.where(inside, dy, g.like(0, dy), dy.shape)


def _cross_entropy(g: Builder, step: Step, features: Value, hot: Value) -> list[Value | None]:
    """The loss of each row, and its gradient for the features."""
    floats_only(features, step.op)
    if features.rank != 2 or features.shape != hot.shape:
        raise Refusal(f"{step.op} has a form in ONNX for matrices of one known shape")
    logarithm = g.unary("LogSoftmax", features, axis=-1)
    counted = g.where(
        g.binary("Equal", hot, g.like(0, hot), BOOL), g.like(0, hot), g.binary("Mul", hot, logarithm), hot.shape
    )
    summed = g.op("ReduceSum", counted, g.ints([1]), keepdims=0, shape=(features.size(0),))
    return [g.unary("Neg", summed), g.binary("Sub", g.unary("Exp", logarithm), hot)]


def cross_entropy(g: Builder, step: Step, features: Value, labels: Value) -> list[Value | None]:
    return _cross_entropy(g, step, features, labels)


def sparse_cross_entropy(g: Builder, step: Step, features: Value, labels: Value) -> list[Value | None]:
    classes = features.size(1) if features.rank == 2 else None
    if classes is None or labels.rank != 1:
        raise Refusal(f"{step.op} has a form in ONNX for a known number of classes")
    ids = g.const(np.arange(classes), labels.dtype)
    beyond = g.where(g.binary("Less", labels, g.like(0, labels), BOOL), g.like(classes, labels), labels, labels.shape)
    checked = g.op("Gather", ids, beyond, axis=0, dtype=labels.dtype, shape=labels.shape)  # fails for labels beyond
    hot = g.binary("Equal", g.unsqueeze(checked, [1]), g.unsqueeze(ids, [0]), BOOL)
    numbers = g.cast(hot, features.dtype)
    return _cross_entropy(g, step, features, Value(numbers.name, numbers.dtype, features.shape))


LOWERINGS: Table = {
    "InvGrad": _formula(_reciprocal_grad),
    "ReciprocalGrad": _formula(_reciprocal_grad),
    "Relu6Grad": relu6_grad,
    "ReluGrad": relu_grad,
    "RsqrtGrad": _formula(_rsqrt_grad),
    "SigmoidGrad": _formula(_sigmoid_grad),
    "SoftmaxCrossEntropyWithLogits": cross_entropy,
    "SoftplusGrad": _formula(_softplus_grad),
    "SparseSoftmaxCrossEntropyWithLogits": sparse_cross_entropy,
    "SqrtGrad": _formula(_sqrt_grad),
    "TanhGrad": _formula(_tanh_grad),
}
