"""Cases of matrices taken apart, solved, and of their functions.

Inputs are well-conditioned (condition numbers below 30) unless a case says otherwise, so that what TensorFlow computes
in float32 is right to some units in the last place. Factors that are free in sign, phase or order are compared by the
products that are not (see FORMS at the foot).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import FORMS, Array, Case, D, F, L, case, kernel_types, refusal, values

SHAPES = ((1, 1), (4, 4), (2, 3, 3), (2, 1, 2, 2))
EMPTY = ((0, 0), (2, 0, 0), (0, 2, 2))
SINGULAR = np.array([[1, 2], [2, 4]], F)
UNDEFINED = np.array([[1, np.nan], [np.nan, 2]], F)
REAL = ("float32", "float64")
NARROW = 2e-2  # float16: Eigen rounds every step of a factorisation, not the end alone
STEPS = 2e-5  # float32 through some tens of products, one after the other


def demanded(kind: Any, *shapes: Sequence[int]) -> str:
    """How much of the shapes ONNX Runtime must know: it takes real matrices that hold something."""
    return "known" if kind in REAL and not any(0 in shape for shape in shapes) else ""


def scalars(kind: Any, *shape: int, seed: int = 0) -> Array:
    """Numbers in (-2, 2), complex ones for complex kinds."""
    return values(kind, *shape, seed=seed, low=-6, high=6)


def square(kind: Any, *shape: int, seed: int = 0) -> Array:
    """Matrices with distinct numbers on a heavy diagonal."""
    size = shape[-1]
    heavy = np.diag(np.arange(size) * 1.5 + 4) * np.where(np.arange(size) % 2, -1, 1)
    return (scalars(kind, *shape, seed=seed) * 0.7 + heavy).astype(scalars(kind).dtype)


def definite(kind: Any, *shape: int, seed: int = 0) -> Array:
    """Self-adjoint matrices with distinct eigenvalues above 0."""
    a = square(kind, *shape, seed=seed)
    return ((a @ a.conj().swapaxes(-1, -2)) / 4).astype(a.dtype)


def choleskys() -> Iterator[Case]:
    for op in ("Cholesky", "BatchCholesky"):
        for kind in kernel_types(op):
            for shape in (*SHAPES, *EMPTY):
                yield case(op, definite(kind, *shape), form="lower", sizes=demanded(kind, shape))
            both = np.stack([definite(kind, 2, 2), SINGULAR]).astype(scalars(kind).dtype)
            yield case(op, both, form="lower")
        yield case(op, np.array([[4, 9], [2, 3]], F), form="lower")
        yield case(op, UNDEFINED, form="lower")
        yield case(op, -definite(F, 3, 3), form="lower")
        yield case(op, np.array([[1, np.inf], [0, 2]], F), form="lower")
        yield refusal(op, scalars(F, 2, 3))
        yield refusal(op, scalars(F, 3))
    for op in ("CholeskyGrad", "BatchCholeskyGrad"):
        for kind in kernel_types(op):
            for shape in (*SHAPES, *EMPTY):
                factor = np.linalg.cholesky(definite(kind, *shape)) if 0 not in shape else np.zeros(shape, kind)
                yield case(op, factor, scalars(kind, *shape, seed=3))
            yield case(op, definite(kind, 3, 3), scalars(kind, 3, 3, seed=3))
        yield case(op, np.array([[1, 0], [2, 0]], F), scalars(F, 2, 2))
        yield refusal(op, scalars(F, 2, 2), scalars(F, 3, 3))
        yield refusal(op, scalars(F, 2, 3), scalars(F, 2, 3))


def factors() -> Iterator[Case]:
    for kind in kernel_types("Lu"):
        for shape in (*SHAPES, *EMPTY):
            yield case("Lu", scalars(kind, *shape, seed=5), tolerance=STEPS)
            yield case("Lu", square(kind, *shape), output_idx_type=dtype_of(L))
    yield case("Lu", UNDEFINED)
    for wrong in (SINGULAR, np.zeros((1, 1), F), scalars(F, 2, 3), scalars(F, 3)):
        yield refusal("Lu", wrong)
    for kind in kernel_types("Qr"):
        tolerance = NARROW if kind == "float16" else 2e-6
        for full in (False, True):
            for shape in (*SHAPES, *EMPTY, (5, 3), (3, 5), (2, 4, 2), (0, 3), (3, 0), (2, 3, 0)):
                yield case("Qr", scalars(kind, *shape), full_matrices=full, tolerance=tolerance,
                           sizes=demanded(kind, shape))  # fmt: skip
        yield case("Qr", np.diag([2, -3, 1]).astype(scalars(kind).dtype))
    yield case("Qr", SINGULAR)
    yield refusal("Qr", scalars(F, 3))


def singular_values() -> Iterator[Case]:
    for op in ("Svd", "BatchSvd"):
        for kind in kernel_types(op):
            for full in (False, True):
                for shape in (*SHAPES, *EMPTY, (5, 3), (3, 5), (2, 4, 2), (0, 3), (3, 0), (2, 3, 0)):
                    yield case(op, scalars(kind, *shape), full_matrices=full, form="singular",
                               sizes=demanded(kind, shape))  # fmt: skip
            yield case(op, scalars(kind, 2, 4, 3), compute_uv=False, outputs=(0,), sizes=demanded(kind))
            yield case(op, scalars(kind, 0, 3), compute_uv=False, outputs=(0,))
        yield case(op, UNDEFINED)
        yield case(op, np.array([[1, np.inf], [0, 2]], F))
        yield refusal(op, scalars(F, 3))


def eigenvalues() -> Iterator[Case]:
    for op in ("SelfAdjointEigV2", "BatchSelfAdjointEigV2"):
        for kind in kernel_types(op):
            for shape in (*SHAPES, *EMPTY):
                a = square(kind, *shape)
                yield case(op, a + a.conj().swapaxes(-1, -2), form="eigen", sizes=demanded(kind, shape))
            yield case(op, square(kind, 2, 4, 4), compute_v=False, outputs=(0,), sizes=demanded(kind))
        yield case(op, np.array([[1, np.nan], [2, 5]], F), form="eigen")
        for wrong in (UNDEFINED, scalars(F, 2, 3), scalars(F, 3)):
            yield refusal(op, wrong)
    for op in ("SelfAdjointEig", "BatchSelfAdjointEig"):
        for kind in kernel_types(op):
            for shape in (*SHAPES, *EMPTY):
                yield case(op, square(kind, *shape), form="eigen_rows", sizes=demanded(kind, shape))
        for wrong in (UNDEFINED, scalars(F, 2, 3), scalars(F, 3)):
            yield refusal(op, wrong)
    for kind in kernel_types("Eig"):
        made = dtype_of("complex64" if kind in ("float32", "complex64") else "complex128")
        for shape in (*SHAPES, *EMPTY):
            yield case("Eig", square(kind, *shape), Tout=made, form="eigen")
        turn = np.array([[0, -2, 0], [1, 0, 0], [0, 0, 5]], scalars(kind).dtype)
        yield case("Eig", turn, Tout=made, form="eigen")
        yield case("Eig", square(kind, 2, 4, 4), compute_v=False, Tout=made, outputs=(0,), form="eigen")
    for wrong in (UNDEFINED, np.array([[1, np.inf], [0, 2]], F), scalars(F, 2, 3), scalars(F, 3)):
        yield refusal("Eig", wrong, Tout=dtype_of("complex64"))


def determinants() -> Iterator[Case]:
    for op in ("MatrixDeterminant", "BatchMatrixDeterminant", "LogMatrixDeterminant"):
        for kind in kernel_types(op):
            for shape in (*SHAPES, *EMPTY):
                yield case(op, square(kind, *shape), sizes=demanded(kind, shape))
            yield case(op, SINGULAR.astype(scalars(kind).dtype))
            yield case(op, (square(kind, 6, 6) * 1e-3).astype(scalars(kind).dtype))
        yield case(op, UNDEFINED)
        yield case(op, np.array([[1, np.inf], [0, 2]], F))
        for wrong in (scalars(F, 2, 3), scalars(F, 3)):
            yield refusal(op, wrong)


def inverses() -> Iterator[Case]:
    for op in ("MatrixInverse", "BatchMatrixInverse"):
        for kind in kernel_types(op):
            tolerance = NARROW if kind == "float16" else 2e-6
            for shape in (*SHAPES, *EMPTY):
                for adjoint in (False, True):
                    yield case(op, square(kind, *shape), adjoint=adjoint, tolerance=tolerance,
                               sizes=demanded(kind, shape))  # fmt: skip
        yield case(op, UNDEFINED)
        for wrong in (SINGULAR, np.zeros((1, 1), F), scalars(F, 2, 3), scalars(F, 3)):
            yield refusal(op, wrong)


SIDES = (
    ((3, 3), (3, 2)),
    ((2, 4, 4), (2, 4, 1)),
    ((1, 1), (1, 3)),
    ((0, 0), (0, 3)),
    ((2, 2), (2, 0)),
    ((0, 2, 2), (0, 2, 1)),
)
BROADCAST = (((2, 2, 2), (2, 1)), ((2, 2), (3, 2, 1)), ((1, 2, 2), (3, 2, 1)), ((2, 1, 2, 2), (3, 2, 1)))


def solutions() -> Iterator[Case]:
    for op in ("MatrixSolve", "BatchMatrixSolve", "MatrixTriangularSolve", "BatchMatrixTriangularSolve"):
        triangular = "Triangular" in op
        for kind in kernel_types(op):
            for a, b in (*SIDES, *(BROADCAST if triangular else ())):
                for adjoint in (False, True):
                    for lower in (False, True) if triangular else (None,):
                        said: dict[str, Any] = {} if lower is None else {"lower": lower}
                        yield case(op, square(kind, *a), scalars(kind, *b, seed=7), adjoint=adjoint,
                                   sizes=demanded(kind, a, b), **said)  # fmt: skip
        yield case(op, UNDEFINED, scalars(F, 2, 1))
        yield refusal(op, square(F, 2, 2), scalars(F, 3, 1))
        yield refusal(op, scalars(F, 2, 3), scalars(F, 2, 1))
        yield refusal(op, square(F, 2, 2, 2), scalars(F, 3, 2, 1))
        yield refusal(op, square(F, 2, 2), scalars(F, 2))
        if triangular:
            yield case(op, np.array([[1, 5], [2, 0]], F), scalars(F, 2, 1))
            yield case(op, np.array([[0, 5], [2, 1]], F), scalars(F, 2, 1))
        else:
            yield refusal(op, SINGULAR, scalars(F, 2, 1))
            for a, b in BROADCAST:
                yield refusal(op, square(F, *a), scalars(F, *b))


def least_squares() -> Iterator[Case]:
    shapes = (
        ((4, 2), (4, 3)),
        ((2, 4), (2, 1)),
        ((3, 3), (3, 2)),
        ((2, 5, 2), (2, 5, 1)),
        ((0, 0), (0, 1)),
        ((3, 0), (3, 2)),
    )
    for op in ("MatrixSolveLs", "BatchMatrixSolveLs"):
        for kind in kernel_types(op):
            for a, b in (*shapes, ((0, 3, 2), (0, 3, 1))):
                for fast, regularizer in ((True, 0.0), (True, 0.5), (False, 0.0), (False, 0.5)):
                    sides = scalars(kind, *b, seed=7)
                    # The normal equations square the condition number.
                    yield case(op, scalars(kind, *a), sides, np.array(regularizer, D), fast=fast, tolerance=STEPS)
        flat, tall = scalars(F, 2, 1), scalars(F, 3, 2)
        yield case(op, SINGULAR, flat, np.array(0.0), fast=False)
        yield case(op, SINGULAR, flat, np.array(1.0))
        yield case(op, np.arange(1, 10, dtype=F).reshape(3, 3), scalars(F, 3, 1), np.array(0.0), fast=False)
        yield case(op, np.zeros((2, 2), F), flat, np.array(0.0), fast=False)
        yield refusal(op, SINGULAR, flat, np.array(0.0))
        yield refusal(op, np.zeros((2, 2), F), flat, np.array(0.0))
        yield refusal(op, tall, scalars(F, 3, 1), np.array(-1.0))
        yield refusal(op, tall, scalars(F, 3, 1), np.array(-1.0), fast=False)
        yield refusal(op, tall, scalars(F, 3, 1), np.array([0.5]))
        yield refusal(op, tall, flat, np.array(0.0))


def bands() -> Iterator[Case]:
    for kind in kernel_types("BandedTriangularSolve"):
        for lower in (True, False):
            for adjoint in (False, True):
                for a, b in (
                    ((2, 3), (3, 2)),
                    ((1, 3), (3, 1)),
                    ((4, 2), (2, 1)),
                    ((3, 5), (5, 2)),
                    ((2, 2, 3), (2, 3, 1)),
                    ((5, 2, 3), (3, 2)),
                    ((2, 3), (5, 3, 2)),
                    ((4, 4), (4, 1)),
                    ((2, 1), (1, 1)),
                ):
                    held = scalars(kind, *a)
                    held[..., 0 if lower else -1, :] += 4
                    yield case("BandedTriangularSolve", held, scalars(kind, *b, seed=7), lower=lower, adjoint=adjoint)
    later = np.stack([np.ones((2, 3)), np.zeros((2, 3))]).astype(F)
    yield case("BandedTriangularSolve", later, scalars(F, 2, 3, 1))
    yield refusal("BandedTriangularSolve", later[::-1], scalars(F, 2, 3, 1))
    for a, b in (((0, 3), (3, 2)), ((2, 3), (3, 0)), ((2, 3), (2, 2)), ((3,), (3, 2)), ((2, 2, 3), (3, 3, 2))):
        yield refusal("BandedTriangularSolve", scalars(F, *a), scalars(F, *b))


def tridiagonals() -> Iterator[Case]:
    shapes = ((5, 2), (2, 4, 1), (1, 2), (2, 2, 3, 2), (0, 2), (3, 0), (2, 1))
    for kind in kernel_types("TridiagonalSolve"):
        for *batch, size, sides in shapes:
            held, b = scalars(kind, *batch, 3, size), scalars(kind, *batch, size, sides, seed=7)
            for shift, pivoting, perturb in ((0, True, False), (0, True, True), (5, True, True), (5, False, False)):
                if perturb and not sides:
                    continue  # TensorFlow aborts
                held_now = held.copy()
                held_now[..., 1, :] += shift
                yield case("TridiagonalSolve", held_now, b, partial_pivoting=pivoting, perturb_singular=perturb,
                           tolerance=STEPS)  # fmt: skip
    swapped = np.array([[1, 2, 0], [0, 1, 3], [0, 4, 1]], F)
    zero_pivot = np.array([[1, 2, 0], [0, 0, 3], [0, 0, 1]], F)
    b = scalars(F, 3, 2)
    pair = np.stack([swapped, zero_pivot])
    for held in (swapped, zero_pivot, np.zeros((3, 3), F), pair, pair.astype(np.complex64)):
        sides = np.broadcast_to(b, (*held.shape[:-2], 3, 2)).astype(held.dtype)
        yield case("TridiagonalSolve", held, sides)
        yield case("TridiagonalSolve", held, sides, partial_pivoting=False)
        yield case("TridiagonalSolve", held, sides, perturb_singular=True)
    for kind in ("float32", "complex128"):
        for one in (0, 1e-3, 2):
            yield case("TridiagonalSolve", np.array([[0], [one], [0]], scalars(kind).dtype), scalars(kind, 1, 2),
                       perturb_singular=True)  # fmt: skip
    for kind in ("float64", "complex64"):
        yield case("TridiagonalSolve", scalars(kind, 3, 1) * 0, scalars(kind, 1, 2))
    yield refusal("TridiagonalSolve", swapped, b, partial_pivoting=False, perturb_singular=True)
    for a, c in (((3, 3), (2, 2)), ((2, 3), (3, 2)), ((2, 3, 3), (3, 2)), ((2, 3, 3), (3, 3, 2))):
        yield refusal("TridiagonalSolve", scalars(F, *a), scalars(F, *c))
    for kind in kernel_types("TridiagonalMatMul"):
        for *batch, size, sides in shapes:
            three = (scalars(kind, *batch, 1, size, seed=i) for i in range(3))
            yield case("TridiagonalMatMul", *three, scalars(kind, *batch, size, sides, seed=7))
    for shapes_now in (
        ((1, 3), (2, 1, 3), (1, 3), (2, 3, 2)),
        ((1, 2), (1, 3), (1, 3), (3, 2)),
        ((3,), (3,), (3,), (3, 2)),
    ):
        yield refusal("TridiagonalMatMul", *(scalars(F, *shape) for shape in shapes_now))


def matrix_functions() -> Iterator[Case]:
    for op in ("MatrixExponential", "MatrixLogarithm", "MatrixSquareRoot"):
        for kind in kernel_types(op):
            held = scalars(kind).dtype
            for shape in (*SHAPES, *EMPTY):
                # Eigen rounds float32 at every squaring or square root of its Padé approximations.
                yield case(op, (definite(kind, *shape) / 4).astype(held), tolerance=STEPS)
                yield case(op, (definite(kind, *shape) / 8 + np.triu(scalars(kind, *shape)) / 4).astype(held),
                           tolerance=STEPS)  # fmt: skip
            yield case(op, UNDEFINED.astype(held))
            yield case(op, np.array([[1, 2], [2, 1]], held), tolerance=STEPS)
            for wrong in (scalars(kind, 2, 3), scalars(kind, 3)):
                yield refusal(op, wrong)


def sums_of_products() -> Iterator[Case]:
    """Equations with letters that repeat, or that nobody needs; their plain kin are cases of products."""
    for equation, *shapes in (
        ("iij,jk->ik", (3, 3, 2), (2, 4)),
        ("iij,jkk->ik", (3, 3, 2), (2, 4, 4)),
        ("ij,kl->k", (2, 3), (4, 2)),
        ("ij,jk->", (2, 3), (3, 4)),
        ("...ii->...i", (2, 3, 3)),
        ("...ii,...jj->...", (2, 3, 3), (2, 2, 2)),
        ("i->ii", (3,)),
        ("ij->jii", (2, 3)),
        ("i...->i", (2,)),
        ("i...,...j->ij", (2,), (3,)),
        ("i,j->iji", (2,), (3,)),
        ("a...b,b...c->a...c", (2, 3, 4), (4, 3, 5)),
        ("a...,b...->ab...", (2, 1, 3), (4, 5, 1)),
        ("...a,ab->b...", (2, 3, 4), (4, 5)),
        ("...,...->...", (2, 1), (3,)),
        (",->", (), ()),
        ("->", ()),
        ("ij,jk->ik", (0, 3), (3, 2)),
        ("ij,jk->ik", (2, 0), (0, 3)),
        ("iI,Ij->ij", (2, 3), (3, 4)),
    ):
        for kind in ("float32", "complex128", "int32"):
            parts = (scalars(kind, *shape, seed=i) for i, shape in enumerate(shapes))
            yield case("Einsum", *parts, equation=equation)
    for equation, *shapes in (
        ("ii->i", (2, 3)),
        ("ij,jk->ik", (2, 3, 4), (3, 4)),
        ("i...->i", (2, 3)),
        ("...i...->i", (2, 3)),
        ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
        ("...i,...i->...", (2, 3), (4, 3)),
    ):
        yield refusal("Einsum", *(scalars(F, *shape) for shape in shapes), equation=equation)


def _phaseless(columns: Array, others: Array | None = None) -> Array:
    """Each column times the adjoint of itself, or of the other's: what a sign or a phase does not change."""
    other = columns if others is None else others
    return np.asarray(columns.swapaxes(-1, -2)[..., None] * other.conj().swapaxes(-1, -2)[..., None, :])


