"""The user's cache directory: small files that may be lost at any time."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from .errors import Error
from .files import atomic_write


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
