"""A graph: nodes in file order, the function library, and whatever else the GraphDef holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..base.errors import GraphError, UnknownNameError, nearest
from ..wire import messages as pb
from ..wire.scan import TensorTable
from .attrs import Attrs
from .node import Node, Port


class Body:
    """Named nodes in order: what graphs and the bodies of functions share."""

    __slots__ = ("nodes",)

    nodes: dict[str, Node]

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self.nodes = {}
        for node in nodes:
            self.add(node)

    def add(self, node: Node) -> Node:
        """Adds a node at the end; GraphError when its name is taken."""
        if node.name in self.nodes:
            raise GraphError(f"Two nodes are called {node.name!r}; names must be unique in a graph.")
        self.nodes[node.name] = node
        return node

    def node(self, name: str) -> Node:
        """The node of a name; `node`, `node:0`, `^node` and `import/node` all find it. UnknownNameError otherwise."""
        found = self.nodes.get(name)
        if found is None:
            bare = name.removeprefix("^").partition(":")[0]
            found = self.nodes.get(bare) or self.nodes.get(bare.removeprefix("import/"))
            if found is None:
                raise UnknownNameError(f"The graph has no node {bare!r}." + nearest(bare, self.nodes))
        return found

    def port(self, name: str) -> Port:
        """The port that a tensor's name stands for, its node looked up as by `node`."""
        port = Port.parse(name)
        node = self.node(port.node)
        return port if node.name == port.node else Port(node.name, port.index, port.arg)

    def unique_name(self, name: str) -> str:
        """A name that no node has: `name`, or `name_1`, `name_2` ... as TensorFlow numbers them."""
        if name not in self.nodes:
            return name
        number = 1
        while f"{name}_{number}" in self.nodes:
            number += 1
        return f"{name}_{number}"

    def replace(self, node: Node) -> None:
        """Puts a node in the place of the one of the same name."""
        if node.name not in self.nodes:
            raise UnknownNameError(f"The graph has no node {node.name!r} to replace." + nearest(node.name, self.nodes))
        self.nodes[node.name] = node

    def consumers(self) -> dict[str, list[Node]]:
        """For each node's name, the nodes that take one of its outputs or wait for it."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            for name in dict.fromkeys(i.removeprefix("^").partition(":")[0] for i in node.proto.input):
                found.setdefault(name, []).append(node)
        return found

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, name: object) -> bool:
        return name in self.nodes


class Function(Body):
    """A function of the library: a signature, a body, and which of the body's tensors are its results.

    `proto` is the FunctionDef without its nodes.
    """

    __slots__ = ("proto", "table")

    proto: pb.FunctionDef
    table: TensorTable

    def __init__(self, proto: pb.FunctionDef, nodes: Iterable[Node] = (), table: TensorTable | None = None) -> None:
        super().__init__(nodes)
        self.proto = proto
        self.table = {} if table is None else table

    @property
    def name(self) -> str:
        """The name by which nodes call it."""
        return self.proto.signature.name

    @property
    def inputs(self) -> list[str]:
        """The names of the arguments, in order."""
        return [arg.name for arg in self.proto.signature.input_arg]

    @property
    def outputs(self) -> list[str]:
        """The names of the results, in order."""
        return [arg.name for arg in self.proto.signature.output_arg]

    @property
    def returns(self) -> dict[str, str]:
        """For each result, the tensor of the body that it is: `node:out:0`, or an argument's name."""
        return dict(self.proto.ret)

    @property
    def control_returns(self) -> dict[str, str]:
        """Nodes of the body that must have run when the function returns, by the name of the control output."""
        return dict(self.proto.control_ret)

    @property
    def attrs(self) -> Attrs:
        """The function's own attributes."""
        return Attrs(self)

    def copy(self, name: str | None = None) -> Function:
        """A copy that can be changed on its own; weights are shared."""
        proto = pb.FunctionDef()
        proto.CopyFrom(self.proto)
        if name is not None:
            proto.signature.name = name
        return Function(proto, [node.copy() for node in self], self.table)

    @staticmethod
    def of(proto: pb.FunctionDef, table: TensorTable) -> Function:
        """A Function of a FunctionDef, whose nodes it takes over."""
        nodes = [Node(node, table) for node in proto.node_def]
        del proto.node_def[:]
        try:
            return Function(proto, nodes, table)
        except GraphError as error:
            raise GraphError(f"In the function {proto.signature.name!r}: {error}") from error

    def to_proto(self) -> tuple[pb.FunctionDef, TensorTable]:
        """A FunctionDef with its nodes, and the tensors that it refers to."""
        proto = pb.FunctionDef()
        proto.CopyFrom(self.proto)
        proto.node_def.extend(node.proto for node in self)
        return proto, _tables(self, self.table)

    def __repr__(self) -> str:
        return f"<Function {self.name!r} ({', '.join(self.inputs)}) -> ({', '.join(self.outputs)}), {len(self)} nodes>"


