"""Lowerings of ops that only move elements about, by one index map: where each element of the answer comes from.

The map is what the reference engine answers when it is given positions in place of numbers. The runtime then gathers
from all inputs laid out flat, one behind the other. This needs known sizes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...base.dtypes import INT64
from ...base.shapes import is_known
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .values import Refusal, Value

MOST = 1 << 22
"""Elements of an answer up to which a map is made: it takes eight bytes for each."""


def moved(data: int = 1, filler: int | None = None) -> Lowering:
    """For an op whose first `data` inputs hold the elements, the others constants that say where they go; `filler` is
    the input that fills what nothing else does (zero without). The attributes are the reference engine's to read."""

    def lower(
        g: Builder,
        step: Step,
        *inputs: Value,
        align: bytes = b"",
        ksizes: object = None,
        strides: object = None,
        rates: object = None,
        padding: object = None,
    ) -> Value:
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

    return lower


def _map(step: Step, asked: list[Any]) -> Any:
    from ..numpy.engine import fold

    origin = fold(replace(step, attrs={**step.attrs, "T": INT64}), asked)[0]
    if origin.size > MOST:
        raise Refusal(f"{step.op} to {origin.size} elements would need too large a map")
    return origin


LOWERINGS: Table = {
    "BatchMatrixDiag": moved(),
    "BatchMatrixDiagPart": moved(),
    "BatchMatrixSetDiag": moved(2),
    "Diag": moved(),
    "DiagPart": moved(),
    "ExtractImagePatches": moved(),
    "ExtractVolumePatches": moved(),
    "MatrixDiag": moved(),
    "MatrixDiagPart": moved(),
    "MatrixDiagPartV2": moved(filler=2),
    "MatrixDiagPartV3": moved(filler=2),
    "MatrixDiagV2": moved(filler=4),
    "MatrixDiagV3": moved(filler=4),
    "MatrixSetDiag": moved(2),
    "MatrixSetDiagV2": moved(2),
    "MatrixSetDiagV3": moved(2),
}
