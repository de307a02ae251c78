"""What is fed: arrays of the dtype and shape that are due, made of what users give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .dtypes import DType
from .errors import InputError
from .shapes import Shape, compatible, show
from .tensors import Array, Tensor, to_bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """One input or output of what runs: the name that users say, the tensor that it is, and what is known of it."""

    name: str
    tensor: str
    dtype: DType
    shape: Shape

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {show(self.shape)}"


def fitted(value: ArrayLike | Tensor, slot: Slot) -> Array:
    """The array that is fed for `value`: of the slot's dtype, where that loses nothing that users mean; InputError
    otherwise. Python numbers and float64 arrays become float32, integers any wider kind; floats never become
    integers."""
    try:
        array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
    except ValueError as error:  # nested lists of several lengths
        raise InputError(f"What is given for {slot.name!r} is no array: {error}") from error
    wanted = slot.dtype.numpy
    if slot.dtype.is_string:
        array = to_bytes(array) if array.dtype.kind in "SUO" else _wrong_dtype(array, slot)
    elif wanted is not None and array.dtype != wanted:
        if not _may_become(array, wanted):
            _wrong_dtype(array, slot)
        converted = array.astype(wanted)
        if array.dtype.kind in "iu" and wanted.kind in "iu" and not np.array_equal(converted, array):
            raise InputError(f"The values given for {slot.name!r} do not fit into {slot.dtype}.")
        array = converted
    if not compatible(array.shape, slot.shape):
        raise InputError(
            f"The input {slot.name!r} has the shape {show(slot.shape)}, but an array of {show(array.shape)} was given."
            + _shape_hint(array.shape, slot.shape)
        )
    return array


def _may_become(array: Array, wanted: np.dtype[Any]) -> bool:
    have, want = array.dtype, wanted
    if have.kind == "b" or want.kind == "b":
        return have.kind == want.kind
    if have.kind in "iu":
        return want.kind != "O"
    if have.kind in "OSUmM":
        return False
    if have.kind == "c":
        return want.kind == "c"
    is_float = want.kind == "f" or want.name.startswith(("bfloat", "float"))
    return is_float or want.kind == "c"


def _wrong_dtype(array: Array, slot: Slot) -> Array:
    raise InputError(f"The input {slot.name!r} is {slot.dtype}, but an array of {array.dtype} was given.")


def _shape_hint(given: tuple[int, ...], wanted: Shape) -> str:
    if wanted is None:
        return ""
    if len(given) + 1 == len(wanted) and compatible((1, *given), wanted):
        return " A batch is expected: add a first dimension, x[None]."
    if len(given) == len(wanted) == 4 and compatible((given[0], given[2], given[3], given[1]), wanted):
        return " The channels come last here: x.transpose(0, 2, 3, 1)."
    return ""
