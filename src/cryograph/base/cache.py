"""The user's cache directory: small files that may be lost at any time, those longest unused first when it is full."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from .errors import Error, InputError
from .files import atomic_write

LIMIT = 1 << 30
"""Bytes that a growing part of the cache may take where `CRYOGRAPH_CACHE_LIMIT` does not say another number."""
ROOM = 0.9
"""The share of the limit that is left when files had to go, so that not every new file drives out another."""
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def cache_dir() -> str:
    """Where this platform keeps caches: `CRYOGRAPH_CACHE`, else `cryograph` in the user's cache directory."""
    asked = os.environ.get("CRYOGRAPH_CACHE")
    if asked:
        return asked
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "cryograph")
    if sys.platform == "win32":
        return os.path.join(os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), "cryograph")
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "cryograph")


def remembered(name: str) -> Any:
    """What `remember` kept under a name; None when it is gone or cannot be read."""
    try:
        with open(os.path.join(cache_dir(), f"{name}.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def remember(name: str, value: Any) -> None:
    """Keeps a value that JSON can hold; where nothing can be written, it is forgotten."""
    path = os.path.join(cache_dir(), f"{name}.json")
    with contextlib.suppress(OSError, Error):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with atomic_write(path) as out:
            out.write(json.dumps(value).encode())


def cache_limit() -> int:
    """The bytes that a growing part of the cache may take: `CRYOGRAPH_CACHE_LIMIT` (a number, or one with K, M, G or T
    behind it), else LIMIT. InputError for anything else."""
    asked = os.environ.get("CRYOGRAPH_CACHE_LIMIT", "").strip()
    if not asked:
        return LIMIT
    size = asked.upper().removesuffix("B")
    number, unit = (size[:-1], size[-1]) if size[-1:] in UNITS else (size, "")
    if not number.isdecimal():
        raise InputError(f"CRYOGRAPH_CACHE_LIMIT is {asked!r}; a number of bytes was expected, or 500M, or 2G.")
    return int(number) * UNITS[unit]


def mark_used(path: str) -> None:
    """Notes that a file of the cache has been used now."""
    with contextlib.suppress(OSError):
        os.utime(path)


def prune(folder: str, limit: int) -> None:
    """Deletes files below a folder, those longest unused first, until no more than `limit` bytes are left.

    Other processes may read, write and prune at the same time: a file that is gone, or that was used after it was
    looked at, is left alone, and one that is being read stays readable where the system has it so.
    """
    found = sorted(_files(folder))
    total = sum(size for _, size, _ in found)
    if total <= limit:
        return
    for used, size, path in found:
        if total <= limit * ROOM:
            break
        total -= size
        with contextlib.suppress(OSError):
            if os.stat(path).st_mtime_ns == used:
                os.unlink(path)
    for part in {os.path.dirname(path) for _, _, path in found} - {folder}:
        with contextlib.suppress(OSError):
            os.rmdir(part)  # where nothing is left in it


def _files(folder: str) -> Iterator[tuple[int, int, str]]:
    """When each file below a folder was last used, its bytes, and its path."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                with contextlib.suppress(OSError):
                    said = entry.stat(follow_symlinks=False)
                    yield said.st_mtime_ns, said.st_size, entry.path
