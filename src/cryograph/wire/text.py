"""Messages in protobuf's text form (.pbtxt): read and printed as TensorFlow does it.

An Any is printed with its message spelled out, under TensorFlow's name for it (`[type.googleapis.com/tensorflow...]`).
Source: protobuf.dev/reference/protobuf/textformat-spec.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import DecodeError, Message

from ..base.errors import FormatError, LimitError, UnsupportedError
from ..base.files import File, MemoryFile, Span
from . import messages as pb
from .emit import whole_message
from .records import short_name
from .scan import TensorTable, read_message
from .tensor_proto import MAX_PARSED

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

THEIR_PACKAGE = "tensorflow"

M = TypeVar("M", bound=Message)


def read_text(source: File | Span, kind: type[M]) -> tuple[M, TensorTable]:
    """The message in a text file and its big tensors, as `read_message` gives them.

    FormatError with the line where the text is not what the schema says: a field that is not known cannot be kept, as
    its name does not tell its number.
    """
    span = source if isinstance(source, Span) else source.span()
    if span.length > MAX_PARSED:
        raise LimitError(f"{span.file.name} has {span.length} bytes of text; at most {MAX_PARSED} can be parsed.")
    return parse_text(span.read(), kind, span.file.name)


def parse_text(text: str | bytes, kind: type[M], name: str = "<text>") -> tuple[M, TensorTable]:
    """The message of a text, and its big tensors. `name` is what errors call it."""
    from google.protobuf import text_format

    wanted = short_name(kind.DESCRIPTOR.full_name)
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{name}, line {line}: this is not text in UTF-8, so not a {wanted} in text form.") from error
    message = kind()
    try:
        with warnings.catch_warnings():
            # protobuf leaves escapes to Python, which only warns of those that there are not.
            warnings.filterwarnings("error", "invalid .*escape", DeprecationWarning)
            text_format.Parse(decoded, message, descriptor_pool=their_pool())
    except text_format.ParseError as error:
        where = f", line {error.GetLine()}, column {error.GetColumn()}" if error.GetLine() else ""
        said = str(error)
        if where:
            said = said.split(" : ", 1)[-1]
        raise FormatError(f"{name}{where}: not a {wanted} in text form: {_plain(said)}") from error
    except (DecodeError, UnicodeError, DeprecationWarning) as error:
        raise FormatError(f"{name}: not a {wanted} in text form: {_plain(str(error))}") from error
    except RecursionError as error:
        raise LimitError(f"{name}: messages lie too deep in each other to be parsed.") from error
    return read_message(MemoryFile(message.SerializeToString(deterministic=True), name), kind)


def print_text(message: Message, table: TensorTable, *, drop_unknown: bool = False) -> str:
    """A message in text form, with the values of all its tensors.

    The text form has no place for fields that the schema does not know: UnsupportedError when there are any, or, with
    `drop_unknown`, they are left out, as TensorFlow does.
    """
    from google.protobuf import text_format

    whole = whole_message(message, table)
    if not drop_unknown:
        known = type(whole)()
        known.CopyFrom(whole)
        known.DiscardUnknownFields()
        lost = whole.ByteSize() - known.ByteSize()
        if lost:
            raise UnsupportedError(
                f"The {short_name(message.DESCRIPTOR.full_name)} has fields of a newer or other TensorFlow ({lost}"
                " bytes), which the text form cannot hold. Save it in binary form, or say that they may be dropped."
            )
    return text_format.MessageToString(whole, descriptor_pool=their_pool())


def print_small(message: Message) -> str:
    """A message without big tensors in text form, fields unknown to the schema left out: for display."""
    from google.protobuf import text_format

    return text_format.MessageToString(message, descriptor_pool=their_pool())


@cache
def their_pool() -> DescriptorPool:
    """The schema once more, under TensorFlow's package: the names that stand in an Any."""
    from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool

    def rename(name: str) -> str:
        return name.replace(pb.PACKAGE, THEIR_PACKAGE, 1)

    def rename_types(message: DescriptorProto) -> None:
        field: FieldDescriptorProto
        for field in message.field:
            if field.type_name:
                field.type_name = rename(field.type_name)
        for nested in message.nested_type:
            rename_types(nested)

    made = DescriptorPool()
    for file in FileDescriptorSet.FromString(pb.file_set()).file:
        file.package = rename(file.package)
        for message in file.message_type:
            rename_types(message)
        made.AddSerializedFile(file.SerializeToString())
    return made


def _plain(said: str) -> str:
    plain = said.replace(f"{pb.PACKAGE}.", "").rstrip(".")
    # protobuf quotes the line, which may hold megabytes of tensor_content.
    return (plain if len(plain) <= 300 else f"{plain[:100]} ... {plain[-200:]}") + "."
