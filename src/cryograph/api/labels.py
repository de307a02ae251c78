"""What users say of a classifier: names of classes (from files, from a model or what lies beside it), sizes, levels."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence

from ..base.errors import FileError, InputError
from ..base.files import Path, is_file, open_file
from ..graph.document import Document

MAX_MAP = 100_000
"""The largest number of a class in a map of labels."""


def read_labels(labels: Path | Sequence[str] | None) -> list[str] | None:
    """The labels of a file, or those given; None for none. FileError for what is no such file.

    A file has one label a line, with or without its number before it; or it is JSON: a list, or an object from numbers
    to labels (Keras' class index) or from labels to numbers; or a label map of the object detection models (`.pbtxt`).
    """
    if labels is None or not isinstance(labels, str | os.PathLike):
        return None if labels is None else [str(label) for label in labels]
    name = os.fspath(labels)
    return _labels(open_file(name).span().read(), name)


def _labels(data: bytes, name: str) -> list[str]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{name} is no list of labels: UTF-8 text with one label a line was expected.") from error
    if text.lstrip().startswith(("{", "[")):
        return _of_json(text, name)
    items = re.findall(r"^\s*item\s*\{(.*?)\}", text, re.DOTALL | re.MULTILINE)
    return _of_map(items, name) if items else _of_lines(text, name)


def _of_lines(text: str, name: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise FileError(f"{name} holds no labels; one label a line was expected.")
    numbered = [re.fullmatch(r"(\d+)\s*[:,\s]\s*(\S.*)", line) for line in lines]
    numbers = [found and int(found[1]) for found in numbered]
    if len(lines) > 1 and numbers in (list(range(len(lines))), list(range(1, len(lines) + 1))):
        return [found[2] for found in numbered if found]
    return lines


def _of_json(text: str, name: str) -> list[str]:
    try:
        held = json.loads(text)
    except ValueError as error:
        raise FileError(f"{name} begins as JSON does, but is none: {error}.") from error
    if isinstance(held, dict) and all(isinstance(number, int) for number in held.values()):
        held = {number: label for label, number in held.items()}
    pairs = list(held.items()) if isinstance(held, dict) else list(enumerate(held)) if isinstance(held, list) else []
    found = {str(number): label[-1] if isinstance(label, list) and label else label for number, label in pairs}
    labels = [found.get(str(number)) for number in range(len(found))]
    if not labels or not all(isinstance(label, str) for label in labels):
        raise FileError(
            f"{name} is no list of labels: a JSON list of them was expected, or an object with one for each number from"
            " 0 on."
        )
    return [str(label) for label in labels]


def _of_map(items: Sequence[str], name: str) -> list[str]:
    """Items with an `id` from 1; class 0 is the background."""
    found: dict[int, str] = {0: "background"}
    for item in items:
        number = re.search(r"\bid\s*:\s*(\d+)", item)
        label = re.search(r"\bdisplay_name\s*:\s*[\"'](.*?)[\"']\s*$", item, re.MULTILINE)
        label = label or re.search(r"\bname\s*:\s*[\"'](.*?)[\"']\s*$", item, re.MULTILINE)
        if number is None or label is None:
            raise FileError(
                f"{name} is a map of labels with an item without id or name: {' '.join(item.split())[:80]!r}."
            )
        found[int(number[1])] = label[1]
    if max(found) > MAX_MAP:
        raise FileError(f"{name} is a map of labels with the id {max(found)}; at most {MAX_MAP} was expected.")
    return [found.get(number, str(number)) for number in range(max(found) + 1)]


def labels_of_assets(model: Document, width: int | None) -> list[str] | None:
    """The only text among the model's assets with as many labels as there are classes."""
    found = []
    for name, span in model.assets.items():
        try:
            labels = _labels(span.read(), name)
        except FileError:
            continue
        if len(labels) == width:
            found.append(labels)
    return found[0] if len(found) == 1 else None


def labels_beside(source: str, width: int | None, reasons: list[str]) -> list[str] | None:
    """The labels that lie beside a model's file, as `retrain` writes them (`MODEL_labels.txt`) and TensorFlow's example
    did (`retrained_graph.pb` and `retrained_labels.txt`), where there are as many as classes."""
    stem = os.path.splitext(source.rstrip("/"))[0]
    for base in dict.fromkeys((stem, stem.removesuffix("_graph"))):
        path = f"{base}_labels.txt"
        try:
            labels = read_labels(path) if base and is_file(path) else None
        except FileError:
            continue
        if labels is not None and len(labels) == width:
            reasons.append(f"labels are those of {path}, which lies beside the model")
            return labels
    return None


def fitting_labels(labels: list[str] | None, width: int | None, reasons: list[str]) -> list[str]:
    """One label for each class."""
    if labels is None:
        if width is None:
            raise InputError("How many classes there are is not known; give labels (--labels).")
        reasons.append("no labels were given: classes are numbers")
        return [str(index) for index in range(width)]
    if width is None or len(labels) == width:
        return labels
    if len(labels) == width + 1 and labels[0] == "background":
        return labels[1:]
    if len(labels) + 1 == width:
        reasons.append(f"{len(labels)} labels for {width} classes: the first class is the background")
        return ["background", *labels]
    many = "is 1 label" if len(labels) == 1 else f"are {len(labels)} labels"
    raise InputError(f"There {many} for {width} classes; one label a class was expected (--labels).")


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
