"""Finds what lookup tables are initialised with, and keeps it in a graph that is cut down to its outputs.

A lookup does not mention what fills its table: the initialiser is a node of its own, which a session or a SavedModel's
init op runs, perhaps inside a function, perhaps from a vocabulary file among the assets. `table_initializers` finds it
wherever it is; `keep_tables` puts an `InitializeTableV2` with constant keys and values beside each table whose
initialiser would otherwise be lost (it is in a function or reads a file).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..base.dtypes import STRING, DType
from ..base.errors import GraphError
from ..base.tensors import Tensor
from ..formats.vocabulary import LINE_NUMBER, WHOLE_LINE, read_vocabulary
from ..graph.calls import Place, find_ops
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..graph.walks import ancestors
from ..ops.inference import infer

TABLE_OPS = frozenset(
    {
        "HashTable",
        "HashTableV2",
        "MutableHashTable",
        "MutableHashTableV2",
        "MutableHashTableOfTensors",
        "MutableHashTableOfTensorsV2",
        "MutableDenseHashTable",
        "MutableDenseHashTableV2",
    }
)
"""Ops that hold a table and give a handle to it."""

KEY_VALUE_INITIALIZERS = frozenset({"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"})
TEXT_FILE_INITIALIZERS = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})


@dataclass(frozen=True, slots=True)
class TableInitializer:
    """What fills a table: the node at the top of the graph that does it, and the keys and values where they are known.

    `is_plain` tells that the node is itself an initialiser whose inputs are in the graph.
    """

    table: str
    node: str
    keys: Tensor | None
    values: Tensor | None
    is_plain: bool


def keep_tables(document: Document, outputs: Iterable[str]) -> tuple[Document, list[str]]:
    """The document with an initialiser for each table that the outputs reach, and the names of those initialisers."""
    graph = document.graph
    reached = ancestors(graph, [graph.port(name).node for name in outputs])
    tables = [n for n in graph if n.name in reached and n.op in TABLE_OPS]
    if not tables:
        return document, []
    found = table_initializers(document)
    result = Graph(graph, graph.functions.values(), graph.proto)
    names: list[str] = []
    for table in tables:
        initializer = found.get(table.name)
        if initializer is None:
            continue
        if initializer.is_plain:
            names.append(initializer.node)
        elif initializer.keys is not None and initializer.values is not None:
            names.append(_add_initializer(result, table, initializer.keys, initializer.values))
        else:
            raise GraphError(
                f"The table {table.name!r} is filled by {initializer.node!r} with values that are not constants; "
                "its contents cannot be kept in a frozen graph."
            )
    return dataclasses.replace(document, graph=result), names


def _add_initializer(graph: Graph, table: Node, keys: Tensor, values: Tensor) -> str:
    """Adds constants and an initialising node, and gives its name."""
    names = []
    for part, tensor in (("keys", keys), ("values", values)):
        name = graph.unique_name(f"{table.name}/{part}")
        graph.add(Node.make(name, "Const", attrs={"dtype": tensor.dtype, "value": tensor}))
        names.append(name)
    op = "InitializeTableV2" if table.op.endswith("V2") else "InitializeTable"
    if table.op.startswith("Mutable"):
        op = "LookupTableImportV2" if table.op.endswith("V2") else "LookupTableImport"
    types = ("Tin", "Tout") if op.startswith("Lookup") else ("Tkey", "Tval")
    name = graph.unique_name(f"{table.name}/initialize")
    attrs = dict(zip(types, (keys.dtype, values.dtype), strict=True))
    graph.add(Node.make(name, op, [table.name, *names], attrs))
    return name


def table_initializers(document: Document) -> dict[str, TableInitializer]:
    """For each table's node: what fills it. Tables that nothing fills are left out."""
    found: dict[str, TableInitializer] = {}
    paths = _asset_paths(document)
    for node, root, place in find_ops(document.graph, KEY_VALUE_INITIALIZERS | TEXT_FILE_INITIALIZERS):
        inputs = node.data_inputs
        source = place.source(inputs[0]) if inputs else None
        if source is None or source[0].op not in TABLE_OPS or source[0].name in found:
            continue
        table = source[0]
        keys: Tensor | None = None
        values: Tensor | None = None
        if node.op in KEY_VALUE_INITIALIZERS and len(inputs) > 2:
            keys, values = (_known(document, place, port) for port in inputs[1:3])
        elif node.op in TEXT_FILE_INITIALIZERS and len(inputs) > 1:
            pair = _from_file(document, node, table, _path(place, inputs[1], paths))
            if pair is not None:
                keys, values = pair
        plain = root is node and node.op in KEY_VALUE_INITIALIZERS
        found[table.name] = TableInitializer(table.name, root.name, keys, values, plain)
    return found


