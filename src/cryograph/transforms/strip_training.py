"""Makes a graph plain for inference, as far as that does not change its answers.

1. Dropout (as tf.nn.dropout wrote it in its three ages) gives its input.
2. Outputs of queues and iterators become placeholders, so that batches can be fed.
3. Identity and CheckNumerics nodes are taken out: what took them takes their input. They stay where a control edge, a
   control-flow op or an asked-for name needs them.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..base.dtypes import DType
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..graph.walks import ancestors
from ..ops.ranking import QUEUE_OPS
from ..ops.signatures import output_types
from .extract import extract, placeholder, restrict, with_functions

RANDOM_OPS = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2", "RandomStandardNormal"})
MASK_OPS = frozenset({"Floor", "Cast", "GreaterEqual", "Greater", "Less", "Add", "AddV2", "Mul", "Sub", "Identity"})
SPLICED_OPS = frozenset({"Identity", "CheckNumerics", "StopGradient", "PreventGradient"})
CONTROL_FLOW_OPS = frozenset(
    {"Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "LoopCond"}
)
MASK_DEPTH = 8
"""How far from a product its random mask is looked for."""


def strip_training(document: Document, outputs: Iterable[str]) -> Document:
    """The document cut down to `outputs` (tensors or nodes), without dropout, queues and needless nodes."""
    wanted = [document.graph.port(name).node for name in outputs]
    graph = _without_dropout(document.graph)
    graph = _queues_to_placeholders(graph, wanted)
    document = extract(restrict(document, graph), wanted)
    graph = _spliced(document.graph, set(wanted))
    return restrict(document, with_functions(graph, graph.functions))


def _without_dropout(graph: Graph) -> Graph:
    """Case 1."""
    result = Graph((), graph.functions.values(), graph.proto)
    for node in graph:
        kept = _dropped_input(graph, node)
        if kept is None:
            result.add(node)
            continue
        controls = [f"^{c}" for c in node.control_inputs]
        result.add(Node.make(node.name, "Identity", [kept, *controls], {"T": node.attr("T")}, node.device))
    return result


def _dropped_input(graph: Graph, node: Node) -> Port | None:
    """The tensor that dropout works on when `node` is its last op: x·scale·mask, or mask ? x·scale : 0."""
    ports = node.data_inputs
    if node.op == "Mul" and len(ports) == 2:
        for scaled, mask in (ports, ports[::-1]):
            if _is_mask(graph, mask, MASK_DEPTH):
                return _unscaled(graph, scaled)
    if node.op in ("Select", "SelectV2") and len(ports) == 3 and _is_mask(graph, ports[0], MASK_DEPTH):
        return _unscaled(graph, ports[1])
    return None


def _is_mask(graph: Graph, port: Port, depth: int) -> bool:
    """Whether a tensor is a threshold on random numbers and nothing else."""
    node = graph.nodes.get(port.node)
    if node is None or depth == 0:
        return False
    if node.op not in ("Floor", "Cast", "GreaterEqual", "Greater", "Less"):
        return False
    return any(_is_random(graph, p, depth - 1) for p in node.data_inputs)


def _is_random(graph: Graph, port: Port, depth: int) -> bool:
    node = graph.nodes.get(port.node)
    if node is None or depth == 0:
        return False
    if node.op in RANDOM_OPS:
        return True
    return node.op in MASK_OPS and any(_is_random(graph, p, depth - 1) for p in node.data_inputs)


def _unscaled(graph: Graph, port: Port) -> Port | None:
    """The x of x / keep_prob or x * scale, where the other operand does not depend on x."""
    node = graph.nodes.get(port.node)
    if node is None or node.op not in ("RealDiv", "Div", "Mul"):
        return None
    left, right = node.data_inputs[:2]
    if node.op != "Mul":
        return left
    return left if _is_scalar(graph, right) else right if _is_scalar(graph, left) else None


def _is_scalar(graph: Graph, port: Port) -> bool:
    """Whether a tensor is a number made from constants and placeholders, as dropout's scale is."""
    names = ancestors(graph, [port.node])
    allowed = {
        "Const",
        "Placeholder",
        "PlaceholderWithDefault",
        "Sub",
        "RealDiv",
        "Div",
        "Cast",
        "Identity",
        "Reciprocal",
    }
    if len(names) > 12 or any(n not in graph.nodes or graph.nodes[n].op not in allowed for n in names):
        return False
    shapes = [graph.nodes[n].attr("value") for n in names if graph.nodes[n].op == "Const"]
    return all(value is not None and value.shape == () for value in shapes)


def _queues_to_placeholders(graph: Graph, wanted: list[str]) -> Graph:
    """Case 2."""
    reached = ancestors(graph, wanted)
    moved: dict[tuple[str, int], str] = {}
    made: list[Node] = []
    for node in graph:
        if node.name not in reached or node.op not in QUEUE_OPS or node.op.startswith("Parse"):
            continue
        types = output_types(node.op, dict(node.attrs))
        for index, dtype in enumerate(types):
            name = f"{node.name}_{index}" if index else f"{node.name}_input"
            moved[node.name, index] = graph.unique_name(name)
            made.append(placeholder(moved[node.name, index], dtype, _component_shape(node, index)))
    if not moved:
        return graph
    result = Graph(made, graph.functions.values(), graph.proto)
    for node in graph:
        copy = node
        if any((p.node, p.index) in moved for p in node.data_inputs):
            copy = node.copy()
            copy.inputs = [
                i if i.startswith("^") else moved.get((Port.parse(i).node, Port.parse(i).index), i) for i in node.inputs
            ]
        result.add(copy)
    return result


def _component_shape(node: Node, index: int) -> tuple[int | None, ...] | None:
    shapes = node.attr("output_shapes") or node.attr("shapes") or []
    return shapes[index] if index < len(shapes) else None


def _spliced(graph: Graph, wanted: set[str]) -> Graph:
    """Case 3."""
    needed_by_control = {c for node in graph for c in node.control_inputs}
    target: dict[str, str] = {}
    for node in graph:
        ports = node.data_inputs
        if node.op not in SPLICED_OPS or node.name in wanted or node.name in needed_by_control:
            continue
        if node.control_inputs or len(ports) != 1 or ports[0].node not in graph:
            continue
        if graph.nodes[ports[0].node].op in CONTROL_FLOW_OPS or _is_reference(graph, ports[0]):
            continue
        target[node.name] = str(ports[0])
    result = Graph((), graph.functions.values(), graph.proto)
    for node in graph:
        if node.name in target:
            continue
        copy = node
        if any(p.node in target for p in node.data_inputs):
            copy = node.copy()
            copy.inputs = [i if i.startswith("^") else _follow(i, target) for i in node.inputs]
        result.add(copy)
    return result


def _is_reference(graph: Graph, port: Port) -> bool:
    """Whether a tensor is a variable, whose reading is a node of its own."""
    source = graph.nodes[port.node]
    dtype = source.attr("dtype")
    return source.op in ("Variable", "VariableV2", "VarHandleOp") or (isinstance(dtype, DType) and dtype.is_ref)


def _follow(text: str, target: dict[str, str]) -> str:
    port = Port.parse(text)
    while port.index == 0 and port.node in target:
        port = Port.parse(target[port.node])
    return str(port)
