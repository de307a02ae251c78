"""Cases of gradients of single ops: recurrent cells, rows in groups, sparse and ragged tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.engines.cases.sparse import sparse
from tests.support.op_cases import Array, Case, L, N, case, floats, ivec, kernel_types, refusal, values

BATCH, INPUTS, UNITS, TURNS = 2, 3, 4, 5
HALF = 6e-3  # TensorFlow rounds between its products otherwise than numpy


def _square(*shape: int, seed: int) -> Array:
    return floats(*shape, seed=seed, low=-1, high=1)


def _gates(*shape: int, seed: int) -> list[Array]:
    """i, cs, f, o, ci, co as a forward pass could have made them."""
    low = (0.1, -1, 0.1, 0.1, -0.9, -0.9)
    return [floats(*shape, seed=seed + n, low=least, high=0.9) for n, least in enumerate(low)]


def _weights() -> list[Array]:
    peepholes = [_square(UNITS, seed=seed) for seed in (3, 4, 5)]
    return [_square(INPUTS + UNITS, 4 * UNITS, seed=0), *peepholes, _square(4 * UNITS, seed=1)]


def recurrent() -> Iterator[Case]:
    states = _square(BATCH, UNITS, seed=1), _square(BATCH, UNITS, seed=2)
    weights = _weights()
    gradients = _square(BATCH, UNITS, seed=30), _square(BATCH, UNITS, seed=31)
    for kind in kernel_types("LSTMBlockCellGrad"):
        held = values(kind, 1).dtype
        given = [floats(BATCH, INPUTS), *states, *weights, *_gates(BATCH, UNITS, seed=10), *gradients]
        for peep in (False, True):
            yield case("LSTMBlockCellGrad", *(part.astype(held) for part in given), use_peephole=peep,
                       outputs=None if peep else (0, 1), tolerance=HALF if kind == "float16" else 2e-6)  # fmt: skip
    yield refusal("LSTMBlockCellGrad", *given[:8], given[8][:1], *given[9:], use_peephole=True)
    x, h = _square(TURNS, BATCH, INPUTS, seed=4), _square(TURNS, BATCH, UNITS, seed=5)
    gradients = _square(TURNS, BATCH, UNITS, seed=30), _square(TURNS, BATCH, UNITS, seed=31)
    for op in ("BlockLSTMGrad", "BlockLSTMGradV2"):
        given = [x, *states, *weights, *_gates(TURNS, BATCH, UNITS, seed=10), h, *gradients]
        for kind in kernel_types(op):
            held = values(kind, 1).dtype
            for peep in (False, True):
                for turns in (TURNS, 3, 0):
                    yield case(op, np.array(turns, L), *(part.astype(held) for part in given), use_peephole=peep,
                               tolerance=HALF if kind == "float16" else 2e-6)  # fmt: skip
        yield refusal(op, np.array(TURNS, L), *given[:3], given[3][1:], *given[4:], use_peephole=False)
    rows = INPUTS + UNITS
    weights = [_square(rows, 2 * UNITS, seed=1), _square(rows, UNITS, seed=2), _square(2 * UNITS, seed=3)]
    gates = [floats(BATCH, UNITS, seed=n, low=0.1, high=0.9) for n in (4, 5)]
    given = [floats(BATCH, INPUTS), states[0], *weights, _square(UNITS, seed=6), *gates, states[1], gradients[0][0]]
    yield case("GRUBlockCellGrad", *given)
    one = [part[:1] if part.shape[:1] == (BATCH,) else part for part in given]
    yield case("GRUBlockCellGrad", *one)
    yield refusal("GRUBlockCellGrad", *given[:2], given[2][1:], *given[3:])
    yield refusal("GRUBlockCellGrad", *given[:6], given[6][:1], *given[7:])


SEGMENTS = ("SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad")


def segments() -> Iterator[Case]:
    indices, ids = ivec(4, 0, 4, 2, 5, 2, 2), ivec(0, 0, 1, 1, 1, 3, 3)
    for name in SEGMENTS:
        for op in (name, f"{name}V2"):
            for kind in kernel_types(op):
                yield case(op, values(kind, 4, 3), indices, ids, N(7), tolerance=8e-3 if kind == "bfloat16" else 2e-6)
            for first in (N, L):
                for second in (N, L):
                    yield case(op, floats(5, 2, 2), indices.astype(first), ids.astype(second), N(6))
            yield case(op, floats(4), indices, ids, N(6))
            if op.endswith("V2"):  # the first versions leave their result unset where there are no indices
                yield case(op, floats(4, 3), indices[:0], ids[:0], N(3))
            yield case(op, floats(0, 3), indices[:0], ids[:0], N(0))
            yield refusal(op, floats(4, 3), indices, ids[1:], N(7))
            yield refusal(op, floats(3, 3), indices, ids, N(7))
            yield refusal(op, floats(4, 3), indices, ids, N(5))
            yield refusal(op, floats(4, 3), indices, ids, ivec(7))


def sparse_parts() -> Iterator[Case]:
    for kind in kernel_types("SparseSliceGrad"):
        x = sparse(kind, 5, 4, count=11)
        for start, size in (((0, 0), (5, 4)), ((1, 0), (4, 4)), ((2, 1), (2, 2))):
            low = np.array(start, L)
            inside = np.all((x[0] >= low) & (x[0] < low + np.array(size)), -1)
            yield case("SparseSliceGrad", values(kind, int(inside.sum()), seed=3), x[0], low, x[0][inside] - low)
        yield case("SparseSliceGrad", values(kind, 0), x[0], ivec(0, 0, dtype=L), np.zeros((0, 2), L))
    x = sparse("float32", 5, 4, count=6)
    yield refusal("SparseSliceGrad", floats(5), x[0], ivec(0, 0, dtype=L), x[0])
    yield refusal("SparseSliceGrad", floats(6), x[0], ivec(0, dtype=L), x[0])
    yield refusal("SparseSliceGrad", floats(6), x[0], ivec(0, 0, dtype=L), x[0][:, :1])
    for kind in kernel_types("SparseAddGrad"):
        a, b = sparse(kind, 4, 5, count=9), sparse(kind, 4, 5, count=8, seed=1)
        both = np.unique(np.concatenate([a[0], b[0]]), axis=0)
        yield case("SparseAddGrad", values(kind, len(both), seed=2), a[0], b[0], both)
        kept = both[::2]  # sums that are zero may be left out
        yield case("SparseAddGrad", values(kind, len(kept), seed=2), a[0], b[0], kept)
        yield case("SparseAddGrad", values(kind, len(a[0]), seed=2), a[0], b[0][:0], a[0])
    yield case("SparseAddGrad", floats(0), np.zeros((0, 3), L), np.zeros((0, 3), L), np.zeros((0, 3), L))
    yield refusal("SparseAddGrad", floats(2), a[0], b[0], both)
    yield refusal("SparseAddGrad", floats(len(both)), a[0], b[0][:, :1], both)
    for op in ("SparseFillEmptyRowsGrad", "RaggedFillEmptyRowsGrad"):
        for kind in kernel_types(op):
            yield case(op, ivec(2, 0, 3, dtype=L), values(kind, 6))
            yield case(op, ivec(0, 1, 2, 3, dtype=L), values(kind, 4))
            yield case(op, np.zeros(0, L), values(kind, 3))
            yield case(op, ivec(1, 1, dtype=L), values(kind, 3))
        yield refusal(op, ivec(2, 6, dtype=L), floats(6))
        yield refusal(op, ivec(-1, 2, dtype=L), floats(6))
        yield refusal(op, ivec([2, 1], dtype=L), floats(6))
        yield refusal(op, ivec(2, 1, dtype=L), floats(6, 1))


CASES: list[Case] = [*recurrent(), *segments(), *sparse_parts()]
