"""Graphs and MetaGraphs as files: lossless, mapped, damaged, large; which file `load` and `save` mean."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from cryograph.base.dtypes import FLOAT32
from cryograph.base.errors import DamagedError, Error, FileError, FormatError, GraphError, InputError
from cryograph.base.tensors import Tensor
from cryograph.formats.graphdef import LargeFileWarning, warn_if_large
from cryograph.formats.load import load_document
from cryograph.formats.save import SUFFIXES, WRITERS, save_document
from cryograph.graph.document import Document
from cryograph.graph.graph import Graph
from cryograph.graph.node import Node
from cryograph.graph.variables import find_variables
from cryograph.transforms.freeze import freeze
from cryograph.wire import messages as pb

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)
UNKNOWN = b"\xba\x3e\x03abc"
"""Field 999, which no message of TensorFlow's has."""


def small(values: bool = True) -> Document:
    """A product, with the ref variable `w`."""
    variable = {"dtype": FLOAT32, "shape": (2, 3), "container": b"", "shared_name": b""}
    graph = Graph(
        [
            Node.make("x", "Placeholder", attrs={"dtype": FLOAT32, "shape": (None, 2)}),
            Node.make("w", "VariableV2", attrs=variable),
            Node.make("y", "MatMul", ["x", "w"], {"T": FLOAT32, "transpose_a": False, "transpose_b": False}),
        ]
    )
    found = find_variables(graph, {})
    if values:
        found = {name: v.with_tensor(Tensor.of(VALUES)) for name, v in found.items()}
    return Document(graph, "graph", variables=found)


def rich_graph() -> pb.GraphDef:
    """A graph with a function, versions, unknown ops, attributes and fields."""
    graph = pb.GraphDef(versions=pb.VersionDef(producer=2100, min_consumer=12, bad_consumers=[13]))
    node = graph.node.add(name="a/b", op="NobodyKnowsThis", input=["^c"], device="/device:GPU:7")
    node.attr["_odd"].list.s.extend([b"\xff\x00", b""])
    node.attr["body"].func.name = "f"
    node.MergeFromString(UNKNOWN)
    big = graph.node.add(name="c", op="Const")
    big.attr["dtype"].type = 1
    big.attr["value"].tensor.dtype = 1
    big.attr["value"].tensor.tensor_shape.dim.add(size=5000)
    big.attr["value"].tensor.tensor_content = np.arange(5000, dtype="<f4").tobytes()
    function = graph.library.function.add()
    function.signature.name = "f"
    function.node_def.add(name="inner", op="NoOp")
    graph.library.gradient.add(function_name="f", gradient_func="g")
    graph.MergeFromString(UNKNOWN)
    return graph


def rich_meta() -> pb.MetaGraphDef:
    """A MetaGraph with every kind of collection."""
    meta = pb.MetaGraphDef(graph_def=rich_graph())
    meta.meta_info_def.tags.extend(["serve", "tpu"])
    meta.meta_info_def.tensorflow_version = "1.4.0"
    meta.meta_info_def.stripped_op_list.op.add(name="NobodyKnowsThis")
    meta.meta_info_def.any_info.type_url = "type.example/thing"
    meta.saver_def.save_tensor_name = "save/c:0"
    meta.collection_def["nodes"].node_list.value.append("c:0")
    meta.collection_def["bytes"].bytes_list.value.append(b"\x80\xff")
    meta.collection_def["ints"].int64_list.value.extend([-1, 1 << 62])
    meta.collection_def["floats"].float_list.value.append(0.5)
    meta.collection_def["any"].any_list.value.add(type_url="u", value=b"v")
    meta.collection_def["nothing"].SetInParent()
    meta.signature_def["one"].inputs["in"].name = "c:0"
    meta.signature_def["one"].method_name = "m"
    meta.asset_file_def.add(filename="words.txt").tensor_info.name = "c:0"
    meta.object_graph_def.nodes.add().asset.asset_file_def_index = 0
    meta.MergeFromString(UNKNOWN)
    return meta


