"""What a lowering handles: values of the ONNX graph under construction, and the light graph that they make up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, STRING, UINT8, DType, dtype_of
from ...base.errors import UnsupportedError
from ...base.shapes import Shape
from ...base.tensors import Array, Tensor

OPSET = 18
"""The version of ONNX's operators that lowerings are written for."""

TEXT_OPSET = 20
"""The version that a model has when it holds operators on strings, which came with it."""

MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

LEARNING = "ai.onnx.ml"
"""The domain of ONNX's operators of classical machine learning; tables are there."""

DOMAIN_VERSIONS = {MICROSOFT: 1, LEARNING: 4}


FAILED = "!"
"""Stands in a node's name before the words of what went wrong when it fails."""


class Refusal(UnsupportedError):
    """Why a lowering cannot take a step; never leaves the engine but as the reason of an `Unsupported`."""


COMPLEX64, COMPLEX128 = dtype_of("complex64"), dtype_of("complex128")
FLOAT16, BFLOAT16 = dtype_of("float16"), dtype_of("bfloat16")

PARTS: dict[DType, DType] = {COMPLEX64: FLOAT32, COMPLEX128: FLOAT64}
"""Complex numbers, which ONNX Runtime does not have, are pairs of these in a last dimension of two: real, imaginary.
Lowerings see a Value of the complex dtype and of its shape; `pairs` gives the tensor under the same name."""

# DType, ONNX's number of the element type, ONNX Runtime's name of the tensor type. Others do not enter this engine:
# quantised kinds have no kernels, and complex numbers are pairs (see `PARTS`). Strings are UTF-8 there and bytes here:
# bytes that are not UTF-8 are refused when a graph holds them and when a session is fed or would give them.
_TYPES: tuple[tuple[DType, int, str], ...] = (
    (FLOAT32, 1, "tensor(float)"),
    (UINT8, 2, "tensor(uint8)"),
    (dtype_of("int8"), 3, "tensor(int8)"),
    (dtype_of("uint16"), 4, "tensor(uint16)"),
    (dtype_of("int16"), 5, "tensor(int16)"),
    (INT32, 6, "tensor(int32)"),
    (INT64, 7, "tensor(int64)"),
    (STRING, 8, "tensor(string)"),
    (BOOL, 9, "tensor(bool)"),
    (dtype_of("float16"), 10, "tensor(float16)"),
    (FLOAT64, 11, "tensor(double)"),
    (dtype_of("uint32"), 12, "tensor(uint32)"),
    (dtype_of("uint64"), 13, "tensor(uint64)"),
    (BFLOAT16, 16, "tensor(bfloat16)"),
)
ELEMENT_TYPES: dict[DType, int] = {dtype: number for dtype, number, _ in _TYPES}
TYPE_NAMES: dict[DType, str] = {dtype: name for dtype, _, name in _TYPES}


# Quantised integers are held as plain ones; the range that says what they mean is a value of its own.
_PLAIN: dict[DType, DType] = {
    dtype_of(quantised): dtype_of(quantised.replace("q", "", 1))
    for quantised in ("qint8", "quint8", "qint16", "quint16", "qint32")
}


def plain(dtype: DType) -> DType:
    """The dtype in which the elements of another are held."""
    return _PLAIN.get(dtype.base, dtype.base)


@dataclass(frozen=True, slots=True)
class Items:
    """What a list holds: elements of one dtype; what was said of their shape when it was made, None where that is not
    known before the run (`said` is False then); and the most of them: a number, or the name of the int64 scalar that
    holds it, below 0 for any number."""

    dtype: DType
    shape: Shape = None
    said: bool = True
    limit: int | str = -1


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its name in the ONNX graph, what is known of it, and its tensor when it is a constant.

    A list is a scalar of dtype variant, with `items`; in ONNX it is a sequence. `is_pairs` marks a tensor of floats
    that holds complex numbers: outside of the graph it is one.
    """

    name: str
    dtype: DType
    shape: Shape = None
    tensor: Tensor | None = None
    items: Items | None = None
    is_pairs: bool = False

    @property
    def rank(self) -> int:
        """The number of dimensions; Refusal when it is not known."""
        if self.shape is None:
            raise Refusal("the rank of an input is not known")
        return len(self.shape)

    def size(self, axis: int) -> int | None:
        """The size of one dimension, None when it is not known."""
        return None if self.shape is None else self.shape[axis]

    @property
    def array(self) -> Array | None:
        """The values of a constant, None for any other value."""
        return None if self.tensor is None else self.tensor.numpy()


def pairs(x: Value) -> Value:
    """What the ONNX graph has for a value: floats in pairs for complex numbers, any other value itself."""
    part = PARTS.get(x.dtype)
    if part is None or x.items is not None:
        return x
    tensor = None if x.array is None else Tensor.of(split_parts(x.array), part)
    return Value(x.name, part, None if x.shape is None else (*x.shape, 2), tensor, is_pairs=True)


def split_parts(array: Array) -> Array:
    """An array of complex numbers as pairs in a further dimension: a view, where it is contiguous."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(flat.real.dtype).reshape(*array.shape, 2)


def joined_parts(array: Array) -> Array:
    """The complex numbers of pairs: a view, where they are contiguous."""
    flat = np.ascontiguousarray(array).reshape(-1)
    kind = np.complex64 if flat.dtype == np.float32 else np.complex128
    return flat.view(kind).reshape(array.shape[:-1])


@dataclass(slots=True)
class OnnxNode:
    """One node. An absent optional input or output is an empty name. Attributes: int, float, str, lists of int or
    float, a numpy array (a tensor), or an OnnxGraph. `version` is the least operator set that has its kernel."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attrs: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    version: int = OPSET


@dataclass(slots=True)
class OnnxGraph:
    """Nodes in running order over named values; what passes rewrite before it becomes a message.

    `constants` holds the tensors of values that no node gives, `known` what is known of values (at least of inputs and
    outputs). A graph inside another (a loop's body) may use the outer one's values.
    """

    inputs: list[str]
    outputs: list[str]
    nodes: list[OnnxNode]
    constants: dict[str, Tensor]
    known: dict[str, Value]


def reads(node: OnnxNode) -> Iterator[str]:
    """The names that a node reads, each time it does, with those that the graphs inside it read or give."""
    yield from node.inputs
    for value in node.attrs.values():
        if isinstance(value, OnnxGraph):
            yield from value.outputs
            for inner in value.nodes:
                yield from reads(inner)


def limits(dtype: DType) -> tuple[Any, Any]:
    """The lowest and the highest finite number: integers, or floats for a floating dtype."""
    held = plain(dtype)
    if held.is_floating:  # numpy knows no limits of bfloat16
        found = ml_dtypes.finfo(held.numpy or np.float32)  # type: ignore[no-untyped-call]
        return float(found.min), float(found.max)
    bounds = np.iinfo(held.numpy or np.int32)
    return int(bounds.min), int(bounds.max)


Lowered = Value | Sequence[Value | None] | None
"""What a lowering gives: the step's only output, or all of them, None standing for one that it cannot give."""

Attributes = Mapping[str, Any]
