"""Matrices with three diagonals: (..., 3, N) holds the one above, the main one and the one below, each with N places,
of which the last above and the first below mean nothing."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given
from .factorings import matrices, no_number


def _solve(
    ctx: Context, diagonals: Array, b: Array, *, partial_pivoting: bool = True, perturb_singular: bool = False
) -> Array:
    """By elimination, all matrices of the batch at once. Matrices that are not invertible (or need pivots, without
    `partial_pivoting`) give no numbers; `perturb_singular` moves pivots off zero instead."""
    if perturb_singular and not partial_pivoting:
        raise RunError("perturb_singular needs partial_pivoting")
    if diagonals.ndim < 2 or diagonals.ndim != b.ndim or diagonals.shape[:-2] != b.shape[:-2]:
        raise RunError(f"diagonals {list(diagonals.shape)} and right sides {list(b.shape)} do not fit")
    if diagonals.shape[-2] != 3 or diagonals.shape[-1] != b.shape[-2]:
        raise RunError(f"three diagonals of {b.shape[-2]} numbers are wanted, not {list(diagonals.shape[-2:])}")
    if not b.size:
        return given(ctx, b)
    limits = np.finfo(diagonals.dtype)
    above, main, below = np.moveaxis(matrices(diagonals).reshape(-1, 3, diagonals.shape[-1]), 1, 0).copy()
    above[:, -1] = below[:, 0] = 0
    sides = matrices(b).reshape(-1, *b.shape[-2:])
    with np.errstate(all="ignore"):
        rows = _eliminated(above, main, below, sides, partial_pivoting, perturb_singular)
        x = _substituted(rows, limits if perturb_singular else None)
    return given(ctx, x.reshape(b.shape))


def _eliminated(above: Array, main: Array, below: Array, sides: Array, pivoting: bool, scaled: bool) -> list[Array]:
    """The upper triangle, a row (B, 3 + K) at a time: a pivot, the two numbers right of it, the right sides. Pivots
    are compared over the size of their rows if `scaled`."""
    size = main.shape[1]
    zero = np.zeros_like(main[:, :1])
    row = np.concatenate([main[:, :1], above[:, :1], zero, sides[:, 0]], 1)
    scale = np.abs(row[:, :3]).sum(1)
    rows = []
    for i in range(1, size):
        below_it = np.concatenate([below[:, i, None], main[:, i, None], above[:, i, None], sides[:, i]], 1)
        own = np.abs(below_it[:, :3]).sum(1)
        first, second = np.abs(row[:, 0]), np.abs(below_it[:, 0])
        if scaled:
            first, second = np.where(first == 0, 0, first / scale), np.where(second == 0, 0, second / own)
        swap = (second > first) & pivoting
        top, bottom = (np.where(swap[:, None], *pair) for pair in ((below_it, row), (row, below_it)))
        scale = np.where(swap, scale, own)
        factor = np.where(bottom[:, 0] == 0, 0, bottom[:, 0] / top[:, 0])
        rest = bottom[:, 1:] - factor[:, None] * top[:, 1:]
        rows.append(top)
        row = np.concatenate([rest[:, :2], zero, rest[:, 2:]], 1)
    return [*rows, row]


def _substituted(rows: list[Array], limits: np.finfo | None) -> Array:
    """(B, N, K) from the last row up. Pivots of zero give no numbers, or are moved where `limits` (of the floats that
    TensorFlow computes with) are given."""
    pivots = np.stack([row[:, 0] for row in rows], 1)
    if limits is not None:
        counted = np.stack([np.abs(row[:, :3]).max(1) for row in (rows[0], *rows[:-2])], 1).max(1)
        largest = np.maximum(counted, np.abs(pivots[:, -1]))
    x: list[Array] = []
    nothing = np.zeros_like(rows[0][:, 3:])
    for row in reversed(rows):
        after, next_one = [*x[::-1], nothing, nothing][:2]
        side = row[:, 3:] - row[:, 1, None] * after - row[:, 2, None] * next_one
        pivot = row[:, 0]
        if limits is not None:
            pivot, side = _moved(pivot, side, float(limits.eps) * largest, float(limits.tiny))
        x.append(side / pivot[:, None])
    found = np.stack(x[::-1], 1)
    if limits is None:
        found[(pivots == 0).any(1)] = no_number(found)
    return found


def _moved(pivot: Array, side: Array, step: Array, least: float) -> tuple[Array, Array]:
    """Pivots (B,) moved off zero by steps that double, until no quotient overflows; as LAPACK's xLAGTS."""
    step = np.copysign(np.maximum(step, least), pivot.real)
    largest = np.abs(side).max(1)
    active = np.abs(pivot) < 1
    while active.any():
        size = np.abs(pivot)
        tiny = size < least
        over = np.where(tiny, (size == 0) | (largest * least > size), largest > size / least)
        scaled = active & tiny & ~over
        pivot, side = np.where(scaled, pivot / least, pivot), np.where(scaled[:, None], side / least, side)
        active = active & over
        pivot = np.where(active, pivot + step, pivot)
        step = np.where(active, step * 2, step)
        active = active & (np.abs(pivot) < 1)
    return pivot, side


def _mat_mul(ctx: Context, above: Array, main: Array, below: Array, b: Array) -> Array:
    """Each diagonal (..., 1, N) over `b` (..., N, K)."""
    wanted = (*b.shape[:-2], 1, b.shape[-2]) if b.ndim > 1 else ()
    for name, diagonal in (("above", above), ("main", main), ("below", below)):
        if b.ndim < 2 or diagonal.shape != wanted:
            raise RunError(f"the diagonal {name} of shape {list(diagonal.shape)} does not fit {list(b.shape)}")
    above, main, below = (item.swapaxes(-1, -2) for item in (above, main, below))
    made = main * b
    made[..., :-1, :] += above[..., :-1, :] * b[..., 1:, :]
    made[..., 1:, :] += below[..., 1:, :] * b[..., :-1, :]
    return made


RULES: dict[str, Rule] = {
    "TridiagonalMatMul": _mat_mul,
    "TridiagonalSolve": _solve,
}
