"""Ops on strings: joins, splits, parts, n-grams, and numbers read and printed as TensorFlow does."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np

from ...base.errors import InputError, RunError
from ...base.shapes import show
from ...base.tensors import Array
from .context import Context, Rule
from .digests import each

CHARACTER = re.compile(rb".[\x80-\xbf]*", re.DOTALL)
"""One character of UTF-8; what is not UTF-8 is told apart by its leading bytes too."""
FLOAT = re.compile(
    rb"""\s* (?: ([+-]? (?: (?: \d+\.?\d* | \.\d+) (?: e[+-]?\d+ )? | inf (?: inity )? ))  # decimal, or infinite
             | ([+-]? nan (?: \([^)]*\) )?) | ([+-]? 0x[0-9a-f]+) ) \s*""",
    re.IGNORECASE | re.VERBOSE,
)
INTEGER = re.compile(rb"\s*([+-]?\d+)\s*")
UNSIGNED = re.compile(rb"\s*(\+?\d+)\s*")


def _string_join(ctx: Context, *inputs: Array, separator: bytes = b"") -> Array:
    shapes = {x.shape for x in inputs if x.ndim}
    if len(shapes) > 1:
        raise RunError(f"strings of the shapes {sorted(map(list, shapes))} cannot be joined")
    made = np.empty(shapes.pop() if shapes else (), object)
    columns = [np.broadcast_to(x, made.shape).reshape(-1).tolist() for x in inputs]
    made.reshape(-1)[...] = [separator.join(parts) for parts in zip(*columns, strict=True)] if made.size else []
    return made


def _sparse_rows(rows: list[list[bytes]]) -> tuple[Array, Array, Array]:
    """Indices, values and shape of rows of different lengths."""
    places = [(number, column) for number, row in enumerate(rows) for column in range(len(row))]
    values = np.empty(len(places), object)
    values[:] = [text for row in rows for text in row]
    shape = np.array([len(rows), max(map(len, rows), default=0)], np.int64)
    return np.array(places, np.int64).reshape(-1, 2), values, shape


def _string_split_v2(ctx: Context, x: Array, sep: Array, *, maxsplit: int = -1) -> tuple[Array, Array, Array]:
    if x.ndim != 1 or sep.ndim:
        raise RunError(f"a vector and one separator are wanted, but {show(x.shape)} and {show(sep.shape)} came")
    mark: bytes | None = sep.item() or None
    if maxsplit == 0:
        return _sparse_rows([[text] for text in x.tolist()])
    rows = [text.split(mark, maxsplit) for text in x.tolist()]
    if mark is None:
        # Between spaces the rest is always a part, though nothing is left.
        rows = [[*row, b""] if len(row) == maxsplit > 0 else row for row in rows]
    return _sparse_rows(rows)


def _string_split(ctx: Context, x: Array, delimiter: Array, *, skip_empty: bool = True) -> tuple[Array, Array, Array]:
    """Any byte of the delimiter parts; without one every byte is a part."""
    if x.ndim != 1 or delimiter.ndim:
        raise RunError(f"a vector and one delimiter are wanted, but {show(x.shape)} and {show(delimiter.shape)} came")
    marks: bytes = delimiter.item()
    breaks = re.compile(b"[" + re.escape(marks) + b"]") if marks else None
    rows = []
    for text in x.tolist():
        if breaks is None:
            parts = [text[at : at + 1] for at in range(len(text))]
        else:
            parts = breaks.split(text) if text else []
        rows.append([part for part in parts if part] if skip_empty else parts)
    return _sparse_rows(rows)


def _cased(method: str) -> Rule:
    def rule(ctx: Context, x: Array, *, encoding: bytes = b"") -> Array:
        if encoding not in (b"", b"utf-8"):
            raise InputError(f"the encoding {encoding!r} is not utf-8 and not empty")
        if not encoding:
            return each(lambda text: getattr(text, method)(), x)
        # What comes after a zero byte is lost.
        return each(lambda text: getattr(text.split(b"\0")[0].decode("utf-8", "replace"), method)().encode(), x)

    return rule


def _strip(ctx: Context, x: Array) -> Array:
    return each(bytes.strip, x)


def _length(ctx: Context, x: Array, *, unit: bytes = b"BYTE") -> Array:
    if unit == b"BYTE":
        return each(len, x, np.int32)
    return each(lambda text: sum(byte & 0xC0 != 0x80 for byte in text), x, np.int32)


def _substr(ctx: Context, x: Array, pos: Array, length: Array, *, unit: bytes = b"BYTE") -> Array:
    """Parts from `pos` on, which counts from the end where it is negative; a negative length reaches to the end, of
    letters nowhere."""
    if pos.shape != length.shape:
        raise RunError(f"positions of {show(pos.shape)} do not fit lengths of {show(length.shape)}")
    try:
        texts, starts, sizes = np.broadcast_arrays(x, pos, length)
    except ValueError as error:
        raise RunError(f"positions of {show(pos.shape)} do not fit strings of {show(x.shape)}") from error
    made = np.empty(texts.shape, object)
    for number, (text, start, size) in enumerate(zip(texts.flat, starts.flat, sizes.flat, strict=True)):
        parts = [text[at : at + 1] for at in range(len(text))] if unit == b"BYTE" else CHARACTER.findall(text)
        if not -len(parts) <= start <= len(parts):
            raise RunError(f"the position {start} is not in a string of {len(parts)}")
        first = start + len(parts) if start < 0 else start
        last = first + size if size >= 0 else len(parts) if unit == b"BYTE" else first
        made.flat[number] = b"".join(parts[first:last])
    return made


def _reduce_join(ctx: Context, x: Array, axes: Array, *, keep_dims: bool = False, separator: bytes = b"") -> Array:
    """Strings joined along dimensions; the one that is named first runs fastest."""
    wanted = [int(axis) for axis in axes.reshape(-1)]
    if any(not -x.ndim <= axis < x.ndim for axis in wanted):
        raise RunError(f"the dimensions {wanted} are not all in {show(x.shape)}")
    wanted = [axis % x.ndim for axis in wanted]
    if len(set(wanted)) < len(wanted):
        raise RunError(f"the dimensions {wanted} name one twice")
    if not wanted:
        return x
    left = [axis for axis in range(x.ndim) if axis not in wanted]
    outer = tuple(x.shape[axis] for axis in left)
    rows = x.transpose(*left, *reversed(wanted)).reshape(*outer, int(np.prod([x.shape[axis] for axis in wanted])))
    made = np.empty(outer, object)
    for place in np.ndindex(*outer):
        made[place] = separator.join(rows[place].tolist())
    return made.reshape([1 if axis in wanted else size for axis, size in enumerate(x.shape)]) if keep_dims else made


def _segment_join(ctx: Context, x: Array, ids: Array, count: Array, *, separator: bytes = b"") -> Array:
    size = int(count)
    if size < 0:
        raise RunError(f"the number of segments {size} is negative")
    if x.shape[: ids.ndim] != ids.shape:
        raise RunError(f"segments of {show(ids.shape)} do not fit strings of {show(x.shape)}")
    if ids.size and not (ids.min() >= 0 and ids.max() < size):
        raise RunError(f"segments must be in [0, {size})")
    tail = x.shape[ids.ndim :]
    made = np.empty((size, *tail), object)
    rows = x.reshape(ids.size, *tail)
    flat = ids.reshape(-1)
    for place in np.ndindex(size, *tail):
        made[place] = separator.join(rows[(flat == place[0], *place[1:])].tolist())
    return made


def _ngrams(
    ctx: Context, data: Array, splits: Array, *, separator: bytes, ngram_widths: list[int], left_pad: bytes,
    right_pad: bytes, pad_width: int, preserve_short_sequences: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """Runs of words of each row; rows with none are kept whole if `preserve_short_sequences`."""
    ends = splits.tolist()
    if ends and (ends[0] != 0 or ends[-1] != data.size or any(a > b for a, b in pairwise(ends))):
        raise RunError(f"the splits {ends} do not part {data.size} strings")
    if any(width <= 0 for width in ngram_widths):
        raise RunError(f"the widths {ngram_widths} are not all positive")
    made: list[bytes] = []
    counts = [0] * len(ends[:1])
    for start, end in pairwise(ends):
        words = data[start:end].tolist()
        before = len(made)
        for width in ngram_widths:
            pad = min(width - 1 if pad_width < 0 else pad_width, width - 1)
            padded = [left_pad] * pad + words + [right_pad] * pad
            made += [separator.join(padded[at : at + width]) for at in range(len(padded) - width + 1)]
        if preserve_short_sequences and words and len(made) == before:
            pad = max(pad_width, 0)
            made.append(separator.join([left_pad] * pad + words + [right_pad] * pad))
        counts.append(len(made))
    out = np.empty(len(made), object)
    out[:] = made
    return out, np.array(counts, splits.dtype)


def _float(text: bytes) -> float:
    found = FLOAT.fullmatch(text)
    if not found:
        raise RunError(f"{text!r} is no number")
    decimal, nan, hexadecimal = found.groups()
    if nan:
        return float("nan")
    return float(decimal) if decimal else float(int(hexadecimal, 16))


def _string_to_number(ctx: Context, x: Array) -> Array:
    kind = ctx.dtype
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            return each(_float, x, np.float64).astype(kind)
    limits = np.iinfo(kind)
    form = UNSIGNED if kind.kind == "u" else INTEGER

    def integer(text: bytes) -> int:
        found = form.fullmatch(text)
        if not found or not limits.min <= int(found[1]) <= limits.max:
            raise RunError(f"{text!r} is no {kind}")
        return int(found[1])

    return each(integer, x, kind)


def _as_string(
    ctx: Context, x: Array, *, precision: int = -1, scientific: bool = False, shortest: bool = False,
    width: int = -1, fill: bytes = b"",
) -> Array:  # fmt: skip
    """Numbers as C's printf prints them."""
    floating = x.dtype.kind in "fc" or x.dtype.name == "bfloat16"
    if fill not in (b"", b" ", b"+", b"-", b"0"):
        raise RunError(f"the fill {fill!r} is not one of space, +, - and 0")
    if scientific and shortest:
        raise RunError("a number is printed in scientific form or in the shortest one, not in both")
    if not floating and x.dtype != object and (scientific or shortest or precision >= 0):
        raise RunError(f"{x.dtype} is printed with no precision, in no scientific or shortest form")
    if x.dtype == bool:
        return each(lambda value: b"true" if value else b"false", x)
    flag = fill.decode()
    if x.dtype.kind == "u":
        flag = flag.strip("+ ")
    size = str(width) if width > -1 else ""
    places = f".{precision}" if precision > -1 else ""
    form = "e" if scientific else "g" if shortest else "f"

    def real(value: float) -> str:
        return f"%{flag if np.isfinite(value) or flag != '0' else ''}{size}{places}{form}" % value

    def text(value: Any) -> bytes:
        if isinstance(value, bytes):
            return f"%{flag.strip('0+ ')}{size}{places}s".encode() % value if size else value
        if isinstance(value, complex):
            return f"({real(value.real)},{real(value.imag)})".encode()
        return (real(value) if floating else f"%{flag}{size}d" % value).encode()

    return each(text, x.astype(np.float64) if x.dtype.name == "bfloat16" else x)


RULES: dict[str, Rule] = {
    "AsString": _as_string,
    "ReduceJoin": _reduce_join,
    "StringJoin": _string_join,
    "StringLength": _length,
    "StringLower": _cased("lower"),
    "StringNGrams": _ngrams,
    "StringSplit": _string_split,
    "StringSplitV2": _string_split_v2,
    "StringStrip": _strip,
    "StringToNumber": _string_to_number,
    "StringUpper": _cased("upper"),
    "Substr": _substr,
    "UnsortedSegmentJoin": _segment_join,
}
