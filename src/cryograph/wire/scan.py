"""Reading a message while its big tensors stay in the file.

`read_message` walks the wire format and copies it, except for TensorProtos of more than THRESHOLD bytes: of those it
copies dtype, shape and version, and puts a number in the place of the values (`cryograph_tensor`). The tensor of that
number is in the table that comes with the message, and knows where its TensorProto lies. What is left is small and is
parsed by protobuf, so unknown fields survive.

Only records that are larger than the threshold and whose type can hold a TensorProto are looked into, so the cost is
that of the number of nodes and not that of their bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from ..base.errors import DamagedError, FormatError, LimitError
from ..base.files import File, Span
from . import messages as pb
from .records import BYTES, VARINT, Walker, check_depth, field_name, short_name
from .tensor_proto import KEY_TAG, MAX_PARSED, THRESHOLD, new_key, shape_of_tensor, stored
from .tensor_proto import TensorTable as TensorTable
from .varint import varint

M = TypeVar("M", bound=Message)


def read_message(source: File | Span, kind: type[M]) -> tuple[M, TensorTable]:
    """The message in a file, or in a part of one, and the tensors that were left where they are.

    DamagedError with the place where the bytes do not add up, FormatError when protobuf cannot read them as this
    message for another reason, LimitError for messages that no protobuf reader would accept.
    """
    span = source if isinstance(source, Span) else source.span()
    scan = _Scan(Walker(span.file), {})
    start, end = span.offset, span.offset + span.length
    pieces = scan.message(kind_of(kind.DESCRIPTOR.full_name), start, end, 0) or [scan.keep(start, end)]
    try:
        return kind.FromString(b"".join(pieces)), scan.table
    # The runtime in pure Python lets the last two through.
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        _find_damage(scan.walker, kind.DESCRIPTOR, start, end, 0)
        name = short_name(kind.DESCRIPTOR.full_name)
        raise FormatError(f"{span.file.name} cannot be read as a {name}: {error}") from error


# --- which fields can hold tensors


@dataclass(slots=True)
class Kind:
    """A message type, with those of its fields in which a TensorProto can lie at any depth."""

    name: str
    is_tensor: bool
    fields: dict[int, Kind] = field(default_factory=dict)


@cache
def kind_of(full_name: str) -> Kind:
    """The Kind of a message of the schema, worked out from the descriptors."""
    descriptors: dict[str, Any] = {}
    waiting: list[Any] = [pb.pool().FindMessageTypeByName(full_name)]
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name not in descriptors:
            descriptors[descriptor.full_name] = descriptor
            waiting.extend(f.message_type for f in descriptor.fields if f.message_type is not None)
    tensor = f"{pb.PACKAGE}.TensorProto"
    reaching, grown = {tensor}, True
    while grown:
        before = len(reaching)
        for name, descriptor in descriptors.items():
            if any(f.message_type is not None and f.message_type.full_name in reaching for f in descriptor.fields):
                reaching.add(name)
        grown = len(reaching) > before
    kinds = {name: Kind(short_name(name), name == tensor) for name in descriptors}
    for name, kind in kinds.items():
        if not kind.is_tensor:  # what lies inside a TensorProto stays in it
            for f in descriptors[name].fields:
                if f.message_type is not None and f.message_type.full_name in reaching:
                    kind.fields[f.number] = kinds[f.message_type.full_name]
    return kinds[full_name]


# --- the walk


@dataclass(slots=True)
class _Scan:
    """One reading: what it has found, and how many bytes it has kept."""

    walker: Walker
    table: TensorTable
    kept: int = 0

    def keep(self, start: int, end: int) -> bytes:
        """A range of the file that goes to protobuf."""
        self.kept += end - start
        if self.kept > MAX_PARSED:
            raise LimitError(
                f"{self.walker.file.name} holds more than {MAX_PARSED} bytes besides its tensors,"
                " which is more than protobuf can read."
            )
        return self.walker.bytes_at(start, end)

    def message(self, kind: Kind, start: int, end: int, depth: int) -> list[bytes] | None:
        """The bytes of a message with numbers for its big tensors; None when it has none and stays as it is."""
        check_depth(depth, self.walker.file, start)
        pieces: list[bytes] = []
        done = start
        for number, wire, at, body, stop, _ in self.walker.records(start, end, kind.name):
            if stop - body <= THRESHOLD or wire != BYTES:
                continue
            inner = kind.fields.get(number)
            if inner is None:
                continue
            parts = self.tensor(body, stop) if inner.is_tensor else self.message(inner, body, stop, depth + 1)
            if parts is None:
                continue
            pieces.append(self.keep(done, at))
            pieces.append(varint(number << 3 | BYTES) + varint(sum(map(len, parts))))
            pieces += parts
            done = stop
        if not pieces:
            return None
        pieces.append(self.keep(done, end))
        return pieces

    def tensor(self, start: int, end: int) -> list[bytes] | None:
        """The bytes that stand for a big TensorProto, whose Tensor goes to the table; None when it must stay.

        Writers put dtype and shape first, so that the walk ends at the first value. What comes after it is read when
        the values are asked for.
        """
        head: list[tuple[int, int]] = []
        seen = 0
        values: tuple[int, int, int] | None = None
        alone = True
        for number, wire, at, body, stop, _ in self.walker.records(start, end, "TensorProto"):
            if (number, wire) in _HEAD:
                head.append((at, stop))
                seen |= 1 << number
                continue
            alone = alone and values is None and wire == BYTES and stop == end
            values = number, body, stop
            if seen & 0b110 == 0b110:
                break
        if sum(stop - at for at, stop in head) > THRESHOLD:
            return None
        header = b"".join(self.walker.bytes_at(at, stop) for at, stop in head)
        try:
            proto = pb.TensorProto.FromString(header)
        except (DecodeError, UnicodeDecodeError):
            return None
        shape = shape_of_tensor(proto)
        if shape is None:
            return None
        record = Span(self.walker.file, start, end - start)
        content = None
        if values is not None and alone and (values[0] == _CONTENT or _RAW_LISTS.get(proto.dtype) == values[0]):
            content = Span(self.walker.file, values[1], values[2] - values[1])
        key = new_key()
        self.table[key] = stored(proto.dtype, shape, record, content)
        return [header, KEY_TAG, key.to_bytes(8, "little")]


_HEAD = frozenset({(1, VARINT), (2, BYTES), (3, VARINT)})
"""dtype, tensor_shape and version_number."""

_CONTENT = 4
_RAW_LISTS = {1: 5, 2: 6, 8: 9, 18: 12, 24: 18, 25: 18, 26: 18, 27: 18, 28: 18, 33: 18}
"""For each dtype whose packed list is a run of raw little-endian values: that list's field."""


