"""Checkpoints of a session: what TensorFlow's Saver of the same graph would write, and what it would read.

A graph that was made with a Saver holds its ops, and the MetaGraph names them. What they say decides: which tensors are
saved under which keys, in which slices, and what is done with them when they are restored (which may be more than
assigning variables: tables have savers, too). A graph without a Saver saves its variables by their keys, and restores
them as `cryograph.load` joins a graph with a checkpoint.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..base.errors import GraphError, InputError, MissingWeightsError
from ..base.files import Path
from ..base.tensors import Array, Tensor
from ..formats.checkpoint import Checkpoint
from ..formats.manager import CheckpointManager
from ..formats.metagraph import write_metagraph
from ..formats.save import restorable
from ..formats.savedmodel import weights_of
from ..formats.state import has_checkpoint
from ..graph.calls import Place
from ..graph.document import Document
from ..graph.node import Node, Port
from ..graph.walks import ancestors
from ..transforms.join import join, take_slice
from .store import Store

RESTORING = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
SAVING = frozenset({"Save", "SaveSlices", "SaveV2"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a checkpoint: its key, the slice of it (empty for all of it), the tensor in the graph, and the node
    that saves it: each writes a data file."""

    key: str
    slice_spec: str
    tensor: str
    node: str

    @property
    def called(self) -> str:
        """The key with the slice."""
        return f"{self.key} {self.slice_spec}" if self.slice_spec else self.key


