"""Numbers of 16 bits and small integers, which ONNX Runtime computes as wider ones, and functions without kernels in
some dtype, which have formulas: all must be lowered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.support.op_cases import Case, N, bools, case, ivec, kernel_types, values

HALVES = ("float16", "bfloat16")
SMALL = ("int8", "int16", "uint8", "uint16")

ONE = (
    *("Abs", "Acosh", "Asinh", "Atan", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "IsFinite", "IsInf"),
    *("IsNan", "LeakyRelu", "LogSoftmax", "Neg", "Reciprocal", "Relu", "Relu6", "Selu", "Sigmoid", "Sign"),
    *("Sin", "Sinh", "Softmax", "Softsign", "Square", "Tan", "Tanh"),
)
TWO = ("Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "SquaredDifference")
COMPARED = ("Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual")


def lowered(op: str, *inputs: Any, fixed: tuple[int, ...] = (), sizes: str = "any", **more: Any) -> Case:
    """A case that must be lowered."""
    return case(op, *inputs, fixed=fixed, sizes=sizes, **more)


def halves() -> Iterator[Case]:
    for kind in HALVES:
        x, y = values(kind, 3, 5), values(kind, 3, 5, seed=1)
        for op in ONE:
            yield lowered(op, np.abs(x) + x.dtype.type(1) if op == "Acosh" else x)
        for op in (*TWO, *COMPARED, "Div", "RealDiv", "DivNoNan", "MulNoNan", "Xdivy", "Atan2"):
            yield lowered(op, x, y)
            yield lowered(op, x, y[0, 0])
        for op in ("Log", "Sqrt", "Rsqrt", "Log1p"):
            yield lowered(op, np.abs(x))
        yield lowered("MatMul", x, values(kind, 5, 4, seed=2))
        yield lowered("BatchMatMulV2", values(kind, 2, 3, 5), values(kind, 2, 5, 4, seed=2))
        yield lowered("BiasAdd", x, values(kind, 5, seed=2))
        for op in ("Max", "Mean", "Min", "Sum"):
            # TensorFlow rounds after each term of a sum of halves.
            yield lowered(op, x, ivec(1), fixed=(1,), sizes="known", tolerance=2e-3)
        yield lowered("SelectV2", bools(3, 1), x, y)
        yield lowered("ArgMax", x, np.int32(1), fixed=(1,), sizes="known")
        yield lowered("Conv2D", values(kind, 1, 6, 6, 3), values(kind, 3, 3, 3, 4, seed=2), fixed=(1,), sizes="known",
                      strides=[1, 2, 2, 1], padding="SAME", tolerance=2e-2 if kind == "bfloat16" else 2e-3)  # fmt: skip
        yield lowered("MaxPool", values(kind, 1, 6, 6, 3), ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID",
                      sizes="known")  # fmt: skip
        for op, more in (("Transpose", ivec(1, 0)), ("Reshape", ivec(5, 3)), ("Tile", ivec(2, 1))):
            yield lowered(op, x, more, fixed=(1,), sizes="known")
        yield lowered("ConcatV2", x, y, np.int32(1), fixed=(2,))
        yield lowered("GatherV2", x, ivec(2, 0), np.int32(0), fixed=(2,))


def integers() -> Iterator[Case]:
    for kind in SMALL:
        x, y = values(kind, 3, 5), values(kind, 3, 5, seed=1)
        for op in ("Maximum", "Minimum", *COMPARED):
            yield lowered(op, x, y)
        yield lowered("SelectV2", bools(3, 1), x, y)
        yield lowered("Pad", x, ivec([1, 0], [0, 2]), fixed=(1,))
    for kind in ("int16", "uint16"):
        big = values(kind, 9, low=0, high=np.iinfo(kind).max)
        for op in ("AddV2", "Sub", "Mul"):
            yield lowered(op, big, big[::-1])
        yield lowered("ClipByValue", big, np.asarray(200, kind), np.asarray(9000, kind), sizes="known")
    yield lowered("SelectV2", bools(3, 1), bools(3, 5), bools(3, 5, seed=1))
    yield lowered("Unique", np.asarray([3, 1, 3, 2, 1], N), sizes="known")


DOUBLES = (
    *("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cosh", "Elu", "Erf", "Erfc", "Expm1", "LeakyRelu", "Log1p"),
    *("Selu", "Sinh", "Softplus", "Softsign", "Tan"),
)
SPECIAL = (
    *("BesselI0", "BesselI0e", "BesselI1", "BesselI1e", "Digamma", "Erfinv", "FresnelCos", "FresnelSin", "Lgamma"),
    "Ndtri",
)
ENDS = (0.0, -0.0, 0.75, 1.0, -1.0, np.inf, -np.inf, np.nan)


def functions() -> Iterator[Case]:
    for op in (*DOUBLES, *SPECIAL):
        kinds = ("float64",) if op in DOUBLES else [k for k in ("float32", "float64") if k in kernel_types(op)]
        for kind in kinds:
            # TensorFlow's vectors of doubles have no erf of what is no number.
            yield lowered(op, np.array(ENDS[: 5 if op == "Erf" else None], kind))
            if op in ("Acos", "Asin", "Atanh", "Erfinv", "Ndtri"):
                # TensorFlow's float32 loses the digits that are left of 1.
                rest = np.linspace(1, 0.6, 20)
                near = np.ldexp(rest, -np.arange(3, 23)) if kind == "float64" else rest / 10
                tiny = np.ldexp(rest, -5 * np.arange(20, 0, -1))
                places = np.concatenate([np.linspace(-1, 1, 83), 1 - near, tiny])
                yield lowered(op, places.astype(kind), tolerance=5e-6 if kind == "float32" else 2e-6)
                continue
            for size in (1e-6, 0.4, 3, 30):  # an error of a large value hides those of small ones
                line = np.linspace(-size, size, 83)
                if op in ("Digamma", "Lgamma"):
                    line += 0.013 * size  # away from the poles
                yield lowered(op, line.astype(kind), tolerance=ROUGH.get((op, kind), 2e-6))
    huge = np.array([1e3, -1e3, 1e8, -1e8, 1e20, -1e20])
    for op in (
        "Acosh",
        "Asinh",
        "Atan",
        "BesselI0e",
        "BesselI1e",
        "Erf",
        "FresnelCos",
        "FresnelSin",
        "Lgamma",
        "Softplus",
    ):
        yield lowered(op, huge[::2] if op == "Lgamma" else huge)


ROUGH: dict[tuple[str, str], float] = {}
"""Where TensorFlow's own kernels of float32 are that far from the function."""

CASES: list[Case] = [*halves(), *integers(), *functions()]
