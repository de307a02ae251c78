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

A block is closed when it has BLOCK_SIZE bytes, and before an entry of twice as many (which then is alone in its block;
older writers let it end the block before); every 16th entry is a restart point, in the index each one.
Source: LevelDB's doc/table_format.md; checked against TensorFlow byte by byte.
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..base.errors import DamagedError, InputError, LimitError
from ..base.files import File, MemoryFile, Span
from .crc import crc32c, crc32c_of, masked_bytes, unmask
from .snappy import decompress
from .varint import MAX_VARINT, varint

MAGIC = 0xDB4775248B80FB57
FOOTER_SIZE = 48
TRAILER_SIZE = 5
BLOCK_SIZE = 1 << 18
"""Bytes after which TensorFlow's writers of checkpoints close a data block."""
RESTART_INTERVAL = 16
NO_COMPRESSION, SNAPPY = 0, 1
LARGE_BLOCK = 1 << 20
"""A block of more bytes is not loaded to find a key in it; it holds a tensor of a V1 checkpoint."""
KEPT_BLOCKS = 4
"""Blocks whose keys are remembered when single keys are looked for."""
MAX_WALKED = 1 << 16
"""Entries of a large block: its last one made it large, and those before it have fewer than BLOCK_SIZE bytes."""
MAX_KEY_BYTES = 1 << 25
"""Bytes that keys may have with their shared prefixes written out, besides 16 times the bytes that hold them."""

_WINDOW = 4096
_MAGIC_BYTES = struct.pack("<Q", MAGIC)


def is_table(file: File) -> bool:
    """Whether a file ends as a table does."""
    return file.size >= FOOTER_SIZE and file.read(file.size - 8, 8) == _MAGIC_BYTES


@dataclass(frozen=True, slots=True)
class Value:
    """Where the value of a key lies: in the table's file, or in memory if its block is compressed. `block` is the
    number of that block, whose checksum covers the value (`Table.check`)."""

    span: Span
    block: int


