"""The pass that sinks transposes: each moves down through what does not mind the order of dimensions, until it meets
its inverse or an op that does mind.

Lowerings of ops over pictures put a Transpose before and after every operator that wants the channels first. One walk
over the nodes removes nearly all of them: a transposed value is not computed but kept as a *view* (what it is a
transpose of, and the permutation). A node with a row in RULES is rewritten to work on what lies behind its views, and
its output becomes a view; any other node makes its views real. Views of views are one view, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...base.dtypes import INT64
from ...base.tensors import Array, Tensor
from .values import OnnxGraph, OnnxNode, Value

Perm = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A value that is `source` with its dimensions in another order: dimension i is `perm[i]` of the source."""

    source: str
    perm: Perm


class Sinking:
    """One walk over one graph. `views` are values that are not computed yet."""

    def __init__(self, graph: OnnxGraph) -> None:
        self.known = graph.known
        self.constants = graph.constants
        self.nodes: list[OnnxNode] = []
        self.views: dict[str, View] = {}
        self._same: dict[str, str] = {}
        self._count = 0

    # --- what rules use

    def name(self, like: str) -> str:
        """A new name made from another."""
        self._count += 1
        return f"{like}~{self._count}"

    def constant(self, name: str) -> Array | None:
        """The values of a constant."""
        tensor = self.constants.get(name)
        return None if tensor is None else tensor.numpy()

    def add_constant(self, like: str, values: Array) -> str:
        """A new constant."""
        name = self.name(like)
        tensor = Tensor.of(values)
        self.constants[name] = tensor
        self.known[name] = Value(name, tensor.dtype, tensor.shape, tensor)
        return name

    def rank(self, name: str) -> int | None:
        """The rank of a value, views included."""
        view = self.views.get(name)
        if view is not None:
            return len(view.perm)
        known = self.known.get(name)
        return None if known is None or known.shape is None else len(known.shape)

    def behind(self, name: str, perm: Perm) -> str | None:
        """A value as it looks behind a view of that permutation: `name` is its transpose, or broadcasts like it."""
        view = self.views.get(name)
        if view is not None and view.perm == perm:
            return view.source
        rank = self.rank(name)
        if rank is None or rank > len(perm):
            return None
        known = self.known[name] if view is None else None
        if rank == 0 or (known is not None and known.shape is not None and all(s == 1 for s in known.shape)):
            # One number broadcasts in any order, but must not have more dimensions than there are.
            return name
        back = inverse(perm)
        array = self.constant(name)
        if array is not None:
            wide = array.reshape((1,) * (len(perm) - rank) + array.shape)
            if array.size <= _SMALL or wide.size == max(wide.shape):
                return self.add_constant(name, np.ascontiguousarray(wide.transpose(back)))
        if rank < len(perm):
            name = self._widened(name, len(perm) - rank)
        return self.real_view(name, back)

    def _widened(self, name: str, count: int) -> str:
        source = self.real(name)
        made = self.name(source)
        axes = self.add_constant(made, np.arange(count))
        self.nodes.append(OnnxNode("Unsqueeze", [source, axes], [made], {}))
        known = self.known[source]
        self.known[made] = Value(made, known.dtype, (1,) * count + (known.shape or ()))
        return made

    def real_view(self, name: str, perm: Perm) -> str:
        """A value transposed, computed now; of a view, its source in another order."""
        view = self.views.get(name)
        if view is not None:
            name, perm = view.source, tuple(view.perm[i] for i in perm)
        if perm == tuple(range(len(perm))):
            return name
        made = self.name(name)
        self._transpose(name, perm, made)
        return made

    def real(self, name: str) -> str:
        """A value by a name that a node may use: a view is computed, once."""
        name = self._same.get(name, name)
        view = self.views.pop(name, None)
        if view is not None:
            self._transpose(view.source, view.perm, name)
        return name

    def _transpose(self, source: str, perm: Perm, made: str) -> None:
        self.nodes.append(OnnxNode("Transpose", [source], [made], {"perm": list(perm)}))
        known = self.known.get(source)
        if known is not None and made not in self.known:
            shape = None if known.shape is None else tuple(known.shape[i] for i in perm)
            self.known[made] = Value(made, known.dtype, shape)

    def emit(self, node: OnnxNode, inputs: Sequence[str], perms: Sequence[Perm | None], **attrs: object) -> None:
        """Emits a rewritten node. Where `perms` holds a permutation, the old output is a view of the new one."""
        outputs = []
        for name, perm in zip(node.outputs, perms, strict=True):
            if perm is None or perm == tuple(range(len(perm))):
                outputs.append(name)
                continue
            made = self.name(name)
            outputs.append(made)
            known = self.known.get(name)
            if known is not None:
                shape = known.shape
                order = inverse(perm)
                if shape is not None and len(shape) == len(perm):
                    shape = tuple(shape[i] for i in order)
                self.known[made] = Value(made, known.dtype, shape)
            self.views[name] = View(made, perm)
        self.nodes.append(OnnxNode(node.op, list(inputs), outputs, {**node.attrs, **attrs}, node.domain, node.version))

    # --- the walk

    def walk(self, nodes: Iterable[OnnxNode]) -> None:
        """Rewrites nodes in their order."""
        for node in nodes:
            if self._same:
                node.inputs = [self._same.get(name, name) for name in node.inputs]
            if node.op == "Transpose":
                self._on_transpose(node)
                continue
            if any(name in self.views for name in node.inputs):
                rule = RULES.get(node.op)
                if rule is not None and not node.domain and rule(self, node):
                    continue
            for key, value in node.attrs.items():
                if isinstance(value, OnnxGraph):
                    node.attrs[key] = self._inner(value)
            node.inputs = [self.real(name) for name in node.inputs]
            self.nodes.append(node)

    def _on_transpose(self, node: OnnxNode) -> None:
        source, (output,) = node.inputs[0], node.outputs
        perm = tuple(node.attrs["perm"])
        view = self.views.get(source)
        if view is not None:
            source, perm = view.source, tuple(view.perm[i] for i in perm)
        elif source in self.constants:
            # Weights: the runtime folds this when the session is made.
            self.nodes.append(node)
            return
        if perm == tuple(range(len(perm))):
            self._same[output] = source
        else:
            self.views[output] = View(source, perm)

    def _inner(self, graph: OnnxGraph) -> OnnxGraph:
        """A loop's or branch's graph, walked by itself; what it uses from outside is made real."""
        for name in sorted(_outer_names(graph)):
            if name in self.views:
                self.real(name)
        inner = Sinking(graph)
        inner.constants, inner.known = self.constants, self.known
        inner._same = dict(self._same)
        inner.walk(graph.nodes)
        outputs = [inner.end(name) for name in graph.outputs]
        return OnnxGraph(graph.inputs, outputs, inner.nodes, graph.constants, graph.known)

    def end(self, name: str) -> str:
        """The real name of a graph's output, with what is known of it."""
        made = self.real(name)
        known = self.known.get(name)
        if known is not None:
            self.known.setdefault(made, replace(known, name=made))
        return made


