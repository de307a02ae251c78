"""XLA's products, convolutions and decompositions.

Source: the operation semantics of XLA (openxla.org) and TensorFlow's kernels for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from ...wire.xla_numbers import conv_numbers, dot_numbers
from .context import Context, Rule
from .convolutions import convolve
from .elementwise import wide
from .windows import Windows
from .xla_moves import pad_general, sizes_of


def _computed(x: Array, dtype: np.dtype[Any]) -> Array:
    """As what is computed with: the dtype of the result, where it is wider."""
    held = wide(x)
    made = np.zeros(0, dtype)
    return held.astype(np.result_type(held.dtype, wide(made).dtype), copy=False)


def _dot(ctx: Context, left: Array, right: Array, *, dimension_numbers: bytes, precision_config: bytes) -> Array:
    """(*batch, *rest of the left, *rest of the right)."""
    numbers = dot_numbers(dimension_numbers)
    a, b = _computed(left, ctx.dtype), _computed(right, ctx.dtype)
    shared = [numbers.left_batch, numbers.left_summed], [numbers.right_batch, numbers.right_summed]
    if [[a.shape[n] for n in axes] for axes in shared[0]] != [[b.shape[n] for n in axes] for axes in shared[1]]:
        raise RunError(f"{list(a.shape)} and {list(b.shape)} do not agree in {shared[0]} and {shared[1]}")
    left_rest = [n for n in range(a.ndim) if n not in numbers.left_batch + numbers.left_summed]
    right_rest = [n for n in range(b.ndim) if n not in numbers.right_batch + numbers.right_summed]
    a = a.transpose(numbers.left_batch + left_rest + numbers.left_summed)
    b = b.transpose(numbers.right_batch + numbers.right_summed + right_rest)
    batch = a.shape[: len(numbers.left_batch)]
    rows = a.shape[len(batch) : len(batch) + len(left_rest)]
    columns = b.shape[b.ndim - len(right_rest) :]
    inner = int(np.prod(a.shape[len(batch) + len(rows) :]))
    flat_a = a.reshape(*batch, int(np.prod(rows)), inner)
    flat_b = b.reshape(*batch, inner, int(np.prod(columns)))
    made = np.asarray(np.matmul(flat_a, flat_b)).reshape((*batch, *rows, *columns))
    return made.astype(ctx.dtype, copy=False)


def _conv(
    ctx: Context,
    left: Array,
    right: Array,
    window_strides: Array,
    padding: Array,
    lhs_dilation: Array,
    rhs_dilation: Array,
    feature_group_count: Array,
    *,
    dimension_numbers: bytes,
    precision_config: bytes,
    batch_group_count: int = 1,
) -> Array:
    """With gaps in the input and in the filters, paddings that may cut off, and groups of features or of pictures."""
    numbers = conv_numbers(dimension_numbers)
    rank = left.ndim - 2
    strides, gaps, spread = (sizes_of(x) for x in (window_strides, rhs_dilation, lhs_dilation))
    if right.ndim != left.ndim or padding.shape != (rank, 2) or {len(strides), len(gaps), len(spread)} != {rank}:
        raise RunError(f"windows of {list(right.shape)} do not fit {list(left.shape)}")
    batch, features, *space = numbers.input
    x = _computed(left, ctx.dtype).transpose(batch, *space, features)
    inner, outer, *place = numbers.filters
    filters = _computed(right, ctx.dtype).transpose(*place, inner, outer)
    low, high = ([0, *(int(n) for n in padding[:, side]), 0] for side in (0, 1))
    x = pad_general(x, 0, low, high, [0, *(n - 1 for n in spread), 0])
    spans = [(n - 1) * gap + 1 if n else 0 for n, gap in zip(filters.shape, gaps, strict=False)]
    out = [max((n - span) // step + 1, 0) if n >= span else 0
           for n, span, step in zip(x.shape[1:-1], spans, strides, strict=True)]  # fmt: skip
    windows = Windows(filters.shape[:rank], tuple(strides), tuple(gaps), ((0, 0),) * rank, tuple(out))
    groups = int(feature_group_count)
    if filters.shape[-2] * groups != x.shape[-1]:
        raise RunError(f"{groups} groups of {filters.shape[-2]} features are not the {x.shape[-1]} of the input")
    if batch_group_count > 1:
        each, odd = divmod(len(x), batch_group_count)
        wide_each, odder = divmod(filters.shape[-1], batch_group_count)
        if odd or odder:
            raise RunError(f"{len(x)} pictures and {filters.shape[-1]} filters do not make {batch_group_count} groups")
        parts = [
            convolve(x[n * each : (n + 1) * each], filters[..., n * wide_each : (n + 1) * wide_each], windows)
            for n in range(batch_group_count)
        ]
        made = np.concatenate(parts, -1)
    else:
        made = convolve(x, filters, windows)
    back = np.argsort([numbers.output[0], *numbers.output[2:], numbers.output[1]])
    return made.transpose(back).astype(ctx.dtype, copy=False)


def _einsum(ctx: Context, a: Array, b: Array, *, equation: bytes) -> Array:
    made: Array = np.einsum(equation.decode(), wide(a), wide(b), optimize=True)
    return made.astype(ctx.dtype, copy=False)


def _eig(ctx: Context, a: Array, *, lower: bool, max_iter: int, epsilon: float) -> tuple[Array, Array]:
    """Values that rise, and vectors as columns; of one half of the matrix."""
    values, vectors = np.linalg.eigh(wide(a), "L" if lower else "U")
    return values.astype(ctx.dtype), vectors.astype(ctx.dtype)


def _svd(ctx: Context, a: Array, *, max_iter: int, epsilon: float, precision_config: bytes) -> tuple[Array, ...]:
    """Values that fall, and both sets of vectors as columns."""
    u, s, v = np.linalg.svd(wide(a), full_matrices=True)
    return s.astype(ctx.dtype), u.astype(ctx.dtype), np.swapaxes(v, -1, -2).astype(ctx.dtype)


_FORMATS = {"bfloat16": (8, 7), "float16": (5, 10), "float32": (8, 23), "float64": (11, 52)}
"""Bits of exponent and mantissa."""


def _reduce_precision(ctx: Context, x: Array, *, exponent_bits: int, mantissa_bits: int) -> Array:
    """As a float with fewer bits would hold it: halves to even, too large ones infinite, too small ones zero."""
    if exponent_bits < 1 or mantissa_bits < 0:
        raise RunError(f"floats of {exponent_bits} and {mantissa_bits} bits cannot be")
    exponents, digits = _FORMATS[x.dtype.name]
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    bits = x.view(unsigned)
    one = unsigned.type(1)
    sign_mask = one << unsigned.type(exponents + digits)
    if mantissa_bits < digits:
        drop = unsigned.type(digits - mantissa_bits)
        last = (bits >> drop) & one
        bits = (bits + (last + (one << (drop - one)) - one)) & ~((one << drop) - one)
    if exponent_bits < exponents:
        mask = ((one << unsigned.type(exponents)) - one) << unsigned.type(digits)
        bias, new_bias = (1 << (exponents - 1)) - 1, (1 << (exponent_bits - 1)) - 1
        exponent = bits & mask
        signs = bits & sign_mask
        bits = np.where(exponent > unsigned.type((bias + new_bias) << digits), signs | mask, bits)
        bits = np.where(exponent <= unsigned.type((bias - new_bias) << digits), signs, bits).astype(unsigned)
    return np.where(np.isnan(wide(x)), x, bits.view(x.dtype))


RULES: dict[str, Rule] = {
    "XlaConv": _conv,
    "XlaConvV2": _conv,
    "XlaDot": _dot,
    "XlaDotV2": _dot,
    "XlaEinsum": _einsum,
    "XlaReducePrecision": _reduce_precision,
    "XlaSelfAdjointEig": _eig,
    "XlaSvd": _svd,
}
