"""Diagonals and bands of matrices, of any array namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import nothing
from .context import Context, Rule
from .forms import narrowed


def _band_part(ctx: Context, x: Any, lower: Any, upper: Any) -> Any:
    if x.ndim < 2:
        raise RunError(f"{x.ndim} dimensions hold no matrix")
    rows, columns = x.shape[-2:]
    ctx.check((lower > rows) | (upper > columns), f"the band is wider than the matrix of {rows} x {columns}")
    below = np.arange(rows)[:, None] - np.arange(columns)
    keep = ((lower < 0) | (below <= lower)) & ((upper < 0) | (-below <= upper))
    return ctx.xp.where(keep, x, np.zeros((), x.dtype))


def _diag(ctx: Context, x: Any) -> Any:
    return ctx.xp.diag(x.reshape(-1)).reshape(x.shape + x.shape)


def _diag_part(ctx: Context, x: Any) -> Any:
    shape = x.shape[: x.ndim // 2]
    if x.ndim % 2 or x.ndim == 0 or shape != x.shape[x.ndim // 2 :]:
        raise RunError(f"the shape {list(x.shape)} is not one shape twice")
    size = int(np.prod(shape))
    return ctx.xp.diagonal(x.reshape(size, size)).reshape(shape)


def _matrix_diag(ctx: Context, diagonal: Any) -> Any:
    shape = (diagonal.shape[-1],) * 2
    return _placed(ctx, diagonal[..., None, :], (0, 0), shape, nothing(diagonal.dtype), b"RIGHT_LEFT")


def _matrix_diag_part(ctx: Context, x: Any) -> Any:
    if x.ndim < 2:
        raise RunError(f"{x.ndim} dimensions hold no matrix")
    return ctx.xp.diagonal(x, axis1=-2, axis2=-1)


def _matrix_set_diag(ctx: Context, x: Any, diagonal: Any) -> Any:
    return _set(ctx, x, diagonal, (0, 0), b"RIGHT_LEFT")


def _band(ctx: Context, k: Any) -> tuple[int, int]:
    """The lowest and the highest diagonal; 0 is the main one, those above are positive."""
    found = ctx.sizes(k)
    if len(found) not in (1, 2) or found[0] > found[-1]:
        raise RunError(f"{list(found)} names no diagonals: one number, or the lowest and the highest")
    return found[0], found[-1]


def _length(rows: int, columns: int, d: int) -> int:
    return max(0, min(rows + min(d, 0), columns - max(d, 0)))


def _diagonals(band: tuple[int, int], rows: int, columns: int) -> tuple[list[int], int]:
    """The diagonals of a band from the highest down, and the length of the longest."""
    found = list(range(band[1], band[0] - 1, -1))
    return found, max(0, *(_length(rows, columns, d) for d in found))


def _must_lie(band: tuple[int, int], rows: int, columns: int) -> None:
    if any(d != 0 and not -rows < d < columns for d in band):
        raise RunError(f"the diagonals {list(band)} do not lie in a matrix of {rows} x {columns}")


def _start(d: int, length: int, longest: int, align: bytes) -> int:
    """Where a short diagonal starts in its row: at the side that `align` names for diagonals above and below."""
    above, below = align.split(b"_")
    side = above if d >= 0 else below
    return longest - length if side == b"RIGHT" else 0


def _cells(d: int, length: int) -> tuple[Array, Array]:
    steps = np.arange(length)
    return steps + max(-d, 0), steps + max(d, 0)


def _stacked(diagonal: Any, band: tuple[int, int]) -> Any:
    """(..., diagonals, longest), also where a single diagonal was given as a vector."""
    count = band[1] - band[0] + 1
    if count == 1:
        return diagonal[..., None, :]
    if diagonal.ndim < 2 or diagonal.shape[-2] != count:
        raise RunError(f"diagonals of the shape {list(diagonal.shape)} were given for {count}")
    return diagonal


def _placed(ctx: Context, stack: Any, band: tuple[int, int], shape: tuple[int, int], padding: Any, align: bytes) -> Any:
    """Matrices of a shape with the diagonals of a stack, and padding elsewhere."""
    return _written(ctx, ctx.xp.full((*stack.shape[:-2], *shape), padding, stack.dtype), stack, band, align)


def _written(ctx: Context, out: Any, stack: Any, band: tuple[int, int], align: bytes) -> Any:
    found, longest = _diagonals(band, *out.shape[-2:])
    if stack.shape[-1] != longest:
        raise RunError(f"diagonals of {stack.shape[-1]} elements were given; the longest has {longest}")
    for place, cells, run in _runs(found, longest, out.shape, align):
        out = ctx.written(out, cells, stack[..., place, run])
    return out


def _runs(
    found: list[int], longest: int, shape: tuple[int, ...], align: bytes
) -> Iterator[tuple[int, tuple[Any, ...], slice]]:
    """For each diagonal its place in a stack, its cells in the matrix, and where it stands in its row."""
    rows, columns = shape[-2:]
    for place, d in enumerate(found):
        length = _length(rows, columns, d)
        start = _start(d, length, longest, align)
        yield place, (..., *_cells(d, length)), slice(start, start + length)


def _set(ctx: Context, x: Any, diagonal: Any, band: tuple[int, int], align: bytes) -> Any:
    stack = _stacked(diagonal, band)
    if x.ndim < 2 or stack.shape[:-2] != x.shape[:-2]:
        raise RunError(f"diagonals of the shape {list(diagonal.shape)} do not fit {list(x.shape)}")
    _must_lie(band, *x.shape[-2:])
    return _written(ctx, x.copy(), stack, band, align)


def _matrix_diag_v3(
    ctx: Context,
    diagonal: Any,
    k: Any,
    num_rows: Any,
    num_cols: Any,
    padding_value: Any,
    *,
    align: bytes = b"RIGHT_LEFT",
) -> Any:
    band = _band(ctx, k)
    stack = _stacked(diagonal, band)
    longest = stack.shape[-1]
    rows, columns = int(ctx.known(num_rows)), int(ctx.known(num_cols))
    least_rows, least_columns = longest - min(band[1], 0), longest + max(band[0], 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows = least_rows if rows == -1 else rows
    columns = least_columns if columns == -1 else columns
    if rows < least_rows or columns < least_columns or (rows != least_rows and columns != least_columns):
        raise RunError(f"a matrix of {rows} x {columns} does not fit diagonals of {longest} elements")
    return _placed(ctx, stack, band, (rows, columns), padding_value, align)


def _matrix_diag_part_v3(ctx: Context, x: Any, k: Any, padding_value: Any, *, align: bytes = b"RIGHT_LEFT") -> Any:
    if x.ndim < 2:
        raise RunError(f"{x.ndim} dimensions hold no matrix")
    band = _band(ctx, k)
    _must_lie(band, *x.shape[-2:])
    found, longest = _diagonals(band, *x.shape[-2:])
    out = ctx.xp.full((*x.shape[:-2], len(found), longest), padding_value, x.dtype)
    for place, cells, run in _runs(found, longest, x.shape, align):
        out = ctx.written(out, (..., place, run), x[cells])
    return out[..., 0, :] if len(found) == 1 else out


def _matrix_set_diag_v3(ctx: Context, x: Any, diagonal: Any, k: Any, *, align: bytes = b"RIGHT_LEFT") -> Any:
    return _set(ctx, x, diagonal, _band(ctx, k), align)


def _left(rule: Rule) -> Rule:
    """The second version, in which every diagonal starts at the left."""
    return narrowed(rule, "align", align=b"LEFT_LEFT")


RULES: dict[str, Rule] = {
    "BatchMatrixBandPart": _band_part,
    "BatchMatrixDiag": _matrix_diag,
    "BatchMatrixDiagPart": _matrix_diag_part,
    "BatchMatrixSetDiag": _matrix_set_diag,
    "Diag": _diag,
    "DiagPart": _diag_part,
    "MatrixBandPart": _band_part,
    "MatrixDiag": _matrix_diag,
    "MatrixDiagPart": _matrix_diag_part,
    "MatrixDiagPartV2": _left(_matrix_diag_part_v3),
    "MatrixDiagPartV3": _matrix_diag_part_v3,
    "MatrixDiagV2": _left(_matrix_diag_v3),
    "MatrixDiagV3": _matrix_diag_v3,
    "MatrixSetDiag": _matrix_set_diag,
    "MatrixSetDiagV2": _left(_matrix_set_diag_v3),
    "MatrixSetDiagV3": _matrix_set_diag_v3,
}
