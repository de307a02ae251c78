"""Random ops with seeds in their attributes, where state is kept: each has a generator of its own that goes on from
run to run, as the op's kernel in a session of TensorFlow does.

| op                   | becomes                    |
|----------------------|----------------------------|
| RandomStandardNormal | StatefulStandardNormalV2   |
| RandomUniform        | StatefulUniform            |
| RandomUniformInt     | StatefulUniformInt         |
| TruncatedNormal      | StatefulTruncatedNormal    |
| any of KEEPING       | DRAW, which names the op   |
| any of LEARNING      | LEARN, which names the op  |

The generator is three numbers (int64): the counter's lower and upper half, and the key. It begins as the op's seeds
say. An op without seeds stays as it is: it draws anew each time. What an op has learned is kept with and without seeds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.dtypes import INT64
from ..base.tensors import Tensor
from .draft import Op
from .holders import Holder, Part
from .scope import Scope

SUFFIX = "/generator"
"""What the name of a generator ends in, after that of its op."""
LEARNED = "/learned"
"""What the name of that ends in which an op has learned."""


def generator(op: Op) -> Holder | None:
    """What a random op keeps: a generator where it has seeds, and before it what it has learned, where it learns. None
    for every other op."""
    if op.op not in FORMS and op.op not in KEEPING and op.op not in LEARNING:
        return None
    parts: list[Part] = []
    if op.op in LEARNING:
        parts.append(Part(op.name + LEARNED, INT64, (None,), Tensor.of(np.zeros(0, np.int64), INT64)))
    seeds = [op.attrs.get(name, 0) for name in ("seed2", "seed")]
    if any(seeds):
        start = Tensor.of(np.array([0, *seeds], np.int64), INT64)
        parts.append(Part(op.name + SUFFIX, INT64, (3,), start))
    return Holder(parts[-1].name, tuple(parts), False, "variable") if parts else None


def draw(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    """Puts the op that draws from a generator in the place of one that has its own."""
    part = holder.parts[0]
    if op.op in KEEPING or op.op in LEARNING:
        said = {"op": op.op, "said": op.attrs}
        kept = [scope.value(each) for each in holder.parts]
        made = scope.emit(op, LEARN if op.op in LEARNING else DRAW, [*kept, *inputs], said, len(kept) + op.count)
        for each, after in zip(holder.parts, made, strict=False):
            scope.write(each, after)
        for index, value in enumerate(made[len(kept) :]):
            scope.rename(op, index, value)
        return
    philox = scope.constant(f"{op.key}/algorithm", Tensor.of(np.array(1, np.int64), INT64))
    attrs = {"dtype": op.attrs.get("dtype", op.attrs.get("Tout")), "shape_dtype": op.attrs.get("T")}
    after, drawn = scope.emit(op, FORMS[op.op], [scope.value(part), philox, *inputs], attrs, 2)
    scope.write(part, after)
    scope.rename(op, 0, drawn)


DRAW = "cryograph.Draw"
"""A step of the op `op` with the attributes `said`: it takes the generator first, and gives the new one first."""

LEARN = "cryograph.Learn"
"""The same of an op that learns: what it has learned, then the generator where it has seeds, and the new ones come
first."""

LEARNING = frozenset({"LearnedUnigramCandidateSampler", "ThreadUnsafeUnigramCandidateSampler"})
"""Ops that draw a class the more often the more often it was a true one in earlier runs. What is learned is how often
each class was, int64; nothing at first."""

KEEPING = frozenset(
    {
        "AllCandidateSampler",
        "FixedUnigramCandidateSampler",
        "LogUniformCandidateSampler",
        "Multinomial",
        "ParameterizedTruncatedNormal",
        "RandomCrop",
        "RandomGamma",
        "RandomPoisson",
        "RandomPoissonV2",
        "RandomShuffle",
        "SampleDistortedBoundingBox",
        "SampleDistortedBoundingBoxV2",
        "UniformCandidateSampler",
    }
)
"""Further ops whose kernels keep a generator from run to run."""

FORMS: dict[str, str] = {
    "RandomStandardNormal": "StatefulStandardNormalV2",
    "RandomUniform": "StatefulUniform",
    "RandomUniformInt": "StatefulUniformInt",
    "TruncatedNormal": "StatefulTruncatedNormal",
}
