"""Sobol's sequence: points that fill a cube evenly (Joe and Kuo 2008, whose direction numbers these are)."""

from __future__ import annotations

import zlib
from functools import lru_cache
from math import log2
from pathlib import Path

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import MAX_COUNT

DIRECTIONS = Path(__file__).with_name("sobol.bin")
"""Written by tools/gen_sobol.py: a zlib stream of a line for each dimension but the first, the polynomial's inner
coefficients as a number, and the first direction numbers, as many as its degree."""
BITS = 31


@lru_cache
def direction_numbers() -> Array:
    """(dimensions, BITS): odd numbers, the k-th below 2^k, of which the first ones decide the others."""
    lines = [[int(word) for word in line.split()] for line in zlib.decompress(DIRECTIONS.read_bytes()).splitlines()]
    return np.concatenate([np.ones((1, BITS), np.int64), extended(lines)])


def extended(lines: list[list[int]]) -> Array:
    """(lines, BITS): all direction numbers of the lines of the file."""
    degrees, inner = np.array([len(line) - 1 for line in lines]), np.array([line[0] for line in lines])
    made = np.zeros((len(lines), BITS), np.int64)
    for row, line in enumerate(lines):
        made[row, : len(line) - 1] = line[1:]
    for k in range(1, BITS):
        rows = np.flatnonzero(degrees <= k)
        degree, coefficients = degrees[rows], inner[rows]
        before = made[rows, k - degree]
        new = before ^ before << degree
        for i in range(1, min(k, int(degrees.max(initial=0)) - 1) + 1):
            taken = (i < degree) & (coefficients >> np.maximum(degree - 1 - i, 0) & 1 == 1)
            new ^= np.where(taken, made[rows, k - i] << i, 0)
        made[rows, k] = new
    return made


def _sobol(ctx: Context, dim: Array, num_results: Array, skip: Array) -> Array:
    """Points from `skip` on; beyond 2^30 TensorFlow's scale overflows, and they lie on the other side of 0."""
    size, count, first = (int(n) for n in (dim, num_results, skip))
    numbers = direction_numbers()
    if not 1 <= size <= len(numbers):
        raise RunError(
            f"points of {size} dimensions were asked for; 1 to {len(numbers)} are taken (21200 by TensorFlow)"
        )
    if count < 1 or first < 0 or count >= 2**31 - 1 - first or size * count > MAX_COUNT:
        raise RunError(f"{count} points after {first} cannot be given")
    digits = int(log2(first + count + 1) + 1)
    index = np.arange(first + 1, first + count + 1)
    gray = index ^ index >> 1
    made = np.zeros((count, size), np.int64)
    for k in range(digits):
        made ^= np.where(gray >> k & 1, 1, 0)[:, None] * (numbers[:size, k] << (digits - 1 - k))
    scale = ctx.dtype.type(1 / (1 << digits if digits < BITS else -(1 << BITS)))
    return np.asarray(made.astype(ctx.dtype) * scale)


RULES: dict[str, Rule] = {
    "SobolSample": _sobol,
}
