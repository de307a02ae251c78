"""Cases for the lowerings to ONNX, second part: shapes, slices, indices, reductions, pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.engines.cases.lowered import INF, case
from tests.support.op_cases import Array, Case, F, L, N, floats, ints, ivec


def shapes() -> Iterator[Case]:
    x = floats(2, 3, 4)
    for target in ((4, 6), (-1,), (2, -1, 2), (24, 1)):
        yield case("Reshape", x, ivec(*target), fixed=(1,))
        yield case("Reshape", x, ivec(*target, dtype=L))
    yield case("Reshape", floats(0, 3), ivec(3, 0), fixed=(1,))
    yield case("Reshape", floats(0, 3), ivec(3, 0))
    for op, out in itertools.product(("Shape", "Size"), ("int32", "int64")):
        yield case(op, x, out_type=dtype_of(out))
    yield case("ShapeN", x, floats(5))
    yield case("Rank", x)
    for dim in (0, 1, -1, 3):
        yield case("ExpandDims", x, ivec(dim), fixed=(1,))
        yield case("ExpandDims", x, N(dim), fixed=(1,))
    yield case("Squeeze", floats(1, 3, 1, 4), sizes="known")
    yield case("Squeeze", floats(1, 3, 1, 4), squeeze_dims=[0])
    yield case("Squeeze", floats(1, 3, 1, 4), squeeze_dims=[-2, 0])
    yield case("Transpose", x, ivec(2, 0, 1), fixed=(1,))
    yield case("Transpose", x, ivec(2, -3, 1), fixed=(1,))
    yield case("Transpose", x, ivec(2, 0, 1), sizes="")
    yield case("BroadcastTo", floats(3, 1), ivec(2, 3, 4), fixed=(1,))
    yield case("BroadcastTo", floats(3, 1), ivec(2, 3, 4))
    yield case("Fill", ivec(2, 3), F(1.5), fixed=(0, 1))
    yield case("Fill", ivec(2, 3), F(1.5))
    yield case("Fill", ivec(), N(7))
    for op in ("ZerosLike", "OnesLike"):
        yield case(op, x)
        yield case(op, ints(2, 3, dtype=L))
    yield case("Range", N(2), N(11), N(3), fixed=(0, 1, 2))
    yield case("Range", N(2), N(11), N(3))
    yield case("Range", L(11), L(2), L(-2))
    yield case("Range", F(0), F(1), F(0.1), sizes="")
    for op in ("Identity", "StopGradient", "PreventGradient", "Snapshot"):
        yield case(op, x)
    yield case("IdentityN", x, ints(3))
    yield case("PlaceholderWithDefault", x, shape=[2, 3, 4])
    yield case("EnsureShape", x, shape=[2, 3, 4], sizes="known")


def cuts() -> Iterator[Case]:
    x = floats(4, 5, 6)
    full = {"begin": (0, 0, 0), "end": (4, 5, 6), "strides": (1, 1, 1)}

    def strided(
        value: Array = x, free: bool = True, fixed: tuple[int, ...] = (1, 2, 3), sizes: str = "any", **said: Any
    ) -> Case:
        begin, end, strides = (ivec(*said.pop(key, full[key])) for key in ("begin", "end", "strides"))
        return case("StridedSlice", value, begin, end, strides, fixed=fixed, sizes=sizes, **said)

    for fixed in ((1, 2, 3), (3,)):
        yield strided(begin=(1, 0, 2), end=(3, 5, -1), fixed=fixed)
        yield strided(begin=(1, 1, 1), end=(3, 3, 3), begin_mask=1, end_mask=6, fixed=fixed)
        yield strided(begin=(1, 1, 1), end=(2, 3, 3), shrink_axis_mask=1, fixed=fixed)
        yield strided(begin=(-1,), end=(0,), strides=(1,), shrink_axis_mask=1, fixed=fixed)
        yield strided(begin=(-1, 2), end=(0, 4), strides=(1, 1), shrink_axis_mask=1, fixed=fixed)
        yield strided(begin=(1, -2, 3), end=(2, -1, 4), shrink_axis_mask=7, fixed=fixed)
        yield strided(begin=(0, 1), end=(0, 3), strides=(1, 2), ellipsis_mask=1, fixed=fixed)
        yield strided(begin=(1, 0, 1), end=(2, 0, 3), strides=(1, 1, 1), ellipsis_mask=2, fixed=fixed)
        yield strided(begin=(0, 0, 0, 0), end=(2, 0, 3, 4), strides=(1, 1, 1, 1), new_axis_mask=2, fixed=fixed)
        yield strided(
            begin=(0, 0, 0),
            end=(0, 0, 1),
            strides=(1, 1, 1),
            ellipsis_mask=1,
            new_axis_mask=2,
            shrink_axis_mask=4,
            fixed=fixed,
        )
        yield strided(
            begin=(0, 0, 0),
            end=(0, 0, 0),
            strides=(1, 1, 1),
            begin_mask=4,
            end_mask=4,
            ellipsis_mask=1,
            new_axis_mask=2,
            fixed=fixed,
        )
        yield strided(begin=(9, 0, 0), end=(99, 5, 2), fixed=fixed)
    yield strided(begin=(0, 0, 0), end=(0, 0, 0), strides=(-1, 1, -2), begin_mask=7, end_mask=7)
    yield strided(begin=(3, 4, 5), end=(0, 0, 0), strides=(-1, -2, -2))
    yield strided(begin=(3, -1, 5), end=(-9, 0, 0), strides=(-1, -2, -2))
    yield strided(begin=(-9, 0, 0), end=(0, 5, 5), strides=(-1, 1, 1), sizes="")
    yield strided(value=np.asarray(3.0, F), begin=(0,), end=(0,), strides=(1,), new_axis_mask=1)
    yield strided(value=ints(4, dtype=L), begin=(1,), end=(3,), strides=(1,))
    for fixed in ((1, 2), ()):
        yield case("Slice", x, ivec(1, 0, 2), ivec(2, -1, 3), fixed=fixed)
        yield case("Slice", x, ivec(0, 0, 0, dtype=L), ivec(-1, -1, -1, dtype=L), fixed=fixed)
        yield case("Slice", x, ivec(0, 1, 0, dtype=L), ivec(4, 0, -1, dtype=L), fixed=fixed)
    for axis in (0, -1):
        yield case("Split", N(axis), floats(6, 5, 6), num_split=3, fixed=(0,))
    yield case("Split", N(1), floats(6, 5, 6), num_split=1, fixed=(0,))
    yield case("SplitV", floats(6, 5), ivec(1, 2, 3), N(0), num_split=3, fixed=(1, 2))
    yield case("SplitV", floats(6, 5), ivec(1, -1, 3), N(-1), num_split=3, fixed=(1, 2), sizes="known")
    for axis in (0, 1, -1):
        yield case("ConcatV2", floats(2, 3), floats(2, 3, seed=1), floats(2, 3, seed=2), N(axis), fixed=(3,))
        yield case("Pack", floats(2, 3), floats(2, 3, seed=1), axis=axis)
        yield case("Unpack", floats(3, 4, 3), num=4 if axis == 1 else 3, axis=axis)
    yield case("Concat", N(1), ints(2, 3), ints(2, 4), fixed=(0,))
    yield case("Unpack", floats(1, 4), num=1)
    for fixed in ((1,), ()):
        yield case("Pad", floats(2, 3), ivec((1, 0), (2, 3)), fixed=fixed)
        yield case("PadV2", floats(2, 3), ivec((1, 0), (2, 3)), F(9), fixed=fixed)
        yield case("PadV2", ints(2, 3), ivec((1, 0), (2, 3)), N(9), fixed=fixed)
        yield case("MirrorPad", floats(4, 3), ivec((1, 0), (2, 1)), mode="REFLECT", fixed=fixed)
    yield case("MirrorPad", floats(4, 3), ivec((1, 0), (2, 3)), mode="SYMMETRIC", fixed=(1,))
    yield case("MirrorPad", floats(4, 3), ivec((4, 4), (2, 3)), mode="SYMMETRIC", fixed=(1,))
    for fixed in ((1,), ()):
        yield case("Tile", floats(2, 3), ivec(2, 3), fixed=fixed)
        yield case("Tile", floats(2, 3), ivec(1, 1), fixed=fixed)
        yield case("Tile", np.asarray([True, False]), ivec(3), fixed=fixed)
    yield case("ReverseV2", x, ivec(0, -1), fixed=(1,))
    yield case("Reverse", x, np.asarray([True, False, True]), fixed=(1,))
    yield case("Roll", x, ivec(2, -1), ivec(0, 2), fixed=(1, 2), sizes="known")
    yield case("ReverseSequence", x, ivec(1, 5, 2, 3), seq_dim=1, batch_dim=0)
    yield case("ReverseSequence", x, ivec(1, 4, 2, 3, 2), seq_dim=0, batch_dim=1)
    yield case("ReverseSequence", x, ivec(1, 4, 2, 3, 2), seq_dim=2, batch_dim=1, sizes="")


def indices() -> Iterator[Case]:
    x = floats(4, 5, 6)
    yield case("Gather", x, ivec(3, 0, 1))
    for axis in (0, 1, -1):
        yield case("GatherV2", x, ivec((3, 0), (1, 2)), N(axis), fixed=(2,))
        yield case("GatherV2", x, N(2), N(axis), fixed=(2,))
    yield case("GatherV2", x, ints(4, 3, low=0, high=5), N(1), batch_dims=1, fixed=(2,))
    yield case("GatherV2", x, ints(4, 2, 3, low=0, high=5), N(2), batch_dims=1, fixed=(2,))
    yield case("GatherV2", x, ints(4, 5, low=0, high=6), N(2), batch_dims=2, fixed=(2,))
    yield case("GatherNd", x, ivec((3, 0), (1, 2)), sizes="known")
    yield case("GatherNd", x, ivec((3, 0, 5), (1, 2, 1)), sizes="known")
    yield case("GatherNd", x, ivec(((3,), (0,)), ((1,), (2,)), dtype=L), sizes="known")
    for axis in (-1, 0, 1):
        yield case("OneHot", ivec(0, 2, -1, 5, 1), N(4), F(1), F(0), axis=axis if axis < 1 else 1, fixed=(1, 2, 3))
    yield case("OneHot", ivec((0, 2), (1, 3), dtype=L), N(4), N(5), N(-1), axis=1, fixed=(1,))
    yield case("Where", np.asarray([[True, False], [True, True]]))
    yield case("Where", np.asarray([[0, 1.5, 0], [2, 0, -1]], F))
    yield case("ScatterNd", ivec((1,), (3,), (1,)), floats(3, 2), ivec(5, 2), fixed=(2,), sizes="known")
    yield case("ScatterNd", ivec((1,), (3,), (1,)), floats(3, 2), ivec(5, 2), sizes="known")
    for op in ["TensorScatterAdd", "TensorScatterMax", "TensorScatterMin", "TensorScatterSub", "TensorScatterUpdate"]:
        twice = () if op == "TensorScatterUpdate" else ((1,),)
        where = ivec((1,), (3,), *twice)
        yield case(op, floats(5, 2), where, floats(len(where), 2, seed=1), sizes="known")
    yield case("InvertPermutation", ivec(2, 0, 3, 1), sizes="known")
    yield case("Unique", ivec(3, 1, 3, 2, 1))
    yield case("Unique", ivec(3, 1, 3, 2, 1, dtype=L), out_idx=dtype_of("int64"))
    yield case("UniqueWithCounts", ivec(3, 1, 3, 2, 1))
    for lower, upper in ((0, 0), (1, -1), (-1, 0), (1, 2), (-1, -1)):
        yield case("MatrixBandPart", floats(2, 4, 5), L(lower), L(upper), fixed=(1, 2))
    yield case("UnsortedSegmentSum", floats(5, 3), ivec(1, 0, 3, 1, -1), N(4), fixed=(2,))
    for op in ("UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd"):
        yield case(op, floats(5, 3), ivec(1, 0, 3, 1, -1), N(5), fixed=(2,))
        yield case(op, ints(5), ivec(1, 0, 3, 1, -1), N(5), fixed=(2,))
    yield case("UnsortedSegmentSum", floats(5), ivec(1, 0, 3, 1, 2), N(6), fixed=(2,))


def reductions() -> Iterator[Case]:
    x = floats(3, 4, 5)
    for op, axes, keep in itertools.product(
        ("Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm"), ((0, 2), (-1,), (0, 1, 2), ()), (True, False)
    ):
        yield case(op, x, ivec(*axes), keep_dims=keep, fixed=(1,))
    for op in ("Sum", "Max", "Min", "Prod"):
        for kind in (N, L):
            sizes = "known" if kind is L and op in ("Sum", "Prod") else "any"
            yield case(op, ints(3, 4, dtype=kind), N(1), fixed=(1,), sizes=sizes)
    yield case("Sum", ints(30, 40, dtype=L), N(1), fixed=(1,), sizes="")
    yield case("Mean", ints(3, 4), N(1), fixed=(1,), sizes="")
    yield case("Sum", x, ivec(1), sizes="")
    for op, axes in itertools.product(("All", "Any"), ((0,), (0, 1))):
        yield case(op, np.asarray([[True, False, True], [True, True, False]]), ivec(*axes), fixed=(1,))
    ties = np.asarray([[3, 1, 3, 1], [2, 2, 2, 2]], F)
    for op, axis, out in itertools.product(("ArgMax", "ArgMin"), (0, -1), ("int32", "int64")):
        yield case(op, ties, N(axis), output_type=dtype_of(out), fixed=(1,))
        yield case(op, ties.astype(N), N(axis), output_type=dtype_of(out), fixed=(1,))
    for kind in (F, N):
        yield case("TopKV2", np.asarray([[3, 1, 3, 2, 5, 1], [2, 2, 2, 2, 2, 2]], kind), N(4), fixed=(1,))
        yield case("TopKV2", np.asarray([[3, 1, 3, 2, 5, 1], [2, 2, 2, 2, 2, 2]], kind), N(4))
    yield case("InTopK", floats(4, 5), ivec(1, 4, 0, 7), k=2)
    yield case("InTopKV2", floats(4, 5), ivec(1, 4, 0, 2), N(2))
    yield case("InTopKV2", np.asarray([[1, INF, 2], [1, 3, 3]], F), ivec(1, 2), N(1))
    for axis, exclusive, reverse in itertools.product((0, -1), (False, True), (False, True)):
        yield case("Cumsum", x, N(axis), exclusive=exclusive, reverse=reverse)
    yield case("Cumsum", ints(3, 4, dtype=L), N(1), fixed=(1,))


def images() -> Iterator[Case]:
    modes = ({}, {"align_corners": True}, {"half_pixel_centers": True})
    for size, mode in itertools.product(((8, 12), (5, 9), (2, 3), (4, 6), (11, 7), (1, 1)), modes):
        open_ = "known" if mode.get("align_corners") else "any"
        yield case("ResizeBilinear", floats(2, 4, 6, 3), ivec(*size), fixed=(1,), **mode)
        yield case("ResizeNearestNeighbor", floats(2, 4, 6, 3), ivec(*size), fixed=(1,), sizes=open_, **mode)
        yield case("ResizeBicubic", floats(2, 4, 6, 3), ivec(*size), fixed=(1,), sizes="known", **mode)
    yield case("ResizeBilinear", ints(1, 4, 6, 3, low=0, high=255, dtype=np.uint8), ivec(8, 12), fixed=(1,))
    yield case("ResizeBilinear", floats(2, 4, 6, 3), ivec(8, 12), half_pixel_centers=True)
    yield case("ResizeNearestNeighbor", ints(1, 4, 6, 3, low=0, high=255, dtype=np.uint8), ivec(8, 12), fixed=(1,))
    yield case("ResizeNearestNeighbor", floats(2, 4, 6, 3), ivec(8, 10))
    yield case("DepthToSpace", floats(2, 3, 4, 12), block_size=2)
    crops = np.asarray([[0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1], [-0.2, 0.3, 1.3, 0.6]], F)
    yield case("CropAndResize", floats(2, 7, 9, 3), crops, ivec(0, 1, 1, 0), ivec(4, 5), fixed=(3,))
    yield case("CropAndResize", floats(2, 7, 9, 3), crops, ivec(0, 1, 1, 0), ivec(1, 5), extrapolation_value=2.5)
    yield case("CropAndResize", floats(2, 7, 9, 3), crops, ivec(0, 1, 1, 0), ivec(4, 5), method="nearest", sizes="")
    yield case("AdjustContrastv2", floats(2, 4, 5, 3), F(1.7))
    yield case("SpaceToDepth", floats(2, 6, 4, 3), block_size=2)
    yield case("SpaceToBatchND", floats(2, 6, 5, 3), ivec(2, 3), ivec((1, 1), (0, 1)), fixed=(1, 2))
    yield case("SpaceToBatchND", floats(2, 6, 4), ivec(2), ivec((0, 0)).reshape(1, 2), fixed=(1, 2))
    yield case("SpaceToBatch", floats(2, 6, 4, 3), ivec((0, 0), (0, 0)), block_size=2, fixed=(1,))
    yield case("BatchToSpaceND", floats(12, 3, 2, 3), ivec(2, 3), ivec((1, 0), (0, 2)), fixed=(1, 2))
    yield case("BatchToSpaceND", floats(12, 3, 2), ivec(3), ivec((0, 0)).reshape(1, 2), fixed=(1, 2))
    yield case("BatchToSpace", floats(8, 3, 2, 3), ivec((1, 0), (0, 1)), block_size=2, fixed=(1,))
    corners = floats(20, 2, low=0, high=0.7)
    boxes = np.concatenate([corners, corners + floats(20, 2, seed=1, low=0.05, high=0.3)], 1)
    scores = floats(20, seed=2, low=0, high=1)
    yield case("NonMaxSuppression", boxes, scores, N(7), iou_threshold=0.3)
    yield case("NonMaxSuppressionV2", boxes, scores, N(7), F(0.3))
    yield case("NonMaxSuppressionV3", boxes, scores, N(20), F(0.3), F(0.4))
    yield case("NonMaxSuppressionV3", boxes[:, [2, 1, 0, 3]], scores, N(20), F(0.3), F(0.4))
    for padded in (True, False):
        yield case(
            "NonMaxSuppressionV5", boxes, scores, N(20), F(0.3), F(0.4), F(0), fixed=(5,), pad_to_max_output_size=padded
        )
        yield case("NonMaxSuppressionV4", boxes, scores, N(20), F(0.3), F(0.4), pad_to_max_output_size=padded)


CASES: list[Case] = [*shapes(), *cuts(), *indices(), *reductions(), *images()]
