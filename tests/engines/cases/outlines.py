"""Cases of boxes drawn into pictures, and of glimpses that reach beyond them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Array, Case, F, case, floats, ivec, kernel_types, values

BOXES = np.array(
    [
        [[0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], [0.9, 0.1, 0.2, 0.8]],
        [[-0.5, 0.3, 0.6, 1.5], [1.2, 0, 1.5, 0.5], [0.25, -0.9, 0.75, -0.1], [0.33, 0.66, 0.34, 0.67]],
    ],
    F,
)
COLOURS = floats(3, 4, low=0, high=1)


def boxes() -> Iterator[Case]:
    for kind in kernel_types("DrawBoundingBoxesV2"):
        for depth in (1, 3, 4):
            picture = values(kind, 2, 9, 11, depth)
            yield case("DrawBoundingBoxes", picture, BOXES, sizes="known")
            for colours in (COLOURS, COLOURS[:1], np.zeros((0, 4), F)):
                yield case("DrawBoundingBoxesV2", picture, BOXES, colours, sizes="known")
    many = np.random.default_rng(4).uniform(0, 1, (1, 25, 4)).astype(F)
    many = np.concatenate([np.minimum(many[..., :2], many[..., 2:]), np.maximum(many[..., :2], many[..., 2:])], -1)
    yield case("DrawBoundingBoxes", floats(1, 30, 40, 3), many, sizes="known")
    yield case("DrawBoundingBoxesV2", floats(1, 30, 40, 3), many, COLOURS, sizes="known")
    yield case("DrawBoundingBoxes", floats(2, 5, 4, 3), np.zeros((2, 0, 4), F), sizes="known")
    yield case("DrawBoundingBoxes", floats(1, 1, 1, 3), BOXES[:1], sizes="known")


def glimpses() -> Iterator[Case]:
    picture: Array = floats(3, 7, 8, 2)
    places = np.array([[0.1, -0.3], [0.9, 0.8], [-1.2, 0.4]], F)
    for op in ("ExtractGlimpse", "ExtractGlimpseV2"):
        for centered in (True, False):
            for normalized in (True, False):
                for size in ((3, 4), (5, 2), (9, 11)):
                    at = places if normalized else places * 6
                    yield case(op, picture, ivec(*size), at, centered=centered, normalized=normalized, noise="zero",
                               uniform_noise=False, fixed=(1,), sizes="any")  # fmt: skip


CASES: list[Case] = [*boxes(), *glimpses()]
