"""Rewrites that find what transformers are made of where the graph spells it out: layer norm, GELU, flat products.

The runtime has kernels for these, several times as fast as their parts, but knows them only in the form in which other
programs write them.

1. Layer norm: `x * m + (beta - mean * m)`, as TensorFlow writes it, with `m = rsqrt(variance + epsilon) * gamma`, and
   `(x - mean) * m + beta`; and as Keras does it by a batch norm in training of (1, rows, columns, 1), behind which
   `gamma` and `beta` come.
2. GELU: the product of x, one half and `1 + erf(x / sqrt(2))`, in any order; `erfc(-v)` is `1 + erf(v)`.
3. Its approximation, with `1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3))`.
4. A product with a matrix whose left side is made flat before and unflattened after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import pi, prod, sqrt
from typing import Protocol

import numpy as np

from ...base.dtypes import FLOAT32, DType
from ...base.shapes import Shape
from ...base.tensors import Array
from .values import MICROSOFT, OnnxNode


class Neighbours(Protocol):
    """What rewrites see of a graph."""

    def maker(self, name: str) -> OnnxNode | None:
        """The node that gives a value."""
        ...

    def constant(self, name: str) -> Array | None:
        """The values of a constant."""
        ...

    def shape(self, name: str) -> Shape:
        """What is known of a value's shape."""
        ...

    def dtype(self, name: str) -> DType | None:
        """A value's dtype, where it is known."""
        ...


def _made_by(n: Neighbours, name: str, op: str) -> OnnxNode | None:
    node = n.maker(name)
    return node if node is not None and node.op == op and not node.domain else None


def _number(n: Neighbours, name: str) -> float | None:
    """The value of a constant of one element."""
    held = n.constant(name)
    return float(held.item()) if held is not None and held.size == 1 else None


def _both_ways(node: OnnxNode) -> tuple[tuple[str, str], tuple[str, str]]:
    a, b = node.inputs
    return (a, b), (b, a)


# --- 1


def layer_norm(n: Neighbours, node: OnnxNode) -> list[OnnxNode]:
    """At the last Add: makes it a LayerNormalization over the last dimension."""
    for left, right in _both_ways(node):
        found = _spread(n, left, right) or _centred(n, left, right) or _batch_norm(n, node, left, right)
        if found is None:
            continue
        x, gamma, beta, epsilon = found
        size = (n.shape(x) or (None,))[-1]
        if size is None or not _is_vector(n, gamma, size) or not _is_vector(n, beta, size):
            continue
        inputs, before = [x], []
        for name, word in ((gamma, "gamma"), (beta, "beta")):
            held = n.constant(name)
            if held is None or held.ndim == 1:
                inputs.append(name)
                continue
            inputs.append(f"{node.outputs[0]}~{word}")  # worked out when the session is made
            before.append(OnnxNode("Squeeze", [name], [inputs[-1]]))
        node.op, node.inputs = "LayerNormalization", inputs
        node.attrs = {"axis": -1, "epsilon": epsilon}
        return before
    return []


def _is_vector(n: Neighbours, name: str, size: int) -> bool:
    """Whether a value is a constant float32 vector along the last dimension; others may be of size 1."""
    held = n.constant(name)
    if held is None or held.dtype != np.float32 or held.shape[-1:] != (size,) or held.size != size:
        return False
    return size > 1 or held.ndim == 1


def _spread(n: Neighbours, left: str, right: str) -> tuple[str, str, str, float] | None:
    """What `x * m` and `beta - mean * m`, or `-mean * m + beta`, say: x, gamma, beta and epsilon."""
    product = _made_by(n, left, "Mul")
    for shift, beta in _shifts(n, right) if product is not None else ():
        for x, m in _both_ways(product) if product is not None else ():
            scale = _scale(n, m)
            if scale is not None and sorted(shift) == sorted((m, scale[1])) and scale[0] == x:
                return x, scale[2], beta, scale[3]
    return None


