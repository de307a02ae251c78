"""Other shapes for the placeholders of a graph.

1. A placeholder says the new shape; its name, dtype and default stay.
2. Signatures say of their inputs and outputs what then follows for them.

What a graph says elsewhere of shapes is advice that nobody here believes: it is worked out anew when a model is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from ..base.errors import InputError
from ..base.shapes import given_shape
from ..graph.attrs import shape_proto
from ..graph.document import Document, Signature
from ..graph.graph import Graph
from ..graph.node import Port
from ..ops.inference import Inference, infer
from ..wire import messages as pb
from .extract import placeholder


def reshape(document: Document, shapes: Mapping[str, Iterable[int | None] | None]) -> Document:
    """The document with other shapes for its placeholders: `{"x": [None, 224, 224, 3]}`.

    InputError for what is no placeholder or no shape; UnknownNameError for a name that does not exist.
    """
    graph = document.graph
    result = Graph(graph, graph.functions.values(), graph.proto)
    for name, sizes in shapes.items():
        node = graph.node(name)
        if node.op not in ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault"):
            raise InputError(f"{node.name!r} is a {node.op}; only placeholders can be given another shape.")
        shape = given_shape(sizes, repr(node.name))
        if node.op == "PlaceholderWithDefault":
            copy = node.copy()
            copy.attrs["shape"] = shape
        else:
            copy = placeholder(node.name, node.attr("dtype"), shape)
        result.replace(copy)
    signatures = document.signatures
    if signatures and shapes:
        inference = infer(result)
        signatures = {name: _reshaped(signature, result, inference) for name, signature in signatures.items()}
    return dataclasses.replace(document, graph=result, signatures=signatures)


def _reshaped(signature: Signature, graph: Graph, inference: Inference) -> Signature:
    proto = pb.SignatureDef()
    proto.CopyFrom(signature.proto)
    for infos in (proto.inputs, proto.outputs):
        for key in infos:
            if infos[key].name and Port.parse(infos[key].name).node in graph:
                infos[key].tensor_shape.CopyFrom(shape_proto(inference.shape(infos[key].name)))
    return Signature.of(signature.name, proto)
