"""The `checkpoint` file: read, written, and what is found when it is stale, moved or gone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cryograph.base.errors import FormatError, InputError
from cryograph.formats.checkpoint import save_checkpoint
from cryograph.formats.state import find_checkpoints, latest_checkpoint, read_state, step_of, write_state

W = {"w": np.zeros(1)}


def test_what_is_written(tmp_path: Path) -> None:
    every = [str(tmp_path / "m-1"), str(tmp_path / "sub" / "m-2")]
    write_state(tmp_path, every[1], every, [1.5, 2.0], 0.25)
    assert (tmp_path / "checkpoint").read_text() == (
        'model_checkpoint_path: "sub/m-2"\n'
        'all_model_checkpoint_paths: "m-1"\n'
        'all_model_checkpoint_paths: "sub/m-2"\n'
        "all_model_checkpoint_timestamps: 1.5\n"
        "all_model_checkpoint_timestamps: 2.0\n"
        "last_preserved_timestamp: 0.25\n"
    )
    state = read_state(tmp_path)
    assert state is not None
    assert list(state.all_model_checkpoint_paths) == every
    assert state.model_checkpoint_path == every[1]


def test_the_latest_stands_last(tmp_path: Path) -> None:
    write_state(tmp_path, str(tmp_path / "b"), [str(tmp_path / n) for n in "abc"])
    assert [line.split('"')[1] for line in (tmp_path / "checkpoint").read_text().splitlines()] == ["b", "a", "c", "b"]
    with pytest.raises(InputError, match="2 times were given for 1 checkpoints"):
        write_state(tmp_path, "m", ["m"], [1.0, 2.0])


def test_paths_outside_stay_absolute(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_state(tmp_path / "in", str(tmp_path / "out" / "m"), [])
    assert f'"{tmp_path}/out/m"' in (tmp_path / "in" / "checkpoint").read_text()


def test_relative_to_another_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_checkpoint("run/m-1", W)
    write_state("run", "run/m-1", ["run/m-1"])
    assert latest_checkpoint("run") == os.path.join("run", "m-1")
    monkeypatch.chdir("/")
    assert latest_checkpoint(tmp_path / "run") == str(tmp_path / "run" / "m-1")


@pytest.mark.parametrize("said", ["/gone/far/m-1", "C:\\\\runs\\\\m-1", "old/m-1", "../other/m-1"])
def test_moved_directories(tmp_path: Path, said: str) -> None:
    save_checkpoint(tmp_path / "m-1", W)
    save_checkpoint(tmp_path / "m-2", W)
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{said}"\n')
    assert latest_checkpoint(tmp_path) == str(tmp_path / "m-1")


def test_when_the_latest_is_gone(tmp_path: Path) -> None:
    for step in (1, 2, 9, 10):
        save_checkpoint(tmp_path / f"m-{step}", W)
    write_state(tmp_path, str(tmp_path / "m-3"), [str(tmp_path / f"m-{n}") for n in (1, 2)])
    assert latest_checkpoint(tmp_path) == str(tmp_path / "m-2")  # the last that is listed and there
    (tmp_path / "checkpoint").unlink()
    assert latest_checkpoint(tmp_path) == str(tmp_path / "m-10")  # the highest step
    assert find_checkpoints(str(tmp_path)) == [str(tmp_path / f"m-{n}") for n in (1, 2, 9, 10)]


def test_the_newest_of_names_without_a_step(tmp_path: Path) -> None:
    for number, name in enumerate("cab"):
        save_checkpoint(tmp_path / name, W)
        os.utime(tmp_path / f"{name}.index", (1e9 + number, 1e9 + number))
    assert latest_checkpoint(tmp_path) == str(tmp_path / "b")
    assert latest_checkpoint(tmp_path / "nowhere") is None
    (tmp_path / "empty").mkdir()
    assert latest_checkpoint(tmp_path / "empty") is None


def test_a_state_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "m"\nnonsense\n')
    with pytest.raises(FormatError, match=r"checkpoint, line 2, column 1: not a CheckpointState in text form"):
        latest_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("prefix", "step"),
    [
        ("a/m-7", 7),
        ("a-3/m", -1),
        ("m", -1),
        ("m-3-?????-of-00002", 3),
        ("m-0012", 12),
        ("m--1", 1),
        (f"m-{'9' * 30}", -1),
    ],
)
def test_steps(prefix: str, step: int) -> None:
    assert step_of(prefix) == step
