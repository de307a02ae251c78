"""Iterators of a session: where `IteratorGetNext` gets its elements.

A session runs datasets by itself, in Python, element by element, and feeds what an iterator gives to the graph, which
is cut there. `MakeIterator` begins an iterator anew, with the datasets' numbers as they are in that run; an iterator of
one shot begins by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..base.dtypes import RESOURCE, VARIANT
from ..base.errors import GraphError, OutOfRangeError, RunError, UnsupportedError
from ..base.tensors import Array
from ..graph.attrs import FuncRef, dtype_of_number
from ..graph.calls import Place
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..transforms.inline import inline_calls
from .datasets import Function, rule_of
from .fetching import Fetches
from .shuffling import Element, Start

NEXT = frozenset({"IteratorGetNext", "IteratorGetNextSync"})
MAKE = "MakeIterator"
ITERATORS = frozenset({"Iterator", "IteratorV2", "OneShotIterator"})


class Computing(Protocol):
    """What computes tensors of a graph: a session."""

    def compute(self, names: Sequence[str], feeds: Mapping[Any, Any]) -> list[Array]:
        """The values of tensors."""


Spawn = Callable[[Document, str], Computing]
"""A session of another graph on the same state; random generators below a name begin anew."""


@dataclass(frozen=True, slots=True)
class Next:
    """One node that takes an element: the iterator, and for each output that is fed its place in the element."""

    node: str
    iterator: str
    places: tuple[int, ...]

    @property
    def tensors(self) -> list[str]:
        """What is fed."""
        return [f"{self.node}:{place}" for place in self.places]


def without_making(document: Document) -> Document:
    """The document in which making an iterator is an operation that does nothing; the session does it."""
    if not any(node.op == MAKE for node in document.graph):
        return document
    graph = document.graph.copy()
    for node in [node for node in graph if node.op == MAKE]:
        graph.replace(Node.make(node.name, "NoOp", [f"^{name}" for name in node.control_inputs]))
    return dataclasses.replace(document, graph=graph)


class Iterators:
    """The iterators of one session. `spawn` gives sessions of other graphs on the same state."""

    def __init__(self, document: Document, spawn: Spawn) -> None:
        self._document = document
        self._spawn = spawn
        self._place = Place(document.graph, {})
        self._running: dict[str, Iterator[Element]] = {}
        self.exist = any(node.op in NEXT or node.op == MAKE for node in document.graph)

    def needed(self, asked: Fetches, fed: Collection[str]) -> tuple[list[str], list[Next]]:
        """The nodes that a run needs which make iterators, and those that take elements."""
        graph = self._document.graph
        cut = {graph.port(name).tensor for name in fed}
        taken: dict[str, set[int]] = {}
        makes: list[str] = []
        seen: set[str] = set()
        waiting = [Port.parse(name) for name in asked.outputs] + [Port(name, -1) for name in asked.targets]
        while waiting:
            port = waiting.pop()
            if port.tensor in cut and not port.is_control:
                continue
            node = graph.nodes.get(port.node)
            if node is None:
                continue
            if node.op in NEXT:
                taken.setdefault(node.name, set()).update([] if port.is_control else [port.index])
            if node.name in seen:
                continue
            seen.add(node.name)
            if node.op == MAKE:
                makes.append(node.name)
            ports = [] if node.op in NEXT or node.op == MAKE else node.data_inputs
            waiting += [*ports, *(Port(name, -1) for name in node.control_inputs)]
        order = [node.name for node in graph if node.name in taken] if len(taken) > 1 else list(taken)
        return makes, [Next(n, self._iterator(graph.nodes[n], 0).name, tuple(sorted(taken[n]))) for n in order]

    def make(self, name: str, feeds: Mapping[Any, Any]) -> None:
        """Begins an iterator anew."""
        node = self._document.graph.nodes[name]
        making = _Making(self._document, self._spawn, feeds, self._spawn(self._document, ""))
        self._running[self._iterator(node, 1).name] = making.dataset(node, 0)()

    def next(self, taken: Next) -> list[Array]:
        """What is fed for a node that takes an element; OutOfRangeError when there is none left."""
        running = self._running.get(taken.iterator)
        if running is None:
            running = self._running[taken.iterator] = self._one_shot(taken)
        element = next(running, None)
        if element is None:
            raise OutOfRangeError(
                f"The iterator {taken.iterator!r} has come to its end; {taken.node!r} gets no element."
            )
        return [element[place] for place in taken.places]

    def _one_shot(self, taken: Next) -> Iterator[Element]:
        node = self._document.graph.nodes[taken.iterator]
        factory = node.attr("dataset_factory")
        if not isinstance(factory, FuncRef):
            makers = [n.name for n in self._document.graph if n.op == MAKE and self._iterator(n, 1) is node]
            said = f"run {makers[0]!r}" if makers else "feed what it would give"
            raise RunError(f"The iterator {taken.iterator!r} has not begun: {said} first, or feed {taken.tensors}.")
        name = f"{taken.iterator}/dataset"
        call = Node.make(name, "PartitionedCall", (), {"f": factory, "Tin": [], "Tout": [VARIANT]})
        library = self._document.graph
        graph = inline_calls(Graph([call], library.functions.values(), library.proto))
        document = dataclasses.replace(self._document, graph=graph)
        return _Making(document, self._spawn, {}, self._spawn(document, name)).of(Port(name))()

    def _iterator(self, node: Node, place: int) -> Node:
        """The node that holds the iterator that an input of a node refers to."""
        found = self._place.source(node.data_inputs[place])
        if found is None or found[0].op not in ITERATORS:
            came = node.data_inputs[place].tensor
            raise UnsupportedError(f"{node.name!r} ({node.op}) takes {came}, which is no iterator of the graph.")
        return found[0]


class _Making:
    """Makes the datasets of one iterator, on the values of one moment: what is fed, and the state of the session."""

    def __init__(self, document: Document, spawn: Spawn, feeds: Mapping[Any, Any], session: Computing) -> None:
        self._document = document
        self._spawn = spawn
        self._feeds = feeds
        self._session = session
        self._place = Place(document.graph, {})

    def of(self, port: Port) -> Start:
        """The dataset that a tensor is."""
        found = self._place.source(port)
        if found is None:
            raise GraphError(f"{port.tensor} is a dataset that is not in the graph.")
        return rule_of(found[0])(self, found[0])

    def dataset(self, node: Node, place: int) -> Start:
        """The dataset that an input of a node is."""
        return self.of(node.data_inputs[place])

    def value(self, node: Node, place: int) -> Array:
        """The value of an input of a node."""
        return self._session.compute([node.data_inputs[place].tensor], self._feeds)[0]

    def function(self, node: Node, attr: str, captured: Sequence[int]) -> Function:
        """The function that an attribute of a node names, with the inputs that it has captured: variables and tables
        are seen as they are at each call, other tensors as they are now."""
        called = self._called(node, attr, captured)
        session = self._spawn(called.document, called.name)
        names = [f"{called.name}:{place}" for place in range(called.count)]

        def run(element: Element) -> Element:
            return tuple(map(np.asarray, session.compute(names, called.feeds(element))))

        return run

    def datasets(self, node: Node, attr: str, captured: Sequence[int]) -> Callable[[Element], Start]:
        """The same of a function that gives datasets."""
        called = self._called(node, attr, captured)
        document = dataclasses.replace(called.document, graph=inline_calls(called.document.graph))
        session = self._spawn(document, called.name)

        def make(element: Element) -> Start:
            return _Making(document, self._spawn, called.feeds(element), session).of(Port(called.name))

        return make

    def _called(self, node: Node, attr: str, captured: Sequence[int]) -> _Called:
        """The graph with a call of a function, whose arguments are fed."""
        ref = node.attr(attr)
        body = self._document.graph.functions.get(ref.name) if isinstance(ref, FuncRef) else None
        if body is None:
            raise GraphError(f"{node.name!r} ({node.op}) does not say in {attr!r} which function it calls.")
        types = [dtype_of_number(arg.type) for arg in body.proto.signature.input_arg]
        results = [dtype_of_number(arg.type) for arg in body.proto.signature.output_arg]
        graph = self._document.graph.copy()
        name = graph.unique_name(f"{node.name}/{attr}")
        given: list[Port] = []
        fixed: dict[str, Any] = {}
        own = len(types) - len(captured)
        for place, dtype in enumerate(types):
            port = node.data_inputs[captured[place - own]] if place >= own else None
            if port is not None and dtype == RESOURCE:
                given.append(port)
                continue
            fed = graph.add(Node.make(f"{name}/{place}", "Placeholder", (), {"dtype": dtype, "shape": None})).name
            given.append(Port(fed))
            if port is not None:
                fixed[fed] = self.value(node, captured[place - own])
        attrs = {"f": ref, "Tin": types, "Tout": results}
        graph.add(Node.make(name, "StatefulPartitionedCall", given, attrs))
        document = dataclasses.replace(self._document, graph=graph)
        return _Called(document, name, len(results), [port.node for port in given[:own]], fixed)


@dataclass(frozen=True, slots=True)
class _Called:
    """A document with a node that calls a function: the nodes that are fed an element, and what else is fed."""

    document: Document
    name: str
    count: int
    arguments: list[str]
    fixed: Mapping[str, Any]

    def feeds(self, element: Element) -> dict[str, Any]:
        """What is fed for an element."""
        return {**dict(zip(self.arguments, element, strict=True)), **self.fixed}
