"""Cases of ops that reduce, count, accumulate and normalise over axes, and of losses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import INT32, INT64, dtype_of
from tests.support.op_cases import (
    Array,
    Case,
    D,
    F,
    L,
    N,
    bools,
    case,
    floats,
    ints,
    ivec,
    kernel_types,
    refusal,
    values,
)

NONE = np.zeros((0,), N)
ODD = [1.0, np.nan, 3.0, -np.inf, np.inf, 2.0]


def reductions() -> Iterator[Case]:
    for op in ("Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm"):
        for dtype in kernel_types(op):
            low, high = (-3, 4) if op == "Prod" else (-9, 9)
            x = values(dtype, 3, 4, 5, low=low, high=high)
            rough = 1e-2 if dtype in ("float16", "bfloat16") else 2e-6
            yield case(op, x, ivec(1), tolerance=rough)
            yield case(op, x, ivec(0, -1), keep_dims=True, tolerance=rough)
            yield case(op, x[:0], ivec(1), tolerance=rough)
            yield case(op, x[:, :0], ivec(1), tolerance=rough)
        x = floats(3, 4, 5, 2)
        for axes in (ivec(2), ivec(0, 1, 2, 3), ivec(-1, 0), NONE, ivec(1, 2), np.array(1, N), ivec(3, 1, dtype=L)):
            for keep in (False, True):
                yield case(op, x, axes, keep_dims=keep)
        yield case(op, np.array(3, F), NONE)
        yield case(op, np.array(ODD, F), ivec(0))
        yield case(op, np.array([ODD[:1], ODD[1:2]], F), ivec(0))
        yield refusal(op, x, ivec(4))
        yield refusal(op, x, ivec(-5))
        yield refusal(op, x, ivec(1, 1))
    yield case("Sum", floats(100_000, low=0, high=1), ivec(0))
    yield case("Mean", floats(7, 90_001, low=100, high=101), ivec(1))
    yield case("Sum", floats(70_000, 3, low=0, high=1), ivec(0))
    yield case("Mean", floats(40_000, 3, low=0, high=1), ivec(0), tolerance=1e-5)  # TensorFlow adds up in float32
    yield case("Sum", ints(50, low=2**29, high=2**30), ivec(0))
    yield case("Mean", ints(50, low=-(2**5), high=2**10), ivec(0))
    for op in ("All", "Any"):
        for axes in (ivec(0), ivec(1, 0), NONE, ivec(-1)):
            for keep in (False, True):
                yield case(op, bools(3, 4), axes, keep_dims=keep)
        yield case(op, bools(0, 4), ivec(0))


def positions() -> Iterator[Case]:
    for op in ("ArgMax", "ArgMin"):
        for dtype in kernel_types(op):
            yield case(op, values(dtype, 3, 4, 5), np.array(1, N))
        x = ints(3, 4, 5, low=0, high=3)
        for axis in (0, 1, 2, -1, -3):
            for kind in ("int32", "int64"):
                yield case(op, x, np.array(axis, N), output_type=dtype_of(kind))
        yield case(op, floats(7), np.array(0, L))
        yield case(op, bools(4, 6), np.array(1, N))
        yield case(op, np.array([[3, 1, 3, 1], [0, 0, 0, 0]], F), np.array(1, N))
        yield case(op, np.array([ODD, ODD[::-1], [np.nan] * 6], F), np.array(1, N))
        yield refusal(op, x, np.array(3, N))
    for kind in ("uint16", "int16"):
        yield case("ArgMax", floats(3, 4), np.array(1, N), output_type=dtype_of(kind))


def cumulative() -> Iterator[Case]:
    for op in ("Cumsum", "Cumprod"):
        for dtype in kernel_types(op):
            rough = 1e-2 if dtype in ("float16", "bfloat16") else 2e-6
            yield case(op, values(dtype, 3, 4, low=-3, high=3), np.array(1, N), tolerance=rough)
        for exclusive in (False, True):
            for reverse in (False, True):
                for axis in (0, 1, -1):
                    yield case(op, floats(3, 4, 5), np.array(axis, N), exclusive=exclusive, reverse=reverse)
                yield case(op, floats(3, 0), np.array(1, N), exclusive=exclusive, reverse=reverse)
        yield case(op, floats(3, 4), np.array(1, L))
        yield refusal(op, floats(3, 4), np.array(2, N))
    for exclusive in (False, True):
        for reverse in (False, True):
            for kind in kernel_types("CumulativeLogsumexp"):
                x = values(kind, 3, 4)
                rough = 2e-2 if kind in ("float16", "bfloat16") else 2e-6
                yield case(
                    "CumulativeLogsumexp", x, np.array(1, N), exclusive=exclusive, reverse=reverse, tolerance=rough
                )
    yield case("CumulativeLogsumexp", np.array([-np.inf, 1, -np.inf, 2], F), np.array(0, N))


def segment_ids(*ids: int, dtype: type = N) -> Array:
    return np.array(ids, dtype)


def segments() -> Iterator[Case]:
    for op in ("SegmentSum", "SegmentMean", "SegmentMax", "SegmentMin", "SegmentProd"):
        for dtype in kernel_types(op):
            rough = 1e-2 if dtype in ("float16", "bfloat16") else 2e-6
            yield case(op, values(dtype, 5, 2, low=-4, high=4), segment_ids(0, 0, 2, 2, 3), tolerance=rough)
        yield case(op, floats(5), segment_ids(1, 1, 1, 4, 4))
        yield case(op, floats(5, 2, 3), segment_ids(0, 1, 2, 3, 3, dtype=L))
        yield case(op, floats(0, 3), segment_ids())
        yield refusal(op, floats(3, 2), segment_ids(0, 2, 1))
        yield refusal(op, floats(3, 2), segment_ids(0, 2))
    for op in ("UnsortedSegmentSum", "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd"):
        for dtype in kernel_types(op):
            yield case(op, values(dtype, 5, 2, low=-4, high=4), segment_ids(3, 0, 0, -1, 1), np.array(5, N))
        yield case(op, floats(2, 3, 4), ivec([0, 1, 0], [2, 2, 0]), np.array(3, N))
        yield case(op, floats(2, 3), ivec([0, 1, 0], [2, 2, 0]), np.array(4, L))
        yield refusal(op, floats(3, 2), segment_ids(0, 5, 1), np.array(3, N))
    for op in ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN"):
        for dtype in kernel_types(op):
            rough = 1e-2 if dtype in ("float16", "bfloat16") else 2e-6
            yield case(op, values(dtype, 5, 2, low=-4, high=4), ivec(0, 4, 1, 1, 2), segment_ids(0, 0, 1, 1, 3),
                       tolerance=rough)  # fmt: skip
        yield case(op, floats(5, 3), ivec(0, 4, dtype=L), segment_ids(1, 1))
        yield case(op, floats(5, 3), NONE, NONE)
        yield refusal(op, floats(5, 3), ivec(0, 5), segment_ids(0, 1))
        yield case(f"{op}WithNumSegments", floats(5, 3), ivec(0, 4), segment_ids(1, 1), np.array(4, N))
        yield case(f"{op}WithNumSegments", floats(5, 3), NONE, NONE, np.array(2, N))


def counts() -> Iterator[Case]:
    for dtype in kernel_types("Bincount"):
        kind = dtype_of(dtype).numpy
        yield case("Bincount", ivec(1, 1, 3, 7), np.array(5, N), np.zeros((0,), kind))
        yield case("Bincount", ivec(1, 1, 3, 7), np.array(9, N), values(dtype, 4))
    yield refusal("Bincount", ivec(1, -1), np.array(5, N), np.zeros((0,), F))
    for dtype in ("float32", "float64", "int32", "int64"):
        none = np.zeros((0,), dtype)
        for binary in (False, True):
            yield case("DenseBincount", ivec(1, 1, 3, 7), np.array(9, N), none, binary_output=binary)
            yield case("DenseBincount", np.zeros(0, N), np.array(3, N), none, binary_output=binary)
            yield case("DenseBincount", ivec([1, 1, 0], [2, 2, 9]), np.array(4, N), none, binary_output=binary)
        yield case("DenseBincount", ivec(1, 1, 3, 7), np.array(5, N), values(dtype, 4))
        yield case("DenseBincount", ivec([1, 1], [2, 0]), np.array(3, N), values(dtype, 2, 2))
    for dtype in kernel_types("Bucketize"):
        yield case("Bucketize", values(dtype, 3, 4), boundaries=[-3.0, 0.0, 2.0, 7.0])
    yield case("Bucketize", np.array([0, 2, 3, -9, 9], F), boundaries=[0.0, 2.0])
    for dtype in kernel_types("HistogramFixedWidth"):
        bounds = np.array([-3, 4], dtype_of(dtype).numpy)
        yield case("HistogramFixedWidth", values(dtype, 30), bounds, np.array(5, N))
        yield case("HistogramFixedWidth", values(dtype, 30), bounds, np.array(5, N), dtype=INT64)
    for op in ("LowerBound", "UpperBound"):
        for dtype in kernel_types(op):
            if dtype in ("bool", "string", "qint8"):
                continue
            ordered = np.sort(values(dtype, 3, 7), -1)
            yield case(op, ordered, values(dtype, 3, 5, seed=1))
            yield case(op, ordered, values(dtype, 3, 5, seed=1), out_type=INT64)


def softmaxes() -> Iterator[Case]:
    for op in ("Softmax", "LogSoftmax"):
        for dtype in kernel_types(op):
            yield case(op, values(dtype, 3, 7))
        yield case(op, floats(2, 3, 4, 5, low=-30, high=30))
        yield case(op, floats(6))
        yield case(op, floats(3, 0))
        yield case(op, np.array([[1000, 0, -1000], [1, 1, 1]], F))
        yield case(op, np.array([[-np.inf, 0, 1], [1, -np.inf, 1]], F))
    for dtype in kernel_types("SoftmaxCrossEntropyWithLogits"):
        labels = np.abs(values(dtype, 4, 6, seed=2))
        yield case("SoftmaxCrossEntropyWithLogits", values(dtype, 4, 6), labels)
    yield case("SoftmaxCrossEntropyWithLogits", floats(4, 6), np.eye(4, 6, dtype=F)[:1])
    yield case("SoftmaxCrossEntropyWithLogits", floats(1, 6), np.eye(4, 6, dtype=F))
    yield case("SoftmaxCrossEntropyWithLogits", floats(4, 6), np.eye(4, 6, dtype=F)[:, :1])
    for dtype in kernel_types("SparseSoftmaxCrossEntropyWithLogits"):
        yield case("SparseSoftmaxCrossEntropyWithLogits", values(dtype, 4, 6), ivec(0, 5, 2, 2))
        yield case("SparseSoftmaxCrossEntropyWithLogits", values(dtype, 4, 6), ivec(0, 5, 2, 2, dtype=L))
    yield refusal("SparseSoftmaxCrossEntropyWithLogits", floats(4, 6), ivec(0, 5, 2))
    for dtype in kernel_types("L2Loss"):
        yield case("L2Loss", values(dtype, 4, 6))
    for dtype in kernel_types("Cross"):
        yield case("Cross", values(dtype, 4, 3, low=0, high=5), values(dtype, 4, 3, seed=1, low=0, high=5))


def others() -> Iterator[Case]:
    """Small facts about tensors."""
    yield case("All", bools(2, 2, 2), ivec(1), keep_dims=True)
    for dtype in ("float32", "string", "bool", "complex64"):
        for kind in (INT32, INT64):
            yield case("Size", values(dtype, 3, 4), out_type=kind)
            yield case("Shape", values(dtype, 3, 4), out_type=kind)
        yield case("Rank", values(dtype, 3, 4))
    yield case("ShapeN", floats(3, 4), floats(2), out_type=INT64)
    yield case("Shape", np.array(1.0, D))


CASES: list[Case] = [
    *reductions(),
    *positions(),
    *cumulative(),
    *segments(),
    *counts(),
    *softmaxes(),
    *others(),
]
