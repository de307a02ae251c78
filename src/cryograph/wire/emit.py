"""Writing a message together with the tensors that it refers to, as a stream.

protobuf serializes the message, which is small as its big tensors are numbers. Where such a number stands, the
TensorProto of the tensor goes in, and the lengths of all records around it grow. Sizes are known before anything is
read, so nothing larger than a chunk is in memory, and files of more than 2 GiB come out as well.

Maps are written in the order of their keys: same message, same bytes.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import EncodeError, Message

from ..base.errors import FormatError, LimitError
from ..base.files import MemoryFile
from ..base.tensors import Tensor
from . import messages as pb
from .records import BYTES, Walker, short_name
from .scan import Kind, kind_of
from .tensor_proto import KEY_TAG, MAX_PARSED, TensorTable, encoded, encoded_size, table_entry
from .varint import varint

KEY_SIZE = len(KEY_TAG) + 8


class Sink(Protocol):
    """What can be written to."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Takes all of the bytes."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """Bytes of the serialized message."""

    data: memoryview | bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def pieces(self) -> Iterator[bytes | memoryview]:
        yield self.data


@dataclass(frozen=True, slots=True)
class _Values:
    """A TensorProto whose values come from a Tensor."""

    header: pb.TensorProto
    tensor: Tensor
    size: int

    def pieces(self) -> Iterator[bytes | memoryview]:
        yield from encoded(self.header, self.tensor)


_Part = _Raw | _Values


def write_message(out: Sink, message: Message, table: TensorTable) -> int:
    """Writes a message with its tensors; returns how many bytes that were.

    FormatError when the message refers to a tensor that the table does not have, or a tensor gives more or fewer
    bytes than its dtype and shape say.
    """
    written = 0
    for part in _parts(message, table):
        size = 0
        for piece in part.pieces():
            out.write(piece)
            size += len(piece)
        if size != part.size:
            raise FormatError(f"A tensor of {part.size} bytes gave {size} while it was written. Its file has changed.")
        written += size
    return written


def message_size(message: Message, table: TensorTable) -> int:
    """How many bytes `write_message` would write; no tensor is read."""
    return sum(part.size for part in _parts(message, table))


def message_bytes(message: Message, table: TensorTable) -> bytes:
    """A message with its tensors as bytes, for what is small."""
    return b"".join(piece for part in _parts(message, table) for piece in part.pieces())


def whole_message(message: Message, table: TensorTable) -> Message:
    """A copy of a message with all of its tensors inside, as protobuf alone would have read it."""
    size = message_size(message, table)
    if size > MAX_PARSED:
        raise LimitError(f"The message takes {size} bytes with its tensors; protobuf can hold {MAX_PARSED}.")
    return type(message).FromString(message_bytes(message, table))


def _parts(message: Message, table: TensorTable) -> list[_Part]:
    try:
        data = message.SerializeToString(deterministic=True)
    except EncodeError as error:
        raise LimitError(
            f"The {short_name(message.DESCRIPTOR.full_name)} cannot be serialized, most likely as it takes more than"
            f" {MAX_PARSED} bytes besides the tensors of its table: {error}."
        ) from error
    keys = []
    found = data.find(KEY_TAG)
    while found >= 0:
        keys.append(found)
        found = data.find(KEY_TAG, found + 1)
    if not keys:
        return [_Raw(data)]
    splice = _Splice(data, Walker(MemoryFile(data)), keys, table)
    if isinstance(message, pb.TensorProto):
        return [splice.tensor(0, len(data)) or _Raw(data)]
    return splice.message(kind_of(message.DESCRIPTOR.full_name), 0, len(data)) or [_Raw(data)]


@dataclass(frozen=True, slots=True)
class _Splice:
    """One writing: the serialized message, and the places in it where the number of a tensor seems to stand."""

    data: bytes
    walker: Walker
    keys: list[int]
    table: TensorTable

    def has_key(self, start: int, end: int) -> bool:
        """Whether a number seems to stand in a range. Only the walk tells it from bytes that look the same."""
        index = bisect.bisect_left(self.keys, start)
        return index < len(self.keys) and self.keys[index] + KEY_SIZE <= end

    def message(self, kind: Kind, start: int, end: int) -> list[_Part] | None:
        """The parts of a message with tensors in it; None when it stays as it is."""
        parts: list[_Part] = []
        view = memoryview(self.data)
        done = start
        for number, wire, at, body, stop, _ in self.walker.records(start, end, kind.name):
            if wire != BYTES or stop - body < KEY_SIZE:
                continue
            inner = kind.fields.get(number)
            if inner is None or not self.has_key(body, stop):
                continue
            if inner.is_tensor:
                values = self.tensor(body, stop)
                new: list[_Part] | None = None if values is None else [values]
            else:
                new = self.message(inner, body, stop)
            if new is None:
                continue
            parts.append(_Raw(view[done:at]))
            parts.append(_Raw(varint(number << 3 | BYTES) + varint(sum(part.size for part in new))))
            parts += new
            done = stop
        if not parts:
            return None
        parts.append(_Raw(view[done:end]))
        return parts

    def tensor(self, start: int, end: int) -> _Values | None:
        """The TensorProto with its values; None when it has them already."""
        header = pb.TensorProto.FromString(self.data[start:end])
        if not header.cryograph_tensor:
            return None
        tensor = table_entry(header, self.table)
        return _Values(header, tensor, encoded_size(header, tensor))
