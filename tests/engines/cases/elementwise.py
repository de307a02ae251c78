"""Cases of ops on single elements: every dtype that TensorFlow has a kernel for, plain and odd values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import (
    Array,
    Case,
    F,
    bools,
    case,
    complexes,
    floats,
    ivec,
    kernel_types,
    refusal,
    strings,
    values,
)

SPECIAL = [0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.3, 1e-3, -1e-3, 30, -30, np.inf, -np.inf, np.nan]

# Where the function is defined and does not blow up the comparison.
DOMAINS: dict[str, tuple[float, float]] = {
    "Acos": (-1, 1),
    "Acosh": (1, 9),
    "Asin": (-1, 1),
    "Atanh": (-0.95, 0.95),
    "Inv": (0.3, 3),
    "Log": (0.01, 9),
    "Log1p": (-0.9, 9),
    "Lgamma": (0.2, 20),
    "Digamma": (0.2, 20),
    "Reciprocal": (0.3, 3),
    "Rsqrt": (0.05, 9),
    "Sqrt": (0, 9),
    "Tan": (-1.4, 1.4),
}

UNARY = [
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Digamma", "Elu", "Erf", "Erfc"),
    *("Exp", "Expm1", "Floor", "Inv", "IsFinite", "IsInf", "IsNan", "LeakyRelu", "Lgamma", "Log", "Log1p", "Neg"),
    *("Reciprocal", "Relu", "Relu6", "Rint", "Round", "Rsqrt", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus"),
    *("Softsign", "Sqrt", "Square", "Tan", "Tanh", "Conj", "Invert", "PopulationCount", "OnesLike", "ZerosLike"),
]

# Far from 0 the CPU kernels of TensorFlow reduce the angle in float32, or saturate.
ROUGH: dict[str, float] = {"Lgamma": 1e-5, "Digamma": 1e-5}

BINARY = [
    *("Add", "AddV2", "Atan2", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "DivNoNan", "Equal", "FloorDiv"),
    *("FloorMod", "Greater", "GreaterEqual", "Less", "LessEqual", "Maximum", "Minimum", "Mod", "Mul", "MulNoNan"),
    *("NextAfter", "NotEqual", "Pow", "RealDiv", "SquaredDifference", "Sub", "TruncateDiv", "TruncateMod"),
    *("Xdivy", "Xlog1py", "Xlogy"),
]

WHOLE_DIVISION = ("Div", "FloorDiv", "FloorMod", "Mod", "TruncateDiv", "TruncateMod")


def types_of(op: str) -> list[str]:
    return kernel_types(op) or ["bool"]


def unary() -> Iterator[Case]:
    for op in UNARY:
        low, high = DOMAINS.get(op, (-3, 3))
        rough = ROUGH.get(op, 2e-6)
        for dtype in types_of(op):
            held = dtype_of(dtype)
            if held.is_floating:
                yield case(op, floats(3, 7, low=low, high=high, dtype=held.numpy), tolerance=rough)
                odd = np.array(SPECIAL, held.numpy)
                if op == "Erf" and dtype == "float64":
                    odd = odd[np.abs(odd) < 9]  # TensorFlow's erf of infinity is NaN
                yield case(op, odd, tolerance=max(rough, 3e-6))
            elif held.is_complex:
                yield case(op, complexes(3, 7, dtype=held.numpy), tolerance=5e-6)
            else:
                yield case(op, values(dtype, 3, 7, low=-100, high=100))
        yield case(op, values(types_of(op)[-1], 2, low=low, high=high)[1])
        yield case(op, values(types_of(op)[-1], 2, 0, 3))
    for alpha in (0.0, 0.1, 0.5, 1.5, -0.3):
        yield case("LeakyRelu", floats(3, 7), alpha=alpha)
    yield case("LogicalNot", bools(3, 4))
    for dtype in ("complex64", "complex128"):
        held = dtype_of(dtype).numpy
        real = dtype_of("float32" if dtype == "complex64" else "float64")
        for op in ("Real", "Imag", "Angle", "ComplexAbs"):
            yield case(op, complexes(3, 4, dtype=held), Tout=real)
        yield case("Complex", floats(3, 4, dtype=real.numpy), floats(4, seed=1, dtype=real.numpy), Tout=dtype_of(dtype))


def pair(dtype: str, op: str) -> tuple[Array, Array]:
    """Operands on which the op is defined."""
    held = dtype_of(dtype) if dtype != "string" else None
    a, b = values(dtype, 4, 5, seed=1), values(dtype, 4, 5, seed=2)
    if held is not None and held.is_integer:
        a = values(dtype, 4, 5, seed=1, low=-100, high=100)
        if op in WHOLE_DIVISION:
            b = np.where(b == 0, b.dtype.type(3), b)
        if op == "Pow":
            b = values(dtype, 4, 5, seed=2, low=0, high=5)
    if op == "Pow" and held is not None and held.is_floating:
        a = np.abs(a)
    if op in ("Xlog1py", "Xlogy") and held is not None and held.is_floating:
        b = np.abs(b)
    return a, b


def binary() -> Iterator[Case]:
    for op in BINARY:
        for dtype in types_of(op):
            a, b = pair(dtype, op)
            yield case(op, a, b, tolerance=5e-6 if "complex" in dtype else 2e-6)
            yield case(op, a, b[0])
        dtype = types_of(op)[0] if "float32" not in types_of(op) else "float32"
        a, b = pair(dtype, op)
        yield case(op, a[0, 0], b)
        yield case(op, a[:, :1], b[:1])
        yield case(op, a[0, 0], b[0, 0])
        yield case(op, a[:0], b[:0])
        if "float32" in types_of(op):
            for kind in sorted({"float16", "float32", "float64"} & set(types_of(op))):
                x, y = np.meshgrid(np.array(SPECIAL, kind), np.array(SPECIAL, kind))
                yield case(op, x, y)
    for op in ("LogicalAnd", "LogicalOr"):
        yield case(op, bools(3, 4), bools(4, seed=1))
    for op in ("LeftShift", "RightShift"):
        for dtype in kernel_types(op):
            size = 8 * np.dtype(dtype).itemsize
            yield case(op, values(dtype, 3, 4, low=-100, high=100), values(dtype, 3, 4, seed=1, low=0, high=size))
            yield case(op, values(dtype, 5, low=-100, high=100), values(dtype, 5, seed=1, low=-3, high=90))
    for op in ("Equal", "NotEqual"):
        yield case(op, floats(3), floats(2), incompatible_shape_error=False)
        yield case(op, floats(2, 3), floats(3), incompatible_shape_error=False)
        yield refusal(op, floats(3), floats(2))
        yield case(op, strings(b"a", b"b"), strings(b"a", b"c"))
    yield case("Add", strings(b"a", b"b"), strings([b"x"], [b"y"]))
    for op in ("AddV2", "Sub", "Mul"):
        for kind in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
            big = np.iinfo(kind).max
            yield case(op, np.array([big, big // 2, 7, 0], kind), np.array([big, 3, big // 3, 1], kind))
    yield case("Pow", ivec(-2, 0, 3), ivec(3, 0, 2))
    yield refusal("Pow", ivec(2, 2), ivec(3, -1))
    yield case("Pow", np.array([-2.0, -2.0, 0.0, 0.0], F), np.array([3, 0.5, 0, -1], F))
    for op in WHOLE_DIVISION:
        yield case(op, ivec(7, -7, 7, -7, 0), ivec(2, 2, -2, -2, 5))
        yield refusal(op, ivec(7, 1), ivec(2, 0))
        yield case(op, np.array([7.5, -7.5, 7.5, -7.5, 0], F), np.array([2, 2, -2, -2, 5], F))
        least = np.iinfo(np.int32).min
        yield case(op, ivec(least + 1, least, 2147483647), ivec(-1, 2, -2147483647))
    for dtype in kernel_types("ApproximateEqual"):
        a = values(dtype, 9, seed=1)
        b = (a + np.array([0, 1e-6, 1e-4, 2e-5, -1e-5, 1, 3, -2, 0])).astype(a.dtype)
        yield case("ApproximateEqual", a, b)


def special_functions() -> Iterator[Case]:
    for dtype in ("float32", "float64"):
        held = np.dtype(dtype)
        yield case("Erfinv", np.linspace(-0.99, 0.99, 41).astype(held))
        yield case("Erfinv", np.array([-1, 1, 0, 0.999, 2], held), tolerance=2e-5)
        yield case("Ndtri", np.linspace(0.01, 0.99, 41).astype(held))
        yield case("Ndtri", np.array([0, 1, 1e-30, 1e-7], held))
        a, x = np.meshgrid(np.array([0.1, 0.5, 1, 2.5, 9, 40], held), np.array([0, 0.1, 1, 2, 8, 30, 60], held))
        yield case("Igamma", a, x, tolerance=5e-6, sizes="known")
        yield case("Igammac", a, x, tolerance=5e-6, sizes="known")
        yield case(
            "Igamma", np.array([0, -1, 1, np.nan, 1], held), np.array([1, 1, -1, 1, np.inf], held), sizes="known"
        )
        s, q = np.meshgrid(np.array([1.5, 2, 3, 7.5], held), np.array([0.3, 1, 2.5, 30], held))
        yield case("Zeta", s, q, tolerance=5e-6, sizes="known")
        yield case("Zeta", np.array([1, 0.5, 2, 3], held), np.array([2, 2, 0, -1], held), sizes="known")
        n, q = np.meshgrid(np.array([0, 1, 2, 5], held), np.array([0.3, 1, 2.5, 30], held))
        yield case("Polygamma", n, q, tolerance=1e-5, sizes="known")


def several() -> Iterator[Case]:
    for dtype in kernel_types("AddN"):
        yield case("AddN", values(dtype, 2, 3), values(dtype, 2, 3, seed=1), values(dtype, 2, 3, seed=2))
    yield case("AddN", floats(3))
    yield case("AddN", *(floats(4, seed=i) for i in range(11)))
    yield refusal("AddN", floats(3), floats(2))
    for dtype in kernel_types("ClipByValue"):
        yield case("ClipByValue", values(dtype, 3, 4), values(dtype, 1)[0], values(dtype, 1)[0])
        if not dtype.startswith("complex"):
            low, high = np.array(2, values(dtype, 1).dtype), np.array(5, values(dtype, 1).dtype)
            yield case("ClipByValue", values(dtype, 3, 4), low, high)
            yield case("ClipByValue", values(dtype, 3, 4), np.full((3, 4), low), high)
            yield case("ClipByValue", values(dtype, 3, 4), low, np.full((3, 4), high))
    yield case("ClipByValue", np.array(SPECIAL, F), F(-1), F(2))
    for op in ("Select", "SelectV2"):
        for dtype in kernel_types(op):
            yield case(op, bools(3, 4), values(dtype, 3, 4), values(dtype, 3, 4, seed=1))
        yield case(op, np.array(True), floats(3), floats(3, seed=1))
        yield case(op, np.array(False), floats(2, 3), floats(2, 3, seed=1))
    yield case("Select", bools(3), floats(3, 4, 2), floats(3, 4, 2, seed=1))
    yield refusal("Select", bools(3, 4), floats(3, 4, 2), floats(3, 4, 2, seed=1))
    yield refusal("Select", bools(4), floats(3, 4), floats(3, 4, seed=1))
    yield case("SelectV2", bools(4), floats(3, 4), floats(3, 1, seed=1))
    yield case("SelectV2", bools(3, 1), floats(4), floats(1, seed=1)[0])
    yield case("SelectV2", bools(2, 3, 1), floats(4), floats(3, 4, seed=1))


def gradients() -> Iterator[Case]:
    for op in ("ReluGrad", "Relu6Grad", "LeakyReluGrad", "EluGrad", "SeluGrad", "SoftplusGrad", "SoftsignGrad"):
        for dtype in kernel_types(op):
            rough = 2e-3 if dtype == "float16" else 2e-6  # TensorFlow rounds after each step
            yield case(op, values(dtype, 3, 7), values(dtype, 3, 7, seed=1), tolerance=rough)
    for op in ("SigmoidGrad", "TanhGrad", "SqrtGrad", "RsqrtGrad", "InvGrad", "ReciprocalGrad"):
        for dtype in kernel_types(op):
            if dtype_of(dtype).is_floating:
                held = dtype_of(dtype).numpy
                yield case(op, floats(3, 7, low=0.2, high=2, dtype=held), values(dtype, 3, 7, seed=1))
            else:
                yield case(op, values(dtype, 3, 7), values(dtype, 3, 7, seed=1), tolerance=5e-6)


CASTS = [
    *("float32", "float64", "int32", "uint8", "int16", "int8", "complex64", "int64", "bool", "bfloat16", "uint16"),
    *("complex128", "float16", "uint32", "uint64"),
]
FLOATING = ("float16", "bfloat16", "float32", "float64")
ODD = [0, 0.4, 1.5, -1.5, 2.5, 127.7, 128, 255.9, 256, -128.5, 300.7, -300.7, 4e4, 65504, 7e4, -7e4, 2147483520.0]
FAR = [2147483648.0, 3e9, -3e9, 4.3e9, 9.2e18, 9.3e18, -9.3e18, 1.9e19, 3e38, np.inf, -np.inf, np.nan]


def casts() -> Iterator[Case]:
    for source in CASTS:
        for target in CASTS:
            least = 0 if target.startswith("u") and source in FLOATING else -100
            yield case("Cast", values(source, 3, 5, low=least, high=200), DstT=dtype_of(target))
    for source in FLOATING:
        for target in CASTS:
            with np.errstate(all="ignore"):
                for number in (*ODD, *FAR):  # one at a time: vectors of TensorFlow saturate, single numbers wrap
                    yield case("Cast", np.array([number], dtype_of(source).numpy), DstT=dtype_of(target))
    for source in ("int64", "uint64", "int32", "uint32"):
        for target in CASTS:
            info = np.iinfo(source)
            odd = np.array([info.max, info.min, info.max - 1, info.max // 3, 16777217, 2049, 257], source)
            yield case("Cast", odd, DstT=dtype_of(target))
    for source in ("float64", "float32", "float16"):
        for target in ("float32", "float16", "bfloat16"):
            if np.dtype(source).itemsize <= dtype_of(target).itemsize:
                continue
            finite = floats(40, low=-70000, high=70000, dtype=np.dtype(source)) / np.dtype(source).type(3)
            yield case("Cast", finite[np.isfinite(finite)], DstT=dtype_of(target), Truncate=True)
            tiny = floats(40, seed=1, low=-1e-4, high=1e-4, dtype=np.dtype(source))
            yield case("Cast", tiny, DstT=dtype_of(target), Truncate=True)
            yield case("Cast", np.array(SPECIAL, source), DstT=dtype_of(target), Truncate=True)
    for source, target in (("float32", "int32"), ("int64", "complex64"), ("int32", "uint8"), ("float64", "uint64")):
        yield case("Bitcast", values(source, 4, 8), type=dtype_of(target))
    yield case("Bitcast", values("uint8", 4, 8), type=dtype_of("int64"))
    yield case("Bitcast", values("uint8", 4, 2), type=dtype_of("float16"))
    yield refusal("Bitcast", values("uint8", 4, 3), type=dtype_of("float32"))
    yield case("Bitcast", values("uint8", 4), type=dtype_of("float32"))
    yield case("Bitcast", values("float64", 3).reshape(3), type=dtype_of("uint8"))
    yield case("Bitcast", np.array(1.5, F), type=dtype_of("uint16"))


CASES: list[Case] = [*unary(), *binary(), *special_functions(), *several(), *gradients(), *casts()]
