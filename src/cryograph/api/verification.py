"""Checks a file for damage: every checksum, size, name, edge and type that it holds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ..base.errors import DamagedError, Error, FormatError, LimitError
from ..base.files import Path
from ..formats.checkpoint import Checkpoint
from ..formats.load import load_document
from ..graph.document import Document
from ..ops.validity import complaints

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. `problems` are sentences, one a fault; `checked` says in words what was looked at."""

    path: str
    checked: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_json(self) -> str:
        """The report as JSON."""
        fields = {"path": self.path, "sound": self.is_sound, "checked": self.checked, "problems": self.problems}
        return json.dumps(fields, indent=2)

    def __str__(self) -> str:
        lines = [f"{self.path}: checked {', '.join(self.checked) or 'nothing'}"]
        if self.is_sound:
            return f"{lines[0]}; all is sound"
        lines += [f"  {problem}" for problem in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            lines.append(f"  ... and {len(self.problems) - SHOWN} more")
        return "\n".join(lines)


def _unreadable(document: Document) -> Iterator[str]:
    """Why values cannot be read, for those that cannot."""
    for variable in document.variables.values():
        tensor = variable.tensor
        try:
            if tensor is not None and tensor.dtype.is_string:
                tensor.numpy()
            elif tensor is not None:
                for _ in tensor.chunks():
                    pass
        except Error as error:
            yield str(error)


def verify(path: Path) -> Verification:
    """Checks a model file or checkpoint and lists what is wrong with it. Errors of reading (a missing file, a file of a
    kind that cannot be opened) are raised as such; damage is reported."""
    name = os.fspath(path)
    checked: list[str] = []
    problems: list[str] = []
    try:
        document = load_document(name)
    except (DamagedError, LimitError) as error:
        return Verification(name, ("the file's structure",), (str(error),))
    if document.has_graph:
        checked.append(f"{len(document.graph)} nodes and {len(document.graph.functions)} functions")
        problems += complaints(document)
    weights = document.weights or (name if document.kind == "checkpoint" else "")
    if weights:
        try:
            report = Checkpoint(weights).verify()
            checked.append(f"{report.checked} tensors of {weights}")
            problems += report.problems
        except FormatError as error:
            problems.append(str(error))
    elif document.kind == "saved_model" and any(v.tensor is None for v in document.variables.values()):
        problems.append(f"{name} has variables, but no checkpoint of them in variables/, so that it cannot be loaded")
    if document.kind == "arrays":
        checked.append(f"{len(document.variables)} arrays")
        problems += _unreadable(document)
    for asset, span in document.assets.items():
        checked.append(f"the asset {asset}")
        if span.length != span.file.size and span.offset == 0:
            problems.append(f"the asset {asset!r} is cut short")
    return Verification(name, tuple(checked), tuple(problems))
