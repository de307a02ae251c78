"""The one buffer in which cuDNN keeps the weights of recurrent layers.

It holds for each layer (and each direction of it) the matrices for what comes in, gate by gate, and those for the
state, (units, inputs) each; behind those of all layers come the biases in the same order, of which there are two for
each gate. Gates stand as i, f, c, o in an LSTM and as r, u, c in a GRU. Source: cudnn_rnn_ops.cc, and Keras's
gru_lstm_utils.py and layers, which put weights into that buffer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.errors import RunError, UnsupportedError
from ..base.tensors import Array

GATES = {b"gru": 3, b"lstm": 4, b"rnn_relu": 1, b"rnn_tanh": 1}
"""By the kind of cell: how many gates it has."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the weights of layers lie in the buffer."""

    layers: int
    units: int
    inputs: int
    directions: int
    gates: int

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The matrices in their order."""
        found: list[tuple[int, int]] = []
        for layer in range(self.layers):
            width = self.inputs if layer == 0 else self.units * self.directions
            each = [(self.units, width)] * self.gates + [(self.units, self.units)] * self.gates
            found += each * self.directions
        return found

    @property
    def size(self) -> int:
        """The numbers in the buffer."""
        return sum(rows * columns + rows for rows, columns in self.shapes)

    def split(self, params: Array) -> tuple[list[Array], list[Array]]:
        """Matrices and biases; RunError when the buffer has another size."""
        if params.ndim != 1 or params.size != self.size:
            raise RunError(f"{list(params.shape)} weights were given where {self.size} are taken")
        ends = np.cumsum([rows * columns for rows, columns in self.shapes])
        parts = np.split(params, [*ends, *(ends[-1] + self.units * np.arange(1, len(ends)))])
        count = len(ends)
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=False)], parts[count:]


def layout_of(
    layers: int, units: int, inputs: int, mode: bytes, input_mode: bytes, direction: bytes, num_proj: int
) -> Layout:
    """The layout; UnsupportedError for layers that take in no weights, or give projections."""
    if layers < 1 or units < 1 or inputs < 1:
        raise RunError(f"{layers} layers of {units} units were asked for, which take {inputs} numbers")
    if input_mode == b"skip_input" or (input_mode == b"auto_select" and units == inputs):
        raise UnsupportedError("a first layer without weights (input_mode skip_input) is not supported")
    if num_proj:
        raise UnsupportedError(f"projections (num_proj {num_proj}) are not supported")
    return Layout(layers, units, inputs, 2 if direction == b"bidirectional" else 1, GATES[mode])
