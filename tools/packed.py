"""What tools have in common that write a file of packed lines: a zlib stream of text, a line a fact."""

from __future__ import annotations

import argparse
import difflib
import zlib
from collections.abc import Callable
from pathlib import Path


def main(description: str, path: Path, lines: Callable[[], list[str]]) -> int:
    """Parses the command line of such a tool, then writes, checks or prints; the exit code."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is out of date")
    parser.add_argument("--print", action="store_true", help="print the lines instead of writing them")
    options = parser.parse_args()
    wanted = lines()
    if options.print:
        print("\n".join(wanted))
        return 0
    if options.check:
        # The lines are compared, not the bytes: two builds of zlib may compress differently.
        held = zlib.decompress(path.read_bytes()).decode().splitlines() if path.exists() else []
        changes = list(difflib.unified_diff(held, wanted, path.name, "wanted", lineterm="", n=0))
        print("\n".join(changes[:50]) if changes else f"{path.name} holds all {len(wanted)} lines.")
        return 1 if changes else 0
    path.write_bytes(zlib.compress(("\n".join(wanted) + "\n").encode(), 9))
    print(f"{path.name}: {len(wanted)} lines, {path.stat().st_size} bytes")
    return 0
