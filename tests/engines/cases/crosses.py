"""Cases of crosses of features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cryograph.base.dtypes import INT32, INT64, STRING
from tests.support.op_cases import Array, Case, L, N, case, ints, ivec, refusal, strings, values

Sparse = tuple[Array, Array, Array]
KEY = 956888297470
"""What Keras and feature columns begin hashes with."""


def sparse(*rows: Sequence[Any], width: int = 9) -> Sparse:
    """A sparse matrix of the rows' values."""
    places = [(number, at) for number, row in enumerate(rows) for at in range(len(row))]
    held = [value for row in rows for value in row]
    made = strings(*held) if held and isinstance(held[0], bytes) else np.array(held, L)
    return np.array(places, L).reshape(-1, 2), made, np.array([len(rows), width], L)


WORDS = sparse([b"a", b"b"], [], [b"longer than eight bytes", b"", b"a"], [b"\xff\0"])
NUMBERS = sparse([1], [2, 3], [-4, 1 << 40, 0], [(1 << 63) - 1, 5])
FULL = sparse([7, 8], [9], [10], [-(1 << 63)])
DENSE_WORDS = np.array([[b"x", b"y"], [b"", b"z"], [b"w" * 70, b"v"], [b"u", b"t"]], object)
DENSE_NUMBERS = ints(4, 3, low=-1000, high=1000, dtype=L)


def inputs(columns: Sequence[Sparse], dense: Sequence[Array]) -> list[Array]:
    """The inputs in the op's order."""
    return [part for n in range(3) for part in (column[n] for column in columns)] + list(dense)


def said(columns: Sequence[Sparse], dense: Sequence[Array]) -> dict[str, Any]:
    """The attributes that tell the inputs apart."""
    kinds = {"O": STRING, "i": INT64}
    return {
        "N": len(columns),
        "sparse_types": [kinds[column[1].dtype.kind] for column in columns],
        "dense_types": [kinds[tensor.dtype.kind] for tensor in dense],
    }


MIXES: list[tuple[list[Sparse], list[Array]]] = [
    ([WORDS], []),
    ([NUMBERS, FULL], []),
    ([WORDS, NUMBERS, FULL], []),
    ([], [DENSE_WORDS]),
    ([], [DENSE_NUMBERS, DENSE_WORDS]),
    ([NUMBERS, WORDS], [DENSE_NUMBERS, DENSE_WORDS]),
    ([FULL], [DENSE_NUMBERS[:, :0]]),
    ([sparse([], [], [], []), FULL], []),
    ([sparse()], []),
]


def of_sparse() -> Iterator[Case]:
    for columns, dense in MIXES:
        given, attrs = inputs(columns, dense), said(columns, dense)
        for buckets in (0, 100):
            yield case("SparseCross", *given, hashed_output=True, num_buckets=buckets, hash_key=KEY, out_type=INT64,
                       internal_type=INT64, **attrs)  # fmt: skip
        yield case("SparseCross", *given, hashed_output=False, num_buckets=0, hash_key=-1, out_type=STRING,
                   internal_type=INT64, **attrs)  # fmt: skip
        for separator in (b"_X_", b"", b"\xff, "):
            yield case("SparseCrossV2", *given, strings(separator).reshape(()), **attrs)
        for buckets in (0, -5, 1000):
            is_known = not any(tensor.dtype == L for tensor in dense)  # TensorFlow's kernel does not survive the others
            for strong in (False, True) if is_known else (False,):
                yield case("SparseCrossHashed", *given, L(buckets), np.bool_(strong), ivec(137, -5, dtype=L), **attrs)
    texts = [WORDS], [DENSE_WORDS]
    for out in (INT64, STRING):
        yield case("SparseCross", *inputs(*texts), hashed_output=True, num_buckets=7, hash_key=3, out_type=out,
                   internal_type=STRING, **said(*texts))  # fmt: skip
    shuffled = (ivec([0, 1], [2, 0], [1, 5], [2, 1], dtype=L), ivec(5, 6, 7, 8, dtype=L), ivec(4, 9, dtype=L))
    yield case("SparseCrossV2", *inputs([shuffled], [DENSE_WORDS]), strings(b"-").reshape(()),
               **said([shuffled], [DENSE_WORDS]))  # fmt: skip


