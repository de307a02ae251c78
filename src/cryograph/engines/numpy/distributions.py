"""Random numbers of the gamma, Poisson and binomial distributions.

Outputs are worked out parameter by parameter, all numbers of one behind each other, which decides the words that an
output is given (see streams.py); in the tensor the parameters lie side by side.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import Philox, of_key, of_pair, of_seeds, sizes_of_shape
from .random_state import read_state, skipped
from .special import lgamma
from .streams import Streams, doubles_of, turns_of

MAX_TRIES = 1024
"""How often a number is drawn again before a rate is taken for one that the dtype of the numbers cannot hold."""
FEW = 10  # below, events are counted one by one
KEPT_FOR_FEW = 42  # turns that are kept for a binomial number of few events
_TAILS = (  # Stirling's series cannot give these
    *(0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211),
    *(0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287),
)


def side_by_side(made: Array, sizes: list[int], parameters: int) -> Array:
    """The tensor of outputs that lie parameter by parameter."""
    return np.ascontiguousarray(made.reshape(max(parameters, 1), -1).T).reshape(sizes)


def _samples(sizes: list[int], parameters: Array) -> int:
    """How many numbers are drawn for each parameter."""
    return prod(sizes) // len(parameters) if len(parameters) else 0


def full_shape(shape: Array, *parameters: Array) -> tuple[list[int], list[Array]]:
    """A shape that ends with that of the parameters, and these stretched over each other."""
    sizes = sizes_of_shape(shape)
    try:
        stretched = np.broadcast_arrays(*parameters)
    except ValueError:
        raise RunError(f"parameters of {[list(p.shape) for p in parameters]} do not fit each other") from None
    inner = list(stretched[0].shape)
    if sizes[len(sizes) - len(inner) :] != inner or len(inner) > len(sizes):
        raise RunError(f"the shape {sizes} does not end with that of the parameters, {inner}")
    return sizes, [np.ascontiguousarray(p).reshape(-1) for p in stretched]


# Gamma


def draw_gamma(state: Philox, alpha: Array, samples: int) -> Array:
    """`samples` numbers for each alpha, computed in float64; where it is 1 the distribution is the exponential one."""
    alphas = np.repeat(alpha.astype(np.float64), samples)
    made = np.zeros(len(alphas))
    ones, others = np.flatnonzero(alphas == 1), np.flatnonzero(alphas != 1)
    made[ones] = -np.log1p(-doubles_of(turns_of(state, ones, 0))[:, 0])
    made[others] = _cubed(state, others, alphas[others])
    return made


def _cubed(state: Philox, outputs: Array, alphas: Array) -> Array:
    """The cube of a normal number, accepted by a uniform one (Marsaglia and Tsang 2000)."""
    small = alphas < 1
    d = alphas + np.where(small, 2.0 / 3, -1.0 / 3)
    c = 1.0 / 3 / np.sqrt(d)
    made = np.zeros(len(alphas))
    streams = Streams(state, outputs)
    is_open = np.ones(len(alphas), bool)
    while is_open.any():
        rows = np.flatnonzero(is_open)
        x = streams.normal(rows)
        v = 1 + c[rows] * x
        tried = ~(v <= 0)
        rows, x, v = rows[tried], x[tried], v[tried]
        v = v * v * v
        u = streams.uniform(rows)
        squeezed = u < 1 - 0.0331 * (x * x) * (x * x)
        good = squeezed | (np.log(u) < 0.5 * x * x + d[rows] * (1 - v + np.log(v)))
        done = rows[good]
        made[done] = d[done] * v[good]
        low = done[small[done]]
        made[low] *= np.power(streams.uniform(low), 1 / alphas[low])
        is_open[done] = False
    return made


def _gamma(ctx: Context, shape: Array, alpha: Array, *, seed: int = 0, seed2: int = 0) -> Array:
    sizes = sizes_of_shape(shape)
    made = draw_gamma(of_seeds(seed, seed2), alpha.reshape(-1), prod(sizes))
    return side_by_side(made.astype(ctx.dtype), [*sizes, *alpha.shape], alpha.size)


def _stateless_gamma(ctx: Context, state: Philox, shape: Array, alpha: Array) -> Array:
    sizes, (alphas,) = full_shape(shape, alpha)
    made = draw_gamma(state, alphas, _samples(sizes, alphas))
    return side_by_side(made.astype(ctx.dtype), sizes, len(alphas))


def _gamma_of_pair(ctx: Context, shape: Array, seed: Array, alpha: Array) -> Array:
    return _stateless_gamma(ctx, of_pair(seed), shape, alpha)


def _gamma_of_key(ctx: Context, shape: Array, key: Array, counter: Array, alg: Array, alpha: Array) -> Array:
    return _stateless_gamma(ctx, of_key(key, counter, alg), shape, alpha)


# Poisson


def draw_poisson(state: Philox, rate: Array, samples: int, dtype: np.dtype[Any]) -> Array:
    """`samples` numbers of events for each rate, computed in float64 (Knuth; Hörmann 1993)."""
    rates = np.repeat(rate.astype(np.float64), samples)
    if np.isnan(rates).any():
        raise RunError("a rate is not a number (NaN)")
    made = np.zeros(len(rates))
    few = np.flatnonzero(rates < FEW)
    made[few] = _counted(state, few, np.exp(-rates[few]))
    many = np.flatnonzero((rates >= FEW) & np.isfinite(rates))
    made[many] = _transformed(state, many, rates[many], dtype)
    made[np.isposinf(rates)] = np.inf if dtype.kind == "f" else 0
    return made.astype(dtype)


def _counted(state: Philox, outputs: Array, least: Array) -> Array:
    """How many uniform numbers can be multiplied before their product is no more than `least`."""
    made, product = np.zeros(len(outputs)), np.ones(len(outputs))
    open_, turn = np.arange(len(outputs)), 0
    while len(open_):
        for u in doubles_of(turns_of(state, outputs[open_], turn)).T:
            product[open_] *= u
            made[open_] += product[open_] > least[open_]  # those that are done stay below
        open_ = open_[product[open_] > least[open_]]
        turn += 1
    return made


def _transformed(state: Philox, outputs: Array, rates: Array, dtype: np.dtype[Any]) -> Array:
    made = np.zeros(len(outputs))
    highest = float(np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max)
    b = 0.931 + 2.53 * np.sqrt(rates)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    open_ = np.arange(len(outputs))
    for turn in range(MAX_TRIES):
        if not len(open_):
            return made
        u, v = doubles_of(turns_of(state, outputs[open_], turn)).T
        u = u - 0.5
        r, a_, b_ = rates[open_], a[open_], b[open_]
        near = 0.5 - np.abs(u)
        k = np.floor((2.0 * a_ / near + b_) * u + r + 0.43)
        inside = (near >= 0.07) & (v <= 0.9277 - 3.6224 / (b_ - 2.0))
        s = np.log(v * inverse[open_] / (a_ / (near * near) + b_))
        whole = np.maximum(k, 0)
        below = s <= -r + whole * np.log(r) - lgamma(whole + 1)
        good = (k <= highest) & (inside | ((k >= 0) & ~((near < 0.013) & (v > near)) & below))
        made[open_[good]] = k[good]
        open_ = open_[~good]
    raise RunError(f"numbers of the rate {rates[open_[0]]} are larger than {dtype.name} can hold")


def _poisson(ctx: Context, shape: Array, rate: Array, *, seed: int = 0, seed2: int = 0) -> Array:
    sizes = sizes_of_shape(shape)
    made = draw_poisson(of_seeds(seed, seed2), rate.reshape(-1), prod(sizes), ctx.dtype)
    return side_by_side(made, [*sizes, *rate.shape], rate.size)


def _poisson_of_pair(ctx: Context, shape: Array, seed: Array, lam: Array) -> Array:
    state = of_pair(seed)
    sizes, (rates,) = full_shape(shape, lam)
    return side_by_side(draw_poisson(state, rates, _samples(sizes, rates), ctx.dtype), sizes, len(rates))


# Binomial


def draw_binomial(state: Philox, counts: Array, chances: Array, samples: int, dtype: np.dtype[Any]) -> Array:
    """`samples` numbers of successes for each count and chance, computed in float64 (Hörmann 1993)."""
    narrow = counts.dtype.type
    turned = chances > narrow(0.5)
    rare = np.where(turned, narrow(1) - chances, chances)
    many = counts * rare >= narrow(FEW)  # in the dtype of the inputs
    none = ~(counts.astype(np.float64) > 0) | (chances <= 0)
    sure, unclear = ~none & (chances >= 1), ~none & np.isnan(chances)
    if unclear.any() and dtype.kind != "f":
        raise RunError("a chance is not a number (NaN), which integers cannot say")
    n, p = np.repeat(counts.astype(np.float64), samples), np.repeat(rare.astype(np.float64), samples)
    made = np.zeros(len(n))
    drawn = np.repeat(~none & ~sure & ~unclear, samples)
    by_box = np.repeat(many, samples)
    for rows, draw in ((np.flatnonzero(drawn & ~by_box), _inverted), (np.flatnonzero(drawn & by_box), _boxed)):
        made[rows] = draw(state, rows, n[rows], p[rows])
    flipped = drawn & np.repeat(turned, samples)
    made[flipped] = n[flipped] - made[flipped]
    made[np.repeat(sure, samples)] = n[np.repeat(sure, samples)]
    made[np.repeat(unclear, samples)] = np.nan
    return made.astype(dtype)


def _inverted(state: Philox, outputs: Array, n: Array, p: Array) -> Array:
    """How many waiting times fit into `n`."""
    made, total = np.zeros(len(outputs)), np.zeros(len(outputs))
    scale = np.log1p(-p)
    open_, turn = np.arange(len(outputs)), 0
    while len(open_):
        for u in doubles_of(turns_of(state, outputs[open_], turn, KEPT_FOR_FEW)).T:
            total[open_] += np.ceil(np.log(u) / scale[open_])
            made[open_] += ~(total[open_] > n[open_])
        open_ = open_[~(total[open_] > n[open_])]
        turn += 1
    return made


def _tail(k: Array) -> Array:
    """What Stirling's formula of the logarithm of k! lacks."""
    square = (k + 1) * (k + 1)
    series = (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)
    return np.where(k <= 9, np.array(_TAILS)[np.clip(k, 0, 9).astype(np.int64)], series)


