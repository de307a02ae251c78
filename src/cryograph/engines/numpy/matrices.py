"""Diagonals and bands of matrices."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import nothing, sizes_of
from .context import Context, Rule


def _band_part(ctx: Context, x: Array, lower: Array, upper: Array) -> Array:
    if x.ndim < 2:
        raise RunError(f"{x.ndim} dimensions hold no matrix")
    rows, columns = x.shape[-2:]
    low, high = int(lower), int(upper)
    if low > rows or high > columns:
        raise RunError(f"the band from {low} to {high} is wider than the matrix of {rows} x {columns}")
    below = np.arange(rows)[:, None] - np.arange(columns)
    keep = ((low < 0) | (below <= low)) & ((high < 0) | (-below <= high))
    return np.where(keep, x, np.zeros((), x.dtype))


def _diag(ctx: Context, x: Array) -> Array:
    return np.diag(x.reshape(-1)).reshape(x.shape + x.shape)


def _diag_part(ctx: Context, x: Array) -> Array:
    shape = x.shape[: x.ndim // 2]
    if x.ndim % 2 or x.ndim == 0 or shape != x.shape[x.ndim // 2 :]:
        raise RunError(f"the shape {list(x.shape)} is not one shape twice")
    size = int(np.prod(shape))
    return np.diagonal(x.reshape(size, size)).reshape(shape)


def _matrix_diag(ctx: Context, diagonal: Array) -> Array:
    return _placed(diagonal[..., None, :], (0, 0), (diagonal.shape[-1],) * 2, nothing(diagonal.dtype), b"RIGHT_LEFT")


def _matrix_diag_part(ctx: Context, x: Array) -> Array:
    return np.diagonal(x, axis1=-2, axis2=-1)


def _matrix_set_diag(ctx: Context, x: Array, diagonal: Array) -> Array:
    return _set(x, diagonal, (0, 0), b"RIGHT_LEFT")


def _band(k: Array) -> tuple[int, int]:
    """The lowest and the highest diagonal; 0 is the main one, those above are positive."""
    found = sizes_of(k)
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


def _stacked(diagonal: Array, band: tuple[int, int]) -> Array:
    """(..., diagonals, longest), also where a single diagonal was given as a vector."""
    count = band[1] - band[0] + 1
    if count == 1:
        return diagonal[..., None, :]
    if diagonal.ndim < 2 or diagonal.shape[-2] != count:
        raise RunError(f"diagonals of the shape {list(diagonal.shape)} were given for {count}")
    return diagonal


def _placed(stack: Array, band: tuple[int, int], shape: tuple[int, int], padding: object, align: bytes) -> Array:
    """Matrices of a shape with the diagonals of a stack, and padding elsewhere."""
    out = np.full((*stack.shape[:-2], *shape), padding, stack.dtype)
    return _written(out, stack, band, align)


def _written(out: Array, stack: Array, band: tuple[int, int], align: bytes) -> Array:
    rows, columns = out.shape[-2:]
    found, longest = _diagonals(band, rows, columns)
    if stack.shape[-1] != longest:
        raise RunError(f"diagonals of {stack.shape[-1]} elements were given; the longest has {longest}")
    for place, d in enumerate(found):
        length = _length(rows, columns, d)
        start = _start(d, length, longest, align)
        out[(..., *_cells(d, length))] = stack[..., place, start : start + length]
    return out


def _set(x: Array, diagonal: Array, band: tuple[int, int], align: bytes) -> Array:
    stack = _stacked(diagonal, band)
    if x.ndim < 2 or stack.shape[:-2] != x.shape[:-2]:
        raise RunError(f"diagonals of the shape {list(diagonal.shape)} do not fit {list(x.shape)}")
    _must_lie(band, *x.shape[-2:])
    return _written(x.copy(), stack, band, align)


def _matrix_diag_v2(
    ctx: Context, diagonal: Array, k: Array, num_rows: Array, num_cols: Array, padding_value: Array
) -> Array:
    return _matrix_diag_v3(ctx, diagonal, k, num_rows, num_cols, padding_value, align=b"LEFT_LEFT")


def _matrix_diag_v3(
    ctx: Context,
    diagonal: Array,
    k: Array,
    num_rows: Array,
    num_cols: Array,
    padding_value: Array,
    *,
    align: bytes = b"RIGHT_LEFT",
) -> Array:
    band = _band(k)
    stack = _stacked(diagonal, band)
    longest = stack.shape[-1]
    rows, columns = int(num_rows), int(num_cols)
    least_rows, least_columns = longest - min(band[1], 0), longest + max(band[0], 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows = least_rows if rows == -1 else rows
    columns = least_columns if columns == -1 else columns
    if rows < least_rows or columns < least_columns or (rows != least_rows and columns != least_columns):
        raise RunError(f"a matrix of {rows} x {columns} does not fit diagonals of {longest} elements")
    return _placed(stack, band, (rows, columns), padding_value, align)


def _matrix_diag_part_v2(ctx: Context, x: Array, k: Array, padding_value: Array) -> Array:
    return _matrix_diag_part_v3(ctx, x, k, padding_value, align=b"LEFT_LEFT")


def _matrix_diag_part_v3(
    ctx: Context, x: Array, k: Array, padding_value: Array, *, align: bytes = b"RIGHT_LEFT"
) -> Array:
    if x.ndim < 2:
        raise RunError(f"{x.ndim} dimensions hold no matrix")
    band = _band(k)
    rows, columns = x.shape[-2:]
    _must_lie(band, rows, columns)
    found, longest = _diagonals(band, rows, columns)
    out = np.full((*x.shape[:-2], len(found), longest), padding_value, x.dtype)
    for place, d in enumerate(found):
        length = _length(rows, columns, d)
        start = _start(d, length, longest, align)
        out[..., place, start : start + length] = x[(..., *_cells(d, length))]
    return out[..., 0, :] if len(found) == 1 else out


def _matrix_set_diag_v2(ctx: Context, x: Array, diagonal: Array, k: Array) -> Array:
    return _set(x, diagonal, _band(k), b"LEFT_LEFT")


def _matrix_set_diag_v3(ctx: Context, x: Array, diagonal: Array, k: Array, *, align: bytes = b"RIGHT_LEFT") -> Array:
    return _set(x, diagonal, _band(k), align)


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
    "MatrixDiagPartV2": _matrix_diag_part_v2,
    "MatrixDiagPartV3": _matrix_diag_part_v3,
    "MatrixDiagV2": _matrix_diag_v2,
    "MatrixDiagV3": _matrix_diag_v3,
    "MatrixSetDiag": _matrix_set_diag,
    "MatrixSetDiagV2": _matrix_set_diag_v2,
    "MatrixSetDiagV3": _matrix_set_diag_v3,
}
