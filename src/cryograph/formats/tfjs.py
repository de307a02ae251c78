"""TensorFlow.js graph models: `model.json` beside its shards, as `tensorflowjs_converter` writes them; read only.

    model.json    one JSON object. `format`: "graph-model"; `modelTopology`: a GraphDef in protobuf's JSON form, whose
                  constants have lost their values; `weightsManifest`: where these are; `signature`, or in older files
                  `userDefinedMetadata.signature`: a SignatureDef; `modelInitializer` and `initializerSignature`: a
                  second GraphDef, which fills lookup tables
    shards        raw bytes, cut into files of 4 MiB

The manifest is a list of groups. A group has `paths`, files which are one row of bytes together, and `weights`, whose
values follow one another in them without gaps: `name` (of a Const, in the graph or in a function), `shape`, `dtype` and
maybe `quantization`:

    float32, int32, complex64, float16, uint8, uint16   little-endian, row-major
    bool                                                one byte each, 0 or 1
    string                                              for each: 4 bytes length, then its bytes
    quantization uint8, uint16                          value = number * scale + min, in doubles, rounded to the dtype
    quantization float16                                a float32 as half of itself

The converter writes 64-bit constants as 32-bit weights, and the nodes keep the wider dtype: values become what the node
says. It fuses what TensorFlow.js has fused kernels for; `fusions` takes that apart again. Values stay in the shards
until they are asked for. Source: tfjs-core's io_utils.ts and tensorflowjs' write_weights.py.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from ..base.dtypes import BOOL, DType, dtype_of
from ..base.errors import DamagedError, FormatError, LimitError, UnknownNameError, WrongKindError
from ..base.files import File, Path, Span, is_remote, join, open_file
from ..base.shapes import element_count, show
from ..base.tensors import Array, Tensor
from ..graph.document import Document, Signature
from ..graph.graph import Body, Graph
from ..graph.node import Node
from ..graph.variables import find_variables
from ..wire import messages as pb
from ..wire.json_form import message_of, read_json
from ..wire.tensor_proto import MAX_NUMPY_RANK
from .fusions import take_apart
from .graphdef import graph_of
from .parsing import MAX_ELEMENTS

LENGTH = 4
"""Bytes of the length in front of a string."""

WINDOW = 1 << 16
"""Bytes that are read at once while strings are counted."""

SIGNATURE = "serving_default"
LAYERS = "layers-model"
RESOURCE_ID = "resourceId"
WAY_OUT = "Load it where TensorFlow.js or Keras is installed, and export it as a SavedModel or a graph model."


class _Group:
    """The files of a group as one row of bytes."""

    def __init__(self, shards: Sequence[Span]) -> None:
        self._shards = shards
        self._ends = list(accumulate(span.length for span in shards))
        self.size = self._ends[-1] if shards else 0

    def parts(self, offset: int, length: int) -> list[Span]:
        """The ranges of the files that make up one of the row; it is inside of it."""
        found: list[Span] = []
        end = offset + length
        for index in range(bisect_right(self._ends, offset), len(self._shards)):
            start = self._ends[index] - self._shards[index].length
            if start >= end:
                break
            low, high = max(offset, start), min(end, self._ends[index])
            if low < high:
                found.append(self._shards[index].sub(low - start, high - low))
        return found

    def read(self, offset: int, length: int) -> bytes:
        return b"".join(span.read() for span in self.parts(offset, length))


@dataclass(frozen=True, slots=True)
class _Weight:
    """One entry of the manifest: what it says, and where its bytes lie. `stored` is None for strings."""

    where: str
    dtype: DType
    shape: tuple[int, ...]
    stored: np.dtype[Any] | None
    scale: float
    least: float
    group: _Group
    offset: int
    length: int

    def tensor(self, wanted: DType) -> Tensor:
        """The weight as a tensor of the dtype that its node says."""
        if wanted != self.dtype and WIDER.get(self.dtype.name) != wanted.name:
            raise DamagedError(f"{self.where} is {self.dtype}, and its node says {wanted}.")
        parts = self.group.parts(self.offset, self.length)
        plain = self.stored == self.dtype.numpy and wanted == self.dtype and self.dtype != BOOL
        if plain and len(parts) == 1:
            return Tensor.mapped(wanted, self.shape, parts[0])
        return Tensor.lazy(wanted, self.shape, partial(self.values, wanted))

    def values(self, wanted: DType) -> Array:
        """The values, read and turned into those of the node."""
        data = self.group.read(self.offset, self.length)
        if self.stored is None:
            return self._strings(data)
        numbers = np.frombuffer(data, self.stored).reshape(self.shape)
        if self.dtype == BOOL:
            if numbers.max(initial=0) > 1:
                raise DamagedError(f"{self.where}: a boolean is neither 0 nor 1.")
            return numbers.view(np.bool_)
        target = self.dtype.numpy
        if self.stored.kind == "u" and self.stored != target:
            numbers = self._dequantised(numbers, whole=self.dtype.is_integer)
        return numbers.astype(target, copy=False).astype(wanted.numpy, copy=False)

    def _dequantised(self, numbers: Array, *, whole: bool) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # numbers may be infinite
            found = numbers.astype(np.float64) * self.scale + self.least
            if not whole:
                return np.asarray(found, np.float32)
            floor = np.floor(found)
            found = floor + (found - floor >= 0.5)  # halves go up, as in JavaScript
        if np.abs(found).max(initial=0) > np.iinfo(np.int32).max:
            raise DamagedError(f"{self.where}: its values do not fit {self.dtype}.")
        return np.asarray(found)

    def _strings(self, data: bytes) -> Array:
        found = np.empty(element_count(self.shape), object)
        at = 0
        for index in range(len(found)):
            (length,) = struct.unpack_from("<I", data, at)
            at += LENGTH
            found[index] = data[at : at + length]
            at += length
        return found.reshape(self.shape)


def read_tfjs(path: Path) -> Document:
    """The document of a `model.json`. The manifest and the sizes of the shards are checked now, values are read when
    they are asked for.

    WrongKindError for a layers model, DamagedError when parts do not add up, FileError for a missing shard.
    """
    file = open_file(path)
    model = read_json(file)
    topology = model.get("modelTopology") if isinstance(model, dict) else None
    if not isinstance(topology, dict) or model.get("format") == LAYERS or "node" not in topology:
        layers = isinstance(topology, dict) and (model.get("format") == LAYERS or {*topology} & LAYER_KEYS)
        what = "a TensorFlow.js layers model: Keras layers, not a graph" if layers else "no TensorFlow.js graph model"
        raise WrongKindError(f"{file.name} is {what}. {WAY_OUT if layers else 'It has no `modelTopology` with nodes.'}")
    weights = _weights(file, model.get("weightsManifest", []))
    graph = _graph(file, topology, weights)
    signature = _signature(file, model)
    if model.get("modelInitializer"):
        signature = _initialized(file, graph, model, weights, signature)
    signatures = {} if signature is None else {SIGNATURE: Signature.of(SIGNATURE, signature)}
    return Document(graph, "tfjs", file.name, variables=find_variables(graph, {}), signatures=signatures)


# --- the weights


def _weights(file: File, manifest: Any) -> dict[str, _Weight]:
    """The entries of the manifest by name; DamagedError when a group is not as long as its weights."""
    found: dict[str, _Weight] = {}
    base = os.path.dirname(file.name) if not is_remote(file.name) else file.name.rpartition("/")[0]
    for number, item in enumerate(_list(manifest, f"{file.name}: `weightsManifest`")):
        where = f"{file.name}: group {number} of `weightsManifest`"
        paths = [_path(name, where) for name in _list(_field(item, "paths", where), f"{where}: `paths`")]
        group = _Group([open_file(join(base, name) if base else name).span() for name in paths])
        offset = 0
        for entry in _list(_field(item, "weights", where), f"{where}: `weights`"):
            name = _field(entry, "name", where)
            if not isinstance(name, str) or name in found:
                raise DamagedError(f"{where}: two weights are called {name!r}, or it is no name.")
            found[name] = _weight(entry, f"{file.name}: the weight {name!r}", group, offset)
            offset += found[name].length
        if offset != group.size:
            raise DamagedError(f"{where}: its weights take {offset} bytes, but its files have {group.size}.")
    return found


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise DamagedError(f"{where} is {_brief(value)}, where a list was expected.")
    return value


def _field(entry: Any, name: str, where: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise DamagedError(f"{where}: {_brief(entry)} has no {name!r}.")
    return entry[name]


def _brief(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 80 else f"{said[:77]}..."


def _path(name: Any, where: str) -> str:
    """The path of a shard, which may not lead out of the model's folder."""
    if not isinstance(name, str) or not name or "\\" in name or ":" in name or "\0" in name:
        raise FormatError(f"{where}: {_brief(name)} is no path of a shard.")
    if name.startswith("/") or {"", ".", ".."} & {*name.split("/")}:
        raise FormatError(f"{where}: the path {_brief(name)} leads out of the model's folder; it is not followed.")
    return name


