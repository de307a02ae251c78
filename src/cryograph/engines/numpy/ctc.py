"""Connectionist temporal classification: sequences of labels out of scores for each moment, of which one is a blank.

Graves et al., "Connectionist Temporal Classification", 2006. Source: ctc_loss_calculator.h, ctc_decoder_ops.cc.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .forms import of_signature

F = np.float32


def check_scores(scores: Array, lengths: Array) -> None:
    """RunError unless there are scores of moments, sequences and classes, and a length for each sequence."""
    if scores.ndim != 3:
        raise RunError(f"scores of moments, sequences and classes were expected, not {list(scores.shape)}")
    if lengths.shape != scores.shape[1:2]:
        raise RunError(f"{list(lengths.shape)} lengths were given for {scores.shape[1]} sequences")
    if lengths.size and (lengths.max() > scores.shape[0] or lengths.min() < 0):
        raise RunError(f"a length is not in [0, {scores.shape[0]}]")


def as_sparse(rows: list[list[int]]) -> tuple[Array, Array, Array]:
    """Indices, values and dense shape of rows of labels."""
    indices = [(n, at) for n, row in enumerate(rows) for at in range(len(row))]
    values = [label for row in rows for label in row]
    longest = max((len(row) for row in rows), default=0)
    return (
        np.array(indices, np.int64).reshape(-1, 2),
        np.array(values, np.int64),
        np.array([len(rows), longest], np.int64),
    )


def add_chances(a: Array, b: Array) -> Array:
    """The logarithm of the sum of two chances whose logarithms are given.

    TensorFlow works out what the smaller one adds in float32, for doubles too.
    """
    high, low = np.maximum(a, b), np.minimum(a, b)
    # From doubles, which gives the nearest float32, as the C library's expf does.
    share = np.exp((low - high).astype(F).astype(np.float64)).astype(F)
    made = high + np.log1p(share).astype(high.dtype)
    return np.asarray(np.where(np.isneginf(low), high, made))


def _greedy(
    ctx: Context, scores: Array, lengths: Array, *, merge_repeated: bool = False, blank_index: int = -1
) -> tuple[Array, ...]:
    """The best label of each moment, blanks left out, and repeated ones on request."""
    check_scores(scores, lengths)
    classes = scores.shape[2]
    blank = blank_index + classes if blank_index < 0 else blank_index
    if not 0 <= blank < classes:
        raise RunError(f"the blank {blank_index} is none of {classes} classes")
    best = scores.argmax(-1)
    rows: list[list[int]] = []
    for n, length in enumerate(lengths.tolist()):
        path = best[:length, n]
        keep = path != blank
        if merge_repeated and length:
            keep &= np.append(True, path[1:] != path[:-1])
        rows.append(path[keep].tolist())
    moments = np.arange(scores.shape[0])[:, None] < lengths
    negated = -np.where(moments, scores.max(-1), scores.dtype.type(0)).sum(0, dtype=scores.dtype)
    return (*as_sparse(rows), negated[:, None].astype(scores.dtype))


def _shifted(x: Array, by: int) -> Array:
    """The same length, moved to the right (or left), with chances of zero coming in."""
    made = np.full_like(x, -np.inf)
    if by > 0:
        made[by:] = x[:-by]
    elif len(x) > -by:
        made[:by] = x[-by:]
    return made


def _window(moment: int, moments: int, places: int) -> slice:
    """The places of the path that can be reached in time, and from which the end can be."""
    return slice(max(0, places - 2 * (moments - moment)), min(places, 2 * (moment + 1)))


def _ways(logs: Array, full: Array, blank: int, merge: bool) -> tuple[Array, Array]:
    """(moments, places) twice: the logarithms of the chances of all ways to a place, and from there to the end."""
    moments, places = len(logs), len(full)
    ahead, back = np.full((2, moments, places), -np.inf, logs.dtype)
    no_blank = full != blank
    may_stay = ~no_blank | merge
    skips = np.zeros(places, bool)
    skips[2:] = no_blank[2:] & ~((full[2:] == full[:-2]) & merge)
    may_leap = np.append(skips[2:], [False] * min(2, places))  # from here to the place after the next
    ahead[0, 0] = logs[0, blank]
    ahead[0, 1:2] = logs[0, full[1:2]]
    back[-1, -2:] = 0
    none = np.full(places, -np.inf, logs.dtype)
    for moment in range(1, moments):
        at = _window(moment, moments, places)
        last = ahead[moment - 1]
        found = add_chances(np.where(may_stay, last, none), _shifted(last, 1))
        found = add_chances(found, np.where(skips, _shifted(last, 2), none))
        ahead[moment, at] = (logs[moment, full] + found)[at]
    for moment in range(moments - 2, -1, -1):
        at = _window(moment, moments, places)
        follows = back[moment + 1] + logs[moment + 1, full]
        found = add_chances(np.where(may_stay, follows, none), _shifted(follows, -1))
        back[moment, at] = add_chances(found, np.where(may_leap, _shifted(follows, -2), none))[at]
    return ahead, back


def _loss_of(chances: Array, labels: list[int], blank: int, merge: bool) -> tuple[Any, Array]:
    """Minus the logarithm of the chance of the labels, and its gradient for the scores."""
    logs = np.log(chances.astype(np.float64)).astype(chances.dtype)
    full = np.full(2 * len(labels) + 1, blank)
    full[1::2] = labels
    ahead, back = _ways(logs, full, blank, merge)
    through = ahead + back
    total = np.array(-np.inf, chances.dtype)
    for place in range(len(full)):
        total = add_chances(total, through[0, place])
    if np.isneginf(total):
        return np.inf, chances
    sums = np.full(chances.shape, -np.inf, chances.dtype)
    for place, label in enumerate(full.tolist()):
        sums[:, label] = add_chances(sums[:, label], through[:, place])
    share = np.exp((sums - total).astype(F).astype(np.float64)).astype(F)
    return -total, chances - share.astype(chances.dtype)


def _labels_of(given: list[int], classes: int, collapse: bool) -> list[int]:
    """What the sequence is to say; blanks may stand at its end."""
    kept = [label for at, label in enumerate(given) if at == 0 or not collapse or label != given[at - 1]]
    if not given:
        raise RunError("a sequence has no labels")
    if min(kept) < 0:
        raise RunError(f"the label {min(kept)} is negative")
    end = next((at for at, label in enumerate(kept) if label >= classes - 1), len(kept))
    if any(label < classes - 1 for label in kept[end:]):
        raise RunError(f"a label follows the blank {classes - 1}")
    return kept[:end]


def _loss(
    ctx: Context,
    scores: Array,
    indices: Array,
    values: Array,
    lengths: Array,
    *,
    preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False,
) -> tuple[Array, Array]:
    """The last class is the blank."""
    check_scores(scores, lengths)
    batch, classes = scores.shape[1:]
    if len(indices) and (indices[:, 0].max() >= batch or indices.min() < 0):
        raise RunError(f"a label is of a sequence that is not in [0, {batch})")
    loss = np.zeros(batch, scores.dtype)
    gradient = np.zeros(scores.shape, scores.dtype)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    chances = powers / powers.sum(-1, keepdims=True)
    for n, length in enumerate(lengths.tolist()):
        given = values[indices[:, 0] == n].tolist()
        labels = _labels_of(given, classes, preprocess_collapse_repeated)
        if len(given) > length and not ignore_longer_outputs_than_inputs:
            raise RunError(f"{len(given)} labels do not fit into {length} moments")
        if length and len(given) <= length:
            loss[n], gradient[:length, n] = _loss_of(chances[:length, n], labels, classes - 1, ctc_merge_repeated)
    return loss, gradient


def _loss_v2(ctx: Context, scores: Array, indices: Array, values: Array, lengths: Array, **how: bool) -> Any:
    """The first class is the blank."""
    loss, gradient = _loss(ctx, np.roll(scores, -1, -1), indices, values - 1, lengths, **how)
    return loss, np.roll(gradient, 1, -1)


RULES: dict[str, Rule] = {
    "CTCGreedyDecoder": _greedy,
    "CTCLoss": _loss,
    "CTCLossV2": of_signature(_loss_v2, _loss),
}