_SMALL = 1 << 14


def inverse(perm: Perm) -> Perm:
    """The permutation that undoes another."""
    back = [0] * len(perm)
    for i, axis in enumerate(perm):
        back[axis] = i
    return tuple(back)


def _outer_names(graph: OnnxGraph) -> set[str]:
    names = set(graph.outputs)
    for node in graph.nodes:
        names.update(node.inputs)
        for value in node.attrs.values():
            if isinstance(value, OnnxGraph):
                names |= _outer_names(value)
    return names


# --- rules: each emits the node as it is behind its views, or gives False and emits nothing


def _first(sinking: Sinking, node: OnnxNode) -> View | None:
    return sinking.views.get(node.inputs[0])


def _elementwise_one(s: Sinking, node: OnnxNode) -> bool:
    """The first input decides; others are scalars (Clip's bounds)."""
    view = _first(s, node)
    if view is None:
        return False
    s.emit(node, [view.source, *node.inputs[1:]], [view.perm])
    return True


def _elementwise(s: Sinking, node: OnnxNode) -> bool:
    """Inputs broadcast against each other: one of full rank is a view, the others are brought behind it."""
    ranks = [s.rank(name) for name in node.inputs]
    if None in ranks:
        return False
    full = max(rank or 0 for rank in ranks)
    perms = [s.views[name].perm for name in node.inputs if name in s.views and s.rank(name) == full]
    if not perms:
        return False
    perm = max(perms, key=perms.count)
    inputs = [s.behind(name, perm) for name in node.inputs]
    if None in inputs:
        return False
    s.emit(node, [name for name in inputs if name is not None], [perm])
    return True


