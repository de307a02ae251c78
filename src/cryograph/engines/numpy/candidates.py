"""Samplers of candidate classes, for losses that do not look at every class.

A sampler gives classes, and how often each of them and of the true classes was to be expected. Those that learn count
the true classes of earlier runs where state is kept (see `program.generators`); at first all are equally likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import Philox, of_seeds
from .random import uniform
from .streams import first_fair

MAX_TRIES = 1 << 26
"""The most classes that are drawn to find as many different ones as are wanted, and the most that are given."""
MAX_LEARNED = 2**31 - 1
"""Samplers that learn take fewer classes than this."""

Sampled = tuple[Array, Array, Array]
Draw = Callable[[Array], Array]
"""From words to the classes that are drawn with them."""
Chance = Callable[[Array], Array]
"""From classes to their chances, float32."""


def _rounded(function: Callable[[Array], Array], x: Array) -> Array:
    return function(x.astype(np.float64)).astype(np.float32)


def _expected(chances: Array, wanted: int, tries: int) -> Array:
    """How often a class of a chance is among the sampled ones: for different ones, whether it is among them."""
    if tries == wanted:
        return np.asarray(chances * np.float32(wanted))
    missed = np.float32(tries) * _rounded(np.log1p, -chances)
    return np.asarray(-_rounded(np.expm1, missed))


def _drawn(state: Philox, draw: Draw, wanted: int, unique: bool) -> tuple[Array, int]:
    """The classes, different ones if so wanted, and how many were drawn for that."""
    turns = wanted + 1
    while turns <= MAX_TRIES:
        classes = draw(state.words(0, turns).reshape(-1))
        if not unique:
            places = np.arange(min(wanted, len(classes)))
        else:
            places = np.sort(np.unique(classes, return_index=True)[1])[:wanted]
        if len(places) == wanted:
            return classes[places], int(places[-1]) + 1
        turns *= 2
    raise RunError(f"{wanted} different classes were not found among {MAX_TRIES}")


def _sampled(
    classes: Array, num_true: int, num_sampled: int, unique: bool, range_max: int, state: Philox, draw: Draw,
    chance: Chance,
) -> Sampled:  # fmt: skip
    _check(classes, num_true, range_max)
    if unique and num_sampled > range_max:
        raise RunError(f"{num_sampled} different ones of {range_max} classes were asked for")
    made, tries = _drawn(state, draw, num_sampled, unique)
    true, sampled = (_expected(chance(c), num_sampled, tries) for c in (classes, made))
    return made, true, sampled


def _check(classes: Array, num_true: int, range_max: int) -> None:
    if classes.ndim != 2 or classes.shape[1] != num_true:
        raise RunError(f"rows of {num_true} true classes were expected, not {list(classes.shape)}")
    if classes.size and not 0 <= classes.min() <= classes.max() < range_max:
        raise RunError(f"the true classes {classes.min()} to {classes.max()} are not all below {range_max}")


def _fair(words: Array, limit: int) -> Array:
    """Equally likely classes below `limit`, from words of their width."""
    bits = words.dtype.itemsize * 8
    kept = words[words >= words.dtype.type(first_fair(limit, bits))]
    return np.asarray(kept % words.dtype.type(limit)).astype(np.int64)


def _wide(words: Array) -> Array:
    pairs = words.astype(np.uint64)
    return np.asarray(pairs[0::2] | pairs[1::2] << np.uint64(32))


def _uniform(
    ctx: Context, classes: Array, *, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int = 0,
    seed2: int = 0,
) -> Sampled:  # fmt: skip
    def chance(of: Array) -> Array:
        return np.full(of.shape, 1.0 / range_max, np.float32)

    return _sampled(
        classes, num_true, num_sampled, unique, range_max, of_seeds(seed, seed2),
        lambda words: _fair(_wide(words), range_max), chance,
    )  # fmt: skip


def _log_uniform(
    ctx: Context, classes: Array, *, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int = 0,
    seed2: int = 0,
) -> Sampled:  # fmt: skip
    """Low classes are more likely, as with words sorted by how often they are used (Zipf)."""
    scale = np.log1p(np.float64(range_max))

    def draw(words: Array) -> Array:
        powers = uniform(words, np.dtype(np.float64)) * scale
        # One by one: numpy's own exp is another one on some machines, and each digit counts.
        made = np.fromiter(map(math.exp, powers.tolist()), np.float64, powers.size).astype(np.int64) - 1
        return np.asarray(made % range_max)

    def chance(of: Array) -> Array:
        return np.asarray((np.log((of + 2.0) / (of + 1.0)) / scale).astype(np.float32))

    return _sampled(classes, num_true, num_sampled, unique, range_max, of_seeds(seed, seed2), draw, chance)


def by_counts(
    counts: Array, classes: Array, num_true: int, num_sampled: int, unique: bool, range_max: int, state: Philox
) -> Sampled:
    """Each class has a weight of 1 more than `counts` says; without any all have 1."""
    if range_max >= MAX_LEARNED:
        raise RunError(f"{range_max} classes are too many to learn; fewer than {MAX_LEARNED} are taken")
    ends = np.cumsum(counts + 1) if len(counts) else None
    total = range_max if ends is None else int(ends[-1])

    def draw(words: Array) -> Array:
        places = _fair(words, total)
        return places if ends is None else np.searchsorted(ends, places, side="right")

    def chance(of: Array) -> Array:
        weights = np.ones(of.shape, np.float32) if ends is None else counts[of] + 1
        return np.asarray(weights, np.float32) / np.float32(total)

    return _sampled(classes, num_true, num_sampled, unique, range_max, state, draw, chance)


def learn(counts: Array, classes: Array, range_max: int) -> Array:
    """How often each class was a true one, when these have come to those of earlier runs. The weights of all together
    stay below 2^31."""
    if range_max > MAX_TRIES:
        raise RunError(f"{range_max} classes are too many to keep what is learned; up to {MAX_TRIES} are taken")
    held = counts if len(counts) else np.zeros(range_max, np.int64)
    room = max(0, MAX_LEARNED - range_max - int(held.sum()))
    return np.asarray(held + np.bincount(classes.reshape(-1)[:room], minlength=range_max), np.int64)


def _learned_anew(
    ctx: Context, classes: Array, *, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int = 0,
    seed2: int = 0,
) -> Sampled:  # fmt: skip
    state, nothing = of_seeds(seed, seed2), np.zeros(0, np.int64)
    return by_counts(nothing, classes, num_true, num_sampled, unique, range_max, state)


@lru_cache(maxsize=8)
def _alias_table(weights: tuple[float, ...]) -> tuple[Array, Array]:
    """For each class the chance of itself, where it is hit, and the class that it stands for otherwise (Vose 1991)."""
    count = len(weights)
    total = sum(weights, 0.0)
    scaled = [float(w * count / total) if total else 1.0 for w in np.array(weights, np.float32).astype(np.float64)]
    chances, other = list(scaled), list(range(count))
    low = [n for n, p in enumerate(scaled) if p < 1]
    high = [n for n, p in enumerate(scaled) if not p < 1]
    while high and low:
        small, large = low.pop(), high.pop()
        other[small] = large
        chances[large] -= 1 - chances[small]
        (low if chances[large] < 1 else high).append(large)
    for n in (*low, *high):
        chances[n] = 1.0
    return np.array(chances).astype(np.float32), np.array(other, np.int64)


def _by_table(words: Array, chances: Array, other: Array) -> Array:
    """Pairs of words: the second chooses a class, and is drawn again when it would favour some; the first decides."""
    least = first_fair(len(chances), 32)
    while True:
        pairs = words[: len(words) // 2 * 2].reshape(-1, 2)
        again = np.flatnonzero(pairs[:, 1] < least)
        if not len(again):
            break
        words = np.delete(words, 2 * again[0] + 1)
    hit = (pairs[:, 1] % np.uint32(len(chances))).astype(np.int64)
    mine = uniform(np.ascontiguousarray(pairs[:, 0]), np.dtype(np.float32)) < chances[hit]
    return np.where(mine, hit, other[hit])


def reserved_in(ids: int, shards: int, shard: int) -> int:
    """How many of the first `ids` ids belong to a shard: every `shards`-th one from `shard` on."""
    return max(0, -(-(ids - shard) // shards)) if shard < shards else 0


def _weights(unigrams: list[float], distortion: float, num_reserved_ids: int, num_shards: int, shard: int) -> Array:
    """The weight of each class of a shard; those of reserved ids are 0."""
    reserved = reserved_in(num_reserved_ids, num_shards, shard)
    given = np.array(unigrams, np.float32)
    mine = (np.arange(len(given)) + reserved) % num_shards == shard  # counted from the reserved ids of this shard
    made = np.power(given[mine].astype(np.float64), np.float64(np.float32(distortion))).astype(np.float32)
    return np.concatenate([np.zeros(reserved, np.float32), made])


def _fixed(
    ctx: Context,
    classes: Array,
    *,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: list[float] | None = None,
    seed: int = 0,
    seed2: int = 0,
) -> Sampled:
    """By the weights in an attribute. Those of a file (`vocab_file`) are not read."""
    if not unigrams:
        raise RunError("neither a file nor a list of weights (unigrams) was given")
    reserved = reserved_in(num_reserved_ids, num_shards, shard)
    if reserved > min(range_max, MAX_TRIES):
        raise RunError(f"{reserved} ids are reserved of {range_max} classes; up to {MAX_TRIES} are taken")
    weights = _weights(unigrams, distortion, num_reserved_ids, num_shards, shard)
    if len(weights) != range_max:
        raise RunError(f"{len(weights)} weights were given for {range_max} classes")
    total = np.cumsum(weights)[-1]
    table = _alias_table(tuple(weights.tolist()))
    return _sampled(
        classes, num_true, num_sampled, unique, range_max, of_seeds(seed, seed2),
        lambda words: _by_table(words, *table), lambda of: np.asarray(weights[of] / total),
    )  # fmt: skip


def _all(
    ctx: Context, classes: Array, *, num_true: int, num_sampled: int, unique: bool, seed: int = 0, seed2: int = 0
) -> Sampled:
    """Every class, once."""
    _check(classes, num_true, num_sampled)
    if num_sampled > MAX_TRIES:
        raise RunError(f"{num_sampled} classes were asked for; up to {MAX_TRIES} are taken")
    ones = np.ones(num_sampled, np.float32)
    return np.arange(num_sampled), np.ones(classes.shape, np.float32), ones


RULES: dict[str, Rule] = {
    "AllCandidateSampler": _all,
    "FixedUnigramCandidateSampler": _fixed,
    "LearnedUnigramCandidateSampler": _learned_anew,
    "LogUniformCandidateSampler": _log_uniform,
    "ThreadUnsafeUnigramCandidateSampler": _learned_anew,
    "UniformCandidateSampler": _uniform,
}
