"""The public Model: a document with verbs on it. Each verb is a few lines over the floors below."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..base.errors import GraphError, InputError, UnsupportedError
from ..base.feeding import Slot
from ..base.files import Path
from ..engines.engines import fold, prepare, write_onnx
from ..formats.checkpoint import Checkpoint
from ..formats.load import load_document, open_weights
from ..formats.save import format_of, save_document
from ..grants.grants import granted_rules
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.node import tensor_name
from ..ops.ranking import one_choice, rank_outputs
from ..program.build import build_program
from ..program.dropout import without_dropout
from ..program.program import Program
from ..train.gradient import Gradient
from ..train.session import Session
from ..transforms.extract import extract
from ..transforms.freeze import freeze
from ..transforms.import_graph import import_graph as import_graph_into
from ..transforms.join import JoinReport, join
from ..transforms.reshape import reshape
from ..transforms.sign import with_signature
from ..transforms.strip import remove_device, rename, sort_by_execution_order, strip_default_attrs
from ..transforms.strip_training import strip_training
from ..transforms.unfreeze import Chooser, unfreeze
from .predictor import Predictor, from_the_start


class Model(Document):
    """A model file in memory: exactly what it says, and what can be done with it. `load` makes one.

    Verbs give a new Model and leave this one as it is; weights are shared, never copied.
    """

    __slots__ = ()

    @staticmethod
    def of(document: Document) -> Model:
        """The Model of a document."""
        if isinstance(document, Model):
            return document
        return Model(**{f.name: getattr(document, f.name) for f in dataclasses.fields(document)})

    def join(
        self,
        weights: Path | Checkpoint,
        *,
        name_map: Mapping[str, str] | None = None,
        include: Iterable[str] = ("*",),
        partial: bool = True,
    ) -> tuple[Model, JoinReport]:
        """This model with the values of a checkpoint, or of a `.npz` or `.safetensors` file, and a report of restored,
        missing and extra names.

        `name_map` maps variables to checkpoint keys (`{"conv/*": "old/conv/*"}`), `include` are globs of variables to
        restore. InputError when values do not fit; MissingWeightsError when `partial` is False and some are missing.
        """
        values, source, objects = open_weights(weights)
        joined, report = join(
            self, values, source=source, name_map=name_map, include=include, object_graph=objects, partial=partial
        )
        return Model.of(joined), report

    def freeze(self, outputs: Sequence[str] | str | None = None) -> Model:
        """This model as one graph in which variables and table contents are constants, cut down to `outputs`.

        Without `outputs`, those of the only signature (or `serving_default`), else the one that stands out among the
        likely ones; InputError lists the choices where none does. MissingWeightsError when values are missing.
        """
        return Model.of(freeze(self, self._output_tensors(outputs)))

    def unfreeze(self, names: Iterable[str] | Chooser | None = None) -> Model:
        """This model with constants turned into variables: those that globs or a predicate choose, or (by default) the
        weights of MatMul, convolutions, biases and norms. Saved as `.meta` it is what TensorFlow restores and
        trains."""
        self.check_graph()
        return Model.of(unfreeze(self, names))

    def extract(self, outputs: Sequence[str] | str, inputs: Sequence[str] | str = ()) -> Model:
        """The part that `outputs` need, cut at `inputs`; both are tensors (`node` or `node:0`)."""
        return Model.of(extract(self, _names(outputs), _names(inputs)))

    def strip_training(self, outputs: Sequence[str] | str) -> Model:
        """What `outputs` need, plain for inference: no dropout, queues turned into placeholders, no needless nodes."""
        return Model.of(strip_training(self, _names(outputs)))

    def strip_unused(self, outputs: Sequence[str] | str, inputs: Sequence[str] | str = ()) -> Model:
        """This model without the nodes that `outputs` do not need when `inputs` are fed; the same as `extract`."""
        return self.extract(outputs, inputs)

    def rename(self, names: Mapping[str, str] | Callable[[str], str]) -> Model:
        """This model with other names for its nodes: a mapping, or a function of the old name."""
        return Model.of(rename(self, names))

    def reshape(self, shapes: Mapping[str, Iterable[int | None] | None]) -> Model:
        """This model with other shapes for its placeholders: `{"x": [None, 224, 224, 3]}`; None is an unknown size."""
        return Model.of(reshape(self, shapes))

    def remove_device(self) -> Model:
        """This model without the devices that it was made on."""
        return Model.of(remove_device(self))

    def strip_default_attrs(self) -> Model:
        """This model without attributes that stand at their defaults, for older readers."""
        return Model.of(strip_default_attrs(self))

    def sort_by_execution_order(self) -> Model:
        """This model with its nodes in an order in which each comes after what it needs."""
        return Model.of(sort_by_execution_order(self))

    def compile(
        self,
        outputs: Sequence[str] | str | None = None,
        inputs: Sequence[str] | str | None = None,
        engine: str = "auto",
        signature: str | None = None,
        allow: Iterable[str] = (),
    ) -> Predictor:
        """A callable that computes `outputs` from `inputs` (tensors), or a signature's outputs from its inputs.

        Without either, the only signature or `serving_default` is taken, else the likely inputs and outputs. `engine`
        is `auto`, `numpy`, `onnxruntime`, `openvino` or `jax` (extras) or `fastest`, which measures at the first call
        and remembers. `allow` names the ops that may touch files (`["ReadFile"]`); others are refused. Errors of names,
        missing weights and unsupported ops come here, not at the call.
        """
        rules = granted_rules(allow)
        program, ins, outs = self._program(outputs, inputs, signature)
        prepared = prepare(program, engine, rules)
        return Predictor(from_the_start(prepared.run, program), ins, outs, prepared.pieces)

    def session(self, engine: str = "auto", initialize: bool = True, allow: Iterable[str] = ()) -> Session:
        """This model with a memory: `run` sees what former runs wrote to variables and tables, and trains by the
        graph's own train op. Use it as a context manager. With `initialize` what the model itself says is to be run
        after loading is run. `allow` names the ops that may touch any files; those of savers touch the paths that a
        run is given."""
        return Session(self, engine, initialize, allow)

    def grad(self, loss: str, wrt: Sequence[str] | str, inputs: Sequence[str] | str | None = None) -> Gradient:
        """A callable that gives the loss and the derivatives of its sum by variables, or by any tensors, that names or
        globs choose: `model.grad("loss", "*kernel")({"x": x})`. Needs the extra `jax`; UnsupportedError for ops that
        its engine has no rule for."""
        return Gradient(self, loss, wrt, inputs)

    def _program(
        self, outputs: Sequence[str] | str | None, inputs: Sequence[str] | str | None, signature: str | None
    ) -> tuple[Program, list[Slot], list[Slot]]:
        """What computes `outputs`, and what goes in and comes out under the names that users say."""
        wanted_out = self._slots_out(outputs, signature)
        wanted_in = self._slots_in(inputs, signature, [tensor for _, tensor in wanted_out], outputs is None)
        tensors_in = None if wanted_in is None else [t for _, t in wanted_in]
        program = without_dropout(build_program(self, [t for _, t in wanted_out], tensors_in, fold))
        named = {tensor: name for name, tensor in wanted_in or []}
        ins = [Slot(named.get(v, v), v, program.specs[v].dtype, program.specs[v].shape) for v in program.inputs]
        outs = [
            Slot(name, v, program.specs[v].dtype, program.specs[v].shape)
            for (name, _), v in zip(wanted_out, program.outputs, strict=True)
        ]
        return program, ins, outs

    def save_onnx(
        self,
        path: Path,
        outputs: Sequence[str] | str | None = None,
        inputs: Sequence[str] | str | None = None,
        signature: str | None = None,
    ) -> None:
        """Writes what `compile` would run as an ONNX model, opset 18, its inputs and outputs under the names that
        `compile` gives them. UnsupportedError lists every step that ONNX has no place for; nothing is written then.
        Weights past 2 GB go to `<path>.data`."""
        program, ins, outs = self._program(outputs, inputs, signature)
        if program.state:
            written = ", ".join(state.name for state in program.state[:5])
            raise UnsupportedError(f"The model writes to {written}; an ONNX file holds no state. Nothing was written.")
        write_onnx(program, path, [slot.name for slot in ins], [slot.name for slot in outs])

    def save(self, path: Path, format: str | None = None) -> None:
        """Writes this model: the format from the suffix (`.pb`, `.pbtxt`, `.meta`, `.npz`, `.safetensors`, `.onnx`, a
        directory for a SavedModel, a checkpoint's prefix) or from `format`. InputError when a format cannot hold it."""
        save(self, path, format)

    def _output_tensors(self, outputs: Sequence[str] | str | None) -> list[str]:
        if outputs is not None:
            return [str(self.graph.port(name)) if ":" in name else name for name in _names(outputs)]
        return [tensor for _, tensor in self._slots_out(None, None)]

    def _slots_out(self, outputs: Sequence[str] | str | None, signature: str | None) -> list[tuple[str, str]]:
        if outputs is not None:
            names = _names(outputs)
            if signature is not None or self._is_signature_output(names):
                specs = self.signature(signature).outputs
                return [(n, tensor_name(specs[n].tensor) if n in specs else tensor_name(n)) for n in names]
            return [(n, self.graph.port(n).tensor) for n in names]
        if signature is not None or self._has_one_signature():
            specs = self.signature(signature).outputs
            return [(key, tensor_name(spec.tensor)) for key, spec in specs.items() if spec.tensor]
        self.check_graph()
        ranked = rank_outputs(self)
        chosen = one_choice(ranked)
        if not chosen:
            listed = "".join(f"\n  {c.tensor}  ({c.op}: {c.reason})" for c in ranked[:10])
            raise InputError(
                f"Which outputs? The model does not say, and several are likely; name them with outputs=.{listed}"
                if ranked
                else "The model has no tensor that looks like an output; name one with outputs=."
            )
        return [(c.tensor, c.tensor) for c in chosen]

    def _is_signature_output(self, names: list[str]) -> bool:
        if not self._has_one_signature():
            return False
        outputs = self.signature().outputs
        return all(n in outputs and n.partition(":")[0] not in self.graph for n in names)

    def _has_one_signature(self) -> bool:
        named = [key for key in self.signatures if key != "__saved_model_init_op"]
        return len(named) == 1 or "serving_default" in named

    def _slots_in(
        self, inputs: Sequence[str] | str | None, signature: str | None, outputs: list[str], by_default: bool
    ) -> list[tuple[str, str]] | None:
        if inputs is not None:
            return [(n, self.graph.port(n).tensor) for n in _names(inputs)]
        if signature is None and not (self._has_one_signature() and by_default):
            return None
        specs = self.signature(signature).inputs
        return [(key, tensor_name(spec.tensor)) for key, spec in specs.items() if spec.tensor]


def _names(names: Sequence[str] | str) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def load(path: Path, weights: Path | None = None, tags: Iterable[str] | None = None) -> Model:
    """Opens a model file of any format, told by its content. Nothing is read but what describes it.

    `path` may be any member of a checkpoint, a `.meta`, `.pb` or `.pbtxt`, a SavedModel or a model directory.
    `weights` joins a checkpoint, or a `.npz` or `.safetensors` file; a `.meta` whose checkpoint lies beside it under
    the same name is joined by itself.
    `tags` choose among the MetaGraphs of a SavedModel. `Model.missing` tells in words what is still needed.
    """
    document = load_document(path, None if tags is None else tuple(tags))
    model = Model.of(document)
    prefix = os.fspath(weights) if weights is not None else model.weights
    waiting = any(v.tensor is None for v in model.variables.values())
    if prefix and model.has_graph and (waiting or weights is not None):
        model, _ = model.join(prefix)
    elif weights is not None and not model.has_graph:
        raise GraphError(f"{os.fspath(path)} holds no graph to join {prefix} with.")
    return model


def save(model: Document, path: Path, format: str | None = None) -> None:
    """Writes a model; see `Model.save`."""
    name = os.fspath(path)
    if (format or os.path.splitext(name)[1].lower().removeprefix(".")) == "onnx":
        Model.of(model).save_onnx(name)
        return
    wanted = format or format_of(name, model)
    save_document(with_signature(model) if wanted.startswith("saved_model") else model, name, wanted)


def import_graph(
    model: Document | Graph,
    into: Document | Graph,
    *,
    name: str = "",
    input_map: Mapping[str, str] | None = None,
    return_elements: Sequence[str] = (),
) -> tuple[Graph, list[str]]:
    """Puts a graph into another as TensorFlow's `import_graph_def` does, and gives the new graph and the names of
    `return_elements` in it. A leading `import/` is never added: the prefix is `name`."""
    source = model.graph if isinstance(model, Document) else model
    target = into.graph if isinstance(into, Document) else into
    return import_graph_into(source, target, name=name, input_map=input_map, return_elements=return_elements)
