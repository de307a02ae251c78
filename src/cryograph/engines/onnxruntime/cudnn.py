"""Lowerings of cuDNN's recurrent layers: each layer and direction becomes ONNX's LSTM, GRU or RNN."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import FLOAT32, INT64
from ...base.errors import Error
from ...base.tensors import Array
from ...program.cells import Cell
from ...program.program import Step
from ..cudnn_weights import layout_of
from .builder import ABSENT, Builder, Table
from .recurrent import run_cell
from .values import Refusal, Value

_KINDS = {b"gru": "GRU", b"lstm": "LSTM", b"rnn_relu": "RNN", b"rnn_tanh": "RNN"}
_ORDER = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2), "RNN": (0,)}
"""Gates in ONNX's order, by their number in cuDNN's."""

_ACTIVATIONS = {
    b"gru": ("Sigmoid", "Tanh"),
    b"lstm": ("Sigmoid", "Tanh", "Tanh"),
    b"rnn_relu": ("Relu",),
    b"rnn_tanh": ("Tanh",),
}


def _cell(mode: bytes, matrices: list[Array], biases: list[Array], number: int) -> Cell:
    kind = _KINDS[mode]
    order = _ORDER[kind]
    first = 2 * len(order) * number
    into, back = (slice(first + n * len(order), first + (n + 1) * len(order)) for n in (0, 1))
    gates = [[part[at] for at in order] for part in (matrices[into], matrices[back], biases[into], biases[back])]
    bias = [a + b for a, b in zip(gates[2], gates[3], strict=True)]
    if kind == "GRU":  # the reset gate stands between the two of the hidden one
        bias[2] = gates[2][2]
    return Cell(
        kind,
        0,
        (0, 1) if kind == "LSTM" else (0,),
        tuple(matrix.T for matrix in gates[0]),
        tuple(matrix.T for matrix in gates[1]),
        tuple(bias),
        _ACTIVATIONS[mode],
        reset_after=kind == "GRU",
        recurrent_bias=gates[3][2] if kind == "GRU" else None,
    )


def _turned(g: Builder, x: Value, lengths: Value) -> Value:
    """Each sequence from its end to its start; what lies behind it stays."""
    if lengths.name:
        return g.op("ReverseSequence", x, g.cast(lengths, INT64), batch_axis=1, time_axis=0, shape=x.shape)
    least = np.iinfo(np.int64).min
    made = g.op("Slice", x, g.ints([-1]), g.ints([least]), g.ints([0]), g.ints([-1]), shape=x.shape)
    return Value(made.name, x.dtype, x.shape)


def cudnn_rnn(
    g: Builder,
    step: Step,
    x: Value,
    h: Value,
    c: Value,
    params: Value,
    lengths: Value = ABSENT,
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
) -> list[Value | None]:
    """What cuDNN keeps for the way back has no form in ONNX, so nobody may read it."""
    if x.dtype != FLOAT32 or x.rank != 3 or h.rank != 3:
        raise Refusal("cuDNN's layers have a lowering for float32 only")
    if dropout and is_training:
        raise Refusal("a dropout in training has none")
    axis = 0 if time_major else 1
    units, inputs, rows = h.size(2), x.size(2), h.size(axis)
    if units is None or inputs is None or rows is None:
        raise Refusal("the sizes of inputs and states must be known")
    both = 2 if direction == b"bidirectional" else 1
    try:
        layout = layout_of(rows // both, units, inputs, rnn_mode, input_mode, direction, num_proj)
        matrices, biases = layout.split(g.fixed(params, "the weights"))
    except Error as error:
        raise Refusal(str(error)) from error
    if not time_major:
        x = g.transpose(x, [1, 0, 2])
    if lengths.array is not None and x.size(0) is not None and (lengths.array == x.size(0)).all():
        lengths = ABSENT
    is_lstm = rnn_mode == b"lstm"
    ends: list[list[Value]] = [[], []]
    for layer in range(layout.layers):
        made = []
        for side in range(both):
            number = layer * both + side
            states = [_state(g, part, number, axis) for part in ((h, c) if is_lstm else (h,))]
            read = _turned(g, x, lengths) if side else x
            out, last = run_cell(g, _cell(rnn_mode, matrices, biases, number), read, lengths, states)
            made.append(_turned(g, out, lengths) if side else out)
            for held, end in zip(ends, last, strict=False):
                held.append(g.unsqueeze(end, [axis]))
        x = made[0] if both == 1 else g.concat(made, 2, (x.size(0), x.size(1), 2 * units))
    if not time_major:
        x = g.transpose(x, [1, 0, 2])
    end_h = g.concat(ends[0], axis, h.shape)
    end_c = g.concat(ends[1], axis, h.shape) if is_lstm else g.const(np.float32(0), FLOAT32)
    return [x, end_h, end_c, None, None][: len(step.outputs)]


def _state(g: Builder, states: Value, number: int, axis: int) -> Value:
    """(N, units): the state of one layer in one direction."""
    part = g.op("Gather", states, g.const(number, INT64), axis=axis, shape=None)
    shape = None if states.shape is None else tuple(n for at, n in enumerate(states.shape) if at != axis)
    return Value(part.name, states.dtype, shape)


LOWERINGS: Table = {
    "CudnnRNN": cudnn_rnn,
    "CudnnRNNV2": cudnn_rnn,
    "CudnnRNNV3": cudnn_rnn,
}
