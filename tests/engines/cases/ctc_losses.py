"""Cases of the loss of connectionist temporal classification: labels that repeat, that fill the time, and blanks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Array, Case, L, N, case, floats, ivec, kernel_types, refusal, values


def sparse(*rows: list[int]) -> tuple[Array, Array]:
    """Indices and values of rows of labels."""
    places = [(number, at) for number, row in enumerate(rows) for at in range(len(row))]
    return np.array(places, L).reshape(-1, 2), np.array([label for row in rows for label in row], N)


ROWS = ([0, 2, 2, 1], [1, 0], [3], [3, 3, 3], [0, 1, 2, 3, 0])
LENGTHS = ivec(9, 4, 1, 6, 5)
HOW: tuple[dict[str, bool], ...] = (
    {},
    {"ctc_merge_repeated": False},
    {"preprocess_collapse_repeated": True},
    {"preprocess_collapse_repeated": True, "ctc_merge_repeated": False},
)


def losses() -> Iterator[Case]:
    for kind in kernel_types("CTCLoss"):
        for how in HOW:
            yield case("CTCLoss", values(kind, 9, 5, 5, seed=3), *sparse(*ROWS), LENGTHS, sizes="any", **how)
    rows = sparse([0], [1, 1], [2, 0, 1])
    yield case("CTCLoss", floats(1, 1, 2), *sparse([0]), ivec(1), sizes="any")
    # Gradients are powers of logarithms in the hundreds: the last digit of these is a part of 1e-5 to 1e-4.
    yield case("CTCLoss", floats(40, 3, 4, low=-9, high=9), *rows, ivec(40, 33, 3), sizes="any", tolerance=5e-5)
    yield case("CTCLoss", floats(40, 3, 30, low=-30, high=30), *rows, ivec(40, 0, 20), sizes="any", tolerance=5e-4,
               ignore_longer_outputs_than_inputs=True)  # fmt: skip
    long = values("float64", 40, 3, 4, low=-9, high=9)
    yield case("CTCLoss", long, *rows, ivec(40, 33, 3), sizes="any", tolerance=5e-6)
    # Labels that repeat need a blank in between, for which there is no time.
    yield case("CTCLoss", floats(4, 3, 4), *sparse([0, 0, 0], [1, 1], [1]), ivec(4, 2, 4), sizes="any")
    # Blanks may stand at the end of the labels, and longer ones may be left out.
    yield case("CTCLoss", floats(6, 3, 4), *sparse([0, 3, 3], [1, 3], [2, 1]), ivec(6, 5, 4), sizes="any")
    yield case("CTCLoss", floats(6, 2, 4), *sparse([0, 1, 2, 1], [2]), ivec(2, 5), sizes="any",
               ignore_longer_outputs_than_inputs=True)  # fmt: skip


def refusals() -> Iterator[Case]:
    x = floats(6, 2, 4)
    for rows, lengths in (
        (([0, 3, 1], [1]), (6, 6)),
        (([-1], [1]), (6, 6)),
        (([1, 2], []), (6, 6)),
        (([1, 2], [1]), (1, 6)),
        (([1, 2], [1]), (6, 7)),
        (([1], [1], [1]), (6, 6)),
    ):
        yield refusal("CTCLoss", x, *sparse(*rows), ivec(*lengths))


CASES: list[Case] = [*losses(), *refusals()]
