"""Checkpoints of sessions: what is written, kept and removed, and which paths the ops of a saver may touch."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32, STRING
from cryograph.base.errors import FileError, InputError, MissingWeightsError, RefusedError
from cryograph.formats.checkpoint import is_whole
from cryograph.formats.state import read_state
from cryograph.train import saving
from tests.support.small_graphs import const, document_of, handle, node, placeholder

DEMO = Path(cg.__file__).parent / "data" / "demo"


@pytest.fixture
def bare() -> cg.Model:
    """A graph without a saver."""
    return cg.load(DEMO / "graph.pbtxt", weights=DEMO / "digits-3000")


@pytest.fixture
def saved(bare: cg.Model, tmp_path: Path) -> Iterator[cg.Session]:
    """A session of a MetaGraph, which has a saver."""
    bare.save(tmp_path / "first" / "model.meta")
    with cg.load(tmp_path / "first" / "model.meta").session("numpy") as session:
        yield session


def test_a_session_is_saved_and_restored(saved: cg.Session, tmp_path: Path) -> None:
    path = saved.save(tmp_path / "out" / "model.ckpt", "global_step")
    assert path == str(tmp_path / "out" / "model.ckpt-3000")
    before = saved.run("final/weights")
    saved.assign("final/weights", before * 0)
    saved.restore(path)
    assert np.array_equal(saved.run("final/weights"), before)
    again = cg.load(f"{path}.meta")
    assert again.missing == []
    with again.session("numpy") as other:
        assert np.array_equal(other.value("final/weights"), before)


def test_a_graph_without_a_saver_is_saved_by_its_variables(bare: cg.Model, tmp_path: Path) -> None:
    with bare.session("numpy") as s:
        s.assign("global_step", 7)
        path = s.save(tmp_path / "model")
        assert path == str(tmp_path / "model")
        s.assign("global_step", 8)
        s.restore(path)
        assert s.run("global_step") == 7
        assert cg.load(f"{path}.meta").meta.saver_def.restore_op_name == "save_1/restore_all"
        saved = dict(cg.Checkpoint(path))
        cg.save_checkpoint(tmp_path / "less", {"global_step": saved["global_step"]})
        with pytest.raises(MissingWeightsError, match="has no values for conv1/weights"):
            s.restore(tmp_path / "less")
        s.restore(tmp_path / "less", partial=True)


def test_what_a_checkpoint_lacks_stays_as_it_is(saved: cg.Session, tmp_path: Path) -> None:
    held = dict(cg.Checkpoint(saved.save(tmp_path / "model")))
    before = saved.value("final/weights")
    cg.save_checkpoint(tmp_path / "less", {"global_step": np.int64(77), "conv1/biases": held["conv1/biases"]})
    with pytest.raises(MissingWeightsError, match="which the graph's saver restores"):
        saved.restore(tmp_path / "less")
    saved.restore(tmp_path / "less", partial=True)
    assert saved.run("global_step") == 77
    assert np.array_equal(saved.value("final/weights"), before)


def test_a_model_without_variables_has_nothing_to_restore(saved: cg.Session, tmp_path: Path) -> None:
    path = saved.save(tmp_path / "model")
    frozen = cg.load(f"{path}.meta").freeze("probabilities")
    with frozen.session() as s, pytest.raises(InputError, match=r"nothing to restore from .*: the model has no"):
        s.restore(path)


def test_half_a_checkpoint_is_not_left(saved: cg.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(document: object, path: str) -> None:
        raise FileError(f"Cannot write {path}: the disk is full.")

    saved.save(tmp_path / "model", 1)
    before = sorted(path.name for path in tmp_path.iterdir())
    monkeypatch.setattr(saving, "write_metagraph", full)
    with pytest.raises(FileError, match="the disk is full"):
        saved.save(tmp_path / "model", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_threads_save_one_after_the_other(saved: cg.Session, tmp_path: Path) -> None:
    def save(step: int) -> None:
        saved.save(tmp_path / "model", step, max_to_keep=2, write_meta_graph=False)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(1, 13)))
    assert len(list(tmp_path.glob("model-*.index"))) == 2


def test_what_is_saved_while_threads_write_is_of_one_moment(tmp_path: Path) -> None:
    """Two variables are counted up together; readers, writers and savers see them equal."""
    parts = [*(handle(name, shape=()) for name in "ab"), const("one", np.float32(1))]
    parts += [node(f"add_{name}", "AssignAddVariableOp", name, "one", dtype=FLOAT32) for name in "ab"]
    parts += [node(f"read_{name}", "ReadVariableOp", name, dtype=FLOAT32) for name in "ab"]
    model = cg.Model.of(document_of(*parts, node("step", "NoOp", "^add_a", "^add_b"), values={"a": 0.0, "b": 0.0}))
    torn: list[object] = []
    with model.session() as s:

        def write() -> None:
            for _ in range(60):
                s.run("step")

        def read() -> None:
            for _ in range(120):
                a, b = s.run(["read_a", "read_b"])
                torn.extend([(a, b)] if a != b else [])

        def save(name: str) -> None:
            for number in range(12):
                held = cg.Checkpoint(s.save(tmp_path / name, number, write_meta_graph=False))
                values = [held[key].numpy().item() for key in "ab"]
                torn.extend([values] if values[0] != values[1] else [])

        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(work) for work in (write, read, write, read, write)]
            done += [pool.submit(save, name) for name in ("one", "two")]
            for each in done:
                each.result()
        assert torn == []
        assert s.value("a") == s.value("b") == 180


@pytest.fixture(params=["a session", "the ops of its saver"])
def save(request: pytest.FixtureRequest, saved: cg.Session) -> Callable[[Path], object]:
    """Two ways to save."""
    if request.param == "a session":
        return lambda path: saved.save(path)
    return lambda path: saved.run("save_1/control_dependency:0", {"save_1/Const:0": str(path)})


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_full_disk_leaves_what_was_there(save: Callable[[Path], object], saved: cg.Session, tmp_path: Path) -> None:
    """The system refuses to write more than 20,000 bytes into a file, as it does on a disk that is full."""
    save(tmp_path / "model")
    before = content(tmp_path)
    saved.assign("global_step", 7)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        for name in ("model", "other"):
            with pytest.raises(FileError, match=r"(?s)File too large|cannot be written|Cannot write"):
                save(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert content(tmp_path) == before
    assert saved.value("global_step") == 7
    save(tmp_path / "model")
    assert cg.Checkpoint(tmp_path / "model")["global_step"].numpy() == 7


def test_a_path_that_cannot_be_written_is_named(save: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match="file"):
        save(tmp_path / "file" / "model")
    assert content(tmp_path) == {"file": b""}


def test_an_interrupted_save_leaves_a_whole_checkpoint(
    save: Callable[[Path], object], saved: cg.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes before the first, the second ... file is flushed or takes its name."""
    save(tmp_path / "model")
    calls = [0]

    def interrupted(function: Callable[..., object], when: int) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            calls[0] += 1
            if calls[0] == when:
                raise KeyboardInterrupt
            return function(*arguments)

        return call

    real = os.fsync, os.replace
    for when in range(1, 40):
        calls[0] = 0
        saved.assign("global_step", when)
        monkeypatch.setattr(os, "fsync", interrupted(real[0], when))
        monkeypatch.setattr(os, "replace", interrupted(real[1], when))
        try:
            save(tmp_path / "model")
        except KeyboardInterrupt:
            names = content(tmp_path).keys()
            assert not [name for name in names if name.endswith(".tmp")], when
            found = cg.latest_checkpoint(tmp_path)
            assert found is None or is_whole(found)
            step = None if found is None else cg.Checkpoint(found)["global_step"].numpy().item()
            assert step in (None, when - 1, when, 3000), when
        else:
            assert when > 3
            assert cg.Checkpoint(tmp_path / "model")["global_step"].numpy() == when
            return
    raise AssertionError("no save came to its end")


