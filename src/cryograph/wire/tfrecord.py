"""TFRecord files: records of bytes one after the other, most often serialized Examples.

Layout of a record, numbers little-endian: 8 bytes: its length; 4 bytes: masked CRC-32C of those 8; the data; 4 bytes:
masked CRC-32C of the data. A file may be compressed as a whole, by gzip or zlib. Source: TensorFlow's
record_writer.h.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

from ..base.errors import DamagedError, InputError, LimitError
from ..base.files import CHUNK, File, Path, atomic_write, open_file
from .crc import crc32c, mask, masked_bytes, unmask

HEADER_SIZE = 12
FOOTER_SIZE = 4
MAX_RECORD = (1 << 31) - 1
"""Bytes of a record that are taken from a compressed file, where its length cannot be checked against the file."""

COMPRESSIONS = ("", "GZIP", "ZLIB")
"""TensorFlow's names for what a file can be compressed by; empty for not at all."""

_WINDOW_BITS = {"GZIP": 31, "ZLIB": 15}


def is_tfrecord(head: bytes) -> bool:
    """Whether a file of which these are the first bytes begins as an uncompressed TFRecord file does."""
    return len(head) >= HEADER_SIZE and mask(crc32c(head[:8])) == int.from_bytes(head[8:12], "little")


def read_records(path: Path, compression: str | None = None) -> Iterator[bytes]:
    """The records of a file, one after the other.

    `compression` is "", "GZIP" or "ZLIB"; None finds out. DamagedError with the record and its place when a length or a
    checksum is wrong or the file is cut short.
    """
    file = open_file(path)
    kind = _compression_of(file) if compression is None else _known(compression)
    source: _Plain | _Inflated = _Inflated(file, kind) if kind else _Plain(file)
    number = 0
    while True:
        at = source.position
        where = f"{file.name}: record {number} at byte {at}" + (" of what is unpacked" if kind else "")
        head = source.take(HEADER_SIZE, where)
        if not head:
            return
        (length,) = struct.unpack_from("<Q", head)
        if crc32c(head[:8]) != unmask(struct.unpack_from("<I", head, 8)[0]):
            raise DamagedError(f"{where}: its length fails its checksum; the file is damaged or no TFRecord file.")
        source.expect(length, where)
        data = source.take(length, where) if length else b""
        stored = source.take(FOOTER_SIZE, where)
        if len(data) != length or len(stored) != FOOTER_SIZE:
            raise DamagedError(f"{where}: {length} bytes were said, but the file ends before they do.")
        if crc32c(data) != unmask(struct.unpack("<I", stored)[0]):
            raise DamagedError(f"{where}: its {length} bytes fail their checksum; the file is damaged.")
        yield data
        number += 1


def write_records(path: Path, records: Iterable[bytes], compression: str = "") -> int:
    """Writes a TFRecord file that is whole or not there; gives the number of records."""
    kind = _known(compression)
    packer = zlib.compressobj(wbits=_WINDOW_BITS[kind]) if kind else None
    count = 0
    with atomic_write(path) as out:
        for record in records:
            length = struct.pack("<Q", len(record))
            framed = (length, masked_bytes(crc32c(length)), bytes(record), masked_bytes(crc32c(record)))
            for piece in framed:
                out.write(packer.compress(piece) if packer is not None else piece)
            count += 1
        if packer is not None:
            out.write(packer.flush())
    return count


def _known(compression: str) -> str:
    if compression not in COMPRESSIONS:
        raise InputError(f"{compression!r} is no compression of TFRecord files; '', 'GZIP' and 'ZLIB' are.")
    return compression


def _compression_of(file: File) -> str:
    head = file.read(0, min(HEADER_SIZE, file.size))
    if is_tfrecord(head):
        return ""
    if head.startswith(b"\x1f\x8b"):
        return "GZIP"
    if len(head) > 1 and head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "ZLIB"
    return ""


class _Plain:
    """The bytes of an uncompressed file, in order."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.position = 0
        self._window = b""
        self._start = 0

    def expect(self, length: int, where: str) -> None:
        """DamagedError when the file does not hold a record of that length."""
        left = self._file.size - self.position
        if length + FOOTER_SIZE > left:
            raise DamagedError(f"{where}: {length} bytes were said, but the file has {left} more. It is cut short.")

    def take(self, length: int, where: str) -> bytes:
        """The next bytes; none at the end of the file, DamagedError when it ends inside of them."""
        left = self._file.size - self.position
        if left == 0:
            return b""
        if length > left:
            raise DamagedError(f"{where}: is cut short; {length} bytes were expected, {left} are left.")
        at = self.position - self._start
        self.position += length
        if at + length <= len(self._window):
            return self._window[at : at + length]
        if length >= CHUNK:
            return self._file.read(self.position - length, length)
        self._start = self.position - length
        self._window = self._file.read(self._start, min(CHUNK, left))
        return self._window[:length]


class _Inflated:
    """The bytes of a compressed file, unpacked as they are needed."""

    def __init__(self, file: File, kind: str) -> None:
        self._name = file.name
        self._chunks = file.span().chunks(1 << 16)
        self._bits = _WINDOW_BITS[kind]
        self._unpacker = zlib.decompressobj(self._bits)
        self._packed = b""
        self._ready = bytearray()
        self.position = 0

    def expect(self, length: int, where: str) -> None:
        """LimitError for a length that cannot be meant."""
        if length > MAX_RECORD:
            raise LimitError(f"{where}: says that it has {length} bytes; at most {MAX_RECORD} are read.")

    def take(self, length: int, where: str) -> bytes:
        """The next bytes; none at the end of the file, DamagedError when it ends inside of them."""
        while len(self._ready) < length and self._more(length - len(self._ready)):
            pass
        data = bytes(self._ready[:length])
        if data and len(data) < length:
            raise DamagedError(f"{where}: is cut short; {length} bytes were expected, {len(data)} are left.")
        del self._ready[:length]
        self.position += len(data)
        return data

    def _more(self, wanted: int) -> bool:
        """Unpacks some more bytes; False at the end."""
        if not self._packed:
            self._packed = next(self._chunks, b"")
        if self._unpacker.eof:
            if not self._packed:
                return False
            self._unpacker = zlib.decompressobj(self._bits)  # a file may be several compressed ones in a row
        try:
            data = self._unpacker.decompress(self._packed, max(wanted, CHUNK))
        except zlib.error as error:
            raise DamagedError(f"{self._name}: the compressed data cannot be unpacked: {error}.") from error
        if not self._packed and not data and not self._unpacker.eof:
            raise DamagedError(f"{self._name}: the compressed data is cut short.")
        self._ready += data
        self._packed = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
        return True
