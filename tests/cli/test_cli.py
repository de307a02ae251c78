"""The command line as users meet it: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cryograph as cg
from cryograph.base import files
from cryograph.cli.demo import read_pictures
from cryograph.cli.main import call
from cryograph.cli.show import counting

DEMO = Path(cg.__file__).parent / "data" / "demo"


@pytest.fixture
def frozen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "digits.pb"
    assert call(["freeze", str(DEMO), str(path), "-o", "probabilities"]) == 0
    assert capsys.readouterr().out == f"{path}: 44 nodes, 31.5 kB of constants\n"
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert call(arguments) == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out if code < 2 else captured.err


def test_inspect_says_what_a_file_is(frozen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "inspect", str(frozen))
    assert "a frozen graph: a GraphDef that holds its weights as constants, 35.5 kB" in text
    assert "complete   yes: it can be run as it is" in text
    assert "image:0  float32 (?, 8, 8, 1)  a placeholder" in text
    assert "probabilities:0  float32" in text


def test_inspect_says_what_a_file_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "inspect", str(DEMO / "graph.pbtxt"))
    assert "17 of 17 variables without a value" in text
    assert f"Beside it: {DEMO / 'digits-3000'}" in text
    text = said(capsys, "inspect", str(DEMO / "digits-3000.index"))
    assert "a checkpoint: weights by name, without a graph" in text
    assert f"Beside it: {DEMO / 'graph.pbtxt'}" in text


def test_inspect_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "inspect", str(DEMO), "--json"))
    assert found["kind"] == "model_dir"
    assert found["complete"]
    assert {v["name"]: v["shape"] for v in found["variables"]}["conv1/weights"] == [3, 3, 1, 12]
    assert found["inputs"][0]["shape"] == [None, 8, 8, 1]
    assert found["care"].keys() == {"SaveV2", "RestoreV2"}


def test_inspect_shows_values(frozen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "inspect", str(frozen), "--tensor", "conv1/biases")
    assert text.startswith("conv1/biases: float32 (12,), 48 bytes\n  from ")
    weights = cg.Checkpoint(DEMO)["conv1/biases"].numpy()
    found = json.loads(said(capsys, "inspect", str(DEMO), "--tensor", "conv1/biases:0", "--json"))
    assert found["minimum"] == pytest.approx(float(weights.min()))


@pytest.mark.parametrize("engine", ["auto", "numpy", "onnxruntime"])
def test_run_takes_what_users_have(
    frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    image = np.random.default_rng(0).random((2, 8, 8, 1)).astype(np.float32)
    np.save(tmp_path / "x.npy", image)
    np.savez(tmp_path / "x.npz", image=image, other=image[:1])
    answers = []
    for value in ("x.npy", "x.npz", "x.npz:image"):
        text = said(capsys, "run", str(frozen), "-i", f"image={tmp_path / value}", "--engine", engine, "--json")
        answers.append(np.array(json.loads(text)["probabilities:0"]))
    assert answers[0].shape == (2, 10)
    assert np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], answers[2])
    np.testing.assert_allclose(answers[0].sum(1), 1, atol=1e-5)
    said(capsys, "run", str(frozen), "-i", f"image={tmp_path / 'x.npy'}", "--save", str(tmp_path / "out.npz"))
    with np.load(tmp_path / "out.npz") as saved:
        np.testing.assert_allclose(saved["probabilities:0"], answers[0], atol=1e-6)


def test_run_takes_pictures_and_numbers(frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = (np.random.default_rng(0).random((16, 16)) * 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "digit.png")
    assert "std is 0; finite" in said(
        capsys, "run", str(frozen), "-i", str(tmp_path / "digit.png"), "--std", "0", code=2
    )
    text = said(capsys, "run", str(frozen), "-i", str(tmp_path / "digit.png"), "--std", "255", "--json")
    assert np.array(json.loads(text)["probabilities:0"]).shape == (1, 10)
    text = said(capsys, "run", str(frozen), "-i", f"image={[[[[0.5]] * 8] * 8]}")
    assert text.startswith("probabilities:0: float32 (1, 10)\n  [[")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "{pb}", "-i", "imag=random"], "cryograph: The model has no input 'imag'. There is: image:0.\n"),
        (
            ["run", "{pb}", "-i", "image=[1, 2]"],
            "cryograph: The input 'image:0' has the shape (?, 8, 8, 1), but an array of (2,) was given.\n",
        ),
        (
            ["run", "{pb}"],
            "cryograph: No value was given for image:0; the model takes image:0: float32 (?, 8, 8, 1).\n",
        ),
        (
            ["extract", "{pb}", "x.pb", "-o", "logit"],
            "cryograph: The graph has no node 'logit'. Nearest: logits.\n",
        ),
        (["inspect", "nothing.pb"], "cryograph: nothing.pb does not exist.\n"),
        (["inspect", ""], "cryograph: An empty name was given, where that of a model file was expected.\n"),
        (["inspect", "/dev/null"], "cryograph: /dev/null is neither a file nor a directory.\n"),
        (
            ["freeze", "{pb}", "none/x.pb"],
            "cryograph: Cannot write none/x.pb: the directory none does not exist.\n",
        ),
        (
            ["run", "{pb}", "-i", "image=random", "-i", "random"],
            "cryograph: Two values are given for 'image:0'; one was expected.\n",
        ),
        (
            ["run", "{pb}", "-i", "image=[[1, 2], [3]]"],
            "cryograph: The list given for 'image:0' is ragged; lists of one length were expected.\n",
        ),
        (
            ["run", "{pb}", "-i", "image=null"],
            (
                "cryograph: 'null' is no value for 'image:0' (float32 (?, 8, 8, 1)): a .npy or .npz file, a picture,"
                " `random`, or a number or list as in JSON was expected.\n"
            ),
        ),
        (
            ["run", "{demo}", "-o", "save/restore_all"],
            (
                "cryograph: save/restore_all:0 does not exist: 'save/restore_all' (NoOp) is an operation without"
                " outputs, which model.session() can run.\n"
            ),
        ),
        (
            ["run", "{graph}", "--weights", "{pb}", "-i", "random"],
            "cryograph: {pb} is a GraphDef, not a checkpoint.\n",
        ),
        (
            ["bench", "{demo}/digits-3000.data-00000-of-00001"],
            (
                "cryograph: {demo}/digits-3000 holds weights only, which cannot be run: open the graph, and join it"
                " with these (weights=, --weights). Beside it: {demo}/graph.pbtxt.\n"
            ),
        ),
        (
            ["diff", "{pb}", "{pb}", "--tolerance", "nan"],
            "cryograph: The tolerance is nan; a number from 0 on was expected.\n",
        ),
        (
            ["inspect", "nowhere://x.pb"],
            "cryograph: nowhere://x.pb cannot be reached: Protocol not known: nowhere.\n",
        ),
        (
            ["run", "{pb}", "-i", "random", "--engine", "cuda"],
            "cryograph: There is no engine 'cuda'. Choices: auto, numpy, onnxruntime, openvino, jax, fastest.\n",
        ),
        (
            ["freeze", "{graph}", "x.pb", "-o", "conv1/Relu"],
            (
                "cryograph: The outputs need 2 variables that have no value: conv1/biases, conv1/weights. Give their "
                "checkpoint with weights= (--weights). Beside the graph: {demo}/digits-3000.\n"
            ),
        ),
        (
            ["convert", "{demo}/digits-3000", "x.pb"],
            (
                "cryograph: {demo}/digits-3000 holds no graph, so that it cannot be written as pb; a checkpoint, .npz "
                "or .safetensors can hold weights alone.\n"
            ),
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    frozen: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(frozen.parent)
    places = {"pb": str(frozen), "graph": str(DEMO / "graph.pbtxt"), "demo": str(DEMO)}
    filled = [a.format(**places) if a.startswith("{") else a for a in arguments]
    assert said(capsys, *filled, code=2) == message.format(**places)
    assert os.listdir(frozen.parent) == ["digits.pb"]


def test_bad_values_are_told(frozen: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(frozen.parent)
    shape = (1, 8, 8, 1)
    np.save("complex.npy", np.zeros(shape, np.complex64))
    np.save("times.npy", np.zeros(shape, "M8[s]"))
    np.save("objects.npy", np.zeros(shape, object))
    np.savez("two.npz", a=np.zeros(shape, np.float32), b=np.zeros(3))
    for name in ("random.npy", "random.npz"):
        Path(name).write_bytes(np.random.default_rng(0).bytes(300))
    Path("short.npy").write_bytes(Path("complex.npy").read_bytes()[:200])
    Path("short.npz").write_bytes(Path("two.npz").read_bytes()[:200])
    os.symlink("nowhere", "link.pb")
    for value, message in {
        "complex.npy": "The input 'image:0' is float32, but an array of complex64 was given.",
        "times.npy": "The input 'image:0' is float32, but an array of datetime64[s] was given.",
        "objects.npy": "is not a .npy file that can be read: Object arrays cannot be loaded when allow_pickle=False.",
        "random.npy": "random.npy is not a .npy file that can be read: it begins with b'",
        "short.npy": "short.npy is not a .npy file that can be read: ",
        "random.npz": "random.npz is not a .npz file that can be read: File is not a zip file.",
        "short.npz": "short.npz is not a .npz file that can be read: File is not a zip file.",
        "none.npz:a": "none.npz does not exist.",
        "two.npz:c": "two.npz has no array 'c'. Choices: a, b.",
    }.items():
        assert message in said(capsys, "run", str(frozen), "-i", f"image={value}", code=2), value
    assert said(capsys, "run", str(frozen), "-i", "two.npz:a").startswith("probabilities:0: float32 (1, 10)")
    assert "link.pb is a link to nowhere, which does not exist" in said(capsys, "inspect", "link.pb", code=2)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_arrays_are_weights_too(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, frozen = str(tmp_path / f"w.{suffix}"), str(tmp_path / "x.pb")
    said(capsys, "convert", str(DEMO / "digits-3000"), weights)
    graph = str(DEMO / "graph.pbtxt")
    text = said(capsys, "freeze", graph, frozen, "--weights", weights, "-o", "probabilities")
    assert text == f"{frozen}: 44 nodes, 31.5 kB of constants\n"
    picture, labels = str(DEMO / "seven.png"), str(DEMO / "labels.txt")
    text = said(capsys, "classify", graph, picture, "-l", labels, "--weights", weights, "--top", "1")
    assert "\n  seven    1.0000" in text
    assert "Give their checkpoint with" in said(capsys, "classify", graph, picture, code=2)


def test_diff_and_verify_answer_by_their_exit_code(
    frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "convert", str(frozen), str(tmp_path / "digits.pbtxt"))
    assert said(capsys, "diff", str(frozen), str(tmp_path / "digits.pbtxt")) == "No difference.\n"
    said(capsys, "extract", str(frozen), str(tmp_path / "part.pb"), "-o", "logits")
    text = said(capsys, "diff", str(frozen), str(tmp_path / "part.pb"), code=1)
    assert text == "Nodes only in the first (1)\n  probabilities\n"
    assert said(capsys, "verify", str(DEMO)).endswith("; all is sound\n")
    tensors = {name: t.numpy() for name, t in cg.Checkpoint(DEMO).items()}
    tensors["conv1/biases"] = tensors["conv1/biases"] + np.float32(0.5)
    cg.save_checkpoint(tmp_path / "moved", tensors)
    found = json.loads(said(capsys, "diff", str(DEMO / "digits-3000"), str(tmp_path / "moved"), "--json", code=1))
    assert [v["name"] for v in found["values"]] == ["conv1/biases"]
    assert found["values"][0]["largest"] == pytest.approx(0.5)
    data = tmp_path / "moved.data-00000-of-00001"
    damaged = bytearray(data.read_bytes())
    damaged[100] ^= 1
    data.write_bytes(bytes(damaged))
    assert "fail their checksum" in said(capsys, "verify", str(tmp_path / "moved"), code=1)


def test_verify_reads_arrays_and_misses_variables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, words=np.array([b"a", b"bc"]), w=np.arange(1000.0))
    assert said(capsys, "verify", str(path)) == f"{path}: checked 2 arrays; all is sound\n"
    damaged = bytearray(path.read_bytes())
    damaged[2000] ^= 1
    path.write_bytes(bytes(damaged))
    assert "'w.npy': the bytes fail their checksum" in said(capsys, "verify", str(path), code=1)
    said(capsys, "convert", str(DEMO), f"{tmp_path}/saved/")
    assert "; all is sound" in said(capsys, "verify", str(tmp_path / "saved"))
    for member in (tmp_path / "saved" / "variables").iterdir():
        member.unlink()
    assert "no checkpoint of them in variables/" in said(capsys, "verify", str(tmp_path / "saved"), code=1)


def test_every_format_is_written_and_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = np.random.default_rng(0).random((2, 8, 8, 1)).astype(np.float32)
    expected = cg.load(DEMO).compile("probabilities")(image=image)["probabilities"]
    for target in ("model.meta", "saved/", "sub/model.meta"):
        (tmp_path / "sub").mkdir(exist_ok=True)
        said(capsys, "convert", str(DEMO), f"{tmp_path}/{target}")
        answers = cg.load(f"{tmp_path}/{target}").compile(["probabilities"])(image=image)
        np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-6)
    for target in ("w.npz", "w.safetensors", "w.ckpt"):
        said(capsys, "convert", str(DEMO), f"{tmp_path}/{target}")
        weights = cg.load(f"{tmp_path}/{target}")
        assert not weights.has_graph
        assert len(weights.variables) == 17
    said(capsys, "unfreeze", str(_frozen(tmp_path)), f"{tmp_path}/thawed.meta")
    thawed = cg.load(tmp_path / "thawed.meta")
    assert len(thawed.variables) == 8
    np.testing.assert_allclose(thawed.compile("probabilities")(image=image)["probabilities"], expected, atol=1e-6)


def _frozen(tmp_path: Path) -> Path:
    cg.load(DEMO).freeze("probabilities").save(tmp_path / "again.pb")
    return tmp_path / "again.pb"


def test_the_demo_does_the_main_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "demo", "--directory", str(tmp_path / "demo"))
    assert text.endswith("   10 of 10 pictures are classified right.\n")
    assert (tmp_path / "demo" / "digits.pb").stat().st_size > 30_000


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    path = tmp_path / "x.pb"
    message = said(capsys, "freeze", str(DEMO), str(path), "-o", "probabilities", code=2)
    assert message == f"cryograph: Cannot write {path}: the disk is full.\n"
    assert os.listdir(tmp_path) == []


def run(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "cryograph", *arguments], stdout=-1, stderr=-1, **options)  # type: ignore[call-overload, no-any-return]


def test_ctrl_c_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    """A checkpoint of half a gigabyte is being written when the user has had enough."""
    big = np.zeros((1000, 1000), np.float32)
    cg.save_checkpoint(tmp_path / "in" / "big", {f"w{i}": big for i in range(120)})
    (tmp_path / "out").mkdir()
    # A shell starts what runs in its background with the signal ignored, which children inherit.
    hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{hear}; from cryograph.cli import main; main()"
    command = [sys.executable, "-c", code, "convert", str(tmp_path / "in" / "big"), str(tmp_path / "out" / "copy.ckpt")]
    process = subprocess.Popen(command, stdout=-1, stderr=-1)
    while not list((tmp_path / "out").iterdir()):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.decode().lstrip() == "cryograph: stopped; nothing half-written is left.\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_reader_that_goes_away_is_no_error(frozen: Path) -> None:
    process = run("inspect", str(frozen))
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(
    "verb",
    [
        *("inspect", "freeze", "unfreeze", "extract", "convert", "diff", "verify", "run", "classify", "retrain"),
        *("bench", "demo"),
    ],
)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, verb, "--help")
    assert text.startswith("Usage: ")
    assert len(text.splitlines()) > 5


def test_bars_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Bar:
        def __init__(self, total: int, desc: str, **_: object) -> None:
            self.name, self.n = desc, 0
            seen.append(f"{desc} opened")

        def update(self, count: int) -> None:
            self.n += count

        def close(self) -> None:
            if f"{self.name} closed at {self.n}" not in seen:
                seen.append(f"{self.name} closed at {self.n}")

    monkeypatch.setattr("tqdm.tqdm", Bar)
    with counting() as count:
        for what, now, total in (("train", 1, 2), ("train", 1, 2), ("epochs", 1, 9), ("test", 1, 3)):
            count(what, now, total)
    assert seen == [
        *("train opened", "train closed at 2", "epochs opened", "epochs closed at 1"),
        *("test opened", "test closed at 1"),
    ]


def test_bench_measures_what_is_installed(frozen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "bench", str(frozen), "--engines", "auto,numpy").splitlines()
    assert lines[0].split() == ["engine", "first", "answer", "then", "ratio"]
    assert {line.split()[0] for line in lines[1:]} == {"auto", "numpy"}
    assert lines[1].split()[5] == "1.00"
    rows = json.loads(said(capsys, "bench", str(frozen), "--engines", "auto", "--batch", "4", "--json"))
    assert rows[0]["engine"] == "auto"
    assert rows[0]["median"] > 0


def test_classify_says_what_pictures_show(frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names, images = read_pictures((DEMO / "pictures.txt").read_text("utf-8"))
    folder = tmp_path / "digits"
    folder.mkdir()
    for name, image in zip(names, images, strict=True):
        Image.fromarray(np.rint(np.array(image) * 255).astype(np.uint8)).save(folder / f"{name}.png")
    labels = str(DEMO / "labels.txt")
    text = said(capsys, "classify", str(frozen), str(folder / "seven.png"), "--labels", labels, "--top", "2")
    assert text.startswith(f"{folder / 'seven.png'}:\n  seven  ")
    assert "size 8 x 8: by the placeholder" in text
    assert "pixels divided by 255: a guess" in text
    found = json.loads(said(capsys, "classify", str(frozen), str(folder), "-l", labels, "--std", "255", "--json"))
    right = [Path(p["picture"]).stem == p["classes"][0]["label"] for p in found["pictures"]]
    assert right == [True] * 10
    assert "(pixel - mean) / std: as given" in found["reasons"]
    picture = str(folder / "one.png")
    assert said(capsys, "classify", str(frozen), picture, "--size", "big", code=2) == (
        "cryograph: 'big' is no size; 224 or 224x160 (height x width, in pixels) was expected.\n"
    )
    assert "is no level" in said(capsys, "classify", str(frozen), picture, "--mean", "dark", code=2)
    assert "is not a picture" in said(capsys, "classify", str(frozen), labels, code=2)
