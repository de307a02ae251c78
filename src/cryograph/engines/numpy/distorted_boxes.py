"""Ops that choose a random crop of a picture: of a size, or one that shows enough of an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import of_pair, of_seeds
from .streams import Reader

MAX_ATTEMPTS = 1 << 20
"""The most crops that a model may ask to be tried."""
_F = np.float32
_LESS = float(np.float32(1e-7))

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a crop has to be like, all in float32."""

    ratios: tuple[np.float32, np.float32]
    areas: tuple[np.float32, np.float32]
    covered: np.float32
    attempts: int


def _wish(covered: float, ratios: list[float], areas: list[float], attempts: int) -> _Wish:
    if not covered >= 0:
        raise RunError(f"the part of an object that a crop shows, {covered}, is below 0")
    if len(ratios) != 2 or min(ratios) <= 0:
        raise RunError(f"the ratios of width and height, {ratios}, are not two numbers above 0")
    if len(areas) != 2 or min(areas) <= 0 or max(areas) > 1:
        raise RunError(f"the parts of the picture's area, {areas}, are not two numbers above 0 and up to 1")
    if not 0 < attempts <= MAX_ATTEMPTS:
        raise RunError(f"{attempts} attempts were asked for; 1 to {MAX_ATTEMPTS} are taken")
    return _Wish((_F(ratios[0]), _F(ratios[1])), (_F(areas[0]), _F(areas[1])), _F(covered), attempts)


def _pixels(number: np.float32) -> int:
    """Rounded, halves to the even neighbour."""
    return int(np.rint(number))


def _crop(reader: Reader, width: int, height: int, ratio: np.float32, wish: _Wish) -> Box | None:
    """A crop of a ratio of width and height; None when none of the wanted area fits."""
    if width <= 0 or height <= 0 or wish.areas[0] > wish.areas[1] or ratio <= 0:
        return None
    least, most = (part * _F(width) * _F(height) for part in wish.areas)
    tall, tallest = (_pixels(np.sqrt(area / ratio)) for area in (least, most))
    if _pixels(_F(tallest) * ratio) > width:
        tallest = int((width + 0.5 - _LESS) / float(ratio))
        tallest -= _pixels(_F(tallest) * ratio) > width
    tallest = min(tallest, height)
    tall = min(tall, tallest)
    if tall < tallest:
        tall += reader.below(tallest - tall + 1)
    wide = _pixels(_F(tall) * ratio)
    if _F(wide * tall) < least:  # rounding is made good by a pixel
        tall += 1
        wide = _pixels(_F(tall) * ratio)
    if _F(wide * tall) > most:
        tall -= 1
        wide = _pixels(_F(tall) * ratio)
    if not least <= _F(wide * tall) <= most or not 0 < wide <= width or not 0 < tall <= height:
        return None
    top = reader.below(height - tall) if tall < height else 0
    left = reader.below(width - wide) if wide < width else 0
    return left, top, left + wide, top + tall


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _shows_enough(crop: Box, boxes: list[Box], covered: np.float32) -> bool:
    if _area(crop) < 1:
        return False
    for box in boxes:
        shared = max(crop[0], box[0]), max(crop[1], box[1]), min(crop[2], box[2]), min(crop[3], box[3])
        empty = shared[0] > shared[2] or shared[1] > shared[3]
        if _area(box) >= 1 and _F(0 if empty else _area(shared)) / _F(_area(box)) >= covered:
            return True
    return False


def _boxes_of(boxes: Array, width: int, height: int, use_image: bool) -> list[Box]:
    if boxes.ndim != 3 or boxes.shape[2] != 4:
        raise RunError(f"boxes of 4 corners in a batch were expected, not {list(boxes.shape)}")
    if not boxes.size:
        if not use_image:
            raise RunError("there are no boxes, and use_image_if_no_bounding_boxes is not set")
        return [(0, 0, width, height)]
    if not ((boxes >= 0) & (boxes <= 1)).all():
        raise RunError("a corner of a box lies outside of the picture, which reaches from 0 to 1")
    scaled = (boxes.reshape(-1, 4) * np.array([height, width, height, width], np.float32)).astype(np.int64)
    return [(left, top, right, bottom) for top, left, bottom, right in scaled.tolist()]


