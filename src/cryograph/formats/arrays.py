"""Files of arrays by name, without a graph: `.npz` (numpy) and `.safetensors` (its own library, an extra).

Both hold variables only. What each dtype becomes:

.npz            booleans, integers, floats and complex numbers of numpy as they are; quantised integers as plain ones;
                strings as numpy's S, unless one ends in a zero byte, which S cannot hold; bfloat16, float8, int4 and
                their kin have no name in numpy's format and are refused
.safetensors    booleans, integers, float16 to float64, bfloat16, float8 (e4m3fn, e5m2, and fnuz of both) and complex64;
                quantised integers as plain ones; strings, complex128, int4 and the other kinds are refused

npz: a zip file of NAME.npy members, each a header (numpy.lib.format) and the raw values. Members that are neither
compressed nor in Fortran order nor big-endian are mapped. safetensors: 8 bytes: length of the header; the header, JSON:
name -> dtype, shape, data_offsets; the raw values (github.com/huggingface/safetensors).
"""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..base.dtypes import BOOL, DType, dtype_of
from ..base.errors import DamagedError, FormatError, InputError, LimitError, MissingExtraError, UnsupportedError
from ..base.files import CHUNK, File, Path, Span, atomic_write, is_remote, open_file
from ..base.shapes import element_count, show
from ..base.tensors import Array, Tensor
from ..graph.document import Document, Variable
from ..graph.graph import Graph
from ..wire.tensor_proto import MAX_NUMPY_RANK

MAX_JSON = 1 << 25
"""Bytes of the header of a .safetensors file; one of a hundred thousand tensors has some ten million."""

MAX_DEFLATE = 1032
"""Bytes that one compressed byte can stand for at most."""

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_UNREADABLE = (
    *(ValueError, SyntaxError, TypeError, KeyError, EOFError, MemoryError, RecursionError, NotImplementedError),
    tokenize.TokenError,
    zlib.error,
)
"""What numpy and zipfile raise for damaged members."""


def variables_document(source: str, tensors: Mapping[str, Tensor], kind: str) -> Document:
    """A document of weights by name, without a graph."""
    variables = {
        name: Variable(name, tensor.dtype, tensor.shape, key=name, tensor=tensor) for name, tensor in tensors.items()
    }
    return Document(Graph(), "checkpoint" if kind == "checkpoint" else "arrays", source, variables=variables)


def values_of(document: Document) -> dict[str, Tensor]:
    """The values of all variables by name; InputError when there are none or some are missing."""
    empty = [v.name for v in document.variables.values() if v.tensor is None]
    if empty or not document.variables:
        lacking = f"{len(empty)} have no value ({', '.join(empty[:3])} ...)" if empty else "it has none"
        raise InputError(f"The variables of {document.source or 'the model'} cannot be written: {lacking}.")
    return {name: v.tensor for name, v in document.variables.items() if v.tensor is not None}


# --- npz


