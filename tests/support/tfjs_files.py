"""Writes TensorFlow.js graph models as its converter lays them out."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict

from cryograph.graph.graph import Graph
from cryograph.wire import messages as pb
from cryograph.wire.emit import whole_message

NARROWER = {"int64": "int32", "float64": "float32", "complex128": "complex64"}


def write_tfjs(
    folder: Path,
    graph: Graph,
    quantized: Mapping[str, str] | None = None,
    shard_size: int = 1000,
    **also: Any,
) -> Path:
    """Writes `model.json` and its shards; the constants of the graph and its functions lose their values to these.

    `quantized` maps names of constants to uint8, uint16 or float16; `also` is more of the JSON object.
    """
    folder.mkdir(parents=True, exist_ok=True)
    message = pb.GraphDef()
    message.CopyFrom(whole_message(*graph.to_proto()))
    values = {node.name: node.attr("value").numpy() for body in graph.bodies() for node in body if node.op == "Const"}
    for nodes in (message.node, *(function.node_def for function in message.library.function)):
        for node in nodes:
            if node.op == "Const":
                tensor = node.attr["value"].tensor
                for field, _ in tensor.ListFields():
                    if field.name not in ("dtype", "tensor_shape"):
                        tensor.ClearField(field.name)
    data, weights = b"", []
    for name, value in values.items():
        entry, stored = _stored(name, value, (quantized or {}).get(name))
        weights.append(entry)
        data += stored
    shards = [data[at : at + shard_size] for at in range(0, len(data), shard_size)]
    paths = [f"group1-shard{number}of{len(shards)}.bin" for number in range(1, len(shards) + 1)]
    for path, shard in zip(paths, shards, strict=True):
        (folder / path).write_bytes(shard)
    model = {
        "format": "graph-model",
        "generatedBy": "2.21.0",
        "convertedBy": "TensorFlow.js Converter v4.22.0",
        "modelTopology": MessageToDict(message),
        "weightsManifest": [{"paths": paths, "weights": weights}],
        **also,
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder / "model.json"


def _stored(name: str, value: Any, quantized: str | None) -> tuple[dict[str, Any], bytes]:
    entry: dict[str, Any] = {"name": name, "shape": list(value.shape), "dtype": value.dtype.name}
    if value.dtype == object:
        entry["dtype"] = "string"
        return entry, b"".join(struct.pack("<I", len(item)) + item for item in value.flat)
    entry["dtype"] = NARROWER.get(value.dtype.name, value.dtype.name)
    value = value.astype(entry["dtype"])
    if quantized == "float16":
        entry["quantization"] = {"dtype": quantized}
        value = value.astype(np.float16)
    elif quantized is not None:
        least = float(value.min())
        scale = (float(value.max()) - least) / np.iinfo(quantized).max or 1.0
        entry["quantization"] = {"dtype": quantized, "min": least, "scale": scale, "original_dtype": entry["dtype"]}
        value = np.round((value.astype(np.float64) - least) / scale).astype(quantized)
    return entry, value.tobytes()
