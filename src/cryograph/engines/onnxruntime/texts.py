"""Lowerings of ops on strings: where ONNX has an operator that does the same with text as TensorFlow does with bytes.

What would differ for some strings is checked while it runs: such a run is an error here, and no wrong answer.
"""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, INT64, STRING, DType, dtype_of
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .rows import all_hold, arange, columns, count_of, most
from .values import TEXT_OPSET, OnnxGraph, OnnxNode, Refusal, Value

UINT64 = dtype_of("uint64")
_WITHOUT_SIGN = (dtype_of("uint32"), UINT64)
_SPACE = r"[ \t\n\v\f\r]"
_INTEGER = rf"{_SPACE}*[+-]?[0-9]+{_SPACE}*"
_UNSIGNED = rf"{_SPACE}*\+?[0-9]+{_SPACE}*"
_FLOAT = (
    rf"{_SPACE}*[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf(?:inity)?|nan)|0[xX][0-9a-fA-F]+)"
    rf"{_SPACE}*"
)
_PLAIN = r"[\x01-\x7f]*"
"""ASCII without zero bytes, which end a string for what TensorFlow calls."""


def joined(g: Builder, a: Value, b: Value, shape: tuple[int | None, ...] | None = None) -> Value:
    """Two strings as one, broadcast."""
    return g.op("StringConcat", a, b, shape=shape)


def text(g: Builder, value: bytes) -> Value:
    """One string."""
    return g.const(np.array(value, object), STRING)


def string_join(g: Builder, step: Step, *inputs: Value, separator: bytes = b"") -> Value:
    if not inputs:
        raise Refusal("nothing is joined")
    shape = next((x.shape for x in inputs if x.shape != ()), ())
    made = inputs[0]
    for x in inputs[1:]:
        if separator:
            made = joined(g, made, text(g, separator), made.shape)
        made = joined(g, made, x)
    return Value(made.name, STRING, shape, made.tensor)


def joined_rows(g: Builder, rows: Value) -> Value:
    """The strings of each row (N, D) as one (N), by going along the columns in a Loop.

    In a Scan the runtime's StringConcat would add to what stands in its output from two rounds before.
    """
    number, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())
    first, column, after = (Value(g.name(), STRING, (None,)) for _ in range(3))
    still = Value(g.name(), BOOL, ())
    nodes = [
        OnnxNode("Identity", [go_on.name], [still.name]),
        OnnxNode("Gather", [rows.name, number.name], [column.name], {"axis": 1}),
        OnnxNode("StringConcat", [first.name, column.name], [after.name], version=TEXT_OPSET),
    ]
    known = {value.name: value for value in (number, go_on, first, column, after, still)}
    body = OnnxGraph([number.name, go_on.name, first.name], [still.name, after.name], nodes, {}, known)
    start = g.op("Expand", text(g, b""), count_of(g, rows), shape=(None,))
    count = g.reshape(g.sizes(rows, [1]), [])
    return g.ops("Loop", count, g.const(True, BOOL), start, dtypes=[STRING], shapes=[(rows.size(0),)], body=body)[0]


def _separated(g: Builder, rows: Value, separator: bytes) -> Value:
    """Rows (N, D) with a separator before each string but the first of a row."""
    if not separator:
        return rows
    first = g.slice(rows, g.ints([0]), g.ints([1]), [1])
    rest = g.slice(rows, g.ints([1]), g.ints([1 << 62]), [1])
    marked = joined(g, text(g, separator), Value(rest.name, STRING, (None, None)), (None, None))
    return g.concat([Value(first.name, STRING, (None, None)), marked], 1, (rows.size(0), None))


def reduce_join(
    g: Builder, step: Step, x: Value, axes: Value, *, keep_dims: bool = False, separator: bytes = b""
) -> Value:
    """The dimension that is named first runs fastest."""
    wanted = g.axes(axes, x.rank, "the dimensions")
    if not wanted:
        return x
    left = [axis for axis in range(x.rank) if axis not in wanted]
    turned = g.transpose(x, [*left, *reversed(wanted)])
    outer = g.sizes(x, left) if left else g.ints([])
    inner = g.op("ReduceProd", g.sizes(x, wanted), g.ints([0]), keepdims=1, shape=(1,))
    rows_ = g.op("ReduceProd", outer, g.ints([0]), keepdims=1, shape=(1,)) if left else g.ints([1])
    rows = g.reshape_to(turned, g.concat([rows_, inner], 0, (2,)), (None, None))
    made = joined_rows(g, _separated(g, rows, separator))
    sizes = [None if x.shape is None else x.shape[axis] for axis in left]
    made = g.reshape_to(made, outer, tuple(sizes))
    return g.unsqueeze(made, sorted(wanted)) if keep_dims else made


