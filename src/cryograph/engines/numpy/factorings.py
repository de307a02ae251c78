"""Matrices taken apart: Cholesky, LU and QR factors, singular values, eigenvalues; batches of them in the last two
dimensions.

All is computed in float64 or complex128 and rounded once. Where factors are free in sign, phase or order, ours are
LAPACK's, which for QR are TensorFlow's as well.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given


def wide(x: Array) -> Array:
    """float64 or complex128 of a narrower array."""
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def adjoint(a: Array) -> Array:
    """The conjugate transpose."""
    return a.conj().swapaxes(-1, -2)


def matrices(a: Array) -> Array:
    """Wide matrices, (..., M, N); RunError for a vector or a scalar."""
    if a.ndim < 2:
        raise RunError(f"a matrix has two dimensions or more, not the shape {list(a.shape)}")
    return wide(a)


def squares(a: Array) -> Array:
    """Wide matrices, (..., N, N); RunError for anything else."""
    if a.ndim > 1 and a.shape[-1] != a.shape[-2]:
        raise RunError(f"matrices of {a.shape[-2]} rows and {a.shape[-1]} columns are not square")
    return matrices(a)


def no_number(a: Array) -> float:
    """What TensorFlow fills an answer with that it has not: NaN for reals, but 0 for complex numbers."""
    return 0.0 if a.dtype.kind == "c" else np.nan


def lower_factor(a: Array) -> Array:
    """The Cholesky factor, of the lower triangle alone. For a matrix that is not positive definite its lower triangle
    is filled with `no_number`."""
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:  # one of the batch has none: column by column, which knows which one
        pass
    found, failed = np.zeros_like(a), np.zeros(a.shape[:-2], bool)
    for j in range(a.shape[-1]):
        done = found[..., j, :j]
        column = a[..., j:, j] - np.squeeze(found[..., j:, :j] @ done.conj()[..., None], -1)
        pivot = column[..., 0].real
        column[..., 0] = pivot
        found[..., j:, j] = column / np.sqrt(pivot)[..., None]
        failed |= pivot <= 0
    found[failed] = np.tril(np.full(a.shape[-2:], no_number(a)))
    return found


def _cholesky(ctx: Context, a: Array) -> Array:
    with np.errstate(all="ignore"):
        return given(ctx, lower_factor(squares(a)))


def _cholesky_grad(ctx: Context, factor: Array, gradient: Array) -> Array:
    """L^-T phi(L^T G) L^-1, made symmetric; phi keeps the lower triangle and half of the diagonal (Murray, 2016)."""
    if factor.shape != gradient.shape:
        raise RunError(f"a factor {list(factor.shape)} and its gradient {list(gradient.shape)} differ in shape")
    factor, gradient = np.tril(squares(factor)), np.tril(wide(gradient))
    diagonal = np.diagonal(factor, axis1=-2, axis2=-1)
    singular = np.any(diagonal == 0, -1)[..., None, None]
    factor = np.where(singular, np.eye(factor.shape[-1]), factor)
    half = np.tril(np.swapaxes(factor, -1, -2) @ gradient) * (1 - 0.5 * np.eye(factor.shape[-1]))
    inverse = np.linalg.inv(factor)
    made = np.swapaxes(inverse, -1, -2) @ half @ inverse
    return given(ctx, np.where(singular, np.nan, (made + np.swapaxes(made, -1, -2)) / 2))


def packed_factors(a: Array) -> tuple[Array, Array]:
    """L below the diagonal and U on and above it, packed in one matrix, and the rows of `a` in the order of P a = L U;
    the pivot is the largest of its column."""
    size = a.shape[-1]
    packed = a.reshape(prod(a.shape[:-2]), size, size).copy()
    order = np.tile(np.arange(size), (len(packed), 1))
    each = np.arange(len(packed))
    for k in range(size):
        sizes = np.abs(packed[:, k:, k])
        pivot = k + np.where(np.isnan(sizes), -1, sizes).argmax(-1)
        for array in (packed, order):
            array[each, pivot], array[:, k] = array[:, k].copy(), array[each, pivot]
        packed[:, k + 1 :, k] /= packed[:, k, k, None]
        packed[:, k + 1 :, k + 1 :] -= packed[:, k + 1 :, k, None] * packed[:, k, None, k + 1 :]
    return packed.reshape(a.shape), order.reshape(a.shape[:-1])


def _lu(ctx: Context, a: Array) -> tuple[Array, Array]:
    with np.errstate(all="ignore"):
        packed, order = packed_factors(squares(a))
    if np.any(np.diagonal(packed, axis1=-2, axis2=-1) == 0):
        raise RunError("a matrix is not invertible")
    return given(ctx, packed), order.astype(ctx.output_dtypes[1].numpy)


def _qr(ctx: Context, a: Array, *, full_matrices: bool = False) -> tuple[Array, Array]:
    q, r = np.linalg.qr(matrices(a), "complete" if full_matrices else "reduced")
    return given(ctx, q), given(ctx, r)


def _svd(ctx: Context, a: Array, *, compute_uv: bool = True, full_matrices: bool = False) -> tuple[Array, ...]:
    """Not a number throughout for matrices that are not finite."""
    a = matrices(a)
    bad = np.asarray(~np.isfinite(a).all((-1, -2)))
    a = np.where(bad[..., None, None], 0, a)
    if not compute_uv:
        values, nothing = np.linalg.svd(a, compute_uv=False), np.zeros(())
        return given(ctx, np.where(bad[..., None], np.nan, values)), given(ctx, nothing), given(ctx, nothing)
    u, values, v = np.linalg.svd(a, full_matrices)
    u, v = (np.where(bad[..., None, None], np.nan, part) for part in (u, adjoint(v)))
    return given(ctx, np.where(bad[..., None], np.nan, values)), given(ctx, u), given(ctx, v)


def _eigen(ctx: Context, a: Array, symmetric: bool, vectors: bool) -> tuple[Array, Array]:
    """Values (..., N) and vectors (..., N, N) in columns, a scalar where these are not asked for."""
    a = squares(a)
    if not np.isfinite(np.tril(a) if symmetric else a).all():
        raise RunError("a matrix that is not finite has no eigenvalues")
    try:
        if vectors:
            values, columns = np.linalg.eigh(a) if symmetric else np.linalg.eig(a)
        else:
            values, columns = (np.linalg.eigvalsh(a) if symmetric else np.linalg.eigvals(a)), np.zeros(())
    except np.linalg.LinAlgError as error:
        raise RunError(f"the eigenvalues of a matrix were not found: {error}") from error
    return given(ctx, values), given(ctx, columns)


def _self_adjoint_eig_v2(ctx: Context, a: Array, *, compute_v: bool = True) -> tuple[Array, Array]:
    return _eigen(ctx, a, True, compute_v)


def _self_adjoint_eig(ctx: Context, a: Array) -> Array:
    """The values as a first row, the vectors below."""
    values, vectors = _eigen(ctx, a, True, True)
    return np.concatenate([values[..., None, :], vectors], -2)


def _eig(ctx: Context, a: Array, *, compute_v: bool = True) -> tuple[Array, Array]:
    return _eigen(ctx, a, False, compute_v)


RULES: dict[str, Rule] = {
    "BatchCholesky": _cholesky,
    "BatchCholeskyGrad": _cholesky_grad,
    "BatchSelfAdjointEig": _self_adjoint_eig,
    "BatchSelfAdjointEigV2": _self_adjoint_eig_v2,
    "BatchSvd": _svd,
    "Cholesky": _cholesky,
    "CholeskyGrad": _cholesky_grad,
    "Eig": _eig,
    "Lu": _lu,
    "Qr": _qr,
    "SelfAdjointEig": _self_adjoint_eig,
    "SelfAdjointEigV2": _self_adjoint_eig_v2,
    "Svd": _svd,
}
