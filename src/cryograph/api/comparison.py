"""How two models or checkpoints differ: nodes, attributes, functions, signatures, variables and their numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base.errors import InputError
from ..base.shapes import show
from ..base.tensors import Tensor
from ..graph.document import Document
from ..graph.graph import Body
from ..graph.node import Node


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """Two tensors of one name that differ. `largest` is the largest absolute difference, `at` its index, `relative` the
    same divided by the largest magnitude; all None where shapes or dtypes differ or elements are strings."""

    name: str
    first: str
    second: str
    largest: float | None
    relative: float | None
    at: tuple[int, ...] | None
    count: int

    def __str__(self) -> str:
        if self.largest is None:
            return f"{self.name}: {self.first} | {self.second}"
        return f"{self.name}: {self.count} elements differ, by at most {self.largest:.6g} at {list(self.at or ())}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What two models do not share. `nodes_changed` maps nodes to what differs in them, in words."""

    nodes_only_first: tuple[str, ...]
    nodes_only_second: tuple[str, ...]
    nodes_changed: Mapping[str, tuple[str, ...]]
    functions_only_first: tuple[str, ...]
    functions_only_second: tuple[str, ...]
    signatures_changed: tuple[str, ...]
    variables_only_first: tuple[str, ...]
    variables_only_second: tuple[str, ...]
    values: tuple[ValueDifference, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not any(getattr(self, f.name) for f in dataclasses.fields(self))

    def to_json(self) -> str:
        """The difference as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    def __str__(self) -> str:
        lines: list[str] = []
        for title, names in (
            ("Nodes only in the first", self.nodes_only_first),
            ("Nodes only in the second", self.nodes_only_second),
            ("Functions only in the first", self.functions_only_first),
            ("Functions only in the second", self.functions_only_second),
            ("Signatures that differ", self.signatures_changed),
            ("Variables only in the first", self.variables_only_first),
            ("Variables only in the second", self.variables_only_second),
        ):
            if names:
                lines += [f"{title} ({len(names)})", *(f"  {name}" for name in names[:SHOWN]), *_more(names)]
        if self.nodes_changed:
            lines.append(f"Nodes that differ ({len(self.nodes_changed)})")
            for name, words in list(self.nodes_changed.items())[:SHOWN]:
                lines += [f"  {name}: {word}" for word in words]
            lines += _more(tuple(self.nodes_changed))
        if self.values:
            lines.append(f"Values that differ ({len(self.values)})")
            lines += [f"  {value}" for value in self.values[:SHOWN]]
            lines += _more(tuple(v.name for v in self.values))
        return "\n".join(lines) or "No difference."


SHOWN = 20


def _more(names: tuple[str, ...]) -> list[str]:
    return [f"  ... and {len(names) - SHOWN} more"] if len(names) > SHOWN else []


def diff(first: Document, second: Document, tolerance: float = 0.0) -> Difference:
    """What differs between two models or checkpoints. Numbers that differ by at most `tolerance` count as equal;
    InputError for a tolerance that is no number from 0 on."""
    if not tolerance >= 0:  # so that it holds for nan, too
        raise InputError(f"The tolerance is {tolerance:g}; a number from 0 on was expected.")
    changed: dict[str, tuple[str, ...]] = {}
    values: list[ValueDifference] = []
    _compare_bodies("", first.graph, second.graph, changed, values, tolerance)
    functions = (first.graph.functions, second.graph.functions)
    for name in functions[0]:
        if name in functions[1]:
            _compare_bodies(f"{name}/", functions[0][name], functions[1][name], changed, values, tolerance)
    for name, variable in first.variables.items():
        other = second.variables.get(name)
        if other is None:
            continue
        if variable.tensor is not None and other.tensor is not None:
            values += compare_values(name, variable.tensor, other.tensor, tolerance)
        elif (variable.dtype, variable.shape) != (other.dtype, other.shape):
            ours, theirs = (f"{v.dtype} {show(v.shape)}" for v in (variable, other))
            values.append(ValueDifference(name, ours, theirs, None, None, None, 0))
    values.sort(key=lambda v: -(v.relative if v.relative is not None else float("inf")))
    return Difference(
        *_only(first.graph.nodes, second.graph.nodes),
        changed,
        *_only(*functions),
        tuple(
            sorted(
                name
                for name in {*first.signatures, *second.signatures}
                if _signature(first, name) != _signature(second, name)
            )
        ),
        *_only(first.variables, second.variables),
        tuple(values),
    )


def _only(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(n for n in first if n not in second), tuple(n for n in second if n not in first)


def _signature(document: Document, name: str) -> Any:
    found = document.signatures.get(name)
    return None if found is None else found.proto


def _compare_bodies(
    scope: str,
    first: Body,
    second: Body,
    changed: dict[str, tuple[str, ...]],
    values: list[ValueDifference],
    tolerance: float,
) -> None:
    for name, node in first.nodes.items():
        other = second.nodes.get(name)
        if other is None:
            continue
        words = _node_words(node, other)
        if node.op == other.op == "Const":
            ours, theirs = node.attr("value"), other.attr("value")
            if isinstance(ours, Tensor) and isinstance(theirs, Tensor):
                values += compare_values(scope + name, ours, theirs, tolerance)
        if words:
            changed[scope + name] = tuple(words)
    if scope:  # a graph's own nodes are listed by name; a function's are told here
        for name in [*(n for n in first.nodes if n not in second), *(n for n in second.nodes if n not in first)]:
            changed[scope + name] = ("only in the first" if name in first else "only in the second",)


def _node_words(node: Node, other: Node) -> list[str]:
    words = []
    if node.op != other.op:
        words.append(f"op {node.op} | {other.op}")
    if node.inputs != other.inputs:
        words.append(f"inputs ({', '.join(node.inputs)}) | ({', '.join(other.inputs)})")
    if node.device != other.device:
        words.append(f"device {node.device!r} | {other.device!r}")
    for attr in sorted({*node.proto.attr, *other.proto.attr}):
        ours, theirs = node.attrs.raw(attr), other.attrs.raw(attr)
        if ours == theirs or (attr == "value" and node.op == other.op == "Const"):
            continue
        shown = [repr(n.attrs[attr]) if attr in n.proto.attr else "absent" for n in (node, other)]
        if shown[0] != shown[1] or ours is None or theirs is None:
            words.append(f"attribute {attr}: {shown[0][:80]} | {shown[1][:80]}")
    return words


def compare_values(name: str, first: Tensor, second: Tensor, tolerance: float) -> list[ValueDifference]:
    """The difference of two tensors, as a list of none or one."""
    ours, theirs = (f"{t.dtype} {show(t.shape)}" for t in (first, second))
    if ours != theirs:
        return [ValueDifference(name, ours, theirs, None, None, None, 0)]
    if first.dtype.numpy is None:
        return []
    a, b = first.numpy(), second.numpy()
    if first.dtype.is_string:
        unequal = np.array(a != b, dtype=bool)
        count = int(unequal.sum())
        return [ValueDifference(name, ours, theirs, None, None, None, count)] if count else []
    if a.size == 0 or np.array_equal(a.view(np.uint8) if a.ndim else a, b.view(np.uint8) if b.ndim else b):
        return []
    wide = np.complex128 if first.dtype.is_complex else np.float64
    left, right = a.astype(wide), b.astype(wide)
    gap = np.abs(left - right)
    gap = np.where(np.isnan(left) & np.isnan(right), 0.0, np.where(np.isnan(gap), np.inf, gap))
    largest = float(gap.max())
    if largest <= tolerance:
        return []
    finite = np.abs(np.concatenate([left.ravel(), right.ravel()]))
    scale = float(finite[np.isfinite(finite)].max(initial=0.0))
    at = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
    count = int((gap > tolerance).sum())
    return [ValueDifference(name, ours, theirs, largest, largest / scale if scale else largest, at, count)]