def as_string(
    g: Builder, step: Step, x: Value, *, precision: int = -1, scientific: bool = False, shortest: bool = False,
    width: int = -1, fill: bytes = b"",
) -> Value:  # fmt: skip
    if width > -1 or (fill not in (b"", b" ", b"-", b"0") and x.dtype not in (BOOL, STRING)) or fill == b" ":
        raise Refusal("ONNX Runtime fills numbers up to no width")
    if x.dtype.is_floating:
        raise Refusal("ONNX Runtime prints floats in a form of its own")
    if x.dtype == STRING:
        return x
    if x.dtype == BOOL:
        return g.where(x, text(g, b"true"), text(g, b"false"), x.shape)
    return g.cast(x, STRING)


def _matching(g: Builder, x: Value, pattern: str) -> Value:
    return g.unary("RegexFullMatch", x, BOOL, pattern=pattern)


def string_to_number(g: Builder, step: Step, x: Value, *, out_type: DType = FLOAT32) -> Value:
    """The runtime reads as far as it can; what is no number as a whole is told by its form."""
    direct = out_type.is_floating or out_type in (INT64, UINT64)
    pattern = _FLOAT if out_type.is_floating else _UNSIGNED if out_type in _WITHOUT_SIGN else _INTEGER
    known = g.behind(x, g.must(all_hold(g, _matching(g, x, pattern)), f"a string is no {out_type}"))
    if direct:
        return g.cast(known, out_type)
    made = g.cast(known, INT64)
    narrow = g.cast(made, out_type)
    same = g.binary("Equal", g.cast(narrow, INT64), made, BOOL)
    return g.behind(narrow, g.must(all_hold(g, same), f"a number is out of the range of {out_type}"))


def _cased(action: str) -> Lowering:
    def lower(g: Builder, step: Step, x: Value, *, encoding: bytes = b"") -> Value:
        """Without an encoding ASCII letters change only, as in the locale C; in UTF-8 what is ASCII is taken."""
        if encoding not in (b"", b"utf-8"):
            raise Refusal(f"the encoding {encoding!r} is not utf-8 and not empty")
        if encoding:
            plain = g.must(all_hold(g, _matching(g, x, _PLAIN)), "letters that are not ASCII change otherwise")
            x = g.behind(x, plain)
        # The operator takes vectors of at least one string.
        flat = g.concat([g.reshape(x, [-1]), g.const(np.array([b""], object), STRING)], 0, (None,))
        made = g.op("StringNormalizer", flat, case_change_action=action, is_case_sensitive=1, locale="C")
        cut = g.slice(Value(made.name, STRING, (None,)), g.ints([0]), g.ints([-1]), [0])
        return g.reshape_to(cut, g.shape_of(x), x.shape)

    return lower


def static_full_match(g: Builder, step: Step, x: Value, *, pattern: bytes) -> Value:
    return _matching(g, x, pattern.decode())


def full_match(g: Builder, step: Step, x: Value, pattern: Value) -> Value:
    return _matching(g, x, g.fixed(pattern, "the pattern").item().decode())


def tokens(g: Builder, x: Value, separators: str) -> Value:
    """The parts (N + 1, most) of strings (N) between what matches, without empty ones; filled up with empty ones."""
    more = g.concat([x, g.const(np.array([b""], object), STRING)], 0, (None,))  # of no strings it makes no matrix
    made = g.microsoft("Tokenizer", more, separators=[separators], mark=0, mincharnum=1, pad_value="")
    return Value(made.name, STRING, (None, None))


