"""Lowerings of ops that choose a random crop of a picture: of a size, or one that shows enough of an object.

Words are drawn beforehand for all attempts, four for each at most; a Loop tries one crop after the other. See the
reference's `distorted_boxes`, whose float32 arithmetic this is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...program.program import Step
from .builder import Builder, Table
from .control import repeated
from .philox import State, draw, first, of_pair, of_seeds
from .values import Refusal, Value

MAX_ATTEMPTS = 1 << 12
"""The most crops that are tried in a graph."""
_EACH = 4
"""The most words that an attempt takes."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a crop has to be like. All numbers are scalars of the graph, in float32."""

    ratios: tuple[np.float32, np.float32]
    areas: tuple[np.float32, np.float32]
    covered: Value
    attempts: int
    use_image: bool


def _wish(g: Builder, covered: Value, ratios: list[float], areas: list[float], attempts: int, image: bool) -> _Wish:
    makes_sense = len(ratios) == len(areas) == 2 and min(*ratios, *areas) > 0 and max(areas) <= 1
    if not makes_sense or not 0 < attempts <= MAX_ATTEMPTS or covered.shape != ():
        raise Refusal(f"crops of these ratios and areas, or {attempts} attempts, have no lowering to ONNX")
    right = g.op("GreaterOrEqual", covered, g.const(0, FLOAT32), dtype=BOOL, shape=())
    sure = g.behind(covered, g.must(right, "the part of an object that a crop shows is below 0"))
    pairs = [(np.float32(low), np.float32(high)) for low, high in (ratios, areas)]
    return _Wish(pairs[0], pairs[1], sure, attempts, image)


def _words(g: Builder, state: State | None, count: int) -> Value:
    """32 bits each, as int64: TensorFlow's own, or any where no seed names them."""
    if state is not None:
        made = g.cast(first(g, draw(g, state, g.ints([count]), 4), g.ints([count])), INT64)
        return Value(made.name, INT64, (count,))
    like = g.const(np.zeros(count), FLOAT64)
    part = g.op("RandomUniformLike", like, shape=(count,), low=0.0, high=1.0)
    return g.cast(g.op("Floor", g.op("Mul", part, g.const(2.0**32, FLOAT64), shape=(count,)), shape=(count,)), INT64)


class _Numbers:
    """Arithmetic of whole and float32 scalars, each step rounded as TensorFlow rounds it."""

    def __init__(self, g: Builder) -> None:
        self.g = g

    def of(self, number: Value | float, like: Value) -> Value:
        return number if isinstance(number, Value) else self.g.like(number, like)

    def do(self, op: str, a: Value, b: Value | float) -> Value:
        return self.g.op(op, a, self.of(b, a), shape=())

    def test(self, op: str, a: Value, b: Value | float) -> Value:
        return self.g.op(op, a, self.of(b, a), dtype=BOOL, shape=())

    def both(self, *flags: Value) -> Value:
        made = flags[0]
        for flag in flags[1:]:
            made = self.g.op("And", made, flag, dtype=BOOL, shape=())
        return made

    def choose(self, flag: Value, yes: Value, no: Value | float) -> Value:
        return self.g.where(flag, yes, self.of(no, yes), ())

    def single(self, x: Value) -> Value:
        return self.g.cast(x, FLOAT32)

    def pixels(self, x: Value) -> Value:
        """Rounded, halves to the even neighbour."""
        return self.g.cast(self.g.unary("Round", x), INT64)


def _below(n: _Numbers, words: Value, place: Value, limit: Value, needed: Value) -> tuple[Value, Value, Value]:
    """A number below a limit where it is needed, else 0; the next place; and whether it would not be drawn again."""
    drawn = n.g.op("Gather", words, place, axis=0, shape=())
    held = n.do("Max", limit, 1)
    rest = n.do("Add", n.do("Mod", n.g.const(0xFFFFFFFF, INT64), held), 1)
    fair = n.g.op("Or", n.test("GreaterOrEqual", drawn, rest), n.test("Equal", rest, held), dtype=BOOL, shape=())
    fine = n.g.op("Or", fair, n.g.unary("Not", needed), dtype=BOOL, shape=())
    made = n.choose(needed, n.do("Mod", drawn, held), 0)
    return made, n.do("Add", place, n.g.cast(needed, INT64)), fine