def _weight(entry: Any, where: str, group: _Group, offset: int) -> _Weight:
    """One entry, checked against the bytes that its group has left."""
    shape = tuple(_list(_field(entry, "shape", where), f"{where}: `shape`"))
    if any(not isinstance(size, int) or isinstance(size, bool) or size < 0 for size in shape):
        raise DamagedError(f"{where} has the shape {_brief(list(shape))}.")
    if len(shape) > MAX_NUMPY_RANK or element_count(max(size, 1) for size in shape) >= MAX_ELEMENTS:
        raise LimitError(f"{where} has a shape which numpy cannot hold: {_brief(list(shape))}.")
    name = _field(entry, "dtype", where)
    if not isinstance(name, str) or name not in DTYPES:
        raise FormatError(f"{where} has the dtype {_brief(name)}. Dtypes: {', '.join(DTYPES)}.")
    dtype, stored = dtype_of(name), np.dtype(DTYPES[name]) if DTYPES[name] else None
    scale, least = 1.0, 0.0
    quantization = entry.get("quantization")
    if quantization is not None and stored is not None:
        kind = _field(quantization, "dtype", where)
        if not isinstance(kind, str) or name not in QUANTIZED.get(kind, ()):
            raise FormatError(f"{where}: {name} is quantized as {_brief(kind)}, which TensorFlow.js does not do.")
        stored = np.dtype(kind).newbyteorder("<")
        if kind != "float16":
            scale, least = (_number(_field(quantization, key, where), f"{where}: `{key}`") for key in ("scale", "min"))
    count = element_count(shape)
    left = group.size - offset
    length = _string_length(group, offset, count, where) if stored is None else count * stored.itemsize
    if length > left:
        raise DamagedError(f"{where}: {name} {show(shape)} takes {length} bytes, but {left} are left in its files.")
    return _Weight(where, dtype, shape, stored, scale, least, group, offset, length)


