"""The pass before a session: weights are worked out here, where it takes a third of the runtime's time and memory.

1. Transposed and reshaped constants become constants.
2. What follows a convolution and does one thing to all of a channel (a batch norm, in whatever pieces) becomes part of
   its filter and its bias, where nobody else reads what comes in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...base.dtypes import FLOAT32, STRING
from ...base.shapes import element_count
from ...base.tensors import Array, Tensor
from .values import OnnxGraph, OnnxNode, reads

Channels = tuple[Array | None, Array | None]
"""What each channel is multiplied by, and what is added to it then; None for nothing."""

ALIGNED = 64
"""Bytes at whose multiples arrays begin."""


def settle_weights(graph: OnnxGraph) -> OnnxGraph:
    """The same graph with its weights worked out."""
    return _Weights(graph).settled()


@dataclass(frozen=True, slots=True)
class _Turned:
    """A constant that is another one, seen in another order, each of its first dimension times a factor."""

    source: Tensor
    shape: tuple[int, ...]
    see: Callable[[Array], Array]
    factor: Array | None = None

    def into(self, out: Array) -> None:
        """Works it out."""
        seen = self.see(self.source.numpy())
        if self.factor is None:
            np.copyto(out, seen)
        else:
            np.multiply(seen, self.factor.reshape(-1, *[1] * (len(self.shape) - 1)), out=out)


class _Weights:
    """One graph on the way."""

    def __init__(self, graph: OnnxGraph) -> None:
        self._graph = graph
        self._constants = dict(graph.constants)
        self._turned: dict[str, _Turned] = {}
        self._folded: set[str] = set()
        self._times_read = Counter(name for node in graph.nodes for name in reads(node))
        self._times_read.update(graph.outputs)
        self._reader = {name: node for node in graph.nodes for name in node.inputs}

    def settled(self) -> OnnxGraph:
        """The graph with what became of its nodes and constants."""
        graph = self._graph
        nodes: list[OnnxNode] = []
        for node in graph.nodes:
            if node.outputs[0] in self._folded or (not node.domain and self._turn(node)):
                continue
            nodes.append(self._with_channels(node) if node.op == "Conv" and not node.domain else node)
        read = {name for node in nodes for name in reads(node)}
        read.update(graph.outputs)
        self._work_out([name for name in self._turned if name in read])
        return OnnxGraph(graph.inputs, graph.outputs, nodes, self._constants, graph.known)

    def _work_out(self, names: list[str]) -> None:
        """All in one piece of memory: large pages are mapped many times faster than small ones."""
        starts, end = [], 0
        for name in names:
            starts.append(end)
            end += -(-self._turned[name].source.nbytes // ALIGNED) * ALIGNED
        memory = np.empty(end, np.uint8)
        for name, start in zip(names, starts, strict=True):
            turned = self._turned[name]
            kind = turned.source.dtype
            out = memory[start : start + turned.source.nbytes].view(kind.numpy or np.uint8).reshape(turned.shape)
            turned.into(out)
            self._constants[name] = Tensor.of(out, kind)

    def _seen(self, name: str) -> _Turned | None:
        """A constant as it is seen, where it is one of numbers."""
        tensor = self._constants.get(name)
        if tensor is None or tensor.dtype == STRING:
            return self._turned.get(name)
        return _Turned(tensor, tensor.shape, lambda array: array)

    def _turn(self, node: OnnxNode) -> bool:
        """Whether a node only moves the numbers of a constant; then it is one."""
        if node.op not in ("Transpose", "Reshape") or (was := self._seen(node.inputs[0])) is None:
            return False
        see = was.see
        if node.op == "Transpose":
            perm = node.attrs["perm"]
            shape = tuple(was.shape[axis] for axis in perm)
            self._turned[node.outputs[0]] = _Turned(was.source, shape, lambda array: see(array).transpose(perm))
            return True
        target = self._constants.get(node.inputs[1])
        shape = () if target is None else tuple(target.numpy().tolist())
        if target is None or 0 in shape or -1 in shape or element_count(shape) != element_count(was.shape):
            return False
        self._turned[node.outputs[0]] = _Turned(was.source, shape, lambda array: see(array).reshape(shape))
        return True

    def _with_channels(self, conv: OnnxNode) -> OnnxNode:
        """The convolution with what is done to its channels afterwards."""
        filters = self._seen(conv.inputs[1])
        bias = self._constants.get(conv.inputs[2]) if len(conv.inputs) > 2 else None
        if filters is None or filters.source.dtype != FLOAT32 or (bias is None and len(conv.inputs) > 2):
            return conv
        count, rank = filters.shape[0], len(filters.shape)
        scale: Array | None = None
        offset = np.zeros(count) if bias is None else bias.numpy().astype(np.float64)
        last = conv.outputs[0]
        while self._times_read[last] == 1 and (node := self._reader.get(last)) is not None:
            found = self._of_channels(node, last, count, rank)
            if found is None:
                break
            times, plus = found
            if times is not None:
                scale, offset = times if scale is None else scale * times, offset * times
            if plus is not None:
                offset = offset + plus
            last = node.outputs[0]
            self._folded.add(last)
        if last == conv.outputs[0]:
            return conv
        inputs = [conv.inputs[0], conv.inputs[1], f"{last}~bias"]
        self._constants[inputs[2]] = Tensor.of(offset.astype(np.float32))
        if scale is not None:
            inputs[1] = f"{last}~filter"
            by = scale.astype(np.float32)
            self._turned[inputs[1]] = _Turned(filters.source, filters.shape, filters.see, by)
        return OnnxNode(conv.op, inputs, [last], conv.attrs, conv.domain, conv.version)

    def _of_channels(self, node: OnnxNode, x: str, count: int, rank: int) -> Channels | None:
        """What a node multiplies each channel of `x` by and then adds to it; None when it does anything else."""
        if node.domain:
            return None
        if node.op == "BatchNormalization" and len(node.outputs) == 1 and node.inputs[0] == x:
            scale, offset, mean, variance = (self._per_channel(name, count, 1) for name in node.inputs[1:])
            if scale is None or offset is None or mean is None or variance is None:
                return None
            times = scale / np.sqrt(variance + node.attrs.get("epsilon", 1e-5))
            return times, offset - mean * times
        if node.op not in ("Mul", "Add", "Sub") or (node.op == "Sub" and node.inputs[0] != x):
            return None
        other = self._per_channel(node.inputs[node.inputs[0] == x], count, rank)
        if other is None:
            return None
        return (other, None) if node.op == "Mul" else (None, other if node.op == "Add" else -other)

    def _per_channel(self, name: str, count: int, rank: int) -> Array | None:
        """A constant with one number a channel, or one for all, as doubles; None when it has others.

        `rank` is that of the value that it is combined with, whose second dimension are the channels; 1 for a vector.
        """
        tensor = self._constants.get(name)
        if tensor is None or len(tensor.shape) > rank:
            return None
        size = element_count(tensor.shape)
        shape = (*[1] * (rank - len(tensor.shape)), *tensor.shape)
        if size not in (1, count) or shape[min(rank - 1, 1)] != size:
            return None
        return np.broadcast_to(tensor.numpy().reshape(-1).astype(np.float64), (count,))
