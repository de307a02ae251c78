"""Which tensors of a graph are weights, by the way in which they are used: trained ones, and those kept up otherwise.

The moving means and variances of batch norms are kept up by averages over batches, not by the slope of a loss: no
optimizer of TensorFlow touches them, though a loss that is taken in inference form has slopes by them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..base.tensors import Tensor
from ..graph.calls import MAX_DEPTH, callee
from ..graph.graph import Body, Graph
from ..graph.node import Node, Port

# op -> inputs that are trained, and inputs that are kept up by other means
WEIGHT_INPUTS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "MatMul": ((0, 1), ()),
    "BatchMatMul": ((0, 1), ()),
    "BatchMatMulV2": ((0, 1), ()),
    "BatchMatMulV3": ((0, 1), ()),
    "Conv1D": ((1,), ()),
    "Conv2D": ((1,), ()),
    "Conv3D": ((1,), ()),
    "DepthwiseConv2dNative": ((1,), ()),
    "Conv2DBackpropInput": ((1,), ()),
    "Conv3DBackpropInputV2": ((1,), ()),
    "BiasAdd": ((1,), ()),
    "BiasAddV1": ((1,), ()),
    "FusedBatchNorm": ((1, 2), (3, 4)),
    "FusedBatchNormV2": ((1, 2), (3, 4)),
    "FusedBatchNormV3": ((1, 2), (3, 4)),
    "BatchNormWithGlobalNormalization": ((3, 4), (1, 2)),
    "Gather": ((0,), ()),
    "GatherV2": ((0,), ()),
    "ResourceGather": ((0,), ()),
}
BIAS_OPS = frozenset({"Add", "AddV2"})
"""A vector that these add to what MatMul or a convolution gives is a bias."""

PRODUCTS = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative"})

PASSING = frozenset(
    {"Cast", "Enter", "Identity", "ReadVariableOp", "RefEnter", "RefIdentity", "RefSwitch", "Reshape", "Switch"}
)
"""Ops through which a weight is seen."""

HOLDING = frozenset({"Const", "VarHandleOp", "Variable", "VariableV2"})
"""Nodes that hold a weight."""

KEPT_UP = frozenset({"moving_mean", "moving_variance", "moving_var", "running_mean", "running_var"})
"""What writers of networks call what batch norms keep up, where the graph does not show what it is for."""


def weights_by_use(graph: Graph) -> dict[str, bool]:
    """The constants and variables (names of nodes, in file order) that are used as weights, also inside functions, and
    whether each is trained."""
    found = _used(graph, graph, {}, 0)
    return {node.name: found[node.name] for node in graph if node.name in found and _is_weight(node)}


def kept_up(graph: Graph) -> frozenset[str]:
    """The constants and variables (names of nodes) that no optimizer is to touch: the means and variances of batch
    norms, by their use or by their name."""
    used = {name for name, is_trained in weights_by_use(graph).items() if not is_trained}
    named = {node.name for node in graph if node.op in HOLDING and is_called_kept_up(node.name)}
    return frozenset(used | named)


def is_called_kept_up(name: str) -> bool:
    """Whether a name says that it is the mean or the variance that a batch norm keeps up."""
    return not KEPT_UP.isdisjoint(name.split("/"))


def _used(body: Body, graph: Graph, known: dict[str, dict[str, bool]], depth: int) -> dict[str, bool]:
    """The weights, or a function's arguments, that are used as such, and whether each is trained."""
    found: dict[str, bool] = {}

    def note(port: Port, trained: bool, is_bias: bool = False) -> None:
        source = _source(body, port)
        node = body.nodes.get(source)
        if node is None or _is_weight(node, is_bias):
            found[source] = found.get(source, False) or trained

    for node in body:
        ports = node.data_inputs
        trained, kept = WEIGHT_INPUTS.get(node.op, ((), ()))
        if node.op in BIAS_OPS and any(_behind(body, p).op in PRODUCTS for p in ports if p.node in body):
            trained = (0, 1)
        for index in (*trained, *kept):
            if index < len(ports):
                note(ports[index], index in trained, node.op in BIAS_OPS)
        function = callee(node, graph) if depth < MAX_DEPTH else None
        if function is None:
            continue
        if function.name not in known:
            known[function.name] = {}  # a function that calls itself has no further uses
            known[function.name] = _used(function, graph, known, depth + 1)
        for argument, port in zip(function.inputs, ports, strict=False):
            if argument in known[function.name]:
                note(port, known[function.name][argument])
    return found | _norm_vectors(body)


