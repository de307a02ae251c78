"""Crosses of features: each combination of one value from each column, row by row, joined or hashed.

A column is sparse, ragged or dense; of each the engine needs how many values a row has, and where they begin. The
combinations of a row are in the order of a counter whose last digit, the last column, turns fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...base.dtypes import INT64, STRING, DType
from ...base.errors import InputError, UnsupportedError
from ...base.shapes import show
from ...base.tensors import Array
from .context import Context, Rule
from .hashes import MURMUR_PRIME, fingerprint64, siphash

_LARGEST = np.uint64((1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one column, one row behind the other, and how many of them each row has. A row may begin later
    than the one before it ends."""

    values: Array
    starts: Array
    counts: Array
    is_dense: bool = False


def _dense(tensor: Array) -> Column:
    if tensor.ndim != 2:
        raise InputError(f"dense columns are matrices, not of the shape {show(tensor.shape)}")
    rows, width = tensor.shape
    return Column(tensor.reshape(-1), np.arange(rows) * width, np.full(rows, width), True)


def _check_sparse(indices: Array, values: Array, shape: Array) -> None:
    if indices.ndim != 2 or values.ndim != 1 or shape.shape != (2,):
        raise InputError(
            f"a sparse matrix has indices of (N, 2), values of (N) and a shape of 2 sizes; {show(indices.shape)},"
            f" {show(values.shape)} and {show(shape.shape)} were given"
        )
    if indices.shape != (len(values), 2):
        raise InputError(f"{len(values)} values were given for indices of the shape {show(indices.shape)}")


def _sparse(indices: Array, values: Array, size: int) -> Column:
    """A sparse column. Values count up to the first that lies in a row before, or in none."""
    rows = indices[:, 0]
    stray = np.flatnonzero((rows < np.maximum.accumulate(np.append(0, rows))[:-1]) | (rows >= size))
    rows = rows[: stray[0]] if stray.size else rows
    counts = np.bincount(rows, minlength=size)
    return Column(values, np.cumsum(counts) - counts, counts)


def _sparse_in_order(indices: Array, values: Array, size: int) -> Column:
    """A sparse column as ragged crosses read it: a value in a row before belongs to the row that was reached."""
    reached = np.maximum.accumulate(np.append(0, indices[:, 0]))[1:]
    counts = np.bincount(reached[reached < size], minlength=size)
    return Column(values, np.cumsum(counts) - counts, counts)


