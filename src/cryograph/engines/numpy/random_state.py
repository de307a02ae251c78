"""Random numbers whose state is a variable: counter and key as three int64 numbers. The new state is given first."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import KEPT, Philox, between, draw_normal, draw_truncated, draw_uniform, sizes_of_shape, whole

_ALL = (1 << 64) - 1


def read_state(state: Array, algorithm: Array) -> Philox:
    """The generator that a state and an algorithm say; RunError when there is none such on CPUs."""
    if int(algorithm) not in (1, 3):
        raise RunError(f"the algorithm {int(algorithm)} has no kernel on CPUs; 1 (Philox) and 3 (any) have")
    if state.ndim != 1 or state.size < 3:
        raise RunError(f"a state is three numbers, not {list(state.shape)}")
    low, high, key = (int(n) & _ALL for n in state[:3])
    return Philox(key, low | high << 64)


def skipped(state: Array, count: int) -> Array:
    """The state after `count` numbers, for each of which 256 turns are kept."""
    low, high = (int(n) & _ALL for n in state[:2])
    counter = ((low | high << 64) + count * KEPT) & ((1 << 128) - 1)
    made = state.copy()
    made[:2] = np.array([counter & _ALL, counter >> 64], np.uint64).view(np.int64)
    return made


def _read_and_skip(ctx: Context, state: Array, algorithm: Array, delta: Array) -> tuple[Array, Array]:
    read_state(state, algorithm)
    return skipped(state, int(delta)), state


def _skip(ctx: Context, state: Array, algorithm: Array, delta: Array) -> Array:
    read_state(state, algorithm)
    return skipped(state, int(delta))


def _drawn(make: Callable[[Philox, int, Any], Array]) -> Rule:
    def rule(ctx: Context, state: Array, algorithm: Array, shape: Array) -> tuple[Array, Array]:
        sizes = sizes_of_shape(shape)
        held = np.dtype(ctx.output_dtypes[1].numpy)
        made = make(read_state(state, algorithm), prod(sizes), held)
        return skipped(state, prod(sizes)), np.asarray(made).reshape(sizes)

    return rule


def _int(ctx: Context, state: Array, algorithm: Array, shape: Array, low: Array, high: Array) -> tuple[Array, Array]:
    sizes = sizes_of_shape(shape)
    made = between(read_state(state, algorithm), prod(sizes), low, high)
    return skipped(state, prod(sizes)), made.reshape(sizes)


def _full(state: Philox, count: int, dtype: Any) -> Array:
    return whole(state, count, dtype).view(dtype) if count else np.zeros(0, dtype)


RULES: dict[str, Rule] = {
    "RngReadAndSkip": _read_and_skip,
    "RngSkip": _skip,
    "StatefulStandardNormalV2": _drawn(draw_normal),
    "StatefulTruncatedNormal": _drawn(draw_truncated),
    "StatefulUniform": _drawn(draw_uniform),
    "StatefulUniformFullInt": _drawn(_full),
    "StatefulUniformInt": _int,
}
