"""Puts the bodies of called functions in the places of the calls, so that a graph is one flat list of ops.

1. PartitionedCall kinds and calls by a function's name are replaced, and the calls inside them, and so on. If, While
   and Case keep their functions.
2. A call CALL of a function with a node NODE gives a node `CALL/NODE`; arguments become what the caller gave.
3. A node of the call's own name stays and passes its results on (Identity, IdentityN), so that its tensors are found
   under the names that users and signatures know; it waits for what the function said must have run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.dtypes import DType
from ..base.errors import GraphError, LimitError
from ..graph.attrs import AttrPlaceholder, FuncRef, dtype_of_number
from ..graph.calls import callee
from ..graph.graph import Function, Graph
from ..graph.node import Node, Port
from ..ops.signatures import output_arg_ranges, signature

MAX_DEPTH = 100
"""Calls that may be nested; more are taken for a function that calls itself."""

MAX_NODES = 5_000_000
"""Nodes that inlining may make: functions that call others twice grow fast."""


def inline_calls(graph: Graph) -> Graph:
    """The graph without calls. The library stays as it is; LimitError for a function that calls itself."""
    result = Graph((), graph.functions.values(), graph.proto)
    waiting = [(node, 0) for node in reversed(graph.nodes.values())]
    while waiting:
        node, depth = waiting.pop()
        function = callee(node, graph)
        if function is None:
            result.add(node)
            continue
        if depth >= MAX_DEPTH:
            raise LimitError(f"{node.name[:40]!r}... is nested {depth} calls deep: {function.name!r} calls itself.")
        made = _body(node, function, graph)
        if len(result) + len(waiting) + len(made) > MAX_NODES:
            raise LimitError(f"The calls of {node.name!r} become more than {MAX_NODES} nodes.")
        result.add(made.pop())
        waiting += [(inner, depth + 1) for inner in reversed(made)]
    return result


def _body(call: Node, function: Function, graph: Graph) -> list[Node]:
    """The nodes that stand for a call; the one of its own name is the last."""
    ports = call.data_inputs
    if len(ports) != len(function.inputs):
        raise GraphError(
            f"{call.name!r} gives {len(ports)} arguments to {function.name!r}, which takes {len(function.inputs)}."
        )
    arguments = dict(zip(function.inputs, ports, strict=True))
    outside = [f"^{name}" for name in call.control_inputs]
    ranges = {node.name: _ranges(node, graph) for node in function}

    def resolved(text: str) -> str:
        port = Port.parse(text)
        if port.node in arguments and port.node not in function:
            return f"^{arguments[port.node].node}" if port.is_control else str(arguments[port.node])
        if port.is_control:
            return f"^{call.name}/{port.node}"
        if port.node not in ranges:
            raise GraphError(f"In the function {function.name!r}: {text!r} is not there.")
        if port.arg and port.arg not in ranges[port.node]:
            raise GraphError(f"In the function {function.name!r}: {port.node!r} has no output {port.arg!r}.")
        start = ranges[port.node][port.arg].start if port.arg else 0
        return str(Port(f"{call.name}/{port.node}", start + port.index))

    given = _call_attrs(call)
    made = []
    for node in function:
        copy = node.copy(f"{call.name}/{node.name}")
        inputs = [resolved(text) for text in node.inputs]
        if outside and not inputs:
            inputs = outside
        copy.inputs = inputs
        _fill_in(copy, given)
        classes = node.attr("_class")
        if classes:
            prefix = call.name.encode() + b"/"
            copy.attrs["_class"] = [b"loc:@" + prefix + c[5:] if c.startswith(b"loc:@") else c for c in classes]
        made.append(copy)
    returns = function.returns
    results = [resolved(returns[name]) for name in function.outputs]
    controls = [f"^{call.name}/{name}" for name in dict.fromkeys(function.control_returns.values())]
    return [*made, _results(call, function, results, controls + outside)]


def _ranges(node: Node, graph: Graph) -> Mapping[str, range]:
    """For each output argument of a node, which of its outputs it is."""
    if node.op in graph.functions:
        return {name: range(i, i + 1) for i, name in enumerate(graph.functions[node.op].outputs)}
    if signature(node.op) is None:
        return {}
    return output_arg_ranges(node.op, dict(node.attrs))


def _results(call: Node, function: Function, results: list[str], controls: list[str]) -> Node:
    """The node of the call's own name."""
    types = _result_types(call, function)
    if not results:
        return Node.make(call.name, "NoOp", controls, device=call.device)
    if len(results) == 1:
        return Node.make(call.name, "Identity", [*results, *controls], {"T": types[0]}, call.device)
    return Node.make(call.name, "IdentityN", [*results, *controls], {"T": types}, call.device)


def _result_types(call: Node, function: Function) -> list[DType]:
    types = call.attr("Tout")
    if isinstance(types, list) and len(types) == len(function.outputs):
        return types
    given = _call_attrs(call)
    found = []
    for arg in function.proto.signature.output_arg:
        dtype = dtype_of_number(arg.type) if arg.type else given.get(arg.type_attr)
        if not isinstance(dtype, DType):
            raise GraphError(f"The type of the result {arg.name!r} of {function.name!r} is not known.")
        found.append(dtype)
    return found


def _call_attrs(call: Node) -> Mapping[str, Any]:
    """The attributes that a call gives to a function that is a template."""
    ref = call.attr("f")
    return ref.attrs if isinstance(ref, FuncRef) else dict(call.attrs)


def _fill_in(node: Node, given: Mapping[str, Any]) -> None:
    for name, value in list(node.proto.attr.items()):
        if value.WhichOneof("value") != "placeholder":
            continue
        wanted = node.attrs[name]
        if not isinstance(wanted, AttrPlaceholder) or wanted.name not in given:
            raise GraphError(f"{node.name!r} wants the attribute {name!r} of its caller, who gives none.")
        node.attrs[name] = given[wanted.name]
