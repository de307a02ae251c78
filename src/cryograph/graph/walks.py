"""Walks over graphs: what reaches what, and in which order nodes can run."""

from __future__ import annotations

from collections.abc import Container, Iterable

from ..base.errors import GraphError
from .graph import Body
from .node import Node

BACK_EDGES = frozenset({"NextIteration", "RefNextIteration"})
"""The ops through which a TF1 loop closes; their edge into Merge is the only lawful cycle."""


def input_names(node: Node) -> list[str]:
    """The names of all nodes that a node takes from or waits for, in order, each once."""
    return list(dict.fromkeys(i.removeprefix("^").partition(":")[0] for i in node.proto.input))


def ancestors(body: Body, names: Iterable[str], stop: Container[str] = ()) -> set[str]:
    """The names of all nodes that the named ones need, themselves included; nodes in `stop` are not looked behind."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name not in stop and name in body.nodes:
            waiting.extend(input_names(body.nodes[name]))
    return found


def descendants(body: Body, names: Iterable[str]) -> set[str]:
    """The names of all nodes that need one of the named ones, themselves included."""
    consumers = body.consumers()
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(node.name for node in consumers.get(name, ()))
    return found


def in_order(body: Body, among: Container[str] | None = None) -> list[Node]:
    """The nodes in an order in which each comes after what it needs; file order decides between equals.

    Edges out of NextIteration are left out, as they close TF1's loops. GraphError when another cycle stands in the way.
    Inputs that are not nodes of the body (a function's arguments) count as given.
    """
    names = [name for name in body.nodes if among is None or name in among]
    done: dict[str, bool] = {}
    order: list[Node] = []
    for root in names:
        if root in done:
            continue
        stack = [(root, iter(_needs(body, root)))]
        done[root] = False
        while stack:
            name, needs = stack[-1]
            for need in needs:
                if need not in body.nodes or (among is not None and need not in among):
                    continue
                state = done.get(need)
                if state is None:
                    done[need] = False
                    stack.append((need, iter(_needs(body, need))))
                    break
                if state is False:
                    cycle = [entry[0] for entry in stack]
                    cycle = [*cycle[cycle.index(need) :], need]
                    raise GraphError(f"The graph has a cycle outside of any loop: {' <- '.join(cycle[:8])}.")
            else:
                stack.pop()
                done[name] = True
                order.append(body.nodes[name])
    return order


def _needs(body: Body, name: str) -> list[str]:
    node = body.nodes[name]
    names = input_names(node)
    if node.op in ("Merge", "RefMerge"):
        return [n for n in names if n not in body.nodes or body.nodes[n].op not in BACK_EDGES]
    return names
