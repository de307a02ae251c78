"""The plain kinds of ops on references, for a graph in which nothing is a reference any more.

| op                                            | becomes                                                     |
|-----------------------------------------------|-------------------------------------------------------------|
| RefSwitch, RefMerge, RefEnter, RefExit ...    | Switch, Merge, Enter, Exit ...                              |
| RefIdentity                                   | Identity                                                    |
| Assign(ref, value)                            | Identity(value), waiting for what it waited for             |
| AssignAdd, AssignSub(ref, delta)              | Add, Sub: the value that the write would have left          |
| IsVariableInitialized                         | Const true                                                  |

Updates of single rows and optimizers' steps have no plain kind; they are refused where outputs need them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base.dtypes import BOOL
from ..base.errors import GraphError
from ..base.tensors import Tensor
from ..graph.node import Node


def _renamed(op: str) -> Callable[[Node], Node]:
    def rule(node: Node) -> Node:
        copy = node.copy()
        copy.op = op
        return copy

    return rule


def _assign(node: Node) -> Node:
    value = node.data_inputs[1]
    controls = [f"^{c}" for c in node.control_inputs]
    made = Node.make(node.name, "Identity", [value, *controls], {"T": node.attr("T")}, node.device)
    return _with_class(made, node)


def _update(op: str) -> Callable[[Node], Node]:
    def rule(node: Node) -> Node:
        return _with_class(Node.make(node.name, op, node.inputs, {"T": node.attr("T")}, node.device), node)

    return rule


def _true(node: Node) -> Node:
    controls = [f"^{c}" for c in node.control_inputs]
    attrs = {"dtype": BOOL, "value": Tensor.of(np.array(True))}
    return Node.make(node.name, "Const", controls, attrs, node.device)


def _refused(node: Node) -> Node:
    raise GraphError(
        f"The outputs depend on {node.name!r} ({node.op}), which changes a variable; that has no meaning in a frozen "
        "graph. Freeze outputs that do not wait for training steps."
    )


def _with_class(made: Node, node: Node) -> Node:
    classes = node.attrs.raw("_class")
    if classes is not None:
        made.proto.attr["_class"].CopyFrom(classes)
    return made


def plain_node(node: Node) -> Node:
    """The plain kind of a node on references; GraphError when it has none."""
    return REFERENCE_RULES[node.op](node)


REFERENCE_RULES: dict[str, Callable[[Node], Node]] = {
    "RefSwitch": _renamed("Switch"),
    "RefMerge": _renamed("Merge"),
    "RefEnter": _renamed("Enter"),
    "RefExit": _renamed("Exit"),
    "RefNextIteration": _renamed("NextIteration"),
    "RefIdentity": _renamed("Identity"),
    "Assign": _assign,
    "AssignAdd": _update("Add"),
    "AssignSub": _update("Sub"),
    "IsVariableInitialized": _true,
    **dict.fromkeys(
        (
            "RefSelect",
            "CountUpTo",
            "ScatterAdd",
            "ScatterSub",
            "ScatterMul",
            "ScatterDiv",
            "ScatterMin",
            "ScatterMax",
            "ScatterUpdate",
            "ScatterNdAdd",
            "ScatterNdSub",
            "ScatterNdUpdate",
            "StridedSliceAssign",
            "ApplyGradientDescent",
            "ApplyProximalGradientDescent",
            "ApplyMomentum",
            "ApplyAdam",
            "ApplyAdaMax",
            "ApplyAdadelta",
            "ApplyAdagrad",
            "ApplyAdagradV2",
            "ApplyAdagradDA",
            "ApplyProximalAdagrad",
            "ApplyFtrl",
            "ApplyFtrlV2",
            "ApplyRMSProp",
            "ApplyCenteredRMSProp",
            "ApplyAddSign",
            "ApplyPowerSign",
            "SparseApplyAdadelta",
            "SparseApplyAdagrad",
            "SparseApplyAdagradV2",
            "SparseApplyAdagradDA",
            "SparseApplyProximalAdagrad",
            "SparseApplyProximalGradientDescent",
            "SparseApplyFtrl",
            "SparseApplyFtrlV2",
            "SparseApplyMomentum",
            "SparseApplyRMSProp",
            "SparseApplyCenteredRMSProp",
        ),
        _refused,
    ),
}
