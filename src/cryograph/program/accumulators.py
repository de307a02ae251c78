"""Accumulators, which sum gradients until enough are there, become three values that are state.

| ...Accumulator... | becomes                                                                                         |
|-------------------|-------------------------------------------------------------------------------------------------|
| ApplyGradient     | total + gradient and count + 1, where the gradient is not older than the step                   |
| TakeGradient      | the mean, or the total; then both are 0 again and the step is one more. Where TensorFlow would  |
|                   | wait for gradients of other threads, Assert says that there are too few                         |
| NumAccumulated    | the count                                                                                       |
| SetGlobalStep     | another step                                                                                    |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.dtypes import BOOL, DTYPES, INT32, INT64, STRING, DType
from ..base.tensors import Tensor
from .draft import Op
from .holders import Holder, Part
from .scope import Rule, Scope

ACCUMULATORS = frozenset({"ConditionalAccumulator", "ResourceConditionalAccumulator"})
"""Ops that give the handle of an accumulator."""


def accumulator(op: Op, name: str) -> Holder:
    """What the handle that an op gives refers to: total, count and step."""
    said, shape = op.attrs.get("dtype"), op.attrs.get("shape")
    dtype = said.base if isinstance(said, DType) else DTYPES[0]
    known = isinstance(shape, tuple) and None not in shape
    total = None if dtype.numpy is None else Tensor.of(np.zeros(shape if known else (), dtype.numpy), dtype)
    parts = (
        Part(f"{name}/total", dtype, shape if known else None, total, "an accumulator of a dtype that is no number"),
        Part(f"{name}/count", INT32, (), Tensor.of(np.array(0, np.int32))),
        Part(f"{name}/step", INT64, (), Tensor.of(np.array(0, np.int64))),
    )
    return Holder(name, parts, op.op == "ConditionalAccumulator", "accumulator", op.attrs)


def _apply(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    total, count, step = holder.parts
    fresh = scope.emit(op, "GreaterEqual", [inputs[1], scope.value(step)], {"T": INT64})[0]
    summed = scope.emit(op, "AddV2", [scope.value(total), inputs[2]], {"T": total.dtype})[0]
    scope.write(total, scope.emit(op, "SelectV2", [fresh, summed, scope.value(total)], {"T": total.dtype})[0])
    one = scope.emit(op, "Cast", [fresh], {"SrcT": BOOL, "DstT": INT32, "Truncate": False})[0]
    scope.write(count, scope.emit(op, "AddV2", [scope.value(count), one], {"T": INT32})[0])


def _take(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    total, count, step = holder.parts
    enough = scope.emit(op, "GreaterEqual", [scope.value(count), inputs[1]], {"T": INT32})[0]
    words = Tensor.of(np.array(b"fewer gradients were accumulated than are required:", object), STRING)
    told = [enough, scope.constant(f"{op.key}/words", words), scope.value(count), inputs[1]]
    scope.emit(op, "Assert", told, {"T": [STRING, INT32, INT32], "summarize": 3}, 0)
    given = scope.value(total)
    if (holder.array or {}).get("reduction_type", b"MEAN") == b"MEAN":
        cast = {"SrcT": INT32, "DstT": total.dtype, "Truncate": False}
        given = scope.emit(
            op, "Div", [given, scope.emit(op, "Cast", [scope.value(count)], cast)[0]], {"T": total.dtype}
        )[0]
    scope.rename(op, 0, given)
    for part in (total, count):
        if part.tensor is not None:
            scope.write(part, scope.constant(f"{op.key}/{part.name.rpartition('/')[2]}", part.tensor))
    one = scope.constant(f"{op.key}/one", Tensor.of(np.array(1, np.int64)))
    scope.write(step, scope.emit(op, "AddV2", [scope.value(step), one], {"T": INT64})[0])


def _count(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    scope.rename(op, 0, scope.value(holder.parts[1]))


def _set_step(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    scope.write(holder.parts[2], inputs[1])


def _both(name: str, rule: Rule) -> dict[str, Rule]:
    return {name: rule, f"Resource{name}": rule}


ACCUMULATOR_READING: dict[str, Rule] = _both("AccumulatorNumAccumulated", _count)

ACCUMULATOR_WRITING: dict[str, Rule] = {
    **_both("AccumulatorApplyGradient", _apply),
    **_both("AccumulatorSetGlobalStep", _set_step),
    **_both("AccumulatorTakeGradient", _take),
}
