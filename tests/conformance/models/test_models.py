"""Whole models against TensorFlow: real ones that packages ship, Keras image models, graphs of 2016 and of TF2.

Each question is asked of the file as it is, of the frozen file, and of the frozen file through TensorFlow.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cryograph.api.model import Model, load
from cryograph.base.errors import UnsupportedError

from ..packages import fetch
from ..program.oracle import document_of
from ..recipes import Case, make

v1 = tf.compat.v1


@dataclass(frozen=True)
class Question:
    """A recipe's case, and the file to ask: in the recipe's folder, or in a package (`package:member`)."""

    recipe: str
    case: str
    path: str
    engines: tuple[str, ...] = ("auto", "numpy")
    tolerance: float = 1e-5

    @property
    def id(self) -> str:
        return f"{self.recipe}-{self.path}-{self.case}".strip("-")

    def open(self) -> tuple[Model, Case]:
        package, found, member = self.path.partition(":")
        file = fetch(package, member) if found else make(self.recipe).path(*filter(None, [self.path]))
        return load(file), make(self.recipe).cases[self.case]


IMAGE_MODELS = [
    Question(f"keras/{name}", case, path, ("auto", "numpy") if name == "mobilenet_v2" else ("auto",))
    for name in ("mobilenet_v2", "inception_v3", "resnet50")
    for case, path in (("", "frozen.pb"), ("serving_default", "saved_model"), ("tf1", "tf1"))
]
MUSICNN = [
    Question("real/musicnn", name, f"musicnn:musicnn/{name}")
    for name in ("MTT_musicnn", "MSD_musicnn", "MTT_vgg", "MSD_vgg")
]
QUESTIONS = [
    *IMAGE_MODELS,
    *MUSICNN,
    # The logarithm of a spectrum near silence magnifies the last bits of sums that engines take in other orders.
    Question("real/basic_pitch", "serving_default", "basic-pitch:saved_models/icassp_2022/nmp", tolerance=1e-4),
    *(Question("real/guesslang", case, "guesslang:data/model") for case in ("predict", "classification")),
    Question("real/nudity", "china", "nudity:retrained_graph.pb"),
    Question("real/nudity", "flower", "nudity:retrained_graph.pb"),
    Question("real/nsfwjs", "", "model"),
    Question("real/nsfwjs", "", "frozen.pb"),
    Question("real/languagedetection", "", "vscode-languagedetection:model/model.json"),
    Question("real/languagedetection", "", "frozen.pb"),
    Question("real/languagedetection", "package", "vscode-languagedetection:model/model.json"),
    Question("2016/mnist", "", ""),
    Question("2016/mnist", "", "model.ckpt-20.meta", tolerance=10.0),  # an earlier step: it runs, and answers differ
    Question("2016/mnist", "loss", "model.ckpt-60"),
    Question("2016/mnist", "", "frozen.pb"),
    Question("2016/batch_norms", "", "model.ckpt.meta"),
    Question("2016/batch_norms", "frozen", "frozen.pb"),
    Question("2016/partitioned", "", "model.ckpt-7.meta"),
    Question("2016/model_dir", "", ""),
    Question("2016/resource_variables", "", "model.ckpt-1.meta"),
    Question("2016/resource_variables", "", "frozen.pb"),
    Question("2016/tables", "", "frozen.pb"),
    Question("2016/tables", "", "model.ckpt.meta"),
    Question("2016/saved_model", "serving_default", "binary"),
    Question("2016/saved_model", "classify", "text"),
    Question("2016/saved_model", "logits", "binary"),
    Question("tf2/many_signatures", "dense", "saved_model"),
    Question("tf2/many_signatures", "score", "saved_model"),
    Question("tf2/dtypes", "serving_default", "saved_model"),
    Question("tf2/keras2", "serving_default", "saved_model"),
]


def feeds_of(model: Model, case: Case, name: str) -> tuple[dict[str, Any], str | None]:
    """A case's inputs under the names that the graph has for them, and the signature when it is one's."""
    signature = name if name in model.signatures else None
    feeds = {}
    for key, value in case.inputs.items():
        tensor = key
        if signature is not None and key in model.signatures[name].inputs:
            tensor = model.signatures[name].inputs[key].tensor
        feeds[tensor] = value
    return feeds, signature


def outputs_of(model: Model, case: Case, name: str) -> dict[str, str]:
    """For each output of a case its tensor."""
    if name in model.signatures:
        return {key: model.signatures[name].outputs[key].tensor for key in case.outputs}
    return {key: key for key in case.outputs}


def assert_close(found: Any, expected: np.ndarray[Any, Any], tolerance: float) -> None:
    assert found.shape == expected.shape
    if expected.dtype.kind == "O" or expected.dtype.kind in "iub":
        assert found.tolist() == expected.tolist()
    else:
        scale = max(1.0, float(np.abs(expected).max()))
        assert float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max()) <= tolerance * scale


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.id)
def test_the_model_answers_as_tensorflow_does(question: Question, tmp_path: Path) -> None:
    model, case = question.open()
    feeds, _ = feeds_of(model, case, question.case)
    outputs = outputs_of(model, case, question.case)
    for engine in question.engines:
        predict = model.compile(list(outputs.values()), list(feeds), engine=engine)
        answers = predict(feeds)
        for key, tensor in outputs.items():
            assert_close(answers[tensor], case.outputs[key], question.tolerance)
    frozen = model.freeze(list(outputs.values()))
    assert not frozen.variables
    frozen.save(tmp_path / "frozen.pb")
    again = load(tmp_path / "frozen.pb").compile(list(outputs.values()), [f for f in feeds if reaches(frozen, f)])
    answers = again({f: v for f, v in feeds.items() if reaches(frozen, f)})
    for key, tensor in outputs.items():
        assert_close(answers[tensor], case.outputs[key], question.tolerance)
    theirs = ask_tensorflow(tmp_path / "frozen.pb", outputs, {f: v for f, v in feeds.items() if reaches(frozen, f)})
    for key, expected in case.outputs.items():
        assert_close(theirs[key], expected, question.tolerance)


def reaches(frozen: Model, tensor: str) -> bool:
    return tensor.partition(":")[0] in frozen.graph


def ask_tensorflow(path: Path, outputs: dict[str, str], feeds: dict[str, Any]) -> dict[str, Any]:
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        initialisers = [n.name for n in graph_def.node if n.op.startswith(("InitializeTable", "LookupTableImport"))]
        if initialisers:
            session.run(initialisers)
        found = session.run([t if ":" in t else f"{t}:0" for t in outputs.values()], feeds)
    return {key: np.asarray(value) for key, value in zip(outputs, found, strict=True)}


SECOND_PROGRAM = """
import sys
import numpy as np
import cryograph as cg
path, output, feeds, answers = sys.argv[1:]
with np.load(feeds) as given:
    fed = {name.replace("|", "/"): given[name] for name in given.files}
