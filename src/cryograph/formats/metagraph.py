"""MetaGraphDef files: `.meta` as a Saver writes it, or its text form.

Layout: one MetaGraphDef message: 1 `meta_info_def`, 2 `graph_def`, 3 `saver_def`, 4 `collection_def` (a map), 5
`signature_def` (a map), 6 `asset_file_def`, 7 `object_graph_def`. Source: TensorFlow's meta_graph.proto.
"""

from __future__ import annotations

from ..base.files import File, Path, atomic_write, open_file
from ..graph.document import Collection, Document, Signature
from ..graph.variables import find_variables
from ..wire import messages as pb
from ..wire.emit import message_size, write_message
from ..wire.scan import TensorTable, read_message
from ..wire.text import print_text, read_text
from .graphdef import graph_of, warn_if_large


def read_metagraph(path: Path) -> Document:
    """The document of a `.meta` file."""
    file = open_file(path)
    proto, table = read_message(file, pb.MetaGraphDef)
    return metagraph_document(proto, table, file)


def read_metagraph_text(path: Path) -> Document:
    """The document of a MetaGraphDef in text form."""
    file = open_file(path)
    proto, table = read_text(file, pb.MetaGraphDef)
    return metagraph_document(proto, table, file)


def metagraph_document(proto: pb.MetaGraphDef, table: TensorTable, file: File) -> Document:
    """The document of a MetaGraphDef, whose parts it takes over."""
    graph = graph_of(proto.graph_def, table, file)
    collections = {name: _collection(name, proto) for name in sorted(proto.collection_def)}
    signatures = {name: _signature(name, proto) for name in sorted(proto.signature_def)}
    for field in ("graph_def", "collection_def", "signature_def"):
        proto.ClearField(field)
    return Document(
        graph,
        "meta_graph",
        file.name,
        variables=find_variables(graph, collections),
        signatures=signatures,
        collections=collections,
        meta=proto,
    )


def _collection(name: str, proto: pb.MetaGraphDef) -> Collection:
    copy = pb.CollectionDef()
    copy.CopyFrom(proto.collection_def[name])
    return Collection(name, copy)


def _signature(name: str, proto: pb.MetaGraphDef) -> Signature:
    copy = pb.SignatureDef()
    copy.CopyFrom(proto.signature_def[name])
    return Signature.of(name, copy)


def metagraph_proto(document: Document) -> tuple[pb.MetaGraphDef, TensorTable]:
    """The whole MetaGraphDef of a document, and the tensors that it refers to."""
    proto = pb.MetaGraphDef()
    proto.CopyFrom(document.meta)
    graph, table = document.graph.to_proto()
    proto.graph_def.CopyFrom(graph)
    for name, collection in document.collections.items():
        proto.collection_def[name].CopyFrom(collection.proto)
    for name, signature in document.signatures.items():
        proto.signature_def[name].CopyFrom(signature.proto)
    return proto, table


def write_metagraph(document: Document, path: Path) -> None:
    """Writes the document as `.meta`."""
    proto, table = metagraph_proto(document)
    warn_if_large(path, message_size(proto, table))
    with atomic_write(path) as out:
        write_message(out, proto, table)


def write_metagraph_text(document: Document, path: Path) -> None:
    """Writes the document as a MetaGraphDef in text form."""
    proto, table = metagraph_proto(document)
    text = print_text(proto, table)
    with atomic_write(path) as out:
        out.write(text.encode())
