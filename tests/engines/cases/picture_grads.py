"""Cases of the gradients of scaled and cropped pictures and of dilations, of projections, and old contrast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, F, case, floats, ivec, kernel_types, refusal, values

ROUGH = {"float16": 4e-3, "bfloat16": 3e-2}
"""TensorFlow adds narrow floats up in themselves, and rounds after each; we round once."""
SHAPES = ((4, 6), (9, 3), (5, 4), (1, 1), (13, 8))
WAYS: tuple[dict[str, Any], ...] = ({}, {"align_corners": True}, {"half_pixel_centers": True})


def scaling() -> Iterator[Case]:
    for op in ("ResizeBilinearGrad", "ResizeBicubicGrad"):
        for attrs in WAYS:
            for size in SHAPES:
                # The weights of rows and columns are multiplied in another order.
                yield case(op, floats(2, *size, 3), floats(2, 5, 4, 3), **attrs, tolerance=4e-6)
            for kind in kernel_types(op):
                yield case(op, floats(1, 7, 3, 2), values(kind, 1, 4, 5, 2), **attrs, tolerance=4e-6)
        yield refusal(op, floats(2, 4, 3), floats(2, 5, 4, 3))
        yield refusal(op, floats(2, 0, 3, 1), floats(2, 5, 4, 1))
    op = "ResizeNearestNeighborGrad"
    for attrs in (*WAYS, {"align_corners": True, "half_pixel_centers": True}):
        if len(attrs) < 2:
            for size in SHAPES:
                yield case(op, floats(2, 5, 4, 3), ivec(*size), **attrs)
            for kind in kernel_types(op):
                yield case(op, values(kind, 1, 7, 9, 2, low=0, high=100), ivec(3, 4), **attrs,
                           tolerance=ROUGH.get(kind, 2e-6))  # fmt: skip
    yield refusal(op, floats(2, 5, 4, 3), ivec(0, 3))
    yield refusal(op, floats(5, 4, 3), ivec(2, 3))
    for method in ("lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic"):
        for antialias in (False, True):
            for scale, shift in (((2.0, 0.5), (0.0, 0.0)), ((1.3, 1.0), (-1.5, 2.0))):
                yield case("ScaleAndTranslateGrad", floats(2, 11, 4, 3), floats(2, 7, 5, 3), np.array(scale, F),
                           np.array(shift, F), kernel_type=method, antialias=antialias, tolerance=5e-6)  # fmt: skip

    x, y = floats(2, 11, 4, 3), floats(2, 7, 5, 3)
    yield refusal("ScaleAndTranslateGrad", x, y, np.array([1.0, 1.0], F), np.zeros(2, F), kernel_type="none")
    yield refusal("ScaleAndTranslateGrad", x, y, np.array([0.0, 1.0], F), np.zeros(2, F))
    yield refusal("ScaleAndTranslateGrad", x[0], y, np.array([1.0, 1.0], F), np.zeros(2, F))


def crops() -> Iterator[Case]:
    boxes = np.array([[0, 0, 1, 1], [0.2, 0.1, 0.9, 1.2], [0.9, 0.8, 0.1, 0.2], [-0.5, 0.3, 0.4, 0.35]], F)
    numbers = ivec(0, 1, 0, 1)
    for size in ((4, 3), (1, 1), (9, 1), (1, 6)):
        grads = floats(4, *size, 3)
        for method in ("bilinear", "nearest"):
            yield case("CropAndResizeGradImage", grads, boxes, numbers, ivec(2, 7, 5, 3), method=method,
                       T=dtype_of("float32"), tolerance=4e-6)  # fmt: skip
        for kind in kernel_types("CropAndResizeGradBoxes"):
            yield case("CropAndResizeGradBoxes", grads, values(kind, 2, 7, 5, 3, low=0, high=100), boxes, numbers,
                       tolerance=5e-6)  # fmt: skip
    for kind in kernel_types("CropAndResizeGradImage"):
        yield case("CropAndResizeGradImage", floats(4, 3, 3, 2), boxes, numbers, ivec(2, 4, 5, 2), T=dtype_of(kind),
                   tolerance=ROUGH.get(kind, 4e-6))  # fmt: skip
    kind = dtype_of("float32")
    yield case("CropAndResizeGradImage", np.zeros((0, 3, 3, 2), F), boxes[:0], numbers[:0], ivec(2, 4, 5, 2), T=kind)
    yield refusal("CropAndResizeGradImage", floats(4, 3, 3, 2), boxes, ivec(0, 1, 2, 1), ivec(2, 4, 5, 2), T=kind)
    yield refusal("CropAndResizeGradImage", floats(4, 3, 3, 2), boxes, numbers, ivec(2, 4, 5, 3), T=kind)
    yield refusal("CropAndResizeGradImage", floats(4, 3, 3, 2), boxes, numbers, ivec(2, 0, 5, 2), T=kind)
    yield refusal("CropAndResizeGradBoxes", floats(4, 3, 3, 2), floats(2, 4, 5, 2), boxes, ivec(0, 1, 2, 1))
    yield refusal("CropAndResizeGradBoxes", floats(3, 3, 3, 2), floats(2, 4, 5, 2), boxes, numbers)


def dilations() -> Iterator[Case]:
    for op in ("Dilation2DBackpropInput", "Dilation2DBackpropFilter"):
        x, weights = floats(2, 7, 6, 3), floats(3, 2, 3)
        for padding, strides, rates, out in (
            ("SAME", (1, 1), (1, 1), (7, 6)),
            ("VALID", (1, 1), (1, 1), (5, 5)),
            ("SAME", (2, 3), (1, 1), (4, 2)),
            ("VALID", (1, 2), (2, 3), (3, 2)),
            ("SAME", (1, 1), (2, 2), (7, 6)),
        ):
            attrs = {"strides": [1, *strides, 1], "rates": [1, *rates, 1], "padding": padding}
            yield case(op, x, weights, floats(2, *out, 3, seed=1), **attrs)
            yield case(op, np.round(x), np.zeros_like(weights), floats(2, *out, 3, seed=1), **attrs)
            for kind in kernel_types(op):
                yield case(op, values(kind, 1, 7, 6, 2, low=0, high=4), values(kind, 3, 2, 2, low=0, high=2),
                           values(kind, 1, *out, 2, seed=1), **attrs, tolerance=ROUGH.get(kind, 2e-6))  # fmt: skip
        odd = np.where(x > 1, F(np.nan), np.where(x < -1, F(-np.inf), x))
        plain = {"strides": [1] * 4, "rates": [1] * 4, "padding": "SAME"}
        yield case(op, odd, weights, floats(2, 7, 6, 3, seed=1), **plain)
        yield refusal(op, x, weights, floats(2, 7, 5, 3), **plain)
        yield refusal(op, x, floats(3, 2, 2), floats(2, 7, 6, 3), **plain)


def contrast() -> Iterator[Case]:
    for kind in kernel_types("AdjustContrast"):
        picture = values(kind, 2, 4, 3, 3, low=0, high=100)
        for factor in (0.0, 0.3, 1.7):
            yield case("AdjustContrast", picture, F(factor), F(2), F(80), tolerance=4e-6)
    yield refusal("AdjustContrast", floats(4, 3), F(0.5), F(0), F(1))


CASES: list[Case] = [*scaling(), *crops(), *dilations(), *contrast()]
