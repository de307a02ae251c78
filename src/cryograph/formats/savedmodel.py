"""SavedModel directories, as TensorFlow 1 and 2 write them.

    saved_model.pb | saved_model.pbtxt   one SavedModel message: a MetaGraphDef for each tag set
    variables/variables.*                a V2 checkpoint
    assets/                              files that the graph reads (vocabularies), named in `asset_file_def`
    fingerprint.pb, keras_metadata.pb, assets.extra/ ...   kept as they are

TF2 adds functions and `object_graph_def`, the tree of objects; the keys of its checkpoint are paths in that tree, and
the restore function in the graph tells which variable has which. Source: TensorFlow's saved_model.proto.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence

from ..base.errors import FileError, FormatError, InputError, UnknownNameError
from ..base.files import Path, Span, atomic_write, file_errors, is_dir, is_file, is_remote, join, list_dir, open_file
from ..base.tensors import Tensor
from ..graph.document import Document, Variable
from ..graph.saver import add_saver
from ..wire import messages as pb
from ..wire.emit import message_size, write_message
from ..wire.scan import TensorTable, read_message
from ..wire.text import print_text, read_text
from .checkpoint import Checkpoint, save_checkpoint
from .checkpoint_v2 import write_bundle
from .graphdef import warn_if_large
from .metagraph import metagraph_document, metagraph_proto

BINARY, TEXT = "saved_model.pb", "saved_model.pbtxt"
VARIABLES = "variables"
ASSETS = "assets"
SCHEMA_VERSION = 1
SERVE = "serve"


def saved_model_file(directory: Path) -> str | None:
    """The path of the message in a SavedModel directory, or None when it is none."""
    for name in (BINARY, TEXT):
        path = join(directory, name)
        if is_file(path):
            return path
    return None


def read_savedmodel(path: Path, tags: Sequence[str] | None = None) -> Document:
    """The document of a SavedModel: of its only MetaGraph, the one for serving, or that of `tags`; the others are its
    siblings. Variables are told by the graph; `weights` names the checkpoint that holds their values."""
    name = os.fspath(path)
    if is_dir(name):
        directory, found = name, saved_model_file(name)
        if found is None:
            raise FileError(f"{name} is no SavedModel: it has neither {BINARY} nor {TEXT}.")
        name = found
    else:
        directory = os.path.dirname(name) if not is_remote(name) else name.rpartition("/")[0]
    file = open_file(name)
    is_text = name.endswith(".pbtxt") or file.read(0, min(1, file.size)) == b"s"
    proto, table = read_text(file, pb.SavedModel) if is_text else read_message(file, pb.SavedModel)
    if not proto.meta_graphs:
        raise FormatError(f"{name}: a SavedModel without a MetaGraph.")
    documents = [metagraph_document(meta, table, file) for meta in proto.meta_graphs]
    chosen = _choose(documents, tags, name)
    prefix = join(directory or ".", VARIABLES, VARIABLES)
    document = documents.pop(chosen)
    proto.ClearField("meta_graphs")
    return dataclasses.replace(
        document,
        kind="saved_model",
        source=directory or ".",
        variables=_with_what_objects_say(_with_asset_paths(document), document),
        assets=_files(join(directory or ".", ASSETS)),
        extras=_extras(directory or "."),
        siblings=tuple(documents),
        weights=prefix if is_file(f"{prefix}.index") else "",
        place=chosen,
        shell=proto,
    )


def _choose(documents: list[Document], tags: Sequence[str] | None, name: str) -> int:
    sets = [d.tags for d in documents]
    listed = "; ".join(", ".join(s) or "(none)" for s in sets)
    if tags is None:
        if len(sets) == 1:
            return 0
        serving = [i for i, s in enumerate(sets) if SERVE in s]
        plain = [i for i in serving if len(sets[i]) == 1]
        if len(serving) == 1 or len(plain) == 1:
            return serving[0] if len(serving) == 1 else plain[0]
        raise UnknownNameError(f"{name} has {len(sets)} MetaGraphs; choose one by its tags: {listed}.")
    for index, found in enumerate(sets):
        if set(found) == set(tags):
            return index
    raise UnknownNameError(f"{name} has no MetaGraph of the tags {', '.join(tags) or '(none)'}. There are: {listed}.")


def asset_names(document: Document) -> dict[str, str]:
    """For each tensor that holds the path of an asset: the asset's file name."""
    return {a.tensor_info.name.partition(":")[0]: a.filename for a in document.meta.asset_file_def}


def _with_asset_paths(document: Document) -> dict[str, Variable]:
    """The variables; those that only hold the path of an asset have that path as their value."""
    assets = asset_names(document)
    variables = dict(document.variables)
    by_node = {v.node: v for v in variables.values()}
    for node in document.graph if assets else ():
        ports = node.data_inputs if node.op in ("AssignVariableOp", "Assign") else []
        if len(ports) == 2 and ports[1].node in assets and ports[0].node in by_node:
            variable = by_node[ports[0].node]
            path = Tensor.of(f"{ASSETS}/{assets[ports[1].node]}".encode())
            variables[variable.name] = dataclasses.replace(variable, tensor=path, key="")
    return variables


