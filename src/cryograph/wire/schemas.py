"""Message classes from a schema file, made when they are asked for.

A schema is a serialized FileDescriptorSet (see tools/gen_schema.py). Its classes live in a pool of their own, so there
is no generated code that would be bound to one protobuf runtime, and nothing that could clash with another package's
classes of the same names in the same process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .varint import read_varint

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool


class Schema:
    """One schema file. `get` gives its messages, enums and enum values by name; KeyError for another name."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._lock = threading.Lock()
        self._pool: DescriptorPool | None = None
        self._found: dict[str, Any] = {}

    def file_set(self) -> bytes:
        """The schema as a serialized FileDescriptorSet."""
        with open(os.path.join(os.path.dirname(__file__), self._file_name), "rb") as file:
            return file.read()

    def pool(self) -> DescriptorPool:
        """The pool that holds the schema; made once."""
        if self._pool is None:
            with self._lock:
                if self._pool is None:
                    self._pool = self._load()
        return self._pool

    def names(self) -> list[str]:
        """Every name at the top level of a file, sorted."""
        self.pool()
        return sorted(self._found)

    def get(self, name: str) -> Any:
        """The class of a message, an enum, or the number of an enum value."""
        self.pool()
        value = self._found[name]
        if hasattr(value, "fields_by_name"):
            with self._lock:  # the runtime in pure Python would make a class for each thread that asks
                return _class(value)
        return value

    def _load(self) -> DescriptorPool:
        from google.protobuf.descriptor_pool import DescriptorPool
        from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

        made = DescriptorPool()
        for name, data in _files(self.file_set()):
            made.AddSerializedFile(data)
            file = made.FindFileByName(name)
            for enum in file.enum_types_by_name.values():
                self._found[enum.name] = EnumTypeWrapper(enum)
                self._found.update((value.name, value.number) for value in enum.values)
            self._found.update(file.message_types_by_name)
        return made


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


def _class(descriptor: Any) -> Any:
    from google.protobuf.message_factory import GetMessageClass

    made = GetMessageClass(descriptor)
    for nested in descriptor.nested_types:
        inner = _class(nested)
        if not hasattr(made, nested.name):  # the runtime in pure Python
            setattr(made, nested.name, inner)
    return made
