"""Lowerings of ops on colours, the last dimension being red, green and blue."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.dtypes import BOOL
from ...base.shapes import Shape
from ...program.program import Step
from .builder import Builder, Table
from .elementwise import floats_only
from .values import Refusal, Value


def _parts(g: Builder, step: Step, x: Value) -> list[Value]:
    """The three channels, each with a last dimension of 1."""
    floats_only(x, step.op)
    if x.shape is None or x.shape[-1] != 3:
        raise Refusal(f"{step.op} needs to know that the last dimension has three channels")
    shape = (*x.shape[:-1], 1)
    return g.ops("Split", x, dtypes=[x.dtype] * 3, shapes=[shape] * 3, axis=x.rank - 1, num_outputs=3)


def _joined(g: Builder, parts: Sequence[Value], shape: Shape) -> Value:
    return g.concat(parts, -1, shape)


def _hsv(g: Builder, step: Step, x: Value) -> list[Value]:
    r, g_, b = _parts(g, step, x)
    shape = r.shape
    zero, one = g.like(0, x), g.like(1, x)
    value = g.op("Max", r, g_, b, shape=shape)
    spread = g.binary("Sub", value, g.op("Min", r, g_, b, shape=shape))
    flat = g.binary("Equal", spread, zero, BOOL)
    safe = g.where(flat, one, spread, shape)

    def slope(first: Value, second: Value, turn: float) -> Value:
        made = g.binary("Div", g.binary("Sub", first, second), safe)
        return g.binary("Add", made, g.like(turn, x)) if turn else made

    later = g.where(g.binary("Equal", value, g_, BOOL), slope(b, r, 2), slope(r, g_, 4), shape)
    hue = g.where(g.binary("Equal", value, r, BOOL), slope(g_, b, 0), later, shape)
    hue = g.binary("Div", hue, g.like(6, x))
    hue = g.where(g.binary("Less", hue, zero, BOOL), g.binary("Add", hue, one), hue, shape)
    hue = g.where(flat, zero, hue, shape)
    bright = g.binary("Greater", value, zero, BOOL)
    saturation = g.where(bright, g.binary("Div", spread, g.where(bright, value, one, shape)), zero, shape)
    return [hue, saturation, value]


def _rgb(g: Builder, hue: Value, saturation: Value, value: Value, result: Shape) -> Value:
    zero, one = g.like(0, hue), g.like(1, hue)
    angle = g.binary("Mul", hue, g.like(6, hue))

    def ramp(centre: float, sign: int, offset: float) -> Value:
        away = g.unary("Abs", g.binary("Sub", angle, g.like(centre, hue)))
        bent = g.binary("Sub", g.like(offset, hue), away) if sign < 0 else g.binary("Add", away, g.like(offset, hue))
        part = g.op("Clip", bent, zero, one, shape=hue.shape)
        faded = g.binary("Mul", saturation, g.binary("Sub", part, one))
        return g.binary("Mul", g.binary("Add", faded, one), value)

    return _joined(g, [ramp(3, 1, -1), ramp(2, -1, 2), ramp(4, -1, 2)], result)


def rgb_to_hsv(g: Builder, step: Step, x: Value) -> Value:
    return _joined(g, _hsv(g, step, x), x.shape)


def hsv_to_rgb(g: Builder, step: Step, x: Value) -> Value:
    hue, saturation, value = _parts(g, step, x)
    return _rgb(g, hue, saturation, value, x.shape)


def adjust_saturation(g: Builder, step: Step, x: Value, scale: Value) -> Value:
    hue, saturation, value = _hsv(g, step, x)
    scaled = g.binary("Mul", saturation, g.cast(scale, x.dtype))
    clipped = g.op("Clip", scaled, g.like(0, x), g.like(1, x), shape=hue.shape)
    return _rgb(g, hue, clipped, value, x.shape)


def adjust_hue(g: Builder, step: Step, x: Value, delta: Value) -> Value:
    """The hue goes round: what is left of it after whole turns."""
    hue, saturation, value = _hsv(g, step, x)
    turned = g.binary("Add", hue, g.cast(delta, x.dtype))
    return _rgb(g, g.binary("Sub", turned, g.unary("Floor", turned)), saturation, value, x.shape)


LOWERINGS: Table = {
    "AdjustHue": adjust_hue,
    "AdjustSaturation": adjust_saturation,
    "HSVToRGB": hsv_to_rgb,
    "RGBToHSV": rgb_to_hsv,
}
