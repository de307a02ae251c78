"""Gives a network that classifies another last layer.

1. What only the old answer needed is left out: the graph is cut down to the features.
2. Features of another dtype are made float32, and those that are still pictures (N, H, W, F) are pooled to their means.
3. A product, biases and a softmax are added, called as TensorFlow's image_retraining example calls them
   (`final_training_ops/...`, `final_result`); a name that is taken gets a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..base.dtypes import FLOAT32, INT32
from ..base.tensors import Array, Tensor
from ..graph.document import Document
from ..graph.node import Node
from ..ops.inference import infer
from .extract import extract

SCOPE = "final_training_ops"


def replace_head(
    document: Document,
    bottleneck: str,
    weights: Array,
    biases: Array,
    output: str = "final_result",
    pooled: bool = False,
) -> tuple[Document, str, list[str]]:
    """The network with a new last layer on the features `bottleneck` (a tensor), the name of its new answer, and those
    of the constants that hold `weights` (F, classes) and `biases` (classes), float32."""
    import numpy as np

    part = extract(document, [bottleneck])
    graph = part.graph
    taken = {name: graph.unique_name(name) for name in _names(output)}

    def add(name: str, op: str, inputs: Iterable[str], **attrs: Any) -> str:
        graph.add(Node.make(taken[name], op, tuple(inputs), attrs))
        return taken[name]

    def constant(name: str, array: Array) -> str:
        tensor = Tensor.of(array)
        return add(name, "Const", (), dtype=tensor.dtype, value=tensor)

    features = bottleneck
    dtype = infer(graph).dtype(bottleneck)
    if dtype is not None and dtype != FLOAT32:
        features = add(f"{SCOPE}/features", "Cast", (features,), SrcT=dtype, DstT=FLOAT32)
    if pooled:
        axes = constant(f"{SCOPE}/pool/axes", np.array([1, 2], np.int32))
        features = add(f"{SCOPE}/pool", "Mean", (features, axes), T=FLOAT32, Tidx=INT32, keep_dims=False)
    held = [constant(f"{SCOPE}/weights/final_weights", weights), constant(f"{SCOPE}/biases/final_biases", biases)]
    product = add(f"{SCOPE}/Wx_plus_b/MatMul", "MatMul", (features, held[0]), T=FLOAT32)
    logits = add(f"{SCOPE}/Wx_plus_b/add", "Add", (product, held[1]), T=FLOAT32)
    return part, add(output, "Softmax", (logits,), T=FLOAT32), held


def _names(output: str) -> tuple[str, ...]:
    held = ("weights/final_weights", "biases/final_biases")
    inner = ("features", "pool/axes", "pool", *held, "Wx_plus_b/MatMul", "Wx_plus_b/add")
    return (output, *(f"{SCOPE}/{name}" for name in inner))