def _crop(
    n: _Numbers, words: Value, place: Value, size: tuple[Value, Value], ratio: Value, wish: _Wish
) -> tuple[Value, Value, list[Value], Value]:
    """Whether a crop of the ratio was found; the next place; left, top, right, bottom; whether all draws were fair."""
    height, width = size
    area = [
        n.do("Mul", n.do("Mul", n.g.const(part, FLOAT32), n.single(width)), n.single(height)) for part in wish.areas
    ]
    least, most = area
    tall, tallest = (n.pixels(n.g.unary("Sqrt", n.do("Div", part, ratio))) for part in area)
    wide_room = n.do("Add", n.g.cast(width, FLOAT64), 0.5)
    less = n.do("Sub", wide_room, float(np.float32(1e-7)))
    narrow = n.g.cast(n.do("Div", less, n.g.cast(ratio, FLOAT64)), INT64)
    over = n.test("Greater", n.pixels(n.do("Mul", n.single(narrow), ratio)), width)
    narrow = n.do("Sub", narrow, n.g.cast(over, INT64))
    too_wide = n.test("Greater", n.pixels(n.do("Mul", n.single(tallest), ratio)), width)
    tallest = n.do("Min", n.choose(too_wide, narrow, tallest), height)
    tall = n.do("Min", tall, tallest)
    open_ = n.test("Less", tall, tallest)
    more, place, fair = _below(n, words, place, n.do("Add", n.do("Sub", tallest, tall), 1), open_)
    tall = n.do("Add", tall, more)

    def across(tall: Value) -> tuple[Value, Value]:
        wide = n.pixels(n.do("Mul", n.single(tall), ratio))
        return wide, n.single(n.do("Mul", wide, tall))

    _, shown = across(tall)
    tall = n.do("Add", tall, n.g.cast(n.test("Less", shown, least), INT64))  # rounding is made good by a pixel
    _, shown = across(tall)
    tall = n.do("Sub", tall, n.g.cast(n.test("Greater", shown, most), INT64))
    wide, shown = across(tall)
    fits = n.both(
        n.test("LessOrEqual", least, shown), n.test("LessOrEqual", shown, most), n.test("Greater", wide, 0),
        n.test("LessOrEqual", wide, width), n.test("Greater", tall, 0), n.test("LessOrEqual", tall, height),
        n.test("Greater", width, 0), n.test("Greater", height, 0), n.test("Greater", ratio, 0),
    )  # fmt: skip
    if wish.areas[0] > wish.areas[1]:
        raise Refusal("the areas of crops do not rise")
    free = [n.both(fits, n.test("Less", part, room)) for part, room in ((tall, height), (wide, width))]
    top, place, fair_top = _below(n, words, place, n.do("Sub", height, tall), free[0])
    left, place, fair_left = _below(n, words, place, n.do("Sub", width, wide), free[1])
    box = [left, top, n.do("Add", left, wide), n.do("Add", top, tall)]
    return fits, place, box, n.both(fair, fair_top, fair_left)


def _shows_enough(n: _Numbers, crop: Sequence[Value], boxes: Sequence[Value], covered: Value) -> Value:
    """Whether it shows enough of one of the boxes, whose corners are vectors."""
    g, shape = n.g, (None,)

    def area(corners: Sequence[Value]) -> Value:
        sides = [g.op("Sub", corners[at + 2], corners[at], shape=shape) for at in (0, 1)]
        return g.op("Mul", *sides, shape=shape)

    shared = [g.op("Max" if at < 2 else "Min", crop[at], boxes[at], shape=shape) for at in range(4)]
    apart = [g.op("Greater", shared[at], shared[at + 2], dtype=BOOL, shape=shape) for at in (0, 1)]
    empty = g.op("Or", *apart, dtype=BOOL, shape=shape)
    seen = g.where(empty, g.const(0, INT64), area(shared), shape)
    whole = area(boxes)
    real = g.op("GreaterOrEqual", whole, g.const(1, INT64), dtype=BOOL, shape=shape)
    held = g.cast(g.where(real, whole, g.const(1, INT64), shape), FLOAT32)
    part = g.op("Div", g.cast(seen, FLOAT32), held, shape=shape)
    enough = g.op("And", real, g.op("GreaterOrEqual", part, covered, dtype=BOOL, shape=shape), dtype=BOOL, shape=shape)
    some = g.op("ReduceMax", g.cast(enough, INT64), keepdims=0, shape=())
    sides = [n.do("Sub", crop[at + 2], crop[at]) for at in (0, 1)]
    return n.both(g.cast(some, BOOL), n.test("GreaterOrEqual", n.do("Mul", sides[0], sides[1]), 1))


