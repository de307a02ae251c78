"""SavedModel directories: tags, siblings, files beside the message, and writing that never loses what was there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cryograph.base import files
from cryograph.base.dtypes import FLOAT32
from cryograph.base.errors import FileError, FormatError, InputError, UnknownNameError
from cryograph.base.tensors import Tensor
from cryograph.formats import savedmodel
from cryograph.formats.load import load_document
from cryograph.formats.save import save_document
from cryograph.formats.savedmodel import read_savedmodel
from cryograph.graph.document import Document
from cryograph.graph.graph import Graph
from cryograph.graph.node import Node
from cryograph.graph.variables import find_variables
from cryograph.wire import messages as pb

UNKNOWN = b"\xba\x3e\x03abc"


def many(directory: Path, *tag_sets: tuple[str, ...]) -> bytes:
    """A SavedModel with one MetaGraph for each tag set; its node tells which it is."""
    proto = pb.SavedModel(saved_model_schema_version=1)
    for number, tags in enumerate(tag_sets):
        meta = proto.meta_graphs.add()
        meta.meta_info_def.tags.extend(tags)
        meta.graph_def.node.add(name=f"graph_{number}", op="NoOp")
    proto.MergeFromString(UNKNOWN)
    data = proto.SerializeToString(deterministic=True)
    directory.mkdir()
    (directory / "saved_model.pb").write_bytes(data)
    return data


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def small() -> Document:
    graph = Graph([Node.make("w", "VarHandleOp", attrs={"dtype": FLOAT32, "shape": (3,), "shared_name": b"w"})])
    found = find_variables(graph, {})
    held = {name: v.with_tensor(Tensor.of(np.ones(3, np.float32))) for name, v in found.items()}
    return Document(graph, "graph", variables=held)


def test_objects_tell_which_variables_are_trained(tmp_path: Path) -> None:
    """A file of TF2 has no collections. Of two objects that call their variables the same nothing follows."""
    proto = pb.SavedModel(saved_model_schema_version=1)
    meta = proto.meta_graphs.add()
    for name in ("w", "mean", "twice", "more"):
        handle = Node.make(name, "VarHandleOp", attrs={"dtype": FLOAT32, "shape": (3,), "shared_name": name.encode()})
        meta.graph_def.node.append(handle.proto)
    for name, trained in (("w", True), ("mean", False), ("twice", True), ("twice", False)):
        meta.object_graph_def.nodes.add().variable.MergeFrom(pb.SavedVariable(name=name, trainable=trained))
    tmp_path.joinpath("saved_model.pb").write_bytes(proto.SerializeToString())
    found = load_document(tmp_path).variables
    assert {name: v.trainable for name, v in found.items()} == {"w": True, "mean": False, "twice": None, "more": None}


@pytest.mark.parametrize(
    ("tag_sets", "tags", "number"),
    [
        ([("odd",)], None, 0),
        ([()], None, 0),
        ([("train",), ("serve",)], None, 1),
        ([("serve", "gpu"), ("serve",)], None, 1),
        ([("train",), ("serve", "tpu")], None, 1),
        ([("serve", "gpu"), ("serve",)], ["gpu", "serve"], 0),
        ([("train",), ()], [], 1),
    ],
)
def test_which_metagraph_is_taken(
    tmp_path: Path, tag_sets: list[tuple[str, ...]], tags: list[str] | None, number: int
) -> None:
    data = many(tmp_path / "m", *tag_sets)
    document = load_document(tmp_path / "m", tags)
    assert list(document.graph.nodes) == [f"graph_{number}"]
    assert len(document.siblings) == len(tag_sets) - 1
    # Whichever was taken, all are written back in their order, unknown fields too.
    save_document(document, tmp_path / "copy", format="saved_model")
    assert (tmp_path / "copy" / "saved_model.pb").read_bytes() == data


def test_tags_that_leave_a_choice_list_it(tmp_path: Path) -> None:
    many(tmp_path / "m", ("train",), ("eval",))
    with pytest.raises(UnknownNameError, match="has 2 MetaGraphs; choose one by its tags: train; eval"):
        load_document(tmp_path / "m")
    with pytest.raises(UnknownNameError, match=r"has no MetaGraph of the tags serve\. There are: train; eval"):
        load_document(tmp_path / "m", ["serve"])


def test_what_is_no_savedmodel(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"is no SavedModel: it has neither saved_model.pb nor saved_model.pbtxt"):
        read_savedmodel(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(pb.SavedModel(saved_model_schema_version=1).SerializeToString())
    with pytest.raises(FormatError, match="a SavedModel without a MetaGraph"):
        load_document(tmp_path)


def test_files_beside_the_message_are_kept(tmp_path: Path) -> None:
    source = tmp_path / "m"
    save_document(small(), source, format="saved_model")
    (source / "assets").mkdir()
    (source / "assets" / "words.txt").write_text("a\nb\n")
    (source / "assets.extra" / "deep").mkdir(parents=True)
    (source / "assets.extra" / "deep" / "x").write_bytes(b"\0\1")
    (source / "fingerprint.pb").write_bytes(b"f")
    (source / "keras_metadata.pb").write_bytes(b"k")
    document = load_document(source / "saved_model.pb")
    assert list(document.assets) == ["words.txt"]
    assert set(document.extras) == {"assets.extra/deep/x", "fingerprint.pb", "keras_metadata.pb"}
    save_document(document, tmp_path / "copy", format="saved_model")
    assert snapshot(tmp_path / "copy") == snapshot(source)
    save_document(load_document(source), source, format="saved_model")  # over itself
    assert snapshot(source) == snapshot(tmp_path / "copy")
    assert sorted(os.listdir(tmp_path)) == ["copy", "m"]


def test_only_a_savedmodel_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="mine is there and is no SavedModel; it is not overwritten"):
        save_document(small(), tmp_path / "mine", format="saved_model")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file is there and is no SavedModel"):
        save_document(small(), tmp_path / "file", format="saved_model")
    (tmp_path / "empty").mkdir()
    save_document(small(), tmp_path / "empty", format="saved_model")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("failing", ["write", "first rename", "second rename"])
def test_what_fails_leaves_the_older_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    target = tmp_path / "m"
    many(target, ("serve",))
    before = snapshot(target)
    if failing == "write":

        def no_space(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(savedmodel, "_write_variables", no_space)
    else:
        calls = []
        rename = os.rename

        def fails_once(source: str, to: str) -> None:
            directory = os.path.isdir(source)
            calls.extend([source] if directory else [])
            if directory and len(calls) == (1 if failing == "first rename" else 2):
                raise OSError(5, "Input/output error")
            rename(source, to)

        monkeypatch.setattr(os, "rename", fails_once)
    with pytest.raises(FileError, match=r"Cannot write .*m: (the disk is full|Input/output error)"):
        save_document(small(), target, format="saved_model")
    assert snapshot(target) == before
    assert os.listdir(tmp_path) == ["m"]


def test_its_checkpoint_alone_names_the_model_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_document(small(), tmp_path / "m", format="saved_model")
    prefix = tmp_path / "m" / "variables" / "variables"
    assert load_document(f"{prefix}.index").nearby == (str(tmp_path / "m"),)
    monkeypatch.chdir(tmp_path / "m")
    assert load_document("variables/variables.index").nearby == (".",)
    assert not files.is_file("variables/variables")
