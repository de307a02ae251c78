"""Nodes, and the names by which tensors are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..base.errors import GraphError, InputError
from ..wire import messages as pb
from ..wire.scan import TensorTable
from .attrs import Attrs


@dataclass(frozen=True, slots=True)
class Port:
    """One end of an edge: output `index` of `node`, or `node` itself for a control edge (`index` is -1).

    In the body of a function outputs are called by their argument's name; then `arg` is set: `node:arg:index`.
    """

    node: str
    index: int = 0
    arg: str = ""

    @staticmethod
    def parse(text: str) -> Port:
        """A Port from `node`, `node:1`, `^node` or, in a function's body, `node:out:0`."""
        if text.startswith("^"):
            return Port(text[1:], -1)
        node, _, rest = text.partition(":")
        if not rest:
            return Port(node)
        arg, separated, index = rest.rpartition(":")
        if not index.isascii() or not index.isdigit() or len(index) > 9 or (separated and not arg):
            raise GraphError(f"{text!r} does not name a tensor; `node`, `node:0` or `^node` was expected.")
        return Port(node, int(index), arg)

    @property
    def is_control(self) -> bool:
        """Whether this is a control edge."""
        return self.index < 0

    @property
    def tensor(self) -> str:
        """The tensor's full name: `node:0`."""
        return f"{self.node}:{self.arg}:{self.index}" if self.arg else f"{self.node}:{self.index}"

    def __str__(self) -> str:
        """As it stands among a node's inputs: `node`, `node:1`, `^node`."""
        if self.index < 0:
            return f"^{self.node}"
        return self.node if self.index == 0 and not self.arg else self.tensor


def tensor_name(name: str) -> str:
    """The full name of a tensor called `node` or `node:0`."""
    port = Port.parse(name)
    if port.is_control:
        raise InputError(f"{name!r} is a control input, where a tensor was expected.")
    return port.tensor


class Node:
    """One operation of a graph: a NodeDef, with the tensors that it refers to.

    `proto` is the message itself, for what has no property here; whoever changes it changes the node.
    """

    __slots__ = ("proto", "table")

    proto: pb.NodeDef
    table: TensorTable

    def __init__(self, proto: pb.NodeDef, table: TensorTable | None = None) -> None:
        self.proto = proto
        self.table = {} if table is None else table

    @staticmethod
    def make(
        name: str, op: str, inputs: Iterable[str | Port] = (), attrs: Mapping[str, Any] | None = None, device: str = ""
    ) -> Node:
        """A new node. Attributes are given in their Python forms (see `attrs`)."""
        node = Node(pb.NodeDef(name=name, op=op, input=[str(i) for i in inputs], device=device))
        for key, value in (attrs or {}).items():
            node.attrs[key] = value
        return node

    @property
    def name(self) -> str:
        """The name, unique in its graph."""
        return self.proto.name

    @property
    def op(self) -> str:
        """TensorFlow's name of the operation, or that of a function in the library."""
        return self.proto.op

    @op.setter
    def op(self, op: str) -> None:
        self.proto.op = op

    @property
    def device(self) -> str:
        """The device asked for; engines ignore it."""
        return self.proto.device

    @device.setter
    def device(self, device: str) -> None:
        self.proto.device = device

    @property
    def inputs(self) -> tuple[str, ...]:
        """All inputs as they stand in the file: data inputs first, then control inputs (`^node`)."""
        return tuple(self.proto.input)

    @inputs.setter
    def inputs(self, inputs: Iterable[str | Port]) -> None:
        self.proto.input[:] = [str(i) for i in inputs]

    @property
    def data_inputs(self) -> list[Port]:
        """The tensors that flow in."""
        return [Port.parse(i) for i in self.proto.input if not i.startswith("^")]

    @property
    def control_inputs(self) -> list[str]:
        """The names of the nodes that must have run before."""
        return [i[1:] for i in self.proto.input if i.startswith("^")]

    @property
    def attrs(self) -> Attrs:
        """The attributes, decoded when asked for."""
        return Attrs(self)

    def attr(self, name: str, default: Any = None) -> Any:
        """One attribute, or `default` when the node does not have it."""
        return self.attrs.get(name, default)

    def copy(self, name: str | None = None) -> Node:
        """A copy that can be changed on its own; weights are shared, not copied."""
        proto = pb.NodeDef()
        proto.CopyFrom(self.proto)
        if name is not None:
            proto.name = name
        return Node(proto, self.table)

    def __repr__(self) -> str:
        return f"<{self.op} {self.name!r} ({', '.join(self.inputs)})>"
