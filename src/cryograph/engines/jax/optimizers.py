"""Steps of optimizers: the reference engine's formulas, on whole variables or on rows of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from ..numpy.optimizers import OPTIMIZERS, Formula
from .arrays import of_signature
from .context import JaxContext, check


def _rows(formula: Formula, slots: int, names: Sequence[str], plain: Rule) -> Rule:
    """A step on rows; where a row is named more than once, once for each, in order."""

    def rule(ctx: JaxContext, *inputs: Any, **attrs: bool) -> tuple[Any, ...]:
        xp = ctx.xp
        state = tuple(xp.asarray(value) for value in inputs[:slots])
        rest = dict(zip(names, inputs[slots:], strict=True))
        grad, indices, shape = xp.asarray(rest.pop("grad")), rest.pop("indices"), state[0].shape
        for name, value in rest.items():
            if value.ndim:
                raise RunError(f"{name} is a single number, not {list(value.shape)}")
        if any(slot.shape != shape for slot in state):
            raise RunError(f"a variable {list(shape)} has slots {[list(slot.shape) for slot in state[1:]]}")
        if not shape or indices.ndim != 1:
            raise RunError(f"rows {list(indices.shape)} of a variable {list(shape)} cannot be stepped")
        if grad.shape != (indices.shape[0], *shape[1:]):
            raise RunError(f"the gradient {list(grad.shape)} does not fit {indices.shape[0]} rows of {list(shape)}")
        check((indices < 0) | (indices >= shape[0]), f"an index is not in [0, {shape[0]})")
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
            after = formula(xp, *(xp.take(v, rows, 0, mode="clip") for v in values), grad=grad, **rest, **attrs)
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
    for word, (make, formula, slots, names, kinds) in OPTIMIZERS.items():
        for holder in ("Resource",) if "R" in kinds else ("", "Resource"):
            yield f"{holder}Apply{word}", make(formula, slots, names.split())
            if "S" in kinds:
                listed = names.replace("grad", "grad indices").split()
                yield f"{holder}SparseApply{word}", _rows(formula, slots, listed, make(formula, slots, listed))


RULES: dict[str, Rule] = dict(_rules())
