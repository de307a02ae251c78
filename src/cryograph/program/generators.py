"""Random ops with seeds in their attributes, where state is kept: each has a generator of its own that goes on from
run to run, as the op's kernel in a session of TensorFlow does.

| op                   | becomes                    |
|----------------------|----------------------------|
| RandomStandardNormal | StatefulStandardNormalV2   |
| RandomUniform        | StatefulUniform            |
| RandomUniformInt     | StatefulUniformInt         |
| TruncatedNormal      | StatefulTruncatedNormal    |
| any of KEEPING       | DRAW, which names the op   |

The generator is three numbers (int64): the counter's lower and upper half, and the key. It begins as the op's seeds
say. An op without seeds stays as it is: it draws anew each time.
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


def generator(op: Op) -> Holder | None:
    """The generator of a random op that has seeds; None for every other op."""
    if op.op not in FORMS and op.op not in KEEPING:
        return None
    seeds = [op.attrs.get(name, 0) for name in ("seed2", "seed")]
    if not any(seeds):
        return None
    start = Tensor.of(np.array([0, *seeds], np.int64), INT64)
    name = op.name + SUFFIX
    return Holder(name, (Part(name, INT64, (3,), start),), False, "variable")


def draw(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    """Puts the op that draws from a generator in the place of one that has its own."""
    part = holder.parts[0]
    if op.op in KEEPING:
        said = {"op": op.op, "said": op.attrs}
        after, *drawn = scope.emit(op, DRAW, [scope.value(part), *inputs], said, 1 + op.count)
        scope.write(part, after)
        for index, value in enumerate(drawn):
            scope.rename(op, index, value)
        return
    philox = scope.constant(f"{op.key}/algorithm", Tensor.of(np.array(1, np.int64), INT64))
    attrs = {"dtype": op.attrs.get("dtype", op.attrs.get("Tout")), "shape_dtype": op.attrs.get("T")}
    after, made = scope.emit(op, FORMS[op.op], [scope.value(part), philox, *inputs], attrs, 2)
    scope.write(part, after)
    scope.rename(op, 0, made)


DRAW = "cryograph.Draw"
"""A step of the op `op` with the attributes `said`: it takes the generator first, and gives the new one first."""

KEEPING = frozenset(
    {
        "AllCandidateSampler",
        "FixedUnigramCandidateSampler",
        "LogUniformCandidateSampler",
        "Multinomial",
        "ParameterizedTruncatedNormal",
        "RandomGamma",
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
