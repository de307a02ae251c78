"""Where a network that classifies is cut to give it another last layer: the features that its last layer takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from ..base.errors import InputError
from ..base.shapes import show
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..graph.walks import ancestors, descendants
from .inference import infer
from .ranking import INPUT_OPS
from .weights import kept_up, weights_by_use

HEAD = frozenset(
    {"Softmax", "LogSoftmax", "Sigmoid", "Identity", "BiasAdd", "Add", "AddV2", "Reshape", "Squeeze", "ArgMax", "Cast"}
)
"""Ops between the last layer's product and the answer."""
POOLS = frozenset({"Mean", "AvgPool", "MaxPool", "Relu", "Relu6"})
"""Ops between a last convolution and its softmax, where the classes are pooled and not the features."""
CHANCES = frozenset({"Softmax", "LogSoftmax", "Sigmoid"})
PRODUCTS = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D"})
FUSED = frozenset({"_FusedMatMul", "_FusedConv2D"})
"""Products with what follows them, as TensorFlow's optimizer writes them."""
DEPTH = 16


def find_bottleneck(document: Document, output: str, name: str | None = None) -> tuple[str, int, int, str]:
    """The tensor of features behind `output`, its rank (2, or 4 when pictures are still to be pooled), the number of
    features, and why it is the one. Variables must be constants. InputError when it does not become clear."""
    graph = document.graph
    inference = infer(graph)
    if name is not None:
        tensor, why = graph.port(name).tensor, "as given"
    else:
        product = _last_product(graph, graph.port(output).node)
        if product is None:
            raise InputError(
                f"No last layer (MatMul or Conv2D with softmax behind it) was found behind {output}; name the tensor of"
                " features with bottleneck (--bottleneck)."
            )
        tensor, why = product.data_inputs[0].tensor, f"what the last layer {product.name} ({product.op}) takes"
        tensor = _plain(graph, tensor)
    shape = inference.shape(tensor)
    if shape is not None and len(shape) == 4 and graph.port(tensor).node in _plane_wise(graph):
        raise InputError(
            f"{tensor} {show(shape)} has a plane for each feature (data_format NCHW), which is not pooled here; name a"
            " tensor of (N, F) with bottleneck (--bottleneck)."
        )
    if shape is None or len(shape) not in (2, 4) or shape[-1] is None:
        raise InputError(
            f"{tensor} has the shape {show(shape)}; features are (N, F), or (N, H, W, F) that are pooled. Name another"
            " tensor with bottleneck (--bottleneck)."
        )
    return tensor, len(shape), shape[-1], why


def layers_behind(graph: Graph, bottleneck: str, stop: Sequence[str]) -> list[tuple[str, ...]]:
    """The constants that hold the weights of each layer before the bottleneck, in the graph's order: those of a product
    or a convolution, and the biases, scales and offsets behind it. What is needed for `stop` (tensors that are fed) is
    left out, and so are the means and variances of batch norms."""
    fed = {Port.parse(tensor).node for tensor in stop}
    needed = ancestors(graph, [Port.parse(bottleneck).node], fed)
    trained = {name for name, is_trained in weights_by_use(graph).items() if is_trained} - kept_up(graph)
    consumers, flow = graph.consumers(), descendants(graph, fed)
    products = {node.name for node in graph if node.op in PRODUCTS | {"DepthwiseConv2dNative"}}
    found: list[tuple[str, ...]] = []
    taken: set[str] = set()
    for node in reversed(list(graph)):  # what several layers lead to belongs to the last of them
        source = _constant(graph, node.data_inputs[1].node) if node.name in needed and node.name in products else None
        if source is None or source in taken:
            continue
        layer = [source]
        for name in _until_next(consumers, node.name, needed - products):
            beside = [port.node for port in graph.nodes[name].data_inputs if port.node not in flow]
            layer += sorted(ancestors(graph, beside) & trained)
        found.append(tuple(name for name in dict.fromkeys(layer) if name not in taken))
        taken.update(layer)
    return found[::-1]


def _until_next(consumers: Mapping[str, Sequence[Node]], product: str, among: Set[str]) -> list[str]:
    """The nodes that follow from a product, up to the next ones."""
    found: dict[str, None] = {}
    waiting = [product]
    while waiting:
        for node in consumers.get(waiting.pop(), ()):
            if node.name in among and node.name not in found:
                found[node.name] = None
                waiting.append(node.name)
    return list(found)


def _plane_wise(graph: Graph) -> set[str]:
    """Nodes whose pictures are (N, C, H, W), and those of which they are made."""
    found: set[str] = set()
    for node in graph:
        if node.attr("data_format") == b"NCHW":
            found |= {node.name, *(port.node for port in node.data_inputs[:1])}
    return found


def _last_product(graph: Graph, name: str) -> Node | None:
    passed = HEAD
    for _ in range(DEPTH):
        node = graph.nodes.get(name)
        if node is None or not node.data_inputs:
            return None
        if node.op in PRODUCTS or (node.op in FUSED and node.attr("fused_ops") in ([], [b"BiasAdd"])):
            held = node.data_inputs[1:]
            return node if held and _is_constant(graph, held[0].node) else None
        if node.op not in passed:
            return None
        passed = passed | POOLS if node.op in CHANCES else passed
        first, *others = (port.node for port in node.data_inputs)
        is_sum = node.op in ("Add", "AddV2") and _is_constant(graph, first)
        name = others[0] if is_sum and others else first  # biases may come first
    return None


def _is_constant(graph: Graph, name: str) -> bool:
    """Whether a node is made of constants alone, as joined parts of weights are, or weights that are quantised. What it
    waits for does not count: constants that a tool has folded may wait for an input."""
    waiting, seen = [name], {name}
    while waiting:
        node = graph.nodes.get(waiting.pop())
        if node is None or (node.op != "Const" and (node.op in INPUT_OPS or not node.data_inputs)):
            return False
        new = {port.node for port in node.data_inputs} - seen
        seen |= new
        waiting += new
    return True


def _constant(graph: Graph, name: str) -> str | None:
    """The Const behind a node, through what only passes it on."""
    for _ in range(DEPTH):
        node = graph.nodes.get(name)
        if node is None or node.op == "Const":
            return name if node is not None else None
        if node.op not in ("Identity", "ReadVariableOp") or not node.data_inputs:
            return None
        name = node.data_inputs[0].node
    return None


def _plain(graph: Graph, tensor: str) -> str:
    """The tensor behind what only passes it on."""
    node = graph.nodes.get(Port.parse(tensor).node)
    while node is not None and node.op == "Identity" and node.data_inputs:
        tensor = node.data_inputs[0].tensor
        node = graph.nodes.get(Port.parse(tensor).node)
    return tensor
