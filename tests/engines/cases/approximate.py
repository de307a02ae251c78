"""Cases of the approximate largest ones, of numbers that fall, and of numbers with a range that become others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.engines.cases.quantised import T, q
from tests.support.op_cases import Case, F, N, case, floats, ivec, kernel_types, refusal, values


def largest() -> Iterator[Case]:
    for kind in kernel_types("ApproxTopK"):
        for k in (0, 1, 3, 11):
            yield case("ApproxTopK", values(kind, 4, 11), k=k)
        yield case("ApproxTopK", values(kind, 300, low=-6, high=6), k=20, recall_target=0.5, aggregate_to_topk=False)
    x = floats(3, 7, 2, dtype=F)
    for axis in (0, 1, 2, -1, -2):
        for largest in (True, False):
            yield case("ApproxTopK", x, k=2, reduction_dimension=axis, is_max_k=largest)
    yield case("ApproxTopK", floats(5), k=2, reduction_input_size_override=500)
    yield refusal("ApproxTopK", floats(5), k=6)
    yield refusal("ApproxTopK", floats(5), k=-1)
    yield refusal("ApproxTopK", floats(5), k=1, reduction_dimension=1)


def falling() -> Iterator[Case]:
    for kind in kernel_types("IsotonicRegression"):
        made = kind if kind.endswith(("float16", "float32", "float64")) else "float64"
        made = "float32" if kind in ("int8", "int16") else made
        for shape in ((9,), (3, 12), (2, 3, 5), (), (0,), (2, 0), (0, 3), (4, 1)):
            yield case("IsotonicRegression", values(kind, *shape), output_dtype=dtype_of(made))
    x = np.arange(12, dtype=F)
    yield case("IsotonicRegression", x)
    yield case("IsotonicRegression", -x)
    yield case("IsotonicRegression", np.repeat(x, 3) % 5)


def bounded() -> Iterator[Case]:
    for most in (3.0, 12.0, 1.5, 96.0):
        for low, high in ((-6.0, 6.0), (0.0, 4.0), (-1.0, 13.0)):
            for made in ("quint8", "qint32"):
                said = T(Tinput=made, out_type=made)
                yield case("QuantizedReluX", q(made, 4, 9), F(most), F(low), F(high), **said)


def resized() -> Iterator[Case]:
    ends = F(-3), F(5)
    for kind in kernel_types("QuantizedResizeBilinear"):
        for channels in (1, 2, 3):
            x = floats(2, 5, 6, channels) if kind == "float32" else q(kind, 2, 5, 6, channels)
            said: dict[str, Any] = T(T=kind)
            for size in ((5, 6), (10, 12), (3, 4), (1, 1), (11, 3), (4, 17)):
                for how in ({}, {"align_corners": True}, {"half_pixel_centers": True}):
                    yield case("QuantizedResizeBilinear", x, ivec(*size), *ends, **how, **said)
    yield refusal("QuantizedResizeBilinear", x, ivec(4, 4), np.array([-1], F), F(1), **said)
    yield refusal("QuantizedResizeBilinear", x, ivec(4, 0), *ends, **said)
    yield refusal("QuantizedResizeBilinear", x[0], ivec(4, 4), *ends, **said)


def requantised() -> Iterator[Case]:
    for kind in kernel_types("UniformRequantize", "Tin"):
        low, high = (-128, 127) if kind == "qint8" else (-(2**31), 2**31 - 1)
        said: dict[str, Any] = {
            "input_quantization_min_val": low,
            "input_quantization_max_val": high,
            "output_quantization_min_val": -127,
            "output_quantization_max_val": 127,
            **T(Tin=kind, Tout="qint8"),
        }
        x = q(kind, 3, 4, 5)
        shrink = 1.0 if kind == "qint8" else 1e-5
        for scale, other in ((0.25, 0.5), (0.3, 0.1), (1.0, 1.0), (7.0, 0.01)):
            yield case("UniformRequantize", x, F(scale * shrink), N(3), F(other), N(-20), **said)
        yield case("UniformRequantize", x, F(1e-12), N(3), F(1e6), N(-20), **said)
        if kind == "qint32":  # along an axis TensorFlow's kernel takes a detour by float32
            x = x // 2
        for axis in (0, 1, 2):
            size = x.shape[axis]
            scales, zeros = floats(size, low=0.1, high=2) * F(shrink), np.arange(size, dtype=N)
            others, ends = floats(size, seed=1, low=0.1, high=2), np.arange(size, dtype=N) - 2
            first = {"input_quantization_axis": axis}
            last = {"output_quantization_axis": axis}
            yield case("UniformRequantize", x, scales, zeros, F(0.5), N(4), **first, **said)
            yield case("UniformRequantize", x, F(shrink), N(4), others, ends, **last, **said)
            yield case("UniformRequantize", x, scales, zeros, others, ends, **first, **last, **said)
        yield refusal("UniformRequantize", x, scales, zeros, others, ends, input_quantization_axis=1, **last, **said)
        yield refusal("UniformRequantize", x, F(-1), N(3), F(1), N(0), **said)
        yield refusal("UniformRequantize", x, F(1), N(3), ivec(1, 2).astype(F), N(0), **said)


CASES: list[Case] = [*largest(), *falling(), *bounded(), *resized(), *requantised()]
