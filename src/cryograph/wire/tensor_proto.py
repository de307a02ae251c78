"""TensorProto and Tensor: one into the other, with the meaning that TensorFlow's kernels give it.

| dtype                                   | field          | element                                  |
|-----------------------------------------|----------------|------------------------------------------|
| float32, float64                        | float_val, double_val                                     |
| int32, int16, uint16, int8, uint8, quantised, int4, uint4, int2, uint2 | int_val | cut to the width |
| int64, uint32, uint64, bool             | int64_val, uint32_val, uint64_val, bool_val               |
| float16, bfloat16                       | half_val       | its 16 bits, as an integer               |
| float8 kinds, float4_e2m1fn             | float8_val     | one byte each                            |
| complex64, complex128                   | scomplex_val, dcomplex_val | real and imaginary part in turn |
| string                                  | string_val     | bytes                                    |

`tensor_content` holds all values as raw little-endian bytes, row-major, and wins over the lists; of strings it holds
their lengths as varints, then their bytes. A list that is too short repeats its last value, an empty one is zeros,
what is too long is cut. Resources and variants are kept, never decoded. Source: Tensor::FromProto in tensor.cc.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from ..base.dtypes import BOOL, DTYPES, DType
from ..base.errors import DamagedError, FormatError, LimitError
from ..base.files import CHUNK, MemoryFile, Span
from ..base.shapes import element_count, show
from ..base.tensors import Array, Tensor
from . import messages as pb
from .varint import read_varint, varint, varint_size

THRESHOLD = 4096
"""A TensorProto of more bytes than this leaves its message and becomes a Tensor of the table."""

MAX_RANK = 254
"""TensorFlow's own bound on the rank of a tensor."""

MAX_REPEATED = 1 << 31
"""Bytes of values that may come of repeating the last value of a list; what stands in the file has no such bound."""

MAX_PARSED = (1 << 31) - 1
"""Bytes that protobuf parses at most, big tensors left out."""

MAX_NUMPY_RANK = 64 if int(np.__version__.partition(".")[0]) >= 2 else 32

KEY_FIELD = 536870001
"""The number of the field `TensorProto.cryograph_tensor`."""

KEY_TAG = varint(KEY_FIELD << 3 | 1)
"""How that field, a fixed64, begins on the wire."""

TensorTable = dict[int, Tensor]
"""The tensors that a message refers to, by the number in `TensorProto.cryograph_tensor`."""

# A number that a file could guess would let it point at tensors of other files.
_keys = itertools.count(1 + secrets.randbits(62))


def new_key() -> int:
    """A number for a table that no other tensor of this process has."""
    return next(_keys)


class StoredTensor(Tensor):
    """A Tensor that a TensorProto describes. `record` is where that message lies, unknown fields and all."""

    __slots__ = ("record",)

    record: Span

    def __init__(
        self,
        dtype: DType,
        shape: tuple[int, ...],
        record: Span,
        *,
        content: Span | None = None,
        make: Callable[[], Array] | None = None,
    ) -> None:
        super().__init__(dtype, shape, content=content, make=make)
        self.record = record


# --- TensorProto -> Tensor


def tensor_of(proto: pb.TensorProto, table: TensorTable) -> Tensor:
    """The Tensor of a TensorProto, either in it or in the table; values are decoded when they are asked for.

    FormatError when the shape is not wholly known, as no tensor has such a shape.
    """
    if proto.cryograph_tensor:
        return table_entry(proto, table)
    shape = shape_of_tensor(proto)
    if shape is None:
        raise FormatError(
            f"A TensorProto has the shape {_show_dims(proto)}, where a wholly known one of at most {MAX_RANK}"
            " dimensions was expected."
        )
    # The bytes are the snapshot: whoever changes the message later does not change this tensor.
    data = proto.SerializeToString(deterministic=True)
    return stored(proto.dtype, shape, MemoryFile(data, _IN_MEMORY).span())


