"""Steady latency of cryograph beside its peers, in alternation, in one run.

    python benchmarks/latency.py                              # all models, against all peers
    python benchmarks/latency.py --models resnet50 --batches 1,8 --peers tf2onnx,tensorflow
    python benchmarks/latency.py --pb model.pb --input x:0 --output y:0 --shape 224,224,3

Each peer runs in a process of its own; they take turns of a few runs each, so that what else the machine does meets
all alike. A ratio is the median over the rounds of the ratio of their medians. Needs the group `conformance`.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from pathlib import Path
from typing import Any

from peers import CONVERSIONS, PEERS, RECIPES, SINGLE, Model, Server, known_models

OURS = "cryograph"
PAUSE = 0.05
"""Seconds of rest before each turn, until threads that wait busily have gone to sleep."""


def compare(model: Model, batch: int, peers: list[str], rounds: int, runs: int) -> dict[str, Any]:
    """Medians in ms of each peer, and ratios of ours to theirs."""
    servers: dict[str, Server] = {}
    refused = {}
    for peer in [OURS, *peers]:
        try:
            if peer in CONVERSIONS:
                CONVERSIONS[peer](model)
            servers[peer] = Server(peer, model, batch)
        except (SystemExit, Exception) as error:
            if peer == OURS:
                raise
            refused[peer] = str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__
    peers = [peer for peer in peers if peer in servers]
    medians: dict[str, list[float]] = {peer: [] for peer in servers}
    try:
        for number in range(rounds):
            order = list(servers)
            for peer in order[number % len(order) :] + order[: number % len(order)]:
                time.sleep(PAUSE)
                medians[peer].append(statistics.median(servers[peer].times(runs)))
    finally:
        for server in servers.values():
            server.close()
    return {
        "model": model.name,
        "batch": batch,
        "median_ms": {peer: round(statistics.median(found) * 1e3, 3) for peer, found in medians.items()},
        "best_ms": {peer: round(min(found) * 1e3, 3) for peer, found in medians.items()},
        "refused": refused,
        "ratio": {
            peer: round(statistics.median(a / b for a, b in zip(medians[OURS], medians[peer], strict=True)), 4)
            for peer in peers
        },
    }


def summary(rows: list[dict[str, Any]]) -> str:
    """The geometric mean of the ratios to each peer."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        for peer, ratio in row["ratio"].items():
            ratios.setdefault(peer, []).append(ratio)
    means = {peer: math.exp(statistics.fmean(map(math.log, found))) for peer, found in ratios.items()}
    return "geometric means: " + "  ".join(f"x{mean:.3f} of {peer}" for peer, mean in means.items())


def main() -> None:
    """Compares, prints a line a model, and saves everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(RECIPES))
    parser.add_argument("--pb", help="a frozen graph instead of the image classifiers")
    parser.add_argument("--input", default="x:0")
    parser.add_argument("--output", default="Identity:0")
    parser.add_argument("--shape", default="224,224,3", help="of one example, without the batch")
    parser.add_argument("--batches", default="1")
    parser.add_argument(
        "--peers", default="tf2onnx,tensorflow,openvino,litert", help=", ".join(peer for peer in PEERS if peer != OURS)
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=Path, default=Path("latency.json"))
    said = parser.parse_args()
    if said.pb:
        shape = tuple(int(size) for size in said.shape.split(","))
        models = [Model(Path(said.pb).stem, said.pb, said.input, tuple(said.output.split(",")), shape)]
    else:
        models = known_models(said.models.split(","))
    found = []
    for model in models:
        for batch in (int(number) for number in said.batches.split(",")):
            if batch > 1 and model.name in SINGLE:
                continue
            row = compare(model, batch, said.peers.split(","), said.rounds, said.runs)
            found.append(row)
            times = "  ".join(f"{peer} {ms:.2f} ms" for peer, ms in row["median_ms"].items())
            ratios = "  ".join(f"x{ratio:.3f} of {peer}" for peer, ratio in row["ratio"].items())
            refusals = "".join(f"  {peer} refuses: {why}" for peer, why in row["refused"].items())
            print(f"{model.name} batch {batch}: {times}   {ratios}{refusals}", flush=True)
    print(summary(found))
    machine = {"machine": platform.machine(), "python": platform.python_version(), "rows": found}
    said.json.write_text(json.dumps(machine, indent=1) + "\n")


if __name__ == "__main__":
    main()
