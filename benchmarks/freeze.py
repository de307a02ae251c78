"""Joining a graph with a checkpoint of a gigabyte: time against copying the file, and resident memory.

    python benchmarks/freeze.py [--megabytes 1000] [--json FILE]

Each figure is taken in a process of its own; copying and freezing alternate, and their medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PARTS = 20


def make(directory: Path, megabytes: int) -> None:
    """A graph of PARTS big variables that are summed up, and their checkpoint."""
    from cryograph.base.dtypes import FLOAT32, INT32
    from cryograph.base.tensors import Tensor
    from cryograph.formats.checkpoint import save_checkpoint
    from cryograph.formats.save import save_document
    from cryograph.graph.document import Document
    from cryograph.graph.graph import Graph
    from cryograph.graph.node import Node

    rows = megabytes * 1_000_000 // (PARTS * 4 * 1000)
    graph = Graph()
    axes = Tensor.of(np.array([0, 1], np.int32))
    graph.add(Node.make("axes", "Const", attrs={"dtype": INT32, "value": axes}))
    totals = []
    for part in range(PARTS):
        attrs = {"dtype": FLOAT32.as_ref.base, "shape": (rows, 1000), "container": "", "shared_name": ""}
        graph.add(Node.make(f"w{part}", "VariableV2", attrs=attrs))
        inputs = [f"w{part}", "axes"]
        totals.append(
            graph.add(Node.make(f"sum{part}", "Sum", inputs, {"T": FLOAT32, "Tidx": INT32, "keep_dims": False}))
        )
    graph.add(Node.make("total", "AddN", [n.name for n in totals], {"T": FLOAT32, "N": PARTS}))
    save_document(Document(graph, "graph"), directory / "graph.pb")
    block = np.random.default_rng(0).standard_normal((rows, 1000)).astype(np.float32)
    save_checkpoint(directory / "model", {f"w{part}": block for part in range(PARTS)})


def freeze(directory: Path) -> dict[str, float]:
    """One freeze in this process."""
    import cryograph as cg

    start = time.perf_counter()
    model = cg.load(directory / "graph.pb", weights=directory / "model")
    model.freeze("total").save(directory / "frozen.pb")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": peak_megabytes()}


def peak_megabytes() -> float:
    """The most resident memory that this process has had. (getrusage would count its parent's before the exec.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def copy(directory: Path) -> float:
    """One copy of the data file, flushed to disk as freezing flushes."""
    start = time.perf_counter()
    with open(directory / "model.data-00000-of-00001", "rb") as source, open(directory / "copy", "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    seconds = time.perf_counter() - start
    os.unlink(directory / "copy")
    return seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(freeze(Path(options.child))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        make(directory, options.megabytes)
        frozen, copies = [], []
        for _ in range(options.rounds):
            copies.append(copy(directory))
            child = subprocess.run(
                [sys.executable, __file__, "--child", scratch], capture_output=True, text=True, check=True
            )
            frozen.append(json.loads(child.stdout))
            os.unlink(directory / "frozen.pb")
    result = {
        "megabytes": options.megabytes,
        "copy_seconds": statistics.median(copies),
        "freeze_seconds": statistics.median(f["seconds"] for f in frozen),
        "peak_mb": max(f["peak_mb"] for f in frozen),
    }
    result["ratio"] = result["freeze_seconds"] / result["copy_seconds"]
    print(f"copy    {result['copy_seconds']:.2f} s")
    print(
        f"freeze  {result['freeze_seconds']:.2f} s, {result['ratio']:.2f} times the copy,"
        f" peak {result['peak_mb']:.0f} MB"
    )
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
