"""Ops that only old files hold, and the old forms of ops that are still there.

`legacy.txt` is kept by hand, in the notation of `notation.py`, a comment above each group. An op with several lines had
several forms, the newest first; for an op that TensorFlow 2.21 still registers the lines are its older forms only.
Source: the ops that the wheels of TensorFlow 0.12, 1.0, 1.4, 1.8, 1.12 and 1.15 declare (their `contrib` included) and
that 2.21 does not, or declares with other inputs; TensorFlow Addons 0.23; the TensorRT and TensorFlow Lite converters.
Ops that are deprecated but registered (BatchNormWithGlobalNormalization, TensorArrayV2 ...) are in `signatures.bin`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache

from ..base.errors import DamagedError


@cache
def legacy_lines() -> Mapping[str, tuple[str, ...]]:
    """For each op of `legacy.txt` its lines, the newest form first."""
    data = pkgutil.get_data(__package__, "legacy.txt")
    if data is None:
        raise DamagedError("The installed package lacks ops/legacy.txt. Install it anew.")
    found: dict[str, tuple[str, ...]] = {}
    for line in data.decode().splitlines():
        if line and not line.startswith("#"):
            name = line.partition("(")[0]
            found[name] = (*found.get(name, ()), line)
    return found
