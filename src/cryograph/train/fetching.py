"""What is fetched: names of tensors and operations, nested in lists, tuples, named tuples and dicts as the answers will
be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..base.errors import InputError
from ..graph.document import Variable
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..ops.signatures import signature


@dataclass(frozen=True, slots=True)
class Fetches:
    """What a run gives: the tensors, the nodes that are run besides, and for each fetched thing, in order, the place of
    its tensor; None for an operation, which gives nothing."""

    outputs: tuple[str, ...]
    targets: tuple[str, ...]
    places: tuple[int | None, ...]


def key_of(fetches: Any) -> Hashable:
    """What is the same for fetches of the same names in the same nest; InputError for what cannot be fetched."""
    kind: Any = type(fetches)
    if isinstance(fetches, str):
        return fetches
    if isinstance(fetches, list | tuple):
        return (kind, *map(key_of, fetches))
    if isinstance(fetches, Mapping):
        return (kind, tuple(fetches), *map(key_of, fetches.values()))
    if isinstance(fetches, Node):
        return Node, fetches.name
    if isinstance(fetches, Port | Variable):
        return _name(fetches)
    raise InputError(
        f"{fetches!r} cannot be fetched; names of tensors and operations, nodes, ports and variables can, and lists, "
        "tuples and dicts of these."
    )


def resolved(fetches: Any, graph: Graph) -> Fetches:
    """What is to be computed and run for some fetches. A bare name means a node's first output, or the operation where
    it has none. UnknownNameError for a name that is not in the graph."""
    outputs: dict[str, int] = {}
    targets: dict[str, None] = {}
    places: list[int | None] = []
    for leaf in _leaves(fetches):
        if isinstance(leaf, Node):
            name, is_operation = graph.node(leaf.name).name, True
        else:
            name = _name(leaf)
            port = None if name.startswith("^") else graph.port(name)
            node = graph.node(name[1:] if port is None else port.node)
            is_operation = port is None or (":" not in name and _gives_nothing(node, graph))
            name = node.name if port is None or is_operation else port.tensor
        if is_operation:
            targets[name] = None
            places.append(None)
        else:
            places.append(outputs.setdefault(name, len(outputs)))
    return Fetches(tuple(outputs), tuple(targets), tuple(places))


def nested(fetches: Any, values: Iterator[Any]) -> Any:
    """The values, in order, in the nest of the fetches."""
    kind: Any = type(fetches)
    if isinstance(fetches, list):
        return [nested(item, values) for item in fetches]
    if isinstance(fetches, tuple):
        made = [nested(item, values) for item in fetches]
        return kind(*made) if hasattr(fetches, "_fields") else tuple(made)
    if isinstance(fetches, Mapping):
        pairs = [(name, nested(item, values)) for name, item in fetches.items()]
        if isinstance(fetches, defaultdict):
            return defaultdict(fetches.default_factory, pairs)
        return dict(pairs) if kind is dict else kind(pairs)
    return next(values)


def _leaves(fetches: Any) -> Iterator[Any]:
    if isinstance(fetches, Mapping):
        fetches = list(fetches.values())
    if isinstance(fetches, list | tuple):
        for item in fetches:
            yield from _leaves(item)
    else:
        yield fetches


def _name(leaf: Any) -> str:
    if isinstance(leaf, Port):
        return str(leaf) if leaf.is_control else leaf.tensor
    if isinstance(leaf, Variable):
        if leaf.node is None:
            raise InputError(f"The variable {leaf.name!r} has no node in the graph, so that it cannot be fetched.")
        return f"{leaf.node}:0"
    return str(leaf)


def _gives_nothing(node: Node, graph: Graph) -> bool:
    """Whether a node is an operation without outputs."""
    function = graph.functions.get(node.op)
    if function is not None:
        return not function.outputs
    known = signature(node.op)
    if known is None or not known.outputs:
        return known is not None
    lists = [arg.type_list_attr for arg in known.outputs]
    return all(lists) and not any(node.attr(name) for name in lists)
