"""Walking protobuf's wire format without parsing it: which records a stretch of a file holds, and where.

A message is a run of fields: a varint key (field number * 8 + wire type), then a varint (wire type 0), 8 bytes (1),
a varint length and that many bytes (2), fields up to an end mark (3, an old group), or 4 bytes (5).
Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from ..base.errors import DamagedError, LimitError
from ..base.files import File, is_remote
from . import messages as pb
from .varint import MAX_VARINT, read_varint

MAX_NESTING = 100
"""How deep messages may lie in each other; protobuf's own bound in every language."""

MAX_FIELD_NUMBER = (1 << 29) - 1

_HEADER = 2 * MAX_VARINT
_QUICK = 5
_SMALLEST_READ = 8 << 10
_LARGEST_READ = 1 << 20

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)


@dataclass(frozen=True, slots=True)
class Record:
    """One field of a message. `start` is where its key begins, `body` where its value does, `end` the first byte after.

    `value` is the value of a varint, else 0. Positions are bytes of the file.
    """

    number: int
    wire: int
    start: int
    body: int
    end: int
    value: int


class Walker:
    """Reads a file by a window that moves along: small reads after a jump, larger ones while reading on.

    The window is read, not mapped, so that resident memory does not grow with the file.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        self._base = 0
        self._data = b""
        self._smallest = _LARGEST_READ if is_remote(file.name) else _SMALLEST_READ
        self._size = self._smallest

    def bytes_at(self, start: int, end: int) -> bytes:
        """A range of the file."""
        if start == end:
            return b""
        if self._base <= start and end <= self._base + len(self._data):
            return self._data[start - self._base : end - self._base]
        return self.file.read(start, end - start)

    def _move(self, position: int, limit: int) -> None:
        """Puts the window where `position` is its first byte."""
        behind = position - self._base - len(self._data)
        self._size = min(2 * self._size, _LARGEST_READ) if -_HEADER <= behind <= 0 else self._smallest
        self._data = self.file.read(position, min(self._size, limit - position))
        self._base = position

    def records(self, start: int, end: int, name: str) -> Iterator[tuple[int, int, int, int, int, int]]:
        """The fields between two positions, in order, as the values of a Record (plain, as there are so many).

        `name` is the message's, for the DamagedError that says where the bytes do not add up.
        """
        position = start
        while position < end:
            index = position - self._base
            if index < 0 or (index + _HEADER > len(self._data) and self._base + len(self._data) < end):
                self._move(position, end)
                index = 0
            data = self._data
            key = data[index]
            wire = key & 7
            # The usual field: a number below 16 and a length of less than 256 MiB. All others take the long way.
            if wire == BYTES and 8 <= key < 0x80 and index + _QUICK <= len(data) and data[index + 4] < 0x80:
                length = data[index + 1]
                body = position + 2
                if length >= 0x80:
                    length += (data[index + 2] - 1) << 7
                    body += 1
                    if length >= 1 << 14:
                        length += (data[index + 3] - 1) << 14
                        body += 1
                        if length >= 1 << 21:
                            length += (data[index + 4] - 1) << 21
                            body += 1
                stop = body + length
                if stop > end:
                    self._sticks_out(key >> 3, position, body, stop, end, name)
                yield key >> 3, wire, position, body, stop, 0
            else:
                record = self._record(position, end, name, 0)
                stop = record.end
                yield record.number, record.wire, position, record.body, stop, record.value
            position = stop

    def _varint(self, position: int, end: int, name: str) -> tuple[int, int]:
        try:
            value, size = read_varint(self.bytes_at(position, min(position + MAX_VARINT, end)), 0)
        except DamagedError as error:
            cut = end - position < MAX_VARINT
            why = "the record ends inside of it" if cut else f"it has more than {MAX_VARINT} bytes"
            raise DamagedError(f"{self.file.name}: at byte {position}, in {name}, a number does not end: {why}.") from (
                error
            )
        return value, position + size

    def _record(self, position: int, end: int, name: str, depth: int) -> Record:
        key, body = self._varint(position, end, name)
        number, wire = key >> 3, key & 7
        value = 0
        if not 1 <= number <= MAX_FIELD_NUMBER or wire > FIXED32:
            self._no_field(key, position, name)
        if wire == VARINT:
            value, stop = self._varint(body, end, name)
        elif wire == BYTES:
            length, body = self._varint(body, end, name)
            stop = body + length
        elif wire == GROUP:
            stop = self._group_end(number, body, end, name, depth + 1)
        elif wire == END_GROUP:
            self._no_field(key, position, name)
        else:
            stop = body + (8 if wire == FIXED64 else 4)
        if stop > end:
            self._sticks_out(number, position, body, stop, end, name)
        return Record(number, wire, position, body, stop, value)

    def _group_end(self, number: int, position: int, end: int, name: str, depth: int) -> int:
        """Where an old-style group ends, its end mark included."""
        check_depth(depth, self.file, position)
        while position < end:
            key, after = self._varint(position, end, name)
            if key & 7 == END_GROUP:
                if key >> 3 != number:
                    self._no_field(key, position, name)
                return after
            position = self._record(position, end, name, depth).end
        raise DamagedError(f"{self.file.name}: the group {number} in {name} does not end before byte {end}.")

    def _no_field(self, key: int, position: int, name: str) -> NoReturn:
        raise DamagedError(
            f"{self.file.name}: at byte {position}, where a field of {name} should begin, stands the key {key},"
            f" which is none (field {key >> 3}, wire type {key & 7})."
        )

    def _sticks_out(self, number: int, position: int, body: int, stop: int, end: int, name: str) -> NoReturn:
        where = "the file" if end == self.file.size else "the record around it"
        raise DamagedError(
            f"{self.file.name}: at byte {position}, the field {field_name(name, number)} says that it takes"
            f" {stop - body} bytes, but {where} ends after {max(end - body, 0)}. The file is cut short or damaged."
        )


def check_depth(depth: int, file: File, position: int) -> None:
    """LimitError when messages lie deeper in each other than protobuf allows."""
    if depth > MAX_NESTING:
        raise LimitError(
            f"{file.name}: at byte {position}, messages lie more than {MAX_NESTING} deep in each other,"
            " which no reader of protobuf accepts."
        )


def field_name(message: str, number: int) -> str:
    """`GraphDef.node` for a field of one of our messages, `GraphDef.99` for one that we do not know."""
    full_name = message if message.startswith("google.") else f"{pb.PACKAGE}.{message}"
    field = pb.pool().FindMessageTypeByName(full_name).fields_by_number.get(number)
    return f"{message}.{number if field is None else field.name}"


def short_name(full_name: str) -> str:
    """The name of a message as users know it: `AttrValue.ListValue`."""
    return full_name.removeprefix(f"{pb.PACKAGE}.")
