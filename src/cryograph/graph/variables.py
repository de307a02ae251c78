"""Finds the variables of a graph: the nodes that hold state, and what collections say of them."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import DecodeError

from ..base.dtypes import DType
from ..base.errors import FormatError
from ..wire import messages as pb
from .document import Collection, Variable
from .graph import Graph
from .node import Node, Port

REF_VARIABLES = frozenset({"Variable", "VariableV2", "AutoReloadVariable"})
"""Ops that hold a value and give a reference to it."""

RESOURCE_VARIABLES = frozenset({"VarHandleOp"})
"""Ops that give a handle by which ReadVariableOp and Assign*VariableOp reach the value."""

VARIABLE_OPS = REF_VARIABLES | RESOURCE_VARIABLES

VARIABLE_COLLECTIONS = (
    "variables",
    "trainable_variables",
    "local_variables",
    "model_variables",
    "moving_average_variables",
    "metric_variables",
)
"""Collections that hold serialized VariableDefs."""


def find_variables(graph: Graph, collections: Mapping[str, Collection]) -> dict[str, Variable]:
    """The variables of a graph by name, without values, in file order.

    A ref variable is called by its node, a resource variable by its `shared_name` where it has one, as checkpoints do;
    a VariableDef in a collection adds whether it is trainable and whether it is a part of a partitioned variable.
    """
    definitions = variable_definitions(collections)
    by_node = {Port.parse(d.variable_name).node: d for d in definitions.values() if d.variable_name}
    trainable = _names_in(collections, "trainable_variables")
    # Files from before 2018 tell by the collection alone; a file without it, in which no variable says that it is
    # trainable, says nothing.
    tells = "trainable_variables" in collections or any(d.trainable for d in definitions.values())
    found: dict[str, Variable] = {}
    for node in graph:
        if node.op not in VARIABLE_OPS:
            continue
        definition = by_node.get(node.name)
        name = _variable_name(node, definition)
        if name in found:  # two handles of one shared variable
            continue
        key, slice_spec = _key_and_slice(name, definition)
        is_trainable = None
        if tells and (definition is not None or "trainable_variables" in collections):
            is_said = definition is not None and definition.trainable
            is_trainable = is_said or node.name in trainable or name in trainable
        dtype = node.attr("dtype")
        found[name] = Variable(
            name=name,
            dtype=dtype.base if isinstance(dtype, DType) else _no_dtype(node),
            shape=node.attr("shape"),
            key=key,
            node=node.name,
            trainable=is_trainable,
            definition=definition,
            slice_spec=slice_spec,
        )
    return found


def _no_dtype(node: Node) -> DType:
    raise FormatError(f"The variable {node.name!r} ({node.op}) has no attribute `dtype`.")


def _variable_name(node: Node, definition: pb.VariableDef | None) -> str:
    if node.op in RESOURCE_VARIABLES:
        shared = node.attr("shared_name", b"")
        # TF2 gives handles in functions a shared name that means "a new one each time".
        if shared and not shared.startswith(b"cd2c89b7-88b7-44c8-ad83-06c2a9158347"):
            return str(shared.decode("utf-8", "replace"))
    return node.name


def _key_and_slice(name: str, definition: pb.VariableDef | None) -> tuple[str, str]:
    if definition is None or not definition.HasField("save_slice_info_def"):
        return name, ""
    info = definition.save_slice_info_def
    if not info.full_name:
        return name, ""
    full = " ".join(str(size) for size in info.full_shape)
    parts = ":".join(f"{o},{s}" for o, s in zip(info.var_offset, info.var_shape, strict=False))
    return info.full_name, f"{full} {parts}"


def variable_definitions(collections: Mapping[str, Collection]) -> dict[str, pb.VariableDef]:
    """Every VariableDef in the collections, by the variable's name."""
    found: dict[str, pb.VariableDef] = {}
    for name in VARIABLE_COLLECTIONS:
        collection = collections.get(name)
        if collection is None or collection.kind != "bytes_list":
            continue
        for data in collection.values:
            definition = pb.VariableDef()
            try:
                definition.ParseFromString(data)
            except DecodeError as error:
                raise FormatError(f"The collection {name!r} holds something that is not a VariableDef.") from error
            if definition.variable_name:
                found.setdefault(definition.variable_name, definition)
    return found


def _names_in(collections: Mapping[str, Collection], name: str) -> set[str]:
    collection = collections.get(name)
    if collection is None:
        return set()
    if collection.kind == "node_list":
        return {Port.parse(value).node for value in collection.values}
    return {Port.parse(d.variable_name).node for d in variable_definitions({name: collection}).values()}
