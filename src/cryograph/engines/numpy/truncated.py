"""Normal numbers between bounds, whose mean, deviation and bounds are given for each row or each number.

The rows share one generator, and each begins with a turn of its own. TensorFlow gives the rows to several threads when
there are many numbers (some hundred), and skips words between them; these are the numbers of one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .distributions import full_shape, side_by_side
from .draws import Philox, box_muller, of_pair, of_seeds, sizes_of_shape
from .random import uniform

MAX_MISSES = 1000
"""So many numbers in a row may lie outside of what is accepted."""
ROW = 100
"""Where all numbers have the same parameters, so many make a row."""

Try = Callable[[Array], tuple[Array, Array]]
"""From words to numbers, and which of them are accepted."""


def _rounded(function: Callable[[Array], Array], x: Any) -> Any:
    """A function worked out in float64 and rounded once."""
    return function(np.asarray(x, np.float64)).astype(x.dtype)


def _by_normals(low: Any, high: Any) -> Try:
    def tries(words: Array) -> tuple[Array, Array]:
        made = box_muller(words, low.dtype)
        return made, (made >= low) & (made <= high)

    return tries


def _by_uniform(low: Any, high: Any) -> Try:
    """Of two turns the first gives the numbers and the second accepts them."""
    real = low.dtype.type

    def tries(words: Array) -> tuple[Array, Array]:
        pairs = words.reshape(-1, 2, 4)
        made = uniform(np.ascontiguousarray(pairs[:, 0]), low.dtype) * (high - low) + low
        shift = real(0) if low < 0 else low * low
        bound = _rounded(np.exp, (shift - made * made) / real(2))
        return made, uniform(np.ascontiguousarray(pairs[:, 1]), low.dtype) <= bound

    return tries


def _by_exponential(low: Any, high: Any) -> Try:
    """Each number is accepted by the one behind it (Robert 1995)."""
    real = low.dtype.type
    alpha = (low + np.sqrt(low * low + real(4))) / real(2)

    def tries(words: Array) -> tuple[Array, Array]:
        drawn = uniform(words, low.dtype).reshape(-1, 2)
        made = -_rounded(np.log, drawn[:, 0]) / alpha + low
        x = alpha - made if low < alpha else np.full_like(made, low - alpha)
        return made, (drawn[:, 1] <= _rounded(np.exp, -x * x / real(2))) & (made < high)

    return tries


def _method(low: Any, high: Any) -> tuple[Try, int]:
    """How numbers between bounds of deviation 1 are drawn, and how many turns that takes at a time."""
    real = low.dtype.type
    inside = real(1.3)
    if (low < -inside and high >= 0) or (high > inside and low <= 0):
        return _by_normals(low, high), 1
    root = np.sqrt(low * low + real(4))
    cutoff = real(2) * _rounded(np.exp, real(0.5) + (low * (low - root)) / real(4)) / (low + root)
    return (_by_uniform(low, high), 2) if high - low < cutoff else (_by_exponential(low, high), 1)


class _Rows:
    """The generator of one call: rows take turns from it, one row behind the other."""

    def __init__(self, state: Philox) -> None:
        self._state = state
        self._turn = 0

    def row(self, count: int, mean: Any, deviation: Any, least: Any, most: Any) -> Array:
        """The numbers of one row; RunError when the parameters do not fit each other."""
        if not (deviation > 0 and least < most and (np.isfinite(least) or np.isfinite(most))):
            raise RunError(
                f"the deviation {deviation} must be above 0, the bounds {least} and {most} in this order and not both "
                "infinite"
            )
        if (np.isinf(least) and least < 0) or most < mean:  # as in a mirror
            least, most, deviation = most, least, -deviation
        tries, pace = _method((least - mean) / deviation, (most - mean) / deviation)
        parts, left, misses = [np.zeros(0, mean.dtype)], count, 0
        steps = max(count // 2, 4)
        while left:
            made, accepted = tries(self._state.words(self._turn, steps * pace))
            places = np.flatnonzero(accepted)[:left]
            before = np.diff(places, prepend=-1 - misses) - 1
            misses = len(made) - 1 - int(places[-1]) if len(places) else misses + len(made)
            left -= len(places)
            if max(before.max(initial=0), misses if left else 0) >= MAX_MISSES:
                raise RunError(f"no number between {least} and {most} was found in {MAX_MISSES} tries")
            parts.append(made[places])
            used = steps if left else int(places[-1]) * steps // len(made) + 1
            self._turn += used * pace
        return np.asarray(np.concatenate(parts) * deviation + mean)


def _of_rows(
    ctx: Context, shape: Array, means: Array, stdevs: Array, minvals: Array, maxvals: Array, *, seed: int = 0,
    seed2: int = 0,
) -> Array:  # fmt: skip
    sizes = sizes_of_shape(shape)
    given = (means, stdevs, minvals, maxvals)
    if not sizes:
        raise RunError("rows of numbers were expected, not a single one")
    if max(p.ndim for p in given) > 1:
        raise RunError(f"parameters of {[list(p.shape) for p in given]} are not one for each of {sizes[0]} rows")
    rows, count = sizes[0], prod(sizes[1:])
    same = means.size == stdevs.size == 1 and minvals.ndim == maxvals.ndim == 0
    if not same and any(p.ndim and len(p) not in (1, rows) for p in given):
        raise RunError(f"parameters of {[list(p.shape) for p in given]} are not one for each of {rows} rows")
    lengths = [count] * rows
    if same:
        lengths = [min(ROW, prod(sizes) - start) for start in range(0, prod(sizes), ROW)]
    source = _Rows(of_seeds(seed, seed2))
    columns = [np.broadcast_to(p.reshape(-1), len(lengths)) for p in given]
    made = [source.row(n, *(c[row] for c in columns)) for row, n in enumerate(lengths)]
    return np.concatenate([np.zeros(0, ctx.dtype), *made]).reshape(sizes)


def _of_pair(
    ctx: Context, shape: Array, seed: Array, means: Array, stddevs: Array, minvals: Array, maxvals: Array
) -> Array:
    source = _Rows(of_pair(seed))
    sizes, columns = full_shape(shape, means, stddevs, minvals, maxvals)
    count = prod(sizes) // len(columns[0]) if len(columns[0]) else 0
    made = [source.row(count, *parameters) for parameters in zip(*columns, strict=True) if count]
    return side_by_side(np.concatenate([np.zeros(0, ctx.dtype), *made]), sizes, len(columns[0]))


RULES: dict[str, Rule] = {
    "ParameterizedTruncatedNormal": _of_rows,
    "StatelessParameterizedTruncatedNormal": _of_pair,
}