def _with_what_objects_say(variables: dict[str, Variable], document: Document) -> dict[str, Variable]:
    """The variables of TF2, which has no collections: whether one is trainable is said by the object that holds it."""
    said: dict[str, set[bool]] = {}
    for node in document.meta.object_graph_def.nodes:
        if node.HasField("variable") and node.variable.name:
            said.setdefault(node.variable.name, set()).add(node.variable.trainable)
    return {
        name: dataclasses.replace(variable, trainable=True in said[name])
        if variable.trainable is None and len(said.get(name, ())) == 1
        else variable
        for name, variable in variables.items()
    }


def _files(directory: str, skip: tuple[str, ...] = (), below: str = "") -> dict[str, Span]:
    """All files under a directory by their relative paths."""
    found: dict[str, Span] = {}
    if not is_dir(directory):
        return found
    for name in list_dir(directory):
        path = join(directory, name)
        if is_dir(path):
            if not (below == "" and name in skip):
                found |= _files(path, (), f"{below}{name}/")
        elif not (below == "" and name in skip):
            found[f"{below}{name}"] = open_file(path).span()
    return found


def _extras(directory: str) -> dict[str, Span]:
    return _files(directory, (BINARY, TEXT, VARIABLES, ASSETS))


def write_savedmodel(document: Document, path: Path, text: bool = False) -> None:
    """Writes a SavedModel directory that TensorFlow opens. It takes its name when it is whole; an older SavedModel of
    that name is replaced, anything else that is there is left alone and an InputError."""
    target = os.fspath(path).rstrip("/\\")
    if is_remote(target):
        raise InputError(f"{target}: a SavedModel is written to a local directory; copy it from there.")
    if os.path.exists(target) and saved_model_file(target) is None and (not is_dir(target) or list_dir(target)):
        raise InputError(f"{target} is there and is no SavedModel; it is not overwritten.")
    document = _servable(document)
    with _new_directory(target) as directory:
        _write_message(document, directory, text)
        if document.weights or any(v.tensor is not None for v in document.variables.values()):
            _write_variables(document, directory)
        for below, files in ((f"{ASSETS}/", document.assets), ("", document.extras)):
            for name, span in files.items():
                _write_file(span, join(directory, below + name))


def _write_message(document: Document, directory: str, text: bool) -> None:
    proto = pb.SavedModel(saved_model_schema_version=SCHEMA_VERSION)
    if document.shell is not None:
        proto.CopyFrom(document.shell)
    table: TensorTable = {}
    documents = list(document.siblings)
    documents.insert(document.place, document)
    for each in documents:
        meta, added = metagraph_proto(each)
        proto.meta_graphs.append(meta)
        table.update(added)
    name = join(directory, TEXT if text else BINARY)
    if text:
        with atomic_write(name) as out:
            out.write(print_text(proto, table).encode())
        return
    warn_if_large(name, message_size(proto, table))
    with atomic_write(name) as out:
        write_message(out, proto, table)


@contextlib.contextmanager
def _new_directory(target: str) -> Iterator[str]:
    """A directory beside `target` that takes its name when the block ends well and is gone otherwise."""
    temporary = f"{target}.{secrets.token_hex(4)}.tmp"
    old = f"{temporary}.old"
    with file_errors(target, "write"):
        os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
        os.mkdir(temporary)
        try:
            yield temporary
            if os.path.exists(target):
                os.rename(target, old)
            os.rename(temporary, target)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            if os.path.exists(old) and not os.path.exists(target):
                os.rename(old, target)
            raise


def _write_file(span: Span, path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with atomic_write(path) as out:
        for chunk in span.chunks():
            out.write(chunk)


def _write_variables(document: Document, directory: str) -> None:
    """The values of the variables, in the order and the files of the checkpoint that they came from, where they did;
    what else that holds (the object graph, counters) stays."""
    prefix = join(directory, VARIABLES, VARIABLES)
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    tensors, slices = weights_of(document.variables)
    source = Checkpoint(document.weights) if document.weights else None
    if source is None or source.version == 1:
        save_checkpoint(prefix, tensors, slices=slices)
        return
    held = {name: tensors.pop(name) if name in tensors else source[name] for name in source}
    shards = source.layout()
    shards[-1].extend(tensors)
    write_bundle(prefix, {**held, **tensors}, shards, slices)


def weights_of(variables: Mapping[str, Variable]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The values of variables by checkpoint key, and for parts of partitioned ones `KEY spec`."""
    tensors: dict[str, Tensor] = {}
    slices: dict[str, str] = {}
    for variable in variables.values():
        if variable.tensor is None or not variable.key:  # without a key: the path of an asset
            continue
        if variable.slice_spec:
            key = f"{variable.key} {variable.slice_spec}"
            slices[key] = key
        else:
            key = variable.key
        tensors[key] = variable.tensor
    return tensors, slices


def _servable(document: Document) -> Document:
    """The document with what a SavedModel needs and a bare graph lacks: a tag, and a saver when it has variables."""
    if document.kind == "saved_model":
        return document
    meta = pb.MetaGraphDef()
    meta.CopyFrom(document.meta)
    if SERVE not in meta.meta_info_def.tags:
        meta.meta_info_def.tags.append(SERVE)
    graph = document.graph
    variables = [v for v in document.variables.values() if v.node is not None and v.node in graph]
    if variables and not meta.saver_def.restore_op_name:
        graph = graph.copy()
        meta.saver_def.CopyFrom(add_saver(graph, variables))
    return dataclasses.replace(document, meta=meta, graph=graph, weights="" if variables else document.weights)
