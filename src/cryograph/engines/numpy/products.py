"""Matrix products, sums of products over named axes, and biases, of any array namespace.

Narrow floats are multiplied in float32.
"""

from __future__ import annotations

from math import prod
from string import ascii_letters
from typing import Any

import numpy as np

from ...base.errors import RunError
from .context import Context, Rule
from .elementwise import given, wide
from .reductions import total


def _transposed(xp: Any, x: Any, transpose: bool, adjoint: bool) -> Any:
    turned = xp.swapaxes(x, -1, -2) if transpose or adjoint else x
    return xp.conj(turned) if adjoint and x.dtype.kind == "c" else turned


def _mat_mul(
    ctx: Context,
    a: Any,
    b: Any,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    grad_a: bool = False,
    grad_b: bool = False,
) -> Any:
    if a.ndim != 2 or b.ndim != 2:
        raise RunError(f"the shapes {list(a.shape)} and {list(b.shape)} are not those of matrices")
    left, right = _transposed(ctx.xp, wide(a), transpose_a, False), _transposed(ctx.xp, wide(b), transpose_b, False)
    return given(ctx, ctx.xp.matmul(ready(left), ready(right)))


def _sparse_mat_mul(
    ctx: Context,
    a: Any,
    b: Any,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
) -> Any:
    """A plain product: what is sparse is only a hint."""
    return _mat_mul(ctx, a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def _batch_mat_mul(
    ctx: Context,
    x: Any,
    y: Any,
    *,
    adj_x: bool = False,
    adj_y: bool = False,
    grad_x: bool = False,
    grad_y: bool = False,
) -> Any:
    if x.ndim < 2 or y.ndim < 2:
        raise RunError(f"the shapes {list(x.shape)} and {list(y.shape)} hold no matrices")
    left, right = _transposed(ctx.xp, wide(x), False, adj_x), _transposed(ctx.xp, wide(y), False, adj_y)
    if left.dtype.kind in "iu":  # small integers are multiplied in the kind of the result
        left, right = left.astype(ctx.dtype), right.astype(ctx.dtype)
    return given(ctx, ctx.xp.matmul(ready(left), ready(right)))


def ready(x: Any) -> Any:
    """Matrices of which rows or columns lie side by side: numpy multiplies others without its fast library."""
    if isinstance(x, np.ndarray) and x.ndim >= 2 and x.itemsize not in x.strides[-2:]:
        return np.ascontiguousarray(x)
    return x


def _labels(part: str, rank: int, rest: str) -> str:
    """A letter for each dimension; `rest` are those that the dots may stand for, aligned at the end."""
    before, dots, after = part.partition("...")
    count = rank - len(before) - len(after)
    if count < 0 or (not dots and count):
        raise RunError(f"{part!r} does not name {rank} dimensions")
    return before + (rest[len(rest) - count :] if count else "") + after


def _einsum(ctx: Context, *inputs: Any, equation: bytes) -> Any:
    """One or two operands; letters that only one of them has and the result has not are summed away first."""
    text = equation.decode().replace(" ", "")
    if text.count("->") != 1 or text.count(",") + 1 != len(inputs):
        raise RunError(f"{text!r} is no equation for {len(inputs)} operands")
    sides, result = text.split("->")
    parts = sides.split(",")
    longest = max(
        (x.ndim - len(p.replace("...", "")) for p, x in zip(parts, inputs, strict=True) if "..." in p), default=0
    )
    free = "".join(letter for letter in ascii_letters if letter not in text)
    rest = free[:longest]
    named = [_labels(p, x.ndim, rest) for p, x in zip(parts, inputs, strict=True)]
    if longest and "..." not in result:
        raise RunError(f"{text!r} does not say where the dimensions of '...' go")
    out = result.replace("...", rest)
    once = "".join(dict.fromkeys(out))
    operands = [wide(x) for x in inputs]
    if len(inputs) > 2:
        raise RunError(f"{text!r} has {len(inputs)} operands; one or two can be given")
    if len(inputs) == 1:
        made = ctx.xp.einsum(f"{named[0]}->{once}", operands[0])
    else:
        made = _contract(ctx.xp, named[0], named[1], once, operands[0], operands[1])
    return given(ctx, made if once == out else _on_diagonals(ctx, made, once, out))


def _on_diagonals(ctx: Context, x: Any, labels: str, out: str) -> Any:
    """Zeros in the shape of `out`, with `x` where the indices of letters that repeat are equal."""
    made = ctx.xp.zeros([x.shape[labels.index(k)] for k in out], x.dtype)
    places: dict[str, Any] = dict(zip(labels, np.indices(x.shape, sparse=True), strict=True))
    return ctx.written(made, tuple(places[k] for k in out), x)


def _contract(xp: Any, a: str, b: str, out: str, x: Any, y: Any) -> Any:
    """A product of two operands as one product of (batched) matrices."""
    x, a = _reduced(xp, x, a, b + out)
    y, b = _reduced(xp, y, b, a + out)
    batch = [k for k in out if k in a and k in b]
    summed = [k for k in a if k in b and k not in out]
    rows, columns = [k for k in a if k not in b], [k for k in b if k not in a]
    for k in (*batch, *summed):
        if x.shape[a.index(k)] != y.shape[b.index(k)] and (
            k in summed or 1 not in (x.shape[a.index(k)], y.shape[b.index(k)])
        ):
            raise RunError(f"the sizes {x.shape[a.index(k)]} and {y.shape[b.index(k)]} of {k!r} differ")
    left = x.transpose([a.index(k) for k in (*batch, *rows, *summed)])
    right = y.transpose([b.index(k) for k in (*batch, *summed, *columns)])
    n = len(batch)
    depth = prod(left.shape[n + len(rows) :])
    row_sizes, column_sizes = left.shape[n : n + len(rows)], right.shape[n + len(summed) :]
    made = xp.matmul(
        left.reshape(*left.shape[:n], prod(row_sizes), depth),
        right.reshape(*right.shape[:n], depth, prod(column_sizes)),
    )
    made = made.reshape((*made.shape[:n], *row_sizes, *column_sizes))
    order = [*batch, *rows, *columns]
    return xp.asarray(made.transpose([order.index(k) for k in out]))


def _reduced(xp: Any, x: Any, labels: str, needed: str) -> tuple[Any, str]:
    """Without what nobody needs, and each letter once."""
    kept = "".join(dict.fromkeys(k for k in labels if k in needed))
    return (x, labels) if kept == labels else (xp.einsum(f"{labels}->{kept}", x), kept)


def _bias_add(ctx: Context, value: Any, bias: Any, *, data_format: bytes = b"NHWC") -> Any:
    axis = 1 if data_format == b"NCHW" else -1
    if value.ndim < 2 or bias.shape != (value.shape[axis],):
        raise RunError(f"a bias of the shape {list(bias.shape)} does not fit {list(value.shape)}")
    if data_format == b"NCHW":
        bias = bias.reshape(-1, *(1,) * (value.ndim - 2))
    return given(ctx, wide(value) + wide(bias))


def _bias_add_v1(ctx: Context, value: Any, bias: Any) -> Any:
    return _bias_add(ctx, value, bias)


def _bias_add_grad(ctx: Context, gradient: Any, *, data_format: bytes = b"NHWC") -> Any:
    axis = 1 if data_format == b"NCHW" else gradient.ndim - 1
    return given(ctx, total(ctx.xp, wide(gradient), tuple(i for i in range(gradient.ndim) if i != axis), False))


def _cross(ctx: Context, a: Any, b: Any) -> Any:
    if a.shape != b.shape or a.shape[-1:] != (3,):
        raise RunError(f"the shapes {list(a.shape)} and {list(b.shape)} are not those of vectors of three")
    x, y = wide(a), wide(b)
    (a1, a2, a3), (b1, b2, b3) = ([v[..., i] for i in range(3)] for v in (x, y))
    return given(ctx, ctx.xp.stack([a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1], -1))


RULES: dict[str, Rule] = {
    "BatchMatMul": _batch_mat_mul,
    "BatchMatMulV2": _batch_mat_mul,
    "BatchMatMulV3": _batch_mat_mul,
    "BiasAdd": _bias_add,
    "BiasAddGrad": _bias_add_grad,
    "BiasAddV1": _bias_add_v1,
    "Cross": _cross,
    "Einsum": _einsum,
    "MatMul": _mat_mul,
    "SparseMatMul": _sparse_mat_mul,
}
