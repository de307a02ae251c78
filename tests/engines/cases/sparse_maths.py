"""Cases of arithmetic on sparse tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.engines.cases.sparse import sparse
from tests.support.op_cases import Case, F, L, N, case, floats, ivec, kernel_types, refusal, values


def with_dense() -> Iterator[Case]:
    for kind in kernel_types("SparseTensorDenseMatMul"):
        x = sparse(kind, 4, 5, count=8)
        for flip_a in (False, True):
            for flip_b in (False, True):
                b = values(kind, *((3, 4 if flip_a else 5) if flip_b else (4 if flip_a else 5, 3)), seed=2)
                yield case("SparseTensorDenseMatMul", *x, b, adjoint_a=flip_a, adjoint_b=flip_b)
    x = sparse("float32", 4, 5, count=8)
    yield case("SparseTensorDenseMatMul", x[0].astype(N), x[1], x[2], floats(5, 2))
    yield case("SparseTensorDenseMatMul", np.zeros((0, 2), L), floats(0), x[2], floats(5, 2))
    yield refusal("SparseTensorDenseMatMul", *x, floats(4, 2))
    yield refusal("SparseTensorDenseMatMul", ivec([4, 0], dtype=L), floats(1), x[2], floats(5, 2))
    for kind in kernel_types("SparseTensorDenseAdd"):
        y = sparse(kind, 3, 4)
        yield case("SparseTensorDenseAdd", *y, values(kind, 3, 4, seed=3))
        yield case("SparseTensorDenseAdd", y[0].astype(N), y[1], y[2].astype(N), values(kind, 3, 4, seed=3))
    yield refusal("SparseTensorDenseAdd", *x, floats(4, 6))
    for op in ("SparseDenseCwiseAdd", "SparseDenseCwiseMul", "SparseDenseCwiseDiv"):
        for kind in kernel_types(op, but=("float16", "bfloat16")):
            y = sparse(kind, 3, 4)
            yield case(op, *y, np.maximum(np.abs(values(kind, 3, 4, seed=3)), 1).astype(y[1].dtype))
            yield case(op, *y, np.maximum(np.abs(values(kind, 4, seed=3)), 1).astype(y[1].dtype))
        yield case(op, *x, F(2))
        yield refusal(op, *x, floats(3, 5))


def along_axes() -> Iterator[Case]:
    for op in ("SparseReduceSum", "SparseReduceMax", "SparseReduceSumSparse", "SparseReduceMaxSparse"):
        for kind in kernel_types(op):
            yield case(op, *sparse(kind, 3, 4, count=7), ivec(1))
        x = sparse("float32", 3, 2, 4, count=9)
        for axes in ((0,), (1,), (-1,), (0, 2), (0, 1, 2), ()):
            for keep in (False, True):
                yield case(op, *x, np.array(axes, N), keep_dims=keep)
        yield case(op, *x, N(1))
        yield refusal(op, *x, ivec(3))
    for kind in kernel_types("SparseSoftmax"):
        yield case("SparseSoftmax", *sparse(kind, 4, 5, count=9))
        yield case("SparseSoftmax", *sparse(kind, 3, 2, 4, count=9))
    yield refusal("SparseSoftmax", *sparse("float32", 5, count=3))


def pairs() -> Iterator[Case]:
    for op in ("SparseSparseMaximum", "SparseSparseMinimum"):
        for kind in kernel_types(op):
            yield case(op, *sparse(kind, 4, 5, count=7), *sparse(kind, 4, 5, count=8, seed=1))
        x = sparse("float32", 4, 5)
        yield case(op, *x, np.zeros((0, 2), L), floats(0), x[2])
        yield refusal(op, *x, *sparse("float32", 4, 6))


CASES: list[Case] = [*with_dense(), *along_axes(), *pairs()]
