"""Cases of strings joined, split, cut, cased, counted, read as numbers and printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import INT32, INT64, dtype_of
from tests.engines.cases.digests import EMPTY, held
from tests.support.op_cases import Case, F, L, N, bools, case, ivec, kernel_types, refusal, strings, values

WORDS = strings(b"Alpha", b" b\tc ", b"", b"\xc3\xa9\xc3\x9f \xff", b"\t\n\v\f\r x\0 ", b"\x80a\x80\x80b")


def joins() -> Iterator[Case]:
    x = strings([b"a", b"b", b"c"], [b"d", b"", b"f"])
    for separator in ("", "--"):
        yield case("StringJoin", x, held(b"!"), x, separator=separator)
        yield case("StringJoin", held(b"a"), held(b"b"), separator=separator)
        for axes in ([0], [1], [0, 1], [1, 0], [-1], []):
            yield case("ReduceJoin", x, np.array(axes, N), separator=separator)
            yield case("ReduceJoin", x, np.array(axes, N), separator=separator, keep_dims=True)
        for ids in (ivec(2, 0), ivec(1, 1), ivec([0, 1, 1], [3, 0, 0]), ivec(2, 0, dtype=L)):
            yield case("UnsortedSegmentJoin", x, ids, np.int32(4), separator=separator)
    yield case("StringJoin", x)
    yield case("StringJoin", EMPTY, EMPTY)
    yield refusal("StringJoin", x, x[:1])
    for axis in (0, 1):
        yield case("ReduceJoin", EMPTY, ivec(axis))
    for wrong in (ivec(0, 0), ivec(0, -2), ivec(2), ivec(-3)):
        yield refusal("ReduceJoin", x, wrong)
    yield refusal("ReduceJoin", held(b"a"), ivec(0))
    for ids, count in ((ivec(-1, 0), 2), (ivec(2, 0), 2), (ivec(0, 1, 0), 2), (ivec(0, 0), -1), (ivec(0, 0), 0)):
        yield refusal("UnsortedSegmentJoin", x, ids, np.int32(count))


def splits() -> Iterator[Case]:
    texts = strings(b" a  b c  ", b"a,b,,c;d", b"", b",", b"a<>b<>", b"a\x0bb\x0cc\rd\xc2\xa0e")
    for mark in (b"", b",", b"<>", b" "):
        for count in (-1, 0, 1, 2):
            yield case("StringSplitV2", texts, held(mark), maxsplit=count)
    for mark in (b"", b",", b",;", b" ", b"-]^\\"):
        for skip in (True, False):
            yield case("StringSplit", texts, held(mark), skip_empty=skip)
    for op in ("StringSplit", "StringSplitV2"):
        yield case(op, np.zeros(0, object), held(b","))
        yield refusal(op, EMPTY, held(b","))
        yield refusal(op, texts, strings(b",", b";"))
    words, ends = strings(*(b"%c" % c for c in b"abcdef")), ivec(0, 4, 4, 6, dtype=L)
    for widths in ([1], [3], [2, 3], [6, 7]):
        for pad in (-1, 0, 1, 5):
            for keep in (True, False):
                yield _ngrams(words, ends, widths, pad, keep)
    yield _ngrams(words, ends.astype(N), [2], 0, False)
    yield _ngrams(words[:0], ends[:0], [2], 0, False)
    for wrong in ([0, 7], [1, 6], [0, 4, 2, 6], [0, 5]):
        yield _ngrams(words, ivec(*wrong, dtype=L), [2], 0, False, True)
    yield _ngrams(words, ends, [0], 0, False, True)


def _ngrams(words: Any, ends: Any, widths: list[int], pad: int, keep: bool, refused: bool = False) -> Case:
    make = refusal if refused else case
    return make("StringNGrams", words, ends, separator="|", left_pad="L", right_pad="R", ngram_widths=widths,
                pad_width=pad, preserve_short_sequences=keep)  # fmt: skip


def letters() -> Iterator[Case]:
    more = strings("aß\xe9ﬁıǆ".encode(), "AİΣ ΑΣ".encode(), b"A\xffB\xe9\xc3", b"")
    for x in (WORDS, WORDS.reshape(2, 3), held(b"aB"), EMPTY):
        for op in ("StringLower", "StringUpper"):
            yield case(op, x)
            yield case(op, x, encoding="utf-8")
        yield case("StringStrip", x)
        yield case("StringLength", x)
        yield case("StringLength", x, unit="UTF8_CHAR")
    for op in ("StringLower", "StringUpper"):
        yield case(op, more, encoding="utf-8")
        yield refusal(op, more, encoding="utf-16")
    texts = strings("héllo".encode(), b"\x80a\x80\x80b")
    for unit in ("BYTE", "UTF8_CHAR"):
        for kind in (N, L):
            yield case("Substr", texts, ivec(1, -2, dtype=kind), ivec(2, 9, dtype=kind), unit=unit)
        for start, size in ((0, 0), (1, 2), (3, 1), (-3, 2), (-1, 9)):
            yield case("Substr", texts, np.int32(start), np.int32(size), unit=unit)
        yield case("Substr", texts[0], ivec(0, 1, 2), ivec(1, 2, 3), unit=unit)
        yield case("Substr", texts, ivec([0, 1], [1, 0]), ivec([1, 2], [3, 4]), unit=unit)
        yield case("Substr", texts.reshape(2, 1), ivec([0, 1], [1, 0]), ivec([1, 2], [3, 4]), unit=unit)
        for start in (7, -7):
            yield refusal("Substr", texts, np.int32(start), np.int32(1), unit=unit)
        yield refusal("Substr", texts, ivec(0, 1), ivec(1), unit=unit)
        yield refusal("Substr", texts, ivec(0, 1, 1), ivec(1, 1, 1), unit=unit)
    yield case("Substr", held(b"hello"), np.int32(1), np.int32(-1))


GOOD = [b"1", b" 1 ", b"+1", b"007", b"\t2\n", b"0"]
BAD = [b"", b" ", b"1e", b"1.5f", b"1_0", b"+-1", b"--1", b"-", b"1 2", b"infin", b".", b"one", b"\xd9\xa1"]


def read() -> Iterator[Case]:
    for kind in kernel_types("StringToNumber", "out_type"):
        out = dtype_of(kind)
        yield case("StringToNumber", strings(*GOOD), out_type=out)
        yield case("StringToNumber", held(b"7"), out_type=out)
        yield case("StringToNumber", EMPTY, out_type=out)
        for wrong in BAD:
            yield refusal("StringToNumber", held(wrong), out_type=out)
        assert out.numpy is not None
        if out.numpy.kind == "f":
            more = [b"1e5", b"inf", b"-Infinity", b"nan", b"NaN(1)", b"0x10", b".5", b"5.", b"1e400", b"1E-400", b"-0",
                    b"INF", b"0.1", b"3.14159265358979", b"-2.5e-3"]  # fmt: skip
            yield case("StringToNumber", strings(*more), out_type=out)
            continue
        limits = np.iinfo(out.numpy)
        yield case("StringToNumber", strings(b"%d" % limits.min, b"%d" % limits.max), out_type=out)
        for wrong in (b"1.0", b"0x1", b"%d" % (limits.min - 1), b"%d" % (limits.max + 1)):
            yield refusal("StringToNumber", held(wrong), out_type=out)


PRINTED = (
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "bool", "string",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
"""What the op takes; its kernel is registered for every dtype."""
PLAIN: list[dict[str, Any]] = [{}, {"width": 6}, *({"width": 9, "fill": f} for f in " +-0"), {"fill": "+"}]
FLOATING: list[dict[str, Any]] = [
    *PLAIN, {"precision": 2}, {"precision": 0}, {"scientific": True}, {"shortest": True},
    {"shortest": True, "precision": 3}, {"scientific": True, "precision": 1, "width": 12, "fill": "0"},
]  # fmt: skip


def printed() -> Iterator[Case]:
    numbers = [1.0, 0, -0.0, np.nan, np.inf, -np.inf, 1e4, 1.23456789, 1e-7, -65000.5]
    for kind in PRINTED:
        out = np.dtype(object) if kind == "string" else dtype_of(kind).numpy
        assert out is not None
        floating = out.kind in "fc" or kind == "bfloat16"
        x = np.array(numbers).astype(out) if floating else bools(3) if kind == "bool" else values(kind, 5)
        for attrs in FLOATING if floating else PLAIN:
            yield case("AsString", x, **attrs)
        yield case("AsString", x[:0].reshape(0, 2))
        yield case("AsString", x[0])
        yield refusal("AsString", x, fill="x")
        yield refusal("AsString", x, fill="00")
        yield refusal("AsString", x, scientific=True, shortest=True)
        if not floating and kind != "string":
            yield refusal("AsString", x, scientific=True)
            yield refusal("AsString", x, shortest=True)
            yield refusal("AsString", x, precision=2)
    for attrs in ({"width": 5}, {"width": 2, "fill": "-"}, {}):
        yield case("AsString", strings(b"abc", b""), precision=2, **attrs)
    yield case("AsString", np.array([1e20, 1e-30, 123456789], F))
    yield case("AsString", np.array([2**31 - 1, -(2**31)], INT32.numpy))
    yield case("AsString", np.array([2**63 - 1, -(2**63)], INT64.numpy))


CASES: list[Case] = [*joins(), *splits(), *letters(), *read(), *printed()]
