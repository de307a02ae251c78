"""Complex numbers as ONNX Runtime has them, in pairs: every op that moves them, adds them up or computes with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, D, F, N, bools, case, complexes, floats, ints, ivec, values

KINDS = (np.complex64, np.complex128)
ODD = [complex(1, -np.inf), complex(np.inf, np.nan), complex(np.nan, np.inf), complex(np.nan, 1)]


def lowered(op: str, *inputs: Any, fixed: tuple[int, ...] = (), sizes: str = "any", **more: Any) -> Case:
    """A case that must be lowered."""
    return case(op, *inputs, fixed=fixed, sizes=sizes, **more)


def ends() -> Iterator[Case]:
    yield lowered("ComplexAbs", np.array([3e38, 3e-38, 0, 1e-30 + 1e-30j, *ODD], np.complex64))
    yield lowered("ComplexAbs", np.array([1e200 + 1e200j, 1e-200, 0, *ODD], np.complex128), Tout=dtype_of(D))


def moved() -> Iterator[Case]:
    for kind in KINDS:
        z = complexes(2, 3, 4, dtype=kind)
        w = complexes(2, 3, 4, seed=5, dtype=kind)
        for op in ("Identity", "Neg", "ZerosLike", "Snapshot", "StopGradient"):
            yield lowered(op, z)
        for op in ("Add", "AddV2", "Sub"):
            yield lowered(op, z, w[:, :1])
            yield lowered(op, w[0, 0], z)
            yield lowered(op, z, w[0, 0, 0])
        yield lowered("AddN", z, w, z)
        for axis in (0, 1, -1, -3):
            yield lowered("Concat", np.int32(axis), z, w, fixed=(0,))
            yield lowered("ConcatV2", z, w, np.int32(axis), fixed=(2,))
            yield lowered("Split", np.int32(axis), complexes(2, 4, 6, dtype=kind), num_split=2, fixed=(0,))
            yield lowered("ReverseV2", z, ivec(axis), fixed=(1,))
            yield lowered("ExpandDims", z, np.int32(axis), fixed=(1,))
            yield lowered("Sum", z, ivec(axis), fixed=(1,), sizes="known")
            yield lowered("Mean", z, ivec(axis), fixed=(1,), keep_dims=True, sizes="known")
            yield lowered("Cumsum", z, np.int32(axis), fixed=(1,))
            yield lowered("GatherV2", z, ivec([1, 0], [0, 1]), np.int32(axis), fixed=(2,))
            yield lowered("Roll", z, ivec(1), ivec(axis), fixed=(1, 2), sizes="known")
            yield lowered("Pack", z, w, axis=axis)
            yield lowered("Unpack", z, num=z.shape[axis], axis=axis)
        yield lowered("SplitV", z, ivec(1, 3), np.int32(-1), num_split=2, fixed=(1, 2))
        yield lowered("Reshape", z, ivec(4, -1), fixed=(1,))
        yield lowered("Reshape", z, ivec(6, 4), sizes="known")
        yield lowered("Transpose", z, ivec(2, 0, 1), fixed=(1,))
        yield lowered("ConjugateTranspose", z, ivec(2, 0, 1), fixed=(1,))
        yield lowered("Slice", z, ivec(0, 1, 2), ivec(2, -1, 1), fixed=(1, 2))
        yield lowered("StridedSlice", z, ivec(0, -2), ivec(2, 4), ivec(1, 1), fixed=(1, 2, 3), ellipsis_mask=1)
        yield lowered("StridedSlice", z, ivec(1, 0), ivec(2, 3), ivec(1, 2), fixed=(1, 2, 3), shrink_axis_mask=1)
        yield lowered("StridedSlice", z, ivec(0, 0, 3), ivec(0, 0, 4), ivec(1, 1, 1), fixed=(1, 2, 3),
                      ellipsis_mask=1, new_axis_mask=2, shrink_axis_mask=4)  # fmt: skip
        yield lowered("Squeeze", complexes(2, 1, 3, 1, dtype=kind), sizes="known")
        yield lowered("Squeeze", complexes(2, 1, 3, 1, dtype=kind), squeeze_dims=[-1])
        yield lowered("Tile", z, ivec(1, 2, 3), fixed=(1,), sizes="known")
        yield lowered("Pad", z, ivec([1, 0], [0, 2], [1, 1]), fixed=(1,))
        yield lowered("MirrorPad", z, ivec([1, 0], [0, 2], [1, 1]), fixed=(1,), mode="REFLECT", sizes="known")
        yield lowered("BroadcastTo", z[0], ivec(5, 3, 4), fixed=(1,))
        yield lowered("Fill", ivec(2, 3), kind(1 - 2j), fixed=(0,))
        yield lowered("Select", bools(2, 3, 4), z, w)
        yield lowered("Select", bools(2), z, w)
        yield lowered("Select", bools(2), z[:, 0, 0], w[:, 0, 0])
        yield lowered("SelectV2", bools(3, 1), z, w)
        yield lowered("GatherNd", z, ivec([0, 1], [1, 2]), sizes="known")
        yield lowered("ScatterNd", ivec([1], [3]), z, ivec(5, 3, 4), fixed=(0, 2), sizes="known")
        yield lowered("TensorScatterUpdate", z, ivec([1], [0]), w, sizes="known")
        for op in ("Rank", "Shape", "Size"):
            yield lowered(op, z, sizes="any" if op != "Size" else "known")


def computed() -> Iterator[Case]:
    for kind in KINDS:
        real = dtype_of(F if kind == np.complex64 else D)
        z = complexes(2, 3, 4, dtype=kind)
        w = complexes(2, 3, 4, seed=5, dtype=kind)
        x = floats(2, 3, 4, dtype=real.numpy)
        for op in ("Real", "Imag", "ComplexAbs") + (("Angle",) if kind == np.complex64 else ()):
            yield lowered(op, z, Tout=real)
            yield lowered(op, z[0, 0, 0], Tout=real)
        yield lowered("Complex", x, floats(4, seed=3, dtype=real.numpy), Tout=dtype_of(kind))
        yield lowered("Complex", x[0, 0, 0], x[0, 1, 0], Tout=dtype_of(kind))
        yield lowered("Cast", z, SrcT=dtype_of(kind), DstT=real)
        yield lowered("Cast", x, SrcT=real, DstT=dtype_of(kind))
        yield lowered("Cast", z, SrcT=dtype_of(kind), DstT=dtype_of(np.complex128))
        yield lowered("Cast", ints(3, 4), SrcT=dtype_of(N), DstT=dtype_of(kind))
        for op in ("Conj", "Exp", "Square", "Inv", "Reciprocal"):
            yield lowered(op, z, tolerance=4e-6)
        for op in ("Mul", "Div", "RealDiv", "MulNoNan", "DivNoNan", "SquaredDifference"):
            yield lowered(op, z, w[:, :1], tolerance=4e-6)
            yield lowered(op, z, w[0, 0, 0], tolerance=4e-6)
        for op in ("MulNoNan", "DivNoNan"):
            yield lowered(op, z, w * np.array([0, 1, 1j, 2], kind), tolerance=4e-6)
        for op in ("Equal", "NotEqual"):
            yield lowered(op, z, np.where(bools(2, 3, 4), z, w))
        a, b = complexes(3, 5, dtype=kind), complexes(5, 2, seed=1, dtype=kind)
        yield lowered("MatMul", a, b, tolerance=4e-6)
        yield lowered("MatMul", a.T, b.T, transpose_a=True, transpose_b=True, tolerance=4e-6)
        for op in ("BatchMatMul", "BatchMatMulV2"):
            yield lowered(op, complexes(2, 3, 5, dtype=kind), complexes(2, 5, 2, dtype=kind), tolerance=4e-6)
            yield lowered(op, complexes(2, 5, 3, dtype=kind), complexes(2, 2, 5, dtype=kind), adj_x=True, adj_y=True,
                          tolerance=4e-6)  # fmt: skip
    for op in ("Log", "Sqrt"):
        yield lowered(op, complexes(3, 4), tolerance=4e-6)
    line = np.array([0, 1, -1, 1j, -1j, 1e-20, 1e15 + 1e15j, -2 + 1e-9j, -2 - 1e-9j, 3e-20j], np.complex64)
    yield lowered("Sqrt", line)
    yield lowered("Div", complexes(4), np.array([1e30, 1e-30, 1e30j, 1e-25 - 1e-25j], np.complex64), tolerance=4e-6)


def same_bits() -> Iterator[Case]:
    for bits in ("int8", "int16", "int32", "int64"):
        yield lowered("Bitcast", values(f"u{bits}", 3, 4), type=dtype_of(bits))
        yield lowered("Bitcast", values(bits, 3, 4), type=dtype_of(f"u{bits}"))
    for kind, real in (("complex64", "float32"), ("complex128", "float64")):
        yield lowered("Bitcast", values(kind, 3, 4), type=dtype_of(real))
        yield lowered("Bitcast", values(real, 3, 4, 2), type=dtype_of(kind), sizes="known")
        yield lowered("Bitcast", values(kind, 3), type=dtype_of(kind))


def transforms() -> Iterator[Case]:
    """Lengths for one product, for two, for two whose factors are far apart, and prime ones."""
    for length in (1, 2, 5, 64, 65, 67, 72, 128, 200, 202, 400, 512, 1000):
        z, x = complexes(2, length), floats(2, length)
        yield lowered("FFT", z, sizes="known")
        yield lowered("IFFT", z, sizes="known")
        yield lowered("RFFT", x, ivec(length), fixed=(1,), sizes="known")
        yield lowered("IRFFT", complexes(3, length // 2 + 1), ivec(length), fixed=(1,), sizes="known")
    for length in (7, 120):
        yield lowered("FFT", complexes(2, 2, length, dtype=np.complex128), sizes="known")
        yield lowered("RFFT", floats(2, length + 3, dtype=D), ivec(length), fixed=(1,), sizes="known",
                      Treal=dtype_of(D), Tcomplex=dtype_of(np.complex128))  # fmt: skip
    yield lowered("FFT2D", complexes(2, 66, 5), sizes="known")
    yield lowered("IFFT2D", complexes(2, 5, 66), sizes="known")
    yield lowered("FFT3D", complexes(3, 4, 5), sizes="known")
    yield lowered("IFFT3D", complexes(2, 3, 4, 5), sizes="known")
    yield lowered("RFFT2D", floats(2, 6, 8), ivec(5, 7), fixed=(1,), sizes="known")
    yield lowered("IRFFT2D", complexes(2, 6, 8), ivec(5, 7), fixed=(1,), sizes="known")
    yield lowered("RFFT3D", floats(4, 6, 8), ivec(4, 6, 8), fixed=(1,), sizes="known")
    yield lowered("IRFFT3D", complexes(4, 6, 5), ivec(4, 6, 8), fixed=(1,), sizes="known")


CASES: list[Case] = [*ends(), *moved(), *computed(), *same_bits(), *transforms()]
