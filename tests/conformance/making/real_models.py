"""TensorFlow's answers for models that packages ship; the models themselves stay where `fetch` unpacked them."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.framework import graph_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from ..packages import fetch, tool
from ..recipes import Case
from .common import photographs, run_graph

v1 = tf.compat.v1


def musicnn(out: Path) -> dict[str, Case]:
    """Music taggers, TF1 checkpoints: a case for each of the four, keyed by its folder's name.

    TensorFlow 2.21 refuses the `.meta` for wrong `_output_shapes` in its gradients; without that attribute it answers.
    """
    cases = {}
    spectrogram = _spectrogram()
    for name in ("MTT_musicnn", "MSD_musicnn", "MTT_vgg", "MSD_vgg"):
        folder = fetch("musicnn") / "musicnn" / name
        meta = meta_graph_pb2.MetaGraphDef.FromString((folder / ".meta").read_bytes())
        for node in meta.graph_def.node:
            node.attr.pop("_output_shapes", None)
        with tf.Graph().as_default(), v1.Session() as session:
            saver = v1.train.import_meta_graph(meta)
            saver.restore(session, f"{folder}/")
            feeds = {"model/Placeholder:0": spectrogram, "model/Placeholder_2:0": np.array(False)}
            cases[name] = Case(feeds, {"model/Sigmoid:0": session.run("model/Sigmoid:0", feeds)})
    return cases


def _spectrogram() -> Any:
    """Two log-mel spectrograms `(2, 187, 96)` of made-up music: chords with overtones, a beat, and noise."""
    random = np.random.default_rng(3)
    time, band = np.arange(187)[None, :, None], np.arange(96)[None, None, :]
    energy = random.gamma(0.6, 0.002, (2, 187, 96)) * np.exp(-band / 40)
    for start, length, pitches in ((0, 50, (8, 12, 15)), (50, 40, (10, 13, 17)), (90, 97, (6, 12, 18, 22))):
        inside = (time >= start) & (time < start + length)
        for pitch in pitches:
            for overtone in range(1, 6):
                line = np.exp(-(((band - pitch * overtone**0.7 - np.array([0, 3])[:, None, None]) / 0.8) ** 2))
                energy += inside * line * np.exp(-(time - start) / 60) * 0.5 / overtone
    energy[:, ::23] += 0.02
    return np.log10(10000 * energy + 1).astype(np.float32)


def basic_pitch(out: Path) -> dict[str, Case]:
    """A pitch detector, a TF2 SavedModel: `input_2` (2, 43844, 1) to `note`, `onset`, `contour`."""
    seconds = np.arange(43844) / 22050
    random = np.random.default_rng(5)
    sound = random.normal(0, 0.003, (2, 43844))
    for row, start, frequency in ((0, 0.1, 220.0), (0, 0.7, 277.2), (0, 1.2, 329.6), (1, 0.3, 440.0), (1, 0.9, 523.3)):
        since = np.clip(seconds - start, 0, None)
        envelope = (seconds > start) * np.exp(-3 * since) * np.minimum(1, since * 100)
        for overtone in range(1, 7):
            sound[row] += 0.3 / overtone * envelope * np.sin(2 * np.pi * frequency * overtone * seconds)
    audio = sound[:, :, None].astype(np.float32)
    model = tf.saved_model.load(str(fetch("basic-pitch", "icassp_2022/nmp")))
    answers = model.signatures["serving_default"](input_2=tf.constant(audio))
    return {"serving_default": Case({"input_2": audio}, {name: np.asarray(a) for name, a in answers.items()})}


def guesslang(out: Path) -> dict[str, Case]:
    """A classifier of source text, an Estimator's SavedModel: a case for each signature."""
    texts = [
        b"import os\n\ndef main(argv):\n    for name in os.listdir(argv[1]):\n        print(name)\n",
        b'#include <stdio.h>\nint main(void) {\n  for (int i = 0; i < 3; i++) printf("%d\\n", i);\n  return 0;\n}\n',
        b"SELECT name, COUNT(*) FROM users GROUP BY name HAVING COUNT(*) > 1;",
        b'fn main() { let v: Vec<i32> = (1..4).map(|x| x * x).collect(); println!("{:?}", v); }',
        "const größe = (x) => x.map((y) => y.länge);\n".encode(),
    ]
    model = tf.saved_model.load(str(fetch("guesslang", "data/model")))
    content = np.array(texts, dtype=object)
    cases = {}
    for key, name in (("predict", "content"), ("classification", "inputs"), ("serving_default", "inputs")):
        answers = model.signatures[key](**{name: tf.constant(texts)})
        cases[key] = Case({name: content}, {name: np.asarray(answer) for name, answer in answers.items()})
    return cases


