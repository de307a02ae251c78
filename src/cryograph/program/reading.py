"""Reads what some outputs need of a graph, or of a function's body, into a draft.

Names of tensors become names of values: `node`, `node:1` and, in functions, `node:arg:0` all become `node:index`;
defaults of attributes are filled in, those of a function's template replaced by what its caller says. Attributes that
begin with an underscore are a runtime's notes, not the op's, and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ..base.dtypes import DType
from ..base.errors import GraphError, UnknownNameError, nearest
from ..graph.attrs import AttrPlaceholder, FuncRef, decode_attr
from ..graph.graph import Body, Function, Graph
from ..graph.node import Node
from ..ops.legacy import legacy_lines
from ..ops.notation import OpSignature
from ..ops.signatures import (
    default_attrs,
    number_of_inputs,
    number_of_outputs,
    output_arg_ranges,
    signature,
    signature_of,
)
from .draft import Draft, Op


class Reader:
    """Reads bodies of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def graph_draft(self, results: list[str], feeds: list[str], targets: list[str]) -> Draft:
        """The part of the graph that `results` (full tensor names) and `targets` (nodes) need, cut at `feeds`, which
        become the inputs."""
        return _Reading(self, self.graph, "", {}, frozenset(feeds)).read(list(feeds), results, targets)

    def function_draft(
        self, function: Function, attrs: Mapping[str, Any], path: str, acts: Callable[[Node], bool]
    ) -> Draft:
        """The body of a function, called with `attrs` (for templates). `path` stands before the names of its nodes;
        nodes that `acts` tells to have an effect are read even if no result needs them."""
        reading = _Reading(self, function, path, attrs, frozenset())
        inputs = reading.bind_arguments()
        results: list[str] = []
        returns = function.returns
        for arg in function.proto.signature.output_arg:
            if arg.name not in returns:
                raise GraphError(f"The function {function.name!r} does not say what its result {arg.name!r} is.")
            results += reading.values(returns[arg.name], f"the result {arg.name!r}")
        return reading.read(inputs, results, [node.name for node in function if acts(node)])

    def outputs(self, node: Node, attrs: Mapping[str, Any]) -> int | None:
        """How many outputs a node has; None for an op that nobody knows."""
        function = self.graph.functions.get(node.op)
        if function is not None:
            return sum(_argument_count(arg, attrs) for arg in function.proto.signature.output_arg)
        fixed = _fixed_count(node.op)
        if fixed is not None:
            return fixed
        known = _signature(node)
        return None if known is None else number_of_outputs(known, attrs)

    def offset(self, node: Node, arg: str, attrs: Mapping[str, Any]) -> range:
        """Which outputs of a node its output argument stands for; UnknownNameError when it has none of that name."""
        function = self.graph.functions.get(node.op)
        if function is not None:
            start = 0
            for spec in function.proto.signature.output_arg:
                count = _argument_count(spec, attrs)
                if spec.name == arg:
                    return range(start, start + count)
                start += count
            names = function.outputs
        else:
            known = _signature(node)
            if known is None:
                raise UnknownNameError(
                    f"The op {node.op!r} of {node.name!r} is not known, so nothing is {arg!r} of it."
                )
            ranges = output_arg_ranges(known, attrs)
            if arg in ranges:
                return ranges[arg]
            names = list(ranges)
        raise UnknownNameError(f"{node.name!r} ({node.op}) has no output {arg!r}." + nearest(arg, names))


