"""Arrays by name: .npz and .safetensors, against numpy's and safetensors' own readers and writers, and damaged."""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from cryograph.base.dtypes import dtype_of
from cryograph.base.errors import DamagedError, Error, FormatError, InputError, LimitError, MissingExtraError
from cryograph.base.tensors import Tensor
from cryograph.formats.arrays import (
    MAX_JSON,
    read_npz,
    read_safetensors,
    variables_document,
    write_npz,
    write_safetensors,
)

BOTH: dict[str, Any] = {
    "scope/w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "file": np.array(3),
    "allow_pickle": np.zeros((0, 3)),
    "b": np.array([[True], [False]]),
    **{
        n: np.array([1, 2]).astype(n)
        for n in ("uint8", "int8", "int16", "uint16", "float16", "int32", "uint32", "uint64")
    },
}


def document(arrays: dict[str, Any]) -> Any:
    return variables_document(
        "x", {n: a if isinstance(a, Tensor) else Tensor.of(a) for n, a in arrays.items()}, "arrays"
    )


def assert_read(path: Path, arrays: dict[str, Any], read: Any) -> None:
    variables = read(path).variables
    assert set(variables) == set(arrays)
    for name, array in arrays.items():
        found = variables[name].tensor.numpy()
        assert (found.shape, found.dtype) == (np.shape(array), np.asarray(array).dtype)
        assert found.tobytes() == np.asarray(array).tobytes()


def test_npz_both_ways(tmp_path: Path) -> None:
    arrays = {**BOTH, "c": np.array([1j]), "c64": np.array([1j], np.complex64)}
    write_npz(document(arrays), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as theirs:
        assert {n: theirs[n].tolist() for n in theirs.files} == {n: a.tolist() for n, a in arrays.items()}
    assert_read(tmp_path / "a.npz", arrays, read_npz)
    plain = {
        n: a for n, a in arrays.items() if n not in ("file", "allow_pickle")
    }  # numpy's own writer takes no such names
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "b.npz", **plain)
        assert_read(tmp_path / "b.npz", plain, read_npz)
    write_npz(document(arrays), tmp_path / "c.npz")
    assert (tmp_path / "c.npz").read_bytes() == (tmp_path / "a.npz").read_bytes()


def test_npz_stays_in_the_file(tmp_path: Path) -> None:
    write_npz(document(BOTH), tmp_path / "a.npz")
    tensor = read_npz(tmp_path / "a.npz").variables["scope/w"].tensor
    assert tensor is not None
    assert tensor.content is not None
    assert not tensor.numpy().flags.owndata
    np.savez_compressed(tmp_path / "b.npz", w=BOTH["scope/w"])
    packed = read_npz(tmp_path / "b.npz").variables["w"].tensor
    assert packed is not None
    assert packed.content is None


def test_npz_in_other_orders(tmp_path: Path) -> None:
    rows = np.arange(6.0).reshape(2, 3)
    np.savez(
        tmp_path / "a.npz",
        f=np.asfortranarray(rows),
        big=np.arange(3, dtype=">i4"),
        u=np.array(["é", "b"]),
        s=np.array([b"x"]),
    )
    found = {n: v.tensor.numpy() for n, v in read_npz(tmp_path / "a.npz").variables.items() if v.tensor is not None}
    assert found["f"].tolist() == rows.tolist()
    assert found["big"].tolist() == [0, 1, 2]
    assert found["u"].tolist() == ["é".encode(), b"b"]
    assert found["s"].tolist() == [b"x"]


