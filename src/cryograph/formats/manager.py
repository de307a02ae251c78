"""Keeps the last few checkpoints of a training run, saves in the background, and survives a crash at any point.

Order of a save: data files, then the index, each under a temporary name until it is whole; then the `.meta`; then the
`checkpoint` file; only then are older checkpoints removed, index first. So whenever the process dies, the checkpoint
that `latest` finds is whole.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..base.errors import Error, InputError
from ..base.files import Path, join, list_dir, make_dir
from ..base.tensors import Tensor, tensor_like
from .checkpoint import Checkpoint, save_checkpoint
from .state import find_checkpoints, latest_checkpoint, read_state, write_state

SECONDS = 3600.0


@dataclass(slots=True)
class _Kept:
    """One checkpoint that is there: its prefix and when it was made, in seconds since 1970."""

    prefix: str
    made: float


class CheckpointManager:
    """Saves checkpoints `DIRECTORY/NAME-STEP` and keeps the last `max_to_keep` of them (None keeps all).

    `keep_every_hours` keeps one for good whenever so many hours have passed since the last that was kept. With
    `background`, `save` returns once the values are copied, and a thread writes them; an error of writing is raised by
    the next `save`, `wait` or `close`. Use it as a context manager, or call `wait` before the process ends.
    """

    def __init__(
        self,
        directory: Path,
        max_to_keep: int | None = 5,
        keep_every_hours: float | None = None,
        background: bool = True,
        name: str = "model.ckpt",
    ) -> None:
        if max_to_keep is not None and max_to_keep < 1:
            raise InputError(f"max_to_keep is {max_to_keep}; at least one checkpoint must be kept.")
        self.directory = os.fspath(directory)
        self._max = max_to_keep
        self._hours = keep_every_hours
        self._background = background
        self._name = name
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        make_dir(self.directory)
        self._remove_debris()
        self._kept, self._preserved = self._found()

    @property
    def latest(self) -> str | None:
        """The prefix of the last whole checkpoint, or None."""
        self.wait()
        return latest_checkpoint(self.directory)

    @property
    def checkpoints(self) -> list[str]:
        """The prefixes of the checkpoints that may be removed when newer ones come, oldest first."""
        self.wait()
        return [kept.prefix for kept in self._kept]

    def save(
        self,
        tensors: Mapping[str, ArrayLike | Tensor],
        global_step: int,
        meta: Callable[[str], None] | None = None,
        shards: int = 1,
    ) -> str:
        """Saves and gives the prefix. `meta(path)` writes the graph as `PREFIX.meta`, when it is wanted beside."""
        self.wait()
        prefix = join(self.directory, f"{self._name}-{int(global_step)}")
        snapshot = {
            name: _snapshot(value) if self._background else tensor_like(value) for name, value in tensors.items()
        }

        def write() -> None:
            save_checkpoint(prefix, snapshot, shards=shards)
            if meta is not None:
                meta(f"{prefix}.meta")
            self._note(prefix)

        if not self._background:
            write()
            return prefix
        self._thread = threading.Thread(target=self._guarded, args=(write,), name="cryograph-save")
        self._thread.start()
        return prefix

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (Error, OSError, MemoryError) as error:
            self._failure = error

    def wait(self) -> None:
        """Waits for a save that is under way; raises what went wrong with it."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def restore(self) -> Checkpoint | None:
        """The last whole checkpoint, open for reading; None when there is none."""
        latest = self.latest
        return None if latest is None else Checkpoint(latest)

    def close(self) -> None:
        """The same as `wait`: after it all is on disk."""
        self.wait()

    def __enter__(self) -> CheckpointManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def _found(self) -> tuple[list[_Kept], float]:
        """What a former process left: the checkpoints that the state file lists and that are whole, with their
        times."""
        state = read_state(self.directory)
        whole = set(find_checkpoints(self.directory))
        if state is None:
            return [_Kept(p, os.path.getmtime(f"{p}.index")) for p in find_checkpoints(self.directory)], time.time()
        paths = list(state.all_model_checkpoint_paths)
        times = list(state.all_model_checkpoint_timestamps)
        made = dict(zip(paths, times, strict=True)) if len(times) == len(paths) else {}
        kept = [_Kept(p, made.get(p, 0.0)) for p in paths if p in whole]
        # A save that died between the index and the state file is whole and counts.
        newest = max((k.made for k in kept), default=0.0)
        for prefix in find_checkpoints(self.directory):
            modified = os.path.getmtime(f"{prefix}.index")
            if prefix not in made and modified > newest and self._is_ours(prefix):
                kept.append(_Kept(prefix, modified))
        return kept, state.last_preserved_timestamp or time.time()

    def _is_ours(self, prefix: str) -> bool:
        return re.fullmatch(rf"{re.escape(self._name)}-\d+", os.path.basename(prefix)) is not None

    def _note(self, prefix: str) -> None:
        """Makes a new checkpoint the latest, and removes those that are too many."""
        self._kept = [k for k in self._kept if k.prefix != prefix]
        self._kept.append(_Kept(prefix, time.time()))
        surplus: list[_Kept] = []
        if self._max is not None:
            while len(self._kept) > self._max:
                surplus.append(self._kept.pop(0))
        removed = [kept for kept in surplus if not self._keeps_for_good(kept)]
        write_state(
            self.directory,
            prefix,
            [k.prefix for k in self._kept],
            [k.made for k in self._kept],
            self._preserved,
        )
        for kept in removed:
            self._remove(kept.prefix)

    def _keeps_for_good(self, kept: _Kept) -> bool:
        if self._hours is None or kept.made - self._preserved < self._hours * SECONDS:
            return False
        self._preserved = kept.made
        return True

    def _remove(self, prefix: str) -> None:
        base = os.path.basename(prefix)
        names = list_dir(self.directory)
        members = [n for n in names if re.fullmatch(rf"{re.escape(base)}\.(index|meta|data-\d{{5}}-of-\d{{5}})", n)]
        for name in sorted(members, key=lambda n: not n.endswith(".index")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(join(self.directory, name))

    def _remove_debris(self) -> None:
        """Removes what a killed process left: temporary files, and data files whose index never came."""
        names = set(list_dir(self.directory))
        for name in names:
            if re.search(rf"^({re.escape(self._name)}-\d+\..*|checkpoint)\.[0-9a-f]{{8}}\.tmp$", name):
                os.unlink(join(self.directory, name))
            data = re.fullmatch(rf"({re.escape(self._name)}-\d+)\.(data-\d{{5}}-of-\d{{5}})", name)
            if data is not None and f"{data.group(1)}.index" not in names:
                os.unlink(join(self.directory, name))


def _snapshot(value: ArrayLike | Tensor) -> Tensor:
    """A copy that later changes of the array do not reach; tensors never change and need none."""
    return value if isinstance(value, Tensor) else Tensor.of(np.array(value))
