"""Gradients of scaled and cropped pictures, and of dilations.

Scaling weighs rows and columns apart: what it does to an axis is a matrix of weights (out, in), and the gradient the
transpose of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import sizes_of
from .context import Context, Rule
from .crops import box_places
from .elementwise import given, wide
from .images import cubic_weights, moves, nearest_places, sources, spans, target_size, weighted
from .patches import dilated
from .reductions import finite_limits
from .windows import padded, place

F = np.float32


def laid_weights(indices: Array, weights: Array, size_in: int) -> Array:
    """The matrix (out, in) of some indices and weights for each place of the output."""
    made = np.zeros((len(indices), size_in), F)
    np.add.at(made, (np.arange(len(indices))[:, None], indices), weights)
    return made


def linear_weights(places: Array, size_in: int) -> Array:
    """The matrix of places between two neighbours, of which one may be outside."""
    below = np.floor(places)
    part = (places - below).astype(F)
    pair = np.stack([below, np.ceil(places)], -1)
    return laid_weights(np.clip(pair, 0, size_in - 1).astype(int), np.stack([1 - part, part], -1), size_in)


def _turned(ctx: Context, grads: Any, shape: Sequence[int], weights: Callable[[int, int], Array]) -> Any:
    """The gradient for pictures of a shape, by the weights (out, in) of an axis and its sizes."""
    if grads.ndim != 4 or len(shape) != 4:
        raise RunError(f"pictures of {grads.ndim} and {len(shape)} dimensions were given where 4 are taken")
    if grads.shape[::3] != tuple(shape[::3]) or 0 in (*grads.shape, *shape):
        raise RunError(f"gradients of {list(grads.shape)} do not fit pictures of {list(shape)}")
    for axis in (1, 2):
        laid = weights(shape[axis], grads.shape[axis]).T
        grads = weighted(ctx, grads, laid.astype(grads.dtype) if grads.dtype.kind in "iu" else laid, axis)
    return given(ctx, grads)


def _bilinear_grad(
    ctx: Context, grads: Any, original: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    def weights(size: int, out: int) -> Array:
        return linear_weights(sources(size, out, align_corners, half_pixel_centers), size)

    return _turned(ctx, grads, original.shape, weights)


def _bicubic_grad(
    ctx: Context, grads: Any, original: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    def weights(size: int, out: int) -> Array:
        places = sources(size, out, align_corners, half_pixel_centers)
        return laid_weights(*cubic_weights(places, size, half_pixel_centers), size)

    return _turned(ctx, grads, original.shape, weights)


def _nearest_grad(
    ctx: Context, grads: Any, size: Any, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Any:
    def weights(size: int, out: int) -> Array:
        places = nearest_places(size, out, align_corners, half_pixel_centers)
        return laid_weights(places[:, None], np.ones((out, 1), F), size)

    height, width = target_size(grads, ctx.known(size))
    return _turned(ctx, wide(grads), (grads.shape[0], height, width, grads.shape[-1]), weights)


def _scale_and_translate_grad(
    ctx: Context,
    grads: Any,
    original: Any,
    scale: Any,
    translation: Any,
    *,
    kernel_type: bytes = b"lanczos3",
    antialias: bool = True,
) -> Any:
    held = iter(moves(ctx, scale, translation))

    def weights(size: int, out: int) -> Array:
        return spans(kernel_type, size, out, *next(held), antialias)

    return _turned(ctx, grads, original.shape, weights)


def _checked_boxes(grads: Array, boxes: Array, box_index: Array, shape: tuple[int, ...]) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or box_index.shape != boxes.shape[:1]:
        raise RunError(f"{list(box_index.shape)} pictures were named for boxes of the shape {list(boxes.shape)}")
    if len(shape) != 4 or grads.ndim != 4 or grads.shape[::3] != (len(boxes), shape[3]) or 0 in grads.shape[1:3]:
        raise RunError(f"gradients of {list(grads.shape)} do not fit {len(boxes)} boxes of pictures of {list(shape)}")
    if shape[1] <= 0 or shape[2] <= 0:
        raise RunError(f"pictures of the shape {list(shape)} have no pixels")
    if box_index.size and (box_index.min() < 0 or box_index.max() >= shape[0]):
        raise RunError(f"a box is of a picture that is not in [0, {shape[0]})")


def _mixing(places: Array, size: int, nearest: bool) -> Array:
    """The matrix (crop, picture) of an axis; nothing where a place is outside of the picture."""
    inside = (places >= 0) & (places <= size - 1)
    near = np.floor(places + F(0.5)) if nearest else places
    return linear_weights(np.where(inside, near, 0).astype(F), size) * inside[:, None]


def _crop_grad_image(
    ctx: Context, grads: Array, boxes: Array, box_index: Array, image_size: Array, *, method: bytes = b"bilinear"
) -> Array:
    shape = sizes_of(image_size)
    _checked_boxes(grads, boxes, box_index, shape)
    made = np.zeros(shape, np.result_type(ctx.dtype, F))
    for box, source, part in zip(boxes, box_index, grads, strict=True):
        rows, columns = (
            _mixing(box_places(box[i], box[i + 2], shape[1 + i], part.shape[i]), shape[1 + i], method == b"nearest")
            for i in (0, 1)
        )
        made[source] += np.einsum("yi,yxd,xj->ijd", rows, part, columns, optimize=True)
    return given(ctx, made)


def _crop_grad_boxes(
    ctx: Context, grads: Array, image: Array, boxes: Array, box_index: Array, *, method: bytes = b"bilinear"
) -> Array:
    """How the crops change with the corners (y1, x1, y2, x2): by the slope of the picture at each place, which moves
    with the corners by the part of the way that it lies from one to the other."""
    if method != b"bilinear":
        raise RunError(f"the method {method!r} has no gradient for boxes; only bilinear has")
    if image.ndim != 4:
        raise RunError(f"a picture of {image.ndim} dimensions was given where 4 are taken")
    _checked_boxes(grads, boxes, box_index, image.shape)
    made = np.zeros((len(boxes), 4), F)
    for number, (box, source, part) in enumerate(zip(boxes, box_index, grads, strict=True)):
        mixes, slopes, ways = [], [], []
        for i in (0, 1):
            size, count = image.shape[1 + i], part.shape[i]
            places = box_places(box[i], box[i + 2], size, count)
            inside = (places >= 0) & (places <= size - 1)
            held = np.where(inside, places, 0)
            ends = np.stack([np.floor(held), np.ceil(held)], -1).astype(int)
            mixes.append(_mixing(places, size, False))
            slopes.append(laid_weights(ends, np.array([-1, 1], F), size) * inside[:, None])
            ways.append(np.arange(count, dtype=F) * F((size - 1) / (count - 1)) if count > 1
                        else np.full(1, 0.5 * (size - 1), F))  # fmt: skip
        picture = image[source].astype(F)
        y = np.einsum("yi,xj,ijd,yxd->y", slopes[0], mixes[1], picture, part, optimize=True)
        x = np.einsum("yi,xj,ijd,yxd->x", mixes[0], slopes[1], picture, part, optimize=True)
        height, width = image.shape[1] - 1, image.shape[2] - 1
        made[number] = y @ (height - ways[0]), x @ (width - ways[1]), y @ ways[0], x @ ways[1]
    return made


def _dilation_grad(for_filter: bool) -> Rule:
    """The gradient goes to the summand of the largest sum, the first of equal ones; where no sum is above the least
    number, to the first element."""

    def rule(
        ctx: Context,
        x: Array,
        filters: Array,
        gradient: Array,
        *,
        strides: list[int],
        rates: list[int],
        padding: bytes,
    ) -> Array:
        windows = dilated(x, filters, strides, rates, padding)
        out = (len(x), *windows.out, x.shape[-1])
        if gradient.shape != out:
            raise RunError(f"a gradient of {list(gradient.shape)} was given where the dilation gives {list(out)}")
        around = padded(x, windows.pairs)
        inside = padded(np.ones((1, *x.shape[1:-1], 1), bool), windows.pairs, False)
        best, chosen = np.full(out, finite_limits(x.dtype)[0], x.dtype), np.full(out, -1)
        for number, at in enumerate(np.ndindex(*windows.sizes)):
            where = place(windows, at)
            sums = around[where] + filters[at]
            better = inside[where] & (sums > best)
            best[better], chosen[better] = sums[better], number
        back = wide(gradient)
        if for_filter:
            chosen = np.maximum(chosen, 0)
            made = [np.where(chosen == n, back, 0).sum((0, 1, 2)) for n in range(filters.shape[0] * filters.shape[1])]
            return given(ctx, np.array(made).reshape(filters.shape))
        offsets = np.array(list(np.ndindex(*windows.sizes))) * windows.dilations
        starts = np.ix_(
            *(np.arange(n) * s - a for n, s, (a, _) in zip(windows.out, windows.strides, windows.pairs, strict=True))
        )
        corner = [np.broadcast_to(np.asarray(start)[..., None], out) for start in starts]
        rows, columns = (
            np.where(chosen < 0, np.maximum(low, 0), low + offsets[chosen, i]) for i, low in enumerate(corner)
        )
        made_in = np.zeros(x.shape, back.dtype)
        items, channels = np.arange(len(x)).reshape(-1, 1, 1, 1), np.arange(x.shape[-1])
        fits = (rows < x.shape[1]) & (columns < x.shape[2])
        index = tuple(np.broadcast_to(i, out)[fits] for i in (items, rows, columns, channels))
        np.add.at(made_in, index, back[fits])
        return given(ctx, made_in)

    return rule


RESIZED: dict[str, Rule] = {
    "ResizeBicubicGrad": _bicubic_grad,
    "ResizeBilinearGrad": _bilinear_grad,
    "ResizeNearestNeighborGrad": _nearest_grad,
    "ScaleAndTranslateGrad": _scale_and_translate_grad,
}
"""Those of scaled pictures, which compute with any array namespace."""

RULES: dict[str, Rule] = {
    "CropAndResizeGradBoxes": _crop_grad_boxes,
    "CropAndResizeGradImage": _crop_grad_image,
    "Dilation2DBackpropFilter": _dilation_grad(True),
    "Dilation2DBackpropInput": _dilation_grad(False),
    **RESIZED,
}