def _sparse(g: Builder, count: Value, parts: Value, present: Value) -> list[Value | None]:
    """Indices, values and shape of those parts (N, most) that are there."""
    places = g.transpose(g.op("NonZero", present, dtype=INT64, shape=(2, None)), [1, 0])
    values = g.op("GatherND", parts, places, shape=(None,))
    lengths = g.op("ReduceSum", g.cast(present, INT64), g.ints([1]), keepdims=0, shape=(None,))
    return [places, values, g.concat([count, most(g, lengths)], 0, (2,))]


def within(g: Builder, counts: Value, parts: Value) -> Value:
    """Which of the parts (N, most) are within the counts (N)."""
    numbers = arange(g, g.sizes(parts, [1]))
    return g.op("Less", g.unsqueeze(numbers, [0]), g.unsqueeze(counts, [1]), dtype=BOOL, shape=(None, None))


def split_at(g: Builder, x: Value, delimiter: str, maxsplit: int) -> tuple[Value, Value]:
    """Parts (N, most) and their counts (N); none of an empty string."""
    most = maxsplit if maxsplit > 0 else None
    parts, counts = g.ops(
        "StringSplit", x, dtypes=[STRING, INT64], shapes=[(None, None), (None,)], delimiter=delimiter, maxsplit=most
    )
    return parts, counts


def _not_empty(g: Builder, parts: Value) -> Value:
    return g.unary("Not", g.binary("Equal", parts, text(g, b""), BOOL))


def string_split_v2(g: Builder, step: Step, x: Value, sep: Value, *, maxsplit: int = -1) -> list[Value | None]:
    """Between spaces there are no empty parts; at a separator an empty string is one part."""
    mark = g.fixed(sep, "the separator").item().decode()
    if x.rank != 1:
        raise Refusal("strings in a vector are split")
    count = count_of(g, x)
    if maxsplit == 0:
        zeros = g.op("Expand", g.const(0, INT64), count, shape=(None,))
        width = most(g, g.op("Min", count, g.ints([1]), shape=(1,)))
        return [columns(g, [arange(g, count), zeros]), x, g.concat([count, width], 0, (2,))]
    if not mark:
        if maxsplit > 0:
            raise Refusal("a number of parts between spaces has no form in ONNX")
        parts = tokens(g, x, _SPACE)
        return _sparse(g, count, parts, _not_empty(g, parts))
    parts, counts = split_at(g, x, mark, maxsplit)
    column = g.op("Expand", g.const(np.array([[b""]], object), STRING), g.concat([count, g.ints([1])], 0, (2,)))
    parts = g.concat([parts, Value(column.name, STRING, (None, 1))], 1, (None, None))
    return _sparse(g, count, parts, within(g, g.op("Max", counts, g.ints([1]), shape=(None,)), parts))


def string_split(g: Builder, step: Step, x: Value, delimiter: Value, *, skip_empty: bool = True) -> list[Value | None]:
    """Any byte of the delimiter parts; without one every byte is a part."""
    marks = g.fixed(delimiter, "the delimiter").item()
    if x.rank != 1 or not marks.isascii():
        raise Refusal("strings in a vector are split, at ASCII characters")
    count = count_of(g, x)
    if not marks:
        plain = g.must(all_hold(g, _matching(g, x, r"[\x00-\x7f]*")), "characters of several bytes are not split")
        parts = tokens(g, g.behind(x, plain), "")
    elif skip_empty:
        parts = tokens(g, x, _one_of(marks))
    elif len(set(marks)) > 1:
        raise Refusal("empty parts between one of several characters have no form in ONNX")
    else:
        parts, counts = split_at(g, x, marks[:1].decode(), -1)
        return _sparse(g, count, parts, within(g, counts, parts))
    return _sparse(g, count, parts, _not_empty(g, parts))


def _one_of(characters: bytes) -> str:
    """A pattern for one of some ASCII characters."""
    return "[" + "".join(rf"\x{{{byte:x}}}" for byte in characters) + "]"


LOWERINGS: Table = {
    "AsString": as_string,
    "ReduceJoin": reduce_join,
    "RegexFullMatch": full_match,
    "StaticRegexFullMatch": static_full_match,
    "StringJoin": string_join,
    "StringLower": _cased("LOWER"),
    "StringSplit": string_split,
    "StringSplitV2": string_split_v2,
    "StringToNumber": string_to_number,
    "StringUpper": _cased("UPPER"),
}
