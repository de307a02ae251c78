"""Fields of protocol messages taken out of strings, and put into them, by descriptors that the op brings along.

`descriptor_source` is `bytes://` and a FileDescriptorSet. TensorFlow also takes a file's name, or the messages that are
linked into the process; neither is done here.

A message is read as it stands on the wire, as TensorFlow's kernel reads it: fields of another wire type than theirs are
left out, repeated ones may be packed or not, and of the others the last one counts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, text_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, EncodeError, Message
from google.protobuf.message_factory import GetMessageClass

from ...base.dtypes import DType
from ...base.errors import DamagedError, InputError, RefusedError, RunError
from ...base.shapes import show
from ...base.tensors import Array
from ...wire.varint import read_varint, varint
from .context import Context, Rule

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = 0, 1, 2, 3, 4, 5
"""Wire types."""

MAX_DEPTH = 100
"""Groups in groups, at most."""

_Type = descriptor_pb2.FieldDescriptorProto.Type


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of one type of field stand on the wire, and the dtypes that a tensor of them may have."""

    wire: int
    dtypes: tuple[str, ...]
    read: Callable[[int], Any]
    write: Callable[[Any], bytes]


def _signed(bits: int) -> Callable[[int], int]:
    half = 1 << (bits - 1)
    return lambda value: ((value + half) & ((1 << bits) - 1)) - half


def _unsigned(bits: int) -> Callable[[int], int]:
    return lambda value: value & ((1 << bits) - 1)


def _zigzag(bits: int) -> Callable[[int], int]:
    mask = (1 << bits) - 1
    return lambda value: ((value & mask) >> 1) ^ -(value & 1)


def _float(layout: str, number: str) -> Callable[[int], float]:
    return lambda value: float(struct.unpack(layout, struct.pack(number, value))[0])


def _as_varint(read: Callable[[int], int]) -> Callable[[Any], bytes]:
    """Writes integers; negative ones in ten bytes."""
    return lambda value: varint(read(int(value)) & ((1 << 64) - 1))


def _as_zigzag(bits: int) -> Callable[[Any], bytes]:
    mask, signed = (1 << bits) - 1, _signed(bits)
    return lambda value: varint((signed(int(value)) << 1 ^ signed(int(value)) >> (bits - 1)) & mask)


def _as_fixed(size: int) -> Callable[[Any], bytes]:
    mask = (1 << 8 * size) - 1
    return lambda value: (int(value) & mask).to_bytes(size, "little")


def _as_float(value: Any) -> bytes:
    return np.float32(value).tobytes()


_NO_NUMBER: Any = None
"""Strings, messages and groups are copied as they are."""

