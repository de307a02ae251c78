"""What ONNX Runtime did wrong before a version. Lowerings that would rely on it go around it, or refuse: numpy does the
step then."""

from __future__ import annotations

import re
from functools import cache

from .values import Refusal

ATTENTION_BIAS, NORM_OF_NO_AXES, POOLED_PLACES = "MultiHeadAttention", "ReduceL2", "MaxPool"
REVERSE_NONE, RNN_LENGTHS, TOP_OF_NOTHING, TRANSPOSED = "ReverseSequence", "RNN", "TopK", "FusedMatMul"
QUOTIENT_OF_NOTHING = "Div"

_RIGHT_SINCE: dict[str, tuple[tuple[int, int], str]] = {
    ATTENTION_BIAS: ((1, 22), "adds what belongs to other heads or pictures to the scores of attention"),
    NORM_OF_NO_AXES: ((1, 24), "gives numbers with their signs as norms along no axes"),
    POOLED_PLACES: ((1, 30), "names wrong places in padded windows"),
    QUOTIENT_OF_NOTHING: ((1, 28), "loses what is divided by a constant without elements"),
    REVERSE_NONE: ((1, 28), "reverses sequences of no elements"),
    RNN_LENGTHS: ((1, 28), "goes on after the end of shorter sequences"),
    TOP_OF_NOTHING: ((1, 32), "ends the process when there are no rows"),
    TRANSPOSED: ((1, 26), "has no kernel for the products of transposed doubles that it makes itself"),
}


@cache
def version() -> tuple[int, int]:
    """Of the runtime that is installed: (1, 32)."""
    import onnxruntime

    found = re.match(r"(\d+)\.(\d+)", onnxruntime.__version__)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def is_right(fault: str) -> bool:
    """Whether the installed runtime does not have a fault."""
    return version() >= _RIGHT_SINCE[fault][0]


def must_be_right(fault: str) -> None:
    """Refusal when the installed runtime has a fault."""
    since, words = _RIGHT_SINCE[fault]
    if not is_right(fault):
        raise Refusal(f"ONNX Runtime before {since[0]}.{since[1]} {words}; {version()[0]}.{version()[1]} is installed")
