"""Random numbers without seeds: others in each run, and what they are promised to be."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.base.dtypes import dtype_of
from cryograph.base.errors import RunError
from cryograph.engines.numpy.candidates import reserved_in
from cryograph.engines.numpy.engine import Numpy
from tests.support.op_cases import Array, Case, D, F, L, case, feeds_of, ivec, program_of

WIDE = {"aspect_ratio_range": [0.5, 2.0], "area_range": [0.05, 1.0]}
UNSEEDED = (
    case("LogUniformCandidateSampler", np.zeros((1, 1), L), num_true=1, num_sampled=50, unique=False, range_max=10**6),
    case("NonDeterministicInts", ivec(8)),
    case("NonDeterministicInts", ivec(8), dtype=dtype_of("uint32")),
    case("ParameterizedTruncatedNormal", ivec(50), F(0), F(1), F(-1), F(1)),
    case("RandomGamma", ivec(50), F(2)),
    case("RandomPoissonV2", ivec(90), D(20)),
    case("SampleDistortedBoundingBox", ivec(4000, 3000, 3), F([[[0, 0, 1, 1]]]), **WIDE),
)


def run(asked: Case) -> list[Array]:
    return Numpy().prepare(program_of(asked))(feeds_of(asked))


@pytest.mark.parametrize("asked", UNSEEDED, ids=lambda asked: asked.id)
def test_numbers_without_seeds_are_others_each_time(asked: Case) -> None:
    first, second = run(asked)[0], run(asked)[0]
    assert first.dtype == second.dtype
    assert first.shape == second.shape
    assert not np.array_equal(first, second)


def test_whole_numbers_of_chance_use_all_their_bits() -> None:
    drawn = run(case("NonDeterministicInts", ivec(1000), dtype=dtype_of("int64")))[0].view(np.uint64)
    for bit in range(64):
        assert 350 < np.count_nonzero(drawn >> np.uint64(bit) & np.uint64(1)) < 650


def test_distributions_have_the_means_they_should() -> None:
    gamma = run(case("RandomGamma", ivec(20000), D([0.3, 1, 7]), seed=1))[0]
    assert np.allclose(gamma.mean(0), [0.3, 1, 7], rtol=0.05)
    poisson = run(case("RandomPoissonV2", ivec(20000), D([0.5, 9, 80]), seed=1, dtype=dtype_of("float64")))[0]
    assert np.allclose(poisson.mean(0), [0.5, 9, 80], rtol=0.05)
    assert np.allclose(poisson.var(0), [0.5, 9, 80], rtol=0.05)
    counts = run(case("StatelessRandomBinomial", ivec(20000, 2), ivec(1, 2), D([20, 500]), D([0.2, 0.7])))[0]
    assert np.allclose(counts.mean(0), [4, 350], rtol=0.05)


@pytest.mark.parametrize(("op", "said", "words"), [
    ("RandomPoissonV2", {"rate": D(np.nan), "dtype": dtype_of("int32")}, "not a number"),
    ("RandomPoissonV2", {"rate": D(1e12), "dtype": dtype_of("int32")}, "larger than int32 can hold"),
])  # fmt: skip
def test_rates_that_tensorflow_would_draw_for_ever_are_refused(op: str, said: dict[str, object], words: str) -> None:
    rate = said.pop("rate")
    with pytest.raises(RunError, match=words):
        run(case(op, ivec(3), rate, seed=1, **said))


def test_more_classes_than_can_be_learned_are_refused() -> None:
    asked = case("LearnedUnigramCandidateSampler", np.zeros((1, 1), L), num_true=1, num_sampled=2, unique=True,
                 range_max=2**31 - 1, seed=3)  # fmt: skip
    with pytest.raises(RunError, match="too many to learn"):
        run(asked)


@pytest.mark.parametrize("attrs", [
    {"num_reserved_ids": 1 << 60, "range_max": 1 << 60},
    {"num_reserved_ids": 1 << 60, "range_max": 5, "num_shards": 2, "shard": 1},
])  # fmt: skip
def test_more_ids_than_fit_are_refused_before_they_are_counted(attrs: dict[str, int]) -> None:
    asked = case("FixedUnigramCandidateSampler", np.zeros((1, 1), L), num_true=1, num_sampled=2, unique=True, seed=3,
                 unigrams=[1.0], **attrs)  # fmt: skip
    with pytest.raises(RunError, match="ids are reserved"):
        run(asked)


def test_the_ids_of_a_shard_are_counted() -> None:
    for ids in range(9):
        for shards in range(1, 5):
            for shard in range(6):
                assert reserved_in(ids, shards, shard) == sum(n % shards == shard for n in range(ids))
