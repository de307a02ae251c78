"""Checkpoints that are damaged or lie: one error each, with its place, and no memory for what is only claimed."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryograph.base.errors import DamagedError, Error, FormatError, LimitError, UnsupportedError
from cryograph.formats.bundle_values import OpaqueTensor
from cryograph.formats.checkpoint import Checkpoint, save_checkpoint
from cryograph.formats.slices import TensorSlice
from cryograph.wire import messages as pb
from cryograph.wire.crc import crc32c, mask, masked_bytes
from tests.support.checkpoints import entry_of, write_v1, write_v2

W = np.arange(12, dtype=np.float32).reshape(3, 4)
DATA = W.tobytes()


def read_all(prefix: Path) -> None:
    read = Checkpoint(prefix)
    for name in read:
        read[name].numpy()


def part(start: int, length: int) -> pb.TensorSliceProto:
    return TensorSlice((start, 0), (length, -1)).to_proto()


def key(start: int, length: int) -> bytes:
    return TensorSlice((start, 0), (length, -1)).key("w")


def whole(*slices: pb.TensorSliceProto, **fields: Any) -> pb.BundleEntryProto:
    entry = entry_of("float32", (3, 4), **{"size": 0, "crc32c": 0, **fields})
    entry.slices.extend(slices)
    return entry


GOOD = entry_of("float32", (3, 4), DATA)
ROW = entry_of("float32", (1, 4), DATA[:16])
ENTRIES: dict[str, tuple[dict[Any, Any], type[Error], str]] = {
    "shape of 10^18": (
        {"w": entry_of("float32", (10**9, 10**9), DATA)},
        DamagedError,
        r"m\.index: 'w': float32 \(1000000000, 1000000000\) takes 4000000000000000000 bytes, but 48 are said\.",
    ),
    "shape beyond numpy": (
        {"w": entry_of("float32", (0, 1 << 40, 1 << 40))},
        LimitError,
        r"m\.index: 'w': has the shape \(0, 1099511627776, 1099511627776\), which numpy cannot hold\.",
    ),
    "too many dimensions": (
        {"w": entry_of("float32", (1,) * 70, DATA[:4])},
        LimitError,
        r"'w': has the shape .* numpy",
    ),
    "more dimensions than any": (
        {"w": entry_of("float32", (1,) * 300)},
        LimitError,
        r"'w': A shape has 300 dimensions",
    ),
    "a size below zero": (
        {"w": GOOD.SerializeToString() + b"\x12\x0d\x12\x0b\x08" + b"\xfe" + b"\xff" * 8 + b"\x01"},
        DamagedError,
        r"m\.index: 'w': has the shape \(3, 4, \?\); stored tensors have a whole one\.",
    ),
    "an unknown dtype": (
        {"w": entry_of("float32", (3, 4), DATA, dtype=99)},
        DamagedError,
        r"'w': has the unknown dtype 99\.",
    ),
    "no dtype": ({"w": entry_of("float32", (3, 4), DATA, dtype=0)}, DamagedError, r"'w': has the unknown dtype 0\."),
    "a size that does not fit": (
        {"w": entry_of("float32", (3, 4), DATA[:-4])},
        DamagedError,
        r"m\.index: 'w': float32 \(3, 4\) takes 48 bytes, but 44 are said\.",
    ),
    "an offset past the end": (
        {"w": entry_of("float32", (3, 4), DATA, offset=1 << 50)},
        DamagedError,
        r"m\.index: 'w': lies at 1125899906842624 with 48 bytes, but .*m\.data-00000-of-00001 has 48\. The data",
    ),
    "an offset below zero": (
        {"w": entry_of("float32", (3, 4), DATA, offset=-8)},
        DamagedError,
        r"'w': lies at -8 with 48",
    ),
    "a size below zero in bytes": (
        {"w": entry_of("float32", (3, 4), size=-1)},
        DamagedError,
        r"'w': lies at 0 with -1 byt",
    ),
    "a shard that is not there": (
        {"w": entry_of("float32", (3, 4), DATA, shard_id=7)},
        DamagedError,
        r"m\.index: an entry lies in data file 7 of 1\.",
    ),
    "a shard below zero": ({"w": entry_of("float32", (3, 4), DATA, shard_id=-1)}, DamagedError, r"data file -1 of 1\."),
    "a checksum that fails": (
        {"w": entry_of("float32", (3, 4), DATA, crc32c=5)},
        DamagedError,
        r"m\.index: 'w' in .*m\.data-00000-of-00001: the bytes fail their checksum; the file is damaged\.",
    ),
    "an entry that is no message": (
        {"w": b"\xff\xff"},
        DamagedError,
        r"m\.index: the entry b'w' cannot be read; it is no BundleEntryProto\.",
    ),
    "strings of no lengths": (
        {"w": entry_of("string", (1000,), DATA)},
        DamagedError,
        r"m\.index: 'w': 1000 strings cannot be held by 48 bytes\.",
    ),
    "strings that are too long": (
        {"w": entry_of("string", (2,), DATA)},
        DamagedError,
        r"m\.index: 'w': 0 bytes of strings are said, 42 are there\.",
    ),
    "a missing slice": (
        {"w": whole(part(0, 1), part(1, 2)), key(0, 1): ROW},
        DamagedError,
        r"m\.index: 'w': its slice 1,2:- of 2 is missing\.",
    ),
    "slices that overlap": (
        {
            "w": whole(part(0, 1), part(1, 2), part(2, 1)),
            key(0, 1): ROW,
            key(1, 2): entry_of("float32", (2, 4), DATA[:32]),
            key(2, 1): ROW,
        },
        DamagedError,
        r"(its 3 slices overlap, or do not cover|its slices have \d+ bytes, but their data files)",
    ),
    "slices that do not cover": (
        {"w": whole(part(0, 1), part(2, 1)), key(0, 1): ROW, key(2, 1): ROW},
        DamagedError,
        r"m\.index: 'w': its 2 slices hold 8 elements and do not cover the shape \(3, 4\)\.",
    ),
    "a slice twice": (
        {"w": whole(part(0, 1), part(0, 1), part(1, 1)), key(0, 1): ROW, key(1, 1): ROW},
        DamagedError,
        r"'w': its 3 slices overlap, or do not cover the shape \(3, 4\)\.",
    ),
    "a slice that sticks out": (
        {"w": whole(part(2, 9))},
        DamagedError,
        r"'w': its slice 2,9:- sticks out of the shape \(3, 4\)\.",
    ),
    "a slice of another rank": (
        {"w": whole(TensorSlice((0,), (1,)).to_proto())},
        DamagedError,
        r"'w': a slice of 1 dimensions in the shape \(3, 4\)\.",
    ),
    "a slice of another shape": (
        {"w": whole(part(0, 3)), key(0, 3): ROW},
        DamagedError,
        r"'w': its slice 0,3:- is float32 \(1, 4\); float32 \(3, 4\) was expected\.",
    ),
    "a slice of another dtype": (
        {"w": whole(part(0, 3)), key(0, 3): entry_of("int32", (3, 4), DATA)},
        DamagedError,
        r"'w': its slice 0,3:- is int32 \(3, 4\); float32 \(3, 4\) was expected\.",
    ),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_entries_that_lie(tmp_path: Path, case: str) -> None:
    entries, error, message = ENTRIES[case]
    write_v2(tmp_path / "m", entries, [DATA])
    tracemalloc.start()
    try:
        with pytest.raises(error, match=message):
            read_all(tmp_path / "m")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    with contextlib.suppress(FormatError):
        assert not Checkpoint(tmp_path / "m").verify().is_sound


def test_few_bytes_cannot_stand_for_many(tmp_path: Path) -> None:
    """A thousand slices that all lie in the same bytes."""
    row = np.zeros(250_000, np.float32).tobytes()
    entry = entry_of("float32", (1000, 250_000), size=0, crc32c=0)
    entries: dict[Any, Any] = {"w": entry}
    for number in range(1000):
        entry.slices.append(part(number, 1))
        entries[key(number, 1)] = entry_of("float32", (1, 250_000), row)
    write_v2(tmp_path / "m", entries, [row])
    with pytest.raises(DamagedError, match=r"'w': its slices have 1000000000 bytes, but their data files have"):
        Checkpoint(tmp_path / "m")["w"]


HEADERS: dict[str, tuple[pb.BundleHeaderProto | bytes, type[Error], str]] = {
    "big-endian": (
        pb.BundleHeaderProto(num_shards=1, endianness=pb.BundleHeaderProto.Endianness.Value("BIG")),
        UnsupportedError,
        r"m\.index: written on a big-endian machine; only little-endian checkpoints are read\. Restore and save",
    ),
    "no shards": (pb.BundleHeaderProto(), DamagedError, r"m\.index: claims 0 data files; 1 to 99999 are possible\."),
    "shards below zero": (pb.BundleHeaderProto(num_shards=-3), DamagedError, r"claims -3 data files"),
    "a billion shards": (pb.BundleHeaderProto(num_shards=10**9), DamagedError, r"claims 1000000000 data files"),
    "a later version": (
        pb.BundleHeaderProto(num_shards=1, version=pb.VersionDef(producer=9, min_consumer=9)),
        UnsupportedError,
        r"m\.index: asks for a reader of version 9 of the format; this one is of version 1\.",
    ),
    "a version that must not read": (
        pb.BundleHeaderProto(num_shards=1, version=pb.VersionDef(bad_consumers=[1])),
        UnsupportedError,
        "asks for a reader",
    ),
    "no message": (b"\xff", DamagedError, r"m\.index: the first entry cannot be read; it is no BundleHeaderProto\."),
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_lie(tmp_path: Path, case: str) -> None:
    header, error, message = HEADERS[case]
    write_v2(tmp_path / "m", {"w": GOOD}, [DATA], header)
    with pytest.raises(error, match=message):
        Checkpoint(tmp_path / "m")


def strings_of(lengths: bytes, crc: int, text: bytes) -> tuple[bytes, int]:
    """The stored form of strings, with a good checksum over all of it."""
    tail = masked_bytes(crc) + text
    return lengths + tail, mask(crc32c(tail, crc))


@pytest.mark.parametrize(
    ("lengths", "crc", "text", "message"),
    [
        (b"\x03\x80", 0, b"abc", r"\d+ bytes of strings are said, \d+ are there\."),
        (b"\xff" * 12, 0, b"", r"the lengths of its strings do not add up\."),
        (b"\x03\x01", 0, b"abc", r"4 bytes of strings are said, 3 are there\."),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f\x01", 0, b"abc", r"\d+ bytes of strings are said, 3 are there\."),
        (b"\x02\x01", 7, b"abc", r"the lengths of its strings fail their checksum\."),
    ],
)
def test_strings_that_lie(tmp_path: Path, lengths: bytes, crc: int, text: bytes, message: str) -> None:
    data, stored = strings_of(lengths, crc, text)
    write_v2(tmp_path / "m", {"s": entry_of("string", (2,), data, crc32c=stored)}, [data])
    with pytest.raises(DamagedError, match=rf"m\.index: 's': ({message})"):
        Checkpoint(tmp_path / "m")["s"].numpy()


def variants_of(*items: bytes) -> bytes:
    """The stored form of variants."""
    out, crc = b"", 0
    for item in items:
        crc = crc32c(item, crc32c(struct.pack("<Q", len(item)), crc))
        stored = masked_bytes(crc)
        crc = crc32c(stored, crc)
        out += bytes([len(item)]) + item + stored
    return out


def test_variants(tmp_path: Path) -> None:
    data = variants_of(b"one", b"", b"three")
    crc = 0
    for item in (b"one", b"", b"three"):
        crc = crc32c(item, crc32c(struct.pack("<Q", len(item)), crc))
        crc = crc32c(masked_bytes(crc), crc)
    entry = entry_of("variant", (3,), data, crc32c=mask(crc))
    write_v2(tmp_path / "m", {"v": entry}, [data])
    read = Checkpoint(tmp_path / "m")
    tensor = read["v"]
    assert isinstance(tensor, OpaqueTensor)
    assert b"".join(tensor.stored()) == data
    assert read.verify().is_sound
    with pytest.raises(UnsupportedError):
        tensor.numpy()
    save_checkpoint(tmp_path / "again", {"v": tensor})
    assert (tmp_path / "again.data-00000-of-00001").read_bytes() == data
    assert (tmp_path / "again.index").read_bytes() == (tmp_path / "m.index").read_bytes()
    lies = {
        "4 variants cannot be held": (
            entry_of("variant", (1 << 40,), data, crc32c=mask(crc)),
            data,
            r"\d+ variants cannot be",
        ),
        "too few": (
            entry_of("variant", (2,), data, crc32c=mask(crc)),
            data,
            r"its variants have 13 bytes, 23 are there",
        ),
        "changed": (entry, data[:2] + b"X" + data[3:], r"a variant of 3 bytes fails its checksum"),
        "sticks out": (entry, b"\x7f" + data[1:], r"a variant of 127 bytes sticks out of it"),
        "no end": (entry, b"\xff" * len(data), r"the lengths of its variants do not add up"),
        "other whole": (entry_of("variant", (3,), data, crc32c=1), data, r"the bytes fail their checksum"),
    }
    for said, content, message in lies.values():
        write_v2(tmp_path / "bad", {"v": said}, [content])
        (problem,) = Checkpoint(tmp_path / "bad").verify().problems
        bad = Checkpoint(tmp_path / "bad")["v"]
        assert isinstance(bad, OpaqueTensor)
        with pytest.raises(DamagedError, match=message):
            list(bad.stored())
        assert "'v'" in problem


def test_what_verify_lists(tmp_path: Path) -> None:
    """Everything that is wrong, each once, and not only the first."""
    entries = {
        "a": entry_of("float32", (3, 4), DATA),
        "b": entry_of("float32", (3, 4), DATA, offset=40, crc32c=1),
        "c": entry_of("float32", (2,), offset=500, size=8, shard_id=1),
        key(0, 1): ROW,
        "d": entry_of("float32", (0,)),
    }
    write_v2(tmp_path / "m", entries, [DATA + DATA, b"", b""])
    (tmp_path / "m.data-00002-of-00003").unlink()
    report = Checkpoint(tmp_path / "m").verify()
    assert report.checked == 4
    problems = [problem.replace(f"{tmp_path}/", "") for problem in report.problems]
    data_file = "m.data-00001-of-00003"
    outside = f"'c': lies at 500 with 8 bytes, but {data_file} has 0."
    assert problems[:5] == [
        "m.index: 'b' in m.data-00000-of-00003: the bytes fail their checksum; the file is damaged.",
        f"m.index: {outside} The data file is cut short or belongs to another index.",
        f"m.index: the slice {key(0, 1)!r} belongs to no tensor",
        f"{data_file} has 0 bytes, but its tensors end at 508",
        "m.data-00002-of-00003 is missing",
    ]
    assert len(problems) == 7
    assert all(problem.endswith("share bytes of data file 0") for problem in problems[5:])


# --- version 1


def meta_of(*tensors: pb.SavedSliceMeta, **version: int) -> pb.SavedTensorSlices:
    message = pb.SavedTensorSlices()
    message.meta.tensor.extend(tensors)
    message.meta.versions.CopyFrom(pb.VersionDef(producer=1, **version))
    return message


def slice_meta(dtype: int = 1, *slices: pb.TensorSliceProto, shape: tuple[int, ...] = (3, 4)) -> pb.SavedSliceMeta:
    return pb.SavedSliceMeta(
        name="w", type=dtype, shape=entry_of("float32", shape).shape, slice=slices or [part(0, -1)]
    )


def saved(**lists: Any) -> pb.SavedTensorSlices:
    message = pb.SavedTensorSlices()
    message.data.name = "w"
    message.data.slice.CopyFrom(part(0, -1))
    message.data.data.CopyFrom(pb.TensorProto(**lists))
    return message


ALL = TensorSlice((0, 0), (-1, -1)).key("w")
FLOATS = saved(float_val=W.ravel().tolist())
OLD: dict[str, tuple[dict[bytes, Any], type[Error], str]] = {
    "no list of tensors": (
        {b"x": FLOATS},
        DamagedError,
        r"m: a table without a list of tensors; it is no checkpoint of",
    ),
    "a list that is no message": (
        {b"": b"\xff"},
        DamagedError,
        r"m: the first entry cannot be read; it is no SavedTensorSl",
    ),
    "a later version": (
        {b"": meta_of(slice_meta(), min_consumer=4), ALL: FLOATS},
        UnsupportedError,
        r"m: asks for a reader of version 4 of the format; this one is of version 1\.",
    ),
    "missing values": ({b"": meta_of(slice_meta())}, DamagedError, r"m: 'w', slice -:-: its values are missing\."),
    "too few values": (
        {b"": meta_of(slice_meta()), ALL: saved(float_val=[1.0] * 11)},
        DamagedError,
        r"m: 'w', slice -:-: float32 \(3, 4\) takes 48 bytes, but 44 are there\.",
    ),
    "values of another kind": (
        {b"": meta_of(slice_meta()), ALL: saved(int_val=[1] * 12)},
        DamagedError,
        r"m: 'w', slice -:-: a slice of 12 elements holds 0\.",
    ),
    "too few integers": (
        {b"": meta_of(slice_meta(3)), ALL: saved(int_val=[1] * 11)},
        DamagedError,
        r"m: 'w', slice -:-: a slice of 12 elements holds 11\.",
    ),
    "a shape of 10^18": (
        {b"": meta_of(slice_meta(3, shape=(10**9, 10**9))), ALL: saved(int_val=[1])},
        LimitError,
        r"m: 'w': has the shape \(1000000000, 1000000000\), which numpy cannot hold\.|elements holds 1\.",
    ),
    "a dtype that is not of version 1": (
        {b"": meta_of(slice_meta(14)), ALL: FLOATS},
        DamagedError,
        r"m: 'w': has the dtype bfloat16, which a checkpoint of version 1 cannot hold\.",
    ),
    "an unknown dtype": ({b"": meta_of(slice_meta(99)), ALL: FLOATS}, DamagedError, r"'w': has the dtype 99, which"),
    "two dtypes": (
        {b"": meta_of(slice_meta(1), slice_meta(3)), ALL: FLOATS},
        DamagedError,
        r"m: 'w' is said to have several dtypes or shapes\.",
    ),
    "slices that overlap": (
        {b"": meta_of(slice_meta(1, part(0, -1), part(0, -1))), ALL: FLOATS},
        DamagedError,
        r"m: 'w': its 2 slices overlap, or do not cover the shape \(3, 4\)\.",
    ),
    "values that are no message": (
        {b"": meta_of(slice_meta(3)), ALL: b"\x12\x7f"},
        DamagedError,
        r"m.*(cannot be read|takes)",
    ),
}


@pytest.mark.parametrize("case", OLD)
def test_version_1_that_lies(tmp_path: Path, case: str) -> None:
    messages, error, message = OLD[case]
    write_v1(tmp_path / "m", messages)
    if case == "a shape of 10^18":
        error = Error
    with pytest.raises(error, match=message):
        read_all(tmp_path / "m")


def test_values_of_version_1_in_other_forms(tmp_path: Path) -> None:
    """Unpacked lists, lists in several runs, raw content: what protobuf allows is read."""
    unpacked = b"".join(b"\x2d" + struct.pack("<f", x) for x in W.ravel())
    runs = b"".join(b"\x2a\x18" + DATA[at : at + 24] for at in (0, 24))
    for inner in (unpacked, runs, b"\x22\x30" + DATA, b"\x08\x01\x2a\x30" + DATA):
        middle = b"\x0a\x01w" + b"\x1a" + bytes([len(inner)]) + inner
        write_v1(tmp_path / "m", {b"": meta_of(slice_meta()), ALL: b"\x12" + bytes([len(middle)]) + middle})
        assert np.array_equal(Checkpoint(tmp_path / "m")["w"].numpy(), W)


@pytest.mark.parametrize("version", [1, 2])
def test_a_byte_changed_anywhere(tmp_path: Path, version: int) -> None:
    """Every byte of every file: an error of ours from `verify` or from opening, or the same values."""
    tensors = {"w": W, "s": np.array([b"abc", b""], object), "b": np.array([True, False]), "i": np.arange(5)}
    save_checkpoint(tmp_path / "m", tensors, version=version)
    expected = {name: np.asarray(value).tolist() for name, value in tensors.items()}
    silent = 0
    for path in sorted(tmp_path.iterdir()):
        data = path.read_bytes()
        for at in range(len(data)):
            path.write_bytes(data[:at] + bytes([data[at] ^ 0x11]) + data[at + 1 :])
            try:
                read = Checkpoint(tmp_path / "m")
                if read.verify().is_sound:
                    assert {name: read[name].numpy().tolist() for name in read} == expected
                    silent += 1
            except Error:
                pass
        path.write_bytes(data)
    assert silent < 60  # the metaindex and what pads the footer


@pytest.mark.parametrize("version", [1, 2])
def test_cut_anywhere(tmp_path: Path, version: int) -> None:
    tensors = {"w": W, "s": np.array([b"abc", b""], object)}
    save_checkpoint(tmp_path / "m", tensors, version=version)
    for path in sorted(tmp_path.iterdir()):
        data = path.read_bytes()
        for size in range(len(data)):
            path.write_bytes(data[:size])
            with contextlib.suppress(Error):
                assert not Checkpoint(tmp_path / "m").verify().is_sound
        path.write_bytes(data)
