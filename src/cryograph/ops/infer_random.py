"""Shapes of random numbers, samplers of candidates and generators."""

from __future__ import annotations

from ..base.shapes import Shape
from .facts import Call, Dim, Rule, merge_dim
from .infer_common import Result, every, fixed, same_as_input, scalars, shape_input


def _per_rate(call: Call) -> Result:
    """RandomGamma: the shape asked for, then that of the rates."""
    return [_joined(call.dims(0), call.shape(1))]


def _joined(a: Shape, b: Shape) -> Shape:
    return None if a is None or b is None else (*a, *b)


def _multinomial(call: Call) -> Result:
    return [(call.ranked(0, 2)[0], call.scalar(1))]


def _binomial(call: Call) -> Result:
    return [call.dims(2)]


def _stateful(call: Call) -> Result:
    return [call.dims(2)]


def _candidates(call: Call) -> Result:
    rows = call.ranked(0, 2)[0]
    count = call.integer("num_sampled")
    return [(count,), (rows, call.integer("num_true")), (count,)]


def _accidental_hits(call: Call) -> Result:
    return [(None,), (None,), (None,)]


def _index_shuffle(call: Call) -> Result:
    """Indices, seeds and bounds may each be one or many."""
    ranks = [None if fact.shape is None else len(fact.shape) for fact in call.inputs[:3]]
    many = [ranks[0] == 1, ranks[1] == 2, ranks[2] == 1]
    if not any(many):
        return [() if ranks == [0, 1, 0] else None]
    size: Dim = None
    for fact, is_many in zip(call.inputs, many, strict=False):
        size = merge_dim(size, fact.shape[0]) if is_many and fact.shape else size
    return [(size,)]


_SHAPE_FIRST = (
    "RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal"
    " NonDeterministicInts StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform"
    " StatelessRandomUniformV2 StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformFullInt"
    " StatelessRandomUniformFullIntV2 StatelessTruncatedNormal StatelessTruncatedNormalV2"
    " StatelessParameterizedTruncatedNormal StatelessRandomPoisson"
    " StatelessRandomGammaV2 StatelessRandomGammaV3"
)
_STATEFUL = "StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt"
_SAMPLERS = (
    "FixedUnigramCandidateSampler LearnedUnigramCandidateSampler LogUniformCandidateSampler"
    " ThreadUnsafeUnigramCandidateSampler UniformCandidateSampler"
)

INFER: dict[str, Rule] = {
    **every(shape_input(0), _SHAPE_FIRST),
    **every(_stateful, _STATEFUL),
    **every(_candidates, _SAMPLERS),
    "AllCandidateSampler": _candidates,
    "ComputeAccidentalHits": _accidental_hits,
    "Multinomial": _multinomial,
    "RandomGamma": _per_rate,
    "RandomIndexShuffle": _index_shuffle,
    "RandomPoisson": _per_rate,
    "RandomPoissonV2": _per_rate,
    "RandomShuffle": same_as_input,
    "RngReadAndSkip": fixed((3,)),
    "StatefulRandomBinomial": _binomial,
    "StatefulStandardNormal": shape_input(1),
    "StatelessMultinomial": _multinomial,
    "StatelessRandomBinomial": shape_input(0),
    "StatelessRandomGetAlg": scalars,
    "StatelessRandomGetKeyCounter": fixed((1,), (2,)),
    "StatelessRandomGetKeyCounterAlg": fixed((1,), (2,), ()),
    "StatelessShuffle": same_as_input,
    "KMC2ChainInitialization": scalars,
}
