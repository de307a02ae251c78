"""Joins a graph with a checkpoint: every variable finds its value, and a report says what was found and what not."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..base.errors import GraphError, InputError, MissingWeightsError
from ..base.shapes import Shape, compatible, show
from ..base.tensors import Array, Tensor
from ..graph.calls import find_ops
from ..graph.document import Document, Variable
from ..graph.graph import Graph
from ..wire import messages as pb

VARIABLE_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
"""The end of a checkpoint's key for the value of a TF2 variable."""

ASSIGNMENTS = frozenset({"Assign", "AssignVariableOp"})

SOME = 8
"""Names shown in a sentence before `...`."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A variable whose value in the checkpoint has another shape or dtype."""

    name: str
    key: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.name} is {self.expected}, but {self.key} in the checkpoint is {self.found}"


@dataclass(frozen=True, slots=True)
class JoinReport:
    """What joining did: `restored` maps variables to checkpoint keys, `missing` are variables without a value,
    `extra` keys that no variable took, `mismatched` values that do not fit."""

    restored: Mapping[str, str]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    mismatched: tuple[Mismatch, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.restored)} variables restored"]
        if self.missing:
            lines.append(f"{len(self.missing)} without a value: {some(self.missing)}")
        if self.mismatched:
            lines.append(f"{len(self.mismatched)} that do not fit: {'; '.join(map(str, self.mismatched[:SOME]))}")
        if self.extra:
            lines.append(f"{len(self.extra)} values in the checkpoint that no variable takes: {some(self.extra)}")
        return "\n".join(lines)


def some(names: Iterable[str]) -> str:
    """The first few names of many."""
    listed = list(names)
    return ", ".join(listed[:SOME]) + (f" ... ({len(listed)})" if len(listed) > SOME else "")


def join(
    document: Document,
    checkpoint: Mapping[str, Tensor],
    *,
    source: str = "",
    name_map: Mapping[str, str] | None = None,
    include: Iterable[str] = ("*",),
    object_graph: pb.TrackableObjectGraph | None = None,
    partial: bool = True,
) -> tuple[Document, JoinReport]:
    """The document with values for its variables, and a report.

    A variable's value is looked for, in this order:
    1. under the key that `name_map` gives (variable name -> checkpoint key; a `*` in both stands for the same text);
    2. under the key that the graph's own restore ops use for it, as TensorFlow's Saver would;
    3. under its VariableDef's or its own name; a part of a partitioned variable is cut out of the whole;
    4. through the object graph of a TF2 checkpoint, by the variable's full name;
    5. without the leading scopes that the whole graph was imported under.

    `include` are globs over variable names; others keep what they have. MissingWeightsError when `partial` is False and
    a variable finds nothing; InputError when nothing at all fits, or when values of other shapes are found.
    """
    patterns = list(include)
    lookups = _Lookups(document, checkpoint, name_map or {}, object_graph)
    variables: dict[str, Variable] = {}
    restored: dict[str, str] = {}
    missing: list[str] = []
    mismatched: list[Mismatch] = []
    for name, variable in document.variables.items():
        variables[name] = variable
        if not variable.key:  # the path of an asset, which no checkpoint holds
            continue
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            continue
        key = lookups.key(variable)
        if key is None:
            if variable.tensor is None:
                missing.append(name)
            continue
        tensor, shape = checkpoint[key], variable.shape
        if variable.slice_spec and key == variable.key and not _fits(tensor, variable.dtype.name, shape):
            tensor = take_slice(tensor, variable.slice_spec, name)
        if not _fits(tensor, variable.dtype.name, shape):
            found = f"{tensor.dtype} {show(tensor.shape)}"
            mismatched.append(Mismatch(name, key, f"{variable.dtype} {show(shape)}", found))
            continue
        variables[name] = dataclasses.replace(variable, tensor=tensor, key=key)
        restored[name] = key
    taken = set(restored.values())
    extra = tuple(key for key in checkpoint if key not in taken and not key.startswith("_CHECKPOINTABLE_OBJECT"))
    report = JoinReport(restored, tuple(missing), extra, tuple(mismatched))
    if mismatched:
        raise InputError(
            f"The weights of {source or 'the checkpoint'} are not those of this graph: "
            f"{'; '.join(map(str, mismatched[:SOME]))}. Leave them out with include=, or map names with name_map=."
        )
    if missing and not partial:
        raise MissingWeightsError(f"{source or 'The checkpoint'} has no values for {some(missing)}.")
    if not restored and document.variables and len(checkpoint):
        raise InputError(
            f"None of the {len(document.variables)} variables of the graph ({some(document.variables)}) is in "
            f"{source or 'the checkpoint'} ({some(checkpoint)}). It belongs to another graph, or needs a name_map."
        )
    joined = dataclasses.replace(document, variables=variables, weights=source or document.weights)
    return joined, report