def _shifts(n: Neighbours, name: str) -> Iterator[tuple[tuple[str, str], str]]:
    """The two factors that are taken off, and what they are taken off from."""
    difference, total = _made_by(n, name, "Sub"), _made_by(n, name, "Add")
    if difference is not None:
        product = _made_by(n, difference.inputs[1], "Mul")
        if product is not None:
            yield (product.inputs[0], product.inputs[1]), difference.inputs[0]
    for scaled, beta in _both_ways(total) if total is not None else ():
        product = _made_by(n, scaled, "Mul")
        for negative, m in _both_ways(product) if product is not None else ():
            negated = _made_by(n, negative, "Neg")
            if negated is not None:
                yield (negated.inputs[0], m), beta


def _centred(n: Neighbours, left: str, right: str) -> tuple[str, str, str, float] | None:
    """What `(x - mean) * m` and beta say."""
    product = _made_by(n, left, "Mul")
    if product is None or n.constant(right) is None:
        return None
    for centred, m in _both_ways(product):
        difference, scale = _made_by(n, centred, "Sub"), _scale(n, m)
        if difference is not None and scale is not None and tuple(difference.inputs) == scale[:2]:
            return scale[0], scale[2], right, scale[3]
        for gamma, inner in _both_ways(product):  # (x - mean) * rsqrt(...), times gamma
            inverse = _made_by(n, inner, "Mul")
            if inverse is None or n.constant(gamma) is None:
                continue
            for centre, root in _both_ways(inverse):
                difference, found = _made_by(n, centre, "Sub"), _inverse_deviation(n, root)
                if difference is not None and found is not None and tuple(difference.inputs) == found[:2]:
                    return found[0], gamma, right, found[2]
    return None


def _batch_norm(n: Neighbours, node: OnnxNode, left: str, right: str) -> tuple[str, str, str, float] | None:
    """What a batch norm of rows says: `reshape(norm) * gamma`, and beta."""
    product = _made_by(n, left, "Mul")
    for unflat, gamma in _both_ways(product) if product is not None else ():
        back = _made_by(n, unflat, "Reshape")
        total = None if back is None else _made_by(n, back.inputs[0], "Add")
        for scaled, offset in _both_ways(total) if total is not None else ():
            found = _norm_of_rows(n, scaled)
            flat = None if found is None else _made_by(n, found[0], "Reshape")
            if back is None or found is None or flat is None or not _is_filled(n, offset, 0.0):
                continue
            x = flat.inputs[0]
            before, rows, after = n.shape(x), n.shape(found[0]), n.shape(node.outputs[0])
            if not before or not after or rows is None or len(rows) != 4 or rows[0] != 1 or rows[2:] != (before[-1], 1):
                continue
            if _is_shape_of(n, back.inputs[1], x) or _is_the_same(before, after):
                return x, gamma, right, found[1]
    return None


def _norm_of_rows(n: Neighbours, name: str) -> tuple[str, float] | None:
    """(x - mean) * (1 / sqrt(variance + epsilon)), moments over all dimensions but the second: x and epsilon."""
    product = _made_by(n, name, "Mul")
    for centred, wide in _both_ways(product) if product is not None else ():
        difference, factor = _made_by(n, centred, "Sub"), _made_by(n, wide, "Unsqueeze")
        inverse = None if factor is None else _made_by(n, factor.inputs[0], "Div")
        root = None if inverse is None else _made_by(n, inverse.inputs[1], "Sqrt")
        total = None if root is None else _made_by(n, root.inputs[0], "Add")
        if difference is None or inverse is None or total is None or not _is_filled(n, inverse.inputs[0], 1.0):
            continue
        x, mean = difference.inputs[0], _made_by(n, difference.inputs[1], "Unsqueeze")
        squares = _moment(n, total.inputs[0])
        square = None if squares is None else _made_by(n, squares, "Mul")
        epsilon = _number(n, total.inputs[1])
        if mean is None or square is None or epsilon is None or _moment(n, mean.inputs[0]) != x:
            continue
        if square.inputs == [centred, centred]:
            return x, epsilon
    return None


