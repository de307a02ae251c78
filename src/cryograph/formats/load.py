"""Opens whatever a user has at hand: any member of a checkpoint, a graph, a SavedModel, a directory of these."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence

from ..base.errors import FileError, InputError, WrongKindError
from ..base.files import Path, Span, is_dir, is_file, is_remote, join, list_dir, open_file
from ..base.tensors import Tensor
from ..graph.calls import find_ops
from ..graph.document import Document
from ..wire import messages as pb
from .arrays import values_of, variables_document
from .checkpoint import DATA_FILE, Checkpoint, checkpoint_named, find_prefix
from .checkpoint_v1 import meta_path
from .metagraph import read_metagraph
from .model_dir import is_model_dir, read_model_dir
from .savedmodel import read_savedmodel, saved_model_file
from .sniff import Format, sniff

TEXT_FILE_INITIALIZERS = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
KINDS: dict[str, tuple[str, ...]] = {
    # kind: names of its rows in FORMATS, then its name in a sentence
    "pb": ("pb", "pbtxt", "memmapped", "a GraphDef"),
    "meta": ("meta", "meta_text", "a MetaGraphDef"),
    "saved_model": ("saved_model", "saved_model_text", "a SavedModel"),
}
ARRAYS = (".npz", ".safetensors")
MODEL_SUFFIXES = (".pb", ".pbtxt", ".meta", *ARRAYS)
TFJS_FILE = "model.json"


def load_document(path: Path, tags: Sequence[str] | None = None) -> Document:
    """The document of a model file of any format. Values of variables are not joined: `weights` names the checkpoint
    that belongs to the graph, where there is one, and `nearby` others that may.

    FileError when nothing is there, WrongKindError for a file of a kind that cannot be opened, DamagedError.
    """
    name = os.fspath(path)
    if is_dir(name):
        return _directory(name, tags)
    if is_file(name) and not DATA_FILE.match(name):
        return _file(name, tags)
    return _checkpoint(name)


def open_weights(weights: Path | Checkpoint) -> tuple[Mapping[str, Tensor], str, pb.TrackableObjectGraph | None]:
    """Values by name, to join a graph with: those of a checkpoint, or of a `.npz` or `.safetensors` file; where they
    are, and the tree of objects that a TF2 checkpoint holds.

    FileError when nothing is there, WrongKindError for a file that holds something else.
    """
    if not isinstance(weights, Checkpoint):
        name = os.fspath(weights)
        if is_file(name) and name.lower().endswith(ARRAYS):
            return values_of(load_document(name)), name, None
        try:
            weights = Checkpoint(name)
        except WrongKindError as error:
            raise WrongKindError(f"{name} is {sniff(open_file(name)).what}, not a checkpoint.") from error
    return weights, weights.prefix, weights.object_graph


def load_as(path: Path, kind: str) -> Document:
    """The document of a file that has to be of one kind: "pb", "meta" or "saved_model", in binary or text form.

    WrongKindError says what the file is instead.
    """
    name = os.fspath(path)
    if kind not in KINDS:
        raise InputError(f"There is no kind {kind!r}. Kinds: {', '.join(KINDS)}.")
    if is_dir(name):
        inner = saved_model_file(name)
        if inner is None or kind != "saved_model":
            what = "a SavedModel's directory" if inner is not None else "a directory"
            raise WrongKindError(f"{name} is {what}, not {KINDS[kind][-1]}.")
        return read_savedmodel(name)
    format = sniff(open_file(name))
    if format.name not in KINDS[kind][:-1] or format.read is None:
        raise WrongKindError(f"{name} is {format.what}, not {KINDS[kind][-1]}. {format.way_out}".rstrip())
    return format.read(name)


def _directory(name: str, tags: Sequence[str] | None) -> Document:
    if saved_model_file(name) is not None:
        return read_savedmodel(name, tags)
    if is_model_dir(name):
        return read_model_dir(name)
    names = list_dir(name)
    if any(n.endswith(".index") for n in names):
        return _checkpoint(name)
    models = [join(name, n) for n in names if n.endswith(MODEL_SUFFIXES) or n == TFJS_FILE]
    inner = [join(name, n) for n in names if is_dir(join(name, n)) and saved_model_file(join(name, n)) is not None]
    found = [*models, *inner]
    if len(found) == 1:
        return load_document(found[0], tags)
    if found:
        raise InputError(f"{name} holds several models; name one: {', '.join(found)}.")
    return _checkpoint(name)


def _file(name: str, tags: Sequence[str] | None) -> Document:
    file = open_file(name)
    format = sniff(file)
    if format.name in ("table", "state"):
        return _checkpoint(name)
    if format.name.startswith("saved_model"):
        return read_savedmodel(name, tags)
    if format.read is None:
        raise WrongKindError(f"{name} is {format.what}. {format.way_out}".rstrip())
    document = format.read(name)
    if not document.has_graph:
        return document
    return _with_neighbours(document, name, format)


def _with_neighbours(document: Document, name: str, format: Format) -> Document:
    """Notes the checkpoint of the same name beside a `.meta`, and other checkpoints nearby."""
    directory, _ = _split(name)
    own = name.removesuffix(".meta")
    weights = checkpoint_named(own) or "" if format.name == "meta" and own != name else ""
    needs = any(v.tensor is None for v in document.variables.values())
    nearby: tuple[str, ...] = ()
    if needs and not weights and is_dir(directory):
        found = [n.removesuffix(".index") for n in list_dir(directory) if n.endswith(".index")]
        nearby = tuple(join(directory, n) if directory != "." else n for n in found)
    assets = document.assets or _vocabularies(document, directory)
    return dataclasses.replace(document, weights=weights, nearby=nearby, assets=assets)


def _vocabularies(document: Document, directory: str) -> dict[str, Span]:
    """The vocabulary files of lookup tables, where they lie beside the graph. A path in a graph is never followed:
    only its last part counts, and only beside the model."""
    found: dict[str, Span] = {}
    for node, _, place in find_ops(document.graph, TEXT_FILE_INITIALIZERS):
        ports = node.data_inputs
        value = place.constant(ports[1]) if len(ports) > 1 else None
        if value is None or not value.dtype.is_string or value.shape != ():
            continue
        base = re.split(r"[/\\]", value.numpy().item().decode("utf-8", "replace"))[-1]
        if base and is_file(join(directory, base)):
            found[base] = open_file(join(directory, base)).span()
    return found


def _split(name: str) -> tuple[str, str]:
    base = re.split(r"[/\\]", name)[-1]
    return name[: len(name) - len(base)].rstrip("/") or ("/" if name.startswith("/") else "."), base


def _checkpoint(name: str) -> Document:
    """A checkpoint's document: its graph when the `.meta` lies beside it, else its values alone."""
    try:
        prefix = find_prefix(name)
    except FileError:
        _explain_missing(name)
        raise
    if is_file(meta_path(prefix)):
        return dataclasses.replace(read_metagraph(meta_path(prefix)), weights=prefix)
    checkpoint = Checkpoint(prefix)
    document = variables_document(prefix, checkpoint, "checkpoint")
    directory, _ = _split(prefix)
    graphs: list[str] = []
    if is_dir(directory):
        graphs = [join(directory, n) for n in list_dir(directory) if n.endswith((".pb", ".pbtxt", ".meta"))]
        # The checkpoint of a SavedModel lies one floor below its graph.
        above = os.path.dirname(os.path.abspath(directory)) if not is_remote(directory) else _split(directory)[0]
        if _split(directory)[1] == "variables" and saved_model_file(above) is not None:
            graphs.append(_split(directory)[0])
    return dataclasses.replace(document, nearby=tuple(graphs), weights=prefix)


def _explain_missing(name: str) -> None:
    """Names what is near a path at which nothing is."""
    if is_dir(name) or is_file(name) or is_remote(name):
        return
    if not name:
        raise FileError("An empty name was given, where that of a model file was expected.") from None
    if os.path.exists(name):
        raise FileError(f"{name} is neither a file nor a directory.") from None
    if os.path.islink(name):
        raise FileError(f"{name} is a link to {os.readlink(name)}, which does not exist.") from None
    directory, base = _split(name)
    if is_dir(directory):
        alike = [n for n in list_dir(directory) if n.startswith(base[:6]) or base in n][:5]
        if alike:
            raise FileError(f"{name} does not exist. In {directory} there is: {', '.join(alike)}.") from None
    raise FileError(f"{name} does not exist.") from None
