"""TensorArrays become lists of tensors: values that flow, where the graph has a handle and a flow that says the order.

| TensorArray...          | becomes, the list in the place of the flow                                    |
|-------------------------|-------------------------------------------------------------------------------|
| V3(size)                | TensorListReserve(element shape, size)                                        |
| WriteV3                 | TensorListSetItem, growing when the array is dynamic                          |
| ReadV3, GatherV3        | TensorListGetItem, TensorListGather                                           |
| ScatterV3               | TensorListScatterIntoExistingList                                             |
| SplitV3, ConcatV3       | TensorListSplit, TensorListConcatV2                                           |
| SizeV3                  | TensorListLength                                                              |
| CloseV3                 | nothing                                                                       |

The arrays of a graph that asks for their gradients, and those of TensorFlow before 1.0, are kept: see `kept_arrays`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.dtypes import INT32, DType
from ..base.shapes import Shape
from ..base.tensors import Tensor
from .draft import Op
from .holders import Holder
from .scope import Rule, Scope

ARRAYS = frozenset({"TensorArrayV3"})
"""Ops that give the handle of an array, and its flow."""


def reserve(scope: Scope, op: Op, inputs: Sequence[str]) -> str:
    """The new list of an array."""
    attrs = {"element_dtype": op.attrs.get("dtype"), "shape_type": INT32}
    shape = shape_constant(scope, op, op.attrs.get("element_shape"))
    return scope.emit(op, "TensorListReserve", [shape, inputs[0]], attrs)[0]


def shape_constant(scope: Scope, op: Op, shape: Shape) -> str:
    """A constant that says a shape as list ops take it: a scalar -1 when nothing is known of it."""
    sizes = -1 if not isinstance(shape, tuple) else [-1 if size is None else size for size in shape]
    return scope.constant(f"{op.key}/element_shape", Tensor.of(np.array(sizes, np.int32)))


def attribute(holder: Holder, name: str) -> Any:
    """An attribute of the op that made an array."""
    return None if holder.array is None else holder.array.get(name)


def dtype_of(holder: Holder) -> DType | None:
    """The dtype of an array's elements."""
    dtype = attribute(holder, "dtype")
    return dtype if isinstance(dtype, DType) else None


def _write(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    attrs = {
        "element_dtype": op.attrs.get("T"),
        "resize_if_index_out_of_bounds": bool(attribute(holder, "dynamic_size")),
    }
    _, index, value, flow = inputs
    scope.rename(op, 0, scope.emit(op, "TensorListSetItem", [flow, index, value], attrs)[0])


def _read(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    _, index, flow = inputs
    attrs = {"element_dtype": op.attrs.get("dtype"), "Tshape": INT32}
    shape = shape_constant(scope, op, attribute(holder, "element_shape"))
    scope.rename(op, 0, scope.emit(op, "TensorListGetItem", [flow, index, shape], attrs)[0])


def _gather(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    _, indices, flow = inputs
    declared = op.attrs.get("element_shape")
    shape = shape_constant(scope, op, declared if declared is not None else attribute(holder, "element_shape"))
    attrs = {"element_dtype": op.attrs.get("dtype")}
    scope.rename(op, 0, scope.emit(op, "TensorListGather", [flow, indices, shape], attrs)[0])


def _scatter(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    _, indices, value, flow = inputs
    attrs = {"element_dtype": op.attrs.get("T")}
    scope.rename(op, 0, scope.emit(op, "TensorListScatterIntoExistingList", [flow, value, indices], attrs)[0])


def _split(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    _, value, lengths, _ = inputs
    attrs = {"element_dtype": op.attrs.get("T"), "shape_type": INT32}
    shape = shape_constant(scope, op, attribute(holder, "element_shape"))
    scope.rename(op, 0, scope.emit(op, "TensorListSplit", [value, shape, lengths], attrs)[0])


def _concat(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    flow = inputs[1]
    rest = op.attrs.get("element_shape_except0")
    whole = attribute(holder, "element_shape")
    if not isinstance(rest, tuple) and isinstance(whole, tuple) and whole:
        rest = whole[1:]
    shape = shape_constant(scope, op, (None, *rest) if isinstance(rest, tuple) else None)
    lengths = scope.constant(f"{op.key}/leading_dims", Tensor.of(np.zeros(0, np.int64)))
    attrs = {"element_dtype": op.attrs.get("dtype"), "shape_type": INT32}
    outputs = scope.emit(op, "TensorListConcatV2", [flow, shape, lengths], attrs, 2)
    for index, value in enumerate(outputs):
        scope.rename(op, index, value)


def _size(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    scope.rename(op, 0, scope.emit(op, "TensorListLength", [inputs[1]], {})[0])


ARRAY_RULES: dict[str, Rule] = {
    "TensorArrayConcatV3": _concat,
    "TensorArrayGatherV3": _gather,
    "TensorArrayReadV3": _read,
    "TensorArrayScatterV3": _scatter,
    "TensorArraySizeV3": _size,
    "TensorArraySplitV3": _split,
    "TensorArrayWriteV3": _write,
}
