"""Cases of hashes and lengths of strings that are text, which ONNX Runtime can hold, around all sizes that matter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Case, case, strings

LINE = "The quick brown fox jumps over the lazy dog; Pack my box with five dozen liquor jugs. 0123456789 " * 4
MIXED = "Größe, Ærø, Ωμέγα, Жизнь, שלום, naïve café — ".replace("—", "-") * 8
SIZES = (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 192, 193, 300)


def hashes() -> Iterator[Case]:
    plain = strings(*(LINE[:size].encode() for size in SIZES))
    mixed = strings(*(MIXED[size : 2 * size].encode() for size in SIZES))
    both = strings(b"a\tb\nc", b"", "é".encode(), b"\x00\x01 ~\x7f", "߿\x80".encode(), b" ")
    for x, count in ((plain, 2**62), (mixed, 1000), (both.reshape(2, 3), 1), (np.array(b"word", object), 7)):
        for op in ("StringToHashBucket", "StringToHashBucketFast"):
            yield case(op, x, num_buckets=count, sizes="any")
        yield case("StringToHashBucketStrong", x, num_buckets=count, key=[123, -456], sizes="any")
        yield case("StringLength", x, sizes="any")
        yield case("StringLength", x, unit="UTF8_CHAR", sizes="any")
    yield case("StringToHashBucketFast", strings(b"", b""), num_buckets=9, sizes="known")
    yield case("Fingerprint", mixed, np.array(b"farmhash64", object), fixed=(1,), sizes="any")
    yield case("StringLength", strings("日本".encode(), "a😀".encode()), unit="UTF8_CHAR", sizes="any")
    # Letters of three bytes are numpy's.
    yield case("StringToHashBucketFast", strings("日本".encode(), b"a"), num_buckets=1000)
    yield case("StringLength", strings("日本".encode(), b"a"))


CASES: list[Case] = [*hashes()]
