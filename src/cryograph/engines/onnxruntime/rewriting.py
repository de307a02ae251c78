"""Lowerings of ops that rewrite strings: what matches a pattern replaced or taken away, and runs of words joined.

ONNX has no operator that replaces by a pattern. Literal text is split at and joined anew; what other patterns match can
be taken away, where what is left is what the runtime's Tokenizer gives.
"""

from __future__ import annotations

import re

import numpy as np

from ...base.dtypes import BOOL, INT64, STRING
from ...base.regexes import compile_regex
from ...program.program import Step
from .builder import Builder, Table
from .rows import arange, count_of, lengths_of, offsets_in, rows_of, running_sums, splits_of, starts_of
from .texts import joined, joined_rows, split_at, text, tokens, within
from .values import Refusal, Value

_LITERAL = re.compile(rb"(?:[^\\.+*?()|\[\]{}^$]|\\[^\w\s])+", re.DOTALL)
_ATOM = rb"(?:\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\\[^\w]|\\[dDwWsS]|[^\\.+*?()|\[\]{}^$])"
_RUN = re.compile(rb"(?:%s)*(?:%s\+)?(?:%s)*" % (_ATOM, _ATOM, _ATOM), re.DOTALL)
"""Characters and classes one behind the other, one of them more than once: the first match is the longest, which is
what the Tokenizer looks for."""


def _literal(pattern: bytes) -> str | None:
    """The text that a pattern is, when it is no more than that."""
    return re.sub(rb"\\(.)", rb"\1", pattern, flags=re.DOTALL).decode() if _LITERAL.fullmatch(pattern) else None


def _replaced(g: Builder, x: Value, pattern: bytes, rewrite: bytes, everywhere: bool) -> Value:
    if b"\\" in rewrite:
        raise Refusal("a rewrite with parts of the match has no form in ONNX")
    literal = _literal(pattern)
    flat = Value(g.reshape(x, [-1]).name, STRING, (None,)) if x.rank != 1 else x
    if literal is not None:
        parts, counts = split_at(g, flat, literal, -1 if everywhere else 1)
        if rewrite:
            first = g.slice(parts, g.ints([0]), g.ints([1]), [1])
            rest = g.slice(parts, g.ints([1]), g.ints([1 << 62]), [1])
            marked = joined(g, text(g, rewrite), Value(rest.name, STRING, (None, None)), (None, None))
            whole = g.concat([Value(first.name, STRING, (None, None)), marked], 1, (None, None))
            parts = g.where(within(g, counts, whole), whole, text(g, b""), (None, None))
        made = joined_rows(g, parts)
    elif not rewrite and everywhere and _RUN.fullmatch(pattern) and not compile_regex(pattern).fullmatch(b""):
        parts = tokens(g, flat, pattern.decode())
        made = g.slice(joined_rows(g, parts), g.ints([0]), g.ints([-1]), [0])
    else:
        raise Refusal("ONNX Runtime replaces literal text, and takes away what characters and classes match, no more")
    return g.reshape_to(Value(made.name, STRING, (None,)), g.shape_of(x), x.shape)


def static_regex_replace(
    g: Builder, step: Step, x: Value, *, pattern: bytes, rewrite: bytes, replace_global: bool = True
) -> Value:
    return _replaced(g, x, pattern, rewrite, replace_global)


def regex_replace(
    g: Builder, step: Step, x: Value, pattern: Value, rewrite: Value, *, replace_global: bool = True
) -> Value:
    marks = (g.fixed(pattern, "the pattern").item(), g.fixed(rewrite, "the rewrite").item())
    return _replaced(g, x, *marks, replace_global)


