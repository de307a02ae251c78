"""The rewrite that finds attention of several heads where the graph spells it out.

Softmax of the products of queries and keys, times the values, as Keras, BERT and their kin write it:

    softmax(q k' * scale + bias) v        q (B, S, N, H), k (B, T, N, H), v (B, T, N, V), each transposed to (B, N, ...)

The runtime has one kernel for it all, which keeps the products of a few rows in the cache and needs no transposes.
The scale may be a factor of the queries, the keys or the products; the bias, if any, is a mask that is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ...base.dtypes import FLOAT32
from ...base.shapes import Shape
from ...base.tensors import Array
from .faults import ATTENTION_BIAS, is_right
from .transformers import Neighbours
from .values import MICROSOFT, OnnxNode

HEADS_FIRST = (0, 2, 1, 3)
KEYS_LAST = (0, 2, 3, 1)


class Holding(Neighbours, Protocol):
    """What this rewrite sees of a graph, which takes new constants."""

    def hold(self, name: str, array: Array) -> str:
        """Adds a constant, and gives its name."""
        ...


class _Scores(NamedTuple):
    """Queries and keys (B, rows, N, H), by how much their products are scaled, and what is added to these."""

    queries: str
    keys: str
    scale: float
    bias: str


def attention(n: Holding, node: OnnxNode) -> list[OnnxNode]:
    """At the Transpose behind the last product: makes it a Reshape of what MultiHeadAttention gives."""
    product = _made_by(n, node.inputs[0], "MatMul") if tuple(node.attrs["perm"]) == HEADS_FIRST else None
    chances = None if product is None else _made_by(n, product.inputs[0], "Softmax")
    if product is None or chances is None or chances.attrs.get("axis", -1) not in (-1, 3):
        return []
    values = _turned(n, product.inputs[1], HEADS_FIRST)
    scores = _scores(n, chances.inputs[0])
    if values is None or scores is None or n.dtype(node.outputs[0]) != FLOAT32:
        return []
    q, k, v = (n.shape(name) for name in (scores.queries, scores.keys, values))
    heads = _heads(q, k, v)
    if heads is None or q is None or k is None or v is None:
        return []
    if q[0] is None and not _of_one_batch(n, [scores.queries, scores.keys, values]):
        return []
    name = node.outputs[0]
    made: list[OnnxNode] = []
    bias = _bias(n, made, scores, q, k, heads, name)
    if bias is None:
        return []
    taken = [
        _flat(n, made, source, shape, f"{name}~{word}")
        for word, source, shape in (("q", scores.queries, q), ("k", scores.keys, k), ("v", values, v))
    ]
    inputs = [*taken, "", "", bias] if bias else taken
    flat = f"{name}~flat"
    settings = {"num_heads": heads, "scale": scores.scale}
    made.append(OnnxNode("MultiHeadAttention", inputs, [flat], settings, MICROSOFT))
    node.op, node.attrs = "Reshape", {"allowzero": 0}
    node.inputs = [flat, n.hold(f"{name}~unflat", np.array([0, 0, heads, -1]))]
    return made


def _made_by(n: Holding, name: str, op: str) -> OnnxNode | None:
    node = n.maker(name)
    return node if node is not None and node.op == op and not node.domain else None


def _turned(n: Holding, name: str, wanted: Sequence[int]) -> str | None:
    """What a value is the transpose of, by one or several transposes that make up the wanted one."""
    perm = list(range(len(wanted)))
    while perm != list(wanted):
        node = _made_by(n, name, "Transpose")
        if node is None or len(node.attrs["perm"]) != len(perm):
            return None
        perm, name = [node.attrs["perm"][i] for i in perm], node.inputs[0]
    return name


def _scores(n: Holding, name: str) -> _Scores | None:
    """What the argument of the softmax is made of; None when it is something else."""
    total, bias = _made_by(n, name, "Add"), ""
    for left, right in [] if total is None else (total.inputs, total.inputs[::-1]):
        if _scaled(n, left)[0] != right and _made_by(n, _scaled(n, left)[0], "MatMul") is not None:
            name, bias = left, right
            break
    name, scale = _scaled(n, name)
    product = _made_by(n, name, "MatMul")
    if product is None:
        return None
    queries, more = _scaled(n, product.inputs[0])
    keys, most = _scaled(n, product.inputs[1])
    found = _turned(n, queries, HEADS_FIRST), _turned(n, keys, KEYS_LAST)
    if found[0] is None or found[1] is None:
        return None
    queries, inner = _scaled(n, found[0])
    keys, innermost = _scaled(n, found[1])
    factor = scale * more * most * inner * innermost
    # A scale of nothing would mean the usual one to the kernel.
    return _Scores(queries, keys, factor, bias) if factor else None


def _scaled(n: Holding, name: str) -> tuple[str, float]:
    """A value as another one times a number that is known."""
    node = n.maker(name)
    if node is not None and not node.domain and node.op in ("Mul", "Div"):
        ways = (node.inputs, node.inputs[::-1]) if node.op == "Mul" else (node.inputs,)
        for value, constant in ways:
            held = n.constant(constant)
            if held is not None and held.size == 1 and held.ndim <= 4 and np.isfinite(held).all() and held.item():
                return value, float(held.item()) if node.op == "Mul" else 1.0 / float(held.item())
    return name, 1.0


def _heads(q: Shape, k: Shape, v: Shape) -> int | None:
    """The number of heads; None when shapes are not known well enough or do not fit."""
    if q is None or k is None or v is None or not len(q) == len(k) == len(v) == 4:
        return None
    if not q[2] or q[2] != k[2] or q[2] != v[2] or not q[3] or q[3] != k[3] or not v[3]:
        return None
    return q[2] if q[0] == k[0] == v[0] and k[1] == v[1] else None


def _of_one_batch(n: Holding, names: Sequence[str]) -> bool:
    """Whether values of unknown batch come from one value by the same steps, which keep its number of rows.

    Products broadcast a batch of one; the kernel does not, and so it must be known that there is nothing to broadcast.
    """
    while len(set(names)) > 1:
        nodes = [n.maker(name) for name in names]
        shapes = [n.shape(name) for name in names]
        taken = [name for node in nodes if node is not None for name in _variable_inputs(n, node)]
        known = {(shape[:-1], shape[:-1].count(None)) for shape in shapes if shape and shape[-1] is not None}
        steps = {node.op for node in nodes if node is not None and not node.domain}
        if len(taken) != len(names) or len(known) != 1 or None in shapes or max(count for _, count in known) > 1:
            return False
        if len(steps) != 1 or not steps < {"MatMul", "Add", "Reshape"}:
            return False
        names = taken
    return True


def _variable_inputs(n: Holding, node: OnnxNode) -> list[str]:
    """What a step works on, constants left out."""
    given = node.inputs[:1] if node.op == "Reshape" else node.inputs
    return [name for name in given if n.constant(name) is None]


def _flat(n: Holding, made: list[OnnxNode], name: str, shape: Sequence[int | None], own: str) -> str:
    """The value with its heads side by side: (B, rows, N * H)."""
    width = (shape[2] or 0) * (shape[3] or 0)
    node = _made_by(n, name, "Reshape")
    if node is not None:
        before = n.shape(node.inputs[0])
        if before is not None and before == (shape[0], shape[1], width):
            return node.inputs[0]
    made.append(OnnxNode("Reshape", [name, n.hold(f"{own}#shape", np.array([0, 0, width]))], [own], {"allowzero": 0}))
    return own


def _bias(
    n: Holding,
    made: list[OnnxNode],
    scores: _Scores,
    q: Sequence[int | None],
    k: Sequence[int | None],
    heads: int,
    name: str,
) -> str | None:
    """What is added to the scores, as large as the kernel wants it; empty for nothing, None when it cannot be had.

    The kernel broadcasts along batch and heads only, so that a mask of keys is repeated for each query.
    """
    if not scores.bias:
        return ""
    shape = n.shape(scores.bias)
    if not is_right(ATTENTION_BIAS) or shape is None or len(shape) != 4 or n.dtype(scores.bias) != FLOAT32:
        return None
    batch, over, rows, columns = shape
    if (batch != 1 and (batch is None or batch != q[0])) and not (batch is None and q[0] is None):
        return None
    if over not in (1, heads) or columns is None or columns != k[1]:
        return None
    if rows == q[1] and rows is not None:
        return scores.bias
    if rows != 1 or q[1] is None:
        return None
    made.append(OnnxNode("Expand", [scores.bias, n.hold(f"{name}~rows", np.array([1, 1, q[1], 1]))], [f"{name}~bias"]))
    return f"{name}~bias"