def _known(document: Document, place: Place, port: Port) -> Tensor | None:
    """The value of a tensor that is a constant, or that inference can tell (a range, a cast of one)."""
    value = place.constant(port)
    source = place.source(port) if value is None else None
    if source is None or source[0].name not in document.graph or place.body.nodes.get(source[0].name) is None:
        return value
    reached = ancestors(document.graph, [source[0].name])
    part = Graph((document.graph.nodes[n] for n in document.graph.nodes if n in reached), (), document.graph.proto)
    known = infer(part).value(source[1].tensor)
    return None if known is None else Tensor.of(known)


def _asset_paths(document: Document) -> dict[str, str]:
    """For nodes that hold the path of an asset (a placeholder or constant that `asset_file_def` names, or the variable
    that it is assigned to): the asset's file name."""
    graph = document.graph
    named = {a.tensor_info.name.partition(":")[0]: a.filename for a in document.meta.asset_file_def}
    held = dict(named)
    for node in graph if named else ():
        ports = node.data_inputs if node.op in ("Assign", "AssignVariableOp") else []
        if len(ports) == 2 and ports[1].node in named:
            held[ports[0].node] = named[ports[1].node]
    return held


def _path(place: Place, port: Port, paths: Mapping[str, str]) -> str | None:
    """The file that a tensor names: an asset, or the path in a constant."""
    found = place.source(port)
    if found is None:
        return None
    node = found[0]
    if node.op == "ReadVariableOp" and node.data_inputs:
        return paths.get(node.data_inputs[0].node)
    if node.name in paths:
        return paths[node.name]
    value = node.attr("value") if node.op == "Const" else None
    if not isinstance(value, Tensor) or value.dtype != STRING or value.shape not in ((), (1,)):
        return None
    return bytes(value.numpy().reshape(-1)[0]).decode("utf-8", "replace")


def _from_file(document: Document, node: Node, table: Node, path: str | None) -> tuple[Tensor, Tensor] | None:
    if path is None:
        return None
    asset = document.assets.get(path) or document.assets.get(path.replace("\\", "/").rsplit("/", 1)[-1])
    if asset is None:
        return None
    return read_vocabulary(
        asset,
        (_attr(table, "key_dtype", DType), _attr(node, "key_index", int, WHOLE_LINE)),
        (_attr(table, "value_dtype", DType), _attr(node, "value_index", int, LINE_NUMBER)),
        vocab_size=_attr(node, "vocab_size", int, -1),
        delimiter=_attr(node, "delimiter", bytes, b"\t"),
        offset=_attr(node, "offset", int, 0),
    )


Attribute = TypeVar("Attribute")


def _attr(node: Node, name: str, kind: type[Attribute], default: Attribute | None = None) -> Attribute:
    """An attribute of the kind that is due; GraphError for another."""
    value = node.attr(name, default)
    if not isinstance(value, kind):
        raise GraphError(f"{node.name!r} ({node.op}): the attribute {name!r} is {value!r}, which is not of its kind.")
    return value
