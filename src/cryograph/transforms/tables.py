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

import numpy as np

from ..base.dtypes import INT64, STRING, DType
from ..base.errors import DamagedError, GraphError, LimitError
from ..base.files import Span
from ..base.tensors import Array, Tensor
from ..graph.attrs import FuncRef
from ..graph.document import Document
from ..graph.graph import Body, Function, Graph
from ..graph.node import Node, Port
from ..graph.walks import ancestors

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
CALL_OPS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})

WHOLE_LINE, LINE_NUMBER = -2, -1
"""`key_index` and `value_index` of a vocabulary file that do not mean a column."""

MAX_DEPTH = 50
"""Functions in which an initialiser may be nested."""


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


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor is looked for: a body, and for a function's arguments the ports of the caller."""

    body: Body
    arguments: Mapping[str, tuple[Port, _Place]]


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
    graph = document.graph
    finder = _Finder(document)
    top = _Place(graph, {})
    for node in graph:
        if node.op in KEY_VALUE_INITIALIZERS | TEXT_FILE_INITIALIZERS:
            finder.visit(node, node, top, 0)
        elif (node.op in CALL_OPS or node.op in graph.functions) and finder.fills_tables(_callee(node)):
            finder.call(node, node, top, 0)
    return finder.found


def _callee(node: Node) -> str:
    ref = node.attr("f")
    return ref.name if isinstance(ref, FuncRef) else node.op


class _Finder:
    """Walks into the functions that fill tables."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._fills: dict[str, bool] = {}
        self.found: dict[str, TableInitializer] = {}

    def fills_tables(self, name: str) -> bool:
        """Whether a function holds an initialiser, directly or through the functions that it calls."""
        if name not in self._fills:
            self._fills[name] = False
            function = self._document.graph.functions.get(name)
            if function is not None:
                self._fills[name] = any(
                    node.op in KEY_VALUE_INITIALIZERS | TEXT_FILE_INITIALIZERS
                    or (
                        (node.op in CALL_OPS or node.op in self._document.graph.functions)
                        and self.fills_tables(_callee(node))
                    )
                    for node in function
                )
        return self._fills[name]

    def call(self, node: Node, root: Node, place: _Place, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise LimitError(f"Table initialisers under {root.name!r} are nested more than {MAX_DEPTH} functions deep.")
        function = self._document.graph.functions[_callee(node)]
        arguments = {name: (port, place) for name, port in zip(function.inputs, node.data_inputs, strict=False)}
        inside = _Place(function, arguments)
        for inner in function:
            if inner.op in KEY_VALUE_INITIALIZERS | TEXT_FILE_INITIALIZERS:
                self.visit(inner, root, inside, depth)
            elif (inner.op in CALL_OPS or inner.op in self._document.graph.functions) and self.fills_tables(
                _callee(inner)
            ):
                self.call(inner, root, inside, depth + 1)

    def visit(self, node: Node, root: Node, place: _Place, depth: int) -> None:
        """Notes an initialiser."""
        inputs = node.data_inputs
        table = _source(inputs[0], place) if inputs else None
        if table is None or table.op not in TABLE_OPS or table.name in self.found:
            return
        keys: Tensor | None = None
        values: Tensor | None = None
        if node.op in KEY_VALUE_INITIALIZERS and len(inputs) > 2:
            keys, values = _constant(inputs[1], place), _constant(inputs[2], place)
        elif node.op in TEXT_FILE_INITIALIZERS and len(inputs) > 1:
            pair = self._from_file(node, table, _constant(inputs[1], place))
            if pair is not None:
                keys, values = pair
        plain = root is node and node.op in KEY_VALUE_INITIALIZERS
        self.found[table.name] = TableInitializer(table.name, root.name, keys, values, plain)

    def _from_file(self, node: Node, table: Node, name: Tensor | None) -> tuple[Tensor, Tensor] | None:
        if name is None or name.dtype != STRING or name.shape not in ((), (1,)):
            return None
        path = bytes(name.numpy().reshape(-1)[0]).decode("utf-8", "replace")
        asset = self._document.assets.get(path) or self._document.assets.get(path.replace("\\", "/").rsplit("/", 1)[-1])
        if asset is None:
            return None
        return read_vocabulary(
            asset,
            (table.attr("key_dtype"), node.attr("key_index", WHOLE_LINE)),
            (table.attr("value_dtype"), node.attr("value_index", LINE_NUMBER)),
            vocab_size=node.attr("vocab_size", -1),
            delimiter=node.attr("delimiter", b"\t"),
            offset=node.attr("offset", 0),
        )


def _source(port: Port, place: _Place) -> Node | None:
    """The node that a tensor comes from, seen through Identity and functions' arguments."""
    for _ in range(10 * MAX_DEPTH):
        if isinstance(place.body, Function) and port.node in place.arguments and port.node not in place.body:
            port, place = place.arguments[port.node]
            continue
        node = place.body.nodes.get(port.node)
        if node is None or node.op not in ("Identity", "RefIdentity") or not node.data_inputs:
            return node
        port = node.data_inputs[0]
    return None


def _constant(port: Port, place: _Place) -> Tensor | None:
    node = _source(port, place)
    value = node.attr("value") if node is not None and node.op == "Const" else None
    return value if isinstance(value, Tensor) else None


def read_vocabulary(
    file: Span,
    key: tuple[DType, int],
    value: tuple[DType, int],
    *,
    vocab_size: int = -1,
    delimiter: bytes = b"\t",
    offset: int = 0,
) -> tuple[Tensor, Tensor]:
    """Keys and values (both of the shape (N,)) of a vocabulary file, as InitializeTableFromTextFile reads them.

    `key` and `value` are dtype and column; WHOLE_LINE and LINE_NUMBER stand for no column. Carriage returns are
    dropped. DamagedError when a line lacks a column, holds no number where one is due, or lines are fewer than
    `vocab_size`.
    """
    name = file.file.name
    lines = file.read().replace(b"\r", b"").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    lines = lines[offset:]
    if vocab_size >= 0:
        if len(lines) < vocab_size:
            raise DamagedError(f"{name}: the vocabulary has {len(lines)} lines, where {vocab_size} are expected.")
        lines = lines[:vocab_size]
    return (
        Tensor.of(_column(lines, *key, delimiter, name), key[0]),
        Tensor.of(_column(lines, *value, delimiter, name), value[0]),
    )


def _column(lines: list[bytes], dtype: DType, index: int, delimiter: bytes, name: str) -> Array:
    if index == LINE_NUMBER:
        return np.arange(len(lines), dtype=np.int64).astype((dtype if dtype.numpy is not None else INT64).numpy)
    texts = lines
    if index >= 0:
        rows = [line.split(delimiter) for line in lines]
        short = next((i for i, row in enumerate(rows) if len(row) <= index), None)
        if short is not None:
            raise DamagedError(f"{name}: line {short + 1} of the vocabulary has no column {index}.")
        texts = [row[index] for row in rows]
    if dtype.is_string:
        result = np.empty(len(texts), dtype=object)
        result[:] = texts
        return result
    try:
        return np.array([float(t) if dtype.is_floating else int(t) for t in texts]).astype(dtype.numpy).reshape(-1)
    except ValueError as error:
        raise DamagedError(f"{name}: the vocabulary holds something that is not a {dtype} ({error}).") from error
