"""Cases of what is sampled, put into a random order or chosen at random. Seeds make them repeatable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import (
    FORMS,
    Array,
    Case,
    F,
    L,
    N,
    case,
    floats,
    ints,
    ivec,
    kernel_types,
    refusal,
    values,
)

KEY, COUNTER = np.array([0x123456789ABCDEF0], np.uint64), np.array([0xFFFFFFFFFFFFFFFE, 7], np.uint64)
SEED, ALG = ivec(5, -9, dtype=L), np.array(1, N)
TRUE = ivec([0, 3], [1, 6], [2, 0], dtype=L)


def truncated() -> Iterator[Case]:
    """All three ways of drawing: of normal, uniform and exponential numbers; from below and above, and mirrored."""
    bounds = ((-1, 1), (-2, 0.5), (0, 3), (-9, 9), (2, 2.2), (3, 9), (-9, -3), (1, np.inf), (-np.inf, -2), (-0.3, 0.2))
    for kind in kernel_types("ParameterizedTruncatedNormal", "dtype"):
        real = np.dtype(kind).type
        for low, high in bounds:
            given = real(0.25), real(1.5), real(low), real(high)
            for sizes in ((7,), (3, 50), (2, 3, 20)):
                yield case("ParameterizedTruncatedNormal", ivec(*sizes), *given, seed=3, seed2=4)
                yield case("StatelessParameterizedTruncatedNormal", ivec(*sizes), SEED, *given)
        rows = tuple(np.array(column, kind) for column in zip(*((0.5, 2, *pair) for pair in bounds), strict=True))
        for wanted in (N, L):
            yield case("ParameterizedTruncatedNormal", ivec(10, 13, dtype=wanted), *rows, seed=3, seed2=4)
            yield case("StatelessParameterizedTruncatedNormal", ivec(13, 10, dtype=wanted), SEED.astype(wanted), *rows)
        yield case("ParameterizedTruncatedNormal", ivec(4), real(0), real(1), real([-1]), real(1), seed=8)
        yield case("StatelessParameterizedTruncatedNormal", ivec(5, 2, 3), SEED,
                   real([0, 1, 2]), real([[1], [2]]), real(-1), real(3))  # fmt: skip
    plain = F(0), F(1), F(-1), F(1)
    for sizes in ((0,), (0, 3), (3, 0)):
        yield case("ParameterizedTruncatedNormal", ivec(*sizes), *plain, seed=3)
        yield case("StatelessParameterizedTruncatedNormal", ivec(*sizes), SEED, *plain)
    yield case("StatelessParameterizedTruncatedNormal", ivec(), SEED, *plain)
    for given in ((F(0), F(0), F(-1), F(1)), (F(0), F(1), F(1), F(1)), (F(0), F(1), F(-np.inf), F(np.inf))):
        yield refusal("ParameterizedTruncatedNormal", ivec(3), *given, seed=3)
        yield refusal("StatelessParameterizedTruncatedNormal", ivec(3), SEED, *given)
    yield refusal("ParameterizedTruncatedNormal", ivec(), *plain, seed=3)
    yield refusal("ParameterizedTruncatedNormal", ivec(3), F([0, 0]), *plain[1:], seed=3)
    yield refusal("ParameterizedTruncatedNormal", ivec(3), F([[0, 0, 0]]), *plain[1:], seed=3)
    yield refusal("StatelessParameterizedTruncatedNormal", ivec(3, 4), SEED, F([0, 0]), *plain[1:])


def candidates() -> Iterator[Case]:
    learned = ("LearnedUnigramCandidateSampler", "ThreadUnsafeUnigramCandidateSampler")
    for op in ("UniformCandidateSampler", "LogUniformCandidateSampler", *learned):
        for unique, count in product((False, True), (1, 5, 8)):
            yield case(op, TRUE, num_true=2, num_sampled=count, unique=unique, range_max=8, seed=3, seed2=4)
        for range_max in (7, 9, 1000, 10**6 + 1):
            for unique in (False, True):
                yield case(op, TRUE, num_true=2, num_sampled=7, unique=unique, range_max=range_max, seed=5)
        yield case(op, TRUE, num_true=2, num_sampled=600, unique=True, range_max=700, seed=5, seed2=-6)
        yield case(op, np.zeros((0, 1), L), num_true=1, num_sampled=3, unique=True, range_max=5, seed=2)
        yield refusal(op, TRUE, num_true=2, num_sampled=9, unique=True, range_max=8, seed=3)
        yield refusal(op, TRUE, num_true=2, num_sampled=2, unique=True, range_max=6, seed=3)
        yield refusal(op, -TRUE, num_true=2, num_sampled=2, unique=True, range_max=8, seed=3)
        yield refusal(op, TRUE, num_true=1, num_sampled=2, unique=True, range_max=8, seed=3)
        yield refusal(op, TRUE[0], num_true=2, num_sampled=2, unique=True, range_max=8, seed=3)
    for op in ("UniformCandidateSampler", "LogUniformCandidateSampler"):
        yield case(op, TRUE, num_true=2, num_sampled=50, unique=False, range_max=2**62 + 3, seed=3)
    for unique in (False, True):
        yield case("AllCandidateSampler", TRUE, num_true=2, num_sampled=8, unique=unique, seed=1)
    yield case("AllCandidateSampler", TRUE, num_true=2, num_sampled=7, unique=False)
    yield refusal("AllCandidateSampler", TRUE, num_true=2, num_sampled=5, unique=False)


def unigrams() -> Iterator[Case]:
    op, said = "FixedUnigramCandidateSampler", {"num_true": 2, "seed": 3, "seed2": 4}
    weights = [0.5, 3.0, 0.0, 1.25, 7.0, 2.0, 0.75, 1.0]
    for unique, count, distortion in product((False, True), (1, 5, 7), (1.0, 0.75, 0.0)):
        yield case(
            op, TRUE, num_sampled=count, unique=unique, range_max=8, unigrams=weights, distortion=distortion, **said
        )
    many = [float(F(1 / (n + 2))) for n in range(700)]
    yield case(op, TRUE, num_sampled=90, unique=True, range_max=700, unigrams=many, **said)
    yield case(op, TRUE, num_sampled=90, unique=False, range_max=703, unigrams=many, num_reserved_ids=3, **said)
    # Each shard counts its weights from the ids that are reserved in it.
    for shards, shard, reserved, size in ((2, 0, 0, 350), (2, 1, 3, 351), (3, 2, 1, 233), (3, 0, 4, 235)):
        yield case(op, TRUE, num_sampled=40, unique=True, range_max=size, unigrams=many, num_reserved_ids=reserved,
                   num_shards=shards, shard=shard, **said)  # fmt: skip
    yield refusal(op, TRUE, num_sampled=3, unique=False, range_max=8, **said)
    yield refusal(op, TRUE, num_sampled=3, unique=False, range_max=9, unigrams=weights, **said)
    yield refusal(op, TRUE, num_sampled=3, unique=False, range_max=8, unigrams=weights, vocab_file="words.csv", **said)
    yield refusal(op, TRUE, num_sampled=9, unique=True, range_max=8, unigrams=weights, **said)
    yield refusal(op, TRUE + 5, num_sampled=3, unique=True, range_max=8, unigrams=weights, **said)


def boxes() -> Iterator[Case]:
    objects = F([[[0.1, 0.2, 0.5, 0.9], [0.6, 0.6, 0.65, 0.7]]])
    wide: dict[str, Any] = {"aspect_ratio_range": [0.75, 1.33], "area_range": [0.05, 1.0]}
    for kind in kernel_types("SampleDistortedBoundingBox"):
        size = np.array([120, 97, 3], kind)
        yield case("SampleDistortedBoundingBox", size, objects, seed=3, seed2=4, **wide)
        yield case("SampleDistortedBoundingBoxV2", size, objects, F(0.3), seed=3, seed2=4, **wide)
        for wanted in (N, L):
            yield case("StatelessSampleDistortedBoundingBox", size, objects, F(0.3), SEED.astype(wanted), **wide)
    sizes = (ivec(480, 640, 3), ivec(33, 1000, 1), ivec(5, 4, 3), ivec(1, 1, 3))
    shapes = (([0.5, 2.0], [0.1, 0.4]), ([3.0, 3.0], [0.01, 0.02]), ([0.9, 1.1], [0.9, 1.0]), ([0.2, 9.0], [0.5, 0.5]))
    for size, (ratios, areas), covered, seed in product(sizes, shapes, (0.0, 0.5, 1.0), (1, 2)):
        said = {"aspect_ratio_range": ratios, "area_range": areas, "max_attempts": 7}
        yield case("StatelessSampleDistortedBoundingBox", size, objects, F(covered), ivec(seed, 9), **said)
        yield case("SampleDistortedBoundingBox", size, objects, min_object_covered=covered, seed=seed, **said)
    none = np.zeros((1, 0, 4), F)
    yield case("SampleDistortedBoundingBox", sizes[0], none, use_image_if_no_bounding_boxes=True, seed=5, **wide)
    yield case(
        "SampleDistortedBoundingBoxV2", sizes[0], none, F(0.9), use_image_if_no_bounding_boxes=True, seed=5, **wide
    )
    yield case("StatelessSampleDistortedBoundingBox", sizes[0], none, F(0.9), SEED,
               use_image_if_no_bounding_boxes=True, max_attempts=1, **wide)  # fmt: skip
    for attrs in (
        {"area_range": [0.0, 1.0]},
        {"area_range": [0.5, 1.5]},
        {"area_range": [0.5]},
        {"aspect_ratio_range": [0.0, 1.0]},
        {"aspect_ratio_range": [1.0, 1.0, 1.0]},
        {"max_attempts": 0},
        {"min_object_covered": -0.5},
    ):
        yield refusal("SampleDistortedBoundingBox", sizes[0], objects, seed=5, **{**wide, **attrs})
    for op in ("SampleDistortedBoundingBoxV2",):
        yield refusal(op, sizes[0], none, F(0.1), seed=5, **wide)
        yield refusal(op, sizes[0], objects * 2, F(0.1), seed=5, **wide)
        yield refusal(op, sizes[0], objects[0], F(0.1), seed=5, **wide)
        yield refusal(op, sizes[0], objects, F(-0.1), seed=5, **wide)
        yield refusal(op, sizes[0][:2], objects, F(0.1), seed=5, **wide)
        yield refusal(op, ivec(-4, 5, 3), objects, F(0.1), seed=5, **wide)
    yield refusal("StatelessSampleDistortedBoundingBox", sizes[0], objects, F(0.1), ivec(1, 2, 3), **wide)


def crops() -> Iterator[Case]:
    for kind in kernel_types("RandomCrop"):
        for number, size in enumerate(((5, 4), (9, 4), (2, 11), (9, 11), (0, 3))):
            yield case("RandomCrop", values(kind, 9, 11, 2), ivec(*size, dtype=L), seed=number + 1, seed2=5)
    yield refusal("RandomCrop", floats(9, 11, 2), ivec(10, 4, dtype=L), seed=1)
    yield refusal("RandomCrop", floats(9, 11, 2), ivec(9, 12, dtype=L), seed=1)
    yield refusal("RandomCrop", floats(9, 11), ivec(3, 2, dtype=L), seed=1)
    yield refusal("RandomCrop", floats(9, 11, 2), ivec(3, 2, 2, dtype=L), seed=1)


def orders() -> Iterator[Case]:
    op = "StatelessShuffle"
    for kind in kernel_types(op):
        yield case(op, values(kind, 9), KEY, COUNTER, ALG)
        yield case(op, values(kind, 7, 3), KEY, COUNTER, np.array(3, N))
    for x in (floats(1), floats(0), floats(3, 0), floats(1, 5), np.arange(300), F(4)):
        yield case(op, x, KEY, COUNTER, ALG)
    yield refusal(op, floats(5), KEY, COUNTER, np.array(2, N))
    op = "RandomIndexShuffle"
    for kind in kernel_types(op, "dtype"):
        held = np.dtype(kind)
        for most in (1, 4, 100, 65535, 65536, 70000, 2**24, 2**31 - 1):
            for rounds in (4, 8):
                index = (np.arange(9) * (most / 8)).astype(held)
                yield case(op, index, ivec(1, -2, 3), held.type(most), rounds=rounds)
                yield case(op, index[5], ivec(7, 8, 9, dtype=L), held.type(most), rounds=rounds)
        yield case(op, held.type(3), ivec(1, 2, 3), np.array([3, 40, 9000], held))
        yield case(op, held.type(3), ints(4, 3, dtype=np.uint32, low=0), held.type(30))
        yield case(op, np.array([0, 2, 4], held), ints(3, 3, dtype=np.uint64, low=0), np.array([5, 2, 70], held))
        yield refusal(op, np.zeros(0, held), ivec(1, 2, 3), held.type(9))
    for most in (2**33, 2**47 + 1, 2**62 + 5):
        yield case(op, ivec(0, 1, 12345, 2**33, dtype=L), ivec(4, 5, 6), L(most), rounds=6)
    yield case(op, N(0), ivec(1, 2, 3), N(0))
    yield refusal(op, N(5), ivec(1, 2, 3), N(4))
    yield refusal(op, N(-1), ivec(1, 2, 3), N(4))
    yield refusal(op, N(1), ivec(1, 2), N(4))
    yield refusal(op, ivec(1, 2), ivec(1, 2, 3), ivec(4, 5, 6))


def evenly() -> Iterator[Case]:
    for kind in ("float32", "float64"):
        for size, count, skip in ((1, 9, 0), (2, 70, 0), (40, 5, 1), (1111, 4, 3), (1111, 2, 2**29 - 1),
                                  (5, 33, 1000), (3, 4, 2**30), (7, 1, 2**31 - 3), (2, 1500, 77)):  # fmt: skip
            yield case("SobolSample", N(size), N(count), N(skip), dtype=dtype_of(kind), tolerance=0.0)
    for size, count, skip in ((0, 1, 0), (21201, 1, 0), (2, 0, 0), (2, 1, -1), (2, 5, 2**31 - 5)):
        yield refusal("SobolSample", N(size), N(count), N(skip))


def clusters() -> Iterator[Case]:
    for seed in (0, 7, -5, 2**40 + 3):
        for count in (1, 2, 30, 500):
            yield case("KMC2ChainInitialization", floats(count, low=0, seed=seed % 9), L(seed))
        for wanted, retries in product((1, 2, 5, 12), (0, 1, 3, -1)):
            # Whole numbers are added up exactly, in any order.
            points = ints(12 + wanted, 3, seed=retries + 2, low=-20, high=20).astype(F)
            yield case("KmeansPlusPlusInitialization", points, L(wanted), L(seed), L(retries))
        yield case("KmeansPlusPlusInitialization", floats(200, 8), L(9), L(seed), L(2))
    yield refusal("KMC2ChainInitialization", floats(0), L(1))
    yield refusal("KMC2ChainInitialization", floats(2, 2), L(1))
    yield refusal("KMC2ChainInitialization", floats(2), ivec(1, dtype=L))
    yield refusal("KmeansPlusPlusInitialization", floats(3), L(1), L(1), L(1))
    yield refusal("KmeansPlusPlusInitialization", floats(3, 2), L(4), L(1), L(1))
    yield refusal("KmeansPlusPlusInitialization", floats(3, 2), L(0), L(1), L(1))
    yield refusal("KmeansPlusPlusInitialization", floats(3, 2), L(1), ivec(1, dtype=L), L(1))


def _shape_only(case: Case, answers: Sequence[Array]) -> list[Array]:
    return [np.zeros_like(answer) for answer in answers]


FORMS["shape"] = _shape_only


def anything() -> Iterator[Case]:
    """The numbers are others each time (tests/engines/test_random.py says so); dtype and shape are proved here."""
    for kind in kernel_types("NonDeterministicInts", "dtype"):
        for sizes in ((), (0,), (3, 5)):
            for wanted in (N, L):
                yield case("NonDeterministicInts", ivec(*sizes, dtype=wanted), dtype=dtype_of(kind), form="shape")
    yield refusal("NonDeterministicInts", ivec(-1, dtype=L))


CASES: list[Case] = [
    *truncated(), *candidates(), *unigrams(), *boxes(),
    *crops(), *orders(), *evenly(), *clusters(), *anything(),
]  # fmt: skip
