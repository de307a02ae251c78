"""Messages with tensors in them, and their bytes, for the tests of the wire."""

from __future__ import annotations

from typing import Any

import numpy as np

from cryograph.base.files import MemoryFile
from cryograph.wire import messages as pb
from cryograph.wire.scan import read_message
from cryograph.wire.varint import varint

VALUES = np.arange(2000, dtype=np.float32).reshape(40, 50)


def tensor(values: np.ndarray[Any, Any] = VALUES, **fields: Any) -> pb.TensorProto:
    shape = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size) for size in values.shape])
    return pb.TensorProto(dtype=1, tensor_shape=shape, **(fields or {"tensor_content": values.tobytes()}))


def const(name: str, value: pb.TensorProto) -> pb.NodeDef:
    node = pb.NodeDef(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(value)
    node.attr["dtype"].type = 1
    return node


def record(number: int, body: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def graph_bytes(*values: pb.TensorProto) -> bytes:
    """A GraphDef with a constant of each value."""
    graph = pb.GraphDef(node=[const(f"c{number}", value) for number, value in enumerate(values)])
    return graph.SerializeToString(deterministic=True)


def read(data: bytes, kind: Any = pb.GraphDef) -> tuple[Any, dict[int, Any]]:
    return read_message(MemoryFile(data, "model.pb"), kind)
