"""Reading ranges of files, and writing files so that they are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cryograph.base import files
from cryograph.base.errors import DamagedError, FileError
from cryograph.base.files import MemoryFile, atomic_write, open_file
from cryograph.base.progress import watch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(bytes(range(256)) * 16)
    return path


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_ranges_are_read_and_viewed(path: Path, scheme: str) -> None:
    file = open_file(f"{scheme}{path}")
    assert file.size == 4096
    assert file.read(250, 10) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
    assert bytes(file.view(1, 3)) == b"\x01\x02\x03"
    assert file.read(4096, 0) == b""
    assert bytes(file.view(0, 0)) == b""


def test_a_range_past_the_end_is_damage(path: Path) -> None:
    with pytest.raises(DamagedError, match=r"bytes 4090 to 4100 were asked for, but the file has 4096"):
        open_file(path).read(4090, 10)
    with pytest.raises(DamagedError):
        open_file(path).view(-1, 2)


def test_spans_stay_inside_themselves(path: Path) -> None:
    span = open_file(path).span(256, 256)
    assert span.sub(3, 2).read() == b"\x03\x04"
    with pytest.raises(DamagedError, match="sticks out"):
        span.sub(250, 7)


def test_a_span_is_streamed_and_progress_hears_of_it(path: Path) -> None:
    heard: list[int] = []
    with watch(heard.append):
        pieces = list(open_file(path).span().chunks(1000))
    assert [len(p) for p in pieces] == [1000, 1000, 1000, 1000, 96]
    assert b"".join(pieces) == path.read_bytes()
    assert heard == [1000, 1000, 1000, 1000, 96]


def test_bytes_behave_as_a_file() -> None:
    file = MemoryFile(b"abcdef", "x")
    assert file.read(2, 2) == b"cd"
    with pytest.raises(DamagedError, match="x: bytes 5 to 7"):
        file.read(5, 2)


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere does not exist\."):
        open_file(tmp_path / "nowhere")
    with pytest.raises(FileError, match="is a directory"):
        open_file(tmp_path)


def test_a_file_takes_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="halfway"), atomic_write(path) as out:  # noqa: PT012
        out.write(b"new")
        raise RuntimeError("halfway")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]
    with atomic_write(path) as out:
        out.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]


def test_writing_where_nothing_may_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"does not exist"), atomic_write(tmp_path / "no" / "file"):
        pass


def test_links_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to("inner/file")
    with atomic_write(tmp_path / "link") as out:
        out.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "inner" / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path / "inner") == ["file"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as out:
        out.write(b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert not pipe.is_file()


def test_a_full_disk_is_told_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(FileError, match="the disk is full"), atomic_write(tmp_path / "out") as out:
        out.write(b"x")
    assert os.listdir(tmp_path) == []


def test_remote_files_are_written_whole_too(tmp_path: Path) -> None:
    target = f"file://{tmp_path}/out"
    with atomic_write(target) as out:
        out.write(b"abc")
    assert (tmp_path / "out").read_bytes() == b"abc"
    assert files.list_dir(f"file://{tmp_path}") == ["out"]
    assert files.is_file(target)
    assert not files.is_dir(target)
    assert files.exists(target)
    assert files.join(f"file://{tmp_path}/", "a", "b") == f"file://{tmp_path}/a/b"
