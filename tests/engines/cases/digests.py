"""Cases of hashes of strings, and of strings that hold raw numbers, base64 and compressed bytes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, bools, case, ivec, kernel_types, refusal, strings, values


def held(data: bytes) -> Array:
    """One string."""
    return np.array(data, object)


LONG = bytes((7 * i * i + 3 * i) % 256 for i in range(300))
SIZES = (*range(18), 24, 31, 32, 33, 47, 63, 64, 65, 100, 127, 128, 129, 192, 300)
EMPTY = np.zeros((0, 2), object)


def hashes() -> Iterator[Case]:
    texts = strings(*(LONG[:size] for size in SIZES))
    for x in (texts, held(b"word"), texts[:6].reshape(2, 3), EMPTY):
        for count in (1, 10, 2**62):
            yield case("StringToHashBucket", x, num_buckets=count)
            yield case("StringToHashBucketFast", x, num_buckets=count)
            yield case("StringToHashBucketStrong", x, num_buckets=count, key=[123, -456])
    yield case("StringToHashBucketStrong", texts, num_buckets=2**63 - 1, key=[2**62, 2**40 + 1])
    yield refusal("StringToHashBucketStrong", texts, num_buckets=5, key=[1])
    method = held(b"farmhash64")
    for x in (texts, texts[:6].reshape(2, 3), texts[:8].reshape(2, 2, 2), np.zeros(0, object)):
        yield case("Fingerprint", x, method)
    for kind in ("float32", "int8", "int64", "bool", "float16", "complex64"):
        yield case("Fingerprint", values(kind, 3, 4), method)
        yield case("Fingerprint", values(kind, 3), method)
    yield refusal("Fingerprint", held(b"a"), method)
    yield refusal("Fingerprint", texts, held(b"md5"))


def base64s() -> Iterator[Case]:
    texts = strings(*(LONG[:size] for size in SIZES))
    for x in (texts, held(b"\xff\xfe\xfd"), EMPTY):
        yield case("EncodeBase64", x)
        yield case("EncodeBase64", x, pad=True)
    yield case("DecodeBase64", strings(b"", b"YQ", b"YQ==", b"YWI", b"YWI=", b"YWJj", b"_-78"))
    yield case("DecodeBase64", EMPTY)
    for wrong in (b"YQ=", b"Y", b"YQ===", b"++++", b"////", b"Y Q=", b"YQ==YQ==", b"=", b"====", b"Y===", b"=YQ="):
        yield refusal("DecodeBase64", held(wrong))


def raw() -> Iterator[Case]:
    for kind in kernel_types("DecodeRaw", "out_type"):
        out = dtype_of(kind)
        assert out.numpy is not None
        data = values(kind, 2, 3) if kind != "bool" else bools(2, 3)
        rows = [row.tobytes() for row in data]
        for little in (True, False):
            yield case("DecodeRaw", strings(*rows), out_type=out, little_endian=little)
        yield case("DecodeRaw", held(rows[0]), out_type=out)
        yield case("DecodeRaw", EMPTY, out_type=out)
        yield case("DecodeRaw", strings(b"", b""), out_type=out)
    for kind in kernel_types("DecodePaddedRaw", "out_type"):
        out = dtype_of(kind)
        assert out.numpy is not None
        size = out.numpy.itemsize
        rows = [row.tobytes() for row in (values(kind, 2, 3) if kind != "bool" else bools(2, 3))]
        for little in (True, False):
            yield case("DecodePaddedRaw", strings(*rows), np.int32(4 * size), out_type=out, little_endian=little)
        yield case("DecodePaddedRaw", strings(rows[0], b""), np.int32(2 * size), out_type=out)
    number = dtype_of("int32")
    yield refusal("DecodeRaw", strings(b"abcd", b"abcdefgh"), out_type=number)
    yield refusal("DecodeRaw", held(b"abc"), out_type=number)
    for wrong in (np.int32(0), np.int32(-4), np.int32(6), ivec(4)):
        yield refusal("DecodePaddedRaw", strings(b"abcd"), wrong, out_type=number)


def compressed() -> Iterator[Case]:
    texts = [b"", b"word", LONG, LONG * 3]
    yield case("DecodeCompressed", strings(*texts))
    yield case("DecodeCompressed", strings(*map(zlib.compress, texts)), compression_type="ZLIB")
    yield case("DecodeCompressed", strings(*(gzip.compress(t, mtime=0) for t in texts)), compression_type="GZIP")
    yield case("DecodeCompressed", held(zlib.compress(b"one")), compression_type="ZLIB")
    yield refusal("DecodeCompressed", held(b"no such data"), compression_type="ZLIB")
    yield refusal("DecodeCompressed", held(b"no such data"), compression_type="GZIP")
    yield refusal("DecodeCompressed", held(b"one"), compression_type="LZ")


CASES: list[Case] = [*hashes(), *base64s(), *raw(), *compressed()]
