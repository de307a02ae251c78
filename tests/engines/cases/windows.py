"""Cases of convolutions, pools and patches: data formats, paddings, strides, dilations, groups, dtypes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import INT32, INT64
from tests.support.op_cases import Array, Case, L, N, case, floats, ivec, kernel_types, refusal, values

NARROW = {"float16": 4e-3, "bfloat16": 2e-2}
STEPS = ((1, 1, 1), (2, 2, 1), (3, 1, 1), (1, 1, 2), (2, 3, 1), (1, 1, 3))
EXPLICIT = [0, 0, 1, 2, 0, 3, 0, 0]


def hw(a: int, b: int) -> list[int]:
    return [1, a, b, 1]


def first(values: list[int]) -> list[int]:
    """The entries of an attribute with those of channels first."""
    return [values[0], values[-1], *values[1:-1]]


def to_first(x: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def both(op: str, x: Array, *rest: Any, **attrs: Any) -> Iterator[Case]:
    """A case with the channels last and the same with them first."""
    yield case(op, x, *rest, **attrs)
    turned = dict(attrs)
    for name in ("strides", "dilations", "ksize"):
        if name in turned:
            turned[name] = first(turned[name])
    if "explicit_paddings" in turned:
        e = turned["explicit_paddings"]
        turned["explicit_paddings"] = [0, 0, 0, 0, *e[2:-2]]
    kind = "NCDHW" if x.ndim == 5 else "NCHW"
    yield case(op, to_first(x), *rest, data_format=kind, turned=True, **turned)


def plain() -> Iterator[Case]:
    x = floats(2, 9, 8, 4)
    for padding in ("SAME", "VALID"):
        for sh, sw, d in STEPS:
            for kh, kw in ((3, 3), (1, 1), (2, 4), (1, 7)):
                yield from both("Conv2D", x, floats(kh, kw, 4, 6), strides=hw(sh, sw), padding=padding,
                                dilations=hw(d, d) if padding == "SAME" or d * (kw - 1) < 8 else hw(1, 1))  # fmt: skip
    yield from both("Conv2D", x, floats(3, 3, 4, 2), strides=hw(1, 1), padding="EXPLICIT", explicit_paddings=EXPLICIT)
    yield from both("Conv2D", x, floats(3, 3, 4, 2), strides=hw(2, 1), padding="EXPLICIT", explicit_paddings=EXPLICIT,
                    dilations=hw(2, 2))  # fmt: skip
    for groups in (2, 4):
        yield from both("Conv2D", x, floats(3, 3, 4 // groups, 8), strides=hw(1, 2), padding="SAME")
    for kind in kernel_types("Conv2D"):
        yield case("Conv2D", values(kind, 1, 6, 5, 3), values(kind, 3, 3, 3, 4, seed=1), strides=hw(1, 1),
                   padding="SAME", tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    yield case("Conv2D", floats(1, 40, 40, 16), floats(5, 5, 16, 32), strides=hw(1, 1), padding="SAME")
    yield refusal("Conv2D", floats(2, 1, 8, 4), floats(3, 3, 4, 6), strides=hw(1, 1), padding="VALID")
    yield refusal("Conv2D", x, floats(3, 3, 3, 6), strides=hw(1, 1), padding="SAME")
    yield refusal("Conv2D", x, floats(3, 3, 4, 6), strides=[1, 1, 1, 2], padding="SAME")
    for kind in kernel_types("Conv"):
        yield case("Conv", values(kind, 2, 6, 5, 3), values(kind, 3, 3, 3, 4, seed=1), strides=hw(1, 2), padding="SAME",
                   tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    yield case("Conv", x, floats(3, 3, 4, 2), strides=hw(1, 1), padding="EXPLICIT", explicit_paddings=EXPLICIT)
    yield case("Conv", floats(2, 3, 6, 5, 3), floats(3, 3, 3, 4), strides=hw(1, 1), padding="VALID", batch_dims=2)
    yield case("Conv", floats(1, 5, 4, 5, 3), floats(2, 2, 2, 3, 4), strides=[1] * 5, padding="SAME")
    volume = floats(2, 5, 6, 7, 2)
    for padding in ("SAME", "VALID"):
        for strides in ([1, 1, 1, 1, 1], [1, 2, 2, 1, 1], [1, 1, 2, 3, 1]):
            yield from both("Conv3D", volume, floats(2, 3, 3, 2, 3), strides=strides, padding=padding)
        yield case("Conv3D", volume, floats(1, 1, 1, 2, 3), strides=[1, 1, 1, 1, 1], padding=padding)
    for kind in kernel_types("Conv3D"):
        yield case("Conv3D", values(kind, 1, 3, 4, 3, 2), values(kind, 2, 2, 2, 2, 3, seed=1), strides=[1] * 5,
                   padding="SAME", tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    for mode in ("REFLECT", "SYMMETRIC"):
        pairs = ivec([0, 0], [1, 2], [3, 1], [0, 0])
        # TensorFlow's fused kernels compute only the first picture of a batch right.
        yield case("FusedPadConv2D", x[:1], pairs, floats(3, 3, 4, 5), mode=mode, strides=hw(1, 2), padding="VALID")
        yield case("FusedResizeAndPadConv2D", x[:1], ivec(12, 11), pairs, floats(3, 3, 4, 5), mode=mode,
                   strides=hw(2, 2), padding="VALID", resize_align_corners=mode == "REFLECT")  # fmt: skip


def by_channel() -> Iterator[Case]:
    x = floats(2, 9, 8, 4)
    for padding in ("SAME", "VALID"):
        for stride, d in ((1, 1), (2, 1), (1, 2), (3, 1)):
            for multiplier in (1, 3):
                yield from both("DepthwiseConv2dNative", x, floats(3, 2, 4, multiplier), strides=hw(stride, stride),
                                padding=padding, dilations=hw(d, d))  # fmt: skip
    yield from both("DepthwiseConv2dNative", x, floats(3, 3, 4, 2), strides=hw(1, 1), padding="EXPLICIT",
                    explicit_paddings=EXPLICIT)  # fmt: skip
    for kind in kernel_types("DepthwiseConv2dNative"):
        yield case("DepthwiseConv2dNative", values(kind, 1, 6, 5, 3), values(kind, 3, 3, 3, 2, seed=1),
                   strides=hw(1, 1), padding="SAME", tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    yield refusal("DepthwiseConv2dNative", x, floats(3, 3, 3, 2), strides=hw(1, 1), padding="SAME")
    for padding, stride, out in (("SAME", 1, (9, 8)), ("SAME", 2, (5, 4)), ("VALID", 2, (4, 3))):
        for multiplier in (1, 2):
            gradient = floats(2, *out, 4 * multiplier, seed=5)
            yield case("DepthwiseConv2dNativeBackpropInput", ivec(2, 9, 8, 4), floats(3, 3, 4, multiplier), gradient,
                       strides=hw(stride, stride), padding=padding)  # fmt: skip


def transposed() -> Iterator[Case]:
    for padding, (sh, sw), out in (
        ("SAME", (1, 1), (9, 8)),
        ("SAME", (2, 2), (5, 4)),
        ("SAME", (2, 3), (5, 3)),
        ("VALID", (1, 1), (7, 6)),
        ("VALID", (2, 2), (4, 3)),
    ):
        filters, gradient = floats(3, 3, 4, 5), floats(2, *out, 5, seed=5)
        attrs = {"strides": hw(sh, sw), "padding": padding}
        yield case("Conv2DBackpropInput", ivec(2, 9, 8, 4), filters, gradient, **attrs)
        yield case("Conv2DBackpropInput", ivec(9, 8), filters, gradient, **attrs)
        yield case("Conv2DBackpropInput", ivec(2, 4, 9, 8), filters, to_first(gradient), strides=first(hw(sh, sw)),
                   padding=padding, data_format="NCHW", turned=True)  # fmt: skip
    yield case("Conv2DBackpropInput", ivec(2, 8, 8, 4), floats(2, 2, 4, 5), floats(2, 4, 4, 5), strides=hw(2, 2),
               padding="VALID")  # fmt: skip
    yield case("Conv2DBackpropInput", ivec(1, 9, 9, 2), floats(5, 5, 2, 3), floats(1, 9, 9, 3), strides=hw(1, 1),
               padding="SAME", dilations=hw(2, 2))  # fmt: skip
    yield case("Conv2DBackpropInput", ivec(1, 9, 9, 2), floats(3, 3, 2, 3), floats(1, 10, 10, 3), strides=hw(1, 1),
               padding="EXPLICIT", explicit_paddings=EXPLICIT)  # fmt: skip
    for kind in kernel_types("Conv2DBackpropInput"):
        yield case("Conv2DBackpropInput", ivec(1, 6, 5, 3), values(kind, 3, 3, 3, 4, seed=1), values(kind, 1, 6, 5, 4),
                   strides=hw(1, 1), padding="SAME", tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    yield refusal("Conv2DBackpropInput", ivec(2, 9, 8, 4), floats(3, 3, 4, 5), floats(2, 5, 5, 5), strides=hw(2, 2),
                  padding="SAME")  # fmt: skip
    for padding, stride, out in (("SAME", 1, (5, 6, 7)), ("SAME", 2, (3, 3, 4)), ("VALID", 1, (4, 4, 5))):
        strides = [1, stride, stride, stride, 1]
        filters, gradient = floats(2, 3, 3, 2, 3), floats(2, *out, 3, seed=1)
        sizes = ivec(2, 5, 6, 7, 2, dtype=L if stride == 2 else N)
        yield case("Conv3DBackpropInputV2", sizes, filters, gradient, strides=strides, padding=padding)


def pools() -> Iterator[Case]:
    x = floats(2, 9, 8, 4)
    for padding in ("SAME", "VALID"):
        for k, stride in (((2, 2), 2), ((3, 3), 1), ((3, 3), 2), ((2, 3), 3), ((9, 8), 1), ((1, 1), 2)):
            attrs: dict[str, Any] = {"ksize": hw(*k), "strides": hw(stride, stride), "padding": padding}
            yield from both("MaxPool", x, **attrs)
            yield from both("AvgPool", x, **attrs)
            yield case("MaxPoolV2", x, ivec(*hw(*k)), ivec(*hw(stride, stride)), padding=padding)
            for batch in (False, True):
                yield case("MaxPoolWithArgmax", x, include_batch_in_index=batch, **attrs)
            yield case("MaxPoolWithArgmax", np.round(x), **attrs, Targmax=INT32)
    yield case(
        "MaxPool", x, ksize=hw(3, 3), strides=hw(2, 2), padding="EXPLICIT", explicit_paddings=[0, 0, 1, 1, 0, 2, 0, 0]
    )
    yield case("MaxPool", x, ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], padding="VALID")
    for kind in kernel_types("MaxPool"):
        yield case("MaxPool", values(kind, 1, 5, 6, 3), ksize=hw(3, 2), strides=hw(2, 2), padding="SAME")
    for kind in kernel_types("AvgPool"):
        yield case("AvgPool", values(kind, 1, 5, 6, 3), ksize=hw(3, 2), strides=hw(2, 2), padding="SAME",
                   tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    for kind in kernel_types("MaxPoolWithArgmax"):
        if kind not in ("uint16", "uint32", "uint64"):
            yield case("MaxPoolWithArgmax", values(kind, 1, 5, 6, 3), ksize=hw(3, 2), strides=hw(2, 2), padding="SAME",
                       Targmax=INT64)  # fmt: skip
    volume = floats(2, 5, 6, 7, 2)
    for padding in ("SAME", "VALID"):
        for sizes, strides in (([1, 2, 2, 3, 1], [1, 2, 2, 2, 1]), ([1, 3, 3, 3, 1], [1, 1, 1, 1, 1])):
            for op in ("MaxPool3D", "AvgPool3D"):
                yield from both(op, volume, ksize=sizes, strides=strides, padding=padding)
    for op in ("MaxPool3D", "AvgPool3D"):
        for kind in kernel_types(op):
            yield case(op, values(kind, 1, 3, 4, 5, 2), ksize=[1, 2, 2, 2, 1], strides=[1] * 5, padding="SAME",
                       tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    yield refusal("MaxPool", floats(1, 1, 1, 2), ksize=hw(3, 3), strides=hw(1, 1), padding="VALID")


def patches() -> Iterator[Case]:
    x = floats(2, 9, 8, 4)
    for padding in ("SAME", "VALID"):
        for stride, rate in ((1, 1), (2, 1), (1, 2), (3, 2)):
            yield case("ExtractImagePatches", x, ksizes=hw(3, 2), strides=hw(stride, stride), rates=hw(rate, rate),
                       padding=padding)  # fmt: skip
            yield case("Dilation2D", x, floats(3, 2, 4, seed=1), strides=hw(stride, stride), rates=hw(rate, rate),
                       padding=padding)  # fmt: skip
        yield case("ExtractVolumePatches", floats(1, 5, 6, 7, 2), ksizes=[1, 2, 3, 2, 1], strides=[1, 2, 1, 2, 1],
                   padding=padding)  # fmt: skip
    for kind in ("float64", "int32", "uint8", "float16"):
        yield case("ExtractImagePatches", values(kind, 1, 4, 4, 2), ksizes=hw(2, 2), strides=hw(1, 1), rates=hw(1, 1),
                   padding="SAME")  # fmt: skip
    for kind in kernel_types("Dilation2D"):
        yield case("Dilation2D", values(kind, 1, 4, 4, 2, low=0, high=9), values(kind, 2, 2, 2, low=0, high=9),
                   strides=hw(1, 1), rates=hw(1, 1), padding="SAME")  # fmt: skip


CASES: list[Case] = [*plain(), *by_channel(), *transposed(), *pools(), *patches()]