def table_entry(proto: pb.TensorProto, table: TensorTable) -> Tensor:
    """The tensor of the table that a TensorProto stands for; FormatError when the two do not belong together."""
    tensor = table.get(proto.cryograph_tensor)
    if tensor is None:
        raise FormatError(
            f"A TensorProto stands for the tensor {proto.cryograph_tensor} of a table that does not have it."
            " The message came without its table, or a file holds field 536870001, which is for memory only."
        )
    if _dtype(proto.dtype).base != tensor.dtype or shape_of_tensor(proto) != tensor.shape:
        raise FormatError(
            f"A TensorProto says {_dtype(proto.dtype)} {_show_dims(proto)}, but the tensor that it stands for is"
            f" {tensor.dtype} {show(tensor.shape)}. Put a new tensor there instead of changing parts of the message."
        )
    return tensor


def stored(dtype_number: int, shape: tuple[int, ...], record: Span, content: Span | None = None) -> StoredTensor:
    """The Tensor of a TensorProto that lies in a file.

    `content` is where its values lie in one run of raw bytes, if they do; it counts when its length fits.
    """
    dtype = _dtype(dtype_number).base
    if dtype.numpy is None:
        return StoredTensor(dtype, shape, record)
    # Bytes other than 0 and 1 of a bool must be found before numpy sees them; what is empty may still be too big.
    whole = content is not None and content.length == element_count(shape) * dtype.itemsize > 0
    if whole and dtype != BOOL and len(shape) <= MAX_NUMPY_RANK:
        return StoredTensor(dtype, shape, record, content=content)
    return StoredTensor(dtype, shape, record, make=partial(_values_at, record, dtype, shape))


def shape_of_tensor(proto: pb.TensorProto) -> tuple[int, ...] | None:
    """The shape, or None when it is not one that a tensor can have."""
    dims = proto.tensor_shape
    if dims.unknown_rank or len(dims.dim) > MAX_RANK:
        return None
    shape = tuple(dim.size for dim in dims.dim)
    return None if any(size < 0 for size in shape) else shape


def _dtype(number: int) -> DType:
    return DTYPES.get(number) or DType(number, f"dtype_{number}", f"DT_{number}", None)


def _show_dims(proto: pb.TensorProto) -> str:
    dims = proto.tensor_shape
    return "<unknown>" if dims.unknown_rank else show(tuple(None if d.size < 0 else d.size for d in dims.dim[:10]))


def _values_at(record: Span, dtype: DType, shape: tuple[int, ...]) -> Array:
    inside = record.file.name == _IN_MEMORY
    where = _IN_MEMORY if inside else f"{record.file.name}: the TensorProto at byte {record.offset}"
    if record.length > MAX_PARSED:
        raise LimitError(
            f"{where} has {record.length} bytes that are not raw values; at most {MAX_PARSED} can be read."
        )
    try:
        proto = pb.TensorProto.FromString(record.read())
    # The runtime in pure Python lets the last two through.
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedError(f"{where} cannot be read: {error}") from error
    if _dtype(proto.dtype).base != dtype or shape_of_tensor(proto) != shape:
        raise DamagedError(
            f"{where} says its dtype and shape twice: {dtype} {show(shape)}, then"
            f" {_dtype(proto.dtype)} {_show_dims(proto)}."
        )
    return _decode(proto, dtype, shape, where)


