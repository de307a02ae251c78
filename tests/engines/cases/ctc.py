"""Cases of connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.op_cases import Case, L, case, floats, ivec, kernel_types, refusal, values


def greedy() -> Iterator[Case]:
    for kind in kernel_types("CTCGreedyDecoder"):
        x = values(kind, 9, 3, 4, seed=5)
        for merge in (False, True):
            yield case("CTCGreedyDecoder", x, ivec(9, 4, 0), merge_repeated=merge)
            for blank in (0, 2, -2):
                yield case("CTCGreedyDecoder", x, ivec(9, 9, 7), merge_repeated=merge, blank_index=blank)
    yield refusal("CTCGreedyDecoder", floats(5, 2, 3), ivec(6, 1))
    yield refusal("CTCGreedyDecoder", floats(5, 2, 3), ivec(5))
    yield refusal("CTCGreedyDecoder", floats(5, 2, 3), ivec(5, 5), blank_index=3)


def losses() -> Iterator[Case]:
    indices = ivec([0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0], dtype=L)
    labels = ivec(0, 2, 2, 1, 0, 3)
    for kind in kernel_types("CTCLoss"):
        x = values(kind, 8, 3, 5, seed=2)
        yield case("CTCLoss", x, indices, labels, ivec(8, 5, 3))
    x = floats(8, 3, 5, seed=2)
    yield case("CTCLoss", x, indices, labels, ivec(8, 5, 3), preprocess_collapse_repeated=True)
    yield case("CTCLoss", x, indices, labels, ivec(2, 5, 3), ignore_longer_outputs_than_inputs=True)
    yield refusal("CTCLoss", x, indices, labels, ivec(2, 5, 3))
    yield refusal("CTCLoss", x, indices, labels + 3, ivec(8, 5, 3))
    yield refusal("CTCLoss", x, indices, labels, ivec(9, 5, 3))


CASES: list[Case] = [*greedy(), *losses()]