def ngrams(
    g: Builder, step: Step, data: Value, splits: Value, *, separator: bytes, ngram_widths: list[int], left_pad: bytes,
    right_pad: bytes, pad_width: int, preserve_short_sequences: bool,
) -> list[Value | None]:  # fmt: skip
    """Runs of words of each row, one width after the other; then the whole row where it has none and is kept."""
    if splits.size(0) == 0 or not ngram_widths or min(ngram_widths) <= 0:
        raise Refusal("no splits, or widths that are not positive")
    kept = preserve_short_sequences
    bounds = g.int64(splits)
    lengths, starts = lengths_of(g, bounds), starts_of(g, bounds)
    pads = [min(width - 1 if pad_width < 0 else pad_width, width - 1) for width in ngram_widths]
    counts = []
    for width, pad in zip(ngram_widths, pads, strict=True):
        runs = g.op("Add", lengths, g.ints([2 * pad - width + 1]), shape=(None,))
        counts.append(g.op("Max", runs, g.ints([0]), shape=(None,)))
    if kept:
        every = counts[0]
        for count in counts[1:]:
            every = g.op("Add", every, count, shape=(None,))
        none = g.binary("Equal", every, g.ints([0]), BOOL)
        some = g.binary("Greater", lengths, g.ints([0]), BOOL)
        counts.append(g.cast(g.binary("And", none, some, BOOL), INT64))
    kinds = len(counts)
    table = g.concat([g.unsqueeze(count, [1]) for count in counts], 1, (None, kinds))
    cells = splits_of(g, Value(g.reshape(table, [-1]).name, INT64, (None,)))
    cell = rows_of(g, cells)
    offset = offsets_in(g, cell, starts_of(g, cells))
    row = g.op("Div", cell, g.ints([kinds]), shape=(None,))
    kind = g.op("Mod", cell, g.ints([kinds]), shape=(None,))
    length = g.op("Gather", lengths, row, axis=0, shape=(None,))
    start = g.op("Gather", starts, row, axis=0, shape=(None,))
    padding = g.op("Gather", g.ints([*pads, max(pad_width, 0)][:kinds]), kind, axis=0, shape=(None,))
    size = g.op("Gather", g.ints([*ngram_widths, 0][:kinds]), kind, axis=0, shape=(None,))
    if kept:
        whole = g.op("Add", length, g.ints([2 * max(pad_width, 0)]), shape=(None,))
        size = g.where(g.binary("Equal", kind, g.ints([kinds - 1]), BOOL), whole, size, (None,))
    # Words (runs, most words of a run), with padding where the place is not in the row.
    most = max(ngram_widths)
    if kept:
        longest = g.op("ReduceMax", g.concat([size, g.ints([most])], 0, (None,)), g.ints([0]), keepdims=1, shape=(1,))
    else:
        longest = g.ints([most])
    turn = g.unsqueeze(arange(g, longest), [0])
    place = g.op("Sub", g.op("Add", g.unsqueeze(offset, [1]), turn), g.unsqueeze(padding, [1]), shape=(None, None))
    before = g.op("Less", place, g.const(0, INT64), dtype=BOOL, shape=(None, None))
    behind = g.op("GreaterOrEqual", place, g.unsqueeze(length, [1]), dtype=BOOL, shape=(None, None))
    more = g.concat([data, g.const(np.array([b""], object), STRING)], 0, (None,))
    at = g.op("Add", place, g.unsqueeze(start, [1]), shape=(None, None))
    inside = g.op("Clip", at, g.const(0, INT64), g.reshape(count_of(g, data), []), shape=(None, None))
    word = g.op("Gather", more, inside, axis=0, shape=(None, None))
    word = g.where(before, text(g, left_pad), word, (None, None))
    word = g.where(behind, text(g, right_pad), word, (None, None))
    if separator:
        lead = g.where(g.op("Greater", turn, g.const(0, INT64), dtype=BOOL), text(g, separator), text(g, b""))
        word = joined(g, lead, word, (None, None))
    part = g.op("Less", turn, g.unsqueeze(size, [1]), dtype=BOOL, shape=(None, None))
    made = joined_rows(g, g.where(part, word, text(g, b""), (None, None)))
    per_row = g.op("ReduceSum", table, g.ints([1]), keepdims=0, shape=(None,))
    ends = g.concat([g.ints([0]), running_sums(g, per_row)], 0, (None,))
    kept_ends = g.slice(ends, g.ints([0]), count_of(g, splits), [0])  # none of none
    return [made, g.cast(Value(kept_ends.name, INT64, splits.shape), splits.dtype)]


LOWERINGS: Table = {
    "RegexReplace": regex_replace,
    "StaticRegexReplace": static_regex_replace,
    "StringNGrams": ngrams,
}
