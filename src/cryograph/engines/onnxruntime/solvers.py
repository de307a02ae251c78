"""Lowerings of least squares, of factors of matrices and their gradients, and of matrices of a few diagonals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, DType
from ...base.shapes import Shape
from ...program.program import Step
from .builder import Builder, Table
from .control import repeated
from .jacobi import singular
from .matrices import (
    check_square,
    column_of,
    matrices_of,
    numbers_of,
    size_of,
    solved,
    stood,
    triangle,
    triangular_solve,
    turned,
)
from .values import Refusal, Value

RANKLESS = {FLOAT32: 1e-5, FLOAT64: 1e-13}
"""A pivot of less than this part of the largest element may be none in the precision of TensorFlow's factors."""


def _product(g: Builder, x: Value, y: Value) -> Value:
    shape: Shape = None if x.shape is None or y.shape is None else (*x.shape[:-1], y.shape[-1])
    return g.op("MatMul", x, y, shape=shape)


def least_squares(g: Builder, step: Step, a: Value, b: Value, regularizer: Value, *, fast: bool = True) -> Value:
    """By the normal equations, or (not `fast`) of the smallest norm, whatever the rank."""
    left, right = matrices_of(g, step, a, b)
    rows, columns, added = a.size(-2), a.size(-1), float(g.fixed(regularizer, "the regularizer"))
    if rows is None or columns is None or a.rank != b.rank or (a.shape or ())[:-1] != (b.shape or ())[:-1]:
        raise Refusal("the matrices are not known to have as many rows as right sides")
    if (a.rank > 2 and None in (a.shape or ())[:-2]) or added < 0:
        raise Refusal("batches of unknown sizes, and regularizers below 0, are left to numpy")
    shape = (*(a.shape or ())[:-1][:-1], columns, b.size(-1))
    if not fast:
        return g.cast(_smallest(g, a, right, np.finfo(a.dtype.numpy or np.float32).eps * min(rows, columns)), a.dtype)
    more = g.const(added * np.eye(min(rows, columns)), FLOAT64)
    flipped = turned(g, left)
    least = RANKLESS[a.dtype]
    if rows >= columns:
        made = solved(g, g.binary("Add", _product(g, flipped, left), more), _product(g, flipped, right), least)
    else:
        made = _product(g, flipped, solved(g, g.binary("Add", _product(g, left, flipped), more), right, least))
    return g.cast(Value(made.name, FLOAT64, shape), a.dtype)


def _smallest(g: Builder, a: Value, b: Value, least: float) -> Value:
    """By singular values, of which the small ones count as 0."""
    values, u, v, (rows, columns), batch = singular(g, g.cast(a, FLOAT64), True, False)
    if u is None or v is None:
        raise Refusal("least squares need the vectors")
    count = min(rows, columns)
    largest = g.op("ReduceMax", values, g.ints([1]), keepdims=1, shape=(None, 1))
    floor = g.op("Mul", largest, g.const(least, FLOAT64), shape=(None, 1))
    counts = g.op("Greater", values, floor, dtype=BOOL, shape=(None, count))
    one = g.const(1, FLOAT64)
    inverse = g.op("Div", one, g.where(counts, values, one, values.shape), shape=(None, count))
    inverse = g.where(counts, inverse, g.const(0, FLOAT64), (None, count))
    sides = g.op("Reshape", b, g.ints([-1, rows, b.size(-1) or 0]), shape=(None, rows, b.size(-1)))
    inner = g.op("MatMul", g.transpose(Value(u.name, FLOAT64, (None, rows, count)), [0, 2, 1]), sides,
                 shape=(None, count, b.size(-1)))  # fmt: skip
    made = g.op("MatMul", v, g.op("Mul", inner, g.unsqueeze(inverse, [2]), shape=inner.shape))
    target = (
        g.concat([batch, g.ints([columns, b.size(-1) or 0])], 0, (b.rank,))
        if b.rank > 2
        else g.ints([columns, b.size(-1) or 0])
    )
    return g.op("Reshape", made, target, shape=(*(b.shape or ())[:-2], columns, b.size(-1)))


