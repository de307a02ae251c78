"""The pass that joins neighbours into one node, where the runtime would not do so itself.

1. Zeros padded around a picture become the padding of the convolution behind them, also with a transpose between.
2. The same before a maximum pool, when nothing in the picture is negative: then zeros and nothing are the same.
3. What transformers are made of (see `transformers`), and attention of several heads (see `attention`).
"""

from __future__ import annotations

from collections.abc import Callable

from ...base.dtypes import DType
from ...base.shapes import Shape
from ...base.tensors import Array, Tensor
from .attention import attention
from .transformers import flat_product, gelu, layer_norm
from .values import OnnxGraph, OnnxNode


class Neighbours:
    """A graph with what gives each value, as rewrites see it."""

    def __init__(self, graph: OnnxGraph) -> None:
        self._graph = graph
        self._maker = {name: node for node in graph.nodes for name in node.outputs}

    def hold(self, name: str, array: Array) -> str:
        """Adds a constant, and gives its name."""
        self._graph.constants[name] = Tensor.of(array)
        return name

    def maker(self, name: str) -> OnnxNode | None:
        """The node that gives a value."""
        return self._maker.get(name)

    def constant(self, name: str) -> Array | None:
        """The values of a constant."""
        tensor = self._graph.constants.get(name)
        return None if tensor is None else tensor.numpy()

    def shape(self, name: str) -> Shape:
        """What is known of a value's shape."""
        known = self._graph.known.get(name)
        return None if known is None else known.shape

    def dtype(self, name: str) -> DType | None:
        """A value's dtype, where it is known."""
        known = self._graph.known.get(name)
        return None if known is None else known.dtype


def _pad_into_window(n: Neighbours, node: OnnxNode) -> list[OnnxNode]:
    """Changes the node, and gives the transpose that now comes before it, when there was one."""
    turn = n.maker(node.inputs[0])
    perm: list[int] | None = None
    pad = turn
    if turn is not None and turn.op == "Transpose":
        perm, pad = turn.attrs["perm"], n.maker(turn.inputs[0])
    if pad is None or pad.op != "Pad" or pad.attrs.get("mode", "constant") != "constant" or "auto_pad" in node.attrs:
        return []
    widths = n.constant(pad.inputs[1])
    filler = n.constant(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] else None
    if widths is None or len(pad.inputs) > 3 or (len(pad.inputs) > 2 and (filler is None or filler.any())):
        return []
    rank = len(widths) // 2
    order = perm or list(range(rank))
    before, after = [int(widths[i]) for i in order], [int(widths[rank + i]) for i in order]
    if any(before[:2]) or any(after[:2]) or min(before) < 0 or min(after) < 0:
        return []
    if node.op == "MaxPool" and not _is_never_negative(n, pad.inputs[0]):
        return []
    grown = [*before[2:], *after[2:]]
    pads = [old + new for old, new in zip(node.attrs.get("pads", [0] * len(grown)), grown, strict=True)]
    kernel = node.attrs.get("kernel_shape")
    # A pool's window may not lie in the padding alone; a convolution's may, but the runtime is fast only otherwise.
    if kernel is None or any(p >= k for p, k in zip(pads, [*kernel, *kernel], strict=True)):
        return []
    node.attrs["pads"] = pads
    if perm is None:
        node.inputs[0] = pad.inputs[0]
        return []
    turned = f"{node.outputs[0]}~turned"
    node.inputs[0] = turned
    return [OnnxNode("Transpose", [pad.inputs[0]], [turned], {"perm": perm})]


def _is_never_negative(n: Neighbours, name: str) -> bool:
    node = n.maker(name)
    if node is None:
        return False
    if node.op == "Clip" and len(node.inputs) > 1 and node.inputs[1]:
        low = n.constant(node.inputs[1])
        return low is not None and bool(low >= 0)
    return node.op in ("Relu", "Sigmoid", "Softplus", "Exp", "Abs")


Rewrite = Callable[[Neighbours, OnnxNode], list[OnnxNode]]
"""Changes the node that it is given, and gives nodes that come before it."""

REWRITES: tuple[tuple[str, Rewrite], ...] = (
    ("Conv", _pad_into_window),  # 1
    ("MaxPool", _pad_into_window),  # 2
    ("Add", layer_norm),  # 3
    ("Mul", gelu),  # 3
    ("Reshape", flat_product),  # 3
    ("Transpose", attention),  # 3
)


def fuse(graph: OnnxGraph) -> OnnxGraph:
    """The same graph with neighbours joined; nodes that nobody reads any more are still there."""
    rewrites: dict[str, list[Rewrite]] = {}
    for op, rewrite in REWRITES:
        rewrites.setdefault(op, []).append(rewrite)
    graph = OnnxGraph(graph.inputs, graph.outputs, graph.nodes, dict(graph.constants), graph.known)
    neighbours = Neighbours(graph)
    nodes: list[OnnxNode] = []
    for node in graph.nodes:
        if not node.domain:
            for rewrite in rewrites.get(node.op, ()):
                nodes += rewrite(neighbours, node)
        nodes.append(node)
    return OnnxGraph(graph.inputs, graph.outputs, nodes, graph.constants, graph.known)
