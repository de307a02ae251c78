"""The message classes of our schema, by name: `from cryograph.wire import messages as pb; pb.GraphDef()`.

They live in a descriptor pool of our own, made from schema.binpb (a FileDescriptorSet, see tools/gen_schema.py) when
the first name is asked for; see `schemas`. So TensorFlow's classes of the same names may be in the same process.

Names are those of messages, enums (`pb.DataType`) and enum values (`pb.DT_FLOAT`) at the top level of a file.
"""

from __future__ import annotations

from .schemas import Schema

PACKAGE = "cryograph.wire"

_schema = Schema("schema.binpb")
file_set = _schema.file_set
pool = _schema.pool
names = _schema.names


def __getattr__(name: str) -> object:
    try:
        value = globals()[name] = _schema.get(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return value


def __dir__() -> list[str]:
    return [*globals(), *names()]
