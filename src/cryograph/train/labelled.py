"""Pictures in folders, one folder a class, and their split into three parts that stays the same as pictures come.

A picture's part depends on its file name only, by the hash that TensorFlow's image_retraining example takes: what
follows `_nohash_` in a name does not count, so that several views of one thing stay together.
Source: create_image_lists of tensorflow/examples/image_retraining/retrain.py.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..base.errors import FileError, InputError
from ..base.files import Path, is_dir, join, list_dir
from ..base.images import IMAGE_SUFFIXES, is_picture_name

PARTS = ("train", "validation", "test")
BUCKETS = 2**27 - 1
"""How finely the hash divides names."""
FEW = 20
"""With fewer pictures of a class TensorFlow's example warns; so do we."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: where it is, the number of its class, and which part it belongs to."""

    path: str
    label: int
    part: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """All pictures below a directory. `labels` are the names of its folders in alphabetical order, as lines of text;
    `warnings` say what may spoil the training."""

    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    warnings: tuple[str, ...] = ()

    def part(self, name: str) -> list[Picture]:
        """The pictures of one part."""
        return [picture for picture in self.pictures if picture.part == name]


def find_labelled(directory: Path, validation: float = 10, test: float = 10) -> Labelled:
    """The pictures below a directory, `validation` and `test` per cent of them put aside.

    Pictures lie directly in their folder; hidden files and folders do not count. FileError when there is no such
    directory; InputError for fewer than two folders with pictures, or percentages that leave nothing to train on.
    """
    root = os.fspath(directory)
    if not is_dir(root):
        raise FileError(f"{root} is no directory; one with a folder of pictures for each class was expected.")
    if not (validation >= 0 and test >= 0 and validation + test < 100):  # so that it holds for nan, too
        raise InputError(f"{validation:g} % for validation and {test:g} % for the test leave nothing to train on.")
    found: dict[str, list[str]] = {}
    empty: list[str] = []
    for name in sorted(list_dir(root)):
        folder = join(root, name)
        if not name.startswith(".") and is_dir(folder):
            files = [join(folder, f) for f in list_dir(folder) if is_picture_name(f)]
            if files:
                found[name] = files
            else:
                empty.append(name)
    if len(found) < 2:
        has = f"one folder with pictures, {next(iter(found))}" if found else "no folder with pictures"
        raise InputError(
            f"{root} has {has}; at least two classes are needed, a folder each, with its pictures"
            f" ({', '.join(IMAGE_SUFFIXES)}) directly in it."
        )
    pictures = [
        Picture(path, label, part_of(os.path.basename(path), validation, test))
        for label, files in enumerate(found.values())
        for path in files
    ]
    said = [f"{name} is left out: no picture lies directly in it" for name in empty]
    labels = tuple(_as_label(name) for name in found)
    return Labelled(labels, tuple(pictures), (*said, *_warnings(found, pictures, validation, test)))


def part_of(name: str, validation: float, test: float) -> str:
    """The part of a picture by its file name."""
    digest = hashlib.sha1(_bytes(re.sub(r"_nohash_.*$", "", name)), usedforsecurity=False).hexdigest()
    place = (int(digest, 16) % (BUCKETS + 1)) * (100.0 / BUCKETS)
    return "validation" if place < validation else "test" if place < test + validation else "train"


def _bytes(name: str) -> bytes:
    """A name as the file system has it, which need not be UTF-8."""
    return name.encode("utf-8", "surrogateescape")


def _as_label(name: str) -> str:
    """A folder's name as one line of text."""
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]", " ", _bytes(name).decode("utf-8", "replace"))


def _warnings(found: dict[str, list[str]], pictures: Sequence[Picture], validation: float, test: float) -> list[str]:
    said = []
    for label, (name, files) in enumerate(found.items()):
        count = "one picture" if len(files) == 1 else f"{len(files)} pictures"
        own = {p.part for p in pictures if p.label == label}
        if "train" not in own:
            raise InputError(
                f"{name} has {count}; the split by names leaves none to train on. Add pictures, or put fewer aside with"
                " validation and test (--validation, --test)."
            )
        if len(files) < FEW:
            said.append(f"{name} has {count} only; {FEW} or more are better")
        wanted = [part for part, share in (("validation", validation), ("test", test)) if share and part not in own]
        if wanted:
            said.append(f"no picture of {name} is in the part for {' and '.join(wanted)}")
    return said
