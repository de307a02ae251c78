"""Cases of sparse tensors: order, shape, parts, empty rows, sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.support.op_cases import Array, Case, F, L, case, floats, ivec, kernel_types, refusal, values

Parts = tuple[Array, Array, Array]


def sparse(kind: Any, *shape: int, count: int = 5, seed: int = 0, ordered: bool = True) -> Parts:
    """A sparse tensor with some elements, by rows or in no order."""
    random = np.random.default_rng([seed, *shape])
    places = random.choice(int(np.prod(shape)), min(count, int(np.prod(shape))), replace=False)
    places = np.sort(places) if ordered else places
    indices = np.stack(np.unravel_index(places, shape), -1).astype(L)
    return indices, values(kind, len(places), seed=seed), np.array(shape, L)


def lay() -> Iterator[Case]:
    for kind in ("float32", "int64", "string", "bool", "complex64", "bfloat16", "uint8"):
        yield case("SparseReorder", *sparse(kind, 4, 5, count=7, ordered=False))
    yield case("SparseReorder", *sparse("float32", 3, 2, 4, count=9, ordered=False, seed=2))
    yield case("SparseReorder", np.zeros((0, 2), L), floats(0), ivec(3, 4, dtype=L))
    indices, _, shape = sparse("float32", 4, 6, count=7)
    for new in ((3, 8), (-1, 4), (24,), (2, 3, 4), (2, -1, 1, 3)):
        yield case("SparseReshape", indices, shape, ivec(*new, dtype=L))
    yield case("SparseReshape", np.zeros((0, 2), L), ivec(3, 4, dtype=L), ivec(2, -1, dtype=L))
    yield case("SparseReshape", np.zeros((0, 2), L), ivec(0, 4, dtype=L), ivec(-1, 2, dtype=L))
    yield refusal("SparseReshape", indices, shape, ivec(5, 5, dtype=L))
    yield refusal("SparseReshape", indices, shape, ivec(-1, -1, dtype=L))
    yield refusal("SparseReshape", indices, shape, ivec(-1, 7, dtype=L))


def parts() -> Iterator[Case]:
    for kind in ("float32", "string", "int32"):
        x = sparse(kind, 4, 6, count=9)
        for start, size in (((1, 2), (2, 3)), ((0, 0), (4, 6)), ((2, 4), (9, 9)), ((3, 5), (0, 1))):
            yield case("SparseSlice", *x, ivec(*start, dtype=L), ivec(*size, dtype=L))
        for axis, number in ((0, 2), (0, 3), (1, 4), (1, 6), (-1, 2)):
            yield case("SparseSplit", np.array(axis, L), *x, num_split=number)
        y, z = sparse(kind, 4, 2, count=3, seed=1), sparse(kind, 4, 1, count=2, seed=2)
        three = [part for n in range(3) for part in (x[n], y[n], z[n])]
        for axis in (1, -1):
            yield case("SparseConcat", *three, concat_dim=axis, N=3)
        y = sparse(kind, 1, 6, count=3, seed=1)
        yield case("SparseConcat", *[part for n in range(3) for part in (x[n], y[n])], concat_dim=0, N=2)
    x, y = sparse("float32", 4, 6), sparse("float32", 3, 5, seed=1)
    yield refusal("SparseConcat", *[part for n in range(3) for part in (x[n], y[n])], concat_dim=0, N=2)
    yield refusal("SparseSplit", np.array(0, L), *x, num_split=5)
    kept = x[0][(x[0][:, 0] >= 1)]
    yield case("SparseSliceGrad", floats(len(kept)), x[0], ivec(1, 0, dtype=L), kept - ivec(1, 0, dtype=L))


def rows() -> Iterator[Case]:
    for kind in ("float32", "string", "int64", "bool"):
        indices, given, shape = sparse(kind, 7, 3, count=5)
        yield case("SparseFillEmptyRows", indices, given, shape, given[0])
        yield case("SparseFillEmptyRows", *sparse(kind, 2, 3, count=6), given[1])
    yield case("SparseFillEmptyRows", np.zeros((0, 2), L), floats(0), ivec(3, 4, dtype=L), F(1))
    yield case("SparseFillEmptyRows", np.zeros((0, 2), L), floats(0), ivec(0, 4, dtype=L), F(1))
    yield refusal("SparseFillEmptyRows", ivec([5, 0], dtype=L), floats(1), ivec(3, 4, dtype=L), F(1))
    yield refusal("SparseFillEmptyRows", ivec([1, 0], dtype=L), floats(2), ivec(3, 4, dtype=L), F(1))
    for kind in ("float32", "int32"):
        yield case("SparseFillEmptyRowsGrad", ivec(2, 0, 3, dtype=L), values(kind, 6))
    yield refusal("SparseFillEmptyRowsGrad", ivec(2, 7, dtype=L), floats(6))


def sums() -> Iterator[Case]:
    for kind in kernel_types("SparseAdd"):
        x, y = sparse(kind, 4, 5, count=9), sparse(kind, 4, 5, count=8, seed=1)
        real = "float32" if kind == "complex64" else "float64" if kind == "complex128" else kind
        for least in (0, 2):
            yield case("SparseAdd", *x, *y, np.array(least, values(real, 1).dtype))
    x, y = sparse("float32", 4, 5, count=9), sparse("float32", 4, 5, count=8, seed=1)
    yield case("SparseAdd", *x, np.zeros((0, 2), L), floats(0), x[2], F(0))
    yield refusal("SparseAdd", *x, y[0], y[1], ivec(4, 6, dtype=L), F(0))
    both = np.unique(np.concatenate([x[0], y[0]]), axis=0)
    yield case("SparseAddGrad", floats(len(both)), x[0], y[0], both)


CASES: list[Case] = [*lay(), *parts(), *rows(), *sums()]
