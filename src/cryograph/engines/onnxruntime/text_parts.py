"""Lowerings of parts of strings, and of their letters as numbers: see `text_bytes`."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64, STRING, DType
from ...base.tensors import Tensor
from ...program.program import Step
from .builder import Builder, Lowering, Table, broadcast
from .rows import all_hold, splits_of
from .text_bytes import END, KNOWN, codes_of, count_letters, letters, sizes_of
from .texts import joined_rows, text
from .values import Refusal, Value

_BOTH = (None, None)
_SPACE = " \t\n\v\f\r"


def _flags(g: Builder, op: str, a: Value, b: Value) -> Value:
    return g.op(op, a, b, dtype=BOOL, shape=_BOTH)


def _kept(g: Builder, parts: Value, flags: Value, x: Value) -> Value:
    """The letters of rows for which flags hold, put together in the shape of `x`."""
    rows = g.where(flags, parts, text(g, b""), _BOTH)
    return g.reshape_to(joined_rows(g, rows), g.shape_of(x), x.shape)


def _numbers(g: Builder, x: Value) -> Value:
    """0, 1 ... for the columns of rows."""
    made = g.op("Range", g.const(0, INT64), g.squeeze(g.sizes(x, [1]), [0]), g.const(1, INT64), shape=(None,))
    return g.unsqueeze(made, [0])


def strip(g: Builder, step: Step, x: Value) -> Value:
    """Without spaces at both ends."""
    parts = letters(g, x)
    keys = np.array([letter.encode() for letter in (*_SPACE, END)], object)
    full = g.learning("LabelEncoder", parts, dtype=INT64, shape=_BOTH, keys_tensor=Tensor.of(keys, STRING),
                      values_tensor=Tensor.of(np.zeros(len(keys), np.int64)),
                      default_tensor=Tensor.of(np.ones(1, np.int64)))  # fmt: skip
    axis, zero = g.const(1, INT64), g.const(0, INT64)
    before = g.op("CumSum", full, axis, shape=_BOTH)
    after = g.op("CumSum", full, axis, reverse=1, shape=_BOTH)
    inside = g.op("And", _flags(g, "Greater", before, zero), _flags(g, "Greater", after, zero), dtype=BOOL, shape=_BOTH)
    return _kept(g, parts, inside, x)


def substr(g: Builder, step: Step, x: Value, pos: Value, length: Value, *, unit: bytes = b"BYTE") -> Value:
    """Parts from `pos` on, which counts from the end where it is negative; a negative length reaches to the end, of
    letters nowhere."""
    shape = broadcast(x.shape, pos.shape)
    if pos.shape is None or pos.shape != length.shape or shape is None or x.shape not in (shape, ()):
        raise Refusal("positions and lengths are taken that fit the strings")
    if x.shape != shape:
        x = g.op("Expand", x, g.shape_of(pos), shape=shape)
    starts, sizes = (
        g.unsqueeze(g.reshape(g.op("Expand", g.int64(part), g.shape_of(x), shape=shape), [-1]), [1])
        for part in (pos, length)
    )
    parts = letters(g, x)
    if unit == b"BYTE":
        codes = codes_of(g, x)
        one = g.op("Less", codes, g.const(0x80, INT64), dtype=BOOL, shape=_BOTH)
        none = g.op("Equal", codes, g.const(KNOWN, INT64), dtype=BOOL, shape=_BOTH)
        single = all_hold(g, g.op("Or", one, none, dtype=BOOL, shape=_BOTH))
        starts = Value(g.behind(starts, g.must(single, "a letter takes more than a byte")).name, INT64, _BOTH)
    count = g.unsqueeze(count_letters(g, parts), [1])
    zero = g.const(0, INT64)
    right = [
        _flags(g, "GreaterOrEqual", g.op("Add", starts, count, shape=_BOTH), zero),
        _flags(g, "LessOrEqual", starts, count),
    ]
    sure = g.must(all_hold(g, g.op("And", *right, dtype=BOOL, shape=_BOTH)), "a position is not in its string")
    from_end = _flags(g, "Less", starts, zero)
    first = g.where(from_end, g.op("Add", starts, count, shape=_BOTH), starts, _BOTH)
    first = Value(g.behind(first, sure).name, INT64, _BOTH)
    open_ = count if unit == b"BYTE" else zero
    last = g.where(_flags(g, "Less", sizes, zero), open_, g.op("Add", first, sizes, shape=_BOTH), _BOTH)
    number = _numbers(g, parts)
    end = g.op("Min", last, count, shape=_BOTH)
    inside = [_flags(g, "GreaterOrEqual", number, first), _flags(g, "Less", number, end)]
    return _kept(g, parts, g.op("And", *inside, dtype=BOOL, shape=_BOTH), x)


def _decode(offsets: bool) -> Lowering:
    """The code points of text: row splits, all of them, and where in its string each begins. What enters the runtime is
    well-formed, so that errors are none."""

    def lower(
        g: Builder,
        step: Step,
        x: Value,
        *,
        input_encoding: bytes,
        errors: bytes = b"replace",
        replacement_char: int = 0xFFFD,
        replace_control_characters: bool = False,
        Tsplits: DType = INT64,
    ) -> list[Value]:
        if input_encoding.upper() not in (b"UTF-8", b"UTF8") or replace_control_characters:
            raise Refusal("ONNX Runtime holds UTF-8 as it is")
        if errors not in (b"replace", b"strict", b"ignore"):
            raise Refusal(f"errors cannot be met by {errors.decode()}")
        codes = codes_of(g, x)
        there = _flags(g, "Less", codes, g.const(KNOWN, INT64))
        lengths = g.op("ReduceSum", g.cast(there, INT64), g.ints([1]), keepdims=0, shape=(None,))
        flat = g.reshape(there, [-1])

        def taken(rows: Value) -> Value:
            return g.op("Compress", g.reshape(rows, [-1]), flat, axis=0, shape=(None,))

        made = [g.cast(splits_of(g, lengths), Tsplits), g.cast(taken(codes), INT32)]
        if offsets:
            starts = g.op("CumSum", sizes_of(g, codes), g.const(1, INT64), exclusive=1, shape=_BOTH)
            made.append(taken(starts))
        return made

    return lower


LOWERINGS: Table = {
    "StringStrip": strip,
    "Substr": substr,
    "UnicodeDecode": _decode(False),
    "UnicodeDecodeWithOffsets": _decode(True),
}
