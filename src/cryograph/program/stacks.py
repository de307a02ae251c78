"""Stacks, on which TF1's loops leave what their gradients take up again, become lists of tensors that are state.

| Stack...  | becomes                                                      |
|-----------|--------------------------------------------------------------|
| V2        | EmptyTensorList, the first value of the state                |
| PushV2    | TensorListPushBack; its output is what was pushed            |
| PopV2     | TensorListPopBack                                            |
| CloseV2   | nothing                                                      |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.dtypes import INT32, RESOURCE, VARIANT, DType
from ..base.tensors import Tensor
from .draft import Op
from .holders import Holder, Part
from .scope import Rule, Scope

STACKS = frozenset({"Stack", "StackV2"})
"""Ops that give the handle of a stack."""

PUSHES, POPS = frozenset({"StackPush", "StackPushV2"}), frozenset({"StackPop", "StackPopV2"})
"""Ops that leave a value on a stack, and that take it up again."""


def stack(op: Op) -> Holder:
    """What the handle that an op gives refers to."""
    part = Part(f"{op.name}/items", VARIANT, (), None)
    return Holder(op.name, (part,), False, "stack", op.attrs)


def empty(scope: Scope, op: Op, holder: Holder) -> None:
    """The stack is a new list from now on."""
    attrs = {"element_dtype": _dtype(holder), "shape_type": INT32}
    most = scope.constant(f"{op.key}/most", Tensor.of(np.array(-1, np.int32)))
    made = scope.emit(op, "EmptyTensorList", [_any_shape(scope, op), most], attrs)
    scope.begin(holder.parts[0], made[0])


def _any_shape(scope: Scope, op: Op) -> str:
    return scope.constant(f"{op.key}/element_shape", Tensor.of(np.array(-1, np.int32)))


def _dtype(holder: Holder) -> DType | None:
    found = None if holder.array is None else holder.array.get("elem_type")
    if found == RESOURCE:  # of arrays, which are lists
        return VARIANT
    return found if isinstance(found, DType) else None


def _push(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    part = holder.parts[0]
    attrs = {"element_dtype": _dtype(holder)}
    scope.write(part, scope.emit(op, "TensorListPushBack", [scope.value(part), inputs[1]], attrs)[0])
    scope.rename(op, 0, inputs[1])


def _pop(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    part = holder.parts[0]
    attrs = {"element_dtype": _dtype(holder)}
    shorter, item = scope.emit(op, "TensorListPopBack", [scope.value(part), _any_shape(scope, op)], attrs, 2)
    scope.write(part, shorter)
    scope.rename(op, 0, item)


STACK_RULES: dict[str, Rule] = {
    "StackPop": _pop,
    "StackPopV2": _pop,
    "StackPush": _push,
    "StackPushV2": _push,
}
