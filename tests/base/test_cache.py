"""The cache directory: what goes when it is full, also while others use it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cryograph.base import cache
from cryograph.base.cache import LIMIT, cache_limit, mark_used, prune
from cryograph.base.errors import InputError


def filled(folder: Path, count: int = 10, size: int = 100) -> list[Path]:
    """Files that were used one after the other, in two folders."""
    made = []
    for number in range(count):
        path = folder / f"part {number % 2}" / f"{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        os.utime(path, (1000 + number, 1000 + number))
        made.append(path)
    return made


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    files = filled(tmp_path)
    prune(str(tmp_path), 1000)
    assert all(path.exists() for path in files)
    mark_used(str(files[0]))
    prune(str(tmp_path), 500)
    assert [path for path in files if path.exists()] == [files[0], *files[7:]]


def test_folders_that_are_empty_go_too(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    prune(str(tmp_path), 120)
    assert [path.name for path in tmp_path.iterdir()] == ["part 1"]
    prune(str(tmp_path), 0)
    assert list(tmp_path.iterdir()) == []
    prune(str(tmp_path / "none"), 0)


def test_what_is_used_in_the_meantime_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at all files and the deleting another process reads one, and deletes another."""
    files = filled(tmp_path)

    def while_it_looks(folder: str) -> list[tuple[int, int, str]]:
        found = sorted(look(folder))
        mark_used(str(files[0]))
        files[1].unlink()
        return found

    look = cache._files
    monkeypatch.setattr(cache, "_files", while_it_looks)
    prune(str(tmp_path), 500)
    assert [path for path in files if path.exists()] == [files[0], *files[6:]]


def test_several_prune_at_once(tmp_path: Path) -> None:
    files = filled(tmp_path, 200)
    workers = [threading.Thread(target=prune, args=(str(tmp_path), 10000)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [path for path in files if path.exists()] == files[110:]


@pytest.mark.parametrize(
    ("asked", "limit"),
    [("", LIMIT), ("0", 0), ("12", 12), ("3k", 3 << 10), ("500M", 500 << 20), ("2GB", 2 << 30), ("2 G B", None)],
)
def test_limits_in_words(asked: str, limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYOGRAPH_CACHE_LIMIT", asked)
    if limit is None:
        with pytest.raises(InputError, match="CRYOGRAPH_CACHE_LIMIT is"):
            cache_limit()
    else:
        assert cache_limit() == limit
