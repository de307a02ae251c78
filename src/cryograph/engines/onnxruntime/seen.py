"""Lowerings of pictures seen through boxes and transforms: places are computed, and pixels picked there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, INT64
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value


def _float(g: Builder, value: float) -> Value:
    return g.const(value, FLOAT32)


def _add(g: Builder, x: Value, y: Value) -> Value:
    return g.binary("Add", x, y)


def _mul(g: Builder, x: Value, y: Value) -> Value:
    return g.binary("Mul", x, y)


def _between(g: Builder, x: Value, low: float, high: float, strict: bool) -> Value:
    """Whether numbers lie in a range, with its ends or without."""
    above, below = ("Greater", "Less") if strict else ("GreaterOrEqual", "LessOrEqual")
    first = g.binary(above, x, _float(g, low), BOOL)
    return g.binary("And", first, g.binary(below, x, _float(g, high), BOOL), BOOL)


def _picked(g: Builder, images: Value, items: Value, rows: Value, columns: Value) -> Value:
    """(B, h, w, C): the pixels of pictures at places (broadcast to (B, h, w)), which must lie inside."""
    total = g.binary("Add", items, g.binary("Add", rows, columns))
    like = g.binary("Sub", total, total)
    whole = [g.unsqueeze(g.int64(g.binary("Add", part, like)), [3]) for part in (items, rows, columns)]
    index = g.op("Concat", *whole, axis=3)
    known = None if total.shape is None else (*total.shape, images.size(3))
    return g.op("GatherND", images, index, shape=known)


def _known(x: Value) -> tuple[int, int]:
    if x.rank != 4 or not x.size(1) or not x.size(2):
        raise Refusal("places in a picture need its height and width")
    return x.size(1) or 0, x.size(2) or 0


# --- boxes


def crops(
    g: Builder, x: Value, boxes: Value, numbers: Value, size: Value, method: bytes, extrapolation_value: float
) -> Value:
    """(B, h, w, C) in float32, by the pixel nearest to each place or by the four around it."""
    height, width = _known(x)
    target = g.fixed_ints(size, "the size of a crop")
    places, seen = [], []
    for axis, (count, extent) in enumerate(zip(target, (height, width), strict=True)):
        start, stop = (g.op("Gather", boxes, g.ints([i]), axis=1, shape=(boxes.size(0), 1)) for i in (axis, axis + 2))
        if count > 1:
            step = g.binary("Div", _mul(g, g.binary("Sub", stop, start), _float(g, extent - 1)), _float(g, count - 1))
            steps = _mul(g, g.const(np.arange(count)[None], FLOAT32), step)
            found = _add(g, _mul(g, start, _float(g, extent - 1)), steps)
        else:
            found = _mul(g, _mul(g, _float(g, 0.5), _add(g, start, stop)), _float(g, extent - 1))
        inside = _between(g, found, 0, extent - 1, False)
        held = g.where(inside, found, _float(g, 0), found.shape)
        places.append(g.unsqueeze(held, [2 - axis]))
        seen.append(g.unsqueeze(inside, [2 - axis]))
    items = g.unsqueeze(g.cast(numbers, FLOAT32), [1, 2])
    picture = g.cast(x, FLOAT32)
    if method == b"nearest":
        rows, columns = (g.unary("Floor", _add(g, part, _float(g, 0.5))) for part in places)
        made = _picked(g, picture, items, rows, columns)
    else:
        top, left = (g.unary("Floor", part) for part in places)
        bottom, right = (g.unary("Ceil", part) for part in places)
        down, along = (
            g.unsqueeze(g.binary("Sub", part, low), [3]) for part, low in zip(places, (top, left), strict=True)
        )
        lines = []
        for row in (top, bottom):
            first, second = (_picked(g, picture, items, row, column) for column in (left, right))
            lines.append(_add(g, first, _mul(g, g.binary("Sub", second, first), along)))
        made = _add(g, lines[0], _mul(g, g.binary("Sub", lines[1], lines[0]), down))
    inside = g.unsqueeze(g.binary("And", seen[0], seen[1], BOOL), [3])
    shape = (boxes.size(0), *target, x.size(3))
    return g.where(inside, made, _float(g, float(np.float32(extrapolation_value))), shape)


# --- transforms


def _truncated(g: Builder, x: Value) -> Value:
    return _mul(g, g.unary("Sign", x), g.unary("Floor", g.unary("Abs", x)))


def _clamped(g: Builder, x: Value, size: int) -> Value:
    return g.op("Clip", x, _float(g, 0), _float(g, max(size - 1, 0)), shape=x.shape)


def _chosen(g: Builder, places: Value, size: int, below: Value, above: Value) -> Value:
    far = g.binary("Greater", places, _float(g, size - 1), BOOL)
    near = g.binary("Less", places, _float(g, 0), BOOL)
    return _clamped(g, g.where(near, below, g.where(far, above, places, places.shape), places.shape), size)


def _reflected(g: Builder, places: Value, size: int) -> Value:
    """[dcba|abcd|dcba]"""
    if size <= 1:
        return g.binary("Sub", places, places)
    whole, minus_one, full = _float(g, 2 * size), _float(g, -1), _float(g, size)
    turns = _truncated(g, g.binary("Div", places, whole))
    below = g.binary("Sub", places, _mul(g, whole, turns))
    far = g.binary("Less", below, _float(g, -size), BOOL)
    below = g.where(far, _add(g, below, whole), _add(g, g.unary("Neg", below), minus_one), places.shape)
    above = g.binary("Sub", places, _mul(g, whole, turns))
    over = g.binary("GreaterOrEqual", above, full, BOOL)
    above = g.where(over, _add(g, g.binary("Sub", whole, above), minus_one), above, places.shape)
    return _chosen(g, places, size, below, above)


def _wrapped(g: Builder, places: Value, size: int) -> Value:
    """[abcd|abcd|abcd]"""
    if size <= 1:
        return g.binary("Sub", places, places)
    turns = _truncated(g, g.binary("Div", places, _float(g, size - 1)))
    back = g.binary("Sub", _float(g, 1), turns)
    below = _add(g, places, _mul(g, _float(g, size), back))
    above = g.binary("Sub", places, _mul(g, _float(g, size), turns))
    return _chosen(g, places, size, below, above)


def _same(g: Builder, places: Value, size: int) -> Value:
    return places


FILLS: dict[bytes, Callable[[Builder, Value, int], Value]] = {
    b"CONSTANT": _same,
    b"NEAREST": _clamped,
    b"REFLECT": _reflected,
    b"WRAP": _wrapped,
}
"""Where in a picture of some size places are looked up that may be outside."""


def transform_v2(
    g: Builder,
    step: Step,
    images: Value,
    transforms: Value,
    output_shape: Value,
    *,
    interpolation: bytes,
    fill_mode: bytes = b"CONSTANT",
) -> Value:
    zero = _float(g, 0)
    return transform(g, step, images, transforms, output_shape, zero, interpolation=interpolation, fill_mode=fill_mode)


def transform(
    g: Builder,
    step: Step,
    images: Value,
    transforms: Value,
    output_shape: Value,
    fill_value: Value,
    *,
    interpolation: bytes,
    fill_mode: bytes = b"CONSTANT",
) -> Value:
    """The place (x, y) of the output shows the place ((a x + b y + c) / k, (d x + e y + f) / k) of the picture, where
    k = g x + h y + 1, of the eight numbers a to h of a transform."""
    height, width = _known(images)
    count = images.size(0)
    if count is None or fill_mode not in FILLS or transforms.size(1) != 8:
        raise Refusal("a transform needs a known number of pictures, and eight numbers")
    target = g.fixed_ints(output_shape, "the size of the output")
    held = g.cast(transforms, FLOAT32)
    many = transforms.size(0)
    numbers = [g.unsqueeze(g.op("Gather", held, g.const(i, INT64), axis=1, shape=(many,)), [1, 2]) for i in range(8)]
    y = g.const(np.arange(target[0]).reshape(1, -1, 1), FLOAT32)
    x = g.const(np.arange(target[1]).reshape(1, 1, -1), FLOAT32)

    def plane(a: Value, b: Value, c: Value) -> Value:
        return _add(g, _add(g, _mul(g, a, x), _mul(g, b, y)), c)

    a, b, c, d, e, f, p, q = numbers
    scale = plane(p, q, _float(g, 1))
    columns = FILLS[fill_mode](g, g.binary("Div", plane(a, b, c), scale), width)
    rows = FILLS[fill_mode](g, g.binary("Div", plane(d, e, f), scale), height)
    straight = g.unary("Not", g.binary("Equal", scale, _float(g, 0), BOOL))
    inside = g.binary("And", _between(g, columns, -1, width, True), _between(g, rows, -1, height, True), BOOL)
    seen = g.binary("And", straight, inside, BOOL)
    rows, columns = (g.where(seen, part, _float(g, 0), part.shape) for part in (rows, columns))
    items = g.const(np.arange(count).reshape(-1, 1, 1), FLOAT32)
    outside = g.cast(fill_value, images.dtype)
    shape = (count, *target, images.size(3))

    def at(row: Value, column: Value) -> Value:
        held = [
            g.op("Clip", v, _float(g, 0), _float(g, n - 1), shape=v.shape) for v, n in ((row, height), (column, width))
        ]
        fits = g.binary("And", _between(g, row, 0, height - 1, False), _between(g, column, 0, width - 1, False), BOOL)
        found = _picked(g, images, items, *held)
        return g.where(g.unsqueeze(fits, [3]), found, outside, shape)

    if interpolation == b"NEAREST":
        half = _float(g, 0.5)
        made = at(
            *(_mul(g, g.unary("Sign", v), g.unary("Floor", _add(g, g.unary("Abs", v), half))) for v in (rows, columns))
        )
    else:
        top, left = g.unary("Floor", rows), g.unary("Floor", columns)
        down, right = (g.unsqueeze(g.binary("Sub", v, low), [3]) for v, low in ((rows, top), (columns, left)))
        one = _float(g, 1)
        lines = []
        for row in (top, _add(g, top, one)):
            first, second = (g.cast(at(row, column), FLOAT32) for column in (left, _add(g, left, one)))
            lines.append(_add(g, _mul(g, g.binary("Sub", one, right), first), _mul(g, right, second)))
        mixed = _add(g, _mul(g, g.binary("Sub", one, down), lines[0]), _mul(g, down, lines[1]))
        made = g.cast(mixed, images.dtype)
    return g.where(g.unsqueeze(seen, [3]), made, outside, shape)


LOWERINGS: Table = {
    "ImageProjectiveTransformV2": transform_v2,
    "ImageProjectiveTransformV3": transform,
}
