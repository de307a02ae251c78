"""A lowered program as an `.onnx` file: one file, or past 2 GB the weights in a second one beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...base.errors import UnsupportedError
from ...base.files import Path, atomic_write
from ...base.tensors import Tensor
from ...program.program import Program
from ...program.scans import with_scans
from ...wire import onnx_messages as onnx
from .engine import unsupported
from .lower import Lowering
from .passes import improve
from .proto import model_proto
from .values import OnnxGraph, OnnxNode

MAX_MESSAGE = (1 << 31) - (1 << 24)
"""Bytes of weights that still fit into one message, which may have 2 GiB; the rest is for the graph."""

ALIGNMENT = 4096
"""Tensors beside the model begin at multiples of this, so that readers can map them."""


def write_onnx(program: Program, path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Writes a program whose inputs and outputs get these names.

    UnsupportedError, which lists every step that has no lowering, when it is not wholly supported; nothing is written
    then. Weights past 2 GB go to `<path>.data`, as the format's limit is that of one message.
    """
    write_graph(named(lowered_whole(program), inputs, outputs), path)


def lowered_whole(program: Program) -> OnnxGraph:
    """The improved graph of a whole program, or UnsupportedError with all that stands in the way."""
    lowering = Lowering(with_scans(program))
    lacking = unsupported(lowering)
    if lacking:
        listed = "".join(f"\n  {item.step.name} ({item.step.op}): {item.reason}" for item in lacking)
        raise UnsupportedError(
            f"{len(lacking)} of {len(program.steps)} steps cannot be written as ONNX; nothing was written.{listed}"
        )
    return improve(lowering.whole())


def named(graph: OnnxGraph, inputs: Sequence[str], outputs: Sequence[str]) -> OnnxGraph:
    """The graph with other names for its inputs and outputs. Each output is made by a node, as readers expect."""
    known = dict(graph.known)
    nodes: list[OnnxNode] = []
    for old, new in zip(graph.inputs, inputs, strict=True):
        if new != old:
            nodes.append(OnnxNode("Identity", [new], [old]))
            known[new] = known[old]
    nodes += graph.nodes
    made = {name for node in graph.nodes for name in node.outputs}
    ends: list[str] = []
    for old, new in zip(graph.outputs, outputs, strict=True):
        if new == old and old not in made:
            new = f"{old}/output"  # an output that is an input or a constant needs a name of its own
        if new != old:
            nodes.append(OnnxNode("Identity", [old], [new]))
            known[new] = known[old]
        ends.append(new)
    return OnnxGraph(list(inputs), ends, nodes, graph.constants, known)


def write_graph(graph: OnnxGraph, path: Path) -> None:
    """Writes a graph."""
    model, left_out = model_proto(graph)
    if sum(tensor.nbytes for tensor in left_out.values()) <= MAX_MESSAGE:
        _put_in(model, left_out)
    else:
        name = f"{os.fspath(path)}.data"
        with atomic_write(name) as out:
            place = 0
            for proto, tensor in _left_out(model, left_out):
                out.write(b"\0" * (-place % ALIGNMENT))
                place += -place % ALIGNMENT
                del proto.external_data[:]
                proto.external_data.add(key="location", value=os.path.basename(name))
                proto.external_data.add(key="offset", value=str(place))
                proto.external_data.add(key="length", value=str(tensor.nbytes))
                for piece in tensor.chunks():
                    out.write(piece)
                place += tensor.nbytes
    with atomic_write(path) as out:
        out.write(model.SerializeToString(deterministic=True))


def message(graph: OnnxGraph) -> bytes:
    """The model with all weights inside; UnsupportedError where these are too many for one message."""
    model, left_out = model_proto(graph)
    total = sum(tensor.nbytes for tensor in left_out.values())
    if total > MAX_MESSAGE:
        raise UnsupportedError(f"The weights of {total} bytes do not fit into one ONNX message.")
    _put_in(model, left_out)
    return model.SerializeToString()


def _left_out(model: onnx.ModelProto, tensors: dict[str, Tensor]) -> list[tuple[onnx.TensorProto, Tensor]]:
    return [(proto, tensors[proto.name]) for proto in model.graph.initializer if proto.name in tensors]


def _put_in(model: onnx.ModelProto, tensors: dict[str, Tensor]) -> None:
    for proto, tensor in _left_out(model, tensors):
        proto.ClearField("data_location")
        del proto.external_data[:]
        proto.raw_data = b"".join(bytes(piece) for piece in tensor.chunks())
