"""Keeps the last few checkpoints of a training run, saves in the background, and survives a crash at any point.

Order of a save: data files, then the index, each under a temporary name until it is whole; then the `.meta`; then the
`checkpoint` file; only then are older checkpoints removed, index first; then the `checkpoint` file once more, without
them. So whenever the process dies, a whole checkpoint is found, and what is left over is cleared away by the next save.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..base.errors import Error, FormatError, InputError
from ..base.files import Path, is_file, is_remote, join, list_dir, make_dir, modified_time, remove_file
from ..base.tensors import Array, Tensor, tensor_like
from ..wire import messages as pb
from .checkpoint import SHARDED_NAME, Checkpoint, is_whole, save_checkpoint
from .state import base_name, find_checkpoints, has_checkpoint, read_state, step_of, write_state

SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """One checkpoint that is there: its prefix and when it was made, in seconds since 1970."""

    prefix: str
    made: float


class CheckpointManager:
    """Saves checkpoints `DIRECTORY/NAME-STEP` and keeps the last `max_to_keep` of them (None keeps all).

    `keep_every_hours` keeps one for good whenever so many hours have passed since the last that was kept. With
    `background`, `save` returns once the values are copied, and a thread writes them; an error of writing is raised by
    the next `save`, `wait` or `close`. Use it as a context manager, or call `wait` before the process ends.

    A manager goes on from the checkpoints that a former one left. One `like_saver` does as `tf.train.Saver`: it begins
    with none and removes only what it has written, counts the hours from its own beginning (one is kept for good for
    each that has passed, not for each between two), and writes no times into the `checkpoint` file.

    One process at a time may save to a directory; others may open managers of it to read. InputError for a
    `max_to_keep` or `keep_every_hours` that keeps nothing.
    """

    def __init__(
        self,
        directory: Path,
        max_to_keep: int | None = 5,
        keep_every_hours: float | None = None,
        background: bool = True,
        name: str = "model.ckpt",
        like_saver: bool = False,
    ) -> None:
        if max_to_keep is not None and max_to_keep < 1:
            raise InputError(f"max_to_keep is {max_to_keep}; at least one checkpoint must be kept.")
        if keep_every_hours is not None and not keep_every_hours > 0:
            raise InputError(f"keep_every_hours is {keep_every_hours}; a number of hours above 0 was expected.")
        self.directory = os.fspath(directory)
        self._max = max_to_keep
        self._hours = keep_every_hours
        self._background = background
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None
        self._is_tidy = False
        self._like_saver = like_saver
        make_dir(self.directory)
        self._kept, self._preserved = ([], time.time()) if like_saver else self._found()

    @property
    def latest(self) -> str | None:
        """The prefix of the last whole checkpoint, or None. Files that are missing or too short make one not whole."""
        self.wait()
        every = [kept.prefix for kept in reversed(self._kept)]
        others = [prefix for prefix in reversed(find_checkpoints(self.directory)) if prefix not in every]
        return next((prefix for prefix in (*every, *others) if is_whole(prefix)), None)

    @property
    def checkpoints(self) -> list[str]:
        """The prefixes of the checkpoints that may be removed when newer ones come, oldest first."""
        self.wait()
        return [kept.prefix for kept in self._kept]

    def save(
        self,
        tensors: Mapping[str, ArrayLike | Tensor],
        global_step: int | None,
        meta: Callable[[str], None] | None = None,
        shards: int | Sequence[Sequence[str]] = 1,
        object_graph: pb.TrackableObjectGraph | bytes | None = None,
        slices: Mapping[str, str] | None = None,
        version: int = 2,
    ) -> str:
        """Saves and gives the prefix. `meta(path)` writes the graph as `PREFIX.meta`, when it is wanted beside.

        Without a step the prefix is `DIRECTORY/NAME`, which is written anew each time. `shards`, `slices` and `version`
        are as `save_checkpoint` takes them.

        Blocks until a former save is done and, in the background, until the arrays are copied.
        """
        self.wait()
        self._tidy()
        name = self._name if global_step is None else f"{self._name}-{int(global_step)}"
        prefix = join(self.directory, name)
        snapshot = {
            name: _snapshot(value) if self._background else tensor_like(value) for name, value in tensors.items()
        }

        count = shards if isinstance(shards, int) else len(shards)
        called = f"{prefix}-?????-of-{count:05}" if version == 1 and count > 1 else prefix
        is_new = not is_file(f"{prefix}.index") and not has_checkpoint(called)

        def write() -> None:
            try:
                save_checkpoint(prefix, snapshot, shards, version, object_graph, slices)
                if meta is not None:
                    meta(f"{prefix}.meta")
                self._note(called)
            except BaseException:
                if is_new:  # a full disk: half of a checkpoint would take what is left of it
                    with contextlib.suppress(Error):
                        self._remove(called)
                raise

        if not self._background:
            write()
            return called
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "cryograph-save")
        self._writing = self._pool.submit(write)
        return called

    def wait(self) -> None:
        """Waits for a save that is under way; raises what went wrong with it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def restore(self) -> Checkpoint | None:
        """The last whole checkpoint, open for reading; None when there is none."""
        latest = self.latest
        return None if latest is None else Checkpoint(latest)

    def close(self) -> None:
        """Waits as `wait` does and ends the thread; after it all is on disk. Saving again is possible."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        self.wait()

    def __enter__(self) -> CheckpointManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _found(self) -> tuple[list[_Kept], float]:
        """What a former process left: the checkpoints that the state file lists, oldest first, and those of ours that
        are newer than it (a save that died between the index and the state file is whole and counts)."""
        try:
            state = read_state(self.directory) or pb.CheckpointState()
        except FormatError:  # not one that we wrote; the next save writes it anew
            state = pb.CheckpointState()
        there = {_place(p): p for p in find_checkpoints(self.directory) if is_file(f"{p}.index")}
        paths, times = list(state.all_model_checkpoint_paths), list(state.all_model_checkpoint_timestamps)
        if len(times) != len(paths):
            times = [0.0] * len(paths)
        listed = {_place(path): made for path, made in zip(paths, times, strict=True)}
        kept = [_Kept(there[place], made) for place, made in listed.items() if place in there]
        last = max([step_of(k.prefix) for k in kept if self._is_ours(k.prefix)], default=-1)
        for place, prefix in there.items():
            if place not in listed and self._is_ours(prefix) and step_of(prefix) > last:
                kept.append(_Kept(prefix, modified_time(f"{prefix}.index")))
        now = time.time()
        # A second ago, as TensorFlow begins: a manager that is made anew at once does not count time twice.
        preserved = state.last_preserved_timestamp
        return kept, preserved if 0 < preserved <= now else now - 1

    def _is_ours(self, prefix: str) -> bool:
        return re.fullmatch(rf"{re.escape(self._name)}-\d+", base_name(prefix)) is not None

    def _note(self, prefix: str) -> None:
        """Makes a new checkpoint the latest, and removes those that are too many."""
        self._kept = [*(k for k in self._kept if k.prefix != prefix), _Kept(prefix, time.time())]
        surplus = self._kept[: -self._max] if self._max is not None else []
        if surplus:
            # Once before anything is removed, so that a crash leaves nothing unlisted, and once after.
            self._write_state()
        for kept in surplus:
            if not self._keeps_for_good(kept):
                self._remove(kept.prefix)
        self._kept = self._kept[len(surplus) :]
        self._write_state()

    def _write_state(self) -> None:
        prefixes, times = [k.prefix for k in self._kept], [k.made for k in self._kept]
        if self._like_saver:
            write_state(self.directory, prefixes[-1], prefixes)
        else:
            write_state(self.directory, prefixes[-1], prefixes, times, self._preserved)

    def _keeps_for_good(self, kept: _Kept) -> bool:
        wait = 0.0 if self._hours is None else self._hours * SECONDS
        if self._hours is None or kept.made - self._preserved < wait:
            return False
        self._preserved = self._preserved + wait if self._like_saver else kept.made
        return True

    def _remove(self, prefix: str) -> None:
        names = sorted(list_dir(self.directory), key=lambda n: not n.endswith(".index"))
        base = base_name(prefix)
        shards = SHARDED_NAME.search(base)
        if shards is not None:  # of version 1, several files
            whole, count = re.escape(base[: shards.start()]), base[-5:]
            member = re.compile(rf"{whole}(\.meta|-\d{{5}}-of-{count})")
        else:
            member = re.compile(rf"{re.escape(base)}\.(index|meta|data-\d{{5}}-of-\d{{5}})")
            if not any(member.fullmatch(name) and not name.endswith(".meta") for name in names):
                member = re.compile(rf"{re.escape(base)}(\.meta)?")  # of version 1, one file
        for name in names:
            if member.fullmatch(name):
                remove_file(join(self.directory, name))

    def _tidy(self) -> None:
        """Removes, before the first save, what a killed process left: temporary files of ours, and data files whose
        index never came. Opening a manager removes nothing, as another process may be saving."""
        if self._is_tidy:
            return
        names = set(list_dir(self.directory))
        ours = re.escape(self._name) + r"(?:-\d+)?"
        temporary = re.compile(rf"(({ours})\.(index|meta|data-\d{{5}}-of-\d{{5}})|checkpoint)\.[0-9a-f]{{8}}\.tmp")
        orphan = re.compile(rf"({ours})\.data-\d{{5}}-of-\d{{5}}")
        for name in names:
            data = orphan.fullmatch(name)
            if temporary.fullmatch(name) or (data is not None and f"{data.group(1)}.index" not in names):
                remove_file(join(self.directory, name))
        self._is_tidy = True


def _place(path: str) -> str:
    """A path that is the same for all ways to write it."""
    return path if is_remote(path) else os.path.abspath(path)


def _snapshot(value: ArrayLike | Tensor) -> Tensor:
    """A tensor that later changes of an array do not reach: a copy, unless its memory belongs to nobody else."""
    tensor = tensor_like(value)
    if not tensor.is_loaded or tensor.content is not None:
        return tensor
    array = tensor.numpy()
    return Tensor.of(array.copy(), tensor.dtype) if _may_change(array) else tensor


def _may_change(array: Array) -> bool:
    """Whether somebody holds the memory of an array and may write to it."""
    holder: object = array
    while isinstance(holder, np.ndarray):
        if holder.flags.writeable:
            return True
        holder = holder.base
    return holder is not None and not (
        isinstance(holder, bytes) or (isinstance(holder, memoryview) and holder.readonly)
    )
