"""What users say of a classifier: names of classes (from files, from the assets of a model), sizes, levels."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..base.errors import FileError, InputError
from ..base.files import Path, open_file
from ..graph.document import Document


def read_labels(labels: Path | Sequence[str] | None) -> list[str] | None:
    """The labels of a file with one a line, or those given; None for none. FileError for what is no such file."""
    if labels is None or not isinstance(labels, str | os.PathLike):
        return None if labels is None else [str(label) for label in labels]
    name = os.fspath(labels)
    return _lines(open_file(name).span().read(), name)


def _lines(data: bytes, name: str) -> list[str]:
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FileError(f"{name} is no list of labels: UTF-8 text with one label a line was expected.") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise FileError(f"{name} holds no labels; one label a line was expected.")
    return [line.strip() for line in lines]


def labels_of_assets(model: Document, width: int | None) -> list[str] | None:
    """The only text among the model's assets with as many lines as there are classes."""
    found = []
    for name, span in model.assets.items():
        try:
            lines = _lines(span.read(), name)
        except FileError:
            continue
        if len(lines) == width:
            found.append(lines)
    return found[0] if len(found) == 1 else None


def fitting_labels(labels: list[str] | None, width: int | None, reasons: list[str]) -> list[str]:
    """One label for each class."""
    if labels is None:
        if width is None:
            raise InputError("How many classes there are is not known; give labels (--labels).")
        reasons.append("no labels were given: classes are numbers")
        return [str(index) for index in range(width)]
    if width is None or len(labels) == width:
        return labels
    if len(labels) + 1 == width:
        reasons.append(f"{len(labels)} labels for {width} classes: the first class is the background")
        return ["background", *labels]
    raise InputError(f"There are {len(labels)} labels for {width} classes; one label a class was expected.")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Height and width in pixels from `224` or `224x160`; None for nothing."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) not in (1, 2) or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"{text!r} is no size; 224 or 224x160 (height x width, in pixels) was expected.")
    return int(parts[0]), int(parts[-1])


def parse_levels(text: str | None) -> list[float] | None:
    """Numbers with commas between; None for nothing."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"{text!r} is no level; a number, or one for each channel with commas, was expected."
        ) from None
