"""Golden files: what TensorFlow answered to the cases of a family, by a digest of the case.

A file is an LZMA stream: a line of JSON, which holds for each case nothing (TensorFlow refused it) or dtype and shape
of each answer, and then the contents of all answers, one behind the other, as little-endian numbers; of strings first
the lengths, as 32-bit numbers. `tools/gen_golden.py` writes them, and checks them against the installed TensorFlow.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import lzma
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import prod
from pathlib import Path

import numpy as np

from cryograph.base.dtypes import DType, dtype_of
from tests.support.op_cases import Array, Case

ENGINES = Path(__file__).parents[1] / "engines"
GOLDEN = ENGINES / "golden"

Answers = Mapping[str, "list[Array] | None"]


def families() -> list[str]:
    """The names of all files of cases; of those only that OP_FAMILIES lists, where it is set."""
    asked = os.environ.get("OP_FAMILIES", "").split()
    return asked or sorted(path.stem for path in (ENGINES / "cases").glob("*.py"))


@cache
def cases_of(family: str) -> list[Case]:
    """The cases of one file, each once."""
    cases: list[Case] = importlib.import_module(f"tests.engines.cases.{family}").CASES
    return list({(digest(case), case.fixed, case.sizes): case for case in cases}.values())


@cache
def answers_of(family: str) -> Answers:
    """The recorded answers of one family."""
    path = GOLDEN / f"{family}.bin"
    return read_answers(path) if path.exists() else {}


def digest(case: Case) -> str:
    """What a case asks, in 16 letters."""
    said = hashlib.sha256()
    said.update(repr((case.op, sorted((k, _word(v)) for k, v in case.attrs.items()), case.turned)).encode())
    for array in case.inputs:
        said.update(f"{array.dtype.name}{array.shape}".encode())
        for part in _contents(array):
            said.update(part)
    return said.hexdigest()[:16]


def _word(value: object) -> str:
    return value.name if isinstance(value, DType) else repr(value)


def _contents(array: Array) -> Iterator[bytes]:
    if array.dtype == object:
        items = array.ravel().tolist()
        yield np.array([len(item) for item in items], "<u4").tobytes()
        yield from items
    else:
        yield array.tobytes()


def write_answers(path: Path, answers: Answers) -> None:
    """Writes a golden file."""
    index = {
        key: None if found is None else [[array.dtype.name, list(array.shape)] for array in found]
        for key, found in sorted(answers.items())
    }
    parts = [json.dumps(index, separators=(",", ":")).encode() + b"\n"]
    for key in index:
        parts += [part for array in answers[key] or () for part in _contents(array)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(b"".join(parts), preset=9))


def read_answers(path: Path) -> Answers:
    """Reads a golden file."""
    head, _, blob = lzma.decompress(path.read_bytes()).partition(b"\n")
    found: dict[str, list[Array] | None] = {}
    place = 0
    for key, kinds in json.loads(head).items():
        if kinds is None:
            found[key] = None
            continue
        made = []
        for kind, shape in kinds:
            array, place = _array(blob, place, kind, shape)
            made.append(array)
        found[key] = made
    return found


def _array(blob: bytes, place: int, kind: str, shape: Sequence[int]) -> tuple[Array, int]:
    count = prod(shape)
    if kind == "object":
        sizes = np.frombuffer(blob, "<u4", count, place).tolist()
        place += 4 * count
        made = np.empty(count, object)
        for number, size in enumerate(sizes):
            made[number] = blob[place : place + size]
            place += size
        return made.reshape(shape), place
    dtype = np.dtype(bool) if kind == "bool" else dtype_of(kind).numpy
    assert dtype is not None
    return np.frombuffer(blob, dtype, count, place).reshape(shape), place + count * dtype.itemsize