class Reader(io.RawIOBase):
    """A File as zipfile wants it."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._file.size - self._at))
        buffer[:count] = self._file.read(self._at, count)
        self._at += count
        return count


def read_npz(path: Path) -> Document:
    """The document of a `.npz` file. Headers are read now, values when they are asked for.

    DamagedError for a file whose parts do not add up; FormatError for members that hold Python objects, which could run
    code, and for dtypes that TensorFlow does not have.
    """
    file = open_file(path)
    try:
        archive = zipfile.ZipFile(io.BufferedReader(Reader(file)))
    except (zipfile.BadZipFile, *_UNREADABLE) as error:
        raise DamagedError(f"{file.name} is not a .npz file that can be read: {error}.") from error
    tensors: dict[str, Tensor] = {}
    for info in archive.infolist():
        if info.is_dir():
            continue
        name = info.filename.removesuffix(".npy")
        if name in tensors:
            raise DamagedError(f"{file.name}: two members are called {info.filename!r}.")
        tensors[name] = _npz_tensor(file, archive, info)
    return variables_document(file.name, tensors, "arrays")


def _npz_tensor(file: File, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Tensor:
    where = f"{file.name}: {info.filename!r}"
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(f"{where} is encrypted or compressed in a way that numpy does not use; it cannot be read.")
    ratio = MAX_DEFLATE if info.compress_type == zipfile.ZIP_DEFLATED else 1
    if info.file_size > ratio * info.compress_size:
        raise DamagedError(f"{where}: has {info.compress_size} bytes, which cannot be {info.file_size} when unpacked.")
    try:
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, kind = read(member)
            begin = member.tell()
    except (zipfile.BadZipFile, *_UNREADABLE) as error:
        raise DamagedError(f"{where} is not an array that can be read: {_brief(error)}.") from error
    if kind.hasobject:
        raise FormatError(f"{where} holds pickled objects, which could run code; they are not read.")
    if kind.kind not in "biufcSU" or kind.char in "gG":
        raise FormatError(
            f"{where} has the dtype {kind}, which is none of TensorFlow's; numpy writes bfloat16 and its kin so."
        )
    if len(shape) > MAX_NUMPY_RANK or any(size < 0 for size in shape):
        raise DamagedError(f"{where}: has the shape {show(shape)}.")
    expected = element_count(shape) * kind.itemsize
    if begin + expected != info.file_size:
        raise DamagedError(
            f"{where}: {kind} {show(shape)} takes {expected} bytes, but {info.file_size - begin} are there."
        )
    dtype = dtype_of(kind)
    order = kind.newbyteorder("<") == kind and (not fortran or len(shape) < 2)
    if info.compress_type == zipfile.ZIP_STORED and kind.kind in "iufc" and order:
        span = _stored_span(file, info, where)
        head = span.sub(0, begin).read()
        check = _zip_check(zlib.crc32(head), info.CRC, where)
        return Tensor.mapped(dtype, shape, span.sub(begin, expected), check)
    return Tensor.lazy(dtype, shape, partial(_npz_values, archive, info, where))


def _brief(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200].rstrip(".")


def _stored_span(file: File, info: zipfile.ZipInfo, where: str) -> Span:
    """Where the bytes of an uncompressed member lie: behind its local header, which repeats name and extra field."""
    head = file.read(info.header_offset, 30)
    if head[:4] != b"PK\x03\x04":
        raise DamagedError(f"{where}: its header at byte {info.header_offset} is none.")
    name, extra = struct.unpack("<HH", head[26:30])
    return file.span(info.header_offset + 30 + name + extra, info.file_size)


def _zip_check(crc: int, stored: int, where: str) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    def check(pieces: Iterator[bytes]) -> Iterator[bytes]:
        found = crc
        for piece in pieces:
            found = zlib.crc32(piece, found)
            yield piece
        if found != stored:
            raise DamagedError(f"{where}: the bytes fail their checksum; the file is damaged.")

    return check


def _npz_values(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> Array:
    try:
        with archive.open(info) as member:
            array: Array = np.lib.format.read_array(member, allow_pickle=False)
            member.read(1)  # at the end the checksum is checked
    except (zipfile.BadZipFile, *_UNREADABLE) as error:
        raise DamagedError(f"{where} cannot be read: {_brief(error)}.") from error
    if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise DamagedError(f"{where}: a boolean is neither 0 nor 1.")
    return Tensor.of(array).numpy()


def write_npz(document: Document, path: Path) -> None:
    """Writes the values of all variables as `.npz`, under their names, streamed and uncompressed.

    InputError for what the format cannot hold (see above), or variables without values.
    """
    tensors = values_of(document)
    heads = {name: _npy_header(name, tensor) for name, tensor in tensors.items()}
    with atomic_write(path) as out, zipfile.ZipFile(out, "w") as archive:
        for name, tensor in tensors.items():
            info = zipfile.ZipInfo(f"{name}.npy", _ZIP_TIME)
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(heads[name])
                if tensor.dtype.is_string:
                    member.write(_as_s(tensor).tobytes())
                    continue
                for chunk in tensor.chunks():
                    member.write(chunk)


def _npy_header(name: str, tensor: Tensor) -> bytes:
    if tensor.dtype.is_string:
        if any(item.endswith(b"\0") for item in tensor.numpy().flat):
            raise InputError(
                f"{name!r} has a string that ends in a zero byte, which .npz loses; a checkpoint can hold it."
            )
        kind: np.dtype[Any] = _as_s(tensor).dtype
    elif tensor.dtype.numpy is None or tensor.dtype.numpy.kind not in "biufc":
        other = ".safetensors or a checkpoint" if tensor.dtype.name in _SAFE_NAMES else "a checkpoint"
        raise InputError(f"{name!r} is {tensor.dtype}, which .npz files cannot hold; {other} can.")
    else:
        kind = tensor.dtype.numpy
    out = io.BytesIO()
    fields = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": tensor.shape}
    np.lib.format.write_array_header_1_0(out, fields)
    return out.getvalue()


def _as_s(tensor: Tensor) -> Array:
    array = tensor.numpy()
    return np.array(array.reshape(-1).tolist(), dtype=np.bytes_).reshape(array.shape)


# --- safetensors

# In the order in which the library sorts dtypes; larger ones are written first.
_SAFE_NAMES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "int16": "I16",
    "uint16": "U16",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "complex64": "C64",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}
_PLAIN = {"qint8": "int8", "quint8": "uint8", "qint16": "int16", "quint16": "uint16", "qint32": "int32"}


def _safetensors() -> Any:
    try:
        import safetensors
    except ImportError:
        raise MissingExtraError("safetensors", "safetensors", "Reading and writing .safetensors") from None
    return safetensors


def read_safetensors(path: Path) -> Document:
    """The document of a `.safetensors` file; its values stay in the file.

    The library checks the header; DamagedError when it finds fault. UnsupportedError for dtypes that TensorFlow does
    not have, MissingExtraError when the library is not installed.
    """
    library = _safetensors()
    file = open_file(path)
    size = int.from_bytes(file.read(0, min(8, file.size)), "little")
    if size > MAX_JSON:
        raise LimitError(f"{file.name}: says that its header has {size} bytes; at most {MAX_JSON} are read.")
    _check_header(library, file, 8 + size)
    entries = json.loads(file.read(8, size))
    entries.pop("__metadata__", None)
    dtypes = {safe: dtype_of(name) for name, safe in _SAFE_NAMES.items()}
    tensors: dict[str, Tensor] = {}
    for name, entry in sorted(entries.items()):
        dtype, shape = dtypes.get(entry["dtype"]), tuple(entry["shape"])
        if dtype is None:
            raise UnsupportedError(f"{file.name}: {name!r} has the dtype {entry['dtype']}, which TensorFlow has not.")
        if len(shape) > MAX_NUMPY_RANK:
            raise LimitError(f"{file.name}: {name!r} has {len(shape)} dimensions; numpy has {MAX_NUMPY_RANK} at most.")
        begin, end = entry["data_offsets"]
        span = file.span(8 + size + begin, end - begin)
        tensors[name] = _bools(span, shape, f"{file.name}: {name!r}") if dtype == BOOL else _mapped(dtype, shape, span)
    return variables_document(file.name, tensors, "arrays")


def _mapped(dtype: DType, shape: tuple[int, ...], span: Span) -> Tensor:
    return Tensor.mapped(dtype, shape, span)


def _bools(span: Span, shape: tuple[int, ...], where: str) -> Tensor:
    """Booleans, whose bytes must be found to be 0 or 1 before numpy sees them."""

    def make() -> Array:
        data = np.frombuffer(span.read(), np.uint8)
        if data.max(initial=0) > 1:
            raise DamagedError(f"{where}: a boolean is neither 0 nor 1.")
        return data.view(np.bool_).reshape(shape)

    return Tensor.lazy(BOOL, shape, make)


def _check_header(library: Any, file: File, data: int) -> None:
    """Lets the library check the header of a file whose values begin at the byte `data`."""
    try:
        if not is_remote(file.name):
            with library.safe_open(file.name, framework="numpy"):
                return
        with tempfile.NamedTemporaryFile() as copy:  # it opens local files only: here the header and a hole
            copy.write(file.read(0, data))
            copy.truncate(file.size)
            with library.safe_open(copy.name, framework="numpy"):
                return
    except (library.SafetensorError, ValueError, OverflowError) as error:
        raise DamagedError(f"{file.name} is not a .safetensors file that can be read: {error}.") from error


def write_safetensors(document: Document, path: Path) -> None:
    """Writes the values of all variables as `.safetensors`, under their names, as the library does, but streamed.

    The library checks the file before it takes its name. InputError for what the format cannot hold (see above), or
    variables without values; MissingExtraError when the library is not installed.
    """
    library = _safetensors()
    tensors = values_of(document)
    ranks = {name: rank for rank, name in enumerate(_SAFE_NAMES)}
    for name, tensor in tensors.items():
        if _plain(tensor) not in ranks:
            raise InputError(f"{name!r} is {tensor.dtype}, which .safetensors files cannot hold; a checkpoint can.")
        if name == "__metadata__":
            raise InputError("A variable called '__metadata__' cannot be held by a .safetensors file; rename it.")
    order = sorted(tensors, key=lambda name: (-ranks[_plain(tensors[name])], name.encode()))
    entries: dict[str, Any] = {}
    offset = 0
    for name in order:
        tensor = tensors[name]
        offsets = [offset, offset + tensor.nbytes]
        entries[name] = {"dtype": _SAFE_NAMES[_plain(tensor)], "shape": tensor.shape, "data_offsets": offsets}
        offset += tensor.nbytes
    head = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    head = head.ljust(-(-len(head) // 8) * 8)
    with atomic_write(path) as out:
        out.write(struct.pack("<Q", len(head)) + head)
        for name in order:
            for chunk in tensors[name].chunks(CHUNK):
                out.write(chunk)
        if not is_remote(path):
            out.flush()
            try:
                _check_header(library, open_file(out.name), 8 + len(head))
            except DamagedError as error:  # an older library knows fewer dtypes
                raise InputError(f"The variables cannot be written as .safetensors: {error.__cause__}.") from error


def _plain(tensor: Tensor) -> str:
    return _PLAIN.get(tensor.dtype.name, tensor.dtype.name)
