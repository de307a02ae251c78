"""What the benchmarks compare: each peer opens a frozen graph and gives a callable from one array to one answer.

A peer runs in a process of its own, so that no thread pool disturbs another; see `serve`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
Call = Callable[[Any], Any]


@dataclass(frozen=True)
class Model:
    """A frozen graph with one input and one output, and the shape of one example."""

    name: str
    path: str
    input: str
    output: str
    shape: tuple[int, ...]

    def example(self, batch: int) -> Any:
        """Numbers to feed."""
        return np.random.default_rng(0).uniform(-1, 1, (batch, *self.shape)).astype(np.float32)


def keras_models(names: list[str]) -> list[Model]:
    """The image classifiers that the conformance suite makes with TensorFlow (from its cache when they are there)."""
    sys.path.insert(0, str(ROOT))
    from tests.conformance.recipes import make

    sizes = {"mobilenet_v2": 224, "inception_v3": 299, "resnet50": 224}
    models = []
    for name in names:
        path = make(f"keras/{name}").path("frozen.pb")
        models.append(Model(name, str(path), "x:0", "Identity:0", (sizes[name], sizes[name], 3)))
    return models


def _cryograph(engine: str) -> Callable[[Model], Call]:
    def open_(model: Model) -> Call:
        import cryograph

        predict = cryograph.load(model.path).compile([model.output], [model.input], engine=engine)
        return lambda x: predict(x)[model.output]

    return open_


def _tf2onnx(model: Model) -> Call:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(converted(model)), providers=["CPUExecutionProvider"])
    return lambda x: session.run([model.output], {model.input: x})[0]


def _tensorflow(model: Model) -> Call:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(Path(model.path).read_bytes())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
    pruned = wrapped.prune(model.input, model.output)
    return lambda x: pruned(tf.constant(x)).numpy()


PEERS: dict[str, Callable[[Model], Call]] = {
    "cryograph": _cryograph("auto"),
    "cryograph-numpy": _cryograph("numpy"),
    "tf2onnx": _tf2onnx,
    "tensorflow": _tensorflow,
}


def converted(model: Model) -> Path:
    """tf2onnx's conversion of the model, kept between runs."""
    key = hashlib.sha256(Path(model.path).read_bytes()).hexdigest()[:12]
    folder = Path(os.environ.get("CRYOGRAPH_TEST_CACHE") or tempfile.gettempdir()) / "cryograph-benchmarks"
    path = folder / f"{model.name}-{key}.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tf2onnx.convert", "--graphdef", model.path, "--opset", "18"]
        command += ["--inputs", model.input, "--outputs", model.output, "--output", f"{path}.part"]
        subprocess.run(command, check=True, capture_output=True)
        os.replace(f"{path}.part", path)
    return path


class Server:
    """A peer in a process of its own that runs the model when it is told to."""

    def __init__(self, peer: str, model: Model, batch: int) -> None:
        told = json.dumps({"peer": peer, "model": asdict(model), "batch": batch})
        self._process = subprocess.Popen(
            [sys.executable, __file__, told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        )
        self._ask(2)  # opening and the first runs are not what is measured

    def _ask(self, count: int) -> list[float]:
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("The peer has no pipes.")
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("A peer ended before it answered; run it alone to see why.")
        times: list[float] = json.loads(line)
        return times

    def times(self, count: int) -> list[float]:
        """Seconds of each of `count` runs, after one that is not counted."""
        return self._ask(count + 1)[1:]

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def serve(told: dict[str, Any]) -> None:
    """The process of a peer: for each number on standard input, so many runs, and their seconds as JSON."""
    model = Model(**{**told["model"], "shape": tuple(told["model"]["shape"])})
    call = PEERS[told["peer"]](model)
    x = model.example(told["batch"])
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            call(x)
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
