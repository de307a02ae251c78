"""Takes apart what the converter to TensorFlow.js fuses, so that TensorFlow, ONNX and retraining know every op.

    _FusedConv2D, _FusedMatMul       a convolution or product and its `fused_ops`, as TensorFlow's remapper writes them
    FusedDepthwiseConv2dNative       the same of DepthwiseConv2dNative; TensorFlow has no op of that name
    Prelu (an op, or a fused one)    relu(x) - alpha * relu(-x), as Keras spells it

The last of the new nodes keeps the name, so that whoever takes the output finds it. A node with other `fused_ops`, or
with such that do not fit its inputs, stays as it is. Source: tensorflowjs' fuse_depthwise_conv2d.py and fuse_prelu.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..base.dtypes import FLOAT32
from ..graph.graph import Body, Function
from ..graph.node import Node


@dataclass(slots=True)
class _Chain:
    """Nodes that are made in the place of one. `tensor` is the last output, as the next node takes it."""

    body: Body
    name: str
    device: str
    dtype: Any
    nodes: list[Node] = field(default_factory=list)
    tensor: str = ""

    def add(self, op: str, inputs: list[str], **attrs: Any) -> str:
        name = self.body.unique_name(f"{self.name}/{op}")
        node = Node.make(name, op, inputs, {"T": self.dtype, **attrs}, self.device)
        return self.append(node)

    def append(self, node: Node) -> str:
        self.body.add(node)  # its name is taken from now on
        self.nodes.append(node)
        self.tensor = f"{node.name}:{RESULTS[node.op]}:0" if isinstance(self.body, Function) else node.name
        return self.tensor

    def prelu(self, x: str, alpha: str) -> None:
        above = self.add("Relu", [x])
        below = self.add("Relu", [self.add("Neg", [x])])
        self.add("AddV2", [above, self.add("Mul", [self.add("Neg", [alpha]), below])])


def take_apart(body: Body) -> None:
    """Takes the fused nodes of a graph or of a function's body apart."""
    made: dict[str, list[Node]] = {}
    renamed: dict[str, str] = {}
    for node in list(body):
        chain = _prelu(body, node) if node.op == "Prelu" else _fused(body, node) if node.op in FUSED else None
        if chain is None:
            continue
        last = chain.nodes[-1]
        for added in chain.nodes:
            del body.nodes[added.name]
        renamed[f"{node.name}:{RESULTS[node.op]}:0"] = f"{node.name}:{RESULTS[last.op]}:0"
        last.proto.name = node.name
        chain.nodes[0].proto.input.extend(i for i in node.inputs if i.startswith("^"))
        made[node.name] = chain.nodes
    if not made:
        return
    nodes = [new for node in body for new in made.get(node.name, [node])]
    body.nodes = {node.name: node for node in nodes}
    if isinstance(body, Function):
        for node in nodes:
            node.inputs = [renamed.get(i, i) for i in node.inputs]
        for key, tensor in body.proto.ret.items():
            body.proto.ret[key] = renamed.get(tensor, tensor)


def _prelu(body: Body, node: Node) -> _Chain | None:
    inputs = [i for i in node.inputs if not i.startswith("^")]
    if len(inputs) != 2:
        return None
    chain = _Chain(body, node.name, node.device, node.attr("T", FLOAT32))
    chain.prelu(*inputs)
    return chain


def _fused(body: Body, node: Node) -> _Chain | None:
    inputs = [i for i in node.inputs if not i.startswith("^")]
    tail = node.attr("fused_ops", [])
    fits = len(inputs) == 2 + sum(TAKES.get(name, 0) for name in tail) and {*tail} <= {*TAKES}
    if not fits or node.attr("filter_format", b"HWIO") != b"HWIO":
        return None
    op = FUSED[node.op]
    first = node.copy(body.unique_name(f"{node.name}/{op}"))
    first.op = op
    first.inputs = inputs[:2]
    for key in FUSION_ATTRS:
        first.proto.attr.pop(key, None)
    chain = _Chain(body, node.name, node.device, node.attr("T", FLOAT32))
    chain.append(first)
    left = inputs[2:]
    for name in tail:
        given, left = left[: TAKES[name]], left[TAKES[name] :]
        _add(chain, node, name, given)
    return chain


def _add(chain: _Chain, node: Node, name: bytes, given: list[str]) -> None:
    """One of the ops that follow."""
    x = chain.tensor
    layout = {} if node.op == "_FusedMatMul" else {"data_format": node.attr("data_format", b"NHWC")}
    if name == b"BiasAdd":
        chain.add("BiasAdd", [x, *given], **layout)
    elif name == b"FusedBatchNorm":
        how = {"U": FLOAT32, "epsilon": node.attr("epsilon", 1e-4), "is_training": False}
        chain.add("FusedBatchNormV3", [x, *given], **how, **layout)
    elif name == b"Add":
        chain.add("AddV2", [x, *given])
    elif name == b"Prelu":
        chain.prelu(x, *given)
    elif name == b"LeakyRelu":
        chain.add("LeakyRelu", [x], alpha=node.attr("leakyrelu_alpha", 0.2))
    else:
        chain.add(name.decode(), [x])


FUSED = {
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedConv2D": "Conv2D",
    "_FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
}
FUSION_ATTRS = ("fused_ops", "num_args", "num_host_args", "TArgs", "epsilon", "leakyrelu_alpha", "filter_format")
TAKES: dict[bytes, int] = {
    # what may follow: tensors that it takes
    b"Add": 1,
    b"BiasAdd": 1,
    b"Elu": 0,
    b"FusedBatchNorm": 4,
    b"LeakyRelu": 0,
    b"Prelu": 1,
    b"Relu": 0,
    b"Relu6": 0,
    b"Sigmoid": 0,
    b"Tanh": 0,
}
RESULTS: dict[str, str] = {
    # op: the name of its first output, which functions use
    **dict.fromkeys(("Elu", "LeakyRelu", "Prelu", "Relu", "Relu6"), "activations"),
    **dict.fromkeys(("AddV2", "Mul"), "z"),
    **dict.fromkeys(("FusedBatchNormV3", "Neg", "Sigmoid", "Tanh"), "y"),
    **dict.fromkeys(("BiasAdd", "Conv2D", "DepthwiseConv2dNative", *(op for op in FUSED if "Conv" in op)), "output"),
    **dict.fromkeys(("MatMul", "_FusedMatMul"), "product"),
}
