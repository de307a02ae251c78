"""The `checkpoint` file: which checkpoints a directory holds, in text form.

A CheckpointState message: `model_checkpoint_path` is the latest, `all_model_checkpoint_paths` all of them, oldest
first, each with a time stamp. Paths are absolute, or relative to the directory. A directory that was moved keeps
absolute paths that are no longer true: then the file of the same name beside the state file is meant.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..base.errors import DamagedError
from ..base.files import Path, atomic_write, is_dir, is_file, is_remote, join, list_dir, open_file
from ..wire import messages as pb
from ..wire.text import parse_text, print_small

STATE_FILE = "checkpoint"
MAX_STATE_BYTES = 16 << 20
"""A state file larger than this is none."""


def read_state(directory: Path) -> pb.CheckpointState | None:
    """What the directory's `checkpoint` file says, its paths made whole; None when there is no such file."""
    path = join(directory, STATE_FILE)
    if not is_file(path):
        return None
    file = open_file(path)
    if file.size > MAX_STATE_BYTES:
        raise DamagedError(f"{path}: {file.size} bytes are too many for a state file.")
    state, _ = parse_text(file.read(0, file.size), pb.CheckpointState, path)
    if state.model_checkpoint_path:
        state.model_checkpoint_path = _whole(directory, state.model_checkpoint_path)
    state.all_model_checkpoint_paths[:] = [_whole(directory, p) for p in state.all_model_checkpoint_paths]
    return state


def _whole(directory: Path, path: str) -> str:
    name = os.fspath(directory)
    if not (os.path.isabs(path) or is_remote(path)):
        return join(name, path)
    if has_checkpoint(path):
        return path
    beside = join(name, re.split(r"[/\\]", path)[-1])
    return beside if has_checkpoint(beside) else path


def has_checkpoint(prefix: str) -> bool:
    """Whether a checkpoint of that prefix is there, of either version."""
    return is_file(f"{prefix}.index") or is_file(prefix)


def write_state(
    directory: Path, latest: str, every: Sequence[str], times: Sequence[float] = (), last_preserved: float | None = None
) -> None:
    """Writes the directory's `checkpoint` file, as TensorFlow does: paths below the directory become relative to it,
    `latest` stands at the end of `every`. `times` are seconds since 1970, one for each of `every`."""
    folder = os.fspath(directory)
    listed = [p for p in every if p != latest] + [latest]
    state = pb.CheckpointState(model_checkpoint_path=_relative(folder, latest))
    state.all_model_checkpoint_paths.extend(_relative(folder, p) for p in listed)
    if times:
        state.all_model_checkpoint_timestamps.extend(times)
    if last_preserved is not None:
        state.last_preserved_timestamp = last_preserved
    with atomic_write(join(folder, STATE_FILE)) as out:
        out.write(print_small(state).encode())


def _relative(directory: str, path: str) -> str:
    if is_remote(path):
        return path.removeprefix(directory.rstrip("/") + "/")
    inside = os.path.relpath(os.path.abspath(path), os.path.abspath(directory))
    return path if inside.startswith("..") else inside


def latest_checkpoint(directory: Path) -> str | None:
    """The prefix of the latest whole checkpoint in a directory, or None.

    The `checkpoint` file decides. When it is missing, or names one that is gone, the whole one with the highest step in
    its name (`-100`), then the newest, is taken.
    """
    name = os.fspath(directory)
    if not is_dir(name):
        return None
    state = read_state(name)
    if state is not None:
        for path in (state.model_checkpoint_path, *reversed(state.all_model_checkpoint_paths)):
            if path and has_checkpoint(path):
                return str(path)
    return next(iter(reversed(find_checkpoints(name))), None)


def find_checkpoints(directory: str) -> list[str]:
    """The prefixes of all V2 checkpoints in a directory, by step and then by time, the latest last."""
    prefixes = [join(directory, n.removesuffix(".index")) for n in list_dir(directory) if n.endswith(".index")]

    def age(prefix: str) -> tuple[int, float, str]:
        step = re.search(r"-(\d+)$", prefix)
        modified = 0.0 if is_remote(prefix) else os.path.getmtime(f"{prefix}.index")
        return (int(step.group(1)) if step else -1, modified, prefix)

    return sorted(prefixes, key=age)