def _ragged(values: Array, splits: Array) -> Column:
    if values.ndim != 1 or splits.ndim != 1 or not len(splits):
        raise InputError(
            f"a ragged column has values and splits that are vectors, not {show(values.shape)} and {show(splits.shape)}"
        )
    counts = np.diff(splits)
    if splits[0] != 0 or splits[-1] != len(values) or (counts < 0).any():
        raise InputError(f"the row splits do not go from 0 to {len(values)}, the number of values")
    return Column(values, splits[:-1].astype(np.int64), counts.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Crosses:
    """Which value of each column stands in each cross (C, N), and how many crosses each row has."""

    places: tuple[Array, ...]
    counts: Array

    @property
    def numbers(self) -> Array:
        """The number of each cross in its row."""
        starts = np.cumsum(self.counts) - self.counts
        found: Array = np.arange(self.counts.sum()) - np.repeat(starts, self.counts)
        return found


def crosses(columns: Sequence[Column], size: int) -> Crosses:
    """All combinations of `size` rows."""
    counts = np.prod([column.counts for column in columns], axis=0) if columns else np.ones(size, np.int64)
    counts = counts.astype(np.int64)
    found = Crosses((), counts)
    row, number = np.repeat(np.arange(size), counts), found.numbers
    places: list[Array] = []
    for column in reversed(columns):
        each = column.counts[row]
        places.append(column.starts[row] + number % np.maximum(each, 1))
        number = number // np.maximum(each, 1)
    return Crosses(tuple(reversed(places)), counts)


def _joined(columns: Sequence[Column], found: Crosses, separator: bytes) -> Array:
    made = np.empty(int(found.counts.sum()), object)
    texts = [_texts(column.values)[places].tolist() for column, places in zip(columns, found.places, strict=True)]
    made[:] = list(map(separator.join, zip(*texts, strict=True))) if texts else []
    return made


def _texts(values: Array) -> Array:
    if values.dtype == object:
        return values
    made = np.empty(len(values), object)
    made[:] = [b"%d" % value for value in values.tolist()]
    return made


def _cat(first: Array, second: Array) -> Array:
    """Two fingerprints as one, of many at once."""
    prime, shift = np.uint64(MURMUR_PRIME), np.uint64(47)
    second = second * prime
    second = (second ^ second >> shift) * prime
    made = (first ^ prime ^ second) * prime
    made = (made ^ made >> shift) * prime
    return made ^ made >> shift


def _hashed(values: Array, hash_of: Callable[[bytes], int]) -> Array:
    """The hash of each value; each string is hashed once."""
    known = {value: hash_of(value) for value in set(values.tolist())}
    return np.array([known[value] for value in values.tolist()], np.uint64)


def _fingerprints(column: Column) -> Array:
    """Strings by their fingerprints, integers as they are."""
    return _hashed(column.values, fingerprint64) if column.values.dtype == object else column.values.astype(np.uint64)


def _buckets(hashes: Array, num_buckets: int) -> Array:
    return (hashes % (np.uint64(num_buckets) if num_buckets > 0 else _LARGEST)).astype(np.int64)


def _from_key(columns: Sequence[Column], found: Crosses, hash_key: int, num_buckets: int) -> Array:
    """The hash of each cross, which begins with the key."""
    made = np.full(int(found.counts.sum()), hash_key & ((1 << 64) - 1), np.uint64)
    for column, places in zip(columns, found.places, strict=True):
        made = _cat(made, _fingerprints(column)[places])
    return _buckets(made, num_buckets)


def _columns(inputs: Sequence[Array], count: int, strings_only: bool = False) -> tuple[list[Column], int]:
    """Sparse columns and dense ones behind them, and the number of rows."""
    indices, values, shapes = (inputs[n * count : (n + 1) * count] for n in range(3))
    dense = inputs[3 * count :]
    for triple in zip(indices, values, shapes, strict=True):
        _check_sparse(*triple)
    columns = [_dense(tensor) for tensor in dense]
    sizes = [int(shape[0]) for shape in shapes] + [len(tensor) for tensor in dense]
    if len(set(sizes)) > 1:
        raise InputError(f"columns have as many rows as each other; these have {sizes}")
    if strings_only and any(tensor.dtype != object for tensor in (*values, *dense)):
        raise InputError("a column holds integers, where the op says that all hold strings")
    size = sizes[0] if sizes else 0
    return [*(_sparse(i, v, size) for i, v in zip(indices, values, strict=True)), *columns], size


def _sparse_result(found: Crosses, values: Array) -> tuple[Array, Array, Array]:
    counts = found.counts
    indices = np.stack([np.repeat(np.arange(len(counts)), counts), found.numbers], -1).astype(np.int64)
    return indices, values, np.array([len(counts), counts.max(initial=0)], np.int64)


def _sparse_cross(
    ctx: Context,
    *inputs: Array,
    N: int,
    hashed_output: bool,
    num_buckets: int,
    hash_key: int,
    out_type: DType,
    internal_type: DType,
) -> tuple[Array, Array, Array]:
    columns, size = _columns(inputs, N, internal_type == STRING)
    found = crosses(columns, size)
    if out_type == INT64:
        return _sparse_result(found, _from_key(columns, found, hash_key, num_buckets))
    return _sparse_result(found, _joined(columns, found, b"_X_"))


def _sparse_cross_v2(ctx: Context, *inputs: Array, N: int) -> tuple[Array, Array, Array]:
    separator = inputs[-1]
    if separator.ndim:
        raise InputError(f"one string joins the values, not one of the shape {show(separator.shape)}")
    columns, size = _columns(inputs[:-1], N)
    found = crosses(columns, size)
    return _sparse_result(found, _joined(columns, found, separator.item()))


def _sparse_cross_hashed(ctx: Context, *inputs: Array, N: int) -> tuple[Array, Array, Array]:
    num_buckets, strong_hash, salt = inputs[-3:]
    if salt.size != 2:
        raise InputError(f"the salt is two numbers, not {salt.size}")
    columns, size = _columns(inputs[:-3], N)
    found = crosses(columns, size)
    low, high = salt.reshape(-1).tolist()

    def strong(data: bytes) -> int:
        return siphash(data, (low, high))

    made: Array | None = None
    for column, places in zip(columns, found.places, strict=True):
        if column.values.dtype == object:
            hashes = _hashed(column.values, strong if strong_hash else fingerprint64)
        elif column.is_dense and strong_hash:
            raise UnsupportedError("dense integers have no strong hash: TensorFlow's kernel does not survive them")
        elif not column.is_dense:
            # TensorFlow's kernel hashes the lower half of an integer only.
            halves = np.empty(len(column.values), object)
            halves[:] = [(value & 0xFFFFFFFF).to_bytes(4, "little") for value in column.values.tolist()]
            hashes = _hashed(halves, strong if strong_hash else fingerprint64)
        else:
            hashes = column.values.astype(np.uint64)
        made = hashes[places] if made is None else _cat(made, hashes[places])
    values = np.zeros(0, np.int64) if made is None else _buckets(made, int(num_buckets))
    return _sparse_result(found, values)


def _ragged_cross(
    ctx: Context,
    *inputs: Array,
    Nsparse: int,
    input_order: bytes,
    hashed_output: bool,
    num_buckets: int,
    hash_key: int,
    ragged_values_types: list[DType],
    ragged_splits_types: list[DType],
    dense_types: list[DType],
    out_values_type: DType,
    out_row_splits_type: DType,
) -> tuple[Array, Array]:
    count = len(ragged_values_types)
    if len(ragged_splits_types) != count:
        raise InputError(f"{count} ragged columns have {len(ragged_splits_types)} row splits")
    if any(dtype != out_row_splits_type for dtype in ragged_splits_types):
        raise InputError(f"the row splits of all columns are {out_row_splits_type}, as those that come out")
    rest = inputs[2 * count :]
    indices, values, shapes = (rest[n * Nsparse : (n + 1) * Nsparse] for n in range(3))
    dense = rest[3 * Nsparse :]
    ragged = [_ragged(v, s) for v, s in zip(inputs[:count], inputs[count : 2 * count], strict=True)]
    for i, v, s in zip(indices, values, shapes, strict=True):
        _check_sparse(i, v, s)
    flat = [_dense(tensor) for tensor in dense]
    sizes = [len(column.counts) for column in ragged] + [int(shape[0]) for shape in shapes] + [len(t) for t in dense]
    if len(set(sizes)) > 1:
        raise InputError(f"columns have as many rows as each other; these have {sizes}")
    size = sizes[0] if sizes else 0
    sparse = [_sparse_in_order(i, v, size) for i, v in zip(indices, values, strict=True)]
    waiting = {"R": ragged, "S": sparse, "D": flat}
    columns: list[Column] = []
    for letter in input_order.decode("latin-1"):
        if not waiting.get(letter):
            raise InputError(
                f"{input_order!r} is not an order of {count} ragged, {Nsparse} sparse and {len(dense)} dense columns"
            )
        columns.append(waiting[letter].pop(0))
    if any(waiting.values()):
        raise InputError(f"{input_order!r} names {len(columns)} columns of {len(sizes)}")
    found = crosses(columns, size)
    made = (
        _from_key(columns, found, hash_key, num_buckets)
        if out_values_type == INT64
        else _joined(columns, found, b"_X_")
    )
    return made, np.append(0, np.cumsum(found.counts)).astype(out_row_splits_type.numpy)


RULES: dict[str, Rule] = {
    "RaggedCross": _ragged_cross,
    "SparseCross": _sparse_cross,
    "SparseCrossHashed": _sparse_cross_hashed,
    "SparseCrossV2": _sparse_cross_v2,
}