def nudity(out: Path) -> dict[str, Case]:
    """A retrained MobileNet V1, frozen: `input:0` (1, 224, 224, 3) to `final_result:0`, for two photographs."""
    graph = graph_pb2.GraphDef.FromString(fetch("nudity", "retrained_graph.pb").read_bytes())
    cases = {}
    for name, picture in zip(("china", "flower"), photographs(224), strict=True):
        feeds = {"input:0": picture[None]}
        cases[name] = Case(feeds, run_graph(graph, feeds, ["final_result:0", "input_1/BottleneckInputPlaceholder:0"]))
    return cases


UNPACK = """
const [folder, ...names] = process.argv.slice(1);
const held = Object.fromEntries(names.map((name) => [name, require(`${folder}/${name}.min.js`)]));
console.log(JSON.stringify(held));
"""


def nsfwjs(out: Path) -> dict[str, Case]:
    """A MobileNet V2 that judges pictures, a TensorFlow.js graph model of 8-bit weights: `input:0` (2, 224, 224, 3).

    The package holds it as JavaScript modules; here it becomes files, and a frozen graph with its fused ops kept.
    """
    shards = ["group1-shard1of2", "group1-shard2of2"]
    folder = fetch("nsfwjs") / "package" / "dist" / "models" / "mobilenet_v2_mid"
    held = json.loads(_node(UNPACK, str(folder), "model", *shards))
    (out / "model").mkdir()
    (out / "model" / "model.json").write_text(json.dumps(held["model"]))
    for name in shards:
        (out / "model" / name).write_bytes(base64.b64decode(held[name]))
    graph = tfjs_graph(out / "model")
    (out / "frozen.pb").write_bytes(graph.SerializeToString(deterministic=True))
    feeds = {"input:0": (photographs(224) + 1) / 2}
    return {"": Case(feeds, run_graph(apart(graph), feeds, ["Identity:0"]))}


ASK_PACKAGE = """
const { ModelOperations } = require(process.argv[1]);
const texts = JSON.parse(process.argv[2]);
(async () => {
  const operations = new ModelOperations({ minContentSize: 0 });
  const found = [];
  for (const text of texts) found.push(await operations.runModel(text));
  console.log(JSON.stringify(found));
})();
"""


def languagedetection(out: Path) -> dict[str, Case]:
    """A classifier of source text, a TensorFlow.js graph model with strings, a loop and functions: what TensorFlow
    answers, and what the package's own TensorFlow.js does; that one splits characters of several bytes otherwise."""
    texts = [
        "import os\n\ndef main(argv):\n    for name in os.listdir(argv[1]):\n        print(name)\n",
        "#include <stdio.h>\nint main(void) {\n  for (int i = 0; i < 3; i++) puts(argv[i]);\n  return 0;\n}\n",
        "SELECT name, COUNT(*) FROM users GROUP BY name HAVING COUNT(*) > 1;",
        "const größe = (x) => x.map((y) => y.länge);\n",
        "x",
    ]
    package = fetch("vscode-languagedetection") / "package"
    graph = tfjs_graph(package / "model")
    (out / "frozen.pb").write_bytes(graph.SerializeToString(deterministic=True))
    scores, classes = "head/predictions/probabilities:0", "head/Tile:0"
    feeds = {"Placeholder:0": np.array([text.encode() for text in texts], object)}
    answers = run_graph(graph, feeds, [scores, classes])
    names = [name.decode() for name in answers[classes][0]]
    plain = [text for text in texts if text.isascii()]
    found = json.loads(_node(ASK_PACKAGE, str(package), json.dumps(plain)))
    theirs = [{each["languageId"]: each["confidence"] for each in answer} for answer in found]
    rows = np.array([[answer[name] for name in names] for answer in theirs], np.float32)
    asked = {"Placeholder:0": np.array([text.encode() for text in plain], object)}
    return {"": Case(feeds, answers), "package": Case(asked, {scores: rows})}


