"""Sound files changed at random: they open, or give an error of ours; nothing else, and nothing for long."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .make import said, sound

FILES = (
    "frozen.pb",
    "m.meta",
    "one.index",
    "one.data-00000-of-00001",
    "v1",
    "saved/saved_model.pb",
    "w.npz",
    "w.safetensors",
    "tfjs/model.json",
    "tfjs/group1-shard3of4.bin",
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("mutated")
    sound(directory)
    return directory


CHANGE = st.tuples(
    st.sampled_from(["flip", "cut", "repeat", "zero", "swap"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 255),
    st.integers(1, 64),
)


def changed(data: bytes, kind: str, where: float, value: int, length: int) -> bytes:
    at = int(where * len(data))
    if kind == "cut":
        return data[:at]
    if kind == "repeat":
        return data[:at] + data[at : at + length] + data[at:]
    if kind == "zero":
        return data[:at] + bytes(min(length, len(data) - at)) + data[at + length :]
    if kind == "swap":
        return data[:at] + data[at + length : at + 2 * length] + data[at : at + length] + data[at + 2 * length :]
    return data[:at] + bytes([data[at] ^ (value or 1)]) + data[at + 1 :]


@pytest.mark.parametrize("file", FILES)
def test_a_changed_file_is_read_or_refused(base: Path, tmp_path_factory: pytest.TempPathFactory, file: str) -> None:
    whole = (base / file).read_bytes()
    folder = tmp_path_factory.mktemp("one") / "files"
    shutil.copytree(base, folder)
    if file.startswith(("one", "v1")):
        (folder / "m.meta").unlink()
    path = folder / file

    @settings(
        max_examples=60, deadline=10_000, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(CHANGE, min_size=1, max_size=3))
    def run(changes: list[tuple[str, float, int, int]]) -> None:
        data = whole
        for kind, where, value, length in changes:
            data = changed(data, kind, where, value, length) if data else data
        path.write_bytes(data)
        opened = path.parent if file.startswith(("saved/", "tfjs/group")) else path
        assert isinstance(said(opened, folder), str)

    run()
