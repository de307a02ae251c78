"""Cases of the gradients of convolutions, pools and norms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, F, bools, case, floats, ints, ivec, kernel_types, refusal, values

NARROW = {"float16": 4e-3, "bfloat16": 3e-2}
"""TensorFlow adds narrow floats up in themselves, and rounds after each; we round once."""


def hw(height: int, width: int) -> list[int]:
    return [1, height, width, 1]


def like(kind: str, *shape: int, seed: int = 0) -> Array:
    return values(kind, *shape, seed=seed, low=0 if kind.startswith("u") else -9, high=9)


def filters() -> Iterator[Case]:
    op = "Conv2DBackpropFilter"
    x = floats(2, 9, 8, 4)
    for padding, out in (("SAME", (9, 8)), ("VALID", (7, 6))):
        yield case(op, x, ivec(3, 3, 4, 5), floats(2, *out, 5), strides=hw(1, 1), padding=padding, tolerance=4e-6)
    yield case(op, x, ivec(3, 2, 4, 5), floats(2, 5, 3, 5), strides=hw(2, 3), padding="SAME")
    yield case(op, x, ivec(3, 2, 4, 5), floats(2, 4, 3, 5), strides=hw(2, 3), padding="VALID")
    yield case(op, x, ivec(1, 1, 4, 5), floats(2, 9, 8, 5), strides=hw(1, 1), padding="SAME", tolerance=4e-6)
    yield case(op, x, ivec(3, 3, 4, 5), floats(2, 5, 4, 5), strides=hw(1, 1), padding="VALID",
               dilations=hw(2, 2))  # fmt: skip
    yield case(op, x, ivec(2, 3, 4, 5), floats(2, 10, 10, 5), strides=hw(1, 1), padding="EXPLICIT",
               explicit_paddings=[0, 0, 2, 0, 1, 3, 0, 0], tolerance=4e-6)  # fmt: skip
    yield case(op, x, ivec(3, 3, 2, 6), floats(2, 9, 8, 6), strides=hw(1, 1), padding="SAME", tolerance=4e-6)
    yield case(op, np.zeros((0, 9, 8, 4), F), ivec(3, 3, 4, 5), np.zeros((0, 9, 8, 5), F), strides=hw(1, 1),
               padding="SAME")  # fmt: skip
    for kind in kernel_types(op):
        yield case(op, like(kind, 1, 5, 6, 3), ivec(3, 2, 3, 4), like(kind, 1, 5, 6, 4, seed=1), strides=hw(1, 1),
                   padding="SAME", tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    yield refusal(op, x, ivec(3, 3, 4, 5), floats(2, 5, 5, 5), strides=hw(1, 1), padding="SAME")
    yield refusal(op, x, ivec(3, 3, 3, 5), floats(2, 9, 8, 5), strides=hw(1, 1), padding="SAME")
    yield refusal(op, x, ivec(3, 3, 4, 5), floats(3, 9, 8, 5), strides=hw(1, 1), padding="SAME")
    for padding, strides, out in (("SAME", [1, 1, 1, 1, 1], (4, 5, 6)), ("VALID", [1, 2, 1, 2, 1], (2, 4, 2))):
        volume, back = floats(2, 4, 5, 6, 3), floats(2, *out, 2, seed=1)
        yield case("Conv3DBackpropFilterV2", volume, ivec(2, 2, 3, 3, 2), back, strides=strides, padding=padding)
        yield case("Conv3DBackpropFilter", volume, floats(2, 2, 3, 3, 2), back, strides=strides, padding=padding)
    for kind in kernel_types("Conv3DBackpropFilterV2"):
        yield case("Conv3DBackpropFilterV2", like(kind, 1, 3, 4, 3, 2), ivec(2, 2, 2, 2, 3),
                   like(kind, 1, 3, 4, 3, 3, seed=1), strides=[1] * 5, padding="SAME",
                   tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    yield refusal("Conv3DBackpropFilterV2", floats(2, 4, 5, 6, 3), ivec(2, 2, 3, 3, 2), floats(2, 4, 5, 5, 2),
                  strides=[1] * 5, padding="SAME")  # fmt: skip


def newest() -> Iterator[Case]:
    """The forms that are given tensors in place of sizes have no CPU kernel."""
    x, weights = floats(2, 9, 8, 4), floats(3, 2, 4, 5, seed=1)
    for padding, strides, out in (("SAME", hw(1, 1), (9, 8)), ("VALID", hw(2, 3), (4, 3))):
        back = floats(2, *out, 5, seed=2)
        for side in ("Filter", "Input"):
            op = f"Conv2DBackprop{side}"
            yield case(f"{op}V2", x, weights, back, strides=strides, padding=padding, asked_as=op, tolerance=4e-6)
            for kind in ("float16", "bfloat16", "float64"):
                held = [like(kind, *array.shape, seed=3) for array in (x, weights, back)]
                yield case(f"{op}V2", *held, strides=strides, padding=padding, asked_as=op,
                           tolerance=NARROW.get(kind, 2e-6))  # fmt: skip


def depthwise_filters() -> Iterator[Case]:
    op = "DepthwiseConv2dNativeBackpropFilter"
    x = floats(2, 6, 7, 3)
    for padding, stride, out in (("SAME", 1, (6, 7)), ("VALID", 1, (4, 6)), ("SAME", 2, (3, 4)), ("VALID", 2, (2, 3))):
        for more in (1, 2):
            yield case(op, x, ivec(3, 2, 3, more), floats(2, *out, 3 * more, seed=1), strides=hw(stride, stride),
                       padding=padding, tolerance=4e-6)  # fmt: skip
    yield case(op, x, ivec(3, 2, 3, 2), floats(2, 7, 9, 6), strides=hw(1, 1), padding="EXPLICIT",
               explicit_paddings=[0, 0, 2, 1, 1, 2, 0, 0], tolerance=4e-6)  # fmt: skip
    for kind in kernel_types(op):
        yield case(op, like(kind, 1, 4, 5, 2), ivec(2, 2, 2, 2), like(kind, 1, 4, 5, 4, seed=1), strides=hw(1, 1),
                   padding="SAME", tolerance=NARROW.get(kind, 2e-6))  # fmt: skip
    yield refusal(op, x, ivec(3, 2, 3, 2), floats(2, 6, 7, 5), strides=hw(1, 1), padding="SAME")
    yield refusal(op, x, ivec(3, 2, 4, 2), floats(2, 6, 7, 8), strides=hw(1, 1), padding="SAME")


WINDOWS: tuple[tuple[dict[str, Any], tuple[int, int]], ...] = (
    ({"ksize": hw(2, 2), "strides": hw(2, 2), "padding": "VALID"}, (3, 2)),
    ({"ksize": hw(2, 2), "strides": hw(2, 2), "padding": "SAME"}, (3, 3)),
    ({"ksize": hw(3, 2), "strides": hw(1, 2), "padding": "SAME"}, (6, 3)),
    ({"ksize": hw(3, 3), "strides": hw(1, 1), "padding": "VALID"}, (4, 3)),
    ({"ksize": hw(1, 1), "strides": hw(2, 3), "padding": "VALID"}, (3, 2)),
)


def by_input(attrs: dict[str, Any]) -> tuple[tuple[Array, Array], dict[str, Any]]:
    """Sizes and strides as the newer ops take them, and the attributes that are left."""
    return (ivec(*attrs["ksize"]), ivec(*attrs["strides"])), {"padding": attrs["padding"]}


def tops(x: Array, out: tuple[int, ...], attrs: dict[str, Any]) -> Array:
    """What the pool of the largest gives, worked out window by window."""
    sizes, steps = attrs["ksize"][1:-1], attrs["strides"][1:-1]
    spaces = x.shape[1:-1]
    same = attrs["padding"] == "SAME"
    before = [max((o - 1) * s + k - n, 0) // 2 if same else 0
              for o, s, k, n in zip(out, steps, sizes, spaces, strict=True)]  # fmt: skip
    made = np.zeros((len(x), *out, x.shape[-1]), x.dtype)
    for at in np.ndindex(*out):
        start = [p * s - b for p, s, b in zip(at, steps, before, strict=True)]
        box = tuple(slice(max(a, 0), a + k) for a, k in zip(start, sizes, strict=True))
        made[(slice(None), *at)] = x[(slice(None), *box)].max(tuple(range(1, x.ndim - 1)))
    return made


def max_pools() -> Iterator[Case]:
    for x in (floats(2, 6, 5, 3), np.round(floats(2, 6, 5, 3))):  # the second has many equal ones
        for attrs, out in WINDOWS:
            y, back = tops(x, out, attrs), floats(2, *out, 3, seed=2)
            extra, rest = by_input(attrs)
            yield case("MaxPoolGrad", x, y, back, **attrs)
            yield case("MaxPoolGradV2", x, y, back, *extra, **rest)
            yield case("MaxPoolGradGrad", x, y, floats(2, 6, 5, 3, seed=3), **attrs)
            yield case("MaxPoolGradGradV2", x, y, floats(2, 6, 5, 3, seed=3), *extra, **rest)
    attrs, out = WINDOWS[1]
    extra, rest = by_input(attrs)
    for kind in kernel_types("MaxPoolGrad"):
        x, back = like(kind, 1, 6, 5, 2), like(kind, 1, *out, 2, seed=1)
        rough = {"tolerance": NARROW.get(kind, 2e-6)}
        yield case("MaxPoolGrad", x, tops(x, out, attrs), back, **attrs, **rough)
        yield case("MaxPoolGradV2", x, tops(x, out, attrs), back, *extra, **rest, **rough)
        yield case("MaxPoolGradGrad", x, tops(x, out, attrs), like(kind, 1, 6, 5, 2, seed=2), **attrs)
        yield case("MaxPoolGradGradV2", x, tops(x, out, attrs), like(kind, 1, 6, 5, 2, seed=2), *extra, **rest)
    x = floats(2, 6, 5, 3)
    yield case("MaxPoolGrad", x, floats(2, 4, 2, 3), floats(2, 4, 2, 3), ksize=hw(3, 3), strides=hw(2, 3),
               padding="EXPLICIT", explicit_paddings=[0, 0, 2, 1, 1, 2, 0, 0])  # fmt: skip
    odd = np.where(bools(2, 6, 5, 3, seed=5), F(np.nan), x)
    yield case("MaxPoolGrad", odd, tops(x, out, attrs), floats(2, *out, 3), **attrs)
    yield case("MaxPoolGrad", np.full((1, 6, 5, 3), -np.inf, F), np.full((1, *out, 3), -np.inf, F), floats(1, *out, 3),
               **attrs)  # fmt: skip
    yield case("MaxPoolGradGrad", x, floats(2, *out, 3), floats(2, 6, 5, 3), **attrs)  # outputs that no window holds
    yield refusal("MaxPoolGrad", x, floats(2, 3, 3, 3), floats(2, 3, 2, 3), **attrs)
    yield refusal("MaxPoolGrad", x, floats(2, 3, 2, 3), floats(2, 3, 3, 3), **attrs)
    yield refusal("MaxPoolGrad", x[0], floats(2, 3, 3, 3), floats(2, 3, 3, 3), **attrs)
    yield refusal("MaxPoolGradGrad", x, floats(2, 3, 3, 3), floats(2, 6, 4, 3), **attrs)
    for include in (False, True):
        x, back = floats(2, 6, 5, 2), floats(2, 3, 3, 2, seed=1)
        places = ints(2, 3, 3, 2, low=0, high=60, dtype=np.int64) + (60 * np.arange(2).reshape(2, 1, 1, 1)) * include
        yield case("MaxPoolGradWithArgmax", x, back, places, **attrs, include_batch_in_index=include)
    for kind in kernel_types("MaxPoolGradWithArgmax"):
        yield case("MaxPoolGradWithArgmax", like(kind, 1, 6, 5, 2), like(kind, 1, 3, 3, 2, seed=1),
                   ints(1, 3, 3, 2, low=0, high=60, dtype=np.int64), **attrs,
                   tolerance=NARROW.get(kind, 2e-6))  # fmt: skip


def by_place() -> Iterator[Case]:
    """What has no CPU kernel: the gradients at places, here those of the largest in windows side by side."""
    x = floats(2, 6, 4, 3)
    blocks = x.reshape(2, 3, 2, 2, 2, 3).swapaxes(2, 3).reshape(2, 3, 2, 4, 3)
    best = blocks.argmax(3)
    rows, columns = np.ogrid[0:6:2, 0:4:2]
    in_item = ((rows[..., None] + best // 2) * 4 + columns[..., None] + best % 2) * 3 + np.arange(3)
    for include in (False, True):
        places = in_item + include * x[0].size * np.arange(2).reshape(2, 1, 1, 1)
        yield case("MaxPoolGradGradWithArgmax", x, floats(2, 6, 4, 3, seed=1), places, ksize=hw(2, 2),
                   strides=hw(2, 2), padding="VALID", include_batch_in_index=include)  # fmt: skip


VOLUMES: tuple[tuple[dict[str, Any], tuple[int, int, int]], ...] = (
    ({"ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 2, 1], "padding": "SAME"}, (2, 3, 2)),
    ({"ksize": [1, 2, 3, 1, 1], "strides": [1, 1, 2, 2, 1], "padding": "VALID"}, (3, 2, 2)),
)


def volumes() -> Iterator[Case]:
    for attrs, out in VOLUMES:
        for x in (floats(2, 4, 5, 3, 2), np.round(floats(2, 4, 5, 3, 2))):
            y, back = tops(x, out, attrs), floats(2, *out, 2, seed=1)
            yield case("MaxPool3DGrad", x, y, back, **attrs)
            yield case("MaxPool3DGradGrad", x, y, floats(2, 4, 5, 3, 2, seed=2), **attrs)
        yield case("AvgPool3DGrad", ivec(2, 4, 5, 3, 2), back, **attrs)
        for kind in kernel_types("AvgPool3DGrad"):
            x, back = like(kind, 1, 4, 5, 3, 2), like(kind, 1, *out, 2, seed=1)
            yield case("AvgPool3DGrad", ivec(1, 4, 5, 3, 2), back, **attrs, tolerance=NARROW.get(kind, 2e-6))
            yield case("MaxPool3DGrad", x, tops(x, out, attrs), back, **attrs, tolerance=NARROW.get(kind, 2e-6))
            yield case("MaxPool3DGradGrad", x, tops(x, out, attrs), like(kind, 1, 4, 5, 3, 2, seed=2), **attrs)


def average_pools() -> Iterator[Case]:
    for attrs, out in WINDOWS:
        yield case("AvgPoolGrad", ivec(2, 6, 5, 3), floats(2, *out, 3), **attrs)
        for kind in kernel_types("AvgPoolGrad"):
            yield case("AvgPoolGrad", ivec(1, 6, 5, 2), like(kind, 1, *out, 2), **attrs,
                       tolerance=NARROW.get(kind, 2e-6))  # fmt: skip


def batch_norms() -> Iterator[Case]:
    x, back = floats(2, 5, 4, 3), floats(2, 5, 4, 3, seed=1)
    vectors = [floats(3, low=0.5, high=2, seed=i) for i in range(3)]
    unused = np.zeros(0, F)
    # The last two outputs hold nothing; whether as a scalar or as a vector differs between TensorFlow's kernels.
    for op in ("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3"):
        saved = (unused,) if op.endswith("V3") else ()
        for epsilon in (1e-4, 0.1):
            for training in (False, True):
                yield case(
                    op,
                    back,
                    x,
                    *vectors,
                    *saved,
                    epsilon=epsilon,
                    is_training=training,
                    outputs=(0, 1, 2),
                    tolerance=4e-6,
                )
        turned = [np.ascontiguousarray(np.moveaxis(array, -1, 1)) for array in (back, x)]
        yield case(op, *turned, *vectors, *saved, data_format="NCHW", outputs=(0, 1, 2), tolerance=4e-6)
        yield refusal(op, back[:1], x, *vectors, *saved)
        if saved or op.endswith("V2"):
            for kind in ("float16", "bfloat16"):
                for training in (False, True):
                    held = [array.astype(dtype_of(kind).numpy) for array in (back, x)]
                    yield case(op, *held, *vectors, *saved, is_training=training, outputs=(0, 1, 2), tolerance=2e-2)
    for training in (False, True):
        yield case("FusedBatchNormGradV3", floats(2, 2, 3, 4, 3), floats(2, 2, 3, 4, 3, seed=1), *vectors, unused,
                   data_format="NDHWC", is_training=training, outputs=(0, 1, 2), tolerance=4e-6)  # fmt: skip
    for scaled in (False, True):
        for kind in kernel_types("BatchNormWithGlobalNormalizationGrad"):
            held = [array.astype(dtype_of(kind).numpy) for array in (x, *vectors, back)]
            # Half is computed with in half.
            yield case("BatchNormWithGlobalNormalizationGrad", *held, variance_epsilon=0.01,
                       scale_after_normalization=scaled, tolerance=2e-2 if kind == "float16" else 4e-6)  # fmt: skip
    for radius, bias, alpha, beta in ((5, 1.0, 1.0, 0.5), (2, 1.0, 0.1, 0.75), (1, 2.0, 1e-4, 1.0), (9, 0.5, 0.3, 0.2)):
        said = {"depth_radius": radius, "bias": bias, "alpha": alpha, "beta": beta}
        a, b, c = (floats(2, 3, 4, 7, seed=seed) for seed in range(3))
        yield case("LRNGrad", a, b, c, **said, tolerance=4e-6)
        # Half is computed with in half.
        yield case("LRNGrad", *(part.astype(np.float16) for part in (a, b, c)), **said, tolerance=3e-2)
    yield refusal("LRNGrad", floats(2, 3, 4, 7), floats(2, 3, 4, 6), floats(2, 3, 4, 7))


CASES: list[Case] = [
    *filters(),
    *newest(),
    *depthwise_filters(),
    *max_pools(),
    *by_place(),
    *volumes(),
    *average_pools(),
    *batch_norms(),
]
