"""Lowerings of ops that say or check something and give on what they get."""

from __future__ import annotations

from ...base.dtypes import BOOL
from ...program.program import Step
from .builder import Builder, Table
from .values import Refusal, Value


def print_(
    g: Builder, step: Step, x: Value, *data: Value, message: bytes = b"", first_n: int = -1, summarize: int = 3
) -> Value:
    """What is printed is left out, as on numpy."""
    return x


def assert_(g: Builder, step: Step, condition: Value, *data: Value, summarize: int = 3) -> list[Value | None]:
    """One that is known to hold is gone; numpy has the words for one that may fail."""
    if condition.array is None or condition.dtype != BOOL or not condition.array.all():
        raise Refusal("an assertion that is not known to hold has no form in ONNX, which has nothing that raises")
    return []


def nothing(g: Builder, step: Step) -> list[Value | None]:
    return []


LOWERINGS: Table = {
    "Assert": assert_,
    "ControlTrigger": nothing,
    "Print": print_,
}
