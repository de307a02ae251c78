"""Random numbers drawn from Philox inside of a compiled program, bit for bit those of the reference engine.

Where seed and shape are known, the reference engine draws them once. Here are the ops for seeds that the program works
out, and for those that have none: these get random words with every run.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.draws import _MULTIPLIERS, _ROUNDS, _SCRAMBLE, _SHIFT, _WEYL, _WORD, KEPT, sizes_of_shape
from ..numpy.elementwise import given
from .context import JaxContext, check, known

U32, U64 = np.uint32, np.uint64
CANDIDATES = 16
"""Turns of the counter in which a group of truncated numbers is complete, but for one case in 10^60."""


class State:
    """A key of 64 bits and a counter of 128, as the program knows them."""

    def __init__(self, ctx: JaxContext, key: Any, low: Any, high: Any) -> None:
        self.ctx, self.key, self.low, self.high = ctx, key, low, high

    def words(self, turns: Any) -> Any:
        """(..., 4) words of turns of the counter, from here on."""
        xp = self.ctx.xp
        turns = turns.astype(U64)
        low = turns + self.low
        high = self.high + (low < turns).astype(U64)
        a, b, c, d = low & _WORD, low >> _SHIFT, high & _WORD, high >> _SHIFT
        first, second = self.key & _WORD, self.key >> _SHIFT
        for _ in range(_ROUNDS):
            one, two = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
            a, b, c, d = (two >> _SHIFT) ^ b ^ first, two & _WORD, (one >> _SHIFT) ^ d ^ second, one & _WORD
            first, second = (first + U64(_WEYL[0])) & _WORD, (second + U64(_WEYL[1])) & _WORD
        return xp.stack([a, b, c, d], -1).astype(U32)

    def some(self, count: int) -> Any:
        """(count, 4) words."""
        return self.words(self.ctx.xp.arange(count, dtype=U64))


def _of_words(ctx: JaxContext, seed: int, seed2: int) -> State:
    """The state of an op whose seeds are attributes; another one with each run when both are 0."""
    if seed or seed2:
        return State(ctx, U64(seed & 0xFFFFFFFFFFFFFFFF), U64(0), U64(seed2 & 0xFFFFFFFFFFFFFFFF))
    low, high, key = words_of_run(ctx).astype(U64)
    return State(ctx, key, low, high)


def words_of_run(ctx: JaxContext) -> Any:
    """The state of an op that has no seed, another one with each run: (3,) int64, the counter's halves and the key."""
    if ctx.seeds is None:
        raise RunError("numbers without a seed are drawn with each run only")
    place = int.from_bytes(ctx.step.name.encode()[-8:], "little")
    words = ctx.seeds.astype(U64)
    high = words[2] | words[3] << _SHIFT ^ U64(place)
    return ctx.xp.stack([ctx.xp.zeros_like(high), high, words[0] | words[1] << _SHIFT]).astype(np.int64)


def _of_pair(ctx: JaxContext, seed: Any) -> State:
    if seed.shape != (2,):
        raise RunError(f"a seed is two numbers, not {list(seed.shape)}")
    low, high = (ctx.xp.asarray(seed[i]).astype(np.int64).astype(U64) for i in (0, 1))
    mixed = State(ctx, U64(_SCRAMBLE), low, high).some(1)[0].astype(U64)
    return State(ctx, mixed[0] | mixed[1] << _SHIFT, U64(0), mixed[2] | mixed[3] << _SHIFT)


def _of_key(ctx: JaxContext, key: Any, counter: Any, alg: Any) -> State:
    check((alg != 1) & (alg != 3), "the algorithm has no kernel on CPUs; 1 (Philox) and 3 (any) have")
    if key.shape != (1,) or counter.ndim != 1 or counter.size < 2:
        raise RunError(
            f"a key of 1 and a counter of 2 numbers were expected, not {list(key.shape)} {list(counter.shape)}"
        )
    return State(ctx, ctx.xp.asarray(key)[0], ctx.xp.asarray(counter)[0], ctx.xp.asarray(counter)[1])


def _each(dtype: np.dtype[Any]) -> int:
    return 2 if dtype.itemsize == 8 else 4


def _uniform(ctx: JaxContext, words: Any, dtype: np.dtype[Any]) -> Any:
    """Numbers in [0, 1): the bits become the mantissa of a number in [1, 2), from which 1 is taken."""
    cast = ctx.lax.bitcast_convert_type
    if dtype == np.float64:
        pairs = words.reshape(-1, 2).astype(U64)
        return cast((pairs[:, 0] & U64(0xFFFFF)) << _SHIFT | pairs[:, 1] | U64(1023 << 52), np.float64) - 1.0
    flat = words.reshape(-1)
    if dtype == np.float32:
        return cast(flat & U32(0x7FFFFF) | U32(127 << 23), np.float32) - np.float32(1)
    narrow = flat.astype(np.uint16)
    mask, one = (0x3FF, 15 << 10) if dtype == np.float16 else (0x7F, 127 << 7)
    return cast(narrow & np.uint16(mask) | np.uint16(one), dtype) - np.ones((), dtype)


