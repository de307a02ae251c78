"""Lowerings of linear algebra: loops over the columns of all matrices of a batch at once, in doubles.

ONNX Runtime's kernels for these are none. Pivots are chosen as TensorFlow chooses them. A matrix that TensorFlow may
find singular ends the run, by an index that is out of range: numpy then decides, and says so in the words of the step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...base.shapes import Shape
from ...program.program import Step
from .builder import Builder, Table
from .control import repeated
from .values import Refusal, Value

SINGULAR = 1e-13
"""A pivot of less than this part of the largest element may be 0 in another order of the same sums."""


def matrices_of(g: Builder, step: Step, *inputs: Value) -> list[Value]:
    """The inputs in doubles; Refusal unless they are known to be matrices that hold something."""
    for x in inputs:
        if x.dtype not in (FLOAT32, FLOAT64):
            raise Refusal(f"{step.op} on {x.dtype} has no lowering to ONNX")
        if x.rank < 2 or 0 in (x.shape or ()):
            raise Refusal(f"{step.op} of the shape {list(x.shape or ())} is left to numpy")
    return [g.cast(x, FLOAT64) for x in inputs]


def check_square(x: Value) -> None:
    rows, columns = x.size(-2), x.size(-1)
    if rows is None or rows != columns:
        raise Refusal("the matrices are not known to be square")


def turned(g: Builder, x: Value) -> Value:
    return g.transpose(x, [*range(x.rank - 2), x.rank - 1, x.rank - 2])


def size_of(g: Builder, x: Value, axis: int) -> Value:
    """The size of a dimension as a scalar."""
    return g.squeeze(g.sizes(x, [x.rank + axis]), [0])


def numbers_of(g: Builder, x: Value, axis: int) -> Value:
    """0, 1, 2 ... along a dimension."""
    size = x.size(axis)
    if size is not None:
        return g.const(np.arange(size), INT64)
    return g.op("Range", g.const(0, INT64), size_of(g, x, axis), g.const(1, INT64), shape=(None,))


def column_of(g: Builder, x: Value, place: Value, axis: int) -> Value:
    """One column (axis -1) or row (axis -2), without its dimension."""
    shape = None if x.shape is None else tuple(s for i, s in enumerate(x.shape) if i != len(x.shape) + axis)
    return g.op("Gather", x, place, axis=axis, shape=shape)


def stood(g: Builder, x: Value, axis: int) -> Value:
    """A vector as a column (axis -1) or a row (axis -2)."""
    return g.unsqueeze(x, [x.rank if axis == -1 else x.rank - 1])


def _must_not(g: Builder, bad: Value, made: Value) -> Value:
    """`made`; the run ends where something bad is found."""
    found = g.op("ReduceMax", g.cast(g.reshape(bad, [-1]), INT64), keepdims=0, shape=())
    return g.binary("Add", made, g.op("Gather", g.const([0.0], FLOAT64), found, axis=0, shape=()))


# --- elimination


def _eliminated(g: Builder, whole: Value, size: Value, numbers: Value) -> tuple[Value, Value, Value]:
    """Matrices whose first square is made the identity by Gauss and Jordan's steps with the largest pivot of each
    column; with these pivots (..., N) and whether rows were swapped (..., N)."""
    batch: Shape = None if whole.shape is None else (*whole.shape[:-2], whole.shape[-2])
    zeros = g.op("Sub", *[column_of(g, whole, g.const(0, INT64), -1)] * 2, shape=batch)

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        now, pivots, swaps = held
        column = column_of(g, now, turn, -1)
        here = g.binary("Equal", numbers, turn, BOOL)
        open_ = g.binary("GreaterOrEqual", numbers, turn, BOOL)
        # What is not a number is the last to be chosen, but before the rows that have been.
        number = g.unary("Not", g.unary("IsNaN", column, BOOL))
        sizes = g.where(number, g.unary("Abs", column), g.const(-1, FLOAT64), column.shape)
        sizes = g.where(open_, sizes, g.const(-2, FLOAT64), column.shape)
        one: Shape = None if column.shape is None else (*column.shape[:-1], 1)
        best = g.op("ArgMax", sizes, dtype=INT64, axis=-1, keepdims=1, shape=one)
        chosen = g.binary("Equal", numbers, best, BOOL)
        row = stood(g, column_of(g, now, turn, -2), -2)
        places = g.op("Expand", stood(g, best, -1), g.shape_of(row))
        picked = g.op("GatherElements", now, places, axis=-2, shape=row.shape)
        pivot = g.op("GatherElements", column, best, axis=-1, shape=one)
        scaled = g.binary("Div", picked, stood(g, pivot, -1))
        swapped = g.where(stood(g, chosen, -1), row, now, now.shape)
        factors = g.where(chosen, column_of(g, row, turn, -1), column, column.shape)
        reduced = g.binary("Sub", swapped, g.binary("Mul", stood(g, factors, -1), scaled))
        after = g.where(stood(g, here, -1), scaled, reduced, now.shape)
        moved = g.cast(g.unary("Not", g.binary("Equal", best, turn, BOOL)), FLOAT64)
        return None, [
            after,
            g.where(here, pivot, pivots, pivots.shape),
            g.where(here, moved, swaps, swaps.shape),
        ]

    done, pivots, swaps = repeated(g, size, [whole, zeros, zeros], change)
    return done, pivots, swaps


def solved(g: Builder, a: Value, b: Value, singular: float = SINGULAR) -> Value:
    """The x of a x = b."""
    whole = g.op("Concat", a, b, axis=-1, shape=None if b.shape is None else (*b.shape[:-1], None))
    size = size_of(g, a, -1)
    done, pivots, _ = _eliminated(g, whole, size, numbers_of(g, a, -2))
    columns = g.reshape(size, [1])
    x = g.slice(done, columns, g.ints([np.iinfo(np.int64).max]), [a.rank - 1])
    x = Value(x.name, FLOAT64, b.shape)
    sizes = g.unary("Abs", pivots)
    least = g.op("ReduceMin", sizes, g.ints([-1]), keepdims=0)
    most = g.op("ReduceMax", g.unary("Abs", a), g.ints([-2, -1]), keepdims=0)
    return _must_not(g, g.binary("LessOrEqual", least, g.binary("Mul", most, g.const(singular, FLOAT64)), BOOL), x)


def inverse(g: Builder, step: Step, x: Value, *, adjoint: bool = False) -> Value:
    (a,) = matrices_of(g, step, x)
    check_square(a)
    size = a.size(-1) or 0
    identity = g.op("Expand", g.const(np.eye(size), FLOAT64), g.shape_of(a), shape=a.shape)
    made = solved(g, turned(g, a) if adjoint else a, identity)
    return g.cast(Value(made.name, FLOAT64, x.shape), x.dtype)


def solve(g: Builder, step: Step, x: Value, y: Value, *, adjoint: bool = False) -> Value:
    a, b = matrices_of(g, step, x, y)
    check_square(a)
    if (
        a.rank != b.rank
        or (x.shape or ())[:-1] != (y.shape or ())[:-1]
        or (a.rank > 2 and None in (x.shape or ())[:-2])
    ):
        raise Refusal("the matrices are not known to have as many right sides")
    made = solved(g, turned(g, a) if adjoint else a, b)
    return g.cast(Value(made.name, FLOAT64, y.shape), y.dtype)


def determinant(g: Builder, step: Step, x: Value) -> Value:
    (a,) = matrices_of(g, step, x)
    check_square(a)
    _, pivots, swaps = _eliminated(g, a, size_of(g, a, -1), numbers_of(g, a, -2))
    shape = (x.shape or ())[:-2]
    return g.cast(g.op("ReduceProd", _signed(g, pivots, swaps), g.ints([-1]), keepdims=0, shape=shape), x.dtype)


def _signed(g: Builder, pivots: Value, swaps: Value) -> Value:
    """Pivots, negative where rows were swapped; all 0 from the first that is, behind which nothing is right."""
    made = g.where(g.cast(swaps, BOOL), g.unary("Neg", pivots), pivots, pivots.shape)
    none = g.op("ReduceMin", g.unary("Abs", pivots), g.ints([-1]), keepdims=1)
    return g.where(g.binary("Equal", none, g.const(0, FLOAT64), BOOL), g.const(0, FLOAT64), made, pivots.shape)


def log_determinant(g: Builder, step: Step, x: Value) -> list[Value]:
    """The sign, and the logarithm of the magnitude."""
    (a,) = matrices_of(g, step, x)
    check_square(a)
    _, pivots, swaps = _eliminated(g, a, size_of(g, a, -1), numbers_of(g, a, -2))
    made, last, shape = _signed(g, pivots, swaps), g.ints([-1]), (x.shape or ())[:-2]
    sign = g.op("ReduceProd", g.unary("Sign", made), last, keepdims=0, shape=shape)
    size = g.op("ReduceSum", g.unary("Log", g.unary("Abs", made)), last, keepdims=0, shape=shape)
    return [g.cast(sign, x.dtype), g.cast(size, x.dtype)]


# --- triangles


def triangle(g: Builder, x: Value, upper: bool, k: int) -> Value:
    return g.op("Trilu", x, g.const(k, INT64), upper=int(upper), shape=x.shape)


def cholesky(g: Builder, step: Step, x: Value) -> Value:
    """Column by column, of the lower triangle. What is not positive definite gives NaN."""
    (a,) = matrices_of(g, step, x)
    check_square(a)
    numbers = numbers_of(g, a, -2)
    zeros = g.op("Expand", g.const(0, FLOAT64), g.shape_of(a), shape=a.shape)
    first = g.const(0, INT64)
    fine = g.op(
        "Add", column_of(g, column_of(g, zeros, first, -1), first, -1), g.const(1, FLOAT64), shape=(a.shape or ())[:-2]
    )

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        done, pivots = held
        row = stood(g, column_of(g, done, turn, -2), -1)
        products = g.squeeze(g.op("MatMul", done, row, shape=row.shape), [row.rank - 1])
        column = g.binary("Sub", column_of(g, a, turn, -1), products)
        pivot = g.op("Gather", column, turn, axis=-1, shape=pivots.shape)
        root = g.unsqueeze(g.unary("Sqrt", pivot), [pivot.rank])
        below = g.binary("Greater", numbers, turn, BOOL)
        here = g.binary("Equal", numbers, turn, BOOL)
        made = g.where(below, g.binary("Div", column, root), g.const(0, FLOAT64), column.shape)
        made = g.where(here, root, made, column.shape)
        after = g.where(here, stood(g, made, -1), done, done.shape)
        lost = g.binary("LessOrEqual", pivot, g.const(0, FLOAT64), BOOL)
        return None, [after, g.where(lost, g.const(0, FLOAT64), pivots, pivots.shape)]

    done, well = repeated(g, size_of(g, a, -1), [zeros, fine], change)
    failed = g.unsqueeze(g.binary("Equal", well, g.const(0, FLOAT64), BOOL), [well.rank, well.rank + 1])
    made = g.where(failed, g.const(np.nan, FLOAT64), done, done.shape)
    return g.cast(triangle(g, made, False, 0), x.dtype)


def triangular_solve(g: Builder, step: Step, x: Value, y: Value, *, lower: bool = True, adjoint: bool = False) -> Value:
    """Row by row, from the first for a lower triangle. A zero on the diagonal gives infinities."""
    a, b = matrices_of(g, step, x, y)
    check_square(a)
    upward = lower == adjoint
    if adjoint:
        a = turned(g, a)
    size, numbers = size_of(g, a, -1), numbers_of(g, a, -1)
    strict = triangle(g, a, upward, 1 if upward else -1)
    corner = g.slice(a, g.ints([0, 0]), g.ints([1, 1]), [a.rank - 2, a.rank - 1])
    shape = g.shapes[0] if g.shapes else None
    whole = g.op("Shape", g.op("Add", corner, b), dtype=INT64, shape=(max(a.rank, b.rank),))
    zeros = g.op("Expand", g.const(0, FLOAT64), whole, shape=shape)

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        (done,) = held
        place = g.binary("Sub", g.binary("Sub", size, turn), g.const(1, INT64)) if upward else turn
        row = column_of(g, strict, place, -2)
        known = g.op("MatMul", stood(g, row, -2), done)
        rest = g.op("Sub", stood(g, column_of(g, b, place, -2), -2), known)
        pivot = g.op("Gather", column_of(g, a, place, -2), place, axis=-1, shape=(a.shape or ())[:-2])
        made = g.op("Div", rest, g.unsqueeze(pivot, [a.rank - 2, a.rank - 1]))
        return None, [g.where(stood(g, g.binary("Equal", numbers, place, BOOL), -1), made, done, done.shape)]

    (done,) = repeated(g, size, [zeros], change)
    return g.cast(done, y.dtype)


# --- orthogonal factors


def qr(g: Builder, step: Step, x: Value, *, full_matrices: bool = False) -> list[Value]:
    """Householder's reflections, one a column; where nothing is left below the diagonal there is none."""
    (a,) = matrices_of(g, step, x)
    rows, columns = a.size(-2), a.size(-1)
    if rows is None or columns is None:
        raise Refusal("the matrices have no known size")
    least, numbers, zero = min(rows, columns), numbers_of(g, a, -2), g.const(0, FLOAT64)
    batch = g.sizes(a, range(a.rank - 2))
    target = g.concat([batch, g.ints([rows, rows])], 0) if a.rank > 2 else g.ints([rows, rows])
    start = g.op("Expand", g.const(np.eye(rows), FLOAT64), target, shape=(*(a.shape or ())[:-2], rows, rows))

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        q, r = held
        column = column_of(g, r, turn, -1)
        below = g.where(g.binary("Greater", numbers, turn, BOOL), column, zero, column.shape)
        last = g.ints([-1])
        one: Shape = None if column.shape is None else (*column.shape[:-1], 1)
        rest = g.op("ReduceSum", g.binary("Mul", below, below), last, keepdims=1, shape=one)
        head = g.unsqueeze(g.op("Gather", column, turn, axis=-1, shape=None if one is None else one[:-1]), [a.rank - 2])
        size = g.unary("Sqrt", g.binary("Add", g.binary("Mul", head, head), rest))
        beta = g.where(g.binary("Less", head, zero, BOOL), size, g.unary("Neg", size), one)
        none = g.binary("Equal", rest, zero, BOOL)
        tau = g.where(none, zero, g.binary("Div", g.binary("Sub", beta, head), beta), one)
        scale = g.where(none, g.const(1, FLOAT64), g.binary("Sub", head, beta), one)
        here = g.binary("Equal", numbers, turn, BOOL)
        v = g.where(here, g.const(1, FLOAT64), g.binary("Div", below, scale), column.shape)
        standing, lying = stood(g, v, -1), stood(g, v, -2)
        twice = g.binary("Mul", standing, stood(g, tau, -1))
        r = g.binary("Sub", r, g.op("MatMul", twice, g.op("MatMul", lying, r, shape=None), shape=r.shape))
        q = g.binary("Sub", q, g.op("MatMul", g.op("MatMul", q, twice, shape=None), lying, shape=q.shape))
        return None, [q, r]

    q, r = repeated(g, g.const(least, INT64), [start, a], change)
    r = triangle(g, r, True, 0)
    if not full_matrices and least < rows:
        q = g.slice(q, g.ints([0]), g.ints([least]), [a.rank - 1])
        r = g.slice(r, g.ints([0]), g.ints([least]), [a.rank - 2])
    return [g.cast(q, x.dtype), g.cast(r, x.dtype)]


LOWERINGS: Table = {
    "BatchCholesky": cholesky,
    "BatchMatrixDeterminant": determinant,
    "BatchMatrixInverse": inverse,
    "BatchMatrixSolve": solve,
    "BatchMatrixTriangularSolve": triangular_solve,
    "Cholesky": cholesky,
    "LogMatrixDeterminant": log_determinant,
    "MatrixDeterminant": determinant,
    "MatrixInverse": inverse,
    "MatrixSolve": solve,
    "MatrixTriangularSolve": triangular_solve,
    "Qr": qr,
}
