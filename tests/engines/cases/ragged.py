"""Cases of ragged tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, F, L, N, case, floats, ivec, kernel_types, refusal, values

SPLITS = ivec(0, 2, 2, 5, 6, dtype=L)
INNER = ivec(0, 1, 1, 4, 6, 6, 9, dtype=L)


def tensors() -> Iterator[Case]:
    rows = ["ROW_SPLITS"]
    for kind in ("float32", "string", "int64", "bool", "complex64", "bfloat16"):
        x = values(kind, 6)
        yield case(
            "RaggedTensorToTensor", L(-1), x, x[0], SPLITS, row_partition_types=rows, num_row_partition_tensors=1
        )
    x = floats(6)
    for shape in ((-1, -1), (4, 2), (6, 4), (2, 3), (-1, 1), (0, 0)):
        yield case("RaggedTensorToTensor", ivec(*shape, dtype=L), x, F(9), SPLITS, row_partition_types=rows)
    for default in (F(9), floats(2, seed=3)):
        yield case("RaggedTensorToTensor", ivec(-1, -1, 2, dtype=L), floats(6, 2), default, SPLITS,
                   row_partition_types=rows)  # fmt: skip
    for shape in ((-1, -1, -1), (4, 2, 2), (5, 3, 4)):
        yield case("RaggedTensorToTensor", ivec(*shape, dtype=L), floats(9), F(9), SPLITS, INNER,
                   row_partition_types=["ROW_SPLITS"] * 2)  # fmt: skip
    yield case("RaggedTensorToTensor", L(-1), floats(4), F(9), L(5), ivec(0, 0, 2, 4, dtype=L),
               row_partition_types=["FIRST_DIM_SIZE", "VALUE_ROWIDS"])  # fmt: skip
    yield case("RaggedTensorToTensor", L(-1), floats(0), F(9), ivec(0, 0, 0, dtype=L), row_partition_types=rows)
    yield refusal("RaggedTensorToTensor", ivec(-1, dtype=L), x, F(9), SPLITS, row_partition_types=rows)


def ranges() -> Iterator[Case]:
    for kind in kernel_types("RaggedRange"):
        held = dtype_of(kind).numpy
        starts, limits = np.array([0, 5, 3, 2], held), np.array([4, 2, 3, 9], held)
        for splits in ("int32", "int64"):
            yield case("RaggedRange", starts, limits, np.array([1, -1, 2, 3], held), Tsplits=dtype_of(splits))
        yield case("RaggedRange", np.array(1, held), limits, np.array(2, held))
    yield case("RaggedRange", ivec(0, 0), ivec(3, -3), N(1))
    yield case("RaggedRange", F(0), floats(3, low=0, high=2), F(0.3))
    yield refusal("RaggedRange", ivec(0), ivec(3), N(0))
    yield refusal("RaggedRange", ivec(0, 1), ivec(3, 4, 5), N(1))


def parts() -> Iterator[Case]:
    for kind in ("float32", "string", "int32"):
        for indices in (ivec(3, 0, 2), ivec([2, 2], [0, 1]), np.zeros(0, N)):
            said = {"PARAMS_RAGGED_RANK": 1, "OUTPUT_RAGGED_RANK": indices.ndim}
            yield case("RaggedGather", SPLITS, values(kind, 6), indices, **said)
            yield case("RaggedGather", SPLITS, values(kind, 6, 2), indices.astype(L), **said)
            yield case("RaggedGather", SPLITS, INNER, values(kind, 9), indices, PARAMS_RAGGED_RANK=2,
                       OUTPUT_RAGGED_RANK=indices.ndim + 1)  # fmt: skip
        yield case("RaggedTensorToSparse", SPLITS, values(kind, 6), RAGGED_RANK=1)
        yield case("RaggedTensorToSparse", SPLITS, values(kind, 6, 2), RAGGED_RANK=1)
        yield case("RaggedTensorToSparse", SPLITS, INNER, values(kind, 9), RAGGED_RANK=2)
    yield refusal("RaggedGather", SPLITS, floats(6), ivec(4), PARAMS_RAGGED_RANK=1, OUTPUT_RAGGED_RANK=1)
    yield refusal("RaggedTensorToSparse", SPLITS, floats(7), RAGGED_RANK=1)
    for kind in ("float32", "string"):
        x = values(kind, 4)
        yield case("RaggedFillEmptyRows", ivec(0, 2, 2, 5, dtype=L), x, L(7), x[0])
        yield case("RaggedFillEmptyRows", ivec(0, 1, 1, 2, dtype=L), x, L(3), x[0])
    yield case("RaggedFillEmptyRows", np.zeros(0, L), floats(0), L(2), F(1))
    yield refusal("RaggedFillEmptyRows", ivec(7, dtype=L), floats(1), L(7), F(1))
    yield case("RaggedFillEmptyRowsGrad", ivec(2, 0, 3, dtype=L), floats(6))


CASES: list[Case] = [*tensors(), *ranges(), *parts()]