def draw_uniform(state: State, count: int, dtype: np.dtype[Any]) -> Any:
    """Floats in [0, 1)."""
    return _uniform(state.ctx, state.some(-(-count // _each(dtype))), dtype)[:count]


def _pairs(xp: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Two normal numbers of each two uniform ones (Box and Muller 1958)."""
    kind = first.dtype.type
    kept = xp.maximum(first, kind(1.0e-7))
    angle = (2.0 * np.pi * second.astype(np.float64)).astype(first.dtype)
    size = xp.sqrt(kind(-2.0) * xp.log(kept))
    return xp.sin(angle) * size, xp.cos(angle) * size


def _through(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def draw_normal(state: State, count: int, dtype: np.dtype[Any]) -> Any:
    """Numbers of mean 0 and deviation 1."""
    words = state.some(-(-count // _each(dtype)))
    flat = _uniform(state.ctx, words, _through(dtype)).reshape(-1, 2)
    made = state.ctx.xp.stack(_pairs(state.ctx.xp, flat[:, 0], flat[:, 1]), -1)
    return made.reshape(-1)[:count].astype(dtype)


def draw_truncated(state: State, count: int, dtype: np.dtype[Any]) -> Any:
    """Normal numbers that are within two deviations: of the candidates of a group the first that are."""
    if not count:
        return np.zeros(0, dtype)
    xp, each = state.ctx.xp, _each(dtype)
    groups = -(-count // each)
    turns = xp.arange(groups, dtype=U64)[:, None] * U64(each * KEPT // 4) + xp.arange(CANDIDATES, dtype=U64)
    flat = _uniform(state.ctx, state.words(turns), _through(dtype)).reshape(groups, CANDIDATES * each // 2, 2)
    candidates = xp.stack(_pairs(xp, flat[..., 0], flat[..., 1]), -1).reshape(groups, CANDIDATES * each)
    good = xp.abs(candidates) < 2
    order = xp.argsort(~good, axis=-1, stable=True)[:, :each]
    return xp.take_along_axis(candidates, order, -1).reshape(-1)[:count].astype(dtype)


def _whole(state: State, count: int, dtype: np.dtype[Any]) -> Any:
    """Integers of all their bits, as unsigned words."""
    words = state.some(-(-count // _each(dtype))).reshape(-1)
    if dtype.itemsize == 8:
        wide = words.astype(U64)
        words = wide[0::2] | wide[1::2] << _SHIFT
    return words[:count]


def full(state: State, count: int, dtype: np.dtype[Any]) -> Any:
    """Integers of all their bits."""
    return state.ctx.lax.bitcast_convert_type(_whole(state, count, dtype), dtype)


def between(state: State, count: int, low: Any, high: Any) -> Any:
    """Integers from `low` to below `high`."""
    if low.ndim or high.ndim:
        raise RunError("the ends of the range must be single numbers")
    if count:
        check(low >= high, "the range is empty")
    words = _whole(state, count, low.dtype)
    span = (state.ctx.xp.asarray(high) - low).astype(words.dtype)
    return (words % span).astype(low.dtype) + low


Draw = Callable[[State, int, np.dtype[Any]], Any]
"""Draws so many numbers of a dtype."""


def _drawn(ctx: JaxContext, draw: Draw, state: State, shape: Any) -> Any:
    sizes = sizes_of_shape(known(shape))
    return given(ctx, draw(state, prod(sizes), ctx.dtype).reshape(sizes))


def _by_key(draw: Draw) -> Rule:
    def rule(ctx: JaxContext, shape: Any, key: Any, counter: Any, alg: Any) -> Any:
        return _drawn(ctx, draw, _of_key(ctx, key, counter, alg), shape)

    return rule


def _by_pair(draw: Draw) -> Rule:
    def rule(ctx: JaxContext, shape: Any, seed: Any) -> Any:
        return _drawn(ctx, draw, _of_pair(ctx, seed), shape)

    return rule


def _by_attributes(draw: Draw) -> Rule:
    def rule(ctx: JaxContext, shape: Any, *, seed: int = 0, seed2: int = 0) -> Any:
        return _drawn(ctx, draw, _of_words(ctx, seed, seed2), shape)

    return rule


def _int_by_key(ctx: JaxContext, shape: Any, key: Any, counter: Any, alg: Any, low: Any, high: Any) -> Any:
    sizes = sizes_of_shape(known(shape))
    return between(_of_key(ctx, key, counter, alg), prod(sizes), low, high).reshape(sizes)


def _int_by_pair(ctx: JaxContext, shape: Any, seed: Any, low: Any, high: Any) -> Any:
    sizes = sizes_of_shape(known(shape))
    return between(_of_pair(ctx, seed), prod(sizes), low, high).reshape(sizes)


def _int_by_attributes(ctx: JaxContext, shape: Any, low: Any, high: Any, *, seed: int = 0, seed2: int = 0) -> Any:
    sizes = sizes_of_shape(known(shape))
    return between(_of_words(ctx, seed, seed2), prod(sizes), low, high).reshape(sizes)


def _key_counter(ctx: JaxContext, seed: Any) -> tuple[Any, Any]:
    state = _of_pair(ctx, seed)
    return state.key.reshape(1), ctx.xp.stack([ctx.xp.asarray(state.low), state.high])


def _algorithm(ctx: JaxContext) -> Any:
    """Philox."""
    return np.array(1, np.int32)


def _key_counter_algorithm(ctx: JaxContext, seed: Any) -> tuple[Any, Any, Any]:
    return (*_key_counter(ctx, seed), _algorithm(ctx))


def _shuffle(ctx: JaxContext, value: Any, *, seed: int = 0, seed2: int = 0) -> Any:
    if value.ndim == 0 or value.shape[0] < 2:
        return value
    return shuffled(_of_words(ctx, seed, seed2), value)


def shuffled(state: State, value: Any) -> Any:
    """Each element changes places with a later one, or with itself (Fisher and Yates)."""
    if value.ndim == 0 or value.shape[0] < 2:
        return value
    count, ctx, xp = value.shape[0], state.ctx, state.ctx.xp
    words = state.some(-(-count // 4)).reshape(-1)
    others = xp.arange(count - 1) + words[: count - 1].astype(np.int64) % (count - np.arange(count - 1))

    def swap(order: Any, at: Any) -> tuple[Any, None]:
        place, other = at
        return order.at[place].set(order[other]).at[other].set(order[place]), None

    order, _ = ctx.lax.scan(swap, xp.arange(count), (xp.arange(count - 1), others))
    return xp.asarray(value)[order]


def choices(state: State, logits: Any, num_samples: Any, dtype: Any) -> Any:
    """For each row classes by their chances, which are given as logarithms."""
    ctx, count = state.ctx, int(known(num_samples))
    xp = ctx.xp
    if logits.ndim != 2 or num_samples.ndim or count < 0 or not logits.shape[1]:
        raise RunError(f"{count} samples of {list(logits.shape)} classes cannot be drawn")
    rows = logits.shape[0]
    words = state.some(-(-rows * count * 2 // 4))
    points = _uniform(ctx, words, np.dtype(np.float64))[: rows * count].reshape(rows, count)
    scores = xp.asarray(logits).astype(np.float64)
    finite = xp.isfinite(scores)
    highest = xp.max(xp.where(finite, scores, -np.inf), axis=1, keepdims=True)
    highest = xp.where(xp.isfinite(highest), highest, 0.0)
    sums = xp.cumsum(xp.where(finite, xp.exp(scores - highest), 0.0), axis=1)
    look = ctx.jax.vmap(lambda held, at: xp.searchsorted(held, at, side="right"))
    return look(sums, points * sums[:, -1:]).astype(dtype)


def _multinomial(ctx: JaxContext, logits: Any, num_samples: Any, *, seed: int = 0, seed2: int = 0) -> Any:
    return choices(_of_words(ctx, seed, seed2), logits, num_samples, ctx.dtype)


def _stateless_multinomial(ctx: JaxContext, logits: Any, num_samples: Any, seed: Any) -> Any:
    return choices(_of_pair(ctx, seed), logits, num_samples, ctx.dtype)


RULES: dict[str, Rule] = {
    "Multinomial": _multinomial,
    "RandomShuffle": _shuffle,
    "RandomStandardNormal": _by_attributes(draw_normal),
    "RandomUniform": _by_attributes(draw_uniform),
    "RandomUniformInt": _int_by_attributes,
    "StatelessMultinomial": _stateless_multinomial,
    "StatelessRandomGetAlg": _algorithm,
    "StatelessRandomGetKeyCounter": _key_counter,
    "StatelessRandomGetKeyCounterAlg": _key_counter_algorithm,
    "StatelessRandomNormal": _by_pair(draw_normal),
    "StatelessRandomNormalV2": _by_key(draw_normal),
    "StatelessRandomUniform": _by_pair(draw_uniform),
    "StatelessRandomUniformFullInt": _by_pair(full),
    "StatelessRandomUniformFullIntV2": _by_key(full),
    "StatelessRandomUniformInt": _int_by_pair,
    "StatelessRandomUniformIntV2": _int_by_key,
    "StatelessRandomUniformV2": _by_key(draw_uniform),
    "StatelessTruncatedNormal": _by_pair(draw_truncated),
    "StatelessTruncatedNormalV2": _by_key(draw_truncated),
    "TruncatedNormal": _by_attributes(draw_truncated),
}

DRAWING = frozenset({"Multinomial", "RandomShuffle", "RandomStandardNormal", "RandomUniform", "RandomUniformInt",
                     "TruncatedNormal"})  # fmt: skip
"""Ops that draw by the seeds in their attributes: without these each run draws others."""