class _Reading:
    """The reading of one body."""

    def __init__(self, reader: Reader, body: Body, path: str, bindings: Mapping[str, Any], fed: frozenset[str]) -> None:
        self._reader = reader
        self._body = body
        self._path = f"{path}/" if path else ""
        self._bindings = bindings
        self._fed = fed
        self._attrs: dict[str, dict[str, Any]] = {}
        self._arguments: dict[str, list[str]] = {}
        self._keys: dict[str, str] = {}
        self._in_function = isinstance(body, Function)

    def bind_arguments(self) -> list[str]:
        """The values that a function's arguments are called; no node has the key of one."""
        if not isinstance(self._body, Function):
            return []
        inputs: list[str] = []
        for arg in self._body.proto.signature.input_arg:
            key = self._body.unique_name(arg.name)
            count = _argument_count(arg, self._bindings)
            self._arguments[arg.name] = [f"{key}:{i}" for i in range(count)]
            inputs += self._arguments[arg.name]
        return inputs

    def read(self, inputs: list[str], results: list[str], acting: list[str]) -> Draft:
        """The draft of what the results need."""
        draft = Draft(inputs=inputs)
        wanted: dict[str, int] = {}  # node -> the highest output that somebody takes
        taken: dict[str, tuple[list[str], list[str]]] = {}
        waiting = list(acting)
        for value in results:
            waiting += self._note(value, wanted)
        while waiting:
            name = waiting.pop()
            if name in taken:
                continue
            node = self._body.nodes.get(name)
            if node is None:
                raise GraphError(f"{self._where()}something takes from {name!r}, which is not there.")
            values: list[str] = []
            controls: list[str] = []
            for text in node.proto.input:
                if text[:1] == "^":
                    controls.append(text[1:])
                else:
                    values += self.values(text, name)
            taken[name] = values, controls
            for value in values:
                waiting += self._note(value, wanted)
            waiting += [c for c in controls if c not in self._arguments]
        given = {value.rpartition(":")[0] for value in inputs}
        for name in given & taken.keys():  # another output of a node that is fed
            key = self._body.unique_name(name)
            while f"{key}:0" in inputs or key in taken:
                key += "_"
            self._keys[name] = key
        for name, node in self._body.nodes.items():
            if name in taken:
                draft.add(self._op(node, *taken[name], wanted.get(name, -1)))
        draft.results = [self._value(value) for value in results]
        return draft

    def _note(self, value: str, wanted: dict[str, int]) -> list[str]:
        """The node to be read for a value, none for one that is given."""
        if value in self._fed:
            return []
        name, _, index = value.rpartition(":")
        if name not in self._body.nodes and self._in_function:
            return []  # an argument
        if int(index) > wanted.get(name, -1):
            wanted[name] = int(index)
        return [name]

    def _value(self, value: str) -> str:
        if not self._keys or value in self._fed:
            return value
        name, _, index = value.rpartition(":")
        return f"{self._keys.get(name, name)}:{index}"

    def _op(self, node: Node, values: list[str], controls: list[str], highest: int) -> Op:
        name = node.proto.name
        attrs = self.attrs(node)
        try:
            self._check_inputs(node, values, attrs)
            count = self._reader.outputs(node, attrs)
        except GraphError as error:
            raise GraphError(f"{self._where()}{name!r}: {error}") from error
        if count is None:
            count = highest + 1
        elif highest >= count:
            has = f"has {count} output{'s' if count > 1 else ''}."
            if not count:
                has = "is an operation without outputs, which model.session() can run."
            raise UnknownNameError(f"{self._where()}{name}:{highest} does not exist: {name!r} ({node.op}) {has}")
        if self._keys:
            values = [self._value(value) for value in values]
            controls = [self._keys.get(control, control) for control in controls]
        if self._arguments:
            controls = [c for c in controls if c not in self._arguments]
        if self._path and "frame_name" in attrs:  # a loop in a function is another one for each call
            attrs["frame_name"] = self._path.encode() + attrs["frame_name"]
        key = self._keys.get(name, name) if self._keys else name
        return Op(key, self._path + name, node.proto.op, values, controls, attrs, count)

    def _check_inputs(self, node: Node, values: list[str], attrs: Mapping[str, Any]) -> None:
        """GraphError when an op does not take as many tensors as it should."""
        expected = _fixed_inputs(node.proto.op)
        if expected is None and node.proto.op not in self._reader.graph.functions:
            known = _signature(node)
            expected = None if known is None else number_of_inputs(known, attrs)
        if expected is not None and expected != len(values):
            raise GraphError(f"{node.proto.op} has {len(values)} inputs, where its attributes ask for {expected}.")

    def attrs(self, node: Node) -> dict[str, Any]:
        """A node's attributes, whole: placeholders replaced, defaults filled in, no reference types."""
        found = self._attrs.get(node.proto.name)
        if found is None:
            own = {name: decode_attr(value, node.table) for name, value in node.proto.attr.items() if name[0] != "_"}
            for name, value in own.items():
                if isinstance(value, DType):
                    if value.is_ref:
                        own[name] = value.base
                elif isinstance(value, FuncRef | AttrPlaceholder):
                    own[name] = self._bound(node, value)
                elif isinstance(value, list) and value and isinstance(value[0], FuncRef):
                    own[name] = [self._bound(node, item) for item in value]
            found = {**_defaults(node), **own}
            self._attrs[node.proto.name] = found
        return found

    def _bound(self, node: Node, value: Any) -> Any:
        if isinstance(value, FuncRef):
            return FuncRef(value.name, {name: self._bound(node, item) for name, item in value.attrs.items()})
        if not isinstance(value, AttrPlaceholder):
            return value
        if value.name not in self._bindings:
            raise GraphError(
                f"{self._where()}{node.name!r} needs the attribute {value.name!r} of its caller, not given."
            )
        return self._bindings[value.name]

    def values(self, text: str, reader: str) -> list[str]:
        """The values that an input's text stands for: one, or all of a list argument in a function."""
        if not self._in_function and text in self._body.nodes:
            return [f"{text}:0"]
        name, _, rest = text.partition(":")
        if not self._in_function:
            index = rest or "0"
            if name in self._body.nodes and _is_number(index):
                return [f"{name}:{int(index)}" if rest else f"{name}:0"]
            raise GraphError(f"{self._where()}{reader!r} takes {text!r}, which is not there.")
        if name in self._arguments and (not rest or _is_number(rest)):
            values = self._arguments[name]
            if not rest:
                return values
            if int(rest) < len(values):
                return [values[int(rest)]]
        elif name in self._body.nodes and rest:
            if _is_number(rest):
                return [f"{name}:{int(rest)}"]
            arg, _, index = rest.partition(":")
            node = self._body.nodes[name]
            if _names_first_output(node.proto.op, arg) and index == "0":
                return [f"{name}:0"]
            numbers = self._reader.offset(node, arg, self.attrs(node))
            if not index:
                return [f"{name}:{i}" for i in numbers]
            if _is_number(index) and int(index) < len(numbers):
                return [f"{name}:{numbers[int(index)]}"]
        raise GraphError(f"{self._where()}{reader!r} takes {text!r}, which is not there.")

    def _where(self) -> str:
        return f"In the function {self._body.name!r}: " if isinstance(self._body, Function) else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _signature(node: Node) -> OpSignature | None:
    return signature_of(node) if node.proto.op in legacy_lines() else signature(node.proto.op)