def _decode(proto: pb.TensorProto, dtype: DType, shape: tuple[int, ...], where: str) -> Array:
    held: Any = dtype.numpy
    said = f"{where} says that it is {dtype} {show(shape)}"
    if len(shape) > MAX_NUMPY_RANK or element_count(max(size, 1) for size in shape) >= 1 << 60:
        raise LimitError(f"{said}, which numpy cannot hold.")
    count = element_count(shape)
    content = proto.tensor_content
    if count == 0:
        return np.zeros(shape, held)
    if content and dtype.is_string:
        return _fill(_objects(_decode_strings(content, count, where)), b"", shape, said)
    if content:
        if len(content) != count * held.itemsize:
            raise DamagedError(f"{said}, {count * held.itemsize} bytes, but its tensor_content has {len(content)}.")
        if dtype == BOOL and max(content) > 1:
            raise DamagedError(f"{said}, but a byte of its tensor_content is {max(content)}.")
        return np.frombuffer(content, held).reshape(shape)
    if dtype.is_string:
        return _fill(_objects(proto.string_val[:count]), b"", shape, said)
    field, kind = _FIELDS[dtype.number]
    listed = getattr(proto, field)
    flat = np.array(bytearray(listed)) if field == "float8_val" else np.fromiter(listed, kind, len(listed))
    if field in ("half_val", "float8_val"):
        flat = flat.astype(np.uint16 if field == "half_val" else np.uint8).view(held)
    elif field in ("scomplex_val", "dcomplex_val"):
        flat = flat[: len(flat) // 2 * 2].view(held)
    elif flat.dtype != held:
        flat = flat.astype(held)
    return _fill(flat[:count], 0, shape, said)


def _fill(flat: Array, empty: object, shape: tuple[int, ...], said: str) -> Array:
    """The values of a list in their shape, the last one repeated; of an empty list `empty` everywhere."""
    count = element_count(shape)
    if len(flat) == count:
        return flat.reshape(shape)
    if count * flat.itemsize > MAX_REPEATED:
        raise LimitError(f"{said}, but lists {len(flat)} values; repeated ones may take {MAX_REPEATED} bytes.")
    full = np.full(count, flat[-1] if len(flat) else empty, flat.dtype)
    full[: len(flat)] = flat
    return full.reshape(shape)


def _objects(values: list[bytes]) -> Array:
    flat = np.empty(len(values), object)
    flat[:] = values
    return flat


def _decode_strings(content: bytes, count: int, where: str) -> list[bytes]:
    """The strings in tensor_content: `count` lengths as varints, then the bytes of each."""
    position, lengths = 0, []
    try:
        for _ in range(count):
            length, position = read_varint(content, position)
            lengths.append(length)
    except DamagedError as error:
        raise DamagedError(f"{where} has {count} strings, but tensor_content has {len(lengths)} lengths.") from error
    if position + sum(lengths) != len(content):
        raise DamagedError(
            f"{where} has strings of {sum(lengths)} bytes in tensor_content, but {len(content) - position} are there."
        )
    values = []
    for length in lengths:
        values.append(content[position : position + length])
        position += length
    return values


# --- Tensor -> TensorProto


def proto_of(tensor: Tensor) -> tuple[pb.TensorProto, TensorTable]:
    """A TensorProto of a Tensor, as tf.make_tensor_proto writes it, and the table for a tensor of more than THRESHOLD.

    A tensor that came from a TensorProto goes back as it was.
    """
    if isinstance(tensor, StoredTensor):
        if tensor.record.length <= THRESHOLD:
            return pb.TensorProto.FromString(tensor.record.read()), {}
        return _in_table(tensor)
    if tensor.nbytes > THRESHOLD or (tensor.dtype.is_string and _string_size(tensor) > THRESHOLD):
        return _in_table(tensor)
    proto = _header(tensor)
    fill(proto, tensor)
    return proto, {}


def fill(proto: pb.TensorProto, tensor: Tensor) -> None:
    """Puts the values of a small tensor into a TensorProto that has dtype and shape."""
    values = tensor.numpy()
    if values.size > 1 and tensor.dtype.number in _CONTENT:
        proto.tensor_content = values.tobytes()
        return
    flat = values.ravel()
    if tensor.dtype.is_string:
        proto.string_val.extend(flat.tolist())
        return
    field, _ = _FIELDS[tensor.dtype.number]
    if field == "float8_val":
        proto.float8_val = flat.tobytes()
        return
    if field == "half_val":
        flat = flat.view(np.uint16)
    elif field in ("scomplex_val", "dcomplex_val"):
        flat = flat.view(np.float32 if field == "scomplex_val" else np.float64)
    elif tensor.dtype.number in _NARROW:
        flat = flat.astype(np.int8)
    getattr(proto, field).extend(flat.tolist())


def _in_table(tensor: Tensor) -> tuple[pb.TensorProto, TensorTable]:
    proto = _header(tensor)
    key = new_key()
    proto.cryograph_tensor = key
    return proto, {key: tensor}


def _header(tensor: Tensor) -> pb.TensorProto:
    proto = pb.TensorProto(dtype=tensor.dtype.number)
    proto.tensor_shape.SetInParent()
    for size in tensor.shape:
        proto.tensor_shape.dim.add().size = size
    return proto


# --- Tensor -> bytes of a TensorProto, streamed


def encoded_size(header: pb.TensorProto, tensor: Tensor) -> int:
    """Bytes that `encoded` gives."""
    if isinstance(tensor, StoredTensor):
        return tensor.record.length
    if tensor.dtype.is_string:
        return _header_size(header) + _string_size(tensor)
    if tensor.nbytes == 0:
        return _header_size(header)
    return _header_size(header) + 1 + varint_size(tensor.nbytes) + tensor.nbytes


def encoded(header: pb.TensorProto, tensor: Tensor) -> Iterator[bytes | memoryview]:
    """The bytes of a TensorProto with the fields of `header` and the values of `tensor`, in pieces.

    A tensor that lies in a file as a TensorProto is copied as it is there.
    """
    if isinstance(tensor, StoredTensor):
        yield from tensor.record.chunks()
        return
    yield _header_bytes(header)
    if tensor.dtype.is_string:
        piece = bytearray()
        for item in tensor.numpy().flat:
            piece += _STRING_KEY + varint(len(item)) + item
            if len(piece) > CHUNK:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece)
    elif tensor.nbytes:
        yield _CONTENT_KEY + varint(tensor.nbytes)
        yield from tensor.chunks()


