"""Checkpoints as mappings: by whatever path, of either version, wherever the values lie."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cryograph as cg
from cryograph.base.dtypes import DTYPES, dtype_of
from cryograph.base.errors import DamagedError, FileError, InputError, LimitError, UnknownNameError, WrongKindError
from cryograph.base.tensors import Tensor
from cryograph.formats.checkpoint import Checkpoint, find_prefix, is_whole, latest_checkpoint, save_checkpoint
from cryograph.wire import messages as pb
from tests.support.checkpoints import entry_of, floats, index_of, write_v2

W = np.arange(12, dtype=np.float32).reshape(3, 4)
TENSORS = {"w": W, "scope/b": np.array([1, 2], np.int64), "s": np.array(b"text", object), "empty": np.zeros((0, 2))}


def values_of(read: Checkpoint) -> dict[str, Any]:
    return {name: read[name].numpy().tolist() for name in read}


PLAIN = {name: value.tolist() for name, value in TENSORS.items()}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("shards", [1, 3])
def test_what_is_saved_is_read(tmp_path: Path, version: int, shards: int) -> None:
    prefix = save_checkpoint(tmp_path / "m", TENSORS, version=version, shards=shards)
    read = Checkpoint(prefix)
    assert (read.version, read.prefix) == (version, prefix)
    assert list(read) == ["empty", "s", "scope/b", "w"]
    assert values_of(read) == PLAIN
    assert len(read) == 4
    assert "w" in read
    assert "x" not in read
    assert len(read.shards) == shards
    assert sorted(name for run in read.layout() for name in run) == sorted(TENSORS)
    assert read.object_graph is None
    assert read.object_paths == {}
    assert repr(read) == f"<Checkpoint {prefix!r}, version {version}, 4 tensors>"
    report = read.verify()
    assert report.is_sound
    assert report.checked == 4
    assert is_whole(prefix)


@pytest.mark.parametrize("version", [1, 2])
def test_values_are_views_of_the_file(tmp_path: Path, version: int) -> None:
    save_checkpoint(tmp_path / "m", {"w": W}, version=version)
    read = Checkpoint(tmp_path / "m")
    tensor = read["w"]
    assert not tensor.is_loaded
    assert tensor.content is not None
    array = tensor.numpy()
    assert not array.flags.owndata
    assert not array.flags.writeable
    assert np.array_equal(array, W)
    assert read["w"] is tensor  # and so its checksum is checked once


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
KINDS = [d for d in DTYPES.values() if d.number and not d.is_ref and d.numpy is not None]


@st.composite
def any_tensors(draw: st.DrawFn, kinds: list[Any]) -> dict[str, Tensor]:
    found = {}
    for name in draw(st.lists(NAMES, unique=True, max_size=8)):
        kind = draw(st.sampled_from(kinds))
        shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
        count = int(np.prod(shape))
        if kind.is_string:
            array = np.empty(count, object)
            array[:] = draw(st.lists(st.binary(max_size=200), min_size=count, max_size=count))
        elif kind.name == "bool":
            array = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
        elif kind.name.lstrip("u") in ("int2", "int4") or kind.name.startswith("float4"):
            array = np.array(draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))).astype(kind.numpy)
        else:
            size = count * kind.itemsize
            array = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), kind.numpy)
        found[name] = Tensor.of(array.reshape(shape), kind)
    return found


def assert_same(read: Checkpoint, tensors: dict[str, Tensor]) -> None:
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert (read[name].dtype, read[name].shape) == (tensor.dtype, tensor.shape)
        if tensor.dtype.is_string:
            assert read[name].numpy().tolist() == tensor.numpy().tolist()
        else:
            assert b"".join(read[name].chunks(5)) == b"".join(tensor.chunks()) == read[name].numpy().tobytes()


@given(any_tensors(KINDS), st.integers(1, 3))
def test_anything_comes_back(tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, Tensor], shards: int) -> None:
    directory = tmp_path_factory.mktemp("any")
    save_checkpoint(directory / "m", tensors, shards=shards)
    read = Checkpoint(directory / "m")
    assert_same(read, tensors)
    assert read.verify().is_sound
    # And the same tensors, read, give the same bytes.
    save_checkpoint(directory / "again", {name: read[name] for name in tensors}, shards=shards)
    assert index_of(directory / "again") == index_of(directory / "m")


OLD = ["float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool", "qint8",
       "quint8", "qint32", "uint16", "complex128", "float16"]  # fmt: skip


@given(any_tensors([dtype_of(name) for name in OLD]))
def test_anything_of_version_1_comes_back(tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, Tensor]) -> None:
    directory = tmp_path_factory.mktemp("any")
    save_checkpoint(directory / "m", tensors, version=1)
    read = Checkpoint(directory / "m")
    assert_same(read, tensors)
    assert read.verify().is_sound


# --- paths


@pytest.mark.parametrize("member", ["m", "m.index", "m.data-00001-of-00002", "m.meta", "", "checkpoint"])
def test_by_any_member(tmp_path: Path, member: str) -> None:
    save_checkpoint(tmp_path / "m", TENSORS, shards=2)
    (tmp_path / "m.meta").write_bytes(b"\x0a\x00")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "m"\n')
    path = f"{tmp_path}/{member}" if member else tmp_path
    assert find_prefix(path) == str(tmp_path / "m")
    assert values_of(Checkpoint(path)) == PLAIN


@pytest.mark.parametrize("member", ["", ".index", ".data-00000-of-00001", ".meta"])
def test_an_empty_name(tmp_path: Path, member: str) -> None:
    save_checkpoint(f"{tmp_path}/d/", TENSORS)
    (tmp_path / "d" / ".meta").write_bytes(b"\x0a\x00")
    assert (tmp_path / "d" / ".index").exists()
    assert values_of(Checkpoint(f"{tmp_path}/d/{member}")) == PLAIN
    assert values_of(Checkpoint(tmp_path / "d")) == PLAIN


@pytest.mark.parametrize("member", ["m", "m.index", "", "./m", ".", "checkpoint", "./checkpoint", "sub/../m"])
def test_paths_relative_to_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    save_checkpoint("m", TENSORS)
    if member == "":
        save_checkpoint("", TENSORS)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "m"\n')
    assert values_of(Checkpoint(member)) == PLAIN


def test_names_that_look_like_something_else(tmp_path: Path) -> None:
    for name in ("m.index", "model.meta", "a.data-00000-of-00001", "checkpoint", "x y%?*[1]", "ü"):
        save_checkpoint(tmp_path / name / name, TENSORS)
        assert values_of(Checkpoint(tmp_path / name / name)) == PLAIN
        assert values_of(Checkpoint(tmp_path / name)) == PLAIN


@pytest.mark.parametrize("member", ["m", "m.meta", "m-00000-of-00002", "m-00001-of-00002", "m-?????-of-00002", ""])
def test_sharded_version_1(tmp_path: Path, member: str) -> None:
    prefix = save_checkpoint(tmp_path / "m", TENSORS, version=1, shards=2)
    (tmp_path / "m.meta").write_bytes(b"\x0a\x00")
    assert prefix == f"{tmp_path}/m-?????-of-00002"
    read = Checkpoint(f"{tmp_path}/{member}" if member else tmp_path)
    assert (read.version, read.prefix) == (1, prefix)
    assert values_of(read) == PLAIN
    assert latest_checkpoint(tmp_path) == prefix
    (tmp_path / "m-00001-of-00002").unlink()
    for path in (prefix, tmp_path / "m"):
        with pytest.raises(FileError, match=r"(some of its files are missing|There is no checkpoint at)"):
            Checkpoint(path)


def test_a_v1_file_in_a_directory(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model.ckpt", TENSORS, version=1)
    (tmp_path / "notes.txt").write_text("about the model")
    assert Checkpoint(tmp_path).prefix == str(tmp_path / "model.ckpt")
    save_checkpoint(tmp_path / "other.ckpt", TENSORS, version=1)
    with pytest.raises(FileError, match=r"holds several checkpoints; name one: .*model\.ckpt, .*other\.ckpt"):
        Checkpoint(tmp_path)


def test_remote_checkpoints() -> None:
    fs = fsspec.filesystem("memory")
    for version, shards in ((2, 1), (2, 3), (1, 1), (1, 2)):
        directory = f"memory://bucket/{version}{shards}"
        prefix = save_checkpoint(f"{directory}/m-5", TENSORS, version=version, shards=shards)
        assert values_of(Checkpoint(prefix)) == PLAIN
        assert values_of(Checkpoint(directory)) == PLAIN
        assert latest_checkpoint(directory) == prefix
        assert Checkpoint(prefix).verify().is_sound
        assert is_whole(prefix)
        assert all("tmp" not in name for name in fs.find(f"/bucket/{version}{shards}"))
    with pytest.raises(FileError, match="There is no checkpoint at memory://bucket/none"):
        Checkpoint("memory://bucket/none")
    save_checkpoint("memory://bucket/21/m-5", {"w": W + 1}, shards=2)
    assert sorted(fs.find("/bucket/21")) == [f"/bucket/21/m-5.{end}" for end in
                                             ("data-00000-of-00002", "data-00001-of-00002", "index")]  # fmt: skip
    assert Checkpoint("memory://bucket/21/m-5")["w"].numpy()[0, 0] == 1


def test_what_is_remote_is_fetched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint("memory://once/m", {"w": floats(3 << 20)})
    fs = fsspec.filesystem("memory")
    fetched: list[int] = []
    plain = type(fs).cat_file

    def counted(self: Any, path: str, start: int | None = None, end: int | None = None, **more: Any) -> bytes:
        data = bytes(plain(self, path, start=start, end=end, **more))
        fetched.append(len(data))
        return data

    monkeypatch.setattr(type(fs), "cat_file", counted)
    assert Checkpoint("memory://once/m")["w"].numpy().nbytes == 12 << 20
    assert sum(fetched) < 13 << 20


# --- errors that a user meets


def test_wrong_names_get_the_nearest(tmp_path: Path) -> None:
    names = ["conv/kernel", "conv/bias", "dense/kernel", "dense/bias", "step", "loss"]
    read = Checkpoint(save_checkpoint(tmp_path / "m", dict.fromkeys(names, W)))
    with pytest.raises(UnknownNameError, match=r"m has no tensor 'conv/kernal'\. Nearest: conv/kernel"):
        read["conv/kernal"]
    with pytest.raises(KeyError):
        read["kernel"]
    assert read.get("x") is None


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"There is no checkpoint at .*/m: neither .*/m\.index nor a file"):
        Checkpoint(tmp_path / "m")
    with pytest.raises(FileError, match="There is no checkpoint in"):
        Checkpoint(tmp_path)
    with pytest.raises(FileError, match=r"m\.index is missing; without it the checkpoint's data cannot be read"):
        Checkpoint(tmp_path / "m.data-00000-of-00001")
    (tmp_path / "m.meta").write_bytes(b"\x0a\x00")
    with pytest.raises(FileError, match=r"m\.meta is a graph; its checkpoint \(.*/m\.index\) is not beside it"):
        Checkpoint(tmp_path / "m.meta")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(WrongKindError, match="text is not a checkpoint: it does not end as a table does"):
        Checkpoint(tmp_path / "text")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "gone-7"\n')
    with pytest.raises(FileError, match=r"checkpoint names .*gone-7, which is not there"):
        Checkpoint(tmp_path)


def test_a_missing_data_file(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", {"a": W, "b": W}, shards=2)
    (tmp_path / "m.data-00001-of-00002").unlink()
    read = Checkpoint(tmp_path / "m")
    assert read["a"].shape == (3, 4)
    with pytest.raises(FileError, match=r"m\.data-00001-of-00002 is missing; the checkpoint .* has 2 data files"):
        read["b"]
    assert len(read.verify().problems) == 2
    assert not is_whole(str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("tensors", "more", "error", "message"),
    [
        ({"": W}, {}, InputError, "A tensor needs a name"),
        ({"w": W}, {"shards": 0}, InputError, "has 1 to 99999 data files, not 0"),
        ({"w": W}, {"version": 3}, InputError, "no checkpoint of version 3; 1 and 2 are possible"),
        ({"w": [{}]}, {}, InputError, "holds a dict"),
        ({"w": np.array([1], ml_dtypes.bfloat16)}, {"version": 1}, InputError, "'w' is bfloat16, which checkpoints of"),
        ({"a": W}, {"slices": {"a": "w 3 4 0,2"}}, InputError, "2 sizes and 1 extents"),
        (
            {"a": W},
            {"slices": {"a": "w 3 4 0,2:-"}},
            InputError,
            r"of the shape \(2, 4\), but its values have \(3, 4\)",
        ),
        ({"a": W}, {"slices": {"a": "w 6 4 -1,3:-"}}, InputError, "starts are at least 0"),
        ({"a": W, "b": W}, {"slices": {"a": "w 6 4 0,3:-", "b": "w 9 4 3,3:-"}}, InputError, "does not fit what else"),
        ({"w": W, "b": W}, {"slices": {"b": "w 9 4 3,3:-"}}, InputError, "does not fit what else"),
        ({"b": W, "w": W}, {"slices": {"b": "w 9 4 3,3:-"}}, InputError, "Two tensors are called 'w'"),
        (
            {"a": W, "b": W},
            {"slices": {"a": "w 6 4 0,3:-", "b": "w 6 4 0,3:-"}},
            InputError,
            "(Two tensors|does not fit)",
        ),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_what_cannot_be_saved(
    tmp_path: Path, tensors: Any, more: dict[str, Any], error: type[Exception], message: str, version: int
) -> None:
    if "Two tensors" in message:
        message = "(Two tensors are called|does not fit what else)"
    with pytest.raises(error, match=message):
        save_checkpoint(tmp_path / "m", tensors, **{"version": version, **more})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_one(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", TENSORS)

    def broken() -> Any:
        raise DamagedError("no values")

    with pytest.raises(DamagedError):
        save_checkpoint(tmp_path / "m", {"w": W, "x": Tensor.lazy(dtype_of("float32"), (2,), broken)})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.data-00000-of-00001", "m.index"]
    assert values_of(Checkpoint(tmp_path / "m")) == PLAIN


def test_saving_over_what_is_being_read(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", {"w": W, "v": W}, shards=3)
    read = Checkpoint(tmp_path / "m")
    before = read["v"]  # its file is open from here on
    save_checkpoint(tmp_path / "m", {"w": read["w"], "v": W + 1})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.data-00000-of-00001", "m.index"]
    assert np.array_equal(Checkpoint(tmp_path / "m")["w"].numpy(), W)
    assert np.array_equal(before.numpy(), W)


def test_extra_files_stay(tmp_path: Path) -> None:
    for name in ("m.notes", "m.data-00000-of-00009.bak", "mm.data-00000-of-00002", "m-1.index"):
        (tmp_path / name).write_text("mine")
    save_checkpoint(tmp_path / "m", TENSORS)
    assert len(list(tmp_path.iterdir())) == 6


# --- what files say


def test_fields_of_a_later_version_are_kept(tmp_path: Path) -> None:
    """An entry and a header with fields that the schema does not know; the versions admit this reader."""
    data = W.tobytes()
    entry = entry_of("float32", (3, 4), data).SerializeToString() + b"\xf2\x03\x03new" + b"\xf8\x03\x05"
    header = pb.BundleHeaderProto(num_shards=1, version=pb.VersionDef(producer=9, min_consumer=1, bad_consumers=[2]))
    write_v2(tmp_path / "m", {"w": entry}, [data], header.SerializeToString() + b"\xfa\x03\x01x")
    read = Checkpoint(tmp_path / "m")
    assert np.array_equal(read["w"].numpy(), W)
    assert read._open.entries["w"].SerializeToString() == entry  # type: ignore[attr-defined]
    assert read.verify().is_sound


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    data = W.tobytes()
    write_v2(tmp_path / "m", {b"\xff\xfe": entry_of("float32", (3, 4), data)}, [data])
    read = Checkpoint(tmp_path / "m")
    (name,) = read
    assert np.array_equal(read[name].numpy(), W)
    save_checkpoint(tmp_path / "again", {name: read[name]})
    assert index_of(tmp_path / "again") == index_of(tmp_path / "m")


def test_object_graphs(tmp_path: Path) -> None:
    graph = pb.TrackableObjectGraph()
    root, model, weight, slot = (graph.nodes.add() for _ in range(4))
    root.children.add(node_id=1, local_name="model")
    root.children.add(node_id=0, local_name="itself")
    model.children.add(node_id=2, local_name="w")
    model.children.add(node_id=1, local_name="again")
    model.slot_variables.add(original_variable_node_id=2, slot_name="m", slot_variable_node_id=3)
    weight.attributes.add(name="VARIABLE_VALUE", checkpoint_key="model/w")
    slot.attributes.add(name="VARIABLE_VALUE", checkpoint_key="model/w/m")
    root.attributes.add(name="OBJECT_CONFIG_JSON", checkpoint_key="json")
    save_checkpoint(tmp_path / "m", {"model/w": W, "model/w/m": W}, object_graph=graph)
    read = Checkpoint(tmp_path / "m")
    assert read.object_graph == graph
    paths = read.object_paths
    assert paths["model/w"] == "model.w"
    assert paths["model/w/m"] == "model.get_slot(model.w, 'm')"
    assert paths["json"] == "(root)"
    graph.nodes[1].children.add(node_id=9, local_name="gone")
    save_checkpoint(tmp_path / "bad", {"model/w": W}, object_graph=graph)
    with pytest.raises(DamagedError, match=r"bad: its object graph mentions the object 9 of 4"):
        _ = Checkpoint(tmp_path / "bad").object_paths
    save_checkpoint(tmp_path / "worse", {"model/w": W}, object_graph=b"\xff")
    with pytest.raises(DamagedError, match=r"worse: the entry b'_CHECKPOINTABLE_OBJECT_GRAPH' cannot be read"):
        _ = Checkpoint(tmp_path / "worse").object_graph
    save_checkpoint(tmp_path / "float", {"_CHECKPOINTABLE_OBJECT_GRAPH": W})
    with pytest.raises(DamagedError, match="cannot be read"):
        _ = Checkpoint(tmp_path / "float").object_graph


def test_object_paths_cannot_fill_the_memory(tmp_path: Path) -> None:
    graph = pb.TrackableObjectGraph()
    for number in range(3000):
        graph.nodes.add().children.add(node_id=number + 1, local_name="n" * 100)
    graph.nodes.add()
    save_checkpoint(tmp_path / "m", {"w": W}, object_graph=graph)
    with pytest.raises(LimitError, match="the paths of its objects take more than"):
        _ = Checkpoint(tmp_path / "m").object_paths


def test_strings_keep_the_zero_bytes_at_their_end(tmp_path: Path) -> None:
    for version in (1, 2):
        save_checkpoint(
            tmp_path / "m", {"s": b"a\0", "l": [b"b\0\0", "c"], "e": np.array([b"d\0"], object)}, version=version
        )
        read = Checkpoint(tmp_path / "m")
        assert values_of(read) == {"e": [b"d\0"], "l": [b"b\0\0", b"c"], "s": b"a\0"}
        for path in tmp_path.iterdir():
            path.unlink()


def test_the_public_names(tmp_path: Path) -> None:
    prefix = cg.save_checkpoint(tmp_path / "m-1", {"w": W}, shards=2)
    assert cg.latest_checkpoint(tmp_path) == prefix
    assert np.array_equal(cg.Checkpoint(prefix)["w"], W)


@pytest.mark.big
def test_a_hundred_thousand_entries_open_quickly(tmp_path: Path) -> None:
    """Opening costs the number of entries: measured in a process of its own, against one of 10,000."""
    for count in (10_000, 100_000):
        save_checkpoint(
            tmp_path / str(count), {f"model/layer_{i // 10}/block_{i % 10}/kernel": np.float32(i) for i in range(count)}
        )
    script = (
        "import sys, time; from cryograph.formats.checkpoint import Checkpoint\n"
        "def best(path):\n"
        "    times = []\n"
        "    for _ in range(3):\n"
        "        start = time.process_time(); Checkpoint(path); times.append(time.process_time() - start)\n"
        "    return min(times)\n"
        "print(best(sys.argv[1]), best(sys.argv[2]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "10000"), str(tmp_path / "100000")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    small, large = map(float, run.stdout.split())
    assert large < 1.5
    assert large < 20 * small
