"""Puts one graph into another, with the meaning of TensorFlow's `import_graph_def`.

1. Every node's name is put under `name/`; inputs, control inputs and colocation classes follow. A prefix under which
   the graph has nodes already is made unique (`name_1`), and so is each single name that is taken (`x_1`).
2. `input_map` replaces tensors (`"x:0"` or `"x"`) and control inputs (`"^x"`) of the imported graph by ones of the
   graph that is imported into. A key that the imported graph does not have is an error.
3. Functions keep their names; a function of the same name and another body is renamed, with all that call it.
4. Attributes that the op declares with a default and the node lacks are filled in. Ops and attributes that are not
   known stay as they are.
5. A graph whose `min_consumer` is newer than what we speak is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..base.errors import InputError, UnknownNameError, UnsupportedError, nearest
from ..graph.attrs import encode_attr
from ..graph.graph import Body, Function, Graph
from ..graph.node import Node, Port
from ..ops.signatures import default_attrs
from ..wire.emit import message_bytes

GRAPH_DEF_VERSION = 2474
"""The version of GraphDef that TensorFlow 2.21 speaks."""


def import_graph(
    source: Graph,
    into: Graph,
    *,
    name: str = "",
    input_map: Mapping[str, str] | None = None,
    return_elements: Sequence[str] = (),
) -> tuple[Graph, list[str]]:
    """A new graph that holds `into` and `source`, and the names under which `return_elements` (nodes, or tensors such
    as `x:0`) are found in it.

    UnknownNameError for elements or mapped inputs that do not exist,
    UnsupportedError for a graph that asks for a newer reader.
    """
    _check_version(source)
    result = into.copy()
    prefix = _unique_prefix(result, name.rstrip("/"), name.endswith("/"))
    names = _unique_names(source, result, prefix)
    functions = _import_functions(source, result)
    mapping = _InputMap(source, result, input_map or {})
    for node in source:
        result.add(_imported(node, names, mapping, functions))
    return result, [_element(source, element, names, mapping) for element in return_elements]


def _check_version(source: Graph) -> None:
    versions = source.proto.versions
    if versions.min_consumer > GRAPH_DEF_VERSION:
        raise UnsupportedError(
            f"The graph asks for a reader of version {versions.min_consumer} or later; "
            f"this one speaks {GRAPH_DEF_VERSION}."
        )
    if GRAPH_DEF_VERSION in versions.bad_consumers:
        raise UnsupportedError(f"The graph's writer says that readers of version {GRAPH_DEF_VERSION} misread it.")


def _scopes(graph: Graph) -> set[str]:
    """Every name, and every scope that names lie in."""
    return {"/".join(parts[:i]) for n in graph.nodes for parts in [n.split("/")] for i in range(1, len(parts) + 1)}


def _unique_names(source: Graph, result: Graph, prefix: str) -> dict[str, str]:
    """The new name of each node. A numbered name must not meet another of the imported names either."""
    wanted = {n: f"{prefix}{n}" for n in source.nodes}
    taken = _scopes(result) if any(name in result for name in wanted.values()) else set(result.nodes)
    imported = set(wanted.values())
    for name, new in wanted.items():
        unique, number = new, 0
        while unique in taken or (number and unique in imported):
            number += 1
            unique = f"{new}_{number}"
        wanted[name] = unique
        imported.add(unique)
    return wanted


def _unique_prefix(graph: Graph, name: str, exact: bool) -> str:
    """The prefix with its slash. `exact` (a name that ends in `/`) means: use it as it is."""
    if not name:
        return ""
    if exact:
        return f"{name}/"
    scopes = _scopes(graph)
    unique, number = name, 1
    while unique in scopes:
        unique, number = f"{name}_{number}", number + 1
    return f"{unique}/"


def _import_functions(source: Graph, result: Graph) -> dict[str, str]:
    """Adds the functions; gives the new names of those that had to be renamed."""
    renamed: dict[str, str] = {}
    for function in source.functions.values():
        present = result.functions.get(function.name)
        if present is not None and not _same(present, function):
            number = 1
            while f"{function.name}_{number}" in {
                **result.functions,
                **source.functions,
                **dict.fromkeys(renamed.values()),
            }:
                number += 1
            renamed[function.name] = f"{function.name}_{number}"
    for function in source.functions.values():
        if function.name in result.functions and function.name not in renamed:
            continue
        copy = function.copy(renamed.get(function.name))
        if renamed:
            rename_calls(copy, renamed)
        result.add_function(copy)
    library = source.proto.library
    for gradient in library.gradient:
        entry = (
            renamed.get(gradient.function_name, gradient.function_name),
            renamed.get(gradient.gradient_func, gradient.gradient_func),
        )
        if result.gradients.get(entry[0]) != entry[1]:
            result.proto.library.gradient.add(function_name=entry[0], gradient_func=entry[1])
    known = {(r.gradient_func, r.registered_op_type) for r in result.proto.library.registered_gradients}
    for registered in library.registered_gradients:
        if (registered.gradient_func, registered.registered_op_type) not in known:
            result.proto.library.registered_gradients.add().CopyFrom(registered)
    return renamed


def _same(a: Function, b: Function) -> bool:
    return message_bytes(*a.to_proto()) == message_bytes(*b.to_proto())


def rename_calls(body: Body, names: Mapping[str, str]) -> None:
    """Lets the nodes of a body (which is changed) call functions by their new names."""
    for node in body:
        if node.op in names:
            node.op = names[node.op]
        for value in node.proto.attr.values():
            if value.HasField("func") and value.func.name in names:
                value.func.name = names[value.func.name]
            for func in value.list.func if value.HasField("list") else ():
                if func.name in names:
                    func.name = names[func.name]


class _InputMap:
    """What an imported node's inputs become."""

    def __init__(self, source: Graph, into: Graph, given: Mapping[str, str]) -> None:
        self._map: dict[tuple[str, int], str] = {}
        for key, target in given.items():
            port = Port.parse(key)
            if port.node not in source:
                raise UnknownNameError(
                    f"input_map names {key!r}, which the imported graph does not have."
                    + nearest(port.node, source.nodes)
                )
            aim = Port.parse(str(target))
            if port.is_control != aim.is_control:
                raise InputError(
                    f"input_map maps {key!r} to {target!r}: tensors map to tensors, control inputs to control inputs."
                )
            found = into.node(aim.node)
            self._map[port.node, port.index] = str(Port(found.name, aim.index))

    def find(self, port: Port) -> str | None:
        return self._map.get((port.node, port.index))


