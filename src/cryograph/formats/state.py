"""The `checkpoint` file: which checkpoints a directory holds, in text form; and which of them is the latest.

A CheckpointState message: `model_checkpoint_path` is the latest, `all_model_checkpoint_paths` all of them, oldest
first, each with a time stamp (seconds since 1970). Paths are absolute, or relative to the directory. A directory that
was moved keeps absolute paths that are no longer true: then the file of the same name beside the state file is meant.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..base.errors import DamagedError, InputError
from ..base.files import Path, atomic_write, is_dir, is_file, is_remote, join, list_dir, modified_time, open_file
from ..wire import messages as pb
from ..wire.table import is_table
from ..wire.text import parse_text, print_small
from .checkpoint_v1 import SHARD, shard_paths

STATE_FILE = "checkpoint"
MAX_STATE_BYTES = 16 << 20
"""A state file larger than this is none."""


def read_state(directory: Path) -> pb.CheckpointState | None:
    """What the directory's `checkpoint` file says, its paths made whole; None when there is no such file.

    FormatError, with file and line, when it is no CheckpointState in text form.
    """
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
    """A path of a state file, from where the process is: what it says or, when nothing is there, the same name beside
    the state file, when something is there."""
    said = path if os.path.isabs(path) or is_remote(path) else join(directory, path)
    if has_checkpoint(said):
        return said
    beside = join(directory, base_name(path))
    return beside if has_checkpoint(beside) else said


def base_name(path: str) -> str:
    """The last part of a path, whichever system wrote it."""
    return re.split(r"[/\\]", path)[-1]


def has_checkpoint(prefix: str) -> bool:
    """Whether a checkpoint of that prefix is there, of either version; all files of a sharded one of version 1."""
    return is_file(f"{prefix}.index") or all(is_file(path) for path in shard_paths(prefix))


def write_state(
    directory: Path, latest: str, every: Sequence[str], times: Sequence[float] = (), last_preserved: float | None = None
) -> None:
    """Writes the directory's `checkpoint` file, as TensorFlow does: paths below the directory become relative to it,
    `latest` stands at the end of `every`. `times` are seconds since 1970, one for each of `every`, or none.

    InputError when there are times, but not as many as paths.
    """
    folder = os.fspath(directory)
    listed = [*every] if every and every[-1] == latest else [*(p for p in every if p != latest), latest]
    if times and len(times) != len(listed):
        raise InputError(f"{len(times)} times were given for {len(listed)} checkpoints; one each is needed, or none.")
    state = pb.CheckpointState(model_checkpoint_path=_relative(folder, latest))
    state.all_model_checkpoint_paths.extend(_relative(folder, p) for p in listed)
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
    """The prefix of the latest checkpoint in a directory, or None.

    The `checkpoint` file decides. When it is missing, or all that it names is gone, the one with the highest step in
    its name (`-100`), then the newest, is taken. FormatError when the `checkpoint` file cannot be read.
    """
    name = os.fspath(directory)
    if not is_dir(name):
        return None
    state = read_state(name)
    if state is not None:
        for path in (state.model_checkpoint_path, *reversed(state.all_model_checkpoint_paths)):
            if path and has_checkpoint(path):
                return str(path)
    found = find_checkpoints(name)
    return found[-1] if found else None


def find_checkpoints(directory: str) -> list[str]:
    """The prefixes of all checkpoints in a directory, by step and then by time, the latest last. Those of version 1,
    which are told by their content, only when there is none of version 2."""
    names = list_dir(directory)
    found = {join(directory, n.removesuffix(".index")): n for n in names if n.endswith(".index")}
    if not found:
        for name in names:
            shard = SHARD.fullmatch(name)
            prefix = join(directory, f"{shard['base']}-?????-of-{shard['count']}" if shard else name)
            path = join(directory, name)
            if prefix not in found and is_file(path) and is_table(open_file(path)) and has_checkpoint(prefix):
                found[prefix] = name
    keys = {prefix: (step_of(prefix), modified_time(join(directory, name)), prefix) for prefix, name in found.items()}
    return sorted(found, key=keys.__getitem__)


def step_of(prefix: str) -> int:
    """The step at the end of a checkpoint's name (`model.ckpt-100`); -1 when there is none."""
    sharded = re.sub(r"-\?{5}-of-\d{5}$", "", prefix)
    step = re.search(r"-(\d{1,18})$", sharded)
    return int(step.group(1)) if step else -1
