"""Cuts the part of a document that some outputs need, with new placeholders where it is cut.

1. Nodes that the outputs do not reach (through data and control edges) are left out.
2. A tensor named in `inputs` is fed from outside: its node becomes a Placeholder of the same name when all its used
   outputs are cut, otherwise a new Placeholder stands beside it.
3. Functions that nothing calls any more, signatures, variables and collection entries of lost nodes go too.
4. Colocation with nodes that are gone is forgotten, since TensorFlow refuses a graph that mentions it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..base.dtypes import DType
from ..base.errors import GraphError, InputError
from ..base.shapes import Shape
from ..graph.attrs import FuncRef
from ..graph.document import Collection, Document, Signature
from ..graph.graph import Body, Function, Graph
from ..graph.node import Node, Port
from ..graph.walks import ancestors
from ..ops.inference import infer
from ..ops.signatures import output_types


def extract(
    document: Document, outputs: Iterable[str], inputs: Iterable[str] = (), keep: Iterable[str] = ()
) -> Document:
    """The sub-document for `outputs` (tensors or nodes), cut at `inputs` (tensors), `keep` naming further nodes to
    hold.

    UnknownNameError for a name that is not in the graph, with the nearest ones; InputError when no output is given.
    """
    source = document.graph
    wanted = [source.port(name).node for name in outputs]
    if not wanted:
        raise InputError("At least one output must be given.")
    cuts = [source.port(name) for name in inputs]
    graph = source
    if cuts:
        graph = _cut(source, cuts)
    needed = ancestors(graph, [*wanted, *keep])
    kept = Graph((graph.nodes[n] for n in graph.nodes if n in needed), (), graph.proto)
    return restrict(document, with_functions(kept, source.functions))


def _cut(graph: Graph, cuts: Sequence[Port]) -> Graph:
    """The graph with a Placeholder in the place of each cut tensor."""
    inference = infer(graph)
    moved: dict[tuple[str, int], str] = {}
    placeholders: dict[str, Node] = {}
    used: dict[str, set[int]] = {}
    for node in graph:
        for port in node.data_inputs:
            used.setdefault(port.node, set()).add(port.index)
    for port in cuts:
        if port.is_control:
            raise InputError(f"^{port.node} is a control input; a graph is cut at tensors.")
        whole = used.get(port.node, set()) <= {p.index for p in cuts if p.node == port.node} and port.index == 0
        dtype, shape = inference.dtype(port.tensor), inference.shape(port.tensor)
        if dtype is None:
            dtype = _declared_dtype(graph.nodes[port.node], port)
        if whole:
            name = port.node
        else:
            name = graph.unique_name(f"{port.node}_{port.index}" if port.index else f"{port.node}_input")
            moved[port.node, port.index] = name
        placeholders[name] = placeholder(name, dtype, shape)
    result = Graph((), (), graph.proto)
    for node in graph:
        if node.name in placeholders:
            result.add(placeholders.pop(node.name))
            continue
        result.add(_moved(node, moved))
    for node in placeholders.values():
        result.add(node)
    return result


def _declared_dtype(node: Node, port: Port) -> DType:
    types = output_types(node.op, dict(node.attrs))
    if port.index >= len(types):
        raise GraphError(f"{node.name!r} ({node.op}) has {len(types)} outputs; {port.tensor!r} is not among them.")
    return types[port.index].base


def placeholder(name: str, dtype: DType, shape: Shape) -> Node:
    """A Placeholder node."""
    return Node.make(name, "Placeholder", attrs={"dtype": dtype.base, "shape": shape})


def _moved(node: Node, moved: Mapping[tuple[str, int], str]) -> Node:
    if not any((p.node, p.index) in moved for p in node.data_inputs):
        return node
    copy = node.copy()
    copy.inputs = [
        i if i.startswith("^") else moved.get((Port.parse(i).node, Port.parse(i).index), i) for i in node.inputs
    ]
    return copy


def called_functions(bodies: Iterable[Body]) -> set[str]:
    """The names of all functions that nodes of these bodies call or mention."""
    found: set[str] = set()
    for body in bodies:
        for node in body:
            found.add(node.op)
            for value in node.proto.attr.values():
                kind = value.WhichOneof("value")
                if kind == "func":
                    _function_names(value.func, found)
                elif kind == "list":
                    for func in value.list.func:
                        _function_names(func, found)
    return found


def _function_names(func: Any, found: set[str]) -> None:
    found.add(func.name)
    for value in func.attr.values():
        if value.HasField("func"):
            _function_names(value.func, found)


def with_functions(graph: Graph, functions: Mapping[str, Function]) -> Graph:
    """The same graph with those functions of a library that it calls, directly or through others, and their
    gradients."""
    gradients = graph.gradients
    needed: set[str] = set()
    waiting = called_functions([graph]) & functions.keys()
    while waiting:
        needed |= waiting
        found = called_functions(functions[name] for name in waiting)
        found |= {gradients[name] for name in waiting if name in gradients}
        waiting = (found & functions.keys()) - needed
    result = Graph(graph, (f for name, f in functions.items() if name in needed), type(graph.proto)())
    result.proto.CopyFrom(graph.proto)
    for field in ("gradient", "registered_gradients"):
        entries = getattr(result.proto.library, field)
        kept = [e for e in entries if e.function_name in needed] if field == "gradient" else list(entries)
        if len(kept) != len(entries):
            del entries[:]
            entries.extend(kept)
    return result


def restrict(document: Document, graph: Graph) -> Document:
    """The document with another graph: what it says of nodes that are no longer there is left out."""
    return dataclasses.replace(
        document,
        graph=without_lost_colocation(graph),
        variables={name: v for name, v in document.variables.items() if v.node is None or v.node in graph},
        signatures={name: s for name, s in document.signatures.items() if _is_whole(s, graph)},
        collections=_restrict_collections(document.collections, graph),
    )


def _is_whole(signature: Signature, graph: Graph) -> bool:
    specs = [*signature.inputs.values(), *signature.outputs.values()]
    return all(not spec.tensor or Port.parse(spec.tensor).node in graph for spec in specs)


def _restrict_collections(collections: Mapping[str, Collection], graph: Graph) -> dict[str, Collection]:
    kept: dict[str, Collection] = {}
    for name, collection in collections.items():
        if collection.kind == "node_list":
            values = [v for v in collection.values if v.removeprefix("^").partition(":")[0] in graph]
            if values or not collection.values:
                kept[name] = Collection.make(name, "node_list", values)
        else:
            kept[name] = collection
    return kept


def without_lost_colocation(graph: Graph, lost: Names[str] | None = None) -> Graph:
    """The graph without `_class` entries that name nodes which are not in it (or are in `lost`)."""
    for name, node in graph.nodes.items():
        raw = node.attrs.raw("_class")
        if raw is None or not raw.list.s:
            continue
        kept = [
            entry
            for entry in raw.list.s
            if not entry.startswith(b"loc:@")
            or (entry[5:].decode("utf-8", "replace") in graph and (lost is None or entry[5:].decode() not in lost))
        ]
        if len(kept) != len(raw.list.s):
            copy = node.copy()
            if kept:
                copy.attrs["_class"] = kept
            else:
                del copy.attrs["_class"]
            graph.nodes[name] = copy
    return graph


def rename_function(ref: FuncRef, names: Mapping[str, str]) -> FuncRef:
    """The reference with the function's new name."""
    return FuncRef(names.get(ref.name, ref.name), ref.attrs)
