"""What is done to every lowered graph before it becomes a message."""

from __future__ import annotations

from .fuse import fuse
from .layout import sink_transposes
from .raising import raise_transposes
from .values import OnnxGraph, reads


def improve(graph: OnnxGraph) -> OnnxGraph:
    """The graph after all passes."""
    return raise_transposes(sweep(fuse(sink_transposes(graph))))


def sweep(graph: OnnxGraph) -> OnnxGraph:
    """Without the nodes that nobody reads. No node of ours does anything but give its outputs."""
    read = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if read.isdisjoint(node.outputs):
            continue
        kept.append(node)
        read.update(reads(node))
    return OnnxGraph(graph.inputs, graph.outputs, kept[::-1], graph.constants, graph.known)