def _sampled(
    ctx: Context, reader: Reader, size: Array, boxes: Array, wish: _Wish, use_image: bool
) -> tuple[Array, ...]:
    """Where the crop begins, how large it is, and it as a box with corners from 0 to 1."""
    if size.shape != (3,):
        raise RunError(f"height, width and channels of a picture were expected, not {size.tolist()[:20]}")
    height, width = int(size[0]), int(size[1])
    if not 0 <= min(height, width) <= max(height, width) < 2**31 - 1:
        raise RunError(f"a picture of {height} times {width} pixels is none")
    objects = _boxes_of(boxes, width, height, use_image)
    crop: Box = (0, 0, width, height)
    for _ in range(wish.attempts):
        ratio = reader.unit() * (wish.ratios[1] - wish.ratios[0]) + wish.ratios[0]
        tried = _crop(reader, width, height, ratio, wish)
        if tried is not None and _shows_enough(tried, objects, wish.covered):
            crop = tried
            break
    left, top, right, bottom = crop
    begin = np.array([top, left, 0], np.int64).astype(ctx.dtype)
    extent = np.array([bottom - top, right - left, -1], np.int64).astype(ctx.dtype)
    corners = np.array([top, left, bottom, right], np.float32) / np.array([height, width] * 2, np.float32)
    return begin, extent, corners.reshape(1, 1, 4)


def _v1(
    ctx: Context,
    size: Array,
    boxes: Array,
    *,
    min_object_covered: float = 0.1,
    aspect_ratio_range: list[float],
    area_range: list[float],
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
    seed: int = 0,
    seed2: int = 0,
) -> tuple[Array, ...]:
    wish = _wish(min_object_covered, aspect_ratio_range, area_range, max_attempts)
    return _sampled(ctx, Reader(of_seeds(seed, seed2)), size, boxes, wish, use_image_if_no_bounding_boxes)


def _v2(
    ctx: Context,
    size: Array,
    boxes: Array,
    covered: Array,
    *,
    aspect_ratio_range: list[float],
    area_range: list[float],
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
    seed: int = 0,
    seed2: int = 0,
) -> tuple[Array, ...]:
    wish = _wish(_single(covered), aspect_ratio_range, area_range, max_attempts)
    return _sampled(ctx, Reader(of_seeds(seed, seed2)), size, boxes, wish, use_image_if_no_bounding_boxes)


def _stateless(
    ctx: Context,
    size: Array,
    boxes: Array,
    covered: Array,
    seed: Array,
    *,
    aspect_ratio_range: list[float],
    area_range: list[float],
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
) -> tuple[Array, ...]:
    wish = _wish(_single(covered), aspect_ratio_range, area_range, max_attempts)
    return _sampled(ctx, Reader(of_pair(seed)), size, boxes, wish, use_image_if_no_bounding_boxes)


def _single(covered: Array) -> float:
    if covered.ndim:
        raise RunError(f"one number is expected as min_object_covered, not {list(covered.shape)}")
    return float(covered)


def _random_crop(ctx: Context, image: Array, size: Array, *, seed: int = 0, seed2: int = 0) -> Array:
    if image.ndim != 3 or size.shape != (2,):
        raise RunError(f"a picture (H, W, C) and a height and width were expected, not {list(image.shape)}")
    tall, wide = size.tolist()
    height, width = image.shape[:2]
    if not (0 <= tall <= height and 0 <= wide <= width):
        raise RunError(f"a crop of {tall} times {wide} pixels is larger than the picture, {height} times {width}")
    reader = Reader(of_seeds(seed, seed2))
    left = reader.word() % (width - wide + 1) if width > wide else 0
    top = reader.word() % (height - tall + 1) if height > tall else 0
    return image[top : top + tall, left : left + wide]


RULES: dict[str, Rule] = {
    "RandomCrop": _random_crop,
    "SampleDistortedBoundingBox": _v1,
    "SampleDistortedBoundingBoxV2": _v2,
    "StatelessSampleDistortedBoundingBox": _stateless,
}
