"""Lowerings of products of matrices, complex ones too, and of biases."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.dtypes import FLOAT32
from ...base.shapes import Shape
from ...program.program import Step
from . import complexes
from .builder import Builder, Table, broadcast
from .contractions import contracted
from .conv import fused_tail
from .values import PARTS, Refusal, Value


def _swapped(g: Builder, x: Value) -> Value:
    rank = x.rank
    return g.transpose(x, [*range(rank - 2), rank - 1, rank - 2])


def _product_shape(x: Value, y: Value) -> Shape:
    if x.shape is None or y.shape is None or len(x.shape) < 2 or len(y.shape) < 2:
        return None
    batch = broadcast(x.shape[:-2], y.shape[:-2]) or ()
    return (*batch, x.shape[-2], y.shape[-1])


def _product(g: Builder, x: Value, y: Value, transpose_x: bool, transpose_y: bool, adjoint: bool = False) -> Value:
    """What is transposed is conjugate as well where it is adjoint."""
    if x.dtype in PARTS:
        turns = [(transpose, transpose and adjoint) for transpose in (transpose_x, transpose_y)]
        return complexes.product(g, x, y, *turns)
    left = _swapped(g, x) if transpose_x else x
    right = _swapped(g, y) if transpose_y else y
    return g.op("MatMul", left, right, shape=_product_shape(left, right))


def mat_mul(
    g: Builder,
    step: Step,
    x: Value,
    y: Value,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    grad_a: bool = False,
    grad_b: bool = False,
) -> Value:
    """(M, K) by (K, N)"""
    return _product(g, x, y, transpose_a, transpose_b)


def sparse_mat_mul(
    g: Builder,
    step: Step,
    x: Value,
    y: Value,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
) -> Value:
    """A plain product: what is sparse is only a hint."""
    return _product(g, g.cast(x, FLOAT32), g.cast(y, FLOAT32), transpose_a, transpose_b)


def batch_mat_mul(
    g: Builder,
    step: Step,
    x: Value,
    y: Value,
    *,
    adj_x: bool = False,
    adj_y: bool = False,
    grad_x: bool = False,
    grad_y: bool = False,
) -> Value:
    """(..., M, K) by (..., K, N)"""
    return _product(g, x, y, adj_x, adj_y, adjoint=True)


def einsum(g: Builder, step: Step, *inputs: Value, equation: bytes) -> Value:
    text = equation.decode().replace(" ", "")
    if "->" not in text:
        raise Refusal("an einsum without an output side has no lowering to ONNX")
    terms = text.split("->")[0].split(",")
    if len(terms) != len(inputs):
        raise Refusal(f"the einsum {text} does not fit its inputs")
    dots = {value.rank - len(term) + 3 for term, value in zip(terms, inputs, strict=True) if "..." in term}
    if len(dots) > 1:
        raise Refusal("an einsum whose ellipses stand for different numbers of dimensions has no form in ONNX")
    for term in (*terms, text.split("->")[1]):
        letters = term.replace("...", "")
        if len(set(letters)) != len(letters):
            raise Refusal("an einsum over a diagonal has no lowering to ONNX")
    if len(inputs) == 2 and "..." not in text:
        made = contracted(g, terms[0], terms[1], text.split("->")[1], inputs[0], inputs[1])
        if made is not None:
            return made
    return g.op("Einsum", *inputs, equation=text)


def bias_add(g: Builder, step: Step, x: Value, bias: Value, *, data_format: bytes = b"NHWC") -> Value:
    """The bias goes along the last dimension, or the second with channels first."""
    if data_format == b"NCHW":
        bias = g.unsqueeze(bias, list(range(1, x.rank - 1)))
    return g.op("Add", x, bias, shape=x.shape)


def bias_add_v1(g: Builder, step: Step, x: Value, bias: Value) -> Value:
    return g.op("Add", x, bias, shape=x.shape)


def fused_mat_mul(
    g: Builder,
    step: Step,
    x: Value,
    y: Value,
    *args: Value,
    transpose_a: bool = False,
    transpose_b: bool = False,
    fused_ops: Sequence[bytes] = (),
    epsilon: float = 0.0001,
    leakyrelu_alpha: float = 0.2,
    num_args: int = 0,
) -> Value:
    """`_FusedMatMul`, which grappler writes."""
    made = _product(g, x, y, transpose_a, transpose_b)
    return fused_tail(g, made, args, fused_ops, None, epsilon, leakyrelu_alpha)


LOWERINGS: Table = {
    "BatchMatMul": batch_mat_mul,
    "BatchMatMulV2": batch_mat_mul,
    "BatchMatMulV3": batch_mat_mul,
    "BiasAdd": bias_add,
    "BiasAddV1": bias_add_v1,
    "Einsum": einsum,
    "MatMul": mat_mul,
    "SparseMatMul": sparse_mat_mul,
    "_FusedMatMul": fused_mat_mul,
}
