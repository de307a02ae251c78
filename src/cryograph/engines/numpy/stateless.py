"""Ops that draw random numbers: of a key and a counter, of two seeds, or of the seeds in their attributes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import (
    Philox,
    between,
    draw_normal,
    draw_truncated,
    draw_uniform,
    drawn,
    of_key,
    of_pair,
    of_seeds,
    sizes_of_shape,
    whole,
)

Make = Callable[[Philox, int, Any], Array]


def _of_key(make: Make) -> Rule:
    def rule(ctx: Context, shape: Array, key: Array, counter: Array, alg: Array) -> Array:
        return drawn(ctx, make, of_key(key, counter, alg), shape)

    return rule


def _of_pair(make: Make) -> Rule:
    def rule(ctx: Context, shape: Array, seed: Array) -> Array:
        return drawn(ctx, make, of_pair(seed), shape)

    return rule


def _of_attributes(make: Make) -> Rule:
    def rule(ctx: Context, shape: Array, *, seed: int = 0, seed2: int = 0) -> Array:
        return drawn(ctx, make, of_seeds(seed, seed2), shape)

    return rule


def _full(state: Philox, count: int, dtype: Any) -> Array:
    return whole(state, count, dtype).view(dtype) if count else np.zeros(0, dtype)


def _int_of_key(ctx: Context, shape: Array, key: Array, counter: Array, alg: Array, low: Array, high: Array) -> Array:
    sizes = sizes_of_shape(shape)
    return between(of_key(key, counter, alg), prod(sizes), low, high).reshape(sizes)


def _int_of_pair(ctx: Context, shape: Array, seed: Array, low: Array, high: Array) -> Array:
    sizes = sizes_of_shape(shape)
    return between(of_pair(seed), prod(sizes), low, high).reshape(sizes)


def _int_of_attributes(ctx: Context, shape: Array, low: Array, high: Array, *, seed: int = 0, seed2: int = 0) -> Array:
    sizes = sizes_of_shape(shape)
    return between(of_seeds(seed, seed2), prod(sizes), low, high).reshape(sizes)


def _key_counter(ctx: Context, seed: Array) -> tuple[Array, Array]:
    state = of_pair(seed)
    halves = [state.counter & 0xFFFFFFFFFFFFFFFF, state.counter >> 64]
    return np.array([state.key], np.uint64), np.array(halves, np.uint64)


def _algorithm(ctx: Context) -> Array:
    """Philox."""
    return np.array(1, np.int32)


def _key_counter_algorithm(ctx: Context, seed: Array) -> tuple[Array, Array, Array]:
    return (*_key_counter(ctx, seed), _algorithm(ctx))


def _choices(state: Philox, logits: Array, num_samples: Array, dtype: Any) -> Array:
    """For each row classes by their chances, which are given as logarithms."""
    if logits.ndim != 2 or num_samples.ndim:
        raise RunError(f"rows of logits were expected, not {list(logits.shape)}")
    count = int(num_samples)
    if count < 0 or not logits.shape[1]:
        raise RunError(f"{count} samples of {logits.shape[1]} classes cannot be drawn")
    rows = len(logits)
    words = state.words(0, -(-rows * count * 2 // 4)).reshape(-1, 2)[: rows * count]
    points = uniform_doubles(words).reshape(rows, count)
    made = np.zeros((rows, count), dtype)
    for row, (scores, at) in enumerate(zip(logits.astype(np.float64), points, strict=True)):
        finite = np.isfinite(scores)
        highest = scores[finite].max() if finite.any() else 0.0
        sums = np.cumsum(np.where(finite, np.exp(scores - highest), 0.0))
        made[row] = np.searchsorted(sums, at * sums[-1], side="right")
    return made


def uniform_doubles(words: Array) -> Array:
    """Doubles in [0, 1), each of two words."""
    wide = words.astype(np.uint64)
    mantissa = (wide[:, 0] & np.uint64(0xFFFFF)) << np.uint64(32) | wide[:, 1]
    return (mantissa | np.uint64(1023 << 52)).view(np.float64) - 1.0


def _multinomial(ctx: Context, logits: Array, num_samples: Array, *, seed: int = 0, seed2: int = 0) -> Array:
    return _choices(of_seeds(seed, seed2), logits, num_samples, ctx.dtype)


def _stateless_multinomial(ctx: Context, logits: Array, num_samples: Array, seed: Array) -> Array:
    return _choices(of_pair(seed), logits, num_samples, ctx.dtype)


RULES: dict[str, Rule] = {
    "Multinomial": _multinomial,
    "RandomStandardNormal": _of_attributes(draw_normal),
    "RandomUniformInt": _int_of_attributes,
    "StatelessMultinomial": _stateless_multinomial,
    "StatelessRandomGetAlg": _algorithm,
    "StatelessRandomGetKeyCounter": _key_counter,
    "StatelessRandomGetKeyCounterAlg": _key_counter_algorithm,
    "StatelessRandomNormal": _of_pair(draw_normal),
    "StatelessRandomNormalV2": _of_key(draw_normal),
    "StatelessRandomUniform": _of_pair(draw_uniform),
    "StatelessRandomUniformFullInt": _of_pair(_full),
    "StatelessRandomUniformFullIntV2": _of_key(_full),
    "StatelessRandomUniformInt": _int_of_pair,
    "StatelessRandomUniformIntV2": _int_of_key,
    "StatelessRandomUniformV2": _of_key(draw_uniform),
    "StatelessTruncatedNormal": _of_pair(draw_truncated),
    "StatelessTruncatedNormalV2": _of_key(draw_truncated),
    "TruncatedNormal": _of_attributes(draw_truncated),
}
