"""Looking into the functions that nodes call: where a tensor inside a function comes from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..base.errors import LimitError
from ..base.tensors import Tensor
from .attrs import FuncRef
from .graph import Body, Function, Graph
from .node import Node, Port

CALL_OPS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
MAX_DEPTH = 50
"""Functions that may be nested in what is looked into."""


@dataclass(frozen=True, slots=True)
class Place:
    """A body, and for a function's arguments the ports of its caller."""

    body: Body
    arguments: Mapping[str, tuple[Port, Place]]

    def source(self, port: Port) -> tuple[Node, Port] | None:
        """The node that a tensor comes from and the port it is there, seen through Identity and functions'
        arguments."""
        place = self
        for _ in range(10 * MAX_DEPTH):
            if isinstance(place.body, Function) and port.node in place.arguments and port.node not in place.body:
                port, place = place.arguments[port.node]
                continue
            node = place.body.nodes.get(port.node)
            if node is None:
                return None
            if node.op not in ("Identity", "RefIdentity") or not node.data_inputs:
                return node, port
            port = node.data_inputs[0]
        return None

    def constant(self, port: Port) -> Tensor | None:
        """The value of a tensor that comes from a Const; None for others."""
        found = self.source(port)
        value = found[0].attr("value") if found is not None and found[0].op == "Const" else None
        return value if isinstance(value, Tensor) else None


def callee(node: Node, graph: Graph) -> Function | None:
    """The function that a node calls, by its attribute `f` or by the name of its op; None for other nodes."""
    if node.op in CALL_OPS:
        ref = node.attr("f")
        return graph.functions.get(ref.name) if isinstance(ref, FuncRef) else None
    return graph.functions.get(node.op)


def holding(graph: Graph, ops: frozenset[str]) -> set[str]:
    """The names of the functions that hold one of these ops, directly or through the functions that they call."""
    calls: dict[str, set[str]] = {}
    found = set()
    for function in graph.functions.values():
        called = (callee(node, graph) for node in function if node.op in CALL_OPS or node.op in graph.functions)
        calls[function.name] = {f.name for f in called if f is not None}
        if any(node.op in ops for node in function):
            found.add(function.name)
    grown = True
    while grown:
        more = {name for name, called in calls.items() if name not in found and called & found}
        found |= more
        grown = bool(more)
    return found


def find_ops(graph: Graph, ops: frozenset[str]) -> Iterator[tuple[Node, Node, Place]]:
    """Every node of these ops that the graph runs: the node, the node at the top of the graph that leads to it
    (itself, or a call), and the place in which its inputs are to be looked up."""
    inside = holding(graph, ops)
    top = Place(graph, {})
    for node in graph:
        if node.op in ops:
            yield node, node, top
        elif node.op in CALL_OPS or node.op in graph.functions:
            yield from _in_call(graph, ops, inside, node, node, top, 0)


def _in_call(
    graph: Graph, ops: frozenset[str], inside: set[str], node: Node, root: Node, place: Place, depth: int
) -> Iterator[tuple[Node, Node, Place]]:
    function = callee(node, graph)
    if function is None or function.name not in inside:
        return
    if depth > MAX_DEPTH:
        raise LimitError(f"The functions under {root.name!r} are nested more than {MAX_DEPTH} deep.")
    ports = zip(function.inputs, node.data_inputs, strict=False)
    within = Place(function, {name: (port, place) for name, port in ports})
    for inner in function:
        if inner.op in ops:
            yield inner, root, within
        elif inner.op in CALL_OPS or inner.op in graph.functions:
            yield from _in_call(graph, ops, inside, inner, root, within, depth + 1)