def _number(value: Any, where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER:
        return float(value)
    raise DamagedError(f"{where} is {_brief(value)}, where a finite number was expected.")


def _string_length(group: _Group, offset: int, count: int, where: str) -> int:
    """Bytes of so many strings, found by walking along their lengths."""
    size, at, start, window = group.size, offset, offset, b""
    for _ in range(count):
        if not start <= at <= start + len(window) - LENGTH:
            start, window = at, group.read(at, min(WINDOW, size - at))
        if len(window) < LENGTH:
            raise DamagedError(f"{where}: {count} strings are more than the {size - offset} bytes left in its files.")
        at += LENGTH + struct.unpack_from("<I", window, at - start)[0]
        if at > size:
            raise DamagedError(f"{where}: a string of it reaches past the end of its files.")
    return at - offset


# --- the graph


def _graph(file: File, topology: Any, weights: dict[str, _Weight]) -> Graph:
    """The graph that a JSON object says, with values in its constants and without the converter's fusions."""
    proto, table = message_of(topology, pb.GraphDef, file.name)
    graph = graph_of(proto, table, file)
    for body in graph.bodies():
        _complete(body, weights, file)
    return graph


def _complete(body: Body, weights: dict[str, _Weight], file: File) -> None:
    for node in body:
        if node.op == "Const":
            _fill(node, weights, file)
    take_apart(body)


def _fill(node: Node, weights: dict[str, _Weight], file: File) -> None:
    """Gives a constant its value; one that has none in the manifest keeps that of the JSON."""
    dtype = node.attr("dtype")
    weight = weights.get(node.name)
    if weight is not None:
        if not isinstance(dtype, DType):
            raise DamagedError(f"{file.name}: the constant {node.name!r} says no dtype.")
        node.attrs["value"] = weight.tensor(dtype)
        return
    raw = node.attrs.raw("value")
    if raw is None or not {field.name for field, _ in raw.tensor.ListFields()} - EMPTY:
        raise DamagedError(f"{file.name}: the constant {node.name!r} has no value, here and in `weightsManifest`.")


def _signature(file: File, model: dict[str, Any], key: str = "signature") -> pb.SignatureDef | None:
    """The signature, without the inputs and outputs that TensorFlow.js numbers; None when there is none."""
    said = model.get(key)
    metadata = model.get("userDefinedMetadata")
    if said is None and isinstance(metadata, dict):
        said = metadata.get(key)
    if not said:
        return None
    proto, _ = message_of(said, pb.SignatureDef, file.name, drop_unknown=True)
    proto.method_name = proto.method_name or "tensorflow/serving/predict"
    return proto


def _initialized(
    file: File, graph: Graph, model: dict[str, Any], weights: dict[str, _Weight], signature: pb.SignatureDef | None
) -> pb.SignatureDef | None:
    """Joins the graph that fills lookup tables to the other, and what numbers say is the same table in both."""
    # Its library is a copy of the other's, in which the converter has left the constants empty.
    proto, table = message_of(model["modelInitializer"], pb.GraphDef, file.name)
    initializer = graph_of(proto, table, file)
    _complete(initializer, weights, file)
    for node in initializer:
        if node.name not in graph:
            graph.add(node)
    made, taken = _numbered(file, model, "initializerSignature", "outputs"), {}
    if made:
        taken = _numbered(file, model, "signature", "inputs")
    for number, (_, tensor) in made.items():
        if number not in taken or signature is None:
            continue
        key, placeholder = taken[number]
        try:
            node = graph.node(placeholder)
            graph.node(tensor)
        except UnknownNameError as error:
            raise DamagedError(f"{file.name}: the table of number {number} is not in the graph: {error}") from error
        graph.replace(Node.make(node.name, "Identity", [tensor], {"T": node.attr("dtype")}))
        del signature.inputs[key]
    return signature


def _numbered(file: File, model: dict[str, Any], key: str, side: str) -> dict[int, tuple[str, str]]:
    """By the numbers that a signature gives tables: the key there, and the tensor."""
    said = model.get(key)
    entries = said.get(side) if isinstance(said, dict) else None
    found: dict[int, tuple[str, str]] = {}
    for name, entry in (entries if isinstance(entries, dict) else {}).items():
        if isinstance(entry, dict) and isinstance(entry.get(RESOURCE_ID), int):
            found[entry[RESOURCE_ID]] = (name, str(_field(entry, "name", file.name)))
    return found


LAYER_KEYS = frozenset({"class_name", "config", "model_config", "keras_version"})
EMPTY = frozenset({"dtype", "tensor_shape", "version_number"})
"""What is left of a constant's TensorProto when its values are in a shard."""

MAX_NUMBER = 1.7e308
DTYPES: dict[str, str] = {
    # dtype in the manifest: how it is stored; strings have no width
    "float32": "<f4",
    "int32": "<i4",
    "complex64": "<c8",
    "float16": "<f2",
    "uint8": "u1",
    "uint16": "<u2",
    "bool": "u1",
    "string": "",
}
QUANTIZED: dict[str, tuple[str, ...]] = {
    # stored as: dtypes that are
    "float16": ("float32",),
    "uint8": ("float32", "int32"),
    "uint16": ("float32", "int32"),
}
WIDER = {"int32": "int64", "float32": "float64", "complex64": "complex128"}
"""What the converter narrows."""
