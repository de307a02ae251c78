"""Matrix products, biases and Fourier transforms. Narrow floats are multiplied in float32 and rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import wide


def _transposed(x: Array, transpose: bool, adjoint: bool) -> Array:
    if adjoint:
        return np.conj(np.swapaxes(x, -1, -2))
    return np.swapaxes(x, -1, -2) if transpose else x


def _mat_mul(
    ctx: Context,
    a: Array,
    b: Array,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    grad_a: bool = False,
    grad_b: bool = False,
) -> Array:
    left, right = _transposed(wide(a), transpose_a, False), _transposed(wide(b), transpose_b, False)
    return np.asarray(np.matmul(left, right).astype(ctx.dtype, copy=False))


def _batch_mat_mul(
    ctx: Context,
    x: Array,
    y: Array,
    *,
    adj_x: bool = False,
    adj_y: bool = False,
    grad_x: bool = False,
    grad_y: bool = False,
) -> Array:
    left, right = _transposed(wide(x), False, adj_x), _transposed(wide(y), False, adj_y)
    if left.dtype != right.dtype or left.dtype.itemsize < ctx.dtype.itemsize:
        left, right = left.astype(ctx.dtype), right.astype(ctx.dtype)
    return np.asarray(np.matmul(left, right).astype(ctx.dtype, copy=False))


def _einsum(ctx: Context, *inputs: Array, equation: bytes) -> Array:
    text = equation.decode().replace(" ", "")
    made = np.einsum(text, *(wide(x) for x in inputs), optimize=True)
    return np.asarray(made).astype(ctx.dtype, copy=False)


def _bias_add(ctx: Context, value: Array, bias: Array, *, data_format: bytes = b"NHWC") -> Array:
    if data_format == b"NCHW":
        bias = bias.reshape(-1, *(1,) * (value.ndim - 2))
    return np.asarray(wide(value) + wide(bias)).astype(ctx.dtype, copy=False)


def _bias_add_v1(ctx: Context, value: Array, bias: Array) -> Array:
    return np.asarray(wide(value) + wide(bias)).astype(ctx.dtype, copy=False)


def _cross(ctx: Context, a: Array, b: Array) -> Array:
    return np.cross(a, b).astype(ctx.dtype)


def _fft(function: Any, dimensions: int) -> Rule:
    def rule(ctx: Context, x: Array) -> Array:
        return np.asarray(function(x, axes=tuple(range(-dimensions, 0)))).astype(ctx.dtype)

    return rule


def _rfft(dimensions: int) -> Rule:
    def rule(ctx: Context, x: Array, fft_length: Array) -> Array:
        lengths = _lengths(fft_length, dimensions)
        return np.fft.rfftn(x, lengths, axes=tuple(range(-dimensions, 0))).astype(ctx.dtype)

    return rule


def _irfft(dimensions: int) -> Rule:
    def rule(ctx: Context, x: Array, fft_length: Array) -> Array:
        lengths = _lengths(fft_length, dimensions)
        return np.fft.irfftn(x, lengths, axes=tuple(range(-dimensions, 0))).astype(ctx.dtype)

    return rule


def _lengths(fft_length: Array, dimensions: int) -> list[int]:
    lengths = [int(n) for n in np.asarray(fft_length).reshape(-1)]
    if len(lengths) != dimensions:
        raise RunError(f"{len(lengths)} lengths were given for {dimensions} dimensions")
    return lengths


RULES: dict[str, Rule] = {
    "BatchFFT": _fft(np.fft.fftn, 1),
    "BatchIFFT": _fft(np.fft.ifftn, 1),
    "BatchMatMul": _batch_mat_mul,
    "BatchMatMulV2": _batch_mat_mul,
    "BatchMatMulV3": _batch_mat_mul,
    "BiasAdd": _bias_add,
    "BiasAddV1": _bias_add_v1,
    "Cross": _cross,
    "Einsum": _einsum,
    "FFT": _fft(np.fft.fftn, 1),
    "FFT2D": _fft(np.fft.fftn, 2),
    "FFT3D": _fft(np.fft.fftn, 3),
    "IFFT": _fft(np.fft.ifftn, 1),
    "IFFT2D": _fft(np.fft.ifftn, 2),
    "IFFT3D": _fft(np.fft.ifftn, 3),
    "IRFFT": _irfft(1),
    "IRFFT2D": _irfft(2),
    "IRFFT3D": _irfft(3),
    "MatMul": _mat_mul,
    "RFFT": _rfft(1),
    "RFFT2D": _rfft(2),
    "RFFT3D": _rfft(3),
}
