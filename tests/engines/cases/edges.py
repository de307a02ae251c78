"""What graphs of TensorFlow's own functions asked of ops and no case of a single op had: edges, odd options."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.engines.cases.pictures import detections
from tests.support.op_cases import Case, F, N, case, floats, ivec


def means_of_nothing() -> Iterator[Case]:
    """Batches without elements, whose number an engine that compiles does not know."""
    for axes in ((0,), (-1,), (0, 1), ()):
        for dtype in (np.float32, np.float64, np.float16):
            for keep in (False, True):
                empty = floats(0, 4, dtype=dtype)
                yield case("Mean", empty, np.array(axes, N), fixed=(1,), keep_dims=keep)
                yield case("Mean", floats(3, 4, dtype=dtype), np.array(axes, N), fixed=(1,), keep_dims=keep)


def unique_numbers() -> Iterator[Case]:
    """Numbers that are not equal to themselves."""
    x = np.array([1, np.nan, 1, np.nan, -0.0, 0.0, np.inf], F)
    for given in (x, x[:1], x[1:2], floats(9)):
        yield case("Unique", given)
        yield case("UniqueWithCounts", given)
        yield case("UniqueV2", given, ivec(dtype=N), fixed=(1,))


def pools_with_gaps() -> Iterator[Case]:
    """Windows further apart than they are wide, with the padding that sizes of the run say."""
    for size, step in ((1, 2), (2, 3), (2, 5), (3, 4)):
        x, deep = floats(2, 9, 8, 3), floats(1, 7, 9, 8, 2)
        for padding in ("SAME", "VALID"):
            wide, steps = [1, size, size, 1], [1, step, step, 1]
            for op in ("AvgPool", "MaxPool"):
                yield case(op, x, ksize=wide, strides=steps, padding=padding)
                wider, farther = [1, size, size, size, 1], [1, step, step, step, 1]
                yield case(f"{op}3D", deep, ksize=wider, strides=farther, padding=padding)


def soft_suppression() -> Iterator[Case]:
    """Scores fall with the overlap, and no overlap is too large."""
    for count, seed in ((30, 0), (60, 1)):
        boxes, scores = detections(count, seed)
        near = (boxes[:1] + boxes * F(0.05)).astype(F)
        for given in (boxes, near):
            for threshold in (0.3, 0.0, 1.0):
                for sigma in (0.1, 0.5):
                    yield case("NonMaxSuppressionV5", given, scores, np.array(8, N), F(threshold), F(0.1), F(sigma))


def kernels_on_edges() -> Iterator[Case]:
    """Pixels right on the edge of a kernel, in or out by the rounding of float32."""
    for size_in, size_out in ((9, 6), (8, 4), (10, 4), (12, 8), (7, 3), (15, 10), (5, 10)):
        x = floats(1, size_in, size_in, 2, low=0)
        scale = np.full(2, size_out / size_in, F)
        for kind in ("gaussian", "box", "triangle", "lanczos3", "mitchellcubic"):
            for antialias in (False, True):
                yield case("ScaleAndTranslate", x, ivec(size_out, size_out), scale, np.zeros(2, F), kernel_type=kind,
                           antialias=antialias, tolerance=5e-6)  # fmt: skip


CASES: list[Case] = [
    *means_of_nothing(),
    *unique_numbers(),
    *pools_with_gaps(),
    *soft_suppression(),
    *kernels_on_edges(),
]
