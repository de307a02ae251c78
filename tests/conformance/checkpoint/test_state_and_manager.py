"""State files and managed directories against TensorFlow, both ways."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from cryograph.formats.checkpoint import Checkpoint, latest_checkpoint, save_checkpoint
from cryograph.formats.manager import CheckpointManager
from cryograph.formats.state import read_state, write_state

from .theirs import v1

update_state = v1.train.update_checkpoint_state

NAMES = [
    ["a-1", "a-2"],
    ["a b-1", "ü-2", "\U0001f600-3"],
    ['quo"te-1', "apo'strophe-2", "bo\"th'-3", "back\\slash-4"],
    ["tab\t-1", "new\nline-2", "\x01-3"],
    ["only"],
]


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("preserved", [None, 0.5, 1.75e9])
def test_state_files_are_equal_byte_for_byte(
    tmp_path: Path, names: list[str], times: bool, preserved: float | None
) -> None:
    """tf.train.Saver writes them through update_checkpoint_state_internal, with relative paths if asked to."""
    from tensorflow.python.checkpoint.checkpoint_management import update_checkpoint_state_internal

    made = [1700000000.25 + 1e-3 * i for i in range(len(names))] if times else None
    every = [str(tmp_path / name) for name in names]
    update_checkpoint_state_internal(
        str(tmp_path),
        every[-1],
        every,
        save_relative_paths=True,
        all_model_checkpoint_timestamps=made,
        last_preserved_timestamp=preserved,
    )
    theirs = (tmp_path / "checkpoint").read_bytes()
    write_state(tmp_path, every[-1], every, made or (), preserved)
    assert (tmp_path / "checkpoint").read_bytes() == theirs
    for name in names:
        save_checkpoint(tmp_path / name, {"w": np.zeros(1)})
    state = read_state(tmp_path)
    assert state is not None
    assert list(state.all_model_checkpoint_paths) == every
    assert latest_checkpoint(tmp_path) == every[-1]
    # Its search for the files takes a backslash for an escape.
    assert tf.train.latest_checkpoint(str(tmp_path)) == (None if "\\" in every[-1] else every[-1])


def test_absolute_paths_are_read(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "inside" / "m-1", {"w": np.zeros(1)})
    save_checkpoint(tmp_path / "outside" / "m-2", {"w": np.ones(1)})
    every = [str(tmp_path / "inside" / "m-1"), str(tmp_path / "outside" / "m-2")]
    update_state(str(tmp_path / "inside"), every[1], every)
    theirs = (tmp_path / "inside" / "checkpoint").read_bytes()
    assert str(tmp_path).encode() in theirs
    assert latest_checkpoint(tmp_path / "inside") == every[1] == tf.train.latest_checkpoint(str(tmp_path / "inside"))
    assert Checkpoint(tmp_path / "inside")["w"].numpy() == 1


def test_a_moved_directory_is_still_found(tmp_path: Path) -> None:
    """TensorFlow finds nothing there when the paths are absolute."""
    old = tmp_path / "old"
    save_checkpoint(old / "m-6", {"w": np.zeros(2)})
    save_checkpoint(old / "m-7", {"w": np.ones(2)})
    update_state(str(old), str(old / "m-6"), [str(old / "m-6")])
    (old / "checkpoint").write_text(f'model_checkpoint_path: "{old}/m-6"\nall_model_checkpoint_paths: "{old}/m-6"\n')
    old.rename(tmp_path / "new")
    assert tf.train.latest_checkpoint(str(tmp_path / "new")) is None
    assert latest_checkpoint(tmp_path / "new") == str(tmp_path / "new" / "m-6")
    assert Checkpoint(tmp_path / "new")["w"].numpy().tolist() == [0, 0]


def test_their_manager_goes_on_where_ours_stopped(tmp_path: Path) -> None:
    variable = tf.Variable(7.0)
    checkpoint = tf.train.Checkpoint(w=variable)
    first = Checkpoint(checkpoint.write(str(tmp_path / "seed" / "c")))
    directory = tmp_path / "run"
    with CheckpointManager(directory, max_to_keep=3, name="ckpt") as ours:
        for step in range(1, 5):
            tensors = {n: first[n] for n in first if n.startswith("w/")}
            ours.save(tensors, step, object_graph=first.object_graph)
    theirs = tf.train.CheckpointManager(checkpoint, str(directory), max_to_keep=3)
    assert theirs.checkpoints == [str(directory / f"ckpt-{step}") for step in (2, 3, 4)]
    assert theirs.latest_checkpoint == ours.latest
    variable.assign(0.0)
    checkpoint.restore(theirs.latest_checkpoint)
    assert variable.numpy() == 7.0
    theirs.save(checkpoint_number=5)
    assert not (directory / "ckpt-2.index").exists()
    with CheckpointManager(directory, max_to_keep=3, name="ckpt") as again:
        assert again.checkpoints == theirs.checkpoints
        assert again.latest == str(directory / "ckpt-5")
        again.save({"w": np.zeros(1)}, 6)
    assert [Path(p).name for p in tf.train.get_checkpoint_state(str(directory)).all_model_checkpoint_paths] == [
        "ckpt-4",
        "ckpt-5",
        "ckpt-6",
    ]


def test_keeping_for_good_as_theirs_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same clock, the same checkpoints kept, the same state file."""
    from tensorflow.python.checkpoint import checkpoint_management

    clock = [1.7e9]
    monkeypatch.setattr(checkpoint_management.time, "time", lambda: clock[0])
    checkpoint = tf.train.Checkpoint(w=tf.Variable(1.0))
    theirs = tf.train.CheckpointManager(
        checkpoint, str(tmp_path / "theirs"), max_to_keep=2, keep_checkpoint_every_n_hours=3, checkpoint_name="m"
    )
    ours = CheckpointManager(tmp_path / "ours", max_to_keep=2, keep_every_hours=3, background=False, name="m")
    for step in range(1, 16):
        clock[0] += 3600
        theirs.save(checkpoint_number=step)
        ours.save({"w": np.ones(1)}, step)
        left, right = ([p.name for p in sorted((tmp_path / side).glob("*.index"))] for side in ("theirs", "ours"))
        assert left == right, step
        assert (tmp_path / "ours" / "checkpoint").read_text() == (tmp_path / "theirs" / "checkpoint").read_text()
    assert len(right) > 4


def test_a_directory_without_a_state_file(tmp_path: Path) -> None:
    for step in (9, 10, 2):
        save_checkpoint(tmp_path / f"m-{step}", {"w": np.full(1, step)})
    assert latest_checkpoint(tmp_path) == str(tmp_path / "m-10")
    shutil.copy(tmp_path / "m-9.index", tmp_path / "other.index")
    assert Checkpoint(tmp_path)["w"].numpy() == 10
