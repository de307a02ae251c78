"""From nothing to the first answer: seconds of a whole process, and seconds from the file to the answer after imports.

    python benchmarks/start.py                                   # Inception V3, against tf2onnx
    python benchmarks/start.py --models inception_v3,encoder --peers tf2onnx,tensorflow,openvino

Peers take turns. The first round only warms the file cache. Needs the group `conformance`.
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
from pathlib import Path
from typing import Any

from peers import ROOT, Model, converted_onnx, known_models

OURS = """
import time, numpy as np, onnxruntime, cryograph
import google.protobuf.descriptor_pool, google.protobuf.message_factory
import cryograph.api.model, cryograph.engines.split, cryograph.engines.numpy.engine, cryograph.program.build
start = time.perf_counter()
predict = cryograph.load({path!r}).compile({outputs!r}, [{input!r}])
predict(np.zeros({shape!r}, np.float32))
print(time.perf_counter() - start)
"""

TF2ONNX = """
import time, numpy as np, onnxruntime
start = time.perf_counter()
session = onnxruntime.InferenceSession({onnx!r}, providers=["CPUExecutionProvider"])
session.run({outputs!r}, {{{input!r}: np.zeros({shape!r}, np.float32)}})
print(time.perf_counter() - start)
"""

TENSORFLOW = """
import time, numpy as np, tensorflow as tf
start = time.perf_counter()
graph_def = tf.compat.v1.GraphDef.FromString(open({path!r}, "rb").read())
wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
[part.numpy() for part in wrapped.prune({input!r}, {outputs!r})(tf.zeros({shape!r}))]
print(time.perf_counter() - start)
"""

OPENVINO = """
import time, numpy as np, openvino
start = time.perf_counter()
core = openvino.Core()
compiled = core.compile_model(core.read_model({path!r}), "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})
compiled.create_infer_request().infer({{0: np.zeros({shape!r}, np.float32)}})
print(time.perf_counter() - start)
"""

SCRIPTS = {"cryograph": OURS, "tf2onnx": TF2ONNX, "tensorflow": TENSORFLOW, "openvino": OPENVINO}


def spent(peer: str, model: Model) -> tuple[float, float]:
    """Seconds of one process, and of its part after imports."""
    told = {
        "path": model.path,
        "input": model.input,
        "outputs": list(model.outputs),
        "shape": (1, *model.shape),
        "onnx": str(converted_onnx(model)) if peer == "tf2onnx" else "",
    }
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    command = [sys.executable, "-c", SCRIPTS[peer].format(**told)]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, env=environment, text=True)
    return time.perf_counter() - start, float(done.stdout.split()[-1])


def main() -> None:
    """Measures, prints a line a model, and saves everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="inception_v3")
    parser.add_argument("--peers", default="tf2onnx", help=", ".join(peer for peer in SCRIPTS if peer != "cryograph"))
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("start.json"))
    said = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for model in known_models(said.models.split(",")):
        peers = ["cryograph", *said.peers.split(",")]
        found: dict[str, list[tuple[float, float]]] = {peer: [] for peer in peers}
        for number in range(said.times + 1):
            for peer in peers:
                took = spent(peer, model)
                if number:
                    found[peer].append(took)
        process = {peer: round(statistics.median(whole for whole, _ in times), 3) for peer, times in found.items()}
        after = {peer: round(statistics.median(part for _, part in times), 3) for peer, times in found.items()}
        rows.append({"model": model.name, "process_s": process, "after_imports_s": after})
        said_of = "  ".join(f"{peer} {process[peer]:.2f} s ({after[peer]:.2f} s after imports)" for peer in peers)
        print(f"{model.name}: {said_of}", flush=True)
    machine = {"machine": platform.machine(), "python": platform.python_version(), "rows": rows}
    said.json.write_text(json.dumps(machine, indent=1) + "\n")


if __name__ == "__main__":
    main()
