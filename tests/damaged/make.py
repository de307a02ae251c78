"""Makes damaged files from small sound ones, which it writes itself.

    python -m tests.damaged.make --write     # writes messages.json anew: what each file says; read the difference

`make(directory)` gives for each case the path to open.
"""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import cryograph as cg
from cryograph.base.dtypes import BOOL, FLOAT32, INT32, STRING
from cryograph.base.files import MemoryFile
from cryograph.graph.graph import Function, Graph
from cryograph.graph.node import Node
from cryograph.graph.variables import find_variables
from cryograph.wire import messages as pb
from cryograph.wire.crc import crc32c, mask
from cryograph.wire.emit import message_bytes
from cryograph.wire.varint import read_varint, varint
from tests.support.tfjs_files import write_tfjs

MESSAGES = Path(__file__).with_name("messages.json")

Change = Callable[[bytes], bytes]


def graph(weights: np.ndarray) -> Graph:
    """A product with a variable plus one with a constant."""
    attrs = {"T": FLOAT32, "transpose_a": False, "transpose_b": False}
    held = {"dtype": FLOAT32, "shape": weights.shape, "container": "", "shared_name": ""}
    return Graph(
        [
            Node.make("x", "Placeholder", attrs={"dtype": FLOAT32, "shape": (None, weights.shape[0])}),
            Node.make("c", "Const", attrs={"dtype": FLOAT32, "value": weights}),
            Node.make("v", "VarHandleOp", attrs={**held, "shared_name": "v"}),
            Node.make("r", "ReadVariableOp", ["v"], {"dtype": FLOAT32}),
            Node.make("a", "MatMul", ["x", "c"], attrs),
            Node.make("b", "MatMul", ["x", "r"], attrs),
            Node.make("y", "AddV2", ["a", "b"], {"T": FLOAT32}),
        ]
    )


def constant_graph(weights: np.ndarray) -> Graph:
    """The same without a variable."""
    made = graph(weights)
    del made.nodes["v"]
    made.replace(Node.make("r", "Const", attrs={"dtype": FLOAT32, "value": weights}))
    return made


def sound(directory: Path) -> None:
    """The sound files: a graph with its weights in every format."""
    weights = np.arange(2000, dtype=np.float32).reshape(40, 50)
    model = cg.Model(graph(weights), "graph")
    model.variables = {
        name: v.with_tensor(cg.Tensor.of(weights)) for name, v in find_variables(model.graph, {}).items()
    }
    model.save(directory / "m.meta")
    model.save(f"{directory}/saved/")
    model.freeze("y").save(directory / "frozen.pb")
    model.freeze("y").save(directory / "frozen.pbtxt")
    model.save(directory / "w.npz")
    model.save(directory / "w.safetensors")
    words = np.array([b"one", b"two", b"three"], object)
    tensors = {"v": weights, "words": words, "zero": np.zeros((0, 3), np.float32)}
    cg.save_checkpoint(directory / "two", tensors, shards=2)
    cg.save_checkpoint(directory / "one", tensors)
    cg.save_checkpoint(directory / "v1", {"v": weights}, version=1)
    browser = constant_graph(weights)
    browser.add(Node.make("words", "Const", attrs={"dtype": STRING, "value": words}))
    browser.add(Node.make("flags", "Const", attrs={"dtype": BOOL, "value": np.ones(5000, np.bool_)}))
    write_tfjs(directory / "tfjs", browser, {"r": "uint8"}, shard_size=5000)


def cut(size: int) -> Change:
    return lambda data: data[:size]


def share(part: float) -> Change:
    return lambda data: data[: int(len(data) * part)]


def flip(position: int, bit: int = 1) -> Change:
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[position] ^= bit
        return bytes(changed)

    return change


def instead(data: bytes) -> Change:
    return lambda _: data


def edited(change: Callable[[dict[str, Any]], Any]) -> Change:
    """A change of what a JSON text says."""

    def changed(data: bytes) -> bytes:
        said = json.loads(data)
        change(said)
        return json.dumps(said).encode()

    return changed


def entry(said: dict[str, Any], number: int) -> dict[str, Any]:
    """A weight in a TensorFlow.js model's manifest."""
    found: dict[str, Any] = said["weightsManifest"][0]["weights"][number]
    return found