def _concat(s: Sinking, node: OnnxNode) -> bool:
    perms = [s.views[name].perm for name in node.inputs if name in s.views]
    perm = max(perms, key=perms.count)
    if 2 * perms.count(perm) < len(node.inputs):
        return False
    inputs = []
    for name in node.inputs:
        view = s.views.get(name)
        if view is not None and view.perm == perm:
            inputs.append(view.source)
        elif s.rank(name) == len(perm):
            inputs.append(s.real_view(name, inverse(perm)))
        else:
            return False
    s.emit(node, inputs, [perm], axis=perm[node.attrs["axis"] % len(perm)])
    return True


def _pad(s: Sinking, node: OnnxNode) -> bool:
    view, pads = _first(s, node), s.constant(node.inputs[1])
    if view is None or pads is None or len(node.inputs) > 3:
        return False
    back = list(inverse(view.perm))
    moved = s.add_constant(node.inputs[1], np.concatenate([pads.reshape(2, -1)[0][back], pads.reshape(2, -1)[1][back]]))
    s.emit(node, [view.source, moved, *node.inputs[2:]], [view.perm])
    return True


def _less(perm: Perm, gone: Sequence[int]) -> Perm:
    """What is left of a permutation when dimensions of the result are dropped."""
    left = [perm[i] for i in range(len(perm)) if i not in gone]
    places = sorted(left)
    return tuple(places.index(axis) for axis in left)


def _axes(s: Sinking, node: OnnxNode, rank: int) -> list[int] | None:
    array = s.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    return None if array is None else [int(axis) % rank for axis in array.reshape(-1)]


def _reduce(s: Sinking, node: OnnxNode) -> bool:
    view = _first(s, node)
    axes = None if view is None else _axes(s, node, len(view.perm))
    if view is None or axes is None:
        return False
    moved = s.add_constant(node.inputs[1], np.asarray(sorted(view.perm[axis] for axis in axes)))
    keeps = bool(node.attrs.get("keepdims", 1))
    s.emit(node, [view.source, moved], [view.perm if keeps else _less(view.perm, axes)])
    return True


def _squeeze(s: Sinking, node: OnnxNode) -> bool:
    view = _first(s, node)
    axes = None if view is None else _axes(s, node, len(view.perm))
    if view is None or axes is None:
        return False
    moved = s.add_constant(node.inputs[1], np.asarray(sorted(view.perm[axis] for axis in axes)))
    s.emit(node, [view.source, moved], [_less(view.perm, axes)])
    return True


def _unsqueeze(s: Sinking, node: OnnxNode) -> bool:
    """New dimensions go to the same places behind the view; the others keep their order around them."""
    view, array = _first(s, node), s.constant(node.inputs[1])
    if view is None or array is None:
        return False
    rank = len(view.perm) + array.size
    axes = {int(axis) % rank for axis in array.reshape(-1)}
    places = [i for i in range(rank) if i not in axes]
    rest = iter(view.perm)
    s.emit(node, [view.source, node.inputs[1]], [tuple(i if i in axes else places[next(rest)] for i in range(rank))])
    return True


def _along_axis(s: Sinking, node: OnnxNode) -> bool:
    """Works along `axis` and keeps the shape, or gives several outputs of it (Split)."""
    view = _first(s, node)
    if view is None:
        return False
    axis = view.perm[node.attrs.get("axis", -1 if node.op != "Split" else 0) % len(view.perm)]
    s.emit(node, [view.source, *node.inputs[1:]], [view.perm] * len(node.outputs), axis=axis)
    return True


def _arg(s: Sinking, node: OnnxNode) -> bool:
    view = _first(s, node)
    if view is None:
        return False
    axis = node.attrs.get("axis", 0) % len(view.perm)
    keeps = bool(node.attrs.get("keepdims", 1))
    s.emit(node, [view.source], [view.perm if keeps else _less(view.perm, [axis])], axis=view.perm[axis])
    return True


def _slice(s: Sinking, node: OnnxNode) -> bool:
    view = _first(s, node)
    axes = s.constant(node.inputs[3]) if len(node.inputs) > 3 else None
    if view is None or axes is None:
        return False
    moved = s.add_constant(node.inputs[3], np.asarray([view.perm[int(axis) % len(view.perm)] for axis in axes]))
    s.emit(node, [view.source, *node.inputs[1:3], moved, *node.inputs[4:]], [view.perm])
    return True


