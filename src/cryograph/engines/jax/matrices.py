"""Diagonals and bands of matrices, factors, equations, determinants. Floats are worked out in float64, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy import factorings
from ..numpy.context import Rule
from ..numpy.elementwise import given
from ..numpy.matrices import _band, _cells, _diagonals, _length, _must_lie, _stacked, _start
from .context import JaxContext, check, known, number


def _band_part(ctx: JaxContext, x: Any, lower: Any, upper: Any) -> Any:
    if x.ndim < 2:
        raise RunError(f"{x.ndim} dimensions hold no matrix")
    rows, columns = x.shape[-2:]
    check((lower > rows) | (upper > columns), f"the band is wider than the matrix of {rows} x {columns}")
    below = np.arange(rows)[:, None] - np.arange(columns)
    keep = ((lower < 0) | (below <= lower)) & ((upper < 0) | (-below <= upper))
    return ctx.xp.where(keep, x, ctx.xp.zeros((), x.dtype))


def _diag(ctx: JaxContext, x: Any) -> Any:
    return ctx.xp.diag(x.reshape(-1)).reshape(x.shape + x.shape)


def _diag_part(ctx: JaxContext, x: Any) -> Any:
    shape = x.shape[: x.ndim // 2]
    if x.ndim % 2 or x.ndim == 0 or shape != x.shape[x.ndim // 2 :]:
        raise RunError(f"the shape {list(x.shape)} is not one shape twice")
    size = int(np.prod(shape))
    return ctx.xp.diagonal(x.reshape(size, size)).reshape(shape)


def _matrix_diag(ctx: JaxContext, diagonal: Any) -> Any:
    shape = (diagonal.shape[-1],) * 2
    return _placed(ctx, diagonal[..., None, :], (0, 0), shape, np.zeros((), diagonal.dtype), b"RIGHT_LEFT")


def _matrix_diag_part(ctx: JaxContext, x: Any) -> Any:
    if x.ndim < 2:
        raise RunError(f"{x.ndim} dimensions hold no matrix")
    return ctx.xp.diagonal(x, axis1=-2, axis2=-1)


def _matrix_set_diag(ctx: JaxContext, x: Any, diagonal: Any) -> Any:
    return _set(ctx, x, diagonal, (0, 0), b"RIGHT_LEFT")


def _placed(
    ctx: JaxContext, stack: Any, band: tuple[int, int], shape: tuple[int, int], padding: Any, align: bytes
) -> Any:
    """Matrices of a shape with the diagonals of a stack, and padding elsewhere."""
    out = ctx.xp.broadcast_to(ctx.xp.asarray(padding, stack.dtype), (*stack.shape[:-2], *shape))
    return _written(ctx, out, stack, band, align)


def _written(ctx: JaxContext, out: Any, stack: Any, band: tuple[int, int], align: bytes) -> Any:
    rows, columns = out.shape[-2:]
    found, longest = _diagonals(band, rows, columns)
    if stack.shape[-1] != longest:
        raise RunError(f"diagonals of {stack.shape[-1]} elements were given; the longest has {longest}")
    out = ctx.xp.asarray(out)
    for place, d in enumerate(found):
        length = _length(rows, columns, d)
        start = _start(d, length, longest, align)
        out = out.at[(..., *_cells(d, length))].set(stack[..., place, start : start + length])
    return out


def _set(ctx: JaxContext, x: Any, diagonal: Any, band: tuple[int, int], align: bytes) -> Any:
    stack = _stacked(diagonal, band)
    if x.ndim < 2 or stack.shape[:-2] != x.shape[:-2]:
        raise RunError(f"diagonals of the shape {list(diagonal.shape)} do not fit {list(x.shape)}")
    _must_lie(band, *x.shape[-2:])
    return _written(ctx, x, stack, band, align)


def _matrix_diag_v2(ctx: JaxContext, diagonal: Any, k: Any, num_rows: Any, num_cols: Any, padding_value: Any) -> Any:
    return _matrix_diag_v3(ctx, diagonal, k, num_rows, num_cols, padding_value, align=b"LEFT_LEFT")


def _matrix_diag_v3(
    ctx: JaxContext,
    diagonal: Any,
    k: Any,
    num_rows: Any,
    num_cols: Any,
    padding_value: Any,
    *,
    align: bytes = b"RIGHT_LEFT",
) -> Any:
    band = _known_band(k)
    stack = _stacked(diagonal, band)
    longest = stack.shape[-1]
    rows, columns = number(num_rows), number(num_cols)
    least_rows, least_columns = longest - min(band[1], 0), longest + max(band[0], 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows = least_rows if rows == -1 else rows
    columns = least_columns if columns == -1 else columns
    if rows < least_rows or columns < least_columns or (rows != least_rows and columns != least_columns):
        raise RunError(f"a matrix of {rows} x {columns} does not fit diagonals of {longest} elements")
    return _placed(ctx, stack, band, (rows, columns), padding_value, align)


def _known_band(k: Any) -> tuple[int, int]:
    return _band(known(k, "which diagonals"))


def _matrix_diag_part_v2(ctx: JaxContext, x: Any, k: Any, padding_value: Any) -> Any:
    return _matrix_diag_part_v3(ctx, x, k, padding_value, align=b"LEFT_LEFT")


def _matrix_diag_part_v3(ctx: JaxContext, x: Any, k: Any, padding_value: Any, *, align: bytes = b"RIGHT_LEFT") -> Any:
    if x.ndim < 2:
        raise RunError(f"{x.ndim} dimensions hold no matrix")
    band = _known_band(k)
    rows, columns = x.shape[-2:]
    _must_lie(band, rows, columns)
    found, longest = _diagonals(band, rows, columns)
    filler = ctx.xp.asarray(padding_value, x.dtype)
    out = ctx.xp.broadcast_to(filler, (*x.shape[:-2], len(found), longest))
    for place, d in enumerate(found):
        length = _length(rows, columns, d)
        start = _start(d, length, longest, align)
        out = out.at[..., place, start : start + length].set(x[(..., *_cells(d, length))])
    return out[..., 0, :] if len(found) == 1 else out


def _matrix_set_diag_v2(ctx: JaxContext, x: Any, diagonal: Any, k: Any) -> Any:
    return _set(ctx, x, diagonal, _known_band(k), b"LEFT_LEFT")


def _matrix_set_diag_v3(ctx: JaxContext, x: Any, diagonal: Any, k: Any, *, align: bytes = b"RIGHT_LEFT") -> Any:
    return _set(ctx, x, diagonal, _known_band(k), align)


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
    "BatchMatrixBandPart": _band_part,
    "BatchMatrixDeterminant": _determinant,
    "BatchMatrixDiag": _matrix_diag,
    "BatchMatrixDiagPart": _matrix_diag_part,
    "BatchMatrixInverse": _inverse,
    "BatchMatrixSetDiag": _matrix_set_diag,
    "BatchMatrixSolve": _solve,
    "BatchMatrixTriangularSolve": _triangular_solve,
    "BatchSelfAdjointEigV2": _self_adjoint_eig,
    "BatchSvd": _svd,
    "Cholesky": _cholesky,
    "Diag": _diag,
    "DiagPart": _diag_part,
    "LogMatrixDeterminant": _log_determinant,
    "MatrixBandPart": _band_part,
    "MatrixDeterminant": _determinant,
    "MatrixDiag": _matrix_diag,
    "MatrixDiagPart": _matrix_diag_part,
    "MatrixDiagPartV2": _matrix_diag_part_v2,
    "MatrixDiagPartV3": _matrix_diag_part_v3,
    "MatrixDiagV2": _matrix_diag_v2,
    "MatrixDiagV3": _matrix_diag_v3,
    "MatrixInverse": _inverse,
    "MatrixSetDiag": _matrix_set_diag,
    "MatrixSetDiagV2": _matrix_set_diag_v2,
    "MatrixSetDiagV3": _matrix_set_diag_v3,
    "MatrixSolve": _solve,
    "MatrixTriangularSolve": _triangular_solve,
    "Qr": _qr,
    "SelfAdjointEigV2": _self_adjoint_eig,
    "Svd": _svd,
}
