"""The message classes of ONNX that we write: `from cryograph.wire import onnx_messages as onnx; onnx.ModelProto()`.

They come from onnx_schema.binpb as those of `messages` come from schema.binpb, in a pool and a package of their own:
both formats have a NodeProto's like and a TensorProto, and the `onnx` package may be imported in the same process.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from .messages import _class, _files

PACKAGE = "cryograph.wire.onnx"


@cache
def _descriptors() -> dict[str, Any]:
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    found: dict[str, Any] = {}
    with open(os.path.join(os.path.dirname(__file__), "onnx_schema.binpb"), "rb") as file:
        data = file.read()
    for name, serialized in _files(data):
        pool.AddSerializedFile(serialized)
        found.update(pool.FindFileByName(name).message_types_by_name)
    return found


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in _descriptors():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = _class(_descriptors()[name])
    return made
