"""Cases of ops on strings that ONNX Runtime must take: text in UTF-8, which is all that it has."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, case, refusal, strings, values

PLAIN = strings(b"Ab c", b"", b" x  Y ", b"a,b,,c,", b"a\0B")
TEXT = strings("Été ÀÉ".encode(), b"AbC,dEf", "größer\0ẞ".encode(), b"", "日本,語".encode())
GRID = strings([b"a", "é".encode(), b""], [b"d", b"", b"long enough to be no short string"])
NOTHING = np.zeros(0, object)
ONE = np.array(b"One", object)


def joins() -> list[Case]:
    made = [case("StringJoin", *inputs, separator=mark, sizes="any", N=len(inputs))
            for inputs in ((TEXT, TEXT), (TEXT, ONE, TEXT), (ONE,), (ONE, ONE), (GRID, GRID, GRID), (NOTHING, ONE))
            for mark in (b"", b"--", "é".encode())]  # fmt: skip
    for axes, keep, mark in itertools.product([[0], [1], [0, 1], [1, 0], [-1], []], [False, True], [b"", b", "]):
        said: dict[str, Any] = {"keep_dims": keep, "separator": mark}
        made.append(case("ReduceJoin", GRID, np.array(axes, np.int32), fixed=(1,), sizes="any", **said))
    many = values("string", 2, 3, 4)
    for axes in ([2, 0], [1], [0, 1, 2]):
        made.append(case("ReduceJoin", many, np.array(axes, np.int32), separator=b"-", fixed=(1,), sizes="any"))
    for empty, axis in itertools.product(((0, 3), (3, 0), (0, 0)), (0, 1)):
        made.append(
            case(
                "ReduceJoin",
                np.zeros(empty, object),
                np.array([axis], np.int32),
                separator=b"-",
                fixed=(1,),
                sizes="any",
            )
        )
    return made


def splits() -> list[Case]:
    made = []
    for x, mark in itertools.product(
        (PLAIN, TEXT, NOTHING, strings(b"", b"")), (b",", b" ", b", ", "é".encode(), b"ab")
    ):
        for maxsplit in (-1, 0, 1, 2):
            made.append(case("StringSplitV2", x, np.array(mark, object), maxsplit=maxsplit, fixed=(1,), sizes="any"))
    for x in (PLAIN, TEXT, NOTHING, strings(b"", b" \t "), strings(b"a\tb\nc\vd\fe\rf g")):
        made += [case("StringSplitV2", x, np.array(b"", object), maxsplit=n, fixed=(1,), sizes="any") for n in (-1, 0)]
        for mark, skip in itertools.product((b",", b" "), (True, False)):
            made.append(case("StringSplit", x, np.array(mark, object), skip_empty=skip, fixed=(1,), sizes="any"))
        made.append(case("StringSplit", x, np.array(b" ,]^-\\", object), fixed=(1,), sizes="any"))
    made.append(case("StringSplit", PLAIN, np.array(b"", object), fixed=(1,), sizes="any"))
    return made


def cases_of_letters() -> list[Case]:
    made = []
    for op in ("StringLower", "StringUpper"):
        made += [case(op, x, sizes="any") for x in (PLAIN, TEXT, GRID, NOTHING, ONE)]
        made += [
            case(op, x, encoding=b"utf-8", sizes="any") for x in (PLAIN[:4], ONE, NOTHING, PLAIN[:4].reshape(2, 2))
        ]
    return made


def numbers() -> list[Case]:
    whole = strings(b"7", b" +12", b"\t\v99 ", b"0012")
    made = [case("StringToNumber", whole, out_type=dtype_of(kind), sizes="any")
            for kind in ("float32", "float64", "int32", "int64", "uint32", "uint64")]  # fmt: skip
    below = strings(b"-0", b" -12 ")
    made += [case("StringToNumber", below, out_type=dtype_of(kind), sizes="any") for kind in ("int32", "int64")]
    made += [refusal("StringToNumber", below[:1], out_type=dtype_of(kind)) for kind in ("uint32", "uint64")]
    real = strings(
        b"1.5", b"-.25", b"3.", b"1e-7", b"+2E3", b"inf", b"-Infinity", b"NaN", b"0x1F", b" 1e39 ", b"1.17549e-38"
    )
    made += [case("StringToNumber", real, out_type=dtype_of(kind), sizes="any") for kind in ("float32", "float64")]
    ends = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}
    made += [case("StringToNumber", strings(b"%d" % a, b"%d" % b), out_type=dtype_of(kind), sizes="any")
             for kind, (a, b) in ends.items()]  # fmt: skip
    for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "string"):
        made.append(case("AsString", values(kind, 2, 3, low=-120, high=120), sizes="any"))
        made.append(case("AsString", values(kind), sizes="any"))
    return made


def patterns() -> list[Case]:
    made = []
    for x in (PLAIN, TEXT, GRID, ONE, NOTHING):
        for pattern in (rb"[a-z ]*", rb"(?i)ab.*", rb"\pL+", rb".\x00.", b"", "é".encode()):
            made.append(case("StaticRegexFullMatch", x, pattern=pattern, sizes="any"))
    for pattern in (rb"(a|,)*", rb"\d"):
        made.append(case("RegexFullMatch", PLAIN, np.array(pattern, object), fixed=(1,), sizes="any"))
    literal = [(b",", b";"), (b",", b""), (rb"\.", b"!"), (b"b,", b"BB"), (b" ", b"  "), ("É".encode(), b"E")]
    taken = [rb"[!-/:-@ ]", rb"[^a-z]+", rb"\s", rb"<[^>]+>", rb"[\]\-^]"]
    tagged = strings(b"a<br/>b", b"<b>c</b>", b"]-^ <>")
    for pattern, rewrite in (*literal, *((pattern, b"") for pattern in taken)):
        for x in (PLAIN, TEXT, tagged):
            made.append(case("StaticRegexReplace", x, pattern=pattern, rewrite=rewrite, sizes="any"))
    for x in (GRID, ONE, NOTHING):
        for pattern, rewrite in ((b"d", b"--"), (rb"[o ]", b"")):
            made.append(case("StaticRegexReplace", x, pattern=pattern, rewrite=rewrite, sizes="any"))
    for pattern, rewrite in literal[:3]:
        made.append(
            case("StaticRegexReplace", PLAIN, pattern=pattern, rewrite=rewrite, replace_global=False, sizes="any")
        )
    for pattern, rewrite in (literal[0], (taken[1], b"")):
        ends = np.array(pattern, object), np.array(rewrite, object)
        made.append(case("RegexReplace", PLAIN, *ends, fixed=(1, 2), sizes="any"))
    # What is longest and what comes first differ, or what stands around it matters: these are left to numpy.
    for pattern in (rb"x|xy", rb"\bx", rb"x*?", rb"(x)(y)?", rb"^x", rb"x{1,2}", rb"[[:alpha:]]y?"):
        made.append(case("StaticRegexReplace", strings(b"xyx xx", b"yxy"), pattern=pattern, rewrite=b""))
    return made


def ngrams() -> list[Case]:
    data = strings(b"a", "é".encode(), b"c", b"", b"e", b"f f")
    made = []
    modes = [(-1, True, np.int64), (0, False, np.int32), (1, True, np.int64)]
    for ends, widths, (pad, keep, kind) in itertools.product(
        ([0, 2, 2, 6], [0, 6], [0, 0, 1, 6]), ([1], [2], [3, 2], [2, 7]), modes
    ):
        said: dict[str, Any] = {"left_pad": b"<", "right_pad": b">", "pad_width": pad, "preserve_short_sequences": keep}
        ends_ = np.array(ends, kind)
        made.append(case("StringNGrams", data, ends_, separator=b" ", ngram_widths=widths, sizes="any", **said))
    said = {"left_pad": b"", "right_pad": b"", "pad_width": 0, "preserve_short_sequences": False}
    none = np.zeros(1, np.int64)
    made.append(case("StringNGrams", NOTHING, none, separator=b"", ngram_widths=[2], sizes="any", **said))
    return made


CASES = [*joins(), *splits(), *cases_of_letters(), *numbers(), *patterns(), *ngrams()]
