"""A tensor is a place until someone asks for its numbers.

`Tensor.of` holds an array, `Tensor.mapped` a range of a file, `Tensor.lazy` a function. All three know dtype and shape
without touching a value; `numpy()` gives the values, `chunks()` streams their bytes, `content` tells where they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .dtypes import DType, dtype_of
from .errors import DamagedError, InputError, UnsupportedError
from .files import CHUNK, Span, is_remote
from .shapes import element_count, show

Array = NDArray[Any]


class Tensor:
    """Values of one dtype and shape, in memory, in a file or still to be made. Never changes.

    `nbytes` is the size of the values in memory, in bytes; 0 for strings, as theirs is not known before they are read.
    """

    __slots__ = ("_array", "_check", "_make", "content", "dtype", "shape")

    dtype: DType
    shape: tuple[int, ...]
    content: Span | None
    """Where the values lie as raw little-endian bytes, row-major, when they lie in a file like that."""

    def __init__(
        self,
        dtype: DType,
        shape: tuple[int, ...],
        *,
        array: Array | None = None,
        content: Span | None = None,
        make: Callable[[], Array] | None = None,
        check: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None,
    ) -> None:
        """Use the makers `of`, `mapped` and `lazy`."""
        self.dtype = dtype
        self.shape = shape
        self.content = content
        self._array = array
        self._make = make
        self._check = check

    @staticmethod
    def of(values: ArrayLike, dtype: DType | None = None) -> Tensor:
        """A tensor that holds an array (not copied when it is contiguous); strings of any numpy kind become bytes."""
        array = np.asarray(values)
        if array.dtype.kind in "SU" and not isinstance(values, np.ndarray):
            array = np.asarray(values, object)  # numpy's own strings lose the zero bytes at their end
        if array.dtype.kind in "SUO":
            array = to_bytes(array)
        wanted = dtype_of(array.dtype) if dtype is None else dtype.base
        if wanted.numpy is None:
            raise UnsupportedError(f"An array cannot hold values of the dtype {wanted}.")
        if array.dtype != wanted.numpy:
            array = array.astype(wanted.numpy)
        return Tensor(wanted, array.shape, array=_frozen(np.asarray(array, order="C")))

    @staticmethod
    def mapped(
        dtype: DType,
        shape: tuple[int, ...],
        content: Span,
        check: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None,
    ) -> Tensor:
        """A tensor whose raw little-endian bytes lie in a file.

        `check` passes the pieces of a first reading through and raises at the end when they are not what was written
        (a checkpoint's CRC). DamagedError when the range is not as long as dtype and shape say.
        """
        expected = element_count(shape) * dtype.itemsize
        if dtype.itemsize == 0:
            raise UnsupportedError(f"Values of the dtype {dtype} have no fixed size and cannot be mapped.")
        if expected != content.length:
            raise DamagedError(
                f"{content.file.name}: a tensor of {dtype} {show(shape)} takes {expected} bytes,"
                f" but {content.length} are there."
            )
        return Tensor(dtype.base, shape, content=content, check=check)

    @staticmethod
    def lazy(dtype: DType, shape: tuple[int, ...], make: Callable[[], Array]) -> Tensor:
        """A tensor whose values are made on the first `numpy()` and kept."""
        return Tensor(dtype.base, shape, make=make)

    @property
    def nbytes(self) -> int:
        """Bytes of the values in memory; 0 for strings."""
        return element_count(self.shape) * self.dtype.itemsize

    @property
    def is_loaded(self) -> bool:
        """Whether the values are in memory already."""
        return self._array is not None

    def numpy(self) -> Array:
        """The values, read-only: a view of the mapped file where they lie in one. Strings are objects of type bytes."""
        if self._array is None:
            if self.content is not None:
                array = np.frombuffer(self._checked_view(self.content), dtype=self._numpy_dtype()).reshape(self.shape)
            elif self._make is not None:
                array = self._make()
            else:
                raise UnsupportedError(f"A tensor of the dtype {self.dtype} has no values that can be shown.")
            if array.shape != self.shape or array.dtype != self._numpy_dtype():
                came = f"{array.dtype} {show(array.shape)}"
                raise DamagedError(f"A tensor said to be {self.dtype} {show(self.shape)} came out as {came}.")
            self._array = _frozen(array)
            self._make = None
        return self._array

    def _checked_view(self, content: Span) -> memoryview:
        """The bytes as a view, checked when this is the first reading."""
        # What is remote is fetched once; what is local is checked by reads that leave resident memory alone.
        view = content.view() if is_remote(content.file.name) else None
        if self._check is not None:
            pieces = (
                content.chunks()
                if view is None
                else (bytes(view[at : at + CHUNK]) for at in range(0, len(view), CHUNK))
            )
            for _ in self._check(pieces):
                pass
            self._check = None
        return content.view() if view is None else view

    def _numpy_dtype(self) -> np.dtype[Any]:
        if self.dtype.numpy is None:
            raise UnsupportedError(f"Values of the dtype {self.dtype} have no array form.")
        return self.dtype.numpy

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        if dtype is not None and np.dtype(dtype) != array.dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def chunks(self, size: int = CHUNK) -> Iterator[bytes | memoryview]:
        """The raw little-endian bytes in pieces of at most `size`, without loading a tensor that lies in a file."""
        if self.dtype.itemsize == 0:
            raise InputError(f"Values of the dtype {self.dtype} have no raw form.")
        if self.content is not None:
            pieces = self.content.chunks(size)
            yield from self._check(pieces) if self._check is not None else pieces
            return
        view = np.ascontiguousarray(self.numpy()).reshape(-1).view(np.uint8).data
        for start in range(0, len(view), size):
            yield view[start : start + size]

    def __repr__(self) -> str:
        return f"Tensor({self.dtype} {show(self.shape)})"


def _frozen(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def to_bytes(array: Array) -> Array:
    """An object array of bytes from numpy strings of any kind; str becomes UTF-8. InputError for other objects."""
    if array.dtype.kind == "O" and all(type(item) is bytes for item in array.flat):
        return array
    result = np.empty(array.shape, dtype=object)
    for index, item in np.ndenumerate(array):
        if isinstance(item, str):
            result[index] = item.encode()
        elif isinstance(item, bytes | bytearray | memoryview):
            result[index] = bytes(item)
        else:
            kind = type(item).__name__
            raise InputError(f"A tensor of strings holds a {kind} ({item!r}); str or bytes were expected.")
    return result


def tensor_like(values: ArrayLike | Tensor, dtype: DType | None = None) -> Tensor:
    """A Tensor from whatever a user holds; Tensors pass as they are when the dtype fits."""
    if isinstance(values, Tensor):
        return values if dtype is None or values.dtype == dtype.base else Tensor.of(values.numpy(), dtype)
    return Tensor.of(values, dtype)
