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
                yield case("Requantize", x, F(low), F(high), F(new_low), F(new_high), **T(Tinput="qint32", out_type=out))
        for out in kernel_types("QuantizeDownAndShrinkRange", "out_type"):
            yield case("QuantizeDownAndShrinkRange", x, F(low), F(high), **T(Tinput="qint32", out_type=out))
            small = (x % 5000).astype(np.int32)
            yield case("QuantizeDownAndShrinkRange", small, F(low), F(high), **T(Tinput="qint32", out_type=out))
            yield case("QuantizeDownAndShrinkRange", abs(small), F(low), F(high), **T(Tinput="qint32", out_type=out))
    yield refusal("Requantize", x, F(-1), F(1), F(1), F(2), **T(Tinput="qint32", out_type="quint8"))
    yield refusal("Requantize", x, F(-1), F(1), F(-1), F(-2), **T(Tinput="qint32", out_type="quint8"))
    yield case("RequantizationRange", x[:0], F(-1), F(1), **T(Tinput="qint32"))


CASES: list[Case] = [*into(), *out(), *between()]
