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
    """A frozen graph with one input, and the shape of one example."""

    name: str
    path: str
    input: str
    outputs: tuple[str, ...]
    shape: tuple[int, ...]

    def example(self, batch: int) -> Any:
        """Numbers to feed."""
        return np.random.default_rng(0).uniform(-1, 1, (batch, *self.shape)).astype(np.float32)


RECIPES = {
    "mobilenet_v2": ("keras/mobilenet_v2", (224, 224, 3)),
    "inception_v3": ("keras/inception_v3", (299, 299, 3)),
    "resnet50": ("keras/resnet50", (224, 224, 3)),
    "efficientnet_b0": ("keras/efficientnet_b0", (224, 224, 3)),
    "lstm": ("speed/lstm", (64, 128)),
    "encoder": ("speed/encoder", (128, 384)),
    "detection": ("speed/detection", (224, 224, 3)),
}
SINGLE = frozenset({"detection"})
"""Models that take one example at a time."""


def known_models(names: list[str]) -> list[Model]:
    """The models that the conformance suite makes with TensorFlow (from its cache when they are there)."""
    sys.path.insert(0, str(ROOT))
    from tests.conformance.recipes import make

    models = []
    for name in names:
        recipe, shape = RECIPES[name]
        made = make(recipe)
        models.append(Model(name, str(made.path("frozen.pb")), "x:0", tuple(made.outputs), shape))
    return models


def _cryograph(engine: str) -> Callable[[Model], Call]:
    def open_(model: Model) -> Call:
        import cryograph

        predict = cryograph.load(model.path).compile(list(model.outputs), [model.input], engine=engine)
        return predict

    return open_


def _tf2onnx(model: Model) -> Call:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(converted_onnx(model)), providers=["CPUExecutionProvider"])
    return lambda x: session.run(list(model.outputs), {model.input: x})


def _tensorflow(model: Model) -> Call:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(Path(model.path).read_bytes())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
    pruned = wrapped.prune(model.input, list(model.outputs))
    return lambda x: [part.numpy() for part in pruned(tf.constant(x))]


def _openvino(model: Model) -> Call:
    import openvino

    read = openvino.Core().read_model(model.path)
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(read, "CPU", hints)
    request = compiled.create_infer_request()
    return lambda x: list(request.infer({0: x}).values())


def _litert(model: Model) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(converted_litert(model)), num_threads=os.cpu_count())
    (entry,) = interpreter.get_input_details()
    ends = interpreter.get_output_details()

    def call(x: Any) -> Any:
        if tuple(interpreter.get_input_details()[0]["shape"]) != x.shape:
            interpreter.resize_tensor_input(entry["index"], x.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], x)
        interpreter.invoke()
        return [interpreter.get_tensor(end["index"]) for end in ends]

    interpreter.allocate_tensors()
    return call


PEERS: dict[str, Callable[[Model], Call]] = {
    "cryograph": _cryograph("auto"),
    "cryograph-fastest": _cryograph("fastest"),
    "cryograph-openvino": _cryograph("openvino"),
    "cryograph-numpy": _cryograph("numpy"),
    "tf2onnx": _tf2onnx,
    "tensorflow": _tensorflow,
    "openvino": _openvino,
    "litert": _litert,
}


def _kept(model: Model, suffix: str, make: Callable[[str], None]) -> Path:
    """A conversion of the model, kept between runs."""
    key = hashlib.sha256(Path(model.path).read_bytes()).hexdigest()[:12]
    folder = Path(os.environ.get("CRYOGRAPH_TEST_CACHE") or tempfile.gettempdir()) / "cryograph-benchmarks"
    path = folder / f"{model.name}-{key}{suffix}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make(f"{path}.part")
        os.replace(f"{path}.part", path)
    return path


def converted_onnx(model: Model) -> Path:
    """tf2onnx's conversion."""

    def make(path: str) -> None:
        command = [sys.executable, "-m", "tf2onnx.convert", "--graphdef", model.path, "--opset", "18"]
        command += ["--inputs", model.input, "--outputs", ",".join(model.outputs), "--output", path]
        subprocess.run(command, check=True, capture_output=True)

    return _kept(model, ".onnx", make)


def converted_litert(model: Model) -> Path:
    """The conversion of TensorFlow's own converter to LiteRT, in float32."""

    def make(path: str) -> None:
        import tensorflow as tf

        graph_def = tf.compat.v1.GraphDef.FromString(Path(model.path).read_bytes())
        wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
        pruned = wrapped.prune(model.input, list(model.outputs))
        pruned.inputs[0].set_shape([1, *model.shape])
        converter = tf.lite.TFLiteConverter.from_concrete_functions([pruned])
        Path(path).write_bytes(converter.convert())

    return _kept(model, ".tflite", make)


CONVERSIONS = {"tf2onnx": converted_onnx, "litert": converted_litert}
"""What must be made before a peer can run."""


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
    given = told["model"]
    model = Model(**{**given, "shape": tuple(given["shape"]), "outputs": tuple(given["outputs"])})
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
