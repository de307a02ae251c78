"""Ops that read, write and look for files, for the reference engine: ReadFile, WriteFile, MatchingFiles,
ImmutableConst.

Each asks, before it touches anything, whether it may; a pattern is asked for as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from ..base.dtypes import DType
from ..base.errors import InputError, UnsupportedError
from ..base.files import atomic_write, exists, is_dir, join, list_dir, make_dir, open_file
from ..base.shapes import Shape, element_count, show
from ..base.tensors import Array, Tensor
from ..engines.numpy.context import Context, Rule
from .touch import Touch, folder_of, scalar

REGION = b"memmapped_package://"
"""How ImmutableConst names a part of the file that holds its graph; reading such a file gives constants."""

_WILD = re.compile(r"[*?\[\\]")


def matching(pattern: str) -> list[str]:
    """The files and directories whose paths fit a pattern of `*`, `?`, `[a-z]`, `[!a]` and `\\x`, each within one
    name. Paths begin as the pattern does; one without wildcards is a path itself."""
    found = _WILD.search(pattern)
    if found is None:
        return [pattern] if pattern and exists(pattern) else []
    known, _, rest = pattern[: found.start()].rpartition("/")
    rest = pattern[len(known) + 1 :] if "/" in pattern[: found.start()] else pattern
    start = known if known or not pattern.startswith("/") else "/"
    return list(_below(start or ".", [part for part in rest.split("/") if part]))


def _below(folder: str, parts: list[str]) -> Iterator[str]:
    first, more = _one_name(parts[0]), parts[1:]
    for name in list_dir(folder) if is_dir(folder) else []:
        if first.fullmatch(name):
            path = join(folder, name)
            yield from _below(path, more) if more else [path]


def _one_name(pattern: str) -> re.Pattern[str]:
    """A part of a pattern as a regular expression."""
    made, at = "", 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        bracket = re.match(r"[!^]?\]?[^\]]*\]", pattern[at:]) if letter == "[" else None
        if letter == "*":
            made += ".*"
        elif letter == "?":
            made += "."
        elif letter == "\\" and at < len(pattern):
            made += re.escape(pattern[at])
            at += 1
        elif bracket is not None:
            at += bracket.end()
            inside = bracket[0][:-1]
            negated = inside[:1] in ("!", "^")
            kept = re.sub(r"([\\\[\]^&|~])", r"\\\1", inside[1:] if negated else inside)
            made += f"[{'^' if negated else ''}{kept}]"
        else:
            made += re.escape(letter)
    return re.compile(made, re.DOTALL)


def _read_file(touch: Touch) -> Rule:
    def rule(ctx: Context, filename: Array) -> Array:
        path = scalar(filename, "the file name")
        touch(path)
        file = open_file(path)
        held = np.empty((), object)
        held[()] = file.read(0, file.size)
        return held

    return rule


def _write_file(touch: Touch) -> Rule:
    def rule(ctx: Context, filename: Array, contents: Array) -> tuple[Array, ...]:
        path = scalar(filename, "the file name")
        if contents.ndim:
            raise InputError(f"one string is written to a file, not one of the shape {show(contents.shape)}")
        touch(path)
        make_dir(folder_of(path))
        with atomic_write(path) as out:
            out.write(contents.item())
        return ()

    return rule


def _matching_files(touch: Touch) -> Rule:
    def rule(ctx: Context, patterns: Array) -> Array:
        if patterns.ndim > 1:
            raise InputError(f"a vector of patterns or a single one was expected, not {show(patterns.shape)}")
        found: list[bytes] = []
        for pattern in patterns.reshape(-1).tolist():
            text = pattern.decode("utf-8", "surrogateescape")
            touch(text)
            found += [path.encode("utf-8", "surrogateescape") for path in matching(text)]
        made = np.empty(len(found), object)
        made[:] = sorted(found)
        return made

    return rule


def _immutable_const(touch: Touch) -> Rule:
    def rule(ctx: Context, *, dtype: DType, shape: Shape, memory_region_name: bytes) -> Array:
        if memory_region_name.startswith(REGION):
            raise UnsupportedError(f"{memory_region_name.decode('utf-8', 'replace')} is in the file of another graph")
        if not dtype.itemsize or shape is None or None in shape:
            raise InputError(f"a constant of {dtype} {show(shape)} cannot lie in a file")
        path = memory_region_name.decode("utf-8", "surrogateescape")
        touch(path)
        file = open_file(path)
        sizes = tuple(size or 0 for size in shape)
        length = element_count(sizes) * dtype.itemsize
        if not file.size or length > file.size:
            raise InputError(f"{path} has {file.size} bytes, where {dtype} {show(shape)} takes {length}")
        return Tensor.mapped(dtype.base, sizes, file.span(0, length)).numpy()

    return rule


def file_rules(touch: Touch) -> Mapping[str, Rule]:
    """The rules of the ops that read, write and look for files."""
    return {
        "ImmutableConst": _immutable_const(touch),
        "MatchingFiles": _matching_files(touch),
        "ReadFile": _read_file(touch),
        "WriteFile": _write_file(touch),
    }
