"""The command line: `cryograph VERB ...`. Each verb is one small file over the public API."""

from __future__ import annotations

from .main import main

__all__ = ["main"]
