"""What opening costs: a frozen graph of 100 MB, and graphs of 10,000 and 100,000 nodes; time and resident memory.

    python benchmarks/open.py [--json FILE]

Each opening is the first of a process of its own; the median of several is given.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TIMES = 7


def make(directory: Path) -> dict[str, Path]:
    """The files: 300 big constants, and many small nodes."""
    from cryograph.base.dtypes import FLOAT32
    from cryograph.formats.save import save_document
    from cryograph.graph.document import Document
    from cryograph.graph.graph import Graph
    from cryograph.graph.node import Node

    weights = np.zeros((84, 1000), np.float32)
    graph = Graph()
    for block in range(300):
        attrs = {"dtype": FLOAT32, "value": weights}
        graph.add(Node.make(f"block_{block}/weights", "Const", attrs=attrs))
        for number in range(5):
            graph.add(Node.make(f"block_{block}/op_{number}", "Neg", [f"block_{block}/weights"], {"T": FLOAT32}))
    found = {"100 MB": directory / "big.pb"}
    save_document(Document(graph, "graph"), found["100 MB"])
    for count in (10_000, 100_000):
        graph = Graph([Node.make("n0", "Placeholder", attrs={"dtype": FLOAT32, "shape": (None,)})])
        for number in range(1, count):
            graph.add(Node.make(f"scope/n{number}", "Neg", [f"scope/n{number - 1}"], {"T": FLOAT32}))
        found[f"{count} nodes"] = directory / f"{count}.pb"
        save_document(Document(graph, "graph"), found[f"{count} nodes"])
    return found


def resident() -> int:
    """Kilobytes of this process that are in memory."""
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])


def open_once(path: str) -> None:
    """Opens a file and prints seconds and growth of resident memory in MB."""
    import cryograph as cg
    from cryograph.wire import messages

    cg.load, messages.pool()
    before, start = resident(), time.perf_counter()
    cg.load(path)
    print(json.dumps([time.perf_counter() - start, (resident() - before) / 1000]))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        open_once(options.child)
        return
    result = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, path in make(Path(scratch)).items():
            runs = []
            for _ in range(TIMES):
                command = [sys.executable, __file__, "--child", str(path)]
                runs.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
            seconds = statistics.median(r[0] for r in runs)
            result[name] = {"ms": 1000 * seconds, "resident_mb": statistics.median(r[1] for r in runs)}
            print(f"{name:13} {1000 * seconds:7.1f} ms  +{result[name]['resident_mb']:.1f} MB")
    ratio = result["100000 nodes"]["ms"] / result["10000 nodes"]["ms"]
    print(f"ten times the nodes take {ratio:.1f} times as long")
    if options.json:
        Path(options.json).write_text(json.dumps({**result, "ratio": ratio}, indent=2))


if __name__ == "__main__":
    main()
