"""What handles refer to: the variables and lookup tables of a document, and the values that they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..base.dtypes import DTYPES, INT64, STRING, DType
from ..base.shapes import Shape
from ..base.tensors import Tensor
from ..graph.document import Document, Variable
from ..graph.variables import REF_VARIABLES, RESOURCE_VARIABLES
from ..graph.walks import ancestors
from ..transforms.tables import TABLE_OPS, TEXT_FILE_INITIALIZERS, TableInitializer, table_initializers
from .draft import Op

MISSING = "MissingValue"
"""The op of a draft that stands for a value that nothing supplies; an error unless it is pruned away."""

ANONYMOUS_TABLES = frozenset(
    {
        "AnonymousHashTable",
        "AnonymousMutableDenseHashTable",
        "AnonymousMutableHashTable",
        "AnonymousMutableHashTableOfTensors",
    }
)
_RESTORING = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
TABLES = TABLE_OPS | ANONYMOUS_TABLES
STORE = "SparseTensorsMap"
"""What stands in a draft for the handle of a store of sparse tensors, see `stores`."""

HOLDER_OPS = REF_VARIABLES | RESOURCE_VARIABLES | TABLES | {STORE}
"""Ops that hold values and give a handle or a reference to them."""


@dataclass(frozen=True, slots=True)
class Part:
    """One value behind a handle: a variable's own, or the keys, or the values, of a table.

    `missing` says in words why there is no tensor; it is empty for a value that only the run can give.
    """

    name: str
    dtype: DType
    shape: Shape
    tensor: Tensor | None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """What a handle refers to. `is_ref` tells the references of 2016: who takes one as a value reads it.

    A TensorArray has no parts, as what it holds flows; `array` are its attributes, or those of a stack or accumulator.
    """

    name: str
    parts: tuple[Part, ...]
    is_ref: bool
    kind: Literal["variable", "table", "array", "stack", "store", "accumulator"]
    array: Mapping[str, Any] | None = None


class Holders:
    """Finds what the handles of a document refer to. Two nodes of one shared name hold the same.

    With `restores` the run may restore from checkpoints: a table that does is empty before.
    """

    def __init__(self, document: Document, restores: bool = False) -> None:
        self._document = document
        self._restores = restores
        self._by_node = {v.node: v for v in document.variables.values() if v.node is not None}
        self._found: dict[tuple[str, str], Holder] = {}
        self._parts: dict[str, Part] = {}
        self._tables: Mapping[str, TableInitializer] | None = None

    def of(self, op: Op) -> Holder:
        """What an op of HOLDER_OPS gives the handle of."""
        if op.op == STORE:
            return self._found.get(("store", op.name)) or self._add("store", _store(op.name))
        if op.op in TABLES:
            name = shared_name(op) or op.name
            return self._found.get(("table", name)) or self._add("table", self._table(name, op))
        variable = self._by_node.get(op.name) or self._document.variables.get(shared_name(op))
        if variable is None and op.op in RESOURCE_VARIABLES:
            variable = self._document.variables.get(op.name)
        name = variable.name if variable is not None else shared_name(op) or op.name
        return self._found.get(("variable", name)) or self._add("variable", self._variable(name, variable, op))

    def note(self, holder: Holder) -> Holder:
        """Something that a draft makes for itself: its parts can be asked for by name from now on."""
        return self._add(holder.kind, holder)

    def part(self, name: str) -> Part:
        """The part of a name that was found before."""
        return self._parts[name]

    def _add(self, kind: str, holder: Holder) -> Holder:
        self._found[kind, holder.name] = holder
        for part in holder.parts:
            self._parts[part.name] = part
        return holder

    def _variable(self, name: str, variable: Variable | None, op: Op) -> Holder:
        tensor = None if variable is None else variable.tensor
        dtype, shape = op.attrs.get("dtype"), op.attrs.get("shape")
        if tensor is not None:
            # What the node says, as another value may have another shape; a Variable of old with () says nothing.
            said = shape if isinstance(shape, tuple) and (shape or not tensor.shape) else None
            part = Part(name, tensor.dtype, said, tensor)
        else:
            known = dtype.base if isinstance(dtype, DType) else DTYPES[0]
            part = Part(name, known, shape if isinstance(shape, tuple) else None, None, "a variable without a value")
        return Holder(name, (part,), op.op in REF_VARIABLES, "variable")

    def _table(self, name: str, op: Op) -> Holder:
        initializer = self._initializer(name, op)
        dtypes = [op.attrs.get(attr) for attr in ("key_dtype", "value_dtype")]
        key_dtype, value_dtype = (d.base if isinstance(d, DType) else DTYPES[0] for d in dtypes)
        keys = initializer.keys if initializer is not None else None
        values = initializer.values if initializer is not None else None
        missing = ""
        is_mutable = "Mutable" in op.op and key_dtype.numpy is not None and value_dtype.numpy is not None
        if is_mutable and (initializer is None or (keys is None and self._fills_at_run(initializer))):
            shape = op.attrs.get("value_shape")
            sizes = tuple(size or 0 for size in shape) if isinstance(shape, tuple) else ()
            keys = Tensor.of(np.empty((0, *self._key_shape(op)), key_dtype.numpy), key_dtype)
            values = Tensor.of(np.empty((0, *sizes), value_dtype.numpy), value_dtype)
        elif initializer is None:
            missing = "a lookup table that nothing in the model fills"
        elif keys is None or values is None:
            missing = f"a lookup table that {initializer.node!r} fills with {self._source(initializer)}"
        # The number of entries may change, where the table is state.
        shapes = [None if tensor is None else (None, *tensor.shape[1:]) for tensor in (keys, values)]
        parts = (
            Part(f"{name}/keys", key_dtype, shapes[0], keys, missing),
            Part(f"{name}/values", value_dtype, shapes[1], values, missing),
        )
        return Holder(name, parts, not op.op.endswith("V2") and op.op in TABLE_OPS, "table")

    def _fills_at_run(self, initializer: TableInitializer) -> bool:
        """Whether what fills a table takes values of the run, and not those of a checkpoint."""
        graph = self._document.graph
        if self._restores or not initializer.is_plain or initializer.node not in graph:
            return self._restores
        return not any(graph.nodes[name].op in _RESTORING for name in ancestors(graph, [initializer.node]))

    def _key_shape(self, op: Op) -> tuple[int, ...]:
        """The shape of a table's keys: scalars, but for dense tables, which are told the empty one."""
        node = self._document.graph.nodes.get(op.name)
        if node is None or "Dense" not in op.op or not node.data_inputs:
            return ()
        source = self._document.graph.nodes.get(node.data_inputs[0].node)
        value = source.attr("value") if source is not None and source.op == "Const" else None
        return value.shape if isinstance(value, Tensor) else ()

    def _source(self, initializer: TableInitializer) -> str:
        node = self._document.graph.nodes.get(initializer.node)
        if node is not None and node.op in TEXT_FILE_INITIALIZERS:
            return "a vocabulary file that is not among the model's assets"
        return "values that are not constants"

    def _initializer(self, name: str, op: Op) -> TableInitializer | None:
        if self._tables is None:
            found = table_initializers(self._document)
            shared = {}
            for node, initializer in found.items():
                raw = self._document.graph.nodes[node].attr("shared_name") if node in self._document.graph else None
                if isinstance(raw, bytes) and raw:
                    shared[raw.decode("utf-8", "replace")] = initializer
            self._tables = {**shared, **found}
        return self._tables.get(op.name) or self._tables.get(name)


def _store(name: str) -> Holder:
    """A store of sparse tensors, which is empty at first."""
    parts = (
        Part(f"{name}/numbers", INT64, (None,), Tensor.of(np.zeros(0, np.int64))),
        Part(f"{name}/tensors", STRING, (None, 3), Tensor.of(np.empty((0, 3), object))),
        Part(f"{name}/next", INT64, (), Tensor.of(np.array(0, np.int64))),
    )
    return Holder(name, parts, False, "store")


def shared_name(op: Op) -> str:
    """The name under which several nodes hold the same; empty where there is none."""
    shared = op.attrs.get("shared_name", b"")
    # TF2 gives handles in functions a shared name that means "a new one each time".
    if not isinstance(shared, bytes) or shared.startswith(b"cd2c89b7-88b7-44c8-ad83-06c2a9158347"):
        return ""
    return shared.decode("utf-8", "replace")
