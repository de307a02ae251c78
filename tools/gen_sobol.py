"""Writes `src/cryograph/engines/numpy/sobol.bin`, the direction numbers of Sobol's sequence, as TensorFlow has them.

    python tools/gen_sobol.py            write the file
    python tools/gen_sobol.py --check    exit 1 when the file is not what would be written

The file is a zlib stream of lines, one a dimension but the first: the coefficients of the dimension's polynomial but
the outer ones, as a number, and the first direction numbers, as many as its degree; the others follow from these.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import packed
from cryograph.engines.numpy.sobol import BITS, DIRECTIONS, extended

DIMENSIONS = 1111


def direction_numbers() -> Any:
    """(dimensions, BITS - 1): from points that differ in one direction from the one before."""
    import tensorflow as tf

    columns = []
    before = np.zeros(DIMENSIONS, np.int64)
    for k in range(BITS - 2):
        point = tf.raw_ops.SobolSample(dim=DIMENSIONS, num_results=1, skip=2**k - 1, dtype=tf.float64).numpy()[0]
        # The Gray code of 2^k is that of direction k, beside the one before.
        whole = (point * 2**BITS).astype(np.int64)
        columns.append(whole ^ before)
        before = columns[-1]
    return np.stack([column >> (BITS - 1 - k) for k, column in enumerate(columns)], -1)


def line_of(numbers: list[int], least: int) -> list[int]:
    """The shortest line that gives the numbers: polynomial and first numbers, from a degree on."""
    for degree in range(least, 14):
        tried = [[inner, *numbers[:degree]] for inner in range(1 << (degree - 1))]
        same = (extended(tried)[:, : len(numbers)] == numbers).all(1)
        if same.any():
            return tried[int(same.argmax())]
    raise LookupError(numbers)


def lines() -> list[str]:
    """A line a dimension."""
    found: list[list[int]] = []
    for numbers in direction_numbers()[1:].tolist():
        found.append(line_of(numbers, len(found[-1]) - 1 if found else 1))
    return [" ".join(map(str, line)) for line in found]


if __name__ == "__main__":
    sys.exit(packed.main(__doc__, DIRECTIONS, lines))
