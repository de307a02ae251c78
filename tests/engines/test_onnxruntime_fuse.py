"""Joining neighbours: padding into convolutions and pools, only where the answer stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32, INT32, dtype_of
from cryograph.base.errors import UnsupportedError
from cryograph.engines.numpy.engine import Numpy
from cryograph.engines.onnxruntime.engine import OnnxRuntime, lowered
from cryograph.engines.onnxruntime.session import Session
from cryograph.program.build import build_program
from tests.support.small_graphs import const, document_of, ints, node, placeholder

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 6, 6, 3)).astype(np.float32)


def padded(op: str, widths: Any, before: str = "Relu", filler: float | None = None) -> Any:
    """A picture through an op, a padding, and a convolution or a pool."""
    pool = {"ksize": [1, 3, 3, 1]} if op == "MaxPool" else {}
    more = ["filler"] if filler is not None else []
    return document_of(
        placeholder("x", (None, 6, 6, 3)),
        ints("widths", widths),
        const("filler", filler or 0.0),
        const("w", RNG.normal(size=(3, 3, 3, 4))),
        node("first", before, "x", T=FLOAT32),
        node("pad", "PadV2" if more else "Pad", "first", "widths", *more, T=FLOAT32, Tpaddings=INT32),
        node("y", op, "pad", *(["w"] if not pool else []), T=FLOAT32, strides=[1, 2, 2, 1], padding="VALID", **pool),
    )


def ops_and_answers(document: Any) -> list[str]:
    program = build_program(document, ["y"], ["x"])
    graph = lowered(program)
    (got,) = Session(graph)([X])
    # The padding kept apart, by asking for it too.
    apart = OnnxRuntime().prepare(build_program(document, ["y", "pad"], ["x"]))([X])
    np.testing.assert_allclose(got, apart[0], rtol=1e-5, atol=1e-5)
    return [n.op for n in graph.nodes]


FRAME = [[0, 0], [1, 2], [0, 1], [0, 0]]


@pytest.mark.parametrize("op", ["Conv2D", "MaxPool"])
def test_padding_goes_into_the_window(op: str) -> None:
    assert "Pad" not in ops_and_answers(padded(op, FRAME))


@pytest.mark.parametrize(
    ("op", "widths", "before", "filler"),
    [
        ("MaxPool", FRAME, "Neg", None),  # zeros would win over what is negative
        ("Conv2D", FRAME, "Relu", 1.0),
        ("Conv2D", [[0, 0], [1, 2], [0, 1], [0, 0]], "Relu", 2.0),
        ("MaxPool", [[1, 0], [1, 2], [0, 1], [0, 0]], "Relu", None),
        ("MaxPool", [[0, 0], [3, 0], [0, 1], [0, 0]], "Relu", None),  # a window in the padding alone
    ],
)
def test_padding_stays_where_it_matters(op: str, widths: Any, before: str, filler: float | None) -> None:
    assert "Pad" in ops_and_answers(padded(op, widths, before, filler))


def test_padding_of_zeros_by_name_goes_too() -> None:
    assert "Pad" not in ops_and_answers(padded("Conv2D", FRAME, "Neg", 0.0))


# --- random numbers without a seed


def drawing(op: str, **attrs: Any) -> Any:
    return document_of(
        placeholder("shape", (2,), INT32),
        node("y", op, "shape", T=INT32, **{"dtype": FLOAT32, "seed": 0, "seed2": 0, **attrs}),
    )


def test_random_numbers_without_a_seed() -> None:
    size = np.asarray([300, 100], np.int32)
    run = OnnxRuntime().prepare(build_program(drawing("RandomUniform"), ["y"], ["shape"]))
    first, second = run([size])[0], run([size])[0]
    assert first.shape == (300, 100)
    assert first.dtype == np.float32
    assert 0 <= first.min() < 0.01
    assert 0.99 < first.max() <= 1
    assert abs(first.mean() - 0.5) < 0.01
    assert not np.array_equal(first, second)
    (normal,) = OnnxRuntime().prepare(build_program(drawing("RandomStandardNormal"), ["y"], ["shape"]))([size])
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.03


def test_random_numbers_with_a_seed_are_those_of_the_reference_engine() -> None:
    size = np.asarray([30, 10], np.int32)
    program = build_program(drawing("RandomUniform", seed=7), ["y"], ["shape"])
    assert np.array_equal(OnnxRuntime().prepare(program)([size])[0], Numpy().prepare(program)([size])[0])
    with pytest.raises(UnsupportedError):
        OnnxRuntime().prepare(build_program(drawing("RandomUniform", dtype=dtype_of("float16")), ["y"], ["shape"]))
