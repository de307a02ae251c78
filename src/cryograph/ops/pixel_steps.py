"""What a graph itself does with pixels before its first layer: in which range it then has them, and at which size.

The steps behind the input are followed as long as one leads to one: casts and reshapes pass, sums and products with
constants scale, resizing tells a size. The first node of another kind ends the walk.
"""

from __future__ import annotations

import numpy as np

from ..base.tensors import Tensor
from ..graph.graph import Graph
from ..graph.node import Node
from ..graph.walks import input_names
from .inference import Inference

STEPS = 40
"""Nodes behind the input that are looked at."""
MOST = 4
"""Numbers that a constant for all channels, or one number for each, has at most."""

_THROUGH = frozenset({"Identity", "Cast", "ExpandDims", "Squeeze", "Reshape", "PlaceholderWithDefault", "StopGradient"})
_RESIZES = frozenset({"ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor", "ResizeArea", "CropAndResize"})
_ASKING = frozenset({"Shape", "ShapeN", "Size", "Rank"})
_ADDING = {"Sub": -1.0, "Add": 1.0, "AddV2": 1.0, "BiasAdd": 1.0}
_SCALING = frozenset({"Mul", "RealDiv", "Div"})


def own_preprocessing(
    graph: Graph, inference: Inference, tensor: str
) -> tuple[float | None, float | None, tuple[int, int] | None]:
    """What the graph makes of pixels of 0 and of 255 before its first layer (None when it leaves them alone), and the
    size that it scales pictures to."""
    consumers = graph.consumers()
    name = tensor.rpartition(":")[0]
    low, high = 0.0, 255.0
    touched = False
    resized: tuple[int, int] | None = None
    for _ in range(STEPS):
        takers = [node for node in consumers.get(name, ()) if node.op not in _ASKING and _takes(node, name)]
        if len(takers) != 1:
            break
        (node,) = takers
        if node.op in _RESIZES:
            shape = inference.shape(f"{node.name}:0")
            if shape is not None and len(shape) == 4 and shape[1] and shape[2]:
                resized = (shape[1], shape[2])
        elif node.op in _ADDING or node.op in _SCALING:
            constant = _constant_operand(graph, node, name)
            if constant is None:
                break
            first = input_names(node)[0] == name
            low, high = (_computed(node.op, value, constant, first) for value in (low, high))
            touched = True
        elif node.op not in _THROUGH:
            break
        name = node.name
    return (low, high, resized) if touched else (None, None, resized)


def _takes(node: Node, name: str) -> bool:
    """Whether a node takes an output of another; folded constants only wait for it."""
    return any(port.node == name for port in node.data_inputs)


def _constant_operand(graph: Graph, node: Node, name: str) -> float | None:
    """The mean of what is added or multiplied, when it is a constant: a number, or one for each channel."""
    others = [other for other in input_names(node) if other != name]
    source = graph.nodes.get(others[0]) if len(others) == 1 else None
    while source is not None and source.op in ("Identity", "Reshape", "ExpandDims") and source.data_inputs:
        source = graph.nodes.get(source.data_inputs[0].node)
    value = None if source is None or source.op != "Const" else source.attr("value")
    if not isinstance(value, Tensor) or not value.dtype.is_floating:
        return None
    numbers = value.numpy()
    return float(np.mean(numbers, dtype=np.float64)) if 0 < numbers.size <= MOST else None


def _computed(op: str, value: float, constant: float, first: bool) -> float:
    if op in _ADDING:
        return value + _ADDING[op] * constant if first or op != "Sub" else constant - value
    if op == "Mul":
        return value * constant
    a, b = (value, constant) if first else (constant, value)
    return a / b if b else float("inf")
