"""The message classes of ONNX that we write: `from cryograph.wire import onnx_messages as onnx; onnx.ModelProto()`.

They come from onnx_schema.binpb as those of `messages` come from schema.binpb, in a pool and a package of their own:
ONNX has a TensorProto too, and the `onnx` package may be imported in the same process.
"""

from __future__ import annotations

from .schemas import Schema

PACKAGE = "cryograph.wire.onnx"

_schema = Schema("onnx_schema.binpb")
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
