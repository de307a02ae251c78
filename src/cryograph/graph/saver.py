"""Saving and restoring as nodes of the graph: what a Saver of TensorFlow adds, and what its SaverDef names."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..base.dtypes import STRING
from ..base.errors import GraphError
from ..base.tensors import Tensor
from ..wire import messages as pb
from .document import Variable
from .graph import Graph
from .node import Node
from .variables import RESOURCE_VARIABLES


def add_saver(graph: Graph, variables: Iterable[Variable], scope: str = "save") -> pb.SaverDef:
    """Adds the ops of a Saver for variables that have nodes in the graph (which is changed), and gives the SaverDef.

    The nodes are called `save/...`, or `save_1/...` where that is taken. Checkpoints are of version 2.
    """
    listed = sorted(variables, key=lambda v: v.key)
    used = {name.partition("/")[0] for name in graph.nodes}
    prefix, number = scope, 1
    while prefix in used:
        prefix, number = f"{scope}_{number}", number + 1

    def text(name: str, values: list[str] | str) -> str:
        tensor = Tensor.of(np.array(values, dtype=object))
        return graph.add(Node.make(f"{prefix}/{name}", "Const", attrs={"dtype": STRING, "value": tensor})).name

    default = text("filename/input", "model")
    filename = Node.make(f"{prefix}/filename", "PlaceholderWithDefault", [default], {"dtype": STRING, "shape": ()})
    graph.add(filename)
    path = Node.make(f"{prefix}/Const", "PlaceholderWithDefault", [filename.name], {"dtype": STRING, "shape": ()})
    graph.add(path)
    keys = [v.key for v in listed]
    slices = [v.slice_spec for v in listed]
    dtypes = [v.dtype.base for v in listed]

    values = [_value(graph, v) for v in listed]
    save_inputs = [path.name, text("SaveV2/tensor_names", keys), text("SaveV2/shape_and_slices", slices), *values]
    save = graph.add(Node.make(f"{prefix}/SaveV2", "SaveV2", save_inputs, {"dtypes": dtypes}))
    saved = Node.make(f"{prefix}/control_dependency", "Identity", [path.name, f"^{save.name}"], {"T": STRING})
    graph.add(saved)

    restore_inputs = [path.name, text("RestoreV2/tensor_names", keys), text("RestoreV2/shape_and_slices", slices)]
    restore = graph.add(Node.make(f"{prefix}/RestoreV2", "RestoreV2", restore_inputs, {"dtypes": dtypes}))
    assigned = [_assign(graph, v, prefix, f"{restore.name}:{i}" if i else restore.name) for i, v in enumerate(listed)]
    restore_all = graph.add(Node.make(f"{prefix}/restore_all", "NoOp", [f"^{name}" for name in assigned]))
    return pb.SaverDef(
        filename_tensor_name=f"{path.name}:0",
        save_tensor_name=f"{saved.name}:0",
        restore_op_name=restore_all.name,
        max_to_keep=5,
        keep_checkpoint_every_n_hours=10000.0,
        version=pb.SaverDef.CheckpointFormatVersion.Value("V2"),
    )


def _node(graph: Graph, variable: Variable) -> Node:
    if variable.node is None or variable.node not in graph:
        raise GraphError(
            f"The variable {variable.name!r} has no node in the graph, so that no saver can be added for it."
        )
    return graph.nodes[variable.node]


def _value(graph: Graph, variable: Variable) -> str:
    node = _node(graph, variable)
    if node.op not in RESOURCE_VARIABLES:
        return node.name
    name = graph.unique_name(f"{node.name}/Read/ReadVariableOp")
    return graph.add(Node.make(name, "ReadVariableOp", [node.name], {"dtype": variable.dtype.base})).name


def _assign(graph: Graph, variable: Variable, prefix: str, value: str) -> str:
    node = _node(graph, variable)
    dtype = variable.dtype.base
    if node.op in RESOURCE_VARIABLES:
        same = graph.add(Node.make(graph.unique_name(f"{prefix}/Identity"), "Identity", [value], {"T": dtype}))
        name = graph.unique_name(f"{prefix}/AssignVariableOp")
        return graph.add(Node.make(name, "AssignVariableOp", [node.name, same.name], {"dtype": dtype})).name
    attrs = {"T": dtype, "validate_shape": True, "use_locking": True, "_class": [f"loc:@{node.name}"]}
    name = graph.unique_name(f"{prefix}/Assign")
    return graph.add(Node.make(name, "Assign", [node.name, value], attrs)).name
