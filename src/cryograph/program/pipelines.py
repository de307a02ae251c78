"""Input pipelines in front of a graph: queues, readers, staging areas and iterators, which cannot be run, and where to
cut the graph behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..base.errors import InputError
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..graph.walks import ancestors

PIPELINES = frozenset(
    {
        *("AccumulatorNumAccumulated", "AccumulatorTakeGradient", "ResourceAccumulatorNumAccumulated"),
        *("ResourceAccumulatorTakeGradient", "SparseAccumulatorTakeGradient"),
        *("BarrierIncompleteSize", "BarrierReadySize", "BarrierTakeMany"),
        *("InfeedDequeue", "InfeedDequeueTuple", "OutfeedDequeue", "OutfeedDequeueTuple"),
        *("IteratorGetNext", "IteratorGetNextAsOptional", "IteratorGetNextSync", "MultiDeviceIteratorGetNextFromShard"),
        *("DatasetToSingleElement", "DatasetToGraph", "ReduceDataset", "DatasetCardinality"),
        *("MapIncompleteSize", "MapPeek", "MapSize", "MapUnstage", "MapUnstageNoKey"),
        *("OrderedMapIncompleteSize", "OrderedMapPeek", "OrderedMapSize", "OrderedMapUnstage"),
        *("OrderedMapUnstageNoKey", "StagePeek", "StageSize", "Unstage"),
        *("QueueDequeue", "QueueDequeueMany", "QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2"),
        *("QueueDequeueV2", "QueueIsClosed", "QueueIsClosedV2", "QueueSize", "QueueSizeV2"),
        *("ReaderNumRecordsProduced", "ReaderNumRecordsProducedV2", "ReaderNumWorkUnitsCompleted"),
        *("ReaderNumWorkUnitsCompletedV2", "ReaderRead", "ReaderReadUpTo", "ReaderReadUpToV2", "ReaderReadV2"),
        *("ReaderSerializeState", "ReaderSerializeStateV2", "RecordInput"),
    }
)
"""Where the tensors of input pipelines come out."""

_UNPACKING = frozenset({"OptionalGetValue", "OptionalHasValue", "Identity"})
"""What takes a handle that a pipeline gives, and gives tensors that can be fed."""


def where_to_cut(graph: Graph, names: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """The tensors of the graph at which the parts that `wanted` (nodes) need of it are free of some nodes.

    A node in a function has a path as its name; what is cut then are the results of the call in the graph.
    """
    reached = ancestors(graph, wanted)
    readers: dict[str, list[tuple[Node, Port]]] = {}
    for node in graph:
        for port in node.data_inputs if node.name in reached else ():
            readers.setdefault(port.node, []).append((node, port))
    found: dict[str, None] = {}
    waiting = [_in_graph(graph, name) for name in reversed(list(names))]
    while waiting:
        name = waiting.pop()
        for node, port in readers.get(name, ()):
            if graph.nodes[name].op == "IteratorGetNextAsOptional" and node.op in _UNPACKING:
                waiting.append(node.name)
            else:
                found[port.tensor] = None
        if not readers.get(name):
            found[f"{name}:0"] = None  # wanted itself
    return list(found)


def _in_graph(graph: Graph, name: str) -> str:
    while name not in graph and "/" in name:
        name = name.rpartition("/")[0]
    return name


def pipeline_error(cuts: Sequence[str]) -> InputError:
    """What says where the outputs come from, and what to feed."""
    listed = ", ".join(repr(name) for name in cuts)
    return InputError(
        f"The outputs come from an input pipeline, which cannot be run: {', '.join(cuts)}. "
        f"Feed what it would give: inputs=[{listed}]."
    )
