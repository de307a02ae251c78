"""Recurrent layers of cuDNN: LSTM, GRU and plain ones, in several layers and both directions.

Source: cudnn_rnn_ops.cc, and Keras's layers, which compute the same on processors.
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
from .elementwise import wide


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one layer in one direction: (inputs, gates * units), (units, gates * units), and two biases."""

    into: Array
    back: Array
    into_bias: Array
    back_bias: Array


def weights_of(layout: Layout, matrices: list[Array], biases: list[Array], number: int) -> Weights:
    count, first = layout.gates, 2 * layout.gates * number
    middle, end = first + count, first + 2 * count
    return Weights(
        np.concatenate(matrices[first:middle]).T,
        np.concatenate(matrices[middle:end]).T,
        np.concatenate(biases[first:middle]),
        np.concatenate(biases[middle:end]),
    )


def _turn(mode: bytes, units: int, into: Array, back: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """The states after one turn: `into` of what comes in, `back` of the state, biases added to both."""
    if mode == b"lstm":
        i, f, g, o = np.split(into + back, 4, -1)
        c = sigmoid(np, f) * c + sigmoid(np, i) * np.tanh(g)
        return sigmoid(np, o) * np.tanh(c), c
    if mode == b"gru":
        r, u = np.split(sigmoid(np, into[:, : 2 * units] + back[:, : 2 * units]), 2, -1)
        g = np.tanh(into[:, 2 * units :] + r * back[:, 2 * units :])
        return (1 - u) * g + u * h, c
    total = into + back
    return np.tanh(total) if mode == b"rnn_tanh" else np.maximum(total, 0), c


def _along(
    mode: bytes, x: Array, h: Array, c: Array, weights: Weights, lengths: Array, backward: bool
) -> tuple[Array, Array, Array]:
    """(T, N, units), zeros behind each sequence, and the states at its end (backward: at its start)."""
    into = x @ weights.into + weights.into_bias
    out = np.zeros((*x.shape[:2], h.shape[-1]), x.dtype)
    for step in range(len(x)):
        turn = len(x) - 1 - step if backward else step
        inside = (turn < lengths)[:, None]
        back = h @ weights.back + weights.back_bias
        new_h, new_c = _turn(mode, h.shape[-1], into[turn], back, h, c)
        h, c = np.where(inside, new_h, h), np.where(inside, new_c, c)
        out[turn] = np.where(inside, new_h, 0)
    return out, h, c


def _run(
    ctx: Context,
    x: Array,
    h: Array,
    c: Array,
    params: Array,
    lengths: Array | None,
    how: dict[str, Any],
    time_major: bool = True,
) -> tuple[Array, ...]:
    mode = how["rnn_mode"]
    if x.ndim != 3 or h.ndim != 3:
        raise RunError(f"sequences of {list(x.shape)} and states of {list(h.shape)} were given")
    if how["is_training"] and how["dropout"]:
        raise UnsupportedError(f"training with a dropout of {how['dropout']} is not supported")
    if not time_major:
        x, h = x.swapaxes(0, 1), h.swapaxes(0, 1)
        c = c.swapaxes(0, 1) if c.ndim == 3 else c
    both = 2 if how["direction"] == b"bidirectional" else 1
    layers, odd = divmod(h.shape[0], both)
    layout = layout_of(layers, h.shape[2], x.shape[2], mode, how["input_mode"], how["direction"], how["num_proj"])
    if odd or h.shape[1] != x.shape[1] or (mode == b"lstm" and c.shape != h.shape):
        raise RunError(f"states of {list(h.shape)} and {list(c.shape)} do not go with {list(x.shape)}")
    if lengths is None:
        lengths = np.full(x.shape[1], len(x))
    if lengths.shape != x.shape[1:2] or (lengths.size and (lengths.min() < 0 or lengths.max() > len(x))):
        raise RunError(f"the lengths {lengths.tolist()[:20]} do not fit sequences of {list(x.shape)}")
    matrices, biases = layout.split(wide(params))
    values, ends_h, ends_c = wide(x), [], []
    states, cells = wide(h), wide(c) if mode == b"lstm" else np.zeros_like(wide(h))
    for layer in range(layers):
        made = []
        for side in range(both):
            number = layer * both + side
            weights = weights_of(layout, matrices, biases, number)
            out, h_end, c_end = _along(mode, values, states[number], cells[number], weights, lengths, side == 1)
            made.append(out)
            ends_h.append(h_end)
            ends_c.append(c_end)
        values = np.concatenate(made, -1)
    end_h, end_c = np.stack(ends_h), np.stack(ends_c)
    if not time_major:
        values, end_h, end_c = values.swapaxes(0, 1), end_h.swapaxes(0, 1), end_c.swapaxes(0, 1)
    kind = ctx.dtype
    no_cells = np.zeros((), kind)
    return values.astype(kind), end_h.astype(kind), end_c.astype(kind) if mode == b"lstm" else no_cells


def _rnn(
    ctx: Context,
    x: Array,
    h: Array,
    c: Array,
    params: Array,
    *,
    rnn_mode: bytes = b"lstm",
    input_mode: bytes = b"linear_input",
    direction: bytes = b"unidirectional",
    dropout: float = 0.0,
    seed: int = 0,
    seed2: int = 0,
    is_training: bool = True,
) -> tuple[Array, ...]:
    """The results, the states at the end, and nothing of what cuDNN keeps for the way back."""
    how = {"rnn_mode": rnn_mode, "input_mode": input_mode, "direction": direction, "dropout": dropout,
           "is_training": is_training, "num_proj": 0}  # fmt: skip
    made = _run(ctx, x, h, c, params, None, how)
    return (*made, np.zeros(0, ctx.dtype), np.zeros(0, np.int8))[: len(ctx.output_dtypes)]


def _rnn_v3(
    ctx: Context,
    x: Array,
    h: Array,
    c: Array,
    params: Array,
    sequence_lengths: Array,
    *,
    rnn_mode: bytes = b"lstm",
    input_mode: bytes = b"linear_input",
    direction: bytes = b"unidirectional",
    dropout: float = 0.0,
    seed: int = 0,
    seed2: int = 0,
    num_proj: int = 0,
    is_training: bool = True,
    time_major: bool = True,
) -> tuple[Array, ...]:
    """The same for sequences of lengths of their own, behind which there are zeros."""
    how = {"rnn_mode": rnn_mode, "input_mode": input_mode, "direction": direction, "dropout": dropout,
           "is_training": is_training, "num_proj": num_proj}  # fmt: skip
    made = _run(ctx, x, h, c, params, sequence_lengths, how, time_major)
    return (*made, np.zeros(0, ctx.dtype), np.zeros(0, np.int8))


def _params_size(
    ctx: Context,
    layers: Array,
    units: Array,
    inputs: Array,
    *,
    rnn_mode: bytes = b"lstm",
    input_mode: bytes = b"linear_input",
    direction: bytes = b"unidirectional",
    dropout: float = 0.0,
    seed: int = 0,
    seed2: int = 0,
    num_proj: int = 0,
) -> Array:
    layout = layout_of(int(layers), int(units), int(inputs), rnn_mode, input_mode, direction, num_proj)
    return np.array([layout.size], ctx.dtype)


def _to_params(
    ctx: Context,
    layers: Array,
    units: Array,
    inputs: Array,
    *parts: Array,
    rnn_mode: bytes = b"lstm",
    input_mode: bytes = b"linear_input",
    direction: bytes = b"unidirectional",
    dropout: float = 0.0,
    seed: int = 0,
    seed2: int = 0,
    num_proj: int = 0,
) -> Array:
    """Matrices and biases as one buffer."""
    layout = layout_of(int(layers), int(units), int(inputs), rnn_mode, input_mode, direction, num_proj)
    shapes: list[tuple[int, ...]] = [*layout.shapes, *[(layout.units,)] * len(layout.shapes)]
    if [part.size for part in parts] != [int(np.prod(shape)) for shape in shapes]:
        raise RunError(f"weights of {[list(part.shape) for part in parts]} were given, not of {shapes}")
    return np.concatenate([part.reshape(-1) for part in parts])


def _to_canonical(
    ctx: Context,
    layers: Array,
    units: Array,
    inputs: Array,
    params: Array,
    *,
    rnn_mode: bytes = b"lstm",
    input_mode: bytes = b"linear_input",
    direction: bytes = b"unidirectional",
    dropout: float = 0.0,
    seed: int = 0,
    seed2: int = 0,
    num_proj: int = 0,
) -> tuple[Array, ...]:
    """A buffer as matrices and biases."""
    layout = layout_of(int(layers), int(units), int(inputs), rnn_mode, input_mode, direction, num_proj)
    matrices, biases = layout.split(params)
    if len(ctx.output_dtypes) != 2 * len(matrices):
        raise RunError(f"{len(ctx.output_dtypes) // 2} matrices were asked for, and there are {len(matrices)}")
    return (*matrices, *biases)


RULES: dict[str, Rule] = {
    "CudnnRNN": _rnn,
    "CudnnRNNCanonicalToParams": _to_params,
    "CudnnRNNCanonicalToParamsV2": _to_params,
    "CudnnRNNParamsSize": _params_size,
    "CudnnRNNParamsToCanonical": _to_canonical,
    "CudnnRNNParamsToCanonicalV2": _to_canonical,
    "CudnnRNNV2": _rnn,
    "CudnnRNNV3": _rnn_v3,
}
