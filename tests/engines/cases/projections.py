"""Cases of projective transforms, and of proposed regions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, F, case, floats, ivec, kernel_types, refusal, values

TRANSFORMS = np.array(
    [
        [1, 0, 0, 0, 1, 0, 0, 0],
        [0.9, 0.2, -1.3, -0.3, 1.1, 2.2, 0, 0],
        [1.5, 0, -20, 0, 0.7, 30, 0, 0],
        [1, 0.1, 3, 0.2, 1, -2, 0.05, -0.25],  # the last two make some places infinitely far away
    ],
    F,
)


def transforms() -> Iterator[Case]:
    picture = floats(4, 5, 7, 2, low=0, high=10)
    for mode in ("NEAREST", "BILINEAR"):
        for fill in ("CONSTANT", "REFLECT", "WRAP", "NEAREST"):
            for size in ((5, 7), (8, 3), (1, 11)):
                yield case("ImageProjectiveTransformV2", picture, TRANSFORMS, ivec(*size), interpolation=mode,
                           fill_mode=fill)  # fmt: skip
                yield case("ImageProjectiveTransformV3", picture, TRANSFORMS, ivec(*size), F(-1.5), interpolation=mode,
                           fill_mode=fill)  # fmt: skip
            yield case("ImageProjectiveTransformV3", picture[:, :1, :1], TRANSFORMS, ivec(3, 4), F(2),
                       interpolation=mode, fill_mode=fill)  # fmt: skip
        for number in range(len(TRANSFORMS)):
            yield case("ImageProjectiveTransformV2", picture, TRANSFORMS[number : number + 1], ivec(6, 6),
                       interpolation=mode)  # fmt: skip
        for kind in kernel_types("ImageProjectiveTransformV3", "dtype"):
            whole = values(kind, 4, 5, 7, 2, low=0, high=100)
            yield case("ImageProjectiveTransformV3", whole, TRANSFORMS, ivec(5, 7), F(3), interpolation=mode,
                       dtype=dtype_of(kind))  # fmt: skip
            yield case("ImageProjectiveTransformV2", whole, TRANSFORMS, ivec(5, 7), interpolation=mode,
                       fill_mode="REFLECT", dtype=dtype_of(kind))  # fmt: skip
    bad = "ImageProjectiveTransformV2"
    yield refusal(bad, picture, TRANSFORMS[:3], ivec(5, 7), interpolation="NEAREST")
    yield refusal(bad, picture, TRANSFORMS[:, :7], ivec(5, 7), interpolation="NEAREST")
    yield refusal(bad, picture, TRANSFORMS, ivec(0, 7), interpolation="NEAREST")
    yield refusal(bad, picture, TRANSFORMS, ivec(5), interpolation="NEAREST")
    yield refusal(bad, picture[0], TRANSFORMS, ivec(5, 7), interpolation="NEAREST")


def proposals() -> Iterator[Case]:
    """What has no CPU kernel: the oracle works it out from the definition."""
    corners = floats(4, 5, 3, 2, low=0, high=60)
    anchors = np.concatenate([corners, corners + floats(4, 5, 3, 2, low=5, high=40, seed=1)], -1).reshape(4, 5, 12)
    scores = np.random.default_rng(5).permutation(2 * 4 * 5 * 3).reshape(2, 4, 5, 3).astype(F) / 120
    deltas = floats(2, 4, 5, 12, low=-0.5, high=0.5, seed=2)
    deltas[0, 0, 0, 2:4] = 9  # too large a step
    info = np.array([[64, 80, 1, 0, 0], [50, 40, 2, 0, 0]], F)
    op = "GenerateBoundingBoxProposals"
    for overlap, before, least, after in ((0.5, 60, 4, 10), (0.2, 15, 0, 40), (0.7, 1000, 12, 3), (0.0, 1, 0, 1)):
        numbers = F(overlap), np.int32(before), F(least)
        yield case(op, scores, deltas, info, anchors, *numbers, post_nms_topn=after)
    yield refusal(op, scores, deltas, info, anchors, F(1.5), np.int32(9), F(0), post_nms_topn=3)
    yield refusal(op, scores, deltas, info, anchors, F(0.5), np.int32(0), F(0), post_nms_topn=3)
    yield refusal(op, scores, deltas, info, anchors, F(0.5), np.int32(9), F(0), post_nms_topn=0)


CASES: list[Case] = [*transforms(), *proposals()]
