"""Numbers of few bits computed as those of more, where ONNX Runtime has no kernel for them.

Floats of 16 bits become float32, which is how TensorFlow computes them, and are rounded where a step ends. Integers
become wider ones, whose lower bits are the same whatever is added or multiplied. What looks at the ends of a dtype's
range is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...base.dtypes import BOOL, FLOAT32, INT32, INT64, UINT8, DType, dtype_of
from .builder import Builder
from .values import BFLOAT16, FLOAT16, Refusal, Value

Wider = Mapping[DType, DType]

_SMALL = (dtype_of("int8"), UINT8, dtype_of("int16"), dtype_of("uint16"))

LADDER: tuple[Wider, ...] = (
    {FLOAT16: FLOAT32, BFLOAT16: FLOAT32},
    dict.fromkeys(_SMALL, INT32),
    dict.fromkeys((*_SMALL, INT32, dtype_of("uint32")), INT64),
)
"""What is tried, in this order, when a step was refused."""

LEFT_OUT = frozenset(
    {
        *("Bitcast", "RandomStandardNormal", "RandomUniform", "SegmentMax", "SegmentMaxV2", "SegmentMin"),
        *("SegmentMinV2", "Softplus", "UnsortedSegmentMax", "UnsortedSegmentMin"),
    }
)
"""Ops whose answers depend on the width: on the ends of the range, or as TensorFlow rounds in between."""

QUANTISED = "uanti"
"""What the names of ops have in common whose integers stand for a range."""

FLAGS = frozenset({"ArgMax", "ArgMin"})
"""Ops that take booleans as numbers."""

NO_INTEGERS = frozenset({"EuclideanNorm", "LeftShift", "Max", "Mean", "Min", "PopulationCount", "RightShift"})
"""The same for integers: what is found in nothing, sums that wrap before something is made of them, and bits."""


def ways(op: str, dtypes: Iterable[DType]) -> Iterator[Wider]:
    """The ways in which a step on such dtypes may be widened."""
    present = set(dtypes)
    left_out = op in LEFT_OUT or QUANTISED in op
    for wider in LADDER:
        if present & wider.keys() and not left_out:
            yield wider
        left_out = left_out or op in NO_INTEGERS  # behind the floats
    if BOOL in present and op in FLAGS:
        yield {BOOL: INT32}


def inputs(g: Builder, values: Sequence[Value], wider: Wider) -> list[Value]:
    """The inputs, the narrow ones wider."""
    return [g.cast(x, wider.get(x.dtype, x.dtype)) for x in values]


def attrs(named: Mapping[str, Any], wider: Wider) -> dict[str, Any]:
    """The attributes, dtypes among them the wider ones."""
    return {name: wider.get(value, value) if isinstance(value, DType) else value for name, value in named.items()}


def output(g: Builder, value: Value | None, dtype: DType, wider: Wider) -> Value | None:
    """An output in the dtype that the step has."""
    if value is None or value.dtype == dtype:
        return value
    if wider.get(dtype) != value.dtype:
        raise Refusal(f"an output would be {value.dtype}, not {dtype}")
    return g.cast(value, dtype)
