"""Which tensors of a graph are likely its inputs and outputs, with the reason in words.

A graph does not say. What gives it away: placeholders and what feeds the deepest part of the graph; sinks that lie
outside of training, saving and summaries; the ops that networks end in (Softmax, Sigmoid, NonMaxSuppression ...).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..base.dtypes import DType
from ..base.shapes import Shape
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..graph.variables import VARIABLE_OPS
from ..graph.walks import descendants
from .signatures import output_types

INPUT_OPS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})
QUEUE_OPS = frozenset(
    {
        "QueueDequeue",
        "QueueDequeueV2",
        "QueueDequeueMany",
        "QueueDequeueManyV2",
        "QueueDequeueUpTo",
        "QueueDequeueUpToV2",
        "IteratorGetNext",
        "IteratorGetNextSync",
        "OneShotIterator",
        "ParseExample",
        "ParseExampleV2",
        "ParseSingleExample",
    }
)
"""Ops through which an input pipeline enters; where a training graph is cut for inference."""

FINAL_OPS: dict[str, tuple[int, str]] = {
    "Softmax": (60, "class probabilities (Softmax)"),
    "Sigmoid": (45, "probabilities (Sigmoid)"),
    "NonMaxSuppression": (55, "detections (non-maximum suppression)"),
    "NonMaxSuppressionV2": (55, "detections (non-maximum suppression)"),
    "NonMaxSuppressionV3": (55, "detections (non-maximum suppression)"),
    "NonMaxSuppressionV4": (55, "detections (non-maximum suppression)"),
    "NonMaxSuppressionV5": (55, "detections (non-maximum suppression)"),
    "CombinedNonMaxSuppression": (55, "detections (non-maximum suppression)"),
    "LogSoftmax": (45, "log probabilities (LogSoftmax)"),
    "ArgMax": (40, "the most likely class (ArgMax)"),
    "TopKV2": (35, "the most likely classes (TopK)"),
    "Tanh": (15, "Tanh"),
    "MatMul": (15, "a dense layer without activation"),
    "BiasAdd": (20, "logits (BiasAdd)"),
    "LookupTableFindV2": (30, "looked-up labels"),
}

NOISE_SCOPES = ("save/", "gradients/", "train/", "optimizer/", "report_uninitialized", "init", "summaries/")
SIDE_OPS = frozenset(
    {
        "NoOp",
        "Assert",
        "Print",
        "PrintV2",
        "Const",
        "SaveV2",
        "RestoreV2",
        "Save",
        "SaveSlices",
        "Restore",
        "RestoreSlice",
        "ShardedFilename",
        "MergeV2Checkpoints",
        "MergeSummary",
        "ScalarSummary",
        "HistogramSummary",
        "ImageSummary",
        "AudioSummary",
        "TensorSummary",
        "TensorSummaryV2",
        "Assign",
        "AssignAdd",
        "AssignSub",
        "AssignVariableOp",
        "AssignAddVariableOp",
        "AssignSubVariableOp",
        "IsVariableInitialized",
        "VarIsInitializedOp",
        "CheckNumerics",
        "EnsureShape",
        "QueueEnqueueV2",
        "QueueEnqueueManyV2",
        "QueueCloseV2",
        "QueueSizeV2",
        "Shape",
        "VariableShape",
        "NextIteration",
        "RefNextIteration",
        "Exit",
        "LoopCond",
        "InitializeTable",
        "InitializeTableV2",
        "InitializeTableFromTextFileV2",
        "LookupTableImportV2",
    }
)
SIDE_PREFIXES = ("Apply", "ResourceApply", "SparseApply", "ResourceSparseApply", "Scatter", "ResourceScatter", "Queue")
TRAINING_OPS = ("SparseSoftmaxCrossEntropyWithLogits", "SoftmaxCrossEntropyWithLogits", "L2Loss")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tensor that users may mean, with a score (higher is likelier) and the reason in words."""

    tensor: str
    op: str
    dtype: DType | None
    shape: Shape
    score: int
    reason: str


def rank_inputs(document: Document) -> list[Candidate]:
    """Likely inputs, the likeliest first."""
    graph = document.graph
    named = {
        Port.parse(spec.tensor).tensor: f"input {key!r} of the signature {signature.name!r}"
        for signature in document.signatures.values()
        for key, spec in signature.inputs.items()
        if spec.tensor
    }
    found: list[Candidate] = []
    consumers = graph.consumers()
    for node in graph:
        tensor = f"{node.name}:0"
        if node.op not in INPUT_OPS | QUEUE_OPS and tensor not in named:
            continue
        if node.op in INPUT_OPS and node.op != "PlaceholderWithDefault":
            score, reason = 50, "a placeholder"
        elif node.op == "PlaceholderWithDefault":
            score, reason = 15, "a placeholder with a default"
        else:
            score, reason = 25, f"the end of an input pipeline ({node.op})"
        if tensor in named:
            score, reason = score + 40, named[tensor]
        if not consumers.get(node.name):
            score, reason = score - 40, f"{reason}, which nothing uses"
        elif node.name.startswith("save/") or _is_filename(node):
            score, reason = score - 60, f"{reason} of the saver"
        shape = _shape(node)
        if shape is not None and len(shape) >= 2 and node.op in INPUT_OPS:
            score += 10
        dtype = _dtype(node, 0)
        if dtype is not None and dtype.name == "bool":
            score -= 15
        found.append(Candidate(tensor, node.op, dtype, shape, score, reason))
    return sorted(found, key=lambda c: -c.score)


def _is_filename(node: Node) -> bool:
    return node.op == "PlaceholderWithDefault" and node.name.endswith(("Const", "filename")) and _is_string(node)