class Table:
    """A table to read. Only the index is read at once; blocks are checked and decoded when they are asked for."""

    def __init__(self, file: File) -> None:
        self.file = file
        if file.size < FOOTER_SIZE:
            raise DamagedError(f"{file.name}: {file.size} bytes are too few for a table, which ends in {FOOTER_SIZE}.")
        footer = file.read(file.size - FOOTER_SIZE, FOOTER_SIZE)
        if footer[40:] != _MAGIC_BYTES:
            raise DamagedError(f"{file.name}: the last 8 bytes are not those of a table; it is cut short or no table.")
        _, position = self._handle(footer, 0, file.size - FOOTER_SIZE)
        (offset, size), _ = self._handle(footer, position, file.size - FOOTER_SIZE)
        self._checked: set[int] = set()
        self._recent: dict[int, dict[bytes, Span]] = {}
        self._keys: list[bytes] = []
        self._blocks: list[tuple[int, int]] = []
        for key, value in self._entries(self._load(offset, size), offset):
            self._add_block(key, self._handle(value, 0, offset)[0])

    def _add_block(self, key: bytes, handle: tuple[int, int]) -> None:
        if self._keys:
            before = self._blocks[-1]
            if key < self._keys[-1] or handle[0] < before[0] + before[1] + TRAILER_SIZE:
                raise DamagedError(f"{self.file.name}: the blocks at {before[0]} and {handle[0]} are not in order.")
        self._keys.append(key)
        self._blocks.append(handle)

    def _handle(self, data: bytes, position: int, end: int) -> tuple[tuple[int, int], int]:
        """A handle of a block that lies before the position `end` of the file."""
        offset, position = self._varint(data, position, len(data), "a handle")
        size, position = self._varint(data, position, len(data), "a handle")
        if offset + size + TRAILER_SIZE > end:
            raise DamagedError(
                f"{self.file.name}: a block of {size} bytes at {offset} sticks out of the {end} bytes that hold blocks."
            )
        return (offset, size), position

    def _varint(self, data: bytes, position: int, end: int, where: str) -> tuple[int, int]:
        value = shift = 0
        while position < end and shift < 7 * MAX_VARINT:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7
        raise DamagedError(f"{self.file.name}: a number in {where} does not end where it should.")

    def _load(self, offset: int, size: int) -> bytes:
        """A block, checked and decompressed."""
        raw = self.file.read(offset, size + TRAILER_SIZE)
        view, kind = memoryview(raw), raw[size]
        if crc32c(view[: size + 1]) != unmask(struct.unpack_from("<I", raw, size + 1)[0]):
            self._fail_checksum(offset, size)
        return self._decompressed(raw[:size], kind, offset)

    def _fail_checksum(self, offset: int, size: int) -> None:
        raise DamagedError(f"{self.file.name}: the block of {size} bytes at {offset} fails its checksum.")

    def _decompressed(self, data: bytes, kind: int, offset: int) -> bytes:
        if kind == SNAPPY:
            return decompress(data, f"{self.file.name}, block at {offset}")
        if kind != NO_COMPRESSION:
            raise DamagedError(f"{self.file.name}: the block at {offset} is compressed in the unknown way {kind}.")
        return data

    def _end(self, count: bytes, size: int, offset: int) -> int:
        """Where the entries of a block end, from its last 4 bytes and its size."""
        end = size - 4 - 4 * int.from_bytes(count, "little")
        if len(count) < 4 or end < 0:
            raise DamagedError(
                f"{self.file.name}: the block of {size} bytes at {offset} is too short for its restart points."
            )
        return end

    def _entries(self, data: bytes, offset: int) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of a loaded block, in order. `offset` is its place in the file, for errors."""
        for key, position, length in self._positions(data, offset):
            yield key, data[position : position + length]

    def _positions(self, data: bytes, offset: int) -> Iterator[tuple[bytes, int, int]]:
        """Keys of a loaded block, and where in it their values lie."""
        end = self._end(data[-4:], len(data), offset)
        position, key = 0, b""
        where = f"the block at {offset}"
        while position < end:
            head = data[position : position + 3]
            if len(head) == 3 and max(head) < 0x80:  # the usual entry: three numbers of one byte each
                shared, fresh, length = head
                position += 3
            else:
                shared, position = self._varint(data, position, end, where)
                fresh, position = self._varint(data, position, end, where)
                length, position = self._varint(data, position, end, where)
            if shared > len(key) or position + fresh + length > end:
                self._sticks_out(offset)
            key = key[:shared] + data[position : position + fresh]
            position += fresh
            yield key, position, length
            position += length

    def _sticks_out(self, offset: int) -> None:
        raise DamagedError(f"{self.file.name}: an entry of the block at {offset} sticks out of it.")

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries in the order of their keys; DamagedError when they are not in order."""
        last: bytes | None = None
        total, most = 0, MAX_KEY_BYTES + 16 * self.file.size
        for offset, size in self._blocks:
            for key, value in self._entries(self._load(offset, size), offset):
                total += len(key)
                if total > most:
                    self._too_long(most)
                if last is not None and key <= last:
                    raise DamagedError(
                        f"{self.file.name}: the keys {last[:80]!r} and {key[:80]!r} of the block at {offset}"
                        " are not in order."
                    )
                last = key
                yield key, value

    def find(self, key: bytes) -> Value | None:
        """Where the value of a key lies, None when the table has no such key. A small block is checked; a large one is
        not loaded, and not checked before `check` is called."""
        block = bisect.bisect_left(self._keys, key)
        if block == len(self._keys):
            return None
        if block not in self._recent:
            if len(self._recent) == KEPT_BLOCKS:
                del self._recent[next(iter(self._recent))]
            self._recent[block] = self._located(block)
        span = self._recent[block].get(key)
        return None if span is None else Value(span, block)

    def check(self, block: int) -> None:
        """Checks the checksum of a block, once; DamagedError when it fails. Large blocks are streamed."""
        if block in self._checked:
            return
        offset, size = self._blocks[block]
        stored = struct.unpack("<I", self.file.read(offset + size + 1, 4))[0]
        if crc32c_of(self.file.span(offset, size + 1).chunks()) != unmask(stored):
            self._fail_checksum(offset, size)
        self._checked.add(block)

    def check_all(self) -> None:
        """Checks the checksums of all blocks."""
        for block in range(len(self._blocks)):
            self.check(block)

    def _too_long(self, most: int) -> None:
        raise LimitError(f"{self.file.name}: its keys take more than {most} bytes with their prefixes written out.")

    def _located(self, block: int) -> dict[bytes, Span]:
        """The places of all values of a block."""
        offset, size = self._blocks[block]
        plain = self.file.read(offset + size, 1)[0] == NO_COMPRESSION
        if size > LARGE_BLOCK and plain:
            places = self._walk(offset, size)
        else:
            data = self._load(offset, size)
            self._checked.add(block)
            held = Span(self.file, offset, size) if plain else MemoryFile(data, self.file.name).span()
            places = ((key, held.sub(at, length)) for key, at, length in self._positions(data, offset))
        found: dict[bytes, Span] = {}
        total, most = 0, MAX_KEY_BYTES + 16 * size
        for key, span in places:
            total += len(key)
            if total > most:
                self._too_long(most)
            found[key] = span
        return found

    def _walk(self, offset: int, size: int) -> Iterator[tuple[bytes, Span]]:
        """The same as `_positions` for a block that is too large to be loaded: reads keys and leaves values out."""
        end = offset + self._end(self.file.read(offset + size - 4, 4), size, offset)
        position, key, count = offset, b"", 0
        while position < end:
            count += 1
            if count > MAX_WALKED:
                raise LimitError(
                    f"{self.file.name}: the block of {size} bytes at {offset} has more than {MAX_WALKED} entries."
                )
            window = self.file.read(position, min(_WINDOW, end - position))
            shared, at = self._varint(window, 0, len(window), f"the block at {offset}")
            fresh, at = self._varint(window, at, len(window), f"the block at {offset}")
            length, at = self._varint(window, at, len(window), f"the block at {offset}")
            if shared > len(key) or position + at + fresh + length > end:
                self._sticks_out(offset)
            rest = window[at : at + fresh]
            key = key[:shared] + (rest if len(rest) == fresh else self.file.read(position + at, fresh))
            position += at + fresh
            yield key, Span(self.file, position, length)
            position += length


