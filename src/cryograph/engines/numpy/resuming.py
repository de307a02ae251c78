"""Random ops in a program that keeps their generators, where the op has no form that draws from one (see
`program.generators`): the op's own rule is run where the generator stands, and what TensorFlow keeps for it is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ...base.tensors import Array
from ...program.generators import DRAW, LEARN
from . import rules
from .candidates import by_counts, learn
from .context import Context, Rule, parameters
from .draws import KEPT, Philox, of_seeds
from .truncated import MAX_MISSES, ROW

_ALL = (1 << 64) - 1
Reserved = Callable[[Sequence[Array], Mapping[str, Any]], int]
"""How many turns of the generator a run takes, from the op's inputs and attributes."""


def _choices(inputs: Sequence[Array], said: Mapping[str, Any]) -> int:
    """Doubles, two words each, in groups of four samples."""
    logits, count = inputs
    return len(logits) * (-(-int(count) // 4) * 4) * 2 * KEPT


def _shuffled(inputs: Sequence[Array], said: Mapping[str, Any]) -> int:
    count: int = inputs[0].shape[0] if inputs[0].ndim and inputs[0].size > 1 else 0
    return max(-(-(count - 1) // 4), 0)


def _each_for(inputs: Sequence[Array], said: Mapping[str, Any]) -> int:
    """Some numbers for each parameter, each of which may be drawn again."""
    shape, parameter = inputs
    return int(prod(shape.tolist())) * parameter.size * KEPT


def _truncated(inputs: Sequence[Array], said: Mapping[str, Any]) -> int:
    """Pairs of numbers that may be drawn again a thousand times, for each row of numbers."""
    sizes = inputs[0].tolist()
    rows, each = sizes[0], prod(sizes[1:])
    if all(parameter.size == 1 for parameter in inputs[1:]):
        rows, each = -(-rows * each // ROW), ROW
    return int(rows * 2 * MAX_MISSES * (each + 3) // 4)


def _attempts(inputs: Sequence[Array], said: Mapping[str, Any]) -> int:
    return int(said["max_attempts"])


def _cropped(inputs: Sequence[Array], said: Mapping[str, Any]) -> int:
    """Two words."""
    return 1


def _sampled(inputs: Sequence[Array], said: Mapping[str, Any]) -> int:
    return int(said["num_sampled"]) * 2048 // 4


def _draw(ctx: Context, state: Array, *inputs: Array, op: str, said: Mapping[str, Any]) -> tuple[Array, ...]:
    low, high, key = (int(n) & _ALL for n in state)
    rule = rules.RULES[op]
    kwargs = {name: value for name, value in said.items() if name in parameters(rule)}
    # `of_seeds` takes the turns that went by above the bits of the second seed.
    kwargs |= {"seed": key, "seed2": low << 64 | high}
    made = rule(replace(ctx, output_dtypes=ctx.output_dtypes[1:]), *inputs, **kwargs)
    after = _moved(state, RESERVED[op](inputs, said))
    return (after, *(made if isinstance(made, tuple) else (made,)))


def _moved(state: Array, count: int) -> Array:
    """The generator after so many turns."""
    low, high = (int(n) & _ALL for n in state[:2])
    turns = (low | high << 64) + count
    after = state.copy()
    after[:2] = np.array([turns & _ALL, turns >> 64 & _ALL], np.uint64).view(np.int64)
    return after


def _learn(ctx: Context, counts: Array, *inputs: Array, op: str, said: Mapping[str, Any]) -> tuple[Array, ...]:
    """Draws as the counts of earlier runs say, then counts the true classes."""
    *states, classes = inputs
    if states:
        low, high, key = (int(n) & _ALL for n in states[0])
        state = Philox(key, low | high << 64)
    else:
        state = of_seeds(0, 0)
    how = {name: said[name] for name in ("num_true", "num_sampled", "unique", "range_max")}
    made = by_counts(counts, classes, state=state, **how)
    after = learn(counts, classes, said["range_max"])
    return (after, *(_moved(each, _sampled(inputs, said)) for each in states), *made)


RESERVED: dict[str, Reserved] = {
    "AllCandidateSampler": _sampled,
    "FixedUnigramCandidateSampler": _sampled,
    "LogUniformCandidateSampler": _sampled,
    "Multinomial": _choices,
    "ParameterizedTruncatedNormal": _truncated,
    "RandomCrop": _cropped,
    "RandomGamma": _each_for,
    "RandomPoisson": _each_for,
    "RandomPoissonV2": _each_for,
    "RandomShuffle": _shuffled,
    "SampleDistortedBoundingBox": _attempts,
    "SampleDistortedBoundingBoxV2": _attempts,
    "UniformCandidateSampler": _sampled,
}

RULES: dict[str, Rule] = {DRAW: _draw, LEARN: _learn}
