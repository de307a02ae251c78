"""Tables made for tests: of any entries, with Snappy blocks, with any block and any footer."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from cryograph.base.files import MemoryFile
from cryograph.wire.crc import crc32c, masked_bytes
from cryograph.wire.table import MAGIC, SNAPPY, Table, TableWriter
from cryograph.wire.varint import varint


def table_bytes(entries: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]], block_size: int = 1 << 18) -> bytes:
    """A table of entries that are in order."""
    out = bytearray()
    writer = TableWriter(out.extend, block_size)
    for key, value in entries.items() if isinstance(entries, Mapping) else entries:
        writer.add(key, value)
    writer.finish()
    return bytes(out)


def opened(data: bytes) -> Table:
    """The table of some bytes, as if they were the file `t`."""
    return Table(MemoryFile(data, "t"))


def entry(shared: int, key: bytes, value: bytes, length: int | None = None) -> bytes:
    """One entry of a block; `length` is what it says of its value."""
    return varint(shared) + varint(len(key)) + varint(len(value) if length is None else length) + key + value


def block(*entries: bytes, restarts: tuple[int, ...] = (0,), count: int | None = None) -> bytes:
    """A block; `count` is the number of restart points that it claims."""
    return b"".join(entries) + struct.pack(
        f"<{len(restarts) + 1}I", *restarts, len(restarts) if count is None else count
    )


def trailed(data: bytes, kind: int = 0) -> bytes:
    """A block with its compression and its checksum."""
    framed = data + bytes([kind])
    return framed + masked_bytes(crc32c(framed))


def assembled(*blocks: bytes, kind: int = 0, keys: Iterable[bytes] | None = None) -> bytes:
    """A table of blocks as they are; `keys` are those of the index."""
    out, handles = b"", []
    for data in blocks:
        handles.append(varint(len(out)) + varint(len(data)))
        out += trailed(data, kind)
    names = list(keys) if keys is not None else [b"%03d\xff" % i for i in range(len(blocks) - 1)] + [b"\xff" * 20]
    return footed(out, block(*(entry(0, name, handle) for name, handle in zip(names, handles, strict=True))))


def footed(data: bytes, index: bytes) -> bytes:
    """Blocks with an index and the footer."""
    meta = varint(len(data)) + varint(8)
    data += trailed(block())
    handles = meta + varint(len(data)) + varint(len(index))
    return data + trailed(index) + handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def packed(data: bytes) -> bytes:
    """Bytes compressed as Snappy does it, with copies of the three kinds where the last 2,000 bytes repeat."""
    out, at = bytearray(varint(len(data))), 0
    literal = bytearray()

    def flush() -> None:
        while literal:
            part, size = literal[:70], min(70, len(literal))
            out.extend(bytes([(size - 1) << 2]) if size <= 60 else bytes([60 << 2, size - 1]))
            out.extend(part)
            del literal[:size]

    while at < len(data):
        length = distance = 0
        for back in range(1, min(at, 2000) + 1):
            same = 0
            while same < 64 and at + same < len(data) and data[at + same] == data[at + same - back]:
                same += 1
            if same > length:
                length, distance = same, back
        if length < 4:
            literal.append(data[at])
            at += 1
            continue
        flush()
        if length <= 11 and distance < 2048:
            out += bytes([1 | (length - 4) << 2 | distance >> 8 << 5, distance & 255])
        elif at % 2:
            out += bytes([2 | (length - 1) << 2]) + struct.pack("<H", distance)
        else:
            out += bytes([3 | (length - 1) << 2]) + struct.pack("<I", distance)
        at += length
    flush()
    return bytes(out)


def packed_table(*blocks: bytes) -> bytes:
    """A table of Snappy blocks."""
    return assembled(*(packed(data) for data in blocks), kind=SNAPPY)
