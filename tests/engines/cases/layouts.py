"""Cases of axes and vectors of another layout, and of the truth of tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Case, F, N, case, floats, ints, ivec, kernel_types, refusal, strings, values

PAIRS = (("NHWC", "NCHW"), ("NCHW", "NHWC"), ("NDHWC", "NCDHW"), ("NCDHW", "NDHWC"), ("NHWC", "NHWC"), ("NHWC", "HWNC"))


def layouts() -> Iterator[Case]:
    for source, target in PAIRS:
        rank = len(source)
        said = {"src_format": source, "dst_format": target}
        for kind in kernel_types("DataFormatDimMap"):
            held = np.dtype(kind)
            yield case("DataFormatDimMap", np.arange(-rank, rank, dtype=held), **said)
            yield case("DataFormatDimMap", np.array(1, held), **said)
        yield case("DataFormatDimMap", ivec(rank), **said)
        for kind in kernel_types("DataFormatVecPermute"):
            held = np.dtype(kind)
            yield case("DataFormatVecPermute", np.arange(rank, dtype=held), **said)
            yield case("DataFormatVecPermute", np.arange(2 * rank, dtype=held).reshape(rank, 2), **said)
            if target != "HWNC":
                yield case("DataFormatVecPermute", np.arange(rank - 2, dtype=held), **said)
        yield refusal("DataFormatVecPermute", ivec(1), **said)
    yield refusal("DataFormatDimMap", ivec(0), src_format="NHWC", dst_format="NHC")


def truth() -> Iterator[Case]:
    for x in (F(0), F(2), N(0), np.array(True), floats(0), floats(1), np.zeros(2, F), np.zeros((0, 3), F)):
        yield case("ToBool", x)
    for text in (b"", b"a"):
        yield case("ToBool", np.array(text, object))
    for op in ("Copy", "CopyHost"):
        yield case(op, ints(2, 3), tensor_name="x")
        yield case(op, strings(b"a", b""), tensor_name="x")
        yield case(op, values("bfloat16", 3))


CASES: list[Case] = [*layouts(), *truth()]
