"""State that stays as it is becomes constants after a while, and is state again as soon as something writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cryograph as cg
from cryograph.train import pinning
from cryograph.train.pinning import Pinning

DEMO = Path(cg.__file__).parent / "data" / "demo"
FEEDS = {"dropout/SelectV2": np.random.default_rng(0).random((3, 48)).astype(np.float32)}


def session(engine: str) -> cg.Session:
    return cg.load(DEMO / "graph.pbtxt", weights=DEMO / "digits-3000").session(engine)


def pinned(s: cg.Session) -> Pinning:
    found = next(reversed(s._ready.values())).pinning
    assert found is not None
    return found


def test_answers_follow_what_is_written() -> None:
    rng = np.random.default_rng(1)
    with session("auto") as s, session("numpy") as reference:
        s.run("logits", FEEDS)
        kept = pinned(s)
        for _ in range(3):
            kept._cost = 0.0
            for turn in range(3):
                np.testing.assert_allclose(s.run("logits", FEEDS), reference.run("logits", FEEDS), rtol=1e-5, atol=1e-5)
                assert kept._pinned is not None
                held = kept._pinned
                s.run("logits", FEEDS)
                assert kept._pinned is held, f"made anew in turn {turn}"
            value = rng.normal(size=(48, 10)).astype(np.float32)
            s.assign("final/weights", value)
            reference.assign("final/weights", value)


def test_what_pays_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0.0, 1000.0, 0.5))
    with session("auto") as s:
        s.run("logits", FEEDS)
        kept = pinned(s)
        kept._cost, kept._spent = 1.2, 0.0
        monkeypatch.setattr(pinning.time, "perf_counter", lambda: next(clock))
        for count in range(1, 6):  # each run takes half a second
            s.run("logits", FEEDS)
            assert (kept._pinned is not None) == (count >= 3)
        s.assign("final/biases", np.zeros(10, np.float32))
        s.run("logits", FEEDS)
        assert kept._pinned is None


def test_only_engines_that_gain_by_it() -> None:
    with session("numpy") as s:
        s.run("logits", FEEDS)
        assert next(reversed(s._ready.values())).pinning is None