class Graph(Body):
    """Nodes in file order and the functions that they call.

    `proto` is the GraphDef without nodes and functions: versions, gradients of functions, debug information and every
    field that we do not know.
    """

    __slots__ = ("functions", "proto")

    functions: dict[str, Function]
    proto: pb.GraphDef

    def __init__(
        self, nodes: Iterable[Node] = (), functions: Iterable[Function] = (), proto: pb.GraphDef | None = None
    ) -> None:
        super().__init__(nodes)
        self.proto = pb.GraphDef() if proto is None else proto
        self.functions = {}
        for function in functions:
            self.add_function(function)

    def add_function(self, function: Function) -> Function:
        """Adds a function to the library; GraphError when its name is taken."""
        if function.name in self.functions:
            raise GraphError(f"Two functions are called {function.name!r}; names must be unique in a library.")
        self.functions[function.name] = function
        return function

    def function(self, name: str) -> Function:
        """The function of a name; UnknownNameError with the nearest names."""
        if name not in self.functions:
            raise UnknownNameError(f"The library has no function {name!r}." + nearest(name, self.functions))
        return self.functions[name]

    @property
    def gradients(self) -> dict[str, str]:
        """For functions with a gradient of their own: its name."""
        return {g.function_name: g.gradient_func for g in self.proto.library.gradient}

    @property
    def producer(self) -> int:
        """The version of GraphDef that the writer spoke; 0 when it did not say."""
        return self.proto.versions.producer or self.proto.version

    def bodies(self) -> Iterator[Body]:
        """The graph itself, then the body of each function."""
        yield self
        yield from self.functions.values()

    @staticmethod
    def of(proto: pb.GraphDef, table: TensorTable) -> Graph:
        """A Graph of a GraphDef, whose nodes and functions it takes over."""
        nodes = [Node(node, table) for node in proto.node]
        functions = [Function.of(function, table) for function in proto.library.function]
        del proto.node[:]
        if functions:
            del proto.library.function[:]
        return Graph(nodes, functions, proto)

    def to_proto(self) -> tuple[pb.GraphDef, TensorTable]:
        """The whole GraphDef, and the tensors that it refers to."""
        proto = pb.GraphDef()
        proto.CopyFrom(self.proto)
        proto.node.extend(node.proto for node in self)
        table = _tables(self, {})
        for function in self.functions.values():
            message, added = function.to_proto()
            proto.library.function.append(message)
            table.update(added)
        return proto, table

    def copy(self) -> Graph:
        """A copy that can be changed on its own; weights are shared, not copied."""
        proto = pb.GraphDef()
        proto.CopyFrom(self.proto)
        return Graph((node.copy() for node in self), (function.copy() for function in self.functions.values()), proto)

    def __repr__(self) -> str:
        return f"<Graph of {len(self)} nodes and {len(self.functions)} functions>"


def _tables(body: Body, table: TensorTable) -> TensorTable:
    """The tables of all nodes in one. Nodes of one file share a table, so few are merged."""
    merged: dict[int, Any] = dict(table)
    seen = {id(table)}
    for node in body:
        if id(node.table) not in seen:
            seen.add(id(node.table))
            merged.update(node.table)
    return merged
