"""Cases of ops that touch files: files that are there, one op, its answers, and the files that are there afterwards.

Paths begin with `@`, which stands for a folder of the run, in strings among inputs and attributes as in answers.
`tools/gen_file_cases.py` asks TensorFlow and keeps its answers in tests/grants/golden.bin, as golden.py has it.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.golden import digest, read_answers, write_answers
from tests.support.op_cases import Array, Case

GOLDEN = Path(__file__).parents[1] / "grants" / "golden.bin"
HERE = b"@"


@dataclass(frozen=True)
class FileCase:
    """An op on given inputs, beside files by their names. `refused`: TensorFlow raises an error, and so must an
    engine; what it leaves in the folder then is not compared."""

    case: Case
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What the case asks, in 16 letters."""
        said = hashlib.sha256(digest(self.case).encode())
        for name, content in sorted(self.files.items()):
            said.update(b"%d %d " % (len(name), len(content)) + name.encode() + content)
        return said.hexdigest()[:16]


@dataclass(frozen=True)
class Answer:
    """The outputs of an op, and all files afterwards."""

    outputs: Sequence[Array]
    files: Mapping[str, bytes]


def cases() -> list[FileCase]:
    """All of them."""
    found: list[FileCase] = importlib.import_module("tests.grants.file_cases").CASES
    return found


def ask(case: FileCase, folder: Path, run: Callable[[Case], Sequence[Array]]) -> Answer:
    """Runs a case in an empty folder."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    there = str(folder).encode()
    inputs = tuple(_replaced(x, HERE, there) for x in case.case.inputs)
    attrs = {k: v.replace("@", str(folder)) if isinstance(v, str) else v for k, v in case.case.attrs.items()}
    outputs = [_replaced(x, there, HERE) for x in run(replace(case.case, inputs=inputs, attrs=attrs))]
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return Answer(outputs, {str(path.relative_to(folder)): path.read_bytes() for path in found})


def _replaced(array: Array, before: bytes, after: bytes) -> Array:
    if array.dtype != object:
        return array
    made = np.empty(array.shape, object)
    for place, item in np.ndenumerate(array):
        made[place] = item.replace(before, after)
    return made


def write(answers: Mapping[str, Answer | None]) -> None:
    """Writes the golden file."""
    entries: dict[str, list[Array] | None] = {}
    for key, answer in answers.items():
        entries[key] = None if answer is None else [_texts(answer.files), *answer.outputs]
    write_answers(GOLDEN, entries)


def _texts(files: Mapping[str, bytes]) -> Array:
    made = np.empty((len(files), 2), object)
    for number, (name, content) in enumerate(files.items()):
        made[number] = [name.encode(), content]
    return made


@cache
def read() -> Mapping[str, Answer | None]:
    """The recorded answers."""
    found: dict[str, Answer | None] = {}
    for key, held in read_answers(GOLDEN).items() if GOLDEN.exists() else ():
        files = {} if held is None else {name.decode(): content for name, content in held[0].tolist()}
        found[key] = None if held is None else Answer(held[1:], files)
    return found


def file_case(op: str, *inputs: Any, files: Mapping[str, bytes] | None = None, **attrs: Any) -> FileCase:
    """A case whose inputs are anything that numpy takes; strings become bytes."""
    return FileCase(Case(op, tuple(map(_array, inputs)), attrs), files or {})


def file_refusal(op: str, *inputs: Any, files: Mapping[str, bytes] | None = None, **attrs: Any) -> FileCase:
    """A case that TensorFlow refuses."""
    made = file_case(op, *inputs, files=files, **attrs)
    return replace(made, case=replace(made.case, refused=True))


def _array(value: Any) -> Array:
    made = np.asarray(value, object) if isinstance(value, bytes | str) else np.asarray(value)
    if made.dtype.kind not in "OSU":
        return made
    held = np.empty(made.shape, object)
    for place, item in np.ndenumerate(np.asarray(value, object)):
        held[place] = item.encode() if isinstance(item, str) else bytes(item)
    return held
