"""Recurrent layers of cuDNN: LSTM, GRU and plain ones, in several layers and both directions.

Source: cudnn_rnn_ops.cc, and Keras's layers, which compute the same on processors.
"""

from __future__ import annotations

from collections.abc import Callable
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


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn computed: the place in time, which sequences are not over, the states before, the gates."""

    at: int
    inside: Array
    h: Array
    c: Array
    gates: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """What is run: sequences (T, N, inputs), their lengths, and a state and weights for each layer and direction."""

    mode: bytes
    layout: Layout
    x: Array
    lengths: Array
    h: Array
    c: Array
    weights: list[Weights]


def layers_of(
    x: Array, h: Array, c: Array, params: Array, lengths: Array | None, how: dict[str, Any], time_major: bool
) -> Layers:
    """Of an op's inputs, in the precision that they are computed in; RunError when they do not fit each other."""
    mode = how["rnn_mode"]
    if x.ndim != 3 or h.ndim != 3:
        raise RunError(f"sequences of {list(x.shape)} and states of {list(h.shape)} were given")
    x, h, c = (turned(wide(part), time_major) for part in (x, h, c))
    layers, odd = divmod(h.shape[0], 2 if how["direction"] == b"bidirectional" else 1)
    layout = layout_of(layers, h.shape[2], x.shape[2], mode, how["input_mode"], how["direction"], how["num_proj"])
    if odd or h.shape[1] != x.shape[1] or (mode == b"lstm" and c.shape != h.shape):
        raise RunError(f"states of {list(h.shape)} and {list(c.shape)} do not go with {list(x.shape)}")
    if lengths is None:
        lengths = np.full(x.shape[1], len(x))
    if lengths.shape != x.shape[1:2] or (lengths.size and (lengths.min() < 0 or lengths.max() > len(x))):
        raise RunError(f"the lengths {lengths.tolist()[:20]} do not fit sequences of {list(x.shape)}")
    matrices, biases = layout.split(wide(params))
    weights = [_weights(layout, matrices, biases, number) for number in range(len(h))]
    return Layers(mode, layout, x, lengths, h, c if mode == b"lstm" else np.zeros_like(h), weights)


def turned(part: Array, time_major: bool) -> Array:
    """With the time, or the number of the state, first; and back. What is no sequence or state stays."""
    return part if time_major or part.ndim != 3 else part.swapaxes(0, 1)


def _weights(layout: Layout, matrices: list[Array], biases: list[Array], number: int) -> Weights:
    count, first = layout.gates, 2 * layout.gates * number
    middle, end = first + count, first + 2 * count
    return Weights(
        np.concatenate(matrices[first:middle]).T,
        np.concatenate(matrices[middle:end]).T,
        np.concatenate(biases[first:middle]),
        np.concatenate(biases[middle:end]),
    )


def _turn(mode: bytes, into: Array, back: Array, h: Array, c: Array) -> tuple[Array, Array, tuple[Array, ...]]:
    """The states after one turn, and its gates: `into` of what comes in, `back` of the state, biases added to both."""
    if mode == b"lstm":
        i, f, g, o = np.split(into + back, 4, -1)
        i, f, g, o = sigmoid(np, i), sigmoid(np, f), np.tanh(g), sigmoid(np, o)
        c = f * c + i * g
        end = np.tanh(c)
        return o * end, c, (i, f, g, o, end)
    if mode == b"gru":
        inner = 2 * h.shape[-1]
        r, u = np.split(sigmoid(np, into[:, :inner] + back[:, :inner]), 2, -1)
        hidden = back[:, inner:]
        g = np.tanh(into[:, inner:] + r * hidden)
        return (1 - u) * g + u * h, c, (r, u, g, hidden)
    total = into + back
    h = np.tanh(total) if mode == b"rnn_tanh" else np.maximum(total, 0)
    return h, c, (h,)


