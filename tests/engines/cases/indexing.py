"""Cases of ops that pick and put elements by index, by value or by rank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import INT32, INT64, dtype_of
from tests.engines.cases.arrays import KINDS, NONE, one, rows
from tests.support.op_cases import (
    Case,
    F,
    L,
    N,
    bools,
    case,
    complexes,
    floats,
    ints,
    ivec,
    kernel_types,
    refusal,
    strings,
    values,
)


def gathers() -> Iterator[Case]:
    x = floats(3, 4, 5)
    for kind in KINDS:
        yield case("Gather", values(kind, 4, 3), ivec(3, 0, 3))
        yield case("GatherV2", values(kind, 4, 3), ivec(2, 0), one(1))
        yield case("GatherNd", values(kind, 4, 3), rows([3, 0], [1, 2]))
    for axis in (0, 1, 2, -1, -3):
        for indices in (one(1), ivec(2, 0, 1, 2), ivec([0, 1], [2, 2]), NONE, ivec(1, dtype=L)):
            yield case("GatherV2", x, indices, one(axis))
    for batch, axis in ((1, 1), (1, 2), (2, 2), (-1, 1), (1, -1)):
        indices = ints(3, 4, 2, low=0, high=4) if batch == 2 else ints(3, 2, low=0, high=4)
        yield case("GatherV2", x, indices, one(axis), batch_dims=batch)
    yield case("GatherV2", x, ints(3, low=0, high=4), one(1), batch_dims=1)
    yield case("GatherV2", floats(0, 3, 2), np.zeros((0, 2), N), one(1), batch_dims=1)
    yield case("GatherV2", floats(2, 3, 4, 2), ints(2, 3, 1, 2, low=0, high=4), one(2, L), batch_dims=2)
    yield case("Gather", floats(0, 3), NONE)
    yield refusal("Gather", x, ivec(3))
    yield refusal("GatherV2", x, ivec(-1), one(0))
    yield refusal("GatherV2", x, ivec(0), one(3))
    yield refusal("GatherV2", x, ints(2, 2, low=0, high=2), one(1), batch_dims=1)
    yield refusal("GatherV2", x, ints(3, 2, low=0, high=2), one(0), batch_dims=1)
    for indices in (ivec([0], [2]), ivec([0, 1, 2]), ivec(1), ivec([[0, 1]], [[2, 2]]), np.zeros((2, 0), N)):
        yield case("GatherNd", x, indices)
        yield case("GatherNd", x, indices.astype(L))
    yield case("GatherNd", x, np.zeros((0, 2), N))
    yield refusal("GatherNd", x, ivec([3]))
    yield refusal("GatherNd", x, ivec([0, -1]))
    yield refusal("GatherNd", x, ivec([0, 0, 0, 0]))
    yield case("GatherNd", x, ivec([0, 1], [3, 1], [0, -1]), bad_indices_policy="IGNORE")


SCATTERS = [f"TensorScatter{word}" for word in ("Update", "Add", "Sub", "Min", "Max")]


def scatters() -> Iterator[Case]:
    for kind in kernel_types("ScatterNd"):
        yield case("ScatterNd", rows([1], [3]), values(kind, 2, 3), ivec(5, 3))
        if kind not in ("string", "bool"):
            yield case("ScatterNd", rows([1], [1], [3]), values(kind, 3), ivec(5))
    yield case("ScatterNd", rows([0, 1], [2, 0], dtype=L), floats(2, 4), ivec(3, 2, 4, dtype=L))
    yield case("ScatterNd", rows([0, 1], [2, 0]), floats(2), ivec(3, 2))
    yield case("ScatterNd", np.zeros((0, 1), N), floats(0, 2), ivec(3, 2))
    yield case("ScatterNd", ivec([[0], [1]], [[2], [0]]), floats(2, 2, 3), ivec(4, 3))
    yield case("ScatterNd", ivec([7], [1]), floats(2, 3), ivec(4, 3), bad_indices_policy="IGNORE")
    yield refusal("ScatterNd", ivec([7], [1]), floats(2, 3), ivec(4, 3))
    yield refusal("ScatterNd", ivec([0], [1]), floats(2, 2), ivec(4, 3))
    for op in SCATTERS:
        for kind in kernel_types(op):
            yield case(op, values(kind, 5, 2), rows([1], [4]), values(kind, 2, 2, seed=3))
        if op != "TensorScatterUpdate":
            yield case(op, floats(5, 2), rows([1], [4], [1], [1]), floats(4, 2, seed=3))
        yield case(op, floats(5, 2), rows([1, 0], [4, 1], dtype=L), floats(2, seed=3))
        yield case(op, floats(3, 2), np.zeros((0, 1), N), floats(0, 2))
        yield refusal(op, floats(3, 2), ivec([3]), floats(1, 2))
        yield case(op, floats(3, 2), ivec([3], [1]), floats(2, 2), bad_indices_policy="IGNORE")
        yield refusal(op, floats(3, 2), ivec([1]), floats(1, 3))
    for kind in ("float32", "int32", "complex64"):
        yield case("ScatterNdNonAliasingAdd", values(kind, 6), ivec([1], [4], [1]), values(kind, 3, seed=2))
    for op in ("InplaceUpdate", "InplaceAdd", "InplaceSub"):
        yield case(op, floats(4, 3), ivec(2, 0), floats(2, 3, seed=1))
    for kind in ("float32", "int64", "string", "bool"):
        x = values(kind, 3)
        yield case("SparseToDense", rows([0, 1], [2, 0], [2, 3]), ivec(3, 4), x, x[0])
        yield case("SparseToDense", ivec(1, 3, 4, dtype=L), ivec(6, dtype=L), x, x[0])
        yield case("SparseToDense", ivec(1, 3), ivec(6), x[0], x[1])
    yield case("SparseToDense", one(2), ivec(4), np.array(5, F), np.array(0, F))
    yield case("SparseToDense", ivec(3, 1), ivec(4), floats(2), np.array(0, F), validate_indices=False)
    yield refusal("SparseToDense", ivec(3, 1), ivec(4), floats(2), np.array(0, F))
    yield refusal("SparseToDense", ivec(1, 4), ivec(4), floats(2), np.array(0, F))


def hot() -> Iterator[Case]:
    for kind in ("float32", "int32", "bool", "string", "complex64", "uint8", "float16"):
        pair = values(kind, 4)
        yield case("OneHot", ivec(0, 2, -1, 5), one(4), pair[0], pair[1])
    for kind in (np.uint8, np.int8, np.int32, np.int64):
        yield case("OneHot", ivec(0, 2, 3, dtype=kind), one(3), F(1), F(0))
    for axis in (-1, 0, 1, 2):
        yield case("OneHot", ints(2, 3, low=-1, high=5), one(4), F(3), F(-2), axis=axis)
    yield case("OneHot", one(2), one(4), F(1), F(0))
    yield case("OneHot", ivec(0, 1), one(0), F(1), F(0))
    yield case("OneHot", np.zeros((0, 2), N), one(3), F(1), F(0), axis=0)
    yield refusal("OneHot", ivec(0), one(-1), F(1), F(0))
    for kind in kernel_types("Where", but=["float16"]):
        yield case("Where", values(kind, 3, 4))
    yield case("Where", bools(2, 3, 4))
    yield refusal("Where", np.array(True))
    yield case("Where", np.zeros((0, 3), bool))
    yield case("Where", np.array([0, np.nan, -0.0, 1e-3], F))


def distinct() -> Iterator[Case]:
    for kind in kernel_types("Unique"):
        yield case("Unique", values(kind, 20, low=-3, high=4))
        yield case("UniqueWithCounts", values(kind, 20, low=-3, high=4), out_idx=INT64)
        yield case("UniqueV2", values(kind, 20, low=-3, high=4), np.zeros(0, L))
    yield case("Unique", floats(0))
    yield case("Unique", strings(b"b", b"a", b"b", b""), out_idx=INT64)
    yield refusal("Unique", floats(2, 2))
    for op in ("UniqueV2", "UniqueWithCountsV2"):
        x = ints(4, 5, low=0, high=2)
        x[2] = x[0]
        yield case(op, x, ivec(0, dtype=L))
        yield case(op, x.T.copy(), ivec(1))
        yield case(op, x.reshape(4, 5, 1), ivec(0), out_idx=INT64)
        yield case(op, np.zeros((0, 3), N), ivec(0))
    for kind in kernel_types("ListDiff"):
        yield case("ListDiff", values(kind, 12), values(kind, 5, seed=1))
        yield case("ListDiff", values(kind, 12), values(kind, 12, seed=1), out_idx=INT64)
    yield case("InvertPermutation", ivec(2, 0, 1, 3))
    yield case("InvertPermutation", ivec(2, 0, 1, dtype=L))
    yield refusal("InvertPermutation", ivec(2, 0, 3))
    yield refusal("InvertPermutation", ivec(1, 1, 0))
    for kind in (N, L):
        yield case("UnravelIndex", ivec(5, 0, 11, dtype=kind), ivec(3, 4, dtype=kind))
        yield case("UnravelIndex", np.array(7, kind), ivec(2, 2, 3, dtype=kind))
    yield refusal("UnravelIndex", ivec(12), ivec(3, 4))


def ranks() -> Iterator[Case]:
    for kind in kernel_types("TopKV2"):
        yield case("TopKV2", values(kind, 3, 9), one(4))
    yield case("TopKV2", ivec([3, 1, 3, 2, 3], [0, -5, 7, 7, 0]), one(5))
    yield case("TopKV2", ints(4, 50, low=0, high=5), one(20))
    yield case("TopKV2", floats(2, 3, 8), one(1))
    yield case("TopKV2", floats(2, 3, 8), one(0))
    yield case("TopKV2", floats(0, 8), one(3))
    yield case("TopKV2", np.array([-np.inf, np.inf, 0, 1], F), one(4))
    yield case("TopKV2", np.array([2**62, 2**62 + 1, -(2**63)], L), one(3))
    yield case("TopKV2", np.array([2**63 + 1, 2**63, 0], np.uint64), one(3))
    yield case("TopKV2", floats(6), one(2, np.int64))
    yield case("TopKV2", floats(6), one(2), index_type=INT64)
    yield refusal("TopKV2", floats(2, 3), one(4))
    yield refusal("TopKV2", floats(2, 3), one(-1))
    for kind in kernel_types("NthElement"):
        for reverse in (False, True):
            yield case("NthElement", values(kind, 3, 9), one(2), reverse=reverse)
    yield refusal("NthElement", floats(3, 4), one(4))
    scores = floats(4, 6)
    scores[1] = 1
    scores[2, 3] = np.inf
    scores[3, 0] = np.nan
    for k in (1, 2, 5, 9):
        for targets in (ivec(0, 3, 4, 1), ivec(5, 0, 3, 0), ivec(-1, 6, 3, 2)):
            yield case("InTopK", scores, targets, k=k)
            yield case("InTopKV2", scores, targets, one(k))
            yield case("InTopKV2", scores, targets.astype(L), one(k, L))


def partitions() -> Iterator[Case]:
    for kind in ("float32", "int32", "string", "bool", "complex64"):
        yield case("DynamicPartition", values(kind, 6, 2), ivec(0, 1, 0, 3, 1, 1), num_partitions=4)
        parts = (ivec(0, 4), ivec([1, 3]), one(2))
        data = (values(kind, 2, 3), values(kind, 1, 2, 3, seed=1), values(kind, 3, seed=2))
        for op in ("DynamicStitch", "ParallelDynamicStitch"):
            yield case(op, *parts, *data, N=3)
    yield case("DynamicPartition", floats(2, 3, 4), ivec([0, 1, 0], [2, 2, 0]), num_partitions=3)
    yield case("DynamicPartition", floats(0, 2), NONE, num_partitions=2)
    yield refusal("DynamicPartition", floats(3), ivec(0, 2, 1), num_partitions=2)
    yield refusal("DynamicPartition", floats(3), ivec(0, 1), num_partitions=2)
    yield case("DynamicStitch", ivec(0, 1), ivec(1, 3), floats(2, 2), floats(2, 2, seed=1), N=2, outputs=())
    yield case("DynamicStitch", ivec(2, 1, 0), floats(3), N=1)
    yield case("DynamicStitch", NONE, floats(0, 2), N=1)
    yield refusal("DynamicStitch", ivec(0, 1), floats(3), N=1)
    yield refusal("DynamicStitch", ivec(-1), floats(1), N=1)
    yield case("GatherNd", complexes(3, 2), ivec([1]))
    yield case("Cast", ints(3), DstT=dtype_of("float32"))
    yield case("Unique", ints(5), out_idx=INT32)


CASES: list[Case] = [*gathers(), *scatters(), *hot(), *distinct(), *ranks(), *partitions()]