def _singular(case: Case, parts: Sequence[Array]) -> Sequence[Array]:
    """Values, their columns paired, the space that the other columns span, and that all columns are orthonormal."""
    values, u, v = parts
    count = values.shape[-1]
    rests = [part[..., count:] @ part[..., count:].conj().swapaxes(-1, -2) for part in (u, v)]
    grams = [part.conj().swapaxes(-1, -2) @ part for part in (u, v)]
    return [values, _phaseless(u[..., :count], v[..., :count]), *rests, *grams]


def _eigen(case: Case, parts: Sequence[Array]) -> Sequence[Array]:
    """By value, real part first; columns without phase."""
    values, *rest = parts
    order = np.lexsort((values.imag.round(3), values.real.round(3)), -1)
    values = np.take_along_axis(values, order, -1)
    return [values, *(_phaseless(np.take_along_axis(columns, order[..., None, :], -1)) for columns in rest)]


def _eigen_rows(case: Case, parts: Sequence[Array]) -> Sequence[Array]:
    (both,) = parts
    return _eigen(case, [both[..., 0, :], both[..., 1:, :]])


FORMS["eigen"] = _eigen
FORMS["eigen_rows"] = _eigen_rows
FORMS["lower"] = lambda case, parts: [np.tril(part) for part in parts]  # TensorFlow leaves the rest as memory was
FORMS["singular"] = _singular

CASES: list[Case] = [
    *choleskys(),
    *factors(),
    *singular_values(),
    *eigenvalues(),
    *determinants(),
    *inverses(),
    *solutions(),
    *least_squares(),
    *bands(),
    *tridiagonals(),
    *matrix_functions(),
    *sums_of_products(),
]