def test_npz_strings(tmp_path: Path) -> None:
    write_npz(document({"s": np.array([b"a", b"", b"long"], object)}), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as theirs:
        assert theirs["s"].tolist() == [b"a", b"", b"long"]
    with pytest.raises(InputError, match=r"'s' has a string that ends in a zero byte, which \.npz loses"):
        write_npz(document({"s": np.array([b"a\0"], object)}), tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("kind", "way_out"), [("bfloat16", r"\.safetensors or a checkpoint"), ("int4", "a checkpoint")]
)
def test_npz_refuses_what_it_has_no_name_for(tmp_path: Path, kind: str, way_out: str) -> None:
    with pytest.raises(InputError, match=rf"^'w' is {kind}, which \.npz files cannot hold; {way_out} can\.$"):
        write_npz(document({"w": np.zeros(2, getattr(ml_dtypes, kind))}), tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "b.npz", w=np.zeros(2, ml_dtypes.bfloat16))
    with pytest.raises(FormatError, match=r"'w\.npy' has the dtype .*, which is none of TensorFlow's"):
        read_npz(tmp_path / "b.npz")


def test_npz_runs_no_code(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.array([{}], object))
    with pytest.raises(FormatError, match=r"'w\.npy' holds pickled objects, which could run code; they are not read"):
        read_npz(tmp_path / "a.npz")


def member(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not an array", "is not an array that can be read"),
        (
            member("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }"),
            "takes 4000000000000000000",
        ),
        (
            member("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"),
            r"has the shape \(-1,\)|is not an array",
        ),
        (
            member("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", b"12345678"),
            "takes 12 bytes, but 8 are there",
        ),
        (member("{'descr': '<f4', 'shape': " + "(" * 60), "is not an array that can be read"),
    ],
)
def test_npz_members_that_lie(tmp_path: Path, content: bytes, message: str) -> None:
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", kind) as archive:
            archive.writestr("w.npy", content)
        with pytest.raises(DamagedError, match=message):
            read_npz(tmp_path / "a.npz")