def _moment(n: Neighbours, name: str) -> str | None:
    """What a value is the mean of, over all of four dimensions but the second."""
    node = _made_by(n, name, "ReduceMean")
    if node is None or node.attrs.get("keepdims", 1) or len(node.inputs) < 2:
        return None
    axes = n.constant(node.inputs[1])
    return node.inputs[0] if axes is not None and sorted(axes.tolist()) == [0, 2, 3] else None


def _is_filled(n: Neighbours, name: str, number: float) -> bool:
    """Whether a value is one number everywhere."""
    node = n.maker(name)
    while node is not None and node.op in ("Expand", "Unsqueeze"):
        name = node.inputs[0]
        node = n.maker(name)
    held = n.constant(name)
    return held is not None and bool((held == number).all())


def _is_shape_of(n: Neighbours, name: str, x: str) -> bool:
    node = n.maker(name)
    while node is not None and node.op == "Cast":
        node = n.maker(node.inputs[0])
    return node is not None and node.op == "Shape" and node.inputs[0] == x and not node.attrs


def _scale(n: Neighbours, name: str) -> tuple[str, str, str, float] | None:
    """Of `rsqrt(variance + epsilon) * gamma`: what it is the variance of, the mean, gamma and epsilon."""
    product = _made_by(n, name, "Mul")
    for root, gamma in _both_ways(product) if product is not None else ():
        found = _inverse_deviation(n, root)
        if found is not None:
            return found[0], found[1], gamma, found[2]
    return None


def _inverse_deviation(n: Neighbours, name: str) -> tuple[str, str, float] | None:
    inverse = _made_by(n, name, "Reciprocal")
    root = None if inverse is None else _made_by(n, inverse.inputs[0], "Sqrt")
    total = None if root is None else _made_by(n, root.inputs[0], "Add")
    for variance, constant in _both_ways(total) if total is not None else ():
        epsilon = _number(n, constant)
        squares = _mean_of(n, variance)
        product = None if squares is None else _made_by(n, squares, "Mul")
        if epsilon is None or product is None or product.inputs[0] != product.inputs[1]:
            continue
        centred = _made_by(n, product.inputs[0], "Sub")
        if centred is not None and _mean_of(n, centred.inputs[1]) == centred.inputs[0]:
            return centred.inputs[0], centred.inputs[1], epsilon
    return None


def _mean_of(n: Neighbours, name: str) -> str | None:
    """What a value is the mean of, over the last dimension, which stays with size 1."""
    node = _made_by(n, name, "ReduceMean")
    if node is None or not node.attrs.get("keepdims", 1) or len(node.inputs) < 2:
        return None
    axes, shape = n.constant(node.inputs[1]), n.shape(node.inputs[0])
    if axes is None or axes.size != 1 or shape is None or int(axes.item()) not in (-1, len(shape) - 1):
        return None
    return node.inputs[0]


# --- 2 and 3


def gelu(n: Neighbours, node: OnnxNode) -> list[OnnxNode]:
    """At the last Mul: makes it a Gelu, or a FastGelu."""
    if n.dtype(node.outputs[0]) != FLOAT32:
        return []
    for depth in range(3):  # x may be a product itself
        op_and_x = _gelu_of(n, list(_factors(n, node, depth)))
        if op_and_x is not None:
            op, x = op_and_x
            node.op, node.domain, node.inputs, node.attrs = op, MICROSOFT, [x], {}
            break
    return []


def _gelu_of(n: Neighbours, factors: Sequence[str]) -> tuple[str, str] | None:
    numbers = [_number(n, name) for name in factors]
    rest = [name for name, number in zip(factors, numbers, strict=True) if number is None]
    if len(rest) != 2 or not _near(prod(number for number in numbers if number is not None), 0.5):
        return None
    for x, gate in (rest, rest[::-1]):
        if _is_erf_gate(n, gate, x):
            return "Gelu", x
        if _is_tanh_gate(n, gate, x):
            return "FastGelu", x
    return None


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * abs(b)