def _boxed(state: Philox, outputs: Array, n: Array, p: Array) -> Array:
    made = np.zeros(len(outputs))
    deviation = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha, mode, ratio = (2.83 + 5.1 / b) * deviation, np.floor((n + 1) * p), p / (1 - p)
    open_ = np.arange(len(outputs))
    for turn in range(MAX_TRIES):
        if not len(open_):
            return made
        u, v = doubles_of(turns_of(state, outputs[open_], turn)).T
        u = u - 0.5
        count, a_, b_, m, r = n[open_], a[open_], b[open_], mode[open_], ratio[open_]
        near = 0.5 - np.abs(u)
        k = np.floor((2 * a_ / near + b_) * u + (count * p[open_] + 0.5))
        inside = (near >= 0.07) & (v <= 0.92 - 4.2 / b_)
        possible = (k >= 0) & (k <= count)
        held = np.clip(k, 0, count)
        bound = (
            (m + 0.5) * np.log((m + 1) / (r * (count - m + 1)))
            + (count + 1) * np.log((count - m + 1) / (count - held + 1))
            + (held + 0.5) * np.log(r * (count - held + 1) / (held + 1))
            + (_tail(m) + _tail(count - m) - _tail(held) - _tail(count - held))
        )
        good = inside | (possible & (np.log(v * alpha[open_] / (a_ / (near * near) + b_)) <= bound))
        made[open_[good]] = k[good]
        open_ = open_[~good]
    raise RunError(f"no number of {n[open_[0]]} tries with the chance {p[open_[0]]} was found")


