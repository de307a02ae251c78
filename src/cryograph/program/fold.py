"""Which steps are worked out while a program is built, and by whom.

A step whose inputs are all constants gives constants. It is worked out once, by the engine that the caller lends, when
that is safe: the op is pure and not random, the result is no larger than FOLDED_BYTES, it does not blow its inputs up,
and all results together stay below FOLDED_TOTAL beside GROWTH times the constants of the program. What the engine
cannot do, or refuses, stays a step and is run (and may fail) with the program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from ..base.dtypes import DType
from ..base.errors import Error
from ..base.tensors import Array, Tensor
from ..ops.facts import Fact
from ..ops.signatures import signature
from .program import Step

Fold = Callable[[Step, Sequence[Array]], Sequence[Array]]
"""Works out one step: its outputs from its inputs."""

FOLDED_BYTES = 1 << 26
"""The most bytes that one folded step may give."""

FOLDED_TOTAL = 1 << 28
"""The most bytes that all folded steps of a program may give, beside a multiple of what its constants hold."""

SMALL_BYTES = 1 << 16
"""A result of so few bytes may be folded even if it is larger than the inputs."""

GROWTH = 4
"""How many times the bytes of its inputs a larger result may have: weights that are unpacked from 8 bits have four."""

STRING_BYTES = 32
"""What one string is taken to weigh."""

# Not called stateful, and yet other than functions of their inputs, or best left to the engine.
_NOT_FOLDED = frozenset({"NoOp", "Assert", "CheckNumerics", "EmptyTensorList", "TensorListReserve", "Placeholder"})


def is_pure(op: str) -> bool:
    """Whether an op gives the same outputs for the same inputs each time, and does nothing else."""
    known = signature(op)
    return known is not None and not known.is_stateful and "Random" not in op and op not in _NOT_FOLDED


class Folder:
    """Folds the steps of one program, bodies included. `held` are the bytes of its constants."""

    def __init__(self, fold: Fold, held: int) -> None:
        self._fold = fold
        self._left = FOLDED_TOTAL + GROWTH * held

    def folded(self, step: Step, inputs: Sequence[Tensor], facts: Sequence[Fact]) -> list[Tensor] | None:
        """The outputs of a step on constants; None where it stays a step. `facts` is what is known of its outputs."""
        if not is_pure(step.op) or step.bodies:
            return None
        dtypes: list[DType] = []
        total = 0
        for fact in facts:
            if fact.dtype is None or fact.dtype.numpy is None or fact.shape is None:
                return None
            sizes = [size for size in fact.shape if size is not None]
            if len(sizes) != len(fact.shape):
                return None
            total += prod(sizes) * (fact.dtype.itemsize or STRING_BYTES)
            dtypes.append(fact.dtype.base)
        if any(tensor.dtype.numpy is None for tensor in inputs):
            return None
        given = sum(prod(tensor.shape) * (tensor.dtype.itemsize or STRING_BYTES) for tensor in inputs)
        if total > max(SMALL_BYTES, GROWTH * given) or total > min(FOLDED_BYTES, self._left):
            return None
        try:
            arrays = self._fold(step, [tensor.numpy() for tensor in inputs])
        except Error:
            return None  # told when the program is prepared or run
        if len(arrays) != len(dtypes):
            return None
        self._left -= total
        return [Tensor.of(array, dtype) for array, dtype in zip(arrays, dtypes, strict=True)]