def test_npz_that_is_damaged(tmp_path: Path) -> None:
    write_npz(document(BOTH), tmp_path / "a.npz")
    data = (tmp_path / "a.npz").read_bytes()
    at = data.index(np.float32(4).tobytes())
    (tmp_path / "bit.npz").write_bytes(data[:at] + b"\xff" + data[at + 1 :])
    with pytest.raises(DamagedError, match=r"'scope/w\.npy' is not an array that can be read: Bad CRC-32"):
        read_npz(tmp_path / "bit.npz")  # so small that reading its header reads it all
    for size in range(0, len(data), 37):
        (tmp_path / "cut.npz").write_bytes(data[:size])
        with pytest.raises(DamagedError, match=r"is not a \.npz file that can be read"):
            read_npz(tmp_path / "cut.npz")
    for place in range(0, len(data), 3):
        (tmp_path / "bit.npz").write_bytes(data[:place] + bytes([data[place] ^ 0x15]) + data[place + 1 :])
        try:
            for variable in read_npz(tmp_path / "bit.npz").variables.values():
                assert variable.tensor is not None
                variable.tensor.numpy()
        except Error:
            pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_npz_with_a_name_twice(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("w.npy", buffer.getvalue())
        archive.writestr("w.npy", buffer.getvalue())
    with pytest.raises(DamagedError, match=r"two members are called 'w\.npy'"):
        read_npz(tmp_path / "a.npz")


SAFE = {
    **BOTH,
    "bf16": np.array([1, 2], ml_dtypes.bfloat16),
    "e4m3": np.array([1, 2], ml_dtypes.float8_e4m3fn),
    "e5m2": np.array([1, 2], ml_dtypes.float8_e5m2),
    'odd "name"\n': np.float64(1),
}


def test_safetensors_both_ways(tmp_path: Path) -> None:
    write_safetensors(document(SAFE), tmp_path / "a.safetensors")
    theirs = safetensors.numpy.save({n: np.array(a) for n, a in SAFE.items()})
    assert (tmp_path / "a.safetensors").read_bytes() == theirs
    assert_read(tmp_path / "a.safetensors", SAFE, read_safetensors)
    tensor = read_safetensors(tmp_path / "a.safetensors").variables["bf16"].tensor
    assert tensor is not None
    assert tensor.content is not None


def test_quantised_integers_become_plain_ones(tmp_path: Path) -> None:
    quantised = {"q": Tensor.of([1, -2], dtype_of("qint8"))}
    write_safetensors(document(quantised), tmp_path / "a.safetensors")
    assert_read(tmp_path / "a.safetensors", {"q": np.array([1, -2], np.int8)}, read_safetensors)
    write_npz(document(quantised), tmp_path / "a.npz")
    assert_read(tmp_path / "a.npz", {"q": np.array([1, -2], np.int8)}, read_npz)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"w": np.array([1j])}, r"'w' is complex128, which \.safetensors files cannot hold; a checkpoint can\."),
        ({"w": np.array([b"x"], object)}, "'w' is string, which"),
        ({"w": np.zeros(2, ml_dtypes.int4)}, "'w' is int4, which"),
        ({"__metadata__": np.zeros(2)}, "A variable called '__metadata__' cannot be held"),
    ],
)
def test_safetensors_refuses(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_safetensors(document(arrays), tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def safe_file(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def safe_header(**fields: Any) -> bytes:
    return json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **fields}}).encode()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", DamagedError, "is not a .safetensors file that can be read"),
        (b"\x01", DamagedError, "is not a .safetensors file that can be read"),
        (struct.pack("<Q", 1 << 62), LimitError, rf"says that its header has \d+ bytes; at most {MAX_JSON} are read"),
        (struct.pack("<Q", 1 << 20) + b"{}", DamagedError, "is not a .safetensors file that can be read"),
        (safe_file(b"{"), DamagedError, "is not a .safetensors file that can be read"),
        (safe_file(b"[" * 100_000), DamagedError, "is not a .safetensors file that can be read"),
        (safe_file(safe_header(), bytes(7)), DamagedError, "is not a .safetensors file that can be read"),
        (safe_file(safe_header(shape=[10**9, 10**9]), bytes(8)), DamagedError, "is not a .safetensors file"),
        (safe_file(safe_header(data_offsets=[4, 12]), bytes(12)), DamagedError, "is not a .safetensors file"),
        (safe_file(safe_header(dtype="X9"), bytes(8)), DamagedError, "is not a .safetensors file"),
        (safe_file(safe_header(), bytes(9)), DamagedError, "is not a .safetensors file"),
        (safe_file(safe_header(shape=[1] * 70, data_offsets=[0, 4]), bytes(4)), LimitError, "'w' has 70 dimensions"),
    ],
)
def test_safetensors_that_lie(tmp_path: Path, content: bytes, error: type[Error], message: str) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(error, match=message):
        read_safetensors(tmp_path / "a.safetensors")


def test_a_boolean_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(safe_file(safe_header(dtype="BOOL", data_offsets=[0, 2]), b"\x01\x07"))
    tensor = read_safetensors(tmp_path / "a.safetensors").variables["w"].tensor
    assert tensor is not None
    with pytest.raises(DamagedError, match="'w': a boolean is neither 0 nor 1"):
        tensor.numpy()


def test_remote_arrays() -> None:
    write_npz(document(BOTH), "memory://arrays/a.npz")
    assert_read(Path("unused"), BOTH, lambda _: read_npz("memory://arrays/a.npz"))
    write_safetensors(document(SAFE), "memory://arrays/a.safetensors")
    assert_read(Path("unused"), SAFE, lambda _: read_safetensors("memory://arrays/a.safetensors"))


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    sentence = r"\.safetensors needs safetensors, which is not installed: pip install 'cryograph\[safetensors\]'$"
    with pytest.raises(MissingExtraError, match=sentence):
        write_safetensors(document(BOTH), tmp_path / "a.safetensors")
    with pytest.raises(MissingExtraError, match=sentence):
        read_safetensors(tmp_path / "a.safetensors")


def test_variables_without_values(tmp_path: Path) -> None:
    for write in (write_npz, write_safetensors):
        with pytest.raises(InputError, match="cannot be written: it has none"):
            write(document({}), tmp_path / "a")
