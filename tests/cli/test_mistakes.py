"""Every verb with everything that is no model, no picture and no directory of them: one sentence, and no traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cryograph as cg
from cryograph.cli.main import call

DEMO = Path(cg.__file__).parent / "data" / "demo"
LONGEST = 1200
"""Letters of what is said of one mistake at most."""
SHARES = (0.02, 0.5, 0.97)
"""How much of a file is there when it is cut short."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of good files, and `bad`, one of bad ones."""
    root = tmp_path_factory.mktemp("mistakes")
    model, good, bad = cg.load(DEMO), root / "good", root / "bad"
    frozen = model.freeze("probabilities")
    for name in ("model.pb", "model.pbtxt", "model.onnx"):
        good.mkdir(exist_ok=True)
        frozen.save(good / name)
    for name in ("whole.meta", "whole.npz", "whole.safetensors"):
        model.save(good / name)
    shutil.copy(DEMO / "seven.png", good)
    shutil.copy(DEMO / "labels.txt", good)
    for folder in ("a", "b"):
        (root / "pictures" / folder).mkdir(parents=True)
        for number in range(9):
            shutil.copy(DEMO / "seven.png", root / "pictures" / folder / f"{number}.png")
    (bad / "empty directory").mkdir(parents=True)
    (bad / "loop").symlink_to("loop")
    (bad / "nowhere").symlink_to("no such file")
    noise = np.random.default_rng(0).bytes(3000)
    for suffix in (".pb", ".pbtxt", ".meta", ".index", ".npz", ".npy", ".safetensors", ".json", ".png", ""):
        for name, data in {"empty": b"", "noise": noise, "text": b"hello world\n"}.items():
            (bad / f"{name}{suffix}").write_bytes(data)
    for path in list(good.iterdir()):
        data = path.read_bytes()
        for share in SHARES:
            (bad / f"{share} of {path.name}").write_bytes(data[: int(len(data) * share)])
    for share in SHARES:
        saved = bad / f"{share} of a SavedModel"
        model.save(f"{saved}/")
        data = (saved / "saved_model.pb").read_bytes()
        (saved / "saved_model.pb").write_bytes(data[: int(len(data) * share)])
    return root


VERBS: Mapping[str, Callable[[str], list[str]]] = {
    "inspect": lambda path: ["inspect", path],
    "inspect a tensor": lambda path: ["inspect", path, "--tensor", "x", "--json"],
    "freeze": lambda path: ["freeze", path, "out.pb"],
    "freeze with weights": lambda path: ["freeze", str(DEMO / "graph.pbtxt"), "out.pb", "--weights", path],
    "unfreeze": lambda path: ["unfreeze", path, "out"],
    "extract": lambda path: ["extract", path, "out.pb", "-o", "probabilities"],
    "convert": lambda path: ["convert", path, "out.pbtxt"],
    "convert to arrays": lambda path: ["convert", path, "out.npz"],
    "diff": lambda path: ["diff", "good/model.pb", path],
    "verify": lambda path: ["verify", path],
    "run": lambda path: ["run", path, "-i", "random"],
    "run on it": lambda path: ["run", "good/model.pb", "-i", f"image={path}"],
    "classify": lambda path: ["classify", path, "good/seven.png"],
    "classify it": lambda path: ["classify", "good/model.pb", path],
    "classify with labels": lambda path: ["classify", "good/model.pb", "good/seven.png", "--labels", path],
    "retrain": lambda path: ["retrain", path, "--images", "pictures", "-o", "out.pb", "--epochs", "1"],
    "retrain on it": lambda path: ["retrain", "good/model.pb", "--images", path, "-o", "out.pb"],
    "bench": lambda path: ["bench", path, "--engines", "numpy"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_mistake_is_told_in_a_sentence(
    verb: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("CRYOGRAPH_CACHE", str(place / "cache"))
    odd = ["", "nothing.pb", "nothing/at/all.png", "x" * 5000, "a\0b", "nowhere://x.pb"]
    told = 0
    for path in [*odd, *(f"bad/{p.name}" for p in sorted((place / "bad").iterdir()))]:
        code = call(VERBS[verb](path))
        text = capsys.readouterr().err
        assert code in (0, 1, 2), path
        if code == 2:
            told += 1
            assert text.startswith("cryograph: "), path
            assert text.endswith(".\n"), text
            assert not text.endswith("..\n"), text
            assert len(text.replace(path, "") if path else text) < LONGEST, text
            assert text.count("\n") == 1, text
    assert told > 30


def test_a_directory_of_pictures_none_of_which_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cg.load(DEMO).freeze("probabilities").save(tmp_path / "model.pb")
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    assert call(["classify", str(tmp_path / "model.pb"), str(tmp_path), "-l", str(DEMO / "labels.txt")]) == 2
    captured = capsys.readouterr()
    assert captured.err == "cryograph: 2 of 2 pictures cannot be read.\n"
    assert captured.out.count("its format is not known") == 2
    Image.new("L", (3, 3)).save(tmp_path / "a.png")
    assert call(["classify", str(tmp_path / "model.pb"), str(tmp_path)]) == 2
    assert capsys.readouterr().err == "cryograph: 1 of 2 pictures cannot be read.\n"
