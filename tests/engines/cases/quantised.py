"""Cases of small integers with a range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, F, case, floats, kernel_types, refusal

RANGES = ((-6.0, 6.0), (0.0, 1.0), (-1.0, 0.5), (-10.0, -2.0), (0.5, 3.0), (0.0, 0.0), (-0.001, 0.001))


def q(kind: str, *shape: int, seed: int = 0) -> Array:
    """Numbers of a quantised dtype, its ends among them."""
    held = dtype_of(kind).numpy
    assert held is not None
    info = np.iinfo(held)
    low, high = max(info.min, -(2**24)), min(info.max, 2**24)
    made = np.random.default_rng([seed, *shape]).integers(low, high + 1, shape).astype(held)
    if made.size > 2:
        made.flat[0], made.flat[1] = info.min, info.max
    return made


def T(**kinds: str) -> dict[str, Any]:
    return {name: dtype_of(kind) for name, kind in kinds.items()}


def into() -> Iterator[Case]:
    x = floats(5, 7, low=-7, high=7)
    for kind in kernel_types("QuantizeV2"):
        for low, high in RANGES:
            for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED"):
                yield case("QuantizeV2", x, F(low), F(high), mode=mode, **T(T=kind))
        for narrow in (False, True):
            for rounding in ("HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN"):
                said = {"mode": "SCALED", "round_mode": rounding, "narrow_range": narrow}
                yield case("QuantizeV2", x, F(-3), F(2), **said, **T(T=kind))
        for axis in (0, 1):
            low, high = floats(x.shape[axis], low=-5, high=-1), floats(x.shape[axis], seed=1, low=0, high=6)
            for mode in ("MIN_COMBINED", "SCALED"):
                yield case("QuantizeV2", x, low, high, mode=mode, axis=axis, **T(T=kind))
        yield case("QuantizeV2", floats(0, 2), F(-1), F(1), **T(T=kind))
        yield case("QuantizeV2", x, F(-1), F(1), ensure_minimum_range=4.0, **T(T=kind))
    yield refusal("QuantizeV2", x, F(1), F(-1), **T(T="quint8"))
    yield refusal("QuantizeV2", x, F(-1), F(1), round_mode="HALF_TO_EVEN", **T(T="quint8"))


def out() -> Iterator[Case]:
    for kind in kernel_types("Dequantize"):
        x = q(kind, 5, 7)
        for low, high in RANGES:
            for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED"):
                yield case("Dequantize", x, F(low), F(high), mode=mode, **T(T=kind))
        yield case("Dequantize", x, F(-3), F(2), mode="SCALED", narrow_range=True, **T(T=kind))
        yield case("Dequantize", x, F(-3), F(2), **T(T=kind, dtype="bfloat16"))
        for axis in (0, 1):
            low, high = floats(x.shape[axis], low=-5, high=-1), floats(x.shape[axis], seed=1, low=0, high=6)
            for mode in ("MIN_COMBINED", "SCALED"):
                yield case("Dequantize", x, low, high, mode=mode, axis=axis, **T(T=kind))
        yield refusal("Dequantize", x, floats(3), floats(3), **T(T=kind))


def between() -> Iterator[Case]:
    x = q("qint32", 6, 7)
    for low, high in ((-1000.0, 1000.0), (-3.0, 90.0), (-0.5, 0.25)):
        yield case("RequantizationRange", x, F(low), F(high), **T(Tinput="qint32"))
        for out in kernel_types("Requantize", "out_type"):
            for new_low, new_high in ((-1.0, 2.0), (0.0, 30.0), (-500.0, 500.0), (0.0, 0.0)):
                ends = F(low), F(high), F(new_low), F(new_high)
                yield case("Requantize", x, *ends, **T(Tinput="qint32", out_type=out))
        for out in kernel_types("QuantizeDownAndShrinkRange", "out_type"):
            yield case("QuantizeDownAndShrinkRange", x, F(low), F(high), **T(Tinput="qint32", out_type=out))
            small = (x % 5000).astype(np.int32)
            yield case("QuantizeDownAndShrinkRange", small, F(low), F(high), **T(Tinput="qint32", out_type=out))
            yield case("QuantizeDownAndShrinkRange", abs(small), F(low), F(high), **T(Tinput="qint32", out_type=out))
    yield refusal("Requantize", x, F(-1), F(1), F(1), F(2), **T(Tinput="qint32", out_type="quint8"))
    yield refusal("Requantize", x, F(-1), F(1), F(-1), F(-2), **T(Tinput="qint32", out_type="quint8"))
    yield case("RequantizationRange", x[:0], F(-1), F(1), **T(Tinput="qint32"))


SPANS = ((-6.0, 6.0), (0.0, 1.0), (-0.3, 2.5))
"""Ranges of arithmetic."""


def products() -> Iterator[Case]:
    eight = T(T1="quint8", T2="quint8", Toutput="qint32")
    for (a, b), (c, d) in ((SPANS[0], SPANS[1]), (SPANS[2], SPANS[0]), (SPANS[1], SPANS[1])):
        ends = F(a), F(b), F(c), F(d)
        for flip_a, flip_b in ((False, False), (True, False), (False, True), (True, True)):
            left = q("quint8", *((7, 4) if flip_a else (4, 7)))
            right = q("quint8", *((5, 7) if flip_b else (7, 5)), seed=1)
            yield case("QuantizedMatMul", left, right, *ends, transpose_a=flip_a, transpose_b=flip_b, **eight)
        for kind in ("quint8",):
            for padding in ("SAME", "VALID"):
                for stride in (1, 2):
                    yield case("QuantizedConv2D", q("quint8", 2, 6, 7, 3), q(kind, 3, 2, 3, 4, seed=1), *ends,
                               strides=[1, stride, stride, 1], padding=padding,
                               **T(Tinput="quint8", Tfilter=kind, out_type="qint32"))  # fmt: skip
        for shapes in (((4, 5), (4, 5)), ((3, 40), (40,)), ((40,), (3, 40)), ((), (9,)), ((9,), ()), ((1,), (1,))):
            x, y = q("quint8", *shapes[0]), q("quint8", *shapes[1], seed=1)
            for op in ("QuantizedAdd", "QuantizedMul"):
                yield case(op, x, y, *ends, **eight)
        for kind in kernel_types("QuantizedBiasAdd", "T1"):
            said = T(T1=kind, T2=kind, out_type="qint32")
            yield case("QuantizedBiasAdd", q(kind, 5, 6), q(kind, 6, seed=1), *ends, **said)
            yield case("QuantizedBiasAdd", q(kind, 2, 3, 4, 6), q(kind, 6, seed=1), *ends, **said)


def others() -> Iterator[Case]:
    for low, high in (*SPANS, (-8.0, 9.0)):
        ends = F(low), F(high)
        for kind in kernel_types("QuantizedRelu", "Tinput"):
            x, said = q(kind, 4, 9), T(Tinput=kind, out_type=kind)
            yield case("QuantizedRelu", x, *ends, **said)
            yield case("QuantizedRelu6", x, *ends, **said)
        for kind in kernel_types("QuantizedMaxPool"):
            for padding in ("SAME", "VALID"):
                for op in ("QuantizedMaxPool", "QuantizedAvgPool"):
                    yield case(op, q(kind, 2, 6, 7, 3), *ends, ksize=[1, 3, 2, 1], strides=[1, 2, 2, 1],
                               padding=padding, **T(T=kind))  # fmt: skip
        yield case("QuantizedInstanceNorm", q("quint8", 2, 4, 5, 3), *ends, **T(T="quint8"))
        yield case("QuantizedInstanceNorm", q("quint8", 2, 4, 5, 3), *ends, output_range_given=True, given_y_min=-2.0,
                   given_y_max=1.5, **T(T="quint8"))  # fmt: skip
        for kind in kernel_types("QuantizedReshape"):
            yield case("QuantizedReshape", q(kind, 4, 6), np.array([3, -1], np.int32), *ends, **T(T=kind))
        for kind in kernel_types("QuantizedConcat"):
            parts = [q(kind, 2, 3, seed=n) for n in range(3)]
            lows, highs = (F(low), F(-1), F(low)), (F(high), F(3), F(high))
            for axis in (0, 1):
                yield case("QuantizedConcat", np.array(axis, np.int32), *parts, *lows, *highs, **T(T=kind), N=3)
        for scaled in (True, False):
            stats: list[Any] = [q("quint8", 2, 3, 4, 5), *ends]
            for seed, span in enumerate(((-1.0, 1.0), (0.1, 2.0), (-3.0, 3.0), (0.5, 1.5)), 1):
                stats += [q("quint8", 5, seed=seed), F(span[0]), F(span[1])]
            yield case("QuantizedBatchNormWithGlobalNormalization", *stats, variance_epsilon=0.01,
                       scale_after_normalization=scaled, **T(Tinput="quint8", out_type="qint32"))  # fmt: skip


CASES: list[Case] = [*into(), *out(), *between(), *products(), *others()]
