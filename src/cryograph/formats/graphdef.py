"""GraphDef files: `.pb` (protobuf's wire form) and `.pbtxt` (its text form), with or without weights as constants.

Layout of `.pb`: one GraphDef message: field 1 `node` for each NodeDef, 2 `library`, 3 `version` (old), 4 `versions`, 5
`debug_info`. In each node field 5 `attr` maps names to AttrValues; a constant's `value` is a TensorProto whose numbers
lie in `tensor_content`, or packed in the typed list of its dtype. Large ones stay in the file and are not copied.
Source: TensorFlow's graph.proto.
"""

from __future__ import annotations

import os
import warnings

from ..base.errors import FormatError, GraphError
from ..base.files import File, Path, atomic_write, open_file
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.variables import find_variables
from ..wire import messages as pb
from ..wire.emit import message_size, write_message
from ..wire.scan import TensorTable, read_message
from ..wire.text import print_text, read_text

PROTOBUF_LIMIT = (1 << 31) - 1
"""Bytes of the largest message that protobuf parses, and so TensorFlow and every converter."""


class LargeFileWarning(UserWarning):
    """A file was written that is larger than protobuf's parsers take."""


def read_graphdef(path: Path) -> Document:
    """The document of a `.pb` file."""
    file = open_file(path)
    proto, table = read_message(file, pb.GraphDef)
    return graph_document(proto, table, file)


def read_graphdef_text(path: Path) -> Document:
    """The document of a `.pbtxt` file."""
    file = open_file(path)
    proto, table = read_text(file, pb.GraphDef)
    return graph_document(proto, table, file)


def graph_document(proto: pb.GraphDef, table: TensorTable, file: File) -> Document:
    """The document of a GraphDef; errors of the graph say which file it is in."""
    graph = graph_of(proto, table, file)
    return Document(graph, "graph", file.name, variables=find_variables(graph, {}))


def graph_of(proto: pb.GraphDef, table: TensorTable, file: File) -> Graph:
    """The graph of a GraphDef; FormatError that names the file when names are not unique."""
    try:
        return Graph.of(proto, table)
    except GraphError as error:
        raise FormatError(f"{file.name}: {error}") from error


def write_graphdef(document: Document, path: Path) -> None:
    """Writes the graph as `.pb`, tensors streamed from where they lie. Past 2 GiB a LargeFileWarning says who can
    read it."""
    proto, table = document.graph.to_proto()
    size = message_size(proto, table)
    warn_if_large(path, size)
    with atomic_write(path) as out:
        write_message(out, proto, table)


def write_graphdef_text(document: Document, path: Path) -> None:
    """Writes the graph as `.pbtxt`."""
    proto, table = document.graph.to_proto()
    text = print_text(proto, table)
    with atomic_write(path) as out:
        out.write(text.encode())


def warn_if_large(path: Path, size: int) -> None:
    """Warns when a message is larger than protobuf's parsers take."""
    if size > PROTOBUF_LIMIT:
        warnings.warn(
            f"{os.fspath(path)} has {size / 1e9:.1f} GB. cryograph reads it; TensorFlow and others that parse it"
            " with protobuf do not take messages of 2 GiB and more. A SavedModel or a checkpoint has no such limit.",
            LargeFileWarning,
            stacklevel=3,
        )