def written(message: object) -> bytes:
    return message.SerializeToString(deterministic=True)  # type: ignore[attr-defined,no-any-return]


def test_a_graph_is_kept_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(written(rich_graph()))
    document = load_document(tmp_path / "a.pb")
    assert document.graph.nodes["c"].attr("value").content is not None  # a place in the file
    save_document(document, tmp_path / "b.pb")
    assert (tmp_path / "b.pb").read_bytes() == (tmp_path / "a.pb").read_bytes()
    assert pb.GraphDef.FromString((tmp_path / "b.pb").read_bytes()) == rich_graph()


def test_a_file_may_be_written_over_itself(tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(written(rich_graph()))
    save_document(load_document(tmp_path / "a.pb"), tmp_path / "a.pb")
    assert (tmp_path / "a.pb").read_bytes() == written(rich_graph())
    assert os.listdir(tmp_path) == ["a.pb"]


def test_the_text_form_says_the_same(tmp_path: Path) -> None:
    graph = rich_graph()
    graph.DiscardUnknownFields()
    (tmp_path / "a.pbtxt").write_text(text_format.MessageToString(graph))
    save_document(load_document(tmp_path / "a.pbtxt"), tmp_path / "b.pb")
    assert (tmp_path / "b.pb").read_bytes() == written(graph)
    save_document(load_document(tmp_path / "b.pb"), tmp_path / "c.pbtxt")
    assert text_format.Parse((tmp_path / "c.pbtxt").read_text(), pb.GraphDef()) == graph


def test_a_metagraph_is_kept_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "a.meta").write_bytes(written(rich_meta()))
    document = load_document(tmp_path / "a.meta")
    kinds = {name: c.kind for name, c in document.collections.items()}
    expected = {"nodes": "node_list", "bytes": "bytes_list", "ints": "int64_list", "floats": "float_list"}
    assert kinds == {**expected, "any": "any_list", "nothing": ""}
    assert document.tags == ("serve", "tpu")
    assert document.signature("one").inputs["in"].tensor == "c:0"
    save_document(document, tmp_path / "b.meta")
    assert (tmp_path / "b.meta").read_bytes() == (tmp_path / "a.meta").read_bytes()


def _error_of(path: Path) -> str | None:
    """What a file is refused with; None when it opens, as one does that ends between two records."""
    try:
        load_document(path)
    except Error as error:
        return str(error)
    return None