# --- after a failure


def _find_damage(walker: Walker, descriptor: Any, start: int, end: int, depth: int) -> None:
    """Looks for what protobuf stumbled over; raises DamagedError or LimitError that says where, or finds nothing."""
    check_depth(depth, walker.file, start)
    name = short_name(descriptor.full_name)
    for number, wire, at, body, stop, _ in walker.records(start, end, name):
        f = descriptor.fields_by_number.get(number)
        if f is None or wire != BYTES:
            continue
        if f.message_type is not None:
            if stop - body <= THRESHOLD or f.message_type.name != "TensorProto":
                _find_damage(walker, f.message_type, body, stop, depth + 1)
        elif f.type == f.TYPE_STRING:
            try:
                walker.bytes_at(body, stop).decode("utf-8")
            except UnicodeDecodeError as error:
                raise DamagedError(
                    f"{walker.file.name}: at byte {body + error.start}, in {field_name(name, number)}, stands text"
                    " that is not UTF-8."
                ) from error
        elif f.type in _WIDTHS and (stop - body) % _WIDTHS[f.type]:
            raise DamagedError(
                f"{walker.file.name}: at byte {at}, {field_name(name, number)} has {stop - body} bytes,"
                f" which are not numbers of {_WIDTHS[f.type]} bytes."
            )
        elif f.type in _VARINTS and stop > body and walker.bytes_at(stop - 1, stop)[0] >= 0x80:
            raise DamagedError(
                f"{walker.file.name}: at byte {stop}, the last number in {field_name(name, number)} does not end."
            )


# By the numbers of FieldDescriptor.TYPE_*.
_WIDTHS = {1: 8, 2: 4, 6: 8, 7: 4, 15: 4, 16: 8}
_VARINTS = frozenset({3, 4, 5, 8, 13, 14, 17, 18})
