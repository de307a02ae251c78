"""The message classes of our schema, by name: `from cryograph.wire import messages as pb; pb.GraphDef()`.

They live in a descriptor pool of our own, made from schema.binpb (a FileDescriptorSet, see tools/gen_schema.py) when
the first name is asked for. So there is no generated code that would be bound to one protobuf runtime, and nothing
that could clash with TensorFlow's classes of the same names in the same process.

Names are those of messages, enums (`pb.DataType`) and enum values (`pb.DT_FLOAT`) at the top level of a file.
"""

from __future__ import annotations

import os
import threading
import typing
from collections.abc import Iterator

from .varint import read_varint

if typing.TYPE_CHECKING:  # by its full name, as `Any` is a message of ours
    from google.protobuf.descriptor_pool import DescriptorPool

PACKAGE = "cryograph.wire"

_lock = threading.Lock()
_pool: DescriptorPool | None = None
_found: dict[str, typing.Any] = {}


def file_set() -> bytes:
    """The schema as a serialized FileDescriptorSet."""
    with open(os.path.join(os.path.dirname(__file__), "schema.binpb"), "rb") as file:
        return file.read()


def pool() -> DescriptorPool:
    """The pool that holds the schema; made once."""
    if _pool is None:
        with _lock:
            if _pool is None:
                _load()
    return _pool


def names() -> list[str]:
    """Every name that this module gives, sorted."""
    pool()
    return sorted(_found)


def _load() -> None:
    global _pool
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

    made = DescriptorPool()
    for name, data in _files(file_set()):
        made.AddSerializedFile(data)
        file = made.FindFileByName(name)
        for enum in file.enum_types_by_name.values():
            _found[enum.name] = EnumTypeWrapper(enum)
            _found.update((value.name, value.number) for value in enum.values)
        _found.update(file.message_types_by_name)
    _pool = made


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each FileDescriptorProto: field 1 of the set, whose own field 1 is the name.

    By hand, as importing descriptor_pb2 takes longer than all the rest.
    """
    position = 0
    while position < len(data):
        length, start = read_varint(data, position + 1)
        position = start + length
        name_length, name_start = read_varint(data, start + 1)
        yield data[name_start : name_start + name_length].decode(), data[start:position]


def __getattr__(name: str) -> typing.Any:
    if name.startswith("_") or (pool() and name not in _found):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _found[name]
    if hasattr(value, "fields_by_name"):
        value = _class(value)
    globals()[name] = value
    return value


def _class(descriptor: typing.Any) -> typing.Any:
    from google.protobuf.message_factory import GetMessageClass

    made = GetMessageClass(descriptor)
    for nested in descriptor.nested_types:
        inner = _class(nested)
        if not hasattr(made, nested.name):  # the runtime in pure Python
            setattr(made, nested.name, inner)
    return made


def __dir__() -> list[str]:
    return [*globals(), *names()]
