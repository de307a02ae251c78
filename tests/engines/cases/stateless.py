"""Cases of random numbers: the same bits as TensorFlow's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, L, N, case, floats, ivec, kernel_types, refusal, strings

SHAPES = ((0,), (1,), (3,), (4,), (5,), (2, 3, 7), (257,), (1000,))
KEY, COUNTER = np.array([0x123456789ABCDEF0], np.uint64), np.array([0xFFFFFFFFFFFFFFFE, 7], np.uint64)
SEED = ivec(5, -9, dtype=L)
FLOATS = ("float16", "bfloat16", "float32", "float64")
LOOSE = 2e-6  # sine, cosine and logarithm differ in their last bits


def shape_of(*sizes: int) -> Array:
    return np.array(sizes, N)


def floating() -> Iterator[Case]:
    alg = np.array(1, N)
    for kind in FLOATS:
        said = {"dtype": dtype_of(kind)}
        for sizes in SHAPES:
            shape = shape_of(*sizes)
            for word in ("RandomUniform", "RandomNormal", "TruncatedNormal"):
                loose = 0.0 if word == "RandomUniform" else LOOSE
                yield case(f"Stateless{word}V2", shape, KEY, COUNTER, alg, tolerance=loose, **said)
                yield case(f"Stateless{word}", shape, SEED, tolerance=loose, **said)
            for op in ("RandomStandardNormal", "TruncatedNormal"):
                yield case(op, shape, tolerance=LOOSE, seed=3, seed2=4, **said)
    yield case("StatelessRandomUniformV2", shape_of(9), KEY, COUNTER, np.array(3, N), tolerance=0.0)
    yield case("StatelessRandomUniform", shape_of(9), ivec(1, 2), tolerance=0.0)
    yield refusal("StatelessRandomUniform", shape_of(-1), SEED)
    yield refusal("StatelessRandomUniform", shape_of(2), SEED[:1])
    yield refusal("StatelessRandomUniformV2", shape_of(2), KEY, COUNTER, np.array(9, N))


def whole() -> Iterator[Case]:
    alg = np.array(1, N)
    for sizes in SHAPES:
        shape = shape_of(*sizes)
        for kind in kernel_types("StatelessRandomUniformIntV2", "dtype"):
            held = np.dtype(kind)
            low = np.array(0 if held.kind == "u" else -5, held)
            for high in (np.array(7, held), np.array(np.iinfo(held).max, held)):
                yield case("StatelessRandomUniformIntV2", shape, KEY, COUNTER, alg, low, high)
                if kind in ("int32", "int64"):
                    yield case("StatelessRandomUniformInt", shape, SEED, low, high)
                    yield case("RandomUniformInt", shape, low, high, seed=3, seed2=4)
        for kind in kernel_types("StatelessRandomUniformFullIntV2", "dtype"):
            yield case("StatelessRandomUniformFullIntV2", shape, KEY, COUNTER, alg, dtype=dtype_of(kind))
            yield case("StatelessRandomUniformFullInt", shape, SEED, dtype=dtype_of(kind))
    yield refusal("StatelessRandomUniformInt", shape_of(2), SEED, np.array(3, N), np.array(3, N))
    yield refusal("RandomUniformInt", shape_of(2), np.array(3, N), np.array(2, N))


def states() -> Iterator[Case]:
    for seed in (SEED, ivec(0, 0, dtype=L), ivec(2**31 - 1, -1), ivec(-(2**62), 2**61, dtype=L)):
        yield case("StatelessRandomGetKeyCounter", seed)
        yield case("StatelessRandomGetKeyCounterAlg", seed)
    yield case("StatelessRandomGetAlg")
    yield refusal("StatelessRandomGetKeyCounter", SEED[:1])


def choices() -> Iterator[Case]:
    for x in (floats(7), floats(5, 2), strings(b"a", b"b", b"c"), floats(1), floats(0), np.arange(100)):
        for seed in (3, 8):
            yield case("RandomShuffle", x, seed=seed, seed2=4)
    for kind in ("float32", "float64", "float16"):
        logits = floats(3, 5, dtype=np.dtype(kind))
        for out in ("int32", "int64"):
            yield case("Multinomial", logits, N(9), seed=3, seed2=4, output_dtype=dtype_of(out))
            yield case("StatelessMultinomial", logits, N(6), SEED, output_dtype=dtype_of(out))
    yield case("Multinomial", np.array([[-1, -np.inf, -1], [-np.inf, -np.inf, 0]]), N(20), seed=1, seed2=2)
    yield refusal("Multinomial", floats(5), N(2), seed=1)


CASES: list[Case] = [*floating(), *whole(), *states(), *choices()]
