"""TFRecord files: records come back, in every compression; damage is told with the record and its place."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryograph.base.errors import DamagedError, FileError, InputError, LimitError
from cryograph.wire.crc import crc32c, masked_bytes
from cryograph.wire.tfrecord import MAX_RECORD, is_tfrecord, read_records, write_records

RECORDS = [b"", b"one", bytes(3000), b"x" * 70_000, b"", b"last"]


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
@pytest.mark.parametrize("records", [[], [b""], RECORDS, [bytes([i]) * i for i in range(256)] * 20])
def test_records_come_back(tmp_path: Path, records: list[bytes], compression: str) -> None:
    path = tmp_path / "f"
    assert write_records(path, records, compression) == len(records)
    assert list(read_records(path)) == records
    assert list(read_records(path, compression)) == records


@given(st.lists(st.binary(max_size=50)), st.sampled_from(["", "GZIP", "ZLIB"]))
def test_any_records(tmp_path_factory: pytest.TempPathFactory, records: list[bytes], compression: str) -> None:
    path = tmp_path_factory.mktemp("any") / "f"
    write_records(path, records, compression)
    assert list(read_records(path, compression)) == records


def test_the_layout(tmp_path: Path) -> None:
    write_records(tmp_path / "f", [b"abc"])
    length = struct.pack("<Q", 3)
    data = (tmp_path / "f").read_bytes()
    assert data == length + masked_bytes(crc32c(length)) + b"abc" + masked_bytes(crc32c(b"abc"))
    assert is_tfrecord(data)
    assert not is_tfrecord(data[:11])
    assert not is_tfrecord(b"\0" * 20)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_records(tmp_path / name, RECORDS, "GZIP")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_several_compressed_streams_in_a_row(tmp_path: Path) -> None:
    write_records(tmp_path / "f", RECORDS)
    data = (tmp_path / "f").read_bytes()
    (tmp_path / "two").write_bytes(gzip.compress(data[:1000]) + gzip.compress(data[1000:]))
    assert list(read_records(tmp_path / "two")) == RECORDS
    (tmp_path / "zlib").write_bytes(zlib.compress(data[:5]) + zlib.compress(data[5:]))
    assert list(read_records(tmp_path / "zlib", "ZLIB")) == RECORDS


def test_a_file_cut_anywhere(tmp_path: Path) -> None:
    records = [b"abc", b"", b"defgh"]
    write_records(tmp_path / "f", records)
    data = (tmp_path / "f").read_bytes()
    ends = {0, 19, 35, 56}
    for size in range(len(data)):
        (tmp_path / "cut").write_bytes(data[:size])
        if size in ends:
            assert list(read_records(tmp_path / "cut")) == records[: sorted(ends).index(size)]
            continue
        with pytest.raises(DamagedError, match=r"cut: record \d at byte \d+: .*(cut short|the file ends)"):
            list(read_records(tmp_path / "cut", ""))


def test_a_byte_changed_anywhere(tmp_path: Path) -> None:
    write_records(tmp_path / "f", [b"abc", b"defgh"])
    data = (tmp_path / "f").read_bytes()
    for at in range(len(data)):
        (tmp_path / "bit").write_bytes(data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :])
        with pytest.raises(DamagedError, match=r"record [01] at byte (0|19): its .*fails? (its|their) checksum"):
            list(read_records(tmp_path / "bit", ""))


def test_a_length_that_lies(tmp_path: Path) -> None:
    length = struct.pack("<Q", 1 << 60)
    lying = length + masked_bytes(crc32c(length)) + b"abc"
    (tmp_path / "f").write_bytes(lying)
    with pytest.raises(DamagedError, match=rf"record 0 at byte 0: {1 << 60} bytes were said, but the file has 3 more"):
        list(read_records(tmp_path / "f"))
    (tmp_path / "g").write_bytes(gzip.compress(lying))
    with pytest.raises(LimitError, match=rf"says that it has {1 << 60} bytes; at most {MAX_RECORD} are read"):
        list(read_records(tmp_path / "g"))


@pytest.mark.parametrize("kind", ["GZIP", "ZLIB"])
def test_damaged_compression(tmp_path: Path, kind: str) -> None:
    write_records(tmp_path / "f", RECORDS, kind)
    data = (tmp_path / "f").read_bytes()
    for size in range(1, len(data), 7):
        (tmp_path / "cut").write_bytes(data[:size])
        with pytest.raises(DamagedError, match=r"cut short|cannot be unpacked"):
            list(read_records(tmp_path / "cut", kind))
    (tmp_path / "f").write_bytes(data[:20] + b"\xff\xff\xff" + data[23:])
    with pytest.raises(DamagedError):
        list(read_records(tmp_path / "f", kind))


def test_what_is_no_record_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"hello world, no records here")
    with pytest.raises(DamagedError, match="its length fails its checksum; the file is damaged or no TFRecord file"):
        list(read_records(tmp_path / "f"))
    with pytest.raises(FileError, match="does not exist"):
        list(read_records(tmp_path / "gone"))
    with pytest.raises(InputError, match="'SNAPPY' is no compression"):
        list(read_records(tmp_path / "f", "SNAPPY"))
    with pytest.raises(InputError, match="'gzip' is no compression"):
        write_records(tmp_path / "g", [], "gzip")


def test_a_failing_source_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield b"one"
        raise KeyError("no more")

    with pytest.raises(KeyError):
        write_records(tmp_path / "f", broken())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