def _header_bytes(header: pb.TensorProto) -> bytes:
    bare = pb.TensorProto()
    bare.CopyFrom(header)
    bare.ClearField("cryograph_tensor")
    return bare.SerializeToString(deterministic=True)


def _header_size(header: pb.TensorProto) -> int:
    return len(_header_bytes(header))


def _string_size(tensor: Tensor) -> int:
    return sum(1 + varint_size(len(item)) + len(item) for item in tensor.numpy().flat)


_IN_MEMORY = "A TensorProto"

_CONTENT_KEY = bytes([4 << 3 | 2])
_STRING_KEY = bytes([8 << 3 | 2])

_CONTENT = frozenset({1, 2, 3, 4, 5, 6, 9, 11, 12, 13, 14, 15, 16, 19, 22, 23, 24, 25, 26, 27, 28, 33})
"""The dtypes that tf.make_tensor_proto writes as tensor_content when there is more than one element."""

_NARROW = frozenset({29, 30, 31, 32})

_INT: tuple[str, Any] = ("int_val", np.int32)
_FIELDS: dict[int, tuple[str, Any]] = {
    1: ("float_val", np.float32),
    2: ("double_val", np.float64),
    **dict.fromkeys((3, 4, 5, 6, 11, 12, 13, 15, 16, 17, 29, 30, 31, 32), _INT),
    8: ("scomplex_val", np.float32),
    9: ("int64_val", np.int64),
    10: ("bool_val", np.bool_),
    18: ("dcomplex_val", np.float64),
    **dict.fromkeys((14, 19), ("half_val", np.int32)),
    22: ("uint32_val", np.uint32),
    23: ("uint64_val", np.uint64),
    **dict.fromkeys((24, 25, 26, 27, 28, 33), ("float8_val", np.uint8)),
}
"""For each dtype: the list that holds its values, and the numpy type of the list's items."""
