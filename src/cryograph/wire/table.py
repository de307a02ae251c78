"""Sorted string tables: the index of a V2 checkpoint, the whole of a V1 checkpoint.

Layout (LevelDB's table format, which TensorFlow took over):

    data blocks, metaindex block (empty), index block, footer

    block    entries, then the offsets of the restart points (4 bytes each, little-endian), then their number (4 bytes);
             behind each block stand its compression (1 byte: 0 none, 1 Snappy) and the masked CRC-32C of block and that
             byte (4 bytes)
    entry    varint: bytes shared with the key before; varint: other bytes of the key; varint: bytes of the value; then
             the key's other bytes and the value. At a restart point nothing is shared
    index    one entry a data block: a key not less than the block's last and less than the next one's first -> handle
    handle   varint: offset; varint: size of the block without the 5 bytes behind it
    footer   48 bytes: handle of the metaindex, handle of the index, zeros up to 40 bytes, magic 0xdb4775248b80fb57

A block is closed when it has BLOCK_SIZE bytes; every 16th entry is a restart point, in the index each one.
Source: LevelDB's doc/table_format.md; checked against TensorFlow byte by byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from ..base.errors import DamagedError, InputError
from ..base.files import File
from .crc import crc32c, mask, unmask
from .snappy import decompress
from .varint import varint

MAGIC = 0xDB4775248B80FB57
FOOTER_SIZE = 48
TRAILER_SIZE = 5
BLOCK_SIZE = 1 << 18
"""Bytes after which TensorFlow's writers of checkpoints close a data block."""
RESTART_INTERVAL = 16
NO_COMPRESSION, SNAPPY = 0, 1


def is_table(file: File) -> bool:
    """Whether a file ends as a table does."""
    if file.size < FOOTER_SIZE:
        return False
    return file.read(file.size - 8, 8) == struct.pack("<Q", MAGIC)