def cholesky_grad(g: Builder, step: Step, factor: Value, gradient: Value) -> Value:
    """L^-T phi(L^T G) L^-1, made symmetric; phi keeps the lower triangle and half of the diagonal (Murray, 2016)."""
    lower, given = (triangle(g, x, False, 0) for x in matrices_of(g, step, factor, gradient))
    check_square(lower)
    size = factor.size(-1) or 0
    eye = g.const(np.eye(size), FLOAT64)
    diagonal = g.op("ReduceSum", g.op("Mul", lower, eye, shape=factor.shape), g.ints([-1]), keepdims=1)
    none = g.op("Equal", diagonal, g.const(0, FLOAT64), dtype=BOOL)
    found = g.op("ReduceMax", g.cast(none, INT32), g.ints([-2]), keepdims=1)
    broken = g.cast(found, BOOL)
    lower = g.where(broken, eye, lower, factor.shape)
    scale = g.const(1 - 0.5 * np.eye(size), FLOAT64)
    half = g.op("Mul", triangle(g, _product(g, turned(g, lower), given), False, 0), scale, shape=factor.shape)
    whole = g.op("Expand", eye, g.shape_of(factor), shape=factor.shape)
    inverse = triangular_solve(g, step, lower, whole)
    made = _product(g, _product(g, turned(g, inverse), half), inverse)
    both = g.op("Add", made, turned(g, made), shape=factor.shape)
    mean = g.op("Mul", both, g.const(0.5, FLOAT64), shape=factor.shape)
    return g.cast(g.where(broken, g.const(np.nan, FLOAT64), mean, factor.shape), factor.dtype)


def lu(g: Builder, step: Step, x: Value, *, output_idx_type: DType = INT32) -> list[Value]:
    """L below the diagonal and U on and above it; and the rows in the order of P a = L U."""
    (a,) = matrices_of(g, step, x)
    check_square(a)
    size, numbers = size_of(g, a, -1), numbers_of(g, a, -2)
    batch = g.sizes(a, range(a.rank - 1))
    order = g.op("Expand", numbers, batch, shape=(a.shape or ())[:-1])

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        now, order = held
        column = column_of(g, now, turn, -1)
        open_ = g.binary("GreaterOrEqual", numbers, turn, BOOL)
        number = g.unary("Not", g.unary("IsNaN", column, BOOL))
        sizes = g.where(number, g.unary("Abs", column), g.const(-1, FLOAT64), column.shape)
        sizes = g.where(open_, sizes, g.const(-2, FLOAT64), column.shape)
        one: Shape = None if column.shape is None else (*column.shape[:-1], 1)
        best = g.op("ArgMax", sizes, dtype=INT64, axis=-1, keepdims=1, shape=one)
        here, chosen = g.binary("Equal", numbers, turn, BOOL), g.binary("Equal", numbers, best, BOOL)
        # Each place takes the row of another one where these two change places.
        moved = g.where(here, best, g.where(chosen, turn, numbers, column.shape), column.shape)
        order = g.op("GatherElements", order, moved, axis=-1, shape=order.shape)
        places = g.op("Expand", stood(g, moved, -1), g.shape_of(now), shape=now.shape)
        now = g.op("GatherElements", now, places, axis=-2, shape=now.shape)
        column = column_of(g, now, turn, -1)
        pivot = g.unsqueeze(g.op("Gather", column, turn, axis=-1, shape=None if one is None else one[:-1]),
                            [a.rank - 2])  # fmt: skip
        below = g.binary("Greater", numbers, turn, BOOL)
        factors = g.where(below, g.binary("Div", column, pivot), g.const(0, FLOAT64), column.shape)
        right = g.where(g.binary("Greater", numbers, turn, BOOL), column_of(g, now, turn, -2), g.const(0, FLOAT64),
                        column.shape)  # fmt: skip
        after = g.binary("Sub", now, g.binary("Mul", stood(g, factors, -1), stood(g, right, -2)))
        kept = g.where(below, factors, column, column.shape)
        return None, [g.where(stood(g, here, -2), stood(g, kept, -1), after, now.shape), order]

    done, rows = repeated(g, size, [a, order], change)
    diagonal = g.op("ReduceSum", g.op("Mul", done, g.const(np.eye(x.size(-1) or 0), FLOAT64)), g.ints([-1]), keepdims=0)
    none = g.op("Equal", diagonal, g.const(0, FLOAT64), dtype=BOOL)
    count = g.op("ReduceSum", g.cast(none, INT64), keepdims=0, shape=())
    right = g.op("Equal", count, g.const(0, INT64), dtype=BOOL, shape=())
    done = g.behind(done, g.must(right, "a matrix is not invertible"))
    return [g.cast(Value(done.name, FLOAT64, x.shape), x.dtype), g.cast(rows, output_idx_type)]


