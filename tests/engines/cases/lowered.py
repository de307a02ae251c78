"""Cases for the lowerings to ONNX: one table, grouped by family. See test_onnxruntime_lowerings.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, F, L, N, floats, ints, ivec

NAN, INF = float("nan"), float("inf")


def case(
    op: str,
    *inputs: Any,
    fixed: tuple[int, ...] = (),
    sizes: str = "any",
    outputs: tuple[int, ...] | None = None,
    tolerance: float = 2e-6,
    **attrs: Any,
) -> Case:
    """A case that must be lowered however little is known of sizes, unless `sizes` says otherwise."""
    return Case(op, tuple(np.asarray(x) for x in inputs), attrs, tolerance, outputs, fixed, sizes)


SPECIAL = np.asarray([0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-20, 1e20, INF, -INF, NAN, 3e38], F)


def elementwise() -> Iterator[Case]:
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


def convolutions() -> Iterator[Case]:
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


def pools() -> Iterator[Case]:
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


def norms() -> Iterator[Case]:
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


def products() -> Iterator[Case]:
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


CASES: list[Case] = [*elementwise(), *convolutions(), *pools(), *norms(), *products()]
