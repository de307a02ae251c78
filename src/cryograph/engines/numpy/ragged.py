"""Ragged tensors, as splits of rows from the outside in, and flat values."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .sparse import fill_empty_rows_grad


def check_splits(splits: Array, count: int) -> None:
    """RunError unless splits rise from 0 to the number of what they split."""
    if splits.ndim != 1 or not splits.size or splits[0] != 0 or (np.diff(splits) < 0).any() or splits[-1] != count:
        raise RunError(f"the splits {splits.reshape(-1)[:10].tolist()} do not rise from 0 to {count}")


def row_ids(splits: Array) -> Array:
    """The row of each element."""
    return np.repeat(np.arange(len(splits) - 1), np.diff(splits))


def _offsets(rows: Array) -> Array:
    """The place of each element in its row, for rows that rise."""
    starts = np.searchsorted(rows, rows)
    return np.arange(len(rows)) - starts


def _to_tensor(
    ctx: Context, shape: Array, values: Array, default: Array, *partitions: Array, row_partition_types: list[bytes]
) -> Array:
    """Rows side by side, filled up with the default and cut where a size is given."""
    kinds = list(row_partition_types)
    parts = list(partitions)
    if not kinds:
        raise RunError("a ragged tensor has one partition at least")
    if kinds[0] == b"FIRST_DIM_SIZE":
        count = int(parts.pop(0))
        kinds.pop(0)
    elif kinds[0] == b"ROW_SPLITS":
        count = len(parts[0]) - 1
    else:
        raise RunError(f"the first partition cannot be {kinds[0].decode()}")
    places: list[Array] = []
    longest: list[int] = []
    for kind, part in zip(kinds, parts, strict=True):
        if kind not in (b"ROW_SPLITS", b"VALUE_ROWIDS"):
            raise RunError(f"a partition cannot be {kind.decode()}")
        rows = row_ids(part) if kind == b"ROW_SPLITS" else part
        offsets = _offsets(rows)
        places = [*(place[rows] for place in places), offsets] if places else [rows, offsets]
        longest.append(int(offsets.max()) + 1 if len(offsets) else 0)
    if len(values) != len(places[0]):
        raise RunError(f"{len(values)} values do not fill {len(places[0])} places")
    sizes = [count, *longest, *values.shape[1:]]
    if shape.ndim:
        wanted = [int(n) for n in shape]
        if len(wanted) != len(sizes):
            raise RunError(f"the shape {wanted} does not have {len(sizes)} dimensions")
        sizes = [have if asked < 0 else asked for have, asked in zip(sizes, wanted, strict=True)]
    rank = len(places)
    if sizes[rank:] != list(values.shape[1:]):
        raise RunError(f"the shape {sizes} does not end as that of the values, {list(values.shape[1:])}")
    out = np.empty(sizes, values.dtype)
    try:
        out[...] = default
    except ValueError as error:
        raise RunError(f"the default of {list(default.shape)} does not fit {sizes[rank:]}") from error
    inside = np.all([place < size for place, size in zip(places, sizes, strict=False)], axis=0)
    out[tuple(place[inside] for place in places)] = values[inside]
    return out


def _range(ctx: Context, starts: Array, limits: Array, deltas: Array) -> tuple[Array, Array]:
    """A row of numbers from each start to below its limit."""
    sizes = {x.size for x in (starts, limits, deltas) if x.ndim}
    if len(sizes) > 1 or any(x.ndim > 1 for x in (starts, limits, deltas)):
        raise RunError(f"starts, limits and deltas have {[list(x.shape) for x in (starts, limits, deltas)]}")
    count = sizes.pop() if sizes else 1
    first, last, step = (np.broadcast_to(x, (count,)) for x in (starts, limits, deltas))
    if (step == 0).any():
        raise RunError("a delta is 0")
    wide = np.float64 if first.dtype.kind == "f" else np.int64
    spread, pace = last.astype(wide) - first.astype(wide), step.astype(wide)
    lengths = np.where((pace > 0) == (spread > 0), np.ceil(spread / pace), 0).astype(np.int64)
    lengths = np.maximum(lengths, 0)
    splits = np.append(0, np.cumsum(lengths))
    rows = row_ids(splits)
    made = first[rows] + _offsets(rows).astype(first.dtype) * step[rows]
    held = ctx.output_dtypes[0].numpy
    return splits.astype(held), np.asarray(made, first.dtype)


def _gather(ctx: Context, *inputs: Array, PARAMS_RAGGED_RANK: int, OUTPUT_RAGGED_RANK: int) -> tuple[Array, ...]:
    """Rows by number. The dimensions of the indices become rows of one length each."""
    splits, values, indices = list(inputs[:-2]), inputs[-2], inputs[-1]
    if not splits or len(splits) != PARAMS_RAGGED_RANK:
        raise RunError("a ragged tensor has one partition at least")
    counts = [len(part) - 1 for part in splits[1:]] + [len(values)]
    for part, count in zip(splits, counts, strict=True):
        check_splits(part, count)
    rows = len(splits[0]) - 1
    if indices.size and (indices.min() < 0 or indices.max() >= rows):
        raise RunError(f"the index {indices[(indices < 0) | (indices >= rows)].reshape(-1)[0]} is not in [0, {rows})")
    made: list[Array] = []
    count = 1
    for size, inner in pairwise(indices.shape):
        count *= size
        made.append(np.arange(count + 1) * inner)
    picked = indices.reshape(-1).astype(np.int64)
    for part in splits:
        lengths = part[picked + 1] - part[picked]
        starts = part[picked]
        ends = np.append(0, np.cumsum(lengths))
        made.append(ends)
        of = row_ids(ends)
        picked = starts[of] + _offsets(of)
    held = splits[0].dtype
    return (*(part.astype(held) for part in made), values[picked])


def _to_sparse(ctx: Context, *inputs: Array) -> tuple[Array, Array, Array]:
    splits, values = list(inputs[:-1]), inputs[-1]
    if not splits:
        raise RunError("a ragged tensor has one partition at least")
    counts = [len(part) - 1 for part in splits[1:]] + [len(values)]
    for part, count in zip(splits, counts, strict=True):
        check_splits(part, count)
    places: list[Array] = [np.arange(len(splits[0]) - 1)]
    sizes = [len(splits[0]) - 1]
    for part in splits:
        rows = row_ids(part)
        offsets = _offsets(rows)
        places = [*(place[rows] for place in places), offsets]
        sizes.append(int(np.diff(part).max()) if len(part) > 1 else 0)
    inner = values.shape[1:]
    each = int(np.prod(inner))
    rest = np.indices(inner).reshape(len(inner), each)
    columns = [np.repeat(place, each) for place in places] + [np.tile(row, len(values)) for row in rest]
    indices = np.stack(columns, -1).astype(np.int64)
    return indices, values.reshape(-1), np.array([*sizes, *inner], np.int64)


def _fill_empty_rows(
    ctx: Context, rows: Array, values: Array, nrows: Array, default: Array
) -> tuple[Array, Array, Array, Array]:
    """Each row without elements gets one; gives also which rows were empty, and where each element went."""
    count = int(nrows)
    if rows.shape != values.shape or rows.ndim != 1:
        raise RunError(f"{list(rows.shape)} row numbers and {list(values.shape)} values were given")
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise RunError(f"a row number is not in [0, {count})")
    empty = np.bincount(rows, minlength=count) == 0 if count else np.zeros(0, bool)
    everything = np.concatenate([rows, np.flatnonzero(empty)])
    order = np.argsort(everything, kind="stable")
    fill = np.empty(int(empty.sum()), values.dtype)
    fill[...] = default[()]
    reverse = np.empty(len(order), np.int64)
    reverse[order] = np.arange(len(order))
    return everything[order], np.concatenate([values, fill])[order], empty, reverse[: len(rows)]


RULES: dict[str, Rule] = {
    "RaggedFillEmptyRows": _fill_empty_rows,
    "RaggedFillEmptyRowsGrad": fill_empty_rows_grad,
    "RaggedGather": _gather,
    "RaggedRange": _range,
    "RaggedTensorToSparse": _to_sparse,
    "RaggedTensorToTensor": _to_tensor,
}
