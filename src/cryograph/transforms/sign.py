"""Gives a model a signature when its file had none, so that a SavedModel made from it can be served."""

from __future__ import annotations

import dataclasses

from ..base.dtypes import DType
from ..graph.document import Document, Signature, TensorSpec
from ..graph.node import Node, Port
from ..graph.walks import ancestors
from ..ops.inference import infer
from ..ops.ranking import INPUT_OPS, one_choice, rank_outputs

SERVING = "serving_default"


def with_signature(document: Document) -> Document:
    """The document with a signature `serving_default` from its likely outputs and the placeholders that they need. A
    document that has signatures, or whose outputs are not clear, stays as it is."""
    chosen = [] if document.signatures else one_choice(rank_outputs(document))
    if not chosen:
        return document
    inference = infer(document.graph)

    def spec(tensor: str) -> TensorSpec | None:
        dtype = inference.dtype(tensor)
        return None if dtype is None else TensorSpec.make(tensor, dtype, inference.shape(tensor))

    reached = ancestors(document.graph, [Port.parse(c.tensor).node for c in chosen])
    inputs = {n.name: spec(f"{n.name}:0") for n in document.graph if n.name in reached and _is_input(n)}
    outputs = {Port.parse(c.tensor).node.rpartition("/")[2]: spec(c.tensor) for c in chosen}
    known_in = {_key(name): s for name, s in inputs.items() if s is not None}
    known_out = {name: s for name, s in outputs.items() if s is not None}
    if not known_out or len(known_in) != len(inputs):
        return document
    signature = Signature.make(SERVING, known_in, known_out)
    return dataclasses.replace(document, signatures={SERVING: signature})


def _key(name: str) -> str:
    return name.replace("/", "_")


def _is_input(node: Node) -> bool:
    """Whether a placeholder is an input of the network, and not a saver's file name."""
    dtype = node.attr("dtype")
    return node.op in INPUT_OPS and node.op != "PlaceholderWithDefault" and isinstance(dtype, DType)