# case: (the sound file that is changed, how)
CHANGED: dict[str, tuple[str, Change]] = {
    "graph cut in a tensor": ("frozen.pb", share(0.5)),
    "graph cut in the first tag": ("frozen.pb", cut(1)),
    "graph cut in a node's header": ("frozen.pb", cut(3)),
    "graph cut before its end": ("frozen.pb", lambda data: data[:-1]),
    "graph with a key that is none": ("frozen.pb", lambda data: data + b"\x07"),
    "graph with a varint without end": ("frozen.pb", lambda data: data + b"\x0a" + b"\xff" * 30),
    "graph with a length past the end": ("frozen.pb", lambda data: data + b"\x0a" + varint(1 << 40) + b"x"),
    "graph with a flipped bit in a name's length": ("frozen.pb", flip(3, 0x40)),
    "metagraph cut in its middle": ("m.meta", share(0.5)),
    "metagraph cut near its end": ("m.meta", lambda data: data[:-3]),
    "index cut in its footer": ("one.index", lambda data: data[:-1]),
    "index cut to nothing": ("one.index", cut(0)),
    "index of a few bytes": ("one.index", cut(20)),
    "index with a flipped bit in a block": ("one.index", flip(10)),
    "index with a flipped bit in its magic": ("one.index", flip(-1)),
    "index with a block past its end": (
        "one.index",
        lambda data: data[:-48] + (varint(0) + varint(8) + varint(1 << 40) + varint(9)).ljust(40, b"\0") + data[-8:],
    ),
    "data cut in a tensor": ("one.data-00000-of-00001", share(0.5)),
    "data cut in the strings": ("one.data-00000-of-00001", lambda data: data[:-2]),
    "data with a flipped bit in a tensor": ("one.data-00000-of-00001", flip(77)),
    "data with a flipped bit in the lengths of strings": ("one.data-00000-of-00001", flip(8000)),
    "data with a flipped bit in a string": ("one.data-00000-of-00001", flip(-1)),
    "old checkpoint cut": ("v1", share(0.5)),
    "old checkpoint with a flipped bit": ("v1", flip(100)),
    "saved model cut": ("saved/saved_model.pb", share(0.6)),
    "saved model without graphs": ("saved/saved_model.pb", instead(b"\x08\x01")),
    "arrays cut": ("w.npz", share(0.5)),
    "arrays with a flipped bit": ("w.npz", flip(300)),
    "safetensors cut": ("w.safetensors", share(0.5)),
    "safetensors with a lying header": ("w.safetensors", lambda data: struct.pack("<Q", 1 << 50) + data[8:]),
    "browser model cut": ("tfjs/model.json", cut(30)),
    "browser model of layers": (
        "tfjs/model.json",
        edited(lambda said: said.update(modelTopology={"model_config": {}, "keras_version": "2.4.0"})),
    ),
    "browser model with two nodes of one name": (
        "tfjs/model.json",
        edited(lambda said: said["modelTopology"]["node"].append(said["modelTopology"]["node"][0])),
    ),
    "browser model with a constant without values": (
        "tfjs/model.json",
        edited(lambda said: entry(said, 0).update(name="d")),
    ),
    "browser model with a shape of 10^18 elements": (
        "tfjs/model.json",
        edited(lambda said: entry(said, 0).update(shape=[10**9, 10**9])),
    ),
    "browser model with a weight that is too long": (
        "tfjs/model.json",
        edited(lambda said: entry(said, 0).update(shape=[40, 51])),
    ),
    "browser model with more strings than bytes": (
        "tfjs/model.json",
        edited(lambda said: entry(said, 2).update(shape=[10**12])),
    ),
    "browser model with a scale that is no number": (
        "tfjs/model.json",
        edited(lambda said: entry(said, 1)["quantization"].update(scale="1")),
    ),
    "browser model with a shard elsewhere": (
        "tfjs/model.json",
        edited(lambda said: said["weightsManifest"][0].update(paths=["../frozen.pb"])),
    ),
    "browser model with a shard that is lost": (
        "tfjs/model.json",
        edited(lambda said: said["weightsManifest"][0]["paths"].append("group1-shard5of5.bin")),
    ),
    "browser model with a shard cut": ("tfjs/group1-shard2of4.bin", share(0.5)),
    "browser model with a shard that is damaged": ("tfjs/group1-shard4of4.bin", flip(-1, 6)),
    "text with an unknown field": ("frozen.pbtxt", lambda data: data + b"nod { }\n"),
    "text cut in a string": ("frozen.pbtxt", share(0.5)),
}

