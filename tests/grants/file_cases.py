"""Cases of the ops that run by grant."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cryograph.base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, STRING, DType, dtype_of
from cryograph.formats.checkpoint import save_checkpoint
from tests.support.file_cases import FileCase, file_case, file_refusal
from tests.support.op_cases import Array, F, L, floats, ints, kernel_types, values

W = floats(4, 3)
TREE = {"a.txt": b"hello", "b.txt": b"", "sub/c.txt": b"\0\xff", ".hidden": b"h", "sub/deep/d": b"d", "[x]": b"x"}


@cache
def checkpoint(version: int = 2, dtype: str = "float32", parts: bool = False) -> dict[str, bytes]:
    """The files of a checkpoint `m`."""
    rows = values(dtype, 4, 3)
    with tempfile.TemporaryDirectory() as folder:
        tensors = {"w": rows, "s": values(dtype, seed=1), "e": values(dtype, 0, 2)}
        if version == 1:
            del tensors["e"]
        slices = {"p 1": "p 4 3 0,1:-", "p 2": "p 4 3 1,3:-"} if parts else {}
        if parts:
            tensors |= {"p 1": rows[:1], "p 2": rows[1:]}
        save_checkpoint(f"{folder}/m", tensors, version=version, slices=slices)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def plain() -> Iterator[FileCase]:
    for name in ("a.txt", "b.txt", "sub/c.txt", "sub/../a.txt"):
        yield file_case("ReadFile", f"@/{name}", files=TREE)
    for name in ("none", "sub", "a.txt/b"):
        yield file_refusal("ReadFile", f"@/{name}", files=TREE)
    yield file_refusal("ReadFile", ["@/a.txt"], files=TREE)
    for name in ("new", "a.txt", "sub/new", "more/and/more/new"):
        yield file_case("WriteFile", f"@/{name}", b"\0\xff\n", files=TREE)
    yield file_case("WriteFile", "@/empty", b"")
    yield file_refusal("WriteFile", ["@/new"], b"x")
    yield file_refusal("WriteFile", "@/new", [b"x"])
    yield file_refusal("WriteFile", "@/a.txt/new", b"x", files=TREE)


PATTERNS = (
    *("@/*", "@/*.txt", "@/?.txt", "@/[ab].txt", "@/[!a].txt", "@/[^a].txt", "@/[a-b].txt", "@/{a,b}.txt", "@/**"),
    *("@/*/*.txt", "@/*/*", "@/*/*/*", "@/**/c.txt", "@/sub/*", "@/sub/../*.txt", "@/.*", "@/\\a.txt", "@/no*"),
    *("@/no/x*", "@/a.txt", "@/sub", "@/sub/", "@/none", "@/[[]x]", "@/\\[x]", "@/s*/", "@/[a.txt", "@/*[.txt", ""),
)


def patterns() -> Iterator[FileCase]:
    for pattern in PATTERNS:
        yield file_case("MatchingFiles", pattern, files=TREE)
    yield file_case("MatchingFiles", ["@/a.txt", "@/none", "@/*.txt", "@/?.txt"], files=TREE)
    yield file_case("MatchingFiles", np.zeros(0, object), files=TREE)
    yield file_refusal("MatchingFiles", [["@/a.txt"]], files=TREE)


def regions() -> Iterator[FileCase]:
    def region(content: Array | bytes, dtype: DType, *shape: Any, make: Any = file_case) -> FileCase:
        held = content if isinstance(content, bytes) else content.tobytes()
        made: FileCase = make("ImmutableConst", files={"m": held}, dtype=dtype, shape=shape, memory_region_name="@/m")
        return made

    for name in ("float32", "float64", "int8", "int64", "bool", "complex64", "bfloat16", "uint16"):
        yield region(values(name, 2, 3), dtype_of(name), 2, 3)
    yield region(ints(7, dtype=np.int32), INT32, 5)
    yield region(ints(1, dtype=np.int32), INT32)
    yield region(ints(1, dtype=np.int32), dtype_of("int8"), 0, 2)
    yield region(ints(6, dtype=np.int32), INT32, 7, make=file_refusal)
    yield region(ints(6, dtype=np.int32), STRING, 1, make=file_refusal)
    yield region(b"", FLOAT32, 0, make=file_refusal)
    yield file_refusal("ImmutableConst", dtype=FLOAT32, shape=(1,), memory_region_name="@/m")


VOCABULARIES = {
    "new": b"a\nb\nc\nd",
    "old": b"c\nx\na\nb\n",
    "crlf": b"a\r\nb\r\n c\r",
    "twice": b"a\na\nb\n",
    "hole": b"a\n\nb\n",
    "nothing": b"",
}


def vocabularies() -> Iterator[FileCase]:
    def remapping(new: str, old: str, offset: int, count: int, size: int = -1, make: Any = file_case) -> FileCase:
        attrs = {"new_vocab_offset": offset, "num_new_vocab": count, "old_vocab_size": size}
        made: FileCase = make("GenerateVocabRemapping", f"@/{new}", f"@/{old}", files=VOCABULARIES, **attrs)
        return made

    for offset, count, size in [(0, 4, -1), (1, 3, -1), (1, 2, -1), (0, 4, 2), (0, 0, -1), (4, 0, 1), (2, 2, 4)]:
        yield remapping("new", "old", offset, count, size)
    for offset, count, size in [(0, 4, 0), (3, 3, -1), (2, 2, 100), (5, 0, -1), (0, 5, -1)]:
        yield remapping("new", "old", offset, count, size, file_refusal)
    yield remapping("crlf", "old", 0, 3)
    yield remapping("new", "crlf", 0, 3)
    yield remapping("twice", "old", 0, 3)
    yield remapping("new", "hole", 0, 2, 1)
    yield remapping("new", "twice", 0, 2, 1)
    for new, old in [("new", "twice"), ("hole", "old"), ("new", "hole"), ("nothing", "old"), ("new", "nothing")]:
        yield remapping(new, old, 0, 1, -1, file_refusal)
    yield remapping("new", "none", 0, 1, -1, file_refusal)


def matrices() -> Iterator[FileCase]:
    def matrix(
        rows: Any, columns: Any, given: Any, shape: Any, most: int = -1, name: str = "w", make: Any = file_case
    ) -> FileCase:
        numbers = np.asarray(rows, L), np.asarray(columns, L), np.asarray(given, F)
        attrs = {"num_rows": shape[0], "num_cols": shape[1], "max_rows_in_memory": most}
        made: FileCase = make("LoadAndRemapMatrix", "@/m", name, *numbers, files=checkpoint(parts=name == "p"), **attrs)
        return made

    for most in (-1, 0, 1, 2):
        yield matrix([2, 0], [], [], (2, 3), most)
        yield matrix([2, -1, 0], [1, -1], [7, 8, 9, 10], (3, 2), most)
        yield matrix([3, 1, 2, 0], [0, 2], [], (4, 2), most)
        yield matrix([3, -1, 0, 1], [2, 1, 0], [5, 6, 7], (4, 3), most, "p")
    yield matrix([-1, -1], [], [1, 2, 3, 4, 5, 6], (2, 3))
    yield matrix([-1, -2], [-1, -2], [1, 2, 3, 4], (2, 2))
    yield matrix([], [], [], (0, 3))
    for wrong in (
        ([2, -1, 0], [1, -1], [7, 8, 9], (3, 2)),
        ([2, 0], [], [5], (2, 3)),
        ([2, 2], [], [], (2, 3)),
        ([2, 0], [1, 1], [], (2, 2)),
        ([4], [], [], (1, 3)),
        ([0], [], [], (1, 2)),
        ([0], [], [], (2, 3)),
        ([[0]], [], [], (1, 3)),
        ([0], [0, 1], [], (1, 3)),
    ):
        yield matrix(*wrong, make=file_refusal)
    for name in ("s", "none"):
        yield matrix([0], [], [], (1, 3), name=name, make=file_refusal)


def savers() -> Iterator[FileCase]:
    for dtype in kernel_types("Fill", but=["qint8", "qint16", "qint32", "quint8", "quint16"]):
        rows = values(dtype, 4, 3)
        held = dtype_of(dtype)
        yield file_case("SaveV2", "@/deep", ["w", "b/c", "e"], ["", "", ""], rows, rows[0], rows[:0])
        yield file_case("SaveV2", "@/m", ["p", "p"], ["4 3 0,2:-", "4 3 2,2:-"], rows[:2], rows[2:])
        yield file_case(
            "RestoreV2", "@/m", ["s", "w", "e"], ["", "", ""], files=checkpoint(2, dtype), dtypes=[held] * 3
        )
    for dtype in ("float32", "float64", "int32", "int64", "string", "bool", "complex64", "int8", "uint8"):
        rows, old, held = values(dtype, 4, 3), checkpoint(1, dtype), dtype_of(dtype)
        yield file_case("Save", "@/m", ["w", "a"], rows, rows[0])
        yield file_case("SaveSlices", "@/m", ["w", "p", "p"], ["", "4 3 0,2:-", "4 3 2,2:-"], rows, rows[:2], rows[2:])
        yield file_case("Restore", "@/m", "w", files=old, dt=held, preferred_shard=0)
        yield file_case("RestoreSlice", "@/m", "w", "4 3 1,2:-", files=old, dt=held)
        yield file_case("RestoreV2", "@/m", ["w", "s"], ["4 3 -:1,2", ""], files=old, dtypes=[held] * 2)
    whole = checkpoint(2, "float32", True)
    for name, spec in [("w", "4 3 1,2:0,1"), ("w", "4 3 -:-"), ("p", ""), ("p", "4 3 0,2:-"), ("p", "4 3 0,1:-")]:
        yield file_case("RestoreV2", "@/m", [name], [spec], files=whole, dtypes=[FLOAT32])
    for names, specs, dtypes in [
        (["none"], [""], [FLOAT32]),
        (["w"], [""], [FLOAT64]),
        (["w"], ["3 4 -:-"], [FLOAT32]),
        (["w"], ["4 3 3,2:-"], [FLOAT32]),
        (["w"], ["4 3"], [FLOAT32]),
        (["w", "w"], [""], [FLOAT32, FLOAT32]),
        (["w"], [""], [FLOAT32, FLOAT32]),
    ]:
        yield file_refusal("RestoreV2", "@/m", names, specs, files=whole, dtypes=dtypes)
    yield file_refusal("RestoreV2", "@/none", ["w"], [""], files=whole, dtypes=[FLOAT32])
    yield file_refusal("RestoreV2", ["@/m", "@/m"], ["w"], [""], files=whole, dtypes=[FLOAT32])
    for op, spec in (("Restore", []), ("RestoreSlice", [""])):
        yield file_refusal(op, "@/m", "none", *spec, files=checkpoint(1), dt=FLOAT32)
        yield file_refusal(op, "@/m", "w", *spec, files=checkpoint(1), dt=BOOL)
        yield file_refusal(op, "@/m", "w", *spec, files=checkpoint(2), dt=FLOAT32)
    yield file_refusal("SaveV2", "@/m", ["w", "w"], ["", ""], W, W)
    yield file_refusal("SaveV2", "@/m", ["w"], ["", ""], W)
    yield file_refusal("SaveV2", "@/m", ["w"], ["4 3 0,2:-"], W)
    yield file_refusal("SaveV2", "@/m", ["w"], ["4 3 0,9:-"], W)
    yield file_refusal("Save", "@/m", ["w"], W, W)
    yield file_refusal("SaveSlices", "@/m", ["w"], ["4 3 0,2:-"], W)


def merges() -> Iterator[FileCase]:
    def parts(**given: dict[str, Array]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for part, tensors in given.items():
            with tempfile.TemporaryDirectory() as folder:
                slices = {key: key for key in tensors if " " in key}
                save_checkpoint(f"{folder}/{part}", tensors, slices=slices)
                files |= {f"temp/{path.name}": path.read_bytes() for path in Path(folder).iterdir()}
        return files

    one, two = {"w": W, "p 4 3 0,2:-": W[:2]}, {"p 4 3 2,2:-": W[2:], "a": ints(3)}
    for delete in (True, False):
        files = parts(one=one, two=two, three={"z": values("string", 2)})
        prefixes = ["@/temp/one", "@/temp/two", "@/temp/three"]
        yield file_case("MergeV2Checkpoints", prefixes, "@/m", files=files, delete_old_dirs=delete)
        yield file_case("MergeV2Checkpoints", prefixes[:2], "@/temp/m", files=parts(one=one, two=two),
                        delete_old_dirs=delete)  # fmt: skip
    yield file_case("MergeV2Checkpoints", ["@/temp/one", "@/temp/no"], "@/m", files=parts(one={"w": W}),
                    allow_missing_files=True)  # fmt: skip
    yield file_refusal("MergeV2Checkpoints", ["@/temp/one", "@/temp/no"], "@/m", files=parts(one={"w": W}))
    yield file_refusal("MergeV2Checkpoints", ["@/temp/no"], "@/m", allow_missing_files=True)
    yield file_refusal("MergeV2Checkpoints", ["@/temp/one", "@/temp/two"], "@/m",
                       files=parts(one={"w": W}, two={"w": W}))  # fmt: skip
    yield file_refusal("MergeV2Checkpoints", "@/temp/one", "@/m", files=parts(one={"w": W}))
    yield file_refusal("MergeV2Checkpoints", ["@/temp/one"], ["@/m"], files=parts(one={"w": W}))


CASES: list[FileCase] = [*plain(), *patterns(), *regions(), *vocabularies(), *matrices(), *savers(), *merges()]
