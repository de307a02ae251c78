"""Keeping checkpoints: which stay, which go, and what is found after a crash at any point of a save."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from cryograph.base.errors import FileError, InputError
from cryograph.formats import manager as manager_module
from cryograph.formats.checkpoint import Checkpoint, save_checkpoint
from cryograph.formats.manager import CheckpointManager
from cryograph.formats.state import latest_checkpoint, read_state


def steps(directory: Path) -> list[int]:
    return sorted(int(p.stem.rpartition("-")[2]) for p in directory.glob("*.index"))


@pytest.mark.parametrize("background", [True, False])
def test_the_last_few_are_kept(tmp_path: Path, background: bool) -> None:
    with CheckpointManager(tmp_path, max_to_keep=3, background=background) as manager:
        for step in range(7):
            manager.save({"w": np.full(3, step, np.float32)}, step, lambda p: Path(p).write_text("graph"))
    assert steps(tmp_path) == [4, 5, 6]
    assert sorted(p.name for p in tmp_path.glob("*.meta")) == [f"model.ckpt-{s}.meta" for s in (4, 5, 6)]
    assert manager.latest == str(tmp_path / "model.ckpt-6")
    assert Checkpoint(tmp_path)["w"].numpy().tolist() == [6, 6, 6]
    state = read_state(tmp_path)
    assert state is not None
    assert list(state.all_model_checkpoint_paths) == [str(tmp_path / f"model.ckpt-{s}") for s in (4, 5, 6)]


def test_a_snapshot_is_taken_before_save_returns(tmp_path: Path) -> None:
    array = np.zeros(1_000_000, np.float32)
    with CheckpointManager(tmp_path) as manager:
        manager.save({"w": array}, 1)
        array += 1
    assert float(Checkpoint(tmp_path)["w"].numpy().max()) == 0.0


def test_one_is_kept_for_good_every_so_many_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1e9]
    monkeypatch.setattr(manager_module.time, "time", lambda: clock[0])
    with CheckpointManager(tmp_path, max_to_keep=2, keep_every_hours=2, background=False) as manager:
        for step in range(8):
            clock[0] += 3600
            manager.save({"w": np.zeros(1)}, step)
    assert steps(tmp_path) == [1, 3, 5, 6, 7]


def test_a_restarted_manager_goes_on(tmp_path: Path) -> None:
    for step in range(4):
        with CheckpointManager(tmp_path, max_to_keep=2) as manager:
            manager.save({"w": np.zeros(1)}, step)
    assert steps(tmp_path) == [2, 3]


def test_an_error_of_the_background_is_raised_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise FileError("the disk is full")

    manager = CheckpointManager(tmp_path)
    monkeypatch.setattr(manager_module, "save_checkpoint", full)
    manager.save({"w": np.zeros(1)}, 1)
    with pytest.raises(FileError, match="the disk is full"):
        manager.wait()
    manager.wait()


def test_nothing_to_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one"):
        CheckpointManager(tmp_path, max_to_keep=0)


def test_a_stale_state_file_does_not_hide_a_whole_checkpoint(tmp_path: Path) -> None:
    with CheckpointManager(tmp_path) as manager:
        manager.save({"w": np.zeros(1)}, 1)
    for path in tmp_path.glob("model.ckpt-1.*"):
        path.unlink()
    save_checkpoint(tmp_path / "model.ckpt-2", {"w": np.ones(1)})
    assert latest_checkpoint(tmp_path) == str(tmp_path / "model.ckpt-2")


KILLED = """
    import os, signal, sys
    import numpy as np
    from cryograph.formats.manager import CheckpointManager

    directory, limit = sys.argv[1], int(sys.argv[2])
    calls = 0

    def counted(function):
        def call(*args, **kwargs):
            global calls
            calls += 1
            if calls == limit:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return call

    manager = CheckpointManager(directory, max_to_keep=2, background=False)
    for name in ("fsync", "replace", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    for step in range(3, 6):
        manager.save({"w": np.full(5000, step, np.float32), "step": np.array(step)}, step,
                     lambda path: open(path, "w").close(), shards=2)
    print("calls", calls)
"""


def test_a_kill_at_any_point_leaves_a_whole_checkpoint_that_is_found(tmp_path: Path) -> None:
    """Every fsync, rename and removal of three saves is a point at which the process is killed."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(KILLED))

    def run(directory: Path, limit: int) -> subprocess.CompletedProcess[str]:
        with CheckpointManager(directory, max_to_keep=2) as manager:
            for step in (1, 2):
                manager.save({"w": np.full(5000, step, np.float32), "step": np.array(step)}, step)
        return subprocess.run(
            [sys.executable, str(script), str(directory), str(limit)], capture_output=True, text=True, check=False
        )

    whole = run(tmp_path / "whole", 0)
    points = int(whole.stdout.split()[-1])
    assert points > 30
    for limit in range(1, points + 1, 2):
        directory = tmp_path / str(limit)
        assert run(directory, limit).returncode == -9
        latest = latest_checkpoint(directory)
        assert latest is not None
        found = Checkpoint(latest)
        assert found.verify().is_sound
        step = int(found["step"].numpy())
        assert found["w"].numpy().tolist() == [step] * 5000
        assert step >= 2
        # The next process goes on from there and clears away what was left.
        with CheckpointManager(directory, max_to_keep=2) as manager:
            manager.save({"w": np.zeros(1), "step": np.array(9)}, 9)
        assert not list(directory.glob("*.tmp"))
        assert len(steps(directory)) <= 3
        assert manager.latest == str(directory / "model.ckpt-9")


def test_saving_blocks_only_for_the_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = manager_module.save_checkpoint

    def slow(*args: object, **kwargs: object) -> str:
        time.sleep(0.3)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(manager_module, "save_checkpoint", slow)
    manager = CheckpointManager(tmp_path)
    manager.save({"w": np.zeros(1)}, 1)
    assert not list(tmp_path.glob("*.index"))
    manager.wait()
    assert steps(tmp_path) == [1]