def _objects(g: Builder, boxes: Value, height: Value, width: Value, use_image: bool) -> list[Value]:
    """Left, top, right, bottom of all boxes, in pixels."""
    if boxes.rank != 3 or boxes.size(2) != 4 or None in (boxes.shape or ()):
        raise Refusal("boxes of 4 corners, of a known number, are taken")
    if not prod(size or 0 for size in boxes.shape or ()):
        if not use_image:
            raise Refusal("there are no boxes, and use_image_if_no_bounding_boxes is not set")
        zero = g.const([0], INT64)
        return [zero, zero, g.unsqueeze(width, [0]), g.unsqueeze(height, [0])]
    inside = g.op("And", g.op("GreaterOrEqual", boxes, g.const(0, FLOAT32), dtype=BOOL, shape=boxes.shape),
                  g.op("LessOrEqual", boxes, g.const(1, FLOAT32), dtype=BOOL, shape=boxes.shape), dtype=BOOL,
                  shape=boxes.shape)  # fmt: skip
    all_inside = g.cast(g.op("ReduceMin", g.cast(inside, INT64), keepdims=0, shape=()), BOOL)
    sure = g.behind(boxes, g.must(all_inside, "a corner of a box lies outside of the picture"))
    flat = g.reshape(Value(sure.name, FLOAT32, boxes.shape), [-1, 4])
    scale = g.cast(g.concat([g.unsqueeze(x, [0]) for x in (height, width, height, width)], 0, (4,)), FLOAT32)
    corners = g.cast(g.op("Mul", flat, scale, shape=(None, 4)), INT64)
    return [g.op("Gather", corners, g.const(at, INT64), axis=1, shape=(None,)) for at in (1, 0, 3, 2)]


