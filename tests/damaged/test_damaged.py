"""Every damaged file gives one error of ours, with the message that is written down, in little time and memory."""

from __future__ import annotations

import json
import signal
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from .make import CHANGED, MESSAGES, WRONG_KINDS, make, said

EXPECTED: dict[str, str] = json.loads(MESSAGES.read_text("utf-8"))
SECONDS = 20
MEMORY = 64 << 20
"""Bytes that may be taken above the file's size."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    directory = tmp_path_factory.mktemp("damaged") / "files"
    return directory, make(directory)


@pytest.fixture
def in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_every_case_has_its_message(files: tuple[Path, dict[str, Path]]) -> None:
    assert set(files[1]) == set(EXPECTED)
    assert set(CHANGED) | set(WRONG_KINDS) < set(EXPECTED)
    assert all(EXPECTED.values())


@pytest.mark.parametrize("case", EXPECTED)
@pytest.mark.usefixtures("in_time")
def test_damage_is_told(case: str, files: tuple[Path, dict[str, Path]]) -> None:
    directory, cases = files
    path = cases[case]
    size = sum(p.stat().st_size for p in path.parent.rglob("*") if p.is_file())
    tracemalloc.start()
    try:
        message = said(path, directory)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message == EXPECTED[case]
    assert peak < size + MEMORY
