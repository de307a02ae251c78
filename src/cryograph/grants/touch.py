"""What the rules of ops that touch files share: the check of a path, and paths as they come in tensors."""

from __future__ import annotations

from collections.abc import Callable

from ..base.errors import InputError
from ..base.shapes import show
from ..base.tensors import Array

Touch = Callable[[str], None]
"""Raises RefusedError when a file, or the files of a checkpoint's prefix, may not be written or read."""


def anything(path: str) -> None:
    """The check of a caller who grants all paths."""


def text(value: Array, what: str) -> str:
    """One string, of any shape; InputError when there are more, or none."""
    if value.size != 1:
        raise InputError(f"{what} is one string; {value.size} of the shape {show(value.shape)} were given")
    return str(value.reshape(-1)[0].decode("utf-8", "surrogateescape"))


def scalar(value: Array, what: str) -> str:
    """One string without dimensions; InputError for others."""
    if value.ndim:
        raise InputError(f"{what} is a scalar, not of the shape {show(value.shape)}")
    return text(value, what)


def texts(values: Array) -> list[str]:
    """All strings of a tensor."""
    return [value.decode("utf-8", "surrogateescape") for value in values.reshape(-1).tolist()]


def folder_of(path: str) -> str:
    """The directory that a path names, "." when it names none."""
    return path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")