def _sampled(g: Builder, state: State | None, size: Value, boxes: Value, wish: _Wish) -> list[Value]:
    """Where the crop begins, how large it is, and it as a box with corners from 0 to 1."""
    if size.shape != (3,) or boxes.dtype != FLOAT32:
        raise Refusal("height, width and channels of a picture are taken")
    n, wide_size = _Numbers(g), g.int64(size)
    height, width = (g.op("Gather", wide_size, g.const(at, INT64), axis=0, shape=()) for at in (0, 1))
    objects = _objects(g, boxes, height, width, wish.use_image)
    words = _words(g, state, _EACH * wish.attempts + _EACH)
    zero = g.const(0, INT64)
    low, span = wish.ratios[0], wish.ratios[1] - wish.ratios[0]

    def change(turn: Value, held: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        place, fair, *whole = held
        word = g.op("Gather", words, place, axis=0, shape=())
        bits = n.single(g.op("BitwiseAnd", word, g.const(0x7FFFFF, INT64), shape=()))
        unit = n.do("Mul", bits, float(np.float32(2.0**-23)))
        ratio = n.do("Add", n.do("Mul", unit, float(span)), float(low))
        fits, after, box, was_fair = _crop(n, words, n.do("Add", place, 1), (height, width), ratio, wish)
        good = n.both(fits, _shows_enough(n, box, objects, wish.covered))
        kept = [n.choose(good, new, old) for new, old in zip(box, whole, strict=True)]
        return g.unary("Not", good), [after, n.do("Min", fair, g.cast(was_fair, INT64)), *kept]

    start = [zero, g.const(1, INT64), zero, zero, width, height]
    _, fair, left, top, right, bottom = repeated(g, g.const(wish.attempts, INT64), start, change)
    sure = g.must(g.cast(fair, BOOL), "a number would be drawn again")
    top = g.behind(top, sure)

    def vector(*parts: Value) -> Value:
        return g.concat([g.unsqueeze(part, [0]) for part in parts], 0, (len(parts),))

    begin = g.cast(vector(top, left, zero), size.dtype)
    extent = vector(n.do("Sub", bottom, top), n.do("Sub", right, left), g.const(-1, INT64))
    ends = g.cast(vector(height, width, height, width), FLOAT32)
    corners = g.op("Div", g.cast(vector(top, left, bottom, right), FLOAT32), ends, shape=(4,))
    return [begin, g.cast(extent, size.dtype), g.reshape(corners, [1, 1, 4])]


def _seeded(g: Builder, seed: int, seed2: int) -> State | None:
    return of_seeds(g, seed, seed2) if seed or seed2 else None


def sample(
    g: Builder,
    step: Step,
    size: Value,
    boxes: Value,
    *,
    min_object_covered: float = 0.1,
    aspect_ratio_range: list[float],
    area_range: list[float],
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
    seed: int = 0,
    seed2: int = 0,
) -> list[Value]:
    covered = g.const(np.float32(min_object_covered), FLOAT32)
    wish = _wish(g, covered, aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes)
    return _sampled(g, _seeded(g, seed, seed2), size, boxes, wish)


def sample_v2(
    g: Builder,
    step: Step,
    size: Value,
    boxes: Value,
    covered: Value,
    *,
    aspect_ratio_range: list[float],
    area_range: list[float],
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
    seed: int = 0,
    seed2: int = 0,
) -> list[Value]:
    wish = _wish(g, covered, aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes)
    return _sampled(g, _seeded(g, seed, seed2), size, boxes, wish)


def stateless_sample(
    g: Builder,
    step: Step,
    size: Value,
    boxes: Value,
    covered: Value,
    seed: Value,
    *,
    aspect_ratio_range: list[float],
    area_range: list[float],
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
) -> list[Value]:
    wish = _wish(g, covered, aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes)
    return _sampled(g, of_pair(g, seed), size, boxes, wish)


def random_crop(g: Builder, step: Step, image: Value, size: Value, *, seed: int = 0, seed2: int = 0) -> Value:
    """(H, W, C) -> a part of a size; the place by one word for each side that is longer than the part."""
    if image.rank != 3 or size.shape != (2,):
        raise Refusal("a picture (H, W, C) and a height and width are taken")
    n, wanted = _Numbers(g), g.int64(size)
    given = g.sizes(image, [0, 1])
    low = g.op("GreaterOrEqual", wanted, g.const(0, INT64), dtype=BOOL, shape=(2,))
    high = g.op("LessOrEqual", wanted, given, dtype=BOOL, shape=(2,))
    fits = g.cast(g.op("And", low, high, dtype=BOOL, shape=(2,)), INT64)
    right = g.cast(g.op("ReduceMin", fits, keepdims=0, shape=()), BOOL)
    wanted = Value(g.behind(wanted, g.must(right, "a crop is larger than the picture")).name, INT64, (2,))
    room = g.op("Sub", given, wanted, shape=(2,))
    words, place = _words(g, _seeded(g, seed, seed2), 2), g.const(0, INT64)
    starts = []
    for axis in (1, 0):
        left = g.op("Gather", room, g.const(axis, INT64), axis=0, shape=())
        word = g.op("Gather", words, place, axis=0, shape=())
        needed = n.test("Greater", left, 0)
        starts.append(n.choose(needed, n.do("Mod", word, n.do("Add", left, 1)), 0))
        place = n.do("Add", place, g.cast(needed, INT64))
    begin = g.concat([g.unsqueeze(part, [0]) for part in starts[::-1]], 0, (2,))
    made = g.slice(image, begin, g.op("Add", begin, wanted, shape=(2,)), [0, 1])
    return Value(made.name, image.dtype, (None, None, image.size(2)))


LOWERINGS: Table = {
    "RandomCrop": random_crop,
    "SampleDistortedBoundingBox": sample,
    "SampleDistortedBoundingBoxV2": sample_v2,
    "StatelessSampleDistortedBoundingBox": stateless_sample,
}