def test_a_truncated_file_is_damaged_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = written(rich_meta())
    for size in [*range(1, 200, 7), *range(200, len(whole), len(whole) // 40)]:
        (tmp_path / "cut").write_bytes(whole[:size])
        assert str(tmp_path / "cut") in (_error_of(tmp_path / "cut") or str(tmp_path / "cut"))
    (tmp_path / "cut").write_bytes(whole[:-5000])
    with pytest.raises(DamagedError, match="cut: at byte"):
        load_document(tmp_path / "cut")


def test_names_that_are_not_unique_name_the_file(tmp_path: Path) -> None:
    graph = pb.GraphDef(node=[pb.NodeDef(name="x", op="NoOp"), pb.NodeDef(name="x", op="NoOp")])
    (tmp_path / "a.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(FormatError, match=r"a\.pb: .*'x'"):
        load_document(tmp_path / "a.pb")


def test_large_files_come_with_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_large("m.pb", (1 << 31) - 1)
    with pytest.warns(LargeFileWarning, match=r"m\.pb has 2\.1 GB\. cryograph reads it; TensorFlow and others"):
        warn_if_large("m.pb", 1 << 31)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("a.pb", ["a.pb"]),
        ("A.PB", ["A.PB"]),
        ("a.pbtxt", ["a.pbtxt"]),
        ("a.meta", ["a.data-00000-of-00001", "a.index", "a.meta", "checkpoint"]),
        ("a.meta.txt", ["a.meta.txt"]),
        ("a.ckpt", ["a.ckpt.data-00000-of-00001", "a.ckpt.index", "checkpoint"]),
        ("a.index", ["a.data-00000-of-00001", "a.index", "checkpoint"]),
        ("a.npz", ["a.npz"]),
        ("a.safetensors", ["a.safetensors"]),
        ("a/", ["a/saved_model.pb", "a/variables/variables.data-00000-of-00001", "a/variables/variables.index"]),
    ],
)
def test_the_suffix_tells_what_is_written_and_it_opens_again(tmp_path: Path, name: str, files: list[str]) -> None:
    save_document(small(), f"{tmp_path}/{name}")
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == files
    again = load_document(tmp_path / name)
    assert list(again.variables) == ["w"]
    if again.weights:
        assert again.weights.startswith(str(tmp_path))


@pytest.mark.parametrize("name", ["model", "model.xyz", "model.h5", "model.onnx"])
def test_a_suffix_that_says_nothing_lists_the_formats(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as error:
        save_document(small(), tmp_path / name)
    assert all(known in str(error.value) for known in (*SUFFIXES, *WRITERS))
    assert os.listdir(tmp_path) == []


def test_wrong_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no format 'onxn' to write"):
        save_document(small(), tmp_path / "a.pb", format="onxn")
    with pytest.raises(InputError, match="name the SavedModel's directory, not the file in it"):
        save_document(small(), tmp_path / "saved_model.pb")
    save_document(small(), tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz holds no graph, so that it cannot be written as pb"):
        save_document(load_document(tmp_path / "a.npz"), tmp_path / "b.pb")


def test_weights_beside_a_graph_are_named(tmp_path: Path) -> None:
    save_document(small(), tmp_path / "graph.pbtxt")
    save_document(small(), tmp_path / "m-3", format="checkpoint")
    graph, weights = load_document(tmp_path / "graph.pbtxt"), load_document(tmp_path / "m-3.index")
    assert graph.nearby == (str(tmp_path / "m-3"),)
    assert weights.nearby == (str(tmp_path / "graph.pbtxt"),)
    assert not weights.has_graph
    with pytest.raises(GraphError, match=r"m-3 holds weights only; .* Beside it: .*graph\.pbtxt\."):
        freeze(weights, ["y"])


def test_a_model_dir_takes_the_latest_checkpoint(tmp_path: Path) -> None:
    save_document(small(), tmp_path / "graph.pbtxt")
    for step in (1, 2):
        save_document(small(), tmp_path / f"model.ckpt-{step}", format="checkpoint")
    document = load_document(tmp_path)
    assert (document.kind, document.weights) == ("model_dir", str(tmp_path / "model.ckpt-2"))
    assert document.source == str(tmp_path / "graph.pbtxt")
    save_document(small(), tmp_path / "model.ckpt-3.meta")  # its own graph goes before graph.pbtxt
    document = load_document(tmp_path)
    assert (document.source, document.weights) == (
        str(tmp_path / "model.ckpt-3.meta"),
        str(tmp_path / "model.ckpt-3"),
    )
    assert load_document(tmp_path / "model.ckpt-3.data-00000-of-00001").weights == str(tmp_path / "model.ckpt-3")


def test_directories_with_one_model_several_or_none(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="There is no checkpoint in "):
        load_document(tmp_path)
    save_document(small(), tmp_path / "a.pb")
    assert load_document(tmp_path).source == str(tmp_path / "a.pb")
    save_document(small(), tmp_path / "b.pb")
    with pytest.raises(InputError, match=r"holds several models; name one: .*a\.pb, .*b\.pb\."):
        load_document(tmp_path)


def test_a_path_at_which_nothing_is_names_what_is_near(tmp_path: Path) -> None:
    save_document(small(), tmp_path / "model-10", format="checkpoint")
    with pytest.raises(FileError) as error:
        load_document(tmp_path / "model-1")
    assert str(error.value) == (
        f"{tmp_path}/model-1 does not exist. In {tmp_path} there is: model-10.data-00000-of-00001, model-10.index."
    )