def _imported(node: Node, names: Mapping[str, str], mapping: _InputMap, functions: Mapping[str, str]) -> Node:
    copy = node.copy(names[node.name])
    inputs = []
    for text in node.inputs:
        port = Port.parse(text)
        mapped = mapping.find(port)
        inputs.append(
            mapped if mapped is not None else str(Port(names.get(port.node, port.node), port.index, port.arg))
        )
    copy.inputs = inputs
    copy.op = functions.get(node.op, node.op)
    raw = node.attrs.raw("_class")
    if raw is not None:
        copy.attrs["_class"] = [_class_entry(entry, names) for entry in raw.list.s]
    present = copy.proto.attr
    for attr, default in default_attrs(node.op).items():
        if attr not in present:
            present[attr].CopyFrom(encode_attr(default)[0])
    if functions:
        only = Body([copy])
        rename_calls(only, functions)
    return copy


def _class_entry(entry: bytes, names: Mapping[str, str]) -> bytes:
    if not entry.startswith(b"loc:@"):
        return entry
    name = entry[5:].decode("utf-8", "replace")
    return b"loc:@" + names.get(name, name).encode()


def _element(source: Graph, element: str, names: Mapping[str, str], mapping: _InputMap) -> str:
    port = Port.parse(element)
    if port.node not in source:
        raise UnknownNameError(f"The imported graph has no {element!r} to return." + nearest(port.node, source.nodes))
    if ":" not in element:
        return names[port.node]
    return Port(names[port.node], port.index).tensor
