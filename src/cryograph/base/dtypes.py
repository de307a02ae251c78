"""TensorFlow's DataTypes: numbers, names and the numpy dtype that holds each.

Quantised integers are held in the plain integer of their width; strings in object arrays of bytes; int4, uint4, int2
and uint2 take one byte an element in memory and in `tensor_content`, as in TensorFlow. Source: types.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from .errors import InputError

REF_OFFSET = 100


@dataclass(frozen=True, slots=True)
class DType:
    """One DataType. `numpy` is None for what has no array form (resource, variant)."""

    number: int
    name: str
    enum_name: str
    numpy: np.dtype[Any] | None

    @property
    def is_ref(self) -> bool:
        """Whether this is a `_REF` kind: the output of a variable of 2016."""
        return self.number > REF_OFFSET

    @property
    def base(self) -> DType:
        """The kind without `_REF`."""
        return DTYPES.get(self.number - REF_OFFSET, self) if self.is_ref else self

    @property
    def as_ref(self) -> DType:
        """The `_REF` kind of this one."""
        return self if self.is_ref else DTYPES[self.number + REF_OFFSET]

    @property
    def itemsize(self) -> int:
        """Bytes an element; 0 for strings, resources and variants."""
        return 0 if self.numpy is None or self.numpy.hasobject else self.numpy.itemsize

    @property
    def is_string(self) -> bool:
        """Whether elements are byte strings (also as `_REF`)."""
        return self.base.number == 7

    @property
    def is_floating(self) -> bool:
        """Whether elements are real floating-point numbers of any width (also as `_REF`)."""
        return self.base.number in _FLOATING

    @property
    def is_complex(self) -> bool:
        """Whether elements are complex numbers (also as `_REF`)."""
        return self.base.number in (8, 18)

    @property
    def is_integer(self) -> bool:
        """Whether elements are plain integers; booleans and quantised integers are not (also as `_REF`)."""
        return self.base.number in _INTEGER

    @property
    def is_quantized(self) -> bool:
        """Whether elements are quantised integers (also as `_REF`)."""
        return self.base.number in (11, 12, 13, 15, 16)

    def __repr__(self) -> str:
        return self.name


_FLOATING = frozenset({1, 2, 14, 19, 24, 25, 26, 27, 28, 33})
_INTEGER = frozenset({3, 4, 5, 6, 9, 17, 22, 23, 29, 30, 31, 32})

# number, name, enum name without DT_, numpy scalar type
_KINDS: tuple[tuple[int, str, str, Any], ...] = (
    (1, "float32", "FLOAT", np.float32),
    (2, "float64", "DOUBLE", np.float64),
    (3, "int32", "INT32", np.int32),
    (4, "uint8", "UINT8", np.uint8),
    (5, "int16", "INT16", np.int16),
    (6, "int8", "INT8", np.int8),
    (7, "string", "STRING", np.object_),
    (8, "complex64", "COMPLEX64", np.complex64),
    (9, "int64", "INT64", np.int64),
    (10, "bool", "BOOL", np.bool_),
    (11, "qint8", "QINT8", np.int8),
    (12, "quint8", "QUINT8", np.uint8),
    (13, "qint32", "QINT32", np.int32),
    (14, "bfloat16", "BFLOAT16", ml_dtypes.bfloat16),
    (15, "qint16", "QINT16", np.int16),
    (16, "quint16", "QUINT16", np.uint16),
    (17, "uint16", "UINT16", np.uint16),
    (18, "complex128", "COMPLEX128", np.complex128),
    (19, "float16", "HALF", np.float16),
    (20, "resource", "RESOURCE", None),
    (21, "variant", "VARIANT", None),
    (22, "uint32", "UINT32", np.uint32),
    (23, "uint64", "UINT64", np.uint64),
    (24, "float8_e5m2", "FLOAT8_E5M2", ml_dtypes.float8_e5m2),
    (25, "float8_e4m3fn", "FLOAT8_E4M3FN", ml_dtypes.float8_e4m3fn),
    (26, "float8_e4m3fnuz", "FLOAT8_E4M3FNUZ", ml_dtypes.float8_e4m3fnuz),
    (27, "float8_e4m3b11fnuz", "FLOAT8_E4M3B11FNUZ", ml_dtypes.float8_e4m3b11fnuz),
    (28, "float8_e5m2fnuz", "FLOAT8_E5M2FNUZ", ml_dtypes.float8_e5m2fnuz),
    (29, "int4", "INT4", ml_dtypes.int4),
    (30, "uint4", "UINT4", ml_dtypes.uint4),
    (31, "int2", "INT2", ml_dtypes.int2),
    (32, "uint2", "UINT2", ml_dtypes.uint2),
    (33, "float4_e2m1fn", "FLOAT4_E2M1FN", ml_dtypes.float4_e2m1fn),
)


def _table() -> dict[int, DType]:
    table = {0: DType(0, "invalid", "DT_INVALID", None)}
    for number, name, enum_name, scalar in _KINDS:
        held = None if scalar is None else np.dtype(scalar)
        table[number] = DType(number, name, f"DT_{enum_name}", held)
        table[number + REF_OFFSET] = DType(number + REF_OFFSET, f"{name}_ref", f"DT_{enum_name}_REF", held)
    return table


DTYPES: dict[int, DType] = _table()
"""Every DataType by its number."""

_BY_NAME: dict[str, DType] = {
    **{d.name: d for d in DTYPES.values()},
    **{d.enum_name: d for d in DTYPES.values()},
    "float": DTYPES[1],
    "double": DTYPES[2],
    "half": DTYPES[19],
}
# A numpy dtype means the plain kind, not the quantised one that is held in it.
_BY_NUMPY: dict[np.dtype[Any], DType] = {
    d.numpy: d for d in DTYPES.values() if d.numpy is not None and not d.is_ref and not d.is_quantized
}

FLOAT32 = DTYPES[1]
FLOAT64 = DTYPES[2]
INT32 = DTYPES[3]
UINT8 = DTYPES[4]
STRING = DTYPES[7]
INT64 = DTYPES[9]
BOOL = DTYPES[10]
RESOURCE = DTYPES[20]
VARIANT = DTYPES[21]


def dtype_of(kind: DType | int | str | np.dtype[Any] | type) -> DType:
    """The DType of a number (`1`), a name (`float32`, `DT_FLOAT`), or a numpy dtype; InputError when there is none."""
    if isinstance(kind, DType):
        return kind
    if isinstance(kind, int):
        found = DTYPES.get(kind)
    elif isinstance(kind, str):
        found = _BY_NAME.get(kind)
    else:
        numpy_dtype = np.dtype(kind)
        found = STRING if numpy_dtype.kind in "SUO" else _BY_NUMPY.get(numpy_dtype.newbyteorder("="))
    if found is None:
        raise InputError(f"{kind!r} is not a DataType of TensorFlow.")
    return found
