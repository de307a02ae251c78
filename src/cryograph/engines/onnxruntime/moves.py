"""Lowerings of ops that only move elements about, by one index map: where each element of the answer comes from.

The map is what the reference engine answers when it is given positions in place of numbers. The runtime then gathers
from all inputs laid out flat, one behind the other. This needs known sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...base.dtypes import INT64
from ...base.shapes import is_known
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value

MOST = 1 << 22
"""Elements of an answer up to which a map is made: it takes eight bytes for each."""


def move(g: Builder, step: Step, inputs: Sequence[Value], data: int = 1, filler: int | None = None) -> Value:
    """For an op whose first `data` inputs hold the elements, the others constants that say where they go; `filler` is
    the input that fills what nothing else does (zero without)."""
    flat: list[Value] = []
    asked: list[Any] = []
    place = 1  # position 0 is the filler
    for number, x in enumerate(inputs):
        if number < data:
            if not is_known(x.shape):
                raise Refusal(f"{step.op} has a form in ONNX for known sizes only")
            shape = tuple(size or 0 for size in x.shape or ())
            count = int(np.prod(shape, dtype=np.int64))
            asked.append(np.arange(place, place + count).reshape(shape))
            flat.append(g.reshape(x, [-1]))
            place += count
        elif number == filler:
            asked.append(np.zeros((), np.int64))
        else:
            asked.append(g.fixed(x, f"what moves the elements of {step.op}"))
    rest = g.like(0, inputs[0]) if filler is None else inputs[filler]
    flat.insert(0, g.reshape(rest, [1]))
    origin = _map(step, asked)
    everything = g.concat(flat, 0, (place,))
    return g.op("Gather", everything, g.const(origin, INT64), axis=0, shape=origin.shape)


def _map(step: Step, asked: list[Any]) -> Any:
    from ..numpy.engine import fold

    origin = fold(replace(step, attrs={**step.attrs, "T": INT64}), asked)[0]
    if origin.size > MOST:
        raise Refusal(f"{step.op} to {origin.size} elements would need too large a map")
    return origin


def plain(g: Builder, step: Step, x: Value) -> Value:
    return move(g, step, [x])


def patches(
    g: Builder, step: Step, x: Value, *, ksizes: list[int], strides: list[int], rates: list[int], padding: bytes
) -> Value:
    return move(g, step, [x])


def volumes(g: Builder, step: Step, x: Value, *, ksizes: list[int], strides: list[int], padding: bytes) -> Value:
    return move(g, step, [x])


def set_diagonal(g: Builder, step: Step, x: Value, diagonal: Value) -> Value:
    return move(g, step, [x, diagonal], data=2)


def set_diagonals(g: Builder, step: Step, x: Value, diagonal: Value, k: Value) -> Value:
    return move(g, step, [x, diagonal, k], data=2)


def set_aligned(g: Builder, step: Step, x: Value, diagonal: Value, k: Value, *, align: bytes = b"RIGHT_LEFT") -> Value:
    return move(g, step, [x, diagonal, k], data=2)


def diagonals(g: Builder, step: Step, x: Value, k: Value, padding: Value) -> Value:
    return move(g, step, [x, k, padding], filler=2)


def aligned(g: Builder, step: Step, x: Value, k: Value, padding: Value, *, align: bytes = b"RIGHT_LEFT") -> Value:
    return move(g, step, [x, k, padding], filler=2)


def matrices(g: Builder, step: Step, x: Value, k: Value, rows: Value, columns: Value, padding: Value) -> Value:
    return move(g, step, [x, k, rows, columns, padding], filler=4)


def aligned_matrices(
    g: Builder,
    step: Step,
    x: Value,
    k: Value,
    rows: Value,
    columns: Value,
    padding: Value,
    *,
    align: bytes = b"RIGHT_LEFT",
) -> Value:
    return move(g, step, [x, k, rows, columns, padding], filler=4)


LOWERINGS: Table = {
    "BatchMatrixDiag": plain,
    "BatchMatrixDiagPart": plain,
    "BatchMatrixSetDiag": set_diagonal,
    "Diag": plain,
    "DiagPart": plain,
    "ExtractImagePatches": patches,
    "ExtractVolumePatches": volumes,
    "MatrixDiag": plain,
    "MatrixDiagPart": plain,
    "MatrixDiagPartV2": diagonals,
    "MatrixDiagPartV3": aligned,
    "MatrixDiagV2": matrices,
    "MatrixDiagV3": aligned_matrices,
    "MatrixSetDiag": set_diagonal,
    "MatrixSetDiagV2": set_diagonals,
    "MatrixSetDiagV3": set_aligned,
}
