"""The ONNX message of a graph. Tensors of more than a few hundred bytes are left out of it, by name.

A tensor that is left out is declared as external data of a file that does not exist: whoever makes a session hands the
tensors over beside the message, whoever writes a file says where they lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...base.dtypes import STRING, dtype_of
from ...base.errors import UnsupportedError
from ...base.shapes import Shape
from ...base.tensors import Tensor
from ...wire import onnx_messages as onnx
from .values import DOMAIN_VERSIONS, ELEMENT_TYPES, OPSET, TEXT_OPSET, OnnxGraph, OnnxNode, Value

IR_VERSIONS = {OPSET: 8, TEXT_OPSET: 9}
"""The version of the container that came with an operator set."""

INLINE = 256
"""Bytes up to which a tensor stands in the message itself."""

PRODUCER = "cryograph"


def model_proto(graph: OnnxGraph) -> tuple[onnx.ModelProto, dict[str, Tensor]]:
    """The model of a graph, and the tensors that it names as external data."""
    nodes = list(_all_nodes(graph.nodes))
    opset = max((node.version for node in nodes), default=OPSET)
    model = onnx.ModelProto(ir_version=IR_VERSIONS[opset], producer_name=PRODUCER)
    model.opset_import.add(domain="", version=opset)
    for domain in sorted({node.domain for node in nodes} - {""}):
        model.opset_import.add(domain=domain, version=DOMAIN_VERSIONS[domain])
    model.graph.name = "program"
    _fill(model.graph, graph)
    for given in model.graph.input:
        _name_sizes(given)
    external: dict[str, Tensor] = {}
    used = _used(graph)
    for name, tensor in graph.constants.items():
        if name in used:
            proto = model.graph.initializer.add()
            _describe(proto, name, tensor)
            if tensor.nbytes <= INLINE:
                _fill_in(proto, tensor)
            else:
                proto.data_location = onnx.TensorProto.EXTERNAL
                proto.external_data.add(key="location", value="given-beside-the-model")
                external[name] = tensor
    return model, external


def _fill(proto: onnx.GraphProto, graph: OnnxGraph) -> None:
    for node in graph.nodes:
        _add_node(proto, node)
    for name in graph.inputs:
        _add_value(proto.input.add(), name, graph.known)
    for name in graph.outputs:
        _add_value(proto.output.add(), name, graph.known)


def _add_node(graph: onnx.GraphProto, node: OnnxNode) -> None:
    proto = graph.node.add(op_type=node.op, input=node.inputs, output=node.outputs, name=node.outputs[0])
    if node.domain:
        proto.domain = node.domain
    for key, value in node.attrs.items():
        _set(proto.attribute.add(name=key), value)


def _set(proto: onnx.AttributeProto, value: Any) -> None:
    kinds = onnx.AttributeProto
    if isinstance(value, bool | int | np.integer):
        proto.type, proto.i = kinds.INT, int(value)
    elif isinstance(value, float | np.floating):
        proto.type, proto.f = kinds.FLOAT, float(value)
    elif isinstance(value, str | bytes):
        proto.type, proto.s = kinds.STRING, value.encode() if isinstance(value, str) else value
    elif isinstance(value, OnnxGraph):
        proto.type = kinds.GRAPH
        proto.g.name = "body"
        _fill(proto.g, value)
    elif isinstance(value, Tensor):
        proto.type = kinds.TENSOR
        _describe(proto.t, "", value)
        _fill_in(proto.t, value)
    elif value and isinstance(value[0], float):
        proto.type = kinds.FLOATS
        proto.floats.extend(value)
    elif value and isinstance(value[0], str):
        proto.type = kinds.STRINGS
        proto.strings.extend(item.encode() for item in value)
    else:
        proto.type = kinds.INTS
        proto.ints.extend(int(item) for item in value)


def _describe(proto: onnx.TensorProto, name: str, tensor: Tensor) -> None:
    proto.name = name
    proto.dims.extend(tensor.shape)
    proto.data_type = ELEMENT_TYPES[tensor.dtype]


def _fill_in(proto: onnx.TensorProto, tensor: Tensor) -> None:
    if tensor.dtype == STRING:
        proto.string_data.extend(tensor.numpy().reshape(-1).tolist())
    else:
        proto.raw_data = b"".join(bytes(piece) for piece in tensor.chunks())


def _add_value(proto: onnx.ValueInfoProto, name: str, known: Mapping[str, Value]) -> None:
    proto.name = name
    value = known.get(name)
    if value is not None and value.items is not None:
        proto.type.sequence_type.elem_type.tensor_type.elem_type = ELEMENT_TYPES[value.items.dtype]
        return
    if value is None or value.dtype not in ELEMENT_TYPES:
        raise UnsupportedError(f"The value {name!r} has no dtype that ONNX Runtime takes.")
    kind = proto.type.tensor_type
    kind.elem_type = ELEMENT_TYPES[value.dtype]
    _add_shape(kind, value.shape)


def _name_sizes(given: onnx.ValueInfoProto) -> None:
    """Gives the unknown sizes of an input names, each its own. The runtime follows them through the graph, and writes
    into the memory of what is read for the last time where it sees that both have the same sizes."""
    for axis, dim in enumerate(given.type.tensor_type.shape.dim):
        if not dim.HasField("dim_value"):
            dim.dim_param = f"{given.name}[{axis}]"


def _add_shape(kind: onnx.TypeProto.Tensor, shape: Shape) -> None:
    if shape is not None:
        kind.shape.SetInParent()
        for size in shape:
            dim = kind.shape.dim.add()
            if size is not None:
                dim.dim_value = size


def _all_nodes(nodes: Iterable[OnnxNode]) -> Iterable[OnnxNode]:
    for node in nodes:
        yield node
        for value in node.attrs.values():
            if isinstance(value, OnnxGraph):
                yield from _all_nodes(value.nodes)


def _used(graph: OnnxGraph) -> set[str]:
    used = set(graph.outputs)
    for node in _all_nodes(graph.nodes):
        used.update(node.inputs)
        for value in node.attrs.values():
            if isinstance(value, OnnxGraph):
                used.update(value.outputs)
    return used


def tensor_dtype(array_dtype: np.dtype[Any]) -> int:
    """ONNX's number of a numpy dtype."""
    return ELEMENT_TYPES[dtype_of(array_dtype)]
