"""Convolutions and pools of the reference engine beside TensorFlow's kernels, in alternation.

    python benchmarks/convolutions.py

Needs the group `conformance`.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from cryograph.engines.numpy.engine import Numpy
from tests.conformance.ops.oracle import ask
from tests.support.op_cases import Case, case, feeds_of, floats, ivec, program_of

ONE, TWO = [1, 1, 1, 1], [1, 2, 2, 1]
CASES: dict[str, Case] = {
    "3x3": case("Conv2D", floats(1, 56, 56, 64), floats(3, 3, 64, 64), strides=ONE, padding="SAME"),
    "1x1": case("Conv2D", floats(1, 56, 56, 64), floats(1, 1, 64, 256), strides=ONE, padding="SAME"),
    "7x7, stride 2": case("Conv2D", floats(1, 224, 224, 3), floats(7, 7, 3, 64), strides=TWO, padding="SAME"),
    "dilated": case(
        "Conv2D", floats(1, 56, 56, 64), floats(3, 3, 64, 64), strides=ONE, padding="SAME", dilations=[1, 2, 2, 1]
    ),
    "grouped": case("Conv2D", floats(1, 28, 28, 64), floats(3, 3, 16, 64), strides=ONE, padding="SAME"),
    "by channel": case(
        "DepthwiseConv2dNative", floats(1, 112, 112, 32), floats(3, 3, 32, 1), strides=ONE, padding="SAME"
    ),
    "by channel, stride 2": case(
        "DepthwiseConv2dNative", floats(1, 56, 56, 96), floats(5, 5, 96, 1), strides=TWO, padding="SAME"
    ),
    "transposed": case(
        "Conv2DBackpropInput",
        *(ivec(1, 56, 56, 64), floats(3, 3, 64, 32), floats(1, 28, 28, 32)),
        strides=TWO,
        padding="SAME",
    ),
    "3-D": case("Conv3D", floats(1, 16, 28, 28, 16), floats(3, 3, 3, 16, 32), strides=[1, 1, 1, 1, 1], padding="SAME"),
    "pool": case("MaxPool", floats(1, 112, 112, 64), ksize=[1, 3, 3, 1], strides=TWO, padding="SAME"),
}


def seconds(call: Callable[[Any], Any], asked: Any) -> float:
    """Of one call."""
    start = time.perf_counter()
    call(asked)
    return time.perf_counter() - start


def main() -> None:
    """Prints a line a case."""
    for name, asked in CASES.items():
        runner, feeds = Numpy().prepare(program_of(asked)), feeds_of(asked)
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(9):
            ours, theirs = seconds(runner, feeds), seconds(ask, asked)
            if number:
                times[0].append(ours)
                times[1].append(theirs)
        mine, other = map(statistics.median, times)
        print(f"{name:<22} {mine * 1e3:8.2f} ms  TensorFlow {other * 1e3:8.2f} ms  x{mine / other:.2f}")


if __name__ == "__main__":
    main()
