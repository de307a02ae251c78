"""Equations of matrices solved, inverses, determinants, and functions of matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.errors import RunError
from ...base.scientific import scipy_linalg
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given
from .factorings import adjoint, matrices, squares


def _determinant(ctx: Context, a: Array) -> Array:
    with np.errstate(all="ignore"):
        return given(ctx, np.linalg.det(squares(a)))


def _log_determinant(ctx: Context, a: Array) -> tuple[Array, Array]:
    """The sign, and the logarithm of the magnitude."""
    with np.errstate(all="ignore"):
        sign, size = np.linalg.slogdet(squares(a))
    return given(ctx, np.where(np.isnan(size), np.nan, sign)), given(ctx, size)


def _inverse(ctx: Context, a: Array, *, adjoint: bool = False) -> Array:
    a = squares(a)
    try:
        return given(ctx, np.linalg.inv(a.conj().swapaxes(-1, -2) if adjoint else a))
    except np.linalg.LinAlgError:
        raise RunError("a matrix is not invertible") from None


def _same_batches(a: Array, b: Array) -> None:
    """RunError unless two stacks of matrices have the same leading dimensions, and the matrices as many rows."""
    if a.ndim < 2 or a.ndim != b.ndim or a.shape[:-1] != b.shape[:-1]:
        raise RunError(f"matrices {list(a.shape)} and right sides {list(b.shape)} do not fit")


def _solve(ctx: Context, a: Array, b: Array, *, adjoint: bool = False) -> Array:
    _same_batches(a, b)
    a = squares(a)
    try:
        return given(ctx, np.linalg.solve(a.conj().swapaxes(-1, -2) if adjoint else a, matrices(b)))
    except np.linalg.LinAlgError:
        raise RunError("a matrix is not invertible") from None


def _least_squares(ctx: Context, a: Array, b: Array, regularizer: Array, *, fast: bool = True) -> Array:
    """By the normal equations, or (not `fast`) of the smallest norm, whatever the rank; this knows no regularizer."""
    _same_batches(a, b)
    if regularizer.ndim or regularizer < 0:
        raise RunError(f"the regularizer {regularizer} is not a scalar from 0 up")
    rows, columns = a.shape[-2:]
    if not fast or not a.size:
        # What is below one unit in the last place of the input counts as 0.
        return given(ctx, np.linalg.pinv(matrices(a), np.finfo(a.dtype).eps * min(rows, columns)) @ matrices(b))
    added = float(regularizer) * np.eye(min(rows, columns))
    tall = rows >= columns
    try:
        # Whether the rank is whole is found out in the precision that TensorFlow computes with.
        np.linalg.cholesky((adjoint(a) @ a if tall else a @ adjoint(a)) + added.astype(a.dtype))
    except np.linalg.LinAlgError:
        raise RunError("a matrix has not its whole rank: take fast=False or a larger regularizer") from None
    a, b = matrices(a), matrices(b)
    if tall:
        return given(ctx, np.linalg.solve(adjoint(a) @ a + added, adjoint(a) @ b))
    return given(ctx, adjoint(a) @ np.linalg.solve(a @ adjoint(a) + added, b))


def _substituted(a: Array, b: Array, upward: bool) -> Array:
    """The x of a x = b, row by row; `upward` from the last, where `a` is an upper triangle."""
    size = a.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.zeros((*batch, *b.shape[-2:]), np.result_type(a, b))
    for i in reversed(range(size)) if upward else range(size):
        known = slice(i + 1, None) if upward else slice(0, i)
        rest = b[..., i, :] - np.squeeze(a[..., i, None, known] @ x[..., known, :], -2)
        x[..., i, :] = rest / a[..., i, i, None]
    return x


def _triangle_solved(a: Array, b: Array, lower: bool, adjoint: bool) -> Array:
    """Zeros on the diagonal give infinities."""
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise RunError(f"the batches {list(a.shape[:-2])} and {list(b.shape[:-2])} do not fit") from None
    if a.shape[-1] != b.shape[-2]:
        raise RunError(f"{b.shape[-2]} right sides do not fit {a.shape[-1]} columns")
    with np.errstate(all="ignore"):
        return _substituted(a.conj().swapaxes(-1, -2) if adjoint else a, b, lower == adjoint)


def _triangular_solve(ctx: Context, a: Array, b: Array, *, lower: bool = True, adjoint: bool = False) -> Array:
    return given(ctx, _triangle_solved(squares(a), matrices(b), lower, adjoint))


def _banded_solve(ctx: Context, bands: Array, b: Array, *, lower: bool = True, adjoint: bool = False) -> Array:
    """`bands` (..., K, N) holds the diagonals: of a lower triangle the main one first and elements right-aligned, of
    an upper one it is last and they are left-aligned."""
    bands, b = matrices(bands), matrices(b)
    if not bands.size or not b.size:
        raise RunError(f"bands {list(bands.shape)} and right sides {list(b.shape)} must not be empty")
    count, size = bands.shape[-2:]
    main = bands[..., 0 if lower else -1, :]
    if np.any(main.reshape(-1, size)[0] == 0):  # TensorFlow looks at the first matrix only
        raise RunError("a matrix is not invertible")
    a = np.zeros((*bands.shape[:-2], size, size), bands.dtype)
    for k in range(min(count, size)):
        at = np.arange(size - k)
        if lower:
            a[..., at + k, at] = bands[..., k, k:]
        else:
            a[..., at, at + k] = bands[..., count - 1 - k, : size - k]
    return given(ctx, _triangle_solved(a, b, lower, adjoint))


def _by_scipy(name: str) -> Rule:
    """The rule of a function of square matrices; what is not finite gives no numbers, and neither does a real matrix
    whose function is complex."""

    def rule(ctx: Context, a: Array) -> Array:
        function: Callable[[Array], Array] = getattr(scipy_linalg(f"Computing {ctx.step.op}"), name)
        a = squares(a)
        found = np.full_like(a, np.nan)
        for at in np.ndindex(a.shape[:-2]):
            if a.size and np.isfinite(a[at]).all():
                with np.errstate(all="ignore"):
                    made = function(a[at])
                if made.dtype.kind != a.dtype.kind:  # an older SciPy leaves a real root complex
                    made = np.real_if_close(made, tol=1000)
                found[at] = made if made.dtype.kind == a.dtype.kind and np.isfinite(made).all() else np.nan
        return given(ctx, found)

    return rule


RULES: dict[str, Rule] = {
    "BandedTriangularSolve": _banded_solve,
    "BatchMatrixDeterminant": _determinant,
    "BatchMatrixInverse": _inverse,
    "BatchMatrixSolve": _solve,
    "BatchMatrixSolveLs": _least_squares,
    "BatchMatrixTriangularSolve": _triangular_solve,
    "LogMatrixDeterminant": _log_determinant,
    "MatrixDeterminant": _determinant,
    "MatrixExponential": _by_scipy("expm"),
    "MatrixInverse": _inverse,
    "MatrixLogarithm": _by_scipy("logm"),
    "MatrixSolve": _solve,
    "MatrixSolveLs": _least_squares,
    "MatrixSquareRoot": _by_scipy("sqrtm"),
    "MatrixTriangularSolve": _triangular_solve,
}