class Saving:
    """Saves and restores one session. `run` runs a node, `read` gives tensors without copying them."""

    def __init__(
        self,
        document: Document,
        store: Store,
        run: Callable[[str, Mapping[str, Tensor]], object],
        read: Callable[[Sequence[str]], Sequence[Array]],
    ) -> None:
        self._document = document
        self._store = store
        self._run = run
        self._read = read
        self._saver: list[Entry] | None = None
        self._turn = threading.Lock()
        self._managers: dict[tuple[object, ...], CheckpointManager] = {}

    def save(
        self, prefix: Path, global_step: int | None, max_to_keep: int | None, every_hours: float | None, meta: bool
    ) -> str:
        """Writes a checkpoint, its `.meta` and the `checkpoint` file, and removes what is too old. Calls from several
        threads come one after the other."""
        with self._turn:
            return self._save(prefix, global_step, max_to_keep, every_hours, meta)

    def _save(
        self, prefix: Path, global_step: int | None, max_to_keep: int | None, every_hours: float | None, meta: bool
    ) -> str:
        directory, name = os.path.split(os.fspath(prefix))
        if not name:
            raise InputError(f"{os.fspath(prefix)!r} names a directory; a prefix in it was expected.")
        key = (directory, name, max_to_keep, every_hours)
        manager = self._managers.get(key)
        if manager is None:
            folder = directory or "."
            manager = CheckpointManager(folder, max_to_keep, every_hours, background=False, name=name, like_saver=True)
            self._managers[key] = manager
        if self._saver is None:
            self._saver = saved_by(self._document)
        tensors, slices = self._by_saver(self._saver) if self._saver else self._by_variables()
        if not tensors:
            raise InputError("There is nothing to save: no variable has a value.")
        document = self._document
        tree = None
        if not self._saver and document.weights and has_checkpoint(document.weights):
            tree = Checkpoint(document.weights).object_graph  # TF2 finds variables by it
        return manager.save(
            tensors,
            global_step,
            meta=(lambda path: write_metagraph(restorable(document), path)) if meta else None,
            shards=_shards(self._saver) if self._saver else 1,
            object_graph=tree,
            slices=slices,
            version=_version(document, self._saver),
        )

    def restore(self, prefix: Path, partial: bool) -> None:
        """Gives variables, and whatever else is saved, the values of a checkpoint."""
        checkpoint = Checkpoint(prefix)
        operation = Port.parse(self._document.meta.saver_def.restore_op_name).node
        try:
            feeds = restored_by(self._document, operation, checkpoint)
        except MissingWeightsError:
            if not partial:
                raise
            feeds = {}  # its operation would want all of them
        if not feeds and not self._document.variables:
            raise InputError(f"There is nothing to restore from {checkpoint.prefix}: the model has no variables.")
        if feeds:
            self._run(f"^{operation}", feeds)
            return
        empty = {name: variable.with_tensor(None) for name, variable in self._document.variables.items()}
        joined, report = join(
            dataclasses.replace(self._document, variables=empty),
            checkpoint,
            source=checkpoint.prefix,
            object_graph=checkpoint.object_graph,
            partial=partial,
        )
        tensors = [joined.variables[name].tensor for name in report.restored]
        self._store.write(list(report.restored), [tensor.numpy().copy() for tensor in tensors if tensor is not None])

    def _by_saver(self, entries: Sequence[Entry]) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Tensors by key, and the slices among them; both as `save_checkpoint` takes them."""
        values = self._read([entry.tensor for entry in entries])
        tensors = {entry.called: Tensor.of(value) for entry, value in zip(entries, values, strict=True)}
        return tensors, {entry.called: entry.called for entry in entries if entry.slice_spec}

    def _by_variables(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        named = self._document.variables
        present = zip(named.values(), self._store.read(list(named)), strict=True)
        return weights_of(
            {v.name: v.with_tensor(Tensor.of(value, v.dtype.base)) for v, value in present if value is not None}
        )


def _shards(entries: Sequence[Entry]) -> list[list[str]]:
    """The keys of each data file."""
    nodes = dict.fromkeys(entry.node for entry in entries)
    return [[entry.called for entry in entries if entry.node == node] for node in nodes]


def _version(document: Document, entries: Sequence[Entry]) -> int:
    """The version of checkpoints that a saver writes."""
    return 2 if not entries or document.graph.nodes[entries[0].node].op == "SaveV2" else 1


def saved_by(document: Document) -> list[Entry]:
    """What the ops of the graph's own Saver save, in the order of its shards; nothing where it has none at the top of
    the graph."""
    operation = Port.parse(document.meta.saver_def.save_tensor_name).node
    found = []
    for node, names, slices in _listed(document, operation, SAVING):
        first = 2 if node.op == "Save" else 3  # behind the path, the names and the slices
        values = node.data_inputs[first:]
        if len(values) != len(names):
            raise GraphError(f"{node.name!r} ({node.op}) saves {len(values)} tensors under {len(names)} names.")
        triples = zip(names, slices, values, strict=True)
        found += [Entry(name, spec, port.tensor, node.name) for name, spec, port in triples]
    places = {name: _shard_of(document, name) for name in dict.fromkeys(entry.node for entry in found)}
    return sorted(found, key=lambda entry: places[entry.node])


def _shard_of(document: Document, node: str) -> int:
    """Which shard a saving op writes, as the op that makes its file name says."""
    graph = document.graph
    named = graph.nodes[node].data_inputs[0].node
    if named not in graph or graph.nodes[named].op != "ShardedFilename":
        return 0
    number = Place(graph, {}).constant(graph.nodes[named].data_inputs[1])
    return 0 if number is None else int(number.numpy())


def restored_by(document: Document, operation: str, checkpoint: Checkpoint) -> dict[str, Tensor]:
    """What the restoring ops of the graph's own Saver would give, to be fed in their place: tensors of the graph with
    values of a checkpoint. MissingWeightsError lists the keys that it lacks."""
    feeds: dict[str, Tensor] = {}
    missing = []
    for node, names, slices in _listed(document, operation, RESTORING):
        for index, (name, spec) in enumerate(zip(names, slices, strict=True)):
            if name not in checkpoint:
                missing.append(name)
                continue
            whole = checkpoint[name]
            feeds[f"{node.name}:{index}"] = take_slice(whole, spec, name) if spec else whole
    if missing:
        some = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise MissingWeightsError(f"{checkpoint.prefix} does not hold {some}, which the graph's saver restores.")
    return feeds


def _listed(document: Document, operation: str, ops: frozenset[str]) -> list[tuple[Node, list[str], list[str]]]:
    """The nodes of these ops that an operation needs, each with its keys and slices."""
    graph = document.graph
    if not operation or operation not in graph:
        return []
    needed = ancestors(graph, [operation])
    place = Place(graph, {})
    found = []
    for node in graph:
        if node.op not in ops or node.name not in needed:
            continue
        texts = [place.constant(port) for port in node.data_inputs[1:3]]
        names = _strings(node, texts[0])
        has_slices = node.op not in ("Save", "Restore")
        slices = _strings(node, texts[1]) if has_slices else [""] * len(names)
        found.append((node, names, slices))
    return found


def _strings(node: Node, tensor: Tensor | None) -> list[str]:
    if tensor is None:
        raise GraphError(f"{node.name!r} ({node.op}) works out the names of tensors; constants were expected.")
    return [bytes(item).decode("utf-8", "replace") for item in tensor.numpy().reshape(-1)]
