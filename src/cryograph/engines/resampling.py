"""Where resized pictures take their pixels from, computed as TensorFlow's kernels do: in float32, with their tables.

Source: image_resizer_state.h, resize_bilinear_op.cc, resize_nearest_neighbor_op.cc, resize_bicubic_op.cc.
"""

from __future__ import annotations

import numpy as np

from ..base.tensors import Array

CUBIC_STEPS = 1024
"""Between two pixels TensorFlow's bicubic kernel knows so many places."""


def scale(size: int, out: int, align_corners: bool) -> np.float32:
    """How far apart in the picture two neighbours of the result lie."""
    if align_corners and out > 1:
        return np.float32(size - 1) / np.float32(out - 1)
    return np.float32(size) / np.float32(out)


def positions(size: int, out: int, align_corners: bool, half_pixel: bool) -> Array:
    """Where each place of the result lies in the picture; before the first pixel is negative."""
    places = np.arange(out, dtype=np.float32)
    step = scale(size, out, align_corners)
    found: Array = (places + np.float32(0.5)) * step - np.float32(0.5) if half_pixel else places * step
    return found


def nearest(size: int, out: int, align_corners: bool, half_pixel: bool) -> Array:
    """The pixel that each place takes."""
    places = np.arange(out, dtype=np.float32)
    moved = (places + np.float32(0.5) if half_pixel else places) * scale(size, out, align_corners)
    # roundf: halves away from zero, and all are positive.
    picked = np.floor(moved + np.float32(0.5)) if align_corners else np.floor(moved)
    index: Array = np.clip(picked, 0, size - 1).astype(np.int64)
    return index


def linear(size: int, out: int, align_corners: bool, half_pixel: bool) -> tuple[Array, Array, Array]:
    """The two pixels between which each place lies, and the weight of the second."""
    places = positions(size, out, align_corners, half_pixel)
    floor = np.floor(places)
    low = np.clip(floor, 0, size - 1).astype(np.int64)
    high = np.clip(np.ceil(places) if half_pixel else floor + 1, 0, size - 1).astype(np.int64)
    return low, high, (places - floor).astype(np.float32)


def cubic(size: int, out: int, align_corners: bool, half_pixel: bool) -> tuple[Array, Array]:
    """Four pixels for each place, (out, 4), and their weights: Keys' cubic with a = -0.5 (half-pixel) or -0.75."""
    places = positions(size, out, align_corners, half_pixel)
    a = -0.5 if half_pixel else -0.75
    low = np.floor(places).astype(np.int64)
    offset = np.rint((places - low).astype(np.float32) * CUBIC_STEPS) / CUBIC_STEPS
    t = np.stack([1 + offset, offset, 1 - offset, 2 - offset], -1).astype(np.float32)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    weights = np.where(t <= 1, near, far).astype(np.float32)
    indices = low[:, None] + np.arange(-1, 3)
    if half_pixel:  # what lies outside has no weight, the rest is made up to 1
        weights = np.where((indices >= 0) & (indices < size), weights, 0)
        weights = weights / weights.sum(-1, keepdims=True)
    return np.clip(indices, 0, size - 1), weights.astype(np.float32)
