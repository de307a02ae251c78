"""TensorArrays whose contents are state: those of graphs with gradients, and those of TensorFlow before 1.0.

What an array holds is a list of tensors behind its handle, as it is in TensorFlow; flows are numbers that say the order
and nothing else. `arrays` has the simpler way, in which the list is the flow; it cannot tell gradients apart.

The gradient of an array is a second list, one for each `source`. It begins where the array does, is as long as the
array once TensorArrayGrad has run, and what is written to an element that has a value is added to it.

An array that is made in a branch is there, empty, before the conditional: its gradient runs in another one. One that a
turn of a loop leaves on a stack is left as its list at the end of the turn; where it is taken up, it is an array anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..base.dtypes import INT32, VARIANT
from ..base.tensors import Tensor
from .arrays import attribute, dtype_of, shape_constant
from .draft import Op
from .holders import Holder, Part
from .scope import Rule, Scope

RENEWED = "TensorArrayRenewed"
"""An op of drafts alone: makes an array that came into being before, empty, in a branch; of its handle and size."""

KEPT_ARRAYS = frozenset({"TensorArray", "TensorArrayV2", "TensorArrayV3"})
"""Ops that give the handle of an array."""

GRADIENTS = frozenset({"TensorArrayGrad", "TensorArrayGradV2", "TensorArrayGradV3", "TensorArrayGradWithShape"})
"""Ops that give the handle of an array's gradient."""


def are_kept(ops: Iterable[str]) -> bool:
    """Whether the arrays of these ops are state."""
    return any(name in GRADIENTS or name in ("TensorArray", "TensorArrayV2") for name in ops)


def kept_array(op: Op) -> Holder:
    """What the handle that an op gives refers to."""
    return Holder(op.name, (Part(f"{op.name}/items", VARIANT, (), None),), False, "array", op.attrs)


def gradient(op: Op, holder: Holder) -> Holder:
    """What the handle of a gradient refers to: its own list, then that of the array itself."""
    source = op.attrs.get("source", b"")
    name = f"{holder.name}@{source.decode('utf-8', 'replace') if isinstance(source, bytes) else source}"
    return replace(holder, name=name, parts=(Part(f"{name}/items", VARIANT, (), None), holder.parts[0]))


def root_of(gradient: Holder) -> str:
    """The name of the array that something is the gradient of."""
    return gradient.name.partition("@")[0]


def begin(scope: Scope, op: Op, size: str, holder: Holder, gradients: Sequence[Part]) -> None:
    """An array comes into being, and its gradients with it."""
    shape = shape_constant(scope, op, op.attrs.get("element_shape"))
    attrs = {"element_dtype": dtype_of(holder), "shape_type": INT32}
    scope.begin(holder.parts[0], scope.emit(op, "TensorListReserve", [shape, size], attrs)[0])
    _begin(scope, op, holder, gradients)
    if op.op == "TensorArrayV3":
        scope.rename(op, 1, scope.constant(f"{op.key}/flow", Tensor.of(np.zeros((), np.float32))))


def _begin(scope: Scope, op: Op, array: Holder, gradients: Sequence[Part]) -> None:
    unknown = shape_constant(scope, op, None)
    none = scope.constant(f"{op.key}/none", Tensor.of(np.array(0, np.int32)))
    attrs = {"element_dtype": dtype_of(array), "shape_type": INT32}
    for part in gradients:
        scope.begin(part, scope.emit(op, "TensorListReserve", [unknown, none], attrs)[0])


