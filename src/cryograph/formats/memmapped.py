"""Memory-mapped packages, as `convert_graphdef_memmapped_format` makes them for phones; read only.

    regions      one after the other: the values of large constants, row-major, each aligned to 64 bytes, and a GraphDef
    directory    a MemmappedFileSystemDirectory message: name and offset (newer ones: length) of each region, in order
    8 bytes      little-endian: where the directory begins

The graph's region is called `memmapped_package://.`; in it a large constant is an ImmutableConst node whose
`memory_region_name` names its region. Such nodes become Const again, their values left in the file. A region reaches to
the next one; what is behind its values is padding. Source: TensorFlow's memmapped_file_system.
"""

from __future__ import annotations

import struct

from google.protobuf.message import DecodeError

from ..base.dtypes import DType
from ..base.errors import DamagedError, FormatError
from ..base.files import File, Path, Span, open_file
from ..base.shapes import element_count, show
from ..base.tensors import Tensor
from ..graph.document import Document
from ..graph.node import Node
from ..graph.variables import find_variables
from ..wire import messages as pb
from ..wire.scan import read_message
from .graphdef import graph_of

PREFIX = "memmapped_package://"
GRAPH = f"{PREFIX}."
POINTER_SIZE = 8
MAX_DIRECTORY = 64 << 20
"""Bytes of the largest directory; one takes some 60 bytes a constant."""


def is_memmapped(file: File) -> bool:
    """Whether a file ends in a directory of regions."""
    start = _directory_start(file)
    if start is None:
        return False
    data = file.read(start, min(file.size - POINTER_SIZE - start, 4096))
    return PREFIX.encode() in data


def _directory_start(file: File) -> int | None:
    if file.size <= POINTER_SIZE:
        return None
    (start,) = struct.unpack("<Q", file.read(file.size - POINTER_SIZE, POINTER_SIZE))
    size = file.size - POINTER_SIZE - start
    return start if 0 < size <= MAX_DIRECTORY else None


def regions(file: File) -> dict[str, Span]:
    """The regions by name; DamagedError when they do not lie in order before the directory."""
    start = _directory_start(file)
    if start is None:
        raise DamagedError(f"{file.name}: its last 8 bytes do not point to a directory of regions.")
    try:
        directory = pb.MemmappedFileSystemDirectory.FromString(file.read(start, file.size - POINTER_SIZE - start))
    except DecodeError as error:
        raise DamagedError(f"{file.name}: its directory of regions cannot be read.") from error
    found: dict[str, Span] = {}
    end = start
    for element in reversed(directory.element):
        if not 0 <= element.offset < end or element.name in found:
            raise DamagedError(f"{file.name}: the region {element.name!r} at {element.offset} is not in its place.")
        found[element.name] = file.span(element.offset, end - element.offset)
        end = element.offset
    return found


def read_memmapped(path: Path) -> Document:
    """The document of a memory-mapped package."""
    file = open_file(path)
    found = regions(file)
    if GRAPH not in found:
        raise FormatError(f"{file.name}: a memory-mapped package without a graph ({GRAPH}).")
    region = found[GRAPH]
    proto, table = read_message(region, pb.GraphDef)
    graph = graph_of(proto, table, file)
    for body in graph.bodies():
        for name, node in list(body.nodes.items()):
            if node.op == "ImmutableConst":
                body.nodes[name] = _constant(node, found, file)
    return Document(graph, "graph", file.name, variables=find_variables(graph, {}))


def _constant(node: Node, found: dict[str, Span], file: File) -> Node:
    name = node.attr("memory_region_name", b"").decode("utf-8", "replace")
    dtype, shape = node.attr("dtype"), node.attr("shape")
    if name not in found:
        raise DamagedError(f"{file.name}: the constant {node.name!r} is in the region {name!r}, which is not there.")
    if not isinstance(dtype, DType) or not dtype.itemsize or shape is None or None in shape:
        raise DamagedError(f"{file.name}: the constant {node.name!r} is {dtype} {show(shape)}, which cannot be mapped.")
    content = found[name].sub(0, element_count(shape) * dtype.itemsize)
    made = Node.make(node.name, "Const", node.inputs, device=node.device)
    made.attrs["dtype"] = dtype
    made.attrs["value"] = Tensor.mapped(dtype, shape, content)
    return made