# --- a few diagonals


def tridiagonal_mat_mul(g: Builder, step: Step, above: Value, main: Value, below: Value, b: Value) -> Value:
    """Each diagonal (..., 1, N) over `b` (..., N, K)."""
    if b.dtype not in (FLOAT32, FLOAT64) or b.rank < 2 or 0 in (b.shape or ()):
        raise Refusal(f"{step.op} of {b.dtype} has no lowering to ONNX")
    if any(part.shape != (*(b.shape or ())[:-2], 1, b.size(-2)) for part in (above, main, below)):
        raise Refusal("the diagonals are not known to fit")
    axis, last = b.rank - 2, g.ints([1 << 62])
    above, main, below = (turned(g, part) for part in (above, main, below))

    def part(x: Value, first: int, end: int | None) -> Value:
        return g.slice(x, g.ints([first]), last if end is None else g.ints([end]), [axis])

    def moved(x: Value, before: int, after: int) -> Value:
        pads = [0] * (2 * b.rank)
        pads[axis], pads[b.rank + axis] = before, after
        return g.op("Pad", x, g.ints(pads), g.like(0, b), mode="constant", shape=b.shape)

    upper = moved(g.op("Mul", part(above, 0, -1), part(b, 1, None)), 0, 1)
    lower = moved(g.op("Mul", part(below, 1, None), part(b, 0, -1)), 1, 0)
    made = g.op("Add", g.op("Mul", main, b, shape=b.shape), upper, shape=b.shape)
    return g.op("Add", made, lower, shape=b.shape)


def banded_solve(
    g: Builder, step: Step, bands: Value, b: Value, *, lower: bool = True, adjoint: bool = False
) -> Value:  # fmt: skip
    """`bands` (..., K, N) holds the diagonals: of a lower triangle the main one first and elements right-aligned, of an
    upper one it is last and they are left-aligned."""
    held, _ = matrices_of(g, step, bands, b)
    count, size = bands.size(-2), bands.size(-1)
    if count is None or size is None:
        raise Refusal("the bands have no known size")
    places = np.full((size, size), count * size)  # a zero behind the bands
    for k in range(min(count, size)):
        at = np.arange(size - k)
        if lower:
            places[at + k, at] = k * size + at + k
        else:
            places[at, at + k] = (count - 1 - k) * size + at
    rank = bands.rank
    lead = g.sizes(bands, range(rank - 2)) if rank > 2 else g.ints([])
    flat = g.op("Reshape", held, g.concat([lead, g.ints([count * size])], 0, (rank - 1,)))
    pads = [0] * (rank - 1) * 2
    pads[-1] = 1
    longer = g.op("Pad", flat, g.ints(pads), g.const(0, FLOAT64), mode="constant")
    whole = g.op("Gather", longer, g.const(places, INT64), axis=rank - 2, shape=(*(bands.shape or ())[:-2], size, size))
    main = g.slice(held, g.ints([0 if lower else count - 1]), g.ints([1 if lower else count]), [rank - 2])
    first = g.slice(g.reshape(main, [-1]), g.ints([0]), g.ints([size]), [0])  # TensorFlow looks at the first one only
    none = g.op("Equal", first, g.const(0, FLOAT64), dtype=BOOL, shape=(size,))
    found = g.op("ReduceSum", g.cast(none, INT64), keepdims=0, shape=())
    right = g.op("Equal", found, g.const(0, INT64), dtype=BOOL, shape=())
    sure = Value(g.behind(whole, g.must(right, "a matrix is not invertible")).name, FLOAT64, whole.shape)
    return triangular_solve(g, step, sure, b, lower=lower, adjoint=adjoint)


LOWERINGS: Table = {
    "BandedTriangularSolve": banded_solve,
    "BatchCholeskyGrad": cholesky_grad,
    "BatchMatrixSolveLs": least_squares,
    "CholeskyGrad": cholesky_grad,
    "Lu": lu,
    "MatrixSolveLs": least_squares,
    "TridiagonalMatMul": tridiagonal_mat_mul,
}
