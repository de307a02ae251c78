"""Cases of lines with commas, of neighbours and of accidental hits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Case, F, L, case, floats, ints, ivec, refusal, strings

NONE = np.zeros(0, F)


def lines() -> Iterator[Case]:
    defaults = (NONE, ivec(7), strings(b"?"), np.zeros(1), ivec(9, dtype=L))
    yield case("DecodeCSV", strings(b"1.5,2,text,-3.25,4", b"2,,,,", b'1e3,-5,"a ""b"", c",inf,9999999999'), *defaults)
    yield case("DecodeCSV", strings(b"1", b" 2", b"-0.5 ").reshape(3, 1), NONE)
    yield case("DecodeCSV", strings(b"a;b", b'"x;y";z', b";"), strings(b"n"), strings(b"m"), field_delim=";")
    yield case("DecodeCSV", strings(b'a"b,c', b'"x",y'), strings(b"n"), strings(b"m"), use_quote_delim=False)
    yield case("DecodeCSV", strings(b"NA,1", b"2,NA"), floats(1), ivec(3), na_value="NA")
    yield case("DecodeCSV", strings(b"1,2,3,4", b"5,6,7,8"), ivec(0), ivec(0), select_cols=[1, 3])
    yield case("DecodeCSV", np.zeros(0, object), NONE)
    yield refusal("DecodeCSV", strings(b"1,2"), NONE)
    yield refusal("DecodeCSV", strings(b"x"), NONE)
    yield refusal("DecodeCSV", strings(b"1.5"), ivec(1))
    yield refusal("DecodeCSV", strings(b""), NONE)
    yield refusal("DecodeCSV", strings(b'"a'), strings(b""))
    yield refusal("DecodeCSV", strings(b'a"b'), strings(b""))
    yield refusal("DecodeCSV", strings(b'"a"b'), strings(b""))
    yield refusal("DecodeCSV", strings(b"99999999999"), ivec(1))


def near() -> Iterator[Case]:
    for k in (1, 3, 9):
        yield case(
            "NearestNeighbors", floats(7, 3), floats(5, 3, seed=1), L(k), tolerance=2e-5
        )  # sums in another order
    yield refusal("NearestNeighbors", floats(7, 3), floats(5, 2), L(1))
    for many in (1, 3):
        classes = ints(5, many, low=0, high=9, dtype=L)
        yield case("ComputeAccidentalHits", classes, ivec(3, 8, 1, 5, dtype=L), num_true=many)
    yield case("ComputeAccidentalHits", ints(2, 1, low=20, high=30, dtype=L), ivec(3, 8, dtype=L), num_true=1)
    yield refusal("ComputeAccidentalHits", ints(5, 2, dtype=L), ivec(3, dtype=L), num_true=3)


CASES: list[Case] = [*lines(), *near()]