def along(held: Layers, number: int, x: Array, turns: list[Turn] | None = None) -> tuple[Array, Array, Array]:
    """One layer in one direction: (T, N, units), zeros behind each sequence, and the states at its end (backward: at
    its start). `turns` are added to, where they are asked for."""
    weights, h, c = held.weights[number], held.h[number], held.c[number]
    into = x @ weights.into + weights.into_bias
    out = np.zeros((*x.shape[:2], h.shape[-1]), x.dtype)
    backward = number % held.layout.directions == 1
    for at in range(len(x) - 1, -1, -1) if backward else range(len(x)):
        inside = (at < held.lengths)[:, None]
        back = h @ weights.back + weights.back_bias
        new_h, new_c, gates = _turn(held.mode, into[at], back, h, c)
        if turns is not None:
            turns.append(Turn(at, inside, h, c, gates))
        h, c = np.where(inside, new_h, h), np.where(inside, new_c, c)
        out[at] = np.where(inside, new_h, 0)
    return out, h, c


def _rnn(
    ctx: Context,
    x: Array,
    h: Array,
    c: Array,
    params: Array,
    sequence_lengths: Array | None = None,
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
    """The results, the states at the end, and nothing of what cuDNN keeps for the way back. Sequences may have lengths
    of their own, behind which there are zeros."""
    if is_training and dropout:
        raise UnsupportedError(f"training with a dropout of {dropout} is not supported")
    how = {"rnn_mode": rnn_mode, "input_mode": input_mode, "direction": direction, "num_proj": num_proj}
    held = layers_of(x, h, c, params, sequence_lengths, how, time_major)
    values, ends = held.x, []
    for layer in range(held.layout.layers):
        first = layer * held.layout.directions
        made = [along(held, first + side, values) for side in range(held.layout.directions)]
        ends += made
        values = np.concatenate([out for out, _, _ in made], -1)
    end_h, end_c = (np.stack([end[at] for end in ends]) for at in (1, 2))
    kind = ctx.dtype
    given = [turned(part, time_major).astype(kind) for part in (values, end_h, end_c)]
    if rnn_mode != b"lstm":
        given[2] = np.zeros((), kind)
    return (*given, np.zeros(0, kind), np.zeros(0, np.int8))[: len(ctx.output_dtypes)]


# --- the buffer of weights


def _on_layout(made: Callable[..., Any]) -> Rule:
    """The rule of an op that is told how many layers there are, of how many units, for how many inputs."""

    def rule(
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
    ) -> Any:
        layout = layout_of(int(layers), int(units), int(inputs), rnn_mode, input_mode, direction, num_proj)
        return made(ctx, layout, *parts)

    return rule


def _size(ctx: Context, layout: Layout) -> Array:
    return np.array([layout.size], ctx.dtype)


def _to_params(ctx: Context, layout: Layout, *parts: Array) -> Array:
    """Matrices and biases as one buffer."""
    shapes: list[tuple[int, ...]] = [*layout.shapes, *[(layout.units,)] * len(layout.shapes)]
    if [part.size for part in parts] != [int(np.prod(shape)) for shape in shapes]:
        raise RunError(f"weights of {[list(part.shape) for part in parts]} were given, not of {shapes}")
    return np.concatenate([part.reshape(-1) for part in parts])


def _to_canonical(ctx: Context, layout: Layout, params: Array) -> tuple[Array, ...]:
    """A buffer as matrices and biases."""
    matrices, biases = layout.split(params)
    if len(ctx.output_dtypes) != 2 * len(matrices):
        raise RunError(f"{len(ctx.output_dtypes) // 2} matrices were asked for, and there are {len(matrices)}")
    return (*matrices, *biases)


_PACKED, _UNPACKED = _on_layout(_to_params), _on_layout(_to_canonical)

RULES: dict[str, Rule] = {
    "CudnnRNN": _rnn,
    "CudnnRNNCanonicalToParams": _PACKED,
    "CudnnRNNCanonicalToParamsV2": _PACKED,
    "CudnnRNNParamsSize": _on_layout(_size),
    "CudnnRNNParamsToCanonical": _UNPACKED,
    "CudnnRNNParamsToCanonicalV2": _UNPACKED,
    "CudnnRNNV2": _rnn,
    "CudnnRNNV3": _rnn,
}
