"""Gradients of cuDNN's recurrent layers: the way forth is gone anew, then all turns backwards.

What a GPU kept on the way forth (`reserve_space`) is not looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError, UnsupportedError
from ...base.tensors import Array
from ..cudnn_weights import Layout
from .context import Context, Rule
from .cudnn import Turn, Weights, along, layers_of, turned
from .elementwise import wide


def _turn_back(mode: bytes, turn: Turn, dh: Array, dc: Array) -> tuple[Array, Array, Array, Array]:
    """For the sums of what comes in and of the state, for c before, and what reaches h before directly."""
    if mode == b"lstm":
        i, f, g, o, end = turn.gates
        inner = dc + dh * o * (1 - end * end)
        parts = (inner * g * i * (1 - i), inner * turn.c * f * (1 - f), inner * i * (1 - g * g), dh * end * o * (1 - o))
        gates = np.concatenate(parts, -1)
        return gates, gates, inner * f, np.zeros_like(dh)
    if mode == b"gru":
        r, u, g, hidden = turn.gates
        dg = dh * (1 - u) * (1 - g * g)
        dr, du = dg * hidden * r * (1 - r), dh * (turn.h - g) * u * (1 - u)
        return np.concatenate([dr, du, dg], -1), np.concatenate([dr, du, dg * r], -1), dc, dh * u
    (h,) = turn.gates
    total = dh * (1 - h * h) if mode == b"rnn_tanh" else dh * (h > 0)
    return total, total, dc, np.zeros_like(dh)


def _back(
    mode: bytes, x: Array, turns: list[Turn], weights: Weights, d_out: Array, dh: Array, dc: Array
) -> tuple[Array, Array, Array, Weights]:
    """For what came in, for the states at the start, and for the weights."""
    d_into = np.zeros((*x.shape[:2], weights.into.shape[1]), x.dtype)
    d_back, d_bias = np.zeros_like(weights.back), np.zeros_like(weights.back_bias)
    for turn in reversed(turns):
        grown = dh + d_out[turn.at]
        into, back, before_c, direct = _turn_back(mode, turn, grown, dc)
        into, back = np.where(turn.inside, into, 0), np.where(turn.inside, back, 0)
        d_into[turn.at] = into
        d_back += turn.h.T @ back
        d_bias += back.sum(0)
        dh = np.where(turn.inside, back @ weights.back.T + direct, dh)
        dc = np.where(turn.inside, before_c, dc)
    flat = d_into.reshape(-1, d_into.shape[-1])
    made = Weights(x.reshape(len(flat), -1).T @ flat, d_back, flat.sum(0), d_bias)
    return d_into @ weights.into.T, dh, dc, made


def _buffer(layout: Layout, made: list[Weights]) -> Array:
    """Gradients of all weights in the order of the buffer."""
    matrices: list[Array] = []
    biases: list[Array] = []
    for part in made:
        for matrix in (part.into, part.back):
            matrices += [gate.T.reshape(-1) for gate in np.split(matrix, layout.gates, 1)]
        biases += [part.into_bias, part.back_bias]
    return np.concatenate([*matrices, *biases])


def _gradients(ctx: Context, inputs: tuple[Array, ...], how: dict[str, Any], time_major: bool) -> tuple[Array, ...]:
    x, h, c, params, *lengths, _, _, _, d_out, d_h, d_c = inputs
    held = layers_of(x, h, c, params, lengths[0] if lengths else None, how, time_major)
    d_out, d_h, d_c = (turned(wide(part), time_major) for part in (d_out, d_h, d_c))
    both = held.layout.directions
    if d_h.shape != held.h.shape or d_out.shape != (*held.x.shape[:2], both * held.layout.units):
        raise RunError(f"gradients of {list(d_out.shape)} and {list(d_h.shape)} do not fit {list(held.x.shape)}")
    is_lstm = held.mode == b"lstm"
    d_cells = d_c if is_lstm else np.zeros_like(held.h)
    values, runs = [held.x], [list[Turn]() for _ in held.weights]
    for layer in range(held.layout.layers):
        numbers = range(layer * both, layer * both + both)
        values.append(np.concatenate([along(held, n, values[-1], runs[n])[0] for n in numbers], -1))
    found: list[Any] = [None] * len(held.weights)
    for layer in range(held.layout.layers - 1, -1, -1):
        into = np.zeros_like(values[layer])
        for side, part in enumerate(np.split(d_out, both, -1)):
            n = layer * both + side
            found[n] = _back(held.mode, values[layer], runs[n], held.weights[n], part, d_h[n], d_cells[n])
            into = into + found[n][0]
        d_out = into
    into_h, into_c = (turned(np.stack([part[at] for part in found]), time_major) for at in (1, 2))
    made_c = into_c if is_lstm else np.zeros(c.shape)
    results = (turned(d_out, time_major), into_h, made_c, _buffer(held.layout, [part[3] for part in found]))
    return tuple(part.astype(ctx.dtype) for part in results)


def _backprop(
    ctx: Context,
    *inputs: Array,
    rnn_mode: bytes = b"lstm",
    input_mode: bytes = b"linear_input",
    direction: bytes = b"unidirectional",
    dropout: float = 0.0,
    seed: int = 0,
    seed2: int = 0,
    num_proj: int = 0,
    time_major: bool = True,
) -> tuple[Array, ...]:
    """For input, states and weights. What was kept, one tensor or two in later versions, comes last."""
    if dropout:
        raise UnsupportedError(f"training with a dropout of {dropout} is not supported")
    how = {"rnn_mode": rnn_mode, "input_mode": input_mode, "direction": direction, "num_proj": num_proj}
    kept = 1 if ctx.step.op == "CudnnRNNBackprop" else 2
    return _gradients(ctx, inputs[:-kept], how, time_major)


RULES: dict[str, Rule] = {
    "CudnnRNNBackprop": _backprop,
    "CudnnRNNBackpropV2": _backprop,
    "CudnnRNNBackpropV3": _backprop,
}