def _fits(tensor: Tensor, dtype: str, shape: Shape) -> bool:
    return tensor.dtype.name == dtype and compatible(tensor.shape, shape)


class _Lookups:
    """The ways from a variable to a key, in order."""

    def __init__(
        self,
        document: Document,
        checkpoint: Mapping[str, Tensor],
        name_map: Mapping[str, str],
        object_graph: pb.TrackableObjectGraph | None,
    ) -> None:
        self._checkpoint = checkpoint
        self._map = name_map
        self._restore = restore_keys(document.graph)
        self._full_names = full_names(object_graph) if object_graph is not None else {}
        self._scope = ""
        names = [v.key for v in document.variables.values() if v.node is not None]
        if names and not any(name in checkpoint for name in names):
            self._scope = _common_scope(names, checkpoint)

    def key(self, variable: Variable) -> str | None:
        """The checkpoint's key for a variable, or None."""
        mapped = self._mapped(variable.name)
        if mapped is not None:
            if mapped not in self._checkpoint:
                raise InputError(f"name_map sends {variable.name!r} to {mapped!r}, which the checkpoint does not hold.")
            return mapped
        choices = [
            self._restore.get(variable.node or ""),
            variable.key,
            variable.name,
            self._full_names.get(variable.name),
            variable.name + VARIABLE_VALUE,
            variable.key.removeprefix(self._scope) if self._scope else None,
        ]
        return next((choice for choice in choices if choice is not None and choice in self._checkpoint), None)

    def _mapped(self, name: str) -> str | None:
        if name in self._map:
            return self._map[name]
        for pattern, target in self._map.items():
            if pattern.count("*") == 1:
                head, tail = pattern.split("*")
                if name.startswith(head) and name.endswith(tail) and len(name) >= len(head) + len(tail):
                    return target.replace("*", name[len(head) : len(name) - len(tail)], 1)
        return None


def _common_scope(names: list[str], checkpoint: Mapping[str, Tensor]) -> str:
    """The leading scopes under which the graph was imported: without them, most names are keys."""
    parts = names[0].split("/")
    for count in range(1, len(parts)):
        scope = "/".join(parts[:count]) + "/"
        if parts and "/".join(parts[count:]) in checkpoint and all(n.startswith(scope) for n in names):
            return scope
    return ""


def full_names(object_graph: pb.TrackableObjectGraph) -> dict[str, str]:
    """For each variable's full name in an object graph: the key of its value."""
    found: dict[str, str] = {}
    for entry in object_graph.nodes:
        for attribute in entry.attributes:
            if attribute.name == "VARIABLE_VALUE" and attribute.full_name:
                found.setdefault(attribute.full_name, attribute.checkpoint_key)
    return found


def restore_keys(graph: Graph) -> dict[str, str]:
    """For each variable's node: the key under which the graph's own restore ops read it (also inside functions, as TF2
    writes them), where they say one only."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    names: dict[int, list[bytes]] = {}
    for node, _, place in find_ops(graph, ASSIGNMENTS):
        if len(node.data_inputs) < 2:
            continue
        target, value = (place.source(port) for port in node.data_inputs[:2])
        if target is None or value is None or value[0].op != "RestoreV2":
            continue
        restore, port = value
        if id(restore) not in names:
            keys = place.constant(restore.data_inputs[1]) if len(restore.data_inputs) > 1 else None
            names[id(restore)] = [] if keys is None else [bytes(item) for item in keys.numpy().reshape(-1)]
        if port.index >= len(names[id(restore)]):
            continue
        key = names[id(restore)][port.index].decode("utf-8", "replace")
        if found.setdefault(target[0].name, key) != key:
            twice.add(target[0].name)
    return {node: key for node, key in found.items() if node not in twice}


def take_slice(whole: Tensor, spec: str, name: str) -> Tensor:
    """The part of a partitioned variable that `spec` tells ("10 20 0,5:-"), made when its values are asked for."""
    parts = spec.split(" ")[-1].split(":")
    if len(parts) != len(whole.shape):
        raise GraphError(f"{name} is the slice {spec!r} of a tensor that has the shape {show(whole.shape)}.")
    ranges: list[tuple[int, int]] = []
    for part, size in zip(parts, whole.shape, strict=True):
        start, _, length = part.partition(",")
        ranges.append((0, size) if part == "-" else (int(start), int(length)))
    if any(
        start < 0 or length < 0 or start + length > size
        for (start, length), size in zip(ranges, whole.shape, strict=True)
    ):
        raise GraphError(f"{name} is the slice {spec!r}, which sticks out of a tensor of shape {show(whole.shape)}.")
    cut = tuple(slice(start, start + length) for start, length in ranges)

    def make() -> Array:
        return whole.numpy()[cut]

    return Tensor.lazy(whole.dtype, tuple(length for _, length in ranges), make)
