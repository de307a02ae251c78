"""Tells what a file is by its content. The table FORMATS has one row a kind: how it is recognised, how it is read.

Suffixes decide only between kinds that the content allows alike. Kinds that cannot be opened are named all the same,
with the way out.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from ..base.errors import DamagedError, FormatError, LimitError
from ..base.files import File
from ..graph.document import Document
from ..wire.crc import crc32c, mask
from ..wire.table import is_table
from ..wire.varint import read_varint
from .arrays import Reader, read_npz, read_safetensors
from .graphdef import read_graphdef, read_graphdef_text
from .memmapped import is_memmapped, read_memmapped
from .metagraph import read_metagraph, read_metagraph_text
from .savedmodel import read_savedmodel
from .tfjs import WAY_OUT, read_tfjs

FIRST_BYTES = frozenset({b"\x08", b"\x0a", b"\x12", b"\x22"})
"""With what a message of a graph begins: one of its first fields."""

ZIP = b"PK\x03\x04"
HEAD = 4096
"""Bytes at the beginning of a file that are looked at."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A file and its first bytes."""

    file: File
    head: bytes

    @property
    def text(self) -> str | None:
        """The head as text, or None when it is none."""
        if b"\0" in self.head:
            return None
        return self.head.decode("utf-8", "replace") if _mostly_printable(self.head) else None