KINDS: dict[int, Kind] = {
    _Type.Value("TYPE_DOUBLE"): Kind(FIXED64, ("float64",), _float("<d", "<Q"), lambda value: struct.pack("<d", value)),
    _Type.Value("TYPE_FLOAT"): Kind(FIXED32, ("float32", "float64"), _float("<f", "<I"), _as_float),
    _Type.Value("TYPE_INT64"): Kind(VARINT, ("int64",), _signed(64), _as_varint(_signed(64))),
    _Type.Value("TYPE_UINT64"): Kind(VARINT, ("uint64",), _unsigned(64), _as_varint(_unsigned(64))),
    _Type.Value("TYPE_INT32"): Kind(VARINT, ("int32", "int64"), _signed(32), _as_varint(_signed(32))),
    _Type.Value("TYPE_FIXED64"): Kind(FIXED64, ("uint64",), _unsigned(64), _as_fixed(8)),
    _Type.Value("TYPE_FIXED32"): Kind(FIXED32, ("uint32", "uint64"), _unsigned(32), _as_fixed(4)),
    _Type.Value("TYPE_BOOL"): Kind(VARINT, ("bool",), bool, _as_varint(bool)),
    _Type.Value("TYPE_STRING"): Kind(BYTES, ("string",), _NO_NUMBER, _NO_NUMBER),
    _Type.Value("TYPE_GROUP"): Kind(GROUP, ("string",), _NO_NUMBER, _NO_NUMBER),
    _Type.Value("TYPE_MESSAGE"): Kind(BYTES, ("string",), _NO_NUMBER, _NO_NUMBER),
    _Type.Value("TYPE_BYTES"): Kind(BYTES, ("string",), _NO_NUMBER, _NO_NUMBER),
    _Type.Value("TYPE_UINT32"): Kind(VARINT, ("uint32", "uint64"), _unsigned(32), _as_varint(_unsigned(32))),
    _Type.Value("TYPE_ENUM"): Kind(VARINT, ("int32",), _signed(32), _as_varint(_signed(32))),
    _Type.Value("TYPE_SFIXED32"): Kind(FIXED32, ("int32", "int64"), _signed(32), _as_fixed(4)),
    _Type.Value("TYPE_SFIXED64"): Kind(FIXED64, ("int64",), _signed(64), _as_fixed(8)),
    _Type.Value("TYPE_SINT32"): Kind(VARINT, ("int32", "int64"), _zigzag(32), _as_zigzag(32)),
    _Type.Value("TYPE_SINT64"): Kind(VARINT, ("int64",), _zigzag(64), _as_zigzag(64)),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field that is asked for."""

    number: int
    kind: Kind
    is_repeated: bool
    is_packed: bool
    default: Any


# --- descriptors


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The messages of one FileDescriptorSet, each with the file that declares it, and the extensions by full name."""

    pool: DescriptorPool
    messages: dict[str, tuple[Any, Any]]
    extensions: dict[str, tuple[Any, Any]]


@lru_cache(maxsize=8)
def _descriptors(source: bytes) -> Descriptors:
    scheme = b"bytes://"
    if not source.startswith(scheme):
        raise RefusedError(
            f"the descriptors are taken from {source[:60]!r}; only those that the graph holds are read (bytes://...)"
        )
    pool, messages, extensions = DescriptorPool(), {}, {}
    try:
        files = descriptor_pb2.FileDescriptorSet.FromString(source[len(scheme) :])
        for file in files.file:
            pool.Add(file)
        waiting: list[tuple[str, Any, Any]] = [(file.package, file, file) for file in files.file]
        while waiting:
            prefix, holder, file = waiting.pop()
            for extension in holder.extension:
                extensions[f"{prefix}.{extension.name}".lstrip(".")] = extension, file
            for message in holder.message_type if holder is file else holder.nested_type:
                name = f"{prefix}.{message.name}".lstrip(".")
                messages[name] = message, file
                waiting.append((name, message, file))
    except (DecodeError, TypeError, ValueError) as error:
        raise RunError(f"the descriptor source is no FileDescriptorSet that can be used: {error}") from error
    return Descriptors(pool, messages, extensions)


def _is_packed(proto: Any, file: Any) -> bool:
    """Whether a repeated field is written packed: where it says so, and in files since proto3 where it does not."""
    packable = KINDS[proto.type].wire not in (BYTES, GROUP)
    if proto.label != descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED or not packable:
        return False
    if proto.options.HasField("packed"):
        return bool(proto.options.packed)
    return str(file.syntax) not in ("", "proto2")


def _fields(source: bytes, message_type: bytes, names: Sequence[bytes], with_extensions: bool) -> list[Field]:
    """What is known of the fields of a message by their names. RunError for a message or a field that is not there."""
    held = _descriptors(source)
    called = message_type.decode("utf-8", "replace")
    if called not in held.messages:
        raise RunError(f"the descriptors have no message {called!r}")
    message, file = held.messages[called]
    own = {proto.name: (proto, file) for proto in message.field}
    if with_extensions:
        more = {name: pair for name, pair in held.extensions.items() if pair[0].extendee.lstrip(".") == called}
        own = {**more, **own}
    found = []
    for name in names:
        text = name.decode("utf-8", "replace")
        if text not in own:
            raise RunError(f"the message {called!r} has no field {text!r}")
        proto, home = own[text]
        repeated = proto.label == descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
        found.append(
            Field(proto.number, KINDS[proto.type], repeated, _is_packed(proto, home), _default(held, called, text))
        )
    return found


def _default(held: Descriptors, message: str, name: str) -> Any:
    """What stands for a field that is not there; None for nothing in particular."""
    try:
        descriptor = held.pool.FindMessageTypeByName(message)
        field = descriptor.fields_by_name.get(name) or held.pool.FindExtensionByName(name)
        default = field.default_value
    except (KeyError, TypeError) as error:
        raise RunError(f"the descriptors of {message!r} do not add up: {error}") from error
    if isinstance(default, str | bytes):
        return default.encode() if isinstance(default, str) else default
    return None if isinstance(default, list | tuple | Message) or default is None else default


# --- the wire


def _skip(data: bytes, at: int, wire: int, depth: int = 0) -> int:
    """The place behind a value; DamagedError when the bytes end before."""
    if wire == VARINT:
        return read_varint(data, at)[1]
    if wire == BYTES:
        length, at = read_varint(data, at)
        end = at + length
    elif wire in (FIXED32, FIXED64):
        end = at + (4 if wire == FIXED32 else 8)
    elif wire == GROUP and depth < MAX_DEPTH:
        while True:
            tag, at = read_varint(data, at)
            if tag & 7 == END_GROUP:
                return at
            if not tag >> 3:
                raise DamagedError("a group holds a tag of no field")
            at = _skip(data, at, tag & 7, depth + 1)
    else:
        raise DamagedError(f"a value of the wire type {wire} cannot be read")
    if end > len(data):
        raise DamagedError("a value is cut short")
    return end


def _records(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Each record of a message: field number, wire type, where it begins with its tag and its value, where it ends."""
    at = 0
    while at < len(data):
        start = at
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not number or tag >= 1 << 32:
            raise DamagedError("a tag of no field")
        end = _skip(data, at, wire)
        yield number, wire, start, at, end
        at = end


class _Values:
    """The values of one field in one message. `count` is what `sizes` says; `values` may be fewer."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.values: list[Any] = []
        self.count = 0
        self.empty_runs: list[int] = []

    def take(self, data: bytes, wire: int, start: int, at: int, end: int) -> None:
        """Takes a record of the field."""
        kind = self.field.kind
        if wire == BYTES and kind.wire not in (BYTES, GROUP):
            self._take_run(data, read_varint(data, at)[1], end)
        elif wire == kind.wire:
            if kind.wire == BYTES:
                value: Any = data[read_varint(data, at)[1] : end]
            elif kind.wire == GROUP:
                value = data[start:end]
            else:
                value = kind.read(_number(data, at, wire)[0])
            if not self.field.is_repeated:
                self.values.clear()
            self.values.append(value)
            self.count = len(self.values)

    def _take_run(self, data: bytes, at: int, end: int) -> None:
        """Takes packed values. TensorFlow's kernel counts those of a field that is not repeated and does not keep
        them, and has no place for any behind one that it has kept."""
        kind = self.field.kind
        if not self.field.is_repeated and self.values:
            raise DamagedError("packed values follow one that was given by itself")
        self.empty_runs += [len(self.values)] if at == end else []
        run = []
        while at < end:
            number, at = _number(data[:end], at, kind.wire)
            run.append(kind.read(number))
        if self.field.is_repeated:
            self.values += run
            self.count += len(run)
        elif run:
            self.count = 1


def _number(data: bytes, at: int, wire: int) -> tuple[int, int]:
    """A number as it stands on the wire, and the place behind it."""
    if wire == VARINT:
        return read_varint(data, at)
    end = at + (4 if wire == FIXED32 else 8)
    if end > len(data):
        raise DamagedError("a number is cut short")
    return int.from_bytes(data[at:end], "little"), end


def _read(data: bytes, fields: Sequence[Field]) -> list[_Values]:
    found = [_Values(field) for field in fields]
    by_number: dict[int, _Values] = {}
    for values in found:
        by_number.setdefault(values.field.number, values)
    try:
        for number, *record in _records(data):
            if number in by_number:
                by_number[number].take(data, *record)
    except DamagedError as error:
        raise RunError(f"a message cannot be read: {error}") from error
    return found


def _written_anew(data: bytes, source: bytes, message_type: bytes, is_text: bool) -> bytes:
    """A message parsed by its descriptor, and written again."""
    descriptor = _descriptors(source).pool.FindMessageTypeByName(message_type.decode("utf-8", "replace"))
    message = GetMessageClass(descriptor)()
    try:
        if is_text:
            text_format.Parse(data, message)
        else:
            message.ParseFromString(data)
        return bytes(message.SerializeToString(deterministic=True))
    except (DecodeError, EncodeError, text_format.ParseError, UnicodeDecodeError) as error:
        raise RunError(f"a message cannot be parsed: {error}") from error


def _filled(found: Sequence[_Values], field: Field, dtype: DType) -> Array:
    """The values of one field of all messages (N, M), filled up with the default."""
    width = max(1, *(values.count for values in found))
    if any(run >= width for values in found for run in values.empty_runs):
        raise RunError("a message cannot be read: a run of no values stands where all values were given")
    if dtype.is_string:
        made = np.empty((len(found), width), object)
        made[...] = field.default if isinstance(field.default, bytes) else b""
    else:
        made = np.full((len(found), width), field.default or 0, dtype.numpy)
    for row, values in zip(made, found, strict=True):
        if values.values:
            row[: len(values.values)] = values.values
    return made


def _decode_proto(
    ctx: Context,
    serialized: Array,
    *,
    message_type: bytes,
    field_names: list[bytes],
    output_types: list[DType],
    descriptor_source: bytes,
    message_format: bytes,
    sanitize: bool,
) -> tuple[Array, ...]:
    if message_format not in (b"binary", b"text"):
        raise InputError(f"messages are binary or text, not {message_format!r}")
    fields = _fields(descriptor_source, message_type, field_names, True)
    if len(fields) != len(output_types):
        raise InputError(f"{len(output_types)} dtypes were given for {len(fields)} fields")
    for name, field, dtype in zip(field_names, fields, output_types, strict=True):
        if dtype.name not in field.kind.dtypes:
            raise InputError(f"the field {name!r} is read as {' or '.join(field.kind.dtypes)}, not as {dtype}")
    if not serialized.size:
        raise InputError("at least one message was expected, none came")
    texts = serialized.reshape(-1).tolist()
    if sanitize or message_format == b"text":
        is_text = message_format == b"text"
        texts = [_written_anew(text, descriptor_source, message_type, is_text) for text in texts]
    found = [_read(text, fields) for text in texts]
    sizes = np.array([[values.count for values in row] for row in found], np.int32)
    columns = [
        _filled([row[number] for row in found], field, output_types[number]) for number, field in enumerate(fields)
    ]
    return (
        sizes.reshape(*serialized.shape, len(fields)),
        *(column.reshape(*serialized.shape, column.shape[1]) for column in columns),
    )


def _encode_proto(
    ctx: Context,
    sizes: Array,
    *values: Array,
    field_names: list[bytes],
    message_type: bytes,
    descriptor_source: bytes,
    Tinput_types: list[DType],
) -> Array:
    fields = _fields(descriptor_source, message_type, field_names, False)
    if len(fields) != len(values):
        raise InputError(f"{len(values)} tensors were given for {len(fields)} fields")
    for name, field, value, dtype in zip(field_names, fields, values, Tinput_types, strict=True):
        if dtype.name not in field.kind.dtypes:
            raise InputError(f"the field {name!r} is written from {' or '.join(field.kind.dtypes)}, not from {dtype}")
        if value.ndim < 2 or value.shape[:-1] != values[0].shape[:-1]:
            raise InputError(
                f"the values of {name!r} have the shape {show(value.shape)}; a batch like the others' was expected"
            )
    batch = values[0].shape[:-1]
    if sizes.shape != (*batch, len(fields)):
        raise InputError(f"sizes of the shape {show((*batch, len(fields)))} were expected, not {show(sizes.shape)}")
    counts = sizes.reshape(-1, len(fields))
    for number, value in enumerate(values):
        if (counts[:, number] > value.shape[-1]).any():
            raise InputError(
                f"{counts[:, number].max()} values of {field_names[number]!r} are to be written of {value.shape[-1]}"
            )
    rows = [value.reshape(len(counts), -1).tolist() if value.size else [[]] * len(counts) for value in values]
    order = sorted(range(len(fields)), key=lambda number: fields[number].number)
    made = np.empty(len(counts), object)
    for message, taken in enumerate(counts.tolist()):
        made[message] = b"".join(
            _written(fields[number], rows[number][message][: taken[number]]) for number in order if taken[number] > 0
        )
    return made.reshape(batch)


def _written(field: Field, values: Sequence[Any]) -> bytes:
    """The values of one field as records."""
    kind, tag = field.kind, varint(field.number << 3 | field.kind.wire)
    if kind.wire == BYTES:
        return b"".join(tag + varint(len(value)) + value for value in values)
    if kind.wire == GROUP:
        end = varint(field.number << 3 | END_GROUP)
        return b"".join(tag + value + end for value in values)
    if field.is_packed:
        body = b"".join(map(kind.write, values))
        return varint(field.number << 3 | BYTES) + varint(len(body)) + body
    return b"".join(tag + kind.write(value) for value in values)


RULES: dict[str, Rule] = {
    "DecodeProtoV2": _decode_proto,
    "EncodeProto": _encode_proto,
}
