"""Checkpoints of sessions: what is written, kept and removed, and which paths the ops of a saver may touch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32, STRING
from cryograph.base.errors import FileError, InputError, MissingWeightsError, RefusedError
from cryograph.formats.state import read_state
from cryograph.train import saving
from tests.support.small_graphs import const, document_of, node, placeholder

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
