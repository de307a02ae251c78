"""Vocabulary files: a line an entry, in columns that a delimiter parts, as InitializeTableFromTextFile reads them.

Lines end with \\n or \\r\\n; the last need not. An empty line is an error, and a file without lines too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from ..base.dtypes import DType
from ..base.errors import DamagedError, InputError
from ..base.files import Span
from ..base.tensors import Array, Tensor

WHOLE_LINE, LINE_NUMBER = -2, -1
"""What stands in place of the number of a column."""

_INTEGER = re.compile(rb"\s*[+-]?[0-9]+\s*")
_FLOAT = re.compile(rb"\s*[+-]?(inf(inity)?|nan|([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?)\s*", re.IGNORECASE)
_HEX_FLOAT = re.compile(rb"\s*[+-]?0x[0-9a-f.]+(p[+-]?[0-9]+)?\s*", re.IGNORECASE)


def read_lines(file: Span, count: int = -1) -> list[bytes]:
    """The first `count` lines of a vocabulary, all by default; DamagedError when there are fewer, none is wanted, or
    one is empty."""
    name = file.file.name
    lines = file.read().split(b"\n")
    if not lines[-1]:
        lines.pop()
    if count > len(lines):
        raise DamagedError(f"{name}: the vocabulary has {len(lines)} lines, where {count} are expected.")
    lines = [line[:-1] if line.endswith(b"\r") else line for line in (lines if count < 0 else lines[:count])]
    if not lines:
        raise DamagedError(f"{name}: no line of the vocabulary is read; at least one is expected.")
    if not all(lines):
        raise DamagedError(f"{name}: line {lines.index(b'') + 1} of the vocabulary is empty.")
    return lines


def read_vocabulary(
    file: Span,
    key: tuple[DType, int],
    value: tuple[DType, int],
    *,
    vocab_size: int = -1,
    delimiter: bytes = b"\t",
    offset: int = 0,
) -> tuple[Tensor, Tensor]:
    """Keys and values (both of the shape (N,)) of a vocabulary file; each key stands there once.

    `key` and `value` are dtype and column; WHOLE_LINE and LINE_NUMBER stand for no column. Line numbers begin at
    `offset`. DamagedError when a line lacks a column, holds no number where one is due, or gives another value to a
    key, or lines are fewer than `vocab_size`; InputError when a column cannot have its dtype.
    """
    name = file.file.name
    if len(delimiter) != 1:
        raise InputError(f"{name}: {delimiter!r} parts the columns of the vocabulary; one byte is expected.")
    lines = read_lines(file, vocab_size)
    keys, values = (_column(lines, *what, delimiter, offset, name) for what in (key, value))
    first: dict[object, int] = {}
    held = values.tolist()
    for number, entry in enumerate(keys.tolist()):
        earlier = first.setdefault(entry, number)
        if held[earlier] != held[number]:
            raise DamagedError(
                f"{name}: line {number + 1} of the vocabulary gives {entry!r} another value than line {earlier + 1}."
            )
    places = list(first.values())
    return Tensor.of(keys[places], key[0]), Tensor.of(values[places], value[0])


def _column(lines: list[bytes], dtype: DType, index: int, delimiter: bytes, offset: int, name: str) -> Array:
    if index == LINE_NUMBER:
        if not dtype.is_integer:
            raise InputError(f"{name}: lines of the vocabulary are numbered by integers, not by {dtype}.")
        return np.arange(offset, offset + len(lines), dtype=np.int64).astype(dtype.numpy)
    texts = lines
    if index != WHOLE_LINE:
        rows = [line.split(delimiter) for line in lines]
        short = next((i for i, row in enumerate(rows) if len(row) <= index), None)
        if short is not None:
            raise DamagedError(f"{name}: line {short + 1} of the vocabulary has no column {index}.")
        texts = [row[index] for row in rows]
    if dtype.is_string:
        result = np.empty(len(texts), dtype=object)
        result[:] = texts
        return result
    if dtype.numpy is None or not (dtype.is_integer or dtype.is_floating):
        raise InputError(f"{name}: columns of a vocabulary are strings or numbers, not {dtype}.")
    return np.array(list(_numbers(texts, dtype, name)), dtype.numpy)


def _numbers(texts: Sequence[bytes], dtype: DType, name: str) -> Iterator[float | int]:
    limits = np.iinfo(dtype.numpy) if dtype.is_integer and dtype.numpy is not None else None
    for number, text in enumerate(texts):
        if limits is not None and _INTEGER.fullmatch(text) and limits.min <= int(text) <= limits.max:
            yield int(text)
        elif limits is None and _FLOAT.fullmatch(text):
            yield float(text)
        elif limits is None and _HEX_FLOAT.fullmatch(text):
            yield float.fromhex(text.decode())
        else:
            raise DamagedError(f"{name}: line {number + 1} of the vocabulary holds {text!r}, which is no {dtype}.")