def of_sparse_refused() -> Iterator[Case]:
    dash = strings(b"-").reshape(())
    indices, held, shape = FULL
    for wrong in (
        (indices[:, 0], held, shape),
        (indices[:, :1], held, shape),
        (indices, held[:2], shape),
        (indices, held[None], shape),
        (indices, held, shape[:1]),
        (indices, held, shape[None]),
    ):
        yield refusal("SparseCrossV2", *inputs([wrong], []), dash, **said([FULL], []))
    for columns, dense in (([FULL, sparse([1])], []), ([FULL], [DENSE_WORDS[:2]]), ([FULL], [DENSE_WORDS[0]])):
        yield refusal("SparseCrossV2", *inputs(columns, dense), dash, **said(columns, dense))
        yield refusal("SparseCrossHashed", *inputs(columns, dense), L(0), np.bool_(False), ivec(1, 2, dtype=L),
                      **said(columns, dense))  # fmt: skip
    yield refusal("SparseCrossV2", *inputs([FULL], []), strings(b"-"), **said([FULL], []))
    yield refusal("SparseCrossHashed", *inputs([FULL], []), L(0), np.bool_(False), ivec(1, dtype=L), **said([FULL], []))
    for columns, dense in (([FULL], [DENSE_WORDS]), ([WORDS], [DENSE_NUMBERS])):
        yield refusal("SparseCross", *inputs(columns, dense), hashed_output=True, num_buckets=0, hash_key=0,
                      out_type=INT64, internal_type=STRING, **said(columns, dense))  # fmt: skip


RAGGED_WORDS = strings(b"a", b"b", b"c", b"d", b"longer than eight bytes")
SPLITS = [0, 2, 2, 4, 5]


def of_ragged() -> Iterator[Case]:
    numbers = values("int64", 5)
    for kind, splits_type in ((N, INT32), (L, INT64)):
        splits = np.array(SPLITS, kind), np.array([0, 1, 3, 4, 5], kind)
        for order in ("RRSD", "DSRR", "SRDR"):
            for hashed, buckets in ((False, 0), (True, 0), (True, 50)):
                yield case("RaggedCross", RAGGED_WORDS, numbers, *splits, *NUMBERS, DENSE_WORDS, input_order=order,
                           Nsparse=1, hashed_output=hashed, num_buckets=buckets, hash_key=KEY,
                           out_values_type=INT64 if hashed else STRING, out_row_splits_type=splits_type,
                           ragged_values_types=[STRING, INT64], ragged_splits_types=[splits_type] * 2,
                           sparse_values_types=[INT64], dense_types=[STRING])  # fmt: skip
        alone: dict[str, Any] = {
            "hashed_output": False, "num_buckets": 0, "hash_key": 0, "out_row_splits_type": splits_type,
            "ragged_values_types": [], "ragged_splits_types": [], "sparse_values_types": [], "dense_types": [],
        }  # fmt: skip
        for out in (INT64, STRING):
            yield case("RaggedCross", RAGGED_WORDS, splits[0], **{**alone, "ragged_values_types": [STRING],
                       "ragged_splits_types": [splits_type]}, Nsparse=0, input_order="R",
                       out_values_type=out)  # fmt: skip
            yield case("RaggedCross", DENSE_NUMBERS, **{**alone, "dense_types": [INT64]}, Nsparse=0, input_order="D",
                       out_values_type=out)  # fmt: skip
            yield case("RaggedCross", *WORDS, **{**alone, "sparse_values_types": [STRING]}, Nsparse=1, input_order="S",
                       out_values_type=out)  # fmt: skip
            yield case("RaggedCross", **alone, Nsparse=0, input_order="", out_values_type=out)
        shuffled = (ivec([0, 1], [2, 0], [1, 5], [2, 1], dtype=L), ivec(5, 6, 7, 8, dtype=L), ivec(4, 9, dtype=L))
        yield case("RaggedCross", *shuffled, **{**alone, "sparse_values_types": [INT64]}, Nsparse=1, input_order="S",
                   out_values_type=STRING)  # fmt: skip
        for given, cuts, order in (
            (RAGGED_WORDS, [1, 2, 5], "R"),
            (RAGGED_WORDS, [0, 3, 2, 5], "R"),
            (RAGGED_WORDS, [0, 2, 4], "R"),
            (RAGGED_WORDS, SPLITS, "D"),
            (RAGGED_WORDS, SPLITS, "RR"),
            (RAGGED_WORDS, SPLITS, "X"),
            (RAGGED_WORDS[None], SPLITS, "R"),
        ):
            yield refusal("RaggedCross", given, np.array(cuts, kind), **{**alone, "ragged_values_types": [STRING],
                          "ragged_splits_types": [splits_type]}, Nsparse=0, input_order=order,
                          out_values_type=STRING)  # fmt: skip
        yield refusal("RaggedCross", RAGGED_WORDS, splits[0], DENSE_WORDS[:2], **{**alone,
                      "ragged_values_types": [STRING], "ragged_splits_types": [splits_type], "dense_types": [STRING]},
                      Nsparse=0, input_order="RD", out_values_type=STRING)  # fmt: skip
        yield refusal("RaggedCross", DENSE_WORDS[0], **{**alone, "dense_types": [STRING]}, Nsparse=0, input_order="D",
                      out_values_type=STRING)  # fmt: skip


CASES: list[Case] = [*of_sparse(), *of_sparse_refused(), *of_ragged()]