class Table:
    """A table to read. Blocks are checked and decoded when they are asked for."""

    def __init__(self, file: File) -> None:
        self.file = file
        if file.size < FOOTER_SIZE:
            raise DamagedError(f"{file.name}: {file.size} bytes are too few for a table, which ends in {FOOTER_SIZE}.")
        footer = file.read(file.size - FOOTER_SIZE, FOOTER_SIZE)
        if footer[40:] != struct.pack("<Q", MAGIC):
            raise DamagedError(f"{file.name}: the last 8 bytes are not those of a table; it is cut short or no table.")
        _, position = self._handle(footer, 0)
        index, _ = self._handle(footer, position)
        self._blocks = [self._handle(value, 0)[0] for _, value in self._block(index)]

    def _handle(self, data: bytes, position: int) -> tuple[tuple[int, int], int]:
        offset, position = self._varint(data, position, len(data))
        size, position = self._varint(data, position, len(data))
        if offset + size + TRAILER_SIZE > self.file.size - FOOTER_SIZE:
            raise DamagedError(f"{self.file.name}: a block of {size} bytes at {offset} sticks out of the file.")
        return (offset, size), position

    def _varint(self, data: bytes, position: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while position < end and shift < 64:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7
        raise DamagedError(f"{self.file.name}: a number in the table does not end where it should.")

    def _block(self, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
        """The entries of a block, in order."""
        offset, size = handle
        raw = self.file.read(offset, size + TRAILER_SIZE)
        data, kind = raw[:size], raw[size]
        (stored,) = struct.unpack_from("<I", raw, size + 1)
        if crc32c(raw[: size + 1]) != unmask(stored):
            raise DamagedError(f"{self.file.name}: the block of {size} bytes at {offset} fails its checksum.")
        if kind == SNAPPY:
            data = decompress(data, f"{self.file.name}, block at {offset}")
        elif kind != NO_COMPRESSION:
            raise DamagedError(f"{self.file.name}: the block at {offset} is compressed in the unknown way {kind}.")
        if len(data) < 4:
            raise DamagedError(f"{self.file.name}: the block at {offset} is too short.")
        (restarts,) = struct.unpack_from("<I", data, len(data) - 4)
        end = len(data) - 4 - 4 * restarts
        if end < 0:
            raise DamagedError(f"{self.file.name}: the block at {offset} claims {restarts} restart points.")
        position, key = 0, b""
        while position < end:
            shared, position = self._varint(data, position, end)
            fresh, position = self._varint(data, position, end)
            length, position = self._varint(data, position, end)
            if shared > len(key) or position + fresh + length > end:
                raise DamagedError(f"{self.file.name}: an entry of the block at {offset} sticks out of it.")
            key = key[:shared] + data[position : position + fresh]
            position += fresh
            yield key, data[position : position + length]
            position += length

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries in the order of their keys; DamagedError when they are not in order."""
        last: bytes | None = None
        for handle in self._blocks:
            for key, value in self._block(handle):
                if last is not None and key <= last:
                    raise DamagedError(f"{self.file.name}: the keys {last!r} and {key!r} are not in order.")
                last = key
                yield key, value


class TableWriter:
    """Writes a table, entry by entry in the order of the keys, to whatever `write` does with bytes."""

    def __init__(self, write: Callable[[bytes], object], block_size: int = BLOCK_SIZE) -> None:
        self._write = write
        self._block_size = block_size
        self._offset = 0
        self._block = _Block(RESTART_INTERVAL)
        self._index = _Block(1)
        self._last = b""
        self._count = 0
        self._pending: bytes | None = None

    def add(self, key: bytes, value: bytes) -> None:
        """Adds an entry; InputError when its key does not come after the last."""
        if self._count and key <= self._last:
            raise InputError(f"The key {key!r} does not come after {self._last!r}; a table is sorted.")
        if self._pending is not None:
            self._index.add(_separator(self._last, key), self._pending)
            self._pending = None
        self._block.add(key, value)
        self._last = key
        self._count += 1
        if self._block.size >= self._block_size:
            self._flush()

    def finish(self) -> None:
        """Writes what is left: the last block, the index, the footer."""
        self._flush()
        meta = self._write_block(_Block(RESTART_INTERVAL))
        if self._pending is not None:
            self._index.add(_successor(self._last), self._pending)
        index = self._write_block(self._index)
        self._put((meta + index).ljust(40, b"\0") + struct.pack("<Q", MAGIC))

    def _flush(self) -> None:
        if self._block.is_empty:
            return
        self._pending = self._write_block(self._block)
        self._block = _Block(RESTART_INTERVAL)

    def _write_block(self, block: _Block) -> bytes:
        data = block.finished() + bytes([NO_COMPRESSION])
        handle = varint(self._offset) + varint(len(data) - 1)
        self._put(data + struct.pack("<I", mask(crc32c(data))))
        return handle

    def _put(self, data: bytes) -> None:
        self._write(data)
        self._offset += len(data)


class _Block:
    """Entries of one block with their prefixes shared."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._data = bytearray()
        self._restarts = [0]
        self._since = 0
        self._last = b""

    @property
    def is_empty(self) -> bool:
        return not self._data

    @property
    def size(self) -> int:
        """Bytes of the block when it is finished."""
        return len(self._data) + 4 * len(self._restarts) + 4

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self._since < self._interval:
            limit = min(len(key), len(self._last))
            while shared < limit and key[shared] == self._last[shared]:
                shared += 1
        else:
            self._restarts.append(len(self._data))
            self._since = 0
        self._data += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        self._last = key
        self._since += 1

    def finished(self) -> bytes:
        return bytes(self._data) + struct.pack(f"<{len(self._restarts) + 1}I", *self._restarts, len(self._restarts))


def _separator(low: bytes, high: bytes) -> bytes:
    """A short key k with low <= k < high."""
    at = 0
    while at < min(len(low), len(high)) and low[at] == high[at]:
        at += 1
    if at < min(len(low), len(high)) and low[at] < 0xFF and low[at] + 1 < high[at]:
        return low[:at] + bytes([low[at] + 1])
    return low


def _successor(key: bytes) -> bytes:
    """A short key that is not less than `key`."""
    for at, byte in enumerate(key):
        if byte != 0xFF:
            return key[:at] + bytes([byte + 1])
    return key
