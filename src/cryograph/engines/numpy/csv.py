"""Lines of values with commas between (RFC 4180, read as TensorFlow reads it)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .texts import FLOAT, INTEGER


def fields_of(line: bytes, delimiter: bytes, quotes: bool) -> list[bytes]:
    """The fields of a line; in quotes a delimiter may stand, and a quote twice for one."""
    if not quotes:
        return line.split(delimiter)
    found: list[bytes] = []
    place, end = 0, len(line)
    while True:
        if place < end and line[place : place + 1] == b'"':
            field = bytearray()
            place += 1
            while True:
                close = line.find(b'"', place)
                if close < 0:
                    raise RunError("a field in quotes does not end")
                field += line[place:close]
                place = close + 1
                if line[place : place + 1] != b'"':
                    break
                field += b'"'
                place += 1
            if place < end and line[place : place + 1] != delimiter:
                raise RunError("a quote in a field is followed by something else than a quote, a delimiter or the end")
            found.append(bytes(field))
        else:
            stop = line.find(delimiter, place)
            stop = end if stop < 0 else stop
            field_ = line[place:stop]
            if any(mark in field_ for mark in (b'"', b"\n", b"\r")):
                raise RunError(f"the field {field_!r} has a quote or a line's end and stands in no quotes")
            found.append(field_)
            place = stop
        if place >= end:
            return found
        place += 1
        if place == end:
            return [*found, b""]


def _reader(dtype: np.dtype[Any]) -> Callable[[bytes], Any]:
    if dtype == np.dtype(object):
        return lambda text: text
    if dtype.kind == "f":

        def floating(text: bytes) -> float:
            if not FLOAT.fullmatch(text):
                raise RunError(f"{text!r} is no {dtype}")
            return float(text)

        return floating
    limits = np.iinfo(dtype)

    def integer(text: bytes) -> int:
        found = INTEGER.fullmatch(text)
        if not found or not limits.min <= int(found[1]) <= limits.max:
            raise RunError(f"{text!r} is no {dtype}")
        return int(found[1])

    return integer


def _decode(
    ctx: Context,
    records: Array,
    *defaults: Array,
    field_delim: bytes = b",",
    use_quote_delim: bool = True,
    na_value: bytes = b"",
    select_cols: list[int] = [],  # noqa: B006 # the op's own default
) -> tuple[Array, ...]:
    """A tensor for each column. What is missing, or is `na_value`, is the column's default, where it has one."""
    rows = []
    for number, line in enumerate(records.reshape(-1).tolist()):
        fields = fields_of(line, field_delim, use_quote_delim)
        if select_cols:
            if select_cols[-1] >= len(fields):
                raise RunError(f"record {number} has {len(fields)} fields, and number {select_cols[-1]} was asked for")
            fields = [fields[column] for column in select_cols]
        if len(fields) != len(defaults):
            raise RunError(f"record {number} has {len(fields)} fields; {len(defaults)} are expected")
        rows.append(fields)
    made = []
    for column, default in enumerate(defaults):
        read = _reader(default.dtype)
        out = np.empty(len(rows), default.dtype)
        for number, fields in enumerate(rows):
            text = fields[column]
            if text not in (b"", na_value):
                out[number] = read(text)
            elif default.size:
                out[number] = default.reshape(-1)[0]
            else:
                raise RunError(f"field {column} is required and is missing in record {number}")
        made.append(out.reshape(records.shape))
    return tuple(made)


RULES: dict[str, Rule] = {"DecodeCSV": _decode}
