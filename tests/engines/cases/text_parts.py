"""Cases of parts and letters of strings that are text, which ONNX Runtime can hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, case, ivec, strings

PLAIN = strings(b"hello world", b"", b"  a b\t\n", b"x", b"\t \r\n\x0b\x0c", b"no-space")
MIXED = strings("Größe".encode(), "Ωμέγα ".encode(), b"", " é".encode(), b"plain", "Жизнь שלום".encode())


def parts() -> Iterator[Case]:
    for x in (PLAIN, MIXED, PLAIN.reshape(2, 3), np.array(b" one ", object)):
        yield case("StringStrip", x, sizes="any")
        for offsets in ("", "WithOffsets"):
            yield case(f"UnicodeDecode{offsets}", x, input_encoding="UTF-8", sizes="any")
    yield case("UnicodeDecode", MIXED, input_encoding="UTF-8", errors="strict", Tsplits=dtype_of("int32"), sizes="any")
    words = strings(b"hello", b"worlds", b"abcdef")
    letters = strings("hölle".encode(), "wörлds".encode(), "日本語です".encode())
    for x, unit in ((words, "BYTE"), (words, "UTF8_CHAR"), (letters, "UTF8_CHAR")):
        for start, size in ((0, 3), (1, -1), (-2, 1), (-3, 9), (5, 2), (2, 0)):
            yield case("Substr", x, np.int32(start), np.int32(size), unit=unit, sizes="any")
        yield case("Substr", x, ivec(0, 1, -1), ivec(2, 0, 5), unit=unit, sizes="any")
        yield case("Substr", x[0], ivec(0, 1, 2), ivec(1, 2, 3), unit=unit, sizes="known")
    # Bytes out of the middle of letters, and letters of three bytes as numbers, are numpy's.
    yield case("Substr", strings("aé".encode(), b"bc"), np.int32(0), np.int32(1), unit="BYTE")
    yield case("UnicodeDecode", strings("日本".encode(), b"a"), input_encoding="UTF-8")


CASES: list[Case] = [*parts()]
