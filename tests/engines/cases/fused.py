"""Cases of the fused ops that TensorFlow's graph optimizer writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, case, floats, kernel_types, refusal, values

TAILS = (["BiasAdd"], *(["BiasAdd", name] for name in ("Relu", "Relu6", "Elu", "LeakyRelu")))
NARROW = {"bfloat16": 2e-2, "float16": 3e-3, "float64": 2e-6, "float32": 4e-6}


def _held(kind: str, *arrays: Array) -> list[Array]:
    dtype = values(kind, 1).dtype
    return [part.astype(dtype) for part in arrays]


def conv(x: Array, filters: Array, *args: Array, **said: Any) -> Case:
    """A convolution with as many further tensors as there are."""
    kinds = [dtype_of(part.dtype) for part in args]
    return case("_FusedConv2D", x, filters, *args, TArgs=kinds, num_args=len(args), num_host_args=0, **said)


def convolutions() -> Iterator[Case]:
    x, filters, bias = floats(2, 6, 7, 3), floats(3, 2, 3, 4, seed=1), floats(4, seed=2)
    same: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    for tail in TAILS:
        for kind in kernel_types("_FusedConv2D", but=("float16", "int8", "qint8")):
            if kind != "float32" and tail[-1] not in ("BiasAdd", "Relu"):
                continue
            yield conv(*_held(kind, x, filters, bias), fused_ops=tail, tolerance=NARROW[kind], **same)
    for how in (
        {"strides": [1, 2, 2, 1]},
        {"padding": "VALID"},
        {"dilations": [1, 2, 1, 1]},
        {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 0, 1, 0, 0]},
        {"fused_ops": ["BiasAdd", "LeakyRelu"], "leakyrelu_alpha": 0.5},
    ):
        yield conv(x, filters, bias, tolerance=4e-6, **{**same, "fused_ops": ["BiasAdd", "Relu"], **how})
    yield conv(x, filters, bias, floats(2, 6, 7, 4, seed=3), fused_ops=["BiasAdd", "Add", "Relu"],
               tolerance=4e-6, **same)  # fmt: skip
    norm = [
        floats(4, seed=4, low=0.5, high=2),
        floats(4, seed=5),
        floats(4, seed=6),
        floats(4, seed=7, low=0.1, high=2),
    ]
    for tail in (["FusedBatchNorm"], ["FusedBatchNorm", "Relu"]):
        yield conv(x, filters, *norm, fused_ops=tail, epsilon=0.01, tolerance=4e-6,
                   **same)  # fmt: skip
    for wrong, tail in ((bias[1:], ["BiasAdd"]), (bias, ["BiasAdd", "Softplus"])):
        yield replace(conv(x, filters, wrong, fused_ops=tail, **same), refused=True)


def depthwise() -> Iterator[Case]:
    x, filters, bias = floats(2, 6, 7, 3), floats(3, 2, 3, 2, seed=1), floats(6, seed=2)
    for tail in TAILS[:4]:
        for strides in ([1, 1, 1, 1], [1, 2, 2, 1]):
            yield case("_FusedDepthwiseConv2dNative", x, filters, bias, fused_ops=tail, strides=strides, padding="SAME",
                       num_args=1, tolerance=4e-6)  # fmt: skip


def products() -> Iterator[Case]:
    a, b, bias = floats(5, 7), floats(7, 4, seed=1), floats(4, seed=2)
    for tail in (*TAILS, *(["BiasAdd", name] for name in ("Tanh", "Sigmoid", "GeluExact", "GeluApproximate"))):
        for kind in kernel_types("_FusedMatMul", but=("float16",)):
            yield case("_FusedMatMul", *_held(kind, a, b, bias), fused_ops=tail, num_args=1,
                       tolerance=4e-2 if kind == "bfloat16" else 4e-6)  # fmt: skip
    for flip_a, flip_b in ((True, False), (False, True), (True, True)):
        left, right = (np.ascontiguousarray(x.T) if flip else x for x, flip in ((a, flip_a), (b, flip_b)))
        yield case("_FusedMatMul", left, right, bias, transpose_a=flip_a, transpose_b=flip_b, fused_ops=["BiasAdd"],
                   num_args=1, tolerance=4e-6)  # fmt: skip
    yield refusal("_FusedMatMul", a, b[1:], bias, fused_ops=["BiasAdd"], num_args=1)
    yield refusal("_FusedMatMul", a, b, bias, fused_ops=["BiasAdd", "Softplus"], num_args=1)


def norms() -> Iterator[Case]:
    x = floats(2, 3, 4, 8)
    parts = [
        floats(8, seed=4, low=0.5, high=2),
        floats(8, seed=5),
        floats(8, seed=6),
        floats(8, seed=7, low=0.1, high=2),
    ]
    for kind in kernel_types("_FusedBatchNormEx"):
        for side in ([], _held(kind, floats(*x.shape, seed=8))):
            for mode in ("Identity", "Relu"):
                said = {"activation_mode": mode, "is_training": False, "epsilon": 0.01, "num_side_inputs": len(side)}
                yield case(
                    "_FusedBatchNormEx", *_held(kind, x), *parts, *side, outputs=(0,), tolerance=NARROW[kind], **said
                )


CASES: list[Case] = [*convolutions(), *depthwise(), *products(), *norms()]
