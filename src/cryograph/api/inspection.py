"""What a model file is, holds and lacks: a Summary, and its two views, text and JSON."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..base.files import Path, is_dir, is_file, join, list_dir, open_file
from ..base.shapes import Shape, show
from ..base.tensors import Tensor
from ..engines.engines import support
from ..graph.document import Document, Kind, Variable
from ..graph.graph import Graph
from ..ops.care import CARE, needing_care
from ..ops.ranking import Candidate, rank_inputs, rank_outputs
from ..ops.signatures import signature
from .model import load

KINDS: dict[Kind, str] = {
    "graph": "a GraphDef: a graph as TensorFlow's write_graph and freeze_graph write it",
    "meta_graph": "a MetaGraphDef (.meta): a graph with its collections, as a Saver writes it",
    "saved_model": "a SavedModel",
    "model_dir": "a model directory, as Estimators write it",
    "checkpoint": "a checkpoint: weights by name, without a graph",
    "arrays": "a file of arrays: weights by name, without a graph",
    "keras": "a Keras file: layers and their weights",
    "tfjs": "a TensorFlow.js graph model: a graph in JSON, its weights in shards beside it",
}

BUILT_IN = frozenset(
    {
        *("Const", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "NoOp", "Identity", "IdentityN"),
        *("Variable", "VariableV2", "VarHandleOp", "ReadVariableOp", "ResourceGather", "VariableShape", "Assign"),
        *("AssignVariableOp", "PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "Case"),
        *("StatelessWhile", "StatelessCase", "Switch", "Merge", "RefSwitch", "RefMerge", "Enter", "Exit", "LoopCond"),
        *("NextIteration", "HashTable", "HashTableV2", "InitializeTable", "InitializeTableV2", "LookupTableImportV2"),
        *("InitializeTableFromTextFile", "InitializeTableFromTextFileV2", "VarIsInitializedOp"),
        "IsVariableInitialized",
    }
)
"""Ops that are resolved before an engine sees anything."""

LIKELY = 8
"""Candidates that are shown."""


@dataclass(frozen=True, slots=True)
class TensorSummary:
    """One input or output. `reason` says why it is thought to be one."""

    name: str
    tensor: str
    dtype: str
    shape: Shape
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SignatureSummary:
    """One signature, with its inputs and outputs."""

    name: str
    method: str
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]


@dataclass(frozen=True, slots=True)
class VariableSummary:
    """One variable. `nbytes` is the size of its value in bytes; `has_value` whether the value is at hand."""

    name: str
    key: str
    dtype: str
    shape: Shape
    nbytes: int
    trainable: bool | None
    has_value: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a model file is, holds and lacks. `str(summary)` is the text that users read, `to_json()` the same for
    programs.

    Sizes are in bytes. `ops` counts the nodes of each op, functions included; `engines` tells for each op that is not
    run by the fast engine which one runs it ("numpy" or "none"); `care` names ops that reach outside of the model.
    """

    path: str
    kind: Kind
    description: str
    nbytes: int
    producer: int
    tags: tuple[str, ...]
    tag_sets: tuple[tuple[str, ...], ...]
    nodes: int
    functions: int
    complete: bool
    missing: tuple[str, ...]
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    signatures: tuple[SignatureSummary, ...]
    variables: tuple[VariableSummary, ...]
    constant_bytes: int
    ops: Mapping[str, int]
    unknown_ops: tuple[str, ...]
    engines: Mapping[str, str]
    care: Mapping[str, tuple[str, ...]]
    assets: tuple[str, ...]
    collections: Mapping[str, int]

    def to_json(self) -> str:
        """The summary as JSON; shapes are lists with null for an unknown size, or null without a rank."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    def __str__(self) -> str:
        return "\n".join(_text(self))


def inspect(path: Path, weights: Path | None = None) -> Summary:
    """What a model file is, holds and lacks; see Summary. Reads no weights."""
    return summarize(load(path, weights), os.fspath(path))


def summarize(document: Document, path: str = "") -> Summary:
    """The summary of a document."""
    graph = document.graph
    ops = Counter(node.op for body in graph.bodies() for node in body)
    known_functions = graph.functions.keys()
    judged = set(ops) - known_functions - BUILT_IN
    engines = {op: engine for op, engine in support(judged).items() if engine != "onnxruntime"}
    return Summary(
        path=path or document.source,
        kind=document.kind,
        description=describe(document),
        nbytes=size_on_disk(path or document.source),
        producer=graph.producer,
        tags=document.tags,
        tag_sets=tuple(d.tags for d in (document, *document.siblings)) if document.kind == "saved_model" else (),
        nodes=len(graph),
        functions=len(graph.functions),
        complete=not document.missing,
        missing=tuple(document.missing),
        inputs=tuple(_candidate(c) for c in rank_inputs(document) if c.score > 0),
        outputs=tuple(_candidate(c) for c in rank_outputs(document) if c.score > 0),
        signatures=tuple(_signature(document, name) for name in document.signatures),
        variables=tuple(_variable(v) for v in document.variables.values()),
        constant_bytes=constant_bytes(graph),
        ops=dict(ops.most_common()),
        unknown_ops=tuple(sorted(op for op in ops if signature(op) is None and op not in known_functions)),
        engines=engines,
        care={op: tuple(names) for op, names in needing_care(graph.bodies()).items()},
        assets=tuple(document.assets),
        collections={name: len(c.values) for name, c in document.collections.items()},
    )


def describe(document: Document) -> str:
    """In words, what kind of file a document came from."""
    if document.kind == "graph":
        if document.variables:
            return f"{KINDS['graph']}; its weights are in a checkpoint"
        if constant_bytes(document.graph):
            return "a frozen graph: a GraphDef that holds its weights as constants"
    if document.kind == "saved_model":
        age = "TF2, with functions" if document.meta.HasField("object_graph_def") else "TF1"
        return f"{KINDS['saved_model']} ({age})"
    return KINDS[document.kind]


def constant_bytes(graph: Graph) -> int:
    """Bytes of all constants, those in functions included."""
    total = 0
    for body in graph.bodies():
        for node in body:
            if node.op == "Const":
                value = node.attr("value")
                total += value.nbytes if isinstance(value, Tensor) else 0
    return total


def size_on_disk(path: str) -> int:
    """Bytes of a file, or of all files below a directory; 0 for a prefix that is neither."""
    if not path:
        return 0
    if is_file(path):
        return open_file(path).size
    if is_dir(path):
        return sum(size_on_disk(join(path, name)) for name in list_dir(path))
    return 0


def _candidate(candidate: Candidate) -> TensorSummary:
    dtype = "" if candidate.dtype is None else candidate.dtype.name
    return TensorSummary(candidate.tensor, candidate.tensor, dtype, candidate.shape, candidate.reason)


def _signature(document: Document, name: str) -> SignatureSummary:
    found = document.signatures[name]

    def tensors(specs: Mapping[str, Any]) -> tuple[TensorSummary, ...]:
        return tuple(TensorSummary(key, s.tensor, s.dtype.name, s.shape) for key, s in specs.items())

    return SignatureSummary(name, found.method_name, tensors(found.inputs), tensors(found.outputs))


def _variable(variable: Variable) -> VariableSummary:
    shape = variable.tensor.shape if variable.tensor is not None else variable.shape
    has_value = variable.tensor is not None
    return VariableSummary(
        variable.name, variable.key, variable.dtype.name, shape, variable.nbytes, variable.trainable, has_value
    )


def human(nbytes: int) -> str:
    """A size as people read it: `95.6 MB`."""
    size = float(nbytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{int(size)} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{nbytes} bytes"


def _text(s: Summary) -> list[str]:
    size = f", {human(s.nbytes)}" if s.nbytes else ""
    lines = [f"{s.path}: {s.description}{size}"]
    if s.nodes:
        written = f", written by GraphDef version {s.producer}" if s.producer else ""
        functions = f" and {s.functions} functions" if s.functions else ""
        lines.append(f"  graph      {s.nodes} nodes{functions}{written}")
    if s.tag_sets:
        lines.append("  tags       " + " | ".join(", ".join(tags) or "(none)" for tags in s.tag_sets))
    if s.variables:
        total = human(sum(v.nbytes for v in s.variables))
        lacking = sum(not v.has_value for v in s.variables)
        state = "all with values" if not lacking else f"{lacking} without a value"
        lines.append(f"  variables  {len(s.variables)}, {total}, {state}")
    if s.constant_bytes:
        lines.append(f"  constants  {human(s.constant_bytes)}")
    if s.assets:
        lines.append(f"  assets     {', '.join(s.assets)}")
    lines.append(
        "  complete   yes: it can be run as it is"
        if s.complete
        else "  lacks      " + "\n             ".join(s.missing)
    )
    if s.signatures:
        lines += ["", "Signatures"]
        for found in s.signatures:
            lines.append(f"  {found.name}  ({found.method})" if found.method else f"  {found.name}")
            lines += [f"    in   {_tensor(t)}" for t in found.inputs]
            lines += [f"    out  {_tensor(t)}" for t in found.outputs]
    lines += _ranked("Likely inputs", s.inputs) + _ranked("Likely outputs", s.outputs)
    if s.variables:
        lines += ["", "Variables", *_variables(s.variables)]
    if s.ops:
        lines += ["", "Ops", *_wrapped([f"{op} {count}" for op, count in s.ops.items()])]
    if s.unknown_ops:
        lines += ["", "Ops that TensorFlow 2.21 does not have: " + ", ".join(s.unknown_ops)]
    slow = [op for op, engine in s.engines.items() if engine == "numpy"]
    none = [op for op, engine in s.engines.items() if engine == "none" and op not in s.unknown_ops]
    if s.ops:
        lines += ["", "Engines", f"  onnxruntime runs {sum(s.ops.values()) - sum(s.ops[op] for op in s.engines)} nodes"]
        if slow:
            lines += ["  numpy runs:", *_wrapped(slow, 4)]
        if none:
            lines += ["  none runs (matters only where an output needs them):", *_wrapped(none, 4)]
    if s.care:
        lines += ["", "Ops that need care (they do not run unless granted)"]
        lines += [f"  {op}: {CARE[op]} ({len(names)})" for op, names in s.care.items()]
    return lines


def _tensor(t: TensorSummary) -> str:
    where = f"  = {t.tensor}" if t.tensor and t.tensor != t.name else ""
    return f"{t.name}: {t.dtype} {show(t.shape)}{where}"


def _ranked(title: str, tensors: tuple[TensorSummary, ...]) -> list[str]:
    if not tensors:
        return []
    lines = ["", title]
    for t in tensors[:LIKELY]:
        known = f" {show(t.shape)}" if t.shape is not None else ""
        lines.append(f"  {t.tensor}  {t.dtype}{known}  {t.reason}")
    if len(tensors) > LIKELY:
        lines.append(f"  ... and {len(tensors) - LIKELY} more")
    return lines


SHOWN_VARIABLES = 40


def _variables(variables: tuple[VariableSummary, ...]) -> list[str]:
    width = max(len(v.name) for v in variables[:SHOWN_VARIABLES])
    lines = [
        f"  {v.name:<{width}}  {v.dtype} {show(v.shape)}  {human(v.nbytes)}{'' if v.has_value else '  (no value)'}"
        for v in variables[:SHOWN_VARIABLES]
    ]
    if len(variables) > SHOWN_VARIABLES:
        lines.append(f"  ... and {len(variables) - SHOWN_VARIABLES} more; --json lists all")
    return lines


def _wrapped(words: list[str], indent: int = 2, width: int = 100) -> list[str]:
    lines, line = [], " " * indent
    for word in words:
        if len(line) + len(word) + 2 > width and line.strip():
            lines.append(line.rstrip())
            line = " " * indent
        line += word + ", "
    return [*lines, line.rstrip().rstrip(",")]
