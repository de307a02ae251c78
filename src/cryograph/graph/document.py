"""The document: exactly what a model file says, in memory, writable again.

Formats read and write documents, transforms turn one into another. The public `Model` is a Document with verbs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..base.dtypes import DType
from ..base.errors import GraphError, UnknownNameError, nearest
from ..base.files import Span
from ..base.shapes import Shape, show
from ..base.tensors import Tensor
from ..wire import messages as pb
from .attrs import dtype_of_number, shape_of, shape_proto
from .graph import Graph

Kind = Literal["graph", "meta_graph", "saved_model", "model_dir", "checkpoint", "arrays", "keras", "tfjs"]
"""What a document was read from: a GraphDef, a MetaGraphDef, a SavedModel, an Estimator's directory, weights only, a
file of Keras, a TensorFlow.js graph model."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a model.

    `name` is TensorFlow's name without `:0`; `node` the node that holds it (VariableV2, VarHandleOp ...), or None when
    there is no graph; `key` the name under which checkpoints hold it; `tensor` its value, or None as long as no
    weights are joined; `definition` its VariableDef, when the file has one. A part of a partitioned variable has a
    `slice_spec` as checkpoints write it ("10 20 0,5:-", full shape first) and `key` names the whole.
    """

    name: str
    dtype: DType
    shape: Shape
    key: str
    node: str | None = None
    trainable: bool | None = None
    tensor: Tensor | None = None
    definition: pb.VariableDef | None = None
    slice_spec: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of the value in memory; 0 when the shape is not known or elements are strings."""
        if self.tensor is not None:
            return self.tensor.nbytes
        if self.shape is None or None in self.shape:
            return 0
        count = 1
        for size in self.shape:
            count *= size or 0
        return count * self.dtype.itemsize

    def with_tensor(self, tensor: Tensor | None) -> Variable:
        """The same variable with another value."""
        return dataclasses.replace(self, tensor=tensor)

    def __repr__(self) -> str:
        state = "no value" if self.tensor is None else "with value"
        return f"Variable({self.name!r}, {self.dtype} {show(self.shape)}, {state})"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a signature says of one tensor. `tensor` is its name in the graph (`node:0`).

    `proto` is the TensorInfo itself; sparse and composite tensors have their parts there and an empty `tensor`.
    """

    tensor: str
    dtype: DType
    shape: Shape
    proto: pb.TensorInfo

    @staticmethod
    def of(proto: pb.TensorInfo) -> TensorSpec:
        """What a TensorInfo says."""
        return TensorSpec(proto.name, dtype_of_number(proto.dtype), shape_of(proto.tensor_shape), proto)

    @staticmethod
    def make(tensor: str, dtype: DType, shape: Shape) -> TensorSpec:
        """A new one."""
        proto = pb.TensorInfo(name=tensor, dtype=dtype.number, tensor_shape=shape_proto(shape))
        return TensorSpec(tensor, dtype, shape, proto)


@dataclass(frozen=True, slots=True)
class Signature:
    """A named way to call a model: which tensors go in and come out, by the names that users know.

    `proto` is the SignatureDef, with defaults and every field that has no property here.
    """

    name: str
    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    proto: pb.SignatureDef

    @staticmethod
    def of(name: str, proto: pb.SignatureDef) -> Signature:
        """What a SignatureDef says. Inputs and outputs are in the order of their names, as the file's map has none."""
        inputs = {key: TensorSpec.of(proto.inputs[key]) for key in sorted(proto.inputs)}
        outputs = {key: TensorSpec.of(proto.outputs[key]) for key in sorted(proto.outputs)}
        return Signature(name, proto.method_name, inputs, outputs, proto)

    @staticmethod
    def make(
        name: str,
        inputs: Mapping[str, TensorSpec],
        outputs: Mapping[str, TensorSpec],
        method_name: str = "tensorflow/serving/predict",
    ) -> Signature:
        """A new signature."""
        proto = pb.SignatureDef(method_name=method_name)
        for key, spec in inputs.items():
            proto.inputs[key].CopyFrom(spec.proto)
        for key, spec in outputs.items():
            proto.outputs[key].CopyFrom(spec.proto)
        return Signature(name, method_name, dict(inputs), dict(outputs), proto)


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection of a MetaGraphDef. `kind` is that of the CollectionDef: node_list, bytes_list, int64_list,
    float_list or any_list; empty when nothing is set."""

    name: str
    proto: pb.CollectionDef

    @property
    def kind(self) -> str:
        """Which list it is."""
        return self.proto.WhichOneof("kind") or ""

    @property
    def values(self) -> list[Any]:
        """The items: names of nodes, serialized messages, ints, floats, or Any messages."""
        return list(getattr(self.proto, self.kind).value) if self.kind else []

    @staticmethod
    def make(name: str, kind: str, values: list[Any]) -> Collection:
        """A new collection."""
        proto = pb.CollectionDef()
        getattr(proto, kind).SetInParent()
        getattr(proto, kind).value.extend(values)
        return Collection(name, proto)


@dataclass(slots=True)
class Document:
    """What one model file says, or several that belong together.

    `meta` is the MetaGraphDef without graph, signatures and collections (saver, tags, assets' names, object graph,
    unknown fields); empty for a bare GraphDef. `assets` maps file names below `assets/` to their bytes, `extras` the
    other files of a SavedModel directory by their relative paths. `siblings` are the SavedModel's other MetaGraphs, in
    file order, and `place` is this one's among all; `shell` is the SavedModel without its MetaGraphs (unknown fields).
    `nearby` are files beside the source that would supply what is missing.
    """

    graph: Graph
    kind: Kind
    source: str = ""
    variables: dict[str, Variable] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    meta: pb.MetaGraphDef = field(default_factory=lambda: pb.MetaGraphDef())
    assets: dict[str, Span] = field(default_factory=dict)
    extras: dict[str, Span] = field(default_factory=dict)
    siblings: tuple[Document, ...] = ()
    weights: str = ""
    nearby: tuple[str, ...] = ()
    place: int = 0
    shell: pb.SavedModel | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        """The SavedModel's tag set, in file order."""
        return tuple(self.meta.meta_info_def.tags)

    @property
    def has_graph(self) -> bool:
        """Whether there is anything to run."""
        return len(self.graph) > 0

    def check_graph(self) -> None:
        """GraphError when there are weights only, and nothing to run."""
        if not self.has_graph and self.variables:
            raise GraphError(
                f"{self.source or 'The model'} holds weights only, which cannot be run: open the graph, and join it"
                " with these (weights=, --weights)." + self._beside()
            )

    def _beside(self) -> str:
        return f" Beside it: {', '.join(self.nearby)}." if self.nearby else ""

    @property
    def missing(self) -> list[str]:
        """In words, what the document lacks before it can be run, and which file nearby would supply it."""
        words = []
        beside = self._beside()
        if not self.has_graph:
            words.append(
                f"A graph: {self.source or 'this'} holds weights only; a .meta, .pb, .pbtxt or SavedModel is needed."
                + beside
            )
        empty = [v.name for v in self.variables.values() if v.tensor is None]
        if empty and self.has_graph:
            some = ", ".join(empty[:3]) + (" ..." if len(empty) > 3 else "")
            noun = "1 variable" if len(empty) == 1 else f"{len(empty)} of {len(self.variables)} variables"
            words.append(f"Weights: {noun} without a value ({some}); a checkpoint is needed." + beside)
        return words

    def signature(self, name: str | None = None) -> Signature:
        """The signature of a name; the only one, or `serving_default`, when no name is given."""
        named = {key: s for key, s in self.signatures.items() if key != "__saved_model_init_op"}
        if name is None:
            if len(named) == 1:
                return next(iter(named.values()))
            if "serving_default" in named:
                return named["serving_default"]
            raise UnknownNameError("Which signature?" + nearest("", named))
        if name not in self.signatures:
            raise UnknownNameError(f"The model has no signature {name!r}." + nearest(name, self.signatures))
        return self.signatures[name]

    def variable(self, name: str) -> Variable:
        """The variable of a name (with or without `:0`); UnknownNameError with the nearest names."""
        bare = name.removesuffix(":0")
        if bare not in self.variables:
            raise UnknownNameError(f"The model has no variable {bare!r}." + nearest(bare, self.variables))
        return self.variables[bare]
