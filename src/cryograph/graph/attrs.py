"""Attributes of a node as Python values.

| AttrValue | Python                                   |
|-----------|------------------------------------------|
| s         | bytes                                    |
| i, f, b   | int, float, bool                         |
| type      | DType                                    |
| shape     | Shape: a tuple, or None (unknown rank)   |
| tensor    | Tensor                                   |
| func      | FuncRef                                  |
| list      | list of one of these                     |
| placeholder | AttrPlaceholder (in function templates) |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..base.dtypes import DTYPES, DType
from ..base.errors import InputError, LimitError
from ..base.shapes import Shape
from ..base.tensors import Tensor
from ..wire import messages as pb
from ..wire.scan import TensorTable
from ..wire.tensor_proto import proto_of, tensor_of

MAX_RANK = 254
"""TensorFlow's own bound on the rank of a tensor."""

AttrInput = Any
"""Whatever can stand for an attribute: the Python forms above, str for bytes, numpy scalars and arrays."""


@dataclass(frozen=True, slots=True)
class FuncRef:
    """The name of a function in the library, with the attributes that it is called with."""

    name: str
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttrPlaceholder:
    """In a function's body: the attribute of the caller that stands here."""

    name: str


def shape_of(proto: pb.TensorShapeProto) -> Shape:
    """The shape in a TensorShapeProto."""
    if proto.unknown_rank:
        return None
    if len(proto.dim) > MAX_RANK:
        raise LimitError(f"A shape has {len(proto.dim)} dimensions; at most {MAX_RANK} are possible.")
    return tuple(None if dim.size < 0 else dim.size for dim in proto.dim)


def shape_proto(shape: Shape) -> pb.TensorShapeProto:
    """A TensorShapeProto of a shape."""
    proto = pb.TensorShapeProto()
    if shape is None:
        proto.unknown_rank = True
    else:
        for size in shape:
            proto.dim.add().size = -1 if size is None else size
    return proto


def decode_attr(value: pb.AttrValue, table: TensorTable) -> Any:
    """The Python form of an AttrValue; None when nothing is set in it."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "list":
        return _decode_list(value.list, table)
    return _decode_one(kind, getattr(value, kind), table)


def _decode_one(kind: str, item: Any, table: TensorTable) -> Any:
    if kind == "type":
        return dtype_of_number(item)
    if kind == "shape":
        return shape_of(item)
    if kind == "tensor":
        return tensor_of(item, table)
    if kind == "func":
        return FuncRef(item.name, {name: decode_attr(attr, table) for name, attr in item.attr.items()})
    if kind == "placeholder":
        return AttrPlaceholder(item)
    return item


def _decode_list(values: pb.AttrValue.ListValue, table: TensorTable) -> list[Any]:
    for kind in ("s", "i", "f", "b", "type", "shape", "tensor", "func"):
        items = getattr(values, kind)
        if items:
            return [_decode_one(kind, item, table) for item in items]
    return []


def dtype_of_number(number: int) -> DType:
    """The DType of a number found in a file; a number that TensorFlow does not have is kept as such."""
    return DTYPES.get(number) or DType(number, f"dtype_{number}", f"DT_{number}", None)


def encode_attr(value: AttrInput, like: str | None = None) -> tuple[pb.AttrValue, TensorTable]:
    """An AttrValue of a Python value, and the tensors that it refers to.

    `like` is the kind that stood there before: an int given for a float attribute becomes a float.
    """
    proto = pb.AttrValue()
    table: TensorTable = {}
    _encode_into(proto, value, table, like)
    return proto, table


def _encode_into(proto: pb.AttrValue, value: AttrInput, table: TensorTable, like: str | None) -> None:
    if isinstance(value, pb.AttrValue):
        proto.CopyFrom(value)
    elif isinstance(value, bool | np.bool_):
        proto.b = bool(value)
    elif isinstance(value, int | np.integer):
        if like == "f":
            proto.f = float(value)
        else:
            proto.i = int(value)
    elif isinstance(value, float | np.floating):
        proto.f = float(value)
    elif isinstance(value, str):
        proto.s = value.encode()
    elif isinstance(value, bytes):
        proto.s = value
    elif isinstance(value, DType):
        proto.type = value.number
    elif value is None or isinstance(value, tuple):
        proto.shape.CopyFrom(shape_proto(value))
    elif isinstance(value, Tensor | np.ndarray):
        tensor, added = proto_of(value if isinstance(value, Tensor) else Tensor.of(value))
        proto.tensor.CopyFrom(tensor)
        table.update(added)
    elif isinstance(value, FuncRef):
        proto.func.SetInParent()
        proto.func.name = value.name
        for name, item in value.attrs.items():
            _encode_into(proto.func.attr[name], item, table, None)
    elif isinstance(value, AttrPlaceholder):
        proto.placeholder = value.name
    elif isinstance(value, list):
        proto.list.SetInParent()
        for item in value:
            single = pb.AttrValue()
            _encode_into(single, item, table, like)
            kind = single.WhichOneof("value")
            if kind in (None, "list", "placeholder"):
                raise InputError(f"A list attribute cannot hold {item!r}.")
            getattr(proto.list, str(kind)).append(getattr(single, str(kind)))
    else:
        raise InputError(f"An attribute cannot be {value!r} (a {type(value).__name__}).")


class AttrOwner(Protocol):
    """What attributes belong to: a message with an `attr` map, and the tensors that it refers to."""

    proto: Any
    table: TensorTable


class Attrs(MutableMapping[str, Any]):
    """The attributes of one node, decoded when they are asked for. What is not touched stays as it was in the file."""

    __slots__ = ("_owner",)

    def __init__(self, owner: AttrOwner) -> None:
        self._owner = owner

    def __getitem__(self, name: str) -> Any:
        values = self._owner.proto.attr
        if name not in values:
            raise KeyError(name)
        return decode_attr(values[name], self._owner.table)

    def __setitem__(self, name: str, value: AttrInput) -> None:
        values = self._owner.proto.attr
        like = values[name].WhichOneof("value") if name in values else None
        proto, added = encode_attr(value, like)
        values[name].CopyFrom(proto)
        if added:
            self._owner.table = {**self._owner.table, **added}

    def __delitem__(self, name: str) -> None:
        if name not in self._owner.proto.attr:
            raise KeyError(name)
        del self._owner.proto.attr[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._owner.proto.attr))

    def __len__(self) -> int:
        return len(self._owner.proto.attr)

    def __contains__(self, name: object) -> bool:
        return name in self._owner.proto.attr

    def raw(self, name: str) -> pb.AttrValue | None:
        """The AttrValue as it stands in the file, or None."""
        values = self._owner.proto.attr
        return values[name] if name in values else None  # noqa: SIM401 - protobuf's maps have no typed get

    def __repr__(self) -> str:
        return repr(dict(self))
