"""Cases of matrix products, biases and Fourier transforms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, F, N, case, complexes, floats, ints, ivec, kernel_types, refusal, values

ROUGH = {"float16": 4e-3, "bfloat16": 2e-2, "complex64": 4e-6, "complex128": 4e-6}


def matrices() -> Iterator[Case]:
    for kind in kernel_types("MatMul"):
        rough = ROUGH.get(kind, 2e-6)
        for ta in (False, True):
            for tb in (False, True):
                a = values(kind, *((5, 3) if ta else (3, 5)))
                b = values(kind, *((4, 5) if tb else (5, 4)), seed=1)
                yield case("MatMul", a, b, transpose_a=ta, transpose_b=tb, tolerance=rough)
        yield case("MatMul", values(kind, 3, 0), values(kind, 0, 4))
        yield case("MatMul", values(kind, 0, 3), values(kind, 3, 4))
        yield case("MatMul", values(kind, 1, 64), values(kind, 64, 1, seed=2), tolerance=rough)
    yield refusal("MatMul", floats(3, 5), floats(4, 5))
    yield case("MatMul", floats(33, 257), floats(257, 65))
    for op in ("BatchMatMul", "BatchMatMulV2"):
        for kind in kernel_types(op):
            rough = ROUGH.get(kind, 2e-6)
            for ax in (False, True):
                for ay in (False, True):
                    x = values(kind, 2, *((5, 3) if ax else (3, 5)))
                    y = values(kind, 2, *((4, 5) if ay else (5, 4)), seed=1)
                    yield case(op, x, y, adj_x=ax, adj_y=ay, tolerance=rough)
        yield case(op, floats(2, 0, 3, 5), floats(2, 0, 5, 4))
        yield case(op, floats(2, 3, 0), floats(2, 0, 4))
        yield case(op, floats(3, 5), floats(5, 2))
    yield case("BatchMatMulV2", floats(2, 1, 3, 5), floats(4, 5, 2))
    yield case("BatchMatMulV2", floats(3, 5), floats(2, 4, 5, 2))
    yield case("BatchMatMulV2", floats(4, 3, 5), floats(1, 2, 5), adj_y=True)
    yield refusal("BatchMatMulV2", floats(2, 3, 5), floats(3, 5, 2))
    for kind, out in (("int8", "int32"), ("uint8", "int32"), ("float32", "float32")):
        x, y = values(kind, 2, 3, 5), values(kind, 2, 5, 4, seed=1)
        yield case("BatchMatMulV3", x, y, Tout=dtype_of(out))
    yield case("BatchMatMulV3", values("int8", 3, 5), values("uint8", 5, 4), Tout=dtype_of("int32"))
    large = (values("int8", 2, 5, 3, low=-128, high=127), values("int8", 2, 5, 4, low=-128, high=127))
    yield case("BatchMatMulV3", *large, adj_x=True, Tout=dtype_of("int32"))
    yield case("SparseMatMul", floats(3, 5), floats(5, 4))
    yield case("SparseMatMul", floats(5, 3), floats(4, 5), transpose_a=True, transpose_b=True, a_is_sparse=True)
    yield case("SparseMatMul", values("bfloat16", 3, 5), values("bfloat16", 5, 4), tolerance=1e-2)


EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("abc,cd->abd", (2, 3, 4), (4, 5)),
    ("abc,bcd->ad", (2, 3, 4), (3, 4, 5)),
    ("i,j->ij", (3,), (4,)),
    ("i,i->", (3,), (3,)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    ("...i,i->...", (2, 3, 4), (4,)),
    ("i...,i...->...", (3, 2), (3, 2)),
    ("ij,ij->ji", (3, 4), (3, 4)),
    ("ab,bc->c", (2, 3), (3, 4)),
]


def sums() -> Iterator[Case]:
    for equation, a, b in EQUATIONS:
        yield case("Einsum", floats(*a), floats(*b, seed=1), equation=equation, tolerance=4e-6)
    for equation, a in (("ij->ji", (2, 3)), ("ii->i", (3, 3)), ("ii->", (3, 3)), ("ijk->k", (2, 3, 4)),
                        ("...ij->...ji", (2, 3, 4)), ("b...->...", (2, 3))):  # fmt: skip
        yield case("Einsum", floats(*a), equation=equation)
    for kind in kernel_types("Einsum"):
        yield case("Einsum", values(kind, 2, 3, 4), values(kind, 4, 5), equation="abc,cd->abd",
                   tolerance=ROUGH.get(kind, 4e-6))  # fmt: skip
    yield refusal("Einsum", floats(2, 3), floats(4, 4), equation="ij,jk->ik")
    yield refusal("Einsum", floats(2, 3), floats(3, 4), equation="ij,jk")
    for kind in kernel_types("BiasAdd"):
        yield case("BiasAdd", values(kind, 2, 3, 4), values(kind, 4))
        yield case("BiasAddV1", values(kind, 2, 4), values(kind, 4))
    for shape in ((2, 4), (2, 4, 3), (2, 4, 3, 5), (2, 4, 3, 5, 2)):
        yield case("BiasAdd", floats(*shape), floats(4), data_format="NCHW")
        yield case("BiasAdd", floats(*shape), floats(shape[-1]), data_format="NHWC")
        yield case("BiasAddGrad", floats(*shape), data_format="NCHW")
        yield case("BiasAddGrad", floats(*shape))
    yield refusal("BiasAdd", floats(2, 3), floats(2))
    yield refusal("BiasAdd", floats(3), floats(3))


def spectra() -> Iterator[Case]:
    for kind in (np.complex64, np.complex128):
        c = complexes(2, 3, 4, 8, dtype=kind)
        for op in ("FFT", "IFFT", "FFT2D", "IFFT2D", "FFT3D", "IFFT3D"):
            yield case(op, c, tolerance=4e-6, sizes="known")
        yield case("FFT", complexes(3, 7, dtype=kind), tolerance=4e-6, sizes="known")
        yield case("FFT", c[0, 0], tolerance=4e-6)
        real = dtype_of("float32" if kind == np.complex64 else "float64")
        x = floats(2, 3, 6, 8, dtype=real.numpy)
        for dims, op in ((1, "RFFT"), (2, "RFFT2D"), (3, "RFFT3D")):
            for size in ((8, 6, 3), (4, 4, 2), (7, 3, 1)):
                lengths = np.array(size[:dims][::-1], N)
                yield case(op, x, lengths, Tcomplex=dtype_of(kind), tolerance=4e-6, fixed=(1,), sizes="known")
                yield case(
                    f"I{op}",
                    complexes(2, 4, 7, 6, dtype=kind),
                    lengths,
                    Treal=real,
                    tolerance=8e-6,
                    fixed=(1,),
                    sizes="known",
                )
        yield refusal("RFFT", floats(3, dtype=real.numpy), ivec(2, 2), Tcomplex=dtype_of(kind))
    yield case("RFFT", floats(3, 512), ivec(512), tolerance=4e-6, fixed=(1,), sizes="known")
    yield refusal("RFFT", floats(3, 8), ivec(10))
    yield refusal("IRFFT", complexes(3, 4), ivec(10))
    yield case("Cross", floats(2, 5, 3), floats(2, 5, 3, seed=1))
    yield case("MatMul", ints(2, 2), np.eye(2, dtype=N))
    yield case("MatMul", floats(2, 2) * F(1e3), floats(2, 2, seed=1))


CASES: list[Case] = [*matrices(), *sums(), *spectra()]
