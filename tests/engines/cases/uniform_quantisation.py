"""Cases of integers with a scale and a zero point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.engines.cases.quantised import T, q
from tests.support.op_cases import Case, F, N, case, floats, kernel_types, refusal

LIMITS = {"qint8": (-128, 127), "quint8": (0, 255), "qint32": (-(2**31), 2**31 - 1)}


def both() -> Iterator[Case]:
    for kind in kernel_types("UniformDequantize", "Tin"):
        low, high = LIMITS[kind]
        said = {"quantization_min_val": low, "quantization_max_val": high}
        x = q(kind, 3, 4, 5)
        types = {**T(Tin=kind), "Tout": dtype_of("float32")}
        yield case("UniformDequantize", x, F(0.25), N(3), **said, **types)
        for axis in (0, 1, 2):
            size = x.shape[axis]
            scales, zeros = floats(size, low=0.1, high=2), np.arange(size, dtype=N)
            # Along an axis TensorFlow's kernel loses the sign of the largest number of 32 bits.
            yield case(
                "UniformDequantize",
                x // 2 if kind == "qint32" else x,
                scales,
                zeros,
                quantization_axis=axis,
                **said,
                **types,
            )
        yield refusal("UniformDequantize", x, F(-0.25), N(3), **said, **types)
        yield refusal("UniformDequantize", x, floats(2, low=1), N(3), **said, **types)
    x = floats(3, 4, 5, low=-9, high=9)
    for kind in kernel_types("UniformQuantize", "Tout"):
        low, high = LIMITS[kind]
        if kind == "qint32":
            continue
        said = {"quantization_min_val": low, "quantization_max_val": high}
        types = T(Tout=kind)
        yield case("UniformQuantize", x, F(0.0625), N(3), **said, **types)
        yield case("UniformQuantize", np.array([0.5, -0.5, 1.5, -1.5, 2.5], F), F(1), N(3), **said, **types)
        for axis in (0, 1, 2):
            size = x.shape[axis]
            scales, zeros = floats(size, low=0.05, high=0.2), np.arange(size, dtype=N)
            yield case("UniformQuantize", x, scales, zeros, quantization_axis=axis, **said, **types)


CASES: list[Case] = [*both()]