def test_the_last_few_are_kept(saved: cg.Session, tmp_path: Path) -> None:
    for step in range(1, 8):
        saved.save(tmp_path / "model", step, max_to_keep=3, write_meta_graph=step == 7)
    names = sorted(path.name for path in tmp_path.glob("model*"))
    steps = [f"model-{n}.{part}" for n in (5, 6, 7) for part in ("data-00000-of-00001", "index")]
    assert names == sorted([*steps, "model-7.meta"])
    state = read_state(tmp_path)
    assert state is not None
    assert [Path(p).name for p in state.all_model_checkpoint_paths] == ["model-5", "model-6", "model-7"]
    assert cg.latest_checkpoint(tmp_path) == str(tmp_path / "model-7")


def test_the_same_prefix_is_written_anew(saved: cg.Session, tmp_path: Path) -> None:
    for value in (1, 2):
        saved.assign("global_step", value)
        saved.save(tmp_path / "model", write_meta_graph=False)
    assert sorted(path.name for path in tmp_path.glob("[mc]*")) == [
        "checkpoint",
        "model.data-00000-of-00001",
        "model.index",
    ]
    assert cg.Checkpoint(tmp_path / "model")["global_step"].numpy() == 2


def test_ops_of_a_saver_touch_the_path_that_is_fed(saved: cg.Session, tmp_path: Path) -> None:
    path = str(tmp_path / "fed")
    feeds = {"save_1/Const:0": path}
    assert saved.run("save_1/control_dependency:0", feeds) == path.encode()
    assert cg.Checkpoint(path)["global_step"].numpy() == 3000
    saved.assign("global_step", 1)
    assert saved.run(["save_1/restore_all", "save_1/RestoreV2"], feeds)[0] is None
    assert saved.run("global_step") == 3000


def test_a_path_of_the_graph_is_refused(saved: cg.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for feeds in ({}, {"image": np.zeros((1, 8, 8, 1), np.float32)}):
        with pytest.raises(RefusedError, match=r"save_1/SaveV2.*'model' is not a path that this run was given"):
            saved.run("save_1/SaveV2", feeds)
    assert not list(tmp_path.glob("model*"))


def test_a_path_begins_with_the_one_that_is_fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()

    def saving(rest: str) -> cg.Session:
        document = document_of(
            placeholder("path", (), dtype=STRING),
            const("rest", np.array(rest.encode(), object)),
            node("whole", "StringJoin", "path", "rest", N=2),
            const("names", np.array([b"v"], object)),
            const("slices", np.array([b""], object)),
            const("v", [1.0, 2.0]),
            node("save", "SaveV2", "whole", "names", "slices", "v", dtypes=[FLOAT32]),
        )
        return cg.Model(document.graph, "graph").session()

    saving("_temp/part-00000").run("save", {"path": "a/model"})
    assert cg.Checkpoint("a/model_temp/part-00000")["v"].numpy().tolist() == [1, 2]
    for path, rest in (("a/model", "/../../b/m"), ("a/model", "/../b"), ("", "b/m"), ("./", "b/m"), (".", "/b/m")):
        with pytest.raises(RefusedError, match="is not a path that this run was given"):
            saving(rest).run("save", {"path": path})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_what_cannot_be_saved(saved: cg.Session, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names a directory"):
        saved.save(f"{tmp_path}/")
    cg.save_checkpoint(tmp_path / "other", {"x": np.zeros(3)})
    with pytest.raises(MissingWeightsError, match=r"does not hold conv1/biases.*saver restores"):
        saved.restore(tmp_path / "other")
