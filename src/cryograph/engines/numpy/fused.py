"""Convolutions, products and batch norms with what TensorFlow's graph optimizer fuses into them.

`fused_ops` names what follows, in order: BiasAdd or FusedBatchNorm, a sum, an activation. Source: remapper.cc,
conv_ops_fused_impl.h, matmul_op_fused.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...base.errors import RunError, UnsupportedError
from ...base.tensors import Array
from . import special
from .activations import sigmoid
from .context import Context, Rule
from .convolutions import RULES as CONVOLUTIONS
from .elementwise import wide
from .norms import RULES as NORMS
from .products import RULES as PRODUCTS
from .windows import as_format, channels_last


def _gelu(x: Array) -> Array:
    return np.asarray(x * x.dtype.type(0.5) * (1 + special.erf(x / np.sqrt(2)).astype(x.dtype)))


def _gelu_by_tanh(x: Array) -> Array:
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1 + np.tanh(inner))).astype(x.dtype)


ACTIVATIONS: dict[bytes, Callable[[Array], Array]] = {
    b"Elu": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
    b"GeluApproximate": _gelu_by_tanh,
    b"GeluExact": _gelu,
    b"Relu": lambda x: np.maximum(x, 0),
    b"Relu6": lambda x: np.clip(x, 0, 6),
    b"Sigmoid": lambda x: np.asarray(sigmoid(np, x)),
    b"Tanh": np.tanh,
}


def _tail(x: Array, args: Sequence[Array], fused_ops: Sequence[bytes], epsilon: float, alpha: float) -> Array:
    """What follows, of numbers with the channels last."""
    left = list(args)
    for name in fused_ops:
        takes = {b"BiasAdd": 1, b"Add": 1, b"FusedBatchNorm": 4}.get(name, 0)
        if len(left) < takes:
            raise RunError(f"{list(fused_ops)} take more than the {len(args)} tensors that were given")
        given, left = [wide(part) for part in left[:takes]], left[takes:]
        if name == b"BiasAdd":
            if given[0].shape != x.shape[-1:]:
                raise RunError(f"biases of {list(given[0].shape)} do not fit {list(x.shape)}")
            x = x + given[0]
        elif name == b"Add":
            x = x + given[0]
        elif name == b"FusedBatchNorm":
            scale, offset, mean, variance = given
            x = (x - mean) * (scale / np.sqrt(variance + np.float32(epsilon))) + offset
        elif name == b"LeakyRelu":
            x = np.where(x > 0, x, x * x.dtype.type(alpha))
        elif name in ACTIVATIONS:
            x = ACTIVATIONS[name](x)
        else:
            raise UnsupportedError(f"the fused op {name.decode('utf-8', 'replace')} is not supported")
    return x


def _finished(
    ctx: Context, made: Array, args: Sequence[Array], fused_ops: list[bytes], data_format: bytes, *numbers: float
) -> Array:
    last = channels_last(wide(made), data_format)
    turned = [channels_last(part, data_format) if part.ndim == made.ndim else part for part in args]
    found = _tail(last, turned, fused_ops, *numbers)
    return np.asarray(as_format(found, data_format).astype(ctx.dtype, copy=False))


def _conv(
    ctx: Context,
    x: Array,
    filters: Array,
    *args: Array,
    strides: list[int],
    padding: bytes,
    dilations: list[int],
    fused_ops: list[bytes],
    data_format: bytes = b"NHWC",
    filter_format: bytes = b"HWIO",
    explicit_paddings: list[int] | None = None,
    num_args: int = 0,
    num_host_args: int = 0,
    epsilon: float = 1e-4,
    leakyrelu_alpha: float = 0.2,
) -> Array:
    if filter_format != b"HWIO" or num_host_args:
        raise UnsupportedError("only filters in the order HWIO without arguments of the host are supported")
    how = {"strides": strides, "padding": padding, "dilations": dilations, "data_format": data_format}
    made = CONVOLUTIONS["Conv2D"](ctx, x, filters, explicit_paddings=explicit_paddings, **how)
    return _finished(ctx, made, args, fused_ops, data_format, epsilon, leakyrelu_alpha)


def _depthwise(
    ctx: Context,
    x: Array,
    filters: Array,
    *args: Array,
    strides: list[int],
    padding: bytes,
    dilations: list[int],
    fused_ops: list[bytes],
    data_format: bytes = b"NHWC",
    epsilon: float = 1e-4,
    leakyrelu_alpha: float = 0.2,
) -> Array:
    how = {"strides": strides, "padding": padding, "dilations": dilations, "data_format": data_format}
    made = CONVOLUTIONS["DepthwiseConv2dNative"](ctx, x, filters, **how)
    return _finished(ctx, made, args, fused_ops, data_format, epsilon, leakyrelu_alpha)


def _mat_mul(
    ctx: Context,
    a: Array,
    b: Array,
    *args: Array,
    fused_ops: list[bytes],
    transpose_a: bool = False,
    transpose_b: bool = False,
    epsilon: float = 1e-4,
    leakyrelu_alpha: float = 0.2,
) -> Array:
    made = PRODUCTS["MatMul"](ctx, a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    return _tail(wide(made), args, fused_ops, epsilon, leakyrelu_alpha).astype(ctx.dtype, copy=False)


def _batch_norm(
    ctx: Context,
    x: Array,
    scale: Array,
    offset: Array,
    mean: Array,
    variance: Array,
    *side_input: Array,
    epsilon: float = 1e-4,
    exponential_avg_factor: float = 1.0,
    activation_mode: bytes = b"Identity",
    data_format: bytes = b"NHWC",
    is_training: bool = True,
) -> tuple[Array, ...]:
    """A batch norm, a sum, an activation."""
    how: dict[str, Any] = {"epsilon": epsilon, "exponential_avg_factor": exponential_avg_factor}
    how |= {"data_format": data_format, "is_training": is_training}
    made, *rest = NORMS["FusedBatchNormV3"](ctx, x, scale, offset, mean, variance, **how)
    for part in side_input:
        made = (wide(made) + wide(part)).astype(ctx.dtype, copy=False)
    if activation_mode != b"Identity":
        if activation_mode not in ACTIVATIONS:
            raise RunError(f"the activation {activation_mode.decode('utf-8', 'replace')} is not known")
        made = ACTIVATIONS[activation_mode](wide(made)).astype(ctx.dtype, copy=False)
    return made, *rest


RULES: dict[str, Rule] = {
    "_FusedBatchNormEx": _batch_norm,
    "_FusedConv2D": _conv,
    "_FusedDepthwiseConv2dNative": _depthwise,
    "_FusedMatMul": _mat_mul,
}
