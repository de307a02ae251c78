"""Connectionist temporal classification with a beam: the likeliest sequences of labels, not only the best moments.

A sequence is kept with the chances that it ends in its last label and that it ends in a blank. Source:
ctc_beam_search.h. All is float32 (or float64) as in TensorFlow, where a chance in the last place decides who stays.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .ctc import add_chances, as_sparse, check_scores

Chances = tuple[Any, Any, Any]
"""Logarithms: of a sequence at all, of it with a blank at the end, of it with its last label at the end."""


class _Beam:
    """One sequence of labels, as the one before it and a further label."""

    __slots__ = ("children", "label", "new", "old", "parent")

    def __init__(self, parent: _Beam | None, label: int, none: Chances) -> None:
        self.parent = parent
        self.label = label
        self.children: dict[int, _Beam] = {}
        self.old: Chances = none
        self.new: Chances = none

    def labels(self, merge_repeated: bool) -> list[int]:
        """All labels, from the first; of the same one in a row only the first where they are merged."""
        found: list[int] = []
        before = -1
        beam = self
        while beam.parent is not None:
            if not merge_repeated or beam.label != before:
                found.append(beam.label)
            before = beam.label
            beam = beam.parent
        return found[::-1]


class _Best:
    """At most `size` beams, the likeliest; those that came first win over others that are as likely."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._numbers: Iterator[int] = count()
        self._heap: list[tuple[Any, int, _Beam]] = []

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def bar(self) -> Any:
        """What a beam must be likelier than to come in."""
        return self._heap[0][0] if len(self._heap) >= self._size else -np.inf

    def push(self, beam: _Beam) -> _Beam | None:
        """Takes a beam in; the one that has to leave for it, which may be the same."""
        item = (beam.new[0], -next(self._numbers), beam)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, item)
            return None
        return heapq.heappushpop(self._heap, item)[2]

    def in_order(self) -> list[_Beam]:
        """The likeliest first."""
        return [beam for _, _, beam in sorted(self._heap, reverse=True)]


def _search(scores: Array, width: int) -> _Best:
    """(moments, classes): the beams after the last moment. The last class is the blank."""
    kind = scores.dtype.type
    zero = kind(-np.inf)
    none: Chances = (zero, zero, zero)
    root = _Beam(None, -1, none)
    root.new = (kind(0), kind(0), zero)
    kept = _Best(width)
    kept.push(root)
    for row in scores - _scale(scores):
        beams = kept.in_order()
        kept = _Best(width)
        for beam in beams:
            beam.old = beam.new
        _stay(beams, row, none)
        for beam in beams:
            kept.push(beam)
        _grow(beams, row, kept, none)
    return kept


def _scale(scores: Array) -> Array:
    """(moments, 1): what is to be taken from the scores so that they are logarithms of chances."""
    most = scores.max(-1, keepdims=True)
    total = np.zeros_like(most)
    for column in scores.T:  # one by one, as TensorFlow adds them
        total += np.exp(column[:, None] - most)
    return np.asarray(most + np.log(total))


def _stay(beams: list[_Beam], row: Array, none: Chances) -> None:
    """The chances of the same sequences a moment later."""
    # One after the other where a parent could drop out on the way.
    groups = [[beam] for beam in beams] if np.isneginf(row).any() else [beams]
    for group in groups:
        old = np.array([beam.old for beam in group], row.dtype)
        before = np.array([_before(beam, none[0]) for beam in group], row.dtype)
        label = add_chances(old[:, 2], before) + row[[beam.label for beam in group]]  # of the root none
        blank = old[:, 0] + row[-1]
        for beam, *chances in zip(group, add_chances(blank, label), blank, label, strict=True):
            beam.new = (chances[0], chances[1], chances[2])


def _before(beam: _Beam, zero: Any) -> Any:
    """The chance that the last label of a sequence comes only now."""
    parent = beam.parent
    if parent is None or parent.new[0] == zero:
        return zero
    return parent.old[1] if beam.label == parent.label else parent.old[0]


def _grow(beams: list[_Beam], row: Array, kept: _Best, none: Chances) -> None:
    """Puts a further label behind each sequence; those that are likely enough come among the kept ones."""
    labels = row[:-1]
    for beam in beams:
        total, blank, _ = beam.old
        if not total > kept.bar:
            continue
        chances = labels + total
        if beam.label >= 0:
            chances[beam.label] = labels[beam.label] + blank
        # The bar only rises, so what does not reach it now never will. A child that was there may have to go.
        for label in sorted({*np.flatnonzero(chances > kept.bar).tolist(), *beam.children}):
            child = beam.children.get(label)
            if child is not None and child.new[0] != none[0]:
                continue
            if chances[label] > kept.bar:
                if child is None:
                    child = beam.children[label] = _Beam(beam, label, none)
                child.new = (chances[label], none[0], chances[label])
                left = kept.push(child)
                if left is not None:
                    left.new = none
            elif child is not None:
                child.old = child.new = none


def _beam_search(
    ctx: Context, scores: Array, lengths: Array, *, beam_width: int, top_paths: int, merge_repeated: bool = True
) -> tuple[Array, ...]:
    """Indices of each path, then values, then shapes, and (N, paths): the logarithms of their chances."""
    check_scores(scores, lengths)
    paths: list[list[list[int]]] = [[] for _ in range(top_paths)]
    chances = np.zeros((scores.shape[1], top_paths), scores.dtype)
    if top_paths > beam_width:
        raise RunError(f"{top_paths} paths were asked for of a beam of {beam_width}")
    for n, length in enumerate(lengths.tolist()):
        found = _search(scores[:length, n], beam_width)
        if len(found) < top_paths:
            raise RunError(f"{top_paths} paths were asked for, and there are {len(found)}")
        for number, beam in enumerate(found.in_order()[:top_paths]):
            paths[number].append(beam.labels(merge_repeated))
            chances[n, number] = beam.new[0]
    laid = [as_sparse(rows) for rows in paths]
    return (*(part[n] for n in range(3) for part in laid), chances)


RULES: dict[str, Rule] = {
    "CTCBeamSearchDecoder": _beam_search,
}