def _source(body: Body, port: Port) -> str:
    """The name of the node, or of the function's argument, that a tensor comes from, seen through what only passes it
    on."""
    name = port.node
    for _ in range(len(body)):
        node = body.nodes.get(name)
        if node is None or node.op not in PASSING or not node.data_inputs:
            break
        name = node.data_inputs[0].node
    return name


def _norm_vectors(body: Body) -> dict[str, bool]:
    """The vectors of batch norms that a writer took apart: x * s + (beta - mean * s), s = gamma * rsqrt(variance + e);
    without gamma s is the root, without beta it is -mean * s that is added."""
    found: dict[str, bool] = {}
    consumers = body.consumers()

    def vector(port: Port) -> str | None:
        source = _source(body, port)
        node = body.nodes.get(source)
        return source if node is None or _is_weight(node, True) else None

    def others(node: Node, name: str) -> list[str]:
        sources = (vector(p) for p in node.data_inputs if p.node != name)
        return [source for source in sources if source is not None]

    def products(name: str) -> Iterable[Node]:
        return (node for node in consumers.get(name, ()) if node.op == "Mul")

    def note_mean(product: Node, scale: str) -> bool:
        """Whether a product with the scale is that of the mean, which then is noted, with beta."""
        takers = [n for n in consumers.get(product.name, ()) if n.op == "Sub"]
        means = (
            others(product, scale)
            if any(port.node == product.name for n in takers for port in n.data_inputs[1:2])
            else []
        )
        behind = (body.nodes.get(p.node) for p in product.data_inputs if p.node != scale)
        turned = [name for n in behind if n is not None and n.op == "Neg" for name in others(n, "")]
        found.update(dict.fromkeys([*means, *turned], False))
        for offset in takers if means else ():
            found.update(dict.fromkeys(others(offset, product.name), True))
        return bool(means or turned)

    for root in body:
        if root.op != "Rsqrt" or not root.data_inputs or root.data_inputs[0].node not in body:
            continue
        added = body.nodes[root.data_inputs[0].node]
        if added.op in BIAS_OPS:
            found |= {source: False for source in map(vector, added.data_inputs) if source is not None}
        for scale in products(root.name):
            if note_mean(scale, root.name):
                continue
            found |= dict.fromkeys(others(scale, root.name), True)
            for shifted in products(scale.name):
                note_mean(shifted, scale.name)
    return found


def _behind(body: Body, port: Port) -> Node:
    node = body.nodes[port.node]
    for _ in range(len(body)):
        if node.op != "Identity" or not node.data_inputs or node.data_inputs[0].node not in body:
            break
        node = body.nodes[node.data_inputs[0].node]
    return node


def _is_weight(node: Node, is_bias: bool = False) -> bool:
    """Whether a node holds floats of a weight's shape; of a variable that need not be known."""
    if node.op not in HOLDING:
        return False
    if node.op != "Const":
        dtype, shape = node.attr("dtype"), node.attr("shape")
    else:
        value = node.attr("value")
        if not isinstance(value, Tensor):
            return False
        dtype, shape = value.dtype, value.shape
    if not dtype.base.is_floating:
        return False
    if shape is None or None in shape:
        return node.op != "Const"
    return bool(shape) and math.prod(shape) > 0 and (not is_bias or len(shape) == 1)
