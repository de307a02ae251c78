"""Ragged tensors as values of dtype variant, which loops over their rows carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .ragged import check_splits


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Splits of rows from the outside in, and flat values."""

    splits: tuple[Array, ...]
    values: Array


def _checked(splits: Sequence[Array], values: Array) -> Ragged:
    counts = [len(part) - 1 for part in splits[1:]] + [len(values) if values.ndim else 0]
    for part, count in zip(splits, counts, strict=False):
        check_splits(part, count)
    return Ragged(tuple(splits), values)


def _row(whole: Ragged, number: int) -> Ragged:
    """One row, which has one partition less."""
    low, high = number, number + 1
    made: list[Array] = []
    for level, part in enumerate(whole.splits):
        first, last = int(part[low]), int(part[high])
        if level:
            made.append(part[low : high + 1] - part[low])
        low, high = first, last
    return Ragged(tuple(made), whole.values[low:high] if whole.splits else whole.values[number])


def _to_variant(ctx: Context, *inputs: Array, batched_input: bool) -> Array:
    whole = _checked(inputs[:-1], inputs[-1])
    if not batched_input:
        made = np.empty((), object)
        made[()] = whole
        return made
    if not whole.splits and not whole.values.ndim:
        raise RunError("a single number has no rows")
    count = len(whole.splits[0]) - 1 if whole.splits else len(whole.values)
    rows = np.empty(count, object)
    for number in range(count):
        rows[number] = _row(whole, number)
    return rows


def _from_variant(
    ctx: Context, encoded: Array, *, input_ragged_rank: int, output_ragged_rank: int
) -> tuple[Array, ...]:
    """The values of a scalar; of a vector or more all of them as rows, with the dimensions in front."""
    rank = output_ragged_rank - encoded.ndim if input_ragged_rank == -1 else input_ragged_rank
    if rank < 0 or (encoded.ndim and rank + encoded.ndim != output_ragged_rank):
        raise RunError(f"{encoded.ndim} dimensions of ragged rank {rank} do not make ragged rank {output_ragged_rank}")
    parts = encoded.reshape(-1).tolist()
    if any(not isinstance(part, Ragged) or len(part.splits) != rank for part in parts):
        raise RunError(f"what is encoded is not ragged tensors of rank {rank}")
    splits_dtype = ctx.output_dtypes[0].numpy if output_ragged_rank else np.dtype(np.int64)
    if not encoded.ndim:
        return (*(part.astype(splits_dtype) for part in parts[0].splits), parts[0].values)
    made = []
    count = 1
    for size, inner in pairwise(encoded.shape):
        count *= size
        made.append(np.arange(count + 1) * inner)
    lengths = [len(part.splits[0]) - 1 if part.splits else len(part.values) for part in parts]
    made.append(np.append(0, np.cumsum(lengths)))
    for level in range(rank):
        found = [np.zeros(1, np.int64)]
        for part in parts:
            found.append(part.splits[level][1:] + int(np.concatenate(found[-1:])[-1] if len(found[-1]) else 0))
            if not len(found[-1]):
                found.pop()
        made.append(np.concatenate(found))
    held = ctx.output_dtypes[-1].numpy
    values = np.concatenate([part.values for part in parts]) if parts else np.zeros(0, held or object)
    return (*(part.astype(splits_dtype) for part in made), values)


RULES: dict[str, Rule] = {
    "RaggedTensorFromVariant": _from_variant,
    "RaggedTensorToVariant": _to_variant,
}
