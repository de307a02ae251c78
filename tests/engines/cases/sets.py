"""Cases of sets and of counts in sparse and ragged tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.engines.cases.sparse import sparse
from tests.support.op_cases import Array, Case, F, L, N, case, floats, ints, ivec, kernel_types, refusal, values

OPERATIONS = ("a-b", "b-a", "intersection", "union")


def small(kind: str, *shape: int, seed: int = 0) -> Array:
    return values(kind, *shape, seed=seed, low=0, high=5) if kind != "string" else values(kind, *shape, seed=seed)


def sets() -> Iterator[Case]:
    for operation in OPERATIONS:
        for kind in kernel_types("DenseToDenseSetOperation"):
            a, b = small(kind, 3, 4), small(kind, 3, 5, seed=1)
            yield case("DenseToDenseSetOperation", a, b, set_operation=operation)
            indices, _, shape = sparse("float32", 3, 6, count=8)
            yield case("DenseToSparseSetOperation", a, indices, small(kind, 8, seed=2), shape, set_operation=operation)
            first = indices, small(kind, 8), shape
            second = sparse("float32", 3, 6, count=7, seed=3)[0], small(kind, 7, seed=4), shape
            yield case("SparseToSparseSetOperation", *first, *second, set_operation=operation)
        yield case(
            "DenseToDenseSetOperation", small("int64", 2, 2, 4), small("int64", 2, 2, 3), set_operation=operation
        )
    yield refusal("DenseToDenseSetOperation", small("int64", 2, 4), small("int64", 3, 4), set_operation="union")
    yield refusal("DenseToDenseSetOperation", small("int64", 4), small("int64", 4), set_operation="union")
    for kind in kernel_types("SetSize"):
        indices, _, shape = sparse("float32", 4, 5, count=11)
        yield case("SetSize", indices, small(kind, 11), shape)
    indices, _, shape = sparse("float32", 2, 3, 4, count=9)
    yield case("SetSize", indices, ints(9, low=0, high=3), shape)


def counts() -> Iterator[Case]:
    splits = ivec(0, 3, 3, 7, dtype=L)
    given = ints(7, low=0, high=6)
    indices, _, shape = sparse("float32", 3, 4, count=7)
    for kind in ("int32", "int64"):
        held = np.dtype(kind)
        for weights in (np.zeros(0, F), floats(7, seed=2), ints(7, seed=3, low=1), np.zeros(0, np.float64)):
            for size in (4, 8):
                for binary in (False, True):
                    if binary and weights.size:
                        continue
                    said = {"binary_output": binary}
                    yield case("RaggedBincount", splits, given.astype(held), np.array(size, held), weights, **said)
                    yield case(
                        "SparseBincount", indices, given.astype(held), shape, np.array(size, held), weights, **said
                    )
                    yield case("SparseBincount", indices[:, 1:], given.astype(held), shape[1:], np.array(size, held),
                               weights, **said)  # fmt: skip
            for least, most in ((-1, -1), (9, -1), (-1, 4), (2, 5)):
                for binary in (False, True):
                    if binary and weights.size:
                        continue
                    said = {"minlength": least, "maxlength": most, "binary_output": binary}
                    numbers = given.astype(held)
                    yield case("RaggedCountSparseOutput", splits, numbers, weights, **said)
                    yield case("SparseCountSparseOutput", indices, numbers, shape, weights, **said)
                    yield case("DenseCountSparseOutput", numbers, weights, **said)
                    if not weights.size:
                        yield case("DenseCountSparseOutput", ints(3, 5, low=0, high=6, dtype=held), weights, **said)
    yield refusal("RaggedBincount", ivec(0, 3, dtype=L), given, N(4), np.zeros(0, F))
    yield refusal("DenseCountSparseOutput", given, floats(3), binary_output=False)


CASES: list[Case] = [*sets(), *counts()]
