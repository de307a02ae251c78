"""Writing a document: the format from the suffix, or as it is asked for."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable

from ..base.errors import InputError
from ..base.files import Path, is_dir, join, make_dir
from ..graph.document import Document
from ..graph.saver import add_saver
from ..wire import messages as pb
from .arrays import values_of, write_npz, write_safetensors
from .checkpoint import save_checkpoint
from .graphdef import write_graphdef, write_graphdef_text
from .metagraph import write_metagraph, write_metagraph_text
from .savedmodel import weights_of, write_savedmodel
from .state import write_state

Writer = Callable[[Document, Path], None]


def save_document(document: Document, path: Path, format: str | None = None) -> None:
    """Writes a document. InputError when the format is not told, is unknown, or cannot hold what there is."""
    name = os.fspath(path)
    wanted = format or format_of(name, document)
    writer = WRITERS.get(wanted)
    if writer is None:
        raise InputError(f"There is no format {wanted!r} to write. Formats: {', '.join(WRITERS)}.")
    if wanted in GRAPH_FORMATS and not document.has_graph:
        raise InputError(
            f"{document.source or 'This'} holds no graph, so that it cannot be written as {wanted}; "
            "a checkpoint, .npz or .safetensors can hold weights alone."
        )
    writer(document, path)


def format_of(name: str, document: Document) -> str:
    """The format that a path's name means."""
    base = re.split(r"[/\\]", name.rstrip("/\\"))[-1].lower()
    if base in ("saved_model.pb", "saved_model.pbtxt"):
        raise InputError(f"{name}: name the SavedModel's directory, not the file in it.")
    for suffix, format in SUFFIXES.items():
        if base.endswith(suffix):
            return format
    if name.endswith(("/", os.sep)) or is_dir(name):
        return "saved_model" if document.has_graph else "checkpoint"
    raise InputError(
        f"{name!r} does not tell the format. Use one of the suffixes {', '.join(SUFFIXES)}, end a directory for a "
        f"SavedModel in '/', or name the format: {', '.join(WRITERS)}."
    )


def _meta(document: Document, path: Path) -> None:
    """PREFIX.meta, and PREFIX's checkpoint with the directory's `checkpoint` file when there are values."""
    name = os.fspath(path)
    prefix = name.removesuffix(".meta")
    document = restorable(document)
    if prefix != name:
        _values_beside(document, prefix)
    write_metagraph(document, name)
    if prefix != name and weights_of(document.variables)[0]:
        _state(prefix)


def _meta_text(document: Document, path: Path) -> None:
    write_metagraph_text(restorable(document), path)


def restorable(document: Document) -> Document:
    """The document with saver nodes, which TensorFlow's import_meta_graph needs to restore variables."""
    held = [v for v in document.variables.values() if v.node is not None and v.node in document.graph]
    if not held or document.meta.saver_def.restore_op_name:
        return document
    graph, meta = document.graph.copy(), pb.MetaGraphDef()
    meta.CopyFrom(document.meta)
    meta.saver_def.CopyFrom(add_saver(graph, held))
    return dataclasses.replace(document, graph=graph, meta=meta)


def _values_beside(document: Document, prefix: str) -> None:
    tensors, slices = weights_of(document.variables)
    if tensors:
        save_checkpoint(prefix, tensors, slices=slices)


def _state(prefix: str) -> None:
    directory = os.path.dirname(prefix) or "."
    write_state(directory, prefix, [prefix])


def _checkpoint(document: Document, path: Path) -> None:
    name = os.fspath(path)
    if name.endswith(("/", os.sep)) or is_dir(name):
        make_dir(name)
        name = join(name, "model")
    values_of(document)
    prefix = name.removesuffix(".index").removesuffix(".ckpt") if name.endswith(".index") else name
    _values_beside(document, prefix)
    _state(prefix)


def _checkpoint_v1(document: Document, path: Path) -> None:
    values_of(document)
    tensors, slices = weights_of(document.variables)
    save_checkpoint(path, tensors, version=1, slices=slices)


def _savedmodel_text(document: Document, path: Path) -> None:
    write_savedmodel(document, path, text=True)


WRITERS: dict[str, Writer] = {
    "pb": write_graphdef,
    "pbtxt": write_graphdef_text,
    "meta": _meta,
    "meta_text": _meta_text,
    "saved_model": write_savedmodel,
    "saved_model_text": _savedmodel_text,
    "checkpoint": _checkpoint,
    "checkpoint_v1": _checkpoint_v1,
    "npz": write_npz,
    "safetensors": write_safetensors,
}
GRAPH_FORMATS = frozenset({"pb", "pbtxt", "meta", "meta_text", "saved_model", "saved_model_text"})

SUFFIXES: dict[str, str] = {
    ".pb": "pb",
    ".pbtxt": "pbtxt",
    ".meta": "meta",
    ".meta.txt": "meta_text",
    ".npz": "npz",
    ".safetensors": "safetensors",
    ".ckpt": "checkpoint",
    ".index": "checkpoint",
}
