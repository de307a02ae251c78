"""Cases of ops that few graphs hold: old names of others, checks, and what has no inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import (
    Case,
    F,
    N,
    case,
    complexes,
    floats,
    ints,
    ivec,
    kernel_types,
    refusal,
    strings,
    values,
)


def old_names() -> Iterator[Case]:
    for op, rank in (("BatchFFT", 1), ("BatchFFT2D", 2), ("BatchFFT3D", 3)):
        for x in (complexes(2, 4, 5, 3, seed=rank), complexes(3, 0, 2)):
            if x.size:
                yield case(op, x, asked_as=op.removeprefix("Batch"), sizes="known")
                yield case(op.replace("FFT", "IFFT"), x, asked_as=op.removeprefix("Batch").replace("FFT", "IFFT"))
    for kind in ("float32", "int32", "complex64"):
        x = values(kind, 2, 3, 3)
        yield case("BatchMatrixDiag", x)
        yield case("BatchMatrixDiagPart", x)
        yield case("BatchMatrixSetDiag", x, values(kind, 2, 3, seed=4))
        yield case("BatchMatrixBandPart", x, np.int64(1), np.int64(0))
    yield case("Conv3DBackpropInput", floats(1, 4, 4, 4, 2), floats(2, 2, 2, 2, 3, seed=1),
               floats(1, 4, 4, 4, 3, seed=2), strides=[1, 1, 1, 1, 1], padding="SAME")  # fmt: skip
    x, mean, variance = floats(2, 3, 4, 3), floats(3, seed=1), floats(3, seed=2, low=0.1)
    for scaled in (True, False):
        yield case("BatchNormWithGlobalNormalization", x, mean, variance, floats(3, seed=3), floats(3, seed=4),
                   variance_epsilon=0.01, scale_after_normalization=scaled)  # fmt: skip
    for k in (1, 3):
        yield case("TopK", floats(4, 5), k=k, asked_as="TopKV2")
    yield case("AccumulateNV2", floats(2, 3), floats(2, 3, seed=1), floats(2, 3, seed=2), asked_as="AddN")
    yield case("ParallelConcat", floats(1, 3), floats(1, 3, seed=1), shape=(2, 3))


def counted_segments() -> Iterator[Case]:
    """These have kernels for accelerators only; what they mean is what the unsorted ones do on sorted ids."""
    for word in ("Sum", "Prod", "Min", "Max"):
        op, same = f"Segment{word}V2", f"UnsortedSegment{word}"
        for kind in kernel_types(same):
            yield case(op, values(kind, 4, 2), ivec(0, 0, 1, 3), N(5), asked_as=same)
        yield case(op, floats(0, 2), np.zeros(0, N), N(2), asked_as=same)
        yield case(op, ints(3), ivec(0, 2, 2, dtype=np.int64), np.int64(3), asked_as=same)


def checks() -> Iterator[Case]:
    for kind in kernel_types("CheckNumerics"):
        x = values(kind, 2, 3)
        for op in ("CheckNumerics", "CheckNumericsV2"):
            yield case(op, x, message="odd")
            for odd in (np.nan, np.inf, -np.inf):
                y = x.copy()
                y[1, 1] = odd
                yield refusal(op, y, message="odd")
    yield case("Assert", np.array(True), strings(b"why"), summarize=3)
    yield refusal("Assert", np.array(False), strings(b"why"), F(3))
    yield case("NoOp")
    yield case("Print", floats(2), floats(3), message="seen")
    yield case("DebugGradientIdentity", floats(2, 2))


def plumbing() -> Iterator[Case]:
    for names in (["CPU"], ["GPU", "CPU"], ["TPU", "GPU"], []):
        yield case("DeviceIndex", device_names=[name.encode() for name in names])
    yield case("ControlTrigger")
    yield case("Timestamp", tolerance=0.5)  # the clock of another day: the dtype, the shape and the century are proved


CASES: list[Case] = [*old_names(), *counted_segments(), *checks(), *plumbing()]
