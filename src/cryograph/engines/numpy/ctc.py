"""Connectionist temporal classification: sequences of labels out of scores for each moment, of which one is a blank.

Graves et al., "Connectionist Temporal Classification", 2006.
"""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError, UnsupportedError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import wide
from .losses import log_softmax


def _check(scores: Array, lengths: Array) -> None:
    if scores.ndim != 3:
        raise RunError(f"scores of moments, sequences and classes were expected, not {list(scores.shape)}")
    if lengths.shape != scores.shape[1:2]:
        raise RunError(f"{list(lengths.shape)} lengths were given for {scores.shape[1]} sequences")
    if lengths.size and (lengths.max() > scores.shape[0] or lengths.min() < 0):
        raise RunError(f"a length is not in [0, {scores.shape[0]}]")


def _as_sparse(rows: list[list[int]]) -> tuple[Array, Array, Array]:
    indices = [(n, at) for n, row in enumerate(rows) for at in range(len(row))]
    values = [label for row in rows for label in row]
    longest = max((len(row) for row in rows), default=0)
    return (
        np.array(indices, np.int64).reshape(-1, 2),
        np.array(values, np.int64),
        np.array([len(rows), longest], np.int64),
    )


def _greedy(
    ctx: Context, scores: Array, lengths: Array, *, merge_repeated: bool = False, blank_index: int = -1
) -> tuple[Array, ...]:
    """The best label of each moment, blanks left out, and repeated ones on request."""
    _check(scores, lengths)
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
    return (*_as_sparse(rows), negated[:, None].astype(scores.dtype))


def _paths(labels: list[int], blank: int) -> tuple[Array, Array]:
    """The labels with blanks around and between, and where a label may follow the one before the blank."""
    full = np.full(2 * len(labels) + 1, blank)
    full[1::2] = labels
    may_skip = np.zeros(len(full), bool)
    may_skip[2:] = (full[2:] != blank) & (full[2:] != full[:-2])
    return full, may_skip


def _forward(logs: Array, full: Array, may_skip: Array) -> Array:
    """The logarithm of the probability of all ways to each place of the path at each moment."""
    found = np.full((len(logs), len(full)), -np.inf)
    found[0, :2] = logs[0, full[:2]]
    for moment in range(1, len(logs)):
        last = found[moment - 1]
        best = np.logaddexp(last, np.append(-np.inf, last[:-1]))
        skipped = np.where(may_skip, np.append([-np.inf, -np.inf], last[:-2])[: len(full)], -np.inf)
        found[moment] = np.logaddexp(best, skipped) + logs[moment, full]
    return found


def _loss_of(logs: Array, labels: list[int], blank: int) -> tuple[float, Array]:
    """Minus the logarithm of the probability of the labels, and its gradient for the scores."""
    full, may_skip = _paths(labels, blank)
    ahead = _forward(logs, full, may_skip)
    back = _forward(logs[::-1], full[::-1], _paths(labels[::-1], blank)[1])[::-1, ::-1]
    total = np.logaddexp(ahead[-1, -1], ahead[-1, -2] if len(full) > 1 else -np.inf)
    chances = np.exp(logs)
    if np.isneginf(total):
        return np.inf, chances
    through = ahead + back - logs[:, full]
    share = np.zeros_like(chances)
    for place, label in enumerate(full):
        share[:, label] += np.exp(through[:, place] - total)
    return -float(total), chances - share


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
    _check(scores, lengths)
    if not ctc_merge_repeated:
        raise UnsupportedError("ctc_merge_repeated=False is not supported")
    batch, classes = scores.shape[1:]
    if len(indices) and (indices[:, 0].max() >= batch or indices.min() < 0):
        raise RunError(f"a label is of a sequence that is not in [0, {batch})")
    if len(values) and (values.min() < 0 or values.max() >= classes - 1):
        raise RunError(f"a label is not one of the {classes - 1} classes beside the blank")
    loss = np.zeros(batch)
    gradient = np.zeros(scores.shape)
    logs = log_softmax(np, wide(scores).astype(np.float64))
    for n, length in enumerate(lengths.tolist()):
        labels = values[indices[:, 0] == n].tolist()
        if preprocess_collapse_repeated:
            labels = [label for at, label in enumerate(labels) if at == 0 or label != labels[at - 1]]
        if len(labels) > length and not ignore_longer_outputs_than_inputs:
            raise RunError(f"{len(labels)} labels do not fit into {length} moments")
        if length and len(labels) <= length:
            loss[n], gradient[:length, n] = _loss_of(logs[:length, n], labels, classes - 1)
    return loss.astype(scores.dtype), gradient.astype(scores.dtype)


RULES: dict[str, Rule] = {
    "CTCGreedyDecoder": _greedy,
    "CTCLoss": _loss,
}
