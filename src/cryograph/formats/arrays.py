"""Files of arrays by name, without a graph: `.npz` (numpy) and `.safetensors` (its own library, an extra).

Both hold variables only. `.npz` has no bfloat16, float8, int4 and their kin: such values are refused with a word on
what holds them; strings are held as numpy's S strings. Safetensors hold no strings and no complex numbers of 128 bits.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base.dtypes import dtype_of
from ..base.errors import DamagedError, FormatError, InputError, MissingExtraError
from ..base.files import Path, atomic_write, file_errors
from ..base.tensors import Array, Tensor
from ..graph.document import Document, Variable
from ..graph.graph import Graph


def variables_document(source: str, tensors: Mapping[str, Tensor], kind: str) -> Document:
    """A document of weights by name, without a graph."""
    variables = {
        name: Variable(name, tensor.dtype, tensor.shape, key=name, tensor=tensor) for name, tensor in tensors.items()
    }
    return Document(Graph(), "checkpoint" if kind == "checkpoint" else "arrays", source, variables=variables)


def read_npz(path: Path) -> Document:
    """The document of a `.npz` file. Arrays are read when their values are asked for."""
    name = os.fspath(path)
    with file_errors(name, "read"):
        try:
            arrays = np.load(name, allow_pickle=False)
            tensors = {key: _npz_tensor(name, arrays, key) for key in arrays.files}
        except (ValueError, zipfile.BadZipFile, KeyError, EOFError) as error:
            raise DamagedError(f"{name} is not a .npz file that can be read: {error}.") from error
    return variables_document(name, tensors, "arrays")


def _npz_tensor(path: str, arrays: Any, key: str) -> Tensor:
    """A tensor of one member; its header is read now, its values later."""
    with arrays.zip.open(f"{key}.npy" if f"{key}.npy" in arrays.zip.namelist() else key) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    if dtype.hasobject:
        raise FormatError(f"{path}: {key!r} holds pickled objects, which could run code; they are not read.")

    def make() -> Array:
        try:
            array: Array = arrays[key]
        except (ValueError, zipfile.BadZipFile, EOFError) as error:
            raise DamagedError(f"{path}: {key!r} cannot be read: {error}.") from error
        return Tensor.of(array).numpy()

    return Tensor.lazy(dtype_of(dtype), shape, make)


def write_npz(document: Document, path: Path) -> None:
    """Writes the values of all variables as `.npz`, under their names."""
    arrays = {name: _plain(name, tensor) for name, tensor in values_of(document).items()}
    with atomic_write(path) as out:
        np.savez(out, **arrays)  # type: ignore[arg-type]


def _plain(name: str, tensor: Tensor) -> Array:
    array = tensor.numpy()
    if tensor.dtype.is_string:
        return np.array([bytes(item) for item in array.reshape(-1)], dtype=np.bytes_).reshape(array.shape)
    if not array.dtype.isbuiltin:
        raise InputError(f"{name!r} is {tensor.dtype}, which .npz files cannot hold; .safetensors or a checkpoint can.")
    return array


def values_of(document: Document) -> dict[str, Tensor]:
    """The values of all variables by name; InputError when there are none or some are missing."""
    empty = [v.name for v in document.variables.values() if v.tensor is None]
    if empty or not document.variables:
        lacking = f"{len(empty)} have no value ({', '.join(empty[:3])} ...)" if empty else "it has none"
        raise InputError(f"The variables of {document.source or 'the model'} cannot be written: {lacking}.")
    return {name: v.tensor for name, v in document.variables.items() if v.tensor is not None}


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise MissingExtraError("safetensors", "safetensors", "Reading and writing .safetensors") from None
    return safetensors


def read_safetensors(path: Path) -> Document:
    """The document of a `.safetensors` file. Arrays are read when their values are asked for."""
    name = os.fspath(path)
    library = _safetensors()
    with file_errors(name, "read"):
        try:
            opened = library.safe_open(name, framework="numpy")
            tensors = {key: _safe_tensor(opened, key, name) for key in opened.keys()}  # noqa: SIM118 - no mapping
        except library.SafetensorError as error:
            raise DamagedError(f"{name} is not a .safetensors file that can be read: {error}.") from error
    return variables_document(name, tensors, "arrays")


_SAFE_NAMES = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "BOOL": "bool",
    "C64": "complex64",
}


def _safe_tensor(opened: Any, key: str, path: str) -> Tensor:
    part = opened.get_slice(key)
    kind = part.get_dtype()
    name = _SAFE_NAMES.get(kind) or {"F": "float", "I": "int", "U": "uint"}.get(kind[:1], "") + kind[1:]
    return Tensor.lazy(dtype_of(name), tuple(part.get_shape()), lambda: opened.get_tensor(key))


def write_safetensors(document: Document, path: Path) -> None:
    """Writes the values of all variables as `.safetensors`, under their names."""
    library = _safetensors()
    arrays = {}
    for name, tensor in values_of(document).items():
        if tensor.dtype.is_string or tensor.dtype.name == "complex128":
            raise InputError(f"{name!r} is {tensor.dtype}, which .safetensors files cannot hold; a checkpoint can.")
        arrays[name] = np.ascontiguousarray(tensor.numpy())
    try:
        data = library.numpy.save(arrays)
    except (library.SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"The variables cannot be written as .safetensors: {error}.") from error
    with atomic_write(path) as out:
        out.write(data)
