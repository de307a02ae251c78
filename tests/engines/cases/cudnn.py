"""Cases of cuDNN's recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, D, F, N, case, floats, ivec, refusal

TURNS, BATCH, INPUTS, UNITS = 5, 3, 4, 6
GATES = {"gru": 3, "lstm": 4, "rnn_relu": 1, "rnn_tanh": 1}
LENGTHS = (ivec(5, 5, 5), ivec(2, 5, 3), ivec(1, 4, 4))


def _count(mode: str, layers: int, both: int, inputs: int = INPUTS, units: int = UNITS) -> int:
    widths = [inputs, *[units * both] * (layers - 1)]
    return both * GATES[mode] * sum(units * width + units * units + 2 * units for width in widths)


def _given(mode: str, layers: int, both: int, seed: int = 0, dtype: Any = F, time_major: bool = True) -> list[Array]:
    """x, h, c and params."""
    x = floats(TURNS, BATCH, INPUTS, seed=seed, dtype=dtype)
    states = [floats(layers * both, BATCH, UNITS, seed=seed + n, low=-1, high=1, dtype=dtype) for n in (1, 2)]
    if mode != "lstm":
        states[1] = np.zeros((), dtype)
    params = floats(_count(mode, layers, both), seed=seed + 3, low=-0.6, high=0.6, dtype=dtype)
    if not time_major:
        x = np.ascontiguousarray(x.swapaxes(0, 1))
        states = [np.ascontiguousarray(s.swapaxes(0, 1)) if s.ndim == 3 else s for s in states]
    return [x, *states, params]


def _said(mode: str, both: int) -> dict[str, Any]:
    return {"rnn_mode": mode, "direction": "bidirectional" if both == 2 else "unidirectional"}


SHAPES = ((1, 1), (2, 1), (1, 2), (3, 2))
"""Layers and directions."""


def layers() -> Iterator[Case]:
    for mode in GATES:
        for count, both in SHAPES:
            given, said = _given(mode, count, both), _said(mode, both)
            for op in ("CudnnRNN", "CudnnRNNV2"):
                yield case(op, *given, outputs=(0, 1, 2), fixed=(3,), sizes="known", **said)
            for lengths in LENGTHS:
                plain = mode.startswith("rnn") and lengths is not LENGTHS[0]
                yield case("CudnnRNNV3", *given, lengths, outputs=(0, 1, 2), fixed=(3,), sizes="" if plain else "known",
                           **said)  # fmt: skip
            turned = _given(mode, count, both, time_major=False)
            yield case("CudnnRNNV3", *turned, LENGTHS[1], outputs=(0, 1, 2), time_major=False, is_training=False,
                       dropout=0.5, **said)  # fmt: skip
            wide = _given(mode, count, both, dtype=D)
            yield case("CudnnRNNV3", *wide, LENGTHS[1], outputs=(0, 1, 2), **said)
    for op, more in (("CudnnRNN", ()), ("CudnnRNNV2", ()), ("CudnnRNNV3", (LENGTHS[0],))):
        x, h, c, params = _given("lstm", 1, 1)
        yield refusal(op, x, h, c, params[1:], *more)
        yield refusal(op, x, h[:, 1:], c, params, *more)
        yield refusal(op, x, h, c[..., 1:], params, *more)


def gradients() -> Iterator[Case]:
    for mode in GATES:
        for count, both in SHAPES:
            said = _said(mode, both)
            for time_major in (True, False):
                x, h, c, params = _given(mode, count, both, time_major=time_major, dtype=D)
                steps = floats(*x.shape[:2], UNITS * both, seed=21, dtype=D)
                ends = floats(*h.shape, seed=22, dtype=D), floats(*c.shape, seed=23, dtype=D) if c.ndim else c
                # The results of the way forth are given, too, and not needed.
                there = [x, h, c, params], [np.zeros_like(steps), np.zeros_like(h), np.zeros_like(c), steps, *ends]
                two = np.zeros(0, D), np.zeros(0, np.int8)
                if time_major:
                    yield case("CudnnRNNBackprop", *there[0], *there[1], np.zeros(0, D), **said)
                    yield case("CudnnRNNBackpropV2", *there[0], *there[1], *two, **said)
                for lengths in LENGTHS:
                    yield case("CudnnRNNBackpropV3", *there[0], lengths, *there[1], *two, time_major=time_major, **said)


def buffers() -> Iterator[Case]:
    for mode, gates in GATES.items():
        for count, both in SHAPES:
            said, sizes = _said(mode, both), (N(count), N(UNITS), N(INPUTS))
            yield case("CudnnRNNParamsSize", *sizes, S=dtype_of("int32"), T=dtype_of("float32"), **said)
            params = np.arange(_count(mode, count, both), dtype=F)
            number = 2 * gates * count * both
            yield case("CudnnRNNParamsToCanonical", *sizes, params, num_params=number, **said)
            yield case("CudnnRNNParamsToCanonicalV2", *sizes, params, num_params_weights=number,
                       num_params_biases=number, **said)  # fmt: skip
            widths = [UNITS if n >= gates else INPUTS if layer == 0 else UNITS * both
                      for layer in range(count) for _ in range(both) for n in range(2 * gates)]  # fmt: skip
            weights = [floats(UNITS, width, seed=n) for n, width in enumerate(widths)]
            biases = [floats(UNITS, seed=90 + n) for n in range(len(weights))]
            yield case("CudnnRNNCanonicalToParams", *sizes, *weights, *biases, num_params=number, **said)
            yield case("CudnnRNNCanonicalToParamsV2", *sizes, *weights, *biases, num_params_weights=number,
                       num_params_biases=number, **said)  # fmt: skip


CASES: list[Case] = [*layers(), *gradients(), *buffers()]
