"""Lowerings of boxes drawn into pictures, and of glimpses: windows of one size around places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, INT64
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .control import repeated
from .values import Refusal, Value

_PLANE = (None, None, None)


def _flags(g: Builder, op: str, a: Value, b: Value) -> Value:
    return g.op(op, a, b, dtype=BOOL, shape=_PLANE)


def _all(g: Builder, *flags: Value) -> Value:
    made = flags[0]
    for flag in flags[1:]:
        made = g.op("And", made, flag, dtype=BOOL, shape=_PLANE)
    return made


def draw(g: Builder, step: Step, images: Value, boxes: Value, *colours: Value) -> Value:
    """Lines one pixel wide; boxes take the colours in turn. A picture of one channel gets white lines."""
    from ..numpy.boxes import COLOURS

    depth, count = images.size(3), boxes.size(1)
    if images.rank != 4 or boxes.rank != 3 or not depth or boxes.size(2) != 4:
        raise Refusal("boxes are drawn into pictures of known depth")
    if colours and (colours[0].rank != 2 or None in (colours[0].shape or ())):
        raise Refusal("the number of colours is not known")
    if colours and 0 not in (colours[0].shape or ()):
        table = g.cast(colours[0], FLOAT32)
    else:
        table = g.const(COLOURS if depth > 1 else np.ones((len(COLOURS), 1)), FLOAT32)
    if (table.size(1) or 0) < depth:
        raise Refusal(f"colours of {table.size(1)} channels are no colours of {depth}")
    if count == 0 or 0 in (images.shape or ()):
        return images
    shown = g.slice(table, g.ints([0]), g.ints([depth]), [1])
    rows, columns = (g.squeeze(g.sizes(images, [axis]), [0]) for axis in (1, 2))
    one = g.const(1, INT64)
    ends = [g.cast(g.op("Sub", size, one, shape=()), FLOAT32) for size in (rows, columns)]
    scale = g.concat([g.unsqueeze(ends[at], [0]) for at in (0, 1, 0, 1)], 0, (4,))
    corners = g.cast(g.op("Mul", g.cast(boxes, FLOAT32), scale, shape=boxes.shape), INT64)  # towards zero
    number = [g.op("Range", g.const(0, INT64), size, one, shape=(None,)) for size in (rows, columns)]
    y, x = g.unsqueeze(number[0], [0, 2]), g.unsqueeze(number[1], [0, 1])
    start = g.op("Expand", g.const(-1, INT64), g.sizes(images, [0, 1, 2]), shape=_PLANE)

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        box = g.op("Gather", corners, turn, axis=1, shape=(None, 4))
        low_y, low_x, high_y, high_x = (
            g.unsqueeze(g.op("Gather", box, g.const(at, INT64), axis=1, shape=(None,)), [1, 2]) for at in range(4)
        )
        in_rows = _all(g, _flags(g, "GreaterOrEqual", y, low_y), _flags(g, "LessOrEqual", y, high_y))
        in_columns = _all(g, _flags(g, "GreaterOrEqual", x, low_x), _flags(g, "LessOrEqual", x, high_x))
        on_row = g.op("Or", _flags(g, "Equal", y, low_y), _flags(g, "Equal", y, high_y), dtype=BOOL, shape=_PLANE)
        on_column = g.op("Or", _flags(g, "Equal", x, low_x), _flags(g, "Equal", x, high_x), dtype=BOOL, shape=_PLANE)
        line = g.op("Or", _all(g, on_row, in_columns), _all(g, in_rows, on_column), dtype=BOOL, shape=_PLANE)
        there = _all(g, _flags(g, "LessOrEqual", low_y, high_y), _flags(g, "LessOrEqual", low_x, high_x))
        return None, [g.where(_all(g, line, there), turn, held[0], _PLANE)]

    (last,) = repeated(g, g.squeeze(g.sizes(boxes, [1]), [0]), [start], change)
    drawn = g.unsqueeze(_flags(g, "GreaterOrEqual", last, g.const(0, INT64)), [3])
    which = g.op("Mod", last, g.squeeze(g.sizes(table, [0]), [0]), shape=_PLANE)
    paint = g.cast(g.op("Gather", shown, which, axis=0, shape=(*_PLANE, depth)), images.dtype)
    return g.where(drawn, paint, images, images.shape)


# --- glimpses


def _glimpse(newest: bool) -> Lowering:
    def lower(
        g: Builder,
        step: Step,
        images: Value,
        size: Value,
        offsets: Value,
        *,
        centered: bool = True,
        normalized: bool = True,
        uniform_noise: bool = True,
        noise: bytes = b"uniform",
    ) -> Value:
        """What lies outside of a picture is noise, or 0."""
        height, width = g.fixed_ints(size, "the size of glimpses")
        if images.rank != 4 or images.dtype != FLOAT32 or offsets.rank != 2 or min(height, width) < 1:
            raise Refusal("glimpses are taken of pictures of floats")
        if images.shape is None or 0 in images.shape:
            raise Refusal("glimpses of nothing are left to numpy")
        space = g.cast(g.sizes(images, [1, 2]), FLOAT32)
        window, two = g.const([height, width], FLOAT32), g.const(2, FLOAT32)
        shape = (images.size(0), 2)
        starts = g.cast(offsets, FLOAT32)
        if normalized:
            starts = g.op("Mul", starts, space, shape=shape)
        if centered:
            half = g.op("Div", space, two, shape=(2,))
            if normalized or not newest:
                starts = g.op("Div", starts, two, shape=shape)
            starts = g.op("Add", starts, half, shape=shape)
        if not newest or (normalized and centered):
            starts = g.op("Sub", starts, g.op("Div", window, two, shape=(2,)), shape=shape)
        corners = g.cast(starts, INT64)
        taken, inside = images, None
        for axis, count in ((1, height), (2, width)):
            corner = g.op("Gather", corners, g.ints([axis - 1]), axis=1, shape=(images.size(0), 1))
            places = g.op("Add", corner, g.const(np.arange(count)[None], INT64), shape=(images.size(0), count))
            length = g.squeeze(g.sizes(images, [axis]), [0])
            flag = g.op("And", g.op("GreaterOrEqual", places, g.const(0, INT64), dtype=BOOL, shape=places.shape),
                        g.op("Less", places, length, dtype=BOOL, shape=places.shape), dtype=BOOL,
                        shape=places.shape)  # fmt: skip
            last = g.op("Sub", length, g.const(1, INT64), shape=())
            kept = g.op("Max", g.op("Min", places, last, shape=places.shape), g.const(0, INT64), shape=places.shape)
            taken = _picked(g, taken, kept, axis, count)
            flag = g.unsqueeze(flag, [2, 3] if axis == 1 else [1, 3])
            inside = flag if inside is None else g.op("And", inside, flag, dtype=BOOL, shape=(None, None, None, 1))
        if inside is None:
            raise Refusal("a glimpse has two sides")
        return g.where(inside, taken, _around(g, images, taken, noise, uniform_noise), taken.shape)

    return lower


def _picked(g: Builder, x: Value, places: Value, axis: int, count: int) -> Value:
    """Rows (axis 1) or columns (axis 2) of each picture by number."""
    wide = g.unsqueeze(places, [2, 3] if axis == 1 else [1, 3])
    parts = [g.sizes(x, [at]) for at in range(4)]
    parts[axis] = g.ints([count])
    shape = tuple(count if at == axis else n for at, n in enumerate(x.shape or ()))
    index = g.op("Expand", wide, g.concat(parts, 0, (4,)), shape=shape)
    return g.op("GatherElements", x, index, axis=axis, shape=shape)


def _around(g: Builder, images: Value, taken: Value, noise: bytes, uniform: bool) -> Value:
    """Zeros, or numbers as those of each channel of each picture are."""
    if noise == b"zero":
        return g.const(0, FLOAT32)
    shape, axes = (images.size(0), 1, 1, images.size(3)), g.ints([1, 2])
    if noise == b"gaussian" or not uniform:
        mean = g.op("ReduceMean", images, axes, keepdims=1, shape=shape)
        apart = g.op("Sub", images, mean, shape=images.shape)
        square = g.op("ReduceMean", g.op("Mul", apart, apart, shape=images.shape), axes, keepdims=1, shape=shape)
        drawn = g.op("RandomNormalLike", taken, shape=taken.shape, mean=0.0, scale=1.0)
        low, span = mean, g.unary("Sqrt", square)
    else:
        low = g.op("ReduceMin", images, axes, keepdims=1, shape=shape)
        high = g.op("ReduceMax", images, axes, keepdims=1, shape=shape)
        drawn = g.op("RandomUniformLike", taken, shape=taken.shape, low=0.0, high=1.0)
        span = g.op("Sub", high, low, shape=shape)
    return g.op("Add", g.op("Mul", drawn, span, shape=taken.shape), low, shape=taken.shape)


LOWERINGS: Table = {
    "DrawBoundingBoxes": draw,
    "DrawBoundingBoxesV2": draw,
    "ExtractGlimpse": _glimpse(False),
    "ExtractGlimpseV2": _glimpse(True),
}
