"""The engine that measures the others and remembers the winner."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32
from cryograph.base.errors import MissingExtraError, UnsupportedError
from cryograph.engines import fastest
from cryograph.engines.engines import engine, prepare
from cryograph.engines.split import Auto
from cryograph.program.program import Program, Spec, Step

X = np.array([1.0, -2.0], np.float32)


def negation(size: int = 2) -> Program:
    specs = {name: Spec(FLOAT32, (size,)) for name in ("x", "y")}
    return Program(("x",), ("y",), (Step("y", "Neg", ("x",), ("y",), {"T": FLOAT32}),), {}, specs)


class Made:
    """Engines of given speeds, and how often each was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
        self.count = dict.fromkeys(seconds, 0)
        makers: dict[str, Callable[[Program], Any]] = {name: self.maker(name, s) for name, s in seconds.items()}
        monkeypatch.setattr(fastest, "candidates", lambda: makers)
        monkeypatch.setattr(fastest, "BUDGET", 0.02)
        monkeypatch.setattr(fastest, "PAUSE", 0.0)

    def maker(self, name: str, seconds: float) -> Callable[[Program], Any]:
        def make(program: Program) -> Any:
            self.count[name] += 1
            if seconds < 0:
                raise UnsupportedError("cannot")
            runner = Auto().prepare(program)

            def run(arrays: Sequence[Any]) -> list[Any]:
                time.sleep(seconds)
                return runner(arrays)

            return run

        return make


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYOGRAPH_CACHE", str(tmp_path))


def test_the_fastest_is_kept_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, auto=0.004, quick=0.0)
    run = prepare(negation(), "fastest").run
    for _ in range(3):
        assert run([X])[0].tolist() == [-1, 2]
    assert made.count == {"auto": 1, "quick": 1}
    (kept,) = (tmp_path / "fastest").iterdir()
    assert json.loads(kept.read_text()) == "quick"
    prepare(negation(), "fastest").run([X])
    assert made.count == {"auto": 1, "quick": 2}, "measured once"
    prepare(negation(3), "fastest").run([np.zeros(3, np.float32)])
    assert made.count == {"auto": 2, "quick": 3}, "another program is measured anew"


def test_an_engine_that_cannot_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, auto=0.001, never=-1.0)
    assert prepare(negation(), "fastest").run([X])[0].tolist() == [-1, 2]
    assert made.count == {"auto": 1, "never": 1}


def test_what_was_remembered_and_cannot_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Made(monkeypatch, auto=0.0, never=-1.0)
    (tmp_path / "fastest").mkdir()
    (tmp_path / "fastest" / f"{fastest.fingerprint(negation())}.json").write_text('"never"')
    assert prepare(negation(), "fastest").run([X])[0].tolist() == [-1, 2]
    (tmp_path / "fastest" / f"{fastest.fingerprint(negation())}.json").write_text("nonsense")
    assert prepare(negation(), "fastest").run([X])[0].tolist() == [-1, 2]


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CRYOGRAPH_CACHE", str(tmp_path / "file"))
    Made(monkeypatch, auto=0.0, other=0.001)
    assert prepare(negation(), "fastest").run([X])[0].tolist() == [-1, 2]


def test_fingerprints_tell_programs_apart() -> None:
    one = negation()
    other = Program(one.inputs, one.outputs, (Step("y", "Abs", ("x",), ("y",), {}),), {}, one.specs)
    prints = {fastest.fingerprint(p) for p in (one, other, negation(3))}
    assert len(prints) == 3
    assert fastest.fingerprint(negation()) in prints


def test_openvino_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cryograph\[openvino\]'"):
        engine("openvino").prepare(negation())
