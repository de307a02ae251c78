"""Cases of labels out of scores: the search with a beam, and losses in which labels are not merged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Case, F, L, case, floats, ivec, kernel_types, refusal, values


def beams() -> Iterator[Case]:
    for kind in kernel_types("CTCBeamSearchDecoder"):
        x = values(kind, 9, 3, 4, seed=5)
        for width, paths in ((1, 1), (2, 2), (3, 1), (10, 3), (100, 20)):
            for merge in (True, False):
                yield case("CTCBeamSearchDecoder", x, ivec(9, 6, 4), beam_width=width, top_paths=paths,
                           merge_repeated=merge)  # fmt: skip
        yield case("CTCBeamSearchDecoder", x, ivec(9, 0, 1), beam_width=7, top_paths=1, merge_repeated=False)
        long = values(kind, 40, 2, 12, seed=6)
        yield case("CTCBeamSearchDecoder", long, ivec(40, 31), beam_width=25, top_paths=5, merge_repeated=False)
        yield case("CTCBeamSearchDecoder", long * 3, ivec(40, 40), beam_width=100, top_paths=8)
    logs = np.log(np.array([[[0.3, 0.7]], [[0.4, 0.6]]], F))
    for width in (1, 2):
        yield case("CTCBeamSearchDecoder", logs, ivec(2), beam_width=width, top_paths=1)
    scores = floats(6, 1, 3)
    scores[2, 0, 1] = -np.inf
    yield case("CTCBeamSearchDecoder", scores, ivec(6), beam_width=4, top_paths=3)
    yield case("CTCBeamSearchDecoder", floats(5, 2, 1), ivec(5, 3), beam_width=4, top_paths=1)
    yield refusal("CTCBeamSearchDecoder", floats(5, 2, 3), ivec(5, 5), beam_width=2, top_paths=3)
    yield refusal("CTCBeamSearchDecoder", floats(5, 2, 3), ivec(5, 0), beam_width=4, top_paths=2)
    yield refusal("CTCBeamSearchDecoder", floats(5, 2, 3), ivec(6, 5), beam_width=4, top_paths=1)
    yield refusal("CTCBeamSearchDecoder", floats(5, 2, 3), ivec(5), beam_width=4, top_paths=1)


def losses() -> Iterator[Case]:
    indices = ivec([0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0], dtype=L)
    labels = ivec(0, 2, 2, 1, 0, 3)
    for kind in kernel_types("CTCLoss"):
        x = values(kind, 8, 3, 5, seed=2)
        for merge in (True, False):
            yield case("CTCLoss", x, indices, labels, ivec(8, 5, 3), ctc_merge_repeated=merge)
            yield case("CTCLoss", x, indices, labels, ivec(8, 5, 3), ctc_merge_repeated=merge,
                       preprocess_collapse_repeated=True)  # fmt: skip
            yield case("CTCLoss", x, indices, labels, ivec(3, 2, 1), ctc_merge_repeated=merge)
            yield case("CTCLoss", x, indices, labels, ivec(2, 0, 3), ctc_merge_repeated=merge,
                       ignore_longer_outputs_than_inputs=True)  # fmt: skip
        long = values(kind, 60, 2, 9, seed=3)
        many = np.stack([np.repeat(np.arange(2), 20), np.tile(np.arange(20), 2)], -1).astype(L)
        told = np.random.default_rng(7).integers(0, 8, 40).astype(np.int32)
        # Logarithms near -100 have few digits behind the point in float32, and chances are made of their differences.
        loose = 2e-5 if kind == "float32" else 2e-6
        for merge in (True, False):
            yield case("CTCLoss", long, many, told, ivec(60, 45), ctc_merge_repeated=merge, tolerance=loose)
    x = floats(8, 3, 5, seed=2)
    yield case("CTCLossV2", x, indices, labels + 1, ivec(8, 5, 3))
    yield case("CTCLossV2", x, indices, labels + 1, ivec(8, 5, 3), preprocess_collapse_repeated=True)
    yield case("CTCLossV2", x, indices, labels + 1, ivec(2, 5, 3), ignore_longer_outputs_than_inputs=True)
    yield case("CTCLossV2", x, indices, labels + 1, ivec(8, 5, 3), ctc_merge_repeated=False)
    yield refusal("CTCLossV2", x, indices, labels, ivec(8, 5, 3))
    for merge in (True, False):
        same = ivec(2, 2, 2, 1, 1, 3)
        yield case("CTCLoss", x, indices, same, ivec(3, 2, 1), ctc_merge_repeated=merge)  # no way where they merge
    yield case("CTCLoss", x, indices, ivec(0, 2, 4, 1, 4, 3), ivec(8, 5, 3))
    yield refusal("CTCLoss", x, indices, ivec(0, 4, 2, 1, 4, 3), ivec(8, 5, 3))
    yield refusal("CTCLoss", x, indices, ivec(0, -1, 2, 1, 0, 3), ivec(8, 5, 3))
    yield refusal("CTCLoss", x, indices[:5], labels[:5], ivec(8, 5, 3))


CASES: list[Case] = [*beams(), *losses()]
