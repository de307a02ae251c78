"""How steps on complex numbers are lowered, which are pairs of floats in ONNX: by which rule, and of what.

1. What only hands values on is lowered as ever, and so is what knows of pairs itself (`WHOLE`).
2. What moves elements, adds them or sums them up is the same on pairs, once the axes, sizes and positions that it is
   given leave out the last dimension (`MOVED`).
3. Mathematics has formulas in the two parts (`complexes.FORMULAS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...program.program import Step
from ...program.scans import SCAN
from .builder import Builder, Lowering
from .complexes import FORMULAS, whole_of
from .values import PARTS, Refusal, Value, pairs

Moved = tuple[Sequence[Value], dict[str, Any]]
"""Inputs and attributes for pairs."""

Move = Callable[[Builder, Sequence[Value], dict[str, Any]], Moved]


def _as_pairs(inputs: Sequence[Value]) -> list[Value]:
    return [pairs(x) for x in inputs]


def _plain(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
    return _as_pairs(inputs), attrs


def _one(inputs: Sequence[Value]) -> Value:
    """The first input that holds complex numbers."""
    return next(x for x in inputs if x.dtype in PARTS)


def _axes_at(place: int, more: int = 0) -> Move:
    """Axes in an input, counted from the front."""

    def move(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
        made = _as_pairs(inputs)
        axis = inputs[place]
        found = g.axes(axis, _one(inputs).rank + more)
        made[place] = g.const(np.reshape(found, axis.shape or ()), axis.dtype)
        return made, attrs

    return move


def _axis_attr(name: str, more: int = 0) -> Move:
    def move(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
        given = attrs.get(name, [] if name == "squeeze_dims" else 0)
        rank = _one(inputs).rank + more
        changed = [axis % rank for axis in given] if isinstance(given, list | tuple) else given % rank
        return _as_pairs(inputs), {**attrs, name: changed}

    return move


def _grown(**items: int) -> Move:
    """Vectors in the inputs `at_<n>` get one more item, for the last dimension."""
    added = {int(name.removeprefix("at_")): item for name, item in items.items()}

    def move(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
        made = _as_pairs(inputs)
        for place, item in added.items():
            vector = inputs[place]
            length = vector.size(0)
            shape = (None if length is None else length + 1,)
            made[place] = g.concat([vector, g.const([item], vector.dtype)], 0, shape)
        return made, attrs

    return move


def _transposed(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
    rank = inputs[0].rank
    order = [*g.axes(inputs[1], rank, "perm"), rank]
    return [pairs(inputs[0]), g.const(order, inputs[1].dtype)], attrs


def _padded(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
    widths = inputs[1]
    none = g.const([[0, 0]], widths.dtype)
    return [pairs(inputs[0]), g.concat([widths, none], 0, (inputs[0].rank + 1, 2))], attrs


def _chosen(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
    """A condition has no pairs; one for each row, as the first version of Select takes, is left to the rule."""
    condition = inputs[0]
    if condition.rank and condition.rank >= inputs[1].rank:
        condition = g.unsqueeze(condition, [condition.rank])
    return [condition, *_as_pairs(inputs[1:])], attrs


def _chosen_v2(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
    condition = inputs[0]
    return [g.unsqueeze(condition, [condition.rank]), *_as_pairs(inputs[1:])], attrs


def _sliced(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
    """Behind an ellipsis the last dimension must be named."""
    x, *vectors = inputs
    if not attrs.get("ellipsis_mask"):
        return [pairs(x), *vectors], attrs
    count = len(g.fixed(vectors[2], "strides"))
    grown = [
        g.concat([v, g.const([item], v.dtype)], 0, (count + 1,)) for v, item in zip(vectors, (0, 0, 1), strict=True)
    ]
    masks = {name: attrs.get(name, 0) | 1 << count for name in ("begin_mask", "end_mask")}
    return [pairs(x), *grown], {**attrs, **masks}


def _last_axis(g: Builder, inputs: Sequence[Value], attrs: dict[str, Any]) -> Moved:
    """The axis is the last input."""
    return _axes_at(len(inputs) - 1)(g, inputs, attrs)


def rule_for(op: str, rule: Lowering) -> Lowering:
    """The lowering of an op some of whose values are complex."""
    own = FORMULAS.get(op)
    if own is None and op not in MOVED and op not in WHOLE:
        raise Refusal(f"{op} of complex numbers has no lowering to ONNX")
    return own or rule


def lower(g: Builder, step: Step, rule: Lowering, inputs: Sequence[Value], attrs: dict[str, Any]) -> Any:
    """What `rule_for` gave, applied."""
    move = MOVED.get(step.op) if step.op not in FORMULAS else None
    if move is None:
        return rule(g, step, *inputs, **attrs)
    moved, changed = move(g, inputs, attrs)
    g.shapes = [None if shape is None else (*shape, 2) for shape in g.shapes]
    made = rule(g, step, *moved, **changed)
    if isinstance(made, Value):
        return whole_of(made)
    return [None if value is None else whole_of(value) for value in made]


WHOLE = frozenset(
    {
        *("Case", "EnsureShape", "GuaranteeConst", "Identity", "IdentityN", "If", "NoOp", "PlaceholderWithDefault"),
        *("PreventGradient", "Rank", "Size", "Snapshot", "StatelessCase", "StatelessIf", "StatelessWhile"),
        *("StopGradient", "While"),
        *(SCAN, "Shape", "ShapeN"),
        *("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "MatMul"),
        *(f"{way}FFT{form}" for way in ("", "Batch", "BatchI", "I", "IR", "R") for form in ("", "2D", "3D")),
        *(f"{way}FFTND" for way in ("", "I", "IR", "R")),
    }
)
"""1. Ops that hand values on or ask for their shapes, and those whose lowerings know of pairs."""

MOVED: Mapping[str, Move] = {
    "AccumulateNV2": _plain,
    "Add": _plain,
    "AddN": _plain,
    "AddV2": _plain,
    "BroadcastTo": _grown(at_1=2),
    "Concat": _axes_at(0),
    "ConcatV2": _last_axis,
    "Cumsum": _axes_at(1),
    "ExpandDims": _axes_at(1, 1),
    "Fill": _grown(at_0=2),
    "Gather": _plain,
    "GatherNd": _plain,
    "GatherV2": _axes_at(2),
    "Mean": _axes_at(1),
    "MirrorPad": _padded,
    "Neg": _plain,
    "Pack": _axis_attr("axis", 1),
    "Pad": _padded,
    "Reshape": _grown(at_1=2),
    "ReverseV2": _axes_at(1),
    "Roll": _axes_at(2),
    "ScatterNd": _grown(at_2=2),
    "Select": _chosen,
    "SelectV2": _chosen_v2,
    "Slice": _grown(at_1=0, at_2=2),
    "Split": _axes_at(0),
    "SplitV": _axes_at(2),
    "Squeeze": _axis_attr("squeeze_dims"),
    "StridedSlice": _sliced,
    "Sub": _plain,
    "Sum": _axes_at(1),
    "TensorScatterAdd": _plain,
    "TensorScatterSub": _plain,
    "TensorScatterUpdate": _plain,
    "Tile": _grown(at_1=1),
    "Transpose": _transposed,
    "Unpack": _axis_attr("axis"),
    "ZerosLike": _plain,
}