def _node(script: str, *arguments: str) -> str:
    done = subprocess.run([tool("node"), "-e", script, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"node failed: {done.stderr[-2000:]}")
    return done.stdout


def tfjs_graph(folder: Path) -> Any:
    """The GraphDef of a TensorFlow.js graph model, with its weights as constants and its fused ops as TensorFlow
    spells them today."""
    model = json.loads((folder / "model.json").read_text())
    graph = json_format.ParseDict(model["modelTopology"], graph_pb2.GraphDef())
    weights = {}
    for group in model["weightsManifest"]:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        for weight in group["weights"]:
            weights[weight["name"]], data = _tfjs_weight(weight, data)
        assert not data
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for node in nodes:
            if node.op == "Const" and node.name in weights:
                dtype = tf.as_dtype(node.attr["dtype"].type)
                value = tf.make_tensor_proto(weights[node.name].astype(dtype.as_numpy_dtype), dtype)
                node.attr["value"].tensor.CopyFrom(value)
            elif node.op == "_FusedConv2D":
                node.attr["TArgs"].list.type.extend([types_pb2.DT_FLOAT] * (len(node.input) - 2))
            elif node.op == "FusedDepthwiseConv2dNative":
                node.op = "_FusedDepthwiseConv2dNative"
                node.attr["num_args"].i = len(node.input) - 2
    return graph


def _tfjs_weight(weight: Any, data: bytes) -> tuple[Any, bytes]:
    """One value of the manifest, and the bytes behind it."""
    count = int(np.prod(weight["shape"], dtype=np.int64))
    if weight["dtype"] == "string":
        found = np.empty(count, object)
        for index in range(count):
            end = 4 + int.from_bytes(data[:4], "little")
            found[index], data = data[4:end], data[end:]
        return found.reshape(weight["shape"]), data
    quantization = weight.get("quantization", {})
    stored = np.dtype(quantization.get("dtype", weight["dtype"]))
    values = np.frombuffer(data, stored, count).reshape(weight["shape"])
    if "scale" in quantization:
        values = values * quantization["scale"] + quantization["min"]
    return values.astype(weight["dtype"]), data[count * stored.itemsize :]


def apart(graph: Any) -> Any:
    """The graph with its fused depthwise convolutions, of which TensorFlow has a kernel in oneDNN alone, as three
    ops."""
    made = graph_pb2.GraphDef(versions=graph.versions)
    for node in graph.node:
        if node.op != "_FusedDepthwiseConv2dNative":
            made.node.append(node)
            continue
        tail = [name.decode() for name in node.attr["fused_ops"].list.s]
        inputs = list(node.input[:2])
        for step, op in enumerate(["DepthwiseConv2dNative", *tail]):
            name = node.name if step == len(tail) else f"{node.name}/{op}"
            part = made.node.add(name=name, op=op, input=inputs)
            part.attr["T"].CopyFrom(node.attr["T"])
            if step == 0:
                for key in ("strides", "padding", "dilations", "data_format"):
                    part.attr[key].CopyFrom(node.attr[key])
            inputs = [name, node.input[2]] if tail[step : step + 1] == ["BiasAdd"] else [name]
    return made
