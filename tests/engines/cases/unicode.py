"""Cases of Unicode: decoded, encoded, transcoded, scripts; tensors written in templates; edit distances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import INT32, INT64
from tests.engines.cases.digests import EMPTY, held
from tests.support.op_cases import Array, Case, D, F, L, N, bools, case, ivec, kernel_types, refusal, strings, values

TEXTS = strings(
    b"a\xc3\xa9\xff\xe2\x82b\x01\x80\x80\xf0\x9f\x98\x80", b"", b"\xed\xa0\x80\xc0\x80\xf4\x90\x80\x80\xe0\x80\x80",
    b"\xef\xbb\xbfa\r\n\x1f\x20\x7f\xc2\x80", b"\xef\xbf\xbd\xef\xbf\xbe\xf0\x9f\x98", b"plain",
)  # fmt: skip
CLEAN = strings("héllo".encode(), "日本語 😀".encode(), b"")
ENCODED: dict[str, list[bytes]] = {
    "UTF-16-BE": [b"\x00a\x00\xe9\xd8\x3d\xde\x00\xd8", b"\xd8\x00\x00a\xdc\x00", b"\xfe\xff\0a"],
    "UTF-16-LE": [b"a\0\xe9\0", b"\xff\xfea\0"],
    "UTF-16": [b"\xff\xfea\0"],
    "utf16": [b"\0a\xff\xfe\xfe\xff"],
    "utf-16": [b"\xfe\xff\0a\0b"],
    "UTF-32-BE": [b"\0\0\0a\0\x11\0\0\0\0", b"\0\0\xd8\0\0\0\0a"],
    "UTF-32": [b"\xff\xfe\0\0a\0\0\0", b"\0\0\0a"],
    "ISO-8859-1": [b"a\xe9\x80"],
    "latin-1": [b"a\xff"],
    "US-ASCII": [b"a\xe9\x80"],
    "ascii": [b"a\xe9b"],
    "utf8": [b"\xc3\xa9\xff"],
    "UTF16BE": [b"\0a"],
    "windows-1252": [b"a\x81\x80\x9f\xff"],
    "windows-1251": [b"a\xe9\x80"],
    "koi8-r": [b"a\x85\xcb"],
    "iso-8859-15": [b"a\xa4"],
    "cp866": [b"a\xe9"],
    "macintosh": [b"a\xe9"],
    "shift_jis": [b"\x83\x41a"],
    "euc-jp": [b"\xa4\xa2\xff"],
    "gbk": [b"\xb0\xa1a\x81"],
    "big5": [b"\xa4@a"],
    "euc-kr": [b"\xb0\xa1a"],
    "gb18030": [b"\xb0\xa1a"],
}
BOGUS = ("bogus", "rot13", "idna", "unicode_escape", "utf_8_sig", "", "base64", "cp65001")
DECODERS = ("UnicodeDecode", "UnicodeDecodeWithOffsets")
BAD_REPLACEMENTS = (0x110000, -1)


def decoded() -> Iterator[Case]:
    for op in DECODERS:
        for x in (TEXTS, CLEAN.reshape(3, 1), held(b"ab"), EMPTY):
            for controls in (True, False):
                for errors in ("replace", "ignore"):
                    yield case(op, x, input_encoding="UTF-8", errors=errors, replace_control_characters=controls)
                yield case(op, x, input_encoding="UTF-8", replacement_char=63, replace_control_characters=controls)
            if op == "UnicodeDecode":  # TensorFlow's process dies of the other one
                yield case(op, x, input_encoding="UTF-8", Tsplits=INT32)
        yield case(op, CLEAN, input_encoding="UTF-8", errors="strict")
        yield case(op, strings(b"a\x01b"), input_encoding="UTF-8", errors="strict", replace_control_characters=True)
        yield refusal(op, TEXTS, input_encoding="UTF-8", errors="strict")
        for name, texts in ENCODED.items():
            yield case(op, strings(*texts), input_encoding=name)
            yield case(op, strings(*texts), input_encoding=name, errors="ignore", Tsplits=INT64)
        for name in BOGUS:
            yield refusal(op, CLEAN, input_encoding=name)
        for wrong in BAD_REPLACEMENTS:
            yield refusal(op, CLEAN, input_encoding="UTF-8", replacement_char=wrong)


def encoded() -> Iterator[Case]:
    points = ivec(97, 0x1F600, 0xD800, 0x110000, -1, 0xFFFF, 0, 233, 0xFFFD)
    ends = ivec(0, 2, 2, 6, 9, dtype=L)
    for name in ("UTF-8", "UTF-16-BE", "UTF-32-BE"):
        for kind in (N, L):
            yield case("UnicodeEncode", points, ends.astype(kind), output_encoding=name)
        yield case("UnicodeEncode", points, ends, output_encoding=name, errors="ignore")
        yield case("UnicodeEncode", points, ends, output_encoding=name, replacement_char=0x1F600)
        yield case("UnicodeEncode", points, ends, output_encoding=name, replacement_char=0xD800)
        yield case("UnicodeEncode", points[:2], ends[:2], output_encoding=name, errors="strict")
        yield refusal("UnicodeEncode", points, ends, output_encoding=name, errors="strict")
        for x in (TEXTS, CLEAN.reshape(3, 1), held(b"a\xff"), EMPTY):
            for controls in (True, False):
                for errors in ("replace", "ignore"):
                    yield _transcode(x, "UTF-8", name, errors=errors, replace_control_characters=controls)
            yield _transcode(x, "UTF-8", name, replacement_char=0x1F600)
        yield _transcode(held(b"a\xff"), "UTF-8", name, replacement_char=0xD800)
        yield _transcode(CLEAN, "UTF-8", name, errors="strict")
        for source, texts in ENCODED.items():
            yield _transcode(strings(*texts), source, name)
    for wrong in ([0, 10], [1, 9], [0, 5, 2, 9], [0, 5], []):
        yield refusal("UnicodeEncode", points, np.array(wrong, L), output_encoding="UTF-8")
    yield case("UnicodeEncode", points[:0], ivec(0, dtype=L), output_encoding="UTF-8")
    yield case("UnicodeEncode", points[:0], ivec(0, 0, dtype=L), output_encoding="UTF-8")
    for number in BAD_REPLACEMENTS:
        yield refusal(
            "UnicodeEncode", points[:1], ivec(0, 1, dtype=L), output_encoding="UTF-8", replacement_char=number
        )
        yield _transcode(CLEAN, "UTF-8", "UTF-8", True, replacement_char=number)
    yield _transcode(TEXTS, "UTF-8", "UTF-8", True, errors="strict")
    yield _transcode(strings(b"a\x01"), "UTF-8", "UTF-8", True, errors="strict", replace_control_characters=True)
    for name in BOGUS:
        yield _transcode(CLEAN, name, "UTF-8", True)


def _transcode(x: Any, source: str, target: str, refused: bool = False, **attrs: Any) -> Case:
    make = refusal if refused else case
    return make("UnicodeTranscode", x, input_encoding=source, output_encoding=target, **attrs)


def scripts() -> Iterator[Case]:
    yield case("UnicodeScript", ivec(97, 48, 0x3B1, 0x430, 0x4E00, 0x3042, -1, 0x110000, 0x378, 0x300, 0x10FFFF, 0))
    yield case("UnicodeScript", np.arange(0, 0x110000, 2999, dtype=N).reshape(-1, 2))
    yield case("UnicodeScript", np.arange(0x600, 0x1000, 17, dtype=N))
    yield case("UnicodeScript", np.array([2**31 - 1, -(2**31)], N))
    yield case("UnicodeScript", np.int32(0x5D0))
    yield case("UnicodeScript", np.zeros((0, 2), N))


def written() -> Iterator[Case]:
    numbers = [1e20, 1e-7, np.nan, np.inf, -np.inf, 123456.789, 1, -0.0, 1e6, 1234567, 1e-5, 0.0001, 1 / 3, 1e16, 0.1]
    shapes: list[tuple[int, ...]] = [(), (7,), (3, 4), (2, 3, 4), (6, 2, 2), (0,), (0, 2), (2, 0), (2, 0, 3), (1, 1)]
    for shape in shapes:
        for ends in (-1, 0, 1, 2, 3):
            yield case("StringFormat", np.arange(np.prod(shape, dtype=int), dtype=N).reshape(shape), summarize=ends)
    for kind in (F, D, "bfloat16", "float16"):
        with np.errstate(over="ignore"):
            yield case("StringFormat", np.array(numbers).astype(values(str(np.dtype(kind)), 1).dtype), summarize=-1)
    for name in ("int8", "uint8", "int16", "uint16", "int64", "uint32", "uint64", "bool"):
        yield case("StringFormat", bools(3) if name == "bool" else values(name, 3))
    texts = strings(b"a", b"b\n\r\"'\x01\xff\\\t\x7f\x00", b"")
    yield case("StringFormat", texts)
    yield case("StringFormat", texts.reshape(3, 1))
    yield case("StringFormat", texts[1:2].reshape(()))
    yield case("StringFormat", values("float32", 2), texts, np.int8(3), template="a %s|%s|%s b %%", summarize=2)
    yield case("StringFormat", np.int32(1), np.int32(2), template="{}{}x", placeholder="{}")
    yield case("StringFormat", template="no place")
    yield refusal("StringFormat", np.int32(1), np.int32(2), template="%s")
    yield refusal("StringFormat", np.int32(1), template="none")


def _sparse(kind: Any, places: list[list[int]], texts: Any, shape: list[int]) -> tuple[Array, Array, Array]:
    held_values = np.array([b"%d" % n for n in texts], object) if kind == "string" else np.array(texts)
    made = held_values if kind == "string" else held_values.astype(values(kind, 1).dtype)
    return np.array(places, L).reshape(len(texts), len(shape)), made, np.array(shape, L)


def distances() -> Iterator[Case]:
    long = [[0, n] for n in range(6)] + [[2, n] for n in range(3)]
    other = [[0, n] for n in range(5)] + [[1, 0]] + [[2, n] for n in range(4)]
    for kind in (*kernel_types("EditDistance", "T"), "string"):
        a = _sparse(kind, long, [1, 2, 3, 1, 2, 3, 1, 1, 2], [4, 6])
        b = _sparse(kind, other, [2, 3, 1, 1, 3, 2, 1, 2, 2, 1], [3, 7])
        yield case("EditDistance", *a, *b)
        yield case("EditDistance", *b, *a, normalize=False)
    none = _sparse("int32", [], [], [2, 2])
    one = _sparse("int32", [[0, 0]], [1], [4, 2])
    deep = _sparse("int32", [[0, 0, 0], [1, 1, 0]], [1, 2], [2, 2, 1])
    disordered = _sparse("int32", [[1, 0], [0, 0]], [1, 2], [2, 2])
    for normal in (True, False):
        for a, b in ((none, none), (none, one), (one, none), (deep, deep), (disordered, one), (one, disordered)):
            yield case("EditDistance", *a, *b, normalize=normal)
    yield case(
        "EditDistance", *_sparse("float32", [[0, 5]], [1], [2, 2]), *_sparse("float32", [[0, 0]], [np.nan], [2, 2])
    )
    yield refusal("EditDistance", *deep, *one)
    outside = [_sparse("int32", [[9, 0]], [1], [2, 2]), _sparse("int32", [[-1, 0]], [1], [2, 2])]
    unfit = [_sparse("int32", [[0]], [1], [3]), (one[0], ivec(1, 2), one[2]), (one[0], one[1], one[2][:1])]
    for bad in (*outside, *unfit):
        yield refusal("EditDistance", *bad, *none)
        yield refusal("EditDistance", *none, *bad)


CASES: list[Case] = [*decoded(), *encoded(), *scripts(), *written(), *distances()]