def _defaults(node: Node) -> Mapping[str, Any]:
    op = node.proto.op
    if op in legacy_lines():
        known = signature_of(node)
        return {} if known is None else default_attrs(known)
    return _op_defaults(op)


@lru_cache(maxsize=4096)
def _op_defaults(op: str) -> Mapping[str, Any]:
    return default_attrs(op)


@lru_cache(maxsize=4096)
def _fixed_count(op: str) -> int | None:
    """The number of outputs of an op where it does not hang on attributes."""
    known = signature(op)
    if known is None or op in legacy_lines() or any(a.number_attr or a.type_list_attr for a in known.outputs):
        return None
    return len(known.outputs)


@lru_cache(maxsize=4096)
def _fixed_inputs(op: str) -> int | None:
    """The number of inputs of an op where it does not hang on attributes."""
    known = signature(op)
    if known is None or op in legacy_lines() or any(a.number_attr or a.type_list_attr for a in known.inputs):
        return None
    return len(known.inputs)


@lru_cache(maxsize=4096)
def _names_first_output(op: str, arg: str) -> bool:
    """Whether an output argument is the first, and a single tensor."""
    known = signature(op)
    if known is None or op in legacy_lines() or not known.outputs:
        return False
    first = known.outputs[0]
    return first.name == arg and not first.number_attr and not first.type_list_attr


def _argument_count(arg: Any, attrs: Mapping[str, Any]) -> int:
    """How many tensors a function's argument (an ArgDef) stands for."""
    if arg.number_attr:
        count = attrs.get(arg.number_attr)
        return count if isinstance(count, int) and 0 <= count <= 1 << 20 else 1
    if arg.type_list_attr:
        types = attrs.get(arg.type_list_attr)
        return len(types) if isinstance(types, list) else 1
    return 1
