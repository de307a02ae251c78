"""Random numbers whose state is a value of the program: counter and key as three int64 numbers, as a session keeps them
for each random op that has seeds. The new state is given first."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..numpy.context import Rule
from ..numpy.draws import KEPT, sizes_of_shape
from .context import JaxContext, check, known
from .random import U64, Draw, State, between, draw_normal, draw_truncated, draw_uniform, full


def _read(ctx: JaxContext, state: Any, algorithm: Any) -> State:
    check((algorithm != 1) & (algorithm != 3), "the algorithm has no kernel on CPUs; 1 (Philox) and 3 (any) have")
    low, high, key = (ctx.xp.asarray(state)[place].astype(U64) for place in range(3))
    return State(ctx, key, low, high)


def _skipped(ctx: JaxContext, state: Any, read: State, count: Any) -> Any:
    """The state after `count` numbers, for each of which 256 turns are kept."""
    low = read.low + ctx.xp.asarray(count).astype(U64) * U64(KEPT)
    high = read.high + (low < read.low).astype(U64)
    return ctx.xp.asarray(state).at[:2].set(ctx.xp.stack([low, high]).astype(np.int64))


def _drawn(draw: Draw) -> Rule:
    def rule(ctx: JaxContext, state: Any, algorithm: Any, shape: Any) -> tuple[Any, Any]:
        read, sizes = _read(ctx, state, algorithm), sizes_of_shape(known(shape))
        made = draw(read, prod(sizes), ctx.kind(1)).reshape(sizes)
        return _skipped(ctx, state, read, prod(sizes)), made

    return rule


def _int(ctx: JaxContext, state: Any, algorithm: Any, shape: Any, low: Any, high: Any) -> tuple[Any, Any]:
    read, sizes = _read(ctx, state, algorithm), sizes_of_shape(known(shape))
    made = between(read, prod(sizes), low, high).reshape(sizes)
    return _skipped(ctx, state, read, prod(sizes)), made


def _read_and_skip(ctx: JaxContext, state: Any, algorithm: Any, delta: Any) -> tuple[Any, Any]:
    return _skipped(ctx, state, _read(ctx, state, algorithm), delta), state


def _skip(ctx: JaxContext, state: Any, algorithm: Any, delta: Any) -> Any:
    return _skipped(ctx, state, _read(ctx, state, algorithm), delta)


RULES: dict[str, Rule] = {
    "RngReadAndSkip": _read_and_skip,
    "RngSkip": _skip,
    "StatefulStandardNormalV2": _drawn(draw_normal),
    "StatefulTruncatedNormal": _drawn(draw_truncated),
    "StatefulUniform": _drawn(draw_uniform),
    "StatefulUniformFullInt": _drawn(full),
    "StatefulUniformInt": _int,
}
