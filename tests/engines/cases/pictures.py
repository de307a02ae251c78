"""Cases of normalisation, and of pictures: scaling, cropping, colours, boxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.engines.cases.arrays import one
from tests.support.op_cases import Array, Case, F, N, case, floats, ints, ivec, kernel_types, refusal, values

NOTHING = np.zeros(0, F)
SIZES = (ivec(14, 11), ivec(3, 4), ivec(7, 5), ivec(1, 1), ivec(21, 2), ivec(8, 1))


def norms() -> Iterator[Case]:
    x = floats(2, 5, 4, 3)
    vectors = [floats(3, low=0.5, high=2, seed=i) for i in range(4)]
    for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
        for epsilon in (1e-4, 0.001, 0.1):
            yield case(op, x, *vectors, epsilon=epsilon, is_training=False, outputs=(0, 1, 2))
            yield case(op, x, *vectors[:2], NOTHING, NOTHING, epsilon=epsilon, is_training=True,
                       outputs=(0, 1, 2, 3, 4), tolerance=4e-6)  # fmt: skip
        for factor in (0.5, 0.1, 0.0):
            yield case(op, x, *vectors, exponential_avg_factor=factor, is_training=True, outputs=(0, 1, 2),
                       tolerance=4e-6)  # fmt: skip
        yield case(op, floats(1, 1, 1, 3), *vectors[:2], NOTHING, NOTHING, is_training=True, outputs=(1, 2))
        yield case(op, floats(2, 3, 5, 4), *vectors, is_training=False, data_format="NCHW", outputs=(0,))
        yield case(op, np.ascontiguousarray(np.moveaxis(x, -1, 1)), *vectors[:2], NOTHING, NOTHING, is_training=True,
                   data_format="NCHW", outputs=(0, 1, 2), tolerance=4e-6)  # fmt: skip
    for kind in ("float16", "bfloat16"):
        for op in ("FusedBatchNormV2", "FusedBatchNormV3"):
            narrow = values(kind, 2, 5, 4, 3)
            yield case(op, narrow, *vectors, is_training=False, outputs=(0,), tolerance=1e-2)
            yield case(op, narrow, *vectors[:2], NOTHING, NOTHING, is_training=True, outputs=(0, 1, 2), tolerance=2e-2)
    yield case(
        "FusedBatchNormV3", floats(2, 3, 4, 5, 3), *vectors, is_training=False, data_format="NDHWC", outputs=(0,)
    )
    for radius, bias, alpha, beta in ((5, 1.0, 1.0, 0.5), (2, 1.0, 0.1, 0.75), (1, 2.0, 1e-4, 1.0), (9, 0.5, 0.3, 0.2)):
        yield case("LRN", floats(2, 3, 4, 7), depth_radius=radius, bias=bias, alpha=alpha, beta=beta, tolerance=4e-6)
    for kind in kernel_types("LRN"):
        yield case("LRN", values(kind, 1, 2, 2, 5), depth_radius=2, tolerance=2e-2 if kind != "float32" else 4e-6)


def scaling() -> Iterator[Case]:
    x = floats(2, 7, 5, 3, low=0, high=255)
    for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"):
        for size in SIZES:
            yield case(op, x, size)
            yield case(op, x, size, align_corners=True)
            yield case(op, x, size, half_pixel_centers=True)
        for kind in kernel_types(op):
            yield case(op, values(kind, 1, 4, 6, 3, low=0, high=100), ivec(9, 4))
            yield case(op, values(kind, 1, 4, 6, 3, low=0, high=100), ivec(3, 7), half_pixel_centers=True)
        yield case(op, floats(1, 299, 200, 3, low=0, high=255), ivec(224, 224))
        yield case(op, floats(1, 40, 30, 3, low=0, high=255), ivec(101, 97), half_pixel_centers=True)
        yield refusal(op, x, ivec(0, 3))
        yield refusal(op, x, ivec(3, -1))
        yield refusal(op, x[0], ivec(3, 3))
    for size in SIZES:
        yield case("ResizeArea", x, size, tolerance=5e-6)
        yield case("ResizeArea", x, size, align_corners=True, tolerance=5e-6)
    for kind in kernel_types("ResizeArea"):
        yield case("ResizeArea", values(kind, 1, 4, 6, 3, low=0, high=100), ivec(3, 5), tolerance=5e-6)
    for method in ("lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic"):
        for antialias in (False, True):
            for scale, shift in (((2.0, 0.5), (0.0, 0.0)), ((1.3, 1.0), (-1.5, 2.0))):
                yield case("ScaleAndTranslate", x, ivec(11, 4), np.array(scale, F), np.array(shift, F),
                           kernel_type=method, antialias=antialias, tolerance=5e-6)  # fmt: skip


def crops() -> Iterator[Case]:
    x = floats(2, 7, 5, 3, low=0, high=255)
    boxes = np.array([[0, 0, 1, 1], [0.2, 0.1, 0.9, 1.2], [0.9, 0.8, 0.1, 0.2], [-0.5, 0.3, 0.4, 0.35]], F)
    for method in ("bilinear", "nearest"):
        for size in (ivec(4, 3), ivec(1, 1), ivec(9, 1), ivec(1, 6)):
            yield case("CropAndResize", x, boxes, ivec(0, 1, 0, 1), size, method=method, extrapolation_value=-1.0)
        for kind in kernel_types("CropAndResize"):
            yield case("CropAndResize", values(kind, 2, 4, 6, 3, low=0, high=100), boxes, ivec(0, 1, 0, 1), ivec(5, 4),
                       method=method)  # fmt: skip
    yield case("CropAndResize", x, np.zeros((0, 4), F), np.zeros(0, N), ivec(4, 3))
    yield refusal("CropAndResize", x, boxes, ivec(0, 1, 2, 1), ivec(4, 3))
    yield refusal("CropAndResize", x, boxes, ivec(0, 1), ivec(4, 3))
    for centered in (False, True):
        for normalized in (False, True):
            for noise in ("zero",):
                offsets = np.array([[0.1, -0.4], [0.9, 0.2]], F) * (1 if normalized else 5)
                for op in ("ExtractGlimpse", "ExtractGlimpseV2"):
                    yield case(op, x, ivec(3, 4), offsets, centered=centered, normalized=normalized,
                               uniform_noise=False, noise=noise)  # fmt: skip


def colours() -> Iterator[Case]:
    x = floats(2, 4, 3, 3, low=0, high=1)
    gray = np.repeat(floats(2, 4, 3, 1, low=0, high=1), 3, -1)
    for kind in kernel_types("RGBToHSV"):
        rough = 2e-2 if kind in ("float16", "bfloat16") else 2e-6
        held = dtype_of(kind).numpy
        yield case("RGBToHSV", x.astype(held), tolerance=rough)
        yield case("RGBToHSV", gray.astype(held), tolerance=rough)
        yield case("HSVToRGB", x.astype(held), tolerance=rough)
        yield case("HSVToRGB", gray.astype(held), tolerance=rough)
    yield case("RGBToHSV", np.eye(3, dtype=F))
    yield case("RGBToHSV", np.zeros((2, 3), F))
    yield refusal("RGBToHSV", floats(2, 4))
    for factor in (0.0, 0.3, 1.7):
        yield case("AdjustContrastv2", x, F(factor), tolerance=4e-6)
        yield case("AdjustSaturation", x, F(factor), tolerance=4e-6)
        yield case("AdjustHue", x, F(factor - 0.5), tolerance=4e-6)
    yield case("AdjustContrastv2", floats(4, 3, 3), F(2), tolerance=4e-6)

    yield refusal("AdjustSaturation", floats(4, 3), F(0.5))
    yield case("AdjustHue", gray, F(0.2), tolerance=4e-6)


def detections(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Boxes that overlap, and scores of which some are equal."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 1, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.05, 0.5, (count, 2))], -1).astype(F)
    return boxes, np.round(rng.uniform(0, 1, count), 1).astype(F)


def boxes() -> Iterator[Case]:
    for count, seed in ((30, 0), (100, 1), (1, 2), (0, 3)):
        b, s = detections(count, seed)
        for limit in (3, 10, 200):
            for iou in (0.0, 0.3, 0.5, 1.0):
                yield case("NonMaxSuppression", b, s, one(limit), iou_threshold=iou)
                yield case("NonMaxSuppressionV2", b, s, one(limit), F(iou))
                yield case("NonMaxSuppressionV3", b, s, one(limit), F(iou), F(0.35))
                for pad in (False, True):
                    yield case("NonMaxSuppressionV4", b, s, one(limit), F(iou), F(0.35), pad_to_max_output_size=pad)
        for sigma in (0.0, 0.2, 1.0):
            for pad in (False, True):
                yield case("NonMaxSuppressionV5", b, s, one(10), F(0.5), F(0.2), F(sigma), pad_to_max_output_size=pad)
    flipped = detections(20, 4)[0][:, [2, 3, 0, 1]]
    yield case("NonMaxSuppressionV3", flipped, detections(20, 4)[1], one(9), F(0.4), F(-np.inf))
    b16, s16 = (part.astype(np.float16) for part in detections(20, 5))
    yield case("NonMaxSuppressionV3", b16, s16, one(9), np.float16(0.4), np.float16(0.1))
    yield refusal("NonMaxSuppressionV2", *detections(5), one(3), F(1.5))
    yield refusal("NonMaxSuppressionV2", detections(5)[0], detections(4)[1], one(3), F(0.5))
    overlaps = np.abs(floats(12, 12, low=0, high=1))
    for limit in (3, 12):
        yield case("NonMaxSuppressionWithOverlaps", overlaps, detections(12, 6)[1], one(limit), F(0.4), F(0.3))
    for classes, shared in ((1, True), (3, False), (3, True)):
        b = np.stack([detections(25, seed)[0] for seed in (7, 8)])[:, :, None]
        if not shared:
            b = np.concatenate([np.stack([detections(25, 9 + i + 2 * c)[0] for i in (0, 1)])[:, :, None]
                                for c in range(classes)], 2)  # fmt: skip
        s = np.random.default_rng(3).uniform(0, 1, (2, 25, classes)).astype(F)
        more: Any
        for more in ({}, {"pad_per_class": True}, {"clip_boxes": False}):
            yield case("CombinedNonMaxSuppression", b, s, one(4), one(7), F(0.4), F(0.3), **more)
    for dtype in ("float32",):
        picture = values(dtype, 2, 10, 12, 3, low=0, high=3)
        corners = np.array([[[0.1, 0.2, 0.7, 0.6], [0.5, 0.5, 1.2, 0.9]], [[0, 0, 1, 1], [-0.2, 0.3, 0.4, 0.5]]], F)
        yield case("DrawBoundingBoxes", picture, corners)
        yield case("DrawBoundingBoxesV2", picture, corners, np.array([[1, 0, 0.5], [0, 1, 1]], F))
    yield case("Shape", ints(2, 3))


CASES: list[Case] = [*norms(), *scaling(), *crops(), *colours(), *boxes()]
