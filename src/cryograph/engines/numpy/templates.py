"""Tensors written out in templates as TensorFlow prints them, and the edit distance of sparse sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.shapes import show
from ...base.tensors import Array
from .context import Context, Rule

ESCAPES = {byte: b"\\%03o" % byte for byte in (*range(32), 127)} | {
    ord(char): f"\\{letter}".encode() for char, letter in zip("\n\r\t\"'\\", "nrt\"'\\", strict=True)
}


def _escaped(text: bytes) -> str:
    return (b'"' + b"".join(ESCAPES.get(byte, bytes([byte])) for byte in text) + b'"').decode("latin-1")


def _short(digits: int, kind: Any) -> Callable[[Any], str]:
    """The digits that always suffice, or fewer where those say the same number."""

    def written(value: Any) -> str:
        few = f"{float(value):.{digits}g}"
        return few if kind(few) == value else f"{float(value):.{digits + (3 if digits == 6 else 2)}g}"

    return written


def _element(dtype: np.dtype[Any]) -> Callable[[Any], str]:
    if dtype.kind == "O":
        return _escaped
    if dtype.kind == "c":
        return lambda value: "?"
    if dtype.kind == "f" or dtype.name == "bfloat16":
        return _short(15, np.float64) if dtype == np.float64 else _short(6, np.float32)
    return lambda value: str(int(value))


def summary(x: Array, ends: int) -> str:
    """A tensor in brackets, `ends` entries at both ends of each dimension."""
    ends = x.size if ends < 0 else min(ends, x.size)
    element = _element(x.dtype)
    if x.dtype.name in ("float16", "bfloat16"):
        x = x.astype(np.float32)

    def written(part: Any, axis: int) -> str:
        if axis == x.ndim:
            return element(part)
        gap = " " if axis == x.ndim - 1 else "\n" * (x.ndim - axis - 1) + " " * (axis + 1)
        count = len(part)
        pieces = [written(part[at], axis + 1) for at in range(min(ends, count))]
        made = gap.join(pieces)
        if count > 2 * ends:
            made += gap + "..."
        return f"[{made}{''.join(gap + written(part[at], axis + 1) for at in range(max(ends, count - ends), count))}]"

    if x.ndim == 0:
        return element(x.item() if x.dtype.kind == "O" else x[()]) if ends else "..."
    return written(x, 0)


def _string_format(
    ctx: Context, *inputs: Array, template: bytes = b"%s", placeholder: bytes = b"%s", summarize: int = 3
) -> Array:
    pieces = template.split(placeholder) if placeholder else [template]
    if len(pieces) != len(inputs) + 1:
        raise RunError(f"the template {template!r} has {len(pieces) - 1} places for {len(inputs)} tensors")
    made = pieces[0]
    for x, piece in zip(inputs, pieces[1:], strict=True):
        made += summary(x, summarize).encode("latin-1") + piece
    return np.array(made, object)


def _distance(a: list[Any], b: list[Any]) -> int:
    """Levenshtein's distance, a row of his table after the other."""
    row = list(range(len(b) + 1))
    for number, x in enumerate(a, 1):
        corner, row[0] = row[0], number
        for at, y in enumerate(b, 1):
            corner, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, corner + (x != y))
    return row[-1]


def _sequences(indices: Array, values: Array, shape: Array, what: str) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """The place of each sequence, and its elements."""
    if indices.ndim != 2 or values.ndim != 1 or shape.ndim != 1:
        raise RunError(f"{what}: indices of {show(indices.shape)} and values of {show(values.shape)} are not sparse")
    if len(indices) != len(values) or indices.shape[1] != len(shape) or len(shape) < 2:
        raise RunError(f"{what}: indices of {show(indices.shape)} do not fit {len(values)} values of {shape.tolist()}")
    rows = zip(map(tuple, indices[:, :-1].tolist()), values.tolist(), strict=True)
    return ((place, [value for _, value in group]) for place, group in groupby(rows, lambda row: row[0]))


def _edit_distance(
    ctx: Context, hypothesis_indices: Array, hypothesis_values: Array, hypothesis_shape: Array,
    truth_indices: Array, truth_values: Array, truth_shape: Array, *, normalize: bool = True,
) -> Array:  # fmt: skip
    """Sequences are met in the order in which they stand; those out of order have no counterpart, as in TensorFlow."""
    guesses = list(_sequences(hypothesis_indices, hypothesis_values, hypothesis_shape, "hypothesis"))
    truths = list(_sequences(truth_indices, truth_values, truth_shape, "truth"))
    if len(hypothesis_shape) != len(truth_shape):
        raise RunError(f"shapes {hypothesis_shape.tolist()} and {truth_shape.tolist()} have different ranks")
    shape = np.maximum(hypothesis_shape, truth_shape)[:-1]
    if (shape < 0).any():
        raise RunError(f"the shape {shape.tolist()} is negative")
    made = np.zeros(shape, np.float32)
    strides = np.cumprod([1, *shape[:0:-1]])[::-1]

    def put(place: tuple[int, ...], value: float) -> None:
        at = int(np.dot(strides, place))
        if not 0 <= at < made.size:
            raise RunError(f"the sequence {list(place)} is not in {show(made.shape)}")
        made.reshape(-1)[at] = value

    left, right = 0, 0
    while left < len(guesses) or right < len(truths):
        guess = guesses[left] if left < len(guesses) else None
        truth = truths[right] if right < len(truths) else None
        if guess and truth and guess[0] == truth[0]:
            put(guess[0], _distance(truth[1], guess[1]) / (len(truth[1]) if normalize else 1))
            left, right = left + 1, right + 1
        elif guess and (truth is None or guess[0] < truth[0]):
            put(guess[0], float("inf") if normalize else len(guess[1]))
            left += 1
        elif truth:
            put(truth[0], 1.0 if normalize else len(truth[1]))
            right += 1
    return made


RULES: dict[str, Rule] = {
    "EditDistance": _edit_distance,
    "StringFormat": _string_format,
}
