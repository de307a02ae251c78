"""Cases of the fused ops of quantised graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.engines.cases.quantised import T, q
from tests.support.op_cases import Array, Case, F, case, floats, kernel_types, refusal

WINDOWS: tuple[dict[str, Any], ...] = (
    {"strides": [1, 1, 1, 1], "padding": "SAME"},
    {"strides": [1, 2, 2, 1], "padding": "VALID"},
    {"strides": [1, 2, 1, 1], "padding": "SAME"},
    {"strides": [1, 1, 1, 1], "padding": "VALID", "dilations": [1, 2, 2, 1]},
)
AROUND = {"strides": [1, 1, 1, 1], "padding": "VALID", "padding_list": [0, 0, 2, 1, 0, 1, 0, 0]}
ENDS = F(-1.5), F(2)


def _picture(kind: str) -> Array:
    return q(kind, 2, 6, 5, 3)


def _weights(depthwise: bool) -> Array:
    shape = (3, 2, 3, 1) if depthwise else (3, 2, 3, 4)
    return np.clip(q("qint8", *shape, seed=1), -127, 127)


def _bias(kind: str, channels: int) -> Array:
    made = floats(channels, seed=3)
    return made if kind == "float32" else (made * 3000).astype(np.int32)


def _spans(channels: int) -> tuple[tuple[Array, Array], ...]:
    """One range for all filters, and one for each channel."""
    return (np.asarray(F(-0.7)), np.asarray(F(0.5))), (
        floats(channels, seed=4, low=-1, high=-0.1),
        floats(channels, seed=5, low=0.1, high=1),
    )


def sums() -> Iterator[Case]:
    """Results of 32 bits."""
    for op, has_bias, depthwise in (
        ("QuantizedConv2D", False, False),
        ("QuantizedConv2DPerChannel", False, False),
        ("QuantizedConv2DAndRelu", False, False),
        ("QuantizedConv2DWithBias", True, False),
        ("QuantizedConv2DWithBiasAndRelu", True, False),
        ("QuantizedDepthwiseConv2D", False, True),
        ("QuantizedDepthwiseConv2DWithBias", True, True),
        ("QuantizedDepthwiseConv2DWithBiasAndRelu", True, True),
    ):
        channels = 3 if depthwise else 4
        for kind in kernel_types(op, "Tinput"):
            said = T(Tinput=kind, Tfilter="qint8", out_type="qint32")
            bias = [_bias("float32", channels)] if has_bias else []
            for number, span in enumerate(_spans(channels)):
                if number and op == "QuantizedConv2D":
                    continue
                for how in WINDOWS:
                    yield case(op, _picture(kind), _weights(depthwise), *bias, *ENDS, *span, **how, **said)
            if op not in ("QuantizedConv2D", "QuantizedConv2DPerChannel") and not op.startswith("QuantizedDepthwise"):
                span = _spans(channels)[0]
                yield case(op, _picture(kind), _weights(depthwise), *bias, *ENDS, *span, **AROUND, **said)
    said = T(Tinput="quint8", Tfilter="qint8", out_type="qint32")
    x, weights = _picture("quint8"), _weights(False)
    for span in _spans(4):
        for how in WINDOWS[:1]:
            yield case("QuantizedConv2DWithBiasSumAndRelu", x, weights, _bias("float32", 4), *ENDS, *span,
                       floats(2, 6, 5, 4, seed=7, low=-20, high=20), **how, **said)  # fmt: skip


def requantised() -> Iterator[Case]:
    """Results of 8 bits."""
    new = F(-1), F(30)
    for op, made, has_bias, depthwise in (
        ("QuantizedConv2DAndRequantize", "qint8", False, False),
        ("QuantizedConv2DAndReluAndRequantize", "quint8", False, False),
        ("QuantizedConv2DWithBiasAndRequantize", "qint8", True, False),
        ("QuantizedConv2DWithBiasAndReluAndRequantize", "quint8", True, False),
        ("QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize", "quint8", True, True),
    ):
        channels = 3 if depthwise else 4
        for kind in kernel_types(op, "Tinput"):
            for tbias in ("float32", "qint32") if has_bias else ("",):
                said = T(Tinput=kind, Tfilter="qint8", out_type=made, **({"Tbias": tbias} if tbias else {}))
                bias = [_bias(tbias, channels)] if has_bias else []
                given = [_picture(kind), _weights(depthwise), *bias, *ENDS, *_spans(channels)[depthwise], *new]
                for how in WINDOWS:
                    yield case(op, *given, **how, **said)
    for op, kind in (
        ("QuantizedConv2DWithBiasSumAndReluAndRequantize", "quint8"),
        ("QuantizedConv2DWithBiasSignedSumAndReluAndRequantize", "qint8"),
    ):
        for tbias in ("float32", "qint32"):
            said = T(Tinput="quint8", Tfilter="qint8", out_type="quint8", Tbias=tbias, Tsummand=kind)
            summand = np.maximum(q(kind, 2, 6, 5, 4, seed=8), -127) if kind == "qint8" else q(kind, 2, 6, 5, 4, seed=8)
            for span in ((F(0), F(11)), (F(-9), F(2))):
                yield case(op, _picture("quint8"), _weights(False), _bias(tbias, 4), *ENDS, *_spans(4)[0], *new,
                           summand, *span, **WINDOWS[0], **said)  # fmt: skip


def products() -> Iterator[Case]:
    a, b = q("quint8", 5, 8), np.clip(q("qint8", 8, 4, seed=1), -127, 127)
    for op, made in (
        ("QuantizedMatMulWithBias", "qint32"),
        ("QuantizedMatMulWithBiasAndRelu", "qint32"),
        ("QuantizedMatMulWithBiasAndDequantize", "float32"),
        ("QuantizedMatMulWithBiasAndRequantize", "quint8"),
        ("QuantizedMatMulWithBiasAndReluAndRequantize", "quint8"),
    ):
        for tbias in ("float32",) if op == "QuantizedMatMulWithBiasAndRelu" else ("float32", "qint32"):
            said = T(T1="quint8", T2="qint8", Toutput=made)
            if op != "QuantizedMatMulWithBiasAndRelu":
                said |= T(Tbias=tbias)
            new = () if made == "qint32" else (F(-1), F(6))
            for low, high in ((-1.5, 2.0), (0.0, 3.0), (-2.0, 0.5)):
                for mode in ("MIN_FIRST", "SCALED"):
                    if tbias == "qint32" and mode == "SCALED" and made != "float32":
                        continue  # TensorFlow's graph pass forgets the mode
                    if mode == "SCALED" and high < -low:
                        continue  # and takes the upper end for the larger one
                    yield case(op, a, b, _bias(tbias, 4), F(low), F(high), F(-1), F(0.75), *new, input_quant_mode=mode,
                               **said)  # fmt: skip
        yield refusal(op, a, b[:7], _bias("float32", 4), F(-1), F(1), F(-1), F(1), *new, **said)


def channels() -> Iterator[Case]:
    x = q("qint32", 2, 3, 4, 5)
    low, high = floats(5, seed=1, low=-90, high=-1), floats(5, seed=2, low=1, high=90)
    for kind in kernel_types("RequantizePerChannel", "out_type"):
        said = T(T="qint32", out_type=kind)
        for ends in ((F(-0.2), F(0.1)), (F(-0.001), F(0.5))):
            yield case("RequantizePerChannel", x, low, high, *ends, **said)
        yield refusal("RequantizePerChannel", x, low, high[1:], F(-0.2), F(0.1), **said)
    yield refusal("RequantizePerChannel", x, low, high, F(0), F(0.1), **T(T="qint32", out_type="qint8"))
    for clip in (6.0, 0.01, 1e9):
        for numbers in (x, np.abs(x // 2), x * 0):
            yield case("RequantizationRangePerChannel", numbers, low, high, clip_value_max=clip, **T(T="qint32"))
    yield refusal("RequantizationRangePerChannel", x, low[1:], high[1:], clip_value_max=6.0, **T(T="qint32"))
    yield refusal("RequantizationRangePerChannel", x[0], low, high, clip_value_max=6.0, **T(T="qint32"))
    yield refusal("RequantizationRangePerChannel", x[:0], low, high, clip_value_max=6.0, **T(T="qint32"))


CASES: list[Case] = [*sums(), *requantised(), *products(), *channels()]
