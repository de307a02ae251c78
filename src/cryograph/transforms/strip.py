"""Small clean-ups: what is not used, devices, attributes at their defaults; new names; running order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence

from google.protobuf.message import Message

from ..base.errors import GraphError
from ..graph.attrs import encode_attr
from ..graph.document import Collection, Document, Signature, Variable
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..graph.walks import in_order
from ..ops.signatures import default_attrs, signature
from ..wire import messages as pb
from .extract import extract, restrict


def strip_unused(document: Document, outputs: Iterable[str], inputs: Iterable[str] = ()) -> Document:
    """The document without the nodes that `outputs` do not need when `inputs` are fed; the same as `extract`."""
    return extract(document, outputs, inputs)


def remove_device(document: Document) -> Document:
    """The document without device names, so that no runtime looks for the machine that it was made on."""
    graph = document.graph.copy()
    for body in graph.bodies():
        for node in body:
            node.proto.ClearField("device")
    return dataclasses.replace(document, graph=graph)


def strip_default_attrs(document: Document) -> Document:
    """The document without attributes that stand at the op's default, so that older readers which do not know them can
    read it. Ops that are not known keep everything."""
    graph = document.graph.copy()
    for body in graph.bodies():
        for node in body:
            if signature(node.op) is None:
                continue
            for name, default in default_attrs(node.op).items():
                raw = node.attrs.raw(name)
                if raw is not None and raw == encode_attr(default)[0]:
                    del node.proto.attr[name]
    return dataclasses.replace(document, graph=graph)


def sort_by_execution_order(document: Document) -> Document:
    """The document with its nodes in an order in which each comes after what it needs."""
    graph = document.graph
    ordered = Graph(in_order(graph), graph.functions.values(), graph.proto)
    return dataclasses.replace(document, graph=ordered)


def rename(document: Document, names: Mapping[str, str] | Callable[[str], str]) -> Document:
    """The document with other names for its nodes: a mapping (nodes that it lacks stay) or a function of the old name.

    Inputs, colocation, signatures, collections, variables and the saver follow. GraphError when two nodes would get one
    name; UnknownNameError for a mapped name that does not exist.
    """
    graph = document.graph
    if callable(names):
        table = {name: names(name) for name in graph.nodes}
    else:
        table = {graph.node(old).name: new for old, new in names.items()}
    table = {old: new for old, new in table.items() if old != new}
    result = Graph((), graph.functions.values(), graph.proto)
    for node in graph:
        new = table.get(node.name, node.name)
        if new in result:
            raise GraphError(f"Two nodes would be called {new!r}.")
        result.add(_renamed(node, new, table))
    renamed = dataclasses.replace(
        document,
        graph=result,
        variables={_name(n, table): _variable(v, table) for n, v in document.variables.items()},
        signatures={n: _signature(s, table) for n, s in document.signatures.items()},
        collections={n: _collection(c, table) for n, c in document.collections.items()},
        meta=_meta(document.meta, table),
    )
    return restrict(renamed, result)


def _name(text: str, table: Mapping[str, str]) -> str:
    """A tensor's, control input's or node's name with its node's new name."""
    caret = "^" if text.startswith("^") else ""
    node, colon, rest = text.removeprefix("^").partition(":")
    return f"{caret}{table.get(node, node)}{colon}{rest}"


def _renamed(node: Node, new: str, table: Mapping[str, str]) -> Node:
    classes = node.attr("_class") or []
    touched = new != node.name or any(Port.parse(i).node in table for i in node.inputs)
    moved = [_class_entry(entry, table) for entry in classes]
    if not touched and moved == classes:
        return node
    copy = node.copy(new)
    copy.inputs = [_name(i, table) for i in node.inputs]
    if moved != classes:
        copy.attrs["_class"] = moved
    return copy


def _class_entry(entry: bytes, table: Mapping[str, str]) -> bytes:
    if not entry.startswith(b"loc:@"):
        return entry
    return b"loc:@" + _name(entry[5:].decode("utf-8", "replace"), table).encode()


def _variable(variable: Variable, table: Mapping[str, str]) -> Variable:
    definition = variable.definition
    if definition is not None:
        copy = pb.VariableDef()
        copy.CopyFrom(definition)
        for field in ("variable_name", "initial_value_name", "initializer_name", "snapshot_name"):
            setattr(copy, field, _name(getattr(copy, field), table))
        definition = copy
    node = None if variable.node is None else table.get(variable.node, variable.node)
    return dataclasses.replace(variable, name=_name(variable.name, table), node=node, definition=definition)


def _signature(signature: Signature, table: Mapping[str, str]) -> Signature:
    proto = pb.SignatureDef()
    proto.CopyFrom(signature.proto)
    for infos in (proto.inputs, proto.outputs):
        for key in infos:
            if infos[key].name:
                infos[key].name = _name(infos[key].name, table)
    return Signature.of(signature.name, proto)


def _collection(collection: Collection, table: Mapping[str, str]) -> Collection:
    if collection.kind == "node_list":
        return Collection.make(collection.name, "node_list", [_name(v, table) for v in collection.values])
    kind = _message_of(collection.name)
    if kind is None or collection.kind != "bytes_list":
        return collection
    values = []
    for data in collection.values:
        message = kind.FromString(data)
        _rename_in(message, table)
        values.append(message.SerializeToString(deterministic=True))
    return Collection.make(collection.name, "bytes_list", values)


def _message_of(collection: str) -> type[Message] | None:
    """The message that a collection's items are, where they name nodes."""
    if collection.endswith("variables") or collection == "global_step":
        return pb.VariableDef
    kinds: dict[str, type[Message]] = {
        "while_context": pb.WhileContextDef,
        "cond_context": pb.CondContextDef,
        "queue_runners": pb.QueueRunnerDef,
        "savers": pb.SaverDef,
    }
    return kinds.get(collection)


def _rename_in(message: Message, table: Mapping[str, str]) -> None:
    """Lets every text in a message that names a node, or one of its tensors, name it anew."""
    for field, value in message.ListFields():
        if isinstance(value, str):
            setattr(message, field.name, _name(value, table))
        elif isinstance(value, Message):
            _rename_in(value, table)
        elif isinstance(value, MutableMapping):
            items = {_name(k, table): _name(v, table) for k, v in value.items()}
            value.clear()
            value.update(items)
        elif isinstance(value, Sequence) and value and isinstance(value[0], str):
            value[:] = [_name(item, table) for item in value]  # type: ignore[index]
        elif isinstance(value, Sequence) and value and isinstance(value[0], Message):
            for item in value:
                _rename_in(item, table)


def _meta(meta: pb.MetaGraphDef, table: Mapping[str, str]) -> pb.MetaGraphDef:
    copy = pb.MetaGraphDef()
    copy.CopyFrom(meta)
    for field in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
        name = getattr(copy.saver_def, field) if copy.HasField("saver_def") else ""
        if name:
            setattr(copy.saver_def, field, _name(name, table))
    for asset in copy.asset_file_def:
        asset.tensor_info.name = _name(asset.tensor_info.name, table)
    return copy