def _gather(s: Sinking, node: OnnxNode) -> bool:
    view, rank = _first(s, node), s.rank(node.inputs[1])
    if view is None or node.inputs[1] in s.views or rank not in (0, 1):
        return False
    axis = node.attrs.get("axis", 0) % len(view.perm)
    s.emit(node, [view.source, node.inputs[1]], [view.perm if rank else _less(view.perm, [axis])], axis=view.perm[axis])
    return True


def _resize(s: Sinking, node: OnnxNode) -> bool:
    """Scales or sizes, one a dimension, go into the source's order. What lies between pixels the runtime works out for
    rows and columns that stand beside each other, in the middle or at the end."""
    view = _first(s, node)
    if view is None:
        return False
    between = node.attrs.get("mode", "nearest") != "nearest"
    if between and (len(view.perm) != 4 or set(view.perm[2:]) not in ({1, 2}, {2, 3})):
        return False
    back = np.asarray(inverse(view.perm))
    inputs = [view.source, *node.inputs[1:]]
    for i in (2, 3):
        if i < len(inputs) and inputs[i]:
            array = s.constant(inputs[i])
            if array is not None:
                inputs[i] = s.add_constant(inputs[i], array[back])
            else:
                made, order = s.name(inputs[i]), s.add_constant(inputs[i], back)
                s.nodes.append(OnnxNode("Gather", [s.real(inputs[i]), order], [made], {"axis": 0}))
                inputs[i] = made
    s.emit(node, inputs, [view.perm])
    return True


def _tile(s: Sinking, node: OnnxNode) -> bool:
    view, repeats = _first(s, node), s.constant(node.inputs[1])
    if view is None or repeats is None:
        return False
    moved = s.add_constant(node.inputs[1], repeats[list(inverse(view.perm))])
    s.emit(node, [view.source, moved], [view.perm])
    return True


def _shape(s: Sinking, node: OnnxNode) -> bool:
    """The sizes of the source, picked in the view's order."""
    view = _first(s, node)
    if view is None or node.attrs:
        return False
    made = s.name(node.outputs[0])
    s.nodes.append(OnnxNode("Shape", [view.source], [made], {}))
    s.known[made] = Value(made, INT64, (len(view.perm),))
    order = s.add_constant(made, np.asarray(view.perm))
    s.nodes.append(OnnxNode("Gather", [made, order], node.outputs, {"axis": 0}))
    return True


def _reshape(s: Sinking, node: OnnxNode) -> bool:
    """A transpose that moves dimensions of size 1 only changes no order of elements: the source is reshaped alike."""
    view = _first(s, node)
    known = None if view is None else s.known.get(view.source)
    if view is None or known is None or known.shape is None or node.inputs[1] in s.views:
        return False
    moved = [axis for axis in view.perm if known.shape[axis] != 1]
    target = s.constant(node.inputs[1])
    copies = not node.attrs.get("allowzero", 0) and (target is None or bool((target == 0).any()))
    if moved != sorted(moved) or copies:
        return False
    s.emit(node, [view.source, node.inputs[1]], [None])
    return True


Rule = Callable[[Sinking, OnnxNode], bool]

_ONE = (
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Clip Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish"
    " Identity IsInf IsNaN LeakyRelu Log Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign"
    " Sqrt Tan Tanh ThresholdedRelu"
)
_SEVERAL = (
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mod"
    " Mul Or PRelu Pow Sub Sum Where Xor"
)
_REDUCTIONS = "ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"

ELEMENTWISE = frozenset((*_ONE.split(), *_SEVERAL.split()))
"""Operators that work element by element, with broadcasting."""

RULES: dict[str, Rule] = {
    **dict.fromkeys(_ONE.split(), _elementwise_one),
    **dict.fromkeys(_SEVERAL.split(), _elementwise),
    **dict.fromkeys(_REDUCTIONS.split(), _reduce),
    "ArgMax": _arg,
    "ArgMin": _arg,
    "Concat": _concat,
    "Gather": _gather,
    "LogSoftmax": _along_axis,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Slice": _slice,
    "Softmax": _along_axis,
    "Split": _along_axis,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Unsqueeze": _unsqueeze,
}


def sink_transposes(graph: OnnxGraph) -> OnnxGraph:
    """The same graph with its transposes as far down as they go."""
    sinking = Sinking(graph)
    sinking.walk(graph.nodes)
    outputs = [sinking.end(name) for name in graph.outputs]
    return OnnxGraph(graph.inputs, outputs, sinking.nodes, graph.constants, graph.known)
