"""Matrix products, sums of products over named axes, biases, softmaxes and their losses."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.elementwise import given, wide
from ..numpy.products import _labels
from .context import JaxContext, check


def _transposed(xp: Any, x: Any, transpose: bool, adjoint: bool) -> Any:
    turned = xp.swapaxes(x, -1, -2) if transpose or adjoint else x
    return xp.conj(turned) if adjoint and x.dtype.kind == "c" else turned


def _mat_mul(
    ctx: JaxContext,
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
    return given(ctx, ctx.xp.matmul(left, right))


def _sparse_mat_mul(
    ctx: JaxContext,
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
    ctx: JaxContext,
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
    return given(ctx, ctx.xp.matmul(left, right))


def _einsum(ctx: JaxContext, *inputs: Any, equation: bytes) -> Any:
    text = equation.decode().replace(" ", "")
    if text.count("->") != 1 or text.count(",") + 1 != len(inputs):
        raise RunError(f"{text!r} is no equation for {len(inputs)} operands")
    if len(inputs) > 2:
        raise RunError(f"{text!r} has {len(inputs)} operands; one or two can be given")
    sides, result = text.split("->")
    parts = sides.split(",")
    longest = max(
        (x.ndim - len(p.replace("...", "")) for p, x in zip(parts, inputs, strict=True) if "..." in p), default=0
    )
    rest = "".join(letter for letter in ascii_letters if letter not in text)[:longest]
    named = [_labels(p, x.ndim, rest) for p, x in zip(parts, inputs, strict=True)]
    if longest and "..." not in result:
        raise RunError(f"{text!r} does not say where the dimensions of '...' go")
    out = result.replace("...", rest)
    once = "".join(dict.fromkeys(out))
    operands, labels = [wide(x) for x in inputs], list(named)
    if len(inputs) == 2:
        operands, labels = _squeezed(operands, labels, once)
    made = ctx.xp.einsum(f"{','.join(labels)}->{once}", *operands, optimize=True)
    return given(ctx, made if once == out else _on_diagonals(ctx, made, once, out))


def _squeezed(operands: list[Any], labels: list[str], out: str) -> tuple[list[Any], list[str]]:
    """Dimensions of size 1 that are broadcast to the other operand's lose their letter; a letter that both have and
    whose sizes differ otherwise is an error."""
    sizes = [dict(zip(names, x.shape, strict=True)) for names, x in zip(labels, operands, strict=True)]
    for letter in sizes[0].keys() & sizes[1].keys():
        a, b = sizes[0][letter], sizes[1][letter]
        if a == b:
            continue
        if letter not in out or 1 not in (a, b):
            raise RunError(f"the sizes {a} and {b} of {letter!r} differ")
        side = 0 if a == 1 else 1
        at = labels[side].index(letter)
        operands[side] = operands[side].reshape(*operands[side].shape[:at], *operands[side].shape[at + 1 :])
        labels[side] = labels[side].replace(letter, "", 1)
    return operands, labels


def _on_diagonals(ctx: JaxContext, x: Any, labels: str, out: str) -> Any:
    """Zeros in the shape of `out`, with `x` where the indices of letters that repeat are equal."""
    made = ctx.xp.zeros([x.shape[labels.index(k)] for k in out], x.dtype)
    places: dict[str, Any] = dict(zip(labels, np.indices(x.shape, sparse=True), strict=True))
    return made.at[tuple(places[k] for k in out)].set(x)


def _cross(ctx: JaxContext, a: Any, b: Any) -> Any:
    if a.shape != b.shape or a.shape[-1:] != (3,):
        raise RunError(f"the shapes {list(a.shape)} and {list(b.shape)} are not those of vectors of three")
    x, y = wide(a), wide(b)
    (a1, a2, a3), (b1, b2, b3) = ([v[..., i] for i in range(3)] for v in (x, y))
    return given(ctx, ctx.xp.stack([a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1], -1))


def _softmax(ctx: JaxContext, logits: Any) -> Any:
    return given(ctx, ctx.jax.nn.softmax(wide(logits), axis=-1) if logits.size else wide(logits))


def _log_softmax(ctx: JaxContext, logits: Any) -> Any:
    return given(ctx, ctx.jax.nn.log_softmax(wide(logits), axis=-1) if logits.size else wide(logits))


def _cross_entropy(ctx: JaxContext, features: Any, labels: Any) -> tuple[Any, Any]:
    """The loss of each row, and its gradient for the features."""
    xp = ctx.xp
    x, y = xp.broadcast_arrays(wide(features), wide(labels))
    if not x.size:
        return xp.zeros(x.shape[:-1], ctx.dtype), xp.zeros(x.shape, ctx.dtype)
    logarithm = ctx.jax.nn.log_softmax(x, axis=-1)
    loss = -xp.sum(xp.where(y == 0, 0, y * logarithm), axis=-1)
    return given(ctx, loss), given(ctx, xp.exp(logarithm) - y)


def _sparse_cross_entropy(ctx: JaxContext, features: Any, labels: Any) -> tuple[Any, Any]:
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise RunError(f"labels of the shape {list(labels.shape)} do not fit logits of {list(features.shape)}")
    count = features.shape[-1]
    check((labels < 0) | (labels >= count), f"a label is outside of [0, {count})")
    hot = (labels[:, None] == np.arange(count)).astype(np.float32)
    return _cross_entropy(ctx, features, hot)


RULES: dict[str, Rule] = {
    "BatchMatMul": _batch_mat_mul,
    "BatchMatMulV2": _batch_mat_mul,
    "BatchMatMulV3": _batch_mat_mul,
    "Cross": _cross,
    "Einsum": _einsum,
    "LogSoftmax": _log_softmax,
    "MatMul": _mat_mul,
    "Softmax": _softmax,
    "SoftmaxCrossEntropyWithLogits": _cross_entropy,
    "SparseMatMul": _sparse_mat_mul,
    "SparseSoftmaxCrossEntropyWithLogits": _sparse_cross_entropy,
}
