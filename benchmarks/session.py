"""What a run of a session costs, beside TensorFlow's Session: microseconds of small runs, milliseconds of training.

    python benchmarks/session.py
    python benchmarks/session.py --engines numpy,auto --rounds 9 --json session.json

The graph is the demo's: a convolutional network of 8x8 digits with dropout and momentum. Each peer is a process of its
own, and they take turns. Needs the group `conformance`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "src" / "cryograph" / "data" / "demo"
BATCH = 64

FEEDS = {
    "image:0": np.random.default_rng(0).random((BATCH, 8, 8, 1)).astype(np.float32),
    "label:0": np.random.default_rng(1).integers(0, 10, BATCH),
}
ONE = {"image:0": FEEDS["image:0"][:1]}
RUNS: dict[str, tuple[list[str], dict[str, Any], int]] = {
    "nothing": ([], {}, 2000),
    "one variable": (["global_step:0"], {}, 2000),
    "a variable assigned": (["^global_step/Assign"], {}, 2000),
    "one picture, 10 numbers": (["final/add:0"], {"dropout/SelectV2:0": np.zeros((1, 48), np.float32)}, 1000),
    "one picture": (["probabilities:0"], ONE, 300),
    f"a step of training, batch {BATCH}": (["training/loss:0", "^train"], FEEDS, 20),
}
"""What is run: fetches, feeds, and how many times a round."""


def ours(engine: str) -> Callable[[list[str], dict[str, Any]], Any]:
    """A session of ours on the demo."""
    import cryograph as cg

    session = cg.load(DEMO / "graph.pbtxt", weights=DEMO / "digits-3000").session(engine)
    return session.run


def theirs() -> Callable[[list[str], dict[str, Any]], Any]:
    """The same of TensorFlow's."""
    import tensorflow as tf
    from google.protobuf import text_format

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(text_format.Parse((DEMO / "graph.pbtxt").read_text(), v1.GraphDef()), name="")
    session = v1.Session(graph=graph)
    session.run("save/restore_all", {"save/Const:0": str(DEMO / "digits-3000")})

    def run(fetches: list[str], feeds: dict[str, Any]) -> Any:
        return session.run([name.removeprefix("^") for name in fetches], feeds)

    return run


def serve(peer: str) -> None:
    """Measures a run for each line that comes in."""
    run = theirs() if peer == "tensorflow" else ours(peer)
    for line in sys.stdin:
        fetches, feeds, count = RUNS[line.strip()]
        run(fetches, feeds)
        start = time.perf_counter()
        for _ in range(count):
            run(fetches, feeds)
        print((time.perf_counter() - start) / count, flush=True)


def main() -> None:
    """Measures, prints a line a run, and saves everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="auto,numpy")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("session.json"))
    parser.add_argument("--serve", metavar="PEER", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.serve:
        serve(said.serve)
        return
    peers = [*said.engines.split(","), "tensorflow"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    workers = {
        peer: subprocess.Popen(
            [sys.executable, __file__, "--serve", peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        for peer in peers
    }
    rows: list[dict[str, Any]] = []
    for name in RUNS:
        times: dict[str, list[float]] = {peer: [] for peer in peers}
        for number in range(said.rounds + 1):
            for peer, worker in workers.items():
                if worker.stdin is None or worker.stdout is None:
                    raise SystemExit(f"{peer} has no pipes")
                print(name, file=worker.stdin, flush=True)
                took = float(worker.stdout.readline())
                if number:
                    times[peer].append(took * 1e6)
        medians = {peer: round(statistics.median(found), 1) for peer, found in times.items()}
        rows.append({"run": name, "microseconds": medians})
        print(f"{name}: " + "  ".join(f"{peer} {medians[peer]:.1f} µs" for peer in peers), flush=True)
    for worker in workers.values():
        if worker.stdin is not None:
            worker.stdin.close()
        worker.wait()
    machine = {"machine": platform.machine(), "python": platform.python_version(), "rows": rows}
    said.json.write_text(json.dumps(machine, indent=1) + "\n")


if __name__ == "__main__":
    main()
