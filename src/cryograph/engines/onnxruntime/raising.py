"""The pass that raises transposes through what stands before them, where that is done element by element.

A picture is scaled, shifted by the mean of each channel, and then transposed for the first convolution. With the
channels last such a shift costs more than the convolution, as the runtime broadcasts along three numbers; with the
channels first it costs next to nothing. So the transpose comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from ...base.tensors import Array, Tensor
from .layout import ELEMENTWISE, Perm, inverse
from .values import OnnxGraph, OnnxNode, Value, reads


def raise_transposes(graph: OnnxGraph) -> OnnxGraph:
    """The same graph with those transposes at its inputs that stand behind shifts or scales by several numbers."""
    readers = Counter(name for node in graph.nodes for name in reads(node))
    readers.update(graph.outputs)
    makers = {name: node for node in graph.nodes for name in node.outputs}
    first: list[OnnxNode] = []
    for node in graph.nodes:
        chain = _chain(graph, node, makers, readers) if node.op == "Transpose" else []
        if not chain:
            continue
        perm: Perm = tuple(node.attrs["perm"])
        source, start = chain[-1][1], f"{node.outputs[0]}~{chain[-1][1]}"
        end, last = node.outputs[0], node.inputs[0]
        known = graph.known[source]
        node.inputs, node.outputs = [source], [start]
        graph.known[start] = Value(start, known.dtype, tuple((known.shape or ())[i] for i in perm))
        first.append(node)
        for maker, moving in chain:
            above = start if moving == source else f"{end}~{moving}"
            maker.inputs = [above if name == moving else _turned(graph, name, perm) for name in maker.inputs]
            if maker.outputs[0] == last:
                maker.outputs = [end]
                continue
            below = f"{end}~{maker.outputs[0]}"
            spec = graph.known[maker.outputs[0]]
            graph.known[below] = Value(below, spec.dtype, tuple((spec.shape or ())[i] for i in perm))
            maker.outputs = [below]
    moved = {id(node) for node in first}
    nodes = [*first, *(node for node in graph.nodes if id(node) not in moved)]
    return OnnxGraph(graph.inputs, graph.outputs, nodes, graph.constants, graph.known)


def _chain(
    graph: OnnxGraph, turn: OnnxNode, makers: Mapping[str, OnnxNode], readers: Mapping[str, int]
) -> list[tuple[OnnxNode, str]]:
    """The operators between an input of the graph and a transpose, the last one first, each with its input that is no
    constant; none when the transpose cannot be raised, or need not."""
    perm: Perm = tuple(turn.attrs["perm"])
    chain: list[tuple[OnnxNode, str]] = []
    worth = False
    name = turn.inputs[0]
    if turn.outputs[0] in graph.outputs:
        return []
    while name in makers:
        maker = makers[name]
        moving = [each for each in maker.inputs if each and each not in graph.constants]
        known = graph.known.get(moving[0]) if len(moving) == 1 else None
        if maker.op not in ELEMENTWISE or maker.domain or readers[name] != 1 or known is None or known.shape is None:
            return []
        constants = [graph.constants[each].numpy() for each in maker.inputs if each in graph.constants]
        if len(known.shape) != len(perm) or any(_behind(array, perm) is None for array in constants):
            return []
        worth = worth or any(array.size > 1 for array in constants)
        chain.append((maker, moving[0]))
        name = moving[0]
    return chain if worth and name in graph.inputs else []


def _behind(array: Array, perm: Perm) -> Array | None:
    """A constant as it broadcasts against what is transposed."""
    if array.size == 1:
        return array if array.ndim <= len(perm) else None
    if array.ndim > len(perm) or array.size != max(array.shape):
        return None
    wide = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
    return np.ascontiguousarray(wide.transpose(perm))


def _turned(graph: OnnxGraph, name: str, perm: Perm) -> str:
    """A constant of a chain, by the name that it has behind the transpose."""
    array = _behind(graph.constants[name].numpy(), perm) if name else None
    if array is None or array.size == 1:
        return name
    made = f"{name}~{''.join(map(str, inverse(perm)))}"
    tensor = Tensor.of(array, graph.constants[name].dtype)
    graph.constants[made] = tensor
    graph.known[made] = Value(made, tensor.dtype, tensor.shape, tensor)
    return made
