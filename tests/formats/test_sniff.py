"""What a file is, told by its content: every kind under a misleading name, and the way out."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cryograph.base.errors import FormatError, InputError, WrongKindError
from cryograph.base.files import MemoryFile, open_file
from cryograph.formats.load import load_as, load_document
from cryograph.formats.sniff import FORMATS, sniff
from cryograph.wire import messages as pb
from cryograph.wire.crc import crc32c, mask

GRAPH = pb.GraphDef(node=[pb.NodeDef(name="x", op="Placeholder")])


def meta(**fields: object) -> pb.MetaGraphDef:
    return pb.MetaGraphDef(graph_def=GRAPH, **fields)  # type: ignore[arg-type]


def tagged() -> pb.MetaGraphDef:
    return meta(meta_info_def=pb.MetaGraphDef.MetaInfoDef(tags=["serve"]))


def zip_of(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, b"{}")
    return data.getvalue()


def npz() -> bytes:
    data = io.BytesIO()
    np.savez(data, w=np.ones(3))
    return data.getvalue()


def tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return data.getvalue()


def record() -> bytes:
    length = struct.pack("<Q", 3)
    return length + struct.pack("<I", mask(crc32c(length))) + b"abc" + struct.pack("<I", mask(crc32c(b"abc")))


CONTENTS: dict[str, tuple[bytes, ...]] = {
    "empty": (b"",),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",),
    "html": (b"\n<!DOCTYPE html><html>", b"<html><body>"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',),
    "state": (b'model_checkpoint_path: "model-7"\n',),
    "npz": (npz(),),
    "keras_zip": (zip_of("config.json", "metadata.json", "model.weights.h5"),),
    "torch": (zip_of("archive/data.pkl"),),
    "cut_zip": (npz()[:100], zip_of("config.json")[:-10]),
    "zip": (zip_of("saved_model.pb"),),
    "gzip": (gzip.compress(b"abc"),),
    "xz": (b"\xfd7zXZ\0abc", b"BZh9abc"),
    "tar": (tar(),),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100),),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(100),),
    "numpy": (b"\x93NUMPY" + bytes(100),),
    "pickle": tuple(pickle.dumps({"a": 1}, protocol) for protocol in (0, 2, 3, 4, 5)),
    "image": (b"\xff\xd8\xff\xe0" + bytes(50), b"\x89PNG\r\n\x1a\n", b"GIF89a"),
    "safetensors": (struct.pack("<Q", 2) + b"{}",),
    "tfrecord": (record(),),
    "tfjs": (
        json.dumps({"format": "graph-model", "modelTopology": {"node": []}}).encode(),
        json.dumps({"format": "graph-model", "signature": {"inputs": "x" * 5000}, "modelTopology": {}}).encode(),
        json.dumps({"weightsManifest": [], "modelTopology": {"node": []}}).encode(),
    ),
    "tfjs_layers": (
        json.dumps({"format": "layers-model", "modelTopology": {"model_config": {}}}).encode(),
        json.dumps({"modelTopology": {"class_name": "Sequential", "config": []}}).encode(),
    ),
    "keras_json": (json.dumps({"class_name": "Sequential", "config": []}).encode(),),
    "caffe": (b'name: "LeNet"\nlayer { name: "a" }\n', b"layers {\n}\n"),
    "labels": (b"item {\n  id: 1\n}\n",),
    "saved_model_text": (b"saved_model_schema_version: 1\nmeta_graphs {\n}\n",),
    "meta_text": (b'meta_info_def {\n  tags: "serve"\n}\n', b"# by hand\ngraph_def <\n>\n"),
    "pbtxt": (b'node {\n  name: "x"\n}\n', b"versions {\n  producer: 21\n}\n", b"library: {\n}\n"),
    "saved_model": (
        pb.SavedModel(saved_model_schema_version=1, meta_graphs=[tagged()]).SerializeToString(),
        pb.SavedModel(meta_graphs=[tagged()]).SerializeToString(),
    ),
    "coreml": (b"\x08\x01\x12\x05\x0a\x03\x0a\x01x\xa2\x1f\x03abc",),  # the field 500
    "onnx": (b"\x08\x08\x12\x04abcd:\x03\x12\x01g", b"\x08\x08:\x03\x12\x01g"),
    "meta": (
        tagged().SerializeToString(),
        meta().SerializeToString(),
        meta(saver_def=pb.SaverDef(save_tensor_name="save:0")).SerializeToString(),
    ),
    "pb": (
        GRAPH.SerializeToString(),
        pb.GraphDef(versions=pb.VersionDef(producer=1)).SerializeToString(),
        pb.GraphDef(
            library=pb.FunctionDefLibrary(function=[pb.FunctionDef(signature=pb.OpDef(name="f"))]),
            versions=pb.VersionDef(producer=1),
        ).SerializeToString(),
    ),
}
CASES = [(name, data) for name, contents in CONTENTS.items() for data in contents]


@pytest.mark.parametrize(("name", "data"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_the_content_tells_the_kind(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / "model.pb"  # the suffix says nothing
    path.write_bytes(data)
    format = sniff(open_file(path))
    assert format.name == name
    if format.read is None and name != "state":
        with pytest.raises(WrongKindError) as error:
            load_document(path)
        assert str(error.value) == f"{path} is {format.what}. {format.way_out}"


def test_every_kind_has_a_case_and_those_that_cannot_be_opened_a_way_out() -> None:
    names = [format.name for format in FORMATS]
    assert len(set(names)) == len(names)
    elsewhere = {"table", "memmapped"}  # tests of checkpoints and packages
    assert set(names) - elsewhere == set(CONTENTS)
    for format in FORMATS:
        assert format.read or format.way_out or format.name in ("table", "state")


@pytest.mark.parametrize("data", [b"hello world\n", bytes(100), b"\x53\xcb\xf0\x41", b"\x00", b"\xff" * 50])
def test_what_is_nothing_is_told_so(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"m is no model file that cryograph knows: .* It begins with b"):
        sniff(MemoryFile(data, "m"))


@pytest.mark.parametrize("name", ["pb", "meta", "saved_model"])
def test_a_file_that_is_cut_short_is_still_of_its_kind(name: str) -> None:
    large = pb.GraphDef(node=[pb.NodeDef(name=f"node_{i}", op="NoOp") for i in range(50)])
    tags = pb.MetaGraphDef.MetaInfoDef(tags=["serve"])
    whole = {
        "pb": large,
        "meta": pb.MetaGraphDef(meta_info_def=tags, graph_def=large),
        "saved_model": pb.SavedModel(
            saved_model_schema_version=1, meta_graphs=[pb.MetaGraphDef(meta_info_def=tags, graph_def=large)]
        ),
    }[name].SerializeToString()
    assert sniff(MemoryFile(whole[: len(whole) - 7], "m")).name == name


def test_a_kind_that_was_asked_for_has_to_come(tmp_path: Path) -> None:
    path = tmp_path / "x.pb"
    path.write_bytes(CONTENTS["saved_model"][0])
    assert load_as(path, "saved_model").kind == "saved_model"
    with pytest.raises(WrongKindError) as error:
        load_as(path, "pb")
    assert str(error.value) == f"{path} is a SavedModel, not a GraphDef."
    path.write_bytes(CONTENTS["meta"][0])
    assert load_as(path, "meta").kind == "meta_graph"
    with pytest.raises(WrongKindError) as error:
        load_as(path, "pb")
    assert str(error.value) == f"{path} is a MetaGraphDef, not a GraphDef."
    path.write_bytes(CONTENTS["hdf5"][0])
    with pytest.raises(WrongKindError, match=r"as Keras writes models and weights \(.h5\), not a SavedModel. Export"):
        load_as(path, "saved_model")
    path.write_bytes(CONTENTS["pb"][0])
    assert load_as(path, "pb").kind == "graph"
    with pytest.raises(WrongKindError, match=r" is a directory, not a MetaGraphDef\."):
        load_as(tmp_path, "meta")
    with pytest.raises(InputError, match=r"There is no kind 'onnx'\. Kinds: pb, meta, saved_model"):
        load_as(path, "onnx")
