"""Products of two tensors along some of their dimensions, as one MatMul between transposes and reshapes.

The runtime's Einsum does the same at run time, by kernels that it picks anew at each run and that share no work with
the nodes around; here weights are brought into place when the session is made, and transposes meet their neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...base.shapes import Shape
from ...base.tensors import Tensor
from .builder import Builder
from .values import Value

Sizes = Mapping[str, tuple[Value, int, int | None]]
"""For each letter a value that has the dimension, its place there, and its size as far as it is known."""


def contracted(g: Builder, left: str, right: str, out: str, x: Value, y: Value) -> Value | None:
    """The einsum `left,right->out`, whose terms have no letter twice; None where it is no product of matrices, as
    when a dimension is summed in one factor alone, or is of size 1 in one and broadcast."""
    if len(left) != x.rank or len(right) != y.rank or set(out) - set(left) - set(right):
        return None
    batch = [c for c in out if c in left and c in right]
    summed = [c for c in left if c in right and c not in out]
    rows, columns = [c for c in out if c not in right], [c for c in out if c not in left]
    if len(batch) + len(rows) + len(summed) != len(left) or len(batch) + len(columns) + len(summed) != len(right):
        return None
    if not summed or (rows and columns and out.index(columns[0]) < out.index(rows[0]) and batch):
        # The factor whose dimensions come first in the result is better the left one.
        return contracted(g, right, left, out, y, x) if summed else None
    sizes: dict[str, tuple[Value, int, int | None]] = {}
    for term, value in ((left, x), (right, y)):
        for place, letter in enumerate(term):
            size = value.size(place)
            known = sizes.get(letter)
            if known is not None and known[2] != size and 1 in (known[2], size):
                return None  # broadcast
            if known is None or known[2] is None:
                sizes[letter] = (value, place, size)
    # Without a batch the rows need not be flat: MatMul takes any number of them before the last dimension.
    row_groups = [[c] for c in rows] if not batch else [rows]
    groups = [[c] for c in batch]
    a = _arranged(g, x, left, [*groups, *row_groups, summed], sizes)
    b = _arranged(g, y, right, [*groups, summed, columns], sizes)
    shape = _shape([*groups, *row_groups, columns], sizes)
    product = g.op("MatMul", a, b, shape=shape)
    order = [*batch, *rows, *columns]
    if len(row_groups[-1:] and row_groups[-1]) != 1 or len(columns) != 1:
        product = _reshaped(g, product, [[c] for c in order], sizes)
    return g.transpose(product, [order.index(c) for c in out])


def _arranged(g: Builder, x: Value, term: str, groups: Sequence[Sequence[str]], sizes: Sizes) -> Value:
    """A factor with its dimensions in the order of the groups, and each group one dimension."""
    perm = [term.index(c) for group in groups for c in group]
    flat = any(len(group) != 1 for group in groups)
    if x.array is not None:
        array = x.array.transpose(perm)
        numbers = [int(np.prod([x.array.shape[term.index(c)] for c in group])) for group in groups]
        return g.tensor(Tensor.of(np.ascontiguousarray(array.reshape(numbers)), x.dtype))
    turned = g.transpose(x, perm)
    return _reshaped(g, turned, groups, sizes) if flat else turned


def _size(group: Sequence[str], sizes: Sizes) -> int | None:
    total = 1
    for letter in group:
        size = sizes[letter][2]
        if size is None:
            return None
        total *= size
    return total


def _shape(groups: Sequence[Sequence[str]], sizes: Sizes) -> Shape:
    return tuple(_size(group, sizes) for group in groups)


def _reshaped(g: Builder, x: Value, groups: Sequence[Sequence[str]], sizes: Sizes) -> Value:
    shape = _shape(groups, sizes)
    numbers = [-1 if size is None else size for size in shape or ()]
    if numbers.count(-1) <= 1 and 0 not in numbers:
        return g.reshape(x, numbers)
    parts = []
    for group in groups:
        each = [g.sizes(sizes[c][0], [sizes[c][1]]) for c in group] or [g.ints([1])]
        total = each[0]
        for size in each[1:]:
            total = g.op("Mul", total, size, shape=(1,))
        parts.append(total)
    return g.reshape_to(x, g.concat(parts, 0), shape)
