"""Lowerings of scalings by weights, and of the gradients of scalings: products with matrices that are worked out here.

Scaling weighs rows and columns apart: what it does to an axis is a matrix of weights (out, in), and the gradient the
transpose of that. The matrices are those of the reference engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...base.dtypes import FLOAT32
from ...base.tensors import Array
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .values import Refusal, Value

MAX_WEIGHTS = 1 << 22
"""Elements of a matrix of weights; a larger one would cost more than it saves."""

Weights = Callable[[int, int], Array]
"""The matrix (out, in) of an axis, of its sizes in and out."""


def _sizes(x: Value) -> list[int]:
    """The sizes of rows, columns and channels."""
    if x.rank != 4 or x.shape is None or None in x.shape[1:] or 0 in x.shape[1:]:
        raise Refusal("a picture is weighed only with known sizes")
    return [size or 0 for size in x.shape[1:]]


def _along(g: Builder, x: Value, weights: Array, axis: int) -> Value:
    """(N, H, W, C) with the rows or columns weighed by (out, in)."""
    if weights.size > MAX_WEIGHTS:
        raise Refusal(f"a matrix of {weights.size} weights is too large")
    height, width, channels = _sizes(x)
    matrix = g.const(weights, FLOAT32)
    out = len(weights)
    if axis == 2:
        return g.op("MatMul", matrix, x, shape=(x.size(0), height, out, channels))
    rows = g.reshape(x, [-1, height, width * channels])
    made = g.reshape(g.op("MatMul", matrix, rows, shape=(None, out, width * channels)), [-1, out, width, channels])
    return Value(made.name, made.dtype, (x.size(0), out, width, channels))


def _scaled(g: Builder, x: Value, target: Sequence[int], weights: Weights) -> Value:
    made = g.cast(x, FLOAT32)
    if len(target) != 2 or min(target) <= 0:
        raise Refusal("there is no size to scale to")
    for axis in (1, 2):
        made = _along(g, made, weights(_sizes(x)[axis - 1], target[axis - 1]), axis)
    return made


def _unscaled(g: Builder, grads: Value, target: Sequence[int], weights: Weights, dtype: Value | None = None) -> Value:
    made = g.cast(grads, FLOAT32)
    if len(target) != 2 or min(target) <= 0:
        raise Refusal("there is no size to scale back to")
    for axis in (1, 2):
        made = _along(g, made, weights(target[axis - 1], _sizes(grads)[axis - 1]).T, axis)
    return made if dtype is None else g.cast(made, dtype.dtype)


def resize_area(g: Builder, step: Step, x: Value, size: Value, *, align_corners: bool = False) -> Value:
    from ..numpy.images import area_weights

    return _scaled(g, x, g.fixed_ints(size, "the size"), lambda a, b: area_weights(a, b, align_corners))


def _spans(kernel_type: bytes, antialias: bool, scale: Array, translation: Array) -> list[Weights]:
    from ..numpy.images import spans

    if not np.all(scale > 0):
        raise Refusal("a scale is not positive")
    return [
        lambda a, b, i=i: spans(kernel_type, a, b, float(scale[i]), float(translation[i]), antialias)  # type: ignore[misc]
        for i in (0, 1)
    ]


def scale_and_translate(
    g: Builder,
    step: Step,
    x: Value,
    size: Value,
    scale: Value,
    translation: Value,
    *,
    kernel_type: bytes = b"lanczos3",
    antialias: bool = True,
) -> Value:
    weights = _spans(kernel_type, antialias, g.fixed(scale, "the scale"), g.fixed(translation, "the translation"))
    target = g.fixed_ints(size, "the size")
    made = g.cast(x, FLOAT32)
    for axis in (1, 2):
        made = _along(g, made, weights[axis - 1](_sizes(x)[axis - 1], target[axis - 1]), axis)
    return made


def scale_and_translate_grad(
    g: Builder,
    step: Step,
    grads: Value,
    original: Value,
    scale: Value,
    translation: Value,
    *,
    kernel_type: bytes = b"lanczos3",
    antialias: bool = True,
) -> Value:
    weights = _spans(kernel_type, antialias, g.fixed(scale, "the scale"), g.fixed(translation, "the translation"))
    made = g.cast(grads, FLOAT32)
    for axis in (1, 2):
        made = _along(g, made, weights[axis - 1](_sizes(original)[axis - 1], _sizes(grads)[axis - 1]).T, axis)
    return made


def _gradient(weights: Callable[[int, int, bool, bool], Array]) -> Lowering:
    """The lowering for kinds that are told the picture; weights also of aligned corners and of centers at halves."""

    def lower(
        g: Builder,
        step: Step,
        grads: Value,
        original: Value,
        *,
        align_corners: bool = False,
        half_pixel_centers: bool = False,
    ) -> Value:
        _floats(original, step)
        return _unscaled(
            g, grads, _sizes(original)[:2], lambda a, b: weights(a, b, align_corners, half_pixel_centers), original
        )

    return lower


def _linear(a: int, b: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    from ..numpy.image_grads import linear_weights
    from ..numpy.images import sources

    return linear_weights(sources(a, b, align_corners, half_pixel_centers), a)


def _cubic(a: int, b: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    from ..numpy.image_grads import laid_weights
    from ..numpy.images import cubic_weights, sources

    places = sources(a, b, align_corners, half_pixel_centers)
    return laid_weights(*cubic_weights(places, a, half_pixel_centers), a)


def _floats(x: Value, step: Step) -> None:
    if x.dtype != FLOAT32:
        raise Refusal(f"{step.op} to {x.dtype} has no lowering to ONNX")


def nearest_grad(
    g: Builder, step: Step, grads: Value, size: Value, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Value:
    """Each gradient added to the row and column that its place took."""
    from ..numpy.images import nearest_places

    def weights(a: int, b: int) -> Array:
        return np.eye(a, dtype=np.float32)[nearest_places(a, b, align_corners, half_pixel_centers)]

    _floats(grads, step)
    return _unscaled(g, grads, g.fixed_ints(size, "the size"), weights)


LOWERINGS: Table = {
    "ResizeArea": resize_area,
    "ResizeBicubicGrad": _gradient(_cubic),
    "ResizeBilinearGrad": _gradient(_linear),
    "ResizeNearestNeighborGrad": nearest_grad,
    "ScaleAndTranslate": scale_and_translate,
    "ScaleAndTranslateGrad": scale_and_translate_grad,
}