def _binomial(state: Philox, shape: Array, counts: Array, probs: Array, dtype: np.dtype[Any]) -> tuple[Array, int, int]:
    """The numbers, for how many parameters they are, and how many for each."""
    sizes, (n, p) = full_shape(shape, counts, probs)
    inner = np.broadcast_shapes(counts.shape, probs.shape)
    samples = prod(sizes[: len(sizes) - len(inner)])
    return side_by_side(draw_binomial(state, n, p, samples, dtype), sizes, len(n)), len(n), samples


def _binomial_of_pair(ctx: Context, shape: Array, seed: Array, counts: Array, probs: Array) -> Array:
    return _binomial(of_pair(seed), shape, counts, probs, ctx.dtype)[0]


def _binomial_of_state(
    ctx: Context, state: Array, algorithm: Array, shape: Array, counts: Array, probs: Array
) -> tuple[Array, Array]:
    """200 turns of 256 are used up for four numbers of each parameter, however many were drawn."""
    held = np.dtype(ctx.output_dtypes[1].numpy)
    made, parameters, samples = _binomial(read_state(state, algorithm), shape, counts, probs, held)
    return skipped(state, parameters * 200 * (samples + 3) // 4), made


RULES: dict[str, Rule] = {
    "RandomGamma": _gamma,
    "RandomPoisson": _poisson,
    "RandomPoissonV2": _poisson,
    "StatefulRandomBinomial": _binomial_of_state,
    "StatelessRandomBinomial": _binomial_of_pair,
    "StatelessRandomGammaV2": _gamma_of_pair,
    "StatelessRandomGammaV3": _gamma_of_key,
    "StatelessRandomPoisson": _poisson_of_pair,
}
