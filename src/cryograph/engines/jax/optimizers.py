"""Steps of optimizers: the reference engine's formulas, on whole variables or on rows of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..numpy.context import Rule
from ..numpy.forms import of_signature
from ..numpy.optimizers import OPTIMIZERS, Formula, told
from ..numpy.optimizers import RULES as PLAIN
from .context import JaxContext


def _rows(formula: Formula, slots: int, names: Sequence[str], attrs: Mapping[str, bool], plain: Rule) -> Rule:
    """A step on rows; where a row is named more than once, once for each, in order."""

    def rule(ctx: JaxContext, *inputs: Any, **given: bool) -> tuple[Any, ...]:
        xp, how = ctx.xp, {**attrs, **given}
        held, rest = told(ctx, slots, names, inputs)
        state, shape = tuple(xp.asarray(value) for value in held), held[0].shape
        grad, indices = xp.asarray(rest.pop("grad")), rest.pop("indices")
        if not indices.size:
            return state
        places = xp.asarray(indices)
        turns = _turns(xp, places)

        def go_on(held: tuple[Any, ...]) -> Any:
            return held[0] <= turns.max()

        def turn(held: tuple[Any, ...]) -> tuple[Any, ...]:
            now, *values = held
            # What is not of this turn is moved past the end, where nothing is written.
            rows = xp.where((turns == now) & (places >= 0), places, shape[0])
            after = formula(xp, *(xp.take(v, rows, 0, mode="clip") for v in values), grad=grad, **rest, **how)
            pairs = zip(values, after, strict=True)
            return (now + 1, *(v.at[rows].set(xp.asarray(new, v.dtype), mode="drop") for v, new in pairs))

        return tuple(ctx.lax.while_loop(go_on, turn, (xp.asarray(0), *state))[1:])

    return of_signature(rule, plain)


def _turns(xp: Any, indices: Any) -> Any:
    """For each index how many equal ones come before it."""
    order = xp.argsort(indices, stable=True)
    ranked = indices[order]
    place = np.arange(ranked.shape[0])
    first = xp.concatenate([xp.ones(1, bool), ranked[1:] != ranked[:-1]])
    starts = xp.sort(xp.where(first, place, 0))  # they rise, and each stands for those that follow it
    own = starts[xp.searchsorted(starts, place, side="right") - 1]
    return xp.zeros_like(order).at[order].set(place - own)


def _rules() -> Iterator[tuple[str, Rule]]:
    for word, (attrs, formula, slots, names, _) in OPTIMIZERS.items():
        listed = names.replace("grad", "grad indices").split()
        for holder in ("", "Resource"):
            op = f"{holder}SparseApply{word}"
            if op in PLAIN:
                yield op, _rows(formula, slots, listed, attrs, PLAIN[op])


RULES: dict[str, Rule] = {**PLAIN, **dict(_rules())}