def _mostly_printable(head: bytes) -> bool:
    return sum(byte < 9 or 13 < byte < 32 for byte in head) == 0


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file. `what` completes the sentence "this is ..."; `read` is None for kinds that cannot be opened,
    whose `way_out` then says what to do."""

    name: str
    what: str
    is_it: Callable[[Sniffed], bool]
    read: Callable[[str], Document] | None = None
    way_out: str = ""


def sniff(file: File) -> Format:
    """The kind of a file; FormatError when it is none that is known."""
    sniffed = Sniffed(file, file.read(0, min(HEAD, file.size)))
    for format in FORMATS:
        if format.is_it(sniffed):
            return format
    if file.name.endswith(".index"):
        raise DamagedError(f"{file.name}: does not end as the index of a checkpoint does; it is cut short or damaged.")
    for suffix, name in ((".pb", "pb"), (".meta", "meta")):
        if file.name.endswith(suffix) and sniffed.head[:1] in FIRST_BYTES:
            return next(format for format in FORMATS if format.name == name)  # its reader tells where the damage is
    raise FormatError(
        f"{file.name} is no model file that cryograph knows: neither a TensorFlow graph, MetaGraph, SavedModel or "
        f"checkpoint, nor .npz or .safetensors. It begins with {sniffed.head[:16]!r}."
    )


def _starts(*magics: bytes) -> Callable[[Sniffed], bool]:
    return lambda s: s.head.startswith(magics)


def _text_like(*keys: str) -> Callable[[Sniffed], bool]:
    """A text-form protobuf whose first fields are among `keys`."""
    pattern = re.compile(rf"\A(?:\s|#[^\n]*\n)*(?:{'|'.join(keys)})\s*[:{{<]")

    def is_it(s: Sniffed) -> bool:
        return s.text is not None and pattern.match(s.text) is not None

    return is_it


def _is_state(s: Sniffed) -> bool:
    return s.text is not None and re.match(r"\s*(all_)?model_checkpoint_path", s.text) is not None


Record = tuple[int, int, int, int]
"""A field on the wire: number, wire type, offset and length of what it holds."""

MAX_RECORDS = 24
"""Records of a message that are looked at."""

OP_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_>./-]{0,199}")


def _records(file: File, start: int, end: int) -> list[Record]:
    """The first fields of the message between two offsets of a file; empty when it cannot be one. A record that
    sticks out is the last: a file that is cut short is still of its kind, and its own reader tells where."""
    found: list[Record] = []
    position = start
    while position < end and len(found) < MAX_RECORDS:
        head = file.read(position, min(20, file.size - position))
        try:
            tag, at = read_varint(head, 0)
            number, wire = tag >> 3, tag & 7
            length = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                length, at = read_varint(head, at)
            elif wire == 0:
                _, after = read_varint(head, at)
                length = after - at
            elif wire not in (1, 5):
                return []
        except (ValueError, IndexError, DamagedError, LimitError):
            return []
        if not 0 < number < 1 << 20:
            return []
        found.append((number, wire, position + at, length))
        position += at + length
    return found


def _top(s: Sniffed) -> list[Record]:
    return _records(s.file, 0, s.file.size)


def _inside(s: Sniffed, record: Record) -> list[Record]:
    _, _, at, length = record
    end = at + length
    found = _records(s.file, at, min(end, s.file.size)) if at < s.file.size else []
    return [] if any(start + size > end for _, _, start, size in found) else found


def _is_node(s: Sniffed, record: Record) -> bool:
    """Whether a record is a NodeDef: it has an op whose name reads as one."""
    for number, wire, at, length in _inside(s, record):
        if number > 8 or wire != 2:
            return False
        if number == 2:
            return OP_NAME.fullmatch(s.file.read(at, min(length, 200, s.file.size - at))) is not None
    return False


def _is_graph(s: Sniffed, records: list[Record]) -> bool:
    """Whether records are those of a GraphDef: nodes first, or a graph without nodes that tells its versions."""
    if not records:
        return False
    number, wire, _, length = records[0]
    if number == 1 and wire == 2 and _is_node(s, records[0]):
        return True  # whatever fields come later: a newer TensorFlow's are kept
    if any(number > 5 for number, *_ in records):
        return False
    if number == 1:
        return wire == 2 and length == 0 and len(records) > 1
    return number in (2, 4) and wire == 2 and all(n > 1 for n, *_ in records)


def _is_graphdef(s: Sniffed) -> bool:
    records = _top(s)
    if _is_graph(s, records):
        number, _, _, length = records[0]
        return number == 1 or length < 64 or len(records) > 1
    return False


def _is_metagraph_message(s: Sniffed, records: list[Record]) -> bool:
    """Whether records are those of a MetaGraphDef: each at most once but for maps and assets, and a graph among
    them."""
    numbers = [number for number, *_ in records]
    if not records or any(n <= 7 and w != 2 for n, w, *_ in records) or numbers.count(1) > 1 or numbers.count(2) > 1:
        return False
    for record in records:
        if record[0] == 2:
            return record[3] == 0 or _is_graph(s, _inside(s, record)) or record[2] + record[3] > s.file.size
    return numbers[0] == 1 and max(numbers) <= 7 and not _is_node(s, records[0])


def _is_metagraph(s: Sniffed) -> bool:
    return _is_metagraph_message(s, _top(s))


def _is_savedmodel(s: Sniffed) -> bool:
    records = _top(s)
    if records and records[0][:2] == (2, 2):  # written without its version
        return all(r[:2] == (2, 2) for r in records) and _is_metagraph_message(s, _inside(s, records[0]))
    if not records or records[0][:2] != (1, 0):
        return False
    if len(records) == 1:
        return s.file.size < 16
    return records[1][:2] == (2, 2) and (
        records[1][3] == 0
        or _is_metagraph_message(s, _inside(s, records[1]))
        or records[1][2] + records[1][3] > s.file.size
    )


def _is_npz(s: Sniffed) -> bool:
    return s.head.startswith(ZIP) and any(name.endswith(".npy") for name in _members(s))


def _is_keras_zip(s: Sniffed) -> bool:
    return s.head.startswith(ZIP) and "config.json" in _members(s)


def _is_torch_zip(s: Sniffed) -> bool:
    return s.head.startswith(ZIP) and any(name.endswith("data.pkl") for name in _members(s))


def _members(s: Sniffed) -> list[str]:
    try:
        with zipfile.ZipFile(_reader(s)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return []


def _reader(s: Sniffed) -> IO[bytes]:
    return io.BufferedReader(Reader(s.file))


def _is_safetensors(s: Sniffed) -> bool:
    if len(s.head) < 9:
        return False
    size = int.from_bytes(s.head[:8], "little")
    return s.head[8:9] == b"{" and size + 8 <= s.file.size


def _is_tfrecord(s: Sniffed) -> bool:
    return len(s.head) >= 12 and mask(crc32c(s.head[:8])) == int.from_bytes(s.head[8:12], "little")


def _is_onnx(s: Sniffed) -> bool:
    records = _top(s)
    return len(records) > 1 and records[0][:2] == (1, 0) and records[1][0] in (2, 7, 8, 14)


def _is_coreml(s: Sniffed) -> bool:
    """A version, a description, and a model whose field number (200 and up) is its type."""
    records = _top(s)
    return (
        len(records) > 2
        and records[0][:2] == (1, 0)
        and records[1][:2] == (2, 2)
        and all(number in (1, 2, 10) or 200 <= number < 5000 for number, *_ in records)
        and any(number >= 200 for number, *_ in records)
        and not any(r[:2] == (2, 2) and _is_graph(s, _inside(s, r)) for r in _inside(s, records[1]))
    )


def _is_json_with(*words: str) -> Callable[[Sniffed], bool]:
    """A JSON object at whose beginning one of the words stands, as a key or a value."""
    return lambda s: (
        s.text is not None and s.text.lstrip().startswith("{") and any(f'"{word}"' in s.text for word in words)
    )


def _is_tfjs_layers(s: Sniffed) -> bool:
    return _is_json_with("layers-model")(s) or (
        _is_json_with("modelTopology")(s) and _is_json_with("class_name", "model_config")(s)
    )


FORMATS: tuple[Format, ...] = (
    Format("empty", "an empty file", lambda s: s.file.size == 0, None, "The download or copy did not finish."),
    Format(
        "lfs",
        "a git-lfs pointer, a few lines of text that stand for the model",
        _starts(b"version https://git-lfs"),
        None,
        "Fetch the file itself with `git lfs pull`.",
    ),
    Format(
        "html",
        "a web page",
        lambda s: re.match(rb"\s*<(!doctype|html)", s.head, re.I) is not None,
        None,
        "The download gave a page instead of the file; open the link in a browser to see why.",
    ),
    Format(
        "xml",
        "an XML text",
        _starts(b"<?xml"),
        None,
        "Stores answer so when a download is refused; an OpenVINO model (.xml and .bin) is no TensorFlow model.",
    ),
    Format("table", "a checkpoint of version 1, or the index of one of version 2", lambda s: is_table(s.file)),
    Format("memmapped", "a memory-mapped package (for phones)", lambda s: is_memmapped(s.file), read_memmapped),
    Format("state", "a `checkpoint` file, which names the latest checkpoint", _is_state),
    Format("npz", "a .npz file", _is_npz, read_npz),
    Format(
        "keras_zip",
        "a Keras 3 model (.keras)",
        _is_keras_zip,
        None,
        "Export it as a SavedModel with `model.export(directory)` where Keras is installed.",
    ),
    Format("torch", "a PyTorch file", _is_torch_zip, None, "It holds no TensorFlow model."),
    Format(
        "cut_zip",
        "the beginning of a zip archive, such as .npz and .keras files are",
        lambda s: s.head.startswith(ZIP) and not zipfile.is_zipfile(_reader(s)),
        None,
        "The download or copy did not finish.",
    ),
    Format("zip", "a zip archive", _starts(ZIP), None, "Unpack it and open what is inside."),
    Format(
        "gzip",
        "a gzip archive",
        _starts(b"\x1f\x8b"),
        None,
        "Unpack it (`tar xzf` or `gunzip`) and open what is inside.",
    ),
    Format("xz", "an xz or bzip2 archive", _starts(b"\xfd7zXZ\0", b"BZh"), None, "Unpack it and open what is inside."),
    Format("tar", "a tar archive", lambda s: s.head[257:262] == b"ustar", None, "Unpack it with `tar xf`."),
    Format(
        "hdf5",
        "an HDF5 file, as Keras writes models and weights (.h5)",
        _starts(b"\x89HDF\r\n\x1a\n"),
        None,
        "Export it as a SavedModel with `model.export(directory)` where Keras is installed.",
    ),
    Format(
        "tflite",
        "a TensorFlow Lite model",
        lambda s: s.head[4:8] == b"TFL3",
        None,
        "It is made from a TensorFlow model and cannot be turned back; open what it was made from.",
    ),
    Format(
        "numpy", "a single numpy array (.npy)", _starts(b"\x93NUMPY"), None, "It is an input or an answer, not a model."
    ),
    Format(
        "pickle",
        "a Python pickle",
        _starts(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(dp", b"(lp", b"ccopy_reg"),
        None,
        "Pickles can run code and are never opened.",
    ),
    Format(
        "image",
        "a picture",
        _starts(b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM"),
        None,
        "It is an input, not a model.",
    ),
    Format("safetensors", "a .safetensors file", _is_safetensors, read_safetensors),
    Format(
        "tfrecord",
        "a file of records (TFRecord or TensorBoard events)",
        _is_tfrecord,
        None,
        "It holds examples or measurements, not a model.",
    ),
    Format(
        "tfjs_layers",
        "a TensorFlow.js layers model: Keras layers, not a graph",
        _is_tfjs_layers,
        None,
        WAY_OUT,
    ),
    Format(
        "tfjs",
        "a TensorFlow.js graph model (model.json)",
        _is_json_with("modelTopology", "weightsManifest", "graph-model"),
        read_tfjs,
    ),
    Format(
        "keras_json",
        "a Keras configuration (layers without weights)",
        _is_json_with("class_name"),
        None,
        "Build the model from it where Keras is installed, load its weights and export it as a SavedModel.",
    ),
    Format(
        "caffe",
        "a Caffe network in text form",
        _text_like(r'name\s*:\s*"[^"]*"\s*(?:layers?|input\w*)', "layers?"),
        None,
        "It is no TensorFlow model.",
    ),
    Format(
        "labels",
        "a label map of the object detection API",
        _text_like("item"),
        None,
        "It names the classes of a model; open the model itself.",
    ),
    Format(
        "saved_model_text",
        "a SavedModel in text form",
        _text_like("saved_model_schema_version", "meta_graphs"),
        read_savedmodel,
    ),
    Format(
        "meta_text",
        "a MetaGraphDef in text form",
        _text_like("meta_info_def", "graph_def", "saver_def", "collection_def", "signature_def", "asset_file_def"),
        read_metagraph_text,
    ),
    Format(
        "pbtxt", "a GraphDef in text form", _text_like("node", "library", "versions", "version"), read_graphdef_text
    ),
    Format("coreml", "a Core ML model", _is_coreml, None, "It is made from another model; open what it was made from."),
    Format("saved_model", "a SavedModel", _is_savedmodel, read_savedmodel),
    Format("onnx", "an ONNX model", _is_onnx, None, "It is no TensorFlow model; ONNX Runtime runs it."),
    Format("meta", "a MetaGraphDef", _is_metagraph, read_metagraph),
    Format("pb", "a GraphDef", _is_graphdef, read_graphdef),
)

__all__ = ["FORMATS", "Format", "sniff"]
