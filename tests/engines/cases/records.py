"""Cases of tensors written as messages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from cryograph.engines.numpy.records import written
from tests.engines.cases.examples import text
from tests.engines.cases.sparse import sparse
from tests.support.op_cases import Array, Case, L, case, floats, ints, ivec, refusal, strings, values

KINDS = ("float32", "float64", "int32", "int64", "uint8", "bool", "string", "complex64", "float16", "bfloat16")


def tensors() -> Iterator[Case]:
    for kind in KINDS:
        for x in (values(kind, 2, 3), values(kind, 0, 3), values(kind, 1)[0]):
            held = np.asarray(x) if kind != "string" else x if isinstance(x, np.ndarray) else text(x)
            yield case("SerializeTensor", held)
            yield case("ParseTensor", text(written(held, dtype_of(kind))), out_type=dtype_of(kind))
    yield refusal("ParseTensor", text(b"no tensor"), out_type=dtype_of("float32"))
    yield refusal("ParseTensor", text(written(floats(2), dtype_of("float32"))), out_type=dtype_of("int32"))


def rows_of(kind: str, *parts: tuple[Array, Array, Array]) -> Array:
    rows = np.empty((len(parts), 3), object)
    for n, (indices, given, shape) in enumerate(parts):
        rows[n] = [
            written(indices, dtype_of("int64")),
            written(given, dtype_of(kind)),
            written(shape, dtype_of("int64")),
        ]
    return rows


def sparse_ones() -> Iterator[Case]:
    for kind in ("float32", "int64", "string"):
        x, y = sparse(kind, 4, 5, count=7), sparse(kind, 3, 9, count=4, seed=1)
        said = {"dtype": dtype_of(kind)}
        yield case("SerializeSparse", *x)
        yield case("SerializeManySparse", *x)
        yield case("SerializeManySparse", *sparse(kind, 3, 2, 4, count=5))
        yield case("DeserializeSparse", rows_of(kind, x)[0], **said)
        yield case("DeserializeSparse", rows_of(kind, x, y), **said)
        yield case("DeserializeSparse", rows_of(kind, x, y, x, y).reshape(2, 2, 3), **said)
        yield case("DeserializeManySparse", rows_of(kind, x, y), **said)
        yield case("DeserializeManySparse", rows_of(kind, y), **said)
    yield refusal("DeserializeManySparse", strings(b"a", b"b", b"c").reshape(1, 3), dtype=dtype_of("float32"))
    yield refusal("SerializeManySparse", ivec([5, 0], dtype=L), ints(1), ivec(3, 4, dtype=L))


CASES: list[Case] = [*tensors(), *sparse_ones()]
