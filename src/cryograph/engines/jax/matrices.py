"""Factors of matrices, equations, determinants. Floats are worked out in float64, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy import factorings
from ..numpy.context import Rule
from ..numpy.elementwise import given
from .context import JaxContext, check


def _adjoint(a: Any) -> Any:
    return a.conj().swapaxes(-1, -2)


def _cholesky(ctx: JaxContext, a: Any) -> Any:
    wide = factorings.squares(a)
    lower = ctx.xp.tril(wide)
    inner = ctx.xp.tril(wide, -1)
    made = ctx.xp.linalg.cholesky(lower + _adjoint(inner))
    if made.dtype.kind == "c":  # TensorFlow finds no fault with complex matrices: where there is no factor it gives 0
        made = ctx.xp.where(ctx.xp.isnan(made).any((-2, -1), keepdims=True), 0, made)
    return given(ctx, made)


def _qr(ctx: JaxContext, a: Any, *, full_matrices: bool = False) -> tuple[Any, Any]:
    q, r = ctx.xp.linalg.qr(factorings.matrices(a), "complete" if full_matrices else "reduced")
    return given(ctx, q), given(ctx, r)


def _svd(ctx: JaxContext, a: Any, *, compute_uv: bool = True, full_matrices: bool = False) -> tuple[Any, ...]:
    wide = factorings.matrices(a)
    if not compute_uv:
        nothing = np.zeros((), ctx.kind(1))
        return given(ctx, ctx.xp.linalg.svd(wide, compute_uv=False)).astype(ctx.dtype), nothing, nothing
    u, values, v = ctx.xp.linalg.svd(wide, full_matrices)
    return given(ctx, values), u.astype(ctx.kind(1)), _adjoint(v).astype(ctx.kind(2))


def _self_adjoint_eig(ctx: JaxContext, a: Any, *, compute_v: bool = True) -> tuple[Any, Any]:
    wide = factorings.squares(a)
    check(~ctx.xp.isfinite(ctx.xp.tril(wide)), "a matrix that is not finite has no eigenvalues")
    values, vectors = ctx.xp.linalg.eigh(wide, UPLO="L", symmetrize_input=False)
    return given(ctx, values), vectors.astype(ctx.kind(1)) if compute_v else np.zeros((), ctx.kind(1))


def _determinant(ctx: JaxContext, a: Any) -> Any:
    return given(ctx, ctx.xp.linalg.det(factorings.squares(a)))


def _log_determinant(ctx: JaxContext, a: Any) -> tuple[Any, Any]:
    sign, size = ctx.xp.linalg.slogdet(factorings.squares(a))
    return given(ctx, ctx.xp.where(ctx.xp.isnan(size), np.nan, sign)), given(ctx, size)


def _invertible(ctx: JaxContext, a: Any) -> None:
    sign, _ = ctx.xp.linalg.slogdet(a)  # of small numbers the determinant itself may be 0
    check(sign == 0, "a matrix is not invertible")


def _inverse(ctx: JaxContext, a: Any, *, adjoint: bool = False) -> Any:
    wide = factorings.squares(a)
    _invertible(ctx, wide)
    return given(ctx, ctx.xp.linalg.inv(_adjoint(wide) if adjoint else wide))


def _solve(ctx: JaxContext, a: Any, b: Any, *, adjoint: bool = False) -> Any:
    if a.ndim < 2 or a.ndim != b.ndim or a.shape[:-1] != b.shape[:-1]:
        raise RunError(f"matrices {list(a.shape)} and right sides {list(b.shape)} do not fit")
    wide = factorings.squares(a)
    _invertible(ctx, wide)
    return given(ctx, ctx.xp.linalg.solve(_adjoint(wide) if adjoint else wide, factorings.matrices(b)))


def _triangular_solve(ctx: JaxContext, a: Any, b: Any, *, lower: bool = True, adjoint: bool = False) -> Any:
    """Zeros on the diagonal give infinities."""
    wide, right = factorings.squares(a), factorings.matrices(b)
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise RunError(f"the batches {list(a.shape[:-2])} and {list(b.shape[:-2])} do not fit") from None
    if a.shape[-1] != b.shape[-2]:
        raise RunError(f"{b.shape[-2]} right sides do not fit {a.shape[-1]} columns")
    xp = ctx.xp
    left = xp.broadcast_to(wide, (*batch, *wide.shape[-2:]))
    made = ctx.lax.linalg.triangular_solve(
        left, xp.broadcast_to(right, (*batch, *right.shape[-2:])), left_side=True, lower=lower,
        transpose_a=adjoint, conjugate_a=adjoint and wide.dtype.kind == "c",
    )  # fmt: skip
    return given(ctx, made)


RULES: dict[str, Rule] = {
    "BatchCholesky": _cholesky,
    "BatchMatrixDeterminant": _determinant,
    "BatchMatrixInverse": _inverse,
    "BatchMatrixSolve": _solve,
    "BatchMatrixTriangularSolve": _triangular_solve,
    "BatchSelfAdjointEigV2": _self_adjoint_eig,
    "BatchSvd": _svd,
    "Cholesky": _cholesky,
    "LogMatrixDeterminant": _log_determinant,
    "MatrixDeterminant": _determinant,
    "MatrixInverse": _inverse,
    "MatrixSolve": _solve,
    "MatrixTriangularSolve": _triangular_solve,
    "Qr": _qr,
    "SelfAdjointEigV2": _self_adjoint_eig,
    "Svd": _svd,
}
