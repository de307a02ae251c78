"""Parsing the small messages that other files hold: what fails is damage, and the error says where."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from ..base.errors import DamagedError, LimitError
from ..base.shapes import element_count, show
from ..graph.attrs import shape_of
from ..wire import messages as pb
from ..wire.tensor_proto import MAX_NUMPY_RANK

MAX_ELEMENTS = 1 << 60
"""No tensor has more elements, with empty dimensions counted as one: numpy counts in 64 bits."""

M = TypeVar("M", bound=Message)


def parse(kind: type[M], data: bytes, name: str, key: bytes = b"") -> M:
    """The message in some bytes; DamagedError when they hold none. `name` is the file's, `key` that of the entry."""
    try:
        return kind.FromString(data)
    # The runtime in pure Python lets the last two through.
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = f"the entry {key[:80]!r}" if key else "the first entry"
        raise DamagedError(f"{name}: {what} cannot be read; it is no {kind.DESCRIPTOR.name}.") from error


def whole_shape(proto: pb.TensorShapeProto, where: str) -> tuple[int, ...]:
    """A shape whose sizes are all known. `where` begins the sentence of the DamagedError or LimitError."""
    try:
        shape = shape_of(proto)
    except LimitError as error:
        raise LimitError(f"{where}: {error}") from error
    if shape is None or None in shape:
        raise DamagedError(f"{where}: has the shape {show(shape)}; stored tensors have a whole one.")
    whole = tuple(size for size in shape if size is not None)
    if len(whole) > MAX_NUMPY_RANK or element_count(max(size, 1) for size in whole) >= MAX_ELEMENTS:
        raise LimitError(f"{where}: has the shape {show(whole)}, which numpy cannot hold.")
    return whole
