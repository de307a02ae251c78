"""Sorted string tables: entries come back, keys are found, and what does not add up is told with its place."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryograph.base.errors import DamagedError, Error, InputError, LimitError
from cryograph.base.files import MemoryFile
from cryograph.wire import table as table_module
from cryograph.wire.snappy import MAX_DECODED, decompress
from cryograph.wire.table import MAGIC, TableWriter, is_table
from cryograph.wire.varint import read_varint, varint
from tests.support.tables import assembled, block, entry, footed, opened, packed, packed_table, table_bytes, trailed

KEYS = st.binary(max_size=12) | st.text("abé/", max_size=30).map(str.encode)
ENTRIES = st.dictionaries(KEYS, st.binary(max_size=80), max_size=60).map(lambda d: dict(sorted(d.items())))


@given(ENTRIES, st.sampled_from([1, 40, 200, 1 << 18]))
def test_entries_come_back(entries: dict[bytes, bytes], block_size: int) -> None:
    data = table_bytes(entries, block_size)
    assert is_table(MemoryFile(data))
    read = opened(data)
    assert dict(read) == entries
    assert list(dict(read)) == list(entries)
    read.check_all()
    for key, value in entries.items():
        found = read.find(key)
        assert found is not None
        assert found.span.read() == value
        for other in (key + b"\0", key[:-1], b"\xff" + key):
            assert (read.find(other) is not None) == (other in entries)


@given(ENTRIES, st.sampled_from([60, 200, 5000]), st.integers(1, 50))
def test_streamed_values_give_the_same_bytes(entries: dict[bytes, bytes], block_size: int, piece: int) -> None:
    out = bytearray()
    writer = TableWriter(out.extend, block_size)
    for key, value in entries.items():
        pieces = [memoryview(value)[i : i + piece] for i in range(0, len(value), piece)]
        writer.add_stream(key, len(value), pieces)
    writer.finish()
    assert bytes(out) == table_bytes(entries, block_size)


@given(ENTRIES)
def test_large_blocks_are_searched_without_loading_them(entries: dict[bytes, bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_module, "LARGE_BLOCK", 16)
        patch.setattr(table_module, "_WINDOW", 40)
        read = opened(table_bytes(entries))
        for key, value in entries.items():
            found = read.find(key)
            assert found is not None
            assert found.span.read() == value
            read.check(found.block)


def test_a_golden_table() -> None:
    """By hand, from the layout."""
    data = table_bytes({b"ab": b"1", b"abc": b"", b"b": b"22"})
    first = b"\x00\x02\x01ab1" + b"\x02\x01\x00c" + b"\x00\x01\x02b22" + struct.pack("<II", 0, 1)
    index = b"\x00\x01\x02c\x00" + bytes([len(first)]) + struct.pack("<II", 0, 1)
    meta_at = len(first) + 5
    expected = trailed(first) + trailed(struct.pack("<II", 0, 1)) + trailed(index)
    handles = bytes([meta_at, 8, meta_at + 13, len(index)])
    assert data == expected + handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def test_a_restart_point_every_sixteen_entries() -> None:
    keys = [b"key%02d" % i for i in range(40)]
    read = opened(table_bytes(dict.fromkeys(keys, b"")))
    ((offset, size),) = read._blocks
    data = read.file.read(offset, size)
    assert struct.unpack_from("<I", data, size - 4) == (3,)
    restarts = struct.unpack_from("<3I", data, size - 16)
    assert [data[at : at + 3 + 5] for at in restarts] == [entry(0, keys[i], b"") for i in (0, 16, 32)]


@pytest.mark.parametrize(
    ("low", "high", "between"),
    [
        (b"abc", b"abe", b"abd"),
        (b"abc", b"abd", b"abc"),
        (b"ab", b"abc", b"ab"),
        (b"a\xff", b"c", b"b"),
        (b"\xff\xff", b"\xff\xff\x01", b"\xff\xff"),
    ],
)
def test_keys_of_the_index_are_short(low: bytes, high: bytes, between: bytes) -> None:
    data = table_bytes({low: b"x" * 50, high: b"y"}, block_size=10)
    assert opened(data)._keys[0] == between


def test_entries_out_of_order_are_refused() -> None:
    writer = TableWriter(bytearray().extend)
    writer.add(b"", b"")
    writer.add(b"b", b"")
    with pytest.raises(InputError, match=r"The key b'b' does not come after b'b'; a table is sorted\."):
        writer.add(b"b", b"")
    with pytest.raises(InputError, match=r"has not the 300000 bytes that were said"):
        writer.add_stream(b"c", 300_000, [b"short"])


def test_an_entry_of_twice_a_block_is_alone() -> None:
    read = opened(table_bytes({b"a": b"1", b"b": b"2" * 200, b"c": b"3"}, block_size=100))
    assert [size for _, size in read._blocks] == [13, 213, 13]
    read = opened(table_bytes({b"a": b"1", b"b": b"2" * 198, b"c": b"3"}, block_size=100))
    assert len(read._blocks) == 2


def test_snappy_blocks() -> None:
    first = block(*(entry(0, b"%05d" % i, b"value " * (i % 7)) for i in range(200)))
    second = block(entry(0, b"z", bytes(range(256)) * 3), entry(1, b"z", b"ab" * 400))
    read = opened(packed_table(first, second))
    found = dict(read)
    assert len(found) == 202
    assert found[b"00013"] == b"value " * 6
    assert found[b"zz"] == b"ab" * 400
    where = read.find(b"zz")
    assert where is not None
    assert where.span.read() == b"ab" * 400
    read.check(where.block)


@given(st.binary(max_size=400) | st.text("ab", max_size=300).map(str.encode))
def test_snappy_by_itself(data: bytes) -> None:
    assert decompress(packed(data), "x") == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"x: compressed data does not begin with its length\."),
        (b"\xff\xff\xff\xff\xff\x01", r"x: compressed data does not begin with its length\."),
        (b"\x05\x00a", r"x: compressed data has 1 bytes, 5 were said\."),
        (b"\x05\x10ab", r"x: compressed data is cut short\."),
        (b"\x01\x04ab", r"x: compressed data is longer than it says\."),
        (b"\x05\x00a\x05\x02", r"x: compressed data refers to what is not there\."),
        (b"\x05\x00a\x01\x00", r"x: compressed data refers to what is not there\."),
        (b"\x05\x00a\x1d\x01", r"x: compressed data is longer than it says\."),
        (b"\x05\xf4", r"x: compressed data is cut short\."),
    ],
)
def test_damaged_snappy(data: bytes, message: str) -> None:
    with pytest.raises(DamagedError, match=message):
        decompress(data, "x")


def test_snappy_that_claims_too_much() -> None:
    with pytest.raises(
        LimitError, match=rf"x: claims {MAX_DECODED + 1} bytes when decompressed; at most {MAX_DECODED}"
    ):
        decompress(varint(MAX_DECODED + 1), "x")


ONE = block(entry(0, b"a", b"1"))
DAMAGED = {
    "too few bytes": (b"x" * 47, r"t: 47 bytes are too few for a table, which ends in 48\."),
    "no magic": (bytes(100), r"t: the last 8 bytes are not those of a table; it is cut short or no table\."),
    "a handle without an end": (
        b"\xff" * 40 + struct.pack("<Q", MAGIC),
        r"t: a number in a handle does not end where it should\.",
    ),
    "an index past the end": (
        (varint(0) + varint(0) + varint(1 << 40) + varint(9)).ljust(40, b"\0") + struct.pack("<Q", MAGIC),
        r"t: a block of 0 bytes at 0 sticks out of the 0 bytes that hold blocks\.",
    ),
    "a block past the index": (
        footed(trailed(ONE), block(entry(0, b"z", varint(5) + varint(1000)))),
        r"t: a block of 1000 bytes at 5 sticks out of the 31 bytes that hold blocks\.",
    ),
    "blocks that overlap": (
        footed(trailed(ONE) * 2, block(*(entry(0, k, varint(0) + varint(len(ONE))) for k in (b"b", b"c")))),
        r"t: the blocks at 0 and 0 are not in order\.",
    ),
    "index keys out of order": (
        assembled(ONE, block(entry(0, b"b", b"")), keys=[b"x", b"c"]),
        r"t: the blocks at 0 and 18 are not in order\.",
    ),
    "a checksum that fails": (
        b"\x01" + assembled(ONE)[1:],
        r"t: the block of 13 bytes at 0 fails its checksum\.",
    ),
    "an unknown compression": (assembled(ONE, kind=7), r"t: the block at 0 is compressed in the unknown way 7\."),
    "a block without restart points": (
        assembled(b"abc"),
        r"t: the block of 3 bytes at 0 is too short for its restart points\.",
    ),
    "too many restart points": (
        assembled(block(entry(0, b"a", b"1"), count=1 << 30)),
        r"t: the block of 13 bytes at 0 is too short for its restart points\.",
    ),
    "a shared prefix that is not there": (
        assembled(block(entry(1, b"a", b"1"))),
        r"t: an entry of the block at 0 sticks out of it\.",
    ),
    "a value that sticks out": (
        assembled(block(entry(0, b"a", b"1", length=1 << 60))),
        r"t: an entry of the block at 0 sticks out of it\.",
    ),
    "a number that does not end": (
        assembled(block(b"\x80")),
        r"t: a number in the block at 0 does not end where it should\.",
    ),
    "a number of too many bytes": (
        assembled(block(b"\x80" * 40)),
        r"t: a number in the block at 0 does not end where it should\.",
    ),
    "keys out of order": (
        assembled(block(entry(0, b"b", b"1"), entry(0, b"a", b"1"))),
        r"t: the keys b'b' and b'a' of the block at 0 are not in order\.",
    ),
    "keys out of order between blocks": (
        assembled(block(entry(0, b"b", b"1")), block(entry(0, b"a", b"1")), keys=[b"b", b"c"]),
        r"t: the keys b'b' and b'a' of the block at 18 are not in order\.",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_told(case: str) -> None:
    data, message = DAMAGED[case]
    with pytest.raises(DamagedError, match=rf"^{message}$"):
        list(opened(data))


def test_a_large_block_is_checked_when_asked() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_module, "LARGE_BLOCK", 16)
        data = bytearray(table_bytes({b"a": b"1" * 100}))
        data[50] ^= 1
        read = opened(bytes(data))
        found = read.find(b"a")
        assert found is not None
        with pytest.raises(DamagedError, match=r"t: the block of 112 bytes at 0 fails its checksum\."):
            read.check(found.block)
        cut = block(entry(0, b"a", b"1" * 50), entry(0, b"b", b"", length=1 << 50))
        with pytest.raises(DamagedError, match="sticks out"):
            opened(assembled(cut)).find(b"a")


def test_keys_cannot_be_made_to_fill_the_memory() -> None:
    """Each entry shares 100,000 bytes with the one before and adds one: 4 bytes on disk."""
    many = [entry(0, b"k" * 100_000, b"")] + [entry(100_000 + i, b"k", b"") for i in range(60_000)]
    data = assembled(block(*many))
    tracemalloc.start()
    for work in (lambda: list(opened(data)), lambda: opened(data).find(b"k" * 100_000)):
        tracemalloc.reset_peak()
        with pytest.raises(LimitError, match=r"t: its keys take more than \d+ bytes with their prefixes written out"):
            work()
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_a_large_block_of_too_many_entries() -> None:
    many = [entry(0, b"%06d" % i, b"1" * 10) for i in range(70_000)]
    with pytest.raises(LimitError, match="has more than 65536 entries"):
        opened(assembled(block(*many))).find(b"000001")


def test_cut_anywhere_or_changed_anywhere() -> None:
    """Whatever byte is changed or missing: an error of ours, or the same entries where nothing depends on the byte."""
    entries = {b"key%04d" % i: b"value%d" % i * (i % 5) for i in range(60)}
    data = table_bytes(entries, block_size=300)
    meta, _ = read_varint(data, len(data) - 48)
    for size in range(len(data)):
        with pytest.raises(Error):
            list(opened(data[:size]))
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
        try:
            found = dict(opened(changed))
        except Error:
            continue
        assert found == entries
        # The metaindex, its handle, and the zeros of the footer say nothing.
        assert meta <= at < meta + 13 or len(data) - 48 <= at < len(data) - 8
