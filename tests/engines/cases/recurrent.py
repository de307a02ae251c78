"""Cases of recurrent cells that are single ops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.op_cases import Array, Case, case, floats, kernel_types, refusal, values

BATCH, INPUTS, UNITS, TURNS = 2, 3, 4, 5
HALF = 4e-3  # TensorFlow rounds between its products otherwise than numpy


def _state(seed: int = 0) -> Array:
    return floats(BATCH, UNITS, seed=seed, low=-1, high=1)


def _lstm_weights() -> list[Array]:
    peepholes = [floats(UNITS, seed=seed, low=-1, high=1) for seed in (3, 4, 5)]
    return [floats(INPUTS + UNITS, 4 * UNITS, low=-1, high=1), *peepholes, floats(4 * UNITS, low=-1, high=1)]


def lstm_block_cells() -> Iterator[Case]:
    x, weights = floats(BATCH, INPUTS), _lstm_weights()
    for how in ({}, {"use_peephole": True}, {"cell_clip": 0.2}, {"cell_clip": -1.0, "forget_bias": 0.0}):
        yield case("LSTMBlockCell", x, _state(1), _state(2), *weights, **how)
    for kind in kernel_types("LSTMBlockCell", but=["float"]):
        given = (x, _state(1), _state(2), *weights)
        yield case("LSTMBlockCell", *(a.astype(values(kind, 1).dtype) for a in given), tolerance=HALF)
    yield refusal("LSTMBlockCell", x[:0], _state()[:0], _state()[:0], *weights)
    yield refusal("LSTMBlockCell", x, _state(), _state(), weights[0][1:], *weights[1:])
    yield refusal("LSTMBlockCell", x, _state(), _state()[1:], *weights)


def block_lstms() -> Iterator[Case]:
    x, weights = floats(TURNS, BATCH, INPUTS), _lstm_weights()
    every, states = np.array(TURNS), (_state(1), _state(2))
    for op, hows in (
        ("BlockLSTM", ({}, {"use_peephole": True}, {"cell_clip": 0.2}, {"cell_clip": -1.0, "forget_bias": 0.5})),
        ("BlockLSTMV2", ({}, {"use_peephole": True}, {"cell_clip": 0.2})),
    ):
        for how in hows:
            yield case(op, every, x, *states, *weights, **how)
        yield case(op, np.array(3), x, *states, *weights, outputs=(1, 6))  # the others are not written after turn 3
        if op == "BlockLSTM":
            yield case(op, every, x, *states, *weights, cell_clip=0.0, outputs=(6,))
        yield refusal(op, every, x, *states, weights[0][1:], *weights[1:])


def gru_block_cells() -> Iterator[Case]:
    x, rows = floats(BATCH, INPUTS), INPUTS + UNITS
    weights = (floats(rows, 2 * UNITS), floats(rows, UNITS), floats(2 * UNITS), floats(UNITS))
    yield case("GRUBlockCell", x, _state(), *weights)
    yield case("GRUBlockCell", x[:1], _state()[:1], *weights)
    yield refusal("GRUBlockCell", x, _state(), weights[0][1:], *weights[1:])
    yield refusal("GRUBlockCell", x, _state()[1:], *weights)


CASES: list[Case] = [*lstm_block_cells(), *block_lstms(), *gru_block_cells()]
