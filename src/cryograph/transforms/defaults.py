"""Gives placeholders values that they have as long as nothing is fed, so that a graph runs without them being fed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..base.tensors import Array, Tensor
from ..graph.document import Document
from ..graph.node import Node, Port


def with_defaults(document: Document, values: Mapping[str, Array]) -> Document:
    """The document with each placeholder among `values` (tensors) turned into a PlaceholderWithDefault of its value,
    under the same name; a Const `NAME/default` holds it."""
    graph = document.graph.copy()
    for tensor, value in values.items():
        name = Port.parse(tensor).node
        held = Tensor.of(value)
        default = graph.unique_name(f"{name}/default")
        graph.add(Node.make(default, "Const", (), {"dtype": held.dtype, "value": held}))
        attrs = {"dtype": held.dtype, "shape": held.shape}
        graph.replace(Node.make(name, "PlaceholderWithDefault", (default,), attrs))
    return dataclasses.replace(document, graph=graph)
