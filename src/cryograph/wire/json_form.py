"""Messages in protobuf's JSON form, as TensorFlow.js writes graphs. Source: protobuf.dev/programming-guides/json."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from ..base.errors import DamagedError, FormatError, LimitError
from ..base.files import File, MemoryFile
from . import messages as pb
from .records import short_name
from .scan import TensorTable, read_message

MAX_JSON = 1 << 28
"""Bytes of the longest text; its objects take some ten times as much memory."""

M = TypeVar("M", bound=Message)


def read_json(file: File) -> Any:
    """What a JSON text says; DamagedError when it is none, LimitError when it is too long or nested too deep."""
    if file.size > MAX_JSON:
        raise LimitError(f"{file.name} has {file.size} bytes of JSON; at most {MAX_JSON} are read.")
    try:
        return json.loads(file.read(0, file.size))
    except ValueError as error:
        raise DamagedError(f"{file.name} is not JSON that can be read: {error}.") from error
    except RecursionError as error:
        raise LimitError(f"{file.name}: objects lie too deep in each other to be read.") from error


def message_of(value: Any, kind: type[M], name: str, *, drop_unknown: bool = False) -> tuple[M, TensorTable]:
    """The message that a JSON value says, and its big tensors. `name` is what errors call the file.

    FormatError where the value is not what the schema says: a field that is not known cannot be kept, as its name does
    not tell its number. With `drop_unknown` it is left out.
    """
    from google.protobuf import json_format

    wanted = short_name(kind.DESCRIPTOR.full_name)
    message = kind()
    try:
        json_format.ParseDict(value, message, ignore_unknown_fields=drop_unknown, descriptor_pool=pb.pool())
    except RecursionError as error:
        raise LimitError(f"{name}: messages lie too deep in each other to be parsed.") from error
    # protobuf checks most of what it is given, and lets Python fail on the rest.
    except (json_format.ParseError, DecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(f"{name}: not a {wanted} in JSON form: {_plain(str(error))}") from error
    return read_message(MemoryFile(message.SerializeToString(deterministic=True), name), kind)


def _plain(said: str) -> str:
    plain = " ".join(said.replace(f"{pb.PACKAGE}.", "").split()).rstrip(".")
    return (plain if len(plain) <= 300 else f"{plain[:100]} ... {plain[-200:]}") + "."
