"""Scans along the sequences of recurrent cells that TensorFlow has as single ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numpy.context import Rule
from ..numpy.recurrent import CELLS, Turn, sequences
from .context import JaxContext


def _along(ctx: JaxContext, length: Any, x: Any, cs: Any, h: Any, turn: Turn) -> tuple[Any, ...]:
    """Turns along the first dimension, up to `length`; zeros follow."""
    xp = ctx.xp
    ctx.check(length > len(x), f"seq_len_max is more than the {len(x)} elements of the sequence")

    def step(carried: Any, at: Any) -> Any:
        number, element = at
        live = number < length
        made = tuple(xp.where(live, part, xp.zeros((), part.dtype)) for part in turn(element, *carried))
        return (xp.where(live, made[1], carried[0]), xp.where(live, made[6], carried[1])), made

    carried = (xp.asarray(cs), xp.asarray(h))
    return tuple(ctx.lax.scan(step, carried, (np.arange(len(x)), xp.asarray(x)))[1])


RULES: dict[str, Rule] = {**CELLS, **sequences(_along)}