def _factors(n: Neighbours, node: OnnxNode, depth: int) -> Iterator[str]:
    for name in node.inputs:
        inner = _made_by(n, name, "Mul")
        if inner is None or depth == 0:
            yield name
        else:
            yield from _factors(n, inner, depth - 1)


def _times(n: Neighbours, name: str) -> tuple[float, str]:
    """A value as a number times another."""
    factor = 1.0
    for _ in range(4):
        node = n.maker(name)
        if node is None or node.domain or node.op not in ("Div", "Mul", "Neg"):
            break
        if node.op == "Neg":
            factor, name = -factor, node.inputs[0]
            continue
        for value, constant in _both_ways(node)[: 1 if node.op == "Div" else 2]:
            number = _number(n, constant)
            if number:
                factor, name = (factor / number if node.op == "Div" else factor * number), value
                break
        else:
            break
    return factor, name


def _gate(n: Neighbours, gate: str, op: str) -> tuple[float, str] | None:
    """The sign and the argument in 1 + op(argument) or 1 - op(argument)."""
    node = n.maker(gate)
    if node is None or node.op not in ("Add", "Sub"):
        return None
    for one, name in _both_ways(node) if node.op == "Add" else _both_ways(node)[:1]:
        inner = _made_by(n, name, op)
        if inner is not None and _number(n, one) == 1:
            return (1.0 if node.op == "Add" else -1.0), inner.inputs[0]
    return None


def _is_erf_gate(n: Neighbours, gate: str, x: str) -> bool:
    found = _gate(n, gate, "Erf")
    if found is None:
        return False
    factor, inner = _times(n, found[1])
    return inner == x and _near(found[0] * factor, sqrt(0.5))


def _is_tanh_gate(n: Neighbours, gate: str, x: str) -> bool:
    found = _gate(n, gate, "Tanh")
    factor, inner = _times(n, found[1]) if found is not None else (0.0, "")
    total = _made_by(n, inner, "Add")
    if found is None or total is None or not _near(found[0] * factor, sqrt(2 / pi)):
        return False
    return any(plain == x and _is_small_cube(n, cube, x) for plain, cube in _both_ways(total))


def _is_small_cube(n: Neighbours, name: str, x: str) -> bool:
    """Whether a value is 0.044715 times the third power of x."""
    node = _made_by(n, name, "Mul")
    factors = [] if node is None else list(_factors(n, node, 3))
    numbers = [_number(n, factor) for factor in factors]
    rest = [factor for factor, number in zip(factors, numbers, strict=True) if number is None]
    if not _near(prod(number for number in numbers if number is not None), 0.044715):
        return False
    power = _made_by(n, rest[0], "Pow") if len(rest) == 1 else None
    if power is not None:
        return power.inputs[0] == x and _number(n, power.inputs[1]) == 3
    return rest == [x, x, x]


# --- 4


def flat_product(n: Neighbours, node: OnnxNode) -> list[OnnxNode]:
    """At the last Reshape: makes it the product of the unflattened left side."""
    product = _made_by(n, node.inputs[0], "MatMul")
    flat = None if product is None else _made_by(n, product.inputs[0], "Reshape")
    weights = None if product is None else n.shape(product.inputs[1])
    if product is None or flat is None or weights is None or len(weights) != 2:
        return []
    before, after = n.shape(flat.inputs[0]), n.shape(node.outputs[0])
    middle = n.shape(flat.outputs[0])
    if before is None or after is None or middle is None or len(middle) != 2 or None in weights:
        return []
    if (
        len(before) < 3
        or not _is_the_same(before[:-1], after[:-1])
        or (before[-1], after[-1]) != weights
        or middle[1] != weights[0]
    ):
        return []
    node.op, node.inputs, node.attrs = "MatMul", [flat.inputs[0], product.inputs[1]], {}
    return []


def _is_the_same(a: Sequence[int | None], b: Sequence[int | None]) -> bool:
    """Whether shapes of equally many elements are equal: at most one size is unknown."""
    return tuple(a) == tuple(b) and list(a).count(None) <= 1