predict = cg.load(path).compile([output], list(fed))
np.save(answers, predict(fed)[output])
"""


@pytest.mark.parametrize("name", ["MTT_musicnn", "MSD_vgg"])
def test_the_main_job_in_two_programs(name: str, tmp_path: Path) -> None:
    """A checkpoint without a name and its graph become one file; another program runs that file."""
    case = make("real/musicnn").cases[name]
    ((output, expected),) = case.outputs.items()
    load(fetch("musicnn", f"musicnn/{name}")).freeze([output]).save(tmp_path / "model.pb")
    np.savez(tmp_path / "feeds.npz", **{k.replace("/", "|"): v for k, v in case.inputs.items()})
    arguments = [str(tmp_path / "model.pb"), output, str(tmp_path / "feeds.npz"), str(tmp_path / "answers.npy")]
    subprocess.run([sys.executable, "-c", SECOND_PROGRAM, *arguments], check=True)
    assert float(np.abs(np.load(tmp_path / "answers.npy") - expected).max()) <= 1e-5


def test_basic_pitch_answers_as_the_onnx_file_beside_it() -> None:
    import onnxruntime

    case = make("real/basic_pitch").case
    session = onnxruntime.InferenceSession(str(fetch("basic-pitch", "icassp_2022/nmp.onnx")))
    (value,) = case.inputs.values()
    theirs = session.run(None, {session.get_inputs()[0].name: value})
    predict = load(fetch("basic-pitch", "saved_models/icassp_2022/nmp")).compile()
    ours = predict(value)
    for expected in theirs:
        assert any(a.shape == expected.shape and np.abs(a - expected).max() <= 1e-4 for a in ours.values())


def test_nsfwjs_finds_the_photographs_neutral() -> None:
    made = make("real/nsfwjs")
    script = fetch("nsfwjs", "dist/esm/nsfw_classes.js").read_text()
    names = dict(re.findall(r"(\d+): '(\w+)'", script))
    (probabilities,) = load(made.path("model")).compile()(*made.inputs.values()).values()
    assert [names[str(best)] for best in probabilities.argmax(1)] == ["Neutral", "Neutral"]


def test_a_model_of_unsupported_ops_names_them() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [2], name="x")
        tf.identity(v1.py_func(np.tanh, [x], tf.float32), name="y")
    model = Model.of(document_of(graph.as_graph_def()))
    with pytest.raises(
        UnsupportedError, match=r"No engine can take 1 of \d+ steps: \S+ \(PyFunc\w*\): the op runs code"
    ):
        model.compile("y")


@pytest.mark.parametrize(
    ("recipe", "path", "case_name", "trainable"),
    [("keras/mobilenet_v2", "frozen.pb", "", 158), ("tf2/keras2", "saved_model", "serving_default", 11)],
)
def test_thawed_models_answer_the_same_and_learn(
    recipe: str, path: str, case_name: str, trainable: int, tmp_path: Path
) -> None:
    """Frozen (out of functions, too), thawed into variables, restored by TensorFlow: the same answers, and trained."""
    made = make(recipe)
    model = load(made.path(path))
    case = made.cases[case_name]
    output = next(iter(outputs_of(model, case, case_name).values()))
    expected = next(iter(case.outputs.values()))
    ((fed, value),) = feeds_of(model, case, case_name)[0].items()
    model.freeze([output]).unfreeze().save(tmp_path / "thawed.meta")
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(str(tmp_path / "thawed.meta"))
        saver.restore(session, str(tmp_path / "thawed"))
        assert_close(session.run(output, {fed: value}), expected, 1e-5)
        assert len(v1.trainable_variables()) == trainable
        loss = tf.reduce_mean(v1.get_default_graph().get_tensor_by_name(output)[:, 0])
        train = v1.train.GradientDescentOptimizer(1.0).minimize(loss)
        before = session.run(loss, {fed: value})
        for _ in range(3):
            session.run(train, {fed: value})
        assert session.run(loss, {fed: value}) < before
        session.run("init")
    ours = load(tmp_path / "thawed.meta").compile([output])(value)
    assert_close(ours[output], expected, 1e-5)
