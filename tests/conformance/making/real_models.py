"""TensorFlow's answers for models that packages ship; the models themselves stay where `fetch` unpacked them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from ..packages import fetch
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
