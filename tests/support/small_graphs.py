"""Graphs in few words: `graph_of(const("c", 1.0), node("y", "Add", "x", "c", T=FLOAT32))`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cryograph.base.dtypes import FLOAT32, RESOURCE, DType
from cryograph.base.tensors import Tensor
from cryograph.graph.document import Document
from cryograph.graph.graph import Function, Graph
from cryograph.graph.node import Node
from cryograph.graph.variables import find_variables
from cryograph.wire import messages as pb


def node(name: str, op: str, *inputs: str, **attrs: Any) -> Node:
    """A node; attributes of the type kind default to T=float32 where that is given as nothing."""
    return Node.make(name, op, inputs, attrs)


def const(name: str, value: Any, *inputs: str, dtype: Any = None) -> Node:
    array = np.asarray(value, dtype)
    if dtype is None and array.dtype == np.float64:
        array = array.astype(np.float32)
    tensor = Tensor.of(array)
    return Node.make(name, "Const", inputs, {"dtype": tensor.dtype, "value": tensor})


def ints(name: str, value: Any, *inputs: str) -> Node:
    return const(name, value, *inputs, dtype=np.int32)


def placeholder(name: str, shape: tuple[int | None, ...] | None = None, dtype: DType = FLOAT32) -> Node:
    return Node.make(name, "Placeholder", (), {"dtype": dtype, "shape": shape})


def function(
    name: str,
    arguments: Mapping[str, DType],
    results: Mapping[str, tuple[str, DType]],
    nodes: Iterable[Node],
    control_results: Sequence[str] = (),
) -> Function:
    """A function: arguments with dtypes, results with the tensors that they are (`node:out:0`)."""
    proto = pb.FunctionDef()
    proto.signature.name = name
    for arg, dtype in arguments.items():
        proto.signature.input_arg.add(name=arg, type=dtype.number)
    for result, (tensor, dtype) in results.items():
        proto.signature.output_arg.add(name=result, type=dtype.number)
        proto.ret[result] = tensor
    for control in control_results:
        proto.signature.control_output.append(control)
        proto.control_ret[control] = control
    return Function(proto, nodes)


def handle(name: str, dtype: DType = FLOAT32, shape: Any = None, shared_name: str = "") -> Node:
    attrs = {"dtype": dtype, "shape": shape, "shared_name": shared_name or name, "container": ""}
    return Node.make(name, "VarHandleOp", (), attrs)


def document_of(*parts: Node | Function, values: Mapping[str, Any] | None = None) -> Document:
    """A document of nodes and functions; `values` are those of its variables."""
    graph = Graph([p for p in parts if isinstance(p, Node)], [p for p in parts if isinstance(p, Function)])
    graph.proto.versions.producer = 2000
    variables = find_variables(graph, {})
    for name, value in (values or {}).items():
        variables[name] = variables[name].with_tensor(Tensor.of(np.asarray(value, np.float32)))
    return Document(graph, "graph", variables=variables)


__all__ = ["RESOURCE", "const", "document_of", "function", "handle", "ints", "node", "placeholder"]
