"""Gradients of cuDNN's recurrent layers: the way forth is gone anew, then all turns backwards.

What a GPU kept on the way forth (`reserve_space`) is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.errors import RunError, UnsupportedError
from ...base.tensors import Array
from ..cudnn_weights import Layout, layout_of
from .activations import sigmoid
from .context import Context, Rule
from .cudnn import Weights, weights_of
from .elementwise import wide


@dataclass(slots=True)
class _Turn:
    """What one turn computed: the place in time, which sequences are not over, the states before, the gates."""

    at: int
    inside: Array
    h: Array
    c: Array
    gates: tuple[Array, ...]


def _forth(
    mode: bytes, x: Array, h: Array, c: Array, weights: Weights, lengths: Array, backward: bool
) -> tuple[Array, list[_Turn]]:
    into = x @ weights.into + weights.into_bias
    units = h.shape[-1]
    out = np.zeros((*x.shape[:2], units), x.dtype)
    turns = []
    for step in range(len(x)):
        at = len(x) - 1 - step if backward else step
        inside = (at < lengths)[:, None]
        back = h @ weights.back + weights.back_bias
        new_c = c
        gates: tuple[Array, ...]
        if mode == b"lstm":
            i, f, g, o = np.split(into[at] + back, 4, -1)
            i, f, g, o = sigmoid(np, i), sigmoid(np, f), np.tanh(g), sigmoid(np, o)
            new_c = f * c + i * g
            gates = (i, f, g, o, np.tanh(new_c))
            new_h = o * gates[4]
        elif mode == b"gru":
            r, u = np.split(sigmoid(np, into[at, :, : 2 * units] + back[:, : 2 * units]), 2, -1)
            hidden = back[:, 2 * units :]
            g = np.tanh(into[at, :, 2 * units :] + r * hidden)
            gates = (r, u, g, hidden)
            new_h = (1 - u) * g + u * h
        else:
            total = into[at] + back
            new_h = np.tanh(total) if mode == b"rnn_tanh" else np.maximum(total, 0)
            gates = (new_h,)
        turns.append(_Turn(at, inside, h, c, gates))
        out[at] = np.where(inside, new_h, 0)
        h, c = np.where(inside, new_h, h), np.where(inside, new_c, c)
    return out, turns


def _turn_back(mode: bytes, turn: _Turn, dh: Array, dc: Array) -> tuple[Array, Array, Array, Array]:
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
    mode: bytes, x: Array, turns: list[_Turn], weights: Weights, d_out: Array, dh: Array, dc: Array
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
    x, h, c, params, *lengths, _, _, _, d_out, d_h, d_c = (wide(part) for part in inputs)
    mode = how["rnn_mode"]
    is_lstm = mode == b"lstm"
    if how["dropout"]:
        raise UnsupportedError(f"training with a dropout of {how['dropout']} is not supported")

    def turned(part: Array) -> Array:
        return part if time_major or part.ndim != 3 else part.swapaxes(0, 1)

    x, h, c, d_out, d_h, d_c = map(turned, (x, h, c, d_out, d_h, d_c))
    both = 2 if how["direction"] == b"bidirectional" else 1
    if x.ndim != 3 or h.ndim != 3 or d_h.shape != h.shape or d_out.shape != (*x.shape[:2], both * h.shape[2]):
        raise RunError(f"gradients of {list(d_out.shape)} and {list(d_h.shape)} do not fit {list(x.shape)}")
    layers = h.shape[0] // both
    layout = layout_of(layers, h.shape[2], x.shape[2], mode, how["input_mode"], how["direction"], how["num_proj"])
    matrices, biases = layout.split(params)
    ends = lengths[0] if lengths else np.full(x.shape[1], len(x))
    cells, d_cells = (part if is_lstm else np.zeros_like(h) for part in (c, d_c))
    weights = [weights_of(layout, matrices, biases, number) for number in range(layers * both)]
    values, runs = [x], []
    for layer in range(layers):
        made = [
            _forth(mode, values[-1], h[n], cells[n], weights[n], ends, n % both == 1)
            for n in range(layer * both, layer * both + both)
        ]
        values.append(np.concatenate([out for out, _ in made], -1))
        runs += [turns for _, turns in made]
    found: list[Any] = [None] * len(weights)
    for layer in range(layers - 1, -1, -1):
        into = np.zeros_like(values[layer])
        for side, part in enumerate(np.split(d_out, both, -1)):
            n = layer * both + side
            found[n] = _back(mode, values[layer], runs[n], weights[n], part, d_h[n], d_cells[n])
            into = into + found[n][0]
        d_out = into
    into_h, into_c = (np.stack([part[at] for part in found]) for at in (1, 2))
    made_c = turned(into_c) if is_lstm else np.zeros(inputs[2].shape)
    results = (turned(d_out), turned(into_h), made_c, _buffer(layout, [part[3] for part in found]))
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
    how = {"rnn_mode": rnn_mode, "input_mode": input_mode, "direction": direction, "dropout": dropout,
           "num_proj": num_proj}  # fmt: skip
    kept = 1 if ctx.step.op == "CudnnRNNBackprop" else 2
    return _gradients(ctx, inputs[:-kept], how, time_major)


RULES: dict[str, Rule] = {
    "CudnnRNNBackprop": _backprop,
    "CudnnRNNBackpropV2": _backprop,
    "CudnnRNNBackpropV3": _backprop,
}