def _renew(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    shape = shape_constant(scope, op, attribute(holder, "element_shape"))
    attrs = {**_types(holder), "shape_type": INT32}
    scope.write(holder.parts[0], scope.emit(op, "TensorListReserve", [shape, inputs[1]], attrs)[0])
    scope.rename(op, 1, scope.constant(f"{op.key}/flow", Tensor.of(np.zeros((), np.float32))))


def leave_array(scope: Scope, op: Op, stack: Holder, array: Holder) -> None:
    """A turn of a loop leaves its array on a stack: the list that it holds at the end."""
    inputs = [scope.value(stack.parts[0]), scope.value(array.parts[0])]
    scope.write(stack.parts[0], scope.emit(op, "TensorListPushBack", inputs, {"element_dtype": VARIANT})[0])


def take_array(scope: Scope, op: Op, stack: Holder, array: Holder, gradients: Sequence[Part]) -> None:
    """A turn takes up what another left, an array again, and its gradients begin."""
    unknown = shape_constant(scope, op, None)
    attrs = {"element_dtype": VARIANT}
    shorter, held = scope.emit(op, "TensorListPopBack", [scope.value(stack.parts[0]), unknown], attrs, 2)
    scope.write(stack.parts[0], shorter)
    scope.begin(array.parts[0], held)
    _begin(scope, op, array, gradients)


def _types(holder: Holder) -> dict[str, Any]:
    return {"element_dtype": dtype_of(holder)}


def _is_gradient(holder: Holder) -> bool:
    return len(holder.parts) > 1


def _held(scope: Scope, holder: Holder) -> str:
    return scope.value(holder.parts[0])


def _length(scope: Scope, op: Op, value: str) -> str:
    return scope.emit(op, "TensorListLength", [value], {})[0]


def _shape_of(scope: Scope, op: Op, value: str, holder: Holder) -> str:
    return scope.emit(op, "Shape", [value], {"T": dtype_of(holder), "out_type": INT32})[0]


def _grad(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    own = gradient(op, holder)
    size = _length(scope, op, _held(scope, holder))
    scope.write(own.parts[0], scope.emit(op, "TensorListResize", [_held(scope, own), size], {})[0])
    scope.refer(op, 0, own)
    if op.count > 1:
        scope.rename(op, 1, inputs[1])


def _add(scope: Scope, op: Op, holder: Holder, more: str) -> None:
    """A list of as many elements is added to a gradient, or takes the place of an array's contents."""
    if _is_gradient(holder):
        more = scope.emit(op, "AddN", [_held(scope, holder), more], {"N": 2, "T": VARIANT})[0]
    scope.write(holder.parts[0], more)


def _write(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    _, index, value, flow = inputs
    held = _held(scope, holder)
    if _is_gradient(holder):
        shape = _shape_of(scope, op, value, holder)
        before = scope.emit(op, "TensorListGetItem", [held, index, shape], {**_types(holder), "Tshape": INT32})[0]
        value = scope.emit(op, "AddV2", [before, value], {"T": dtype_of(holder)})[0]
    attrs = {**_types(holder), "resize_if_index_out_of_bounds": bool(attribute(holder, "dynamic_size"))}
    scope.write(holder.parts[0], scope.emit(op, "TensorListSetItem", [held, index, value], attrs)[0])
    scope.rename(op, 0, flow)


def _read(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    attrs = {**_types(holder), "Tshape": INT32}
    shape = shape_constant(scope, op, attribute(holder, "element_shape"))
    if _is_gradient(holder):  # what nobody has written to is zero, in the shape of the array's element
        element = scope.emit(op, "TensorListGetItem", [scope.value(holder.parts[1]), inputs[1], shape], attrs)[0]
        shape = _shape_of(scope, op, element, holder)
    scope.rename(op, 0, scope.emit(op, "TensorListGetItem", [_held(scope, holder), inputs[1], shape], attrs)[0])


def _gather(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    shape = shape_constant(scope, op, op.attrs.get("element_shape") or attribute(holder, "element_shape"))
    made = scope.emit(op, "TensorListGather", [_held(scope, holder), inputs[1], shape], _types(holder))
    scope.rename(op, 0, made[0])


def _pack(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    shape = shape_constant(scope, op, op.attrs.get("element_shape") or attribute(holder, "element_shape"))
    attrs = {**_types(holder), "num_elements": -1}
    scope.rename(op, 0, scope.emit(op, "TensorListStack", [_held(scope, holder), shape], attrs)[0])


def _scatter(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    _, indices, value, flow = inputs
    if _is_gradient(holder):
        size = _length(scope, op, _held(scope, holder))
        attrs = {**_types(holder), "shape_type": INT32}
        taken = [value, indices, shape_constant(scope, op, None), size]
        _add(scope, op, holder, scope.emit(op, "TensorListScatterV2", taken, attrs)[0])
    else:
        taken = [_held(scope, holder), value, indices]
        made = scope.emit(op, "TensorListScatterIntoExistingList", taken, _types(holder))
        scope.write(holder.parts[0], made[0])
    scope.rename(op, 0, flow)


def _unpack(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    shape = shape_constant(scope, op, None)
    attrs = {**_types(holder), "shape_type": INT32}
    _add(scope, op, holder, scope.emit(op, "TensorListFromTensor", [inputs[1], shape], attrs)[0])
    scope.rename(op, 0, inputs[2])


def _split(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    _, value, lengths, flow = inputs
    shape = shape_constant(scope, op, attribute(holder, "element_shape"))
    attrs = {**_types(holder), "shape_type": INT32}
    _add(scope, op, holder, scope.emit(op, "TensorListSplit", [value, shape, lengths], attrs)[0])
    scope.rename(op, 0, flow)


def _concat(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    rest = op.attrs.get("element_shape_except0")
    shape = shape_constant(scope, op, (None, *rest) if isinstance(rest, tuple) else None)
    lengths = scope.constant(f"{op.key}/leading_dims", Tensor.of(np.zeros(0, np.int64)))
    attrs = {**_types(holder), "shape_type": INT32}
    for index, made in enumerate(
        scope.emit(op, "TensorListConcatV2", [_held(scope, holder), shape, lengths], attrs, 2)
    ):
        scope.rename(op, index, made)


def _size(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    scope.rename(op, 0, _length(scope, op, _held(scope, holder)))


def _versions(name: str, rule: Rule) -> dict[str, Rule]:
    return {f"TensorArray{name}{version}": rule for version in ("", "V2", "V3")}


KEPT_RULES: dict[str, Rule] = {
    RENEWED: _renew,
    **_versions("Concat", _concat),
    **_versions("Gather", _gather),
    **_versions("Grad", _grad),
    "TensorArrayGradWithShape": _grad,
    "TensorArrayPack": _pack,
    **_versions("Read", _read),
    **_versions("Scatter", _scatter),
    **_versions("Size", _size),
    **_versions("Split", _split),
    "TensorArrayUnpack": _unpack,
    **_versions("Write", _write),
}