def _is_string(node: Node) -> bool:
    dtype = node.attr("dtype")
    return isinstance(dtype, DType) and dtype.is_string


def rank_outputs(document: Document) -> list[Candidate]:
    """Likely outputs, the likeliest first: a signature's, then sinks outside of training, then losses."""
    graph = document.graph
    signed = _signature_outputs(document)
    side = _side_nodes(graph)
    consumers = graph.consumers()
    behind_inputs = descendants(graph, [c.tensor.partition(":")[0] for c in rank_inputs(document) if c.score > 0])
    training = {n.name for n in graph if n.op in TRAINING_OPS}
    losses = descendants(graph, training) if training else set()
    found: list[Candidate] = list(signed.values())
    for node in graph:
        if node.name in side or node.op in INPUT_OPS or node.op in VARIABLE_OPS or f"{node.name}:0" in signed:
            continue
        inner = [c for c in consumers.get(node.name, ()) if c.name not in side]
        final = FINAL_OPS.get(node.op)
        only_losses = bool(inner) and all(c.name in losses or c.op in TRAINING_OPS for c in inner)
        if inner and not only_losses and not (final is not None and final[0] >= 60):
            continue
        if node.name in losses or (behind_inputs and node.name not in behind_inputs):
            continue
        if not output_types(node.op, dict(node.attrs)) and node.op not in graph.functions:
            continue
        found.append(_sink(node, _op_behind(graph, node), inner, only_losses))
    return sorted(found, key=lambda c: -c.score)


def _op_behind(graph: Graph, node: Node) -> str:
    """The op of a node, or of what an Identity passes on."""
    for _ in range(len(graph)):
        ports = node.data_inputs
        if node.op != "Identity" or not ports or ports[0].node not in graph:
            break
        node = graph.nodes[ports[0].node]
    return node.op


def _sink(node: Node, op: str, inner: list[Node], only_losses: bool) -> Candidate:
    score, reason = (
        (30, "nothing takes it") if not inner else (20, "only the loss takes it") if only_losses else (5, "")
    )
    final = FINAL_OPS.get(op)
    if final is not None:
        score += final[0]
        reason = f"{final[1]}; {reason}" if reason else final[1]
    if node.name.rpartition("/")[2].lower() in (
        "output",
        "outputs",
        "predictions",
        "prediction",
        "final_result",
        "probabilities",
    ):
        score += 25
        reason += "; by its name"
    return Candidate(f"{node.name}:0", node.op, _dtype(node, 0), None, score, reason)


def _signature_outputs(document: Document) -> dict[str, Candidate]:
    found: dict[str, Candidate] = {}
    for signature in document.signatures.values():
        if signature.name == "__saved_model_init_op":
            continue
        for key, spec in signature.outputs.items():
            if not spec.tensor:
                continue
            port = Port.parse(spec.tensor)
            node = document.graph.nodes.get(port.node)
            reason = f"output {key!r} of the signature {signature.name!r}"
            score = 120 if signature.name == "serving_default" else 110
            found.setdefault(
                port.tensor, Candidate(port.tensor, node.op if node else "", spec.dtype, spec.shape, score, reason)
            )
    return found


def _side_nodes(graph: Graph) -> set[str]:
    """Nodes of saving, summaries, initialising and training: what hangs off a graph without being its answer."""
    side = {
        node.name
        for node in graph
        if node.op in SIDE_OPS
        or node.op.startswith(SIDE_PREFIXES)
        or node.name.startswith(NOISE_SCOPES)
        or "/gradients/" in f"/{node.name}"
        or "Initializer/" in node.name
    }
    # What only side nodes take (an initial value, a learning rate) is a side node too; looked at from the sinks up.
    consumers = graph.consumers()
    waiting = list(side)
    while waiting:
        node = graph.nodes[waiting.pop()]
        for text in node.inputs:
            name = text.removeprefix("^").partition(":")[0]
            above = graph.nodes.get(name)
            if above is None or name in side or above.op in VARIABLE_OPS or above.op in INPUT_OPS:
                continue
            if above.op in FINAL_OPS or not _is_upkeep(above):
                continue
            if all(c.name in side for c in consumers.get(name, ())):
                side.add(name)
                waiting.append(name)
    return side


UPKEEP_OPS = frozenset(
    {
        "Const",
        "Identity",
        "RandomUniform",
        "TruncatedNormal",
        "RandomStandardNormal",
        "Fill",
        "Pack",
        "StringJoin",
        "Read",
        "ReadVariableOp",
        "ShardedFilename",
    }
)


def _is_upkeep(node: Node) -> bool:
    return node.op in UPKEEP_OPS


def _shape(node: Node) -> Shape:
    shape: Shape = node.attr("shape")
    return shape if isinstance(shape, tuple) else None


def _dtype(node: Node, index: int) -> DType | None:
    types = output_types(node.op, dict(node.attrs))
    if index < len(types):
        return types[index].base
    dtype = node.attr("dtype")
    return dtype.base if isinstance(dtype, DType) else None


def one_choice(candidates: list[Candidate], margin: int = 20) -> list[Candidate]:
    """The candidates to take without asking: those of the best score when the next is clearly behind; else none."""
    if not candidates:
        return []
    best = candidates[0].score
    top = [c for c in candidates if c.score == best]
    rest = [c for c in candidates if c.score < best]
    if len(top) == 1 and (not rest or best - rest[0].score >= margin) and best > 0:
        return top
    return []


__all__ = ["Candidate", "one_choice", "rank_inputs", "rank_outputs"]
