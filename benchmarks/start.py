"""From the start of a process to its first answer: interpreter, imports, opening, preparing, one run.

    python benchmarks/start.py                            # the 95 MB Inception V3
    python benchmarks/start.py --models mobilenet_v2 --peers tf2onnx,tensorflow --times 9

Processes of all peers take turns. `tf2onnx` is ONNX Runtime on a file that tf2onnx made before. The file is in the
page cache, as a warm-up run of each peer is not counted. Needs the group `conformance`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from peers import ROOT, Model, converted, keras_models

OURS = """
import numpy as np
import cryograph as cg
predict = cg.load({path!r}).compile([{output!r}], [{input!r}])
print(predict(np.zeros({shape!r}, np.float32))[{output!r}].shape)
"""

TF2ONNX = """
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession({onnx!r}, providers=["CPUExecutionProvider"])
print(session.run([{output!r}], {{{input!r}: np.zeros({shape!r}, np.float32)}})[0].shape)
"""

TENSORFLOW = """
import numpy as np
import tensorflow as tf
graph_def = tf.compat.v1.GraphDef.FromString(open({path!r}, "rb").read())
wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
print(wrapped.prune({input!r}, {output!r})(tf.zeros({shape!r})).shape)
"""

SCRIPTS = {"cryograph": OURS, "tf2onnx": TF2ONNX, "tensorflow": TENSORFLOW}


def spent(peer: str, model: Model) -> tuple[float, float]:
    """Seconds of one process, and those that it kept cores busy: these say more on a machine that does other things."""
    onnx = str(converted(model)) if peer == "tf2onnx" else ""
    shape = (1, *model.shape)
    text = SCRIPTS[peer].format(path=model.path, input=model.input, output=model.output, shape=shape, onnx=onnx)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, env=environment)
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measures, prints a line a model, and saves everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="inception_v3")
    parser.add_argument("--peers", default="tf2onnx", help="tf2onnx, tensorflow")
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("start.json"))
    said = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for model in keras_models(said.models.split(",")):
        peers = ["cryograph", *said.peers.split(",")]
        found: dict[str, list[tuple[float, float]]] = {peer: [] for peer in peers}
        for number in range(said.times + 1):
            for peer in peers:
                took = spent(peer, model)
                if number:
                    found[peer].append(took)
        row: dict[str, Any] = {"model": model.name, "bytes": os.path.getsize(model.path), "peers": {}}
        for peer, pairs in found.items():
            seconds, busy = (sorted(part) for part in zip(*pairs, strict=True))
            told = {"median_s": statistics.median(seconds), "best_s": seconds[0], "cpu_s": statistics.median(busy)}
            row["peers"][peer] = {key: round(value, 3) for key, value in told.items()}
            print(f"{model.name} {peer}: " + "  ".join(f"{key} {value:.3f}" for key, value in told.items()), flush=True)
        rows.append(row)
    said.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