class TableWriter:
    """Writes a table, entry by entry in the order of the keys, to whatever `write` does with bytes."""

    def __init__(self, write: Callable[[bytes | memoryview], object], block_size: int = BLOCK_SIZE) -> None:
        self._write = write
        self._block_size = block_size
        self._offset = 0
        self._block = _Block(RESTART_INTERVAL)
        self._index = _Block(1)
        self._last: bytes | None = None
        self._pending: bytes | None = None

    def add(self, key: bytes, value: bytes) -> None:
        """Adds an entry; InputError when its key does not come after the last."""
        self._come_after(key, len(value))
        self._block.add(key, len(value), value)
        if self._block.size >= self._block_size:
            self._flush()

    def add_stream(self, key: bytes, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Adds an entry whose value of `size` bytes comes in pieces. One that fills a block is written as it comes.

        InputError when its key does not come after the last, or the pieces have not `size` bytes.
        """
        if size < self._block_size:
            self.add(key, b"".join(pieces))
            return
        self._come_after(key, size)
        self._block.add(key, size, b"")
        self._pending = self._write_block(self._block, size, pieces)
        self._block = _Block(RESTART_INTERVAL)

    def finish(self) -> None:
        """Writes what is left: the last block, the index, the footer."""
        self._flush()
        meta = self._write_block(_Block(RESTART_INTERVAL))
        if self._pending is not None:
            self._index.add_entry(_successor(self._last or b""), self._pending)
        index = self._write_block(self._index)
        self._put((meta + index).ljust(40, b"\0") + _MAGIC_BYTES)

    def _come_after(self, key: bytes, size: int) -> None:
        if self._last is not None and key <= self._last:
            raise InputError(f"The key {key[:80]!r} does not come after {self._last[:80]!r}; a table is sorted.")
        if len(key) + size >= 2 * self._block_size:
            self._flush()
        if self._pending is not None:
            self._index.add_entry(_separator(self._last or b"", key), self._pending)
            self._pending = None
        self._last = key

    def _flush(self) -> None:
        if not self._block.is_empty:
            self._pending = self._write_block(self._block)
            self._block = _Block(RESTART_INTERVAL)

    def _write_block(self, block: _Block, size: int = 0, pieces: Iterable[bytes | memoryview] = ()) -> bytes:
        """Writes a block, the pieces of its last value, of `size` bytes, behind its other bytes; gives its handle."""
        start, crc = self._offset, 0
        for piece in block.framed(pieces):
            crc = crc32c(piece, crc)
            self._put(piece)
        length = block.size + size
        if self._offset - start != length + 1:
            raise InputError(f"The value of {(self._last or b'')[:80]!r} has not the {size} bytes that were said.")
        self._put(masked_bytes(crc))
        return varint(start) + varint(length)

    def _put(self, data: bytes | memoryview) -> None:
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

    def add_entry(self, key: bytes, value: bytes) -> None:
        self.add(key, len(value), value)

    def add(self, key: bytes, size: int, value: bytes) -> None:
        """Adds an entry with a value of `size` bytes; `value` is empty when they are written elsewhere."""
        shared = 0
        if self._since < self._interval:
            limit = min(len(key), len(self._last))
            while shared < limit and key[shared] == self._last[shared]:
                shared += 1
        else:
            self._restarts.append(len(self._data))
            self._since = 0
        self._data += varint(shared) + varint(len(key) - shared) + varint(size) + key[shared:] + value
        self._last = key
        self._since += 1

    def framed(self, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """The finished block with its compression byte, `pieces` behind the last entry."""
        yield bytes(self._data)
        yield from pieces
        yield struct.pack(f"<{len(self._restarts) + 1}I", *self._restarts, len(self._restarts)) + bytes(
            [NO_COMPRESSION]
        )


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
