"""Cases of the gamma, Poisson, binomial and truncated normal distributions. Seeds make them repeatable."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Case, D, F, L, N, case, ivec, kernel_types, refusal

KEY, COUNTER = np.array([0x123456789ABCDEF0], np.uint64), np.array([0xFFFFFFFFFFFFFFFE, 7], np.uint64)
SEED, ALG = ivec(5, -9, dtype=L), np.array(1, N)
ALPHAS = np.array([0.05, 0.5, 0.9, 1.0, 1.3, 2.0, 30.0, 4000.0])
RATES = np.array([0.0, 0.3, 1.0, 4.0, 9.99, 10.0, 11.0, 57.0, 3000.0])
SHAPES = ((), (1,), (7,), (3, 50), (0,), (2, 0))


def gammas() -> Iterator[Case]:
    for kind in kernel_types("RandomGamma"):
        alphas = ALPHAS.astype(kind)
        for sizes in SHAPES:
            for wanted in (N, L):
                yield case("RandomGamma", ivec(*sizes, dtype=wanted), alphas, seed=3, seed2=4)
            yield case("RandomGamma", ivec(*sizes), alphas[2], seed=9)
            full = ivec(*sizes, 2, 4)
            yield case("StatelessRandomGammaV2", full, SEED, alphas.reshape(2, 4))
            yield case("StatelessRandomGammaV2", full.astype(L), SEED.astype(N), alphas[3])
            yield case("StatelessRandomGammaV3", full, KEY, COUNTER, ALG, alphas[4:])
        yield case("RandomGamma", ivec(400), alphas[[1, 4]], seed=-7, seed2=1 << 40)
        yield case("StatelessRandomGammaV2", ivec(400, 2), SEED, alphas[[1, 4]])
        odd = np.array([0, -0.5, -0.8, np.nan, np.inf], kind)
        yield case("RandomGamma", ivec(5), odd, seed=3)
        yield case("StatelessRandomGammaV3", ivec(5, 5), KEY, COUNTER, np.array(3, N), odd)
        yield case("RandomGamma", ivec(2), np.zeros((3, 0), kind), seed=3)
        yield case("StatelessRandomGammaV2", ivec(2, 0), SEED, np.zeros(0, kind))
    yield refusal("RandomGamma", ivec(-2), F(1), seed=3)
    yield refusal("RandomGamma", N(2), F(1), seed=3)
    yield refusal("StatelessRandomGammaV2", ivec(2), SEED, ALPHAS)
    yield refusal("StatelessRandomGammaV2", ivec(8), SEED[:1], ALPHAS)
    yield refusal("StatelessRandomGammaV3", ivec(8), KEY, COUNTER, np.array(2, N), ALPHAS)


def poissons() -> Iterator[Case]:
    for kind in kernel_types("RandomPoissonV2", "R"):
        rates = RATES.astype(kind)
        for out in kernel_types("RandomPoissonV2", "dtype"):
            said = {"dtype": dtype_of(out)}
            yield case("RandomPoissonV2", ivec(3, 20), rates, seed=3, seed2=4, **said)
            yield case("StatelessRandomPoisson", ivec(20, 3, 3), SEED, rates.reshape(3, 3), **said)
    for sizes in SHAPES:
        for wanted in (N, L):
            yield case("RandomPoissonV2", ivec(*sizes, dtype=wanted), RATES, seed=5)
            yield case("StatelessRandomPoisson", ivec(*sizes, 9, dtype=wanted), SEED, RATES, dtype=dtype_of("int32"))
        yield case("RandomPoissonV2", ivec(*sizes), RATES[4], seed=5, seed2=-3)
    yield case("RandomPoissonV2", ivec(300), RATES[[3, 5]], seed=1, seed2=2)
    yield case("RandomPoissonV2", ivec(5), D([-1, -np.inf, 3e9]), seed=1, seed2=2)
    for out in ("float16", "int32", "int64"):
        yield case("RandomPoissonV2", ivec(3), D([np.inf, 2]), seed=1, dtype=dtype_of(out))
    for kind in kernel_types("RandomPoisson", "dtype"):
        yield case("RandomPoisson", ivec(4, 9), RATES.astype(kind), seed=3, seed2=4)
        yield case("RandomPoisson", ivec(3), np.array(0.5, kind), seed=8)
    yield case("StatelessRandomPoisson", ivec(2, 0), SEED, np.zeros(0, F), dtype=dtype_of("int64"))
    yield refusal("RandomPoissonV2", ivec(-1), RATES, seed=1)
    yield refusal("StatelessRandomPoisson", ivec(2, 8), SEED, RATES, dtype=dtype_of("int64"))
    yield refusal("StatelessRandomPoisson", ivec(9), ivec(1, 2, 3), RATES, dtype=dtype_of("int64"))


def binomials() -> Iterator[Case]:
    op = "StatelessRandomBinomial"
    counts = np.array([0, 1, 5, 20, 100, 1000])
    chances = np.array([[0.0], [0.01], [0.3], [0.5], [0.7], [0.99], [1.0]])
    for kind in kernel_types(op):
        for out in kernel_types(op, "dtype"):
            for seed in (SEED, ivec(3, 8)):
                yield case(op, ivec(9, 7, 6), seed, counts.astype(kind), chances.astype(kind), dtype=dtype_of(out))
    for sizes in ((), (1,), (5,), (2, 3)):
        yield case(op, ivec(*sizes, 6), SEED, counts.astype(D), D(0.4))
        yield case(op, ivec(*sizes, 3), SEED, D(40), D([0.1, 0.5, 0.8]))
        yield case(op, ivec(*sizes), SEED, F(40), F(0.35))
    yield case(op, ivec(200, 2), SEED, D([30, 300]), D(0.2))
    yield case(op, ivec(0, 6), SEED, counts.astype(D), D(0.4))
    yield case(op, ivec(3, 0), SEED, np.zeros(0), D(0.4))
    yield case(op, ivec(2, 4), SEED, D([-3, 2, 5, 9]), D([0.5, -1, 2, np.nan]), dtype=dtype_of("float32"))
    yield refusal(op, ivec(2, 5), SEED, counts.astype(D), D(0.4))
    yield refusal(op, ivec(6), SEED[:1], counts.astype(D), D(0.4))
    yield refusal(op, ivec(6), SEED, counts.astype(D), D([0.4, 0.3]))
    yield refusal(op, N(6), SEED, counts.astype(D), D(0.4))


CASES: list[Case] = [*gammas(), *poissons(), *binomials()]
