"""Further cases for the reference engine: what no other engine takes, and dtypes that only it has."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np

from tests.support.op_cases import Case, F, L, N, case, floats, ints, ivec

BF = ml_dtypes.bfloat16


def rows(*values: list[int]) -> np.ndarray:
    return np.array(values, N)


def integers() -> Iterator[Case]:
    """Signs, wrapping and division."""
    for dtype in (np.int32, np.int64, np.int8, np.int16):
        a, b = ints(4, 5, seed=1, low=-100, high=100, dtype=dtype), ints(4, 5, seed=2, low=1, high=7, dtype=dtype)
        b = b * np.where(np.arange(5) % 2, 1, -1).astype(dtype)
        for op in ("FloorDiv", "FloorMod", "TruncateDiv", "Add", "Sub", "Mul", "Maximum", "Minimum"):
            yield case(op, a, b)
    for dtype in (np.int32, np.int64):
        a, b = ints(3, 4, seed=1, dtype=dtype), ints(3, 4, seed=2, low=1, high=7, dtype=dtype)
        for op in ("Mod", "TruncateMod", "SquaredDifference", "Pow"):
            yield case(op, a, b)
    for dtype in (np.uint8, np.int32, np.uint32, np.int64):
        a, b = ints(9, seed=3, low=0, high=100, dtype=dtype), ints(9, seed=4, low=0, high=7, dtype=dtype)
        for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift"):
            yield case(op, a, b)
        yield case("Invert", a)
        yield case("PopulationCount", a)


def narrow() -> Iterator[Case]:
    """float16 and bfloat16, computed wide and rounded once."""
    for dtype in (np.float16, BF):
        a, b = floats(3, 4, seed=1, dtype=dtype), floats(3, 4, seed=2, dtype=dtype)
        for op in ("AddV2", "Sub", "Mul", "RealDiv", "Maximum", "SquaredDifference"):
            yield case(op, a, b)
        for op in ("Abs", "Neg", "Exp", "Tanh", "Sigmoid", "Relu", "Relu6", "Elu", "Square", "Floor"):
            yield case(op, a)
        yield case("MatMul", a, b, transpose_b=True)
        yield case("Sum", a, ivec(1))
        yield case("Mean", a, ivec(0))
        yield case("Max", a, ivec(0))
        yield case("Softmax", a)
        yield case("Conv2D", floats(1, 6, 6, 2, dtype=dtype), floats(3, 3, 2, 4, seed=1, dtype=dtype),
                   strides=[1, 1, 1, 1], padding="SAME")  # fmt: skip


def casts() -> Iterator[Case]:
    values = np.array([0, 1.5, -1.5, 2.5, 300.7, -300.7, 7e4, 3e9, -3e9, 1e19, np.nan, np.inf, -np.inf], F)
    for target in (1, 2, 3, 5, 6, 9, 10, 14, 19):
        yield _cast(values, target)
    for target in (1, 2, 3, 4, 6, 9, 10, 17, 22, 23):
        yield _cast(ints(3, 4, low=-100, high=1000), target)
        yield _cast(np.array([True, False]), target)
    yield _cast(np.array([1 + 2j, -3j], np.complex64), 1)
    yield _cast(np.array([1, -2], F), 8)


def _cast(values: np.ndarray, target: int) -> Case:
    from cryograph.base.dtypes import DTYPES

    return case("Cast", values, DstT=DTYPES[target])


def arrays() -> Iterator[Case]:
    x = floats(3, 4, 5)
    yield case("StridedSlice", x, ivec(-1, 4, 0), ivec(-9, -9, 5), ivec(-1, -2, 2))
    yield case("StridedSlice", x, ivec(0, 1), ivec(0, 2), ivec(1, 1), ellipsis_mask=1, shrink_axis_mask=2)
    yield case(
        "StridedSlice", x, ivec(0, 0, 2), ivec(0, 0, 3), ivec(1, 1, 1), new_axis_mask=1, begin_mask=2, end_mask=2
    )
    yield case("GatherV2", x, rows([0, 3], [1, 1], [2, 0]), ivec(1).reshape(()), batch_dims=1)
    yield case("GatherNd", x, rows([0, 1], [2, 3]))
    yield case("GatherNd", x, np.zeros((2, 0), N))
    yield case("ScatterNd", rows([1], [1], [3]), floats(3, 2), ivec(5, 2))
    for op in ("TensorScatterAdd", "TensorScatterSub", "TensorScatterUpdate", "TensorScatterMax", "TensorScatterMin"):
        yield case(op, floats(5, 2), rows([1], [4]), floats(2, 2, seed=3))
    for exclusive in (False, True):
        for reverse in (False, True):
            yield case("Cumsum", x, ivec(1).reshape(()), exclusive=exclusive, reverse=reverse)
            yield case("Cumprod", x, ivec(-1).reshape(()), exclusive=exclusive, reverse=reverse)
    yield case("Unique", ivec(3, 1, 3, 2, 1), out_idx=_int32())
    yield case("UniqueWithCounts", ivec(3, 1, 3, 2, 1), out_idx=_int32())
    yield case("InvertPermutation", ivec(2, 0, 1))
    yield case("DynamicPartition", floats(6, 2), ivec(0, 1, 0, 2, 1, 1), num_partitions=3)
    yield case("MatrixBandPart", floats(2, 4, 5), ivec(1).reshape(()), ivec(-1).reshape(()))
    yield case("MatrixDiag", floats(2, 3))
    yield case("MatrixDiagPart", floats(2, 3, 4))
    yield case("Diag", floats(3))
    yield case("DiagPart", floats(3, 3))
    yield case("ReverseSequence", floats(3, 4, 2), ivec(1, 4, 2, dtype=L), seq_dim=1, batch_dim=0)
    yield case("Roll", x, ivec(1, -2), ivec(0, 2))
    yield case("Where", np.array([[True, False], [False, True]]))
    yield case("Pad", np.array([[b"a", b"b"]], object), rows([1, 0], [0, 1]))
    yield case("BroadcastArgs", ivec(1, 3), ivec(2, 1, 3))
    yield case("SpaceToBatchND", floats(2, 4, 6, 3), ivec(2, 3), rows([0, 0], [0, 0]))
    yield case("BatchToSpaceND", floats(12, 2, 2, 3), ivec(2, 3), rows([0, 1], [1, 0]))
    yield case("LinSpace", F(1), F(5), N(7))
    yield case("Range", F(0), F(1), F(0.3))
    yield case("Range", N(10), N(1), N(-3))
    yield case("TopKV2", ivec([3, 1, 3, 2], [0, -5, 7, 7]), N(3))
    yield case("TopKV2", floats(4, 9), N(9))
    yield case("InTopKV2", floats(4, 5), ivec(0, 3, 4, 1), N(2))


def _int32() -> object:
    from cryograph.base.dtypes import INT32

    return INT32


def reductions() -> Iterator[Case]:
    x = floats(3, 4, 5)
    for op in ("Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm"):
        yield case(op, x, ivec(0, -1))
        yield case(op, x, ivec(1), keep_dims=True)
        yield case(op, ints(3, 4), ivec(1))
        yield case(op, x, np.zeros((0,), N))
        yield case(op, np.zeros((0, 3), F), ivec(0))
    for op in ("SegmentSum", "SegmentMean", "SegmentMax", "SegmentMin", "SegmentProd"):
        yield case(op, floats(5, 2), ivec(0, 0, 2, 2, 3))
    for op in ("UnsortedSegmentSum", "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd"):
        yield case(op, floats(5, 2), ivec(3, 0, 0, -1, 1), N(5))
    yield case("SparseSoftmaxCrossEntropyWithLogits", floats(4, 6), ivec(0, 5, 2, 2))
    yield case("SoftmaxCrossEntropyWithLogits", floats(4, 6), np.eye(4, 6, dtype=F))
    yield case("L2Loss", floats(4, 6))
    yield case("Bincount", ivec(1, 1, 3, 7), N(5), np.zeros((0,), F))


def functions() -> Iterator[Case]:
    x = np.linspace(-4.3, 4.1, 41).astype(F)
    for op in (
        "Erf",
        "Erfc",
        "Lgamma",
        "Digamma",
        "Expm1",
        "Log1p",
        "Softplus",
        "Softsign",
        "Selu",
        "Elu",
        "Sign",
        "Round",
    ):
        yield case(op, x, tolerance=1e-5 if op in ("Digamma", "Lgamma", "Log1p") else 2e-6)
    for op in ("Xlogy", "Xdivy", "DivNoNan", "MulNoNan", "Xlog1py"):
        yield case(op, floats(9, low=0), np.array([0, 1, 2, 0, 4, 0.5, 0, 3, 1], F))
    yield case("NextAfter", floats(5), floats(5, seed=1))
    yield case("Bitcast", floats(3, 2), type=_int32())
    yield case("ApproximateEqual", floats(5), floats(5) + F(1e-6))


def spectra() -> Iterator[Case]:
    c = (floats(2, 8) + 1j * floats(2, 8, seed=1)).astype(np.complex64)
    for op in ("FFT", "IFFT", "FFT2D", "IFFT2D"):
        yield case(op, c, tolerance=1e-5)
    yield case("RFFT", floats(2, 8), ivec(8), tolerance=1e-5)
    yield case("RFFT", floats(2, 8), ivec(6), tolerance=1e-5)
    yield case("IRFFT", c[:, :5], ivec(8), tolerance=1e-5)


def images() -> Iterator[Case]:
    x = floats(2, 7, 5, 3, low=0, high=255)
    for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"):
        for size in (ivec(14, 11), ivec(3, 4), ivec(7, 5)):
            yield case(op, x, size)
            yield case(op, x, size, align_corners=True)
            yield case(op, x, size, half_pixel_centers=True)
    yield case("ResizeArea", x, ivec(3, 4), tolerance=1e-5)
    yield case("ResizeBilinear", ints(1, 4, 4, 3, low=0, high=255, dtype=np.uint8), ivec(9, 2))
    boxes = np.array([[0, 0, 1, 1], [0.2, 0.1, 0.9, 1.2], [0.9, 0.8, 0.1, 0.2]], F)
    for method in ("bilinear", "nearest"):
        yield case("CropAndResize", x, boxes, ivec(0, 1, 0), ivec(4, 3), method=method, extrapolation_value=-1.0)
    yield case("AdjustContrastv2", x, F(1.3), tolerance=1e-5)
    yield case("RGBToHSV", floats(4, 3, low=0, high=1))
    yield case("HSVToRGB", floats(4, 3, low=0, high=1))


def windows() -> Iterator[Case]:
    x = floats(2, 9, 8, 4)
    ones = [1, 1, 1, 1]
    for padding in ("SAME", "VALID"):
        for stride, dilation in ((1, 1), (2, 1), (3, 1), (1, 2)):
            s, d = [1, stride, stride, 1], [1, dilation, dilation, 1]
            yield case("Conv2D", x, floats(3, 2, 4, 6), strides=s, padding=padding, dilations=d)
            yield case("Conv2D", x, floats(3, 3, 2, 6), strides=s, padding=padding, dilations=d)
            yield case("DepthwiseConv2dNative", x, floats(3, 3, 4, 2), strides=s, padding=padding, dilations=d)
        for k, stride in ((2, 2), (3, 1), (3, 2)):
            kw = {"ksize": [1, k, k, 1], "strides": [1, stride, stride, 1], "padding": padding}
            yield case("MaxPool", x, **kw)
            yield case("AvgPool", x, **kw)
            yield case("MaxPoolWithArgmax", x, **kw)
        yield case("Conv3D", floats(1, 5, 6, 7, 2), floats(2, 3, 3, 2, 3), strides=[1, 1, 2, 1, 1], padding=padding)
        yield case("AvgPool3D", floats(1, 5, 6, 7, 2), ksize=[1, 2, 2, 3, 1], strides=[1, 2, 2, 2, 1], padding=padding)
        yield case("MaxPool3D", floats(1, 5, 6, 7, 2), ksize=[1, 2, 2, 3, 1], strides=[1, 2, 2, 2, 1], padding=padding)
    yield case(
        "Conv2D", x, floats(3, 3, 4, 2), strides=ones, padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 0, 3, 0, 0]
    )
    yield case(
        "Conv2DBackpropInput",
        ivec(2, 9, 8, 4),
        floats(3, 3, 4, 5),
        floats(2, 5, 4, 5),
        strides=[1, 2, 2, 1],
        padding="SAME",
    )
    yield case(
        "Conv2DBackpropInput", ivec(2, 9, 8, 4), floats(3, 3, 4, 5), floats(2, 7, 6, 5), strides=ones, padding="VALID"
    )
    for training in (True, False):
        vectors = [floats(4, low=0.5, high=2, seed=i) for i in range(4)]
        for op in ("FusedBatchNorm", "FusedBatchNormV3"):
            given = vectors if not training else [*vectors[:2], np.zeros(0, F), np.zeros(0, F)]
            yield case(
                op,
                x,
                *given,
                epsilon=0.001,
                is_training=training,
                outputs=(0, 1, 2) if training else (0,),
                tolerance=1e-5,
            )
    yield case("LRN", x, depth_radius=2, bias=1.0, alpha=0.1, beta=0.75)


def _seeded() -> Iterator[Case]:
    from cryograph.base.dtypes import DTYPES

    for number in (1, 2, 14, 19):
        yield case("RandomUniform", ivec(5, 7), seed=87654321, seed2=42, dtype=DTYPES[number], tolerance=0.0)


CASES: list[Case] = [
    *integers(),
    *narrow(),
    *casts(),
    *arrays(),
    *reductions(),
    *functions(),
    *spectra(),
    *images(),
    *windows(),
    *_seeded(),
]
