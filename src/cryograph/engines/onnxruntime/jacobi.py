"""Lowerings of eigenvalues of real symmetric matrices and of singular values: by Jacobi's rotations, in doubles.

A turn rotates as many pairs of columns as there are at once, each column with one partner; the turns of a sweep bring
all columns together, as in a tournament. It ends when the largest product of two columns is a rounding error of their
sizes. Golub and Van Loan, "Matrix Computations", 8.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, FLOAT64, INT64
from ...base.tensors import Array
from ...program.program import Step
from .builder import Builder, Table
from .control import repeated
from .matrices import check_square, matrices_of, qr, triangle, turned
from .values import Refusal, Value

SWEEPS = 30
"""The most sweeps; matrices need six to ten, more when some of their numbers are much smaller than others."""
SMALL = 2.0**-51
"""Beside their sizes, what is left between two columns that are taken for apart: so much for each of their numbers."""
_BOTH = (None, None)
_WHOLE = (None, None, None)


def tournament(size: int) -> Array:
    """(turns, size): the partner of each column in each turn; itself where the number is odd and it has none."""
    even = size + size % 2
    order, found = list(range(even)), []
    for _ in range(max(even - 1, 1)):
        partner = np.arange(even)
        for a, b in zip(order[: even // 2], order[: even // 2 - 1 : -1], strict=True):
            partner[a], partner[b] = b, a
        found.append(np.where(partner[:size] < size, partner[:size], np.arange(size)))
        order = [order[0], order[-1], *order[1:-1]]
    return np.array(found)


def _rotation(g: Builder, partner: Value, between: Value, own: Value, other: Value) -> tuple[Value, Value]:
    """Cosines and sines (B, N) by which columns are turned against their partners, as `c x - s y`, so that nothing is
    left `between` them. `own` and `other` are their sizes. The sine of a partner is the negative one."""
    one, two, zero = (g.const(n, FLOAT64) for n in (1, 2, 0))
    number = g.op("Range", g.const(0, INT64), g.reshape(g.sizes(own, [1]), []), g.const(1, INT64), shape=(None,))
    ahead = g.op("Less", number, partner, dtype=BOOL, shape=(None,))
    # Both partners go by the same number: what rounding makes of its twin would turn them by different angles.
    between = g.where(ahead, between, g.op("Gather", between, partner, axis=1, shape=_BOTH), _BOTH)
    alone = g.op("Equal", number, partner, dtype=BOOL, shape=(None,))
    none = g.op("Or", alone, g.op("Equal", between, zero, dtype=BOOL, shape=_BOTH), dtype=BOOL, shape=_BOTH)
    divisor = g.where(none, one, g.op("Mul", between, two, shape=_BOTH), _BOTH)
    ratio = g.op("Div", g.op("Sub", other, own, shape=_BOTH), divisor, shape=_BOTH)
    tie = g.op("Equal", ratio, zero, dtype=BOOL, shape=_BOTH)
    sign = g.where(tie, g.where(ahead, one, g.const(-1, FLOAT64), (None,)), g.unary("Sign", ratio), _BOTH)
    size = g.unary("Abs", ratio)
    root = g.unary("Sqrt", g.op("Add", one, g.op("Mul", size, size, shape=_BOTH), shape=_BOTH))
    tangent = g.op("Div", sign, g.op("Add", size, root, shape=_BOTH), shape=_BOTH)
    tangent = g.where(none, zero, tangent, _BOTH)
    length = g.unary("Sqrt", g.op("Add", one, g.op("Mul", tangent, tangent, shape=_BOTH), shape=_BOTH))
    cosine = g.op("Div", one, length, shape=_BOTH)
    return cosine, g.op("Mul", tangent, cosine, shape=_BOTH)


def _turned_by(g: Builder, x: Value, partner: Value, cosine: Value, sine: Value, axis: int) -> Value:
    """Columns (axis 2) or rows (axis 1) turned against their partners."""
    c, s = (g.unsqueeze(part, [3 - axis]) for part in (cosine, sine))
    other = g.op("Mul", g.op("Gather", x, partner, axis=axis, shape=_WHOLE), s, shape=_WHOLE)
    return g.op("Sub", g.op("Mul", x, c, shape=_WHOLE), other, shape=_WHOLE)


def _partner(g: Builder, turn: Value, rounds: Array) -> Value:
    here = g.op("Mod", turn, g.const(len(rounds), INT64), shape=())
    return g.op("Gather", g.const(rounds, INT64), here, axis=0, shape=(rounds.shape[1],))


def _identities(g: Builder, x: Value, size: int) -> Value:
    many = g.concat([g.sizes(x, [0]), g.ints([size, size])], 0, (3,))
    return g.op("Expand", g.const(np.eye(size), FLOAT64), many, shape=_WHOLE)


def _largest(g: Builder, x: Value) -> Value:
    return g.op("ReduceMax", g.unary("Abs", x), keepdims=0, shape=())


def _diagonal(g: Builder, x: Value, size: int) -> Value:
    """(B, N) of (B, N, N)."""
    return g.op("ReduceSum", g.op("Mul", x, g.const(np.eye(size), FLOAT64), shape=_WHOLE), g.ints([2]), keepdims=0,
                shape=_BOTH)  # fmt: skip


def _ordered(g: Builder, values: Value, largest: int, *columns: Value) -> tuple[Value, list[Value]]:
    """Values by size, and the columns that belong to them."""
    kinds, shapes = [FLOAT64, INT64], [_BOTH] * 2
    count = g.sizes(values, [1])
    found, order = g.ops("TopK", values, count, dtypes=kinds, shapes=shapes, axis=1, largest=largest, sorted=1)
    places = g.unsqueeze(order, [1])
    moved = []
    for column in columns:
        wide = g.op("Expand", places, g.op("Shape", column, dtype=INT64, shape=(3,)), shape=_WHOLE)
        moved.append(g.op("GatherElements", column, wide, axis=2, shape=_WHOLE))
    return found, moved


def _flat(g: Builder, x: Value) -> tuple[Value, list[int], Value]:
    """Doubles as (B, M, N), the sizes of a matrix, and the sizes of the batch."""
    (a,) = matrices_of(g, g.step, x)
    rows, columns = a.size(-2), a.size(-1)
    if rows is None or columns is None:
        raise Refusal("the matrices have no known size")
    made = g.op("Reshape", a, g.ints([-1, rows, columns]), shape=(None, rows, columns))
    return made, [rows, columns], g.sizes(a, range(a.rank - 2)) if a.rank > 2 else g.ints([])


def _laid(g: Builder, made: Value, x: Value, batch: Value, sizes: Sequence[int]) -> Value:
    """Back in the shape of the batch and the dtype of the input."""
    shape = g.concat([batch, g.ints(sizes)], 0, (x.rank - 2 + len(sizes),)) if x.rank > 2 else g.ints(sizes)
    return g.cast(g.op("Reshape", made, shape, shape=(*(x.shape or ())[:-2], *sizes)), x.dtype)


# --- eigenvalues


def _eigen(g: Builder, x: Value, lower: bool = True) -> tuple[Value, Value, int, Value]:
    """Values (B, N) that rise, and vectors (B, N, N) as columns; of one half of the matrices, which must be finite."""
    check_square(x)
    a, (size, _), batch = _flat(g, x)
    half, rest = triangle(g, a, not lower, 0), triangle(g, a, not lower, 1 if not lower else -1)
    a = g.op("Add", half, turned(g, rest), shape=_WHOLE)
    bad = g.op("Or", g.unary("IsNaN", a, BOOL), g.unary("IsInf", a, BOOL), dtype=BOOL, shape=_WHOLE)
    some = g.op("ReduceMax", g.cast(bad, INT64), keepdims=0, shape=())
    finite = g.op("Equal", some, g.const(0, INT64), dtype=BOOL, shape=())
    a = Value(g.behind(a, g.must(finite, "a matrix that is not finite has no eigenvalues")).name, FLOAT64, _WHOLE)
    rounds = tournament(size)
    apart = g.const(1 - np.eye(size), FLOAT64)
    limit = g.op("Mul", _largest(g, a), g.const(SMALL * size, FLOAT64), shape=())

    def change(turn: Value, held: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        now, vectors = held
        partner = _partner(g, turn, rounds)
        own = _diagonal(g, now, size)
        crossed = g.op("Gather", now, partner, axis=2, shape=_WHOLE)
        rotation = _rotation(g, partner, _diagonal(g, crossed, size), own, g.op("Gather", own, partner, axis=1,
                             shape=_BOTH))  # fmt: skip
        after = _turned_by(g, _turned_by(g, now, partner, *rotation, 2), partner, *rotation, 1)
        left = _largest(g, g.op("Mul", after, apart, shape=_WHOLE))
        more = g.op("Greater", left, limit, dtype=BOOL, shape=())
        return more, [after, _turned_by(g, vectors, partner, *rotation, 2)]

    turns = g.const(SWEEPS * len(rounds), INT64)
    done, vectors = repeated(g, turns, [a, _identities(g, a, size)], change)
    values, (columns,) = _ordered(g, _diagonal(g, done, size), 0, vectors)
    return values, columns, size, batch


def self_adjoint_eig_v2(g: Builder, step: Step, x: Value, *, compute_v: bool = True) -> list[Value | None]:
    """Without vectors a number stands in their place."""
    values, columns, size, batch = _eigen(g, x)
    found = _laid(g, values, x, batch, [size])
    return [found, _laid(g, columns, x, batch, [size, size]) if compute_v else g.const(0, x.dtype)]


def self_adjoint_eig(g: Builder, step: Step, x: Value) -> Value:
    """The values as a first row, the vectors below."""
    values, columns, size, batch = _eigen(g, x)
    both = g.op("Concat", g.unsqueeze(values, [1]), columns, axis=1, shape=_WHOLE)
    return _laid(g, both, x, batch, [size + 1, size])


def xla_eig(g: Builder, step: Step, x: Value, *, lower: bool, max_iter: int, epsilon: float) -> list[Value]:
    values, columns, size, batch = _eigen(g, x, lower)
    return [_laid(g, values, x, batch, [size]), _laid(g, columns, x, batch, [size, size])]


# --- singular values


def singular(
    g: Builder, x: Value, vectors: bool, full: bool
) -> tuple[Value, Value | None, Value | None, list[int], Value]:
    """Values (B, K) that fall, and both sets of vectors as columns; (M, N) and the batch. Not a number throughout for
    matrices that are not finite."""
    a, sizes, batch = _flat(g, x)
    bad = g.op("Or", g.unary("IsNaN", a, BOOL), g.unary("IsInf", a, BOOL), dtype=BOOL, shape=_WHOLE)
    wrong = g.op("ReduceMax", g.cast(bad, INT64), g.ints([1, 2]), keepdims=1, shape=_WHOLE)
    wrong = g.cast(wrong, BOOL)
    a = g.where(wrong, g.const(0, FLOAT64), a, (None, *sizes))
    is_wide = sizes[0] < sizes[1]
    if is_wide:
        a = turned(g, a)
    size = min(sizes)
    rounds, small = tournament(size), g.const(SMALL * max(sizes), FLOAT64)

    def product(x: Value, y: Value) -> Value:
        return g.op("ReduceSum", g.op("Mul", x, y, shape=_WHOLE), g.ints([1]), keepdims=0, shape=_BOTH)

    def change(turn: Value, held: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        now, other, worst = held
        partner = _partner(g, turn, rounds)
        own = product(now, now)
        theirs = g.op("Gather", own, partner, axis=1, shape=_BOTH)
        between = product(now, g.op("Gather", now, partner, axis=2, shape=_WHOLE))
        rotation = _rotation(g, partner, between, own, theirs)
        made = [_turned_by(g, part, partner, *rotation, 2) for part in (now, other)]
        # The largest of a sweep decides, as columns that have just been turned against each other are apart.
        scale = g.unary("Sqrt", g.op("Mul", own, theirs, shape=_BOTH))
        alone = g.op("Equal", g.const(np.arange(size), INT64), partner, dtype=BOOL, shape=(None,))
        left = g.where(alone, g.const(0, FLOAT64), between, _BOTH)
        wide = g.op("Greater", g.unary("Abs", left), g.op("Mul", scale, small, shape=_BOTH),
                    dtype=BOOL, shape=_BOTH)  # fmt: skip
        now_worst = g.op("ReduceMax", g.cast(wide, INT64), keepdims=0, shape=())
        place = g.op("Mod", turn, g.const(len(rounds), INT64), shape=())
        starts = g.op("Equal", place, g.const(0, INT64), dtype=BOOL, shape=())
        before = g.where(starts, g.const(0, INT64), worst, ())
        worst = g.op("Max", before, now_worst, shape=())
        ends = g.op("Equal", place, g.const(len(rounds) - 1, INT64), dtype=BOOL, shape=())
        settled = g.op("Equal", worst, g.const(0, INT64), dtype=BOOL, shape=())
        return g.unary("Not", g.op("And", ends, settled, dtype=BOOL, shape=())), [*made, worst]

    turns = g.const(SWEEPS * len(rounds), INT64)
    done, right, _ = repeated(g, turns, [a, _identities(g, a, size), g.const(0, INT64)], change)
    values, (left, right) = _ordered(g, g.unary("Sqrt", product(done, done)), 1, done, right)
    nan = g.const(np.nan, FLOAT64)
    found = g.where(g.squeeze(wrong, [2]), nan, values, _BOTH)
    if not vectors:
        return found, None, None, sizes, batch
    # What is left of the columns is orthogonal already; this makes their lengths 1, and others where there are none.
    q, r = qr(g, g.step, Value(left.name, FLOAT64, (None, max(sizes), size)), full_matrices=full)
    diagonal = _diagonal(g, g.slice(r, g.ints([0]), g.ints([size]), [1]), size)
    sign = g.where(g.op("Less", diagonal, g.const(0, FLOAT64), dtype=BOOL, shape=_BOTH), g.const(-1, FLOAT64),
                   g.const(1, FLOAT64), _BOTH)  # fmt: skip
    if full and max(sizes) > size:
        sign = g.op("Pad", sign, g.ints([0, 0, 0, max(sizes) - size]), g.const(1, FLOAT64), mode="constant")
    q = g.op("Mul", q, g.unsqueeze(sign, [1]), shape=_WHOLE)
    sides = [g.where(wrong, nan, part, _WHOLE) for part in ((right, q) if is_wide else (q, right))]
    return found, sides[0], sides[1], sizes, batch


def svd(
    g: Builder, step: Step, x: Value, *, compute_uv: bool = True, full_matrices: bool = False
) -> list[Value | None]:  # fmt: skip
    """Without vectors numbers stand in their places."""
    values, u, v, (rows, columns), batch = singular(g, x, compute_uv, full_matrices)
    least = min(rows, columns)
    found = _laid(g, values, x, batch, [least])
    if u is None or v is None:
        return [found, g.const(0, x.dtype), g.const(0, x.dtype)]
    wide = (rows, columns) if full_matrices else (least, least)
    return [found, _laid(g, u, x, batch, [rows, wide[0]]), _laid(g, v, x, batch, [columns, wide[1]])]


def xla_svd(
    g: Builder, step: Step, x: Value, *, max_iter: int, epsilon: float, precision_config: bytes
) -> list[Value | None]:
    return svd(g, step, x, full_matrices=True)


LOWERINGS: Table = {
    "BatchSelfAdjointEig": self_adjoint_eig,
    "BatchSelfAdjointEigV2": self_adjoint_eig_v2,
    "BatchSvd": svd,
    "SelfAdjointEig": self_adjoint_eig,
    "SelfAdjointEigV2": self_adjoint_eig_v2,
    "Svd": svd,
    "XlaSelfAdjointEig": xla_eig,
    "XlaSvd": xla_svd,
}