# case: (name of the file, its bytes)
WRONG_KINDS: dict[str, tuple[str, bytes]] = {
    "nothing": ("model.pb", b""),
    "zeros": ("model.pb", bytes(5000)),
    "a pointer of git-lfs": ("model.pb", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "a web page": ("model.pb", b"<!DOCTYPE html><html></html>"),
    "a picture": ("model.pb", b"\x89PNG\r\n\x1a\n" + bytes(50)),
    "a Keras file": ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "a TensorFlow Lite model": ("model.pb", b"\x1c\0\0\0TFL3" + bytes(50)),
    "a pickle": ("model.pb", b"\x80\x04\x95\x10" + bytes(50)),
    "an array": ("model.pb", b"\x93NUMPY\x01\0" + bytes(50)),
    "gzip in gzip": ("model.pb", gzip.compress(gzip.compress(bytes(1000), mtime=0), mtime=0)),
    "a tar archive": ("model.pb", bytes(257) + b"ustar" + bytes(300)),
    "prose": ("model.pb", b"This is not a model.\n" * 9),
    "a TensorFlow.js model without nodes": ("model.json", b'{"format": "graph-model", "modelTopology": {}}'),
    "a TensorFlow.js layers model": ("model.json", b'{"format": "layers-model", "modelTopology": {}}'),
}


def lying_graphs() -> dict[str, Graph]:
    """Graphs whose parts do not add up."""
    weights = np.ones((40, 50), np.float32)
    found: dict[str, Graph] = {}
    vast = constant_graph(weights)
    value = vast.nodes["c"].proto.attr["value"].tensor
    value.Clear()
    value.dtype = 1
    value.tensor_shape.dim.add().size = 10**18
    value.float_val.append(1)
    found["a shape of 10^18 elements"] = vast
    short = constant_graph(weights)
    tensor = pb.TensorProto(dtype=1, tensor_content=b"12345678")
    tensor.tensor_shape.dim.add().size = 3
    short.nodes["c"].proto.attr["value"].tensor.CopyFrom(tensor)
    short.nodes["c"].table = {}
    found["a constant with too few bytes"] = short
    cyclic = constant_graph(weights)
    cyclic.nodes["a"].inputs = ["y", "c"]
    found["a cycle"] = cyclic
    absent = constant_graph(weights)
    absent.nodes["a"].inputs = ["x", "gone"]
    found["an edge from nowhere"] = absent
    typed = constant_graph(weights)
    typed.nodes["c"].attrs["dtype"] = INT32
    found["a constant of another type than it says"] = typed
    calls = constant_graph(weights)
    signature = pb.FunctionDef()
    signature.signature.name = "f"
    signature.signature.input_arg.add(name="a", type=1)
    signature.signature.output_arg.add(name="o", type=1)
    signature.ret["o"] = "call:o:0"
    calls.add_function(Function(signature, [Node.make("call", "f", ["a"])]))
    calls.nodes["a"].op = "f"
    calls.nodes["a"].inputs = ["x"]
    found["a function that calls itself"] = calls
    lost = constant_graph(weights)
    lost.nodes["a"].op = "NoSuchOp"
    found["an op that does not exist"] = lost
    return found


def make(directory: Path) -> dict[str, Path]:
    """For each case the path to open."""
    cases: dict[str, Path] = {}
    base = directory / "sound"
    base.mkdir(parents=True)
    sound(base)
    for number, (name, (file, change)) in enumerate(CHANGED.items()):
        folder = directory / f"changed{number}"
        shutil.copytree(base, folder)
        if file.startswith(("one", "two", "v1")):
            (folder / "m.meta").unlink()
        path = folder / file
        path.write_bytes(change(path.read_bytes()))
        opened = path.parent if file.startswith(("saved/", "tfjs/group")) else path
        cases[name] = opened
    for number, (name, (file, data)) in enumerate(WRONG_KINDS.items()):
        folder = directory / f"kind{number}"
        folder.mkdir()
        (folder / file).write_bytes(data)
        cases[name] = folder / file
    for number, (name, damaged) in enumerate(lying_graphs().items()):
        path = directory / f"graph{number}.pb"
        proto, table = damaged.to_proto()
        path.write_bytes(message_bytes(proto, table))
        cases[name] = path
    cases |= _further(directory, base)
    return cases


def _further(directory: Path, base: Path) -> dict[str, Path]:
    """Cases that take more than one change."""
    cases: dict[str, Path] = {}
    folder = directory / "shards"
    shutil.copytree(base, folder)
    (folder / "two.data-00001-of-00002").unlink()
    cases["a missing data file"] = folder / "two.index"
    folder = directory / "index"
    shutil.copytree(base, folder)
    (folder / "one.index").unlink()
    cases["a missing index"] = folder / "one.data-00000-of-00001"
    folder = directory / "state"
    folder.mkdir()
    (folder / "checkpoint").write_text('model_checkpoint_path: "gone-5"\n')
    cases["a state file that points nowhere"] = folder
    (directory / "empty").mkdir()
    cases["an empty directory"] = directory / "empty"
    path = directory / "twice.pb"
    node = Node.make("x", "NoOp").proto
    path.write_bytes(pb.GraphDef(node=[node, node]).SerializeToString())
    cases["two nodes of one name"] = path
    with zipfile.ZipFile(directory / "nested.zip", "w") as outer:
        outer.write(base / "w.npz", "w.npz")
    cases["a zip in a zip"] = directory / "nested.zip"
    path = directory / "pickled.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    cases["arrays with pickles inside"] = path
    deep = b""
    for _ in range(300):  # AttrValue.func -> NameAttrList.attr -> an entry's value, an AttrValue again
        entry = b"\x0a\x01k\x12" + varint(len(deep)) + deep
        inside = b"\x12" + varint(len(entry)) + entry
        deep = b"\x52" + varint(len(inside)) + inside
    inner = b"\x0a\x01v\x12" + varint(len(deep)) + deep
    named = b"\x0a\x01n\x12\x05Const\x2a" + varint(len(inner)) + inner
    (directory / "deep.pb").write_bytes(b"\x0a" + varint(len(named)) + named)
    cases["messages nested 900 deep"] = directory / "deep.pb"
    # An entry whose size is a lie, with checksums that are right.
    folder = directory / "size"
    shutil.copytree(base, folder)
    (folder / "m.meta").unlink()
    index = (folder / "one.index").read_bytes()
    changed = bytearray(index)
    place = changed.index(b"\x08\x28")  # the first size of the shape (40, 50)
    changed[place + 1] = 0x29
    block_end = _first_block(bytes(changed))
    changed[block_end + 1 : block_end + 5] = struct.pack("<I", mask(crc32c(bytes(changed[: block_end + 1]))))
    (folder / "one.index").write_bytes(bytes(changed))
    cases["an entry whose shape does not fit its size"] = folder / "one.index"
    return cases


def _first_block(index: bytes) -> int:
    """Bytes of the only data block of a small index."""
    footer = index[-48:]
    _, position = read_varint(footer, 0)
    _, position = read_varint(footer, position)
    start, position = read_varint(footer, position)
    size, _ = read_varint(footer, position)
    block = MemoryFile(index).read(start, size)
    _, position = read_varint(block, 0)
    fresh, position = read_varint(block, position)
    _, position = read_varint(block, position)
    position += fresh
    _, position = read_varint(block, position)
    found, _ = read_varint(block, position)
    return int(found)


def attempt(path: Path) -> None:
    """What a user would do with a file: open it, read it, check it, freeze it, run it."""
    model = cg.load(path)
    for variable in model.variables.values():
        if variable.tensor is not None:
            variable.tensor.numpy()
    report = cg.verify(path)
    if not report.is_sound:
        raise cg.Error(" | ".join(report.problems[:2]))
    if model.has_graph:
        model.freeze("y").compile("y", engine="numpy")(np.zeros((1, 40), np.float32))


def said(path: Path, directory: Path) -> str:
    """The message of the error that a case gives; an empty text when it gives none."""
    try:
        attempt(path)
    except cg.Error as error:
        return f"{type(error).__name__}: {error}".replace(str(directory), "DIR")
    return ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "files"
        messages = {name: said(path, root) for name, path in make(root).items()}
    if "--write" in sys.argv:
        MESSAGES.write_text(json.dumps(messages, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.stdout.write("".join(f"{name}\n    {text}\n" for name, text in messages.items()))
