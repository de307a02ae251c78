"""Cases for the lowerings to ONNX: one table, grouped by family. See test_onnxruntime_lowerings.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of

Array = np.ndarray[Any, Any]
NAN, INF = float("nan"), float("inf")
F, N, L = np.float32, np.int32, np.int64


@dataclass(frozen=True)
class Lowered:
    """One op on given inputs. `fixed`: inputs that are constants; `sizes`: how much must be known for a lowering;
    `outputs`: those that are asked for (None: all); `tolerance`: relative to the largest magnitude."""

    op: str
    inputs: tuple[Array, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    fixed: tuple[int, ...] = ()
    sizes: str = "any"
    outputs: tuple[int, ...] | None = None
    tolerance: float = 2e-6


def case(
    op: str,
    *inputs: Any,
    fixed: tuple[int, ...] = (),
    sizes: str = "any",
    outputs: tuple[int, ...] | None = None,
    tolerance: float = 2e-6,
    **attrs: Any,
) -> Lowered:
    return Lowered(op, tuple(np.asarray(x) for x in inputs), attrs, fixed, sizes, outputs, tolerance)


def floats(*shape: int, seed: int = 0, low: float = -2, high: float = 2, dtype: Any = F) -> Array:
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(dtype)


def ints(*shape: int, seed: int = 0, low: int = -9, high: int = 9, dtype: Any = N) -> Array:
    return np.random.default_rng([seed, *shape]).integers(low, high, shape).astype(dtype)


def ivec(*values: Any, dtype: Any = N) -> Array:
    return np.asarray(values, dtype)


SPECIAL = np.asarray([0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-20, 1e20, INF, -INF, NAN, 3e38], F)


def elementwise() -> Iterator[Lowered]:
    plain = floats(3, 4)
    for op in [
        "Abs",
        "Atan",
        "Ceil",
        "Cos",
        "Cosh",
        "Elu",
        "Erf",
        "Erfc",
        "Exp",
        "Expm1",
        "Floor",
        "Neg",
        "Relu",
        "Relu6",
        "Rint",
        "Round",
        "Selu",
        "Sigmoid",
        "Sign",
        "Sin",
    ]:
        yield case(op, plain)
    for op in [
        "Sinh",
        "Softplus",
        "Softsign",
        "Square",
        "Tan",
        "Tanh",
        "Asinh",
        "LeakyRelu",
        "IsFinite",
        "IsInf",
        "IsNan",
    ]:
        yield case(op, plain)
    for op in [
        "Abs",
        "Ceil",
        "Floor",
        "Neg",
        "Rint",
        "Round",
        "Sign",
        "Square",
        "IsFinite",
        "IsInf",
        "IsNan",
        "Relu",
        "Relu6",
        "Sigmoid",
        "Tanh",
        "Exp",
        "Erf",
        "Sqrt",
    ]:
        yield case(op, SPECIAL)
    for op in ("Acos", "Asin", "Atanh"):
        yield case(op, floats(3, 4, low=-0.99, high=0.99))
    yield case("Acosh", floats(3, 4, low=1, high=9))
    for op in ("Log", "Sqrt", "Rsqrt", "Reciprocal", "Inv"):
        yield case(op, floats(3, 4, low=0.01, high=9))
    yield case("Log1p", floats(3, 4, low=-0.9, high=9))
    yield case("Log1p", floats(8, low=-1e-6, high=1e-6))
    yield case("Expm1", floats(8, low=-1e-6, high=1e-6))
    yield case("Expm1", np.asarray([-300, -60, -20, 0, 20, 80], F))
    yield case("LeakyRelu", plain, alpha=0.3)
    for kind in (N, L, np.float64):
        for op in ("Abs", "Neg", "Sign", "Square"):
            yield case(op, ints(7, dtype=kind))
        if kind is not np.float64:  # TensorFlow's kernel gives zeros
            yield case("Round", ints(7, dtype=kind), sizes="")
    yield case("Softplus", np.asarray([-100, -30, -1, 0, 1, 30, 100], F))
    yield case("LogicalNot", np.asarray([True, False]))
    yield case("Invert", ints(7))
    for axes in ((2, 3), (2, 3, 5)):
        yield case("Softmax", floats(*axes), tolerance=1e-6)
        yield case("LogSoftmax", floats(*axes))
    yield case("Softmax", np.asarray([[1000.0, 1001, 999]], F))
    pairs = [
        (floats(3, 4), floats(3, 4, seed=1)),
        (floats(3, 4), floats(4)),
        (floats(3, 1), floats(1, 4)),
        (floats(2, 3), F(0.5)),
    ]
    for op in [
        "Add",
        "AddV2",
        "Sub",
        "Mul",
        "Div",
        "RealDiv",
        "Maximum",
        "Minimum",
        "SquaredDifference",
        "FloorDiv",
        "FloorMod",
        "Mod",
        "TruncateMod",
    ]:
        for x, y in pairs:
            yield case(op, x, y, sizes="any")
    for op in ["Atan2", "DivNoNan", "MulNoNan", "Xdivy"]:
        for x, y in pairs:
            yield case(op, x, y)
    grid = np.asarray(list(itertools.product([0.0, -0.0, 1, -1, 2.5], [0.0, -0.0, 1, -1, -3.5])), F)
    yield case("Atan2", grid[:, 0], grid[:, 1])
    for op in ("DivNoNan", "MulNoNan", "Xdivy"):
        yield case(op, np.asarray([0, 1, 0, 2, INF, NAN], F), np.asarray([0, 0, 3, 4, 0, 0], F))
    yield case("Xlogy", np.asarray([0, 1, 2.5], F), np.asarray([0, 3, 0.2], F))
    yield case("Xlog1py", np.asarray([0, 1, 2.5], F), np.asarray([-1, 3, 0.2], F))
    yield case("Pow", floats(3, 4, low=0.1), floats(4, seed=3))
    yield case("Pow", np.asarray([-2, -1, 0, 3], F), np.asarray([2, 3, 0, 0.5], F))
    yield case("Pow", ints(3, low=0), ints(3, low=0, high=3), sizes="")
    for op in ["Add", "Sub", "Mul", "Maximum", "Minimum", "SquaredDifference"]:
        for kind in (N, L):
            yield case(op, ints(3, 4, dtype=kind), ints(4, seed=2, dtype=kind))
    for op in ["Div", "FloorDiv", "FloorMod", "Mod", "TruncateDiv", "TruncateMod"]:
        for kind in (N, L):
            yield case(op, ints(12, dtype=kind), ivec(4, dtype=kind), fixed=(1,))
        yield case(op, ints(12), ivec(*([3, 5] * 6)), sizes="")
    yield case("FloorMod", ints(12), ivec(-4), fixed=(1,))
    yield case("TruncateDiv", ints(12), ivec(-4), fixed=(1,))
    yield case("FloorDiv", ints(12), ivec(-4), fixed=(1,), sizes="")
    for op in ["Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"]:
        yield case(op, ints(3, 4), ints(4, seed=5))
        yield case(op, np.round(floats(3, 4)), np.round(floats(4, seed=5)))
    yield case("Equal", np.asarray([True, False]), np.asarray([True, True]))
    yield case("NotEqual", SPECIAL, SPECIAL)
    yield case("ApproximateEqual", floats(5), floats(5) + F(1e-6))
    for op in ("LogicalAnd", "LogicalOr"):
        yield case(op, np.asarray([[True], [False]]), np.asarray([True, False]))
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        yield case(op, ints(7, low=0), ints(7, seed=1, low=0))
    unsigned = np.asarray([1, 7, 200], np.uint8)
    yield case("LeftShift", unsigned, np.asarray([1, 2, 3], np.uint8), fixed=(1,))
    yield case("RightShift", unsigned, np.asarray([1, 2, 3], np.uint8), fixed=(1,))
    yield case("RightShift", ints(3), ivec(1, 2, 3), fixed=(1,), sizes="")
    flags = np.asarray([[True, False, True], [False, False, True]])
    yield case("Select", flags, floats(2, 3), floats(2, 3, seed=1))
    yield case("Select", flags[:, 0], floats(2, 3), floats(2, 3, seed=1))
    yield case("Select", np.asarray(True), floats(2, 3), floats(2, 3, seed=1))
    yield case("SelectV2", flags, floats(3), floats(2, 1, seed=1))
    yield case("SelectV2", flags, ints(2, 3), ivec(7))
    yield case("ClipByValue", floats(3, 4), F(-1), F(0.5))
    yield case("ClipByValue", floats(3, 4), floats(3, 4, seed=7, low=-1, high=0), floats(3, 4, seed=8, low=0, high=1))
    yield case("AddN", floats(3, 4), floats(3, 4, seed=1), floats(3, 4, seed=2))
    yield case("AddN", ints(3, 4), ints(3, 4, seed=1))
    for source, target in itertools.product((F, np.float64, N, L, np.uint8, np.bool_), repeat=2):
        values = np.asarray([0, 1, 2, 7, 100]).astype(source)
        allowed = not (np.issubdtype(source, np.floating) and target is np.uint8)
        yield case("Cast", values, DstT=dtype_of(target), sizes="any" if allowed else "")
    yield case("Cast", np.asarray([-1.5, 1.5, 2.99, -0.5], F), DstT=dtype_of("int32"))
    yield case("Cast", np.asarray([-1.5, 0, NAN, -0.5], F), DstT=dtype_of("bool"))
    yield case("Cast", np.asarray([-1, 300, 70000, 2**31 - 1], N), DstT=dtype_of("uint8"))
    yield case("Cast", np.asarray([-1.0, 1e10], np.float64), DstT=dtype_of("float16"))


def convolutions() -> Iterator[Lowered]:
    x = floats(2, 7, 9, 4)
    for padding, stride, dilation in itertools.product(("SAME", "VALID"), (1, 2), (1, 2)):
        known = padding == "SAME" and stride == 2 and dilation == 2
        common = {"padding": padding, "strides": [1, stride, stride, 1], "dilations": [1, dilation, dilation, 1]}
        sizes = "known" if known else "any"
        yield case("Conv2D", x, floats(3, 2, 4, 6, seed=1), fixed=(1,), sizes=sizes, **common)
        if stride == 1 or dilation == 1:
            yield case("DepthwiseConv2dNative", x, floats(3, 3, 4, 2, seed=1), fixed=(1,), sizes=sizes, **common)
    yield case("Conv2D", x, floats(1, 1, 4, 3, seed=1), fixed=(1,), strides=[1, 3, 3, 1], padding="SAME")
    yield case("Conv2D", x, floats(3, 3, 4, 6, seed=1), strides=[1, 1, 1, 1], padding="SAME", sizes="known")
    yield case("Conv2D", x, floats(3, 3, 2, 6, seed=1), fixed=(1,), strides=[1, 1, 1, 1], padding="SAME", sizes="known")
    yield case(
        "Conv2D",
        x,
        floats(3, 3, 4, 6, seed=1),
        fixed=(1,),
        strides=[1, 2, 1, 1],
        padding="EXPLICIT",
        explicit_paddings=[0, 0, 1, 2, 0, 3, 0, 0],
    )
    yield case(
        "Conv2D",
        x.astype(np.float64),
        floats(3, 3, 4, 6, dtype=np.float64),
        fixed=(1,),
        strides=[1, 1, 1, 1],
        padding="SAME",
        sizes="",
    )
    yield case(
        "Conv3D", floats(2, 5, 6, 7, 3), floats(2, 3, 2, 3, 4), fixed=(1,), strides=[1, 1, 2, 1, 1], padding="SAME"
    )
    yield case(
        "Conv3D", floats(2, 5, 6, 7, 3), floats(2, 3, 2, 3, 4), fixed=(1,), strides=[1, 1, 1, 1, 1], padding="VALID"
    )
    for padding, stride, rows in (
        ("SAME", 2, 7),
        ("SAME", 2, 8),
        ("SAME", 1, 4),
        ("SAME", 3, 11),
        ("VALID", 2, 9),
        ("VALID", 2, 10),
        ("VALID", 1, 6),
    ):
        window = 3
        came = -(-rows // stride) if padding == "SAME" else (rows - window + stride) // stride
        for fixed in ((0, 1), (1,)):
            yield case(
                "Conv2DBackpropInput",
                ivec(2, rows, rows, 5),
                floats(window, window, 5, 4),
                floats(2, came, came, 4, seed=2),
                fixed=fixed,
                strides=[1, stride, stride, 1],
                padding=padding,
            )
    yield case(
        "Conv2DBackpropInput",
        ivec(1, 4, 4, 2),
        floats(1, 1, 2, 3),
        floats(1, 2, 2, 3),
        fixed=(0, 1),
        strides=[1, 2, 2, 1],
        padding="SAME",
    )
    yield case(
        "Conv2DBackpropInput",
        ivec(1, 4, 4, 2),
        floats(1, 1, 2, 3),
        floats(1, 2, 2, 3),
        fixed=(1,),
        strides=[1, 2, 2, 1],
        padding="SAME",
    )
    yield case(
        "Conv3DBackpropInputV2",
        ivec(1, 6, 4, 8, 2),
        floats(3, 3, 3, 2, 3),
        floats(1, 3, 2, 4, 3),
        fixed=(0, 1),
        strides=[1, 2, 2, 2, 1],
        padding="SAME",
    )


def pools() -> Iterator[Lowered]:
    x = floats(2, 7, 9, 3)
    for op, padding, (window, stride) in itertools.product(
        ("AvgPool", "MaxPool"), ("SAME", "VALID"), ((2, 2), (3, 1), (3, 2))
    ):
        yield case(op, x, ksize=[1, window, window, 1], strides=[1, stride, stride, 1], padding=padding)
    yield case(
        "MaxPool",
        x,
        ksize=[1, 3, 3, 1],
        strides=[1, 2, 2, 1],
        padding="EXPLICIT",
        explicit_paddings=[0, 0, 1, 1, 2, 0, 0, 0],
    )
    yield case("MaxPoolV2", x, ivec(1, 2, 3, 1), ivec(1, 2, 1, 1), fixed=(1, 2), padding="SAME")
    yield case("AvgPool", x, ksize=[1, 1, 1, 3], strides=[1, 1, 1, 3], padding="VALID", sizes="")
    y = floats(2, 5, 6, 7, 3)
    for op, padding in itertools.product(("AvgPool3D", "MaxPool3D"), ("SAME", "VALID")):
        yield case(op, y, ksize=[1, 2, 3, 2, 1], strides=[1, 2, 1, 2, 1], padding=padding)
    for padding, batch in itertools.product(("SAME", "VALID"), (True, False)):
        yield case(
            "MaxPoolWithArgmax",
            x,
            ksize=[1, 3, 2, 1],
            strides=[1, 2, 2, 1],
            padding=padding,
            include_batch_in_index=batch,
            sizes="known",
        )


def norms() -> Iterator[Lowered]:
    x = floats(2, 4, 5, 3)
    scale, offset, mean = floats(3, seed=1), floats(3, seed=2), floats(3, seed=3)
    variance = floats(3, seed=4, low=0.2)
    for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
        yield case(
            op,
            x,
            scale,
            offset,
            mean,
            variance,
            is_training=False,
            epsilon=0.001,
            fixed=(1, 2, 3, 4),
            outputs=(0, 1, 2),
        )
        yield case(op, x, scale, offset, mean, variance, is_training=False, outputs=(0,))
        yield case(op, x, scale, offset, F([]), F([]), is_training=True, epsilon=0.01, outputs=(0, 1, 2))
    yield case(
        "FusedBatchNormV3",
        x,
        scale,
        offset,
        mean,
        variance,
        is_training=True,
        exponential_avg_factor=0.9,
        outputs=(0, 1, 2),
    )
    yield case("LRN", floats(2, 3, 4, 9), depth_radius=2, bias=1.5, alpha=0.1, beta=0.75)
    yield case("LRN", floats(2, 3, 4, 9))
    yield case("L2Loss", floats(3, 4))


def products() -> Iterator[Lowered]:
    for a, b in itertools.product((False, True), repeat=2):
        yield case(
            "MatMul",
            floats(4, 3) if a else floats(3, 4),
            floats(5, 4) if b else floats(4, 5),
            transpose_a=a,
            transpose_b=b,
        )
        for op in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"):
            x = floats(2, 4, 3) if a else floats(2, 3, 4)
            more = {"Tout": dtype_of("float32")} if op == "BatchMatMulV3" else {}
            yield case(op, x, floats(2, 5, 4) if b else floats(2, 4, 5), adj_x=a, adj_y=b, **more)
    yield case("BatchMatMulV2", floats(3, 1, 2, 4), floats(5, 4, 2))
    yield case("MatMul", ints(3, 4), ints(4, 2))
    yield case("Einsum", floats(2, 3, 4), floats(4, 5), equation="abc,cd->abd")
    yield case("Einsum", floats(2, 3, 4), floats(2, 5, 4), equation="bqd,bkd->bqk")
    yield case("Einsum", floats(2, 3, 4), floats(4, 5, 6), equation="abc,cde->abde")
    yield case("Einsum", floats(2, 3, 4), equation="abc->cab")
    yield case("Einsum", floats(2, 3, 4), floats(2, 4, 5), equation="...ij,...jk->...ik")
    yield case("Einsum", floats(3, 3), equation="ii->i", sizes="")
    yield case("BiasAdd", floats(2, 3, 4), floats(4))
    yield case("BiasAdd", floats(2, 3, 4, 5), floats(3), data_format="NCHW")
    yield case("BiasAddV1", floats(2, 4), floats(4))


def shapes() -> Iterator[Lowered]:
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


def cuts() -> Iterator[Lowered]:
    x = floats(4, 5, 6)
    full = {"begin": (0, 0, 0), "end": (4, 5, 6), "strides": (1, 1, 1)}

    def strided(
        value: Array = x, free: bool = True, fixed: tuple[int, ...] = (1, 2, 3), sizes: str = "any", **said: Any
    ) -> Lowered:
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


def indices() -> Iterator[Lowered]:
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
    yield case("Unique", np.asarray([3, 1, 3, 2, 1], F))
    yield case("Unique", ivec(3, 1, 3, 2, 1, dtype=L), out_idx=dtype_of("int64"))
    yield case("UniqueWithCounts", np.asarray([3, 1, 3, 2, 1], F))
    for lower, upper in ((0, 0), (1, -1), (-1, 0), (1, 2), (-1, -1)):
        yield case("MatrixBandPart", floats(2, 4, 5), L(lower), L(upper), fixed=(1, 2))
    yield case("UnsortedSegmentSum", floats(5, 3), ivec(1, 0, 3, 1, -1), N(4), fixed=(2,))
    yield case("UnsortedSegmentSum", floats(5), ivec(1, 0, 3, 1, 2), N(6), fixed=(2,))


def reductions() -> Iterator[Lowered]:
    x = floats(3, 4, 5)
    for op, axes, keep in itertools.product(
        ("Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm"), ((0, 2), (-1,), (0, 1, 2), ()), (True, False)
    ):
        yield case(op, x, ivec(*axes), keep_dims=keep, fixed=(1,))
    for op in ("Sum", "Max", "Min", "Prod"):
        for kind in (N, L):
            yield case(op, ints(3, 4, dtype=kind), N(1), fixed=(1,))
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
    yield case("InTopKV2", floats(4, 5), ivec(1, 4, 0, 2), N(2))
    yield case("InTopKV2", np.asarray([[1, INF, 2], [1, 3, 3]], F), ivec(1, 2), N(1))
    for axis, exclusive, reverse in itertools.product((0, -1), (False, True), (False, True)):
        yield case("Cumsum", x, N(axis), exclusive=exclusive, reverse=reverse)
    yield case("Cumsum", ints(3, 4, dtype=L), N(1), fixed=(1,))


def images() -> Iterator[Lowered]:
    modes = ({}, {"align_corners": True}, {"half_pixel_centers": True})
    for size, mode in itertools.product(((8, 12), (5, 9), (2, 3), (4, 6), (11, 7), (1, 1)), modes):
        open_ = "known" if mode.get("align_corners") else "any"
        yield case("ResizeBilinear", floats(2, 4, 6, 3), ivec(*size), fixed=(1,), **mode)
        yield case("ResizeNearestNeighbor", floats(2, 4, 6, 3), ivec(*size), fixed=(1,), sizes=open_, **mode)
    yield case("ResizeBilinear", ints(1, 4, 6, 3, low=0, high=255, dtype=np.uint8), ivec(8, 12), fixed=(1,))
    yield case("ResizeBilinear", floats(2, 4, 6, 3), ivec(8, 12), half_pixel_centers=True)
    yield case("ResizeNearestNeighbor", ints(1, 4, 6, 3, low=0, high=255, dtype=np.uint8), ivec(8, 12), fixed=(1,))
    yield case("ResizeNearestNeighbor", floats(2, 4, 6, 3), ivec(8, 10))
    yield case("DepthToSpace", floats(2, 3, 4, 12), block_size=2)
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
        yield case("NonMaxSuppressionV4", boxes, scores, N(20), F(0.3), F(0.4), pad_to_max_output_size=padded)


CASES: list[Lowered] = [
    *elementwise(),
    *convolutions(),
    *pools(),
    *norms(),
    *products(),
    *shapes(),
    *cuts(),
    *indices(),
    *reductions(),
    *images(),
]
